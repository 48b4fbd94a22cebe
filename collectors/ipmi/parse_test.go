package ipmi

import (
	"testing"

	"github.com/bougou/go-ipmi/pkg/types"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

func states(bits ...int) reading {
	r := reading{valid: true}
	for _, b := range bits {
		r.states |= 1 << b
	}
	return r
}

func supplySensor(number, instance byte, name string) sensor {
	return sensor{number: number, owner: bmcAddress, entity: entityPowerSupply, instance: instance, name: name, kind: typePowerSupply, event: eventSpecific}
}

// TestSupplyStates is the table of sensor type 08h, event type 6Fh, as this project reads it.
func TestSupplyStates(t *testing.T) {
	for name, c := range map[string]struct {
		first, second reading // the second supply is the one asked about
		want          component.Status
	}{
		"present":                   {states(0), states(0), component.Status{Condition: component.OK}},
		"failed":                    {states(0), states(0, 1), component.Status{Condition: component.Failed}},
		"will fail":                 {states(0), states(0, 2), component.Status{Condition: component.Impaired, Predicted: true}},
		"cord pulled":               {states(0), states(0, 3), component.Status{Condition: component.OK, InputLost: true}},
		"input out of range":        {states(0), states(0, 5), component.Status{Condition: component.Impaired}},
		"mixed models":              {states(0), states(0, 6), component.Status{Condition: component.Impaired}},
		"cold redundancy":           {states(0), states(0, 7), component.Status{Condition: component.OK, Standby: true}},
		"no bit, neighbour present": {states(0), states(), component.Status{Condition: component.Absent}},
		"no bit anywhere":           {states(), states(), component.Status{}},
		"unavailable":               {states(0), reading{why: "reading unavailable"}, component.Status{}},
	} {
		m := machine{device: "m", chassis: &chassis{on: true},
			sensors: []sensor{supplySensor(1, 1, "PS1 Status"), supplySensor(2, 2, "PS2 Status")}, readings: []reading{c.first, c.second}}
		components := parse(m).components
		if len(components) != 3 {
			t.Fatalf("%s: %d components", name, len(components))
		}
		if got := components[2]; got.ID != "m/psu/2" || got.Status != c.want {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// gauge is a voltage or power sensor whose raw reading counts in units of 2.
func gauge(number, entity byte, name string, unit types.SensorUnitType) sensor {
	full := &types.SDRFull{SensorEventReadingType: types.EventReadingTypeThreshold, SensorUnit: types.SensorUnit{BaseUnit: unit}, ReadingFactors: types.ReadingFactors{M: 2}}
	return sensor{number: number, owner: bmcAddress, entity: entity, instance: 1, name: name, kind: typeVoltage, event: eventThreshold, full: full}
}

// TestOnlyMeasured: supplies that a BMC only measures (AMI) are parts of which nobody says how they are; one without voltage at its
// input, beside one that has, has lost it.
func TestOnlyMeasured(t *testing.T) {
	for name, c := range map[string]struct {
		first, second byte // V/2 at the inputs
		want          component.Status
	}{
		"both live":   {115, 114, component.Status{}},
		"cord pulled": {115, 0, component.Status{Condition: component.OK, InputLost: true}},
		"none live":   {0, 0, component.Status{}},
	} {
		m := machine{device: "m", chassis: &chassis{on: true}, sensors: []sensor{
			gauge(1, 7, "PSU1_VIN", types.SensorUnitType_Volts), gauge(2, 7, "PSU2_VIN", types.SensorUnitType_Volts),
			gauge(3, 7, "PSU2_PIN", types.SensorUnitType_Watts), gauge(4, 7, "P12V", types.SensorUnitType_Volts), gauge(5, 7, "PSU3 Temp", types.SensorUnitType_DegreesC),
		}}
		for _, raw := range []byte{c.first, c.second, 40, 6, 20} {
			m.readings = append(m.readings, reading{valid: true, raw: raw})
		}
		components := parse(m).components
		if len(components) != 3 {
			t.Fatalf("%s: %d components", name, len(components))
		}
		got := components[2]
		if got.ID != "m/psu/2" || got.Status != c.want || got.Why == "" || len(got.Readings) != 2 || got.Readings[0].Name != "input_power" || got.Readings[0].Value != 80 {
			t.Errorf("%s: got %+v", name, got)
		}
		if components[1].Status != (component.Status{}) {
			t.Errorf("%s: the first is %+v", name, components[1].Status)
		}
	}
}

func TestScanningDisabledIsNoSupply(t *testing.T) {
	m := machine{device: "m", sensors: []sensor{supplySensor(1, 1, "PSU 1 Status"), supplySensor(2, 3, "PSU 3 Status")},
		readings: []reading{states(0), {why: "scanning disabled"}}}
	if components := parse(m).components; len(components) != 2 {
		t.Fatalf("got %d components, want the host and one supply", len(components))
	}
}

// TestNamesRepeat: two sensors called "Status" belong to two supplies, by their entity (Dell), and a nameless voltage
// goes to the supply of its entity.
func TestNamesRepeat(t *testing.T) {
	m := machine{device: "m", sensors: []sensor{supplySensor(1, 1, "Status"), supplySensor(2, 2, "Status")}, readings: []reading{states(0), states(0, 3)}}
	components := parse(m).components
	if len(components) != 3 || components[1].ID != "m/psu/1" || components[2].ID != "m/psu/2" || !components[2].InputLost || components[1].InputLost {
		t.Fatalf("got %+v", components)
	}
}

func TestRedundancyStates(t *testing.T) {
	for want, r := range map[snapshot.ClaimState]reading{
		snapshot.ClaimFull: states(0), snapshot.ClaimLost: states(1), snapshot.ClaimDegraded: states(2), snapshot.ClaimInsuff: states(5, 1), snapshot.ClaimNone: states(),
	} {
		x := sensor{owner: bmcAddress, entity: entityPowerManagement, instance: 1, name: "Pwr Unit Redund", kind: typePowerUnit, event: eventRedundancy}
		m := machine{device: "m", sensors: []sensor{supplySensor(1, 1, "PS1 Status"), x}, readings: []reading{states(0), r}}
		claims := parse(m).claims
		if len(claims) != 1 || claims[0].State != want || claims[0].Group != "m/group/psu" || len(claims[0].Members) != 1 {
			t.Errorf("%v: got %+v", want, claims)
		}
	}
}

func TestDecodeReading(t *testing.T) {
	r := decodeReading([]byte{0x00, 0xc0, 0x09, 0x80})
	if !r.has(0) || !r.has(3) || r.has(1) || r.states != 9 {
		t.Errorf("presence and input lost: got %+v", r)
	}
	for _, b := range [][]byte{nil, {0}, {0, 0x80}, {0, 0xe0, 1, 0}} {
		if r := decodeReading(b); r.valid || r.why == "" {
			t.Errorf("% x: got %+v, want not valid and why", b, r)
		}
	}
}

// proliant is an HP ProLiant with iLO 2, as ipmitool shows one: its supplies' sensor of redundancy is on their entity with a
// number of its own, its fans tell their availability and a percentage.
func proliant(first, second reading, redundancy, fan reading) machine {
	m := machine{device: "m", chassis: &chassis{on: true}, sensors: []sensor{
		supplySensor(6, 1, "Power Supply 1"), supplySensor(7, 2, "Power Supply 2"),
		{number: 8, owner: bmcAddress, entity: entityPowerSupply, instance: 3, name: "Power Supplies", kind: typePowerSupply, event: eventRedundancy},
		{number: 1, owner: bmcAddress, entity: 9, instance: 1, name: "VRM 1", kind: typePowerUnit, event: eventPresence},
		{number: 9, owner: bmcAddress, entity: 7, instance: 1, name: "Fan Block 1", kind: typeFan, event: eventAvailable},
		{number: 10, owner: bmcAddress, entity: 7, instance: 2, name: "Fan Block 2", kind: typeFan, event: eventAvailable},
		{number: 11, owner: bmcAddress, entity: 7, instance: 7, name: "Fans", kind: typeFan, event: eventRedundancy},
	}}
	m.readings = []reading{first, second, redundancy, states(1), states(0), fan, states(0)}
	return m
}

func TestProLiant(t *testing.T) {
	got := parse(proliant(states(0, 1), states(0), states(3), states(6)))
	want := map[component.ID]component.Condition{"m/host/1": component.OK, "m/psu/1": component.Failed, "m/psu/2": component.OK, "m/fan/1": component.OK, "m/fan/2": component.Impaired}
	if len(got.components) != len(want) {
		t.Errorf("%d components: %+v", len(got.components), got.components)
	}
	for _, c := range got.components {
		if w, ok := want[c.ID]; !ok || c.Condition != w {
			t.Errorf("%s is %v (%s), want %v", c.ID, c.Condition, c.Why, w)
		}
	}
	if len(got.claims) != 2 || got.claims[0].Kind != component.PSU || got.claims[0].State != snapshot.ClaimLost || len(got.claims[0].Members) != 2 || got.claims[1].State != snapshot.ClaimFull {
		t.Errorf("claims %+v", got.claims)
	}
}

// TestOtherNames: what makers call a supply's sensors.
func TestOtherNames(t *testing.T) {
	for name, want := range map[string]string{
		"PS1 Status": "1", "PSU1_STATUS": "1", "PSU 2 Status": "2", "Power Supply 1": "1", "PwrSupply1 Stat": "1", "P/S 2 Status": "2", "PSU Status 2": "2",
		"PS-01": "1", "Pwr Supply 2 FRU": "2", "FAN PSU1": "1", "PSU Redundancy": "", "Power Supplies": "", "PSU Mismatch": "", "SYS_PSU2": "2",
	} {
		got := ""
		if m := supplyNumber.FindStringSubmatch(name); m != nil {
			got = m[1]
		}
		if got != want {
			t.Errorf("%q is supply %q, want %q", name, got, want)
		}
	}
}

// TestFaultsBesideTheStatus: an IBM System x has a sensor for each thing that may be wrong with a supply.
func TestFaultsBesideTheStatus(t *testing.T) {
	m := machine{device: "m", sensors: []sensor{
		supplySensor(1, 1, "Power Supply 1"),
		{number: 2, owner: bmcAddress, entity: entityPowerSupply, instance: 1, name: "PS 1 Fan Fault", kind: typeFan, event: eventDigital},
		{number: 3, owner: bmcAddress, entity: entityPowerSupply, instance: 1, name: "PS1 12V OV Fault", kind: typePowerSupply, event: eventDigital},
		{number: 4, owner: bmcAddress, entity: entityPowerSupply, instance: 1, name: "PS 1 Therm Fault", kind: typeTemperature, event: eventPredictive},
	}, readings: []reading{states(0), states(0), states(0), states(0)}}
	if c := parse(m).components[1]; c.ID != "m/psu/1" || c.Condition != component.OK {
		t.Fatalf("well: %+v", c)
	}
	m.readings[1] = states(1)
	if c := parse(m).components[1]; c.Condition != component.Impaired {
		t.Errorf("its fan fails: %+v", c.Status)
	}
	m.readings[1], m.readings[3] = states(0), states(1)
	if c := parse(m).components[1]; c.Condition != component.Impaired || !c.Predicted {
		t.Errorf("it will fail: %+v", c.Status)
	}
	m.readings[0] = states()
	if c := parse(m).components[1]; c.Condition == component.OK {
		t.Errorf("no state at all, and one that will fail: %+v", c.Status)
	}
}

func TestUUID(t *testing.T) {
	want := "12345678-9abc-4def-8123-010203040506"
	for name, b := range map[string][]byte{
		"SMBIOS":   {0x78, 0x56, 0x34, 0x12, 0xbc, 0x9a, 0xef, 0x4d, 0x81, 0x23, 1, 2, 3, 4, 5, 6},
		"RFC 4122": {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0x4d, 0xef, 0x81, 0x23, 1, 2, 3, 4, 5, 6},
		"IPMI":     {6, 5, 4, 3, 2, 1, 0x23, 0x81, 0xef, 0x4d, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12},
	} {
		if got := uuid(b); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := uuid(make([]byte, 16)); got != "" {
		t.Errorf("nothing: %s", got)
	}
}
