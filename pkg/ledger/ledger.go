// Package ledger gives the append-only, hash-chained record of every transition, notification and human action.
//
// It knows the entries and their chain, and declares the log that it needs; pkg/bus provides one on JetStream. What an
// entry's body holds belongs to the room that writes it: incident.Transition and incident.Change, notify.Intent and
// notify.Outcome.
//
// Who writes opens a Writer, which reads and verifies what is there and shows it to the reader's folds:
//
//	w, err := ledger.Open(ctx, log, func(e ledger.Entry) error { return fold.Replay(e) })
//	entries, err := w.Append(ctx, now, records...)
//
// Who doubts exports the entries as JSON lines and calls Verify.
package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
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
	Heard      Kind = "heard"      // a device said something by itself: a trap; evidence, and no fact
)

// Entry is one record. Hash covers all the other fields, and so the hash of the entry before.
//
// The hash is the SHA-256 of: Seq as 8 bytes, big-endian; then At (UTC, RFC 3339 with nanoseconds), Kind, Body (its
// compact JSON as encoding/json writes it) and Prev, each preceded by its length as 8 bytes, big-endian.
type Entry struct {
	Seq  uint64          `json:"seq"` // from 1, without gaps
	At   time.Time       `json:"at"`  // UTC
	Kind Kind            `json:"kind"`
	Body json.RawMessage `json:"body"`
	Prev string          `json:"prev"` // hex SHA-256 of the entry before; empty for the first
	Hash string          `json:"hash"`
}

// Log is the storage that the ledger needs. Append writes the entries as one atomic batch, synced to disk before it
// returns, and only if the last sequence is expect; otherwise it returns ErrMoved and has written nothing. After any
// other error it may or may not have written them all.
type Log interface {
	Append(ctx context.Context, expect uint64, entries []Entry) error
	// Read calls f for each entry from sequence from on, in order, until the end or f's first error, which it returns.
	Read(ctx context.Context, from uint64, f func(Entry) error) error
}

// ErrMoved says that somebody else has appended since: the caller does not lead any more, or has missed entries.
var ErrMoved = errors.New("the ledger has moved on")

// BrokenError names the first entry that is not what was written.
type BrokenError struct {
	Seq uint64 // of the entry, or the one that it should have
	Why string
}

func (e *BrokenError) Error() string { return fmt.Sprintf("ledger entry %d: %s", e.Seq, e.Why) }

// Sum computes the hash of the entry's other fields.
func (e Entry) Sum() string {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, e.Seq) // a hash never fails
	field(h, []byte(e.At.UTC().Format(time.RFC3339Nano)))
	field(h, []byte(e.Kind))
	field(h, e.Body)
	field(h, []byte(e.Prev))
	return hex.EncodeToString(h.Sum(nil))
}

func field(h hash.Hash, b []byte) {
	_ = binary.Write(h, binary.BigEndian, uint64(len(b)))
	h.Write(b)
}

// Head is the end of a chain: enough to continue it, and to be kept elsewhere as proof of how long it was. A chain
// cannot know that its last entries are missing; two heads can.
type Head struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

// Next checks that e continues the chain that ends in h and returns the new end. Its error is a *BrokenError.
func (h Head) Next(e Entry) (Head, error) {
	broken := func(format string, args ...any) (Head, error) {
		return h, &BrokenError{Seq: h.Seq + 1, Why: fmt.Sprintf(format, args...)}
	}
	switch {
	case e.Seq != h.Seq+1:
		return broken("entry %d stands in its place", e.Seq)
	case e.Prev != h.Hash:
		return broken("it does not name the hash of the entry before")
	case e.Hash != e.Sum():
		return broken("its hash does not cover what it holds")
	}
	return Head{Seq: e.Seq, Hash: e.Hash}, nil
}
