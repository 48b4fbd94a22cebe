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
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// cabling keeps the declared cords that what is observed contradicts: a supply that keeps its input although what it
// hangs on is gone, or loses it together with what it doesn't hang on. Such a link is left out of the structure; a
// supply's own word on its input counts for more than a drawing.
type cabling struct {
	wrong map[component.ID]*wrongCord // by the supply
}

type wrongCord struct {
	supply   component.ID
	declared component.ID // provider that the cable names
	actual   component.ID // provider that it seems to hang on; "": not known
	since    time.Time
	firm     bool // beyond doubt: the link stays out until the model changes
	why      string
	evidence []string
}

// doubtTime is how long a supply has to keep its input under a dead provider before that is more than an old word.
const doubtTime = 30 * time.Second

// oneCause is how far apart two losses may be seen that had one cause.
const oneCause = 30 * time.Second

func (c *cabling) init() { c.wrong = map[component.ID]*wrongCord{} }

// resume takes up a finding from before a restart, if the model still says what it contradicts.
func (c *cabling) resume(e *Engine, f finding.Finding) {
	if len(f.Causes) < 2 {
		return
	}
	w := &wrongCord{supply: f.Causes[0].ID, declared: f.Causes[1].ID, since: f.Since, firm: true, why: f.Causes[0].Why, evidence: f.Evidence}
	if len(f.Causes) > 2 {
		w.actual = f.Causes[2].ID
	}
	still := slices.ContainsFunc(e.model.Links, func(l topology.Link) bool {
		return l.To == w.supply && l.From == w.declared && l.Kind != component.Neighbour
	})
	if still {
		c.wrong[w.supply] = w
		e.stale = true
	}
}

// without are the links that are left out.
func (c *cabling) without() []component.Link {
	var links []component.Link
	for _, id := range slices.Sorted(maps.Keys(c.wrong)) {
		links = append(links, component.Link{From: c.wrong[id].declared, To: id, Kind: component.Feeds})
	}
	return links
}

// instead are the links that the evidence puts in their places.
func (c *cabling) instead() []component.Link {
	var links []component.Link
	for _, id := range slices.Sorted(maps.Keys(c.wrong)) {
		if w := c.wrong[id]; w.actual != "" {
			links = append(links, component.Link{From: w.actual, To: id, Kind: component.Feeds})
		}
	}
	return links
}

// swapped reports whether a supply that has input although p seems to be gone hangs on something else: another supply of
// its device lost its input at the time, and what that one is said to hang on is alive.
func (e *Engine) swapped(n, p redundancy.Node) bool {
	return e.swappedWith(n, p) >= 0
}

func (e *Engine) swappedWith(n, p redundancy.Node) redundancy.Node {
	if !isSupply(e.graph.Kind(n)) {
		return -1
	}
	first := e.firstLoss(p, n)
	for _, m := range e.siblings(n) {
		if !e.blame.lost[m] || e.isBelow(m, p) || !e.othersLive(m) {
			continue
		}
		if since := e.blame.since[e.graph.ID(m)]; !first.IsZero() && since.Sub(first).Abs() <= oneCause {
			return m
		}
	}
	return -1
}

// firstLoss is when the first node below p, other than those of n's device, lost its input.
func (e *Engine) firstLoss(p, n redundancy.Node) time.Time {
	var first time.Time
	own := e.graph.ID(n).Device()
	e.eachInput(p, time.Time{}, func(m redundancy.Node, _ input) bool {
		id := e.graph.ID(m)
		if t := e.blame.since[id]; e.blame.lost[m] && id.Device() != own && (first.IsZero() || t.Before(first)) {
			first = t
		}
		return true
	})
	if part := e.part(p); first.IsZero() && part != nil && e.cells[p].belief == fails {
		first = part.BadSince
	}
	return first
}

// siblings are the other supplies of n's device.
func (e *Engine) siblings(n redundancy.Node) []redundancy.Node {
	d := e.devices[e.graph.ID(n).Device()]
	if d == nil {
		return nil
	}
	var found []redundancy.Node
	for _, m := range d.nodes {
		if m != n && isSupply(e.graph.Kind(m)) {
			found = append(found, m)
		}
	}
	return found
}

// isBelow reports whether n gets its power through p, as the structure has it.
func (e *Engine) isBelow(n, p redundancy.Node) bool {
	seen := map[redundancy.Node]bool{n: true}
	stack := []redundancy.Node{n}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if at == p {
			return true
		}
		for _, m := range e.up.of(at) {
			if !seen[m] {
				seen[m] = true
				stack = append(stack, m)
			}
		}
	}
	return false
}

// othersLive reports whether what a lost supply is said to hang on feeds others that have said since that they have
// input, or says itself that it is well.
func (e *Engine) othersLive(n redundancy.Node) bool {
	return e.aliveAbove(n) >= 0
}

// aliveAbove finds the nearest provider above a lost node that is seen alive since; -1: none is.
func (e *Engine) aliveAbove(n redundancy.Node) redundancy.Node {
	since := e.blame.since[e.graph.ID(n)]
	seen, below := map[redundancy.Node]bool{n: true}, map[redundancy.Node]bool{n: true}
	level := []redundancy.Node{n}
	for range blameLevels {
		var next []redundancy.Node
		for _, at := range level {
			for _, p := range e.up.of(at) {
				if seen[p] {
					continue
				}
				seen[p] = true
				if e.aliveSince(p, since, below) {
					return p
				}
				if e.cells[p].belief != fails && !e.blame.blamed[p] {
					next = append(next, p)
				}
			}
		}
		level = next
	}
	return -1
}

// aliveSince reports whether p said since then that it is well, or something below it that it has input; below is what was
// looked at before.
func (e *Engine) aliveSince(p redundancy.Node, since time.Time, below map[redundancy.Node]bool) bool {
	if e.blame.blamed[p] || e.cells[p].belief == fails {
		return false
	}
	if e.inputSince(p, since) == live {
		return true
	}
	if part := e.part(p); part != nil && e.cells[p].belief == works && !part.Silent && !part.Kept && part.At.After(since) {
		return true
	}
	alive := false
	e.eachNewInput(p, since, below, func(_ redundancy.Node, in input) bool {
		alive = in == live
		return !alive
	})
	return alive
}

// checkCables compares the cords that are declared with what is seen. It returns whether the structure changed by it.
func (e *Engine) checkCables() bool {
	b := &e.blame
	if len(b.blamed) == 0 && len(b.broken) == 0 {
		return e.dropDoubts()
	}
	changed := e.dropDoubts()
	for _, dead := range []map[redundancy.Node]bool{b.blamed, b.broken} {
		for _, p := range slices.Sorted(maps.Keys(dead)) {
			if e.graph.Domain(p) == component.Power {
				changed = e.checkBelow(p) || changed
			}
		}
	}
	for r := range b.under {
		if b.blamed[r] || b.broken[r] {
			changed = e.checkBeside(r) || changed
		}
	}
	if changed {
		e.stale = true
	}
	return changed
}

// dropDoubts puts back cords that were left out on one word only, where that word changed.
func (e *Engine) dropDoubts() bool {
	changed := false
	for id, w := range e.cabling.wrong {
		n, ok := e.graph.Node(id)
		p, known := e.graph.Node(w.declared)
		if w.firm {
			if ok && known && e.mended(n, p, w) {
				delete(e.cabling.wrong, id)
				e.stale, changed = true, true
			}
			continue
		}
		dead := known && (!e.best.Works(p))
		switch {
		case !ok || !dead || e.cells[n].input != live:
			delete(e.cabling.wrong, id)
			e.stale, changed = true, true
		case e.wordAt(n).Sub(w.since) >= doubtTime:
			w.firm = true
			e.reported = false
		}
	}
	return changed
}

// mended reports whether a cord that was wrong is seen to hang where the model says: the supply lost its input together
// with the declared provider, or kept it when the other one went.
func (e *Engine) mended(n, declared redundancy.Node, w *wrongCord) bool {
	b := &e.blame
	other, known := e.graph.Node(w.actual)
	if known && e.cells[n].input == live && !e.best.Works(other) && e.wordAt(n).After(e.goneSince(other)) {
		return e.wordAt(n).After(w.since.Add(doubtTime))
	}
	if !b.lost[n] || e.best.Works(declared) || known && !e.best.Works(other) {
		return false
	}
	since := e.goneSince(declared)
	return !since.IsZero() && b.since[e.graph.ID(n)].Sub(since).Abs() <= oneCause && since.After(w.since)
}

// checkBelow finds supplies that have input although p, through which alone they are said to get it, is gone.
func (e *Engine) checkBelow(p redundancy.Node) bool {
	changed := false
	since := e.goneSince(p)
	e.eachInput(p, since, func(n redundancy.Node, in input) bool {
		id := e.graph.ID(n)
		if in != live || !isSupply(id.Kind()) || !e.wordAt(n).After(since) || e.cabling.wrong[id] != nil {
			return true
		}
		link, ok := e.cord(n, p)
		if !ok {
			return true
		}
		w := &wrongCord{supply: id, declared: link, since: e.wordAt(n), why: fmt.Sprintf("has input although %s, on which it is said to hang, has none", e.graph.ID(p))}
		w.evidence = e.wordsOn(n, p)
		if m := e.swappedWith(n, p); m >= 0 {
			w.firm = true
			w.why += fmt.Sprintf("; %s lost it instead", e.graph.ID(m))
			e.swap(m, p)
			w.evidence = append(w.evidence, e.wordsOn(m, -1)...)
		}
		e.cabling.wrong[id] = w
		changed = true
		return true
	})
	return changed
}

// goneSince is when p was first known to be gone.
func (e *Engine) goneSince(p redundancy.Node) time.Time {
	if part := e.part(p); part != nil && e.cells[p].belief == fails {
		if part.BadSince.IsZero() {
			return part.At
		}
		return part.BadSince
	}
	var first time.Time
	for _, n := range e.blame.under[e.rootAbove(p)] {
		if t := e.blame.since[e.graph.ID(n)]; first.IsZero() || t.Before(first) {
			first = t
		}
	}
	return first
}

// rootAbove is the root that explains a provider that is gone.
func (e *Engine) rootAbove(p redundancy.Node) redundancy.Node {
	if len(e.blame.under[p]) > 0 {
		return p
	}
	for r := range e.blame.under {
		if e.isBelow(p, r) {
			return r
		}
	}
	return p
}

// cord is the declared provider of n on its way to p.
func (e *Engine) cord(n, p redundancy.Node) (component.ID, bool) {
	for _, m := range e.up.of(n) {
		if e.graph.ID(m).Device() != e.graph.ID(n).Device() && e.isBelow(m, p) {
			return e.graph.ID(m), true
		}
	}
	return "", false
}

// swap notes that a lost supply hangs on p, and not where it is said to.
func (e *Engine) swap(n, p redundancy.Node) {
	id := e.graph.ID(n)
	if w := e.cabling.wrong[id]; w != nil {
		return
	}
	for _, m := range e.up.of(n) {
		if e.graph.ID(m).Device() == id.Device() {
			continue
		}
		w := &wrongCord{supply: id, declared: e.graph.ID(m), actual: e.graph.ID(p), since: e.now, firm: true,
			why: fmt.Sprintf("lost its input together with %s, and %s, on which it is said to hang, lives", e.graph.ID(p), e.graph.ID(m))}
		w.evidence = e.wordsOn(n, p)
		if alive := e.aliveAbove(n); alive >= 0 {
			w.why = fmt.Sprintf("lost its input together with %s, although %s, on which it is said to hang, is alive", e.graph.ID(p), e.graph.ID(alive))
			w.evidence = append(w.evidence, e.signOfLife(alive, n)...)
		}
		e.cabling.wrong[id] = w
		return
	}
}

// checkBeside finds supplies that lost their input together with a provider they are not said to hang on: another supply
// of the same device hangs there and lost it too, and what the first is said to hang on is alive.
func (e *Engine) checkBeside(p redundancy.Node) bool {
	changed := false
	for _, n := range e.blame.under[p] {
		if !isSupply(e.graph.Kind(n)) || !e.isBelow(n, p) {
			continue
		}
		for _, m := range e.siblings(n) {
			id := e.graph.ID(m)
			near := e.blame.since[id].Sub(e.blame.since[e.graph.ID(n)]).Abs() <= oneCause
			if !e.blame.lost[m] || !near || e.blame.root[m] != m || e.isBelow(m, p) || e.cabling.wrong[id] != nil || !e.othersLive(m) {
				continue
			}
			before := len(e.cabling.wrong)
			e.swap(m, p)
			changed = changed || len(e.cabling.wrong) > before
		}
	}
	return changed
}

// wordsOn is what the devices say of a supply and of a provider.
func (e *Engine) wordsOn(n, p redundancy.Node) []string {
	var words []string
	for _, node := range []redundancy.Node{n, p} {
		if node < 0 {
			continue
		}
		if part := e.part(node); part != nil {
			words = append(words, says(part))
		} else if lost := e.supplies(e.rootAbove(node)); lost != "" {
			words = append(words, fmt.Sprintf("%s: without input below it: %s", e.graph.ID(node), lost))
		}
	}
	return words
}

// signOfLife tells why a provider is held to be alive.
func (e *Engine) signOfLife(p, but redundancy.Node) []string {
	var words []string
	if part := e.part(p); part != nil {
		words = append(words, says(part))
	}
	e.eachInput(p, time.Time{}, func(m redundancy.Node, in input) bool {
		if m != but && in == live {
			if part := e.part(m); part != nil {
				words = append(words, says(part))
			}
		}
		return len(words) < 2
	})
	return words
}

// cablingFindings are the findings on cords that are wrong beyond doubt.
func (e *Engine) cablingFindings() []stand {
	var found []stand
	for _, id := range slices.Sorted(maps.Keys(e.cabling.wrong)) {
		w := e.cabling.wrong[id]
		if !w.firm {
			continue
		}
		f := finding.Finding{
			Key: finding.KeyOf(finding.WrongCabling, id), Rule: finding.WrongCabling, Subject: id,
			Summary:  fmt.Sprintf("%s is not cabled as the model says: it %s", id, w.why),
			Causes:   []finding.Cause{{ID: id, Why: w.why}, {ID: w.declared, Why: "what the model says it hangs on"}},
			Evidence: w.evidence,
			Remedy:   fmt.Sprintf("Follow the cord of %s to its outlet. Plug it where the model says (%s), or correct the cable in the model and reload.", name(id), w.declared),
			Since:    w.since,
		}
		if w.actual != "" {
			f.Summary = fmt.Sprintf("%s is not cabled as the model says: it seems to hang on %s, and not on %s", id, w.actual, w.declared)
			f.Causes = append(f.Causes, finding.Cause{ID: w.actual, Why: "what it seems to hang on"})
			f.Remedy += fmt.Sprintf(" Until then it counts as hanging on %s.", w.actual)
		} else {
			f.Remedy += " Until then nothing is known of what feeds it."
		}
		found = append(found, stand{f: f, waits: e.waitsFor(w)})
	}
	return found
}

// waitsFor are the nodes whose inquiries a finding on a cord waits for: those about the provider that is gone.
func (e *Engine) waitsFor(w *wrongCord) []redundancy.Node {
	for _, id := range []component.ID{w.actual, w.declared} {
		if n, ok := e.graph.Node(id); ok && !e.best.Works(n) {
			return e.witnessesOf(e.rootAbove(n))
		}
	}
	return nil
}

// name is a component for people: "psu 2 of srv-101", "feed-a of ams1".
func name(id component.ID) string {
	local, kind := id.Local(), strings.ReplaceAll(string(id.Kind()), "_", " ")
	switch {
	case local == "":
		return string(id)
	case id.Kind() == component.Path:
		return "the way " + local
	case strings.HasPrefix(local, string(id.Kind())):
		return fmt.Sprintf("%s of %s", local, id.Device())
	}
	return fmt.Sprintf("%s %s of %s", kind, local, id.Device())
}
