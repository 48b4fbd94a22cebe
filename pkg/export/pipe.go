package export

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Retry bounds the pauses between attempts to write a batch: they double from First to Most.
type Retry struct{ First, Most time.Duration }

// DefaultRetry is used where a Pipe is given none.
var defaultRetry = Retry{First: time.Second, Most: time.Minute}

// longestBusy bounds how long a receiver may ask to be left alone.
const longestBusy = 10 * time.Minute

// Options of a Pipe. Name, Queue and Writer are required.
type Options struct {
	Name   string
	Queue  Queue
	Writer Writer
	Log    *slog.Logger     // nil: silent
	Now    func() time.Time // nil: time.Now
	Retry  Retry            // zero: from a second to a minute
}

// Pipe brings the batches of a queue to a receiver, in order, until it has them.
type Pipe struct {
	o        Options
	refusing bool // the last batch was not taken whole; Run's own

	mu     sync.Mutex
	status Status
}

// Status is how a pipe does. Counts are since its start.
type Status struct {
	Name     string
	Written  uint64 // points that the receiver has
	Refused  uint64 // points that it will never take
	Dropped  uint64 // points that the queue had no room for
	Failures int    // attempts in a row that failed
	Error    string // of the last attempt, where it failed
	Refusal  string // the receiver's words for the points that it refused last
	Waiting  Size
	// LastDrop and LastRefused are when points were lost last; zero: never.
	LastDrop, LastRefused time.Time
	LastWritten           time.Time
}

// NewPipe returns a pipe that does nothing until Run.
func NewPipe(o Options) *Pipe {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Retry == (Retry{}) {
		o.Retry = defaultRetry
	}
	return &Pipe{o: o, status: Status{Name: o.Name}}
}

// Put appends a batch to the queue.
func (p *Pipe) Put(ctx context.Context, body []byte, points int) error {
	if err := p.o.Queue.Put(ctx, body, points); err != nil {
		p.count(func(s *Status) { s.Dropped += uint64(points); s.LastDrop = p.o.Now() })
		return err
	}
	p.measure(ctx)
	return nil
}

// Status may be called from any goroutine.
func (p *Pipe) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

func (p *Pipe) count(f func(*Status)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.status)
}

func (p *Pipe) measure(ctx context.Context) {
	if size, err := p.o.Queue.Size(ctx); err == nil {
		p.count(func(s *Status) { s.Waiting = size })
	}
}

// Run writes until ctx is done; that is its only end.
func (p *Pipe) Run(ctx context.Context) error {
	for {
		b, err := p.o.Queue.First(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			p.o.Log.Error("the spool cannot be read; it is tried again", "export", p.o.Name, "error", err)
			p.pause(ctx, p.o.Retry.Most)
			continue
		}
		p.lost(b.Lost)
		if err := p.write(ctx, b); err != nil {
			return err
		}
	}
}

// write tries until the receiver has the batch, and takes it out of the queue. Its error is ctx's. A batch that the
// queue drops meanwhile is not missed: whoever waits behind it comes next.
func (p *Pipe) write(ctx context.Context, b Batch) error {
	for failures := 0; ; failures++ {
		err := p.o.Writer.Write(ctx, b.Body)
		if ctx.Err() != nil && err != nil {
			return ctx.Err()
		}
		refused, isRefused := errors.AsType[*RefusedError](err)
		if err == nil || isRefused {
			p.wrote(b, refused, failures)
			if err := p.o.Queue.Done(ctx, b.Seq); err != nil && ctx.Err() == nil {
				p.o.Log.Error("a batch that was written cannot be taken out of the spool; it will be written again, which changes nothing", "export", p.o.Name, "error", err)
			}
			p.measure(ctx)
			return ctx.Err()
		}
		if failures == 0 {
			p.o.Log.Warn("nothing can be written; what comes is kept in the spool", "export", p.o.Name, "error", err)
		}
		p.count(func(s *Status) { s.Failures, s.Error = failures+1, err.Error() })
		p.pause(ctx, p.wait(failures, err))
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// wrote counts a batch that the receiver has.
func (p *Pipe) wrote(b Batch, refused *RefusedError, failures int) {
	lost := 0
	if refused != nil {
		lost = min(b.Points, refused.Points)
		if !p.refusing {
			p.o.Log.Warn("some points are refused for good; that is said once until a batch is taken whole", "export", p.o.Name, "points", lost, "why", refused.Why)
		}
	}
	p.refusing = refused != nil
	p.count(func(s *Status) {
		s.Written += uint64(b.Points - lost)
		s.Refused += uint64(lost)
		s.Failures, s.Error, s.LastWritten = 0, "", p.o.Now()
		if refused != nil {
			s.LastRefused, s.Refusal = p.o.Now(), refused.Why
		}
	})
	if failures > 0 {
		p.o.Log.Info("what waited in the spool is being written", "export", p.o.Name)
	}
}

func (p *Pipe) lost(points int) {
	if points == 0 {
		return
	}
	p.count(func(s *Status) { s.Dropped += uint64(points); s.LastDrop = p.o.Now() })
	p.o.Log.Error("the spool was full: its oldest points are dropped", "export", p.o.Name, "points", points)
}

// wait is the pause after so many failures, between half and all of what doubling gives, so that several daemons do not
// come back together; the receiver's own wish comes first.
func (p *Pipe) wait(failures int, err error) time.Duration {
	if d := after(err); d > 0 {
		return min(d, longestBusy)
	}
	d := p.o.Retry.Most
	if failures < 20 {
		d = min(d, p.o.Retry.First<<failures)
	}
	return d/2 + rand.N(d/2+1)
}

func (p *Pipe) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
