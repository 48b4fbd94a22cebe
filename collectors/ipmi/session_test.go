package ipmi_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/ipmi"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// startWith starts a BMC with two working supplies.
func startWith(t testing.TB, o lab.IPMIOptions) *lab.IPMI {
	t.Helper()
	o.User, o.Password = "monitor", "secret"
	if o.Sensors == nil {
		o.Sensors = twoSupplies
	}
	b, err := lab.StartIPMI(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	b.States(1, 1)
	b.States(2, 1)
	b.States(3, 1)
	b.Value(4, 100, 0)
	b.Value(5, 100, 0)
	return b
}

func open(t testing.TB, x collectors.Target) collectors.Session {
	t.Helper()
	x.Device, x.Timeout = "srv", time.Second
	s, err := ipmi.Collector{}.Open(x)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

func part(t testing.TB, sn *snapshot.Snapshot, id component.ID) component.Component {
	t.Helper()
	for _, c := range sn.Components {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("no %s in %+v, errors %v", id, sn.Components, sn.Errors)
	return component.Component{}
}

// TestLogIsEvidence: the log tells beside a part what happened to it, with the time set right; it makes no condition,
// and nothing of it is left when it is cleared.
func TestLogIsEvidence(t *testing.T) {
	b := startWith(t, lab.IPMIOptions{})
	b.Log(0, 3*time.Hour, 0xfffb) // a clock that is ahead, and numbers that go round
	now := time.Now().Truncate(time.Second)
	for i := range 5 {
		b.Event(now.Add(time.Duration(i-10)*time.Hour), 2, 0x08, 0x6f, 1) // failures of long ago
	}
	b.Event(now.Add(-time.Hour), 1, 0x08, 0x6f, 0)
	s := open(t, target(b.URL(), "secret"))
	sn := s.Poll(context.Background(), collectors.Full)
	second := part(t, sn, "srv/psu/2")
	if second.Condition != component.OK {
		t.Errorf("a failure in the log made it %v", second.Condition)
	}
	lines := strings.Split(second.Attributes[component.EventLog], "\n")
	if len(lines) != 3 || !near(lines[0], now.Add(-6*time.Hour)) || !strings.Contains(lines[0], " ahead now, said "+now.Add(-3*time.Hour).UTC().Format(time.RFC3339)) || !strings.Contains(lines[0], "Failure detected") {
		t.Errorf("the log beside psu/2: %q", lines)
	}
	if log := part(t, sn, "srv/psu/1").Attributes[component.EventLog]; !strings.Contains(log, "Presence detected") {
		t.Errorf("the log beside psu/1: %q", log)
	}

	// Only what is new is read, and at once when something changed.
	b.Event(now, 2, 0x08, 0x6f, 3)
	b.States(2, 1|1<<3)
	before := b.Requests()
	sn = s.Poll(context.Background(), collectors.Fast)
	if log := part(t, sn, "srv/psu/2").Attributes[component.EventLog]; !strings.Contains(strings.Split(log, "\n")[0], "input lost (AC/DC)") {
		t.Errorf("after its cord was pulled: %q", log)
	}
	if sent, want := b.Requests()-before, 1+len(twoSupplies)+2+2; sent != want { // info, time, the last record seen and the new one
		t.Errorf("%d requests, want %d", sent, want)
	}

	b.ClearLog(now)
	b.Event(now, 1, 0x08, 0x6f, 0)
	sn = s.Poll(context.Background(), collectors.Full)
	if log, ok := part(t, sn, "srv/psu/2").Attributes[component.EventLog]; ok {
		t.Errorf("after the log was cleared: %q", log)
	}
	if sel := part(t, sn, "srv/host/1").Attributes["sel"]; !strings.Contains(sel, "cleared") {
		t.Errorf("the host says of its log %q", sel)
	}
}

// near reports whether a line begins with a time: clocks of whole seconds are compared.
func near(line string, want time.Time) bool {
	text, _, _ := strings.Cut(line, " ")
	got, err := time.Parse(time.RFC3339, strings.TrimSuffix(text, ":"))
	return err == nil && got.Sub(want).Abs() <= 2*time.Second
}

func TestLogIsFull(t *testing.T) {
	b := startWith(t, lab.IPMIOptions{})
	b.Log(2, 0, 0)
	for range 3 {
		b.Event(time.Now(), 2, 0x08, 0x6f, 1)
	}
	sn := open(t, target(b.URL(), "secret")).Poll(context.Background(), collectors.Full)
	if sel := part(t, sn, "srv/host/1").Attributes["sel"]; sel != "full (2 entries): events were lost" {
		t.Errorf("the host says of its log %q", sel)
	}
}

// TestSupplyTellsItsName: a supply's own record gives its maker, serial number and rating, whichever number it has.
func TestSupplyTellsItsName(t *testing.T) {
	b := startWith(t, lab.IPMIOptions{
		Records: [][]byte{lab.IPMILocator(7, 10, 2, "PS2 FRU"), lab.IPMILocator(9, 10, 3, "PS3 FRU"), lab.IPMILocator(6, 10, 1, "PS1 FRU")},
		FRUs: map[byte][]byte{0: lab.IPMIProduct("Acme", "Server 1", "SRV0815", 0), 7: lab.IPMIProduct("Delta", "DPS-750", "D4711", 750),
			6: lab.IPMIProduct("Delta", "PWR SPLY,495W,RDNT", "....", 0)},
		GUID: [16]byte{0x78, 0x56, 0x34, 0x12, 0x34, 0x12, 0x34, 0x42, 0x81, 0x23, 1, 2, 3, 4, 5, 6},
	})
	sn := open(t, target(b.URL(), "secret")).Poll(context.Background(), collectors.Full)
	if d := sn.Device; d.Vendor != "Acme" || d.Model != "Server 1" || d.Serial != "SRV0815" || d.UUID != "12345678-1234-4234-8123-010203040506" {
		t.Errorf("the device is %+v", d)
	}
	p := part(t, sn, "srv/psu/2")
	if p.Attributes[component.Serial] != "D4711" || p.Attributes[component.Model] != "DPS-750" || p.Rating == nil || p.Rating.Watts != 750 {
		t.Errorf("psu/2: %+v, %+v", p.Attributes, p.Rating)
	}
	p = part(t, sn, "srv/psu/1")
	if _, ok := p.Attributes[component.Serial]; ok || p.Rating == nil || p.Rating.Watts != 495 {
		t.Errorf("psu/1: %+v, %+v", p.Attributes, p.Rating)
	}
	for _, c := range sn.Components {
		if c.ID == "srv/psu/3" {
			t.Error("a record of a supply that no sensor speaks of made one")
		}
	}
}

// TestPlainBMC: a BMC without FRU data and with an empty log has nothing that could not be read.
func TestPlainBMC(t *testing.T) {
	b := startWith(t, lab.IPMIOptions{})
	s := open(t, target(b.URL(), "secret"))
	for _, scope := range []collectors.Scope{collectors.Full, collectors.Fast, collectors.Full} {
		if sn := s.Poll(context.Background(), scope); !sn.Reachable || len(sn.Errors) > 0 {
			t.Fatalf("reachable %v, errors %+v", sn.Reachable, sn.Errors)
		}
	}
}

// TestRestartInTheMiddle: a BMC that starts again knows no session; the same poll opens another.
func TestRestartInTheMiddle(t *testing.T) {
	b := startWith(t, lab.IPMIOptions{})
	s := open(t, target(b.URL(), "secret"))
	if sn := s.Poll(context.Background(), collectors.Full); !sn.Reachable {
		t.Fatal(sn.Errors)
	}
	if err := b.Restart(); err != nil {
		t.Fatal(err)
	}
	if sn := s.Poll(context.Background(), collectors.Fast); !sn.Reachable || len(sn.Errors) > 0 || len(sn.Components) < 3 {
		t.Fatalf("after the BMC's restart: reachable %v, %v", sn.Reachable, sn.Errors)
	}
	if n := b.Sessions(); n != 1 {
		t.Errorf("%d sessions are open, want 1", n)
	}
	if err := s.Close(context.Background()); err != nil || b.Sessions() != 0 {
		t.Errorf("after Close: %v, %d sessions are open", err, b.Sessions())
	}
}

// refusal is the one error of a poll that could read nothing.
func refusal(t *testing.T, s collectors.Session) snapshot.Error {
	t.Helper()
	sn := s.Poll(context.Background(), collectors.Full)
	if sn.Reachable || len(sn.Errors) != 1 || strings.Contains(sn.Errors[0].Error+sn.Errors[0].Hint, "\n") {
		t.Fatalf("reachable %v, errors %+v", sn.Reachable, sn.Errors)
	}
	return sn.Errors[0]
}

func TestRefusals(t *testing.T) {
	b := startWith(t, lab.IPMIOptions{Sessions: 2})
	before := b.Requests()
	e := refusal(t, open(t, target(b.URL(), "wrong")))
	if e.Class != snapshot.ClassAuth || !strings.Contains(e.Error, "refuses this user or password") {
		t.Errorf("wrong password: %+v", e)
	}
	// Nothing was tried with the wrong password: the BMC's own proof did not match it, so no lock-out can come of it.
	if n := b.Requests() - before; n > 1 {
		t.Errorf("wrong password: %d commands", n)
	}
	x := target(b.URL(), "secret")
	x.Credentials.User = "nobody"
	if e = refusal(t, open(t, x)); e.Class != snapshot.ClassAuth || !strings.Contains(e.Hint, `"nobody"`) {
		t.Errorf("no such user: %+v", e)
	}
	b = startWith(t, lab.IPMIOptions{Privilege: 1})
	if e = refusal(t, open(t, target(b.URL(), "secret"))); e.Class != snapshot.ClassAuth || !strings.Contains(e.Hint, "privilege level User") {
		t.Errorf("wrong privilege: %+v", e)
	}
}

func TestSlotsExhausted(t *testing.T) {
	b := startWith(t, lab.IPMIOptions{Sessions: 2})
	var held []collectors.Session
	for range 2 {
		s := open(t, target(b.URL(), "secret"))
		if sn := s.Poll(context.Background(), collectors.Full); !sn.Reachable {
			t.Fatal(sn.Errors)
		}
		held = append(held, s)
	}
	third := open(t, target(b.URL(), "secret"))
	if e := refusal(t, third); e.Class != snapshot.ClassUnreachable || !strings.Contains(e.Error, "all sessions of the BMC are taken") {
		t.Errorf("no session free: %+v", e)
	}
	if err := held[0].Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if sn := third.Poll(context.Background(), collectors.Full); !sn.Reachable {
		t.Errorf("a session is free again: %v", sn.Errors)
	}
}

// TestChassisFaults: the chassis's own word on its power reaches the host.
func TestChassisFaults(t *testing.T) {
	b := startWith(t, lab.IPMIOptions{})
	b.Chassis(0x08|0x02, 0x01|0x08, 0x08)
	host := part(t, open(t, target(b.URL(), "secret")).Poll(context.Background(), collectors.Full), "srv/host/1")
	for _, words := range []string{"main power fault", "power overload", "cooling fault"} {
		if !strings.Contains(host.Why, words) {
			t.Errorf("the host says %q, not %q", host.Why, words)
		}
	}
	if host.Condition != component.Impaired || host.Attributes["last_power_event"] != "AC failed, power fault" {
		t.Errorf("the host is %v, its last power event %q", host.Condition, host.Attributes["last_power_event"])
	}
}

// TestAssociation: a redundancy sensor of a container speaks of what is in it.
func TestAssociation(t *testing.T) {
	sensors := []lab.IPMISensor{
		{Number: 1, Entity: 10, Instance: 1, Name: "PS1 Status", Type: 0x08, Event: 0x6f},
		{Number: 2, Entity: 10, Instance: 2, Name: "PS2 Status", Type: 0x08, Event: 0x6f},
		{Number: 3, Entity: 19, Instance: 1, Name: "Sys Power Redund", Type: 0x09, Event: 0x0b},
		{Number: 4, Entity: 10, Instance: 3, Name: "PS3 Status", Type: 0x08, Event: 0x6f},
		{Number: 5, Entity: 10, Instance: 4, Name: "PS4 Status", Type: 0x08, Event: 0x6f},
		{Number: 6, Entity: 19, Instance: 2, Name: "GPU Power Redund", Type: 0x09, Event: 0x0b},
		{Number: 7, Entity: 20, Instance: 1, Name: "VRM Redundancy", Type: 0x09, Event: 0x0b},
	}
	b := startWith(t, lab.IPMIOptions{Sensors: sensors, Records: [][]byte{
		lab.IPMIAssociation([2]byte{19, 1}, [2]byte{10, 1}, [2]byte{10, 2}), lab.IPMIAssociation([2]byte{19, 2}, [2]byte{10, 3}, [2]byte{10, 4}),
	}})
	for n, states := range map[byte]uint16{4: 1, 5: 1, 6: 2, 7: 2} {
		b.States(n, states)
	}
	sn := open(t, target(b.URL(), "secret")).Poll(context.Background(), collectors.Full)
	if len(sn.Claims) != 2 {
		t.Fatalf("claims: %+v", sn.Claims)
	}
	for i, want := range []string{"srv/psu/1 srv/psu/2 full", "srv/psu/3 srv/psu/4 lost"} {
		c := sn.Claims[i]
		got := ""
		for _, m := range c.Members {
			got += string(m) + " "
		}
		if got+string(c.State) != want {
			t.Errorf("claim %d: %s%s, want %s", i, got, c.State, want)
		}
	}
}

// TestPortClosed: a host that answers that nothing listens is said to do so, without the words of the socket.
func TestPortClosed(t *testing.T) {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.LocalAddr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	e := refusal(t, open(t, target("ipmi://"+address, "secret")))
	_, port, _ := net.SplitHostPort(address)
	if want := "refused: nothing listens on port " + port + " of 127.0.0.1"; e.Error != want || e.Class != snapshot.ClassUnreachable {
		t.Errorf("%+v, want %q", e, want)
	}
}
