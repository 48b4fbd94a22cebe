// Package outbox sends what the ledger says is to be told, and writes down what came of it.
//
// Before anything is sent, the intent to send it is in the ledger; after, the outcome. An intent without an outcome is
// sent, also when the program was killed in between and nobody knows whether it had been sent before: the receiver
// tells by the incident's id that it has it already. So nothing is lost, and nothing has a double effect.
//
// Each receiver has its own queue and goroutine; one that is dead delays no other. Of one incident a receiver hears in
// order: what opened it before what resolves it. A newer trigger takes the place of one that waits. A trigger that was
// never delivered is sent although its incident is over by then, and the resolve after it: whether an attempt that got
// no answer arrived cannot be known, so to say neither could leave the incident open at the receiver for ever; and that
// a spare was lost for a while is something that people want to know. They hear of it after what is still open.
//
// What waits is a few words for each notification, not its text: that is read back from the ledger.
package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/ledger"
	"github.com/sparewatch/sparewatch/pkg/notify"
)

// Receiver is one place where notifications go. Name is its key in the ledger and stays over restarts.
type Receiver struct {
	Name     string
	Notifier notify.Notifier
}

// Options of an outbox.
type Options struct {
	Site      string
	Link      func(incident.ID) string // to the status page; nil: none
	Receivers []Receiver
	// Ledger is where the notifications are read back from.
	Ledger ledger.Log
	// Record appends outcomes to the ledger. It is called by the receivers' goroutines, at once. Outcomes that it does
	// not take are kept and given again.
	Record func(ctx context.Context, records ...ledger.Record) error
	// Waiting is how many incidents may wait at one receiver; beyond, the oldest that are over are given up. 0: 10,000.
	Waiting int
	Log     *slog.Logger // nil: nothing is logged
}

// Outbox is a task.
type Outbox struct {
	o       Options
	senders []*sender

	mu      sync.Mutex
	applied uint64            // sequence of the last intent taken in
	former  map[string]*queue // of receivers that are in the ledger and not in the options, until Run
}

// New returns an outbox that has nothing to send.
func New(o Options) *Outbox {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Waiting == 0 {
		o.Waiting = 10_000
	}
	b := &Outbox{o: o, former: map[string]*queue{}}
	for _, r := range o.Receivers {
		b.senders = append(b.senders, newSender(b, r))
	}
	return b
}

// Intent makes the ledger record that a notice is to be sent to every receiver.
func (b *Outbox) Intent(n incident.Notice) ledger.Record {
	link := ""
	if b.o.Link != nil {
		link = b.o.Link(n.Incident.ID)
	}
	body := notify.Intent{Receivers: []string{}, Notification: notify.From(n, b.o.Site, link)}
	for _, s := range b.senders {
		body.Receivers = append(body.Receivers, s.name)
	}
	return ledger.Record{Kind: ledger.Intent, Body: body}
}

// Apply takes in one ledger entry: at the start every one of the ledger, then each that is appended. Kinds that are
// not its own it passes over, and so entries that it has seen. It does not block.
func (b *Outbox) Apply(e ledger.Entry) error {
	switch e.Kind {
	case ledger.Intent:
		return b.intend(e)
	case ledger.Outcome:
		var o notify.Outcome
		if err := json.Unmarshal(e.Body, &o); err != nil {
			return fmt.Errorf("ledger entry %d: %w", e.Seq, err)
		}
		b.settle(o)
	}
	return nil
}

func (b *Outbox) intend(e ledger.Entry) error {
	var body notify.Intent
	if err := json.Unmarshal(e.Body, &body); err != nil {
		return fmt.Errorf("ledger entry %d: %w", e.Seq, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.Seq <= b.applied {
		return nil
	}
	b.applied = e.Seq
	n := body.Notification
	for _, name := range body.Receivers {
		it := &item{intent: e.Seq, incident: n.Incident, action: n.Action, severity: n.Severity}
		if s := b.sender(name); s != nil {
			s.add(it)
		} else {
			if b.former[name] == nil {
				b.former[name] = newQueue(0)
			}
			b.former[name].add(it)
		}
	}
	return nil
}

func (b *Outbox) settle(o notify.Outcome) {
	if s := b.sender(o.Receiver); s != nil {
		s.settle(o)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if q := b.former[o.Receiver]; q != nil {
		q.settle(o.Incident, o.Intent)
	}
}

func (b *Outbox) sender(name string) *sender {
	if i := slices.IndexFunc(b.senders, func(s *sender) bool { return s.name == name }); i >= 0 {
		return b.senders[i]
	}
	return nil
}

// Run sends until ctx is done. What is on its way then is broken off, and sent again after the next start.
func (b *Outbox) Run(ctx context.Context) error {
	b.dropFormer(ctx)
	var wg sync.WaitGroup
	for _, s := range b.senders {
		wg.Go(func() { s.run(ctx) })
	}
	wg.Wait()
	return ctx.Err()
}

// dropFormer writes down that what was meant for receivers that are not configured any more will not be sent.
func (b *Outbox) dropFormer(ctx context.Context) {
	b.mu.Lock()
	var records []ledger.Record
	for name, q := range b.former {
		for id, l := range q.lines {
			records = append(records, outcome(notify.Outcome{Intent: l.items[len(l.items)-1].intent, Incident: id, Receiver: name, Result: notify.Dropped, Error: "the receiver is not configured any more"}))
		}
	}
	clear(b.former)
	b.mu.Unlock()
	if len(records) == 0 {
		return
	}
	b.o.Log.Warn("notifications to receivers that are not configured any more are given up", "count", len(records))
	if err := b.o.Record(ctx, records...); err != nil {
		b.o.Log.Error("outcomes are not recorded", "error", err) // the next start does it again
	}
}

func outcome(o notify.Outcome) ledger.Record { return ledger.Record{Kind: ledger.Outcome, Body: o} }

// Status is how one receiver does.
type Status struct {
	Receiver  string
	Pending   int       // notifications that wait
	Delivered int       // since the start
	Refused   int       // since the start
	Failures  int       // failed attempts in a row
	LastError string    // of the last failed or refused attempt
	LastGood  time.Time // zero: none since the start
}

// Status returns how every receiver does, in the order of the options.
func (b *Outbox) Status() []Status {
	var out []Status
	for _, s := range b.senders {
		out = append(out, s.status())
	}
	return out
}
