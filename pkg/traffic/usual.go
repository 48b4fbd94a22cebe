package traffic

import (
	"slices"
	"time"
)

// Usual is what a count usually is: of the prefixes of a session. The zero Usual has seen nothing.
type Usual struct {
	samples [60]int
	n, at   int
	next    time.Time
	median  int // median of the samples; what was last seen before there are any
	spread  int // median distance from it
}

// sampleEvery is the time between two samples: sixty of them are five hours.
const sampleEvery = 5 * time.Minute

// Count is what is usual; 0 where nothing is known.
func (u *Usual) Count() int { return u.median }

// Next is when a sample is wanted.
func (u *Usual) Next() time.Time { return u.next }

// Known is what there is to remember: the median, the median distance from it, and of how many samples they are.
func (u *Usual) Known() (median, spread, samples int) { return u.median, u.spread, u.n }

// UsualOf is what was Known, so far as the median and the spread tell.
func UsualOf(median, spread, samples int) Usual {
	u := Usual{median: median, spread: spread}
	u.n = min(max(samples, 0), len(u.samples))
	u.at = u.n
	for i := range u.n {
		u.samples[i] = max(1, median+(i%3-1)*spread) // a third of them each below, at, and above
	}
	return u
}

// Learn notes the most that was seen while there are no samples yet, and reports whether that is news.
func (u *Usual) Learn(n int) (news bool) {
	if u.n > 0 || n <= u.median {
		return false
	}
	u.median = n
	return true
}

// Sample takes in the count now, and reports whether it did. Counts of none teach nothing, and neither do those of a
// session that is still filling.
func (u *Usual) Sample(n int, now time.Time, settled bool) (taken bool) {
	if n == 0 || !settled || now.Before(u.next) {
		return false
	}
	u.next = now.Add(sampleEvery)
	u.samples[u.at%len(u.samples)] = n
	u.at++
	u.n = min(u.n+1, len(u.samples))
	sorted := slices.Sorted(slices.Values(u.samples[:u.n]))
	u.median = sorted[u.n/2]
	for i, v := range sorted {
		sorted[i] = max(v-u.median, u.median-v)
	}
	slices.Sort(sorted)
	u.spread = sorted[u.n/2]
	return true
}

// Low reports whether a count is far below what is usual: by half, or by a fifth and far outside what it varies by.
func (u *Usual) Low(n int) bool {
	if u.n == 0 || u.median == 0 || n >= u.median { // without a sample the most that was seen may have been a moment's
		return false
	}
	missing := u.median - n
	return 2*missing > u.median || u.n >= 6 && 5*missing > u.median && missing > 6*u.spread
}
