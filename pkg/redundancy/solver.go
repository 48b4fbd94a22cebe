package redundancy

// Solver answers questions about a Structure. What it touches is the cone below the question's Top, and nothing else.
// It keeps the Functions that it has compiled, so that the next question about the same Top is quick; it belongs to one
// goroutine.
type Solver struct {
	s *Structure
	// fails[n] is n's failure in the cone at hand, if seen[n] == walk.
	fails []Ref
	seen  []uint32
	walk  uint32

	functions map[Node]*Function // nil: too hard to keep
}

// NewSolver returns a Solver for s.
func NewSolver(s *Structure) *Solver {
	return &Solver{
		s:         s,
		fails:     make([]Ref, s.Len()),
		seen:      make([]uint32, s.Len()),
		functions: map[Node]*Function{},
	}
}

// MinCuts finds the minimal cut sets of q.Top among what may fail, given what has failed.
func (v *Solver) MinCuts(q Question) *Cuts {
	c := v.cone(q)
	cuts := c.tree.MinCuts(c.top, q.Order, q.Budget)
	cuts.names = c.events
	return cuts
}

// quickBudget is the budget within which it is worth while to compile a Function for many answers; what takes more is
// answered nearly as quickly by looking for small cut sets.
func quickBudget(components int) int { return max(1<<14, 16*components) }

// Spares says how many more failures q.Top survives, given what has failed. The answer may be exact beyond q.Order.
func (v *Solver) Spares(q Question) Spares {
	f, known := v.functions[q.Top]
	if !known {
		c := v.cone(Question{Top: q.Top})
		f, _ = c.function(quickBudget(len(c.events))) // ErrBudget: nil
		v.functions[q.Top] = f
	}
	if f != nil && !f.anyGate(q.Failed) {
		return f.Spares(q.Failed, q.MayFail)
	}
	return v.search(q)
}

// search finds the spares without a Function, with what has failed taken out: small cut sets first, then by compiling,
// then larger cut sets.
func (v *Solver) search(q Question) Spares {
	c := v.cone(q)
	s := c.tree.shape(c.top, nil)
	switch {
	case s.constant == True:
		return Spares{N: -1}
	case len(s.units) == 0:
		return Spares{None: true}
	}
	const small = 4
	least, upTo := s.smallest(1, min(small, q.order()), quickBudget(len(c.events)))
	if least < none {
		return Spares{N: least - 1}
	}
	if upTo < q.order() {
		if compiled, err := s.compileAll(q.budget()); err == nil {
			return spares(compiled.Distance(nil, nil))
		}
		least, upTo = s.smallest(upTo+1, q.order(), q.budget())
	}
	if least < none {
		return Spares{N: least - 1}
	}
	return Spares{N: upTo, AtLeast: true}
}

// smallest looks for the size of the smallest cut set, order by order, from one to another or until the budget is used
// up. If there is none it is none, and upTo is the order up to which there is none.
func (s *shape) smallest(from, to, budget int) (least, upTo int) {
	for order := from; order <= min(to, s.tree.events); order++ {
		fs, ok := s.families(order, budget)
		if !ok {
			return none, order - 1
		}
		if fs.least <= order {
			return fs.least, order
		}
	}
	return none, to
}

// spares are one less than the distance to going down.
func spares(distance int) Spares {
	if distance < 0 {
		return Spares{None: true}
	}
	return Spares{N: distance - 1}
}

// Function is the failure of one node of a Structure, compiled with nothing taken out: its spares and probability are
// found without compiling again, whatever has failed. It never changes and may be shared between goroutines.
type Function struct {
	compiled   *Compiled
	components []Node // by number of the event
	gates      []Node
}

// Function compiles the failure of top. The budget is as in Question; the error is ErrBudget.
func (v *Solver) Function(top Node, budget int) (*Function, error) {
	return v.cone(Question{Top: top}).function(budget)
}

func (c *cone) function(budget int) (*Function, error) {
	compiled, err := c.tree.Compile(c.top, budget)
	if err != nil {
		return nil, err
	}
	return &Function{compiled, c.events, c.gates}, nil
}

// Components are those on which the node stands, itself among them if it is one.
func (f *Function) Components() []Node { return f.components }

// Size is the number of decision diagram nodes: what an answer costs, at some nanoseconds each.
func (f *Function) Size() int { return f.compiled.Size() }

func (f *Function) anyGate(failed func(Node) bool) bool {
	if failed != nil {
		for _, g := range f.gates {
			if failed(g) {
				return true
			}
		}
	}
	return false
}

// Spares are the node's, given which components have failed (nil: none) and which may (nil: all). Failed gates are not
// seen; Solver.Spares sees them.
func (f *Function) Spares(failed, mayFail func(Node) bool) Spares {
	return spares(f.compiled.Distance(f.byEvent(failed), f.byEvent(mayFail)))
}

func (f *Function) byEvent(is func(Node) bool) func(int) bool {
	if is == nil {
		return nil
	}
	return func(event int) bool { return is(f.components[event]) }
}

// Probability of the node's being down, exactly, when components are down independently, each with probability p. It is
// 1 - availability if p is the components' unavailability. NaN as Compiled.Probability.
func (f *Function) Probability(p func(Node) float64) float64 {
	return f.compiled.Probability(func(event int) float64 { return p(f.components[event]) })
}

// ImportancesByNumber is Importances with the components' probabilities by their places in Components.
func (f *Function) ImportancesByNumber(p func(int) float64) (probability float64, importance []Importance) {
	return f.compiled.Importances(p)
}

// Importances are the probability of the node's being down and the importance of each of Components, in their order.
func (f *Function) Importances(p func(Node) float64) (probability float64, importance []Importance) {
	return f.compiled.Importances(func(event int) float64 { return p(f.components[event]) })
}
