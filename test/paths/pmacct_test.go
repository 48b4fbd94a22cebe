package paths_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/bmp"
	"github.com/sparewatch/sparewatch/pkg/paths"
)

// pmacct reads what pmacct's collector logged of the same capture: one event for each session change, prefix or counter.
func pmacct(t *testing.T, file string) []facts {
	t.Helper()
	var all []facts
	for _, e := range values[obj](t, file) {
		if f := pmacctEvent(e); f != nil {
			all = append(all, f)
		}
	}
	return all
}

func pmacctEvent(e obj) facts {
	var f facts
	kind := str(e["bmp_msg_type"])
	peer := fmt.Sprintf("%s of %s at %s", kind, str(e["peer_ip"]), str(e["timestamp"]))
	switch kind {
	case "init":
		f.add("init %s %s", str(e["bmp_init_info_sysname"]), strings.TrimSpace(str(e["bmp_init_info_sysdescr"])))
	case "peer_up":
		f.add("%s AS %s local %s %s %s AS %s id %s", peer, str(e["peer_asn"]), str(e["local_ip"]), str(e["local_port"]), str(e["remote_port"]), str(e["local_as"]), str(e["bgp_id"]))
	case "peer_down":
		f.add("%s reason %s", peer, str(e["reason_type"]))
	case "stats":
		f.add("%s %s %s", peer, str(e["counter_type"]), str(e["counter_value"]))
	case "route_monitor":
		pmacctRoute(&f, e, peer)
	default:
		return nil
	}
	return f
}

func pmacctRoute(f *facts, e obj, peer string) {
	afi, _ := e["afi"].(json.Number).Int64()
	safi, _ := e["safi"].(json.Number).Int64()
	family := bgp.FamilyOf(uint16(afi), uint8(safi))
	prefix := masked(str(e["ip_prefix"]))
	switch str(e["log_type"]) {
	case "end-of-rib":
		f.add("%s end %s", peer, family)
	case "withdraw":
		f.add("%s withdraw %s %s rd %s", peer, family, prefix, pmacctRD(e["rd"]))
	default:
		path := str(e["as_path"])
		if l, ok := e["as_path"].([]any); ok {
			words := []string{}
			for _, w := range l {
				words = append(words, str(w))
			}
			path = strings.Join(words, " ")
		}
		if path == "-" {
			path = ""
		}
		origin := map[string]string{"i": "igp", "e": "egp", "u": "incomplete"}[str(e["origin"])]
		f.add("%s announce %s %s rd %s path %s origin %s via %s pref %s med %s", peer, family, prefix, pmacctRD(e["rd"]), path, origin, hopless(str(e["bgp_nexthop"])), zero(e["local_pref"]), zero(e["med"]))
	}
}

// hopless writes next hops in one form: pmacct's 0.0.0.0 stands for none too.
func hopless(s string) string {
	a, err := netip.ParseAddr(s)
	if err != nil || a.IsUnspecified() {
		return "none"
	}
	return a.Unmap().String()
}

// pmacctRD drops the leading type: "2:4226809946:12".
func pmacctRD(v any) string {
	s := str(v)
	if parts := strings.SplitN(s, ":", 2); len(parts) == 2 {
		return parts[1]
	}
	return "0:0"
}

// oursAsPmacct are our events in the same form.
func oursAsPmacct(t *testing.T, file string) []facts {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	streams, err := paths.ReadCapture(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	var all []facts
	for i := range streams {
		if !streams[i].IsBMP() {
			continue
		}
		r, d := bmp.NewReader(bytes.NewReader(streams[i].Data)), bmp.NewDecoder()
		for {
			b, err := r.Next()
			if err != nil {
				break
			}
			if m, err := d.Message(b); err == nil {
				all = append(all, events(m)...)
			}
		}
	}
	return all
}

func events(m *bmp.Message) []facts {
	var all []facts
	add := func(format string, args ...any) { all = append(all, facts{fmt.Sprintf(format, args...)}) }
	address := "0.0.0.0"
	if m.Peer.Address.IsValid() {
		address = m.Peer.Address.String()
	}
	at := "0.000000"
	if !m.Peer.At.IsZero() {
		at = fmt.Sprintf("%d.%06d", m.Peer.At.Unix(), m.Peer.At.Nanosecond()/1000)
	}
	rd := func(n bgp.NLRI) string {
		if n.SAFI != 128 { // pmacct gives a prefix the VRF of the peer that told of it
			n.RD = m.Peer.Distinguisher
		}
		return paths.RDString(n.RD)
	}
	peer := func(kind string) string { return fmt.Sprintf("%s of %s at %s", kind, address, at) }
	switch {
	case m.Info != nil:
		add("init %s %s", m.Info.SysName, m.Info.SysDescr)
	case m.Up != nil:
		add("%s AS %d local %s %d %d AS %d id %s", peer("peer_up"), uint32(m.Peer.AS), m.Up.Local, m.Up.LocalPort, m.Up.RemotePort, uint32(m.Up.Sent.AS), m.Peer.ID)
	case m.Down != nil:
		add("%s reason %d", peer("peer_down"), m.Down.Reason)
	case m.Type == bmp.StatisticsReport:
		for _, s := range m.Stats {
			add("%s %d %d", peer("stats"), s.Type, s.Value)
		}
	case m.Update != nil:
		u := m.Update
		for _, f := range u.Ended {
			add("%s end %s", peer("route_monitor"), f)
		}
		for _, n := range u.Withdrawn {
			add("%s withdraw %s %s rd %s", peer("route_monitor"), n.Family(), n.Prefix, rd(n))
		}
		for i, n := range u.Announced {
			hop := u.Attrs.NextHop
			if i >= u.Classic {
				hop = u.MPNextHop
			}
			add("%s announce %s %s rd %s path %s origin %s via %s pref %d med %d", peer("route_monitor"), n.Family(), n.Prefix, rd(n),
				u.Attrs.ASPath, u.Attrs.Origin, hopless(hop.String()), u.Attrs.LocalPref, u.Attrs.MED)
		}
	}
	return all
}
