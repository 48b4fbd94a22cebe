package config

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// rawGroup is a declared group, its range expanded.
type rawGroup struct {
	ref              string
	kind             component.Kind
	members          []string
	needed, designed int
	policy           string
	carries          []string
	at               place
}

func (l *loader) takeGroup(n node) {
	s := l.mapping(n, "a group", "id", "kind", "members", "needed", "designed", "policy", "carries")
	refs, ok := l.expand(located{s.text("id"), s.where("id")})
	if !ok {
		return
	}
	if refs[0] == "" {
		l.wrong(s.at(), "write id: NAME, or id: DEVICE/group/psu", "a group has no id")
		return
	}
	kind, _ := l.anyKind(s)
	g := rawGroup{
		kind: kind, needed: s.number("needed", 1, math.MaxInt32, 0), designed: s.number("designed", 1, math.MaxInt32, 0),
		policy: strings.ToLower(strings.ReplaceAll(s.text("policy"), " ", "")), at: s.at(),
	}
	if !s.has("members") {
		l.wrong(s.at(), "write members: [NAME, NAME]", "the group %s has no members", s.text("id"))
		return
	}
	members, ok := l.shares(s.texts("members"), len(refs))
	if !ok {
		return
	}
	carries, ok := l.shares(s.texts("carries"), len(refs))
	if !ok {
		return
	}
	for i, ref := range refs {
		g := g
		g.ref, g.members, g.carries = ref, members[i], carries[i]
		g.at = s.at()
		l.groups = append(l.groups, &g)
	}
}

// shares expands patterns and deals what each stands for out to n, in order and in equal parts.
func (l *loader) shares(patterns []located, n int) ([][]string, bool) {
	out := make([][]string, n)
	for _, p := range patterns {
		for _, word := range splitList(p.text) {
			all, ok := l.expand(located{word, p.at})
			if !ok {
				return nil, false
			}
			if len(all)%n != 0 {
				l.wrong(p.at, "make the ranges fit", "%q stands for %d names, which cannot be shared equally by %d ids", word, len(all), n)
				return nil, false
			}
			each := len(all) / n
			for i := range out {
				out[i] = append(out[i], all[i*each:(i+1)*each]...)
			}
		}
	}
	return out, true
}

func (l *loader) declareGroups() {
	for _, g := range l.groups {
		id, bare := component.ID(g.ref), ""
		if !strings.Contains(g.ref, "/") {
			if l.name(g.at, "a group", g.ref) == "" {
				continue
			}
			id, bare = component.NewID(l.cfg.Site, component.Group, g.ref), g.ref
		} else if id.Kind() != component.Group || id.Local() == "" || (id.Device() != l.cfg.Site && l.byName[id.Device()] == nil) {
			l.wrong(g.at, "write NAME, or DEVICE/group/psu", "%s is no id of a group", g.ref)
			continue
		}
		if before, twice := l.names.declare(bare, id, g.at); twice {
			l.wrong(g.at, "take one of them out", "the group %s is declared twice: also at %s", g.ref, before)
		}
	}
}

func (l *loader) buildGroups() {
	for _, g := range l.groups {
		out := topology.Group{ID: component.ID(g.ref), Kind: g.kind, At: g.at.position()}
		if !strings.Contains(g.ref, "/") {
			out.ID = component.NewID(l.cfg.Site, component.Group, g.ref)
		}
		ok := true
		for _, ref := range g.members {
			id, known := l.refer(located{ref, g.at})
			switch {
			case !known:
				ok = false
			case slices.Contains(out.Members, id):
				l.wrong(g.at, "take one out", "the group %s has the member %s twice", g.ref, ref)
				ok = false
			case id == out.ID:
				l.wrong(g.at, "take it out", "the group %s is its own member", g.ref)
				ok = false
			}
			out.Members = append(out.Members, id)
		}
		if !ok || !l.numbers(g, &out) {
			continue
		}
		out.Kind = cmp.Or(out.Kind, commonKind(out.Members))
		l.carry(g, &out)
		l.cfg.Model.Groups = append(l.cfg.Model.Groups, out)
	}
}

// carry sets what the group holds up; what is more than one becomes links.
func (l *loader) carry(g *rawGroup, out *topology.Group) {
	for _, ref := range g.carries {
		id, ok := l.refer(located{ref, g.at})
		switch {
		case !ok:
		case slices.Contains(out.Members, id) || id == out.ID:
			l.wrong(g.at, "name what leans on the group", "the group %s carries its own member %s", g.ref, ref)
		case out.Carries == "":
			out.Carries = id
		default:
			l.cfg.Model.Links = append(l.cfg.Model.Links, topology.Link{Link: component.Link{From: out.ID, To: id, Kind: component.Carries}, At: g.at.position()})
		}
	}
}

func commonKind(ids []component.ID) component.Kind {
	for _, id := range ids {
		if id.Kind() != ids[0].Kind() {
			return ""
		}
	}
	return ids[0].Kind()
}

const policies = "write policy: n, n+1, n+2, 2n, 2n+1 or active/standby"

// numbers sets how many members are needed and how many there are to be.
func (l *loader) numbers(g *rawGroup, out *topology.Group) bool {
	m := len(out.Members)
	out.Designed = cmp.Or(g.designed, m)
	if out.Designed < m {
		l.wrong(g.at, "raise designed, or leave it out", "the group %s has %d members, but is designed for %d", g.ref, m, g.designed)
		return false
	}
	if out.Needed = g.needed; g.policy != "" {
		needed, why := policyNeeds(g.policy, out.Designed)
		switch {
		case why != "":
			l.wrong(g.at, policies, "the group %s: %s", g.ref, why)
			return false
		case g.needed != 0 && g.needed != needed:
			l.wrong(g.at, "take one of them out", "the group %s needs %d, but %s of %d needs %d", g.ref, g.needed, g.policy, out.Designed, needed)
			return false
		}
		out.Needed = needed
	}
	switch {
	case out.Needed == 0:
		l.wrong(g.at, "write needed: 1, or policy: n+1", "the group %s does not say how many members are needed", g.ref)
		return false
	case out.Needed > out.Designed:
		l.wrong(g.at, fmt.Sprintf("write needed: %d or less", out.Designed), "the group %s needs %d of %s", g.ref, out.Needed, many(out.Designed, "member"))
		return false
	case out.Needed > m:
		l.wrong(g.at, "name more members", "the group %s needs %d, but only %d are named", g.ref, out.Needed, m)
		return false
	}
	return true
}

// policyNeeds is how many of m members a policy needs.
func policyNeeds(policy string, m int) (needed int, why string) {
	switch policy {
	case "n":
		return m, ""
	case "active/standby", "active-standby":
		return 1, ""
	case "2n":
		if m%2 != 0 || m == 0 {
			return 0, fmt.Sprintf("2n takes an even number of members, not %d", m)
		}
		return m / 2, ""
	case "2n+1":
		if m%2 == 0 || m < 3 {
			return 0, fmt.Sprintf("2n+1 takes an odd number of members from 3, not %d", m)
		}
		return (m - 1) / 2, ""
	}
	k, ok := strings.CutPrefix(policy, "n+")
	if !ok || !digits(k) || len(k) > 3 {
		return 0, fmt.Sprintf("%q is no policy", policy)
	}
	spares := 0
	for _, c := range k {
		spares = spares*10 + int(c-'0')
	}
	if spares == 0 || m-spares < 1 {
		return 0, fmt.Sprintf("%s takes more than %d members", policy, m)
	}
	return m - spares, ""
}
