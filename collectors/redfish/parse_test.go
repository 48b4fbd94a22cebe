package redfish

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/conformance"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// grow makes a tree of texts, by path. What is not given of a server with one chassis is filled in.
func grow(t testing.TB, texts map[string]string) *tree {
	t.Helper()
	base := map[string]string{
		"/redfish/v1":           `{"@odata.id":"/redfish/v1/","Systems":{"@odata.id":"/redfish/v1/Systems"},"Chassis":{"@odata.id":"/redfish/v1/Chassis"}}`,
		"/redfish/v1/Systems":   `{"Members":[{"@odata.id":"/redfish/v1/Systems/1"}]}`,
		"/redfish/v1/Systems/1": `{"@odata.id":"/redfish/v1/Systems/1","PowerState":"On","Status":{"State":"Enabled","Health":"OK"},"Storage":{"@odata.id":"/redfish/v1/Systems/1/Storage"}}`,
		"/redfish/v1/Chassis":   `{"Members":[{"@odata.id":"/redfish/v1/Chassis/1"}]}`,
		"/redfish/v1/Chassis/1": `{"@odata.id":"/redfish/v1/Chassis/1","ChassisType":"RackMount","Links":{"ComputerSystems":[{"@odata.id":"/redfish/v1/Systems/1"}]},
			"Power":{"@odata.id":"/redfish/v1/Chassis/1/Power"},"Thermal":{"@odata.id":"/redfish/v1/Chassis/1/Thermal"},
			"PowerSubsystem":{"@odata.id":"/redfish/v1/Chassis/1/PowerSubsystem"},"ThermalSubsystem":{"@odata.id":"/redfish/v1/Chassis/1/ThermalSubsystem"}}`,
	}
	for p, text := range texts {
		base[p] = text
	}
	tr := newTree()
	for p, text := range base {
		v, err := parseJSON([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		tr.entries[p] = &entry{path: p, body: v}
	}
	return tr
}

func look(t testing.TB, texts map[string]string) *snapshot.Snapshot {
	t.Helper()
	s := parse(grow(t, texts), "srv-1")
	s.Target, s.Reachable, s.At = "redfish://srv-1", true, epoch
	conformance.Check(t, collectors.Target{Device: "srv-1"}, s)
	return s
}

func find(t testing.TB, s *snapshot.Snapshot, id string) component.Component {
	t.Helper()
	for _, c := range s.Components {
		if c.ID == component.ID("srv-1/"+id) {
			return c
		}
	}
	t.Fatalf("there is no %s in\n%s", id, show(s))
	return component.Component{}
}

const powerAt = "/redfish/v1/Chassis/1/Power"

// supplies makes a Power resource of supplies.
func supplies(each ...string) string {
	for i := range each {
		if !strings.Contains(each[i], "MemberId") {
			each[i] = fmt.Sprintf(`{"@odata.id":"%s#/PowerSupplies/%d","MemberId":"%d","Name":"PSU%d",%s`, powerAt, i, i, i+1, strings.TrimPrefix(each[i], "{"))
		}
	}
	return `{"@odata.id":"` + powerAt + `","PowerSupplies":[` + strings.Join(each, ",") + `]}`
}

// TestSupplyConditions goes through what services are known to say of a supply. The first supply is the one in question,
// the second carries the load.
func TestSupplyConditions(t *testing.T) {
	const neighbour = `{"Status":{"State":"Enabled","Health":"OK"},"LineInputVoltage":230,"LastPowerOutputWatts":180,"SerialNumber":"NEIGHBOUR2"}`
	for _, c := range []struct{ name, supply, want string }{
		{"well", `{"Status":{"State":"Enabled","Health":"OK"},"LineInputVoltage":230,"LastPowerOutputWatts":170}`, "ok"},
		{"absent, called Critical (OpenBMC)", `{"Status":{"State":"Absent","Health":"Critical"}}`, "absent"},
		{"absent, called OK", `{"Status":{"State":"Absent","Health":"OK"}}`, "absent"},
		{"the cord is out (IBM, Dell)", `{"Status":{"State":"UnavailableOffline","Health":"Critical"}}`, "ok+input_lost"},
		{"the cord is out, called Warning", `{"Status":{"State":"UnavailableOffline","Health":"Warning"}}`, "ok+input_lost"},
		{"offline though there is voltage: the supply itself", `{"Status":{"State":"UnavailableOffline","Health":"Critical"},"LineInputVoltage":229}`, "failed"},
		{"a fault inside", `{"Status":{"State":"Enabled","Health":"Critical"},"LineInputVoltage":230}`, "failed"},
		{"Critical, and no voltage while the neighbour has some", `{"Status":{"State":"Enabled","Health":"Critical"},"LineInputVoltage":0}`, "ok+input_lost"},
		{"OK, and no voltage while the neighbour has some", `{"Status":{"State":"Enabled","Health":"OK"},"LineInputVoltage":0,"LastPowerOutputWatts":0}`, "ok+input_lost"},
		{"OK, 0 V, and yet it gives power: 0 V says nothing", `{"Status":{"State":"Enabled","Health":"OK"},"LineInputVoltage":0,"LastPowerOutputWatts":90}`, "ok"},
		{"Health null", `{"Status":{"State":"Enabled","Health":null}}`, "ok"},
		{"Health empty", `{"Status":{"State":"Enabled","Health":""}}`, "ok"},
		{"Health in another case", `{"Status":{"State":"Enabled","Health":"Ok"}}`, "ok"},
		{"keys in another case (Cisco)", `{"Status":{"state":"Enabled"}}`, "ok"},
		{"Status without State (Cray EX4252)", `{"Status":{"Health":"OK"}}`, "ok"},
		{"no Status (Gigabyte)", `{}`, "unknown"},
		{"Status is a word", `{"Status":"OK"}`, "ok"},
		{"Status is a bad word", `{"Status":"Critical"}`, "failed"},
		{"Status is null", `{"Status":null}`, "unknown"},
		{"State Present (AMI)", `{"Status":{"State":"Present","Health":"OK"}}`, "ok"},
		{"State Standby, PowerState true (Lite-On shelf)", `{"PowerState":true,"Status":{"State":"Standby","Health":"OK"}}`, "ok+standby"},
		{"State Sleep, PowerState Off (Lite-On shelf)", `{"PowerState":"Off","Status":{"State":"Sleep","Health":"OK"}}`, "ok+standby"},
		{"StandbySpare", `{"Status":{"State":"StandbySpare","Health":"OK"}}`, "ok+standby"},
		{"0 W while the other carries the load (HPE)", `{"Status":{"State":"Enabled","Health":"OK"},"LineInputVoltage":205,"LastPowerOutputWatts":0}`, "ok+standby"},
		{"disabled and Warning (DMTF)", `{"Status":{"State":"Disabled","Health":"Warning"}}`, "failed"},
		{"disabled and OK", `{"Status":{"State":"Disabled","Health":"OK"}}`, "unknown"},
		{"a word that nobody knows", `{"Status":{"State":"Frobnicating"}}`, "unknown"},
		{"a word that nobody knows, and OK", `{"Status":{"State":"Frobnicating","Health":"OK"}}`, "ok"},
		{"starting", `{"Status":{"State":"Starting","Health":"OK"}}`, "unknown"},
		{"LineInputStatus LossOfInput", `{"LineInputStatus":"LossOfInput","Status":{"State":"Enabled","Health":"Critical"}}`, "ok+input_lost"},
		{"LineInputStatus OutOfRange", `{"LineInputStatus":"OutOfRange","Status":{"State":"Enabled","Health":"OK"}}`, "impaired"},
		{"13 V, and says that it is well (Intel)", `{"Status":{"State":"Enabled","Health":"OK"},"LineInputVoltage":13}`, "ok+input_lost"},
		{"572 V, and says that it is well (Intel)", `{"Status":{"State":"Enabled","Health":"OK"},"LineInputVoltage":572}`, "impaired"},
		{"277 V", `{"Status":{"State":"Enabled","Health":"OK"},"LineInputVoltage":277,"LastPowerOutputWatts":20}`, "ok"},
		{"-48 V", `{"Status":{"State":"Enabled","Health":"OK"},"LineInputVoltage":-48,"LineInputVoltageType":"DCNeg48V","LastPowerOutputWatts":20}`, "ok"},
		{"380 V DC", `{"Status":{"State":"Enabled","Health":"OK"},"LineInputVoltage":380,"LineInputVoltageType":"DC380V","LastPowerOutputWatts":20}`, "ok"},
		{"voltage in millivolts (iLO 6)", `{"Status":{"State":"Enabled","Health":"OK"},"LineInputVoltage":229000,"LastPowerOutputWatts":20}`, "ok"},
		{"the sentinel 65535 (iLO 6)", `{"Status":{"State":"Enabled","Health":"OK"},"LineInputVoltage":65535,"LastPowerOutputWatts":65535}`, "ok"},
		{"-1 for what is not known", `{"Status":{"State":"Enabled","Health":"OK"},"LineInputVoltage":-1,"LastPowerOutputWatts":-1}`, "ok"},
		{"predicted to fail, in Conditions", `{"Status":{"State":"Enabled","Health":"Warning","Conditions":[{"MessageId":"Power.1.0.PowerSupplyPredictiveFailure","Message":"it will fail"}]}}`, "impaired+predicted"},
		{"HPE: noPowerInput", `{"Status":{"State":"Enabled","Health":"Warning"},"Oem":{"Hpe":{"PowerSupplyStatus":{"State":"NoPowerInput"}}}}`, "impaired+input_lost"},
		{"HPE: noPowerInput, called Critical", `{"Status":{"State":"Enabled","Health":"Critical"},"Oem":{"Hpe":{"PowerSupplyStatus":{"State":"NoPowerInput"}}}}`, "ok+input_lost"},
		{"HPE: FanFailure", `{"Status":{"State":"Enabled","Health":"OK"},"Oem":{"Hpe":{"PowerSupplyStatus":{"State":"FanFailure"}}}}`, "failed"},
		{"the word of Cisco's of its own", `{"Status":{"State":"Enabled"},"Oem":{"Cisco":{}}}`, "ok"},
		{"HPE: Unknown says nothing new", `{"Status":{"State":"Enabled","Health":"OK"},"Oem":{"Hpe":{"PowerSupplyStatus":{"State":"Unknown"}}}}`, "ok"},
		{"Dell: AC lost", `{"Status":{"State":"Enabled","Health":"Critical"},"Oem":{"Dell":{"DellPowerSupplyView":{"DetailedState":"Power Supply AC lost"}}}}`, "ok+input_lost"},
		{"Dell: presence and failure", `{"Status":{"State":"Enabled","Health":"Critical"},"Oem":{"Dell":{"DellPowerSupplyView":{"DetailedState":"Failure Detected"}}}}`, "failed"},
		{"Huawei: standby", `{"Status":{"State":"Enabled","Health":"OK"},"Oem":{"Huawei":{"ActiveStandby":"Standby"}}}`, "ok+standby"},
		{"numbers as strings (Cisco)", `{"Status":{"State":"Enabled"},"LineInputVoltage":"240","LastPowerOutputWatts":"71"}`, "ok"},
		{"N/A everywhere", `{"Status":{"State":"Enabled","Health":"OK"},"LineInputVoltage":"N/A","LastPowerOutputWatts":"N/A","PowerCapacityWatts":"N/A"}`, "ok"},
		{"objects where numbers were meant", `{"Status":{"State":"Enabled","Health":"OK"},"LineInputVoltage":{"Reading":230},"LastPowerOutputWatts":[7],"PowerCapacityWatts":true}`, "ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := look(t, map[string]string{powerAt: supplies(strings.Replace(c.supply, "{}", `{"X":1}`, 1), neighbour)})
			psu := find(t, s, "psu/1")
			if got := how(psu); got != c.want {
				t.Errorf("got %s (%s), want %s", got, psu.Why, c.want)
			}
			if how(psu) != "ok" && psu.Why == "" {
				t.Error("it does not say why")
			}
		})
	}
}

// TestPoweredOffHost: a host that is off makes a BMC say little; that is no fault, and no health either.
func TestPoweredOffHost(t *testing.T) {
	s := look(t, map[string]string{
		"/redfish/v1/Systems/1": `{"PowerState":"Off","Status":{"State":"Disabled","Health":"OK"}}`,
		powerAt: supplies(
			`{"Status":{"State":"Disabled","Health":null}}`,
			`{"Status":{"State":"Enabled","Health":"OK"},"LineInputVoltage":230}`,
			`{"Status":{"State":"Enabled","Health":"Critical"}}`),
	})
	for id, want := range map[string]string{"host/1": "unknown", "psu/1": "unknown", "psu/2": "ok", "psu/3": "failed"} {
		if c := find(t, s, id); how(c) != want {
			t.Errorf("%s: got %s (%s), want %s", id, how(c), c.Why, want)
		}
	}
	if s.Device.Powered != "off" {
		t.Errorf("powered %q", s.Device.Powered)
	}
}

func TestReadings(t *testing.T) {
	for _, c := range []struct{ name, supply, reading, want string }{
		{"measured", `{"PowerInputWatts":170,"LastPowerOutputWatts":150}`, "input_power", "170"},
		{"a rated value (Dell, telegraf issue 9575)", `{"PowerCapacityWatts":750,"PowerInputWatts":900,"LastPowerOutputWatts":null}`, "input_power", "unknown"},
		{"a rated value beside a true output (dell-r640)", `{"PowerCapacityWatts":750,"PowerInputWatts":900,"PowerOutputWatts":203}`, "input_power", "unknown"},
		{"its own output before the last (lenovo-sr670v2)", `{"PowerOutputWatts":100,"LastPowerOutputWatts":345}`, "output_power", "100"},
		{"a string", `{"LastPowerOutputWatts":"71"}`, "output_power", "71"},
		{"N/A", `{"LastPowerOutputWatts":"N/A"}`, "output_power", "unknown"},
		{"a sentinel", `{"LastPowerOutputWatts":65535}`, "output_power", "unknown"},
		{"millivolts", `{"LineInputVoltage":231000}`, "input_voltage", "231"},
		{"where vendors keep it", `{"Oem":{"Huawei":{"PowerInputWatts":180}},"LastPowerOutputWatts":160}`, "input_power", "180"},
	} {
		t.Run(c.name, func(t *testing.T) {
			supply := `{"Status":{"State":"Enabled","Health":"OK"},` + strings.TrimPrefix(c.supply, "{")
			s := look(t, map[string]string{powerAt: supplies(supply)})
			psu := find(t, s, "psu/1")
			v, got := psu.Reading(c.reading), "unknown"
			if v.Known() {
				got = fmt.Sprint(float64(v))
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestGroups goes through redundancy objects that are known to mislead.
func TestGroups(t *testing.T) {
	two := supplies(`{"Status":{"State":"Enabled","Health":"OK"}}`, `{"Status":{"State":"Enabled","Health":"OK"}}`)
	set := `"RedundancySet":[{"@odata.id":"` + powerAt + `#/PowerSupplies/0"},{"@odata.id":"` + powerAt + `#/PowerSupplies/1"}]`
	hpe := `,"Oem":{"Hpe":{}}`
	dell := `,"Vendor":"Dell"`
	for _, c := range []struct{ name, vendor, group, want string }{
		{"the literal reading (DMTF, sushy)", "", `{"Mode":"N+m","MinNumNeeded":1,"MaxNumSupported":2,` + set + `,"Status":{"State":"Enabled","Health":"OK"}}`, "psu: full, 1 of 2, members 1 2"},
		{"HPE counts what is needed to be redundant", hpe, `{"Mode":"Failover","MinNumNeeded":2,"MaxNumSupported":2,` + set + `,"Status":{"State":"Enabled","Health":"OK"}}`, "psu: full, 1 of 2, members 1 2"},
		{"Dell R720: 2 of 4 in two bays", dell, `{"Mode":"N+m","MinNumNeeded":2,"MaxNumSupported":4,` + set + `,"Status":{"State":"Enabled","Health":"OK"}}`, "psu: full, 1 of 2, members 1 2"},
		{"2 of 2 and well, whoever says it", "", `{"Mode":"N+m","MinNumNeeded":2,"MaxNumSupported":2,` + set + `,"Status":{"State":"Enabled","Health":"OK"}}`, "psu: full, 1 of 2, members 1 2"},
		{"read literally where both numbers are there (Redundancy 1.7)", "", `{"Mode":"N+m","MinNumNeeded":2,"MinNumNeededForFaultTolerance":3,"MaxNumSupported":2,` + set + `,"Status":{"State":"Enabled","Health":"OK"}}`, "psu: full, 2 of 2, members 1 2"},
		{"an empty set says nothing (Supermicro X10)", "", `{"Mode":"Failover","MinNumNeeded":1,"MaxNumSupported":4,"RedundancySet":[],"Status":{"State":"Enabled","Health":"OK"}}`, "psu: , 0 of 0, members"},
		{"a list of modes (iDRAC 7)", dell, `{"Mode":[{"Member":"N+1"}],"RedundancySet":[],"Status":{"State":"Enabled","Health":"OK"}}`, "psu: , 0 of 0, members"},
		{"Critical while enabled (iDRAC 8)", dell, `{"Mode":"N+m","MinNumNeeded":2,"MaxNumSupported":4,` + set + `,"Status":{"State":"Enabled","Health":"Critical"}}`, "psu: lost, 1 of 2, members 1 2"},
		{"2 of 2 while one has failed: it cannot need more than when it was well", "", `{"Mode":"N+m","MinNumNeeded":2,"MaxNumSupported":2,` + set + `,"Status":{"State":"Enabled","Health":"Critical"}}`, "psu: lost, 1 of 2, members 1 2"},
		{"disabled", "", `{"Mode":"N+m","MinNumNeeded":1,"MaxNumSupported":2,` + set + `,"Status":{"State":"Disabled","Health":"OK"}}`, "psu: not-redundant, 1 of 2, members 1 2"},
		{"not enabled", "", `{"Mode":"N+m","RedundancyEnabled":false,` + set + `,"Status":{"State":"Enabled","Health":"OK"}}`, "psu: not-redundant, 0 of 2, members 1 2"},
		{"State and Health disagree (DMTF rackmount1)", "", `{"Mode":"Failover","MinNumNeeded":1,"MaxNumSupported":2,` + set + `,"Status":{"State":"UnavailableOffline","Health":"OK"}}`, "psu: lost, 1 of 2, members 1 2"},
		{"an encoded fragment", "", `{"MinNumNeeded":1,"RedundancySet":[{"@odata.id":"` + powerAt + `%23/PowerSupplies/0"},{"@odata.id":"` + powerAt + `#PowerSupplies/1"}],"Status":{"Health":"Warning"}}`, "psu: degraded, 1 of 2, members 1 2"},
		{"numbers as strings", "", `{"MinNumNeeded":"1","MaxNumSupported":"2",` + set + `,"Status":{"State":"Enabled","Health":"OK"}}`, "psu: full, 1 of 2, members 1 2"},
		{"an object where an array was meant", "", `{"MinNumNeeded":1,"RedundancySet":{"@odata.id":"` + powerAt + `#/PowerSupplies/0"},"Status":{"State":"Enabled","Health":"OK"}}`, "psu: full, 1 of 1, members 1"},
		{"a member that does not exist", "", `{"MinNumNeeded":1,"RedundancySet":[{"@odata.id":"` + powerAt + `#/PowerSupplies/0"},{"@odata.id":"` + powerAt + `#/PowerSupplies/7"}],"Status":{"State":"Enabled","Health":"Critical"}}`, "psu: lost, 1 of 1, members 1"},
		{"no state", "", `{"Mode":"N+m","MinNumNeeded":1,` + set + `}`, "psu: , 1 of 2, members 1 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := look(t, map[string]string{
				"/redfish/v1": `{"Systems":{"@odata.id":"/redfish/v1/Systems"},"Chassis":{"@odata.id":"/redfish/v1/Chassis"}` + c.vendor + `}`,
				powerAt:       strings.TrimSuffix(two, "}") + `,"Redundancy":[` + c.group + `]}`,
			})
			if len(s.Claims) != 1 {
				t.Fatalf("%d claims\n%s", len(s.Claims), show(s))
			}
			k := s.Claims[0]
			got := fmt.Sprintf("%s: %s, %d of %d, members", k.Group.Local(), k.State, k.Needed, k.Designed)
			for _, m := range k.Members {
				got += " " + m.Local()
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s\n%+v", got, c.want, k)
			}
			if k.Raw["source"] == "" {
				t.Error("the claim does not say where it comes from")
			}
		})
	}
}

// TestHostOffGroup: "Disabled" of a group says nothing while the host is off (check_redfish issue 110).
func TestHostOffGroup(t *testing.T) {
	s := look(t, map[string]string{
		"/redfish/v1/Systems/1": `{"PowerState":"Off"}`,
		powerAt: strings.TrimSuffix(supplies(`{"Status":{"State":"Enabled","Health":"OK"}}`, `{"Status":{"State":"Enabled","Health":"OK"}}`), "}") +
			`,"Redundancy":[{"Mode":"N+m","MinNumNeeded":1,"RedundancySet":[{"@odata.id":"` + powerAt + `#/PowerSupplies/0"},{"@odata.id":"` + powerAt + `#/PowerSupplies/1"}],"Status":{"State":"Disabled","Health":"OK"}}]}`,
	})
	if len(s.Claims) != 1 || s.Claims[0].State != snapshot.ClaimNone {
		t.Errorf("%+v", s.Claims)
	}
}

// TestBothForms: the same supplies in Power and in PowerSubsystem are there once, and keep their ids whichever form is
// missing.
func TestBothForms(t *testing.T) {
	older := supplies(`{"MemberId":"0","Name":"HpeServerPowerSupply","SerialNumber":"AAAA1","Oem":{"Hpe":{"BayNumber":1}},"Status":{"State":"Enabled","Health":"OK"},"LastPowerOutputWatts":90}`,
		`{"MemberId":"1","Name":"HpeServerPowerSupply","SerialNumber":"AAAA2","Oem":{"Hpe":{"BayNumber":2}},"Status":{"State":"Enabled","Health":"OK"},"LastPowerOutputWatts":80}`)
	const sub = "/redfish/v1/Chassis/1/PowerSubsystem"
	newer := func(state1 string) map[string]string {
		return map[string]string{
			sub:                               `{"PowerSupplies":{"@odata.id":"` + sub + `/PowerSupplies"},"PowerSupplyRedundancy":[{"MinNeededInGroup":2,"MaxSupportedInGroup":2,"RedundancyGroup":[{},{}],"RedundancyType":"Failover","Status":{"State":"Enabled","Health":"OK"}}]}`,
			sub + "/PowerSupplies":            `{"Members":[{"@odata.id":"` + sub + `/PowerSupplies/0"},{"@odata.id":"` + sub + `/PowerSupplies/1"}]}`,
			sub + "/PowerSupplies/0":          `{"@odata.id":"` + sub + `/PowerSupplies/0","Id":"0","SerialNumber":"AAAA1","Oem":{"Hpe":{"BayNumber":1}},"Status":` + state1 + `}`,
			sub + "/PowerSupplies/1":          `{"@odata.id":"` + sub + `/PowerSupplies/1","Id":"1","SerialNumber":"AAAA2","Oem":{"Hpe":{"BayNumber":2}},"Status":{"State":"Enabled","Health":"OK"},"Metrics":{"@odata.id":"` + sub + `/PowerSupplies/1/Metrics"}}`,
			sub + "/PowerSupplies/1/Metrics":  `{"InputPowerWatts":{"Reading":0.0},"OutputPowerWatts":{"Reading":0.0},"InputVoltage":{"Reading":0.0}}`,
			"/redfish/v1/Chassis/1/Thermal":   `{"Fans":[]}`,
			"/redfish/v1/Chassis/1/Unrelated": `{}`,
		}
	}
	with := func(m map[string]string, more ...string) map[string]string {
		out := map[string]string{}
		for k, v := range m {
			out[k] = v
		}
		for i := 0; i+1 < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	enabled := `{"State":"Enabled","Health":"OK"}`
	for _, c := range []struct {
		name  string
		texts map[string]string
		psu1  string
	}{
		{"only the older", map[string]string{powerAt: older}, "ok"},
		{"only the newer", newer(enabled), "ok"},
		{"both", with(newer(enabled), powerAt, older), "ok"},
		{"iLO 6 calls populated bays absent in the newer", with(newer(`{"State":"Absent"}`), powerAt, older), "ok"},
		{"they differ: the worse counts", with(newer(`{"State":"Enabled","Health":"Warning"}`), powerAt, older), "impaired"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := look(t, c.texts)
			if got := how(find(t, s, "psu/1")); got != c.psu1 {
				t.Errorf("psu/1 is %s, want %s", got, c.psu1)
			}
			if got := how(find(t, s, "psu/2")); got != "ok" {
				t.Errorf("psu/2 is %s: zeros in Metrics must not count", got)
			}
			n := 0
			for _, k := range s.Components {
				if k.Kind == component.PSU {
					n++
				}
			}
			if n != 2 {
				t.Errorf("%d supplies\n%s", n, show(s))
			}
		})
	}
	s := look(t, with(newer(enabled), powerAt, strings.TrimSuffix(older, "}")+`,"Redundancy":[{"MinNumNeeded":2,"MaxNumSupported":2,"Mode":"Failover",
		"RedundancySet":[{"@odata.id":"`+powerAt+`#PowerSupplies/0"},{"@odata.id":"`+powerAt+`#PowerSupplies/1"}],"Status":{"State":"Enabled","Health":"OK"}}]}`))
	if len(s.Claims) != 1 || len(s.Claims[0].Members) != 2 || s.Claims[0].Raw["also"] == "" {
		t.Errorf("two forms of one group: %+v", s.Claims)
	}
}

// TestSharedSupplies: one supply seen by several chassis is there once; supplies of one listing that share a dummy
// serial number are there each.
func TestSharedSupplies(t *testing.T) {
	node := func(n int, serials ...string) (string, string) {
		at := fmt.Sprintf("/redfish/v1/Chassis/Node%d", n)
		var list []string
		for i, s := range serials {
			list = append(list, fmt.Sprintf(`{"@odata.id":"%s/Power#/PowerSupplies/%d","MemberId":"%d","Name":"PSU%d","SerialNumber":"%s","Status":{"State":"Enabled","Health":"OK"}}`, at, i, i, i+1, s))
		}
		return fmt.Sprintf(`{"ChassisType":"Sled","Power":{"@odata.id":"%s/Power"},"Links":{"ContainedBy":{"@odata.id":"/redfish/v1/Chassis/Box"}}}`, at),
			`{"PowerSupplies":[` + strings.Join(list, ",") + `]}`
	}
	for _, c := range []struct {
		name string
		a, b []string
		want int
	}{
		{"shared by two nodes", []string{"S-0001", "S-0002"}, []string{"S-0001", "S-0002"}, 2},
		{"each node its own", []string{"S-0001"}, []string{"S-0002"}, 2},
		{"dummies", []string{"REDACTED", "REDACTED"}, []string{"REDACTED"}, 3},
		{"a number that all of one listing share", []string{"X-1234", "X-1234"}, nil, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			ca, pa := node(0, c.a...)
			cb, pb := node(1, c.b...)
			s := look(t, map[string]string{
				"/redfish/v1/Chassis":             `{"Members":[{"@odata.id":"/redfish/v1/Chassis/Box"},{"@odata.id":"/redfish/v1/Chassis/Node0"},{"@odata.id":"/redfish/v1/Chassis/Node1"}]}`,
				"/redfish/v1/Chassis/Box":         `{"ChassisType":"Enclosure","Status":{"State":"Enabled","Health":"OK"}}`,
				"/redfish/v1/Chassis/Node0":       ca,
				"/redfish/v1/Chassis/Node1":       cb,
				"/redfish/v1/Chassis/Node0/Power": pa,
				"/redfish/v1/Chassis/Node1/Power": pb,
			})
			n := 0
			for _, k := range s.Components {
				if k.Kind == component.PSU {
					n++
				}
			}
			if n != c.want {
				t.Errorf("%d supplies, want %d\n%s", n, c.want, show(s))
			}
		})
	}
}

// TestTheSameShelfTwice: a power shelf that its service shows under two names, with its serial numbers taken out; and two
// shelves that are two.
func TestTheSameShelfTwice(t *testing.T) {
	for _, c := range []struct {
		names  []string
		supply int
		claims int
	}{{[]string{"PowerShelf_0", "powershelf"}, 3, 0}, {[]string{"PowerShelf_0", "PowerShelf_1"}, 6, 2}} {
		texts := map[string]string{
			"/redfish/v1":         `{"Chassis":{"@odata.id":"/redfish/v1/Chassis"}}`,
			"/redfish/v1/Chassis": `{"Members":[{"@odata.id":"/redfish/v1/Chassis/` + c.names[0] + `"},{"@odata.id":"/redfish/v1/Chassis/` + c.names[1] + `"}]}`,
		}
		for _, n := range c.names {
			at := "/redfish/v1/Chassis/" + n
			texts[at] = `{"@odata.id":"` + at + `","ChassisType":"Shelf","Manufacturer":"LITE-ON","Model":"PF-1333-7RB","PartNumber":"PF-1333-7RB","SerialNumber":"REDACTED","Status":{"State":"Standby","Health":"OK"},"PowerSubsystem":{"@odata.id":"` + at + `/PowerSubsystem"}}`
			texts[at+"/PowerSubsystem"] = `{"PowerSupplies":{"@odata.id":"` + at + `/PowerSubsystem/PowerSupplies"}}`
			members := []string{}
			for i := range 3 {
				p := fmt.Sprintf("%s/PowerSubsystem/PowerSupplies/%d", at, i)
				members = append(members, `{"@odata.id":"`+p+`"}`)
				texts[p] = fmt.Sprintf(`{"@odata.id":"%s","Id":"%d","Name":"Power Supply %d","CapacityWatts":"5500","PowerState":true,"SerialNumber":"REDACTED","Location":{"ServiceLabel":"PSU %d"},"Status":{"State":"Standby","Health":"OK"}}`, p, i, i, i)
			}
			texts[at+"/PowerSubsystem/PowerSupplies"] = `{"Members":[` + strings.Join(members, ",") + `]}`
		}
		s := look(t, texts)
		n := 0
		for _, k := range s.Components {
			if k.Kind == component.PSU {
				n++
				if how(k) != "ok+standby" || k.Rating == nil || k.Rating.Watts != 5500 {
					t.Errorf("%s is %s, %v", k.ID, how(k), k.Rating)
				}
			}
		}
		if n != c.supply || len(s.Claims) != c.claims {
			t.Errorf("%v: %d supplies and %d claims, want %d and %d\n%s", c.names, n, len(s.Claims), c.supply, c.claims, show(s))
		}
	}
}

// TestWhereItStands: what a blade's BMC shows of its enclosure is told apart from what is its own, and from a rack.
func TestWhereItStands(t *testing.T) {
	const own, box = "/redfish/v1/Chassis/1", "/redfish/v1/Chassis/Box"
	for _, c := range []struct {
		kind         string
		host, shared string
	}{{"Enclosure", "BOX-4711", "BOX-4711"}, {"Rack", "", ""}} {
		s := look(t, map[string]string{
			"/redfish/v1/Chassis": `{"Members":[{"@odata.id":"` + own + `"},{"@odata.id":"` + box + `"}]}`,
			own:                   `{"ChassisType":"Sled","SerialNumber":"SLED-1","Links":{"ComputerSystems":[{"@odata.id":"/redfish/v1/Systems/1"}],"ContainedBy":{"@odata.id":"` + box + `"}},"Power":{"@odata.id":"` + powerAt + `"}}`,
			box:                   `{"ChassisType":"` + c.kind + `","SerialNumber":"BOX-4711","Links":{"Contains":[{"@odata.id":"` + own + `"}]},"Power":{"@odata.id":"` + box + `/Power"}}`,
			powerAt:               supplies(`{"SerialNumber":"OWN-4711","Status":{"State":"Enabled","Health":"OK"}}`),
			box + "/Power":        `{"PowerSupplies":[{"@odata.id":"` + box + `/Power#/PowerSupplies/0","MemberId":"0","Name":"PSU1","SerialNumber":"SHARED-4711","Status":{"State":"Enabled","Health":"OK"}}]}`,
		})
		got := map[string]string{}
		for _, k := range s.Components {
			got[k.Attributes[component.Serial]] = k.Attributes[component.EnclosureSerial]
			if k.Kind == component.Host && k.Attributes[component.EnclosureSerial] != c.host {
				t.Errorf("%s: the host is said to be in %q", c.kind, k.Attributes[component.EnclosureSerial])
			}
		}
		if got["OWN-4711"] != "" || got["SHARED-4711"] != c.shared {
			t.Errorf("%s: %v", c.kind, got)
		}
	}
}

const storageAt = "/redfish/v1/Systems/1/Storage"

// raid makes a storage subsystem with a volume over drives in the given states.
func raid(volume string, drives ...string) map[string]string {
	m := map[string]string{storageAt: `{"Members":[{"@odata.id":"` + storageAt + `/R1"}]}`}
	var list []string
	for i, d := range drives {
		at := fmt.Sprintf("%s/R1/Drives/%d", storageAt, i+1)
		list = append(list, `{"@odata.id":"`+at+`"}`)
		m[at] = fmt.Sprintf(`{"@odata.id":"%s","Id":"%d","Name":"Drive %d","SerialNumber":"SER-%d",%s`, at, i+1, i+1, i+1, strings.TrimPrefix(d, "{"))
	}
	all := strings.Join(list, ",")
	m[storageAt+"/R1"] = `{"Id":"R1","Drives":[` + all + `],"Volumes":{"@odata.id":"` + storageAt + `/R1/Volumes"},"StorageControllers":[{"MemberId":"0","Name":"RAID","Status":{"State":"Enabled","Health":"OK"}}]}`
	m[storageAt+"/R1/Volumes"] = `{"Members":[{"@odata.id":"` + storageAt + `/R1/Volumes/1"}]}`
	m[storageAt+"/R1/Volumes/1"] = `{"Id":"1","Name":"vd0","Links":{"Drives":[` + all + `]},` + strings.TrimPrefix(volume, "{")
	return m
}

func TestVolumes(t *testing.T) {
	good, bad := `{"Status":{"State":"Enabled","Health":"OK"}}`, `{"Status":{"State":"Enabled","Health":"Critical"}}`
	named := `{"Status":{"State":"Enabled","Health":"OK"},"Links":{"Volumes":[{"@odata.id":"` + storageAt + `/R1/Volumes/1"}]}}`
	for _, c := range []struct {
		name, volume string
		drives       []string
		state, claim string
	}{
		{"a mirror", `{"RAIDType":"RAID1","Status":{"State":"Enabled","Health":"OK"}}`, []string{good, good}, "ok", "full, 1 of 2"},
		{"a mirror that lost a half", `{"RAIDType":"RAID1","Status":{"State":"Enabled","Health":"Warning"}}`, []string{good, bad}, "impaired", "lost, 1 of 2"},
		{"RAID 5, degraded", `{"RAIDType":"RAID5","Status":{"State":"Enabled","Health":"Warning"}}`, []string{good, good, bad}, "impaired", "lost, 2 of 3"},
		{"RAID 6, degraded: still one to lose", `{"RAIDType":"RAID6","Status":{"State":"Enabled","Health":"Warning"}}`, []string{good, good, good, bad}, "impaired", "degraded, 2 of 4"},
		{"RAID 6, well", `{"RAIDType":"RAID6","Status":{"State":"Enabled","Health":"OK"}}`, []string{good, good, good, good}, "ok", "full, 2 of 4"},
		{"RAID 10: one for sure", `{"RAIDType":"RAID10","Status":{"State":"Enabled","Health":"OK"}}`, []string{good, good, good, good}, "ok", "full, 3 of 4"},
		{"RAID 60: two for sure", `{"RAIDType":"RAID60","Status":{"State":"Enabled","Health":"OK"}}`, []string{good, good, good, good, good, good, good, good}, "ok", "full, 6 of 8"},
		{"RAID 0 has nothing to lose", `{"RAIDType":"RAID0","Status":{"State":"Enabled","Health":"OK"}}`, []string{good, good}, "ok", "not-redundant, 2 of 2"},
		{"RAID 0, failed", `{"RAIDType":"RAID0","Status":{"State":"Enabled","Health":"Critical"}}`, []string{good, bad}, "failed", "insufficient, 2 of 2"},
		{"the level in other words", `{"RAIDType":"RAID-5","Status":{"State":"Enabled","Health":"OK"}}`, []string{good, good, good}, "ok", "full, 2 of 3"},
		{"the level where the vendor keeps it (Huawei)", `{"VolumeType":"NonRedundant","Oem":{"Huawei":{"VolumeRaidLevel":"RAID1"}},"Status":{"State":"Enabled","Health":"OK"}}`, []string{good, good}, "ok", "full, 1 of 2"},
		{"no level", `{"Status":{"State":"Enabled","Health":"OK"}}`, []string{good, good}, "ok", ", 0 of 2"},
		{"RAID 0 of one drive: nothing to lose either (HPE XL675d, Huawei)", `{"RAIDType":"RAID0","Status":{"State":"Enabled","Health":"OK"}}`, []string{good}, "ok", "not-redundant, 1 of 1"},
		{"its drives only among its spans (Huawei)", `{"RAIDType":"RAID1","Status":{"State":"Enabled","Health":"OK"},"Links":{"Drives":[]},"Oem":{"Huawei":{"Spans":[{"SpanName":"Span0","Drives":[{"@odata.id":"` + storageAt + `/R1/Drives/1"},{"@odata.id":"` + storageAt + `/R1/Drives/2"}]}]}}}`, []string{good, good}, "ok", "full, 1 of 2"},
		{"its drives only among its links' spans (Cisco)", `{"RAIDType":"RAID1","Status":{"State":"Enabled","Health":"OK"},"Links":{"Oem":{"Cisco":{"Spans":[{"SpanId":0,"DrivesList":[{"@odata.id":"` + storageAt + `/R1/Drives/1"},{"@odata.id":"` + storageAt + `/R1/Drives/2"}]}]}}},"Oem":{"Cisco":{"VolumeState":"Optimal"}}}`, []string{good, good}, "ok", "full, 1 of 2"},
		{"degraded (Cisco)", `{"RAIDType":"RAID5","Links":{"Oem":{"Cisco":{"Spans":[{"DrivesList":[{"@odata.id":"` + storageAt + `/R1/Drives/1"},{"@odata.id":"` + storageAt + `/R1/Drives/2"},{"@odata.id":"` + storageAt + `/R1/Drives/3"}]}]}}},"Oem":{"Cisco":{"VolumeState":"Degraded"}}}`, []string{good, good, bad}, "impaired", "lost, 2 of 3"},
		{"only its drives name it", `{"RAIDType":"RAID1","Status":{"State":"Enabled","Health":"OK"},"Links":{}}`, []string{named, named}, "ok", "full, 1 of 2"},
		{"degraded, in Dell's word alone", `{"RAIDType":"RAID1","Oem":{"Dell":{"DellVolume":{"RaidStatus":"Degraded","RemainingRedundancy":0}}}}`, []string{good, bad}, "impaired", "lost, 1 of 2"},
		{"one drive: no group", `{"VolumeType":"RawDevice","RAIDType":null,"Status":{"State":"Enabled","Health":"OK"}}`, []string{good}, "ok", ""},
		{"rebuilding", `{"RAIDType":"RAID1","Status":{"State":"Enabled","Health":"Warning"},"Operations":[{"OperationName":"Rebuild","PercentageComplete":37}]}`, []string{good, `{"StatusIndicator":"Rebuild","Status":{"State":"Enabled","Health":"OK"}}`}, "impaired", "lost, 1 of 2"},
		{"no Status (Cisco)", `{"RAIDType":"RAID1","Oem":{"Cisco":{"VolumeState":"Optimal"}}}`, []string{good, good}, "ok", "full, 1 of 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := look(t, raid(c.volume, c.drives...))
			v := find(t, s, "volume/1")
			if how(v) != c.state {
				t.Errorf("the volume is %s (%s), want %s", how(v), v.Why, c.state)
			}
			got := ""
			if len(s.Claims) > 0 {
				k := s.Claims[0]
				got = fmt.Sprintf("%s, %d of %d", k.State, k.Needed, k.Designed)
				if k.Carries != v.ID || k.Group != "srv-1/group/drive-1" {
					t.Errorf("%s carries %s", k.Group, k.Carries)
				}
			}
			if got != c.claim {
				t.Errorf("the claim is %q, want %q", got, c.claim)
			}
		})
	}
	s := look(t, raid(`{"RAIDType":"RAID1","Status":{"State":"Enabled","Health":"Warning"},"Operations":[{"OperationName":"Rebuild","PercentageComplete":37}]}`,
		good, `{"StatusIndicator":"Rebuild","Status":{"State":"Enabled","Health":"OK"}}`))
	volume, drive := find(t, s, "volume/1"), find(t, s, "drive/2")
	if v := volume.Reading("rebuild_progress"); v != 37 {
		t.Errorf("progress %v", v)
	}
	if !drive.Rebuilding || volume.Rebuilding {
		t.Errorf("rebuilding: drive %v, volume %v; the drive does not hold its data, the volume does", drive.Rebuilding, volume.Rebuilding)
	}
}

func TestDrives(t *testing.T) {
	for _, c := range []struct{ name, drive, want string }{
		{"well", `{"Status":{"State":"Enabled","Health":"OK"}}`, "ok"},
		{"fails soon", `{"FailurePredicted":true,"Status":{"State":"Enabled","Health":"OK"}}`, "ok+predicted"},
		{"fails soon, by its light", `{"StatusIndicator":"PredictiveFailureAnalysis","Status":{"State":"Enabled","Health":"Warning"}}`, "impaired+predicted"},
		{"failed, by its light alone", `{"StatusIndicator":"Fail"}`, "failed"},
		{"unplugged (HPE)", `{"StatusIndicator":"Fail","Status":{"State":"UnavailableOffline","Health":"Critical"}}`, "failed"},
		{"a hot spare", `{"HotspareType":"Global","Status":{"State":"Enabled","Health":"OK"}}`, "ok+standby"},
		{"a hot spare that has stepped in", `{"HotspareType":"Global","Status":{"State":"Enabled","Health":"OK"},"Links":{"Volumes":[{"@odata.id":"/redfish/v1/Systems/1/Storage/R1/Volumes/1"}]}}`, "ok"},
		{"not in use (HPE)", `{"Status":{"State":"StandbyOffline","Health":"OK"}}`, "ok+standby"},
		{"an empty bay, with a bad sensor (GB300)", `{"Status":{"State":"Absent","Health":"Critical"},"FailurePredicted":true}`, "absent"},
		{"rebuilding (Huawei)", `{"Status":{"State":"Enabled","Health":"OK"},"Oem":{"Huawei":{"RebuildState":"Rebuilding","FirmwareStatus":"Rebuild"}}}`, "ok+rebuilding"},
		{"rebuilding (Dell)", `{"Status":{"State":"Enabled","Health":"OK"},"Oem":{"Dell":{"DellPhysicalDisk":{"RaidStatus":"Rebuilding"}}}}`, "ok+rebuilding"},
		{"rebuilding (Dell, newer)", `{"Status":{"State":"Enabled","Health":"OK"},"Oem":{"Dell":{"DellDrive":{"RaidStatus":"Rebuilding"}}}}`, "ok+rebuilding"},
		{"rebuilding (Cisco)", `{"Oem":{"Cisco":{"DriveState":"Rebuild"}},"Status":{"State":"Enabled","Health":"OK"}}`, "ok+rebuilding"},
		{"failed, in the firmware's word alone (Cisco)", `{"Oem":{"Cisco":{"DriveState":"UnconfiguredBad"}},"Status":{"State":"Enabled"}}`, "failed"},
		{"a hot spare (Cisco)", `{"Oem":{"Cisco":{"DriveState":"GlobalHotSpare"}},"Status":{"State":"Enabled","Health":"OK"}}`, "ok+standby"},
		{"sold on under another name (xFusion)", `{"Oem":{"xFusion":{"RebuildState":"Rebuilding","FirmwareStatus":"Rebuild"}},"Status":{"State":"Enabled","Health":"OK"}}`, "ok+rebuilding"},
		{"a hot spare (HPE's arrays)", `{"DiskDriveUse":"GlobalSpare","Status":{"State":"Enabled","Health":"OK"}}`, "ok+standby"},
		{"fails soon (HPE's arrays)", `{"DiskDriveStatusReasons":["PredictiveFail"],"Status":{"State":"Enabled","Health":"Warning"}}`, "impaired+predicted"},
		{"an operation", `{"Status":{"State":"Enabled","Health":"OK"},"Operations":[{"OperationName":"Rebuild","PercentageComplete":3}]}`, "ok+rebuilding"},
		{"an operation without a name (GB300)", `{"Status":{"State":"Enabled","Health":"OK"},"Operations":[{"OperationName":"","PercentageComplete":0}]}`, "ok"},
		{"a capacity that is a fraction (gofish refuses it)", `{"CapacityBytes":1920383410176.0,"Status":{"State":"Enabled","Health":null}}`, "ok"},
		{"no Status", `{"CapacityBytes":1}`, "unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := raid(`{"Status":{"Health":"OK"}}`, c.drive)
			m[storageAt+"/R1/Volumes"] = `{"Members":[]}`
			s := look(t, m)
			if d := find(t, s, "drive/1"); how(d) != c.want {
				t.Errorf("got %s (%s), want %s", how(d), d.Why, c.want)
			}
		})
	}
}

// TestStoragePools: an array of which the volumes name pools, and the pools their drives (Seagate Exos X, Dell ME).
func TestStoragePools(t *testing.T) {
	const a = "/redfish/v1/Storage/controller_a"
	drive := func(n string) string {
		return `{"@odata.id":"` + a + `/Drives/` + n + `","Id":"` + n + `","Name":"` + n + `","SerialNumber":"SER-` + n + `","Status":{"State":"Enabled","Health":"OK"}}`
	}
	s := look(t, map[string]string{
		"/redfish/v1":           `{"Chassis":{"@odata.id":"/redfish/v1/Chassis"},"Storage":{"@odata.id":"/redfish/v1/Storage"}}`,
		"/redfish/v1/Chassis":   `{"Members":[{"@odata.id":"/redfish/v1/Chassis/1"}]}`,
		"/redfish/v1/Chassis/1": `{"ChassisType":"StorageEnclosure","Status":{"State":"Enabled","Health":"OK"},"Power":{"@odata.id":"` + powerAt + `"}}`,
		powerAt: `{"PowerSupplies":[{"@odata.id":"` + powerAt + `#/PowerSupplies/0","MemberId":"psu_0.0","Name":"PSU 0, Left","SerialNumber":"DHSIFTJ-1","Status":{"Health":"OK","State":"Enabled"}},
			{"@odata.id":"` + powerAt + `#/PowerSupplies/1","MemberId":"psu_0.1","Name":"PSU 1, Right","SerialNumber":"DHSIFTJ-2","Status":{"Health":"OK","State":"Enabled"}}]}`,
		"/redfish/v1/Storage": `{"Members":[{"@odata.id":"` + a + `"}]}`,
		a: `{"Id":"controller_a","Status":{"State":"Enabled","Health":"OK"},"StorageControllers":[{"MemberId":"controller_a","Name":"Controller A","Status":{"State":"Enabled","Health":"OK"}}],
			"Drives":[{"@odata.id":"` + a + `/Drives/0.0"},{"@odata.id":"` + a + `/Drives/0.1"},{"@odata.id":"` + a + `/Drives/0.2"}],
			"Volumes":{"@odata.id":"` + a + `/Volumes"},"StoragePools":{"@odata.id":"` + a + `/StoragePools"}}`,
		a + "/Drives/0.0":   drive("0.0"),
		a + "/Drives/0.1":   drive("0.1"),
		a + "/Drives/0.2":   drive("0.2"),
		a + "/StoragePools": `{"Members":[{"@odata.id":"` + a + `/StoragePools/dgA01"},{"@odata.id":"` + a + `/StoragePools/A"}]}`,
		a + "/StoragePools/dgA01": `{"@odata.id":"` + a + `/StoragePools/dgA01","Id":"dgA01","Name":"dgA01","Description":"DiskGroup","SupportedRAIDTypes":["RAID5"],"Status":{"State":"Enabled","Health":"Warning"},
			"CapacitySources":[{"ProvidingDrives":{"Members":[{"@odata.id":"/redfish/v1/redfish/v1/Storage/controller_a/0.0"},{"@odata.id":"/redfish/v1/redfish/v1/Storage/controller_a/0.1"},{"@odata.id":"` + a + `/Drives/0.2"}]}}]}`,
		a + "/StoragePools/A": `{"@odata.id":"` + a + `/StoragePools/A","Id":"A","Name":"A","Description":"Pool","Status":{"State":"Enabled","Health":"OK"}}`,
		a + "/Volumes":        `{"Members":[{"@odata.id":"` + a + `/Volumes/v1"}]}`,
		a + "/Volumes/v1":     `{"@odata.id":"` + a + `/Volumes/v1","Id":"v1","Status":{"State":"Enabled","Health":"OK"},"CapacitySources":[{"ProvidingPools":{"Members":[{"@odata.id":"` + a + `/StoragePools/dgA01"}]}}]}`,
	})
	if len(s.Claims) != 1 || s.Claims[0].State != snapshot.ClaimLost || s.Claims[0].Needed != 2 || len(s.Claims[0].Members) != 3 {
		t.Errorf("%+v", s.Claims)
	}
	pool := find(t, s, "volume/pool-dgA01")
	if how(pool) != "impaired" || pool.Attributes[component.RAIDLevel] != "RAID5" {
		t.Errorf("the pool is %s, %v", how(pool), pool.Attributes)
	}
	if !strings.Contains(show(s), "srv-1/volume/pool-dgA01 carries srv-1/volume/1") {
		t.Errorf("the volume hangs on nothing\n%s", show(s))
	}
	for _, id := range []string{"psu/0", "psu/1"} {
		if c := find(t, s, id); how(c) != "ok" {
			t.Errorf("%s is %s", id, how(c))
		}
	}
}

// TestHotSpares: who waits, who has stepped in, and how far that has come.
func TestHotSpares(t *testing.T) {
	const good = `{"Status":{"State":"Enabled","Health":"OK"}}`
	texts := raid(`{"RAIDType":"RAID1","Status":{"State":"Enabled","Health":"Warning"}}`, good,
		`{"HotspareType":"Global","Operations":[{"OperationName":"Rebuild","PercentageComplete":41}],"Status":{"State":"Enabled","Health":"OK"}}`)
	const waits = storageAt + "/R1/Drives/9"
	texts[waits] = `{"@odata.id":"` + waits + `","Id":"9","SerialNumber":"SER-9","HotspareType":"Global","ReadyToRemove":true,"LocationIndicatorActive":true,"Status":{"State":"StandbySpare","Health":"OK"}}`
	texts[storageAt+"/R1"] = strings.Replace(texts[storageAt+"/R1"], `"Drives":[`, `"Drives":[{"@odata.id":"`+waits+`"},`, 1)
	s := look(t, texts)
	stepped, waiting := find(t, s, "drive/2"), find(t, s, "drive/9")
	if how(stepped) != "ok+rebuilding" || stepped.Attributes["hot_spare_in_use"] != "true" || stepped.Reading("rebuild_progress") != 41 {
		t.Errorf("the spare that has stepped in is %s, %v, %v", how(stepped), stepped.Attributes, stepped.Readings)
	}
	if how(waiting) != "ok+standby" || waiting.Attributes["hot_spare_in_use"] != "" || waiting.Attributes["ready_to_remove"] != "true" || waiting.Attributes["locate"] != "on" {
		t.Errorf("the spare that waits is %s, %v", how(waiting), waiting.Attributes)
	}
}

// TestStale: what could not be read in this poll is not known, whatever it was.
func TestStale(t *testing.T) {
	tr := grow(t, raid(`{"RAIDType":"RAID1","Status":{"State":"Enabled","Health":"OK"}}`, `{"Status":{"State":"Enabled","Health":"OK"}}`, `{"Status":{"State":"Enabled","Health":"OK"}}`))
	tr.entries[powerAt] = &entry{path: powerAt, body: mustParse(t, strings.TrimSuffix(supplies(`{"Status":{"State":"Enabled","Health":"OK"}}`, `{"Status":{"State":"Enabled","Health":"OK"}}`), "}")+
		`,"Redundancy":[{"MinNumNeeded":1,"RedundancySet":[{"@odata.id":"`+powerAt+`#/PowerSupplies/0"},{"@odata.id":"`+powerAt+`#/PowerSupplies/1"}],"Status":{"State":"Enabled","Health":"OK"}}]}`)}
	for _, p := range []string{powerAt, storageAt + "/R1/Drives/2"} {
		tr.entries[p].stale, tr.entries[p].why = true, "no answer within 1s"
	}
	s := parse(tr, "srv-1")
	for id, want := range map[string]string{"psu/1": "unknown", "psu/2": "unknown", "drive/1": "ok", "drive/2": "unknown"} {
		c := find(t, s, id)
		if how(c) != want {
			t.Errorf("%s is %s (%s), want %s", id, how(c), c.Why, want)
		}
		if want == "unknown" && !strings.Contains(c.Why, "no answer") {
			t.Errorf("%s: %q does not say why", id, c.Why)
		}
	}
	for _, k := range s.Claims {
		if k.Kind == component.PSU && k.State != snapshot.ClaimNone {
			t.Errorf("a claim that was not read says %s", k.State)
		}
	}
}

func mustParse(t testing.TB, s string) value {
	t.Helper()
	v, err := parseJSON([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestRolledUpHealth: a subsystem that is not well though all its parts say they are.
func TestRolledUpHealth(t *testing.T) {
	good, bad := `{"Status":{"State":"Enabled","Health":"OK"}}`, `{"Status":{"State":"Enabled","Health":"Critical"}}`
	for _, c := range []struct{ name, storage, drive, want string }{
		{"nobody says why (Dell BOSS)", `{"State":"Enabled","Health":"OK","HealthRollup":"Warning"}`, good, "impaired"},
		{"a drive says why", `{"State":"Enabled","Health":"OK","HealthRollup":"Critical"}`, bad, "ok"},
		{"well", `{"State":"Enabled","Health":"OK","HealthRollup":"OK"}`, good, "ok"},
	} {
		m := raid(`{"RAIDType":"RAID1","Status":{"State":"Enabled","Health":"OK"}}`, good, c.drive)
		m[storageAt+"/R1"] = strings.TrimSuffix(m[storageAt+"/R1"], "}") + `,"Status":` + c.storage + `}`
		s := look(t, m)
		if k := find(t, s, "controller/R1"); how(k) != c.want {
			t.Errorf("%s: the controller is %s (%s), want %s", c.name, how(k), k.Why, c.want)
		}
	}
}

// TestDellArray: the names and states of a PERC controller's parts, as iDRAC 9 gives them.
func TestDellArray(t *testing.T) {
	const st = storageAt + "/RAID.Integrated.1-1"
	drive := func(n int, status string) string {
		return fmt.Sprintf(`{"@odata.id":"%s/Drives/Disk.Bay.%d:Enclosure.Internal.0-1:RAID.Integrated.1-1","Id":"Disk.Bay.%d:Enclosure.Internal.0-1:RAID.Integrated.1-1","Name":"Physical Disk 0:1:%d",
			"PhysicalLocation":{"PartLocation":{"LocationOrdinalValue":%d,"LocationType":"Slot"}},"SerialNumber":"WFK%d","Status":%s}`, st, n, n, n, n, n, status)
	}
	name := func(n int) string {
		return fmt.Sprintf("%s/Drives/Disk.Bay.%d:Enclosure.Internal.0-1:RAID.Integrated.1-1", st, n)
	}
	s := look(t, map[string]string{
		storageAt: `{"Members":[{"@odata.id":"` + st + `"}]}`,
		st: `{"Id":"RAID.Integrated.1-1","Drives":[{"@odata.id":"` + name(0) + `"},{"@odata.id":"` + name(1) + `"}],"Volumes":{"@odata.id":"` + st + `/Volumes"},
			"Oem":{"Dell":{"DellControllerBattery":{"Name":"Battery on Integrated RAID Controller 1","PrimaryStatus":"OK","RAIDState":"Ready"}}},
			"StorageControllers":[{"@odata.id":"` + st + `#/StorageControllers/0","MemberId":"0","Name":"PERC H730P Mini","Status":{"State":"Enabled","Health":"OK"}}]}`,
		name(0):         drive(0, `{"State":"Enabled","Health":"OK"}`),
		name(1):         drive(1, `{"State":"Enabled","Health":"Critical"}`),
		st + "/Volumes": `{"Members":[{"@odata.id":"` + st + `/Volumes/Disk.Virtual.239:RAID.Integrated.1-1"}]}`,
		st + "/Volumes/Disk.Virtual.239:RAID.Integrated.1-1": `{"Id":"Disk.Virtual.239:RAID.Integrated.1-1","Name":"os","RAIDType":null,"VolumeType":"Mirrored","Status":{"State":"Enabled","Health":"Warning"},
			"Oem":{"Dell":{"DellVirtualDisk":{"RemainingRedundancy":0}}},"Links":{"Drives":[{"@odata.id":"` + name(0) + `"},{"@odata.id":"` + name(1) + `"}]}}`,
	})
	for id, want := range map[string]string{"drive/0": "ok", "drive/1": "failed", "volume/239": "impaired", "controller/RAID.Integrated.1-1": "ok", "battery/cache-RAID.Integrated.1-1": "ok"} {
		if c := find(t, s, id); how(c) != want {
			t.Errorf("%s is %s (%s), want %s", id, how(c), c.Why, want)
		}
	}
	if len(s.Claims) != 1 || s.Claims[0].Group != "srv-1/group/drive-239" || s.Claims[0].State != snapshot.ClaimLost || s.Claims[0].Needed != 1 {
		t.Errorf("%+v", s.Claims)
	}
	if c := find(t, s, "drive/1"); !contains(c.Aliases, "Disk.Bay.1:Enclosure.Internal.0-1:RAID.Integrated.1-1") {
		t.Errorf("the drive is not known by the device's own id: %v", c.Aliases)
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// TestAnOldILO: the tree of iLO 4, with its own words in place of links and of RAID levels.
func TestAnOldILO(t *testing.T) {
	const a = "/redfish/v1/Systems/1/SmartStorage/ArrayControllers/0"
	s := look(t, map[string]string{
		"/redfish/v1":                                         `{"Oem":{"Hp":{}},"Systems":{"@odata.id":"/redfish/v1/Systems/"},"Chassis":{"@odata.id":"/redfish/v1/Chassis/"}}`,
		"/redfish/v1/Systems/1":                               `{"PowerState":"On","Status":{"Health":"OK","State":"Enabled"},"Oem":{"Hp":{"links":{"SmartStorage":{"href":"/redfish/v1/Systems/1/SmartStorage/"}}}}}`,
		"/redfish/v1/Systems/1/SmartStorage":                  `{"links":{"ArrayControllers":{"href":"/redfish/v1/Systems/1/SmartStorage/ArrayControllers/"}}}`,
		"/redfish/v1/Systems/1/SmartStorage/ArrayControllers": `{"Members":[{"@odata.id":"` + a + `/"}]}`,
		a: `{"Id":"0","Location":"Slot 0","Model":"Smart Array P440ar","SerialNumber":"PDNLH0","Status":{"Health":"OK","State":"Enabled"},"BackupPowerSourceStatus":"Present",
			"Links":{"LogicalDrives":{"@odata.id":"` + a + `/LogicalDrives/"},"PhysicalDrives":{"@odata.id":"` + a + `/DiskDrives/"}}}`,
		a + "/DiskDrives":                 `{"Members":[{"@odata.id":"` + a + `/DiskDrives/0/"},{"@odata.id":"` + a + `/DiskDrives/1/"}]}`,
		a + "/DiskDrives/0":               `{"Id":"0","Location":"1I:1:1","SerialNumber":"6SL0AAAA","Status":{"Health":"OK","State":"Enabled"}}`,
		a + "/DiskDrives/1":               `{"Id":"1","Location":"1I:1:2","SerialNumber":"6SL0BBBB","Status":{"Health":"Critical","State":"Enabled"}}`,
		a + "/LogicalDrives":              `{"Members":[{"@odata.id":"` + a + `/LogicalDrives/1/"}]}`,
		a + "/LogicalDrives/1":            `{"Id":"1","LogicalDriveNumber":1,"Raid":"1","Status":{"Health":"Warning","State":"Enabled"},"Links":{"DataDrives":{"@odata.id":"` + a + `/LogicalDrives/1/DataDrives/"}}}`,
		a + "/LogicalDrives/1/DataDrives": `{"Members":[{"@odata.id":"` + a + `/DiskDrives/0/"},{"@odata.id":"` + a + `/DiskDrives/1/"}]}`,
		powerAt: `{"PowerSupplies":[{"FirmwareVersion":"1.00","LastPowerOutputWatts":60,"Name":"HpServerPowerSupply","Oem":{"Hp":{"BayNumber":1,"PowerSupplyStatus":{"State":"Ok"}}},"Status":{"Health":"OK","State":"Enabled"}},
			{"Name":"HpServerPowerSupply","Oem":{"Hp":{"BayNumber":2,"PowerSupplyStatus":{"State":"NoPowerInput"}}},"Status":{"Health":"Critical","State":"Enabled"}},
			{"Name":"HpServerPowerSupply","FirmwareVersion":"0.00","LastPowerOutputWatts":0,"Oem":{"Hp":{"BayNumber":3}},"Status":{"State":"Enabled"}}]}`,
		"/redfish/v1/Chassis/1/Thermal": `{"Fans":[{"FanName":"Fan 1","CurrentReading":23,"Units":"Percent","Status":{"Health":"OK","State":"Enabled"}}]}`,
	})
	for id, want := range map[string]string{"psu/1": "ok", "psu/2": "ok+input_lost", "psu/3": "absent", "fan/1": "ok", "drive/1": "ok", "drive/2": "failed", "volume/1": "impaired", "controller/0": "ok", "battery/cache-0": "ok"} {
		if c := find(t, s, id); how(c) != want {
			t.Errorf("%s is %s (%s), want %s", id, how(c), c.Why, want)
		}
	}
	if len(s.Claims) != 1 || s.Claims[0].State != snapshot.ClaimLost || s.Claims[0].Carries != "srv-1/volume/1" {
		t.Errorf("%+v", s.Claims)
	}
}

// TestCoolingUnit: a distribution unit for coolant with a pump that has failed, a supply without its feed, coolant that runs
// low, and a leak.
func TestCoolingUnit(t *testing.T) {
	const u, c = "/redfish/v1/ThermalEquipment/CDUs/1", "/redfish/v1/Chassis/1"
	texts := map[string]string{
		"/redfish/v1":                       `{"ThermalEquipment":{"@odata.id":"/redfish/v1/ThermalEquipment"}}`,
		"/redfish/v1/ThermalEquipment":      `{"CDUs":{"@odata.id":"/redfish/v1/ThermalEquipment/CDUs"}}`,
		"/redfish/v1/ThermalEquipment/CDUs": `{"Members":[{"@odata.id":"` + u + `"}]}`,
		u: `{"Id":"1","Name":"CDU","EquipmentType":"CDU","Manufacturer":"Contoso","Model":"BRRR","Status":{"State":"Enabled","Health":"Warning"},"Pumps":{"@odata.id":"` + u + `/Pumps"},"Reservoirs":{"@odata.id":"` + u + `/Reservoirs"},
			"PowerSupplies":{"@odata.id":"` + u + `/PowerSupplies"},"LeakDetection":{"@odata.id":"` + u + `/LeakDetection"},
			"PumpRedundancy":[{"RedundancyType":"NPlusM","MaxSupportedInGroup":3,"MinNeededInGroup":2,"RedundancyGroup":[{"@odata.id":"` + u + `/Pumps/1"},{"@odata.id":"` + u + `/Pumps/2"},{"@odata.id":"` + u + `/Pumps/3"}],"Status":{"State":"Enabled","Health":"Critical"}}],
			"PowerSupplyRedundancy":[{"RedundancyType":"Failover","MaxSupportedInGroup":2,"MinNeededInGroup":1,"RedundancyGroup":[{"@odata.id":"` + u + `/PowerSupplies/1"},{"@odata.id":"` + u + `/PowerSupplies/2"}],"Status":{"State":"Enabled","Health":"Warning"}}]}`,
		u + "/Pumps":           `{"Members":[{"@odata.id":"` + u + `/Pumps/1"},{"@odata.id":"` + u + `/Pumps/2"},{"@odata.id":"` + u + `/Pumps/3"}]}`,
		u + "/PowerSupplies":   `{"Members":[{"@odata.id":"` + u + `/PowerSupplies/1"},{"@odata.id":"` + u + `/PowerSupplies/2"}]}`,
		u + "/PowerSupplies/1": `{"Id":"1","Name":"PSU 1","LineInputStatus":"Normal","Status":{"State":"Enabled","Health":"OK"}}`,
		u + "/PowerSupplies/2": `{"Id":"2","Name":"PSU 2","LineInputStatus":"LossOfInput","Status":{"State":"Enabled","Health":"Critical"}}`,
		u + "/Reservoirs":      `{"Members":[{"@odata.id":"` + u + `/Reservoirs/1"}]}`,
		u + "/Reservoirs/1":    `{"Id":"1","Name":"Reservoir","FluidLevelStatus":"Low","FluidLevelPercent":{"Reading":12},"Status":{"State":"Enabled","Health":"OK"}}`,
		u + "/LeakDetection":   `{"Id":"LeakDetection","LeakDetectorGroups":[{"GroupName":"Tray","Detectors":[{"DataSourceUri":"` + c + `/LeakDetectors/A","DeviceName":"Tray leak A","DetectorState":"OK"},{"DeviceName":"Tray leak B","DetectorState":"Critical"}]}]}`,
	}
	for n, health := range map[string]string{"1": "OK", "2": "Critical", "3": "OK"} {
		texts[u+"/Pumps/"+n] = `{"Id":"` + n + `","Name":"Pump ` + n + `","PumpSpeedPercent":{"Reading":40,"SpeedRPM":2100},"Status":{"State":"Enabled","Health":"` + health + `"}}`
	}
	s := look(t, texts)
	got := map[string]string{}
	for _, c := range s.Components {
		got[string(c.Kind)+"/"+c.ID.Local()] = how(c)
	}
	for id, want := range map[string]string{"cooling/1": "impaired", "cooling/1/pump-1": "ok", "cooling/1/pump-2": "failed", "cooling/1/reservoir-1": "impaired", "psu/1/1": "ok", "psu/1/2": "ok+input_lost",
		"sensor/leak-A": "ok", "sensor/leak-Tray-leak-B": "failed"} {
		if got[id] != want {
			t.Errorf("%s is %q, want %s; there are %v", id, got[id], want, got)
		}
	}
	var claims []string
	for _, k := range s.Claims {
		claims = append(claims, fmt.Sprintf("%s %s %d of %d", k.Group.Local(), k.State, k.Needed, k.Designed))
	}
	if all := strings.Join(claims, "; "); !strings.Contains(all, "cooling-1 lost 2 of 3") || !strings.Contains(all, "psu-1 degraded 1 of 2") {
		t.Errorf("claims %s", all)
	}
}

// TestTransferSwitch: a main without voltage, a switch that does not transfer, an outlet that is off, a tripped breaker.
func TestTransferSwitch(t *testing.T) {
	const x = "/redfish/v1/PowerEquipment/TransferSwitches/1"
	s := look(t, map[string]string{
		"/redfish/v1":                                 `{"PowerEquipment":{"@odata.id":"/redfish/v1/PowerEquipment"}}`,
		"/redfish/v1/PowerEquipment":                  `{"TransferSwitches":{"@odata.id":"/redfish/v1/PowerEquipment/TransferSwitches"}}`,
		"/redfish/v1/PowerEquipment/TransferSwitches": `{"Members":[{"@odata.id":"` + x + `"}]}`,
		x: `{"Id":"1","Name":"ATS","EquipmentType":"AutomaticTransferSwitch","Status":{"State":"Enabled","Health":"OK"},"TransferConfiguration":{"ActiveMainsId":"AC1","AutoTransferEnabled":false},
			"Mains":{"@odata.id":"` + x + `/Mains"},"Branches":{"@odata.id":"` + x + `/Branches"},"Outlets":{"@odata.id":"` + x + `/Outlets"}}`,
		x + "/Mains":        `{"Members":[{"@odata.id":"` + x + `/Mains/AC1"},{"@odata.id":"` + x + `/Mains/AC2"}]}`,
		x + "/Mains/AC1":    `{"Id":"AC1","Status":{"State":"Enabled","Health":"OK"},"Voltage":{"Reading":231},"RatedCurrentAmps":16}`,
		x + "/Mains/AC2":    `{"Id":"AC2","Status":{"State":"Enabled","Health":"Critical"},"Voltage":{"Reading":0}}`,
		x + "/Branches":     `{"Members":[{"@odata.id":"` + x + `/Branches/A"}]}`,
		x + "/Branches/A":   `{"Id":"A","Status":{"State":"Enabled","Health":"OK"},"BreakerState":"Tripped"}`,
		x + "/Outlets":      `{"Members":[{"@odata.id":"` + x + `/Outlets/1"},{"@odata.id":"` + x + `/Outlets/2"}]}`,
		x + "/Outlets/1":    `{"Id":"1","PowerState":"Off","Status":{"State":"Enabled","Health":"OK"},"Links":{"BranchCircuit":{"@odata.id":"` + x + `/Branches/A"}}}`,
		x + "/Outlets/2":    `{"Id":"2","PowerState":"On","Status":{"State":"Enabled","Health":"OK"}}`,
		"/redfish/v1/Extra": `{}`,
	})
	for id, want := range map[string]string{"ats/1": "impaired", "inlet/1": "ok", "inlet/2": "ok+input_lost", "bank/A": "failed", "outlet/1": "ok+input_lost", "outlet/2": "ok"} {
		if c := find(t, s, id); how(c) != want {
			t.Errorf("%s is %s (%s), want %s", id, how(c), c.Why, want)
		}
	}
	for _, want := range []string{"inlet/1 feeds ats/1", "inlet/2 feeds ats/1", "ats/1 feeds bank/A", "bank/A feeds outlet/1", "ats/1 feeds outlet/2"} {
		if !strings.Contains(strings.ReplaceAll(show(s), "srv-1/", ""), want) {
			t.Errorf("nothing says %q", want)
		}
	}
}
