package redfish

import (
	"fmt"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// thermal reads the fans of every chassis in both forms, their groups, and the temperatures that say something of
// redundancy: those of the air that comes in.
func (b *builder) thermal() {
	for _, c := range b.chassis {
		link, sub := b.t.partOf(c, "Thermal"), b.t.partOf(c, "ThermalSubsystem")
		own := b.olderFans(c, link)
		b.newerFans(c, sub, own)
		b.fanClaims(c, link, sub)
		b.intake(c, link)
	}
}

func (b *builder) olderFans(c *chassis, link string) []*part {
	var own []*part
	for i, body := range b.t.at(link).get("Fans").items() {
		at := body.link()
		position, in := source(normal(link)+"#/Fans/"+itoa(i)), link
		if at == "" {
			at = position
		} else if len(body.names()) <= 1 && b.readable(normal(at)) {
			body, in = b.t.at(at), at
		}
		if p := b.byPath[source(at)]; p != nil { // another chassis has shown it
			b.cite(p, at, body)
			continue
		}
		if p := b.sameFan(c, body); p != nil {
			b.cite(p, at, body)
			b.byPath[position] = p
			continue
		}
		p := b.newPart(component.Fan, at, body)
		if b.byPath[position] == nil {
			b.byPath[position] = p
		}
		p.named(c.path, b.prefix(c.path), b.label(body), body.first("FanName", "Name").str(), memberSlot(body), body.get("MemberId").str())
		p.Status, p.Why = judge(status(body.get("Status")))
		for _, o := range body.get("Oem").each() {
			if is, known := o.get("HotPluggable").boolean(); known && p.HotSwap == nil {
				p.HotSwap = &is
			}
		}
		readFan(p, body)
		b.freshen(p, in)
		own = append(own, p)
	}
	return own
}

// sameFan finds the fan of that name that the same chassis has shown under another name.
func (b *builder) sameFan(c *chassis, body value) *part {
	if c.same == c.path {
		return nil
	}
	for _, p := range b.parts {
		if p.Kind == component.Fan && p.scope == c.same && p.Name != "" && p.Name == body.first("Name", "FanName").str() {
			return p
		}
	}
	return nil
}

// readFan notes a fan's speed. Reading and ReadingUnits are the older form; before 2016 it was CurrentReading.
func readFan(p *part, body value) {
	if p.Condition == component.Absent {
		return
	}
	speed := num(body.first("Reading", "CurrentReading")).sane(200_000)
	if strings.EqualFold(body.first("ReadingUnits", "Units").str(), "Percent") {
		p.read("fan_speed", "%", "", speed.v, speed.ok && speed.v <= 255)
	} else {
		p.read("fan_speed", "rpm", "", speed.v, speed.ok)
	}
}

func (b *builder) newerFans(c *chassis, sub string, older []*part) {
	members := b.alsoGrouped(b.t.at(sub).get("Fans").link(), b.t.at(sub).get("FanRedundancy"))
	paired := map[*part]bool{}
	disagree := len(older) > 0 && len(members) > 0 && len(older) != len(members)
	for _, at := range members {
		body := b.t.at(at)
		st, why := judge(status(body.get("Status")))
		p := pairFan(older, paired, body, b.label(body), at)
		if p == nil {
			p = b.newPart(component.Fan, at, body)
			p.named(c.path, b.prefix(c.path), b.label(body), body.get("Name").str(), lastSegment(at))
			p.Status, p.Why = st, why
		} else {
			paired[p] = true
			disagree = disagree || p.Condition != st.Condition
			b.cite(p, at, body)
			if b.unread(at) == "" {
				p.Status, p.Why = worse(p.Status, st), join(p.Why, why)
			}
			if len(older) == len(members) {
				p.named(c.path, b.prefix(c.path), b.label(body), p.Name, body.get("Name").str(), lastSegment(at))
			}
		}
		if p.Condition != component.Absent {
			speed := body.get("SpeedPercent")
			rpm := num(speed.get("SpeedRPM")).sane(200_000)
			p.read("fan_speed", "rpm", "", rpm.v, rpm.ok && !paired[p])
			percent := num(speed.get("Reading")).sane(255)
			p.read("fan_speed", "%", "", percent.v, percent.ok && !paired[p] && !rpm.ok)
		}
		if !paired[p] {
			b.freshen(p, at)
		}
	}
	if disagree {
		b.differ[c.path] = true
	}
}

// pairFan finds the fan of the older form that the newer one speaks of: by name, or by the printed number where both
// forms have one and it fits only one.
func pairFan(older []*part, paired map[*part]bool, body value, label, at string) *part {
	for _, text := range []string{label, body.get("Name").str(), lastSegment(at)} {
		for _, p := range older {
			if !paired[p] && text != "" && strings.EqualFold(p.Name, text) {
				return p
			}
		}
	}
	for _, text := range []string{label, body.get("Name").str(), lastSegment(at)} {
		n := printed(text)
		if n == "" {
			continue
		}
		var hit *part
		for _, p := range older {
			if !paired[p] && printed(p.Name) == n {
				if hit != nil {
					return nil
				}
				hit = p
			}
		}
		if hit != nil {
			return hit
		}
	}
	return nil
}

func (b *builder) fanClaims(c *chassis, link, sub string) {
	byName := func(_ int, g value, _ int) []*part { return b.groupByName(component.Fan, c.path, g.get("Name").str()) }
	older := b.redundancies(component.Fan, "Thermal", normal(link), b.t.at(link).get("Redundancy"), byName)
	newer := b.redundancies(component.Fan, "ThermalSubsystem", normal(sub), b.t.at(sub).get("FanRedundancy"), func(i int, g value, of int) []*part {
		if of == len(older) {
			return older[i].members
		}
		return nil
	})
	b.take(c, older, link)
	b.take(c, newer, sub)
}

// intake notes the temperature of the air that comes in, on the component that the chassis belongs to.
func (b *builder) intake(c *chassis, link string) {
	p := b.holder(c.path)
	if p == nil && c.path == b.mainPath {
		p = b.main
	}
	if p == nil || b.unread(link) != "" {
		return
	}
	for _, t := range b.t.at(link).get("Temperatures").items() {
		if isIntake(t) {
			v := num(t.get("ReadingCelsius")).sane(100)
			p.read("intake_temperature", "Cel", "", v.v, v.ok && v.v > 0)
		}
	}
}

// cooling reads cooling units and loops, their pumps, and leak detection.
func (b *builder) cooling() {
	equipment := b.t.at(b.t.at(rootPath).get("ThermalEquipment").link())
	for _, name := range []string{"CDUs", "HeatExchangers", "ImmersionUnits", "CoolingLoops"} {
		for _, at := range b.t.members(equipment.get(name).link()) {
			b.coolingUnit(name, at)
		}
	}
	for _, c := range b.chassis {
		for _, from := range []value{c.body, b.t.at(b.t.partOf(c, "ThermalSubsystem"))} {
			b.leaks(c.path, from.get("LeakDetection").link())
		}
		for _, at := range b.t.members(b.t.at(b.t.partOf(c, "ThermalSubsystem")).get("Pumps").link()) {
			p := b.pump(c.path, b.prefix(c.path), at)
			if h := b.holder(c.path); h != nil && p != nil {
				p.set("chassis", lastSegment(c.path))
			}
		}
	}
}

func (b *builder) coolingUnit(name, at string) {
	body := b.t.at(at)
	unit := b.newPart(component.Cooling, at, body)
	unit.named("/"+name, "", lastSegment(at))
	unit.set("type", body.first("EquipmentType", "CoolingLoopType").str())
	unit.Status, unit.Why = judge(status(body.get("Status")))
	b.freshen(unit, at)
	if b.main == nil {
		b.main = unit
	}
	prefix := safe(lastSegment(at)) + "/"
	for _, m := range b.t.members(body.get("Pumps").link()) {
		b.pump(at, prefix, m)
	}
	for _, m := range b.t.members(body.get("Fans").link()) {
		fan := b.t.at(m)
		p := b.newPart(component.Fan, m, fan)
		p.named(at, prefix, b.label(fan), fan.get("Name").str(), lastSegment(m))
		p.Status, p.Why = judge(status(fan.get("Status")))
		b.freshen(p, m)
	}
	b.leaks(at, body.get("LeakDetection").link())
	for _, m := range b.t.members(body.get("Reservoirs").link()) {
		b.reservoir(at, prefix, m)
	}
	b.unitSupplies(at, prefix, unit, body)
	for _, group := range []struct {
		field string
		kind  component.Kind
	}{{"PumpRedundancy", component.Cooling}, {"FanRedundancy", component.Fan}} {
		for _, c := range b.redundancies(group.kind, "CoolingUnit", at+"#/"+group.field, body.get(group.field), b.nothing) {
			c.carries, c.prefix = unit, prefix
			c.local = string(group.kind) + "-" + safe(lastSegment(at))
			if why := b.unread(at); why != "" {
				c.state, c.why = snapshot.ClaimNone, why
			}
			b.claims = append(b.claims, c)
		}
	}
}

// unitSupplies reads the supplies that a cooling unit has itself, and their groups.
func (b *builder) unitSupplies(at, prefix string, unit *part, body value) {
	var own []*supply
	for _, v := range b.suppliesOf(b.t.members(body.get("PowerSupplies").link()), "PowerSubsystem") {
		if b.byPath[v.link] == nil {
			s := &supply{chassis: at, views: []view{v}}
			b.addSupply(s)
			s.part.named(at, prefix, s.part.Attributes[component.Location], v.body.get("Name").str(), lastSegment(v.link))
			own = append(own, s)
		}
	}
	b.judgeSupplies(own)
	for _, c := range b.redundancies(component.PSU, "CoolingUnit", at+"#/PowerSupplyRedundancy", body.get("PowerSupplyRedundancy"), b.nothing) {
		c.carries, c.prefix, c.local = unit, prefix, "psu-"+safe(lastSegment(at))
		if why := b.unread(at); why != "" {
			c.state, c.why = snapshot.ClaimNone, why
		}
		b.claims = append(b.claims, c)
	}
}

// reservoir reads a store of coolant: what is in it is not enough where FluidLevelStatus says so (Reservoir.v1_0).
func (b *builder) reservoir(scope, prefix, at string) {
	body := b.t.at(at)
	p := b.newPart(component.Cooling, at, body)
	p.named(scope, prefix+"reservoir-", b.label(body), body.get("Name").str(), lastSegment(at))
	p.set("type", "reservoir")
	p.Status, p.Why = judge(status(body.get("Status")))
	if s := body.get("FluidLevelStatus").str(); s != "" && !strings.EqualFold(s, "ok") && p.Condition == component.OK {
		p.Condition, p.Why = component.Impaired, join("FluidLevelStatus is "+s, p.Why)
	}
	level := num(body.get("FluidLevelPercent")).sane(100)
	p.read("fluid_level", "%", "", level.v, level.ok)
	b.freshen(p, at)
}

func (b *builder) pump(scope, prefix, at string) *part {
	body := b.t.at(at)
	p := b.newPart(component.Cooling, at, body)
	p.named(scope, prefix+"pump-", b.label(body), body.get("Name").str(), lastSegment(at))
	p.set("type", "pump")
	p.Status, p.Why = judge(status(body.get("Status")))
	speed := num(body.at("PumpSpeedPercent", "SpeedRPM")).sane(200_000)
	p.read("pump_speed", "rpm", "", speed.v, speed.ok)
	b.freshen(p, at)
	return p
}

// leaks reads leak detectors: as sensors, since what leaks is not the detector.
func (b *builder) leaks(scope, link string) {
	detection := b.t.at(link)
	known := 0
	for _, at := range b.t.members(detection.get("LeakDetectors").link()) {
		body := b.t.at(at)
		p := b.newPart(component.Sensor, at, body)
		p.named(scope, "leak-", b.label(body), lastSegment(at))
		p.Status, p.Why = judge(status(body.get("Status")))
		p.leak(body)
		b.freshen(p, at)
		known++
	}
	if known > 0 {
		return
	}
	for _, group := range detection.get("LeakDetectorGroups").items() { // excerpts of detectors, where there is no list of them
		for i, d := range group.get("Detectors").items() {
			at, name := d.get("DataSourceUri").str(), ""
			if name = lastSegmentInner(at); at == "" {
				name = d.get("DeviceName").str()
				at = normal(link) + "#/LeakDetectorGroups/" + group.get("GroupName").str() + "/" + itoa(i)
			}
			if b.byPath[source(at)] != nil {
				continue
			}
			p := b.newPart(component.Sensor, at, value{})
			p.named(scope, "leak-", name)
			p.Name = d.get("DeviceName").str()
			p.Why = "the service gives no status"
			p.leak(d)
			b.freshen(p, link)
		}
	}
}

// leak takes in what a detector has found.
func (p *part) leak(body value) {
	p.set("type", "leak detector")
	s := body.get("DetectorState").str()
	if s == "" {
		return
	}
	p.set("state", s)
	switch healthOf(strings.ToLower(s)) {
	case healthOK:
		if p.Condition == component.Unknown {
			p.Condition, p.Why = component.OK, ""
		}
	case healthWarning:
		p.Condition, p.Why = component.Impaired, join(fmt.Sprintf("its state is %s: there may be a leak", s), p.Why)
	case healthCritical:
		p.Condition, p.Why = component.Failed, join(fmt.Sprintf("its state is %s: there is a leak", s), p.Why)
	}
}
