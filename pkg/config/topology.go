package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// rawComponent is a declared component, its range expanded.
type rawComponent struct {
	ref    string // as written: a bare name, a device's name, or device/kind/local
	kind   component.Kind
	name   string
	rating *component.Rating
	derate float64
	phase  string
	draws  *component.Rating
	rate   topology.Rate
	at     place
}

// rawEdge is one dependant and what it leans on, as written.
type rawEdge struct {
	to string
	// toKind is the kind of the declared thing that to is, where the edge was written at its declaration.
	toKind component.Kind
	from   []string
	kind   component.LinkKind // "" of a cable: what the provider is tells it
	// cable: the dependant may have only one of these.
	cable bool
	at    place
}

// rawGroup is a declared group, its range expanded.
type rawGroup struct {
	ref              string
	kind             component.Kind
	members          []string
	needed, designed int
	policy           string
	carries          []string
	at               place
}

// lists are topology's lists of components, in the order in which power and traffic flow.
var lists = []struct {
	key  string
	kind component.Kind
}{
	{"utilities", component.Utility}, {"generators", component.Generator}, {"ats", component.ATS}, {"ups", component.UPS},
	{"panels", component.Panel}, {"breakers", component.Breaker}, {"feeds", component.Feed}, {"pdus", component.PDU},
	{"cooling", component.Cooling}, {"conduits", component.Conduit}, {"circuits", component.Circuit}, {"upstreams", component.Upstream},
	{"routers", component.Router}, {"switches", component.Switch}, {"components", ""},
}

func (l *loader) takeTopology(n node) {
	if n.null() {
		return
	}
	known := []string{"cables", "groups", "links", "rates"}
	for _, list := range lists {
		known = append(known, list.key)
	}
	s := l.mapping(n, "topology", known...)
	for _, list := range lists {
		for _, item := range s.items(list.key) {
			l.takeComponent(item, list.key, list.kind)
		}
	}
	l.takeRates(s.keys["rates"])
	for _, c := range s.texts("cables") {
		l.takeCable(c)
	}
	for _, c := range s.texts("links") {
		l.takeLink(c)
	}
	for _, g := range s.items("groups") {
		l.takeGroup(g)
	}
}

// takeComponent reads one entry of a list: a name, or keys.
func (l *loader) takeComponent(n node, list string, kind component.Kind) {
	if n.is(0) || n.null() || !strings.Contains(n.what(), "keys") {
		ref := l.text(n, "an entry of "+list)
		if n.null() {
			l.wrong(n.at(), "write {id: NAME}", "%s holds an empty entry", list)
		}
		if refs, ok := l.expand(located{ref, n.at()}); ok && ref != "" {
			for _, ref := range refs {
				l.declared = append(l.declared, &rawComponent{ref: ref, kind: kind, at: n.at()})
			}
		}
		return
	}
	title := "an entry of " + list
	keys := []string{"id", "name", "rating", "breaker", "derate", "phase", "draws", "mtbf", "mttr", "fed_by", "cooled_by", "carried_by", "through"}
	if kind == "" {
		keys = append(keys, "kind")
	}
	s := l.mapping(n, title, keys...)
	refs, ok := l.expand(located{s.text("id"), s.where("id")})
	if !ok {
		return
	}
	if refs[0] == "" {
		l.wrong(s.at(), "write id: NAME", "%s has no id", title)
		return
	}
	own, ok := l.anyKind(s)
	if !ok {
		return
	}
	c := rawComponent{kind: cmp.Or(kind, own), rating: l.rating(s), derate: l.derate(s), phase: l.phase(s), draws: l.draws(s), rate: l.rate(s), at: s.at()}
	names := l.zip(located{s.text("name"), s.where("name")}, len(refs), many(len(refs), "id"))
	for i, ref := range refs {
		c := c
		c.ref = ref
		if names != nil {
			c.name = names[i]
		}
		l.declared = append(l.declared, &c)
	}
	for _, e := range []struct {
		key   string
		kind  component.LinkKind
		cable bool
	}{{"fed_by", component.Feeds, true}, {"cooled_by", component.Cools, false}, {"carried_by", component.Carries, false}, {"through", component.Contains, false}} {
		if s.has(e.key) {
			l.edgesOf(refs, s.texts(e.key), rawEdge{toKind: c.kind, kind: e.kind, cable: e.cable, at: s.where(e.key)})
		}
	}
}

func (l *loader) anyKind(s *section) (component.Kind, bool) {
	k := component.Kind(s.text("kind"))
	if k != "" && !slices.Contains(component.Kinds(), k) {
		l.wrong(s.where("kind"), didYouMean(string(k), words(component.Kinds()), "write one of "+strings.Join(words(component.Kinds()), ", ")), "%q is no kind of component", k)
		return "", false
	}
	return k, true
}

// rating reads "rating", or "breaker", which says the same of a feed.
func (l *loader) rating(s *section) *component.Rating {
	key := "rating"
	if s.has("breaker") {
		if key = "breaker"; s.has("rating") {
			l.wrong(s.where("breaker"), "take one of them out", "%s has both a rating and a breaker", s.title)
		}
	}
	if !s.has(key) {
		return nil
	}
	r := l.mapping(s.keys[key], key, "watts", "va", "amps", "volts", "phases", "bits")
	rating := component.Rating{
		Watts: r.amount("watts", "W"), VA: r.amount("va", "VA"), Amps: r.amount("amps", "A"), Volts: r.amount("volts", "V"),
		Phases: r.number("phases", 1, 3, 0), Bits: r.amount("bits", "bit/s"),
	}
	switch {
	case rating.Phases == 2:
		l.wrong(r.where("phases"), "write 1 or 3", "%s has 2 phases", key)
	case !r.has("watts") && !r.has("va") && !r.has("amps") && !r.has("bits"):
		l.wrong(r.at(), "write {amps: 32, volts: 230, phases: 3}, {va: 10000}, {watts: 750} or {bits: 10e9}", "%s does not say how much it carries", key)
	}
	return &rating
}

func (l *loader) derate(s *section) float64 {
	v := s.amount("derate", "parts of 1")
	if v > 1 {
		l.wrong(s.where("derate"), "write 0.8 for 80 %", "derate is %v, more than all of it", v)
		return 0
	}
	return v
}

// zip expands a text to n words: as many as it stands for, or the same for all.
func (l *loader) zip(t located, n int, of string) []string {
	if t.text == "" {
		return nil
	}
	out, ok := l.expand(t)
	switch {
	case !ok:
		return nil
	case len(out) == n:
		return out
	case len(out) == 1:
		return slices.Repeat(out, n)
	}
	verb := "are"
	if n == 1 {
		verb = "is"
	}
	l.wrong(t.at, "make the two ranges equally long", "%q stands for %d names, but there %s %s", t.text, len(out), verb, of)
	return nil
}

// edgesOf lets each of the dependants lean on the providers.
func (l *loader) edgesOf(to []string, providers []located, like rawEdge) {
	edges := make([]rawEdge, len(to))
	for i, ref := range to {
		edges[i] = like
		edges[i].to = ref
	}
	for _, p := range providers {
		for _, word := range splitList(p.text) {
			if word == "" {
				l.wrong(p.at, "write NAME, or NAME, NAME", "%q has an empty place between its commas", p.text)
				return
			}
			from := l.zip(located{word, p.at}, len(to), many(len(to), "dependant")+" left of it")
			if from == nil {
				return
			}
			for i := range edges {
				if slices.Contains(edges[i].from, from[i]) {
					l.wrong(p.at, "take one of them out", "%q is named twice for %q", from[i], edges[i].to)
					return
				}
				edges[i].from = append(edges[i].from, from[i])
			}
		}
	}
	for i := range edges {
		l.edges = append(l.edges, &edges[i])
	}
}

const cableForm = `write "DEPENDANT <- PROVIDER", as "srv-101/psu/1 <- pdu-a/outlet/1"`

// takeCable reads "dependant <- provider, provider".
func (l *loader) takeCable(c located) {
	left, right, ok := strings.Cut(c.text, "<-")
	left, right = strings.TrimSpace(left), strings.TrimSpace(right)
	switch {
	case !ok && strings.Contains(c.text, "->"):
		l.wrong(c.at, cableForm, "%q points the wrong way", c.text)
	case !ok, left == "", right == "", strings.Contains(right, "<-"):
		l.wrong(c.at, cableForm, "%q is no cable", c.text)
	case len(splitList(left)) > 1:
		l.wrong(c.at, "write a cable for each, or a range", "%q has several dependants", c.text)
	default:
		if to, ok := l.expand(located{left, c.at}); ok {
			l.edgesOf(to, []located{{right, c.at}}, rawEdge{cable: true, at: c.at})
		}
	}
}

var linkVerbs = []string{string(component.Feeds), string(component.Cools), string(component.Carries), string(component.Contains), string(component.Neighbour)}

// takeLink reads "provider carries dependant".
func (l *loader) takeLink(c located) {
	words := strings.Fields(c.text)
	if len(words) != 3 || !slices.Contains(linkVerbs, words[1]) {
		l.wrong(c.at, `write "PROVIDER VERB DEPENDANT" with `+oneOf(linkVerbs)+`, as "crac-1 cools srv-[101-112]"`, "%q is no link", c.text)
		return
	}
	if to, ok := l.expand(located{words[2], c.at}); ok {
		l.edgesOf(to, []located{{words[0], c.at}}, rawEdge{kind: component.LinkKind(words[1]), at: c.at})
	}
}

func (l *loader) takeGroup(n node) {
	s := l.mapping(n, "a group", "id", "kind", "members", "needed", "designed", "policy", "carries")
	refs, ok := l.expand(located{s.text("id"), s.where("id")})
	if !ok {
		return
	}
	if refs[0] == "" {
		l.wrong(s.at(), "write id: NAME, or id: DEVICE/group/psu", "a group has no id")
		return
	}
	kind, _ := l.anyKind(s)
	g := rawGroup{
		kind: kind, needed: s.number("needed", 1, math.MaxInt32, 0), designed: s.number("designed", 1, math.MaxInt32, 0),
		policy: strings.ToLower(strings.ReplaceAll(s.text("policy"), " ", "")), at: s.at(),
	}
	if !s.has("members") {
		l.wrong(s.at(), "write members: [NAME, NAME]", "the group %s has no members", s.text("id"))
		return
	}
	members, ok := l.shares(s.texts("members"), len(refs))
	if !ok {
		return
	}
	carries, ok := l.shares(s.texts("carries"), len(refs))
	if !ok {
		return
	}
	for i, ref := range refs {
		g := g
		g.ref, g.members, g.carries = ref, members[i], carries[i]
		g.at = s.at()
		l.groups = append(l.groups, &g)
	}
}

// shares expands patterns and deals what each stands for out to n, in order and in equal parts.
func (l *loader) shares(patterns []located, n int) ([][]string, bool) {
	out := make([][]string, n)
	for _, p := range patterns {
		for _, word := range splitList(p.text) {
			all, ok := l.expand(located{word, p.at})
			if !ok {
				return nil, false
			}
			if len(all)%n != 0 {
				l.wrong(p.at, "make the ranges fit", "%q stands for %d names, which cannot be shared equally by %d ids", word, len(all), n)
				return nil, false
			}
			each := len(all) / n
			for i := range out {
				out[i] = append(out[i], all[i*each:(i+1)*each]...)
			}
		}
	}
	return out, true
}

// buildModel resolves every name and makes the model.
func (l *loader) buildModel() {
	l.names = l.newNames()
	m := &l.cfg.Model
	m.Site = l.cfg.Site
	for _, d := range l.devices {
		if len(d.urls) > 0 {
			m.Observed = append(m.Observed, d.name)
		}
	}
	l.settleKinds()
	ids := l.declareComponents()
	l.declareSets()
	l.declareGroups()
	l.declareServices()
	l.buildComponents(ids)
	l.addUnobserved()
	l.buildLinks()
	l.buildGroups()
	l.buildServices()
	l.buildWork()
}

// settleKinds finds out what each device is: as declared there or in one of topology's lists, else by guess.
func (l *loader) settleKinds() {
	for _, c := range l.declared {
		d := l.byName[c.ref]
		if d == nil || c.kind == "" {
			continue
		}
		switch before := cmp.Or(d.kind, l.names.kinds[c.ref]); {
		case !slices.Contains(mainKinds, c.kind):
			l.wrong(c.at, "give one of them another name", "%s is a device, so that no %s may be called so", c.ref, c.kind)
		case before != "" && before != c.kind:
			l.wrong(c.at, "say the same in both places", "%s is a %s here and a %s at %s", c.ref, c.kind, before, d.at)
		default:
			l.names.kinds[c.ref] = c.kind
		}
	}
	for _, e := range l.edges {
		for _, ref := range e.from {
			l.names.use(ref, e.kind == component.Feeds || e.kind == "", false)
		}
		l.names.use(e.to, false, false)
	}
	for _, g := range l.groups {
		for _, ref := range g.members {
			l.names.use(ref, false, false)
		}
	}
	for _, s := range l.services {
		s.needs.each(func(leaf located) { l.names.use(leaf.text, false, true) })
	}
	l.names.guess()
}

// declareComponents gives each declared component its id; "" where it has none.
func (l *loader) declareComponents() []component.ID {
	ids := make([]component.ID, len(l.declared))
	for i, c := range l.declared {
		id, bare := l.componentID(c)
		if id == "" {
			continue
		}
		if before, twice := l.names.declare(bare, id, c.at); twice {
			l.wrong(c.at, "take one of them out", "%s is declared twice: also at %s", c.ref, before)
			continue
		}
		ids[i] = id
	}
	return ids
}

func (l *loader) componentID(c *rawComponent) (id component.ID, bare string) {
	if l.byName[c.ref] != nil {
		return l.names.main(c.ref), ""
	}
	if strings.Contains(c.ref, "/") {
		// A fact about a part: it may only be resolved when everything is declared.
		return component.ID(c.ref), ""
	}
	if c.kind == "" {
		l.wrong(c.at, "write kind: feed, or whatever it is", "%s has no kind", c.ref)
		return "", ""
	}
	if l.name(c.at, "a "+string(c.kind), c.ref) == "" {
		return "", ""
	}
	if c.ref == l.cfg.Site {
		l.wrong(c.at, "give one of them another name", "the %s %s is called like the site", c.kind, c.ref)
		return "", ""
	}
	return component.NewID(l.cfg.Site, c.kind, c.ref), c.ref
}

func (l *loader) buildComponents(ids []component.ID) {
	for i, c := range l.declared {
		id := ids[i]
		if id == "" {
			continue
		}
		if strings.Contains(c.ref, "/") {
			var ok bool
			if id, ok = l.refer(located{c.ref, c.at}); !ok {
				continue
			}
			if c.kind != "" && c.kind != id.Kind() {
				l.wrong(c.at, "write kind: "+string(id.Kind())+", or leave it out", "%s is no %s", id, c.kind)
			}
		}
		l.cfg.Model.Components = append(l.cfg.Model.Components, topology.Component{
			ID: id, Name: c.name, Rating: c.rating, Derate: c.derate, Phase: c.phase, Draws: c.draws, Rate: c.rate, At: c.at.position(),
		})
	}
}

// addUnobserved declares the devices that nobody can ask, so that they are listed as such.
func (l *loader) addUnobserved() {
	for _, d := range l.devices {
		if _, declared := l.names.ids[l.names.main(d.name)]; len(d.urls) == 0 && !declared {
			l.cfg.Model.Components = append(l.cfg.Model.Components, topology.Component{ID: l.names.main(d.name), At: d.at.position()})
		}
	}
}

// refer finds what a reference means, and takes down what is wrong with it.
func (l *loader) refer(ref located) (component.ID, bool) {
	id, why, instead := l.names.resolve(ref.text)
	if why != "" {
		l.wrong(ref.at, instead, "%s", why)
	}
	return id, why == ""
}

// buildLinks makes the links, and ties the parts of what is declared to it.
func (l *loader) buildLinks() {
	m := &l.cfg.Model
	dependants := map[component.ID]place{}
	outlets := map[component.ID]*rawEdge{}
	owned := map[component.ID]place{}
	for _, e := range l.edges {
		to, ok := l.dependant(e)
		if !ok {
			continue
		}
		l.own(owned, to, e.at)
		if before, twice := dependants[to]; e.cable && twice {
			l.wrong(e.at, "take one out, or write both providers in one line where it has two inputs: A, B", "%s hangs on a cable already: at %s", e.to, before)
			continue
		}
		if e.cable {
			dependants[to] = e.at
		}
		for _, ref := range e.from {
			from, ok := l.refer(located{ref, e.at})
			if !ok || !l.sensible(e, ref, from, to) {
				continue
			}
			l.own(owned, from, e.at)
			if k := from.Kind(); e.cable && (k == component.Outlet || k == component.Port) {
				if before := outlets[from]; before != nil {
					l.warn(e.at, "check which of the two hangs there", "%s is taken twice: by %s and, at %s, by %s", ref, e.to, before.at, before.to)
				}
				outlets[from] = e
			}
			m.Links = append(m.Links, topology.Link{Link: component.Link{From: from, To: to, Kind: linkKind(e, from)}, At: e.at.position()})
		}
	}
	l.fedTwice(dependants)
	for _, part := range sortedKeys(owned) {
		owner, _ := l.names.owner(part)
		link := component.Link{From: owner, To: part, Kind: component.Contains}
		if part.Kind() == component.Inlet {
			link = component.Link{From: part, To: owner, Kind: component.Feeds}
		}
		m.Links = append(m.Links, topology.Link{Link: link, At: owned[part].position()})
	}
}

// dependant is what the edge leads to.
func (l *loader) dependant(e *rawEdge) (component.ID, bool) {
	if e.toKind != "" && l.byName[e.to] == nil && !strings.Contains(e.to, "/") {
		id := component.NewID(l.cfg.Site, e.toKind, e.to)
		_, ok := l.names.ids[id] // else what is wrong with it was said at its declaration
		return id, ok
	}
	return l.refer(located{e.to, e.at})
}

// own notes a part whose owner is declared and no device.
func (l *loader) own(owned map[component.ID]place, id component.ID, at place) {
	if _, ok := l.names.owner(id); ok {
		if _, before := owned[id]; !before {
			owned[id] = at
		}
	}
}

// fedTwice refuses a device that is fed as a whole and at its inlets: the two would read as alternatives.
func (l *loader) fedTwice(dependants map[component.ID]place) {
	for _, inlet := range sortedKeys(dependants) {
		if inlet.Kind() != component.Inlet {
			continue
		}
		whole, ok := l.names.owner(inlet)
		if !ok {
			whole = l.names.main(inlet.Device())
		}
		if at, ok := dependants[whole]; ok {
			l.wrong(at, "say only which inlet hangs on what", "%s is fed as a whole here, and at its inlet %s at %s", inlet.Device(), inlet.Local(), dependants[inlet])
		}
	}
}

// linkKind is what was written; a cable's is what its provider gives.
func linkKind(e *rawEdge, from component.ID) component.LinkKind {
	if e.kind == "" && from.Kind().Domain() == component.Network {
		return component.Carries
	}
	return cmp.Or(e.kind, component.Feeds)
}

// sensible refuses links that go the wrong way, and cables from what gives neither power nor traffic.
func (l *loader) sensible(e *rawEdge, ref string, from, to component.ID) bool {
	switch {
	case from == to:
		l.wrong(e.at, "name what it hangs on", "%s hangs on itself", e.to)
		return false
	case linkKind(e, from) != component.Feeds:
		return true
	}
	k := from.Kind()
	if gives := k.Domain() == component.Power && k != component.PSU && k != component.Inlet; gives || k == component.Group {
		return true
	}
	if to.Kind().Domain() == component.Power && to.Kind() != component.PSU {
		l.wrong(e.at, `the dependant stands left: write "`+ref+` <- `+e.to+`"`, "%s cannot feed %s", ref, e.to)
		return false
	}
	l.wrong(e.at, "name an outlet, pdu, feed, ups or whatever gives it power", "%s, a %s, feeds nothing", ref, k)
	return false
}

func (l *loader) declareGroups() {
	for _, g := range l.groups {
		id, bare := component.ID(g.ref), ""
		if !strings.Contains(g.ref, "/") {
			if l.name(g.at, "a group", g.ref) == "" {
				continue
			}
			id, bare = component.NewID(l.cfg.Site, component.Group, g.ref), g.ref
		} else if id.Kind() != component.Group || id.Local() == "" || (id.Device() != l.cfg.Site && l.byName[id.Device()] == nil) {
			l.wrong(g.at, "write NAME, or DEVICE/group/psu", "%s is no id of a group", g.ref)
			continue
		}
		if before, twice := l.names.declare(bare, id, g.at); twice {
			l.wrong(g.at, "take one of them out", "the group %s is declared twice: also at %s", g.ref, before)
		}
	}
}

func (l *loader) buildGroups() {
	for _, g := range l.groups {
		out := topology.Group{ID: component.ID(g.ref), Kind: g.kind, At: g.at.position()}
		if !strings.Contains(g.ref, "/") {
			out.ID = component.NewID(l.cfg.Site, component.Group, g.ref)
		}
		ok := true
		for _, ref := range g.members {
			id, known := l.refer(located{ref, g.at})
			switch {
			case !known:
				ok = false
			case slices.Contains(out.Members, id):
				l.wrong(g.at, "take one out", "the group %s has the member %s twice", g.ref, ref)
				ok = false
			case id == out.ID:
				l.wrong(g.at, "take it out", "the group %s is its own member", g.ref)
				ok = false
			}
			out.Members = append(out.Members, id)
		}
		if !ok || !l.numbers(g, &out) {
			continue
		}
		out.Kind = cmp.Or(out.Kind, commonKind(out.Members))
		l.carry(g, &out)
		l.cfg.Model.Groups = append(l.cfg.Model.Groups, out)
	}
}

// carry sets what the group holds up; what is more than one becomes links.
func (l *loader) carry(g *rawGroup, out *topology.Group) {
	for _, ref := range g.carries {
		id, ok := l.refer(located{ref, g.at})
		switch {
		case !ok:
		case slices.Contains(out.Members, id) || id == out.ID:
			l.wrong(g.at, "name what leans on the group", "the group %s carries its own member %s", g.ref, ref)
		case out.Carries == "":
			out.Carries = id
		default:
			l.cfg.Model.Links = append(l.cfg.Model.Links, topology.Link{Link: component.Link{From: out.ID, To: id, Kind: component.Carries}, At: g.at.position()})
		}
	}
}

func commonKind(ids []component.ID) component.Kind {
	for _, id := range ids {
		if id.Kind() != ids[0].Kind() {
			return ""
		}
	}
	return ids[0].Kind()
}

const policies = "write policy: n, n+1, n+2, 2n, 2n+1 or active/standby"

// numbers sets how many members are needed and how many there are to be.
func (l *loader) numbers(g *rawGroup, out *topology.Group) bool {
	m := len(out.Members)
	out.Designed = cmp.Or(g.designed, m)
	if out.Designed < m {
		l.wrong(g.at, "raise designed, or leave it out", "the group %s has %d members, but is designed for %d", g.ref, m, g.designed)
		return false
	}
	if out.Needed = g.needed; g.policy != "" {
		needed, why := policyNeeds(g.policy, out.Designed)
		switch {
		case why != "":
			l.wrong(g.at, policies, "the group %s: %s", g.ref, why)
			return false
		case g.needed != 0 && g.needed != needed:
			l.wrong(g.at, "take one of them out", "the group %s needs %d, but %s of %d needs %d", g.ref, g.needed, g.policy, out.Designed, needed)
			return false
		}
		out.Needed = needed
	}
	switch {
	case out.Needed == 0:
		l.wrong(g.at, "write needed: 1, or policy: n+1", "the group %s does not say how many members are needed", g.ref)
		return false
	case out.Needed > out.Designed:
		l.wrong(g.at, fmt.Sprintf("write needed: %d or less", out.Designed), "the group %s needs %d of %s", g.ref, out.Needed, many(out.Designed, "member"))
		return false
	case out.Needed > m:
		l.wrong(g.at, "name more members", "the group %s needs %d, but only %d are named", g.ref, out.Needed, m)
		return false
	}
	return true
}

// policyNeeds is how many of m members a policy needs.
func policyNeeds(policy string, m int) (needed int, why string) {
	switch policy {
	case "n":
		return m, ""
	case "active/standby", "active-standby":
		return 1, ""
	case "2n":
		if m%2 != 0 || m == 0 {
			return 0, fmt.Sprintf("2n takes an even number of members, not %d", m)
		}
		return m / 2, ""
	case "2n+1":
		if m%2 == 0 || m < 3 {
			return 0, fmt.Sprintf("2n+1 takes an odd number of members from 3, not %d", m)
		}
		return (m - 1) / 2, ""
	}
	k, ok := strings.CutPrefix(policy, "n+")
	if !ok || !digits(k) || len(k) > 3 {
		return 0, fmt.Sprintf("%q is no policy", policy)
	}
	spares := 0
	for _, c := range k {
		spares = spares*10 + int(c-'0')
	}
	if spares == 0 || m-spares < 1 {
		return 0, fmt.Sprintf("%s takes more than %d members", policy, m)
	}
	return m - spares, ""
}

// checkLoops refuses things that hold one another up, every loop that can be told apart; also where there are other
// mistakes, as far as what is there can be compiled.
func (l *loader) checkLoops() {
	wrong := len(l.mistakes) > 0
	m := l.cfg.Model
	m.Links = slices.Clone(m.Links)
	for range 50 {
		_, err := topology.Compile(&m, topology.Found{})
		var loop *topology.LoopError
		if err == nil {
			return
		}
		switch {
		case errors.As(err, &loop):
		case wrong && len(m.Services) > 0:
			m.Services = nil // what a service lacks was said
			continue
		case wrong:
			return
		}
		if loop == nil {
			l.wrong(place{l.firstFile(), 0}, "", "%s", err)
			return
		}
		in := loopLinks(m.Links, loop.IDs)
		at := place{l.firstFile(), 0}
		if len(in) > 0 {
			at = parsePosition(m.Links[in[0]].At)
		} else if p, ok := l.loopPlace(loop.IDs); ok {
			at = p
		}
		l.wrong(at, "take one of these links out", "%s", loop)
		if len(in) == 0 {
			return
		}
		m.Links = slices.Delete(m.Links, in[0], in[0]+1)
	}
}

// loopLinks are the declared links between members of the loop.
func loopLinks(links []topology.Link, ids []component.ID) (in []int) {
	next := map[component.ID]component.ID{}
	for i, id := range ids {
		next[id] = ids[(i+1)%len(ids)]
	}
	for i, link := range links {
		if next[link.To] == link.From && link.Kind != component.Neighbour {
			in = append(in, i)
		}
	}
	return in
}

// loopPlace is where a group or service of the loop was declared.
func (l *loader) loopPlace(ids []component.ID) (place, bool) {
	for _, id := range ids {
		if at, ok := l.names.ids[id]; ok {
			return at, true
		}
	}
	return place{}, false
}

func parsePosition(p topology.Position) place {
	i := strings.LastIndexByte(string(p), ':')
	at := place{file: string(p)}
	if i >= 0 {
		at.file = string(p[:i])
		for _, c := range string(p[i+1:]) {
			at.line = at.line*10 + int(c-'0')
		}
	}
	return at
}

// firstFile names a file for mistakes that have no place.
func (l *loader) firstFile() string {
	files := slices.Collect(maps.Keys(l.order))
	slices.SortFunc(files, func(a, b string) int { return l.order[a] - l.order[b] })
	return files[0]
}
