package redfish

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/conformance"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

func TestJSONAsDevicesWriteIt(t *testing.T) {
	for _, c := range []struct{ name, text, at, want string }{
		{"plain", `{"a":"x"}`, "a", "x"},
		{"a raw carriage return (iDRAC, idrac_exporter issue 192)", "{\"a\":\"x\ry\"}", "a", "x y"},
		{"a raw tab and a raw new line", "{\"a\":\"x\t\ny\"}", "a", "x  y"},
		{"a byte order mark", "\ufeff{\"a\":\"x\"}", "a", "x"},
		{"a comma too many", `{"a":"x",}`, "a", "x"},
		{"a comma too many in a list", `{"a":["x",]}`, "a.0", "x"},
		{"a key in another case", `{"A":"x"}`, "a", "x"},
		{"both cases: the exact one", `{"A":"x","a":"y"}`, "a", "y"},
		{"a key twice: the last", `{"a":"x","a":"y"}`, "a", "y"},
		{"zeros behind", "{\"a\":\"x\"}\x00\x00", "a", "x"},
		{"escapes", `{"a":"\u0041\n\"\\\/"}`, "a", "A \"\\/"},
		{"a pair of surrogates", `{"a":"\ud83d\ude00"}`, "a", "😀"},
		{"half a pair", `{"a":"\ud83dx"}`, "a", "\uFFFDx"},
		{"not UTF-8", "{\"a\":\"x\xff\"}", "a", "x\uFFFD"},
		{"NaN", `{"a":NaN,"b":-Infinity,"c":"x"}`, "c", "x"},
		{"N/A means nothing", `{"a":"N/A"}`, "a", ""},
		{"null means nothing", `{"a":null}`, "a", ""},
		{"a number where a text was meant", `{"a":7}`, "a", "7"},
		{"a truth value where a text was meant", `{"a":true}`, "a", "true"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := parseJSON([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range strings.Split(c.at, ".") {
				if v.kind == array {
					v = v.index(step)
				} else {
					v = v.get(step)
				}
			}
			if got := v.str(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestHalfAJSONIsRefused(t *testing.T) {
	const whole = `{"Members":[{"@odata.id":"/a"},{"@odata.id":"/b","n":-1.5e3,"t":true,"z":null,"s":"\u00e4"}]}`
	for i := range whole {
		_, err := parseJSON([]byte(whole[:i]))
		if err == nil {
			t.Errorf("%q was taken for whole", whole[:i])
		} else if !errors.Is(err, errTruncated) && !errors.Is(err, errSyntax) {
			t.Errorf("%q: %v", whole[:i], err)
		}
	}
	if _, err := parseJSON([]byte(strings.Repeat("[", 1000))); !errors.Is(err, errDeep) {
		t.Errorf("a thousand brackets: %v", err)
	}
	for _, s := range []string{"<html>", "{]", "{\"a\" 1}", "{a:1}", "{} {}", "tru e"} {
		if _, err := parseJSON([]byte(s)); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]float64{
		`1920383410176.0`: 1920383410176, `"240"`: 240, `"11.900"`: 11.9, `"230 V"`: 230, `-48`: -48, `"-48"`: -48, `1e3`: 1000, `{"Reading":230.2}`: 230.2, `{"Reading":"12"}`: 12,
	} {
		v, err := parseJSON([]byte(text))
		if f, ok := v.num(); err != nil || !ok || f != want {
			t.Errorf("%s: got %v, %v, %v; want %v", text, f, ok, err, want)
		}
	}
	for _, text := range []string{`"N/A"`, `null`, `true`, `""`, `[]`, `[7]`, `{}`, `"x12"`, `"--"`, `1e999`, `{"Reading":{"Reading":1}}`} {
		v, err := parseJSON([]byte(text))
		if f, ok := v.num(); err != nil || ok {
			t.Errorf("%s: got %v, %v", text, f, err)
		}
	}
}

func TestLinks(t *testing.T) {
	for link, want := range map[string]string{
		"/redfish/v1/Chassis/1/Power#/PowerSupplies/0":                     "/redfish/v1/Chassis/1/Power#PowerSupplies/0",
		"/redfish/v1/Chassis/1/Power#PowerSupplies/0":                      "/redfish/v1/Chassis/1/Power#PowerSupplies/0",
		"/redfish/v1/Chassis/1/Power/#PowerSupplies/0":                     "/redfish/v1/Chassis/1/Power#PowerSupplies/0",
		"/redfish/v1/Chassis/1/Power%23/PowerSupplies/0":                   "/redfish/v1/Chassis/1/Power#PowerSupplies/0",
		"/redfish/v1/Chassis/X/Redundancy/iDRAC.Embedded.1%23PSRedundancy": "/redfish/v1/Chassis/X/Redundancy/iDRAC.Embedded.1#PSRedundancy",
		"/redfish/v1/Chassis/1/":                                           "/redfish/v1/Chassis/1",
		"/redfish/v1//Chassis/./1":                                         "/redfish/v1/Chassis/1",
		"/redfish/v1/../../etc/passwd":                                     "",
		"https://elsewhere/redfish/v1/X":                                   "",
		"//elsewhere/redfish/v1":                                           "",
		"/admin":                                                           "",
		"":                                                                 "",
		"/redfish/v1/" + strings.Repeat("x", 600):                          "",
	} {
		if got := source(link); got != want {
			t.Errorf("%s: got %q, want %q", link, got, want)
		}
	}
}

func TestPrinted(t *testing.T) {
	for text, want := range map[string]string{
		"PSU.Slot.1": "1", "PS1 Status": "1", "Power Supply Bay 2": "2", "Bay1": "1", "PSU Bay 6": "6", "PSU0": "0", "Rectifier 3": "3", "PowerSupplyUnit 1": "1", "007": "7",
		"Fan 1A Tach": "1A", "System Board Fan1A": "1A", "Sys Fan 3B": "3B", "CPU #1 Fan": "1", "Fan for CPU 2": "2",
		"Disk.Bay.0:Enclosure.Internal.0-1:RAID.Integrated.1-1": "0", "Drive.Bay_1": "1", "Slot 0": "0", "SATA Bay 1": "1", "Physical Drive 1 (LSI Device0)": "1", "HDDPlaneDisk40": "40", "NVMe E1.S Slot 3": "3",
		"HpeServerPowerSupply": "", "Power Supply Bay": "", "Disk-1-0": "", "M.2-1": "", "PCIe SSD in Slot 0 in Bay 1": "", "RAID.Integrated.1-1": "", "j100p0": "", "DE081000": "", "": "",
	} {
		if got := printed(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"Slot=25:Port=1I:Box=3:Bay=4": "4 3:4 1I:3:4", "1I:3:4": "4 3:4", "Slot=25:Port=Unknown:Box=Unknown:Bay=Unknown": "", "Bay 4": "",
	} {
		if got := strings.Join(bay(text), " "); got != want {
			t.Errorf("bay %q: got %q, want %q", text, got, want)
		}
	}
}

// TestIDsKeepWhenAnotherComes: two subsystems with the same slots are told apart, both, and nothing else is renamed.
func TestIDsKeepWhenAnotherComes(t *testing.T) {
	mk := func(scope string, texts ...string) *part {
		p := &part{}
		p.Kind = "drive"
		p.named(scope, "", texts...)
		return p
	}
	a := []*part{mk("/Storage/A", "Bay 1"), mk("/Storage/A", "Bay 2"), mk("/Storage/B", "Bay 7")}
	settle("d", a)
	if a[0].local != "1" || a[1].local != "2" || a[2].local != "7" {
		t.Errorf("%s %s %s", a[0].local, a[1].local, a[2].local)
	}
	b := []*part{mk("/Storage/A", "Bay 1"), mk("/Storage/A", "Bay 2"), mk("/Storage/B", "Bay 1"), mk("/Storage/C", "Bay 7")}
	settle("d", b)
	got := ""
	for _, p := range b {
		got += p.local + " "
	}
	if got != "A/1 A/2 B/1 7 " {
		t.Errorf("%s", got)
	}
	same := []*part{mk("/Storage/A", "Bay 1"), mk("/Storage/A", "Bay 1")}
	settle("d", same)
	if same[0].local == same[1].local {
		t.Errorf("both are %s", same[0].local)
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,"x",null,true,{"b":-1.5e3}]}`, "{\"a\":\"\r\"}", `[[[[]]]]`, `{"a":"\ud83d\ude00"}`, `"`, `{"Members":[`, "\ufeff{}", `NaN`, `{"a":1,"A":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseJSON(b)
		if err != nil {
			return
		}
		walkValue(v, 0)
		// What encoding/json takes, this takes too, and reads the same strings.
		var std any
		if json.Unmarshal(b, &std) == nil {
			compare(t, std, v)
		}
	})
}

func walkValue(v value, depth int) {
	if depth > maxDepth+2 {
		panic("deeper than allowed")
	}
	_, _ = v.num()
	_, _ = v.boolean()
	_ = v.str() + v.raw() + v.link() + v.rawOrList()
	_ = v.items()
	_ = v.get("a")
	_ = status(v)
	for _, e := range v.each() {
		walkValue(e, depth+1)
	}
}

func compare(t *testing.T, std any, v value) {
	switch s := std.(type) {
	case nil:
		if v.kind != null {
			t.Errorf("null is read as %d", v.kind)
		}
	case bool:
		if is, known := v.boolean(); !known || is != s {
			t.Errorf("%v is read as %v", s, v)
		}
	case string:
		if v.kind != text {
			t.Errorf("%q is read as %d", s, v.kind)
		}
	case float64:
		if f, ok := v.num(); !ok || f != s {
			t.Errorf("%v is read as %v", s, f)
		}
	case []any:
		if v.kind != array || len(v.each()) != len(s) {
			t.Fatalf("a list of %d is read as %d of %d", len(s), v.kind, len(v.each()))
		}
		for i := range s {
			compare(t, s[i], v.each()[i])
		}
	case map[string]any:
		if v.kind != object || len(v.names()) < len(s) {
			t.Fatalf("an object of %d is read as %d of %d", len(s), v.kind, len(v.names()))
		}
	}
}

// FuzzTree reads trees that no service would show. Whatever comes out must be a snapshot as every snapshot must be.
func FuzzTree(f *testing.F) {
	if dir, ok := recording.Dir(); ok {
		files, _ := filepath.Glob(filepath.Join(dir, "redfish", "*.json"))
		for _, name := range files {
			if b, err := os.ReadFile(name); err == nil && len(b) < 100_000 {
				f.Add(b)
			}
		}
	}
	f.Add([]byte(`{"/redfish/v1":{"Chassis":{"@odata.id":"/redfish/v1/Chassis"}},"/redfish/v1/Chassis":{"Members":[{"@odata.id":"/redfish/v1/Chassis/1"},"/redfish/v1/Chassis/2"]},
		"/redfish/v1/Chassis/1":{"Power":{"@odata.id":"/redfish/v1/Chassis/1/Power"},"Links":{"ContainedBy":{"@odata.id":"/redfish/v1/Chassis/2"}}},"/redfish/v1/Chassis/2":{"Links":{"ContainedBy":{"@odata.id":"/redfish/v1/Chassis/1"}}},
		"/redfish/v1/Chassis/1/Power":{"PowerSupplies":[{"Name":"PSU 1"},{"Name":"PSU 1"}],"Redundancy":[{"RedundancySet":[{"@odata.id":"#"},{}],"MinNumNeeded":-7,"MaxNumSupported":1e300}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseJSON(b)
		if err != nil || v.kind != object {
			return
		}
		tr := newTree()
		for i, k := range v.names() {
			if p := normal(k); p != "" {
				tr.entries[p] = &entry{path: p, body: v.each()[i], stale: i%7 == 6, why: "it was not asked", role: role(i % int(rBaseAdapter+1))}
			}
		}
		s := parse(tr, "srv-1")
		s.Target, s.Reachable, s.At = "redfish://srv-1", true, epoch
		if faults := conformance.Faults(collectors.Target{Device: "srv-1"}, s); len(faults) > 0 {
			t.Fatal(strings.Join(faults, "\n"))
		}
		if again := parse(tr, "srv-1"); show(again) == "" || len(again.Components) != len(s.Components) {
			t.Fatal("the same tree gives another snapshot the second time")
		}
	})
}
