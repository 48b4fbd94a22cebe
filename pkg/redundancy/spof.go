package redundancy

// SPOFs are the single points of failure of each of tops, given what has failed: the components that may fail
// (mayFail nil: every component) whose failure alone would take it down. The answers come in the order of tops, each
// without duplicates and in no particular order; nil for a top that is down already.
//
// All are found in one pass from the bottom over the cone of tops: a node that needs all of its members is killed by
// whatever kills one of them, one that can spare m members by what kills more than m of them at once. Answers share
// memory and must not be changed.
func (l *Live) SPOFs(mayFail func(Node) bool, tops ...Node) [][]Node {
	cone := l.s.order // where most of it is asked for, a walk costs more than it saves
	if len(tops) < l.s.Len()/4 {
		cone = l.workingCone(tops)
	}
	k := newKillers(l, mayFail, 2*len(cone))
	for _, n := range cone {
		if l.works[n] {
			k.add(n)
		}
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

// killers finds, per node, the set of components that kill it alone. Sets grow from the bottom to the top, so that one is
// mostly another with little added. A small set is a span of a common array. A large one has an array of its own, in
// which what is added to it goes behind, the smaller set being the beginning of the larger one; or, where that place is
// taken, it refers to the smaller set. So the sets of a chain of 100,000 nodes take 100,000 places.
type killers struct {
	l       *Live
	mayFail func(Node) bool
	spans   []span // by node
	arrays  [][]Node
	bases   []span // sets that others refer to
	small   int    // elements of a set that has no array of its own
	places  int    // elements in all arrays

	// A large set's marks are kept apart from the others', so that those of one that only grows need not be made anew
	// because of the small sets that are found meanwhile.
	tally, largeTally tally

	parts []span

	touched   int32 // the array of its own that was made longer since save, if any
	untouched int   // how long it was
}

// tally counts how often elements were seen.
type tally struct {
	count []uint32 // base plus how often; anything below base means never
	base  uint32
	room  uint32 // counts above base that may be in use
	// marked is the set whose elements, and no others, have been seen since base was set.
	marked span
}

// span is a set: arrays[array][from:to] and, with under > 0, what is in bases[under-1]. With from < 0 it is the set of
// the one node ^from.
type span struct {
	from, to int32
	array    int32
	under    int32
	size     int32
}

func newKillers(l *Live, mayFail func(Node) bool, places int) *killers {
	return &killers{
		l:       l,
		mayFail: mayFail,
		spans:   make([]span, l.s.Len()),
		arrays:  [][]Node{make([]Node, 0, places)},
		small:   16,
		tally:   tally{count: make([]uint32, l.s.Len())},
	}
}

func single(n Node) span { return span{from: int32(^n), size: 1} }

func (k *killers) place(p span) []Node { return k.arrays[p.array][p.from:p.to:p.to] }

// elements are shared if they lie in one place.
func (k *killers) elements(p span) []Node {
	if p.from >= 0 && p.under == 0 {
		return k.place(p)
	}
	all := make([]Node, 0, p.size)
	k.each(p, func(e Node) { all = append(all, e) })
	return all
}

func (k *killers) each(p span, do func(Node)) {
	for {
		if p.from < 0 {
			do(Node(^p.from))
			return
		}
		for _, e := range k.arrays[p.array][p.from:p.to] {
			do(e)
		}
		if p.under == 0 {
			return
		}
		p = k.bases[p.under-1]
	}
}

// add finds the set of n, those of its working members being known.
func (k *killers) add(n Node) {
	s := k.l.s
	first, last := s.reqs[n], s.reqs[n+1]
	if last-first == 1 && s.of[last]-s.of[first] == 1 && !s.gate[n] && (k.mayFail == nil || k.mayFail(n)) {
		// What hangs on one thing is most of a data centre, and mostly that thing has no other killer than itself.
		if p := k.spans[s.members[s.of[first]]]; p.size == 1 && p.from < 0 {
			array := append(k.arrays[0], Node(^p.from), n)
			end := int32(len(array))
			k.arrays[0] = array
			k.places += 2
			k.spans[n] = span{from: end - 2, to: end, size: 2}
			return
		}
	}
	k.parts = k.parts[:0]
	for r := first; r < last; r++ {
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
		grown := k.with(set, n)
		if k.largeTally.marked == set && set.size > 0 {
			k.largeTally.saw(n)
			k.largeTally.marked = grown
		}
		set = grown
	}
	k.spans[n] = set
}

func (k *killers) addPart(p span) {
	if p.size > 0 {
		k.parts = append(k.parts, p)
	}
}

// addShared adds to parts what is in the sets of more than slack of the working members of r.
func (k *killers) addShared(r int32, slack uint32) {
	members := k.l.s.membersOf(r)
	sets, same, first := uint32(0), true, span{}
	for _, m := range members {
		if !k.l.works[m] || k.spans[m].size == 0 {
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
	k.tally.start(uint32(len(members)))
	array := k.arrays[0]
	from := len(array)
	for _, m := range members {
		if k.l.works[m] {
			k.each(k.spans[m], func(e Node) {
				if k.tally.saw(e) == slack+1 {
					array = append(array, e)
				}
			})
		}
	}
	k.arrays[0] = array
	k.places += len(array) - from
	k.addPart(span{from: int32(from), to: int32(len(array)), size: int32(len(array) - from)})
}

// start forgets what was seen and leaves room to count up to most.
func (t *tally) start(most uint32) {
	t.marked = span{}
	if t.base > 1<<30 {
		clear(t.count)
		t.base = 0
	}
	t.base += t.room + 1
	t.room = most
}

// saw counts e and returns how often it was seen.
func (t *tally) saw(e Node) uint32 {
	t.count[e] = max(t.count[e], t.base) + 1
	return t.count[e] - t.base
}

func (t *tally) knows(e Node) bool { return t.count[e] > t.base }

// marks are the elements of p, and no others.
func (k *killers) marks(p span) *tally {
	t := &k.tally
	if int(p.size) >= k.small {
		t = &k.largeTally
		if t.count == nil {
			t.count = make([]uint32, k.l.s.Len())
		}
	}
	if p != t.marked {
		t.start(1)
		k.each(p, func(e Node) { t.saw(e) })
		t.marked = p
	}
	return t
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
		if p.size > k.parts[largest].size {
			largest = i
		}
	}
	set := k.parts[largest]
	seen := k.marks(set)
	for i, p := range k.parts {
		if i == largest {
			continue
		}
		k.each(p, func(e Node) {
			if !seen.knows(e) {
				seen.saw(e)
				set = k.with(set, e)
				seen.marked = set
			}
		})
	}
	return set
}

// with is the set p and e, which is not in it.
func (k *killers) with(p span, e Node) span {
	if p.size == 0 {
		return single(e)
	}
	whole := k.extensible(p)
	k.arrays[whole.array] = append(k.arrays[whole.array], e)
	k.places++
	whole.to++
	whole.size++
	return whole
}

// extensible is the set p at the end of an array.
func (k *killers) extensible(p span) span {
	last := p.from >= 0 && int(p.to) == len(k.arrays[p.array])
	switch {
	case last && (p.array > 0 || int(p.to-p.from) < k.small):
		if p.array > 0 && k.touched != p.array {
			k.touched, k.untouched = p.array, int(p.to)
		}
		return p
	case int(p.size) < k.small:
		array := k.arrays[0]
		from := int32(len(array))
		switch {
		case p.from < 0:
			array = append(array, Node(^p.from))
		case p.under == 0:
			array = append(array, k.place(p)...)
		default:
			k.each(p, func(e Node) { array = append(array, e) })
		}
		k.arrays[0] = array
		k.places += int(p.size)
		return span{from: from, to: from + p.size, size: p.size}
	case p.array == 0 && p.from >= 0 && p.under == 0:
		k.arrays = append(k.arrays, append(make([]Node, 0, 2*p.size), k.place(p)...))
		k.places += int(p.size)
		return span{to: p.size, array: int32(len(k.arrays) - 1), size: p.size}
	}
	k.bases = append(k.bases, p)
	end := int32(len(k.arrays[0]))
	return span{from: end, to: end, under: int32(len(k.bases)), size: p.size}
}

// savepoint is where things stood before a set was found, so that it can be taken back.
type savepoint struct{ arrays, bases, first, places int }

func (k *killers) save() savepoint {
	k.touched = 0
	return savepoint{len(k.arrays), len(k.bases), len(k.arrays[0]), k.places}
}

// restore takes back the one set that was found since.
func (k *killers) restore(to savepoint) {
	k.arrays = k.arrays[:to.arrays]
	k.arrays[0] = k.arrays[0][:to.first]
	if k.touched > 0 && int(k.touched) < to.arrays {
		k.arrays[k.touched] = k.arrays[k.touched][:k.untouched]
	}
	k.bases = k.bases[:to.bases]
	k.places = to.places
	k.forgetMarks()
}

// forgetMarks is called where a set may give way to another one in the same place.
func (k *killers) forgetMarks() { k.tally.marked, k.largeTally.marked = span{}, span{} }
