package paths_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/paths"
)

// slow is a table as one would write it without a thought for memory.
type slow map[paths.Key]map[bgp.NLRI]string

// TestAgainstSlow: announcements, withdrawals, sessions that go and come, with and without path ids and VPNs, against a
// table of plain maps.
func TestAgainstSlow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fast, plain := paths.New(paths.Options{}), slow{}
		keys := []paths.Key{key("r1", "192.0.2.1"), key("r1", "192.0.2.2"), key("r2", "2001:db8::1")}
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			k := rapid.SampledFrom(keys).Draw(t, "session")
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				fast.Down(k, paths.Reason{}, start)
				delete(plain, k)
			case 1:
				fast.Up(k, paths.Info{}, start)
				delete(plain, k)
			case 2, 3, 4:
				n := drawNLRI(t)
				fast.Update(k, paths.AdjInPre, &bgp.Update{Withdrawn: []bgp.NLRI{n}}, start)
				delete(plain[k], n)
			default:
				n := drawNLRI(t)
				path := seq(bgp.ASN(rapid.IntRange(1, 5).Draw(t, "as")))
				fast.Update(k, paths.AdjInPre, &bgp.Update{Attrs: bgp.Attributes{ASPath: path}, Announced: []bgp.NLRI{n}}, start)
				if plain[k] == nil {
					plain[k] = map[bgp.NLRI]string{}
				}
				plain[k][n] = path.String()
			}
			compareTables(t, fast, plain, keys)
		}
	})
}

func drawNLRI(t *rapid.T) bgp.NLRI {
	bits := rapid.IntRange(0, 4).Draw(t, "bits")
	n := bgp.NLRI{SAFI: 1, Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(rapid.IntRange(0, 15).Draw(t, "net") << 4)}), bits).Masked()}
	if rapid.Bool().Draw(t, "v6") {
		n.Prefix = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, byte(rapid.IntRange(0, 15).Draw(t, "net") << 4)}), bits+8).Masked()
	}
	n.PathID = uint32(rapid.IntRange(0, 2).Draw(t, "path id"))
	if rapid.IntRange(0, 4).Draw(t, "vpn") == 0 {
		n.SAFI, n.RD = 128, uint64(rapid.IntRange(0, 3).Draw(t, "rd"))
	}
	return n
}

func compareTables(t *rapid.T, fast *paths.Table, plain slow, keys []paths.Key) {
	total := 0
	sets := map[string]bool{}
	for _, k := range keys {
		total += len(plain[k])
		asked := map[netip.Prefix]bool{}
		for n, path := range plain[k] {
			sets[path] = true
			if n.SAFI == 1 {
				asked[n.Prefix] = true
			}
		}
		for p := range asked {
			var want, got []string
			for n, path := range plain[k] {
				if n.SAFI == 1 && n.Prefix == p {
					want = append(want, fmt.Sprintf("%d %s", n.PathID, path))
				}
			}
			for _, r := range fast.Lookup(k, paths.AdjInPre, p) {
				got = append(got, fmt.Sprintf("%d %s", r.PathID, r.Attrs.ASPath))
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Fatalf("%v %s: %v, want %v", k, p, got, want)
			}
		}
	}
	if z := fast.Size(); z.Paths != total || z.Attributes != len(sets) {
		t.Fatalf("%+v, want %d paths of %d attributes", z, total, len(sets))
	}
}

// TestManyThenNone: what is withdrawn is given back.
func TestManyThenNone(t *testing.T) {
	table := paths.New(paths.Options{})
	k := key("r1", "192.0.2.1")
	r := rand.New(rand.NewPCG(1, 2))
	known := map[netip.Prefix]bool{}
	for i := range 50_000 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(r.IntN(220) + 1), byte(r.IntN(256)), byte(r.IntN(256))}), 24)
		known[p] = true
		table.Update(k, paths.AdjInPre, &bgp.Update{Attrs: bgp.Attributes{ASPath: seq(64510, bgp.ASN(i/7+1))}, Announced: []bgp.NLRI{{Prefix: p}}}, start)
	}
	full := table.Size()
	for p := range maps.Keys(known) {
		table.Update(k, paths.AdjInPre, &bgp.Update{Withdrawn: []bgp.NLRI{{Prefix: p}}}, start)
	}
	if z := table.Size(); full.Paths != len(known) || z.Paths != 0 || z.Attributes != 0 || z.Bytes*4 > full.Bytes {
		t.Errorf("full %+v, empty %+v", full, z)
	}
}

func TestLongestMatch(t *testing.T) {
	table := paths.New(paths.Options{})
	k := key("r1", "192.0.2.1")
	table.Update(k, paths.AdjInPre, announce(seq(64510), "0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24"), start)
	for asked, want := range map[string]string{"10.1.2.3/32": "10.1.2.0/24", "10.1.2.0/24": "10.1.2.0/24", "10.1.2.0/23": "10.1.0.0/16", "10.2.0.0/16": "10.0.0.0/8",
		"192.0.2.0/24": "0.0.0.0/0", "0.0.0.0/0": "0.0.0.0/0"} {
		got := table.Lookup(k, paths.AdjInPre, pfx(asked))
		if len(got) != 1 || got[0].Prefix != pfx(want) {
			t.Errorf("%s: %v, want %s", asked, got, want)
		}
	}
}

// TestLimits: a router that tells without end costs what was allowed, and is counted.
func TestLimits(t *testing.T) {
	table := paths.New(paths.Options{Limits: paths.Limits{Sessions: 2, Paths: 10}})
	for i := range byte(20) {
		table.Update(key("r1", fmt.Sprintf("192.0.2.%d", i%4)), paths.AdjInPre, announce(seq(64510), fmt.Sprintf("10.%d.0.0/16", i)), start)
	}
	v := table.View(start)
	if z := table.Size(); z.Paths != 10 || z.Sessions != 2 || v.Counted["session refused: there are too many"] == 0 || table.Note("x") != 1 || table.Note("x") != 2 {
		t.Errorf("%+v %v", z, v.Counted)
	}
	table = paths.New(paths.Options{})
	k := key("r1", "192.0.2.1")
	for i := range uint32(5000) {
		u := announce(seq(64510), "10.0.0.0/8")
		u.Announced[0].PathID = i + 1
		table.Update(k, paths.AdjInPre, u, start)
	}
	if z := table.Size(); z.Paths > 4096 || table.View(start).Counted["path refused: its prefix has too many"] == 0 {
		t.Errorf("%+v", z)
	}
}

// TestBaseline: a count is judged against what it usually is, and not by one good day.
func TestBaseline(t *testing.T) {
	table := two(defaultRoute)
	k := key("r1", "203.0.113.1")
	var all []string
	for i := range 200 {
		all = append(all, fmt.Sprintf("10.0.%d.0/24", i))
	}
	table.Update(k, paths.AdjInPre, announce(seq(64510), all...), start)
	table.Update(k, paths.AdjInPre, ended(), start)
	at := start
	for range 30 {
		at = at.Add(5 * time.Minute)
		table.Tick(at)
	}
	session := func() paths.SessionView { return table.View(at).Sessions[0] }
	if s := session(); s.Usual != 200 || s.Low || s.Empty {
		t.Errorf("%+v", s)
	}
	table.Update(k, paths.AdjInPre, withdraw(all[:20]...), at)
	if s := session(); s.Low {
		t.Errorf("a tenth is missing: %+v", s)
	}
	table.Update(k, paths.AdjInPre, withdraw(all[:60]...), at)
	if s := session(); !s.Low || s.Count != 140 {
		t.Errorf("three tenths are missing: %+v", s)
	}
}

// TestReconfigure: new sets are judged from the paths that are there.
func TestReconfigure(t *testing.T) {
	table := two(paths.Options{})
	table.Update(key("r1", "203.0.113.1"), paths.AdjInPre, announce(seq(64510, 64496), "198.51.100.0/24"), start)
	table.Reconfigure(paths.Options{Sets: []paths.Set{{Name: "x", Items: []paths.Item{{Prefix: pfx("198.51.100.0/22"), Longer: true}}}}})
	if v := item(t, table, start); v.Working != 1 || v.Prefixes != 1 || v.Worst != pfx("198.51.100.0/24") {
		t.Errorf("%+v", v)
	}
}

func FuzzCapture(f *testing.F) {
	f.Add([]byte("\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x01\x00\x00\x00"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		streams, err := paths.ReadCapture(bytes.NewReader(b))
		if err != nil {
			return
		}
		table := paths.New(paths.Options{})
		table.TakeCapture(streams)
		table.View(start).Snapshots(func(r string) string { return r })
	})
}

// TestShown: what routers print, in every form; a neighbour of two address families is one session.
func TestShown(t *testing.T) {
	frr := `{"default":{"ipv4Unicast":{"as":64500,"peers":{"192.0.2.1":{"remoteAs":64510,"state":"Established","pfxRcd":5,"pfxSnt":2}}},
		"ipv6Unicast":{"as":64500,"peers":{"192.0.2.1":{"remoteAs":64510,"state":"Established","pfxRcd":3},"192.0.2.2":{"remoteAs":64511,"state":"Idle (Admin)"}}}}}`
	eos := `{"vrfs":{"red":{"asn":"64500","peers":{"192.0.2.1":{"asn":"1.10","peerState":"Idle","peerStateIdleReason":"Admin"}}}}}`
	ios := "BGP router identifier 10.0.0.1, local AS number 64500\n\nNeighbor V AS MsgRcvd MsgSent TblVer InQ OutQ Up/Down State/PfxRcd\n" +
		"192.0.2.1 4 64510 1 2 3 0 0 1d 5\n2001:db8:1:1:1:1:1:1\n          4 64511 1 2 3 0 0 never Idle (Admin)\n"
	junos := `<bgp-information><bgp-peer><peer-address>192.0.2.1+179</peer-address><peer-as>64510</peer-as><local-as>64500</local-as><peer-state>Active</peer-state><flap-count>4</flap-count></bgp-peer></bgp-information>`
	for _, c := range []struct {
		name, page string
		want       string
	}{
		{"FRR", frr, "192.0.2.1 AS64510 up 8 0; 192.0.2.2 AS64511 admin-down 0 0"},
		{"EOS", eos, "192.0.2.1 AS65546 admin-down 0 0"},
		{"IOS", ios, "192.0.2.1 AS64510 up 5 0; 2001:db8:1:1:1:1:1:1 AS64511 admin-down 0 0"},
		{"Junos", junos, "192.0.2.1 AS64510 down 0 4"},
	} {
		table := paths.New(paths.Options{})
		if _, err := table.TakeShown("r", start, paths.Shown{Text: []byte(c.page)}); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var words []string
		for _, s := range table.View(start).Sessions {
			words = append(words, fmt.Sprintf("%s %s %s %d %d", s.Peer, s.PeerAS, s.State, s.Count, s.Flaps))
		}
		if got := strings.Join(words, "; "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for _, page := range []string{"", "{}", "<a/>", "hello", `{"peers":1}`} {
		if n, err := paths.New(paths.Options{}).TakeShown("r", start, paths.Shown{Text: []byte(page)}); err == nil {
			t.Errorf("%q: %d neighbours", page, n)
		}
	}
}

func FuzzShown(f *testing.F) {
	f.Add([]byte(`{"default":{"ipv4Unicast":{"as":64500,"peers":{"192.0.2.1":{"remoteAs":64510,"state":"Established","pfxRcd":5}}}}}`))
	f.Add([]byte("BGP router identifier 10.0.0.1, local AS number 64500\nNeighbor V AS MsgRcvd MsgSent TblVer InQ OutQ Up/Down State/PfxRcd\n192.0.2.1 4 64510 1 2 3 0 0 1d 5\n"))
	f.Add([]byte(`<bgp-information><bgp-peer><peer-address>192.0.2.1+179</peer-address></bgp-peer></bgp-information>`))
	f.Add([]byte(`{"TABLE_vrf":{"ROW_vrf":{"TABLE_af":{"ROW_af":{"TABLE_saf":{"ROW_saf":{"TABLE_neighbor":{"ROW_neighbor":{"neighborid":"192.0.2.1"}}}}}}}}}`))
	f.Fuzz(func(_ *testing.T, b []byte) {
		table := paths.New(paths.Options{})
		_, _ = table.TakeShown("r", start, paths.Shown{Text: b})
		table.View(start)
	})
}
