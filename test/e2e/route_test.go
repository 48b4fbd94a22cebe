package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bus"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/ledger"
	"github.com/sparewatch/sparewatch/test/e2e"
)

// routeLimit bounds each thing that is waited for. It comes in a few seconds.
const routeLimit = 60 * time.Second

// TestRoute follows pulled supplies from the wire to a person's page and to a real Prometheus, and back, with the daemon
// killed in between: nothing is lost, and nothing is doubled under its dedup key.
func TestRoute(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and starts daemons")
	}
	dc, err := lab.Start(context.Background(), lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer dc.Close()
	duty := e2e.NewPagerDuty(routingKey)
	defer duty.Close()
	state := filepath.Join(t.TempDir(), "state")
	d := &daemon{t: t, binary: build(t), configs: t.TempDir(), listen: freeAddress(t)}
	d.write("lab.yaml", dc.Config())
	d.write("daemon.yaml", fmt.Sprintf("web: {listen: %q}\nstate: {dir: %q}\nnotify:\n  - {name: duty, kind: pagerduty, url: %q, routing_key: %q}\n", d.listen, state, duty.URL(), routingKey))
	d.start()
	defer d.kill()
	prom := startPrometheus(t, d.listen)
	prom.wait(`sparewatch_group_redundancy_state{group="srv-103/group/psu",sparewatch_group_redundancy_state="full"}`, "1")
	if alerts := duty.Alerts(); len(alerts) != 0 {
		t.Fatalf("somebody was paged before anything happened: %+v", alerts)
	}

	t.Log("a supply is pulled out of srv-103")
	must(t, dc.PullSupply("srv-103", 2))
	first := alert(t, duty, "srv-103", open)
	prom.wait(`sparewatch_group_redundancy_state{group="srv-103/group/psu",sparewatch_group_redundancy_state="lost"}`, "1")
	prom.wait(`sparewatch_group_spares{group="srv-103/group/psu"}`, "0")
	prom.wait(`sum(sparewatch_finding_open{rule="redundancy-lost",subject="srv-103/group/psu"})`, "1")

	t.Log("the daemon is killed, and another supply pulled while it is dead")
	d.kill()
	must(t, dc.PullSupply("srv-110", 1))
	prom.wait(fmt.Sprintf(`up{instance=%q}`, d.listen), "0")
	d.start()
	alert(t, duty, "srv-110", open)
	prom.wait(`sparewatch_group_redundancy_state{group="srv-103/group/psu",sparewatch_group_redundancy_state="lost"}`, "1")

	t.Log("the daemon is killed at a moment of its own while it finds out")
	for _, server := range []string{"srv-107", "srv-111"} {
		must(t, dc.FailSupply(server, 2))
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Millisecond) // the kill is to hit any moment of a poll
		d.kill()
		d.start()
		alert(t, duty, server, open)
	}

	t.Log("everything is put right, with one more kill")
	must(t, dc.InsertSupply("srv-103", 2))
	alert(t, duty, "srv-103", resolved)
	must(t, dc.InsertSupply("srv-110", 1))
	d.kill()
	must(t, dc.InsertSupply("srv-107", 2))
	must(t, dc.InsertSupply("srv-111", 2))
	d.start()
	for _, server := range []string{"srv-110", "srv-107", "srv-111"} {
		alert(t, duty, server, resolved)
	}
	prom.wait(`sparewatch_group_redundancy_state{group="srv-103/group/psu",sparewatch_group_redundancy_state="full"}`, "1")
	prom.wait(`sum(sparewatch_incidents_open)`, "0")

	alerts := duty.Alerts()
	keys := map[string]int{}
	for _, a := range alerts {
		keys[a.Key]++
	}
	if len(alerts) != 4 || len(keys) != 4 {
		t.Errorf("%d alerts under %d keys were opened, want 4 of each: %+v", len(alerts), len(keys), alerts)
	}
	if keys[first.Key] != 1 {
		t.Errorf("the first alert was opened %d times", keys[first.Key])
	}
	d.stop()
	verify(t, state)
	if prom == nil {
		t.Skip("all but Prometheus was tried: it is not installed (apt-get install prometheus)")
	}
}

func open(a e2e.Alert) bool     { return a.Resolved.IsZero() }
func resolved(a e2e.Alert) bool { return !a.Resolved.IsZero() }

// alert waits for an alert about a server.
func alert(t *testing.T, duty *e2e.PagerDuty, server string, is func(e2e.Alert) bool) e2e.Alert {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), routeLimit)
	defer cancel()
	about := func(a e2e.Alert) bool { return strings.Contains(a.Summary, server) && is(a) }
	alerts, err := duty.Wait(ctx, func(all []e2e.Alert) bool { return slices.ContainsFunc(all, about) })
	if err != nil {
		t.Fatalf("no such alert about %s: %v; there are %+v", server, err, duty.Alerts())
	}
	return alerts[slices.IndexFunc(alerts, about)]
}

// verify reads the whole ledger that the killed daemons left: its chain holds.
func verify(t *testing.T, dir string) {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { must(t, b.Close(context.Background())) }()
	starts := 0
	_, err = ledger.Open(t.Context(), b.Ledger(), func(e ledger.Entry) error {
		if e.Kind == ledger.Start {
			starts++
		}
		return nil
	})
	if err != nil || starts != 5 {
		t.Errorf("the ledger has %d starts, want 5; %v", starts, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// build makes the program as it is delivered.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "sparewatch")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/sparewatch/sparewatch/cmd/sparewatch")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// freeAddress is an address of loopback on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// daemon is the program as a process of its own.
type daemon struct {
	t                       *testing.T
	binary, configs, listen string
	cmd                     *exec.Cmd
	log                     logged // of all its lives
}

func (d *daemon) write(name, text string) {
	d.t.Helper()
	must(d.t, os.WriteFile(filepath.Join(d.configs, name), []byte(text), 0o600))
}

// start runs the daemon; it returns when the page is served.
func (d *daemon) start() {
	d.t.Helper()
	d.cmd = exec.Command(d.binary, "run", "--config", d.configs)
	out, err := d.cmd.StdoutPipe()
	must(d.t, err)
	d.cmd.Stderr = &d.log
	must(d.t, d.cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = d.cmd.Wait()
		d.cmd = nil
		d.t.Fatalf("the daemon did not start: %v\n%s", err, &d.log)
	}
	d.t.Log("the daemon serves", strings.TrimSpace(line))
}

// kill ends it with SIGKILL.
func (d *daemon) kill() {
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait() // it was killed
	d.cmd = nil
}

// stop ends it as an operator does.
func (d *daemon) stop() {
	d.t.Helper()
	must(d.t, d.cmd.Process.Signal(os.Interrupt))
	if err := d.cmd.Wait(); err != nil {
		d.t.Errorf("the daemon did not end well: %v", err)
	}
	d.cmd = nil
}

// prometheus is Debian's, scraping the daemon. nil where it is not installed: then nothing is asked.
type prometheus struct {
	t   *testing.T
	url string
}

func startPrometheus(t *testing.T, target string) *prometheus {
	t.Helper()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("prometheus is not installed: scripts/deps installs it")
		}
		return nil
	}
	dir, listen := t.TempDir(), freeAddress(t)
	config := fmt.Sprintf("global: {scrape_interval: 500ms}\nscrape_configs:\n  - {job_name: sparewatch, static_configs: [{targets: [%q]}]}\n", target)
	file := filepath.Join(dir, "prometheus.yml")
	must(t, os.WriteFile(file, []byte(config), 0o600))
	cmd := exec.Command(binary, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+listen, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // it was told to end
	})
	return &prometheus{t: t, url: "http://" + listen}
}

// wait asks until the query has the one value.
func (p *prometheus) wait(query, want string) {
	if p == nil {
		return
	}
	p.t.Helper()
	end := time.Now().Add(routeLimit)
	every := time.NewTicker(200 * time.Millisecond)
	defer every.Stop()
	var got string
	var err error
	for time.Now().Before(end) {
		if got, err = p.ask(query); err == nil && got == want {
			return
		}
		<-every.C
	}
	p.t.Fatalf("Prometheus says %q of %s, want %q; %v", got, query, want, err)
}

func (p *prometheus) ask(query string) (string, error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return "", err
	}
	var values []string
	for _, r := range answer.Data.Result {
		values = append(values, fmt.Sprint(r.Value[1]))
	}
	return strings.Join(values, ","), nil
}
