package bgp

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/paths"
)

// batch is how many paths a message of the API may hold: gRPC takes none above 4 MiB.
const batch = 256

// watched is what is asked of a gobgpd: sessions, every path as it came in, and the ends of RIBs.
func watched() *api.WatchEventRequest {
	return &api.WatchEventRequest{
		Peer: &api.WatchEventRequest_Peer{},
		Table: &api.WatchEventRequest_Table{Filters: []*api.WatchEventRequest_Table_Filter{
			{Type: api.WatchEventRequest_Table_Filter_ADJIN, Init: true},
			{Type: api.WatchEventRequest_Table_Filter_EOR, Init: true},
		}},
		BatchSize: batch,
	}
}

// names says which session a neighbour of a gobgpd is, and what is known of it; ok is false for one that is
// nobody's.
type names func(neighbour netip.Addr) (k paths.Key, i paths.Info, ok bool)

// taker turns a gobgpd's events into what a table takes in. It is used by one goroutine.
type taker struct {
	names names
	up    map[netip.Addr]bool

	last   string // a neighbour's address as it came last, and as it reads
	lastIP netip.Addr
	// attrs are the path attributes that came last, and what they say: the paths of one UPDATE have the same.
	attrs  []*anypb.Any
	read   bgp.Attributes
	u      bgp.Update
	one    [1]bgp.NLRI
	prefix api.IPAddressPrefix
}

func newTaker(n names) *taker {
	return &taker{names: n, up: map[netip.Addr]bool{}}
}

// take gives the table one event.
func (f *taker) take(t *paths.Table, r *api.WatchEventResponse, now time.Time) {
	if p := r.GetPeer(); p != nil {
		f.peer(t, p.GetPeer(), now)
	}
	for _, p := range r.GetTable().GetPaths() {
		f.path(t, p, now)
	}
}

func (f *taker) addr(s string) netip.Addr {
	if s != f.last {
		a, _ := netip.ParseAddr(s)
		f.last, f.lastIP = s, a.Unmap().WithZone("")
	}
	return f.lastIP
}

// peer takes in a session's state.
func (f *taker) peer(t *paths.Table, p *api.Peer, now time.Time) {
	s := p.GetState()
	a := f.addr(s.GetNeighborAddress())
	k, i, ok := f.names(a)
	if !ok {
		return
	}
	switch state := s.GetSessionState(); {
	case state == api.PeerState_ESTABLISHED && !f.up[a]:
		f.up[a] = true
		t.Up(k, fillInfo(i, p), now)
	case state != api.PeerState_ESTABLISHED && f.up[a]:
		f.up[a] = false
		t.Down(k, paths.Reason{Admin: s.GetAdminState() == api.PeerState_DOWN}, now)
	case state != api.PeerState_ESTABLISHED && s.GetAdminState() == api.PeerState_DOWN:
		t.Configured(k, fillInfo(i, p), true, now)
	}
}

// fillInfo adds what the server says of a session.
func fillInfo(i paths.Info, p *api.Peer) paths.Info {
	s := p.GetState()
	if as := s.GetPeerAsn(); as != 0 && i.PeerAS == 0 {
		i.PeerAS = bgp.ASN(as)
	}
	if as := s.GetLocalAsn(); as != 0 && i.LocalAS == 0 {
		i.LocalAS = bgp.ASN(as)
	}
	if a, err := netip.ParseAddr(s.GetRouterId()); err == nil && !i.PeerID.IsValid() {
		i.PeerID = a
	}
	if a, err := netip.ParseAddr(p.GetTransport().GetLocalAddress()); err == nil && !i.Local.IsValid() {
		i.Local = a.Unmap()
	}
	if h := p.GetTimers().GetState().GetNegotiatedHoldTime(); h > 0 {
		i.Hold = time.Duration(h) * time.Second
	}
	return i
}

// path takes in one path, a withdrawal of one, or the end of a RIB.
func (f *taker) path(t *paths.Table, p *api.Path, now time.Time) {
	from := f.addr(p.GetNeighborIp())
	k, _, ok := f.names(from)
	if !ok {
		return
	}
	f.u = bgp.Update{}
	family := bgp.FamilyOf(uint16(p.GetFamily().GetAfi()), uint8(p.GetFamily().GetSafi()))
	if p.GetNlri() == nil {
		f.u.Ended = []bgp.Family{family}
		t.Update(k, paths.AdjInPre, &f.u, now)
		return
	}
	if family != bgp.IPv4Unicast && family != bgp.IPv6Unicast {
		return
	}
	prefix, ok := f.prefixOf(p.GetNlri())
	if !ok {
		return
	}
	f.one[0] = bgp.NLRI{Prefix: prefix, PathID: p.GetIdentifier()}
	if p.GetIsWithdraw() {
		f.u.Withdrawn = f.one[:]
	} else {
		f.u.Announced = f.one[:]
		f.u.Attrs = f.attributes(p.GetPattrs())
		f.u.MPNextHop = f.u.Attrs.NextHop
		if prefix.Addr().Is4() {
			f.u.Classic = 1
		}
	}
	t.Update(k, paths.AdjInPre, &f.u, now)
}

func (f *taker) prefixOf(a *anypb.Any) (netip.Prefix, bool) {
	if a.UnmarshalTo(&f.prefix) != nil {
		return netip.Prefix{}, false
	}
	addr, err := netip.ParseAddr(f.prefix.GetPrefix())
	if err != nil {
		return netip.Prefix{}, false
	}
	p, err := addr.Unmap().Prefix(int(f.prefix.GetPrefixLen()))
	return p, err == nil
}

// attributes reads a path's attributes, unless they are those that were read last.
func (f *taker) attributes(list []*anypb.Any) bgp.Attributes {
	same := slices.EqualFunc(list, f.attrs, func(a, b *anypb.Any) bool {
		return a.GetTypeUrl() == b.GetTypeUrl() && bytes.Equal(a.GetValue(), b.GetValue())
	})
	if !same {
		f.attrs = list
		f.read = bgp.Attributes{ASPath: f.read.ASPath[:0], Communities: f.read.Communities[:0]}
		readAttributes(&f.read, list)
	}
	return f.read
}

// readAttributes reads the path attributes that tables keep.
func readAttributes(to *bgp.Attributes, list []*anypb.Any) {
	for _, a := range list {
		m, err := a.UnmarshalNew()
		if err != nil {
			continue
		}
		switch m := m.(type) {
		case *api.OriginAttribute:
			to.Origin = bgp.Origin(m.GetOrigin())
		case *api.AsPathAttribute:
			for _, s := range m.GetSegments() {
				seg := bgp.Segment{Type: bgp.SegmentType(s.GetType()), ASNs: make([]bgp.ASN, len(s.GetNumbers()))}
				for i, n := range s.GetNumbers() {
					seg.ASNs[i] = bgp.ASN(n)
				}
				to.ASPath = append(to.ASPath, seg)
			}
		case *api.NextHopAttribute:
			to.NextHop = parse(m.GetNextHop())
		case *api.MpReachNLRIAttribute:
			if hops := m.GetNextHops(); len(hops) > 0 {
				to.NextHop = parse(hops[0])
			}
		case *api.MultiExitDiscAttribute:
			to.MED, to.HasMED = m.GetMed(), true
		case *api.LocalPrefAttribute:
			to.LocalPref, to.HasLocalPref = m.GetLocalPref(), true
		case *api.AtomicAggregateAttribute:
			to.Atomic = true
		case *api.AggregatorAttribute:
			to.Aggregator, to.AggregatorIP = bgp.ASN(m.GetAsn()), parse(m.GetAddress())
		case *api.CommunitiesAttribute:
			for _, c := range m.GetCommunities() {
				to.Communities = append(to.Communities, c)
				to.Marks |= marks[c]
			}
		case *api.OriginatorIdAttribute:
			to.OriginatorID = parse(m.GetId())
		case *api.ClusterListAttribute:
			to.Clusters = len(m.GetIds())
		}
	}
}

// marks are the well-known communities that change what a path is worth.
var marks = map[uint32]bgp.Marks{
	0xffff0000: bgp.GracefulShutdown, 0xffff0006: bgp.Stale, 0xffff029a: bgp.Blackhole, 0xffffff01: bgp.NoExport, 0xffffff02: bgp.NoAdvertise,
}

func parse(s string) netip.Addr {
	a, _ := netip.ParseAddr(s)
	return a.Unmap()
}
