package poll

import (
	"fmt"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// What is decided here takes values and returns values: when a target is polled next, and how long it is left alone.

// jitterShare is the part of the interval within which a poll moves.
const jitterShare = 0.1

// slot is the first regular moment of the target after t: epoch + (k + phase)·interval, moved by jitter (0 to 1).
func slot(epoch, t time.Time, interval time.Duration, phase, jitter float64) time.Time {
	first := epoch.Add(time.Duration(phase * float64(interval)))
	if t.After(first) || t.Equal(first) {
		first = first.Add((t.Sub(first)/interval + 1) * interval)
	}
	return first.Add(time.Duration(jitter * jitterShare * float64(interval)))
}

// Back-off from what fails.
const (
	patience     = 3 // failures at the usual interval: so many make a target silent
	mostBackOff  = 2 * time.Minute
	firstDenied  = 5 * time.Minute
	mostDenied   = time.Hour
	deniedReason = "its login was refused; more attempts might lock the account"
)

// backOff is how long a target is left alone after so many failures in a row, denied of them refused logins; 0: its usual interval.
func backOff(interval time.Duration, failures, denied int) (wait time.Duration, why string) {
	if denied > 0 {
		wait = firstDenied << min(denied-1, 8)
		return max(interval, min(wait, mostDenied)), deniedReason
	}
	if failures < patience {
		return 0, ""
	}
	wait = interval << min(failures-patience+1, 16)
	return max(interval, min(wait, mostBackOff)), fmt.Sprintf("it failed %d times in a row", failures)
}

// refused reports whether the device refused our login, so that nothing could be read.
func refused(s *snapshot.Snapshot) bool {
	return (!s.Reachable || len(s.Components) == 0) &&
		slices.ContainsFunc(s.Errors, func(e snapshot.Error) bool { return e.Class == snapshot.ClassAuth })
}

// Pokes: what asks for a poll now draws on a bucket, so that a storm of events costs a poll in five seconds.
const (
	pokeBurst = 5.0
	pokeEvery = 5 * time.Second
	// pokeGap is between the end of a poll and one that was asked for: short, so that what a device says of itself is seen
	// in well under a second; the bucket is what bounds a storm.
	pokeGap = 200 * time.Millisecond
)

// poured is what a bucket with left in it at then holds now.
func poured(left float64, then, now time.Time) float64 {
	return min(pokeBurst, left+now.Sub(then).Seconds()/pokeEvery.Seconds())
}
