package engine

import (
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// InspectAll judges several snapshots together, without a declared topology: of each device the last one counts. The
// time of the latest is now. Its error is a structure that cannot be compiled.
func InspectAll(all []*snapshot.Snapshot) (*Report, error) {
	var targets []state.Target
	var names []string
	var now time.Time
	for _, s := range all {
		targets = append(targets, state.Target{URL: s.Target, Device: s.Device.Name})
		if !slices.Contains(names, s.Device.Name) {
			names = append(names, s.Device.Name)
		}
		if s.At.After(now) {
			now = s.At
		}
	}
	e, err := New(&topology.Model{Observed: names}, Options{Settle: 1})
	if err != nil {
		return nil, err
	}
	store := state.New(targets)
	for _, s := range all {
		store.Apply(s)
	}
	for _, name := range names {
		e.Update(store.Device(name))
	}
	e.Evaluate(now)
	r, _ := e.Evaluate(now.Add(e.opt.Ask)) // nobody else can be asked
	r.At = now
	return r, nil
}
