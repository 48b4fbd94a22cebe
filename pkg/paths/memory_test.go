package paths_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/bmp"
	"github.com/sparewatch/sparewatch/pkg/paths"
)

// restart makes a new table that knows what the old one gave to be kept, by way of its written form.
func restart(t *testing.T, old *paths.Table, o paths.Options, at time.Time) *paths.Table {
	t.Helper()
	text, err := json.Marshal(old.Remember(at))
	if err != nil {
		t.Fatal(err)
	}
	var pieces []paths.Memory
	if err := json.Unmarshal(text, &pieces); err != nil {
		t.Fatal(err)
	}
	table := paths.New(o)
	table.Restore(pieces)
	return table
}

// bmpPeer is the header of a neighbour in BMP, and bmpUp its Peer Up.
func bmpPeer(addr string, as bgp.ASN) bmp.Peer {
	return bmp.Peer{Address: netip.MustParseAddr(addr), AS: as}
}

func bmpUp(p bmp.Peer) *bmp.Message {
	return &bmp.Message{Type: bmp.PeerUp, Peer: p, Up: &bmp.Up{Sent: bgp.Open{AS: 64500}, Received: bgp.Open{AS: p.AS}}}
}

func bmpRoutes(p bmp.Peer, u *bmp.Message) *bmp.Message {
	u.Type, u.Peer = bmp.RouteMonitoring, p
	return u
}

func sessionTo(t *testing.T, table *paths.Table, peer string, at time.Time) *paths.SessionView {
	t.Helper()
	v := table.View(at)
	i := slices.IndexFunc(v.Sessions, func(s paths.SessionView) bool { return s.Peer.IsValid() && s.Peer.String() == peer })
	if i < 0 {
		t.Fatalf("there is no session with %s: %+v", peer, v.Sessions)
	}
	return &v.Sessions[i]
}

// TestSilentAfterRestart: a session that brought much before a restart and comes back with nothing is found by what it
// used to bring, and so is its way.
func TestSilentAfterRestart(t *testing.T) {
	up, other := bmpPeer("203.0.113.1", 64510), bmpPeer("203.0.113.5", 64520)
	old := paths.New(defaultRoute)
	for _, p := range []bmp.Peer{up, other} {
		old.TakeBMP("r1", bmpUp(p), start)
		old.TakeBMP("r1", bmpRoutes(p, &bmp.Message{Update: announce(seq(p.AS), "0.0.0.0/0")}), start)
	}
	for i := range 900 {
		old.TakeBMP("r1", bmpRoutes(up, &bmp.Message{Update: announce(seq(64510), fmt.Sprintf("10.%d.%d.0/24", i/250, i%250))}), start)
	}
	old.TakeBMP("r1", &bmp.Message{Type: bmp.PeerDown, Peer: other, Down: &bmp.Down{Reason: bmp.DownRemote}}, start.Add(50*time.Minute))
	old.TakeBMP("r1", bmpUp(other), start.Add(51*time.Minute))
	old.TakeBMP("r1", bmpRoutes(other, &bmp.Message{Update: announce(seq(64520), "0.0.0.0/0")}), start.Add(51*time.Minute))
	for at := start; at.Before(start.Add(time.Hour)); at = at.Add(time.Minute) {
		old.Tick(at)
	}
	item(t, old, start.Add(time.Hour))

	now := start.Add(time.Hour)
	table := restart(t, old, defaultRoute, now)
	if s := sessionTo(t, table, "203.0.113.1", now); s.State != paths.Unheard || s.Usual != 901 || s.Empty {
		t.Errorf("before anybody tells of it: %+v", s)
	}
	for _, p := range []bmp.Peer{up, other} {
		table.TakeBMP("r1", bmpUp(p), now)
	}
	table.TakeBMP("r1", bmpRoutes(other, &bmp.Message{Update: announce(seq(64520), "0.0.0.0/0")}), now)
	for _, p := range []bmp.Peer{up, other} {
		table.TakeBMP("r1", bmpRoutes(p, &bmp.Message{Update: ended()}), now)
	}
	now = now.Add(time.Second)
	table.Tick(now)
	s := sessionTo(t, table, "203.0.113.1", now)
	if !s.Empty || s.Usual != 901 {
		t.Errorf("back with nothing: %+v", s)
	}
	if s := sessionTo(t, table, "203.0.113.5", now); s.Empty || s.Flaps != 1 || s.FlapsHour != 1 {
		t.Errorf("the other one: %+v", s)
	}
	v := item(t, table, now)
	if v.Working != 1 || len(v.Ways) != 2 || !strings.Contains(v.Ways[1].Why, "is established and gives no prefix at all; it had 901") {
		t.Errorf("%s %+v", v.Why, v.Ways)
	}
}

// TestNotListedAnyMore: BMP tells of established sessions only. One that went down while nobody heard its router, over a
// restart or with the connection gone, is down when the router does not list it; one that was shut on purpose still is.
func TestNotListedAnyMore(t *testing.T) {
	a, b, c := bmpPeer("203.0.113.1", 64510), bmpPeer("203.0.113.5", 64520), bmpPeer("203.0.113.9", 64530)
	for _, over := range []string{"a restart", "a lost connection"} {
		t.Run(over, func(t *testing.T) {
			table := paths.New(defaultRoute)
			for _, p := range []bmp.Peer{a, b, c} {
				table.TakeBMP("r1", bmpUp(p), start)
				table.TakeBMP("r1", bmpRoutes(p, &bmp.Message{Update: announce(seq(p.AS), "0.0.0.0/0")}), start)
			}
			item(t, table, start)
			table.TakeBMP("r1", &bmp.Message{Type: bmp.PeerDown, Peer: c, Down: &bmp.Down{Reason: bmp.DownRemoteNotification, Notification: &bgp.Notification{Code: 6, Subcode: 2}}}, start)
			now := start.Add(time.Hour)
			if over == "a restart" {
				table = restart(t, table, defaultRoute, now)
			} else {
				table.Silence("r1", now)
			}
			table.TakeBMP("r1", bmpUp(a), now)
			table.TakeBMP("r1", bmpRoutes(a, &bmp.Message{Update: announce(seq(64510), "0.0.0.0/0")}), now)
			table.Tick(now.Add(time.Minute))
			for _, peer := range []string{"203.0.113.5", "203.0.113.9"} {
				if s := sessionTo(t, table, peer, now.Add(time.Minute)); s.State != paths.Unheard {
					t.Errorf("it may still come: %+v", s)
				}
			}
			if v := item(t, table, now.Add(time.Minute)); v.Unsure == 0 {
				t.Errorf("its way may still come: %s", v.Why)
			}
			now = now.Add(3 * time.Minute)
			table.Tick(now)
			if s := sessionTo(t, table, "203.0.113.5", now); s.State != paths.Down || !strings.Contains(s.Reason, "does not have it among those that are established") {
				t.Errorf("it did not: %+v", s)
			}
			if s := sessionTo(t, table, "203.0.113.9", now); s.State != paths.AdminDown || !strings.Contains(s.Reason, "administrative shutdown") {
				t.Errorf("on purpose: %+v", s)
			}
			if v := item(t, table, now); v.Working != 1 || v.Unsure != 0 {
				t.Errorf("its way is lost: %s", v.Why)
			}
			table.Tick(now.Add(8 * 24 * time.Hour)) // nobody waits for it any more
			if v := table.View(now.Add(8 * 24 * time.Hour)); len(v.Sessions) != 2 {
				t.Errorf("%+v", v.Sessions)
			}
		})
	}
}

// TestExpected: a neighbour has time to establish its session after a start; then it is down.
func TestExpected(t *testing.T) {
	table := paths.New(defaultRoute)
	k := key("up", "203.0.113.1")
	table.Expected(k, paths.Info{PeerAS: 64510, LocalAS: 64500}, start)
	table.Late(k, paths.Reason{Text: "the neighbour has not connected"}, start.Add(time.Minute))
	table.Tick(start.Add(time.Minute))
	if s := sessionTo(t, table, "203.0.113.1", start); s.State != paths.Unheard {
		t.Errorf("%+v", s)
	}
	table.Tick(start.Add(3 * time.Minute))
	if s := sessionTo(t, table, "203.0.113.1", start); s.State != paths.Down || s.Reason != "the neighbour has not connected" {
		t.Errorf("%+v", s)
	}
}

// TestNoLongerConfigured: a neighbour of the speaker, or of gobgpd, that was taken out while the program was down is
// forgotten, and so is its way.
func TestNoLongerConfigured(t *testing.T) {
	old := paths.New(defaultRoute)
	for _, peer := range []string{"203.0.113.1", "203.0.113.5"} {
		old.Expected(key("up", peer), paths.Info{PeerAS: 64510, LocalAS: 64500}, start)
		old.Up(key("up", peer), paths.Info{}, start)
		old.Update(key("up", peer), paths.AdjInPre, announce(seq(64510), "0.0.0.0/0"), start)
	}
	item(t, old, start)
	now := start.Add(time.Hour)
	table := restart(t, old, defaultRoute, now)
	table.Expected(key("up", "203.0.113.1"), paths.Info{PeerAS: 64510, LocalAS: 64500}, now)
	if v := item(t, table, now); v.Unsure != 2 {
		t.Errorf("%s", v.Why)
	}
	now = now.Add(3 * time.Minute)
	table.Tick(now)
	if v := table.View(now); len(v.Sessions) != 1 || v.Sessions[0].State != paths.Down || !strings.Contains(v.Sessions[0].Reason, "not established since the start") {
		t.Errorf("%+v", v.Sessions)
	}
	if v := item(t, table, now); len(v.Ways) != 1 || v.Unsure != 0 {
		t.Errorf("%s", v.Why)
	}
}

// TestPieces: what is to be kept comes in pieces that fit, only when it changed, and is given up when it is gone.
func TestPieces(t *testing.T) {
	table := paths.New(paths.Options{Sets: []paths.Set{{Name: "own", In: true, Items: []paths.Item{{Prefix: pfx("198.51.100.0/22"), Longer: true}}}}, Own: []bgp.ASN{64500}})
	for i := range 4500 {
		table.Up(key("rs", fmt.Sprintf("10.0.%d.%d", i/250, i%250)), paths.Info{PeerAS: bgp.ASN(i + 1), Relay: true}, start)
	}
	table.Update(key("rs", "10.0.0.0"), paths.AdjInPre, announce(seq(1, 64500), "198.51.100.0/24", "198.51.101.0/24"), start)
	table.View(start)
	pieces := table.Remember(start)
	sessions := 0
	for i := range pieces {
		sessions += len(pieces[i].Sessions)
		if text, _ := json.Marshal(pieces[i]); len(text) > 900_000 {
			t.Errorf("%s has %d bytes", pieces[i].ID, len(text))
		}
	}
	if len(pieces) != 4 || sessions != 4500 || len(pieces[3].Item.Inside) != 2 {
		t.Fatalf("%d pieces with %d sessions", len(pieces), sessions)
	}
	table.View(start)
	if again := table.Remember(start); len(again) != 0 {
		t.Errorf("nothing changed, and yet: %+v", again)
	}
	table.Forget("rs")
	table.Reconfigure(paths.Options{})
	var forgotten []string
	for _, m := range table.Remember(start) {
		if m.Empty() {
			forgotten = append(forgotten, m.ID)
		}
	}
	if len(forgotten) != 4 {
		t.Errorf("forgotten: %v", forgotten)
	}
}
