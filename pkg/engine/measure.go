package engine

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/capacity"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// sourceTap is one tap of a source, by numbers.
type sourceTap struct{ source, tap int }

// meters are what one device measures between the supplies and the street.
type meters struct {
	list     []capacity.Meter
	notGiven []string
}

// measurePower reads the meters of the devices that said something, and follows the load where that, or what works, makes
// it another one.
func (e *Engine) measurePower(f *flows) {
	anew := f.est == nil || e.load.moved || !e.partOfWindow().Equal(f.part) // older peaks no longer count
	touched := e.load.touched
	if f.est == nil {
		f.meters = map[string]meters{}
		touched = nil
		for name := range e.devices {
			anew = e.readMeters(f, name) || anew
		}
	}
	for name := range touched {
		anew = e.readMeters(f, name) || anew
	}
	var changed []int32
	if anew {
		e.newEstimator(f)
		changed = f.est.Settle()
	} else {
		for name := range touched {
			e.tellEstimator(f, name)
		}
		changed = f.est.Settle()
		for name := range touched {
			changed = append(changed, f.hostsAt[name]...)
		}
	}
	list := slices.Clone(f.given)
	if anew || len(list) < len(f.sources) {
		list = make([]capacity.Source, len(f.sources))
	}
	for _, i := range changed {
		list[i] = e.sourceNow(&f.sources[i], f.est.Draws(int(i)), false)
	}
	list = append(list[:len(f.sources):len(f.sources)], e.restLoads(f)...)
	e.follow(f, list, anew)
}

// measureTraffic reads what ports tell of traffic, and follows it.
func (e *Engine) measureTraffic(f *flows) {
	list := make([]capacity.Source, len(f.sources))
	for i := range f.sources {
		list[i] = e.sourceNow(&f.sources[i], e.trafficDraws(&f.sources[i]), true)
	}
	e.follow(f, list, e.load.moved)
}

// follow follows the load, unless it is where it was. anew: its ways may be others.
func (e *Engine) follow(f *flows, list []capacity.Source, anew bool) {
	if f.flow != nil && !anew && slices.EqualFunc(f.given, list, sameSource) {
		return
	}
	f.flow, f.given, e.load.swept = f.net.Flow(e.best.Live, list), list, false
}

func sameSource(a, b capacity.Source) bool { return a.Load == b.Load && slices.Equal(a.Taps, b.Taps) }

// sourceNow is what a source draws, and how its taps share it.
func (e *Engine) sourceNow(s *source, draws []capacity.Draw, traffic bool) capacity.Source {
	now := capacity.Source{Taps: make([]capacity.Tap, len(s.taps))}
	for j, n := range s.taps {
		now.Taps[j] = capacity.Tap{Node: n, Share: -1}
	}
	now.Load = e.sourceLoad(s, now.Taps, draws, traffic)
	return now
}

// newEstimator follows all taps and meters as things stand, and says all that is measured.
func (e *Engine) newEstimator(f *flows) {
	taps := make([]capacity.Source, len(f.sources))
	f.sourcesAt, f.hostsAt = map[string][]sourceTap{}, map[string][]int32{}
	for i := range f.sources {
		s := &f.sources[i]
		for j, n := range s.taps {
			taps[i].Taps = append(taps[i].Taps, capacity.Tap{Node: n})
			if isSupply(e.graph.Kind(n)) {
				name := e.graph.ID(n).Device()
				f.sourcesAt[name] = append(f.sourcesAt[name], sourceTap{i, j})
			}
		}
		if s.host >= 0 {
			name := e.graph.ID(s.host).Device()
			f.hostsAt[name] = append(f.hostsAt[name], int32(i))
		}
	}
	var metered []redundancy.Node
	for _, m := range f.meters {
		for i := range m.list {
			if n := m.list[i].Node; e.best.Works(n) {
				metered = append(metered, n)
			}
		}
	}
	slices.Sort(metered)
	f.est, f.part = f.net.NewEstimator(e.best.Works, taps, slices.Compact(metered)), e.partOfWindow()
	for name := range e.devices {
		e.tellEstimator(f, name)
	}
}

// tellEstimator says what a device measures.
func (e *Engine) tellEstimator(f *flows, name string) {
	for _, at := range f.sourcesAt[name] {
		f.est.Tap(at.source, at.tap, e.supplyDraw(f.sources[at.source].taps[at.tap]))
	}
	for _, m := range f.meters[name].list {
		if f.est.Metered(m.Node) {
			f.est.Meter(m.Node, m.Load)
		}
	}
}

// readMeters reads what a device measures. It reports whether other nodes are metered than before, or show that load is
// shared otherwise.
func (e *Engine) readMeters(f *flows, name string) (other bool) {
	was := f.meters[name]
	now, other := e.metersOf(f, name)
	if len(now.list) == 0 && len(now.notGiven) == 0 {
		delete(f.meters, name)
	} else {
		f.meters[name] = now
	}
	return other || !slices.EqualFunc(was.list, now.list, func(a, b capacity.Meter) bool { return a.Node == b.Node })
}

// metersOf are one device's meters. It brings the weights by which load is shared up to date, and reports whether one of
// them is another now.
func (e *Engine) metersOf(f *flows, name string) (of meters, weighed bool) {
	d := e.devices[name]
	if d == nil || d.view == nil {
		return meters{}, false
	}
	found := map[redundancy.Node]capacity.Load{}
	legs := map[redundancy.Node]capacity.Load{} // by the unit whose conductors they are
	inlets := 0
	for _, n := range d.nodes {
		el := f.net.Element(n)
		if !el.In || isSupply(e.graph.Kind(n)) {
			continue
		}
		if e.graph.Kind(n) == component.Inlet {
			inlets++
		}
		l, ok := e.meterOf(n, el)
		weight := -1.0
		switch {
		case !ok:
		case el.Leg != capacity.Any:
			weight = el.Weight
			sum := legs[el.LegOf]
			slot := el.Leg
			if !f.net.Element(el.LegOf).Three {
				slot = capacity.Any
			}
			if va := l.Total(); va > sum.VA[slot] { // some list a conductor twice
				sum.W += l.W * (va - sum.VA[slot]) / va
				sum.VA[slot] = va
			}
			legs[el.LegOf] = sum
		default:
			weight = l.Total()
			found[n] = l
		}
		if was := el.Weight; math.Abs(was-weight) > alikeShare*max(was, weight, 0) {
			el.Weight = weight
			weighed = weighed || f.net.Shares(n)
		}
	}
	for whole, l := range legs {
		if all, ok := found[whole]; !ok || all.VA[capacity.Any] > 0 && f.net.Element(whole).Three {
			found[whole] = l
		}
	}
	for _, n := range slices.Sorted(maps.Keys(found)) {
		id, l := e.graph.ID(n), found[n]
		switch id.Kind() {
		case component.PDU:
			if inlets == 0 {
				break
			}
			delete(found, n)
			if inlets > 1 {
				break
			}
			for _, m := range e.up.of(n) {
				if _, metered := found[m]; !metered && e.graph.Kind(m) == component.Inlet && e.graph.ID(m).Device() == name {
					found[m] = l
				}
			}
		case component.Bank, component.Breaker:
			if name != e.model.Site && len(e.down.of(n)) == 0 {
				delete(found, n)
				of.notGiven = append(of.notGiven, fmt.Sprintf("%s: its load after a failure, for %s does not say which outlets hang on it", id, name))
			}
		}
	}
	for _, n := range slices.Sorted(maps.Keys(found)) {
		of.list = append(of.list, capacity.Meter{Node: n, Load: found[n]})
	}
	return of, weighed
}

func restKey(id component.ID, s capacity.Slot) string { return string(id) + restMark + s.String() }

// restMark is in the keys of peaks of load that no source accounts for, behind the id.
const restMark = " rest "

// restLoads are the highest loads that no source accounts for.
func (e *Engine) restLoads(f *flows) []capacity.Source {
	for _, now := range f.est.Rest() {
		id := e.graph.ID(now.Taps[0].Node)
		total := now.Load.Total()
		for s := capacity.Any; s < capacity.Slots; s++ {
			if va := now.Load.VA[s]; va > 0 {
				e.note(restKey(id, s), va, now.Load.W*va/total)
				e.load.restOn[id] = true
			}
		}
	}
	var nodes []redundancy.Node
	for id := range e.load.restOn {
		if n, known := e.graph.Node(id); known && f.net.Element(n).In {
			nodes = append(nodes, n)
		}
	}
	slices.Sort(nodes)
	var list []capacity.Source
	for _, n := range slices.Compact(nodes) {
		var sum capacity.Load
		for s := capacity.Any; s < capacity.Slots; s++ {
			top := e.peak(restKey(e.graph.ID(n), s))
			sum.VA[s] += top.VA
			sum.W += top.W
		}
		if sum.Total() > 0 {
			list = append(list, capacity.Source{Taps: []capacity.Tap{{Node: n, Share: 1}}, Load: sum})
		}
	}
	return list
}

// partOfWindow is when the part of the window that is not over began.
func (e *Engine) partOfWindow() time.Time { return e.now.Truncate(e.bucket()) }
