package bgp

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	gobgp "github.com/osrg/gobgp/v3/pkg/packet/bgp"
	wire "github.com/osrg/gobgp/v3/pkg/packet/bmp"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/paths"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// heard keeps the last snapshot of each device, and what was logged.
type heard struct {
	mu   sync.Mutex
	last map[string]*snapshot.Snapshot
	log  bytes.Buffer
}

func (h *heard) take(sn *snapshot.Snapshot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last[sn.Device.Name] = sn
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.Write(b)
}

func (h *heard) of(device string) *snapshot.Snapshot {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last[device]
}

func (h *heard) logged() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.String()
}

var defaultRoute = []paths.Set{{Name: "internet", Items: []paths.Item{{Prefix: netip.MustParsePrefix("0.0.0.0/0")}}}}

// startHub runs a hub for the length of a test.
func startHub(t *testing.T, o Options) (*Hub, *heard) {
	t.Helper()
	got := &heard{last: map[string]*snapshot.Snapshot{}}
	o.Out, o.Log, o.Paths.Sets = got.take, slog.New(slog.NewTextHandler(got, nil)), defaultRoute
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return h, got
}

func startStation(t *testing.T, o StationOptions) (*Hub, *heard) {
	t.Helper()
	o.Listen = "127.0.0.1:0"
	if o.Routers == nil {
		o.Routers = []Router{{Device: "edge", Address: netip.MustParseAddr("127.0.0.1")}}
	}
	return startHub(t, Options{Station: &o})
}

// eventually waits for something to become so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come to be: %s", what)
		}
	}
}

func dial(t *testing.T, h *Hub) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", h.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func bytesOf(t *testing.T, m *wire.BMPMessage) []byte {
	t.Helper()
	b, err := m.Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func initiation(t *testing.T) []byte {
	return bytesOf(t, wire.NewBMPInitiation([]wire.BMPInfoTLVInterface{wire.NewBMPInfoTLVString(wire.BMP_INIT_TLV_TYPE_SYS_NAME, "edge.example.net")}))
}

func peer(n int) wire.BMPPeerHeader {
	return *wire.NewBMPPeerHeader(0, 0, 0, fmt.Sprintf("192.0.2.%d", n), uint32(64500+n), "10.0.0.1", 0)
}

func peerUp(t *testing.T, n int) []byte {
	open := func(as uint16) *gobgp.BGPMessage {
		c := gobgp.NewOptionParameterCapability([]gobgp.ParameterCapabilityInterface{gobgp.NewCapMultiProtocol(gobgp.RF_IPv4_UC), gobgp.NewCapFourOctetASNumber(uint32(as))})
		return gobgp.NewBGPOpenMessage(as, 90, "10.0.0.1", []gobgp.OptionParameterInterface{c})
	}
	return bytesOf(t, wire.NewBMPPeerUpNotification(peer(n), "192.0.2.200", 179, 40000, open(65010), open(uint16(64500+n))))
}

func announce(t *testing.T, n int, prefix string, as ...uint32) []byte {
	p := netip.MustParsePrefix(prefix)
	path := gobgp.NewPathAttributeAsPath([]gobgp.AsPathParamInterface{gobgp.NewAs4PathParam(gobgp.BGP_ASPATH_ATTR_TYPE_SEQ, append([]uint32{uint32(64500 + n)}, as...))})
	u := gobgp.NewBGPUpdateMessage(nil, []gobgp.PathAttributeInterface{gobgp.NewPathAttributeOrigin(0), path, gobgp.NewPathAttributeNextHop("192.0.2.1")},
		[]*gobgp.IPAddrPrefix{gobgp.NewIPAddrPrefix(uint8(p.Bits()), p.Addr().String())})
	return bytesOf(t, wire.NewBMPRouteMonitoring(peer(n), u))
}

func write(t *testing.T, c net.Conn, parts ...[]byte) {
	t.Helper()
	for _, b := range parts {
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}
}

func part(sn *snapshot.Snapshot, id component.ID) *component.Component {
	if sn == nil {
		return nil
	}
	for i := range sn.Components {
		if sn.Components[i].ID == id {
			return &sn.Components[i]
		}
	}
	return nil
}

// closed reports whether the other side has closed the connection.
func closed(t *testing.T, c net.Conn) bool {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err := c.Read(make([]byte, 1))
	var timeout net.Error
	return err != nil && !(asNet(err, &timeout) && timeout.Timeout())
}

func asNet(err error, to *net.Error) bool {
	n, ok := err.(net.Error) //nolint:errorlint // as the connection gave it
	*to = n
	return ok
}

func TestARouterIsHeard(t *testing.T) {
	h, got := startStation(t, StationOptions{})
	eventually(t, "a router that has not connected is unreachable", func() bool {
		sn := got.of("edge")
		return sn != nil && !sn.Reachable && len(sn.Errors) == 1 && strings.Contains(sn.Errors[0].Error, "has not connected") && strings.Contains(sn.Errors[0].Hint, "127.0.0.1:")
	})
	c := dial(t, h)
	write(t, c, initiation(t), peerUp(t, 1), peerUp(t, 2), announce(t, 1, "0.0.0.0/0"), announce(t, 2, "0.0.0.0/0"))
	eventually(t, "both sessions are established", func() bool {
		a, b := part(got.of("edge"), "edge/bgp_session/192.0.2.1"), part(got.of("edge"), "edge/bgp_session/192.0.2.2")
		return a != nil && b != nil && a.Condition == component.OK && b.Condition == component.OK
	})
	if sn := got.of("edge"); sn.Collector != "bmp" || sn.Target != "bmp://127.0.0.1" || sn.Device.Hostname != "edge.example.net" {
		t.Errorf("the snapshot is %+v", sn)
	}
	eventually(t, "there are two ways", func() bool {
		sn := got.of("bgp")
		return sn != nil && len(sn.Claims) == 1 && len(sn.Claims[0].Members) == 2
	})
	write(t, c, bytesOf(t, wire.NewBMPPeerDownNotification(peer(2), wire.BMP_PEER_DOWN_REASON_REMOTE_NO_NOTIFICATION, nil, nil)))
	eventually(t, "the second session is down", func() bool {
		return part(got.of("edge"), "edge/bgp_session/192.0.2.2").Condition == component.Failed
	})
	write(t, c, bytesOf(t, wire.NewBMPTermination([]wire.BMPTermTLVInterface{wire.NewBMPTermTLV16(wire.BMP_TERM_TLV_TYPE_REASON, wire.BMP_TERM_REASON_ADMIN)})))
	eventually(t, "after a termination the router is unreachable, and says why", func() bool {
		sn := got.of("edge")
		return !sn.Reachable && strings.Contains(sn.Errors[0].Error, "the router ended it: administratively closed")
	})
	if !closed(t, c) {
		t.Error("the connection is still open")
	}
	eventually(t, "its ways are unknown, not lost", func() bool {
		for _, p := range got.of("bgp").Components {
			if p.Kind == component.Path && p.Condition != component.Unknown && !strings.HasSuffix(string(p.ID), "/192.0.2.2") {
				return false
			}
		}
		return true
	})
}

// What routers and strangers may send, and what becomes of it: counted, logged once, and the connection closed where the
// RFC says so. The station goes on.
func TestBadInput(t *testing.T) {
	good := func(t *testing.T) [][]byte { return [][]byte{initiation(t), peerUp(t, 1), announce(t, 1, "0.0.0.0/0")} }
	version := func(t *testing.T) []byte { b := initiation(t); b[0] = 9; return b }
	long := func(t *testing.T) []byte { b := initiation(t); binary.BigEndian.PutUint32(b[1:], 1<<30); return b }
	badUpdate := func(t *testing.T) []byte { b := announce(t, 1, "10.0.0.0/8"); b[len(b)-2] = 200; return b }
	unknownType := func(t *testing.T) []byte { b := initiation(t); b[5] = 77; return b }
	for _, c := range []struct {
		name   string
		send   func(t *testing.T) [][]byte
		hangUp bool // the router closes
		closes bool // the station closes
		count  func(Counts) uint64
		said   string
	}{
		{"an unknown version", func(t *testing.T) [][]byte { return append(good(t), version(t)) }, false, true, func(c Counts) uint64 { return c.Versions }, "it sends BMP version 9"},
		{"HTTP", func(*testing.T) [][]byte { return [][]byte{[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")} }, false, true, func(c Counts) uint64 { return c.Versions }, "nobody here reads"},
		{"an impossible length", func(t *testing.T) [][]byte { return append(good(t), long(t)) }, false, true, func(c Counts) uint64 { return c.Garbage }, "what it sends is no BMP"},
		{"half a message", func(t *testing.T) [][]byte { return append(good(t), peerUp(t, 2)[:30]) }, true, false, func(c Counts) uint64 { return c.Halves }, "ended inside a message"},
		{"half a message and silence", func(t *testing.T) [][]byte { return append(good(t), peerUp(t, 2)[:30]) }, false, true, func(c Counts) uint64 { return c.Stalled }, "stopped inside a BMP message"},
		{"an UPDATE that makes no sense", func(t *testing.T) [][]byte { return append(good(t), badUpdate(t)) }, false, false, func(c Counts) uint64 { return c.Malformed + c.Problems }, ""},
		{"an unknown type", func(t *testing.T) [][]byte { return append(good(t), unknownType(t)) }, false, false, func(c Counts) uint64 { return c.Malformed + c.Problems }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, got := startStation(t, StationOptions{Patience: 200 * time.Millisecond})
			for range 3 {
				before := c.count(stationCounts(h))
				conn := dial(t, h)
				write(t, conn, c.send(t)...)
				if c.hangUp {
					_ = conn.Close()
				}
				eventually(t, "it is counted", func() bool { return c.count(stationCounts(h)) > before })
				if c.closes && !closed(t, conn) {
					t.Error("the connection is still open")
				}
				if !c.closes && !c.hangUp {
					write(t, conn, peerUp(t, 3)) // the stream goes on
					eventually(t, "what follows is taken in", func() bool { return part(got.of("edge"), "edge/bgp_session/192.0.2.3") != nil })
					_ = conn.Close()
				}
				eventually(t, "the connection is over", func() bool {
					sn := got.of("edge")
					return sn != nil && !sn.Reachable
				})
			}
			if c.said != "" && strings.Count(got.logged(), c.said) != 1 {
				t.Errorf("%q was logged %d times:\n%s", c.said, strings.Count(got.logged(), c.said), got.logged())
			}
			conn := dial(t, h)
			write(t, conn, good(t)...)
			eventually(t, "the station still hears", func() bool {
				p := part(got.of("edge"), "edge/bgp_session/192.0.2.1")
				return p != nil && p.Condition == component.OK
			})
		})
	}
}

func TestStrangersAreRefused(t *testing.T) {
	h, got := startStation(t, StationOptions{Routers: []Router{{Device: "edge", Address: netip.MustParseAddr("192.0.2.1")}}})
	for range 3 {
		if !closed(t, dial(t, h)) {
			t.Fatal("a stranger may stay")
		}
	}
	if n := stationCounts(h).Refused; n != 3 {
		t.Errorf("%d were counted", n)
	}
	if n := strings.Count(got.logged(), "is refused"); n != 1 {
		t.Errorf("said %d times:\n%s", n, got.logged())
	}
}

func TestStrangersMayBeLetIn(t *testing.T) {
	h, got := startStation(t, StationOptions{Routers: []Router{{Device: "edge", Address: netip.MustParseAddr("192.0.2.1")}}, Strangers: true})
	c := dial(t, h)
	write(t, c, initiation(t), peerUp(t, 1), announce(t, 1, "0.0.0.0/0"))
	eventually(t, "its path counts", func() bool { return got.of("bgp") != nil && len(got.of("bgp").Claims) == 1 })
	if got.of("127.0.0.1") != nil {
		t.Error("a device that nobody configured has a snapshot")
	}
}

func TestANewConnectionReplacesTheOld(t *testing.T) {
	h, got := startStation(t, StationOptions{})
	a := dial(t, h)
	write(t, a, initiation(t), peerUp(t, 1), announce(t, 1, "0.0.0.0/0"))
	eventually(t, "it is heard", func() bool { return part(got.of("edge"), "edge/bgp_session/192.0.2.1") != nil })
	b := dial(t, h)
	write(t, b, initiation(t), peerUp(t, 2))
	if !closed(t, a) {
		t.Error("the old connection is still open")
	}
	eventually(t, "the new one is heard", func() bool {
		p := part(got.of("edge"), "edge/bgp_session/192.0.2.2")
		return p != nil && p.Condition == component.OK
	})
	if n := stationCounts(h).Replaced; n != 1 {
		t.Errorf("%d were replaced", n)
	}
}

// flood sends a message again and again while the table is busy, until no more octets of it are taken; it returns how many
// were.
func flood(t *testing.T, h *Hub, c net.Conn, message []byte) (sent int) {
	t.Helper()
	block := bytes.Repeat(message, 1000)
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	defer c.SetWriteDeadline(time.Time{}) //nolint:errcheck // the next write tells
	for {
		n, err := c.Write(block)
		sent += n
		if err != nil {
			return sent
		}
		if sent > 64<<20 {
			t.Fatal("64 MB were taken without being read")
		}
	}
}

// TestAFlood: a router that sends more than is taken in is held up by TCP, and nothing is kept for it but a buffer.
func TestAFlood(t *testing.T) {
	h, _ := startStation(t, StationOptions{})
	c := dial(t, h)
	write(t, c, initiation(t), peerUp(t, 1))
	one := announce(t, 1, "10.0.0.0/8")
	sent := flood(t, h, c, one)
	rest := len(one) - sent%len(one)
	write(t, c, one[len(one)-rest:], peerUp(t, 2))
	want := uint64(2 + (sent+rest)/len(one) + 1)
	eventually(t, "everything is taken in afterwards", func() bool { return stationCounts(h).Messages == want })
	if stationCounts(h).Behind == 0 {
		t.Error("that the router had to wait was not counted")
	}
}

func stationCounts(h *Hub) Counts {
	l, _ := h.Station()
	return l.Counts
}
