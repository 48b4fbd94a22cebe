package redundancy

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// After any changes Weakest says what the oracle says, in whatever order it is asked.
func TestWeakestAgainstExhaustion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		s := m.build(t, m.identity())
		mayFail := m.drawMayFail(t)
		l := NewLive(s)
		failed := uint64(0)
		w := NewWeakest(l, in(mayFail))
		for range rapid.IntRange(1, 6).Draw(t, "changes") {
			top := Node(rapid.IntRange(0, s.Len()-1).Draw(t, "top"))
			cuts := m.cuts(top, failed, mayFail&^failed)
			want := wantSpares(cuts, int(orders[len(orders)-1]))
			got, known := w.Spares(top)
			if !known || got != want {
				t.Fatalf("failed %b: spares of %d are %+v (%v), want %+v", failed, top, got, known, want)
			}
			sets, count, known := w.Smallest(top, 3)
			if known == (want.None || want.AtLeast) {
				t.Fatalf("cut sets %v known: %v, spares %+v", sets, known, want)
			}
			if known {
				checkSmallest(t, s, top, failed, mayFail, sets, count)
			}
			n := Node(rapid.IntRange(0, s.Len()-1).Draw(t, "node"))
			failed ^= 1 << n
			w.Update(l.SetFailed(n, !l.Failed(n)))
			if rapid.Bool().Draw(t, "tidy") {
				for _, g := range w.stages {
					if g != nil {
						g.large = 0
						g.tidy()
					}
				}
			}
		}
	})
}

func checkSmallest(t *rapid.T, s *Structure, top Node, failed, mayFail uint64, sets [][]Node, count int) {
	cuts := NewSolver(s).MinCuts(Question{Top: top, Failed: in(failed), MayFail: in(mayFail)})
	if want := cuts.Smallest(3); !slices.EqualFunc(sets, want, slices.Equal) {
		t.Fatalf("cut sets %v, want %v", sets, want)
	}
	if all := cuts.ByOrder()[len(sets[0])]; all.Cmp(big.NewInt(int64(count))) != 0 {
		t.Fatalf("%d cut sets, want %v", count, all)
	}
}

// In a data centre, after many changes, spares and smallest cut sets of every service are those that a Solver finds with
// what has failed taken out.
func TestWeakestAgainstSolver(t *testing.T) {
	d := newDataCentre(t, 8, 60)
	l := NewLive(d.s)
	w := NewWeakest(l, nil)
	rng := rand.New(rand.NewPCG(17, 18))
	all := d.components()
	for i := range 3000 {
		n := all[rng.IntN(len(all))]
		w.Update(l.SetFailed(n, !l.Failed(n) && rng.IntN(3) > 0))
		if i%100 != 0 {
			continue
		}
		v := NewSolver(d.s)
		for _, top := range d.services {
			q := Question{Top: top, Failed: l.Failed}
			got, known := w.Spares(top)
			if want := v.search(q); !known || got != want {
				t.Fatalf("spares %+v (%v), solver says %+v", got, known, want)
			}
			sets, count, _ := w.Smallest(top, 16)
			cuts := v.MinCuts(Question{Top: top, Failed: l.Failed, Order: got.N + 1})
			if want := cuts.Smallest(16); !slices.EqualFunc(sets, want, slices.Equal) {
				t.Fatalf("cut sets %v, solver says %v", sets, want)
			}
			if n := cuts.Count(); n.Cmp(big.NewInt(int64(count))) != 0 {
				t.Fatalf("%d cut sets, solver says %v", count, n)
			}
		}
	}
}
