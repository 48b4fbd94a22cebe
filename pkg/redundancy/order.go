package redundancy

import (
	"cmp"
	"slices"
)

// An ordering proposes the order in which a unit's variables are tested. None is best for every tree; they are raced.
type ordering struct {
	name string
	dear bool // costs more to find than many a small unit to compile
	of   func(*unit) []int32
}

var orderings = []ordering{
	{"large first", false, func(u *unit) []int32 {
		sizes := u.sizes()
		for i := range sizes {
			sizes[i] = -sizes[i]
		}
		return u.depthFirst(sizes)
	}},
	{"interleaved", false, (*unit).interleaved},
	{"depth first", false, func(u *unit) []int32 { return u.depthFirst(nil) }},
	{"small first", false, func(u *unit) []int32 { return u.depthFirst(u.sizes()) }},
	{"force interleaved", true, func(u *unit) []int32 { return u.force(u.interleaved(), 60) }},
	{"force", true, func(u *unit) []int32 { return u.force(u.depthFirst(nil), 60) }},
}

// depthFirst lists variables as a walk from the root meets them, operands of lower key first.
func (u *unit) depthFirst(key []int) []int32 {
	order := make([]int32, 0, len(u.vars))
	seen := make([]bool, len(u.vars)+len(u.gates))
	type frame struct {
		of []Ref
	}
	var stack []frame
	enter := func(n int) {
		if seen[n] {
			return
		}
		seen[n] = true
		if n < len(u.vars) {
			order = append(order, int32(n))
			return
		}
		of := u.gates[n-len(u.vars)].of
		if key != nil {
			of = slices.Clone(of)
			slices.SortStableFunc(of, func(a, b Ref) int { return cmp.Compare(key[a.node()], key[b.node()]) })
		}
		stack = append(stack, frame{of})
	}
	enter(len(u.vars) + len(u.gates) - 1)
	for len(stack) > 0 {
		f := &stack[len(stack)-1]
		if len(f.of) == 0 {
			stack = stack[:len(stack)-1]
			continue
		}
		next := f.of[0]
		f.of = f.of[1:]
		enter(next.node())
	}
	return order
}

// sizes is, by number, how many operands occur below, counted as if nothing were shared.
func (u *unit) sizes() []int {
	size := make([]int, len(u.vars)+len(u.gates))
	for i := range size {
		size[i] = 1
		if i >= len(u.vars) {
			size[i] = 0
			for _, r := range u.gates[i-len(u.vars)].of {
				size[i] = min(size[i]+size[r.node()], terminal)
			}
		}
	}
	return size
}

// parents are the gates that use each variable or gate.
func (u *unit) parents() [][]int32 {
	parents := make([][]int32, len(u.vars)+len(u.gates))
	for g, f := range u.gates {
		for _, r := range f.of {
			parents[r.node()] = append(parents[r.node()], int32(len(u.vars)+g))
		}
	}
	return parents
}

// interleaved walks depth first, but where it comes by something that is shared it goes on at once with whatever else
// stands directly on that: replicas that lean on common parts are so taken apart part by part and not one after the
// other.
func (u *unit) interleaved() []int32 {
	order := make([]int32, 0, len(u.vars))
	parents := u.parents()
	seen := make([]bool, len(parents))
	size := u.sizes()
	var stack []int32
	push := func(n int32) {
		if !seen[n] {
			stack = append(stack, n)
		}
	}
	push(int32(len(parents) - 1))
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[n] {
			continue
		}
		seen[n] = true
		// pushed first is visited last: other users of n come after what is below n
		if others := parents[n]; len(others) > 1 {
			others = slices.Clone(others)
			slices.SortStableFunc(others, func(a, b int32) int { return cmp.Compare(size[b], size[a]) })
			for _, p := range others {
				if !seen[p] && size[p] <= 2*size[n]+8 {
					push(p)
				}
			}
		}
		if int(n) < len(u.vars) {
			order = append(order, n)
			continue
		}
		of := slices.Clone(u.gates[int(n)-len(u.vars)].of)
		slices.SortStableFunc(of, func(a, b Ref) int { return cmp.Compare(size[b.node()], size[a.node()]) })
		for _, r := range of {
			push(int32(r.node()))
		}
	}
	return order
}

// force moves variables and gates to the middle of what they are connected with, again and again, after Aloul, Markov
// and Sakallah, "FORCE: a fast and easy-to-implement variable-ordering heuristic" (GLSVLSI 2003).
func (u *unit) force(order []int32, rounds int) []int32 {
	at := make([]float64, len(u.vars))
	for i, v := range order {
		at[v] = float64(i)
	}
	center := make([]float64, len(u.vars)+len(u.gates))
	best := slices.Clone(order)
	bestSpan := u.span(order)
	idle := 0
	for range rounds {
		copy(center, at)
		for g, f := range u.gates {
			sum := 0.0
			for _, r := range f.of {
				sum += center[r.node()]
			}
			center[len(u.vars)+g] = sum / float64(len(f.of))
		}
		pull := make([]float64, len(u.vars))
		count := make([]float64, len(u.vars))
		// a gate's edge joins its operands and itself
		for g, f := range u.gates {
			c := center[len(u.vars)+g]
			for _, r := range f.of {
				if n := r.node(); n < len(u.vars) {
					pull[n] += c
					count[n]++
				}
			}
		}
		for v := range pull {
			if count[v] > 0 {
				pull[v] /= count[v]
			}
		}
		next := slices.Clone(order)
		slices.SortStableFunc(next, func(a, b int32) int { return cmp.Compare(pull[a], pull[b]) })
		order = next
		for i, v := range order {
			at[v] = float64(i)
		}
		if span := u.span(order); span < bestSpan {
			bestSpan, best, idle = span, slices.Clone(order), 0
		} else if idle++; idle > 8 {
			break
		}
	}
	return best
}

// span is how far apart the variables below each gate lie, added up.
func (u *unit) span(order []int32) int {
	n := len(u.vars) + len(u.gates)
	lo, hi := make([]int32, n), make([]int32, n)
	for i, v := range order {
		lo[v], hi[v] = int32(i), int32(i)
	}
	sum := 0
	for g, f := range u.gates {
		i := len(u.vars) + g
		lo[i], hi[i] = terminal, 0
		for _, r := range f.of {
			lo[i] = min(lo[i], lo[r.node()])
			hi[i] = max(hi[i], hi[r.node()])
		}
		sum += int(hi[i] - lo[i])
	}
	return sum
}
