// Package export is the contract of those that write what is known into another system, and the pipe that brings it
// there in order.
//
// What is to be written is put into a Queue as batches in the receiver's own format; a Pipe takes the oldest, hands it
// to a Writer, and takes it out of the queue only when the receiver has it. An outage of the receiver costs nothing but
// room in the queue; what had to be dropped for want of room is counted.
package export

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// MaxBody is how many bytes the body of a batch may have.
const MaxBody = 900 << 10

// Batch is what goes out in one piece.
type Batch struct {
	Seq    uint64 // its place in the queue; it rises
	Body   []byte // in the receiver's format, at most MaxBody
	Points int    // how many points (samples, lines) the body holds
	// Lost is how many points were dropped from the queue, for want of room, between the batch before and this one.
	Lost int
}

// Queue keeps batches on disk, up to a bound; over it the oldest are dropped. One goroutine puts, one takes.
type Queue interface {
	// Put appends a batch. When it returns without an error the batch stands in the queue.
	Put(ctx context.Context, body []byte, points int) error
	// First gives the oldest batch; it waits until there is one.
	First(ctx context.Context) (Batch, error)
	// Done takes the batch out, and all before it.
	Done(ctx context.Context, seq uint64) error
	// Size is what waits.
	Size(ctx context.Context) (Size, error)
}

// Size of a queue.
type Size struct {
	Batches int
	Bytes   int64
	Oldest  time.Time // when the oldest batch was put; zero where there is none
}

// Writer hands batches to one receiver. A Pipe calls it from one goroutine.
type Writer interface {
	// Write hands over one batch. nil means that the receiver has it: a batch whose answer was lost is written again,
	// so the same points twice have to have the effect of once. A *RefusedError says that the receiver has all but
	// some points that it will never take. Any other error means that the batch is to be tried again.
	Write(ctx context.Context, body []byte) error
}

// RefusedError is a batch that was taken but for some points, which the receiver will never take.
type RefusedError struct {
	Points int    // as many as the batch has, or more: all
	Why    string // the receiver's words for the first of them
}

func (e *RefusedError) Error() string {
	if e.Points == math.MaxInt {
		return "all points are refused for good: " + e.Why
	}
	return fmt.Sprintf("%d points are refused for good: %s", e.Points, e.Why)
}

// BusyError is a receiver that says when it wants to be asked again.
type BusyError struct {
	After time.Duration
	Err   error
}

func (e *BusyError) Error() string { return fmt.Sprintf("%v; it asks for %s of peace", e.Err, e.After) }
func (e *BusyError) Unwrap() error { return e.Err }

// after is how long a receiver wants to be left alone; 0 where it says nothing.
func after(err error) time.Duration {
	if busy, ok := errors.AsType[*BusyError](err); ok {
		return busy.After
	}
	return 0
}
