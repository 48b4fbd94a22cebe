package bgp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

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
	_, port, err := net.SplitHostPort(o.Listen)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("the speaker's address %q: %w; write ADDRESS:PORT", o.Listen, err)
	}
	if o.AS == 0 || !o.RouterID.Is4() {
		return errors.New("the speaker needs an AS and a router id, which is written as an IPv4 address")
	}
	return nil
}

// speaker peers with routers and hears them. It has no words to announce a path with: OPEN, KEEPALIVE and NOTIFICATION are
// all that it writes (wire.go).
//
// The codec is GoBGP's, the session ours. An embedded server of GoBGP 3.37 dies of one message of a neighbour
// (TestGoBGPServerDies), and its process with it; it reads without bound what it has not dealt with; it does not tell of
// paths that our own AS is in; and it takes 400 octets and 20 us for a path (BENCH_PATHS=1 TestSpeakers).
type speaker struct {
	hub       *Hub
	listeners []net.Listener
	cancel    context.CancelFunc
	done      sync.WaitGroup

	as     uint32
	id     netip.Addr
	listen string // as it was asked for

	mu       sync.Mutex
	peerings map[netip.Addr]*peering
	count    Counts
	closed   bool
	md5      md5 // as it was when we started
}

// openSpeaker starts the speaker: it listens, or where it only looks, connects.
func (h *Hub) openSpeaker(ctx context.Context, o SpeakerOptions) (*speaker, error) {
	s := &speaker{hub: h, as: o.AS, id: o.RouterID, listen: o.Listen, peerings: map[netip.Addr]*peering{}, md5: refusedMD5()}
	ctx, s.cancel = context.WithCancel(ctx)
	if !o.dials {
		if err := s.open(ctx); err != nil {
			s.close()
			return nil, fmt.Errorf("bgp: listen on %s: %w; choose another address with bgp: {speaker: {listen: ...}}", o.Listen, err)
		}
	}
	if err := s.reconfigure(ctx, o); err != nil {
		s.close()
		return nil, err
	}
	for _, l := range s.listeners {
		s.done.Go(func() { s.accept(ctx, l) })
	}
	return s, nil
}

// open opens the listeners. IPv4 and IPv6 have one each, because passwords are tied to addresses of the socket's own
// family; where no address is named, a machine without one of them does with the other.
func (s *speaker) open(ctx context.Context) error {
	host, port, err := net.SplitHostPort(s.listen)
	if err != nil {
		return err
	}
	networks := []string{"tcp4", "tcp6"}
	if a, err := netip.ParseAddr(host); err == nil && a.Unmap().Is4() {
		networks = networks[:1]
	} else if err == nil {
		networks = networks[1:]
	}
	var errs []error
	for _, network := range networks {
		c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) { _ = setTTL(fd, network == "tcp6") }) // the answer to a SYN has it then
		}}
		l, err := c.Listen(ctx, network, net.JoinHostPort(host, port))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if port == "0" { // the other family's has the same
			_, port, _ = net.SplitHostPort(l.Addr().String())
		}
		s.listeners = append(s.listeners, l)
	}
	if len(s.listeners) == 0 {
		return errors.Join(errs...)
	}
	return nil
}

func (s *speaker) accept(ctx context.Context, l net.Listener) {
	acceptAll(l, func(err error) {
		s.hub.said.once(slog.LevelError, "speaker", "the BGP speaker cannot take connections", "error", err)
	}, func(c net.Conn) { s.take(ctx, c) })
}

// take lets a neighbour in, or refuses it. One that connects anew before it said who it is has given up the old connection;
// while its session is established the new one has to wait for its end (RFC 4271 section 6.8).
func (s *speaker) take(ctx context.Context, c net.Conn) {
	from, _ := netip.ParseAddrPort(c.RemoteAddr().String())
	addr := from.Addr().Unmap().WithZone("")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count.Connections++
	p := s.peerings[addr]
	var subcode uint8
	switch {
	case s.closed:
		subcode = ceaseDown
	case p == nil:
		s.hub.said.once(slog.LevelWarn, "stranger "+addr.String(), "somebody who is no configured neighbour connects to the BGP speaker, and is refused", "address", addr)
	case s.hub.now().Before(p.shut):
		subcode = ceaseRejected
	case p.established:
		subcode = ceaseCollision
	default:
		if p.conn != nil {
			s.count.Replaced++
			refuse(p.conn, ceaseCollision)
		}
		s.start(ctx, p, c)
		return
	}
	s.count.Refused++
	refuse(c, subcode)
}

// start serves a neighbour's connection after the one before it. The caller holds mu.
func (s *speaker) start(ctx context.Context, p *peering, c net.Conn) {
	before, ended := p.ended, make(chan struct{})
	p.conn, p.ended = c, ended
	s.done.Go(func() {
		defer close(ended)
		if before != nil {
			<-before
		}
		p.serve(ctx, c)
	})
}

// refuse closes a connection, with a reason where one is given: the subcode of a CEASE (RFC 4486).
func refuse(c net.Conn, subcode uint8) {
	if subcode != 0 {
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = c.Write(notification(codeCease, subcode, nil)) // whoever is refused may have gone
	}
	_ = c.Close()
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
	h, _, _ := net.SplitHostPort(s.listen)
	a, err := netip.ParseAddr(h)
	if err != nil || a.IsUnspecified() {
		return netip.Addr{}
	}
	return a.Unmap()
}

func (s *speaker) info(n Neighbour) paths.Info {
	as := n.LocalAS
	if as == 0 {
		as = s.as
	}
	return paths.Info{PeerAS: bgp.ASN(n.AS), LocalAS: bgp.ASN(as), Relay: !n.Upstream, Families: []bgp.Family{bgp.IPv4Unicast, bgp.IPv6Unicast}}
}

// refresh says anew why a session is down that did not come up.
func (s *speaker) refresh(p *peering) {
	s.mu.Lock()
	up, known := p.established, p.why
	s.mu.Unlock()
	if up {
		return
	}
	why, hint := s.whyDown(p)
	if p.n.Upstream { // that it is down is what there is to know of it
		s.hub.feed(func(t *paths.Table, now time.Time) {
			if known.Text != "" {
				t.Down(s.key(p.n), paths.Reason{Text: why, Admin: known.Admin}, now)
			} else {
				t.Late(s.key(p.n), paths.Reason{Text: why}, now)
			}
		})
		s.hub.mark(p.n.Device)
		return
	}
	s.hub.down(p.n.Device, why, hint, snapshot.ClassUnreachable)
}

// refreshAll does so for all neighbours, now and then: that nobody connects is no event.
func (s *speaker) refreshAll() {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.peerings))
	s.mu.Unlock()
	for _, p := range all {
		s.refresh(p)
	}
}

// whyDown says why a session is not established, and what to do.
func (s *speaker) whyDown(p *peering) (why, hint string) {
	n := p.n
	s.mu.Lock()
	said := p.why.Text
	s.mu.Unlock()
	hint = fmt.Sprintf("look at the session with %s on %s", strings.TrimPrefix(s.listen, ":"), n.Device)
	if said != "" {
		return "the BGP session is down: " + said, hint
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
	next := make(map[netip.Addr]Neighbour, len(o.Neighbours))
	for _, n := range o.Neighbours {
		n.Address = n.Address.Unmap()
		next[n.Address] = n
	}
	var errs []error
	var added []*peering
	s.mu.Lock()
	for a, p := range s.peerings {
		if n, ok := next[a]; ok && n == p.n {
			delete(next, a)
			continue
		}
		p.gone = true
		if p.conn != nil {
			p.why = paths.Reason{Admin: true, Text: "it was taken out of the configuration"}
			refuse(p.conn, ceaseDeconfigured)
		}
		errs = append(errs, s.password(p.n, ""))
		delete(s.peerings, a)
	}
	for a, n := range next {
		p := &peering{speaker: s, n: n}
		s.peerings[a] = p
		added = append(added, p)
		if n.Password.Set() {
			errs = append(errs, s.password(n, n.Password.Reveal()))
		}
	}
	errs = append(errs, s.onLink())
	s.mu.Unlock()
	for _, p := range added {
		s.hub.feed(func(t *paths.Table, now time.Time) { t.Expected(s.key(p.n), s.info(p.n), now) })
		if p.n.Upstream {
			s.hub.up(p.n.Device)
		}
		if p.n.dial > 0 {
			s.done.Go(func() { s.dial(ctx, p) })
		}
	}
	return errors.Join(errs...)
}

// password has the listeners ask a neighbour for one. The caller holds mu.
func (s *speaker) password(n Neighbour, password string) error {
	for _, l := range s.listeners {
		t, ok := l.(*net.TCPListener)
		if at, _ := netip.ParseAddrPort(l.Addr().String()); !ok || at.Addr().Unmap().Is4() != n.Address.Is4() {
			continue
		}
		raw, err := t.SyscallConn()
		if err == nil {
			err = control(raw, func(fd uintptr) error { return setPassword(fd, n.Address, password) })
		}
		if err != nil && password != "" {
			return fmt.Errorf("bgp: the kernel takes no password (TCP MD5) for neighbour %s: %w", n.Address, err)
		}
	}
	return nil
}

// onLink has the listeners drop what no neighbour of their family could have sent from where it may be; each connection
// then does so for its own neighbour. The caller holds mu.
func (s *speaker) onLink() error {
	for _, l := range s.listeners {
		t, ok := l.(*net.TCPListener)
		if !ok {
			continue
		}
		at, _ := netip.ParseAddrPort(l.Addr().String())
		v6 := !at.Addr().Unmap().Is4()
		least := 255
		for a, p := range s.peerings {
			if a.Is6() == v6 {
				least = min(least, p.n.leastTTL())
			}
		}
		raw, err := t.SyscallConn()
		if err == nil {
			err = control(raw, func(fd uintptr) error { return setLeastTTL(fd, v6, least) })
		}
		if err != nil && least > 0 {
			return fmt.Errorf("bgp: the kernel cannot see to it that neighbours are where they may be (ttl_security): %w", err)
		}
	}
	return nil
}

// leastTTL is what must be left of 255 in a neighbour's packets; 0: that is not looked at.
func (n Neighbour) leastTTL() int {
	if n.Hops == 0 {
		return 0
	}
	return 256 - min(n.Hops, 255)
}

// control does something to a socket.
func control(raw syscall.RawConn, do func(fd uintptr) error) error {
	var err error
	if e := raw.Control(func(fd uintptr) { err = do(fd) }); e != nil {
		return e
	}
	return err
}

// dial connects to a neighbour that waits for us, again and again: for a single look.
func (s *speaker) dial(ctx context.Context, p *peering) {
	to := netip.AddrPortFrom(p.n.Address, uint16(p.n.dial)).String()
	d := net.Dialer{Timeout: 10 * time.Second, Control: func(_, _ string, raw syscall.RawConn) error {
		return control(raw, func(fd uintptr) error {
			if p.n.Password.Set() {
				if err := setPassword(fd, p.n.Address, p.n.Password.Reveal()); err != nil {
					return err
				}
			}
			return setTTL(fd, p.n.Address.Is6())
		})
	}}
	if p.n.from.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: p.n.from.AsSlice()}
	}
	for ctx.Err() == nil {
		c, err := d.DialContext(ctx, "tcp", to)
		if err != nil {
			s.fail(p, paths.Reason{Text: "it cannot be reached: " + opError(err)})
		} else {
			s.mu.Lock()
			s.start(ctx, p, c)
			ended := p.ended
			s.mu.Unlock()
			<-ended
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// fail notes why a session did not come to be, and says it where that is news.
func (s *speaker) fail(p *peering, why paths.Reason) {
	s.mu.Lock()
	news := p.why != why && !p.gone
	p.why = why
	s.mu.Unlock()
	if news {
		p.log(why)
		s.refresh(p)
		if p.n.Upstream {
			text, hint := s.whyDown(p)
			s.hub.amiss(p.n.Device, text, hint)
		}
	}
}

// mostPrefixes is how many paths a neighbour may send unless its options say otherwise: the world's table, twice over.
const mostPrefixes = 2_000_000

// shutFor is how long the session of a neighbour that sent too much stays shut.
const shutFor = 5 * time.Minute

// close takes the sessions down, stops to listen, and waits for the end of it.
func (s *speaker) close() {
	s.mu.Lock()
	s.closed = true
	for _, l := range s.listeners {
		_ = l.Close()
	}
	for _, p := range s.peerings {
		if p.conn != nil {
			refuse(p.conn, ceaseDown)
		}
	}
	s.mu.Unlock()
	s.cancel()
	s.done.Wait()
}
