// Package prom gives the state of redundancy as Prometheus metrics (docs/metrics.md).
//
// Everything is answered from one View, an immutable picture that the daemon has in memory: a scrape dials nothing,
// waits for no poll, and holds no lock that a poll needs. Unknown numbers are NaN and never 0; enumerations are
// OpenMetrics state sets with explicit zeros; nothing disappears because it failed.
//
//	/metrics         Handler: services, groups, findings, targets, the daemon itself
//	/probe?target=   Probe: the components and readings of one device, by its name or one of its URLs
//	/sd              Discovery: the devices, for Prometheus' http_sd_configs
//
// What a scrape of /metrics costs, in series: 19 a service with all five domains, 9 a redundancy group, 4 a target,
// 8 a kind of component that was ever seen, 4 counts a rule, and one for each open finding that stands by itself,
// at most MaxFindings. Components and readings are on /probe alone.
package prom

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/export"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/state"
)

// MaxFindings bounds the series of sparewatch_finding_open. The gravest are shown; sparewatch_findings counts all.
const MaxFindings = 1000

// Overall is the value of the label domain where components of every domain may fail.
const Overall = "overall"

// View is the picture that one scrape shows. Its values are not changed by anyone.
type View struct {
	Report  *engine.Report  // nil: nothing was judged yet
	Devices []*state.Device // sorted by name
	Daemon  Daemon
}

// Source gives the present view; it is called once a scrape, from any goroutine, and must not block.
type Source func() View

var (
	service = []string{"service", "domain"}
	group   = []string{"group", "kind"}
	target  = []string{"device", "target"}

	serviceSpares    = desc("service_spares", "Further independent failures, of components of the domain, that the service survives; -1: it is down.", service...)
	servicePredicted = desc("service_predicted_spares", "As service_spares, were everything that says it will fail already gone.", service...)
	serviceState     = desc(serviceStateName, "Redundancy state of the service.", "service", prefix+serviceStateName)
	groupState       = desc(groupStateName, "Redundancy state of the group.", append(slices.Clone(group), prefix+groupStateName)...)
	groupSpares      = desc("group_spares", "Further failures of members that the group survives; -1: it has fewer than it needs.", group...)
	groupNeeded      = desc("group_needed", "Members that must work.", group...)
	groupDesigned    = desc("group_designed", "Members that belong to the whole group.", group...)
	componentNotOK   = desc("component_not_ok", "Components that are not ok, each counted once under its gravest condition.", "kind", "condition")
	findingOpen      = fleeting(desc("finding_open", "1 for each open finding that is no consequence of another; the gravest 1000.", "rule", "severity", "subject"))
	findings         = desc("findings", "Open findings, consequences included.", "rule", "severity")
	targetUp         = desc("target_up", "1 if the last poll of the target was answered, 0 if it was not.", target...)
	targetSilent     = desc("target_silent", "1 if the target has missed so many polls that its last word is no longer taken for the present.", target...)
	targetDuration   = desc("target_poll_duration_seconds", "How long the last poll of the target took.", target...)
	targetLast       = desc("target_last_success_timestamp_seconds", "When the target last answered.", target...)
)

const (
	prefix           = "sparewatch_"
	serviceStateName = "service_redundancy_state"
	groupStateName   = "group_redundancy_state"
)

// desc describes a family. A name in _total is a counter's; a label that bears the family's name makes a state set.
func desc(name, help string, labels ...string) *export.Family {
	f := &export.Family{Name: prefix + name, Help: help, Labels: labels}
	switch {
	case strings.HasSuffix(name, "_total"):
		f.Kind = export.Counter
	case slices.Contains(labels, f.Name):
		f.Kind = export.StateSet
	}
	return f
}

func fleeting(f *export.Family) *export.Family {
	f.Fleeting = true
	return f
}

// Collect gives the metrics of a view to a sink: those of /metrics.
func Collect(v View, to export.Sink) {
	out := sink{to}
	if v.Report != nil {
		out.services(v.Report.Services)
		out.groups(v.Report.Groups)
		out.findings(v.Report.Findings)
		out.capacity(&v.Report.Capacity)
	}
	out.components(v.Devices)
	out.targets(v.Devices)
	out.daemon(v)
}

// sink turns facts into samples.
type sink struct{ to export.Sink }

func (s sink) gauge(f *export.Family, value float64, labels ...string) { s.to.Add(f, value, labels...) }

func (s sink) counter(f *export.Family, value float64, labels ...string) {
	s.to.Add(f, value, labels...)
}

// counterWith sends an exemplar too, where there is one and the sink has a place for it.
func (s sink) counterWith(f *export.Family, value float64, e export.Exemplar) {
	if with, ok := s.to.(export.ExemplarSink); ok && e.Text != "" {
		with.AddWith(f, value, e)
		return
	}
	s.to.Add(f, value)
}

// stateSet sends one sample a state, 1 for the present one. The state is the last label.
func (s sink) stateSet(f *export.Family, now engine.State, labels ...string) {
	var all [export.MaxLabels]string
	last := copy(all[:], labels)
	for _, st := range states {
		all[last] = st.String()
		s.to.Add(f, truth(st == now), all[:last+1]...)
	}
}

var states = engine.States()

func (s sink) services(all []*engine.Service) {
	for _, sv := range all {
		name := sv.Name
		if name == "" {
			name = sv.ID.Local()
		}
		s.gauge(serviceSpares, number(sv.Spares), name, Overall)
		s.gauge(servicePredicted, number(sv.Predicted), name, Overall)
		for _, d := range slices.Sorted(maps.Keys(sv.By)) {
			s.gauge(serviceSpares, number(sv.By[d].Spares), name, string(d))
			s.gauge(servicePredicted, number(sv.By[d].Predicted), name, string(d))
		}
		s.stateSet(serviceState, sv.State, name)
	}
}

func (s sink) groups(all []*engine.Group) {
	for _, g := range all {
		id, kind := string(g.ID), string(g.Kind)
		s.stateSet(groupState, g.State, id, kind)
		s.gauge(groupSpares, number(g.Spares), id, kind)
		s.gauge(groupNeeded, positive(g.Needed), id, kind)
		s.gauge(groupDesigned, positive(g.Designed), id, kind)
	}
}

func (s sink) findings(all []finding.Finding) {
	type kind struct {
		rule     finding.Rule
		severity finding.Severity
	}
	count := map[kind]int{}
	var roots []*finding.Finding
	for i := range all {
		f := &all[i]
		count[kind{f.Rule, f.Severity}]++
		if f.Under == "" {
			roots = append(roots, f)
		}
	}
	for _, r := range finding.Rules() {
		for sev := finding.Info; sev <= finding.Critical; sev++ {
			s.gauge(findings, float64(count[kind{r, sev}]), string(r), sev.String())
		}
	}
	slices.SortStableFunc(roots, func(a, b *finding.Finding) int { return int(b.Severity) - int(a.Severity) })
	for _, f := range roots[:min(len(roots), MaxFindings)] {
		s.gauge(findingOpen, 1, string(f.Rule), f.Severity.String(), string(f.Subject))
	}
}

// What a component that isn't ok counts as, the gravest first.
var notOK = []struct {
	word string
	is   func(component.Status) bool
}{
	{"failed", func(s component.Status) bool { return s.Condition == component.Failed }},
	{"absent", func(s component.Status) bool { return s.Condition == component.Absent }},
	{"input_lost", func(s component.Status) bool { return s.InputLost }},
	{"rebuilding", func(s component.Status) bool { return s.Rebuilding }},
	{"predicted", func(s component.Status) bool { return s.Predicted }},
	{"impaired", func(s component.Status) bool { return s.Condition == component.Impaired }},
	{"unknown", func(s component.Status) bool { return s.Condition == component.Unknown }},
}

// silentWord counts parts whose targets do not answer: whatever they said last, it is not known now.
const silentWord = "silent"

func (s sink) components(devices []*state.Device) {
	count := map[component.Kind]map[string]int{}
	for _, d := range devices {
		for i := range d.Parts {
			p := &d.Parts[i]
			if count[p.Kind] == nil {
				count[p.Kind] = map[string]int{}
			}
			if w := wordOf(p); w != "" {
				count[p.Kind][w]++
			}
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(count)) {
		for _, c := range notOK {
			s.gauge(componentNotOK, float64(count[kind][c.word]), string(kind), c.word)
		}
		s.gauge(componentNotOK, float64(count[kind][silentWord]), string(kind), silentWord)
	}
}

// wordOf is what a part counts as; "" for one that is ok.
func wordOf(p *state.Part) string {
	for _, c := range notOK {
		if c.is(p.Status) {
			if c.word == "unknown" && p.Silent {
				break
			}
			return c.word
		}
	}
	if p.Silent {
		return silentWord
	}
	return ""
}

func (s sink) targets(devices []*state.Device) {
	for _, d := range devices {
		for i := range d.Targets {
			t := &d.Targets[i]
			up := math.NaN()
			took := math.NaN()
			if !t.LastTry.IsZero() {
				up = truth(t.Missed == 0 && !t.LastGood.IsZero())
				took = t.Took.Seconds()
			}
			s.gauge(targetUp, up, d.Name, t.URL)
			s.gauge(targetSilent, truth(t.Silent), d.Name, t.URL)
			s.gauge(targetDuration, took, d.Name, t.URL)
			s.gauge(targetLast, seconds(t.LastGood), d.Name, t.URL)
		}
	}
}

// number is NaN where n is not known.
func number(n *int) float64 {
	if n == nil {
		return math.NaN()
	}
	return float64(*n)
}

// positive is NaN for 0, by which a group says that the number is not known.
func positive(n int) float64 {
	if n <= 0 {
		return math.NaN()
	}
	return float64(n)
}

// seconds since 1970; NaN for the zero time.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return math.NaN()
	}
	return float64(t.UnixMilli()) / 1000
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
