package peers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/snmp"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// cost is what one poll costs: processor time and wall time.
type cost struct{ cpu, wall time.Duration }

// rounds measures both sides in turn and returns the median of each and of the ratios.
func rounds(n int, ours, theirs func() cost) (a, b cost, cpu, wall float64) {
	var as, bs []cost
	var cpus, walls []float64
	for range n {
		x, y := ours(), theirs()
		as, bs = append(as, x), append(bs, y)
		cpus = append(cpus, float64(x.cpu)/float64(max(1, y.cpu)))
		walls = append(walls, float64(x.wall)/float64(max(1, y.wall)))
	}
	sort.Slice(as, func(i, j int) bool { return as[i].cpu < as[j].cpu })
	sort.Slice(bs, func(i, j int) bool { return bs[i].cpu < bs[j].cpu })
	sort.Float64s(cpus)
	sort.Float64s(walls)
	return as[n/2], bs[n/2], cpus[n/2], walls[n/2]
}

// ownCPU is this process's processor time so far.
func ownCPU() time.Duration {
	d, _ := cpuClock(0)
	return d
}

// processCPU is another process's processor time so far, with that of the children it waited for: its own exactly, theirs
// in steps of 10 ms.
func processCPU(t *testing.T, pid int) time.Duration {
	t.Helper()
	own, err := cpuClock(pid)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	var ticks int64
	for _, f := range fields[13:15] { // cutime, cstime
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks += n
	}
	return own + time.Duration(ticks)*10*time.Millisecond
}

// cpuClock is the exact run time of all threads of a process, 0 for this one (clock_gettime of its CPU clock).
func cpuClock(pid int) (time.Duration, error) {
	const sched = 2
	var ts syscall.Timespec
	if _, _, no := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(^pid<<3|sched), uintptr(unsafe.Pointer(&ts)), 0); no != 0 {
		return 0, no
	}
	return time.Duration(ts.Nano()), nil
}

// exporter starts one of Debian's exporters and returns its address and process.
func exporter(t *testing.T, bin string, args ...string) (string, int) {
	t.Helper()
	addr := fmt.Sprintf("127.0.0.1:%d", freeTCP(t))
	cmd := exec.Command(bin, append(args, "--web.listen-address="+addr)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		if resp, err := http.Get("http://" + addr + "/metrics"); err == nil {
			resp.Body.Close()
			return addr, cmd.Process.Pid
		}
		if time.Now().After(deadline) {
			t.Fatal(bin + " does not come up")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestBenchIPMI measures a poll beside a scrape of Debian's prometheus-ipmi-exporter, on the same simulated BMC, in turn.
func TestBenchIPMI(t *testing.T) {
	if os.Getenv("BENCH_PEERS") == "" {
		t.Skip("a measurement, not a test: make bench-peers")
	}
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings (set SPAREWATCH_RECORDINGS)")
	}
	bin := daemon(t, "prometheus-ipmi-exporter", "prometheus-ipmi-exporter")
	b := startBMC(t, filepath.Join(dir, "ipmi", "infrasim-s2600kp", "s2600kp.emu"))
	s := openIPMI(t, b, "test")
	if sn := pollIPMI(t, s); !sn.Reachable {
		t.Fatal(sn.Errors)
	}
	config := filepath.Join(t.TempDir(), "ipmi.yml")
	text := fmt.Sprintf("modules:\n  default:\n    user: ipmiusr\n    pass: test\n    driver: LAN_2_0\n    privilege: admin\n    timeout: 10000\n    collectors: [ipmi]\n    workaround_flags: [opensesspriv]\n    custom_args:\n      ipmi: [\"--driver-address=%d\"]\n", b.port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	addr, pid := exporter(t, bin, "--config.file="+config)

	const polls = 20
	ours := func() cost {
		cpu, start, requests := ownCPU(), time.Now(), 0
		for range polls {
			requests += s.Poll(context.Background(), collectors.Fast).Requests
		}
		return cost{(ownCPU() - cpu) / polls, time.Since(start) / polls}
	}
	theirs := func() cost {
		cpu, start := processCPU(t, pid), time.Now()
		for range polls {
			resp, err := http.Get(fmt.Sprintf("http://%s/ipmi?target=127.0.0.1:%d", addr, b.port))
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if !strings.Contains(string(body), `ipmi_up{collector="ipmi"} 1`) {
				t.Fatalf("the exporter could not read the BMC:\n%s", body)
			}
		}
		return cost{(processCPU(t, pid) - cpu) / polls, time.Since(start) / polls}
	}
	x, y, cpu, wall := rounds(5, ours, theirs)
	t.Logf("IPMI, one BMC (ipmi_sim, Intel S2600KP), median of 5 rounds of %d polls, in turn", polls)
	t.Logf("sparewatch               cpu %8v  wall %8v", x.cpu.Round(time.Microsecond), x.wall.Round(time.Microsecond))
	t.Logf("prometheus-ipmi-exporter cpu %8v  wall %8v", y.cpu.Round(time.Microsecond), y.wall.Round(time.Microsecond))
	t.Logf("ratio                    cpu %8.3f  wall %8.3f", cpu, wall)
}

// module is a configuration of Debian's prometheus-snmp-exporter (0.21) that reads columns. It walks them; with tables it
// walks their tables, as the agent has no other columns in them, which takes the fewest packets. Without walk it gets the
// objects by their names, which is the least that it can do.
func module(columns []column, tables, walk bool) string {
	var from, metrics strings.Builder
	seen := map[string]bool{}
	for i, c := range columns {
		oid := strings.TrimPrefix(c.oid, ".")
		entry := oid[:strings.LastIndexByte(oid, '.')]
		switch {
		case tables && !seen[entry]:
			seen[entry] = true
			fmt.Fprintf(&from, "  - %s\n", entry)
		case walk && !tables:
			fmt.Fprintf(&from, "  - %s\n", oid)
		}
		for row := 1; !walk && row <= c.rows; row++ {
			fmt.Fprintf(&from, "  - %s.%d\n", oid, row)
		}
		kind := "gauge"
		if c.kind == "octet_str" {
			kind = "DisplayString"
		}
		fmt.Fprintf(&metrics, "  - {name: pdu_%d, oid: %s, type: %s, help: none, indexes: [{labelname: row, type: gauge}]}\n", i, oid, kind)
	}
	how := map[bool]string{true: "walk", false: "get"}[walk]
	return "pdu:\n  " + how + ":\n" + from.String() + "  metrics:\n" + metrics.String() + "  version: 2\n  max_repetitions: 50\n  auth: {community: readable}\n"
}

// changing are the columns that a poll of the states reads, by what the profile says.
func changing(t *testing.T, columns []column) (out []column) {
	t.Helper()
	set, err := snmp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	fast := map[string]bool{}
	for _, p := range set.Profiles {
		if p.Name == "apc-rpdu2" {
			for _, table := range p.Tables {
				for _, c := range table.Columns {
					fast["."+c.OID] = c.Fast
				}
			}
		}
	}
	for _, c := range columns {
		if fast[c.oid] {
			out = append(out, c)
		}
	}
	return out
}

func objectsOf(columns []column) (n int) {
	for _, c := range columns {
		n += c.rows
	}
	return n
}

// simulates is the environment variable by which this test binary is a simulated PDU instead.
const simulates = "SPAREWATCH_PEERS_SIMULATOR"

func TestMain(m *testing.M) {
	if os.Getenv(simulates) != "" {
		if err := simulatePDU(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// simulatePDU serves the columns of pdu, whose measurements are others at each reading, until standard input is closed.
// It writes its port, and for each line that it reads how many requests have come.
func simulatePDU() error {
	var all []recording.Object
	put := func(oid string, v recording.Value) error {
		o, err := recording.ParseOID(strings.TrimPrefix(oid, "."))
		all = append(all, recording.Object{OID: o, Value: v})
		return err
	}
	apc, err := recording.ParseOID("1.3.6.1.4.1.318.1.3.4.6")
	if err != nil {
		return err
	}
	err = errors.Join(put("1.3.6.1.2.1.1.1.0", recording.StringValue("APC Web/SNMP Management Card")), put("1.3.6.1.2.1.1.2.0", recording.OIDValue(apc)),
		put("1.3.6.1.2.1.1.5.0", recording.StringValue("rack-12-a")))
	var live []string
	for _, c := range pdu() {
		for row := 1; row <= c.rows; row++ {
			oid := fmt.Sprintf("%s.%d", c.oid, row)
			switch v := c.value(row).(type) {
			case int:
				err = errors.Join(err, put(oid, recording.IntValue(int64(v))))
			case string:
				err = errors.Join(err, put(oid, recording.StringValue(v)))
			}
			if slices.Contains([]string{rPDU2 + ".4.3.1.5", rPDU2 + ".6.3.1.5", rPDU2 + ".6.3.1.6", rPDU2 + ".8.3.1.5"}, c.oid) { // power, currents, voltage
				live = append(live, strings.TrimPrefix(oid, "."))
			}
		}
	}
	sorted, _, _ := recording.Sort(all)
	objects := lab.NewObjects(sorted)
	for i, oid := range live {
		o, e := recording.ParseOID(oid)
		err = errors.Join(err, e)
		objects.Live(o, func() recording.Value { return recording.IntValue(40 + int64(i) + time.Now().UnixMilli()%97) })
	}
	if err != nil {
		return err
	}
	a, err := lab.ServeSNMP("127.0.0.1:0", &lab.Agent{Objects: objects, Community: "readable"})
	if err != nil {
		return err
	}
	fmt.Println(a.Addr().Port())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println(a.Requests())
	}
	return a.Close()
}

// bench is an agent that counts its requests.
type bench struct {
	agent
	received func(t *testing.T) int
}

// startSimulator runs simulatePDU in a process of its own.
func startSimulator(t *testing.T) bench {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), simulates+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	number := func(t *testing.T) int {
		t.Helper()
		if !lines.Scan() {
			t.Fatal("the simulator is gone")
		}
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return bench{agent{port: number(t), pid: cmd.Process.Pid}, func(t *testing.T) int {
		t.Helper()
		if _, err := fmt.Fprintln(in); err != nil {
			t.Fatal(err)
		}
		return number(t)
	}}
}

// receivedBy is how many packets snmpd has got so far (snmpInPkts), without those that asked.
func receivedBy(a agent) func(t *testing.T) int {
	asked := 0
	return func(t *testing.T) int {
		t.Helper()
		asked++
		cmd := exec.Command(daemon(t, "snmpget", "snmp"), "-v2c", "-c", "readable", "-Oqv", fmt.Sprintf("127.0.0.1:%d", a.port), "1.3.6.1.2.1.11.1.0")
		cmd.Env = append(os.Environ(), "MIBS=")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(out)))
		if err != nil {
			t.Fatal(err)
		}
		return n - asked
	}
}

// TestBenchSNMP measures a poll beside a scrape of Debian's prometheus-snmp-exporter, on the same agent, in turn, both
// reading the same objects: all of them, and those that a poll of the states reads. Ours is from the question to the
// snapshot, theirs to the metrics. The simulator's measurements are others at each reading, snmpd's values stay.
func TestBenchSNMP(t *testing.T) {
	if os.Getenv("BENCH_PEERS") == "" {
		t.Skip("a measurement, not a test: make bench-peers")
	}
	bin := daemon(t, "prometheus-snmp-exporter", "prometheus-snmp-exporter")
	t.Run("simulator", func(t *testing.T) { benchSNMP(t, bin, startSimulator(t)) })
	t.Run("snmpd", func(t *testing.T) {
		a := startAgent(t)
		benchSNMP(t, bin, bench{a, receivedBy(a)})
	})
}

func benchSNMP(t *testing.T, bin string, a bench) {
	const polls, repeated = 100, 5
	s := openSNMP(t, a.agent, collectors.Credentials{Community: secret.New("readable"), Version: "2c"})
	for _, scope := range []struct {
		name    string
		of      collectors.Scope
		columns []column
		whole   bool // the exporter walks tables
	}{
		{"everything, they walk", collectors.Full, pdu(), true},
		{"the states, they walk", collectors.Fast, changing(t, pdu()), true},
		{"the states, they are given each object's name", collectors.Fast, changing(t, pdu()), false},
	} {
		objects := objectsOf(scope.columns)
		config := filepath.Join(t.TempDir(), "snmp.yml")
		if err := os.WriteFile(config, []byte(module(scope.columns, scope.whole && scope.of == collectors.Full, scope.whole)), 0o600); err != nil {
			t.Fatal(err)
		}
		addr, pid := exporter(t, bin, "--config.file="+config)
		var packets, theirPackets int
		counted := func(n *int, do func()) {
			before := a.received(t)
			do()
			*n = (a.received(t) - before) / polls
		}
		ours := func() (c cost) {
			counted(&packets, func() {
				cpu, start := ownCPU(), time.Now()
				for range polls {
					if sn := s.Poll(context.Background(), scope.of); !sn.Reachable || len(sn.Errors) > 0 || len(sn.Components) < 28 {
						t.Fatalf("%d components, errors %+v", len(sn.Components), sn.Errors)
					}
				}
				c = cost{(ownCPU() - cpu) / polls, time.Since(start) / polls}
			})
			return c
		}
		theirs := func() (c cost) {
			counted(&theirPackets, func() {
				cpu, start := processCPU(t, pid), time.Now()
				for range polls {
					resp, err := http.Get(fmt.Sprintf("http://%s/snmp?module=pdu&target=127.0.0.1:%d", addr, a.port))
					if err != nil {
						t.Fatal(err)
					}
					body, _ := io.ReadAll(resp.Body)
					resp.Body.Close()
					if n := strings.Count(string(body), "\npdu_"); n != objects {
						t.Fatalf("the exporter read %d of %d objects:\n%s", n, objects, body)
					}
				}
				c = cost{(processCPU(t, pid) - cpu) / polls, time.Since(start) / polls}
			})
			return c
		}
		ours() // what is learned once
		theirs()
		x, y, cpu, wall := rounds(repeated, ours, theirs)
		t.Logf("%s: one rack PDU, v2c, %d columns, %d objects; median of %d rounds of %d polls, in turn", scope.name, len(scope.columns), objects, repeated, polls)
		t.Logf("sparewatch               cpu %8v  wall %8v  packets %3d", x.cpu.Round(time.Microsecond), x.wall.Round(time.Microsecond), packets)
		t.Logf("prometheus-snmp-exporter cpu %8v  wall %8v  packets %3d", y.cpu.Round(time.Microsecond), y.wall.Round(time.Microsecond), theirPackets)
		t.Logf("ratio                    cpu %8.3f  wall %8.3f  packets %.2f", cpu, wall, float64(packets)/float64(max(1, theirPackets)))
	}
}
