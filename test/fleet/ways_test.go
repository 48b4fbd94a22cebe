//go:build linux

package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/app"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/lab"
)

// ownNumbers gives a machine and its supplies serial numbers of their own: supplies with the same ones would be those of one
// enclosure.
func ownNumbers(r *lab.Resources, i int) error {
	const power = "/redfish/v1/Chassis/1/Power"
	return errors.Join(
		r.Set(system, "/SerialNumber", fmt.Sprintf("FLEET%06d", i)),
		r.Set(system, "/UUID", fmt.Sprintf("5f1ee700-0000-4000-8000-%012d", i)),
		r.Set(power, "/PowerSupplies/0/SerialNumber", fmt.Sprintf("PA%06d", i)),
		r.Set(power, "/PowerSupplies/1/SerialNumber", fmt.Sprintf("PB%06d", i)))
}

// TestTwoWaysToOneMachine reads machines by Redfish and IPMI over real sockets: one that is declared with both URLs, and one
// of which nobody said that its two BMC addresses are one. Each is one device whose supplies exist once.
func TestTwoWaysToOneMachine(t *testing.T) {
	cert, err := lab.SelfSigned("fleet")
	if err != nil {
		t.Fatal(err)
	}
	base := machine()
	var bmcs []*lab.IPMI
	urls := make([][2]string, 2)
	for i := range urls {
		r := lab.NewResources(base)
		if err := ownNumbers(r, i); err != nil {
			t.Fatal(err)
		}
		s, err := lab.ServeRedfish("127.0.0.1:0", &lab.BMC{Resources: r, User: "fleet", Password: "fleet-secret"}, &cert)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		// The same UUID in SMBIOS' order of bytes, its last digits as a number written in hexadecimal.
		b, err := lab.StartIPMI(lab.IPMIOptions{User: "fleet", Password: "fleet-secret", Sensors: ipmiSensors(),
			GUID: [16]byte{0x00, 0xe7, 0x1e, 0x5f, 0, 0, 0x00, 0x40, 0x80, 0, 0, 0, 0, 0, 0, byte(i)}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		b.States(1, 1)
		b.States(2, 1)
		b.States(3, 1)
		bmcs = append(bmcs, b)
		urls[i] = [2]string{s.URL(), b.URL()}
	}
	dir := t.TempDir()
	text := fmt.Sprintf("credentials:\n  fleet: {user: fleet, password: fleet-secret, tls: {insecure: true}}\ndevices:\n  - {name: srv-1, urls: [%q, %q], credentials: fleet}\n"+
		"  - {name: srv-2, url: %q, credentials: fleet}\n  - {name: mgmt-2, url: %q, credentials: fleet}\nservices:\n  - {name: web, needs: srv-2}\n"+
		"web: {listen: '127.0.0.1:0'}\nstate: {dir: %q}\npoll: {states: 1s, inventory: 1m, timeout: 1s}\n", urls[0][0], urls[0][1], urls[1][0], urls[1][1], filepath.Join(dir, "state"))
	file := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(app.Options{Config: c, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Error(err)
		}
	}()
	supplies := func() string {
		var said []string
		for _, g := range a.Status().Groups {
			if g.Kind == component.PSU {
				said = append(said, fmt.Sprintf("%s %s of %d", g.ID, g.State, len(g.Members)))
			}
		}
		return strings.Join(said, ", ")
	}
	said := func(want string) func() bool {
		return func() bool { t.Helper(); return a.Status().Settled && supplies() == want }
	}
	t.Cleanup(func() { // what it was at the end, where it was not what was waited for
		if t.Failed() {
			t.Log(supplies(), a.Status().Findings)
		}
	})
	wait(t, 20*time.Second, said("srv-1/group/psu full of 2, srv-2/group/psu full of 2"))

	// IPMI says that a supply failed, Redfish that it is well: the worse is believed, and the two words are a finding.
	bmcs[1].States(2, 1|1<<1)
	wait(t, 20*time.Second, func() bool {
		for _, f := range a.Status().Findings {
			if f.Key == "source-mismatch:srv-2/psu/2" && strings.Contains(strings.Join(f.Evidence, "\n"), "Power Supply Failure detected") {
				return true
			}
		}
		return false
	})
	wait(t, 20*time.Second, said("srv-1/group/psu full of 2, srv-2/group/psu lost of 2"))
}
