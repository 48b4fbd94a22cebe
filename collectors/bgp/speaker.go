package bgp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/config/oc"
	"github.com/osrg/gobgp/v3/pkg/server"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/paths"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// SpeakerOptions are the speaker's own side and its neighbours.
type SpeakerOptions struct {
	AS         uint32
	RouterID   netip.Addr
	Listen     string // address:port
	Neighbours []Neighbour
	dials      bool // it connects to its neighbours and listens nowhere: for a single look
}

// Neighbour is one router that peers with the speaker.
type Neighbour struct {
	Device  string
	Address netip.Addr
	AS      uint32
	LocalAS uint32 // ours towards this neighbour; 0: the speaker's
	// Upstream is true where the neighbour is somebody else's router that we would send traffic to, and not one of ours
	// that tells what it hears.
	Upstream bool
	Password secret.Text // TCP MD5 (RFC 2385)
	// Hops is how many routers may stand between (RFC 5082): 0 means that the TTL is not looked at, 1 that the neighbour
	// is on the same link.
	Hops        int
	Hold        time.Duration // 0: 90 s
	MaxPrefixes uint32        // more close the session; 0: 2,000,000

	dial uint32     // port to connect to; 0: the neighbour connects
	from netip.Addr // address to connect from; not valid: any
}

// URL is the neighbour as a target.
func (n Neighbour) URL() string { return "bgp://" + host(n.Address) }

func host(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

func (o *SpeakerOptions) byDevice(device string) *Neighbour {
	for i := range o.Neighbours {
		if o.Neighbours[i].Device == device {
			return &o.Neighbours[i]
		}
	}
	return nil
}

func (o *SpeakerOptions) sameServer(b *SpeakerOptions) bool {
	return o.AS == b.AS && o.RouterID == b.RouterID && o.Listen == b.Listen
}

func (o *SpeakerOptions) check() error {
	if o.dials {
		return nil
	}
	if _, _, err := o.address(); err != nil {
		return fmt.Errorf("the speaker's address %q: %w; write ADDRESS:PORT", o.Listen, err)
	}
	if o.AS == 0 || !o.RouterID.Is4() {
		return errors.New("the speaker needs an AS and a router id, which is written as an IPv4 address")
	}
	return nil
}

// address is where the speaker listens; no addresses stand for all.
func (o *SpeakerOptions) address() (addrs []string, port int32, err error) {
	h, p, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, 0, err
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil {
		return nil, 0, err
	}
	if h != "" {
		addrs = []string{h}
	}
	return addrs, int32(n), nil
}

// speaker is the embedded GoBGP. There is one in a process, for life: its main loop never ends, also not when it is
// stopped.
type speaker struct {
	hub    *Hub
	server *server.BgpServer
	log    *serverLog
	cancel context.CancelFunc

	mu         sync.Mutex
	o          SpeakerOptions
	neighbours map[netip.Addr]Neighbour
	up         map[netip.Addr]bool
	md5        md5 // as it was when we started
}

// openSpeaker starts the speaker. The table from which GoBGP announces has no unicast family at all, import is rejected by
// policy, and export too: three locks. The adj-in still shows every path.
func (h *Hub) openSpeaker(ctx context.Context, o SpeakerOptions) (*speaker, error) {
	addrs, port, err := []string(nil), int32(-1), error(nil)
	if !o.dials {
		if addrs, port, err = o.address(); err != nil {
			return nil, err
		}
		// GoBGP opens its listener in its own time and says little about why it could not.
		probe, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen)
		if err != nil {
			return nil, fmt.Errorf("bgp: listen on %s: %w; choose another address with bgp: {speaker: {listen: ...}}", o.Listen, err)
		}
		_ = probe.Close()
	}
	s := &speaker{hub: h, o: o, neighbours: map[netip.Addr]Neighbour{}, up: map[netip.Addr]bool{}, md5: refusedMD5(), log: &serverLog{said: h.said, why: map[netip.Addr]down{}}}
	s.log.changed = s.refresh
	s.server = server.NewBgpServer(server.LoggerOption(s.log))
	go s.server.Serve()
	global := &api.Global{Asn: o.AS, RouterId: o.RouterID.String(), ListenPort: port, ListenAddresses: addrs, Families: []uint32{uint32(oc.AFI_SAFI_TYPE_OPAQUE.ToInt())}}
	if err := s.server.StartBgp(ctx, &api.StartBgpRequest{Global: global}); err != nil {
		return nil, fmt.Errorf("bgp: start the speaker on %s: %w", o.Listen, err)
	}
	for _, d := range []api.PolicyDirection{api.PolicyDirection_IMPORT, api.PolicyDirection_EXPORT} {
		err := s.server.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{Name: "global", Direction: d, DefaultAction: api.RouteAction_REJECT}})
		if err != nil {
			s.close(ctx)
			return nil, fmt.Errorf("bgp: keep the speaker from announcing: %w", err)
		}
	}
	ctx, s.cancel = context.WithCancel(ctx)
	t := newTaker(s.names)
	t.why, t.changed = s.log.reason, s.changed
	err = s.server.WatchEvent(ctx, watched(0), func(r *api.WatchEventResponse) {
		var marked []func()
		t.changed = func(a netip.Addr, up bool) { marked = append(marked, func() { s.changed(a, up) }) }
		h.feed(func(table *paths.Table, now time.Time) { t.take(table, r, now) })
		for _, f := range marked {
			f()
		}
		s.limit(ctx, t)
	})
	if err != nil {
		s.close(ctx)
		return nil, fmt.Errorf("bgp: watch the speaker: %w", err)
	}
	if err := s.reconfigure(ctx, o); err != nil {
		s.close(ctx)
		return nil, err
	}
	return s, nil
}

// names is the session of a neighbour, as the table knows it.
func (s *speaker) names(a netip.Addr) (paths.Key, paths.Info, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.neighbours[a]
	if !ok {
		return paths.Key{}, paths.Info{}, false
	}
	return s.key(n), s.info(n), true
}

// key names the session: as the router lists it, by our address, where it is one of ours; by the neighbour's address
// where it is somebody else's, and also where we listen on every address and do not know which one the router sees.
func (s *speaker) key(n Neighbour) paths.Key {
	k := paths.Key{Router: n.Device, Peer: n.Address}
	if own := s.own(); own.IsValid() && !n.Upstream {
		k.Peer = own
	}
	return k
}

func (s *speaker) own() netip.Addr {
	h, _, _ := net.SplitHostPort(s.o.Listen)
	a, err := netip.ParseAddr(h)
	if err != nil || a.IsUnspecified() {
		return netip.Addr{}
	}
	return a.Unmap()
}

func (s *speaker) info(n Neighbour) paths.Info {
	as := n.LocalAS
	if as == 0 {
		as = s.o.AS
	}
	return paths.Info{PeerAS: bgp.ASN(n.AS), LocalAS: bgp.ASN(as), Relay: !n.Upstream, Families: []bgp.Family{bgp.IPv4Unicast, bgp.IPv6Unicast}}
}

// changed notes that a neighbour's session came up or went down.
func (s *speaker) changed(a netip.Addr, up bool) {
	s.mu.Lock()
	n, ok := s.neighbours[a]
	s.up[a] = up
	s.mu.Unlock()
	if !ok {
		return
	}
	subject := "speaker " + a.String()
	if up {
		s.hub.said.over(subject)
		s.hub.log.Info("a neighbour's BGP session is established", "device", n.Device, "neighbour", a)
		s.hub.up(n.Device)
		return
	}
	why, hint := s.whyDown(n)
	s.hub.said.once(slog.LevelWarn, subject, "a neighbour's BGP session is down", "device", n.Device, "neighbour", a, "why", why)
	if n.Upstream { // that it is down is what there is to know of it
		s.hub.mark(n.Device)
		return
	}
	s.hub.down(n.Device, why, hint, snapshot.ClassUnreachable)
}

// refresh says anew why a session is down that did not come up.
func (s *speaker) refresh(a netip.Addr) {
	s.mu.Lock()
	n, ok := s.neighbours[a]
	up := s.up[a]
	s.mu.Unlock()
	if !ok || up {
		return
	}
	why, hint := s.whyDown(n)
	if n.Upstream {
		s.hub.feed(func(t *paths.Table, now time.Time) { t.Down(s.key(n), paths.Reason{Text: why}, now) })
		s.hub.mark(n.Device)
		return
	}
	s.hub.down(n.Device, why, hint, snapshot.ClassUnreachable)
}

// refreshAll does so for all neighbours, now and then: that nobody connects is no event.
func (s *speaker) refreshAll() {
	s.mu.Lock()
	var list []netip.Addr
	for a := range s.neighbours {
		if !s.up[a] {
			list = append(list, a)
		}
	}
	s.mu.Unlock()
	for _, a := range list {
		s.refresh(a)
	}
}

// whyDown says why a session is not established, and what to do.
func (s *speaker) whyDown(n Neighbour) (why, hint string) {
	r := s.log.reason(n.Address)
	hint = fmt.Sprintf("look at the session with %s on %s", strings.TrimPrefix(s.o.Listen, ":"), n.Device)
	if r.Text != "" {
		return "the BGP session is down: " + r.Text, hint
	}
	why = "the neighbour has not connected"
	refused := refusedMD5().since(s.md5)
	switch n.Password.Set() {
	case true:
		if refused.wrong > 0 {
			why += fmt.Sprintf("; since the start the kernel refused %d segments for a wrong or missing password (TCP MD5)", refused.wrong)
			hint = "see that the router has the same password; " + hint
		}
	default:
		if refused.unexpected > 0 {
			why += fmt.Sprintf("; since the start the kernel refused %d segments with a password (TCP MD5) where none is configured", refused.unexpected)
			hint = "see whether the router has a password for this session; " + hint
		}
	}
	return why, hint
}

// md5 counts TCP segments that the kernel refused for their MD5 signature (RFC 2385), from anybody.
type md5 struct {
	wrong      uint64 // or missing
	unexpected uint64
}

func (m md5) since(was md5) md5 {
	return md5{m.wrong - was.wrong, m.unexpected - was.unexpected}
}

// refusedMD5 reads the kernel's counts; they are 0 where it has none.
func refusedMD5() md5 {
	var m md5
	b, err := os.ReadFile("/proc/net/netstat")
	if err != nil {
		return m
	}
	var names []string
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0] != "TcpExt:":
		case names == nil:
			names = f
		default:
			for i, name := range names[:min(len(names), len(f))] {
				n, _ := strconv.ParseUint(f[i], 10, 64)
				switch name {
				case "TCPMD5NotFound", "TCPMD5Failure":
					m.wrong += n
				case "TCPMD5Unexpected":
					m.unexpected += n
				}
			}
		}
	}
	return m
}

// reconfigure adds the neighbours that are new, takes out those that are gone, and makes anew those that changed.
func (s *speaker) reconfigure(ctx context.Context, o SpeakerOptions) error {
	s.mu.Lock()
	was := s.neighbours
	next := make(map[netip.Addr]Neighbour, len(o.Neighbours))
	for _, n := range o.Neighbours {
		n.Address = n.Address.Unmap()
		next[n.Address] = n
	}
	s.o, s.neighbours = o, next
	s.mu.Unlock()
	var errs []error
	for a, n := range was {
		if next[a] != n {
			errs = append(errs, s.server.DeletePeer(ctx, &api.DeletePeerRequest{Address: a.String()}))
		}
	}
	for _, n := range o.Neighbours {
		n.Address = n.Address.Unmap()
		if was[n.Address] == n {
			continue
		}
		if err := s.server.AddPeer(ctx, &api.AddPeerRequest{Peer: s.peer(n)}); err != nil {
			errs = append(errs, fmt.Errorf("bgp: neighbour %s: %w", n.Address, err))
			continue
		}
		s.hub.feed(func(t *paths.Table, now time.Time) { t.Configured(s.key(n), s.info(n), false, now) })
		if n.Upstream {
			s.hub.up(n.Device)
		}
	}
	return errors.Join(errs...)
}

// mostPrefixes is how many paths a neighbour may send unless its options say otherwise: the world's table, twice over.
const mostPrefixes = 2_000_000

// shutFor is how long the session of a neighbour that sent too much stays shut.
const shutFor = 5 * time.Minute

// limit shuts the session of a neighbour that sends more than it may. GoBGP's own limit counts the whole adj-in anew at
// every UPDATE, so that a full table takes hours: ours is asked only when the count of announcements is beyond it.
func (s *speaker) limit(ctx context.Context, t *taker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a, n := range s.neighbours {
		most := int(n.MaxPrefixes)
		if most == 0 {
			most = mostPrefixes
		}
		if t.kept[a] <= most {
			continue
		}
		t.kept[a] = 0 // it may have announced the same again: count on from what there is
		go s.shutBeyond(ctx, n, most)
	}
}

// shutBeyond shuts the session if the neighbour really has more paths than it may.
func (s *speaker) shutBeyond(ctx context.Context, n Neighbour, most int) {
	got := uint64(0)
	_ = s.server.ListPeer(ctx, &api.ListPeerRequest{Address: n.Address.String()}, func(p *api.Peer) {
		for _, f := range p.GetAfiSafis() {
			got += f.GetState().GetReceived()
		}
	})
	if got <= uint64(most) || ctx.Err() != nil {
		return
	}
	why := fmt.Sprintf("it sent more than the %d prefixes that it may (max_prefixes): shut for %s", most, shutFor)
	s.log.because(n.Address, why)
	s.hub.said.once(slog.LevelWarn, "limit "+n.Address.String(), "a neighbour sends too many prefixes, and its session is shut", "device", n.Device, "neighbour", n.Address, "prefixes", got, "may", most)
	_ = s.server.DisablePeer(ctx, &api.DisablePeerRequest{Address: n.Address.String(), Communication: "more prefixes than configured"})
	time.AfterFunc(shutFor, func() {
		if ctx.Err() == nil {
			_ = s.server.EnablePeer(ctx, &api.EnablePeerRequest{Address: n.Address.String()})
		}
	})
}

// peer is a neighbour in GoBGP's words: we wait for it, take its paths with their ids where it offers them, also those that
// our own AS is in (GoBGP would not tell of them, nor that they take another's place), and nothing else.
func (s *speaker) peer(n Neighbour) *api.Peer {
	hold := uint64(90)
	if n.Hold > 0 {
		hold = uint64(n.Hold.Seconds())
	}
	p := &api.Peer{
		Conf:      &api.PeerConf{NeighborAddress: n.Address.String(), PeerAsn: n.AS, LocalAsn: n.LocalAS, AuthPassword: n.Password.Reveal(), AllowOwnAsn: math.MaxUint8},
		Transport: &api.Transport{PassiveMode: true},
		Timers:    &api.Timers{Config: &api.TimersConfig{HoldTime: hold, KeepaliveInterval: max(1, hold/3), ConnectRetry: 5, IdleHoldTimeAfterReset: 1}},
	}
	if own := s.own(); own.IsValid() && own.Is4() == n.Address.Is4() {
		p.Transport.LocalAddress = own.String()
	}
	if n.dial > 0 {
		p.Transport = &api.Transport{RemotePort: n.dial}
		p.Timers.Config.ConnectRetry = 1
		if n.from.IsValid() {
			p.Transport.LocalAddress = n.from.String()
		}
	}
	local := n.LocalAS
	if local == 0 {
		local = s.o.AS
	}
	switch {
	case n.Hops > 0:
		p.TtlSecurity = &api.TtlSecurity{Enabled: true, TtlMin: uint32(256 - min(n.Hops, 255))}
	case n.AS != local:
		p.EbgpMultihop = &api.EbgpMultihop{Enabled: true, MultihopTtl: 255}
	}
	for _, f := range []*api.Family{{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}, {Afi: api.Family_AFI_IP6, Safi: api.Family_SAFI_UNICAST}} {
		p.AfiSafis = append(p.AfiSafis, &api.AfiSafi{
			Config:   &api.AfiSafiConfig{Family: f, Enabled: true},
			AddPaths: &api.AddPaths{Config: &api.AddPathsConfig{Receive: true}},
		})
	}
	return p
}

// close takes the sessions down and stops to listen.
func (s *speaker) close(ctx context.Context) {
	if s.cancel != nil {
		s.cancel()
	}
	_ = s.server.StopBgp(context.WithoutCancel(ctx), &api.StopBgpRequest{}) // it fails only where it was not started
}
