package lab

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/bmp"
)

// TestRouter: what a simulated router sends is BMP as it is read here.
func TestRouter(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	up := netip.MustParseAddr("192.0.2.1")
	r := &Router{Name: "edge", AS: 4_200_000_000}
	r.Peer(up, 64500, BGPPath{Prefix: netip.MustParsePrefix("0.0.0.0/0")}, BGPPath{Prefix: netip.MustParsePrefix("198.51.100.0/25"), Behind: []uint32{64496, 64510}})
	r.Start(t.Context(), l.Addr().String())
	defer r.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	reader, decoder := bmp.NewReader(c), bmp.NewDecoder()
	hear := func(n int) (said []string) {
		t.Helper()
		for range n {
			b, err := reader.Next()
			if err != nil {
				t.Fatal(err)
			}
			m, err := decoder.Message(b)
			if err != nil || len(m.Problems) > 0 {
				t.Fatalf("%v %v", err, m.Problems)
			}
			switch {
			case m.Info != nil:
				said = append(said, "is "+m.Info.SysName)
			case m.Up != nil:
				said = append(said, fmt.Sprintf("up %s %s, we are %s", m.Peer.Address, m.Up.Received.AS, m.Up.Sent.AS))
			case m.Down != nil:
				said = append(said, "down "+m.Down.Notification.String())
			case len(m.Update.Ended) > 0:
				said = append(said, "that is all")
			}
			if m.Update != nil {
				for _, p := range m.Update.Announced {
					said = append(said, fmt.Sprintf("%s by %s via %s", p.Prefix, m.Update.Attrs.ASPath, m.Update.Attrs.NextHop))
				}
				for _, p := range m.Update.Withdrawn {
					said = append(said, "not "+p.Prefix.String())
				}
			}
		}
		return said
	}
	all := []string{"up 192.0.2.1 AS64500, we are AS4200000000", "0.0.0.0/0 by 64500 via 192.0.2.1", "198.51.100.0/25 by 64500 64496 64510 via 192.0.2.1", "that is all"}
	expect := func(got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
	expect(hear(5), append([]string{"is edge"}, all...)...)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(r.Down(up, 6, 10))
	must(r.Up(up))
	expect(hear(5), append([]string{"down cease: BFD down"}, all...)...)
	must(r.SetPaths(up))
	expect(hear(2), "not 0.0.0.0/0", "not 198.51.100.0/25")
	if r.Up(netip.MustParseAddr("192.0.2.9")) == nil {
		t.Error("a neighbour that it does not have is up")
	}
}
