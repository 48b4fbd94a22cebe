package engine

import (
	"math"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/capacity"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// powerSources are what draws power.
func (e *Engine) powerSources(elements []capacity.Element) []source {
	var list []source
	supplied := map[string]bool{} // devices with supplies
	grouped := map[redundancy.Node]bool{}
	add := func(id component.ID, taps []redundancy.Node) {
		if len(taps) > 0 {
			list = append(list, source{id: id, taps: taps, host: -1})
		}
	}
	for i := range e.tops {
		f := e.tops[i].form
		if f == nil || !isSupply(f.kind) {
			continue
		}
		var taps []redundancy.Node
		for _, id := range f.members {
			if n, ok := e.graph.Node(id); ok && elements[n].In && !grouped[n] && !e.isController(n) {
				grouped[n] = true
				taps = append(taps, n)
				supplied[id.Device()] = true
			}
		}
		add(f.id, taps)
	}
	for n := range redundancy.Node(e.graph.Len()) {
		if id := e.graph.ID(n); isSupply(id.Kind()) && elements[n].In && !grouped[n] && !e.isController(n) && (e.hasCord(n) || e.part(n) != nil && e.part(n).Condition != component.Absent) {
			supplied[id.Device()] = true
			add(id, []redundancy.Node{n})
		}
	}
	for n := range redundancy.Node(e.graph.Len()) {
		id := e.graph.ID(n)
		if id == "" || e.topOf[n] >= 0 || elements[n].In || e.graph.Structure.IsGate(n) || supplied[id.Device()] {
			continue
		}
		var taps []redundancy.Node
		for _, m := range e.needs.of(n) {
			if elements[m].In && !slices.Contains(taps, m) {
				taps = append(taps, m)
			}
		}
		add(id, taps)
	}
	at := map[string]int{} // first source by device
	own := make(map[component.ID]int, len(list))
	for i := range list {
		id := list[i].id
		own[id] = i
		if _, again := at[id.Device()]; !again && id.Device() != e.model.Site {
			at[id.Device()] = i
			if main, ok := e.mainNode(id.Device()); ok {
				list[i].host = main
			}
		}
	}
	for id, d := range e.load.facts {
		if d.Draws == nil {
			continue
		}
		n, _ := e.graph.Node(id)
		drawn := declaredLoad(d.Draws, e.pinOf(n))
		i, ok := own[id]
		if j, first := at[id.Device()]; first && !ok && isMain(id) && !elements[n].In {
			i, ok = j, true
		}
		switch {
		case ok:
			list[i].declared = drawn
		case elements[n].In: // something on it that the model doesn't name
			list = append(list, source{id: id, taps: []redundancy.Node{n}, declared: drawn, host: -1})
		}
	}
	slices.SortStableFunc(list, func(a, b source) int { return compareIDs(a.id, b.id) })
	return list
}

// declaredLoad is what is said to be drawn.
func declaredLoad(r *component.Rating, pin capacity.Slot) capacity.Load {
	va := r.VA
	if va == 0 && r.Amps > 0 && r.Volts > 0 {
		va = r.Amps * r.Volts
		if r.Phases == 3 {
			va = 3 * r.Amps * capacity.LineToNeutral(r.Volts)
		}
	}
	if va == 0 {
		va = r.Watts / assumedFactor
	}
	if r.Phases == 3 {
		pin = capacity.Even
	}
	watts := r.Watts
	if watts == 0 {
		watts = va * assumedFactor
	}
	return capacity.Of(pin, va, watts)
}

// supplyDraw is what a supply takes in, as it says.
func (e *Engine) supplyDraw(n redundancy.Node) capacity.Draw {
	none := capacity.Draw{VA: math.NaN(), W: math.NaN()}
	p := e.part(n)
	if p == nil || p.Silent || p.Kept {
		return none
	}
	value := func(name string) (float64, bool) {
		v := p.Reading(name)
		return float64(v), v.Known() && float64(v) >= 0
	}
	bound := math.Inf(1) // some give the rated input as input power
	if w := e.ratingOf(n).Watts; w > 0 {
		bound = w * implausible / assumedEfficiency
	}
	va, hasVA := value("apparent_power")
	if !hasVA {
		a, knowsA := value("input_current")
		v, knowsV := value("input_voltage")
		va, hasVA = a*v, knowsA && knowsV && v > 40
	}
	w, hasW := value("input_power")
	out, hasOut := value("output_power")
	if !hasW {
		w, hasW = value("power")
	}
	if hasW && w > bound {
		hasW = false
	}
	if !hasW && hasOut {
		w, hasW = out/assumedEfficiency, true
	}
	switch {
	case hasW && (!hasVA || va < w || va > bound/assumedFactor):
		va = w / assumedFactor
	case hasVA && !hasW && va <= bound/assumedFactor:
		w = va
	case !hasW:
		if p.Standby {
			return capacity.Draw{Told: true}
		}
		return none
	}
	return capacity.Draw{VA: va, W: w, Told: true}
}

// meterOf is what a part says passes through it.
func (e *Engine) meterOf(n redundancy.Node, el *capacity.Element) (capacity.Load, bool) {
	p := e.part(n)
	if p == nil || p.Silent || p.Kept {
		return capacity.Load{}, false
	}
	out := ""
	if p.Kind == component.UPS || p.Kind == component.ATS {
		out = "output_"
	}
	type values struct{ va, w, a, v, pf float64 }
	by := map[capacity.Slot]*values{}
	for _, r := range p.Readings {
		if !r.Value.Known() || float64(r.Value) < 0 && r.Name != "power_factor" {
			continue
		}
		slot := capacity.Any
		if r.Phase != "" {
			s, ok := capacity.ParseSlot(r.Phase)
			if !ok || s == capacity.Even {
				continue
			}
			slot = s
		}
		x := by[slot]
		if x == nil {
			x = &values{va: -1, w: -1, a: -1}
			by[slot] = x
		}
		v := float64(r.Value)
		switch strings.TrimPrefix(r.Name, out) {
		case "apparent_power":
			x.va = v
		case "power":
			x.w = v
		case "current":
			x.a = v
		case "voltage":
			x.v = v
		case "power_factor":
			x.pf = math.Abs(v)
		}
	}
	volts := el.Volts
	read := func(s capacity.Slot, x *values) (va, w float64, ok bool) {
		v := volts
		if x.v > 40 && (s != capacity.Any || !el.Three) {
			v = x.v
		} else if s >= capacity.L12 {
			v *= math.Sqrt(3)
		}
		switch {
		case x.va >= 0:
			va = x.va
		case x.a >= 0 && v > 0 && (s != capacity.Any || !el.Three):
			va = x.a * v
		case x.w >= 0 && x.pf > 0.1 && x.pf <= 1:
			va = x.w / x.pf
		case x.w >= 0:
			va = x.w / assumedFactor
		default:
			return 0, 0, false
		}
		w = x.w
		if w < 0 || w > va {
			w = va
		}
		return max(va, 0), w, true
	}
	var sum capacity.Load
	some := false
	for s := capacity.L1; s < capacity.Slots; s++ {
		if x := by[s]; x != nil {
			if va, w, ok := read(s, x); ok {
				sum.VA[s] += va
				sum.W += w
				some = true
			}
		}
	}
	if some && (by[capacity.Any] == nil || el.Three) {
		return sum, true
	}
	if x := by[capacity.Any]; x != nil {
		if va, w, ok := read(capacity.Any, x); ok {
			return capacity.Of(capacity.Any, va, w), true
		}
	}
	return sum, some
}

// sourceLoad is the highest load of a source within the window, and settles how its taps share it.
func (e *Engine) sourceLoad(s *source, taps []capacity.Tap, draws []capacity.Draw, traffic bool) capacity.Load {
	sum, watts, known, unknown, working := 0.0, 0.0, 0, 0, 0
	for j, d := range draws {
		if e.best.Works(s.taps[j]) {
			working++
		}
		if math.IsNaN(d.VA) {
			unknown++
			continue
		}
		if e.best.Works(s.taps[j]) {
			known++
		}
		sum += d.VA
		watts += d.W
	}
	switch {
	case known > 0 && unknown > 0: // those that say nothing are taken to do as the others
		sum *= float64(known+unknown) / float64(known)
		watts *= float64(known+unknown) / float64(known)
	case known == 0 && s.host >= 0 && working > 0 && !traffic:
		if w := e.hostPower(s.host); w > 0 {
			sum, watts, known = w/assumedFactor, w, 1
			unknown = len(draws)
		}
	}
	if unknown == 0 && working == len(taps) && sum > 0 {
		e.shareOut(s, draws, sum)
	}
	for j, n := range s.taps {
		if share, ok := e.load.shares[e.graph.ID(n)]; ok {
			taps[j].Share = share
		}
	}
	key := string(s.id)
	if traffic {
		key += " bit/s"
	}
	switch {
	case known > 0 && traffic:
		e.noteTraffic(key, s)
	case known > 0 && sum > 0:
		e.note(key, sum, watts)
	}
	if top := e.peak(key); top.VA > 0 {
		return capacity.Of(capacity.Any, top.VA, top.W)
	}
	return s.declared
}

// alikeShare is by how much a share has to change to be another one.
const alikeShare = 0.02

// shareOut remembers how the taps of a source share its load, all of them working.
func (e *Engine) shareOut(s *source, draws []capacity.Draw, sum float64) {
	other := false
	for j, n := range s.taps {
		was, ok := e.load.shares[e.graph.ID(n)]
		is := draws[j].VA / sum
		other = other || !ok || math.Abs(was-is) > alikeShare || (was == 0) != (is == 0)
	}
	if !other {
		return
	}
	for j, n := range s.taps {
		e.load.shares[e.graph.ID(n)] = draws[j].VA / sum
	}
}

// hostPower is the power in W that a device tells as a whole; 0 where it doesn't.
func (e *Engine) hostPower(n redundancy.Node) float64 {
	p := e.part(n)
	if p == nil || p.Silent || p.Kept {
		return 0
	}
	for _, name := range []string{"input_power", "power", "power_consumed"} {
		if v := p.Reading(name); v.Known() && float64(v) > 0 {
			return float64(v)
		}
	}
	return 0
}
