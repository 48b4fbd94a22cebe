package redundancy

import (
	"math/bits"
	"slices"
)

// absorb simplifies coherent modules. If a node alone makes its module f true, then f = node ∨ f', where f' is f with the
// node false wherever else it occurs; and if nothing makes f true without the node, then f = node ∧ f', with the node
// true elsewhere. It says whether anything was changed.
func (t *Tree) absorb(top Ref) (*Tree, Ref, bool) {
	units, sense := t.units(top)
	fixed := make([]Ref, len(t.nodes)) // by node: the constant that it is where it occurs, plus 2; 0: itself
	beside := map[int][]Ref{}          // by root of a module: what it becomes an or of, or an and of
	needed := map[int]bool{}           // by root: an and
	for i := range units {
		u := &units[i]
		if len(u.gates) < 2 {
			continue
		}
		nodes, signs, and := u.decisive()
		for j, n := range nodes {
			node := u.node[n]
			literal := refTo(node) ^ signs[j]
			if n < len(u.vars) && sense[node] {
				literal = literal.Not()
			}
			// Elsewhere the literal is false beside an or, true beside an and: so much is the node.
			constant := literal & 1
			if and {
				constant ^= 1
			}
			fixed[node] = 2 + constant
			beside[u.root] = append(beside[u.root], literal)
		}
		needed[u.root] = and
	}
	if len(beside) == 0 {
		return t, top, false
	}
	out := &Tree{events: t.events}
	at := make([]Ref, len(t.nodes))
	for n, f := range t.nodes {
		of := slices.Clone(f.of)
		for i, r := range of {
			if c := fixed[r.node()]; c != 0 {
				of[i] = c - 2 ^ r&1
			} else {
				of[i] = at[r.node()] ^ r&1
			}
		}
		switch f.kind {
		case event:
			at[n] = out.add(f)
		case or:
			at[n] = out.Or(of...)
		case atLeast:
			at[n] = out.AtLeast(int(f.k), of...)
		case xor:
			at[n] = out.xor(of[0], of[1])
		}
		if with := beside[n]; with != nil {
			sign := Ref(0)
			if sense[n] {
				sign = 1
			}
			all := []Ref{at[n] ^ sign}
			for _, r := range with {
				all = append(all, at[r.node()]^r&1)
			}
			if needed[n] {
				at[n] = out.And(all...) ^ sign
			} else {
				at[n] = out.Or(all...) ^ sign
			}
		}
	}
	return out, at[top.node()] ^ top&1, true
}

// decisive finds, by number, the variables and gates of a coherent unit that alone make it true, or those without which
// it is not (and), if they occur anywhere but as the root's own operands. The sign is 1 where the gate decides by being
// false.
func (u *unit) decisive() (numbers []int, signs []Ref, and bool) {
	if _, coherent := u.polarities(); !coherent {
		return nil, nil, false
	}
	n := len(u.vars) + len(u.gates)
	if n > 1<<16 {
		return nil, nil, false
	}
	uses := make([]int, n)
	for g, f := range u.gates {
		for _, r := range f.of {
			uses[r.node()]++
			if g < len(u.gates)-1 {
				uses[r.node()]++ // once, but not directly below the root
			}
		}
	}
	var candidates []int
	for i := range n - 1 {
		if uses[i] > 1 {
			candidates = append(candidates, i)
		}
	}
	for _, and := range []bool{false, true} {
		rest := u.evaluate(nil, and) // every word is all zeros or all ones
		for from := 0; from < len(candidates); from += 64 {
			batch := candidates[from:min(from+64, len(candidates))]
			flipped := u.evaluate(batch, and)
			changed := flipped[n-1] ^ rest[n-1]
			for bit, c := range batch {
				if changed>>bit&1 == 1 {
					numbers = append(numbers, c)
					// alone: it decides as what it is when flipped; needed: as what it is when not
					signs = append(signs, Ref(^flipped[c]>>bit&1))
					if and {
						signs[len(signs)-1] ^= 1
					}
				}
			}
		}
		if len(numbers) > 0 {
			return numbers, signs, and
		}
	}
	return nil, nil, false
}

// evaluate gives the values of variables and gates in 64 cases at once: all variables false (or all true), and in case i
// flip[i], a variable or gate, the contrary of what it would be.
func (u *unit) evaluate(flip []int, variables bool) []uint64 {
	value := make([]uint64, len(u.vars)+len(u.gates))
	contrary := make([]uint64, len(value))
	for i, n := range flip {
		contrary[n] |= 1 << i
	}
	for v := range u.vars {
		if variables {
			value[v] = ^uint64(0)
		}
		value[v] ^= contrary[v]
	}
	var sum sums
	for g, f := range u.gates {
		sum = sum[:0]
		for _, r := range f.of {
			x := value[r.node()]
			if r.negated() {
				x = ^x
			}
			sum = sum.plus(x)
		}
		value[len(u.vars)+g] = sum.atLeast(f.k) ^ contrary[len(u.vars)+g]
	}
	return value
}

// sums are 64 numbers side by side: bit i of all of them is in sums[i].
type sums []uint64

// plus adds one to each number of which the bit is set.
func (s sums) plus(x uint64) sums {
	for i := range s {
		if x == 0 {
			return s
		}
		s[i], x = s[i]^x, s[i]&x
	}
	if x != 0 {
		s = append(s, x)
	}
	return s
}

// atLeast says which of the numbers are k or more.
func (s sums) atLeast(k int32) uint64 {
	enough := ^uint64(0)
	for i := range max(len(s), bits.Len32(uint32(k))) {
		bit := uint64(0)
		if i < len(s) {
			bit = s[i]
		}
		if k>>i&1 == 1 {
			enough &= bit
		} else {
			enough |= bit
		}
	}
	return enough
}
