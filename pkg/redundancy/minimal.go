package redundancy

// minimal finds the minimal solutions of a diagram: the smallest sets of variables that, all others being false, make it
// true; after Rauzy, "New algorithms for fault trees analysis", Reliability Engineering and System Safety 40 (1993). Of
// a function that is not monotone they are the minimal cut sets of its coherent hull.
type minimal struct {
	c        *compiled
	z        *zbdd
	monotone bool
	known    map[int32][]zref // by order: by bref, plus one
	cells    int              // in known
}

// mostCells bounds what is remembered, for each node of a budget.
const mostCells = 16

// minimalSets are the minimal solutions of at most order elements, unless that takes more than z's budget.
func (c *compiled) minimalSets(z *zbdd, order int32) (f family, ok bool) {
	defer recoverBudget(&ok)
	m := &minimal{c: c, z: z, monotone: c.monotone, known: map[int32][]zref{}}
	return m.z.keepFamily(m.of(c.root, order), c.vars), true
}

func (m *minimal) of(f bref, order int32) zref {
	switch {
	case f == bfalse || order < 0:
		return zempty
	case f == btrue:
		return zunit
	}
	m.z.step()
	known := m.known[order]
	if known == nil {
		if m.cells += 2 * len(m.c.nodes); m.cells > mostCells*m.z.budget {
			panic(errBudget{})
		}
		known = make([]zref, 2*len(m.c.nodes))
		m.known[order] = known
	}
	if r := known[f]; r > 0 {
		return r - 1
	}
	n := m.c.nodes[f>>1]
	lo := m.of(n.lo^f&1, order)
	hi := m.of(n.hi^f&1, m.z.rest(order, n.level))
	if m.monotone {
		hi = m.refuted(hi, n.lo^f&1)
	} else {
		hi = m.z.without(hi, lo)
	}
	r := m.z.node(n.level, lo, hi)
	known[f] = r + 1
	return r
}

// refuted is the sets that don't make f true, f being monotone: those that contain no solution of f.
func (m *minimal) refuted(sets zref, f bref) zref {
	switch {
	case f == btrue:
		return zempty
	case f == bfalse || sets <= zunit:
		return sets // a monotone function is true of the empty set only if it is constant
	}
	for m.c.nodes[f>>1].level < m.z.vars[sets] {
		f = m.c.nodes[f>>1].lo ^ f&1 // no set has the variable
	}
	if f <= bfalse {
		return m.refuted(sets, f)
	}
	if r, ok := m.z.cached(opRefuted, sets, zref(f)); ok {
		return r
	}
	n, level := m.c.nodes[f>>1], m.z.vars[sets]
	lo, hi := f, f
	if n.level == level {
		lo, hi = n.lo^f&1, n.hi^f&1
	}
	r := m.z.node(level, m.refuted(m.z.lo[sets], lo), m.refuted(m.z.hi[sets], hi))
	return m.z.keep(opRefuted, sets, zref(f), r)
}
