// Package traffic says what counters mean: rates of octets, and of rates the percentile that links are planned by; lines that break
// too many frames; what a count usually is. It is pure: the time comes with the values.
package traffic

import (
	"math"
	"slices"
	"time"
)

// Reading is what a counter of octets says at one moment.
type Reading struct {
	Octets float64
	At     time.Time
	// Since is the device's mark of when the counter began, in its own words: ifCounterDiscontinuityTime (RFC 2863). With
	// another mark it is another count.
	Since string
	// Bits is the counter's width: 64, or 32 for ifInOctets.
	Bits int
	// Speed is the most that the interface can do, in bit/s; 0: not known.
	Speed float64
}

// Longest is the longest time between two readings that makes a rate.
const Longest = time.Hour

// Counter is what a counter of octets said last, and the rate that it told then. The zero Counter has said nothing.
type Counter struct {
	last  Reading
	bits  float64
	known bool
}

// Read takes in a reading and returns the rate in bit/s since the one before. Where the counter began anew, or was not read
// for long, there is none until the next reading. One of 32 bits that went back has come round once, where the interface is
// fast enough for that and slow enough for once; faster ones are to be read in 64 bits (RFC 2863 section 3.1.6).
func (c *Counter) Read(r Reading) (bits float64, known bool) {
	between := r.At.Sub(c.last.At)
	if !c.last.At.IsZero() && between <= 0 {
		return c.bits, c.known
	}
	octets := r.Octets - c.last.Octets
	if octets < 0 && r.Bits == 32 && r.Speed > 0 {
		octets += 1 << 32
	}
	rate := 8 * octets / between.Seconds()
	begins := c.last.At.IsZero() || between > Longest || octets < 0 || r.Since != c.last.Since || r.Bits != c.last.Bits
	c.last = r
	const over = 1.1 // clocks differ
	if begins || r.Speed > 0 && rate > over*r.Speed {
		c.bits, c.known = 0, false
		return 0, false
	}
	c.bits, c.known = rate, true
	return rate, true
}

// Slot is the length of time whose mean is one value of a Window: links are planned by five-minute means.
const Slot = 5 * time.Minute

// Day is how many slots a Window keeps unless it is told otherwise.
const Day = int(24 * time.Hour / Slot)

// Window keeps the means of the last slots. The zero Window is empty.
type Window struct {
	Keep  int       // slots; 0: a day's
	means []float32 // of slots that are over
	start time.Time // of the slot that is not over
	last  time.Time
	value float64 // since last
	sum   float64 // value times seconds
	spent float64 // seconds
}

// Whole reports whether a slot is over.
func (w *Window) Whole() bool { return len(w.means) > 0 }

// Add says that the rate is value from now on. What held before has held until now, unless nothing was said for Longest.
func (w *Window) Add(value float64, at time.Time) {
	switch {
	case w.last.IsZero() || at.Sub(w.last) > Longest:
		w.finish()
		w.start = at.Truncate(Slot)
	case at.Before(w.last):
		return
	default:
		for end := w.start.Add(Slot); !at.Before(end); end = w.start.Add(Slot) {
			w.hold(end)
			w.finish()
			w.start = end
		}
		w.hold(at)
	}
	w.last, w.value = at, value
}

// hold lets the value hold until then.
func (w *Window) hold(until time.Time) {
	if d := until.Sub(w.last).Seconds(); d > 0 {
		w.sum += w.value * d
		w.spent += d
		w.last = until
	}
}

// finish ends a slot. One of which less than half was seen says nothing.
func (w *Window) finish() {
	if w.spent >= Slot.Seconds()/2 {
		keep := w.Keep
		if keep <= 0 {
			keep = Day
		}
		if more := len(w.means) - keep + 1; more > 0 {
			w.means = slices.Delete(w.means, 0, more)
		}
		w.means = append(w.means, float32(w.sum/w.spent))
	}
	w.sum, w.spent = 0, 0
}

// Percentile is the value that part p (0.95) of the slots do not exceed, by the nearest rank; of a window without a whole slot the
// last value. known is false where nothing was added.
func (w *Window) Percentile(p float64) (value float64, known bool) {
	if len(w.means) == 0 {
		return w.value, !w.last.IsZero()
	}
	sorted := slices.Sorted(slices.Values(w.means))
	rank := int(math.Ceil(p * float64(len(sorted))))
	return float64(sorted[min(max(rank, 1), len(sorted))-1]), true
}
