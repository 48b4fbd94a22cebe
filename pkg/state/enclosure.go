package state

import (
	"maps"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// Supplies and fans that several machines show are their enclosure's: those with one serial number, or in one slot of one
// enclosure. They go to the device that is the enclosure, where one is configured, else to one that is made up for it.
// Machines that cannot be told apart (clones of one recording, with dummies for serial numbers) share nothing.

// shareable are the kinds of parts that an enclosure gives to those in it.
var shareable = map[component.Kind]bool{component.PSU: true, component.Fan: true, component.Rectifier: true}

// shared is one part that several devices show.
type shared struct {
	kind  component.Kind
	in    map[*device]component.ID
	names []string // serial numbers that it has; more than one: it is not one part
}

// share finds the parts that several of these machines show, and moves them to their enclosure. was are the enclosures
// that they were in.
func (s *Store) share(devices []*device, was map[*device]*device) {
	var nodes []*device
	for _, d := range devices {
		if d.into == nil && !d.made {
			nodes = append(nodes, d)
		}
	}
	for _, set := range enclosed(sharedParts(nodes)) {
		if !set.complete(was) {
			continue
		}
		owner := s.ownerOf(set.nodes)
		taken := map[component.ID]bool{}
		for _, p := range set.parts {
			id := p.at(owner, taken)
			for d, was := range p.in {
				if d == owner {
					continue
				}
				if d.moved == nil {
					d.moved = map[component.ID]component.ID{}
				}
				d.moved[was], d.owner = id, owner
			}
		}
		for _, d := range set.nodes {
			if d != owner {
				owner.guests = append(owner.guests, d)
			}
		}
		owner.view = nil
		s.touched[owner.name] = true
	}
}

// at is where a part goes in its owner: where the owner has it itself, else the slot that the first device names.
func (p *shared) at(owner *device, taken map[component.ID]bool) component.ID {
	if own, ok := p.in[owner]; ok {
		taken[own] = true
		return own
	}
	first := slices.SortedFunc(maps.Keys(p.in), func(a, b *device) int { return strings.Compare(a.name, b.name) })[0]
	local := p.in[first].Local()
	for _, local := range []string{local, local + "-" + strings.Join(p.names, "-"), local + "-" + first.name} {
		if id := component.NewID(owner.name, p.kind, local); !taken[id] {
			taken[id] = true
			return id
		}
	}
	return component.NewID(owner.name, p.kind, local)
}

// sharedParts are the parts that two or more of these show, with one serial number, or in one slot of one enclosure and
// with no serial numbers that differ.
func sharedParts(nodes []*device) []*shared {
	type place struct {
		d  *device
		id component.ID
	}
	by := map[string][]place{}
	serial := map[place]string{}
	for _, d := range nodes {
		for _, c := range d.partsToShare() {
			at := place{d, c.ID}
			if v := c.Attributes[component.Serial]; genuine(v) {
				serial[at] = strings.ToLower(v)
			}
			for _, k := range partKeys(&c) {
				by[k] = append(by[k], at)
			}
		}
	}
	class := map[place]*shared{}
	// Keys with serial numbers first: what they say stands.
	for _, k := range slices.SortedFunc(maps.Keys(by), func(a, b string) int {
		if x, y := strings.Contains(a, " in "), strings.Contains(b, " in "); x != y {
			return map[bool]int{true: 1, false: -1}[x]
		}
		return strings.Compare(a, b)
	}) {
		places := by[k]
		if !tellApart(places, func(p place) *device { return p.d }) {
			continue
		}
		var c *shared
		for _, p := range places {
			if class[p] != nil {
				c = class[p]
			}
		}
		if c == nil {
			c = &shared{kind: places[0].id.Kind(), in: map[*device]component.ID{}}
		}
		for _, p := range places {
			n := serial[p]
			if _, there := c.in[p.d]; there || class[p] != nil || n != "" && len(c.names) > 0 && !slices.Contains(c.names, n) {
				continue
			}
			if n != "" && !slices.Contains(c.names, n) {
				c.names = append(c.names, n)
			}
			c.in[p.d], class[p] = p.id, c
		}
	}
	var parts []*shared
	for _, c := range class {
		if len(c.in) > 1 && !slices.Contains(parts, c) {
			parts = append(parts, c)
		}
	}
	slices.SortFunc(parts, func(a, b *shared) int { return strings.Compare(a.first(), b.first()) })
	return parts
}

func (p *shared) first() string {
	least := ""
	for _, id := range p.in {
		if least == "" || string(id) < least {
			least = string(id)
		}
	}
	return least
}

// tellApart reports whether a value belongs to one part of each of several machines that are surely different ones.
func tellApart[P any](places []P, of func(P) *device) bool {
	if len(places) < 2 || len(places) > mostShared {
		return false
	}
	seen := map[*device]bool{}
	names := map[string]bool{}
	for _, p := range places {
		d := of(p)
		who := d.who()
		if seen[d] || who == "" || names[who] {
			return false
		}
		seen[d], names[who] = true, true
	}
	return true
}

// partsToShare are a device's parts of the kinds that may be shared, with what all its targets tell of them.
func (d *device) partsToShare() []component.Component {
	m := merger{byID: map[component.ID]*Part{}, byAlias: map[string]component.ID{}}
	for _, t := range d.words() {
		c := *t
		c.words = map[component.ID]word{}
		for id, w := range t.words {
			if shareable[id.Kind()] {
				w.Component = *w.remembered()
				c.words[id] = w
			}
		}
		m.add(&c)
	}
	var parts []component.Component
	for _, id := range slices.Sorted(maps.Keys(m.byID)) {
		if shareable[id.Kind()] {
			parts = append(parts, m.byID[id].Component)
		}
	}
	return parts
}

// enclosure is a set of machines and what they share.
type enclosure struct {
	nodes []*device
	parts []*shared
}

// enclosed sorts shared parts by the machines that they have in common.
func enclosed(parts []*shared) []*enclosure {
	of := map[*device]*enclosure{}
	var sets []*enclosure
	for _, p := range parts {
		var e *enclosure
		for d := range p.in {
			if x := of[d]; x != nil && x != e {
				if e == nil {
					e = x
					continue
				}
				e.parts, e.nodes = append(e.parts, x.parts...), append(e.nodes, x.nodes...)
				for _, n := range x.nodes {
					of[n] = e
				}
				x.nodes, x.parts = nil, nil
			}
		}
		if e == nil {
			e = &enclosure{}
			sets = append(sets, e)
		}
		e.parts = append(e.parts, p)
		for d := range p.in {
			if of[d] == nil {
				of[d] = e
				e.nodes = append(e.nodes, d)
			}
		}
	}
	sets = slices.DeleteFunc(sets, func(e *enclosure) bool { return len(e.nodes) == 0 })
	for _, e := range sets {
		slices.SortFunc(e.nodes, func(a, b *device) int { return strings.Compare(a.name, b.name) })
	}
	return sets
}

// complete adds the supplies that no key ties to those that have the same number at the set's other machines: one that was
// pulled, or was just replaced and is not read anew by all of them. It reports whether the set is to be believed: machines
// that were not known to be in one enclosure must not have a supply with a serial number that is theirs alone.
func (e *enclosure) complete(was map[*device]*device) bool {
	known := true
	for _, d := range e.nodes {
		known = known && was[d] != nil && was[d] == was[e.nodes[0]]
	}
	in := map[*device]map[component.ID]bool{}
	for _, p := range e.parts {
		for d, id := range p.in {
			if in[d] == nil {
				in[d] = map[component.ID]bool{}
			}
			in[d][id] = true
		}
	}
	e.fuse()
	for _, d := range e.nodes {
		for _, c := range d.partsToShare() {
			if c.Kind != component.PSU || in[d][c.ID] {
				continue
			}
			if !known && genuine(c.Attributes[component.Serial]) {
				return false
			}
			e.add(d, c.ID)
		}
	}
	return true
}

// fuse makes one of supplies that have the same number at different machines of the set: some have read the serial number
// of the new one, and some still tell that of the old.
func (e *enclosure) fuse() {
	apart := func(a, b *shared) bool {
		for d, x := range a.in {
			for o, y := range b.in {
				if d == o || x.Local() != y.Local() {
					return false
				}
			}
		}
		return a.kind == b.kind && a.kind == component.PSU
	}
	for i := 0; i < len(e.parts); i++ {
		for j := len(e.parts) - 1; j > i; j-- {
			if apart(e.parts[i], e.parts[j]) {
				maps.Copy(e.parts[i].in, e.parts[j].in)
				e.parts = slices.Delete(e.parts, j, j+1)
			}
		}
	}
}

// add puts a supply to those with the same number, or makes it a part of its own of the set.
func (e *enclosure) add(d *device, id component.ID) {
	for _, p := range e.parts {
		if _, there := p.in[d]; p.kind != id.Kind() || there {
			continue
		}
		for _, other := range p.in {
			if other.Local() == id.Local() {
				p.in[d] = id
				return
			}
		}
	}
	e.parts = append(e.parts, &shared{kind: id.Kind(), in: map[*device]component.ID{d: id}})
}

// ownerOf is the device that is the enclosure of these machines, one of them or made up.
func (s *Store) ownerOf(nodes []*device) *device {
	for _, d := range nodes {
		if d.isEnclosure() {
			return d
		}
	}
	name := "enclosure-of-" + nodes[0].name
	serials := map[string]bool{}
	for _, d := range nodes {
		for _, c := range d.partsToShare() {
			serials[c.Attributes[component.EnclosureSerial]] = true
		}
		for _, t := range d.targets {
			for id := range t.words {
				if id.Kind() == component.Host {
					serials[t.words[id].Attributes[component.EnclosureSerial]] = true
				}
			}
		}
	}
	delete(serials, "")
	if len(serials) == 1 {
		for serial := range serials {
			if genuine(serial) && !strings.ContainsAny(serial, "/ ") {
				name = "enclosure-" + serial
			}
		}
	}
	if d := s.devices[name]; d != nil {
		return d
	}
	d := &device{name: name, ties: ties{made: true}, seen: s.leftovers[name].clone()}
	s.put(d)
	return d
}

// isEnclosure reports whether a device's main component is an enclosure that no machine of its own is beside.
func (d *device) isEnclosure() bool {
	enclosure := false
	for _, t := range d.targets {
		for id := range t.words {
			switch id.Kind() {
			case component.Host:
				return false
			case component.Enclosure:
				enclosure = true
			}
		}
	}
	return enclosure
}

// hosts are the machines that a device's parts hold up beside it itself.
func (d *device) hosts() []component.ID {
	var ids []component.ID
	for _, g := range d.guests {
		found := false
		for _, t := range g.words() {
			for id := range t.words {
				if id.Kind() == component.Host {
					ids, found = append(ids, id), true
				}
			}
		}
		if !found {
			ids = append(ids, component.NewID(g.name, component.Host, "1"))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
