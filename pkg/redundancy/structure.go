package redundancy

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
)

// Structure is a monotone structure function over nodes: what needs what. It never changes after Build and may be
// shared between goroutines.
type Structure struct {
	gate []bool // cannot fail by itself

	// Requirements of node n are reqs[n] up to reqs[n+1]; members of requirement r are members[of[r]:of[r+1]].
	reqs    []int32
	owner   []Node // of a requirement
	need    []int32
	of      []int32
	members []Node

	// uses[usedBy[n]:usedBy[n+1]] are the requirements that count node n, one entry for each time it is named.
	usedBy []int32
	uses   []int32

	order []Node  // what is required comes before what requires it
	rank  []int32 // position in order

	// levels are all nodes, each before what it requires, and what only one of them requires close to that; levelOf is the
	// position in it: the order of variables of families of cut sets.
	levels  []Node
	levelOf []int32
}

// Builder collects nodes and requirements. The zero Builder is ready; mistakes are reported by Build, all at once.
type Builder struct {
	gate    []bool
	owner   []Node
	need    []int
	of      []int
	members []Node
}

// Add adds a component: a node that can fail by itself.
func (b *Builder) Add() Node { return b.add(false) }

// AddGate adds a node that cannot fail by itself: a group, a service, one part of a nested requirement. A gate without
// requirements always works.
func (b *Builder) AddGate() Node { return b.add(true) }

func (b *Builder) add(gate bool) Node {
	b.gate = append(b.gate, gate)
	return Node(len(b.gate) - 1)
}

// Require says that n works only while at least need of the given nodes work. A node may have any number of
// requirements; all must hold. The slice is copied.
func (b *Builder) Require(n Node, need int, of ...Node) {
	b.owner = append(b.owner, n)
	b.need = append(b.need, need)
	b.of = append(b.of, len(b.members))
	b.members = append(b.members, of...)
}

// RequireAll says that n works only while all of the given nodes work.
func (b *Builder) RequireAll(n Node, of ...Node) {
	if len(of) > 0 {
		b.Require(n, len(of), of...)
	}
}

// Len is the number of nodes added so far.
func (b *Builder) Len() int { return len(b.gate) }

// LoopError is returned by Build when nodes require themselves through others. Each node requires the next one, and the
// last requires the first.
type LoopError struct{ Nodes []Node }

func (e *LoopError) Error() string {
	const shown = 8
	var s strings.Builder
	s.WriteString("loop: ")
	for i, n := range e.Nodes {
		if i == shown {
			fmt.Fprintf(&s, "... (%d nodes in all) ... ", len(e.Nodes))
			break
		}
		fmt.Fprintf(&s, "%d needs ", n)
	}
	fmt.Fprintf(&s, "%d", e.Nodes[0])
	return s.String()
}

// NeedError is returned by Build for a requirement that cannot hold (more needed than named) or that says nothing
// (fewer than one needed).
type NeedError struct {
	Node Node // whose requirement it is
	Need int
	Of   []Node
}

func (e *NeedError) Error() string {
	return fmt.Sprintf("node %d needs %d of %d nodes", e.Node, e.Need, len(e.Of))
}

// UnknownError is returned by Build for a node that was never added.
type UnknownError struct {
	Node Node // which was never added
	By   Node // whose requirement names it
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("node %d needs node %d, which was never added", e.By, e.Node)
}

// ErrTooLarge is returned by Build when there are more nodes, requirements or edges than int32 can number.
var ErrTooLarge = errors.New("structure too large")

// Build checks what was collected and returns it as a Structure. The error joins a *NeedError or *UnknownError for each
// mistake; if there is none, it may be one *LoopError. The Builder stays usable and shares nothing with the Structure.
func (b *Builder) Build() (*Structure, error) {
	if len(b.gate) > math.MaxInt32 || len(b.owner) >= math.MaxInt32 || len(b.members) > math.MaxInt32 {
		return nil, ErrTooLarge
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	s := &Structure{gate: append([]bool(nil), b.gate...)}
	s.layRequirements(b)
	s.layUses()
	if loop := s.sortTopologically(); loop != nil {
		return nil, &LoopError{Nodes: loop}
	}
	s.layLevels()
	return s, nil
}

func (b *Builder) requirement(r int) []Node {
	end := len(b.members)
	if r+1 < len(b.of) {
		end = b.of[r+1]
	}
	return b.members[b.of[r]:end]
}

func (b *Builder) check() error {
	var errs []error
	n := Node(len(b.gate))
	for r, owner := range b.owner {
		of := b.requirement(r)
		if owner < 0 || owner >= n {
			errs = append(errs, &UnknownError{Node: owner, By: owner})
		}
		if b.need[r] < 1 || b.need[r] > len(of) {
			errs = append(errs, &NeedError{Node: owner, Need: b.need[r], Of: append([]Node(nil), of...)})
		}
		for _, m := range of {
			if m < 0 || m >= n {
				errs = append(errs, &UnknownError{Node: m, By: owner})
			}
		}
	}
	return errors.Join(errs...)
}

// layRequirements sorts the requirements by owner, keeping the order in which they were given.
func (s *Structure) layRequirements(b *Builder) {
	n := len(s.gate)
	s.reqs = make([]int32, n+1)
	for _, owner := range b.owner {
		s.reqs[owner+1]++
	}
	for i := range n {
		s.reqs[i+1] += s.reqs[i]
	}
	at := make([]int32, len(b.owner)) // position of the builder's requirement r
	next := append([]int32(nil), s.reqs[:n]...)
	for r, owner := range b.owner {
		at[r] = next[owner]
		next[owner]++
	}
	s.owner = make([]Node, len(at))
	s.need = make([]int32, len(at))
	s.of = make([]int32, len(at)+1)
	for r := range at {
		s.owner[at[r]] = b.owner[r]
		s.need[at[r]] = int32(b.need[r])
		s.of[at[r]+1] = int32(len(b.requirement(r)))
	}
	for r := range at {
		s.of[r+1] += s.of[r]
	}
	s.members = make([]Node, len(b.members))
	for r := range at {
		copy(s.members[s.of[at[r]]:], b.requirement(r))
	}
}

func (s *Structure) layUses() {
	n := len(s.gate)
	s.usedBy = make([]int32, n+1)
	for _, m := range s.members {
		s.usedBy[m+1]++
	}
	for i := range n {
		s.usedBy[i+1] += s.usedBy[i]
	}
	s.uses = make([]int32, len(s.members))
	next := append([]int32(nil), s.usedBy[:n]...)
	for r := range s.need {
		for _, m := range s.membersOf(int32(r)) {
			s.uses[next[m]] = int32(r)
			next[m]++
		}
	}
}

// sortTopologically fills order and rank, or returns a loop.
func (s *Structure) sortTopologically() []Node {
	n := len(s.gate)
	waiting := make([]int32, n) // members not yet in order
	for r, owner := range s.owner {
		waiting[owner] += int32(len(s.membersOf(int32(r))))
	}
	s.order = make([]Node, 0, n)
	for i := range n {
		if waiting[i] == 0 {
			s.order = append(s.order, Node(i))
		}
	}
	for done := 0; done < len(s.order); done++ {
		for _, r := range s.usesOf(s.order[done]) {
			o := s.owner[r]
			if waiting[o]--; waiting[o] == 0 {
				s.order = append(s.order, o)
			}
		}
	}
	if len(s.order) < n {
		return s.findLoop(waiting)
	}
	s.rank = make([]int32, n)
	for i, node := range s.order {
		s.rank[node] = int32(i)
	}
	return nil
}

// layLevels walks down from what nothing requires, and lists nodes in the order that is contrary to that in which the walk
// leaves them.
func (s *Structure) layLevels() {
	n := len(s.gate)
	s.levels, s.levelOf = make([]Node, n), make([]int32, n)
	type frame struct {
		n    Node
		edge int32 // next in members
	}
	var stack []frame
	seen := make([]bool, n)
	enter := func(n Node) {
		if !seen[n] {
			seen[n] = true
			stack = append(stack, frame{n, s.of[s.reqs[n]]})
		}
	}
	next := int32(n)
	for root := range Node(n) {
		if len(s.usesOf(root)) > 0 {
			continue
		}
		enter(root)
		for len(stack) > 0 {
			f := &stack[len(stack)-1]
			if f.edge < s.of[s.reqs[f.n+1]] {
				f.edge++
				enter(s.members[f.edge-1])
				continue
			}
			next--
			s.levels[next], s.levelOf[f.n] = f.n, next
			stack = stack[:len(stack)-1]
		}
	}
}

// findLoop follows, from any node that is waiting, what it waits for, until it comes by a node for the second time.
func (s *Structure) findLoop(waiting []int32) []Node {
	var at Node
	for waiting[at] == 0 {
		at++
	}
	seen := map[Node]int{}
	var path []Node
	for {
		if first, again := seen[at]; again {
			return path[first:]
		}
		seen[at] = len(path)
		path = append(path, at)
		at = s.waitsFor(at, waiting)
	}
}

func (s *Structure) waitsFor(n Node, waiting []int32) Node {
	for r := s.reqs[n]; r < s.reqs[n+1]; r++ {
		for _, m := range s.membersOf(r) {
			if waiting[m] > 0 {
				return m
			}
		}
	}
	panic("redundancy: a node waits for nothing")
}

// Len is the number of nodes.
func (s *Structure) Len() int { return len(s.gate) }

// Order lists all nodes, each behind what it requires. It must not be changed.
func (s *Structure) Order() []Node { return s.order }

// IsGate says whether n cannot fail by itself.
func (s *Structure) IsGate(n Node) bool { return s.gate[n] }

// Requirements of n, in the order in which they were given; a copy.
func (s *Structure) Requirements(n Node) []Requirement {
	var reqs []Requirement
	for r := s.reqs[n]; r < s.reqs[n+1]; r++ {
		reqs = append(reqs, Requirement{Need: int(s.need[r]), Of: append([]Node(nil), s.membersOf(r)...)})
	}
	return reqs
}

// EachRequirement gives what n requires, as Requirements does, without copying; of must not be changed.
func (s *Structure) EachRequirement(n Node) iter.Seq2[int, []Node] {
	return func(yield func(need int, of []Node) bool) {
		for r := s.reqs[n]; r < s.reqs[n+1]; r++ {
			if !yield(int(s.need[r]), s.membersOf(r)) {
				return
			}
		}
	}
}

func (s *Structure) membersOf(r int32) []Node { return s.members[s.of[r]:s.of[r+1]] }
func (s *Structure) usesOf(n Node) []int32    { return s.uses[s.usedBy[n]:s.usedBy[n+1]] }
