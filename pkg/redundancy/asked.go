package redundancy

import "context"

// Asked is a Question laid out: a tree of its own, that shares nothing with the Structure or with what has failed there.
// It never changes, so that any goroutine may answer it, however long that takes, while things go on elsewhere.
type Asked struct {
	cone          *cone
	order, budget int
}

// Ask lays a question out. The work is that of walking once over what q.Top stands on.
func (v *Solver) Ask(q Question) *Asked { return &Asked{v.cone(q), q.Order, q.Budget} }

// Components are those that may fail further, on which the question's Top stands.
func (a *Asked) Components() []Node { return a.cone.events }

// Gates are the others on which it stands.
func (a *Asked) Gates() []Node { return a.cone.gates }

// MinCuts finds the minimal cut sets, as far as it comes before ctx is done.
func (a *Asked) MinCuts(ctx context.Context) *Cuts {
	cuts := a.cone.tree.MinCutsContext(ctx, a.cone.top, a.order, a.budget)
	cuts.names = a.cone.events
	return cuts
}

// Function compiles the failure of the question's Top, given what has failed. The error is ErrBudget, or ctx's.
func (a *Asked) Function(ctx context.Context) (*Function, error) {
	compiled, err := a.cone.tree.CompileContext(ctx, a.cone.top, a.budget)
	if err != nil {
		return nil, err
	}
	return &Function{compiled, a.cone.events, a.cone.gates}, nil
}
