package redfish

import (
	"sort"
	"strconv"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// claim is what a service says of a redundancy group, before ids are known.
type claim struct {
	kind     component.Kind
	form     string // "Power", "PowerSubsystem" ...
	link     string // the object that says it
	index    int    // in its list
	name     string
	prefix   string // of a chassis that is not the main one
	local    string // of the group's id where it is fixed; else made from the kind and a qualifier
	members  []*part
	state    snapshot.ClaimState
	needed   int
	designed int
	carries  *part
	localOf  *part // the volume after which the group is called
	raw      map[string]string
	why      string
}

// redundancyNames pairs the names of the two schemas: Redundancy (DSP8010 Redundancy.v1) and RedundantGroup.
var redundancyNames = struct{ mode, min, tolerance, max, set [2]string }{
	mode: [2]string{"Mode", "RedundancyType"}, min: [2]string{"MinNumNeeded", "MinNeededInGroup"},
	tolerance: [2]string{"MinNumNeededForFaultTolerance", "MinNeededForFaultTolerance"},
	max:       [2]string{"MaxNumSupported", "MaxSupportedInGroup"}, set: [2]string{"RedundancySet", "RedundancyGroup"},
}

func either(v value, names [2]string) value { return v.first(names[0], names[1]) }

// redundancies reads a list of redundancy objects. fallback gives the members of a group that names none, or only empty
// objects; nil: there are none to guess.
func (b *builder) redundancies(kind component.Kind, form, link string, list value, fallback func(i int, group value, of int) []*part) []*claim {
	var out []*claim
	groups := list.items()
	for i, g := range groups {
		if g.kind == object && len(g.names()) <= 1 && g.link() != "" {
			continue // only a link to one that stands elsewhere
		}
		at := g.link()
		if at == "" {
			at = link + "#/Redundancy/" + strconv.Itoa(i)
		}
		c := &claim{kind: kind, form: form, link: source(at), index: i, name: g.get("Name").str(), raw: map[string]string{}}
		set := either(g, redundancyNames.set)
		named := 0
		for _, m := range set.items() {
			if m.link() == "" {
				continue
			}
			named++
			if p := b.member(m.link(), kind); p != nil {
				c.add(p)
			}
		}
		if named == 0 && fallback != nil {
			for _, p := range fallback(i, g, len(groups)) {
				c.add(p)
			}
			if len(c.members) > 0 {
				c.why = "the group names no members; these are taken from " + c.whence(set)
			}
		}
		b.interpret(c, g, len(set.items()))
		out = append(out, c)
	}
	return out
}

func (c *claim) whence(set value) string {
	if len(set.items()) > 0 {
		return "its other form and its place in the list"
	}
	return "its name"
}

func (c *claim) add(p *part) {
	for _, m := range c.members {
		if m == p {
			return
		}
	}
	if p.Kind == c.kind {
		c.members = append(c.members, p)
	}
}

// member finds the part that a group's link names. One that is named and not known becomes a part of which only that
// is known.
func (b *builder) member(link string, kind component.Kind) *part {
	at := source(link)
	if at == "" {
		return nil
	}
	if p := b.byPath[at]; p != nil {
		return p
	}
	path, inner, _ := strings.Cut(at, "#")
	if inner != "" { // a position in a list
		if b.readable(path) {
			return nil // there is no such position
		}
	} else if b.readable(path) {
		return nil // it is something else
	}
	p := b.newPart(kind, link, value{})
	scope, prefix := "", ""
	for _, c := range b.chassis {
		if belongsTo(path, c.path) && len(c.path) > len(scope) {
			scope, prefix = c.path, b.prefix(c.path)
		}
	}
	p.named(scope, prefix, lastSegmentInner(at))
	p.Name = lastSegmentInner(at)
	p.Status, p.Why = component.Status{}, "a redundancy group names it; "+b.unread(path)
	return p
}

// interpret turns the object's words and numbers into what the vendor means by them.
func (b *builder) interpret(c *claim, g value, set int) {
	w := status(g.get("Status"))
	keep := func(key string, v value) {
		if v.present() {
			c.raw[key] = shorten(v.rawOrList(), 100)
		}
	}
	keep("Name", g.get("Name"))
	keep("Mode", either(g, redundancyNames.mode))
	keep("MinNumNeeded", either(g, redundancyNames.min))
	keep("MinNumNeededForFaultTolerance", either(g, redundancyNames.tolerance))
	keep("MaxNumSupported", either(g, redundancyNames.max))
	keep("RedundancyEnabled", g.get("RedundancyEnabled"))
	keep("State", g.at("Status", "State"))
	keep("Health", g.at("Status", "Health"))
	c.raw["source"] = c.link
	c.raw["members"] = strconv.Itoa(set)

	c.state = claimState(w, g, b.off)
	minimum, _ := either(g, redundancyNames.min).num()
	maximum, _ := either(g, redundancyNames.max).num()
	_, exact := either(g, redundancyNames.tolerance).num()
	c.needed = meantNeeded(numbers{
		min: whole(minimum), max: whole(maximum), members: len(c.members), exact: exact,
		mode: either(g, redundancyNames.mode).rawOrList(), full: c.state == snapshot.ClaimFull, vendor: b.vendor,
	})
	c.designed = meantDesigned(whole(maximum), len(c.members), c.state, b.vendor)
	if c.needed > c.designed { // the list is shorter than what must work: it has dropped some, or counts something else
		c.designed = max(c.designed, whole(maximum))
		if c.needed > c.designed || b.vendor == dell {
			c.needed, c.designed = 0, len(c.members)
		}
	}
	if len(c.members) == 0 {
		c.needed, c.designed = 0, 0
		if c.state == snapshot.ClaimFull || c.state == snapshot.ClaimDegraded {
			c.state = snapshot.ClaimNone
			c.why = join(c.why, "the group has no members: that it says "+w.said+" says nothing")
		}
	}
	if c.state == snapshot.ClaimNone && c.why == "" && w.spoke {
		c.why = "says " + w.said
	}
	c.why = join(c.why, withMessages("", w))
}

func whole(f float64) int {
	if f < 0 || f > 10_000 {
		return 0
	}
	return int(f)
}

// rawOrList writes a value as the device did; a list's elements one behind the other ("Mode": [{"Member": "N+1"}], old iDRACs).
func (v value) rawOrList() string {
	switch v.kind {
	case array, object:
		var all []string
		for _, e := range v.each() {
			if s := e.rawOrList(); s != "" {
				all = append(all, s)
			}
		}
		return strings.Join(all, " ")
	}
	return v.raw()
}

// claimState puts a group's Status into IPMI's words.
func claimState(w words, g value, hostOff bool) snapshot.ClaimState {
	mode := strings.ToLower(strings.ReplaceAll(either(g, redundancyNames.mode).rawOrList(), " ", ""))
	if enabled, known := g.get("RedundancyEnabled").boolean(); known && !enabled {
		return snapshot.ClaimNotRedun
	}
	if mode == "notredundant" || mode == "nonredundant" {
		return snapshot.ClaimNotRedun
	}
	h := w.own()
	switch w.presence() {
	case cut, gone, broken:
		return snapshot.ClaimLost
	case off:
		if hostOff { // a host that is off says this of everything
			return snapshot.ClaimNone
		}
		if h == healthCritical || h == healthWarning {
			return snapshot.ClaimLost
		}
		return snapshot.ClaimNotRedun
	case reduced:
		return snapshot.ClaimDegraded
	case working, idle, unsaid, strange, between:
		switch h {
		case healthOK:
			return snapshot.ClaimFull
		case healthWarning:
			return snapshot.ClaimDegraded
		case healthCritical:
			return snapshot.ClaimLost
		}
		if w.presence() == working && w.spoke {
			return snapshot.ClaimFull
		}
	}
	return snapshot.ClaimNone
}

// powerClaims reads the groups of one chassis's supplies.
func (b *builder) powerClaims(c *chassis) {
	power, sub := b.t.partOf(c, "Power"), b.t.partOf(c, "PowerSubsystem")
	older := b.redundancies(component.PSU, "Power", normal(power), b.t.at(power).get("Redundancy"), b.nothing)
	newer := b.redundancies(component.PSU, "PowerSubsystem", normal(sub), b.t.at(sub).get("PowerSupplyRedundancy"), func(i int, g value, of int) []*part {
		if len(either(g, redundancyNames.set).items()) > 0 && of == len(older) {
			return older[i].members // HPE: [{}, {}] in the newer form, links in the older
		}
		return nil
	})
	b.take(c, older, power)
	b.take(c, newer, sub)
	if len(older)+len(newer) == 0 {
		b.ownGroup(c)
	}
}

func (b *builder) nothing(int, value, int) []*part { return nil }

// ownGroup notes, where several chassis of one service have supplies and say nothing of redundancy, which supplies are
// of one chassis: those of another are no spares of theirs.
func (b *builder) ownGroup(c *chassis) {
	with := 0
	for _, o := range b.chassis {
		if b.hasPower(o) && o.same == o.path {
			with++
		}
	}
	var mine []*part
	for _, p := range b.parts {
		if p.Kind != component.PSU {
			continue
		}
		for _, at := range p.paths {
			if belongsTo(at, c.path) {
				mine = append(mine, p)
				break
			}
		}
	}
	if with < 2 || len(mine) == 0 || c.same != c.path {
		return
	}
	b.claims = append(b.claims, &claim{
		kind: component.PSU, form: "Chassis", link: c.path, prefix: b.prefix(c.path), members: mine, carries: b.holder(c.path),
		raw: map[string]string{"source": c.path}, why: "the supplies of one chassis; the service says nothing of their redundancy",
	})
}

// take keeps the claims of one chassis. Those of a resource that could not be read say nothing now.
func (b *builder) take(c *chassis, list []*claim, link string) {
	for _, k := range list {
		k.prefix = b.prefix(c.path)
		k.carries = b.holder(c.path)
		if why := b.unread(link); why != "" {
			k.state, k.why = snapshot.ClaimNone, why
		}
		b.claims = append(b.claims, k)
	}
}

// writeClaims gives the claims their groups' ids. Claims about the same members are one group: where both forms say the
// same it is said once, with both sources.
func (b *builder) writeClaims() []snapshot.Claim {
	b.claims = mergeClaims(b.claims)
	out := []snapshot.Claim{}
	taken := map[string]string{} // local id -> the members that it stands for
	names := map[string]string{} // the members -> local id
	for _, c := range b.claims {
		s := snapshot.Claim{Kind: c.kind, Members: []component.ID{}, State: c.state, Needed: c.needed, Designed: c.designed, Raw: c.raw, Why: shorten(c.why, 600)}
		for _, m := range c.members {
			s.Members = append(s.Members, m.ID)
		}
		if c.carries != nil {
			s.Carries = c.carries.ID
		}
		local := c.local
		if c.localOf != nil {
			local = string(c.kind) + "-" + c.localOf.local
		}
		if local == "" {
			local = b.groupName(c)
		}
		key := memberKey(c)
		if had := names[key]; had != "" && len(c.members) > 0 && c.localOf == nil {
			local = had
		}
		base := shortID(local)
		for n, name := 2, base; ; n++ {
			if had, is := taken[name]; !is || had == key && len(c.members) > 0 && c.localOf == nil {
				taken[name], names[key] = key, name
				local = name
				break
			}
			name = base + "-" + strconv.Itoa(n)
		}
		s.Group = component.NewID(b.device, component.Group, local)
		out = append(out, s)
	}
	return out
}

func memberKey(c *claim) string {
	var ids []string
	for _, m := range c.members {
		ids = append(ids, string(m.ID))
	}
	sort.Strings(ids)
	return string(c.kind) + "|" + strings.Join(ids, "|")
}

// groupName is the local id of a claim's group: its kind, with a qualifier where the chassis has several of that kind.
func (b *builder) groupName(c *claim) string {
	same := map[string]bool{}
	for _, o := range b.claims {
		if o.kind == c.kind && o.prefix == c.prefix && o.local == "" && o.localOf == nil {
			same[memberKey(o)] = true
		}
	}
	name := string(c.kind)
	if c.prefix != "" {
		name += "-" + strings.TrimSuffix(c.prefix, "/")
	}
	if len(same) < 2 {
		return name
	}
	if q := qualifier(c); q != "" {
		return name + "-" + q
	}
	return name + "-" + strconv.Itoa(c.index+1)
}

// qualifier is what is left of a group's name without the words that every group's name has.
func qualifier(c *claim) string {
	skip := map[string]bool{"redundancy": true, "group": true, "power": true, "supply": true, "supplies": true, "powersupply": true, "powersubsystem": true, "psu": true, "ps": true, "fan": true, "fans": true, "the": true, "of": true}
	var left []string
	for _, w := range strings.FieldsFunc(strings.ToLower(c.name), func(r rune) bool { return r == ' ' || r == '_' || r == '-' || r == '.' || r == '#' || r == '/' }) {
		if !skip[w] {
			left = append(left, w)
		}
	}
	return safe(strings.Join(left, "-"))
}

// mergeClaims joins claims that say the same of the same members.
func mergeClaims(in []*claim) []*claim {
	var out []*claim
	for _, c := range in {
		merged := false
		for _, o := range out {
			if o.kind == c.kind && o.state == c.state && o.needed == c.needed && o.designed == c.designed &&
				o.local == c.local && o.localOf == c.localOf && o.carriesSame(c) && memberKey(o) == memberKey(c) && len(c.members) > 0 {
				if o.link != c.link {
					o.raw["also"] = join(o.raw["also"], c.link)
				}
				if o.name == "" {
					o.name = c.name
				}
				merged = true
				break
			}
		}
		if !merged {
			out = append(out, c)
		}
	}
	return out
}

// carriesSame: both speak of one group of one holder, or two chassis of the same.
func (c *claim) carriesSame(o *claim) bool { return c.carries == o.carries || c.prefix != o.prefix }

// claims is a list of claims.
type claimList []*claim

// has reports whether there is a claim about parts of that kind, with members.
func (l claimList) has(k component.Kind) bool {
	for _, c := range l {
		if c.kind == k && len(c.members) > 0 {
			return true
		}
	}
	return false
}

func itoa(n int) string { return strconv.Itoa(n) }
