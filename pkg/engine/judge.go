package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// stateOf is the state of what is meant to have designed spares, has full by its structure with nothing failed, and has
// spares now (docs/design.md, 5.3).
func stateOf(designed, full, spares int) State {
	full = min(designed, full)
	switch {
	case spares < 0:
		return Insufficient
	case full <= 0:
		return None
	case spares >= full:
		return Full
	case spares == 0:
		return Lost
	}
	return Degraded
}

// bothWays joins the verdicts of the best and the worst case (docs/design.md, 5.4). differ is true where the worst is to
// be shown beside the state.
func bothWays(best, worst State) (state State, differ bool) {
	switch {
	case best == worst:
		return best, false
	case best == Full || best == None:
		return StateUnknown, true
	}
	return best, true
}

// full is what something has with nothing failed.
type full struct {
	overall redundancy.Spares
	by      map[component.Domain]redundancy.Spares
	// expected is what failure rates make of a service; nil where none are known.
	expected *Expected
	// weakest are a service's smallest cut sets, and how many there are; nil until they are asked for.
	weakest [][]component.ID
	cuts    int
}

// unverifiedShown is how many unverified components a verdict lists.
const unverifiedShown = 64

// judgeDirty judges the groups and services that lean on what changed.
func (e *Engine) judgeDirty() {
	if len(e.dirty) > 0 {
		e.reported = false
		e.quick.judged = true
	}
	for _, i := range e.dirty {
		t := &e.tops[i]
		t.dirty = false
		if t.form != nil {
			e.judgeGroup(t)
		} else {
			e.judgeService(t)
		}
	}
	e.dirty = e.dirty[:0]
}

// groupSpares asks how many more failures a group survives in one of the cases. Beyond so many they need not be exact.
func (e *Engine) groupSpares(t *top, in *outlook, order int) redundancy.Spares {
	may := e.mayFailIn(t)
	switch {
	case may == nil:
		return e.spares(t.node, in, component.NoDomain, order)
	case !in.Works(t.node):
		return redundancy.Spares{N: -1}
	}
	return e.solver.Spares(redundancy.Question{Top: t.node, Failed: in.Failed, MayFail: may, Order: order, Budget: e.opt.Budget})
}

// groupFull asks the same with nothing failed.
func (e *Engine) groupFull(t *top, order int) redundancy.Spares {
	if e.asDesigned(t.node) {
		return e.groupSpares(t, &e.best, order)
	}
	return e.groupSpares(t, e.byDesign(), order)
}

func (e *Engine) isHold(n redundancy.Node) bool { return e.hold[n] }

// counted is a number of spares that is at most most: beyond that they are not told apart.
func counted(s redundancy.Spares, most int) int {
	if s.None {
		return most
	}
	return min(s.N, most)
}

func (e *Engine) judgeGroup(t *top) {
	g := t.form
	designed := g.designed - g.needed
	v := &Group{
		ID: g.id, Kind: g.kind, Members: g.members, Needed: g.needed, Designed: g.designed, Basis: g.basis,
		Unverified: e.unverified(t), Why: g.why,
	}
	if v.Members == nil {
		v.Members = []component.ID{}
	}
	if len(g.carries) > 0 {
		v.Carries = g.carries[0]
	}
	if t.full == nil {
		t.full = &full{overall: e.groupFull(t, max(designed, 0)+1)}
	}
	s0 := counted(t.full.overall, designed)
	v.SparesFull = &s0
	if e.judgeable(t) {
		e.verdictOn(t, v, designed, s0)
	}
	e.groups[t.at] = v
	e.groupFindings(t, v)
}

func (e *Engine) verdictOn(t *top, v *Group, designed, s0 int) {
	order := max(designed, 0) + 1
	best := counted(e.groupSpares(t, &e.best, order), max(designed, 0))
	state := stateOf(designed, s0, best)
	v.State, v.Spares = state, &best
	if e.doubts.has(t.node) {
		worst := counted(e.groupSpares(t, &e.worst, order), max(designed, 0))
		stateWorst := stateOf(designed, s0, worst)
		var differ bool
		if v.State, differ = bothWays(state, stateWorst); differ {
			v.StateWorst = &stateWorst
		}
		if worst != best {
			v.SparesWorst = &worst
		}
		if v.State == StateUnknown {
			v.Spares = nil
		}
	}
	if v.State != StateUnknown {
		predicted := best
		if e.omens.has(t.node) {
			predicted = counted(e.groupSpares(t, &e.predicted, order), max(designed, 0))
		}
		v.Predicted = &predicted
	}
	v.Why = e.whyGroup(t, v)
}

// judgeable reports whether the group's members were read, or will not be.
func (e *Engine) judgeable(t *top) bool {
	if e.settled() {
		return true
	}
	ready := e.mayJudge(t.form.id.Device()) || t.form.id.Device() == e.model.Site
	for _, id := range t.form.members {
		ready = ready && e.mayJudge(id.Device())
	}
	if !ready {
		e.unsettled = true
	}
	return ready
}

// whyGroup says in a sentence how many members work and where the numbers come from.
func (e *Engine) whyGroup(t *top, v *Group) string {
	up, unknown := 0, 0
	for _, id := range v.Members {
		switch n, ok := e.graph.Node(id); {
		case ok && e.doubts.own[n]:
			unknown++
		case ok && e.best.Works(n):
			up++
		}
	}
	work := "work"
	if up == 1 {
		work = "works"
	}
	why := fmt.Sprintf("%d of %d %s %s", up, v.Designed, v.Kind.Plural(), work)
	if unknown > 0 {
		why += fmt.Sprintf(", %d unknown", unknown)
	}
	why += fmt.Sprintf(", %d needed", v.Needed)
	if t.form.assumed && t.form.raised == 0 {
		why += " (assumed)"
	}
	if t.form.why != "" {
		why += "; " + t.form.why
	}
	if shared := e.sharedBy(t, v); shared != "" {
		why += "; " + shared + " takes more than one of them"
	}
	return why
}

// unverified are the components below a top that no target reports, and the supplies whose cords nobody declared
// although another supply's of the group is; sorted. They are found again when some component is observed anew, or no
// longer.
func (e *Engine) unverified(t *top) []component.ID {
	if t.unverified == nil || t.observed != e.observations {
		t.unverified, t.observed = e.findUnverified(t), e.observations
	}
	return t.unverified
}

func (e *Engine) findUnverified(t *top) []component.ID {
	found := []component.ID{}
	e.visit(t.node, &e.needs, func(n redundancy.Node) {
		if e.cells[n].unobserved && e.graph.ID(n) != "" {
			found = append(found, e.graph.ID(n))
		}
	})
	if t.form != nil {
		found = append(found, e.undocumented(t)...)
	}
	slices.Sort(found)
	found = slices.Compact(found)
	return slices.Clip(found[:min(len(found), unverifiedShown)])
}

// undocumented are the supplies of a group of which nobody knows what feeds them, where it is known of others: they are
// at risk, not safe.
func (e *Engine) undocumented(t *top) []component.ID {
	if !isSupply(t.form.kind) {
		return nil
	}
	var without []component.ID
	for _, id := range t.form.members {
		if n, ok := e.graph.Node(id); ok && !e.hasCord(n) {
			without = append(without, id)
		}
	}
	if len(without) == len(t.form.members) {
		return nil
	}
	return without
}

func (e *Engine) hasCord(n redundancy.Node) bool {
	own := e.graph.ID(n).Device()
	return slices.ContainsFunc(e.up.of(n), func(p redundancy.Node) bool { return e.graph.ID(p).Device() != own || len(e.up.of(p)) > 0 })
}

func (e *Engine) judgeService(t *top) {
	s := t.service
	if t.full == nil {
		t.full = e.fullService(t.node)
	}
	all, worst := e.judgeDomain(t, component.NoDomain, t.full.overall)
	v := &Service{
		ID: s.ID, Name: s.Name, Tier: s.Tier, State: all.State, Spares: all.Spares, StateWorst: worst, SparesWorst: all.Worst,
		Predicted: all.Predicted, AtLeast: all.AtLeast, By: make(map[component.Domain]Spares, len(t.full.by)),
		Weakest: [][]component.ID{}, Unverified: e.unverified(t), Expected: t.full.expected,
	}
	for d, full := range t.full.by {
		v.By[d], _ = e.judgeDomain(t, d, full)
	}
	if v.Spares != nil && *v.Spares >= 0 {
		v.Weakest, v.Cuts = e.weakestNow(t, *v.Spares+1)
	}
	e.services[t.at] = v
	clear(e.standing.impacts)
}

// fullService is what a service has with nothing failed, in each domain of which it has a component.
func (e *Engine) fullService(n redundancy.Node) *full {
	f := &full{expected: e.expected(n), overall: e.sparesFull(n, component.NoDomain, e.opt.MaxSpares), by: map[component.Domain]redundancy.Spares{}}
	in := map[component.Domain]bool{}
	e.visit(n, &e.needs, func(m redundancy.Node) {
		if d := e.graph.Domain(m); d != component.NoDomain {
			in[d] = true
		}
	})
	for d := range in {
		f.by[d] = e.sparesFull(n, d, e.opt.MaxSpares)
	}
	return f
}

// judgeDomain is a service's verdict in one domain, or overall, with the state of the worst case where that differs.
func (e *Engine) judgeDomain(t *top, d component.Domain, full redundancy.Spares) (v Spares, worst *State) {
	now := full
	if !e.asDesigned(t.node) {
		now = e.spares(t.node, &e.best, d, e.opt.MaxSpares)
	}
	v.Full, _ = e.number(full)
	v.Spares, v.AtLeast = e.number(now)
	v.State = e.serviceState(full, now)
	if e.doubts.has(t.node) {
		low := e.spares(t.node, &e.worst, d, e.opt.MaxSpares)
		lowState := e.serviceState(full, low)
		var differ bool
		if v.State, differ = bothWays(v.State, lowState); differ {
			worst = &lowState
		}
		if low != now {
			v.Worst, _ = e.number(low)
		}
		if v.State == StateUnknown {
			v.Spares, v.AtLeast = nil, nil
			return v, worst
		}
	}
	v.Predicted = v.Spares
	if e.omens.has(t.node) {
		v.Predicted, _ = e.number(e.spares(t.node, &e.predicted, d, e.opt.MaxSpares))
	}
	return v, worst
}

// number is an answer as people are told it: a number, at least a number, or neither where nothing can take it down.
func (e *Engine) number(s redundancy.Spares) (exact, atLeast *int) {
	n := s.N
	switch {
	case s.None:
		return nil, nil
	case s.AtLeast:
		return nil, &n
	}
	return &n, nil
}

// serviceState is the state of a service, which is meant to have what its structure gives it.
func (e *Engine) serviceState(full, now redundancy.Spares) State {
	most := e.opt.MaxSpares
	if full.None && now.None {
		return Full
	}
	return stateOf(counted(full, most), counted(full, most), counted(now, most))
}

func compareIDs(a, b component.ID) int { return strings.Compare(string(a), string(b)) }

func compareServices(a, b *topology.Service) int {
	return cmp.Or(cmp.Compare(a.Tier, b.Tier), strings.Compare(a.Name, b.Name))
}
