package bgp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	api "github.com/osrg/gobgp/v3/api"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/paths"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// Collector looks at one router once, for `sparewatch inspect`; the daemon has a Hub.
//
//	gobgp://HOST[:50051]                  gobgpd's gRPC API: sessions with their counts, and what leads to the default routes
//	bmp://ADDRESS:PORT                    listens there for one router that sends BMP, and hears it until its first tables
//	                                      are through
//	bgp://ROUTER[:179]?as=OURS            peers with a router that has us for a neighbour: as is ours, peer_as its own where it
//	                                      is another, local the address that we come from
type Collector struct{}

// Schemes are the URL schemes that Collector reads.
func Schemes() []string { return []string{"bgp", "bmp", "gobgp", "gobgp+tls"} }

// Open implements collectors.Collector.
func (Collector) Open(t collectors.Target) (collectors.Session, error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return nil, fmt.Errorf("the URL of %s cannot be read", t.Device)
	}
	s := &session{target: t, url: u}
	switch u.Scheme {
	case "bmp":
		if u.Port() == "" {
			return nil, errors.New("a BMP station needs a port to listen on: write bmp://ADDRESS:PORT")
		}
	case "bgp":
		as, err := strconv.ParseUint(u.Query().Get("as"), 10, 32)
		if err != nil || as == 0 {
			return nil, errors.New("a BGP session needs an AS of ours: write bgp://ROUTER?as=OURS, and &peer_as=THEIRS where it is another")
		}
		s.as, s.peerAS = uint32(as), uint32(as)
		if p := u.Query().Get("peer_as"); p != "" {
			as, err := strconv.ParseUint(p, 10, 32)
			if err != nil || as == 0 {
				return nil, fmt.Errorf("peer_as=%s is no AS number", p)
			}
			s.peerAS = uint32(as)
		}
		if l := u.Query().Get("local"); l != "" {
			if s.local, err = netip.ParseAddr(l); err != nil {
				return nil, fmt.Errorf("local=%s is no address", l)
			}
		}
	}
	return s, nil
}

// session is one look at one router.
type session struct {
	target     collectors.Target
	url        *url.URL
	as, peerAS uint32
	local      netip.Addr
}

// Close implements collectors.Session.
func (s *session) Close(context.Context) error { return nil }

// quiet is how long nothing may come before a router's first tables are taken to be through.
const quiet = 2 * time.Second

// Poll implements collectors.Session.
func (s *session) Poll(ctx context.Context, _ collectors.Scope) *snapshot.Snapshot {
	began := time.Now()
	var sn *snapshot.Snapshot
	switch s.url.Scheme {
	case "gobgp", "gobgp+tls":
		sn = s.ask(ctx)
	case "bmp":
		sn = s.listen(ctx)
	default:
		sn = s.peer(ctx)
	}
	sn.Target, sn.Collector, sn.At, sn.Took = s.target.URL, s.url.Scheme, time.Now(), time.Since(began)
	return sn
}

func (s *session) options() paths.Options {
	return paths.Options{Device: s.target.Device, Sets: DefaultSets()}
}

// DefaultSets are what is watched where nobody says otherwise: the default routes, each where there is one.
func DefaultSets() []paths.Set {
	return []paths.Set{
		{Name: "default-ipv4", Items: []paths.Item{{Prefix: netip.MustParsePrefix("0.0.0.0/0")}}},
		{Name: "default-ipv6", Items: []paths.Item{{Prefix: netip.MustParsePrefix("::/0")}}},
	}
}

func (s *session) failed(err error, hint string, class snapshot.Class) *snapshot.Snapshot {
	return &snapshot.Snapshot{Device: snapshot.Device{Name: s.target.Device}, Errors: []snapshot.Error{{At: s.target.URL, Error: err.Error(), Hint: hint, Class: class}}}
}

// joined is the router's snapshot with that of the watched sets, which have the same device here.
func (s *session) joined(t *paths.Table, now time.Time) *snapshot.Snapshot {
	sn := &snapshot.Snapshot{Device: snapshot.Device{Name: s.target.Device}, Reachable: true}
	for _, part := range t.View(now).Snapshots(func(string) string { return s.target.URL }) {
		if part.Device.Name != s.target.Device {
			continue
		}
		if part.Device.Hostname != "" || part.Device.Vendor != "" {
			sn.Device = part.Device
		}
		sn.Components = append(sn.Components, part.Components...)
		sn.Claims = append(sn.Claims, part.Claims...)
		sn.Links = append(sn.Links, part.Links...)
		sn.Errors = append(sn.Errors, part.Errors...)
	}
	return sn
}

// ask reads gobgpd's API once.
func (s *session) ask(ctx context.Context) *snapshot.Snapshot {
	a := API{Device: s.target.Device, URL: s.target.URL, TLS: s.target.Credentials.TLS}
	conn, err := a.dial()
	if err != nil {
		return s.failed(err, "", snapshot.ClassUnreachable)
	}
	defer func() { _ = conn.Close() }() // it was only read from
	server := api.NewGobgpApiClient(conn)
	t := paths.New(s.options())
	if err := readOnce(ctx, server, t, s.target.Device); err != nil {
		why, hint := apiError(err)
		return s.failed(errors.New(why), hint, snapshot.ClassUnreachable)
	}
	return s.joined(t, time.Now())
}

// readOnce reads sessions, and of each that is established the default routes.
func readOnce(ctx context.Context, server api.GobgpApiClient, t *paths.Table, device string) error {
	as, err := ownAS(ctx, server)
	if err != nil {
		return err
	}
	peers, err := listPeers(ctx, server)
	if err != nil {
		return err
	}
	names := apiNames(device, as)
	take := newTaker(names)
	for _, p := range peers {
		now := time.Now()
		if p.GetState().GetNeighborAddress() == "" && p.GetState() != nil {
			p.State.NeighborAddress = p.GetConf().GetNeighborAddress()
		}
		countPeer(t, p, names, now)
		take.peer(t, p, now)
		if p.GetState().GetSessionState() != api.PeerState_ESTABLISHED {
			continue
		}
		countPeer(t, p, names, now)
		for _, f := range p.GetAfiSafis() {
			family := f.GetConfig().GetFamily()
			prefix := map[api.Family_Afi]string{api.Family_AFI_IP: "0.0.0.0/0", api.Family_AFI_IP6: "::/0"}[family.GetAfi()]
			if prefix == "" || family.GetSafi() != api.Family_SAFI_UNICAST {
				continue
			}
			if err := readPath(ctx, server, t, take, p, family, prefix); err != nil {
				return err
			}
		}
	}
	return nil
}

// readPath reads what a neighbour sent of one prefix.
func readPath(ctx context.Context, server api.GobgpApiClient, t *paths.Table, take *taker, p *api.Peer, family *api.Family, prefix string) error {
	stream, err := server.ListPath(ctx, &api.ListPathRequest{TableType: api.TableType_ADJ_IN, Name: neighbourOf(p).String(), Family: family,
		Prefixes: []*api.TableLookupPrefix{{Prefix: prefix}}})
	if err != nil {
		return err
	}
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, path := range r.GetDestination().GetPaths() {
			if path.NeighborIp == "" {
				path.NeighborIp = neighbourOf(p).String()
			}
			take.path(t, path, time.Now())
		}
	}
}

// listen waits for one router's BMP stream and hears it until its first tables are through.
func (s *session) listen(ctx context.Context) *snapshot.Snapshot {
	o := Options{Paths: s.options(), Station: &StationOptions{Listen: s.url.Host, only: s.target.Device, MaxRouters: 1}}
	h, err := New(o)
	if err != nil {
		return s.failed(err, "", snapshot.ClassUnreachable)
	}
	return s.hearOnce(ctx, h, "no router has connected and sent BMP", "let the router send BMP to "+s.url.Host)
}

// peer opens a BGP session to the router and takes what it sends.
func (s *session) peer(ctx context.Context) *snapshot.Snapshot {
	addr, err := netip.ParseAddr(s.url.Hostname())
	if err != nil {
		return s.failed(fmt.Errorf("%s is no address", s.url.Hostname()), "write bgp://ADDRESS?as=OURS", snapshot.ClassUnreachable)
	}
	port := uint64(179)
	if p := s.url.Port(); p != "" {
		port, _ = strconv.ParseUint(p, 10, 16)
	}
	n := Neighbour{Device: s.target.Device, Address: addr.Unmap(), AS: s.peerAS, Password: s.target.Credentials.Password, Hold: 30 * time.Second, dial: uint32(port), from: s.local}
	o := Options{Paths: s.options(), Speaker: &SpeakerOptions{AS: s.as, RouterID: ownID, Neighbours: []Neighbour{n}, dials: true}}
	h, err := New(o)
	if err != nil {
		return s.failed(err, "", snapshot.ClassUnreachable)
	}
	return s.hearOnce(ctx, h, "the router does not accept a BGP session", "configure us as a neighbour of the router: AS "+strconv.FormatUint(uint64(s.as), 10))
}

// ownID is the router id of a session that only looks: of a range that nobody routes (RFC 5737).
var ownID = netip.MustParseAddr("192.0.2.179")

// hearOnce runs a hub until what it hears has been quiet for a while, or ctx is done.
func (s *session) hearOnce(ctx context.Context, h *Hub, silence, hint string) *snapshot.Snapshot {
	h.o.Out = func(*snapshot.Snapshot) {}
	if err := h.Start(ctx); err != nil {
		return s.failed(err, "", snapshot.ClassUnreachable)
	}
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = h.Stop(last)
	}()
	heard := h.untilQuiet(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	if !heard {
		why := silence
		for _, e := range h.edges {
			if e.collector == "bgp" && e.why != "" {
				why = e.why
			}
		}
		return s.failed(errors.New(why), hint, snapshot.ClassUnreachable)
	}
	return s.joined(h.table, h.now())
}

// untilQuiet waits until what is heard has not grown for a while, or ctx is done. heard is false where nothing was heard.
func (h *Hub) untilQuiet(ctx context.Context) (heard bool) {
	tick := time.NewTicker(quiet / 8)
	defer tick.Stop()
	var was paths.Size
	since := time.Now()
	for {
		h.mu.Lock()
		now := h.table.Size()
		up := slices.ContainsFunc(slices.Collect(maps.Values(h.edges)), func(e *edge) bool { return e.alive }) || h.station != nil && now.Sessions > 0
		h.mu.Unlock()
		if !up || now != was {
			was, since = now, time.Now()
		}
		if time.Since(since) >= quiet {
			return true
		}
		select {
		case <-ctx.Done():
			return up
		case <-tick.C:
		}
	}
}
