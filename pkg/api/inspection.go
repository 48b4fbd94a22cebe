package api

import (
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// Inspection is the object that `sparewatch inspect --json` prints: one poll of one device, with the verdicts on the
// groups inside it (docs/api.md). Lists and maps are never null; what is not known is.
type Inspection struct {
	Target     string                `json:"target"`
	Collector  string                `json:"collector"`
	Device     snapshot.Device       `json:"device"`
	Reachable  bool                  `json:"reachable"`
	Took       int64                 `json:"took_ms"`
	Requests   int                   `json:"requests"`
	Components []component.Component `json:"components"`
	Groups     []Group               `json:"groups"`
	Claims     []snapshot.Claim      `json:"claims"`
	Links      []component.Link      `json:"links"`
	Errors     []snapshot.Error      `json:"errors"`
}

// Group is a verdict whose numbers are null where they are not known.
type Group struct {
	engine.Group
	Needed   *int `json:"needed"`
	Designed *int `json:"designed"`
}

// Inspect judges a snapshot for itself. The snapshot is not changed.
func Inspect(sn *snapshot.Snapshot) *Inspection {
	in := &Inspection{
		Target:     sn.Target,
		Collector:  sn.Collector,
		Device:     sn.Device,
		Reachable:  sn.Reachable,
		Took:       int64((sn.Took + time.Millisecond/2) / time.Millisecond),
		Requests:   sn.Requests,
		Components: whole(sn.Components),
		Groups:     []Group{},
		Claims:     list(sn.Claims),
		Links:      list(sn.Links),
		Errors:     list(sn.Errors),
	}
	for i, c := range in.Claims {
		in.Claims[i].Members = list(c.Members)
		if c.Raw == nil {
			in.Claims[i].Raw = map[string]string{}
		}
	}
	for _, g := range engine.Judge(sn) {
		g.Members, g.Unverified = list(g.Members), list(g.Unverified)
		in.Groups = append(in.Groups, Group{Group: *g, Needed: positive(g.Needed), Designed: positive(g.Designed)})
	}
	return in
}

// whole copies the components with lists and maps where there are none.
func whole(components []component.Component) []component.Component {
	out := list(components)
	for i := range out {
		c := &out[i]
		c.Aliases, c.Readings = list(c.Aliases), list(c.Readings)
		if c.Attributes == nil {
			c.Attributes = map[string]string{}
		}
	}
	return out
}

func list[T any](s []T) []T { return append([]T{}, s...) }

func positive(n int) *int {
	if n <= 0 {
		return nil
	}
	return &n
}

// Exit codes of the commands that ask a question.
const (
	Fine    = 0 // nothing bad is known
	BadNews = 1
	NoWord  = 2 // there is no answer
)

// Exit is the command's exit code: BadNews when a group is degraded, lost or insufficient or a component has failed,
// NoWord when the device was not reached or nothing of it can be judged.
func (in *Inspection) Exit() int {
	known := len(in.Groups) > 0
	for i := range in.Groups {
		switch in.Groups[i].State {
		case engine.Degraded, engine.Lost, engine.Insufficient:
			return BadNews
		}
	}
	for i := range in.Components {
		switch in.Components[i].Condition {
		case component.Failed:
			return BadNews
		case component.Unknown:
		default:
			known = true
		}
	}
	if !in.Reachable || !known {
		return NoWord
	}
	return Fine
}

// Unknown counts the components and groups of which nothing is known.
func (in *Inspection) Unknown() (components, groups int) {
	for i := range in.Components {
		if _, known := in.Components[i].Available(); !known {
			components++
		}
	}
	for i := range in.Groups {
		if in.Groups[i].State == engine.StateUnknown {
			groups++
		}
	}
	return components, groups
}
