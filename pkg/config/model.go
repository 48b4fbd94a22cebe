package config

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

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

// firstFile names a file for mistakes that have no place.
func (l *loader) firstFile() string {
	files := slices.Collect(maps.Keys(l.order))
	slices.SortFunc(files, func(a, b string) int { return l.order[a] - l.order[b] })
	return files[0]
}
