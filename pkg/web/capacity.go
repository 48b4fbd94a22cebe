package web

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/capacity"
	"github.com/sparewatch/sparewatch/pkg/engine"
)

// load is a rated component after the single failure that loads it most.
type load struct {
	ID    string
	Tone  tone
	Says  string
	Lost  string
	After string
	Now   string
}

// room is how much more may be installed.
type room struct {
	Tone tone
	On   string
	Says string
	By   string
}

// mostLoads bounds the lists; the fullest come first.
const mostLoads = 30

func (p *page) addCapacity(c *engine.Loads) {
	for i := range c.Elements {
		v := &c.Elements[i]
		l := load{ID: string(v.ID), Tone: good, Says: "✓ can carry it", Lost: string(v.Lost), After: v.After.Words(), Now: v.Now.Words()}
		switch {
		case v.Trips:
			l.Tone, l.Says = bad, "✕ trips"
		case v.After.Ratio.Known() && float64(v.After.Ratio) > 1:
			l.Tone, l.Says = warning, "▲ too much for long"
		case v.After.Most.Known() && float64(v.After.Most) > 1:
			l.Tone, l.Says = unsure, "? depends on phases that are not known"
		}
		p.Loads = append(p.Loads, l)
	}
	slices.SortStableFunc(p.Loads, func(a, b load) int { return cmp.Compare(weight(b.Tone), weight(a.Tone)) })
	p.LoadsMore = max(0, len(p.Loads)-mostLoads)
	p.Loads = p.Loads[:len(p.Loads)-p.LoadsMore]
	for i := range c.Headroom {
		if i == mostLoads {
			break
		}
		h := &c.Headroom[i]
		r := room{Tone: good, Says: engine.Quantity(h.VA, capacity.VoltAmpere) + " more", By: string(h.By)}
		if h.VA <= 0 {
			r.Tone, r.Says = warning, engine.Quantity(-h.VA, capacity.VoltAmpere)+" too much"
		}
		if h.Lost != "" {
			r.By += " without " + string(h.Lost)
		}
		on := make([]string, len(h.On))
		for j, id := range h.On {
			on[j] = string(id)
		}
		r.On = strings.Join(on, " + ")
		p.Room = append(p.Room, r)
	}
	p.NotGiven = c.NotGiven
}
