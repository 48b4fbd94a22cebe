package web

import (
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
)

// tone is how grave something is. It chooses a colour, and never alone: a glyph and a word stand beside it.
type tone string

const (
	good    tone = "good"
	plain   tone = "plain"
	unsure  tone = "unknown"
	warning tone = "warn"
	bad     tone = "bad"
)

func stateTone(s engine.State) tone {
	switch s {
	case engine.Full:
		return good
	case engine.None:
		return plain
	case engine.Degraded:
		return warning
	case engine.Lost, engine.Insufficient:
		return bad
	}
	return unsure
}

func severityTone(s finding.Severity) tone {
	switch s {
	case finding.Critical, finding.Error:
		return bad
	case finding.Warning:
		return warning
	}
	return plain
}

func weight(t tone) int {
	return slices.Index([]tone{good, plain, unsure, warning, bad}, t)
}

func glyph(s engine.State) string {
	return [...]string{engine.StateUnknown: "?", engine.None: "–", engine.Full: "✓", engine.Degraded: "▲", engine.Lost: "!", engine.Insufficient: "✕"}[s]
}

// meaning is the state in words that need no manual.
func meaning(s engine.State) string {
	switch s {
	case engine.None:
		return "has no spare by design"
	case engine.Full:
		return "has all its spares"
	case engine.Degraded:
		return "has lost a spare and has some left"
	case engine.Lost:
		return "has no spare left: the next failure is an outage"
	case engine.Insufficient:
		return "has less than it needs"
	}
	return "cannot be judged now"
}

// ago is how long before now t was, as coarse as a person says it.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return component.Lasting(max(now.Sub(t), 0))
}

func took(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func count(n int, what string) string { return fmt.Sprintf("%d %s", n, plural(n, what, what+"s")) }

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// list joins names as in a sentence, and counts those that would make it too long.
func list(names []string) string {
	const shown = 3
	if rest := len(names) - shown; rest > 0 {
		return strings.Join(names[:shown], ", ") + fmt.Sprintf(" and %d more", rest)
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// digits is a number of spares for a narrow place.
func digits(n *int) string {
	switch {
	case n == nil:
		return "?"
	case *n < 0:
		return "down"
	}
	return strconv.Itoa(*n)
}

// icon is the mark of the window: a disc in the tone's colour, with its sign.
func icon(t tone) template.URL {
	look := map[tone][2]string{good: {"1b7a3d", "✓"}, plain: {"5b6270", "–"}, unsure: {"6a4fb3", "?"}, warning: {"a35200", "▲"}, bad: {"b3161b", "!"}}[t]
	svg := `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8" fill="#` + look[0] +
		`"/><text x="8" y="12" font-size="11" font-family="sans-serif" font-weight="700" text-anchor="middle" fill="#fff">` + look[1] + `</text></svg>`
	return template.URL("data:image/svg+xml," + url.PathEscape(svg)) //nolint:gosec // made of constants
}
