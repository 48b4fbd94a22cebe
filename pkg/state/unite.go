package state

import (
	"maps"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// What is one thing in the world is one here, however many targets show it (DESIGN section 2).
//
// Two devices are one machine where they give the same system UUID, or the same serial number at one maker, nobody else
// gives it, and they are read by different protocols: then the words of the second go to the first, part by part. Two that
// are read by the same protocol are not believed to be one; that is a mistake in somebody's model, and TwinsOf finds it.
//
// Supplies and fans that several machines show are their enclosure's: those with one serial number, or in one slot of one
// enclosure. They go to the device that is the enclosure, where one is configured, else to one that is made up for it.
// Machines that cannot be told apart (clones of one recording, with dummies for serial numbers) share nothing.

// mostShared is the largest number of machines in one enclosure that is believed; a value that more give is a dummy.
const mostShared = 64

// kinds of keys: what is compared before the first blank.
const (
	keyUUID   = "uuid "
	keySerial = "serial "
	keyPart   = "part "
)

// shareable are the kinds of parts that an enclosure gives to those in it.
var shareable = map[component.Kind]bool{component.PSU: true, component.Fan: true, component.Rectifier: true}

// ties are how a device is bound up with others.
type ties struct {
	keys     []string                      // by which it may be found to be, or to share, something; sorted
	into     *device                       // it is this one
	absorbed []*device                     // these are it
	moved    map[component.ID]component.ID // parts of it that are another device's
	owner    *device                       // whose they are
	guests   []*device                     // whose parts are its own
	made     bool                          // it is no device that is configured
}

// invalidate has the view of a device made anew, and those that hold words of it.
func (s *Store) invalidate(d *device) {
	d.view = nil
	for _, o := range []*device{d.into, d.owner} {
		if o != nil {
			o.view = nil
			s.touched[o.name] = true
			if o.owner != nil {
				o.owner.view = nil
				s.touched[o.owner.name] = true
			}
		}
	}
}

// Touched returns the names of the devices whose views changed although the last snapshots were of others, sorted, and
// forgets them. A device that is gone has no view any more.
func (s *Store) Touched() []string {
	if len(s.touched) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(s.touched))
	clear(s.touched)
	return names
}

// Asked returns the names of the other devices whose targets tell of this one's parts: those that were found to be it, and
// the machines of an enclosure.
func (s *Store) Asked(name string) []string {
	var names []string
	if d := s.devices[name]; d != nil {
		for _, o := range slices.Concat(d.absorbed, d.guests) {
			names = append(names, o.name)
		}
	}
	return names
}

// reunite looks again at what a device is and shares, after it was heard.
func (s *Store) reunite(d *device) {
	keys := d.shareKeys()
	if slices.Equal(keys, d.keys) {
		return
	}
	near := map[*device]bool{d: true}
	for _, list := range [][]string{d.keys, keys} {
		for _, k := range list {
			s.near(k, near)
		}
	}
	for _, k := range d.keys {
		if delete(s.byKey[k], d); len(s.byKey[k]) == 0 {
			delete(s.byKey, k)
		}
	}
	for _, k := range keys {
		if s.byKey[k] == nil {
			s.byKey[k] = map[*device]bool{}
		}
		s.byKey[k][d] = true
	}
	d.keys = keys
	if len(near) > 1 {
		s.tie(s.cluster(near))
	}
}

// near adds the devices with a key that are bound up by it.
func (s *Store) near(key string, to map[*device]bool) (added []*device) {
	with := s.byKey[key]
	if len(with) > mostShared {
		return nil
	}
	for d := range with {
		if !to[d] {
			to[d] = true
			added = append(added, d)
		}
	}
	return added
}

// cluster is all that can be reached from these by keys.
func (s *Store) cluster(from map[*device]bool) []*device {
	queue := slices.Collect(maps.Keys(from))
	for len(queue) > 0 {
		d := queue[0]
		queue = queue[1:]
		for _, k := range d.keys {
			queue = append(queue, s.near(k, from)...)
		}
	}
	return slices.SortedFunc(maps.Keys(from), func(a, b *device) int { return strings.Compare(a.name, b.name) })
}

// shareKeys are what a device has that another may have too.
func (d *device) shareKeys() []string {
	keys := map[string]bool{}
	for _, t := range d.targets {
		if u := oneUUID(t.identity.UUID); u != "" {
			keys[keyUUID+u] = true
		}
		if genuine(t.identity.Serial) {
			keys[keySerial+strings.ToLower(t.identity.Serial)] = true
		}
		for id := range t.words {
			if shareable[id.Kind()] {
				w := t.words[id]
				for _, k := range partKeys(w.remembered()) {
					keys[k] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// remembered is the part with the serial number that it had, unless it is not there any more.
func (w *word) remembered() *component.Component {
	c := w.Component
	if w.gone || c.Condition == component.Absent || w.serial == "" || genuine(c.Attributes[component.Serial]) {
		return &c
	}
	c.Attributes = maps.Clone(c.Attributes)
	if c.Attributes == nil {
		c.Attributes = map[string]string{}
	}
	c.Attributes[component.Serial] = w.serial
	return &c
}

// partKeys are what tells a shared part: its serial number, and its slot in its enclosure.
func partKeys(c *component.Component) []string {
	var keys []string
	if serial := c.Attributes[component.Serial]; genuine(serial) {
		keys = append(keys, keyPart+string(c.Kind)+" "+strings.ToLower(serial))
	}
	if enclosure := c.Attributes[component.EnclosureSerial]; genuine(enclosure) {
		keys = append(keys, keyPart+string(c.Kind)+" in "+strings.ToLower(enclosure)+" at "+c.ID.Local())
	}
	return keys
}

// tie binds the devices of a cluster anew.
func (s *Store) tie(devices []*device) {
	before, was := map[*device]bool{}, map[*device]*device{}
	for _, d := range devices {
		if d.owner != nil {
			was[d] = d.owner
		}
		s.loosen(d, before)
	}
	for i, a := range devices {
		for _, b := range devices[i+1:] {
			s.absorb(a, b)
		}
	}
	s.share(devices, was)
	for d := range before {
		if d.made && len(d.guests) == 0 {
			s.drop(d)
			s.leftovers[d.name] = d.seen.clone()
		}
		s.touched[d.name] = true
	}
	for _, d := range devices {
		d.view = nil
		s.touched[d.name] = true
	}
}

// loosen takes a device out of all that it is bound up with, and notes with what.
func (s *Store) loosen(d *device, with map[*device]bool) {
	if o := d.owner; o != nil {
		o.guests, o.view = nil, nil
		with[o] = true
	}
	d.into, d.absorbed, d.moved, d.owner, d.guests = nil, nil, nil, nil, nil
}

// absorb makes two devices one where they are one machine.
func (s *Store) absorb(a, b *device) {
	if a.into != nil || b.into != nil || !s.oneMachine(a, b) {
		return
	}
	switch {
	case a.named() && b.named():
		return // the model speaks of both: its reader has to be told
	case b.named() && !a.named(), !a.named() && !a.reads("redfish") && b.reads("redfish"):
		a, b = b, a
	}
	b.into, a.absorbed = a, append(a.absorbed, b)
}

// oneMachine reports whether two devices show one machine by different protocols.
func (s *Store) oneMachine(a, b *device) bool {
	for _, t := range a.targets {
		if b.reads(protocol(t.URL)) {
			return false
		}
	}
	x, y := a.identity(), b.identity()
	known := oneUUID(x.UUID) != "" && oneUUID(y.UUID) != ""
	if known {
		u := oneUUID(x.UUID)
		return u == oneUUID(y.UUID) && len(s.byKey[keyUUID+u]) == 2
	}
	return genuine(x.Serial) && strings.EqualFold(x.Serial, y.Serial) && len(s.byKey[keySerial+strings.ToLower(x.Serial)]) == 2 && oneMaker(x, y)
}

func (d *device) identity() (i snapshot.Device) {
	for _, t := range d.targets {
		fill(&i, t.identity)
	}
	return i
}

func (d *device) named() bool {
	return slices.ContainsFunc(d.targets, func(t *target) bool { return t.Named })
}

func (d *device) reads(by string) bool {
	return slices.ContainsFunc(d.targets, func(t *target) bool { return protocol(t.URL) == by })
}

// protocol is what a URL's scheme says, "redfish" for both of Redfish's.
func protocol(raw string) string {
	scheme, _, _ := strings.Cut(raw, "://")
	p, _, _ := strings.Cut(scheme, "+")
	return p
}

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

// who tells a machine from all others; "" where it says nothing that does.
func (d *device) who() string {
	i := d.identity()
	if u := oneUUID(i.UUID); u != "" {
		return u
	}
	if genuine(i.Serial) {
		return i.Serial
	}
	return ""
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

// words are the targets whose words are the device's: its own, and those of the devices that were found to be it, in its
// name.
func (d *device) words() []*target {
	targets := d.targets
	for _, a := range d.absorbed {
		for _, t := range a.targets {
			targets = append(slices.Clip(targets), t.renamed(func(id component.ID) component.ID {
				if id.Device() == a.name {
					return component.NewID(d.name, id.Kind(), id.Local())
				}
				return id
			}))
		}
	}
	return targets
}

// renamed is a target with the ids of its words, claims and links as to says; a part whose id it makes "" is left out.
// The old ids become names of the parts.
func (t *target) renamed(to func(component.ID) component.ID) *target {
	c := *t
	c.words = make(map[component.ID]word, len(t.words))
	for id, w := range t.words {
		now := to(id)
		if now == "" {
			continue
		}
		if now != id {
			w.ID = now
			w.Aliases = append(slices.Clone(w.Aliases), string(id))
		}
		c.words[now] = w
	}
	c.links = nil
	for _, l := range t.links {
		l.From, l.To = to(l.From), to(l.To)
		if l.From != "" && l.To != "" {
			c.links = append(c.links, l)
		}
	}
	c.claims = nil
	for _, cl := range t.claims {
		if cl, ok := renamedClaim(cl, to); ok {
			c.claims = append(c.claims, cl)
		}
	}
	return &c
}

// renamedClaim is a claim with other ids. One that is left with no member is none; its group goes where its members are.
func renamedClaim(c snapshot.Claim, to func(component.ID) component.ID) (snapshot.Claim, bool) {
	had := len(c.Members)
	var members []component.ID
	for _, id := range c.Members {
		if now := to(id); now != "" {
			members = append(members, now)
		}
	}
	c.Members = members
	if c.Carries != "" {
		c.Carries = to(c.Carries)
	}
	if had == 0 {
		c.Group = to(c.Group)
		return c, c.Group != ""
	}
	if len(members) > 0 && members[0].Device() != c.Group.Device() {
		c.Group = component.NewID(members[0].Device(), c.Group.Kind(), c.Group.Local())
	}
	return c, len(members) > 0
}

// own is a device's target without what is another's.
func (d *device) own(t *target) *target {
	if len(d.moved) == 0 {
		return t
	}
	return t.renamed(func(id component.ID) component.ID {
		if _, gone := d.moved[id]; gone {
			return ""
		}
		return id
	})
}

// lent is what a machine tells of the parts that are its enclosure's, in the enclosure's names.
func (d *device) lent(t *target) *target {
	c := t.renamed(func(id component.ID) component.ID { return d.moved[id] })
	c.identity = snapshot.Device{}
	return c
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
