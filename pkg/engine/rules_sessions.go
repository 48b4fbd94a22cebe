package engine

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
	"github.com/sparewatch/sparewatch/pkg/state"
)

// sessionRules are the rules for what a collector finds wrong with an established session, by component.Trouble.
var sessionRules = map[string]finding.Rule{
	component.TroubleSilent: finding.SessionSilent, component.TroubleFlapping: finding.SessionFlapping,
	component.TroubleLow: finding.PrefixesLow, component.TroubleLimit: finding.PrefixLimit,
}

// sessionFindings are the findings on one BGP session: it is down, or something is wrong with it. One that was shut down
// on purpose, or that its router no longer lists, is not told of; what leaned on it says what it lost.
func (e *Engine) sessionFindings(p *state.Part, view *state.Device) []stand {
	n, ok := e.graph.Node(p.ID)
	if !ok || p.Silent || p.Condition == component.Absent {
		return nil
	}
	trouble, why := e.troubleOf(p)
	rule, troubled := sessionRules[trouble]
	switch {
	case troubled:
	case p.Predicted && p.Condition != component.Failed:
		return []stand{sessionPredicted(p)}
	case p.Condition != component.Failed || p.Worked.IsZero() && !e.leaned[n]:
		return nil // a session that never was up, and that nothing leans on, is somebody's plan
	default:
		rule = finding.SessionDown
	}
	s := stand{f: finding.Finding{Key: finding.KeyOf(rule, p.ID), Rule: rule, Subject: p.ID,
		Summary:  fmt.Sprintf("%s %s", sessionName(p), sessionWhat(rule, p)),
		Causes:   []finding.Cause{{ID: p.ID, Why: cmp.Or(why, p.Why, whyBad(p, view))}},
		Evidence: []string{says(p)},
		Remedy:   sessionRemedy(rule, p),
	}}
	if p.Condition == component.Failed {
		s.f.Since = p.BadSince
		if c := e.explainNeeds(n); c.key != "" {
			s.f.Under, s.waits = c.key, c.waits
			s.f.Causes = append(s.f.Causes, c.causes...)
		}
	}
	for _, r := range p.Readings {
		if what := sessionCounts[r.Name]; what != "" && r.Value.Known() {
			s.f.Evidence = append(s.f.Evidence, fmt.Sprintf("%s: %.0f", what, float64(r.Value)))
		}
	}
	return []stand{s}
}

// sessionCounts are the readings of a session that a person wants to see, in words.
var sessionCounts = map[string]string{"prefixes": "prefixes now", "prefixes_usual": "prefixes usually", "flaps": "times down in the last hour"}

// sessionPredicted is the finding on an established session of which something says that it won't be for long: BFD is down.
func sessionPredicted(p *state.Part) stand {
	return stand{f: finding.Finding{Key: finding.KeyOf(finding.ComponentPredicted, p.ID), Rule: finding.ComponentPredicted, Subject: p.ID,
		Summary:  fmt.Sprintf("%s: %s", sessionName(p), p.Why),
		Causes:   []finding.Cause{{ID: p.ID, Why: p.Why}},
		Evidence: []string{says(p)},
		Remedy:   fmt.Sprintf("Look at the link to %s: BGP notices what BFD has noticed when its hold timer expires; see that BFD is configured at both ends.", p.ID.Local()),
	}}
}

func sessionName(p *state.Part) string {
	if p.Name == "" || p.Name == p.ID.Local() {
		return string(p.ID)
	}
	return fmt.Sprintf("%s (%s)", p.ID, p.Name)
}

// sessionWhat says what is wrong with a session; that it is down with the reason that was given.
func sessionWhat(r finding.Rule, p *state.Part) string {
	if r == finding.SessionDown && strings.HasPrefix(p.Why, "down: ") {
		return "is " + p.Why
	}
	return map[finding.Rule]string{
		finding.SessionDown: "is down", finding.SessionSilent: "is established and brings no prefix any more", finding.SessionFlapping: "goes down and comes back again and again",
		finding.PrefixesLow: "brings far fewer prefixes than usual", finding.PrefixLimit: "is near the most prefixes that the router takes",
	}[r]
}

func sessionRemedy(r finding.Rule, p *state.Part) string {
	peer := p.ID.Local()
	switch r {
	case finding.SessionSilent:
		return fmt.Sprintf("Compare what %s receives from %s with what it accepts: a filter of ours, or an outage of theirs.", p.ID.Device(), peer)
	case finding.SessionFlapping:
		return fmt.Sprintf("Look at the link to %s for errors; shut the session down until it is found, where the other ways carry the load.", peer)
	case finding.PrefixesLow:
		return fmt.Sprintf("Find out which prefixes %s no longer sends, and whether the other ways have them.", peer)
	case finding.PrefixLimit:
		return fmt.Sprintf("Raise the limit for %s where the growth is honest; where it leaks routes, call it.", peer)
	}
	return fmt.Sprintf("Look at the link to %s and at the neighbour; touch no other way out until it is back.", peer)
}

// sessionKey is the finding on a session that does not carry, for what leans on it to hang under.
func (e *Engine) sessionKey(n redundancy.Node) finding.Key {
	p := e.part(n)
	if p == nil || p.Condition == component.Absent {
		return ""
	}
	trouble, _ := e.troubleOf(p)
	if r, troubled := sessionRules[trouble]; troubled {
		return finding.KeyOf(r, p.ID)
	}
	return finding.KeyOf(finding.SessionDown, p.ID)
}

// explainNeeds says why something cannot work although it also says itself that it doesn't: what it needs is gone.
func (e *Engine) explainNeeds(n redundancy.Node) chain {
	up := e.brokenNeed(n)
	if up < 0 {
		return chain{}
	}
	c := e.explain(up)
	if id := e.graph.ID(up); c.key == "" && e.best.Failed(up) && id.Kind() != component.BGPSession {
		c.key = finding.KeyOf(finding.ComponentFailed, id)
	}
	return c
}

// follows reports whether a thing that says itself that it has failed only says so because of what it needs: a way out
// is lost with its session, a session with its port.
func follows(k component.Kind) bool { return k == component.Path || k == component.BGPSession }

// router is the one router that all members of a group of ways or sessions are behind; ok is false where there are
// several. Ways at one router are spares of each other all the same, as drives behind one controller are: the router is
// what carries them that is not redundant, and is named as that. Otherwise no lost upstream of a site with one router
// would ever be told of.
func (e *Engine) router(g *form) (n redundancy.Node, ok bool) {
	if !follows(g.kind) || len(g.members) < 2 {
		return 0, false
	}
	var common map[redundancy.Node]bool
	for _, id := range g.members {
		m, known := e.graph.Node(id)
		if !known {
			return 0, false
		}
		behind := map[redundancy.Node]bool{}
		e.visit(m, &e.must, func(at redundancy.Node) {
			if at != m && routes(e.graph.ID(at)) && (common == nil || common[at]) {
				behind[at] = true
			}
		})
		common = behind
	}
	if len(common) != 1 {
		return 0, false
	}
	for n = range common {
		ok = true
	}
	return n, ok
}

// routes reports whether the id is of a device's main component that may be a router.
func routes(id component.ID) bool {
	switch id.Kind() {
	case component.Router, component.Switch, component.Host, component.Enclosure:
		return isMain(id)
	}
	return false
}

// mayFailIn limits the questions about a group to what tells its members apart; nil: everything.
func (e *Engine) mayFailIn(t *top) func(redundancy.Node) bool {
	n, ok := e.router(t.form)
	if !ok {
		return nil
	}
	fixed := map[redundancy.Node]bool{}
	e.visit(n, &e.needs, func(at redundancy.Node) { fixed[at] = true })
	return func(at redundancy.Node) bool { return !fixed[at] }
}

// behindOneRouter is the finding on ways that are all at one router.
func (e *Engine) behindOneRouter(v *Group, n redundancy.Node) stand {
	id := e.graph.ID(n)
	return stand{mild: true, f: finding.Finding{Key: finding.KeyOf(finding.FalseRedundancy, v.ID), Rule: finding.FalseRedundancy, Subject: v.ID,
		Summary:  fmt.Sprintf("%s: all at %s, which takes them together", groupName(v), id),
		Causes:   []finding.Cause{{ID: id, Why: "carries all of them"}},
		Evidence: e.waysTo(v, n),
		Remedy:   fmt.Sprintf("Nothing to do where one router is what was bought; count %s as a single point of failure.", name(id)),
	}}
}
