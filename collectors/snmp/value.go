package snmp

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Value is what one object holds. The zero Value is missing.
type Value struct {
	Type Type
	Int  int64   // Integer; of an Unsigned beyond its range, the low bits
	Num  float64 // Float, and Unsigned beyond int64
	Text string  // the octets of a String, the dotted form of an OID or an address
}

// Type is a value's sort, after the SMI's (RFC 2578 section 7.1) as far as it matters for reading it.
type Type uint8

// The types.
const (
	Missing  Type = iota // noSuchObject, noSuchInstance, NULL, or not asked
	Integer              // INTEGER, Counter32, Gauge32, TimeTicks, Counter64
	Unsigned             // a Counter64 that does not fit an int64
	Float                // an Opaque float or double
	String               // OCTET STRING
	OID                  // OBJECT IDENTIFIER
	Address              // IpAddress
)

// IntegerValue, StringValue and the others make values.
func IntegerValue(v int64) Value { return Value{Type: Integer, Int: v} }

// UnsignedValue keeps a Counter64 whole.
func UnsignedValue(v uint64) Value {
	if v <= math.MaxInt64 {
		return IntegerValue(int64(v))
	}
	return Value{Type: Unsigned, Int: int64(v), Num: float64(v)}
}

// FloatValue is an Opaque float.
func FloatValue(v float64) Value { return Value{Type: Float, Num: v} }

// StringValue holds octets.
func StringValue(octets string) Value { return Value{Type: String, Text: octets} }

// OIDValue holds a dotted OID, with or without its leading dot.
func OIDValue(oid string) Value { return Value{Type: OID, Text: strings.TrimPrefix(oid, ".")} }

// AddressValue holds a dotted IPv4 address.
func AddressValue(a string) Value { return Value{Type: Address, Text: a} }

// Known reports whether there is a value.
func (v Value) Known() bool { return v.Type != Missing }

// Words is the value as people read it: numbers in decimal, octets as text without what cannot be printed.
func (v Value) Words() string {
	switch v.Type {
	case Integer:
		return strconv.FormatInt(v.Int, 10)
	case Unsigned:
		return strconv.FormatUint(uint64(v.Int), 10)
	case Float:
		return strconv.FormatFloat(v.Num, 'g', -1, 64)
	}
	return printable(v.Text)
}

// printable drops padding and control characters; octets that are no UTF-8 are taken for Latin-1.
func printable(s string) string {
	if !utf8.ValidString(s) {
		runes := make([]rune, 0, len(s))
		for i := range len(s) {
			runes = append(runes, rune(s[i]))
		}
		s = string(runes)
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.TrimRight(s, "\x00"))
	return strings.TrimSpace(s)
}

// Hex is the octets in lower-case hexadecimal.
func (v Value) Hex() string { return hex.EncodeToString([]byte(v.Text)) }

// Float64 is the value as a number: also of a text that begins with one ("12.3 V"). ok is false where there is none.
func (v Value) Float64() (f float64, ok bool) {
	switch v.Type {
	case Integer:
		return float64(v.Int), true
	case Unsigned, Float:
		return v.Num, !math.IsNaN(v.Num) && !math.IsInf(v.Num, 0)
	case String:
		return leadingNumber(v.Words())
	}
	return 0, false
}

func leadingNumber(s string) (float64, bool) {
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.' || end == 0 && (s[end] == '-' || s[end] == '+')) {
		end++
	}
	f, err := strconv.ParseFloat(strings.TrimRight(s[:end], "."), 64)
	return f, err == nil
}
