//go:build linux

package fleet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// fleet is a kind of simulated site.
type fleet struct {
	size  int // devices where nobody says otherwise
	small int // devices in the test run
	// serve starts n devices, more or less, in this process, and returns how many there are and the daemon's configuration
	// of them: "credentials:" and "devices:". They serve until the process ends.
	serve func(n int) (devices int, config string, err error)
}

// fleets are the kinds by the word that FLEET takes. Each has a file of its own.
var fleets = map[string]fleet{
	"snmp":    {size: 10_000, small: 60, serve: serveSNMP},
	"redfish": {size: 1000, small: 20, serve: serveRedfish},
	"ipmi":    {size: 1000, small: 20, serve: serveIPMI},
	"bmc":     {size: 1000, small: 0, serve: serveBMCs}, // of each kind
}

// atEnd is what a simulator looks at when the daemon has gone: whether it has left anything behind.
var atEnd []func() error

// simulates is the environment variable by which this test binary is the simulator instead: "KIND SIZE FILE". The
// configuration goes to the file.
const simulates = "SPAREWATCH_FLEET_SIMULATOR"

func TestMain(m *testing.M) {
	if os.Getenv(simulates) != "" {
		if err := simulate(os.Getenv(simulates)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// simulate serves a fleet until standard input is closed.
func simulate(what string) error {
	words := strings.SplitN(what, " ", 3)
	n, err := strconv.Atoi(words[1])
	if err != nil {
		return err
	}
	devices, config, err := fleets[words[0]].serve(n)
	if err != nil {
		return err
	}
	if err := os.WriteFile(words[2], []byte(config), 0o600); err != nil {
		return err
	}
	fmt.Println(devices)
	_, err = io.Copy(io.Discard, os.Stdin)
	for _, look := range atEnd {
		err = errors.Join(err, look())
	}
	return err
}

// TestSmallFleets: every device of each kind of fleet is read, and nothing is found wrong with it.
func TestSmallFleets(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and starts it")
	}
	binary := build(t)
	for kind, f := range fleets {
		if f.small == 0 {
			continue // of others
		}
		t.Run(kind, func(t *testing.T) {
			sim := startSimulator(t, kind, f.small)
			d := startDaemon(t, binary, sim, 2*time.Second)
			wait(t, 30*time.Second, func() bool {
				m := d.metrics(t)
				return m["sparewatch_polls_total"] >= float64(2*sim.devices) && m["sparewatch_settled"] == 1
			})
			if m := d.metrics(t); m["up"] < float64(sim.devices) || m["sparewatch_polls_failed_total"] > 0 || m["findings"] > 0 {
				t.Errorf("%g of %d targets are up, %g polls failed, %g findings", m["up"], sim.devices, m["sparewatch_polls_failed_total"], m["findings"])
			}
		})
	}
}

// TestBenchFleet measures the daemon on a whole fleet: make bench-fleet.
func TestBenchFleet(t *testing.T) {
	if os.Getenv("BENCH_FLEET") == "" {
		t.Skip("a measurement, not a test: make bench-fleet")
	}
	kind := orElse(os.Getenv("FLEET"), "snmp")
	f, ok := fleets[kind]
	if !ok {
		t.Fatalf("there is no fleet %q", kind)
	}
	size, err := strconv.Atoi(orElse(os.Getenv("FLEET_SIZE"), strconv.Itoa(f.size)))
	if err != nil {
		t.Fatal(err)
	}
	interval, err := time.ParseDuration(orElse(os.Getenv("FLEET_INTERVAL"), "60s"))
	if err != nil {
		t.Fatal(err)
	}
	intervals, err := strconv.Atoi(orElse(os.Getenv("FLEET_INTERVALS"), "3"))
	if err != nil {
		t.Fatal(err)
	}
	binary := build(t)
	sim := startSimulator(t, kind, size)
	d := startDaemon(t, binary, sim, interval)
	t.Logf("%d devices (%s), read every %s; daemon and simulator on the same %s processors; the page came %s after the start",
		sim.devices, kind, interval, processors(), d.up.Round(time.Millisecond))
	start, before := time.Now(), d.sample(t, sim)
	t.Logf("%-14s %9s %9s %9s %9s %8s %7s %7s %9s %9s", "", "daemon", "simulator", "daemon", "daemon", "", "", "", "", "")
	t.Logf("%-14s %9s %9s %9s %9s %8s %7s %7s %9s %9s", "interval", "CPU", "CPU", "RSS", "peak", "polls", "failed", "late", "findings", "/metrics")
	for i := 1; i <= intervals; i++ {
		// A scrape each quarter, as Prometheus would.
		var scrape time.Duration
		for q := 1; q <= 4; q++ {
			time.Sleep(time.Until(start.Add(interval*time.Duration(i-1) + interval*time.Duration(q)/4)))
			began := time.Now()
			d.metrics(t)
			scrape = time.Since(began)
		}
		now := d.sample(t, sim)
		wall := now.at.Sub(before.at).Seconds()
		name := fmt.Sprintf("%d", i)
		if i == 1 {
			name = "1 (start-up)"
		}
		t.Logf("%-14s %7.1f %% %7.1f %% %6.0f MB %6.0f MB %8.0f %7.0f %7.0f %9.0f %6.0f ms", name, 100*(now.daemon-before.daemon).Seconds()/wall,
			100*(now.simulator-before.simulator).Seconds()/wall, now.rss, now.peak, now.m["sparewatch_polls_total"]-before.m["sparewatch_polls_total"],
			now.m["sparewatch_polls_failed_total"]-before.m["sparewatch_polls_failed_total"], now.m["sparewatch_polls_late_total"]-before.m["sparewatch_polls_late_total"],
			now.m["findings"], float64(scrape.Milliseconds()))
		before = now
	}
	t.Logf("CPU is of one processor (two are 200 %%). %.0f of %d targets answer; %.0f evaluations took %.1f s; %.0f components are not ok",
		before.m["up"], sim.devices, before.m["sparewatch_engine_evaluations_total"], before.m["sparewatch_engine_evaluation_seconds_total"], before.m["notok"])
	if before.m["up"] < float64(sim.devices) {
		t.Errorf("%.0f of %d targets answer\n%s", before.m["up"], sim.devices, d.said())
	}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func processors() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	return strconv.Itoa(strings.Count(string(text), "processor\t"))
}

// simulator is the process that answers for all devices.
type simulator struct {
	devices int
	config  string // of the devices
	process *os.Process
}

func startSimulator(t *testing.T, kind string, n int) *simulator {
	t.Helper()
	file := filepath.Join(t.TempDir(), "devices.yaml")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", simulates, kind, n, file))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(stdout)
	t.Cleanup(func() {
		_ = stdin.Close()
		if last, _ := io.ReadAll(said); len(last) > 0 {
			t.Logf("the simulator: %s", strings.TrimSpace(string(last)))
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the simulator: %v", err)
		}
	})
	line, err := said.ReadString('\n')
	if err != nil {
		t.Fatalf("the simulator does not start: %v", err)
	}
	s := &simulator{process: cmd.Process}
	if s.devices, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s.config = string(config)
	return s
}

func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "sparewatch")
	cmd := exec.Command("go", "build", "-o", binary, "../../cmd/sparewatch")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// daemon is a running sparewatch.
type daemon struct {
	url     string
	process *os.Process
	log     string
	up      time.Duration // from the start to the first answer
}

func startDaemon(t *testing.T, binary string, sim *simulator, interval time.Duration) *daemon {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := l.Addr().String()
	_ = l.Close()
	main := fmt.Sprintf("site: hall\npoll: {states: %s, inventory: %s}\nweb: {listen: %q}\nstate: {dir: %q}\n", interval, max(10*time.Minute, interval), listen, filepath.Join(dir, "state"))
	configs := filepath.Join(dir, "configs")
	if err := os.Mkdir(configs, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"main.yaml": main, "devices.yaml": sim.config} {
		if err := os.WriteFile(filepath.Join(configs, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := &daemon{url: "http://" + listen, log: filepath.Join(dir, "log")}
	log, err := os.Create(d.log)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "run", "--config", configs)
	cmd.Stdout, cmd.Stderr = log, log
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.process = cmd.Process
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
		_ = log.Close()
		if t.Failed() {
			t.Log(d.said())
		}
	})
	wait(t, 60*time.Second, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return true
	})
	d.up = time.Since(began)
	return d
}

// said is the end of the daemon's log.
func (d *daemon) said() string {
	text, _ := os.ReadFile(d.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}

// wait asks again and again, for a time.
func wait(t *testing.T, most time.Duration, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(most); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come within %s", most)
		}
	}
}

// metrics scrapes the daemon: series without labels by their names, and sums of the others: "up" targets, "findings", and
// components that are "notok".
func (d *daemon) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	resp, err := http.Get(d.url + "/metrics")
	if err != nil {
		t.Fatalf("%v\n%s", err, d.said())
	}
	defer func() { _ = resp.Body.Close() }()
	out := map[string]float64{}
	sums := map[string]string{"sparewatch_target_up": "up", "sparewatch_findings": "findings", "sparewatch_component_not_ok": "notok"}
	in := bufio.NewScanner(resp.Body)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		name, value, ok := strings.Cut(in.Text(), " ")
		if strings.HasPrefix(name, "#") || !ok {
			continue
		}
		if at := strings.LastIndexByte(in.Text(), '}'); at >= 0 {
			name, value = name[:strings.IndexByte(name, '{')], strings.TrimSpace(in.Text()[at+1:])
			if name = sums[name]; name == "" {
				continue
			}
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil && v == v {
			out[name] += v
		}
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// sample is what has been spent so far.
type sample struct {
	at                time.Time
	daemon, simulator time.Duration // of processor
	rss, peak         float64       // MB
	m                 map[string]float64
}

func (d *daemon) sample(t *testing.T, sim *simulator) sample {
	t.Helper()
	s := sample{m: d.metrics(t)}
	var err1, err2 error
	s.daemon, err1 = processTime(d.process.Pid)
	s.simulator, err2 = processTime(sim.process.Pid)
	status, err3 := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.process.Pid))
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	s.rss, s.peak = memory(string(status), "VmRSS:"), memory(string(status), "VmHWM:")
	s.at = time.Now()
	return s
}

func memory(status, name string) float64 {
	_, after, _ := strings.Cut(status, name)
	kb, _ := strconv.ParseFloat(strings.Fields(after + " 0")[0], 64)
	return kb / 1024
}

// processTime is the exact run time of a process so far, of all its threads (clock_gettime of its CPU clock).
func processTime(pid int) (time.Duration, error) {
	const sched = 2
	var ts syscall.Timespec
	if _, _, no := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(^pid<<3|sched), uintptr(unsafe.Pointer(&ts)), 0); no != 0 {
		return 0, no
	}
	return time.Duration(ts.Nano()), nil
}
