package redundancy

import "slices"

// unit is a module with what is below it up to the next modules, which to it are variables like basic events.
type unit struct {
	root int   // node of the tree
	vars []int // variables as nodes of the tree: basic events and modules
	// gates refer to variables as refTo(i), i < len(vars), and to each other as refTo(len(vars)+j). The last one is the
	// root. Negation of a variable that is a module is relative to its sense, see units.
	gates []formula
	// node of the tree, by number: those of vars, then those of gates.
	node []int
	// negated: the unit stands for the root's negation, which is false while nothing happens.
	negated bool
}

// units splits what top stands on into its modules, those that others stand on first. So that a module's not happening
// costs nothing, each unit stands for whichever of its root and its negation is false when nothing happens; sense is
// that, by node.
func (t *Tree) units(top Ref) (units []unit, sense []bool) {
	module := t.modules(top)
	sense = t.evaluate(func(int) bool { return false })
	local := make([]int32, len(t.nodes)) // number in the unit at hand, plus one
	roots := []int{top.node()}
	queued := make([]bool, len(t.nodes))
	queued[top.node()] = true
	for done := 0; done < len(roots); done++ {
		u := t.unit(roots[done], module, sense, local)
		for _, v := range u.vars {
			local[v] = 0
			if t.nodes[v].kind != event && !queued[v] {
				queued[v] = true
				roots = append(roots, v)
			}
		}
		units = append(units, u)
	}
	for i, j := 0, len(units)-1; i < j; i, j = i+1, j-1 {
		units[i], units[j] = units[j], units[i]
	}
	return units, sense
}

func (t *Tree) unit(root int, module, sense []bool, local []int32) unit {
	u := unit{root: root, negated: sense[root]}
	if t.nodes[root].kind == event {
		u.vars = []int{root}
		u.node = u.vars
		return u
	}
	type frame struct {
		node    int
		operand int
	}
	// Variables are met first, then gates are numbered after them in the order in which the walk leaves them.
	var gates []int
	stack := []frame{{root, 0}}
	local[root] = -1
	for len(stack) > 0 {
		f := &stack[len(stack)-1]
		if of := t.nodes[f.node].of; f.operand < len(of) {
			n := of[f.operand].node()
			f.operand++
			if local[n] != 0 {
				continue
			}
			if module[n] || t.nodes[n].kind == event {
				u.vars = append(u.vars, n)
				local[n] = int32(len(u.vars))
				continue
			}
			local[n] = -1
			stack = append(stack, frame{n, 0})
			continue
		}
		gates = append(gates, f.node)
		stack = stack[:len(stack)-1]
	}
	for i, n := range gates {
		local[n] = int32(len(u.vars) + i + 1)
	}
	for _, n := range gates {
		f := t.nodes[n]
		of := make([]Ref, len(f.of))
		for i, r := range f.of {
			o := r.node()
			of[i] = refTo(int(local[o])-1) ^ r&1
			if int(local[o]) <= len(u.vars) && sense[o] {
				of[i] = of[i].Not()
			}
		}
		u.gates = append(u.gates, formula{f.kind, f.k, of})
	}
	for _, n := range gates {
		local[n] = 0
	}
	u.node = append(slices.Clone(u.vars), gates...)
	return u
}

// threshold says whether the unit is "at least k of its variables", and what k is.
func (u *unit) threshold() (k int32, ok bool) {
	if len(u.gates) != 1 || u.gates[0].kind == xor {
		return 0, false
	}
	f := u.gates[0]
	if len(f.of) != len(u.vars) { // one is named twice
		return 0, false
	}
	for _, r := range f.of {
		if r.negated() != u.negated {
			return 0, false
		}
	}
	if u.negated {
		return int32(len(f.of)) - f.k + 1, true
	}
	return f.k, true
}

// cheapest is the sum of the k smallest weights (nil: 1 each), at most none.
func cheapest(weight []int32, k int) int {
	if weight == nil {
		return k
	}
	if k == 1 && len(weight) > 0 {
		return int(slices.Min(weight))
	}
	sorted := slices.Clone(weight)
	slices.Sort(sorted)
	sum := 0
	for _, w := range sorted[:k] {
		sum = min(sum+int(w), none)
	}
	return sum
}
