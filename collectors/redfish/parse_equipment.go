package redfish

import (
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// distributionKinds are the collections of PowerEquipment in the order in which they are read, and what their members are.
var distributionKinds = []struct {
	field string
	kind  component.Kind
}{
	{"RackPDUs", component.PDU}, {"TransferSwitches", component.ATS}, {"FloorPDUs", component.PDU}, {"PowerShelves", component.Enclosure},
	{"Switchgear", component.Panel}, {"ElectricalBuses", component.Feed},
}

// distribution is one PowerDistribution resource: what comes in, is divided, and goes out.
type distribution struct {
	path   string
	body   value
	part   *part
	prefix string
	inlets []*part
	banks  []*part
}

func (b *builder) firstDistribution() value {
	equipment := b.t.at(b.t.at(rootPath).get("PowerEquipment").link())
	for _, k := range distributionKinds {
		for _, at := range b.t.members(equipment.get(k.field).link()) {
			return b.t.at(at)
		}
	}
	return value{}
}

// equipment reads rack PDUs, transfer switches, power shelves and what else PowerEquipment lists.
func (b *builder) equipment() {
	equipment := b.t.at(b.t.at(rootPath).get("PowerEquipment").link())
	count := map[component.Kind]int{}
	first := true
	for _, k := range distributionKinds {
		for _, at := range b.t.members(equipment.get(k.field).link()) {
			d := &distribution{path: at, body: b.t.at(at)}
			if d.body.kind != object && b.unread(at) == "" {
				continue
			}
			d.part = b.shelf(d)
			if d.part == nil {
				count[k.kind]++
				d.part = b.newPart(k.kind, at, d.body)
				d.part.named("/"+string(k.kind), "", itoa(count[k.kind]))
				d.part.Status, d.part.Why = judge(status(d.body.get("Status")))
				b.freshen(d.part, at)
			}
			// The parts of the first have plain ids: a rack PDU's outlet 1 is outlet/1.
			if !first {
				d.prefix = string(k.kind) + itoa(max(1, count[k.kind])) + "/"
			}
			first = false
			if b.main == nil {
				b.main = d.part
			}
			b.distribution(d)
		}
	}
}

// shelf finds the chassis that a power shelf is, so that it is there once.
func (b *builder) shelf(d *distribution) *part {
	if !strings.EqualFold(d.body.get("EquipmentType").str(), "PowerShelf") {
		return nil
	}
	for _, l := range d.body.at("Links", "Chassis").items() {
		if c := b.byChass[normal(l.link())]; c != nil && c.part != nil {
			b.cite(c.part, d.path, d.body)
			return c.part
		}
	}
	return nil
}

func (b *builder) distribution(d *distribution) {
	if va := num(d.body.get("PowerCapacityVA")).sane(10e6); va.ok && va.v > 0 {
		d.part.Rating = &component.Rating{VA: va.v}
	}
	m := b.t.at(d.body.get("Metrics").link())
	watts := num(m.get("PowerWatts")).sane(10e6)
	d.part.read("power", "W", "", watts.v, watts.ok)
	va := num(m.at("PowerWatts", "ApparentVA")).sane(10e6)
	d.part.read("apparent_power", "VA", "", va.v, va.ok)

	for _, at := range b.t.members(d.body.get("Mains").link()) {
		d.inlets = append(d.inlets, b.circuit(d, component.Inlet, at))
	}
	for _, name := range []string{"Branches", "Feeders", "Subfeeds"} {
		for _, at := range b.t.members(d.body.get(name).link()) {
			d.banks = append(d.banks, b.circuit(d, component.Bank, at))
		}
	}
	// Power comes in by the mains and is divided inside.
	for _, in := range d.inlets {
		b.links = append(b.links, edge{in, d.part, component.Feeds})
	}
	for _, bank := range d.banks {
		b.links = append(b.links, edge{d.part, bank, component.Feeds})
	}
	for _, at := range b.t.members(d.body.get("Outlets").link()) {
		b.outlet(d, at)
	}
	b.distributionSupplies(d)
	b.mainsClaim(d)
	b.transfer(d)
}

// distributionSupplies reads the supplies that the equipment lists itself, if no chassis has shown them.
func (b *builder) distributionSupplies(d *distribution) {
	var own []*supply
	for _, v := range b.suppliesOf(b.t.members(d.body.get("PowerSupplies").link()), "PowerSubsystem") {
		if b.byPath[v.link] == nil {
			s := &supply{chassis: d.path, views: []view{v}}
			b.addSupply(s)
			own = append(own, s)
		}
	}
	b.judgeSupplies(own)
	for _, c := range b.redundancies(component.PSU, "PowerDistribution", d.path, d.body.get("PowerSupplyRedundancy"), b.nothing) {
		c.carries, c.prefix = d.part, d.prefix
		b.claims = append(b.claims, c)
	}
}

// circuit reads a main, a branch or a feeder.
func (b *builder) circuit(d *distribution, kind component.Kind, at string) *part {
	body := b.t.at(at)
	p := b.newPart(kind, at, body)
	p.scope, p.names = d.path, socketNames(d, kind, b.label(body), at)
	p.Status, p.Why = judge(status(body.get("Status")))
	switch state := body.get("BreakerState").str(); strings.ToLower(state) {
	case "tripped":
		p.Status, p.Why = component.Status{Condition: component.Failed}, "its breaker has tripped"
		p.set("breaker", state)
	case "off":
		p.Status, p.Why = component.Status{Condition: component.Failed}, "its breaker is off"
		p.set("breaker", state)
	case "":
	default:
		p.set("breaker", state)
	}
	switch state := body.get("PowerState").str(); strings.ToLower(state) {
	case "off":
		if p.Condition == component.OK {
			p.InputLost, p.Why = true, join("PowerState is "+state, p.Why)
		}
	}
	b.rate(p, body)
	b.electric(p, body)
	b.judgeMains(p, kind, body)
	b.freshen(p, at)
	if r := body.at("Links", "SourceCircuit"); foreignLink(r) != "" {
		p.set("source_circuit", foreignLink(r))
	}
	return p
}

// judgeMains tells an inlet without voltage from one with.
func (b *builder) judgeMains(p *part, kind component.Kind, body value) {
	switch strings.ToLower(p.Attributes["breaker"]) {
	case "tripped", "off":
		return
	}
	if kind != component.Inlet || p.Condition == component.Absent {
		return
	}
	seen, live := false, false
	for _, r := range p.Readings {
		if r.Name == "voltage" {
			seen = true
			live = live || r.Value >= brown || r.Value <= -10 || isDCCircuit(body) && r.Value >= 10
		}
	}
	if seen && !live {
		p.Condition, p.InputLost, p.Why = component.OK, true, join("no voltage comes in", p.Why) // whatever else it says comes of that
	}
}

func isDCCircuit(body value) bool {
	return strings.HasPrefix(strings.ToUpper(body.get("NominalVoltage").str()), "DC") || strings.EqualFold(body.get("VoltageType").str(), "DC")
}

// socketNames are the ids of circuits and outlets: as printed ("A1", "1"), since a letter before the number is a bank.
// Inlets are counted: "AC1" and "I1" are inlet 1.
func socketNames(d *distribution, kind component.Kind, label, at string) []string {
	id := lastSegment(at)
	numbered := func(s string) string {
		if n := printed(s); kind == component.Inlet && n != "" {
			return n
		}
		if bare.MatchString(s) || len(s) <= 4 {
			return safe(trimNumber(s))
		}
		if n := printed(s); n != "" {
			return n
		}
		return safe(s)
	}
	var names []string
	for _, s := range []string{id, label} {
		if n := numbered(s); s != "" && n != "" {
			names = appendNew(names, d.prefix+n)
		}
	}
	names = appendNew(names, d.prefix+safe(id))
	if len(names) == 0 {
		names = []string{d.prefix + "unnamed"}
	}
	return names
}

func trimNumber(s string) string {
	if bare.MatchString(s) {
		return trimZeros(s)
	}
	return s
}

func (b *builder) outlet(d *distribution, at string) {
	body := b.t.at(at)
	p := b.newPart(component.Outlet, at, body)
	p.scope, p.names = d.path, socketNames(d, component.Outlet, b.label(body), at)
	p.Status, p.Why = judge(status(body.get("Status")))
	if state := body.get("PowerState").str(); state != "" {
		p.set("power", strings.ToLower(state))
		if strings.EqualFold(state, "off") && p.Condition != component.Absent && p.Condition != component.Failed {
			p.Condition, p.InputLost, p.Why = component.OK, true, join("it is switched off", p.Why)
		}
	}
	if u := body.get("UserLabel").str(); u != "" {
		p.set("label", u)
	}
	b.rate(p, body)
	b.electric(p, body)
	b.freshen(p, at)
	feeder := d.part
	if bank := b.byPath[normal(body.at("Links", "BranchCircuit").link())]; bank != nil {
		feeder = bank
	}
	b.links = append(b.links, edge{feeder, p, component.Feeds})
	for _, l := range body.at("Links", "PowerSupplies").items() {
		if psu := b.byPath[normal(l.link())]; psu != nil {
			b.links = append(b.links, edge{p, psu, component.Feeds})
		}
	}
}

// rate notes what a circuit may carry.
func (b *builder) rate(p *part, body value) {
	amps := num(body.get("RatedCurrentAmps")).sane(10_000)
	if !amps.ok || amps.v == 0 {
		return
	}
	p.Rating = &component.Rating{Amps: amps.v, Phases: phases(body.get("PhaseWiringType").str())}
}

func phases(wiring string) int {
	for word, n := range map[string]int{"OnePhase": 1, "TwoPhase": 2, "ThreePhase": 3} {
		if strings.HasPrefix(wiring, word) {
			return n
		}
	}
	return 0
}

// lines pairs Redfish's names of lines with the phases of readings.
var lines = []struct{ field, phase string }{
	{"Line1", "L1"}, {"Line2", "L2"}, {"Line3", "L3"}, {"Neutral", "N"},
	{"Line1ToNeutral", "L1"}, {"Line2ToNeutral", "L2"}, {"Line3ToNeutral", "L3"},
	{"Line1ToLine2", "L1-L2"}, {"Line2ToLine3", "L2-L3"}, {"Line3ToLine1", "L3-L1"},
}

// electric notes a circuit's readings, in all and by phase.
func (b *builder) electric(p *part, body value) {
	for _, q := range []struct{ field, poly, name, unit string }{
		{"Voltage", "PolyPhaseVoltage", "voltage", "V"},
		{"CurrentAmps", "PolyPhaseCurrentAmps", "current", "A"},
		{"PowerWatts", "PolyPhasePowerWatts", "power", "W"},
	} {
		v := num(body.get(q.field))
		p.read(q.name, q.unit, "", v.v, v.ok)
		poly := body.get(q.poly)
		for _, l := range lines {
			v := num(poly.get(l.field))
			p.read(q.name, q.unit, l.phase, v.v, v.ok)
		}
	}
	va := num(body.at("PowerWatts", "ApparentVA"))
	p.read("apparent_power", "VA", "", va.v, va.ok)
	load := num(body.get("LoadPercent")).sane(1000)
	p.read("load", "%", "", load.v, load.ok)
}

// mainsClaim reads what the equipment says of its mains' redundancy.
func (b *builder) mainsClaim(d *distribution) {
	list := b.redundancies(component.Inlet, "PowerDistribution", d.path, d.body.get("MainsRedundancy"), func(int, value, int) []*part { return d.inlets })
	for _, c := range list {
		c.carries, c.prefix = d.part, d.prefix
		if why := b.unread(d.path); why != "" {
			c.state, c.why = snapshot.ClaimNone, why
		}
		b.claims = append(b.claims, c)
	}
}

// transfer notes how a transfer switch is set; where it has two mains and makes no claim, it is what its kind is for.
func (b *builder) transfer(d *distribution) {
	c := d.body.get("TransferConfiguration")
	if d.part.Kind != component.ATS && !c.present() {
		return
	}
	active, preferred := c.get("ActiveMainsId").str(), c.get("PreferredMainsId").str()
	d.part.set("active_input", active)
	d.part.set("preferred_input", preferred)
	if is, known := c.get("AutoTransferEnabled").boolean(); known {
		d.part.set("auto_transfer", map[bool]string{true: "true", false: "false"}[is])
		if !is && d.part.Condition == component.OK {
			d.part.Condition, d.part.Why = component.Impaired, "it does not transfer by itself (AutoTransferEnabled is false)"
		}
	}
	for _, in := range d.inlets {
		if active != "" && in.Condition == component.OK && !in.InputLost && lastSegment(in.paths[0]) != active {
			in.Standby, in.Why = true, join(in.Why, "the switch draws from "+active)
		}
	}
}
