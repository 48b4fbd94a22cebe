package peers

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	edge "github.com/sparewatch/sparewatch/collectors/bgp"
	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// lookAt looks at a router once, as `sparewatch inspect` does.
func lookAt(t *testing.T, device, url string) *snapshot.Snapshot {
	t.Helper()
	s, err := edge.Collector{}.Open(collectors.Target{Device: device, URL: url})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	return s.Poll(ctx, collectors.Full)
}

func sessionsOf(sn *snapshot.Snapshot) map[component.ID]component.Condition {
	m := map[component.ID]component.Condition{}
	for _, c := range sn.Components {
		if c.Kind == component.BGPSession || c.Kind == component.Path {
			m[c.ID] = c.Condition
		}
	}
	return m
}

// TestGobgpdsAPI: a gobgpd is asked for its sessions and paths, once and for good.
func TestGobgpdsAPI(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it takes a while")
	}
	at := network(40)
	g := startSpeaker(t, speaker{kind: "gobgpd", addr: at(1), as: 65010, peers: []neighbour{{addr: at(2), as: 65101, tell: "none"}, {addr: at(3), as: 65102, tell: "none"}, {addr: at(4), as: 65103, tell: "none"}}})
	startSpeaker(t, speaker{kind: "bird", addr: at(2), as: 65101, told: origins(64501), peers: []neighbour{{addr: at(1), as: 65010}}})
	b := startSpeaker(t, speaker{kind: "frr", addr: at(3), as: 65102, told: origins(64502), peers: []neighbour{{addr: at(1), as: 65010}}})
	w := watch(t, fmt.Sprintf(`
site: ams1
devices: [{name: edge, urls: ["gobgp://%s"]}]
bgp: {watch: [{name: internet, prefixes: 0.0.0.0/0}], sync: 5s}
services: [{name: web, tier: 0, needs: internet}]
`, at(1)))
	w.until("two ways", patience, full)
	sn := lookAt(t, "edge", "gobgp://"+at(1))
	got := sessionsOf(sn)
	for id, want := range map[component.ID]component.Condition{
		component.ID("edge/bgp_session/" + at(2)): component.OK, component.ID("edge/bgp_session/" + at(3)): component.OK, component.ID("edge/bgp_session/" + at(4)): component.Failed,
		component.ID("edge/path/default-ipv4/edge/" + at(2)): component.OK, component.ID("edge/path/default-ipv4/edge/" + at(3)): component.OK,
	} {
		if got[id] != want {
			t.Errorf("%s is %s, want %s (%v)", id, got[id], want, sn.Errors)
		}
	}
	b.cut()
	took := w.until("the link is cut", soon, func(s *api.Status) bool {
		return lostFor(s, finding.Key("session-down:edge/bgp_session/"+at(3)))
	})
	t.Logf("link cut, found over gobgpd's API after %s (hold timer 3 s)", took.Round(time.Millisecond))
	b.mend()
	w.until("the link is mended", patience, clear)
	b.withdrawAll()
	took = w.until("everything is withdrawn", soon, func(s *api.Status) bool { return lostFor(s, finding.Key("session-silent:edge/bgp_session/"+at(3))) })
	t.Logf("all withdrawn, found after %s", took.Round(time.Millisecond))
	for _, o := range origins(64502) {
		b.announceAgain(o)
	}
	w.until("all is announced again", patience, clear)
	g.kill()
	w.until("without its API it is unknown what works", soon, func(s *api.Status) bool {
		state, _ := groupState(s, waysGroup)
		return state.String() == "unknown"
	})
	if sn := lookAt(t, "edge", "gobgp://"+at(1)); sn.Reachable || len(sn.Errors) == 0 || sn.Errors[0].Hint == "" {
		t.Errorf("a gobgpd that is gone is %+v", sn)
	}
}

// TestLooks: one look at routers that send BMP, and at one that has us for a neighbour.
func TestLooks(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it takes a while")
	}
	at := network(41)
	station := fmt.Sprintf("127.0.0.1:%d", freeTCP(t))
	startSpeaker(t, speaker{kind: "frr", addr: at(1), as: 65010, bmp: station, peers: []neighbour{{addr: at(2), as: 65101}, {addr: at(9), as: 65010, tell: "all", passive: true}}})
	startSpeaker(t, speaker{kind: "bird", addr: at(2), as: 65101, told: origins(64501), peers: []neighbour{{addr: at(1), as: 65010}}})
	sn := lookAt(t, "127.0.0.1", "bmp://"+station)
	if got := sessionsOf(sn); got[component.ID("127.0.0.1/bgp_session/"+at(2))] != component.OK || got[component.ID("127.0.0.1/path/default-ipv4/127.0.0.1/"+at(2))] != component.OK {
		t.Errorf("over BMP: %v %v", got, sn.Errors)
	}
	sn = lookAt(t, at(1), fmt.Sprintf("bgp://%s:%d?as=65010&local=%s", at(1), bgpPort, at(9)))
	if got := sessionsOf(sn); got[component.ID(at(1)+"/path/default-ipv4/AS65101/192.0.2.2")] != component.OK && len(got) < 2 {
		t.Errorf("over BGP: %v %v", got, sn.Errors)
	}
	t.Log(sessionsOf(sn))
}
