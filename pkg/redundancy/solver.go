package redundancy

// Solver answers questions about a Structure. What it touches is the cone below the question's Top, and nothing else.
// It keeps its working memory between questions; it belongs to one goroutine.
type Solver struct {
	s *Structure
	// fails[n] is n's failure in the cone at hand, if seen[n] == walk.
	fails []Ref
	seen  []uint32
	walk  uint32
}

// NewSolver returns a Solver for s.
func NewSolver(s *Structure) *Solver {
	return &Solver{s: s, fails: make([]Ref, s.Len()), seen: make([]uint32, s.Len())}
}

// MinCuts finds the minimal cut sets of q.Top among what may fail, given what has failed.
func (v *Solver) MinCuts(q Question) *Cuts {
	c := v.cone(q)
	cuts := c.tree.MinCuts(c.top, q.Order, q.Budget)
	cuts.names = c.events
	return cuts
}

// Spares says how many more failures q.Top survives, given what has failed.
func (v *Solver) Spares(q Question) Spares {
	c := v.cone(q)
	switch c.top {
	case True:
		return Spares{N: -1}
	case False:
		return Spares{None: true}
	}
	s := c.tree.shape(c.top)
	switch s.constant {
	case True:
		return Spares{N: -1}
	case False:
		if s.units == nil {
			return Spares{None: true}
		}
	}
	order := 1
	for ; order <= q.order(); order++ {
		fs, ok := s.families(order, q.budget())
		if !ok {
			break
		}
		if fs.units[len(fs.units)-1].root != zempty {
			if least := fs.sizes()[len(fs.units)-1][fs.units[len(fs.units)-1].root].least; least <= order {
				return Spares{N: least - 1}
			}
		}
	}
	return Spares{N: order - 1, AtLeast: true}
}
