package engine

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/capacity"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/traffic"
)

// Readings that tell the traffic of a port, session, circuit or upstream. Rates are in bit/s. Counters are of octets, and tell a
// rate from their second reading on; the names of those of 32 bits end in "_32".
const (
	ReceiveRate    = "receive_rate"
	TransmitRate   = "transmit_rate"
	ReceiveOctets  = "receive_octets"
	TransmitOctets = "transmit_octets"
)

// CountersSince on a port is the device's mark of when its counters began: ifCounterDiscontinuityTime.
const CountersSince = "counters_since"

// narrow ends the names of counters of 32 bits.
const narrow = "_32"

// direction of traffic, from where it is read.
type direction int

const (
	received direction = iota
	sent
	directions
)

// seen are the rates that a source of traffic had of late, by direction.
type seen struct {
	windows [directions]traffic.Window
	before  float64 // what was known of this part of the window before a restart
	part    time.Time
}

// layTraffic makes the network of traffic: what is of the network and stands in for another there shares the traffic of
// what leans on it. What it may carry is its rating in bit/s. Nil where nothing is rated so.
func (e *Engine) layTraffic() *flows {
	n := e.graph.Len()
	f := &flows{}
	for node := range redundancy.Node(n) {
		if e.graph.Domain(node) == component.Network && e.ratingOf(node).Bits > 0 {
			f.rated = append(f.rated, node)
		}
	}
	if len(f.rated) == 0 {
		return nil
	}
	elements := make([]capacity.Element, n)
	for node := range redundancy.Node(n) {
		if e.graph.Domain(node) == component.Network {
			elements[node] = capacity.Element{In: true, Rating: component.Rating{Bits: e.ratingOf(node).Bits}, Derate: e.trafficDerate(node), Weight: -1}
		}
	}
	metered := func(m redundancy.Node) bool { return e.meterBelow(m) >= 0 }
	fed := map[redundancy.Node]bool{} // their traffic is a part of what leans on them
	for _, node := range slices.Backward(e.graph.Structure.Order()) {
		for _, r := range e.graph.Structure.Requirements(node) {
			taps := slices.DeleteFunc(r.Of, func(m redundancy.Node) bool { return !elements[m].In })
			slices.Sort(taps)
			taps = slices.Compact(taps)
			if r.Need >= len(r.Of) || len(taps) < 2 || fed[node] || !slices.ContainsFunc(taps, metered) {
				continue
			}
			id := e.graph.ID(node)
			if id == "" {
				id = e.graph.ID(taps[0])
			}
			f.sources = append(f.sources, source{id: id, taps: taps, host: -1})
			for _, m := range e.graph.Structure.Cone(taps...) {
				fed[m] = true
			}
		}
	}
	if len(f.sources) == 0 {
		return nil
	}
	f.net = capacity.New(e.graph.Structure, elements)
	return f
}

func (e *Engine) trafficDerate(n redundancy.Node) float64 {
	if d, ok := e.load.facts[e.graph.ID(n)]; ok && d.Derate > 0 {
		return d.Derate
	}
	if v, ok := e.opt.Capacity.Kinds[e.graph.Kind(n)]; ok {
		return v
	}
	return 1 // a link may be full; a breaker may not
}

// meterBelow is the node that tells the traffic of n: itself, or else the one thing through which all of it goes, a
// circuit's port; -1 where there is none.
func (e *Engine) meterBelow(n redundancy.Node) redundancy.Node {
	for range 64 {
		if p := e.part(n); p != nil && tellsTraffic(p) {
			return n
		}
		only, count := redundancy.Node(0), 0
		for _, m := range e.needs.of(n) {
			if e.graph.Domain(m) == component.Network {
				only = m
				count++
			}
		}
		if count != 1 {
			break
		}
		n = only
	}
	return -1
}

func tellsTraffic(p *state.Part) bool {
	return p.Kind.Domain() == component.Network && slices.ContainsFunc(p.Readings, func(r component.Reading) bool {
		_, _, _, ok := trafficOf(r.Name)
		return ok
	})
}

// trafficOf is what a reading tells of traffic: a rate, or a counter of so many bits.
func trafficOf(name string) (d direction, counter bool, bits int, ok bool) {
	bits = 64
	if short, is := strings.CutSuffix(name, narrow); is {
		name, bits = short, 32
	}
	switch name {
	case ReceiveRate, ReceiveOctets:
		d = received
	case TransmitRate, TransmitOctets:
		d = sent
	default:
		return 0, false, 0, false
	}
	return d, name == ReceiveOctets || name == TransmitOctets, bits, true
}

// ratesBelow is the traffic of a node in bit/s, by direction, as what tells it says. One that isn't known is NaN.
func (e *Engine) ratesBelow(n redundancy.Node) (rates [directions]float64) {
	rates = [directions]float64{math.NaN(), math.NaN()}
	n = e.meterBelow(n)
	if n < 0 {
		return rates
	}
	p := e.part(n)
	if p.Silent || p.Kept {
		return rates
	}
	for _, r := range p.Readings {
		d, counter, bits, ok := trafficOf(r.Name)
		if !ok || !r.Value.Known() || float64(r.Value) < 0 {
			continue
		}
		rate, known := float64(r.Value), true
		if counter {
			key := string(p.ID) + " " + r.Name
			c := e.load.counters[key]
			if c == nil {
				c = &traffic.Counter{}
				e.load.counters[key] = c
			}
			rate, known = c.Read(traffic.Reading{Octets: rate, At: p.At, Since: p.Attributes[CountersSince], Bits: bits, Speed: e.ratingOf(n).Bits})
		}
		if known && !(rates[d] >= rate) {
			rates[d] = rate
		}
	}
	return rates
}

// trafficDraws are the rates of a source's taps in the direction in which more is carried, for it is the one that has to fit,
// and brings the source's window up to date.
func (e *Engine) trafficDraws(s *source) []capacity.Draw {
	var draws [directions][]capacity.Draw
	w := e.load.seen[string(s.id)]
	if w == nil {
		w = &seen{}
		e.load.seen[string(s.id)] = w
	}
	keep := min(int(e.bucket()/traffic.Slot), 7*traffic.Day)
	top, most := received, -1.0
	for d := range directions {
		sum, known, metered := 0.0, 0, 0
		for _, n := range s.taps {
			rate := e.ratesBelow(n)[d]
			if e.meterBelow(n) >= 0 {
				metered++
			}
			draws[d] = append(draws[d], capacity.Draw{VA: rate, Told: !math.IsNaN(rate)})
			if !math.IsNaN(rate) {
				sum += rate
				known++
			}
		}
		w.windows[d].Keep = keep
		if known > 0 && known == metered { // those that nobody meters are taken to do as the others; who is silent is waited for
			w.windows[d].Add(sum*float64(len(s.taps))/float64(known), e.now)
		}
		if bits, ok := w.windows[d].Percentile(trafficPart); ok && known > 0 && bits > most {
			top, most = d, bits
		}
	}
	return draws[top]
}

// meteredBy is the first device that tells of a source's traffic. What leans on the taps is often declared (an upstream, a
// service), and no device remembers for it.
func (e *Engine) meteredBy(s *source) string {
	for _, n := range s.taps {
		if m := e.meterBelow(n); m >= 0 {
			return e.graph.ID(m).Device()
		}
	}
	return ""
}

// trafficPart is the percentile that links are planned by.
const trafficPart = 0.95

// noteTraffic keeps the 95th percentile of the last part of the window (a day of a week). It is no peak: it falls again when the day has
// more of less. Before the first slot is over the last rate stands for it.
func (e *Engine) noteTraffic(key string, s *source) {
	w := e.load.seen[string(s.id)]
	bits, whole := 0.0, false
	for d := range w.windows {
		if v, ok := w.windows[d].Percentile(trafficPart); ok {
			bits, whole = max(bits, v), whole || w.windows[d].Whole()
		}
	}
	e.load.keepers[key] = e.meteredBy(s)
	p := e.load.peaks[key]
	if p == nil {
		p = &peaks{}
		e.load.peaks[key] = p
	}
	if bits == 0 || !whole && len(p.list) > 0 && w.part.IsZero() {
		return
	}
	part := e.now.Truncate(e.bucket())
	last := len(p.list) - 1
	same := last >= 0 && !p.list[last].Since.Before(part)
	if w.part.IsZero() && same {
		w.before = p.list[last].VA
	} else if !w.part.Equal(part) {
		w.before = 0
	}
	w.part = part
	bits = max(bits, w.before)
	switch {
	case same && bits <= alikeLoad*p.list[last].VA && p.list[last].VA <= alikeLoad*bits:
		return
	case same:
		p.list[last].VA = bits
	default:
		p.list = append(p.list, state.LoadPeak{Since: part, VA: bits})
	}
	p.forget(e.now.Add(-e.opt.Capacity.Window))
	e.load.learned[key] = slices.Clone(p.list)
}
