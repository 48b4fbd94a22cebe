package app

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bus"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/ledger"
	"github.com/sparewatch/sparewatch/pkg/notify"
	"github.com/sparewatch/sparewatch/pkg/notify/outbox"
)

// writeYear fills a state folder's ledger with about n entries as a site of 500 servers would write them: faults that
// come and go, each told and delivered, and a few that stay open.
func writeYear(t *testing.T, dir string, n int) (open int) {
	t.Helper()
	ctx := t.Context()
	b, err := bus.Open(ctx, bus.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	w, err := ledger.Open(ctx, b.Ledger(), nil)
	if err != nil {
		t.Fatal(err)
	}
	box := outbox.New(outbox.Options{Site: "lab", Ledger: b.Ledger(), Receivers: []outbox.Receiver{{Name: "duty"}}})
	at := time.Date(2025, 11, 22, 0, 0, 0, 0, time.UTC)
	fold := incident.NewFold(incident.Options{NewID: incident.IDs("lab")})
	var standing []finding.Finding
	var records []ledger.Record
	write := func() {
		if _, err := w.Append(ctx, at, records...); err != nil {
			t.Fatal(err)
		}
		records = nil
	}
	seq := uint64(0)
	for i := 0; int(seq) < n; i++ {
		id := component.ID(fmt.Sprintf("srv-%d/group/psu", i%500))
		standing = append(standing, finding.Finding{Key: finding.KeyOf(finding.RedundancyLost, id), Rule: finding.RedundancyLost, Subject: id, Severity: finding.Error, Pages: true, Since: at,
			Summary:  fmt.Sprintf("supplies of srv-%d: no spare left, the next failure is an outage; srv-%d/psu/2 has failed", i%500, i%500),
			Causes:   []finding.Cause{{ID: id, Why: "has failed: says State Enabled, Health Critical"}},
			Evidence: []string{"srv/psu/2: failed (says State Enabled, Health Critical), said 03:15:02 by redfish://10.0.0.1", "any of these alone would be next: ams1/feed/feed-a, pdu-a/inlet/1"},
			Remedy:   "Replace psu 2. It can be swapped while the device runs. Until then pull nothing that the group still lives on."})
		if len(standing) > 5 {
			standing = standing[1:]
		}
		at = at.Add(time.Minute)
		var step incident.Step
		fold, step = fold.Step(at, standing, nil)
		made := step.Records(box.Intent)
		for k, r := range made {
			if body, is := r.Body.(notify.Intent); is {
				made = append(made, ledger.Record{Kind: ledger.Outcome, Body: notify.Outcome{Intent: seq + uint64(k) + 1, Incident: body.Notification.Incident, Receiver: "duty", Result: notify.Delivered, Attempts: 1}})
			}
		}
		seq += uint64(len(made))
		if records = append(records, made...); len(records) > 800 {
			write()
		}
	}
	write()
	if err := b.Close(ctx); err != nil {
		t.Fatal(err)
	}
	return len(fold.Open())
}

// TestStartWithAYearOfRecords: a long ledger costs a start little time and memory. SPAREWATCH_YEAR says how many entries;
// a site of 500 servers writes some five million a year when it has a bad one.
func TestStartWithAYearOfRecords(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("SPAREWATCH_YEAR"))
	if err != nil {
		n = 5_000
	}
	folder := t.TempDir()
	dir := filepath.Join(folder, "state")
	open := writeYear(t, dir, n)
	file := filepath.Join(folder, "sparewatch.yaml")
	text := fmt.Sprintf("site: lab\ndevices: [{name: srv-1, kind: host}]\nweb: {listen: \"127.0.0.1:0\"}\nstate: {dir: %q}\nnotify:\n  - {name: duty, kind: webhook, url: \"http://127.0.0.1:9\"}\n", dir)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		a, err := New(Options{Config: cfg, Log: slog.New(slog.DiscardHandler), Hold: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		t.Logf("start %d: %d entries in %s, %d MB allocated, %d MB held", i+1, n, took.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20, (after.HeapInuse-before.HeapInuse)>>20)
		if err := a.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := len(a.judge.fold.Open()); got != open {
			t.Errorf("start %d: %d incidents are open, want %d", i+1, got, open)
		}
		if i > 0 && (a.judge.marked.Seq < uint64(n) || len(a.judge.ledger.mark().Needed) > 100) {
			t.Errorf("start %d: the ledger is read from entry %d, and %d before it", i+1, a.judge.marked.Seq, len(a.judge.ledger.mark().Needed))
		}
	}
}
