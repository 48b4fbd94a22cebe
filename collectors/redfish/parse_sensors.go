package redfish

import (
	"fmt"
	"regexp"
	"sort"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// Some services measure their supplies and say it where supplies are not listed: in sensors that a supply links to, in the
// voltages of the chassis, or in the chassis's collection of sensors.

var (
	// supplySensor is the name or id of a sensor that is of one supply: "PSU1_VIN", "PS2 Input Power", "voltage_ps0_input_voltage".
	supplySensor = regexp.MustCompile(`(?i)^(?:(?:voltage|power)_)?(?:psu?|pws|power[ _]?supply)[ _-]?0*([0-9]{1,2})[ _-]+(.+)$`)
	// linkedSensor is that of a sensor to which a supply links: there any number does ("power_p0_pin").
	linkedSensor = regexp.MustCompile(`^.*?([0-9]{1,2})[ _-]+(.+)$`)
	// quantities are what such a sensor measures, after the supply's number.
	quantities = []struct {
		name *regexp.Regexp
		unit string
		in   bool
	}{
		{regexp.MustCompile(`(?i)^(?:vin|in(?:put)?[ _-]?volt(?:age)?|volt(?:age)?[ _-]?in(?:put)?|ac[ _-]?volt(?:age)?)[0-9]?$`), "V", true},
		{regexp.MustCompile(`(?i)^(?:vout|out(?:put)?[ _-]?volt(?:age)?|volt(?:age)?[ _-]?out(?:put)?|12v(?:[ _-]?out(?:put)?)?)[0-9]?$`), "V", false},
		{regexp.MustCompile(`(?i)^(?:pin|in(?:put)?[ _-]?(?:power|pwr)|(?:power|pwr)[ _-]?in(?:put)?)$`), "W", true},
		{regexp.MustCompile(`(?i)^(?:pout|out(?:put)?[ _-]?(?:power|pwr)|(?:power|pwr)[ _-]?out(?:put)?)$`), "W", false},
	}
)

// gauge is one measurement of a supply that stands outside the supply.
type gauge struct {
	supply string // its printed number
	at     string // the resource that says it
	name   string
	unit   string // V or W
	in     bool   // at its input
	value  value64
	words  words
}

// gaugeOf reads the name of a sensor; ok is false where it is of no supply, or of a quantity that says nothing here.
func gaugeOf(form *regexp.Regexp, name string) (g gauge, ok bool) {
	m := form.FindStringSubmatch(strings.TrimSpace(name))
	if m == nil {
		return gauge{}, false
	}
	for _, q := range quantities {
		if q.name.MatchString(m[2]) {
			return gauge{supply: m[1], name: name, unit: q.unit, in: q.in}, true
		}
	}
	return gauge{}, false
}

// supplySensors are the sensors of a supply that has no metrics, by which it shows what it takes and gives (Lite-On power
// shelf PF-1333, LambdaLabs redfish_exporter testdata/powershelf_liteon: PowerSupply.Sensors).
func supplySensors(body value) []string {
	if body.get("Metrics").link() != "" {
		return nil
	}
	var out []string
	for _, s := range body.get("Sensors").items() {
		if _, ok := gaugeOf(linkedSensor, lastSegment(s.link())); ok {
			out = appendNew(out, s.link())
		}
	}
	return out
}

// wanted reports whether a member of a collection, or a link to one, is read. Of a chassis's sensors only those of its
// supplies are.
func wanted(r role, member value) bool {
	if r != rSensor {
		return true
	}
	_, is := sensorGauge(member.link(), member)
	return is
}

// measureSupplies finds what sensors say of the supplies that a chassis lists. The chassis's own are believed only where
// each of them has the number of a supply that is listed: some lists count from 0 and name their sensors from 1.
func (b *builder) measureSupplies(c *chassis, own []*supply) {
	slots := map[string]*supply{}
	for _, s := range own {
		for _, v := range s.views {
			slots[v.slot] = s
			for _, at := range supplySensors(v.body) {
				if g, ok := gaugeOf(linkedSensor, lastSegment(at)); ok && b.unread(at) == "" {
					g.at, g.value = at, num(b.t.at(at).get("Reading"))
					s.gauges = append(s.gauges, g)
				}
			}
		}
	}
	all := b.gauges(c)
	for _, g := range all {
		if slots[g.supply] == nil {
			return
		}
	}
	for _, g := range all {
		if b.unread(g.at) == "" {
			slots[g.supply].gauges = append(slots[g.supply].gauges, g)
		}
	}
}

// gauge takes in one measurement, where the supply itself shows none.
func (s *supply) gauge(g gauge) {
	switch {
	case g.unit == "V" && g.in:
		s.volts = s.volts.or(g.value)
	case g.unit == "W" && g.in:
		s.input = s.input.or(g.value)
	case g.unit == "W":
		s.output = s.output.or(g.value)
	}
}

// gauges are the measurements of supplies among a chassis's voltages and sensors.
func (b *builder) gauges(c *chassis) []gauge {
	var out []gauge
	power := b.t.partOf(c, "Power")
	for _, v := range b.t.at(power).get("Voltages").items() {
		if g, ok := gaugeOf(supplySensor, v.get("Name").str()); ok {
			g.at, g.value, g.words = power, num(v.get("ReadingVolts")), status(v.get("Status"))
			out = append(out, g)
		}
	}
	for _, g := range vendorGauges(b.t.at(power)) {
		g.at = power
		out = append(out, g)
	}
	for _, at := range b.t.members(c.body.get("Sensors").link()) {
		body := b.t.at(at)
		if g, ok := sensorGauge(at, body); ok {
			g.at, g.value, g.words = at, num(body.get("Reading")), status(body.get("Status"))
			out = append(out, g)
		}
	}
	return out
}

// sensorGauge reads a sensor's id, or else its name.
func sensorGauge(at string, body value) (gauge, bool) {
	if g, ok := gaugeOf(supplySensor, lastSegment(at)); ok {
		return g, true
	}
	return gaugeOf(supplySensor, body.get("Name").str())
}

const measured = "Sensors" // the form of a supply that is only known by its sensors

// onlyMeasured makes the supplies of a chassis that lists none, and measures some (MegaRAC of AMI on boards that show a
// PSU1_VIN and no PowerSupplies). How such a supply is, nobody says: it is unknown, unless its sensors tell of a fault.
func (b *builder) onlyMeasured(c *chassis) []*supply {
	by := map[string][]gauge{}
	for _, g := range b.gauges(c) {
		by[g.supply] = append(by[g.supply], g)
	}
	var numbers []string
	for n := range by {
		numbers = append(numbers, n)
	}
	sort.Slice(numbers, func(i, j int) bool { return natural(numbers[i], numbers[j]) })
	var out []*supply
	for _, n := range numbers {
		out = append(out, &supply{chassis: c.path, gauges: by[n], views: []view{{
			form: measured, in: by[n][0].at, link: c.path + "#/PowerSupplies/" + n, slot: n,
			body: objectOf([]string{"Name"}, []value{{kind: text, text: "PSU" + n}}),
		}}})
	}
	return out
}

// judgeMeasured decides how a supply is of which only measurements are known.
func (b *builder) judgeMeasured(s *supply, all []*supply) {
	p := s.part
	if why := b.unread(s.views[0].in); why != "" {
		p.Why, s.gauges, s.volts, s.input, s.output = why, nil, value64{}, value64{}, value64{}
		return
	}
	var said []string
	absent := true
	for _, g := range s.gauges {
		absent = absent && g.words.presence() == gone
		text := g.name
		if g.value.ok {
			text += fmt.Sprintf(" is %g %s", g.value.v, g.unit)
		}
		if g.words.own() != healthOK && g.words.spoke {
			text += " and says " + g.words.said
		}
		said = append(said, text)
		if g.unit == "V" && !g.in && g.words.own() == healthCritical {
			p.Condition = component.Failed
		}
	}
	p.Why = "only its sensors are shown: " + strings.Join(said, ", ")
	switch {
	case absent:
		p.Status = component.Status{Condition: component.Absent}
	case s.volts.ok && s.volts.v < lostAC && !s.direct && b.neighbour(s, all, func(o *supply) bool { return o.volts.ok && plausible(o) }):
		p.Status = component.Status{Condition: component.OK, InputLost: true}
	}
}
