package paths

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
)

// isFRR reports whether the session's router says that it is FRR, whose BMP differs from RFC 7854 in what is named below
// and by bmp.Decoder (path ids).
func (t *Table) isFRR(s *session) bool {
	r := t.routers[s.key.Router]
	return r != nil && strings.HasPrefix(r.sysDescr, "FRRouting")
}

// given reports whether a neighbour gives a path of which its router, which tells of both, says nothing after its policy.
// FRR withdraws there what it cannot use when it comes, and does not say that it found the next hop later: after every
// start of a session it does so of IPv6 paths over link-local next hops.
func (e *evaluation) given(s *session) bool {
	return s.inRIB() == AdjInPost && len(e.t.lookup(s, AdjInPre, e.prefix, e.prefix.Bits() > 0)) > 0
}

// A router is asked to tell everything anew when a session that it cannot be believed about has been up for doubtAfter and
// the router has spoken for doubtEvery. What it says in the first moment (doubtFresh) is its table as it is.
const (
	doubtAfter = 5 * time.Second
	doubtEvery = 30 * time.Second
	doubtFresh = time.Second
)

// doubt notes that FRR has to say anew whether it takes what a session gives: once for each start of the session.
func (e *evaluation) doubt(s *session) {
	if !e.t.isFRR(s) || !e.given(s) {
		return
	}
	r := e.t.routers[s.key.Router]
	if s.upAt.Sub(r.since) > doubtFresh && e.now.Sub(s.upAt) >= doubtAfter && e.now.Sub(r.since) >= doubtEvery {
		e.t.anew[s.key.Router] = true
	}
}

// Anew are the routers that have to tell everything anew for their ways to be known, by ending the stream that they send
// now. It forgets them.
func (t *Table) Anew() []string {
	names := slices.Sorted(maps.Keys(t.anew))
	clear(t.anew)
	return names
}

// asReceived takes our own AS off the paths that FRR tells of over BMP: it writes them as it would send them on to the
// neighbour that they came from (bgp_packet_attribute), with one AS more in front, and every path looks longer than it is.
func (t *Table) asReceived(s *session, routes []Route) {
	local := s.info.LocalAS
	if !t.isFRR(s) || local == 0 || s.key.Peer.IsValid() && t.internal(s) {
		return
	}
	for i := range routes {
		p := routes[i].Attrs.ASPath
		if len(p) == 0 || p[0].Type != bgp.Sequence || len(p[0].ASNs) == 0 || p[0].ASNs[0] != local {
			continue
		}
		p = slices.Clone(p)
		p[0].ASNs = p[0].ASNs[1:]
		if len(p[0].ASNs) == 0 {
			p = p[1:]
		}
		routes[i].Attrs.ASPath = p
	}
}

// learnPref finds the local preference of a path where its router does not say it, as FRR doesn't of external sessions:
// in the same path as the router tells it to other routers of ours, which it does with its BGP identifier.
func (e *evaluation) learnPref(s *session, c *candidate) {
	a := &c.route.Attrs
	if a.HasLocalPref || !s.info.LocalID.IsValid() {
		return
	}
	path := a.ASPath.String()
	for _, o := range e.sessions {
		if o.state != Up || !e.t.internal(o) {
			continue
		}
		for _, r := range e.covering(o, e.prefix) {
			teller := o.info.PeerID
			if r.Attrs.OriginatorID.IsValid() {
				teller = r.Attrs.OriginatorID
			}
			if teller == s.info.LocalID && r.Attrs.HasLocalPref && r.Prefix == c.route.Prefix && r.Attrs.ASPath.String() == path {
				a.LocalPref, a.HasLocalPref = r.Attrs.LocalPref, true
				c.pref = weigh(a)
				return
			}
		}
	}
}
