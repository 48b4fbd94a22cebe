package redundancy

import (
	"math"
	"math/big"
	"math/bits"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// sketch is a fault tree as the oracle sees it: operand i < events is an event, others are gates in order; ^i is i
// negated.
type sketch struct {
	events int
	gates  []sketchGate
}

type sketchGate struct {
	op string
	k  int
	of []int
}

func drawSketch(t *rapid.T, coherent bool) sketch {
	s := sketch{events: rapid.IntRange(1, 8).Draw(t, "events")}
	for range rapid.IntRange(1, 10).Draw(t, "gates") {
		ops := []string{"or", "and", "atleast"}
		if !coherent {
			ops = append(ops, "xor")
		}
		g := sketchGate{op: rapid.SampledFrom(ops).Draw(t, "op")}
		for range rapid.IntRange(1, 4).Draw(t, "operands") {
			o := rapid.IntRange(0, s.events+len(s.gates)-1).Draw(t, "operand")
			if !coherent && rapid.IntRange(0, 3).Draw(t, "negated") == 0 {
				o = ^o
			}
			g.of = append(g.of, o)
		}
		g.k = rapid.IntRange(0, len(g.of)+1).Draw(t, "k")
		s.gates = append(s.gates, g)
	}
	return s
}

func (s sketch) tree() (*Tree, Ref) {
	var t Tree
	var refs []Ref
	for range s.events {
		refs = append(refs, t.Event())
	}
	for _, g := range s.gates {
		var of []Ref
		for _, o := range g.of {
			if o < 0 {
				of = append(of, refs[^o].Not())
			} else {
				of = append(of, refs[o])
			}
		}
		switch g.op {
		case "or":
			refs = append(refs, t.Or(of...))
		case "and":
			refs = append(refs, t.And(of...))
		case "atleast":
			refs = append(refs, t.AtLeast(g.k, of...))
		case "xor":
			refs = append(refs, t.Xor(of...))
		}
	}
	return &t, refs[len(refs)-1]
}

// holds evaluates operand o by definition.
func (s sketch) holds(o int, happened uint64) bool {
	switch {
	case o < 0:
		return !s.holds(^o, happened)
	case o < s.events:
		return happened>>o&1 == 1
	}
	g := s.gates[o-s.events]
	count := 0
	for _, operand := range g.of {
		if s.holds(operand, happened) {
			count++
		}
	}
	switch g.op {
	case "or":
		return count >= 1
	case "and":
		return count == len(g.of)
	case "atleast":
		return count >= g.k
	}
	return count%2 == 1
}

func (s sketch) top() int { return s.events + len(s.gates) - 1 }

// minimal are the smallest sets of events that make the top true when no others happen.
func (s sketch) minimal() []uint64 {
	sets := make([]uint64, 1<<s.events)
	for i := range sets {
		sets[i] = uint64(i)
	}
	slices.SortStableFunc(sets, func(a, b uint64) int { return bits.OnesCount64(a) - bits.OnesCount64(b) })
	var minimal []uint64
	for _, set := range sets {
		if s.holds(s.top(), set) && !slices.ContainsFunc(minimal, func(c uint64) bool { return c&set == c }) {
			minimal = append(minimal, set)
		}
	}
	return minimal
}

// probability sums over every set of events; given[e] fixes an event's probability.
func (s sketch) probability(p []float64) float64 {
	sum := 0.0
	for set := range uint64(1) << s.events {
		if !s.holds(s.top(), set) {
			continue
		}
		term := 1.0
		for e := range s.events {
			if set>>e&1 == 1 {
				term *= p[e]
			} else {
				term *= 1 - p[e]
			}
		}
		sum += term
	}
	return sum
}

func TestTreeMinCutsAgainstExhaustion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		coherent := rapid.Bool().Draw(t, "coherent")
		s := drawSketch(t, coherent)
		tree, top := s.tree()
		if coherent && !tree.Coherent(top) {
			t.Fatal("said not to be coherent")
		}
		order := rapid.IntRange(0, 9).Draw(t, "order")
		want := s.minimal()
		if order > 0 {
			want = slices.DeleteFunc(want, func(c uint64) bool { return bits.OnesCount64(c) > order })
		}
		checkCuts(t, tree.MinCuts(top, order, 0), want, order)
	})
}

func TestProbabilityAgainstExhaustion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSketch(t, rapid.Bool().Draw(t, "coherent"))
		tree, top := s.tree()
		c, err := tree.Compile(top, 0)
		if err != nil {
			t.Fatal(err)
		}
		p := rapid.SliceOfN(rapid.Float64Range(0, 1), s.events, s.events).Draw(t, "p")
		by := func(e int) float64 { return p[e] }
		want := s.probability(p)
		close := func(got, want float64) bool { return math.Abs(got-want) < 1e-12 }
		if got := c.Probability(by); !close(got, want) {
			t.Fatalf("probability %g, want %g", got, want)
		}
		got, importances := c.Importances(by)
		if !close(got, want) {
			t.Fatalf("probability beside importances %g, want %g", got, want)
		}
		for e := range s.events {
			given := slices.Clone(p)
			given[e] = 1
			with := s.probability(given)
			given[e] = 0
			without := s.probability(given)
			if !close(importances[e].Birnbaum, with-without) {
				t.Fatalf("event %d: Birnbaum %g, want %g", e, importances[e].Birnbaum, with-without)
			}
			if want > 1e-3 {
				if got := importances[e].FussellVesely; math.Abs(got-(1-without/want)) > 1e-9 {
					t.Fatalf("event %d: Fussell-Vesely %g, want %g", e, got, 1-without/want)
				}
				if got := importances[e].Achievement; math.Abs(got-with/want) > 1e-9 {
					t.Fatalf("event %d: achievement %g, want %g", e, got, with/want)
				}
			}
		}
	})
}

// A probability of 1e-30 must not drown in 1 - (1 - p).
func TestSmallProbability(t *testing.T) {
	var tree Tree
	var trains []Ref
	for range 3 {
		a, b := tree.Event(), tree.Event()
		trains = append(trains, tree.Or(a.Not(), b.Not()).Not()) // a and b
	}
	c, err := tree.Compile(tree.And(trains...), 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Probability(func(int) float64 { return 1e-5 }); math.Abs(got/1e-30-1) > 1e-9 {
		t.Errorf("probability %g", got)
	}
}

// Every ordering gives the same function, and every order of low number is found by both ways.
func TestOrderingsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSketch(t, true)
		tree, top := s.tree()
		shape := tree.shape(top, nil)
		want := tree.MinCuts(top, 0, 0)
		for i := range shape.units {
			u := &shape.units[i]
			for _, o := range orderings {
				order := o.of(u)
				sorted := slices.Clone(order)
				slices.Sort(sorted)
				for v := range u.vars {
					if len(sorted) != len(u.vars) || sorted[v] != int32(v) {
						t.Fatalf("%s: order %v of %d variables", o.name, order, len(u.vars))
					}
				}
				c, _, ok := u.compile(fresh(&shape.store), order)
				if !ok {
					t.Fatal("budget")
				}
				c.vars = shape.variables(u, order)
				a, ok := c.minimalSets(newZBDD(DefaultBudget, 0, nil), AnyOrder)
				if !ok {
					t.Fatal("budget")
				}
				c.monotone = true
				a2, ok := c.minimalSets(newZBDD(DefaultBudget, 0, nil), AnyOrder)
				if !ok {
					t.Fatal("budget")
				}
				b, ok := u.family(newZBDD(DefaultBudget, 0, nil), order, c.vars, nil, AnyOrder)
				if !ok {
					t.Fatal("not coherent")
				}
				sets := slices.Clone(want.sets.units)
				for _, f := range []family{a, a2, b} {
					sets[i] = f
					got, _ := families{units: sets, order: AnyOrder}.countByOrder(AnyOrder, math.MaxInt)
					if !slices.EqualFunc(got, want.ByOrder(), func(a, b *big.Int) bool { return a.Cmp(b) == 0 }) {
						t.Fatalf("%s: %v, want %v", o.name, got, want.ByOrder())
					}
				}
			}
		}
	})
}

// fresh is an empty store with the default budget.
func fresh(b *bdd) *bdd {
	b.reset(DefaultBudget, 0, nil)
	return b
}
