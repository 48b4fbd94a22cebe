package redundancy

import (
	"context"
	"iter"
	"math"
	"math/big"
	"slices"
)

// AnyOrder is the ExactUpTo of an answer that holds the minimal cut sets of every order.
const AnyOrder = math.MaxInt32

// Cuts are minimal cut sets: the smallest sets of failures that take something down. If it is down already, the only one
// is the empty set. There may be very many; they are kept as decision diagrams.
type Cuts struct {
	// Exact: everything that was asked for is there. Otherwise the budget ended the work at ExactUpTo.
	Exact bool
	// ExactUpTo: every minimal cut set of this order or less is there, and no others; AnyOrder: all of them.
	ExactUpTo int
	// Stopped: it was not the budget that ended the work; nobody waited any more.
	Stopped bool

	sets  families
	names []Node // by number of the basic event
}

// MinCuts finds the minimal cut sets of top, of at most order elements (0: any number), as numbers of basic events. For
// a tree that is not coherent they are those of its coherent hull: the minimal sets of events that suffice for top while
// no other event happens. The budget is as in Question.
func (t *Tree) MinCuts(top Ref, order, budget int) *Cuts { return t.minCuts(nil, top, order, budget) }

// MinCutsContext is MinCuts as far as it comes before ctx is done.
func (t *Tree) MinCutsContext(ctx context.Context, top Ref, order, budget int) *Cuts {
	return t.minCuts(ctx.Done(), top, order, budget)
}

// early is the budget within which everything is tried first where the work may be ended at any moment.
const early = 1 << 18

func (t *Tree) minCuts(done <-chan struct{}, top Ref, order, budget int) *Cuts {
	if order <= 0 {
		order = AnyOrder
	}
	if budget <= 0 {
		budget = DefaultBudget
	}
	s := t.shape(top, done)
	if s.units == nil || s.constant == True {
		return constantCuts(s.constant)
	}
	cuts := &Cuts{ExactUpTo: 0, sets: families{units: []family{{}}, least: none}} // top is not true by itself
	next := budget
	if done != nil {
		next = min(early, budget)
	}
	for {
		before := s.work
		if cuts.tryAll(s, order, next) {
			return cuts
		}
		// What an attempt at every order took, the attempts at single orders may take together.
		cuts.climb(s, order, next, s.work+(s.work-before))
		if cuts.Stopped = closed(done); next == budget || cuts.Stopped {
			return cuts
		}
		next = min(4*next, budget)
	}
}

// tryAll finds everything, unless a module takes more than budget.
func (c *Cuts) tryAll(s *shape, order, budget int) bool {
	fs, ok := s.families(order, budget)
	if ok {
		c.sets, c.ExactUpTo, c.Exact = fs, order, true
	}
	return ok
}

// climb finds what there is of each order below the one that was asked for, until a module takes more than budget or all
// the work on the shape more than limit.
func (c *Cuts) climb(s *shape, order, budget, limit int) {
	for k := c.ExactUpTo + 1; k <= min(order-1, s.tree.events) && s.work <= limit; k++ {
		fs, ok := s.families(k, budget)
		if !ok {
			return
		}
		c.sets, c.ExactUpTo = fs, k
	}
}

func constantCuts(top Ref) *Cuts {
	sets := families{units: []family{{root: zempty}}, least: none, order: AnyOrder}
	if top == True {
		sets.units[0].root, sets.least = zunit, 0
	}
	return &Cuts{Exact: true, ExactUpTo: AnyOrder, sets: sets}
}

// families finds the minimal sets of at most order of all units, unless one takes more than budget.
func (s *shape) families(order, budget int) (families, bool) {
	fs := families{order: order}
	var bySet [][]sizes
	least := make([]int32, len(s.units)) // elements in the smallest set of a unit
	kept := 0
	for i := range s.units {
		s.work += len(s.units[i].vars)/64 + 1 // of looking at it, if there is nothing to be built
		if i%1024 == 0 && closed(s.done) {
			return families{}, false
		}
		f, ok := s.family(i, int32(order), least, budget)
		if kept += len(f.nodes); !ok || kept > max(budget, DefaultBudget) {
			return families{}, false
		}
		fs.units = append(fs.units, f)
		bySet = append(bySet, fs.sizesOf(i, bySet))
		size := bySet[i][f.root]
		least[i] = int32(size.least)
		fs.least, fs.most = size.least, size.most
	}
	return fs, true
}

// family finds one unit's. Where the order is low that is done without a binary decision diagram, where it is high only
// if there is none to be had.
func (s *shape) family(i int, order int32, least []int32, budget int) (family, bool) {
	const low = 8
	u := &s.units[i]
	weigh := func(vars []variable) []int32 {
		weight := make([]int32, len(vars))
		for level, v := range vars {
			weight[level] = 1
			if below, is := v.unit(); is {
				weight[level] = least[below]
			}
		}
		return weight
	}
	direct := func() (f family, ok bool) {
		for _, o := range orderings[:2] {
			z := newZBDD(budget, 8*len(u.vars), s.done)
			ord := o.of(u)
			vars := s.variables(u, ord)
			f, ok = u.family(z, ord, vars, weigh(vars), order)
			if s.work += z.work(); ok {
				break
			}
		}
		return f, ok
	}
	if order < low {
		if f, ok := direct(); ok {
			return f, true
		}
	}
	c, err := s.compile(i, budget)
	switch {
	case err != nil && (order < low || order == AnyOrder):
		return family{}, false
	case err != nil:
		return direct()
	case c.threshold > 0: // too many sets, if there are any
		return family{}, cheapest(weigh(c.vars), int(c.threshold)) > int(order)
	}
	z := newZBDD(budget, 4*len(c.nodes), s.done)
	if order < AnyOrder {
		z.weight = weigh(c.vars)
	}
	f, ok := c.minimalSets(z, order)
	s.work += z.work()
	return f, ok
}

// family builds the minimal sets from the variables up, without a binary decision diagram: quick where order is low.
func (u *unit) family(z *zbdd, ord []int32, vars []variable, weight []int32, order int32) (f family, ok bool) {
	defer recoverBudget(&ok)
	needed, coherent := u.polarities()
	if !coherent {
		return family{}, false
	}
	if k, ok := u.threshold(); ok && cheapest(weight, int(k)) > int(order) {
		return family{}, true
	}
	z.weight = weight
	at := make([][2]zref, len(u.vars)+len(u.gates)) // plain and negated
	for level, v := range ord {
		at[v][0] = z.trunc(z.single(int32(level)), order)
	}
	operand := func(r Ref) zref { return at[r.node()][r&1] }
	for g, f := range u.gates {
		n := len(u.vars) + g
		for sign := range 2 {
			if needed[n][sign] {
				at[n][sign] = z.formula(f, sign == 1, operand, order)
			}
		}
	}
	root := at[len(at)-1][0]
	if u.negated {
		root = at[len(at)-1][1]
	}
	return z.keepFamily(root, vars), true
}

// polarities says, by number, whether a variable or gate is needed plain and negated; the unit is coherent if no
// variable is needed negated and there is no exclusive or.
func (u *unit) polarities() (needed [][2]bool, coherent bool) {
	needed = make([][2]bool, len(u.vars)+len(u.gates))
	sign := 0
	if u.negated {
		sign = 1
	}
	needed[len(needed)-1][sign] = true
	for g := len(u.gates) - 1; g >= 0; g-- {
		f := u.gates[g]
		if f.kind == xor {
			return nil, false
		}
		for _, r := range f.of {
			for sign := range 2 {
				if needed[len(u.vars)+g][sign] {
					needed[r.node()][sign^int(r&1)] = true
				}
			}
		}
	}
	for v := range u.vars {
		if needed[v][1] {
			return nil, false
		}
	}
	return needed, true
}

// Down says whether it is down already.
func (c *Cuts) Down() bool { return c.sets.units[len(c.sets.units)-1].root == zunit }

// Count is the number of minimal cut sets.
func (c *Cuts) Count() *big.Int {
	if c.sets.most <= c.sets.order {
		return c.sets.count()
	}
	all := new(big.Int)
	for _, n := range c.ByOrder() {
		all.Add(all, n)
	}
	return all
}

// ByOrder is the number of minimal cut sets of order 0, 1, 2 ... up to the largest there is. Order 0 is 1 only when it
// is down already. The work grows with the size of the diagrams times the largest order.
func (c *Cuts) ByOrder() []*big.Int {
	by, _ := c.sets.countByOrder(c.sets.order, math.MaxInt)
	return by
}

// ByOrderWithin is ByOrder with about so many additions. Where that isn't enough the numbers are those of the orders up to
// upTo only; otherwise upTo is AnyOrder, or the order up to which cut sets were asked for.
func (c *Cuts) ByOrderWithin(additions int) (by []*big.Int, upTo int) {
	if by, ok := c.sets.countByOrder(c.sets.order, additions); ok {
		return by, c.sets.order
	}
	nodes := 0
	for i := range c.sets.units {
		nodes += len(c.sets.units[i].nodes)
	}
	for upTo := min(additions/(2*nodes+1), c.sets.most-1); upTo > 0; upTo /= 2 {
		if by, ok := c.sets.countByOrder(upTo, additions); ok {
			return by, upTo
		}
	}
	return nil, 0
}

// sortedUpTo is how many cut sets of one order are put in order before they are given out.
const sortedUpTo = 4096

// All are the minimal cut sets, those of lower order first, each sorted by node. Those of one order are sorted too, unless
// there are more than some thousands. The slice is the caller's.
func (c *Cuts) All() iter.Seq[[]Node] {
	return func(yield func([]Node) bool) {
		var waiting [][]Node // of one order
		flush := func() bool {
			slices.SortFunc(waiting, slices.Compare)
			for _, set := range waiting {
				if !yield(set) {
					return false
				}
			}
			waiting = waiting[:0]
			return true
		}
		stopped := false
		c.sets.each(func(events []int) bool {
			set := make([]Node, len(events))
			for i, e := range events {
				set[i] = Node(e)
				if c.names != nil {
					set[i] = c.names[e]
				}
			}
			slices.Sort(set)
			if len(waiting) > 0 && (len(waiting) == sortedUpTo || len(waiting[0]) != len(set)) {
				stopped = !flush()
			}
			waiting = append(waiting, set)
			return !stopped
		})
		if !stopped {
			flush()
		}
	}
}

// Smallest are at most limit minimal cut sets of the smallest order there is: the first ones of All.
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
