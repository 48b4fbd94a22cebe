package app

import (
	"context"
	"runtime"
	"time"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/engine"
)

// desk answers questions that may take long, beside the judge: a few at once, for so long each, and some that wait.
type desk struct {
	within time.Duration
	slots  chan struct{}
	queue  chan struct{}
}

// The desk's bounds.
const (
	deskTime  = 20 * time.Second
	deskQueue = 32 // questions that wait or are being answered
)

func newDesk() *desk {
	return &desk{within: deskTime, slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), queue: make(chan struct{}, deskQueue)}
}

// timely are answers that say how far they go where their time was over.
type timely interface{ EndedAfter(time.Duration) }

var _ = []timely{(*engine.CutSets)(nil), (*engine.LoadPairs)(nil)}

// answer has a question answered at the desk: as far as it comes within the desk's time, and only while the one who asked
// waits.
func answer[T timely](ctx context.Context, d *desk, f func(context.Context) T) (none T, err error) {
	select {
	case d.queue <- struct{}{}:
		defer func() { <-d.queue }()
	default:
		return none, api.ErrBusy
	}
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return none, ctx.Err()
	}
	return timed(ctx, d.within, f), nil
}

// timed answers as far as it comes within a time; 0: without end.
func timed[T timely](ctx context.Context, within time.Duration, f func(context.Context) T) T {
	if within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, within)
		defer cancel()
	}
	began := time.Now()
	a := f(ctx)
	a.EndedAfter(time.Since(began))
	return a
}
