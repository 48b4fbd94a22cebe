package lab

import (
	"errors"
	"math"

	"github.com/sparewatch/sparewatch/pkg/ber"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// The codec of SNMPv1 and SNMPv2c messages (RFC 1157, RFC 3416; BER as RFC 3417 section 8 narrows it) as an agent
// needs it: requests are read, responses written. It is our own and not the client library's, so that the two check
// each other, and so that an agent can say what a client library would not. Of the elements package ber knows.

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
	tag, body, rest, ok := ber.Element(b)
	if !ok {
		err = errBER
	}
	return tag, body, rest, err
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
	n, ok := ber.Signed(body)
	if err != nil || !ok {
		return 0, nil, errBER
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
		oid, ok := ber.OID(name)
		if !ok {
			return nil, errBER
		}
		m.names = append(m.names, oid)
	}
	return m, nil
}

// appendUnsigned writes an unsigned number under an application tag: like a signed one that is never negative.
func appendUnsigned(b []byte, tag byte, n uint64) []byte {
	octets := 1
	for v := n; v > 0x7f; v >>= 8 {
		octets++
	}
	b = ber.AppendTL(b, tag, octets)
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
		c = ber.AppendArc(c, uint64(oid[0])*40)
	default:
		c = ber.AppendArc(c, uint64(oid[0])*40+uint64(oid[1]))
		for _, arc := range oid[2:] {
			c = ber.AppendArc(c, uint64(arc))
		}
	}
	return ber.AppendTLV(b, byte(recording.ObjectID), c)
}

func appendValue(b []byte, v recording.Value) []byte {
	tag := byte(v.Type)
	switch v.Type {
	case recording.Integer:
		return ber.AppendSigned(b, tag, v.Int)
	case recording.OctetString, recording.IPAddress, recording.Opaque:
		return ber.AppendTLV(b, tag, v.Bytes)
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
	return ber.AppendTLV(b, 0x30, body)
}

// encode writes the message as a response, around varbinds already written.
func (m *message) encode(binds []byte) []byte {
	pdu := m.encodePDU(binds)
	inner := 3 + ber.SizeTL(len(m.community)) + len(m.community) + len(pdu)
	out := make([]byte, 0, ber.SizeTL(inner)+inner)
	out = ber.AppendTL(out, 0x30, inner)
	out = append(out, byte(recording.Integer), 1, byte(m.version))
	out = ber.AppendTLV(out, byte(recording.OctetString), []byte(m.community))
	return append(out, pdu...)
}

// encodePDU writes the PDU alone.
func (m *message) encodePDU(binds []byte) []byte {
	var head [32]byte
	h := ber.AppendSigned(head[:0], byte(recording.Integer), int64(m.id))
	h = ber.AppendSigned(h, byte(recording.Integer), int64(m.status))
	h = ber.AppendSigned(h, byte(recording.Integer), int64(m.index))
	size := len(h) + ber.SizeTL(len(binds)) + len(binds)
	out := ber.AppendTL(make([]byte, 0, ber.SizeTL(size)+size), byte(m.pdu), size)
	out = append(out, h...)
	return ber.AppendTLV(out, 0x30, binds)
}
