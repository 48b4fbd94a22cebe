package snmp

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"strconv"

	"github.com/gosnmp/gosnmp"

	"github.com/sparewatch/sparewatch/pkg/ber"
)

// The codec of SNMPv1 and SNMPv2c messages as a manager needs it (RFC 1157, RFC 3416; BER as RFC 3417 section 8 narrows
// it): requests are written, responses read, without an allocation for each object. SNMPv3 is the library's.

// arcs is an OBJECT IDENTIFIER as it stands in a message: the contents octets of its BER (X.690 section 8.19). Where it
// came from a message it is a part of the client's buffer and holds until the next request.
type arcs []byte

// parseArcs reads a dotted OID, with or without a leading dot; nil where it is none.
func parseArcs(dotted string) arcs {
	out := make(arcs, 0, len(dotted))
	first, n, digits, count := uint64(0), uint64(0), 0, 0
	for i := 0; i <= len(dotted); i++ {
		if i < len(dotted) && dotted[i] != '.' {
			d := dotted[i] - '0'
			if d > 9 || digits == 10 {
				return nil
			}
			n, digits = n*10+uint64(d), digits+1
			continue
		}
		if digits == 0 {
			if i == 0 && len(dotted) > 1 {
				continue // the leading dot
			}
			return nil
		}
		switch {
		case n > math.MaxUint32 || count == ber.MaxArcs:
			return nil
		case count == 0:
			if first = n; first > 2 {
				return nil
			}
		case count == 1:
			if first < 2 && n > 39 {
				return nil
			}
			out = ber.AppendArc(out, first*40+n)
		default:
			out = ber.AppendArc(out, n)
		}
		n, digits, count = 0, 0, count+1
	}
	if count == 1 {
		out = ber.AppendArc(out, first*40)
	}
	return out
}

// appendDotted writes sub-identifiers in decimal; with whole, the first octets hold two of them.
func (a arcs) appendDotted(b []byte, whole bool) []byte {
	var n uint64
	for i, c := range a {
		n = n<<7 | uint64(c&0x7f)
		if c&0x80 != 0 && i < len(a)-1 {
			continue
		}
		if len(b) > 0 {
			b = append(b, '.')
		}
		if whole {
			first := min(n/40, 2)
			b = append(strconv.AppendUint(b, first, 10), '.')
			n -= first * 40
			whole = false
		}
		b = strconv.AppendUint(b, n, 10)
		n = 0
	}
	return b
}

func (a arcs) String() string {
	var b [128]byte
	return string(a.appendDotted(b[:0], true))
}

// under reports whether an OID is the given one or below it. A prefix of whole sub-identifiers is a prefix of octets.
func (a arcs) under(prefix arcs) bool {
	return len(a) >= len(prefix) && string(a[:len(prefix)]) == string(prefix)
}

// compareArcs orders OIDs by their sub-identifiers.
func compareArcs(a, b arcs) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i == len(a) || i == len(b) {
		return len(a) - len(b)
	}
	for i > 0 && a[i-1]&0x80 != 0 {
		i-- // to where the sub-identifier begins that differs
	}
	x, y := arcAt(a, i), arcAt(b, i)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func arcAt(a arcs, i int) (n uint64) {
	for ; i < len(a); i++ {
		n = n<<7 | uint64(a[i]&0x7f)
		if a[i]&0x80 == 0 {
			break
		}
	}
	return n
}

var errBER = errors.New("not BER")

// element takes one element off b.
func element(b []byte) (tag byte, body, rest []byte, err error) {
	tag, body, rest, ok := ber.Element(b)
	if !ok {
		err = errBER
	}
	return tag, body, rest, err
}

// expect takes one element of the given tag off b.
func expect(tag byte, b []byte) (body, rest []byte, err error) {
	got, body, rest, err := element(b)
	if err == nil && got != tag {
		err = errBER
	}
	return body, rest, err
}

const (
	tagInteger  = 0x02
	tagOctets   = 0x04
	tagOID      = 0x06
	tagSequence = 0x30
)

// bind is one variable of an answer.
type bind struct {
	oid   arcs
	tag   byte
	body  []byte // of the value
	value *Value // where the library has read it already
}

// ends reports whether the agent says that there is nothing (RFC 3416 section 3).
func (b bind) ends() bool {
	switch gosnmp.Asn1BER(b.tag) {
	case gosnmp.NoSuchObject, gosnmp.NoSuchInstance, gosnmp.EndOfMibView:
		return true
	}
	return false
}

// read is the value. Where it is the text of before, that string is used again.
func (b bind) read(before Value) Value {
	if b.value != nil {
		return *b.value
	}
	switch gosnmp.Asn1BER(b.tag) {
	case gosnmp.Integer:
		if n, ok := ber.Signed(b.body); ok {
			return IntegerValue(n)
		}
	case gosnmp.Counter32, gosnmp.Gauge32, gosnmp.TimeTicks, gosnmp.Counter64, gosnmp.Uinteger32:
		if n, ok := ber.Unsigned(b.body); ok {
			return UnsignedValue(n)
		}
	case gosnmp.OctetString, gosnmp.BitString, gosnmp.NsapAddress:
		if before.Type == String && before.Text == string(b.body) {
			return before
		}
		return StringValue(string(b.body))
	case gosnmp.ObjectIdentifier:
		var text [ber.MaxArcs * 5]byte
		dotted := arcs(b.body[:min(len(b.body), len(text)/3)]).appendDotted(text[:0], true)
		if before.Type == OID && before.Text == string(dotted) {
			return before
		}
		return OIDValue(string(dotted))
	case gosnmp.IPAddress:
		if a, ok := netip.AddrFromSlice(b.body); ok {
			return AddressValue(a.String())
		}
	case gosnmp.Opaque:
		return opaque(b.body)
	}
	return Value{}
}

// response is an answer, in the order of RFC 3416 section 3.
type response struct {
	pdu    gosnmp.PDUType
	id     uint32
	status gosnmp.SNMPError
	index  int
	binds  []bind
}

// readResponse reads a message of the given version; the variables are appended to into.
func readResponse(b []byte, v gosnmp.SnmpVersion, into []bind) (r response, err error) {
	if b, _, err = expect(tagSequence, b); err != nil {
		return r, err
	}
	body, b, err := expect(tagInteger, b)
	if n, ok := ber.Signed(body); err != nil || !ok || n != int64(v) {
		return r, errBER
	}
	if _, b, err = expect(tagOctets, b); err != nil { // the community
		return r, err
	}
	tag, b, _, err := element(b)
	if err != nil {
		return r, err
	}
	r.pdu = gosnmp.PDUType(tag)
	var fields [3]int64
	for i := range fields {
		var ok bool
		if body, b, err = expect(tagInteger, b); err != nil {
			return r, err
		}
		if fields[i], ok = ber.Signed(body); !ok {
			return r, errBER
		}
	}
	r.id, r.status, r.index = uint32(fields[0]), gosnmp.SNMPError(min(max(fields[1], 0), 255)), int(min(max(fields[2], 0), math.MaxInt32))
	list, _, err := expect(tagSequence, b)
	if err != nil {
		return r, err
	}
	r.binds = into
	for len(list) > 0 {
		var one, value []byte
		var v bind
		if one, list, err = expect(tagSequence, list); err != nil {
			return r, err
		}
		if v.oid, value, err = expect(tagOID, one); err != nil {
			return r, err
		}
		if v.tag, v.body, _, err = element(value); err != nil {
			return r, err
		}
		if n := len(v.oid); n == 0 || v.oid[n-1]&0x80 != 0 {
			return r, errBER
		}
		r.binds = append(r.binds, v)
	}
	return r, nil
}

// appendRequest writes a request for these OIDs. second and third are the integers behind the request's id: zeros, or a
// GETBULK's counts.
func appendRequest(b []byte, v gosnmp.SnmpVersion, community string, pdu gosnmp.PDUType, id uint32, second, third int, oids []arcs) []byte {
	list := 0
	for _, o := range oids {
		n := ber.SizeTL(len(o)) + len(o) + 2
		list += ber.SizeTL(n) + n
	}
	body := 6 + sizeInteger(second) + sizeInteger(third) + ber.SizeTL(list) + list
	whole := 3 + ber.SizeTL(len(community)) + len(community) + ber.SizeTL(body) + body
	b = ber.AppendTL(b, tagSequence, whole)
	b = append(b, tagInteger, 1, byte(v))
	b = append(ber.AppendTL(b, tagOctets, len(community)), community...)
	b = ber.AppendTL(b, byte(pdu), body)
	b = append(b, tagInteger, 4)
	b = binary.BigEndian.AppendUint32(b, id&math.MaxInt32)
	b = appendInteger(appendInteger(b, second), third)
	b = ber.AppendTL(b, tagSequence, list)
	for _, o := range oids {
		b = ber.AppendTL(b, tagSequence, ber.SizeTL(len(o))+len(o)+2)
		b = append(ber.AppendTL(b, tagOID, len(o)), o...)
		b = append(b, byte(gosnmp.Null), 0)
	}
	return b
}

// sizeInteger and appendInteger are for small counts: at most 32,767.
func sizeInteger(n int) int {
	if n < 0x80 {
		return 3
	}
	return 4
}

func appendInteger(b []byte, n int) []byte {
	if n < 0x80 {
		return append(b, tagInteger, 1, byte(n))
	}
	return append(b, tagInteger, 2, byte(n>>8), byte(n))
}
