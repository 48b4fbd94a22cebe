// Package bgp gives the words of the Border Gateway Protocol and reads its messages: UPDATE, OPEN and NOTIFICATION
// (RFC 4271), four-octet AS numbers (RFC 6793), multiprotocol reachability (RFC 4760), add-path (RFC 7911) and the
// revised error handling (RFC 7606).
//
// It speaks to nobody: it has no sessions, no timers and no tables. A Reader cuts a stream into messages, and a Decoder
// turns the bytes of an UPDATE into values; what they hand out is valid until their next call. Nothing that a neighbour
// sends makes them fail otherwise than by an error, and what is wrong inside a message is counted in Update.Problems. Of
// what a speaker says it writes OPEN, KEEPALIVE and NOTIFICATION: there is nothing here that announces a path.
package bgp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ASN is an autonomous system's number, four octets wide.
type ASN uint32

// Trans is AS_TRANS (RFC 6793): it stands for a number that an old speaker cannot write, so it names nobody.
const Trans ASN = 23456

// Private reports whether the number is for private use (RFC 6996): it is not unique in the world.
func (a ASN) Private() bool { return a >= 64512 && a <= 65534 || a >= 4200000000 && a <= 4294967294 }

// Reserved reports whether the number can name nobody: 0 (RFC 7607), AS_TRANS and the last ones (RFC 7300).
func (a ASN) Reserved() bool { return a == 0 || a == Trans || a == 65535 || a == 4294967295 }

func (a ASN) String() string { return "AS" + strconv.FormatUint(uint64(a), 10) }

// Family is an address family with its subsequent one, as AFI<<8 | SAFI.
type Family uint32

// The families whose prefixes are read. All others are counted.
const (
	IPv4Unicast  Family = 1<<8 | 1
	IPv6Unicast  Family = 2<<8 | 1
	IPv4Labelled Family = 1<<8 | 4 // RFC 8277
	IPv6Labelled Family = 2<<8 | 4
	IPv4VPN      Family = 1<<8 | 128 // RFC 4364
	IPv6VPN      Family = 2<<8 | 128 // RFC 4659
)

// Kept lists the families whose prefixes are read, in the order of FamilySet's bits.
func Kept() [6]Family {
	return [6]Family{IPv4Unicast, IPv6Unicast, IPv4Labelled, IPv6Labelled, IPv4VPN, IPv6VPN}
}

// FamilySet is a set of families whose prefixes are read.
type FamilySet uint8

// SetOf makes a set; families that are not read are left out.
func SetOf(families ...Family) FamilySet {
	var s FamilySet
	for _, f := range families {
		if i := f.Index(); i >= 0 {
			s |= 1 << i
		}
	}
	return s
}

// Has reports whether f is in the set.
func (s FamilySet) Has(f Family) bool { i := f.Index(); return i >= 0 && s&(1<<i) != 0 }

// FamilyOf joins an AFI and a SAFI.
func FamilyOf(afi uint16, safi uint8) Family { return Family(afi)<<8 | Family(safi) }

// AFI is the address family's number.
func (f Family) AFI() uint16 { return uint16(f >> 8) }

// SAFI is the subsequent address family's number.
func (f Family) SAFI() uint8 { return uint8(f) }

// Index is the family's place in Kept; -1: its prefixes are not read.
func (f Family) Index() int {
	switch f {
	case IPv4Unicast:
		return 0
	case IPv6Unicast:
		return 1
	case IPv4Labelled:
		return 2
	case IPv6Labelled:
		return 3
	case IPv4VPN:
		return 4
	case IPv6VPN:
		return 5
	}
	return -1
}

func (f Family) String() string {
	afi, ok := map[uint16]string{1: "ipv4", 2: "ipv6", 25: "l2vpn", 16388: "bgp-ls"}[f.AFI()]
	if !ok {
		afi = "afi-" + strconv.Itoa(int(f.AFI()))
	}
	safi, ok := map[uint8]string{1: "unicast", 2: "multicast", 4: "labelled", 5: "mvpn", 65: "vpls", 70: "evpn", 71: "ls", 128: "vpn", 132: "rtc", 133: "flowspec", 134: "flowspec-vpn"}[f.SAFI()]
	if !ok {
		safi = "safi-" + strconv.Itoa(int(f.SAFI()))
	}
	return afi + "-" + safi
}

// Origin is the ORIGIN attribute. Lower is better.
type Origin uint8

// The origins.
const (
	IGP Origin = iota
	EGP
	Incomplete
)

func (o Origin) String() string {
	switch o {
	case IGP:
		return "igp"
	case EGP:
		return "egp"
	case Incomplete:
		return "incomplete"
	}
	return fmt.Sprintf("origin(%d)", uint8(o))
}

// SegmentType is the type of one segment of an AS path.
type SegmentType uint8

// The segment types of RFC 4271 and RFC 5065.
const (
	Set            SegmentType = 1
	Sequence       SegmentType = 2
	ConfedSequence SegmentType = 3
	ConfedSet      SegmentType = 4
)

// Segment is one segment of an AS path.
type Segment struct {
	Type SegmentType
	ASNs []ASN
}

// Path is an AS path, the neighbour's AS first.
type Path []Segment

// String writes the path as routers do: sets in braces, confederation segments in parentheses and brackets.
func (p Path) String() string {
	var b strings.Builder
	for i, s := range p {
		if i > 0 {
			b.WriteByte(' ')
		}
		before, between, after := "", " ", ""
		switch s.Type {
		case Set:
			before, between, after = "{", ",", "}"
		case ConfedSequence:
			before, after = "(", ")"
		case ConfedSet:
			before, between, after = "[", ",", "]"
		}
		b.WriteString(before)
		for j, a := range s.ASNs {
			if j > 0 {
				b.WriteString(between)
			}
			b.WriteString(strconv.FormatUint(uint64(a), 10))
		}
		b.WriteString(after)
	}
	return b.String()
}

// Length is what best path selection compares: a set counts as one, confederation segments as none (RFC 4271 section
// 9.1.2.2, RFC 5065 section 5.3).
func (p Path) Length() int {
	n := 0
	for _, s := range p {
		switch s.Type {
		case Sequence:
			n += len(s.ASNs)
		case Set:
			n++
		}
	}
	return n
}

// Marks are well-known communities that change what a path is worth.
type Marks uint8

// The marks.
const (
	GracefulShutdown Marks = 1 << iota // 65535:0 (RFC 8326): it is about to be taken away
	Stale                              // 65535:6 LLGR_STALE (RFC 9494): its session is gone
	Blackhole                          // 65535:666 (RFC 7999): leads nowhere on purpose
	NoExport                           // 65535:65281
	NoAdvertise                        // 65535:65282
)

// Attributes are what a path says of itself. The zero value says nothing.
type Attributes struct {
	Origin       Origin
	ASPath       Path
	NextHop      netip.Addr // of the classic NLRI; see Update.MPNextHop
	MED          uint32
	HasMED       bool
	LocalPref    uint32
	HasLocalPref bool
	OriginatorID netip.Addr // RFC 4456; not valid: none
	Clusters     int        // length of the CLUSTER_LIST
	Marks        Marks
	Atomic       bool
	Aggregator   ASN // 0: none
	AggregatorIP netip.Addr
	// Communities are the standard ones, high word the AS.
	Communities []uint32
}

// NLRI is one prefix. The zero SAFI stands for unicast.
type NLRI struct {
	Prefix netip.Prefix
	PathID uint32 // RFC 7911; 0 where add-path is not spoken
	SAFI   uint8  // 0 or 1: unicast; 4: labelled; 128: in the VPN that RD names
	RD     uint64
}

// Family is the prefix's family.
func (n NLRI) Family() Family {
	afi := uint16(2)
	if n.Prefix.Addr().Is4() {
		afi = 1
	}
	return FamilyOf(afi, max(n.SAFI, 1))
}

// Update is what one UPDATE message says. It is valid until its Decoder's next call.
type Update struct {
	Attrs Attributes
	// Announced and Withdrawn hold the classic IPv4 prefixes and those of MP_REACH_NLRI and MP_UNREACH_NLRI for the
	// families that are read. The first Classic of Announced have Attrs.NextHop, the others MPNextHop.
	Announced []NLRI
	Classic   int
	Withdrawn []NLRI
	MPNextHop netip.Addr
	// Ended are the families of which this message is the End-of-RIB marker (RFC 4724).
	Ended []Family
	// Other are the families of attributes that bear what is not read.
	Other []Family
	// Problems are what was wrong and how it was dealt with (RFC 7606).
	Problems []Problem
}

// Problem is a malformed part of an UPDATE. Where Withdraw is set the message's announcements were turned into
// withdrawals ("treat-as-withdraw"); otherwise the attribute was left out ("attribute discard").
type Problem struct {
	Attribute uint8 // 0: the message
	Withdraw  bool
	What      string
}

// Options say how a session writes its messages, as its capabilities settled.
type Options struct {
	// FourOctet: AS numbers in AS_PATH and AGGREGATOR are four octets wide.
	FourOctet bool
	// AddPath: prefixes of these families carry a path id.
	AddPath FamilySet
	// Monitored: a router tells of paths that it has (BMP, MRT). What is missing from one it leaves out in the telling,
	// and has accepted the path all the same: FRR 8.0 tells IPv4 paths with IPv6 next hops without any. The same goes for
	// flags that do not fit.
	Monitored bool
}

// Open is what an OPEN message says.
type Open struct {
	AS       ASN // from the four-octet capability where there is one
	ID       netip.Addr
	Hold     uint16 // seconds
	Families []Family
	// FourOctet, and by family what the sender would do with path ids: 1 receive, 2 send, 3 both (RFC 7911).
	FourOctet bool
	AddPath   map[Family]uint8
	// Restart: the sender tells and is told where each first word ends (RFC 4724), whether or not it keeps paths over a
	// restart.
	Restart  bool
	Hostname string // the FQDN capability (draft-walton-bgp-hostname-capability)
	// Capabilities counts those that are not known here, by code.
	Unknown map[uint8]int
}

// Negotiated are the options of messages that from sends to to.
func Negotiated(from, to Open) Options {
	o := Options{FourOctet: from.FourOctet && to.FourOctet}
	for i, f := range Kept() {
		if from.AddPath[f]&2 != 0 && to.AddPath[f]&1 != 0 {
			o.AddPath |= 1 << i
		}
	}
	return o
}

// Notification is what a NOTIFICATION message says.
type Notification struct {
	Code, Subcode uint8
	Text          string // the shutdown communication (RFC 9003)
	Hard          bool   // it stood in a Hard Reset: nothing of the session is to be kept (RFC 8538)
}
