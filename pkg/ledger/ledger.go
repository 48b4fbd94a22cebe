// Package ledger gives the append-only, hash-chained record of every transition, notification and human action.
//
// It knows the entries and their chain, and declares the log that it needs; pkg/bus provides one on JetStream.
package ledger

import (
	"context"
	"encoding/json"
	"time"
)

// Kind of an entry.
type Kind string

// The kinds of entries.
const (
	Transition Kind = "transition" // a finding opened, changed or closed
	Incident   Kind = "incident"   // an incident opened, changed, merged or resolved
	Intent     Kind = "intent"     // a notification is about to be sent
	Outcome    Kind = "outcome"    // what came of it
	Action     Kind = "action"     // a person or program did something
	Start      Kind = "start"      // the daemon started
)

// Entry is one record. Hash covers all the other fields and the hash of the entry before.
type Entry struct {
	Seq  uint64          `json:"seq"`
	At   time.Time       `json:"at"`
	Kind Kind            `json:"kind"`
	Body json.RawMessage `json:"body"`
	Prev string          `json:"prev"` // hex SHA-256 of the entry before; empty for the first
	Hash string          `json:"hash"`
}

// Log is the storage that the ledger needs. Append writes the entries as one atomic batch, synced to disk before it
// returns, and only if the last sequence is expect; otherwise it returns ErrMoved and has written nothing.
type Log interface {
	Append(ctx context.Context, expect uint64, entries []Entry) error
	// Read calls f for each entry from sequence from on, in order, until the end or f's first error.
	Read(ctx context.Context, from uint64, f func(Entry) error) error
}
