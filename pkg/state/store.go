package state

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// What makes a target, or one part of it, silent: so many polls without an answer, or so long.
const (
	SilentAfter = 5 * time.Minute
	SilentPolls = 3
)

// Store keeps the last word of every target. It is owned by one goroutine.
type Store struct {
	targets   map[targetKey]*target
	devices   map[string]*device
	started   time.Time
	byKey     map[string]map[*device]bool // what devices may have in common; see unite.go
	touched   map[string]bool
	leftovers map[string]Seen // what was remembered of devices that are made up when they are found
	names     []string        // of all devices, sorted; nil: to be made
	order     []*device       // by these names; nil: to be made
}

type targetKey struct{ device, url string }

// target is one URL with the words it gave.
type target struct {
	Target
	polls    int // answered, since the start
	identity snapshot.Device
	words    map[component.ID]word
	claims   []snapshot.Claim
	links    []component.Link
	tried    bool
	read     bool // answered since the start
}

// word is the last that a target said of one part.
type word struct {
	component.Component
	at     time.Time
	since  time.Time       // when its status last changed
	poll   int             // number of the poll that gave it
	errors map[string]bool // what that poll could not read
	silent bool
	serial string // its own, also where a part that failed no longer tells it
	gone   bool   // a later, complete poll no longer listed it
}

// device is one device with its targets in the order of the configuration.
type device struct {
	name    string
	targets []*target
	seen    Seen
	dirty   bool    // seen changed
	view    *Device // nil: to be made
	ties
}

// New makes a store for these targets; only URL, Device, Interval and Named are read.
func New(targets []Target) *Store {
	s := &Store{targets: map[targetKey]*target{}, devices: map[string]*device{}, byKey: map[string]map[*device]bool{},
		touched: map[string]bool{}, leftovers: map[string]Seen{}}
	for _, t := range targets {
		s.add(t)
	}
	return s
}

func (s *Store) add(t Target) {
	key := targetKey{t.Device, t.URL}
	if s.targets[key] != nil {
		return
	}
	d := s.devices[t.Device]
	if d == nil {
		d = &device{name: t.Device}
		s.put(d)
	}
	made := &target{Target: Target{URL: t.URL, Device: t.Device, Interval: t.Interval, Named: t.Named}, words: map[component.ID]word{}}
	s.targets[key] = made
	d.targets = append(d.targets, made)
}

// Restore hands the store what was remembered of devices before a restart, by device name. Call it before the first
// Apply. A part known bad then is bad until it is seen good.
func (s *Store) Restore(seen map[string]Seen) {
	for name, was := range seen {
		if d := s.devices[name]; d != nil {
			d.seen = was.clone()
			d.view = nil
			for _, t := range d.targets {
				t.Silent = slices.Contains(was.Silent, t.URL)
			}
		} else {
			s.leftovers[name] = was
		}
	}
}

// RestoreLast hands the store the last snapshot of a target from before a restart. It is a last word with its age: the
// device is not Read by it.
func (s *Store) RestoreLast(sn *snapshot.Snapshot) {
	t := s.target(sn)
	if t == nil || t.tried || !sn.Reachable {
		return
	}
	t.hear(sn)
	t.LastGood = sn.At
	s.invalidate(s.devices[t.Device])
	s.reunite(s.devices[t.Device])
}

func (s *Store) target(sn *snapshot.Snapshot) *target {
	return s.targets[targetKey{sn.Device.Name, sn.Target}]
}

// Adopt takes over from an older store what it knows of the targets that both have (last words, ages, what was missed
// and who is silent) and what was seen of their devices. It is for a reload; the older store is not to be used again.
func (s *Store) Adopt(from *Store) {
	s.started = from.started
	for key, t := range s.targets {
		if old := from.targets[key]; old != nil {
			interval, named := t.Interval, t.Named
			*t = *old
			t.Interval, t.Named = interval, named
		}
	}
	maps.Copy(s.leftovers, from.leftovers)
	for name, d := range from.devices {
		if d.made {
			s.leftovers[name] = d.seen.clone()
		}
	}
	for name, d := range s.devices {
		if old := from.devices[name]; old != nil {
			d.seen, d.dirty = old.seen.clone(), old.dirty
		}
		d.view = nil
	}
	for _, name := range slices.Sorted(maps.Keys(s.devices)) {
		if d := s.devices[name]; d != nil && !d.made {
			s.reunite(d)
		}
	}
}

// Knows reports whether the store has that target.
func (s *Store) Knows(device, url string) bool { return s.targets[targetKey{device, url}] != nil }

// Apply takes in what one poll saw. It returns the device's name and whether anything but its readings and ages
// changed. A snapshot of a target that the store doesn't know is dropped, and its device is "".
func (s *Store) Apply(sn *snapshot.Snapshot) (device string, changed bool) {
	t := s.target(sn)
	if t == nil {
		return "", false
	}
	if s.started.IsZero() {
		s.started = sn.At
	}
	d := s.devices[t.Device]
	before := d.look()
	t.tried = true
	t.LastTry, t.Took, t.Errors = sn.At, sn.Took, sn.Errors
	if sn.Reachable {
		if differs(t.identity, sn.Device) {
			d.forgetParts()
		}
		d.silence(t, false)
		t.LastGood, t.Missed, t.read = sn.At, 0, true
		t.hear(sn)
	} else {
		t.Missed++
		d.silence(t, t.Silent || t.Missed >= SilentPolls)
	}
	s.invalidate(d)
	if sn.Reachable {
		s.reunite(d)
	}
	after := d.look()
	delete(s.touched, d.name)
	return d.name, !SameFacts(before, after)
}

// differs reports whether another machine now answers at the same address.
func differs(a, b snapshot.Device) bool {
	return genuine(a.Serial) && genuine(b.Serial) && a.Serial != b.Serial || genuine(a.UUID) && genuine(b.UUID) && a.UUID != b.UUID
}

// hear takes in an answer: each listed part's word, and what becomes of parts that are not listed.
func (t *target) hear(sn *snapshot.Snapshot) {
	t.polls++
	t.identity, t.claims, t.links = sn.Device, sn.Claims, sn.Links
	failed := unread(sn.Errors)
	listed := make(map[component.ID]bool, len(sn.Components))
	for _, c := range sn.Components {
		if listed[c.ID] {
			continue
		}
		listed[c.ID] = true
		w := word{Component: c, at: sn.At, since: sn.At, poll: t.polls, errors: failed}
		if was, known := t.words[c.ID]; known && !was.gone {
			if was.Status == c.Status {
				w.since = was.since
			}
			w.serial = was.serial
		}
		if serial := c.Attributes[component.Serial]; genuine(serial) {
			w.serial = serial
		} else if c.Condition == component.Absent {
			w.serial = ""
		}
		t.words[c.ID] = w
	}
	for id, w := range t.words {
		if !listed[id] {
			t.words[id] = t.missing(w, sn.At, failed)
		}
	}
}

// unread are the places that a poll could not read.
func unread(errors []snapshot.Error) map[string]bool {
	if len(errors) == 0 {
		return nil
	}
	at := make(map[string]bool, len(errors))
	for _, e := range errors {
		at[e.At] = true
	}
	return at
}

// missing says what to believe of a part that an answer no longer lists. Something that could not be read now, and could
// when the part was last listed, may be the reason: then the last word stands with its age. Otherwise the part is gone.
func (t *target) missing(w word, now time.Time, failed map[string]bool) word {
	for at := range failed {
		if !w.errors[at] {
			w.silent = t.polls-w.poll >= SilentPolls || now.Sub(w.at) >= max(SilentAfter, SilentPolls*t.Interval)
			w.gone = false
			return w
		}
	}
	w.gone = true
	return w
}

// Tick finds the targets that have become silent by now (three missed polls, or five minutes since the last answer)
// and returns the names of their devices, sorted.
func (s *Store) Tick(now time.Time) (devices []string) {
	if s.started.IsZero() {
		s.started = now
	}
	for _, t := range s.targets {
		since := t.LastGood
		if !t.read { // what is remembered from before the start may be of any time, even of the future
			since = s.started
		}
		if t.Silent || now.Sub(since) < max(SilentAfter, SilentPolls*t.Interval) {
			continue
		}
		t.tried = true
		s.devices[t.Device].silence(t, true)
		s.invalidate(s.devices[t.Device])
		devices = append(devices, t.Device)
	}
	devices = append(devices, s.Touched()...)
	slices.Sort(devices)
	return slices.Compact(devices)
}

// silence notes whether a target is silent, also for after a restart: a device that did not answer before it is not
// vouched for after it.
func (d *device) silence(t *target, silent bool) {
	if t.Silent == silent {
		return
	}
	t.Silent = silent
	d.seen.Silent = nil
	for _, t := range d.targets {
		if t.Silent {
			d.seen.Silent = append(d.seen.Silent, t.URL)
		}
	}
	d.dirty = true
}

// Device returns the merged view of a device, or nil where there is no such device. The value is immutable.
func (s *Store) Device(name string) *Device {
	d := s.devices[name]
	if d == nil {
		return nil
	}
	return d.look()
}

// Devices returns the names of all devices, sorted. The caller must not change them.
func (s *Store) Devices() []string {
	if s.names == nil {
		s.names = slices.Sorted(maps.Keys(s.devices))
	}
	return s.names
}

// Views returns the merged views of all devices, in the order of their names.
func (s *Store) Views() []*Device {
	views := make([]*Device, 0, len(s.devices))
	for _, d := range s.inOrder() {
		views = append(views, d.look())
	}
	return views
}

// inOrder are all devices by their names.
func (s *Store) inOrder() []*device {
	if s.order == nil {
		for _, name := range s.Devices() {
			s.order = append(s.order, s.devices[name])
		}
	}
	return s.order
}

// put adds a device, and drop takes one away.
func (s *Store) put(d *device) {
	s.devices[d.name] = d
	s.names, s.order = nil, nil
}

func (s *Store) drop(d *device) {
	delete(s.devices, d.name)
	s.names, s.order = nil, nil
}

// Seen returns what must be remembered of a device. The caller must not change it.
func (s *Store) Seen(name string) Seen {
	d := s.devices[name]
	if d == nil {
		return Seen{}
	}
	d.look()
	return d.seen.clone()
}

// Dirty returns the names of the devices whose Seen changed since the last call, sorted.
func (s *Store) Dirty() []string {
	var names []string
	for _, d := range s.inOrder() {
		d.look()
		if d.dirty {
			d.dirty = false
			names = append(names, d.name)
		}
	}
	return names
}

// Learn records that best members of a group were seen working together, and the highest load in W that the group was
// seen to carry. Smaller numbers than those known change nothing.
func (s *Store) Learn(group component.ID, best int, peak float64) {
	d := s.devices[group.Device()]
	if d == nil {
		return
	}
	if best > d.seen.Best[group] {
		d.seen.Best = with(d.seen.Best, group, best)
		d.dirty, d.view = true, nil
	}
	if peak > d.seen.Peaks[group] {
		d.seen.Peaks = with(d.seen.Peaks, group, peak)
		d.dirty, d.view = true, nil
	}
}

// LearnLoad keeps the highest loads of something of a device, in the place of those that were known.
func (s *Store) LearnLoad(device, key string, peaks []LoadPeak) {
	d := s.devices[device]
	if d == nil {
		return
	}
	loads := make(map[string][]LoadPeak, len(d.seen.Loads)+1)
	maps.Copy(loads, d.seen.Loads)
	loads[key] = peaks
	d.seen.Loads = loads
	d.dirty = true
}

// LearnPrefixes keeps how many prefixes a session usually brings, by address family, in the place of what was known.
func (s *Store) LearnPrefixes(session component.ID, usual map[string]Usual) {
	if d := s.devices[session.Device()]; d != nil {
		d.seen.Prefixes = with(d.seen.Prefixes, session, usual)
		d.dirty = true
	}
}

// Forget drops what was remembered of a part: it is no longer expected. For a supply that was taken out for good.
func (s *Store) Forget(id component.ID) {
	d := s.devices[id.Device()]
	if d == nil {
		return
	}
	d.seen = d.seen.clone()
	delete(d.seen.Working, id)
	delete(d.seen.Bad, id)
	delete(d.seen.Prefixes, id)
	for _, t := range d.targets {
		if t.words[id].gone {
			delete(t.words, id)
		}
	}
	for _, g := range slices.Concat(d.guests, d.absorbed) {
		for _, t := range g.targets {
			for was, w := range t.words {
				if w.gone && (g.moved[was] == id || g.into == d && was.Kind() == id.Kind() && was.Local() == id.Local()) {
					delete(t.words, was)
				}
			}
		}
	}
	d.seen.Best = nil
	d.dirty = true
	s.invalidate(d)
}

// with returns a copy of m with one more entry; views share the old one.
func with[V any](m map[component.ID]V, id component.ID, v V) map[component.ID]V {
	c := make(map[component.ID]V, len(m)+1)
	maps.Copy(c, m)
	c[id] = v
	return c
}

func (s Seen) clone() Seen {
	s.Working, s.Bad = maps.Clone(s.Working), maps.Clone(s.Bad)
	s.Silent = slices.Clone(s.Silent)
	s.Best, s.Peaks, s.Ratings = maps.Clone(s.Best), maps.Clone(s.Peaks), maps.Clone(s.Ratings)
	s.Loads, s.Prefixes = maps.Clone(s.Loads), maps.Clone(s.Prefixes)
	return s
}

// SameFacts compares two views of a device by everything but readings, ages and counts of polls.
func SameFacts(a, b *Device) bool {
	if a.Identity != b.Identity || a.Read != b.Read || len(a.Parts) != len(b.Parts) || len(a.Targets) != len(b.Targets) {
		return false
	}
	for i := range a.Parts {
		if !samePart(&a.Parts[i], &b.Parts[i]) {
			return false
		}
	}
	for i := range a.Targets {
		if x, y := a.Targets[i], b.Targets[i]; x.Silent != y.Silent || !slices.Equal(x.Errors, y.Errors) {
			return false
		}
	}
	return slices.Equal(a.Links, b.Links) && a.Into == b.Into && slices.Equal(a.Carries, b.Carries) && maps.Equal(a.Moved, b.Moved) && reflect.DeepEqual(a.Claims, b.Claims)
}

func samePart(a, b *Part) bool {
	return a.ID == b.ID && a.Status == b.Status && a.Silent == b.Silent && a.Kept == b.Kept && a.Why == b.Why && a.Name == b.Name &&
		slices.Equal(a.Aliases, b.Aliases) && maps.Equal(a.Attributes, b.Attributes) && sameRating(a.Rating, b.Rating) &&
		maps.Equal(a.Others, b.Others) && len(a.Words) == len(b.Words) && a.Disagrees == b.Disagrees
}

func sameRating(a, b *component.Rating) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
