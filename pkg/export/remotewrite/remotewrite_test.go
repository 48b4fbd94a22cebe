package remotewrite_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sparewatch/sparewatch/pkg/export"
	"github.com/sparewatch/sparewatch/pkg/export/remotewrite"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// read decodes a write request into "name{labels} value @time" lines.
func read(t *testing.T, body []byte) (lines []string) {
	t.Helper()
	each(t, body, func(_ protowire.Number, series []byte, _ uint64) {
		var labels []string
		var value float64
		var at uint64
		each(t, series, func(field protowire.Number, part []byte, _ uint64) {
			var texts []string
			each(t, part, func(n protowire.Number, text []byte, number uint64) {
				switch {
				case field == 1:
					texts = append(texts, string(text))
				case n == 1:
					value = math.Float64frombits(number)
				default:
					at = number
				}
			})
			if field == 1 {
				labels = append(labels, strings.Join(texts, "="))
			}
		})
		if math.Float64bits(value) == 0x7ff0000000000002 {
			lines = append(lines, fmt.Sprintf("%s stale @%d", strings.Join(labels, ","), at))
			return
		}
		lines = append(lines, fmt.Sprintf("%s %g @%d", strings.Join(labels, ","), value, at))
	})
	return lines
}

func each(t *testing.T, b []byte, f func(protowire.Number, []byte, uint64)) {
	t.Helper()
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		b = b[size:]
		switch kind {
		case protowire.BytesType:
			v, size := protowire.ConsumeBytes(b)
			if size < 0 {
				t.Fatal(protowire.ParseError(size))
			}
			f(n, v, 0)
			b = b[size:]
		case protowire.Fixed64Type:
			v, size := protowire.ConsumeFixed64(b)
			f(n, nil, v)
			b = b[size:]
		case protowire.VarintType:
			v, size := protowire.ConsumeVarint(b)
			f(n, nil, v)
			b = b[size:]
		default:
			t.Fatalf("wire type %d", kind)
		}
	}
}

var (
	up      = &export.Family{Name: "sparewatch_target_up", Labels: []string{"target", "device"}}
	finding = &export.Family{Name: "sparewatch_finding_open", Labels: []string{"subject"}, Fleeting: true}
)

// round encodes one round.
func round(t *testing.T, e *remotewrite.Encoder, at time.Time, fill func()) (lines []string) {
	t.Helper()
	e.Begin(at, func(body []byte, n int) error {
		got := read(t, body)
		if len(got) != n {
			t.Errorf("%d samples are called %d", len(got), n)
		}
		lines = append(lines, got...)
		return nil
	})
	fill()
	if err := e.End(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestEncode(t *testing.T) {
	e := remotewrite.NewEncoder(1000, map[string]string{"job": "sparewatch", "instance": "ams1"})
	got := round(t, e, noon, func() {
		e.Add(up, 1, "snmp://a", "a")
		e.Add(up, math.NaN(), "", "b\xff")
		e.Add(finding, 1, "x")
		e.Add(finding, 1, "y")
	})
	want := []string{
		"__name__=sparewatch_target_up,device=a,instance=ams1,job=sparewatch,target=snmp://a 1 @1795348800000",
		"__name__=sparewatch_target_up,device=b�,instance=ams1,job=sparewatch NaN @1795348800000",
		"__name__=sparewatch_finding_open,instance=ams1,job=sparewatch,subject=x 1 @1795348800000",
		"__name__=sparewatch_finding_open,instance=ams1,job=sparewatch,subject=y 1 @1795348800000",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	got = round(t, e, noon.Add(time.Minute), func() { e.Add(finding, 1, "y") })
	if len(got) != 2 || !strings.HasSuffix(got[1], "subject=x stale @1795348860000") {
		t.Errorf("a series that ended: %q", got)
	}
	if got = round(t, e, noon.Add(2*time.Minute), func() { e.Add(finding, 1, "y") }); len(got) != 1 {
		t.Errorf("it ends twice: %q", got)
	}
}

func TestBatchesAreBounded(t *testing.T) {
	e := remotewrite.NewEncoder(1_000_000, nil)
	batches, samples := 0, 0
	e.Begin(noon, func(body []byte, n int) error {
		if len(body) > export.MaxBody {
			t.Errorf("a body of %d bytes", len(body))
		}
		batches, samples = batches+1, samples+n
		return nil
	})
	for i := range 10_000 {
		e.Add(up, 1, fmt.Sprint(i, strings.Repeat("x", 900)), "a")
	}
	if err := e.End(); err != nil || samples != 10_000 || batches < 10 {
		t.Errorf("%d samples in %d batches, %v", samples, batches, err)
	}
}

func TestWriter(t *testing.T) {
	var got []string
	status := http.StatusNoContent
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		packed, _ := io.ReadAll(r.Body)
		body, err := s2.Decode(nil, packed)
		if err != nil || r.Header.Get("X-Prometheus-Remote-Write-Version") != "0.1.0" || r.Header.Get("X-Scope-OrgID") != "7" {
			t.Errorf("%v, %v", err, r.Header)
		}
		got = read(t, body)
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "some\nwords")
	}))
	defer web.Close()
	w, err := remotewrite.NewWriter(web.Client(), web.URL+"/secret", http.Header{"X-Scope-OrgID": {"7"}})
	if err != nil {
		t.Fatal(err)
	}
	e := remotewrite.NewEncoder(1000, nil)
	write := func() error {
		var err error
		e.Begin(noon, func(body []byte, _ int) error { err = w.Write(t.Context(), body); return nil })
		e.Add(up, 1, "snmp://a", "a")
		_ = e.End()
		return err
	}
	if err := write(); err != nil || len(got) != 1 {
		t.Errorf("%v, %q", err, got)
	}
	for s, want := range map[int]string{400: "some words", 401: "refuses", 404: "this path", 500: "answers 500", 302: "elsewhere", 429: "5s of peace"} {
		status = s
		err := write()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d: %v, want %q", s, err, want)
		}
		if _, refused := errors.AsType[*export.RefusedError](err); refused != (s == 400) {
			t.Errorf("%d: %T", s, err)
		}
	}
	web.Close()
	if err := write(); err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
	if _, err := remotewrite.NewWriter(web.Client(), "prometheus:9090", nil); err == nil {
		t.Error("any URL will do")
	}
}
