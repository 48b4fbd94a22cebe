//go:build linux

package fleet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/app"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"go.uber.org/goleak"
)

// TestNothingIsLeft: the daemon polls twenty BMCs of each kind, the half of which is restarted in between, and is stopped. No
// goroutine of it and no session at any BMC is left.
func TestNothingIsLeft(t *testing.T) {
	var text strings.Builder
	text.WriteString("credentials:\n  fleet: {user: fleet, password: fleet-secret, tls: {insecure: true}}\ndevices:\n")
	cert, err := lab.SelfSigned("fleet")
	if err != nil {
		t.Fatal(err)
	}
	var redfish []*lab.RedfishServer
	var ipmi []*lab.IPMI
	defer func() {
		for _, s := range redfish {
			_ = s.Close()
		}
		for _, b := range ipmi {
			_ = b.Close()
		}
	}()
	base := machine()
	for i := range 20 {
		r := lab.NewResources(base)
		if err := ownNumbers(r, i); err != nil {
			t.Fatal(err)
		}
		s, err := lab.ServeRedfish("127.0.0.1:0", &lab.BMC{Resources: r, User: "fleet", Password: "fleet-secret"}, &cert)
		if err != nil {
			t.Fatal(err)
		}
		redfish = append(redfish, s)
		b, err := lab.StartIPMI(lab.IPMIOptions{User: "fleet", Password: "fleet-secret", Sensors: ipmiSensors()})
		if err != nil {
			t.Fatal(err)
		}
		b.States(1, 1)
		b.States(2, 1)
		ipmi = append(ipmi, b)
		fmt.Fprintf(&text, "  - {name: r-%d, url: %q, credentials: fleet}\n  - {name: i-%d, url: %q, credentials: fleet}\n", i, s.URL(), i, b.URL())
	}
	dir := t.TempDir()
	fmt.Fprintf(&text, "web: {listen: '127.0.0.1:0'}\nstate: {dir: %q}\npoll: {states: 1s, inventory: 1m, timeout: 1s}\n", filepath.Join(dir, "state"))
	file := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	before := goleak.IgnoreCurrent()
	a, err := app.New(app.Options{Config: c, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	held := func() bool {
		for i := range redfish {
			if o, _ := redfish[i].Sessions(); o == 0 || ipmi[i].Sessions() == 0 {
				return false
			}
		}
		return true
	}
	t.Cleanup(func() {
		if t.Failed() {
			for i := range redfish {
				o, all := redfish[i].Sessions()
				t.Logf("%d: %d of %d, %d; requests %d %d", i, o, all, ipmi[i].Sessions(), redfish[i].Requests(), ipmi[i].Requests())
			}
		}
	})
	wait(t, 20*time.Second, held)
	for i := range 10 {
		redfish[i].DropSessions()
		if err := ipmi[i].Restart(); err != nil {
			t.Fatal(err)
		}
	}
	wait(t, 20*time.Second, held)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for i := range redfish {
		if o, _ := redfish[i].Sessions(); o > 1 || ipmi[i].Sessions() > 1 {
			t.Errorf("%d sessions are open at r-%d and %d at i-%d, one is enough", o, i, ipmi[i].Sessions(), i)
		}
	}
	if err := a.Stop(ctx); err != nil {
		t.Error(err)
	}
	for i := range redfish {
		if open, _ := redfish[i].Sessions(); open > 0 {
			t.Errorf("%d sessions are left at r-%d", open, i)
		}
		if open := ipmi[i].Sessions(); open > 0 {
			t.Errorf("%d sessions are left at i-%d", open, i)
		}
	}
	// What the simulators do for connections and datagrams that are just over is none of the daemon's.
	goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("net/http.(*conn).serve"), goleak.IgnoreAnyFunction("github.com/bougou/go-ipmi/pkg/server.(*Server).handlePacket"),
		goleak.IgnoreAnyFunction("github.com/bougou/go-ipmi/pkg/server.(*Server).Serve"), goleak.IgnoreAnyFunction("github.com/bougou/go-ipmi/pkg/server.(*Server).runSessionEviction"))
}
