package app

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/lab"
)

// TestSessionsOverARestart: what sessions bring and how often they went down is known over a restart of the daemon, and
// so are those that went down meanwhile.
func TestSessionsOverARestart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	station := l.Addr().String()
	_ = l.Close()
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `
site: ams1
web: {listen: "127.0.0.1:0"}
state: {dir: %q}
poll: {states: 1s, inventory: 1m}
bgp:
  bmp: {listen: %q, routers: [{device: edge, address: 127.0.0.1}]}
  watch: [{name: internet, prefixes: 0.0.0.0/0}]
  sync: 2s
services: [{name: web, tier: 0, needs: internet}]
`, filepath.Join(t.TempDir(), "state"), station), 0o600); err != nil {
		t.Fatal(err)
	}
	begin := func() (*App, func()) {
		t.Helper()
		c, err := config.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		a, err := New(Options{Config: c, Version: "test", Settle: time.Second})
		if err == nil {
			err = a.Start(context.Background())
		}
		if err != nil {
			t.Fatal(err)
		}
		return a, func() {
			if err := a.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}
	}
	world := []lab.BGPPath{{Prefix: netip.MustParsePrefix("0.0.0.0/0")}}
	for i := range 900 {
		world = append(world, lab.BGPPath{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)})
	}
	full, flapping, gone := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.5"), netip.MustParseAddr("192.0.2.9")
	edge := &lab.Router{Name: "edge", AS: 65010}
	edge.Peer(full, 64500, world...)
	edge.Peer(flapping, 64501, world[0])
	edge.Peer(gone, 64502, world[0])
	edge.Start(context.Background(), station)
	defer func() { edge.Close() }()

	a, stop := begin()
	until(t, a, "three ways", func(s *api.Status) bool {
		return group(s, "bgp/group/path-internet").State.String() == "full" && len(group(s, "bgp/group/path-internet").Members) == 3
	})
	for range 2 {
		must(t, edge.Down(flapping, 6, 6))
		until(t, a, "a session goes down", func(s *api.Status) bool { return stands(s, "session-down:edge/bgp_session/192.0.2.5") != nil })
		must(t, edge.Up(flapping))
		until(t, a, "and comes back", func(s *api.Status) bool { return group(s, "bgp/group/path-internet").State.String() == "full" })
	}
	stop()

	edge.Close() // what happens now nobody hears
	must(t, edge.SetPaths(full))
	must(t, edge.Down(gone, 4, 0))
	edge.Start(context.Background(), station)
	a, stop = begin()
	defer func() { stop() }()
	s := until(t, a, "it is back without its prefixes, and the other one is not back at all", func(s *api.Status) bool {
		return stands(s, "session-silent:edge/bgp_session/192.0.2.1") != nil && stands(s, "session-down:edge/bgp_session/192.0.2.9") != nil
	})
	if f := stands(s, "session-silent:edge/bgp_session/192.0.2.1"); !f.Pages || !slices.ContainsFunc(f.Evidence, func(e string) bool { return strings.Contains(e, "it usually has 901") }) {
		t.Errorf("%+v", f)
	}
	s = until(t, a, "of three ways one is left", func(s *api.Status) bool { return group(s, "bgp/group/path-internet").State.String() == "lost" })
	if f := stands(s, "session-down:edge/bgp_session/192.0.2.9"); !strings.Contains(f.Summary, "the router does not have it among those that are established") {
		t.Errorf("%+v", f)
	}
	must(t, edge.Down(flapping, 6, 6))
	must(t, edge.Up(flapping))
	until(t, a, "with those before the restart it went down three times", func(s *api.Status) bool {
		return stands(s, "session-flapping:edge/bgp_session/192.0.2.5") != nil
	})
	must(t, edge.SetPaths(full, world...))
	must(t, edge.Up(gone))
	until(t, a, "all is back", func(s *api.Status) bool {
		return group(s, "bgp/group/path-internet").State.String() == "full" && stands(s, "session-silent:edge/bgp_session/192.0.2.1") == nil &&
			stands(s, "session-down:edge/bgp_session/192.0.2.9") == nil
	})
}

func stands(s *api.Status, key finding.Key) *finding.Finding {
	if i := slices.IndexFunc(s.Findings, func(f finding.Finding) bool { return f.Key == key }); i >= 0 {
		return &s.Findings[i]
	}
	return nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
