package lab

import (
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gosnmp/gosnmp"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

func serve(t *testing.T, a *Agent) *SNMPServer {
	t.Helper()
	s, err := ServeSNMP("", a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func client(t *testing.T, s *SNMPServer, version gosnmp.SnmpVersion) *gosnmp.GoSNMP {
	t.Helper()
	c := &gosnmp.GoSNMP{Target: s.Addr().Addr().String(), Port: s.Addr().Port(), Version: version, Community: "public",
		Timeout: 300 * time.Millisecond, Retries: 0, MaxRepetitions: 25, MaxOids: 60}
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Conn.Close() })
	return c
}

func objects(lines ...string) *Objects {
	rec, err := recording.Read("x.snmprec", strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		panic(err)
	}
	return NewObjects(rec.SNMP)
}

func oid(s string) recording.OID {
	o, err := recording.ParseOID(s)
	if err != nil {
		panic(err)
	}
	return o
}

func TestAgentAnswersEachTypeAsTheClientLibraryReadsIt(t *testing.T) {
	s := serve(t, &Agent{Objects: objects(
		"1.3.6.1.2.1.1.1.0|4|text", "1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.4294967295.128", "1.3.6.1.2.1.1.3.0|67|161500",
		"1.3.6.1.2.1.1.4.0|2|-129", "1.3.6.1.2.1.1.5.0|2|2147483647", "1.3.6.1.2.1.1.6.0|65|4294967295",
		"1.3.6.1.2.1.1.7.0|66|128", "1.3.6.1.2.1.1.8.0|70|18446744073709551615", "1.3.6.1.2.1.1.9.0|64|10.0.0.1",
		"1.3.6.1.2.1.1.10.0|5|", "1.3.6.1.2.1.1.11.0|4x|", "1.3.6.1.2.1.1.12.0|2|0",
	)})
	c := client(t, s, gosnmp.Version2c)
	var names []string
	for i := 1; i <= 12; i++ {
		names = append(names, fmt.Sprintf(".1.3.6.1.2.1.1.%d.0", i))
	}
	p, err := c.Get(names)
	if err != nil {
		t.Fatal(err)
	}
	want := []any{[]byte("text"), ".1.3.6.1.4.1.4294967295.128", uint32(161500), -129, math.MaxInt32, uint(4294967295), uint(128),
		uint64(math.MaxUint64), "10.0.0.1", nil, []byte{}, 0}
	for i, v := range p.Variables {
		if !reflect.DeepEqual(v.Value, want[i]) || v.Name != names[i] {
			t.Errorf("%s = %T %v, want %T %v", v.Name, v.Value, v.Value, want[i], want[i])
		}
	}
}

func TestAgentSaysWhatIsMissing(t *testing.T) {
	s := serve(t, &Agent{Objects: objects("1.3.6.1.1.1.5|2|1", "1.3.6.1.1.2.1|70|7", "1.3.6.1.1.3.1|2|3")})
	v2, v1 := client(t, s, gosnmp.Version2c), client(t, s, gosnmp.Version1)

	p, err := v2.Get([]string{"1.3.6.1.1.1.5", "1.3.6.1.1.1.6", "1.3.6.1.9.9.9"})
	if err != nil || p.Variables[0].Value != 1 || p.Variables[1].Type != gosnmp.NoSuchInstance || p.Variables[2].Type != gosnmp.NoSuchObject {
		t.Errorf("v2c get: %+v %v", p, err)
	}
	if p, err = v1.Get([]string{"1.3.6.1.1.1.5", "1.3.6.1.1.1.6"}); err != nil || p.Error != gosnmp.NoSuchName || p.ErrorIndex != 2 {
		t.Errorf("v1 get: %+v %v", p, err)
	}
	if p, err = v1.Get([]string{"1.3.6.1.1.2.1"}); err != nil || p.Error != gosnmp.NoSuchName {
		t.Errorf("v1 get of a Counter64: %+v %v", p, err)
	}
	if p, err = v2.GetNext([]string{"1.3.6.1.1.1", "1.3.6.1.1.3.1"}); err != nil || p.Variables[0].Name != ".1.3.6.1.1.1.5" || p.Variables[1].Type != gosnmp.EndOfMibView {
		t.Errorf("v2c next: %+v %v", p, err)
	}
	if p, err = v1.GetNext([]string{"1.3.6.1.1.1.5"}); err != nil || p.Variables[0].Name != ".1.3.6.1.1.3.1" {
		t.Errorf("v1 next steps over a Counter64: %+v %v", p, err)
	}
	if p, err = v1.GetNext([]string{"1.3.6.1.1.3.1"}); err != nil || p.Error != gosnmp.NoSuchName || p.ErrorIndex != 1 {
		t.Errorf("v1 next at the end: %+v %v", p, err)
	}
	if p, err = v2.GetBulk([]string{"1.3.6.1.1.2", "1.3.6.1.1.1", "1.3.6.1.1.3"}, 1, 3); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range p.Variables {
		got = append(got, fmt.Sprint(v.Name, " ", v.Type == gosnmp.EndOfMibView))
	}
	want := []string{".1.3.6.1.1.2.1 false", ".1.3.6.1.1.1.5 false", ".1.3.6.1.1.3.1 false", ".1.3.6.1.1.2.1 false", ".1.3.6.1.1.3.1 true", ".1.3.6.1.1.3.1 false", ".1.3.6.1.1.3.1 true"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("bulk: %v\nwant  %v", got, want)
	}
}

func TestAgentKeepsToItsSize(t *testing.T) {
	var lines []string
	for i := range 40 {
		lines = append(lines, fmt.Sprintf("1.3.6.1.1.1.%d|4|%s", i, strings.Repeat("x", 100)))
	}
	a := &Agent{Objects: objects(lines...), MaxSize: 1400}
	s := serve(t, a)
	c := client(t, s, gosnmp.Version2c)
	p, err := c.GetBulk([]string{"1.3.6.1.1.1"}, 0, 40)
	if err != nil || len(p.Variables) < 8 || len(p.Variables) > 14 {
		t.Errorf("bulk of 1400 octets: %d varbinds, %v", len(p.Variables), err)
	}
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprintf("1.3.6.1.1.1.%d", i))
	}
	if p, err = c.Get(names); err != nil || p.Error != gosnmp.TooBig || p.ErrorIndex != 0 || len(p.Variables) != 0 {
		t.Errorf("get of too much: %+v %v", p, err)
	}
	if p, err = client(t, s, gosnmp.Version1).Get(names); err != nil || p.Error != gosnmp.TooBig || len(p.Variables) != 20 {
		t.Errorf("v1 get of too much: %+v %v", p, err)
	}
	for _, size := range []int{484, 1400, 65507} {
		a := &Agent{Objects: a.Objects, MaxSize: size}
		for _, version := range []int64{version1, version2c} {
			m := &message{version: version, community: strings.Repeat("c", 40), pdu: getBulkRequest, id: math.MinInt32, index: 100}
			if version == version1 {
				m.pdu = getNextRequest
			}
			m.names, m.around = []recording.OID{{1, 3}}, 48+40
			if n := len(a.respond(m, &SNMPFaults{}, (*message).encode)); n > size {
				t.Errorf("%d octets where %d are the most", n, size)
			}
		}
	}
}

func TestAgentIsSilentToTheWrongCommunity(t *testing.T) {
	s := serve(t, &Agent{Objects: objects("1.3.6.1.1.1.5|2|1"), Community: "right"})
	c := client(t, s, gosnmp.Version2c)
	if _, err := c.Get([]string{"1.3.6.1.1.1.5"}); err == nil {
		t.Error("answered")
	}
	c.Community = "right"
	if _, err := c.Get([]string{"1.3.6.1.1.1.5"}); err != nil {
		t.Error(err)
	}
}

func TestAgentServesWhatChanges(t *testing.T) {
	base := objects("1.3.6.1.1.1|2|1", "1.3.6.1.1.2|2|2", "1.3.6.1.1.4|2|4").base
	one, other := NewObjects(base), NewObjects(base)
	n := int64(0)
	one.Set(oid("1.3.6.1.1.3"), recording.IntValue(3))
	one.Set(oid("1.3.6.1.1.2"), recording.IntValue(22))
	one.Delete(oid("1.3.6.1.1.1"))
	one.Live(oid("1.3.6.1.1.9"), func() recording.Value { n++; return recording.IntValue(n) })
	walk := func(t *Objects) (got []string) {
		for o, ok := t.Next(nil); ok; o, ok = t.Next(o.OID) {
			got = append(got, fmt.Sprintf("%d=%d", o.OID[5], o.Int))
		}
		return got
	}
	for _, want := range []string{"[2=22 3=3 4=4 9=1]", "[2=22 3=3 4=4 9=2]"} {
		if got := fmt.Sprint(walk(one)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := fmt.Sprint(walk(other)); got != "[1=1 2=2 4=4]" {
		t.Errorf("the other agent changed too: %s", got)
	}
}

func TestAgentFaults(t *testing.T) {
	a := &Agent{Objects: objects("1.3.6.1.1.1|2|1", "1.3.6.1.2.1|2|2")}
	s := serve(t, a)
	c := client(t, s, gosnmp.Version2c)
	get := func(name string) (*gosnmp.SnmpPacket, error) { return c.Get([]string{name}) }
	first, second := "1.3.6.1.1.1", "1.3.6.1.2.1"

	for _, f := range []SNMPFaults{{Silent: true}, {Garbage: true}, {Half: true}, {WrongID: true}, {DropEvery: 1}} {
		a.Inject(f)
		if p, err := get(first); err == nil {
			t.Errorf("%+v: answered %+v", f, p)
		}
	}
	a.Inject(SNMPFaults{Status: GenErr, Below: oid("1.3.6.1.2")})
	if p, err := get(first); err != nil || p.Error != gosnmp.NoError {
		t.Errorf("beside the fault: %+v %v", p, err)
	}
	if p, err := get(second); err != nil || p.Error != gosnmp.GenErr {
		t.Errorf("at the fault: %+v %v", p, err)
	}
	a.Inject(SNMPFaults{AnswerOnly: 1})
	if _, err := get(first); err != nil {
		t.Error(err)
	}
	if _, err := get(first); err == nil {
		t.Error("answered more than once")
	}
	a.Inject(SNMPFaults{Loop: true})
	if p, err := c.GetNext([]string{second}); err != nil || p.Variables[0].Name != "."+first {
		t.Errorf("loop: %+v %v", p, err)
	}
	a.Inject(SNMPFaults{Stuck: true})
	if p, err := c.GetNext([]string{first}); err != nil || p.Variables[0].Name != "."+first {
		t.Errorf("stuck: %+v %v", p, err)
	}
	a.Inject(SNMPFaults{WrongType: true})
	if p, err := get(first); err != nil || p.Variables[0].Type != gosnmp.OctetString {
		t.Errorf("wrong type: %+v %v", p, err)
	}
	a.Inject(SNMPFaults{})
	s.Delay(20 * time.Millisecond)
	start := time.Now()
	if _, err := get(first); err != nil || time.Since(start) < 20*time.Millisecond {
		t.Errorf("delay: %v after %v", err, time.Since(start))
	}
}

// Each SNMP recording, served and walked by the client library, yields what is in it.
func TestAgentServesTheRecordings(t *testing.T) {
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings: set SPAREWATCH_RECORDINGS; 1 test skipped")
	}
	files := 0
	err := filepath.WalkDir(filepath.Join(dir, "snmp"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, ".json") || testing.Short() && !strings.Contains(name, "/ups/") {
			return err
		}
		rec, err := recording.Load(name)
		if err != nil {
			return err
		}
		files++
		t.Run(filepath.Base(name), func(t *testing.T) { walkAll(t, rec.SNMP) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d recordings walked", files)
}

func walkAll(t *testing.T, want []recording.Object) {
	s := serve(t, &Agent{Objects: NewObjects(want), MaxSize: 65507})
	c := client(t, s, gosnmp.Version2c)
	c.MaxRepetitions = 100
	at, n := ".0.0", 0
	for {
		p, err := c.GetBulk([]string{at}, 0, 100)
		if err != nil {
			t.Fatalf("after %s: %v", at, err)
		}
		if p.Error != gosnmp.NoError {
			t.Fatalf("after %s: %v", at, p.Error)
		}
		for _, v := range p.Variables {
			if v.Type == gosnmp.EndOfMibView {
				if n != len(want) {
					t.Fatalf("%d objects, want %d", n, len(want))
				}
				return
			}
			if v.Name != "."+want[n].OID.String() || !same(v, want[n].Value) {
				t.Fatalf("object %d is %s %v %v, want %s %+v", n, v.Name, v.Type, v.Value, want[n].OID, want[n].Value)
			}
			at = v.Name
			n++
		}
	}
}

// same compares what the client read with what was served. The opaque specials the client unpacks itself.
func same(v gosnmp.SnmpPDU, want recording.Value) bool {
	switch want.Type {
	case recording.Integer:
		return gosnmp.ToBigInt(v.Value).Int64() == want.Int && v.Type == gosnmp.Integer
	case recording.OctetString:
		return string(v.Value.([]byte)) == string(want.Bytes)
	case recording.ObjectID:
		return v.Value == "."+want.OID.String()
	case recording.IPAddress:
		return v.Value == fmt.Sprintf("%d.%d.%d.%d", want.Bytes[0], want.Bytes[1], want.Bytes[2], want.Bytes[3])
	case recording.Null, recording.Opaque:
		return true
	}
	return gosnmp.ToBigInt(v.Value).Uint64() == want.Uint && byte(v.Type) == byte(want.Type)
}

func FuzzAgent(f *testing.F) {
	c := &gosnmp.GoSNMP{Version: gosnmp.Version2c, Community: "public"}
	for _, p := range []gosnmp.PDUType{gosnmp.GetRequest, gosnmp.GetNextRequest, gosnmp.GetBulkRequest, gosnmp.SetRequest} {
		b, err := c.SnmpEncodePacket(p, []gosnmp.SnmpPDU{{Name: ".1.3.6.1.1.1", Type: gosnmp.Null}, {Name: ".1.3.6.1.4.1.99999", Type: gosnmp.Null}}, 1, 10)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	a := &Agent{Objects: objects("1.3.6.1.1.1|2|1", "1.3.6.1.2.1|4|text", "1.3.6.1.2.2|70|5")}
	f.Fuzz(func(t *testing.T, in []byte) {
		out := a.Answer(in)
		if out == nil {
			return
		}
		if len(out) > 1472 && len(out) > len(in)+100 {
			t.Errorf("%d octets", len(out))
		}
		m, err := decodeRequest(out) // a response has the form of a request
		if err != nil || m.pdu != getResponse {
			t.Errorf("the answer to %x is %x: %v", in, out, err)
		}
	})
}

func BenchmarkAgentBulk(b *testing.B) {
	var lines []string
	for i := range 200 {
		lines = append(lines, fmt.Sprintf("1.3.6.1.4.1.318.1.1.26.%d.1|2|%d", i, i))
	}
	a := &Agent{Objects: objects(lines...)}
	c := &gosnmp.GoSNMP{Version: gosnmp.Version2c, Community: "public"}
	in, err := c.SnmpEncodePacket(gosnmp.GetBulkRequest, []gosnmp.SnmpPDU{{Name: ".1.3.6.1.4", Type: gosnmp.Null}}, 0, 50)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		a.Answer(in)
	}
}
