package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sparewatch/sparewatch/pkg/ledger"
	"github.com/sparewatch/sparewatch/pkg/notify"
)

const (
	sendTimeout   = 30 * time.Second
	recordTimeout = 10 * time.Second
	recordAgain   = 5 * time.Second // when outcomes could not be recorded
	maxErrorText  = 500             // bytes
)

// sender is the goroutine of one receiver.
type sender struct {
	name string
	to   notify.Notifier
	box  *Outbox
	wake chan struct{} // something was added

	mu    sync.Mutex
	queue *queue
	stat  Status

	unrecorded []notify.Outcome // only the goroutine's own
}

func newSender(b *Outbox, r Receiver) *sender {
	perMinute := 0
	if p, ok := r.Notifier.(notify.Paced); ok {
		perMinute = p.PerMinute()
	}
	return &sender{name: r.Name, to: r.Notifier, box: b, wake: make(chan struct{}, 1), queue: newQueue(perMinute), stat: Status{Receiver: r.Name}}
}

func (s *sender) add(it *item) {
	s.mu.Lock()
	s.queue.add(it)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *sender) settle(o notify.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue.settle(o.Incident, o.Intent)
}

func (s *sender) status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stat
	st.Pending, st.Failures = s.queue.pending(), s.queue.failures
	return st
}

// run sends until ctx is done.
func (s *sender) run(ctx context.Context) {
	for ctx.Err() == nil {
		s.shed()
		s.record(ctx)
		s.mu.Lock()
		it, again := s.queue.next(time.Now())
		s.mu.Unlock()
		if it != nil {
			s.send(ctx, it)
		} else {
			s.wait(ctx, again)
		}
	}
	s.record(ctx)
}

// wait returns when something is added, at that time (zero: never), or when ctx is done.
func (s *sender) wait(ctx context.Context, until time.Time) {
	if len(s.unrecorded) > 0 {
		if soon := time.Now().Add(recordAgain); until.IsZero() || soon.Before(until) {
			until = soon
		}
	}
	var due <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-ctx.Done():
	case <-s.wake:
	case <-due:
	}
}

// send makes one attempt and notes what came of it.
func (s *sender) send(ctx context.Context, it *item) {
	err := s.attempt(ctx, it)
	if err != nil && ctx.Err() != nil {
		return // we are told to stop: nobody knows, and the next start sends it again
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	temporary, again := errors.AsType[*notify.TemporaryError](err)
	log := s.box.o.Log.With("receiver", s.name, "incident", it.incident, "action", it.action)
	o := notify.Outcome{Intent: it.intent, Incident: it.incident, Receiver: s.name, Attempts: it.attempts}
	switch {
	case err == nil:
		o.Result = notify.Delivered
		s.stat.Delivered++
		s.stat.LastGood = time.Now()
		log.Info("notification delivered", "attempts", it.attempts)
	case again:
		s.stat.LastError = text(err)
		s.queue.retry(it, time.Now(), temporary.After)
		log.Warn("notification not delivered, will be sent again", "attempts", it.attempts, "after", time.Until(s.queue.paused).Round(time.Second), "error", text(err))
		return
	default:
		o.Result, o.Error = notify.Refused, text(err)
		s.stat.Refused++
		s.stat.LastError = text(err)
		log.Error("notification refused, will not be sent again", "error", text(err))
	}
	s.queue.answer(it)
	s.unrecorded = append(s.unrecorded, o)
}

// attempt reads the notification from the ledger and sends it.
func (s *sender) attempt(ctx context.Context, it *item) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	n, err := s.read(ctx, it.intent)
	if err != nil {
		return &notify.TemporaryError{Err: err}
	}
	return s.to.Send(ctx, n)
}

var errRead = errors.New("read")

func (s *sender) read(ctx context.Context, seq uint64) (notify.Notification, error) {
	var body notify.Intent
	err := s.box.o.Ledger.Read(ctx, seq, func(e ledger.Entry) error {
		if err := json.Unmarshal(e.Body, &body); err != nil {
			return fmt.Errorf("ledger entry %d: %w", seq, err)
		}
		return errRead // only this one
	})
	switch {
	case errors.Is(err, errRead):
		return body.Notification, nil
	case err == nil:
		err = fmt.Errorf("ledger entry %d is not there", seq)
	}
	return notify.Notification{}, err
}

// shed gives up what is over where too much waits.
func (s *sender) shed() {
	limit := s.box.o.Waiting
	s.mu.Lock()
	defer s.mu.Unlock()
	for it := s.queue.shed(limit); it != nil; it = s.queue.shed(limit) {
		s.unrecorded = append(s.unrecorded, notify.Outcome{Intent: it.intent, Incident: it.incident, Receiver: s.name, Result: notify.Dropped,
			Error: fmt.Sprintf("more than %d incidents waited, and this one was over", limit)})
	}
}

// record writes the outcomes to the ledger, also when ctx has ended. Those that cannot be written now are kept.
func (s *sender) record(ctx context.Context) {
	if len(s.unrecorded) == 0 {
		return
	}
	records := make([]ledger.Record, len(s.unrecorded))
	for i, o := range s.unrecorded {
		records[i] = outcome(o)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := s.box.o.Record(ctx, records...); err != nil {
		s.box.o.Log.Error("outcomes of notifications are not recorded", "receiver", s.name, "count", len(records), "error", err)
		return
	}
	for _, o := range s.unrecorded {
		s.settle(o)
	}
	s.unrecorded = nil
}

// text bounds an error's text.
func text(err error) string {
	s := err.Error()
	return strings.ToValidUTF8(s[:min(len(s), maxErrorText)], "")
}
