package engine

import (
	"errors"
	"maps"
	"slices"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// compiled is the structure with what is known of each node. It is made anew when the structure changes, and brought up
// to date node by node otherwise.
type compiled struct {
	graph *topology.Graph
	cells []cell // by node
	hold  []bool // the node is a ups's hold

	needs edges // what n requires, gates too
	users edges // the reverse
	must  edges // providers that n cannot do without
	up    edges // power providers of n, alternatives too
	down  edges // the reverse of up

	// supports counts the dependants of a node that cannot do without it and that are seen working; passing says that a
	// node is itself seen working, directly or by what leans on it.
	supports []int32
	passing  []bool

	// best presumes that what is silent works, worst that it doesn't; predicted is best with everything gone that says
	// it will fail.
	best, worst, predicted outlook
	design                 *outlook // nothing has failed; nil until it is asked for
	solver                 *redundancy.Solver
	// doubts are below a node that is silent, omens below one that says it will fail.
	doubts, omens taint
	observations  int // how often a component became observed, or no longer
	quick         quick

	seen   []uint32 // for walks: seen[n] == walk means that this walk has been at n
	walk   uint32
	stack  []redundancy.Node
	laying bool // everything is dirty already

	tops     []top
	topOf    []int32  // index in tops by node; -1: neither group nor service
	dirty    []int32  // indices in tops
	groups   []*Group // by id; what they point to never changes, for reports hold on to it
	services []*Service
	blind    []stand
	leaned   []bool // by node: a group or service requires it
	member   map[component.ID]bool
	unwell   []float64 // by node: the part of time for which it is down; nil: to be found
}

// top is a group or a service.
type top struct {
	node     redundancy.Node
	form     *form // nil: a service
	service  *topology.Service
	at       int // in groups or services
	dirty    bool
	full     *full // with nothing failed; nil: to be found
	findings []stand
	// unverified is nil until it is asked for; observed is the engine's observations then.
	unverified []component.ID
	observed   int
	falsely    *stand // false redundancy, once it was found
}

// edges are lists of nodes by node, in one array.
type edges struct {
	start []int32
	to    []redundancy.Node
}

func (e *edges) of(n redundancy.Node) []redundancy.Node { return e.to[e.start[n]:e.start[n+1]] }

// reversed are the same edges the other way round.
func (e *edges) reversed() edges {
	n := len(e.start) - 1
	r := edges{start: make([]int32, n+1), to: make([]redundancy.Node, len(e.to))}
	for _, to := range e.to {
		r.start[to+1]++
	}
	for i := range n {
		r.start[i+1] += r.start[i]
	}
	next := slices.Clone(r.start[:n])
	for from := range redundancy.Node(n) {
		for _, to := range e.of(from) {
			r.to[next[to]] = from
			next[to]++
		}
	}
	return r
}

// compile makes the structure of the model and of what devices report. Where that leaves no structure, everything stays
// as it was.
func (e *Engine) compile() error {
	found := e.found()
	g, err := topology.Compile(e.model, found)
	var mistakes []stand
	for range 64 {
		loop := (*topology.LoopError)(nil)
		if !errors.As(err, &loop) {
			break
		}
		kept, dropped := breakLoop(found.Links, loop.IDs)
		if len(dropped) == 0 {
			break
		}
		found.Links = kept
		mistakes = append(mistakes, loopMistake(dropped, loop))
		g, err = topology.Compile(e.model, found)
	}
	if err != nil {
		return err
	}
	e.mistakes = mistakes
	kept := e.keep()
	e.stale, e.compiledAt = false, e.now
	for _, d := range e.devices {
		d.stale = false
	}
	maps.Copy(e.refresh, e.pending)
	e.lay(g) // looks at every device
	e.reuse(kept)
	clear(e.pending)
	clear(e.refresh)
	return nil
}

// breakLoop takes one link that a device reports out of a loop.
func breakLoop(links []component.Link, loop []component.ID) (kept, dropped []component.Link) {
	in := make(map[component.ID]bool, len(loop))
	for _, id := range loop {
		in[id] = true
	}
	for _, l := range links {
		if len(dropped) == 0 && in[l.From] && in[l.To] {
			dropped = append(dropped, l)
			continue
		}
		kept = append(kept, l)
	}
	return kept, dropped
}

func loopMistake(dropped []component.Link, loop *topology.LoopError) stand {
	l := dropped[0]
	return stand{f: finding.Finding{
		Key: finding.KeyOf(finding.ModelMistake, l.To), Rule: finding.ModelMistake, Subject: l.To,
		Summary:  "a loop: " + loop.Error(),
		Evidence: []string{"left out to break it: " + string(l.From) + " " + string(l.Kind) + " " + string(l.To)},
		Remedy:   "Look for a cable in the model that runs the wrong way round.",
	}}
}

// found is what devices report, and the groups that were formed of it.
func (e *Engine) found() topology.Found {
	var f topology.Found
	for _, name := range slices.Sorted(maps.Keys(e.devices)) {
		d := e.devices[name]
		if d.view != nil {
			for i := range d.view.Parts {
				f.Components = append(f.Components, topology.FoundComponent{ID: d.view.Parts[i].ID, Aliases: d.view.Parts[i].Aliases})
			}
			f.Links = append(f.Links, d.view.Links...)
		}
		f.Links = append(f.Links, d.links...)
		for i := range d.forms {
			f.Groups = append(f.Groups, d.forms[i].declare())
			f.Links = append(f.Links, d.forms[i].others()...)
		}
	}
	f.Without, f.Links = e.cabling.without(), append(f.Links, e.cabling.instead()...)
	return f
}

func (g *form) declare() topology.Group {
	t := topology.Group{ID: g.id, Kind: g.kind, Members: g.members, Needed: g.needed, Designed: g.designed, Missing: g.missing}
	if len(g.carries) > 0 {
		t.Carries = g.carries[0]
	}
	return t
}

// others are the links to all but the first that the group carries.
func (g *form) others() []component.Link {
	var links []component.Link
	for _, id := range g.carries[min(1, len(g.carries)):] {
		links = append(links, component.Link{From: g.id, To: id, Kind: component.Carries})
	}
	return links
}

// lay makes everything that stands on the structure.
func (e *Engine) lay(g *topology.Graph) {
	n := g.Len()
	s := g.Structure
	e.compiled = compiled{
		graph: g, cells: make([]cell, n), hold: make([]bool, n),
		supports: make([]int32, n), passing: make([]bool, n),
		best: newOutlook(s), worst: newOutlook(s), predicted: newOutlook(s),
		solver: redundancy.NewSolver(s), topOf: make([]int32, n),
		doubts: newTaint(n), omens: newTaint(n), quick: quick{faults: newTaint(n), judged: true}, seen: make([]uint32, n), laying: true,
	}
	for _, h := range g.Holds() {
		e.hold[h] = true
		e.failAll(h, true)
	}
	for _, m := range g.Missing() {
		e.failAll(m, true)
	}
	e.layEdges()
	for _, m := range g.Missing() {
		e.quick.faults.set(m, true, &e.users)
	}
	e.layTops()
	e.layDevices()
	e.blame.forgetNodes()
	for node := range redundancy.Node(n) {
		if g.ID(node) != "" && e.topOf[node] < 0 {
			e.setCell(node, e.look(node))
		}
	}
	e.laying = false
	e.load.stale = true
	e.layDesign()
	e.reported = false
}

func (e *Engine) failAll(n redundancy.Node, failed bool) {
	e.setBest(n, failed)
	e.worst.SetFailed(n, failed)
	e.predicted.SetFailed(n, failed)
}

// layEdges finds which providers each component cannot do without, and its power providers.
func (e *Engine) layEdges() {
	g := e.graph
	n := redundancy.Node(g.Len())
	e.needs.start, e.must.start, e.up.start = make([]int32, n+1), make([]int32, n+1), make([]int32, n+1)
	for node := range n {
		for need, of := range g.Structure.EachRequirement(node) {
			e.needs.to = append(e.needs.to, of...)
			if !g.Structure.IsGate(node) {
				e.layRequirement(node, need, of)
			}
		}
		e.needs.start[node+1], e.must.start[node+1], e.up.start[node+1] = int32(len(e.needs.to)), int32(len(e.must.to)), int32(len(e.up.to))
	}
	e.users = e.needs.reversed()
	e.down = e.up.reversed()
}

func (e *Engine) layRequirement(node redundancy.Node, need int, of []redundancy.Node) {
	power := e.graph.Domain(node) == component.Power
	holds := 0
	for _, m := range of {
		if e.hold[m] {
			holds++
		}
	}
	for _, m := range of {
		if e.hold[m] || e.graph.Structure.IsGate(m) {
			continue
		}
		if need >= len(of)-holds {
			e.must.to = append(e.must.to, m)
		}
		if power && e.graph.Domain(m) == component.Power {
			e.up.to = append(e.up.to, m)
		}
	}
}

// layTops numbers the groups, by id, and the services, by tier and name.
func (e *Engine) layTops() {
	for i := range e.topOf {
		e.topOf[i] = -1
	}
	var forms []*form
	for _, d := range e.devices {
		for i := range d.forms {
			forms = append(forms, &d.forms[i])
		}
	}
	slices.SortFunc(forms, func(a, b *form) int { return compareIDs(a.id, b.id) })
	for _, f := range forms {
		if node, ok := e.graph.Node(f.id); ok && e.topOf[node] < 0 {
			e.addTop(top{node: node, form: f, at: len(e.groups)})
			e.groups = append(e.groups, &Group{})
		}
	}
	services := make([]*topology.Service, len(e.model.Services))
	for i := range e.model.Services {
		services[i] = &e.model.Services[i]
	}
	slices.SortStableFunc(services, compareServices)
	for _, s := range services {
		if node, ok := e.graph.Node(s.ID); ok && e.topOf[node] < 0 {
			e.addTop(top{node: node, service: s, at: len(e.services)})
			e.services = append(e.services, &Service{})
		}
	}
}

func (e *Engine) addTop(t top) {
	e.topOf[t.node] = int32(len(e.tops))
	e.dirty = append(e.dirty, int32(len(e.tops)))
	t.dirty = true
	e.tops = append(e.tops, t)
}

// deviceOf is the device of which a part is named; nil where nothing is known of it.
func (e *Engine) deviceOf(id component.ID) *device {
	if d := e.recent; d != nil && len(id) > len(d.name) && id[len(d.name)] == '/' && string(id[:len(d.name)]) == d.name {
		return d
	}
	d := e.devices[id.Device()]
	if d != nil {
		e.recent = d
	}
	return d
}

// layDevices notes which nodes are of which device.
func (e *Engine) layDevices() {
	for _, d := range e.devices {
		d.nodes = d.nodes[:0]
	}
	for node := range redundancy.Node(e.graph.Len()) {
		id := e.graph.ID(node)
		if d := e.deviceOf(id); d != nil && e.topOf[node] < 0 {
			d.nodes = append(d.nodes, node)
		}
	}
}

// markTops has the groups and services above a node judged again.
func (e *Engine) markTops(n redundancy.Node) {
	if e.laying {
		return
	}
	e.above(n, func(i int32) { e.markTop(i) })
}

// above calls f with the index of every group and service that leans on a node.
func (e *Engine) above(n redundancy.Node, f func(int32)) {
	e.visit(n, &e.users, func(m redundancy.Node) {
		if i := e.topOf[m]; i >= 0 {
			f(i)
		}
	})
}

// visit calls f with n and everything that the edges lead to from there, each once. f must not visit.
func (e *Engine) visit(n redundancy.Node, along *edges, f func(redundancy.Node)) {
	if e.walk++; e.walk == 0 {
		clear(e.seen)
		e.walk = 1
	}
	e.seen[n] = e.walk
	stack := append(e.stack[:0], n)
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		f(at)
		for _, m := range along.of(at) {
			if e.seen[m] != e.walk {
				e.seen[m] = e.walk
				stack = append(stack, m)
			}
		}
	}
	e.stack = stack
}

func (e *Engine) markTop(i int32) {
	if !e.tops[i].dirty {
		e.tops[i].dirty = true
		e.dirty = append(e.dirty, i)
	}
}

// taint says of each node whether anything that it requires, directly or through others, or it itself, has a mark.
type taint struct {
	own   []bool
	below []int32 // marked or tainted members
}

func newTaint(n int) taint { return taint{own: make([]bool, n), below: make([]int32, n)} }

func (t *taint) has(n redundancy.Node) bool { return t.own[n] || t.below[n] > 0 }

func (t *taint) set(n redundancy.Node, on bool, users *edges) {
	if t.own[n] == on {
		return
	}
	was := t.has(n)
	t.own[n] = on
	if t.has(n) == was {
		return
	}
	stack := []redundancy.Node{n}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, m := range users.of(at) {
			was := t.has(m)
			if on {
				t.below[m]++
			} else {
				t.below[m]--
			}
			if t.has(m) != was {
				stack = append(stack, m)
			}
		}
	}
}
