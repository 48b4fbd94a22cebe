package redundancy

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// After any changes a Gauge says what the oracle says, and names every top of which the spares changed.
func TestGaugeAgainstExhaustion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		s := m.build(t, m.identity())
		mayFail := m.drawMayFail(t)
		l := NewLive(s)
		failed := uint64(0)
		for _, n := range elements(m.drawFailed(t)) {
			l.SetFailed(n, true)
			failed |= 1 << n
		}
		g := NewForest(s, allNodes(s), 0).NewGauge(l, in(mayFail), nil)
		check := func() []Spares {
			var all []Spares
			for top := range Node(s.Len()) {
				want := wantSpares(m.cuts(top, failed, mayFail&^failed), 0)
				if got := g.Spares(top); got != want {
					t.Fatalf("failed %b: spares of %d are %+v, want %+v", failed, top, got, want)
				}
				all = append(all, want)
			}
			return all
		}
		before := check()
		for range rapid.IntRange(1, 5).Draw(t, "changes") {
			n := Node(rapid.IntRange(0, s.Len()-1).Draw(t, "node"))
			failed ^= 1 << n
			l.SetFailed(n, !l.Failed(n))
			changed := slices.Clone(g.Update(n))
			after := check()
			for top := range Node(s.Len()) {
				if before[top] != after[top] && !slices.Contains(changed, top) {
					t.Fatalf("spares of %d changed from %+v to %+v unsaid", top, before[top], after[top])
				}
			}
			before = after
		}
	})
}

// In a data centre, after many changes, every service's spares and probability are those of its own Function.
func TestGaugeAgainstFunctions(t *testing.T) {
	d := newDataCentre(t, 16, 100)
	l := NewLive(d.s)
	p := func(n Node) float64 { return 1e-4 * float64(1+n%5) }
	g := NewForest(d.s, d.services, 0).NewGauge(l, nil, p)
	v := NewSolver(d.s)
	var functions []*Function
	for _, top := range d.services {
		f, err := v.Function(top, 0)
		if err != nil {
			t.Fatal(err)
		}
		functions = append(functions, f)
	}
	rng := rand.New(rand.NewPCG(13, 14))
	all := d.components()
	for i := range 2000 {
		n := all[rng.IntN(len(all))]
		l.SetFailed(n, !l.Failed(n))
		g.Update(n)
		if i%50 != 0 {
			continue
		}
		for j, top := range d.services {
			if got, want := g.Spares(top), functions[j].Spares(l.Failed, nil); got != want {
				t.Fatalf("spares %+v, function says %+v", got, want)
			}
			want := functions[j].Probability(func(n Node) float64 {
				if l.Failed(n) {
					return 1
				}
				return p(n)
			})
			if got, known := g.Probability(top); !known || math.Abs(got-want) > 1e-12*want {
				t.Fatalf("probability %g, function says %g", got, want)
			}
		}
	}
}

func TestGaugeOfWhatIsTooHard(t *testing.T) {
	var b Builder
	var of []Node
	for range 20 {
		of = append(of, b.Add())
	}
	top := b.AddGate()
	b.Require(top, 11, of...)
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	l := NewLive(s)
	g := NewForest(s, []Node{top}, 50).NewGauge(l, nil, func(Node) float64 { return 0.1 })
	if got := g.Spares(top); got != (Spares{N: 9}) {
		t.Errorf("spares %+v", got)
	}
	if _, known := g.Probability(top); known {
		t.Error("probability known")
	}
	l.SetFailed(of[0], true)
	g.Update(of[0])
	if got := g.Spares(top); got != (Spares{N: 8}) {
		t.Errorf("spares after a failure %+v", got)
	}
}
