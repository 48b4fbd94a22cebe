package engine

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// Comparison says what a model is worth beside an older one, with nothing failed.
type Comparison struct {
	// Worse: some service or group that both have lost spares or won a single point of failure, something only looks
	// redundant now, or something would carry too much now.
	Worse    bool              `json:"worse"`
	Services []ServiceChange   `json:"services"` // that are otherwise; the worse first
	Groups   []GroupChange     `json:"groups"`
	Findings []FindingChange   `json:"findings"` // false redundancy and overload that appear or disappear
	Headroom []HeadroomChange  `json:"headroom"`
	Same     map[string]int    `json:"unchanged"` // how many services and groups are as they were
	Expected []ExpectedChanges `json:"expected_availability"`
}

// ServiceChange is a service that is otherwise. Before is null for a new one, After for one that is gone.
type ServiceChange struct {
	Name   string       `json:"name"`
	Tier   int          `json:"tier"`
	Worse  bool         `json:"worse"`
	Better bool         `json:"better"`
	Before *DesignWorth `json:"before"`
	After  *DesignWorth `json:"after"`
	// Appear and Gone are single points of failure, sorted.
	Appear []component.ID `json:"spofs_appear"`
	Gone   []component.ID `json:"spofs_gone"`
}

// DesignWorth is what a service has by design.
type DesignWorth struct {
	Spares  *int                      `json:"spares"` // null: nothing takes it down, or more than are counted
	AtLeast *int                      `json:"spares_at_least"`
	By      map[component.Domain]*int `json:"by_domain"`
	SPOFs   int                       `json:"spofs"`
	says    string
}

// Words say what a service has: "1 overall; power 1".
func (d *DesignWorth) Words() string { return d.says }

// GroupChange is a group that is otherwise.
type GroupChange struct {
	ID     component.ID `json:"id"`
	Worse  bool         `json:"worse"`
	Before *GroupWorth  `json:"before"`
	After  *GroupWorth  `json:"after"`
}

// GroupWorth is what a group has by design.
type GroupWorth struct {
	Needed   int `json:"needed"`
	Designed int `json:"designed"`
	Spares   int `json:"spares"`
}

// FindingChange is a finding that appears or disappears.
type FindingChange struct {
	Rule    finding.Rule `json:"rule"`
	Subject component.ID `json:"subject"`
	Appears bool         `json:"appears"`
	Summary string       `json:"summary"`
}

// HeadroomChange is room that is more or less than before, in VA.
type HeadroomChange struct {
	On     []component.ID `json:"on"`
	Before *float64       `json:"before_va"`
	After  *float64       `json:"after_va"`
	Worse  bool           `json:"worse"` // there is none left, and there was
}

// ExpectedChanges is an availability that is otherwise.
type ExpectedChanges struct {
	Name   string  `json:"name"`
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

// Compare judges two engines that know their declared models alone. Services and groups are the same by their names.
func Compare(before, after *Engine) *Comparison {
	c := &Comparison{Services: []ServiceChange{}, Groups: []GroupChange{}, Findings: []FindingChange{}, Headroom: []HeadroomChange{}, Same: map[string]int{"services": 0, "groups": 0}, Expected: []ExpectedChanges{}}
	a, b := before.Report(), after.Report()
	c.compareServices(before, after, a, b)
	c.compareGroups(a, b)
	c.compareFindings(a, b)
	c.compareHeadroom(a, b)
	for i := range c.Services {
		c.Worse = c.Worse || c.Services[i].Worse
	}
	for i := range c.Groups {
		c.Worse = c.Worse || c.Groups[i].Worse
	}
	for i := range c.Findings {
		c.Worse = c.Worse || c.Findings[i].Appears
	}
	for i := range c.Headroom {
		c.Worse = c.Worse || c.Headroom[i].Worse
	}
	return c
}

func (c *Comparison) compareServices(before, after *Engine, a, b *Report) {
	was := map[string]*Service{}
	for i := range a.Services {
		was[a.Services[i].Name] = a.Services[i]
	}
	spofsWas, spofsAre := before.designSPOFs(), after.designSPOFs()
	worth := func(s *Service, spofs []component.ID) *DesignWorth {
		d := &DesignWorth{Spares: s.Spares, AtLeast: s.AtLeast, By: map[component.Domain]*int{}, SPOFs: len(spofs), says: s.Left()}
		for k, v := range s.By {
			d.By[k] = v.Spares
		}
		return d
	}
	for i := range b.Services {
		s := b.Services[i]
		now := worth(s, spofsAre[s.ID])
		old := was[s.Name]
		delete(was, s.Name)
		ch := ServiceChange{Name: s.Name, Tier: s.Tier, After: now, Appear: []component.ID{}, Gone: []component.ID{}}
		if old == nil {
			ch.Appear = append(ch.Appear, spofsAre[s.ID]...)
			c.Services = append(c.Services, ch)
			continue
		}
		ch.Before = worth(old, spofsWas[old.ID])
		ch.Appear, ch.Gone = without(spofsAre[s.ID], spofsWas[old.ID]), without(spofsWas[old.ID], spofsAre[s.ID])
		ch.Worse, ch.Better = ch.Before.compare(ch.Worse, now)
		ch.Worse = ch.Worse || moreOfAKind(spofsWas[old.ID], spofsAre[s.ID])
		if x, y := old.Expected, s.Expected; x != nil && y != nil && math.Abs(x.Availability-y.Availability) > 1e-9 {
			c.Expected = append(c.Expected, ExpectedChanges{s.Name, x.Availability, y.Availability})
		}
		if !ch.Worse && !ch.Better && len(ch.Appear)+len(ch.Gone) == 0 {
			c.Same["services"]++
			continue
		}
		c.Services = append(c.Services, ch)
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		s := was[name]
		c.Services = append(c.Services, ServiceChange{Name: name, Tier: s.Tier, Before: worth(s, spofsWas[s.ID]), Appear: []component.ID{}, Gone: []component.ID{}})
	}
	slices.SortStableFunc(c.Services, func(x, y ServiceChange) int { return compareBool(y.Worse, x.Worse) })
}

// compare finds whether something is less than before, or more, overall or in a domain that both have.
func (d *DesignWorth) compare(worse bool, now *DesignWorth) (isWorse, better bool) {
	note := func(was, is int) {
		worse = worse || is < was
		better = better || is > was
	}
	note(rankOf(d.Spares, d.AtLeast), rankOf(now.Spares, now.AtLeast))
	for k, v := range d.By {
		if w, ok := now.By[k]; ok && v != nil && w != nil {
			note(*v, *w)
		}
	}
	return worse, better && !worse
}

func rankOf(spares, atLeast *int) int {
	switch {
	case spares != nil:
		return *spares
	case atLeast != nil:
		return *atLeast
	}
	return math.MaxInt
}

// moreOfAKind reports whether there are more of any kind than before: one that only has another name is none.
func moreOfAKind(was, are []component.ID) bool {
	count := map[component.Kind]int{}
	for _, id := range was {
		count[id.Kind()]--
	}
	for _, id := range are {
		if count[id.Kind()]++; count[id.Kind()] > 0 {
			return true
		}
	}
	return false
}

func without(a, b []component.ID) []component.ID {
	left := []component.ID{}
	for _, id := range a {
		if _, in := slices.BinarySearch(b, id); !in {
			left = append(left, id)
		}
	}
	return left
}

// designSPOFs are the single points of failure of each service, sorted.
func (e *Engine) designSPOFs() map[component.ID][]component.ID {
	var tops []redundancy.Node
	var ids []component.ID
	for i := range e.tops {
		if t := &e.tops[i]; t.service != nil {
			tops, ids = append(tops, t.node), append(ids, t.service.ID)
		}
	}
	all := make(map[component.ID][]component.ID, len(tops))
	for i, set := range e.best.SPOFs(func(n redundancy.Node) bool { return e.graph.ID(n) != "" }, tops...) {
		found := idsOf(e, set)
		slices.Sort(found)
		all[ids[i]] = slices.Compact(found)
	}
	return all
}

func (c *Comparison) compareGroups(a, b *Report) {
	worth := func(g *Group) *GroupWorth {
		w := &GroupWorth{Needed: g.Needed, Designed: g.Designed}
		if g.SparesFull != nil {
			w.Spares = *g.SparesFull
		}
		return w
	}
	was := map[component.ID]*Group{}
	for i := range a.Groups {
		was[a.Groups[i].ID] = a.Groups[i]
	}
	for i := range b.Groups {
		g := b.Groups[i]
		old := was[g.ID]
		delete(was, g.ID)
		if old == nil {
			continue // what a new thing is worth is no change
		}
		x, y := worth(old), worth(g)
		if *x == *y {
			c.Same["groups"]++
			continue
		}
		c.Groups = append(c.Groups, GroupChange{ID: g.ID, Worse: y.Spares < x.Spares, Before: x, After: y})
	}
	slices.SortStableFunc(c.Groups, func(x, y GroupChange) int { return cmp.Or(compareBool(y.Worse, x.Worse), compareIDs(x.ID, y.ID)) })
}

func (c *Comparison) compareFindings(a, b *Report) {
	of := func(r *Report) map[finding.Key]*finding.Finding {
		m := map[finding.Key]*finding.Finding{}
		for i := range r.Findings {
			if f := &r.Findings[i]; f.Rule == finding.FalseRedundancy || f.Rule == finding.FailoverOverload {
				m[f.Key] = f
			}
		}
		return m
	}
	was, are := of(a), of(b)
	note := func(f *finding.Finding, appears bool) {
		c.Findings = append(c.Findings, FindingChange{Rule: f.Rule, Subject: f.Subject, Appears: appears, Summary: f.Summary})
	}
	for _, k := range slices.Sorted(maps.Keys(are)) {
		if was[k] == nil {
			note(are[k], true)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(was)) {
		if are[k] == nil {
			note(was[k], false)
		}
	}
}

func (c *Comparison) compareHeadroom(a, b *Report) {
	key := func(h *Headroom) string { return fmt.Sprint(h.On) }
	was := map[string]*Headroom{}
	for i := range a.Capacity.Headroom {
		was[key(&a.Capacity.Headroom[i])] = &a.Capacity.Headroom[i]
	}
	for i := range b.Capacity.Headroom {
		h := &b.Capacity.Headroom[i]
		ch := HeadroomChange{On: h.On, After: &h.VA, Worse: h.VA < 0}
		if old := was[key(h)]; old != nil {
			ch.Before = &old.VA
			ch.Worse = h.VA < 0 && (old.VA >= 0 || h.VA < old.VA-1)
			if math.Abs(h.VA-old.VA) < 1 {
				continue
			}
		}
		c.Headroom = append(c.Headroom, ch)
	}
}
