// Package term says in a terminal what the program found out: tables and sentences for inspect, status, simulate, gate
// and the demo.
//
// The rules for talking to people: the first line is the answer; then what is wrong, then what is fine. A word stands
// for each state, and a sign beside it; colour only repeats them, and only on a terminal. Unknown is said, never left
// out. What a device said is printed without its control characters. Lines are not cut: a terminal wraps, and grep
// must find.
package term

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
)

// Options say how to print.
type Options struct {
	Colour bool // the output is a terminal
	All    bool // nothing is summed up
}

// Printer writes to one output. The first error of the output ends it; Err returns that.
type Printer struct {
	w   io.Writer
	o   Options
	err error
}

// New returns a printer.
func New(w io.Writer, o Options) *Printer { return &Printer{w: w, o: o} }

// Err is the first error of the output.
func (p *Printer) Err() error { return p.err }

// Line prints one line.
func (p *Printer) Line(format string, args ...any) {
	if p.err != nil {
		return
	}
	_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
}

// Heading prints an empty line and a title.
func (p *Printer) Heading(s string) { p.Line("\n%s", p.paint(strong, s)) }

// tone is how grave something is.
type tone uint8

const (
	normal tone = iota
	strong
	dim
	good
	unsure
	warning
	bad
)

var escapes = [...]string{normal: "", strong: "\x1b[1m", dim: "\x1b[2m", good: "\x1b[32m", unsure: "\x1b[35m", warning: "\x1b[33m", bad: "\x1b[1;31m"}

func (p *Printer) paint(t tone, s string) string {
	if !p.o.Colour || t == normal || s == "" {
		return s
	}
	return escapes[t] + s + "\x1b[0m"
}

// cell is one field of a row.
type cell struct {
	text string
	tone tone
}

func text(format string, args ...any) cell { return cell{text: fmt.Sprintf(format, args...)} }

// rows prints rows in columns, indented. The last cell of a row is not padded.
func (p *Printer) rows(rows [][]cell) {
	const gap = 2
	var widths []int
	for _, r := range rows {
		for i, c := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if i < len(r)-1 {
				widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
			}
		}
	}
	for _, r := range rows {
		var line strings.Builder
		line.WriteString("  ")
		last := len(r) - 1
		for last > 0 && r[last].text == "" {
			last--
		}
		for i, c := range r[:last+1] {
			line.WriteString(p.paint(c.tone, c.text))
			if i < last {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+gap))
			}
		}
		p.Line("%s", line.String())
	}
}

// clean takes control characters out of what a device said, so that it cannot move the cursor or fake lines.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, s)
}

// stateCell is a redundancy state with its sign.
func stateCell(s engine.State) cell {
	sign := [...]string{engine.StateUnknown: "?", engine.None: "-", engine.Full: "✓", engine.Degraded: "▲", engine.Lost: "!", engine.Insufficient: "✕"}
	tones := [...]tone{engine.StateUnknown: unsure, engine.None: normal, engine.Full: good, engine.Degraded: warning, engine.Lost: bad, engine.Insufficient: bad}
	if int(s) >= len(sign) {
		s = engine.StateUnknown
	}
	return cell{sign[s] + " " + s.String(), tones[s]}
}

// statusCell is a component's condition with its sign and what else is to be said.
func statusCell(s component.Status) cell {
	c := cell{"? unknown", unsure}
	switch s.Condition {
	case component.OK:
		c = cell{"✓ ok", good}
	case component.Impaired:
		c = cell{"▲ impaired", warning}
	case component.Failed:
		c = cell{"✕ failed", bad}
	case component.Absent:
		c = cell{"- absent", warning}
	}
	flag := func(set bool, word string, t tone) {
		if !set {
			return
		}
		c.text += ", " + word
		if t > c.tone {
			c.tone = t
			_, rest, _ := strings.Cut(c.text, " ")
			c.text = map[tone]string{warning: "▲", bad: "!"}[t] + " " + rest
		}
	}
	flag(s.InputLost, "input lost", bad)
	flag(s.Rebuilding, "rebuilding", warning)
	flag(s.Predicted, "will fail", warning)
	flag(s.Standby, "standby", normal)
	return c
}

func severityTone(s finding.Severity) tone {
	switch s {
	case finding.Critical, finding.Error:
		return bad
	case finding.Warning:
		return warning
	}
	return normal
}

// Count is "1 device" or "3 devices".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
