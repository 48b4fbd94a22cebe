package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// Simulation says what would change if some components failed.
type Simulation struct {
	Fail []component.ID `json:"fail"`
	// DownAlready are those of Fail that do not work now: what their failure cost is no part of the answer.
	DownAlready []component.ID `json:"down_already"`
	Services    []Change       `json:"services"` // that lose something: down first, then by tier and name
	Groups      []Change       `json:"groups"`   // that lose something: the worst first, then by id
	// Down are the components that would stop working with those that fail, sorted.
	Down []component.ID `json:"down"`
	// Overloaded are the components that would carry more than may be used, and rose; those that trip first, then the fullest.
	Overloaded []Overload `json:"overloaded"`
	// Trips would open because of that, round by round; all else in the answer counts them as failed.
	Trips [][]component.ID `json:"trips"`
	// NotGiven are the answers that are not given, and why: on load, and what is left of services and groups where the
	// time was over.
	NotGiven []string `json:"not_given"`
}

// Change is one service or group before and after.
type Change struct {
	ID     component.ID `json:"id"`
	Name   string       `json:"name"`
	Tier   int          `json:"tier,omitempty"`
	Before Verdict      `json:"before"`
	After  Verdict      `json:"after"`
	Lost   bool         `json:"lost"` // it would be down, and is not now
	// ByOverload: it would survive the failure itself, and not what trips after it.
	ByOverload bool `json:"by_overload"`
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

// Simulate says what would change if these failed now. It leaves the engine as it was.
func (e *Engine) Simulate(fail []component.ID) (*Simulation, error) {
	return e.SimulateContext(context.Background(), fail)
}

// SimulateContext is Simulate until ctx is done. Where its time is over the answer says what goes down, and of the rest
// what was found by then; where nobody waits any more the error is ctx's.
func (e *Engine) SimulateContext(ctx context.Context, fail []component.ID) (*Simulation, error) {
	t, err := e.try(ctx, fail, false)
	if err != nil {
		return nil, err
	}
	return &t.simulation, nil
}

// trial is what a what-if found.
type trial struct {
	simulation Simulation
	hit        []int32 // tops that lean on what fails
	// downBest and downWorst: tops that work before and not after, in the two cases. downStrict: in the worst case with
	// everything gone that nobody observes.
	downBest, downWorst, downStrict map[int32]bool
	wasDown                         map[int32]bool // in the best case, before
	doubtful                        map[int32]bool // up in the best case before, down in the worst
	downFirst                       map[int32]bool // down in the best case before anything trips
	untold                          int            // of how many tops there was no time to say what is left
}

// try fails the components in both cases, looks, and repairs them again. What goes down is found first, in one pass; what
// is left of the rest may take longer, and ends with ctx.
func (e *Engine) try(ctx context.Context, fail []component.ID, strict bool) (*trial, error) {
	nodes, err := e.resolveAll(fail)
	if err != nil {
		return nil, err
	}
	t := &trial{downFirst: map[int32]bool{}, downBest: map[int32]bool{}, downWorst: map[int32]bool{}, downStrict: map[int32]bool{}, wasDown: map[int32]bool{}, doubtful: map[int32]bool{}}
	t.simulation = Simulation{Fail: idsOf(e, nodes), DownAlready: e.downAmong(nodes), Services: []Change{}, Groups: []Change{}, Down: []component.ID{}}
	nodes = e.withOutlets(nodes)
	risky := e.atRisk(nodes)
	first := nodes
	nodes = append(slices.Clone(nodes), e.overloadedBy(nodes, &t.simulation)...)
	t.hit = e.hitBy(append(slices.Clone(nodes), risky...))
	for _, i := range t.hit {
		n := e.tops[i].node
		t.wasDown[i] = !e.best.Works(n)
		t.doubtful[i] = e.best.Works(n) && !e.worst.Works(n)
	}
	if strict {
		e.tryStrictly(t, append(slices.Clone(nodes), risky...))
	}
	before := e.verdictsOn(ctx, t.hit)
	undo := e.failFor(first, nil, &trial{})
	for _, i := range t.hit {
		t.downFirst[i] = !e.best.Works(e.tops[i].node)
	}
	undo()
	undo = e.failFor(nodes, risky, t)
	for _, i := range t.hit {
		n := e.tops[i].node
		t.downBest[i] = !t.wasDown[i] && !e.best.Works(n)
		t.downWorst[i] = !t.wasDown[i] && !e.worst.Works(n)
	}
	e.noteChanges(ctx, t, before)
	undo()
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, ctx.Err()
	}
	slices.Sort(t.simulation.Down)
	t.simulation.Down = slices.Compact(t.simulation.Down)
	slices.SortFunc(t.simulation.Services, compareChanges)
	slices.SortFunc(t.simulation.Groups, compareChanges)
	return t, nil
}

// tryStrictly finds what goes down in the worst case with everything gone too that nobody observes.
func (e *Engine) tryStrictly(t *trial, nodes []redundancy.Node) {
	live := e.worst.Clone()
	for n := range redundancy.Node(e.graph.Len()) {
		if e.cells[n].unobserved && e.supports[n] == 0 && e.graph.ID(n) != "" {
			live.SetFailed(n, true)
		}
	}
	for _, n := range nodes {
		live.SetFailed(n, true)
	}
	for _, i := range t.hit {
		t.downStrict[i] = !t.wasDown[i] && !live.Works(e.tops[i].node)
	}
}

// verdictsOn are the verdicts on tops as things stand: on as many of them, from the first, as there is time for.
func (e *Engine) verdictsOn(ctx context.Context, tops []int32) []Verdict {
	verdicts := make([]Verdict, 0, len(tops))
	for _, i := range tops {
		if ctx.Err() != nil {
			break
		}
		verdicts = append(verdicts, e.verdictNow(i))
	}
	return verdicts
}

// noteChanges notes the tops that have another verdict than before, the first of t.hit, while there is time, and says of
// how many it is not known. That they go down is known of all.
func (e *Engine) noteChanges(ctx context.Context, t *trial, before []Verdict) {
	for at, i := range t.hit {
		if at < len(before) && ctx.Err() == nil {
			e.noteChange(t, i, before[at], e.verdictNow(i))
			continue
		}
		if t.untold++; t.downBest[i] {
			gone := -1
			e.noteChange(t, i, Verdict{State: StateUnknown}, Verdict{State: Insufficient, Spares: &gone})
		}
	}
	if t.untold > 0 {
		t.simulation.NotGiven = append(t.simulation.NotGiven, fmt.Sprintf("what %d of %d services and groups have left, for there was no time: which of them go down is known", t.untold, len(t.hit)))
	}
}

// downAmong are the nodes that do not work as things stand.
func (e *Engine) downAmong(nodes []redundancy.Node) []component.ID {
	down := []component.ID{}
	for _, n := range nodes {
		if !e.best.Works(n) {
			down = append(down, e.graph.ID(n))
		}
	}
	return down
}

func (e *Engine) resolveAll(ids []component.ID) ([]redundancy.Node, error) {
	var nodes []redundancy.Node
	for _, id := range ids {
		real, err := e.Resolve(string(id))
		if err != nil {
			return nil, err
		}
		n, ok := e.graph.Node(real)
		if !ok {
			return nil, &topology.UnknownNameError{Name: string(id)}
		}
		if !slices.Contains(nodes, n) {
			nodes = append(nodes, n)
		}
	}
	if len(nodes) == 0 {
		return nil, fmt.Errorf("nothing to fail: name a component, as device/kind/local-id or by its device's name")
	}
	return nodes, nil
}

// withOutlets adds to the pdus, upses and transfer switches among the nodes what they hand power on by. Where a device
// says that its inlet feeds its banks, these do not lean on the device's main component; taken down they are all the same.
func (e *Engine) withOutlets(nodes []redundancy.Node) []redundancy.Node {
	devices := map[string]bool{}
	for _, n := range nodes {
		if device, ok := e.graph.Distributes(e.graph.ID(n)); ok {
			devices[device] = true
		}
	}
	if len(devices) == 0 {
		return nodes
	}
	all := slices.Clone(nodes)
	for _, name := range sortedKeys(devices) {
		for _, n := range e.nodesOf(name) {
			switch e.graph.Kind(n) {
			case component.Outlet, component.Bank, component.Phase, component.Breaker:
				if !slices.Contains(nodes, n) {
					all = append(all, n)
				}
			}
		}
	}
	return all
}

// nodesOf are the nodes of a device, or of the site.
func (e *Engine) nodesOf(name string) []redundancy.Node {
	if d := e.devices[name]; d != nil {
		return d.nodes
	}
	var nodes []redundancy.Node
	for n := range redundancy.Node(e.graph.Len()) {
		if e.graph.ID(n).Device() == name {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// atRisk are the supplies that may hang on what fails without anybody having said so: those with no declared cord beside
// a supply that has one, where power fails.
func (e *Engine) atRisk(nodes []redundancy.Node) []redundancy.Node {
	power := slices.ContainsFunc(nodes, func(n redundancy.Node) bool { return provides[e.graph.Kind(n)] && e.leaned[n] })
	if !power {
		return nil
	}
	var risky []redundancy.Node
	seen := map[redundancy.Node]bool{}
	for _, n := range nodes {
		var groups []int32
		e.above(n, func(i int32) { groups = append(groups, i) })
		for _, i := range groups {
			if e.tops[i].form == nil {
				continue
			}
			for _, id := range e.undocumented(&e.tops[i]) {
				if m, ok := e.graph.Node(id); ok && !seen[m] {
					seen[m] = true
					risky = append(risky, m)
				}
			}
		}
	}
	return risky
}

// hitBy are the groups and services above nodes, each once, in order.
func (e *Engine) hitBy(nodes []redundancy.Node) []int32 {
	seen := map[int32]bool{}
	for _, n := range nodes {
		e.above(n, func(i int32) { seen[i] = true })
	}
	hit := make([]int32, 0, len(seen))
	for i := range seen {
		hit = append(hit, i)
	}
	slices.Sort(hit)
	return hit
}

// failFor fails nodes in both cases, and risky ones in the worst; it returns what takes that back.
func (e *Engine) failFor(nodes, risky []redundancy.Node, t *trial) (undo func()) {
	type step struct {
		in     *outlook
		n      redundancy.Node
		faulty bool // it counted as failed before, for it holds
	}
	var steps []step
	set := func(in *outlook, n redundancy.Node) {
		if in.Failed(n) {
			return
		}
		changed := in.SetFailed(n, true)
		faulty := e.quick.faults.own[n]
		if in == &e.best {
			e.quick.faults.set(n, true, &e.users)
			for _, m := range changed {
				if id := e.graph.ID(m); id != "" && e.topOf[m] < 0 && m != n {
					t.simulation.Down = append(t.simulation.Down, id)
				}
			}
		}
		steps = append(steps, step{in, n, faulty})
	}
	for _, n := range nodes {
		set(&e.best, n)
		set(&e.worst, n)
		set(&e.predicted, n)
	}
	for _, n := range risky {
		set(&e.worst, n)
	}
	return func() {
		for _, s := range slices.Backward(steps) {
			s.in.SetFailed(s.n, false)
			if s.in == &e.best {
				e.quick.faults.set(s.n, s.faulty, &e.users)
			}
		}
	}
}

// verdictNow is the verdict on a top as the three cases stand.
func (e *Engine) verdictNow(i int32) Verdict {
	t := &e.tops[i]
	if t.service != nil {
		if t.full == nil {
			t.full = e.fullService(t.node)
		}
		all, worst := e.judgeDomain(t, component.NoDomain, t.full.overall)
		v := Verdict{State: all.State, Spares: all.Spares, StateWorst: worst, SparesWorst: all.Worst, By: map[component.Domain]Spares{}}
		for d, full := range t.full.by {
			v.By[d], _ = e.judgeDomain(t, d, full)
		}
		return v
	}
	designed := t.form.designed - t.form.needed
	if t.full == nil {
		t.full = &full{overall: e.groupFull(t, max(designed, 0)+1)}
	}
	var g Group
	e.verdictOn(t, &g, designed, counted(t.full.overall, designed))
	return Verdict{State: g.State, Spares: g.Spares, StateWorst: g.StateWorst, SparesWorst: g.SparesWorst}
}

// noteChange notes a top whose verdict is another one.
func (e *Engine) noteChange(t *trial, i int32, before, after Verdict) {
	top := &e.tops[i]
	if sameVerdict(before, after) {
		return
	}
	c := Change{Before: before, After: after, Lost: t.downBest[i], ByOverload: t.downBest[i] && !t.downFirst[i]}
	if top.service != nil {
		c.ID, c.Name, c.Tier = top.service.ID, top.service.Name, top.service.Tier
		t.simulation.Services = append(t.simulation.Services, c)
		return
	}
	c.ID, c.Name = top.form.id, groupName(&Group{ID: top.form.id, Kind: top.form.kind})
	t.simulation.Groups = append(t.simulation.Groups, c)
}

func sameVerdict(a, b Verdict) bool {
	return sameBut(a, b) && sameDomains(a.By, b.By)
}

func sameBut(a, b Verdict) bool {
	return a.State == b.State && samePtr(a.Spares, b.Spares) && samePtr(a.StateWorst, b.StateWorst) && samePtr(a.SparesWorst, b.SparesWorst)
}

func sameDomains(a, b map[component.Domain]Spares) bool {
	for d, x := range a {
		y := b[d]
		if x.State != y.State || !samePtr(x.Spares, y.Spares) || !samePtr(x.Worst, y.Worst) {
			return false
		}
	}
	return len(a) == len(b)
}

func samePtr[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func compareChanges(a, b Change) int {
	return cmp.Or(compareBool(b.Lost, a.Lost), cmp.Compare(a.Tier, b.Tier), cmp.Compare(after(a), after(b)), strings.Compare(a.Name, b.Name), compareIDs(a.ID, b.ID))
}

func after(c Change) int {
	if c.After.Spares == nil {
		return 1 << 20
	}
	return *c.After.Spares
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// Gate says whether these may be taken down now: 0 where no service, and no device that no declared service leans on,
// would go down even in the worst case; 1 where one would even in the best; 2 in between. Strict presumes nothing: what
// nobody observes counts as possibly gone.
func (e *Engine) Gate(fail []component.ID, strict bool) (*Gate, error) {
	return e.GateContext(context.Background(), fail, strict)
}

// GateContext is Gate until ctx is done. Where its time is over the verdict is the same, and the effect says what was
// found by then; where nobody waits any more the error is ctx's.
func (e *Engine) GateContext(ctx context.Context, fail []component.ID, strict bool) (*Gate, error) {
	t, err := e.try(ctx, fail, strict)
	if err != nil {
		return nil, err
	}
	g := &Gate{Fail: t.simulation.Fail, Effect: t.simulation, Reasons: []string{}, Settle: []string{}, Presumed: e.presumed(t)}
	in := e.insideOf(t.simulation.Fail)
	for _, i := range t.hit {
		if !e.matters(i, in) {
			continue
		}
		what := e.topName(i)
		switch {
		case t.downBest[i] && !t.downFirst[i]:
			g.Verdict = 1
			g.Reasons = append(g.Reasons, what+" would go down, for what survives would trip")
		case t.downBest[i]:
			g.Verdict = 1
			g.Reasons = append(g.Reasons, what+" would go down")
		case t.downWorst[i] && t.doubtful[i]:
			g.doubt(what + " may be down already: what it leans on does not answer")
			g.Settle = append(g.Settle, e.silentBelow(e.tops[i].node)...)
		case t.downWorst[i]:
			g.doubt(what + " would go down if what does not answer, or what nobody has declared, is against it")
			g.Settle = append(g.Settle, e.silentBelow(e.tops[i].node)...)
		case strict && t.downStrict[i]:
			g.doubt(what + " is safe only if what nobody observes works")
		case t.wasDown[i]:
			g.Reasons = append(g.Reasons, what+" is down already")
		}
	}
	g.judgeLoad()
	for _, id := range t.simulation.DownAlready {
		g.Reasons = append(g.Reasons, string(id)+" is down already")
	}
	if !e.settled() && !e.heardAll() {
		g.Verdict = 2
		g.Reasons = append(g.Reasons, "not every device was read yet")
		g.Settle = append(g.Settle, "wait until every device was read once")
	}
	if g.Verdict == 0 && len(g.Reasons) == 0 {
		g.Reasons = append(g.Reasons, t.safe())
	}
	slices.Sort(g.Settle)
	g.Settle = slices.Compact(g.Settle)
	return g, nil
}

// judgeLoad adds what the load says: what trips is unsafe whatever hangs on it, and what carries too much for long is no
// safe state to be in.
func (g *Gate) judgeLoad() {
	for _, o := range g.Effect.Overloaded {
		switch {
		case o.Trips:
			g.Verdict = 1
			g.Reasons = append(g.Reasons, fmt.Sprintf("%s would trip: it would carry %s", o.ID, o.After.Words()))
		case o.MayTrip:
			g.doubt(fmt.Sprintf("%s may trip, by how the loads of unknown phase lie: it would carry %s", o.ID, o.After.Words()))
			g.Settle = append(g.Settle, fmt.Sprintf("the phases of what hangs on %s", o.ID))
		default:
			g.doubt(fmt.Sprintf("%s would carry too much for long: %s", o.ID, o.After.Words()))
			g.Settle = append(g.Settle, fmt.Sprintf("less load on %s", o.ID))
		}
	}
}

func (g *Gate) doubt(reason string) {
	if g.Verdict == 0 {
		g.Verdict = 2
	}
	g.Reasons = append(g.Reasons, reason)
}

func (t *trial) safe() string {
	switch n := len(t.simulation.Services); {
	case t.untold > 0:
		return "no service goes down"
	case n > 0:
		return fmt.Sprintf("no service goes down; %d have less left", n)
	}
	return "no service loses anything"
}

// matters reports whether it counts when a top goes down: every service, and a group with no service above it that is
// not a part of what is taken down itself.
func (e *Engine) matters(i int32, inside map[string]bool) bool {
	t := &e.tops[i]
	if t.service != nil {
		return true
	}
	if inside[t.form.id.Device()] {
		return false
	}
	served := false
	e.above(t.node, func(j int32) { served = served || e.tops[j].service != nil })
	return !served
}

// insideOf are the devices whose main components are to be taken down.
func (e *Engine) insideOf(ids []component.ID) map[string]bool {
	in := map[string]bool{}
	for _, id := range ids {
		if isMain(id) {
			in[id.Device()] = true
		}
	}
	return in
}

func (e *Engine) topName(i int32) string {
	t := &e.tops[i]
	if t.service != nil {
		return "service " + t.service.Name
	}
	return groupName(&Group{ID: t.form.id, Kind: t.form.kind})
}

// presumed are the components below the tops that are hit, which nobody observes; at most 256.
func (e *Engine) presumed(t *trial) []component.ID {
	found := []component.ID{}
	for _, i := range t.hit {
		e.visit(e.tops[i].node, &e.needs, func(n redundancy.Node) {
			if e.cells[n].unobserved && e.graph.ID(n) != "" && len(found) < 1<<16 {
				found = append(found, e.graph.ID(n))
			}
		})
		if e.tops[i].form != nil {
			found = append(found, e.undocumented(&e.tops[i])...)
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	return found[:min(len(found), 256)]
}

// silentBelow says what would have to be known: which devices below do not answer, and which cords are not declared.
func (e *Engine) silentBelow(n redundancy.Node) []string {
	devices := map[string]bool{}
	var words []string
	e.visit(n, &e.needs, func(m redundancy.Node) {
		if e.doubts.own[m] {
			devices[e.graph.ID(m).Device()] = true
		}
	})
	for _, name := range sortedKeys(devices) {
		words = append(words, fmt.Sprintf("an answer of %s", name))
	}
	e.visit(n, &e.needs, func(m redundancy.Node) {
		id := e.graph.ID(m)
		if isSupply(id.Kind()) && e.member[id] && !e.hasCord(m) && len(words) < 20 {
			words = append(words, fmt.Sprintf("a cable in the model for %s", id))
		}
	})
	return words
}

// Judge returns the verdicts on the groups inside one device from one snapshot, without a model or memory.
func Judge(sn *snapshot.Snapshot) []*Group { return Inspect(sn).Groups }

// Inspect is Judge with the findings.
func Inspect(sn *snapshot.Snapshot) *Report {
	name := sn.Device.Name
	store := state.New([]state.Target{{URL: sn.Target, Device: name}})
	store.Apply(sn)
	e, err := New(&topology.Model{Observed: []string{name}}, Options{Settle: 1})
	if err != nil {
		return &Report{At: sn.At} // an empty model always compiles
	}
	e.Update(store.Device(name))
	e.Evaluate(sn.At)
	r, _ := e.Evaluate(sn.At.Add(e.opt.Ask)) // nobody else can be asked
	r.At = sn.At
	return r
}
