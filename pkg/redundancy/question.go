package redundancy

import (
	"iter"
	"math"
	"math/big"
)

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

// AnyOrder is the ExactUpTo of an answer that holds the minimal cut sets of every order.
const AnyOrder = math.MaxInt32

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

// Cuts are the minimal cut sets of a Question's Top: the smallest sets of failures that take it down. If it is down
// already, the only one is the empty set. There may be very many; they are kept as a decision diagram.
type Cuts struct {
	// Exact: everything that was asked for is there. Otherwise the budget ended the work at ExactUpTo.
	Exact bool
	// ExactUpTo: every minimal cut set of this order or less is there, and no others; AnyOrder: all of them.
	ExactUpTo int

	sets  *zbdd
	root  zref
	names []Node // by variable
}

// Down says whether Top is down already.
func (c *Cuts) Down() bool { return c.root == zunit }

// Count is the number of minimal cut sets.
func (c *Cuts) Count() *big.Int {
	all := new(big.Int)
	for _, n := range c.ByOrder() {
		all.Add(all, n)
	}
	return all
}

// ByOrder is the number of minimal cut sets of order 0, 1, 2 ... up to the largest there is. Order 0 is 1 only when Top
// is down already.
func (c *Cuts) ByOrder() []*big.Int { return c.sets.countByOrder(c.root) }

// All are the minimal cut sets, those of lower order first, each sorted by node. The slice is the caller's.
func (c *Cuts) All() iter.Seq[[]Node] {
	return func(yield func([]Node) bool) { c.sets.eachByOrder(c.root, c.names, yield) }
}

// Smallest are at most limit minimal cut sets of the smallest order there is.
func (c *Cuts) Smallest(limit int) [][]Node {
	var sets [][]Node
	for set := range c.All() {
		if len(sets) == limit || len(sets) > 0 && len(set) > len(sets[0]) {
			break
		}
		sets = append(sets, set)
	}
	return sets
}
