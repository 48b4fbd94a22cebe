package incident

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/ledger"
)

// Fold is which findings stand and which incidents are open. It is owned by one goroutine.
//
// Since when a finding is missing is the only thing that the ledger does not have: after a restart a hold begins anew.
type Fold struct {
	o        Options
	opened   int // incidents ever
	standing map[finding.Key]standing
	open     map[ID]*tracked
}

// tracked is an open incident.
type tracked struct {
	id       ID
	root     finding.Key
	severity finding.Severity
	title    string
	opened   time.Time
	members  map[finding.Key]member
	quiet    time.Time       // since when nothing keeps it open; zero: something does
	last     finding.Finding // its root as last seen; empty after a restart
	partOf   ID              // took over some of its findings since its root is gone
}

// member is one finding of an incident.
type member struct {
	severity finding.Severity // as last seen
	paging   bool             // keeps the incident open while it stands, whatever hangs over it
	gone     time.Time        // since when it is missing; zero: it stands
}

// NewFold returns a fold that knows of nothing that is open.
func NewFold(o Options) *Fold {
	return &Fold{o: o, opened: o.Closed, standing: map[finding.Key]standing{}, open: map[ID]*tracked{}}
}

// SetHold changes how long an incident whose findings are gone waits for them; see Options.
func (f *Fold) SetHold(d time.Duration) { f.o.Hold = d }

// Replay takes in one ledger entry; kinds that are not its own it passes over. Entries come in order, each once. Those of
// incidents that are over may be left out, and of each finding all but the last.
func (f *Fold) Replay(e ledger.Entry) error {
	switch e.Kind {
	case ledger.Transition:
		var t Transition
		if err := json.Unmarshal(e.Body, &t); err != nil {
			return err
		}
		t.apply(f.standing)
		f.weigh(t)
	case ledger.Incident:
		var c Change
		if err := json.Unmarshal(e.Body, &c); err != nil {
			return err
		}
		f.apply(c)
	}
	return nil
}

// weigh gives a finding that is an incident's the severity that it has now.
func (f *Fold) weigh(t Transition) {
	if t.Finding == nil {
		return
	}
	for _, i := range f.open {
		if m, has := i.members[t.Key]; has {
			m.severity = t.Finding.Severity
			i.members[t.Key] = m
		}
	}
}

// apply makes the change in f.
func (f *Fold) apply(c Change) {
	if !c.Resolved.IsZero() {
		delete(f.open, c.ID)
		return
	}
	t := f.open[c.ID]
	if t == nil {
		t = &tracked{id: c.ID, opened: c.Opened, members: map[finding.Key]member{}}
		f.open[c.ID] = t
		f.opened++
	}
	t.root, t.severity, t.title = c.Root, c.Severity, c.Title
	for _, k := range c.Removed {
		delete(t.members, k)
	}
	for _, k := range c.Added {
		for _, other := range f.open {
			delete(other.members, k)
		}
		severity := c.Severity
		if s, stands := f.standing[k]; stands {
			severity = s.severity
		}
		t.members[k] = member{severity: severity}
	}
	for _, k := range c.Paging {
		m := t.members[k]
		m.paging = true
		t.members[k] = m
	}
}

// Open returns the open incidents, oldest first.
func (f *Fold) Open() []Incident {
	out := make([]Incident, 0, len(f.open))
	for _, t := range f.byAge() {
		out = append(out, t.incident())
	}
	return out
}

// Due returns when Step has something to do although no finding changes, because a hold ends; zero: never.
func (f *Fold) Due() time.Time {
	var due time.Time
	sooner := func(since time.Time) {
		if at := since.Add(f.o.Hold); !since.IsZero() && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	for _, t := range f.open {
		sooner(t.quiet)
		if t.quiet.IsZero() {
			for _, m := range t.members {
				sooner(m.gone)
			}
		}
	}
	return due
}

// byAge returns the open incidents, oldest first.
func (f *Fold) byAge() []*tracked {
	return slices.SortedFunc(maps.Values(f.open), older)
}

func older(a, b *tracked) int {
	return cmp.Or(a.opened.Compare(b.opened), cmp.Compare(a.id, b.id))
}

// incident is what people see of t.
func (t *tracked) incident() Incident {
	return Incident{ID: t.id, Root: t.root, Findings: t.keys(), Severity: t.severity, Title: t.title, Opened: t.opened}
}

// keys are its findings, root first, then sorted.
func (t *tracked) keys() []finding.Key {
	return slices.SortedFunc(maps.Keys(t.members), func(a, b finding.Key) int {
		return cmp.Or(first(a == t.root, b == t.root), cmp.Compare(a, b))
	})
}

func (t *tracked) clone() *tracked {
	c := *t
	c.members = maps.Clone(t.members)
	return &c
}
