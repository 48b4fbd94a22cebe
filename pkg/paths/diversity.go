package paths

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/sparewatch/sparewatch/pkg/bgp"
)

// hop is one place in a path: one AS, or any of several (an AS_SET).
type hop struct {
	as  bgp.ASN
	any []bgp.ASN // of a set with more than one member; as is 0 then
}

// crossed is an AS path as diversity sees it: what lies between us and the destination, the neighbour first.
type crossed struct {
	hops []hop
	// server is the AS of a route server that stands between, where it could be told.
	server bgp.ASN
}

// flatten folds prepends, leaves out confederation segments, route servers and our own ASes, and takes sets as what they
// are: any of them, so none of them for certain.
func flatten(p bgp.Path, own, servers map[bgp.ASN]bool) []hop {
	var hops []hop
	add := func(h hop) {
		if h.as != 0 {
			if own[h.as] || servers[h.as] {
				return
			}
			if last := len(hops) - 1; last >= 0 && hops[last].as == h.as {
				return
			}
		}
		hops = append(hops, h)
	}
	for _, s := range p {
		switch s.Type {
		case bgp.Sequence:
			for _, as := range s.ASNs {
				add(hop{as: as})
			}
		case bgp.Set:
			members := slices.Compact(slices.Sorted(slices.Values(s.ASNs)))
			if len(members) == 1 {
				add(hop{as: members[0]})
			} else {
				add(hop{any: members})
			}
		}
	}
	return hops
}

// outward reads a path towards a destination that is not ours. peer is the neighbour's AS where the session is an
// external one of a router's own; 0 otherwise. A path whose first AS is not the neighbour's came through a route server
// (RFC 7947 section 2.2.2.1).
func outward(p bgp.Path, peer bgp.ASN, own, servers map[bgp.ASN]bool) crossed {
	c := crossed{hops: flatten(p, own, servers)}
	if peer == 0 || own[peer] {
		return c
	}
	if first := c.upstream(); servers[peer] || first != 0 && first != peer {
		c.server = peer
	}
	return c
}

// inward reads a path towards a destination of ours, from our side: the AS before our own first, the viewer's last.
func inward(p bgp.Path, own, servers map[bgp.ASN]bool) crossed {
	hops := flatten(p, nil, servers)
	end := slices.IndexFunc(hops, func(h hop) bool { return own[h.as] })
	if end < 0 {
		end = len(hops) - 1 // our own origin is not among the ASes that were said to be ours
	}
	hops = hops[:max(end, 0)]
	slices.Reverse(hops)
	return crossed{hops: hops}
}

// upstream is the AS that the path enters or leaves through; 0: none, or not certain.
func (c crossed) upstream() bgp.ASN {
	if len(c.hops) == 0 {
		return 0
	}
	return c.hops[0].as
}

// certain are the ASes that the path crosses without doubt, in its order. The destination's own AS is the destination
// and not on the way to it; for the default route (whole) it is on the way.
func (c crossed) certain(whole bool) []bgp.ASN {
	hops := c.hops
	if !whole && len(hops) > 0 {
		hops = hops[:len(hops)-1]
	}
	var all []bgp.ASN
	for _, h := range hops {
		if h.as != 0 && !h.as.Reserved() && !slices.Contains(all, h.as) {
			all = append(all, h.as)
		}
	}
	return all
}

// candidate is one path of one session to an item.
type candidate struct {
	route Route
	crossed
	asns     []bgp.ASN // certain ones
	external bool      // learned over an external session
	peer     netip.Addr
	id       netip.Addr
	pref     uint32
	status   Status // what the router says that it does with it
	// relayed: the session tells what somebody chose.
	relayed bool
}

// defaultLocalPref is what routers give a path where nobody says otherwise.
const defaultLocalPref = 100

// weigh finds a path's local preference: what is being shut down gracefully is the last resort (RFC 8326), what is
// stale is taken only when there is nothing else (RFC 9494).
func weigh(a *bgp.Attributes) uint32 {
	switch {
	case a.Marks&(bgp.GracefulShutdown|bgp.Stale) != 0:
		return 0
	case a.HasLocalPref:
		return a.LocalPref
	}
	return defaultLocalPref
}

// betterBy is the step of best path selection that decides between two paths.
type betterBy string

// The steps (RFC 4271 section 9.1.2.2 with what every vendor does before it). The cost inside our network is not known;
// what comes after it only breaks ties.
const (
	byNothing   betterBy = ""
	byRouter    betterBy = "the router's own choice"
	byPrefix    betterBy = "longer prefix"
	byPref      betterBy = "local preference"
	byLength    betterBy = "AS path length"
	byOrigin    betterBy = "origin"
	byMED       betterBy = "MED"
	byExternal  betterBy = "external before internal"
	byRouterID  betterBy = "router id"
	byNeighbour betterBy = "neighbour address"
)

// tie reports whether routers may use both paths at once, or each router its own: nothing that holds in the whole
// network decided.
func (b betterBy) tie() bool {
	return b == byNothing || b == byExternal || b == byRouterID || b == byNeighbour
}

// compare puts the better path first.
func compare(a, b *candidate) (order int, by betterBy) {
	steps := []struct {
		order int
		by    betterBy
	}{
		{cmp.Compare(b.route.Prefix.Bits(), a.route.Prefix.Bits()), byPrefix},
		{cmp.Compare(b.pref, a.pref), byPref},
		{cmp.Compare(a.route.Attrs.ASPath.Length(), b.route.Attrs.ASPath.Length()), byLength},
		{cmp.Compare(a.route.Attrs.Origin, b.route.Attrs.Origin), byOrigin},
		{compareMED(a, b), byMED},
		{compareBool(b.external, a.external), byExternal},
		{a.id.Compare(b.id), byRouterID},
		{a.peer.Compare(b.peer), byNeighbour},
	}
	for _, s := range steps {
		if s.order != 0 {
			return s.order, s.by
		}
	}
	return cmp.Compare(a.route.PathID, b.route.PathID), byNothing
}

// compareMED compares MEDs of paths from the same neighbouring AS; one that is not there counts as 0.
func compareMED(a, b *candidate) int {
	if a.upstream() == 0 || a.upstream() != b.upstream() {
		return 0
	}
	return cmp.Compare(a.route.Attrs.MED, b.route.Attrs.MED)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// best picks the best of a session's paths: among those that the router itself put first, where it says so. MED makes
// "better" not transitive, so it is found as routers do: of each neighbouring AS the best, then the best of those.
func best(all []candidate) *candidate {
	by := map[bgp.ASN]*candidate{}
	var order []bgp.ASN
	first := slices.MinFunc(all, func(a, b candidate) int { return cmp.Compare(a.status.use(), b.status.use()) }).status.use()
	for i := range all {
		c := &all[i]
		if c.status.use() != first {
			continue
		}
		was := by[c.upstream()]
		if was == nil {
			order = append(order, c.upstream())
		}
		if was == nil {
			by[c.upstream()] = c
		} else if o, _ := compare(c, was); o < 0 {
			by[c.upstream()] = c
		}
	}
	var top *candidate
	for _, as := range order {
		if c := by[as]; top == nil {
			top = c
		} else if o, _ := compare(c, top); o < 0 {
			top = c
		}
	}
	return top
}

// common are the ASes that every path crosses, in the order of the first.
func common(lists [][]bgp.ASN) []bgp.ASN {
	if len(lists) == 0 {
		return nil
	}
	var all []bgp.ASN
	for _, as := range lists[0] {
		if !slices.ContainsFunc(lists[1:], func(l []bgp.ASN) bool { return !slices.Contains(l, as) }) {
			all = append(all, as)
		}
	}
	return all
}
