package recording

import (
	"fmt"
	"slices"
	"sort"
)

// Type is the BER tag of an SNMP value (RFC 2578 section 7.1, RFC 3416 section 3); it's also the number that snmpsim
// writes between the bars.
type Type uint8

// The types.
const (
	Integer     Type = 2
	OctetString Type = 4
	Null        Type = 5
	ObjectID    Type = 6
	IPAddress   Type = 64
	Counter32   Type = 65
	Gauge32     Type = 66
	TimeTicks   Type = 67
	Opaque      Type = 68
	Counter64   Type = 70
)

var typeNames = map[Type]string{
	Integer: "INTEGER", OctetString: "OCTET STRING", Null: "NULL", ObjectID: "OBJECT IDENTIFIER", IPAddress: "IpAddress",
	Counter32: "Counter32", Gauge32: "Gauge32", TimeTicks: "TimeTicks", Opaque: "Opaque", Counter64: "Counter64",
}

func (t Type) String() string {
	if n, ok := typeNames[t]; ok {
		return n
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Value is one SNMP value. Which field holds it is settled by Type; the others are zero.
type Value struct {
	Type  Type
	Int   int64  // Integer
	Uint  uint64 // Counter32, Gauge32, TimeTicks (1/100 s), Counter64
	Bytes []byte // OctetString, IPAddress (four), Opaque (the contents)
	OID   OID    // ObjectID
}

// Object is one OID with its value.
type Object struct {
	OID OID
	Value
}

// IntValue and its sisters make values.
func IntValue(n int64) Value { return Value{Type: Integer, Int: n} }

// StringValue makes an OCTET STRING.
func StringValue(s string) Value { return Value{Type: OctetString, Bytes: []byte(s)} }

// UintValue makes a Counter32, Gauge32, TimeTicks or Counter64.
func UintValue(t Type, n uint64) Value { return Value{Type: t, Uint: n} }

// OIDValue makes an OBJECT IDENTIFIER.
func OIDValue(o OID) Value { return Value{Type: ObjectID, OID: o} }

// Find looks an OID up in sorted objects: its index, or where it would stand.
func Find(objects []Object, oid OID) (int, bool) {
	return sort.Find(len(objects), func(i int) int { return oid.Compare(objects[i].OID) })
}

// Sort puts objects in the order of their OIDs and drops all but the last of those that repeat an OID. It works in
// place and returns what is left, whether anything was out of order, and how many were dropped.
func Sort(objects []Object) (sorted []Object, unsorted bool, repeated int) {
	cmp := func(a, b Object) int { return a.OID.Compare(b.OID) }
	if unsorted = !slices.IsSortedFunc(objects, cmp); unsorted {
		slices.SortStableFunc(objects, cmp)
	}
	sorted = objects[:0]
	for _, o := range objects {
		if n := len(sorted); n > 0 && sorted[n-1].OID.Compare(o.OID) == 0 {
			sorted[n-1] = o
			repeated++
			continue
		}
		sorted = append(sorted, o)
	}
	return sorted, unsorted, repeated
}
