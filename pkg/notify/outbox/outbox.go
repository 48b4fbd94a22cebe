// Package outbox sends what the ledger says is to be told, and writes down what came of it.
package outbox

import (
	"context"
	"errors"
	"log/slog"
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
	// Record appends outcomes to the ledger. It is called by the receivers' goroutines, at once.
	Record func(ctx context.Context, records ...ledger.Record) error
	Log    *slog.Logger
}

// Outbox is a task.
type Outbox struct {
	o Options
}

// New returns an outbox that has nothing to send.
func New(o Options) *Outbox { return &Outbox{o: o} }

// Intent makes the ledger record that a notice is to be sent to every receiver.
func (b *Outbox) Intent(n incident.Notice) ledger.Record { return ledger.Record{} }

// Apply takes in one ledger entry: at the start every one of the ledger, then each that is appended. Kinds that are
// not its own it passes over, and so entries that it has seen.
func (b *Outbox) Apply(e ledger.Entry) error { return errors.New("not built yet") }

// Run sends until ctx is done.
func (b *Outbox) Run(ctx context.Context) error { return errors.New("not built yet") }

// Status is how one receiver does.
type Status struct {
	Receiver  string
	Pending   int       // notifications that wait
	Delivered int       // since the start
	Refused   int       // since the start
	Failures  int       // failed attempts in a row
	LastError string    // of the last failed attempt
	LastGood  time.Time // zero: none since the start
}

// Status returns how every receiver does, in the order of the options.
func (b *Outbox) Status() []Status { return nil }
