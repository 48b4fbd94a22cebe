package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
	"github.com/sparewatch/sparewatch/pkg/state"
)

// standing keeps the findings that stand, and since when.
type standing struct {
	tops    map[int32]bool         // groups with findings
	devices map[string][]stand     // findings on parts and targets
	last    map[component.ID]stand // the last known state's finding, by group
	since   map[finding.Key]time.Time
	first   map[finding.Key]time.Time // when the condition was first seen, for rules with a hold time
	open    map[finding.Key]finding.Finding
	after   map[finding.Key]aftermath       // findings whose cause is over
	over    map[finding.Key]finding.Finding // causes that are over and still shown, as they were told while they stood
	list    []finding.Finding               // roots first
	waiting int
	// services that lean on a finding's subject, until the structure changes, and what they have left, until a service
	// is judged again
	leaning map[component.ID][]int32
	impacts map[component.ID][]finding.Impact
}

func (s *standing) init() {
	*s = standing{tops: map[int32]bool{}, devices: map[string][]stand{}, last: map[component.ID]stand{}, since: map[finding.Key]time.Time{},
		first: map[finding.Key]time.Time{}, open: map[finding.Key]finding.Finding{}, after: map[finding.Key]aftermath{},
		over: map[finding.Key]finding.Finding{}, leaning: map[component.ID][]int32{}, impacts: map[component.ID][]finding.Impact{}}
}

func (s *standing) note(top int32, has bool) {
	if has {
		s.tops[top] = true
	} else {
		delete(s.tops, top)
	}
}

func (s *standing) isOpen(k finding.Key) bool {
	_, ok := s.open[k]
	return ok
}

// settleFindings makes the list of what stands now.
func (e *Engine) settleFindings() {
	if e.reported && e.standing.waiting == 0 {
		return
	}
	s := &e.standing
	found, held := map[finding.Key]stand{}, map[finding.Key]bool{}
	s.waiting = 0
	for _, st := range e.gather() {
		if _, again := found[st.f.Key]; again {
			continue
		}
		if e.held(&st) {
			held[st.f.Key] = true
			s.waiting++
			continue
		}
		found[st.f.Key] = st
	}
	e.holdUnder(found, held)
	e.keepResumed(found)
	e.addOver(found)
	e.forgetClosed(found, held)
	e.link(found)
	e.publish(found)
	e.reported = false
}

// gather collects what every rule says.
func (e *Engine) gather() []stand {
	var all []stand
	all = append(all, e.providerFindings()...)
	all = append(all, e.cablingFindings()...)
	all = append(all, e.lldp.findings...)
	for i := range e.standing.tops {
		all = append(all, e.tops[i].findings...)
	}
	all = append(all, e.sharedFindings(all)...)
	for _, found := range e.standing.devices {
		all = append(all, found...)
	}
	all = append(all, e.mistakes...)
	all = append(all, e.load.findings...)
	all = append(all, e.plannedFindings()...)
	all = append(all, e.blind...)
	return all
}

// held reports whether a finding is not shown yet: those who know more have not answered, or its rule's hold time is
// not over. What is open already stays.
func (e *Engine) held(st *stand) bool {
	if e.standing.isOpen(st.f.Key) {
		return false
	}
	if _, resumed := e.resumed[st.f.Key]; resumed {
		return false
	}
	if len(st.waits) > 0 && !slices.ContainsFunc(st.waits, func(n redundancy.Node) bool { return !e.asking(n) }) {
		return true
	}
	hold := e.opt.Hold[st.f.Rule]
	if e.tooEarly(st) {
		hold = max(hold, e.opt.Ask)
	}
	if hold == 0 {
		return false
	}
	if _, ok := e.standing.first[st.f.Key]; !ok {
		e.standing.first[st.f.Key] = e.now
	}
	return e.now.Sub(e.standing.first[st.f.Key]) < hold
}

// holdUnder holds back what hangs under a finding that is held back. That a group has fewer than it needs is told of at
// once, whatever its cause waits for.
func (e *Engine) holdUnder(found map[finding.Key]stand, held map[finding.Key]bool) {
	for more := len(held) > 0; more; {
		more = false
		for key, st := range found {
			if !held[st.f.Under] || st.f.Rule == finding.Insufficient || e.standing.isOpen(key) {
				continue
			}
			if _, resumed := e.resumed[key]; resumed {
				continue
			}
			delete(found, key)
			held[key], more = true, true
			e.standing.waiting++
		}
	}
}

// tooEarly reports whether people would be told of a finding before it is known what the services that lean on it have
// left, because not every device was read since the start.
func (e *Engine) tooEarly(st *stand) bool {
	if !pages[st.f.Rule] || e.heardAll() || e.settled() {
		return false
	}
	return slices.ContainsFunc(e.impacts(st.f.Subject), func(i finding.Impact) bool { return i.Spares == nil })
}

// keepResumed keeps what was open before a restart until its subject can be judged.
func (e *Engine) keepResumed(found map[finding.Key]stand) {
	for key, f := range e.resumed {
		if _, stands := found[key]; stands {
			delete(e.resumed, key)
			continue
		}
		if e.answeredFor(f) {
			delete(e.resumed, key)
			continue
		}
		found[key] = stand{f: f, asWas: true}
	}
	for key, st := range found {
		if _, stands := found[st.f.Under]; st.asWas && !stands {
			st.f.Under = ""
			found[key] = st
		}
	}
}

// answeredFor reports whether what was open before a restart can be judged now: its device was read, or that of
// something that hangs on it. What nobody reads by itself is judged when all were read or the settle time is over. A
// device that does not answer clears nothing.
func (e *Engine) answeredFor(f finding.Finding) bool {
	name := f.Subject.Device()
	d := e.devices[name]
	own := e.observed[name] || d != nil && d.view != nil
	switch {
	case own && e.answers(name):
		return e.mayJudge(name)
	case !e.heardAll() && !e.settled():
		return false
	}
	n, ok := e.graph.Node(f.Subject)
	if !ok {
		return !own
	}
	return !e.unheardBelow(n)
}

// answers reports whether a device was read, and is not silent.
func (e *Engine) answers(name string) bool {
	d := e.devices[name]
	return d != nil && d.view != nil && d.view.Read && !allSilent(d)
}

// unheardBelow reports whether a node is of a device that does not answer, or such devices hang on it, and none answers.
func (e *Engine) unheardBelow(n redundancy.Node) bool {
	waits, heard := false, false
	seen, stack := map[redundancy.Node]bool{n: true}, []redundancy.Node{n}
	for len(stack) > 0 && !heard {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		name := e.graph.ID(at).Device()
		waits = waits || e.observed[name]
		heard = e.answers(name)
		for _, kid := range e.users.of(at) {
			if !seen[kid] {
				seen[kid] = true
				stack = append(stack, kid)
			}
		}
	}
	return waits && !heard
}

// forgetClosed forgets since when what neither stands nor is held back has stood.
func (e *Engine) forgetClosed(found map[finding.Key]stand, held map[finding.Key]bool) {
	for key := range e.standing.since {
		if _, stands := found[key]; !stands {
			delete(e.standing.since, key)
		}
	}
	for key := range e.standing.first {
		if _, stands := found[key]; !stands && !held[key] {
			delete(e.standing.first, key)
		}
	}
}

// link hangs consequences under what causes them. A finding whose cause is not shown stands by itself.
func (e *Engine) link(found map[finding.Key]stand) {
	for key, st := range found {
		st.f.Under = e.rootKey(st, found)
		if st.f.Under == key {
			st.f.Under = ""
		}
		found[key] = st
	}
	e.keepUnder(found)
	// Under names the root, not the next finding on the way.
	for key, st := range found {
		for range 16 {
			up, ok := found[st.f.Under]
			if !ok || up.f.Under == "" || up.f.Under == key {
				break
			}
			st.f.Under = up.f.Under
		}
		found[key] = st
	}
}

func (e *Engine) rootKey(st stand, found map[finding.Key]stand) finding.Key {
	has := func(k finding.Key) bool {
		_, ok := found[k]
		return ok && k != st.f.Key
	}
	if has(st.f.Under) {
		return st.f.Under
	}
	if st.shared != "" {
		if k := e.sharedKey(st); has(k) {
			return k
		}
	}
	if !st.hangs {
		return ""
	}
	if r, ok := e.blame.root[st.lost]; ok && r != st.lost {
		if k := finding.KeyOf(finding.ProviderLost, e.graph.ID(r)); has(k) {
			return k
		}
	}
	if st.f.Rule == finding.TargetSilent {
		for r := range e.blame.under {
			own := e.graph.ID(r).Device() == st.f.Subject.Device()
			if k := finding.KeyOf(finding.ProviderLost, e.graph.ID(r)); has(k) && (own || e.needsNode(st.lost, r)) {
				return k
			}
		}
	}
	return ""
}

// needsNode reports whether n requires m, directly or through others.
func (e *Engine) needsNode(n, m redundancy.Node) bool {
	found := false
	e.visit(n, &e.needs, func(at redundancy.Node) { found = found || at == m })
	return found
}

// publish settles severities and impacts, roots after what hangs under them, and makes the sorted list.
func (e *Engine) publish(found map[finding.Key]stand) {
	s := &e.standing
	list := make([]finding.Finding, 0, len(found))
	worst := map[finding.Key]finding.Severity{}
	for key, st := range found {
		f := st.f
		if !st.asWas {
			if f.Rule != finding.BlindSpot { // no news for anybody, and there may be very many
				f.Impacts = e.impacts(f.Subject)
			}
			f.Severity = e.opt.SeverityOf(f.Rule, topTier(f.Impacts))
		}
		if st.mild {
			f.Severity = finding.Info
		}
		if st.assumed && f.Severity > finding.Info {
			f.Severity--
		}
		f.Since = e.sinceOf(key, f.Since)
		if f.Under != "" {
			worst[f.Under] = max(worst[f.Under], f.Severity)
		}
		st.f = f
		found[key] = st
	}
	clear(s.open)
	for key, st := range found {
		f := st.f
		f.Severity = max(f.Severity, worst[key])
		if !st.asWas {
			f.Pages = f.Under == "" && pages[f.Rule] && f.Severity >= finding.Warning && !st.quiet
		}
		e.brief(&f)
		orEmpty(&f)
		s.open[key] = f
		list = append(list, f)
	}
	slices.SortFunc(list, compareFindings)
	s.list = list
}

// brief writes a finding's words with short names, and no evidence twice. Its lists may be shared with what was told before:
// they are copied where something in them changes.
func (e *Engine) brief(f *finding.Finding) {
	f.Summary, f.Remedy = e.graph.Brief(f.Summary), e.graph.Brief(f.Remedy)
	causes, evidence := f.Causes, make([]string, 0, len(f.Evidence))
	for i, c := range causes {
		if why := e.graph.Brief(c.Why); why != c.Why {
			if &causes[0] == &f.Causes[0] {
				causes = slices.Clone(causes)
			}
			causes[i].Why = why
		}
	}
	for _, line := range f.Evidence {
		if line = e.graph.Brief(line); !slices.Contains(evidence, line) {
			evidence = append(evidence, line)
		}
	}
	f.Causes, f.Evidence = causes, evidence
}

// orEmpty makes lists that are empty lists, and not null, in JSON.
func orEmpty(f *finding.Finding) {
	if f.Causes == nil {
		f.Causes = []finding.Cause{}
	}
	if f.Evidence == nil {
		f.Evidence = []string{}
	}
	if f.Impacts == nil {
		f.Impacts = []finding.Impact{}
	}
}

// compareFindings puts roots first, then the worse, then by key.
func compareFindings(a, b finding.Finding) int {
	if (a.Under == "") != (b.Under == "") {
		if a.Under == "" {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(b.Severity, a.Severity), strings.Compare(string(a.Key), string(b.Key)))
}

func (e *Engine) sinceOf(key finding.Key, known time.Time) time.Time {
	if t, ok := e.standing.since[key]; ok && !t.IsZero() {
		return t
	}
	t := e.now
	if !known.IsZero() && known.Before(t) {
		t = known
	}
	e.standing.since[key] = t
	return t
}

// impactsShown bounds the services that one finding lists; the worst come first.
const impactsShown = 100

// impacts says what the services that lean on a subject have left.
func (e *Engine) impacts(subject component.ID) []finding.Impact {
	if known, ok := e.standing.impacts[subject]; ok {
		return known
	}
	at, ok := e.standing.leaning[subject]
	if !ok {
		if n, known := e.graph.Node(subject); known {
			e.above(n, func(i int32) {
				if e.tops[i].service != nil {
					at = append(at, i)
				}
			})
		}
		e.standing.leaning[subject] = at
	}
	all := make([]finding.Impact, 0, len(at))
	for _, i := range at {
		all = append(all, impactOf(e.services[e.tops[i].at]))
	}
	slices.SortFunc(all, func(a, b finding.Impact) int {
		return cmp.Or(cmp.Compare(sparesLeft(a), sparesLeft(b)), cmp.Compare(a.Tier, b.Tier), compareIDs(a.Service, b.Service))
	})
	all = slices.Clip(all[:min(len(all), impactsShown)])
	e.standing.impacts[subject] = all
	return all
}

func sparesLeft(i finding.Impact) int {
	if i.Spares == nil {
		return 1 << 20
	}
	return *i.Spares
}

func impactOf(v *Service) finding.Impact {
	i := finding.Impact{Service: v.ID, Tier: v.Tier, Spares: v.Spares, By: map[component.Domain]int{}}
	for d, s := range v.By {
		if s.Spares != nil {
			i.By[d] = *s.Spares
		}
	}
	return i
}

// topTier is the most important tier among the services; NoTier where there are none.
func topTier(impacts []finding.Impact) int {
	tier := NoTier
	for _, i := range impacts {
		if tier == NoTier || i.Tier < tier {
			tier = i.Tier
		}
	}
	return tier
}

// sharedKey is the key of the finding on what makes several groups falsely redundant.
func (e *Engine) sharedKey(st stand) finding.Key {
	if len(st.f.Causes) == 0 {
		return ""
	}
	return finding.KeyOf(finding.FalseRedundancy, st.f.Causes[0].ID)
}

// sharedFindings are the findings on what several groups' members share: one for all of them.
func (e *Engine) sharedFindings(all []stand) []stand {
	by := map[string][]*stand{}
	for i := range all {
		if all[i].shared != "" {
			by[all[i].shared] = append(by[all[i].shared], &all[i])
		}
	}
	var found []stand
	for _, shared := range sortedKeys(by) {
		same := by[shared]
		if len(same) < 2 {
			continue
		}
		slices.SortFunc(same, func(a, b *stand) int { return compareIDs(a.f.Subject, b.f.Subject) })
		first := same[0].f
		f := finding.Finding{Key: e.sharedKey(*same[0]), Rule: finding.FalseRedundancy, Subject: first.Causes[0].ID, Causes: first.Causes,
			Summary: fmt.Sprintf("%s makes %d groups less redundant than they look", shared, len(same)),
			Remedy:  fmt.Sprintf("Look at whether both sides have to go through %s; otherwise move one of them off it.", shared)}
		for _, st := range same {
			f.Evidence = append(f.Evidence, string(st.f.Subject))
		}
		f.Evidence = f.Evidence[:min(len(f.Evidence), 20)]
		found = append(found, stand{f: f})
	}
	return found
}

// layDesign makes the findings that follow from the structure alone, and forgets what was known of the old one.
func (e *Engine) layDesign() {
	e.leaned = make([]bool, e.graph.Len())
	var stack []redundancy.Node
	for i := range e.tops {
		stack = append(stack, e.tops[i].node)
	}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, m := range e.needs.of(at) {
			if !e.leaned[m] {
				e.leaned[m] = true
				stack = append(stack, m)
			}
		}
	}
	e.member = map[component.ID]bool{}
	for i := range e.tops {
		if f := e.tops[i].form; f != nil {
			for _, id := range f.members {
				e.member[id] = true
			}
		}
	}
	clear(e.standing.tops)
	clear(e.standing.leaning)
	clear(e.standing.impacts)
	for _, d := range e.devices {
		e.deviceFindings(d)
	}
	e.blind = e.blindSpots()
	e.mistakes = append(e.mistakes, e.twins()...)
}

// blindSpots are the findings on what the model leans on and nobody observes: one for each declared component, and one
// for each device's parts.
func (e *Engine) blindSpots() []stand {
	if e.opt.Offline {
		return nil
	}
	by := map[component.ID][]component.ID{} // by subject
	for n := range redundancy.Node(e.graph.Len()) {
		id := e.graph.ID(n)
		if id == "" || !e.leaned[n] || !e.cells[n].unobserved || e.topOf[n] >= 0 {
			continue
		}
		subject := id
		if d := e.deviceOf(id); d != nil && id.Device() != e.model.Site {
			subject = e.mainOf(d)
		}
		by[subject] = append(by[subject], id)
	}
	var found []stand
	for _, subject := range slices.SortedFunc(maps.Keys(by), compareIDs) {
		ids := by[subject]
		slices.Sort(ids)
		found = append(found, e.blindSpot(subject, fmt.Sprintf("nobody observes %s; presumed working", names(ids, 6)),
			"Give it a target, or look at it by hand from time to time; `gate` names it whenever it presumes it.", ids))
	}
	for _, id := range e.graph.Uncooled() {
		found = append(found, e.blindSpot(id, fmt.Sprintf("%s has several coolers, and nobody says how many it needs", id),
			"Declare a group of its coolers with the number that is needed.", nil))
	}
	found = append(found, e.undocumentedCords()...)
	return append(found, e.claimsWithoutMembers()...)
}

// undocumentedCords are the blind spots where the cord of one supply is declared and that of another is not.
func (e *Engine) undocumentedCords() []stand {
	var found []stand
	for i := range e.tops {
		if e.tops[i].form == nil {
			continue
		}
		if ids := e.undocumented(&e.tops[i]); len(ids) > 0 {
			id := e.tops[i].form.id
			found = append(found, e.blindSpot(id, fmt.Sprintf("nobody has said what feeds %s: at risk, whatever else fails", names(ids, 4)),
				"Follow the cord and write the cable into the model.", ids))
		}
	}
	return found
}

func (e *Engine) blindSpot(subject component.ID, what, todo string, ids []component.ID) stand {
	f := finding.Finding{Key: finding.KeyOf(finding.BlindSpot, subject), Rule: finding.BlindSpot, Subject: subject, Summary: what,
		Causes: []finding.Cause{{ID: subject, Why: "no target reports it"}}, Remedy: todo}
	for i, id := range ids {
		if i == 50 {
			f.Evidence = append(f.Evidence, fmt.Sprintf("and %d more", len(ids)-i))
			break
		}
		f.Evidence = append(f.Evidence, string(id))
	}
	return stand{f: f}
}

func (e *Engine) claimsWithoutMembers() []stand {
	var found []stand
	for _, name := range sortedKeys(e.devices) {
		d := e.devices[name]
		if d.view == nil {
			continue
		}
		for _, c := range d.view.Claims {
			formed := slices.ContainsFunc(d.forms, func(f form) bool { return f.kind == c.Kind })
			if len(c.Members) > 0 || formed {
				continue
			}
			found = append(found, e.blindSpot(c.Group, fmt.Sprintf("%s speaks of a group of %s and names none of its members: not judged", name, c.Kind.Plural()),
				"Nothing can be done about the device's words; if it has such parts, declare the group.", nil))
		}
	}
	return found
}

// twins are the findings on devices that look like one machine declared twice.
func (e *Engine) twins() []stand {
	var views []*state.Device
	for _, name := range sortedKeys(e.devices) {
		if d := e.devices[name]; d.view != nil {
			views = append(views, d.view)
		}
	}
	var found []stand
	for _, t := range state.TwinsOf(views) {
		subject := e.mainOf(e.devices[t.Devices[1]])
		found = append(found, stand{f: finding.Finding{Key: finding.KeyOf(finding.ModelMistake, subject), Rule: finding.ModelMistake, Subject: subject,
			Summary:  fmt.Sprintf("%s and %s look like one machine: they give the same %s", t.Devices[0], t.Devices[1], t.By),
			Causes:   []finding.Cause{{ID: subject, Why: "the same " + t.By + " as " + t.Devices[0]}},
			Evidence: []string{t.By + " " + t.Value},
			Remedy:   "If they are one, declare one device with both URLs; its parts then exist once.",
		}})
	}
	return found
}

// Report returns what the last Step settled. It is immutable.
func (e *Engine) Report() *Report {
	if e.report != nil && e.reported && e.report.At.Equal(e.now) {
		return e.report
	}
	r := &Report{At: e.now, Settled: e.settled() || e.heardAll(), Waiting: e.standing.waiting, Findings: e.standing.list, Capacity: e.load.report, Neighbours: e.lldp.links, Cables: e.lldp.differ}
	if e.stale {
		r.Waiting++ // for the structure to be compiled
	}
	if e.report != nil && (e.reported || !e.quick.judged) {
		r.Groups, r.Services = e.report.Groups, e.report.Services
	} else {
		r.Groups, r.Services = slices.Clone(e.groups), slices.Clone(e.services)
		e.quick.judged = false
	}
	if r.Groups == nil {
		r.Groups = []*Group{}
	}
	if r.Services == nil {
		r.Services = []*Service{}
	}
	if r.Findings == nil {
		r.Findings = []finding.Finding{}
	}
	if r.Neighbours == nil {
		r.Neighbours = []component.Link{}
	}
	if r.Cables == nil {
		r.Cables = []Cable{}
	}
	e.report, e.reported = r, true
	return r
}
