package paths_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/paths"
)

// packet is an Ethernet frame with an IPv4 TCP segment from 192.0.2.1:1000 to 192.0.2.2:179.
func packet(seq uint32, flags byte, data string) []byte {
	b := make([]byte, 12)
	b = append(b, 8, 0)
	ip := []byte{0x45, 0}
	ip = binary.BigEndian.AppendUint16(ip, uint16(40+len(data)))
	ip = append(ip, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2)
	tcp := []byte{0x03, 0xe8, 0, 179}
	tcp = binary.BigEndian.AppendUint32(tcp, seq)
	tcp = append(tcp, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0)
	return slices.Concat(b, ip, tcp, []byte(data), []byte{0, 0}) // padded
}

func pcap(order binary.ByteOrder, packets ...[]byte) []byte {
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, order, v) }
	put(uint32(0xa1b2c3d4))
	put([]uint16{2, 4})
	put([]uint32{0, 0, 65535, 1})
	for i, p := range packets {
		put([]uint32{1000, uint32(i), uint32(len(p)), uint32(len(p))})
		b.Write(p)
	}
	return b.Bytes()
}

func pcapng(order binary.ByteOrder, packets ...[]byte) []byte {
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, order, v) }
	block := func(kind uint32, body []byte) {
		body = append(body, make([]byte, (4-len(body)%4)%4)...)
		put([]uint32{kind, uint32(12 + len(body))})
		b.Write(body)
		put(uint32(12 + len(body)))
	}
	words := func(v ...any) []byte {
		var w bytes.Buffer
		for _, x := range v {
			_ = binary.Write(&w, order, x)
		}
		return w.Bytes()
	}
	block(0x0a0d0d0a, words(uint32(0x1a2b3c4d), uint16(1), uint16(0), int64(-1)))
	block(1, words(uint16(1), uint16(0), uint32(65535)))
	for i, p := range packets {
		block(6, append(words(uint32(0), uint32(0), uint32(1_000_000_000+i), uint32(len(p)), uint32(len(p))), p...))
	}
	return b.Bytes()
}

func TestCapture(t *testing.T) {
	for _, c := range []struct {
		name    string
		packets [][]byte
		want    string
	}{
		{"in order", [][]byte{packet(9, 2, ""), packet(10, 16, "abc"), packet(13, 24, "def")}, "abcdef"},
		{"out of order", [][]byte{packet(9, 2, ""), packet(13, 24, "def"), packet(10, 16, "abc")}, "abcdef"},
		{"again, and longer", [][]byte{packet(9, 2, ""), packet(10, 16, "abc"), packet(10, 16, "abcde"), packet(15, 16, "f")}, "abcdef"},
		{"from the middle", [][]byte{packet(10, 16, "abc"), packet(13, 24, "def")}, "abcdef"},
		{"around the end of numbers", [][]byte{packet(0xfffffffd, 2, ""), packet(0xfffffffe, 16, "abc"), packet(1, 24, "def")}, "abcdef"},
		{"a hole ends it", [][]byte{packet(9, 2, ""), packet(10, 16, "abc"), packet(14, 24, "def")}, "abc"},
		{"data with the SYN", [][]byte{packet(9, 2, "abc"), packet(13, 24, "def")}, "abcdef"},
		{"data with a SYN that takes no number", [][]byte{packet(10, 2, "abc"), packet(13, 24, "def")}, "abcdef"},
	} {
		for form, file := range map[string][]byte{"pcap": pcap(binary.LittleEndian, c.packets...), "pcap, big": pcap(binary.BigEndian, c.packets...),
			"pcapng": pcapng(binary.LittleEndian, c.packets...), "pcapng, big": pcapng(binary.BigEndian, c.packets...)} {
			streams, err := paths.ReadCapture(bytes.NewReader(file))
			if err != nil || len(streams) != 1 || string(streams[0].Data) != c.want || !paths.IsCapture(file) {
				t.Errorf("%s, %s: %v %v", c.name, form, err, streams)
				continue
			}
			if s := streams[0]; s.From != netip.MustParseAddrPort("192.0.2.1:1000") || s.To.Port() != 179 || s.At(0).Unix() != 1000 {
				t.Errorf("%s, %s: %v %v %v", c.name, form, s.From, s.To, s.At(0))
			}
		}
	}
	for _, b := range []string{"", "xxxx", "no capture at all, by any means"} {
		if _, err := paths.ReadCapture(bytes.NewReader([]byte(b))); err == nil {
			t.Errorf("%q was read", b)
		}
	}
}

// TestDamagedCapture: what stands before the damage is read.
func TestDamagedCapture(t *testing.T) {
	for name, file := range map[string][]byte{
		"pcap":   pcap(binary.LittleEndian, packet(99, 2, ""), packet(100, 16, "BGP"), packet(103, 16, " and more")),
		"pcapng": pcapng(binary.BigEndian, packet(99, 2, ""), packet(100, 16, "BGP"), packet(103, 16, " and more")),
	} {
		whole, err := paths.ReadCapture(bytes.NewReader(file))
		if err != nil || len(whole) != 1 || string(whole[0].Data) != "BGP and more" {
			t.Fatalf("%s: %v %v", name, whole, err)
		}
		streams, err := paths.ReadCapture(bytes.NewReader(file[:len(file)-5]))
		var d *bgp.Damaged
		if !errors.As(err, &d) || !d.Cut() || d.At <= 0 || len(streams) != 1 || string(streams[0].Data) != "BGP" {
			t.Errorf("%s cut short: %v %v", name, streams, err)
		}
	}
	streams, err := paths.ReadCapture(bytes.NewReader(append(pcap(binary.LittleEndian, packet(99, 2, ""), packet(100, 16, "BGP")), bytes.Repeat([]byte{0xfe}, 64)...)))
	var d *bgp.Damaged
	if !errors.As(err, &d) || d.Cut() || len(streams) != 1 || string(streams[0].Data) != "BGP" {
		t.Errorf("garbage behind packets: %v %v", streams, err)
	}
}
