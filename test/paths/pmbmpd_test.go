package paths_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bmp"
	"github.com/sparewatch/sparewatch/pkg/paths"
)

// TestReceivers sends the same full tables over TCP to pmacct's BMP collector and to a receiver of ours, in turn, and
// prints how long each takes until it has read everything, and how much memory it has then. It runs with bench-paths.
func TestReceivers(t *testing.T) {
	if os.Getenv("BENCH_PATHS") == "" {
		t.Skip("runs with make bench-paths")
	}
	daemon, err := exec.LookPath("pmbmpd")
	if err != nil {
		t.Skip("no pmbmpd here: scripts/deps pmacct installs it")
	}
	const routes = 1_000_000
	prefixes := shapes[0].prefixes(routes)
	a, b := newFeed(1, "203.0.113.1", 3356, shapes[0]), newFeed(2, "203.0.113.5", 1299, shapes[0])
	a.table(prefixes)
	b.table(prefixes)
	feeds := [][]byte{a.buf, b.buf}

	theirs, rss, cpu := pmacctReceives(t, daemon, feeds)
	t.Logf("%s: %.2f s until it had read everything, %.2f s of CPU, %.0f bytes of memory a path", versionOf(daemon), theirs.Seconds(), cpu.Seconds(), float64(rss)/(2*routes))
	before := heap()
	table, ours := oursReceives(t, feeds)
	used := float64(heap()-before) / (2 * routes)
	runtime.KeepAlive(feeds)
	if n := table.Size().Paths; n != 2*routes {
		t.Fatalf("%d paths", n)
	}
	t.Logf("ours: %.2f s, %.0f bytes of heap a path; %.2f of pmacct's time, %.2f of its memory", ours.Seconds(), used, ours.Seconds()/theirs.Seconds(), used*2*routes/float64(rss))
}

func versionOf(daemon string) string {
	out, _ := exec.Command(daemon, "-V").CombinedOutput()
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

// send writes each feed over a connection of its own, and waits until the receiver has closed it: it has read everything.
func send(t *testing.T, from []string, to string, feeds [][]byte) {
	t.Helper()
	done := make(chan error)
	for i, f := range feeds {
		go func() {
			d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from[i]), 0))}
			c, err := d.Dial("tcp", to)
			if err != nil {
				done <- err
				return
			}
			defer c.Close()
			_, err = c.Write(f)
			if err == nil {
				err = c.(*net.TCPConn).CloseWrite()
			}
			if err == nil {
				_, err = io.Copy(io.Discard, c)
			}
			done <- err
		}()
	}
	for range feeds {
		if err := <-done; err != nil && !strings.Contains(err.Error(), "reset") {
			t.Fatal(err)
		}
	}
}

var senders = []string{"127.0.0.11", "127.0.0.12"}

func pmacctReceives(t *testing.T, daemon string, feeds [][]byte) (took time.Duration, rss int64, cpu time.Duration) {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	config := filepath.Join(dir, "pmbmpd.conf")
	text := fmt.Sprintf("daemonize: false\nlogfile: %s/log\nbmp_daemon_ip: 127.0.0.1\nbmp_daemon_port: %d\nbmp_daemon_max_peers: 8\nbmp_table_dump_file: %s/dump-$peer_src_ip\nbmp_table_dump_refresh_time: 86400\n", dir, port, dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(daemon, "-f", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	to := fmt.Sprintf("127.0.0.1:%d", port)
	for deadline := time.Now().Add(10 * time.Second); ; {
		c, err := net.Dial("tcp", to)
		if err == nil {
			c.Close()
			break
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Fatalf("pmbmpd does not listen: %s", log)
		}
		time.Sleep(50 * time.Millisecond)
	}
	_, cpuBefore := process(cmd.Process.Pid)
	stop := make(chan struct{})
	peak := make(chan int64)
	go func() { // what it holds is freed when the connection ends
		most := int64(0)
		for {
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(20 * time.Millisecond):
				r, _ := process(cmd.Process.Pid)
				most = max(most, r)
			}
		}
	}()
	start := time.Now()
	send(t, senders, to, feeds)
	took = time.Since(start)
	close(stop)
	rss = <-peak
	_, cpuAfter := process(cmd.Process.Pid)
	return took, rss, cpuAfter - cpuBefore
}

// process reads the resident memory and the CPU time of a process.
func process(pid int) (rss int64, cpu time.Duration) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 22 {
		return 0, 0
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	pages, _ := strconv.ParseInt(f[21], 10, 64)
	return pages * int64(os.Getpagesize()), time.Duration(user+system) * 10 * time.Millisecond
}

// oursReceives is the plainest receiver around our rooms: a reader for each connection, one lock around the table.
func oursReceives(t *testing.T, feeds [][]byte) (*paths.Table, time.Duration) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	table := paths.New(paths.Options{})
	lock := make(chan struct{}, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				router, _, _ := net.SplitHostPort(c.RemoteAddr().String())
				r, d := bmp.NewReader(c), bmp.NewDecoder()
				for {
					raw, err := r.Next()
					if errors.Is(err, io.EOF) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					m, err := d.Message(raw)
					if err != nil {
						t.Error(err)
						return
					}
					lock <- struct{}{}
					table.TakeBMP(router, m, clock)
					<-lock
				}
			}()
		}
	}()
	start := time.Now()
	send(t, senders, l.Addr().String(), feeds)
	return table, time.Since(start)
}
