package redundancy

import (
	"errors"
	"math/big"
	"slices"
	"testing"
)

const large = 100_000

// chain is a node that requires one that requires one ... each with so many components of its own at its side, behind a
// gate if there are several.
func chain(t testing.TB, depth, side int) (*Structure, Node) {
	var b Builder
	top := b.Add()
	for range depth {
		next := b.Add()
		b.Require(next, 1, top)
		switch side {
		case 0:
		case 1:
			b.Require(next, 1, b.Add())
		default:
			gate := b.AddGate()
			for range side {
				b.Require(gate, 1, b.Add())
			}
			b.Require(next, 1, gate)
		}
		top = next
	}
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return s, top
}

func TestDepth(t *testing.T) {
	for side := range 4 {
		s, top := chain(t, large, side)
		components := 0
		for n := range Node(s.Len()) {
			if !s.IsGate(n) {
				components++
			}
		}
		l := NewLive(s)
		if got := len(l.SPOFs(nil, top)[0]); got != components {
			t.Errorf("%d SPOFs of %d", got, components)
		}
		if got := l.SPOFs(nil, l.s.order...); len(got[s.rank[top]]) != components {
			t.Errorf("all at once: %d SPOFs of %d", len(got[s.rank[top]]), components)
		}
		if got := len(l.SetFailed(0, true)); got != large+1 {
			t.Errorf("%d changed", got)
		}
		if got := NewSolver(s).Spares(Question{Top: top}); got != (Spares{N: 0}) {
			t.Errorf("spares %+v", got)
		}
		if got := NewSolver(s).MinCuts(Question{Top: top}).Count().Int64(); got != int64(components) {
			t.Errorf("%d minimal cut sets", got)
		}
		l.SetFailed(0, false)
		w := NewWeakest(l, nil)
		if got, known := w.Spares(top); !known || got != (Spares{N: 0}) {
			t.Errorf("spares %+v, known %v", got, known)
		}
		if _, count, known := w.Smallest(top, 3); !known || count != components {
			t.Errorf("%d smallest cut sets of %d", count, components)
		}
		for range 3 {
			w.Update(l.SetFailed(large/2, true))
			if got, _ := w.Spares(top); got != (Spares{N: -1}) {
				t.Errorf("spares %+v", got)
			}
			w.Update(l.SetFailed(large/2, false))
			if _, count, _ := w.Smallest(top, 3); count != components {
				t.Errorf("%d smallest cut sets of %d", count, components)
			}
		}
	}
}

// All of something and one of something else, in turn, 100,000 deep: nothing is quadratic, nothing overflows.
func TestAlternating(t *testing.T) {
	var b Builder
	first := b.Add()
	top, spare, box := first, Node(0), Node(0)
	for i := range large {
		next := b.AddGate()
		if i%2 == 0 {
			spare = b.Add()
			b.Require(next, 1, top, spare)
		} else {
			box = b.Add()
			b.RequireAll(next, top, box)
		}
		top = next
	}
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	l := NewLive(s)
	singles, w := NewSingles(l, nil), NewWeakest(l, nil)
	gauge := NewForest(s, []Node{top}, 0).NewGauge(l, nil, func(Node) float64 { return 1e-3 })
	v := NewSolver(s)
	check := func(spares, pairs int) {
		t.Helper()
		got, known := w.Spares(top)
		if want := (Spares{N: spares}); !known || got != want || gauge.Spares(top) != want || v.Spares(Question{Top: top, Failed: l.Failed}) != want {
			t.Errorf("spares %+v (%v), by gauge %+v, want %d", got, known, gauge.Spares(top), spares)
		}
		if (len(singles.Of(top)) > 0) != (spares == 0) {
			t.Errorf("%d SPOFs", len(singles.Of(top)))
		}
		if _, count, _ := w.Smallest(top, 1); count != pairs {
			t.Errorf("%d smallest sets, want %d", count, pairs)
		}
	}
	check(0, 1) // the last box
	set := func(n Node, failed bool) {
		changed := l.SetFailed(n, failed)
		singles.Update(changed)
		w.Update(changed)
		gauge.Update(n)
	}
	for range 3 {
		set(spare, true)
		check(0, 2) // this box and the one below
		set(spare, false)
		set(first, true) // most of it changes nothing above the first rung
		check(0, 1)
		set(first, false)
	}
	check(0, 1)
}

func TestWidth(t *testing.T) {
	for _, need := range []int{1, 2, large / 2, large - 2, large - 1, large} {
		var b Builder
		var of []Node
		for range large {
			of = append(of, b.Add())
		}
		top := b.AddGate()
		b.Require(top, need, of...)
		s, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		l := NewLive(s)
		want := 0
		if need == large {
			want = large
		}
		if got, known := NewWeakest(l, nil).Spares(top); known && got != (Spares{N: large - need}) && (!got.AtLeast || got.N > large-need) {
			t.Errorf("need %d: weakest %+v", need, got)
		}
		if got := len(l.SPOFs(nil, top)[0]); got != want {
			t.Errorf("need %d: %d SPOFs", need, got)
		}
		v := NewSolver(s)
		if got := v.Spares(Question{Top: top}); got != (Spares{N: large - need}) {
			t.Errorf("need %d: %+v", need, got)
		}
		l.SetFailed(of[7], true)
		if got := v.Spares(Question{Top: top, Failed: l.Failed}); got != (Spares{N: large - need - 1}) {
			t.Errorf("need %d, one failed: %+v", need, got)
		}
		cuts := v.MinCuts(Question{Top: top, Order: 3})
		wantCuts := int64(0)
		if large-need < 3 {
			wantCuts = new(big.Int).Binomial(large, int64(large-need+1)).Int64()
		}
		if got := cuts.Count().Int64(); !cuts.Exact || got != wantCuts {
			t.Errorf("need %d: %d minimal cut sets up to order 3, want %d, exact %v", need, got, wantCuts, cuts.Exact)
		}
	}
}

// A ladder: each rung works as long as the next one or its own spare does. Modules nest 100,000 deep, and minimal cut
// sets have every order.
func TestLadder(t *testing.T) {
	var b Builder
	top := b.Add()
	for range large {
		next := b.Add()
		b.Require(next, 1, top, b.Add())
		top = next
	}
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	l := NewLive(s)
	if got := l.SPOFs(nil, top)[0]; len(got) != 1 {
		t.Errorf("%d SPOFs", len(got))
	}
	v := NewSolver(s)
	q := Question{Top: top, MayFail: func(n Node) bool { return n != top }}
	if got := v.Spares(q); got != (Spares{N: 1}) {
		t.Errorf("spares %+v", got)
	}
	cuts := v.MinCuts(Question{Top: top})
	if got := cuts.Count().Int64(); !cuts.Exact || got != large+1 {
		t.Errorf("%d minimal cut sets, exact %v", got, cuts.Exact)
	}
	for i := range cuts.All() {
		if len(i) == 20 {
			break
		}
	}
	if p := NewForest(s, []Node{top}, 0).NewGauge(l, nil, func(Node) float64 { return 1e-3 }); !p.Spares(top).Known() {
		t.Error("spares not known")
	}
}

func TestLongLoop(t *testing.T) {
	var b Builder
	for n := range Node(large) {
		b.Add()
		b.Require(n, 1, (n+1)%large)
	}
	_, err := b.Build()
	var loop *LoopError
	ok := errors.As(err, &loop)
	if !ok || len(loop.Nodes) != large {
		t.Fatal("loop not found")
	}
	if text := loop.Error(); len(text) > 300 {
		t.Errorf("%d bytes of error text", len(text))
	}
}

func TestFanInOfEverything(t *testing.T) {
	var b Builder
	var all []Node
	for n := range 2000 {
		node := b.Add()
		if n%100 == 0 && n > 0 {
			b.Require(node, len(all)/2+1, all...)
		}
		all = append(all, node)
	}
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	l := NewLive(s)
	tops := slices.Clone(all)
	if got := l.SPOFs(nil, tops...); len(got[1999]) != 1 {
		t.Errorf("SPOFs %v", got[1999])
	}
}

// One cut set of everything, and as many as half of a thousand can be chosen: how many there are of each order takes no more
// memory than the answer.
func TestCountOfEverything(t *testing.T) {
	var b Builder
	of := make([]Node, large)
	for i := range of {
		of[i] = b.Add()
	}
	every := b.AddGate()
	b.Require(every, 1, of...)
	half := b.AddGate()
	b.Require(half, 501, of[:1000]...)
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	by := NewSolver(s).MinCuts(Question{Top: every}).ByOrder()
	if len(by) != large+1 || by[large].Cmp(big.NewInt(1)) != 0 || slices.ContainsFunc(by[:large], func(n *big.Int) bool { return n.Sign() != 0 }) {
		t.Errorf("%d orders", len(by))
	}
	by = NewSolver(s).MinCuts(Question{Top: half}).ByOrder()
	if want := new(big.Int).Binomial(1000, 500); len(by) != 501 || by[500].Cmp(want) != 0 {
		t.Errorf("%d orders, the last %v, want %v", len(by), by[len(by)-1], want)
	}
}
