package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// edge is one of the datacenter's two routers, with its upstream.
type edge struct {
	name     string
	from     netip.Addr // where it sends BMP from
	upstream netip.Addr
	as       uint32
}

// edges are the routers. Each has an upstream of its own.
func edges() []edge {
	return []edge{
		{"edge-1", netip.MustParseAddr("127.0.0.41"), netip.MustParseAddr("192.0.2.1"), 64500},
		{"edge-2", netip.MustParseAddr("127.0.0.42"), netip.MustParseAddr("192.0.2.5"), 64501},
	}
}

// gives are the paths of an upstream: the way to everywhere, and to a partner.
func (e edge) gives() []BGPPath {
	return []BGPPath{{Prefix: netip.MustParsePrefix("0.0.0.0/0")}, {Prefix: netip.MustParsePrefix("198.51.100.0/24"), Behind: []uint32{64496}}}
}

// startEdges starts the routers, which send BMP to a free port of loopback. There are none where loopback has no other
// addresses than 127.0.0.1, as on some systems: a station knows routers by their addresses.
func (d *Datacenter) startEdges(ctx context.Context) {
	free := func(host string) (string, error) {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return "", err
		}
		return l.Addr().String(), l.Close()
	}
	for _, e := range edges() {
		if _, err := free(e.from.String()); err != nil {
			return
		}
	}
	station, err := free("127.0.0.1")
	if err != nil {
		return
	}
	d.station, d.routers = station, map[string]*Router{}
	for _, e := range edges() {
		r := &Router{Name: e.name, AS: 65010, From: e.from}
		r.Peer(e.upstream, e.as, e.gives()...)
		r.Start(ctx, station)
		d.routers[e.name] = r
	}
}

func (d *Datacenter) closeEdges() {
	for _, r := range d.routers {
		r.Close()
	}
}

// Routers are how many routers send BMP.
func (d *Datacenter) Routers() int { return len(d.routers) }

// SilenceUpstream has a router's upstream withdraw all that it gave; the session stays.
func (d *Datacenter) SilenceUpstream(router string) error { return d.upstream(router, nil) }

// RestoreUpstream has it give everything again.
func (d *Datacenter) RestoreUpstream(router string) error {
	return d.upstream(router, edge.gives)
}

func (d *Datacenter) upstream(router string, gives func(edge) []BGPPath) error {
	for _, e := range edges() {
		if r := d.routers[router]; r != nil && e.name == router {
			var paths []BGPPath
			if gives != nil {
				paths = gives(e)
			}
			return r.SetPaths(e.upstream, paths...)
		}
	}
	return fmt.Errorf("there is no router %s", router)
}

// pathsConfig is the part of the configuration that has a daemon hear the routers, and the service that leans on them; ""
// where there are none.
func (d *Datacenter) pathsConfig() (bgp, service string) {
	if len(d.routers) == 0 {
		return "", ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n# Two routers send BMP, each with an upstream of its own.\nbgp:\n  bmp:\n    listen: %q\n    routers:\n", d.station)
	for _, e := range edges() {
		fmt.Fprintf(&b, "      - {device: %s, address: %s}\n", e.name, e.from)
	}
	b.WriteString("  watch:\n    - {name: default-route, prefixes: 0.0.0.0/0}\n")
	return b.String(), "  - {name: vpn, tier: 1, needs: default-route}\n"
}
