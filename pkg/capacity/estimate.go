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

// Estimate is what sources draw, as meters tell it.
type Estimate struct {
	// Draws of each tap of each source in VA, and W; NaN where nothing tells them.
	Draws [][]Draw
	// Rest is load that was measured and that no source accounts for. It stands where it was measured.
	Rest []Source
}

// Draw is what one tap draws.
type Draw struct {
	VA, W float64
	// Told: a meter of the tap itself, or of something that serves it alone, tells it. Otherwise it's an equal part of what
	// was measured for several.
	Told bool
}

// unexplained is the part of a measured load by which meters may differ without there being more load.
const unexplained = 0.05

// Estimate finds what each tap draws. draws holds what is measured at the taps themselves, NaN elsewhere. Of what a meter
// shows, what is known below it is taken off; the rest belongs to the taps below that are not known, in equal parts, or,
// where there are none, to something that the model does not know.
func (n *Network) Estimate(works func(redundancy.Node) bool, sources []Source, draws [][]Draw, meters []Meter) *Estimate {
	e := &Estimate{Draws: draws}
	type at struct {
		source, tap int
		frac        float64
	}
	metered := map[redundancy.Node]bool{}
	for _, m := range meters {
		metered[m.Node] = true
	}
	below := map[redundancy.Node][]at{}
	for i := range sources {
		for j, t := range sources[i].Taps {
			if !works(t.Node) {
				draws[i][j] = Draw{Told: true}
				continue
			}
			for _, p := range n.walk(t.Node, works) {
				if metered[p.node] {
					below[p.node] = append(below[p.node], at{i, j, p.frac})
				}
			}
		}
	}
	slices.SortStableFunc(meters, func(a, b Meter) int { return cmp.Compare(n.rank[b.Node], n.rank[a.Node]) })
	rest := map[redundancy.Node]Load{} // load without a source that passes through a meter
	for _, m := range meters {
		total, w := m.Load.Total(), m.Load.W
		known := rest[m.Node]
		sum, watts := known.Total(), known.W
		var open []at
		fracs := 0.0
		for _, b := range below[m.Node] {
			if d := draws[b.source][b.tap]; !math.IsNaN(d.VA) {
				sum += b.frac * d.VA
				watts += b.frac * d.W
				continue
			}
			open = append(open, b)
			fracs += b.frac
		}
		left, leftW := max(0, total-sum), max(0, w-watts)
		if len(open) > 0 {
			for _, b := range open {
				draws[b.source][b.tap] = Draw{VA: left / fracs, W: leftW / fracs, Told: len(open) == 1}
			}
			continue
		}
		if left <= unexplained*total {
			continue
		}
		s := Source{Taps: []Tap{{Node: m.Node, Share: 1}}, Load: m.Load.scaled(left/total, leftW)}
		e.Rest = append(e.Rest, s)
		for _, p := range n.walk(m.Node, works) {
			if p.node != m.Node && metered[p.node] {
				l := rest[p.node]
				l.add(&s.Load, p.frac, p.pin)
				rest[p.node] = l
			}
		}
	}
	return e
}

func (l Load) scaled(by, w float64) Load {
	for s := range l.VA {
		l.VA[s] *= by
	}
	l.W = w
	return l
}
