package redundancy

import "slices"

// cone is the failure function of one node, with what is constant taken out: a formula over the components that may
// fail. Formulas are numbered, operands before what uses them.
type cone struct {
	nodes []formula
	vars  []Node // by variable, in the order in which a walk from the top meets them
	top   fref
}

// fref is a formula of a cone: never, always, or nodes[fref-2].
type fref int32

const (
	never  fref = 0
	always fref = 1
)

// formula is a variable (of is empty), or it is true when at least k of others are.
type formula struct {
	variable int32
	k        int32
	of       []fref
}

// cone walks from q.Top down to what may fail. Failed nodes are not entered.
func (v *Solver) cone(q Question) *cone {
	s := v.s
	c := &cone{}
	if v.walk++; v.walk == 0 {
		clear(v.seen)
		v.walk = 1
	}
	type frame struct {
		n    Node
		edge int32
		own  fref
	}
	var stack []frame
	enter := func(n Node) {
		if v.seen[n] == v.walk {
			return
		}
		v.seen[n] = v.walk
		if q.failed(n) {
			v.local[n] = int32(always)
			return
		}
		own := never
		if !s.gate[n] && q.mayFail(n) {
			own = c.add(formula{variable: int32(len(c.vars))})
			c.vars = append(c.vars, n)
		}
		stack = append(stack, frame{n, s.of[s.reqs[n]], own})
	}
	enter(q.Top)
	for len(stack) > 0 {
		f := &stack[len(stack)-1]
		if f.edge < s.of[s.reqs[f.n+1]] {
			f.edge++
			enter(s.members[f.edge-1])
			continue
		}
		v.local[f.n] = int32(v.failure(c, f.n, f.own))
		stack = stack[:len(stack)-1]
	}
	c.top = fref(v.local[q.Top])
	c.merge()
	return c
}

// failure is the formula for n not working, its members' being known.
func (v *Solver) failure(c *cone, n Node, own fref) fref {
	s := v.s
	var any []fref
	if own != never {
		any = append(any, own)
	}
	for r := s.reqs[n]; r < s.reqs[n+1]; r++ {
		members := s.membersOf(r)
		k := int32(len(members)) - s.need[r] + 1 // failures that break it
		var of []fref
		for _, m := range members {
			switch f := fref(v.local[m]); f {
			case always:
				k--
			case never:
			default:
				of = append(of, f)
			}
		}
		switch {
		case k <= 0:
			return always
		case k == 1:
			any = append(any, of...)
		default:
			if f := c.atLeast(k, of); f != never {
				any = append(any, f)
			}
		}
	}
	return c.atLeast(1, any)
}

func (c *cone) add(f formula) fref {
	c.nodes = append(c.nodes, f)
	return fref(len(c.nodes) + 1)
}

// atLeast is true when at least k >= 1 of the given formulas are; it keeps the slice.
func (c *cone) atLeast(k int32, of []fref) fref {
	switch {
	case int(k) > len(of):
		return never
	case len(of) == 1:
		return of[0]
	}
	return c.add(formula{k: k, of: of})
}

// merge makes one formula of nested ones of a kind (or in or, and in and) where the inner one is used nowhere else, so
// that a chain of 100,000 nodes becomes one sum.
func (c *cone) merge() {
	uses := make([]int32, len(c.nodes))
	for _, f := range c.nodes {
		for _, operand := range f.of {
			uses[operand-2]++
		}
	}
	into := make([]int32, len(c.nodes)) // itself, or the formula that it becomes part of
	for i := range into {
		into[i] = int32(i)
	}
	kind := func(f formula) int {
		switch {
		case len(f.of) == 0:
			return 0
		case f.k == 1:
			return 1
		case int(f.k) == len(f.of):
			return 2
		}
		return 3
	}
	merged := make([][]fref, len(c.nodes))
	for i := len(c.nodes) - 1; i >= 0; i-- {
		f := c.nodes[i]
		for _, operand := range f.of {
			o := operand - 2
			if k := kind(f); (k == 1 || k == 2) && uses[o] == 1 && kind(c.nodes[o]) == k {
				into[o] = into[i]
			} else {
				merged[into[i]] = append(merged[into[i]], operand)
			}
		}
	}
	for i := range c.nodes {
		f := &c.nodes[i]
		if kind(*f) == 2 {
			f.k = int32(len(merged[i]))
		}
		f.of = merged[i]
	}
}

// minCuts are the minimal cut sets of up to the given order, unless the budget is used up.
func (c *cone) minCuts(order, budget int) (cuts *Cuts, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, budget := p.(errBudget); !budget {
				panic(p)
			}
			cuts, ok = nil, false
		}
	}()
	z := newZBDD(budget)
	families := make([]zref, len(c.nodes)+2)
	families[always] = zunit
	for i, f := range c.nodes {
		if f.k == 0 || len(f.of) > 0 { // else it became part of another
			families[i+2] = z.formula(f, families, int32(order))
		}
	}
	cuts = &Cuts{Exact: true, ExactUpTo: order, sets: z, root: families[c.top], names: c.vars}
	if order >= len(c.vars) {
		cuts.ExactUpTo = AnyOrder
	}
	return cuts, true
}

// formula is the minimal sets of variables, of at most order, that make f true.
func (z *zbdd) formula(f formula, families []zref, order int32) zref {
	if len(f.of) == 0 {
		return z.single(f.variable)
	}
	of := make([]zref, len(f.of))
	for i, operand := range f.of {
		of[i] = families[operand]
	}
	// From the last variables to the first: adding in front is cheap.
	slices.SortStableFunc(of, func(a, b zref) int { return int(z.vars[b]) - int(z.vars[a]) })
	reach := make([]zref, f.k+1) // reach[j]: at least j of the operands looked at so far
	reach[0] = zunit
	for i, operand := range of {
		left := int32(len(of) - 1 - i)
		// No more than i+1 are true so far; what cannot become k any more is not needed.
		for j := min(f.k, int32(i)+1); j >= max(1, f.k-left); j-- {
			reach[j] = z.or(reach[j], z.and(reach[j-1], operand, order))
		}
	}
	return reach[f.k]
}
