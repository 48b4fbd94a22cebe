package topology

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// Found is what devices report, as far as structure goes.
type Found struct {
	Components []FoundComponent
	Links      []component.Link
	// Groups are the redundancy groups as the engine formed them, with Needed settled. One with the id of a declared
	// group stands in its place.
	Groups []Group
	// Without are links that what is observed contradicts: they are left out.
	Without []component.Link
}

// FoundComponent is a component that a device reports.
type FoundComponent struct {
	ID      component.ID
	Aliases []string
}

// Graph is a compiled model: a structure function with names. It is immutable.
type Graph struct {
	Structure *redundancy.Structure
	ids       []component.ID // by node; "" for the inner gates
	kinds     []component.Kind
	domains   []component.Domain
	nodes     map[component.ID]redundancy.Node
	names     *names
	holds     map[redundancy.Node]redundancy.Node
	holdList  []redundancy.Node
	missing   []redundancy.Node
	uncooled  []component.ID
	services  []Service
}

// LoopError is a loop in what holds up what: each needs the next one, the last needs the first.
type LoopError struct{ IDs []component.ID }

func (e *LoopError) Error() string {
	const shown = 12
	words := make([]string, 0, len(e.IDs)+1)
	for i, id := range e.IDs {
		if i == shown {
			words = append(words, fmt.Sprintf("... (%d in all)", len(e.IDs)))
			break
		}
		words = append(words, string(id))
	}
	words = append(words, string(e.IDs[0]))
	return "these need one another in a loop: " + strings.Join(words, " needs ")
}

// Compile builds the graph of the declared model together with what devices report. It fails on a loop (*LoopError), on
// a group or service that needs more than it names, and on a need that refers to nothing.
func Compile(m *Model, f Found) (*Graph, error) {
	c := newCompiler(m, f)
	c.addComponents()
	c.addGroups()
	c.addLinks()
	c.requireLinks()
	c.addServices()
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	s, err := c.b.Build()
	if loop := (*redundancy.LoopError)(nil); errors.As(err, &loop) {
		return nil, &LoopError{IDs: c.named(loop.Nodes)}
	}
	if err != nil {
		return nil, err
	}
	g := c.g
	g.Structure = s
	g.services = m.Services
	g.kinds, g.domains = make([]component.Kind, len(g.ids)), make([]component.Domain, len(g.ids))
	for i, id := range g.ids {
		if id != "" {
			g.kinds[i] = id.Kind()
			g.domains[i] = g.kinds[i].Domain()
		}
	}
	return g, nil
}

type compiler struct {
	m    *Model
	f    Found
	b    redundancy.Builder
	g    *Graph
	errs []error

	links  []edge
	groups []Group // formed, then declared ones that were not formed
	// members of each group; carry: per dependant the providers that a group of theirs counts.
	members map[redundancy.Node][]redundancy.Node
	carry   map[redundancy.Node]map[redundancy.Node]bool
}

type edge struct {
	to, from redundancy.Node
	kind     component.LinkKind
}

func newCompiler(m *Model, f Found) *compiler {
	size := len(f.Components) + len(m.Components) + len(m.Links)
	g := &Graph{
		nodes: make(map[component.ID]redundancy.Node, size),
		ids:   make([]component.ID, 0, size),
		holds: map[redundancy.Node]redundancy.Node{},
		names: newNames(m, f),
	}
	return &compiler{m: m, f: f, g: g, carry: map[redundancy.Node]map[redundancy.Node]bool{}}
}

func (c *compiler) fail(at Position, format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if at != "" {
		err = fmt.Errorf("%s: %w", at, err)
	}
	c.errs = append(c.errs, err)
}

// node returns the node of an id, made where it is new. Groups and services are gates.
func (c *compiler) node(id component.ID) redundancy.Node {
	if n, ok := c.g.nodes[id]; ok {
		return n
	}
	real := c.g.names.canonical(id)
	n, ok := c.g.nodes[real]
	if !ok {
		// A route is where to, and not what carries: it has nothing of its own that might fail.
		if k := real.Kind(); k == component.Group || k == component.ServiceKind || k == component.Route {
			n = c.b.AddGate()
		} else {
			n = c.b.Add()
		}
		c.g.ids = append(c.g.ids, real)
		c.g.nodes[real] = n
	}
	return n
}

// gate adds a node without a name.
func (c *compiler) gate() redundancy.Node {
	c.g.ids = append(c.g.ids, "")
	return c.b.AddGate()
}

func (c *compiler) addComponents() {
	for i := range c.f.Components {
		id := c.f.Components[i].ID
		c.node(id)
	}
	for i := range c.m.Components {
		c.node(c.m.Components[i].ID)
	}
}

// addGroups adds each group's node with its requirement, and what it carries.
func (c *compiler) addGroups() {
	formed := make(map[component.ID]bool, len(c.f.Groups))
	for _, g := range c.f.Groups {
		formed[g.ID] = true
		c.groups = append(c.groups, g)
	}
	for _, g := range c.m.Groups {
		if !formed[g.ID] {
			c.groups = append(c.groups, g)
		}
	}
	c.members = make(map[redundancy.Node][]redundancy.Node, len(c.groups))
	for _, g := range c.groups {
		c.addGroup(g)
	}
}

func (c *compiler) addGroup(g Group) {
	node := c.node(g.ID)
	members := make([]redundancy.Node, len(g.Members))
	for i, id := range g.Members {
		members[i] = c.node(id)
	}
	for range g.Missing {
		gone := c.b.Add()
		c.g.ids = append(c.g.ids, "")
		c.g.missing = append(c.g.missing, gone)
		members = append(members, gone)
	}
	need := g.Needed
	if need == 0 {
		need = max(1, len(members)-1)
	}
	if len(members) == 0 || need > len(members) {
		c.fail(g.At, "group %s needs %d of %d members", g.ID, need, len(members))
		return
	}
	c.b.Require(node, need, members...)
	c.members[node] = members
	if g.Carries == "" {
		return
	}
	carried := c.node(g.Carries)
	c.b.RequireAll(carried, node)
	c.carriedBy(carried, members)
}

// carriedBy notes that these providers of n are counted by a group.
func (c *compiler) carriedBy(n redundancy.Node, members []redundancy.Node) {
	set := c.carry[n]
	if set == nil {
		set = make(map[redundancy.Node]bool, len(members))
		c.carry[n] = set
	}
	for _, m := range members {
		set[m] = true
	}
}

// addLinks gathers the links of devices and of the model, and those that follow from what a device is.
func (c *compiler) addLinks() {
	without := make(map[edge]bool, len(c.f.Without))
	for _, l := range c.f.Without {
		without[edge{to: c.node(l.To), from: c.node(l.From), kind: l.Kind}] = true
	}
	add := func(l component.Link) {
		e := edge{to: c.node(l.To), from: c.node(l.From), kind: c.linkKind(l)}
		if l.Kind == component.Neighbour || without[e] || holdsUp(l) {
			return
		}
		c.links = append(c.links, e)
		if members := c.members[e.from]; members != nil {
			c.carriedBy(e.to, members)
		}
	}
	for _, l := range c.f.Links {
		add(l)
	}
	for _, l := range c.m.Links {
		add(l.Link)
	}
	c.hoist()
	c.distribute()
	slices.SortFunc(c.links, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.to, b.to), strings.Compare(string(a.kind), string(b.kind)), cmp.Compare(a.from, b.from))
	})
	c.links = slices.Compact(c.links)
}

// holdsUp reports whether the link says where a supply or a fan sits: it holds up the box that contains it, and not the
// box it.
func holdsUp(l component.Link) bool {
	k := l.To.Kind()
	return l.Kind == component.Contains && (k == component.PSU || k == component.Rectifier || k == component.Fan)
}

// hoist moves an array's controllers from its drives to the volume that the drives carry. The controller is the
// volume's single point of failure, and is named as that; it doesn't make one of the drives less a spare of the others,
// or no failed drive behind the usual one controller would ever be told of. Drives that no volume ties together (a
// mirror made by software) keep their controllers: behind one, they're no spares of each other.
func (c *compiler) hoist() {
	arrays := map[redundancy.Node][]int{} // by drive: the groups, as indices, that carry a volume
	for i, g := range c.groups {
		if g.Kind == component.Drive && g.Carries.Kind() == component.Volume {
			for _, m := range g.Members {
				n := c.node(m)
				arrays[n] = append(arrays[n], i)
			}
		}
	}
	if len(arrays) == 0 {
		return
	}
	type pair struct {
		controller redundancy.Node
		group      int
	}
	controls := func(l edge) bool {
		return l.kind == component.Carries && c.g.ids[l.from].Kind() == component.Controller && arrays[l.to] != nil
	}
	drives := map[pair]int{}
	for _, l := range c.links {
		if controls(l) {
			for _, g := range arrays[l.to] {
				drives[pair{l.from, g}]++
			}
		}
	}
	links := make([]edge, 0, len(c.links))
	for _, l := range c.links {
		whole := controls(l)
		for _, g := range arrays[l.to] {
			whole = whole && drives[pair{l.from, g}] == len(c.groups[g].Members)
		}
		if !whole {
			links = append(links, l)
			continue
		}
		for _, g := range arrays[l.to] {
			links = append(links, edge{to: c.node(c.groups[g].Carries), from: l.from, kind: component.Carries})
		}
	}
	c.links = links
}

// linkKind is the link's kind, with containment for what is no alternative to its neighbours: a main component that
// feeds its own parts, and phases. What is declared at the site is no part of one device: a feed behind a ups and its
// external bypass needs one of them.
func (c *compiler) linkKind(l component.Link) component.LinkKind {
	if l.Kind != component.Feeds || l.From.Device() != l.To.Device() {
		return l.Kind
	}
	own := l.From.Device() != c.m.Site
	if k := l.From.Kind(); k == component.Phase || own && distributes(k) && !distributes(l.To.Kind()) {
		return component.Contains
	}
	return l.Kind
}

// distributes reports whether a main component of this kind hands power on to its outlets.
func distributes(k component.Kind) bool {
	return k == component.PDU || k == component.UPS || k == component.ATS
}

// distribute ties the power parts of each pdu, ups and ats to its main component, where nothing else does.
func (c *compiler) distribute() {
	fedInside := map[redundancy.Node]bool{} // by more than an inlet
	for _, l := range c.links {
		if c.g.ids[l.from].Device() == c.g.ids[l.to].Device() && l.from != l.to && c.g.ids[l.from].Kind() != component.Inlet {
			fedInside[l.to] = true
		}
	}
	for n := range redundancy.Node(len(c.g.ids)) {
		id := c.g.ids[n]
		switch id.Kind() {
		case component.Outlet, component.Bank, component.Phase, component.Breaker:
			if main, ok := c.distributor(id); ok && !fedInside[n] {
				c.links = append(c.links, edge{to: n, from: main, kind: component.Contains})
			}
		case component.Inlet:
			if main, ok := c.distributor(id); ok {
				c.links = append(c.links, edge{to: main, from: n, kind: component.Feeds})
			}
		}
	}
}

// distributor finds the one pdu, ups or ats that the part's device is.
func (c *compiler) distributor(part component.ID) (redundancy.Node, bool) {
	main, ok := c.g.names.distributor(part.Device())
	if !ok {
		return 0, false
	}
	return c.node(main), true
}

// requireLinks turns the links into requirements, one dependant after the other.
func (c *compiler) requireLinks() {
	for from := 0; from < len(c.links); {
		to := from
		for to < len(c.links) && c.links[to].to == c.links[from].to {
			to++
		}
		c.require(c.links[from].to, c.links[from:to])
		from = to
	}
	slices.Sort(c.g.uncooled)
	slices.Sort(c.g.holdList)
}

func (c *compiler) require(n redundancy.Node, links []edge) {
	grouped := c.carry[n]
	by := map[component.LinkKind][]redundancy.Node{}
	for _, l := range links {
		if !grouped[l.from] {
			by[l.kind] = append(by[l.kind], l.from)
		}
	}
	c.requireFeeds(n, by[component.Feeds])
	c.b.RequireAll(n, by[component.Contains]...)
	if cools := by[component.Cools]; len(cools) == 1 {
		c.b.RequireAll(n, cools...)
	} else if len(cools) > 1 {
		c.g.uncooled = append(c.g.uncooled, c.g.ids[n])
	}
	c.requireCarries(n, by[component.Carries])
}

// requireFeeds needs one live provider. A ups has one more that is not there until it holds.
func (c *compiler) requireFeeds(n redundancy.Node, providers []redundancy.Node) {
	if len(providers) == 0 {
		return
	}
	if c.g.ids[n].Kind() == component.UPS {
		hold := c.b.Add()
		c.g.ids = append(c.g.ids, "")
		c.g.holds[n] = hold
		c.g.holdList = append(c.g.holdList, hold)
		providers = append(slices.Clone(providers), hold)
	}
	c.b.Require(n, 1, providers...)
}

// requireCarries needs one of each kind of provider.
func (c *compiler) requireCarries(n redundancy.Node, providers []redundancy.Node) {
	slices.SortStableFunc(providers, func(a, b redundancy.Node) int {
		return strings.Compare(string(c.g.ids[a].Kind()), string(c.g.ids[b].Kind()))
	})
	for from := 0; from < len(providers); {
		to := from
		kind := c.g.ids[providers[from]].Kind()
		for to < len(providers) && c.g.ids[providers[to]].Kind() == kind {
			to++
		}
		if kind == component.Group {
			c.b.RequireAll(n, providers[from:to]...)
		} else {
			c.b.Require(n, 1, providers[from:to]...)
		}
		from = to
	}
}

func (c *compiler) addServices() {
	for _, s := range c.m.Services {
		c.node(s.ID)
	}
	for _, s := range c.m.Services {
		c.requireNeed(c.node(s.ID), s.Needs, s)
	}
}

// requireNeed makes the need a requirement of n. The nesting is as deep as somebody wrote it, so it may recurse.
func (c *compiler) requireNeed(n redundancy.Node, need Need, s Service) {
	if need.ID != "" {
		if need.ID.Kind() == "" && !c.g.names.knows(need.ID) {
			c.fail(s.At, "service %s needs %q, which is nothing that is declared or observed", s.Name, need.ID)
			return
		}
		c.b.RequireAll(n, c.node(need.ID))
		return
	}
	least := need.AtLeast
	if least == 0 {
		least = len(need.Of)
	}
	if least < 1 || least > len(need.Of) {
		c.fail(s.At, "service %s needs at least %d of %d", s.Name, least, len(need.Of))
		return
	}
	of := make([]redundancy.Node, len(need.Of))
	for i, part := range need.Of {
		if part.ID != "" {
			of[i] = c.node(part.ID)
			continue
		}
		of[i] = c.gate()
		c.requireNeed(of[i], part, s)
	}
	c.b.Require(n, least, of...)
}

// named are the ids of the nodes; inner gates have none and are left out.
func (c *compiler) named(nodes []redundancy.Node) []component.ID {
	var ids []component.ID
	for _, n := range nodes {
		if id := c.g.ids[n]; id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// Node is the node of a component, group or service, by its id.
func (g *Graph) Node(id component.ID) (redundancy.Node, bool) {
	n, ok := g.nodes[id]
	return n, ok
}

// ID names a node; "" for a gate inside a service's needs and for the hold of a ups.
func (g *Graph) ID(n redundancy.Node) component.ID { return g.ids[n] }

// Kind of a node; "" where it has no name.
func (g *Graph) Kind(n redundancy.Node) component.Kind { return g.kinds[n] }

// Domain of a node; NoDomain for gates.
func (g *Graph) Domain(n redundancy.Node) component.Domain { return g.domains[n] }

// Len is the number of nodes.
func (g *Graph) Len() int { return len(g.ids) }

// Hold is the node that keeps a ups up without its providers: failed, unless the ups runs on its battery. It never may
// fail by itself.
func (g *Graph) Hold(ups redundancy.Node) (redundancy.Node, bool) {
	n, ok := g.holds[ups]
	return n, ok
}

// Holds are all hold nodes, in rising order.
func (g *Graph) Holds() []redundancy.Node { return g.holdList }

// Missing are the nodes that stand for members that nobody can name and that are not there, in rising order.
func (g *Graph) Missing() []redundancy.Node { return g.missing }

// Uncooled are the components with several coolers and no group that says how many are needed, sorted.
func (g *Graph) Uncooled() []component.ID { return g.uncooled }

// Services are the declared services.
func (g *Graph) Services() []Service { return g.services }

// Providers are the named nodes that n requires directly, through any gates between that have no name; each once.
func (g *Graph) Providers(n redundancy.Node) []redundancy.Node {
	var found []redundancy.Node
	seen := map[redundancy.Node]bool{n: true}
	stack := []redundancy.Node{n}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, r := range g.Structure.Requirements(at) {
			for _, m := range r.Of {
				switch {
				case seen[m]:
				case g.ids[m] != "":
					seen[m] = true
					found = append(found, m)
				default:
					seen[m] = true
					stack = append(stack, m)
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

// Path is a shortest way from a dependant up to a provider, both included; nil where there is none.
func (g *Graph) Path(from, to redundancy.Node) []component.ID {
	came := map[redundancy.Node]redundancy.Node{from: from}
	queue := []redundancy.Node{from}
	for done := 0; done < len(queue); done++ {
		at := queue[done]
		if at == to {
			return g.wayBack(came, to)
		}
		for _, m := range g.Providers(at) {
			if _, again := came[m]; !again {
				came[m] = at
				queue = append(queue, m)
			}
		}
	}
	return nil
}

func (g *Graph) wayBack(came map[redundancy.Node]redundancy.Node, at redundancy.Node) []component.ID {
	var ids []component.ID
	for {
		ids = append(ids, g.ids[at])
		if came[at] == at {
			slices.Reverse(ids)
			return ids
		}
		at = came[at]
	}
}
