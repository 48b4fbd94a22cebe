package ipmi

import (
	"fmt"
	"regexp"
	"sort"
	"strings"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// machine is everything that one poll learned of a BMC, before it is put into words.
type machine struct {
	device   string // configured name
	identity identity
	chassis  *chassis // nil: not read
	sensors  []sensor
	readings []reading // beside sensors; the zero reading where it was not read
	locators []locator
	frus     map[byte]fru // of locators, by FRU device
	contains map[entity][]entity
}

// parsed is a poll in words. The host is the first of the components.
type parsed struct {
	components []component.Component
	claims     []snapshot.Claim
	speaks     map[sensorKey]component.ID // which part a sensor speaks of
}

// sensorKey is how the event log names a sensor.
type sensorKey struct{ owner, lun, number byte }

// identity of the machine: Get Device ID (section 20.1) and the product and board areas of FRU device 0.
type identity struct {
	vendor, model, serial, firmware string
	uuid, chassisSerial             string
}

// chassis is Get Chassis Status (section 28.2).
type chassis struct {
	on, overload, interlock, fault, controlFault bool
	driveFault, coolingFault                     bool
	last                                         []string // why the power went last
}

func decodeChassis(data []byte) (*chassis, error) {
	if len(data) < 3 {
		return nil, fmt.Errorf("get chassis status: %w: %d bytes", errMalformed, len(data))
	}
	var last []string
	for bit, words := range []string{"AC failed", "power overload", "power interlock activated", "power fault", "powered on by IPMI command"} {
		if data[1]&(1<<bit) != 0 {
			last = append(last, words)
		}
	}
	return &chassis{
		last: last,
		on:   data[0]&0x01 != 0, overload: data[0]&0x02 != 0, interlock: data[0]&0x04 != 0, fault: data[0]&0x08 != 0, controlFault: data[0]&0x10 != 0,
		driveFault: data[2]&0x04 != 0, coolingFault: data[2]&0x08 != 0,
	}, nil
}

// relevant reports whether a sensor is read at all: what says something of supplies, fans, drives, batteries, or of
// their redundancy. Sensors of other controllers need bridging and are left alone.
func relevant(x sensor) bool {
	if x.owner != bmcAddress {
		return false
	}
	switch x.kind {
	case typePowerSupply, typePowerUnit, typeFan, typeCooling, typeDriveSlot, typeBattery:
		return true
	case typePresence:
		return x.entity == entityPowerSupply || x.entity == entityFan
	}
	return x.event == eventRedundancy || x.entity == entityPowerSupply || consumption(x) || measuresSupply(x)
}

var consumptionName = regexp.MustCompile(`(?i)(pwr|power)[ _]*(consumption|monitor|meter)|total[ _]power|system[ _]power`)

// consumption is the reading of what the whole machine draws.
func consumption(x sensor) bool {
	return (x.event == eventThreshold || x.event == eventEnabled) && x.kind != typePowerUnit && x.entity != entityPowerSupply && consumptionName.MatchString(x.name)
}

// parse turns what was read into components and claims. It is pure.
func parse(m machine) parsed {
	b := builder{device: m.device, parts: map[component.ID]*part{}, speaks: map[sensorKey]component.ID{}, at: map[entity]component.ID{}}
	b.supplyNames(m)
	for i, x := range m.sensors {
		r := m.readings[i]
		if !relevant(x) || r.why == "" && !r.valid {
			continue // not read
		}
		b.sensor(x, r)
	}
	host := b.host(m)
	b.describe(m)
	b.enclosed(m.identity)
	b.settle()
	components := b.components()
	claims := b.claims(m, components)
	return parsed{components: append([]component.Component{host}, components...), claims: claims, speaks: b.speaks}
}

// builder gathers evidence part by part: sensors that speak of one part share its entity, or the number in their names.
type builder struct {
	device string
	parts  map[component.ID]*part
	// supply maps the instance of a power supply entity to the number that its status sensor's name carries.
	supply    map[byte]string
	numbered  map[string]bool // the supplies that a status sensor names: what else has their name speaks of them
	power     component.Value // what the machine draws, W
	unitWords []string        // what the power unit says
	speaks    map[sensorKey]component.ID
	at        map[entity]component.ID // the part at an entity, where only one is
}

// part is one component with the evidence for its condition.
type part struct {
	component.Component
	status   bool // a status sensor with at least one state bit has spoken
	silent   []string
	present  bool
	absent   bool
	problems []string
	facts    []string
}

var (
	supplyNumber = regexp.MustCompile(`(?i)^(?:[a-z0-9]*[ _])?(?:psu?|p/s|power[ _]*supply|pwr[ _]*supply|pwr[ _]*sply)[ _#-]*(?:status|stat|sts|bay|slot|fru)?[ _#-]*0*([0-9]+)`)
	fanNumber    = regexp.MustCompile(`(?i)^(?:sys|system|chassis)?[ _]*fan[ _#-]*(?:module|tray|block|bay|unit)?[ _#-]*0*([0-9]+[a-z]?)$`)
	driveNumber  = regexp.MustCompile(`(?i)(?:hdd|drive|disk|slot|bay|ssd|nvme)[ _#-]*0*([0-9]+)`)
)

func (b *builder) part(kind component.Kind, local, name string) *part {
	id := component.NewID(b.device, kind, local)
	p, ok := b.parts[id]
	if !ok {
		p = &part{Component: component.Component{ID: id, Kind: kind, Name: name, Aliases: []string{}, Attributes: map[string]string{}}}
		b.parts[id] = p
	}
	return p
}

// alias notes that a sensor speaks of the part.
func (b *builder) alias(p *part, x sensor) {
	b.speaks[sensorKey{x.owner, x.lun, x.number}] = p.ID
	at := entity{x.entity, x.instance}
	if known, taken := b.at[at]; taken && known != p.ID {
		b.at[at] = "" // several are at one entity: a maker who counts none
	} else {
		b.at[at] = p.ID
	}
	for _, a := range []string{fmt.Sprintf("%d.%d", x.entity, x.instance), x.name} {
		known := a == ""
		for _, have := range p.Aliases {
			known = known || have == a
		}
		if !known {
			p.Aliases = append(p.Aliases, a)
		}
	}
}

func (p *part) bad(c component.Condition, words string) {
	p.Condition = component.Worse(p.Condition, c)
	p.problems = append(p.problems, words)
}

// sensor takes in one sensor's word.
func (b *builder) sensor(x sensor, r reading) {
	if x.event == eventRedundancy {
		return // a claim
	}
	switch {
	case consumption(x):
		if v, unit := x.value(r); unit == "W" {
			b.power = component.Value(v)
		}
	case x.kind == typePowerUnit && x.event == eventSpecific:
		for _, bit := range []int{3, 4, 5, 6, 7} {
			if r.has(bit) {
				b.unitWords = append(b.unitWords, x.name+": "+unitStates[bit])
			}
		}
	case b.supplyLocal(x) != "":
		b.supplySensor(x, r)
	case x.kind == typePowerSupply: // of all supplies: "PSU Mismatch"
		if words, bad := allSupplies(x, r); bad {
			b.unitWords = append(b.unitWords, words)
		}
	case x.kind == typeFan || x.entity == entityFan && x.kind == typePresence:
		b.fanSensor(x, r)
	case x.kind == typeDriveSlot:
		b.driveSensor(x, r)
	case x.kind == typeBattery && !boardBattery.MatchString(x.name):
		b.batterySensor(x, r)
	}
}

// boardBattery is the clock's cell: no part of any redundancy, and silent when well.
var boardBattery = regexp.MustCompile(`(?i)cmos|bios|rtc|vbat|coin|^bat$`)

// generic takes the generic event types that say how a part is (table 42-2). A sensor of such a type may measure something
// too: ProLiants' do.
func (p *part) generic(x sensor, r reading) {
	p.measured(x, r)
	switch x.event {
	case eventDigital:
		p.digital(x, r)
	case eventPredictive:
		if r.has(1) {
			p.Predicted = true
			p.bad(component.Impaired, x.name+": "+r.words(genericStates[x.event]))
		}
	case eventLimit, eventPerform:
		if r.has(1) {
			p.bad(component.Impaired, x.name+": "+r.words(genericStates[x.event]))
		}
	case eventSeverity:
		p.severity(x, r)
	case eventAvailable:
		p.availability(x, r)
	case eventPresence:
		p.seen(r.has(1), r.has(0))
	}
}

// availability is event type 0Ah, by which ProLiants tell of their fans.
func (p *part) availability(x sensor, r reading) {
	words := x.name + ": " + r.words(availableStates)
	switch {
	case r.has(8), r.has(4):
		p.status = true
		p.bad(component.Failed, words)
	case r.has(6):
		p.status = true
		p.bad(component.Impaired, words)
	case r.has(0), r.has(3):
		p.status = true
		p.Condition = component.Worse(p.Condition, component.OK)
		p.facts = append(p.facts, words)
	case r.has(5), r.has(7), r.has(2): // off duty, power save: healthy as far as anybody says
		p.status, p.Standby = true, true
		p.Condition = component.Worse(p.Condition, component.OK)
		p.facts = append(p.facts, words)
	default:
		p.silent = append(p.silent, words)
	}
}

func (p *part) seen(present, absent bool) {
	p.present, p.absent = p.present || present, p.absent || absent
}

// measured takes the reading of a sensor that is there for its states.
func (p *part) measured(x sensor, r reading) {
	v, unit := x.value(r)
	name := readingName(x, unit)
	if x.kind == typeFan && (unit == "rpm" || unit == "%") {
		name = "fan_speed"
	}
	if name != "" {
		p.Readings = append(p.Readings, component.Reading{Name: name, Unit: unit, Value: component.Value(v)})
	}
}

// digital is an event type of 03h, whose meaning is the vendor's: only a name that says it is believed.
func (p *part) digital(x sensor, r reading) {
	words := x.name + ": " + r.words(digitalStates)
	switch meaning := assertedMeans(x.name); {
	case meaning == meansBad && r.has(1), meaning == meansGood && r.has(0) && !r.has(1):
		p.bad(component.Impaired, words)
	case meaning == meansInput && r.has(0) && !r.has(1):
		p.InputLost = true
		p.problems = append(p.problems, words)
	case meaning == meansPresent:
		p.seen(r.has(1), r.has(0) && !r.has(1))
	}
}

// severity is event type 07h (table 42-2).
func (p *part) severity(x sensor, r reading) {
	words := x.name + ": " + r.words(severityStates)
	switch {
	case r.has(2), r.has(3), r.has(5), r.has(6):
		p.bad(component.Failed, words)
	case r.has(1), r.has(4):
		p.bad(component.Impaired, words)
	case r.has(0):
		p.status = true
		p.Condition = component.Worse(p.Condition, component.OK)
		p.facts = append(p.facts, words)
	}
}

// analog takes a reading, and its alarms as a reason to call a part impaired.
func (p *part) analog(x sensor, r reading) {
	v, unit := x.value(r)
	if name := readingName(x, unit); name != "" {
		p.Readings = append(p.Readings, component.Reading{Name: name, Unit: unit, Value: component.Value(v)})
	}
	if x.kind == typeTemperature && r.thresholds&0x30 != 0 || x.kind == typeFan && r.thresholds&0x06 != 0 {
		p.bad(component.Impaired, fmt.Sprintf("%s: %.4g %s, beyond its critical threshold", x.name, v, unit))
	}
}

var inputName = regexp.MustCompile(`(?i)\b(in|input|pin|ac)\b|in[ _]*(power|volt|curr)|power[ _]*in|[vip]in[0-9]?$|vin\b|input`)

// readingName is the quantity that a supply's analog sensor measures; empty for what is of no use.
func readingName(x sensor, unit string) string {
	side := "output"
	if inputName.MatchString(x.name) {
		side = "input"
	}
	switch unit {
	case "W":
		return side + "_power"
	case "V":
		return side + "_voltage"
	case "A":
		return side + "_current"
	case "Cel":
		return "temperature"
	case "rpm":
		return "fan_speed"
	case "%":
		if x.kind == typeCurrent || x.kind == typeOther || x.kind == typePowerSupply {
			return "load"
		}
	}
	return ""
}

// fanSensor: tachometers by threshold, and discrete presence or fault sensors of the same fan.
func (b *builder) fanSensor(x sensor, r reading) {
	if r.why == "scanning disabled" {
		return
	}
	local := fanLocal(x)
	p := b.part(component.Fan, local, x.name)
	b.alias(p, x)
	if !r.valid {
		p.silent = append(p.silent, x.name+": "+r.why)
		return
	}
	switch x.event {
	case eventThreshold:
		b.tachometer(p, x, r)
	case eventSpecific:
		if x.kind == typePresence {
			p.seen(r.has(0), r.has(1))
		}
	default:
		p.generic(x, r)
	}
}

func (b *builder) tachometer(p *part, x sensor, r reading) {
	v, unit := x.value(r)
	if unit == "rpm" || unit == "%" {
		p.Readings = append(p.Readings, component.Reading{Name: "fan_speed", Unit: unit, Value: component.Value(v)})
	}
	words := fmt.Sprintf("%s: %.4g %s", x.name, v, unit)
	switch {
	case r.thresholds&0x06 != 0: // at or below lower critical or non-recoverable
		p.status = true
		p.bad(component.Failed, words+", below its lower critical threshold")
	case v == 0:
		p.silent = append(p.silent, words+" and no alarm: stopped, or not fitted")
	case r.thresholds&0x39 != 0:
		p.status = true
		p.bad(component.Impaired, words+", outside its thresholds")
	default:
		p.status = true
		p.Condition = component.Worse(p.Condition, component.OK)
		p.facts = append(p.facts, words)
	}
}

var fanWords = regexp.MustCompile(`(?i)[ _]*(rpm|speed|tach|status|present|presence|prsnt|fault|fail|%|pct|duty|cycle|dutycycle)+$`)

func fanLocal(x sensor) string {
	name := strings.TrimSpace(fanWords.ReplaceAllString(x.name, ""))
	if m := fanNumber.FindStringSubmatch(name); m != nil {
		return strings.ToUpper(m[1])
	}
	if words := strings.Trim(notPlain.ReplaceAllString(name, "-"), "-"); words != "" { // "Fan_SSD0" is not fan 0: keep them
		return words
	}
	return fmt.Sprintf("%d.%d", x.entity, x.instance)
}

var notPlain = regexp.MustCompile(`[^A-Za-z0-9._+-]+`)

// driveKnown are the states that table 42-3 defines for sensor type 0Dh.
const driveKnown = 0x1ff

// driveSensor judges by sensor type 0Dh.
func (b *builder) driveSensor(x sensor, r reading) {
	if r.why == "scanning disabled" || r.missing || x.event != eventSpecific {
		return
	}
	local := fmt.Sprintf("%d.%d", x.entity, x.instance)
	if m := driveNumber.FindStringSubmatch(x.name); m != nil {
		local = m[1]
	}
	p := b.part(component.Drive, local, x.name)
	if len(p.Aliases) > 0 && !strings.EqualFold(p.Name, x.name) { // another backplane counts from the start again
		p = b.part(component.Drive, fmt.Sprintf("%s-%d.%d", local, x.entity, x.instance), x.name)
	}
	b.alias(p, x)
	words := x.name + ": " + r.words(driveStates)
	if !r.valid {
		p.silent = append(p.silent, x.name+": "+r.why)
		return
	}
	if r.states&driveKnown == 0 { // nothing, or only states that the table reserves: no word of health
		p.silent = append(p.silent, words)
		return
	}
	p.status = true
	p.present = p.present || r.has(0)
	p.Condition = component.Worse(p.Condition, component.OK)
	switch {
	case r.has(1):
		p.bad(component.Failed, words)
	case r.has(2), r.has(5), r.has(6), r.has(8):
		p.bad(component.Impaired, words)
	default:
		p.facts = append(p.facts, words)
	}
	p.Predicted = r.has(2)
	p.Standby = r.has(3)
	p.Rebuilding = r.has(7) || r.has(8)
}

// batterySensor judges by sensor type 29h.
func (b *builder) batterySensor(x sensor, r reading) {
	if r.why == "scanning disabled" || x.event != eventSpecific {
		return
	}
	p := b.part(component.Battery, collectors.Slot(component.Battery, x.name), x.name)
	b.alias(p, x)
	words := x.name + ": " + r.words(batteryStates)
	switch {
	case !r.valid:
		p.silent = append(p.silent, x.name+": "+r.why)
	case r.has(1):
		p.status = true
		p.bad(component.Failed, words)
	case r.has(0):
		p.status = true
		p.Predicted = true
		p.bad(component.Impaired, words)
	case r.has(2):
		p.status = true
		p.Condition = component.OK
		p.facts = append(p.facts, words)
	default:
		p.silent = append(p.silent, words)
	}
}

// settle decides what silence means. A status without any state bit is not well: where another part of the same kind
// reports its presence, this one is not there; where none does, nothing is known (a machine that is off, or was never read).
func (b *builder) settle() {
	b.unfed()
	speaks := map[component.Kind]bool{}
	for _, p := range b.parts {
		speaks[p.Kind] = speaks[p.Kind] || p.status && p.present
	}
	for _, p := range b.parts {
		switch {
		case p.absent && !p.present:
			p.Status = component.Status{Condition: component.Absent}
			p.Why = "absent, says its presence sensor"
		case p.status || len(p.problems) > 0:
			p.Why = strings.Join(append(p.problems, p.facts...), "; ")
		case len(p.silent) > 0 && speaks[p.Kind] && !p.present && (p.Kind == component.PSU || p.Kind == component.Drive) && statesEmpty(p.silent):
			p.Status = component.Status{Condition: component.Absent}
			p.Why = strings.Join(p.silent, "; ") + ", while others of its kind report their presence"
		default:
			p.Condition = component.Unknown
			p.Why = "nothing says how it is"
			if len(p.silent) > 0 {
				p.Why = strings.Join(p.silent, "; ")
			}
			for _, r := range p.Readings { // it may be all that shows which of two supplies carries the load
				if strings.HasSuffix(r.Name, "_power") && r.Value.Known() {
					p.Why += fmt.Sprintf("; %s %g W", strings.ReplaceAll(r.Name, "_", " "), float64(r.Value))
				}
			}
		}
		if p.InputLost && p.Condition == component.Unknown {
			p.Condition = component.OK // the part answers; its input is gone
		}
	}
}

func statesEmpty(silent []string) bool {
	for _, s := range silent {
		if !strings.HasSuffix(s, "no state set") {
			return false
		}
	}
	return true
}

func (b *builder) components() []component.Component {
	out := make([]component.Component, 0, len(b.parts))
	for _, p := range b.parts {
		if p.Kind == component.PSU && !p.status && len(p.silent) == 0 && len(p.problems) == 0 && !p.present && !p.absent && !p.fed() {
			continue // only a temperature, or the like: not enough to call it a supply
		}
		sort.Slice(p.Readings, func(i, j int) bool { return p.Readings[i].Name < p.Readings[j].Name })
		if p.Readings == nil {
			p.Readings = []component.Reading{}
		}
		out = append(out, p.Component)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// host is the machine itself, by its chassis status.
func (b *builder) host(m machine) component.Component {
	c := component.Component{ID: component.NewID(m.device, component.Host, "1"), Kind: component.Host, Name: m.identity.model,
		Aliases: []string{}, Attributes: map[string]string{}, Readings: []component.Reading{}}
	if m.identity.serial != "" {
		c.Attributes[component.Serial] = m.identity.serial
	}
	if m.identity.chassisSerial != "" && m.identity.chassisSerial != m.identity.serial {
		c.Attributes[component.EnclosureSerial] = m.identity.chassisSerial
	}
	if m.chassis != nil && len(m.chassis.last) > 0 {
		c.Attributes["last_power_event"] = strings.Join(m.chassis.last, ", ")
	}
	if b.power > 0 {
		c.Readings = append(c.Readings, component.Reading{Name: "input_power", Unit: "W", Value: b.power})
	}
	if m.chassis == nil {
		c.Why = "the chassis status could not be read"
		return c
	}
	var faults []string
	for _, f := range []struct {
		set   bool
		words string
	}{
		{m.chassis.fault, "main power fault"}, {m.chassis.overload, "power overload"}, {m.chassis.controlFault, "power control fault"},
		{m.chassis.interlock, "power interlock open"}, {m.chassis.coolingFault, "cooling fault"}, {m.chassis.driveFault, "drive fault"},
	} {
		if f.set {
			faults = append(faults, f.words)
		}
	}
	faults = append(faults, b.unitWords...)
	switch {
	case !m.chassis.on:
		c.Condition = component.Failed
		c.Why = strings.Join(append([]string{"powered off"}, faults...), "; ")
	case len(faults) > 0:
		c.Condition = component.Impaired
		c.Why = strings.Join(faults, "; ")
	default:
		c.Condition = component.OK
		c.Why = "powered on, no chassis fault"
	}
	return c
}

// describe adds what the supplies' own records say. A record without a supply that any sensor speaks of makes none.
func (b *builder) describe(m machine) {
	for _, l := range m.locators {
		f, ok := m.frus[l.device]
		if !ok {
			continue
		}
		local := b.supplyLocal(sensor{entity: l.entity, instance: l.at, name: l.name, kind: typePowerSupply})
		p := b.parts[component.NewID(b.device, component.PSU, local)]
		if p == nil {
			continue
		}
		for key, value := range map[string]string{component.Serial: f.serial, component.Model: f.model, "manufacturer": f.vendor, "part_number": f.part} {
			if value != "" {
				p.Attributes[key] = value
			}
		}
		if f.watts > 0 {
			p.Rating = &component.Rating{Watts: f.watts}
		}
	}
}

// enclosed notes on the supplies of a machine that shares its chassis which chassis that is.
func (b *builder) enclosed(id identity) {
	if id.chassisSerial == "" || id.chassisSerial == id.serial {
		return
	}
	for _, p := range b.parts {
		if p.Kind == component.PSU {
			p.Attributes[component.EnclosureSerial] = id.chassisSerial
		}
	}
}
