package redundancy

import "slices"

// Live says which nodes work, while nodes fail and are repaired. Each requirement counts its members that work; a change
// is carried along the edges that it affects, and no others. At first nothing has failed, so that everything works.
//
// A Live belongs to one goroutine.
type Live struct {
	s      *Structure
	failed []bool
	works  []bool
	up     []int32 // members that work, per requirement
	broken []int32 // requirements that don't hold, per node

	changed []Node

	// For walks: seen[n] == walk means that this walk has been at n.
	seen []uint32
	walk uint32
}

// NewLive returns the state in which nothing has failed.
func NewLive(s *Structure) *Live {
	l := &Live{
		s:      s,
		failed: make([]bool, s.Len()),
		works:  make([]bool, s.Len()),
		up:     make([]int32, len(s.need)),
		broken: make([]int32, s.Len()),
	}
	for n := range l.works {
		l.works[n] = true
	}
	for r := range l.up {
		l.up[r] = s.of[r+1] - s.of[r]
	}
	return l
}

// Structure is what the Live stands on.
func (l *Live) Structure() *Structure { return l.s }

// Works says whether n works: it has not failed and each of its requirements holds.
func (l *Live) Works(n Node) bool { return l.works[n] }

// Failed says whether n has failed by itself, whatever it requires.
func (l *Live) Failed(n Node) bool { return l.failed[n] }

// SetFailed says that n has failed by itself, or that it has no longer. It returns the nodes whose working changed by
// that, n first if it is one of them, each once and before what it changed in turn; the slice is valid until the next
// call. A gate may be set failed too: somebody knows better than the model.
func (l *Live) SetFailed(n Node, failed bool) (changed []Node) {
	l.changed = l.changed[:0]
	if l.failed[n] == failed {
		return nil
	}
	l.failed[n] = failed
	if l.broken[n] > 0 {
		return nil
	}
	// All changes that follow go the same way, so each node changes at most once.
	l.flip(n)
	for done := 0; done < len(l.changed); done++ {
		if failed {
			l.carryFailure(l.changed[done])
		} else {
			l.carryRepair(l.changed[done])
		}
	}
	return l.changed
}

func (l *Live) flip(n Node) {
	l.works[n] = !l.works[n]
	l.changed = append(l.changed, n)
}

func (l *Live) carryFailure(n Node) {
	for _, r := range l.s.usesOf(n) {
		l.up[r]--
		if l.up[r] != l.s.need[r]-1 {
			continue
		}
		o := l.s.owner[r]
		if l.broken[o]++; l.broken[o] == 1 && !l.failed[o] {
			l.flip(o)
		}
	}
}

func (l *Live) carryRepair(n Node) {
	for _, r := range l.s.usesOf(n) {
		l.up[r]++
		if l.up[r] != l.s.need[r] {
			continue
		}
		o := l.s.owner[r]
		if l.broken[o]--; l.broken[o] == 0 && !l.failed[o] {
			l.flip(o)
		}
	}
}

// Clone returns an independent copy, to try changes on.
func (l *Live) Clone() *Live {
	return &Live{
		s:      l.s,
		failed: slices.Clone(l.failed),
		works:  slices.Clone(l.works),
		up:     slices.Clone(l.up),
		broken: slices.Clone(l.broken),
	}
}

// Margin is how many more members of n's requirement number i (in the order in which they were given) may stop working
// before it no longer holds; negative where it doesn't hold now. It counts members only: what they share is not seen.
// [Solver.Spares] sees it.
func (l *Live) Margin(n Node, i int) int {
	r := l.s.reqs[n] + int32(i)
	return int(l.up[r] - l.s.need[r])
}

// startWalk begins a walk on which visit answers true once for each node.
func (l *Live) startWalk() (visit func(Node) bool) {
	if l.seen == nil {
		l.seen = make([]uint32, l.s.Len())
	}
	if l.walk++; l.walk == 0 {
		clear(l.seen)
		l.walk = 1
	}
	return func(n Node) bool {
		if l.seen[n] == l.walk {
			return false
		}
		l.seen[n] = l.walk
		return true
	}
}
