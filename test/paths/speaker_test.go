package paths_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	edge "github.com/sparewatch/sparewatch/collectors/bgp"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/paths"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// updates are the BGP messages of a feed's route monitoring messages.
func (f *feed) updates() []byte {
	var all []byte
	for b := f.buf; len(b) > 0; {
		n := binary.BigEndian.Uint32(b[1:])
		if b[5] == 0 {
			all = append(all, b[48:n]...)
		}
		b = b[n:]
	}
	return all
}

// dialSpeaker connects to the speaker from an address as an upstream would, and keeps the session alive.
func dialSpeaker(t *testing.T, from string, to netip.AddrPort, as uint32) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
	var c net.Conn
	var err error
	for range 100 {
		if c, err = d.Dial("tcp", to.String()); err == nil {
			if _, err = c.Write(openMessage(as, netip.MustParseAddr(from))); err == nil {
				head := make([]byte, 19)
				if _, err = io.ReadFull(c, head); err == nil && head[18] == 1 {
					break
				}
			}
			_ = c.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := c.Write(bgpMessage(4, nil)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, c) }()
	return c
}

// keepAlive says every ten seconds that we are there, once everything is sent.
func keepAlive(c net.Conn) {
	for range time.Tick(10 * time.Second) {
		if _, err := c.Write(bgpMessage(4, nil)); err != nil {
			return
		}
	}
}

// TestFullTableSpeaker takes in full tables of two upstreams over the speaker, and times one withdrawal until its
// finding. It is small in the normal run; `make bench-paths` takes a million in all and prints the figures.
func TestFullTableSpeaker(t *testing.T) {
	routes := 5_000
	if os.Getenv("BENCH_PATHS") != "" {
		routes = 1_000_000
	}
	prefixes := prefixesOf(routes)
	prefixes[routes/2] = netip.MustParsePrefix("9.9.9.0/24") // nothing else covers it
	watched := prefixes[routes/2]
	l, err := net.Listen("tcp", "127.9.70.9:0")
	if err != nil {
		t.Skipf("skipped: loopback has no 127.9.70.9 here: %v", err)
	}
	at := netip.MustParseAddrPort(l.Addr().String())
	_ = l.Close()
	var mu sync.Mutex
	last := map[string]*snapshot.Snapshot{}
	h, err := edge.New(edge.Options{
		Paths: paths.Options{Sets: []paths.Set{{Name: "dest", Items: []paths.Item{{Prefix: watched}}}}},
		Speaker: &edge.SpeakerOptions{AS: 64500, RouterID: netip.MustParseAddr("10.0.0.9"), Listen: at.String(), Neighbours: []edge.Neighbour{
			{Device: "r1", Address: netip.MustParseAddr("127.9.70.1"), AS: 3356, Upstream: true}, {Device: "r2", Address: netip.MustParseAddr("127.9.70.2"), AS: 1299, Upstream: true}}},
		Out: func(sn *snapshot.Snapshot) {
			mu.Lock()
			defer mu.Unlock()
			last[sn.Device.Name] = sn
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Stop(context.Background()) }()

	a, b := newFeed(1, "127.9.70.1", 3356), newFeed(2, "127.9.70.2", 1299)
	a.table(prefixes)
	b.table(prefixes)
	from1, from2 := a.updates(), b.updates()
	a.buf, b.buf = nil, nil
	one, two := dialSpeaker(t, "127.9.70.1", at, 3356), dialSpeaker(t, "127.9.70.2", at, 1299)
	before := heap()
	start := time.Now()
	var both sync.WaitGroup
	for c, data := range map[net.Conn][]byte{one: from1, two: from2} {
		both.Go(func() {
			_, _ = c.Write(data)
			go keepAlive(c)
		})
	}
	both.Wait()
	for h.Size().Paths < 2*routes {
		if time.Since(start) > 4*time.Minute {
			t.Fatalf("%d paths of %d", h.Size().Paths, 2*routes)
		}
		time.Sleep(20 * time.Millisecond)
	}
	took := time.Since(start)
	size := h.Size()
	used := float64(heap()-before) / float64(size.Paths)
	own := float64(size.Bytes) / float64(size.Paths)
	if own > 100 {
		t.Errorf("%.0f bytes a path in our own tables: 100 may be", own)
	}
	t.Logf("speaker: %d routes of each of 2 upstreams: %.2f s, %.0f paths/s", routes, took.Seconds(), float64(size.Paths)/took.Seconds())
	t.Logf("speaker: %.1f bytes of heap a path, %.1f of them in our own tables (limit 100), the rest gobgp's", used, own)
	runtime.KeepAlive(from1)

	ways := func(c component.Condition) (n int) {
		mu.Lock()
		defer mu.Unlock()
		if sn := last["bgp"]; sn != nil {
			for _, p := range sn.Components {
				if p.Kind == component.Path && p.Condition == c {
					n++
				}
			}
		}
		return n
	}
	for start = time.Now(); ways(component.OK) < 2; time.Sleep(time.Millisecond) { // what was never there cannot be lost
		if time.Since(start) > 30*time.Second {
			t.Fatalf("%d of the two ways were told of", ways(component.OK))
		}
	}
	b.update(nlri(watched), nil, nil)
	start = time.Now()
	if _, err := two.Write(b.updates()); err != nil {
		t.Fatal(err)
	}
	for ways(component.Failed) == 0 {
		if time.Since(start) > 30*time.Second {
			t.Fatal("the withdrawal was not told of")
		}
		time.Sleep(time.Millisecond)
	}
	told := time.Since(start)
	mu.Lock()
	all := []*snapshot.Snapshot{last["r1"], last["r2"], last["bgp"]}
	mu.Unlock()
	r, err := engine.InspectAll(all)
	if err != nil {
		t.Fatal(err)
	}
	found := time.Since(start)
	for _, f := range r.Findings {
		if f.Rule == finding.RedundancyLost {
			t.Logf("speaker: one withdrawal: told of after %v, the finding stands after %v: %s", told.Round(time.Millisecond), found.Round(time.Millisecond), f.Summary)
			return
		}
	}
	t.Errorf("no finding: %+v", r.Findings)
}
