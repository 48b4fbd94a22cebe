package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// tasks are the long-lived goroutines.
type tasks struct {
	log    *slog.Logger
	failed chan error // holds the first task that ended by itself
}

// start runs a task until the returned function is called, which waits for its end; not until from is done. A task ends when its context is
// done, or with nil when it has nothing to do; one that ends before with an error is a failure of the daemon.
func (t *tasks) start(from context.Context, name string, run func(context.Context) error) (stop func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(from))
	ended := make(chan error, 1)
	go func() {
		err := run(ctx)
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("the %s ended by itself: %w", name, err)
			t.log.Error("a task ended by itself", "task", name, "error", err)
			select {
			case t.failed <- err:
			default:
			}
		}
		ended <- err
	}()
	return func(wait context.Context) error {
		cancel()
		select {
		case err := <-ended:
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		case <-wait.Done():
			return fmt.Errorf("stop the %s: %w", name, wait.Err())
		}
	}
}
