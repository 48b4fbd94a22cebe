package engine

import (
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
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
type Engine struct{}

// New makes an engine for a checked model. A reload makes a new engine, gives it every device, and Resumes it with what
// the old one had open.
func New(model *topology.Model, opt Options) (*Engine, error) { return &Engine{}, nil }

// Options adjust the engine; zero fields mean the defaults.
type Options struct {
	// Settle is how long after the first Evaluate the engine waits for devices that were not read yet. Default 2 min.
	Settle time.Duration
	// Ask is how long a finding waits for the devices that were asked. Default 10 s.
	Ask time.Duration
	// Hold is how long a rule's condition must stand before its finding opens. Default: 0 for all.
	Hold map[finding.Rule]time.Duration
	// Severity overrides the severity of a rule by the tier of the most important service that leans on the subject;
	// NoTier stands for "no service".
	Severity map[finding.Rule]map[int]finding.Severity
}

// NoTier is the tier of what no service leans on.
const NoTier = -1

// Update takes in the merged view of a device. It is cheap; the work is done by Evaluate.
func (e *Engine) Update(d *state.Device) {}

// Forget drops a device that is no longer configured.
func (e *Engine) Forget(device string) {}

// Resume tells the engine what was open before a restart or reload: it stays open until its subject can be judged, and
// keeps its Since when it still stands then.
func (e *Engine) Resume(open []finding.Finding) {}

// Evaluate judges everything that changed since the last call and returns the report, with the devices that are to be
// read now because the answer decides where blame lies.
func (e *Engine) Evaluate(now time.Time) (*Report, []Question) { return &Report{At: now}, nil }

// Learned returns what has to be remembered over restarts and was learned since the last call; see state.Store.Learn.
func (e *Engine) Learned() []Learning { return nil }

// Learning is what was learned of a group.
type Learning struct {
	Group component.ID
	Best  int     // members seen working together
	Peak  float64 // highest load in W; 0: not known
}

// Resolve finds the component, group or service that a person means by an id, an alias, a device's name or a bare name.
func (e *Engine) Resolve(name string) (component.ID, error) { return component.ID(name), nil }

// Simulate says what would change if these failed now. It changes nothing.
func (e *Engine) Simulate(fail []component.ID) (*Simulation, error) { return &Simulation{}, nil }

// Gate says whether these may be taken down now. Strict presumes nothing.
func (e *Engine) Gate(fail []component.ID, strict bool) (*Gate, error) { return &Gate{}, nil }

// Judge returns the verdicts on the groups inside one device from one snapshot, without a model or memory.
func Judge(sn *snapshot.Snapshot) []Group { return nil }
