package bgp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"
)

// servesGoBGP names the address on which the test's own binary, started once more, is an embedded GoBGP server.
const servesGoBGP = "SPAREWATCH_TEST_GOBGP"

// TestGoBGPServerDies shows why the speaker's session layer is ours and GoBGP gives it the codec only: one message of a
// configured neighbour ends the process in which GoBGP's server is embedded, whatever its logger does. When this fails,
// GoBGP was mended, and may be asked again.
func TestGoBGPServerDies(t *testing.T) {
	if at := os.Getenv(servesGoBGP); at != "" {
		serveGoBGP(t, netip.MustParseAddrPort(at))
		return
	}
	for i, c := range []struct{ name, send string }{
		{"a message of an unknown type", marker + "0017 09 00000000"},
		{"an OPEN in an established session", wireOpen},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at := freePort(t, netip.AddrFrom4([4]byte{127, 9, 66, byte(1 + i)}))
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			var said bytes.Buffer
			child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestGoBGPServerDies$", "-test.timeout=25s")
			child.Env = append(os.Environ(), servesGoBGP+"="+at.String())
			child.Stderr = &said
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			died := make(chan error, 1)
			go func() { died <- child.Wait() }()
			c := octets(t, wireOpen+wireAlive+c.send)
			for {
				// It answers no call before it listens, and hangs up on the first until it waits for the neighbour.
				if conn, err := callFrom(at); err == nil {
					_, _ = conn.Write(c)
					defer conn.Close() //nolint:errcheck // it is dead
				}
				select {
				case err := <-died:
					var exit *exec.ExitError
					if !errors.As(err, &exit) || !bytes.Contains(said.Bytes(), []byte("panic: ")) || !bytes.Contains(said.Bytes(), []byte("gobgp/v3/pkg/server")) {
						t.Fatalf("GoBGP's server did not die of it: %v\n%s", err, &said)
					}
					return
				case <-time.After(200 * time.Millisecond):
				}
			}
		})
	}
}

// callFrom connects as the neighbour 127.9.66.9.
func callFrom(at netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 9, 66, 9)}, Timeout: time.Second}
	return d.Dial("tcp", at.String())
}

func freePort(t *testing.T, at netip.Addr) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", netip.AddrPortFrom(at, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it only found a port
	return netip.MustParseAddrPort(l.Addr().String())
}

// serveGoBGP hears a neighbour as the speaker would, with GoBGP's server, until the test's time is over.
func serveGoBGP(t *testing.T, at netip.AddrPort) {
	ctx := context.Background()
	s := server.NewBgpServer(server.LoggerOption(silent{}))
	go s.Serve()
	err := s.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{Asn: 64500, RouterId: "10.0.0.8", ListenPort: int32(at.Port()), ListenAddresses: []string{at.Addr().String()}}})
	if err == nil {
		err = s.AddPeer(ctx, &api.AddPeerRequest{Peer: &api.Peer{Conf: &api.PeerConf{NeighborAddress: "127.9.66.9", PeerAsn: 65102}, Transport: &api.Transport{PassiveMode: true},
			EbgpMultihop: &api.EbgpMultihop{Enabled: true, MultihopTtl: 255}}})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	<-t.Context().Done()
}
