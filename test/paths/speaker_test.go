package paths_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/log"
	"github.com/osrg/gobgp/v3/pkg/server"

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
// finding. It is small in the normal run; `make bench-paths` takes a million routes of each and prints the figures.
func TestFullTableSpeaker(t *testing.T) {
	full := os.Getenv("BENCH_PATHS") != ""
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			routes := 5_000
			if full {
				routes = 1_000_000
			}
			a, b := newFeed(1, "127.9.70.1", 3356, s), newFeed(2, "127.9.70.2", 1299, s)
			prefixes := s.prefixes(routes)
			a.table(prefixes)
			b.table(prefixes)
			hearFull(t, routes, a, b)
		})
	}
}

// upstreams is a hub whose speaker has the neighbours of two feeds, and what it told last.
type upstreams struct {
	*edge.Hub
	at   netip.AddrPort
	mu   sync.Mutex
	last map[string]*snapshot.Snapshot
}

func startUpstreams(t *testing.T, a, b *feed) *upstreams {
	t.Helper()
	at := freePort(t, "127.9.70.9")
	u := &upstreams{at: at, last: map[string]*snapshot.Snapshot{}}
	var err error
	u.Hub, err = edge.New(edge.Options{
		Paths: paths.Options{Sets: []paths.Set{{Name: "dest", Items: []paths.Item{{Prefix: a.shape.watchedPrefix()}}}}},
		Speaker: &edge.SpeakerOptions{AS: 64500, RouterID: netip.MustParseAddr("10.0.0.9"), Listen: at.String(), Neighbours: []edge.Neighbour{
			{Device: "r1", Address: a.peer, AS: a.as, Upstream: true}, {Device: "r2", Address: b.peer, AS: b.as, Upstream: true}}},
		Out: func(sn *snapshot.Snapshot) {
			u.mu.Lock()
			defer u.mu.Unlock()
			u.last[sn.Device.Name] = sn
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Stop(context.Background()) })
	return u
}

// freePort is a port of an address of loopback that nobody listens on.
func freePort(t *testing.T, addr string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", addr+":0")
	if err != nil {
		t.Skipf("skipped: loopback has no %s here: %v", addr, err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}

// ways is how many ways of the watched destination are in this condition.
func (u *upstreams) ways(c component.Condition) (n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if sn := u.last["bgp"]; sn != nil {
		for _, p := range sn.Components {
			if p.Kind == component.Path && p.Condition == c {
				n++
			}
		}
	}
	return n
}

// until waits for something to become so.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for start := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 2*time.Minute {
			t.Fatalf("it did not come to be: %s", what)
		}
	}
}

// tell sends UPDATEs over a connection, and keeps it alive afterwards.
func tell(c net.Conn, data []byte) {
	_, _ = c.Write(data) // where that fails not everything comes
	keepAlive(c)
}

func hearFull(t *testing.T, routes int, a, b *feed) {
	t.Helper()
	from1, from2 := a.updates(), b.updates()
	a.buf, b.buf = nil, nil
	u := startUpstreams(t, a, b)
	one, two := dialSpeaker(t, a.peer.String(), u.at, a.as), dialSpeaker(t, b.peer.String(), u.at, b.as)
	before := heap()
	start := time.Now()
	go tell(one, from1)
	go tell(two, from2)
	until(t, "all paths are there", func() bool { return u.Size().Paths == 2*routes })
	took := time.Since(start)
	size := u.Size()
	used := float64(heap()-before) / float64(size.Paths)
	runtime.KeepAlive(from1)
	runtime.KeepAlive(from2)
	own := float64(size.Bytes) / float64(size.Paths)
	if !a.shape.unique && own > 100 {
		t.Errorf("%.0f bytes a path in our own tables: 100 may be", own)
	}
	name := "over the speaker, " + a.shape.name
	t.Logf("%s: %d routes of each of 2 upstreams: %.2f s, %.0f paths/s", name, routes, took.Seconds(), float64(size.Paths)/took.Seconds())
	t.Logf("%s: %.1f bytes of heap a path, all in all; %.1f of them in the tables", name, used, own)

	until(t, "both ways were told of", func() bool { return u.ways(component.OK) == 2 }) // what was never there cannot be lost
	b.withdraw(b.shape.watchedPrefix())
	start = time.Now()
	if _, err := two.Write(b.updates()); err != nil {
		t.Fatal(err)
	}
	until(t, "the withdrawal was told of", func() bool { return u.ways(component.Failed) == 1 })
	told := time.Since(start)
	u.mu.Lock()
	all := []*snapshot.Snapshot{u.last["r1"], u.last["r2"], u.last["bgp"]}
	u.mu.Unlock()
	r, err := engine.InspectAll(all)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.Rule == finding.RedundancyLost })
	if i < 0 {
		t.Fatalf("no finding: %+v", r.Findings)
	}
	t.Logf("%s: one withdrawal: told of after %v (changes are gathered for 50 ms), the finding stands after %v: %s", name, told.Round(time.Millisecond), time.Since(start).Round(time.Millisecond), r.Findings[i].Summary)
}

// TestSpeakers prints what an embedded GoBGP takes for the same, with the import policy that rejects everything, so that
// it keeps paths as they came in and nothing else; and without anybody who asks it what came, which costs it as much
// again.
func TestSpeakers(t *testing.T) {
	if os.Getenv("BENCH_PATHS") == "" {
		t.Skip("BENCH_PATHS=1 measures")
	}
	const routes = 100_000
	a, b := newFeed(1, "127.9.70.1", 3356, shapes[0]), newFeed(2, "127.9.70.2", 1299, shapes[0])
	prefixes := shapes[0].prefixes(routes)
	a.table(prefixes)
	b.table(prefixes)
	from1, from2 := a.updates(), b.updates()
	a.buf, b.buf = nil, nil
	s, at := startGoBGP(t, a, b)
	one, two := dialSpeaker(t, a.peer.String(), at, a.as), dialSpeaker(t, b.peer.String(), at, b.as)
	before := heap()
	start := time.Now()
	go tell(one, from1)
	go tell(two, from2)
	until(t, "all paths are there", func() bool {
		time.Sleep(50 * time.Millisecond) // it counts them one by one
		n := uint64(0)
		_ = s.ListPeer(context.Background(), &api.ListPeerRequest{}, func(p *api.Peer) {
			for _, f := range p.GetAfiSafis() {
				n += f.GetState().GetReceived()
			}
		})
		return n == 2*routes
	})
	took := time.Since(start)
	used := float64(heap()-before) / (2 * routes)
	runtime.KeepAlive(from1)
	runtime.KeepAlive(from2)
	t.Logf("GoBGP v3.37 as the speaker: %d routes of each of 2 upstreams: %.2f s, %.0f paths/s, %.0f bytes of heap a path", routes, took.Seconds(), 2*routes/took.Seconds(), used)
	runtime.KeepAlive(s)
}

func startGoBGP(t *testing.T, feeds ...*feed) (*server.BgpServer, netip.AddrPort) {
	t.Helper()
	ctx := context.Background()
	at := freePort(t, "127.9.70.8")
	s := server.NewBgpServer(server.LoggerOption(mute{}))
	go s.Serve()
	err := s.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{Asn: 64500, RouterId: "10.0.0.8", ListenPort: int32(at.Port()), ListenAddresses: []string{at.Addr().String()}}})
	if err == nil {
		err = s.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{Name: "global", Direction: api.PolicyDirection_IMPORT, DefaultAction: api.RouteAction_REJECT}})
	}
	for _, f := range feeds {
		if err == nil {
			err = s.AddPeer(ctx, &api.AddPeerRequest{Peer: &api.Peer{Conf: &api.PeerConf{NeighborAddress: f.peer.String(), PeerAsn: f.as}, Transport: &api.Transport{PassiveMode: true}, AfiSafis: []*api.AfiSafi{
				{Config: &api.AfiSafiConfig{Family: &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}, Enabled: true}},
				{Config: &api.AfiSafiConfig{Family: &api.Family{Afi: api.Family_AFI_IP6, Safi: api.Family_SAFI_UNICAST}, Enabled: true}}}}})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.StopBgp(ctx, &api.StopBgpRequest{}) })
	return s, at
}

// mute is a logger that says nothing.
type mute struct{ log.Logger }

func (mute) Panic(string, log.Fields) {}
func (mute) Fatal(string, log.Fields) {}
func (mute) Error(string, log.Fields) {}
func (mute) Warn(string, log.Fields)  {}
func (mute) Info(string, log.Fields)  {}
func (mute) Debug(string, log.Fields) {}
func (mute) SetLevel(log.LogLevel)    {}
func (mute) GetLevel() log.LogLevel   { return log.ErrorLevel }
