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
