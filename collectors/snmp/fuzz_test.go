package snmp

import (
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/conformance"
	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// FuzzParse is the path from varbinds to the snapshot: one profile of those that come with the program, and values of
// any sort in every object that it names, each chosen by an octet of what. The snapshot must hold all that a collector
// promises.
func FuzzParse(f *testing.F) {
	set, err := Builtin()
	if err != nil {
		f.Fatal(err)
	}
	for i := range set.Profiles {
		f.Add(uint16(i), "1.2", int64(i%9), "Power Supply 1\x00", []byte{byte(i), 1, 7, 0, 3, 2})
	}
	f.Add(uint16(1), "0", int64(-1), "\xff\xfe", []byte{3})
	f.Add(uint16(2), "9.9.9", int64(1<<62), "1.3.6.1.2.1", []byte{5, 0})
	f.Fuzz(func(t *testing.T, pick uint16, index string, n int64, text string, what []byte) {
		if _, err := recording.ParseOID(index); err != nil || len(text) > 300 || len(what) == 0 {
			t.Skip("an index is numbers with dots")
		}
		// Small numbers more than others: they are what enumerations hold.
		values := []Value{IntegerValue(n), StringValue(text), OIDValue(text), UnsignedValue(uint64(n)), FloatValue(float64(n)), {}, AddressValue(text),
			IntegerValue(0), IntegerValue(1), IntegerValue(2), IntegerValue(3), IntegerValue(4), IntegerValue(5), IntegerValue(6), IntegerValue(n % 100), StringValue("1")}
		var vars []Varbind
		k := 0
		put := func(oid string) {
			vars = append(vars, Varbind{oid, values[int(what[k%len(what)])%len(values)]})
			k++
		}
		profiles := set.Profiles[int(pick)%len(set.Profiles):][:1]
		for _, o := range profiles[0].Scalars {
			put(o.OID)
		}
		for _, tb := range profiles[0].Tables {
			for _, c := range tb.Columns {
				put(c.OID + ".1")
				put(c.OID + ".2")
				put(c.OID + "." + index)
			}
		}
		sys := mibs.System{ObjectID: text, Descr: text, Name: text}
		p := Parse("dev", profiles, sys, FromVarbinds(vars, profiles), Options{})
		snap := p.Snapshot()
		snap.Target, snap.At, snap.Reachable = "snmp://dev", time.Unix(1, 0), true
		for _, fault := range conformance.Faults(collectors.Target{Device: "dev"}, snap) {
			t.Error(fault)
		}
	})
}
