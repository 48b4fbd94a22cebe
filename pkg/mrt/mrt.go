// Package mrt reads MRT files: routing tables and updates that route collectors and routers write (RFC 6396, add-path
// RFC 8050).
//
// A Reader opens nothing itself: it reads from an io.Reader, through gzip or bzip2 where the bytes say so, and hands
// out one record after another: a path of a table, an UPDATE, a session's change of state. What cannot be read is
// counted by what was wrong with it and passed over; only an end inside a record is an error. Records are valid until
// the next call.
package mrt

import (
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
)

// Peer is the neighbour of the collector that a record speaks of, and the collector's side.
type Peer struct {
	Address netip.Addr
	AS      bgp.ASN
	ID      netip.Addr // tables only
	Local   netip.Addr
	LocalAS bgp.ASN
}

// Record is one record, or one path of a table. One of the pointers is set.
type Record struct {
	At   time.Time
	Peer Peer
	// Entry is a path of a table; its prefix is in Update.Announced.
	Entry  *Entry
	Update *bgp.Update
	State  *State
	Open   *bgp.Open
	Notify *bgp.Notification
}

// Entry says what a table says of a path besides its attributes.
type Entry struct {
	Originated time.Time // when it was learned
	Sequence   uint32
	Collector  netip.Addr
	View       string
	AddPath    bool
	Version    int // of TABLE_DUMP: 1 or 2
}

// State is a session's change of state, in the numbers of BGP's state machine: 1 idle to 6 established; Quagga writes 7
// clearing and 8 deleted too.
type State struct{ Old, New uint16 }

// Established is the state of a session that works.
const Established = 6

// The types and subtypes (RFC 6396 section 4, RFC 8050 section 4).
const (
	typeTableDump   = 12
	typeTableDumpV2 = 13
	typeBGP4MP      = 16
	typeBGP4MPET    = 17

	subPeerIndex = 1
)

const (
	headerLen = 12
	// maxLen bounds one record: a prefix with the paths of a collector's thousand peers is under 1 MiB.
	maxLen = 16 << 20
	// maxPeers is what the index of a peer table can say.
	maxPeers = 65536
)

// Reader reads one file.
type Reader struct {
	r       *bufio.Reader
	buf     []byte
	d       bgp.Decoder
	rec     Record
	entry   Entry
	state   State
	records int
	at      int64 // where the next record begins
	counted map[string]uint64

	peers     []Peer
	collector netip.Addr
	view      string

	// entries of a table's prefix that were not handed out yet
	left    []byte
	entries int
	prefix  bgp.NLRI
	addPath bool
	single  [1]bgp.NLRI
}

// NewReader looks at the first bytes for compression.
func NewReader(r io.Reader) (*Reader, error) {
	b := bufio.NewReaderSize(r, 256<<10)
	magic, err := b.Peek(3)
	if err != nil && len(magic) == 0 && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, err
		}
		b = bufio.NewReaderSize(z, 256<<10)
	case string(magic) == "BZh":
		b = bufio.NewReaderSize(bzip2.NewReader(b), 256<<10)
	}
	return &Reader{r: b, counted: map[string]uint64{}}, nil
}

// Counted says what was passed over, by what it was, and how often.
func (r *Reader) Counted() map[string]uint64 { return r.counted }

// Records is how many records of the file were read so far.
func (r *Reader) Records() int { return r.records }

// countedKinds bounds how many kinds of mistakes are told apart.
const countedKinds = 200

func (r *Reader) count(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if _, known := r.counted[what]; !known && len(r.counted) >= countedKinds {
		what = "other"
	}
	r.counted[what]++
}

// Next returns the next record; io.EOF at the end, *bgp.Damaged where the file cannot be read on.
func (r *Reader) Next() (*Record, error) {
	for {
		if r.entries > 0 {
			if rec := r.nextEntry(); rec != nil {
				return rec, nil
			}
			continue
		}
		at, kind, sub, body, err := r.record()
		if err != nil {
			return nil, err
		}
		r.rec = Record{At: at}
		if r.read(kind, sub, body) {
			return &r.rec, nil
		}
	}
}

// lastType bounds the types that are believed: those assigned end at 49, and their field is an octet's in practice.
const lastType = 255

// record reads one record off the file.
func (r *Reader) record() (at time.Time, kind, sub uint16, body []byte, err error) {
	var head [headerLen]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return at, 0, 0, nil, r.ends(err)
	}
	kind, sub = binary.BigEndian.Uint16(head[4:]), binary.BigEndian.Uint16(head[6:])
	n := int64(binary.BigEndian.Uint32(head[8:]))
	switch {
	case kind > lastType:
		return at, 0, 0, nil, r.ends(fmt.Errorf("a record of type %d: none begins here", kind))
	case n > maxLen:
		return at, 0, 0, nil, r.ends(fmt.Errorf("a record that says that it has %d octets", n))
	case head == [headerLen]byte{}:
		return at, 0, 0, nil, r.ends(errors.New("zeros in place of a record"))
	}
	if r.buf, err = readN(r.r, r.buf[:0], int(n)); err != nil {
		return at, 0, 0, nil, r.ends(err)
	}
	r.records++
	r.at += headerLen + n
	at = time.Unix(int64(binary.BigEndian.Uint32(head[:])), 0).UTC()
	return at, kind, sub, r.buf, nil
}

// ends says where the file cannot be read on; io.EOF is its end.
func (r *Reader) ends(err error) error {
	if errors.Is(err, io.EOF) {
		return err
	}
	return &bgp.Damaged{At: r.at, Err: err}
}

// readN reads n octets, and takes memory only as they come.
func readN(r io.Reader, b []byte, n int) ([]byte, error) {
	const step = 1 << 20
	for len(b) < n {
		from := len(b)
		more := min(step, n-from)
		if cap(b)-from < more {
			grown := make([]byte, from, max(2*cap(b), from+more))
			copy(grown, b)
			b = grown
		}
		b = b[:from+more]
		if _, err := io.ReadFull(r, b[from:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return b[:0], err
		}
	}
	return b, nil
}

// read takes in a record; false: there is nothing in it to hand out at once.
func (r *Reader) read(kind, sub uint16, body []byte) bool {
	switch kind {
	case typeTableDump:
		return r.tableDump(sub, body)
	case typeTableDumpV2:
		r.tableDumpV2(sub, body)
		return false
	case typeBGP4MPET:
		if len(body) < 4 {
			r.count("BGP4MP_ET cut short")
			return false
		}
		r.rec.At = r.rec.At.Add(time.Duration(binary.BigEndian.Uint32(body)%1e6) * time.Microsecond)
		return r.bgp4mp(sub, body[4:])
	case typeBGP4MP:
		return r.bgp4mp(sub, body)
	}
	r.count("type %d", kind)
	return false
}

// cursor reads fields one after the other; bad stays set once there were not enough octets.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if n > len(c.b) || c.bad {
		c.bad = true
		return make([]byte, min(n, 16))
	}
	v := c.b[:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) u8() uint8   { return c.take(1)[0] }
func (c *cursor) u16() uint16 { return binary.BigEndian.Uint16(c.take(2)) }
func (c *cursor) u32() uint32 { return binary.BigEndian.Uint32(c.take(4)) }

func (c *cursor) as(wide bool) bgp.ASN {
	if wide {
		return bgp.ASN(c.u32())
	}
	return bgp.ASN(c.u16())
}

func (c *cursor) address(v6 bool) netip.Addr {
	if v6 {
		return netip.AddrFrom16([16]byte(c.take(16)))
	}
	return netip.AddrFrom4([4]byte(c.take(4)))
}

// tableDump reads a TABLE_DUMP record (RFC 6396 section 4.2): one path.
func (r *Reader) tableDump(sub uint16, body []byte) bool {
	if sub != 1 && sub != 2 {
		r.count("TABLE_DUMP subtype %d", sub)
		return false
	}
	c := cursor{b: body}
	c.u16() // view
	sequence := uint32(c.u16())
	address := c.address(sub == 2)
	bits := int(c.u8())
	c.u8() // status
	originated := c.u32()
	peer := c.address(sub == 2)
	as := c.as(false)
	attrs := c.take(int(c.u16()))
	if c.bad || bits > address.BitLen() {
		r.count("TABLE_DUMP malformed")
		return false
	}
	r.rec.Peer = Peer{Address: peer, AS: as}
	r.prefix = bgp.NLRI{Prefix: netip.PrefixFrom(address, bits).Masked(), SAFI: 1}
	r.entry = Entry{Originated: time.Unix(int64(originated), 0).UTC(), Sequence: sequence, Version: 1}
	return r.path(attrs, bgp.Options{Monitored: true})
}

// path makes the record of one path out of its attributes.
func (r *Reader) path(attrs []byte, o bgp.Options) bool {
	u, err := r.d.Attributes(attrs, o)
	if err != nil {
		r.count("attributes of a path: %v", err)
		return false
	}
	r.problems(u)
	r.single[0] = r.prefix
	u.Announced, u.Classic = r.single[:], 0
	if !u.MPNextHop.IsValid() {
		u.MPNextHop = u.Attrs.NextHop
	}
	r.rec.Update, r.rec.Entry = u, &r.entry
	return true
}

func (r *Reader) problems(u *bgp.Update) {
	for _, p := range u.Problems {
		r.count("attribute %d: %s", p.Attribute, p.What)
	}
	for _, f := range u.Other {
		r.count("prefixes of %s", f)
	}
}

// tableDumpV2 reads a TABLE_DUMP_V2 record (RFC 6396 section 4.3): the table of peers, or a prefix with its paths.
func (r *Reader) tableDumpV2(sub uint16, body []byte) {
	c := cursor{b: body}
	switch sub {
	case subPeerIndex:
		r.peerIndex(&c)
		return
	case 2, 3, 4, 5, 6:
	case 8, 9, 10, 11, 12: // RFC 8050
	default:
		r.count("TABLE_DUMP_V2 subtype %d", sub)
		return
	}
	add := sub >= 8
	r.entry = Entry{Sequence: c.u32(), Collector: r.collector, View: r.view, AddPath: add, Version: 2}
	base := sub
	if add {
		base -= 6
	}
	family := bgp.IPv4Unicast
	switch base {
	case 3, 5:
		r.count("multicast prefixes")
		return
	case 4:
		family = bgp.IPv6Unicast
	case 6:
		afi := c.u16()
		family = bgp.FamilyOf(afi, c.u8())
		if family.Index() < 0 {
			r.count("prefixes of %s", family)
			return
		}
	}
	if c.bad || len(c.b) < 1 {
		r.count("TABLE_DUMP_V2 cut short")
		return
	}
	// RIB_GENERIC with add-path carries the path id in the NLRI of old drafts; RFC 8050 keeps it in the entries.
	nlri := c.take(1 + (int(c.b[0])+7)/8)
	found, err := bgp.ParsePrefixes(nlri, family, false)
	n := int(c.u16())
	if err != nil || len(found) != 1 || c.bad {
		r.count("TABLE_DUMP_V2 prefix malformed")
		return
	}
	r.prefix, r.entries, r.left, r.addPath = found[0], n, c.b, add
}

// peerIndex reads the table of peers that later entries refer to.
func (r *Reader) peerIndex(c *cursor) {
	r.collector = c.address(false)
	r.view = bgp.Words(c.take(int(c.u16())))
	n := int(c.u16())
	r.peers = r.peers[:0]
	for range n {
		kind := c.u8()
		p := Peer{ID: c.address(false)}
		p.Address = c.address(kind&1 != 0)
		p.AS = c.as(kind&2 != 0)
		if c.bad || len(r.peers) >= maxPeers {
			r.count("peer table cut short")
			return
		}
		r.peers = append(r.peers, p)
	}
}

// nextEntry hands out one path of the prefix that is being read; nil: it was malformed, or there is none.
func (r *Reader) nextEntry() *Record {
	c := cursor{b: r.left}
	index := int(c.u16())
	originated := c.u32()
	r.prefix.PathID = 0
	if r.addPath {
		r.prefix.PathID = c.u32()
	}
	attrs := c.take(int(c.u16()))
	if c.bad {
		r.entries = 0
		r.count("TABLE_DUMP_V2 entry cut short")
		return nil
	}
	r.left = c.b
	r.entries--
	if index >= len(r.peers) {
		r.count("path of a peer that is not in the peer table")
		return nil
	}
	r.rec = Record{At: r.rec.At, Peer: r.peers[index]}
	r.entry.Originated = time.Unix(int64(originated), 0).UTC()
	if !r.path(attrs, bgp.Options{FourOctet: true, Monitored: true}) {
		return nil
	}
	return &r.rec
}

// bgp4mp reads a BGP4MP record (RFC 6396 section 4.4): a message, or a change of state.
func (r *Reader) bgp4mp(sub uint16, body []byte) bool {
	var wide, add, change bool
	switch sub {
	case 0:
		change = true
	case 5:
		change, wide = true, true
	case 2:
		return r.tableEntry(body)
	case 1, 6:
	case 4, 7:
		wide = true
	case 8, 10:
		add = true
	case 9, 11:
		wide, add = true, true
	default:
		r.count("BGP4MP subtype %d", sub)
		return false
	}
	c := cursor{b: body}
	p := Peer{AS: c.as(wide), LocalAS: c.as(wide)}
	c.u16() // interface
	afi := c.u16()
	if afi != 1 && afi != 2 {
		r.count("BGP4MP with address family %d", afi)
		return false
	}
	p.Address, p.Local = c.address(afi == 2), c.address(afi == 2)
	if c.bad {
		r.count("BGP4MP cut short")
		return false
	}
	r.rec.Peer = p
	if change {
		r.state = State{Old: c.u16(), New: c.u16()}
		if c.bad {
			r.count("change of state cut short")
			return false
		}
		r.rec.State = &r.state
		return true
	}
	o := bgp.Options{FourOctet: wide, Monitored: true}
	if add {
		o.AddPath = everyFamily
	}
	return r.message(c.b, o)
}

// tableEntry reads a BGP4MP_ENTRY record: a path of a table, as OpenBGPD's "table-mp" still writes it
// (draft-ietf-grow-mrt-01 section 5.10.2; RFC 6396 section 6 gave it up). Which of the two addresses is the neighbour's
// depends on who writes; the first AS of the path tells.
func (r *Reader) tableEntry(body []byte) bool {
	c := cursor{b: body}
	as := [2]bgp.ASN{c.as(false), c.as(false)}
	c.u16() // interface
	afi := c.u16()
	side := [2]netip.Addr{c.address(afi == 2), c.address(afi == 2)}
	c.u32() // view, status
	originated := c.u32()
	family := bgp.FamilyOf(c.u16(), c.u8())
	hop := c.take(int(c.u8()))
	if c.bad || len(c.b) == 0 || family.Index() < 0 || afi != 1 && afi != 2 {
		r.count("BGP4MP_ENTRY that cannot be read")
		return false
	}
	found, err := bgp.ParsePrefixes(c.take(1+(int(c.b[0])+7)/8), family, false)
	attrs := c.take(int(c.u16()))
	if err != nil || len(found) != 1 || c.bad {
		r.count("BGP4MP_ENTRY malformed")
		return false
	}
	r.prefix = found[0]
	r.entry = Entry{Originated: time.Unix(int64(originated), 0).UTC(), Version: 1}
	if !r.path(attrs, bgp.Options{Monitored: true}) {
		return false
	}
	if u := r.rec.Update; !u.MPNextHop.IsValid() && (len(hop) == 4 || len(hop) == 16) {
		u.MPNextHop, _ = netip.AddrFromSlice(hop)
	}
	peer := 0
	if p := r.rec.Update.Attrs.ASPath; len(p) > 0 && len(p[0].ASNs) > 0 && p[0].ASNs[0] == as[1] {
		peer = 1
	}
	r.rec.Peer = Peer{Address: side[peer], AS: as[peer], Local: side[1-peer], LocalAS: as[1-peer]}
	return true
}

// everyFamily is the set of all families that are read.
const everyFamily bgp.FamilySet = 1<<6 - 1

func (r *Reader) message(b []byte, o bgp.Options) bool {
	kind, body, _, err := bgp.Cut(b)
	if err != nil {
		r.count("BGP message: %v", err)
		return false
	}
	switch kind {
	case bgp.TypeUpdate:
		u, err := r.d.Update(body, o)
		if err != nil && o.AddPath == 0 {
			// Before RFC 8050 there was no subtype for path ids, and some wrote them all the same.
			o.AddPath = everyFamily
			if u, err = r.d.Update(body, o); err == nil {
				r.count("path ids in a record whose subtype has none: read")
			}
		}
		if err != nil {
			r.count("UPDATE: %v", err)
			return false
		}
		r.problems(u)
		r.rec.Update = u
	case bgp.TypeOpen:
		open, err := bgp.ParseOpen(body)
		if err != nil {
			r.count("OPEN: %v", err)
			return false
		}
		r.rec.Open = &open
	case bgp.TypeNotification:
		n, err := bgp.ParseNotification(body)
		if err != nil {
			r.count("NOTIFICATION: %v", err)
			return false
		}
		r.rec.Notify = &n
	default:
		return false
	}
	return true
}
