package bgp

import (
	"bytes"
	"encoding/hex"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// caller is a neighbour that says what it is told to say, and keeps what the speaker answers.
type caller struct {
	net.Conn
	mu  sync.Mutex
	got []byte // types of messages; of a notification its code and subcode follow
	// announced: the speaker sent an UPDATE. It has to be silent.
	announced bool
	end       chan struct{}
}

func call(t *testing.T, from string, to netip.AddrPort) *caller {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second, Control: func(_, _ string, raw syscall.RawConn) error {
		return control(raw, func(fd uintptr) error { return setTTL(fd, to.Addr().Is6()) })
	}}
	c, err := d.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	w := &caller{Conn: c, end: make(chan struct{})}
	t.Cleanup(func() {
		_ = c.Close()
		<-w.end
		if w.announced {
			t.Error("the speaker announced something")
		}
	})
	go w.read()
	return w
}

func (w *caller) read() {
	defer close(w.end)
	r := bgp.NewReader(w.Conn)
	for {
		kind, body, err := r.Next()
		if err != nil {
			return
		}
		w.mu.Lock()
		w.got = append(w.got, byte(kind))
		w.announced = w.announced || kind == bgp.TypeUpdate
		if kind == bgp.TypeNotification {
			w.got = append(w.got, body[:2]...)
		}
		w.mu.Unlock()
	}
}

// notified reports whether the speaker sent this notification last.
func (w *caller) notified(code, subcode byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.HasSuffix(w.got, []byte{byte(bgp.TypeNotification), code, subcode})
}

func octets(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const marker = "ffffffffffffffffffffffffffffffff"

// What AS 65102 says: its OPEN (four-octet AS numbers, IPv4 unicast), a KEEPALIVE, and a path to the default route.
const (
	wireOpen    = marker + "002b 01 04 fe4e 00b4 01010101 0e 020c 010400010001 41040000fe4e"
	wireAlive   = marker + "0013 04"
	wireDefault = marker + "002c 02 0000 0014 400101 00 400206 02010000fe4e 400304 c0000201 00"
)

// TestBadNeighbours: what neighbours may send, and what becomes of it: counted, logged once, answered with the RFC's
// notification where the session has to end, and the speaker goes on.
func TestBadNeighbours(t *testing.T) {
	t.Parallel()
	for i, c := range []struct {
		name   string
		send   []string
		hangUp bool
		code   [2]byte // of the notification; 0: the session stays, or nobody is there to be told
		count  func(Counts) uint64
		said   string
	}{
		{"an unknown type", []string{wireOpen, wireAlive, marker + "0017 09 00000000"}, false, [2]byte{1, 3}, func(c Counts) uint64 { return c.Garbage }, "a message of the unknown type 9"},
		{"no marker", []string{wireOpen, wireAlive, hex.EncodeToString([]byte("GET / HTTP/1.1\r\nHost: speaker\r\n\r\n"))}, false, [2]byte{1, 1}, func(c Counts) uint64 { return c.Garbage }, "the marker is not all ones"},
		{"an impossible length", []string{wireOpen, wireAlive, marker + "0005 02"}, false, [2]byte{1, 2}, func(c Counts) uint64 { return c.Garbage }, "a message of type 2 with 5 octets"},
		{"half a message", []string{wireOpen, wireAlive, marker + "002c 02 0000"}, true, [2]byte{}, func(c Counts) uint64 { return c.Halves }, "the connection ended inside a message"},
		{"half a message and silence", []string{wireOpen, wireAlive, marker + "002c 02 0000"}, false, [2]byte{4, 0}, func(c Counts) uint64 { return c.Stalled }, "the hold timer expired"},
		{"an OPEN of version 3", []string{marker + "001d 01 03 fe4e 00b4 01010101 00"}, false, [2]byte{2, 1}, func(c Counts) uint64 { return c.Versions }, "version 3"},
		{"another AS", []string{marker + "001d 01 04 fe4f 00b4 01010101 00"}, false, [2]byte{2, 2}, func(c Counts) uint64 { return c.Opens }, "it says AS65103, the configuration AS65102"},
		{"no identifier", []string{marker + "001d 01 04 fe4e 00b4 00000000 00"}, false, [2]byte{2, 3}, func(c Counts) uint64 { return c.Opens }, "its BGP identifier is 0.0.0.0"},
		{"a hold time of one second", []string{marker + "001d 01 04 fe4e 0001 01010101 00"}, false, [2]byte{2, 6}, func(c Counts) uint64 { return c.Opens }, "a hold time of 1 s"},
		{"an OPEN that is cut short", []string{marker + "001d 01 04 fe4e 00b4 01010101 08"}, false, [2]byte{2, 0}, func(c Counts) uint64 { return c.Opens }, "its OPEN makes no sense"},
		{"an UPDATE before its OPEN", []string{wireDefault}, false, [2]byte{5, 1}, func(c Counts) uint64 { return c.Garbage }, "a message of type 2 came where type 1 belongs"},
		{"an OPEN where none belongs", []string{wireOpen, wireAlive, wireOpen}, false, [2]byte{5, 3}, func(c Counts) uint64 { return c.Garbage }, "an OPEN came in an established session"},
		{"a prefix that is too long", []string{wireOpen, wireAlive, marker + "0031 02 0000 0014 400101 00 400206 02010000fe4e 400304 c0000201 28 0102030405"}, false, [2]byte{3, 10}, func(c Counts) uint64 { return c.Malformed }, "we closed it: announced routes"},
		{"an attribute that all should know", []string{wireOpen, wireAlive, marker + "002f 02 0000 0017 400101 00 400206 02010000fe4e 400304 c0000201 406300 00"}, false, [2]byte{3, 2}, func(c Counts) uint64 { return c.Malformed }, "attribute 99 says that all must know it"},
		{"a malformed attribute", []string{wireOpen, wireAlive, wireDefault, marker + "002c 02 0000 0014 400101 07 400206 02010000fe4e 400304 c0000201 00"}, false, [2]byte{}, func(c Counts) uint64 { return c.Problems }, "is dealt with as RFC 7606 says"},
		{"a NOTIFICATION", []string{wireOpen, wireAlive, marker + "0015 03 0608"}, false, [2]byte{}, func(c Counts) uint64 { return c.Closed }, "the neighbour closed it: cease: out of resources"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			here := netip.AddrFrom4([4]byte{127, 9, 67, byte(100 + i)}).String()
			there := netip.AddrFrom4([4]byte{127, 9, 68, byte(100 + i)}).String()
			well := netip.AddrFrom4([4]byte{127, 9, 69, byte(100 + i)}).String()
			h, got, at := startSpeaker(t, here,
				Neighbour{Device: "up", Address: netip.MustParseAddr(there), AS: 65102, Upstream: true, Hold: 400 * time.Millisecond},
				Neighbour{Device: "well", Address: netip.MustParseAddr(well), AS: 65102, Upstream: true})
			other := call(t, well, at)
			write(t, other, octets(t, wireOpen+wireAlive))
			for range 3 {
				before := c.count(speakerCounts(h))
				w := call(t, there, at)
				for _, s := range c.send {
					_, _ = w.Write(octets(t, s)) // the speaker may have closed by then
				}
				if c.hangUp {
					_ = w.Conn.(*net.TCPConn).CloseWrite()
				}
				eventually(t, "it is counted", func() bool { return c.count(speakerCounts(h)) > before })
				if c.code != [2]byte{} {
					eventually(t, "the neighbour is told", func() bool { return w.notified(c.code[0], c.code[1]) })
					<-w.end
				}
				_ = w.Close()
				<-w.end
				eventually(t, "the connection is over", func() bool {
					h.speaker.mu.Lock()
					defer h.speaker.mu.Unlock()
					return h.speaker.peerings[netip.MustParseAddr(there)].conn == nil
				})
			}
			if n := strings.Count(got.logged(), c.said); n != 1 {
				t.Errorf("%q was logged %d times:\n%s", c.said, n, got.logged())
			}
			write(t, other, octets(t, wireDefault))
			eventually(t, "the other neighbour is still heard", func() bool {
				p := part(got.of("well"), component.ID("well/bgp_session/"+well))
				return p != nil && p.Condition == component.OK && p.Reading("prefixes") == 1
			})
		})
	}
}

func speakerCounts(h *Hub) Counts {
	l, _ := h.Speaker()
	return l.Counts
}

// TestUnknownAttributesPass: what is optional and not known is passed over (RFC 4271 section 5).
func TestUnknownAttributesPass(t *testing.T) {
	t.Parallel()
	_, got, at := startSpeaker(t, "127.9.70.9", Neighbour{Device: "up", Address: netip.MustParseAddr("127.9.70.2"), AS: 65102, Upstream: true})
	w := call(t, "127.9.70.2", at)
	write(t, w, octets(t, wireOpen+wireAlive), octets(t, marker+"0030 02 0000 0018 400101 00 400206 02010000fe4e 400304 c0000201 c0630100 00"))
	eventually(t, "the path is there", func() bool {
		p := part(got.of("up"), "up/bgp_session/127.9.70.2")
		return p != nil && p.Condition == component.OK && p.Reading("prefixes") == 1
	})
}

// TestOneConnectionEach: while a session is established another connection of the neighbour is refused; one that never
// said who it is gives way.
func TestOneConnectionEach(t *testing.T) {
	t.Parallel()
	h, _, at := startSpeaker(t, "127.9.71.9", Neighbour{Device: "up", Address: netip.MustParseAddr("127.9.71.2"), AS: 65102, Upstream: true})
	silent := call(t, "127.9.71.2", at)
	eventually(t, "it is taken", func() bool { return speakerCounts(h).Connections == 1 })
	w := call(t, "127.9.71.2", at)
	eventually(t, "the silent one is told", func() bool { return silent.notified(codeCease, ceaseCollision) })
	write(t, w, octets(t, wireOpen+wireAlive))
	eventually(t, "the session is established", func() bool { l, _ := h.Speaker(); return l.Connected == 1 })
	again := call(t, "127.9.71.2", at)
	eventually(t, "another one is told", func() bool { return again.notified(codeCease, ceaseCollision) })
	if l, _ := h.Speaker(); l.Connected != 1 || l.Counts.Replaced != 1 || l.Counts.Refused != 1 {
		t.Errorf("%+v", l)
	}
}

// TestAFloodOfUpdates: a neighbour that sends more than is taken in is held up by TCP, keeps its session, and nothing is
// kept for it but a buffer.
func TestAFloodOfUpdates(t *testing.T) {
	t.Parallel()
	h, _, at := startSpeaker(t, "127.9.72.9", Neighbour{Device: "up", Address: netip.MustParseAddr("127.9.72.2"), AS: 65102, Upstream: true})
	w := call(t, "127.9.72.2", at)
	write(t, w, octets(t, wireOpen+wireAlive))
	eventually(t, "the session is established", func() bool { l, _ := h.Speaker(); return l.Connected == 1 })
	one := octets(t, wireDefault)
	sent := flood(t, h, w, one)
	rest := (len(one) - sent%len(one)) % len(one)
	write(t, w, one[len(one)-rest:], octets(t, wireAlive))
	want := uint64((sent+rest)/len(one) + 1)
	eventually(t, "everything is taken in afterwards", func() bool { return speakerCounts(h).Messages == want })
	if l, _ := h.Speaker(); l.Counts.Behind == 0 || l.Connected != 1 {
		t.Errorf("%+v", l)
	}
}

// TestNeighboursOnTheLink: what has crossed more routers than may stand between never arrives (RFC 5082).
func TestNeighboursOnTheLink(t *testing.T) {
	t.Parallel()
	near := Neighbour{Device: "near", Address: netip.MustParseAddr("127.9.73.2"), AS: 65102, Upstream: true, Hops: 1}
	far := Neighbour{Device: "far", Address: netip.MustParseAddr("127.9.73.3"), AS: 65102, Upstream: true, Hops: 1}
	h, _, at := startSpeaker(t, "127.9.73.9", near, far)
	w := call(t, "127.9.73.2", at)
	write(t, w, octets(t, wireOpen+wireAlive))
	eventually(t, "one that is near has a session", func() bool { l, _ := h.Speaker(); return l.Connected == 1 })
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.9.73.3")}, Timeout: 500 * time.Millisecond} // sends with the system's 64
	if c, err := d.Dial("tcp", at.String()); err == nil {
		_ = c.Close()
		t.Error("one that is far can connect")
	}
}

// TestIPv6: neighbours and their passwords may be IPv6 too.
func TestIPv6(t *testing.T) {
	t.Parallel()
	own := netip.IPv6Loopback()
	n := Neighbour{Device: "up", Address: own, AS: 65102, Upstream: true, Password: secret.New("sesame")}
	h, got, at := startSpeaker(t, "[::1]", n)
	d := net.Dialer{Timeout: 5 * time.Second, Control: func(_, _ string, raw syscall.RawConn) error {
		return control(raw, func(fd uintptr) error { return setPassword(fd, own, "sesame") })
	}}
	c, err := d.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() { _, _ = io.Copy(io.Discard, c) }()
	write(t, c, octets(t, marker+"0031 01 04 fe4e 00b4 01010101 14 0212 010400010001 010400020001 41040000fe4e"), octets(t, wireAlive),
		octets(t, marker+"003d 02 0000 0026 400101 00 400206 02010000fe4e 800e16 000201 10 20010db8000000000000000000000001 00 00"))
	eventually(t, "its path is there", func() bool {
		p := part(got.of("up"), "up/bgp_session/::1")
		return p != nil && p.Condition == component.OK && p.Reading("prefixes") == 1
	})
	if l, _ := h.Speaker(); l.Connected != 1 {
		t.Errorf("%+v", l)
	}
}
