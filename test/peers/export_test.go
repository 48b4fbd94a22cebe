package peers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bus"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/export"
	"github.com/sparewatch/sparewatch/pkg/export/influx"
	"github.com/sparewatch/sparewatch/pkg/export/prom"
	"github.com/sparewatch/sparewatch/pkg/export/remotewrite"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/state"
)

// server is a daemon that speaks HTTP, and can be killed and started again on what it has on disk.
type server struct {
	t    *testing.T
	bin  string
	addr string
	args func(addr string) []string
	log  string
	cmd  *exec.Cmd
}

// serve starts a daemon on a free port.
func serve(t *testing.T, bin string, args func(addr string) []string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, bin: bin, addr: l.Addr().String(), args: args, log: filepath.Join(t.TempDir(), "log")}
	_ = l.Close()
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *server) start() {
	s.t.Helper()
	out, err := os.OpenFile(s.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer out.Close()
	s.cmd = exec.Command(s.bin, s.args(s.addr)...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; {
		if c, err := net.Dial("tcp", s.addr); err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(s.log)
			s.t.Fatalf("%s does not listen on %s:\n%s", s.bin, s.addr, said)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *server) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// stop lets it write down what it has, as an administrator does.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	_ = s.cmd.Wait()
	s.cmd = nil
}

func (s *server) get(path string, query url.Values) string {
	s.t.Helper()
	answer, err := http.Get("http://" + s.addr + path + "?" + query.Encode())
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %d %s, %v", path, answer.StatusCode, body, err)
	}
	return string(body)
}

// step is how far apart the rounds of these tests are, in simulated time.
const step = 15 * time.Second

// plant is one server at a moment: its supply's reading counts the rounds.
func plant(at time.Time, round int) influx.View {
	one := 1
	psu := state.Part{Source: "redfish://10.0.0.101", At: at}
	psu.ID, psu.Kind, psu.Condition = "srv-101/psu/1", component.PSU, component.OK
	psu.Readings = []component.Reading{{Name: "input_power", Unit: "W", Value: component.Value(round)}}
	return influx.View{
		Site: "ams1",
		Report: &engine.Report{
			At:       at,
			Services: []*engine.Service{{ID: "ams1/service/pay ments", Name: `pay "ments", 電`, State: engine.Full, Spares: &one}},
			Groups:   []*engine.Group{{ID: "srv-101/group/psu", Kind: component.PSU, Needed: 1, Designed: 2, State: engine.Full, Spares: &one}},
		},
		Devices: []*state.Device{{Name: "srv-101", Parts: []state.Part{psu}, Targets: []state.Target{{URL: "redfish://10.0.0.101", LastTry: at, LastGood: at}}}},
	}
}

// line is a spool with a pipe to a writer.
func line(t *testing.T, w export.Writer, limit int64) *export.Pipe {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	q, err := b.Spool(t.Context(), "peer", limit)
	if err != nil {
		t.Fatal(err)
	}
	p := export.NewPipe(export.Options{Name: "peer", Queue: q, Writer: w, Retry: export.Retry{First: 10 * time.Millisecond, Most: 50 * time.Millisecond}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		if err := b.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return p
}

// drained waits until a pipe has nothing left.
func drained(t *testing.T, p *export.Pipe) export.Status {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if s := p.Status(); s.Waiting.Batches == 0 && s.Written > 0 {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("the spool does not drain: %+v", p.Status())
		}
	}
}

func victoria(t *testing.T) *server {
	bin := daemon(t, "victoria-metrics", "victoria-metrics")
	dir := t.TempDir()
	return serve(t, bin, func(addr string) []string {
		return []string{"-httpListenAddr=" + addr, "-storageDataPath=" + dir, "-memory.allowedBytes=64MB", "-search.latencyOffset=0s", "-search.disableCache", "-retentionPeriod=1"}
	})
}

// flush makes what was written visible at once where the server is VictoriaMetrics.
func (s *server) flush() {
	if answer, err := http.Get("http://" + s.addr + "/internal/force_flush"); err == nil {
		_ = answer.Body.Close()
	}
}

// samples are VictoriaMetrics' raw samples of one series: time in ms to the values that are stored for it.
func (s *server) samples(selector string) map[int64][]float64 {
	s.t.Helper()
	s.flush()
	out := map[int64][]float64{}
	lines := bufio.NewScanner(strings.NewReader(s.get("/api/v1/export", url.Values{"match[]": {selector}})))
	for lines.Scan() {
		var series struct {
			Values     []float64 `json:"values"`
			Timestamps []int64   `json:"timestamps"`
		}
		if err := json.Unmarshal(lines.Bytes(), &series); err != nil {
			s.t.Fatal(err)
		}
		for i, at := range series.Timestamps {
			out[at] = append(out[at], series.Values[i])
		}
	}
	return out
}

// TestInfluxOutage: ten minutes of simulated time without the receiver, its restart, and no point is lost and none is
// there twice.
func TestInfluxOutage(t *testing.T) {
	vm := victoria(t)
	for version, o := range map[string]influx.Options{
		"2": {URL: "http://" + vm.addr, Bucket: "any"},
		"1": {URL: "http://" + vm.addr, Database: "any"},
	} {
		t.Run("version "+version, func(t *testing.T) {
			w, err := influx.NewWriter(o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(w.Close)
			p := line(t, w, 8<<20)
			enc := influx.NewEncoder(3, true) // small batches, so that their order matters
			start := time.Now().Add(-time.Hour).Truncate(time.Second)
			round := 0
			run := func(d time.Duration) {
				for end := round + int(d/step); round < end; round++ {
					at := start.Add(time.Duration(round) * step)
					v := plant(at, round)
					v.Site = "site" + version
					err := enc.Encode(v, true, func(body []byte, lines int) error { return p.Put(t.Context(), body, lines) })
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			run(5 * time.Minute)
			drained(t, p)
			vm.stop()
			run(10 * time.Minute)
			if s := p.Status(); s.Waiting.Batches == 0 || s.Dropped != 0 {
				t.Errorf("while nobody listens: %+v", s)
			}
			vm.start()
			run(5 * time.Minute)
			s := drained(t, p)
			if want := uint64(round * 5); s.Written != want || s.Dropped != 0 || s.Refused != 0 {
				t.Errorf("%d points written, %d dropped, %d refused; want %d written", s.Written, s.Dropped, s.Refused, want)
			}
			got := vm.samples(`sparewatch_reading_input_power_watts{component="srv-101/psu/1",site="site` + version + `"}`)
			for r := range round {
				at := start.Add(time.Duration(r) * step).UnixMilli()
				if v := got[at]; len(v) != 1 || v[0] != float64(r) {
					t.Errorf("round %d: VictoriaMetrics has %v", r, v)
				}
			}
			if len(got) != round {
				t.Errorf("%d samples, want %d", len(got), round)
			}
			if n := len(vm.samples(`sparewatch_service_spares{service="pay \"ments\", 電",site="site` + version + `"}`)); n != round {
				t.Errorf("a service with an odd name has %d samples, want %d", n, round)
			}
		})
	}
}

// TestInfluxDB1 writes to Debian's InfluxDB 1.6, which has /write alone, and reads back with InfluxQL.
func TestInfluxDB1(t *testing.T) {
	bin := daemon(t, "influxd", "influxdb")
	dir := t.TempDir()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	backup := free.Addr().String()
	_ = free.Close()
	db := serve(t, bin, func(addr string) []string {
		conf := filepath.Join(dir, "influxdb.conf")
		text := fmt.Sprintf("reporting-disabled = true\nbind-address = %q\n[meta]\n dir = %q\n[data]\n dir = %q\n wal-dir = %q\n[http]\n bind-address = %q\n",
			backup, dir+"/meta", dir+"/data", dir+"/wal", addr)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"-config", conf}
	})
	w, err := influx.NewWriter(influx.Options{URL: "http://" + db.addr, Database: "spares"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	enc := influx.NewEncoder(5000, true)
	at := time.Now().Truncate(time.Second)
	var body []byte
	if err := enc.Encode(plant(at, 7), true, func(b []byte, _ int) error { body = append(body, b...); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(t.Context(), body); err == nil || !strings.Contains(err.Error(), "no such bucket, organisation or database") {
		t.Errorf("a database that is not there: %v", err)
	}
	answer, err := http.PostForm("http://"+db.addr+"/query", url.Values{"q": {"CREATE DATABASE spares"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	bad := fmt.Sprintf("sparewatch_service,service=x spares=\"text\" %d\nnonsense\n", at.UnixNano())
	err = w.Write(t.Context(), append(body, bad...))
	if refused, ok := errors.AsType[*export.RefusedError](err); !ok || refused.Points == 0 || refused.Points > 2 {
		t.Errorf("two lines that it cannot take: %v", err)
	}
	said := db.get("/query", url.Values{"db": {"spares"}, "q": {`SELECT last("spares") FROM "sparewatch_service" GROUP BY "service"; SELECT "input_power_watts" FROM "sparewatch_reading"`}})
	for _, want := range []string{`"service":"pay \"ments\", 電"`, `,1]`, `,7]`} {
		if !strings.Contains(said, want) {
			t.Errorf("no %s in %s", want, said)
		}
	}
}

// TestRemoteWrite writes to Prometheus and to VictoriaMetrics; the first ends series that are marked stale.
func TestRemoteWrite(t *testing.T) {
	for _, peer := range []struct {
		name  string
		start func(*testing.T) *server
	}{
		{"prometheus", func(t *testing.T) *server {
			bin := daemon(t, "prometheus", "prometheus")
			dir := t.TempDir()
			conf := filepath.Join(dir, "prometheus.yml")
			if err := os.WriteFile(conf, []byte("{}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			return serve(t, bin, func(addr string) []string {
				return []string{"--config.file=" + conf, "--storage.tsdb.path=" + dir + "/data", "--web.listen-address=" + addr, "--web.enable-remote-write-receiver"}
			})
		}},
		{"victoria-metrics", victoria},
	} {
		t.Run(peer.name, func(t *testing.T) {
			s := peer.start(t)
			w, err := remotewrite.NewWriter(http.DefaultClient, "http://"+s.addr+"/api/v1/write", nil)
			if err != nil {
				t.Fatal(err)
			}
			p := line(t, w, 8<<20)
			enc := remotewrite.NewEncoder(100, map[string]string{"job": "sparewatch", "instance": "ams1"})
			now := time.Now().Truncate(time.Second)
			for i, findings := range [][]finding.Finding{{{Rule: finding.RedundancyLost, Subject: "srv-101/group/psu", Severity: finding.Error}}, nil} {
				v := plant(now, 212)
				at := now.Add(time.Duration(i-1) * step)
				v.Report.At, v.Report.Findings = at, findings
				enc.Begin(at, func(body []byte, n int) error { return p.Put(t.Context(), body, n) })
				prom.Collect(prom.View{Report: v.Report, Devices: v.Devices}, enc)
				prom.Parts(v.Devices, enc)
				if err := enc.End(); err != nil {
					t.Fatal(err)
				}
			}
			if st := drained(t, p); st.Refused != 0 {
				t.Fatalf("%+v", st)
			}
			ask := func(query string, at time.Time) float64 {
				s.t = t
				s.flush()
				for range 50 {
					var answer struct {
						Data struct {
							Result []struct {
								Value [2]any `json:"value"`
							} `json:"result"`
						} `json:"data"`
					}
					said := s.get("/api/v1/query", url.Values{"query": {query}, "time": {fmt.Sprint(at.Unix())}})
					if err := json.Unmarshal([]byte(said), &answer); err != nil {
						t.Fatal(err)
					}
					if len(answer.Data.Result) == 1 {
						var f float64
						if _, err := fmt.Sscan(fmt.Sprint(answer.Data.Result[0].Value[1]), &f); err != nil {
							t.Fatal(err)
						}
						return f
					}
					time.Sleep(50 * time.Millisecond)
				}
				return math.NaN()
			}
			if got := ask(`sparewatch_input_power_watts{instance="ams1",component="srv-101/psu/1"}`, now); got != 212 {
				t.Errorf("the reading is %v, want 212", got)
			}
			if got := ask(`sparewatch_service_spares{service="pay \"ments\", 電",domain="overall"}`, now); got != 1 {
				t.Errorf("the service has %v spares, want 1", got)
			}
			if got := ask(`sum(sparewatch_finding_open)`, now.Add(-step)); got != 1 {
				t.Errorf("%v findings are open at first, want 1", got)
			}
			if got := ask(`absent(sparewatch_finding_open)`, now); got != 1 {
				t.Error("a finding that closed is still open")
			}
		})
	}
}
