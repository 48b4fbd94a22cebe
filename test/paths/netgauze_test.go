package paths_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/bmp"
	"github.com/sparewatch/sparewatch/pkg/paths"
)

// obj is a JSON object of which only some fields matter.
type obj = map[string]any

// at follows field names into nested objects; nil where one is missing.
func at(v any, fields ...string) any {
	for _, f := range fields {
		m, ok := v.(obj)
		if !ok {
			return nil
		}
		v = m[f]
	}
	return v
}

func list(v any) []any { l, _ := v.([]any); return l }

// only is the one field of an object, with its value; a string stands for a field without one.
func only(v any) (string, any) {
	switch x := v.(type) {
	case string:
		return x, nil
	case obj:
		for k, inner := range x {
			return k, inner
		}
	}
	return "", nil
}

func str(v any) string {
	switch x := v.(type) {
	case nil:
		return "-"
	case json.Number:
		return x.String()
	case string:
		return x
	}
	return fmt.Sprint(v)
}

// facts are what a message says, a line each, sorted: equal messages have equal facts.
type facts []string

func (f *facts) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

func (f facts) String() string {
	slices.Sort(f)
	return strings.Join(f, "\n")
}

// netgauze reads the messages that NetGauze decoded, one JSON value a line.
func netgauze(t *testing.T, file string) []facts {
	t.Helper()
	var all []facts
	for _, v := range values[any](t, file) {
		all = append(all, gaugeMessage(v))
	}
	return all
}

// values reads a file of JSON values, one behind the other; numbers stay as they are written.
func values[T any](t *testing.T, file string) (all []T) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := json.NewDecoder(bufio.NewReader(f))
	d.UseNumber()
	for {
		var v T
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
}

func gaugeMessage(v any) facts {
	var f facts
	version, inner := only(v)
	if version != "V3" && version != "V4" {
		gaugeBGP(&f, v)
		return f
	}
	f.add("version %s", version[1:])
	kind, body := only(inner)
	f.add("type %s", kind)
	gaugePeer(&f, at(body, "peer_header"))
	switch kind {
	case "Initiation", "Termination":
		for _, i := range list(at(body, "information")) {
			k, v := only(i)
			f.add("%s %s", k, strings.TrimSpace(str(v)))
		}
	case "PeerUpNotification":
		f.add("local %s %s %s", str(at(body, "local_address")), zero(at(body, "local_port")), zero(at(body, "remote_port")))
		for _, side := range []string{"sent_message", "received_message"} {
			var open facts
			gaugeBGP(&open, at(body, side))
			for _, line := range open {
				f.add("%s %s", side, line)
			}
		}
		for _, i := range list(at(body, "information")) {
			k, v := only(i)
			f.add("%s %s", k, str(v))
		}
	case "PeerDownNotification":
		reason, _ := only(at(body, "reason"))
		f.add("reason %s", reason)
	case "StatisticsReport":
		for _, c := range list(at(body, "counters")) {
			gaugeCounter(&f, c)
		}
	case "RouteMonitoring":
		update := at(body, "update_message")
		if version == "V4" {
			_, update = only(at(body, "update_pdu", "value"))
		}
		gaugeBGP(&f, update)
		for _, tlv := range list(at(body, "tlvs")) {
			if k, v := only(at(tlv, "value")); k == "PathMarking" {
				f.add("path status %s %s", str(at(tlv, "index")), str(at(v, "path_status")))
			}
		}
	}
	return f
}

func zero(v any) string {
	if v == nil {
		return "0"
	}
	return str(v)
}

func gaugePeer(f *facts, p any) {
	if p == nil {
		return
	}
	kind, flags := only(at(p, "peer_type"))
	f.add("peer %s %s AS %s id %s rd %s", kind, str(at(p, "address")), str(at(p, "peer_as")), str(at(p, "bgp_id")), gaugeRD(at(p, "rd")))
	if kind == "LocRibInstancePeer" {
		f.add("filtered %v", at(flags, "filtered"))
	} else {
		f.add("post %v two-octet %v out %v", at(flags, "post_policy"), at(flags, "asn2"), at(flags, "adj_rib_out"))
	}
	f.add("at %s", when(str(at(p, "timestamp"))))
}

// when writes a time without trailing zeros.
func when(s string) string {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.Format(time.RFC3339Nano)
	}
	return s
}

func gaugeRD(v any) string {
	kind, x := only(v)
	switch kind {
	case "As2Administrator":
		return str(at(x, "asn2")) + ":" + str(at(x, "number"))
	case "As4Administrator":
		return str(at(x, "asn4")) + ":" + str(at(x, "number"))
	case "Ipv4Administrator":
		return str(at(x, "ip")) + ":" + str(at(x, "number"))
	}
	return "0:0"
}

var counterTypes = map[string]int{
	"NumberOfPrefixesRejectedByInboundPolicy": 0, "NumberOfDuplicatePrefixAdvertisements": 1, "NumberOfDuplicateWithdraws": 2,
	"NumberOfUpdatesInvalidatedDueToClusterListLoop": 3, "NumberOfUpdatesInvalidatedDueToAsPathLoop": 4, "NumberOfUpdatesInvalidatedDueToOriginatorId": 5,
	"NumberOfUpdatesInvalidatedDueToAsConfederationLoop": 6, "NumberOfRoutesInAdjRibIn": 7, "NumberOfRoutesInLocRib": 8,
	"NumberOfRoutesInPerAfiSafiAdjRibIn": 9, "NumberOfRoutesInPerAfiSafiLocRib": 10, "NumberOfUpdatesSubjectedToTreatAsWithdraw": 11,
}

func gaugeCounter(f *facts, c any) {
	k, v := only(c)
	if strings.HasPrefix(k, "Experimental") {
		return
	}
	value := str(v)
	if l, ok := v.([]any); ok && len(l) == 2 {
		value = str(l[1])
	} else if m, ok := v.(obj); ok {
		value = fmt.Sprint(m)
	}
	f.add("counter %d %s", counterTypes[k], value)
}

func gaugeBGP(f *facts, v any) {
	kind, body := only(v)
	switch kind {
	case "BgpUpdate":
		gaugeBGP(f, body)
	case "Open":
		gaugeOpen(f, body)
	case "Update":
		f.add("update")
		for _, n := range list(at(body, "withdrawn_routes")) {
			gaugeNLRI(f, "withdraw", n, "-")
		}
		hop := ""
		for _, a := range list(at(body, "path_attributes")) {
			k, v := only(at(a, "value"))
			if k == "NextHop" {
				hop = str(at(v, "next_hop"))
			}
			gaugeAttribute(f, k, v)
		}
		for _, n := range list(at(body, "nlri")) {
			gaugeNLRI(f, "announce", n, hop)
		}
		if len(list(at(body, "withdrawn_routes")))+len(list(at(body, "path_attributes")))+len(list(at(body, "nlri"))) == 0 {
			f.add("end ipv4-unicast")
		}
	case "KeepAlive", "Notification":
		f.add("%s", kind)
	}
}

func gaugeOpen(f *facts, body any) {
	as := str(at(body, "my_as"))
	var families, add []string
	four := false
	for _, p := range list(at(body, "params")) {
		_, caps := only(p)
		for _, c := range list(caps) {
			switch k, v := only(c); k {
			case "FourOctetAs":
				as, four = str(at(v, "asn4")), true
			case "MultiProtocolExtensions":
				families = append(families, familyName(str(at(v, "address_type"))))
			case "AddPath":
				for _, x := range list(at(v, "address_families")) {
					add = append(add, fmt.Sprintf("%s %v %v", familyName(str(at(x, "address_type"))), at(x, "send"), at(x, "receive")))
				}
			}
		}
	}
	slices.Sort(families)
	slices.Sort(add)
	f.add("open AS %s hold %s id %s four %v families %v add-path %v", as, str(at(body, "hold_time")), str(at(body, "bgp_id")), four, families, add)
}

var familyNames = map[string]bgp.Family{
	"Ipv4Unicast": bgp.IPv4Unicast, "Ipv6Unicast": bgp.IPv6Unicast, "Ipv4MplsLabeledVpn": bgp.IPv4VPN, "Ipv6MplsLabeledVpn": bgp.IPv6VPN,
	"Ipv4NlriMplsLabels": bgp.IPv4Labelled, "Ipv6NlriMplsLabels": bgp.IPv6Labelled, "Ipv4MplsVpnUnicast": bgp.IPv4VPN, "Ipv6MplsVpnUnicast": bgp.IPv6VPN,
	"Ipv4Multicast": bgp.FamilyOf(1, 2), "Ipv6Multicast": bgp.FamilyOf(2, 2), "L2VpnBgpEvpn": bgp.FamilyOf(25, 70), "BgpLs": bgp.FamilyOf(16388, 71),
	"Ipv4FlowSpecification": bgp.FamilyOf(1, 133), "Ipv6FlowSpecification": bgp.FamilyOf(2, 133), "RouteTargetConstrains": bgp.FamilyOf(1, 132),
}

func familyName(s string) string {
	if f, ok := familyNames[s]; ok {
		return f.String()
	}
	return s
}

func gaugeAttribute(f *facts, k string, v any) {
	switch k {
	case "Origin":
		f.add("origin %s", strings.ToLower(str(v)))
	case "AsPath":
		_, segments := only(v)
		f.add("path %s", gaugePath(list(segments)))
	case "MultiExitDiscriminator":
		f.add("med %s", str(at(v, "metric")))
	case "LocalPreference":
		f.add("local-pref %s", str(at(v, "metric")))
	case "Communities":
		var words []string
		for _, c := range list(at(v, "communities")) {
			words = append(words, str(c))
		}
		f.add("communities %s", strings.Join(words, " "))
	case "AtomicAggregate":
		f.add("atomic")
	case "MpReach":
		family, x := only(v)
		hop := at(x, "next_hop")
		if hop == nil {
			hop = at(x, "next_hop_global")
		}
		if _, inner := only(hop); inner != nil {
			hop = at(inner, "next_hop")
		}
		for _, n := range list(at(x, "nlri")) {
			gaugeNLRI(f, "announce "+familyName(family), n, str(hop))
		}
	case "MpUnreach":
		family, x := only(v)
		for _, n := range list(at(x, "nlri")) {
			gaugeNLRI(f, "withdraw "+familyName(family), n, "-")
		}
		if len(list(at(x, "nlri"))) == 0 {
			f.add("end %s", familyName(family))
		}
	}
}

func gaugePath(segments []any) string {
	var p bgp.Path
	types := map[string]bgp.SegmentType{"AsSequence": bgp.Sequence, "AsSet": bgp.Set, "AsConfedSequence": bgp.ConfedSequence, "AsConfedSet": bgp.ConfedSet}
	for _, s := range segments {
		seg := bgp.Segment{Type: types[str(at(s, "segment_type"))]}
		for _, n := range list(at(s, "as_numbers")) {
			i, _ := n.(json.Number).Int64()
			seg.ASNs = append(seg.ASNs, bgp.ASN(i))
		}
		p = append(p, seg)
	}
	return p.String()
}

func gaugeNLRI(f *facts, what string, n any, hop string) {
	if !strings.Contains(what, " ") {
		what += " ipv4-unicast"
	}
	network := at(n, "network")
	if network == nil {
		network = at(n, "prefix")
	}
	f.add("%s %s rd %s id %s via %s", what, masked(str(network)), gaugeRD(at(n, "rd")), zero(at(n, "path_id")), hop)
}

func masked(s string) string {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked().String()
	}
	return s
}

// ours are the messages as our decoders read them out of the capture's streams.
func ours(t *testing.T, file string) []facts {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	streams, err := paths.ReadCapture(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	var all []facts
	for i := range streams {
		s := &streams[i]
		switch {
		case s.IsBMP():
			all = append(all, oursBMP(t, s.Data)...)
		case s.IsBGP():
			all = append(all, oursBGP(t, s, streams)...)
		}
	}
	return all
}

func oursBMP(t *testing.T, data []byte) []facts {
	var all []facts
	r, d := bmp.NewReader(bytes.NewReader(data)), bmp.NewDecoder()
	for {
		b, err := r.Next()
		if err != nil {
			return all
		}
		m, err := d.Message(b)
		if err != nil {
			t.Logf("message: %v", err)
			continue
		}
		all = append(all, ourMessage(m))
	}
}

var typeNames = [...]string{"RouteMonitoring", "StatisticsReport", "PeerDownNotification", "PeerUpNotification", "Initiation", "Termination", "RouteMirroring"}
var peerNames = [...]string{"GlobalInstancePeer", "RdInstancePeer", "LocalInstancePeer", "LocRibInstancePeer"}
var downNames = map[uint8]string{1: "LocalSystemClosedNotificationPduFollows", 2: "LocalSystemClosedFsmEventFollows", 3: "RemoteSystemClosedNotificationPduFollows",
	4: "RemoteSystemClosedNoData", 5: "PeerDeConfigured", 6: "LocalSystemClosedTlvDataFollows"}

func ourMessage(m *bmp.Message) facts {
	var f facts
	f.add("version %d", m.Version)
	f.add("type %s", typeNames[m.Type])
	if m.Info == nil {
		p := m.Peer
		address := "-"
		if p.Address.IsValid() {
			address = p.Address.String()
		}
		f.add("peer %s %s AS %d id %s rd %s", peerNames[p.Type], address, uint32(p.AS), p.ID, paths.RDString(p.Distinguisher))
		if p.Type == bmp.LocRIBPeer {
			f.add("filtered %v", p.Filtered)
		} else {
			f.add("post %v two-octet %v out %v", p.PostPolicy, p.TwoOctet, p.AdjOut)
		}
		if p.At.IsZero() {
			f.add("at -")
		} else {
			f.add("at %s", p.At.Format(time.RFC3339Nano))
		}
	}
	switch {
	case m.Info != nil:
		if m.Info.SysDescr != "" {
			f.add("SystemDescription %s", m.Info.SysDescr)
		}
		if m.Info.SysName != "" {
			f.add("SystemName %s", m.Info.SysName)
		}
		for _, s := range m.Info.Text {
			f.add("String %s", s)
		}
	case m.Up != nil:
		local := "-"
		if m.Up.Local.IsValid() && (m.Peer.Type != bmp.LocRIBPeer || !m.Up.Local.IsUnspecified()) {
			local = m.Up.Local.String()
		}
		f.add("local %s %d %d", local, m.Up.LocalPort, m.Up.RemotePort)
		f.add("sent_message %s", ourOpen(m.Up.Sent))
		f.add("received_message %s", ourOpen(m.Up.Received))
		for _, s := range m.Up.Text {
			f.add("String %s", s)
		}
		if m.Up.Table != "" {
			f.add("VrfTableName %s", m.Up.Table)
		}
	case m.Down != nil:
		f.add("reason %s", downNames[m.Down.Reason])
	case m.Type == bmp.StatisticsReport:
		for _, s := range m.Stats {
			if s.Type < 65000 {
				f.add("counter %d %d", s.Type, s.Value)
			}
		}
	case m.Update != nil:
		ourUpdate(&f, m.Update)
		for _, s := range m.Status {
			f.add("path status %d %s", s.Index, bmp.StatusWords(s.Status))
		}
	}
	return f
}

func ourOpen(o bgp.Open) string {
	var families, add []string
	for _, x := range o.Families {
		families = append(families, x.String())
	}
	for x, v := range o.AddPath {
		add = append(add, fmt.Sprintf("%s %v %v", x, v&2 != 0, v&1 != 0))
	}
	slices.Sort(families)
	slices.Sort(add)
	return fmt.Sprintf("open AS %d hold %d id %s four %v families %v add-path %v", uint32(o.AS), o.Hold, o.ID, o.FourOctet, families, add)
}

func ourUpdate(f *facts, u *bgp.Update) {
	f.add("update")
	a := &u.Attrs
	for i, n := range u.Announced {
		hop := a.NextHop
		if i >= u.Classic {
			hop = u.MPNextHop
		}
		via := ""
		if hop.IsValid() {
			via = hop.String()
		}
		f.add("announce %s %s rd %s id %d via %s", n.Family(), n.Prefix, paths.RDString(n.RD), n.PathID, via)
	}
	for _, n := range u.Withdrawn {
		f.add("withdraw %s %s rd %s id %d via -", n.Family(), n.Prefix, paths.RDString(n.RD), n.PathID)
	}
	for _, x := range u.Ended {
		f.add("end %s", x)
	}
	if len(u.Announced) == 0 {
		return
	}
	f.add("origin %s", a.Origin)
	f.add("path %s", a.ASPath)
	if a.HasMED {
		f.add("med %d", a.MED)
	}
	if a.HasLocalPref {
		f.add("local-pref %d", a.LocalPref)
	}
	if len(a.Communities) > 0 {
		var words []string
		for _, c := range a.Communities {
			words = append(words, fmt.Sprint(c))
		}
		f.add("communities %s", strings.Join(words, " "))
	}
	if a.Atomic {
		f.add("atomic")
	}
}

// oursBGP reads a session's own messages. Path ids are as both OPENs agreed.
func oursBGP(t *testing.T, s *paths.Stream, all []paths.Stream) []facts {
	var out []facts
	o := bgp.Options{FourOctet: true}
	var d bgp.Decoder
	if mine, ok := open(s.Data); ok {
		for i := range all {
			if theirs, ok := open(all[i].Data); ok && all[i].From == s.To && all[i].To == s.From {
				o = bgp.Negotiated(mine, theirs)
			}
		}
	}
	for rest := s.Data; ; {
		kind, body, after, err := bgp.Cut(rest)
		if err != nil {
			return out
		}
		rest = after
		var f facts
		switch kind {
		case bgp.TypeOpen:
			x, err := bgp.ParseOpen(body)
			if err != nil {
				t.Log(err)
			}
			f.add("%s", ourOpen(x))
		case bgp.TypeUpdate:
			u, err := d.Update(body, o)
			if err != nil {
				t.Log(err)
				continue
			}
			ourUpdate(&f, u)
		case bgp.TypeKeepalive:
			f.add("KeepAlive")
		case bgp.TypeNotification:
			f.add("Notification")
		}
		out = append(out, f)
	}
}

func open(b []byte) (bgp.Open, bool) {
	kind, body, _, err := bgp.Cut(b)
	if err != nil || kind != bgp.TypeOpen {
		return bgp.Open{}, false
	}
	o, err := bgp.ParseOpen(body)
	return o, err == nil
}

// agree counts the messages that are equal, and gives a few that are not.
func agree(got, want []facts) (same int, more, less []string) {
	left := map[string]int{}
	for _, w := range want {
		left[w.String()]++
	}
	for _, g := range got {
		if s := g.String(); left[s] > 0 {
			left[s]--
			same++
		} else {
			more = append(more, s)
		}
	}
	for s, n := range left {
		for range n {
			less = append(less, s)
		}
	}
	slices.Sort(more)
	slices.Sort(less)
	return same, more, less
}
