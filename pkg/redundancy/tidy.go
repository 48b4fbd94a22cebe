package redundancy

import "slices"

// tidy rebuilds what top stands on: nested ors of which the inner one is used nowhere else become one (and so, ors being
// ands negated, do nested ands), equal formulas become one, what turns out constant goes. Basic events keep their
// numbers.
func (t *Tree) tidy(top Ref) (*Tree, Ref) {
	for {
		next, nextTop := t.tidyOnce(top)
		same := len(next.nodes) == len(t.nodes)
		t, top = next, nextTop
		if same || top.constant() {
			return t, top
		}
	}
}

func (t *Tree) tidyOnce(top Ref) (*Tree, Ref) {
	out := &Tree{events: t.events}
	if top.constant() {
		return out, top
	}
	operands, into := t.mergeOrs(top)
	equal := formulaTable{}
	at := make([]Ref, len(t.nodes)) // in out
	for n, f := range t.nodes {
		if into[n] != int32(n) {
			continue
		}
		for i, r := range operands[n] {
			operands[n][i] = at[r.node()] ^ r&1
		}
		made := len(out.nodes)
		switch f.kind {
		case event:
			at[n] = out.add(f)
			continue
		case or:
			at[n] = out.Or(operands[n]...)
		case atLeast:
			at[n] = out.AtLeast(int(f.k), operands[n]...)
		case xor:
			at[n] = out.xor(operands[n][0], operands[n][1])
		}
		if len(out.nodes) > made {
			at[n] = equal.unify(out, at[n])
		}
	}
	return out, at[top.node()] ^ top&1
}

// mergeOrs gives the operands of each node that stays (into is itself), others having become part of one (into is that
// one) or not being reachable (into is -1).
func (t *Tree) mergeOrs(top Ref) (operands [][]Ref, into []int32) {
	uses := make([]int32, len(t.nodes))
	uses[top.node()] = 1
	for n := len(t.nodes) - 1; n >= 0; n-- {
		if uses[n] > 0 {
			for _, r := range t.nodes[n].of {
				uses[r.node()]++
			}
		}
	}
	into = make([]int32, len(t.nodes))
	for n := range into {
		into[n] = -1
		if uses[n] > 0 {
			into[n] = int32(n)
		}
	}
	operands = make([][]Ref, len(t.nodes))
	for n := len(t.nodes) - 1; n >= 0; n-- {
		if uses[n] == 0 {
			continue
		}
		f := t.nodes[n]
		for _, r := range f.of {
			inner := r.node()
			if f.kind == or && !r.negated() && t.nodes[inner].kind == or && uses[inner] == 1 {
				into[inner] = into[n]
			} else {
				operands[into[n]] = append(operands[into[n]], r)
			}
		}
	}
	return operands, into
}

// formulaTable finds formulas that were made before.
type formulaTable map[uint64][]Ref

// unify returns the formula equal to r, a gate, that was made first. If it is another than r, which was made last, r is
// unmade.
func (table formulaTable) unify(t *Tree, r Ref) Ref {
	f := t.nodes[r.node()]
	h := uint64(f.kind)<<32 | uint64(f.k)
	if f.kind == atLeast {
		slices.Sort(f.of)
	}
	for _, o := range f.of {
		h = (h ^ uint64(o)) * 0x9e3779b97f4a7c15
		h ^= h >> 31
	}
	for _, old := range table[h] {
		if g := t.nodes[old.node()]; g.kind == f.kind && g.k == f.k && slices.Equal(g.of, f.of) {
			t.nodes = t.nodes[:len(t.nodes)-1]
			return old ^ r&1
		}
	}
	table[h] = append(table[h], r&^1)
	return r
}
