package engine

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/capacity"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// LoadPairs say which pairs of failures overload something that neither of the two overloads by itself.
type LoadPairs struct {
	// Pairs are the first of them: those that take services down, then those by which something trips.
	Pairs []LoadPair `json:"pairs"`
	Found int        `json:"found"` // how many there are
	// Components are those of which pairs were considered; Considered is how many pairs, and Followed how many of them could
	// not be ruled out by how much load may come to each element at most.
	Components int `json:"components"`
	Considered int `json:"considered"`
	Followed   int `json:"followed"`
	// Whole: every pair was ruled out or followed. Otherwise there were too many, or the time was over.
	Whole        bool     `json:"whole"`
	StoppedAfter float64  `json:"stopped_after_s,omitempty"`
	NotGiven     []string `json:"not_given"`

	stopped bool
}

// CapacityReport says what failures do to what carries load.
type CapacityReport struct {
	Loads
	Pairs *LoadPairs `json:"pairs"` // null: they were not asked for
}

// Bad reports whether a failure, or a pair that was asked for, overloads something.
func (c *CapacityReport) Bad() bool {
	return c.Pairs != nil && c.Pairs.Found > 0 || slices.ContainsFunc(c.Elements, func(v Failover) bool { return float64(v.After.Ratio) > 1 })
}

// LoadPair are two failures that together overload something.
type LoadPair struct {
	Fail []component.ID `json:"fail"`
	// Overloaded are worse off than after either failure; those that trip first, then the fullest.
	Overloaded []Overload `json:"overloaded"`
	// Services go down by what trips, and not by the two failures themselves; at most 16.
	Services []component.ID `json:"services"`
}

// EndedAfter notes how long it took, if the answer was ended before it was whole.
func (p *LoadPairs) EndedAfter(took time.Duration) {
	if p.stopped {
		p.StoppedAfter = math.Round(took.Seconds()*10) / 10
	}
}

// PairsQuestion asks for all pairs of failures that overload something, as things stood when it was asked. Any goroutine
// may answer it.
type PairsQuestion struct {
	graph    *topology.Graph
	services []service
	flows    []func() *capacity.Flow
	limit    int
	notGiven []string
}

type service struct {
	node redundancy.Node
	id   component.ID
}

// AskPairs asks which pairs of failures overload, or trip, something that neither of the two does; at most limit are
// listed.
func (e *Engine) AskPairs(limit int) *PairsQuestion {
	l := e.currentLoad()
	q := &PairsQuestion{graph: e.graph, limit: max(limit, 0), notGiven: slices.Clone(l.report.NotGiven)}
	for i := range e.tops {
		if t := &e.tops[i]; t.service != nil {
			q.services = append(q.services, service{t.node, t.service.ID})
		}
	}
	for _, f := range []*flows{l.power, l.traffic} {
		if f != nil && f.flow != nil {
			q.flows = append(q.flows, f.flow.Copy())
		}
	}
	return q
}

// Answer follows the pairs, as far as it comes before ctx is done.
func (q *PairsQuestion) Answer(ctx context.Context) *LoadPairs {
	p := &LoadPairs{Pairs: []LoadPair{}, Whole: true, NotGiven: append([]string{}, q.notGiven...)}
	for _, flow := range q.flows {
		q.follow(ctx, flow(), p)
	}
	p.stopped = !p.Whole && ctx.Err() != nil
	slices.SortStableFunc(p.Pairs, func(a, b LoadPair) int {
		return cmp.Or(compareBool(len(b.Services) > 0, len(a.Services) > 0), compareBool(b.trips(), a.trips()), slices.Compare(a.Fail, b.Fail))
	})
	p.Pairs = p.Pairs[:min(len(p.Pairs), q.limit)]
	return p
}

func (p *LoadPair) trips() bool {
	return slices.ContainsFunc(p.Overloaded, func(o Overload) bool { return o.Trips })
}

// mostPairs are kept while the first of them are looked for.
const mostPairs = 20_000

// follow follows the pairs of one flow.
func (q *PairsQuestion) follow(ctx context.Context, f *capacity.Flow, p *LoadPairs) {
	var failures []redundancy.Node
	joined := f.Joined()
	for n := range redundancy.Node(q.graph.Len()) {
		if f.Network().Element(n).In && joined[n] >= 0 && f.Live().Works(n) && q.graph.ID(n) != "" {
			failures = append(failures, n)
		}
	}
	var down [][]component.ID // by pair
	found := f.Pairs(ctx, failures, mostPairs, func(_ *capacity.Pair, o *capacity.Outcome) { down = append(down, q.down(f, o)) })
	p.Components += found.Failures
	p.Considered += found.Considered
	p.Followed += found.Followed
	p.Found += found.Found
	p.Whole = p.Whole && found.Whole
	for i := range found.Pairs {
		p.Pairs = append(p.Pairs, q.words(f, &found.Pairs[i], down[i]))
	}
}

// down are the services that are down after everything has tripped.
func (q *PairsQuestion) down(f *capacity.Flow, o *capacity.Outcome) []component.ID {
	var ids []component.ID
	for _, s := range q.services {
		if len(o.Trips) > 0 && !f.Live().Works(s.node) && slices.Contains(o.Down, s.node) {
			ids = append(ids, s.id)
		}
	}
	return ids
}

// words names a pair, with the services that would not be down by the two failures themselves.
func (q *PairsQuestion) words(f *capacity.Flow, pair *capacity.Pair, down []component.ID) LoadPair {
	p := LoadPair{Fail: []component.ID{q.graph.ID(pair.Fail[0]), q.graph.ID(pair.Fail[1])}, Services: []component.ID{}}
	slices.Sort(p.Fail)
	for _, o := range pair.Over {
		el, before := f.Network().Element(o.Node), f.Load(o.Node)
		v := Overload{ID: q.graph.ID(o.Node), Trips: o.Grade == capacity.Trips, MayTrip: o.Grade == capacity.MayTrip}
		v.Before, _, _ = loading(el, &before)
		v.After, _, _ = loading(el, &o.Load)
		p.Overloaded = append(p.Overloaded, v)
	}
	slices.SortFunc(p.Overloaded, compareOverloads)
	if len(down) > 0 {
		by := map[component.ID]bool{}
		f.Try(pair.Fail[:], false, func(*capacity.Outcome) {
			for _, s := range q.services {
				by[s.id] = !f.Live().Works(s.node)
			}
		})
		down = slices.DeleteFunc(down, func(id component.ID) bool { return by[id] })
		slices.Sort(down)
		p.Services = append(p.Services, down[:min(len(down), 16)]...)
	}
	return p
}
