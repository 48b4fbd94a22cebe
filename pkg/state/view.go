package state

import (
	"maps"
	"slices"
	"strconv"
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
	v := &Device{Name: d.name, Read: true, Made: d.made, Moved: d.moved}
	v.Identity.Name = d.name
	if d.into != nil {
		v.Into = d.into.name
		return v
	}
	m := merger{byID: map[component.ID]*Part{}, byAlias: map[string]component.ID{}}
	add := func(t *target) {
		v.Read = v.Read && (t.read || t.tried && t.Silent)
		fill(&v.Identity, t.identity)
		ids := m.add(t)
		v.Links = append(v.Links, renamedLinks(t.links, ids)...)
		for _, c := range renamedClaims(t.claims, ids) {
			if !slices.ContainsFunc(v.Claims, func(x snapshot.Claim) bool { return d.guests != nil && sameClaim(x, c) }) {
				v.Claims = append(v.Claims, c)
			}
		}
	}
	all := d.words()
	for _, t := range all {
		v.Targets = append(v.Targets, t.Target)
		add(d.own(t))
	}
	for _, g := range d.guests {
		for _, t := range g.words() {
			all = append(slices.Clip(all), t)
			add(g.lent(t))
		}
	}
	v.Read = v.Read && len(all) > 0
	v.Carries = d.hosts()
	for _, p := range m.byID {
		v.Shares = v.Shares || genuine(p.Attributes[component.EnclosureSerial])
	}
	m.settle()
	d.remember(m.byID, v.Read, all)
	v.Parts = make([]Part, 0, len(m.byID))
	for _, p := range m.byID {
		v.Parts = append(v.Parts, *p)
	}
	slices.SortFunc(v.Parts, func(a, b Part) int { return strings.Compare(string(a.ID), string(b.ID)) })
	v.Best, v.Peaks, v.Ratings, v.Loads, v.Prefixes = d.seen.Best, d.seen.Peaks, d.seen.Ratings, d.seen.Loads, d.seen.Prefixes
	return v
}

// sameClaim compares what two machines of one enclosure claim of its supplies.
func sameClaim(a, b snapshot.Claim) bool {
	return a.Group == b.Group && a.Kind == b.Kind && a.State == b.State && a.Needed == b.Needed && a.Designed == b.Designed && slices.Equal(a.Members, b.Members)
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
	shift := m.shift(t)
	for _, id := range m.sameFirst(t) {
		w := t.words[id]
		p := Part{Component: w.Component, Source: t.URL, At: w.at, Silent: silent || w.silent}
		if w.gone {
			p = gone(p, w)
		}
		if p.fresh() || w.gone {
			p.Words = []Word{{Source: t.URL, At: w.at, Since: w.since, Status: p.Status, Why: p.Why}}
		}
		known := m.find(&p.Component, names, shift)
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

// find finds the part that another target reported with the same serial number, or under the same id or alias; "" where
// there is none.
func (m *merger) find(c *component.Component, names map[string]component.ID, shift map[component.ID]component.ID) component.ID {
	if s := serialName(c); s != "" && m.byAlias[s] != "" && names[s] == c.ID {
		return m.byAlias[s]
	}
	if id := shift[c.ID]; id != "" {
		return id
	}
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

// shift pairs the supplies of two targets of which one counts from 0 and the other from 1: as many, and no gap. Serial
// numbers that both give, if there are any, know better.
func (m *merger) shift(t *target) map[component.ID]component.ID {
	if len(m.byID) == 0 {
		return nil
	}
	var theirs, ours []component.ID
	known := map[string]bool{}
	for id, p := range m.byID {
		if id.Kind() == component.PSU {
			theirs = append(theirs, id)
			known[serialName(&p.Component)] = true
		}
	}
	for id, w := range t.words {
		if id.Kind() == component.PSU {
			ours = append(ours, id)
			if s := serialName(&w.Component); s != "" && known[s] {
				return nil
			}
		}
	}
	a, ok := counted(theirs)
	b, too := counted(ours)
	if !ok || !too || len(ours) != len(theirs) || len(ours) < 2 || a+b != 1 {
		return nil
	}
	pairs := map[component.ID]component.ID{}
	for i := range ours {
		pairs[ours[i]] = theirs[i]
	}
	return pairs
}

// counted sorts ids whose local ids are numbers without a gap, from 0 or from 1.
func counted(ids []component.ID) (from int, ok bool) {
	number := func(id component.ID) int {
		n, err := strconv.Atoi(id.Local())
		if err != nil {
			return -1
		}
		return n
	}
	slices.SortFunc(ids, func(a, b component.ID) int { return number(a) - number(b) })
	for i, id := range ids {
		if i == 0 {
			from = number(id)
		}
		if number(id) != from+i || from < 0 || from > 1 {
			return 0, false
		}
	}
	return from, len(ids) > 0
}

// serialName is the name that a part has by its serial number; "" where it has none of its own.
func serialName(c *component.Component) string {
	if s := c.Attributes[component.Serial]; genuine(s) {
		return string(c.Kind) + "/serial=" + strings.ToLower(s)
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
	if s := serialName(c); s != "" {
		names = append(names, s)
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
	p.Words = append(slices.Clip(was.Words), q.Words...)
	p.describe(&was, &q)
}

// settle finds out where targets disagree, once all were heard.
func (m *merger) settle() {
	for _, p := range m.byID {
		if len(p.Words) < 2 {
			p.Words = nil
			continue
		}
		p.Attributes = maps.Clone(p.Attributes)
		p.Attributes[component.LastSeen] = sources(p.Words)
		for i := range p.Words {
			for j := range p.Words[:i] {
				p.Disagrees = p.Disagrees || disagree(&p.Words[i], &p.Words[j])
			}
		}
	}
}

func sources(words []Word) string {
	var urls []string
	for _, w := range words {
		if !slices.Contains(urls, w.Source) {
			urls = append(urls, w.Source)
		}
	}
	return strings.Join(urls, " ")
}

// disagree reports whether two words cannot both be right: one counts on the part and the other doesn't, or one sees it
// in its place and the other doesn't. Each must have been said after the other last changed: targets are not read at one
// moment.
func disagree(a, b *Word) bool {
	if a.At.Before(b.Since) || b.At.Before(a.Since) {
		return false
	}
	x, known := a.Status.Available()
	y, too := b.Status.Available()
	if !known || !too {
		return false
	}
	return x != y || (a.Status.Condition == component.Absent) != (b.Status.Condition == component.Absent)
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
func (d *device) remember(parts map[component.ID]*Part, all bool, targets []*target) {
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
		if _, moved := d.moved[id]; parts[id] == nil && !moved && !anySilent(targets) {
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
	if p.Kind == component.Sensor || p.Attributes[component.ListedFor] != "" {
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
