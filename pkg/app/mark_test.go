package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/ledger"
	"github.com/sparewatch/sparewatch/pkg/notify"
	"github.com/sparewatch/sparewatch/pkg/notify/outbox"
)

// memory is a ledger's log in memory.
type memory struct{ entries []ledger.Entry }

func (m *memory) Append(_ context.Context, expect uint64, entries []ledger.Entry) error {
	if expect != uint64(len(m.entries)) {
		return ledger.ErrMoved
	}
	m.entries = append(m.entries, entries...)
	return nil
}

func (m *memory) Read(_ context.Context, from uint64, f func(ledger.Entry) error) error {
	for _, e := range m.entries[min(from-1, uint64(len(m.entries))):] {
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

// known is what a start makes of a ledger.
type known struct {
	fold *incident.Fold
	box  *outbox.Outbox
	open map[finding.Key]finding.Finding
	read int
}

func newKnown(log ledger.Log, closed int) *known {
	return &known{
		fold: incident.NewFold(incident.Options{Hold: time.Minute, Closed: closed, NewID: func(_ time.Time, n int) incident.ID { return incident.ID(fmt.Sprint(n)) }}),
		box:  outbox.New(outbox.Options{Site: "lab", Ledger: log, Receivers: []outbox.Receiver{{Name: "duty"}, {Name: "hook"}}}),
		open: map[finding.Key]finding.Finding{},
	}
}

func (k *known) take(e ledger.Entry) error {
	k.read++
	return errors.Join(remember(k.open, e), k.fold.Replay(e), k.box.Apply(e))
}

// TestAMarkIsAsGoodAsTheWholeLedger: whatever happened, and wherever a run ended, what a mark names and what came after
// it tells a start the same as all entries.
func TestAMarkIsAsGoodAsTheWholeLedger(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 7))
		log := &memory{}
		m := newMarker(log, nil, slog.New(slog.DiscardHandler))
		w, err := ledger.Open(t.Context(), m, nil)
		if err != nil {
			t.Fatal(err)
		}
		live := newKnown(log, 0)
		now := began
		var marks [][]byte
		pending := map[string][]notify.Outcome{}
		for range 150 {
			now = now.Add(time.Duration(rng.IntN(40)) * time.Second)
			next, step := live.fold.Step(now, randomFindings(rng), func(finding.Key) bool { return rng.IntN(10) == 0 })
			entries, err := w.Append(t.Context(), now, step.Records(live.box.Intent)...)
			if err != nil {
				t.Fatal(err)
			}
			live.fold = next
			for _, e := range entries {
				if e.Kind == ledger.Intent {
					var i notify.Intent
					if err := json.Unmarshal(e.Body, &i); err != nil {
						t.Fatal(err)
					}
					for _, r := range i.Receivers {
						pending[r] = append(pending[r], notify.Outcome{Intent: e.Seq, Incident: i.Notification.Incident, Receiver: r, Result: notify.Delivered})
					}
				}
			}
			for _, r := range []string{"duty", "hook"} { // one answers seldom
				if len(pending[r]) > 0 && (r == "duty" || rng.IntN(4) == 0) {
					n := 1 + rng.IntN(len(pending[r]))
					for _, o := range pending[r][:n] {
						if _, err := w.Append(t.Context(), now, ledger.Record{Kind: ledger.Outcome, Body: o}); err != nil {
							t.Fatal(err)
						}
					}
					pending[r] = pending[r][n:]
				}
			}
			if rng.IntN(10) == 0 {
				b, err := json.Marshal(m.mark())
				if err != nil {
					t.Fatal(err)
				}
				marks = append(marks, b)
			}
		}
		all := newKnown(log, 0)
		if err := log.Read(t.Context(), 1, all.take); err != nil {
			t.Fatal(err)
		}
		for _, b := range marks {
			var k mark
			if err := json.Unmarshal(b, &k); err != nil {
				t.Fatal(err)
			}
			again := newMarker(log, nil, slog.New(slog.DiscardHandler))
			some := newKnown(log, k.Closed)
			err := again.resume(t.Context(), k, some.take)
			if err == nil {
				_, err = ledger.OpenAt(t.Context(), again, k.Head, func(e ledger.Entry) error { return errors.Join(again.take(e), some.take(e)) })
			}
			if err != nil {
				t.Fatal(err)
			}
			compare(t, some, all, now)
			if !reflect.DeepEqual(again.mark(), m.mark()) {
				t.Errorf("seed %d: the mark after going on from entry %d is %+v, want %+v", seed, k.Head.Seq, again.mark(), m.mark())
			}
			if t.Failed() {
				t.Fatalf("seed %d, from entry %d of %d", seed, k.Head.Seq, len(log.entries))
			}
		}
	}
}

var began = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

// randomFindings are some of a few, with severities and causes that change.
func randomFindings(rng *rand.Rand) []finding.Finding {
	var list []finding.Finding
	for i := range 6 {
		if rng.IntN(3) == 0 {
			continue
		}
		id := component.ID(fmt.Sprintf("srv-%d/group/psu", i))
		f := finding.Finding{Key: finding.KeyOf(finding.RedundancyLost, id), Rule: finding.RedundancyLost, Subject: id, Severity: finding.Severity(1 + rng.IntN(3)), Since: began, Pages: true}
		if i > 0 && rng.IntN(3) == 0 {
			f.Under, f.Pages = finding.KeyOf(finding.RedundancyLost, "srv-0/group/psu"), false
		}
		list = append(list, f)
	}
	return list
}

func compare(t *testing.T, some, all *known, now time.Time) {
	t.Helper()
	if a, b := some.fold.Open(), all.fold.Open(); !reflect.DeepEqual(a, b) {
		t.Errorf("open are %+v, want %+v", a, b)
	}
	if !reflect.DeepEqual(some.open, all.open) {
		t.Errorf("the open findings are %v, want %v", some.open, all.open)
	}
	if a, b := some.box.Status(), all.box.Status(); !reflect.DeepEqual(a, b) {
		t.Errorf("there is to be sent: %+v, want %+v", a, b)
	}
	var findings []finding.Finding
	for _, f := range all.open {
		findings = append(findings, f)
	}
	slices.SortFunc(findings, func(a, b finding.Finding) int { return len(a.Key) - len(b.Key) })
	_, a := some.fold.Step(now, findings, nil)
	_, b := all.fold.Step(now, findings, nil)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("the next step is %+v, want %+v", a, b)
	}
}

// TestTheOldEntriesAreChecked: what a start passed over is verified while the daemon runs, and what was changed is said.
func TestTheOldEntriesAreChecked(t *testing.T) {
	for _, changed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			log := &memory{}
			m := newMarker(log, nil, slog.New(slog.DiscardHandler))
			w, err := ledger.Open(t.Context(), m, nil)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 * checkPiece {
				if _, err := w.Append(t.Context(), began, ledger.Record{Kind: ledger.Action, Body: "x"}); err != nil {
					t.Fatal(err)
				}
			}
			if changed {
				log.entries[400].Body = json.RawMessage(`"y"`)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- m.check(ctx, m.mark().Head) }()
			time.Sleep(time.Hour)
			var broken *ledger.BrokenError
			if err := m.damage(); (err != nil) != changed || changed && (!errors.As(err, &broken) || broken.Seq != 401) {
				t.Errorf("changed: %t; the check says %v", changed, err)
			}
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}
