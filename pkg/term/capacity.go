package term

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/capacity"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
)

// overloads prints what would carry too much, and what trips because of it, round by round.
func (p *Printer) overloads(s *engine.Simulation) {
	if len(s.Overloaded) > 0 {
		p.Heading("Would carry too much")
		var rows [][]cell
		for i := range s.Overloaded {
			o := &s.Overloaded[i]
			mark := cell{"▲ too much for long", warning}
			if o.Trips {
				mark = cell{"✗ trips", bad}
			} else if o.MayTrip {
				mark = cell{"? may trip", unsure}
			}
			rows = append(rows, []cell{mark, {string(o.ID), strong}, {o.After.Words(), normal}, {"now: " + o.Before.Words(), dim}})
		}
		p.rows(rows)
	}
	for i, round := range s.Trips {
		words := "would trip then: "
		if i == 0 {
			words = "would trip at once: "
		}
		p.Line("  %s%s", words, idList(round))
	}
}

// notGiven prints the answers on load that are not given; only with everything, or where nothing at all is known.
func (p *Printer) notGiven(all []string) {
	if len(all) == 0 {
		return
	}
	if !p.o.All {
		p.Line("%s", p.paint(dim, fmt.Sprintf("\n%s on load cannot be given, mostly for want of ratings or meters (--all)", Count(len(all), "answer"))))
		return
	}
	p.Heading("Not given")
	for _, text := range all {
		p.Line("  %s", clean(text))
	}
}

// Capacity prints what every single failure would do to what carries load, and how much more may be installed.
func (p *Printer) Capacity(c *engine.Loads) {
	const shown = 10
	if len(c.Elements) > 0 {
		var rows [][]cell
		fine := 0
		for i := range c.Elements {
			v := &c.Elements[i]
			over := v.After.Ratio.Known() && float64(v.After.Ratio) > 1
			if !over && !p.o.All {
				fine++
				continue
			}
			mark := cell{"✓", good}
			if v.Trips {
				mark = cell{"✗ trips", bad}
			} else if over {
				mark = cell{"▲ too much", warning}
			}
			lost := "now"
			if v.Lost != "" {
				lost = "without " + string(v.Lost)
			}
			rows = append(rows, []cell{mark, {string(v.ID), strong}, {lost, normal}, {v.After.Words(), normal}, {"now: " + v.Now.Words(), dim}})
		}
		p.Heading("Load after the worst single failure")
		p.rows(rows)
		if fine > 0 {
			p.Line("  %s could carry what would move to them (--all)", Count(fine, "rated component"))
		}
	}
	if len(c.Headroom) > 0 {
		p.Heading("How much more may be installed before a single failure overloads something")
		var rows [][]cell
		for i := range c.Headroom {
			if i == shown && !p.o.All {
				break
			}
			rows = append(rows, headroom(&c.Headroom[i], c))
		}
		p.rows(rows)
		if more := len(c.Headroom) - shown; more > 0 && !p.o.All {
			p.Line("  and %d with more room (--all)", more)
		}
	}
	p.notGiven(c.NotGiven)
}

// LoadPairs prints the pairs of failures that overload what neither of the two does.
func (p *Printer) LoadPairs(c *engine.LoadPairs) {
	p.Heading("Pairs that overload what neither failure does alone")
	for i := range c.Pairs {
		pair := &c.Pairs[i]
		words := make([]string, 0, len(pair.Overloaded))
		for j := range pair.Overloaded {
			o := &pair.Overloaded[j]
			how := "carries "
			switch {
			case o.Trips:
				how = "trips at "
			case o.MayTrip:
				how = "may trip at "
			}
			words = append(words, string(o.ID)+" "+how+o.After.Words())
		}
		p.Line("  %s: %s", clean(strings.Join(idWords(pair.Fail), " + ")), clean(strings.Join(words, "; ")))
		if len(pair.Services) > 0 {
			p.Line("    %s", p.paint(bad, "goes down with it: "+clean(strings.Join(idWords(pair.Services), ", "))))
		}
	}
	if more := c.Found - len(c.Pairs); more > 0 {
		p.Line("  and %d more (--limit)", more)
	}
	verdict := fmt.Sprintf("%s found, of %d pairs of %s; %d were followed, for the others the loads are too small to matter", Count(c.Found, "pair"), c.Considered, Count(c.Components, "component"), c.Followed)
	switch {
	case c.Whole:
	case c.StoppedAfter > 0:
		verdict = fmt.Sprintf("%s found; stopped after %g s, with %d of %d pairs of %s followed: there may be more", Count(c.Found, "pair"), c.StoppedAfter, c.Followed, c.Considered, Count(c.Components, "component"))
	default:
		verdict = fmt.Sprintf("%s found; there are too many of %d pairs of %s to follow: there may be more", Count(c.Found, "pair"), c.Considered, Count(c.Components, "component"))
	}
	p.Line("  %s", verdict)
}

func headroom(h *engine.Headroom, c *engine.Loads) []cell {
	unit := capacity.VoltAmpere
	for i := range c.Elements {
		if c.Elements[i].ID == h.By && c.Elements[i].After.Unit == capacity.BitsSecond {
			unit = capacity.BitsSecond
		}
	}
	how := cell{engine.Quantity(h.VA, unit) + " more", good}
	if h.VA <= 0 {
		how = cell{engine.Quantity(-h.VA, unit) + " too much", warning}
	}
	why := "limited by " + string(h.By)
	if h.Lost != "" {
		why += " without " + string(h.Lost)
	}
	return []cell{how, {strings.Join(idWords(h.On), " + "), strong}, {why, dim}}
}

func idWords(all []component.ID) []string {
	words := make([]string, len(all))
	for i, id := range all {
		words[i] = string(id)
	}
	return words
}

// overloadCuts prints the smallest sets of failures that the structure survives, and the load does not.
func (p *Printer) overloadCuts(c *engine.CutSets) {
	if c.OverloadUpTo == nil {
		return
	}
	if len(c.Overload) == 0 {
		p.Line("no %s that the structure survives would overload what is left", upTo(*c.OverloadUpTo))
		return
	}
	p.Heading(fmt.Sprintf("Survived by the structure, and not by the load: all of %d or less", *c.OverloadUpTo))
	for _, o := range c.Overload {
		p.Line("  %s, for then trip: %s", clean(strings.Join(o.Fail, ", ")), clean(strings.Join(o.Trips, ", ")))
	}
}

func upTo(n int) string {
	if n == 1 {
		return "single failure"
	}
	return "failure or pair of failures"
}

// percentUp is an availability with as many digits as tell it from 100 %.
func percentUp(a float64) string {
	digits := 3
	if down := 1 - a; down > 0 {
		digits = min(max(digits, int(math.Ceil(-math.Log10(down)))), 15)
	}
	return strconv.FormatFloat(100*a, 'f', digits, 64) + " %"
}

// downPerYear says so many hours a year as people say a time: "2.8 s down a year", "4 h 18 min down a year".
func downPerYear(hours float64) string {
	if s := 3600 * hours; s < 120 {
		return fmt.Sprintf("%.2g s down a year", s)
	}
	return component.Quantity(3600*hours, "s") + " down a year"
}

// expected prints what failure rates make of the services.
func (p *Printer) expected(all []*engine.Service) {
	var rows [][]cell
	for i := range all {
		x := all[i].Expected
		if x == nil {
			continue
		}
		words := percentUp(x.Availability)
		note := ""
		if x.Without > 0 {
			words = "at most " + words
			note = fmt.Sprintf("%d of %d components have no failure rate", x.Without, x.With+x.Without)
		}
		first := ""
		if len(x.Matters) > 0 {
			first = "matters most: " + x.Matters[0].Name
		}
		rows = append(rows, []cell{{all[i].Name, strong}, {words, normal}, {downPerYear(x.DownPerYear), normal}, {first, normal}, {note, dim}})
	}
	if len(rows) > 0 {
		p.Heading("Expected availability, by the failure rates of the model")
		p.rows(rows)
	}
}
