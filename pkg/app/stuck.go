package app

import (
	"context"
	"errors"
	"fmt"
)

// ErrStore ends a daemon whose folder takes writes again while the store in it does not: after a write that failed, as on
// a full disk, an embedded JetStream takes none until it is started anew. Nothing is lost by a new start: what was not
// written is found again.
var ErrStore = errors.New("there is room for the state again, and its store has to be started anew to see that")

// isStuck is asked when one more write has failed, and reports whether that is for no want of room. An external cluster
// has people of its own.
func (a *App) isStuck() bool { return a.bus != nil && a.bus.Embedded() && a.bus.Room() == nil }

// giveUp ends the daemon with ErrStore.
func (a *App) giveUp(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	select {
	case a.tasks.failed <- fmt.Errorf("%w: %w", ErrStore, err):
	default: // it ends already
	}
}
