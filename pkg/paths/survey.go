package paths

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/sparewatch/sparewatch/pkg/bgp"
)

// Survey is what all prefixes of the default VRF say together, watched or not.
type Survey struct {
	Prefixes int `json:"prefixes"`
	// OneSession is how many prefixes only one session has; OneAS how many have several, all through one AS.
	OneSession int `json:"one_session"`
	OneAS      int `json:"one_as"`
	// Upstreams are the first ASes, by how many prefixes have a path through them.
	Upstreams []UpstreamCount `json:"upstreams"`
	// Single are the ASes beyond which a prefix has no other path, by for how many prefixes with several ways that is so.
	Single []SingleCount `json:"single"`
}

// UpstreamCount is one first AS.
type UpstreamCount struct {
	AS       bgp.ASN `json:"as"`
	Sessions int     `json:"sessions"`
	Prefixes int     `json:"prefixes"`
	Only     int     `json:"only"` // of these, prefixes that no other first AS has
}

// SingleCount is one AS that every path to some prefixes crosses.
type SingleCount struct {
	AS       bgp.ASN      `json:"as"`
	Prefixes int          `json:"prefixes"`
	Example  netip.Prefix `json:"example"`
	Private  bool         `json:"private"`
}

// surveyed is what a path's attributes say, found once for each.
type surveyed struct {
	upstream bgp.ASN
	asns     []bgp.ASN
}

// Survey looks at every prefix. It takes about a microsecond for each path.
func (t *Table) Survey() *Survey {
	v := &Survey{Upstreams: []UpstreamCount{}, Single: []SingleCount{}}
	var all []*session
	for _, s := range t.sorted() {
		if s.key.RD == 0 && s.state == Up && s.rib[s.inRIB()] != nil {
			all = append(all, s)
		}
	}
	e := evaluation{t: t}
	w := surveyor{t: t, servers: e.servers(), known: map[[2]uint32]surveyed{}, ups: map[bgp.ASN]*UpstreamCount{}, upSessions: map[bgp.ASN]map[int]bool{}, single: map[bgp.ASN]*SingleCount{}, v: v}
	for f, family := range bgp.Kept() {
		if family.SAFI() == 128 {
			continue
		}
		for i, s := range all {
			if p := s.rib[s.inRIB()].by[f]; p != nil {
				last := netip.Prefix{}
				p.all(func(q netip.Prefix, _, _ uint32) {
					if q != last {
						w.prefix(all, i, f, q)
					}
					last = q
				})
			}
		}
	}
	for _, u := range w.ups {
		u.Sessions = len(w.upSessions[u.AS])
		v.Upstreams = append(v.Upstreams, *u)
	}
	for _, x := range w.single {
		v.Single = append(v.Single, *x)
	}
	slices.SortFunc(v.Upstreams, func(a, b UpstreamCount) int {
		return cmp.Or(cmp.Compare(b.Prefixes, a.Prefixes), cmp.Compare(a.AS, b.AS))
	})
	slices.SortFunc(v.Single, func(a, b SingleCount) int {
		return cmp.Or(cmp.Compare(b.Prefixes, a.Prefixes), cmp.Compare(a.AS, b.AS))
	})
	return v
}

type surveyor struct {
	t          *Table
	servers    map[bgp.ASN]bool
	known      map[[2]uint32]surveyed
	ups        map[bgp.ASN]*UpstreamCount
	upSessions map[bgp.ASN]map[int]bool
	single     map[bgp.ASN]*SingleCount
	v          *Survey
	seen       map[netip.Prefix]bool
}

// prefix counts one prefix, where the session is the first that has it.
func (w *surveyor) prefix(all []*session, first, f int, q netip.Prefix) {
	for _, s := range all[:first] {
		if p := s.rib[s.inRIB()].by[f]; p != nil && p.has(q.Bits()) {
			held := false
			p.each(q, func(uint32, uint32) { held = true })
			if held {
				return
			}
		}
	}
	if !plain(all[first].rib[all[first].inRIB()].by[f]) { // several paths of one prefix in one table
		if w.seen == nil {
			w.seen = map[netip.Prefix]bool{}
		}
		if w.seen[q] {
			return
		}
		w.seen[q] = true
	}
	w.v.Prefixes++
	ways, lists := 0, [][]bgp.ASN(nil)
	ups := map[bgp.ASN]bool{}
	for i, s := range all[first:] {
		p := s.rib[s.inRIB()].by[f]
		if p == nil || !p.has(q.Bits()) {
			continue
		}
		had := false
		p.each(q, func(_, attr uint32) {
			x := w.of(s, attr, q.Bits() == 0)
			had = true
			lists = append(lists, x.asns)
			ups[x.upstream] = true
			if w.upSessions[x.upstream] == nil {
				w.upSessions[x.upstream] = map[int]bool{}
			}
			w.upSessions[x.upstream][first+i] = true
		})
		if had {
			ways++
		}
	}
	for as := range maps.Keys(ups) {
		u := w.ups[as]
		if u == nil {
			u = &UpstreamCount{AS: as}
			w.ups[as] = u
		}
		u.Prefixes++
		if len(ups) == 1 {
			u.Only++
		}
	}
	if ways < 2 && len(lists) < 2 {
		w.v.OneSession++
		return
	}
	shared := common(lists)
	if len(shared) > 0 {
		w.v.OneAS++
	}
	for _, as := range shared {
		x := w.single[as]
		if x == nil {
			x = &SingleCount{AS: as, Example: q, Private: as.Private()}
			w.single[as] = x
		}
		x.Prefixes++
	}
}

// of reads a path's attributes, once for each neighbour AS.
func (w *surveyor) of(s *session, attr uint32, whole bool) surveyed {
	peer := s.info.PeerAS
	if w.t.internal(s) {
		peer = 0
	}
	key := [2]uint32{attr, uint32(peer)}
	if x, ok := w.known[key]; ok && !whole {
		return x
	}
	a, _ := w.t.attrs.attributes(attr)
	c := outward(a.ASPath, peer, w.t.own, w.servers)
	x := surveyed{upstream: c.upstream(), asns: c.certain(whole)}
	if !whole {
		w.known[key] = x
	}
	return x
}

// Originated lists the prefixes of the default VRF that these ASes originate, sorted; at most limit.
func (t *Table) Originated(by map[bgp.ASN]bool, limit int) []netip.Prefix {
	ours := map[uint32]bool{}
	found := map[netip.Prefix]bool{}
	for _, s := range t.sorted() {
		r := s.rib[s.inRIB()]
		if s.key.RD != 0 || r == nil {
			continue
		}
		for f, p := range r.by {
			if p == nil || bgp.Kept()[f].SAFI() == 128 {
				continue
			}
			p.all(func(q netip.Prefix, _, attr uint32) {
				is, known := ours[attr]
				if !known {
					a, _ := t.attrs.attributes(attr)
					hops := flatten(a.ASPath, nil, nil)
					is = len(hops) > 0 && by[hops[len(hops)-1].as]
					ours[attr] = is
				}
				if is && len(found) < limit {
					found[q] = true
				}
			})
		}
	}
	return slices.SortedFunc(maps.Keys(found), netip.Prefix.Compare)
}
