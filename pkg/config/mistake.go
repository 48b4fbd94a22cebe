package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/spelling"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// Mistake is one thing that is wrong, where, and what to write instead.
type Mistake struct {
	File    string
	Line    int // 0: the whole file
	What    string
	Instead string
}

func (m Mistake) Error() string {
	s := m.File
	if m.Line > 0 {
		s = fmt.Sprintf("%s:%d", m.File, m.Line)
	}
	s += ": " + m.What
	if m.Instead != "" {
		s += "; " + m.Instead
	}
	return s
}

// Mistakes are all mistakes of one configuration, one a line, in the order of files and lines.
type Mistakes []Mistake

func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i := range m {
		lines[i] = m[i].Error()
	}
	return strings.Join(lines, "\n")
}

// maxMistakes is how many are listed: who has more has made one mistake many times. mostMistakes is how many are looked at.
const (
	maxMistakes  = 200
	mostMistakes = 20 * maxMistakes
)

// place is where something was written.
type place struct {
	file string
	line int
}

func (p place) position() topology.Position {
	return topology.Position(fmt.Sprintf("%s:%d", p.file, p.line))
}

func (p place) String() string { return string(p.position()) }

// book takes down mistakes and warnings; a mistake that is noted twice stands once.
type book struct {
	mistakes Mistakes
	seen     map[Mistake]bool
	more     int // mistakes beyond mostMistakes
	warnings []Mistake
}

func (b *book) wrong(at place, instead, format string, args ...any) {
	if len(b.mistakes) >= mostMistakes {
		b.more++
		return
	}
	m := Mistake{File: at.file, Line: at.line, What: fmt.Sprintf(format, args...), Instead: instead}
	if b.seen == nil {
		b.seen = map[Mistake]bool{}
	}
	if !b.seen[m] {
		b.seen[m] = true
		b.mistakes = append(b.mistakes, m)
	}
}

func (b *book) warn(at place, instead, format string, args ...any) {
	b.warnings = append(b.warnings, Mistake{File: at.file, Line: at.line, What: fmt.Sprintf(format, args...), Instead: instead})
}

// err is nil or the Mistakes, in order. order gives a file's rank.
func (b *book) err(order map[string]int) error {
	if len(b.mistakes) == 0 {
		return nil
	}
	inOrder(b.mistakes, order)
	if more := len(b.mistakes) - maxMistakes; more > 0 {
		more += b.more
		last := b.mistakes[maxMistakes-1]
		return append(b.mistakes[:maxMistakes:maxMistakes], Mistake{File: last.File, What: fmt.Sprintf("... and %d mistakes more", more)})
	}
	return b.mistakes
}

func (b *book) warningLines(order map[string]int) []string {
	inOrder(b.warnings, order)
	var lines []string
	for _, w := range b.warnings {
		if s := w.Error(); !slices.Contains(lines, s) {
			lines = append(lines, s)
		}
	}
	return lines
}

func inOrder(m []Mistake, order map[string]int) {
	slices.SortStableFunc(m, func(a, b Mistake) int {
		if a.File != b.File {
			return order[a.File] - order[b.File]
		}
		return a.Line - b.Line
	})
}

// didYouMean is "did you mean X?" for the nearest of the known words, or else otherwise.
func didYouMean(word string, known []string, otherwise string) string {
	if near := spelling.Nearest(word, known); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return otherwise
}

// oneOf is "a, b or c".
func oneOf(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
