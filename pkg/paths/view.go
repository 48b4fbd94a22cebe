package paths

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
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
