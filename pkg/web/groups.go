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
	thin, fine := apart(rows, func(g group) tone { return g.Tone }, true)
	p.Groups, p.GroupsMore = limited(thin)
	p.Fine, p.FineMore = limited(fine)
}

// apart sorts rows, the gravest first, and where fold is set parts those that are well from the others.
func apart[R any](rows []R, of func(R) tone, fold bool) (thin, fine []R) {
	slices.SortStableFunc(rows, func(a, b R) int { return weight(of(b)) - weight(of(a)) })
	for _, r := range rows {
		if t := of(r); fold && (t == good || t == plain) {
			fine = append(fine, r)
		} else {
			thin = append(thin, r)
		}
	}
	return thin, fine
}

// limited are the rows that are shown, and how many more there are.
func limited[R any](rows []R) (shown []R, more int) {
	n := min(len(rows), most)
	return rows[:n], len(rows) - n
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
