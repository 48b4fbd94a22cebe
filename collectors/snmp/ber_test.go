package snmp

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/gosnmp/gosnmp"
)

func TestArcs(t *testing.T) {
	dotted := []string{"0.0", "1.3", "1.3.6.1.2.1.1.1.0", "1.3.6.1.4.1.318.1.1.26", "1.3.6.1.4.1.318.1.1.26.127", "1.3.6.1.4.1.318.1.1.26.128", "1.3.6.1.4.1.318.1.1.26.16383", "1.3.6.1.4.1.318.1.1.26.16384", "1.3.6.1.4.1.318.1.1.26.4294967295", "2.999.3"}
	for i, d := range dotted {
		a := parseArcs(d)
		if a.String() != d || parseArcs("."+d).String() != d {
			t.Errorf("%s comes back as %s", d, a)
		}
		for k, other := range dotted {
			if got, want := compareArcs(a, parseArcs(other)), CompareOIDs(d, other); (got < 0) != (want < 0) || (got > 0) != (want > 0) {
				t.Errorf("%s against %s: %d, want %d (%d, %d)", d, other, got, want, i, k)
			}
		}
	}
	for _, wrong := range []string{"", ".", "1..3", "1.3.", "1.40", "3.1", "1.3.4294967296", "1.3.a", "1.3.99999999999", strings.Repeat("1.", 130) + "1"} {
		if a := parseArcs(wrong); a != nil {
			t.Errorf("%q is read as %s", wrong, a)
		}
	}
	if !parseArcs("1.3.6.1.2").under(parseArcs("1.3.6.1")) || parseArcs("1.3.6.12").under(parseArcs("1.3.6.1")) || parseArcs("1.3.6.1.16384").under(parseArcs("1.3.6.1.1")) {
		t.Error("under")
	}
	for oid, want := range map[string]string{"1.3.6.1.0": "1.3.6.1", "1.3.6.1.1": "1.3.6.1.0", "1.3.6.1.300": "1.3.6.1.299"} {
		if got := before(parseArcs(oid)).String(); got != want {
			t.Errorf("before %s: %s, want %s", oid, got, want)
		}
	}
}

// TestRequestsAreWhatTheLibraryReads: our messages and the library's say the same.
func TestRequestsAreWhatTheLibraryReads(t *testing.T) {
	names := []string{"1.3.6.1.2.1.1.1.0", "1.3.6.1.4.1.318.1.1.26.9.2.3.1.5.300"}
	for _, count := range []int{1, 2, 60} {
		var oids []arcs
		for i := range count {
			oids = append(oids, parseArcs(names[i%2]))
		}
		b := appendRequest(nil, gosnmp.Version2c, "secret", gosnmp.GetBulkRequest, 0x41020304, 3, 200, oids)
		g := &gosnmp.GoSNMP{Version: gosnmp.Version2c}
		p, err := g.SnmpDecodePacket(b)
		if err != nil {
			t.Fatal(err)
		}
		if p.Community != "secret" || p.PDUType != gosnmp.GetBulkRequest || p.RequestID != 0x41020304 || p.NonRepeaters != 3 || p.MaxRepetitions != 200 || len(p.Variables) != count {
			t.Fatalf("it reads %+v", p)
		}
		for i, v := range p.Variables {
			if v.Name != "."+names[i%2] {
				t.Errorf("%s, want %s", v.Name, names[i%2])
			}
		}
	}
}

func TestValuesAreWhatTheLibraryReads(t *testing.T) {
	pdus := []gosnmp.SnmpPDU{
		{Type: gosnmp.Integer, Value: -129}, {Type: gosnmp.Integer, Value: 2147483647}, {Type: gosnmp.OctetString, Value: "APC\x00"}, {Type: gosnmp.OctetString, Value: ""},
		{Type: gosnmp.ObjectIdentifier, Value: ".1.3.6.1.4.1.318.1.3.4.6"}, {Type: gosnmp.IPAddress, Value: "10.0.0.1"}, {Type: gosnmp.Counter32, Value: uint(4294967295)},
		{Type: gosnmp.Gauge32, Value: uint(7)}, {Type: gosnmp.TimeTicks, Value: uint32(4000000000)}, {Type: gosnmp.Counter64, Value: uint64(18446744073709551615)}, {Type: gosnmp.Null},
	}
	for i := range pdus {
		pdus[i].Name = ".1.3.6.1.4.1.99999.1." + string(rune('1'+i%9))
	}
	g := &gosnmp.GoSNMP{Version: gosnmp.Version2c, Community: "c", MaxOids: 60}
	b, err := g.SnmpEncodePacket(gosnmp.GetResponse, pdus, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	r, err := readResponse(b, gosnmp.Version2c, nil)
	if err != nil || len(r.binds) != len(pdus) {
		t.Fatalf("%d of %d variables, %v", len(r.binds), len(pdus), err)
	}
	theirs, err := g.SnmpDecodePacket(b)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range r.binds {
		if got, want := v.read(Value{}), decoded(theirs.Variables[i]); got != want || "."+v.oid.String() != theirs.Variables[i].Name {
			t.Errorf("%s is %+v, the library reads %s %+v", v.oid, got, theirs.Variables[i].Name, want)
		}
	}
}

// FuzzResponse: whatever comes is read or refused, within its bounds; where the library reads it too, both read the same.
func FuzzResponse(f *testing.F) {
	g := &gosnmp.GoSNMP{Version: gosnmp.Version2c, Community: "public"}
	for _, p := range [][]gosnmp.SnmpPDU{
		{{Name: ".1.3.6.1.2.1.1.1.0", Type: gosnmp.OctetString, Value: "a device"}, {Name: ".1.3.6.1.4.1.318.1.300", Type: gosnmp.Integer, Value: -5}},
		{{Name: ".1.3.6.1.2.1.1.2.0", Type: gosnmp.ObjectIdentifier, Value: ".1.3.6.1.4.1.318"}, {Name: ".1.3", Type: gosnmp.Counter64, Value: uint64(1 << 63)}},
	} {
		b, err := g.SnmpEncodePacket(gosnmp.GetResponse, p, 0, 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
		f.Add(bytes.Replace(b, []byte{0x30}, []byte{0x30, 0x84, 0xff}, 1))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := readResponse(b, gosnmp.Version2c, nil)
		if err != nil {
			return
		}
		for _, v := range r.binds {
			again := parseArcs(v.oid.String())
			val := v.read(Value{})
			if len(val.Text) > len(b)*5+32 {
				t.Errorf("%d octets became a text of %d", len(b), len(val.Text))
			}
			if again != nil && compareArcs(again, v.oid) == 0 && !slices.Equal(again, v.oid) && v.oid[0] != 0x80 && !bytes.Contains(v.oid, []byte{0x80}) {
				t.Errorf("% x is equal to % x", again, v.oid)
			}
		}
	})
}
