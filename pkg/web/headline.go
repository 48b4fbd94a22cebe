package web

import (
	"fmt"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/engine"
)

// troubles are the names of services, or of groups, by what is the matter with them.
type troubles struct{ down, out, some, unknown []string }

func (t *troubles) add(name string, s engine.State, down bool) {
	switch {
	case down:
		t.down = append(t.down, name)
	case s == engine.Lost, s == engine.Insufficient:
		t.out = append(t.out, name)
	case s == engine.Degraded:
		t.some = append(t.some, name)
	case s == engine.StateUnknown:
		t.unknown = append(t.unknown, name)
	}
}

func serviceTroubles(all []*engine.Service) (t troubles) {
	for i := range all {
		s := all[i]
		t.add(serviceName(s), s.State, s.Spares != nil && *s.Spares < 0)
	}
	return t
}

func groupTroubles(all []*engine.Group) (t troubles) {
	for i := range all {
		g := all[i]
		t.add(string(g.ID), g.State, g.State == engine.Insufficient)
	}
	return t
}

// headline says in one sentence how it stands, the gravest first, and in a few more what else there is.
func (p *page) headline(v View, r *engine.Report) {
	s, g := serviceTroubles(r.Services), groupTroubles(r.Groups)
	settled := v.Report != nil && v.Report.Settled
	switch {
	case len(s.down) > 0:
		p.says(bad, list(s.down)+plural(len(s.down), " is down.", " are down."))
	case len(s.out) > 0:
		p.says(bad, list(s.out)+has(s.out)+" no spare left: the next failure is an outage.")
	case len(s.some) > 0:
		p.says(warning, list(s.some)+has(s.some)+" lost a spare. Nothing is down.")
	case len(g.down) > 0:
		p.says(bad, list(g.down)+has(g.down)+" less than "+plural(len(g.down), "it needs.", "they need."))
	case len(g.out) > 0:
		p.says(bad, list(g.out)+has(g.out)+" no spare left.")
	case len(g.some) > 0:
		p.says(warning, list(g.some)+has(g.some)+" lost a spare.")
	case len(p.Incidents) > 0:
		p.says(warning, count(len(p.Incidents), "incident")+plural(len(p.Incidents), " is", " are")+" open. No service has lost a spare.")
	case len(s.unknown) > 0:
		p.says(unsure, list(s.unknown)+" cannot be judged now. Nothing is known to be wrong.")
	case !settled:
		p.says(unsure, "Nothing can be said yet.")
	case len(r.Services)+len(r.Groups) == 0:
		p.says(unsure, "Nothing here is known to be redundant.")
	case len(g.unknown) > 0:
		p.says(unsure, "Nothing is known to be wrong; "+count(len(g.unknown), "group")+" cannot be judged now.")
	case p.grave() > 0:
		p.says(warning, "Nothing is failing.")
	default:
		p.says(good, "All spares are there.")
	}
	p.addDetails(v, s, len(g.down)+len(g.out)+len(g.some) > 0)
}

func (p *page) says(t tone, headline string) { p.Tone, p.Headline = t, headline }

// addDetails adds what the headline, which names the gravest only, leaves out.
func (p *page) addDetails(v View, s troubles, groups bool) {
	add := func(text string) { p.Details = append(p.Details, text) }
	if v.Report == nil || !v.Report.Settled {
		read := 0
		for _, d := range v.Devices {
			if d.Read {
				read++
			}
		}
		add(fmt.Sprintf("Still getting to know the devices: %d of %d were read since the start. What was open before stays open.", read, len(v.Devices)))
	}
	if len(s.down) > 0 && len(s.out) > 0 {
		add(list(s.out) + has(s.out) + " no spare left.")
	}
	if len(s.down)+len(s.out) > 0 && len(s.some) > 0 {
		add(list(s.some) + has(s.some) + " lost a spare and " + plural(len(s.some), "has", "have") + " some left.")
	}
	if groups && len(p.Services)+len(p.FineServices) > 0 && len(s.down)+len(s.out)+len(s.some)+len(s.unknown) == 0 {
		add("No service has lost a spare.")
	}
	if len(s.unknown) > 0 && p.Tone != unsure {
		add(list(s.unknown) + " cannot be judged now.")
	}
	if v.Report != nil && v.Report.Waiting > 0 {
		add("Asking other devices where the cause of " + count(v.Report.Waiting, "change") + " lies.")
	}
}

func has(names []string) string { return plural(len(names), " has", " have") }

// grave counts the standing findings that are more than a note.
func (p *page) grave() (n int) {
	for _, c := range p.Standing {
		if c.Tone == warning || c.Tone == bad {
			n++
		}
	}
	return n
}

// tally is a number of things and how they stand, with the place on the page that has them.
type tally struct {
	Tone  tone
	To    string // an anchor
	Says  string
	Under string // "1 lost, 34 full"
}

func (p *page) addTally(r *engine.Report) {
	if n := len(p.Incidents); n > 0 {
		p.Tally = append(p.Tally, tally{Tone: p.Incidents[0].Tone, To: "h-incidents", Says: count(n, "open incident")})
	}
	if n := p.grave(); n > 0 {
		p.Tally = append(p.Tally, tally{Tone: p.Standing[0].Tone, To: "h-standing", Says: count(n, "standing finding")})
	}
	services, groups := map[engine.State]int{}, map[engine.State]int{}
	for i := range r.Services {
		services[r.Services[i].State]++
	}
	for i := range r.Groups {
		groups[r.Groups[i].State]++
	}
	if n := len(r.Services); n > 0 {
		p.Tally = append(p.Tally, byState("h-services", count(n, "service"), services))
	}
	if n := len(r.Groups); n > 0 {
		p.Tally = append(p.Tally, byState("h-groups", count(n, "group"), groups))
	}
	quiet := len(p.Quiet) + p.QuietMore
	if n := p.AnsweringAll() + quiet; n > 0 {
		t := tally{Tone: good, To: "h-targets", Says: count(n, "target"), Under: "all answer"}
		if quiet > 0 {
			t.Tone, t.Under = unsure, fmt.Sprintf("%d not answering", quiet)
		}
		p.Tally = append(p.Tally, t)
	}
}

// byState counts states, the gravest first, whose tone is that of the whole.
func byState(to, says string, n map[engine.State]int) tally {
	t := tally{To: to, Says: says}
	var parts []string
	for _, s := range []engine.State{engine.Insufficient, engine.Lost, engine.Degraded, engine.StateUnknown, engine.None, engine.Full} {
		if n[s] == 0 {
			continue
		}
		parts = append(parts, fmt.Sprintf("%d %s", n[s], s))
		if weight(stateTone(s)) > weight(t.Tone) {
			t.Tone = stateTone(s)
		}
	}
	t.Under = strings.Join(parts, ", ")
	return t
}
