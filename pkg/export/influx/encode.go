package influx

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/export"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/state"
)

// View is what is known at one moment. It is not changed by anyone.
type View struct {
	Site    string
	Report  *engine.Report // nil: nothing was judged yet
	Devices []*state.Device
}

// Encoder turns views into lines, and remembers what was written so that nothing is written twice. One goroutine uses
// it.
type Encoder struct {
	parts    bool // components and readings too
	limit    int  // lines in a batch
	services map[component.ID]engine.State
	groups   map[component.ID]engine.State
	findings map[finding.Key]finding.Severity
	polled   map[source]time.Time // the newest word that was written

	out   lineprotocol.Encoder
	lines int
	put   func(body []byte, lines int) error
	err   error
}

// source is one target's word on one device.
type source struct{ device, target string }

// NewEncoder returns an encoder of batches of at most limit lines. With parts, components and their readings are
// written as often as they are polled.
func NewEncoder(limit int, parts bool) *Encoder {
	e := &Encoder{
		parts: parts, limit: limit, services: map[component.ID]engine.State{}, groups: map[component.ID]engine.State{},
		findings: map[finding.Key]finding.Severity{}, polled: map[source]time.Time{},
	}
	e.out.SetPrecision(lineprotocol.Nanosecond)
	e.out.SetLax(true) // our tags are in order and our names are valid
	return e
}

// Encode hands the lines of v in batches to put, until its first error. With all, everything is written; without, what
// is new since the last call: other states, findings that opened or closed, parts that were polled. A body is only put's
// until put returns.
func (e *Encoder) Encode(v View, all bool, put func(body []byte, lines int) error) error {
	e.put, e.err = put, nil
	if v.Report != nil {
		e.report(v, all)
	}
	for _, d := range v.Devices {
		if all {
			e.targets(v, d)
		}
		if e.parts {
			e.device(v.Site, d)
		}
	}
	e.flush()
	return e.err
}

func (e *Encoder) report(v View, all bool) {
	at := v.Report.At
	for i := range v.Report.Services {
		s := v.Report.Services[i]
		if was, known := e.services[s.ID]; all || !known || was != s.State {
			e.services[s.ID] = s.State
			e.service(v.Site, s, at)
		}
	}
	for i := range v.Report.Groups {
		g := v.Report.Groups[i]
		if was, known := e.groups[g.ID]; all || !known || was != g.State {
			e.groups[g.ID] = g.State
			e.group(v.Site, g, at)
		}
	}
	open := make(map[finding.Key]finding.Severity, len(v.Report.Findings))
	for i := range v.Report.Findings {
		f := &v.Report.Findings[i]
		open[f.Key] = f.Severity
		if was, known := e.findings[f.Key]; all || !known || was != f.Severity {
			e.finding(v.Site, f, at)
		}
	}
	for key := range e.findings {
		if _, still := open[key]; !still {
			e.closed(v.Site, key, at)
		}
	}
	e.findings = open
}

func (e *Encoder) service(site string, s *engine.Service, at time.Time) {
	e.out.StartLine("sparewatch_service")
	e.tag("service", s.Name)
	e.tag("site", site)
	e.count("predicted_spares", s.Predicted)
	e.count("spares", s.Spares)
	for _, d := range domains(s) {
		e.count("predicted_spares_"+string(d), s.By[d].Predicted)
		e.count("spares_"+string(d), s.By[d].Spares)
	}
	e.state(s.State)
	e.integer("tier", s.Tier)
	e.end(at)
}

func domains(s *engine.Service) []component.Domain {
	list := make([]component.Domain, 0, len(s.By))
	for d := range s.By {
		list = append(list, d)
	}
	slices.Sort(list)
	return list
}

func (e *Encoder) group(site string, g *engine.Group, at time.Time) {
	e.out.StartLine("sparewatch_group")
	e.tag("device", g.ID.Device())
	e.tag("group", string(g.ID))
	e.tag("kind", string(g.Kind))
	e.tag("site", site)
	if g.Designed > 0 {
		e.integer("designed", g.Designed)
	}
	if g.Needed > 0 {
		e.integer("needed", g.Needed)
	}
	e.count("predicted_spares", g.Predicted)
	e.count("spares", g.Spares)
	e.state(g.State)
	e.end(at)
}

func (e *Encoder) finding(site string, f *finding.Finding, at time.Time) {
	e.out.StartLine("sparewatch_finding")
	e.tag("rule", string(f.Rule))
	e.tag("site", site)
	e.tag("subject", string(f.Subject))
	e.boolean("open", true)
	e.boolean("root", f.Under == "")
	e.text("severity", f.Severity.String())
	e.integer("severity_code", int(f.Severity))
	e.text("summary", f.Summary)
	e.end(at)
}

func (e *Encoder) closed(site string, key finding.Key, at time.Time) {
	rule, subject := key.Parts()
	e.out.StartLine("sparewatch_finding")
	e.tag("rule", string(rule))
	e.tag("site", site)
	e.tag("subject", string(subject))
	e.boolean("open", false)
	e.end(at)
}

func (e *Encoder) targets(v View, d *state.Device) {
	at := time.Time{}
	if v.Report != nil {
		at = v.Report.At
	}
	for i := range d.Targets {
		t := &d.Targets[i]
		if t.LastTry.IsZero() || at.IsZero() {
			continue
		}
		e.out.StartLine("sparewatch_target")
		e.tag("device", d.Name)
		e.tag("site", v.Site)
		e.tag("target", t.URL)
		e.integer("missed", t.Missed)
		e.number("poll_seconds", t.Took.Seconds())
		e.boolean("silent", t.Silent)
		e.boolean("up", t.Missed == 0 && !t.LastGood.IsZero())
		e.end(at)
	}
}

// device writes the parts that were polled since they were written last, at the time of the poll.
func (e *Encoder) device(site string, d *state.Device) {
	newest := map[string]time.Time{}
	for i := range d.Parts {
		p := &d.Parts[i]
		if p.Kept || p.At.IsZero() || !p.At.After(e.polled[source{d.Name, p.Source}]) {
			continue
		}
		if p.At.After(newest[p.Source]) {
			newest[p.Source] = p.At
		}
		e.component(site, d, p)
		e.readings(site, d, p)
	}
	for target, at := range newest {
		e.polled[source{d.Name, target}] = at
	}
}

func (e *Encoder) component(site string, d *state.Device, p *state.Part) {
	e.out.StartLine("sparewatch_component")
	e.partTags(site, d, p, "")
	e.text("condition", p.Condition.String())
	e.integer("condition_code", int(p.Condition))
	e.boolean("input_lost", p.InputLost)
	e.boolean("predicted", p.Predicted)
	e.boolean("rebuilding", p.Rebuilding)
	e.boolean("standby", p.Standby)
	e.end(p.At)
}

// readings writes one line for each phase, with a field for each quantity. Values that are not known have no field.
func (e *Encoder) readings(site string, d *state.Device, p *state.Part) {
	for i, r := range p.Readings {
		if slices.ContainsFunc(p.Readings[:i], func(before component.Reading) bool { return before.Phase == r.Phase }) {
			continue
		}
		e.phase(site, d, p, r.Phase)
	}
}

func (e *Encoder) phase(site string, d *state.Device, p *state.Part, phase string) {
	begun := false
	var sent [8]string
	names := sent[:0]
	for _, r := range p.Readings {
		name, factor := export.Quantity(r)
		v := float64(r.Value) * factor
		if r.Phase != phase || math.IsNaN(v) || math.IsInf(v, 0) || slices.Contains(names, name) {
			continue
		}
		if !begun {
			e.out.StartLine("sparewatch_reading")
			e.partTags(site, d, p, phase)
			begun = true
		}
		names = append(names, name)
		e.number(name, v)
	}
	if begun {
		e.end(p.At)
	}
}

// partTags are the tags of a part; a tag without a value is left out.
func (e *Encoder) partTags(site string, d *state.Device, p *state.Part, phase string) {
	e.tag("component", string(p.ID))
	e.tag("device", d.Name)
	e.tag("kind", string(p.Kind))
	e.tag("phase", phase)
	e.tag("site", site)
}

func (e *Encoder) state(s engine.State) {
	e.text("state", s.String())
	e.integer("state_code", int(s))
}

// tag adds a tag. The format has no empty values, and none that ends in a backslash.
func (e *Encoder) tag(key, value string) {
	value = export.Line(value)
	for len(value) > 0 && value[len(value)-1] == '\\' {
		value = value[:len(value)-1]
	}
	if value != "" {
		e.out.AddTag(key, value)
	}
}

func (e *Encoder) text(key, value string) {
	v, ok := lineprotocol.StringValue(export.Line(value))
	if ok {
		e.out.AddField(key, v)
	}
}

func (e *Encoder) count(key string, n *int) {
	if n != nil {
		e.integer(key, *n)
	}
}

func (e *Encoder) integer(key string, n int)  { e.out.AddField(key, lineprotocol.IntValue(int64(n))) }
func (e *Encoder) boolean(key string, b bool) { e.out.AddField(key, lineprotocol.BoolValue(b)) }

// number adds a float. The caller has made sure that it is one.
func (e *Encoder) number(key string, f float64) {
	if v, ok := lineprotocol.FloatValue(f); ok {
		e.out.AddField(key, v)
	}
}

// end ends a line, and the batch where it is full.
func (e *Encoder) end(at time.Time) {
	e.out.EndLine(at)
	if err := e.out.Err(); err != nil && e.err == nil {
		e.err = fmt.Errorf("write a line: %w", err)
	}
	e.lines++
	if e.lines >= e.limit || len(e.out.Bytes()) > export.MaxBody-maxLine {
		e.flush()
	}
}

// maxLine is more than any line has: some ten texts of at most 1024 bytes, escaped.
const maxLine = 64 << 10

func (e *Encoder) flush() {
	if e.lines > 0 && e.err == nil {
		e.err = e.put(e.out.Bytes(), e.lines)
	}
	e.lines = 0
	e.out.Reset()
	e.out.ClearErr()
}
