package engine

import (
	"fmt"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// planned is the announced work that counts now: what it is done on is taken for gone in predicted spares, from a while
// before it begins to its end. It never lowers spares: what is really down shows by itself.
type planned struct {
	on    map[component.ID]*topology.Work
	until time.Time // nothing changes before
}

// defaultLead is how long before it begins announced work counts unless the model says otherwise.
const defaultLead = 24 * time.Hour

// plan finds the work that counts now, and brings the nodes up to date for which that changed.
func (e *Engine) plan() {
	if len(e.model.Work) == 0 || e.now.Before(e.planned.until) {
		return
	}
	lead := e.model.Lead
	if lead == 0 {
		lead = defaultLead
	}
	on := map[component.ID]*topology.Work{}
	next := e.now.Add(365 * 24 * time.Hour)
	for i := range e.model.Work {
		w := &e.model.Work[i]
		begin := w.From.Add(-lead)
		switch {
		case e.now.Before(begin):
			next = earlier(next, begin)
			continue
		case !e.now.Before(w.To):
			continue
		}
		next = earlier(next, w.To)
		for _, id := range w.What {
			if on[id] == nil { // the work that begins first
				on[id] = w
			}
		}
	}
	was := e.planned.on
	e.planned = planned{on: on, until: next}
	for id := range on {
		e.lookAgain(id)
	}
	for id := range was {
		e.lookAgain(id)
	}
	e.reported = false
}

func (e *Engine) lookAgain(id component.ID) {
	if n, ok := e.graph.Node(id); ok {
		if c := e.look(n); c != e.cells[n] {
			e.setCell(n, c)
		}
	}
}

// plannedFindings say what work is announced, and what it is done on.
func (e *Engine) plannedFindings() (found []stand) {
	for id, w := range e.planned.on {
		f := finding.Finding{
			Key: finding.KeyOf(finding.PlannedWork, id), Rule: finding.PlannedWork, Subject: id,
			Summary:  fmt.Sprintf("work on %s is announced from %s to %s", id, w.From.UTC().Format(minute), w.To.UTC().Format(minute)),
			Evidence: []string{},
			Causes:   []finding.Cause{{ID: id, Why: "may be down then, and is counted as gone in predicted spares"}},
			Remedy:   "See that nothing else that its services lean on is taken down at that time, and that what is left works: `sparewatch gate --fail " + string(id) + "`.",
		}
		if w.Note != "" {
			f.Evidence = append(f.Evidence, "announced: "+w.Note)
		}
		found = append(found, stand{f: f})
	}
	return found
}

// minute is how times of work are written.
const minute = "2006-01-02 15:04 UTC"
