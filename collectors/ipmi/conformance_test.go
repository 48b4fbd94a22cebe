package ipmi_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/conformance"
	"github.com/sparewatch/sparewatch/collectors/ipmi"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// twoSupplies is a server with two supplies, a redundancy sensor over them, and two fans.
var twoSupplies = []lab.IPMISensor{
	{Number: 1, Entity: 10, Instance: 1, Name: "PS1 Status", Type: 0x08, Event: 0x6f},
	{Number: 2, Entity: 10, Instance: 2, Name: "PS2 Status", Type: 0x08, Event: 0x6f},
	{Number: 3, Entity: 21, Instance: 1, Name: "Pwr Unit Redund", Type: 0x09, Event: 0x0b},
	{Number: 4, Entity: 29, Instance: 1, Name: "System Fan 1", Type: 0x04, Event: 1, Unit: 18, Scale: 60},
	{Number: 5, Entity: 29, Instance: 2, Name: "System Fan 2", Type: 0x04, Event: 1, Unit: 18, Scale: 60},
}

func start(t testing.TB) *lab.IPMI {
	t.Helper()
	b, err := lab.ServeIPMI("", "monitor", "secret", twoSupplies)
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

func target(url, password string) collectors.Target {
	return collectors.Target{URL: url, Credentials: collectors.Credentials{User: "monitor", Password: secret.New(password)}}
}

func TestConformance(t *testing.T) {
	conformance.Run(t, ipmi.Collector{},
		conformance.Server{Name: "two supplies", Want: conformance.Healthy,
			Start: func(t testing.TB) collectors.Target { return target(start(t).URL(), "secret") }},
		conformance.Server{Name: "wrong password", Want: conformance.Denied,
			Start: func(t testing.TB) collectors.Target { return target(start(t).URL(), "wrong") }},
		conformance.Server{Name: "wrong user", Want: conformance.Denied,
			Start: func(t testing.TB) collectors.Target {
				x := target(start(t).URL(), "secret")
				x.Credentials.User = "nobody"
				return x
			}},
		conformance.Server{Name: "forged, garbled and repeated answers", Want: conformance.Healthy,
			Start: func(t testing.TB) collectors.Target {
				return target("ipmi://"+forger(t, start(t).URL()[len("ipmi://"):]), "secret")
			}},
		conformance.Nobody("ipmi"),
		conformance.SilentUDP("ipmi"),
		conformance.GarbageUDP("ipmi"),
	)
}

// forger stands between the collector and the BMC: before each true answer it sends the answer with one byte changed,
// the answer before it again, a datagram of noise and a cut one. Nothing of that may be believed.
func forger(t testing.TB, bmc string) string {
	t.Helper()
	front, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	backs := map[string]net.Conn{}
	t.Cleanup(func() {
		_ = front.Close()
		mu.Lock()
		for _, b := range backs {
			_ = b.Close()
		}
		mu.Unlock()
		wait.Wait()
	})
	answer := func(back net.Conn, to net.Addr) {
		defer wait.Done()
		var last []byte
		for b := make([]byte, 4096); ; {
			n, err := back.Read(b)
			if err != nil {
				return
			}
			forged := append([]byte(nil), b[:n]...)
			forged[n-1] ^= 1
			for _, d := range [][]byte{forged, last, []byte("\x06\x00\xff\x07\x06\xc0noise that is long enough to be read"), b[:n/2]} {
				if len(d) > 0 {
					_, _ = front.WriteTo(d, to)
				}
			}
			last = append(last[:0], b[:n]...)
			_, _ = front.WriteTo(b[:n], to)
		}
	}
	wait.Add(1)
	go func() {
		defer wait.Done()
		for b := make([]byte, 4096); ; {
			n, from, err := front.ReadFrom(b)
			if err != nil {
				return
			}
			mu.Lock()
			back, ok := backs[from.String()]
			if !ok {
				if back, err = net.Dial("udp", bmc); err != nil {
					mu.Unlock()
					return
				}
				backs[from.String()] = back
				wait.Add(1)
				go answer(back, from)
			}
			mu.Unlock()
			_, _ = back.Write(b[:n])
		}
	}()
	return front.LocalAddr().String()
}

// TestSupplyFollowed: what the BMC says changes from poll to poll, and the condition follows within one.
func TestSupplyFollowed(t *testing.T) {
	b := start(t)
	x := target(b.URL(), "secret")
	x.Device, x.Timeout = "srv", time.Second
	s, err := ipmi.Collector{}.Open(x)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close(context.Background()) }()
	look := func(scope collectors.Scope) (component.Component, snapshot.Claim, int) {
		t.Helper()
		sn := s.Poll(context.Background(), scope)
		for _, c := range sn.Components {
			if c.ID == "srv/psu/2" {
				return c, sn.Claims[0], sn.Requests
			}
		}
		t.Fatalf("no srv/psu/2: %+v, errors %v", sn.Components, sn.Errors)
		return component.Component{}, snapshot.Claim{}, 0
	}
	psu, claim, first := look(collectors.Full)
	if psu.Condition != component.OK || psu.InputLost || claim.State != snapshot.ClaimFull {
		t.Fatalf("at first: %+v, %+v", psu.Status, claim)
	}
	b.States(2, 1|1<<3)
	b.States(3, 1<<1)
	psu, claim, then := look(collectors.Fast)
	if psu.Condition != component.OK || !psu.InputLost || claim.State != snapshot.ClaimLost {
		t.Fatalf("cord pulled: %+v, %+v", psu.Status, claim)
	}
	if want := 1 + len(twoSupplies) + 2; then != want { // chassis status, each sensor, and what the log tells of the change
		t.Errorf("a fast poll after a change sent %d requests, want %d (the first sent %d)", then, want, first)
	}
	if _, _, then = look(collectors.Fast); then != 1+len(twoSupplies) {
		t.Errorf("a fast poll without a change sent %d requests, want %d", then, 1+len(twoSupplies))
	}
	b.Unavailable(2)
	if psu, _, _ = look(collectors.Fast); psu.Condition != component.Unknown {
		t.Fatalf("reading unavailable: %+v", psu.Status)
	}
}
