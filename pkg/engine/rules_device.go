package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// deviceFindings makes the findings on a device's parts that no group judges, and on its targets.
func (e *Engine) deviceFindings(d *device) {
	e.reported = false
	var found []stand
	if d.view != nil && e.mayJudge(d.name) {
		for i := range d.view.Parts {
			found = append(found, e.partFindings(&d.view.Parts[i], d.view)...)
		}
		found = append(found, e.targetFindings(d)...)
		found = append(found, e.modelMistakes(d)...)
	}
	if len(found) == 0 {
		delete(e.standing.devices, d.name)
		return
	}
	e.standing.devices[d.name] = found
}

// partFindings are the findings on one part.
func (e *Engine) partFindings(p *state.Part, view *state.Device) []stand {
	off := isHost(p.Kind) && view.Identity.Powered == "off"
	if p.Condition == component.OK && !p.Predicted && !p.Disagrees && !off && p.Kind != component.BGPSession && p.Kind != component.UPS && !e.lines.fading(p.ID) {
		return nil // nearly all
	}
	var found []stand
	n, ok := e.graph.Node(p.ID)
	if !ok {
		return nil
	}
	switch p.Kind {
	case component.BGPSession:
		return e.sessionFindings(p, view)
	case component.Path, component.Route, component.Upstream:
		return nil // what routers tell of comes and goes; the groups of ways say what that means
	}
	if s, ok := e.predictedFinding(p); ok {
		found = append(found, s)
	}
	if p.Disagrees && !p.Silent {
		found = append(found, sourceMismatch(p))
	}
	if p.Kind == component.UPS && (p.Attributes[component.OnBattery] == "true" || p.Attributes[component.Bypass] == "true") {
		found = append(found, e.onBattery(p, n))
	}
	failed := p.Condition == component.Failed || p.Condition == component.Absent && p.WasThere || off
	if failed && !p.Silent && !provides[p.Kind] && !e.member[p.ID] && (e.leaned[n] || !idle[p.Kind] && !off) {
		found = append(found, e.failedPart(p, view))
	}
	return found
}

// sourceMismatch is the finding on a part of which two targets say what cannot both be. The worse is believed.
func sourceMismatch(p *state.Part) stand {
	s := stand{f: finding.Finding{Key: finding.KeyOf(finding.SourceMismatch, p.ID), Rule: finding.SourceMismatch, Subject: p.ID,
		Causes: []finding.Cause{{ID: p.ID, Why: "two words on one thing"}},
		Remedy: fmt.Sprintf("Look at %s itself: its lamp, its cord, its place. The worse word is believed until they agree; if one of them is wrong for good, update the device's firmware, or leave that URL out.", name(p.ID)),
	}}
	var words []string
	for _, w := range p.Words {
		said := statusWords(w.Status)
		words = append(words, fmt.Sprintf("%s says %s", protocolOf(w.Source), said))
		line := fmt.Sprintf("%s: %s", w.Source, said)
		if w.Why != "" {
			line += fmt.Sprintf(" (%s)", w.Why)
		}
		s.f.Evidence = append(s.f.Evidence, fmt.Sprintf("%s, since %s, said %s", line, component.Stamp(w.Since), component.Stamp(w.At)))
		s.f.Since = later(s.f.Since, w.Since)
	}
	s.f.Summary = fmt.Sprintf("%s: %s", name(p.ID), strings.Join(slices.Compact(words), ", "))
	return s
}

func protocolOf(url string) string {
	scheme, _, _ := strings.Cut(url, "://")
	return scheme
}

// statusWords is a status in a few words.
func statusWords(s component.Status) string {
	text := s.Condition.String()
	for _, f := range []struct {
		on   bool
		word string
	}{{s.InputLost, "no input"}, {s.Rebuilding, "rebuilding"}} {
		if f.on {
			text += ", " + f.word
		}
	}
	return text
}

// idle are the kinds of which many are unused: their failure is of interest only where something leans on them.
var idle = map[component.Kind]bool{component.Port: true, component.NIC: true, component.Sensor: true, component.BGPSession: true}

func (e *Engine) failedPart(p *state.Part, view *state.Device) stand {
	why := whyBad(p, view)
	s := stand{f: finding.Finding{Key: finding.KeyOf(finding.ComponentFailed, p.ID), Rule: finding.ComponentFailed, Subject: p.ID,
		Summary:  fmt.Sprintf("%s %s", name(p.ID), shortly(why)),
		Causes:   []finding.Cause{{ID: p.ID, Why: why}},
		Evidence: append([]string{says(p)}, logged(p)...),
		Remedy:   repair(p),
		Since:    p.BadSince,
	}}
	if isHost(p.Kind) && view.Identity.Powered == "off" {
		s.f.Remedy = fmt.Sprintf("Find out who switched %s off, or switch it on.", p.ID.Device())
	}
	// What carries it may be the cause: a volume fails with its drives.
	if n, ok := e.graph.Node(p.ID); ok {
		for _, m := range e.needs.of(n) {
			if i := e.topOf[m]; i >= 0 && !e.best.Works(m) {
				s.f.Under = finding.KeyOf(finding.Insufficient, e.graph.ID(m))
			}
		}
	}
	return s
}

func (e *Engine) onBattery(p *state.Part, n redundancy.Node) stand {
	what, todo := "runs on its battery", "Find out where its input went before the battery is empty; shed load if it takes long."
	if p.Attributes[component.Bypass] == "true" {
		what, todo = "runs on bypass: its load is fed unprotected", "Bring it back from bypass, or have it serviced; until then it protects nothing."
	}
	evidence := []string{says(p)}
	for _, r := range p.Readings {
		if (r.Name == "runtime" || r.Name == "charge" || r.Name == "load") && r.Value.Known() {
			evidence = append(evidence, r.Name+": "+component.Quantity(float64(r.Value), r.Unit))
		}
	}
	return stand{lost: n, hangs: true, f: finding.Finding{Key: finding.KeyOf(finding.OnBattery, p.ID), Rule: finding.OnBattery, Subject: p.ID,
		Summary: fmt.Sprintf("%s %s", p.ID.Device(), what),
		Causes:  []finding.Cause{{ID: p.ID, Why: what}}, Evidence: evidence, Remedy: todo,
	}}
}

// targetFindings are the findings on a device's targets: silent, or with another certificate than the pinned one.
func (e *Engine) targetFindings(d *device) []stand {
	var found []stand
	main := e.mainOf(d)
	var quiet []string
	since := time.Time{}
	for _, t := range d.view.Targets {
		for _, err := range t.Errors {
			if err.Class == snapshot.ClassPinChanged {
				found = append(found, stand{f: finding.Finding{Key: finding.KeyOf(finding.CertificateChanged, main), Rule: finding.CertificateChanged, Subject: main,
					Summary:  fmt.Sprintf("%s shows another certificate than the pinned one", d.name),
					Causes:   []finding.Cause{{ID: main, Why: err.Error}},
					Evidence: []string{t.URL + ": " + err.Error},
					Remedy:   "Find out why it changed (a firmware update, a new card, or somebody in between); " + err.Hint,
				}})
			}
		}
		if t.Silent {
			quiet = append(quiet, silence(t))
			since = later(since, t.LastGood)
		}
	}
	if len(quiet) > 0 {
		what := "does not answer"
		if len(quiet) < len(d.view.Targets) {
			what = "does not answer on all its addresses"
		}
		known := "what was last known of it stands"
		if !slices.ContainsFunc(d.view.Targets, func(t state.Target) bool { return !t.LastGood.IsZero() }) {
			known = "it has not answered since the start"
		}
		n, ok := e.graph.Node(main)
		found = append(found, stand{lost: n, hangs: ok, f: finding.Finding{Key: finding.KeyOf(finding.TargetSilent, main), Rule: finding.TargetSilent, Subject: main,
			Summary:  fmt.Sprintf("%s %s; %s", d.name, what, known),
			Causes:   []finding.Cause{{ID: main, Why: what}},
			Evidence: quiet,
			Remedy:   fmt.Sprintf("See whether %s can be reached, and whether its management controller is up; `sparewatch inspect URL` says what fails.", d.name),
			Since:    since,
		}})
	}
	return found
}

func silence(t state.Target) string {
	text := fmt.Sprintf("%s: %d polls without an answer", t.URL, t.Missed)
	if !t.LastGood.IsZero() {
		text += ", last answered " + t.LastGood.UTC().Format(time.RFC3339)
	}
	for _, err := range t.Errors {
		text += "; " + err.Error
		break
	}
	return text
}

// mainOf is the id of the device's main component.
func (e *Engine) mainOf(d *device) component.ID {
	f := former{name: d.name, view: d.view, declared: e.declared[d.name]}
	return f.mains()[0]
}

func allSilent(d *device) bool {
	return !slices.ContainsFunc(d.view.Targets, func(t state.Target) bool { return !t.Silent })
}

// modelMistakes are the findings on parts that the model names and the device, heard in full, does not have.
func (e *Engine) modelMistakes(d *device) []stand {
	decl := e.declared[d.name]
	if decl == nil || !heard(d.view) {
		return nil
	}
	var found []stand
	for _, id := range unlisted(d.view, decl) {
		if !mistaken(d.view, decl, id) || isMain(id) {
			continue
		}
		var have []component.ID
		for i := range d.view.Parts {
			if d.view.Parts[i].Kind == id.Kind() {
				have = append(have, d.view.Parts[i].ID)
			}
		}
		found = append(found, stand{f: finding.Finding{Key: finding.KeyOf(finding.ModelMistake, id), Rule: finding.ModelMistake, Subject: id,
			Summary:  fmt.Sprintf("the model names %s, which %s does not list", id, d.name),
			Causes:   []finding.Cause{{ID: id, Why: "named in the model, not listed by the device"}},
			Evidence: []string{fmt.Sprintf("%s lists: %s", d.name, locals(have))},
			Remedy:   fmt.Sprintf("Correct the name in the model; %s has these: %s.", d.name, locals(have)),
		}})
	}
	return found
}

// providerFindings are the findings on providers that are gone, and on single inputs that are lost.
func (e *Engine) providerFindings() []stand {
	var found []stand
	b := &e.blame
	for _, r := range slices.Sorted(maps.Keys(b.under)) {
		id := e.graph.ID(r)
		switch {
		case e.recovering(r):
		case b.blamed[r] || e.cells[r].belief == fails && provides[id.Kind()] && !b.lost[r]:
			found = append(found, e.under(r, e.providerLost(r)))
		case id.Kind() == component.UPS: // runs on its battery: that is the finding
		case provides[id.Kind()] && e.upsHolds(r):
		case provides[id.Kind()]:
			found = append(found, e.providerLost(r))
		default:
			found = append(found, e.inputLost(r))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(b.broken)) {
		if len(b.under[n]) > 0 || !e.leaned[n] || b.lost[n] || !e.mayJudge(e.graph.ID(n).Device()) {
			continue
		}
		found = append(found, e.under(n, e.providerLost(n)))
	}
	return found
}

// under hangs the finding on a provider under that on what it needs, where that does not work either: a ups whose
// battery is empty under its lost input, a pdu that dies with its feed. Where the provider is only blamed, what it needs
// must be known to be gone by itself.
func (e *Engine) under(n redundancy.Node, s stand) stand {
	if up := e.brokenNeed(n); up >= 0 && (!e.blame.blamed[n] || e.goneAbove(up)) {
		if c := e.explain(up); c.key != "" {
			s.f.Under, s.waits = c.key, c.waits
		}
	}
	return s
}

// goneAbove reports whether a node that does not work, or one that it needs, is known to be gone by more than what hangs
// on it.
func (e *Engine) goneAbove(n redundancy.Node) bool {
	for range blameLevels {
		if n < 0 {
			return false
		}
		if e.blame.blamed[n] || e.blame.lost[n] || e.cells[n].belief == fails {
			return true
		}
		n = e.brokenNeed(n)
	}
	return false
}

// upsHolds reports whether a lost inlet belongs to a ups that runs on its battery: that is the finding then.
func (e *Engine) upsHolds(inlet redundancy.Node) bool {
	return slices.ContainsFunc(e.down.of(inlet), func(n redundancy.Node) bool { return e.cells[n].holds })
}

func (e *Engine) providerLost(r redundancy.Node) stand {
	id := e.graph.ID(r)
	b := &e.blame
	below := b.under[r]
	s := stand{waits: e.witnessesOf(r), f: finding.Finding{Key: finding.KeyOf(finding.ProviderLost, id), Rule: finding.ProviderLost, Subject: id,
		Causes: []finding.Cause{{ID: id, Why: e.whyFailed(r)}}, Evidence: e.evidenceFor(r)}}
	for _, n := range below {
		t := b.since[e.graph.ID(n)]
		if s.f.Since.IsZero() || t.Before(s.f.Since) {
			s.f.Since = t
		}
	}
	p := e.part(r)
	switch {
	case b.blamed[r]:
		s.f.Summary = fmt.Sprintf("%s is gone: all that is seen below it is without input", id)
		s.f.Remedy = fmt.Sprintf("Look at %s first: its switch, its breaker, and what feeds it%s.", name(id), e.aboveWords(r))
	case p != nil && p.InputLost:
		s.f.Summary = fmt.Sprintf("%s has no input: its cord, or what feeds it", id)
		s.f.Remedy = fmt.Sprintf("Follow the cord of %s to what feeds it%s.", name(id), e.aboveWords(r))
	default:
		s.f.Summary = fmt.Sprintf("%s %s", id, shortly(e.whyFailed(r)))
		s.f.Remedy = fmt.Sprintf("Look at %s itself: it says that it is not well.", name(id))
	}
	if p != nil {
		s.f.Since = earlier(s.f.Since, p.BadSince)
	}
	return s
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// hurts reports whether a group that the node belongs to has lost a spare, or more.
func (e *Engine) hurts(n redundancy.Node) bool {
	for _, m := range e.users.of(n) {
		if i := e.topOf[m]; i >= 0 && e.tops[i].form != nil {
			if _, bad := stateRules[e.groups[e.tops[i].at].State]; bad {
				return true
			}
		}
	}
	return false
}

// aboveWords names what feeds a provider, with what is known of it.
func (e *Engine) aboveWords(n redundancy.Node) string {
	var words []string
	for _, p := range e.up.of(n) {
		text := string(e.graph.ID(p))
		if e.cells[p].unobserved {
			text += ", which nobody observes"
		}
		words = append(words, text)
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, "; ") + ")"
}

// inputLost is the finding on one supply that is alone without input.
func (e *Engine) inputLost(n redundancy.Node) stand {
	id := e.graph.ID(n)
	s := stand{waits: []redundancy.Node{n}, f: finding.Finding{Key: inputLostKey(id), Rule: finding.InputLost, Subject: id, Since: e.blame.since[id]}}
	p := e.part(n)
	if p != nil {
		s.f.Evidence = append(append(s.f.Evidence, says(p)), logged(p)...)
	}
	s.f.Causes = []finding.Cause{{ID: id, Why: "has no input: its cord, or the supply"}}
	s.f.Summary = fmt.Sprintf("%s has no input: its cord, or the supply", name(id))
	s.f.Remedy = fmt.Sprintf("Look at the cord of %s, at both ends, and at the supply.", name(id))
	s.quiet = e.member[id] && !e.hurts(n)
	alive := e.aliveAbove(n)
	if alive < 0 {
		if ups := e.up.of(n); len(ups) > 0 {
			s.f.Remedy = fmt.Sprintf("Look at the cord of %s, then at %s: nobody says whether it lives.", name(id), e.graph.ID(ups[0]))
		}
		return s
	}
	s.f.Summary += fmt.Sprintf(", not %s, which is alive", e.graph.ID(alive))
	s.f.Evidence = append(s.f.Evidence, e.signOfLife(alive, n)...)
	return s
}
