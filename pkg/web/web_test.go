package web

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
)

var now = time.Date(2026, 11, 22, 3, 15, 9, 0, time.UTC)

func n(i int) *int { return &i }

func spares(left, full int, s engine.State) engine.Spares {
	return engine.Spares{Spares: n(left), Full: n(full), State: s}
}

// night is a datacenter in which feed B was lost four minutes ago.
func night() View {
	lost, unknown := engine.Lost, engine.StateUnknown
	r := &engine.Report{
		At: now.Add(-2 * time.Second), Settled: true,
		Services: []*engine.Service{
			{ID: "ams1/service/payments", Name: "payments", Tier: 0, State: engine.Degraded, Spares: n(1), SparesWorst: n(0), Predicted: n(0),
				By: map[component.Domain]engine.Spares{
					component.Power:   spares(1, 3, engine.Degraded),
					component.Storage: spares(1, 1, engine.Full),
					component.Compute: spares(1, 1, engine.Full),
					component.Network: {State: engine.StateUnknown, Full: n(1), Worst: n(0)},
				},
				Weakest: [][]component.ID{{"srv-101/host/1", "srv-103/host/1"}}, Cuts: 3, Unverified: []component.ID{"ams1/panel/b"}},
			{ID: "ams1/service/mail", Name: "mail", Tier: 2, State: engine.Lost, Spares: n(0),
				By:      map[component.Domain]engine.Spares{component.Power: spares(0, 1, engine.Lost), component.Compute: spares(0, 0, engine.None)},
				Weakest: [][]component.ID{{"srv-110/psu/1"}, {"srv-110/host/1"}, {"ams1/feed/feed-a"}}, Cuts: 5},
			{ID: "ams1/service/backup", Name: "backup", Tier: 3, State: engine.StateUnknown},
			{ID: "ams1/service/wiki", Name: "wiki", Tier: 3, State: engine.None, Spares: n(0), By: map[component.Domain]engine.Spares{component.Compute: spares(0, 0, engine.None)},
				Weakest: [][]component.ID{{"srv-112/host/1"}}, Cuts: 1},
			{ID: "ams1/service/search", Name: "search", Tier: 1, State: engine.Full, Spares: n(2), By: map[component.Domain]engine.Spares{component.Power: spares(3, 3, engine.Full)}},
		},
		Groups: []*engine.Group{
			{ID: "srv-101/group/psu", Kind: component.PSU, Needed: 1, Designed: 2, Basis: engine.Claimed, State: engine.Lost, Spares: n(0), SparesFull: n(1), Why: "psu/2 has no input; psu/1 carries 412 W of its 800 W"},
			{ID: "srv-102/group/psu", Kind: component.PSU, Needed: 1, Designed: 2, Basis: engine.Assumed, State: engine.StateUnknown, StateWorst: &lost, Why: "its BMC has been silent for 6 min"},
			{ID: "srv-103/group/psu", Kind: component.PSU, Needed: 1, Designed: 2, Basis: engine.Claimed, State: engine.Full, Spares: n(1), SparesFull: n(1)},
			{ID: "srv-103/group/drive-vol0", Kind: component.Drive, Needed: 4, Designed: 6, Basis: engine.Claimed, State: engine.Degraded, StateWorst: &unknown, Spares: n(1), SparesFull: n(2), Why: "drive/3 is rebuilding"},
			{ID: "srv-104/group/fan", Kind: component.Fan, State: engine.None, Spares: n(0), Why: "nothing declares how many it needs"},
		},
		Findings: []finding.Finding{
			{Key: "provider-lost:ams1/feed/feed-b", Rule: finding.ProviderLost, Subject: "ams1/feed/feed-b", Severity: finding.Critical, Pages: true, Since: now.Add(-4 * time.Minute),
				Summary:  "feed-b is gone: 13 supplies behind pdu-r12-b and pdu-r14-b lost their input together",
				Causes:   []finding.Cause{{ID: "ams1/feed/feed-b", Why: "all 13 known dependants without input, none with"}, {ID: "pdu-r12-b/inlet/1", Why: "reports 0 V on L1, L2 and L3"}},
				Evidence: []string{"pdu-r12-b: rPDU2PhaseStatusVoltage.1 = 0", "srv-101 psu/2: PowerSupplyLastStateChange input lost", "ups-b: on line, 0 % load"},
				Remedy:   "Look at the breaker of feed-b in panel B and at the output of ups-b. Touch nothing on feed A until it is back.",
				Impacts: []finding.Impact{
					{Service: "ams1/service/payments", Tier: 0, Spares: n(1), By: map[component.Domain]int{component.Power: 1, component.Compute: 1}},
					{Service: "ams1/service/mail", Tier: 2, Spares: n(0), By: map[component.Domain]int{component.Power: 0}},
				}},
			{Key: "redundancy-lost:srv-101/group/psu", Rule: finding.RedundancyLost, Subject: "srv-101/group/psu", Severity: finding.Error, Under: "provider-lost:ams1/feed/feed-b", Summary: "srv-101's supplies: no spare left"},
			{Key: "redundancy-lost:srv-110/group/psu", Rule: finding.RedundancyLost, Subject: "srv-110/group/psu", Severity: finding.Error, Under: "provider-lost:ams1/feed/feed-b", Summary: "srv-110's supplies: no spare left"},
			{Key: "false-redundancy:srv-105/group/psu", Rule: finding.FalseRedundancy, Subject: "srv-105/group/psu", Severity: finding.Warning, Since: now.Add(-76 * time.Hour),
				Summary: "srv-105's supplies both hang on pdu-r12-a", Causes: []finding.Cause{{ID: "pdu-r12-a/pdu/1", Why: "feeds psu/1 and psu/2"}}, Remedy: "Move the cord of psu/2 to pdu-r12-b."},
			{Key: "blind-spot:ams1/panel/b", Rule: finding.BlindSpot, Subject: "ams1/panel/b", Summary: "nobody observes it; 14 supplies hang on it"},
		},
		Waiting: 1,
	}
	return View{
		Site: "ams1", Version: "0.1.0", Now: now, Report: r,
		Incidents: []incident.Incident{{ID: "ams1-20261122T031109Z-17", Root: "provider-lost:ams1/feed/feed-b", Severity: finding.Critical, Opened: now.Add(-4 * time.Minute),
			Title:    "feed-b is gone: 13 supplies behind pdu-r12-b and pdu-r14-b lost their input together",
			Findings: []finding.Key{"provider-lost:ams1/feed/feed-b", "redundancy-lost:srv-101/group/psu", "redundancy-lost:srv-110/group/psu"}}},
		Devices: []*state.Device{
			{Name: "pdu-r12-b", Read: true, Targets: []state.Target{{Device: "pdu-r12-b", URL: "snmp://10.0.9.2", LastTry: now, LastGood: now.Add(-2 * time.Second), Took: 34 * time.Millisecond}}},
			{Name: "srv-101", Read: true, Targets: []state.Target{{Device: "srv-101", URL: "redfish://10.0.0.101", LastTry: now, LastGood: now.Add(-9 * time.Second), Took: 210 * time.Millisecond,
				Errors: []snapshot.Error{{At: "/redfish/v1/Chassis/1/Drives", Error: "500 Internal Server Error"}}}}},
			{Name: "srv-102", Read: true, Targets: []state.Target{{Device: "srv-102", URL: "redfish://10.0.0.102", LastTry: now, LastGood: now.Add(-6 * time.Minute), Missed: 5, Silent: true, Took: 10 * time.Second,
				Errors: []snapshot.Error{{At: "redfish://10.0.0.102", Error: "connect: connection refused", Hint: "Is the BMC restarting?"}}}}},
			{Name: "srv-112", Targets: []state.Target{{Device: "srv-112", URL: "redfish://10.0.0.112"}}},
		},
	}
}

func render(t *testing.T, v View) string {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(func() View { return v }).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestPageSaysIt(t *testing.T) {
	text := render(t, night())
	if dir := os.Getenv("SPAREWATCH_PAGE_DIR"); dir != "" { // to look at it with a browser
		for name, body := range map[string]string{"index.html": text, "empty.html": render(t, View{Site: "ams1", Now: now}), "fine.html": render(t, fine())} {
			if err := os.WriteFile(dir+"/"+name, []byte(body), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, want := range []string{
		"mail has no spare left: the next failure is an outage.",
		"1 overall; power 1, compute 1",
		"srv-110/psu/1 alone, or one of 4 other components",
		"at worst 0",
		"2 consequences",
		"Touch nothing on feed A",
		"for 4 min",
		"silent", "not read yet", "cannot be judged now", "14 supplies hang on it",
		"(1) ams1 · Sparewatch",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

func fine() View {
	v := night()
	r := *v.Report
	r.Services, r.Groups, r.Findings = r.Services[4:], r.Groups[2:3], nil
	r.Waiting = 0
	v.Report, v.Incidents, v.Devices = &r, nil, v.Devices[:1]
	return v
}

func TestHeadline(t *testing.T) {
	down := fine()
	r := *down.Report
	r.Services = []*engine.Service{{Name: "mail", State: engine.Insufficient, Spares: n(-1)}, {Name: "web", State: engine.Insufficient, Spares: n(-1)}}
	down.Report = &r
	silent := fine()
	q := *silent.Report
	q.Services = []*engine.Service{{Name: "mail"}}
	silent.Report = &q
	thin := fine()
	w := *thin.Report
	w.Findings = night().Report.Findings[3:]
	thin.Report = &w
	nothing := View{Site: "x", Now: now, Report: &engine.Report{Settled: true, At: now}}
	for _, c := range []struct {
		name string
		v    View
		tone tone
		says string
	}{
		{"before the first verdict", View{Now: now}, unsure, "Nothing can be said yet."},
		{"nothing redundant", nothing, unsure, "Nothing here is known to be redundant."},
		{"all is well", fine(), good, "All spares are there."},
		{"all is well but for what stands", thin, warning, "Nothing is failing."},
		{"down", down, bad, "mail and web are down."},
		{"unknown is not fine", silent, unsure, "mail cannot be judged now. Nothing is known to be wrong."},
		{"the night", night(), bad, "mail has no spare left: the next failure is an outage."},
	} {
		p := compose(c.v)
		if p.Tone != c.tone || p.Headline != c.says {
			t.Errorf("%s: %s %q", c.name, p.Tone, p.Headline)
		}
	}
}

// TestHostileText: what a device says stays text.
func TestHostileText(t *testing.T) {
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`
	v := night()
	v.Report.Findings[0].Summary = evil
	v.Report.Findings[0].Evidence = []string{evil}
	v.Report.Findings[0].Subject = component.ID("srv/psu/" + evil)
	v.Report.Groups[0].ID, v.Report.Groups[0].Why = component.ID(evil), evil
	v.Report.Services[0].Name = evil
	v.Incidents[0].Title, v.Incidents[0].ID = evil, incident.ID(evil)
	v.Devices[2].Targets[0].URL = evil
	v.Devices[2].Targets[0].Errors[0].Error = evil
	text := render(t, v)
	if strings.Contains(text, "<script>alert") || strings.Contains(text, "<img") || strings.Contains(text, `'><`) {
		t.Error("a device's text reaches the page unescaped")
	}
}

// TestLong: a page of a very large site stays a page.
func TestLong(t *testing.T) {
	v := View{Site: "big", Now: now, Report: &engine.Report{Settled: true}}
	for i := range 30000 {
		s := engine.State(i % 6)
		v.Report.Groups = append(v.Report.Groups, &engine.Group{ID: component.NewID("srv", component.Group, time.Duration(i).String()), State: s})
		v.Report.Findings = append(v.Report.Findings, finding.Finding{Key: finding.Key(time.Duration(i).String()), Rule: finding.BlindSpot, Subject: component.NewID("a", "b", time.Duration(i).String())})
		v.Devices = append(v.Devices, &state.Device{Targets: []state.Target{{LastTry: now, LastGood: now}}})
	}
	text := render(t, v)
	if len(text) > 1<<20 {
		t.Errorf("%d bytes", len(text))
	}
	if !strings.Contains(text, "and 19800 more") {
		t.Error("what was left out is not counted")
	}
}

func TestAssets(t *testing.T) {
	for path, code := range map[string]int{"/page.css": 200, "/page.js": 200, "/page.html": 404, "/other": 404} {
		w := httptest.NewRecorder()
		Handler(night).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != code {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestGroupsInTheHeadline: where no service says it, the groups are named, and that the services are well.
func TestGroupsInTheHeadline(t *testing.T) {
	v := fine()
	r := *v.Report
	r.Groups = night().Report.Groups[:1]
	v.Report = &r
	p := compose(v)
	if p.Tone != bad || p.Headline != "srv-101/group/psu has no spare left." || strings.Join(p.Details, "") != "No service has lost a spare." {
		t.Errorf("%s %q %q", p.Tone, p.Headline, p.Details)
	}
	r.Groups[0].State = engine.Insufficient
	if p := compose(v); p.Headline != "srv-101/group/psu has less than it needs." {
		t.Errorf("%q", p.Headline)
	}
}

// TestOld: a page of an engine that judges no more says so, whatever it shows.
func TestOld(t *testing.T) {
	v := fine()
	v.Now = v.Report.At.Add(3 * time.Minute)
	if text := render(t, v); !strings.Contains(text, "Nothing was judged for 3 min") {
		t.Error("an old verdict looks new")
	}
	if strings.Contains(render(t, fine()), "Nothing was judged") {
		t.Error("a new verdict looks old")
	}
}

// TestManyServices: of many services those that are well are folded, counted and cut; none that is not is hidden.
func TestManyServices(t *testing.T) {
	v := fine()
	r := *v.Report
	full := *r.Services[0]
	r.Services = nil
	for i := range 300 {
		s := full
		s.Name = "s" + strconv.Itoa(i)
		if i%60 == 59 {
			s.State, s.Spares = engine.Lost, n(0)
		}
		r.Services = append(r.Services, &s)
	}
	v.Report = &r
	p := compose(v)
	if len(p.Services) != 5 || p.Services[0].Name != "s59" || p.FineServicesAll() != 295 || len(p.FineServices) != most {
		t.Errorf("%d shown, %d folded of %d", len(p.Services), len(p.FineServices), p.FineServicesAll())
	}
	if want := "s59, s119, s179 and 2 more have no spare left: the next failure is an outage."; p.Headline != want {
		t.Errorf("%q, want %q", p.Headline, want)
	}
	if text := render(t, v); !strings.Contains(text, "<b>300 services</b> <span>5 lost, 295 full</span>") || !strings.Contains(text, "and 95 more") {
		t.Error("the services are not counted")
	}
}

// TestAnchors: every link within the page leads somewhere, and no two places have one name.
func TestAnchors(t *testing.T) {
	text := render(t, night())
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if ids[m[1]] {
			t.Errorf("two places are called %s", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(` href="#([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if !ids[m[1]] {
			t.Errorf("nothing is called %s", m[1])
		}
	}
}
