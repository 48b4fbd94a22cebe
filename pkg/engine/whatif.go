package engine

import "github.com/sparewatch/sparewatch/pkg/component"

// Simulation says what would change if some components failed.
type Simulation struct {
	Fail     []component.ID `json:"fail"`
	Services []Change       `json:"services"` // that lose something: down first, then by tier and name
	Groups   []Change       `json:"groups"`
	// Down are the components that would stop working with those that fail, sorted.
	Down []component.ID `json:"down"`
}

// Change is one service or group before and after.
type Change struct {
	ID     component.ID `json:"id"`
	Name   string       `json:"name"`
	Tier   int          `json:"tier,omitempty"`
	Before Verdict      `json:"before"`
	After  Verdict      `json:"after"`
	Lost   bool         `json:"lost"` // it would be down, and is not now
}

// Verdict is a state with its spares; the worst case is set where silent members could make it worse.
type Verdict struct {
	State       State                       `json:"state"`
	Spares      *int                        `json:"spares"`
	StateWorst  *State                      `json:"state_worst"`
	SparesWorst *int                        `json:"spares_worst"`
	By          map[component.Domain]Spares `json:"by_domain,omitempty"`
}

// Gate is the answer to "may these be taken down now?".
type Gate struct {
	// Verdict is 0: safe even in the worst case, 1: unsafe even in the best, 2: in between, or no answer.
	Verdict int            `json:"verdict"`
	Fail    []component.ID `json:"fail"`
	Reasons []string       `json:"reasons"`
	// Presumed are the components that nobody observes and that were presumed working.
	Presumed []component.ID `json:"presumed"`
	// Settle says what would settle a verdict of 2.
	Settle []string   `json:"settle"`
	Effect Simulation `json:"effect"`
}
