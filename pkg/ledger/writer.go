package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// MaxBatch is how many entries one atomic batch holds at most: the default limit of a JetStream server.
const MaxBatch = 1000

// Record is what is to become an entry.
type Record struct {
	Kind Kind
	Body any // marshalled with encoding/json
	// Tied keeps the record in one atomic batch with the record before it: an incident's change and the intent to tell
	// of it are written both or not at all.
	Tied bool
}

// Writer continues a chain. It may be used from any goroutine; batches follow each other in the order of the calls.
//
// After an error other than a cancelled wait for its turn the Writer does not know what the log holds and refuses to
// write until Resume has read it.
type Writer struct {
	log Log

	turn  chan struct{} // holds one token; who has it may touch what follows
	head  Head
	stale error // why the log has to be read first
}

// Open reads and verifies the whole log, calls f for each entry (f may be nil), and returns a Writer at its end. A log
// that does not verify yields a *BrokenError.
func Open(ctx context.Context, log Log, f func(Entry) error) (*Writer, error) {
	w := &Writer{log: log, turn: make(chan struct{}, 1)}
	w.turn <- struct{}{}
	if err := w.read(ctx, f); err != nil {
		return nil, err
	}
	return w, nil
}

// Resume reads and verifies what was written since the last entry that the Writer knows, calls f for each (f may be
// nil), and makes the Writer usable again after an error. The entries may be our own whose acknowledgement was lost,
// or another writer's.
func (w *Writer) Resume(ctx context.Context, f func(Entry) error) error {
	if err := w.take(ctx); err != nil {
		return err
	}
	defer w.give()
	return w.read(ctx, f)
}

// Head returns the end of the chain.
func (w *Writer) Head(ctx context.Context) (Head, error) {
	if err := w.take(ctx); err != nil {
		return Head{}, err
	}
	defer w.give()
	return w.head, nil
}

// Append writes the records as entries of the time at, and returns them when they are on disk. Up to MaxBatch records
// are one atomic batch; more are split, never between a record and one Tied to it, and those written before an error
// are returned with it.
func (w *Writer) Append(ctx context.Context, at time.Time, records ...Record) ([]Entry, error) {
	batches, err := split(records)
	if err != nil {
		return nil, err
	}
	if err := w.take(ctx); err != nil {
		return nil, err
	}
	defer w.give()
	if w.stale != nil {
		return nil, fmt.Errorf("the ledger has to be read again after: %w", w.stale)
	}
	var written []Entry
	for _, b := range batches {
		entries, end, err := chain(w.head, at, b)
		if err != nil {
			return written, err
		}
		if err := w.log.Append(ctx, w.head.Seq, entries); err != nil {
			w.stale = err
			return written, fmt.Errorf("append %d entries after ledger entry %d: %w", len(entries), w.head.Seq, err)
		}
		w.head = end
		written = append(written, entries...)
	}
	return written, nil
}

func (w *Writer) read(ctx context.Context, f func(Entry) error) error {
	err := w.log.Read(ctx, w.head.Seq+1, func(e Entry) error {
		next, err := w.head.Next(e)
		if err != nil {
			return err
		}
		if f != nil {
			if err := f(e); err != nil {
				return fmt.Errorf("ledger entry %d: %w", e.Seq, err)
			}
		}
		w.head = next
		return nil
	})
	w.stale = err
	return err
}

func (w *Writer) take(ctx context.Context) error {
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *Writer) give() { w.turn <- struct{}{} }

// chain makes entries of the records, continuing from h, and returns the new end.
func chain(h Head, at time.Time, records []Record) ([]Entry, Head, error) {
	entries := make([]Entry, 0, len(records))
	for _, r := range records {
		body, err := json.Marshal(r.Body)
		if err != nil {
			return nil, h, fmt.Errorf("write a ledger entry of kind %s: %w", r.Kind, err)
		}
		e := Entry{Seq: h.Seq + 1, At: at.UTC(), Kind: r.Kind, Body: body, Prev: h.Hash}
		e.Hash = e.Sum()
		h = Head{Seq: e.Seq, Hash: e.Hash}
		entries = append(entries, e)
	}
	return entries, h, nil
}

var errTied = errors.New("more than can be written as one batch are tied together")

// split cuts records into batches of at most MaxBatch, before records that are not tied.
func split(records []Record) ([][]Record, error) {
	var batches [][]Record
	for len(records) > MaxBatch {
		cut := MaxBatch
		for cut > 0 && records[cut].Tied {
			cut--
		}
		if cut == 0 {
			return nil, errTied
		}
		batches = append(batches, records[:cut])
		records = records[cut:]
	}
	if len(records) > 0 {
		batches = append(batches, records)
	}
	return batches, nil
}
