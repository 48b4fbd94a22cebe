package poll

import (
	"cmp"
	"slices"
	"time"
)

// Stats are counters since the poller was made, and how each target does.
type Stats struct {
	Polls  uint64 // that ended; those that Stop or Set broke off are not counted
	Failed uint64 // of them: that did not reach the target
	Late   uint64 // that began later than a quarter of their interval after their time
	Panics uint64 // of collectors
	Stuck  uint64 // that did not return in time
	Events uint64 // hints that devices pushed

	InFlight int // polls now
	Waiting  int // targets that are due and wait for a worker, or for somebody else's talk with the same device to end
	Workers  int
	Targets  []TargetStats // sorted by device and URL
}

// TargetStats tell how one target does.
type TargetStats struct {
	Device, URL string
	Up          bool // the last poll reached it
	Tried       bool // it was polled at least once
	LastTry     time.Time
	LastSuccess time.Time
	Took        time.Duration // of the last poll
	Failures    int           // in a row
	Late        uint64        // polls that began late
	Next        time.Time     // when it is due again
	BackOff     string        // why it is polled less often; empty: it isn't
}

// Totals are Stats without Targets: cheap enough to be asked for all the time.
func (p *Poller) Totals() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.totals()
}

func (p *Poller) totals() Stats {
	s := p.count
	s.InFlight, s.Waiting, s.Workers = p.running, p.waiting, p.o.Workers
	return s
}

// Stats tells how the poller and each target do.
func (p *Poller) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.totals()
	s.Targets = make([]TargetStats, 0, len(p.entries))
	for _, e := range p.entries {
		s.Targets = append(s.Targets, TargetStats{
			Device: e.target.Device, URL: e.target.URL, Up: !e.ended.IsZero() && e.failures == 0, Tried: !e.ended.IsZero(),
			LastTry: e.ended, LastSuccess: e.success, Took: e.took, Failures: e.failures, Late: e.late, Next: e.due, BackOff: e.backOff,
		})
	}
	slices.SortFunc(s.Targets, func(a, b TargetStats) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.URL, b.URL))
	})
	return s
}
