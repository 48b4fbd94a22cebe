package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bus"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// LastWord is what the devices showed last, held against a topology.
type LastWord struct {
	Devices int       // that were read once, of those configured
	Oldest  time.Time // when the one of them was read that was read longest ago
	// Mistakes are the findings on what the topology names and its device does not have.
	Mistakes []finding.Finding
}

// Last holds the declared topology against the last snapshots in the configuration's state folder. While a daemon uses the
// folder the error is a *bus.BusyError.
func Last(ctx context.Context, c *config.Config, now time.Time) (last *LastWord, err error) {
	if _, err := os.Stat(c.State.Dir); err != nil {
		return nil, fmt.Errorf("nothing is known of the devices yet: %w", err)
	}
	b, err := bus.Open(ctx, bus.Options{Dir: c.State.Dir})
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := b.Close(ctx); err == nil {
			err = e
		}
	}()
	var all []*snapshot.Snapshot
	err = b.Last().All(ctx, func(_ string, value []byte) error {
		var sn snapshot.Snapshot
		if json.Unmarshal(value, &sn) == nil { // they are disposable
			all = append(all, &sn)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return heldAgainst(c, all, now)
}

// heldAgainst judges the topology with what the devices showed.
func heldAgainst(c *config.Config, all []*snapshot.Snapshot, now time.Time) (*LastWord, error) {
	e, err := engine.New(&c.Model, engineOptions(c, 1))
	if err != nil {
		return nil, err
	}
	store, last := newStore(c), &LastWord{}
	for _, sn := range all {
		if name, _ := store.Apply(sn); name != "" && (last.Oldest.IsZero() || sn.At.Before(last.Oldest)) {
			last.Oldest = sn.At
		}
	}
	for _, name := range store.Devices() {
		if d := store.Device(name); d.Read {
			last.Devices++
			e.Update(d)
		}
	}
	e.Evaluate(now)
	report, _ := e.Evaluate(now.Add(time.Minute)) // nobody else can be asked
	for i := range report.Findings {
		if report.Findings[i].Rule == finding.ModelMistake {
			last.Mistakes = append(last.Mistakes, report.Findings[i])
		}
	}
	return last, nil
}
