package redundancy

import (
	"math/bits"
	"slices"
)

// zbdd is a store of zero-suppressed decision diagrams: families of sets of variables, equal families being one node.
// All families here are minimal: no set contains another. Variables are numbered from 0 and tested in that order.
// After Minato (1993); the operations on minimal families after Rauzy (1993) and Coudert and Madre (1992).
//
// Operations recurse no deeper than there are variables.
type zbdd struct {
	weight []int32 // by variable: what it counts towards an order; nil: 1 each
	vars   []int32 // the terminals are past every variable
	lo, hi []zref  // families of sets without and with the variable

	unique []zref // open addressing; 0 is free
	cache  []zcached
	budget int // nodes; beyond it operations panic with errBudget
	meter      // does the same

	mostCached int // entries of cache
}

// zref is a family in a zbdd.
type zref int32

const (
	zempty zref = 0 // no set
	zunit  zref = 1 // the empty set only
)

const terminal = 1<<31 - 1

type zcached struct {
	op      int32 // operation and remaining order
	f, g, r zref
}

const (
	opOr = iota
	opWithout
	opTrunc
	opRefuted // by minimal
	opAnd     // last: the remaining order is added to it
)

// work is what was done so far, in nodes.
func (z *zbdd) work() int { return max(len(z.vars), z.budget-z.steps()/stepsPerNode) }

// newZBDD returns a store for up to budget nodes, of which some hint nodes are expected; done is a meter's.
func newZBDD(budget, hint int, done <-chan struct{}) *zbdd {
	table := 1 << bits.Len(uint(min(max(hint, 16), 1<<12)))
	return &zbdd{
		vars:   []int32{terminal, terminal},
		lo:     []zref{0, 1},
		hi:     []zref{0, 1},
		unique: make([]zref, table),
		cache:  make([]zcached, table),
		budget: budget,
		meter:  newMeter(budget, done),

		mostCached: 1 << 22,
	}
}

func hash3(a, b, c uint32) uint32 {
	h := uint64(a)*0x9e3779b97f4a7c15 + uint64(b)*0xc2b2ae3d27d4eb4f + uint64(c)*0x165667b19e3779f9
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	return uint32(h >> 32)
}

// node returns the family lo ∪ {s ∪ {v} : s in hi}.
func (z *zbdd) node(v int32, lo, hi zref) zref {
	if hi == zempty {
		return lo
	}
	mask := uint32(len(z.unique) - 1)
	at := hash3(uint32(v), uint32(lo), uint32(hi)) & mask
	for z.unique[at] != 0 {
		if n := z.unique[at]; z.vars[n] == v && z.lo[n] == lo && z.hi[n] == hi {
			return n
		}
		at = (at + 1) & mask
	}
	if len(z.vars) >= z.budget {
		panic(errBudget{})
	}
	n := zref(len(z.vars))
	z.vars = append(z.vars, v)
	z.lo = append(z.lo, lo)
	z.hi = append(z.hi, hi)
	z.unique[at] = n
	if 2*len(z.vars) > len(z.unique) {
		z.grow()
	}
	return n
}

func (z *zbdd) grow() {
	z.unique = make([]zref, 4*len(z.unique))
	z.index()
	if len(z.cache) < z.mostCached {
		z.cache = make([]zcached, min(2*len(z.unique), max(z.mostCached, len(z.cache))))
	}
}

// index enters all families in unique, which is empty.
func (z *zbdd) index() {
	mask := uint32(len(z.unique) - 1)
	for n := zref(2); int(n) < len(z.vars); n++ {
		at := hash3(uint32(z.vars[n]), uint32(z.lo[n]), uint32(z.hi[n])) & mask
		for z.unique[at] != 0 {
			at = (at + 1) & mask
		}
		z.unique[at] = n
	}
}

// compact drops the families on which none of those that are kept stands, and says where the others are now.
func (z *zbdd) compact(kept []zref) (at []zref) {
	at = make([]zref, len(z.vars))
	at[zunit] = zunit
	for _, f := range kept {
		if f > zunit {
			at[f] = f
		}
	}
	for n := len(at) - 1; n > int(zunit); n-- { // a node is made after its children
		if at[n] != 0 {
			at[z.lo[n]], at[z.hi[n]] = z.lo[n], z.hi[n]
		}
	}
	end := zunit + 1
	for n := zunit + 1; int(n) < len(at); n++ {
		if at[n] != 0 {
			z.vars[end], z.lo[end], z.hi[end] = z.vars[n], at[z.lo[n]], at[z.hi[n]]
			at[n] = end
			end++
		}
	}
	z.vars, z.lo, z.hi = z.vars[:end], z.lo[:end], z.hi[:end]
	clear(z.unique)
	clear(z.cache)
	z.index()
	return at
}

func (z *zbdd) cached(op int32, f, g zref) (zref, bool) {
	z.step()
	c := &z.cache[hash3(uint32(op), uint32(f), uint32(g))&uint32(len(z.cache)-1)]
	return c.r, c.op == op && c.f == f && c.g == g && (f|g) != 0
}

func (z *zbdd) keep(op int32, f, g, r zref) zref {
	z.cache[hash3(uint32(op), uint32(f), uint32(g))&uint32(len(z.cache)-1)] = zcached{op, f, g, r}
	return r
}

// single is the family of the one set {v}.
func (z *zbdd) single(v int32) zref { return z.node(v, zempty, zunit) }

// or is the minimal sets of f and g.
func (z *zbdd) or(f, g zref) zref {
	switch {
	case f == zempty || f == g:
		return g
	case g == zempty:
		return f
	case f == zunit || g == zunit:
		return zunit
	}
	if f > g {
		f, g = g, f
	}
	if r, ok := z.cached(opOr, f, g); ok {
		return r
	}
	var r zref
	vf, vg := z.vars[f], z.vars[g]
	switch {
	case vf < vg:
		lo := z.or(z.lo[f], g)
		r = z.node(vf, lo, z.without(z.hi[f], lo))
	case vf > vg:
		lo := z.or(f, z.lo[g])
		r = z.node(vg, lo, z.without(z.hi[g], lo))
	default:
		lo := z.or(z.lo[f], z.lo[g])
		r = z.node(vf, lo, z.without(z.or(z.hi[f], z.hi[g]), lo))
	}
	return z.keep(opOr, f, g, r)
}

// without is the sets of f that contain no set of g.
func (z *zbdd) without(f, g zref) zref {
	switch {
	case g == zempty || f == zempty:
		return f
	case g == zunit || f == g:
		return zempty
	case f == zunit:
		return zunit
	}
	// Sets of g with variables before f's first are in no set of f.
	for z.vars[g] < z.vars[f] {
		g = z.lo[g]
		z.step()
	}
	switch {
	case g == zempty:
		return f
	case g == zunit || f == g:
		return zempty
	}
	if r, ok := z.cached(opWithout, f, g); ok {
		return r
	}
	var r zref
	vf := z.vars[f]
	if vf < z.vars[g] {
		r = z.node(vf, z.without(z.lo[f], g), z.without(z.hi[f], g))
	} else {
		hi := z.without(z.hi[f], z.lo[g])
		r = z.node(vf, z.without(z.lo[f], z.lo[g]), z.without(hi, z.hi[g]))
	}
	return z.keep(opWithout, f, g, r)
}

// and is the minimal sets among the unions of a set of f and one of g, those of at most order elements.
func (z *zbdd) and(f, g zref, order int32) zref {
	switch {
	case f == zempty || g == zempty || order < 0:
		return zempty
	case f == zunit:
		return z.trunc(g, order)
	case g == zunit || f == g:
		return z.trunc(f, order)
	case order == 0:
		return zempty // neither holds the empty set, since families are minimal
	}
	if f > g {
		f, g = g, f
	}
	if r, ok := z.cached(opAnd+order, f, g); ok {
		return r
	}
	var r zref
	vf, vg := z.vars[f], z.vars[g]
	rest := z.rest(order, min(vf, vg))
	switch {
	case vf < vg:
		lo := z.and(z.lo[f], g, order)
		r = z.node(vf, lo, z.without(z.and(z.hi[f], g, rest), lo))
	case vf > vg:
		lo := z.and(f, z.lo[g], order)
		r = z.node(vg, lo, z.without(z.and(f, z.hi[g], rest), lo))
	default:
		lo := z.and(z.lo[f], z.lo[g], order)
		hi := z.or(z.and(z.hi[f], z.or(z.lo[g], z.hi[g]), rest), z.and(z.lo[f], z.hi[g], rest))
		r = z.node(vf, lo, z.without(hi, lo))
	}
	return z.keep(opAnd+order, f, g, r)
}

// rest is what is left of order with variable v taken.
func (z *zbdd) rest(order, v int32) int32 {
	switch {
	case order == AnyOrder:
		return AnyOrder
	case z.weight == nil:
		return order - 1
	}
	return order - z.weight[v]
}

// trunc is the sets of f of at most order elements.
func (z *zbdd) trunc(f zref, order int32) zref {
	switch {
	case order < 0:
		return zempty
	case f <= zunit || order == AnyOrder:
		return f
	case order == 0:
		return zempty // a minimal family that holds the empty set is zunit
	}
	// The order stands where other operations have a family; it cannot be mistaken for one, op being different.
	if r, ok := z.cached(opTrunc, f, zref(order)); ok {
		return r
	}
	r := z.node(z.vars[f], z.trunc(z.lo[f], order), z.trunc(z.hi[f], z.rest(order, z.vars[f])))
	return z.keep(opTrunc, f, zref(order), r)
}

// atLeast is the minimal sets, of at most order, that are unions of sets of k or more of the families.
func (z *zbdd) atLeast(k int32, of []zref, order int32) zref {
	// From the last variables to the first: adding in front is cheap.
	slices.SortStableFunc(of, func(f, g zref) int { return int(z.vars[g]) - int(z.vars[f]) })
	reach := make([]zref, k+1) // reach[j]: j or more of those looked at so far
	reach[0] = zunit
	most := int32(0) // the largest j of which there are sets within the order
	for i, f := range of {
		left := int32(len(of) - 1 - i)
		// What cannot become k any more is not needed.
		for j := min(k, most+1); j >= max(1, k-left); j-- {
			if reach[j] = z.or(reach[j], z.and(reach[j-1], f, order)); reach[j] != zempty {
				most = max(most, j)
			}
		}
	}
	return reach[k]
}

// any is the minimal sets of all the families. It sorts them.
func (z *zbdd) any(of []zref) zref {
	if len(of) > 2 {
		slices.SortFunc(of, func(f, g zref) int { return int(z.vars[g]) - int(z.vars[f]) })
	}
	all := zempty
	for _, f := range of {
		all = z.or(all, f)
	}
	return all
}

// all is the minimal sets, of at most order, that are unions of a set of each of the families. It sorts them.
func (z *zbdd) all(of []zref, order int32) zref {
	if len(of) > 2 {
		slices.SortFunc(of, func(f, g zref) int { return int(z.vars[g]) - int(z.vars[f]) })
	}
	all := zunit
	for _, f := range of {
		if all = z.and(all, f, order); all == zempty {
			break
		}
	}
	return all
}

// formula is the minimal sets that make the unit's gate f true, or false if negated, given those of its operands.
func (z *zbdd) formula(f formula, negated bool, operand func(Ref) zref, order int32) zref {
	of := make([]zref, len(f.of))
	k := f.k
	sign := Ref(0)
	if negated {
		k, sign = int32(len(of))-k+1, 1
	}
	for i, r := range f.of {
		of[i] = operand(r ^ sign)
	}
	return z.atLeast(k, of, order)
}
