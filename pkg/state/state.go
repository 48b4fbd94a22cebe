// Package state keeps the last word of every target and its age, and what was ever seen working.
//
// It merges the targets of one device into one view, says which of them are silent, and remembers over restarts what
// must not be forgotten (Seen). It judges no redundancy. A Store is owned by one goroutine; it does no input or output
// and has no clock.
package state

import (
	"sort"
	"strings"
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
	// Words are what each target says of the part, where several do; in the order of the targets.
	Words []Word
	// Disagrees is true where two targets that both looked since the other's word last changed do not agree whether the
	// part can be counted on, or whether it is there.
	Disagrees bool
	// Worked is when the part was last seen available, over restarts too; zero: never.
	Worked time.Time
	// WasThere is true where the part was ever seen in its place, working or not, over restarts too.
	WasThere bool
	// BadSince is when the part was first seen bad and not seen good since; zero: it is not known bad.
	BadSince time.Time
	// Kept is true where the part's target says nothing of it now and the status is what was remembered: known bad
	// stays bad until seen good, and what was seen working and is no longer listed is absent.
	Kept bool
}

// Word is what one target says of a part.
type Word struct {
	Source string
	At     time.Time
	Since  time.Time // when it last changed
	Status component.Status
	Why    string
}

// Device is the merged view of one device. It is immutable.
type Device struct {
	Name string
	// Into is the device that this one was found to be; it then has no parts of its own.
	Into string
	// Moved are parts that the device's targets list and that are an enclosure's: own id to the enclosure's.
	Moved map[component.ID]component.ID
	// Carries are the machines that the device's supplies hold up beside it itself: those in an enclosure. Made is true
	// for a device that nobody configured: an enclosure that only shows in its machines.
	Carries []component.ID
	// Shares is true where a part says in which enclosure it is: other machines may show it too.
	Shares   bool
	Made     bool
	Identity snapshot.Device
	Parts    []Part // sorted by id
	Claims   []snapshot.Claim
	Links    []component.Link
	Targets  []Target
	// Read is true when every target was read once since the start, or has been tried and is silent.
	Read bool
	// Best and Peaks are what was learned of the device's groups; see Seen.
	Best  map[component.ID]int
	Peaks map[component.ID]float64
	// Ratings are the last known ratings of parts, also of those that are gone.
	Ratings map[component.ID]component.Rating
	// Prefixes are what sessions usually bring; see Seen.
	Prefixes map[component.ID]map[string]Usual
	// Loads are the highest loads that were learned; see Seen.
	Loads map[string][]LoadPeak
}

// Part returns the part with that id, or nil.
func (d *Device) Part(id component.ID) *Part {
	i, ok := sort.Find(len(d.Parts), func(i int) int { return strings.Compare(string(id), string(d.Parts[i].ID)) })
	if !ok {
		return nil
	}
	return &d.Parts[i]
}

// Target is how one target does.
type Target struct {
	URL      string
	Device   string
	Interval time.Duration // between polls; silence is never assumed before three of them
	LastTry  time.Time
	LastGood time.Time
	Took     time.Duration
	Missed   int  // polls without an answer since LastGood
	Silent   bool // three missed polls, or five minutes
	Named    bool // the model names the device or a part of it
	Errors   []snapshot.Error
}

// Seen is what is remembered of a device over restarts (docs/design.md, 6).
type Seen struct {
	Identity snapshot.Device            `json:"identity"`
	Working  map[component.ID]time.Time `json:"working"` // last seen available
	Bad      map[component.ID]Bad       `json:"bad"`     // known bad until seen good
	Best     map[component.ID]int       `json:"best"`    // by group: the most members ever seen working together
	Peaks    map[component.ID]float64   `json:"peaks"`   // by group: highest load in W seen
	// Ratings are the last known ratings of the parts that stand in for each other.
	Ratings map[component.ID]component.Rating `json:"ratings,omitempty"`
	Silent  []string                          `json:"silent,omitempty"` // targets that did not answer
	// Loads are the highest loads seen of late, in the engine's own names.
	Loads map[string][]LoadPeak `json:"loads,omitempty"`
	// Prefixes are how many prefixes the BGP sessions usually bring, by session and address family.
	Prefixes map[component.ID]map[string]Usual `json:"prefixes,omitempty"`
}

// Usual is what a count usually is; see traffic.UsualOf.
type Usual struct {
	Median  int `json:"median"`
	Spread  int `json:"spread,omitempty"` // median distance from it
	Samples int `json:"samples,omitempty"`
}

// LoadPeak is the highest load in one part of the window over which peaks are kept.
type LoadPeak struct {
	Since time.Time `json:"since"` // when that part began
	VA    float64   `json:"va"`    // bit/s of traffic
	W     float64   `json:"w,omitempty"`
}

// Bad is a part known bad.
type Bad struct {
	Status component.Status `json:"status"`
	Why    string           `json:"why"`
	Since  time.Time        `json:"since"`
}
