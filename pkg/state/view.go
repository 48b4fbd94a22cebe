package state

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// look returns the device's merged view and brings what must be remembered up to date with it.
func (d *device) look() *Device {
	if d.view == nil {
		d.view = d.merge()
	}
	return d.view
}

func (d *device) merge() *Device {
	v := &Device{Name: d.name, Read: len(d.targets) > 0}
	v.Identity.Name = d.name
	m := merger{byID: map[component.ID]*Part{}, byAlias: map[string]component.ID{}}
	for _, t := range d.targets {
		v.Targets = append(v.Targets, t.Target)
		v.Read = v.Read && (t.read || t.tried && t.Silent)
		fill(&v.Identity, t.identity)
		ids := m.add(t)
		v.Links = append(v.Links, renamedLinks(t.links, ids)...)
		v.Claims = append(v.Claims, renamedClaims(t.claims, ids)...)
	}
	d.remember(m.byID, v.Read)
	v.Parts = make([]Part, 0, len(m.byID))
	for _, p := range m.byID {
		v.Parts = append(v.Parts, *p)
	}
	slices.SortFunc(v.Parts, func(a, b Part) int { return strings.Compare(string(a.ID), string(b.ID)) })
	v.Best, v.Peaks, v.Ratings, v.Loads = d.seen.Best, d.seen.Peaks, d.seen.Ratings, d.seen.Loads
	return v
}

// fill takes from b what a does not say.
func fill(a *snapshot.Device, b snapshot.Device) {
	for _, f := range []struct {
		to   *string
		from string
	}{{&a.Hostname, b.Hostname}, {&a.Vendor, b.Vendor}, {&a.Model, b.Model}, {&a.Serial, b.Serial}, {&a.Firmware, b.Firmware},
		{&a.UUID, b.UUID}, {&a.Engine, b.Engine}, {&a.Powered, b.Powered}} {
		if *f.to == "" {
			*f.to = f.from
		}
	}
}

// merger joins the parts that several targets of one device report.
type merger struct {
	byID    map[component.ID]*Part
	byAlias map[string]component.ID // "kind/alias", lower case
}

// add takes in the words of one more target. It returns the names under which the target's parts go where those are not
// its own. Two parts of one target are never the same: a name or serial number that it gives to both names neither.
func (m *merger) add(t *target) (renamed map[component.ID]component.ID) {
	silent := t.Silent
	names := map[string]component.ID{} // of this target's parts; "" for more than one
	for id, w := range t.words {
		for _, name := range otherNames(&w.Component) {
			if _, again := names[name]; again && names[name] != id {
				names[name] = ""
				continue
			}
			names[name] = id
		}
	}
	taken := map[component.ID]bool{}
	for _, id := range m.sameFirst(t) {
		w := t.words[id]
		p := Part{Component: w.Component, Source: t.URL, At: w.at, Silent: silent || w.silent}
		if w.gone {
			p = gone(p, w)
		}
		known := m.find(&p.Component, names)
		if known == "" || taken[known] {
			m.byID[id] = &p
			taken[id] = true
			continue
		}
		taken[known] = true
		if known != id {
			if renamed == nil {
				renamed = map[component.ID]component.ID{}
			}
			renamed[id] = known
		}
		m.byID[known].join(p)
	}
	for name, id := range names {
		if id != "" {
			m.index(name, rename(id, renamed))
		}
	}
	return renamed
}

// sameFirst are the ids of a target's parts, those that are known under the same id first.
func (m *merger) sameFirst(t *target) []component.ID {
	return slices.SortedFunc(maps.Keys(t.words), func(a, b component.ID) int {
		if known := m.byID[a] != nil; known != (m.byID[b] != nil) {
			if known {
				return -1
			}
			return 1
		}
		return strings.Compare(string(a), string(b))
	})
}

// gone is what is believed of a part that its target no longer lists.
func gone(p Part, w word) Part {
	p.Status = component.Status{Condition: component.Absent}
	p.Kept = true
	p.Readings = nil
	p.Why = "no longer listed by the device; last listed " + w.at.UTC().Format(time.RFC3339) + " as " + w.Condition.String()
	return p
}

// find finds the part that another target reported under the same id, alias or serial number; "" where there is none.
func (m *merger) find(c *component.Component, names map[string]component.ID) component.ID {
	if m.byID[c.ID] != nil {
		return c.ID
	}
	for _, name := range otherNames(c) {
		if id := m.byAlias[name]; id != "" && names[name] == c.ID {
			return id
		}
	}
	return ""
}

// index notes the name of a part. One that targets give to two parts names neither.
func (m *merger) index(name string, id component.ID) {
	if known, taken := m.byAlias[name]; taken && known != id {
		id = ""
	}
	m.byAlias[name] = id
}

// otherNames are the names by which a part of one kind is known besides its id.
func otherNames(c *component.Component) []string {
	kind := string(c.Kind) + "/"
	names := []string{kind + strings.ToLower(c.ID.Local())}
	for _, a := range c.Aliases {
		names = append(names, kind+strings.ToLower(a))
	}
	if s := c.Attributes[component.Serial]; genuine(s) {
		names = append(names, kind+"serial="+strings.ToLower(s))
	}
	return names
}

// join takes in what another target says of the same part. A word that is fresh outweighs one of a target that is silent
// or lost sight of the part; of two that are equally fresh known bad wins, and where they disagree the other is kept.
func (p *Part) join(q Part) {
	was := *p
	equal := p.fresh() == q.fresh()
	if q.fresh() && !p.fresh() || equal && p.Condition != q.Condition && component.Worse(p.Condition, q.Condition) == q.Condition {
		p.Status, p.Why, p.Source, p.At, p.Silent, p.Kept = q.Status, q.Why, q.Source, q.At, q.Silent, q.Kept
	}
	if equal {
		p.Predicted = was.Predicted || q.Predicted
		p.InputLost = was.InputLost || q.InputLost
		p.Rebuilding = was.Rebuilding || q.Rebuilding
	}
	if was.fresh() && q.fresh() && was.Condition != q.Condition {
		other, url := q.Status, q.Source
		if p.Source == q.Source {
			other, url = was.Status, was.Source
		}
		p.Others = maps.Clone(was.Others)
		if p.Others == nil {
			p.Others = map[string]component.Status{}
		}
		p.Others[url] = other
	}
	p.describe(&was, &q)
}

// fresh reports whether the part's target says something of it now.
func (p *Part) fresh() bool { return !p.Silent && !p.Kept && p.Condition != component.Unknown }

// describe takes from q what p does not say of names, attributes, ratings and readings.
func (p *Part) describe(was, q *Part) {
	p.Aliases = slices.Clone(was.Aliases)
	for _, a := range append([]string{q.ID.Local()}, q.Aliases...) {
		if a != was.ID.Local() && !slices.Contains(p.Aliases, a) {
			p.Aliases = append(p.Aliases, a)
		}
	}
	if p.HotSwap == nil {
		p.HotSwap = q.HotSwap
	}
	if p.Rating == nil {
		p.Rating = q.Rating
	}
	p.Attributes = maps.Clone(q.Attributes)
	if p.Attributes == nil {
		p.Attributes = map[string]string{}
	}
	maps.Copy(p.Attributes, was.Attributes)
	p.Readings = slices.Clone(was.Readings)
	for _, r := range q.Readings {
		if !slices.ContainsFunc(was.Readings, func(x component.Reading) bool { return x.Name == r.Name && x.Phase == r.Phase }) {
			p.Readings = append(p.Readings, r)
		}
	}
}

func renamedLinks(links []component.Link, ids map[component.ID]component.ID) []component.Link {
	if len(ids) == 0 {
		return links
	}
	renamed := slices.Clone(links)
	for i := range renamed {
		renamed[i].From, renamed[i].To = rename(renamed[i].From, ids), rename(renamed[i].To, ids)
	}
	return renamed
}

func renamedClaims(claims []snapshot.Claim, ids map[component.ID]component.ID) []snapshot.Claim {
	if len(ids) == 0 {
		return claims
	}
	renamed := slices.Clone(claims)
	for i := range renamed {
		members := slices.Clone(renamed[i].Members)
		for j := range members {
			members[j] = rename(members[j], ids)
		}
		renamed[i].Members, renamed[i].Carries = members, rename(renamed[i].Carries, ids)
	}
	return renamed
}

func rename(id component.ID, ids map[component.ID]component.ID) component.ID {
	if to, ok := ids[id]; ok {
		return to
	}
	return id
}

// remember brings d.seen up to date with the parts, and the parts with d.seen: known bad stays bad until seen good, and
// what was seen working and is no longer listed is absent. all says that every target has been heard.
func (d *device) remember(parts map[component.ID]*Part, all bool) {
	for id, p := range parts {
		if p.Kept && d.seen.Working[id].IsZero() && d.seen.Bad[id].Since.IsZero() {
			delete(parts, id) // was listed, but never as anything that counts
			continue
		}
		d.rememberPart(id, p)
	}
	if !all {
		return
	}
	for id, at := range d.seen.Working {
		if parts[id] == nil && !anySilent(d.targets) {
			parts[id] = d.vanished(id, at)
			d.rememberPart(id, parts[id])
		}
	}
}

func anySilent(targets []*target) bool {
	return slices.ContainsFunc(targets, func(t *target) bool { return t.Silent || !t.read || len(t.Errors) > 0 })
}

// vanished is a part that was seen working before the start and that nobody lists now.
func (d *device) vanished(id component.ID, worked time.Time) *Part {
	p := &Part{Kept: true}
	p.ID, p.Kind, p.Name = id, id.Kind(), string(id.Kind())+" "+id.Local()
	p.Condition = component.Absent
	p.Why = "not listed by the device; last seen working " + worked.UTC().Format(time.RFC3339)
	for _, t := range d.targets {
		if t.LastGood.After(p.At) {
			p.At, p.Source = t.LastGood, t.URL
		}
	}
	return p
}

func (d *device) rememberPart(id component.ID, p *Part) {
	if p.Kind == component.Sensor {
		return
	}
	available, known := p.Available()
	bad, wasBad := d.seen.Bad[id]
	switch {
	case p.Silent || p.At.IsZero():
	case known && available:
		d.worked(id, p.At)
		if wasBad {
			delete(d.seen.Bad, id)
			d.dirty = true
			wasBad = false
		}
	case known && (p.Condition != component.Absent || wasBad || !d.seen.Working[id].IsZero()):
		if !wasBad || bad.Status != p.Status || bad.Why != p.Why {
			if !wasBad {
				bad.Since = p.At
			}
			bad.Status, bad.Why = p.Status, p.Why
			put(&d.seen.Bad, id, bad)
			d.dirty, wasBad = true, true
		}
	}
	if wasBad && !known {
		p.keepBad(bad)
	}
	if wasBad {
		p.BadSince = d.seen.Bad[id].Since
	}
	p.Worked = d.seen.Working[id]
	p.WasThere = !p.Worked.IsZero() || wasBad
	d.rated(id, p)
}

// keepBad: a part known bad of which its target says nothing that settles the question stays bad.
func (p *Part) keepBad(bad Bad) {
	now := p.Why
	p.Status, p.Kept = bad.Status, true
	p.Why = bad.Why
	if now != "" {
		p.Why += "; now: " + now
	}
}

// worked notes that a part was seen available. To keep what is written small the time is brought up to date once an
// hour only.
func (d *device) worked(id component.ID, at time.Time) {
	if was := d.seen.Working[id]; was.IsZero() || at.Sub(was) >= time.Hour {
		put(&d.seen.Working, id, at)
		d.dirty = true
	}
}

// rated keeps the rating of a part, so that it is known when the part is gone.
func (d *device) rated(id component.ID, p *Part) {
	if p.Kind != component.PSU && p.Kind != component.Rectifier {
		return
	}
	if p.Rating != nil && *p.Rating != (component.Rating{}) && d.seen.Ratings[id] != *p.Rating {
		d.seen.Ratings = with(d.seen.Ratings, id, *p.Rating)
		d.dirty = true
	}
}

// forgetParts drops what was remembered of another machine's parts.
func (d *device) forgetParts() {
	d.seen = Seen{Identity: d.seen.Identity}
	for _, t := range d.targets {
		t.words = map[component.ID]word{}
	}
	d.dirty, d.view = true, nil
}

func put[V any](m *map[component.ID]V, id component.ID, v V) {
	if *m == nil {
		*m = map[component.ID]V{}
	}
	(*m)[id] = v
}
