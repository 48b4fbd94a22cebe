package prom

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/export"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
)

var update = flag.Bool("update", false, "accept what is printed now")

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func ptr(n int) *int { return &n }

// over is a headroom that there isn't.
var over = -300.0

// rack is one server that lost a supply, a UPS that does not answer, and a service on both.
func rack() View {
	psu := func(local string, c component.Condition) state.Part {
		p := state.Part{At: noon}
		p.ID, p.Kind = component.NewID("srv-101", component.PSU, local), component.PSU
		p.Condition = c
		p.Readings = []component.Reading{
			{Name: "input_power", Unit: "W", Value: 212.5},
			{Name: "load", Unit: "%", Value: 26},
			{Name: "input_voltage", Unit: "V", Phase: "L1", Value: component.NoValue()},
			{Name: "input_power", Unit: "W", Value: 1},
		}
		return p
	}
	ups := state.Part{Silent: true, At: noon.Add(-time.Hour)}
	ups.ID, ups.Kind, ups.Condition = "ups-a/ups/1", component.UPS, component.OK
	return View{
		Report: &engine.Report{
			At: noon,
			Groups: []*engine.Group{
				{ID: "srv-101/group/psu", Kind: component.PSU, Needed: 1, Designed: 2, State: engine.Lost, Spares: ptr(0)},
				{ID: "srv-102/group/psu", Kind: component.PSU},
			},
			Services: []*engine.Service{{
				ID: "ams1/service/payments", Name: "payments", State: engine.Degraded, Spares: ptr(0),
				By: map[component.Domain]engine.Spares{
					component.Power:   {Spares: ptr(1), Predicted: ptr(0), Full: ptr(2), State: engine.Degraded},
					component.Network: {},
				},
			}},
			Findings: []finding.Finding{
				{Rule: finding.RedundancyLost, Subject: "srv-101/group/psu", Severity: finding.Error},
				{Rule: finding.ComponentFailed, Subject: "srv-101/psu/2", Severity: finding.Warning, Under: "redundancy-lost:srv-101/group/psu"},
				{Rule: finding.BlindSpot, Subject: "ams1/conduit/\"a\"\nb\xff"},
			},
			Capacity: engine.Loads{Elements: []engine.Failover{{ID: "ams1/feed/feed-b", Kind: component.Feed, Lost: "ams1/feed/feed-a", After: engine.Loading{Ratio: 1.2}, HeadroomVA: &over}}},
			Settled:  true,
		},
		Devices: []*state.Device{
			{Name: "srv-101", Identity: snapshot.Device{Vendor: "Dell", Model: "R750"}, Parts: []state.Part{psu("1", component.OK), psu("2", component.Failed)},
				Targets: []state.Target{{URL: "redfish://10.0.0.101", Device: "srv-101", LastTry: noon, LastGood: noon, Took: 150 * time.Millisecond}}},
			{Name: "ups-a", Parts: []state.Part{ups},
				Targets: []state.Target{
					{URL: "snmp://10.0.9.1", Device: "ups-a", LastTry: noon, LastGood: noon.Add(-time.Hour), Missed: 5, Silent: true, Took: 3 * time.Second},
					{URL: "snmp://10.0.9.2", Device: "ups-a"},
				}},
		},
		Daemon: Daemon{
			Version: "test", Polls: 7, PollsFailed: 2, LastFailed: "snmp://10.0.9.1", LastFailedAt: noon, Evaluations: 5, Evaluating: 20 * time.Millisecond, LedgerEntries: 12,
			Incidents: map[finding.Severity]int{finding.Error: 1},
			Receivers: []Receiver{{Name: "pagerduty", Pending: 1, Delivered: 3, Failures: 2}},
			Traps:     &Traps{Results: map[string]uint64{"polled": 5, "wrong_community": 0}, Informs: 2, Reports: 3, Polls: 6, Unknown: 1},
			BGP: &BGP{Sessions: 4, Paths: 2000000, Bytes: 70e6, Edges: []BGPEdge{
				{Over: "bmp", Configured: 2, Connected: 1, Connections: 3, Messages: 310000, Octets: 33e6, Wrong: map[string]uint64{"half": 1, "garbage": 0}, Behind: 1500 * time.Millisecond},
				{Over: "bgp", Configured: 2, Connected: 2, Connections: 2, Messages: 155000, Octets: 16e6, Wrong: map[string]uint64{"open": 2}}}},
			Pushed:  &Pushed{Events: 7, Ignored: 2, Strangers: 1, Lost: 1, Standing: 12},
			Exports: []export.Status{{Name: "influx", Written: 100, Dropped: 3, Failures: 1, Waiting: export.Size{Batches: 1, Bytes: 5000, Oldest: noon}}},
			Loaded:  noon, LoadedOK: true,
		},
	}
}

func gather(t *testing.T, v View, format expfmt.Format) string {
	t.Helper()
	var out bytes.Buffer
	page := newText(format.FormatType() == expfmt.TypeOpenMetrics)
	Collect(v, page)
	if err := page.encode(&out, format, nil); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestGoldenMetrics(t *testing.T) {
	got := gather(t, rack(), expfmt.NewFormat(expfmt.TypeOpenMetrics))
	got = goVersion(got)
	const file = "testdata/rack.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("what is shown is no longer what %s holds (make golden accepts it):\n%s", file, got)
	}
}

func goVersion(s string) string {
	_, rest, _ := strings.Cut(s, `goversion="`)
	version, _, _ := strings.Cut(rest, `"`)
	return strings.Replace(s, version, "go", 1)
}

func TestLint(t *testing.T) {
	for _, text := range []string{
		gather(t, rack(), expfmt.NewFormat(expfmt.TypeTextPlain)),
		get(t, Probe(rack, at), "/probe?target=srv-101"),
	} {
		problems, err := promlint.New(strings.NewReader(text)).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// TestNothingIsInvented: before the first poll and the first verdict there are NaNs, no zeros that mean "none".
func TestNothingIsInvented(t *testing.T) {
	v := View{Devices: []*state.Device{{Name: "a", Targets: []state.Target{{URL: "snmp://a", Device: "a"}}}}}
	text := gather(t, v, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, want := range []string{
		`sparewatch_target_up{device="a",target="snmp://a"} NaN`,
		`sparewatch_target_last_success_timestamp_seconds{device="a",target="snmp://a"} NaN`,
		`sparewatch_report_timestamp_seconds NaN`,
		`sparewatch_settled 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%s is missing in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "sparewatch_finding") && !strings.Contains(text, "sparewatch_findings_waiting NaN") {
		t.Error("findings are counted although nothing was judged")
	}
}

// TestNothingDisappears: a device that no longer answers keeps every series that it had.
func TestNothingDisappears(t *testing.T) {
	series := func(v View) map[string]bool {
		set := map[string]bool{}
		for line := range strings.Lines(gather(t, v, expfmt.NewFormat(expfmt.TypeTextPlain))) {
			if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "sparewatch_finding_open") {
				set[line[:strings.LastIndex(line, " ")]] = true
			}
		}
		return set
	}
	before, v := series(rack()), rack()
	d := *v.Devices[0]
	d.Targets = []state.Target{{URL: "redfish://10.0.0.101", Device: "srv-101", LastTry: noon, Missed: 9, Silent: true}}
	d.Parts = append([]state.Part{}, d.Parts...)
	for i := range d.Parts {
		d.Parts[i].Silent = true
		d.Parts[i].Condition = component.Unknown
	}
	v.Devices[0] = &d
	v.Report.Groups[0].State, v.Report.Groups[0].Spares = engine.StateUnknown, nil
	v.Report.Services[0].Spares = nil
	after := series(v)
	for s := range before {
		if !after[s] {
			t.Errorf("%s is gone", s)
		}
	}
}

func TestFindingsAreBounded(t *testing.T) {
	var v View
	v.Report = &engine.Report{}
	for i := range 3 * MaxFindings {
		f := finding.Finding{Rule: finding.ComponentFailed, Subject: component.NewID("srv", component.Fan, strings.Repeat("x", i%7)+string(rune('a'+i%26))+time.Duration(i).String())}
		if i == 2*MaxFindings {
			f.Severity = finding.Critical
		}
		v.Report.Findings = append(v.Report.Findings, f)
	}
	text := gather(t, v, expfmt.NewFormat(expfmt.TypeTextPlain))
	if n := strings.Count(text, "\nsparewatch_finding_open{"); n != MaxFindings {
		t.Errorf("%d series, want %d", n, MaxFindings)
	}
	if !strings.Contains(text, `sparewatch_finding_open{rule="component-failed",severity="critical"`) {
		t.Error("the gravest finding is not among those shown")
	}
	if !strings.Contains(text, `sparewatch_findings{rule="component-failed",severity="info"} 2999`) {
		t.Error("those left out are not counted")
	}
}

var quiet = slog.New(slog.DiscardHandler)

func at() time.Time { return noon.Add(10 * time.Second) }

func get(t testing.TB, h http.Handler, url string, header ...string) string {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, url, nil)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Body.String()
}

func TestProbe(t *testing.T) {
	h := Probe(rack, at)
	byName, byURL := get(t, h, "/probe?target=srv-101"), get(t, h, "/probe?target=redfish://10.0.0.101")
	if byName != byURL {
		t.Error("a device's name and its URL are answered differently")
	}
	for _, want := range []string{
		`sparewatch_input_power_watts{component="srv-101/psu/1",kind="psu",phase=""} 212.5`,
		`sparewatch_load_ratio{component="srv-101/psu/1",kind="psu",phase=""} 0.26`,
		`sparewatch_input_voltage_volts{component="srv-101/psu/1",kind="psu",phase="L1"} NaN`,
		`sparewatch_component_condition{component="srv-101/psu/2",kind="psu",sparewatch_component_condition="failed"} 1`,
		`sparewatch_component_condition{component="srv-101/psu/2",kind="psu",sparewatch_component_condition="ok"} 0`,
		`sparewatch_probe_age_seconds 10`,
	} {
		if !strings.Contains(byName, want+"\n") {
			t.Errorf("%s is missing in:\n%s", want, byName)
		}
	}
	if text := get(t, h, "/probe?target=ups-a"); !strings.Contains(text, `kind="ups",sparewatch_component_condition="ok"} 0`) {
		t.Errorf("a silent part reads ok:\n%s", text)
	}
	if text := get(t, h, "/probe?target=nobody"); !strings.Contains(text, "no device or target is called") {
		t.Error(text)
	}
}

func TestHandler(t *testing.T) {
	h := Handler(rack, quiet)
	open := get(t, h, "/metrics", "Accept", "application/openmetrics-text;version=1.0.0")
	if !strings.Contains(open, "# TYPE sparewatch_group_redundancy_state stateset\n") || !strings.HasSuffix(open, "# EOF\n") {
		t.Error("OpenMetrics without state sets or without its end")
	}
	plain := get(t, h, "/metrics")
	if !strings.Contains(plain, "# TYPE sparewatch_group_redundancy_state gauge\n") || strings.Contains(plain, "# EOF") || !strings.Contains(plain, "go_goroutines ") {
		t.Error("the plain text format is not what it should be")
	}
}

// TestAnythingMayStandInALabel: Prometheus reads what devices say, and different things stay different.
func TestAnythingMayStandInALabel(t *testing.T) {
	for _, open := range []bool{false, true} {
		text := newText(open)
		f := desc("thing", `What "help" says: a \ and`+"\n"+"a newline.", "a", "b")
		in := []string{`a "b"`, "a\nb", "a b", `a\`, `a\n`, "Gerät 電源", "a\xff", strings.Repeat("x", 10_000), "", "a=b,c}"}
		for _, label := range in {
			text.Add(f, 1, label, "x")
		}
		var out bytes.Buffer
		if err := text.writeTo(&out); err != nil {
			t.Fatal(err)
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(&out)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, m := range families["sparewatch_thing"].GetMetric() {
			seen[m.GetLabel()[0].GetValue()] = true
		}
		if len(seen) != len(in) || !seen["a\nb"] || !seen[`a\n`] || !seen["Gerät 電源"] || !seen["a�"] {
			t.Errorf("read back: %q", slices.Sorted(maps.Keys(seen)))
		}
	}
}

// BenchmarkMetrics is a scrape of /metrics of ten thousand devices with a hundred readings each, as Prometheus asks for it.
func BenchmarkMetrics(b *testing.B) {
	v := fleet(10_000)
	for name, accept := range map[string]string{"plain": "", "gzip": "gzip"} {
		b.Run(name, func(b *testing.B) {
			h := Handler(func() View { return v }, quiet)
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				size = len(get(b, h, "/metrics", "Accept-Encoding", accept))
			}
			b.ReportMetric(float64(size)/1e6, "MB")
		})
	}
}

// BenchmarkProbe is a scrape of one of them.
func BenchmarkProbe(b *testing.B) {
	v := fleet(10_000)
	h := Probe(func() View { return v }, at)
	b.ReportAllocs()
	for b.Loop() {
		get(b, h, "/probe?target=srv-05000")
	}
}

// fleet is n devices with two groups, 20 parts and 100 readings each, and a service for every hundred.
func fleet(n int) View {
	v := View{Report: &engine.Report{At: noon, Settled: true}}
	for i := range n {
		name := fmt.Sprintf("srv-%05d", i)
		url := "redfish://" + name
		d := &state.Device{Name: name, Targets: []state.Target{{URL: url, LastTry: noon, LastGood: noon, Took: time.Second}}}
		for part := range 20 {
			p := state.Part{Source: url, At: noon}
			p.ID, p.Kind, p.Condition = component.NewID(name, component.Fan, strconv.Itoa(part)), component.Fan, component.OK
			for r := range 5 {
				p.Readings = append(p.Readings, component.Reading{Name: fmt.Sprintf("reading_%d", r), Unit: "W", Value: component.Value(i + r)})
			}
			d.Parts = append(d.Parts, p)
		}
		v.Devices = append(v.Devices, d)
		for _, kind := range []component.Kind{component.PSU, component.Fan} {
			v.Report.Groups = append(v.Report.Groups, &engine.Group{ID: component.ID(name + "/group/" + string(kind)), Kind: kind, Needed: 1, Designed: 2, State: engine.Full, Spares: ptr(1)})
		}
		if i%100 == 0 {
			v.Report.Services = append(v.Report.Services, &engine.Service{Name: name, State: engine.Full, Spares: ptr(1), By: map[component.Domain]engine.Spares{component.Power: {Spares: ptr(1)}}})
		}
	}
	return v
}

func TestDiscovery(t *testing.T) {
	got := get(t, Discovery(rack), "/sd")
	want := `[{"targets":["srv-101"],"labels":{"__meta_sparewatch_device":"srv-101","__meta_sparewatch_model":"R750","__meta_sparewatch_vendor":"Dell"}},` +
		`{"targets":["ups-a"],"labels":{"__meta_sparewatch_device":"ups-a","__meta_sparewatch_model":"","__meta_sparewatch_vendor":""}}]` + "\n"
	if got != want {
		t.Errorf("got %s", got)
	}
}

// TestDocumented: docs/metrics.md has every metric of ours, and no other.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, text := range []string{gather(t, rack(), expfmt.NewFormat(expfmt.TypeTextPlain)), get(t, Probe(rack, at), "/probe?target=srv-101")} {
		for line := range strings.Lines(text) {
			if name, ok := strings.CutPrefix(line, "# HELP "); ok {
				name, _, _ = strings.Cut(name, " ")
				shown[name] = true
			}
		}
	}
	for _, reading := range []string{"sparewatch_input_power_watts", "sparewatch_load_ratio", "sparewatch_input_voltage_volts"} {
		delete(shown, reading)
	}
	written := map[string]bool{}
	for _, name := range regexp.MustCompile("`(sparewatch_[a-z_]*[a-z])`").FindAllStringSubmatch(string(page), -1) {
		written[name[1]] = true
	}
	for name := range shown {
		if !written[name] {
			t.Errorf("%s is not in docs/metrics.md", name)
		}
	}
	for name := range written {
		if !shown[name] {
			t.Errorf("docs/metrics.md has %s, which is not shown", name)
		}
	}
}
