package redundancy

// Singles keeps the single points of failure of every node up to date while nodes fail and are repaired. After each
// change of the Live only those sets are found again of which a member's set or state changed; where a set turns out as
// it was, what depends on it is left alone.
//
// Several may stand on one Live, one for each domain. Memory follows the sum of the sets' sizes, so a Singles is for
// models in which single points of failure are few.
type Singles struct {
	k     *killers
	large int // places beyond which all is found anew

	queue  heap   // ranks of nodes to look at
	queued []bool // by node

	changed []Node
}

// NewSingles finds the single points of failure of every node, among the components that may fail (mayFail nil: all).
// mayFail must give the same answers later.
func NewSingles(l *Live, mayFail func(Node) bool) *Singles {
	s := &Singles{
		k:      newKillers(l, mayFail, 0),
		queued: make([]bool, l.s.Len()),
	}
	s.rebuild()
	return s
}

func (s *Singles) rebuild() {
	s.k.arrays, s.k.bases, s.k.places = [][]Node{make([]Node, 0, len(s.queued))}, nil, 0 // answers given earlier keep the old ones
	s.k.forgetMarks()
	for _, n := range s.k.l.s.order {
		s.find(n)
	}
	s.large = 2*s.k.places + 1<<16
}

// find sets n's set, those of its members being known.
func (s *Singles) find(n Node) {
	if s.k.l.works[n] {
		s.k.add(n)
	} else {
		s.k.spans[n] = span{}
	}
}

// Of are n's single points of failure, in no particular order; empty too while n is down. The slice must not be changed.
func (s *Singles) Of(n Node) []Node {
	if s.k.spans[n].size == 0 {
		return nil
	}
	return s.k.elements(s.k.spans[n])
}

// Update takes in a change of the Live: what SetFailed returned. It returns the nodes whose single points of failure
// changed, what is required before what requires it; the slice is valid until the next call. It must be called after
// every change of the Live.
func (s *Singles) Update(changed []Node) []Node {
	s.changed = s.changed[:0]
	for _, n := range changed {
		s.push(n)
		s.pushOwners(n)
	}
	for len(s.queue) > 0 {
		n := s.pop()
		if s.refind(n) {
			s.changed = append(s.changed, n)
			s.pushOwners(n)
		}
	}
	if s.k.places > s.large {
		s.rebuild()
	}
	return s.changed
}

// refind says whether n's set is another one now. If not, the old one stays and the new one's place is given back.
func (s *Singles) refind(n Node) bool {
	old, before := s.k.spans[n], s.k.save()
	s.find(n)
	if !s.k.equal(old, s.k.spans[n]) {
		return true
	}
	s.k.spans[n] = old
	s.k.restore(before)
	return false
}

func (k *killers) equal(p, q span) bool {
	if p == q || p.size == 0 && q.size == 0 {
		return true
	}
	if p.size != q.size {
		return false
	}
	marks, same := k.marks(p), true
	k.each(q, func(e Node) { same = same && marks.knows(e) })
	return same
}

func (s *Singles) pushOwners(n Node) {
	for _, r := range s.k.l.s.usesOf(n) {
		s.push(s.k.l.s.owner[r])
	}
}

func (s *Singles) push(n Node) {
	if s.queued[n] {
		return
	}
	s.queued[n] = true
	s.queue.push(s.k.l.s.rank[n])
}

func (s *Singles) pop() Node {
	n := s.k.l.s.order[s.queue.pop()]
	s.queued[n] = false
	return n
}
