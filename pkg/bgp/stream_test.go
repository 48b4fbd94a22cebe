package bgp

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	gobgp "github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

// octets are a message as GoBGP writes it.
func octets(m *gobgp.BGPMessage) []byte {
	b, err := m.Serialize()
	if err != nil {
		panic(err)
	}
	return b
}

var (
	alive = octets(gobgp.NewBGPKeepAliveMessage())
	later = octets(gobgp.NewBGPNotificationMessage(6, 2, []byte("\x05later")))
	hello = octets(gobgp.NewBGPOpenMessage(65010, 90, "192.0.2.1", []gobgp.OptionParameterInterface{gobgp.NewOptionParameterCapability([]gobgp.ParameterCapabilityInterface{
		gobgp.NewCapMultiProtocol(gobgp.RF_IPv4_UC), gobgp.NewCapFourOctetASNumber(65010),
		gobgp.NewCapAddPath([]*gobgp.CapAddPathTuple{gobgp.NewCapAddPathTuple(gobgp.RF_IPv4_UC, gobgp.BGP_ADD_PATH_BOTH)}),
	})}))
	news = octets(gobgp.NewBGPUpdateMessage(nil, []gobgp.PathAttributeInterface{gobgp.NewPathAttributeOrigin(0), gobgp.NewPathAttributeNextHop("192.0.2.1"),
		gobgp.NewPathAttributeAsPath([]gobgp.AsPathParamInterface{gobgp.NewAs4PathParam(gobgp.BGP_ASPATH_ATTR_TYPE_SEQ, []uint32{65102})})},
		[]*gobgp.IPAddrPrefix{gobgp.NewIPAddrPrefix(24, "203.0.113.0")}))
)

// TestReaderCuts: messages come in pieces of any size.
func TestReaderCuts(t *testing.T) {
	stream := slices.Concat(alive, later, alive)
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
	if _, _, err := NewReader(bytes.NewReader(hello[:25])).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half an OPEN: %v", err)
	}
}

// FuzzSession reads what a neighbour may send: whatever it is, reading ends, and UPDATEs fail by Faults alone.
func FuzzSession(f *testing.F) {
	f.Add(slices.Concat(hello, alive), false)
	f.Add(later, true)
	f.Add(news, false)
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
