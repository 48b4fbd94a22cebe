package paths_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
)

// feed makes the BMP stream of a router that has one upstream with a full table: Peer Up, a million routes in UPDATEs as
// large as their common attributes allow, End-of-RIB. What a real table looks like (RIPE RIS and RouteViews, 2025): about
// 1.0 million IPv4 prefixes, six in ten of them /24s; 6.5 prefixes to a set of attributes in the mean, with a long tail;
// AS paths of 3 to 7 hops, one in five with prepends; a handful of communities.
type feed struct {
	r     *rand.Rand
	buf   []byte
	peer  netip.Addr
	as    uint32
	local uint32
	shape shape
}

// shape is what sort of table a feed has.
type shape struct {
	name   string
	v6     bool
	unique bool // every path has attributes of its own, which no real table has: the worst case
}

// shapes are the tables whose weight is measured.
var shapes = []shape{{name: "shared attributes"}, {name: "unique attributes", unique: true}, {name: "IPv6", v6: true}, {name: "IPv6, unique attributes", v6: true, unique: true}}

func newFeed(seed uint64, peer string, as uint32, s shape) *feed {
	return &feed{r: rand.New(rand.NewPCG(seed, 1)), peer: netip.MustParseAddr(peer), as: as, local: 64500, shape: s}
}

// message wraps a body: common header, per-peer header.
func (f *feed) message(kind byte, body []byte) {
	f.buf = append(f.buf, 3)
	f.buf = binary.BigEndian.AppendUint32(f.buf, uint32(6+42+len(body)))
	f.buf = append(f.buf, kind)
	f.buf = append(f.buf, 0, 0)                  // global instance, pre-policy, IPv4
	f.buf = append(f.buf, make([]byte, 8+12)...) // distinguisher, address
	a := f.peer.As4()
	f.buf = append(f.buf, a[:]...)
	f.buf = binary.BigEndian.AppendUint32(f.buf, f.as)
	f.buf = append(f.buf, a[:]...) // BGP identifier
	f.buf = binary.BigEndian.AppendUint32(f.buf, 1_770_000_000)
	f.buf = binary.BigEndian.AppendUint32(f.buf, 0)
	f.buf = append(f.buf, body...)
}

func bgpMessage(kind byte, body []byte) []byte {
	m := slices.Repeat([]byte{0xff}, 16)
	m = binary.BigEndian.AppendUint16(m, uint16(19+len(body)))
	return append(append(m, kind), body...)
}

func openMessage(as uint32, id netip.Addr) []byte {
	a := id.As4()
	b := []byte{4}
	b = binary.BigEndian.AppendUint16(b, uint16(min(as, 65535)))
	b = binary.BigEndian.AppendUint16(b, 180)
	b = append(b, a[:]...)
	caps := []byte{1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 65, 4}
	caps = binary.BigEndian.AppendUint32(caps, as)
	b = append(b, byte(len(caps)+2), 2, byte(len(caps)))
	return bgpMessage(1, append(b, caps...))
}

func (f *feed) up() {
	b := make([]byte, 12)
	b = append(b, 203, 0, 113, 254, 0, 179, 0xc0, 0)
	b = append(b, openMessage(f.local, netip.MustParseAddr("203.0.113.254"))...)
	f.message(3, append(b, openMessage(f.as, f.peer)...))
}

func (f *feed) update(withdrawn, attrs, nlri []byte) {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(withdrawn)))
	b = append(b, withdrawn...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(attrs)))
	b = append(append(b, attrs...), nlri...)
	f.message(0, bgpMessage(2, b))
}

func nlri(p netip.Prefix) []byte {
	return append([]byte{byte(p.Bits())}, p.Addr().AsSlice()[:(p.Bits()+7)/8]...)
}

// announce writes an UPDATE for prefixes, encoded, that share attributes.
func (f *feed) announce(attrs, prefixes []byte) {
	if !f.shape.v6 {
		f.update(nil, attrs, prefixes)
		return
	}
	hop := netip.MustParseAddr("2001:db8::1").As16()
	v := append(append([]byte{0, 2, 1, 16}, hop[:]...), 0)
	v = append(v, prefixes...)
	attrs = binary.BigEndian.AppendUint16(append(attrs, 0x90, 14), uint16(len(v)))
	f.update(nil, append(attrs, v...), nil)
}

// withdraw writes an UPDATE that takes a prefix back.
func (f *feed) withdraw(p netip.Prefix) {
	if !f.shape.v6 {
		f.update(nlri(p), nil, nil)
		return
	}
	v := append([]byte{0, 2, 1}, nlri(p)...)
	f.update(nil, append([]byte{0x80, 15, byte(len(v))}, v...), nil)
}

// end writes the End-of-RIB markers.
func (f *feed) end() {
	f.update(nil, nil, nil)
	f.update(nil, []byte{0x80, 15, 3, 0, 2, 1}, nil)
}

// attributes are a set of path attributes for a path that ends in origin.
func (f *feed) attributes(path []uint32) []byte {
	b := []byte{0x40, 1, 1, 0, 0x40, 2, byte(2 + 4*len(path)), 2, byte(len(path))}
	for _, as := range path {
		b = binary.BigEndian.AppendUint32(b, as)
	}
	if !f.shape.v6 {
		b = append(append(b, 0x40, 3, 4), f.peer.AsSlice()...)
	}
	if f.r.IntN(3) == 0 {
		b = append(b, 0x80, 4, 4)
		b = binary.BigEndian.AppendUint32(b, uint32(f.r.IntN(200)))
	}
	n := f.r.IntN(8)
	b = append(b, 0xc0, 8, byte(4*n))
	for range n {
		b = binary.BigEndian.AppendUint32(b, f.as<<16|uint32(f.r.IntN(4000)))
	}
	return b
}

func (f *feed) path(origin uint32) []uint32 {
	p := []uint32{f.as}
	for range f.r.IntN(4) + 1 {
		p = append(p, 1000+uint32(f.r.IntN(3000)))
	}
	p = append(p, origin)
	if f.r.IntN(5) == 0 {
		for range f.r.IntN(3) + 1 {
			p = append(p, origin)
		}
	}
	return p
}

// watchedPrefix is a destination that nothing else in a table covers.
func (s shape) watchedPrefix() netip.Prefix {
	if s.v6 {
		return netip.MustParsePrefix("3fff:9::/48")
	}
	return netip.MustParsePrefix("9.9.9.0/24")
}

// prefixes are the table's destinations, the same ones for every feed, the watched one among them.
func (s shape) prefixes(n int) []netip.Prefix {
	all := prefixesOf(n)
	if s.v6 {
		for i, p := range all { // as long as they are in tables: /48 and shorter
			a := [16]byte{0x20, 1}
			copy(a[2:], p.Addr().AsSlice())
			all[i] = netip.PrefixFrom(netip.AddrFrom16(a), 24+p.Bits())
		}
	}
	all[n/2] = s.watchedPrefix()
	return all
}

func prefixesOf(n int) []netip.Prefix {
	r := rand.New(rand.NewPCG(7, 7))
	seen := make(map[netip.Prefix]bool, n)
	all := make([]netip.Prefix, 0, n)
	for len(all) < n {
		bits := 24
		switch x := r.IntN(100); {
		case x < 60:
		case x < 72:
			bits = 23
		case x < 85:
			bits = 22
		case x < 95:
			bits = 20 + r.IntN(2)
		default:
			bits = 14 + r.IntN(6)
		}
		v := r.Uint32()
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(v>>24)%200 + 11, byte(v >> 16), byte(v >> 8), byte(v)}), bits).Masked()
		if !seen[p] {
			seen[p] = true
			all = append(all, p)
		}
	}
	return all
}

// table writes the whole table: the prefixes in runs that share their attributes.
func (f *feed) table(prefixes []netip.Prefix) {
	f.up()
	origin := uint32(70_000) // none of ours among them
	for i := 0; i < len(prefixes); {
		run := 1 + int(f.r.ExpFloat64()*5.5)
		run = min(run, len(prefixes)-i, 200)
		if f.shape.unique {
			run = 1
		}
		origin++
		var b []byte
		for _, p := range prefixes[i : i+run] {
			b = append(b, nlri(p)...)
		}
		f.announce(f.attributes(f.path(origin)), b)
		i += run
	}
	f.end()
}
