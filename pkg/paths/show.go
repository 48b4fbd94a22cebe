package paths

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
)

// shown is one neighbour as a router prints it.
type shown struct {
	peer        netip.Addr
	vrf         string
	as, localAS bgp.ASN
	id          netip.Addr
	state       string
	admin       bool
	received    *uint64
	accepted    *uint64
	advertised  *uint64
	flaps, hold int
}

// Shown is one page that a router printed: the JSON of FRR, EOS or NX-OS (a summary of all VRFs), the XML of Junos (show
// bgp neighbor), or the text of IOS (show bgp all summary).
type Shown struct {
	Text []byte
	VRF  string // of which the page is, where it does not say so itself
}

// TakeShown takes in what a router prints of its neighbours. Pages for several address families are taken together. It
// returns how many neighbours there were; the error says that none of the pages is one of these.
func (t *Table) TakeShown(router string, at time.Time, pages ...Shown) (int, error) {
	var all []shown
	var wrong error
	for _, p := range pages {
		found, err := readShown(p.Text)
		if err != nil {
			wrong = err
		}
		for i := range found {
			found[i].vrf = cmp.Or(found[i].vrf, p.VRF)
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		return 0, cmp.Or(wrong, errNotShown)
	}
	for k, n := range together(all) {
		key := Key{Router: router, Peer: k.peer, RD: vrfNumber(k.vrf)}
		i := Info{PeerAS: n.as, LocalAS: n.localAS, PeerID: n.id, VRF: k.vrf, Hold: time.Duration(n.hold) * time.Second}
		switch {
		case strings.EqualFold(n.state, "established"):
			t.Up(key, i, at)
		case n.admin:
			t.Configured(key, i, true, at)
		default:
			t.Configured(key, i, false, at)
			t.Down(key, Reason{Text: strings.ToLower(cmp.Or(n.state, "no state was printed"))}, at)
		}
		if s := t.session(key); s != nil {
			s.flapped = max(s.flapped, n.flaps)
		}
		t.Count(key, Counters{Received: n.received, Accepted: n.accepted, Advertised: n.advertised}, at)
	}
	return len(together(all)), nil
}

// vrfNumber stands for a VRF of which only the name is known; 0 for the default one.
func vrfNumber(name string) uint64 {
	if name == "" {
		return 0
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return 0xffff<<48 | uint64(h.Sum32())
}

type shownKey struct {
	peer netip.Addr
	vrf  string
}

// together joins the entries of one neighbour for several address families: its prefixes are added up.
func together(all []shown) map[shownKey]shown {
	by := map[shownKey]shown{}
	for _, n := range all {
		if n.vrf == "default" || n.vrf == "global" || n.vrf == "master" {
			n.vrf = ""
		}
		k := shownKey{n.peer, n.vrf}
		was, known := by[k]
		if !known {
			by[k] = n
			continue
		}
		was.received, was.accepted, was.advertised = sum(was.received, n.received), sum(was.accepted, n.accepted), sum(was.advertised, n.advertised)
		if strings.EqualFold(n.state, "established") {
			was.state = n.state
		}
		by[k] = was
	}
	return by
}

func sum(a, b *uint64) *uint64 {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	v := *a + *b
	return &v
}

var errNotShown = errors.New("nothing that a router prints of its BGP neighbours")

// IsShown reports whether a file that begins so may be a page that TakeShown reads.
func IsShown(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return bytes.HasPrefix(b, []byte("{")) || bytes.HasPrefix(b, []byte("<")) || bytes.Contains(b, []byte("BGP router identifier"))
}

func readShown(b []byte) ([]shown, error) {
	b = bytes.TrimSpace(b)
	var all []shown
	switch {
	case bytes.HasPrefix(b, []byte("{")):
		var v map[string]any
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
		all = shownJSON(v)
	case bytes.HasPrefix(b, []byte("<")):
		var err error
		if all, err = shownJunos(b); err != nil {
			return nil, err
		}
	case bytes.Contains(b, []byte("State/PfxRcd")):
		all = shownText(b)
	}
	if len(all) == 0 {
		return nil, errNotShown
	}
	return all, nil
}

// shownJSON finds the neighbours in a summary, whoever printed it.
func shownJSON(v map[string]any) []shown {
	var all []shown
	if vrfs, ok := v["vrfs"].(map[string]any); ok { // EOS
		for _, name := range slices.Sorted(maps.Keys(vrfs)) {
			if vrf, ok := vrfs[name].(map[string]any); ok {
				all = append(all, peersOf(name, field(vrf, "asn"), vrf["peers"])...)
			}
		}
		return all
	}
	if _, ok := v["TABLE_vrf"]; ok { // NX-OS
		return shownNexus(v)
	}
	for _, name := range slices.Sorted(maps.Keys(v)) { // FRR: VRF, then family; or family alone
		one, ok := v[name].(map[string]any)
		if !ok {
			continue
		}
		if _, ok := one["peers"]; ok {
			all = append(all, peersOf("", field(one, "as"), one["peers"])...)
			continue
		}
		for _, family := range slices.Sorted(maps.Keys(one)) {
			if f, ok := one[family].(map[string]any); ok {
				all = append(all, peersOf(name, field(f, "as"), f["peers"])...)
			}
		}
	}
	return all
}

// field is the first of these fields that is there, as text.
func field(m map[string]any, names ...string) string {
	for _, n := range names {
		switch x := m[n].(type) {
		case json.Number:
			return x.String()
		case string:
			return x
		case bool:
			return strconv.FormatBool(x)
		}
	}
	return ""
}

func peersOf(vrf, localAS string, v any) []shown {
	peers, _ := v.(map[string]any)
	var all []shown
	for _, name := range slices.Sorted(maps.Keys(peers)) {
		p, ok := peers[name].(map[string]any)
		a, err := netip.ParseAddr(name)
		if !ok || err != nil {
			continue
		}
		reason := field(p, "peerStateIdleReason", "idleReason")
		n := shown{peer: a, vrf: vrf, as: asOf(field(p, "remoteAs", "asn")), localAS: asOf(cmp.Or(field(p, "localAs"), localAS)), state: field(p, "state", "peerState")}
		n.admin = strings.Contains(n.state, "Admin") || strings.EqualFold(reason, "Admin")
		n.received, n.accepted, n.advertised = number64(field(p, "pfxRcd", "prefixReceivedCount", "prefixReceived")), number64(field(p, "prefixAccepted")), number64(field(p, "pfxSnt"))
		all = append(all, n)
	}
	return all
}

// asOf reads an AS number in the plain or the dotted form (RFC 5396).
func asOf(s string) bgp.ASN {
	high, low, dotted := strings.Cut(s, ".")
	if !dotted {
		n, _ := strconv.ParseUint(s, 10, 32)
		return bgp.ASN(n)
	}
	h, err1 := strconv.ParseUint(high, 10, 16)
	l, err2 := strconv.ParseUint(low, 10, 16)
	if err1 != nil || err2 != nil {
		return 0
	}
	return bgp.ASN(h<<16 | l)
}

func number64(s string) *uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// shownNexus reads NX-OS's nesting, in which a list of one is no list.
func shownNexus(v map[string]any) []shown {
	rows := func(v any, table, row string) []map[string]any {
		m, _ := v.(map[string]any)
		t, _ := m[table].(map[string]any)
		switch x := t[row].(type) {
		case map[string]any:
			return []map[string]any{x}
		case []any:
			var all []map[string]any
			for _, r := range x {
				if r, ok := r.(map[string]any); ok {
					all = append(all, r)
				}
			}
			return all
		}
		return nil
	}
	var all []shown
	for _, vrf := range rows(v, "TABLE_vrf", "ROW_vrf") {
		for _, af := range rows(vrf, "TABLE_af", "ROW_af") {
			for _, saf := range rows(af, "TABLE_saf", "ROW_saf") {
				for _, p := range rows(saf, "TABLE_neighbor", "ROW_neighbor") {
					a, err := netip.ParseAddr(field(p, "neighborid"))
					if err != nil {
						continue
					}
					n := shown{peer: a, vrf: field(vrf, "vrf-name-out"), as: asOf(field(p, "neighboras")), localAS: asOf(field(vrf, "vrf-local-as")), state: field(p, "state"), received: number64(field(p, "prefixreceived"))}
					n.admin = strings.Contains(n.state, "Admin") || strings.EqualFold(n.state, "Shut (Admin)")
					all = append(all, n)
				}
			}
		}
	}
	return all
}

// junosPeer is a bgp-peer of Junos' "show bgp neighbor".
type junosPeer struct {
	Address    string `xml:"peer-address"`
	AS         string `xml:"peer-as"`
	LocalAS    string `xml:"local-as"`
	ID         string `xml:"peer-id"`
	State      string `xml:"peer-state"`
	Options    string `xml:"bgp-option-information>bgp-options"`
	Extended   string `xml:"bgp-option-information>bgp-options-extended"`
	RoutingVRF string `xml:"peer-fwd-rti"`
	ConfigVRF  string `xml:"peer-cfg-rti"`
	Flaps      int    `xml:"flap-count"`
	Hold       int    `xml:"active-holdtime"`
	RIBs       []struct {
		Name       string `xml:"name"`
		Received   string `xml:"received-prefix-count"`
		Accepted   string `xml:"accepted-prefix-count"`
		Advertised string `xml:"advertised-prefix-count"`
	} `xml:"bgp-rib"`
}

func shownJunos(b []byte) ([]shown, error) {
	d := xml.NewDecoder(bytes.NewReader(b))
	d.Strict = false
	var all []shown
	for {
		token, err := d.Token()
		if err != nil {
			if len(all) > 0 {
				return all, nil
			}
			return nil, errNotShown
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "bgp-peer" {
			continue
		}
		var p junosPeer
		if err := d.DecodeElement(&p, &start); err != nil {
			return nil, err
		}
		address, _, _ := strings.Cut(strings.TrimSpace(p.Address), "+") // the port follows
		a, err := netip.ParseAddr(address)
		if err != nil {
			continue
		}
		id, _ := netip.ParseAddr(strings.TrimSpace(p.ID))
		n := shown{peer: a, vrf: strings.TrimSpace(cmp.Or(p.ConfigVRF, p.RoutingVRF)), as: asOf(strings.TrimSpace(p.AS)), localAS: asOf(strings.TrimSpace(p.LocalAS)),
			id: id, state: strings.TrimSpace(p.State), flaps: p.Flaps, hold: p.Hold, admin: slices.Contains(strings.Fields(p.Options+" "+p.Extended), "Shutdown")}
		for _, r := range p.RIBs {
			n.received, n.accepted, n.advertised = sum(n.received, number64(strings.TrimSpace(r.Received))), sum(n.accepted, number64(strings.TrimSpace(r.Accepted))), sum(n.advertised, number64(strings.TrimSpace(r.Advertised)))
		}
		all = append(all, n)
	}
}

// shownText reads the table of "show bgp all summary". A neighbour whose address is long has a line of its own before its
// columns.
func shownText(b []byte) []shown {
	var all []shown
	var local bgp.ASN
	address := ""
	inTable := false
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		words := strings.Fields(s.Text())
		switch {
		case strings.Contains(s.Text(), "local AS number"):
			local = asOf(words[len(words)-1])
		case strings.Contains(s.Text(), "State/PfxRcd"):
			inTable = true
		case len(words) == 0:
			inTable = false
		case inTable && len(words) == 1:
			address = words[0]
		case inTable:
			if address == "" {
				address, words = words[0], words[1:]
			}
			a, err := netip.ParseAddr(strings.TrimPrefix(address, "*"))
			address = ""
			if err != nil || len(words) < 9 {
				continue
			}
			n := shown{peer: a, as: asOf(words[1]), localAS: local, state: strings.Join(words[8:], " ")}
			if n.received = number64(n.state); n.received != nil {
				n.state = "established"
			}
			n.admin = strings.Contains(n.state, "Admin")
			all = append(all, n)
		}
	}
	return all
}
