package engine

import (
	"context"
	"math"
	"math/big"
	"slices"
	"time"

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
	// ByOrderUpTo: they were counted by order up to this one only, though Count has them all. Null: up to ExactUpTo.
	ByOrderUpTo *int `json:"by_order_up_to,omitempty"`
	// Stopped: the time was over, or nobody waited any more, before the answer was whole; after so many seconds.
	Stopped      bool    `json:"-"`
	StoppedAfter float64 `json:"stopped_after_s,omitempty"`
	// Hull: the tree has negations, so that a repair may harm; these are the cut sets of its coherent hull, in which every
	// negated event is taken to be able to happen.
	Hull bool `json:"coherent_hull,omitempty"`
	// LeftOut is what a fault tree's file says besides, and is no part of the answer.
	LeftOut []string `json:"left_out,omitempty"`
	// Sets are the first of them, those of lower order first.
	Sets [][]string `json:"sets"`
	// Probability that it is down, where every basic event's is known; with each event's importance, most important first.
	Probability *float64     `json:"probability,omitempty"`
	Importance  []Importance `json:"importance,omitempty"`
	// Overload are the smallest sets of failures that the structure survives and the load does not, of one or two failures;
	// OverloadUpTo says up to how many all are found. Null: no load or no rating is known.
	Overload     []OverloadCut `json:"overload,omitempty"`
	OverloadUpTo *int          `json:"overload_exact_up_to,omitempty"`
	// AtLeast says why Probability is no more than a lower bound, and why the importances are of that; empty: they are exact.
	AtLeast string `json:"probability_at_least,omitempty"`
	// Bounds are what Probability lies between, by the cut sets that are there; null where it is known exactly or not at all.
	Bounds *[2]float64 `json:"probability_bounds,omitempty"`
	// NoProbability says why it was asked for and is not known; Probability is null then.
	NoProbability string `json:"no_probability,omitempty"`
}

// Importance says how much one basic event matters; see redundancy.Importance.
type Importance struct {
	Name          string  `json:"name"`
	Birnbaum      float64 `json:"birnbaum"`
	FussellVesely float64 `json:"fussell_vesely"`
	// Achievement is the risk achievement worth: by what the probability grows while the event has happened.
	Achievement float64 `json:"risk_achievement_worth"`
	// Reduction is the risk reduction worth: by what the probability shrinks if the event never happens; null where it
	// would be 0 then.
	Reduction *float64 `json:"risk_reduction_worth"`
}

// ImportanceOf puts an importance beside its name.
func ImportanceOf(name string, x redundancy.Importance) Importance {
	i := Importance{Name: name, Birnbaum: x.Birnbaum, FussellVesely: x.FussellVesely, Achievement: x.Achievement}
	if r := x.Reduction(); !math.IsInf(r, 0) {
		i.Reduction = &r
	}
	return i
}

// additions bounds the work of counting cut sets by order: about a second.
const additions = 1 << 26

// NewCutSets puts cut sets into words; at most limit of them are listed.
func NewCutSets(of string, cuts *redundancy.Cuts, limit int, name func(redundancy.Node) string) *CutSets {
	c := &CutSets{Of: of, Whole: cuts.Exact, Stopped: cuts.Stopped, Count: cuts.Count(), Sets: [][]string{}}
	if cuts.ExactUpTo != redundancy.AnyOrder {
		c.ExactUpTo = &cuts.ExactUpTo
	}
	by, upTo := cuts.ByOrderWithin(additions)
	if c.ByOrder = by; upTo < cuts.ExactUpTo {
		c.ByOrderUpTo = &upTo
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

// EndedAfter notes how long it took, if the answer was ended before it was whole.
func (c *CutSets) EndedAfter(took time.Duration) {
	if c.Stopped {
		c.StoppedAfter = math.Round(took.Seconds()*10) / 10
	}
}

// CutsQuestion asks for the minimal cut sets of one thing as they stood when it was asked. It shares nothing with the
// engine that changes: any goroutine may answer it, however long that takes.
type CutsQuestion struct {
	id       component.ID
	limit    int
	asked    *redundancy.Asked
	name     func(redundancy.Node) string
	worth    *worthQuestion    // nil: no failure rates are known
	overload *overloadQuestion // nil: no load is known, or it is down already
}

// AskCuts asks for the minimal cut sets of a service, group or component as things stand, of at most order failures (0: any
// number), of which at most limit are listed. Silent parts count as working.
func (e *Engine) AskCuts(of component.ID, order, limit int) (*CutsQuestion, error) {
	id, err := e.Resolve(string(of))
	if err != nil {
		return nil, err
	}
	n, ok := e.graph.Node(id)
	if !ok {
		return nil, &topology.UnknownNameError{Name: string(of)}
	}
	return &CutsQuestion{
		id: id, limit: limit,
		asked:    e.solver.Ask(redundancy.Question{Top: n, Failed: e.best.Failed, Order: order}),
		name:     nodeName(e.graph),
		worth:    e.askWorth(n),
		overload: e.askOverload(n, order),
	}, nil
}

// Answer finds the cut sets, as far as it comes before ctx is done: the answer says what it is exact up to.
func (q *CutsQuestion) Answer(ctx context.Context) *CutSets {
	c := NewCutSets(string(q.id), q.asked.MinCuts(ctx), q.limit, q.name)
	if q.worth != nil {
		q.worth.answer(ctx, c)
	}
	if q.overload != nil {
		if sets, exact := q.overload.answer(ctx); exact > 0 {
			c.Overload, c.OverloadUpTo = sets[:min(len(sets), max(q.limit, 0))], &exact
		}
	}
	c.Stopped = c.Stopped || ctx.Err() != nil
	return c
}

// Cuts asks for minimal cut sets and answers at once.
func (e *Engine) Cuts(of component.ID, order, limit int) (*CutSets, error) {
	q, err := e.AskCuts(of, order, limit)
	if err != nil {
		return nil, err
	}
	return q.Answer(context.Background()), nil
}

// nodeName names nodes in a cut set; a member that the device says should be there and nobody can name has none.
func nodeName(g *topology.Graph) func(redundancy.Node) string {
	return func(n redundancy.Node) string {
		if id := g.ID(n); id != "" {
			return string(id)
		}
		return "a missing member"
	}
}
