package redundancy

// Question asks by which failures Top goes down, given what has failed.
type Question struct {
	Top Node
	// Failed says what has failed already; nil: nothing. A gate may be failed too.
	Failed func(Node) bool
	// MayFail says which components may fail further, those of one domain for instance; nil: every component. Gates
	// never do.
	MayFail func(Node) bool
	// Order is the most failures at once that are of interest; 0: any number.
	Order int
	// Budget limits the work: about how many decision diagram nodes may be made, at some 50 bytes each; 0:
	// DefaultBudget.
	Budget int
}

// DefaultBudget is the budget of a Question that names none: 4 million nodes, some 200 MB and a few seconds at most.
const DefaultBudget = 4 << 20

func (q Question) failed(n Node) bool { return q.Failed != nil && q.Failed(n) }

func (q Question) mayFail(n Node) bool { return q.MayFail == nil || q.MayFail(n) }

func (q Question) budget() int {
	if q.Budget > 0 {
		return q.Budget
	}
	return DefaultBudget
}

func (q Question) order() int {
	if q.Order > 0 {
		return q.Order
	}
	return AnyOrder
}

// Spares says how many more failures something survives, whichever they are: the size of its smallest minimal cut set
// less one.
type Spares struct {
	// N is the number of spares; -1: down already. Meaningless with None.
	N int
	// AtLeast: the question's order or budget ended the search. There are at least N spares, and perhaps more.
	AtLeast bool
	// None: nothing that may fail can take it down, not even all at once.
	None bool
}

// Down says whether it is down already.
func (s Spares) Down() bool { return !s.None && s.N < 0 }

// Known says whether N is exactly the number of spares.
func (s Spares) Known() bool { return !s.None && !s.AtLeast }
