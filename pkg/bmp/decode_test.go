package bmp_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"

	gobmp "github.com/osrg/gobgp/v3/pkg/packet/bmp"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/bmp"
)

// common wraps a body in a common header.
func common(version, kind byte, body ...[]byte) []byte {
	all := slices.Concat(body...)
	m := binary.BigEndian.AppendUint32([]byte{version}, uint32(6+len(all)))
	return append(append(m, kind), all...)
}

// peer is a per-peer header of an IPv4 neighbour 192.0.2.1 of AS 64510.
func peer(kind, flags byte) []byte {
	b := append([]byte{kind, flags}, make([]byte, 8+12)...)
	b = append(b, 192, 0, 2, 1)
	b = binary.BigEndian.AppendUint32(b, 64510)
	b = append(b, 192, 0, 2, 1)
	b = binary.BigEndian.AppendUint32(b, 1_770_000_000)
	return binary.BigEndian.AppendUint32(b, 500)
}

func message(kind byte, body ...byte) []byte {
	m := slices.Repeat([]byte{0xff}, 16)
	m = binary.BigEndian.AppendUint16(m, uint16(19+len(body)))
	return append(append(m, kind), body...)
}

func open(as uint16, addPath byte) []byte {
	b := binary.BigEndian.AppendUint16([]byte{4}, as)
	b = append(b, 0, 180, 192, 0, 2, 9)
	caps := []byte{1, 4, 0, 1, 0, 1, 65, 4, 0, 0, byte(as >> 8), byte(as)}
	if addPath > 0 {
		caps = append(caps, 69, 4, 0, 1, 1, addPath)
	}
	b = append(b, byte(len(caps)+2), 2, byte(len(caps)))
	return message(1, append(b, caps...)...)
}

var local = append(make([]byte, 12), 192, 0, 2, 2, 0, 179, 0xc0, 1)

// route is an UPDATE that announces 198.51.100.0/24 by way of AS 64510; id is its path id, if any.
func route(id ...byte) []byte {
	attrs := []byte{0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfb, 0xfe, 0x40, 3, 4, 192, 0, 2, 1}
	b := append([]byte{0, 0, 0, byte(len(attrs))}, attrs...)
	return message(2, append(append(b, id...), 24, 198, 51, 100)...)
}

func decode(t *testing.T, d *bmp.Decoder, b []byte) *bmp.Message {
	t.Helper()
	m, err := d.Message(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMessages(t *testing.T) {
	d := bmp.NewDecoder()
	m := decode(t, d, common(3, 4, []byte{0, 1, 0, 3, 'F', 'R', 'R', 0, 2, 0, 2, 'r', '1', 0, 99, 0, 0}))
	if m.Info.SysDescr != "FRR" || m.Info.SysName != "r1" || len(m.Problems) != 1 {
		t.Errorf("%+v", m)
	}
	m = decode(t, d, common(3, 3, peer(0, 0), local, open(64500, 0), open(64510, 0), []byte{0, 3, 0, 1, 'x'}))
	if m.Up.Sent.AS != 64500 || m.Up.Received.AS != 64510 || m.Up.Local != netip.MustParseAddr("192.0.2.2") || m.Up.Table != "x" || m.Peer.AS != 64510 {
		t.Errorf("%+v", m.Up)
	}
	m = decode(t, d, common(3, 0, peer(0, 0x40), route()))
	if !m.Peer.PostPolicy || len(m.Update.Announced) != 1 || m.Update.Attrs.ASPath.String() != "64510" || m.Peer.At.Nanosecond() != 500_000 {
		t.Errorf("%+v", m)
	}
	m = decode(t, d, common(3, 1, peer(0, 0), []byte{0, 0, 0, 3, 0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 4, 0, 0, 0, 2, 0, 9, 0, 11, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 6}))
	if len(m.Stats) != 3 || m.Stats[0].Value != 5 || m.Stats[1].Value != 2 || m.Stats[2].Family != bgp.IPv4Unicast {
		t.Errorf("%+v", m.Stats)
	}
	m = decode(t, d, common(3, 2, peer(0, 0), []byte{3}, message(3, 6, 2)))
	if m.Down.Reason != bmp.DownRemoteNotification || !m.Down.Notification.Admin() {
		t.Errorf("%+v", m.Down)
	}
	m = decode(t, d, common(3, 2, peer(0, 0), []byte{2, 0, 10}))
	if m.Down.FSMEvent != 10 {
		t.Errorf("%+v", m.Down)
	}
	m = decode(t, d, common(3, 9, []byte{1, 2, 3}))
	if len(m.Problems) != 1 {
		t.Errorf("%+v", m)
	}
}

// TestAddPath: how a neighbour writes its UPDATEs follows from the OPENs in Peer Up, for each direction and each peer.
func TestAddPath(t *testing.T) {
	d := bmp.NewDecoder()
	decode(t, d, common(3, 3, peer(0, 0), local, open(64500, 1), open(64510, 2))) // they send, we receive
	if m := decode(t, d, common(3, 0, peer(0, 0), route(0, 0, 0, 7))); m.Update.Announced[0].PathID != 7 {
		t.Errorf("%+v", m.Update)
	}
	if m := decode(t, d, common(3, 0, peer(0, 0x10), route())); !m.Peer.AdjOut || m.Update.Announced[0].PathID != 0 {
		t.Errorf("%+v", m.Update)
	}
	decode(t, d, common(3, 3, peer(0, 0), local, open(64500, 0), open(64510, 2)))
	if m := decode(t, d, common(3, 0, peer(0, 0), route())); len(m.Update.Announced) != 1 {
		t.Errorf("%+v", m.Update)
	}
}

func TestTwoOctet(t *testing.T) {
	attrs := []byte{0x40, 1, 1, 0, 0x40, 2, 4, 2, 1, 0xfb, 0xfe, 0x40, 3, 4, 192, 0, 2, 1}
	u := message(2, append(append([]byte{0, 0, 0, byte(len(attrs))}, attrs...), 24, 198, 51, 100)...)
	if m := decode(t, bmp.NewDecoder(), common(3, 0, peer(0, 0x20), u)); m.Update.Attrs.ASPath.String() != "64510" || len(m.Update.Problems) != 0 {
		t.Errorf("%+v", m.Update)
	}
}

func TestReader(t *testing.T) {
	stream := slices.Concat(common(3, 4, []byte{0, 2, 0, 2, 'r', '1'}), common(3, 0, peer(0, 0), route()), common(3, 5))
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(stream), "octet by octet": iotest.OneByteReader(bytes.NewReader(stream))} {
		reader := bmp.NewReader(r)
		var sizes []int
		for {
			b, err := reader.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			sizes = append(sizes, len(b))
		}
		if len(sizes) != 3 || sizes[2] != 6 {
			t.Errorf("%s: %v", name, sizes)
		}
	}
	if _, err := bmp.NewReader(bytes.NewReader(stream[:9])).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a message: %v", err)
	}
	var wrong *bmp.VersionError
	if _, err := bmp.NewReader(bytes.NewReader([]byte("GET / HTTP/1.0\r\n"))).Next(); !errors.As(err, &wrong) || wrong.Version != 'G' {
		t.Errorf("version: %v", err)
	}
	if _, err := bmp.NewReader(bytes.NewReader([]byte{3, 0xff, 0xff, 0xff, 0xff, 0})).Next(); err == nil || errors.As(err, &wrong) {
		t.Errorf("length: %v", err)
	}
}

// TestShort: a message cut at any place is an error or a counted problem, and never more than that.
func TestShort(t *testing.T) {
	for _, whole := range [][]byte{
		common(3, 3, peer(0, 0), local, open(64500, 1), open(64510, 2)), common(3, 0, peer(0, 0), route()),
		common(3, 2, peer(0, 0), []byte{3}, message(3, 6, 2)), common(3, 1, peer(0, 0), []byte{0, 0, 0, 1, 0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 0, 5}),
	} {
		for n := range len(whole) {
			b := slices.Clone(whole[:n])
			if n >= 5 {
				binary.BigEndian.PutUint32(b[1:], uint32(n))
			}
			if _, err := bmp.NewDecoder().Message(b); err == nil && n < 48 {
				t.Errorf("%d octets of % x: no error", n, whole)
			}
		}
	}
}

// FuzzStream: a station reads whatever a router sends.
func FuzzStream(f *testing.F) {
	f.Add(slices.Concat(common(3, 3, peer(0, 0), local, open(64500, 1), open(64510, 2)), common(3, 0, peer(0, 0), route(0, 0, 0, 7))))
	f.Add(common(4, 0, peer(3, 0), []byte{0, 4, 0, byte(len(route())), 0, 0}, route(), []byte{0, 5, 0, 4, 0, 0, 0, 0, 0, 0x8a}))
	f.Add(common(3, 1, peer(0, 0), []byte{0, 0, 0, 1, 0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 0, 5}))
	if dir := os.Getenv("SPAREWATCH_RECORDINGS"); dir != "" {
		files, _ := filepath.Glob(filepath.Join(dir, "bgp", "bmp", "*", "*.pcap"))
		for _, file := range files {
			if b, err := os.ReadFile(file); err == nil && len(b) < 20_000 {
				f.Add(b[94:])
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, d := bmp.NewReader(bytes.NewReader(b)), bmp.NewDecoder()
		for {
			raw, err := r.Next()
			if err != nil {
				return
			}
			m, err := d.Message(raw)
			if err != nil || m.Update == nil || m.Version != 3 || len(m.Problems) > 0 {
				continue
			}
			sameHeader(t, raw, m)
		}
	})
}

// sameHeader compares the per-peer header with gobgp's reading of it.
func sameHeader(t *testing.T, raw []byte, m *bmp.Message) {
	theirs, err := gobmp.ParseBMPMessage(slices.Clone(raw))
	if err != nil {
		return
	}
	h := theirs.PeerHeader
	if h.PeerAS != uint32(m.Peer.AS) || h.PeerDistinguisher != m.Peer.Distinguisher || m.Peer.Type != bmp.LocRIBPeer && m.Peer.PostPolicy != h.IsPostPolicy() {
		t.Fatalf("gobgp reads %+v, we %+v", h, m.Peer)
	}
}

func BenchmarkRouteMonitoring(b *testing.B) {
	raw := common(3, 0, peer(0, 0), route())
	d := bmp.NewDecoder()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Message(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// routes3 is an UPDATE that announces 198.51.100.0/24, 203.0.113.0/24 and 192.0.2.0/24.
func routes3() []byte {
	return message(2, append(route()[19:], 24, 203, 0, 113, 24, 192, 0, 2)...)
}

// indexed is a TLV of a version 4 route monitoring message.
func indexed(kind, index uint16, value ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(binary.BigEndian.AppendUint16(b, index), value...)
}

func TestPathStatus(t *testing.T) {
	const best, backup, none = bmp.StatusBest | bmp.StatusPrimary, bmp.StatusBackup, 0
	early, late := indexed(4, 0, routes3()...), indexed(7, 0, routes3()...)
	for _, c := range []struct {
		name string
		tlvs []byte
		want [3]uint32
	}{
		{"one of all", slices.Concat(early, indexed(5, 0, 0, 0, 0, 0x0a)), [3]uint32{best, best, best}},
		{"one each, in front of the UPDATE", slices.Concat(indexed(5, 1, 0, 0, 0, 0x0a), indexed(5, 3, 0, 0, 0, 0x10), early), [3]uint32{best, none, backup}},
		{"what is said of one goes before what is said of all", slices.Concat(early, indexed(5, 0, 0, 0, 0, 0x0a), indexed(5, 2, 0, 0, 0, 0x10)), [3]uint32{best, backup, best}},
		{"a group", slices.Concat(indexed(2, 0x8001, 0, 2, 0, 3), early, indexed(5, 0x8001, 0, 0, 0, 0x10), indexed(5, 1, 0, 0, 0, 0x0a)), [3]uint32{best, backup, backup}},
		{"a group named without its bit", slices.Concat(indexed(2, 0x8001, 0, 1, 0, 2), early, indexed(5, 1, 0, 0, 0, 0x0a)), [3]uint32{best, best, none}},
		{"a group that is not there", slices.Concat(early, indexed(5, 0x8001, 0, 0, 0, 0x10)), [3]uint32{}},
		{"a vendor's own", slices.Concat(early, indexed(0x8005, 0, 0, 0, 0, 9, 0, 0, 0, 0x10)), [3]uint32{backup, backup, backup}},
		{"the numbers of draft 20", slices.Concat(indexed(4, 0x8002, 0, 1), indexed(1, 0, 0, 0, 0, 9), indexed(5, 0, []byte("global")...), late, indexed(8, 0x8002, 0, 0, 0, 0x0a)), [3]uint32{best, none, none}},
	} {
		m, err := bmp.NewDecoder().Message(common(4, 0, peer(0, 0), c.tlvs))
		if err != nil || m.Update == nil || len(m.Update.Announced) != 3 {
			t.Errorf("%s: %+v %v", c.name, m, err)
			continue
		}
		var got [3]uint32
		for i := range got {
			got[i], _ = m.StatusOf(i)
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v (%v)", c.name, got, c.want, m.Status)
		}
		if wrong := c.name == "a group that is not there"; wrong != (len(m.Problems) > 0) {
			t.Errorf("%s: %v", c.name, m.Problems)
		}
	}
}
