package web

import (
	"cmp"
	"strconv"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
)

type service struct {
	Name    string
	Tier    int
	Tone    tone
	Glyph   string
	State   string
	Says    string // what the state means
	Spares  string
	Worst   string // "at worst none": where silent parts could make it worse
	Soon    string // "none once what is failing has failed"
	Chips   []chip
	Weakest string
	Presume int // components presumed working
}

type chip struct {
	Name string
	Tone tone
	Left string // "1 of 2"
	Note string
}

// few services are all shown as they are; of more, those that have what they should are folded.
const few = 12

func (p *page) addServices(all []*engine.Service) {
	p.NoServices = len(all) == 0
	rows := make([]service, 0, len(all))
	for i := range all {
		rows = append(rows, serviceRow(all[i]))
	}
	thin, fine := apart(rows, func(s service) tone { return s.Tone }, len(all) > few)
	p.Services, p.ServicesMore = limited(thin)
	p.FineServices, p.FineServicesMore = limited(fine)
}

func serviceName(s *engine.Service) string { return cmp.Or(s.Name, s.ID.Local()) }

func serviceRow(s *engine.Service) service {
	row := service{
		Name: serviceName(s), Tier: s.Tier, Tone: stateTone(s.State), Glyph: glyph(s.State), State: s.State.String(),
		Says: meaning(s.State), Spares: digits(s.Spares), Weakest: s.WeakestLink(), Presume: len(s.Unverified),
	}
	if s.Spares != nil && *s.Spares < 0 {
		row.Says = "is down"
	}
	if s.SparesWorst != nil && (s.Spares == nil || *s.SparesWorst != *s.Spares) {
		row.Worst = "at worst " + digits(s.SparesWorst)
	}
	if s.Predicted != nil && s.Spares != nil && *s.Predicted < *s.Spares {
		row.Soon = engine.Count(s.Predicted) + " once what is failing has failed"
	}
	for _, d := range component.Domains() {
		if sp, ok := s.By[d]; ok && (sp.Spares != nil || sp.Full != nil || sp.Worst != nil) {
			row.Chips = append(row.Chips, domainChip(d, sp))
		}
	}
	return row
}

func domainChip(d component.Domain, s engine.Spares) chip {
	c := chip{Name: string(d), Tone: stateTone(s.State), Left: digits(s.Spares)}
	if s.Full != nil && s.Spares != nil && *s.Full != *s.Spares && *s.Spares >= 0 {
		c.Left += " of " + strconv.Itoa(*s.Full)
	}
	if s.Spares == nil {
		c.Tone = unsure
	}
	if s.Worst != nil && (s.Spares == nil || *s.Worst != *s.Spares) {
		c.Note = "at worst " + digits(s.Worst)
	}
	return c
}

// Unit stands below the number of spares.
func (s service) Unit() string {
	switch s.Spares {
	case "down":
		return ""
	case "?":
		return "not known"
	case "1":
		return "spare left"
	}
	return "spares left"
}
