package ipmi

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// supplyGauge is the name of a sensor that measures a supply, whatever entity its maker gave it: "PSU1_VIN", "PS2 Input Power".
var supplyGauge = regexp.MustCompile(`(?i)^psu?[ _-]?0*[0-9]{1,2}[ _-]+(?:[vip](?:in|out)|in(?:put)?[ _-]|out(?:put)?[ _-])`)

func measuresSupply(x sensor) bool {
	return x.event == eventThreshold && supplyGauge.MatchString(x.name)
}

// supplyNames learns which instance carries which printed number, so that a nameless sensor of the same entity
// ("Status", "Voltage 2") goes to the same supply.
func (b *builder) supplyNames(m machine) {
	b.supply, b.numbered = map[byte]string{}, map[string]bool{}
	for _, x := range m.sensors {
		if n := supplyNumber.FindStringSubmatch(x.name); n != nil && x.kind == typePowerSupply && x.event == eventSpecific {
			b.numbered[n[1]] = true
		}
		if x.entity != entityPowerSupply || x.kind != typePowerSupply || x.event == eventRedundancy {
			continue
		}
		if n := supplyNumber.FindStringSubmatch(x.name); n != nil {
			if _, taken := b.supply[x.instance]; !taken {
				b.supply[x.instance] = n[1]
			}
		}
	}
}

// supplyLocal is the local id of the supply that a sensor speaks of; empty where it speaks of none.
func (b *builder) supplyLocal(x sensor) string {
	if n := supplyNumber.FindStringSubmatch(x.name); n != nil && (x.entity == entityPowerSupply || x.kind == typePowerSupply || b.numbered[n[1]] || measuresSupply(x)) {
		return n[1]
	}
	if x.entity != entityPowerSupply || x.logical {
		return ""
	}
	if n, ok := b.supply[x.instance]; ok {
		return n
	}
	return strconv.Itoa(int(x.instance &^ 0x60)) // 60h up: relative to the device, section 39.1
}

// allSupplies is what a sensor says that speaks of the supplies together.
func allSupplies(x sensor, r reading) (words string, bad bool) {
	switch x.event {
	case eventSpecific:
		return x.name + ": " + r.words(supplyStates), r.has(1) || r.has(2) || r.has(5) || r.has(6)
	case eventSeverity:
		return x.name + ": " + r.words(severityStates), r.states&0x7e != 0
	case eventDigital:
		return x.name + ": " + r.words(digitalStates), assertedMeans(x.name) == meansBad && r.has(1)
	}
	return "", false
}

// supplySensor judges by the table of section 42.2 for sensor type 08h, and by what other sensors of the same entity say.
func (b *builder) supplySensor(x sensor, r reading) {
	if r.why == "scanning disabled" {
		return // section 16.5: software must ignore it; a bay that is not fitted looks like this
	}
	local := b.supplyLocal(x)
	p := b.part(component.PSU, local, "Power supply "+local)
	b.alias(p, x)
	switch {
	case !r.valid:
		p.silent = append(p.silent, x.name+": "+r.why)
	case x.kind == typePowerSupply && x.event == eventSpecific:
		p.supplyStatus(x, r)
	case x.event == eventPresence:
		p.seen(r.has(1), r.has(0))
	case x.kind == typePresence && x.event == eventSpecific:
		p.seen(r.has(0), r.has(1))
	case x.event == eventThreshold:
		p.analog(x, r)
	default:
		p.generic(x, r)
	}
}

func (p *part) supplyStatus(x sensor, r reading) {
	p.measured(x, r)
	words := x.name + ": " + r.words(supplyStates)
	if r.states == 0 {
		p.silent = append(p.silent, words)
		return
	}
	p.status = true
	p.present = p.present || r.has(0)
	p.Condition = component.Worse(p.Condition, component.OK)
	switch {
	case r.has(1):
		p.bad(component.Failed, words)
	case r.has(2), r.has(5), r.has(6):
		p.bad(component.Impaired, words)
	default:
		p.facts = append(p.facts, words)
	}
	p.Predicted = p.Predicted || r.has(2)
	p.InputLost = p.InputLost || r.has(3) || r.has(4)
	p.Standby = p.Standby || r.has(7)
}

// Volts at the input of a supply: below the first there is none, from the second on it can run.
const (
	openInput = 60
	liveInput = 80
)

// unfed finds the supplies of which nothing but measurements speak, and which have no voltage at their input while another has:
// MegaRAC of AMI on boards that show a PSU1_VIN and no status of the supply.
func (b *builder) unfed() {
	live := false
	for _, p := range b.parts {
		v, known := p.volts()
		live = live || known && v >= liveInput
	}
	for _, p := range b.parts {
		if v, known := p.volts(); live && known && v < openInput && !p.status && !p.absent {
			p.InputLost = true
			p.problems = append(p.problems, fmt.Sprintf("%g V at its input, while another has voltage", v))
		}
	}
}

// volts is the voltage at a supply's input, where it is measured.
func (p *part) volts() (float64, bool) {
	for _, r := range p.Readings {
		if p.Kind == component.PSU && r.Name == "input_voltage" && r.Value.Known() {
			return float64(r.Value), true
		}
	}
	return 0, false
}

// fed reports whether something measures what comes into the part or goes out of it.
func (p *part) fed() bool {
	for _, r := range p.Readings {
		if strings.HasPrefix(r.Name, "input_") || strings.HasSuffix(r.Name, "_power") {
			return true
		}
	}
	return false
}
