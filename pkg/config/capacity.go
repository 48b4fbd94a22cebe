package config

import (
	"cmp"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/capacity"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// Capacity is how it is judged whether what survives a failure can carry the load. Zero fields mean the defaults.
type Capacity struct {
	Derate float64                    // the part of a rating that may be used for long
	Kinds  map[component.Kind]float64 // the same by kind
	Window time.Duration              // over how long the highest loads count
}

// Bounds of what may be written.
const (
	leastWindow = 7 * time.Minute
	mostWindow  = 400 * 24 * time.Hour
	mostRate    = 2_000_000 * time.Hour
)

func (l *loader) capacity(n node) {
	s := l.mapping(n, "capacity", "derate", "window", "kinds")
	c := &l.cfg.Capacity
	c.Derate = l.derate(s)
	c.Window = s.duration("window", leastWindow, mostWindow, 0)
	kinds := l.freeMapping(s.keys["kinds"], "capacity: kinds")
	for _, kind := range kinds.names() {
		at := place{kinds.file, kinds.lines[kind]}
		if !slices.Contains(component.Kinds(), component.Kind(kind)) {
			l.wrong(at, didYouMean(kind, words(component.Kinds()), "write a kind of component, as breaker or ups"), "%q is no kind of component", kind)
			continue
		}
		v := kinds.amount(kind, "parts of 1")
		if v > 1 {
			l.wrong(at, "write 0.8 for 80 %", "capacity of %s is %v, more than all of it", kind, v)
			continue
		}
		if c.Kinds == nil {
			c.Kinds = map[component.Kind]float64{}
		}
		if v > 0 {
			c.Kinds[component.Kind(kind)] = v
		}
	}
}

// phase reads on which conductor of its provider something hangs.
func (l *loader) phase(s *section) string {
	text := s.text("phase")
	if text == "" {
		return ""
	}
	if _, ok := capacity.ParseSlot(text); !ok {
		l.wrong(s.where("phase"), "write L1, L2, L3, L1-L2, L2-L3, L3-L1, or L1-L2-L3", "phase is %q", text)
		return ""
	}
	return text
}

// draws reads a load that nobody measures.
func (l *loader) draws(s *section) *component.Rating {
	if !s.has("draws") {
		return nil
	}
	r := l.mapping(s.keys["draws"], "draws", "watts", "va", "amps", "volts", "phases")
	load := component.Rating{Watts: r.amount("watts", "W"), VA: r.amount("va", "VA"), Amps: r.amount("amps", "A"), Volts: r.amount("volts", "V"),
		Phases: r.number("phases", 1, 3, 0)}
	switch {
	case load.Watts == 0 && load.VA == 0 && load.Amps == 0:
		l.wrong(r.at(), "write {watts: 350}, {va: 400} or {amps: 1.5, volts: 230}", "draws does not say how much")
	case load.Watts == 0 && load.VA == 0 && load.Volts == 0:
		l.wrong(r.at(), "write the volts too: {amps: 1.5, volts: 230}", "draws is given in amperes without a voltage")
	}
	return &load
}

// rate reads how often something fails: the mean time between failures and the mean time to repair.
func (l *loader) rate(s *section) topology.Rate {
	r := topology.Rate{MTBF: s.duration("mtbf", time.Minute, mostRate, 0), MTTR: s.duration("mttr", time.Second, mostRate, 0)}
	switch {
	case r.MTBF == 0 && s.has("mttr") && !s.has("mtbf"):
		l.wrong(s.where("mttr"), "write mtbf: 100000h too", "%s says how long a repair takes, and not how often it fails", s.title)
	case r.MTBF > 0 && r.MTTR == 0:
		r.MTTR = cmp.Or(r.MTTR, defaultRepair)
	}
	return r
}

// defaultRepair is how long a repair takes where only the rate of failures is said.
const defaultRepair = 24 * time.Hour

// takeRates reads how often components of a kind fail.
func (l *loader) takeRates(n node) {
	kinds := l.freeMapping(n, "rates")
	for _, kind := range kinds.names() {
		at := place{kinds.file, kinds.lines[kind]}
		if !slices.Contains(component.Kinds(), component.Kind(kind)) {
			l.wrong(at, didYouMean(kind, words(component.Kinds()), "write a kind of component, as psu or feed"), "%q is no kind of component", kind)
			continue
		}
		s := l.mapping(kinds.keys[kind], "the rate of "+kind, "mtbf", "mttr")
		r := l.rate(s)
		if r.MTBF == 0 {
			if !s.has("mtbf") && !s.has("mttr") {
				l.wrong(at, "write {mtbf: 100000h, mttr: 24h}", "the rate of %s says nothing", kind)
			}
			continue
		}
		if l.cfg.Model.Rates == nil {
			l.cfg.Model.Rates = map[component.Kind]topology.Rate{}
		}
		if _, twice := l.cfg.Model.Rates[component.Kind(kind)]; twice {
			l.wrong(at, "take one of them out", "the rate of %s is said twice", kind)
		}
		l.cfg.Model.Rates[component.Kind(kind)] = r
	}
}
