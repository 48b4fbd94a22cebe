package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// slow is the same judgement made the stupid way: by names, by recursion and by trying every set of failures. It shares
// no code with the engine; it knows only what a test room has in it (feeds, pdus with one inlet, servers with supplies).
type slow struct {
	feeds    map[string][]string // dependant to providers, of which one is enough
	all      map[string][]string // dependant to what it needs all of
	groups   map[string]slowGroup
	services map[string]slowNeed
	fails    map[string]bool // known bad
	silent   map[string]bool // last word good, or none that says anything, and should be known
	proves   map[string]bool // supplies and inlets that have input now
	kinds    map[string]component.Domain
}

type slowGroup struct {
	members          []string
	needed, designed int
}

type slowNeed struct {
	least int
	of    []slowNeed
	leaf  string
}

func (s *slow) works(id string, down map[string]bool) bool {
	if down[id] {
		return false
	}
	if g, ok := s.groups[id]; ok {
		up := 0
		for _, m := range g.members {
			if s.works(m, down) {
				up++
			}
		}
		return up >= g.needed
	}
	if n, ok := s.services[id]; ok {
		return s.needHolds(n, down)
	}
	for _, p := range s.all[id] {
		if !s.works(p, down) {
			return false
		}
	}
	for _, p := range s.feeds[id] {
		if s.works(p, down) {
			return true
		}
	}
	return len(s.feeds[id]) == 0
}

func (s *slow) needHolds(n slowNeed, down map[string]bool) bool {
	if n.leaf != "" {
		return s.works(n.leaf, down)
	}
	up := 0
	for _, part := range n.of {
		if s.needHolds(part, down) {
			up++
		}
	}
	return up >= n.least
}

// proven are the components that something which is seen working cannot do without.
func (s *slow) proven() map[string]bool {
	found := map[string]bool{}
	var from func(id string)
	from = func(id string) {
		must := s.all[id]
		if len(s.feeds[id]) == 1 {
			must = append(slices.Clone(must), s.feeds[id][0])
		}
		for _, p := range must {
			if !found[p] {
				found[p] = true
				if !s.fails[p] {
					from(p)
				}
			}
		}
	}
	for id := range s.proves {
		from(id)
	}
	return found
}

// down are the failed components in the best and in the worst case.
func (s *slow) down(worst bool) map[string]bool {
	down := map[string]bool{}
	for id := range s.fails {
		down[id] = true
	}
	if worst {
		proven := s.proven()
		for id := range s.silent {
			if !proven[id] {
				down[id] = true
			}
		}
	}
	return down
}

// spares tries every set of at most limit further failures; limit means that many or more.
func (s *slow) spares(top string, down map[string]bool, d component.Domain, limit int) int {
	if !s.works(top, down) {
		return -1
	}
	var may []string
	for id, kind := range s.kinds {
		if !down[id] && (d == component.NoDomain || kind == d) {
			may = append(may, id)
		}
	}
	slices.Sort(may)
	for size := 1; size <= limit; size++ {
		if s.anySet(top, down, may, size) {
			return size - 1
		}
	}
	return limit
}

func (s *slow) anySet(top string, down map[string]bool, may []string, size int) bool {
	if size == 0 {
		return !s.works(top, down)
	}
	for i := range may {
		if i+size > len(may) {
			return false
		}
		down[may[i]] = true
		hit := s.anySet(top, down, may[i+1:], size-1)
		delete(down, may[i])
		if hit {
			return true
		}
	}
	return false
}

func slowState(designed, full, spares int) State {
	full = min(full, designed)
	if spares < 0 {
		return Insufficient
	}
	if full <= 0 {
		return None
	}
	if spares >= full {
		return Full
	}
	if spares == 0 {
		return Lost
	}
	return Degraded
}

func slowBoth(best, worst State) State {
	if best == worst || best != Full && best != None {
		return best
	}
	return StateUnknown
}

// room is a random model with its devices, and the same for the slow one.
type room struct {
	model   topology.Model
	devices map[string]*snapshot.Snapshot
	quiet   map[string]bool // devices that don't answer
	slow    *slow
}

func drawRoom(t *rapid.T) *room {
	r := &room{model: topology.Model{Site: "s"}, devices: map[string]*snapshot.Snapshot{}, quiet: map[string]bool{}, slow: &slow{
		feeds: map[string][]string{}, all: map[string][]string{}, groups: map[string]slowGroup{}, services: map[string]slowNeed{},
		fails: map[string]bool{}, silent: map[string]bool{}, proves: map[string]bool{}, kinds: map[string]component.Domain{},
	}}
	feeds := rapid.IntRange(1, 3).Draw(t, "feeds")
	for i := range feeds {
		id := fmt.Sprintf("s/feed/%d", i)
		r.slow.kinds[id] = component.Power
		r.model.Components = append(r.model.Components, topology.Component{ID: component.ID(id)})
	}
	if feeds > 1 && rapid.Bool().Draw(t, "panel") {
		r.slow.kinds["s/panel/0"] = component.Power
		for i := range feeds {
			if rapid.Bool().Draw(t, "below the panel") {
				r.link("s/panel/0", fmt.Sprintf("s/feed/%d", i))
			}
		}
	}
	var outlets []string
	for i := range rapid.IntRange(1, 3).Draw(t, "pdus") {
		outlets = append(outlets, r.drawPDU(t, fmt.Sprintf("p%d", i), feeds)...)
	}
	var hosts []string
	for i := range rapid.IntRange(1, 3).Draw(t, "servers") {
		hosts = append(hosts, r.drawServer(t, fmt.Sprintf("h%d", i), outlets, feeds))
	}
	r.drawServices(t, hosts)
	r.drawStatuses(t)
	return r
}

func (r *room) link(from, to string) {
	r.model.Links = append(r.model.Links, topology.Link{Link: component.Link{From: component.ID(from), To: component.ID(to), Kind: component.Feeds}})
	r.slow.feeds[to] = append(r.slow.feeds[to], from)
}

func (r *room) device(name string, parts ...string) {
	sn := &snapshot.Snapshot{Target: "x://" + name, Device: snapshot.Device{Name: name}, Reachable: true}
	for _, p := range parts {
		id := component.ID(name + "/" + p)
		sn.Components = append(sn.Components, component.Component{ID: id, Kind: id.Kind(), Status: component.Status{Condition: component.OK}})
		r.slow.kinds[string(id)] = id.Kind().Domain()
	}
	r.devices[name] = sn
	r.model.Observed = append(r.model.Observed, name)
}

func (r *room) drawPDU(t *rapid.T, name string, feeds int) (outlets []string) {
	parts := []string{"pdu/1", "inlet/1"}
	for i := range rapid.IntRange(1, 3).Draw(t, "outlets") {
		id := fmt.Sprintf("%s/outlet/%d", name, i)
		outlets = append(outlets, id)
		parts = append(parts, fmt.Sprintf("outlet/%d", i))
		r.slow.all[id] = []string{name + "/pdu/1"}
	}
	r.device(name, parts...)
	r.slow.feeds[name+"/pdu/1"] = []string{name + "/inlet/1"}
	r.link(fmt.Sprintf("s/feed/%d", rapid.IntRange(0, feeds-1).Draw(t, "feed")), name+"/inlet/1")
	return outlets
}

func (r *room) drawServer(t *rapid.T, name string, outlets []string, feeds int) (host string) {
	host = name + "/host/1"
	parts := []string{"host/1"}
	var supplies []string
	for i := range rapid.IntRange(1, 4).Draw(t, "supplies") {
		parts = append(parts, fmt.Sprintf("psu/%d", i))
		supplies = append(supplies, fmt.Sprintf("%s/psu/%d", name, i))
	}
	r.device(name, parts...)
	for _, psu := range supplies {
		for range rapid.SampledFrom([]int{0, 1, 1, 1, 1, 2}).Draw(t, "cords") {
			from := fmt.Sprintf("s/feed/%d", rapid.IntRange(0, feeds-1).Draw(t, "feed"))
			if rapid.IntRange(0, 3).Draw(t, "on a pdu") > 0 {
				from = rapid.SampledFrom(outlets).Draw(t, "outlet")
			}
			if !slices.Contains(r.slow.feeds[psu], from) {
				r.link(from, psu)
			}
		}
	}
	if len(supplies) == 1 {
		r.slow.all[host] = supplies
		return host
	}
	g := slowGroup{members: supplies, needed: len(supplies) - 1, designed: len(supplies)}
	id := name + "/group/psu"
	if rapid.Bool().Draw(t, "claims") {
		g.needed = rapid.IntRange(1, len(supplies)).Draw(t, "needed")
		c := snapshot.Claim{Group: component.ID(id), Kind: component.PSU, Needed: g.needed}
		for _, s := range supplies {
			c.Members = append(c.Members, component.ID(s))
		}
		r.devices[name].Claims = []snapshot.Claim{c}
	}
	r.slow.groups[id] = g
	r.slow.all[host] = []string{id}
	return host
}

func (r *room) drawServices(t *rapid.T, hosts []string) {
	for i := range rapid.IntRange(1, 2).Draw(t, "services") {
		id := fmt.Sprintf("s/service/%d", i)
		var n slowNeed
		var need topology.Need
		for range rapid.IntRange(1, 3).Draw(t, "needs") {
			host := rapid.SampledFrom(hosts).Draw(t, "host")
			n.of = append(n.of, slowNeed{leaf: host})
			need.Of = append(need.Of, topology.Need{ID: component.ID(host)})
		}
		n.least = rapid.IntRange(1, len(n.of)).Draw(t, "at least")
		need.AtLeast = n.least
		if rapid.Bool().Draw(t, "nested") {
			n = slowNeed{least: 2, of: []slowNeed{n, {leaf: hosts[0]}}}
			need = topology.Need{AtLeast: 2, Of: []topology.Need{need, {ID: component.ID(hosts[0])}}}
		}
		r.slow.services[id] = n
		r.model.Services = append(r.model.Services, topology.Service{ID: component.ID(id), Name: fmt.Sprint(i), Needs: need})
	}
}

// drawStatuses lets devices fall silent and parts fail. A supply or inlet that would have to be without power says
// nothing: what contradictions and lost inputs mean is told in stories.
func (r *room) drawStatuses(t *rapid.T) {
	for _, name := range r.model.Observed {
		r.quiet[name] = rapid.IntRange(0, 5).Draw(t, "silent") == 0
		for i := range r.devices[name].Components {
			c := &r.devices[name].Components[i]
			c.Condition = rapid.SampledFrom([]component.Condition{component.OK, component.OK, component.OK, component.Impaired, component.Unknown, component.Failed}).Draw(t, string(c.ID))
			if c.Condition == component.Failed {
				r.slow.fails[string(c.ID)] = true
			}
		}
	}
	for _, name := range r.model.Observed {
		for i := range r.devices[name].Components {
			c := &r.devices[name].Components[i]
			id := string(c.ID)
			senses := c.Kind == component.PSU || c.Kind == component.Inlet
			if senses && c.Condition != component.Failed && !r.slow.works(id, r.slow.down(false)) {
				c.Condition = component.Unknown
			}
			main := c.Kind == component.PDU // an agent that answers is its pdu's sign of life
			switch {
			case c.Condition == component.Failed:
			case r.quiet[name], c.Condition == component.Unknown && !main:
				r.slow.silent[id] = true
			case senses:
				r.slow.proves[id] = true
			}
		}
	}
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// views are the devices as the store gives them.
func (r *room) views() []*state.Device {
	var targets []state.Target
	for _, name := range r.model.Observed {
		targets = append(targets, state.Target{URL: "x://" + name, Device: name})
	}
	store := state.New(targets)
	var views []*state.Device
	for _, name := range r.model.Observed {
		sn := *r.devices[name]
		sn.At = start
		store.Apply(&sn)
		if r.quiet[name] {
			for i := range 3 {
				store.Apply(&snapshot.Snapshot{Target: sn.Target, Device: sn.Device, At: start.Add(time.Duration(i+1) * time.Second)})
			}
		}
		views = append(views, store.Device(name))
	}
	return views
}

func TestAgainstTheSlowOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoom(t)
		e, err := New(&r.model, Options{Settle: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range r.views() {
			e.Update(v)
		}
		report, _ := e.Evaluate(start.Add(time.Minute))
		for _, g := range report.Groups {
			r.checkGroup(t, g)
		}
		for _, s := range report.Services {
			r.checkService(t, s)
		}
		if len(report.Groups) != len(r.slow.groups) {
			t.Errorf("%d groups, want %d", len(report.Groups), len(r.slow.groups))
		}
		r.checkFalse(t, report)
	})
}

func (r *room) checkGroup(t *rapid.T, g *Group) {
	want := r.slow.groups[string(g.ID)]
	if g.Needed != want.needed || g.Designed != want.designed {
		t.Errorf("%s needs %d of %d, want %d of %d", g.ID, g.Needed, g.Designed, want.needed, want.designed)
	}
	d := want.designed - want.needed
	full := min(d, r.slow.spares(string(g.ID), map[string]bool{}, "", d+1))
	best := min(d, r.slow.spares(string(g.ID), r.slow.down(false), "", d+1))
	worst := min(d, r.slow.spares(string(g.ID), r.slow.down(true), "", d+1))
	state := slowBoth(slowState(d, full, best), slowState(d, full, worst))
	if g.State != state || *g.SparesFull != full {
		t.Errorf("%s is %s with %d with nothing failed, want %s with %d (best %d worst %d)", g.ID, g.State, *g.SparesFull, state, full, best, worst)
	}
	if state != StateUnknown && *g.Spares != best {
		t.Errorf("%s has %d spares, want %d", g.ID, *g.Spares, best)
	}
	if (g.SparesWorst != nil) != (best != worst) || g.SparesWorst != nil && *g.SparesWorst != worst {
		t.Errorf("%s has worst %v, want %d", g.ID, g.SparesWorst, worst)
	}
}

func (r *room) checkService(t *rapid.T, s *Service) {
	const limit = 3
	r.checkSpares(t, s.ID, "", limit, s.Spares, s.AtLeast, s.State)
	for d, by := range s.By {
		r.checkSpares(t, s.ID, d, limit, by.Spares, by.AtLeast, by.State)
	}
	for _, set := range s.Weakest {
		down := r.slow.down(false)
		for _, id := range set {
			down[string(id)] = true
		}
		if r.slow.works(string(s.ID), down) || len(set) != *s.Spares+1 {
			t.Errorf("%s survives its weakest set %v", s.ID, set)
		}
	}
}

func (r *room) checkSpares(t *rapid.T, id component.ID, d component.Domain, limit int, spares, atLeast *int, state State) {
	best := r.slow.spares(string(id), r.slow.down(false), d, limit)
	worst := r.slow.spares(string(id), r.slow.down(true), d, limit)
	full := r.slow.spares(string(id), map[string]bool{}, d, limit)
	if state == StateUnknown {
		if best == worst && best < limit {
			t.Errorf("%s %s is unknown, and both cases have %d", id, d, best)
		}
		return
	}
	got := limit // nothing takes it down: any number
	if spares != nil {
		got = min(*spares, limit)
	}
	if got != best {
		t.Errorf("%s %s has %d spares, want %d (worst %d)", id, d, got, best, worst)
	}
	if best < limit && full < limit {
		if want := slowBoth(slowState(full, full, best), slowState(full, full, worst)); state != want {
			t.Errorf("%s %s is %s, want %s", id, d, state, want)
		}
	}
}

// checkFalse: false redundancy is found where some set of at most D components takes a group of D spares, and said of
// such a set.
func (r *room) checkFalse(t *rapid.T, report *Report) {
	for id, g := range r.slow.groups {
		d := g.designed - g.needed
		full := r.slow.spares(id, map[string]bool{}, "", d+1)
		key := "false-redundancy:" + id
		i := slices.IndexFunc(report.Findings, func(f finding.Finding) bool { return string(f.Key) == key })
		if (i >= 0) != (d > 0 && full < d) {
			t.Errorf("%s: found false %v, D %d S0 %d", id, i >= 0, d, full)
		}
		if i < 0 {
			continue
		}
		down := map[string]bool{}
		for _, c := range report.Findings[i].Causes {
			down[string(c.ID)] = true
		}
		if r.slow.works(id, down) || len(down) > d {
			t.Errorf("%s survives what is said to be shared: %v", id, down)
		}
	}
}

// TestIncrementalEqualsFromScratch: after any sequence of changes the engine's verdicts are a new one's. Findings may
// differ: what stood before something fell silent still stands.
func TestIncrementalEqualsFromScratch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoom(t)
		e, err := New(&r.model, Options{Settle: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range r.views() {
			e.Update(v)
		}
		now := start.Add(time.Minute)
		e.Evaluate(now)
		for range rapid.IntRange(1, 12).Draw(t, "changes") {
			clear(r.slow.fails)
			clear(r.slow.silent)
			clear(r.slow.proves)
			r.drawStatuses(t)
			r.drawFan(t)
			views := r.views()
			for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(views)-1), 1, len(views)).Draw(t, "heard") {
				e.Update(views[i])
			}
			now = now.Add(time.Minute)
			e.Evaluate(now)
		}
		for _, v := range r.views() {
			e.Update(v)
		}
		got, _ := e.Evaluate(now)
		fresh, err := New(&r.model, Options{Settle: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range r.views() {
			fresh.Update(v)
		}
		want, _ := fresh.Evaluate(now)
		if a, b := verdicts(got), verdicts(want); a != b {
			t.Errorf("after changes:\n%s\nfrom scratch:\n%s", a, b)
		}
	})
}

// drawFan puts a part that means nothing into a device, or takes it out: the structure is compiled anew.
func (r *room) drawFan(t *rapid.T) {
	d := r.devices[rapid.SampledFrom(r.model.Observed).Draw(t, "with a fan")]
	id := component.NewID(d.Device.Name, component.Fan, "9")
	if n := len(d.Components); d.Components[n-1].ID == id {
		d.Components = d.Components[:n-1]
		delete(r.slow.kinds, string(id))
		return
	}
	d.Components = append(d.Components, component.Component{ID: id, Kind: component.Fan, Status: component.Status{Condition: component.OK}})
}

func verdicts(r *Report) string {
	var b strings.Builder
	num := func(p *int) string {
		if p == nil {
			return "-"
		}
		return fmt.Sprint(*p)
	}
	for _, g := range r.Groups {
		fmt.Fprintln(&b, g.ID, g.State, num(g.Spares), num(g.SparesWorst), num(g.Predicted), num(g.SparesFull), g.Needed, g.Designed, g.Unverified)
	}
	for _, s := range r.Services {
		weakest := s.Weakest
		if s.Cuts > len(weakest) {
			weakest = nil // which of many are shown goes by the order in which parts became known
		}
		fmt.Fprintln(&b, s.ID, s.State, num(s.Spares), num(s.SparesWorst), num(s.Predicted), s.Cuts, len(s.Weakest), weakest, s.Unverified)
		for _, d := range component.Domains() {
			fmt.Fprintln(&b, "   ", d, num(s.By[d].Spares), num(s.By[d].Worst), num(s.By[d].Predicted), num(s.By[d].Full), s.By[d].State)
		}
	}
	return b.String()
}

// TestSimulateLeavesNoTrace: a what-if equals the real thing, and the engine is as before.
func TestSimulateLeavesNoTrace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoom(t)
		e, err := New(&r.model, Options{Settle: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range r.views() {
			e.Update(v)
		}
		now := start.Add(time.Minute)
		before, _ := e.Evaluate(now)
		was := verdicts(before)
		name := rapid.SampledFrom(r.model.Observed).Draw(t, "device")
		id := r.devices[name].Components[rapid.IntRange(0, len(r.devices[name].Components)-1).Draw(t, "part")].ID
		sim, err := e.Simulate([]component.ID{id})
		if err != nil {
			t.Fatal(err)
		}
		down := r.slow.down(false)
		for _, s := range r.model.Services {
			works := r.slow.works(string(s.ID), down)
			down[string(id)] = true
			after := r.slow.works(string(s.ID), down)
			if !r.slow.fails[string(id)] {
				delete(down, string(id))
			}
			lost := slices.ContainsFunc(sim.Services, func(c Change) bool { return c.ID == s.ID && c.Lost })
			if lost != (works && !after) {
				t.Errorf("without %s %s lost: %v, want %v", id, s.ID, lost, works && !after)
			}
		}
		again, _ := e.Evaluate(now.Add(time.Second))
		if got := verdicts(again); got != was {
			t.Errorf("after a simulation:\n%s\nbefore:\n%s", got, was)
		}
	})
}
