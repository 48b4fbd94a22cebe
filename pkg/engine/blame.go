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
)

// blame finds out whether a feed or a part is at fault (docs/design.md, 5.5). It climbs on evidence only: a provider is
// blamed on its own report, or when at least two of its dependants have lost their input and none of those that gave
// their word since has it.
type blame struct {
	lost   map[redundancy.Node]bool // sensing nodes without input
	broken map[redundancy.Node]bool // providers that report themselves failed, absent or without input
	blamed map[redundancy.Node]bool // providers, on the evidence of their dependants

	// root of each lost node: the highest provider that is known to be gone; itself where there is none.
	root  map[redundancy.Node]redundancy.Node
	under map[redundancy.Node][]redundancy.Node // by root: the lost nodes

	// causes is root by id, of those that have another than themselves; after are those whose root is over. Both outlive
	// the structure.
	causes map[component.ID]component.ID
	after  map[component.ID]aftermath

	since     map[component.ID]time.Time // when the input was first seen lost
	inquiries map[component.ID]*inquiry
	asked     map[string]time.Time
}

// blameLevels is how many providers above a lost input are looked at. No real way from a supply to the street is longer.
const blameLevels = 64

// inquiry holds back what is said of a lost input until those who know more have answered.
type inquiry struct {
	since   time.Time // they have to answer later than this
	until   time.Time // and not later than this
	devices []string
	closed  bool
}

func (b *blame) init() {
	b.causes, b.after = map[component.ID]component.ID{}, map[component.ID]aftermath{}
	b.since, b.inquiries, b.asked = map[component.ID]time.Time{}, map[component.ID]*inquiry{}, map[string]time.Time{}
	b.forgetNodes()
}

// forgetNodes drops what is known by node; the nodes are numbered anew.
func (b *blame) forgetNodes() {
	b.lost, b.broken, b.blamed = map[redundancy.Node]bool{}, map[redundancy.Node]bool{}, map[redundancy.Node]bool{}
	b.root, b.under = map[redundancy.Node]redundancy.Node{}, map[redundancy.Node][]redundancy.Node{}
}

// note takes in that a node's word on its input changed.
func (b *blame) note(e *Engine, n redundancy.Node, now input) {
	id := e.graph.ID(n)
	if now == lost {
		b.lost[n] = true
		if b.since[id].IsZero() {
			b.since[id] = e.wordAt(n)
			if p := e.part(n); p != nil && !p.BadSince.IsZero() && p.BadSince.Before(p.At) {
				b.since[id] = p.BadSince
			}
		}
		return
	}
	delete(b.lost, n)
	if now == live || e.cells[n].belief != silent {
		delete(b.since, id)
		delete(b.inquiries, id)
		delete(b.causes, id)
		delete(b.after, id)
	}
}

func (b *blame) noteBroken(n redundancy.Node, id component.ID, broken bool) {
	if broken {
		b.broken[n] = true
		return
	}
	delete(b.broken, n)
	if !b.lost[n] {
		delete(b.inquiries, id)
	}
}

// provides are the kinds whose failure is told as a provider's.
var provides = map[component.Kind]bool{
	component.Utility: true, component.Generator: true, component.ATS: true, component.UPS: true, component.Feed: true,
	component.Panel: true, component.Breaker: true, component.PDU: true, component.Bank: true, component.Phase: true,
	component.Inlet: true, component.Outlet: true, component.Cooling: true,
}

// climb is what the lost nodes say of the providers above them.
type climb struct {
	first map[redundancy.Node]time.Time                    // by provider: when the first node below lost its input
	kids  map[redundancy.Node]map[redundancy.Node]bool     // by provider: the direct dependants whose branch is lost
	above map[redundancy.Node]map[redundancy.Node]struct{} // by lost node or provider: the providers to which blame may climb
}

// assignBlame settles which providers are gone, and asks those who may know more.
func (e *Engine) assignBlame() []Question {
	b := &e.blame
	if len(b.lost) == 0 && len(b.blamed) == 0 && len(b.after) == 0 && len(b.broken) == 0 {
		clear(b.root)
		clear(b.under)
		return nil
	}
	c := e.climb()
	questions := e.inquire()
	now := map[redundancy.Node]bool{}
	for p, kids := range c.kids {
		if len(kids) >= 2 && e.liveBelow(p, c.first[p]) < 0 {
			now[p] = true
		}
	}
	e.reconsider(now)
	e.findRoots(c)
	questions = append(questions, e.noteAftermath(c)...)
	e.closeInquiries()
	e.endAftermaths()
	return questions
}

// climb walks up from every lost node. It goes no further above a provider that reports itself broken, or that says
// since that it is well: what is above such a one is not to blame. An outlet's word is of its switch, not of its power.
func (e *Engine) climb() *climb {
	c := &climb{first: map[redundancy.Node]time.Time{}, kids: map[redundancy.Node]map[redundancy.Node]bool{}, above: map[redundancy.Node]map[redundancy.Node]struct{}{}}
	for n := range e.blame.lost {
		since := e.blame.since[e.graph.ID(n)]
		seen := map[redundancy.Node]bool{n: true}
		level := []redundancy.Node{n}
		for range blameLevels {
			var next []redundancy.Node
			for _, at := range level {
				for _, p := range e.up.of(at) {
					c.note(at, p, since)
					if !seen[p] && !e.stopsBlame(p, since) {
						seen[p] = true
						next = append(next, p)
					}
				}
			}
			level = next
		}
	}
	return c
}

func (c *climb) note(kid, p redundancy.Node, since time.Time) {
	if t, ok := c.first[p]; !ok || since.Before(t) {
		c.first[p] = since
	}
	if c.kids[p] == nil {
		c.kids[p] = map[redundancy.Node]bool{}
	}
	c.kids[p][kid] = true
	if c.above[kid] == nil {
		c.above[kid] = map[redundancy.Node]struct{}{}
	}
	c.above[kid][p] = struct{}{}
}

func (e *Engine) stopsBlame(p redundancy.Node, since time.Time) bool {
	if e.cells[p].belief == fails || e.inputSince(p, since) != noWord {
		return true
	}
	if e.graph.Kind(p) == component.Outlet || e.cells[p].belief != works {
		return false
	}
	return e.wordAt(p).After(since)
}

// inputSince is a node's word on its input, if it still counts: that it is lost counts until it is back, that it is live
// only if it was said since then.
func (e *Engine) inputSince(n redundancy.Node, since time.Time) input {
	if c := e.cells[n].input; c != live || !e.wordAt(n).Before(since) {
		return c
	}
	return noWord
}

// liveBelow finds a dependant of p that cannot do without p and said since then that it has input; -1: there is none.
func (e *Engine) liveBelow(p redundancy.Node, since time.Time) redundancy.Node {
	found := redundancy.Node(-1)
	e.eachInput(p, since, func(n redundancy.Node, in input) bool {
		if in == live && !e.swapped(n, p) {
			found = n
		}
		return found < 0
	})
	return found
}

// eachInput calls f with every node below p that gives its word on its input and gets it through p alone, until f
// returns false. That something is live counts only if it was said since then.
func (e *Engine) eachInput(p redundancy.Node, since time.Time, f func(redundancy.Node, input) bool) {
	e.eachNewInput(p, since, map[redundancy.Node]bool{}, f)
}

// eachNewInput is eachInput without what was seen before.
func (e *Engine) eachNewInput(p redundancy.Node, since time.Time, seen map[redundancy.Node]bool, f func(redundancy.Node, input) bool) {
	seen[p] = true
	stack := []redundancy.Node{p}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, kid := range e.down.of(at) {
			if seen[kid] || !slices.Contains(e.must.of(kid), at) {
				continue
			}
			seen[kid] = true
			if in := e.inputSince(kid, since); in != noWord {
				if !f(kid, in) {
					return
				}
				continue
			}
			if e.cells[kid].belief != fails {
				stack = append(stack, kid)
			}
		}
	}
}

// reconsider makes now the providers that are blamed.
func (e *Engine) reconsider(now map[redundancy.Node]bool) {
	was := e.blame.blamed
	e.blame.blamed = now
	for p := range was {
		if !now[p] {
			e.settleNode(p)
		}
	}
	for p := range now {
		if !was[p] {
			e.settleNode(p)
		}
	}
}

// findRoots finds for every lost node the highest provider that is gone.
func (e *Engine) findRoots(c *climb) {
	b := &e.blame
	old := b.root
	b.root, b.under = make(map[redundancy.Node]redundancy.Node, len(b.lost)), map[redundancy.Node][]redundancy.Node{}
	for n := range b.lost {
		b.root[n] = e.rootOf(n, c)
	}
	for n, r := range b.root {
		// A lost inlet on the way is itself explained by what is above it.
		for hops := 0; hops < 8 && r != n && b.lost[r] && b.root[r] != r; hops++ {
			r = b.root[r]
		}
		b.root[n] = r
		b.under[r] = append(b.under[r], n)
	}
	for r := range b.under {
		slices.Sort(b.under[r])
	}
	for n, r := range b.root {
		if was, ok := old[n]; !ok || was != r {
			e.markTops(n)
			e.reported = false
		}
	}
}

// rootOf is the highest provider above a lost node that is blamed or broken, the node itself where there is none.
func (e *Engine) rootOf(n redundancy.Node, c *climb) redundancy.Node {
	root, level := n, []redundancy.Node{n}
	seen := map[redundancy.Node]bool{n: true}
	for len(level) > 0 {
		var next []redundancy.Node
		for _, at := range level {
			for p := range c.above[at] {
				if !seen[p] {
					seen[p] = true
					next = append(next, p)
				}
			}
		}
		slices.Sort(next)
		for _, p := range next {
			if gone := e.blame.blamed[p] || e.cells[p].belief == fails; gone && !c.isAbove(root, p) {
				root = p
				break
			}
		}
		level = slices.DeleteFunc(next, func(p redundancy.Node) bool { return e.cells[p].belief == fails })
	}
	return root
}

// isAbove reports whether blame for p may climb to a provider. Ways up are not equally long: what is met later may be lower.
func (c *climb) isAbove(provider, p redundancy.Node) bool {
	seen, stack := map[redundancy.Node]bool{p: true}, []redundancy.Node{p}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for up := range c.above[at] {
			if up == provider {
				return true
			}
			if !seen[up] {
				seen[up] = true
				stack = append(stack, up)
			}
		}
	}
	return false
}

// inquire opens an inquiry for every input that was newly lost: the provider, and its other dependants, are to be read
// now; and for every provider that says that it is gone: its dependants are.
func (e *Engine) inquire() []Question {
	b := &e.blame
	var questions []Question
	for _, n := range slices.Sorted(maps.Keys(b.lost)) {
		if id := e.graph.ID(n); b.inquiries[id] == nil {
			questions = append(questions, e.open(n, b.since[id], e.witnesses(n), fmt.Sprintf("%s lost its input: is it alone?", id))...)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(b.broken)) {
		if id := e.graph.ID(n); b.inquiries[id] == nil && e.leaned[n] {
			questions = append(questions, e.open(n, e.goneSince(n), e.below(n), fmt.Sprintf("%s says that it is gone: has what hangs on it input?", id))...)
		}
	}
	return questions
}

// open opens an inquiry, unless what it is about was told before.
func (e *Engine) open(n redundancy.Node, since time.Time, devices []string, why string) []Question {
	id := e.graph.ID(n)
	q := &inquiry{since: since, until: e.now.Add(e.opt.Ask), devices: devices}
	e.blame.inquiries[id] = q
	for _, key := range []finding.Key{inputLostKey(id), finding.KeyOf(finding.ProviderLost, id)} {
		if _, resumed := e.resumed[key]; resumed || e.standing.isOpen(key) {
			q.closed = true
			return nil
		}
	}
	var questions []Question
	for _, name := range devices {
		if !e.answered(name, since) {
			questions = append(questions, e.ask(name, since, why)...)
		}
	}
	return questions
}

// below are the devices that get their input through a provider, at most 64.
func (e *Engine) below(n redundancy.Node) []string {
	const most = 64
	names := map[string]bool{}
	e.eachInput(n, time.Time{}, func(m redundancy.Node, _ input) bool {
		if name := e.graph.ID(m).Device(); name != e.graph.ID(n).Device() {
			names[name] = true
		}
		return len(names) < most
	})
	return slices.Sorted(maps.Keys(names))
}

// ask makes a question, unless the device was asked since.
func (e *Engine) ask(name string, since time.Time, why string) []Question {
	if at, ok := e.blame.asked[name]; ok && at.After(since) && e.now.Sub(at) < e.opt.Ask {
		return nil
	}
	e.blame.asked[name] = e.now
	return []Question{{Device: name, Why: why}}
}

// witnesses are the devices that know more of a lost input: the nearest observed providers, and other dependants of the
// nearest provider that has any.
func (e *Engine) witnesses(n redundancy.Node) []string {
	const most, providers = 64, 2
	own := e.graph.ID(n).Device()
	names := map[string]bool{}
	above, siblings := 0, false
	seen, below := map[redundancy.Node]bool{n: true}, map[redundancy.Node]bool{n: true}
	level := []redundancy.Node{n}
	for range blameLevels {
		if len(level) == 0 || above >= providers && siblings {
			break
		}
		var next []redundancy.Node
		for _, at := range level {
			for _, p := range e.up.of(at) {
				if seen[p] {
					continue
				}
				seen[p] = true
				next = append(next, p)
				if name := e.graph.ID(p).Device(); name != own && e.isRead(name) && !names[name] && above < providers {
					names[name] = true
					above++
				}
				if siblings {
					continue
				}
				e.eachNewInput(p, time.Time{}, below, func(m redundancy.Node, _ input) bool {
					if name := e.graph.ID(m).Device(); name != own && m != n {
						names[name] = true
						siblings = true
					}
					return len(names) < most
				})
			}
		}
		level = next
	}
	return slices.Sorted(maps.Keys(names))
}

// isRead reports whether the device has targets.
func (e *Engine) isRead(name string) bool {
	d := e.devices[name]
	return e.observed[name] || d != nil && d.view != nil
}

// answered reports whether all targets of a device were tried later than then.
func (e *Engine) answered(name string, then time.Time) bool {
	d := e.devices[name]
	if d == nil || d.view == nil {
		return false
	}
	for _, t := range d.view.Targets {
		if !t.LastTry.After(then) {
			return false
		}
	}
	return true
}

func (e *Engine) closeInquiries() {
	for _, q := range e.blame.inquiries {
		if q.closed {
			continue
		}
		open := slices.ContainsFunc(q.devices, func(name string) bool { return !e.answered(name, q.since) })
		if !open || !e.now.Before(q.until) {
			q.closed = true
			e.reported = false
		}
	}
}

// asking reports whether an inquiry about the node's input is open.
func (e *Engine) asking(n redundancy.Node) bool {
	q := e.blame.inquiries[e.graph.ID(n)]
	return q != nil && !q.closed
}

// evidenceFor tells in words why a provider is held to be gone: its own word, and those of its dependants.
func (e *Engine) evidenceFor(p redundancy.Node) []string {
	var words []string
	if part := e.part(p); part != nil {
		words = append(words, says(part))
	} else if d := e.devices[e.graph.ID(p).Device()]; d != nil && d.view != nil && allSilent(d) {
		words = append(words, fmt.Sprintf("%s does not answer", d.name))
	} else if e.cells[p].unobserved {
		words = append(words, fmt.Sprintf("nobody observes %s; this follows from what hangs on it", e.graph.ID(p)))
	}
	below := e.blame.under[p]
	const shown = 12
	for i, n := range below {
		if i == shown {
			words = append(words, fmt.Sprintf("and %d more without input", len(below)-shown))
			break
		}
		if part := e.part(n); part != nil {
			words = append(words, says(part))
		}
	}
	return words
}

// supplies counts the lost nodes below a root by kind, for people: "1 inlet, 12 supplies".
func (e *Engine) supplies(p redundancy.Node) string {
	count := map[component.Kind]int{}
	for _, n := range e.blame.under[p] {
		count[e.graph.Kind(n)]++
	}
	var words []string
	for _, k := range slices.Sorted(maps.Keys(count)) {
		words = append(words, k.Count(count[k]))
	}
	return strings.Join(words, ", ")
}
