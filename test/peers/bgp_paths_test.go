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

// TestPaths tries the program against real routers: two upstreams, of which one has its link taken down, withdraws
// everything, comes to share its own upstream with the other, and flaps. Each has to be said within seconds. The routers
// stand in network namespaces of their own; where those are not allowed, on loopback addresses.
func TestPaths(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it takes a minute")
	}
	for _, d := range [][2]string{{"bgpd", "frr"}, {"bird", "bird2"}, {"gobgpd", "gobgpd"}} {
		daemon(t, d[0], d[1])
	}
	where := inNamespaces(t)
	if where == wasThere {
		return
	}
	grounds := func(t *testing.T, number int) ground {
		if where == inside {
			return newFields(t, number)
		}
		return newLoopback(number)
	}
	var all sync.WaitGroup
	defer all.Wait()
	overBMP(t, &all, grounds)
	overSpeakerAtUpstreams(t, &all, grounds)
	overSpeakerAtRouters(t, &all, grounds)
	if where == inside {
		together(t, &all, "BFD", overBFD)
	}
}

// Names of who stands on a ground, besides us.
const (
	router = "edge"
	up1    = "up1"
	up2    = "up2"
)

// begin makes a daemon on a ground, with its sessions.
func begin(t *testing.T, g ground, name string, s speaker, with ...session) *speaker {
	t.Helper()
	s.addr = g.address(name, with[0].with)
	g.place(name, &s)
	for _, w := range with {
		w.addr, w.from = g.address(w.with, name), g.address(name, w.with)
		s.peers = append(s.peers, w.neighbour)
	}
	return startSpeaker(t, s)
}

// session is one with somebody on the same ground; its addresses are the link's.
type session struct {
	with string
	neighbour
}

// overBMP: a router of ours with two upstreams tells of them over BMP.
func overBMP(t *testing.T, all *sync.WaitGroup, grounds func(*testing.T, int) ground) {
	for i, c := range []struct{ router, first, second string }{{"frr", "gobgpd", "bird"}, {"gobgpd", "bird", "frr"}} {
		together(t, all, "BMP/"+c.router, func(t *testing.T) {
			g := grounds(t, 10+i)
			g.join(router, up1)
			g.join(router, up2)
			g.join(router, us)
			station := fmt.Sprintf("%s:%d", g.address(us, router), freeTCP(t))
			w := watch(t, fmt.Sprintf(`
site: ams1
bgp:
  bmp: {listen: "%s", routers: [{device: edge, address: %s}]}
  watch: [{name: internet, prefixes: 0.0.0.0/0}]
  sync: 3s
services: [{name: web, tier: 0, needs: internet}]
`, station, g.source(router, us)))
			begin(t, g, router, speaker{kind: c.router, as: 65010, bmp: station}, session{up1, neighbour{as: 65101, tell: "none"}}, session{up2, neighbour{as: 65102, tell: "none"}})
			begin(t, g, up1, speaker{kind: c.first, as: 65101, told: origins(64501)}, session{router, neighbour{as: 65010}})
			b := begin(t, g, up2, speaker{kind: c.second, as: 65102, told: origins(64502)}, session{router, neighbour{as: 65010}})
			y := story{w: w, victim: b, flap: func() { b.bounce(g.address(router, up2)) }, session: component.ID("edge/bgp_session/" + g.address(up2, router))}
			y.over(g, router).tell(t)
		})
	}
}

// overSpeakerAtUpstreams: two upstreams have the speaker itself for a neighbour.
func overSpeakerAtUpstreams(t *testing.T, all *sync.WaitGroup, grounds func(*testing.T, int) ground) {
	for i, c := range []struct{ first, second string }{{"bird", "frr"}, {"gobgpd", "bird"}, {"frr", "gobgpd"}} {
		together(t, all, "speaker at upstreams/"+c.second, func(t *testing.T) {
			g, port := grounds(t, 20+i), bgpPort+1+i // the program listens on all its links
			g.join(us, up1)
			g.join(us, up2)
			w := watch(t, fmt.Sprintf(`
site: ams1
bgp:
  speaker:
    as: 65010
    router_id: 10.255.255.1
    listen: ":%d"
    neighbours:
      - {device: up1, address: %s, as: 65101, role: upstream}
      - {device: up2, address: %s, as: 65102, hold: 3s}
  watch: [{name: internet, prefixes: 0.0.0.0/0}]
  sync: 3s
services: [{name: web, tier: 0, needs: internet}]
`, port, g.address(up1, us), g.address(up2, us)))
			a := begin(t, g, up1, speaker{kind: c.first, as: 65101, told: origins(64501)}, session{us, neighbour{as: 65010, port: port}})
			b := begin(t, g, up2, speaker{kind: c.second, as: 65102, told: origins(64502)}, session{us, neighbour{as: 65010, port: port}})
			y := story{w: w, victim: b, flap: func() { b.bounce(g.address(us, up2)) }, session: component.ID("up2/bgp_session/" + g.address(up2, us)),
				hears: []hearer{{a, g.address(us, up1)}, {b, g.address(us, up2)}}}
			y.over(g, us).tell(t)
		})
	}
}

// overSpeakerAtRouters: a router of ours with two upstreams has the speaker for a neighbour, as it would have a
// route collector, and gives it every path (add-path). It does not tell how its sessions are: only ways are lost.
func overSpeakerAtRouters(t *testing.T, all *sync.WaitGroup, grounds func(*testing.T, int) ground) {
	for i, c := range []struct{ router, first, second string }{{"frr", "gobgpd", "bird"}, {"bird", "gobgpd", "frr"}, {"gobgpd", "frr", "bird"}} {
		together(t, all, "speaker at routers/"+c.router, func(t *testing.T) {
			g := grounds(t, 30+i)
			g.join(router, up1)
			g.join(router, up2)
			g.join(router, us)
			w := watch(t, fmt.Sprintf(`
site: ams1
bgp:
  speaker: {as: 65010, listen: "%s:%d", neighbours: [{device: edge, address: %s, as: 65010, hold: 3s}]}
  watch: [{name: internet, prefixes: 0.0.0.0/0}]
  sync: 3s
services: [{name: web, tier: 0, needs: internet}]
`, g.address(us, router), bgpPort, g.address(router, us)))
			r := begin(t, g, router, speaker{kind: c.router, as: 65010}, session{up1, neighbour{as: 65101, tell: "none"}}, session{up2, neighbour{as: 65102, tell: "none"}}, session{us, neighbour{as: 65010, tell: "all"}})
			begin(t, g, up1, speaker{kind: c.first, as: 65101, told: origins(64501)}, session{router, neighbour{as: 65010}})
			b := begin(t, g, up2, speaker{kind: c.second, as: 65102, told: origins(64502)}, session{router, neighbour{as: 65010}})
			y := story{w: w, victim: b, hears: []hearer{{r, g.address(us, router)}}}
			y.over(g, router).tell(t)
		})
	}
}

// overBFD: a router has BFD with an upstream behind a switch, so that its own port stays up when the link fails, and a
// long hold time. What BFD finds is told over BMP; where the neighbour's BFD found it, with that for a reason (RFC 9384).
func overBFD(t *testing.T) {
	g := newFields(t, 50)
	g.join(router, up1)
	g.joinOverSwitch(router, up2)
	g.join(router, us)
	station := fmt.Sprintf("%s:%d", g.address(us, router), freeTCP(t))
	w := watch(t, fmt.Sprintf(`
site: ams1
bgp:
  bmp: {listen: "%s", routers: [{device: edge, address: %s}]}
  watch: [{name: internet, prefixes: 0.0.0.0/0}]
  sync: 3s
services: [{name: web, tier: 0, needs: internet}]
`, station, g.address(router, us)))
	a := begin(t, g, router, speaker{kind: "frr", as: 65010, bmp: station}, session{up1, neighbour{as: 65101, tell: "none"}}, session{up2, neighbour{as: 65102, tell: "none", bfd: true}})
	begin(t, g, up1, speaker{kind: "bird", as: 65101, told: origins(64501)}, session{router, neighbour{as: 65010}})
	b := begin(t, g, up2, speaker{kind: "frr", as: 65102, told: origins(64502)}, session{router, neighbour{as: 65010, bfd: true}})
	ready := func(what string) {
		t.Helper()
		w.until(what, patience, clear)
		a.eventuallySays(`"status":"up"`, "show bfd peers json")
		b.eventuallySays(`"status":"up"`, "show bfd peers json")
	}
	ready("two ways, each a spare of the other")
	down := finding.KeyOf(finding.SessionDown, component.ID("edge/bgp_session/"+g.address(up2, router)))

	g.cut(up2, router, b)
	took := w.until("BFD finds that the link is down", soon, func(s *api.Status) bool { return lostFor(s, down) })
	t.Logf("link behind a switch set down, found after %v (BFD 3 x 100 ms, hold timer 90 s): %s", took.Round(time.Millisecond), has(w.Status(), down).Summary)
	g.mend(up2, router, b)
	ready("the link is mended: all is well")

	a.stop("bfdd") // nothing of its BFD arrives any more, all the rest does
	took = w.until("the neighbour's BFD is said to have found it", soon, func(s *api.Status) bool {
		return lostFor(s, down) && strings.HasSuffix(has(s, down).Summary, "cease: BFD down")
	})
	t.Logf("BFD in one direction, found after %v: %s", took.Round(time.Millisecond), has(w.Status(), down).Summary)
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
	hears   []hearer     // who would hear what the program's own speaker announces
	how     string       // its link is cut
	cut     func()
	mend    func()
}

// hearer is a neighbour of the program's speaker, which it sees under an address.
type hearer struct {
	*speaker
	from string
}

// over has the link between the victim and another one cut.
func (y story) over(g ground, other string) story {
	y.how, y.cut, y.mend = g.how(), func() { g.cut(up2, other, y.victim) }, func() { g.mend(up2, other, y.victim) }
	return y
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

	y.cut()
	took := w.until("the link is cut: no spare left, under the session", soon, func(s *api.Status) bool { return lostFor(s, y.key(finding.SessionDown)) })
	t.Logf("link cut (%s), found after %8v (hold timer 3 s)", y.how, took.Round(time.Millisecond))
	y.mend()
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

// flaps has the session reset until it flaps. That its link was cut may count for one time.
func (y story) flaps(t *testing.T) {
	began := time.Now()
	flapping := func(s *api.Status) bool {
		f := has(s, y.key(finding.SessionFlapping))
		return f != nil && f.Pages
	}
	for i := range 3 {
		y.flap()
		y.w.until("the session is down", soon, func(s *api.Status) bool { return !full(s) })
		y.w.until("the session is back", patience, func(s *api.Status) bool { return full(s) || flapping(s) })
		if flapping(y.w.Status()) {
			t.Logf("%d resets to the finding of a flapping session %8v", i+1, time.Since(began).Round(time.Millisecond))
			return
		}
	}
	y.w.until("the session flaps", soon, flapping)
}

// nothingWasAnnounced looks into the neighbours' adj-ins.
func (y story) nothingWasAnnounced(t *testing.T) {
	t.Helper()
	for _, n := range y.hears {
		if heard := n.heardFrom(n.from); heard != "" {
			t.Errorf("%s heard from us:\n%s", n.kind, heard)
		}
	}
}
