package redundancy

// minimal is the minimal solutions of a diagram: the smallest sets of variables that, all others being false, make it
// true; after Rauzy, "New algorithms for fault trees analysis", Reliability Engineering and System Safety 40 (1993). Of
// a function that is not monotone they are the minimal cut sets of its coherent hull.
type minimal struct {
	c     *compiled
	z     *zbdd
	order int32
	known map[int32][]zref // by order: by bref, plus one
}

// minimalSets are the minimal solutions of at most order elements, unless that takes more than budget.
func (c *compiled) minimalSets(order int32, weight []int32, budget int) (f family, ok bool) {
	defer recoverBudget(&ok)
	m := &minimal{c: c, z: newZBDD(budget, 4*len(c.nodes)), known: map[int32][]zref{}}
	m.z.weight = weight
	return m.z.keepFamily(m.of(c.root, order), c.vars), true
}

func (m *minimal) of(f bref, order int32) zref {
	switch {
	case f == bfalse || order < 0:
		return zempty
	case f == btrue:
		return zunit
	}
	known := m.known[order]
	if known == nil {
		known = make([]zref, 2*len(m.c.nodes))
		m.known[order] = known
	}
	if r := known[f]; r > 0 {
		return r - 1
	}
	n := m.c.nodes[f>>1]
	lo := m.of(n.lo^f&1, order)
	hi := m.of(n.hi^f&1, m.z.rest(order, n.level))
	r := m.z.node(n.level, lo, m.z.without(hi, lo))
	known[f] = r + 1
	return r
}
