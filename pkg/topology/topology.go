// Package topology gives the declared model of what holds what up, and compiles it, together with what devices report,
// into a structure function.
//
// The rules by which links become requirements (docs/design.md, 5.1):
//
//   - feeds: one live provider is enough (an ats, a supply with two inputs, a UPS with a bypass input), unless the
//     providers are the members of a group that feeds the dependant; then the group's N counts.
//   - carries: providers of one kind stand in for each other (two conduits of one protected circuit); providers of
//     different kinds are all needed (a session needs its port and its circuit and its router).
//   - contains: every provider is needed; but a supply or a fan holds up the box that contains it.
//   - cools: a single provider is needed; several without a group are not judged, and listed as a blind spot.
//   - neighbour: no requirement.
//   - a group that carries a component is one requirement of it: N of the members.
//
// What a pdu, ups or ats distributes goes through it: its outlets, banks, phases and breakers that nothing inside the
// device but an inlet feeds need its main component, which needs one live inlet of the device. A main component is no
// alternative to its own parts: where it feeds one of them beside a bank, both are needed; so are several phases. A ups
// that has a provider works without it while it holds (Graph.Holds): the battery is no spare while nothing has failed.
//
// An id in the model may be a bare name: a device's stands for its main component, a declared thing's for itself. The id
// of a main component whose kind was guessed before the device was read ("ups-a/pdu/1") stands for the real one.
//
// The package does no input or output and knows nothing of files; pkg/config reads them.
package topology

import (
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// Model is what was declared. pkg/config returns it checked: every id refers to something, there is no loop, k is at
// most n.
type Model struct {
	Site       string
	Components []Component
	Links      []Link
	Groups     []Group
	Services   []Service
	// Observed are the names of the devices that have targets; ids that begin with another device are unobserved.
	Observed []string
	// Rates are how often components of a kind fail, where nothing is said of one itself.
	Rates map[component.Kind]Rate
	// Work are the times for which work on something is announced, sorted by their begin.
	Work []Work
	// Lead is how long before it begins announced work counts; 0 means a day.
	Lead time.Duration
}

// Work is a time for which work on components is announced: they may be down then.
type Work struct {
	What     []component.ID
	From, To time.Time
	Note     string // what is said of it
	At       Position
}

// Component is a declared component: one that no device reports (a feed, a conduit), or a fact about one that does.
type Component struct {
	ID     component.ID
	Name   string
	Rating *component.Rating
	// Derate is the share of the rating that may be used; 0 means 0.8.
	Derate float64
	// Phase is the conductor of what feeds it on which it hangs: "L1", "L1-L2"; "" where that is not said.
	Phase string
	// Draws is the load that it has by itself, where nobody measures it.
	Draws *component.Rating
	// Rate is how often it fails; zero: as its kind does.
	Rate Rate
	At   Position
}

// Rate is how often something fails and how long it takes to mend it.
type Rate struct {
	MTBF time.Duration // mean time from one failure to the next; 0: not known
	MTTR time.Duration // mean time to repair
}

// Down is the part of the time for which it is down, in the long run.
func (r Rate) Down() float64 {
	if r.MTBF <= 0 {
		return 0
	}
	return r.MTTR.Hours() / (r.MTBF.Hours() + r.MTTR.Hours())
}

// Link is a declared edge from provider to dependant.
type Link struct {
	component.Link
	At Position
}

// Group is a declared redundancy group.
type Group struct {
	ID       component.ID // site/group/name or device/group/local
	Kind     component.Kind
	Members  []component.ID
	Needed   int // N; 0: not declared
	Designed int // M; 0: the members
	// Missing is how many members more the group has that nobody can name and that are not there.
	Missing int
	// Carries is what the group holds up; empty: only judged for itself.
	Carries component.ID
	At      Position
}

// Service is what people want to stay up.
type Service struct {
	ID    component.ID // site/service/name
	Name  string
	Tier  int // 0 is the most important
	Needs Need
	RTO   time.Duration
	At    Position
}

// Need is a requirement tree: a leaf names a component, group or service; a node needs AtLeast of Of.
type Need struct {
	ID      component.ID // leaf
	AtLeast int          // node; 0 means all
	Of      []Need
}

// Position is where something was declared, "file:line"; empty where it was not.
type Position string
