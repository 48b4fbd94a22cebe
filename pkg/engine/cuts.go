package engine

import (
	"math/big"
	"slices"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// CutSets are the minimal cut sets of one thing: the smallest sets of failures that take it down, given what has failed.
type CutSets struct {
	Of string `json:"of"`
	// ExactUpTo: every minimal cut set of this order or less is counted, and no others. Null: those of every order.
	ExactUpTo *int `json:"exact_up_to"`
	// Whole: all that was asked for is there. Otherwise the model was too hard, and ExactUpTo says how far the answer goes.
	Whole   bool       `json:"whole"`
	Count   *big.Int   `json:"count"`
	ByOrder []*big.Int `json:"by_order"` // by the number of failures; order 0 is 1 only when it is down already
	// Hull: the tree has negations, so that a repair may harm; these are the cut sets of its coherent hull, in which every
	// negated event is taken to be able to happen.
	Hull bool `json:"coherent_hull,omitempty"`
	// Sets are the first of them, those of lower order first.
	Sets [][]string `json:"sets"`
	// Probability that it is down, where every basic event's is known; with each event's importance, most important first.
	Probability *float64     `json:"probability,omitempty"`
	Importance  []Importance `json:"importance,omitempty"`
	// Overload are the smallest sets of failures that the structure survives and the load does not, of one or two failures;
	// OverloadUpTo says up to how many all are found. Null: no load or no rating is known.
	Overload     []OverloadCut `json:"overload,omitempty"`
	OverloadUpTo *int          `json:"overload_exact_up_to,omitempty"`
	// NoProbability says why it was asked for and is not known.
	NoProbability string `json:"no_probability,omitempty"`
}

// Importance says how much one basic event matters.
type Importance struct {
	Name          string  `json:"name"`
	Birnbaum      float64 `json:"birnbaum"`
	FussellVesely float64 `json:"fussell_vesely"`
}

// NewCutSets puts cut sets into words; at most limit of them are listed.
func NewCutSets(of string, cuts *redundancy.Cuts, limit int, name func(redundancy.Node) string) *CutSets {
	c := &CutSets{Of: of, Whole: cuts.Exact, Count: cuts.Count(), ByOrder: cuts.ByOrder(), Sets: [][]string{}}
	if cuts.ExactUpTo != redundancy.AnyOrder {
		c.ExactUpTo = &cuts.ExactUpTo
	}
	for set := range cuts.All() {
		if len(c.Sets) >= limit {
			break
		}
		names := make([]string, len(set))
		for i, n := range set {
			names[i] = name(n)
		}
		slices.Sort(names)
		c.Sets = append(c.Sets, names)
	}
	return c
}

// Cuts finds the minimal cut sets of a service, group or component as things stand, of at most order failures (0: any
// number), and lists at most limit of them. Silent parts count as working.
func (e *Engine) Cuts(of component.ID, order, limit int) (*CutSets, error) {
	id, err := e.Resolve(string(of))
	if err != nil {
		return nil, err
	}
	n, ok := e.graph.Node(id)
	if !ok {
		return nil, &topology.UnknownNameError{Name: string(of)}
	}
	cuts := e.solver.MinCuts(redundancy.Question{Top: n, Failed: e.best.Failed, Order: order, Budget: e.opt.Budget})
	c := NewCutSets(string(id), cuts, limit, func(m redundancy.Node) string { return e.name(m) })
	e.addImportance(c, n)
	if sets, exact := e.overloadCuts(n, order); exact > 0 {
		c.Overload, c.OverloadUpTo = sets[:min(len(sets), max(limit, 0))], &exact
	}
	return c, nil
}

// name of a node in a cut set; a member that the device says should be there and nobody can name has none.
func (e *Engine) name(n redundancy.Node) string {
	if id := e.graph.ID(n); id != "" {
		return string(id)
	}
	return "a missing member"
}
