package lab

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/trap"
)

// TestDevicesSendTraps: each device says what breaks and what is mended, in its own version of SNMP, as long as it has
// power to.
func TestDevicesSendTraps(t *testing.T) {
	d, err := Start(context.Background(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	v3 := d.opt.V3
	lines := make(chan string, 1000)
	r, err := trap.New(trap.Options{Engine: []byte("engine"), Use: func(tr *trap.Trap) trap.Result { lines <- tr.Version + " " + tr.Line(); return trap.Polled },
		Secrets: trap.Secrets{Communities: []secret.Text{secret.New(d.opt.Community)}, Users: []collectors.V3{
			{User: v3.Name, AuthProtocol: v3.AuthProtocol, AuthKey: secret.New(v3.AuthKey), PrivProtocol: v3.PrivProtocol, PrivKey: secret.New(v3.PrivKey)}}}})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := trap.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.Run(ctx, conn) })
	defer wg.Wait()
	defer cancel()
	d.TrapsTo(conn.LocalAddr().(*net.UDPAddr).AddrPort())

	for _, step := range []struct {
		do   func() error
		want []string
	}{
		{func() error { return d.FailSupply("srv-101", 2) }, []string{"1 platform event: power supply 2: failed (critical), sensor 92h"}},
		{func() error { return d.InsertSupply("srv-101", 2) }, []string{"1 platform event: power supply 2: no longer: failed (ok), sensor 92h"}},
		{func() error { return d.PullDrive("srv-102", 1) }, []string{"1 platform event: drive slot, disk 1: no longer: present (non-critical), sensor E1h"}},
		{func() error { return d.LoseUtility("utility-a") }, []string{"3 upsTrapOnBattery: 1.3.6.1.2.1.33.1.2.3.0 = 9, 1.3.6.1.2.1.33.1.2.2.0 = 0"}},
		{func() error { return d.RestoreUtility("utility-a") },
			[]string{"3 upsTrapAlarmEntryRemoved: 1.3.6.1.2.1.33.1.6.2.1.1.1 = 1, 1.3.6.1.2.1.33.1.6.2.1.2.1 = 1.3.6.1.2.1.33.1.6.3.2"}},
		{func() error { return d.SwitchOutlet("pdu-r13-b", 24, false) }, []string{`2c 1.3.6.1.4.1.318.0.269: 1.3.6.1.4.1.318.2.3.3.0 = "Outlet 24"`}},
		{func() error { return d.UnplugCord("srv-112", 1) }, []string{"1 platform event: power supply 1: input lost (critical), sensor B1h"}},
		// What lost all of its power says nothing.
		{func() error { return d.UnplugCord("srv-112", 2) }, nil},
		{func() error { return d.Bypass("ups-a", true) },
			[]string{"3 upsTrapAlarmEntryAdded: 1.3.6.1.2.1.33.1.6.2.1.1.1 = 1, 1.3.6.1.2.1.33.1.6.2.1.2.1 = 1.3.6.1.2.1.33.1.6.3.9"}},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		for _, want := range step.want {
			select {
			case got := <-lines:
				if got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s is not heard; %+v", want, r.Stats())
			}
		}
	}
	select {
	case more := <-lines:
		t.Errorf("and %s", more)
	default:
	}
}
