package redundancy

import (
	"context"
	"errors"
	"slices"
)

// ErrBudget is returned where the work would need more decision diagram nodes than allowed.
var ErrBudget = errors.New("model too hard for the budget")

// Compiled is a formula of a Tree as decision diagrams, one for each of its modules: exact, and quick to ask for any
// probabilities and any set of failures. It never changes.
type Compiled struct {
	units  []compiled // those that others stand on first; the last is the top
	events int
	// top is the constant that the formula is, if there are no units; otherwise True where it is the negation of the last
	// unit.
	top Ref
}

// compiled is one unit's diagram, without what is not reachable.
type compiled struct {
	vars  []variable // by level
	nodes []bnode    // nodes[0] is the terminal; others come after their children
	root  bref
	// threshold: the function is that at least so many variables hold, which would take too many nodes; 0: it is nodes'
	threshold int32
	// monotone: the unit is written without negations
	monotone bool
	ordering string // that won
}

// Compile finds, for each module of top, a variable order with which the decision diagram is small, and builds it. The
// budget is the most nodes that may be made for one module with one order; 0: DefaultBudget. The error is ErrBudget.
func (t *Tree) Compile(top Ref, budget int) (*Compiled, error) {
	return t.shape(top, nil).compileAll(budget)
}

// CompileContext is Compile until ctx is done; then the error is ctx's.
func (t *Tree) CompileContext(ctx context.Context, top Ref, budget int) (*Compiled, error) {
	c, err := t.shape(top, ctx.Done()).compileAll(budget)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return c, err
}

// shape is a formula tidied and split into modules.
type shape struct {
	tree      *Tree
	units     []unit
	number    map[int]int         // of a unit by its root
	constant  Ref                 // see Compiled.top
	store     bdd                 // for whatever is compiled next
	work      int                 // nodes so far, in all attempts
	hard      map[int]int         // by unit: the largest budget that was too small
	races     map[int][]contender // by unit that was too hard: who is still in the race
	favourite string              // the ordering that won last
	done      <-chan struct{}
}

// shape tidies; done, when closed, ends that early and all that is asked of the shape; nil: never.
func (t *Tree) shape(top Ref, done <-chan struct{}) *shape {
	const rounds = 20 // each makes the tree smaller; one or two are common
	for range rounds {
		t, top = t.tidy(top)
		if top.constant() {
			return &shape{tree: t, constant: top, done: done}
		}
		t, top = t.group(top)
		var changed bool
		if t, top, changed = t.absorb(top); !changed || closed(done) {
			break
		}
	}
	s := &shape{tree: t, number: map[int]int{}, hard: map[int]int{}, races: map[int][]contender{}, done: done}
	s.units, _ = t.units(top)
	for i, u := range s.units {
		s.number[u.root] = i
	}
	if s.units[len(s.units)-1].negated != top.negated() {
		s.constant = True
	}
	return s
}

func (s *shape) compileAll(budget int) (*Compiled, error) {
	if budget <= 0 {
		budget = DefaultBudget
	}
	c := &Compiled{events: s.tree.events, top: s.constant}
	for i := range s.units {
		u, err := s.compile(i, budget)
		if err != nil {
			return nil, err
		}
		c.units = append(c.units, u)
	}
	return c, nil
}

// variables names what a unit's variables are, in the given order.
func (s *shape) variables(u *unit, order []int32) []variable {
	vars := make([]variable, len(order))
	for level, v := range order {
		node := u.vars[v]
		if f := s.tree.nodes[node]; f.kind == event {
			vars[level] = variable(f.k)
		} else {
			vars[level] = variable(^s.number[node])
		}
	}
	return vars
}

// contender is an ordering in the race.
type contender struct {
	ordering
	order []int32 // once it is needed
	gates int     // built before the budget ran out
}

// prepare gives a contender its order and says whether that is none that another has.
func (u *unit) prepare(race []contender, i int) bool {
	if race[i].order != nil {
		return true
	}
	race[i].order = race[i].of(u)
	return !slices.ContainsFunc(race[:i], func(c contender) bool { return slices.Equal(c.order, race[i].order) })
}

// compile races the orderings: all with a small budget, then with a larger one, and so on, until one is done; once a
// round is dear, those that came far in the one before go first, and the lesser half stays behind. With a larger budget
// than before the race goes on where it ended.
func (s *shape) compile(unit, budget int) (compiled, error) {
	const dear = 1 << 16
	if s.hard[unit] >= budget {
		return compiled{}, ErrBudget
	}
	u := &s.units[unit]
	_, monotone := u.polarities()
	if k, ok := u.threshold(); ok && int(k)*(len(u.vars)-int(k)+1) > budget/4 {
		return compiled{vars: s.variables(u, identity(len(u.vars))), threshold: k, monotone: true}, nil
	}
	race, limit := s.races[unit], 4*s.hard[unit]
	if race == nil {
		race, limit = s.start(), 16*len(u.vars)+64
	}
	for limit = min(limit, budget); ; limit = min(4*limit, budget) {
		var best compiled
		for i := 0; i < len(race); i++ {
			if best.nodes != nil && race[i].dear || closed(s.done) {
				continue
			}
			if !u.prepare(race, i) {
				race = slices.Delete(race, i, i+1)
				i--
				continue
			}
			s.store.reset(limit, 8*len(u.vars), s.done)
			c, gates, ok := u.compile(&s.store, race[i].order)
			race[i].gates = gates
			s.work += s.store.work()
			if ok && (best.nodes == nil || len(c.nodes) < len(best.nodes)) {
				best = c
				best.ordering, best.monotone = race[i].name, monotone
				best.vars = s.variables(u, race[i].order)
			}
			// Good enough, or dear enough: the others are not tried.
			if ok && (len(c.nodes) < 4*len(u.vars)+16 || limit > dear) {
				break
			}
		}
		if closed(s.done) && best.nodes == nil {
			return compiled{}, ErrBudget
		}
		if best.nodes != nil {
			if len(u.gates) > 1 {
				s.favourite = best.ordering
			}
			return best, nil
		}
		slices.SortStableFunc(race, func(a, b contender) int { return b.gates - a.gates })
		if limit > dear {
			race = race[:max((len(race)+1)/2, min(2, len(race)))]
		}
		if limit == budget {
			s.hard[unit], s.races[unit] = budget, race
			return compiled{}, ErrBudget
		}
	}
}

// start lines up all orderings, the one that won last in front.
func (s *shape) start() []contender {
	race := make([]contender, len(orderings))
	for i, o := range orderings {
		race[i].ordering = o
		if o.name == s.favourite {
			race[0], race[i] = race[i], race[0]
		}
	}
	return race
}

// compile builds the unit's diagram in b, which was reset, with the given order, unless that takes more than b's budget;
// it says how many gates it got to.
func (u *unit) compile(b *bdd, order []int32) (c compiled, gates int, ok bool) {
	defer recoverBudget(&ok)
	at := make([]bref, len(u.vars)+len(u.gates))
	for level, v := range order {
		at[v] = b.variable(int32(level))
	}
	for _, f := range u.gates {
		at[len(u.vars)+gates] = b.formula(f, func(r Ref) bref { return at[r.node()] ^ bref(r&1) })
		gates++
	}
	root := at[len(at)-1]
	if u.negated {
		root ^= 1
	}
	return b.keep(root), gates, true
}

// keep copies what is reachable from root.
func (b *bdd) keep(root bref) compiled {
	at := make([]int32, len(b.nodes)) // new place plus one
	at[0] = 1
	reach := make([]bool, len(b.nodes))
	reach[root>>1] = true
	count := 1
	for n := len(b.nodes) - 1; n > 0; n-- { // a node is made after its children
		if reach[n] {
			count++
			reach[b.nodes[n].lo>>1] = true
			reach[b.nodes[n].hi>>1] = true
		}
	}
	c := compiled{nodes: make([]bnode, 1, count)}
	c.nodes[0].level = terminal
	move := func(f bref) bref { return bref(at[f>>1]-1)<<1 | f&1 }
	for n := 1; n < len(b.nodes); n++ {
		if reach[n] {
			at[n] = int32(len(c.nodes) + 1)
			c.nodes = append(c.nodes, bnode{b.nodes[n].level, move(b.nodes[n].lo), move(b.nodes[n].hi)})
		}
	}
	c.root = move(root)
	return c
}

// Size is the number of decision diagram nodes.
func (c *Compiled) Size() int {
	size := 0
	for _, u := range c.units {
		size += len(u.nodes)
	}
	return size
}
