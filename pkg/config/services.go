package config

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// rawService is a service as written.
type rawService struct {
	name  string
	tier  int
	rto   time.Duration
	needs rawNeed
	at    place
}

// rawNeed is a name, or "at least so many of these"; atLeast is 0 for all.
type rawNeed struct {
	leaf    located
	atLeast int
	of      []rawNeed
	at      place
}

// each calls f for every name.
func (n *rawNeed) each(f func(located)) {
	if n.leaf.text != "" {
		f(n.leaf)
	}
	for i := range n.of {
		n.of[i].each(f)
	}
}

// defaultTier is that of a service that names none; 0 would let everybody be the most important.
const defaultTier = 1

const mostRTO = 365 * 24 * time.Hour

func (l *loader) takeService(n node) {
	s := l.mapping(n, "a service", "name", "tier", "needs", "rto")
	name := l.name(s.where("name"), "a service", s.text("name"))
	svc := &rawService{
		name: name, tier: s.number("tier", 0, 9, defaultTier), rto: s.duration("rto", time.Second, mostRTO, 0), at: s.at(),
	}
	if !s.has("needs") {
		l.wrong(s.at(), "write needs: NAME, or needs: {at_least: 2, of: [NAME, NAME, NAME]}", "the service %s does not say what it needs", name)
		return
	}
	needs, ok := l.need(s.keys["needs"], 0)
	if !ok || name == "" {
		return
	}
	svc.needs = rawNeed{of: needs, at: s.where("needs")}
	if len(needs) == 1 {
		svc.needs = needs[0]
	}
	l.services = append(l.services, svc)
}

const mostNested = 32

// need reads a need. A name with a range is as many needs as it stands for; everything else is one.
func (l *loader) need(n node, depth int) ([]rawNeed, bool) {
	switch {
	case depth > mostNested:
		l.wrong(n.at(), "make groups of the inner ones and name them", "needs nest more than %d deep", mostNested)
		return nil, false
	case n.null():
		l.wrong(n.at(), "write a name", "a need is empty")
		return nil, false
	case strings.Contains(n.what(), "single"):
		names, ok := l.expand(located{l.text(n, "a need"), n.at()})
		var out []rawNeed
		for _, name := range names {
			out = append(out, rawNeed{leaf: located{name, n.at()}, at: n.at()})
		}
		return out, ok
	case strings.Contains(n.what(), "list"):
		of, ok := l.needList(n, "needs", depth)
		return []rawNeed{{of: of, at: n.at()}}, ok
	}
	return l.needNode(n, depth)
}

// needNode reads {at_least: k, of: [...]}, {any_of: [...]} or {all_of: [...]}.
func (l *loader) needNode(n node, depth int) ([]rawNeed, bool) {
	s := l.mapping(n, "needs", "at_least", "of", "any_of", "all_of")
	var forms []string
	for _, key := range []string{"of", "any_of", "all_of"} {
		if s.has(key) {
			forms = append(forms, key)
		}
	}
	const form = "write {at_least: 2, of: [...]}, {any_of: [...]} or {all_of: [...]}"
	if len(forms) != 1 || (forms[0] == "of") != s.has("at_least") {
		l.wrong(s.at(), form, "needs is put together wrongly")
		return nil, false
	}
	of, ok := l.needList(s.keys[forms[0]], forms[0], depth)
	if !ok {
		return nil, false
	}
	need := rawNeed{of: of, at: s.at()}
	switch forms[0] {
	case "of":
		if need.atLeast = s.number("at_least", 1, math.MaxInt32, 0); need.atLeast == 0 {
			return nil, false
		}
		if need.atLeast > len(of) {
			l.wrong(s.where("at_least"), fmt.Sprintf("write at_least: %d or less", len(of)), "at least %d of %d are needed", need.atLeast, len(of))
			return nil, false
		}
	case "any_of":
		need.atLeast = 1
	}
	return []rawNeed{need}, true
}

func (l *loader) needList(n node, key string, depth int) ([]rawNeed, bool) {
	var out []rawNeed
	good := true
	if strings.Contains(n.what(), "single") {
		out, good = l.need(n, depth+1)
	} else {
		for _, item := range l.items(n, key) {
			of, ok := l.need(item, depth+1)
			good = good && ok
			out = append(out, of...)
		}
	}
	if good && len(out) == 0 {
		l.wrong(n.at(), "name at least one", "%s is empty", key)
		return nil, false
	}
	return out, good
}

func (l *loader) declareServices() {
	for _, s := range l.services {
		id := component.NewID(l.cfg.Site, component.ServiceKind, s.name)
		if before, twice := l.names.declare(s.name, id, s.at); twice {
			l.wrong(s.at, "give one of them another name", "there are two services called %s: also at %s", s.name, before)
		}
	}
}

func (l *loader) buildServices() {
	for _, s := range l.services {
		needs, ok := l.buildNeed(&s.needs)
		if !ok {
			continue
		}
		l.cfg.Model.Services = append(l.cfg.Model.Services, topology.Service{
			ID: component.NewID(l.cfg.Site, component.ServiceKind, s.name), Name: s.name, Tier: s.tier, Needs: needs, RTO: s.rto, At: s.at.position(),
		})
	}
}

func (l *loader) buildNeed(n *rawNeed) (topology.Need, bool) {
	if n.leaf.text != "" {
		id, ok := l.refer(n.leaf)
		return topology.Need{ID: id}, ok
	}
	out := topology.Need{AtLeast: n.atLeast}
	good := true
	seen := map[component.ID]bool{}
	for i := range n.of {
		of, ok := l.buildNeed(&n.of[i])
		good = good && ok
		if ok && of.ID != "" && seen[of.ID] {
			l.wrong(n.of[i].at, "take one out: it cannot stand in for itself", "%s is named twice among the same needs", n.of[i].leaf.text)
			good = false
		}
		seen[of.ID] = true
		out.Of = append(out.Of, of)
	}
	return out, good
}
