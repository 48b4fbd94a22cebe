// Package ber reads and writes the basic encoding rules of ASN.1 (X.690) as far as SNMP's messages need them (RFC 3417
// section 8): elements of one-octet tags and definite lengths, integers, and object identifiers. It is pure, keeps nothing,
// and holds each length that it reads against what is there. Every room has its own message, and its own words for one
// that is none.
package ber

import "math"

// MaxArcs is how many sub-identifiers an object identifier may have (RFC 2578 section 3.5).
const MaxArcs = 128

// Element takes one element off b; body and rest are parts of b. Tags of more than one octet and lengths of more than four
// are none of SNMP's.
func Element(b []byte) (tag byte, body, rest []byte, ok bool) {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return 0, nil, nil, false
	}
	tag, n, b := b[0], int(b[1]), b[2:]
	if n >= 0x80 {
		octets := n & 0x7f
		if octets == 0 || octets > 4 || len(b) < octets {
			return 0, nil, nil, false
		}
		n = 0
		for _, c := range b[:octets] {
			n = n<<8 | int(c)
		}
		b = b[octets:]
	}
	if n < 0 || n > len(b) {
		return 0, nil, nil, false
	}
	return tag, b[:n], b[n:], true
}

// Signed reads an INTEGER's octets, at most eight.
func Signed(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 8 {
		return 0, false
	}
	n := int64(int8(b[0]))
	for _, c := range b[1:] {
		n = n<<8 | int64(c)
	}
	return n, true
}

// Unsigned reads a counter's or a gauge's octets, at most eight, behind a zero that keeps it positive. Agents that leave
// that zero out mean the same number.
func Unsigned(b []byte) (n uint64, ok bool) {
	if len(b) == 9 && b[0] == 0 {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 8 {
		return 0, false
	}
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n, true
}

// OID reads an object identifier's octets into its sub-identifiers.
func OID(b []byte) ([]uint32, bool) {
	if len(b) == 0 {
		return nil, false
	}
	oid := make([]uint32, 0, len(b)+1)
	var arc uint64
	for i, c := range b {
		if arc = arc<<7 | uint64(c&0x7f); arc > math.MaxUint32+80 {
			return nil, false
		}
		if c&0x80 != 0 {
			if i == len(b)-1 {
				return nil, false
			}
			continue
		}
		if len(oid) == 0 {
			first := min(arc/40, 2)
			oid = append(oid, uint32(first))
			arc -= first * 40
		}
		if arc > math.MaxUint32 || len(oid) == MaxArcs {
			return nil, false
		}
		oid = append(oid, uint32(arc))
		arc = 0
	}
	return oid, true
}

// AppendArc writes one sub-identifier of an object identifier.
func AppendArc(b []byte, n uint64) []byte {
	for shift := 63; shift > 0; shift -= 7 {
		if n>>shift != 0 {
			b = append(b, 0x80|byte(n>>shift))
		}
	}
	return append(b, byte(n&0x7f))
}

// AppendTL writes a tag and a length in the fewest octets.
func AppendTL(b []byte, tag byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(b, tag, byte(n))
	case n <= 0xff:
		return append(b, tag, 0x81, byte(n))
	case n <= 0xffff:
		return append(b, tag, 0x82, byte(n>>8), byte(n))
	}
	return append(b, tag, 0x83, byte(n>>16), byte(n>>8), byte(n))
}

// SizeTL is how many octets tag and length take before n octets of content.
func SizeTL(n int) int {
	switch {
	case n < 0x80:
		return 2
	case n <= 0xff:
		return 3
	case n <= 0xffff:
		return 4
	}
	return 5
}

// AppendTLV writes one element.
func AppendTLV(b []byte, tag byte, body []byte) []byte {
	return append(AppendTL(b, tag, len(body)), body...)
}

// AppendSigned writes an INTEGER in the fewest octets of two's complement.
func AppendSigned(b []byte, tag byte, n int64) []byte {
	octets := 1
	for v := n; v > 127 || v < -128; v >>= 8 {
		octets++
	}
	b = AppendTL(b, tag, octets)
	for i := octets - 1; i >= 0; i-- {
		b = append(b, byte(n>>(8*i)))
	}
	return b
}
