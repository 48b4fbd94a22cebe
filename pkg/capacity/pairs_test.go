package capacity

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// bad is what some failures do to what is rated, by name: 1 more than may be used, 3 it trips.
func (r *room) bad(fail ...string) map[string]int {
	down, rounds := r.cascade(fail)
	grades := map[string]int{}
	for _, round := range rounds {
		for _, id := range round {
			grades[id] = 3
		}
	}
	before := r.loads(map[string]bool{})
	for id, va := range r.loads(down) {
		if most := 0.8 * r.rating[id]; most > 0 && va > most+1e-6 && va > before[id]+1e-6 && grades[id] == 0 {
			grades[id] = 1
		}
	}
	return grades
}

// badPairs are the pairs that do to something what neither does, and something is not so now.
func (r *room) badPairs(ids []string) []string {
	before := r.loads(map[string]bool{})
	var list []string
	for i, a := range ids {
		for _, b := range ids[i+1:] {
			both, x, y := r.bad(a, b), r.bad(a), r.bad(b)
			for _, id := range sorted(both) {
				g := both[id]
				if g <= x[id] || g <= y[id] || g == 1 && before[id] > 0.8*r.rating[id]+1e-6 {
					continue
				}
				list = append(list, fmt.Sprintf("%s + %s: %s %d", a, b, id, g))
			}
		}
	}
	slices.Sort(list)
	return list
}

func (b *built) pairs(found *Pairs) []string {
	var list []string
	for _, p := range found.Pairs {
		for _, o := range p.Over {
			list = append(list, fmt.Sprintf("%s + %s: %s %d", b.ids[p.Fail[0]], b.ids[p.Fail[1]], b.ids[o.Node], o.Grade))
		}
	}
	slices.Sort(list)
	return list
}

// The pairs of random dual-feed rooms are those that the slow version finds by trying all.
func TestPairsAgainstBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 2))
	some, considered, followed := 0, 0, 0
	for range 50 {
		r := drawRoom(rng)
		b := r.build(t)
		var ids []string
		for _, n := range b.power {
			ids = append(ids, b.ids[n])
		}
		found := b.flow.Pairs(t.Context(), b.power, 1<<20, nil)
		want := r.badPairs(ids)
		if got := b.pairs(found); !found.Whole || !slices.Equal(got, want) {
			t.Fatalf("%+v:\ngot  %v\nwant %v", r, got, want)
		}
		some += len(want)
		considered += found.Considered
		followed += found.Followed
	}
	if some < 120 {
		t.Errorf("only %d: the rooms are too strong", some)
	}
	t.Logf("%d overloads by pairs; %d pairs considered, %d followed", some, considered, followed)
}

// maze is a network of several stages, with groups, transfer switches, three phases, pins and cooling that power leans on.
func maze(t *testing.T, rng *rand.Rand) (*Flow, []redundancy.Node) {
	var s redundancy.Builder
	var elements []Element
	var all []redundancy.Node
	add := func(e Element) redundancy.Node {
		elements = append(elements, e)
		n := s.Add()
		all = append(all, n)
		return n
	}
	element := func(most int) Element {
		e := Element{In: true, Derate: []float64{0.8, 0.9, 1}[rng.IntN(3)], Trips: rng.IntN(3) > 0, Weight: -1, Volts: 230}
		switch rng.IntN(5) {
		case 0:
		case 1:
			e.Rating.VA = float64(100 * (1 + rng.IntN(most)))
		case 2:
			e.Rating.Watts = float64(100 * (1 + rng.IntN(most)))
		default:
			e.Rating.Amps = float64(1 + rng.IntN(most/2+1))
			e.Three = rng.IntN(2) == 0
		}
		return e
	}
	cooling := []redundancy.Node{add(Element{}), add(Element{})}
	stage := []redundancy.Node{add(element(60)), add(element(60)), add(element(60))}
	for depth := range 3 {
		var next []redundancy.Node
		for range 3 + rng.IntN(3) {
			e := element(40 - 10*depth)
			if rng.IntN(3) == 0 {
				e.Pin = Slot(rng.IntN(int(Slots) + 1))
			}
			e.Fresh = rng.IntN(5) == 0
			a, b := stage[rng.IntN(len(stage))], stage[rng.IntN(len(stage))]
			e.Selects = rng.IntN(2) == 0
			if rng.IntN(4) == 0 {
				e.Weight = float64(rng.IntN(3))
			}
			n := add(e)
			switch {
			case a == b:
				s.RequireAll(n, a)
			case rng.IntN(3) == 0:
				gate := s.AddGate()
				elements = append(elements, Element{})
				s.Require(gate, 1, a, b)
				s.RequireAll(n, gate)
			default:
				s.Require(n, 1, a, b)
			}
			if rng.IntN(8) == 0 {
				s.Require(n, 1, cooling...)
			}
			next = append(next, n)
		}
		stage = next
	}
	var sources []Source
	for range 4 + rng.IntN(6) {
		src := Source{Load: Of(Slot(rng.IntN(int(Slots))), float64(100*(1+rng.IntN(9))), 0)}
		src.Load.W = src.Load.Total() * 0.95
		for range 1 + rng.IntN(3) {
			n := add(Element{In: true, Rating: component.Rating{Watts: 800}, Derate: 1, Trips: true, Weight: -1})
			s.RequireAll(n, stage[rng.IntN(len(stage))])
			src.Taps = append(src.Taps, Tap{n, float64(rng.IntN(3)) - float64(rng.IntN(2))})
		}
		sources = append(sources, src)
	}
	built, err := s.Build()
	if err != nil {
		t.Fatal(err)
	}
	live := redundancy.NewLive(built)
	for _, n := range all {
		if rng.IntN(25) == 0 {
			live.SetFailed(n, true)
		}
	}
	var works []redundancy.Node
	for _, n := range all {
		if live.Works(n) {
			works = append(works, n)
		}
	}
	return New(built, elements).Flow(live, sources), works
}

// What is ruled out is nothing: following every pair of a maze finds the same.
func TestNoPairIsRuledOutWrongly(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 5))
	some, considered, followed := 0, 0, 0
	for range 60 {
		f, failures := maze(t, rng)
		found := f.Pairs(t.Context(), failures, 1<<20, nil)
		all := &pairSearch{f: f, ctx: t.Context(), failures: failures, found: &Pairs{}}
		if !all.layReach() || !all.singles() {
			t.Fatal("not whole")
		}
		for p := range failures {
			for q := range p {
				all.add(int32(p), int32(q))
			}
		}
		all.tidy()
		all.follow(1<<20, nil)
		if !found.Whole || !slices.EqualFunc(found.Pairs, all.found.Pairs, func(a, b Pair) bool { return a.Fail == b.Fail && slices.Equal(a.Over, b.Over) }) {
			t.Fatalf("%d pairs, want %d", len(found.Pairs), len(all.found.Pairs))
		}
		some += found.Found
		considered += found.Considered
		followed += found.Followed
	}
	if some < 300 {
		t.Errorf("only %d", some)
	}
	t.Logf("%d pairs; %d considered, %d followed", some, considered, followed)
}

func TestPairsStop(t *testing.T) {
	f, failures := maze(t, rand.New(rand.NewPCG(1, 1)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if f.Pairs(ctx, failures, 10, nil).Whole {
		t.Error("whole, though nobody waits")
	}
}
