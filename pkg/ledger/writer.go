package ledger

import (
	"context"
	"encoding/json"
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
	bare, err := bodies(at, records)
	if err != nil {
		return nil, err
	}
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
	written := 0
	for _, n := range batches {
		batch := bare[written : written+n]
		end := w.head.chain(batch)
		if err := w.log.Append(ctx, w.head.Seq, batch); err != nil {
			w.stale = err
			return bare[:written], fmt.Errorf("append %d entries after ledger entry %d: %w", n, w.head.Seq, err)
		}
		w.head = end
		written += n
	}
	return bare, nil
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

// bodies makes entries that are not chained yet.
func bodies(at time.Time, records []Record) ([]Entry, error) {
	entries := make([]Entry, len(records))
	for i, r := range records {
		body, err := json.Marshal(r.Body)
		if err != nil {
			return nil, fmt.Errorf("write a ledger entry of kind %s: %w", r.Kind, err)
		}
		entries[i] = Entry{At: at.UTC().Round(0), Kind: r.Kind, Body: body}
	}
	return entries, nil
}

// chain numbers and hashes entries to follow h, in place, and returns the new end.
func (h Head) chain(entries []Entry) Head {
	for i := range entries {
		e := &entries[i]
		e.Seq, e.Prev = h.Seq+1, h.Hash
		e.Hash = e.Sum()
		h = Head{Seq: e.Seq, Hash: e.Hash}
	}
	return h
}

var errTied = fmt.Errorf("more than %d ledger entries are tied together", MaxBatch)

// split returns the sizes of the batches: at most MaxBatch each, and none ends before a tied record.
func split(records []Record) ([]int, error) {
	var sizes []int
	for len(records) > 0 {
		n := min(len(records), MaxBatch)
		for n < len(records) && n > 0 && records[n].Tied {
			n--
		}
		if n == 0 {
			return nil, errTied
		}
		sizes = append(sizes, n)
		records = records[n:]
	}
	return sizes, nil
}
