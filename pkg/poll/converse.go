package poll

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// grace is how long after its time a poll may still take to return, before its worker is given to others.
const grace = 10 * time.Second

// closing is how long a session may take to say good-bye.
const closing = 10 * time.Second

// converse has one conversation with a target: a poll, or the end of its session.
func (p *Poller) converse(e *entry) {
	p.mu.Lock()
	e.talking = true
	removed := e.removed
	var scope collectors.Scope
	if !removed {
		scope = p.prepare(e, time.Now())
	}
	p.mu.Unlock()
	if !removed {
		removed = p.poll(e, scope)
	}
	if removed {
		p.close(e)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !e.stuck {
		p.freeWorker(e)
	}
	e.stuck, e.talking = false, false
	switch {
	case removed:
		p.forget(e)
	case e.removed:
		// Removed between the poll's end and now.
		e.giveBack(p.makeReady)
		p.enqueue(e)
		p.dispatch()
		return
	default:
		heap.Push(&p.due, e)
		p.poke()
	}
	p.release(e)
}

// prepare settles what is polled, and counts how late.
func (p *Poller) prepare(e *entry, now time.Time) collectors.Scope {
	if now.Sub(e.due) > e.target.States/4 {
		e.late++
		p.count.Late++
	}
	e.begun, e.again, e.asked = now, false, false
	// After a longer silence the device may be another one.
	if e.lastFull.IsZero() || e.failures >= patience || !now.Before(e.nextFull) {
		return collectors.Full
	}
	return collectors.Fast
}

// poll reads the target once, hands on what came, and settles when it is due again. It reports whether the target is to be closed
// instead.
func (p *Poller) poll(e *entry, scope collectors.Scope) (removed bool) {
	ctx, cancel := context.WithTimeout(e.ctx, p.o.Limit)
	overdue := time.AfterFunc(p.o.Limit+grace, func() { p.giveUp(e) })
	begun := time.Now()
	s, panicked := p.read(ctx, e, scope)
	took := time.Since(begun)
	limit := ctx.Err() != nil
	cancel()
	overdue.Stop()
	if e.ctx.Err() != nil {
		return true
	}
	e.out.Lock()
	defer e.out.Unlock()
	p.mu.Lock()
	stuck := e.stuck
	if !stuck {
		s = p.finish(s, e, took, limit)
		p.settle(e, s, scope, time.Now())
	} else {
		// giveUp has told of this poll already; it took longer than it may.
		p.reschedule(e, time.Now())
	}
	p.mu.Unlock()
	if panicked {
		p.reopen(e)
	}
	if !stuck {
		p.o.Out(s)
		p.listen(e, s)
	}
	return false
}

// read polls and turns a panic of the collector into a snapshot.
func (p *Poller) read(ctx context.Context, e *entry, scope collectors.Scope) (s *snapshot.Snapshot, panicked bool) {
	defer func() {
		if r := recover(); r != nil {
			p.o.Log.Error("collector panicked", "device", e.target.Device, "url", e.target.URL, "panic", r, "stack", string(debug.Stack()))
			p.mu.Lock()
			p.count.Panics++
			p.mu.Unlock()
			panicked = true
			s = e.failed(snapshot.ClassGarbage, fmt.Sprintf("the %s collector broke on what the device said: %v", e.scheme, r),
				"record the device with sparewatch capture and report it; the log has the stack")
		}
	}()
	if e.session == nil {
		session, err := openSession(e.collector, e.target.Target)
		if err != nil {
			return e.failed(snapshot.ClassGarbage, err.Error(), ""), false
		}
		e.session = session
	}
	if s = e.session.Poll(ctx, scope); s == nil {
		s = e.failed(snapshot.ClassGarbage, fmt.Sprintf("the %s collector gave nothing", e.scheme), "report it")
	}
	return s, false
}

func (e *entry) failed(class snapshot.Class, text, hint string) *snapshot.Snapshot {
	return &snapshot.Snapshot{
		Target: e.target.URL, Collector: e.scheme, Device: snapshot.Device{Name: e.target.Device},
		Errors: []snapshot.Error{{At: e.target.URL, Error: text, Hint: hint, Class: class}},
	}
}

// giveUp is called when a poll has not returned though its time was over: the device is told of as not answering, and its
// worker goes to others. Its tokens stay taken: nobody talks to it until the poll has returned.
func (p *Poller) giveUp(e *entry) {
	e.out.Lock()
	defer e.out.Unlock()
	p.mu.Lock()
	if !e.talking || e.stuck {
		p.mu.Unlock()
		return
	}
	e.stuck = true
	p.count.Stuck++
	p.freeWorker(e)
	if e.ctx.Err() != nil {
		p.dispatch()
		p.mu.Unlock()
		return
	}
	s := p.finish(e.failed(snapshot.ClassUnreachable, fmt.Sprintf("the poll did not end within %s", p.o.Limit), "see whether the device answers at all"), e, p.o.Limit, true)
	p.settle(e, s, collectors.Fast, time.Now())
	p.dispatch()
	p.mu.Unlock()
	p.o.Log.Error("poll does not return", "device", e.target.Device, "url", e.target.URL, "limit", p.o.Limit)
	p.o.Out(s)
}

// finish makes a snapshot of its own: with what the poller knows, within its bounds.
func (p *Poller) finish(s *snapshot.Snapshot, e *entry, took time.Duration, limit bool) *snapshot.Snapshot {
	out := *s
	if out.At.IsZero() {
		out.At = time.Now()
	}
	if out.Took == 0 {
		out.Took = took
	}
	if out.Target == "" {
		out.Target = e.target.URL
	}
	if out.Device.Name == "" {
		out.Device.Name = e.target.Device
	}
	if limit && len(out.Errors) == 0 {
		out.Errors = []snapshot.Error{{
			At: e.target.URL, Class: snapshot.ClassLimit, Error: fmt.Sprintf("the poll was broken off after %s", p.o.Limit),
			Hint: "raise poll: limit in the configuration where the device is only slow",
		}}
	}
	bound(&out, e.target.Limits.Components)
	return &out
}

// settle takes in how the poll went, and when the next one is due.
func (p *Poller) settle(e *entry, s *snapshot.Snapshot, scope collectors.Scope, now time.Time) {
	e.took, e.ended = now.Sub(e.begun), now
	p.count.Polls++
	switch {
	case refused(s):
		e.failures++
		e.denied++
	case !s.Reachable:
		e.failures++
		e.denied = 0
	default:
		e.failures, e.denied, e.success = 0, 0, now
		if scope == collectors.Full {
			e.lastFull = e.begun
			e.nextFull = slot(p.epoch, e.begun.Add(e.target.Inventory/2), e.target.Inventory, e.fullPhase, 0)
		}
	}
	if e.failures > 0 {
		p.count.Failed++
	}
	wait := p.reschedule(e, now)
	if e.denied > 0 {
		sayWhen(s, wait)
	}
}

// sayWhen adds to a refused login when it is tried again.
func sayWhen(s *snapshot.Snapshot, wait time.Duration) {
	s.Errors = slices.Clone(s.Errors)
	for i := range s.Errors {
		if err := &s.Errors[i]; err.Class == snapshot.ClassAuth {
			if err.Hint != "" {
				err.Hint += "; "
			}
			err.Hint += fmt.Sprintf("tried again in %s, as more attempts might lock the account (a reload tries at once)", wait.Round(time.Second))
			return
		}
	}
}

// reschedule sets when the target is due again, and returns how long that is.
func (p *Poller) reschedule(e *entry, now time.Time) time.Duration {
	wait, why := backOff(e.target.States, e.failures, e.denied)
	e.backOff = why
	rest := now.Add(min(now.Sub(e.begun), p.o.Limit))
	if wait > 0 {
		// The jitter keeps those that failed together from coming back together.
		e.due = now.Add(wait + time.Duration(p.o.Jitter()*jitterShare*float64(wait)))
		return e.due.Sub(now)
	}
	e.due = slot(p.epoch, e.begun.Add(e.target.States/2), e.target.States, e.phase, p.o.Jitter())
	if e.due.Before(rest) {
		// It takes longer than half of its interval.
		if rest.Sub(e.due) > e.target.States/4 {
			e.late++
			p.count.Late++
		}
		e.due = rest
	}
	if e.again && e.denied == 0 {
		e.hasten(now)
	}
	return e.due.Sub(now)
}

// hasten brings the next poll forward because somebody asked for it, as far as its bucket allows. It reports whether that is
// earlier.
func (e *entry) hasten(now time.Time) bool {
	if e.poured.IsZero() {
		e.pokes, e.poured = pokeBurst, now
	}
	e.pokes, e.poured = poured(e.pokes, e.poured, now), now
	at := now
	if e.pokes < 1 {
		at = now.Add(time.Duration((1 - e.pokes) * float64(pokeEvery)))
	}
	rest := e.took
	if e.failures > 0 {
		rest = 0 // it was not kept busy; and who asks may know that it is back
	}
	if quiet := e.ended.Add(max(pokeGap, rest)); !e.ended.IsZero() && quiet.After(at) {
		at = quiet
	}
	if !at.Before(e.due) {
		return false
	}
	e.pokes--
	e.due, e.asked = at, true
	return true
}

// Ask has the targets of the device polled as soon as may be; it does not wait. Targets whose login was refused are
// left alone, and nobody is asked more often than every few seconds.
func (p *Poller) Ask(device, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.byDevice[device] {
		p.ask(e, why)
	}
}

func (p *Poller) ask(e *entry, why string) {
	switch {
	case e.removed || e.queued || e.denied > 0:
		return
	case e.talking:
		e.again = true
		return
	}
	if e.index >= 0 && !e.asked && e.hasten(time.Now()) {
		p.setDue(e, e.due)
		p.o.Log.Debug("poll asked for", "device", e.target.Device, "url", e.target.URL, "why", why)
	}
}

// retry has a target whose login was refused polled at once: its device may know our login by now.
func (p *Poller) retry(e *entry, now time.Time) {
	if e.denied > 0 {
		e.denied, e.backOff = 0, ""
		p.setDue(e, now)
	}
}

func openSession(c collectors.Collector, t collectors.Target) (s collectors.Session, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("open %s: the collector broke: %v", t.URL, r)
		}
	}()
	s, err = c.Open(t)
	if err == nil && s == nil {
		err = errors.New("the collector opened nothing")
	}
	return s, err
}

// reopen drops a session that cannot be trusted any more; the next poll opens another.
func (p *Poller) reopen(e *entry) {
	p.closeSession(e)
	e.session = nil
}

// close ends the target.
func (p *Poller) close(e *entry) {
	p.closeSession(e)
	e.session = nil
}

func (p *Poller) closeSession(e *entry) {
	e.unlisten()
	if e.session == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), closing)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			p.o.Log.Error("collector panicked", "device", e.target.Device, "url", e.target.URL, "panic", r, "stack", string(debug.Stack()))
		}
	}()
	if err := e.session.Close(ctx); err != nil {
		p.o.Log.Warn("session not closed", "device", e.target.Device, "url", e.target.URL, "error", err)
	}
}
