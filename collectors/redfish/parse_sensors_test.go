package redfish

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// rails makes a Power resource of voltages only.
func rails(each ...string) string {
	return `{"@odata.id":"` + powerAt + `","PowerControl":[{"PowerConsumedWatts":300}],"Voltages":[` + strings.Join(each, ",") + `]}`
}

// TestOnlyMeasured goes through what voltages say of supplies that are not listed.
func TestOnlyMeasured(t *testing.T) {
	const (
		fine = `"Status":{"State":"Enabled","Health":"OK"}}`
		bad  = `"Status":{"State":"Enabled","Health":"Critical"}}`
		none = `"Status":{"State":"Absent"}}`
		two  = `{"Name":"PSU2_VIN","ReadingVolts":231,` + fine
	)
	for _, c := range []struct {
		name   string
		first  []string
		want   string
		volts  float64
		reason string
	}{
		{"measured, and nothing said", []string{`{"Name":"PSU1_VIN","ReadingVolts":230,` + fine, `{"Name":"PSU1_VOUT","ReadingVolts":12.1,` + fine}, "unknown", 230, "PSU1_VIN is 230 V, PSU1_VOUT is 12.1 V"},
		{"the cord is out", []string{`{"Name":"PSU1_VIN","ReadingVolts":0,` + bad}, "ok+input_lost", 0, "Health Critical"},
		{"it gives nothing, with input", []string{`{"Name":"PSU1_VIN","ReadingVolts":230,` + fine, `{"Name":"PSU1_VOUT","ReadingVolts":0,` + bad}, "failed", 230, "PSU1_VOUT is 0 V"},
		{"no reading", []string{`{"Name":"PSU1_VIN","ReadingVolts":null,"Status":{"State":"Disabled"}}`}, "unknown", -1, "Disabled"},
		{"an empty bay", []string{`{"Name":"PSU1_VIN","ReadingVolts":null,` + none, `{"Name":"PSU1_VOUT",` + none}, "absent", -1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := look(t, map[string]string{powerAt: rails(append(c.first, two, `{"Name":"P12V","ReadingVolts":12,`+fine)...)})
			p := find(t, s, "psu/1")
			if how(p) != c.want || !strings.Contains(p.Why, c.reason) {
				t.Errorf("got %s (%s), want %s", how(p), p.Why, c.want)
			}
			if how(find(t, s, "psu/2")) != "unknown" {
				t.Error("the other is not unknown")
			}
			for _, r := range p.Readings {
				if r.Name == "input_voltage" && float64(r.Value) != c.volts {
					t.Errorf("input voltage %v, want %v", r.Value, c.volts)
				}
			}
		})
	}
}

// TestOnlyMeasuredStale: a supply that is only known by its sensors does not go away with them.
func TestOnlyMeasuredStale(t *testing.T) {
	tr := grow(t, map[string]string{powerAt: rails(`{"Name":"PSU1_VIN","ReadingVolts":0}`, `{"Name":"PSU2_VIN","ReadingVolts":230}`)})
	tr.entries[powerAt].stale, tr.entries[powerAt].why = true, "no answer"
	p := find(t, parse(tr, "srv-1"), "psu/1")
	if how(p) != "unknown" || len(p.Readings) > 0 {
		t.Errorf("got %s with %v, want unknown without readings", how(p), p.Readings)
	}
}

// TestSensorCollection: what a chassis without Power and PowerSubsystem measures of its supplies.
func TestSensorCollection(t *testing.T) {
	const at = "/redfish/v1/Chassis/1/Sensors"
	s := look(t, map[string]string{
		"/redfish/v1/Chassis/1": `{"@odata.id":"/redfish/v1/Chassis/1","Links":{"ComputerSystems":[{"@odata.id":"/redfish/v1/Systems/1"}]},"Sensors":{"@odata.id":"` + at + `"}}`,
		at:                      `{"Members":[{"@odata.id":"` + at + `/154"},{"@odata.id":"` + at + `/PSU2_PIN"},{"@odata.id":"` + at + `/CPU1_VIN"}]}`,
		at + "/154":             `{"@odata.id":"` + at + `/154","Name":"PSU1 Input Power","Reading":120,"ReadingUnits":"W","Status":{"State":"Enabled","Health":"OK"}}`,
		at + "/PSU2_PIN":        `{"@odata.id":"` + at + `/PSU2_PIN","Name":"x","Reading":130,"Status":{"State":"Enabled","Health":"OK"}}`,
		at + "/CPU1_VIN":        `{"@odata.id":"` + at + `/CPU1_VIN","Name":"CPU1 VIN","Reading":12}`,
	})
	for id, watts := range map[string]float64{"psu/1": 120, "psu/2": 130} {
		if p := find(t, s, id); how(p) != "unknown" || len(p.Readings) != 1 || float64(p.Readings[0].Value) != watts {
			t.Errorf("%s: %s, %v; want unknown and %g W", id, how(p), p.Readings, watts)
		}
	}
}

// TestLinkedSensors: a supply without metrics that links to sensors (Lite-On), and one beside which its chassis measures (Fujitsu).
func TestLinkedSensors(t *testing.T) {
	const sub, sensors = "/redfish/v1/Chassis/1/PowerSubsystem", "/redfish/v1/Chassis/1/Sensors"
	tree := map[string]string{
		sub:                       `{"PowerSupplies":{"@odata.id":"` + sub + `/PowerSupplies"}}`,
		sub + "/PowerSupplies":    `{"Members":[{"@odata.id":"` + sub + `/PowerSupplies/0"}]}`,
		sub + "/PowerSupplies/0":  `{"@odata.id":"` + sub + `/PowerSupplies/0","Id":"0","Name":"Power Supply 0","Status":{"State":"Enabled","Health":"OK"},"Sensors":[{"@odata.id":"` + sensors + `/power_p0_pin"},{"@odata.id":"` + sensors + `/voltage_p0_vin"},{"@odata.id":"` + sensors + `/power_p0_pout"},{"@odata.id":"` + sensors + `/fantach_p0_fan1"}]}`,
		sensors + "/power_p0_pin": `{"Reading":700}`, sensors + "/voltage_p0_vin": `{"Reading":240}`, sensors + "/power_p0_pout": `{"Reading":650}`,
	}
	p := find(t, look(t, tree), "psu/0")
	if got := readings(p); got != "input_power 700 W, output_power 650 W, input_voltage 240 V" {
		t.Errorf("linked sensors: %s", got)
	}
	fujitsu := strings.Replace(supplies(
		`{"Status":{"State":"Enabled","Health":"OK"},"PowerCapacityWatts":900}`, `{"Status":{"State":"Enabled","Health":"OK"},"PowerCapacityWatts":900}`,
	), `"PowerSupplies"`, `"Oem":{"ts_fujitsu":{"ChassisPowerConsumption":{"CurrentPowerConsumptionW":150},"ChassisPowerSensors":[
		{"Designation":"PSU1 Power","CurrentPowerConsumptionW":80,"LegacyStatus":"OK"},{"Designation":"PSU2 Power","CurrentPowerConsumptionW":70},{"Designation":"Total Power","CurrentPowerConsumptionW":150}]}},"PowerSupplies"`, 1)
	s := look(t, map[string]string{powerAt: fujitsu})
	for id, want := range map[string]string{"psu/1": "input_power 80 W", "psu/2": "input_power 70 W", "host/1": "input_power 150 W"} {
		if got := readings(find(t, s, id)); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}

func readings(c component.Component) string {
	var all []string
	for _, r := range c.Readings {
		all = append(all, r.Name+" "+fmt.Sprint(float64(r.Value))+" "+r.Unit)
	}
	return strings.Join(all, ", ")
}
