package capacity

import (
	"cmp"
	"math"
	"slices"

	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// Meter is what was measured at one node: all that passes through it.
type Meter struct {
	Node redundancy.Node
	Load Load
}

// Draw is what one tap draws.
type Draw struct {
	VA, W float64
	// Told: a meter of the tap itself, or of something that serves it alone, tells it. Otherwise it's an equal part of what
	// was measured for several.
	Told bool
}

// NotTold is the draw of a tap of which nothing is known.
func NotTold() Draw { return Draw{VA: math.NaN(), W: math.NaN()} }

func (d Draw) known() bool { return !math.IsNaN(d.VA) }

func (d Draw) same(o Draw) bool { return d == o || !d.known() && !o.known() }

// unexplained is the part of a measured load by which meters may differ without there being more load.
const unexplained = 0.05

// Estimator keeps up to date what taps draw, as meters tell it. Of what a meter shows, what is known below it is taken
// off; the rest belongs to the taps below that are not known, in equal parts, or, where there are none, to something that
// the model does not know.
//
// After a reading changed only those meters are looked at again above which, or on which, something changed. Which nodes
// are metered, what works and by which weights load is shared is settled when it is made.
type Estimator struct {
	sources []Source
	own     [][]Draw // what is measured at the taps themselves
	dead    [][]bool // the tap does not work
	draws   [][]Draw
	above   [][][]int32 // by source and tap: the meters that its load passes through, rising
	meters  []meter     // dependants before what they hang on
	at      map[redundancy.Node]int32

	dirty   []bool // by meter
	changed []int32
	noted   []bool // by source: it is in changed
}

// meter is one metered node.
type meter struct {
	node  redundancy.Node
	load  Load
	below []share // of taps' loads
	above []pass  // of a load that begins here, through the meters further up
	from  []pass  // the same, the other way round
	rest  Load    // measured here, and no source's
}

// share is the part of a tap's load that passes through a meter.
type share struct {
	source, tap int32
	frac        float64
}

// pass is the part of the load that begins at one meter and passes through another.
type pass struct {
	meter int32
	frac  float64
	pin   Slot
}

// NewEstimator follows the sources' taps, and the metered nodes, to the meters that their loads pass through. Nothing is
// measured yet; a tap that does not work draws nothing.
func (n *Network) NewEstimator(works func(redundancy.Node) bool, sources []Source, metered []redundancy.Node) *Estimator {
	e := &Estimator{sources: sources, meters: make([]meter, len(metered)), at: make(map[redundancy.Node]int32, len(metered)),
		dirty: make([]bool, len(metered)), noted: make([]bool, len(sources))}
	sorted := slices.SortedFunc(slices.Values(metered), func(a, b redundancy.Node) int { return cmp.Compare(n.rank[b], n.rank[a]) })
	for k, node := range sorted {
		e.meters[k].node = node
		e.at[node] = int32(k)
		e.dirty[k] = true
	}
	for k := range e.meters {
		for _, p := range n.walk(e.meters[k].node, works) {
			if up, ok := e.at[p.node]; ok && int(up) != k {
				e.meters[k].above = append(e.meters[k].above, pass{up, p.frac, p.pin})
				e.meters[up].from = append(e.meters[up].from, pass{int32(k), p.frac, p.pin})
			}
		}
	}
	for i := range sources {
		taps := sources[i].Taps
		own, draws, dead, above := make([]Draw, len(taps)), make([]Draw, len(taps)), make([]bool, len(taps)), make([][]int32, len(taps))
		for j, t := range taps {
			own[j], draws[j] = NotTold(), NotTold()
			if dead[j] = !works(t.Node); dead[j] {
				own[j], draws[j] = Draw{Told: true}, Draw{Told: true}
				continue
			}
			for _, p := range n.walk(t.Node, works) {
				if k, ok := e.at[p.node]; ok {
					above[j] = append(above[j], k)
					e.meters[k].below = append(e.meters[k].below, share{int32(i), int32(j), p.frac})
				}
			}
			slices.Sort(above[j])
		}
		e.own, e.draws, e.dead, e.above = append(e.own, own), append(e.draws, draws), append(e.dead, dead), append(e.above, above)
		e.note(int32(i))
	}
	return e
}

func (e *Estimator) note(source int32) {
	if !e.noted[source] {
		e.noted[source] = true
		e.changed = append(e.changed, source)
	}
}

// Tap says what is measured at a tap itself.
func (e *Estimator) Tap(source, tap int, d Draw) {
	if e.dead[source][tap] || e.own[source][tap].same(d) {
		return
	}
	e.own[source][tap] = d
	e.setDraw(int32(source), int32(tap), d)
	for _, k := range e.above[source][tap] { // the first of them tells what the tap does not
		e.dirty[k] = true
	}
}

// Meter says what passes through a metered node.
func (e *Estimator) Meter(node redundancy.Node, l Load) {
	if k := e.at[node]; e.meters[k].load != l {
		e.meters[k].load = l
		e.dirty[k] = true
	}
}

// Metered reports whether a node was named as metered.
func (e *Estimator) Metered(node redundancy.Node) bool {
	_, ok := e.at[node]
	return ok
}

// Settle brings the estimate up to date. It returns the sources of which a draw may have changed, the first time all; the
// slice is valid until the next call.
func (e *Estimator) Settle() (changed []int32) {
	for k := range e.meters {
		if e.dirty[k] {
			e.dirty[k] = false
			e.settle(int32(k))
		}
	}
	changed = e.changed
	for _, i := range changed {
		e.noted[i] = false
	}
	e.changed = e.changed[:0]
	slices.Sort(changed)
	return changed
}

// Draws are those of a source's taps; NaN where nothing tells them. They must not be changed.
func (e *Estimator) Draws(source int) []Draw { return e.draws[source] }

// Rest is load that was measured and that no source accounts for. It stands where it was measured.
func (e *Estimator) Rest() []Source {
	var list []Source
	for k := range e.meters {
		if m := &e.meters[k]; m.rest != (Load{}) {
			list = append(list, Source{Taps: []Tap{{Node: m.node, Share: 1}}, Load: m.rest})
		}
	}
	return list
}

// settle reads one meter, those below it having been read.
func (e *Estimator) settle(k int32) {
	m := &e.meters[k]
	var known Load
	for _, p := range m.from {
		known.add(&e.meters[p.meter].rest, p.frac, p.pin)
	}
	sum, watts, fracs, open := known.Total(), known.W, 0.0, 0
	for _, b := range m.below {
		if e.tells(k, b) {
			open++
			fracs += b.frac
			continue
		}
		d := e.draws[b.source][b.tap]
		sum += b.frac * d.VA
		watts += b.frac * d.W
	}
	total := m.load.Total()
	left, leftW := max(0, total-sum), max(0, m.load.W-watts)
	if open > 0 {
		for _, b := range m.below {
			if e.tells(k, b) {
				e.setDraw(b.source, b.tap, Draw{VA: left / fracs, W: leftW / fracs, Told: open == 1})
			}
		}
	}
	var rest Load
	if open == 0 && left > unexplained*total {
		rest = m.load.scaled(left/total, leftW)
	}
	if rest != m.rest {
		m.rest = rest
		for _, p := range m.above {
			e.dirty[p.meter] = true
		}
	}
}

// tells reports whether meter k is the one that tells what a tap draws: the tap itself says nothing, and k is the first
// meter above it.
func (e *Estimator) tells(k int32, b share) bool {
	return !e.own[b.source][b.tap].known() && e.above[b.source][b.tap][0] == k
}

// setDraw has the meters above the tap, but for the one that tells it, read again.
func (e *Estimator) setDraw(source, tap int32, d Draw) {
	if e.draws[source][tap].same(d) {
		return
	}
	e.draws[source][tap] = d
	e.note(source)
	above := e.above[source][tap]
	for _, k := range above[min(1, len(above)):] {
		e.dirty[k] = true
	}
}

func (l Load) scaled(by, w float64) Load {
	for s := range l.VA {
		l.VA[s] *= by
	}
	l.W = w
	return l
}
