package paths

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/traffic"
)

// Table keeps sessions and paths. One goroutine owns it.
type Table struct {
	opt      Options
	own      map[bgp.ASN]bool
	routers  map[string]*router
	sessions map[Key]*session
	attrs    *store
	seed     uint64
	extras   extras
	watch    watch
	paths    int
	counted  map[string]uint64
	events   []Event
	dirty    map[string]int // index in events, by set
	memory   map[string]*remembered
	// What was handed out to be kept: routers of which that must be done again, how many pieces each has, and the ways of
	// each destination as they were written.
	unkept map[string]bool
	anew   map[string]bool // routers that have to tell everything anew
	pieces map[string]int
	kept   map[string]string
}

// router is what is known of one router.
type router struct {
	name, sysName, sysDescr string
	silent                  bool
	// old: it was silent and has not spoken since; what it said before is dropped when it does.
	old   bool
	since time.Time // it speaks
	lists bool      // it says which sessions are established, so that the others are not
}

// session is one session with its RIBs.
type session struct {
	key      Key
	info     Info
	state    State
	before   State // what it was before nobody told of it
	views    uint8 // RIBs whose Up came (BMP sends one for each)
	reason   Reason
	since    time.Time // of the state
	upAt     time.Time
	flaps    []time.Time // when it went down, the last ones
	flapped  int         // how often since the start
	rib      [ribs]*rib
	saw      uint8 // RIBs of which anything came since it is up, an End-of-RIB too
	ever     uint8 // the same, since its router is known
	counters Counters
	counts   traffic.Usual
	silentAt time.Time // since when it is established and empty, having had prefixes before
	told     bool      // the silence was told
	filled   bool      // it had prefixes since it is up
	expected time.Time // since when its neighbour, who never did, should establish it
	absent   bool      // it is down because its router does not list it
	unkept   bool      // what is to be remembered of it changed
	recalled bool      // it is known from before the start, and nobody told of it since
}

// rib is one RIB of a session.
type rib struct {
	by    [6]prefixes
	ended bgp.FamilySet
	paths int
}

// extras numbers the pairs of route distinguisher and path id that stand beside prefixes.
type extras struct {
	of map[extra]uint32
}

type extra struct {
	rd   uint64
	path uint32
}

// number is the path id outside VPNs, and the place of the pair in the list inside them.
func (e *extras) number(n *bgp.NLRI) uint32 {
	if n.SAFI != 128 {
		return n.PathID
	}
	x := extra{n.RD, n.PathID}
	i, ok := e.of[x]
	if !ok {
		if e.of == nil {
			e.of = map[extra]uint32{}
		}
		i = uint32(len(e.of))
		e.of[x] = i
	}
	return i
}

// New makes an empty table.
func New(o Options) *Table {
	t := &Table{
		routers: map[string]*router{}, sessions: map[Key]*session{}, attrs: newStore(), seed: rand.Uint64(),
		counted: map[string]uint64{}, dirty: map[string]int{}, memory: map[string]*remembered{},
		unkept: map[string]bool{}, anew: map[string]bool{}, pieces: map[string]int{}, kept: map[string]string{},
	}
	t.configure(o)
	return t
}

func (t *Table) configure(o Options) {
	o.Device = cmp.Or(o.Device, "bgp")
	o.Sync = cmp.Or(o.Sync, 2*time.Minute)
	o.Limits.Sessions = cmp.Or(o.Limits.Sessions, 10_000)
	o.Limits.Paths = cmp.Or(o.Limits.Paths, 50_000_000)
	t.opt = o
	t.own = map[bgp.ASN]bool{}
	for _, as := range o.Own {
		t.own[as] = true
	}
	for _, s := range t.sessions {
		t.learnOwn(s)
	}
	t.watch = newWatch(o.Sets)
}

// learnOwn takes a session's local AS for one of ours, where the session is a router's of ours.
func (t *Table) learnOwn(s *session) {
	if as := s.info.LocalAS; as != 0 && !s.info.Relay {
		t.own[as] = true
	}
}

// Reconfigure takes new sets and own ASes, and keeps every path.
func (t *Table) Reconfigure(o Options) {
	t.configure(o)
	if t.watch.longer != nil {
		for _, s := range t.sessions {
			t.countInside(s)
		}
	}
	keep := map[string]*remembered{}
	for _, set := range t.opt.Sets {
		for _, item := range set.Items {
			key := itemKey(set, item)
			if m := t.memory[key]; m != nil {
				keep[key] = m
			}
		}
		t.changedSet(set.Name, Key{}, "the configuration changed", time.Time{})
	}
	t.memory = keep
}

const countedKinds = 500

// Note counts something that was wrong or passed over in the input. It returns how often it was counted so far: the
// caller logs the first.
func (t *Table) Note(what string) uint64 {
	if _, known := t.counted[what]; !known && len(t.counted) >= countedKinds {
		what = "other"
	}
	t.counted[what]++
	return t.counted[what]
}

// speaks notes that a router is there. What it said before it fell silent is dropped now: it tells everything anew.
func (t *Table) speaks(name string, at time.Time) *router {
	r := t.routers[name]
	if r == nil {
		r = &router{name: name, since: at}
		t.routers[name] = r
	}
	if r.old {
		r.since = at
		for _, s := range t.ofRouter(name) {
			t.empty(s)
			s.views, s.saw = 0, 0
		}
	}
	r.silent, r.old = false, false
	return r
}

func (t *Table) ofRouter(name string) []*session {
	var all []*session
	for _, s := range t.sessions {
		if s.key.Router == name {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *session) int { return compareKeys(a.key, b.key) })
	return all
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Router, b.Router), a.Peer.Compare(b.Peer), cmp.Compare(a.RD, b.RD))
}

// session finds or makes a session; nil: there are too many.
func (t *Table) session(k Key) *session {
	k.Peer = k.Peer.Unmap()
	if s := t.sessions[k]; s != nil {
		return s
	}
	if len(t.sessions) >= t.opt.Limits.Sessions {
		t.Note("session refused: there are too many")
		return nil
	}
	s := &session{key: k}
	t.sessions[k] = s
	return s
}

// merge keeps what is known already where the news says nothing.
func (i *Info) merge(n Info) {
	i.PeerAS, i.LocalAS, i.Hold, i.VRF = cmp.Or(n.PeerAS, i.PeerAS), cmp.Or(n.LocalAS, i.LocalAS), cmp.Or(n.Hold, i.Hold), cmp.Or(n.VRF, i.VRF)
	i.PrefixLimit, i.Relay = cmp.Or(n.PrefixLimit, i.PrefixLimit), n.Relay || i.Relay
	if n.PeerID.IsValid() {
		i.PeerID = n.PeerID
	}
	if n.LocalID.IsValid() {
		i.LocalID = n.LocalID
	}
	if n.Local.IsValid() {
		i.Local = n.Local
	}
	if n.Families != nil {
		i.Families = n.Families
	}
}

// Up notes that a session is established. What its RIBs held before is dropped: a second Up without a Down is a flap
// that was missed.
func (t *Table) Up(k Key, i Info, at time.Time) {
	t.speaks(k.Router, at)
	s := t.session(k)
	if s == nil {
		return
	}
	if s.state == Up {
		t.flap(s, at)
		t.empty(s)
	}
	t.up(s, i, at)
}

func (t *Table) up(s *session, i Info, at time.Time) {
	s.info.merge(i)
	t.learnOwn(s)
	was := s.state
	s.state, s.reason, s.upAt, s.silentAt, s.told = Up, Reason{}, at, time.Time{}, false
	s.filled, s.absent, s.unkept, s.recalled = false, false, true, false
	s.views, s.saw = 0, 0
	if was != Up {
		s.since = at
		t.changed(s, "established", at)
	}
}

// flapsKept bounds the list of flaps of one session.
const flapsKept = 64

func (t *Table) flap(s *session, at time.Time) {
	s.unkept = true
	s.flapped++
	s.flaps = append(s.flaps, at)
	if len(s.flaps) > flapsKept {
		s.flaps = s.flaps[len(s.flaps)-flapsKept:]
	}
}

// Down notes that a session ended, and drops its paths.
func (t *Table) Down(k Key, r Reason, at time.Time) {
	t.speaks(k.Router, at)
	s := t.session(k)
	if s == nil {
		return
	}
	t.down(s, r, at)
}

func (t *Table) down(s *session, r Reason, at time.Time) {
	if s.state == Up {
		t.flap(s, at)
	}
	was := s.state
	s.state, s.reason, s.views, s.saw, s.silentAt, s.absent = Down, r, 0, 0, time.Time{}, false
	if r.Admin {
		s.state = AdminDown
	}
	if was != s.state {
		s.since, s.unkept = at, true
		what := "down"
		if r.Text != "" {
			what = "down: " + r.Text
		}
		t.changed(s, what, at)
	}
	t.empty(s)
}

// changed notes that a session changed, and with it the sets that it may be a way to.
func (t *Table) changed(s *session, what string, at time.Time) {
	t.event(Event{At: at, Kind: SessionChanged, Key: s.key, What: fmt.Sprintf("%s: %s", s.name(), what)})
	for i := range t.opt.Sets {
		t.changedSet(t.opt.Sets[i].Name, s.key, what, at)
	}
}

// name names a session for people.
func (s *session) name() string {
	peer := "loc-rib"
	if s.key.Peer.IsValid() {
		peer = s.key.Peer.String()
	}
	if s.info.PeerAS != 0 {
		return fmt.Sprintf("%s to %s (%s)", s.key.Router, peer, s.info.PeerAS)
	}
	return s.key.Router + " to " + peer
}

// eventsKept bounds what waits to be fetched.
const eventsKept = 10_000

func (t *Table) event(e Event) {
	if len(t.events) < eventsKept {
		t.events = append(t.events, e)
	}
}

func (t *Table) changedSet(set string, k Key, what string, at time.Time) {
	if _, noted := t.dirty[set]; noted {
		return
	}
	t.dirty[set] = len(t.events)
	t.event(Event{At: at, Kind: SetChanged, Key: k, Set: set, What: what})
}

// Changed hands out and forgets what changed for sessions and watched sets since the last call, oldest first; several
// changes of one set are one.
func (t *Table) Changed() []Event {
	e := t.events
	t.events = nil
	clear(t.dirty)
	return e
}

// Configured notes a session that should be there, whether or not it ever came up: a neighbour of the speaker, or one
// that gobgpd lists. Admin says that it is shut down on purpose.
func (t *Table) Configured(k Key, i Info, admin bool, at time.Time) {
	t.speaks(k.Router, at)
	s := t.session(k)
	if s == nil {
		return
	}
	s.recalled = false
	s.info.merge(i)
	t.learnOwn(s)
	switch {
	case admin && s.state != AdminDown:
		t.down(s, Reason{Admin: true, Text: "shut down on purpose"}, at)
	case !admin && (s.state == Unheard || s.state == AdminDown):
		s.state, s.since, s.reason = Down, at, Reason{Text: "never established"}
		t.changed(s, "configured", at)
	}
}

// Expected notes a session of our own that its neighbour has to establish: nothing is known of it until the time for
// that is over. One that only tells of paths is unknown for as long as it tells nothing.
func (t *Table) Expected(k Key, i Info, at time.Time) {
	t.speaks(k.Router, at)
	s := t.session(k)
	if s == nil {
		return
	}
	s.info.merge(i)
	t.learnOwn(s)
	if s.state == Unheard && s.expected.IsZero() {
		s.expected = at
	}
}

// Late says why an expected session is not established so far. It is down once the time for that is over.
func (t *Table) Late(k Key, r Reason, at time.Time) {
	s := t.session(k)
	switch {
	case s == nil:
	case s.state == Unheard && at.Before(s.expected.Add(t.opt.Sync)):
		s.reason = r
	default:
		t.down(s, r, at)
	}
}

// unexpected finds the sessions that were to be established by now, and says when to look again.
func (t *Table) unexpected(now time.Time) (next time.Time) {
	for _, s := range t.sessions {
		if s.state != Unheard || s.expected.IsZero() || s.info.Relay {
			continue
		}
		if until := s.expected.Add(t.opt.Sync); now.Before(until) {
			next = earliest(next, until)
			continue
		}
		why := "never established"
		if s.before != Unheard {
			why = "not established since the start"
		}
		t.down(s, Reason{Text: cmp.Or(s.reason.Text, why)}, now)
	}
	return next
}

// Update takes in an UPDATE of one of the session's RIBs. It keeps nothing of u.
func (t *Table) Update(k Key, r RIB, u *bgp.Update, at time.Time) {
	t.speaks(k.Router, at)
	s := t.session(k)
	if s == nil || r >= ribs {
		return
	}
	t.update(s, r, u, nil, at)
}

func (t *Table) update(s *session, r RIB, u *bgp.Update, told marks, at time.Time) {
	if s.state != Up { // its Up was missed
		t.up(s, Info{}, at)
	}
	s.saw |= 1 << r
	s.ever |= 1 << r
	if s.rib[r] == nil {
		s.rib[r] = &rib{}
	}
	for _, p := range u.Problems {
		t.Note(fmt.Sprintf("attribute %d: %s", p.Attribute, p.What))
	}
	for _, f := range u.Other {
		t.Note("prefixes of " + f.String())
	}
	for _, f := range u.Ended {
		t.end(s, r, f, at)
	}
	for i := range u.Withdrawn {
		t.withdraw(s, r, &u.Withdrawn[i], at)
	}
	t.announce(s, r, u, 0, u.Classic, u.Attrs.NextHop, told, at)
	t.announce(s, r, u, u.Classic, len(u.Announced), u.MPNextHop, told, at)
	t.heed(s, at)
}

func (t *Table) end(s *session, r RIB, f bgp.Family, at time.Time) {
	if i := f.Index(); i >= 0 && s.rib[r].ended&(1<<i) == 0 {
		s.rib[r].ended |= 1 << i
		for j := range t.opt.Sets {
			t.changedSet(t.opt.Sets[j].Name, s.key, "end of its first word", at)
		}
	}
}

func (t *Table) announce(s *session, r RIB, u *bgp.Update, from, to int, hop netip.Addr, told marks, at time.Time) {
	if from >= to {
		return
	}
	status := told.of(from)
	attr := t.attrs.intern(&u.Attrs, hop, status)
	t.attrs.take(attr) // held while the paths take theirs
	rib := s.rib[r]
	for i := from; i < to; i++ {
		n := &u.Announced[i]
		if is := told.of(i); is != status {
			t.attrs.drop(attr)
			status = is
			attr = t.attrs.intern(&u.Attrs, hop, status)
			t.attrs.take(attr)
		}
		f := n.Family().Index()
		if f < 0 {
			continue
		}
		x := t.extras.number(n)
		if rib.by[f] == nil {
			rib.by[f] = newPrefixes(bgp.Kept()[f], x != 0 || n.SAFI == 128, t.seed)
		} else if x != 0 && plain(rib.by[f]) {
			rib.by[f] = withExtras(rib.by[f], bgp.Kept()[f], t.seed)
		}
		if t.paths >= t.opt.Limits.Paths {
			t.Note("path refused: there are too many")
			break
		}
		was, ok := rib.by[f].set(n.Prefix, x, attr)
		if !ok {
			t.Note("path refused: its prefix has too many")
			continue
		}
		if was == attr {
			continue
		}
		t.attrs.take(attr)
		if was != 0 {
			t.attrs.drop(was)
		} else {
			rib.paths++
			t.paths++
			t.watch.inside(n, +1)
		}
		t.touched(s, n, "announced", at)
	}
	t.attrs.drop(attr)
}

func (t *Table) withdraw(s *session, r RIB, n *bgp.NLRI, at time.Time) {
	f := n.Family().Index()
	if f < 0 || s.rib[r].by[f] == nil {
		return
	}
	x := t.extras.number(n)
	if x != 0 && plain(s.rib[r].by[f]) {
		return
	}
	was := s.rib[r].by[f].remove(n.Prefix, x)
	if was == 0 {
		return
	}
	t.attrs.drop(was)
	s.rib[r].paths--
	t.paths--
	t.watch.inside(n, -1)
	t.touched(s, n, "withdrawn", at)
}

// plain reports whether the table has no room for path ids.
func plain(p prefixes) bool {
	switch p.(type) {
	case *flat[key4], *flat[key6]:
		return true
	}
	return false
}

// withExtras is the same table with room for path ids.
func withExtras(old prefixes, f bgp.Family, seed uint64) prefixes {
	p := newPrefixes(f, true, seed)
	old.all(func(q netip.Prefix, x, attr uint32) { p.set(q, x, attr) })
	return p
}

// touched notes a change of a prefix that a watched destination may be covered by.
func (t *Table) touched(s *session, n *bgp.NLRI, what string, at time.Time) {
	if n.SAFI == 128 {
		return
	}
	for _, set := range t.watch.hits(n.Prefix) {
		if _, noted := t.dirty[t.opt.Sets[set].Name]; !noted {
			t.changedSet(t.opt.Sets[set].Name, s.key, fmt.Sprintf("%s: %s %s", s.name(), what, n.Prefix), at)
		}
	}
}

// empty drops the paths of a session.
func (t *Table) empty(s *session) {
	for i, r := range s.rib {
		if r == nil {
			continue
		}
		for f, p := range r.by {
			if p == nil {
				continue
			}
			n := bgp.NLRI{SAFI: bgp.Kept()[f].SAFI()}
			p.all(func(q netip.Prefix, _, attr uint32) {
				t.attrs.drop(attr)
				n.Prefix = q
				t.watch.inside(&n, -1)
			})
		}
		t.paths -= r.paths
		s.rib[i] = nil
	}
}

func (t *Table) countInside(s *session) {
	for _, r := range s.rib {
		if r == nil {
			continue
		}
		for f, p := range r.by {
			if p == nil {
				continue
			}
			n := bgp.NLRI{SAFI: bgp.Kept()[f].SAFI()}
			p.all(func(q netip.Prefix, _, _ uint32) {
				n.Prefix = q
				t.watch.inside(&n, +1)
			})
		}
	}
}

// Count takes in what the router says of a session in numbers. What it does not say stays as it was.
func (t *Table) Count(k Key, c Counters, at time.Time) {
	t.speaks(k.Router, at)
	s := t.session(k)
	if s == nil {
		return
	}
	old := &s.counters
	for _, f := range []struct{ to, from **uint64 }{{&old.Received, &c.Received}, {&old.Accepted, &c.Accepted},
		{&old.Advertised, &c.Advertised}, {&old.Rejected, &c.Rejected}, {&old.LimitHits, &c.LimitHits}} {
		if *f.from != nil {
			v := **f.from
			*f.to = &v
		}
	}
	old.BFD = cmp.Or(c.BFD, old.BFD)
}

// Silence notes that who told of these sessions of a router is gone (the station's connection closed, the API does not
// answer): their states and paths are unknown from now on, not bad. Paths are kept until the router speaks again.
func (t *Table) Silence(name string, at time.Time) {
	r := t.routers[name]
	if r == nil || r.silent {
		return
	}
	r.silent, r.old = true, true
	for _, s := range t.ofRouter(name) {
		if s.state != Unheard {
			s.before, s.state, s.since = s.state, Unheard, at
			t.changed(s, "nobody tells of it", at)
		}
	}
}

// Forget drops a router with all its sessions: it was taken out of the configuration.
func (t *Table) Forget(name string) {
	for _, s := range t.ofRouter(name) {
		t.empty(s)
		delete(t.sessions, s.key)
	}
	delete(t.routers, name)
	t.unkept[name] = true
	for _, m := range t.memory {
		maps.DeleteFunc(m.ways, func(_ wayKey, w *wayMemory) bool { return w.router == name })
	}
}

// Tick does what time alone brings about (a session that stays empty after its start, a flap that is over, a sample of
// the prefix counts) and returns when it wants to be called next; zero: when something changes.
func (t *Table) Tick(now time.Time) time.Time {
	var next time.Time
	for _, s := range t.sessions {
		if s.state != Up {
			continue
		}
		settled := s.upAt.Add(t.opt.Sync)
		s.unkept = s.counts.Sample(s.prefixes(), now, !now.Before(settled)) || s.unkept
		if t.heed(s, now); s.silentAt.IsZero() == s.told || now.Before(settled) {
			next = earliest(next, settled)
		}
		next = earliest(next, s.counts.Next())
	}
	t.missed(now)
	return earliest(next, t.unexpected(now))
}

// heed notes when an established session has no prefixes any more, or has them again.
func (t *Table) heed(s *session, now time.Time) {
	if n := s.prefixes(); n > 0 {
		s.unkept = s.counts.Learn(n) || s.unkept
		if s.told {
			t.changed(s, "has prefixes again", now)
		}
		s.silentAt, s.told, s.filled = time.Time{}, false, true
		return
	}
	if s.counts.Count() == 0 || s.told {
		return
	}
	if s.silentAt.IsZero() {
		s.silentAt = now
	}
	if s.filled || t.whole(s) || now.Sub(s.upAt) >= t.opt.Sync {
		s.told = true
		t.changed(s, fmt.Sprintf("established without any prefix; it had %d", s.counts.Count()), now)
	}
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// inRIB is the RIB that says what a router may use of what its neighbour sent: after the policy where that is told.
func (s *session) inRIB() RIB {
	switch {
	case !s.key.Peer.IsValid():
		return LocRIB
	case s.saw&(1<<AdjInPost) != 0:
		return AdjInPost
	case s.saw&(1<<AdjInPre) == 0 && s.saw&(1<<LocRIB) != 0:
		return LocRIB
	}
	return AdjInPre
}

// prefixes is how many paths the neighbour gave: as the router counts them, else as they came.
func (s *session) prefixes() int {
	most := 0
	for _, r := range []RIB{AdjInPre, AdjInPost, LocRIB} {
		if s.rib[r] != nil {
			most = max(most, s.rib[r].paths)
		}
	}
	if c := s.counters.Received; c != nil && s.saw&(1<<AdjInPre|1<<AdjInPost|1<<LocRIB) == 0 {
		most = max(most, int(min(*c, 1<<31)))
	}
	return most
}

// whole reports whether the session said everything once: every family it speaks has ended its first word.
func (t *Table) whole(s *session) bool {
	r := s.rib[s.inRIB()]
	if r == nil {
		return false
	}
	want := bgp.SetOf(s.info.Families...)
	if want == 0 {
		want = r.ended
	}
	return want != 0 && r.ended&want == want
}

// synced reports whether what the session does not say of a family is not there.
func (t *Table) synced(s *session, f bgp.Family, now time.Time) bool {
	if r := s.rib[s.inRIB()]; r != nil && r.ended.Has(f) {
		return true
	}
	return now.Sub(s.upAt) >= t.opt.Sync
}

// Lookup returns the paths of the best match of p in one RIB of one session: the longest prefix that covers p.
func (t *Table) Lookup(k Key, r RIB, p netip.Prefix) []Route {
	k.Peer = k.Peer.Unmap()
	s := t.sessions[k]
	if s == nil || r >= ribs {
		return nil
	}
	return t.lookup(s, r, p, p.Bits() > 0)
}

// lookup finds the paths of a prefix in unicast and labelled tables; cover: a shorter prefix does too.
func (t *Table) lookup(s *session, r RIB, p netip.Prefix, cover bool) []Route {
	rib := s.rib[r]
	if rib == nil {
		return nil
	}
	families := [2]int{0, 2}
	if p.Addr().Is6() {
		families = [2]int{1, 3}
	}
	lowest := p.Bits()
	if cover {
		lowest = 0
	}
	var found []Route
	for length := p.Bits(); length >= lowest; length-- {
		q := netip.PrefixFrom(p.Addr(), length).Masked()
		for _, f := range families {
			if rib.by[f] == nil || !rib.by[f].has(length) {
				continue
			}
			rib.by[f].each(q, func(x, attr uint32) {
				a, status := t.attrs.attributes(attr)
				found = append(found, Route{Prefix: q, PathID: x, Attrs: a, Status: status})
			})
		}
		if len(found) > 0 {
			slices.SortFunc(found, func(a, b Route) int { return cmp.Compare(a.PathID, b.PathID) })
			return found
		}
	}
	return nil
}

// Route is one path as a lookup finds it. Attrs.NextHop is its next hop, whatever its family.
type Route struct {
	Prefix netip.Prefix
	PathID uint32
	Attrs  bgp.Attributes
	Status Status
}

// Size says what the table holds.
func (t *Table) Size() Size {
	z := Size{Routers: len(t.routers), Sessions: len(t.sessions), Paths: t.paths, Attributes: t.attrs.live, Bytes: t.attrs.bytes()}
	for _, s := range t.sessions {
		for _, r := range s.rib {
			if r == nil {
				continue
			}
			for _, p := range r.by {
				if p != nil {
					z.Bytes += p.bytes()
				}
			}
		}
	}
	return z
}

// Paths is how many paths one RIB of a session holds.
func (t *Table) Paths(k Key, r RIB) int {
	k.Peer = k.Peer.Unmap()
	if s := t.sessions[k]; s != nil && s.rib[r] != nil {
		return s.rib[r].paths
	}
	return 0
}

// Size of a Table.
type Size struct {
	Routers, Sessions, Paths, Attributes int
	Bytes                                int64 // of the tables and attributes
}

// ID is the session's id in the house: device/bgp_session/neighbour, with the VRF behind an @ where it is in one.
func (k Key) ID(vrf string) component.ID {
	local := "loc-rib"
	if k.Peer.IsValid() {
		local = k.Peer.String()
	}
	switch {
	case k.RD != 0 && vrf != "":
		local += "@" + vrf
	case k.RD != 0:
		local += "@" + RDString(k.RD)
	}
	return component.NewID(k.Router, component.BGPSession, local)
}

// RDString writes a route distinguisher as people do (RFC 4364 section 4.2).
func RDString(rd uint64) string {
	switch rd >> 48 {
	case 1:
		ip := netip.AddrFrom4([4]byte{byte(rd >> 40), byte(rd >> 32), byte(rd >> 24), byte(rd >> 16)})
		return fmt.Sprintf("%s:%d", ip, rd&0xffff)
	case 2:
		return fmt.Sprintf("%d:%d", uint32(rd>>16), rd&0xffff)
	}
	return fmt.Sprintf("%d:%d", uint16(rd>>32), uint32(rd))
}
