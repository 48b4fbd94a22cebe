package ipmi

import (
	"testing"

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
