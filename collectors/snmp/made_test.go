package snmp_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/collectors/snmp"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// TestMadeDevices reads invented devices, for standard MIBs that no recording of a real one fills in.
func TestMadeDevices(t *testing.T) {
	set, err := snmp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][]string{
		"bundles.snmprec": {
			"port/1 ok", "port/2 failed ifOperStatus is down(2)", "port/3 ok", "port/4 ok+standby dot3adAggPortActorOperState: notDistributing ()",
			"port/5 absent stoppedByIntent", "port/lag/bond1 ok", "port/lag/bond2 ok", "port/lag/bond3 absent stoppedByIntent",
			"port-bond1 needs 1 of port/1 port/2 carries port/lag/bond1", "port-bond2 needs 1 of port/3 port/4 carries port/lag/bond2",
		},
		"first-hop.snmprec": {
			"router/hsrp-3.10 ok", "router/hsrp-3.10-active ok", "router/hsrp-3.10-standby ok+standby cHsrpGrpStandbyRouter is 10.0.0.3",
			"router/hsrp-3.11-standby failed noStandbyRouter", "router/hsrp-5.1 failed cHsrpGrpStandbyState is initial(1)",
			"router/vrrp-10.2 ok+standby vrrpOperState is backup(2)", "router/vrrp-11.1 failed vrrpOperState is initialize(1)", "router/vrrp-10.1.1 ok",
			"router-hsrp-3.11 needs 1 of router/hsrp-3.11-active router/hsrp-3.11-standby carries ",
		},
	} {
		t.Run(file, func(t *testing.T) {
			rec, err := recording.Load(filepath.Join("testdata", "made", file))
			if err != nil {
				t.Fatal(err)
			}
			tried, err := snmp.Try("d", set, rec.SNMP, "")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range tried.Parsed.Components {
				state := c.Condition.String()
				if c.Standby {
					state += "+standby"
				}
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s/%s %s %s", c.Kind, c.ID.Local(), state, c.Why)))
			}
			for _, c := range tried.Parsed.Claims {
				var members []string
				for _, m := range c.Members {
					members = append(members, strings.TrimPrefix(string(m), "d/"))
				}
				got = append(got, fmt.Sprintf("%s needs %d of %s carries %s", c.Group.Local(), c.Needed, strings.Join(members, " "), strings.TrimPrefix(string(c.Carries), "d/")))
			}
			for _, w := range want {
				if !slices.Contains(got, w) {
					t.Errorf("there is no %q in\n%s", w, strings.Join(got, "\n"))
				}
			}
		})
	}
}
