package bgp

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors/snmp"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/state"
)

// What a router's SNMP agent says of two sessions (BGP4-MIB): one is established, one is being tried.
const agent = `1.3.6.1.2.1.1.1.0|4|a router
1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.99999.1
1.3.6.1.2.1.1.5.0|4|edge
1.3.6.1.2.1.15.3.1.2.192.0.2.1|2|6
1.3.6.1.2.1.15.3.1.2.192.0.2.2|2|3
1.3.6.1.2.1.15.3.1.3.192.0.2.1|2|2
1.3.6.1.2.1.15.3.1.3.192.0.2.2|2|2
1.3.6.1.2.1.15.3.1.9.192.0.2.1|2|64501
1.3.6.1.2.1.15.3.1.9.192.0.2.2|2|64502
1.3.6.1.2.1.15.3.1.16.192.0.2.1|66|4711
`

// TestSNMPAndBMPAreOne: a session that the router's SNMP agent lists and that its BMP stream tells of is one component,
// with what both say of it.
func TestSNMPAndBMPAreOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "edge.snmprec")
	if err := os.WriteFile(file, []byte(agent), 0o600); err != nil {
		t.Fatal(err)
	}
	rec, err := recording.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := snmp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	tried, err := snmp.Try("edge", profiles, rec.SNMP, "")
	if err != nil {
		t.Fatal(err)
	}
	h, got := startStation(t, StationOptions{})
	h.mu.Lock()
	h.o.Main = func(string) component.ID { return "edge/switch/1" } // what the agent's profile may call it
	h.mu.Unlock()
	c := dial(t, h)
	write(t, c, initiation(t), peerUp(t, 1), announce(t, 1, "0.0.0.0/0"))
	eventually(t, "BMP tells of the session", func() bool { return part(got.of("edge"), "edge/bgp_session/192.0.2.1") != nil })

	store := state.New([]state.Target{{URL: "snmp://edge", Device: "edge", Interval: time.Second}, {URL: "bmp://127.0.0.1", Device: "edge", Interval: time.Second}})
	polled := tried.Snapshot
	polled.Target, polled.Reachable, polled.At = "snmp://edge", true, time.Now()
	store.Apply(polled)
	store.Apply(got.of("edge"))
	var sessions []state.Part
	for _, p := range store.Device("edge").Parts {
		if p.Kind == component.BGPSession {
			sessions = append(sessions, p)
		}
		if p.ID == "edge/router/1" {
			t.Error("BMP gives the device a second main component")
		}
	}
	if len(sessions) != 2 {
		t.Fatalf("%d sessions: %+v", len(sessions), sessions)
	}
	if s := sessions[0]; s.Condition != component.OK || s.Reading("prefixes") != 1 || s.Attributes["remote_as"] != "64501" || s.Attributes["admin"] != "start" || len(s.Others) != 0 {
		t.Errorf("the session is %+v", s)
	}
	if s := sessions[1]; s.ID != "edge/bgp_session/192.0.2.2" || s.Condition != component.Failed {
		t.Errorf("the other is %+v", s)
	}
}
