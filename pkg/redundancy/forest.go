package redundancy

import (
	"encoding/binary"
	"slices"
)

// Forest is the failures of many nodes of a Structure, compiled together: what stands on its own below several of them,
// as a group of core switches below a thousand services, is one diagram. It never changes; Gauges stand on it.
type Forest struct {
	s     *Structure
	units []forestUnit // those that others stand on first
	tops  map[Node]int // unit, or one of the constants
	hard  bool         // some top is hardUnit
	users [][]int32    // by component: units with it as a variable
}

const (
	noUnit   = -1 // nothing takes it down
	hardUnit = -2 // too hard to compile
)

// forestUnit's variables are components by node, and units of the forest.
type forestUnit struct {
	compiled
	users []int32 // units with this one as a variable
	tops  []Node
}

// NewForest compiles the failure of each of tops. The budget is that of a Question, for each module; 0: some sixteen
// thousand nodes, or more where there are many components. Tops that are too hard for it are answered without being
// compiled, by looking for small cut sets; their probability is not known.
func NewForest(s *Structure, tops []Node, budget int) *Forest {
	f := &Forest{s: s, tops: map[Node]int{}, users: make([][]int32, s.Len())}
	v := NewSolver(s)
	var store bdd             // handed from one to the next
	known := map[string]int{} // units by what they say
	for _, top := range tops {
		if _, again := f.tops[top]; again {
			continue
		}
		c := v.cone(Question{Top: top})
		shape := c.tree.shape(c.top)
		shape.store, store = store, bdd{}
		limit := budget
		if limit <= 0 {
			limit = quickBudget(len(c.events))
		}
		unit := f.plant(shape, c.events, known, limit)
		store = shape.store
		f.tops[top] = unit
		f.hard = f.hard || unit == hardUnit
		if unit >= 0 {
			f.units[unit].tops = append(f.units[unit].tops, top)
		}
	}
	return f
}

// plant adds the units of a shape that are not there yet and returns the last one.
func (f *Forest) plant(s *shape, events []Node, known map[string]int, budget int) int {
	if len(s.units) == 0 {
		return noUnit // with nothing failed, nothing is down
	}
	at := make([]int, len(s.units)) // in the forest
	global := func(v variable) variable {
		if below, is := v.unit(); is {
			return variable(^at[below])
		}
		return variable(events[v])
	}
	for i := range s.units {
		u := &s.units[i]
		vars := s.variables(u, identity(len(u.vars)))
		for l := range vars {
			vars[l] = global(vars[l])
		}
		key := u.key(vars)
		if unit, ok := known[key]; ok {
			at[i] = unit
			continue
		}
		c, err := s.compile(i, budget)
		if err != nil {
			return hardUnit
		}
		for l := range c.vars {
			c.vars[l] = global(c.vars[l])
		}
		at[i] = f.add(c)
		known[key] = at[i]
	}
	return at[len(at)-1]
}

func identity(n int) []int32 {
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	return order
}

// key says all that a unit is, given what its variables are. Where it is a single gate the order of the operands does
// not matter.
func (u *unit) key(vars []variable) string {
	var key []byte
	if u.negated {
		key = append(key, 1)
	}
	for _, g := range u.gates {
		key = append(key, byte(g.kind))
		key = binary.AppendVarint(key, int64(g.k))
		of := make([]int64, len(g.of))
		for i, r := range g.of {
			if n := r.node(); n < len(vars) {
				of[i] = 2 * int64(vars[n]) // units are negative
			} else {
				of[i] = 2 * (int64(n-len(vars)) + terminal + 1)
			}
			of[i] += int64(r & 1)
		}
		if len(u.gates) == 1 {
			slices.Sort(of)
		}
		key = binary.AppendVarint(key, int64(len(of)))
		for _, o := range of {
			key = binary.AppendVarint(key, o)
		}
	}
	if len(u.gates) == 0 {
		key = binary.AppendVarint(key, int64(vars[0]))
	}
	return string(key)
}

func (f *Forest) add(c compiled) int {
	n := int32(len(f.units))
	f.units = append(f.units, forestUnit{compiled: c})
	for _, v := range c.vars {
		if below, is := v.unit(); is {
			f.units[below].users = append(f.units[below].users, n)
		} else {
			f.users[v] = append(f.users[v], n)
		}
	}
	return int(n)
}

// Size is the number of modules and of decision diagram nodes.
func (f *Forest) Size() (modules, nodes int) {
	for i := range f.units {
		nodes += len(f.units[i].nodes)
	}
	return len(f.units), nodes
}
