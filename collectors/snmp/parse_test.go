package snmp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// chassis is a device of an invented vendor that needs most of the profile language.
const chassis = `
profile: acme
class: network
match: {sys_object_id: 1.3.6.1.4.1.99999}
oids: {acme: 1.3.6.1.4.1.99999}
scalars: {mode: acme.1.0, flags: acme.2.0}
tables:
  psu:
    entry: acme.10
    columns: {psuPresent: 1, psuStatus: 2, psuInput: 3, psuWatts: 4, psuDigits: 5, psuName: 6, psuMask: 7, psuPartner: 8, psuFeed: 9}
    rows: [psuPresent]
    join:
      feed: {table: feed, pointer: psuFeed}
  feed:
    entry: acme.20
    columns: {feedVolts: 1}
  disk:
    entry: acme.30
    columns: {diskVolume: 1, diskState: 2}
    join:
      vol: {table: volume, on: {volNumber: "{diskVolume}"}}
  volume:
    entry: acme.40
    columns: {volNumber: 1, volLevel: 2, volState: 3}
components:
  - kind: switch
    condition: {of: flags, chars: {2: impaired fanFault, 3: failed}, zero: ok}
  - kind: inlet
    table: feed
    condition: {of: feedVolts, scale: 0.1, above: 100, is: ok, else: input_lost}
  - kind: psu
    table: psu
    id: "{psuName}"
    name: "{psuName}"
    condition:
      first:
        - {when: {psuPresent: 2}, is: absent empty bay}
        - worst:
            - {of: psuStatus, map: {1: ok, 2: impaired warning, 3: failed broken, 9: none}}
            - {of: psuInput, map: {1: ok, 2: input_lost noInput}}
            - {of: psuMask, masks: {1: ok, 2: failed, 4: predicted, 8: input_lost}, ignore: [16], zero: none}
    readings:
      - {name: input_power, unit: W, of: psuWatts, digits: psuDigits, none: [-1], max: 5000}
    fed_by: "@feed"
  - kind: volume
    table: volume
    id: "{volNumber}"
    condition: {of: volState, map: {1: ok optimal, 2: impaired degraded}}
    attributes: {raid: {of: volLevel, map: {5: RAID5, 6: RAID6}}}
  - kind: drive
    table: disk
    condition: {of: diskState, text: {'(?i)rebuild': rebuilding, '^Online': ok, '(?i)spare': standby}}
    groups: "drive-{vol.volNumber}"
groups:
  - kind: psu
    members: psu/*
    state: {of: mode, map: {1: full redundant, 2: lost nonRedundant}}
    needed: 1
    raw: [mode]
  - {kind: drive, table: volume, id: "drive-{volNumber}", raid: "{volLevel}", carries: "volume/{volNumber}", state: {of: volState, map: {1: full optimal, 2: degraded degraded}}}
`

func try(t testing.TB, profile string, lines ...string) *Parsed {
	t.Helper()
	set, err := mibs.Load(Kinds(), mibs.Source{FS: fstest.MapFS{"p.yaml": {Data: []byte(profile)}}})
	if err != nil {
		t.Fatal(err)
	}
	vars := []Varbind{{sysObjectID, OIDValue("1.3.6.1.4.1.99999.7")}}
	for _, line := range lines {
		oid, text, _ := strings.Cut(line, " ")
		v := StringValue(text)
		var n int64
		switch {
		case strings.HasPrefix(text, "1.3."):
			v = OIDValue(text)
		case func() bool { _, err := fmt.Sscanf(text, "%d", &n); return err == nil && fmt.Sprint(n) == text }():
			v = IntegerValue(n)
		}
		vars = append(vars, Varbind{"1.3.6.1.4.1.99999." + oid, v})
	}
	vars = Sort(vars)
	sys := SystemOf(vars, set)
	profiles := set.Match(sys)
	return Parse("dev", profiles, sys, FromVarbinds(vars, profiles), Options{Uses: true})
}

func found(t *testing.T, p *Parsed, id string) component.Component {
	t.Helper()
	for _, c := range p.Components {
		if string(c.ID) == "dev/"+id {
			return c
		}
	}
	t.Fatalf("there is no %s in %v", id, p.Components)
	return component.Component{}
}

func TestConditions(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  string
		why   string
	}{
		{"good", []string{"10.2.7 1", "10.3.7 1"}, "ok", ""},
		{"broken", []string{"10.2.7 3", "10.3.7 1"}, "failed", "psuStatus is broken(3)"},
		{"no input", []string{"10.2.7 1", "10.3.7 2"}, "ok+input_lost", "psuInput is noInput(2)"},
		{"a warning and no input", []string{"10.2.7 2", "10.3.7 2"}, "impaired+input_lost", "psuStatus is warning(2); psuInput is noInput(2)"},
		{"an unlisted number is never ok", []string{"10.2.7 77", "10.3.7 1"}, "unknown", "psuStatus is 77"},
		{"bad outranks unlisted", []string{"10.2.7 3", "10.3.7 9"}, "failed", "psuStatus is broken(3); psuInput is 9"},
		{"nothing said", nil, "unknown", "the device says nothing of its condition"},
		{"not supported", []string{"10.2.7 9"}, "unknown", "the device says nothing of its condition"},
		{"mask", []string{"10.7.7 13"}, "impaired+predicted+input_lost", "psuMask is 13"},
		{"ignored bit", []string{"10.7.7 17"}, "ok", ""},
		{"unlisted bit", []string{"10.7.7 33"}, "unknown", "psuMask: bit 32 (33)"},
		{"empty bay", []string{"10.1.7 2", "10.2.7 3"}, "absent", "empty bay"},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines := c.lines
			if !strings.HasPrefix(strings.Join(lines, ""), "10.1.7") {
				lines = append([]string{"10.1.7 1"}, lines...)
			}
			got := found(t, try(t, chassis, append(lines, "10.6.7 Power Supply 3")...), "psu/3")
			if s := stateOf(&got); s != c.want || got.Why != c.why {
				t.Errorf("%s (%s), want %s (%s)", s, got.Why, c.want, c.why)
			}
		})
	}
}

func TestReadingsAndSentinels(t *testing.T) {
	for raw, want := range map[string]float64{"7505": 750.5, "-1": -1, "99999": -1} {
		c := found(t, try(t, chassis, "10.1.1 1", "10.6.1 PS-1", "10.4.1 "+raw, "10.5.1 1"), "psu/1")
		got := c.Reading("input_power")
		if want < 0 && got.Known() || want >= 0 && float64(got) != want {
			t.Errorf("%s: %v", raw, got)
		}
	}
	// Without its column of digits a number means nothing.
	if c := found(t, try(t, chassis, "10.1.1 1", "10.6.1 PS-1", "10.4.1 7505"), "psu/1"); c.Reading("input_power").Known() {
		t.Error("a reading without its scale is known")
	}
}

func TestTwoRowsWithOneNameAreTwoParts(t *testing.T) {
	p := try(t, chassis, "10.1.1 1", "10.6.1 PSU 1", "10.1.2 1", "10.6.2 PSU 1")
	found(t, p, "psu/1")
	found(t, p, "psu/1@2")
}

func TestLinksByRowPointer(t *testing.T) {
	p := try(t, chassis, "10.1.1 1", "10.6.1 PSU 1", "10.9.1 1.3.6.1.4.1.99999.20.1.4", "20.1.4 2301", "20.1.5 3")
	if len(p.Links) != 1 || p.Links[0] != (component.Link{From: "dev/inlet/4", To: "dev/psu/1", Kind: component.Feeds}) {
		t.Errorf("links %v", p.Links)
	}
	if c := found(t, p, "inlet/5"); !c.InputLost {
		t.Errorf("inlet 5: %+v", c)
	}
}

func TestClaims(t *testing.T) {
	p := try(t, chassis, "1.0 2", "10.1.1 1", "10.6.1 PSU 1", "10.1.2 1", "10.6.2 PSU 2",
		"40.1.1 0", "40.2.1 5", "40.3.1 2", "30.1.1 0", "30.2.1 Online", "30.1.2 0", "30.2.2 Rebuilding 4 %", "30.1.3 0", "30.2.3 Online", "30.1.9 7", "30.2.9 Hot spare")
	got := map[string]string{}
	for _, c := range p.Claims {
		got[c.Group.Local()] = fmt.Sprintf("%s %d %v %s %s", c.State, c.Needed, c.Members, c.Carries, c.Why)
	}
	for group, want := range map[string]string{
		"psu":     "lost 1 [dev/psu/1 dev/psu/2]  mode is nonRedundant(2)",
		"drive-0": "degraded 2 [dev/drive/1 dev/drive/2 dev/drive/3] dev/volume/0 volState is degraded(2)",
	} {
		if got[group] != want {
			t.Errorf("%s: %q, want %q", group, got[group], want)
		}
	}
	if c := found(t, p, "drive/9"); !c.Standby || c.Condition != component.OK {
		t.Errorf("hot spare: %+v", c)
	}
	if c := found(t, p, "drive/2"); !c.Rebuilding {
		t.Errorf("drive 2: %+v", c)
	}
}

// A device that says how many may fail says by it how many it needs of those that work.
func TestClaimedSpares(t *testing.T) {
	p := try(t, `
profile: acme
class: ups
match: {sys_object_id: 1.3.6.1.4.1.99999}
oids: {acme: 1.3.6.1.4.1.99999}
scalars: {spares: acme.1.0}
tables: {module: {entry: acme.10, columns: {moduleState: 1}}}
components:
  - {kind: module, table: module, condition: {of: moduleState, map: {1: absent, 2: standby, 3: ok, 4: failed}}}
groups:
  - {kind: module, members: "module/*", spares: {of: spares, none: [-1]}}
`, "1.0 1", "10.1.1 3", "10.1.2 3", "10.1.3 4", "10.1.4 1", "10.1.5 2")
	if len(p.Claims) != 1 || p.Claims[0].Needed != 2 || len(p.Claims[0].Members) != 5 {
		t.Errorf("claims: %+v", p.Claims)
	}
}

// Two arrays name their drives by number: one in octets, one in a list; a third in nothing that is there.
func TestMembersNamedByNumber(t *testing.T) {
	p := try(t, `
profile: acme
class: storage
match: {sys_object_id: 1.3.6.1.4.1.99999}
oids: {acme: 1.3.6.1.4.1.99999}
tables:
  disk: {entry: acme.10, columns: {diskState: 1, diskBay: 2}}
  array: {entry: acme.20, columns: {arrayState: 1, arrayOctets: 2, arrayList: 3}}
components:
  - {kind: drive, table: disk, id: "{diskBay}", condition: {of: diskState, map: {1: ok, 2: failed}}}
  - kind: volume
    table: array
    condition: {of: arrayState, map: {1: ok, 2: impaired}}
    carried_by: "drive/disk.1.{arrayOctets|octets}"
groups:
  - {kind: drive, table: array, id: "drive-{index}", members: ["drive/disk.1.{arrayOctets|octets}", "drive/disk.1.{arrayList|each}"], state: {of: arrayState, map: {1: full, 2: degraded}}}
`, "10.1.1.3 1", "10.1.1.4 2", "10.1.1.65 1", "10.2.1.3 1I:1:3", "10.2.1.4 1I:1:4", "10.2.1.65 1I:2:1",
		"20.1.1 1", "20.2.1 A", "20.1.2 2", "20.3.2 3, 4;;99", "20.1.3 2", "20.3.3 98")
	want := []string{"drive-1 full [dev/drive/1I:2:1]", "drive-2 degraded [dev/drive/1I:1:3 dev/drive/1I:1:4]", "drive-3 degraded []"}
	for i, c := range p.Claims {
		if got := fmt.Sprint(c.Group.Local(), " ", c.State, " ", c.Members); i >= len(want) || got != want[i] {
			t.Errorf("claim %d: %s", i, got)
		}
	}
	if len(p.Claims) != len(want) {
		t.Errorf("%d claims", len(p.Claims))
	}
	if len(p.Links) != 1 || p.Links[0].From != "dev/drive/1I:2:1" {
		t.Errorf("links %v", p.Links)
	}
}

// A supply is several rows, one for each of its sensors.
func TestRowsOfOnePart(t *testing.T) {
	p := try(t, `
profile: acme
class: storage
match: {sys_object_id: 1.3.6.1.4.1.99999}
tables:
  sensor: {entry: 1.3.6.1.4.1.99999.10, columns: {sensorName: 1, sensorState: 2}}
components:
  - {kind: enclosure, condition: ok, table: sensor, where: {index: 1}}
  - kind: psu
    table: sensor
    id: '{sensorName|/^(\w+)/}'
    merge: true
    condition: {of: sensorState, map: {1: ok, 2: failed}}
    readings:
      - {name: output_voltage, unit: V, of: sensorName, extract: '([0-9.]+) V'}
      - {name: output_current, unit: A, of: sensorName, extract: '([0-9.]+) A'}
    feeds: enclosure/1
    groups: psu
groups:
  - {kind: psu, table: sensor, where: {index: 1}, id: psu, needed: 1, state: none}
`, "10.1.1 left 12 V", "10.1.2 right 5 V", "10.1.3 left 3 A", "10.2.1 1", "10.2.2 1", "10.2.3 2")
	left, right := found(t, p, "psu/left"), found(t, p, "psu/right")
	if len(p.Components) != 3 || left.Condition != component.Failed || right.Condition != component.OK || len(left.Readings) != 2 || len(right.Readings) != 1 {
		t.Errorf("%d components, %v, %v", len(p.Components), left, right)
	}
	if len(p.Links) != 2 || len(p.Claims) != 1 || len(p.Claims[0].Members) != 2 {
		t.Errorf("%v, %v", p.Links, p.Claims)
	}
}

func TestNumbersInTexts(t *testing.T) {
	p := try(t, `
profile: acme
class: storage
match: {sys_object_id: 1.3.6.1.4.1.99999}
tables:
  sensor: {entry: 1.3.6.1.4.1.99999.10, columns: {message: 1}}
components:
  - kind: sensor
    table: sensor
    condition: ok
    readings:
      - {name: temperature, unit: Cel, of: message, extract: '\d+ F \((-?[0-9.]+) C|Temp (-?\d+)'}
      - {name: voltage, unit: V, of: message, extract: '[0-9]+V', scale: 0.1}
      - {name: load, unit: "%", of: message}
`, "10.1.1 Rail 2: 12V", "10.1.2 Hot: 77 F (25.5 C)", "10.1.3 Temp -3", "10.1.4 80 percent")
	want := []string{"voltage=1.2", "temperature=25.5", "temperature=-3", "load=80"}
	for i, c := range p.Components {
		var got []string
		for _, r := range c.Readings {
			got = append(got, fmt.Sprint(r.Name, "=", r.Value))
		}
		if strings.Join(got, " ") != want[i] {
			t.Errorf("row %d: %v", i+1, got)
		}
	}
}

func TestNotRedundantNow(t *testing.T) {
	for _, c := range []struct {
		name, first, second string
		want                snapshot.ClaimState
	}{
		{"both work", "1", "1", snapshot.ClaimNotRedun},
		{"one failed", "1", "2", snapshot.ClaimLost},
		{"one has no input", "3", "1", snapshot.ClaimLost},
		{"an empty bay", "1", "4", snapshot.ClaimNone},
		{"an empty bay and one failed", "2", "4", snapshot.ClaimLost},
		{"one is not known", "1", "9", snapshot.ClaimNone},
		{"a warning", "5", "1", snapshot.ClaimNotRedun},
	} {
		p := try(t, `
profile: acme
class: server
match: {sys_object_id: 1.3.6.1.4.1.99999}
oids: {acme: 1.3.6.1.4.1.99999}
scalars: {redundant: acme.1.0}
tables: {supply: {entry: acme.10, columns: {supplyState: 1}}}
components:
  - {kind: psu, table: supply, condition: {of: supplyState, map: {1: ok, 2: failed, 3: input_lost, 4: absent, 5: impaired}}}
groups:
  - {kind: psu, members: "psu/*", needed: 1, state: {of: redundant, map: {2: not-now notRedundant, 3: full}}}
`, "1.0 2", "10.1.1 "+c.first, "10.1.2 "+c.second)
		if len(p.Claims) != 1 || p.Claims[0].State != c.want {
			t.Errorf("%s: %+v", c.name, p.Claims)
		}
	}
}

func TestFlagsInAString(t *testing.T) {
	for flags, want := range map[string]string{"0000": "ok", "0100": "impaired", "0110": "failed", "1000": "unknown"} {
		c := found(t, try(t, chassis, "2.0 "+flags), "switch/1")
		if got := stateOf(&c); got != want {
			t.Errorf("%s: %s (%s)", flags, got, c.Why)
		}
	}
}

func TestWhatCouldNotBeReadIsUnknownAndNotAbsent(t *testing.T) {
	set, err := mibs.Load(Kinds(), mibs.Source{FS: fstest.MapFS{"p.yaml": {Data: []byte(chassis)}}})
	if err != nil {
		t.Fatal(err)
	}
	const psuPresent, psuName, psuStatus = "1.3.6.1.4.1.99999.10.1", "1.3.6.1.4.1.99999.10.6", "1.3.6.1.4.1.99999.10.2"
	data := NewData()
	for i, name := range []string{"PSU 1", "PSU 2"} {
		index := fmt.Sprint(i + 1)
		data.Columns[psuPresent] = append(data.Columns[psuPresent], Cell{index, IntegerValue(1)})
		data.Columns[psuStatus] = append(data.Columns[psuStatus], Cell{index, IntegerValue(1)})
		data.Columns[psuName] = append(data.Columns[psuName], Cell{index, StringValue(name)})
	}
	before := Parse("dev", set.Profiles, mibs.System{}, data, Options{})
	if len(before.Components) != 2 {
		t.Fatal(before.Components)
	}
	broken := NewData()
	broken.Unread[psuPresent] = errNoAnswer
	now := Parse("dev", set.Profiles, mibs.System{}, broken, Options{})
	now.keepUnread(before, broken)
	if len(now.Components) != 2 || len(now.Errors) != 1 {
		t.Fatalf("%v, errors %v", now.Components, now.Errors)
	}
	for _, c := range now.Components {
		if c.Condition != component.Unknown || !strings.Contains(c.Why, "not read") {
			t.Errorf("%+v", c)
		}
	}
}

func TestTheLimitOfComponents(t *testing.T) {
	set, err := mibs.Load(Kinds(), mibs.Source{FS: fstest.MapFS{"p.yaml": {Data: []byte(chassis)}}})
	if err != nil {
		t.Fatal(err)
	}
	data := NewData()
	for i := range 10 {
		data.Columns["1.3.6.1.4.1.99999.20.1"] = append(data.Columns["1.3.6.1.4.1.99999.20.1"], Cell{fmt.Sprint(i), IntegerValue(1)})
	}
	p := Parse("dev", set.Profiles, mibs.System{}, data, Options{Limit: 4})
	if len(p.Components) != 4 || len(p.Errors) != 1 {
		t.Errorf("%d components, errors %v", len(p.Components), p.Errors)
	}
}

func TestCompareOIDs(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"1.3.6", "1.3.6", 0}, {"1.3.6", "1.3.6.1", -1}, {"1.3.10", "1.3.9", 1}, {"1.3.9.9", "1.3.10", -1}, {"1.4", "1.3.6", 1}} {
		if got := CompareOIDs(c.a, c.b); got < 0 != (c.want < 0) || got > 0 != (c.want > 0) {
			t.Errorf("CompareOIDs(%s, %s) = %d", c.a, c.b, got)
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	open := func(version string) *session {
		s, err := Collector{Profiles: &mibs.Set{}}.Open(collectors.Target{Device: "d", URL: "snmp://10.0.0.1", Credentials: collectors.Credentials{Version: version, V3: collectors.V3{User: "u"}}})
		if err != nil {
			t.Fatal(err)
		}
		return s.(*session)
	}
	if e := open("2c").explain(errNoAnswer); !strings.Contains(e.Error, "community is wrong") || !strings.Contains(e.Error, "nothing is there") {
		t.Errorf("%+v", e)
	}
	if e := open("3").explain(errNoAnswer); strings.Contains(e.Error, "community") {
		t.Errorf("%+v", e)
	}
	if e := open("3").explain(fmt.Errorf("%w: the authentication key is wrong", errAuth)); e.Class != "auth" || e.Hint == "" {
		t.Errorf("%+v", e)
	}
}

func TestCredentialsOfV3AreChecked(t *testing.T) {
	for _, c := range []collectors.V3{{}, {User: "u", AuthProtocol: "SHA-3"}, {User: "u", PrivProtocol: "3DES"}, {User: "u", AuthProtocol: "SHA"}, {User: "u", PrivProtocol: "AES"}} {
		_, err := Collector{Profiles: &mibs.Set{}}.Open(collectors.Target{Device: "d", URL: "snmp://h", Credentials: collectors.Credentials{Version: "3", V3: c}})
		if err == nil {
			t.Errorf("%+v: no error", c)
		}
	}
	if !errors.Is(fmt.Errorf("x: %w", errStopped), errNoAnswer) {
		t.Error("an agent that stopped did not stop answering")
	}
}
