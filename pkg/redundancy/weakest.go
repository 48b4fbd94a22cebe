package redundancy

import (
	"math"
	"slices"
)

// Weakest keeps the smallest cut sets of nodes up to date while nodes of a Live fail and are repaired: it is to sets of a
// few failures what Singles is to single ones. What it finds of a node serves everything that stands on the node, so that
// ten thousand services in one data centre cost little more than the data centre.
//
// Of each node that was asked for, and of all that it stands on, it knows the minimal cut sets of at most two failures; of
// those that have none, and what they stand on, the ones of at most four, and then of at most eight. They are
// zero-suppressed diagrams in one store, in which equal families are one: after a change only those families are found
// again of which a member's family or state changed, and where one turns out as it was, what depends on it is left alone.
//
// Several may stand on one Live, one for each domain. It belongs to the goroutine that owns the Live.
type Weakest struct {
	l       *Live
	mayFail func(Node) bool
	stages  [len(orders)]*stage // nil until they are needed
	changed []Node              // since anything was asked
}

// orders of the cut sets that are looked for, in turn.
var orders = [...]int32{2, 4, 8}

// mostChanged is how many changes wait to be taken in.
const mostChanged = 1 << 16

// NewWeakest looks among the components that may fail (nil: all). mayFail must give the same answers later.
func NewWeakest(l *Live, mayFail func(Node) bool) *Weakest { return &Weakest{l: l, mayFail: mayFail} }

// Update takes in a change of the Live: what SetFailed returned. It must be told of every change. The work is done when
// something is asked for.
func (w *Weakest) Update(changed []Node) {
	if w.stages[0] == nil {
		return
	}
	if w.changed = append(w.changed, changed...); len(w.changed) > mostChanged {
		w.takeIn()
	}
}

// Spares of n, given what has failed; at least 8 where there are more. known is false where n is too hard for it: then
// [Solver.Spares] may know.
func (w *Weakest) Spares(n Node) (s Spares, known bool) {
	g, f := w.find(n)
	switch {
	case f == zhard:
		return Spares{}, false
	case f == zfirm:
		return Spares{None: true}, true
	case f == zempty:
		return Spares{N: int(orders[len(orders)-1]), AtLeast: true}, true
	}
	return Spares{N: int(g.least[f]) - 1}, true
}

// Smallest are at most limit cut sets of n of the smallest order there is, each sorted, in the order of [Cuts.Smallest],
// and how many there are in all. known is false where Spares does not know a number.
func (w *Weakest) Smallest(n Node, limit int) (sets [][]Node, count int, known bool) {
	g, f := w.find(n)
	if f <= zempty {
		return nil, 0, false
	}
	g.eachSmallest(f, func(set []Node) bool {
		slices.Sort(set)
		sets = append(sets, set)
		return len(sets) < sortedUpTo
	})
	slices.SortFunc(sets, slices.Compare)
	return slices.Clip(sets[:min(len(sets), limit)]), int(g.count[f]), true
}

// find is the family of n in the first stage in which it has any.
func (w *Weakest) find(n Node) (*stage, zref) {
	w.takeIn()
	for i := range w.stages {
		if w.stages[i] == nil {
			w.stages[i] = newStage(w.l, w.mayFail, orders[i])
		}
		if f := w.stages[i].ask(n); f != zempty || i == len(w.stages)-1 {
			return w.stages[i], f
		}
	}
	panic("redundancy: no stages")
}

// takeIn brings the stages up to date.
func (w *Weakest) takeIn() {
	if len(w.changed) == 0 {
		return
	}
	for _, g := range w.stages {
		if g != nil {
			g.update(w.changed)
		}
	}
	w.changed = w.changed[:0]
}

// stage is the families up to one order.
type stage struct {
	l       *Live
	mayFail func(Node) bool
	order   int32
	z       *zbdd
	sets    []zref // by node; zempty: what takes it down is larger than order
	// of each family in the store: the size of its smallest sets, and how many of them there are
	least []uint8
	count []int64
	large int // families beyond which those that nobody has are dropped

	queue  heap   // ranks of nodes to look at
	queued []bool // by node
	of     []zref // at hand
	stack  []asking
}

// What a node has that has no family.
const (
	zfirm  zref = -1 // nothing that may fail takes it down
	zhard  zref = -2 // too hard
	zasked zref = -3 // never asked for
)

type asking struct {
	n    Node
	edge int32 // next in members
}

func newStage(l *Live, mayFail func(Node) bool, order int32) *stage {
	g := &stage{l: l, mayFail: mayFail, order: order, z: newZBDD(0, 0, nil), sets: make([]zref, l.s.Len()), queued: make([]bool, l.s.Len()), large: 1 << 20,
		least: []uint8{math.MaxUint8, 0}, count: []int64{0, 1}}
	g.z.mostCached = 1 << 18
	for n := range g.sets {
		g.sets[n] = zasked
	}
	return g
}

// ask finds the families of n and of what it stands on, those that were not asked for yet.
func (g *stage) ask(n Node) zref {
	s := g.l.s
	g.enter(n)
	for len(g.stack) > 0 {
		f := &g.stack[len(g.stack)-1]
		if f.edge < s.of[s.reqs[f.n+1]] {
			f.edge++
			g.enter(s.members[f.edge-1])
			continue
		}
		g.stack = g.stack[:len(g.stack)-1]
		g.sets[f.n] = g.find(f.n)
	}
	g.tidy()
	return g.sets[n]
}

func (g *stage) enter(n Node) {
	if g.sets[n] == zasked {
		g.sets[n] = zempty // there are no loops: nobody asks for it before it is found
		g.stack = append(g.stack, asking{n, g.l.s.of[g.l.s.reqs[n]]})
	}
}

// update finds again what follows from changed nodes.
func (g *stage) update(changed []Node) {
	for _, n := range changed {
		g.push(n)
		g.pushOwners(n)
	}
	for len(g.queue) > 0 {
		n := g.l.s.order[g.queue.pop()]
		g.queued[n] = false
		if f := g.find(n); f != g.sets[n] {
			g.sets[n] = f
			g.pushOwners(n)
		}
	}
	g.tidy()
}

func (g *stage) pushOwners(n Node) {
	for _, r := range g.l.s.usesOf(n) {
		g.push(g.l.s.owner[r])
	}
}

func (g *stage) push(n Node) {
	if g.sets[n] != zasked && !g.queued[n] {
		g.queued[n] = true
		g.queue.push(g.l.s.rank[n])
	}
}

// find is n's family, those of its members being known.
func (g *stage) find(n Node) (f zref) {
	s := g.l.s
	if !g.l.works[n] {
		return zunit
	}
	budget := quickBudget(int(s.of[s.reqs[n+1]] - s.of[s.reqs[n]]))
	g.z.budget, g.z.meter = len(g.z.vars)+budget, newMeter(budget, nil)
	ok := true
	func() {
		defer recoverBudget(&ok)
		f = g.cuts(n)
	}()
	if !ok {
		return zhard
	}
	g.measure()
	return f
}

// cuts is the family of a node that works.
func (g *stage) cuts(n Node) zref {
	s := g.l.s
	own := !s.gate[n] && (g.mayFail == nil || g.mayFail(n))
	all, firm := zempty, !own
	for r := s.reqs[n]; r < s.reqs[n+1]; r++ {
		sure := int32(0)
		g.of = g.of[:0]
		for _, m := range s.membersOf(r) {
			f := g.sets[m]
			switch {
			case !g.l.works[m] || f == zempty:
			case f == zhard:
				return zhard
			case f == zfirm:
				sure++
			default:
				g.of = append(g.of, f)
			}
		}
		firm = firm && sure >= s.need[r]
		switch breaks := g.l.up[r] - s.need[r] + 1; {
		case breaks == 1:
			all = g.z.any(append(g.of, all))
		case len(g.of) == int(breaks):
			all = g.z.or(all, g.z.all(g.of, g.order))
		case len(g.of) >= int(breaks):
			all = g.z.or(all, g.z.atLeast(breaks, g.of, g.order))
		}
	}
	switch {
	case firm:
		return zfirm
	case own:
		return g.z.or(g.z.single(s.levelOf[n]), all)
	}
	return all
}

// measure extends least and count to the families that were made since.
func (g *stage) measure() {
	for n := len(g.least); n < len(g.z.vars); n++ {
		lo, hi := g.z.lo[n], g.z.hi[n]
		without, with := g.least[lo], g.least[hi]+1
		count := int64(0)
		if without <= with {
			count = g.count[lo]
		}
		if with <= without {
			if count += g.count[hi]; count < 0 {
				count = math.MaxInt64
			}
		}
		g.least = append(g.least, min(without, with))
		g.count = append(g.count, count)
	}
}

// eachSmallest calls do with the smallest sets of a family, until it returns false.
func (g *stage) eachSmallest(f zref, do func([]Node) bool) bool {
	var set []Node
	var walk func(f zref) bool
	walk = func(f zref) bool {
		if f == zunit {
			return do(slices.Clone(set))
		}
		lo, hi := g.z.lo[f], g.z.hi[f]
		if g.least[hi]+1 == g.least[f] {
			set = append(set, g.l.s.levels[g.z.vars[f]])
			more := walk(hi)
			set = set[:len(set)-1]
			if !more {
				return false
			}
		}
		return g.least[lo] != g.least[f] || walk(lo)
	}
	return walk(f)
}

// tidy drops the families that no node has any longer, once there are many.
func (g *stage) tidy() {
	if len(g.z.vars) <= g.large {
		return
	}
	at := g.z.compact(g.sets)
	for n, f := range g.sets {
		if f > zunit {
			g.sets[n] = at[f]
		}
	}
	g.least, g.count = g.least[:2], g.count[:2]
	g.measure()
	g.large = 2*len(g.z.vars) + 1<<20
}
