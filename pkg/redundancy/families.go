package redundancy

import (
	"math/big"
	"math/bits"
	"slices"
)

// families are minimal cut sets in the shape of the tree's modules: per unit a zero-suppressed decision diagram whose
// variables are basic events and other units. A variable that is a unit stands for each of that unit's sets in turn.
type families struct {
	units []family // those that others stand on first; the last is the top
	least int      // elements of the smallest set; none if there is no set
	most  int      // elements of the largest set
	order int      // sets of more elements than this don't count
}

// family is one unit's diagram, without what is not reachable; nodes come after their children.
type family struct {
	vars  []variable // by level
	nodes []znode    // nodes[i] is zref i+2's
	root  zref
}

type znode struct {
	level  int32
	lo, hi zref
}

// variable is a basic event by number, or unit number ^v.
type variable int32

func (v variable) unit() (int, bool) { return int(^v), v < 0 }

// keepFamily copies what is reachable from root.
func (z *zbdd) keepFamily(root zref, vars []variable) family {
	f := family{vars: vars, root: root}
	if root <= zunit {
		return f
	}
	reach := make([]bool, root+1)
	reach[root] = true
	count := 0
	for n := root; n > zunit; n-- { // a node is made after its children
		if reach[n] {
			count++
			reach[z.lo[n]] = true
			reach[z.hi[n]] = true
		}
	}
	f.nodes = make([]znode, 0, count)
	at := make([]zref, root+1)
	at[zunit] = zunit
	for n := zunit + 1; n <= root; n++ {
		if reach[n] {
			at[n] = zref(len(f.nodes) + 2)
			f.nodes = append(f.nodes, znode{z.vars[n], at[z.lo[n]], at[z.hi[n]]})
		}
	}
	f.root = at[root]
	return f
}

// polynomial is a number of sets by number of elements: n[i] have low+i of them. Polynomials share their numbers, which
// are never written again, so that one more element costs nothing.
type polynomial struct {
	low int
	n   []*big.Int
}

var noSets = new(big.Int)

func (p polynomial) plus(q polynomial, work *int) polynomial {
	switch {
	case len(p.n) == 0:
		return q
	case len(q.n) == 0:
		return p
	case q.low < p.low:
		p, q = q, p
	}
	sum := slices.Grow(slices.Clone(p.n), max(0, q.low+len(q.n)-p.low-len(p.n)))
	*work += len(p.n) + len(q.n)
	for i, n := range q.n {
		at := q.low + i - p.low
		for len(sum) <= at {
			sum = append(sum, noSets)
			*work++
		}
		if sum[at].Sign() == 0 {
			sum[at] = n
		} else {
			sum[at] = new(big.Int).Add(sum[at], n)
		}
	}
	return polynomial{p.low, sum}
}

// times drops what is beyond order.
func (p polynomial) times(q polynomial, order int, work *int) polynomial {
	room := order + 1 - p.low - q.low
	if len(p.n) == 0 || len(q.n) == 0 || room <= 0 {
		return polynomial{}
	}
	if p.terms() > q.terms() {
		p, q = q, p
	}
	if len(p.n) == 1 && p.n[0].IsInt64() && p.n[0].Int64() == 1 {
		return polynomial{p.low + q.low, q.n[:min(len(q.n), room)]}
	}
	product := make([]*big.Int, min(len(p.n)+len(q.n)-1, room))
	*work += len(p.n) + len(q.n) + len(product)
	var term big.Int
	for i := range product {
		product[i] = new(big.Int)
	}
	for i, a := range p.n {
		if a.Sign() == 0 {
			continue
		}
		for j, b := range q.n[:min(len(q.n), max(0, len(product)-i))] {
			if b.Sign() != 0 {
				product[i+j].Add(product[i+j], term.Mul(a, b))
				*work++
			}
		}
	}
	return polynomial{p.low + q.low, product}
}

// terms is the number of coefficients other than 0.
func (p polynomial) terms() int {
	n := 0
	for _, a := range p.n {
		n += a.Sign()
	}
	return n
}

// shift is p times q where q is one set of one element.
func (p polynomial) shift(order int) polynomial {
	if len(p.n) == 0 {
		return polynomial{}
	}
	p.low++
	p.n = p.n[:min(len(p.n), max(0, order+1-p.low))]
	return p
}

// countByOrder is the number of sets with 0, 1, 2 ... elements, up to order; not ok where that takes more additions. The work grows with nodes times the orders of their sets; what no node still needs is let go of.
func (fs families) countByOrder(order, additions int) (by []*big.Int, ok bool) {
	work := 0
	one := polynomial{n: []*big.Int{big.NewInt(1)}}
	units := make([]polynomial, len(fs.units))
	for u, f := range fs.units {
		last := make([]int, len(f.nodes)+2) // the last node that needs it
		for i, n := range f.nodes {
			last[n.lo], last[n.hi] = i, i
		}
		counts := make([]polynomial, len(f.nodes)+2)
		counts[zunit] = one
		for i, n := range f.nodes {
			if work > additions {
				return nil, false
			}
			hi := counts[n.hi]
			if below, is := f.vars[n.level].unit(); is {
				hi = hi.times(units[below], order, &work)
			} else {
				hi = hi.shift(order)
			}
			counts[i+2] = counts[n.lo].plus(hi, &work)
			for _, r := range [...]zref{n.lo, n.hi} {
				if last[r] == i {
					counts[r] = polynomial{}
				}
			}
		}
		for _, v := range f.vars {
			if below, is := v.unit(); is {
				units[below] = polynomial{} // nobody else stands on it
			}
		}
		units[u] = counts[f.root]
	}
	top := units[len(units)-1]
	for len(top.n) > 0 && top.n[len(top.n)-1].Sign() == 0 {
		top.n = top.n[:len(top.n)-1]
	}
	if len(top.n) == 0 {
		return nil, true
	}
	count := make([]*big.Int, top.low, top.low+len(top.n))
	for i := range count {
		count[i] = noSets
	}
	return append(count, top.n...), true
}

// count is the number of sets, if none is beyond the order.
func (fs families) count() *big.Int {
	units := make([]*big.Int, len(fs.units))
	for u, f := range fs.units {
		counts := make([]*big.Int, len(f.nodes)+2)
		counts[zempty], counts[zunit] = new(big.Int), big.NewInt(1)
		for i, n := range f.nodes {
			count := counts[n.hi]
			if below, is := f.vars[n.level].unit(); is {
				count = new(big.Int).Mul(count, units[below])
			}
			counts[i+2] = new(big.Int).Add(counts[n.lo], count)
		}
		units[u] = counts[f.root]
	}
	return units[len(units)-1]
}

// sizes are those of the smallest and the largest set of a family; least is more than most if there is none.
type sizes struct {
	least, most int
	// exact has bit n set if there are sets of n elements, n being less than 64.
	exact uint64
}

const none = 1 << 30

// and is the sizes of a set of one family with a set of another that shares nothing with it.
func (s sizes) and(t sizes) sizes {
	sum := sizes{least: min(s.least+t.least, none), most: max(s.most+t.most, -none)}
	for rest := s.exact; rest != 0 && t.exact != 0; rest &= rest - 1 {
		sum.exact |= t.exact << bits.TrailingZeros64(rest)
	}
	return sum
}

// or is the sizes of the sets of two families.
func (s sizes) or(t sizes) sizes {
	return sizes{least: min(s.least, t.least), most: max(s.most, t.most), exact: s.exact | t.exact}
}

// has reports whether there may be sets of n elements; of fewer than 64, whether there are.
func (s sizes) has(n int) bool {
	if n >= 0 && n < 64 {
		return s.exact>>n&1 == 1
	}
	return s.least <= n && n <= s.most
}

func (fs families) sizes() [][]sizes {
	bySet := make([][]sizes, 0, len(fs.units))
	for u := range fs.units {
		bySet = append(bySet, fs.sizesOf(u, bySet))
	}
	return bySet
}

// sizesOf are those of a unit's families, given those of the units before it.
func (fs families) sizesOf(u int, before [][]sizes) []sizes {
	f := &fs.units[u]
	size := make([]sizes, len(f.nodes)+2)
	size[zempty], size[zunit] = sizes{least: none, most: -none}, sizes{exact: 1}
	for i, n := range f.nodes {
		taken := sizes{least: 1, most: 1, exact: 2}
		if below, is := f.vars[n.level].unit(); is {
			taken = before[below][fs.units[below].root]
		}
		size[i+2] = size[n.lo].or(taken.and(size[n.hi]))
	}
	return size
}

// pending is a family from which a set is still to be chosen, and what is to be chosen from after it.
type pending struct {
	unit int
	f    zref
	next *pending
	adds sizes // elements that all choices from here on add
}

// each yields the sets as numbers of basic events, smaller sets first. The slice is reused.
func (fs families) each(yield func([]int) bool) {
	size := fs.sizes()
	choose := func(unit int, f zref, next *pending) *pending {
		p := &pending{unit: unit, f: f, next: next, adds: size[unit][f]}
		if next != nil {
			p.adds = p.adds.and(next.adds)
		}
		return p
	}
	top := len(fs.units) - 1
	whole := choose(top, fs.units[top].root, nil)
	type frame struct {
		at   *pending
		size int // of the set so far
	}
	for order := max(0, whole.adds.least); order <= min(whole.adds.most, fs.order); order++ {
		if !whole.adds.has(order) {
			continue
		}
		var set []int
		stack := []frame{{whole, 0}}
		for len(stack) > 0 {
			at := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			set = set[:at.size]
			p := at.at
			for p != nil && p.f == zunit {
				p = p.next
			}
			if p == nil {
				if len(set) == order && !yield(set) {
					return
				}
				continue
			}
			if !p.adds.has(order - len(set)) {
				continue
			}
			n := fs.units[p.unit].nodes[p.f-2]
			v := fs.units[p.unit].vars[n.level]
			if n.lo != zempty {
				stack = append(stack, frame{choose(p.unit, n.lo, p.next), len(set)})
			}
			rest := choose(p.unit, n.hi, p.next)
			if below, is := v.unit(); is {
				stack = append(stack, frame{choose(below, fs.units[below].root, rest), len(set)})
			} else {
				set = append(set, int(v))
				// what is on the stack below may cut the set shorter, and this frame comes first
				stack = append(stack, frame{rest, len(set)})
			}
		}
	}
}
