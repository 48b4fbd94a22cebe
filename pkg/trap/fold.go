package trap

import (
	"slices"
	"strings"
	"time"
)

// How a storm is folded.
const (
	shortestGap = time.Second     // between two times that one device is asked
	longestGap  = 5 * time.Second // while a storm goes on the gap doubles up to here
	// second is how long after the last trap a device is asked once more: some agents send the trap before the object
	// that says the same.
	second = 3 * time.Second
)

// Asked is a device to be asked now, and for how many traps.
type Asked struct {
	Device string
	Traps  int    // since it was asked last
	Line   string // of the newest of them
	Again  bool   // no trap has come since: it is asked once more in case the agent was not ready
}

// Fold decides when a device is asked for its traps: at once for the first, and then once for all that come within a
// gap. It holds no more than one entry a device, and no clock.
type Fold struct{ devices map[string]*folded }

type folded struct {
	asked   time.Time
	gap     time.Duration
	waiting int       // traps since it was asked
	line    string    // of the newest
	again   time.Time // when it is asked once more; zero: not
}

// NewFold is a fold of which nobody was asked yet.
func NewFold() *Fold { return &Fold{devices: map[string]*folded{}} }

// Take takes a trap of a device in. It reports whether the device is to be asked now; otherwise Due will name it.
func (f *Fold) Take(now time.Time, device, line string) bool {
	d := f.devices[device]
	if d == nil {
		d = &folded{}
		f.devices[device] = d
	}
	d.again = now.Add(second)
	switch quiet := now.Sub(d.asked); {
	case quiet >= 2*max(d.gap, shortestGap):
		d.gap = shortestGap
	case quiet < d.gap || d.waiting > 0:
		d.waiting++
		d.line = line
		return false
	}
	d.asked, d.waiting, d.line = now, 0, ""
	return true
}

// Due lists the devices whose gap is over while traps waited, and those that are asked once more, sorted.
func (f *Fold) Due(now time.Time) (due []Asked) {
	for name, d := range f.devices {
		switch {
		case d.waiting > 0 && now.Sub(d.asked) >= d.gap:
			due = append(due, Asked{Device: name, Traps: d.waiting, Line: d.line})
			d.gap = min(2*d.gap, longestGap)
			d.asked, d.waiting, d.line = now, 0, ""
		case d.waiting == 0 && !d.again.IsZero() && !now.Before(d.again):
			due = append(due, Asked{Device: name, Again: true})
			d.again, d.asked = time.Time{}, now
		case d.waiting == 0 && d.again.IsZero() && now.Sub(d.asked) > 2*longestGap:
			delete(f.devices, name)
		}
	}
	slices.SortFunc(due, func(a, b Asked) int { return strings.Compare(a.Device, b.Device) })
	return due
}

// Next is when Due may have something, at the earliest; false where nothing waits.
func (f *Fold) Next() (next time.Time, ok bool) {
	for _, d := range f.devices {
		at := d.again
		if d.waiting > 0 {
			at = d.asked.Add(d.gap)
		}
		if at.IsZero() {
			at = d.asked.Add(2*longestGap + time.Millisecond)
		}
		if !ok || at.Before(next) {
			next, ok = at, true
		}
	}
	return next, ok
}
