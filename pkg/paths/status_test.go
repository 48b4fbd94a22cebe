package paths_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/bmp"
	"github.com/sparewatch/sparewatch/pkg/paths"
)

// told is what a router says of one path over BMP: of a neighbour's, or of one in its Loc-RIB.
type told struct {
	router, peer string // peer "": its Loc-RIB
	path         bgp.Path
	hop          string
	pref         uint32
	id           uint32 // path id
	status       uint32 // 0: none
}

func (x told) tell(t *paths.Table, at time.Time) {
	m := &bmp.Message{Version: 4, Type: bmp.RouteMonitoring, Peer: bmp.Peer{Type: bmp.LocRIBPeer, AS: 64500}}
	if x.peer != "" {
		m.Peer = bmp.Peer{Address: netip.MustParseAddr(x.peer), AS: x.path[0].ASNs[0]}
	}
	up := &bmp.Message{Type: bmp.PeerUp, Peer: m.Peer, Up: &bmp.Up{Sent: bgp.Open{AS: 64500}, Received: bgp.Open{AS: m.Peer.AS}}}
	if !slices.ContainsFunc(t.View(at).Sessions, func(s paths.SessionView) bool { return s.Router == x.router && s.Peer == m.Peer.Address }) {
		t.TakeBMP(x.router, up, at)
	}
	m.Update = announce(x.path, "0.0.0.0/0")
	m.Update.Announced[0].PathID = x.id
	m.Update.Attrs.NextHop = netip.MustParseAddr(x.hop)
	m.Update.Attrs.LocalPref, m.Update.Attrs.HasLocalPref = x.pref, x.pref != 0
	if x.status != 0 {
		m.Status = []bmp.PathStatus{{Status: x.status}}
	}
	t.TakeBMP(x.router, m, at)
}

// TestPathStatus: what routers say of their own paths goes before what the paths' attributes let one guess.
func TestPathStatus(t *testing.T) {
	const (
		best    = bmp.StatusBest | bmp.StatusPrimary
		backup  = bmp.StatusBackup
		spare   = bmp.StatusNonSelected
		invalid = bmp.StatusInvalid
	)
	a := told{router: "r1", peer: "203.0.113.1", path: seq(64510, 3356), hop: "203.0.113.1"}
	b := told{router: "r1", peer: "203.0.113.5", path: seq(64520, 174), hop: "203.0.113.5"}
	c := told{router: "r2", peer: "203.0.113.9", path: seq(64530, 1299), hop: "203.0.113.9"}
	with := func(x told, status uint32) told { x.status = status; return x }
	chosen := func(x told, status, id uint32) told { x.peer, x.status, x.id = "", status, id; return x }
	worse := func(x told) told { x.path = append(seq(x.path[0].ASNs...), seq(x.path[0].ASNs[0])...); return x }
	preferred := func(x told) told { x.pref = 200; return x }
	for _, k := range []struct {
		name    string
		told    []told
		want    []string // the working ways in their order, "-" before those that stand by
		decides string
		why     string
	}{
		{"nobody says: both", []told{a, b}, []string{"64510", "64520"}, "", "traffic goes via AS64510 at r1 or via AS64520 at r1"},
		{"the router says which", []told{with(a, spare), with(b, best)}, []string{"64520", "-64510"}, "the router's own choice", "after a loss (by the router's own choice) via AS64510"},
		{"also where the attributes say otherwise", []told{with(preferred(a), backup), with(b, best)}, []string{"64520", "-64510"}, "the router's own choice", "traffic goes via AS64520"},
		{"two are used at once", []told{with(a, best), with(worse(b), bmp.StatusPrimary)}, []string{"64510", "64520"}, "", " or via AS64520"},
		{"a backup goes before the rest", []told{with(a, spare), with(b, backup), with(c, best)}, []string{"64530", "-64520", "-64510"}, "the router's own choice", "via AS64520 at r1, then via AS64510 at r1"},
		{"another router does not say: its way is judged by its attributes", []told{with(a, best), with(b, backup), worse(c)}, []string{"64510", "-64520", "-64530"}, "the router's own choice", ""},
		{"one that is not valid is no way", []told{with(a, best), with(b, invalid)}, []string{"64510"}, "", ""},
		{"best, and not installed: something else is", []told{with(a, bmp.StatusBest|bmp.StatusNonInstalled), with(b, spare)}, []string{"-64510", "-64520"}, "", "they use none of these ways now"},
		{"the Loc-RIB has one", []told{preferred(a), b, chosen(b, 0, 0)}, []string{"64520", "-64510"}, "the router's own choice", ""},
		{"the Loc-RIB says what it does with each", []told{a, b, chosen(a, backup, 1), chosen(b, best, 2)}, []string{"64520", "-64510"}, "the router's own choice", ""},
		{"the Loc-RIB has one that is none of these", []told{a, b, chosen(told{router: "r1", path: seq(64999), hop: "192.0.2.9"}, 0, 0)}, []string{"64510", "64520"}, "", ""},
		{"several in the Loc-RIB, and nothing said of them", []told{a, b, chosen(a, 0, 1), chosen(b, 0, 2)}, []string{"64510", "64520"}, "", ""},
	} {
		t.Run(k.name, func(t *testing.T) {
			table := paths.New(defaultRoute)
			for _, x := range k.told {
				x.tell(table, start)
			}
			v := item(t, table, start)
			var got []string
			for _, w := range v.Ways[:v.Working] {
				name := strings.TrimPrefix(w.Upstream.String(), "AS")
				if w.Standby {
					name = "-" + name
				}
				got = append(got, name)
			}
			if !slices.Equal(got, k.want) || v.Decides != k.decides || !strings.Contains(v.Why, k.why) {
				t.Errorf("%v decided by %q: %s\nwant %v, %q", got, v.Decides, v.Why, k.want, k.decides)
			}
		})
	}
}

// TestPathStatusChanges: a way is lost when its router says that it cannot use it any more, with the reason, and is back
// when it can.
func TestPathStatusChanges(t *testing.T) {
	table := paths.New(defaultRoute)
	a := told{router: "r1", peer: "203.0.113.1", path: seq(64510, 3356), hop: "203.0.113.1", status: bmp.StatusBest | bmp.StatusPrimary}
	b := told{router: "r1", peer: "203.0.113.5", path: seq(64520, 174), hop: "203.0.113.5", status: bmp.StatusBackup}
	a.tell(table, start)
	b.tell(table, start)
	if v := item(t, table, start); v.Working != 2 || v.Ways[0].Status != "best, primary" || v.Ways[1].Status != "backup" {
		t.Fatalf("%+v", v)
	}
	table.Changed()
	b.status = bmp.StatusInvalid
	b.tell(table, start.Add(time.Minute))
	if len(table.Changed()) == 0 {
		t.Error("nobody was told")
	}
	v := item(t, table, start.Add(time.Minute))
	if v.Working != 1 || v.Ways[1].Working == nil || *v.Ways[1].Working || !strings.Contains(v.Ways[1].Why, "gives a path that the router holds to be invalid") {
		t.Errorf("%+v", v)
	}
	b.status = bmp.StatusBackup
	b.tell(table, start.Add(2*time.Minute))
	if v := item(t, table, start.Add(2*time.Minute)); v.Working != 2 {
		t.Errorf("%+v", v)
	}
}
