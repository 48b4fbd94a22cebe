package dashboards

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// site is the demo, played to the end of its script, and a Prometheus that has scraped it all the while as
// dashboards/prometheus/scrape.yml says.
type site struct {
	t          *testing.T
	url        string
	start, end time.Time
}

func play(t *testing.T) *site {
	t.Helper()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("prometheus is missing: in CI scripts/deps installs it")
		}
		t.Skip("skipped: prometheus is not installed (Debian package prometheus; make deps)")
	}
	if testing.Short() {
		t.Skip("plays the demo for a minute")
	}
	dir := t.TempDir()
	demo, prom := free(t), free(t)
	s := &site{t: t, url: "http://" + prom, start: time.Now()}
	program := filepath.Join(dir, "sparewatch")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/sparewatch").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run(t, binary, "--config.file="+s.config(dir, demo), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+prom, "--log.level=error")
	s.script(program, demo)
	s.end = time.Now()
	return s
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// run starts a program that the test ends.
func run(t *testing.T, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // it was told to end
	})
}

// config is the example for users with the demo's address, and scrapes and rules each second.
func (s *site) config(dir, demo string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "prometheus", "scrape.yml"))
	if err != nil {
		s.t.Fatal(err)
	}
	rules, err := os.ReadFile(filepath.Join(root, "prometheus", "rules.yml"))
	if err != nil {
		s.t.Fatal(err)
	}
	config := "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n" + strings.ReplaceAll(string(text), "127.0.0.1:9620", demo)
	config = strings.ReplaceAll(config, `/sd"`, `/sd", refresh_interval: 1s`)
	file := filepath.Join(dir, "prometheus.yml")
	for name, text := range map[string]string{file: config, filepath.Join(dir, "rules.yml"): string(rules)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	return file
}

// script plays the demo until its script is over; the datacenter runs on.
func (s *site) script(program, demo string) {
	s.t.Helper()
	cmd := exec.Command(program, "demo", "--speed=4", "--listen="+demo)
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "TMPDIR="+s.t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait() // it was told to end
	})
	tooLong := time.AfterFunc(5*time.Minute, func() { _ = cmd.Process.Kill() })
	defer tooLong.Stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "That was the script") {
			return
		}
	}
	s.t.Fatal("the demo ended before its script did")
}

// series is one line of an answer over time.
type series struct {
	Metric map[string]string `json:"metric"`
	Values [][2]any          `json:"values"`
}

// numbers are a series' values; times in seconds since 1970.
func (s series) numbers() (at, values []float64) {
	for _, v := range s.Values {
		f, err := strconv.ParseFloat(fmt.Sprint(v[1]), 64)
		if err != nil {
			continue
		}
		at, values = append(at, v[0].(float64)), append(values, f)
	}
	return at, values
}

// ask evaluates an expression over the whole play.
func (s *site) ask(expr string) []series {
	s.t.Helper()
	var answer struct {
		Status, Error string
		Data          struct{ Result []series }
	}
	s.get("/api/v1/query_range", url.Values{"query": {expr}, "start": {unix(s.start)}, "end": {unix(s.end)}, "step": {"1"}}, &answer)
	if answer.Status != "success" {
		s.t.Errorf("%s: %s", expr, answer.Error)
	}
	return answer.Data.Result
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func (s *site) get(path string, query url.Values, into any) {
	s.t.Helper()
	answer, err := http.Get(s.url + path + "?" + query.Encode())
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		s.t.Fatal(err)
	}
}

// labels are those that a metric's series had.
func (s *site) labels(metric string) map[string]bool {
	var answer struct{ Data []map[string]string }
	s.get("/api/v1/series", url.Values{"match[]": {metric}, "start": {unix(s.start)}, "end": {unix(s.end)}}, &answer)
	all := map[string]bool{}
	for _, one := range answer.Data {
		for l := range one {
			all[l] = true
		}
	}
	return all
}

// TestDemo scrapes the demo and holds the dashboards and the rules against it: every metric and label that they name is
// there, every panel shows something, and the alerts that fire are those that the demo's faults should raise.
func TestDemo(t *testing.T) {
	s := play(t)
	all, err := boards()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 6 {
		t.Fatalf("%d dashboards", len(all))
	}
	t.Run("panels", func(t *testing.T) { s.panels(t, all) })
	t.Run("names", func(t *testing.T) { s.names(t, all) })
	t.Run("alerts", func(t *testing.T) { s.alerts(t) })
	if *pictures {
		t.Run("pictures", func(t *testing.T) { s.draw(t, all) })
	}
}

func (s *site) panels(t *testing.T, all []Board) {
	s.t = t
	for _, b := range all {
		for _, p := range b.Panels {
			for _, q := range p.Targets {
				expr := b.query(q.Expr)
				if len(s.ask(expr)) == 0 {
					t.Errorf("%s, %q shows nothing: %s", b.File, p.Title, expr)
				}
			}
		}
	}
}

func (s *site) names(t *testing.T, all []Board) {
	s.t = t
	exprs := map[string]string{}
	for _, b := range all {
		for _, p := range b.Panels {
			for _, q := range p.Targets {
				exprs[b.query(q.Expr)] = b.File + ", " + p.Title
			}
		}
	}
	for _, r := range rules(t) {
		exprs[r.Expr] = r.Alert + r.Record
	}
	known := map[string]map[string]bool{}
	for expr, where := range exprs {
		var seen []string // labels of all the expression's metrics
		for _, m := range selectorsOf(expr) {
			if known[m.metric] == nil {
				known[m.metric] = s.labels(m.metric)
			}
			if len(known[m.metric]) == 0 && !later[m.metric] {
				t.Errorf("%s: there is no %s", where, m.metric)
			}
			seen = slices.AppendSeq(seen, maps.Keys(known[m.metric]))
			for _, l := range m.labels {
				if !known[m.metric][l] && !later[m.metric] {
					t.Errorf("%s: %s has no label %s", where, m.metric, l)
				}
			}
		}
		for _, l := range groupedBy(expr) {
			if !slices.Contains(seen, l) && !slices.ContainsFunc(selectorsOf(expr), func(m selector) bool { return later[m.metric] }) {
				t.Errorf("%s: no metric has the label %s", where, l)
			}
		}
	}
}

// later are metrics that the demo does not have, each with something that it does not have either.
var later = map[string]bool{
	"sparewatch_bgp_bad_input_total":                   true, // routers whose BGP is heard
	"sparewatch_bgp_behind_seconds_total":              true,
	"sparewatch_notification_failures_in_a_row":        true, // a receiver of notifications
	"sparewatch_notifications_total":                   true,
	"sparewatch_notifications_pending":                 true,
	"sparewatch_export_points_total":                   true, // an export
	"sparewatch_export_spool_oldest_timestamp_seconds": true,
	"sparewatch_active_power_watts":                    true, // PDUs of makes that call it so
}

// fires are the alerts that the demo's script has to raise. Others last so short, in a demo that plays fast, that a scrape
// may miss them.
var fires = []string{"SparewatchServiceWithoutSpare", "SparewatchRedundancyLost", "SparewatchProviderLost", "SparewatchWrongCabling"}

// quiet are alerts that nothing in the demo may raise.
var quiet = []string{
	"SparewatchDown", "SparewatchNotJudging", "SparewatchNotificationsStuck", "SparewatchConfigNotLoaded", "SparewatchExportBehind",
	"SparewatchExportLoss", "SparewatchCertificateChanged", "SparewatchModelMistake", "SparewatchPlannedWork",
}

func (s *site) alerts(t *testing.T) {
	s.t = t
	fired := map[string]bool{}
	for _, a := range s.ask(`count by (alertname) (ALERTS{alertstate="firing"})`) {
		fired[a.Metric["alertname"]] = true
	}
	t.Log("fired:", slices.Sorted(maps.Keys(fired)))
	for _, a := range fires {
		if !fired[a] {
			t.Errorf("%s did not fire", a)
		}
	}
	for _, a := range quiet {
		if fired[a] {
			t.Errorf("%s fired", a)
		}
	}
}
