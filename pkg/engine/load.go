package engine

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/capacity"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
	"github.com/sparewatch/sparewatch/pkg/traffic"
)

// What is assumed where nothing was measured, said or declared.
const (
	assumedFactor     = 0.95 // W of a VA, of a supply that says nothing of it
	assumedEfficiency = 0.92 // of a supply that tells its output only
	assumedDerate     = 0.8  // of what is not a supply: the usual bound for a load that lasts
)

// load is what is known of where power, and traffic, goes (docs/design.md, 5.8).
type load struct {
	stale    bool            // the structure or the ratings are others
	touched  map[string]bool // devices that said something since the flows were found
	moved    bool            // something else works than when the flows were found
	swept    bool            // every single failure was tried on the flows as they are
	due      time.Time
	power    *flows // nil: nothing is known
	traffic  *flows
	peaks    map[string]*peaks            // by source, or node and phase
	restOn   map[component.ID]bool        // where there is, or was, load that no source accounts for
	shares   map[component.ID]float64     // by tap: its part while all taps of its source worked
	learned  map[string][]state.LoadPeak  // to be remembered
	counters map[string]*traffic.Counter  // of traffic
	seen     map[string]*seen             // traffic, by source
	keepers  map[string]string            // by key of a peak: the device with which it is remembered, where that isn't the key's own
	facts    map[component.ID]declaredFor // declared components by canonical id
	rank     []int32                      // by node: providers before dependants
	report   Loads
	findings []stand
	notGiven []string
}

// flows is one network with what it carries.
type flows struct {
	net     *capacity.Network
	sources []source
	flow    *capacity.Flow
	given   []capacity.Source // of which flow was made
	rated   []redundancy.Node // that say how much they carry, supplies last

	// of power only:
	est       *capacity.Estimator    // nil: to be made anew
	meters    map[string]meters      // by device
	sourcesAt map[string][]sourceTap // by device: the taps that are its parts
	hostsAt   map[string][]int32     // by device: the sources that are measured there as a whole
	part      time.Time              // of the window of peaks, in which all was measured last
}

// source is what draws load: a group of supplies, a lone one, or a device that is fed without supplies.
type source struct {
	id       component.ID
	taps     []redundancy.Node
	declared capacity.Load
	host     redundancy.Node // where the whole is measured, -1: nowhere
}

// declaredFor is what the model says of a component.
type declaredFor struct{ *topology.Component }

func (l *load) init() {
	*l = load{stale: true, touched: map[string]bool{}, moved: true, restOn: map[component.ID]bool{}, peaks: map[string]*peaks{}, shares: map[component.ID]float64{}, learned: map[string][]state.LoadPeak{}, counters: map[string]*traffic.Counter{}, seen: map[string]*seen{}, keepers: map[string]string{}}
}

// settleLoad brings the flows up to date, and says what every single failure would do to them.
func (e *Engine) settleLoad() {
	l := &e.load
	if len(l.touched) == 0 && !l.stale && !l.moved || e.now.Before(l.due) && !l.due.IsZero() && e.now.After(l.due.Add(-time.Hour)) {
		return
	}
	if n := e.graph.Len(); n >= largeModel {
		l.due = e.now.Add(time.Duration(n) * 100 * time.Microsecond)
	}
	e.findFlows()
	if l.swept {
		return
	}
	l.swept = true
	before := l.report
	e.sweepLoad()
	if !sameCapacity(&before, &l.report) {
		e.reported = false
	}
	e.loadFindings()
}

// findFlows lays the networks if the structure changed, reads the meters, and follows the load.
func (e *Engine) findFlows() {
	l := &e.load
	if l.stale {
		e.layLoad()
	}
	if l.power != nil {
		e.measurePower(l.power)
	}
	if l.traffic != nil {
		e.measureTraffic(l.traffic)
	}
	l.stale, l.moved = false, false
	clear(l.touched)
}

// currentLoad are the flows as things stand, for a question; with the loads that were measured last time, at most some
// seconds ago.
func (e *Engine) currentLoad() *load {
	if e.load.stale || e.load.moved {
		e.findFlows()
	}
	return &e.load
}

// layLoad makes the networks of the structure.
func (e *Engine) layLoad() {
	l := &e.load
	l.facts = map[component.ID]declaredFor{}
	for i := range e.model.Components {
		c := &e.model.Components[i]
		if n, ok := e.graph.Node(c.ID); ok {
			l.facts[e.graph.ID(n)] = declaredFor{c}
		}
	}
	l.power, l.traffic, l.swept = e.layPower(), e.layTraffic(), false
	if l.power != nil || l.traffic != nil {
		l.rank = make([]int32, e.graph.Len())
		for i, n := range e.graph.Structure.Order() {
			l.rank[n] = int32(i)
		}
	}
}

// ratingOf is what a node may carry, as declared or as its device says.
func (e *Engine) ratingOf(n redundancy.Node) component.Rating {
	id := e.graph.ID(n)
	var r component.Rating
	if d, ok := e.load.facts[id]; ok && d.Rating != nil {
		return *d.Rating
	}
	if p := e.part(n); p != nil && p.Rating != nil {
		r = *p.Rating
	} else if d := e.deviceOf(id); d != nil && d.view != nil {
		r = d.view.Ratings[id]
	}
	if isSupply(id.Kind()) { // what a supply says besides its power is its input's
		r = component.Rating{Watts: r.Watts}
	}
	return r
}

func (e *Engine) derateOf(n redundancy.Node) float64 {
	id := e.graph.ID(n)
	if d, ok := e.load.facts[id]; ok && d.Derate > 0 {
		return d.Derate
	}
	if v, ok := e.opt.Capacity.Kinds[id.Kind()]; ok {
		return v
	}
	if isSupply(id.Kind()) {
		return 1
	}
	return cmp.Or(e.opt.Capacity.Derate, assumedDerate)
}

// opens are the kinds that stop giving power when they carry too much: they are, or hold, a breaker, or switch off.
var opens = map[component.Kind]bool{
	component.Generator: true, component.ATS: true, component.UPS: true, component.Feed: true, component.Panel: true, component.Breaker: true,
	component.PDU: true, component.Bank: true, component.Inlet: true, component.PSU: true, component.Rectifier: true,
}

// selects are the kinds that draw from one of their providers at a time.
var selects = map[component.Kind]bool{
	component.ATS: true, component.UPS: true, component.PSU: true, component.Rectifier: true, component.Feed: true, component.Panel: true, component.Breaker: true,
}

// layPower makes the network of power; nil where nothing says how much it carries.
func (e *Engine) layPower() *flows {
	n := e.graph.Len()
	elements := make([]capacity.Element, n)
	f := &flows{}
	inlets := map[string][]redundancy.Node{}
	phases := map[string][]redundancy.Node{}
	for node := range redundancy.Node(n) {
		el := &elements[node]
		el.Weight = -1
		id := e.graph.ID(node)
		if id == "" || e.graph.Domain(node) != component.Power || e.hold[node] {
			continue
		}
		kind := id.Kind()
		el.In = true
		el.Rating, el.Derate = e.ratingOf(node), e.derateOf(node)
		if isSupply(kind) { // what it gives is rated, and what it takes is reckoned
			el.Rating.Watts /= assumedEfficiency
		}
		el.Trips = opens[kind] && !(kind == component.PSU && e.isController(node))
		el.Selects = selects[kind]
		el.Three = el.Rating.Phases == 3
		switch kind {
		case component.Inlet:
			inlets[id.Device()] = append(inlets[id.Device()], node)
		case component.Phase:
			phases[id.Device()] = append(phases[id.Device()], node)
		}
		el.Pin = e.pinOf(node)
	}
	e.layConductors(elements, inlets, phases)
	for node := range redundancy.Node(n) {
		el := &elements[node]
		switch kind := e.graph.Kind(node); {
		case !el.In:
		case kind == component.UPS && el.Pin == capacity.Any && el.Three:
			el.Pin = capacity.Even
		case (kind == component.Inlet || kind == component.PDU || kind == component.UPS) && !el.Three:
			el.Fresh = true
		}
		if el.In && el.Rated() {
			f.rated = append(f.rated, node)
		}
	}
	f.sources = e.powerSources(elements)
	if len(f.rated) == 0 || len(f.sources) == 0 {
		return nil
	}
	e.layVolts(elements)
	f.net = capacity.New(e.graph.Structure, elements)
	return f
}

// pinOf is the conductor that a component hangs on, as declared or as its device says.
func (e *Engine) pinOf(n redundancy.Node) capacity.Slot {
	id := e.graph.ID(n)
	if d, ok := e.load.facts[id]; ok && d.Phase != "" {
		s, _ := capacity.ParseSlot(d.Phase)
		return s
	}
	if p := e.part(n); p != nil {
		if s, ok := capacity.ParseSlot(p.Attributes["phase"]); ok {
			return s
		}
	}
	return capacity.Any
}

func (e *Engine) isController(n redundancy.Node) bool {
	p := e.part(n)
	return p != nil && p.Attributes[component.Role] == component.RoleController
}

// layConductors ties the phases that a device lists to the inlet whose conductors they are, and a pdu's own rating to its
// only inlet, through which all passes.
func (e *Engine) layConductors(elements []capacity.Element, inlets, phases map[string][]redundancy.Node) {
	whole := func(device string, part redundancy.Node) redundancy.Node {
		for _, m := range e.needs.of(part) {
			if k := e.graph.Kind(m); k == component.Inlet || k == component.PDU || k == component.UPS {
				return m
			}
		}
		if in := inlets[device]; len(in) > 0 {
			return in[0]
		}
		if main, ok := e.mainNode(device); ok {
			return main
		}
		return -1
	}
	for device, list := range phases {
		count := map[redundancy.Node]int{}
		for _, p := range list {
			if of := whole(device, p); of >= 0 && elements[of].In {
				count[of]++
			}
		}
		for _, p := range list {
			of := whole(device, p)
			if of < 0 || !elements[of].In {
				continue
			}
			local := string(e.graph.ID(p).Local())
			if i := strings.LastIndexAny(local, "./:"); i >= 0 {
				local = local[i+1:]
			}
			slot, ok := capacity.ParseSlot(local)
			if !ok || slot == capacity.Even {
				continue
			}
			el, box := &elements[p], &elements[of]
			el.Leg, el.LegOf, el.Trips = slot, of, false
			box.Three = box.Three || count[of] >= 3
			if a := el.Rating.Amps; a > 0 && (box.Rating.Amps == 0 || a < box.Rating.Amps) && (count[of] == 1 || count[of] >= 3) {
				box.Rating.Amps = a
			}
		}
	}
	for device, in := range inlets {
		main, ok := e.mainNode(device)
		if !ok || len(in) != 1 || e.graph.Kind(main) != component.PDU {
			continue
		}
		el, box := &elements[in[0]], &elements[main]
		el.Three = el.Three || box.Three
		if !el.Rated() {
			el.Rating, el.Derate = box.Rating, box.Derate
		}
		el.Three = el.Three || el.Rating.Phases == 3
		box.Three, box.Rating, box.Trips = el.Three, component.Rating{}, false
	}
}

func (e *Engine) mainNode(device string) (redundancy.Node, bool) {
	d := e.devices[device]
	if d == nil {
		return 0, false
	}
	return e.graph.Node(e.mainOf(d))
}

// layVolts finds each element's voltage: its rating's, its own meter's, that of what feeds it, or that of what it feeds.
func (e *Engine) layVolts(elements []capacity.Element) {
	order := e.graph.Structure.Order()
	for _, n := range order {
		el := &elements[n]
		switch v := el.Rating.Volts; {
		case !el.In:
		case v > 0 && el.Three:
			el.Volts = capacity.LineToNeutral(v)
		case v > 0:
			el.Volts = v
		default:
			el.Volts = e.measuredVolts(n, el.Three)
		}
	}
	fromAbove := func() {
		for _, n := range order {
			el := &elements[n]
			for _, m := range e.up.of(n) {
				if above := elements[m].Volts; el.In && el.Volts == 0 && above > 0 {
					el.Volts = above
					if elements[m].Three && !el.Three && el.Pin >= capacity.L12 && el.Pin <= capacity.L31 {
						el.Volts *= math.Sqrt(3)
					}
				}
			}
		}
	}
	fromAbove()
	for _, n := range slices.Backward(order) {
		el := &elements[n]
		for _, m := range e.down.of(n) {
			if below := elements[m].Volts; el.In && el.Volts == 0 && below > 0 && elements[m].Pin < capacity.L12 {
				el.Volts = below
			}
		}
	}
	fromAbove() // a bank, beside a phase that tells the voltage of their inlet
	for n := range elements {
		if el := &elements[n]; el.Leg != capacity.Any && elements[el.LegOf].Volts > 0 {
			el.Volts = elements[el.LegOf].Volts
		}
	}
}

// measuredVolts is a plausible voltage that the part tells; 0 where it tells none.
func (e *Engine) measuredVolts(n redundancy.Node, three bool) float64 {
	p := e.part(n)
	if p == nil {
		return 0
	}
	for _, r := range p.Readings {
		if r.Name != "voltage" && r.Name != "output_voltage" && r.Name != "input_voltage" || !r.Value.Known() {
			continue
		}
		v := float64(r.Value)
		if slot, ok := capacity.ParseSlot(r.Phase); ok && slot >= capacity.L12 || r.Phase == "line-to-line" {
			v /= math.Sqrt(3)
		} else if three && r.Phase == "" {
			v = capacity.LineToNeutral(v)
		}
		if v > 40 && v < 700 {
			return v
		}
	}
	return 0
}
