package snmp

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// Use is one object that decided something: what it was taken to mean, and for which component.
type Use struct {
	OID       string
	Component component.ID
	Profile   string
	// Word and Flags where the object spoke of a condition or of a claim's state.
	Word  string
	Flags []string
	// Reading and Value where it was a measurement.
	Reading string
	Value   float64
}

// Parsed is a snapshot's content and where each component came from.
type Parsed struct {
	Device     snapshot.Device
	Components []component.Component
	Claims     []snapshot.Claim
	Links      []component.Link
	Errors     []snapshot.Error
	// Sources are the tables that components were made of.
	Sources map[component.ID]*mibs.Table
	Uses    []Use // only where asked for
}

// Options of Parse.
type Options struct {
	Limit int            // of components; 0: collectors.DefaultLimits
	Uses  bool           // note every object that decided something
	Named []component.ID // what the configuration names of the device
}

// Parse reads a device's data by its profiles, in their order. It is pure.
func Parse(device string, profiles []*mibs.Profile, sys mibs.System, data *Data, opt Options) *Parsed {
	if opt.Limit == 0 {
		opt.Limit = collectors.DefaultLimits().Components
	}
	b := &builder{
		device: device, limit: opt.Limit, named: opt.Named, byID: map[component.ID]int{}, called: map[alias]int{}, linked: map[component.Link]bool{},
		out: &Parsed{Device: snapshot.Device{Name: device, Hostname: printable(sys.Name)}, Sources: map[component.ID]*mibs.Table{}},
	}
	for i, p := range profiles {
		e := newReading(p, sys, data)
		if opt.Uses {
			e.note = func(u Use) {
				u.Profile = p.Name
				b.out.Uses = append(b.out.Uses, u)
			}
		}
		b.identity(e)
		for k := range p.Components {
			b.rule(e, i, &p.Components[k])
		}
		for k := range p.Groups {
			b.later = append(b.later, func() { b.claims(e, &p.Groups[k]) })
		}
	}
	for _, f := range b.later {
		f()
	}
	b.finish(data)
	return b.out
}

// builder collects what the rules make.
type builder struct {
	device string
	limit  int
	named  []component.ID
	full   bool // the limit was reached
	out    *Parsed
	made   []*part
	byID   map[component.ID]int
	called map[alias]int // what other names lead to a component
	linked map[component.Link]bool
	later  []func() // links and claims: when every component is there
}

type alias struct{ kind, name string }

// part is a component while it is being put together.
type part struct {
	c       component.Component
	verdict verdict
	by      origin
	groups  []string
}

// origin is the rule that made a part.
type origin struct {
	profile int
	rule    *mibs.Component
}

func (b *builder) identity(e *reading) {
	d := &b.out.Device
	for k := range e.p.Devices {
		from := &e.p.Devices[k]
		var r *row
		if from.Table >= 0 {
			rows := e.tables[from.Table].rows
			i := slices.IndexFunc(rows, func(r *row) bool { return e.holds(from.Where, r) })
			if i < 0 {
				continue
			}
			r = rows[i]
		}
		for _, x := range []struct {
			to   *string
			text mibs.Text
		}{
			{&d.Vendor, from.Vendor}, {&d.Model, from.Model}, {&d.Serial, from.Serial},
			{&d.Firmware, from.Firmware}, {&d.Hostname, from.Hostname}, {&d.UUID, from.UUID},
		} {
			if *x.to == "" {
				*x.to = e.text(x.text, r)
			}
		}
	}
}

// rule makes the components of one rule.
func (b *builder) rule(e *reading, profile int, rule *mibs.Component) {
	for _, t := range rule.Unless {
		if len(b.targets(e, t, nil)) > 0 {
			return
		}
	}
	if rule.Table < 0 {
		if e.holds(rule.Where, nil) && scalarSaysSomething(e, rule) {
			b.one(e, profile, rule, nil)
		}
		return
	}
	for _, r := range e.tables[rule.Table].rows {
		if rule.Otherwise && len(r.made) > 0 || !e.holds(rule.Where, r) {
			continue
		}
		b.one(e, profile, rule, r)
	}
}

// scalarSaysSomething reports whether the device has any of the objects that a rule without a table reads: a device
// that answers none of them has no such part.
func scalarSaysSomething(e *reading, rule *mibs.Component) bool {
	if len(rule.Where.Tests)+len(rule.Where.Any)+len(rule.Where.Not) > 0 || rule.Condition == nil && len(rule.Readings) == 0 {
		return true
	}
	found := false
	listen := func(ref *mibs.Ref) {
		if ref != nil {
			if _, ok := e.value(*ref, nil); ok {
				found = true
			}
		}
	}
	var walk func(*mibs.Rule)
	walk = func(r *mibs.Rule) {
		if r == nil {
			return
		}
		if r.Of == nil && r.Mode == mibs.Leaf && r.Is != nil && len(r.When.Tests) == 0 && len(r.When.Any) == 0 {
			found = true // stated outright
		}
		listen(r.Of)
		for i := range r.When.Tests {
			listen(&r.When.Tests[i].Ref)
		}
		for i := range r.Rules {
			walk(&r.Rules[i])
		}
	}
	walk(rule.Condition)
	for i := range rule.Readings {
		listen(rule.Readings[i].Value.Of)
	}
	return found
}

// one makes or extends one component.
func (b *builder) one(e *reading, profile int, rule *mibs.Component, r *row) {
	first := len(b.out.Uses)
	v := e.rule(rule.Condition, r)
	if v.word == "drop" {
		b.out.Uses = b.out.Uses[:first]
		return
	}
	c := component.Component{Kind: component.Kind(e.text(rule.Kind, r))}
	number := -1
	if rule.Extends != nil {
		for _, t := range rule.Extends {
			if found := b.targets(e, t, r); len(found) > 0 {
				number = found[0]
				break
			}
		}
		if number < 0 {
			b.out.Uses = b.out.Uses[:first]
			return
		}
		c.Kind, c.ID = b.made[number].c.Kind, b.made[number].c.ID
	} else {
		local := e.text(rule.ID, r)
		if local == "" || c.Kind == "" {
			b.out.Uses = b.out.Uses[:first]
			return
		}
		if rule.Exact {
			c.ID = component.NewID(b.device, c.Kind, exactID(local))
		} else {
			c.ID = component.NewID(b.device, c.Kind, localID(c.Kind, local))
		}
	}
	b.fill(e, rule, r, &c)
	if rule.Named && !b.isNamed(&c) {
		b.out.Uses = b.out.Uses[:first]
		return
	}
	for i := first; i < len(b.out.Uses); i++ {
		b.out.Uses[i].Component = c.ID
	}
	p := &part{c: c, verdict: v, by: origin{profile, rule}}
	for _, g := range rule.Groups {
		if name := e.text(g, r); name != "" {
			p.groups = append(p.groups, name)
		}
	}
	number = b.add(p, r)
	if number < 0 {
		return
	}
	if r != nil {
		if !slices.Contains(r.made, number) {
			r.made = append(r.made, number)
		}
		if id := b.made[number].c.ID; b.out.Sources[id] == nil {
			b.out.Sources[id] = &e.p.Tables[r.table]
		}
	}
	b.later = append(b.later, func() { b.links(e, rule, r, number) })
}

func localID(kind component.Kind, local string) string {
	return clip(collectors.Slot(kind, local), maxLocal)
}

func exactID(local string) string { return clip(collectors.Name(local), maxLocal) }

// fill reads everything about a component but its identity.
func (b *builder) fill(e *reading, rule *mibs.Component, r *row, c *component.Component) {
	c.Name = e.text(rule.Name, r)
	c.Attributes = map[string]string{}
	if r != nil && rule.Extends == nil {
		c.Aliases = append(c.Aliases, e.p.Tables[r.table].Name+"."+r.index)
	}
	for _, t := range rule.Aliases {
		if a := e.text(t, r); a != "" && !slices.Contains(c.Aliases, a) {
			c.Aliases = append(c.Aliases, a)
		}
	}
	switch e.rule(rule.HotSwap, r).word {
	case "yes":
		yes := true
		c.HotSwap = &yes
	case "no":
		no := false
		c.HotSwap = &no
	}
	for _, a := range rule.Attributes {
		if s := e.text(a.Text, r); s != "" {
			c.Attributes[a.Key] = s
		}
	}
	rating := component.Rating{}
	for key, num := range rule.Rating {
		f := e.number(&num, r)
		if math.IsNaN(f) || f <= 0 {
			continue
		}
		switch key {
		case "watts":
			rating.Watts = f
		case "va":
			rating.VA = f
		case "amps":
			rating.Amps = f
		case "volts":
			rating.Volts = f
		case "phases":
			rating.Phases = int(min(f, 1000))
		case "bits":
			rating.Bits = f
		}
	}
	if rating != (component.Rating{}) {
		c.Rating = &rating
	}
	for i := range rule.Readings {
		rd := &rule.Readings[i]
		name := e.text(rd.Name, r)
		if name == "" {
			continue
		}
		f := e.number(&rd.Value, r)
		if math.IsNaN(f) {
			continue
		}
		n := component.Reading{Name: name, Unit: e.text(rd.Unit, r), Phase: e.text(rd.Phase, r), Value: component.Value(f)}
		if slices.ContainsFunc(c.Readings, func(x component.Reading) bool { return x.Name == n.Name && x.Phase == n.Phase }) {
			continue // an object that was named before this one gave the same quantity
		}
		c.Readings = append(c.Readings, n)
		if e.note != nil && rd.Value.Of != nil {
			e.note(Use{OID: e.oid(*rd.Value.Of, r), Reading: name, Value: f})
		}
	}
}

// add puts a part in its place: a new one, or onto what is there already.
func (b *builder) add(p *part, r *row) int {
	at, there := b.byID[p.c.ID]
	if there && p.by.rule.Extends == nil && !p.by.rule.Merge && b.made[at].by == p.by {
		// Two rows of one table with the same local id are two parts, unless the rule says otherwise.
		index := "2"
		if r != nil {
			index = r.index
		}
		p.c.ID = component.ID(string(p.c.ID) + "@" + index)
		if at, there = b.byID[p.c.ID]; there {
			return at
		}
	}
	if there {
		b.merge(b.made[at], p)
		b.callAlso(p, at)
		return at
	}
	if len(b.made) >= b.limit {
		b.full = true
		return -1
	}
	b.made = append(b.made, p)
	b.byID[p.c.ID] = len(b.made) - 1
	b.callAlso(p, len(b.made)-1)
	return len(b.made) - 1
}

// callAlso notes a part's aliases; of two parts with the same alias the first keeps it.
func (b *builder) callAlso(p *part, at int) {
	for _, name := range p.c.Aliases {
		if a := (alias{string(p.c.Kind), name}); name != "" {
			if _, taken := b.called[a]; !taken {
				b.called[a] = at
			}
		}
	}
}

// merge adds to a part what another rule says of it. A rule of the same profile has a say in its condition; another
// profile only where nothing was said yet.
func (b *builder) merge(old, p *part) {
	if old.by.profile == p.by.profile || p.by.rule.Extends != nil {
		old.verdict = worst(old.verdict, p.verdict)
	} else if !old.verdict.said() {
		old.verdict = p.verdict
	}
	if old.by.profile != p.by.profile && p.by.rule.Extends == nil && p.c.Attributes[component.ListedFor] == "" {
		delete(old.c.Attributes, component.ListedFor)
	}
	old.groups = append(old.groups, p.groups...)
	if old.c.Name == "" {
		old.c.Name = p.c.Name
	}
	for _, a := range p.c.Aliases {
		if !slices.Contains(old.c.Aliases, a) {
			old.c.Aliases = append(old.c.Aliases, a)
		}
	}
	if old.c.HotSwap == nil {
		old.c.HotSwap = p.c.HotSwap
	}
	for k, v := range p.c.Attributes {
		switch was := old.c.Attributes[k]; {
		case k == component.ListedFor && old.by.profile != p.by.profile: // it is listed for what it is, too
		case was == "":
			old.c.Attributes[k] = v
		case p.by.rule.Listed:
			old.c.Attributes[k] = listed(was, v)
		}
	}
	if old.c.Rating == nil {
		old.c.Rating = p.c.Rating
	} else if p.c.Rating != nil {
		o, n := old.c.Rating, p.c.Rating
		for _, x := range [][2]*float64{{&o.Watts, &n.Watts}, {&o.VA, &n.VA}, {&o.Amps, &n.Amps}, {&o.Volts, &n.Volts}, {&o.Bits, &n.Bits}} {
			if *x[0] == 0 {
				*x[0] = *x[1]
			}
		}
		if o.Phases == 0 {
			o.Phases = n.Phases
		}
	}
	for _, rd := range p.c.Readings {
		if !slices.ContainsFunc(old.c.Readings, func(x component.Reading) bool { return x.Name == rd.Name && x.Phase == rd.Phase }) {
			old.c.Readings = append(old.c.Readings, rd)
		}
	}
}

// listed adds a value to those of other rows, in an order that doesn't depend on the rows'.
func listed(values, more string) string {
	all := append(strings.Split(values, component.ListSeparator), more)
	slices.Sort(all)
	return clip(strings.Join(slices.Compact(all), component.ListSeparator), maxText)
}

// isNamed reports whether the configuration names a component by its id or an alias.
func (b *builder) isNamed(c *component.Component) bool {
	return slices.ContainsFunc(append([]string{c.ID.Local()}, c.Aliases...), func(name string) bool {
		return slices.ContainsFunc(b.named, func(id component.ID) bool {
			return id.Kind() == c.Kind && strings.EqualFold(id.Local(), name)
		})
	})
}

// targets finds the components that a target names, by their numbers.
func (b *builder) targets(e *reading, t mibs.Target, r *row) []int {
	switch {
	case t.Path != nil:
		if found := e.follow(t.Path, r); found != nil {
			return found.made
		}
		return nil
	case t.All:
		key, want, _ := strings.Cut(t.Where, "=")
		var out []int
		for i, p := range b.made {
			if string(p.c.Kind) == t.Kind && (t.Where == "" || p.c.Attributes[key] == want) {
				out = append(out, i)
			}
		}
		return out
	}
	var out []int
	kind := component.Kind(t.Kind)
	for _, local := range e.fills(t.ID, r) {
		// A name as it stands before what it is short for.
		if i, ok := b.byID[component.NewID(b.device, kind, exactID(local))]; ok {
			out = append(out, i)
		} else if i, ok := b.called[alias{t.Kind, local}]; ok {
			out = append(out, i)
		} else if i, ok := b.byID[component.NewID(b.device, kind, localID(kind, local))]; ok && !t.Row {
			out = append(out, i)
		}
	}
	return out
}

func (b *builder) links(e *reading, rule *mibs.Component, r *row, number int) {
	self := b.made[number].c.ID
	for _, x := range []struct {
		rel     []mibs.Relation
		kind    component.LinkKind
		reverse bool // self is the provider
	}{
		{rule.FedBy, component.Feeds, false}, {rule.Feeds, component.Feeds, true},
		{rule.CarriedBy, component.Carries, false}, {rule.Carries, component.Carries, true},
		{rule.CooledBy, component.Cools, false}, {rule.In, component.Contains, false},
	} {
		for _, rel := range x.rel {
			if !e.holds(rel.When, r) {
				continue
			}
			for _, t := range rel.Targets {
				found := b.targets(e, t, r)
				for _, n := range found {
					if n == number {
						continue
					}
					l := component.Link{From: b.made[n].c.ID, To: self, Kind: x.kind}
					if x.reverse {
						l.From, l.To = l.To, l.From
					}
					b.link(l)
				}
				if len(found) > 0 {
					break
				}
			}
		}
	}
}

func (b *builder) link(l component.Link) {
	if !b.linked[l] {
		b.linked[l] = true
		b.out.Links = append(b.out.Links, l)
	}
}

// finish settles the components' states and the order of everything.
func (b *builder) finish(data *Data) {
	b.out.Components = make([]component.Component, 0, len(b.made))
	for _, p := range b.made {
		settle(&p.c, p.verdict)
		b.out.Components = append(b.out.Components, p.c)
	}
	if b.full {
		b.out.Errors = append(b.out.Errors, snapshot.Error{
			At: b.device, Error: fmt.Sprintf("the device has more than %d components; the rest was dropped", b.limit), Class: snapshot.ClassLimit,
		})
	}
	b.out.Errors = append(b.out.Errors, unreadErrors(data)...)
}

// unreadErrors makes one error of all objects that could not be read for the same reason.
func unreadErrors(data *Data) []snapshot.Error {
	var out []snapshot.Error
	more := map[string]int{}
	for _, oid := range slices.SortedFunc(maps.Keys(data.Unread), CompareOIDs) {
		words := oneLine(data.Unread[oid].Error())
		if more[words]++; more[words] == 1 {
			out = append(out, snapshot.Error{At: oid, Error: words, Class: snapshot.ClassPartial})
		}
	}
	for i := range out {
		if n := more[out[i].Error]; n > 1 {
			out[i].Error += fmt.Sprintf(" (and %d objects more)", n-1)
		}
	}
	return out
}

// maxText bounds what one text of a device may hold, in bytes; maxLocal an id's last part.
const (
	maxText  = 500
	maxLocal = 120
)

var conditions = map[string]component.Condition{
	"ok": component.OK, "impaired": component.Impaired, "failed": component.Failed, "absent": component.Absent,
}

// settle writes a verdict into a component.
func settle(c *component.Component, v verdict) {
	c.Condition = conditions[v.word]
	for _, f := range v.flags {
		switch f {
		case "predicted":
			c.Predicted = true
		case "standby":
			c.Standby = true
		case "input_lost":
			c.InputLost = true
		case "rebuilding":
			c.Rebuilding = true
		case "on_battery":
			c.Attributes[component.OnBattery] = "true"
		case "bypass":
			c.Attributes[component.Bypass] = "true"
		case "off":
			c.Attributes["power"] = "off"
		}
	}
	if c.Condition == component.Absent {
		c.Predicted, c.Standby, c.Rebuilding = false, false, false
	}
	c.Why = clip(strings.Join(v.why, "; "), maxText)
	switch {
	case c.Why != "" || c.Condition == component.OK:
	case c.Condition == component.Unknown:
		c.Why = "the device says nothing of its condition"
	default:
		c.Why = "the device reports it " + c.Condition.String()
	}
}

// Snapshot is the parsed content without what only a conversation knows.
func (p *Parsed) Snapshot() *snapshot.Snapshot {
	return &snapshot.Snapshot{
		Collector: "snmp", Device: p.Device, Components: p.Components, Claims: p.Claims, Links: p.Links, Errors: p.Errors,
	}
}
