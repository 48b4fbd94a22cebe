package poll

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// listener hears a session's events beside its polls.
type listener struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// Waiting before a stream of events that broke is begun again.
const (
	firstListen = 10 * time.Second
	mostListen  = 5 * time.Minute
)

// listen begins to hear the target's events once a poll has reached it, and stops when the login is refused.
func (p *Poller) listen(e *entry, s *snapshot.Snapshot) {
	source, ok := e.session.(collectors.Listener)
	switch {
	case !ok:
		return
	case refused(s):
		e.unlisten()
		return
	case !s.Reachable || e.listener != nil:
		return
	}
	ctx, cancel := context.WithCancel(e.ctx)
	l := &listener{cancel: cancel, done: make(chan struct{})}
	e.listener = l
	p.wg.Go(func() {
		defer close(l.done)
		p.hear(ctx, e, source)
	})
}

// hear runs Events again and again until ctx is done.
func (p *Poller) hear(ctx context.Context, e *entry, source collectors.Listener) {
	wait := firstListen
	for {
		begun := time.Now()
		err := events(ctx, source, func(why string) { p.event(e, why) })
		if ctx.Err() != nil {
			return
		}
		if time.Since(begun) > mostListen {
			wait = firstListen
		}
		p.o.Log.Info("events ended", "device", e.target.Device, "url", e.target.URL, "error", err, "again_in", wait)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, mostListen)
	}
}

func events(ctx context.Context, source collectors.Listener, poke func(string)) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the collector broke: %v\n%s", r, debug.Stack())
		}
	}()
	return source.Events(ctx, poke)
}

// event answers a hint that something changed with a poll.
func (p *Poller) event(e *entry, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count.Events++
	p.ask(e, why)
}

// unlisten ends the listener and waits for it, though not for ever.
func (e *entry) unlisten() {
	if e.listener == nil {
		return
	}
	e.listener.cancel()
	patient := time.NewTimer(closing)
	defer patient.Stop()
	select {
	case <-e.listener.done:
	case <-patient.C:
	}
	e.listener = nil
}
