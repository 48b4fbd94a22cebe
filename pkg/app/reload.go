package app

import (
	"context"
	"fmt"

	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/ledger"
	"github.com/sparewatch/sparewatch/pkg/state"
)

// rebuild puts what a new configuration asks for in the place of what there is. What can fail comes first.
func (j *judge) rebuild(ctx context.Context, c *config.Config) error {
	e, err := engine.New(&c.Model, engineOptions(c, j.app.o.Settle))
	if err != nil {
		return err
	}
	box, err := j.newOutbox(c)
	if err != nil {
		return err
	}
	k := j.ledger.mark()
	if err := ledger.Pick(ctx, j.ledger, k.Needed, box.Apply); err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	if err := j.app.poller.Set(targets(c)); err != nil {
		return err
	}
	if err := j.closeOutbox(ctx); err != nil {
		j.log.Error("the old outbox did not end in time", "error", err)
	}
	// What the old outbox wrote while the new one read.
	if err := j.ledger.Read(ctx, k.Head.Seq+1, box.Apply); err != nil {
		j.log.Error("what was told last cannot be read; some of it may be sent again", "error", err)
	}
	j.outbox = box
	j.openOutbox(ctx)

	e.Resume(j.report.Findings)
	j.store = j.carryOver(newStore(c))
	j.engine, j.config = e, c
	j.fold.SetHold(j.app.hold(c))
	for _, name := range j.store.Devices() {
		j.engine.Update(j.store.Device(name))
	}
	j.loadedAt = j.app.now()
	j.loaded.Store(true)
	j.look(ctx)
	return nil
}

// carryOver gives a new store what the old one knew of the targets that are still there.
func (j *judge) carryOver(to *state.Store) *state.Store {
	to.Adopt(j.store)
	for key := range j.last {
		if !to.Knows(key.device, key.url) {
			delete(j.last, key)
			delete(j.reached, key)
		}
	}
	return to
}
