package trap

import (
	"errors"
	"math"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

// The basic encoding rules as far as SNMP messages need them (RFC 3417 section 8). Everything that comes in is foreign:
// each length is held against what is there.

var errBER = errors.New("it is no SNMP message")

const sequence = 0x30

// reader takes elements off the front of b; after the first that is wrong it gives nothing more.
type reader struct {
	b   []byte
	err error
}

// element takes one element, whatever its tag.
func (r *reader) element() (tag byte, body []byte) {
	if r.err != nil {
		return 0, nil
	}
	r.err = errBER
	b := r.b
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return 0, nil
	}
	tag, n, b := b[0], int(b[1]), b[2:]
	if n >= 0x80 {
		octets := n & 0x7f
		if octets == 0 || octets > 4 || len(b) < octets {
			return 0, nil
		}
		n = 0
		for _, c := range b[:octets] {
			n = n<<8 | int(c)
		}
		b = b[octets:]
	}
	if n < 0 || n > len(b) {
		return 0, nil
	}
	r.b, r.err = b[n:], nil
	return tag, b[:n]
}

// take takes one element that must have this tag.
func (r *reader) take(tag byte) []byte {
	got, body := r.element()
	if r.err == nil && got != tag {
		r.err = errBER
	}
	if r.err != nil {
		return nil
	}
	return body
}

// in takes a constructed element and reads on within it.
func (r *reader) in(tag byte) *reader { return &reader{b: r.take(tag), err: r.err} }

func (r *reader) octets() []byte { return r.take(byte(recording.OctetString)) }

func (r *reader) int32() int32 {
	n, ok := signed(r.take(byte(recording.Integer)))
	if r.err == nil && (!ok || n < math.MinInt32 || n > math.MaxInt32) {
		r.err = errBER
	}
	return int32(n)
}

func (r *reader) oid() recording.OID {
	body := r.take(byte(recording.ObjectID))
	if r.err != nil {
		return nil
	}
	oid, ok := decodeOID(body)
	if !ok {
		r.err = errBER
	}
	return oid
}

func signed(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 8 {
		return 0, false
	}
	n := int64(int8(b[0]))
	for _, c := range b[1:] {
		n = n<<8 | int64(c)
	}
	return n, true
}

// unsigned reads a number of at most eight octets, with a leading zero where the first bit is set, or without, as
// careless agents send it.
func unsigned(b []byte) (uint64, bool) {
	if len(b) == 9 && b[0] == 0 {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 8 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n, true
}

func decodeOID(b []byte) (recording.OID, bool) {
	if len(b) == 0 {
		return nil, false
	}
	oid := make(recording.OID, 0, len(b)+1)
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
		if arc > math.MaxUint32 || len(oid) == recording.MaxArcs {
			return nil, false
		}
		oid = append(oid, uint32(arc))
		arc = 0
	}
	return oid, true
}

// decodeValue reads a value by its tag. One of a type that SNMP does not have, or whose content is wrong, keeps its tag
// and octets: a trap is worth a poll also where one of its values makes no sense.
func decodeValue(tag byte, body []byte) recording.Value {
	v := recording.Value{Type: recording.Type(tag)}
	var ok bool
	switch v.Type {
	case recording.Integer:
		v.Int, ok = signed(body)
	case recording.Counter32, recording.Gauge32, recording.TimeTicks, recording.Counter64:
		v.Uint, ok = unsigned(body)
	case recording.ObjectID:
		v.OID, ok = decodeOID(body)
	}
	if !ok {
		v.Int, v.Uint, v.OID, v.Bytes = 0, 0, nil, append([]byte(nil), body...)
	}
	return v
}

// appendTLV writes one element with its length in the fewest octets.
func appendTLV(b []byte, tag byte, body []byte) []byte {
	switch n := len(body); {
	case n < 0x80:
		b = append(b, tag, byte(n))
	case n <= 0xff:
		b = append(b, tag, 0x81, byte(n))
	case n <= 0xffff:
		b = append(b, tag, 0x82, byte(n>>8), byte(n))
	default:
		b = append(b, tag, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, body...)
}

// appendInt writes an INTEGER in the fewest octets.
func appendInt(b []byte, tag byte, n int64) []byte {
	octets := 1
	for v := n; v > 127 || v < -128; v >>= 8 {
		octets++
	}
	var body [8]byte
	for i := range octets {
		body[i] = byte(n >> (8 * (octets - 1 - i)))
	}
	return appendTLV(b, tag, body[:octets])
}

// appendOctets writes an OCTET STRING.
func appendOctets(b, body []byte) []byte { return appendTLV(b, byte(recording.OctetString), body) }
