package term

import (
	"fmt"

	"github.com/sparewatch/sparewatch/pkg/capacity"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
)

// Comparison prints what a model is worth beside an older one.
func (p *Printer) Comparison(c *engine.Comparison) {
	switch {
	case c.Worse:
		p.Line("%s", p.paint(bad, "Something gets worse by this change."))
	case len(c.Services)+len(c.Groups)+len(c.Findings)+len(c.Headroom) == 0:
		p.Line("Nothing changes: %s and %s are worth what they were.", Count(c.Same["services"], "service"), Count(c.Same["groups"], "group"))
		return
	default:
		p.Line("%s", p.paint(good, "Nothing gets worse by this change."))
	}
	p.changedWorth(c.Services)
	p.changedGroupWorth(c.Groups)
	var rows [][]cell
	for _, f := range c.Findings {
		mark := cell{"✓ no longer", good}
		if f.Appears {
			mark = cell{"✗ new", bad}
		}
		rows = append(rows, []cell{mark, {string(f.Rule), dim}, {clean(f.Summary), normal}})
	}
	if len(rows) > 0 {
		p.Heading("False redundancy and overload")
		p.rows(rows)
	}
	p.changedRoom(c.Headroom)
	rows = nil
	for _, x := range c.Expected {
		rows = append(rows, []cell{{x.Name, strong}, {percentUp(x.Before) + " -> " + percentUp(x.After), normal}})
	}
	if len(rows) > 0 {
		p.Heading("Expected availability")
		p.rows(rows)
	}
	p.Line("\nUnchanged: %s, %s.", Count(c.Same["services"], "service"), Count(c.Same["groups"], "group"))
}

func markOf(worse, better bool) cell {
	switch {
	case worse:
		return cell{"✗ worse", bad}
	case better:
		return cell{"✓ better", good}
	}
	return cell{"· other", dim}
}

func (p *Printer) changedWorth(all []engine.ServiceChange) {
	if len(all) == 0 {
		return
	}
	p.Heading("Services")
	var rows [][]cell
	for i := range all {
		s := &all[i]
		switch {
		case s.Before == nil:
			rows = append(rows, []cell{{"+ new", normal}, {s.Name, strong}, {s.After.Words(), normal}})
		case s.After == nil:
			rows = append(rows, []cell{{"- gone", normal}, {s.Name, strong}, {"had " + s.Before.Words(), normal}})
		default:
			rows = append(rows, []cell{markOf(s.Worse, s.Better), {s.Name, strong}, {s.Before.Words() + " -> " + s.After.Words(), normal}})
		}
		for _, x := range []struct {
			what string
			ids  []component.ID
			t    tone
		}{{"single points of failure: + ", s.Appear, warning}, {"no longer: - ", s.Gone, good}} {
			if len(x.ids) > 0 {
				rows = append(rows, []cell{{}, {}, {x.what + idList(x.ids), x.t}})
			}
		}
	}
	p.rows(rows)
}

func (p *Printer) changedGroupWorth(all []engine.GroupChange) {
	if len(all) == 0 {
		return
	}
	p.Heading("Groups")
	var rows [][]cell
	says := func(w *engine.GroupWorth) string {
		return fmt.Sprintf("%d of %d needed, %s", w.Needed, w.Designed, Count(w.Spares, "spare"))
	}
	for i := range all {
		g := &all[i]
		rows = append(rows, []cell{markOf(g.Worse, g.After.Spares > g.Before.Spares), {string(g.ID), strong}, {says(g.Before) + " -> " + says(g.After), normal}})
	}
	p.rows(rows)
}

func (p *Printer) changedRoom(all []engine.HeadroomChange) {
	if len(all) == 0 {
		return
	}
	p.Heading("How much more may be installed")
	var rows [][]cell
	for i := range all {
		h := &all[i]
		was := "not known"
		if h.Before != nil {
			was = engine.Quantity(*h.Before, capacity.VoltAmpere)
		}
		rows = append(rows, []cell{markOf(h.Worse, h.Before != nil && *h.After > *h.Before), {idList(h.On), strong}, {was + " -> " + engine.Quantity(*h.After, capacity.VoltAmpere), normal}})
	}
	p.rows(rows)
}
