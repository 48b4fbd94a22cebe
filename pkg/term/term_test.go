package term

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
)

var update = flag.Bool("update", false, "accept what is printed now")

func n(i int) *int { return &i }

func part(id component.ID, c component.Condition, name string, r ...component.Reading) component.Component {
	return component.Component{ID: id, Kind: id.Kind(), Name: name, Status: component.Status{Condition: c}, Readings: r}
}

func server() *api.Inspection {
	watts := func(w float64) component.Reading {
		return component.Reading{Name: "input_power", Unit: "W", Value: component.Value(w)}
	}
	lost := part("srv/psu/2", component.OK, "Power Supply 2", watts(0))
	lost.InputLost, lost.Why = true, "Health Critical; LineInputVoltage 0\x1b[2J"
	in := &api.Inspection{
		Target: "redfish://10.0.0.101", Reachable: true, Took: 812, Requests: 34,
		Device: snapshot.Device{Name: "10.0.0.101", Vendor: "Dell Inc.", Model: "PowerEdge R750", Serial: "ABC1234", Firmware: "6.00.30"},
		Components: []component.Component{
			part("srv/fan/1", component.OK, "Fan 1"), part("srv/psu/1", component.OK, "Power Supply 1", watts(412.25), component.Reading{Name: "temperature", Unit: "Cel", Value: 31}),
			lost, part("srv/drive/7", component.Failed, "Disk 7"), part("srv/sensor/9", component.Unknown, "Ambient"),
		},
		Groups: []api.Group{
			{Group: engine.Group{ID: "srv/group/drive-vol0", State: engine.Full, Spares: n(1), SparesFull: n(1), Needed: 3, Designed: 4, Basis: engine.Claimed}},
			{Group: engine.Group{ID: "srv/group/psu", State: engine.Lost, Spares: n(0), SparesFull: n(1), Needed: 1, Designed: 2, Basis: engine.Assumed, Why: "psu/2 lost its input"}},
			{Group: engine.Group{ID: "srv/group/fan"}},
		},
		Errors: []snapshot.Error{{At: "/redfish/v1/Chassis/1/Drives", Error: "500 Internal Server Error", Hint: "the rest stands"}},
	}
	for i := range 24 {
		in.Components = append(in.Components, part(component.NewID("srv", component.Outlet, strings.TrimLeft(string(rune('0'+(i+1)/10)), "0")+string(rune('0'+(i+1)%10))), component.OK, "", component.Reading{Name: "current", Unit: "A", Value: component.Value(i)}))
	}
	return in
}

func night() *api.Status {
	at := time.Date(2026, 11, 22, 3, 15, 9, 0, time.UTC)
	key := finding.Key("redundancy-lost:srv-101/group/psu")
	return &api.Status{
		Site: "ams1", Now: at,
		Report: engine.Report{
			Settled: true,
			Services: []*engine.Service{
				{ID: "ams1/service/payments", Name: "payments", State: engine.Degraded, Spares: n(1), SparesWorst: n(0), By: map[component.Domain]engine.Spares{component.Power: {Spares: n(1)}},
					Weakest: [][]component.ID{{"srv-101/host/1", "srv-102/host/1"}}, Cuts: 3},
				{ID: "ams1/service/mail", Name: "mail", Tier: 2, State: engine.Lost, Spares: n(0), Weakest: [][]component.ID{{"srv-110/psu/1"}}, Cuts: 1},
			},
			Groups: []*engine.Group{
				{ID: "srv-101/group/psu", State: engine.Lost, Spares: n(0), SparesFull: n(1), Needed: 1, Designed: 2, Why: "psu/2 failed"},
				{ID: "srv-102/group/psu", State: engine.Full, Spares: n(1), SparesFull: n(1), Needed: 1, Designed: 2},
				{ID: "srv-103/group/psu"},
			},
			Findings: []finding.Finding{
				{Key: key, Rule: finding.RedundancyLost, Severity: finding.Critical, Summary: "srv-101 has no spare supply", Causes: []finding.Cause{{ID: "srv-101/psu/2", Why: "failed"}},
					Evidence: []string{"Health Critical"}, Remedy: "Replace Power Supply 2.", Impacts: []finding.Impact{{Service: "ams1/service/payments", Spares: n(1), By: map[component.Domain]int{component.Power: 1}}}},
				{Key: "component-failed:srv-101/psu/2", Under: key},
				{Key: "false-redundancy:x", Rule: finding.FalseRedundancy, Severity: finding.Warning, Summary: "both cords of srv-105 hang on pdu-r12-a"},
				{Key: "blind-spot:x", Rule: finding.BlindSpot},
			},
		},
		Incidents: []incident.Incident{{ID: "ams1-1", Root: key, Findings: []finding.Key{key, "component-failed:srv-101/psu/2"}, Severity: finding.Critical, Title: "srv-101 has no spare supply", Opened: at.Add(-4 * time.Minute)}},
		Targets: api.Targets([]*state.Device{
			{Name: "srv-101", Targets: []state.Target{{Device: "srv-101", URL: "redfish://10.0.0.101", LastTry: at, LastGood: at}}},
			{Name: "srv-103", Targets: []state.Target{{Device: "srv-103", URL: "redfish://10.0.0.103", LastTry: at, LastGood: at.Add(-time.Hour), Missed: 9, Silent: true, Errors: []snapshot.Error{{Error: "connection refused"}}}}},
		}),
	}
}

// well is night before and after: everything is there.
func well() *api.Status {
	s := night()
	s.Incidents, s.Findings = nil, s.Findings[3:]
	for i := range s.Services {
		s.Services[i].State, s.Services[i].Spares, s.Services[i].SparesWorst = engine.Full, n(2), nil
	}
	for i := range s.Groups {
		s.Groups[i].State, s.Groups[i].Spares = engine.Full, n(1)
	}
	return s
}

func TestGolden(t *testing.T) {
	simulation := &engine.Simulation{Fail: []component.ID{"feed-a", "feed-b"}, Down: []component.ID{"a", "b"},
		Services: []engine.Change{{ID: "s", Name: "mail", Lost: true, Before: engine.Verdict{State: engine.Full, Spares: n(1), By: map[component.Domain]engine.Spares{component.Power: {Spares: n(1)}}}, After: engine.Verdict{State: engine.Insufficient, Spares: n(-1)}}},
		Groups:   []engine.Change{{ID: "srv/group/psu", Before: engine.Verdict{State: engine.Full, Spares: n(1)}, After: engine.Verdict{State: engine.Lost, Spares: n(0), SparesWorst: n(-1)}}}}
	for name, print := range map[string]func(*Printer){
		"inspect.txt": func(p *Printer) { p.Inspection(server()) },
		"inspect-gone.txt": func(p *Printer) {
			p.Inspection(&api.Inspection{Target: "snmp://10.0.0.9", Device: snapshot.Device{Name: "10.0.0.9"}, Errors: []snapshot.Error{{At: "snmp://10.0.0.9", Error: "no answer in 5 s", Hint: "Is the community right?"}}})
		},
		"status.txt":      func(p *Printer) { p.Status(night()) },
		"simulate.txt":    func(p *Printer) { p.Simulation(simulation) },
		"change.txt":      func(p *Printer) { p.Change(well(), night()) },
		"change-back.txt": func(p *Printer) { p.Change(night(), well()) },
		"gate.txt": func(p *Printer) {
			p.Gate(&engine.Gate{Verdict: 2, Fail: []component.ID{"ups-a"}, Reasons: []string{"srv-103 is silent"}, Settle: []string{"an answer from srv-103"}, Presumed: []component.ID{"panel-b"}, Effect: *simulation})
		},
		"status-colour.txt": func(p *Printer) { p.o.Colour = true; p.Services(night().Services) },
	} {
		var out bytes.Buffer
		p := New(&out, Options{})
		print(p)
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if out.String() != string(want) {
			t.Errorf("%s says otherwise (make golden accepts it):\n%s", file, &out)
		}
		if !strings.Contains(name, "colour") && strings.Contains(out.String(), "\x1b") {
			t.Errorf("%s: an escape reached the terminal", name)
		}
	}
}

func TestExit(t *testing.T) {
	if Exit(night()) != api.BadNews {
		t.Error("bad news passed for fine")
	}
	if Exit(&api.Status{}) != api.Fine {
		t.Error("nothing is bad news")
	}
}

// TestStatusOfAQuietSite: findings that stand are not called well, remarks are counted, and what to look at stands on lines
// of its own.
func TestStatusOfAQuietSite(t *testing.T) {
	at := time.Date(2026, 11, 22, 3, 15, 9, 0, time.UTC)
	s := &api.Status{Site: "ams1", Now: at, Report: engine.Report{Settled: true}}
	s.Findings = []finding.Finding{
		{Key: "a", Severity: finding.Warning, Summary: "both cords hang on one PDU"},
		{Key: "b", Severity: finding.Info, Summary: "drives behind one controller"},
		{Key: "c", Severity: finding.Warning, Rule: finding.BlindSpot, Summary: "nobody observes it"},
	}
	s.Targets = []api.Target{{Device: "srv-1", URL: "redfish://10.0.0.1", LastTry: &at, Silent: true, Errors: []snapshot.Error{{Error: "refused", Hint: "check the port"}}}}
	s.Cables = []engine.Cable{{From: "sw-1/port/1", To: "sw-2/port/1", Declared: true, Contradicted: true}, {From: "sw-1/port/1", To: "sw-3/port/9"}, {From: "sw-1/port/2", To: "sw-2/port/2", Declared: true}}
	var out bytes.Buffer
	New(&out, Options{}).Status(s)
	for _, want := range []string{"✕ declared, others are heard         sw-1/port/1  sw-2/port/1\n", "! heard at both ends, not declared   sw-1/port/1  sw-3/port/9\n", "? declared, not heard at either end  sw-1/port/2  sw-2/port/2\n",
		"both cords hang on one PDU", "1 remark (--all)", "What to look at\n  srv-1  check the port\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	s.Targets = nil
	out.Reset()
	New(&out, Options{}).Status(s)
	if want := "ams1: nothing is failing; 1 standing finding below\n"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("%s\nwant %s", out.String(), want)
	}
}
