package engine

import (
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/capacity"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// Readings that tell the traffic of a port, session, circuit or upstream; the greater of both directions counts. Rates are
// in bit/s. Counters are of octets, and tell a rate from their second reading on.
const (
	ReceiveRate    = "receive_rate"
	TransmitRate   = "transmit_rate"
	ReceiveOctets  = "receive_octets"
	TransmitOctets = "transmit_octets"
)

// octetCounter is what a counter of octets said last, and the rate that it told then.
type octetCounter struct {
	octets float64
	at     time.Time
	bits   float64
	known  bool
}

// count makes a rate of a counter. One that went back, or that was not read for long, begins anew.
func (c *octetCounter) count(octets float64, at time.Time) (bits float64, known bool) {
	const longest = time.Hour
	between := at.Sub(c.at)
	switch {
	case c.at.IsZero() || octets < c.octets || between > longest:
		*c = octetCounter{octets: octets, at: at}
	case between > 0:
		*c = octetCounter{octets: octets, at: at, bits: 8 * (octets - c.octets) / between.Seconds(), known: true}
	}
	return c.bits, c.known
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
	if v, ok := e.opt.Capacity.Kinds[e.graph.ID(n).Kind()]; ok {
		return v
	}
	return 1 // a link may be full; a breaker may not
}

// meterBelow is the node that tells the traffic of n: itself, or else the one thing through which all of it goes, a
// circuit's port; -1 where there is none.
func (e *Engine) meterBelow(n redundancy.Node) redundancy.Node {
	for range 64 {
		if p := e.part(n); p != nil && slices.ContainsFunc(p.Readings, func(r component.Reading) bool { return isTraffic(r.Name) }) {
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

func isTraffic(name string) bool {
	return name == ReceiveRate || name == TransmitRate || name == ReceiveOctets || name == TransmitOctets
}

// rateBelow is the traffic of a node in bit/s, the greater of both directions, as what tells it says.
func (e *Engine) rateBelow(n redundancy.Node) (float64, bool) {
	n = e.meterBelow(n)
	if n < 0 {
		return 0, false
	}
	p := e.part(n)
	if p.Silent || p.Kept {
		return 0, false
	}
	most, ok := 0.0, false
	for _, r := range p.Readings {
		if !r.Value.Known() || float64(r.Value) < 0 {
			continue
		}
		switch r.Name {
		case ReceiveRate, TransmitRate:
			most, ok = max(most, float64(r.Value)), true
		case ReceiveOctets, TransmitOctets:
			key := string(p.ID) + " " + r.Name
			c := e.load.counters[key]
			if c == nil {
				c = &octetCounter{}
				e.load.counters[key] = c
			}
			if bits, known := c.count(float64(r.Value), p.At); known {
				most, ok = max(most, bits), true
			}
		}
	}
	return most, ok
}
