package redfish_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/lab"
)

// TestTurnsAmongHollowSubsystems: many chassis that have nothing in them (as large machines show) take nobody's turn.
func TestTurnsAmongHollowSubsystems(t *testing.T) {
	const c = "/redfish/v1/Chassis"
	tree := duo(false)
	more, members := map[string]any{}, links(c+"/1")
	for i := range 40 {
		at := fmt.Sprintf("%s/GPU_%d", c, i)
		members = append(members, link(at))
		more[at] = j{"@odata.id": at, "Id": fmt.Sprint("GPU_", i), "ChassisType": "Component", "Status": fine, "PowerSubsystem": link(at + "/PowerSubsystem"), "ThermalSubsystem": link(at + "/ThermalSubsystem")}
		more[at+"/PowerSubsystem"] = j{"@odata.id": at + "/PowerSubsystem", "Status": fine}
		more[at+"/ThermalSubsystem"] = j{"@odata.id": at + "/ThermalSubsystem", "Status": fine}
	}
	more[c] = j{"@odata.id": c, "Members": members}
	for at, body := range raw(more) {
		tree[at] = body
	}
	l, target := watched(t, &lab.BMC{Resources: lab.NewResources(tree), User: user, Password: password})
	s := open(t, target)
	noErrors(t, poll(t, s, collectors.Full))
	l.asked = nil
	for range 16 {
		noErrors(t, poll(t, s, collectors.Fast))
	}
	for _, at := range []string{"/Drives/1", "/Drives/2", "/Volumes/1"} {
		if !asked(l, at) {
			t.Errorf("%s has not had its turn in 16 polls", at)
		}
	}
}

func asked(l *logging, end string) bool {
	for _, a := range l.asked {
		if strings.HasSuffix(strings.TrimSuffix(a, "/"), end) {
			return true
		}
	}
	return false
}

// TestFullAfterTurns: a Full poll asks again what there is, and not once more for what has had its turn since the last one; where
// there was no Fast poll between, it asks for everything.
func TestFullAfterTurns(t *testing.T) {
	const storage = "/redfish/v1/Systems/1/Storage"
	l, target := watched(t, &lab.BMC{Resources: lab.NewResources(duo(false)), User: user, Password: password})
	s := open(t, target)
	for range 2 {
		l.asked = nil
		noErrors(t, poll(t, s, collectors.Full))
		if !asked(l, "/Drives/1") || !asked(l, storage) {
			t.Errorf("a Full poll asked only for %v", l.asked)
		}
	}
	for range 20 {
		noErrors(t, poll(t, s, collectors.Fast))
	}
	l.asked = nil
	snap := poll(t, s, collectors.Full)
	if asked(l, "/Drives/1") && asked(l, "/Drives/2") {
		t.Errorf("both drives were read once more: %v", l.asked)
	}
	for _, at := range []string{storage, "/redfish/v1/Systems", "/redfish/v1/Chassis", "/redfish/v1/Chassis/1/Power"} {
		if !asked(l, at) {
			t.Errorf("%s was not read", at)
		}
	}
	condition(t, snap, "drive/1")
}

// TestOnlyTheNewerFormListsSupplies: beside a Power that only tells what the chassis draws, a supply of the newer form that fails is
// seen in the next poll.
func TestOnlyTheNewerFormListsSupplies(t *testing.T) {
	const c = "/redfish/v1/Chassis/1"
	tree := duo(false)
	sub := c + "/PowerSubsystem"
	for at, body := range raw(map[string]any{
		c:                           j{"@odata.id": c, "ChassisType": "RackMount", "Status": fine, "Power": link(c + "/Power"), "PowerSubsystem": link(sub), "Links": j{"ComputerSystems": links("/redfish/v1/Systems/1")}},
		c + "/Power":                j{"@odata.id": c + "/Power", "PowerControl": []j{{"PowerConsumedWatts": 300}}},
		sub:                         j{"@odata.id": sub, "Status": fine, "PowerSupplies": link(sub + "/PowerSupplies")},
		sub + "/PowerSupplies":      j{"@odata.id": sub + "/PowerSupplies", "Members": links(sub+"/PowerSupplies/PSU1", sub+"/PowerSupplies/PSU2")},
		sub + "/PowerSupplies/PSU1": j{"@odata.id": sub + "/PowerSupplies/PSU1", "Id": "PSU1", "Name": "PSU1", "Status": fine},
		sub + "/PowerSupplies/PSU2": j{"@odata.id": sub + "/PowerSupplies/PSU2", "Id": "PSU2", "Name": "PSU2", "Status": fine},
	}) {
		tree[at] = body
	}
	bmc, target := serve(t, tree)
	s := open(t, target)
	noErrors(t, poll(t, s, collectors.Full))
	if err := bmc.Resources.Set(sub+"/PowerSupplies/PSU2", "/Status/Health", "Critical"); err != nil {
		t.Fatal(err)
	}
	if p := condition(t, poll(t, s, collectors.Fast), "psu/2"); p.Condition != component.Failed {
		t.Errorf("psu/2 is %s (%s)", p.Condition, p.Why)
	}
}
