// Package demo checks that the simulated datacenter, its configuration and the collectors understand each other.
package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/redfish"
	"github.com/sparewatch/sparewatch/collectors/snmp"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

type watch struct {
	t  *testing.T
	dc *lab.Datacenter
	// sessions by device
	sessions map[string]collectors.Session
}

func start(t *testing.T) *watch {
	t.Helper()
	dc, err := lab.Start(context.Background(), lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dc.Close() })
	file := filepath.Join(t.TempDir(), "lab.yaml")
	if err := os.WriteFile(file, []byte(dc.Config()), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatalf("%v\n%s", err, dc.Config())
	}
	for _, w := range cfg.Warnings {
		t.Log(w)
	}
	profiles, err := snmp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	w := &watch{t, dc, map[string]collectors.Session{}}
	for _, d := range cfg.Devices {
		for _, target := range d.Targets {
			var c collectors.Collector = redfish.Collector{}
			if strings.HasPrefix(target.URL, "snmp") {
				c = snmp.Collector{Profiles: profiles}
			}
			s, err := c.Open(target)
			if err != nil {
				t.Fatal(err)
			}
			w.sessions[d.Name] = s
			t.Cleanup(func() { s.Close(context.Background()) })
		}
	}
	if len(w.sessions) != len(dc.Devices()) {
		t.Fatalf("%d of %d devices are configured", len(w.sessions), len(dc.Devices()))
	}
	return w
}

func (w *watch) poll(device string, scope collectors.Scope) *snapshot.Snapshot {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	sn := w.sessions[device].Poll(ctx, scope)
	if sn.Reachable {
		for _, e := range sn.Errors {
			w.t.Errorf("%s: %s: %s", device, e.At, e.Error)
		}
	}
	return sn
}

// is compares what a fast poll says of a component.
func (w *watch) is(id component.ID, want string) {
	w.t.Helper()
	sn := w.poll(id.Device(), collectors.Fast)
	if got := says(sn, id); got != want {
		w.t.Errorf("%s is %q, want %q", id, got, want)
	}
}

func says(sn *snapshot.Snapshot, id component.ID) string {
	if !sn.Reachable {
		return "silent"
	}
	for _, c := range sn.Components {
		if c.ID == id {
			got := c.Condition.String()
			for _, f := range []struct {
				set  bool
				name string
			}{{c.Predicted, "predicted"}, {c.Standby, "standby"}, {c.InputLost, "input_lost"}, {c.Rebuilding, "rebuilding"}, {c.Attributes[component.OnBattery] == "true", "on_battery"}} {
				if f.set {
					got += " " + f.name
				}
			}
			return got
		}
	}
	return "not there"
}

func (w *watch) do(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestWhatIsDeclaredIsThere(t *testing.T) {
	w := start(t)
	for _, name := range w.dc.Devices() {
		sn := w.poll(name, collectors.Full)
		var kinds []string
		switch {
		case strings.HasPrefix(name, "srv"):
			kinds = []string{"host/1", "psu/1", "psu/2"}
		case strings.HasPrefix(name, "ups"):
			kinds = []string{"ups/1", "inlet/1", "battery/1"}
		default:
			kinds = []string{"pdu/1", "inlet/1", "bank/1", "bank/2", "outlet/1", "outlet/24"}
		}
		for _, k := range kinds {
			if got := says(sn, component.ID(name+"/"+k)); got != "ok" {
				t.Errorf("%s/%s is %q", name, k, got)
			}
		}
		for _, c := range sn.Components {
			if c.Condition != component.OK {
				t.Errorf("%s is %s: %s", c.ID, c.Condition, c.Why)
			}
		}
	}
}

func TestWhatHappensIsSeen(t *testing.T) {
	w := start(t)
	for _, name := range w.dc.Devices() {
		w.poll(name, collectors.Full)
	}
	psu := func(server, slot int) component.ID { return component.ID(fmt.Sprintf("srv-%d/psu/%d", server, slot)) }
	for server := 101; server <= 103; server++ { // one of each make
		name := fmt.Sprintf("srv-%d", server)
		w.do(w.dc.FailSupply(name, 2))
		w.is(psu(server, 2), "failed")
		w.do(w.dc.InsertSupply(name, 2))
		w.is(psu(server, 2), "ok")
		w.do(w.dc.PullSupply(name, 2))
		w.is(psu(server, 2), "absent")
		w.do(w.dc.InsertSupply(name, 2))
		w.do(w.dc.UnplugCord(name, 2))
		w.is(psu(server, 2), "ok input_lost")
		w.do(w.dc.MoveCord(name, 2, "pdu-r12-b", server-100))
		w.is(psu(server, 2), "ok")
	}
	w.do(w.dc.LoseFeed("feed-a"))
	w.is("pdu-r12-a/pdu/1", "silent")
	w.is("srv-105/host/1", "impaired")     // its BMC says Warning
	w.is("srv-105/psu/2", "ok input_lost") // declared on the other feed
	w.is("srv-105/psu/4", "ok")
	w.is("srv-112/psu/1", "ok input_lost")
	w.is("srv-112/psu/2", "ok")
	w.do(w.dc.RestoreFeed("feed-a"))
	w.is("pdu-r12-a/pdu/1", "ok")
	w.is("srv-105/host/1", "ok")
	w.do(w.dc.LoseUtility("utility-a"))
	w.is("ups-a/ups/1", "impaired predicted on_battery")
	w.is("ups-a/inlet/1", "ok input_lost")
	w.do(w.dc.RestoreUtility("utility-a"))
	w.is("ups-a/ups/1", "ok")
	w.do(w.dc.SwitchOutlet("pdu-r12-b", 4, false))
	w.is("pdu-r12-b/outlet/4", "ok standby")
	w.is("srv-104/psu/2", "ok input_lost")
	w.do(w.dc.SwitchOutlet("pdu-r12-b", 4, true))
}
