package snmp

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/conformance"
	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// The score compares what we read in every recorded device with values that others derived from it (LibreNMS's, in the
// .expected.json beside it), and with what testdata/score/*.txt says of it by hand. A difference fails the test unless
// testdata/score gives its reason.
//
//	go test ./collectors/snmp -run Score -v -class pdu            one class
//	go test ./collectors/snmp -run Score -v -only apc_ap8853      what we make of one recording, in full
var (
	scoreClass = flag.String("class", "", "score only this class: pdu, ups, ats, dc-power, network, server, storage")
	scoreOnly  = flag.String("only", "", "score only recordings whose name contains this, and print what was read")
)

var scoreClasses = []string{"pdu", "ups", "ats", "dc-power", "network", "server", "storage"}

// notScored are classes of LibreNMS sensors that say nothing of redundancy.
var notScored = []string{
	"count", "humidity", "dbm", "signal", "snr", "ber", "bitrate", "delay", "loss", "airflow", "dew_point", "waterflow", "pressure",
	"chromatic_dispersion", "quality_factor", "eer", "cooling", "temperature", "fanspeed", "frequency", "power_factor", "power_consumed",
	"percent", "tv_signal", "state",
}

func TestScore(t *testing.T) {
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings: set SPAREWATCH_RECORDINGS to their folder")
	}
	set, err := mibs.Load(Kinds(), mibs.Source{Name: "mibs/profiles", FS: mibs.Embedded()})
	if err != nil {
		t.Fatal(err)
	}
	notes := readScoreNotes(t, "testdata/score")
	for _, class := range scoreClasses {
		if *scoreClass != "" && *scoreClass != class {
			continue
		}
		t.Run(class, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(dir, "snmp", class, "*.snmp*"))
			if err != nil {
				t.Fatal(err)
			}
			var total tally
			for _, file := range files {
				name := "snmp/" + class + "/" + filepath.Base(file)
				if *scoreOnly != "" && !strings.Contains(name, *scoreOnly) {
					continue
				}
				got := scoreOne(t, set, file, name, notesFor(notes, name))
				t.Log(got.line(name))
				for _, line := range brief(got.lines, *scoreOnly != "") {
					t.Log("    " + line)
				}
				total.add(got)
			}
			t.Log(total.line(fmt.Sprintf("%s: %d recordings", class, len(files))))
			if total.differ > 0 {
				t.Errorf("%s: %d values differ without a reason in testdata/score", class, total.differ)
			}
		})
	}
	for name := range notes {
		if strings.HasSuffix(name, "*") {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Errorf("testdata/score speaks of %s, which is not there", name)
		}
	}
}

// brief shows one unread value of each column, with how many there are of it.
func brief(lines []string, all bool) []string {
	var out []string
	count := map[string]int{}
	at := map[string]int{}
	for _, line := range lines {
		words := strings.Fields(line)
		if all || words[0] != "unread:" {
			out = append(out, line)
			continue
		}
		column := words[1][:max(0, strings.LastIndexByte(words[1], '.'))]
		if count[column]++; count[column] == 1 {
			at[column] = len(out)
			out = append(out, line)
		}
	}
	for column, i := range at {
		if count[column] > 1 {
			out[i] += fmt.Sprintf(" (and %d more)", count[column]-1)
		}
	}
	return out
}

// tally counts how many of the independent values we agree with.
type tally struct {
	agree, explained, unread, differ int
	known                            int // recordings with a profile of their own
	lines                            []string
}

func (s *tally) add(o tally) {
	s.agree += o.agree
	s.explained += o.explained
	s.unread += o.unread
	s.differ += o.differ
	s.known += o.known
}

func (s tally) line(what string) string {
	all := s.agree + s.explained + s.unread + s.differ
	share := 100.0
	if all > 0 {
		share = 100 * float64(s.agree+s.explained) / float64(all)
	}
	return fmt.Sprintf("%-60s %5.1f %%  agree %d, explained %d, unread %d, differ %d, own profile %d", what, share, s.agree, s.explained, s.unread, s.differ, s.known)
}

// expected is the part of an .expected.json that is compared.
type expected struct {
	Device struct{ Hardware, Version string }
	States []struct {
		Descr, OID, Name, Label, Severity string
		Value                             any
	}
	Sensors []struct {
		Class, Descr, OID string
		Value             any
	}
	Peers []struct {
		Neighbour string `json:"bgpPeerIdentifier"`
		State     string `json:"bgpPeerState"`
		Admin     string `json:"bgpPeerAdminStatus"`
	} `json:"bgp_peers"`
}

func scoreOne(t *testing.T, set *mibs.Set, file, name string, note scoreNote) tally {
	t.Helper()
	rec, err := recording.Load(file)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return tally{}
	}
	trial, err := Try("dev", set, rec.SNMP, "")
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return tally{}
	}
	var s tally
	if slices.ContainsFunc(trial.Profiles, func(p *mibs.Profile) bool { return !p.Standard }) {
		s.known = 1
	} else if note.reasons["profile"] == "" {
		s.lines = append(s.lines, fmt.Sprintf("no profile: sysObjectID %s, sysDescr %.60q", trial.System.ObjectID, trial.System.Descr))
	}
	if *scoreOnly != "" {
		t.Log(describe(trial))
	}
	trial.Snapshot.Target, trial.Snapshot.At = "snmp://dev", time.Unix(1, 0)
	for _, fault := range conformance.Faults(collectors.Target{Device: "dev"}, trial.Snapshot) {
		s.differ++
		s.lines = append(s.lines, "malformed: "+fault)
	}
	s.check(trial, note)
	base := strings.TrimSuffix(strings.TrimSuffix(file, ".bz2"), filepath.Ext(strings.TrimSuffix(file, ".bz2")))
	if b, err := os.ReadFile(base + ".expected.json"); err == nil {
		var want expected
		if err := json.Unmarshal(b, &want); err != nil {
			return s // another program's form
		}
		s.compare(trial, want, note)
	}
	return s
}

func (s *tally) compare(trial *Trial, want expected, note scoreNote) {
	uses := map[string][]Use{}
	for _, u := range trial.Parsed.Uses {
		uses[u.OID] = append(uses[u.OID], u)
	}
	for _, st := range want.States {
		oid := strings.TrimPrefix(st.OID, ".")
		what := fmt.Sprintf("%s %s (%v %s, %s)", st.Name, st.Descr, st.Value, st.Label, st.Severity)
		if reason := note.reason(oid, st.Name, st.Descr); reason != "" {
			s.explained++
			continue
		}
		said := slices.DeleteFunc(slices.Clone(uses[oid]), func(u Use) bool { return u.Word == "" })
		switch {
		case len(said) == 0:
			s.unread++
			s.lines = append(s.lines, "unread: "+oid+" "+what)
		case slices.ContainsFunc(said, func(u Use) bool { return agrees(st.Severity, u) }):
			s.agree++
		default:
			s.differ++
			s.lines = append(s.lines, fmt.Sprintf("differs: %s %s: we say %s%s of %s", oid, what, said[0].Word, flagsOf(said[0]), said[0].Component))
		}
	}
	for _, p := range want.Peers {
		a, err := netip.ParseAddr(p.Neighbour)
		i := slices.IndexFunc(trial.Snapshot.Components, func(c component.Component) bool {
			_, local, _ := strings.Cut(string(c.ID), "/")
			return err == nil && local == "bgp_session/"+a.String()
		})
		want := component.Failed
		switch {
		case p.State == "established":
			want = component.OK
		case p.Admin == "stop" || p.Admin == "halted" || p.Admin == "adminShutdown":
			want = component.Absent
		}
		switch {
		case i < 0:
			s.unread++
			s.lines = append(s.lines, "unread: bgp."+p.Neighbour+" "+p.State)
		case trial.Snapshot.Components[i].Condition == want:
			s.agree++
		default:
			s.differ++
			s.lines = append(s.lines, fmt.Sprintf("differs: BGP session with %s is %s (%s): we say %s", p.Neighbour, p.State, p.Admin, trial.Snapshot.Components[i].Condition))
		}
	}
	for _, se := range want.Sensors {
		if slices.Contains(notScored, se.Class) {
			continue
		}
		oid := strings.TrimPrefix(se.OID, ".")
		value, ok := number(se.Value)
		what := fmt.Sprintf("%s %s = %v", se.Class, se.Descr, se.Value)
		if !ok || note.reason(oid, se.Class, se.Descr) != "" {
			s.explained++
			continue
		}
		if se.Class == "runtime" {
			value *= 60 // LibreNMS counts minutes
		}
		said := slices.DeleteFunc(slices.Clone(uses[oid]), func(u Use) bool { return u.Reading == "" })
		switch {
		case slices.ContainsFunc(said, func(u Use) bool { return near(u.Value, value) }):
			s.agree++
		case len(said) > 0:
			s.differ++
			s.lines = append(s.lines, fmt.Sprintf("differs: %s %s: we say %s = %g of %s", oid, what, said[0].Reading, said[0].Value, said[0].Component))
		case sameElsewhere(trial.Snapshot.Components, se.Class, value):
			s.agree++
		default:
			s.unread++
			s.lines = append(s.lines, "unread: "+oid+" "+what)
		}
	}
}

// agrees compares LibreNMS's severity with what we took the object to mean. Its "unknown" often stands for absent or
// off, its "warning" for whatever is not as it should be.
func agrees(severity string, u Use) bool {
	switch severity {
	case "ok":
		return u.Word == "ok" && !slices.Contains(u.Flags, "input_lost") || u.Word == "none" || u.Word == "full" || u.Word == "not-redundant"
	case "warning", "critical":
		return u.Word != "ok" && u.Word != "full" && u.Word != "unknown" || len(u.Flags) > 0
	default:
		return u.Word != "failed" && u.Word != "impaired"
	}
}

func flagsOf(u Use) string {
	if len(u.Flags) == 0 {
		return ""
	}
	return "+" + strings.Join(u.Flags, "+")
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case string:
		f, err := strconv.ParseFloat(v, 64)
		return f, err == nil
	}
	return 0, false
}

func near(a, b float64) bool { return math.Abs(a-b) <= 0.011*math.Max(math.Abs(a), math.Abs(b))+0.051 }

// sameElsewhere looks for the same quantity read from another object.
func sameElsewhere(cs []component.Component, class string, value float64) bool {
	unit := map[string][]string{"current": {"A"}, "voltage": {"V"}, "power": {"W", "VA"}, "load": {"%"}, "charge": {"%"}, "runtime": {"s"}}[class]
	for _, c := range cs {
		for _, r := range c.Readings {
			if slices.Contains(unit, r.Unit) && value != 0 && near(float64(r.Value), value) {
				return true
			}
		}
	}
	return false
}

// scoreNote is what testdata/score says of one recording.
type scoreNote struct {
	wants   [][]string
	reasons map[string]string // by OID, name of the state or sensor, or its description; a * at the end matches more
	order   []string
}

// notesFor joins a recording's notes with those for many ("== snmp/ups/*").
func notesFor(notes map[string]scoreNote, name string) scoreNote {
	out := scoreNote{reasons: map[string]string{}}
	for _, pattern := range slices.Sorted(maps.Keys(notes)) {
		prefix, open := strings.CutSuffix(pattern, "*")
		if pattern != name && !(open && strings.HasPrefix(name, prefix)) {
			continue
		}
		n := notes[pattern]
		out.wants = append(out.wants, n.wants...)
		out.order = append(out.order, n.order...)
		maps.Copy(out.reasons, n.reasons)
	}
	return out
}

func (n scoreNote) reason(keys ...string) string {
	for _, pattern := range n.order {
		prefix, open := strings.CutSuffix(pattern, "*")
		for _, k := range keys {
			k = strings.ReplaceAll(k, " ", "_")
			if k == pattern || open && strings.HasPrefix(k, prefix) {
				return n.reasons[pattern]
			}
		}
	}
	return ""
}

// readScoreNotes reads the files, each of which holds, after a line "== snmp/class/file" for each recording, or "== snmp/class/prefix*" for many:
//
//	device model AP8853             model, vendor, serial or firmware begins with
//	is pdu/1 ok                     condition and flags, joined with +
//	count outlet 24                 how many of a kind
//	reading pdu/1 power 1140        within one per cent; "reading pdu/1 power.L1 ..." for a phase
//	attribute ups/1 bypass true
//	link inlet/1 feeds bank/1
//	claim psu full 1 psu/1 psu/2    group, state (- for none), needed (- for any), members
//	except PATTERN reason           the independent value with this OID, name or description is wrong, or not wanted;
//	                                _ for a space, * at the end for anything. "except profile": the device has none
func readScoreNotes(t *testing.T, dir string) map[string]scoreNote {
	t.Helper()
	notes := map[string]scoreNote{}
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		name := ""
		sc := bufio.NewScanner(f)
		for line := 1; sc.Scan(); line++ {
			words := strings.Fields(sc.Text())
			switch {
			case len(words) == 0 || strings.HasPrefix(words[0], "#"):
			case words[0] == "==" && len(words) == 2:
				name = words[1]
				if notes[name].reasons == nil {
					notes[name] = scoreNote{reasons: map[string]string{}}
				}
			case name == "" || len(words) < 3:
				t.Fatalf("%s:%d: %q", file, line, sc.Text())
			case words[0] == "except":
				n := notes[name]
				n.reasons[words[1]] = strings.Join(words[2:], " ")
				n.order = append(n.order, words[1])
				notes[name] = n
			default:
				n := notes[name]
				n.wants = append(n.wants, append([]string{fmt.Sprintf("%s:%d", file, line)}, words...))
				notes[name] = n
			}
		}
		if err := sc.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return notes
}

// check holds the snapshot against the hand-written wants.
func (s *tally) check(trial *Trial, note scoreNote) {
	for _, w := range note.wants {
		if got := wanted(trial, w[1:]); got != "" {
			s.differ++
			s.lines = append(s.lines, fmt.Sprintf("differs: %s: %s: %s", w[0], strings.Join(w[1:], " "), got))
		} else {
			s.agree++
		}
	}
}

// wanted returns what stands in the place of what is wanted; "" where it is there.
func wanted(trial *Trial, w []string) string {
	snap := trial.Snapshot
	part := func(id string) *component.Component {
		i := slices.IndexFunc(snap.Components, func(c component.Component) bool { return string(c.ID) == "dev/"+id })
		if i < 0 {
			return nil
		}
		return &snap.Components[i]
	}
	var c *component.Component
	switch w[0] {
	case "is", "reading", "attribute":
		if c = part(w[1]); c == nil {
			return "there is no " + w[1]
		}
	}
	rest := strings.Join(w[2:], " ")
	switch w[0] {
	case "device":
		got := map[string]string{"vendor": snap.Device.Vendor, "model": snap.Device.Model, "serial": snap.Device.Serial, "firmware": snap.Device.Firmware}[w[1]]
		if !strings.HasPrefix(got, rest) || got == "" {
			return strconv.Quote(got)
		}
	case "is":
		if got := stateOf(c); got != rest {
			return got + " (" + c.Why + ")"
		}
	case "count":
		n := 0
		for _, c := range snap.Components {
			if string(c.Kind) == w[1] {
				n++
			}
		}
		if strconv.Itoa(n) != rest {
			return strconv.Itoa(n)
		}
	case "reading":
		name, phase, _ := strings.Cut(w[2], ".")
		want, _ := strconv.ParseFloat(w[3], 64)
		for _, r := range c.Readings {
			if r.Name == name && r.Phase == phase {
				if near(float64(r.Value), want) {
					return ""
				}
				return fmt.Sprint(r.Value)
			}
		}
		return "no such reading"
	case "attribute":
		if got := c.Attributes[w[2]]; got != strings.Join(w[3:], " ") {
			return strconv.Quote(got)
		}
	case "link":
		l := component.Link{From: component.ID("dev/" + w[1]), To: component.ID("dev/" + w[3]), Kind: component.LinkKind(w[2])}
		if !slices.Contains(snap.Links, l) {
			return "no such link"
		}
	case "claim":
		for _, cl := range snap.Claims {
			if string(cl.Group) != "dev/group/"+w[1] {
				continue
			}
			var members []string
			for _, m := range cl.Members {
				members = append(members, strings.TrimPrefix(string(m), "dev/"))
			}
			state := string(cl.State)
			if state == "" {
				state = "-"
			}
			got := []string{state, strconv.Itoa(cl.Needed)}
			if w[3] == "-" {
				got[1] = "-"
			}
			got = append(got, members...)
			if !slices.Equal(got, w[2:]) {
				return strings.Join(got, " ")
			}
			return ""
		}
		return "no such claim"
	default:
		return "what is " + w[0] + "?"
	}
	return ""
}

func stateOf(c *component.Component) string {
	s := c.Condition.String()
	for _, f := range []struct {
		on   bool
		name string
	}{{c.Predicted, "predicted"}, {c.Standby, "standby"}, {c.InputLost, "input_lost"}, {c.Rebuilding, "rebuilding"}} {
		if f.on {
			s += "+" + f.name
		}
	}
	return s
}

// describe prints a trial for a person.
func describe(trial *Trial) string {
	var b strings.Builder
	fmt.Fprintf(&b, "sysObjectID %s\nsysDescr %s\nprofiles", trial.System.ObjectID, trial.System.Descr)
	for _, p := range trial.Profiles {
		fmt.Fprintf(&b, " %s", p.Name)
	}
	d := trial.Snapshot.Device
	fmt.Fprintf(&b, "\ndevice vendor=%q model=%q serial=%q firmware=%q\n", d.Vendor, d.Model, d.Serial, d.Firmware)
	for _, c := range trial.Snapshot.Components {
		fmt.Fprintf(&b, "%-24s %-22s %q", strings.TrimPrefix(string(c.ID), "dev/"), stateOf(&c), c.Name)
		if c.Why != "" {
			fmt.Fprintf(&b, " (%s)", c.Why)
		}
		for _, k := range slices.Sorted(maps.Keys(c.Attributes)) {
			fmt.Fprintf(&b, " %s=%s", k, c.Attributes[k])
		}
		if c.Rating != nil {
			fmt.Fprintf(&b, " rating=%+v", *c.Rating)
		}
		for _, r := range c.Readings {
			fmt.Fprintf(&b, " %s%s=%g%s", r.Name, r.Phase, float64(r.Value), r.Unit)
		}
		b.WriteByte('\n')
	}
	for _, c := range trial.Snapshot.Claims {
		fmt.Fprintf(&b, "claim %s state=%s needed=%d designed=%d members=%v carries=%s raw=%v %s\n", c.Group, c.State, c.Needed, c.Designed, c.Members, c.Carries, c.Raw, c.Why)
	}
	for _, l := range trial.Snapshot.Links {
		fmt.Fprintf(&b, "link %s %s %s\n", strings.TrimPrefix(string(l.From), "dev/"), l.Kind, strings.TrimPrefix(string(l.To), "dev/"))
	}
	return b.String()
}
