package engine

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// Engine judges. It is owned by one goroutine and has no clock: the time is an argument.
//
//	e, err := engine.New(model, engine.Options{})
//	e.Resume(openBeforeRestart)
//	e.Update(store.Device("srv-101"))            // after each poll, and when silence changed
//	report, questions := e.Evaluate(now)         // when something changed, and once a second while Report.Waiting > 0
//	for _, l := range e.Learned() { store.Learn(l.Group, l.Best, l.Peak) }
//
// The work of an Evaluate follows what depends on the changes since the last one. Only when devices' inventories, links
// or groups change the whole model is compiled again.
type Engine struct {
	model    *topology.Model
	opt      Options
	declared map[string]*declaration
	observed map[string]bool
	devices  map[string]*device
	recent   *device // the one that was looked up last: what is asked next is mostly of the same one

	started, now, compiledAt time.Time

	compiled                  // what follows from the structure
	stale     bool            // the structure must be compiled again
	refresh   map[string]bool // devices whose nodes are to be brought up to date
	pending   map[string]bool // devices that wait for the structure to be compiled
	unread    map[string]bool // observed devices that were not read yet
	mistakes  []stand         // in what devices report, found by compiling
	resumed   map[finding.Key]finding.Finding
	learned   map[component.ID]Learning
	blame     blame
	cabling   cabling
	standing  standing
	lldp      neighbours
	load      load
	planned   planned
	lines     lines
	peerings  peerings
	brought   map[component.ID]map[string]state.Usual // by session: what has to be remembered of what it usually brings
	report    *Report
	reported  bool // report says all there is to say
	unsettled bool
}

// device is one device with the groups that were formed of it.
type device struct {
	name  string
	view  *state.Device
	forms []form
	links []component.Link
	best  map[component.ID]int
	was   map[component.ID]component.ID // group of each member
	nodes []redundancy.Node
	stale bool // its parts, links or groups are others than those that were compiled
}

// New makes an engine for a checked model. A reload makes a new engine, gives it every device, and Resumes it with what
// the old one had open. Its error says what is wrong with the model; a loop is a *topology.LoopError.
func New(model *topology.Model, opt Options) (*Engine, error) {
	e := &Engine{
		model:    model,
		opt:      opt.withDefaults(),
		declared: declarations(model),
		observed: make(map[string]bool, len(model.Observed)),
		devices:  map[string]*device{},
		refresh:  map[string]bool{},
		pending:  map[string]bool{},
		unread:   map[string]bool{},
		resumed:  map[finding.Key]finding.Finding{},
		learned:  map[component.ID]Learning{},
		lines:    lines{},
		peerings: peerings{},
		brought:  map[component.ID]map[string]state.Usual{},
	}
	e.blame.init()
	e.cabling.init()
	e.standing.init()
	e.load.init()
	e.lldp.init(model)
	for _, name := range model.Observed {
		e.observed[name], e.unread[name] = true, true
	}
	for name := range e.declared {
		e.form(e.device(name))
	}
	if err := e.compile(); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Engine) device(name string) *device {
	d := e.devices[name]
	if d == nil {
		d = &device{name: name, best: map[component.ID]int{}, was: map[component.ID]component.ID{}}
		e.devices[name] = d
	}
	return d
}

// Update takes in the merged view of a device. It is cheap; the work is done by Evaluate.
func (e *Engine) Update(view *state.Device) {
	if view == nil {
		return
	}
	d := e.device(view.Name)
	if e.changesStructure(d, view) {
		d.stale = true
	}
	if d.view != nil {
		for id, best := range d.view.Best {
			if view.Best[id] < best { // forgotten by somebody
				delete(d.best, id)
			}
		}
	}
	before := d.forms
	same := d.view != nil && state.SameFacts(d.view, view)
	if d.view == nil {
		e.recallLoads(view)
	}
	e.lldp.dirty = e.lldp.dirty || !same && (hears(d.view) || hears(view) || e.lldp.cabled[view.Name])
	e.load.touched[view.Name] = true
	e.load.stale = e.load.stale || d.view == nil || !sameRatings(d.view, view)
	d.view = view
	lines, sessions := e.noteLines(view), e.notePeerings(view)
	same = same && !lines && !sessions
	e.form(d)
	if !sameForms(before, d.forms) {
		d.stale = true
	}
	e.stale = e.stale || d.stale
	if view.Read && e.unread[view.Name] {
		delete(e.unread, view.Name)
		e.allHeard()
	}
	if same && !d.stale && sameNumbers(before, d.forms) {
		d.forms = before // the groups hold on to them
		return
	}
	if d.stale {
		e.pending[view.Name] = true
	} else {
		e.refresh[view.Name] = true
	}
}

// sameRatings compares what the parts of a device may carry, and which of them tell their traffic.
func sameRatings(a, b *state.Device) bool {
	return slices.EqualFunc(a.Parts, b.Parts, func(x, y state.Part) bool {
		return x.ID == y.ID && (x.Rating == y.Rating || x.Rating != nil && y.Rating != nil && *x.Rating == *y.Rating) && tellsTraffic(&x) == tellsTraffic(&y)
	})
}

// sameNumbers compares groups, whose structure is the same, by what verdicts say of them.
func sameNumbers(a, b []form) bool {
	return slices.EqualFunc(a, b, func(x, y form) bool {
		return x.designed == y.designed && x.basis == y.basis && x.raised == y.raised && y.load < x.load*1.05+1
	})
}

// changesStructure reports whether other parts or links are listed than before.
func (e *Engine) changesStructure(d *device, view *state.Device) bool {
	was := d.view
	if was == nil || len(was.Parts) != len(view.Parts) || !slices.Equal(was.Links, view.Links) {
		return true
	}
	for i := range view.Parts {
		if was.Parts[i].ID != view.Parts[i].ID || !slices.Equal(was.Parts[i].Aliases, view.Parts[i].Aliases) {
			return true
		}
	}
	return was.Read != view.Read
}

// sameForms compares groups by what the structure is made of.
func sameForms(a, b []form) bool {
	return slices.EqualFunc(a, b, func(x, y form) bool {
		return x.id == y.id && x.needed == y.needed && x.missing == y.missing && slices.Equal(x.members, y.members) && slices.Equal(x.carries, y.carries)
	})
}

// form forms the device's groups and notes what they teach.
func (e *Engine) form(d *device) {
	best := d.best
	if d.view != nil {
		best = maps.Clone(d.best)
		for id, n := range d.view.Best {
			best[id] = max(best[id], n)
		}
	}
	f := &former{name: d.name, site: d.name == e.model.Site, view: d.view, declared: e.declared[d.name], was: d.was, best: best}
	d.forms = f.groups()
	d.links = f.links(d.forms)
	for i := range d.forms {
		g := &d.forms[i]
		for _, id := range g.members {
			d.was[id] = g.id
		}
		e.learn(d, g)
	}
}

// learn remembers how many members were in place together, and the highest load.
func (e *Engine) learn(d *device, g *form) {
	if d.view == nil {
		return
	}
	d.best[g.id] = max(d.best[g.id], g.present)
	if d.best[g.id] > d.view.Best[g.id] || g.load > d.view.Peaks[g.id]*1.01 {
		e.learned[g.id] = Learning{Group: g.id, Best: d.best[g.id], Peak: g.load}
	}
}

// Forget drops a device that is no longer configured.
func (e *Engine) Forget(name string) {
	e.lldp.dirty = true
	e.lines.forget(name)
	e.peerings.forget(name)
	delete(e.devices, name)
	e.recent = nil
	delete(e.observed, name)
	delete(e.unread, name)
	if e.declared[name] != nil {
		e.form(e.device(name))
	}
	e.stale = true
}

// Learned returns what has to be remembered over restarts and was learned since the last call; see state.Store.Learn.
func (e *Engine) Learned() []Learning {
	if len(e.learned) == 0 {
		return nil
	}
	all := make([]Learning, 0, len(e.learned))
	for _, id := range slices.Sorted(maps.Keys(e.learned)) {
		all = append(all, e.learned[id])
	}
	clear(e.learned)
	return all
}

// Learning is what was learned of a group.
type Learning struct {
	Group component.ID
	Best  int     // members seen together
	Peak  float64 // highest load in W; 0: not known
}

// Resume tells the engine what was open before a restart or reload: it stays open until its subject can be judged, and
// keeps its Since when it still stands then. Call it before the first Evaluate.
func (e *Engine) Resume(open []finding.Finding) {
	for _, f := range open {
		e.resumed[f.Key] = f
		e.standing.since[f.Key] = f.Since
		if f.Rule == finding.WrongCabling {
			e.cabling.resume(e, f)
		}
	}
}

// Evaluate judges everything that changed since the last call and returns the report, with the devices that are to be
// read now because the answer decides where blame lies.
func (e *Engine) Evaluate(now time.Time) (*Report, []Question) {
	questions := e.Step(now)
	return e.Report(), questions
}

// Step does the judging of Evaluate without making a report. Its cost follows what depends on the changes; that of a
// report follows the number of groups and services too, which are copied.
func (e *Engine) Step(now time.Time) []Question {
	if e.started.IsZero() {
		e.started = now
	}
	e.now = now
	e.noteSettled()
	var questions []Question
	for range 4 { // what the evidence says of cables changes the structure, at most from one round to the next
		if e.stale && !e.tooSoon() {
			e.recompile()
		}
		e.refreshDevices()
		e.plan()
		questions = append(questions, e.assignBlame()...)
		if !e.checkCables() {
			break
		}
	}
	e.judgeDirty()
	e.hearNeighbours()
	e.settleLoad()
	e.settleFindings()
	return uniqueQuestions(questions)
}

// largeModel is the number of nodes from which compiling costs so much that it is not done after every poll of a start.
const largeModel = 10_000

// tooSoon reports whether a large model was compiled so recently that the next time has to wait; it takes longer the
// larger the model is, and longer while a start brings one new device after the other. Until then devices whose
// inventory changed are judged as they were.
func (e *Engine) tooSoon() bool {
	n := e.graph.Len()
	wait := time.Duration(n) * 20 * time.Microsecond
	if !e.settled() && !e.heardAll() {
		wait *= 3
	}
	return n >= largeModel && !e.compiledAt.IsZero() && e.now.Sub(e.compiledAt) < wait
}

// recompile compiles the structure anew. What a device reports may close a loop: then its own links are left out, and a
// finding says so.
func (e *Engine) recompile() {
	if err := e.compile(); err != nil {
		// The declared model was compiled by New and device's links were left out: this is a group that cannot be.
		e.mistakes = append(e.mistakes, stand{f: finding.Finding{
			Key: finding.KeyOf(finding.ModelMistake, component.ID(e.model.Site+"/site/"+e.model.Site)), Rule: finding.ModelMistake,
			Subject: component.ID(e.model.Site + "/site/" + e.model.Site),
			Summary: fmt.Sprintf("the model cannot be compiled any more: %v; verdicts are of the model as it was", err),
			Remedy:  "Run `sparewatch check` and mend what it names.",
		}})
		e.stale = false
	}
}

// noteSettled finds devices whose groups may be judged now because the settle time is over.
func (e *Engine) noteSettled() {
	if e.unsettled && e.settled() {
		e.unsettled = false
		for name := range e.devices {
			e.refresh[name] = true
		}
		for name := range e.observed {
			e.refresh[name] = true
		}
		e.reported = false
	}
}

// settled reports whether the settle time is over.
func (e *Engine) settled() bool { return e.opt.Offline || e.now.Sub(e.started) >= e.opt.Settle }

// heardAll reports whether every observed device was read once.
func (e *Engine) heardAll() bool { return len(e.unread) == 0 }

// allHeard has judged what waited for every device to be read.
func (e *Engine) allHeard() {
	if !e.heardAll() {
		return
	}
	for name, d := range e.devices {
		if d.view != nil && d.view.Shares {
			e.refresh[name] = true
		}
	}
}

// mayJudge reports whether something can be said of the parts of a device: it was read, nobody reads it, or the settle
// time is over. What is in an enclosure with others waits for them: its supplies may be theirs too.
func (e *Engine) mayJudge(name string) bool {
	if e.settled() {
		return true
	}
	d := e.devices[name]
	if d != nil && d.view != nil {
		return d.view.Read && (!d.view.Shares || e.heardAll())
	}
	return !e.observed[name]
}

func uniqueQuestions(qs []Question) []Question {
	seen := make(map[string]bool, len(qs))
	return slices.DeleteFunc(qs, func(q Question) bool {
		again := seen[q.Device]
		seen[q.Device] = true
		return again
	})
}

// Resolve finds the component, group or service that a person means by an id, an alias, a device's name or a bare name.
// Its error is a *topology.UnknownNameError.
func (e *Engine) Resolve(name string) (component.ID, error) { return e.graph.Resolve(name) }
