package ber

import (
	"bytes"
	"math"
	"slices"
	"testing"
)

func TestSignedRoundTrip(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 127, 128, -128, -129, 255, 256, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64} {
		tag, body, rest, ok := Element(AppendSigned(nil, 0x02, n))
		got, whole := Signed(body)
		if !ok || tag != 0x02 || len(rest) != 0 || !whole || got != n {
			t.Errorf("%d comes back as %d, %v", n, got, whole && ok)
		}
	}
}

func TestUnsigned(t *testing.T) {
	for _, c := range []struct {
		octets []byte
		want   uint64
		ok     bool
	}{
		{[]byte{0, 0xff}, 255, true},
		{[]byte{0xff}, 255, true}, // without its zero
		{[]byte{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, math.MaxUint64, true},
		{[]byte{1, 0, 0, 0, 0, 0, 0, 0, 0}, 0, false},
		{nil, 0, false},
	} {
		if got, ok := Unsigned(c.octets); got != c.want || ok != c.ok {
			t.Errorf("% x: %d, %v", c.octets, got, ok)
		}
	}
}

func TestOIDRoundTrip(t *testing.T) {
	for _, oid := range [][]uint32{{1, 3, 6, 1, 4, 1, 8072}, {2, 999, 3}, {0, 0}, {1, 3, math.MaxUint32}} {
		b := AppendArc(nil, uint64(oid[0])*40+uint64(oid[1]))
		for _, arc := range oid[2:] {
			b = AppendArc(b, uint64(arc))
		}
		if got, ok := OID(b); !ok || !slices.Equal(got, oid) {
			t.Errorf("%v comes back as %v, %v", oid, got, ok)
		}
	}
	for name, b := range map[string][]byte{"empty": nil, "cut short": {0x2b, 0x86}, "an arc over 32 bits": {0x2b, 0x90, 0x80, 0x80, 0x80, 0x00}, "too long": bytes.Repeat([]byte{1}, MaxArcs)} {
		if got, ok := OID(b); ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzElement(f *testing.F) {
	f.Add([]byte{0x30, 0x03, 0x02, 0x01, 0x05})
	f.Add([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		tag, body, rest, ok := Element(b)
		if !ok {
			return
		}
		if len(body)+len(rest) > len(b)-2 {
			t.Fatalf("% x: more comes out than goes in", b)
		}
		head := AppendTL(nil, tag, len(body))
		if len(head) != SizeTL(len(body)) {
			t.Fatalf("a head of %d octets is said to have %d", len(head), SizeTL(len(body)))
		}
		again, same, none, ok := Element(append(head, body...))
		if !ok || again != tag || !bytes.Equal(same, body) || len(none) != 0 {
			t.Fatalf("% x does not come back", b)
		}
	})
}
