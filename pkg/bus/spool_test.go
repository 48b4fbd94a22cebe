package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/bus"
	"github.com/sparewatch/sparewatch/pkg/export"
)

func spool(t *testing.T, b *bus.Bus, limit int64) *bus.Spool {
	t.Helper()
	s, err := b.Spool(t.Context(), "influx", limit)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *bus.Spool, body string, points int) {
	t.Helper()
	if err := s.Put(t.Context(), []byte(body), points); err != nil {
		t.Fatal(err)
	}
}

func first(t *testing.T, s *bus.Spool) export.Batch {
	t.Helper()
	b, err := s.First(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func done(t *testing.T, s *bus.Spool, b export.Batch) {
	t.Helper()
	if err := s.Done(t.Context(), b.Seq); err != nil {
		t.Fatal(err)
	}
}

func TestASpoolGivesInOrderWhatWasPutOverRestarts(t *testing.T) {
	dir := t.TempDir()
	b, err := bus.Open(t.Context(), bus.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s := spool(t, b, 1<<20)
	for i := range 5 {
		put(t, s, fmt.Sprint("batch ", i), i+1)
	}
	if got := first(t, s); string(got.Body) != "batch 0" || got.Points != 1 || got.Lost != 0 {
		t.Fatalf("first: %+v", got)
	}
	done(t, s, first(t, s))
	closeBus(t, b)

	s = spool(t, open(t, dir), 1<<20)
	if size, err := s.Size(t.Context()); err != nil || size.Batches != 4 || size.Oldest.IsZero() {
		t.Errorf("after a restart: %+v, %v; want 4 batches", size, err)
	}
	for i := 1; i < 5; i++ {
		got := first(t, s)
		if string(got.Body) != fmt.Sprint("batch ", i) || got.Lost != 0 {
			t.Errorf("batch %d: %q, lost %d", i, got.Body, got.Lost)
		}
		done(t, s, got)
	}
	if size, err := s.Size(t.Context()); err != nil || size.Batches != 0 || !size.Oldest.IsZero() {
		t.Errorf("at the end: %+v, %v", size, err)
	}
}

func TestASpoolCountsThePointsThatItDropped(t *testing.T) {
	s := spool(t, open(t, t.TempDir()), 64<<10)
	body := bytes.Repeat([]byte{0}, 10<<10)
	for i := range body {
		body[i] = byte(i * 2654435761 >> 13)
	}
	holding := first
	put(t, s, string(body), 3)
	inFlight := holding(t, s) // being written while the spool runs over
	for range 20 {
		put(t, s, string(body), 3)
	}
	done(t, s, inFlight)
	rest, lost := 0, 0
	for {
		size, err := s.Size(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if size.Bytes > 64<<10 {
			t.Fatalf("the spool holds %d bytes", size.Bytes)
		}
		if size.Batches == 0 {
			break
		}
		b := first(t, s)
		rest, lost = rest+b.Points, lost+b.Lost
		done(t, s, b)
	}
	if rest+lost != 60 || lost == 0 || rest == 0 {
		t.Errorf("%d points came, %d were lost; want 60 in all, and some of both", rest, lost)
	}
}

func TestASpoolWaitsForWhatComes(t *testing.T) {
	s := spool(t, open(t, t.TempDir()), 1<<20)
	got := make(chan export.Batch, 1)
	go func() {
		b, err := s.First(t.Context())
		if err != nil {
			t.Error(err)
		}
		got <- b
	}()
	put(t, s, "x", 1)
	if b := <-got; string(b.Body) != "x" {
		t.Errorf("got %q", b.Body)
	}
	done(t, s, first(t, s))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.First(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("First with a cancelled context: %v", err)
	}
}

func TestASpoolTakesOverAnotherLimit(t *testing.T) {
	b := open(t, t.TempDir())
	put(t, spool(t, b, 1<<20), "x", 1)
	s := spool(t, b, 2<<20)
	if got := first(t, s); string(got.Body) != "x" {
		t.Errorf("got %q", got.Body)
	}
	if err := s.Put(t.Context(), make([]byte, export.MaxBody+1), 1); err == nil {
		t.Error("a batch over the bound is taken")
	}
}
