package state

import (
	"maps"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// What is one thing in the world is one here, however many targets show it (docs/design.md, 2).
//
// Two devices are one machine where they give the same system UUID, or the same serial number at one maker, nobody else
// gives it, and they are read by different protocols: then the words of the second go to the first, part by part. Two that
// are read by the same protocol are not believed to be one; that is a mistake in somebody's model, and TwinsOf finds it.

// mostShared is the largest number of machines in one enclosure that is believed; a value that more give is a dummy.
const mostShared = 64

// kinds of keys: what is compared before the first blank.
const (
	keyUUID   = "uuid "
	keySerial = "serial "
	keyPart   = "part "
)

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
