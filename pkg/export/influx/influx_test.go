package influx_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/export"
	"github.com/sparewatch/sparewatch/pkg/export/influx"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/state"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.UTC)

func ptr(n int) *int { return &n }

// rack is one server with a supply that has lost its input, under a service.
func rack(at time.Time, s engine.State, spares int) influx.View {
	psu := state.Part{Source: "redfish://10.0.0.101", At: at}
	psu.ID, psu.Kind, psu.Condition, psu.InputLost = "srv-101/psu/2", component.PSU, component.OK, s == engine.Lost
	psu.Readings = []component.Reading{
		{Name: "input_power", Unit: "W", Value: 212.5},
		{Name: "load", Unit: "%", Value: 26},
		{Name: "input_current", Unit: "A", Phase: "L1", Value: 0.9},
		{Name: "input_voltage", Unit: "V", Phase: "L1", Value: component.NoValue()},
		{Name: "input_power", Unit: "W", Value: 1}, // said twice: the first counts
	}
	return influx.View{
		Site: "ams1",
		Report: &engine.Report{
			At: at,
			Groups: []*engine.Group{
				{ID: "srv-101/group/psu", Kind: component.PSU, Needed: 1, Designed: 2, State: s, Spares: ptr(spares)},
				{ID: "srv-102/group/psu", Kind: component.PSU},
			},
			Services: []*engine.Service{{
				ID: "ams1/service/payments", Name: "payments", Tier: 1, State: s, Spares: ptr(spares),
				By: map[component.Domain]engine.Spares{component.Power: {Spares: ptr(spares), Predicted: ptr(0)}, component.Network: {}},
			}},
			Findings: []finding.Finding{{Key: "redundancy-lost:srv-101/group/psu", Rule: finding.RedundancyLost, Subject: "srv-101/group/psu", Severity: finding.Error, Summary: "one \"of\" two"}},
		},
		Devices: []*state.Device{{
			Name: "srv-101", Parts: []state.Part{psu},
			Targets: []state.Target{{URL: "redfish://10.0.0.101", LastTry: at, LastGood: at, Took: 250 * time.Millisecond}},
		}},
	}
}

// encode returns the lines of one call.
func encode(t *testing.T, e *influx.Encoder, v influx.View, all bool) []string {
	t.Helper()
	var lines []string
	err := e.Encode(v, all, func(body []byte, n int) error {
		got := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
		if len(got) != n {
			t.Errorf("%d lines are called %d", len(got), n)
		}
		lines = append(lines, got...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestLinesAreTheSchemaOfTheDocument(t *testing.T) {
	const ns = "1795348800123456789"
	want := []string{
		`sparewatch_service,service=payments,site=ams1 spares=0i,predicted_spares_power=0i,spares_power=0i,state="lost",state_code=4i,tier=1i ` + ns,
		`sparewatch_group,device=srv-101,group=srv-101/group/psu,kind=psu,site=ams1 designed=2i,needed=1i,spares=0i,state="lost",state_code=4i ` + ns,
		`sparewatch_group,device=srv-102,group=srv-102/group/psu,kind=psu,site=ams1 state="unknown",state_code=0i ` + ns,
		`sparewatch_finding,rule=redundancy-lost,site=ams1,subject=srv-101/group/psu open=true,root=true,severity="error",severity_code=2i,summary="one \"of\" two" ` + ns,
		`sparewatch_target,device=srv-101,site=ams1,target=redfish://10.0.0.101 missed=0i,poll_seconds=0.25,silent=false,up=true ` + ns,
		`sparewatch_component,component=srv-101/psu/2,device=srv-101,kind=psu,site=ams1 condition="ok",condition_code=1i,input_lost=true,predicted=false,rebuilding=false,standby=false ` + ns,
		`sparewatch_reading,component=srv-101/psu/2,device=srv-101,kind=psu,site=ams1 input_power_watts=212.5,load_ratio=0.26 ` + ns,
		`sparewatch_reading,component=srv-101/psu/2,device=srv-101,kind=psu,phase=L1,site=ams1 input_current_amperes=0.9 ` + ns,
	}
	got := encode(t, influx.NewEncoder(5000, true), rack(noon, engine.Lost, 0), true)
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("line %d\n got %s\nwant %s", i, got[i], want[i])
		}
	}
}

func TestBetweenFullRoundsOnlyWhatIsNewIsWritten(t *testing.T) {
	e := influx.NewEncoder(5000, true)
	encode(t, e, rack(noon, engine.Full, 1), true)
	if got := encode(t, e, rack(noon, engine.Full, 1), false); len(got) != 0 {
		t.Errorf("the same again: %q", got)
	}
	later := noon.Add(time.Second)
	v := rack(later, engine.Lost, 0)
	v.Report.Findings = nil
	v.Devices = nil
	got := strings.Join(encode(t, e, v, false), "\n")
	for _, want := range []string{"sparewatch_service,", "group=srv-101/group/psu", "open=false"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, "srv-102") {
		t.Errorf("what is as it was is written:\n%s", got)
	}
}

// TestAnythingMayStandInALabel: whatever devices and people call their things, the lines can be read, and say it as far
// as the format can.
func TestAnythingMayStandInALabel(t *testing.T) {
	for name, text := range map[string]string{
		"quotes": `a "b" 'c'`, "separators": "a,b=c d", "newlines": "a\nb\r\tc", "utf-8": "Gerät 7 電源", "no utf-8": "a\xff\xfeb", "a backslash at the end": `a\`, "only backslashes": `\\\`,
		"10 kB": strings.Repeat("x", 10_000), "nothing": "", "nul": "a\x00b",
	} {
		t.Run(name, func(t *testing.T) {
			v := rack(noon, engine.Lost, 0)
			v.Report.Services[0].Name = text
			v.Report.Findings[0].Summary = text
			v.Devices[0].Parts[0].ID = component.NewID("srv-101", component.PSU, text)
			v.Devices[0].Parts[0].Readings[0].Name = text
			lines := encode(t, influx.NewEncoder(5000, true), v, true)
			d := lineprotocol.NewDecoder(strings.NewReader(strings.Join(lines, "\n")))
			n := 0
			for d.Next() {
				n++
				if _, err := d.Measurement(); err != nil {
					t.Fatal(err)
				}
				for {
					key, value, err := d.NextTag()
					if err != nil {
						t.Fatal(err)
					}
					if key == nil {
						break
					}
					if len(value) == 0 || len(value) > 2000 {
						t.Errorf("tag %s is %d bytes", key, len(value))
					}
				}
				for {
					key, _, err := d.NextField()
					if err != nil {
						t.Fatal(err)
					}
					if key == nil {
						break
					}
				}
				if _, err := d.Time(lineprotocol.Nanosecond, time.Time{}); err != nil {
					t.Fatal(err)
				}
			}
			if n != 8 {
				t.Errorf("%d lines can be read, want 8", n)
			}
		})
	}
}

func TestBatchesAreBounded(t *testing.T) {
	v := rack(noon, engine.Lost, 0)
	for i := range 5000 {
		p := v.Devices[0].Parts[0]
		p.ID = component.NewID("srv-101", component.Fan, fmt.Sprint(strings.Repeat("f", 900), i))
		v.Devices[0].Parts = append(v.Devices[0].Parts, p)
	}
	batches, lines := 0, 0
	err := influx.NewEncoder(1_000_000, true).Encode(v, true, func(body []byte, n int) error {
		if len(body) > export.MaxBody {
			t.Errorf("a body of %d bytes", len(body))
		}
		batches, lines = batches+1, lines+n
		return nil
	})
	if err != nil || batches < 10 || lines != 5+3*5001 {
		t.Errorf("%d lines in %d batches, %v", lines, batches, err)
	}
}

// server is an InfluxDB that knows one bucket and cannot take lines with the word bad.
type server struct {
	lines    []string
	requests int
	refuse   func(r *http.Request) (status int, body string)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests++
	if s.refuse != nil {
		if status, body := s.refuse(r); status != 0 {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return
		}
	}
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		body = z
	}
	text, _ := io.ReadAll(body)
	if strings.Contains(string(text), "bad") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"code":"invalid","message":"unable to parse 'bad': missing fields"}`)
		return
	}
	s.lines = append(s.lines, strings.Split(strings.TrimSpace(string(text)), "\n")...)
	w.WriteHeader(http.StatusNoContent)
}

func writer(t *testing.T, s *server, o influx.Options) *influx.Writer {
	t.Helper()
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	o.URL = web.URL
	if o.Database == "" {
		o.Bucket = "sparewatch"
	}
	w, err := influx.NewWriter(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func TestOneLineThatCannotBeTakenCostsItself(t *testing.T) {
	for version, o := range map[string]influx.Options{"1": {Database: "db", User: "u"}, "2": {Org: "o"}} {
		t.Run(version, func(t *testing.T) {
			var lines []string
			for i := range 1000 {
				lines = append(lines, fmt.Sprintf("m v=%d %d", i, i))
			}
			lines[17], lines[600] = "m bad=1", "bad"
			s := &server{}
			err := writer(t, s, o).Write(t.Context(), []byte(strings.Join(lines, "\n")))
			refused, ok := errors.AsType[*export.RefusedError](err)
			if !ok || refused.Points != 2 || !strings.Contains(refused.Why, "unable to parse") {
				t.Fatalf("Write: %v", err)
			}
			if len(s.lines) != 998 {
				t.Errorf("%d lines were taken, want 998", len(s.lines))
			}
			if s.requests > 50 {
				t.Errorf("it took %d requests", s.requests)
			}
		})
	}
}

func TestAnErrorSaysWhatToDo(t *testing.T) {
	for _, c := range []struct {
		status    int
		body      string
		after     string
		want      string
		wantAfter time.Duration
	}{
		{401, `{"code":"unauthorized","message":"unauthorized access"}`, "", "check token_file", 0},
		{404, `{"code":"not found","message":"bucket \"x\" not found"}`, "", "no such bucket", 0},
		{400, `{"code":"invalid","message":"bucket name is required"}`, "", "no such bucket", 0},
		{503, `{"code":"unavailable","message":"busy"}`, "", "503", 0},
		{429, `{"code":"too many requests","message":"slow down"}`, "30", "429", 30 * time.Second},
	} {
		for version, o := range map[string]influx.Options{"1": {Database: "db"}, "2": {}} {
			s := &server{refuse: func(*http.Request) (int, string) { return c.status, c.body }}
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c.after != "" {
					w.Header().Set("Retry-After", c.after)
				}
				s.ServeHTTP(w, r)
			}))
			o.URL = web.URL
			if o.Database == "" {
				o.Bucket = "x"
			}
			w, err := influx.NewWriter(o)
			if err != nil {
				t.Fatal(err)
			}
			err = w.Write(t.Context(), []byte("m v=1"))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("version %s, %d: %v, want %q", version, c.status, err, c.want)
			}
			var busy *export.BusyError
			if b, ok := errors.AsType[*export.BusyError](err); ok {
				busy = b
			}
			if (busy != nil) != (c.wantAfter > 0) || busy != nil && busy.After != c.wantAfter {
				t.Errorf("version %s, %d: busy %+v", version, c.status, busy)
			}
			w.Close()
			web.Close()
			if s.requests != 1 {
				t.Errorf("version %s, %d: %d requests for one answer", version, c.status, s.requests)
			}
		}
	}
}

func TestADeadServerIsAnError(t *testing.T) {
	web := httptest.NewServer(nil)
	web.Close()
	for _, o := range []influx.Options{{URL: web.URL, Bucket: "b"}, {URL: web.URL, Database: "d"}} {
		w, err := influx.NewWriter(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if err := w.Write(ctx, []byte("m v=1")); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("Write: %v", err)
		}
		cancel()
		w.Close()
	}
}

func TestNewWriterWantsToKnowWhere(t *testing.T) {
	for _, o := range []influx.Options{{}, {URL: "http://h"}, {URL: "udp://h", Bucket: "b"}, {URL: "http://h", Bucket: "b", Database: "d"}} {
		if _, err := influx.NewWriter(o); err == nil {
			t.Errorf("NewWriter(%+v) is fine with it", o)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	v := influx.View{Site: "ams1"}
	for d := range 100 {
		one := rack(noon, engine.Full, 1).Devices[0]
		one.Name = fmt.Sprintf("srv-%d", d)
		for i := range 24 {
			p := one.Parts[0]
			p.ID = component.NewID(one.Name, component.Fan, fmt.Sprint(i))
			one.Parts = append(one.Parts, p)
		}
		v.Devices = append(v.Devices, one)
	}
	b.ReportAllocs()
	lines := 0
	for b.Loop() {
		if err := influx.NewEncoder(5000, true).Encode(v, false, func(_ []byte, n int) error { lines += n; return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(lines), "ns/line")
}
