package snmp_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/snmp"
	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

const (
	apcPDU    = "1.3.6.1.4.1.318.1.1.26"
	outlets   = apcPDU + ".9.2.3.1"
	outletOn  = outlets + ".5" // rPDU2OutletSwitchedStatusState
	bankState = apcPDU + ".8.3.1.4"
)

// rack is a PDU's agent with so many outlets, and what may be changed in it.
type rack struct {
	objects *lab.Objects
	agent   *lab.Agent
}

func (r rack) number(oid string, n int64) { r.objects.Set(mustOID(oid), recording.IntValue(n)) }
func (r rack) text(oid, s string)         { r.objects.Set(mustOID(oid), recording.StringValue(s)) }
func (r rack) gone(oid string)            { r.objects.Delete(mustOID(oid)) }

func mustOID(s string) recording.OID {
	o, err := recording.ParseOID(s)
	if err != nil {
		panic(err) // written here
	}
	return o
}

func (r rack) outlet(n int) {
	i := fmt.Sprint(n)
	r.number(apcPDU+".9.2.2.1.5."+i, 1)
	r.number(apcPDU+".9.2.2.1.6."+i, 1)
	r.number(outlets+".2."+i, 1)
	r.text(outlets+".3."+i, "Outlet "+i)
	r.number(outlets+".4."+i, int64(n))
	r.number(outletOn+"."+i, 2)
}

func (r rack) noOutlet(n int) {
	for _, column := range []string{apcPDU + ".9.2.2.1.5", apcPDU + ".9.2.2.1.6", outlets + ".2", outlets + ".3", outlets + ".4", outletOn} {
		r.gone(fmt.Sprintf("%s.%d", column, n))
	}
}

func newRack(outlets int) rack {
	r := rack{objects: lab.NewObjects(nil)}
	r.agent = &lab.Agent{Objects: r.objects}
	r.text("1.3.6.1.2.1.1.1.0", "APC Web/SNMP Management Card")
	r.objects.Set(mustOID("1.3.6.1.2.1.1.2.0"), recording.OIDValue(mustOID("1.3.6.1.4.1.318.1.3.4.6")))
	r.text("1.3.6.1.2.1.1.5.0", "rack")
	for oid, n := range map[string]int64{
		".4.2.1.7.1": 1, ".4.2.1.9.1": 32, ".4.3.1.2.1": 1, ".4.3.1.4.1": 2, ".4.3.1.5.1": 187, ".4.3.1.12.1": 1, ".4.3.1.13.1": 1, ".6.3.1.2.1": 1, ".6.3.1.3.1": 1,
		".6.3.1.4.1": 2, ".6.3.1.5.1": 81, ".6.3.1.6.1": 231, ".8.2.1.4.1": 1, ".8.2.1.5.1": 16, ".8.3.1.2.1": 1, ".8.3.1.3.1": 1, ".8.3.1.4.1": 2, ".8.3.1.5.1": 40,
	} {
		r.number(apcPDU+oid, n)
	}
	r.text(apcPDU+".2.1.8.1", "AP8853")
	r.text(apcPDU+".2.1.9.1", "5A1234E56789")
	r.text(apcPDU+".4.3.1.3.1", "rack")
	for i := range outlets {
		r.outlet(i + 1)
	}
	// What stands behind the PDU's own tree, as on most devices.
	r.number("1.3.6.1.4.1.99999.1.0", 1)
	return r
}

var profiles = sync.OnceValues(func() (*mibs.Set, error) { return snmp.Builtin() })

func open(t testing.TB, url, version string) collectors.Session {
	t.Helper()
	set, err := profiles()
	if err != nil {
		t.Fatal(err)
	}
	s, err := snmp.Collector{Profiles: set}.Open(collectors.Target{
		Device: "pdu", URL: url, Timeout: 100 * time.Millisecond, Credentials: collectors.Credentials{Version: version},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

func poll(t testing.TB, s collectors.Session, scope collectors.Scope) *snapshot.Snapshot {
	t.Helper()
	sn := s.Poll(context.Background(), scope)
	if !sn.Reachable || len(sn.Errors) > 0 {
		t.Fatalf("reachable %v, errors %+v", sn.Reachable, sn.Errors)
	}
	return sn
}

func local(sn *snapshot.Snapshot, id string) *component.Component {
	i := slices.IndexFunc(sn.Components, func(c component.Component) bool { return c.ID == component.ID("pdu/"+id) })
	if i < 0 {
		return nil
	}
	return &sn.Components[i]
}

// TestSweep follows what changes in a device that is read again and again.
func TestSweep(t *testing.T) {
	for _, version := range []string{"1", "2c"} {
		t.Run("v"+version, func(t *testing.T) {
			r := newRack(24)
			s := open(t, serve(t, r.agent), version)
			first := poll(t, s, collectors.Full)
			again, states := poll(t, s, collectors.Full), poll(t, s, collectors.Fast)
			t.Logf("packets: %d the first time, %d again, %d for the states", first.Requests, again.Requests, states.Requests)
			if again.Requests > 6 || states.Requests > 2 || !reflect.DeepEqual(first.Components, again.Components) {
				t.Errorf("the second poll took %d packets, that of the states %d; or what they say differs", again.Requests, states.Requests)
			}
			r.number(outletOn+".7", 1)
			r.number(bankState+".1", 4)
			if sn := poll(t, s, collectors.Fast); !local(sn, "outlet/7").Standby || local(sn, "bank/1").Condition != component.Impaired {
				t.Errorf("an outlet switched off and a bank overloaded: %+v, %+v", local(sn, "outlet/7"), local(sn, "bank/1"))
			}
			r.text(outlets+".3.9", "Spare")
			if sn := poll(t, s, collectors.Full); local(sn, "outlet/9").Name != "Spare" {
				t.Errorf("renamed: %+v", local(sn, "outlet/9"))
			}
			r.outlet(25)
			if sn := poll(t, s, collectors.Fast); local(sn, "outlet/25") == nil {
				t.Error("a new outlet behind the last is not seen by the next poll of the states")
			}
			r.noOutlet(12)
			if sn := poll(t, s, collectors.Fast); local(sn, "outlet/12") != nil || local(sn, "outlet/13") == nil {
				t.Error("an outlet that is gone is still there")
			}
			r.outlet(12)
			if sn := poll(t, s, collectors.Fast); local(sn, "outlet/12") == nil {
				t.Error("a new outlet between others is not seen")
			}
			r.number(apcPDU+".8.3.1.2.2", 1)
			r.number(apcPDU+".8.3.1.3.2", 2)
			r.number(apcPDU+".8.3.1.4.2", 4)
			if sn := poll(t, s, collectors.Fast); local(sn, "bank/2") == nil || local(sn, "bank/2").Condition != component.Impaired {
				t.Error("a new bank is not seen")
			}
			if sn := poll(t, s, collectors.Fast); sn.Requests > 2 {
				t.Errorf("after all that a poll of the states takes %d packets", sn.Requests)
			}
		})
	}
}

// TestSweepOfAnotherDevice: behind the same address stands another make now.
func TestSweepOfAnotherDevice(t *testing.T) {
	r := newRack(8)
	s := open(t, serve(t, r.agent), "2c")
	poll(t, s, collectors.Full)
	r.objects.Set(mustOID("1.3.6.1.2.1.1.2.0"), recording.OIDValue(mustOID("1.3.6.1.4.1.99999.1")))
	r.text("1.3.6.1.2.1.1.1.0", "Acme")
	for i := range 8 {
		r.noOutlet(i + 1)
	}
	if sn := s.Poll(context.Background(), collectors.Full); len(sn.Errors) == 0 && sn.Device.Vendor == "" {
		t.Errorf("another device answers, and nobody noticed: %+v", sn.Device)
	} else if local(sn, "outlet/1") != nil {
		t.Error("its outlets are the old one's")
	}
}

// TestSilenceOfAnUnknownDevice: a device of which nothing is read is asked all the same whether it is there.
func TestSilenceOfAnUnknownDevice(t *testing.T) {
	t.Parallel()
	r := rack{objects: lab.NewObjects(nil)}
	r.agent = &lab.Agent{Objects: r.objects}
	r.text("1.3.6.1.2.1.1.1.0", "Acme")
	r.objects.Set(mustOID("1.3.6.1.2.1.1.2.0"), recording.OIDValue(mustOID("1.3.6.1.4.1.99999.1")))
	s := open(t, serve(t, r.agent), "2c")
	for _, scope := range []collectors.Scope{collectors.Full, collectors.Fast} {
		if sn := s.Poll(context.Background(), scope); !sn.Reachable || len(sn.Errors) == 0 {
			t.Fatalf("reachable %v, errors %+v", sn.Reachable, sn.Errors)
		}
	}
	r.gone("1.3.6.1.2.1.1.2.0")
	if sn := s.Poll(context.Background(), collectors.Fast); !sn.Reachable {
		t.Errorf("it answers, if only that it has no such thing: %+v", sn.Errors)
	}
	r.agent.Inject(lab.SNMPFaults{Silent: true})
	for _, scope := range []collectors.Scope{collectors.Fast, collectors.Full} {
		if sn := s.Poll(context.Background(), scope); sn.Reachable {
			t.Error("nobody answers, and it is called reachable")
		}
	}
}

// TestSweepOfSmallAnswers: an agent whose answers hold little is asked for less, and stays so.
func TestSweepOfSmallAnswers(t *testing.T) {
	r := newRack(24)
	r.agent.MaxSize = 700
	s := open(t, serve(t, r.agent), "2c")
	want := poll(t, s, collectors.Full)
	for range 4 {
		got := poll(t, s, collectors.Full)
		if !reflect.DeepEqual(want.Components, got.Components) {
			t.Fatal("it reads otherwise than at first")
		}
		want = got
	}
	if want.Requests > 14 {
		t.Errorf("%d packets at the end", want.Requests)
	}
	if states := poll(t, s, collectors.Fast); states.Requests > 4 {
		t.Errorf("%d packets for the states", states.Requests)
	}
}

// TestSweepAfterSilence: a device that was away is swept again, and one that is silent to long questions is asked short ones.
func TestSweepAfterSilence(t *testing.T) {
	t.Parallel()
	r := newRack(24)
	s := open(t, serve(t, r.agent), "2c")
	whole := poll(t, s, collectors.Full)
	r.agent.Inject(lab.SNMPFaults{Silent: true})
	for range 2 {
		if sn := s.Poll(context.Background(), collectors.Fast); sn.Reachable {
			t.Fatal("nobody answers, and it is called reachable")
		}
	}
	r.agent.Inject(lab.SNMPFaults{})
	if sn := poll(t, s, collectors.Fast); sn.Requests > 2 || !reflect.DeepEqual(sn.Components, whole.Components) {
		t.Errorf("back again, it takes %d packets, or reads otherwise", sn.Requests)
	}
	if sn := poll(t, s, collectors.Full); sn.Requests > 6 {
		t.Errorf("back again, everything takes %d packets", sn.Requests)
	}
	// From now on it is silent where a sweep asks for an outlet.
	r.agent.Inject(lab.SNMPFaults{Silent: true, Below: mustOID(outletOn + ".3")})
	first, second := s.Poll(context.Background(), collectors.Fast), s.Poll(context.Background(), collectors.Fast)
	if first.Reachable || !second.Reachable {
		t.Errorf("reachable %v and %v, want the second time only: the device answers other questions", first.Reachable, second.Reachable)
	}
	for _, c := range whole.Components {
		if i := slices.IndexFunc(second.Components, func(x component.Component) bool { return x.ID == c.ID }); i < 0 || second.Components[i].Condition == component.Absent {
			t.Errorf("%s is gone", c.ID)
		}
	}
}

// TestSweepBrokenOff: an agent that stops in the middle has lost no part.
func TestSweepBrokenOff(t *testing.T) {
	for n := range 5 {
		t.Run(fmt.Sprintf("after %d answers", n+1), func(t *testing.T) {
			t.Parallel()
			r := newRack(24)
			s := open(t, serve(t, r.agent), "2c")
			whole := poll(t, s, collectors.Full)
			again := poll(t, s, collectors.Full)
			r.agent.Inject(lab.SNMPFaults{AnswerOnly: n + 1})
			sn := s.Poll(context.Background(), collectors.Full)
			if sn.Reachable && len(sn.Errors) == 0 && n+1 < again.Requests {
				t.Error("no error")
			}
			for _, c := range whole.Components {
				i := slices.IndexFunc(sn.Components, func(x component.Component) bool { return x.ID == c.ID })
				if sn.Reachable && (i < 0 || sn.Components[i].Condition == component.Absent) {
					t.Errorf("%s is gone", c.ID)
				}
			}
			r.agent.Inject(lab.SNMPFaults{})
			if sn := poll(t, s, collectors.Full); !reflect.DeepEqual(sn.Components, whole.Components) {
				t.Error("healed, it reads otherwise than at first")
			}
		})
	}
}

// TestSweepReadsWhatAWalkReads changes a device at random: a session that knows it reads what one reads that does not.
func TestSweepReadsWhatAWalkReads(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	r := newRack(6)
	url := serve(t, r.agent)
	s := open(t, url, "2c")
	swept := 0
	for round := range 150 {
		switch n := rnd.IntN(10) + 1; rnd.IntN(9) {
		case 0:
			r.outlet(n)
		case 1:
			r.noOutlet(n)
		case 2:
			r.gone(fmt.Sprintf("%s.%d.%d", outlets, 2+rnd.IntN(4), n))
		case 3:
			r.number(fmt.Sprintf("%s.%d", outletOn, n), int64(rnd.IntN(4)))
		case 4:
			r.number(fmt.Sprintf("%s.8.3.1.%d.%d", apcPDU, 2+rnd.IntN(4), 1+rnd.IntN(3)), int64(rnd.IntN(5)))
		case 5:
			r.text(fmt.Sprintf("%s.3.%d", outlets, n), fmt.Sprint("name ", rnd.IntN(5)))
		case 6: // an object that no profile knows
			r.number(fmt.Sprintf("%s.%d.%d.%d.0", apcPDU, 2+rnd.IntN(8), 7, n), 1)
		case 7:
			r.gone(fmt.Sprintf("%s.6.3.1.%d.1", apcPDU, 2+rnd.IntN(4)))
		case 8:
			r.number(fmt.Sprintf("%s.6.3.1.%d.1", apcPDU, 2+rnd.IntN(4)), int64(rnd.IntN(300)))
		}
		if round%3 == 1 {
			s.Poll(context.Background(), collectors.Fast)
		}
		got, want := s.Poll(context.Background(), collectors.Full), open(t, url, "2c").Poll(context.Background(), collectors.Full)
		if !reflect.DeepEqual(got.Components, want.Components) || !reflect.DeepEqual(got.Links, want.Links) || !reflect.DeepEqual(got.Device, want.Device) {
			t.Fatalf("round %d: a sweep reads\n%+v\na walk\n%+v", round, got.Components, want.Components)
		}
		if got.Requests < want.Requests/2 {
			swept++
		}
	}
	if t.Logf("%d of 150 polls were sweeps", swept); swept < 30 {
		t.Error("too few to show anything")
	}
}
