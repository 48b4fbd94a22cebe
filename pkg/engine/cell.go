package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// belief is what is held of a component by its own device's word (docs/design.md, 5.4).
type belief uint8

const (
	silent   belief = iota // somebody should know and nobody says: evaluated both ways
	works                  // seen working
	presumed               // nobody observes it: presumed working
	fails                  // known bad
)

// input is what a component says of the power that comes in.
type input uint8

const (
	noWord input = iota
	live
	lost
)

// cell is what is known of one node.
type cell struct {
	belief     belief
	unobserved bool // no target reports it
	predicted  bool // says that it will fail
	holds      bool // a ups on its battery
	proves     bool // seen working in a way that shows that its providers work
	input      input
}

// proving are the kinds whose working shows that what they cannot do without works too. An outlet that is switched on, or
// an agent that answers, shows nothing of the power behind it.
var proving = map[component.Kind]bool{
	component.PSU: true, component.Rectifier: true, component.Inlet: true, component.UPS: true,
	component.BGPSession: true, component.Port: true, component.Circuit: true, component.Drive: true,
}

// sensing are the kinds that notice whether power comes in.
var sensing = map[component.Kind]bool{component.PSU: true, component.Rectifier: true, component.Inlet: true, component.UPS: true}

// look finds what is known of a node now, and whether work on it is announced.
func (e *Engine) look(n redundancy.Node) cell {
	c := e.lookNow(n)
	id := e.graph.ID(n)
	c.predicted = c.predicted || e.planned.on[id] != nil || e.lines.fading(id)
	e.peerings.weigh(id, &c)
	return c
}

func (e *Engine) lookNow(n redundancy.Node) cell {
	id := e.graph.ID(n)
	d := e.deviceOf(id)
	heard := d != nil && d.view != nil
	switch {
	case e.opt.Offline || !heard && !e.observed[id.Device()]:
		return cell{belief: presumed, unobserved: true}
	case !heard:
		return cell{belief: silent}
	}
	if p := d.view.Part(id); p != nil {
		return lookAt(p, d.view)
	}
	return e.lookUnlisted(id, d)
}

// lookAt reads one part's word.
func lookAt(p *state.Part, view *state.Device) cell {
	available, known := p.Available()
	c := cell{predicted: p.Predicted}
	fresh := !p.Silent && !p.Kept
	battery := p.Kind == component.UPS && p.Attributes[component.OnBattery] == "true"
	unprotected := p.Kind == component.UPS && p.Attributes[component.Bypass] == "true"
	if battery && (p.Condition == component.OK || p.Condition == component.Impaired) {
		c.holds, c.predicted = true, true
		available, known = true, true
	}
	switch {
	case known && !available && p.Kept && p.Condition == component.Absent && provides[p.Kind]:
		c.belief = silent // its device lists it no more: that says nothing of its power
	case known && !available:
		c.belief = fails
	case p.Silent:
		c.belief = silent
	case isHost(p.Kind) && view.Identity.Powered == "off":
		c.belief = fails
	case known:
		c.belief = works
	case isMain(p.ID) && (!isHost(p.Kind) || view.Identity.Powered == "on"):
		c.belief = works // it answers
	default:
		c.belief = silent
	}
	c.proves = proving[p.Kind] && known && available && fresh && !battery && !unprotected
	if sensing[p.Kind] {
		switch {
		case p.InputLost && p.Condition != component.Failed && p.Condition != component.Absent || battery:
			c.input = lost
		case c.proves:
			c.input = live
		}
	}
	return c
}

func isHost(k component.Kind) bool { return k == component.Host || k == component.Blade }

// isMain reports whether the id is of a device's own main component.
func isMain(id component.ID) bool { return topology.Main([]component.ID{id}) == id }

// lookUnlisted judges a component that the model names and its device does not list: the device itself lives while it
// answers, a supply with a declared cord should be there, and of the rest nobody says anything.
func (e *Engine) lookUnlisted(id component.ID, d *device) cell {
	answers := slices.ContainsFunc(d.view.Targets, func(t state.Target) bool { return !t.Silent && !t.LastGood.IsZero() })
	switch {
	case !answers || !d.view.Read:
		return cell{belief: silent}
	case isHost(id.Kind()) && d.view.Identity.Powered == "off":
		return cell{belief: fails}
	case isMain(id):
		return cell{belief: works}
	case isSupply(id.Kind()) && e.declared[d.name] != nil && heard(d.view) && listsAny(d.view, id.Kind()) && !mistaken(d.view, e.declared[d.name], id):
		return cell{belief: fails}
	}
	return cell{belief: presumed, unobserved: true}
}

func listsAny(view *state.Device, k component.Kind) bool {
	return slices.ContainsFunc(view.Parts, func(p state.Part) bool { return p.Kind == k })
}

// part is the part that a node stands for, or nil.
func (e *Engine) part(n redundancy.Node) *state.Part {
	id := e.graph.ID(n)
	if d := e.deviceOf(id); d != nil && d.view != nil {
		return d.view.Part(id)
	}
	return nil
}

// refreshDevices brings the nodes of the devices that were updated up to date.
func (e *Engine) refreshDevices() {
	for name := range e.refresh {
		d := e.devices[name]
		delete(e.refresh, name)
		if d == nil {
			continue
		}
		if d.stale {
			e.pending[name] = true
			continue
		}
		for _, n := range d.nodes {
			if c := e.look(n); c != e.cells[n] {
				e.setCell(n, c)
			}
		}
		for i := range d.forms {
			if node, ok := e.graph.Node(d.forms[i].id); ok && e.topOf[node] >= 0 {
				t := &e.tops[e.topOf[node]]
				t.form = &d.forms[i]
				e.markTop(e.topOf[node])
			}
		}
		e.deviceFindings(d)
	}
}

// setCell takes in what is known of a node.
func (e *Engine) setCell(n redundancy.Node, c cell) {
	was := e.cells[n]
	e.cells[n] = c
	if was.unobserved != c.unobserved {
		e.observations++
	}
	if was.input != c.input {
		e.blame.note(e, n, c.input)
	}
	if provides[e.graph.Kind(n)] {
		e.blame.noteBroken(n, e.graph.ID(n), c.belief == fails)
	}
	if was.holds != c.holds {
		if h, ok := e.graph.Hold(n); ok {
			e.setBest(h, !c.holds)
			e.worst.SetFailed(h, !c.holds)
			e.quick.faults.set(n, e.best.Failed(n) || c.holds, &e.users)
		}
	}
	e.reported = e.reported && was == c
	e.omens.set(n, c.predicted, &e.users)
	e.pass(n)
	e.settleNode(n)
	if was != c {
		e.markTops(n)
	}
}

// pass carries along whether a node is seen working, down to what it cannot do without.
func (e *Engine) pass(n redundancy.Node) {
	stack := []redundancy.Node{n}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		now := e.seenWorking(at)
		if now == e.passing[at] {
			continue
		}
		e.passing[at] = now
		for _, m := range e.must.of(at) {
			if now {
				e.supports[m]++
			} else {
				e.supports[m]--
			}
			e.settleNode(m)
			stack = append(stack, m)
		}
	}
}

// seenWorking reports whether a node is seen working, directly or by what leans on it. A ups may work without what is
// above it, so only its own word counts.
func (e *Engine) seenWorking(n redundancy.Node) bool {
	c := &e.cells[n]
	return c.proves || e.supports[n] > 0 && c.belief != fails && e.graph.Kind(n) != component.UPS
}

// settleNode tells the three cases whether the node has failed by itself.
func (e *Engine) settleNode(n redundancy.Node) {
	c := &e.cells[n]
	bad := c.belief == fails || e.blame.blamed[n]
	doubt := !bad && c.belief == silent && e.supports[n] == 0
	if e.best.Failed(n) == bad && e.worst.Failed(n) == (bad || doubt) && e.predicted.Failed(n) == (bad || c.predicted) {
		return
	}
	e.setBest(n, bad)
	e.quick.faults.set(n, bad || c.holds, &e.users)
	e.worst.SetFailed(n, bad || doubt)
	e.predicted.SetFailed(n, bad || c.predicted)
	e.doubts.set(n, doubt, &e.users)
	e.markTops(n)
}

// wordAt is when the device last gave its word on the node; zero where it gave none.
func (e *Engine) wordAt(n redundancy.Node) time.Time {
	if p := e.part(n); p != nil {
		return p.At
	}
	return time.Time{}
}

// says is what a part's device says of it, in its words.
func says(p *state.Part) string {
	text := fmt.Sprintf("%s: %s", p.ID, p.Condition)
	for _, f := range []struct {
		on   bool
		word string
	}{{p.InputLost, "no input"}, {p.Predicted, "predicts its failure"}, {p.Standby, "standby"}, {p.Rebuilding, "rebuilding"}} {
		if f.on {
			text += ", " + f.word
		}
	}
	if p.Why != "" {
		text += fmt.Sprintf(" (%s)", p.Why)
	}
	if !p.At.IsZero() {
		text += ", said " + component.Stamp(p.At)
	}
	if p.Source != "" {
		text += " by " + p.Source
	}
	return text
}
