package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
)

// stand is a finding as one rule makes it, before it is known whether it is to be shown, and how bad it is.
type stand struct {
	f finding.Finding
	// waits are nodes without input: while inquiries about all of them are open the finding is held back.
	waits []redundancy.Node
	// assumed: what it stands on is only assumed; it is one severity lower.
	assumed bool
	// quiet: it does not page, although its rule does.
	quiet bool
	// mild: it is of interest, and no more.
	mild bool
	// lost is the node whose root this finding hangs under, if it has one; 0 with hangs false means none.
	lost  redundancy.Node
	hangs bool
	// shared names what makes several groups falsely redundant at once.
	shared string
	// asWas: it was open before a restart and cannot be judged yet. Nothing in it changes until it can.
	asWas bool
	// over: the cause is over, and what hung under it comes back.
	over bool
}

func inputLostKey(id component.ID) finding.Key { return finding.KeyOf(finding.InputLost, id) }

// chain is why something does not work: its causes, nearest first, and the finding on the last of them.
type chain struct {
	causes []finding.Cause
	key    finding.Key
	waits  []redundancy.Node
}

// explain follows what does not work to its cause.
func (e *Engine) explain(n redundancy.Node) chain {
	var c chain
	nested := component.ID("")
	at := n
	for range 64 {
		id := e.graph.ID(at)
		switch {
		case e.blame.lost[at]:
			return e.explainLost(at, c)
		case e.best.Failed(at):
			c.causes = append(c.causes, finding.Cause{ID: id, Why: e.whyFailed(at)})
			if next := e.brokenNeed(at); next >= 0 && follows(id.Kind()) {
				at = next
				continue
			}
			r := e.rootAbove(at)
			switch {
			case id.Kind() == component.BGPSession:
				c.key = e.sessionKey(at)
			case provides[id.Kind()] && r != at:
				c.causes = append(c.causes, finding.Cause{ID: e.graph.ID(r), Why: e.whyFailed(r)})
				c.key, c.waits = finding.KeyOf(finding.ProviderLost, e.graph.ID(r)), e.witnessesOf(r)
			case provides[id.Kind()]:
				c.key, c.waits = finding.KeyOf(finding.ProviderLost, id), e.witnessesOf(at)
			case nested != "":
				c.key = finding.KeyOf(finding.Insufficient, nested)
			case at != n:
				c.key = finding.KeyOf(finding.ComponentFailed, id)
			}
			return c
		}
		if id != "" {
			c.causes = append(c.causes, finding.Cause{ID: id, Why: "what it needs does not work"})
		}
		if id.Kind() == component.Group && at != n {
			nested = id
		}
		next := e.brokenNeed(at)
		if next < 0 {
			return c
		}
		at = next
	}
	return c
}

// brokenNeed is something that n requires and that does not work, one that has failed by itself first; -1: none.
func (e *Engine) brokenNeed(n redundancy.Node) redundancy.Node {
	found := redundancy.Node(-1)
	for _, m := range e.needs.of(n) {
		if e.best.Works(m) || e.hold[m] {
			continue
		}
		if found < 0 || e.best.Failed(m) && !e.best.Failed(found) {
			found = m
		}
	}
	return found
}

func (e *Engine) explainLost(at redundancy.Node, c chain) chain {
	id := e.graph.ID(at)
	r := e.blame.root[at]
	c.causes = append(c.causes, finding.Cause{ID: id, Why: "has no input"})
	if a, ok := e.blame.after[id]; ok {
		c.causes = append(c.causes, finding.Cause{ID: a.cause.Subject, Why: "was gone until " + clock(a.over)})
		c.key = a.cause.Key
		return c
	}
	if r == at {
		c.waits = []redundancy.Node{at}
		c.key = inputLostKey(id)
		if provides[id.Kind()] {
			c.key = finding.KeyOf(finding.ProviderLost, id)
		}
		return c
	}
	for _, step := range e.graph.Path(at, r) {
		if step != id && step != e.graph.ID(r) {
			c.causes = append(c.causes, finding.Cause{ID: step, Why: "on the way"})
		}
	}
	c.causes = append(c.causes, finding.Cause{ID: e.graph.ID(r), Why: e.whyFailed(r)})
	c.key, c.waits = finding.KeyOf(finding.ProviderLost, e.graph.ID(r)), e.witnessesOf(r)
	return c
}

// witnessesOf are the nodes whose inquiries a finding on a provider waits for: its own where it reports itself gone,
// those of what lost its input otherwise.
func (e *Engine) witnessesOf(r redundancy.Node) []redundancy.Node {
	if e.blame.broken[r] && !e.blame.lost[r] {
		return []redundancy.Node{r}
	}
	return e.blame.under[r]
}

// whyFailed says in a few words why a node is held to have failed.
func (e *Engine) whyFailed(n redundancy.Node) string {
	if e.blame.blamed[n] {
		return fmt.Sprintf("gone: everything seen below it is without input (%s)", e.supplies(n))
	}
	p := e.part(n)
	if p == nil {
		return "declared, but its device does not list it"
	}
	return whyBad(p, e.devices[e.graph.ID(n).Device()].view)
}

func whyBad(p *state.Part, view *state.Device) string {
	var why string
	switch {
	case p.Condition == component.Absent:
		why = "is not there"
	case p.Condition == component.Failed:
		why = "has failed"
	case p.InputLost:
		why = "has no input"
	case p.Rebuilding:
		why = "is rebuilding"
	case isHost(p.Kind) && view.Identity.Powered == "off":
		return "is switched off"
	default:
		why = "is " + p.Condition.String()
	}
	if p.Why != "" {
		why += ": " + p.Why
	}
	return why
}

// groupFindings makes the findings on one group.
func (e *Engine) groupFindings(t *top, v *Group) {
	i := e.topOf[t.node]
	t.findings = nil
	if s, ok := e.stateFinding(t, v); ok {
		t.findings = append(t.findings, s)
	}
	if v.State == None || v.State == Full {
		t.findings = append(t.findings, e.deadMembers(t, v)...)
	}
	for _, rule := range []func(*top, *Group) (stand, bool){e.falseRedundancy, e.reducedCapacity, e.claimMismatch} {
		if s, ok := rule(t, v); ok {
			t.findings = append(t.findings, s)
		}
	}
	e.standing.note(i, len(t.findings) > 0)
}

// stateRules are the rules for the states that are findings.
var stateRules = map[State]finding.Rule{
	Lost: finding.RedundancyLost, Degraded: finding.RedundancyDegraded, Insufficient: finding.Insufficient,
}

// stateFinding is the finding on a group that lost spares. Unknown neither raises nor clears: what stood, stands.
func (e *Engine) stateFinding(t *top, v *Group) (stand, bool) {
	if v.State == StateUnknown {
		s, ok := e.standing.last[v.ID]
		return s, ok
	}
	rule, bad := stateRules[v.State]
	if !bad {
		delete(e.standing.last, v.ID)
		return stand{}, false
	}
	s := stand{assumed: v.Basis == Assumed, f: finding.Finding{Key: finding.KeyOf(rule, v.ID), Rule: rule, Subject: v.ID}}
	e.addCauses(&s, t, v)
	s.f.Summary = summary(v, s.f.Causes)
	s.f.Remedy = e.remedy(t, v, s.f.Causes)
	if v.State == Lost {
		if sets, _ := e.weakestNow(t, 1); len(sets) > 0 {
			s.f.Evidence = append(s.f.Evidence, next(flatten(sets)))
		}
	}
	if v.StateWorst != nil && *v.StateWorst != v.State {
		s.f.Evidence = append(s.f.Evidence, fmt.Sprintf("if everything that does not answer is gone too it is %s", *v.StateWorst))
	}
	e.standing.last[v.ID] = s
	return s, true
}

// next says which failures would be the outage.
func next(ids []component.ID) string {
	if len(ids) == 1 {
		return string(ids[0]) + " alone would be next"
	}
	return "any of these alone would be next: " + names(ids, 8)
}

// addCauses adds why each member that does not work doesn't, what was seen, and what the finding hangs under.
func (e *Engine) addCauses(s *stand, t *top, v *Group) {
	for _, id := range v.Members {
		n, ok := e.graph.Node(id)
		if !ok || e.best.Works(n) {
			continue
		}
		c := e.explain(n)
		s.f.Causes = append(s.f.Causes, c.causes...)
		if p := e.part(n); p != nil {
			s.f.Evidence = append(s.f.Evidence, says(p))
			s.f.Evidence = append(s.f.Evidence, logged(p)...)
			s.f.Since = later(s.f.Since, p.BadSince)
		}
		if c.key != "" && (s.f.Under == "" || strings.HasPrefix(string(c.key), string(finding.ProviderLost))) {
			s.f.Under, s.waits = c.key, c.waits
		}
	}
	if t.form.missing > 0 {
		s.f.Causes = append(s.f.Causes, finding.Cause{ID: v.ID, Why: fmt.Sprintf("%d of %d are not there", t.form.missing, v.Designed)})
	}
	for _, c := range t.form.claims {
		if w := claimWords(c); w != "" {
			s.f.Evidence = append(s.f.Evidence, w)
		}
	}
}

// claimWords is what a device says of its own redundancy, in its words.
func claimWords(c snapshot.Claim) string {
	if c.State == snapshot.ClaimNone && c.Why == "" {
		return ""
	}
	text := "the device itself says: " + string(c.State)
	if c.State == snapshot.ClaimNone {
		text = "the device itself says"
	}
	if c.Kind == component.Path {
		return c.Why
	}
	if c.Why != "" {
		text += " (" + c.Why + ")"
	}
	return text
}

// groupName names a group for people: "supplies of srv-101", "supplies (gpu) of srv-101".
func groupName(v *Group) string {
	if v.Kind == component.Drive && v.Carries.Kind() == component.Volume {
		return fmt.Sprintf("drives of volume %s of %s", v.Carries.Local(), v.ID.Device())
	}
	if v.Kind == component.Path {
		return "ways to " + strings.TrimPrefix(v.ID.Local(), string(component.Path)+"-")
	}
	words := v.Kind.Plural()
	if q := strings.TrimPrefix(v.ID.Local(), string(v.Kind)); q != "" && q != v.ID.Local() {
		words += " (" + strings.TrimLeft(q, "-") + ")"
	} else if q == v.ID.Local() {
		words += " (" + q + ")"
	}
	return words + " of " + v.ID.Device()
}

func summary(v *Group, causes []finding.Cause) string {
	var what string
	switch v.State {
	case Lost:
		what = "no spare left, the next failure is an outage"
	case Degraded:
		what = fmt.Sprintf("%d of %d spares left", *v.Spares, *v.SparesFull)
	default:
		what = fmt.Sprintf("fewer than the %d needed work", v.Needed)
	}
	text := groupName(v) + ": " + what
	if len(causes) > 0 {
		last := causes[len(causes)-1]
		text += fmt.Sprintf("; %s %s", last.ID, shortly(last.Why))
	}
	return text
}

// shortly is the text before its first colon: the verdict without the device's words.
func shortly(s string) string {
	if i := strings.Index(s, ":"); i > 0 {
		return s[:i]
	}
	return s
}

// remedy says what to look at first and what to do.
func (e *Engine) remedy(t *top, v *Group, causes []finding.Cause) string {
	if len(causes) == 0 {
		return "Look at the members of the group; put back what is missing."
	}
	var todo []string
	for _, c := range causes {
		n, ok := e.graph.Node(c.ID)
		if !ok {
			todo = append(todo, "Put back what is missing of "+groupName(v)+".")
			continue
		}
		if p := e.part(n); p != nil && slices.Contains(v.Members, c.ID) && !e.blame.lost[n] {
			todo = append(todo, repair(p))
		}
	}
	last := causes[len(causes)-1].ID
	if len(todo) == 0 {
		todo = append(todo, fmt.Sprintf("Look at %s first: the rest follows from it.", name(last)))
	}
	if v.State == Lost {
		todo = append(todo, "Until then pull nothing that the group still lives on.")
	}
	return strings.Join(slices.Compact(todo), " ")
}

// repair says what to do about a bad part.
func repair(p *state.Part) string {
	var todo string
	switch {
	case p.ID.Kind() == component.Path && p.Condition == component.Absent:
		return fmt.Sprintf("Find out who shut down the session of %s, and when it is back.", name(p.ID))
	case p.ID.Kind() == component.Path:
		return fmt.Sprintf("Look at what the router still gets and takes from its neighbour on %s; ask the neighbour.", name(p.ID))
	case p.Condition == component.Absent:
		todo = fmt.Sprintf("Put %s back in, or find out who took it out.", name(p.ID))
	case p.Rebuilding:
		return fmt.Sprintf("Wait for %s to finish rebuilding; pull no other member meanwhile.", name(p.ID))
	default:
		todo = fmt.Sprintf("Replace %s.", name(p.ID))
	}
	if p.HotSwap != nil && *p.HotSwap {
		todo += " It can be swapped while the device runs."
	} else if p.HotSwap != nil {
		todo += " It cannot be swapped while the device runs."
	}
	return todo
}

func flatten(sets [][]component.ID) []component.ID {
	var ids []component.ID
	for _, s := range sets {
		ids = append(ids, s...)
	}
	return ids
}

// names lists ids for people, at most so many.
func names(ids []component.ID, most int) string {
	var words []string
	for i, id := range ids {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more", len(ids)-most))
			break
		}
		words = append(words, string(id))
	}
	return strings.Join(words, ", ")
}

// deadMembers are the members that have failed although their group never had a spare to lose: a broken part is told
// of, and nobody is woken for it.
func (e *Engine) deadMembers(t *top, v *Group) []stand {
	var found []stand
	for _, id := range v.Members {
		n, ok := e.graph.Node(id)
		if !ok || e.cells[n].belief != fails || e.blame.lost[n] {
			continue
		}
		if p := e.part(n); p != nil {
			s := e.failedPart(p, e.devices[id.Device()].view)
			s.quiet = true
			found = append(found, s)
		}
	}
	return found
}

// sharedBy names what makes a group have fewer spares by its structure than it was meant to have, where one thing does.
func (e *Engine) sharedBy(t *top, v *Group) string {
	if v.SparesFull == nil || *v.SparesFull >= v.Designed-v.Needed {
		return ""
	}
	s, ok := e.falseRedundancy(t, v)
	if !ok || len(s.f.Causes) != 1 {
		return ""
	}
	return s.shared
}

// falseRedundancy is the standing finding on members that share what can take them together.
func (e *Engine) falseRedundancy(t *top, v *Group) (stand, bool) {
	if v.SparesFull == nil || v.Designed <= v.Needed {
		return stand{}, false
	}
	if *v.SparesFull >= v.Designed-v.Needed {
		if n, ok := e.router(t.form); ok {
			return e.behindOneRouter(v, n), true
		}
		return e.behindOneController(t, v)
	}
	if t.falsely != nil {
		return *t.falsely, true
	}
	s := stand{f: finding.Finding{Key: finding.KeyOf(finding.FalseRedundancy, v.ID), Rule: finding.FalseRedundancy, Subject: v.ID}}
	s.assumed = v.Basis == Assumed
	set := e.nearestShared(t, *v.SparesFull+1)
	for _, n := range set {
		s.f.Causes = append(s.f.Causes, finding.Cause{ID: e.graph.ID(n), Why: "shared by members"})
		s.f.Evidence = append(s.f.Evidence, e.waysTo(v, n)...)
	}
	shared := names(idsOf(e, set), 4)
	s.shared = shared
	s.f.Summary = fmt.Sprintf("%s: not redundant, %s takes more than one member with it (%d intended, %d there)", groupName(v), shared,
		v.Designed-v.Needed, *v.SparesFull)
	s.f.Remedy = fmt.Sprintf("Move a member of the group off %s, so that no single failure takes two.", shared)
	if len(set) > 1 {
		s.f.Summary = fmt.Sprintf("%s: less redundant than meant, %s together take it down (%d spares intended, %d there)", groupName(v), shared,
			v.Designed-v.Needed, *v.SparesFull)
	}
	t.falsely = &s
	return s, true
}

// behindOneController is the finding on an array whose drives all hang on one controller. Its drives are spares of each
// other, and topology counts the controller at the volume; but the array is less safe than it looks.
func (e *Engine) behindOneController(t *top, v *Group) (stand, bool) {
	n, ok := e.graph.Node(v.Carries)
	if !ok || v.Kind != component.Drive || v.Carries.Kind() != component.Volume {
		return stand{}, false
	}
	for _, m := range e.must.of(n) {
		id := e.graph.ID(m)
		if id.Kind() != component.Controller {
			continue
		}
		return stand{mild: true, f: finding.Finding{Key: finding.KeyOf(finding.FalseRedundancy, v.ID), Rule: finding.FalseRedundancy, Subject: v.ID,
			Summary:  fmt.Sprintf("%s: all behind %s, which takes them together", groupName(v), id),
			Causes:   []finding.Cause{{ID: id, Why: "carries all of them"}},
			Evidence: []string{fmt.Sprintf("%s <- %s", v.Carries, id)},
			Remedy:   fmt.Sprintf("Nothing to do where one controller is what was bought; count %s as a single point of failure.", name(v.Carries)),
		}}, true
	}
	return stand{}, false
}

func idsOf(e *Engine, nodes []redundancy.Node) []component.ID {
	ids := make([]component.ID, len(nodes))
	for i, n := range nodes {
		ids[i] = e.graph.ID(n)
	}
	return ids
}

// nearestShared is the smallest cut set, with nothing failed, that is nearest to the group: where it can be mended.
func (e *Engine) nearestShared(t *top, order int) []redundancy.Node {
	n := t.node
	cuts := e.solver.MinCuts(redundancy.Question{Top: n, Failed: e.isHold, MayFail: e.mayFailIn(t), Order: order, Budget: e.opt.Budget})
	level := e.levels(n)
	var best []redundancy.Node
	far := func(set []redundancy.Node) int {
		sum := 0
		for _, m := range set {
			sum += level[m]
		}
		return sum
	}
	for _, set := range cuts.Smallest(256) {
		if best == nil || far(set) < far(best) || far(set) == far(best) && slices.Compare(idsOf(e, set), idsOf(e, best)) < 0 {
			best = set
		}
	}
	return best
}

// levels are the distances from n down to what it needs.
func (e *Engine) levels(n redundancy.Node) map[redundancy.Node]int {
	level := map[redundancy.Node]int{n: 0}
	queue := []redundancy.Node{n}
	for done := 0; done < len(queue); done++ {
		for _, m := range e.needs.of(queue[done]) {
			if _, again := level[m]; !again {
				level[m] = level[queue[done]] + 1
				queue = append(queue, m)
			}
		}
	}
	return level
}

// waysTo are the ways from a group's members to what they share.
func (e *Engine) waysTo(v *Group, shared redundancy.Node) []string {
	var ways []string
	for _, id := range v.Members {
		n, ok := e.graph.Node(id)
		if !ok {
			continue
		}
		path := e.graph.Path(n, shared)
		if len(path) < 2 {
			continue
		}
		words := make([]string, len(path))
		for i, step := range path {
			words[i] = string(step)
		}
		if ways = append(ways, strings.Join(words, " <- ")); len(ways) == 4 {
			break
		}
	}
	return ways
}

// reducedCapacity is the standing finding on a group whose spares are needed to carry the load.
func (e *Engine) reducedCapacity(t *top, v *Group) (stand, bool) {
	g := t.form
	if g.raised == 0 || v.State == StateUnknown {
		return stand{}, false
	}
	f := finding.Finding{Key: finding.KeyOf(finding.ReducedCapacity, v.ID), Rule: finding.ReducedCapacity, Subject: v.ID,
		Summary: fmt.Sprintf("%s: %d of %d are needed for the load, not %d", groupName(v), g.needed, g.designed, g.raised),
		Causes:  []finding.Cause{{ID: v.ID, Why: fmt.Sprintf("the highest load seen is %.0f W", g.load)}},
		Remedy:  fmt.Sprintf("Lower the load of %s, cap its power, or fit stronger supplies; until then count %d spares.", v.ID.Device(), max(0, g.designed-g.needed)),
	}
	f.Evidence = append(f.Evidence, g.why)
	for _, id := range g.members {
		if n, ok := e.graph.Node(id); ok {
			if p := e.part(n); p != nil && p.Rating != nil {
				f.Evidence = append(f.Evidence, fmt.Sprintf("%s: rated %.0f W", id, p.Rating.Watts))
			}
		}
	}
	return stand{f: f}, true
}

// claimMismatch is the finding on a device whose own word disagrees with what is seen inside it. What lies outside the
// device (a shared feed) is no part of the comparison.
func (e *Engine) claimMismatch(t *top, v *Group) (stand, bool) {
	if v.State == StateUnknown {
		return stand{}, false
	}
	up := 0
	for _, id := range v.Members {
		n, ok := e.graph.Node(id)
		if !ok || e.cells[n].belief == silent {
			return stand{}, false
		}
		if e.cells[n].belief != fails {
			up++
		}
	}
	g := t.form
	designed := g.designed - g.needed
	own := stateOf(designed, designed, min(up-g.needed, max(designed, 0)))
	for _, c := range g.claims {
		if disagree(c.State, own, g.raised > 0) {
			return stand{f: e.mismatch(v, c, own, up)}, true
		}
	}
	return stand{}, false
}

// disagree compares a device's verdict with ours. Which degree of bad it is many devices don't tell, so bad agrees with
// bad. A device does not know of capacity; that has a finding of its own.
func disagree(c snapshot.ClaimState, own State, raised bool) bool {
	switch c {
	case snapshot.ClaimFull:
		return own != Full && !(raised && own == None)
	case snapshot.ClaimDegraded, snapshot.ClaimLost, snapshot.ClaimInsuff:
		return own == Full || own == None
	case snapshot.ClaimNotRedun:
		return own == Full
	}
	return false
}

func (e *Engine) mismatch(v *Group, c snapshot.Claim, own State, up int) finding.Finding {
	f := finding.Finding{Key: finding.KeyOf(finding.ClaimMismatch, v.ID), Rule: finding.ClaimMismatch, Subject: v.ID,
		Summary: fmt.Sprintf("%s: the device says %s, what is seen in it is %s (%d of %d work, %d needed)", groupName(v), c.State, own, up, v.Designed, v.Needed),
		Causes:  []finding.Cause{{ID: v.ID, Why: "two words on one thing"}},
		Remedy:  fmt.Sprintf("Look at the supplies, drives or fans of %s yourself; if the device is wrong update its firmware, if we are declare the group's needed and designed numbers.", v.ID.Device()),
	}
	if v.Kind != "" {
		f.Remedy = strings.Replace(f.Remedy, "supplies, drives or fans", v.Kind.Plural(), 1)
	}
	if w := claimWords(c); w != "" {
		f.Evidence = append(f.Evidence, w)
	}
	for _, k := range sortedKeys(c.Raw) {
		f.Evidence = append(f.Evidence, fmt.Sprintf("%s = %s", k, c.Raw[k]))
	}
	return f
}
