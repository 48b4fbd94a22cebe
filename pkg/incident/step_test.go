package incident_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/ledger"
)

// someFindings draws findings on a few subjects, which may hang under each other, under nothing or under what is not
// there.
func someFindings(t *rapid.T) []finding.Finding {
	var keys []finding.Key
	for _, rule := range []finding.Rule{finding.RedundancyLost, finding.RedundancyDegraded, finding.InputLost} {
		for n := range 4 {
			keys = append(keys, finding.KeyOf(rule, component.ID(fmt.Sprintf("s%d/psu/1", n))))
		}
	}
	var out []finding.Finding
	for _, k := range rapid.SliceOfDistinct(rapid.SampledFrom(keys), func(k finding.Key) finding.Key { return k }).Draw(t, "keys") {
		rule, subject, _ := strings.Cut(string(k), ":")
		f := finding.Finding{Key: k, Rule: finding.Rule(rule), Subject: component.ID(subject), Since: began,
			Severity: rapid.SampledFrom([]finding.Severity{finding.Info, finding.Warning, finding.Critical}).Draw(t, "severity")}
		if rapid.Bool().Draw(t, "under") {
			f.Under = rapid.SampledFrom(keys).Draw(t, "cause")
		}
		f.Pages = f.Under == "" && rapid.IntRange(0, 3).Draw(t, "pages") > 0
		out = append(out, f)
	}
	return out
}

// TestWhateverTheFindings checks what must hold after any step, whatever the engine says.
func TestWhateverTheFindings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fold, now := incident.NewFold(options), began
		var written []ledger.Record
		told, paged := map[incident.ID]string{}, map[finding.Key]bool{}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
			findings := someFindings(t)
			blind := rapid.IntRange(0, 5).Draw(t, "unsure") == 0
			unsure := func(finding.Key) bool { return blind }
			before := fold.Open()

			next, step := fold.Step(now, findings, unsure)
			if !reflect.DeepEqual(fold.Open(), before) {
				t.Fatalf("Step changed the fold that it was asked of")
			}
			slices.Reverse(findings)
			if _, other := fold.Step(now, findings, unsure); !sameChanges(step, other) {
				t.Fatalf("the order of the findings matters:\n%v\n%v", dump(step), dump(other))
			}
			if _, again := next.Step(now, findings, unsure); len(again.Changes)+len(again.Transitions) > 0 {
				t.Fatalf("the same look again brings %v", dump(again))
			}
			fold = next
			written = append(written, step.Records(intent)...)
			for _, c := range step.Changes {
				checkTold(t, told, c)
				for _, k := range c.Paging {
					paged[k] = true
				}
				if !c.Resolved.IsZero() {
					checkGood(t, before, fold.Open(), paged, c.ID, findings)
				}
			}
			checkOpen(t, fold.Open(), findings)
			maps.DeleteFunc(paged, func(k finding.Key, _ bool) bool { return holder(fold.Open(), k) == "" })
			if replayed := replay(t, written).Open(); !reflect.DeepEqual(replayed, fold.Open()) {
				t.Fatalf("after a restart\n%+v\nis open, not\n%+v", replayed, fold.Open())
			}
		}
		// When all is good for long enough, everything is resolved.
		for range 2 {
			var step incident.Step
			fold, step = fold.Step(now, nil, nil)
			for _, c := range step.Changes {
				checkTold(t, told, c)
			}
			now = now.Add(options.Hold)
		}
		for id, state := range told {
			if state != "resolved" {
				t.Errorf("%s is %s at the end", id, state)
			}
		}
		if open := fold.Open(); len(open) > 0 || !fold.Due().IsZero() {
			t.Errorf("%v are open at the end, due %v", open, fold.Due())
		}
	})
}

func intent(incident.Notice) ledger.Record { return ledger.Record{Kind: ledger.Intent} }

// checkTold checks that a receiver hears of an incident first that it is open and last, once, that it is over.
func checkTold(t *rapid.T, told map[incident.ID]string, c incident.Change) {
	n := c.Notice
	switch {
	case told[c.ID] == "resolved":
		t.Fatalf("%s changes after its end", c.ID)
	case c.What == incident.Opened && (n == nil || told[c.ID] != ""):
		t.Fatalf("%s opens untold or twice", c.ID)
	case c.What != incident.Opened && told[c.ID] == "":
		t.Fatalf("%s changes before it opens", c.ID)
	case !c.Resolved.IsZero() && (n == nil || !n.Incident.Resolved.Equal(c.Resolved)):
		t.Fatalf("%s is over untold", c.ID)
	}
	told[c.ID] = "open"
	if !c.Resolved.IsZero() {
		told[c.ID] = "resolved"
	}
	if n != nil && (n.Root.Key != n.Incident.Root || n.Findings[0].Key != n.Root.Key || n.Why == "" || n.Incident.Title == "") {
		t.Fatalf("the notice %+v does not begin with its root, or lacks words", n)
	}
}

// checkGood checks that what stands and has paged in an incident that is over is in another one now.
func checkGood(t *rapid.T, before, after []incident.Incident, paged map[finding.Key]bool, over incident.ID, findings []finding.Finding) {
	for _, f := range findings {
		if paged[f.Key] && holder(before, f.Key) == over && holder(after, f.Key) == "" {
			t.Fatalf("%s is over while %s stands", over, f.Key)
		}
	}
}

// holder is the incident that has the finding; empty: none.
func holder(open []incident.Incident, k finding.Key) incident.ID {
	for _, i := range open {
		if slices.Contains(i.Findings, k) {
			return i.ID
		}
	}
	return ""
}

// checkOpen checks that every finding that pages is in one open incident, and no finding in two.
func checkOpen(t *rapid.T, open []incident.Incident, findings []finding.Finding) {
	in := map[finding.Key]incident.ID{}
	for _, i := range open {
		for _, k := range i.Findings {
			if other, has := in[k]; has {
				t.Fatalf("%s is in %s and in %s", k, other, i.ID)
			}
			in[k] = i.ID
		}
	}
	for _, f := range findings {
		if _, has := in[f.Key]; f.Pages && !has {
			t.Fatalf("%s pages and is in no incident", f.Key)
		}
	}
}

func sameChanges(a, b incident.Step) bool {
	return reflect.DeepEqual(a.Changes, b.Changes) && len(a.Transitions) == len(b.Transitions)
}

func dump(s incident.Step) string {
	b, _ := json.MarshalIndent(s, "", " ") // for the eye only
	return string(b)
}

// A feed that is lost under a whole site must fit into the ledger's entries, the receiver's message and our patience.
func TestThousandsOfConsequencesAreWrittenInPieces(t *testing.T) {
	root := finding.Finding{Key: "provider-lost:ams1/feed/a", Rule: finding.ProviderLost, Subject: "ams1/feed/a", Severity: finding.Critical, Summary: strings.Repeat("é", 5000), Pages: true}
	for range 30 {
		root.Evidence = append(root.Evidence, strings.Repeat("x", 2000))
		root.Causes = append(root.Causes, finding.Cause{ID: "x/y/z", Why: strings.Repeat("y", 2000)})
		root.Impacts = append(root.Impacts, finding.Impact{Service: "ams1/service/web"})
	}
	findings := []finding.Finding{root}
	for n := range 3_000 {
		f := root
		f.Subject = component.ID(fmt.Sprintf("srv-with-a-long-name-%05d/group/psu", n))
		f.Key, f.Under, f.Pages = finding.KeyOf(finding.RedundancyLost, f.Subject), root.Key, false
		if n > 100 { // the others say as much as is sensible
			f.Summary, f.Evidence, f.Causes = "no input", nil, nil
		}
		findings = append(findings, f)
	}
	fold, step := incident.NewFold(options).Step(began, findings, nil)
	records := step.Records(func(n incident.Notice) ledger.Record { return ledger.Record{Kind: ledger.Intent, Body: n.Findings} })
	for _, r := range records {
		b, err := json.Marshal(r.Body)
		if err != nil || len(b) > 300_000 {
			t.Fatalf("a %s of %d bytes, %v", r.Kind, len(b), err)
		}
	}
	notice := step.Changes[0].Notice
	if n := len(notice.Findings); n != incident.MaxTold || notice.More != 3_001-incident.MaxTold {
		t.Errorf("the notice has %d findings and %d more", n, notice.More)
	}
	if open := replay(t, records).Open(); !reflect.DeepEqual(open, fold.Open()) || len(open[0].Findings) != 3_001 {
		t.Errorf("after a restart it is not the same incident")
	}
	if len(root.Evidence[0]) != 2000 {
		t.Error("the engine's finding was shortened, not its copy")
	}
}

func TestTransitions(t *testing.T) {
	at := func(lines ...string) []finding.Finding {
		var out []finding.Finding
		for _, l := range lines {
			out = append(out, parse(t, strings.Fields(l)))
		}
		return out
	}
	fold := incident.NewFold(options)
	var written []ledger.Record
	for _, c := range []struct {
		findings []finding.Finding
		unsure   bool
		want     string
	}{
		{at("input-lost:s1/psu/1 warning pages", "blind-spot:a/panel/1 info"), false, "opened input-lost:s1/psu/1, opened blind-spot:a/panel/1"},
		{at("blind-spot:a/panel/1 info", "input-lost:s1/psu/1 warning pages"), false, ""},
		{at("blind-spot:a/panel/1 info", "input-lost:s1/psu/1 error pages"), false, "changed input-lost:s1/psu/1"},
		{at("input-lost:s1/psu/1 error under provider-lost:p1/pdu/1"), true, "changed input-lost:s1/psu/1"},
		{at("input-lost:s1/psu/1 error under provider-lost:p1/pdu/1"), false, "resolved blind-spot:a/panel/1"},
		{nil, true, ""},
		{nil, false, "resolved input-lost:s1/psu/1"},
	} {
		next, step := fold.Step(began, c.findings, func(finding.Key) bool { return c.unsure })
		var got []string
		for _, tr := range step.Transitions {
			got = append(got, fmt.Sprintf("%s %s", tr.What, tr.Key))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("got %q, want %q", s, c.want)
		}
		fold = next
		written = append(written, step.Records(intent)...)
		// A restart at any time writes nothing twice.
		if _, again := replay(t, written).Step(began, c.findings, func(finding.Key) bool { return c.unsure }); len(again.Transitions) > 0 {
			t.Errorf("after a restart: %v", dump(again))
		}
	}
}

func TestTheNoticeIsTiedToItsChange(t *testing.T) {
	_, step := incident.NewFold(options).Step(began, []finding.Finding{parse(t, strings.Fields("input-lost:s1/psu/1 warning pages"))}, nil)
	var got []string
	for _, r := range step.Records(intent) {
		got = append(got, fmt.Sprintf("%s %t", r.Kind, r.Tied))
	}
	if s := strings.Join(got, ", "); s != "transition false, incident false, intent true" {
		t.Error(s)
	}
}

func TestAResolvedIncidentIsToldByItsKeyAfterARestart(t *testing.T) {
	first := incident.NewFold(options)
	_, step := first.Step(began, []finding.Finding{parse(t, strings.Fields("redundancy-lost:s1/group/psu error pages"))}, nil)
	fold, _ := replay(t, step.Records(intent)).Step(began, nil, nil)
	_, step = fold.Step(began.Add(time.Hour), nil, nil)
	n := step.Changes[0].Notice
	if n.Root.Rule != finding.RedundancyLost || n.Root.Subject != "s1/group/psu" || n.Root.Summary != "about redundancy-lost:s1/group/psu" || n.Root.Severity != finding.Error {
		t.Errorf("the notice's root is %+v", n.Root)
	}
}

func TestIDs(t *testing.T) {
	if got := incident.IDs("ams1")(began, 17); got != "ams1-20261122T030000Z-17" {
		t.Error(got)
	}
}

func TestReplayRefusesWhatIsNoChange(t *testing.T) {
	for _, k := range []ledger.Kind{ledger.Incident, ledger.Transition} {
		if err := incident.NewFold(options).Replay(ledger.Entry{Kind: k, Body: json.RawMessage(`[]`)}); err == nil {
			t.Errorf("a %s that is a list is taken", k)
		}
	}
}

func BenchmarkStepWithoutChange(b *testing.B) {
	var findings []finding.Finding
	for n := range 10_000 {
		subject := component.ID(fmt.Sprintf("srv-%d/group/psu", n))
		findings = append(findings, finding.Finding{Key: finding.KeyOf(finding.FalseRedundancy, subject), Subject: subject, Pages: n%100 == 0})
	}
	fold, _ := incident.NewFold(options).Step(began, findings, nil)
	for b.Loop() {
		if _, s := fold.Step(began, findings, nil); len(s.Changes) > 0 {
			b.Fatal(s)
		}
	}
}
