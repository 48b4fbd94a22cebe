package redundancy

import "math"

// Gauge keeps the spares of every top of a Forest up to date while nodes of a Live fail and are repaired, and the
// probability of their being down. After each change only the modules with what changed, and those that stand on a
// module of which the answer changed, are looked at again. Several may stand on one Forest and one Live, one for each
// domain. It belongs to the goroutine that owns the Live.
type Gauge struct {
	f    *Forest
	l    *Live
	mayF func(Node) bool
	p    func(Node) float64

	distance []int32 // by unit
	chance   []chance

	queue  heap
	queued []bool

	underGate map[Node]int // tops with failed gates below them: how many
	solver    *Solver      // for these and for what is too hard
	searched  map[Node]Spares

	d       distances
	level   []chance
	nodes   []chance
	changed []Node
}

// NewGauge returns the spares for what has failed in l, if what may fail further is mayFail (nil: every component). With
// p, the probabilities of components to be down, it keeps probabilities too. Neither function may change its answers.
func (f *Forest) NewGauge(l *Live, mayFail func(Node) bool, p func(Node) float64) *Gauge {
	g := &Gauge{
		f: f, l: l, mayF: mayFail, p: p,
		distance:  make([]int32, len(f.units)),
		queued:    make([]bool, len(f.units)),
		underGate: map[Node]int{},
		searched:  map[Node]Spares{},
	}
	if p != nil {
		g.chance = make([]chance, len(f.units))
	}
	for u := range f.units {
		g.evaluate(int32(u))
	}
	for n := range Node(f.s.Len()) {
		if f.s.gate[n] && l.Failed(n) {
			g.underFailedGate(n, 1)
		}
	}
	return g
}

// evaluate says whether the unit's distance and its probability changed.
func (g *Gauge) evaluate(u int32) (moved, likelier bool) {
	unit := &g.f.units[u]
	g.d.units = g.distance
	d := g.d.unit(&unit.compiled, g.cost)
	moved = d != g.distance[u]
	g.distance[u] = d
	if g.p == nil {
		return moved, false
	}
	c := g.chanceOf(&unit.compiled)
	likelier = c != g.chance[u]
	g.chance[u] = c
	return moved, likelier
}

func (g *Gauge) cost(component int) int32 {
	n := Node(component)
	switch {
	case g.l.failed[n]:
		return 0
	case g.mayF == nil || g.mayF(n):
		return 1
	}
	return far
}

func (g *Gauge) chanceOf(u *compiled) chance {
	g.level = u.chancesByLevel(g.level[:0], func(component int) float64 {
		if g.l.failed[component] {
			return 1
		}
		return g.p(Node(component))
	}, g.chance)
	g.nodes = u.chances(g.nodes[:0], g.level)
	return u.chanceFrom(g.nodes)
}

// Update takes in that n was set failed, or no longer failed, in the Live; it must be called after each such change,
// whether or not that changed what works. It returns the tops of which the spares may have changed, some perhaps twice;
// the slice is valid until the next call.
func (g *Gauge) Update(n Node) (changed []Node) {
	g.changed = g.changed[:0]
	clear(g.searched)
	if g.f.s.gate[n] {
		by := -1
		if g.l.Failed(n) {
			by = 1
		}
		g.underFailedGate(n, by)
		return g.changed
	}
	if len(g.underGate) > 0 || g.f.hard {
		for _, top := range g.f.s.Dependants(n) {
			if u, is := g.f.tops[top]; is && (u == hardUnit || g.underGate[top] > 0) {
				g.changed = append(g.changed, top)
			}
		}
	}
	for _, u := range g.f.users[n] {
		g.push(u)
	}
	for len(g.queue) > 0 {
		u := g.queue.pop()
		g.queued[u] = false
		moved, likelier := g.evaluate(u)
		if moved {
			g.changed = append(g.changed, g.f.units[u].tops...)
		}
		if moved || likelier {
			for _, user := range g.f.units[u].users {
				g.push(user)
			}
		}
	}
	return g.changed
}

func (g *Gauge) push(u int32) {
	if !g.queued[u] {
		g.queued[u] = true
		g.queue.push(u)
	}
}

func (g *Gauge) underFailedGate(n Node, by int) {
	for _, top := range g.f.s.Dependants(n) {
		if _, is := g.f.tops[top]; is {
			if g.underGate[top] += by; g.underGate[top] == 0 {
				delete(g.underGate, top)
			}
			g.changed = append(g.changed, top)
		}
	}
}

// Spares of a top. Of one that was too hard to compile, or has failed gates below it, they are searched for, within
// DefaultBudget.
func (g *Gauge) Spares(top Node) Spares {
	u := g.f.tops[top]
	if u == hardUnit || g.underGate[top] > 0 {
		return g.search(top)
	}
	if u == noUnit || g.distance[u] >= far {
		return Spares{None: true}
	}
	return Spares{N: int(g.distance[u]) - 1}
}

func (g *Gauge) search(top Node) Spares {
	if known, ok := g.searched[top]; ok {
		return known
	}
	if g.solver == nil {
		g.solver = NewSolver(g.f.s)
	}
	spares := g.solver.search(Question{Top: top, Failed: g.l.Failed, MayFail: g.mayF})
	g.searched[top] = spares
	return spares
}

// Probability of a top's being down, given what has failed and the others' being down independently. It is not known for
// a top that was too hard to compile, nor under failed gates, nor without p.
func (g *Gauge) Probability(top Node) (p float64, known bool) {
	u := g.f.tops[top]
	switch {
	case g.p == nil || u == hardUnit || g.underGate[top] > 0:
		return 0, false
	case u == noUnit:
		return 0, true
	}
	return g.chance[u].holds, !math.IsNaN(g.chance[u].holds)
}
