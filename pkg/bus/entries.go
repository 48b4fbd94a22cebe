package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sparewatch/sparewatch/pkg/ledger"
)

// entries is the ledger's log: a stream whose message of sequence n is the entry n. Nothing in it can be deleted or
// purged through JetStream.
type entries struct {
	conn    *nats.Conn
	js      jetstream.JetStream
	stream  jetstream.Stream
	subject string
	note    func(ledger.Head) // told of each new end; nil: nobody
}

// Headers of an atomic batch (ADR-50 of NATS).
const (
	batchID     = "Nats-Batch-Id"
	batchSeq    = "Nats-Batch-Sequence"
	batchCommit = "Nats-Batch-Commit"
)

func openLedger(ctx context.Context, conn *nats.Conn, js jetstream.JetStream, name string, replicas int) (*entries, error) {
	l := &entries{conn: conn, js: js, subject: name + ".ledger"}
	stream := name + "_ledger"
	var err error
	l.stream, err = js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		l.stream, err = js.CreateStream(ctx, jetstream.StreamConfig{
			Name: stream, Description: "The hash-chained record of transitions, notifications and actions.", Subjects: []string{l.subject},
			Storage: jetstream.FileStorage, Replicas: replicas, AllowAtomicPublish: true, DenyDelete: true, DenyPurge: true, AllowDirect: true,
			Duplicates: time.Second, // entries are numbered; a server that starts would look for ids in the last two minutes
		})
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", stream, err)
	}
	if !l.stream.CachedInfo().Config.AllowAtomicPublish {
		return nil, fmt.Errorf("stream %s: it takes no atomic batches: the server is %s and must be 2.12 or newer, and the stream must have allow_atomic", stream, conn.ConnectedServerVersion())
	}
	return l, nil
}

// Append implements ledger.Log. Once it has begun it does not heed ctx: a batch that was given up on could still be
// committed.
func (l *entries) Append(ctx context.Context, expect uint64, batch []ledger.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	for i, e := range batch {
		data, err := json.Marshal(e)
		if err != nil {
			return err
		}
		m := &nats.Msg{Subject: l.subject, Data: data, Header: nats.Header{}}
		if i == 0 {
			m.Header.Set(jetstream.ExpectedLastSeqHeader, strconv.FormatUint(expect, 10))
		}
		if len(batch) > 1 {
			m.Header.Set(batchID, batch[0].Hash) // 64 characters, as many as an id may have
			m.Header.Set(batchSeq, strconv.Itoa(i+1))
		}
		if i < len(batch)-1 {
			if err := l.conn.PublishMsg(m); err != nil {
				return err
			}
			continue
		}
		if len(batch) > 1 {
			m.Header.Set(batchCommit, "1")
		}
		if err := l.commit(ctx, m, e.Seq); err != nil {
			return err
		}
		if l.note != nil {
			l.note(ledger.Head{Seq: e.Seq, Hash: e.Hash})
		}
	}
	return nil
}

// commit sends the batch's last message and waits until the server has the batch on disk.
func (l *entries) commit(ctx context.Context, m *nats.Msg, seq uint64) error {
	r, err := l.conn.RequestMsgWithContext(ctx, m)
	if err != nil {
		return err
	}
	var ack struct {
		Error *jetstream.APIError `json:"error"`
		Seq   uint64              `json:"seq"`
	}
	if err := json.Unmarshal(r.Data, &ack); err != nil {
		return fmt.Errorf("the server's acknowledgement: %w", err)
	}
	switch {
	case ack.Error == nil && ack.Seq == seq:
		return nil
	case ack.Error == nil:
		return fmt.Errorf("the server has it as %d, not as %d", ack.Seq, seq)
	case ack.Error.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence, ack.Error.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant:
		return ledger.ErrMoved
	}
	return ack.Error
}

// Read implements ledger.Log.
func (l *entries) Read(ctx context.Context, from uint64, f func(ledger.Entry) error) error {
	info, err := l.stream.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	if err := whole(info.State); err != nil {
		return err
	}
	last := info.State.LastSeq
	if from = max(from, 1); from > last {
		return nil
	}
	// One entry is what is asked for most often, and cheaper without a consumer.
	m, err := l.stream.GetMsg(ctx, from)
	if err != nil {
		return fmt.Errorf("read ledger entry %d: %w", from, err)
	}
	if err := give(m.Sequence, m.Data, f); err != nil || from == last {
		return err
	}
	return l.follow(ctx, from+1, last, f)
}

// whole checks that the stream lacks no entry: nothing is ever taken out of it.
func whole(s jetstream.StreamState) error {
	if s.Msgs == s.LastSeq {
		return nil
	}
	first := s.Msgs + 1 // missing, where all that is there stands at the beginning
	switch {
	case s.FirstSeq > 1:
		first = 1
	case len(s.Deleted) > 0:
		first = s.Deleted[0]
	}
	return &ledger.BrokenError{Seq: first, Why: fmt.Sprintf("it is missing; of %d entries %d are there", s.LastSeq, s.Msgs)}
}

// follow reads the entries from to last with a consumer.
func (l *entries) follow(ctx context.Context, from, last uint64, f func(ledger.Entry) error) error {
	c, err := l.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from})
	if err != nil {
		return fmt.Errorf("read the ledger from entry %d: %w", from, err)
	}
	msgs, err := c.Messages()
	if err != nil {
		return fmt.Errorf("read the ledger from entry %d: %w", from, err)
	}
	defer msgs.Stop()
	stop := context.AfterFunc(ctx, msgs.Stop) // cheaper than a context for every entry
	defer stop()
	for {
		m, err := msgs.Next(jetstream.NextMaxWait(timeout))
		if err != nil {
			return fmt.Errorf("read the ledger from entry %d: %w", from, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("read the ledger from entry %d: %w", from, err)
		}
		if err := give(meta.Sequence.Stream, m.Data(), f); err != nil {
			return err
		}
		if meta.Sequence.Stream == last {
			return nil
		}
		from = meta.Sequence.Stream + 1
	}
}

// give decodes one message and calls f.
func give(seq uint64, data []byte, f func(ledger.Entry) error) error {
	var e ledger.Entry
	if err := json.Unmarshal(data, &e); err != nil {
		return &ledger.BrokenError{Seq: seq, Why: "it is no entry: " + err.Error()}
	}
	if e.Seq != seq {
		return &ledger.BrokenError{Seq: seq, Why: fmt.Sprintf("entry %d stands in its place", e.Seq)}
	}
	return f(e)
}
