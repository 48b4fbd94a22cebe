// Package poll reads targets again and again: it spreads them over their interval, holds one conversation at a time with
// one address, backs off from what fails, and bounds what one sick device may cost.
//
// It knows nothing of what a snapshot says beyond whether the target answered. Each poll's snapshot goes to Options.Out.
package poll

import (
	"context"
	"log/slog"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// Target is what is polled, and how often. It is known by its Device and URL.
type Target struct {
	collectors.Target
	States    time.Duration // interval of Fast polls
	Inventory time.Duration // interval of Full polls
}

// Options are what a Poller needs. Collectors and Out are required; zero fields have defaults.
type Options struct {
	Collectors map[string]collectors.Collector // by URL scheme
	// Out receives every poll's snapshot, never nil: for one target in turn, for several at once. A slow Out holds up
	// polls.
	Out     func(*snapshot.Snapshot)
	Workers int            // polls at once; 0: 128
	Limit   time.Duration  // wall time of one poll; 0: 2 min
	Jitter  func() float64 // in [0,1); nil: math/rand/v2
	Log     *slog.Logger   // nil: silent
}

// Poller polls a set of targets. Its methods may be called from any goroutine.
type Poller struct{ o Options }

// New makes a Poller without targets that is not started.
func New(o Options) *Poller { return &Poller{o: o} }

// Set replaces the targets. Sessions of targets that did not change are kept. Where a target cannot be opened (a wrong
// URL, a scheme without collector) Set returns all such errors and changes nothing.
func (p *Poller) Set(targets []Target) error { return nil }

// Start begins to poll. Set may be called before and after.
func (p *Poller) Start() {}

// Ask has the targets of the device polled as soon as may be; it does not wait. Targets whose login was refused are left alone.
func (p *Poller) Ask(device, why string) {}

// Stop ends all polls, waits for them and closes the sessions; where ctx is done first it returns ctx's error.
func (p *Poller) Stop(ctx context.Context) error { return nil }

// Stats tells how the poller and each target do, sorted by device and URL.
func (p *Poller) Stats() Stats { return Stats{} }

// Stats are counters since the poller was made, and the present state of each target.
type Stats struct {
	Polls, Failed, Late, Panics, Stuck uint64
	InFlight, Waiting                  int
	Targets                            []TargetStats
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
	Next        time.Time
	BackOff     string // why it is polled less often; empty: it isn't
}
