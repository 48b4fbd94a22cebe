package state

import (
	"slices"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

const url = "redfish://srv-1"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func supply(local string, c component.Condition) component.Component {
	return component.Component{ID: component.NewID("srv-1", component.PSU, local), Kind: component.PSU, Status: component.Status{Condition: c}}
}

func poll(at time.Duration, parts ...component.Component) *snapshot.Snapshot {
	return &snapshot.Snapshot{Target: url, Device: snapshot.Device{Name: "srv-1"}, At: noon.Add(at), Reachable: true, Components: parts}
}

func noAnswer(at time.Duration) *snapshot.Snapshot {
	return &snapshot.Snapshot{Target: url, Device: snapshot.Device{Name: "srv-1"}, At: noon.Add(at),
		Errors: []snapshot.Error{{At: url, Error: "connection refused", Class: snapshot.ClassUnreachable}}}
}

func newStore() *Store { return New([]Target{{URL: url, Device: "srv-1", Interval: 15 * time.Second}}) }

func condition(t *testing.T, s *Store, id component.ID) component.Condition {
	t.Helper()
	p := s.Device(id.Device()).Part(id)
	if p == nil {
		t.Fatalf("%s is not there", id)
	}
	return p.Condition
}

func TestFailedPollKeepsTheLastWord(t *testing.T) {
	s := newStore()
	s.Apply(poll(0, supply("1", component.OK), supply("2", component.Failed)))
	for i := range 5 {
		s.Apply(noAnswer(time.Duration(i+1) * 15 * time.Second))
	}
	d := s.Device("srv-1")
	if got := condition(t, s, "srv-1/psu/2"); got != component.Failed {
		t.Errorf("psu 2 is %v, want failed", got)
	}
	if !d.Parts[0].Silent || !d.Targets[0].Silent || d.Targets[0].Missed != 5 {
		t.Errorf("after five missed polls the target must be silent: %+v", d.Targets[0])
	}
	if !d.Parts[0].At.Equal(noon) {
		t.Errorf("the last word is of %v, want %v", d.Parts[0].At, noon)
	}
}

func TestSilence(t *testing.T) {
	s := newStore()
	s.Apply(poll(0, supply("1", component.OK)))
	if d := s.Tick(noon.Add(4 * time.Minute)); len(d) != 0 {
		t.Errorf("silent after four minutes: %v", d)
	}
	if d := s.Tick(noon.Add(5 * time.Minute)); !slices.Equal(d, []string{"srv-1"}) {
		t.Errorf("five minutes: got %v", d)
	}
	if d := s.Tick(noon.Add(6 * time.Minute)); len(d) != 0 {
		t.Errorf("silence is said once, got %v", d)
	}
	if _, changed := s.Apply(poll(7*time.Minute, supply("1", component.OK))); !changed {
		t.Error("an answer after silence is a change")
	}
	s.Apply(noAnswer(8 * time.Minute))
	s.Apply(noAnswer(9 * time.Minute))
	if s.Device("srv-1").Targets[0].Silent {
		t.Error("silent after two missed polls")
	}
}

func TestSlowTargetsAreNotSilentBetweenPolls(t *testing.T) {
	s := New([]Target{{URL: url, Device: "srv-1", Interval: 10 * time.Minute}})
	s.Apply(poll(0, supply("1", component.OK)))
	if d := s.Tick(noon.Add(20 * time.Minute)); len(d) != 0 {
		t.Errorf("a target read every ten minutes is silent after twenty: %v", d)
	}
}

func TestNeverAnsweredCountsAsReadOnceSilent(t *testing.T) {
	s := newStore()
	s.Tick(noon)
	if s.Device("srv-1").Read {
		t.Error("read before the first answer")
	}
	for i := range 3 {
		s.Apply(noAnswer(time.Duration(i) * 15 * time.Second))
	}
	if !s.Device("srv-1").Read {
		t.Error("tried three times and silent, but not read")
	}
}

func TestVanishedPartIsAbsent(t *testing.T) {
	s := newStore()
	s.Apply(poll(0, supply("1", component.OK), supply("2", component.OK), supply("3", component.Absent)))
	_, changed := s.Apply(poll(15*time.Second, supply("1", component.OK)))
	if !changed {
		t.Error("a supply vanished and nothing changed")
	}
	if got := condition(t, s, "srv-1/psu/2"); got != component.Absent {
		t.Errorf("the vanished supply is %v, want absent", got)
	}
	if s.Device("srv-1").Part("srv-1/psu/3") != nil {
		t.Error("an empty bay that is no longer listed is still there")
	}
	s.Apply(poll(30*time.Second, supply("1", component.OK), supply("2", component.OK)))
	if got := condition(t, s, "srv-1/psu/2"); got != component.OK {
		t.Errorf("the supply that came back is %v", got)
	}
}

func TestPartialPollKeepsWhatItCouldNotRead(t *testing.T) {
	s := newStore()
	s.Apply(poll(0, supply("1", component.OK), supply("2", component.OK)))
	partial := func(at time.Duration) *snapshot.Snapshot {
		sn := poll(at, supply("1", component.OK))
		sn.Errors = []snapshot.Error{{At: "/redfish/v1/Chassis/1/Power", Error: "timeout", Class: snapshot.ClassPartial}}
		return sn
	}
	s.Apply(partial(15 * time.Second))
	p := s.Device("srv-1").Part("srv-1/psu/2")
	if p.Condition != component.OK || !p.At.Equal(noon) || p.Silent {
		t.Errorf("unread part: %v at %v silent %v, want its last word", p.Condition, p.At, p.Silent)
	}
	s.Apply(partial(30 * time.Second))
	s.Apply(partial(45 * time.Second))
	if p := s.Device("srv-1").Part("srv-1/psu/2"); !p.Silent {
		t.Error("not read three times in a row, but not silent")
	}
	s.Apply(poll(60*time.Second, supply("1", component.OK)))
	if got := condition(t, s, "srv-1/psu/2"); got != component.Absent {
		t.Errorf("a whole poll doesn't list it: %v, want absent", got)
	}
}

func TestAnErrorThatWasAlwaysThereHidesNothing(t *testing.T) {
	s := newStore()
	always := []snapshot.Error{{At: "/redfish/v1/Oem", Error: "404", Class: snapshot.ClassPartial}}
	first := poll(0, supply("1", component.OK), supply("2", component.OK))
	first.Errors = always
	s.Apply(first)
	second := poll(15*time.Second, supply("1", component.OK))
	second.Errors = always
	s.Apply(second)
	if got := condition(t, s, "srv-1/psu/2"); got != component.Absent {
		t.Errorf("vanished beside an old error: %v, want absent", got)
	}
}

func TestKnownBadStaysBadUntilSeenGood(t *testing.T) {
	s := newStore()
	bad := supply("2", component.Failed)
	bad.Why = "PSU failure detected"
	s.Apply(poll(0, supply("1", component.OK), bad))
	s.Apply(poll(15*time.Second, supply("1", component.OK), supply("2", component.Unknown)))
	p := s.Device("srv-1").Part("srv-1/psu/2")
	if p.Condition != component.Failed || !p.Kept || !p.BadSince.Equal(noon) {
		t.Errorf("failed, then unknown: %v kept %v since %v", p.Condition, p.Kept, p.BadSince)
	}

	restarted := newStore()
	restarted.Restore(map[string]Seen{"srv-1": s.Seen("srv-1")})
	restarted.Apply(poll(time.Hour, supply("1", component.OK), supply("2", component.Unknown)))
	if got := condition(t, restarted, "srv-1/psu/2"); got != component.Failed {
		t.Errorf("after a restart it is %v, want failed", got)
	}
	restarted.Apply(poll(2*time.Hour, supply("1", component.OK), supply("2", component.OK)))
	if got := condition(t, restarted, "srv-1/psu/2"); got != component.OK {
		t.Errorf("seen good it is %v", got)
	}
	if len(restarted.Seen("srv-1").Bad) != 0 {
		t.Error("still remembered as bad")
	}
}

func TestWhatWorkedBeforeTheRestartIsExpected(t *testing.T) {
	s := newStore()
	s.Apply(poll(0, supply("1", component.OK), supply("2", component.OK)))
	if got := s.Dirty(); !slices.Equal(got, []string{"srv-1"}) {
		t.Errorf("dirty: %v", got)
	}
	if got := s.Dirty(); len(got) != 0 {
		t.Errorf("dirty again: %v", got)
	}
	restarted := newStore()
	restarted.Restore(map[string]Seen{"srv-1": s.Seen("srv-1")})
	if restarted.Device("srv-1").Part("srv-1/psu/2") != nil {
		t.Error("absent before anything was read")
	}
	restarted.Apply(poll(time.Hour, supply("1", component.OK)))
	p := restarted.Device("srv-1").Part("srv-1/psu/2")
	if p == nil || p.Condition != component.Absent || !p.WasThere {
		t.Fatalf("a supply that was taken out while nobody watched: %+v", p)
	}
	restarted.Forget("srv-1/psu/2")
	if restarted.Device("srv-1").Part("srv-1/psu/2") != nil {
		t.Error("forgotten, and still expected")
	}
}

func TestTwoTargetsOfOneDevice(t *testing.T) {
	const ipmi = "ipmi://srv-1"
	s := New([]Target{{URL: url, Device: "srv-1"}, {URL: ipmi, Device: "srv-1"}})
	a := supply("1", component.OK)
	a.Aliases = []string{"PSU.Slot.1"}
	s.Apply(poll(0, a, supply("2", component.OK)))
	if s.Device("srv-1").Read {
		t.Error("read with one of two targets")
	}
	b := component.Component{ID: "srv-1/psu/PSU.Slot.1", Kind: component.PSU, Status: component.Status{Condition: component.Failed}}
	sn := poll(time.Second, b)
	sn.Target = ipmi
	sn.Claims = []snapshot.Claim{{Group: "srv-1/group/psu", Kind: component.PSU, Members: []component.ID{b.ID, "srv-1/psu/2"}}}
	s.Apply(sn)
	d := s.Device("srv-1")
	if len(d.Parts) != 2 || !d.Read {
		t.Fatalf("parts %+v read %v, want two parts, all read", d.Parts, d.Read)
	}
	p := d.Part("srv-1/psu/1")
	if p.Condition != component.Failed || p.Source != ipmi || p.Others[url].Condition != component.OK {
		t.Errorf("merged: %v from %s, others %v", p.Condition, p.Source, p.Others)
	}
	if got := d.Claims[0].Members; !slices.Equal(got, []component.ID{"srv-1/psu/1", "srv-1/psu/2"}) {
		t.Errorf("the claim's members under their merged ids: %v", got)
	}
	// The one that disagreed falls silent: the other's word counts.
	for range 3 {
		n := noAnswer(time.Minute)
		n.Target = ipmi
		s.Apply(n)
	}
	if p := s.Device("srv-1").Part("srv-1/psu/1"); p.Condition != component.OK || p.Silent {
		t.Errorf("a silent target's word outweighs a fresh one: %v silent %v", p.Condition, p.Silent)
	}
}

func TestPartsOfOneTargetAreNeverTheSame(t *testing.T) {
	s := newStore()
	a, b := supply("1", component.OK), supply("2", component.Failed)
	a.Attributes = map[string]string{component.Serial: "499255FFB849"}
	b.Attributes = map[string]string{component.Serial: "499255FFB849"}
	a.Aliases, b.Aliases = []string{"Power Supply"}, []string{"Power Supply"}
	s.Apply(poll(0, a, b))
	if n := len(s.Device("srv-1").Parts); n != 2 {
		t.Errorf("%d parts of two with one serial number", n)
	}
	if got := condition(t, s, "srv-1/psu/1"); got != component.OK {
		t.Errorf("psu 1 is %v", got)
	}
}

func TestAnotherMachineAtTheSameAddress(t *testing.T) {
	s := newStore()
	first := poll(0, supply("1", component.OK), supply("2", component.OK))
	first.Device.Serial = "CZ1234"
	s.Apply(first)
	second := poll(time.Hour, supply("1", component.OK))
	second.Device.Serial = "CZ9999"
	s.Apply(second)
	if s.Device("srv-1").Part("srv-1/psu/2") != nil {
		t.Error("the new machine is expected to have the old one's supply")
	}
}

func TestReadingsAreNoFacts(t *testing.T) {
	s := newStore()
	with := func(at time.Duration, watts component.Value) *snapshot.Snapshot {
		c := supply("1", component.OK)
		c.Readings = []component.Reading{{Name: "input_power", Unit: "W", Value: watts}}
		return poll(at, c)
	}
	if _, changed := s.Apply(with(0, 100)); !changed {
		t.Error("the first poll changes nothing")
	}
	if _, changed := s.Apply(with(time.Second, 200)); changed {
		t.Error("a reading counts as a change")
	}
	if got := s.Device("srv-1").Part("srv-1/psu/1").Reading("input_power"); got != 200 {
		t.Errorf("reading is %v", got)
	}
	if device, _ := s.Apply(&snapshot.Snapshot{Target: "snmp://other"}); device != "" {
		t.Errorf("an unknown target belongs to %q", device)
	}
}

func TestLearn(t *testing.T) {
	s := newStore()
	s.Learn("srv-1/group/psu", 2, 400)
	s.Learn("srv-1/group/psu", 1, 300)
	s.Learn("elsewhere/group/psu", 1, 300)
	d := s.Device("srv-1")
	if d.Best["srv-1/group/psu"] != 2 || d.Peaks["srv-1/group/psu"] != 400 {
		t.Errorf("best %v peaks %v", d.Best, d.Peaks)
	}
}

func TestTwins(t *testing.T) {
	device := func(name, uuid, serial string) *Device {
		return &Device{Name: name, Identity: snapshot.Device{UUID: uuid, Serial: serial, Model: "X"}}
	}
	tests := []struct {
		name    string
		devices []*Device
		want    int
	}{
		{"same serial", []*Device{device("a", "", "CZ12345"), device("b", "", "CZ12345")}, 1},
		{"same uuid and serial is said once", []*Device{device("a", "4c4c4544-0001", "CZ12345"), device("b", "4C4C4544-0001", "CZ12345")}, 1},
		{"a dummy", []*Device{device("a", "03000200-0400-0500-0006-000700080009", "To Be Filled By O.E.M."), device("b", "03000200-0400-0500-0006-000700080009", "To Be Filled By O.E.M.")}, 0},
		{"zeros", []*Device{device("a", "00000000-0000-0000-0000-000000000000", "0000000"), device("b", "00000000-0000-0000-0000-000000000000", "0000000")}, 0},
		{"shared by a chassis", []*Device{device("a", "", "CH77777"), device("b", "", "CH77777"), device("c", "", "CH77777")}, 0},
		{"different", []*Device{device("a", "", "CZ12345"), device("b", "", "CZ54321")}, 0},
	}
	for _, tt := range tests {
		if got := TwinsOf(tt.devices); len(got) != tt.want {
			t.Errorf("%s: %v, want %d", tt.name, got, tt.want)
		}
	}
}

// A device that was silent before a restart or a reload is silent after it, until it answers; its last word and what
// was missed are carried along.
func TestSilenceIsCarriedOver(t *testing.T) {
	old := newStore()
	old.Apply(poll(0, supply("1", component.OK)))
	for i := range SilentPolls {
		old.Apply(noAnswer(time.Duration(i+1) * 15 * time.Second))
	}
	silent := func(s *Store) bool { return s.Device("srv-1").Targets[0].Silent }
	if !silent(old) {
		t.Fatal("not silent to begin with")
	}
	reloaded := newStore()
	reloaded.Adopt(old)
	if d := reloaded.Device("srv-1"); !silent(reloaded) || d.Targets[0].Missed != SilentPolls || len(d.Parts) != 1 || !d.Parts[0].Silent {
		t.Errorf("after a reload: %+v", d)
	}
	restarted := newStore()
	restarted.Restore(map[string]Seen{"srv-1": old.Seen("srv-1")})
	if !silent(restarted) {
		t.Error("after a restart it is vouched for")
	}
	restarted.Apply(poll(time.Hour, supply("1", component.OK)))
	if silent(restarted) || len(restarted.Seen("srv-1").Silent) != 0 {
		t.Error("it answered and is still silent")
	}
}
