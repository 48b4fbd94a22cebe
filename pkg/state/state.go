// Package state keeps the last word of every target and its age, and what was ever seen working.
//
// It merges the targets of one device into one view, says which of them are silent, and remembers over restarts what
// must not be forgotten (Seen). It judges no redundancy. A Store is owned by one goroutine; it does no input or output
// and has no clock.
package state

import (
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// Part is one component of a device with where its word comes from and how old it is.
type Part struct {
	component.Component
	Source string    // target whose word it is (the worst of several sources; the others' words are in Others)
	At     time.Time // when that target last gave it
	// Silent is true where every target that reports the part should answer and doesn't: its status is the last word.
	Silent bool
	// Others are what other targets of the same device say where they disagree: source URL to status.
	Others map[string]component.Status
}

// Device is the merged view of one device. It is immutable.
type Device struct {
	Name     string
	Identity snapshot.Device
	Parts    []Part // sorted by id
	Claims   []snapshot.Claim
	Links    []component.Link
	Targets  []Target
	// Read is true when every target was read once since the start, or has been tried and is silent.
	Read bool
}

// Target is how one target does.
type Target struct {
	URL      string
	Device   string
	Interval time.Duration
	LastTry  time.Time
	LastGood time.Time
	Took     time.Duration
	Missed   int  // polls without an answer since LastGood
	Silent   bool // three missed polls, or five minutes
	Errors   []snapshot.Error
}

// Seen is what is remembered of a device over restarts (DESIGN section 6.4, bucket "seen").
type Seen struct {
	Identity snapshot.Device            `json:"identity"`
	Working  map[component.ID]time.Time `json:"working"` // last seen available
	Bad      map[component.ID]Bad       `json:"bad"`     // known bad until seen good
	Best     map[component.ID]int       `json:"best"`    // by group: the most members ever seen working together
	Peaks    map[component.ID]float64   `json:"peaks"`   // by component: highest load in W seen in the window
}

// Bad is a part known bad.
type Bad struct {
	Status component.Status `json:"status"`
	Why    string           `json:"why"`
	Since  time.Time        `json:"since"`
}
