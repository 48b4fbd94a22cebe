package paths_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/bmp"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/paths"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// seq is an AS path of one sequence.
func seq(asns ...bgp.ASN) bgp.Path { return bgp.Path{{Type: bgp.Sequence, ASNs: asns}} }

// announce is an UPDATE with one path for the prefixes.
func announce(path bgp.Path, prefixes ...string) *bgp.Update {
	u := &bgp.Update{Attrs: bgp.Attributes{ASPath: path, NextHop: netip.MustParseAddr("192.0.2.1")}, MPNextHop: netip.MustParseAddr("2001:db8::1")}
	for _, p := range prefixes {
		u.Announced = append(u.Announced, bgp.NLRI{Prefix: pfx(p), SAFI: 1})
		if pfx(p).Addr().Is4() {
			u.Classic++
		}
	}
	return u
}

func withdraw(prefixes ...string) *bgp.Update {
	u := &bgp.Update{}
	for _, p := range prefixes {
		u.Withdrawn = append(u.Withdrawn, bgp.NLRI{Prefix: pfx(p), SAFI: 1})
	}
	return u
}

func ended() *bgp.Update { return &bgp.Update{Ended: []bgp.Family{bgp.IPv4Unicast, bgp.IPv6Unicast}} }

func key(router, peer string) paths.Key {
	return paths.Key{Router: router, Peer: netip.MustParseAddr(peer)}
}

// two is a network of AS 64500 with an upstream at each of two routers.
func two(o paths.Options) *paths.Table {
	t := paths.New(o)
	t.Up(key("r1", "203.0.113.1"), paths.Info{PeerAS: 64510, LocalAS: 64500}, start)
	t.Up(key("r2", "203.0.113.5"), paths.Info{PeerAS: 64520, LocalAS: 64500}, start)
	return t
}

var defaultRoute = paths.Options{Sets: []paths.Set{{Name: "default", Items: []paths.Item{{Prefix: pfx("0.0.0.0/0")}}}}}

func destination(prefixes ...string) paths.Options {
	s := paths.Set{Name: "dest"}
	for _, p := range prefixes {
		s.Items = append(s.Items, paths.Item{Prefix: pfx(p)})
	}
	return paths.Options{Sets: []paths.Set{s}}
}

func item(t *testing.T, table *paths.Table, at time.Time) paths.ItemView {
	t.Helper()
	v := table.View(at)
	if len(v.Sets) != 1 || len(v.Sets[0].Items) != 1 {
		t.Fatalf("sets: %+v", v.Sets)
	}
	return v.Sets[0].Items[0]
}

// TestCrosses: what every path to a destination crosses.
func TestCrosses(t *testing.T) {
	both := func(a, b bgp.Path) [2]bgp.Path { return [2]bgp.Path{a, b} }
	for _, c := range []struct {
		name   string
		prefix string
		paths  [2]bgp.Path
		single []bgp.ASN
	}{
		{"two carriers", "198.51.100.0/24", both(seq(64510, 64496), seq(64520, 64496)), nil},
		{"one carrier behind both", "198.51.100.0/24", both(seq(64510, 3356, 64496), seq(64520, 3356, 64496)), []bgp.ASN{3356}},
		{"prepends fold", "198.51.100.0/24", both(seq(64510, 64510, 3356, 3356, 64496), seq(64520, 174, 3356, 64496, 64496)), []bgp.ASN{3356}},
		{"the destination itself is not on the way", "198.51.100.0/24", both(seq(64510, 15169), seq(64520, 15169)), nil},
		{"who originates a default route is on the way", "0.0.0.0/0", both(seq(64510, 3356), seq(64520, 3356)), []bgp.ASN{3356}},
		{"a set is any of its members", "198.51.100.0/24", both(
			bgp.Path{{Type: bgp.Sequence, ASNs: []bgp.ASN{64510}}, {Type: bgp.Set, ASNs: []bgp.ASN{3356, 174}}, {Type: bgp.Sequence, ASNs: []bgp.ASN{64496}}}, seq(64520, 3356, 64496)), nil},
		{"a set of one is that one", "198.51.100.0/24", both(
			bgp.Path{{Type: bgp.Sequence, ASNs: []bgp.ASN{64510}}, {Type: bgp.Set, ASNs: []bgp.ASN{3356}}, {Type: bgp.Sequence, ASNs: []bgp.ASN{64496}}}, seq(64520, 3356, 64496)), []bgp.ASN{3356}},
		{"confederation segments are inside", "198.51.100.0/24", both(
			bgp.Path{{Type: bgp.ConfedSequence, ASNs: []bgp.ASN{65001, 65002}}, {Type: bgp.Sequence, ASNs: []bgp.ASN{64510, 64496}}},
			bgp.Path{{Type: bgp.ConfedSequence, ASNs: []bgp.ASN{65001, 65002}}, {Type: bgp.Sequence, ASNs: []bgp.ASN{64520, 64496}}}), nil},
		{"AS_TRANS names nobody", "198.51.100.0/24", both(seq(64510, 23456, 64496), seq(64520, 23456, 64496)), nil},
		{"a private number is named", "198.51.100.0/24", both(seq(64510, 65100, 64496), seq(64520, 65100, 64496)), []bgp.ASN{65100}},
		{"our own AS is not on the way", "198.51.100.0/24", both(seq(64500, 64510, 64496), seq(64500, 64520, 64496)), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := two(destination(c.prefix))
			table.Update(key("r1", "203.0.113.1"), paths.AdjInPre, announce(c.paths[0], c.prefix), start)
			table.Update(key("r2", "203.0.113.5"), paths.AdjInPre, announce(c.paths[1], c.prefix), start)
			v := item(t, table, start)
			if v.Working != 2 || !slices.Equal(v.Single, c.single) {
				t.Errorf("%d ways, every path crosses %v, want %v: %s", v.Working, v.Single, c.single, v.Why)
			}
		})
	}
}

func TestSameUpstreamTwice(t *testing.T) {
	table := paths.New(defaultRoute)
	table.Up(key("r1", "203.0.113.1"), paths.Info{PeerAS: 64510, LocalAS: 64500}, start)
	table.Up(key("r2", "203.0.113.5"), paths.Info{PeerAS: 64510, LocalAS: 64500}, start)
	table.Update(key("r1", "203.0.113.1"), paths.AdjInPre, announce(seq(64510), "0.0.0.0/0"), start)
	table.Update(key("r2", "203.0.113.5"), paths.AdjInPre, announce(seq(64510), "0.0.0.0/0"), start)
	if v := item(t, table, start); !slices.Equal(v.Single, []bgp.ASN{64510}) {
		t.Errorf("every path crosses %v", v.Single)
	}
}

// TestLoop: a path that was in our own AS already is one that the router refuses, unless its table after the policy has it.
func TestLoop(t *testing.T) {
	table := two(destination("198.51.100.0/24"))
	looped := announce(seq(64520, 3356, 64500, 64496), "198.51.100.0/24")
	table.Update(key("r1", "203.0.113.1"), paths.AdjInPre, announce(seq(64510, 64496), "198.51.100.0/24"), start)
	table.Update(key("r2", "203.0.113.5"), paths.AdjInPre, looped, start)
	if v := item(t, table, start); v.Working != 1 {
		t.Errorf("before the policy: %d ways: %s", v.Working, v.Why)
	}
	table.Update(key("r2", "203.0.113.5"), paths.AdjInPost, looped, start)
	if v := item(t, table, start); v.Working != 2 {
		t.Errorf("after it: %d ways: %s", v.Working, v.Why)
	}
}

func TestRouteServer(t *testing.T) {
	o := destination("198.51.100.0/24")
	table := paths.New(o)
	table.Up(key("r1", "203.0.113.1"), paths.Info{PeerAS: 64777, LocalAS: 64500}, start) // a route server
	table.Up(key("r2", "203.0.113.5"), paths.Info{PeerAS: 64520, LocalAS: 64500}, start)
	table.Update(key("r1", "203.0.113.1"), paths.AdjInPre, announce(seq(64530, 64496), "198.51.100.0/24"), start)
	table.Update(key("r2", "203.0.113.5"), paths.AdjInPre, announce(seq(64520, 64530, 64496), "198.51.100.0/24"), start)
	v := item(t, table, start)
	i := slices.IndexFunc(v.Ways, func(w paths.WayView) bool { return w.Router == "r1" })
	if v.Ways[i].Upstream != 64530 || v.Ways[i].Server != 64777 || !slices.Equal(v.Single, []bgp.ASN{64530}) {
		t.Errorf("%+v", v)
	}
	// One that does not leave itself out is told of in the options.
	o.RouteServers = []bgp.ASN{64777}
	table = two(o)
	table.Up(key("r1", "203.0.113.1"), paths.Info{PeerAS: 64777, LocalAS: 64500}, start)
	table.Update(key("r1", "203.0.113.1"), paths.AdjInPre, announce(seq(64777, 64530, 64496), "198.51.100.0/24"), start)
	if w := item(t, table, start).Ways[0]; w.Upstream != 64530 || w.Server != 64777 {
		t.Errorf("%+v", w)
	}
}

// TestConfederation: a session with another part of our confederation is no way out by itself; the upstreams behind it
// are.
func TestConfederation(t *testing.T) {
	table := paths.New(destination("198.51.100.0/24"))
	k := key("r1", "192.0.2.7")
	table.Up(k, paths.Info{PeerAS: 65001, LocalAS: 65002}, start)
	u := announce(bgp.Path{{Type: bgp.ConfedSequence, ASNs: []bgp.ASN{65001}}, {Type: bgp.Sequence, ASNs: []bgp.ASN{64510, 64496}}}, "198.51.100.0/24")
	table.Update(k, paths.AdjInPre, u, start)
	v := item(t, table, start)
	if v.Working != 1 || v.Ways[0].Upstream != 64510 || v.Ways[0].Server != 0 || v.Ways[0].ID != "bgp/path/dest/r1/192.0.2.7" {
		t.Errorf("%+v", v)
	}
}

func TestLostWay(t *testing.T) {
	table := two(defaultRoute)
	a, b := key("r1", "203.0.113.1"), key("r2", "203.0.113.5")
	table.Update(a, paths.AdjInPre, announce(seq(64510), "0.0.0.0/0", "198.51.100.0/24"), start)
	table.Update(b, paths.AdjInPre, announce(seq(64520), "0.0.0.0/0"), start)
	table.Update(a, paths.AdjInPre, ended(), start)
	table.Update(b, paths.AdjInPre, ended(), start)
	if v := item(t, table, start); v.Working != 2 || len(v.Single) != 0 {
		t.Fatalf("%+v", v)
	}
	table.Changed()

	at := start.Add(time.Hour)
	table.Update(b, paths.AdjInPre, withdraw("0.0.0.0/0"), at)
	events := table.Changed()
	if !slices.ContainsFunc(events, func(e paths.Event) bool { return e.Kind == paths.SetChanged && e.Set == "default" }) ||
		!slices.ContainsFunc(events, func(e paths.Event) bool {
			return e.Kind == paths.SessionChanged && strings.Contains(e.What, "without any prefix; it had 1")
		}) {
		t.Errorf("events: %+v", events)
	}
	v := item(t, table, at)
	if v.Working != 1 || *v.Ways[1].Working || !strings.Contains(v.Why, "gives no prefix at all; it had 1") {
		t.Errorf("%+v", v)
	}
	for _, s := range table.View(at).Sessions {
		if want := s.Router == "r2"; s.Empty != want {
			t.Errorf("%s: empty %v", s.ID, s.Empty)
		}
	}

	table.Down(a, paths.Reason{Text: "hold timer expired"}, at)
	if v := item(t, table, at); v.Working != 0 || !strings.Contains(v.Why, "hold timer expired") {
		t.Errorf("%+v", v)
	}
	table.Down(a, paths.Reason{Admin: true, Text: "maintenance"}, at)
	if v := item(t, table, at); !slices.ContainsFunc(v.Ways, func(w paths.WayView) bool { return w.Intended }) {
		t.Errorf("%+v", v)
	}
	table.Silence("r1", at)
	if v := item(t, table, at); v.Unsure != 1 {
		t.Errorf("%+v", v)
	}
	// The router speaks again: what it does not tell yet is not lost.
	table.Up(a, paths.Info{PeerAS: 64510}, at.Add(time.Second))
	if v := item(t, table, at); v.Unsure != 1 {
		t.Errorf("%+v", v)
	}
	if v := item(t, table, at.Add(3*time.Minute)); v.Unsure != 0 || v.Working != 0 {
		t.Errorf("%+v", v)
	}
}

func TestStandby(t *testing.T) {
	table := two(defaultRoute)
	u := announce(seq(64510), "0.0.0.0/0")
	u.Attrs.LocalPref, u.Attrs.HasLocalPref = 200, true
	table.Update(key("r1", "203.0.113.1"), paths.AdjInPost, u, start)
	table.Update(key("r2", "203.0.113.5"), paths.AdjInPost, announce(seq(64520), "0.0.0.0/0"), start)
	v := item(t, table, start)
	if v.Decides != "local preference" || v.Ways[0].Router != "r1" || v.Ways[0].Standby || !v.Ways[1].Standby {
		t.Errorf("%+v", v)
	}
	if want := "traffic goes via AS64510 at r1; after a loss (by local preference) via AS64520 at r2"; !strings.HasSuffix(v.Why, want) {
		t.Errorf("%s", v.Why)
	}
	// RFC 8326: about to be taken away.
	u.Attrs.Marks = bgp.GracefulShutdown
	table.Update(key("r1", "203.0.113.1"), paths.AdjInPost, u, start)
	if v := item(t, table, start); v.Ways[0].Router != "r2" || !v.Ways[1].Leaving {
		t.Errorf("%+v", v)
	}
}

// TestPolicy: what the policy refuses is no way; where only one of the two is told, it counts.
func TestPolicy(t *testing.T) {
	table := two(defaultRoute)
	a := key("r1", "203.0.113.1")
	table.Update(a, paths.AdjInPre, announce(seq(64510), "0.0.0.0/0"), start)
	if v := item(t, table, start); v.Working != 1 {
		t.Errorf("%+v", v)
	}
	table.Update(a, paths.AdjInPost, ended(), start)
	if v := item(t, table, start); v.Working != 0 {
		t.Errorf("%+v", v)
	}
	// FRR without soft-reconfiguration: a withdrawal before the policy beside an announcement after it.
	table.Update(a, paths.AdjInPost, announce(seq(64510), "0.0.0.0/0"), start)
	table.Update(a, paths.AdjInPre, withdraw("0.0.0.0/0"), start)
	if v := item(t, table, start); v.Working != 1 {
		t.Errorf("%+v", v)
	}
}

// TestTold: a speaker's neighbour gives all its paths; each upstream and next hop is a way.
func TestTold(t *testing.T) {
	o := destination("198.51.100.0/24")
	o.Own = []bgp.ASN{64500}
	table := paths.New(o)
	k := key("rr1", "192.0.2.254")
	table.Up(k, paths.Info{PeerAS: 64500, LocalAS: 64500, Relay: true}, start)
	for i, p := range []bgp.Path{seq(64510, 3356, 64496), seq(64520, 174, 64496)} {
		u := announce(p, "198.51.100.0/24")
		u.Announced[0].PathID = uint32(i + 1)
		u.Attrs.NextHop = netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)})
		table.Update(k, paths.AdjInPre, u, start)
	}
	v := item(t, table, start)
	if v.Working != 2 || v.Ways[0].Upstream == v.Ways[1].Upstream || len(v.Single) != 0 {
		t.Errorf("%+v", v)
	}
	u := withdraw("198.51.100.0/24")
	u.Withdrawn[0].PathID = 2
	table.Update(k, paths.AdjInPre, u, start)
	if v := item(t, table, start); v.Working != 1 || *v.Ways[1].Working || v.Ways[1].Upstream != 64520 {
		t.Errorf("%+v", v)
	}
}

// TestSearch: what routers pass on their search for a path is no way; what stays is.
func TestSearch(t *testing.T) {
	o := destination("198.51.100.0/24")
	o.Own = []bgp.ASN{64500}
	table := paths.New(o)
	k := key("rr1", "192.0.2.254")
	table.Up(k, paths.Info{PeerAS: 64500, LocalAS: 64500, Relay: true}, start)
	tell := func(id uint32, upstream bgp.ASN, at time.Time) paths.ItemView {
		u := announce(seq(upstream, 64496), "198.51.100.0/24")
		u.Announced[0].PathID = id
		table.Update(k, paths.AdjInPre, u, at)
		return item(t, table, at)
	}
	at := start.Add(time.Hour)
	tell(1, 64510, start)
	tell(2, 64520, start)
	if v := tell(3, 64530, at); len(v.Ways) != 2 {
		t.Errorf("%+v", v)
	}
	u := withdraw("198.51.100.0/24")
	u.Withdrawn[0].PathID = 3
	table.Update(k, paths.AdjInPre, u, at.Add(time.Second))
	if v := item(t, table, at.Add(time.Second)); len(v.Ways) != 2 || v.Working != 2 {
		t.Errorf("%+v", v)
	}
	tell(3, 64530, at.Add(time.Minute))
	if v := item(t, table, at.Add(2*time.Minute)); v.Working != 3 {
		t.Errorf("%+v", v)
	}
}

// TestOneAtATime: without path ids a session tells of one way at a time. Another in its place is no loss; none is.
func TestOneAtATime(t *testing.T) {
	o := defaultRoute
	o.Own = []bgp.ASN{64500}
	table := paths.New(o)
	k := key("r1", "192.0.2.254")
	table.Up(k, paths.Info{PeerAS: 64500, LocalAS: 64500, Relay: true}, start)
	table.Update(k, paths.AdjInPre, announce(seq(64510), "0.0.0.0/0", "198.51.100.0/24"), start)
	item(t, table, start)
	table.Update(k, paths.AdjInPre, announce(seq(64520), "0.0.0.0/0"), start.Add(time.Hour))
	if v := item(t, table, start.Add(time.Hour)); len(v.Ways) != 1 || v.Ways[0].Upstream != 64520 {
		t.Errorf("%+v", v)
	}
	table.Update(k, paths.AdjInPre, withdraw("0.0.0.0/0"), start.Add(2*time.Hour))
	if v := item(t, table, start.Add(2*time.Hour)); len(v.Ways) != 1 || v.Working != 0 {
		t.Errorf("%+v", v)
	}
}

// TestEcho: what another router still tells of a session that is down is no way of its own.
func TestEcho(t *testing.T) {
	table := two(defaultRoute)
	a, b := key("r1", "203.0.113.1"), key("r2", "203.0.113.5")
	table.Update(a, paths.AdjInPre, announce(seq(64510), "0.0.0.0/0"), start)
	table.Update(b, paths.AdjInPre, announce(seq(64520), "0.0.0.0/0"), start)
	inside := key("r2", "192.0.2.1")
	table.Up(inside, paths.Info{PeerAS: 64500, LocalAS: 64500}, start)
	table.Update(inside, paths.AdjInPre, announce(seq(64510), "0.0.0.0/0"), start)
	if v := item(t, table, start); len(v.Ways) != 2 {
		t.Errorf("%+v", v)
	}
	table.Down(a, paths.Reason{}, start.Add(time.Second))
	if v := item(t, table, start.Add(time.Second)); len(v.Ways) != 2 || v.Working != 1 {
		t.Errorf("%+v", v)
	}
}

// TestToldThenHeard: a way that another router only told of is no lost way once its upstream's own session is heard.
func TestToldThenHeard(t *testing.T) {
	o := defaultRoute
	o.Own = []bgp.ASN{64500}
	table := paths.New(o)
	inside := key("r2", "192.0.2.1")
	table.Up(inside, paths.Info{PeerAS: 64500, LocalAS: 64500}, start)
	table.Update(inside, paths.AdjInPost, announce(seq(64510), "0.0.0.0/0"), start)
	if v := item(t, table, start); v.Working != 1 || v.Ways[0].Router != "r2" {
		t.Errorf("%+v", v)
	}
	a := key("r1", "203.0.113.1")
	table.Up(a, paths.Info{PeerAS: 64510, LocalAS: 64500}, start.Add(time.Second))
	table.Update(a, paths.AdjInPost, announce(seq(64510), "0.0.0.0/0"), start.Add(time.Second))
	if v := item(t, table, start.Add(time.Second)); len(v.Ways) != 1 || v.Working != 1 || v.Ways[0].Router != "r1" {
		t.Errorf("%+v", v)
	}
	table.Down(a, paths.Reason{}, start.Add(2*time.Second))
	if v := item(t, table, start.Add(2*time.Second)); len(v.Ways) != 1 || v.Working != 0 {
		t.Errorf("%+v", v)
	}
}

// TestFRR: FRR tells of paths with its own AS in front, and leaves out the local preference that its policy gave them.
func TestFRR(t *testing.T) {
	table := paths.New(defaultRoute)
	id := func(n byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 255, 0, n}) }
	for i, c := range []struct {
		router string
		peer   string
		peerAS bgp.ASN
		path   bgp.Path
	}{
		{"r1", "203.0.113.1", 64510, seq(64500, 64510, 64510, 3356)},
		{"r2", "203.0.113.5", 64520, seq(64500, 64520, 174)},
	} {
		table.TakeBMP(c.router, &bmp.Message{Type: bmp.Initiation, Info: &bmp.Info{SysDescr: "FRRouting 8.4.4"}}, start)
		k := key(c.router, c.peer)
		table.Up(k, paths.Info{PeerAS: c.peerAS, LocalAS: 64500, LocalID: id(byte(i))}, start)
		table.Update(k, paths.AdjInPost, announce(c.path, "0.0.0.0/0"), start)
	}
	v := item(t, table, start)
	if v.Decides != "AS path length" || v.Ways[0].Router != "r2" || v.Ways[0].Path != "64520 174" {
		t.Errorf("%s, %+v", v.Decides, v.Ways)
	}
	// What r1 tells r2 inside says which local preference it gave the path.
	inside := key("r2", "192.0.2.1")
	table.Up(inside, paths.Info{PeerAS: 64500, LocalAS: 64500, PeerID: id(0)}, start)
	u := announce(seq(64510, 64510, 3356), "0.0.0.0/0")
	u.Attrs.LocalPref, u.Attrs.HasLocalPref = 200, true
	table.Update(inside, paths.AdjInPost, u, start)
	if v := item(t, table, start); len(v.Ways) != 2 || v.Decides != "local preference" || v.Ways[0].Router != "r1" || v.Ways[0].Pref != 200 {
		t.Errorf("%s, %+v", v.Decides, v.Ways)
	}
	// Of another router with the same path it says nothing.
	table.Up(inside, paths.Info{PeerAS: 64500, LocalAS: 64500, PeerID: id(9)}, start)
	table.Update(inside, paths.AdjInPost, u, start)
	if v := item(t, table, start); v.Decides != "AS path length" {
		t.Errorf("%s, %+v", v.Decides, v.Ways)
	}
}

// TestRefused: where the router says that a path is there and its policy takes it no more, that is said.
func TestRefused(t *testing.T) {
	table := two(defaultRoute)
	a := key("r1", "203.0.113.1")
	table.Update(a, paths.AdjInPre, announce(seq(64510), "0.0.0.0/0", "198.51.100.0/24"), start)
	table.Update(a, paths.AdjInPost, announce(seq(64510), "0.0.0.0/0", "198.51.100.0/24"), start)
	item(t, table, start)
	table.Update(a, paths.AdjInPost, withdraw("0.0.0.0/0"), start.Add(time.Second))
	if v := item(t, table, start.Add(time.Second)); v.Working != 0 || !strings.Contains(v.Why, "its policy takes none any more") {
		t.Errorf("%s", v.Why)
	}
}

// TestFRRLate: FRR says of a path whose next hop it has not found yet that it is not there after the policy, and does not
// mend that when it has: whether the way works is not known. What it told of in the same session and then refuses is lost.
func TestFRRLate(t *testing.T) {
	table := two(paths.Options{Sets: []paths.Set{{Name: "six", Items: []paths.Item{{Prefix: pfx("::/0")}}}}})
	table.TakeBMP("r1", &bmp.Message{Type: bmp.Initiation, Info: &bmp.Info{SysDescr: "FRRouting 8.4.4"}}, start)
	a := key("r1", "203.0.113.1")
	tell := func(rib paths.RIB, u *bgp.Update, at time.Time) paths.ItemView {
		table.Update(a, rib, u, at)
		return item(t, table, at)
	}
	tell(paths.AdjInPre, announce(seq(64510), "::/0"), start)
	tell(paths.AdjInPost, announce(seq(64510), "::/0"), start)
	table.Down(a, paths.Reason{}, start.Add(time.Second))
	again := start.Add(2 * time.Second)
	table.Up(a, paths.Info{PeerAS: 64510, LocalAS: 64500}, again)
	tell(paths.AdjInPre, announce(seq(64510), "::/0"), again)
	tell(paths.AdjInPost, withdraw("::/0"), again)
	if v := tell(paths.AdjInPost, ended(), again); v.Unsure != 1 || !strings.Contains(v.Ways[0].Why, "next hop") {
		t.Errorf("%+v", v)
	}
	// It is asked to tell everything anew, once for each start of a session.
	later := start.Add(time.Minute)
	if early := table.Anew(); len(early) != 0 {
		t.Errorf("at once: %v", early)
	}
	item(t, table, later)
	if asked := table.Anew(); !slices.Equal(asked, []string{"r1"}) {
		t.Errorf("%v", asked)
	}
	table.Silence("r1", later)
	again = later.Add(time.Second)
	table.Up(a, paths.Info{PeerAS: 64510, LocalAS: 64500}, again)
	tell(paths.AdjInPre, announce(seq(64510), "::/0"), again)
	tell(paths.AdjInPost, ended(), again)
	item(t, table, again.Add(time.Hour))
	if asked := table.Anew(); len(asked) != 0 {
		t.Errorf("it said so with its table: %v", asked)
	}
	tell(paths.AdjInPost, announce(seq(64510), "::/0"), again)
	if v := tell(paths.AdjInPost, withdraw("::/0"), again.Add(time.Second)); v.Unsure != 0 || v.Working != 0 {
		t.Errorf("%+v", v)
	}
}

// TestNeverSeen: of a destination that nobody ever had a way to it is not known that it is well.
func TestNeverSeen(t *testing.T) {
	table := two(destination("198.51.100.0/24", "192.0.2.0/24"))
	table.Update(key("r1", "203.0.113.1"), paths.AdjInPost, announce(seq(64510), "198.51.100.0/24"), start)
	all := table.View(start).Snapshots(func(r string) string { return r })
	for _, c := range all[len(all)-1].Components {
		if c.Kind == component.Route && (c.Condition != component.Unknown || !strings.Contains(c.Why, "192.0.2.0/24")) {
			t.Errorf("%s: %s", c.Condition, c.Why)
		}
	}
}

// TestInside: what one router of ours tells another comes and goes with whose paths are better; that is no silent loss.
func TestInside(t *testing.T) {
	table := two(defaultRoute)
	inside := key("r2", "192.0.2.1")
	table.Up(inside, paths.Info{PeerAS: 64500, LocalAS: 64500}, start)
	table.Update(inside, paths.AdjInPost, announce(seq(64510), "0.0.0.0/0", "198.51.100.0/24", "203.0.113.0/24"), start)
	outside := key("r2", "203.0.113.5")
	table.Update(outside, paths.AdjInPost, announce(seq(64520), "0.0.0.0/0", "198.51.100.0/24", "203.0.113.0/24"), start)
	at := start.Add(time.Hour)
	table.Tick(at)
	view := func(most ...string) (in, out paths.SessionView) {
		t.Helper()
		for _, k := range []paths.Key{inside, outside} {
			table.Update(k, paths.AdjInPost, withdraw(most...), at)
		}
		for _, s := range table.View(at).Sessions {
			switch s.Key {
			case inside:
				in = s
			case outside:
				out = s
			}
		}
		return in, out
	}
	if in, out := view("198.51.100.0/24", "203.0.113.0/24"); in.Low || !out.Low {
		t.Errorf("inside %+v, outside %+v", in, out)
	}
	if in, out := view("0.0.0.0/0"); in.Empty || !out.Empty {
		t.Errorf("inside %+v, outside %+v", in, out)
	}
}

// TestIn: a prefix of ours as the world sees it, from several places.
func TestIn(t *testing.T) {
	o := paths.Options{Own: []bgp.ASN{64500}, Sets: []paths.Set{{Name: "own", In: true, Items: []paths.Item{{Prefix: pfx("198.51.100.0/22"), Longer: true}}}}}
	table := paths.New(o)
	see := func(peer string, as bgp.ASN, p string, path bgp.Path) {
		k := key("rrc00", peer)
		table.Up(k, paths.Info{PeerAS: as, Relay: true}, start)
		table.Update(k, paths.AdjInPre, announce(path, p), start)
		table.Update(k, paths.AdjInPre, ended(), start)
	}
	see("192.0.2.1", 3333, "198.51.100.0/24", seq(3333, 3356, 64510, 64500))
	see("192.0.2.2", 1103, "198.51.100.0/24", seq(1103, 174, 64520, 64500, 64500))
	see("192.0.2.3", 286, "198.51.100.0/24", seq(286, 64510, 64500))
	v := item(t, table, start)
	if v.Working != 2 || v.Prefixes != 1 || v.Ways[0].Upstream != 64510 || v.Ways[1].Upstream != 64520 || len(v.Single) != 0 {
		t.Errorf("%+v", v)
	}
	table.Update(key("rrc00", "192.0.2.2"), paths.AdjInPre, withdraw("198.51.100.0/24"), start.Add(time.Second))
	if v := item(t, table, start.Add(time.Second)); v.Working != 1 || *v.Ways[1].Working || v.Ways[1].Upstream != 64520 {
		t.Errorf("%+v", v)
	}
}

func TestFlaps(t *testing.T) {
	table := two(defaultRoute)
	k := key("r1", "203.0.113.1")
	at := start
	for range 3 {
		at = at.Add(time.Minute)
		table.Down(k, paths.Reason{}, at)
		table.Up(k, paths.Info{}, at.Add(time.Second))
	}
	s := table.View(at).Sessions[0]
	if !s.Flapping || s.Flaps != 3 || s.PeerAS != 64510 {
		t.Errorf("%+v", s)
	}
	if s := table.View(at.Add(11 * time.Minute)).Sessions[0]; s.Flapping {
		t.Errorf("%+v", s)
	}
}

func TestSnapshots(t *testing.T) {
	table := two(destination("198.51.100.0/24"))
	table.Update(key("r1", "203.0.113.1"), paths.AdjInPre, announce(seq(64510, 3356, 64496), "198.51.100.0/24"), start)
	table.Update(key("r2", "203.0.113.5"), paths.AdjInPre, announce(seq(64520, 3356, 64496), "198.51.100.0/24"), start)
	all := table.View(start).Snapshots(func(r string) string { return "bmp://" + r })
	if len(all) != 3 {
		t.Fatalf("%d snapshots", len(all))
	}
	ids := func(s *snapshot.Snapshot) (ids []component.ID) {
		for _, c := range s.Components {
			ids = append(ids, c.ID)
		}
		return ids
	}
	if got := ids(all[0]); !slices.Equal(got, []component.ID{"r1/router/1", "r1/bgp_session/203.0.113.1"}) {
		t.Errorf("r1: %v", got)
	}
	want := []component.ID{"bgp/path/dest/r1/203.0.113.1", "bgp/path/dest/r2/203.0.113.5", "bgp/route/dest", "bgp/upstream/AS3356", "bgp/upstream/AS64510", "bgp/upstream/AS64520"}
	if got := ids(all[2]); !slices.Equal(got, want) {
		t.Errorf("bgp: %v", got)
	}
	if c := all[2].Claims; len(c) != 1 || c[0].Group != "bgp/group/path-dest" || c[0].Needed != 1 || c[0].Carries != "bgp/route/dest" || len(c[0].Members) != 2 {
		t.Errorf("claims: %+v", c)
	}
}
