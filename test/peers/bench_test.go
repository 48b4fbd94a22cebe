package peers

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
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
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// processCPU is another process's processor time so far, with that of the children it waited for, in steps of 10 ms.
func processCPU(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	var ticks int64
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
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

// module is a configuration of Debian's prometheus-snmp-exporter (0.21) that walks the tables of columns. The agent has
// no other columns in them, so that walking a table's entry reads the same with the fewest packets.
func module(columns []column) string {
	var walks, metrics strings.Builder
	seen := map[string]bool{}
	for i, c := range columns {
		entry := strings.TrimPrefix(c.oid[:strings.LastIndexByte(c.oid, '.')], ".")
		if !seen[entry] {
			seen[entry] = true
			fmt.Fprintf(&walks, "  - %s\n", entry)
		}
		kind := "gauge"
		if c.kind == "octet_str" {
			kind = "DisplayString"
		}
		fmt.Fprintf(&metrics, "  - {name: pdu_%d, oid: %s, type: %s, help: none, indexes: [{labelname: row, type: gauge}]}\n", i, strings.TrimPrefix(c.oid, "."), kind)
	}
	return "pdu:\n  walk:\n" + walks.String() + "  metrics:\n" + metrics.String() + "  version: 2\n  max_repetitions: 25\n  auth: {community: readable}\n"
}

// received is how many packets the agent has got so far (snmpInPkts), without the one that asks.
func (a agent) received(t *testing.T) int {
	t.Helper()
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
	return n - 1
}

// TestBenchSNMP measures a poll beside a scrape of Debian's prometheus-snmp-exporter, on the same snmpd, in turn: a full
// poll, which reads the columns that the exporter reads, and the poll of the states that follows it.
func TestBenchSNMP(t *testing.T) {
	if os.Getenv("BENCH_PEERS") == "" {
		t.Skip("a measurement, not a test: make bench-peers")
	}
	bin := daemon(t, "prometheus-snmp-exporter", "prometheus-snmp-exporter")
	a := startAgent(t)
	columns, objects := pdu(), 0
	for _, c := range columns {
		objects += c.rows
	}
	config := filepath.Join(t.TempDir(), "snmp.yml")
	if err := os.WriteFile(config, []byte(module(columns)), 0o600); err != nil {
		t.Fatal(err)
	}
	addr, pid := exporter(t, bin, "--config.file="+config)
	s := openSNMP(t, a, collectors.Credentials{Community: secret.New("readable"), Version: "2c"})

	const polls = 100
	packets := map[string]int{}
	counted := func(who string, do func()) {
		before := a.received(t)
		do()
		packets[who] = (a.received(t) - before - 1) / polls // the first question counts for the second
	}
	ours := func(scope collectors.Scope, who string) func() cost {
		return func() (c cost) {
			counted(who, func() {
				cpu, start := ownCPU(), time.Now()
				for range polls {
					if sn := s.Poll(context.Background(), scope); !sn.Reachable || len(sn.Errors) > 0 || len(sn.Components) < 28 {
						t.Fatalf("%d components, errors %+v", len(sn.Components), sn.Errors)
					}
				}
				c = cost{(ownCPU() - cpu) / polls, time.Since(start) / polls}
			})
			return c
		}
	}
	theirs := func() (c cost) {
		counted("theirs", func() {
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
	t.Logf("SNMP, one rack PDU (snmpd, v2c, %d columns, %d objects), median of 5 rounds of %d polls, in turn", len(columns), objects, polls)
	for _, scope := range []struct {
		name string
		of   collectors.Scope
	}{{"everything", collectors.Full}, {"the states", collectors.Fast}} {
		x, y, cpu, wall := rounds(5, ours(scope.of, scope.name), theirs)
		t.Logf("sparewatch, %-12s cpu %8v  wall %8v  packets %3d", scope.name, x.cpu.Round(time.Microsecond), x.wall.Round(time.Microsecond), packets[scope.name])
		t.Logf("prometheus-snmp-exporter cpu %8v  wall %8v  packets %3d", y.cpu.Round(time.Microsecond), y.wall.Round(time.Microsecond), packets["theirs"])
		t.Logf("ratio                    cpu %8.3f  wall %8.3f  packets %.2f", cpu, wall, float64(packets[scope.name])/float64(max(1, packets["theirs"])))
	}
}
