package capacity

import (
	"math"
	"slices"

	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// bound is an upper bound of how full a rated element may become, in one of the terms in which it is rated, that adds up
// over loads: a conductor's current is at most the sum of its loads' own.
type bound struct {
	of     redundancy.Node // that is rated; a conductor, perhaps
	at     redundancy.Node // through which the load passes
	slot   [Slots]float64  // for each VA of a load there, in parts of the rating
	watt   float64         // for each W
	now    float64         // all that passes through now
	limit  float64         // above it something is said of the element; above 1 it opens
	others []slope         // by what fails: how much may come, at most; the most first
}

// slope is by how much a failure may raise a bound.
type slope struct {
	failure int32 // index
	over    bool  // it carries too much after this failure alone, or now: only its opening would be worse
	by      float64
}

// matters reports whether two failures may do more to the element than either.
func (b *bound) matters(x, y slope) bool {
	limit := b.limit
	if x.over || y.over {
		limit = 1
	}
	return b.now+x.by+y.by > limit
}

func (b *bound) ofLoad(l *Load) float64 {
	sum := l.W * b.watt
	for s, va := range l.VA {
		sum += va * b.slot[s]
	}
	return sum
}

// most is the bound for a load that may arrive in any of some slots.
func (b *bound) most(l *Load, pins pinSet) float64 {
	most := 0.0
	total := l.Total()
	for pin := Any; pin <= Even; pin++ {
		switch {
		case pins>>pin&1 == 0:
		case pin == Any:
			most = max(most, b.ofLoad(l))
		default:
			most = max(most, b.pinned(total, pin)+l.W*b.watt)
		}
	}
	return most
}

// pinned is the bound for so many VA in one slot, without their W.
func (b *bound) pinned(va float64, pin Slot) float64 {
	if pin == Even {
		return va / 3 * (b.slot[L1] + b.slot[L2] + b.slot[L3])
	}
	return va * b.slot[pin]
}

// bounds are those of the rated elements, in each term in which they are rated.
func (n *Network) bounds() []bound {
	var list []bound
	for i := range n.elements {
		e := &n.elements[i]
		if !e.In || !e.Rated() {
			continue
		}
		b := bound{of: redundancy.Node(i), at: redundancy.Node(i), limit: min(e.Derate, 1)}
		leg := e.Leg
		if leg != Any {
			b.at = e.LegOf
		}
		add := func(watt, va float64, leg Slot) {
			b.watt, b.slot = watt, [Slots]float64{}
			if va > 0 {
				b.slot = conductor(leg)
				for s := range b.slot {
					b.slot[s] *= va
				}
			}
			list = append(list, b)
		}
		r := &e.Rating
		if r.Amps > 0 && e.Volts > 0 {
			legs := []Slot{leg}
			if e.Three && leg == Any {
				legs = []Slot{L1, L2, L3}
			}
			for _, leg := range legs {
				add(0, 1/e.Volts/r.Amps, leg)
			}
		}
		if r.VA > 0 {
			add(0, 1/r.VA, leg)
		}
		if r.Bits > 0 {
			add(0, 1/r.Bits, leg)
		}
		if r.Watts > 0 {
			add(1/r.Watts, 0, Any)
		}
	}
	return list
}

// conductor is how much of a VA in each slot is at most on one conductor; Any: on all of them together.
func conductor(leg Slot) (slot [Slots]float64) {
	if leg == Any || leg > L3 {
		for s := range slot {
			slot[s] = 1
		}
		return slot
	}
	across := 1 / math.Sqrt(3)
	slot[Any], slot[leg] = 1, 1
	switch leg {
	case L1:
		slot[L12], slot[L31] = across, across
	case L2:
		slot[L12], slot[L23] = across, across
	case L3:
		slot[L23], slot[L31] = across, across
	}
	return slot
}

// pinSet are slots in which a load may arrive, as bits.
type pinSet uint16

// reached is a node through which a source may draw, whatever fails, and in which slots.
type reached struct {
	node redundancy.Node
	pins pinSet
}

// reach is everything through which a source may draw, or on which it depends by which way it does.
func (n *Network) reach(s *Source, pins map[redundancy.Node]pinSet) []reached {
	clear(pins)
	var queue []redundancy.Node // by falling rank; each is taken once, after all that draws from it
	meet := func(m redundancy.Node, with pinSet) {
		if _, again := pins[m]; !again {
			at, _ := slices.BinarySearchFunc(queue, m, func(a, b redundancy.Node) int { return int(n.rank[a]) - int(n.rank[b]) })
			queue = slices.Insert(queue, at, m)
		}
		pins[m] |= with
	}
	for _, t := range s.Taps {
		meet(t.Node, 1<<Any)
	}
	for len(queue) > 0 {
		m := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		out := pins[m]
		e := &n.elements[m]
		if e.Fresh {
			out = 1 << Any
		}
		if e.Pin != Any {
			out = 1 << e.Pin
		}
		for _, r := range n.reqs[m] {
			for _, of := range r.Of {
				leg := &n.elements[of]
				if leg.Leg == Any {
					meet(of, out)
					continue
				}
				meet(of, 0)
				meet(leg.LegOf, out|1<<leg.Leg)
			}
		}
	}
	list := make([]reached, 0, len(pins))
	for m, p := range pins {
		list = append(list, reached{m, p})
	}
	return list
}
