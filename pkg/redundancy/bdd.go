package redundancy

import (
	"math/bits"
	"slices"
)

// bdd is a store of binary decision diagrams, after Bryant (1986), with complement edges after Brace, Rudell and Bryant
// (1990): one node serves a function and its negation. Nodes are never freed; a store lives for one unit and order.
//
// Operations recurse no deeper than there are levels.
type bdd struct {
	nodes  []bnode
	unique []int32 // open addressing; 0 is free
	cache  []bcached
	budget int
	meter
}

// bref is a function: a node, and whether it is negated (lowest bit).
type bref int32

const (
	btrue  bref = 0
	bfalse bref = 1
)

// bnode is "if the variable of level then hi else lo"; hi is never negated.
type bnode struct {
	level  int32
	lo, hi bref
}

type bcached struct{ f, g, r bref }

// reset empties the store for up to budget nodes, of which some hint nodes are expected; done is a meter's. Its memory is
// used again.
func (b *bdd) reset(budget, hint int, done <-chan struct{}) {
	table := 1 << bits.Len(uint(min(max(hint, 16), 1<<12)))
	b.nodes = append(b.nodes[:0], bnode{level: terminal})
	b.unique = cleared(b.unique, table)
	b.cache = cleared(b.cache, table)
	b.budget = budget
	b.meter = newMeter(budget, done)
}

// work is what was done since reset, in nodes.
func (b *bdd) work() int { return max(len(b.nodes), b.budget-b.steps()/stepsPerNode) }

// cleared is a zero slice of length n, in the place of the old one if that has room.
func cleared[E any](old []E, n int) []E {
	if cap(old) < n {
		return make([]E, n)
	}
	old = old[:n]
	clear(old)
	return old
}

func (b *bdd) level(f bref) int32 { return b.nodes[f>>1].level }

// variable is the function that is true when the variable of that level is.
func (b *bdd) variable(level int32) bref { return b.node(level, bfalse, btrue) }

func (b *bdd) node(level int32, lo, hi bref) bref {
	if lo == hi {
		return lo
	}
	sign := hi & 1
	lo ^= sign
	hi ^= sign
	mask := uint32(len(b.unique) - 1)
	at := hash3(uint32(level), uint32(lo), uint32(hi)) & mask
	for b.unique[at] != 0 {
		n := b.unique[at]
		if b.nodes[n] == (bnode{level, lo, hi}) {
			return bref(n)<<1 | sign
		}
		at = (at + 1) & mask
	}
	n := int32(len(b.nodes))
	if int(n) >= b.budget {
		panic(errBudget{})
	}
	b.nodes = append(b.nodes, bnode{level, lo, hi})
	b.unique[at] = n
	if 2*len(b.nodes) > len(b.unique) {
		b.grow()
	}
	return bref(n)<<1 | sign
}

func (b *bdd) grow() {
	b.unique = cleared(b.unique, 4*len(b.unique))
	mask := uint32(len(b.unique) - 1)
	for n := 1; n < len(b.nodes); n++ {
		at := hash3(uint32(b.nodes[n].level), uint32(b.nodes[n].lo), uint32(b.nodes[n].hi)) & mask
		for b.unique[at] != 0 {
			at = (at + 1) & mask
		}
		b.unique[at] = int32(n)
	}
	if len(b.cache) < 1<<22 {
		b.cache = cleared(b.cache, len(b.unique))
	}
}

// cofactors of f at level, which is not below f's.
func (b *bdd) cofactors(f bref, level int32) (lo, hi bref) {
	n := &b.nodes[f>>1]
	if n.level != level {
		return f, f
	}
	return n.lo ^ f&1, n.hi ^ f&1
}

func (b *bdd) and(f, g bref) bref {
	switch {
	case f == g || g == btrue:
		return f
	case f == btrue:
		return g
	case f == bfalse || g == bfalse || f == g^1:
		return bfalse
	}
	if f > g {
		f, g = g, f
	}
	b.step()
	slot := hash3(0, uint32(f), uint32(g))
	if c := &b.cache[slot&uint32(len(b.cache)-1)]; c.f == f && c.g == g {
		return c.r
	}
	level := min(b.level(f), b.level(g))
	f0, f1 := b.cofactors(f, level)
	g0, g1 := b.cofactors(g, level)
	r := b.node(level, b.and(f0, g0), b.and(f1, g1))
	b.cache[slot&uint32(len(b.cache)-1)] = bcached{f, g, r}
	return r
}

func (b *bdd) or(f, g bref) bref { return b.and(f^1, g^1) ^ 1 }

// xor is kept in the same cache as and: its operands are never negated and stand in falling order.
func (b *bdd) xor(f, g bref) bref {
	sign := (f ^ g) & 1
	f &^= 1
	g &^= 1
	switch {
	case f == g:
		return bfalse ^ sign
	case f == btrue:
		return g ^ 1 ^ sign
	case g == btrue:
		return f ^ 1 ^ sign
	}
	if f < g {
		f, g = g, f
	}
	b.step()
	slot := hash3(1, uint32(f), uint32(g))
	if c := &b.cache[slot&uint32(len(b.cache)-1)]; c.f == f && c.g == g {
		return c.r ^ sign
	}
	level := min(b.level(f), b.level(g))
	f0, f1 := b.cofactors(f, level)
	g0, g1 := b.cofactors(g, level)
	r := b.node(level, b.xor(f0, g0), b.xor(f1, g1))
	b.cache[slot&uint32(len(b.cache)-1)] = bcached{f, g, r}
	return r ^ sign
}

// atLeast is true when k or more of the functions are.
func (b *bdd) atLeast(k int32, of []bref) bref {
	slices.SortStableFunc(of, func(f, g bref) int { return int(b.level(g)) - int(b.level(f)) })
	reach := make([]bref, k+1)
	for j := range reach {
		reach[j] = bfalse
	}
	reach[0] = btrue
	for i, f := range of {
		left := int32(len(of) - 1 - i)
		for j := min(k, int32(i)+1); j >= max(1, k-left); j-- {
			reach[j] = b.or(reach[j], b.and(reach[j-1], f))
		}
	}
	return reach[k]
}

// formula is the function of f, given those of its operands.
func (b *bdd) formula(f formula, operand func(Ref) bref) bref {
	of := make([]bref, len(f.of))
	for i, r := range f.of {
		of[i] = operand(r)
	}
	if f.kind == xor {
		return b.xor(of[0], of[1])
	}
	return b.atLeast(f.k, of)
}
