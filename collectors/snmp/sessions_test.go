package snmp_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/collectors/snmp"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// madeSession is a neighbour that each of the invented routers has, as far as its MIB can tell.
type madeSession struct {
	peer, as                      string
	condition                     component.Condition
	uptime, transitions, hold     float64
	family                        string
	received, accepted, sent, max float64
}

var madeSessions = []madeSession{
	{"192.0.2.1", "64501", component.OK, 86400, 3, 180, "ipv4", 900500, 900000, 12, 1000000},
	{"192.0.2.2", "64502", component.Failed, 0, 7, 0, "", 0, 0, 0, 0},
	{"192.0.2.3", "64503", component.Absent, 0, 1, 0, "", 0, 0, 0, 0}, // stopped on purpose
	{"2001:db8::1", "4200000001", component.OK, 3600, 1, 90, "ipv6", 200100, 200000, 4, 220000},
	{"2001:db8::2", "64505", component.Failed, 0, 0, 0, "", 0, 0, 0, 0},
}

// TestMadeSessions reads the BGP sessions of invented routers, one of each MIB: by IPv4 and IPv6, up, down and stopped, with
// what each MIB tells of them, and the BFD beside them.
func TestMadeSessions(t *testing.T) {
	set := builtin(t)
	for file, x := range map[string]struct {
		tells string // of: uptime, transitions, hold, received, accepted, sent, max, as6 (of IPv6 neighbours the AS too), six
		bfd   map[string]string
	}{
		"bgp-standard":  {"uptime transitions hold", map[string]string{"192.0.2.1": "up", "192.0.2.2": "down", "192.0.2.3": "admin_down"}},
		"bgp-cisco":     {"uptime transitions hold accepted sent max six as6", map[string]string{"192.0.2.1": "init", "2001:db8::1": "up"}},
		"bgp-cisco-vrf": {"uptime transitions hold six as6", nil}, // sessions in VRFs, of the table that knows them
		"bgp-arista":    {"uptime transitions hold received accepted sent six as6", map[string]string{"192.0.2.1": "up", "2001:db8::1": "down"}},
		"bgp-os10":      {"uptime transitions hold received accepted sent six as6", nil},
		"bgp-os9":       {"uptime transitions received accepted sent six as6", nil},
		"bgp-junos":     {"uptime transitions received accepted sent six as6", map[string]string{"192.0.2.1": "up", "2001:db8::1": "down"}},
		"bgp-nokia":     {"received sent six as6", nil},
		"bgp-huawei":    {"uptime transitions received sent six as6", map[string]string{"192.0.2.1": "down", "192.0.2.3": "admin_down"}},
		"bgp-h3c":       {"uptime4 transitions4 hold4 six", map[string]string{"192.0.2.1": "up", "2001:db8::1": "down"}},
	} {
		t.Run(file, func(t *testing.T) {
			rec, err := recording.Load(filepath.Join("testdata", "made", file+".snmprec"))
			if err != nil {
				t.Fatal(err)
			}
			tried, err := snmp.Try("d", set, rec.SNMP, "")
			if err != nil {
				t.Fatal(err)
			}
			sessions := map[string]*component.Component{}
			for i := range tried.Parsed.Components {
				if c := &tried.Parsed.Components[i]; c.Kind == component.BGPSession {
					sessions[c.ID.Local()] = c
				}
			}
			tells := func(what string, six bool) bool {
				return strings.Contains(" "+x.tells+" ", " "+what+" ") || !six && strings.Contains(" "+x.tells+" ", " "+what+"4 ")
			}
			known := 0
			for _, want := range madeSessions {
				six := strings.Contains(want.peer, ":")
				if six && !tells("six", six) {
					continue
				}
				known++
				c := sessions[want.peer]
				if c == nil {
					t.Errorf("there is no session with %s", want.peer)
					continue
				}
				down := x.bfd[want.peer] == "down" || x.bfd[want.peer] == "init"
				if down && want.condition == component.OK {
					want.condition = component.Impaired
				}
				if c.Condition != want.condition || c.Predicted != down {
					t.Errorf("%s is %s, predicted %v (%s), want %s, %v", want.peer, c.Condition, c.Predicted, c.Why, want.condition, down)
				}
				if (!six || tells("as6", six)) && c.Attributes["remote_as"] != want.as || c.Attributes["bfd"] != x.bfd[want.peer] {
					t.Errorf("%s: AS %q, BFD %q; want %q, %q", want.peer, c.Attributes["remote_as"], c.Attributes["bfd"], want.as, x.bfd[want.peer])
				}
				if hold := c.Attributes["hold_s"]; tells("hold", six) && want.hold > 0 && hold != fmt.Sprint(want.hold) || want.hold == 0 && hold != "" {
					t.Errorf("%s: hold time %q, want %v", want.peer, hold, want.hold)
				}
				for _, r := range []struct {
					tells, reading string
					value          float64
					there          bool
				}{
					{"uptime", "uptime", want.uptime, want.uptime > 0}, {"transitions", "transitions", want.transitions, true},
					{"received", "prefixes_received_" + want.family, want.received, want.family != ""}, {"accepted", "prefixes_accepted_" + want.family, want.accepted, want.family != ""},
					{"sent", "prefixes_advertised_" + want.family, want.sent, want.family != ""}, {"max", "prefixes_limit_" + want.family, want.max, want.family != ""},
				} {
					got := c.Reading(r.reading)
					if there := r.there && tells(r.tells, six); there != got.Known() || there && float64(got) != r.value {
						t.Errorf("%s: %s is %v, want %v (told: %v)", want.peer, r.reading, got, r.value, there)
					}
				}
			}
			if len(sessions) != known {
				t.Errorf("%d sessions, want %d", len(sessions), known)
			}
		})
	}
}
