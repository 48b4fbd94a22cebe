package bgp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// The path attributes that are read.
const (
	attrOrigin        = 1
	attrASPath        = 2
	attrNextHop       = 3
	attrMED           = 4
	attrLocalPref     = 5
	attrAtomic        = 6
	attrAggregator    = 7
	attrCommunities   = 8
	attrOriginatorID  = 9
	attrClusterList   = 10
	attrMPReach       = 14
	attrMPUnreach     = 15
	attrAS4Path       = 17
	attrAS4Aggregator = 18
)

// Decoder reads UPDATE messages. Its buffers are used again from message to message. The zero value is ready.
type Decoder struct {
	u    Update
	segs [2][]Segment // AS_PATH and AS4_PATH
	asns []ASN

	seen     [4]uint64 // attributes of this message
	bad      bool      // announcements are to be treated as withdrawals
	aggTrans bool      // AGGREGATOR names AS_TRANS, or is not there
	as4      Path
	reach    bool // MP_REACH_NLRI with prefixes of a kept family
}

// Update reads the body of an UPDATE message. An error is a Fault, and means that the session would have to be reset (RFC
// 7606): where the prefixes are cannot be told. What is milder is dealt with as the RFC says and listed in Problems.
func (d *Decoder) Update(body []byte, o Options) (*Update, error) {
	d.reset()
	if err := d.update(body, o); err != nil {
		fault := &Fault{Code: 3, Subcode: 1, What: err.Error()}
		errors.As(err, &fault)
		return nil, fault
	}
	return &d.u, nil
}

func (d *Decoder) update(body []byte, o Options) error {
	if len(body) < 4 {
		return errShort
	}
	n := int(binary.BigEndian.Uint16(body))
	if n > len(body)-4 {
		return errors.New("withdrawn routes are longer than their message")
	}
	withdrawn, rest := body[2:2+n], body[2+n:]
	m := int(binary.BigEndian.Uint16(rest))
	if m > len(rest)-2 {
		return errors.New("attributes are longer than their message")
	}
	attrs, nlri := rest[2:2+m], rest[2+m:]

	var err error
	if d.u.Withdrawn, err = appendPrefixes(d.u.Withdrawn, withdrawn, IPv4Unicast, o, true); err != nil {
		return fmt.Errorf("withdrawn routes: %w", err)
	}
	if d.u.Announced, err = appendPrefixes(d.u.Announced, nlri, IPv4Unicast, o, false); err != nil {
		return &Fault{Code: 3, Subcode: 10, What: fmt.Sprintf("announced routes: %v", err)}
	}
	d.u.Classic = len(d.u.Announced)
	if err := d.attributes(attrs, o, false); err != nil {
		return err
	}
	if n == 0 && m == 0 && len(nlri) == 0 {
		d.u.Ended = append(d.u.Ended, IPv4Unicast)
	}
	d.finish(o)
	return nil
}

// Attributes reads path attributes that stand alone: of a routing table's entry, or of a path as gobgpd's API gives it.
// In a TABLE_DUMP_V2 entry MP_REACH_NLRI may hold the next hop alone (RFC 6396 section 4.3.4). The result is valid
// until the Decoder's next call.
func (d *Decoder) Attributes(attrs []byte, o Options) (*Update, error) {
	d.reset()
	if err := d.attributes(attrs, o, true); err != nil {
		return nil, err
	}
	d.merge()
	return &d.u, nil
}

func (d *Decoder) reset() {
	d.u = Update{
		Announced: d.u.Announced[:0], Withdrawn: d.u.Withdrawn[:0], Ended: d.u.Ended[:0], Other: d.u.Other[:0], Problems: d.u.Problems[:0],
		Attrs: Attributes{Origin: Incomplete, Communities: d.u.Attrs.Communities[:0]}, // what is not said is not the best
	}
	d.segs[0], d.segs[1], d.asns = d.segs[0][:0], d.segs[1][:0], d.asns[:0]
	d.seen, d.bad, d.aggTrans, d.as4, d.reach = [4]uint64{}, false, true, nil, false
}

// withdraw notes a malformed attribute that makes the announcements withdrawals.
func (d *Decoder) withdraw(attr uint8, format string, args ...any) {
	d.bad = true
	d.u.Problems = append(d.u.Problems, Problem{Attribute: attr, Withdraw: true, What: fmt.Sprintf(format, args...)})
}

// discard notes a malformed attribute that is left out.
func (d *Decoder) discard(attr uint8, what string) {
	d.u.Problems = append(d.u.Problems, Problem{Attribute: attr, What: what})
}

func (d *Decoder) has(attr uint8) bool { return d.seen[attr>>6]&(1<<(attr&63)) != 0 }

func (d *Decoder) attributes(b []byte, o Options, table bool) error {
	for len(b) > 0 {
		if len(b) < 3 {
			d.withdraw(0, "attribute header cut short")
			return nil
		}
		flags, kind, size, head := b[0], b[1], int(b[2]), 3
		if flags&0x10 != 0 {
			if len(b) < 4 {
				d.withdraw(kind, "attribute header cut short")
				return nil
			}
			size, head = int(binary.BigEndian.Uint16(b[2:])), 4
		}
		if size > len(b)-head {
			d.withdraw(kind, "attribute is longer than what holds it")
			return nil
		}
		value := b[head : head+size]
		b = b[head+size:]
		if d.has(kind) {
			if kind == attrMPReach || kind == attrMPUnreach {
				return fmt.Errorf("attribute %d stands twice", kind)
			}
			d.discard(kind, "attribute stands twice: the first counts")
			continue
		}
		d.seen[kind>>6] |= 1 << (kind & 63)
		if flags&0x80 == 0 && kind > attrAS4Aggregator && !o.Monitored { // nobody has defined any more of those that all must know
			return &Fault{Code: 3, Subcode: 2, What: fmt.Sprintf("attribute %d says that all must know it", kind)}
		}
		if !flagsFit(kind, flags) {
			what := fmt.Sprintf("attribute flags %#02x", flags)
			if !o.Monitored {
				d.withdraw(kind, "%s", what)
				continue
			}
			d.discard(kind, what)
		}
		if err := d.attribute(kind, value, o, table); err != nil {
			return err
		}
	}
	return nil
}

// flagsFit checks the optional and transitive bits of the attributes that are known (RFC 7606 section 3c).
func flagsFit(kind, flags uint8) bool {
	switch kind {
	case attrOrigin, attrASPath, attrNextHop, attrLocalPref, attrAtomic:
		return flags&0xc0 == 0x40
	case attrMED, attrOriginatorID, attrClusterList:
		return flags&0xc0 == 0x80
	case attrCommunities:
		return flags&0xc0 == 0xc0
	}
	return true
}

func (d *Decoder) attribute(kind uint8, v []byte, o Options, table bool) error {
	a := &d.u.Attrs
	switch kind {
	case attrOrigin:
		if len(v) != 1 || v[0] > 2 {
			d.withdraw(kind, "ORIGIN % x", v[:min(len(v), 4)])
			return nil
		}
		a.Origin = Origin(v[0])
	case attrASPath:
		d.asPath(v, o)
	case attrNextHop:
		switch {
		case len(v) == 4:
			a.NextHop = netip.AddrFrom4([4]byte(v))
		case len(v) == 16 && table: // some collectors write it so
			a.NextHop = netip.AddrFrom16([16]byte(v))
		default:
			d.withdraw(kind, "NEXT_HOP of %d octets", len(v))
		}
	case attrMED:
		if len(v) != 4 {
			d.withdraw(kind, "MULTI_EXIT_DISC of %d octets", len(v))
			return nil
		}
		a.MED, a.HasMED = binary.BigEndian.Uint32(v), true
	case attrLocalPref:
		if len(v) != 4 {
			d.withdraw(kind, "LOCAL_PREF of %d octets", len(v))
			return nil
		}
		a.LocalPref, a.HasLocalPref = binary.BigEndian.Uint32(v), true
	case attrAtomic:
		if len(v) != 0 {
			d.discard(kind, "ATOMIC_AGGREGATE with a value")
			return nil
		}
		a.Atomic = true
	case attrAggregator, attrAS4Aggregator:
		d.aggregator(kind, v, o)
	case attrCommunities:
		d.communities(v)
	case attrOriginatorID:
		if len(v) != 4 {
			d.withdraw(kind, "ORIGINATOR_ID of %d octets", len(v))
			return nil
		}
		a.OriginatorID = netip.AddrFrom4([4]byte(v))
	case attrClusterList:
		if len(v) == 0 || len(v)%4 != 0 {
			d.withdraw(kind, "CLUSTER_LIST of %d octets", len(v))
			return nil
		}
		a.Clusters = len(v) / 4
	case attrMPReach:
		return d.mpReach(v, o, table)
	case attrMPUnreach:
		return d.mpUnreach(v, o)
	case attrAS4Path:
		if o.FourOctet {
			d.discard(kind, "AS4_PATH from a speaker that has no use for it")
			return nil
		}
		path, ok := d.path(v, 4, 1)
		if !ok {
			d.discard(kind, "malformed AS4_PATH")
			return nil
		}
		d.as4 = path
	}
	return nil
}

// asPath reads AS_PATH. A width that does not fit, where the other does, is a router's mistake about its own session.
func (d *Decoder) asPath(v []byte, o Options) {
	width := 2
	if o.FourOctet {
		width = 4
	}
	path, ok := d.path(v, width, 0)
	if !ok {
		if path, ok = d.path(v, 6-width, 0); !ok {
			d.withdraw(attrASPath, "malformed AS_PATH")
			return
		}
		d.discard(attrASPath, fmt.Sprintf("AS_PATH has %d octets a number, not %d as was agreed", 6-width, width))
	}
	d.u.Attrs.ASPath = path
}

// path reads the segments of an AS path with numbers of width octets. An empty segment, or one of a type that nobody
// has defined, makes it malformed (RFC 7606 section 7.2).
func (d *Decoder) path(v []byte, width, buffer int) (Path, bool) {
	segs := d.segs[buffer][:0]
	for len(v) > 0 {
		if len(v) < 2 {
			return nil, false
		}
		kind, n := SegmentType(v[0]), int(v[1])
		if kind < Set || kind > ConfedSet || n == 0 || n*width > len(v)-2 {
			return nil, false
		}
		v = v[2:]
		from := len(d.asns)
		if width == 4 {
			for i := 0; i < n*4; i += 4 {
				d.asns = append(d.asns, ASN(binary.BigEndian.Uint32(v[i:])))
			}
		} else {
			for i := 0; i < n*2; i += 2 {
				d.asns = append(d.asns, ASN(binary.BigEndian.Uint16(v[i:])))
			}
		}
		v = v[n*width:]
		segs = append(segs, Segment{Type: kind, ASNs: d.asns[from:len(d.asns):len(d.asns)]})
	}
	d.segs[buffer] = segs
	return segs, true
}

func (d *Decoder) aggregator(kind uint8, v []byte, o Options) {
	a := &d.u.Attrs
	wide := len(v) == 8
	if len(v) != 6 && !wide || kind == attrAS4Aggregator && !wide {
		d.discard(kind, "AGGREGATOR of a wrong length")
		return
	}
	var as ASN
	if wide {
		as = ASN(binary.BigEndian.Uint32(v))
	} else {
		as = ASN(binary.BigEndian.Uint16(v))
	}
	ip := netip.AddrFrom4([4]byte(v[len(v)-4:]))
	if kind == attrAS4Aggregator {
		if !o.FourOctet && d.aggTrans && a.Aggregator == Trans {
			a.Aggregator, a.AggregatorIP = as, ip
		}
		return
	}
	a.Aggregator, a.AggregatorIP = as, ip
	d.aggTrans = as == Trans
}

func (d *Decoder) communities(v []byte) {
	if len(v)%4 != 0 {
		d.withdraw(attrCommunities, "COMMUNITIES of %d octets", len(v))
		return
	}
	a := &d.u.Attrs
	for ; len(v) > 0; v = v[4:] {
		c := binary.BigEndian.Uint32(v)
		a.Communities = append(a.Communities, c)
		switch c {
		case 0xffff0000:
			a.Marks |= GracefulShutdown
		case 0xffff0006:
			a.Marks |= Stale
		case 0xffff029a:
			a.Marks |= Blackhole
		case 0xffffff01:
			a.Marks |= NoExport
		case 0xffffff02:
			a.Marks |= NoAdvertise
		}
	}
}

// mpReach reads MP_REACH_NLRI (RFC 4760 section 3; RFC 8950 for IPv4 with IPv6 next hops).
func (d *Decoder) mpReach(v []byte, o Options, table bool) error {
	if table && len(v) > 0 && v[0] != 0 && int(v[0]) <= len(v)-1 { // the next hop alone
		hop, ok := nextHop(v[1:1+int(v[0])], 0)
		if !ok {
			d.withdraw(attrMPReach, "next hop of %d octets", v[0])
			return nil
		}
		d.u.MPNextHop = hop
		return nil
	}
	if len(v) < 5 || int(v[3]) > len(v)-5 {
		if table {
			d.withdraw(attrMPReach, "MP_REACH_NLRI cut short")
			return nil
		}
		return errors.New("MP_REACH_NLRI cut short")
	}
	f := FamilyOf(binary.BigEndian.Uint16(v), v[2])
	hop, rest := v[4:4+int(v[3])], v[5+int(v[3]):]
	if f.Index() < 0 {
		d.u.Other = append(d.u.Other, f)
		if h, ok := nextHop(hop, f.SAFI()); ok {
			d.u.MPNextHop = h
		}
		return nil
	}
	h, ok := nextHop(hop, f.SAFI())
	if !ok {
		if table {
			d.withdraw(attrMPReach, "next hop of %d octets", len(hop))
			return nil
		}
		return fmt.Errorf("MP_REACH_NLRI: next hop of %d octets", len(hop))
	}
	d.u.MPNextHop = h
	var err error
	if d.u.Announced, err = appendPrefixes(d.u.Announced, rest, f, o, false); err != nil && !table {
		return fmt.Errorf("MP_REACH_NLRI: %w", err)
	}
	d.reach = true
	return nil
}

func (d *Decoder) mpUnreach(v []byte, o Options) error {
	if len(v) < 3 {
		return errors.New("MP_UNREACH_NLRI cut short")
	}
	f := FamilyOf(binary.BigEndian.Uint16(v), v[2])
	if len(v) == 3 {
		d.u.Ended = append(d.u.Ended, f)
		return nil
	}
	if f.Index() < 0 {
		d.u.Other = append(d.u.Other, f)
		return nil
	}
	var err error
	if d.u.Withdrawn, err = appendPrefixes(d.u.Withdrawn, v[3:], f, o, true); err != nil {
		return fmt.Errorf("MP_UNREACH_NLRI: %w", err)
	}
	return nil
}

// nextHop reads a next hop: IPv4, IPv6, IPv6 with its link-local address, and those behind a route distinguisher.
func nextHop(b []byte, safi uint8) (netip.Addr, bool) {
	if safi == 128 || safi == 129 {
		if len(b) < 8 {
			return netip.Addr{}, false
		}
		b = b[8:]
		if len(b) == 40 {
			b = b[:16]
		}
	}
	switch len(b) {
	case 4:
		return netip.AddrFrom4([4]byte(b)), true
	case 16, 32:
		return netip.AddrFrom16([16]byte(b[:16])), true
	}
	return netip.Addr{}, false
}

// appendPrefixes reads the prefixes of a family, as NLRI fields hold them.
func appendPrefixes(to []NLRI, b []byte, f Family, o Options, withdrawn bool) ([]NLRI, error) {
	size, safi, addPath := 16, f.SAFI(), o.AddPath.Has(f)
	if f.AFI() == 1 {
		size = 4
	}
	for len(b) > 0 {
		n := NLRI{SAFI: safi}
		if addPath {
			if len(b) < 5 {
				return to, errShort
			}
			n.PathID = binary.BigEndian.Uint32(b)
			b = b[4:]
		}
		bits := int(b[0])
		octets := (bits + 7) / 8
		if octets > len(b)-1 {
			return to, errShort
		}
		v := b[1 : 1+octets]
		b = b[1+octets:]
		if safi != 1 {
			var err error
			if v, bits, err = n.unwrap(v, bits, withdrawn); err != nil {
				return to, err
			}
		}
		if bits > size*8 {
			return to, fmt.Errorf("prefix length %d", bits)
		}
		n.Prefix = prefix(v, bits, size)
		to = append(to, n)
	}
	return to, nil
}

// unwrap takes the labels (RFC 8277 section 2) and the route distinguisher (RFC 4364 section 4.3.4) off a prefix.
func (n *NLRI) unwrap(v []byte, bits int, withdrawn bool) (rest []byte, left int, err error) {
	for {
		if bits < 24 {
			return nil, 0, errors.New("label cut short")
		}
		label := uint32(v[0])<<16 | uint32(v[1])<<8 | uint32(v[2])
		v, bits = v[3:], bits-24
		if label&1 != 0 || withdrawn && (label == 0x800000 || label == 0) || label == 0x800000 {
			break
		}
	}
	if n.SAFI != 128 {
		return v, bits, nil
	}
	if bits < 64 {
		return nil, 0, errors.New("route distinguisher cut short")
	}
	n.RD = binary.BigEndian.Uint64(v)
	return v[8:], bits - 64, nil
}

// prefix makes a prefix of its leading octets. Bits beyond its length are of no meaning (RFC 4271 section 4.3).
func prefix(b []byte, bits, size int) netip.Prefix {
	var a [16]byte
	copy(a[:], b)
	if bits%8 != 0 {
		a[bits/8] &= 0xff << (8 - bits%8)
	}
	if size == 4 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(a[:4])), bits)
	}
	return netip.PrefixFrom(netip.AddrFrom16(a), bits)
}

// ParsePrefixes reads a list of prefixes as NLRI fields hold it; the family must be one that is read.
func ParsePrefixes(b []byte, f Family, addPath bool) ([]NLRI, error) {
	if f.Index() < 0 {
		return nil, fmt.Errorf("prefixes of %s are not read", f)
	}
	o := Options{}
	if addPath {
		o.AddPath = SetOf(f)
	}
	return appendPrefixes(nil, b, f, o, false)
}

// finish merges AS paths, checks what must be there, and turns announcements into withdrawals where they must not be
// used.
func (d *Decoder) finish(o Options) {
	d.merge()
	if len(d.u.Announced) > 0 {
		d.missing(attrOrigin, "ORIGIN is missing", o)
		d.missing(attrASPath, "AS_PATH is missing", o)
		if d.u.Classic > 0 {
			d.missing(attrNextHop, "NEXT_HOP is missing", o)
		}
	}
	if d.bad {
		d.u.Withdrawn = append(d.u.Withdrawn, d.u.Announced...)
		d.u.Announced, d.u.Classic = d.u.Announced[:0], 0
	}
	if len(d.u.Ended) > 0 && (len(d.u.Announced) > 0 || len(d.u.Withdrawn) > 0) {
		d.u.Ended = d.u.Ended[:0]
	}
}

// missing notes a well-known attribute that is not there (RFC 7606 section 3d).
func (d *Decoder) missing(attr uint8, what string, o Options) {
	switch {
	case d.has(attr):
	case o.Monitored:
		d.discard(attr, what)
	default:
		d.withdraw(attr, "%s", what)
	}
}

// merge puts AS4_PATH in the place of the end of AS_PATH (RFC 6793 section 4.2.3).
func (d *Decoder) merge() {
	if d.as4 == nil || d.has(attrAggregator) && !d.aggTrans {
		return
	}
	old := d.u.Attrs.ASPath
	lead := old.Length() - d.as4.Length()
	if lead < 0 {
		return
	}
	merged := make(Path, 0, len(old)+len(d.as4))
	for _, s := range old {
		if lead <= 0 && s.Type != ConfedSequence && s.Type != ConfedSet {
			break
		}
		switch s.Type {
		case Sequence:
			n := min(lead, len(s.ASNs))
			lead -= n
			s.ASNs = s.ASNs[:n]
		case Set:
			lead--
		}
		merged = append(merged, s)
	}
	for _, s := range d.as4 {
		if s.Type == ConfedSequence || s.Type == ConfedSet { // must not be there (RFC 6793 section 3)
			continue
		}
		if last := len(merged) - 1; last >= 0 && merged[last].Type == Sequence && s.Type == Sequence {
			merged[last].ASNs = append(merged[last].ASNs[:len(merged[last].ASNs):len(merged[last].ASNs)], s.ASNs...)
			continue
		}
		merged = append(merged, s)
	}
	d.u.Attrs.ASPath = merged
}
