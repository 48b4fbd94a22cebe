package trap

import (
	"errors"
	"math"

	"github.com/sparewatch/sparewatch/pkg/ber"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// The elements of messages that come in: all of it is foreign.

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
	tag, body, rest, ok := ber.Element(r.b)
	if !ok {
		r.err = errBER
		return 0, nil
	}
	r.b = rest
	return tag, body
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
	n, ok := ber.Signed(r.take(byte(recording.Integer)))
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
	oid, ok := ber.OID(body)
	if !ok {
		r.err = errBER
	}
	return oid
}

// decodeValue reads a value by its tag. One of a type that SNMP does not have, or whose content is wrong, keeps its tag
// and octets: a trap is worth a poll also where one of its values makes no sense.
func decodeValue(tag byte, body []byte) recording.Value {
	v := recording.Value{Type: recording.Type(tag)}
	var ok bool
	switch v.Type {
	case recording.Integer:
		v.Int, ok = ber.Signed(body)
	case recording.Counter32, recording.Gauge32, recording.TimeTicks, recording.Counter64:
		v.Uint, ok = ber.Unsigned(body)
	case recording.ObjectID:
		v.OID, ok = ber.OID(body)
	}
	if !ok {
		v.Int, v.Uint, v.OID, v.Bytes = 0, 0, nil, append([]byte(nil), body...)
	}
	return v
}

// appendOctets writes an OCTET STRING.
func appendOctets(b, body []byte) []byte { return ber.AppendTLV(b, byte(recording.OctetString), body) }
