package otlp_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sparewatch/sparewatch/pkg/export"
	"github.com/sparewatch/sparewatch/pkg/export/otlp"
)

var (
	noon   = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	spares = &export.Family{Name: "sparewatch_service_spares", Help: "Spares.", Labels: []string{"service", "domain"}}
	polls  = &export.Family{Name: "sparewatch_polls_total", Kind: export.Counter}
)

// lines says what is in a request.
func lines(t *testing.T, body []byte) (all []string) {
	t.Helper()
	var m metrics.MetricsData
	if err := proto.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	for _, r := range m.ResourceMetrics {
		var resource []string
		for _, a := range r.Resource.Attributes {
			resource = append(resource, a.Key+"="+a.Value.GetStringValue())
		}
		for _, metric := range r.ScopeMetrics[0].Metrics {
			points, kind := metric.GetGauge().GetDataPoints(), "gauge"
			if s := metric.GetSum(); s != nil {
				points, kind = s.DataPoints, fmt.Sprint("sum ", s.IsMonotonic, " ", s.AggregationTemporality)
			}
			for _, p := range points {
				var labels []string
				for _, a := range p.Attributes {
					labels = append(labels, a.Key+"="+a.Value.GetStringValue())
				}
				all = append(all, fmt.Sprintf("%s | %s %s{%s} %g flags %d since %d at %d", strings.Join(resource, ","), kind, metric.Name, strings.Join(labels, ","), p.GetAsDouble(), p.Flags, p.StartTimeUnixNano, p.TimeUnixNano))
			}
		}
	}
	return all
}

func TestEncode(t *testing.T) {
	e := otlp.NewEncoder(1000, "1.2", noon.Add(-time.Hour), map[string]string{"service.instance.id": "ams1"})
	var got []string
	e.Begin(noon, func(body []byte, n int) error {
		got = append(got, lines(t, body)...)
		if len(got) != n {
			t.Errorf("%d points are called %d", len(got), n)
		}
		return nil
	})
	e.Add(spares, 1, "pay\xff", "overall")
	e.Add(spares, math.NaN(), "shop", "")
	e.Add(polls, 7)
	if err := e.End(); err != nil {
		t.Fatal(err)
	}
	const r = "service.instance.id=ams1,service.name=sparewatch,service.version=1.2 | "
	want := []string{
		r + "sum true AGGREGATION_TEMPORALITY_CUMULATIVE sparewatch_polls_total{} 7 flags 0 since 1795345200000000000 at 1795348800000000000",
		r + "gauge sparewatch_service_spares{service=pay�,domain=overall} 1 flags 0 since 0 at 1795348800000000000",
		r + "gauge sparewatch_service_spares{service=shop} 0 flags 1 since 0 at 1795348800000000000",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestBatchesAreBounded(t *testing.T) {
	e := otlp.NewEncoder(1_000_000, "", noon, nil)
	batches, points := 0, 0
	e.Begin(noon, func(body []byte, n int) error {
		if len(body) > export.MaxBody {
			t.Errorf("a body of %d bytes", len(body))
		}
		batches, points = batches+1, points+n
		return nil
	})
	for i := range 20_000 {
		e.Add(spares, 1, fmt.Sprint(i, strings.Repeat("x", i%900)), "overall")
	}
	if err := e.End(); err != nil || points != 20_000 || batches < 5 {
		t.Errorf("%d points in %d batches, %v", points, batches, err)
	}
}

func TestWriter(t *testing.T) {
	var got []string
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		body, _ := io.ReadAll(z)
		if r.Header.Get("Content-Type") != "application/x-protobuf" || r.URL.Path != "/v1/metrics" {
			t.Errorf("%s %v", r.URL, r.Header)
		}
		got = lines(t, body)
	}))
	defer web.Close()
	w, err := otlp.NewWriter(web.Client(), web.URL+"/v1/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	e := otlp.NewEncoder(1000, "", noon, nil)
	e.Begin(noon, func(body []byte, _ int) error { return w.Write(t.Context(), body) })
	e.Add(spares, 1, "a", "overall")
	if err := e.End(); err != nil || len(got) != 1 {
		t.Errorf("%v, %q", err, got)
	}
	if _, err := otlp.NewWriter(web.Client(), "otel:4317", nil); err == nil {
		t.Error("any URL will do")
	}
}

// answers of receivers, as they stand on the wire.
var answers = []struct {
	name   string
	body   []byte
	points int
	why    string
}{
	{name: "nothing"},
	{name: "an empty partial success", body: []byte{0x0a, 0x00}},
	{name: "rejected points", body: []byte("\x0a\x0d\x08\x03\x12\x09too\x01 many"), points: 3, why: "too  many"},
	{name: "rejected points without a word", body: []byte{0x0a, 0x02, 0x08, 0x01}, points: 1, why: "no reason is given"},
	{name: "a warning, and all taken", body: []byte("\x0a\x06\x12\x04slow")},
	{name: "less than none", body: append([]byte{0x0a, 0x0b, 0x08}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)},
	{name: "fields that we do not know", body: []byte("\x12\x01x\x1d\x00\x00\x00\x00\x0a\x02\x08\x02"), points: 2, why: "no reason is given"},
	{name: "half a message", body: []byte("\x0a\x20\x08\x03")},
	{name: "JSON", body: []byte("{}")},
	{name: "a page", body: []byte("<html>welcome</html>")},
}

// A receiver that takes a request may reject some of its points: they are lost, and it says why.
func TestPartialSuccess(t *testing.T) {
	var answer []byte
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }))
	defer web.Close()
	w, err := otlp.NewWriter(web.Client(), web.URL+"/v1/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range answers {
		answer = c.body
		err := w.Write(t.Context(), nil)
		refused, is := errors.AsType[*export.RefusedError](err)
		switch {
		case c.points == 0 && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.points > 0 && (!is || refused.Points != c.points || refused.Why != c.why):
			t.Errorf("%s: %v, want %d points refused: %s", c.name, err, c.points, c.why)
		}
	}
}

// Whatever a receiver answers, reading it ends and counts nothing below zero.
func FuzzAnswer(f *testing.F) {
	for _, c := range answers {
		f.Add(c.body)
	}
	var answer []byte
	client := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: io.NopCloser(bytes.NewReader(answer))}, nil
	})}
	w, err := otlp.NewWriter(client, "http://otel/v1/metrics", nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		answer = body
		if refused, is := errors.AsType[*export.RefusedError](w.Write(t.Context(), nil)); is && refused.Points <= 0 {
			t.Error(refused)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
