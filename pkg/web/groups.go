package web

import (
	"fmt"
	"slices"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
)

type group struct {
	ID, Kind     string
	Tone         tone
	Glyph, State string
	Spares       string
	Needs        string
	Basis        string
	Why          string
	Worst        string
}

type blind struct{ ID, Why string }

// addBlind lists what the model leans on and nobody observes.
func (p *page) addBlind(r *engine.Report) {
	seen := map[component.ID]bool{}
	add := func(id component.ID, why string) {
		if seen[id] {
			return
		}
		seen[id] = true
		if len(p.Blind) == most {
			p.BlindMore++
			return
		}
		p.Blind = append(p.Blind, blind{string(id), why})
	}
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Rule == finding.BlindSpot {
			add(f.Subject, f.Summary)
		}
	}
	for i := range r.Services {
		for _, id := range r.Services[i].Unverified {
			add(id, "presumed working under "+r.Services[i].Name)
		}
	}
	for i := range r.Groups {
		for _, id := range r.Groups[i].Unverified {
			add(id, "presumed working in "+string(r.Groups[i].ID))
		}
	}
}

func (p *page) addGroups(all []*engine.Group) {
	rows := make([]group, 0, len(all))
	for i := range all {
		rows = append(rows, groupRow(all[i]))
	}
	slices.SortStableFunc(rows, func(a, b group) int { return weight(b.Tone) - weight(a.Tone) })
	for _, g := range rows {
		fine := g.Tone == good || g.Tone == plain
		switch {
		case fine && len(p.Fine) < most:
			p.Fine = append(p.Fine, g)
		case fine:
			p.FineMore++
		case len(p.Groups) < most:
			p.Groups = append(p.Groups, g)
		default:
			p.GroupsMore++
		}
	}
}

func groupRow(g *engine.Group) group {
	row := group{
		ID: string(g.ID), Kind: string(g.Kind), Tone: stateTone(g.State), Glyph: glyph(g.State), State: g.State.String(),
		Spares: engine.Count(g.Spares), Basis: string(g.Basis), Why: g.Why, Needs: "not known",
	}
	if g.Needed > 0 {
		row.Needs = fmt.Sprintf("%d of %d", g.Needed, g.Designed)
	}
	if g.SparesFull != nil && g.Spares != nil && *g.Spares >= 0 {
		row.Spares = fmt.Sprintf("%s of %d", digits(g.Spares), *g.SparesFull)
	}
	if g.StateWorst != nil && *g.StateWorst != g.State {
		row.Worst = "at worst " + g.StateWorst.String()
	}
	return row
}
