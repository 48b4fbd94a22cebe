package engine

import (
	"slices"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// outlook is one of the cases in which everything is judged, with the weakest links of what was asked for in it, by
// domain; they are kept up to date change by change.
type outlook struct {
	*redundancy.Live
	weakest map[component.Domain]*redundancy.Weakest
}

func newOutlook(s *redundancy.Structure) outlook {
	return outlook{redundancy.NewLive(s), map[component.Domain]*redundancy.Weakest{}}
}

// SetFailed is the Live's. To try something and take it back at once, without asking for spares, the Live's own is enough.
func (o *outlook) SetFailed(n redundancy.Node, failed bool) (changed []redundancy.Node) {
	changed = o.Live.SetFailed(n, failed)
	for _, w := range o.weakest {
		w.Update(changed)
	}
	return changed
}

// weakestIn are the weakest links in one of the cases, if what may fail is of one domain.
func (e *Engine) weakestIn(o *outlook, d component.Domain) *redundancy.Weakest {
	w := o.weakest[d]
	if w == nil {
		w = redundancy.NewWeakest(o.Live, e.mayFail(d))
		o.weakest[d] = w
	}
	return w
}

// byDesign is the case in which nothing has failed.
func (e *Engine) byDesign() *outlook {
	if e.design == nil {
		o := newOutlook(e.graph.Structure)
		for _, h := range e.graph.Holds() {
			o.SetFailed(h, true)
		}
		e.design = &o
	}
	return e.design
}

// mayFail limits a question to a domain; nil: everything.
func (e *Engine) mayFail(d component.Domain) func(redundancy.Node) bool {
	switch {
	case d != component.NoDomain:
		return func(n redundancy.Node) bool { return e.graph.Domain(n) == d }
	case len(e.graph.Holds()) > 0:
		return func(n redundancy.Node) bool { return !e.hold[n] }
	}
	return nil
}

// spares asks how many more failures of a domain a top survives in one of the cases. Beyond so many they need not be
// exact.
func (e *Engine) spares(top redundancy.Node, in *outlook, d component.Domain, order int) redundancy.Spares {
	if !in.Works(top) {
		return redundancy.Spares{N: -1}
	}
	if s, known := e.weakestIn(in, d).Spares(top); known && (!s.AtLeast || s.N >= order) {
		return s
	}
	if len(in.SPOFs(e.mayFail(d), top)[0]) > 0 { // found in any model, however hard the rest
		return redundancy.Spares{}
	}
	s := e.solver.Spares(redundancy.Question{Top: top, Failed: in.Failed, MayFail: e.mayFail(d), Order: order, Budget: e.opt.Budget})
	if s.AtLeast {
		s.N = max(s.N, 1)
	}
	return s
}

// sparesFull asks the same with nothing failed.
func (e *Engine) sparesFull(top redundancy.Node, d component.Domain, order int) redundancy.Spares {
	if e.asDesigned(top) {
		return e.spares(top, &e.best, d, order)
	}
	return e.spares(top, e.byDesign(), d, order)
}

// weakestShown is how many cut sets a verdict lists.
const weakestShown = 16

// weakest are the smallest cut sets, of that order, in one of the cases; at most 16, each and all sorted, and how many
// there are.
func (e *Engine) weakest(top redundancy.Node, in *outlook, order int) (sets [][]component.ID, count int) {
	smallest, count, known := e.weakestIn(in, component.NoDomain).Smallest(top, weakestShown)
	if !known {
		cuts := e.solver.MinCuts(redundancy.Question{Top: top, Failed: in.Failed, MayFail: e.mayFail(component.NoDomain), Order: order, Budget: e.opt.Budget})
		smallest = cuts.Smallest(weakestShown)
		if by := cuts.ByOrder(); len(by) > order && by[order].IsInt64() {
			count = int(by[order].Int64())
		}
	}
	sets = make([][]component.ID, len(smallest))
	for i, set := range smallest {
		sets[i] = make([]component.ID, len(set))
		for j, n := range set {
			sets[i][j] = e.graph.ID(n)
		}
		slices.Sort(sets[i])
	}
	slices.SortFunc(sets, slices.Compare)
	return sets, max(count, len(sets))
}
