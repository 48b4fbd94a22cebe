package engine

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// Expected is what failure rates make of a service in the long run, beside what was measured.
type Expected struct {
	// Availability is the part of the time for which it is up. It counts the components of which a rate is known, and takes
	// the others for perfect: with Without over 0 it is at most this.
	Availability float64 `json:"availability"`
	// DownPerYear in hours.
	DownPerYear float64 `json:"down_hours_per_year"`
	// With and Without are how many of its components have a rate, and how many have none.
	With    int `json:"components_with_rate"`
	Without int `json:"components_without_rate"`
	// Matters are the components that matter most, at most 5, by Fussell-Vesely.
	Matters []Importance `json:"matters"`
}

const hoursOfYear = 365.25 * 24

// hasRates reports whether the model says how often anything fails.
func (e *Engine) hasRates() bool {
	return len(e.model.Rates) > 0 || slices.ContainsFunc(e.model.Components, func(c topology.Component) bool { return c.Rate.MTBF > 0 })
}

// rates are the parts of time for which components are down in the long run, by node; negative where no rate is known.
// They are found once for a structure.
func (e *Engine) rates() []float64 {
	if e.unwell != nil {
		return e.unwell
	}
	e.unwell = make([]float64, e.graph.Len())
	own := map[component.ID]topology.Rate{}
	for i := range e.model.Components {
		c := &e.model.Components[i]
		if n, ok := e.graph.Node(c.ID); ok && c.Rate.MTBF > 0 {
			own[e.graph.ID(n)] = c.Rate
		}
	}
	for n := range redundancy.Node(e.graph.Len()) {
		id := e.graph.ID(n)
		r, ok := own[id]
		if !ok {
			r, ok = e.model.Rates[id.Kind()]
		}
		if e.unwell[n] = -1; ok && id != "" {
			e.unwell[n] = r.Down()
		}
	}
	return e.unwell
}

// expected is what the rates make of a service by design; nil where no rates are known or the service is too hard.
func (e *Engine) expected(n redundancy.Node) *Expected {
	if !e.hasRates() {
		return nil
	}
	f, err := e.solver.Function(n, e.opt.Budget)
	if err != nil {
		return nil
	}
	down := e.rates()
	x := &Expected{Matters: []Importance{}}
	for _, m := range f.Components() {
		if e.hold[m] {
			continue
		}
		if down[m] >= 0 {
			x.With++
		} else {
			x.Without++
		}
	}
	if x.With == 0 {
		return nil
	}
	p, by := f.Importances(func(m redundancy.Node) float64 {
		if e.hold[m] {
			return 1
		}
		return max(0, down[m])
	})
	if math.IsNaN(p) {
		return nil
	}
	x.Availability, x.DownPerYear = 1-p, p*hoursOfYear
	all := importances(e.graph, f, by)
	x.Matters = append(x.Matters, all[:min(len(all), 5)]...)
	return x
}

// importances names what matters, most important first; what matters nothing is left out.
func importances(g *topology.Graph, f *redundancy.Function, by []redundancy.Importance) []Importance {
	var all []Importance
	for i, m := range f.Components() {
		if by[i].FussellVesely > 0 && g.ID(m) != "" {
			all = append(all, ImportanceOf(string(g.ID(m)), by[i]))
		}
	}
	slices.SortStableFunc(all, func(a, b Importance) int {
		return cmp.Or(cmp.Compare(b.FussellVesely, a.FussellVesely), cmp.Compare(b.Birnbaum, a.Birnbaum), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// worthQuestion asks what failure rates make of one thing.
type worthQuestion struct {
	asked  *redundancy.Asked // with nothing failed
	down   []float64         // by component that was asked for: the part of time for which it is down, 1 now, negative: not known
	hold   []bool            // by the same: none that fails
	graph  *topology.Graph
	failed bool // a group that cannot fail by itself is said to have
}

// askWorth asks for the probability that n is down, given what has failed, and what each component matters to it: what to
// mend or buy first.
func (e *Engine) askWorth(n redundancy.Node) *worthQuestion {
	if !e.hasRates() {
		return nil
	}
	q := &worthQuestion{asked: e.solver.Ask(redundancy.Question{Top: n}), graph: e.graph}
	rates := e.rates()
	for _, m := range q.asked.Components() {
		down := rates[m]
		if e.best.Failed(m) {
			down = 1
		}
		q.down, q.hold = append(q.down, down), append(q.hold, e.hold[m])
	}
	for _, m := range q.asked.Gates() {
		q.failed = q.failed || e.best.Failed(m)
	}
	return q
}

// answer adds the answer to the cut sets.
func (q *worthQuestion) answer(ctx context.Context, c *CutSets) {
	f, err := q.asked.Function(ctx)
	if err != nil || q.failed {
		c.NoProbability = "the model is too hard for it"
		return
	}
	p, by := f.ImportancesByNumber(func(number int) float64 { return max(0, q.down[number]) })
	if math.IsNaN(p) {
		c.NoProbability = "the model is too hard for it"
		return
	}
	c.Probability, c.Importance = &p, importances(q.graph, f, by)
	without := 0
	for i, down := range q.down {
		if down < 0 && !q.hold[i] {
			without++
		}
	}
	if without > 0 {
		c.AtLeast = fmt.Sprintf("%d of %d components have no failure rate and count as perfect", without, len(q.down))
	}
}
