package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/capacity"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// Loads say what every single failure would do to what carries load, with the highest loads of the window.
type Loads struct {
	// Elements are the rated components through which load passes, and what the worst single failure would make of each.
	// Supplies and outlets are listed only where they would carry too much. Sorted by id.
	Elements []Failover `json:"elements"`
	// Headroom is how much more may be installed, by the pdus or feeds that chassis hang on; the least first.
	Headroom []Headroom `json:"headroom"`
	// NotGiven are the answers that are not given, and why.
	NotGiven []string `json:"not_given"`
}

// Failover is one element now, and after the single failure that loads it most.
type Failover struct {
	ID   component.ID   `json:"id"`
	Kind component.Kind `json:"kind"`
	Now  Loading        `json:"now"`
	// Lost is the failure, empty where none loads it more than it is now; After what it then carries.
	Lost  component.ID `json:"lost"`
	After Loading      `json:"after"`
	// Trips: it would open. Then these services would go down with it, at most 16.
	Trips    bool           `json:"trips"`
	Services []component.ID `json:"services"`
	// HeadroomVA is how much more it may carry, after the worst failure, spread over its phases as it should be; null where
	// it is rated in nothing that tells. In bit/s for traffic.
	HeadroomVA *float64 `json:"headroom_va"`
}

// Loading is what an element carries.
type Loading struct {
	VA   component.Value `json:"va"` // bit/s of traffic
	W    component.Value `json:"w"`
	Amps component.Value `json:"amps"` // of the fullest conductor
	Leg  string          `json:"leg,omitempty"`
	// Ratio is its part of what may be used, the rating less derating; over 1 it is too much. Most is another number where
	// the phase of some load is not known: as bad as that could be.
	Ratio component.Value `json:"ratio"`
	Most  component.Value `json:"ratio_most"`
	Unit  capacity.Unit   `json:"unit"` // in which it is fullest
	May   float64         `json:"may"`  // what may be used, in that unit
	Rated float64         `json:"rated"`
}

// Headroom is how much more may be installed on what a chassis hangs on.
type Headroom struct {
	On   []component.ID `json:"on"`
	VA   float64        `json:"va"` // bit/s of traffic; negative: so much too much
	By   component.ID   `json:"limited_by"`
	Lost component.ID   `json:"when_lost"` // empty: as things are now
	// Sources is how many chassis hang on them now.
	Sources int `json:"sources"`
}

// Overload is an element that would carry more than it may.
type Overload struct {
	ID     component.ID `json:"id"`
	Before Loading      `json:"before"`
	After  Loading      `json:"after"`
	Trips  bool         `json:"trips"`
	// MayTrip: whether it opens depends on the phases of loads of which they are not known.
	MayTrip bool `json:"may_trip"`
}

func loading(el *capacity.Element, l *capacity.Load) (v Loading, u capacity.Use, ok bool) {
	u, ok = el.Use(l)
	v = Loading{VA: component.Value(u.VA), W: component.Value(u.W), Amps: component.Value(u.Amps), Ratio: component.NoValue(), Most: component.NoValue(), Unit: u.By, May: u.May}
	if ok {
		v.Ratio, v.Most, v.Rated = component.Value(u.Least), component.Value(u.Most), u.May/el.Derate
	}
	if u.Leg != capacity.Any {
		v.Leg = u.Leg.String()
	}
	if u.By == capacity.BitsSecond {
		v.Amps = component.NoValue()
	}
	return v, u, ok
}

// Words say what an element carries: "27.9 A on L1 (109 % of the 25.6 A that may be used)".
func (v Loading) Words() string {
	if !v.Ratio.Known() {
		return "not known"
	}
	what := quantity(float64(v.Ratio)*v.May, v.Unit)
	if v.Leg != "" && v.Unit == capacity.Amperes {
		what += " on " + v.Leg
	}
	text := fmt.Sprintf("%s, %.0f %% of the %s that may be used", what, 100*float64(v.Ratio), quantity(v.May, v.Unit))
	if float64(v.Most) > float64(v.Ratio)*1.005 {
		text += fmt.Sprintf(" (%.0f %% if loads of unknown phase lie badly)", 100*float64(v.Most))
	}
	return text
}

// quantity is a number with its unit, for people.
func quantity(x float64, u capacity.Unit) string {
	switch {
	case u == capacity.Amperes:
		return fmt.Sprintf("%.1f A", x)
	case math.Abs(x) >= 1e9:
		return fmt.Sprintf("%.1f G%s", x/1e9, u)
	case math.Abs(x) >= 1e6:
		return fmt.Sprintf("%.1f M%s", x/1e6, u)
	case math.Abs(x) >= 1e4:
		return fmt.Sprintf("%.1f k%s", x/1e3, u)
	}
	return fmt.Sprintf("%.0f %s", x, u)
}

// Quantity is a number of VA, or of another unit, for people.
func Quantity(x float64, u capacity.Unit) string { return quantity(x, u) }

// sameCapacity compares what people are shown.
func sameCapacity(a, b *Loads) bool {
	return slices.Equal(a.NotGiven, b.NotGiven) && slices.EqualFunc(a.Elements, b.Elements, func(x, y Failover) bool {
		return x.ID == y.ID && x.Lost == y.Lost && x.Trips == y.Trips && near(x.Now.Ratio, y.Now.Ratio) && near(x.After.Ratio, y.After.Ratio)
	}) && slices.EqualFunc(a.Headroom, b.Headroom, func(x, y Headroom) bool {
		return x.By == y.By && x.Lost == y.Lost && near(component.Value(x.VA), component.Value(y.VA))
	})
}

func near(a, b component.Value) bool {
	return a == b || !a.Known() && !b.Known() || math.Abs(float64(a-b)) <= 0.005*math.Abs(float64(a))
}

// sweepLoad fails everything that carries load, one after the other.
func (e *Engine) sweepLoad() {
	l := &e.load
	l.report = Loads{Elements: []Failover{}, Headroom: []Headroom{}, NotGiven: []string{}}
	l.notGiven = l.notGiven[:0]
	for _, f := range []*flows{l.power, l.traffic} {
		if f != nil {
			e.sweepFlows(f)
		}
	}
	slices.SortFunc(l.report.Elements, func(a, b Failover) int { return compareIDs(a.ID, b.ID) })
	slices.SortFunc(l.report.Headroom, func(a, b Headroom) int {
		return cmp.Or(cmp.Compare(a.VA, b.VA), slices.Compare(a.On, b.On))
	})
	if l.power != nil {
		for _, m := range l.power.meters {
			l.notGiven = append(l.notGiven, m.notGiven...)
		}
	}
	slices.Sort(l.notGiven)
	const shown = 100
	for i, text := range slices.Compact(l.notGiven) {
		if i == shown {
			break
		}
		l.report.NotGiven = append(l.report.NotGiven, text)
	}
}

// worst is the failure that loads an element most.
type worst struct {
	use      capacity.Use
	load     capacity.Load
	lost     redundancy.Node // -1: none, as things are now
	trips    bool
	services []component.ID
}

func (e *Engine) sweepFlows(f *flows) {
	found := map[redundancy.Node]*worst{}
	for _, n := range f.rated {
		el := f.net.Element(n)
		l := f.flow.Load(n)
		u, ok := el.Use(&l)
		if !ok {
			e.cannotTell(f, n)
			continue
		}
		found[n] = &worst{use: u, load: l, lost: -1}
	}
	for n := range redundancy.Node(e.graph.Len()) {
		if !f.net.Element(n).In || !f.flow.Carries(n) || !e.best.Works(n) {
			continue
		}
		f.flow.Try([]redundancy.Node{n}, true, func(o *capacity.Outcome) { e.noteWorst(f, found, n, o) })
	}
	if f.flow.Cut() {
		e.load.notGiven = append(e.load.notGiven, "what lies thousands of components above a chassis: its load is not followed that far")
	}
	e.reportElements(f, found)
	e.reportHeadroom(f, found)
}

// noteWorst keeps what a failure makes of the elements that it loads most.
func (e *Engine) noteWorst(f *flows, found map[redundancy.Node]*worst, lost redundancy.Node, o *capacity.Outcome) {
	var services []component.ID
	looked := false
	tripped := map[redundancy.Node]bool{}
	for _, round := range o.Trips {
		for _, n := range round {
			tripped[n] = true
		}
	}
	for n, l := range o.Loads {
		w := found[n]
		if w == nil {
			continue
		}
		u, ok := f.net.Element(n).Use(&l)
		if !ok || !e.worseThan(n, &u, lost, w) {
			continue
		}
		*w = worst{use: u, load: l, lost: lost, trips: tripped[n]}
		if !tripped[n] {
			continue
		}
		if !looked {
			looked = true
			for i := range e.tops {
				if t := &e.tops[i]; t.service != nil && !e.best.Works(t.node) && len(services) < 16 && slices.Contains(o.Down, t.node) {
					services = append(services, t.service.ID)
				}
			}
			slices.Sort(services)
		}
		w.services = services
	}
}

// worseThan reports whether a failure loads n more than the worst one so far. Of those that load it equally the one is
// named that is of n's own kind, or else the one that is furthest from what hangs on it: the whole feed, and not its outlet.
func (e *Engine) worseThan(n redundancy.Node, u *capacity.Use, lost redundancy.Node, w *worst) bool {
	const alike = 1e-9
	if d := u.Raw - w.use.Raw; math.Abs(d) > alike {
		return d > 0
	}
	if d := u.RawMost - w.use.RawMost; math.Abs(d) > alike || w.lost < 0 {
		return d > alike
	}
	kind := e.graph.Kind(n)
	own, was := e.graph.Kind(lost) == kind, e.graph.ID(w.lost).Kind() == kind
	if own != was {
		return own
	}
	return e.load.rank[lost] < e.load.rank[w.lost]
}

// cannotTell notes why nothing is said of an element.
func (e *Engine) cannotTell(f *flows, n redundancy.Node) {
	el := f.net.Element(n)
	if el.Rating.Amps > 0 && el.Volts == 0 && f.flow.Carries(n) {
		e.load.notGiven = append(e.load.notGiven, fmt.Sprintf("%s: how full it is, for it is rated in A and no voltage is known", e.graph.ID(n)))
	}
}

func (e *Engine) reportElements(f *flows, found map[redundancy.Node]*worst) {
	for _, n := range f.rated {
		w := found[n]
		if w == nil {
			continue
		}
		id := e.graph.ID(n)
		now := f.flow.Load(n)
		if now.Total() == 0 && w.lost < 0 || (isSupply(id.Kind()) || id.Kind() == component.Outlet) && w.use.Most <= 1 {
			continue
		}
		el := f.net.Element(n)
		v := Failover{ID: id, Kind: id.Kind(), Trips: w.trips, Services: w.services}
		if v.Services == nil {
			v.Services = []component.ID{}
		}
		v.Now, _, _ = loading(el, &now)
		v.After, _, _ = loading(el, &w.load)
		if w.lost >= 0 {
			v.Lost = e.graph.ID(w.lost)
		}
		room := e.roomOf(el, w)
		v.HeadroomVA = &room
		e.load.report.Elements = append(e.load.report.Elements, v)
	}
	e.missingRatings(f)
}

// roomOf is how much more an element may carry after the failure that loads it most, spread evenly over its phases.
func (e *Engine) roomOf(el *capacity.Element, w *worst) float64 {
	u := &w.use
	room := u.May * (1 - u.Least)
	switch u.By {
	case capacity.Amperes:
		room *= el.Volts
		if el.Three && el.Leg == capacity.Any {
			room *= 3
		}
	case capacity.Watt:
		room /= assumedFactor
	}
	return room
}

// missingRatings notes what carries load and says nowhere how much it may.
func (e *Engine) missingRatings(f *flows) {
	by := map[component.Kind][]component.ID{}
	for n := range redundancy.Node(e.graph.Len()) {
		el := f.net.Element(n)
		id := e.graph.ID(n)
		if !el.In || el.Rated() || !f.flow.Carries(n) || el.Leg != capacity.Any {
			continue
		}
		switch id.Kind() {
		case component.Feed, component.UPS, component.Breaker, component.Panel, component.Generator, component.ATS, component.Inlet, component.Circuit, component.Port:
			if id.Kind() == component.Inlet && e.ratedBeside(f, n) {
				continue
			}
			by[id.Kind()] = append(by[id.Kind()], id)
		}
	}
	for k, ids := range by {
		slices.Sort(ids)
		e.load.notGiven = append(e.load.notGiven, fmt.Sprintf("%d %s: whether they carry too much after a failure, for they have no rating: %s", len(ids), k.Plural(), names(ids, 4)))
	}
	var dark []component.ID
	for i := range f.sources {
		if l := e.peak(string(f.sources[i].id)); l.VA == 0 && f.sources[i].declared.Total() == 0 && f == e.load.power {
			dark = append(dark, f.sources[i].id)
		}
	}
	if len(dark) > 0 {
		e.load.notGiven = append(e.load.notGiven, fmt.Sprintf("what %d of %d chassis draw is not known, so that they are left out: %s", len(dark), len(f.sources), names(dark, 4)))
	}
}

// ratedBeside reports whether what feeds the inlet directly is rated, so that the inlet's own rating is not missed.
func (e *Engine) ratedBeside(f *flows, n redundancy.Node) bool {
	return slices.ContainsFunc(e.up.of(n), func(m redundancy.Node) bool { return f.net.Element(m).Rated() })
}

// reportHeadroom finds how much more may be installed on each set of elements on which chassis hang.
func (e *Engine) reportHeadroom(f *flows, found map[redundancy.Node]*worst) {
	type limit struct {
		room float64
		by   redundancy.Node
	}
	above := map[redundancy.Node]limit{} // the least room on the way up from a node, itself included
	var least func(n redundancy.Node, deep int) limit
	least = func(n redundancy.Node, deep int) limit {
		if l, ok := above[n]; ok {
			return l
		}
		l := limit{room: math.Inf(1), by: -1}
		if w := found[n]; w != nil {
			l = limit{e.roomOf(f.net.Element(n), w), n}
		}
		if deep < 256 {
			for _, m := range e.elementsAbove(f, n) {
				if up := least(m, deep+1); up.room < l.room {
					l = up
				}
			}
		}
		above[n] = l
		return l
	}
	by := map[string]*Headroom{}
	mains := mainIDs{}
	first := map[redundancy.Node]redundancy.Node{} // of each tap: the nearest rated element
	nearest := func(at redundancy.Node) redundancy.Node {
		begin := at
		if n, ok := first[begin]; ok {
			return n
		}
		defer func() { first[begin] = at }()
		for deep := 0; deep < 256; deep++ {
			if k := e.graph.Kind(at); found[at] != nil && !isSupply(k) && k != component.Outlet {
				break
			}
			up := e.elementsAbove(f, at)
			if len(up) == 0 {
				break
			}
			at = up[0]
		}
		return at
	}
	for i := range f.sources {
		var on []component.ID
		room := limit{room: math.Inf(1), by: -1}
		for _, t := range f.sources[i].taps {
			at := nearest(t)
			if found[at] == nil || isSupply(e.graph.Kind(at)) {
				continue
			}
			id := e.graph.ID(at)
			if k := id.Kind(); (k == component.Inlet || k == component.Bank) && id.Device() != e.model.Site {
				if k == component.Inlet {
					id = mains.of(e, id)
				}
			}
			if !slices.Contains(on, id) {
				on = append(on, id)
			}
			if l := least(at, 0); l.room < room.room {
				room = l
			}
		}
		if len(on) == 0 || room.by < 0 {
			continue
		}
		slices.Sort(on)
		var key strings.Builder
		for _, id := range on {
			key.WriteString(string(id) + "\n")
		}
		h := by[key.String()]
		if h == nil {
			h = &Headroom{On: on, VA: room.room, By: e.graph.ID(room.by)}
			if w := found[room.by]; w.lost >= 0 {
				h.Lost = e.graph.ID(w.lost)
			}
			by[key.String()] = h
		}
		h.Sources++
	}
	for _, h := range by {
		e.load.report.Headroom = append(e.load.report.Headroom, *h)
	}
}

// mainIDs remembers the main components of devices.
type mainIDs map[string]component.ID

func (m mainIDs) of(e *Engine, part component.ID) component.ID {
	id, ok := m[part.Device()]
	if !ok {
		id = part
		if main, known := e.mainNode(part.Device()); known {
			id = e.graph.ID(main)
		}
		m[part.Device()] = id
	}
	return id
}

// elementsAbove are what the load of an element goes on to, through groups.
func (e *Engine) elementsAbove(f *flows, n redundancy.Node) []redundancy.Node {
	var found []redundancy.Node
	seen := map[redundancy.Node]bool{}
	stack := slices.Clone(e.needs.of(n))
	for len(stack) > 0 {
		m := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		switch {
		case seen[m]:
		case f.net.Element(m).In:
			found = append(found, m)
		case e.graph.Structure.IsGate(m):
			stack = append(stack, e.needs.of(m)...)
		}
		seen[m] = true
	}
	return found
}

// loadFindings are the findings on what would carry too much after a single failure, or does so now.
func (e *Engine) loadFindings() {
	l := &e.load
	l.findings = l.findings[:0]
	by := map[string]finding.Key{} // by device: the first finding on it
	for i := range l.report.Elements {
		v := &l.report.Elements[i]
		if !v.After.Ratio.Known() || float64(v.After.Ratio) <= 1 {
			continue
		}
		if e.toldByGroup(v) {
			continue
		}
		s := e.overload(v)
		device := v.ID.Device()
		if first, again := by[device]; again && device != e.model.Site {
			s.f.Under = first
		} else {
			by[device] = s.f.Key
		}
		l.findings = append(l.findings, s)
	}
}

// toldByGroup reports whether a supply is of a group that is said to need more of its members than it seems: that tells
// that one cannot carry the chassis alone.
func (e *Engine) toldByGroup(v *Failover) bool {
	n, ok := e.graph.Node(v.ID)
	if !ok || !isSupply(v.Kind) {
		return false
	}
	return slices.ContainsFunc(e.users.of(n), func(m redundancy.Node) bool {
		i := e.topOf[m]
		return i >= 0 && e.tops[i].form != nil && e.tops[i].form.raised > 0
	})
}

func (e *Engine) overload(v *Failover) stand {
	f := finding.Finding{Key: finding.KeyOf(finding.FailoverOverload, v.ID), Rule: finding.FailoverOverload, Subject: v.ID}
	switch {
	case v.Lost == "":
		f.Summary = fmt.Sprintf("%s carries too much now: %s", v.ID, v.After.Words())
		f.Causes = []finding.Cause{{ID: v.ID, Why: "the highest load of late is more than may be used"}}
	case v.Trips:
		f.Summary = fmt.Sprintf("without %s, %s would carry more than its rating and trip: %s", v.Lost, v.ID, v.After.Words())
		f.Causes = []finding.Cause{{ID: v.ID, Why: "cannot carry what would move to it"}, {ID: v.Lost, Why: "its load would move"}}
	default:
		f.Summary = fmt.Sprintf("without %s, %s would carry too much: %s", v.Lost, v.ID, v.After.Words())
		f.Causes = []finding.Cause{{ID: v.ID, Why: "cannot carry for long what would move to it"}, {ID: v.Lost, Why: "its load would move"}}
	}
	f.Evidence = append(f.Evidence, "now: "+v.Now.Words())
	if v.After.Rated > 0 {
		f.Evidence = append(f.Evidence, fmt.Sprintf("rated %s, of which %.0f %% may be used", quantity(v.After.Rated, v.After.Unit), 100*v.After.May/v.After.Rated))
	}
	if len(v.Services) > 0 {
		f.Evidence = append(f.Evidence, "would go down with it: "+names(v.Services, 8))
	}
	unit := capacity.VoltAmpere
	if v.After.Unit == capacity.BitsSecond {
		unit = capacity.BitsSecond
	}
	f.Remedy = fmt.Sprintf("Move at least %s off what %s and its partner share, balance its phases, or raise what it can carry.", quantity(-*v.HeadroomVA, unit), name(v.ID))
	if isSupply(v.Kind) {
		f.Remedy = fmt.Sprintf("Lower the load of %s, cap its power, or fit stronger supplies.", v.ID.Device())
	}
	return stand{f: f}
}

// overloadedBy moves the load away from nodes that fail, notes what would carry too much, and returns what trips.
func (e *Engine) overloadedBy(nodes []redundancy.Node, sim *Simulation) (trips []redundancy.Node) {
	sim.Overloaded, sim.Trips, sim.NotGiven = []Overload{}, [][]component.ID{}, []string{}
	l := e.currentLoad()
	sim.NotGiven = append(sim.NotGiven, l.report.NotGiven...)
	for _, f := range []*flows{l.power, l.traffic} {
		if f == nil || f.flow == nil {
			continue
		}
		o := f.flow.Try(nodes, true, nil)
		tripped := map[redundancy.Node]bool{}
		for _, round := range o.Trips {
			sim.Trips = append(sim.Trips, idsOf(e, round))
			slices.SortFunc(sim.Trips[len(sim.Trips)-1], compareIDs)
			for _, n := range round {
				tripped[n] = true
				trips = append(trips, n)
			}
		}
		for n, after := range o.Loads {
			el := f.net.Element(n)
			before := f.flow.Load(n)
			v := Overload{ID: e.graph.ID(n), Trips: tripped[n], MayTrip: slices.Contains(o.MayTrip, n)}
			v.Before, _, _ = loading(el, &before)
			v.After, _, _ = loading(el, &after)
			if v.Trips || v.MayTrip || float64(v.After.Ratio) > 1 {
				sim.Overloaded = append(sim.Overloaded, v)
			}
		}
	}
	slices.SortFunc(sim.Overloaded, compareOverloads)
	return trips
}

// compareOverloads puts those that trip first, then the fullest.
func compareOverloads(a, b Overload) int {
	return cmp.Or(compareBool(b.Trips, a.Trips), cmp.Compare(b.After.Ratio, a.After.Ratio), compareIDs(a.ID, b.ID))
}
