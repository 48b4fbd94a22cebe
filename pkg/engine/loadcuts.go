package engine

import (
	"cmp"
	"context"
	"slices"

	"github.com/sparewatch/sparewatch/pkg/capacity"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// OverloadCut is a smallest set of failures that the structure survives, and the load does not: what is left trips.
type OverloadCut struct {
	Fail  []string `json:"fail"`
	Trips []string `json:"trips"` // in the order in which they open
}

// pairsTried bounds how many pairs of failures are followed for one question.
const pairsTried = 50_000

// overloadQuestion asks by which single failures and pairs one thing goes down because of what trips after them.
type overloadQuestion struct {
	flow   func() *capacity.Flow
	graph  *topology.Graph
	needs  edges
	top    redundancy.Node
	order  int
	budget int
}

// askOverload asks for the failures of at most order (0: any number) that the structure survives and the load does not;
// nil where no load is known or n is down already.
func (e *Engine) askOverload(n redundancy.Node, order int) *overloadQuestion {
	f := e.currentLoad().power
	if f == nil || f.flow == nil || !e.best.Works(n) {
		return nil
	}
	return &overloadQuestion{flow: f.flow.Copy(), graph: e.graph, needs: e.needs, top: n, order: order, budget: e.opt.Budget}
}

// answer finds them. exact is up to which order all are found: 2, or less where there are too many pairs, only order
// failures are asked for, or ctx was done first.
func (q *overloadQuestion) answer(ctx context.Context) (cuts []OverloadCut, exact int) {
	s := overloadSearch{overloadQuestion: q, ctx: ctx, flow: q.flow(), single: map[redundancy.Node]bool{}}
	s.best, s.solver = s.flow.Live(), redundancy.NewSolver(q.graph.Structure)
	for _, m := range s.spofs() {
		s.single[m] = true
	}
	left, ok := s.singles()
	if !ok {
		return nil, 0
	}
	s.sets = slices.DeleteFunc(s.sets, func(f found) bool { return len(f.fail) == 2 && (s.single[f.fail[0]] || s.single[f.fail[1]]) })
	exact = 1
	if q.order != 1 && len(left)*(len(left)-1)/2 <= pairsTried && s.pairs(left) {
		exact = 2
	}
	s.sets = slices.DeleteFunc(s.sets, func(f found) bool { return len(f.fail) == 2 && s.downBy(f.fail) })
	return s.words(), exact
}

// overloadSearch is an answer in the making.
type overloadSearch struct {
	*overloadQuestion
	ctx    context.Context
	flow   *capacity.Flow
	best   *redundancy.Live // that the flow stands on
	solver *redundancy.Solver
	single map[redundancy.Node]bool // takes it down alone
	sets   []found
}

// found is a set of failures with what trips after it.
type found struct {
	fail  []redundancy.Node
	trips [][]redundancy.Node
}

// spofs are the single points of failure as things stand in the trial.
func (s *overloadSearch) spofs() []redundancy.Node {
	var list []redundancy.Node
	for _, c := range s.solver.MinCuts(redundancy.Question{Top: s.top, Failed: s.best.Failed, Order: 1, Budget: s.budget}).Smallest(1 << 20) {
		if len(c) == 1 {
			list = append(list, c[0])
		}
	}
	return list
}

// singles follows every single failure that moves load. Pairs of which only one moves load need no more: the other one is
// a single point of failure of what the first leaves. left are those that it survives; not ok where ctx was done first.
func (s *overloadSearch) singles() (left []redundancy.Node, ok bool) {
	movers := s.movers()
	mover := map[redundancy.Node]bool{}
	for _, p := range movers {
		mover[p] = true
	}
	for _, p := range movers {
		if s.ctx.Err() != nil {
			return nil, false
		}
		if s.single[p] {
			continue
		}
		down := false
		var next []redundancy.Node
		o := s.flow.Try([]redundancy.Node{p}, true, func(o *capacity.Outcome) {
			down = !s.best.Works(s.top)
			if !down && len(o.Trips) > 0 && s.order != 1 {
				next = s.spofs()
			}
		})
		if down {
			s.sets = append(s.sets, found{[]redundancy.Node{p}, o.Trips})
			s.single[p] = true
			continue
		}
		left = append(left, p)
		for _, m := range next {
			if !mover[m] {
				s.sets = append(s.sets, found{[]redundancy.Node{p, m}, o.Trips})
			}
		}
	}
	return left, true
}

// movers are the components that work and through which load passes that can come to what the top stands on: everything
// that is joined to its cone by a common load.
func (s *overloadSearch) movers() []redundancy.Node {
	net, of := s.flow.Network(), s.flow.Joined()
	joined := map[int32]bool{}
	seen := make([]bool, s.graph.Len())
	seen[s.top] = true
	for stack := []redundancy.Node{s.top}; len(stack) > 0; {
		m := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if net.Element(m).In && of[m] >= 0 {
			joined[of[m]] = true
		}
		for _, next := range s.needs.of(m) {
			if !seen[next] {
				seen[next] = true
				stack = append(stack, next)
			}
		}
	}
	var list []redundancy.Node
	for m := range redundancy.Node(s.graph.Len()) {
		if net.Element(m).In && of[m] >= 0 && joined[of[m]] && s.flow.Carries(m) && s.best.Works(m) && s.graph.ID(m) != "" {
			list = append(list, m)
		}
	}
	return list
}

// pairs follows every pair; not ok where ctx was done first.
func (s *overloadSearch) pairs(of []redundancy.Node) (ok bool) {
	for i, p := range of {
		if s.ctx.Err() != nil {
			return false
		}
		for _, q := range of[i+1:] {
			down := false
			o := s.flow.Try([]redundancy.Node{p, q}, true, func(o *capacity.Outcome) { down = len(o.Trips) > 0 && !s.best.Works(s.top) })
			if down {
				s.sets = append(s.sets, found{[]redundancy.Node{p, q}, o.Trips})
			}
		}
	}
	return true
}

// downBy reports whether these failures take the top down by themselves.
func (s *overloadSearch) downBy(fail []redundancy.Node) bool {
	for _, m := range fail {
		s.best.SetFailed(m, true)
	}
	down := !s.best.Works(s.top)
	for _, m := range slices.Backward(fail) {
		s.best.SetFailed(m, false)
	}
	return down
}

// words names what was found, singles first.
func (s *overloadSearch) words() (cuts []OverloadCut) {
	name := nodeName(s.graph)
	for _, f := range s.sets {
		c := OverloadCut{Fail: []string{}, Trips: []string{}}
		for _, m := range f.fail {
			c.Fail = append(c.Fail, name(m))
		}
		for _, round := range f.trips {
			for _, m := range round {
				c.Trips = append(c.Trips, name(m))
			}
		}
		slices.Sort(c.Fail)
		cuts = append(cuts, c)
	}
	slices.SortFunc(cuts, func(a, b OverloadCut) int {
		return cmp.Or(cmp.Compare(len(a.Fail), len(b.Fail)), slices.Compare(a.Fail, b.Fail))
	})
	return cuts
}
