package paths_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/collectors/snmp"
	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/paths"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// row is one line of the table: how many of an independent program's values we agree with.
type row struct {
	what, against              string
	agree, explained, of, ours int
	why                        string
}

// reasons say why values may differ: the recording, how many, and what it is. More than that many fail the test.
var reasons = map[string]struct {
	most int
	why  string
}{
	"206-BMP-high-availability/netgauze":                         {5, "FRR tells of its own routes from peer 0.0.0.0, which NetGauze leaves out (2); NetGauze refuses a BGP identifier of 0 (1) and two AS_PATHs of two-octet numbers without the A flag (2), which can be read all the same"},
	"bgpkit-rrc01-2000.11-updates.20001104.0124.gz/bgpdump here": {42, "state changes that a Zebra of 2000 wrote without their peer; bgpdump prints them for 0.0.0.0, we count them as cut short"},
	"mrtparse-bird_bgp.mrt/bgpdump here":                         {24, "BIRD wrote path ids before there was a subtype for them: bgpdump takes each id for a default route, we read the prefix behind it"},
	"show/napalm-ios-normal/napalm":                              {3, "NAPALM counts prefixes on a page that was printed seconds before the summary: 3142, 36387 and 629700 there, 3143, 36391 and 629783 here"},
	"206-BMP-high-availability/pmacct":                           {2, "two AS_PATHs of two-octet numbers without the A flag: pmacct shows none, we read AS 65000"},
}

// TestScore compares what we read in every recording of BGP with what others read in it. One table:
//
//	go test ./test/paths -run Score -v
func TestScore(t *testing.T) {
	root, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings: set SPAREWATCH_RECORDINGS to their folder")
	}
	var rows []row
	rows = append(rows, scoreMRT(t, root)...)
	rows = append(rows, scoreCaptures(t, root)...)
	rows = append(rows, scoreShown(t, root)...)
	rows = append(rows, scoreSNMP(t, root)...)
	total := row{}
	for _, r := range rows {
		t.Logf("%-58s %-9s %6d of %6d agree%s", r.what, r.against, r.agree, r.of, r.remark())
		total.agree, total.explained, total.of = total.agree+r.agree, total.explained+r.explained, total.of+r.of
		if r.agree+r.explained < r.of {
			t.Errorf("%s: %d values of %s differ without a reason", r.what, r.of-r.agree-r.explained, r.against)
		}
	}
	t.Logf("%d recordings: %d of %d values agree, %d explained", len(rows), total.agree, total.of, total.explained)
}

func (r row) remark() string {
	text := ""
	if r.explained > 0 {
		text += fmt.Sprintf("; %d explained: %s", r.explained, r.why)
	}
	if r.ours > r.of {
		text += fmt.Sprintf("; %d more read by us", r.ours-r.of)
	}
	return text
}

// score makes a row of two lists of facts, and logs a few that differ without a reason.
func score(t *testing.T, what, against string, got, want []facts) row {
	t.Helper()
	same, more, less := agree(got, want)
	r := row{what: what, against: against, agree: same, of: len(want), ours: len(got)}
	if reason, ok := reasons[what+"/"+against]; ok {
		r.explained, r.why = min(reason.most, len(less)), reason.why
	}
	if r.agree+r.explained < r.of {
		for i := range min(3, len(less)) {
			t.Logf("%s says:\n%s", against, less[i])
		}
		for i := range min(3, len(more)) {
			t.Logf("we say:\n%s", more[i])
		}
	}
	return r
}

func scoreMRT(t *testing.T, root string) []row {
	var rows []row
	files, _ := filepath.Glob(filepath.Join(root, "bgp", "mrt", "*.expected.bgp.gz"))
	for _, want := range files {
		file := strings.Replace(want, ".expected.bgp", "", 1)
		rows = append(rows, score(t, filepath.Base(file), "bgpdump", mrtFacts(t, file), expectedFacts(t, want)))
	}
	return append(rows, scoreHere(t, root)...)
}

// scoreHere compares with the bgpdump of this machine what nobody has written the values of.
func scoreHere(t *testing.T, root string) []row {
	bgpdump, err := exec.LookPath("bgpdump")
	if err != nil {
		t.Log("no bgpdump here (scripts/deps bgpdump installs it): the dump files without values beside them are not scored")
		return nil
	}
	var rows []row
	files, _ := filepath.Glob(filepath.Join(root, "bgp", "mrt", "*"))
	for _, file := range files {
		if _, err := os.Stat(strings.TrimSuffix(file, ".gz") + ".expected.bgp.gz"); err == nil || strings.Contains(file, ".expected.") {
			continue
		}
		out, err := exec.Command(bgpdump, "-m", file).Output()
		if err != nil {
			t.Logf("bgpdump %s: %v", filepath.Base(file), err)
		}
		rows = append(rows, score(t, filepath.Base(file), "bgpdump here", mrtFacts(t, file), each(strings.Split(strings.TrimSpace(string(out)), "\n"))))
	}
	return rows
}

func scoreCaptures(t *testing.T, root string) []row {
	var rows []row
	files, _ := filepath.Glob(filepath.Join(root, "bgp", "bmp", "*", "*.pcap"))
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		others, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*.json"))
		var events []facts // pmacct writes a file for each of its collectors
		for _, other := range others {
			if strings.HasPrefix(filepath.Base(other), "pmacct") {
				events = append(events, pmacct(t, other)...)
				continue
			}
			rows = append(rows, score(t, name, "netgauze", ours(t, file), netgauze(t, other)))
		}
		if len(events) > 0 {
			rows = append(rows, score(t, name, "pmacct", oursAsPmacct(t, file), events))
		}
	}
	return rows
}

// scoreSNMP compares the sessions of routers read by SNMP with LibreNMS's.
func scoreSNMP(t *testing.T, root string) []row {
	set, err := mibs.Load(snmp.Kinds(), mibs.Source{Name: "mibs/profiles", FS: mibs.Embedded()})
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	files, _ := filepath.Glob(filepath.Join(root, "snmp", "network", "*.expected.json"))
	for _, want := range files {
		var said struct {
			Peers []struct {
				Neighbour string `json:"bgpPeerIdentifier"`
				State     string `json:"bgpPeerState"`
				Admin     string `json:"bgpPeerAdminStatus"`
				AS        any    `json:"bgpPeerRemoteAs"`
			} `json:"bgp_peers"`
		}
		b, err := os.ReadFile(want)
		if err != nil || json.Unmarshal(b, &said) != nil {
			t.Fatalf("%s: %v", want, err)
		}
		recorded, _ := filepath.Glob(strings.TrimSuffix(want, ".expected.json") + ".snmp*")
		if len(said.Peers) == 0 || len(recorded) == 0 {
			continue
		}
		rec, err := recording.Load(recorded[0])
		if err != nil {
			t.Fatal(err)
		}
		trial, err := snmp.Try("r", set, rec.SNMP, "")
		if err != nil {
			t.Fatal(err)
		}
		r := row{what: filepath.Base(recorded[0]), against: "librenms", of: len(said.Peers)}
		for _, p := range said.Peers {
			state := component.Failed
			switch {
			case p.State == "established":
				state = component.OK
			case p.Admin == "stop" || p.Admin == "halted" || p.Admin == "adminShutdown":
				state = component.Absent
			}
			a, _ := netip.ParseAddr(p.Neighbour)
			i := slices.IndexFunc(trial.Snapshot.Components, func(c component.Component) bool {
				return c.ID == component.NewID("r", component.BGPSession, a.String())
			})
			if i >= 0 && trial.Snapshot.Components[i].Condition == state {
				r.agree++
			} else {
				t.Logf("%s: %s is %s, %s", r.what, p.Neighbour, p.State, p.Admin)
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// scoreShown compares what routers print of their neighbours with NAPALM's reading of it.
func scoreShown(t *testing.T, root string) []row {
	var rows []row
	files, _ := filepath.Glob(filepath.Join(root, "bgp", "show", "napalm-*", "expected_result.json"))
	for _, want := range files {
		dir := filepath.Dir(want)
		table := paths.New(paths.Options{})
		printed, _ := filepath.Glob(filepath.Join(dir, "*"))
		var pages []paths.Shown
		for _, f := range printed {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Base(f)
			if instance, junos := strings.CutPrefix(strings.TrimSuffix(name, ".xml"), "get-bgp-neighbor-information"); junos || strings.HasPrefix(name, "show") && strings.Contains(name, "summary") {
				pages = append(pages, paths.Shown{Text: b, VRF: map[bool]string{true: instance}[junos]})
			}
		}
		if _, err := table.TakeShown("r", clock, pages...); err != nil {
			t.Errorf("%s: %v", filepath.Base(dir), err)
		}
		rows = append(rows, scoreNapalm(t, filepath.Base(dir), want, table.View(clock)))
	}
	return rows
}

type napalmVRF struct {
	Peers map[string]struct {
		Up       bool  `json:"is_up"`
		Enabled  bool  `json:"is_enabled"`
		AS       int64 `json:"remote_as"`
		LocalAS  int64 `json:"local_as"`
		Families map[string]struct {
			Received int64 `json:"received_prefixes"`
		} `json:"address_family"`
	} `json:"peers"`
}

func scoreNapalm(t *testing.T, name, file string, v *paths.View) row {
	t.Helper()
	var want map[string]napalmVRF
	b, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(b, &want) != nil {
		t.Fatalf("%s: %v", file, err)
	}
	r := row{what: "show/" + name, against: "napalm"}
	for vrf, x := range want {
		for peer, p := range x.Peers {
			if vrf == "global" {
				vrf = ""
			}
			a, _ := netip.ParseAddr(peer)
			i := slices.IndexFunc(v.Sessions, func(s paths.SessionView) bool { return s.Peer == a && s.VRF == vrf })
			var got paths.SessionView
			if i >= 0 {
				got = v.Sessions[i]
			}
			check := func(what string, same bool) {
				r.of++
				if same && i >= 0 {
					r.agree++
				} else {
					t.Logf("%s: %s of %s@%s: NAPALM %+v, we %s %s %s", r.what, what, peer, vrf, p, got.ID, got.State, got.Reason)
					if got.Received != nil {
						t.Logf("  received %d", *got.Received)
					}
				}
			}
			check("up", p.Up == (got.State == paths.Up))
			check("enabled", p.Enabled == (got.State != paths.AdminDown))
			check("AS", p.AS == int64(got.PeerAS))
			check("local AS", p.LocalAS == int64(got.LocalAS))
			received := int64(0)
			for _, f := range p.Families {
				received += max(f.Received, 0)
			}
			if received > 0 {
				check("prefixes", got.Received != nil && int64(*got.Received) == received)
			}
		}
	}
	if reason, ok := reasons[r.what+"/napalm"]; ok {
		r.explained, r.why = min(reason.most, r.of-r.agree), reason.why
	}
	return r
}
