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
	p := planting{f: f, v: NewSolver(s), budget: budget, modules: map[Node]int{}, known: map[string]int{}}
	for _, n := range s.sharedModules(tops) {
		p.modules[n] = p.plant(n)
	}
	for _, top := range tops {
		if _, again := f.tops[top]; again {
			continue
		}
		unit, is := p.modules[top]
		if !is {
			unit = p.plant(top)
		}
		f.tops[top] = unit
		if unit >= 0 {
			f.units[unit].tops = append(f.units[unit].tops, top)
		}
		f.hard = f.hard || unit == hardUnit
	}
	return f
}

// planting is a forest in the making.
type planting struct {
	f       *Forest
	v       *Solver
	budget  int
	modules map[Node]int   // unit, noUnit or hardUnit of nodes that stand on their own
	known   map[string]int // units by what they say
	// Handed from one compilation to the next: working memory, and what order was good.
	store     bdd
	favourite string
}

// plant adds the units of n's failure that are not there yet and returns the last one.
func (p *planting) plant(n Node) int {
	hard := false
	c := p.v.coneAbove(Question{Top: n}, func(n Node) (is, never bool) {
		unit, is := p.modules[n]
		hard = hard || is && unit == hardUnit
		return is, is && unit == noUnit
	})
	if hard {
		return hardUnit
	}
	s := c.tree.shape(c.top, nil)
	if len(s.units) == 0 {
		return noUnit // with nothing failed, nothing is down
	}
	s.store, s.favourite, p.store = p.store, p.favourite, bdd{}
	defer func() { p.store, p.favourite = s.store, s.favourite }()
	limit := p.budget
	if limit <= 0 {
		limit = quickBudget(len(c.events))
	}
	at := make([]int, len(s.units)) // in the forest
	global := func(v variable) variable {
		if below, is := v.unit(); is {
			return variable(^at[below])
		}
		if unit, is := p.modules[c.events[v]]; is && c.events[v] != n {
			return variable(^unit)
		}
		return variable(c.events[v])
	}
	for i := range s.units {
		u := &s.units[i]
		vars := s.variables(u, identity(len(u.vars)))
		for l := range vars {
			vars[l] = global(vars[l])
		}
		key := u.key(vars)
		if unit, ok := p.known[key]; ok {
			at[i] = unit
			continue
		}
		compiled, err := s.compile(i, limit)
		if err != nil {
			return hardUnit
		}
		for l := range compiled.vars {
			compiled.vars[l] = global(compiled.vars[l])
		}
		at[i] = p.f.add(compiled)
		p.known[key] = at[i]
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
