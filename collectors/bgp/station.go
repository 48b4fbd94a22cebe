package bgp

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bmp"
	"github.com/sparewatch/sparewatch/pkg/paths"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// StationOptions are where routers send BMP to, and which.
type StationOptions struct {
	Listen  string // address:port
	Routers []Router
	// Strangers are routers that are not configured: they are refused unless this is set. Their paths then count for the
	// watched sets; their sessions have no device to belong to.
	Strangers bool
	// MaxRouters bounds the connections. 0: 1000.
	MaxRouters int
	// Patience is how long the rest of a message may take once its first octet has come. 0: 1 min.
	Patience time.Duration
	// only names whoever connects, for a single look.
	only string
}

// Router is one that sends BMP.
type Router struct {
	Device  string
	Address netip.Addr
}

// URL is the router as a target.
func (r Router) URL() string { return "bmp://" + host(r.Address) }

func (o *StationOptions) byDevice(device string) *Router {
	for i := range o.Routers {
		if o.Routers[i].Device == device {
			return &o.Routers[i]
		}
	}
	return nil
}

// station listens for routers.
type station struct {
	hub      *Hub
	listener net.Listener
	done     sync.WaitGroup

	mu     sync.Mutex
	o      StationOptions
	conns  map[string]*feed // by device
	closed bool
	count  Counts
}

// feed is one router's connection.
type feed struct {
	station *station
	device  string
	conn    net.Conn
	began   time.Time
	ended   chan struct{}
	// Octets that were read, and those of whole messages: between them lies the beginning of one more. Its rest has to
	// come within patience.
	read, taken, rest uint64
	inside            bool
	patience          time.Duration
	// replaced: a newer connection of the same router has taken over.
	replaced bool
	// anew: it was closed to hear everything anew.
	anew bool
}

var errAnew = errors.New("closed to hear everything anew")

// renew ends a router's stream, so that it connects again and begins with its table as it is.
func (s *station) renew(device string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.conns[device]; f != nil {
		f.anew = true
		_ = f.conn.Close()
	}
}

func (h *Hub) openStation(o StationOptions) (*station, error) {
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("bgp: listen for BMP on %s: %w; choose another address with bgp: {bmp: {listen: ...}}", o.Listen, err)
	}
	if o.MaxRouters <= 0 {
		o.MaxRouters = 1000
	}
	if o.Patience <= 0 {
		o.Patience = time.Minute
	}
	s := &station{hub: h, listener: l, o: o, conns: map[string]*feed{}}
	s.done.Go(s.accept)
	return s, nil
}

// Addr is where the station listens; "" where there is none.
func (h *Hub) Addr() string {
	if h.station == nil {
		return ""
	}
	return h.station.listener.Addr().String()
}

func (s *station) accept() {
	acceptAll(s.listener, func(err error) {
		s.hub.said.once(slog.LevelError, "station", "the BMP station cannot take connections", "error", err)
	}, s.take)
}

// acceptAll takes connections until the listener is closed. What keeps one from coming passes: too many open files, or
// the like.
func acceptAll(l net.Listener, failed func(error), take func(net.Conn)) {
	wait := 10 * time.Millisecond
	for {
		c, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			failed(err)
			time.Sleep(wait)
			wait = min(2*wait, time.Second)
			continue
		}
		wait = 10 * time.Millisecond
		take(c)
	}
}

// take lets a router in, or refuses it.
func (s *station) take(c net.Conn) {
	from, _ := netip.ParseAddrPort(c.RemoteAddr().String())
	addr := from.Addr().Unmap().WithZone("")
	s.mu.Lock()
	s.count.Connections++
	device, known := s.deviceOf(addr)
	why := ""
	switch {
	case s.closed:
		why = "the station is closing"
	case !known && !s.o.Strangers:
		why = "no router with this address is configured"
	case s.conns[device] == nil && len(s.conns) >= s.o.MaxRouters:
		why = fmt.Sprintf("%d routers are connected already", len(s.conns))
	}
	if why != "" {
		s.count.Refused++
		s.mu.Unlock()
		_ = c.Close()
		s.hub.said.once(slog.LevelWarn, "stranger "+addr.String(), "a router that sends BMP is refused", "address", addr, "why", why)
		return
	}
	f := &feed{station: s, device: device, conn: c, began: s.hub.now(), ended: make(chan struct{}), patience: s.o.Patience}
	if old := s.conns[device]; old != nil {
		old.replaced = true
		s.count.Replaced++
		_ = old.conn.Close()
	}
	before := s.conns[device]
	s.conns[device] = f
	s.done.Go(func() {
		if before != nil {
			<-before.ended
		}
		s.serve(f)
	})
	s.mu.Unlock()
}

// deviceOf names a router by its address.
func (s *station) deviceOf(a netip.Addr) (device string, known bool) {
	for _, r := range s.o.Routers {
		if r.Address.Unmap() == a {
			return r.Device, true
		}
	}
	if s.o.only != "" {
		return s.o.only, true
	}
	return a.String(), false
}

func (s *station) reconfigure(o StationOptions) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.MaxRouters, o.Patience = s.o.MaxRouters, s.o.Patience
	s.o = o
	for device, f := range s.conns {
		from, _ := netip.ParseAddrPort(f.conn.RemoteAddr().String())
		now, known := s.deviceOf(from.Addr().Unmap().WithZone(""))
		if now != device || !known && !o.Strangers {
			_ = f.conn.Close()
		}
	}
}

func (s *station) close() {
	s.mu.Lock()
	s.closed = true
	_ = s.listener.Close()
	for _, f := range s.conns {
		_ = f.conn.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
}

// serve hears one router until its connection ends.
func (s *station) serve(f *feed) {
	defer close(f.ended)
	if t, ok := f.conn.(*net.TCPConn); ok { // BMP has no keepalive of its own
		_ = t.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3})
	}
	// What the router said before is forgotten when it says anew: a fresh stream begins with every peer and path.
	err := f.hear()
	_ = f.conn.Close()
	s.mu.Lock()
	if s.conns[f.device] == f {
		delete(s.conns, f.device)
	}
	replaced := f.replaced
	if f.anew {
		err = errAnew
	}
	s.note(err)
	s.mu.Unlock()
	if replaced {
		return
	}
	s.over(f, err)
}

// terminated is the end of a stream that the router announced.
type terminated struct{ why string }

func (t terminated) Error() string { return "the router ended it: " + t.why }

// note counts why a stream ended.
func (s *station) note(err error) {
	var version *bmp.VersionError
	var end terminated
	switch {
	case errors.As(err, &version):
		s.count.Versions++
	case errors.Is(err, io.ErrUnexpectedEOF):
		s.count.Halves++
	case errors.Is(err, errStalled):
		s.count.Stalled++
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, errAnew), errors.As(err, &end), errors.As(err, new(*net.OpError)):
	default:
		s.count.Garbage++
	}
}

var errStalled = errors.New("the rest of a message did not come")

// over tells that a router's stream has ended.
func (s *station) over(f *feed, err error) {
	why, hint, class, level := "it closed the BMP connection", "see on the router whether BMP is still configured, and why it stopped", snapshot.ClassUnreachable, slog.LevelWarn
	var version *bmp.VersionError
	var end terminated
	switch {
	case errors.As(err, &version):
		why, class = fmt.Sprintf("it sends BMP version %d, which nobody here reads: the connection was closed", version.Version), snapshot.ClassGarbage
		hint = "let it send version 3 (RFC 7854)"
	case errors.As(err, &end):
		why, level = end.Error(), slog.LevelInfo
	case errors.Is(err, errAnew):
		why, level = "the BMP connection was closed to hear everything anew: FRR withdrew after its policy what it may have found the next hop of since", slog.LevelInfo
		hint = "it connects again by itself; bmp monitor ipv6 unicast pre-policy alone avoids that"
	case errors.Is(err, io.ErrUnexpectedEOF):
		why = "the BMP connection ended inside a message"
	case errors.Is(err, errStalled):
		why = "it stopped inside a BMP message: the connection was closed"
	case errors.Is(err, io.EOF), err == nil:
	case errors.As(err, new(*net.OpError)):
		why = "the BMP connection broke: " + opError(err)
	default:
		why, class = "what it sends is no BMP: "+err.Error(), snapshot.ClassGarbage
		hint = "see that nothing but BMP goes to this port, and report the router's software where it does"
	}
	s.hub.said.once(level, "bmp "+f.device, "a router's BMP stream has ended", "device", f.device, "why", why)
	s.hub.down(f.device, why, hint, class)
}

func opError(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return err.Error()
}

// turn is how many messages a router may have taken in before others have their turn at the table.
const turn = 128

// hear reads the stream until it ends. Nothing is read ahead of what the table has taken in but one buffer of 64 KiB: a
// router that is faster is held up by TCP.
func (f *feed) hear() error {
	s := f.station
	r, d := bmp.NewReader(patient{f}), bmp.NewDecoder()
	began := false
	subject := "bmp " + f.device
	for {
		b, err := r.Next()
		if err != nil {
			return err
		}
		f.taken += uint64(len(b))
		if !began {
			began = true
			s.hub.log.Info("a router sends BMP", "device", f.device, "address", f.conn.RemoteAddr())
			s.hub.up(f.device)
		}
		var end error
		var c Counts
		waited := time.Now()
		s.hub.feed(func(t *paths.Table, now time.Time) {
			for i := range turn {
				c.Messages++
				c.Octets += uint64(len(b))
				m, err := d.Message(b)
				if err != nil {
					c.Malformed++
					s.hub.said.once(slog.LevelWarn, subject+" malformed", "a BMP message makes no sense and is passed over", "device", f.device, "error", err)
				} else {
					c.Problems += uint64(len(m.Problems))
					t.TakeBMP(f.device, m, now)
					if end = ended(m); end != nil {
						return
					}
				}
				if i == turn-1 || !r.Buffered() {
					return
				}
				if b, err = r.Next(); err != nil {
					end = err
					return
				}
				f.taken += uint64(len(b))
			}
		})
		if r.Buffered() {
			c.Behind = time.Since(waited)
		}
		s.mu.Lock()
		s.count.add(&c)
		s.mu.Unlock()
		if end != nil {
			return end
		}
	}
}

// ended reports whether a message is the last of its stream.
func ended(m *bmp.Message) error {
	if m.Type != bmp.Termination {
		return nil
	}
	why := "no reason given"
	if m.Info != nil {
		if m.Info.HasReason {
			why = terminations[m.Info.Reason]
		}
		for _, t := range m.Info.Text {
			why += ": " + t
		}
	}
	return terminated{why}
}

// terminations are the reasons of RFC 7854 section 4.5.
var terminations = map[uint16]string{
	0: "administratively closed", 1: "unspecified reason", 2: "out of resources", 3: "redundant connection", 4: "permanently administratively closed",
}

// patient reads a router's connection: between messages it waits for ever, for the rest of one only so long.
type patient struct{ f *feed }

func (p patient) Read(b []byte) (int, error) {
	f := p.f
	inside := f.read > f.taken
	if inside != f.inside || inside && f.rest != f.taken {
		f.inside, f.rest = inside, f.taken
		var until time.Time
		if inside {
			until = time.Now().Add(f.patience)
		}
		if err := f.conn.SetReadDeadline(until); err != nil {
			return 0, err
		}
	}
	n, err := f.conn.Read(b)
	f.read += uint64(n)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errStalled
	}
	return n, err
}
