package redundancy

import (
	"slices"
	"testing"
)

const large = 100_000

// chain is a node that requires one that requires one ... each with a component of its own at its side.
func chain(t testing.TB, depth int, side bool) (*Structure, Node) {
	var b Builder
	top := b.Add()
	for range depth {
		next := b.Add()
		b.Require(next, 1, top)
		if side {
			b.Require(next, 1, b.Add())
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
	for _, side := range []bool{false, true} {
		s, top := chain(t, large, side)
		l := NewLive(s)
		if got := len(l.SPOFs(nil, top)[0]); got != s.Len() {
			t.Errorf("%d SPOFs of %d", got, s.Len())
		}
		if got := l.SPOFs(nil, l.s.order...); len(got[s.rank[top]]) != s.Len() {
			t.Errorf("all at once: %d SPOFs of %d", len(got[s.rank[top]]), s.Len())
		}
		if got := len(l.SetFailed(0, true)); got != large+1 {
			t.Errorf("%d changed", got)
		}
		if got := NewSolver(s).Spares(Question{Top: top}); got != (Spares{N: 0}) {
			t.Errorf("spares %+v", got)
		}
		if got := NewSolver(s).MinCuts(Question{Top: top}).Count().Int64(); got != int64(s.Len()) {
			t.Errorf("%d minimal cut sets", got)
		}
	}
}

func TestWidth(t *testing.T) {
	for _, need := range []int{1, 2, large - 2, large - 1, large} {
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
		if got := len(l.SPOFs(nil, top)[0]); got != want {
			t.Errorf("need %d: %d SPOFs", need, got)
		}
		spares := NewSolver(s).Spares(Question{Top: top, Order: 4})
		if spares.N != min(4, large-need) || spares.AtLeast != (large-need > 3) {
			t.Errorf("need %d: %+v", need, spares)
		}
	}
}

func TestLongLoop(t *testing.T) {
	var b Builder
	for n := range Node(large) {
		b.Add()
		b.Require(n, 1, (n+1)%large)
	}
	_, err := b.Build()
	loop, ok := err.(*LoopError)
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
