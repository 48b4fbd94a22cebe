package recording

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestSNMPRecReadsEveryTag(t *testing.T) {
	for _, c := range []struct {
		line string
		want Value
	}{
		{"1.3.6.1.2.1.1.7.0|2|72", IntValue(72)},
		{"1.3.6.1.2.1.1.7.0|2|-1", IntValue(-1)},
		{"1.3.6.1.2.1.1.7.0|2x|", Value{}},
		{".1.3.6.1.2.1.1.1.0|4|a|b", StringValue("a|b")},
		{"1.3.6.1.2.1.1.1.0|4|", StringValue("")},
		{"1.3.6.1.2.1.1.1.0|4x|0012796 2F940", StringValue("\x00\x12\x79\x62\xf9\x40")},
		{`1.3.6.1.2.1.1.1.0|4e|\x07\xe4\x08\t\x03(#`, StringValue("\x07\xe4\x08\t\x03(#")},
		{"1.3.6.1.2.1.1.1.0|5|", Value{Type: Null}},
		{"1.3.6.1.2.1.1.2.0|6|.1.3.6.1.4.1.318", OIDValue(OID{1, 3, 6, 1, 4, 1, 318})},
		{"1.3.6.1.1.0|64|10.0.0.1", Value{Type: IPAddress, Bytes: []byte{10, 0, 0, 1}}},
		{"1.3.6.1.1.0|64x|7f000001", Value{Type: IPAddress, Bytes: []byte{127, 0, 0, 1}}},
		{"1.3.6.1.1.0|65|4294967295", UintValue(Counter32, 4294967295)},
		{"1.3.6.1.1.0|66|7", UintValue(Gauge32, 7)},
		{"1.3.6.1.1.0|66|-1", UintValue(Gauge32, 4294967295)},
		{"1.3.6.1.1.0|67|161500", UintValue(TimeTicks, 161500)},
		{"1.3.6.1.1.0|68x|9f780441", Value{Type: Opaque, Bytes: []byte{0x9f, 0x78, 4, 0x41}}},
		{"1.3.6.1.1.0|70|18446744073709551615", UintValue(Counter64, 18446744073709551615)},
		{"1.3.6.1.1.0|2:numeric|min=1,max=2,initial=2,wrap=1", IntValue(2)},
		{"1.3.6.1.1.0|2:numeric|max=2,min=1", IntValue(1)},
		{"1.3.6.1.1.0|65:numeric|rate=10,initial=12.5", UintValue(Counter32, 12)},
		{"1.3.6.1.1.0|4:writecache|value=Server 1, PS 1", StringValue("Server 1, PS 1")},
		{"1.3.6.1.1.0|4:delay|wait=100,value=up", StringValue("up")},
		{"1.3.6.1.1.0|4x:writecache|hexvalue=00ff", StringValue("\x00\xff")},
	} {
		o, err := snmprecLine(c.line)
		if c.want.Type == 0 {
			if err == nil {
				t.Errorf("%s: read as %v, want an error", c.line, o.Value)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(o.Value, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.line, o.Value, err, c.want)
		}
	}
}

func TestSNMPRecSortsAndKeepsTheLastOfRepeated(t *testing.T) {
	rec, err := Read("x.snmprec", strings.NewReader("# a note\n\n1.3.10|2|1\r\n1.3.9|2|2\n1.3.9|2|3\n1.3.9.1|2|4\n"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := WriteSNMPRec(&out, rec.SNMP); err != nil {
		t.Fatal(err)
	}
	if want := "1.3.9|2|3\n1.3.9.1|2|4\n1.3.10|2|1\n"; out.String() != want || !rec.Unsorted || rec.Repeated != 1 {
		t.Errorf("got %q unsorted %v repeated %d; want %q", out.String(), rec.Unsorted, rec.Repeated, want)
	}
}

func TestSNMPWalkReadsWhatNetSNMPPrints(t *testing.T) {
	in := `.1.3.6.1.2.1.1.1.0 = STRING: "two
lines, \"quoted\" and a \\ and 1.5 = five"
.1.3.6.1.2.1.1.2.0 = OID: .1.3.6.1.4.1.318.1.3.28.75
iso.3.6.1.2.1.1.3.0 = Timeticks: (378496828) 43 days, 19:22:48.28
SNMPv2-MIB::sysContact.0 = STRING: plain text
over two lines
DISMAN-EVENT-MIB::sysUpTimeInstance = 43:19:22:48.28
SNMPv2-SMI::enterprises.318.1 = INTEGER: onLine(2)
.1.3.6.1.4.1.318.2 = INTEGER: 230 volts
.1.3.6.1.4.1.318.3 = INTEGER: -1.5
.1.3.6.1.4.1.318.4 = Hex-STRING: 00 0C 15 41 
7C 5D
.1.3.6.1.4.1.318.5 = ""
.1.3.6.1.4.1.318.6 = NULL
.1.3.6.1.4.1.318.7 = IpAddress: 10.3.2.1
.1.3.6.1.4.1.318.8 = Network Address: 0A:03:02:01
.1.3.6.1.4.1.318.9 = Counter64: 18446744073709551615
.1.3.6.1.4.1.318.10 = Gauge32: 42
.1.3.6.1.4.1.318.11 = 161500
.1.3.6.1.4.1.318.12 = No Such Instance currently exists at this OID
.1.3.6.1.4.1.318.13 = BITS: 80 01 up(0) seven(15)
.1.3.6.1.4.1.318.14 = Wrong Type (should be INTEGER): Gauge32: 7
.1.3.6.1.4.1.318.15 = Opaque: Float: 0.5
.1.3.6.1.4.1.318.16 = STRING:
.1.3.6.1.4.1.318.17 = STRING: Input: L1
VENDOR-MIB::thing.0 = INTEGER: 1
what is this
.1.3.6.1.4.1.318.99 = No more variables left in this MIB View (It is past the end of the MIB tree)
`
	rec, err := Read("x.snmpwalk", strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	ent := func(n uint32) OID { return OID{1, 3, 6, 1, 4, 1, 318, n} }
	sys := func(n uint32) OID { return OID{1, 3, 6, 1, 2, 1, 1, n, 0} }
	want := []Object{
		{sys(1), StringValue("two\nlines, \"quoted\" and a \\ and 1.5 = five")},
		{sys(2), OIDValue(OID{1, 3, 6, 1, 4, 1, 318, 1, 3, 28, 75})},
		{sys(3), UintValue(TimeTicks, 378496828)},
		{sys(4), StringValue("plain text\nover two lines")},
		{ent(1), IntValue(2)},
		{ent(2), IntValue(230)},
		{ent(3), IntValue(-15)},
		{ent(4), StringValue("\x00\x0c\x15\x41\x7c\x5d")},
		{ent(5), StringValue("")},
		{ent(6), Value{Type: Null}},
		{ent(7), Value{Type: IPAddress, Bytes: []byte{10, 3, 2, 1}}},
		{ent(8), Value{Type: IPAddress, Bytes: []byte{10, 3, 2, 1}}},
		{ent(9), UintValue(Counter64, 18446744073709551615)},
		{ent(10), UintValue(Gauge32, 42)},
		{ent(11), UintValue(TimeTicks, 161500)},
		{ent(13), StringValue("\x80\x01")},
		{ent(14), UintValue(Gauge32, 7)},
		{ent(15), Value{Type: Opaque, Bytes: []byte{0x9f, 0x78, 4, 0x3f, 0, 0, 0}}},
		{ent(16), StringValue("")},
		{ent(17), StringValue("Input: L1")},
	}
	for i, o := range rec.SNMP {
		if i >= len(want) || !reflect.DeepEqual(o, want[i]) {
			t.Errorf("object %d is %+v", i, o)
		}
	}
	if len(rec.SNMP) != len(want) {
		t.Errorf("%d objects, want %d", len(rec.SNMP), len(want))
	}
	if len(rec.Problems) != 2 || rec.Problems[0].Line != 26 || !strings.Contains(rec.Problems[0].Error(), "snmpwalk -On") || rec.Problems[1].Line != 27 {
		t.Errorf("problems %v", rec.Problems)
	}
}

func TestSNMPWalkWithoutAnyTypesHoldsIntegers(t *testing.T) {
	rec, err := Read("x.snmpwalk", strings.NewReader(".1.3.1 = 5\n.1.3.2 = \"five\"\n.1.3.3 = 0:0:00:01.50\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Object{{OID{1, 3, 1}, IntValue(5)}, {OID{1, 3, 2}, StringValue("five")}, {OID{1, 3, 3}, UintValue(TimeTicks, 150)}}
	if !reflect.DeepEqual(rec.SNMP, want) {
		t.Errorf("%+v", rec.SNMP)
	}
}

func TestRedfishBundleReadsAndWrites(t *testing.T) {
	in := "{\n\"/redfish/v1/\": {\"a\": 1.50, \"b\": \"<x>&\"},\n\"/redfish/v1/Chassis?$skip=50\": {\"big\": 12345678901234567890}\n}\n"
	rec, err := Read("x", strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	if rec.Format != Redfish {
		t.Errorf("format %s", rec.Format)
	}
	for _, p := range []string{"/redfish/v1", "/redfish/v1/", "//redfish/v1#/a"} {
		if _, ok := rec.Redfish.Get(p); !ok {
			t.Errorf("%s is not found", p)
		}
	}
	var out bytes.Buffer
	if err := WriteRedfish(&out, rec.Redfish); err != nil {
		t.Fatal(err)
	}
	want := "{\n\"/redfish/v1\": {\"a\":1.50,\"b\":\"<x>&\"},\n\"/redfish/v1/Chassis?$skip=50\": {\"big\":12345678901234567890}\n}\n"
	if out.String() != want {
		t.Errorf("wrote %s", out.String())
	}
}

func TestWhatIsNoRecordingIsRefusedWithItsLine(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"x", "hello\nworld\n", "no recording"},
		{"x.snmprec", "hello\n", "line 1: \"hello\" is not OID|tag|value"},
		{"x.snmprec", "\n1.3|2|x\n", "line 2: 1.3: \"x\" is no INTEGER"},
		{"x.snmprec", "", "holds no object"},
		{"x.snmpwalk", "hello\n", "line 1: \"hello\" is not OID = TYPE: value"},
		{"x.json", "", "line 1: not JSON"},
		{"x.json", "{\n\"/a\": {},\n\"/b\": {,}}", "line 3: not JSON"},
		{"x.json", "[]", "one JSON object"},
		{"x.json", `{"Id": 1}`, `"Id" is no path`},
		{"x.json", `{}`, "no resource"},
	} {
		_, err := Read(c.name, strings.NewReader(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, ErrNotRecording) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s %q: %v; want %s", c.name, c.in, err, c.want)
		}
	}
}

func TestDetectLooksAtTheContentWhereTheNameSaysNothing(t *testing.T) {
	for in, want := range map[string]Format{
		"\n# note\n1.3.6|2|1\n":             SNMPRec,
		".1.3.6.1 = INTEGER: 1\n":           SNMPWalk,
		"  {\n\"/redfish/v1\"":              Redfish,
		"\xef\xbb\xbf{\"/redfish/v1\": {}}": Redfish,
	} {
		if got, err := Detect("file", []byte(in)); err != nil || got != want {
			t.Errorf("%q: %s, %v; want %s", in, got, err, want)
		}
	}
}

// The real recordings: each is read, each line of it, and what is written reads the same again.
func TestRealRecordings(t *testing.T) {
	dir, ok := Dir()
	if !ok {
		t.Skip("no recordings: set SPAREWATCH_RECORDINGS; 1 test skipped")
	}
	files := 0
	var otherwise []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, ".expected.json") {
			return err
		}
		in, _ := filepath.Rel(dir, name)
		if !strings.HasPrefix(in, "snmp") && filepath.Dir(in) != "redfish" {
			return nil
		}
		files++
		rec, err := Load(name)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			return nil
		}
		for _, p := range rec.Problems {
			t.Errorf("%s: %v", in, p)
		}
		var out bytes.Buffer
		if rec.Format == Redfish {
			err = WriteRedfish(&out, rec.Redfish)
		} else {
			err = WriteSNMPRec(&out, rec.SNMP)
		}
		if err != nil {
			t.Errorf("%s: %v", in, err)
			return nil
		}
		if rec.Format == Redfish {
			if raw, _ := os.ReadFile(name); !bytes.Equal(raw, out.Bytes()) {
				otherwise = append(otherwise, in)
			}
		}
		again, err := Read("", &out)
		if err != nil {
			t.Errorf("%s: read again: %v", in, err)
			return nil
		}
		if !reflect.DeepEqual(again.SNMP, rec.SNMP) || len(again.Redfish) != len(rec.Redfish) {
			t.Errorf("%s: reads otherwise when written", in)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d recordings read; not byte for byte as they were: %v", files, otherwise)
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"1.3.6|4x|00ff\n1.3.5|2:numeric|initial=5\n", "1.3|4e|\\x07\\n\n", "1.3|64|1.2.3.4\n",
		".1.3 = STRING: \"a\nb\"\n.1.4 = Hex-STRING: 00 FF\n", ".1.3 = Timeticks: (5) 0:00:00.05\n", "iso.3 = 5\n",
		"{\"/redfish/v1\": {\"a\": []}}", "BZh91AY&SY",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		rec, err := Read("", bytes.NewReader(in))
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		var out bytes.Buffer
		if rec.Format == Redfish {
			if err := WriteRedfish(&out, rec.Redfish); err != nil {
				t.Fatal(err)
			}
			again, err := ReadRedfish(&out)
			if err != nil || len(again) != len(rec.Redfish) {
				t.Fatalf("%d resources became %d, %v", len(rec.Redfish), len(again), err)
			}
			return
		}
		if err := WriteSNMPRec(&out, rec.SNMP); err != nil {
			t.Fatal(err)
		}
		again, err := Read("x.snmprec", &out)
		if err != nil || !reflect.DeepEqual(again.SNMP, rec.SNMP) || again.Unsorted || again.Repeated > 0 {
			t.Fatalf("%+v became %+v, %v", rec.SNMP, again, err)
		}
	})
}
