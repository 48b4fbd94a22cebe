package redundancy

// Solver answers questions about a Structure. What it touches is the cone below the question's Top, and nothing else.
// It keeps its working memory between questions; it belongs to one goroutine.
type Solver struct {
	s *Structure
	// local[n] is n's place in the cone at hand, if seen[n] == walk.
	local []int32
	seen  []uint32
	walk  uint32
}

// NewSolver returns a Solver for s.
func NewSolver(s *Structure) *Solver {
	return &Solver{s: s, local: make([]int32, s.Len()), seen: make([]uint32, s.Len())}
}

// MinCuts finds the minimal cut sets of q.Top among what may fail, given what has failed.
func (v *Solver) MinCuts(q Question) *Cuts {
	c := v.cone(q)
	if c.top <= always {
		return constantCuts(c.top)
	}
	if cuts, ok := c.minCuts(q.order(), q.budget()); ok {
		return cuts
	}
	best := &Cuts{sets: newZBDD(2), root: zempty} // exact up to order 0: Top is up
	for order := 1; order < q.order(); order++ {
		cuts, ok := c.minCuts(order, q.budget())
		if !ok {
			break
		}
		best = cuts
		best.Exact = false
	}
	return best
}

func constantCuts(top fref) *Cuts {
	c := &Cuts{Exact: true, ExactUpTo: AnyOrder, sets: newZBDD(2), root: zempty}
	if top == always {
		c.root = zunit
	}
	return c
}

// Spares says how many more failures q.Top survives, given what has failed.
func (v *Solver) Spares(q Question) Spares {
	c := v.cone(q)
	switch c.top {
	case always:
		return Spares{N: -1}
	case never:
		return Spares{None: true}
	}
	order := 1
	for ; order <= q.order(); order++ {
		cuts, ok := c.minCuts(order, q.budget())
		if !ok {
			break
		}
		if cuts.root != zempty {
			return Spares{N: order - 1}
		}
	}
	return Spares{N: order - 1, AtLeast: true}
}
