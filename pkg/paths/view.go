package paths

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/component"
)

// View is what is known of sessions and watched sets at one moment.
type View struct {
	At       time.Time         `json:"at"`
	Device   string            `json:"device"`
	Routers  []RouterView      `json:"routers"`
	Sessions []SessionView     `json:"sessions"`
	Sets     []SetView         `json:"sets"`
	Counted  map[string]uint64 `json:"counted"` // what was wrong or passed over in the input, by what it was
	// Main gives the id of a router's main component where another target reports it; "" or nil: <router>/router/1.
	Main func(router string) component.ID `json:"-"`
	// Written: the routers only wrote down what they were told (a route collector), so no way leans on them.
	Written bool `json:"-"`
}

// RouterView is one router that told of sessions.
type RouterView struct {
	Name     string `json:"name"`
	SysName  string `json:"sys_name,omitempty"`
	SysDescr string `json:"sys_descr,omitempty"`
	Silent   bool   `json:"silent"`
}

// SessionView is one session with its counts.
type SessionView struct {
	ID      component.ID   `json:"id"`
	Key     Key            `json:"-"`
	Router  string         `json:"router"`
	Peer    netip.Addr     `json:"peer"`
	VRF     string         `json:"vrf,omitempty"`
	PeerAS  bgp.ASN        `json:"peer_as"`
	LocalAS bgp.ASN        `json:"local_as"`
	PeerID  netip.Addr     `json:"peer_id"`
	Local   netip.Addr     `json:"local"`
	State   State          `json:"state"`
	Since   time.Time      `json:"since"`
	Reason  string         `json:"reason,omitempty"`
	Synced  bool           `json:"synced"`   // what it does not tell is not there
	Prefix  map[string]int `json:"prefixes"` // paths held, by RIB
	// Count is how many the neighbour gives, Usual how many it usually gives.
	Count int  `json:"count"`
	Usual int  `json:"usual"`
	Empty bool `json:"empty"` // established without any prefix, and had some
	Low   bool `json:"low"`   // far fewer than usual
	// What the router says in numbers; null: it does not.
	Received   *uint64       `json:"received"`
	Accepted   *uint64       `json:"accepted"`
	Advertised *uint64       `json:"advertised"`
	Limit      int           `json:"prefix_limit,omitempty"`
	LimitHits  *uint64       `json:"prefix_limit_hits,omitempty"`
	Flaps      int           `json:"flaps"`    // since the start
	FlapsHour  int           `json:"flaps_1h"` // in the last hour
	Flapping   bool          `json:"flapping"` // three and more in ten minutes
	Hold       time.Duration `json:"-"`
	HoldS      float64       `json:"hold_s"` // as negotiated; 0: not known
	BFD        string        `json:"bfd,omitempty"`
	Internal   bool          `json:"internal"`
	Relay      bool          `json:"relay"`
	// Upstreams are the ASes that its watched paths enter first.
	Upstreams []bgp.ASN `json:"upstreams"`
}

// SetView is the verdict on one watched set.
type SetView struct {
	Name   string       `json:"name"`
	ID     component.ID `json:"id"`
	In     bool         `json:"in"`
	Needed int          `json:"needed"`
	Items  []ItemView   `json:"items"`
}

// ItemView is the verdict on one destination.
type ItemView struct {
	Label  string       `json:"label"`
	Group  component.ID `json:"group"`
	Prefix netip.Prefix `json:"prefix"`
	// Of a whole range: how many prefixes are in it, how many are as this worst one, and which one that is.
	Prefixes int          `json:"prefixes,omitempty"`
	Alike    int          `json:"alike,omitempty"`
	Worst    netip.Prefix `json:"worst,omitzero"`
	Ways     []WayView    `json:"ways"` // the working ones first, by preference
	Working  int          `json:"working"`
	Unsure   int          `json:"unsure"`
	// Shared are the ASes that two and more ways cross; those that all do are in Single.
	Shared []SharedAS `json:"shared"`
	Single []bgp.ASN  `json:"single"`
	// Decides is the step of best path selection between the first and the second way, or that the router says so; "" where
	// both may be used.
	Decides string `json:"decides,omitempty"`
	Why     string `json:"why"`
}

// SharedAS is an AS that several ways cross.
type SharedAS struct {
	AS      bgp.ASN        `json:"as"`
	Ways    []component.ID `json:"ways"`
	Private bool           `json:"private"` // its number is private: two networks may have it
}

// WayView is one way out, or in.
type WayView struct {
	ID      component.ID `json:"id"`
	Router  string       `json:"router,omitempty"` // "" where several tell of it
	Session component.ID `json:"session,omitempty"`
	Peer    netip.Addr   `json:"peer"`
	// Upstream is the first AS; 0: not certain. Server is the route server's between.
	Upstream bgp.ASN      `json:"upstream"`
	Server   bgp.ASN      `json:"route_server,omitempty"`
	Route    netip.Prefix `json:"route,omitzero"` // what covers the destination
	Path     string       `json:"as_path"`
	Crosses  []bgp.ASN    `json:"crosses"` // for certain, on every path of this way
	Paths    int          `json:"paths"`
	// Working is null where nobody can say.
	Working  *bool     `json:"working"`
	Intended bool      `json:"intended"` // down on purpose
	Standby  bool      `json:"standby"`
	Leaving  bool      `json:"leaving"` // announced as about to be taken away
	Why      string    `json:"why"`
	Since    time.Time `json:"since,omitzero"` // when it was lost
	Pref     uint32    `json:"local_pref"`
	MED      *uint32   `json:"med"`
	// Status is what the router says that it does with the path: "best, primary"; "" where it does not.
	Status string `json:"path_status,omitempty"`
	top    *candidate
	behind betterBy // what makes it stand by
}

// remembered is what is known of an item's ways over time.
type remembered struct {
	ways map[wayKey]*wayMemory
	// firsts: since when the ways that are there are there
	firsts map[wayKey]time.Time
	// by prefix, of an item that takes in all inside it
	inside map[netip.Prefix]*remembered
}

// wayKey names a way within its item: router and neighbour, or upstream and next hop, or the upstream alone.
type wayKey string

type wayMemory struct {
	router   string
	session  component.ID
	tellers  []Key // sessions that told of it last
	upstream bgp.ASN
	server   bgp.ASN
	peer     netip.Addr
	crosses  []bgp.ASN
	family   bgp.Family
	relayed  bool      // it was only told of
	after    bool      // it was told of after the policy
	seen     time.Time // when it last worked
	lost     time.Time
}

// waysKept bounds what is remembered of one item.
const waysKept = 256

func itemKey(s Set, i Item) string {
	return fmt.Sprintf("%s|%t|%s|%s|%t", s.Name, s.In, s.VRF, i.Prefix.Masked(), i.Longer)
}

// View is what the table says now: a value that stays as it is.
func (t *Table) View(now time.Time) *View {
	v := &View{At: now, Device: t.opt.Device, Routers: []RouterView{}, Sessions: []SessionView{}, Sets: []SetView{}, Counted: maps.Clone(t.counted)}
	for _, name := range slices.Sorted(maps.Keys(t.routers)) {
		r := t.routers[name]
		v.Routers = append(v.Routers, RouterView{Name: name, SysName: r.sysName, SysDescr: r.sysDescr, Silent: r.silent})
	}
	all := t.sorted()
	ups := map[component.ID][]bgp.ASN{}
	for i := range t.opt.Sets {
		set := t.viewSet(i, all, now)
		v.Sets = append(v.Sets, set)
		for _, item := range set.Items {
			for _, w := range item.Ways {
				if w.Session != "" && w.Upstream != 0 && w.Working != nil && *w.Working && !slices.Contains(ups[w.Session], w.Upstream) {
					ups[w.Session] = append(ups[w.Session], w.Upstream)
				}
			}
		}
	}
	for _, s := range all {
		sv := t.viewSession(s, now)
		slices.Sort(ups[sv.ID])
		sv.Upstreams = append(sv.Upstreams, ups[sv.ID]...)
		v.Sessions = append(v.Sessions, sv)
	}
	return v
}

func (t *Table) sorted() []*session {
	return slices.SortedFunc(maps.Values(t.sessions), func(a, b *session) int { return compareKeys(a.key, b.key) })
}

func (t *Table) viewSession(s *session, now time.Time) SessionView {
	v := SessionView{
		ID: s.key.ID(s.info.VRF), Key: s.key, Router: s.key.Router, Peer: s.key.Peer, VRF: s.info.VRF, PeerAS: s.info.PeerAS, LocalAS: s.info.LocalAS,
		PeerID: s.info.PeerID, Local: s.info.Local, State: s.state, Since: s.since, Reason: s.reason.Text, Prefix: map[string]int{},
		Count: s.prefixes(), Usual: s.counts.Count(), Received: s.counters.Received, Accepted: s.counters.Accepted, Advertised: s.counters.Advertised,
		Limit: s.info.PrefixLimit, LimitHits: s.counters.LimitHits, Flaps: s.flapped, Hold: s.info.Hold, HoldS: s.info.Hold.Seconds(), BFD: s.counters.BFD,
		Internal: t.internal(s), Relay: s.info.Relay, Upstreams: []bgp.ASN{},
	}
	if v.VRF == "" && s.key.RD != 0 {
		v.VRF = RDString(s.key.RD)
	}
	for r, rib := range s.rib {
		if rib != nil {
			v.Prefix[RIB(r).String()] = rib.paths
		}
	}
	tenMinutes := 0
	for _, at := range s.flaps {
		if now.Sub(at) <= time.Hour {
			v.FlapsHour++
		}
		if now.Sub(at) <= 10*time.Minute {
			tenMinutes++
		}
	}
	v.Flapping = tenMinutes >= 3
	if s.state == Up {
		v.Synced = t.whole(s) || now.Sub(s.upAt) >= t.opt.Sync
		// Between two routers of ours the one with the better paths tells and the other falls silent, as it should.
		judged := v.Synced && (!v.Internal || v.Relay)
		v.Empty = judged && v.Count == 0 && v.Usual > 0
		v.Low = judged && !v.Empty && s.counts.Low(v.Count)
	}
	return v
}

// internal reports whether both ends of the session are ours.
func (t *Table) internal(s *session) bool {
	return s.info.PeerAS != 0 && (t.own[s.info.PeerAS] || s.info.PeerAS == s.info.LocalAS)
}

// direct reports whether the session is one that traffic leaves by: a router's own with a neighbour outside.
func (t *Table) direct(s *session) bool {
	return !s.info.Relay && s.key.Peer.IsValid() && !s.key.Peer.IsUnspecified() && !t.internal(s)
}

func (t *Table) viewSet(at int, all []*session, now time.Time) SetView {
	set := t.opt.Sets[at]
	v := SetView{Name: set.Name, ID: component.NewID(t.opt.Device, component.Route, set.Name), In: set.In, Needed: max(set.Needed, 1), Items: []ItemView{}}
	all = slices.DeleteFunc(slices.Clone(all), func(s *session) bool { return !s.inVRF(set.VRF) })
	for _, item := range set.Items {
		label := set.Name
		if len(set.Items) > 1 {
			label += "/" + item.Prefix.Masked().String()
		}
		e := evaluation{t: t, set: &set, label: label, sessions: all, now: now}
		key := itemKey(set, item)
		m := t.memory[key]
		if m == nil {
			m = &remembered{ways: map[wayKey]*wayMemory{}, inside: map[netip.Prefix]*remembered{}}
			t.memory[key] = m
		}
		if item.Longer {
			v.Items = append(v.Items, e.inside(at, item.Prefix.Masked(), m))
		} else {
			v.Items = append(v.Items, e.item(item.Prefix.Masked(), m))
		}
	}
	return v
}

func (s *session) inVRF(vrf string) bool {
	if vrf == "" {
		return s.key.RD == 0
	}
	return s.info.VRF == vrf || s.key.RD != 0 && RDString(s.key.RD) == vrf
}

// evaluation finds the ways to one item.
type evaluation struct {
	t        *Table
	set      *Set
	label    string
	sessions []*session
	now      time.Time
	routes   map[*session][]Route // of the prefix that is being looked at
	refused  map[Key]string       // why the path that a session gives cannot be chosen
	direct   map[bgp.ASN]bool     // upstreams whose sessions are told of
	prefix   netip.Prefix         // the one that is being looked at
}

// insideShown bounds how many prefixes of a range are judged one by one.
const insideShown = 512

// inside judges every prefix of a range, and shows the worst.
func (e *evaluation) inside(set int, p netip.Prefix, m *remembered) ItemView {
	known := map[netip.Prefix]bool{}
	if l := e.t.watch.item(set, p); l != nil {
		for q := range l.seen {
			known[q] = true
		}
	}
	for q := range m.inside {
		known[q] = true
	}
	prefixes := slices.SortedFunc(maps.Keys(known), netip.Prefix.Compare)
	var worst ItemView
	alike := 0
	for i, q := range prefixes[:min(len(prefixes), insideShown)] {
		sub := m.inside[q]
		if sub == nil {
			sub = &remembered{ways: map[wayKey]*wayMemory{}}
			m.inside[q] = sub
		}
		v := e.item(q, sub)
		switch c := compareItems(&v, &worst); {
		case i == 0 || c < 0:
			worst, alike = v, 1
		case c == 0:
			alike++
		}
	}
	if len(prefixes) == 0 {
		worst = e.item(p, m)
	}
	worst.Worst, worst.Prefix, worst.Prefixes, worst.Alike = worst.Prefix, p, len(prefixes), alike
	if len(prefixes) > 0 {
		worst.Why = fmt.Sprintf("%s: %s", worst.Worst, worst.Why)
	}
	if len(prefixes) > insideShown {
		worst.Why += fmt.Sprintf("; of %d prefixes the first %d were judged", len(prefixes), insideShown)
	}
	return worst
}

// compareItems puts the worse first: fewer ways, then more that all ways share, then more lost.
func compareItems(a, b *ItemView) int {
	lost := func(v *ItemView) int { return len(v.Ways) - v.Working - v.Unsure }
	return cmp.Or(cmp.Compare(a.Working, b.Working), cmp.Compare(len(b.Single), len(a.Single)), cmp.Compare(lost(b), lost(a)))
}

// found is a way with its paths of this moment.
type found struct {
	key     wayKey
	router  string
	session *session
	tellers []*session
	paths   []candidate
}

// several reports whether the way is only told of, by sessions that tell of more than one way: with path ids, or because
// many viewers see the world from many places.
func (f *found) several(in bool) bool {
	return f.paths[0].relayed && (in || f.paths[0].route.PathID != 0)
}

// settling is how long a way that is only told of must have been told of to count, unless it was there when its session
// began: what routers pass on their search for a path is no way, and no loss when it goes.
const settling = time.Minute

// settled leaves out the ways that are only passing. Where nothing else works they count at once.
func (e *evaluation) settled(ways []*found, m *remembered) []*found {
	lasting := make([]*found, 0, len(ways))
	present := map[wayKey]bool{}
	for _, f := range ways {
		present[f.key] = true
		first, known := m.firsts[f.key]
		if !known {
			first = e.now
			if m.firsts == nil {
				m.firsts = map[wayKey]time.Time{}
			}
			m.firsts[f.key] = first
		}
		fromStart := slices.ContainsFunc(f.tellers, func(s *session) bool { return first.Sub(s.upAt) < settling })
		if !f.several(e.set.In) || m.ways[f.key] != nil || fromStart || e.now.Sub(first) >= settling {
			lasting = append(lasting, f)
		}
	}
	maps.DeleteFunc(m.firsts, func(k wayKey, _ time.Time) bool { return !present[k] })
	if len(lasting) == 0 {
		return ways
	}
	return lasting
}

func (e *evaluation) item(p netip.Prefix, m *remembered) ItemView {
	v := ItemView{Label: e.label, Group: component.NewID(e.t.opt.Device, component.Group, "path-"+e.label), Prefix: p,
		Ways: []WayView{}, Shared: []SharedAS{}, Single: []bgp.ASN{}}
	e.routes, e.refused, e.direct, e.prefix = map[*session][]Route{}, map[Key]string{}, map[bgp.ASN]bool{}, p
	var ways []*found
	if e.set.In {
		ways = e.waysIn(p)
	} else {
		ways = e.waysOut(p)
		e.choose(ways, p)
	}
	ways = e.settled(ways, m)
	present := map[wayKey]bool{}
	for _, f := range ways {
		present[f.key] = true
		w := e.present(f, p)
		v.Ways = append(v.Ways, w)
		if m.ways[f.key] == nil && len(m.ways) >= waysKept {
			continue
		}
		mem := &wayMemory{router: w.Router, session: w.Session, upstream: w.Upstream, server: w.Server, peer: w.Peer, crosses: w.Crosses, family: unicast(p), relayed: f.paths[0].relayed, seen: e.now}
		for _, s := range f.tellers {
			mem.tellers = append(mem.tellers, s.key)
		}
		mem.after = f.session != nil && f.session.inRIB() == AdjInPost
		if was := m.ways[f.key]; was != nil && was.after && !mem.after {
			mem.after, mem.seen = true, was.seen // before the policy only, until the router has told of the rest too
		}
		m.ways[f.key] = mem
	}
	e.rank(&v)
	v.Working = len(v.Ways)
	for _, key := range slices.Sorted(maps.Keys(m.ways)) {
		if !present[key] {
			w, keep := e.missing(key, m.ways[key])
			if !keep {
				delete(m.ways, key)
				continue
			}
			if w.Working == nil {
				v.Unsure++
			}
			v.Ways = append(v.Ways, w)
		}
	}
	e.share(&v)
	v.Why = why(&v)
	if !e.set.In && v.Working > 0 {
		v.Why += "; " + preference(&v)
	}
	return v
}

func (e *evaluation) wayID(k wayKey) component.ID {
	return component.NewID(e.t.opt.Device, component.Path, e.label+"/"+string(k))
}

// waysOut are the ways to a destination. What external sessions of routers give are ways of their own. What is only told
// of (by a speaker's neighbour, over internal sessions, from a Loc-RIB) counts where nobody tells of the session itself.
func (e *evaluation) waysOut(p netip.Prefix) []*found {
	var ways []*found
	servers := e.servers()
	monitored := map[string]bool{}
	for _, s := range e.sessions {
		if !e.t.direct(s) || s.ever&(1<<AdjInPre|1<<AdjInPost) == 0 {
			continue
		}
		// Down or not: what is told of its AS elsewhere meanwhile is no other way.
		monitored[s.key.Router] = true
		if e.confederate(s, p) {
			continue
		}
		e.direct[s.info.PeerAS] = true
		if s.state != Up {
			continue
		}
		f := &found{key: wayKey(s.key.Router + "/" + s.key.ID(s.info.VRF).Local()), router: s.key.Router, session: s, tellers: []*session{s}}
		for _, r := range e.covering(s, p) {
			if s.inRIB() == AdjInPre && loops(r.Attrs.ASPath, s.info.LocalAS) {
				continue
			}
			if c, ok := e.candidate(s, r, outward(r.Attrs.ASPath, s.info.PeerAS, e.t.own, servers), p); ok {
				c.external = true
				e.learnPref(s, &c)
				e.direct[c.upstream()] = true
				f.paths = append(f.paths, c)
			}
		}
		if len(f.paths) > 0 {
			ways = append(ways, f)
		} else {
			e.doubt(s)
		}
	}
	return append(ways, e.waysTold(p, monitored, servers)...)
}

// loops reports whether a path left our AS and came back: a router takes no such path (RFC 4271 section 9.1.2) unless it
// was told to, which its RIB after the policy shows.
func loops(p bgp.Path, own bgp.ASN) bool {
	left := false
	for _, seg := range p {
		if seg.Type == bgp.ConfedSequence || seg.Type == bgp.ConfedSet {
			continue
		}
		for _, as := range seg.ASNs {
			if as == own && left && own != 0 {
				return true
			}
			left = left || as != own
		}
	}
	return false
}

// covering are the session's paths that cover a prefix, looked up once.
func (e *evaluation) covering(s *session, p netip.Prefix) []Route {
	routes, known := e.routes[s]
	if !known {
		routes = e.t.lookup(s, s.inRIB(), p, p.Bits() > 0)
		e.t.asReceived(s, routes)
		e.routes[s] = routes
	}
	return routes
}

// confederate reports whether the session is with another part of our own confederation: its paths begin inside it (RFC
// 5065). They are told of, as over an internal session.
func (e *evaluation) confederate(s *session, p netip.Prefix) bool {
	if s.state != Up {
		return false
	}
	return slices.ContainsFunc(e.covering(s, p), func(r Route) bool {
		return len(r.Attrs.ASPath) > 0 && (r.Attrs.ASPath[0].Type == bgp.ConfedSequence || r.Attrs.ASPath[0].Type == bgp.ConfedSet)
	})
}

func (e *evaluation) servers() map[bgp.ASN]bool {
	m := map[bgp.ASN]bool{}
	for _, as := range e.t.opt.RouteServers {
		m[as] = true
	}
	return m
}

// waysTold are the ways that are only told of: one for each pair of upstream and next hop where a session tells of all its
// paths, one for the session where it tells of its best alone.
func (e *evaluation) waysTold(p netip.Prefix, monitored map[string]bool, servers map[bgp.ASN]bool) []*found {
	by := map[wayKey]*found{}
	var order []wayKey
	for _, s := range e.sessions {
		if e.t.direct(s) && !e.confederate(s, p) || s.state != Up || s.key.Peer.IsUnspecified() || !s.key.Peer.IsValid() && monitored[s.key.Router] {
			continue
		}
		for _, r := range e.covering(s, p) {
			peer := bgp.ASN(0)
			if s.info.Relay {
				peer = s.info.PeerAS
			}
			c, ok := e.candidate(s, r, outward(r.Attrs.ASPath, peer, e.t.own, servers), p)
			if !ok || len(c.hops) == 0 || e.direct[c.upstream()] && c.upstream() != 0 {
				continue
			}
			c.relayed = true
			// Without path ids it tells of one way at a time: another in its place is no loss of the first.
			key := wayKey(s.key.Router + "/" + s.key.ID(s.info.VRF).Local())
			if r.PathID != 0 {
				key = wayKey(fmt.Sprintf("%s/%s", c.upstream(), r.Attrs.NextHop))
			}
			f := by[key]
			if f == nil {
				f = &found{key: key, router: s.key.Router, session: s}
				by[key] = f
				order = append(order, key)
			}
			if f.router != s.key.Router {
				f.router, f.session = "", nil
			}
			if !slices.Contains(f.tellers, s) {
				f.tellers = append(f.tellers, s)
			}
			f.paths = append(f.paths, c)
		}
	}
	var ways []*found
	for _, k := range order {
		ways = append(ways, by[k])
	}
	return ways
}

// candidate makes a candidate of a route; ok is false for one that leads nowhere on purpose, or that its router says it
// cannot choose.
func (e *evaluation) candidate(s *session, r Route, c crossed, p netip.Prefix) (candidate, bool) {
	if r.Attrs.Marks&bgp.Blackhole != 0 {
		return candidate{}, false
	}
	status := e.statusOf(s, &r)
	if status.use() == useless {
		e.refused[s.key] = status.why()
		return candidate{}, false
	}
	id := s.info.PeerID
	if r.Attrs.OriginatorID.IsValid() {
		id = r.Attrs.OriginatorID
	}
	return candidate{route: r, crossed: c, asns: c.certain(p.Bits() == 0), peer: s.key.Peer, id: id, pref: weigh(&r.Attrs), status: status}, true
}

// waysIn are the ways by which the world reaches a prefix of ours: the ASes before our own in the paths that viewers
// outside see, and the neighbours to whom routers send it.
func (e *evaluation) waysIn(p netip.Prefix) []*found {
	by := map[wayKey]*found{}
	servers := e.servers()
	add := func(s *session, as bgp.ASN, c candidate) {
		key := wayKey(as.String())
		f := by[key]
		if f == nil {
			f = &found{key: key, router: s.key.Router, session: s}
			by[key] = f
		}
		if f.session != s {
			f.session = nil
		}
		if f.router != s.key.Router {
			f.router = ""
		}
		f.tellers = append(f.tellers, s)
		f.paths = append(f.paths, c)
	}
	for _, s := range e.sessions {
		if s.state != Up {
			continue
		}
		if s.info.Relay && !e.t.internal(s) {
			for _, r := range e.t.lookup(s, s.inRIB(), p, false) {
				c, ok := e.candidate(s, r, inward(r.Attrs.ASPath, e.t.own, servers), p)
				if ok && c.upstream() != 0 {
					c.relayed = true
					c.asns = c.seen()
					add(s, c.upstream(), c)
				}
			}
			continue
		}
		out := AdjOutPost
		if s.saw&(1<<AdjOutPost) == 0 {
			out = AdjOutPre
		}
		if s.saw&(1<<out) == 0 || !e.t.direct(s) {
			continue
		}
		for _, r := range e.t.lookup(s, out, p, false) {
			c := candidate{route: r, crossed: crossed{hops: []hop{{as: s.info.PeerAS}}}, asns: []bgp.ASN{s.info.PeerAS}, peer: s.key.Peer, pref: weigh(&r.Attrs)}
			add(s, s.info.PeerAS, c)
		}
	}
	var ways []*found
	for _, k := range slices.Sorted(maps.Keys(by)) {
		ways = append(ways, by[k])
	}
	return ways
}

// seen are the ASes of a path towards us, without the viewer's own, which is the view and not the way.
func (c crossed) seen() []bgp.ASN {
	all := crossed{hops: c.hops}.certain(true)
	if len(c.hops) > 1 {
		all = crossed{hops: c.hops}.certain(false)
	}
	return all
}

// present makes a way's view of its paths.
func (e *evaluation) present(f *found, p netip.Prefix) WayView {
	top := best(f.paths)
	yes := true
	w := WayView{ID: e.wayID(f.key), Router: f.router, Upstream: top.upstream(), Server: top.server, Route: top.route.Prefix,
		Path: top.route.Attrs.ASPath.String(), Paths: len(f.paths), Working: &yes, Pref: top.pref, Crosses: []bgp.ASN{}, Status: top.status.String(), top: top}
	if f.session != nil {
		w.Session, w.Peer = f.session.key.ID(f.session.info.VRF), f.session.key.Peer
	}
	if top.route.Attrs.HasMED {
		med := top.route.Attrs.MED
		w.MED = &med
	}
	var lists [][]bgp.ASN
	viewers := map[bgp.ASN]bool{}
	leaving := 0
	for i := range f.paths {
		c := &f.paths[i]
		lists = append(lists, c.asns)
		if len(c.hops) > 0 {
			viewers[c.hops[len(c.hops)-1].as] = true
		}
		if c.route.Attrs.Marks&(bgp.GracefulShutdown|bgp.Stale) != 0 {
			leaving++
		}
	}
	w.Crosses = append(w.Crosses, common(lists)...)
	if e.set.In && len(viewers) < 2 && len(w.Crosses) > 1 {
		w.Crosses = w.Crosses[:1] // seen from one place only: what lies beyond the upstream is that place's view
	}
	w.Leaving = leaving == len(f.paths)
	switch {
	case w.Leaving:
		w.Why = "announced as about to be taken away"
	case f.session != nil && e.flapping(f.session):
		w.Why = "its session flaps"
	}
	return w
}

func (e *evaluation) flapping(s *session) bool {
	n := 0
	for _, at := range s.flaps {
		if e.now.Sub(at) <= 10*time.Minute {
			n++
		}
	}
	return n >= 3
}

// rank orders the working ways as routers would take them, and marks those that carry nothing while a better one works:
// as their routers say, else by what the network's attributes decide against the best way of which nobody says that it
// is not used.
func (e *evaluation) rank(v *ItemView) {
	slices.SortStableFunc(v.Ways, func(a, b WayView) int {
		o, _ := compare(a.top, b.top)
		return o
	})
	if e.set.In || len(v.Ways) == 0 {
		return
	}
	first := slices.IndexFunc(v.Ways, func(w WayView) bool { return w.top.status.use() <= unsaid })
	for i := range v.Ways {
		w := &v.Ways[i]
		switch u := w.top.status.use(); {
		case u == active || i == first:
		case u > unsaid:
			w.Standby, w.behind = true, byRouter
		default:
			_, by := compare(v.Ways[first].top, w.top)
			w.Standby, w.behind = !by.tie(), by
		}
	}
	slices.SortStableFunc(v.Ways, func(a, b WayView) int { return cmp.Compare(a.turn(), b.turn()) })
	if len(v.Ways) > 1 && v.Ways[1].Standby && !v.Ways[0].Standby {
		v.Decides = string(v.Ways[1].behind)
	}
}

// turn says when a way is taken: those in use first, then those that their routers have ready.
func (w *WayView) turn() int {
	switch {
	case !w.Standby:
		return 0
	case w.top.status.use() == backup:
		return 1
	}
	return 2
}

// missing makes the view of a way that was there and is not. keep is false where it has no session any more, or where it
// was only told of and the sessions of its upstream are now heard themselves: those are the ways then.
func (e *evaluation) missing(k wayKey, m *wayMemory) (w WayView, keep bool) {
	if m.relayed && e.direct[m.upstream] {
		return w, false
	}
	w = WayView{ID: e.wayID(k), Router: m.router, Session: m.session, Peer: m.peer, Upstream: m.upstream, Server: m.server, Crosses: append([]bgp.ASN{}, m.crosses...)}
	no := false
	unheard, admin := false, false
	var reasons []string
	var since time.Time
	for _, key := range m.tellers {
		s := e.t.sessions[key]
		if s == nil {
			continue
		}
		keep = true
		since = latest(since, s.since)
		switch s.state {
		case Unheard:
			unheard = true
			reasons = append(reasons, "nobody tells of "+s.name())
		case Up:
			if m.seen.Before(s.upAt) && !e.t.synced(s, m.family, e.now) {
				unheard = true
				reasons = append(reasons, s.name()+" is still telling its paths")
				continue
			}
			what := cmp.Or(e.refused[key], "gives no path any more")
			switch given := e.given(s); {
			case given && m.seen.Before(s.upAt) && e.t.isFRR(s):
				unheard = true
				reasons = append(reasons, s.name()+" gives a path that is not there after the policy; FRR says the same of one whose next hop it had still to find")
				continue
			case given:
				what = "gives a path, and the router says that its policy takes none any more"
			}
			if s.prefixes() == 0 {
				what = fmt.Sprintf("is established and gives no prefix at all; it had %d", s.counts.Count())
			}
			reasons = append(reasons, s.name()+" "+what)
			if m.lost.IsZero() {
				m.lost = e.now
			}
			since = m.lost
		case AdminDown:
			admin = true
			reasons = append(reasons, s.name()+" was shut down on purpose: "+s.reason.Text)
		default:
			reasons = append(reasons, s.name()+" is down: "+cmp.Or(s.reason.Text, "no reason was given"))
		}
	}
	w.Why = strings.Join(reasons, "; ")
	w.Since = since
	switch {
	case unheard:
	case admin && len(m.tellers) == 1:
		w.Intended = true
		w.Working = &no
	default:
		w.Working = &no
	}
	return w, keep
}

func unicast(p netip.Prefix) bgp.Family {
	if p.Addr().Is6() {
		return bgp.IPv6Unicast
	}
	return bgp.IPv4Unicast
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// share finds what the ways have in common: those that work, and those that are lost as they were.
func (e *evaluation) share(v *ItemView) {
	by := map[bgp.ASN][]component.ID{}
	var lists [][]bgp.ASN
	for _, w := range v.Ways {
		for _, as := range w.Crosses {
			by[as] = append(by[as], w.ID)
		}
		if w.Working == nil || *w.Working {
			lists = append(lists, w.Crosses)
		}
	}
	for _, as := range slices.Sorted(maps.Keys(by)) {
		if len(by[as]) > 1 {
			v.Shared = append(v.Shared, SharedAS{AS: as, Ways: by[as], Private: as.Private()})
		}
	}
	if len(lists) > 1 {
		v.Single = append(v.Single, common(lists)...)
	}
}

// why says the verdict in one sentence.
func why(v *ItemView) string {
	lost := len(v.Ways) - v.Working - v.Unsure
	text := fmt.Sprintf("%d of %d ways work", v.Working, len(v.Ways))
	if len(v.Ways) == 0 {
		return "no way was ever seen"
	}
	if v.Unsure > 0 {
		text += fmt.Sprintf(", of %d nobody tells", v.Unsure)
	}
	if lost > 0 {
		for _, w := range v.Ways {
			if w.Working != nil && !*w.Working {
				text += "; lost: " + w.Why
			}
		}
	}
	if len(v.Single) > 0 {
		words := make([]string, len(v.Single))
		for i, as := range v.Single {
			words[i] = as.String()
			if as.Private() {
				words[i] += " (a private number)"
			}
		}
		text += "; every path crosses " + strings.Join(words, " and ")
	}
	return text
}

// preference says which way traffic takes, and which it would take after a loss.
func preference(v *ItemView) string {
	const shown = 4
	text := "traffic goes "
	for i := range v.Ways[:v.Working] {
		w := &v.Ways[i]
		switch {
		case i == shown:
			return text + fmt.Sprintf(" and %d more", v.Working-shown)
		case i == 0 && w.Standby:
			text = "the routers say that they use none of these ways now; they would take "
		case i == 0:
		case w.Standby && !v.Ways[i-1].Standby:
			text += fmt.Sprintf("; after a loss (by %s) ", w.behind)
		case w.Standby:
			text += ", then "
		default:
			text += " or " // nothing that holds in the whole network decides between them
		}
		text += wayName(w)
	}
	return text
}

// Next says which ways traffic would take, in order, if these failed one after the other.
func (v *ItemView) Next() []component.ID {
	var ids []component.ID
	for _, w := range v.Ways {
		if w.Working != nil && *w.Working {
			ids = append(ids, w.ID)
		}
	}
	return ids
}
