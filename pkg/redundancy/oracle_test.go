package redundancy

import (
	"math/bits"
	"slices"

	"pgregory.net/rapid"
)

// model is a structure as the oracle sees it: it shares no code with the package.
type model struct {
	gate []bool
	reqs [][]Requirement
}

// drawModel makes a model of few enough components for the oracle to try every set of failures. Nodes require earlier
// ones only; sharing, nesting, k of n and a member named twice all occur.
func drawModel(t *rapid.T) model {
	var m model
	components := rapid.IntRange(1, 9).Draw(t, "components")
	gates := rapid.IntRange(0, 8).Draw(t, "gates")
	kinds := make([]bool, 0, components+gates)
	for range components {
		kinds = append(kinds, false)
	}
	for range gates {
		kinds = append(kinds, true)
	}
	m.gate = rapid.Permutation(kinds).Draw(t, "kinds")
	m.reqs = make([][]Requirement, len(m.gate))
	for n := 1; n < len(m.gate); n++ {
		for range rapid.SampledFrom([]int{0, 1, 1, 1, 2}).Draw(t, "requirements") {
			of := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Node {
				return Node(rapid.IntRange(0, n-1).Draw(t, "member"))
			}), 1, 5).Draw(t, "of")
			need := rapid.IntRange(1, len(of)).Draw(t, "need")
			m.reqs[n] = append(m.reqs[n], Requirement{need, of})
		}
	}
	return m
}

// build hands the model to a Builder, node n as number[n].
func (m model) build(t interface{ Fatal(...any) }, number []Node) *Structure {
	var b Builder
	at := make([]Node, len(number))
	for n, to := range number {
		at[to] = Node(n)
	}
	for _, n := range at {
		if m.gate[n] {
			b.AddGate()
		} else {
			b.Add()
		}
	}
	for n, reqs := range m.reqs {
		for _, r := range reqs {
			var of []Node
			for _, member := range r.Of {
				of = append(of, number[member])
			}
			b.Require(number[n], r.Need, of...)
		}
	}
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (m model) identity() []Node {
	number := make([]Node, len(m.gate))
	for n := range number {
		number[n] = Node(n)
	}
	return number
}

// works evaluates n by definition.
func (m model) works(n Node, failed uint64) bool {
	if failed>>n&1 == 1 {
		return false
	}
	for _, r := range m.reqs[n] {
		up := 0
		for _, member := range r.Of {
			if m.works(member, failed) {
				up++
			}
		}
		if up < r.Need {
			return false
		}
	}
	return true
}

// cuts tries every subset of mayFail, small ones first.
func (m model) cuts(top Node, failed, mayFail uint64) []uint64 {
	var subsets []uint64
	for sub := mayFail; ; sub = (sub - 1) & mayFail {
		subsets = append(subsets, sub)
		if sub == 0 {
			break
		}
	}
	slices.SortFunc(subsets, func(a, b uint64) int {
		if d := bits.OnesCount64(a) - bits.OnesCount64(b); d != 0 {
			return d
		}
		return slices.Compare(elements(a), elements(b))
	})
	var minimal []uint64
	for _, sub := range subsets {
		if m.works(top, failed|sub) {
			continue
		}
		if !slices.ContainsFunc(minimal, func(c uint64) bool { return c&sub == c }) {
			minimal = append(minimal, sub)
		}
	}
	return minimal
}

func elements(set uint64) []Node {
	nodes := []Node{}
	for ; set != 0; set &= set - 1 {
		nodes = append(nodes, Node(bits.TrailingZeros64(set)))
	}
	return nodes
}

func drawSet(t *rapid.T, nodes int, label string) uint64 {
	return rapid.Uint64Range(0, 1<<nodes-1).Draw(t, label)
}

// drawMayFail is a random set of components, often all of them.
func (m model) drawMayFail(t *rapid.T) uint64 {
	all := uint64(0)
	for n, gate := range m.gate {
		if !gate {
			all |= 1 << n
		}
	}
	if rapid.Bool().Draw(t, "every component") {
		return all
	}
	return all & drawSet(t, len(m.gate), "may fail")
}

func (m model) drawFailed(t *rapid.T) uint64 {
	failed := drawSet(t, len(m.gate), "failed")
	failed &= drawSet(t, len(m.gate), "failed too")
	if !rapid.Bool().Draw(t, "gates fail too") {
		for n, gate := range m.gate {
			if gate {
				failed &^= 1 << n
			}
		}
	}
	return failed
}

func in(set uint64) func(Node) bool { return func(n Node) bool { return set>>n&1 == 1 } }
