package app

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bus"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/ledger"
	"github.com/sparewatch/sparewatch/pkg/notify"
)

// mark says which entries of the ledger a start has to read to know what is open: those that are named, and all after
// the head. An old one costs a longer start; without one the whole ledger is read.
type mark struct {
	Head   ledger.Head `json:"head"`
	Closed int         `json:"closed"` // incidents that are over
	Needed []uint64    `json:"needed"` // sequences, rising
}

const markKey = "start"

// marker is the ledger's log, and follows what is appended to it, so that a mark can be made at any time. It may be used
// from any goroutine.
type marker struct {
	ledger.Log
	to  *bus.Bucket
	log *slog.Logger

	mu       sync.Mutex
	head     ledger.Head
	written  uint64 // where the last mark that was written stands
	closed   int
	findings map[finding.Key]uint64      // what stands, by its last entry
	open     map[incident.ID][]uint64    // incidents that are open, with their entries
	members  map[finding.Key]incident.ID // which of them a finding is of
	unsent   map[incident.ID]*unsent     // incidents of which something has still to be told
	checked  atomic.Pointer[brokenChain] // what the check of the older entries found; nil: nothing
}

type brokenChain struct{ err error }

// unsent is what of an incident has still to be told, by the entries that say so.
type unsent struct {
	entries []uint64
	last    map[string]uint64 // by receiver: the last intent that it has not answered
}

func newMarker(l ledger.Log, to *bus.Bucket, log *slog.Logger) *marker {
	m := &marker{Log: l, to: to, log: log}
	m.forget()
	return m
}

// forget begins anew, before the first entry.
func (m *marker) forget() {
	m.head, m.closed = ledger.Head{}, 0
	m.findings, m.open, m.unsent = map[finding.Key]uint64{}, map[incident.ID][]uint64{}, map[incident.ID]*unsent{}
	m.members = map[finding.Key]incident.ID{}
}

// Append implements ledger.Log.
func (m *marker) Append(ctx context.Context, expect uint64, entries []ledger.Entry) error {
	if err := m.Log.Append(ctx, expect, entries); err != nil {
		return err
	}
	for _, e := range entries {
		if err := m.take(e); err != nil {
			return err
		}
	}
	return nil
}

// take takes in one entry; those that it has it passes over.
func (m *marker) take(e ledger.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.Seq <= m.head.Seq {
		return nil
	}
	m.head = ledger.Head{Seq: e.Seq, Hash: e.Hash}
	return m.note(e)
}

// note keeps an entry where it is needed, and drops those that are not any more.
func (m *marker) note(e ledger.Entry) error {
	switch e.Kind {
	case ledger.Transition:
		var t incident.Transition
		if err := json.Unmarshal(e.Body, &t); err != nil {
			return err
		}
		m.find(e.Seq, t)
	case ledger.Incident:
		var c incident.Change
		if err := json.Unmarshal(e.Body, &c); err != nil {
			return err
		}
		m.change(e.Seq, c)
	case ledger.Intent:
		var i notify.Intent
		if err := json.Unmarshal(e.Body, &i); err != nil {
			return err
		}
		m.intend(e.Seq, i)
	case ledger.Outcome:
		var o notify.Outcome
		if err := json.Unmarshal(e.Body, &o); err != nil {
			return err
		}
		m.settle(e.Seq, o)
	}
	return nil
}

// find keeps the last word on a finding that stands, and on one that is gone as long as its incident waits for it.
func (m *marker) find(seq uint64, t incident.Transition) {
	if t.Finding != nil {
		m.findings[t.Key] = seq
		return
	}
	last, stood := m.findings[t.Key]
	if id, is := m.members[t.Key]; is && stood {
		m.open[id] = append(m.open[id], last, seq)
	}
	delete(m.findings, t.Key)
}

func (m *marker) change(seq uint64, c incident.Change) {
	if c.Resolved.IsZero() {
		m.open[c.ID] = append(m.open[c.ID], seq)
	} else {
		delete(m.open, c.ID)
		m.closed++
	}
	for _, k := range c.Added {
		m.members[k] = c.ID
	}
	for _, k := range c.Removed {
		if m.members[k] == c.ID {
			delete(m.members, k)
		}
	}
	if !c.Resolved.IsZero() {
		maps.DeleteFunc(m.members, func(_ finding.Key, id incident.ID) bool { return id == c.ID })
	}
}

func (m *marker) intend(seq uint64, i notify.Intent) {
	if len(i.Receivers) == 0 {
		return
	}
	u := m.unsent[i.Notification.Incident]
	if u == nil {
		u = &unsent{last: map[string]uint64{}}
		m.unsent[i.Notification.Incident] = u
	}
	u.entries = append(u.entries, seq)
	for _, r := range i.Receivers {
		u.last[r] = seq
	}
}

func (m *marker) settle(seq uint64, o notify.Outcome) {
	u := m.unsent[o.Incident]
	if u == nil {
		return
	}
	if u.last[o.Receiver] <= o.Intent {
		delete(u.last, o.Receiver)
	}
	if u.entries = append(u.entries, seq); len(u.last) == 0 {
		delete(m.unsent, o.Incident)
	}
}

// mark is what a start would need now.
func (m *marker) mark() mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := mark{Head: m.head, Closed: m.closed, Needed: []uint64{}}
	for _, seq := range m.findings {
		k.Needed = append(k.Needed, seq)
	}
	for _, seqs := range m.open {
		k.Needed = append(k.Needed, seqs...)
	}
	for _, u := range m.unsent {
		k.Needed = append(k.Needed, u.entries...)
	}
	slices.Sort(k.Needed)
	k.Needed = slices.Compact(k.Needed)
	return k
}

// load reads the mark that was written last; false where there is none that can be used.
func (m *marker) load(ctx context.Context) (k mark, ok bool) {
	b, err := m.to.Get(ctx, markKey)
	if err == nil {
		err = json.Unmarshal(b, &k)
	}
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		m.log.Warn("where the start left off is unreadable; the whole ledger is read", "error", err)
	}
	return k, err == nil && k.Head.Seq > 0
}

// resume goes on from a mark, and calls f for the entries that it names.
func (m *marker) resume(ctx context.Context, k mark, f func(ledger.Entry) error) error {
	m.mu.Lock()
	m.forget()
	m.head, m.written, m.closed = k.Head, k.Head.Seq, k.Closed
	m.mu.Unlock()
	return ledger.Pick(ctx, m.Log, k.Needed, func(e ledger.Entry) error {
		m.mu.Lock()
		err := m.note(e)
		m.mu.Unlock()
		return errors.Join(err, f(e))
	})
}

// Marks are written so often, and not before so many entries; a start reads a thousand in some fifty milliseconds.
const (
	markEvery = 10 * time.Second
	markAfter = 1000
	markAtEnd = 50
)

// run writes marks until ctx is done.
func (m *marker) run(ctx context.Context) error {
	every := time.NewTicker(markEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepFlush)
			defer cancel()
			m.write(flush, markAtEnd)
			return ctx.Err()
		case <-every.C:
			m.write(ctx, markAfter)
		}
	}
}

// write writes a mark where so many entries came since the last. One that cannot be written costs a longer start.
func (m *marker) write(ctx context.Context, after uint64) {
	k := m.mark()
	if k.Head.Seq < m.written+after {
		return
	}
	m.written = k.Head.Seq
	if err := put(ctx, m.to, markKey, k); err != nil && ctx.Err() == nil {
		m.log.Warn("where a start may leave off is not written down; it will read more of the ledger", "error", err)
	}
}

// Checking what a start has passed over takes a tenth of a processor.
const (
	checkPiece = 200 // entries
	checkRest  = 9   // times as long as a piece took
)

// check verifies the entries before a mark, at leisure.
func (m *marker) check(ctx context.Context, head ledger.Head) error {
	began := time.Now()
	n := 0
	err := ledger.Check(ctx, m.Log, head, func(ledger.Entry) error {
		if n++; n%checkPiece > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(checkRest * time.Since(began)):
		}
		began = time.Now()
		return nil
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		m.checked.Store(&brokenChain{err})
		m.log.Error("the ledger is not what was written: keep the state folder as evidence, and restore it from the backup", "error", err)
	default:
		m.log.Info("the ledger is one unbroken chain", "entries", head.Seq, "head", head.Hash)
	}
	<-ctx.Done() // a task ends with the daemon
	return ctx.Err()
}

// damage is what the check has found; nil: nothing so far.
func (m *marker) damage() error {
	if b := m.checked.Load(); b != nil {
		return b.err
	}
	return nil
}
