package engine

import (
	"encoding/json"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
)

// State is a redundancy state, after IPMI 2.0's terms; docs/design.md, 5.3. The zero value is StateUnknown.
type State uint8

// The states.
const (
	StateUnknown State = iota
	None               // no spare was ever there and the need is met
	Full               // all spares there
	Degraded           // some spares gone, some left
	Lost               // no spare left, by a failure: the next one is an outage
	Insufficient       // fewer than needed
)

// Basis says where a group's numbers come from.
type Basis string

// The bases, strongest first.
const (
	Declared Basis = "declared"
	Learned  Basis = "learned" // designed: the most ever seen working together
	Claimed  Basis = "claimed"
	Capacity Basis = "capacity" // needed was raised to what carries the load
	Assumed  Basis = "assumed"  // one severity lower
)

// Group is the verdict on one redundancy group; its JSON is in docs/api.md.
type Group struct {
	ID          component.ID   `json:"id"`
	Kind        component.Kind `json:"kind"`
	Members     []component.ID `json:"members"`
	Needed      int            `json:"needed"`
	Designed    int            `json:"designed"`
	Basis       Basis          `json:"basis"`
	State       State          `json:"state"`
	Spares      *int           `json:"spares"`      // null where not known
	StateWorst  *State         `json:"state_worst"` // set where silent members could make it worse
	SparesWorst *int           `json:"spares_worst"`
	Unverified  []component.ID `json:"unverified"` // members and providers that nobody observes, presumed working
	Why         string         `json:"why"`
	// Predicted spares: as Spares, were everything that says it will fail already gone.
	Predicted *int `json:"predicted_spares"`
	// Full spares by structure with nothing failed (S0); Designed-Needed is the intent (D).
	SparesFull *int `json:"spares_full"`
	// Carries is the component that leans on the group.
	Carries component.ID `json:"carries,omitempty"`
}

// MarshalJSON writes null for numbers of members that are not known.
func (g Group) MarshalJSON() ([]byte, error) {
	type plain Group
	return json.Marshal(struct {
		plain
		Needed   *int `json:"needed"`
		Designed *int `json:"designed"`
	}{plain(g), known(g.Needed), known(g.Designed)})
}

func known(n int) *int {
	if n <= 0 {
		return nil
	}
	return &n
}

// Service is the verdict on one service.
type Service struct {
	ID          component.ID                `json:"id"`
	Name        string                      `json:"name"`
	Tier        int                         `json:"tier"`
	State       State                       `json:"state"`
	Spares      *int                        `json:"spares"`      // overall; -1: it is down
	StateWorst  *State                      `json:"state_worst"` // set where silent components could make it worse
	SparesWorst *int                        `json:"spares_worst"`
	Predicted   *int                        `json:"predicted_spares"`
	By          map[component.Domain]Spares `json:"by_domain"`
	// Weakest are the minimal cut sets of the smallest order, given what has failed; at most 16, Cuts is how many there are.
	Weakest    [][]component.ID `json:"weakest"`
	Cuts       int              `json:"weakest_count"`
	Unverified []component.ID   `json:"unverified"` // at most 64
	// AtLeast is set in the place of Spares where there are more than the engine counts up to.
	AtLeast *int `json:"spares_at_least,omitempty"`
	// Expected is what the failure rates of its components make of it in the long run; null where no rates are declared.
	Expected *Expected `json:"expected"`
}

// Spares of one service in one domain. Spares is null where the service has no component of the domain, or more than
// the engine counts up to (then AtLeast is set).
type Spares struct {
	Spares    *int  `json:"spares"`
	Worst     *int  `json:"spares_worst"`
	Predicted *int  `json:"predicted_spares"`
	Full      *int  `json:"spares_full"` // with nothing failed
	State     State `json:"state"`
	// AtLeast is set in the place of Spares where there are more than the engine counts up to.
	AtLeast *int `json:"spares_at_least,omitempty"`
}

// Report is all that the engine says at one moment. It is immutable: every Evaluate returns a new one, which shares
// with the one before what has not changed.
type Report struct {
	At       time.Time         `json:"at"`
	Groups   []*Group          `json:"groups"`   // sorted by id
	Services []*Service        `json:"services"` // sorted by tier, then name
	Findings []finding.Finding `json:"findings"` // roots first, then by severity, then by key
	// Capacity is what every single failure would do to what carries load.
	Capacity Loads `json:"capacity"`
	// Neighbours are the cables between ports that hear each other by LLDP, sorted.
	Neighbours []component.Link `json:"neighbours"`
	// Cables are those between ports of which the model and the ports do not say the same, sorted.
	Cables []Cable `json:"cables"`
	// Settled is false until every target was read once or the settle time is over.
	Settled bool `json:"settled"`
	// Waiting counts findings held back until asked providers have answered.
	Waiting int `json:"waiting"`
}

// Question asks for a target of the device to be read now, because the answer decides where blame lies.
type Question struct {
	Device string
	Why    string
}
