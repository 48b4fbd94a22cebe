package engine

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// neighbours compares the cables between ports that are declared with those whom the ports hear (LLDP). A port that hears
// nobody says nothing: the other end may not speak.
type neighbours struct {
	declared []component.Link
	cabled   map[string]bool // devices with ports of which declared cables are
	dirty    bool
	links    []component.Link // pairs of ports that hear each other, sorted
	differ   []Cable
	findings []stand
}

// Cable is a cable between ports of which the model and the ports do not say the same.
type Cable struct {
	From component.ID `json:"from"`
	To   component.ID `json:"to"`
	// Declared is true for one of the model's. Its ends hear others where it is contradicted, else neither hears anybody.
	// One that is not declared is one whose ends hear each other, at a device of which the model has other cables.
	Declared     bool `json:"declared"`
	Contradicted bool `json:"contradicted"`
}

func (n *neighbours) init(m *topology.Model) {
	n.cabled = map[string]bool{}
	for _, l := range m.Links {
		if l.Kind == component.Neighbour {
			n.declared = append(n.declared, l.Link)
			n.cabled[l.From.Device()], n.cabled[l.To.Device()] = true, true
		}
	}
}

// hearNeighbours brings the neighbours up to date where a device says something else than before.
func (e *Engine) hearNeighbours() {
	n := &e.lldp
	if !n.dirty {
		return
	}
	n.dirty, n.findings, n.differ = false, nil, nil
	n.links = e.agreeing()
	known := map[[2]component.ID]bool{}
	for _, l := range n.declared {
		known[e.ends(l)] = true
		s, wrong := e.wrongNeighbour(l)
		switch {
		case wrong:
			n.findings = append(n.findings, s)
			n.differ = append(n.differ, Cable{From: l.From, To: l.To, Declared: true, Contradicted: true})
		case e.unheard(l):
			n.differ = append(n.differ, Cable{From: l.From, To: l.To, Declared: true})
		}
	}
	for _, l := range n.links {
		if !known[e.ends(l)] && (n.cabled[l.From.Device()] || n.cabled[l.To.Device()]) {
			n.differ = append(n.differ, Cable{From: l.From, To: l.To})
		}
	}
	slices.SortFunc(n.differ, func(a, b Cable) int { return cmp.Or(compareIDs(a.From, b.From), compareIDs(a.To, b.To)) })
	e.reported = false
}

// ends are the parts at a cable's ends, in an order of their own.
func (e *Engine) ends(l component.Link) [2]component.ID {
	ends := [2]component.ID{l.From, l.To}
	for i, id := range ends {
		if p := e.portOf(id); p != nil {
			ends[i] = p.ID
		}
	}
	slices.SortFunc(ends[:], compareIDs)
	return ends
}

// unheard reports whether neither end of a cable hears anybody, although LLDP is spoken at the device of one of them.
func (e *Engine) unheard(l component.Link) bool {
	spoken := false
	for _, id := range []component.ID{l.From, l.To} {
		if names, _ := heardAt(e.portOf(id)); len(names) > 0 {
			return false
		}
		if d := e.devices[id.Device()]; d != nil && hears(d.view) {
			spoken = true
		}
	}
	return spoken
}

// hears reports whether some part of the device names a neighbour.
func hears(view *state.Device) bool {
	return view != nil && slices.ContainsFunc(view.Parts, func(p state.Part) bool { return p.Attributes[component.NeighbourName] != "" })
}

// heardAt are the names that a port hears, and the ports that go with them where each name has one; nil where it hears
// nobody, or what it heard may be old.
func heardAt(p *state.Part) (names, ports []string) {
	if p == nil || p.Silent || p.Kept || p.Attributes[component.NeighbourName] == "" {
		return nil, nil
	}
	names = strings.Split(p.Attributes[component.NeighbourName], component.ListSeparator)
	if text := p.Attributes[component.NeighbourPort]; text != "" {
		ports = strings.Split(text, component.ListSeparator)
	}
	return names, ports
}

// wrongNeighbour is the finding on a declared cable that one of its ends contradicts.
func (e *Engine) wrongNeighbour(l component.Link) (s stand, wrong bool) {
	var subject component.ID
	var why, evidence []string
	for _, end := range [][2]component.ID{{l.From, l.To}, {l.To, l.From}} {
		here, there := e.portOf(end[0]), end[1]
		names, ports := heardAt(here)
		if len(names) == 0 {
			continue
		}
		evidence = append(evidence, fmt.Sprintf("%s hears %s", here.ID, heardWords(names, ports)))
		other := e.devices[there.Device()]
		switch {
		case other == nil || other.view == nil:
			if e.observed[there.Device()] {
				continue // what it calls itself isn't known yet
			}
			fallthrough
		default:
			if !slices.ContainsFunc(names, func(name string) bool { return e.callsItself(there.Device(), name) }) {
				why = append(why, fmt.Sprintf("%s hears %s, and not %s", end[0], heardWords(names, ports), there.Device()))
				break
			}
			if wrongPort, found := e.anotherPort(there, names, ports); found {
				why = append(why, fmt.Sprintf("%s hears %s, and not %s", end[0], wrongPort, there))
				break
			}
			continue
		}
		subject = cmp.Or(subject, end[0])
	}
	if subject == "" {
		return stand{}, false
	}
	other := l.To
	if subject == l.To {
		other = l.From
	}
	return stand{f: finding.Finding{Key: finding.KeyOf(finding.WrongCabling, subject), Rule: finding.WrongCabling, Subject: subject,
		Summary:  fmt.Sprintf("%s is not cabled as the model says: %s", subject, strings.Join(why, "; ")),
		Causes:   []finding.Cause{{ID: subject, Why: why[0]}, {ID: other, Why: "what the model says is at the other end"}},
		Evidence: evidence,
		Remedy:   fmt.Sprintf("Follow the cable of %s. Plug it where the model says (%s), or correct the link in the model and reload.", name(subject), other),
	}}, true
}

func heardWords(names, ports []string) string {
	text := strings.Join(names, " and ")
	if len(ports) == 1 {
		text += ", port " + ports[0]
	}
	return text
}

// portOf is the part that a declared id means, by its id or an alias.
func (e *Engine) portOf(id component.ID) *state.Part {
	if n, ok := e.graph.Node(id); ok {
		if p := e.part(n); p != nil {
			return p
		}
	}
	return e.portCalled(id.Device(), id.Local())
}

// portCalled is the one port of a device that has this name; nil where none has, or several.
func (e *Engine) portCalled(device, called string) *state.Part {
	d := e.devices[device]
	if d == nil || d.view == nil || called == "" {
		return nil
	}
	var found *state.Part
	for i := range d.view.Parts {
		p := &d.view.Parts[i]
		if p.Kind != component.Port && p.Kind != component.NIC {
			continue
		}
		if strings.EqualFold(p.ID.Local(), called) || strings.EqualFold(p.Name, called) || slices.ContainsFunc(p.Aliases, func(a string) bool { return strings.EqualFold(a, called) }) {
			if found != nil {
				return nil
			}
			found = p
		}
	}
	return found
}

// callsItself reports whether a device may call itself so: case and domain do not matter.
func (e *Engine) callsItself(device, name string) bool {
	if sameHost(device, name) {
		return true
	}
	d := e.devices[device]
	return d != nil && d.view != nil && d.view.Identity.Hostname != "" && sameHost(d.view.Identity.Hostname, name)
}

func sameHost(a, b string) bool {
	a, b = strings.ToLower(strings.TrimSpace(a)), strings.ToLower(strings.TrimSpace(b))
	return a != "" && (a == b || bareHost(a) == bareHost(b))
}

// bareHost is a name without its domain.
func bareHost(name string) string {
	if _, err := netip.ParseAddr(name); err == nil {
		return name
	}
	bare, _, _ := strings.Cut(name, ".")
	return cmp.Or(bare, name)
}

// anotherPort reports whether the port that is heard is known to be another than the declared one. A name that leads to
// no port of the device says nothing: many tell a description there.
func (e *Engine) anotherPort(declared component.ID, names, ports []string) (heard component.ID, found bool) {
	if len(names) != 1 || len(ports) != 1 {
		return "", false
	}
	want, have := e.portOf(declared), e.portCalled(declared.Device(), ports[0])
	if want == nil || have == nil || want.ID == have.ID {
		return "", false
	}
	return have.ID, true
}

// agreeing are the pairs of ports that hear each other: each names the other's device, and no port but the other's there
// hears back.
func (e *Engine) agreeing() []component.Link {
	by := map[string][]*device{} // devices by their bare names
	for _, d := range e.devices {
		if !hears(d.view) {
			continue
		}
		for _, name := range []string{d.name, d.view.Identity.Hostname} {
			if name = bareHost(strings.ToLower(strings.TrimSpace(name))); name != "" && !slices.Contains(by[name], d) {
				by[name] = append(by[name], d)
			}
		}
	}
	var links []component.Link
	for _, d := range e.devices {
		if d.view == nil {
			continue
		}
		for i := range d.view.Parts {
			p := &d.view.Parts[i]
			names, ports := heardAt(p)
			if len(names) != 1 {
				continue
			}
			others := by[bareHost(strings.ToLower(strings.TrimSpace(names[0])))]
			if len(others) != 1 || others[0] == d {
				continue
			}
			if q := e.hearsBack(others[0], p, ports); q != nil && p.ID < q.ID {
				links = append(links, component.Link{From: p.ID, To: q.ID, Kind: component.Neighbour})
			}
		}
	}
	slices.SortFunc(links, func(a, b component.Link) int { return cmp.Or(compareIDs(a.From, b.From), compareIDs(a.To, b.To)) })
	return slices.Compact(links)
}

// hearsBack is the port of d that hears p's device: the one that p names where it names one of d's, else the only one.
func (e *Engine) hearsBack(d *device, p *state.Part, ports []string) *state.Part {
	back := func(q *state.Part) bool {
		names, theirs := heardAt(q)
		if len(names) != 1 || !e.callsItself(p.ID.Device(), names[0]) {
			return false
		}
		if len(theirs) == 1 {
			if mine := e.portCalled(p.ID.Device(), theirs[0]); mine != nil && mine.ID != p.ID {
				return false
			}
		}
		return true
	}
	if len(ports) == 1 {
		if q := e.portCalled(d.name, ports[0]); q != nil {
			if back(q) {
				return q
			}
			return nil
		}
	}
	var only *state.Part
	for i := range d.view.Parts {
		if q := &d.view.Parts[i]; back(q) {
			if only != nil {
				return nil
			}
			only = q
		}
	}
	return only
}
