package term

import (
	"fmt"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
)

// Design prints what the declared topology says by itself: what each service survives, its single points of failure,
// and what only looks redundant. It reports whether something does.
func (p *Printer) Design(r *engine.Report) (falsely bool) {
	if len(r.Services) > 0 {
		p.Heading("Services by design: how many failures each survives")
		p.Services(r.Services)
	}
	p.spofs(r.Services)
	p.expected(r.Services)
	p.Capacity(&r.Capacity)
	var rows [][]cell
	blind := 0
	for i := range r.Findings {
		f := &r.Findings[i]
		switch f.Rule {
		case finding.FalseRedundancy:
			falsely = true
			rows = append(rows, []cell{{f.Severity.String(), severityTone(f.Severity)}, {clean(f.Summary), normal}})
			if f.Remedy != "" {
				rows = append(rows, []cell{{}, {clean(f.Remedy), dim}})
			}
		case finding.BlindSpot:
			blind++
		}
	}
	if falsely {
		p.Heading("Not redundant, although it looks so")
		p.rows(rows)
	}
	if blind > 0 {
		p.Line("\n%s that the model leans on will be observed by nobody.", Count(blind, "thing"))
	}
	return falsely
}

// spofs lists the single points of failure of each service.
func (p *Printer) spofs(all []*engine.Service) {
	var rows [][]cell
	for _, s := range all {
		var ids []component.ID
		for _, cut := range s.Weakest {
			if len(cut) == 1 {
				ids = append(ids, cut[0])
			}
		}
		if len(ids) == 0 {
			continue
		}
		words := idList(ids)
		if more := s.Cuts - len(ids); more > 0 {
			words += fmt.Sprintf(" and %d more", more)
		}
		rows = append(rows, []cell{{s.Name, strong}, {words, normal}})
	}
	if len(rows) == 0 {
		return
	}
	p.Heading("Single points of failure by design")
	p.rows(rows)
}

func idList(all []component.ID) string {
	words := ""
	for i, id := range all {
		if i > 0 {
			words += ", "
		}
		words += string(id)
	}
	return words
}
