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
