package engine

import (
	"cmp"
	"slices"

	"github.com/sparewatch/sparewatch/pkg/capacity"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// OverloadCut is a smallest set of failures that the structure survives, and the load does not: what is left trips.
type OverloadCut struct {
	Fail  []string `json:"fail"`
	Trips []string `json:"trips"` // in the order in which they open
}

// pairsTried bounds how many pairs of failures are followed for one question.
const pairsTried = 50_000

// overloadCuts finds the single failures and pairs by which n goes down because of what trips after them. exact is up to
// which order all are found: 2, or less where there are too many pairs or only order failures are asked for.
//
// Pairs of two components through which load passes are followed one by one. Where only one of the two moves load, the
// other is a single point of failure of what the first one leaves.
func (e *Engine) overloadCuts(n redundancy.Node, order int) (cuts []OverloadCut, exact int) {
	f := e.currentLoad().power
	if f == nil || f.flow == nil || !e.best.Works(n) {
		return nil, 0
	}
	in := e.movers(f, n)
	budget := pairsTried
	var sets []found
	single := map[redundancy.Node]bool{} // takes it down alone
	for _, c := range e.solver.MinCuts(redundancy.Question{Top: n, Failed: e.best.Failed, Order: 1, Budget: e.opt.Budget}).Smallest(1 << 20) {
		if len(c) == 1 {
			single[c[0]] = true
		}
	}
	mover := map[redundancy.Node]bool{}
	for _, p := range in {
		mover[p] = true
	}
	var left []redundancy.Node
	for _, p := range in {
		if single[p] {
			continue
		}
		down := false
		var next [][]redundancy.Node
		o := f.flow.Try([]redundancy.Node{p}, true, func(o *capacity.Outcome) {
			down = !e.best.Works(n)
			if !down && len(o.Trips) > 0 && order != 1 {
				next = e.solver.MinCuts(redundancy.Question{Top: n, Failed: e.best.Failed, Order: 1, Budget: e.opt.Budget}).Smallest(1 << 16)
			}
		})
		if down {
			sets = append(sets, found{[]redundancy.Node{p}, o.Trips})
			single[p] = true
			continue
		}
		left = append(left, p)
		for _, c := range next {
			if len(c) == 1 && !mover[c[0]] {
				sets = append(sets, found{[]redundancy.Node{p, c[0]}, o.Trips})
			}
		}
	}
	sets = slices.DeleteFunc(sets, func(s found) bool { return len(s.fail) == 2 && (single[s.fail[0]] || single[s.fail[1]]) })
	exact = 1
	if order != 1 {
		if len(left)*(len(left)-1)/2 <= budget {
			exact = 2
			sets = append(sets, e.overloadPairs(f, n, left)...)
		}
	}
	sets = slices.DeleteFunc(sets, func(s found) bool { return len(s.fail) == 2 && e.downBy(n, s.fail) })
	for _, s := range sets {
		c := OverloadCut{Fail: []string{}, Trips: []string{}}
		for _, m := range s.fail {
			c.Fail = append(c.Fail, e.name(m))
		}
		for _, round := range s.trips {
			for _, m := range round {
				c.Trips = append(c.Trips, e.name(m))
			}
		}
		slices.Sort(c.Fail)
		cuts = append(cuts, c)
	}
	slices.SortFunc(cuts, func(a, b OverloadCut) int {
		return cmp.Or(cmp.Compare(len(a.Fail), len(b.Fail)), slices.Compare(a.Fail, b.Fail))
	})
	return cuts, exact
}

// found is a set of failures with what trips after it.
type found struct {
	fail  []redundancy.Node
	trips [][]redundancy.Node
}

// movers are the components that work and through which load passes that can come to what n stands on: everything that
// is joined to n's cone by a common load.
func (e *Engine) movers(f *flows, n redundancy.Node) []redundancy.Node {
	of := f.flow.Joined()
	joined := map[int32]bool{}
	e.visit(n, &e.needs, func(m redundancy.Node) {
		if f.net.Element(m).In && of[m] >= 0 {
			joined[of[m]] = true
		}
	})
	var list []redundancy.Node
	for m := range redundancy.Node(e.graph.Len()) {
		if f.net.Element(m).In && of[m] >= 0 && joined[of[m]] && f.flow.Carries(m) && e.best.Works(m) && e.graph.ID(m) != "" {
			list = append(list, m)
		}
	}
	return list
}

// overloadPairs follows every pair.
func (e *Engine) overloadPairs(f *flows, n redundancy.Node, of []redundancy.Node) (sets []found) {
	for i, p := range of {
		for _, q := range of[i+1:] {
			down := false
			o := f.flow.Try([]redundancy.Node{p, q}, true, func(o *capacity.Outcome) { down = len(o.Trips) > 0 && !e.best.Works(n) })
			if down {
				sets = append(sets, found{[]redundancy.Node{p, q}, o.Trips})
			}
		}
	}
	return sets
}

// downBy reports whether these failures take n down by themselves.
func (e *Engine) downBy(n redundancy.Node, fail []redundancy.Node) bool {
	for _, m := range fail {
		e.best.SetFailed(m, true)
	}
	down := !e.best.Works(n)
	for _, m := range slices.Backward(fail) {
		e.best.SetFailed(m, false)
	}
	return down
}
