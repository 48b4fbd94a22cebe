package incident

import (
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/finding"
)

// MaxTold is how many findings a Notice carries.
const MaxTold = 50

// Notice is what people are to be told of one incident: that it is open or has got worse, or, where Incident.Resolved
// is set, that it is over. It is bounded, whatever the engine has to say.
type Notice struct {
	At       time.Time
	Why      string // "opened", "severity raised from warning to critical", ...
	Incident Incident
	Root     finding.Finding   // where it is gone and the program was started since: only what its key tells
	Findings []finding.Finding // root first, then the worst consequences, shortened; at most MaxTold
	More     int               // findings left out
}

// bounds of what is written of one finding. An engine that says more than this has gone wrong; an entry or a page that
// cannot be sent because of it must not be the consequence.
type bounds struct {
	text  int // characters of each text
	lines int // of evidence, and causes
	uses  int // services
}

var (
	whole = bounds{text: 1000, lines: 20, uses: 50}
	small = bounds{text: 300, lines: 3, uses: 10} // a consequence in a notice
)

// of copies f within the bounds.
func (b bounds) of(f *finding.Finding) *finding.Finding {
	c := *f
	c.Summary, c.Remedy = cut(f.Summary, b.text), cut(f.Remedy, b.text)
	c.Causes, c.Evidence, c.Impacts = head(f.Causes, b.lines), head(f.Evidence, b.lines), head(f.Impacts, b.uses)
	for i := range c.Causes {
		c.Causes[i].Why = cut(c.Causes[i].Why, b.text)
	}
	for i := range c.Evidence {
		c.Evidence[i] = cut(c.Evidence[i], b.text)
	}
	return &c
}

// head copies the first n of s.
func head[T any](s []T, n int) []T {
	if s == nil {
		return nil
	}
	return append([]T{}, s[:min(n, len(s))]...)
}

// cut shortens s to n characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	at := 0 // characters so far
	keep := 0
	for i := range s {
		switch at {
		case n - 1:
			keep = i
		case n:
			return strings.TrimSpace(s[:keep]) + "…"
		}
		at++
	}
	return s
}

// fromKey is what is known of a finding by its key and its incident alone.
func fromKey(k finding.Key, i Incident) finding.Finding {
	rule, subject := parse(k)
	return finding.Finding{Key: k, Rule: rule, Subject: subject, Severity: i.Severity, Summary: i.Title, Since: i.Opened,
		Causes: []finding.Cause{}, Evidence: []string{}, Impacts: []finding.Impact{}, Pages: true}
}
