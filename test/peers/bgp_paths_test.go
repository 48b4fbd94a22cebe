package peers

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
)

// soon is how long a finding may take that is said to come within seconds; the hold timers here are 3 s.
const soon = 12 * time.Second

// patience is how long daemons may take to start and to find each other.
const patience = 30 * time.Second

const waysGroup = component.ID("bgp/group/path-internet")

// full reports whether both ways work.
func full(s *api.Status) bool {
	state, spares := groupState(s, waysGroup)
	return state == engine.Full && spares == 1
}

// lostFor reports whether the ways have no spare left, under the finding with that key.
func lostFor(s *api.Status, root finding.Key) bool {
	f := has(s, finding.KeyOf(finding.RedundancyLost, waysGroup))
	return f != nil && f.Under == root && (root == "" || has(s, root) != nil && has(s, root).Pages)
}

// clear reports whether nothing stands of what a story raised.
func clear(s *api.Status) bool {
	return full(s) && !slices.ContainsFunc(s.Findings, func(f finding.Finding) bool {
		return f.Rule == finding.SessionDown || f.Rule == finding.SessionSilent || f.Rule == finding.RedundancyLost
	})
}

// sharedBy reports whether the ways are said to share an AS.
func sharedBy(s *api.Status, as string) bool {
	for _, f := range s.Findings {
		if f.Rule == finding.FalseRedundancy && slices.ContainsFunc(f.Causes, func(c finding.Cause) bool { return c.ID == component.ID("bgp/upstream/"+as) }) {
			return strings.Contains(f.Summary, as)
		}
	}
	return false
}

// The upstreams that every story has: who they are does not matter, what they say does.
func origins(behind uint32) []origin {
	return []origin{{"0.0.0.0/0", []uint32{behind}}, {"203.0.113.0/24", []uint32{behind, 64700}}}
}

// TestPaths tries the program against real routers: two upstreams, of which one has its link cut, withdraws everything,
// comes to share its own upstream with the other, and flaps. Each has to be said within seconds.
func TestPaths(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it takes a minute")
	}
	var all sync.WaitGroup
	defer all.Wait()
	overBMP(t, &all)
	overSpeakerAtUpstreams(t, &all)
	overSpeakerAtRouters(t, &all)
}

// overBMP: a router of ours with two upstreams tells of them over BMP.
func overBMP(t *testing.T, all *sync.WaitGroup) {
	for i, c := range []struct{ router, first, second string }{{"frr", "gobgpd", "bird"}, {"gobgpd", "bird", "frr"}} {
		together(t, all, "BMP/"+c.router, func(t *testing.T) {
			station := fmt.Sprintf("127.0.0.1:%d", freeTCP(t))
			w := watch(t, fmt.Sprintf(`
site: ams1
bgp:
  bmp: {listen: "%s", routers: [{device: edge, address: 127.0.0.1}]}
  watch: [{name: internet, prefixes: 0.0.0.0/0}]
  sync: 5s
services: [{name: web, tier: 0, needs: internet}]
`, station))
			at := network(10 + i)
			startSpeaker(t, speaker{kind: c.router, addr: at(1), as: 65010, bmp: station, peers: []neighbour{{addr: at(2), as: 65101, tell: "none"}, {addr: at(3), as: 65102, tell: "none"}}})
			startSpeaker(t, speaker{kind: c.first, addr: at(2), as: 65101, told: origins(64501), peers: []neighbour{{addr: at(1), as: 65010}}})
			b := startSpeaker(t, speaker{kind: c.second, addr: at(3), as: 65102, told: origins(64502), peers: []neighbour{{addr: at(1), as: 65010}}})
			story{w: w, victim: b, flap: func() { b.bounce(at(1)) }, session: component.ID("edge/bgp_session/" + at(3))}.tell(t)
		})
	}
}

// overSpeakerAtUpstreams: two upstreams have the speaker itself for a neighbour.
func overSpeakerAtUpstreams(t *testing.T, all *sync.WaitGroup) {
	for i, c := range []struct{ first, second string }{{"bird", "frr"}, {"gobgpd", "bird"}, {"frr", "gobgpd"}} {
		together(t, all, "speaker at upstreams/"+c.second, func(t *testing.T) {
			at := network(20 + i)
			w := watch(t, fmt.Sprintf(`
site: ams1
bgp:
  speaker:
    as: 65010
    listen: "%s:%d"
    neighbours:
      - {device: up1, address: %s, as: 65101, role: upstream}
      - {device: up2, address: %s, as: 65102, hold: 3s}
  watch: [{name: internet, prefixes: 0.0.0.0/0}]
  sync: 5s
services: [{name: web, tier: 0, needs: internet}]
`, at(9), bgpPort, at(2), at(3)))
			a := startSpeaker(t, speaker{kind: c.first, addr: at(2), as: 65101, told: origins(64501), peers: []neighbour{{addr: at(9), as: 65010}}})
			b := startSpeaker(t, speaker{kind: c.second, addr: at(3), as: 65102, told: origins(64502), peers: []neighbour{{addr: at(9), as: 65010}}})
			story{w: w, victim: b, flap: func() { b.bounce(at(9)) }, session: component.ID("up2/bgp_session/" + at(3)), hears: []*speaker{a, b}, from: at(9)}.tell(t)
		})
	}
}

// overSpeakerAtRouters: a router of ours with two upstreams has the speaker for a neighbour, as it would have a
// route collector, and gives it every path (add-path). It does not tell how its sessions are: only ways are lost.
func overSpeakerAtRouters(t *testing.T, all *sync.WaitGroup) {
	for i, c := range []struct{ router, first, second string }{{"frr", "gobgpd", "bird"}, {"bird", "gobgpd", "frr"}, {"gobgpd", "frr", "bird"}} {
		together(t, all, "speaker at routers/"+c.router, func(t *testing.T) {
			at := network(30 + i)
			w := watch(t, fmt.Sprintf(`
site: ams1
bgp:
  speaker: {as: 65010, listen: "%s:%d", neighbours: [{device: edge, address: %s, as: 65010, hold: 3s}]}
  watch: [{name: internet, prefixes: 0.0.0.0/0}]
  sync: 5s
services: [{name: web, tier: 0, needs: internet}]
`, at(9), bgpPort, at(1)))
			r := startSpeaker(t, speaker{kind: c.router, addr: at(1), as: 65010, peers: []neighbour{
				{addr: at(2), as: 65101, tell: "none"}, {addr: at(3), as: 65102, tell: "none"}, {addr: at(9), as: 65010, tell: "all"}}})
			startSpeaker(t, speaker{kind: c.first, addr: at(2), as: 65101, told: origins(64501), peers: []neighbour{{addr: at(1), as: 65010}}})
			b := startSpeaker(t, speaker{kind: c.second, addr: at(3), as: 65102, told: origins(64502), peers: []neighbour{{addr: at(1), as: 65010}}})
			story{w: w, victim: b, hears: []*speaker{r}, from: at(9)}.tell(t)
		})
	}
}

// together runs stories beside each other: they wait most of the time. t.Parallel would run as many as there are
// processors.
func together(t *testing.T, all *sync.WaitGroup, name string, f func(*testing.T)) {
	all.Go(func() { t.Run(name, f) })
}

// network gives addresses of a network of a test's own on loopback.
func network(n int) func(host int) string {
	return func(host int) string { return fmt.Sprintf("127.9.%d.%d", n, host) }
}

// story is what happens to the second of two upstreams, and what has to be said of it.
type story struct {
	w       *watcher
	victim  *speaker
	session component.ID // the victim's; "" where nobody tells of it, so that only its way is lost
	flap    func()       // makes the session go down and come back
	hears   []*speaker   // who would hear what the program's own speaker announces
	from    string       // the program's speaker
}

func (y story) key(r finding.Rule) finding.Key {
	if y.session == "" {
		return ""
	}
	return finding.KeyOf(r, y.session)
}

func (y story) tell(t *testing.T) {
	w, b := y.w, y.victim
	w.until("two ways, each a spare of the other", patience, full)
	y.nothingWasAnnounced(t)

	b.cut()
	took := w.until("the link is cut: no spare left, under the session", soon, func(s *api.Status) bool { return lostFor(s, y.key(finding.SessionDown)) })
	t.Logf("link cut, found after                   %8v (hold timer 3 s)", took.Round(time.Millisecond))
	b.mend()
	w.until("the link is mended: all is well", patience, clear)

	b.withdrawAll()
	took = w.until("everything is withdrawn: no spare left, the session stays up", soon, func(s *api.Status) bool { return lostFor(s, y.key(finding.SessionSilent)) })
	t.Logf("all withdrawn, found after              %8v", took.Round(time.Millisecond))
	for _, o := range origins(64502) {
		b.announceAgain(o)
	}
	w.until("all is announced again: all is well", patience, clear)
	y.nothingWasAnnounced(t)

	b.announceAgain(origin{"0.0.0.0/0", []uint32{64501}})
	took = w.until("both ways go through AS64501", soon, func(s *api.Status) bool { return sharedBy(s, "AS64501") })
	t.Logf("shared upstream, found after            %8v", took.Round(time.Millisecond))
	b.announceAgain(origin{"0.0.0.0/0", []uint32{64502}})
	w.until("they do not any more", soon, func(s *api.Status) bool { return !sharedBy(s, "AS64501") && full(s) })

	if y.flap != nil {
		y.flaps(t)
	}
	y.nothingWasAnnounced(t)
}

func (y story) flaps(t *testing.T) {
	began := time.Now()
	for i := range 3 {
		y.flap()
		y.w.until("the session is down", soon, func(s *api.Status) bool { return !full(s) })
		if i < 2 {
			y.w.until("the session is back", patience, full)
		}
	}
	y.w.until("the session flaps", soon+patience, func(s *api.Status) bool {
		f := has(s, y.key(finding.SessionFlapping))
		return f != nil && f.Pages
	})
	t.Logf("the first of three flaps to the finding %8v", time.Since(began).Round(time.Millisecond))
}

// nothingWasAnnounced looks into the neighbours' adj-ins.
func (y story) nothingWasAnnounced(t *testing.T) {
	t.Helper()
	for _, n := range y.hears {
		if heard := n.heardFrom(y.from); heard != "" {
			t.Errorf("%s heard from us:\n%s", n.kind, heard)
		}
	}
}
