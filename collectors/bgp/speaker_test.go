package bgp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/log"
	"github.com/osrg/gobgp/v3/pkg/server"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// router is another GoBGP in this process, which connects to the speaker.
type router struct {
	*server.BgpServer
	t *testing.T
}

type silent struct{ log.Logger }

func (silent) Panic(string, log.Fields) {}
func (silent) Fatal(string, log.Fields) {}
func (silent) Error(string, log.Fields) {}
func (silent) Warn(string, log.Fields)  {}
func (silent) Info(string, log.Fields)  {}
func (silent) Debug(string, log.Fields) {}
func (silent) SetLevel(log.LogLevel)    {}
func (silent) GetLevel() log.LogLevel   { return log.ErrorLevel }

// startRouter runs a router at an address of loopback, that has the speaker for a neighbour.
func startRouter(t *testing.T, at string, as, peerAS uint32, speaker netip.AddrPort, password string) router {
	t.Helper()
	ctx := context.Background()
	s := server.NewBgpServer(server.LoggerOption(silent{}))
	go s.Serve()
	if err := s.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{Asn: as, RouterId: "10.1.1.1", ListenPort: -1}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.StopBgp(ctx, &api.StopBgpRequest{}) })
	err := s.AddPeer(ctx, &api.AddPeerRequest{Peer: &api.Peer{
		Conf:         &api.PeerConf{NeighborAddress: speaker.Addr().String(), PeerAsn: peerAS, AuthPassword: password},
		Transport:    &api.Transport{LocalAddress: at, RemotePort: uint32(speaker.Port())},
		EbgpMultihop: &api.EbgpMultihop{Enabled: as != peerAS, MultihopTtl: 255},
		Timers:       &api.Timers{Config: &api.TimersConfig{ConnectRetry: 1, HoldTime: 9, KeepaliveInterval: 3, IdleHoldTimeAfterReset: 1}},
		AfiSafis:     []*api.AfiSafi{{Config: &api.AfiSafiConfig{Family: &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}, Enabled: true}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return router{s, t}
}

func (r router) announce(prefix string, as ...uint32) {
	r.t.Helper()
	p := netip.MustParsePrefix(prefix)
	nlri, _ := anypb.New(&api.IPAddressPrefix{Prefix: p.Addr().String(), PrefixLen: uint32(p.Bits())})
	origin, _ := anypb.New(&api.OriginAttribute{})
	hop, _ := anypb.New(&api.NextHopAttribute{NextHop: "192.0.2.1"})
	attrs := []*anypb.Any{origin, hop}
	if len(as) > 0 {
		path, _ := anypb.New(&api.AsPathAttribute{Segments: []*api.AsSegment{{Type: api.AsSegment_AS_SEQUENCE, Numbers: as}}})
		attrs = append(attrs, path)
	}
	_, err := r.AddPath(context.Background(), &api.AddPathRequest{Path: &api.Path{Family: &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}, Nlri: nlri, Pattrs: attrs}})
	if err != nil {
		r.t.Fatal(err)
	}
}

// heardFrom counts what the router has in its adj-in from a neighbour.
func (r router) heardFrom(a netip.Addr) int {
	n := 0
	_ = r.ListPath(context.Background(), &api.ListPathRequest{TableType: api.TableType_ADJ_IN, Name: a.String(), Family: &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}},
		func(d *api.Destination) { n += len(d.Paths) })
	return n
}

func startSpeaker(t *testing.T, at string, ns ...Neighbour) (*Hub, *heard, netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp", at+":0")
	if err != nil {
		t.Skipf("skipped: loopback has no %s here: %v", at, err)
	}
	addr := netip.MustParseAddrPort(l.Addr().String())
	_ = l.Close()
	h, got := startHub(t, Options{Speaker: &SpeakerOptions{AS: 65010, RouterID: netip.MustParseAddr("10.0.0.9"), Listen: addr.String(), Neighbours: ns}, Interval: 500 * time.Millisecond})
	return h, got, addr
}

func TestTheSpeakerHearsAndIsSilent(t *testing.T) {
	t.Parallel()
	_, got, at := startSpeaker(t, "127.9.60.9",
		Neighbour{Device: "edge", Address: netip.MustParseAddr("127.9.60.1"), AS: 65010},
		Neighbour{Device: "up", Address: netip.MustParseAddr("127.9.60.2"), AS: 65102, Upstream: true})
	edge := startRouter(t, "127.9.60.1", 65010, 65010, at, "")
	up := startRouter(t, "127.9.60.2", 65102, 65010, at, "")
	edge.announce("0.0.0.0/0", 65101, 64501)
	up.announce("0.0.0.0/0")
	eventually(t, "two ways", func() bool {
		sn := got.of("bgp")
		return sn != nil && len(sn.Claims) == 1 && len(sn.Claims[0].Members) == 2
	})
	if p := part(got.of("up"), "up/bgp_session/127.9.60.2"); p == nil || p.Condition != component.OK || p.Attributes["remote_as"] != "65102" || p.Attributes["local_as"] != "65010" {
		t.Errorf("the upstream's session is %+v", p)
	}
	if p := part(got.of("edge"), "edge/bgp_session/127.9.60.9"); p == nil || p.Condition != component.OK {
		t.Errorf("the router's session is %+v", p)
	}
	for range 20 { // whatever comes, nothing goes out
		edge.announce("203.0.113.0/24", 65101)
		up.announce("198.51.100.0/24")
	}
	eventually(t, "the paths are there", func() bool {
		p := part(got.of("up"), "up/bgp_session/127.9.60.2")
		return p.Reading("prefixes") == 2
	})
	for _, r := range []router{edge, up} {
		if n := r.heardFrom(at.Addr()); n != 0 {
			t.Errorf("a neighbour has %d paths from us", n)
		}
	}
	_ = up.StopBgp(context.Background(), &api.StopBgpRequest{})
	eventually(t, "the upstream's session is down", func() bool {
		p := part(got.of("up"), "up/bgp_session/127.9.60.2")
		return got.of("up").Reachable && p != nil && p.Condition != component.OK
	})
}

func TestAWrongAS(t *testing.T) {
	t.Parallel()
	_, got, at := startSpeaker(t, "127.9.61.9",
		Neighbour{Device: "edge", Address: netip.MustParseAddr("127.9.61.1"), AS: 65010},
		Neighbour{Device: "up", Address: netip.MustParseAddr("127.9.61.2"), AS: 65102, Upstream: true})
	startRouter(t, "127.9.61.1", 65099, 65010, at, "")
	startRouter(t, "127.9.61.2", 65102, 65011, at, "")
	eventually(t, "the router's wrong AS is said", func() bool {
		sn := got.of("edge")
		return sn != nil && !sn.Reachable && strings.Contains(fmt.Sprint(sn.Errors), "it says AS65099, the configuration AS65010")
	})
	defer func() {
		if t.Failed() {
			t.Logf("%+v\n%s", got.of("up"), got.logged())
		}
	}()
	eventually(t, "what the neighbour does not like is said", func() bool {
		p := part(got.of("up"), "up/bgp_session/127.9.61.2")
		return p != nil && p.Condition == component.Failed && strings.Contains(p.Why, "see which AS it expects of us")
	})
	eventually(t, "and is the target's error", func() bool {
		sn := got.of("up")
		return sn.Reachable && len(sn.Errors) == 1 && strings.Contains(sn.Errors[0].Error, "see which AS it expects of us")
	})
	time.Sleep(2 * time.Second) // they try again
	if n := strings.Count(got.logged(), "it says AS65099"); n != 1 {
		t.Errorf("said %d times:\n%s", n, got.logged())
	}
}

func TestAWrongPassword(t *testing.T) {
	t.Parallel()
	before := refusedMD5()
	_, got, at := startSpeaker(t, "127.9.62.9",
		Neighbour{Device: "right", Address: netip.MustParseAddr("127.9.62.1"), AS: 65010, Password: secret.New("open sesame")},
		Neighbour{Device: "wrong", Address: netip.MustParseAddr("127.9.62.2"), AS: 65010, Password: secret.New("open sesame")},
		Neighbour{Device: "needless", Address: netip.MustParseAddr("127.9.62.3"), AS: 65010})
	startRouter(t, "127.9.62.1", 65010, 65010, at, "open sesame")
	startRouter(t, "127.9.62.2", 65010, 65010, at, "open barley")
	startRouter(t, "127.9.62.3", 65010, 65010, at, "open rye")
	defer func() {
		if t.Failed() {
			t.Logf("%s %+v %+v", got.logged(), refusedMD5().since(before), got.of("right"))
		}
	}()
	eventually(t, "the right password lets in", func() bool { return got.of("right") != nil && got.of("right").Reachable })
	if refusedMD5() == before {
		t.Skip("skipped: this kernel has no TCP MD5, or does not count what it refuses")
	}
	for device, want := range map[string]string{"wrong": "for a wrong or missing password (TCP MD5)", "needless": "with a password (TCP MD5) where none is configured"} {
		eventually(t, device+" says what is wrong", func() bool {
			sn := got.of(device)
			return sn != nil && !sn.Reachable && strings.Contains(sn.Errors[0].Error, want) && strings.Contains(sn.Errors[0].Hint, "password")
		})
	}
	if strings.Contains(got.logged(), "sesame") {
		t.Error("a password is in the log")
	}
}

func TestStrangersMayNotPeer(t *testing.T) {
	t.Parallel()
	_, got, at := startSpeaker(t, "127.9.63.9", Neighbour{Device: "edge", Address: netip.MustParseAddr("127.9.63.1"), AS: 65010})
	startRouter(t, "127.9.63.7", 65010, 65010, at, "")
	eventually(t, "the stranger is refused, and that is said", func() bool { return strings.Contains(got.logged(), "no configured neighbour connects") })
	time.Sleep(2 * time.Second)
	if n := strings.Count(got.logged(), "no configured neighbour connects"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

func TestTooManyPrefixes(t *testing.T) {
	t.Parallel()
	_, got, at := startSpeaker(t, "127.9.64.9", Neighbour{Device: "up", Address: netip.MustParseAddr("127.9.64.2"), AS: 65102, Upstream: true, MaxPrefixes: 10})
	up := startRouter(t, "127.9.64.2", 65102, 65010, at, "")
	for range 20 { // the same again and again is no more
		up.announce("0.0.0.0/0")
	}
	eventually(t, "the session is established", func() bool {
		p := part(got.of("up"), "up/bgp_session/127.9.64.2")
		return p != nil && p.Condition == component.OK && p.Reading("prefixes") == 1
	})
	for i := range 20 {
		up.announce(fmt.Sprintf("10.%d.0.0/16", i))
	}
	eventually(t, "the session is shut, and why is said", func() bool {
		p := part(got.of("up"), "up/bgp_session/127.9.64.2")
		return p != nil && p.Condition == component.Failed && strings.Contains(p.Why, "it sent more than the 10 prefixes that it may")
	})
}
