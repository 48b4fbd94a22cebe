package engine

import (
	"slices"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// quick is what spares the work of finding again what follows from what is known: which nodes have nothing failed below
// them, so that all is as by design, and the single points of failure of every node, kept up to date change by change.
type quick struct {
	// faults are below a node that has failed, in the best case, or a ups that holds.
	faults taint
	// singles are the single points of failure in the best case; nil until they are first asked for. flipped are the nodes
	// that changed since they were found.
	singles *redundancy.Singles
	flipped []redundancy.Node
	// judged: some group or service was, since the last report.
	judged bool
}

// mostFlipped is how many changes wait to be told to singles; beyond that it's quicker to begin anew.
const mostFlipped = 1 << 16

// setBest says whether a node has failed in the best case.
func (e *Engine) setBest(n redundancy.Node, failed bool) {
	e.load.moved = true
	changed := e.best.SetFailed(n, failed)
	if e.quick.singles == nil {
		return
	}
	e.quick.flipped = append(append(e.quick.flipped, changed...), n)
	if len(e.quick.flipped) > mostFlipped {
		e.quick.singles, e.quick.flipped = nil, nil
	}
}

// spofs are the single points of failure of a node in the best case. The slice must not be changed.
func (e *Engine) spofs(n redundancy.Node) []redundancy.Node {
	q := &e.quick
	switch {
	case q.singles == nil:
		q.singles, q.flipped = redundancy.NewSingles(e.best.Live, e.mayFail(component.NoDomain)), nil
	case len(q.flipped) > 0:
		q.singles.Update(q.flipped)
		q.flipped = q.flipped[:0]
	}
	return q.singles.Of(n)
}

// asDesigned reports whether nothing that a top leans on has failed, so that it has what it has by design.
func (e *Engine) asDesigned(n redundancy.Node) bool { return !e.quick.faults.has(n) }

// weakestNow are the smallest cut sets of a top in the best case, of that order.
func (e *Engine) weakestNow(t *top, order int) (sets [][]component.ID, count int) {
	if order == 1 {
		return e.weakestOfOne(t.node)
	}
	if !e.asDesigned(t.node) {
		return e.weakest(t.node, &e.best, order)
	}
	if t.full.weakest == nil {
		t.full.weakest, t.full.cuts = e.weakest(t.node, &e.best, order)
	}
	return t.full.weakest, t.full.cuts
}

func (e *Engine) weakestOfOne(n redundancy.Node) (sets [][]component.ID, count int) {
	found := e.spofs(n)
	ids := make([]component.ID, len(found))
	for i, m := range found {
		ids[i] = e.graph.ID(m)
	}
	slices.Sort(ids)
	sets = make([][]component.ID, min(len(ids), weakestShown))
	for i := range sets {
		sets[i] = ids[i : i+1 : i+1]
	}
	return sets, len(ids)
}
