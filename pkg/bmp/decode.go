package bmp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
)

const (
	commonLen = 6
	peerLen   = 42
	// maxLen bounds one message: a BGP message of the longest kind in its wrapping, or a router's longest description.
	maxLen = 1 << 20
)

// VersionError is a version that nobody here speaks. The stream cannot be read on.
type VersionError struct{ Version uint8 }

func (e *VersionError) Error() string {
	return fmt.Sprintf("BMP version %d: 3 and 4 are known", e.Version)
}

// A Reader cuts a stream into messages.
type Reader struct {
	r   io.Reader
	buf []byte
	// from and to bound what was read and not handed out.
	from, to int
}

// NewReader reads from r, in pieces of 64 KiB and more.
func NewReader(r io.Reader) *Reader { return &Reader{r: r, buf: make([]byte, 64<<10)} }

// Next returns the next message, common header and all. It is valid until the next call. io.EOF: the stream ended
// between two messages; io.ErrUnexpectedEOF: inside one. Any other error is for good.
func (r *Reader) Next() ([]byte, error) {
	if err := r.fill(commonLen); err != nil {
		return nil, err
	}
	head := r.buf[r.from:]
	if head[0] != 3 && head[0] != 4 {
		return nil, &VersionError{Version: head[0]}
	}
	n := int(binary.BigEndian.Uint32(head[1:]))
	if n < commonLen || n > maxLen {
		return nil, fmt.Errorf("message of %d octets: between %d and %d are possible", n, commonLen, maxLen)
	}
	if err := r.fill(n); err != nil {
		return nil, err
	}
	m := r.buf[r.from : r.from+n]
	r.from += n
	return m, nil
}

// Buffered reports whether a whole message was read already, so that Next would not wait.
func (r *Reader) Buffered() bool {
	have := r.to - r.from
	return have >= commonLen && have >= int(binary.BigEndian.Uint32(r.buf[r.from+1:]))
}

func (r *Reader) fill(n int) error {
	for r.to-r.from < n {
		if r.from > 0 && r.from+n > len(r.buf) {
			r.to = copy(r.buf, r.buf[r.from:r.to])
			r.from = 0
		}
		if n > len(r.buf) {
			grown := make([]byte, n)
			copy(grown, r.buf[:r.to])
			r.buf = grown
		}
		got, err := r.r.Read(r.buf[r.to:])
		r.to += got
		if err != nil && r.to-r.from < n {
			if errors.Is(err, io.EOF) && r.to > r.from {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// key names a peer within one router.
type key struct {
	kind PeerType
	rd   uint64
	addr netip.Addr
}

// agreed is how the two sides of a session write their messages.
type agreed struct {
	in, out bgp.Options
	// noIDs: the router leaves out the path ids that the session has. FRR does so in all that it monitors.
	noIDs bool
}

// A Decoder reads the messages of one router, in the order in which they came.
type Decoder struct {
	peers map[key]agreed
	d     bgp.Decoder
	m     Message
}

// maxPeers bounds what a Decoder remembers.
const maxPeers = 65536

// NewDecoder is for one connection of one router.
func NewDecoder() *Decoder { return &Decoder{peers: map[key]agreed{}} }

var errShort = errors.New("message cut short")

// Message reads one message, common header and all. An error means that this message cannot be read; those that follow
// can. What it returns is valid until the next call.
func (d *Decoder) Message(b []byte) (*Message, error) {
	if len(b) < commonLen {
		return nil, errShort
	}
	d.m = Message{Version: b[0], Type: Type(b[5]), Problems: d.m.Problems[:0], Status: d.m.Status[:0], Stats: d.m.Stats[:0]}
	m := &d.m
	if m.Version != 3 && m.Version != 4 {
		return nil, &VersionError{Version: m.Version}
	}
	if n := int(binary.BigEndian.Uint32(b[1:])); n != len(b) {
		return nil, fmt.Errorf("message of %d octets says that it has %d", len(b), n)
	}
	b = b[commonLen:]
	switch m.Type {
	case Initiation, Termination:
		return m, d.info(b)
	case RouteMonitoring, StatisticsReport, PeerDown, PeerUp, RouteMirroring:
	default:
		m.Problems = append(m.Problems, fmt.Sprintf("message type %d", m.Type))
		return m, nil
	}
	if len(b) < peerLen {
		return nil, errShort
	}
	m.Peer = parsePeer(b)
	b = b[peerLen:]
	switch m.Type {
	case RouteMonitoring:
		return m, d.routes(b)
	case StatisticsReport:
		return m, d.stats(b)
	case PeerDown:
		return m, d.down(b)
	case PeerUp:
		return m, d.up(b)
	}
	return m, nil // route mirroring: copies of what was told already
}

func parsePeer(b []byte) Peer {
	p := Peer{
		Type:          PeerType(b[0]),
		Distinguisher: binary.BigEndian.Uint64(b[2:]),
		AS:            bgp.ASN(binary.BigEndian.Uint32(b[26:])),
		ID:            netip.AddrFrom4([4]byte(b[30:34])),
	}
	flags := b[1]
	if p.Type == LocRIBPeer {
		p.Filtered = flags&0x80 != 0
	} else {
		v6 := flags&0x80 != 0
		p.PostPolicy, p.TwoOctet, p.AdjOut = flags&0x40 != 0, flags&0x20 != 0, flags&0x10 != 0
		if v6 {
			p.Address = netip.AddrFrom16([16]byte(b[10:26]))
		} else {
			p.Address = netip.AddrFrom4([4]byte(b[22:26]))
		}
	}
	if s, us := binary.BigEndian.Uint32(b[34:]), binary.BigEndian.Uint32(b[38:]); s != 0 {
		p.At = time.Unix(int64(s), int64(us%1e6)*1000).UTC()
	}
	return p
}

func (p *Peer) key() key { return key{kind: p.Type, rd: p.Distinguisher, addr: p.Address} }

// options are how the peer's UPDATEs are written. The A flag is the router's word for the width of AS numbers.
func (d *Decoder) options(p *Peer) bgp.Options {
	a := d.peers[p.key()]
	o := a.in
	if p.AdjOut {
		o = a.out
	}
	o.FourOctet, o.Monitored = !p.TwoOctet, true
	if a.noIDs {
		o.AddPath = 0
	}
	return o
}

func (d *Decoder) routes(b []byte) error {
	m := &d.m
	if m.Version == 4 {
		return d.routes4(b)
	}
	kind, body, rest, err := bgp.Cut(b)
	if err != nil {
		return fmt.Errorf("route monitoring: %w", err)
	}
	if err := d.update(kind, body, d.options(&m.Peer)); err != nil {
		return err
	}
	if len(rest) > 0 { // TLVs in a version 3 message (draft-ietf-grow-bmp-path-marking-tlv as deployed)
		return d.tlvs(rest, nil)
	}
	return nil
}

func (d *Decoder) update(kind bgp.MessageType, body []byte, o bgp.Options) error {
	if kind != bgp.TypeUpdate {
		d.m.Problems = append(d.m.Problems, fmt.Sprintf("route monitoring with a BGP message of type %d", kind))
		return nil
	}
	u, err := d.d.Update(body, o)
	if !readable(u, err) && (o.AddPath != 0 || d.peers[d.m.Peer.key()].noIDs) {
		u, err = d.otherwise(body, o)
	}
	if err != nil {
		return fmt.Errorf("route monitoring: UPDATE: %w", err)
	}
	d.m.Update = u
	return nil
}

// otherwise reads an UPDATE that makes no sense with path ids without them, or the other way round, and remembers of the
// peer which of the two does.
func (d *Decoder) otherwise(body []byte, o bgp.Options) (*bgp.Update, error) {
	k := d.m.Peer.key()
	a := d.peers[k]
	other := o
	if other.AddPath = 0; o.AddPath == 0 {
		if other.AddPath = a.in.AddPath; d.m.Peer.AdjOut {
			other.AddPath = a.out.AddPath
		}
	}
	u, err := d.d.Update(body, other)
	if !readable(u, err) {
		return d.d.Update(body, o)
	}
	a.noIDs = other.AddPath == 0
	d.peers[k] = a
	if a.noIDs {
		d.m.Problems = append(d.m.Problems, "path ids left out although the session has them")
	}
	return u, nil
}

// readable reports whether all prefixes of an UPDATE could be read.
func readable(u *bgp.Update, err error) bool {
	if err != nil {
		return false
	}
	for _, p := range u.Problems {
		if p.Attribute == 14 || p.Attribute == 15 { // MP_REACH_NLRI, MP_UNREACH_NLRI
			return false
		}
	}
	return true
}

// numbering are the types of the TLVs of version 4 route monitoring messages. They changed with the drafts; the TLV that
// holds the UPDATE tells which it is.
type numbering struct{ group, vrf, update, status uint16 }

var (
	// draft-ietf-grow-bmp-tlv up to -19, as Cisco's and Huawei's routers send it
	early = numbering{group: 2, vrf: 3, update: 4, status: 5}
	// draft-ietf-grow-bmp-tlv-20, with the path status after its last
	late = numbering{group: 4, vrf: 5, update: 7, status: 8}
)

// numbered finds out how a message numbers its TLVs.
func numbered(b []byte) numbering {
	for len(b) >= 6 {
		n := 6 + int(binary.BigEndian.Uint16(b[2:]))
		if n > len(b) {
			break
		}
		if _, _, _, err := bgp.Cut(b[6:n]); err == nil && binary.BigEndian.Uint16(b) == late.update {
			return late
		}
		b = b[n:]
	}
	return early
}

// routes4 reads a version 4 route monitoring message: indexed TLVs, one of which holds the UPDATE. Earlier drafts put
// the UPDATE first, without a TLV.
func (d *Decoder) routes4(b []byte) error {
	if kind, body, rest, err := bgp.Cut(b); err == nil {
		if err := d.update(kind, body, d.options(&d.m.Peer)); err != nil {
			return err
		}
		return d.tlvs(rest, nil)
	}
	found := false
	err := d.tlvs(b, func(pdu []byte) error {
		kind, body, _, err := bgp.Cut(pdu)
		if err != nil {
			return fmt.Errorf("route monitoring: %w", err)
		}
		found = true
		return d.update(kind, body, d.options(&d.m.Peer))
	})
	if err == nil && !found {
		d.m.Problems = append(d.m.Problems, "route monitoring without an UPDATE")
	}
	return err
}

// ofGroup is the bit of an index that says that it is a group's number (draft-ietf-grow-bmp-tlv section 4.2.1).
const ofGroup = 0x8000

// tlvs reads indexed TLVs: type, length, index, value. The highest bit of the type says that an enterprise's number
// stands before the value.
func (d *Decoder) tlvs(b []byte, update func([]byte) error) error {
	is := numbered(b)
	var groups map[uint16][]uint16
	for len(b) > 0 {
		if len(b) < 6 {
			d.m.Problems = append(d.m.Problems, "TLV cut short")
			break
		}
		kind, n, index := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:])), binary.BigEndian.Uint16(b[4:])
		if n > len(b)-6 {
			d.m.Problems = append(d.m.Problems, "TLV cut short")
			break
		}
		v := b[6 : 6+n]
		b = b[6+n:]
		switch {
		case kind&0x8000 != 0 && len(v) >= 4:
			// Cisco writes its path marking under its own number, with the same contents.
			if kind&0x7fff == is.status {
				d.status(index, v[4:])
				continue
			}
			d.m.Problems = append(d.m.Problems, fmt.Sprintf("TLV %d of enterprise %d", kind&0x7fff, binary.BigEndian.Uint32(v)))
		case kind == is.update && update != nil && len(v) > 19:
			if err := update(v); err != nil {
				return err
			}
		case kind == is.status || kind == 1 && update == nil && (n == 4 || n == 6):
			d.status(index, v)
		case kind == is.group && index&ofGroup != 0 && n%2 == 0:
			if groups == nil {
				groups = map[uint16][]uint16{}
			}
			groups[index&^ofGroup] = indices(v)
		case kind == is.vrf, is == late && kind <= 6: // number, flags, time and means of reading of the message
		default:
			d.m.Problems = append(d.m.Problems, fmt.Sprintf("TLV %d", kind))
		}
	}
	d.resolve(groups)
	return nil
}

// indices reads the members of a group.
func indices(v []byte) []uint16 {
	all := make([]uint16, 0, len(v)/2)
	for ; len(v) >= 2; v = v[2:] {
		all = append(all, binary.BigEndian.Uint16(v))
	}
	return all
}

func (d *Decoder) status(index uint16, v []byte) {
	if len(v) < 4 {
		d.m.Problems = append(d.m.Problems, "path status cut short")
		return
	}
	s := PathStatus{Status: binary.BigEndian.Uint32(v), Index: index}
	if len(v) >= 6 {
		s.Reason = binary.BigEndian.Uint16(v[4:])
	}
	d.m.Status = append(d.m.Status, s)
}

// resolve finds the members of the groups that statuses speak of. IOS XR makes groups and then names them without the bit
// that says so: where no index has it, an index that is a group's number is that group's.
func (d *Decoder) resolve(groups map[uint16][]uint16) {
	marked := slices.ContainsFunc(d.m.Status, func(s PathStatus) bool { return s.Index&ofGroup != 0 })
	kept := d.m.Status[:0]
	for _, s := range d.m.Status {
		group := s.Index&ofGroup != 0
		s.Index &^= ofGroup
		members, known := groups[s.Index]
		switch {
		case known && (group || !marked):
			s.Members = members
		case group:
			d.m.Problems = append(d.m.Problems, "path status of a group that is not there")
			continue
		}
		kept = append(kept, s)
	}
	d.m.Status = kept
}

func (d *Decoder) up(b []byte) error {
	if len(b) < 20 {
		return errShort
	}
	m := &d.m
	up := &Up{LocalPort: binary.BigEndian.Uint16(b[16:]), RemotePort: binary.BigEndian.Uint16(b[18:])}
	if m.Peer.Address.Is6() || m.Peer.Type == LocRIBPeer && [12]byte(b[:12]) != [12]byte{} {
		up.Local = netip.AddrFrom16([16]byte(b[:16]))
	} else {
		up.Local = netip.AddrFrom4([4]byte(b[12:16]))
	}
	rest := b[20:]
	for i, to := range []*bgp.Open{&up.Sent, &up.Received} {
		kind, body, after, err := bgp.Cut(rest)
		if err != nil || kind != bgp.TypeOpen {
			return fmt.Errorf("peer up: OPEN %d: %w", i+1, orWrong(err))
		}
		if *to, err = bgp.ParseOpen(body); err != nil {
			return fmt.Errorf("peer up: OPEN %d: %w", i+1, err)
		}
		rest = after
	}
	d.infoTLVs(rest, func(kind uint16, v []byte) bool {
		switch kind {
		case 0:
			up.Text = append(up.Text, bgp.Words(v))
		case 3:
			up.Table = bgp.Words(v)
		default:
			return false
		}
		return true
	})
	m.Up = up
	if len(d.peers) >= maxPeers {
		clear(d.peers)
	}
	d.peers[m.Peer.key()] = agreed{in: bgp.Negotiated(up.Received, up.Sent), out: bgp.Negotiated(up.Sent, up.Received)}
	return nil
}

func orWrong(err error) error {
	if err == nil {
		return errors.New("another message stands in its place")
	}
	return err
}

// infoTLVs reads the TLVs without index that Initiation, Termination and Peer Up messages hold.
func (d *Decoder) infoTLVs(b []byte, take func(kind uint16, v []byte) bool) {
	for len(b) > 0 {
		if len(b) < 4 || int(binary.BigEndian.Uint16(b[2:])) > len(b)-4 {
			d.m.Problems = append(d.m.Problems, "TLV cut short")
			return
		}
		kind, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if !take(kind, b[4:4+n]) {
			d.m.Problems = append(d.m.Problems, fmt.Sprintf("information TLV %d", kind))
		}
		b = b[4+n:]
	}
}

func (d *Decoder) info(b []byte) error {
	i := &Info{}
	termination := d.m.Type == Termination
	d.infoTLVs(b, func(kind uint16, v []byte) bool {
		switch {
		case kind == 0:
			i.Text = append(i.Text, bgp.Words(v))
		case termination && kind == 1 && len(v) >= 2:
			i.Reason, i.HasReason = binary.BigEndian.Uint16(v), true
		case !termination && kind == 1:
			i.SysDescr = bgp.Words(v)
		case !termination && kind == 2:
			i.SysName = bgp.Words(v)
		default:
			return false
		}
		return true
	})
	d.m.Info = i
	return nil
}

// The reasons of Peer Down (RFC 7854 section 4.9, RFC 9069 section 5.3).
const (
	DownLocalNotification  = 1
	DownLocal              = 2
	DownRemoteNotification = 3
	DownRemote             = 4
	DownDeconfigured       = 5
	DownTLV                = 6
)

func (d *Decoder) down(b []byte) error {
	if len(b) < 1 {
		return errShort
	}
	down := &Down{Reason: b[0]}
	b = b[1:]
	switch down.Reason {
	case DownLocalNotification, DownRemoteNotification:
		kind, body, _, err := bgp.Cut(b)
		if err != nil || kind != bgp.TypeNotification {
			return fmt.Errorf("peer down: NOTIFICATION: %w", orWrong(err))
		}
		n, err := bgp.ParseNotification(body)
		if err != nil {
			return fmt.Errorf("peer down: NOTIFICATION: %w", err)
		}
		down.Notification = &n
	case DownLocal:
		if len(b) >= 2 {
			down.FSMEvent = binary.BigEndian.Uint16(b)
		}
	case DownRemote, DownDeconfigured, DownTLV:
	default:
		d.m.Problems = append(d.m.Problems, fmt.Sprintf("peer down reason %d", down.Reason))
	}
	d.m.Down = down
	return nil
}

func (d *Decoder) stats(b []byte) error {
	if len(b) < 4 {
		return errShort
	}
	n := int(binary.BigEndian.Uint32(b))
	b = b[4:]
	for range n {
		if len(b) < 4 || int(binary.BigEndian.Uint16(b[2:])) > len(b)-4 {
			return errShort
		}
		s := Stat{Type: binary.BigEndian.Uint16(b)}
		v := b[4 : 4+int(binary.BigEndian.Uint16(b[2:]))]
		b = b[4+len(v):]
		switch len(v) {
		case 4:
			s.Value = uint64(binary.BigEndian.Uint32(v))
		case 8:
			s.Value = binary.BigEndian.Uint64(v)
		case 11:
			s.Family, s.Value = bgp.FamilyOf(binary.BigEndian.Uint16(v), v[2]), binary.BigEndian.Uint64(v[3:])
		default:
			d.m.Problems = append(d.m.Problems, fmt.Sprintf("statistic %d of %d octets", s.Type, len(v)))
			continue
		}
		d.m.Stats = append(d.m.Stats, s)
	}
	return nil
}
