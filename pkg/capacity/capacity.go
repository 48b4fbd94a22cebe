// Package capacity gives the sums of where load goes when something fails, and whether what survives can carry it
// (docs/design.md, 5.8).
//
// A [Network] stands on a redundancy.Structure: of each node through which load passes it knows an [Element] with what
// the node may carry. A [Source] is what draws: a chassis with its supplies, or a load of which nobody knows by which
// cords it hangs. A [Flow] is where all of it goes now; [Flow.Try] fails some nodes, moves the load, lets trip what is
// over its rating, and goes on until nothing trips any more.
//
// The package knows nothing of devices, names or time, and serves power (VA and W, by phase) as well as traffic (bit/s).
//
// # How load moves
//
// Each source's load is spread over those of its taps that work, in the proportion in which they share it now; taps that
// carried nothing (standby) take over evenly when no other is left. From a tap it goes to what the tap requires, and so
// on: from a node that selects (a transfer switch, a supply with two inputs) to one provider; from a group, or a unit with
// several inlets, to all that work, by their observed shares or evenly. A load whose tap is dead is gone.
//
// # Phases
//
// A load lies between one conductor and neutral (L1, L2, L3), between two (L1-L2 ...), or it's not known where (Any). The
// currents of one conductor are added with their angles, at a power factor of one. Where the place of some load is not
// known there are two answers: at least, with that load where it fits best, and at most, all of it on the fullest conductor.
package capacity

import (
	"math"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// Slot says between which conductors a load lies.
type Slot uint8

// The slots. Even is a load that takes all three phases alike.
const (
	Any Slot = iota
	L1
	L2
	L3
	L12
	L23
	L31
	Slots
	Even = Slots
)

var slotNames = [...]string{"", "L1", "L2", "L3", "L1-L2", "L2-L3", "L3-L1", "L1-L2-L3"}

func (s Slot) String() string { return slotNames[s] }

// ParseSlot reads a phase as devices and people write it: "L1", "1", "A", "L1-L2", "AB", "L1-L2-L3".
func ParseSlot(text string) (Slot, bool) {
	var which [3]bool
	n := 0
	for _, c := range text {
		var i int
		switch {
		case c >= '1' && c <= '3':
			i = int(c - '1')
		case c >= 'A' && c <= 'C':
			i = int(c - 'A')
		case c >= 'a' && c <= 'c':
			i = int(c - 'a')
		case c == 'L' || c == 'l' || c == '-' || c == '/' || c == ' ' || c == 'N' || c == 'n':
			continue
		default:
			return Any, false
		}
		if which[i] {
			return Any, false
		}
		which[i] = true
		n++
	}
	switch {
	case n == 3:
		return Even, true
	case n == 2 && which[0] && which[1]:
		return L12, true
	case n == 2 && which[1] && which[2]:
		return L23, true
	case n == 2:
		return L31, true
	case n == 1 && which[0]:
		return L1, true
	case n == 1 && which[1]:
		return L2, true
	case n == 1:
		return L3, true
	}
	return Any, false
}

// Load is an apparent power in VA by slot, and the active power in W. Traffic stands in VA[Any], in bit/s.
type Load struct {
	VA [Slots]float64
	W  float64
}

// Of is a load of so many VA and W in one slot.
func Of(s Slot, va, w float64) Load {
	var l Load
	l.put(s, va)
	l.W = w
	return l
}

// Total apparent power in VA.
func (l *Load) Total() float64 {
	sum := 0.0
	for _, v := range l.VA {
		sum += v
	}
	return sum
}

func (l *Load) put(s Slot, va float64) {
	if s == Even {
		for _, leg := range []Slot{L1, L2, L3} {
			l.VA[leg] += va / 3
		}
		return
	}
	l.VA[s] += va
}

// add adds a part of another load, in its own slots or all in one.
func (l *Load) add(o *Load, part float64, pin Slot) {
	l.W += part * o.W
	if pin != Any {
		l.put(pin, part*o.Total())
		return
	}
	for s, va := range o.VA {
		l.VA[s] += part * va
	}
}

// Legs are the currents of the three conductors at a voltage between conductor and neutral, without what lies nobody
// knows where; loose is the current of that, on one conductor.
func (l *Load) Legs(volts float64) (legs [3]float64, loose float64) {
	const s3 = 1.7320508075688772
	type phasor struct{ re, im float64 }
	at := func(amps, degrees float64) phasor {
		r := degrees * math.Pi / 180
		return phasor{amps * math.Cos(r), amps * math.Sin(r)}
	}
	a, b, c := at(l.VA[L1]/volts, 0), at(l.VA[L2]/volts, -120), at(l.VA[L3]/volts, 120)
	ab, bc, ca := at(l.VA[L12]/volts/s3, 30), at(l.VA[L23]/volts/s3, -90), at(l.VA[L31]/volts/s3, 150)
	legs[0] = math.Hypot(a.re+ab.re-ca.re, a.im+ab.im-ca.im)
	legs[1] = math.Hypot(b.re+bc.re-ab.re, b.im+bc.im-ab.im)
	legs[2] = math.Hypot(c.re+ca.re-bc.re, c.im+ca.im-bc.im)
	return legs, l.VA[Any] / volts
}

// fullest is the current of the fullest conductor, with what is loose where it fits best and where it fits worst.
func fullest(legs [3]float64, loose float64) (least, most float64) {
	high := max(legs[0], legs[1], legs[2])
	room := 3*high - legs[0] - legs[1] - legs[2]
	least = high
	if loose > room {
		least += (loose - room) / 3
	}
	return least, high + loose
}

// Element is what is known of one node through which load passes.
type Element struct {
	In bool // load passes through the node
	// Rating is what it may carry; zero fields are not known. Derate is the part of it that may be used for long.
	Rating component.Rating
	Derate float64
	// Trips: it opens when it carries more than its whole rating. Otherwise it's only overloaded.
	Trips bool
	// Volts between conductor and neutral, or of its one phase; 0: not known.
	Volts float64
	// Three: it has three phases.
	Three bool
	// Pin is where its own load lies in what feeds it; Any: as it comes from below.
	Pin Slot
	// Fresh: what is known of phases below says nothing above it (a unit with one phase).
	Fresh bool
	// Selects: it draws from one of its providers at a time.
	Selects bool
	// Weight is its observed part beside others that give to the same node; negative: not known.
	Weight float64
	// Leg and LegOf: it is one conductor of another element. No load passes through it by itself.
	Leg   Slot
	LegOf redundancy.Node
}

// Rated reports whether the element says how much it may carry.
func (e *Element) Rated() bool {
	r := &e.Rating
	return r.Watts > 0 || r.VA > 0 || r.Amps > 0 || r.Bits > 0
}

// Use is how full an element is.
type Use struct {
	// Least is the part of what may be used (the derated rating) that is used; Most is more than it where the phase of
	// some load is not known.
	Least, Most float64
	// Raw is Least of the whole rating, and RawMost its other bound.
	Raw, RawMost float64
	VA, W        float64
	// Amps of the fullest conductor; NaN where no voltage is known. Leg is which one it is, of three.
	Amps float64
	Leg  Slot
	By   Unit    // the unit in which it is fullest
	May  float64 // what may be used, in that unit
}

// Unit is what a rating is given in.
type Unit string

// The units.
const (
	Amperes    Unit = "A"
	VoltAmpere Unit = "VA"
	Watt       Unit = "W"
	BitsSecond Unit = "bit/s"
)

// Use says how full the element is under a load. ok is false where its rating says nothing, or not in a unit that can be
// compared: an ampere rating without a voltage.
func (e *Element) Use(l *Load) (u Use, ok bool) {
	u.VA, u.W, u.Amps = l.Total(), l.W, math.NaN()
	take := func(by Unit, least, most, rating float64) {
		if rating <= 0 {
			return
		}
		if raw := least / rating; !ok || raw > u.Raw {
			u.Raw, u.By, u.May = raw, by, rating*e.Derate
		}
		u.RawMost = max(u.RawMost, most/rating)
		ok = true
	}
	if e.Volts > 0 {
		least, most := u.VA/e.Volts, u.VA/e.Volts
		if e.Three {
			legs, loose := l.Legs(e.Volts)
			least, most = fullest(legs, loose)
			for i, leg := range []Slot{L1, L2, L3} {
				if legs[i] > 0 && legs[i] >= max(legs[0], legs[1], legs[2]) {
					u.Leg = leg
				}
			}
		}
		u.Amps = least
		take(Amperes, least, most, e.Rating.Amps)
	}
	take(VoltAmpere, u.VA, u.VA, e.Rating.VA)
	take(Watt, u.W, u.W, e.Rating.Watts)
	take(BitsSecond, u.VA, u.VA, e.Rating.Bits)
	u.Least, u.Most = u.Raw/e.Derate, u.RawMost/e.Derate
	return u, ok
}

// leg is the load of one conductor of a load, as if it were between it and neutral.
func (l *Load) leg(s Slot) Load {
	legs, loose := l.Legs(1)
	if s < L1 || s > L3 {
		return Of(Any, l.VA[s], l.W)
	}
	var part Load
	part.VA[s] = legs[s-L1]
	part.VA[Any] = loose
	if t := l.Total(); t > 0 {
		part.W = l.W * legs[s-L1] / t
	}
	return part
}

// LineToNeutral is the voltage between conductor and neutral that a nominal voltage means in a system of three phases:
// 400, 480 or 208 V are said between conductors, 230, 277 or 120 V to neutral.
func LineToNeutral(volts float64) float64 {
	if volts > 300 || volts >= 195 && volts < 215 {
		return volts / math.Sqrt(3)
	}
	return volts
}
