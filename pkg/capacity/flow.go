package capacity

import (
	"slices"

	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// Network is where load may go.
type Network struct {
	s        *redundancy.Structure
	elements []Element
	rank     []int32
	reqs     [][]redundancy.Requirement // of the nodes that are in
	legs     map[redundancy.Node][]redundancy.Node
	shares   []bool // by node: it shares load with others, so that its weight matters
	walker   walker // reused; a network belongs to one goroutine
}

// Source is what draws load.
type Source struct {
	Taps []Tap
	Load Load
}

// Tap is where a source draws. Share is its observed part of the source's load: 0 for one that carries nothing now,
// negative where that's not known; where it is not known of one tap, all that work are taken to share evenly.
type Tap struct {
	Node  redundancy.Node
	Share float64
}

// New makes a network; elements are by node.
func New(s *redundancy.Structure, elements []Element) *Network {
	n := &Network{s: s, elements: elements, rank: make([]int32, s.Len()), reqs: make([][]redundancy.Requirement, s.Len()), legs: map[redundancy.Node][]redundancy.Node{}, shares: make([]bool, s.Len())}
	for i := range elements {
		e := &elements[i]
		if e.Derate <= 0 {
			e.Derate = 1
		}
		if e.Leg != Any {
			n.legs[e.LegOf] = append(n.legs[e.LegOf], redundancy.Node(i))
		}
	}
	for i, node := range s.Order() {
		n.rank[node] = int32(i)
	}
	for i := range elements {
		if elements[i].In || s.IsGate(redundancy.Node(i)) {
			n.reqs[i] = n.providers(redundancy.Node(i))
			for _, r := range n.reqs[i] {
				for _, m := range r.Of {
					n.shares[m] = n.shares[m] || len(r.Of) > 1
				}
			}
		}
	}
	return n
}

// Shares reports whether a node shares load with others by weight.
func (n *Network) Shares(node redundancy.Node) bool { return n.shares[node] }

// Element is what is known of a node.
func (n *Network) Element(node redundancy.Node) *Element { return &n.elements[node] }

// providers are the requirements of a node by which load may leave it: those that name elements or groups of them. A
// member that is named twice counts once.
func (n *Network) providers(node redundancy.Node) []redundancy.Requirement {
	var reqs []redundancy.Requirement
	for _, r := range n.s.Requirements(node) {
		of := slices.DeleteFunc(r.Of, func(m redundancy.Node) bool { return !n.elements[m].In && !n.s.IsGate(m) })
		slices.Sort(of)
		of = slices.Compact(of)
		if len(of) > 0 {
			reqs = append(reqs, redundancy.Requirement{Need: min(r.Need, len(of)), Of: of})
		}
	}
	return reqs
}

// part is what passes through one node of a load that enters at a tap.
type part struct {
	node redundancy.Node
	pin  Slot
	frac float64
}

// longest is how many nodes a load is followed through.
const longest = 4096

// walk follows a load from a tap, or none where the tap does not work. Each node comes once.
func (n *Network) walk(tap redundancy.Node, works func(redundancy.Node) bool) []part {
	if !works(tap) {
		return nil
	}
	w := &n.walker
	if w.at == nil {
		w.n, w.at, w.seen = n, make([]int32, n.s.Len()), make([]uint32, n.s.Len())
	}
	if w.round++; w.round == 0 {
		clear(w.seen)
		w.round = 1
	}
	w.works, w.parts, w.queue = works, w.parts[:0], w.queue[:0]
	w.meet(tap, Any, 1)
	for len(w.queue) > 0 && len(w.parts) < longest {
		i := w.at[w.pop()]
		p := w.parts[i]
		pin := p.pin
		e := &n.elements[p.node]
		if e.Fresh {
			pin = Any
		}
		if e.Pin != Any {
			pin = e.Pin
		}
		for _, r := range n.reqs[p.node] {
			w.spread(p.node, r, pin, p.frac)
		}
	}
	return slices.Clone(w.parts[:min(len(w.parts), longest)])
}

type walker struct {
	n     *Network
	works func(redundancy.Node) bool
	at    []int32  // in parts, by node
	seen  []uint32 // by node: seen[n] == round means that at[n] counts
	round uint32
	parts []part
	queue []redundancy.Node // by falling rank
	live  []redundancy.Node
}

// meet notes that a part of the load comes to a node. What comes on ways that are all needed is the same load, so it's
// never more than all of it.
func (w *walker) meet(node redundancy.Node, pin Slot, frac float64) {
	if w.seen[node] == w.round {
		p := &w.parts[w.at[node]]
		p.frac = min(1, p.frac+frac)
		if p.pin == Any {
			p.pin = pin
		}
		return
	}
	w.seen[node], w.at[node] = w.round, int32(len(w.parts))
	w.parts = append(w.parts, part{node, pin, frac})
	at, _ := slices.BinarySearchFunc(w.queue, node, func(a, b redundancy.Node) int { return int(w.n.rank[a]) - int(w.n.rank[b]) })
	w.queue = slices.Insert(w.queue, at, node)
}

// pop takes the dependant that is furthest from what it requires.
func (w *walker) pop() redundancy.Node {
	last := len(w.queue) - 1
	node := w.queue[last]
	w.queue = w.queue[:last]
	return node
}

// spread hands a load on to what one requirement of a node names.
func (w *walker) spread(node redundancy.Node, r redundancy.Requirement, pin Slot, frac float64) {
	n := w.n
	if r.Need == len(r.Of) && len(r.Of) > 1 && n.elements[r.Of[0]].Leg != Any {
		w.meetLegs(r.Of, pin, frac)
		return
	}
	if r.Need == len(r.Of) && !n.s.IsGate(node) {
		for _, m := range r.Of {
			w.hand(m, pin, frac)
		}
		return
	}
	live := w.live[:0]
	sum, known := 0.0, true
	for _, m := range r.Of {
		if w.works(m) {
			live = append(live, m)
			known = known && n.elements[m].Weight >= 0
			sum += max(0, n.elements[m].Weight)
		}
	}
	w.live = live
	if len(live) == 0 {
		return
	}
	if n.elements[node].Selects {
		best := live[0]
		for _, m := range live {
			if known && n.elements[m].Weight > n.elements[best].Weight {
				best = m
			}
		}
		w.hand(best, pin, frac)
		return
	}
	for _, m := range live {
		switch {
		case known && sum > 0:
			if n.elements[m].Weight > 0 {
				w.hand(m, pin, frac*n.elements[m].Weight/sum)
			}
		default:
			w.hand(m, pin, frac/float64(len(live)))
		}
	}
}

// hand gives a load to a node; to a conductor it is given as a load of the unit whose conductor it is.
func (w *walker) hand(m redundancy.Node, pin Slot, frac float64) {
	if !w.works(m) { // a ups on its battery
		return
	}
	if e := &w.n.elements[m]; e.Leg != Any {
		if pin == Any {
			pin = e.Leg
		}
		w.meet(e.LegOf, pin, frac)
		return
	}
	w.meet(m, pin, frac)
}

// meetLegs: a load that needs all conductors of a unit is somewhere on them.
func (w *walker) meetLegs(legs []redundancy.Node, pin Slot, frac float64) {
	seen := map[redundancy.Node]bool{}
	for _, l := range legs {
		if of := w.n.elements[l].LegOf; !seen[of] {
			seen[of] = true
			w.meet(of, pin, frac)
		}
	}
}

// way is where a part of a source's load goes: by one tap, with its share of the load.
type way struct {
	share float64
	parts []part
}

// route finds where a source's load goes, given the ways from its taps as they were found when things stood otherwise; a
// way of which every node works still is the same. It appends to ways.
func (n *Network) route(ways []way, s *Source, known [][]part, works func(redundancy.Node) bool) (_ []way, walked bool) {
	live := 0
	sum, sure := 0.0, true
	for _, t := range s.Taps {
		if works(t.Node) {
			live++
			sure = sure && t.Share >= 0
			sum += max(0, t.Share)
		}
	}
	for j, t := range s.Taps {
		if !works(t.Node) {
			continue
		}
		share := 1 / float64(live)
		if sure && sum > 0 {
			share = t.Share / sum
		}
		if share <= 0 {
			continue
		}
		var parts []part
		if known != nil {
			parts = known[j]
		}
		if len(parts) == 0 || slices.ContainsFunc(parts, func(p part) bool { return !works(p.node) }) {
			parts, walked = n.walk(t.Node, works), true
		}
		ways = append(ways, way{share, parts})
	}
	return ways, walked
}

// Flow is where the load of all sources goes, as things stand in a Live.
type Flow struct {
	n       *Network
	live    *redundancy.Live
	sources []Source
	loads   []Load
	taps    [][][]part // by source and tap: the way from there, whether or not it is used now
	ways    [][]way    // by source
	through [][]int32  // by node: the sources of which load passes through it, or would if a tap that rests took over
	carries []bool     // load passes through the node now
	cut     bool
	trial   trial // reused
}

// Copy notes what the flow was made of, and as things stand now. The function that it returns makes a flow of that, which
// shares nothing with this one that changes: another goroutine may call it and use what it returns.
func (f *Flow) Copy() func() *Flow {
	s, elements, live, sources := f.n.s, slices.Clone(f.n.elements), f.live.Clone(), f.sources
	return func() *Flow { return New(s, elements).Flow(live, sources) }
}

// Live is what the flow stands on.
func (f *Flow) Live() *redundancy.Live { return f.live }

// Cut reports whether some load was followed through so many nodes that the rest of its way was left out.
func (f *Flow) Cut() bool { return f.cut }

// Flow follows all sources. The Live is only borrowed: Try changes it and takes that back.
func (n *Network) Flow(live *redundancy.Live, sources []Source) *Flow {
	f := &Flow{n: n, live: live, sources: sources, loads: make([]Load, n.s.Len()), taps: make([][][]part, len(sources)), ways: make([][]way, len(sources)),
		through: make([][]int32, n.s.Len()), carries: make([]bool, n.s.Len())}
	for i := range sources {
		f.taps[i] = make([][]part, len(sources[i].Taps))
		for j, t := range sources[i].Taps {
			f.taps[i][j] = n.walk(t.Node, live.Works)
			f.cut = f.cut || len(f.taps[i][j]) >= longest
			for _, p := range f.taps[i][j] {
				if t := f.through[p.node]; len(t) == 0 || t[len(t)-1] != int32(i) {
					f.through[p.node] = append(f.through[p.node], int32(i))
				}
			}
		}
		f.ways[i], _ = n.route(nil, &sources[i], f.taps[i], live.Works)
		eachPart(f.ways[i], func(p part, frac float64) {
			f.loads[p.node].add(&sources[i].Load, frac, p.pin)
			f.carries[p.node] = true
		})
	}
	f.trial = trial{f: f, loads: make([]Load, n.s.Len()), met: make([]uint32, n.s.Len()), way: make([][]way, len(sources)), moved: make([]uint32, len(sources)),
		now: make([]uint32, len(sources)), tripped: make([]uint32, n.s.Len()), touched: make([]uint32, n.s.Len())}
	return f
}

func eachPart(ways []way, do func(p part, frac float64)) {
	for _, w := range ways {
		for _, p := range w.parts {
			do(p, w.share*p.frac)
		}
	}
}

// Load of a node now.
func (f *Flow) Load(node redundancy.Node) Load {
	if e := &f.n.elements[node]; e.Leg != Any {
		return f.loads[e.LegOf].leg(e.Leg)
	}
	return f.loads[node]
}

// Carries reports whether load passes through the node now.
func (f *Flow) Carries(node redundancy.Node) bool { return f.carries[node] }

// Network is what the flow stands on.
func (f *Flow) Network() *Network { return f.n }

// Outcome is what becomes of the load when something fails.
type Outcome struct {
	// Loads of the elements that are rated and carry more than before, conductors too, after everything that trips has
	// tripped; and of those that tripped the load that made them.
	Loads map[redundancy.Node]Load
	// Trips are the elements that open, round by round: those that are over their rating, and carry more than before. All
	// of one round open together.
	Trips [][]redundancy.Node
	// MayTrip are those that would if the load whose phase is not known lay badly.
	MayTrip []redundancy.Node
	// Down are the nodes that stop working, those that fail among them.
	Down []redundancy.Node
	// Ended is false where the rounds were broken off.
	Ended bool
}

// mostRounds is how many rounds a cascade is followed.
const mostRounds = 1000

// Try fails nodes, moves the load, and with trip lets open what is over its whole rating, until nothing changes. after,
// if not nil, is called before everything is put back: the Live then shows what is left.
func (f *Flow) Try(fail []redundancy.Node, trip bool, after func(*Outcome)) *Outcome {
	t := &f.trial
	t.begin()
	next := fail
	for range mostRounds {
		t.fail(next)
		over := t.over()
		if !trip || len(over) == 0 {
			t.o.Ended = true
			break
		}
		t.o.Trips = append(t.o.Trips, over)
		for _, n := range over {
			t.tripped[n] = t.epoch
		}
		next = over
	}
	t.finish()
	if after != nil {
		after(t.o)
	}
	for _, n := range slices.Backward(t.failed) {
		f.live.SetFailed(n, false)
	}
	return t.o
}

// trial is one Try. Its lists are by node or source and used again by the next one: what is marked with the trial's epoch
// counts.
type trial struct {
	f      *Flow
	o      *Outcome
	epoch  uint32
	round  uint32
	failed []redundancy.Node // set by this trial

	loads   []Load
	met     []uint32                    // by node: loads[n] counts
	nodes   []redundancy.Node           // that were met
	touched []uint32                    // by node: its load changed in this round
	fresh   []redundancy.Node           // those nodes
	tripped []uint32                    // by node
	way     [][]way                     // by source
	moved   []uint32                    // by source: way[i] counts
	now     []uint32                    // by source: it is moved in this round
	order   []int32                     // sources to be moved in this round
	onto    map[redundancy.Node][]int32 // sources that were moved to nodes to which they had no way before
}

func (t *trial) begin() {
	t.o = &Outcome{Loads: map[redundancy.Node]Load{}}
	if t.epoch++; t.epoch == 0 {
		clear(t.met)
		clear(t.tripped)
		clear(t.moved)
		t.epoch = 1
	}
	t.failed, t.nodes = t.failed[:0], t.nodes[:0]
	clear(t.onto)
}

// fail fails nodes and moves the load of every source that passed through what no longer works.
func (t *trial) fail(nodes []redundancy.Node) {
	f := t.f
	if t.round++; t.round == 0 {
		clear(t.now)
		clear(t.touched)
		t.round = 1
	}
	t.order, t.fresh = t.order[:0], t.fresh[:0]
	touch := func(i int32) {
		if t.now[i] != t.round {
			t.now[i] = t.round
			t.order = append(t.order, i)
		}
	}
	for _, n := range nodes {
		if f.live.Failed(n) {
			continue
		}
		from := len(t.o.Down)
		t.o.Down = append(t.o.Down, f.live.SetFailed(n, true)...)
		t.failed = append(t.failed, n)
		for _, m := range t.o.Down[from:] {
			for _, i := range f.through[m] {
				touch(i)
			}
			for _, i := range t.onto[m] {
				touch(i)
			}
		}
	}
	slices.Sort(t.order)
	for _, i := range t.order {
		t.move(i)
	}
	slices.Sort(t.fresh)
}

// move takes a source's load from where it was and puts it where it goes now.
func (t *trial) move(i int32) {
	f := t.f
	was := f.ways[i]
	if t.moved[i] == t.epoch {
		was = slices.Clone(t.way[i])
	}
	now, walked := f.n.route(t.way[i][:0], &f.sources[i], f.taps[i], f.live.Works)
	t.way[i], t.moved[i] = now, t.epoch
	load := &f.sources[i].Load
	for k := range was {
		for _, p := range was[k].parts {
			t.load(p.node).add(load, -was[k].share*p.frac, p.pin)
		}
	}
	for k := range now {
		for _, p := range now[k].parts {
			t.load(p.node).add(load, now[k].share*p.frac, p.pin)
			if walked {
				if t.onto == nil {
					t.onto = map[redundancy.Node][]int32{}
				}
				t.onto[p.node] = append(t.onto[p.node], i)
			}
		}
	}
}

func (t *trial) load(n redundancy.Node) *Load {
	if t.met[n] != t.epoch {
		t.met[n] = t.epoch
		t.loads[n] = t.f.loads[n]
		t.nodes = append(t.nodes, n)
	}
	if t.touched[n] != t.round {
		t.touched[n] = t.round
		t.fresh = append(t.fresh, n)
	}
	return &t.loads[n]
}

// slack is by how much a sum may be over a limit because of rounding.
const slack = 1e-9

// over are the elements that open because of what changed in this round.
func (t *trial) over() []redundancy.Node {
	var over []redundancy.Node
	t.eachFresh(func(n redundancy.Node, e *Element, l *Load) {
		if !e.Trips || t.tripped[n] == t.epoch || !t.f.live.Works(n) {
			return
		}
		before := t.f.Load(n) // what carries too much already is not made to trip by carrying less
		if u, ok := e.Use(l); ok && u.Raw > 1+slack && u.Raw > e.raw(&before)+slack {
			over = append(over, n)
			t.o.Loads[n] = *l
			for _, leg := range t.f.n.legs[n] {
				t.o.Loads[leg] = l.leg(t.f.n.elements[leg].Leg)
			}
		}
	})
	return over
}

func (e *Element) raw(l *Load) float64 { u, _ := e.Use(l); return u.Raw }

// eachFresh calls do with the rated elements of which the load changed, and their conductors.
func (t *trial) eachFresh(do func(redundancy.Node, *Element, *Load)) {
	for _, n := range t.fresh {
		e := &t.f.n.elements[n]
		if e.Rated() {
			do(n, e, &t.loads[n])
		}
		for _, leg := range t.f.n.legs[n] {
			if e := &t.f.n.elements[leg]; e.Rated() {
				part := t.loads[n].leg(e.Leg)
				do(leg, e, &part)
			}
		}
	}
}

// finish notes the loads that rose.
func (t *trial) finish() {
	t.fresh = append(t.fresh[:0], t.nodes...)
	slices.Sort(t.fresh)
	t.eachFresh(func(n redundancy.Node, e *Element, l *Load) {
		if t.tripped[n] == t.epoch || !t.f.live.Works(n) {
			return
		}
		before := t.f.Load(n)
		u, ok := e.Use(l)
		was, _ := e.Use(&before)
		if !ok || u.Raw <= was.Raw+slack && u.RawMost <= was.RawMost+slack {
			return
		}
		t.o.Loads[n] = *l
		if e.Trips && u.Raw <= 1+slack && u.RawMost > 1+slack {
			t.o.MayTrip = append(t.o.MayTrip, n)
		}
	})
}

// Joined numbers the parts of the network between which no load can move: nodes with the same number are joined by
// sources' taps and what those may draw from. -1: no source may draw through the node.
func (f *Flow) Joined() []int32 {
	up := make([]int32, f.n.s.Len()) // union-find
	for i := range up {
		up[i] = -1
	}
	root := func(i int32) int32 {
		for up[i] != i {
			up[i] = up[up[i]]
			i = up[i]
		}
		return i
	}
	for i := range f.sources {
		first := int32(-1)
		var stack []redundancy.Node
		meet := func(n redundancy.Node) {
			if up[n] < 0 {
				up[n] = int32(n)
				stack = append(stack, n)
			}
			if first < 0 {
				first = root(int32(n))
			}
			up[root(int32(n))] = root(first)
		}
		for _, t := range f.sources[i].Taps {
			meet(t.Node)
		}
		for len(stack) > 0 {
			n := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for _, r := range f.n.reqs[n] {
				for _, m := range r.Of {
					meet(m)
				}
			}
			if e := &f.n.elements[n]; e.Leg != Any {
				meet(e.LegOf)
			}
		}
	}
	for i := range up {
		if up[i] >= 0 {
			up[i] = root(int32(i))
		}
	}
	return up
}
