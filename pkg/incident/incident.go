// Package incident gives what people are told: findings with one root cause, under an id that stays.
//
// A Fold holds which incidents are open. It is rebuilt from the ledger (Replay) and goes on with what the engine says
// (Step). Step decides and changes nothing: it returns the next fold, and what has to be written to the ledger before
// that fold may be believed. It knows no clock, no ledger's storage and no receiver.
//
//	next, step := fold.Step(now, report.Findings, unsure)
//	entries, err := writer.Append(ctx, now, step.Records(box.Intent)...)
//	if err == nil {
//		fold = next
//	}
package incident

import (
	"fmt"
	"time"

	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/ledger"
)

// ID of an incident, made at opening; a receiver's dedup key. It never changes.
type ID string

// Incident is findings with one root cause.
type Incident struct {
	ID       ID               `json:"id"`
	Root     finding.Key      `json:"root"`     // moves when the cause is found higher up
	Findings []finding.Key    `json:"findings"` // root first, then sorted
	Severity finding.Severity `json:"severity"` // the worst of its findings
	Title    string           `json:"title"`
	Opened   time.Time        `json:"opened"`
	Resolved time.Time        `json:"resolved,omitzero"`
	PartOf   ID               `json:"part_of,omitempty"` // merged into an older one
}

// What happened to an incident or a finding.
type What string

// What can happen.
const (
	Opened   What = "opened"
	Changed  What = "changed"
	Merged   What = "merged" // an incident only: it is part of an older one and closed with this
	Resolved What = "resolved"
)

// Change is the body of a ledger entry of the kind incident: what the incident is after it. Added and Removed are what
// changed of its findings, since the list of all may be long.
type Change struct {
	What     What             `json:"what"`
	ID       ID               `json:"id"`
	Root     finding.Key      `json:"root"`
	Severity finding.Severity `json:"severity"`
	Title    string           `json:"title"`
	Opened   time.Time        `json:"opened"`
	Resolved time.Time        `json:"resolved,omitzero"`
	PartOf   ID               `json:"part_of,omitempty"`
	Added    []finding.Key    `json:"added,omitempty"`
	Removed  []finding.Key    `json:"removed,omitempty"`
	Paging   []finding.Key    `json:"paging,omitempty"` // of its findings, those that began to keep it open

	// Notice is what people are to be told of it; nil: nothing. Its record is written in the same batch.
	Notice *Notice `json:"-"`
}

// Transition is the body of a ledger entry of the kind transition: a finding began, changed its severity, its cause or
// whether it pages, or is gone.
type Transition struct {
	What    What             `json:"what"`
	Key     finding.Key      `json:"key"`
	Finding *finding.Finding `json:"finding,omitempty"` // null when it is gone
}

// Step is what one look at the findings brings, in the order in which it is to be written.
type Step struct {
	Transitions []Transition
	Changes     []Change
}

// Records are the step's ledger records; intent makes the one of a notice.
func (s Step) Records(intent func(Notice) ledger.Record) []ledger.Record {
	records := make([]ledger.Record, 0, len(s.Transitions)+2*len(s.Changes))
	for _, t := range s.Transitions {
		records = append(records, ledger.Record{Kind: ledger.Transition, Body: t})
	}
	for _, c := range s.Changes {
		records = append(records, ledger.Record{Kind: ledger.Incident, Body: c})
		if c.Notice != nil {
			r := intent(*c.Notice)
			r.Tied = true
			records = append(records, r)
		}
	}
	return records
}

// Options of a fold.
type Options struct {
	// Hold is how long an incident whose findings are gone waits for them to come back before it is resolved.
	Hold time.Duration
	// Closed is how many incidents were over before the entries that are replayed.
	Closed int
	// NewID makes the id of the n-th incident (from 1) that was ever opened; ids must differ over restarts.
	NewID func(now time.Time, n int) ID
}

// IDs makes ids of the site's name, the time of opening and the number: "ams1-20261122T031502Z-17". The number goes on
// after a restart because it comes from the ledger; the time keeps ids apart when the ledger is gone.
func IDs(site string) func(now time.Time, n int) ID {
	return func(now time.Time, n int) ID {
		return ID(fmt.Sprintf("%s-%s-%d", site, now.UTC().Format("20060102T150405Z"), n))
	}
}
