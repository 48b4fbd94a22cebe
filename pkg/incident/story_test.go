package incident_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/ledger"
)

// TestStories runs testdata/*.txt. In a story
//
//	at 30s [unsure]             is a look at the findings, so long after the beginning; unsure: absence counts for nothing
//	  RULE:SUBJECT SEVERITY [pages] [under KEY]     is one of the findings of that look
//	-> ...                      is what must come of it, all of it, in order
//	due 1m30s | never           is when the fold must want to be asked again
//	restart                     builds the fold anew from what was written to the ledger
//
// and other lines are prose. The hold is one minute; ids are the incidents' numbers.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { tell(t, file) })
	}
}

var (
	began   = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	options = incident.Options{Hold: time.Minute, NewID: func(_ time.Time, n int) incident.ID { return incident.ID(fmt.Sprint(n)) }}
)

// story is one at work.
type story struct {
	fold    *incident.Fold
	written []ledger.Record

	now      time.Time
	unsure   bool
	looking  bool
	findings []finding.Finding
	want     []string
	line     int // of the look
}

func tell(t *testing.T, file string) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := &story{fold: incident.NewFold(options)}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "at "):
			s.look(t)
			s.now, s.unsure, s.looking, s.line = began.Add(duration(t, words[1])), len(words) > 2, true, n
		case strings.HasPrefix(line, "  "):
			s.findings = append(s.findings, parse(t, words))
		case strings.HasPrefix(line, "-> "):
			s.want = append(s.want, strings.TrimPrefix(line, "-> "))
		case strings.HasPrefix(line, "due "):
			s.look(t)
			if got := due(s.fold.Due()); got != words[1] {
				t.Errorf("line %d: due %s, want %s", n, got, words[1])
			}
		case line == "restart":
			s.look(t)
			s.fold = replay(t, s.written)
		}
	}
	s.look(t)
}

// look takes the step that the lines before have set up.
func (s *story) look(t *testing.T) {
	t.Helper()
	if !s.looking {
		return
	}
	unsure := func(finding.Key) bool { return s.unsure }
	next, step := s.fold.Step(s.now, s.findings, unsure)
	var got []string
	for _, c := range step.Changes {
		got = append(got, describe(c))
	}
	if a, b := strings.Join(got, "\n-> "), strings.Join(s.want, "\n-> "); a != b {
		t.Errorf("line %d: got\n-> %s\nwant\n-> %s", s.line, a, b)
	}
	s.written = append(s.written, step.Records(func(incident.Notice) ledger.Record { return ledger.Record{Kind: ledger.Intent} })...)
	s.fold, s.findings, s.want, s.looking = next, nil, nil, false
}

func describe(c incident.Change) string {
	s := fmt.Sprintf("%s %s %s %s", c.What, c.ID, c.Severity, c.Root)
	if n := len(c.Added); n > 0 {
		s += fmt.Sprintf(" +%d", n)
	}
	if n := len(c.Removed); n > 0 {
		s += fmt.Sprintf(" -%d", n)
	}
	if n := len(c.Paging); n > 0 && c.What != incident.Opened {
		s += fmt.Sprintf(" %d paging", n)
	}
	if c.PartOf != "" {
		s += " part of " + string(c.PartOf)
	}
	if c.Notice != nil {
		s += " | told: " + c.Notice.Why
	}
	return s
}

// replay makes a fold of records as the ledger would have them.
func replay(t interface{ Fatal(...any) }, records []ledger.Record) *incident.Fold {
	f := incident.NewFold(options)
	for i, r := range records {
		body, err := json.Marshal(r.Body)
		if err == nil {
			err = f.Replay(ledger.Entry{Seq: uint64(i + 1), Kind: r.Kind, Body: body})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func parse(t *testing.T, words []string) finding.Finding {
	t.Helper()
	rule, subject, _ := strings.Cut(words[0], ":")
	f := finding.Finding{Key: finding.Key(words[0]), Rule: finding.Rule(rule), Subject: component.ID(subject), Summary: "about " + words[0], Since: began}
	if err := f.Severity.UnmarshalText([]byte(words[1])); err != nil {
		t.Fatal(err)
	}
	for i, w := range words[2:] {
		switch w {
		case "pages":
			f.Pages = true
		case "under":
			f.Under = finding.Key(words[2+i+1])
		}
	}
	return f
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func due(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	s := at.Sub(began).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = strings.TrimSuffix(s, zero[1:])
		}
	}
	return s
}
