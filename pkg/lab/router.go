package lab

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Router is a simulated router that tells a station over BMP (RFC 7854) of its BGP sessions: it connects again and again,
// and each time it tells everything anew. Its methods may be called from any goroutine.
type Router struct {
	Name string
	AS   uint32     // its own
	From netip.Addr // where it connects from; not valid: any address

	mu    sync.Mutex
	peers []*bgpPeer
	conn  net.Conn // nil: it is not connected

	stop context.CancelFunc
	done sync.WaitGroup
}

// bgpPeer is one neighbour of a router, with the paths that it gives.
type bgpPeer struct {
	addr  netip.Addr // IPv4
	as    uint32
	up    bool
	paths []BGPPath
}

// BGPPath is a path that a neighbour gives: its prefix (IPv4), and the ASes behind the neighbour's own.
type BGPPath struct {
	Prefix netip.Prefix
	Behind []uint32
}

// Peer gives the router a neighbour with paths, whose session is established.
func (r *Router) Peer(addr netip.Addr, as uint32, paths ...BGPPath) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.peers = append(r.peers, &bgpPeer{addr: addr, as: as, up: true, paths: paths})
}

// Start connects to a station, until ctx is done or Close.
func (r *Router) Start(ctx context.Context, station string) {
	ctx, stop := context.WithCancel(ctx)
	r.stop = stop
	r.done.Go(func() { r.run(ctx, station) })
}

// Close ends the connection and waits for that. The router may be started again.
func (r *Router) Close() {
	if r.stop != nil {
		r.stop()
		r.done.Wait()
	}
}

// routerRetry is how long a router waits before it connects again.
const routerRetry = 200 * time.Millisecond

func (r *Router) run(ctx context.Context, station string) {
	d := net.Dialer{Timeout: time.Second}
	if r.From.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: r.From.AsSlice()}
	}
	for ctx.Err() == nil {
		if c, err := d.DialContext(ctx, "tcp", station); err == nil {
			stop := context.AfterFunc(ctx, func() { _ = c.Close() })
			r.tell(c)
			stop()
			_ = c.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(routerRetry):
		}
	}
}

// tell says everything, and then lets the other methods say what changes, until the connection ends.
func (r *Router) tell(c net.Conn) {
	r.mu.Lock()
	_, err := c.Write(r.everything())
	if err == nil {
		r.conn = c
	}
	r.mu.Unlock()
	if err == nil {
		_, _ = c.Read(make([]byte, 1)) // a station says nothing: this waits for its end
	}
	r.mu.Lock()
	r.conn = nil
	r.mu.Unlock()
}

// everything is how a stream begins: who the router is, its established sessions, their paths, and that these are all.
func (r *Router) everything() []byte {
	m := bmpMessage(bmpInitiation, bmpText(1, "a simulated router"), bmpText(2, r.Name))
	for _, p := range r.peers {
		if p.up {
			m = append(m, r.established(p)...)
		}
	}
	return m
}

func (r *Router) established(p *bgpPeer) []byte {
	local := netip.AddrFrom4([4]byte{192, 0, 2, 254})
	m := bmpMessage(bmpPeerUp, p.header(), make([]byte, 12), local.AsSlice(), []byte{0, 179, 0xc0, 0}, bgpOpen(r.AS, local), bgpOpen(p.as, p.addr))
	for _, path := range p.paths {
		m = append(m, bmpMessage(bmpRoutes, p.header(), p.announcement(path))...)
	}
	return append(m, bmpMessage(bmpRoutes, p.header(), endOfRIB())...)
}

// Down ends the session with a neighbour, by a notification of the neighbour's (RFC 4271 section 4.5).
func (r *Router) Down(addr netip.Addr, code, subcode byte) error {
	return r.change(addr, func(p *bgpPeer) []byte {
		p.up = false
		return bmpMessage(bmpPeerDown, p.header(), []byte{3}, bgpMessage(bgpNotification, []byte{code, subcode}))
	})
}

// Up establishes the session with a neighbour again.
func (r *Router) Up(addr netip.Addr) error {
	return r.change(addr, func(p *bgpPeer) []byte {
		p.up = true
		return r.established(p)
	})
}

// SetPaths has an established neighbour withdraw what it gave and give these paths. None: the session stays, silent.
func (r *Router) SetPaths(addr netip.Addr, paths ...BGPPath) error {
	return r.change(addr, func(p *bgpPeer) []byte {
		var m []byte
		for _, old := range p.paths {
			if !slices.ContainsFunc(paths, func(x BGPPath) bool { return x.Prefix == old.Prefix }) {
				m = append(m, bmpMessage(bmpRoutes, p.header(), withdrawal(old.Prefix))...)
			}
		}
		p.paths = paths
		for _, path := range paths {
			m = append(m, bmpMessage(bmpRoutes, p.header(), p.announcement(path))...)
		}
		return m
	})
}

// change changes a neighbour and tells of it, where somebody listens.
func (r *Router) change(addr netip.Addr, do func(*bgpPeer) []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.peers, func(p *bgpPeer) bool { return p.addr == addr })
	if i < 0 {
		return fmt.Errorf("%s has no neighbour %s", r.Name, addr)
	}
	m := do(r.peers[i])
	if r.conn != nil {
		_, _ = r.conn.Write(m) // where it fails everything is told anew
	}
	return nil
}

// The types of BMP's and of BGP's messages.
const (
	bmpRoutes     = 0
	bmpPeerDown   = 2
	bmpPeerUp     = 3
	bmpInitiation = 4

	bgpOpening      = 1
	bgpUpdate       = 2
	bgpNotification = 3
)

func bmpMessage(kind byte, body ...[]byte) []byte {
	all := slices.Concat(body...)
	b := binary.BigEndian.AppendUint32([]byte{3}, uint32(6+len(all)))
	return append(append(b, kind), all...)
}

// bmpText is an information TLV (RFC 7854 section 4.4).
func bmpText(kind uint16, text string) []byte {
	b := binary.BigEndian.AppendUint16(nil, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
	return append(b, text...)
}

// header is the per-peer header (RFC 7854 section 4.2): of an IPv4 neighbour, before the policy, without a time stamp.
func (p *bgpPeer) header() []byte {
	b := make([]byte, 2+8+12)
	b = append(b, p.addr.AsSlice()...)
	b = binary.BigEndian.AppendUint32(b, p.as)
	b = append(b, p.addr.AsSlice()...)
	return append(b, make([]byte, 8)...)
}

func bgpMessage(kind byte, body []byte) []byte {
	b := slices.Repeat([]byte{0xff}, 16)
	b = binary.BigEndian.AppendUint16(b, uint16(19+len(body)))
	return append(append(b, kind), body...)
}

// bgpOpen is an OPEN with IPv4 unicast and AS numbers of four octets.
func bgpOpen(as uint32, id netip.Addr) []byte {
	b := binary.BigEndian.AppendUint16([]byte{4}, uint16(as))
	b = append(append(b, 0, 90), id.AsSlice()...)
	b = append(b, 14, 2, 12, 1, 4, 0, 1, 0, 1, 65, 4)
	return bgpMessage(bgpOpening, binary.BigEndian.AppendUint32(b, as))
}

func (p *bgpPeer) announcement(path BGPPath) []byte {
	attrs := []byte{0x40, 1, 1, 0, 0x40, 2, byte(6 + 4*len(path.Behind)), 2, byte(1 + len(path.Behind))}
	for _, as := range append([]uint32{p.as}, path.Behind...) {
		attrs = binary.BigEndian.AppendUint32(attrs, as)
	}
	attrs = append(append(attrs, 0x40, 3, 4), p.addr.AsSlice()...)
	b := binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(len(attrs)))
	return bgpMessage(bgpUpdate, slices.Concat(b, attrs, nlri(path.Prefix)))
}

func withdrawal(p netip.Prefix) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(nlri(p))))
	return bgpMessage(bgpUpdate, append(append(b, nlri(p)...), 0, 0))
}

// endOfRIB is the empty UPDATE of RFC 4724 section 2.
func endOfRIB() []byte { return bgpMessage(bgpUpdate, make([]byte, 4)) }

func nlri(p netip.Prefix) []byte {
	return append([]byte{byte(p.Bits())}, p.Addr().AsSlice()[:(p.Bits()+7)/8]...)
}
