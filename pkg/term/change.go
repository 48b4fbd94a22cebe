package term

import (
	"slices"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
)

// Change prints what is otherwise after than before: which groups lost or got back spares, what the services have left,
// which incidents and findings are new, and which are over. It reports whether there was anything to print.
func (p *Printer) Change(before, after *api.Status) bool {
	some := p.changedGroups(before.Groups, after.Groups)
	some = p.changedServices(before.Services, after.Services) || some
	some = p.changedIncidents(before, after) || some
	return p.changedFindings(before, after) || some
}

func (p *Printer) changedGroups(before, after []*engine.Group) bool {
	const shown = 4
	was := map[component.ID]*engine.Group{}
	for _, g := range before {
		was[g.ID] = g
	}
	var rows [][]cell
	for _, g := range after {
		b, ok := was[g.ID]
		if !ok || b.State == g.State && equal(b.Spares, g.Spares) {
			continue
		}
		rows = append(rows, []cell{{string(g.ID), strong}, {b.State.String() + " ->", dim}, stateCell(g.State), spares(g)})
	}
	more := len(rows) - shown
	if more > 0 && !p.o.All {
		rows = rows[:shown]
	}
	p.rows(rows)
	if more > 0 && !p.o.All {
		p.Line("  and %s more", Count(more, "group"))
	}
	return len(rows) > 0
}

func (p *Printer) changedServices(before, after []*engine.Service) bool {
	was := map[component.ID]*engine.Service{}
	for _, s := range before {
		was[s.ID] = s
	}
	var rows [][]cell
	for _, s := range after {
		b, ok := was[s.ID]
		if !ok || b.State == s.State && b.Left() == s.Left() {
			continue
		}
		rows = append(rows, []cell{{s.Name, strong}, stateCell(s.State), {"has left " + s.Left(), normal}, {"before: " + b.Left(), dim}})
	}
	p.rows(rows)
	return len(rows) > 0
}

func (p *Printer) changedIncidents(before, after *api.Status) bool {
	byKey := map[finding.Key]*finding.Finding{}
	for i := range after.Findings {
		byKey[after.Findings[i].Key] = &after.Findings[i]
	}
	has := func(list []incident.Incident, id incident.ID) bool {
		return slices.ContainsFunc(list, func(i incident.Incident) bool { return i.ID == id })
	}
	some := false
	for _, i := range after.Incidents {
		if !has(before.Incidents, i.ID) {
			p.Incident(i, byKey, after.Now)
			some = true
		}
	}
	for _, i := range before.Incidents {
		if !has(after.Incidents, i.ID) {
			p.Line("  %s %s", p.paint(good, "✓ over:"), clean(i.Title))
			some = true
		}
	}
	return some
}

// changedFindings prints new findings that belong to no incident and hang under nothing, and those that are gone.
func (p *Printer) changedFindings(before, after *api.Status) bool {
	list := func(s *api.Status) map[finding.Key]*finding.Finding {
		told := map[finding.Key]bool{}
		for _, i := range s.Incidents {
			for _, k := range i.Findings {
				told[k] = true
			}
		}
		m := map[finding.Key]*finding.Finding{}
		for i := range s.Findings {
			if f := &s.Findings[i]; f.Under == "" && !told[f.Key] {
				m[f.Key] = f
			}
		}
		return m
	}
	was, is := list(before), list(after)
	known := map[finding.Key]bool{}
	for i := range before.Findings {
		known[before.Findings[i].Key] = true
	}
	some := false
	for i := range after.Findings {
		f := &after.Findings[i]
		if is[f.Key] != nil && !known[f.Key] {
			p.Line("  %s %s", p.paint(severityTone(f.Severity), f.Severity.String()+":"), p.paint(strong, clean(f.Summary)))
			p.Finding(f)
			some = true
		}
	}
	for i := range after.Findings {
		known[after.Findings[i].Key] = false
	}
	for i := range before.Findings {
		if k := before.Findings[i].Key; was[k] != nil && known[k] {
			p.Line("  %s %s", p.paint(good, "✓ over:"), clean(was[k].Summary))
			some = true
		}
	}
	return some
}

func equal(a, b *int) bool { return a == b || a != nil && b != nil && *a == *b }
