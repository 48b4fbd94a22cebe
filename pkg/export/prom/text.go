package prom

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sparewatch/sparewatch/pkg/export"
)

// text writes samples in Prometheus' text format, or in OpenMetrics'. It stands in for client_golang's registry and its
// encoder, which take a few microseconds and half a kilobyte for a sample: that is more than a second for the scrape
// of ten thousand devices, for checks that the tests make here.
type text struct {
	open     bool // OpenMetrics 1.0; else the text format 0.0.4
	families map[*export.Family]*bytes.Buffer
	scratch  []byte
}

func newText(open bool) *text {
	return &text{open: open, families: map[*export.Family]*bytes.Buffer{}}
}

// Add implements export.Sink. Samples of a family may come in pieces.
func (t *text) Add(f *export.Family, value float64, labels ...string) {
	t.AddWith(f, value, export.Exemplar{}, labels...)
}

// longestExemplar is how many characters the labels of an exemplar may have in OpenMetrics.
const longestExemplar = 128

// AddWith implements export.ExemplarSink. Only OpenMetrics has a place for exemplars.
func (t *text) AddWith(f *export.Family, value float64, e export.Exemplar, labels ...string) {
	b := t.families[f]
	if b == nil {
		b = &bytes.Buffer{}
		t.families[f] = b
	}
	line := append(t.scratch[:0], f.Name...)
	for i, name := range f.Labels {
		line = append(line, "{,"[min(i, 1)])
		line = append(line, name...)
		line = append(line, `="`...)
		line = appendLabel(line, labels[i])
		line = append(line, '"')
	}
	if len(f.Labels) > 0 {
		line = append(line, '}')
	}
	line = append(line, ' ')
	line = strconv.AppendFloat(line, value, 'g', -1, 64) // NaN, +Inf and -Inf are spelt as the formats want them
	if t.open && e.Label != "" && utf8.RuneCountInString(e.Label+e.Text) <= longestExemplar {
		line = append(line, " # {"+e.Label+`="`...)
		line = appendLabel(line, e.Text)
		line = append(line, `"} 1 `...)
		line = strconv.AppendFloat(line, seconds(e.At), 'f', 3, 64)
	}
	line = append(line, '\n')
	b.Write(line)
	t.scratch = line
}

// appendLabel adds a label's value, made safe and escaped.
func appendLabel(line []byte, value string) []byte {
	value = export.Text(value)
	for i := range len(value) {
		switch c := value[i]; c {
		case '\\', '"':
			line = append(line, '\\', c)
		case '\n':
			line = append(line, `\n`...)
		default:
			line = append(line, c)
		}
	}
	return line
}

// writeTo writes the families in the order of their names.
func (t *text) writeTo(w io.Writer) error {
	all := make([]*export.Family, 0, len(t.families))
	for f, b := range t.families {
		if b.Len() > 0 {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b *export.Family) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range all {
		if _, err := io.WriteString(w, t.head(f)); err != nil {
			return err
		}
		if _, err := w.Write(t.families[f].Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// reset makes room for the next answer.
func (t *text) reset() {
	for _, b := range t.families {
		b.Reset()
	}
}

var helpEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
var openEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func (t *text) head(f *export.Family) string {
	name, kind, help := f.Name, "gauge", helpEscapes.Replace(f.Help)
	switch f.Kind {
	case export.Counter:
		kind = "counter"
	case export.StateSet:
		if t.open {
			kind = "stateset"
		}
	}
	if t.open {
		help = openEscapes.Replace(f.Help)
		if f.Kind == export.Counter {
			name = strings.TrimSuffix(name, "_total")
		}
	}
	return "# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n"
}

var _ export.ExemplarSink = (*text)(nil)
