package bgp_test

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"

	gobgp "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/sparewatch/sparewatch/pkg/bgp"
)

// body puts an UPDATE's body together of hex: withdrawn routes, attributes, prefixes.
func body(t testing.TB, withdrawn, attrs, nlri string) []byte {
	t.Helper()
	raw := func(s string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	w, a := raw(withdrawn), raw(attrs)
	b := binary.BigEndian.AppendUint16(nil, uint16(len(w)))
	b = append(b, w...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(a)))
	return append(append(b, a...), raw(nlri)...)
}

const (
	origin   = "40010100"
	nextHop  = "400304c0000201"
	path4    = "40020a0202 0000fbfe 0000fbf0" // 64510 64496
	path2    = "4002060202 fbfe fbf0"
	oneRoute = "18c63364" // 198.51.100.0/24
)

var four = bgp.Options{FourOctet: true}

func TestUpdate(t *testing.T) {
	var d bgp.Decoder
	u, err := d.Update(body(t, "180a0000", origin+path4+nextHop+"80040400000005"+"40050400000064"+"c00808ffff0000fbfe0001", oneRoute+"10cb00"), four)
	if err != nil {
		t.Fatal(err)
	}
	a := u.Attrs
	if len(u.Announced) != 2 || u.Classic != 2 || u.Announced[1].Prefix != netip.MustParsePrefix("203.0.0.0/16") || len(u.Withdrawn) != 1 ||
		a.ASPath.String() != "64510 64496" || a.NextHop != netip.MustParseAddr("192.0.2.1") || a.MED != 5 || a.LocalPref != 100 ||
		a.Marks != bgp.GracefulShutdown || len(a.Communities) != 2 || len(u.Problems) != 0 {
		t.Errorf("%+v", u)
	}
}

func TestMultiprotocol(t *testing.T) {
	var d bgp.Decoder
	// IPv6 unicast with global and link-local next hop; and its withdrawal.
	u, err := d.Update(body(t, "", origin+path4+"800e2a000201 20 20010db8000000000000000000000001 fe800000000000000000000000000001 00 20 20010db8", ""), four)
	if err != nil || len(u.Announced) != 1 || u.Classic != 0 || u.Announced[0].Prefix.String() != "2001:db8::/32" || u.MPNextHop.String() != "2001:db8::1" {
		t.Errorf("%v %+v", err, u)
	}
	u, err = d.Update(body(t, "", "800f08 000201 20 20010db8", ""), four)
	if err != nil || len(u.Withdrawn) != 1 || len(u.Ended) != 0 {
		t.Errorf("%v %+v", err, u)
	}
	// Path ids.
	u, err = d.Update(body(t, "", origin+path4+nextHop, "00000007"+oneRoute), bgp.Options{FourOctet: true, AddPath: bgp.SetOf(bgp.IPv4Unicast)})
	if err != nil || u.Announced[0].PathID != 7 {
		t.Errorf("%v %+v", err, u)
	}
	// A VPN prefix: label 0x000011 at the stack's bottom, RD 64500:1, 10.1.0.0/16.
	u, err = d.Update(body(t, "", origin+path4+"800e1f 000180 0c 0000000000000000c0000201 00 68 000111 0000fbf400000001 0a01", ""), four)
	if err != nil || len(u.Announced) != 1 || u.Announced[0].Family() != bgp.IPv4VPN || u.Announced[0].Prefix.String() != "10.1.0.0/16" || u.Announced[0].RD != 0x0000fbf400000001 {
		t.Errorf("%v %+v", err, u)
	}
	// A family that is not read is counted.
	u, err = d.Update(body(t, "", origin+path4+"800e09 001946 04 c0000201 00", ""), four)
	if err != nil || len(u.Other) != 1 || u.Other[0].String() != "l2vpn-evpn" {
		t.Errorf("%v %+v", err, u)
	}
}

func TestEndOfRIB(t *testing.T) {
	var d bgp.Decoder
	if u, err := d.Update(body(t, "", "", ""), four); err != nil || !slices.Equal(u.Ended, []bgp.Family{bgp.IPv4Unicast}) {
		t.Errorf("%v %+v", err, u)
	}
	if u, err := d.Update(body(t, "", "800f03000201", ""), four); err != nil || !slices.Equal(u.Ended, []bgp.Family{bgp.IPv6Unicast}) {
		t.Errorf("%v %+v", err, u)
	}
}

// TestMalformed: RFC 7606, section by section.
func TestMalformed(t *testing.T) {
	for _, c := range []struct {
		name     string
		attrs    string
		announce int // how many stay announced
		problems int
		fails    bool
	}{
		{"good", origin + path4 + nextHop, 1, 0, false},
		{"3c: flags of ORIGIN", "c0010100" + path4 + nextHop, 0, 1, false},
		{"3d: NEXT_HOP missing", origin + path4, 0, 1, false},
		{"3d: AS_PATH missing", origin + nextHop, 0, 1, false},
		{"3g: twice", origin + origin + path4 + nextHop, 1, 1, false},
		{"3g: MP_REACH_NLRI twice", origin + path4 + "800e0d000101 04 c0000201 00 10 0a01 00" + "800e0d000101 04 c0000201 00 10 0a01 00", 0, 0, true},
		{"4: longer than what holds it", origin + path4 + nextHop + "4005ff00000064", 0, 1, false},
		{"7.1: ORIGIN 3", "40010103" + path4 + nextHop, 0, 1, false},
		{"7.2: AS_PATH with an empty segment", origin + "4002020200" + nextHop, 0, 1, false},
		{"7.2: AS_PATH with an unknown segment", origin + "40020607010000fbfe" + nextHop, 0, 1, false},
		{"7.3: NEXT_HOP of three octets", origin + path4 + "400303c00002", 0, 1, false},
		{"7.4: MULTI_EXIT_DISC of two octets", origin + path4 + nextHop + "8004020001", 0, 1, false},
		{"7.6: ATOMIC_AGGREGATE with a value", origin + path4 + nextHop + "40060100", 1, 1, false},
		{"7.7: AGGREGATOR of five octets", origin + path4 + nextHop + "c007050000000000", 1, 1, false},
		{"7.8: COMMUNITY of three octets", origin + path4 + nextHop + "c00803000000", 0, 1, false},
		{"7.10: CLUSTER_LIST of none", origin + path4 + nextHop + "800a00", 0, 1, false},
		{"7.11: MP_REACH_NLRI with a next hop of five octets", origin + path4 + "800e0b000101 05 c000020100 00 00", 0, 0, true},
		{"unknown attributes are none of our business", origin + path4 + nextHop + "c0fe03010203", 1, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d bgp.Decoder
			u, err := d.Update(body(t, "", c.attrs, oneRoute), four)
			if c.fails {
				if err == nil {
					t.Errorf("no error: %+v", u)
				}
				return
			}
			if err != nil || len(u.Announced) != c.announce || len(u.Withdrawn) != 1-c.announce || len(u.Problems) != c.problems {
				t.Errorf("%v: %+v", err, u)
			}
		})
	}
	var d bgp.Decoder
	for _, b := range [][]byte{nil, {0}, {0, 9, 0, 0}, {0, 0, 0, 9}, {0, 0, 0, 0, 33, 1, 2, 3, 4, 5}, {0, 0, 0, 0, 24, 1}} {
		if _, err := d.Update(b, four); err == nil {
			t.Errorf("% x: no error", b)
		}
	}
}

func TestAS4Path(t *testing.T) {
	as4 := func(segments string) string { return "c011" + hexLen(segments) + segments }
	for _, c := range []struct{ name, attrs, path string }{
		{"merged", "400208 0203 fbfe 5ba0 5ba0" + as4("0202 00010001 00010002"), "64510 65537 65538"},
		{"longer than AS_PATH: ignored", "400204 0201 5ba0" + as4("0202 00010001 00010002"), "23456"},
		{"an aggregator that knows nothing of it: ignored", "400208 0203 fbfe 5ba0 5ba0" + as4("0202 00010001 00010002") + "c00706 fbfe c0000201", "64510 23456 23456"},
		{"an aggregator that does", "400208 0203 fbfe 5ba0 5ba0" + as4("0202 00010001 00010002") + "c00706 5ba0 c0000201", "64510 65537 65538"},
		{"malformed: left out", "400204 0201 5ba0" + as4("0202 00010001 0001"), "23456"},
		{"a set counts as one", "40020a 0102 0001 0002 0201 5ba0" + as4("0201 00010001"), "{1,2} 65537"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d bgp.Decoder
			u, err := d.Update(body(t, "", origin+c.attrs+nextHop, oneRoute), bgp.Options{})
			if err != nil || u.Attrs.ASPath.String() != c.path {
				t.Errorf("%v: %s, want %s; %v", err, u.Attrs.ASPath, c.path, u.Problems)
			}
		})
	}
}

func hexLen(s string) string {
	return hex.EncodeToString([]byte{byte(len(strings.ReplaceAll(s, " ", "")) / 2)})
}

// TestOtherWidth: a router that is wrong about how its neighbour writes AS numbers.
func TestOtherWidth(t *testing.T) {
	var d bgp.Decoder
	u, err := d.Update(body(t, "", origin+path2+nextHop, oneRoute), four)
	if err != nil || u.Attrs.ASPath.String() != "64510 64496" || len(u.Problems) != 1 || len(u.Announced) != 1 {
		t.Errorf("%v %+v", err, u)
	}
}

func TestOpen(t *testing.T) {
	// AS_TRANS with AS 4200000001 in the capability, add-path send for IPv4, hostname r1.
	b, _ := hex.DecodeString("045ba000b4c0000201" + "1d" + "021b" + "010400010001" + "4104fa56ea01" + "4504" + "00010102" + "4904" + "02723100" + "fe0100")
	o, err := bgp.ParseOpen(b)
	if err != nil || o.AS != 4200000001 || !o.FourOctet || o.Hold != 180 || o.AddPath[bgp.IPv4Unicast] != 2 || o.Hostname != "r1" || o.Unknown[0xfe] != 1 || len(o.Families) != 1 {
		t.Errorf("%v %+v", err, o)
	}
	other := bgp.Open{FourOctet: true, AddPath: map[bgp.Family]uint8{bgp.IPv4Unicast: 3}}
	if n := bgp.Negotiated(o, other); !n.FourOctet || !n.AddPath.Has(bgp.IPv4Unicast) {
		t.Errorf("%+v", n)
	}
	if n := bgp.Negotiated(other, o); n.AddPath.Has(bgp.IPv4Unicast) {
		t.Errorf("%+v", n)
	}
}

func TestNotification(t *testing.T) {
	n, err := bgp.ParseNotification(append([]byte{6, 2, 6}, "rack 9"...))
	if err != nil || !n.Admin() || n.String() != `cease: administrative shutdown: "rack 9"` {
		t.Errorf("%v %s", err, n)
	}
	for _, c := range []struct {
		body  []byte
		admin bool
		want  string
	}{
		{[]byte{6, 10}, false, "cease: BFD down"},
		{[]byte{6, 9, 6, 10}, false, "hard reset: cease: BFD down"},
		{append([]byte{6, 9, 6, 2, 6}, "rack 9"...), true, `hard reset: cease: administrative shutdown: "rack 9"`},
		{[]byte{6, 9}, false, "cease: hard reset"},
		{[]byte{6, 9, 6, 9, 6, 9}, false, "cease: hard reset"},
	} {
		if n, err := bgp.ParseNotification(c.body); err != nil || n.Admin() != c.admin || n.String() != c.want {
			t.Errorf("%v is %s (%v), want %s", c.body, n, err, c.want)
		}
	}
	if n := (bgp.Notification{Code: 4}); n.Admin() || n.String() != "hold timer expired" {
		t.Errorf("%s", n)
	}
}

// FuzzUpdate: no input harms, and where gobgp reads a message without complaint we read the same prefixes and path.
func FuzzUpdate(f *testing.F) {
	f.Add(body(f, "180a0000", origin+path4+nextHop+"c00808ffff0000fbfe0001", oneRoute), true, false)
	f.Add(body(f, "", origin+path2+nextHop, oneRoute), false, false)
	f.Add(body(f, "", origin+path4+nextHop, "00000007"+oneRoute), true, true)
	f.Add(body(f, "", origin+path4+"800e2a00020120 20010db8000000000000000000000001 fe800000000000000000000000000001 00 20 20010db8", ""), true, false)
	f.Add(body(f, "", "800f0800020120 20010db8", ""), true, false)
	f.Fuzz(func(t *testing.T, b []byte, wide, add bool) {
		if len(b) > 4000 {
			return
		}
		o := bgp.Options{FourOctet: wide}
		if add {
			o.AddPath = bgp.SetOf(bgp.IPv4Unicast, bgp.IPv6Unicast)
		}
		var d bgp.Decoder
		u, err := d.Update(b, o)
		if err != nil {
			return
		}
		for _, n := range slices.Concat(u.Announced, u.Withdrawn) {
			if !n.Prefix.IsValid() || n.Prefix != n.Prefix.Masked() {
				t.Fatalf("prefix %v", n.Prefix)
			}
		}
		if len(u.Problems) > 0 || len(u.Other) > 0 || !wide || add {
			return
		}
		same(t, b, u)
	})
}

// same compares with gobgp, where it reads the message without complaint.
func same(t *testing.T, b []byte, u *bgp.Update) {
	raw := append(slices.Repeat([]byte{0xff}, 16), 0, 0, 2)
	raw = append(raw, b...)
	binary.BigEndian.PutUint16(raw[16:], uint16(len(raw)))
	m, err := gobgp.ParseBGPMessage(raw)
	if err != nil {
		return
	}
	theirs := m.Body.(*gobgp.BGPUpdate)
	if len(theirs.NLRI) != u.Classic {
		t.Fatalf("gobgp reads %d prefixes, we %d", len(theirs.NLRI), u.Classic)
	}
	for i, n := range theirs.NLRI {
		p, err := netip.ParsePrefix(n.String())
		if err != nil || p.Masked() != u.Announced[i].Prefix {
			t.Fatalf("gobgp reads %s, we %s", n, u.Announced[i].Prefix)
		}
	}
	for _, a := range theirs.PathAttributes {
		p, ok := a.(*gobgp.PathAttributeAsPath)
		if !ok {
			continue
		}
		var asns []uint32
		for _, s := range p.Value {
			asns = append(asns, s.GetAS()...)
		}
		var ours []uint32
		for _, s := range u.Attrs.ASPath {
			for _, as := range s.ASNs {
				ours = append(ours, uint32(as))
			}
		}
		if !slices.Equal(asns, ours) {
			t.Fatalf("gobgp reads path %v, we %v", asns, ours)
		}
		return // of attributes that stand twice the first counts
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte{4, 0xfb, 0xf4, 0, 180, 192, 0, 2, 1, 0})
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = bgp.ParseOpen(b)
		_, _ = bgp.ParseNotification(b)
		_, _, _, _ = bgp.Cut(b)
	})
}

func BenchmarkUpdate(b *testing.B) {
	raw := body(b, "", origin+path4+nextHop+"80040400000005"+"c00808fbfe0002fbfe0001", strings.Repeat(oneRoute, 6))
	var d bgp.Decoder
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Update(raw, four); err != nil {
			b.Fatal(err)
		}
	}
}
