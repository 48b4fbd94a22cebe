package ledger

import (
	"context"
	"errors"
)

// errEnough ends a Read before the log's end.
var errEnough = errors.New("enough was read")

// OpenAt returns a Writer as Open does without reading what stands before head, whose entry it verifies to be there. f is
// called for each entry after it. What stands before is for Check to verify.
func OpenAt(ctx context.Context, log Log, head Head, f func(Entry) error) (*Writer, error) {
	there := false
	err := log.Read(ctx, head.Seq, func(e Entry) error {
		there = true
		if e.Seq != head.Seq || e.Hash != head.Hash || e.Hash != e.Sum() {
			return &BrokenError{Seq: head.Seq, Why: "it is not the one that was written"}
		}
		return errEnough
	})
	switch {
	case err != nil && !errors.Is(err, errEnough):
		return nil, err
	case !there:
		return nil, &BrokenError{Seq: head.Seq, Why: "it is missing"}
	}
	w := &Writer{log: log, turn: make(chan struct{}, 1), head: head}
	w.turn <- struct{}{}
	if err := w.read(ctx, f); err != nil {
		return nil, err
	}
	return w, nil
}

// Check reads the log from its beginning to head and verifies that it is one chain. rest is called after each entry and
// may take its time; its error ends the check. What is wrong is a *BrokenError.
func Check(ctx context.Context, log Log, head Head, rest func(Entry) error) error {
	var h Head
	err := log.Read(ctx, 1, func(e Entry) (err error) {
		if h, err = h.Next(e); err != nil {
			return err
		}
		if h.Seq == head.Seq {
			return errEnough
		}
		return rest(e)
	})
	switch {
	case err != nil && !errors.Is(err, errEnough):
		return err
	case h.Seq < head.Seq:
		return &BrokenError{Seq: h.Seq + 1, Why: "it is missing"}
	case h != head:
		return &BrokenError{Seq: head.Seq, Why: "it is not the one that was written"}
	}
	return nil
}

// near is how many entries are read needlessly rather than beginning to read anew behind them.
const near = 50

// Pick calls f for the entries of these sequences, which rise. Each is verified by itself, not as a link of the chain.
func Pick(ctx context.Context, log Log, seqs []uint64, f func(Entry) error) error {
	for len(seqs) > 0 {
		from := seqs[0]
		err := log.Read(ctx, from, func(e Entry) error {
			if e.Seq < seqs[0] {
				return nil
			}
			if e.Seq != seqs[0] || e.Hash != e.Sum() {
				return &BrokenError{Seq: seqs[0], Why: "its hash does not cover what it holds"}
			}
			if err := f(e); err != nil {
				return err
			}
			seqs = seqs[1:]
			if len(seqs) == 0 || seqs[0] > e.Seq+near {
				return errEnough
			}
			return nil
		})
		switch {
		case err != nil && !errors.Is(err, errEnough):
			return err
		case err == nil && len(seqs) > 0:
			return &BrokenError{Seq: seqs[0], Why: "it is missing"}
		}
	}
	return nil
}
