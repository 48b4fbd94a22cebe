package export_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sparewatch/sparewatch/pkg/export"
)

// memory is a queue of at most room batches.
type memory struct {
	mu      sync.Mutex
	batches []export.Batch
	seq     uint64
	room    int
	lost    int
	wake    chan struct{}
}

func newMemory(room int) *memory { return &memory{room: room, wake: make(chan struct{}, 1)} }

func (m *memory) Put(_ context.Context, body []byte, points int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seq++
	m.batches = append(m.batches, export.Batch{Seq: m.seq, Body: body, Points: points})
	if len(m.batches) > m.room {
		m.lost += m.batches[0].Points
		m.batches = m.batches[1:]
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return nil
}

func (m *memory) First(ctx context.Context) (export.Batch, error) {
	for {
		m.mu.Lock()
		if len(m.batches) > 0 {
			b := m.batches[0]
			b.Lost, m.lost = m.lost, 0
			m.mu.Unlock()
			return b, nil
		}
		m.mu.Unlock()
		select {
		case <-ctx.Done():
			return export.Batch{}, ctx.Err()
		case <-m.wake:
		}
	}
}

func (m *memory) Done(_ context.Context, seq uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.batches) > 0 && m.batches[0].Seq <= seq {
		m.batches = m.batches[1:]
	}
	return nil
}

func (m *memory) Size(context.Context) (export.Size, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return export.Size{Batches: len(m.batches)}, nil
}

// receiver answers with answers, in turn, and then takes everything.
type receiver struct {
	answers []error
	took    []string
	at      []time.Time
}

func (r *receiver) Write(_ context.Context, body []byte) error {
	r.at = append(r.at, time.Now())
	if len(r.answers) > 0 {
		err := r.answers[0]
		r.answers = r.answers[1:]
		if _, refused := errors.AsType[*export.RefusedError](err); err != nil && !refused {
			return err
		}
		r.took = append(r.took, string(body))
		return err
	}
	r.took = append(r.took, string(body))
	return nil
}

// run lets a pipe run for some simulated time after everything was put.
func run(t *testing.T, r *receiver, q export.Queue, d time.Duration, bodies ...string) export.Status {
	t.Helper()
	p := export.NewPipe(export.Options{Name: "test", Queue: q, Writer: r})
	for _, b := range bodies {
		if err := p.Put(t.Context(), []byte(b), 10); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := p.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run ends with %v", err)
	}
	return p.Status()
}

func TestAPipeKeepsTheOrderOverAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("connection refused")
		r := &receiver{answers: []error{nil, down, down, down}}
		s := run(t, r, newMemory(100), time.Hour, "a", "b", "c")
		if got := strings.Join(r.took, ""); got != "abc" {
			t.Errorf("the receiver took %q, want abc", got)
		}
		if s.Written != 30 || s.Failures != 0 || s.Error != "" || s.Dropped != 0 {
			t.Errorf("status %+v", s)
		}
		for i := 2; i < len(r.at)-1; i++ {
			if pause := r.at[i].Sub(r.at[i-1]); i < 5 && (pause < time.Second<<(i-2)/2 || pause > time.Second<<(i-2)) {
				t.Errorf("pause %d is %s", i, pause)
			}
		}
	})
}

func TestAPipeCountsWhatWasDroppedAndRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answers: []error{&export.RefusedError{Points: 4, Why: "bad timestamp"}}}
		s := run(t, r, newMemory(2), time.Minute, "a", "b", "c", "d")
		if got := strings.Join(r.took, ""); got != "cd" {
			t.Errorf("the receiver took %q, want cd", got)
		}
		if s.Dropped != 20 || s.Refused != 4 || s.Written != 16 || s.LastDrop.IsZero() || s.LastRefused.IsZero() {
			t.Errorf("status %+v", s)
		}
	})
}

// A receiver that refuses a whole batch refuses as many points as that had, and it is logged once, until one is taken whole.
func TestAPipeSaysOnceThatPointsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, some := &export.RefusedError{Points: math.MaxInt, Why: "no such table"}, &export.RefusedError{Points: 1, Why: "too old"}
		r := &receiver{answers: []error{all, some, some, nil, some}}
		var log strings.Builder
		p := export.NewPipe(export.Options{Name: "test", Queue: newMemory(9), Writer: r, Log: slog.New(slog.NewTextHandler(&log, nil))})
		for range 5 {
			if err := p.Put(t.Context(), nil, 10); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_ = p.Run(ctx) // its only end is ctx's
		if s := p.Status(); s.Refused != 13 || s.Written != 37 || s.Refusal != "too old" {
			t.Errorf("status %+v", s)
		}
		if n := strings.Count(log.String(), "refused"); n != 2 {
			t.Errorf("it is logged %d times:\n%s", n, &log)
		}
	})
}

func TestAPipeLeavesABusyReceiverAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answers: []error{&export.BusyError{After: 90 * time.Second, Err: errors.New("429")}, &export.BusyError{After: 24 * time.Hour, Err: errors.New("503")}}}
		run(t, r, newMemory(2), time.Hour, "a")
		if got := r.at[1].Sub(r.at[0]); got != 90*time.Second {
			t.Errorf("it is asked again after %s, want 1m30s", got)
		}
		if got := r.at[2].Sub(r.at[1]); got != 10*time.Minute {
			t.Errorf("a receiver that asks for a day is left alone for %s", got)
		}
	})
}
