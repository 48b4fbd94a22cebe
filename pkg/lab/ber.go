package lab

import (
	"errors"
	"math"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

// The codec of SNMPv1 and SNMPv2c messages (RFC 1157, RFC 3416; BER as RFC 3417 section 8 narrows it) as an agent
// needs it: requests are read, responses written. It is our own and not the client library's, so that the two check
// each other, and so that an agent can say what a client library would not.

// pduType is the context tag of a PDU.
type pduType byte

const (
	getRequest     pduType = 0xa0
	getNextRequest pduType = 0xa1
	getResponse    pduType = 0xa2
	setRequest     pduType = 0xa3
	getBulkRequest pduType = 0xa5
)

// Error status of a response (RFC 3416 section 3).
const (
	NoError            = 0
	TooBig             = 1
	NoSuchName         = 2
	GenErr             = 5
	NoAccess           = 6
	AuthorizationError = 16
	NotWritable        = 17
)

// Exceptions in the place of a value (RFC 3416 section 3); never in version 1.
const (
	noSuchObject   recording.Type = 0x80
	noSuchInstance recording.Type = 0x81
	endOfMibView   recording.Type = 0x82
)

const (
	version1  = 0
	version2c = 1
)

// message is one SNMP message with a PDU of the common form. In a GETBULK request status and index hold non-repeaters
// and max-repetitions.
type message struct {
	version   int64
	community string
	pdu       pduType
	id        int32
	status    int32
	index     int32
	names     []recording.OID // of a request
	around    int             // what a response needs around its varbinds, in octets
}

var errBER = errors.New("not an SNMP message")

// tlv takes one element off b.
func tlv(b []byte) (tag byte, body, rest []byte, err error) {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return 0, nil, nil, errBER
	}
	tag, n, b := b[0], int(b[1]), b[2:]
	if n >= 0x80 {
		octets := n & 0x7f
		if octets == 0 || octets > 4 || len(b) < octets {
			return 0, nil, nil, errBER
		}
		n = 0
		for _, c := range b[:octets] {
			n = n<<8 | int(c)
		}
		b = b[octets:]
	}
	if n < 0 || n > len(b) {
		return 0, nil, nil, errBER
	}
	return tag, b[:n], b[n:], nil
}

// want takes one element of the given tag off b.
func want(tag byte, b []byte) (body, rest []byte, err error) {
	got, body, rest, err := tlv(b)
	if err == nil && got != tag {
		err = errBER
	}
	return body, rest, err
}

func wantInt(b []byte) (n int64, rest []byte, err error) {
	body, rest, err := want(byte(recording.Integer), b)
	if err != nil || len(body) == 0 || len(body) > 8 {
		return 0, nil, errBER
	}
	n = int64(int8(body[0]))
	for _, c := range body[1:] {
		n = n<<8 | int64(c)
	}
	return n, rest, nil
}

func wantInt32(b []byte) (int32, []byte, error) {
	n, rest, err := wantInt(b)
	if err == nil && (n < math.MinInt32 || n > math.MaxInt32) {
		err = errBER
	}
	return int32(n), rest, err
}

func decodeOID(b []byte) (recording.OID, error) {
	if len(b) == 0 {
		return nil, errBER
	}
	oid := make(recording.OID, 0, len(b)+1)
	var arc uint64
	for i, c := range b {
		if arc = arc<<7 | uint64(c&0x7f); arc > math.MaxUint32+80 {
			return nil, errBER
		}
		if c&0x80 != 0 {
			if i == len(b)-1 {
				return nil, errBER
			}
			continue
		}
		if len(oid) == 0 {
			first := min(arc/40, 2)
			oid = append(oid, uint32(first))
			arc -= first * 40
		}
		if arc > math.MaxUint32 || len(oid) == recording.MaxArcs {
			return nil, errBER
		}
		oid = append(oid, uint32(arc))
		arc = 0
	}
	return oid, nil
}

// decodeRequest reads a request. The values of its varbinds are not looked at.
func decodeRequest(b []byte) (*message, error) {
	b, _, err := want(0x30, b)
	if err != nil {
		return nil, err
	}
	m := &message{}
	if m.version, b, err = wantInt(b); err != nil {
		return nil, err
	}
	if m.version != version1 && m.version != version2c {
		return nil, errors.New("neither SNMPv1 nor SNMPv2c")
	}
	community, b, err := want(byte(recording.OctetString), b)
	if err != nil {
		return nil, err
	}
	p, err := decodePDU(b)
	if err != nil {
		return nil, err
	}
	p.version, p.community = m.version, string(community)
	p.around = 48 + len(p.community)
	return p, nil
}

// decodePDU reads a PDU of the common form.
func decodePDU(b []byte) (*message, error) {
	m := &message{}
	tag, b, _, err := tlv(b)
	if err != nil {
		return nil, err
	}
	m.pdu = pduType(tag)
	for _, field := range []*int32{&m.id, &m.status, &m.index} {
		if *field, b, err = wantInt32(b); err != nil {
			return nil, err
		}
	}
	list, _, err := want(0x30, b)
	if err != nil {
		return nil, err
	}
	for len(list) > 0 {
		var bind, name []byte
		if bind, list, err = want(0x30, list); err != nil {
			return nil, err
		}
		if name, _, err = want(byte(recording.ObjectID), bind); err != nil {
			return nil, err
		}
		oid, err := decodeOID(name)
		if err != nil {
			return nil, err
		}
		m.names = append(m.names, oid)
	}
	return m, nil
}

// appendTL writes a tag and a definite length in the fewest octets.
func appendTL(b []byte, tag byte, n int) []byte {
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

// sizeTL is how many octets tag and length take before n octets of content.
func sizeTL(n int) int {
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

func appendTLV(b []byte, tag byte, body []byte) []byte {
	return append(appendTL(b, tag, len(body)), body...)
}

// appendSigned writes an INTEGER in the fewest octets of two's complement.
func appendSigned(b []byte, tag byte, n int64) []byte {
	octets := 1
	for v := n; v > 127 || v < -128; v >>= 8 {
		octets++
	}
	b = appendTL(b, tag, octets)
	for i := octets - 1; i >= 0; i-- {
		b = append(b, byte(n>>(8*i)))
	}
	return b
}

// appendUnsigned writes an unsigned number under an application tag: like a signed one that is never negative.
func appendUnsigned(b []byte, tag byte, n uint64) []byte {
	octets := 1
	for v := n; v > 0x7f; v >>= 8 {
		octets++
	}
	b = appendTL(b, tag, octets)
	for i := octets - 1; i >= 0; i-- {
		if i == 8 {
			b = append(b, 0)
			continue
		}
		b = append(b, byte(n>>(8*i)))
	}
	return b
}

func appendOID(b []byte, oid recording.OID) []byte {
	var content [5 * recording.MaxArcs]byte
	c := content[:0]
	switch {
	case len(oid) == 0:
		c = append(c, 0) // 0.0
	case len(oid) == 1:
		c = appendArc(c, uint64(oid[0])*40)
	default:
		c = appendArc(c, uint64(oid[0])*40+uint64(oid[1]))
		for _, arc := range oid[2:] {
			c = appendArc(c, uint64(arc))
		}
	}
	return appendTLV(b, byte(recording.ObjectID), c)
}

func appendArc(b []byte, n uint64) []byte {
	for shift := 63; shift > 0; shift -= 7 {
		if n>>shift != 0 {
			b = append(b, 0x80|byte(n>>shift))
		}
	}
	return append(b, byte(n&0x7f))
}

func appendValue(b []byte, v recording.Value) []byte {
	tag := byte(v.Type)
	switch v.Type {
	case recording.Integer:
		return appendSigned(b, tag, v.Int)
	case recording.OctetString, recording.IPAddress, recording.Opaque:
		return appendTLV(b, tag, v.Bytes)
	case recording.ObjectID:
		return appendOID(b, v.OID)
	case recording.Counter32, recording.Gauge32, recording.TimeTicks, recording.Counter64:
		return appendUnsigned(b, tag, v.Uint)
	}
	return append(b, tag, 0) // NULL and the exceptions
}

// appendBind writes one varbind.
func appendBind(b []byte, o recording.Object) []byte {
	var scratch [256]byte
	body := appendValue(appendOID(scratch[:0], o.OID), o.Value)
	return appendTLV(b, 0x30, body)
}

// encode writes the message as a response, around varbinds already written.
func (m *message) encode(binds []byte) []byte {
	pdu := m.encodePDU(binds)
	inner := 3 + sizeTL(len(m.community)) + len(m.community) + len(pdu)
	out := make([]byte, 0, sizeTL(inner)+inner)
	out = appendTL(out, 0x30, inner)
	out = append(out, byte(recording.Integer), 1, byte(m.version))
	out = appendTLV(out, byte(recording.OctetString), []byte(m.community))
	return append(out, pdu...)
}

// encodePDU writes the PDU alone.
func (m *message) encodePDU(binds []byte) []byte {
	var head [32]byte
	h := appendSigned(head[:0], byte(recording.Integer), int64(m.id))
	h = appendSigned(h, byte(recording.Integer), int64(m.status))
	h = appendSigned(h, byte(recording.Integer), int64(m.index))
	size := len(h) + sizeTL(len(binds)) + len(binds)
	out := appendTL(make([]byte, 0, sizeTL(size)+size), byte(m.pdu), size)
	out = append(out, h...)
	return appendTLV(out, 0x30, binds)
}
