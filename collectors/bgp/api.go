package bgp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/paths"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// API is one gobgpd that is asked over gRPC: gobgp://HOST[:50051], in plain text as gobgpd serves it unless told
// otherwise, or gobgp+tls://.
type API struct {
	Device, URL string
	TLS         collectors.TLS
}

// apiPort is gobgpd's own.
const apiPort = "50051"

// largest is the largest message that gobgpd may send: an old one gives a whole table in one.
const largest = 256 << 20

// dial makes a connection that is opened when it is first used.
func (a API) dial() (*grpc.ClientConn, error) {
	u, err := url.Parse(a.URL)
	if err != nil {
		return nil, fmt.Errorf("the URL of %s cannot be read: write gobgp://HOST[:%s]", a.Device, apiPort)
	}
	port := u.Port()
	if port == "" {
		port = apiPort
	}
	creds := insecure.NewCredentials()
	if u.Scheme == "gobgp+tls" {
		creds = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: a.TLS.CA, InsecureSkipVerify: a.TLS.Insecure}) //nolint:gosec // the operator's word
	}
	return grpc.NewClient(net.JoinHostPort(u.Hostname(), port), grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largest)))
}

// client hears one gobgpd for as long as it is configured.
type client struct {
	hub    *Hub
	api    API
	cancel context.CancelFunc
}

// openClients starts a client for each API that has none, and ends those that are no longer configured. The caller
// holds mu.
func (h *Hub) openClients(ctx context.Context) {
	wanted := map[string]bool{}
	for _, a := range h.o.APIs {
		wanted[a.Device] = true
		if c := h.clients[a.Device]; c != nil {
			if c.api.URL == a.URL {
				continue
			}
			c.cancel()
		}
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		c := &client{hub: h, api: a, cancel: cancel}
		h.clients[a.Device] = c
		h.done.Go(func() { c.run(own) })
	}
	for device, c := range h.clients {
		if !wanted[device] {
			c.cancel()
			delete(h.clients, device)
		}
	}
}

func (c *client) stop() { c.cancel() }

// Waiting between attempts to reach an API.
const (
	firstRetry = time.Second
	mostRetry  = 30 * time.Second
)

func (c *client) run(ctx context.Context) {
	wait := firstRetry
	for {
		began := time.Now()
		err := c.hear(ctx)
		if ctx.Err() != nil {
			return
		}
		why, hint := apiError(err)
		c.hub.said.once(slog.LevelWarn, "gobgpd "+c.api.Device, "gobgpd's API does not answer", "device", c.api.Device, "url", c.api.URL, "error", why)
		c.hub.down(c.api.Device, why, hint, snapshot.ClassUnreachable)
		if time.Since(began) > mostRetry {
			wait = firstRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, mostRetry)
	}
}

func apiError(err error) (why, hint string) {
	hint = "see that gobgpd runs there with --api-hosts, and that nothing in between keeps the port closed"
	if err == nil || errors.Is(err, io.EOF) {
		return "the connection to gobgpd's API ended", hint
	}
	if s, ok := status.FromError(err); ok {
		if s.Code() == codes.Unimplemented {
			return "what answers there is no gobgpd: " + s.Message(), "name the port of gobgpd's gRPC API"
		}
		return "gobgpd's API: " + s.Message(), hint
	}
	return err.Error(), hint
}

// hear follows the server's events, and asks for its counts once an interval.
func (c *client) hear(ctx context.Context) error {
	conn, err := c.api.dial()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // it was only read from
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := api.NewGobgpApiClient(conn)
	as, err := ownAS(ctx, server)
	if err != nil {
		return err
	}
	names := apiNames(c.api.Device, as)
	if err := c.count(ctx, server, names); err != nil {
		return err
	}
	stream, err := server.WatchEvent(ctx, watched())
	if err != nil {
		return err
	}
	c.hub.said.over("gobgpd " + c.api.Device)
	c.hub.up(c.api.Device)
	failed := make(chan error, 1)
	counting := make(chan struct{})
	go func() {
		defer close(counting)
		tick := time.NewTicker(c.hub.o.Interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := c.count(ctx, server, names); err != nil && ctx.Err() == nil {
					failed <- err
					cancel()
					return
				}
			}
		}
	}()
	t := newTaker(names)
	for {
		r, recvErr := stream.Recv()
		if recvErr != nil {
			cancel()
			<-counting
			select {
			case err := <-failed:
				return err
			default:
				return recvErr
			}
		}
		c.hub.feed(func(table *paths.Table, now time.Time) { t.take(table, r, now) })
	}
}

func ownAS(ctx context.Context, server api.GobgpApiClient) (bgp.ASN, error) {
	g, err := server.GetBgp(ctx, &api.GetBgpRequest{})
	if err != nil {
		return 0, err
	}
	return bgp.ASN(g.GetGlobal().GetAsn()), nil
}

// apiNames are the sessions of a gobgpd.
func apiNames(device string, as bgp.ASN) names {
	return func(a netip.Addr) (paths.Key, paths.Info, bool) {
		return paths.Key{Router: device, Peer: a}, paths.Info{LocalAS: as}, a.IsValid()
	}
}

// count takes in the neighbours that are configured, with their counts.
func (c *client) count(ctx context.Context, server api.GobgpApiClient, names names) error {
	peers, err := listPeers(ctx, server)
	if err != nil {
		return err
	}
	c.hub.feed(func(t *paths.Table, now time.Time) {
		for _, p := range peers {
			countPeer(t, p, names, now)
		}
	})
	return nil
}

func listPeers(ctx context.Context, server api.GobgpApiClient) ([]*api.Peer, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	stream, err := server.ListPeer(ctx, &api.ListPeerRequest{EnableAdvertised: true})
	if err != nil {
		return nil, err
	}
	var list []*api.Peer
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		list = append(list, r.GetPeer())
	}
}

// countPeer takes in what a neighbour's entry says besides its state.
func countPeer(t *paths.Table, p *api.Peer, names names, now time.Time) {
	k, i, ok := names(neighbourOf(p))
	if !ok {
		return
	}
	i = fillInfo(i, p)
	var n paths.Counters
	var received, accepted, advertised uint64
	for _, f := range p.GetAfiSafis() {
		s := f.GetState()
		received += s.GetReceived()
		accepted += s.GetAccepted()
		advertised += s.GetAdvertised()
		i.PrefixLimit = max(i.PrefixLimit, int(f.GetPrefixLimits().GetMaxPrefixes()))
	}
	t.Configured(k, i, p.GetState().GetAdminState() == api.PeerState_DOWN, now)
	if p.GetState().GetSessionState() == api.PeerState_ESTABLISHED {
		n.Received, n.Accepted, n.Advertised = &received, &accepted, &advertised
		t.Count(k, n, now)
	}
}

func neighbourOf(p *api.Peer) netip.Addr {
	s := p.GetState().GetNeighborAddress()
	if s == "" {
		s = p.GetConf().GetNeighborAddress()
	}
	return parse(s).WithZone("")
}
