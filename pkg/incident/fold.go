package incident

import (
	"errors"
	"time"

	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/ledger"
)

// Fold is which findings stand and which incidents are open. It is owned by one goroutine.
type Fold struct {
	o Options
}

// NewFold returns a fold that knows of nothing.
func NewFold(o Options) *Fold { return &Fold{o: o} }

// Replay takes in one ledger entry; kinds that are not its own it passes over. Entries come in order, each once.
func (f *Fold) Replay(e ledger.Entry) error { return errors.New("not built yet") }

// Step compares findings with what the fold knows. It leaves f as it is and returns the fold after the step, which
// holds once the step's records are written.
//
// unsure reports whether nothing can be said now of a finding that is not there (its targets were not read yet): it
// then stands as before. nil: every absence counts.
func (f *Fold) Step(now time.Time, findings []finding.Finding, unsure func(finding.Key) bool) (*Fold, Step) {
	return f, Step{}
}

// Open returns the open incidents, oldest first.
func (f *Fold) Open() []Incident { return nil }

// Due returns when Step has something to do although no finding changes, because a hold ends; zero: never.
func (f *Fold) Due() time.Time { return time.Time{} }
