package redundancy

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// After every change, Singles is what one pass from scratch finds, and says which sets changed.
func TestSinglesAgainstScratch(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 30 {
		s := randomStructure(rng, 10+10*round)
		l := NewLive(s)
		may := func(n Node) bool { return n%7 != 3 }
		singles := NewSingles(l, may)
		singles.k.small = []int{1, 2, 16}[round%3] // sets this large lie by themselves
		if round%2 == 0 {
			singles.large = 0 // rebuilds every time
		}
		before := allSPOFs(l, may)
		for range 300 {
			n := Node(rng.IntN(s.Len()))
			changed := singles.Update(l.SetFailed(n, !l.Failed(n)))
			after := allSPOFs(l, may)
			for m := range Node(s.Len()) {
				got := slices.Clone(singles.Of(m))
				slices.Sort(got)
				if !slices.Equal(got, after[m]) {
					t.Fatalf("node %d: %v, from scratch %v", m, got, after[m])
				}
				if slices.Equal(before[m], after[m]) == slices.Contains(changed, m) {
					t.Fatalf("node %d: %v, then %v, changed: %v", m, before[m], after[m], changed)
				}
			}
			before = after
		}
	}
}

func allSPOFs(l *Live, may func(Node) bool) [][]Node {
	var all [][]Node
	for _, set := range l.SPOFs(may, allNodes(l.s)...) {
		set = slices.Clone(set)
		slices.Sort(set)
		all = append(all, set)
	}
	return all
}

func allNodes(s *Structure) []Node {
	nodes := make([]Node, s.Len())
	for n := range nodes {
		nodes[n] = Node(n)
	}
	return nodes
}
