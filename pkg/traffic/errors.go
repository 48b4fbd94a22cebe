package traffic

import "time"

// Tally is what an interface has counted in one direction up to a moment.
type Tally struct {
	Good, Bad float64 // frames that went on, and those that did not for they were broken
	At        time.Time
	Since     string // as in Reading
}

// What makes a line one that will fail: broken frames that come back. A burst while somebody works on a cable is none, and one
// good half hour doesn't mend a bad splice that shows under load.
const (
	spansKept = 12
	spansBad  = 3 // of those kept
	spansGood = 6 // in a row, after which it is well again
	badAtOnce = 10
)

// Errors follows what an interface counts in one direction, and says whether too many of its frames are broken. It looks at spans
// of Slot or as much longer as the readings are apart, in which frames went over. The zero Errors has seen nothing.
type Errors struct {
	last   Tally
	open   span // that is not over
	spans  []span
	stands bool
}

// span is what was counted in a stretch of time.
type span struct {
	good, bad float64
	from      time.Time
	many      bool // more were broken than may be
}

// Read takes in what is counted now; limit is the part of the frames that may be broken. Where a counter began anew, or nothing
// was read for long, it counts from there. Counters that stand still say nothing: nothing was sent, or they were not read.
func (e *Errors) Read(t Tally, limit float64) {
	good, bad, between := t.Good-e.last.Good, t.Bad-e.last.Bad, t.At.Sub(e.last.At)
	switch {
	case !e.last.At.IsZero() && between <= 0:
		return
	case e.last.At.IsZero() || between > Longest || t.Since != e.last.Since || good < 0 || bad < 0:
		e.last, e.open = t, span{from: t.At}
		return
	case good == 0 && bad == 0:
		return
	}
	e.last = t
	e.open.good, e.open.bad = e.open.good+good, e.open.bad+bad
	if t.At.Sub(e.open.from) < Slot {
		return
	}
	e.open.many = e.open.bad >= badAtOnce && e.open.bad > limit*(e.open.good+e.open.bad)
	e.spans = append(e.spans, e.open)
	e.spans = e.spans[max(0, len(e.spans)-spansKept):]
	e.open = span{from: t.At}
	e.settle()
}

func (e *Errors) settle() {
	many, wellFor := 0, 0
	for _, s := range e.spans {
		wellFor++
		if s.many {
			many++
			wellFor = 0
		}
	}
	switch {
	case many >= spansBad:
		e.stands = wellFor < spansGood
	case wellFor >= spansGood:
		e.stands = false
	}
}

// Resume says that there were too many before a restart: that stands until it was seen well.
func (e *Errors) Resume() { e.stands = true }

// Many reports whether too many frames are broken.
func (e *Errors) Many() bool { return e.stands }

// Extent is how much was broken where there was too much.
type Extent struct {
	Bad, All float64       // frames, in the spans with too many broken ones
	Bads, Of int           // spans with too many, and all that are kept
	Over     time.Duration // from the first of those to the last reading
}

// Extent sums up the spans that are kept.
func (e *Errors) Extent() Extent {
	x := Extent{Of: len(e.spans)}
	for _, s := range e.spans {
		if s.many {
			x.Bads++
			x.Bad += s.bad
			x.All += s.bad + s.good
		}
	}
	if len(e.spans) > 0 {
		x.Over = e.last.At.Sub(e.spans[0].from)
	}
	return x
}
