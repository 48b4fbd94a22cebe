package engine

import (
	"slices"

	"github.com/sparewatch/sparewatch/pkg/capacity"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// Readings that tell the traffic of a port, session, circuit or upstream, in bit/s; the greater counts.
const (
	ReceiveRate  = "receive_rate"
	TransmitRate = "transmit_rate"
)

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
	metered := func(m redundancy.Node) bool {
		_, ok := e.rateBelow(m)
		return ok
	}
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

// rateBelow is the traffic of a node as it tells it, or else as the one thing tells it through which all of it goes: a
// circuit's port.
func (e *Engine) rateBelow(n redundancy.Node) (float64, bool) {
	for range 64 {
		if bits, ok := e.rate(n); ok {
			return bits, true
		}
		only, count := redundancy.Node(0), 0
		for _, m := range e.needs.of(n) {
			if e.graph.Domain(m) == component.Network {
				only = m
				count++
			}
		}
		if count != 1 {
			return 0, false
		}
		n = only
	}
	return 0, false
}

// rate is the traffic of a node in bit/s, the greater of both directions.
func (e *Engine) rate(n redundancy.Node) (float64, bool) {
	p := e.part(n)
	if p == nil || p.Silent || p.Kept {
		return 0, false
	}
	most, ok := 0.0, false
	for _, r := range p.Readings {
		if (r.Name == ReceiveRate || r.Name == TransmitRate) && r.Value.Known() && float64(r.Value) >= 0 {
			most, ok = max(most, float64(r.Value)), true
		}
	}
	return most, ok
}
