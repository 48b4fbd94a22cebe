package bgp

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func TestOpenThereAndBack(t *testing.T) {
	for _, o := range []Open{
		{AS: 64500, ID: netip.MustParseAddr("10.0.0.9"), Hold: 90, Families: []Family{IPv4Unicast, IPv6Unicast}, FourOctet: true, Restart: true, AddPath: map[Family]uint8{IPv4Unicast: 1, IPv6Unicast: 3}},
		{AS: 4_200_000_001, ID: netip.MustParseAddr("10.0.0.9"), FourOctet: true},
		{AS: 65010, ID: netip.MustParseAddr("192.0.2.1"), Hold: 3},
	} {
		r := NewReader(bytes.NewReader(AppendOpen(nil, o)))
		kind, body, err := r.Next()
		if err != nil || kind != TypeOpen {
			t.Fatalf("type %d, %v", kind, err)
		}
		got, err := ParseOpen(body)
		if err != nil || !reflect.DeepEqual(got, o) {
			t.Errorf("%+v became %+v, %v", o, got, err)
		}
	}
}

// TestReaderCuts: messages come in pieces of any size.
func TestReaderCuts(t *testing.T) {
	stream := AppendKeepalive(AppendNotification(AppendKeepalive(nil), 6, 2, []byte("\x05later")))
	for _, from := range []io.Reader{bytes.NewReader(stream), iotest.OneByteReader(bytes.NewReader(stream))} {
		r := NewReader(from)
		var got []MessageType
		for {
			kind, body, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if kind == TypeNotification {
				if n, err := ParseNotification(body); err != nil || n.String() != `cease: administrative shutdown: "later"` {
					t.Errorf("%s, %v", n, err)
				}
			}
			got = append(got, kind)
		}
		if !reflect.DeepEqual(got, []MessageType{TypeKeepalive, TypeNotification, TypeKeepalive}) {
			t.Errorf("got %v", got)
		}
	}
}

func TestReaderFaults(t *testing.T) {
	alive := AppendKeepalive(nil)
	with := func(at int, v ...byte) []byte {
		b := bytes.Clone(alive)
		copy(b[at:], v)
		return b
	}
	for _, c := range []struct {
		name          string
		stream        []byte
		code, subcode uint8
		data          []byte
	}{
		{"no marker", with(3, 0), 1, 1, nil},
		{"HTTP", []byte(strings.Repeat("GET / HTTP/1.1\r\n", 4)), 1, 1, nil},
		{"type 0", with(18, 0), 1, 3, []byte{0}},
		{"type 6", with(18, 6), 1, 3, []byte{6}},
		{"length 18", with(16, 0, 18), 1, 2, []byte{0, 18}},
		{"length 4097", with(16, 0x10, 1, 2), 1, 2, []byte{0x10, 1}},
		{"a KEEPALIVE of 20", with(16, 0, 20), 1, 2, []byte{0, 20}},
		{"an OPEN of 28", with(16, 0, 28, 1), 1, 2, []byte{0, 28}},
		{"an UPDATE of 22", with(16, 0, 22, 2), 1, 2, []byte{0, 22}},
		{"a NOTIFICATION of 20", with(16, 0, 20, 3), 1, 2, []byte{0, 20}},
	} {
		r := NewReader(bytes.NewReader(append(bytes.Clone(alive), c.stream...)))
		if _, _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		_, _, err := r.Next()
		var f *Fault
		if !errors.As(err, &f) || f.Code != c.code || f.Subcode != c.subcode || !bytes.Equal(f.Data, c.data) {
			t.Errorf("%s: %#v", c.name, err)
		}
	}
	if _, _, err := NewReader(bytes.NewReader(alive[:18])).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a header: %v", err)
	}
	if _, _, err := NewReader(bytes.NewReader(AppendOpen(nil, Open{ID: netip.IPv4Unspecified()})[:25])).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half an OPEN: %v", err)
	}
}

// FuzzSession reads what a neighbour may send: whatever it is, reading ends, and UPDATEs fail by Faults alone.
func FuzzSession(f *testing.F) {
	f.Add(AppendKeepalive(AppendOpen(nil, Open{AS: 65010, ID: netip.MustParseAddr("192.0.2.1"), Families: []Family{IPv4Unicast}, FourOctet: true, AddPath: map[Family]uint8{IPv4Unicast: 3}})), false)
	f.Add(AppendNotification(nil, 6, 2, []byte("\x05later")), true)
	f.Add(message(nil, TypeUpdate, func(b []byte) []byte {
		return append(b, 0, 0, 0, 0x14, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfe, 0x4e, 0x40, 3, 4, 192, 0, 2, 1, 0)
	}), false)
	f.Fuzz(func(t *testing.T, stream []byte, addPath bool) {
		r := NewReader(bytes.NewReader(stream))
		var d Decoder
		o := Options{FourOctet: true}
		if addPath {
			o.AddPath = SetOf(IPv4Unicast, IPv6Unicast)
		}
		for {
			buffered := r.Buffered()
			kind, body, err := r.Next()
			if err != nil {
				if buffered && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
					t.Fatalf("a whole message was there, and then was not: %v", err)
				}
				return
			}
			switch kind {
			case TypeOpen:
				_, _ = ParseOpen(body)
			case TypeNotification:
				n, _ := ParseNotification(body)
				_ = n.String()
			case TypeUpdate:
				_, err := d.Update(body, o)
				var fault *Fault
				if err != nil && !errors.As(err, &fault) {
					t.Fatalf("%T: %v", err, err)
				}
			}
		}
	})
}
