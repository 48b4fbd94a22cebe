package snmp

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// claims makes the claims of one rule.
func (b *builder) claims(e *reading, g *mibs.Group) {
	for _, t := range g.Unless {
		if len(b.targets(e, t, nil)) > 0 {
			return
		}
	}
	rows := []*row{nil}
	if g.Table >= 0 {
		rows = e.tables[g.Table].rows
	}
	var made []snapshot.Claim
	for _, r := range rows {
		if !e.holds(g.Where, r) {
			continue
		}
		if c, ok := b.claim(e, g, r); ok {
			made = append(made, c)
		}
	}
	if g.Overlap {
		made = joinOverlapping(made)
	}
	for _, c := range made {
		if c.Needed == 0 && g.RAID != nil {
			c.Needed = raidNeeds(c.Raw["raid"], c.Designed, len(c.Members))
		}
		if i := slices.IndexFunc(b.out.Claims, func(o snapshot.Claim) bool { return o.Group == c.Group }); i < 0 {
			b.out.Claims = append(b.out.Claims, c)
		}
	}
}

// notNow is what "not redundant" means of these members: lost where one of them is out, configured so where all are
// there and work. An empty bay may never have been filled, and of an unknown part nothing follows.
func (b *builder) notNow(members []component.ID) snapshot.ClaimState {
	state := snapshot.ClaimNotRedun
	for _, id := range members {
		v := b.made[b.byID[id]].verdict
		switch {
		case v.word == "failed", slices.Contains(v.flags, "input_lost"), slices.Contains(v.flags, "rebuilding"):
			return snapshot.ClaimLost
		case v.word != "ok" && v.word != "impaired":
			state = snapshot.ClaimNone
		}
	}
	return state
}

// claim reads one claim; ok is false where the device says nothing of it.
func (b *builder) claim(e *reading, g *mibs.Group, r *row) (snapshot.Claim, bool) {
	name := e.text(g.ID, r)
	if groupName(name) == "" {
		return snapshot.Claim{}, false
	}
	c := snapshot.Claim{
		Group: component.NewID(b.device, component.Group, groupName(name)), Kind: component.Kind(g.Kind), Raw: map[string]string{}, Members: []component.ID{},
	}
	first := len(b.out.Uses)
	v := e.rule(g.State, r)
	for i := first; i < len(b.out.Uses); i++ {
		b.out.Uses[i].Component = c.Group
	}
	if v.word == "drop" {
		return c, false
	}
	if v.said() && v.word != "unknown" {
		c.State = snapshot.ClaimState(v.word)
	}
	c.Why = strings.Join(v.why, "; ")
	if why := e.text(g.Why, r); why != "" {
		c.Why = why
	}
	for _, t := range g.Members {
		for _, n := range b.targets(e, t, r) {
			c.Members = appendNew(c.Members, b.made[n].c.ID)
		}
	}
	for _, p := range b.made {
		if string(p.c.Kind) == g.Kind && slices.Contains(p.groups, name) {
			c.Members = appendNew(c.Members, p.c.ID)
		}
	}
	if v.word == "not-now" {
		c.State = b.notNow(c.Members)
	}
	c.Needed, c.Designed = whole(e.number(g.Needed, r)), whole(e.number(g.Designed, r))
	if n := e.number(g.Spares, r); c.Needed == 0 && n >= 0 {
		c.Needed = max(0, b.working(c.Members)-whole(n))
	}
	for _, t := range g.Carries {
		if found := b.targets(e, t, r); len(found) > 0 {
			c.Carries = b.made[found[0]].c.ID
			break
		}
	}
	for _, ref := range g.Raw {
		if val, ok := e.value(ref, r); ok {
			c.Raw[ref.Name] = val.Words()
		}
	}
	if level := raidLevel(e.text(g.RAID, r)); level != "" {
		c.Raw["raid"] = level
	}
	if len(c.Members) == 0 && (c.State == snapshot.ClaimFull || c.State == snapshot.ClaimNone) {
		return c, false // an empty set that calls itself whole, or nothing, says nothing
	}
	if n := max(c.Designed, len(c.Members)); len(c.Members) > 0 && c.Needed > n {
		c.Raw["needed"] = strconv.Itoa(c.Needed) // more than there ever were: not a number to count with
		c.Needed = 0
	}
	return c, true
}

// working counts the members that do their work or could take it over.
func (b *builder) working(members []component.ID) int {
	n := 0
	for _, id := range members {
		var c component.Component
		c.Attributes = map[string]string{}
		settle(&c, b.made[b.byID[id]].verdict)
		if ok, _ := c.Available(); ok {
			n++
		}
	}
	return n
}

var unsafeInGroup = regexp.MustCompile(`[^A-Za-z0-9._:+@()=,/-]+`)

// groupName keeps the words of a group's id ("drive-0"), of which a slot's would be taken off.
func groupName(s string) string {
	return clip(strings.Trim(unsafeInGroup.ReplaceAllString(s, "-"), "-"), maxLocal)
}

func appendNew(ids []component.ID, id component.ID) []component.ID {
	if slices.Contains(ids, id) {
		return ids
	}
	return append(ids, id)
}

// whole is a count; 0 where it is none.
func whole(f float64) int {
	if math.IsNaN(f) || f < 0 || f > 1e6 {
		return 0
	}
	return int(f)
}

// joinOverlapping makes one claim of those that have members in common; the worst state stands.
func joinOverlapping(in []snapshot.Claim) []snapshot.Claim {
	order := map[snapshot.ClaimState]int{
		snapshot.ClaimNone: 0, snapshot.ClaimFull: 1, snapshot.ClaimNotRedun: 2, snapshot.ClaimDegraded: 3, snapshot.ClaimLost: 4, snapshot.ClaimInsuff: 5,
	}
	var out []snapshot.Claim
	for _, c := range in {
		for i := 0; i < len(out); {
			if !slices.ContainsFunc(out[i].Members, func(m component.ID) bool { return slices.Contains(c.Members, m) }) {
				i++
				continue
			}
			o := out[i]
			for _, m := range c.Members {
				o.Members = appendNew(o.Members, m)
			}
			if order[c.State] > order[o.State] {
				o.State, o.Why = c.State, c.Why
			}
			o.Needed, o.Designed = max(o.Needed, c.Needed), max(o.Designed, c.Designed)
			c = o
			out = slices.Delete(out, i, i+1)
		}
		out = append(out, c)
	}
	return out
}

var raidForm = regexp.MustCompile(`(?i)(?:raid)?[ _-]*([0-9]{1,2})`)

// raidLevel writes "raid-5", "RAID 5" and "5" as "RAID5"; other words stay.
func raidLevel(s string) string {
	s = strings.TrimSpace(s)
	if m := raidForm.FindStringSubmatch(s); m != nil && m[0] == s {
		return "RAID" + m[1]
	}
	return s
}

// raidNeeds is how many of n drives a RAID level needs for certain, whatever its layout: the tolerance that is
// guaranteed, not the one that luck may give. 0 where the level is not known.
func raidNeeds(level string, designed, members int) int {
	n := designed
	if n == 0 {
		n = members
	}
	var may int
	switch strings.ToUpper(level) {
	case "RAID0", "JBOD", "CONCAT":
	case "RAID1", "RAID1ADM":
		may = n - 1
	case "RAID3", "RAID4", "RAID5", "RAID10", "RAID1E", "RAID50", "RAID5E", "RAID5EE", "RAID01", "RAID30", "RAIDZ", "RAIDZ1":
		may = 1
	case "RAID6", "RAID60", "RAIDDP", "RAID10ADM", "RAIDZ2":
		may = 2
	case "RAIDTEC", "RAIDZ3":
		may = 3
	default:
		return 0
	}
	if n < 1 || may >= n {
		return 0
	}
	return n - may
}
