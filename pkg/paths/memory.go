package paths

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/traffic"
)

// Memory is one piece of what a Table knows and must not forget when the program ends: what sessions usually bring and
// how often they went down, and the ways that there were. Paths are not in it.
type Memory struct {
	// ID names the piece, for good. A piece with nothing in it is one to forget.
	ID       string          `json:"id"`
	Sessions []SessionMemory `json:"sessions,omitempty"`
	Item     *ItemMemory     `json:"item,omitempty"`
}

// Empty reports whether there is nothing in the piece.
func (m *Memory) Empty() bool { return len(m.Sessions) == 0 && m.Item == nil }

// SessionMemory is what is remembered of one session.
type SessionMemory struct {
	Router  string      `json:"router"`
	Peer    netip.Addr  `json:"peer"`
	RD      uint64      `json:"rd,omitempty"`
	PeerAS  bgp.ASN     `json:"peer_as"`
	LocalAS bgp.ASN     `json:"local_as,omitempty"`
	VRF     string      `json:"vrf,omitempty"`
	Relay   bool        `json:"relay,omitempty"`
	State   string      `json:"state"` // the last that was known
	Reason  string      `json:"reason,omitempty"`
	RIBs    uint8       `json:"ribs"` // those of which anything ever came
	Usual   int         `json:"usual"`
	Spread  int         `json:"spread,omitempty"`
	Samples int         `json:"samples,omitempty"`
	Flaps   []time.Time `json:"flaps,omitempty"` // of the last hour
	Flapped int         `json:"flapped,omitempty"`
}

// ItemMemory is what is remembered of one watched destination.
type ItemMemory struct {
	Key    string                       `json:"key"` // set and prefix, as they are configured
	Ways   []WayMemory                  `json:"ways,omitempty"`
	Inside map[netip.Prefix][]WayMemory `json:"inside,omitempty"` // of a range, by prefix
}

// WayMemory is one way that there was.
type WayMemory struct {
	Key      string       `json:"key"`
	Router   string       `json:"router,omitempty"`
	Session  component.ID `json:"session,omitempty"`
	Tellers  []Key        `json:"tellers,omitempty"`
	Upstream bgp.ASN      `json:"upstream,omitempty"`
	Server   bgp.ASN      `json:"server,omitempty"`
	Peer     netip.Addr   `json:"peer"`
	Crosses  []bgp.ASN    `json:"crosses,omitempty"`
	IPv6     bool         `json:"ipv6,omitempty"`
	Relayed  bool         `json:"relayed,omitempty"` // it was only told of
	Lost     time.Time    `json:"lost,omitzero"`
}

// What bounds one piece, so that it fits where it is written: sessions of one router, ways of one range.
const (
	sessionsInPiece = 2000
	waysInPiece     = 2000
)

// Remember gives the pieces that are other than they were at the last call.
func (t *Table) Remember(now time.Time) []Memory {
	for _, s := range t.sessions {
		if s.unkept {
			t.unkept[s.key.Router] = true
			s.unkept = false
		}
	}
	var all []Memory
	for _, router := range slices.Sorted(maps.Keys(t.unkept)) {
		all = append(all, t.rememberRouter(router, now)...)
	}
	clear(t.unkept)
	return append(all, t.rememberItems()...)
}

// rememberRouter gives all pieces of a router, and empty ones for those that it no longer needs.
func (t *Table) rememberRouter(router string, now time.Time) []Memory {
	var sessions []SessionMemory
	for _, s := range t.ofRouter(router) {
		if s.known() != Unheard && s.key.Peer.IsValid() && !s.key.Peer.IsUnspecified() {
			sessions = append(sessions, s.remember(now))
		}
	}
	var all []Memory
	for part := range slices.Chunk(sessions, sessionsInPiece) {
		all = append(all, Memory{ID: routerPiece(router, len(all)), Sessions: part})
	}
	needed := len(all)
	for i := needed; i < t.pieces[router]; i++ {
		all = append(all, Memory{ID: routerPiece(router, i)})
	}
	t.pieces[router] = needed
	return all
}

func routerPiece(router string, part int) string { return fmt.Sprintf("sessions/%s/%d", router, part) }

// known is the last state of the session that anybody told of.
func (s *session) known() State {
	if s.state == Unheard {
		return s.before
	}
	return s.state
}

func (s *session) remember(now time.Time) SessionMemory {
	m := SessionMemory{Router: s.key.Router, Peer: s.key.Peer, RD: s.key.RD, PeerAS: s.info.PeerAS, LocalAS: s.info.LocalAS, VRF: s.info.VRF, Relay: s.info.Relay,
		State: s.known().String(), Reason: s.reason.Text, RIBs: s.ever, Flapped: s.flapped}
	m.Usual, m.Spread, m.Samples = s.counts.Known()
	for _, at := range s.flaps {
		if now.Sub(at) <= time.Hour {
			m.Flaps = append(m.Flaps, at)
		}
	}
	return m
}

// rememberItems gives the watched destinations whose ways are others than at the last call, and forgets those that are
// not watched any more.
func (t *Table) rememberItems() []Memory {
	var all []Memory
	for _, key := range slices.Sorted(maps.Keys(t.memory)) {
		m := t.memory[key]
		item := ItemMemory{Key: key, Ways: rememberWays(m.ways)}
		left := waysInPiece
		for _, p := range slices.SortedFunc(maps.Keys(m.inside), netip.Prefix.Compare) {
			ways := rememberWays(m.inside[p].ways)
			if left -= len(ways); len(ways) == 0 || left < 0 {
				continue
			}
			if item.Inside == nil {
				item.Inside = map[netip.Prefix][]WayMemory{}
			}
			item.Inside[p] = ways
		}
		piece := Memory{ID: "ways/" + key}
		if len(item.Ways) > 0 || item.Inside != nil {
			piece.Item = &item
		}
		text, err := json.Marshal(piece.Item)
		if err != nil || t.kept[key] == string(text) || piece.Empty() && t.kept[key] == "" {
			continue // what is made of these types can be written
		}
		t.kept[key] = string(text)
		all = append(all, piece)
	}
	for key := range t.kept {
		if t.memory[key] == nil {
			delete(t.kept, key)
			all = append(all, Memory{ID: "ways/" + key})
		}
	}
	return all
}

func rememberWays(ways map[wayKey]*wayMemory) []WayMemory {
	var all []WayMemory
	for _, key := range slices.Sorted(maps.Keys(ways)) {
		w := ways[key]
		all = append(all, WayMemory{Key: string(key), Router: w.router, Session: w.session, Tellers: w.tellers, Upstream: w.upstream, Server: w.server,
			Peer: w.peer, Crosses: w.crosses, IPv6: w.family == bgp.IPv6Unicast, Relayed: w.relayed, Lost: w.lost})
	}
	return all
}

// Restore takes in what an earlier table remembered. Call it before anything else. Nobody tells of these sessions until
// their routers do; what they usually bring is known from the start.
func (t *Table) Restore(pieces []Memory) {
	watched := map[string]Item{}
	for _, set := range t.opt.Sets {
		for _, item := range set.Items {
			watched[itemKey(set, item)] = item
		}
	}
	for i := range pieces {
		for j := range pieces[i].Sessions {
			t.restoreSession(&pieces[i].Sessions[j])
		}
		if sessions := pieces[i].Sessions; len(sessions) > 0 {
			t.pieces[sessions[0].Router]++
		}
		item := pieces[i].Item
		if item == nil {
			continue
		}
		text, _ := json.Marshal(item)
		t.kept[item.Key] = string(text)
		if _, still := watched[item.Key]; !still {
			continue
		}
		m := &remembered{ways: restoreWays(item.Ways), inside: map[netip.Prefix]*remembered{}}
		for p, ways := range item.Inside {
			m.inside[p] = &remembered{ways: restoreWays(ways)}
		}
		t.memory[item.Key] = m
	}
}

func (t *Table) restoreSession(m *SessionMemory) {
	s := t.session(Key{Router: m.Router, Peer: m.Peer, RD: m.RD})
	if s == nil {
		return
	}
	s.recalled = true
	s.info = Info{PeerAS: m.PeerAS, LocalAS: m.LocalAS, VRF: m.VRF, Relay: m.Relay}
	s.before = State(max(0, slices.Index(stateNames[:], m.State)))
	s.reason, s.ever, s.flaps, s.flapped = Reason{Text: m.Reason}, m.RIBs, m.Flaps, m.Flapped
	s.counts = traffic.UsualOf(m.Usual, m.Spread, m.Samples)
	t.learnOwn(s)
}

func restoreWays(list []WayMemory) map[wayKey]*wayMemory {
	ways := map[wayKey]*wayMemory{}
	for _, w := range list[:min(len(list), waysKept)] {
		m := &wayMemory{router: w.Router, session: w.Session, tellers: w.Tellers, upstream: w.Upstream, server: w.Server, peer: w.Peer,
			crosses: w.Crosses, family: bgp.IPv4Unicast, relayed: w.Relayed, lost: w.Lost}
		if w.IPv6 {
			m.family = bgp.IPv6Unicast
		}
		ways[wayKey(w.Key)] = m
	}
	return ways
}

// absentFor is how long a session that its router no longer lists is remembered to be down.
const absentFor = 7 * 24 * time.Hour

// missed finds the sessions that their routers do not speak of, although they speak again for long enough. Of routers that
// list what is established (BMP, RFC 7854 section 3.3) they went down meanwhile; one that was down on purpose still is.
// Others would list them in any state: what is only remembered is no longer configured there, and is forgotten.
func (t *Table) missed(now time.Time) {
	for _, s := range t.sessions {
		r := t.routers[s.key.Router]
		if r == nil || r.silent || now.Sub(r.since) < t.opt.Sync || !s.key.Peer.IsValid() {
			continue
		}
		switch {
		case s.state == Unheard && !r.lists && s.recalled && s.expected.IsZero(), s.state == Down && s.absent && now.Sub(s.since) >= absentFor:
			delete(t.sessions, s.key)
			t.unkept[s.key.Router] = true
		case s.state != Unheard || s.before == Unheard || !r.lists:
		case s.before == AdminDown:
			t.down(s, Reason{Admin: true, Text: cmp.Or(s.reason.Text, "shut down on purpose")}, now)
		default:
			t.down(s, Reason{Text: "the router does not have it among those that are established"}, now)
			s.absent = true
		}
	}
}
