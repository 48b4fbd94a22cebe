package redundancy

// SPOFs are the single points of failure of each of tops, given what has failed: the components that may fail
// (mayFail nil: every component) whose failure alone would take it down. The answers come in the order of tops, each
// without duplicates and in no particular order; nil for a top that is down already.
//
// All are found in one pass from the bottom over the cone of tops: a node that needs all of its members is killed by
// whatever kills one of them, one that can spare m members by what kills more than m of them at once. Answers share
// memory and must not be changed.
func (l *Live) SPOFs(mayFail func(Node) bool, tops ...Node) [][]Node {
	k := &killers{l: l, mayFail: mayFail, spans: make([]span, l.s.Len()), count: make([]uint32, l.s.Len())}
	cone := l.workingCone(tops)
	k.arena = make([]Node, 0, 2*len(cone))
	for _, n := range cone {
		k.add(n)
	}
	answers := make([][]Node, len(tops))
	for i, top := range tops {
		if l.works[top] {
			answers[i] = k.elements(k.spans[top])
		}
	}
	return answers
}

// workingCone are the nodes that work among tops and what they require, members before owners.
func (l *Live) workingCone(tops []Node) []Node {
	type frame struct {
		n    Node
		edge int32 // next in members
	}
	visit := l.startWalk()
	s := l.s
	cone := make([]Node, 0, 2*len(tops))
	var stack []frame
	push := func(n Node) {
		if l.works[n] && visit(n) {
			stack = append(stack, frame{n, s.of[s.reqs[n]]})
		}
	}
	for _, top := range tops {
		push(top)
		for len(stack) > 0 {
			f := &stack[len(stack)-1]
			if f.edge < s.of[s.reqs[f.n+1]] {
				f.edge++
				push(s.members[f.edge-1])
				continue
			}
			cone = append(cone, f.n)
			stack = stack[:len(stack)-1]
		}
	}
	return cone
}

// killers finds, per node, the set of components that kill it alone. A set is a span of the arena. One that adds to the
// last set in the arena is that span made longer, so that the sets of a chain of 100,000 nodes take 100,000 places.
type killers struct {
	l       *Live
	mayFail func(Node) bool
	arena   []Node
	spans   []span // by node

	// count[e] is base plus how often e was seen; anything below base means never.
	count []uint32
	base  uint32
	room  uint32 // counts above base that may be in use
	// marked is the span whose elements, and no others, have been seen since base was set. While it is only made longer
	// its elements need not be looked at again.
	marked span

	parts []span
}

// span is arena[from:to]; with from < 0 it is the set of the one node ^from.
type span struct{ from, to int32 }

func single(n Node) span { return span{from: int32(^n)} }

func (p span) len() int {
	if p.from < 0 {
		return 1
	}
	return int(p.to - p.from)
}

func (k *killers) elements(p span) []Node {
	if p.from < 0 {
		return []Node{Node(^p.from)}
	}
	return k.arena[p.from:p.to:p.to]
}

func (k *killers) each(p span, do func(Node)) {
	if p.from < 0 {
		do(Node(^p.from))
		return
	}
	for _, e := range k.arena[p.from:p.to] {
		do(e)
	}
}

// add finds the set of n, those of its working members being known.
func (k *killers) add(n Node) {
	s := k.l.s
	k.parts = k.parts[:0]
	for r := s.reqs[n]; r < s.reqs[n+1]; r++ {
		if slack := k.l.up[r] - s.need[r]; slack > 0 {
			k.addShared(r, uint32(slack))
			continue
		}
		for _, m := range s.membersOf(r) {
			if k.l.works[m] {
				k.addPart(k.spans[m])
			}
		}
	}
	set := k.union()
	if !s.gate[n] && (k.mayFail == nil || k.mayFail(n)) {
		set = k.with(set, n)
	}
	k.spans[n] = set
}

func (k *killers) addPart(p span) {
	if p.len() > 0 {
		k.parts = append(k.parts, p)
	}
}

// addShared adds to parts what is in the sets of more than slack of the working members of r.
func (k *killers) addShared(r int32, slack uint32) {
	members := k.l.s.membersOf(r)
	sets, same, first := uint32(0), true, span{}
	for _, m := range members {
		if !k.l.works[m] || k.spans[m].len() == 0 {
			continue
		}
		if sets++; sets == 1 {
			first = k.spans[m]
		}
		same = same && k.spans[m] == first
	}
	switch {
	case sets <= slack:
		return
	case same:
		k.addPart(first)
		return
	}
	k.startCount(uint32(len(members)))
	from := int32(len(k.arena))
	for _, m := range members {
		if !k.l.works[m] {
			continue
		}
		k.each(k.spans[m], func(e Node) {
			if k.saw(e) == slack+1 {
				k.arena = append(k.arena, e)
			}
		})
	}
	k.addPart(span{from, int32(len(k.arena))})
}

// startCount forgets what was seen and leaves room to count up to most.
func (k *killers) startCount(most uint32) {
	k.marked = span{}
	if k.base > 1<<30 {
		clear(k.count)
		k.base = 0
	}
	k.base += k.room + 1
	k.room = most
}

// saw counts e and returns how often it was seen.
func (k *killers) saw(e Node) uint32 {
	k.count[e] = max(k.count[e], k.base) + 1
	return k.count[e] - k.base
}

// union is the set of what is in any of parts: one of them, or a span at the end of the arena.
func (k *killers) union() span {
	switch len(k.parts) {
	case 0:
		return span{}
	case 1:
		return k.parts[0]
	}
	largest := 0
	for i, p := range k.parts {
		if p.len() > k.parts[largest].len() {
			largest = i
		}
	}
	set := k.parts[largest]
	k.mark(set)
	for i, p := range k.parts {
		if i == largest || p == set {
			continue
		}
		k.each(p, func(e Node) {
			if k.count[e] <= k.base {
				set = k.with(set, e)
			}
		})
	}
	return set
}

// mark makes the elements of p the only ones seen.
func (k *killers) mark(p span) {
	if p == k.marked && p.len() > 0 {
		return
	}
	k.startCount(1)
	k.each(p, func(e Node) { k.saw(e) })
	k.marked = p
}

// with is the set p and e, which is not in it.
func (k *killers) with(p span, e Node) span {
	if p.len() == 0 {
		return single(e)
	}
	whole := p
	if p.from < 0 || int(p.to) != len(k.arena) {
		from := int32(len(k.arena))
		k.each(p, func(e Node) { k.arena = append(k.arena, e) })
		whole = span{from, int32(len(k.arena))}
	}
	k.arena = append(k.arena, e)
	whole.to++
	if k.marked == p {
		k.saw(e)
		k.marked = whole
	}
	return whole
}
