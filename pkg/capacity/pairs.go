package capacity

import (
	"cmp"
	"context"
	"slices"

	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// Grade says what is wrong with an element's load, the worst last.
type Grade uint8

// The grades.
const (
	Fine    Grade = iota
	Over          // more than may be used for long
	MayTrip       // it opens, if loads of unknown phase lie badly
	Trips
)

// Pair are two failures that together do to some elements what neither does alone.
type Pair struct {
	Fail [2]redundancy.Node
	Over []Overload // sorted by node
}

// Overload is an element that is worse off after a pair of failures than after either, or now.
type Overload struct {
	Node  redundancy.Node
	Grade Grade
	Load  Load
}

// Pairs says which pairs of failures overload something that neither of the two does.
type Pairs struct {
	Pairs []Pair // the first of them, in the order of the failures that were asked for
	Found int    // how many there are
	// Failures were asked for, Considered pairs of them, and Followed those that could not be ruled out by how much load may
	// come to the elements at most.
	Failures, Considered, Followed int
	// Whole: every pair was ruled out or followed. Otherwise there were too many, or ctx was done.
	Whole bool
}

// mostFollowed bounds the pairs that are followed.
const mostFollowed = 4 << 20

// Pairs finds, among pairs of the given failures, those that overload, or trip, an element that neither failure overloads,
// or trips, by itself. At most limit are listed; after, if not nil, is called for these as Try's is.
//
// A pair is followed only where it may matter. Failures fail what stands on them, and move the sources that may draw
// through that: an element carries after both at most what it carries now and all of those sources' load. So where that is
// no more than may be used, of any element, no element opens that does not after one of the two alone, and nothing is
// overloaded. Pairs that take the last of several providers are followed whatever the bounds say; and where one failure trips
// something, and may by the bounds overload something else, those by which the load on what trips is another one: it may
// not trip then, and something else not be relieved.
func (f *Flow) Pairs(ctx context.Context, failures []redundancy.Node, limit int, after func(*Pair, *Outcome)) *Pairs {
	s := &pairSearch{f: f, ctx: ctx, failures: failures, found: &Pairs{Failures: len(failures), Considered: len(failures) * (len(failures) - 1) / 2}}
	s.found.Whole = s.layReach() && s.singles() && s.candidates() && s.follow(limit, after)
	return s.found
}

// pairSearch is a search in the making.
type pairSearch struct {
	f        *Flow
	ctx      context.Context
	failures []redundancy.Node
	found    *Pairs

	reach   [][]reached         // by source
	readers [][]int32           // by node: sources that reach it
	bounds  []bound             // of elements that may carry too much at all
	tight   [][]int32           // by node through which load passes: bounds
	rise    [][]sourceRise      // by source
	lacks   [][]lack            // by node: requirements that count it, of nodes that matter and that may do without some
	weak    map[int32][]lacking // by requirement: who takes members of it
	spare   []int32             // by requirement: members that it can do without

	grades  [][]graded // by failure
	movers  [][]int32  // by source: failures that may move it
	tripped [][]int32  // by failure: sources that may draw through what trips
	pairs   []uint64
}

// sourceRise is by how much a bound rises at most when a source is moved.
type sourceRise struct {
	bound int32
	by    float64
}

// lack is one requirement, by number, that counts a node so many times.
type lack struct{ requirement, times int32 }

// lacking is a failure that takes so many members of a requirement.
type lacking struct{ failure, members int32 }

// graded is what a single failure does to an element.
type graded struct {
	node  redundancy.Node
	grade Grade
}

// layReach finds through what each source may draw, and which elements may carry too much if all that may comes.
func (s *pairSearch) layReach() bool {
	f := s.f
	s.reach, s.readers = make([][]reached, len(f.sources)), make([][]int32, f.n.s.Len())
	pins := map[redundancy.Node]pinSet{}
	for i := range f.sources {
		if i%256 == 0 && s.ctx.Err() != nil {
			return false
		}
		s.reach[i] = f.n.reach(&f.sources[i], pins)
		for _, r := range s.reach[i] {
			s.readers[r.node] = append(s.readers[r.node], int32(i))
		}
	}
	s.layBounds()
	s.layLacks()
	return true
}

// layBounds keeps the bounds that all the load there is would break.
func (s *pairSearch) layBounds() {
	f := s.f
	s.tight, s.rise = make([][]int32, f.n.s.Len()), make([][]sourceRise, len(f.sources))
	for _, b := range f.n.bounds() {
		b.now = b.ofLoad(&f.loads[b.at])
		all := b.now
		var rises []sourceRise
		sources := s.readers[b.at]
		for _, i := range sources {
			by := max(0, s.mostOf(i, &b)-f.carriedNow(i, &b))
			rises = append(rises, sourceRise{int32(len(s.bounds)), by})
			all += by
		}
		if all <= b.limit {
			continue
		}
		for k, i := range sources {
			if rises[k].by > 0 {
				s.rise[i] = append(s.rise[i], rises[k])
			}
		}
		s.tight[b.at] = append(s.tight[b.at], int32(len(s.bounds)))
		s.bounds = append(s.bounds, b)
	}
}

func (s *pairSearch) mostOf(i int32, b *bound) float64 {
	for _, r := range s.reach[i] {
		if r.node == b.at {
			return b.most(&s.f.sources[i].Load, r.pins)
		}
	}
	return 0
}

// carriedNow is a source's part in what a bound is now.
func (f *Flow) carriedNow(i int32, b *bound) float64 {
	sum := 0.0
	load := &f.sources[i].Load
	eachPart(f.ways[i], func(p part, frac float64) {
		switch {
		case p.node != b.at:
		case p.pin == Any:
			sum += frac * b.ofLoad(load)
		default:
			sum += frac * (b.pinned(load.Total(), p.pin) + load.W*b.watt)
		}
	})
	return sum
}

// layLacks notes the requirements, of all that what carries load stands on, that hold with some members less.
func (s *pairSearch) layLacks() {
	st := s.f.n.s
	s.lacks, s.weak = make([][]lack, st.Len()), map[int32][]lacking{}
	var reached []redundancy.Node
	for n := range redundancy.Node(st.Len()) {
		if len(s.readers[n]) > 0 {
			reached = append(reached, n)
		}
	}
	for _, n := range st.Cone(reached...) {
		for _, r := range st.Requirements(n) {
			up := 0
			for _, m := range r.Of {
				if s.f.live.Works(m) {
					up++
				}
			}
			if up <= r.Need {
				continue
			}
			number := int32(len(s.spare))
			s.spare = append(s.spare, int32(up-r.Need))
			times := map[redundancy.Node]int32{}
			for _, m := range r.Of {
				times[m]++
			}
			for m, k := range times {
				s.lacks[m] = append(s.lacks[m], lack{number, k})
			}
		}
	}
}

// singles follows every failure by itself, and notes what it does and by how much it may raise each bound.
func (s *pairSearch) singles() bool {
	s.grades, s.tripped = make([][]graded, len(s.failures)), make([][]int32, len(s.failures))
	s.movers = make([][]int32, len(s.f.sources))
	moved := make([]int32, len(s.f.sources)) // the last failure that moves a source, plus one
	for p, n := range s.failures {
		if s.ctx.Err() != nil {
			return false
		}
		o := s.f.Try([]redundancy.Node{n}, true, nil)
		s.grades[p] = s.gradesOf(o)
		for _, round := range o.Trips {
			for _, m := range round {
				s.tripped[p] = append(s.tripped[p], s.readers[m]...)
			}
		}
		slices.Sort(s.tripped[p])
		s.tripped[p] = slices.Compact(s.tripped[p])
		gone := map[redundancy.Node]bool{} // whatever trips
		for _, m := range s.f.live.SetFailed(n, true) {
			gone[m] = true
		}
		s.f.live.SetFailed(n, false)
		rises := map[int32]float64{}
		lost := map[int32]int32{}
		for _, m := range o.Down {
			for _, i := range s.readers[m] {
				if moved[i] == int32(p)+1 {
					continue
				}
				moved[i] = int32(p) + 1
				s.movers[i] = append(s.movers[i], int32(p))
				for _, r := range s.rise[i] {
					rises[r.bound] += r.by
				}
			}
			for _, l := range s.lacks[m] {
				lost[l.requirement] += l.times
			}
		}
		for b, by := range rises {
			if g := s.gradeOf(p, s.bounds[b].of); g < Trips && !gone[s.bounds[b].at] && !gone[s.bounds[b].of] {
				s.bounds[b].others = append(s.bounds[b].others, slope{int32(p), g >= Over || s.overNow(s.bounds[b].of), by})
			}
		}
		for r, members := range lost {
			if members <= s.spare[r] {
				s.weak[r] = append(s.weak[r], lacking{int32(p), members})
			}
		}
	}
	return true
}

// gradesOf are what an outcome does to elements, sorted by node.
func (s *pairSearch) gradesOf(o *Outcome) []graded {
	var list []graded
	for n, l := range o.Loads {
		if g := s.f.grade(n, &l, o); g > Fine {
			list = append(list, graded{n, g})
		}
	}
	slices.SortFunc(list, func(a, b graded) int { return cmp.Compare(a.node, b.node) })
	return list
}

// grade says what is wrong with a load that an outcome brought to an element.
func (f *Flow) grade(n redundancy.Node, l *Load, o *Outcome) Grade {
	for _, round := range o.Trips {
		if slices.Contains(round, n) {
			return Trips
		}
	}
	if slices.Contains(o.MayTrip, n) {
		return MayTrip
	}
	if u, ok := f.n.elements[n].Use(l); ok && u.Least > 1+slack {
		return Over
	}
	return Fine
}

// gradeOf is what a failure does to an element by itself.
func (s *pairSearch) gradeOf(failure int, n redundancy.Node) Grade {
	list := s.grades[failure]
	if i, ok := slices.BinarySearchFunc(list, n, func(g graded, n redundancy.Node) int { return cmp.Compare(g.node, n) }); ok {
		return list[i].grade
	}
	return Fine
}

// overNow reports whether an element carries too much as things are.
func (s *pairSearch) overNow(n redundancy.Node) bool {
	now := s.f.Load(n)
	u, ok := s.f.n.elements[n].Use(&now)
	return ok && u.Least > 1+slack
}

// candidates are the pairs that cannot be ruled out; not ok where they are too many.
func (s *pairSearch) candidates() bool {
	for i := range s.bounds {
		b := &s.bounds[i]
		slices.SortFunc(b.others, func(x, y slope) int { return cmp.Or(cmp.Compare(y.by, x.by), cmp.Compare(x.failure, y.failure)) })
		for k, x := range b.others {
			for _, y := range b.others[k+1:] {
				if b.now+x.by+y.by <= b.limit {
					break
				}
				if b.matters(x, y) {
					s.add(x.failure, y.failure)
				}
			}
			if !s.room() {
				return false
			}
		}
	}
	for r, all := range s.weak {
		for k, x := range all {
			for _, y := range all[k+1:] {
				if x.members+y.members > s.spare[r] {
					s.add(x.failure, y.failure)
				}
			}
			if !s.room() {
				return false
			}
		}
	}
	may := make([]bool, len(s.failures)) // alone carry too much somewhere where it does not trip anything, as far as the bounds say
	for i := range s.bounds {
		for _, x := range s.bounds[i].others {
			may[x.failure] = may[x.failure] || s.bounds[i].matters(x, slope{})
		}
	}
	for p, sources := range s.tripped {
		if !may[p] {
			continue
		}
		for _, i := range sources {
			for _, q := range s.movers[i] {
				if q != int32(p) {
					s.add(int32(p), q)
				}
			}
			if !s.room() {
				return false
			}
		}
	}
	s.tidy()
	return len(s.pairs) <= mostFollowed
}

// room reports whether there may be more candidates.
func (s *pairSearch) room() bool {
	if len(s.pairs) > 2*mostFollowed {
		if s.tidy(); len(s.pairs) > mostFollowed {
			return false
		}
	}
	return s.ctx.Err() == nil
}

func (s *pairSearch) add(x, y int32) {
	s.pairs = append(s.pairs, uint64(min(x, y))<<32|uint64(max(x, y)))
}

func (s *pairSearch) tidy() {
	slices.Sort(s.pairs)
	s.pairs = slices.Compact(s.pairs)
}

// follow tries every candidate.
func (s *pairSearch) follow(limit int, after func(*Pair, *Outcome)) bool {
	for _, key := range s.pairs {
		if s.ctx.Err() != nil {
			return false
		}
		p, q := int(key>>32), int(uint32(key))
		s.found.Followed++
		pair := Pair{Fail: [2]redundancy.Node{s.failures[p], s.failures[q]}}
		s.f.Try(pair.Fail[:], true, func(o *Outcome) {
			pair.Over = s.worse(o, p, q)
			if len(pair.Over) == 0 {
				return
			}
			if s.found.Found++; s.found.Found > limit {
				return
			}
			s.found.Pairs = append(s.found.Pairs, pair)
			if after != nil {
				after(&pair, o)
			}
		})
	}
	return true
}

// worse are the elements that are worse off after both failures than after either, and than now.
func (s *pairSearch) worse(o *Outcome, p, q int) []Overload {
	var list []Overload
	for n, l := range o.Loads {
		g := s.f.grade(n, &l, o)
		if g == Fine || g <= s.gradeOf(p, n) || g <= s.gradeOf(q, n) {
			continue
		}
		if g == Over && s.overNow(n) {
			continue
		}
		list = append(list, Overload{n, g, l})
	}
	slices.SortFunc(list, func(a, b Overload) int { return cmp.Compare(a.Node, b.Node) })
	return list
}
