package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sparewatch/sparewatch/pkg/export"
)

// Spool is a queue of batches on disk with a bound in bytes; over it the oldest are dropped. It outlives the process.
type Spool struct {
	js      jetstream.JetStream
	stream  jetstream.Stream
	subject string
	wake    chan struct{} // something was put

	mu    sync.Mutex
	put   uint64 // points that were ever put, as the newest message says
	taken uint64 // points up to the last batch that was done with
	known bool   // whether taken is: not until the first of what waited from before was seen
	given struct{ seq, total uint64 }
}

// Headers of a spool's message: its points, and those of all messages up to it, which tells what was dropped between.
const (
	spoolPoints = "Sparewatch-Points"
	spoolTotal  = "Sparewatch-Points-Total"
)

// Spool opens the queue of that name, of at most limit bytes; it is made where it is missing. A different limit than
// before is taken over.
func (b *Bus) Spool(ctx context.Context, name string, limit int64) (*Spool, error) {
	s := &Spool{js: b.js, subject: b.name + ".spool." + escape(name), wake: make(chan struct{}, 1)}
	c := jetstream.StreamConfig{
		Name: b.name + "_spool_" + streamName(name), Description: "What waits to be written to " + name + ".", Subjects: []string{s.subject},
		Storage: jetstream.FileStorage, Compression: jetstream.S2Compression, MaxBytes: limit, MaxMsgSize: maxValue,
		Discard: jetstream.DiscardOld, AllowDirect: true, Replicas: b.replicas,
	}
	if b.replicas == 1 {
		c.PersistMode = jetstream.AsyncPersistMode
	}
	stream, err := b.js.Stream(ctx, c.Name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		stream, err = b.js.CreateStream(ctx, c)
	case err == nil && stream.CachedInfo().Config.MaxBytes != limit:
		stream, err = b.js.UpdateStream(ctx, c)
	}
	if err != nil {
		return nil, fmt.Errorf("spool %s: %w", name, err)
	}
	s.stream = stream
	if err := s.resume(ctx); err != nil {
		return nil, fmt.Errorf("spool %s: %w", name, err)
	}
	return s, nil
}

// streamName spells a name with what NATS allows in a stream's.
func streamName(name string) string {
	out := []byte(escape(name))
	for i, c := range out {
		if c == '/' {
			out[i] = '_'
		}
	}
	return string(out)
}

// resume learns how many points were ever put.
func (s *Spool) resume(ctx context.Context) error {
	info, err := s.stream.Info(ctx)
	if err != nil {
		return err
	}
	if info.State.Msgs == 0 {
		s.known = true
		return nil
	}
	m, err := s.stream.GetMsg(ctx, info.State.LastSeq)
	if err != nil {
		return err
	}
	s.put = number(m.Header, spoolTotal)
	return nil
}

// Put implements export.Queue.
func (s *Spool) Put(ctx context.Context, body []byte, points int) error {
	if len(body) > export.MaxBody {
		return fmt.Errorf("a batch of %d bytes is more than %d", len(body), export.MaxBody)
	}
	s.mu.Lock()
	total := s.put + uint64(points)
	s.mu.Unlock()
	m := &nats.Msg{Subject: s.subject, Data: body, Header: nats.Header{}}
	m.Header.Set(spoolPoints, strconv.Itoa(points))
	m.Header.Set(spoolTotal, strconv.FormatUint(total, 10))
	if _, err := s.js.PublishMsg(ctx, m); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.mu.Lock()
	s.put = total
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// First implements export.Queue.
func (s *Spool) First(ctx context.Context) (export.Batch, error) {
	for {
		m, err := s.stream.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(s.subject))
		if err == nil {
			return s.batch(m), nil
		}
		if !errors.Is(err, jetstream.ErrMsgNotFound) {
			return export.Batch{}, fmt.Errorf("spool: %w", err)
		}
		select {
		case <-ctx.Done():
			return export.Batch{}, ctx.Err()
		case <-s.wake:
		}
	}
}

func (s *Spool) batch(m *jetstream.RawStreamMsg) export.Batch {
	b := export.Batch{Seq: m.Sequence, Body: m.Data, Points: int(number(m.Header, spoolPoints))}
	total := number(m.Header, spoolTotal)
	before := total - min(total, uint64(b.Points))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known && before > s.taken {
		b.Lost = int(before - s.taken)
	}
	s.taken, s.known = before, true
	s.given.seq, s.given.total = b.Seq, total
	return b
}

// Done implements export.Queue.
func (s *Spool) Done(ctx context.Context, seq uint64) error {
	s.mu.Lock()
	if seq == s.given.seq {
		s.taken = s.given.total // also where the queue has dropped it meanwhile
	}
	s.mu.Unlock()
	if err := s.stream.Purge(ctx, jetstream.WithPurgeSequence(seq+1)); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// Size implements export.Queue.
func (s *Spool) Size(ctx context.Context) (export.Size, error) {
	info, err := s.stream.Info(ctx)
	if err != nil {
		return export.Size{}, fmt.Errorf("spool: %w", err)
	}
	size := export.Size{Batches: int(info.State.Msgs), Bytes: int64(info.State.Bytes)}
	if size.Batches > 0 {
		size.Oldest = info.State.FirstTime.UTC().Truncate(time.Millisecond)
	}
	return size, nil
}

func number(h nats.Header, key string) uint64 {
	n, err := strconv.ParseUint(h.Get(key), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

var _ export.Queue = (*Spool)(nil)
