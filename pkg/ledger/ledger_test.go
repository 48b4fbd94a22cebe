package ledger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sparewatch/sparewatch/pkg/ledger"
)

var at = time.Date(2026, 11, 22, 3, 15, 2, 123456789, time.FixedZone("CET", 3600))

// memory is a log that keeps its promise without a disk. fail, where set, is asked before each batch.
type memory struct {
	entries []ledger.Entry
	batches []int
	fail    func(batch int) (lost bool, err error) // lost: the batch is written all the same
}

func (m *memory) Append(_ context.Context, expect uint64, batch []ledger.Entry) error {
	if uint64(len(m.entries)) != expect {
		return ledger.ErrMoved
	}
	written, err := true, error(nil)
	if m.fail != nil {
		written, err = m.fail(len(m.batches))
		written = written || err == nil
	}
	if written {
		m.entries = append(m.entries, batch...)
		m.batches = append(m.batches, len(batch))
	}
	return err
}

func (m *memory) Read(_ context.Context, from uint64, f func(ledger.Entry) error) error {
	for _, e := range m.entries[min(int(max(from, 1))-1, len(m.entries)):] {
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

func export(t testing.TB, entries []ledger.Entry) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, e := range entries {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(line, '\n'))
	}
	return out.Bytes()
}

func open(t testing.TB, log ledger.Log) *ledger.Writer {
	t.Helper()
	w, err := ledger.Open(t.Context(), log, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// awkward are bodies whose spelling could change between writing and reading.
var awkward = []any{
	nil, "a <b> & \u2028 \"q\" \\ \x7f é 漢", 1e300, 0.1, map[string]any{"b": []int{}, "a": nil}, struct{}{}, "\xff",
	json.RawMessage(" { \"x\" : [ 1 , 2.50 ] } "), time.Unix(0, 1).UTC(),
}

func records(bodies ...any) []ledger.Record {
	var out []ledger.Record
	for _, b := range bodies {
		out = append(out, ledger.Record{Kind: ledger.Action, Body: b})
	}
	return out
}

func TestTheHashIsTheSameAfterDecoding(t *testing.T) {
	log := &memory{}
	entries, err := open(t, log).Append(t.Context(), at, records(awkward...)...)
	if err != nil {
		t.Fatal(err)
	}
	head, err := ledger.Verify(bytes.NewReader(export(t, entries)))
	if err != nil {
		t.Fatal(err)
	}
	if last := entries[len(entries)-1]; head != (ledger.Head{Seq: last.Seq, Hash: last.Hash}) {
		t.Errorf("Verify ends at %v, the ledger at %d %s", head, last.Seq, last.Hash)
	}
}

// The hash is a promise to whoever kept one: this test may not be changed to pass.
func TestTheHashOfAKnownEntry(t *testing.T) {
	e := ledger.Entry{Seq: 1, At: at, Kind: ledger.Start, Body: json.RawMessage(`{"version":"1"}`)}
	const want = "0c258da8b8b55a2ff01c561970b9cc72abfd481459213097f1b136f96769a04e"
	if got := e.Sum(); got != want {
		t.Errorf("Sum is %s, want %s", got, want)
	}
}

func TestAnyChangedByteIsFound(t *testing.T) {
	log := &memory{}
	entries, err := open(t, log).Append(t.Context(), at, records(nil, "a<b", map[string]int{"n": 1})...)
	if err != nil {
		t.Fatal(err)
	}
	sound := export(t, entries)
	line := uint64(1)
	for i := range sound {
		for bit := range 8 {
			changed := bytes.Clone(sound)
			changed[i] ^= 1 << bit
			_, err := ledger.Verify(bytes.NewReader(changed))
			broken, ok := errors.AsType[*ledger.BrokenError](err)
			if !ok {
				t.Fatalf("byte %d as %q instead of %q: %v", i, changed[i], sound[i], err)
			}
			if broken.Seq != line {
				t.Fatalf("byte %d of entry %d: Verify names entry %d", i, line, broken.Seq)
			}
		}
		if sound[i] == '\n' {
			line++
		}
	}
}

func TestEntriesThatAreMovedMissingOrForeignAreFound(t *testing.T) {
	log, other := &memory{}, &memory{}
	for i, l := range []*memory{log, other} {
		if _, err := open(t, l).Append(t.Context(), at.Add(time.Duration(i)), records(0, 1, 2, 3)...); err != nil {
			t.Fatal(err)
		}
	}
	e, o := log.entries, other.entries
	for _, c := range []struct {
		name    string
		entries []ledger.Entry
		want    uint64
	}{
		{"first missing", e[1:], 1},
		{"one missing", []ledger.Entry{e[0], e[2], e[3]}, 2},
		{"two exchanged", []ledger.Entry{e[0], e[2], e[1], e[3]}, 2},
		{"one twice", []ledger.Entry{e[0], e[0], e[1]}, 2},
		{"one of another ledger", []ledger.Entry{e[0], o[1], e[2]}, 2},
		{"the rest of another ledger", []ledger.Entry{e[0], e[1], o[2], o[3]}, 3},
	} {
		_, err := ledger.Verify(bytes.NewReader(export(t, c.entries)))
		if broken, ok := errors.AsType[*ledger.BrokenError](err); !ok || broken.Seq != c.want {
			t.Errorf("%s: %v, want entry %d", c.name, err, c.want)
		}
	}
}

func TestVerifySaysWhatIsWrong(t *testing.T) {
	sound := func() []byte {
		log := &memory{}
		if _, err := open(t, log).Append(t.Context(), at, records("x", "y")...); err != nil {
			t.Fatal(err)
		}
		return export(t, log.entries)
	}()
	for _, c := range []struct {
		name, text, want string
	}{
		{"nothing", "", ""},
		{"no JSON", "x\n", "ledger entry 1: it is no entry"},
		{"an empty line", string(sound) + "\n", "ledger entry 3: it is no entry"},
		{"half a line", string(sound[:len(sound)-5]), "ledger entry 2: it ends in the middle"},
		{"no last line end", string(sound[:len(sound)-1]), "ledger entry 2: it ends in the middle"},
		{"another body", strings.Replace(string(sound), `"y"`, `"z"`, 1), "ledger entry 2: its hash does not cover what it holds"},
		{"a space", strings.Replace(string(sound), `"seq":2`, `"seq": 2`, 1), "ledger entry 2: it is not spelled as it was written"},
		{"a line without end", strings.Repeat("x", 20<<20), "ledger entry 1: it is longer than"},
	} {
		_, err := ledger.Verify(strings.NewReader(c.text))
		if got := fmt.Sprint(err); c.want == "" && err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	log := &memory{}
	if _, err := open(f, log).Append(f.Context(), at, records("x", "y")...); err != nil {
		f.Fatal(err)
	}
	f.Add(export(f, log.entries))
	f.Fuzz(func(t *testing.T, text []byte) {
		head, err := ledger.Verify(bytes.NewReader(text))
		if lines := uint64(bytes.Count(text, []byte("\n"))); err == nil && head.Seq != lines {
			t.Errorf("%d lines verify as %d entries", lines, head.Seq)
		}
	})
}

func TestBatchesAreSplitOnlyBetweenRecordsThatAreNotTied(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rs []ledger.Record
		for _, run := range rapid.SliceOfN(rapid.IntRange(1, ledger.MaxBatch), 0, 8).Draw(t, "runs") {
			for i := range run {
				rs = append(rs, ledger.Record{Kind: ledger.Action, Body: i, Tied: i > 0})
			}
		}
		log := &memory{}
		w, err := ledger.Open(context.Background(), log, nil)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := w.Append(context.Background(), at, rs...)
		if err != nil || len(entries) != len(rs) || len(log.entries) != len(rs) {
			t.Fatalf("%d records: %d entries, %v", len(rs), len(entries), err)
		}
		n := 0
		for _, size := range log.batches {
			if size > ledger.MaxBatch {
				t.Fatalf("a batch of %d", size)
			}
			if rs[n].Tied {
				t.Fatalf("a batch begins at record %d, which is tied to the one before", n)
			}
			n += size
		}
	})
}

func TestTooManyTiedRecordsAreRefused(t *testing.T) {
	rs := records(make([]any, ledger.MaxBatch+1)...)
	for i := range rs {
		rs[i].Tied = i > 0
	}
	log := &memory{}
	if _, err := open(t, log).Append(t.Context(), at, rs...); err == nil || len(log.entries) > 0 {
		t.Errorf("%v, and %d entries are written", err, len(log.entries))
	}
}

func TestABodyThatIsNoJSONWritesNothing(t *testing.T) {
	log := &memory{}
	w := open(t, log)
	if _, err := w.Append(t.Context(), at, records(1, func() {})...); err == nil || len(log.entries) > 0 {
		t.Errorf("%v, and %d entries are written", err, len(log.entries))
	}
	if _, err := w.Append(t.Context(), at, records(1)...); err != nil {
		t.Errorf("the writer does not recover: %v", err)
	}
}

func TestAWriterThatLostAnAcknowledgementReadsAgain(t *testing.T) {
	gone := errors.New("timeout")
	for _, lost := range []bool{true, false} {
		log := &memory{}
		w := open(t, log)
		if _, err := w.Append(t.Context(), at, records(1, 2)...); err != nil {
			t.Fatal(err)
		}
		log.fail = func(int) (bool, error) { return lost, gone }
		if _, err := w.Append(t.Context(), at, records(3, 4)...); !errors.Is(err, gone) {
			t.Fatalf("Append: %v", err)
		}
		log.fail = nil
		if _, err := w.Append(t.Context(), at, records(5)...); !errors.Is(err, gone) {
			t.Fatalf("Append of a writer that does not know what is there: %v", err)
		}
		var seen []uint64
		if err := w.Resume(t.Context(), func(e ledger.Entry) error { seen = append(seen, e.Seq); return nil }); err != nil {
			t.Fatal(err)
		}
		want := "[]"
		if lost {
			want = "[3 4]"
		}
		if fmt.Sprint(seen) != want {
			t.Errorf("acknowledgement lost %t: Resume shows %v, want %s", lost, seen, want)
		}
		if _, err := w.Append(t.Context(), at, records(5)...); err != nil {
			t.Error(err)
		}
		open(t, log) // verifies
	}
}

func TestOfASplitBatchWhatWasWrittenIsReturnedWithTheError(t *testing.T) {
	log := &memory{fail: func(batch int) (bool, error) {
		if batch == 1 {
			return false, errors.New("disk full")
		}
		return false, nil
	}}
	entries, err := open(t, log).Append(t.Context(), at, records(make([]any, ledger.MaxBatch+7)...)...)
	if err == nil || len(entries) != ledger.MaxBatch || len(log.entries) != ledger.MaxBatch {
		t.Errorf("%d entries returned, %d written, %v", len(entries), len(log.entries), err)
	}
}

func TestOpenRefusesABrokenLedger(t *testing.T) {
	log := &memory{}
	if _, err := open(t, log).Append(t.Context(), at, records(1, 2, 3)...); err != nil {
		t.Fatal(err)
	}
	log.entries[1].Body = json.RawMessage("7")
	_, err := ledger.Open(t.Context(), log, nil)
	if broken, ok := errors.AsType[*ledger.BrokenError](err); !ok || broken.Seq != 2 {
		t.Errorf("Open: %v, want entry 2", err)
	}
}

func TestWritersOfOneProcessTakeTurns(t *testing.T) {
	log := &memory{}
	w := open(t, log)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for n := range 50 {
				if _, err := w.Append(t.Context(), at, records(n, n)...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if head, err := ledger.Verify(bytes.NewReader(export(t, log.entries))); err != nil || head.Seq != 800 {
		t.Errorf("%d entries, %v", head.Seq, err)
	}
}

func TestWaitingForATurnEndsWithTheContext(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	log := &memory{fail: func(int) (bool, error) { close(inside); <-leave; return false, nil }}
	w := open(t, log)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := w.Append(t.Context(), at, records(1)...); err != nil {
			t.Error(err)
		}
	})
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Append(ctx, at, records(2)...); !errors.Is(err, context.Canceled) {
		t.Errorf("Append: %v", err)
	}
	close(leave)
	wg.Wait()
}

func BenchmarkVerify(b *testing.B) {
	log := &memory{}
	if _, err := open(b, log).Append(b.Context(), at, records(make([]any, 1000)...)...); err != nil {
		b.Fatal(err)
	}
	text := export(b, log.entries)
	for b.Loop() {
		if _, err := ledger.Verify(bytes.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(1000*b.N)/b.Elapsed().Seconds(), "entries/s")
}

// A start that goes on from a head reads what comes after; what stands before is verified later, and picked by sequence.
func TestGoingOnFromAHead(t *testing.T) {
	log := &memory{}
	w, err := ledger.Open(t.Context(), log, nil)
	if err != nil {
		t.Fatal(err)
	}
	var heads []ledger.Head
	for i := range 200 {
		if _, err := w.Append(t.Context(), at, ledger.Record{Kind: ledger.Action, Body: i}); err != nil {
			t.Fatal(err)
		}
		h, _ := w.Head(t.Context())
		heads = append(heads, h)
	}
	var got []uint64
	note := func(e ledger.Entry) error { got = append(got, e.Seq); return nil }
	if _, err := ledger.OpenAt(t.Context(), log, heads[196], note); err != nil || fmt.Sprint(got) != "[198 199 200]" {
		t.Errorf("from the head of 197: %v, %v", got, err)
	}
	got = nil
	if err := ledger.Pick(t.Context(), log, []uint64{1, 2, 40, 150, 200}, note); err != nil || fmt.Sprint(got) != "[1 2 40 150 200]" {
		t.Errorf("picked: %v, %v", got, err)
	}
	rest := func(ledger.Entry) error { return nil }
	if err := ledger.Check(t.Context(), log, heads[196], rest); err != nil {
		t.Errorf("the check says %v", err)
	}

	whole := slices.Clone(log.entries)
	for _, c := range []struct {
		name   string
		change func()
		broken map[string]uint64 // by function: the entry that it names; 0: it finds nothing wrong
	}{
		{"an entry is changed", func() { log.entries[39].Body = []byte("7") }, map[string]uint64{"check": 40, "pick": 40, "open": 0}},
		{"an entry is changed and hashed anew", func() { log.entries[39].Body = []byte("7"); log.entries[39].Hash = log.entries[39].Sum() }, map[string]uint64{"check": 41, "pick": 0, "open": 0}},
		{"the head is changed", func() { log.entries[196].Body = []byte("7"); log.entries[196].Hash = log.entries[196].Sum() }, map[string]uint64{"check": 197, "pick": 0, "open": 197}},
		{"the rest is cut off", func() { log.entries = log.entries[:150] }, map[string]uint64{"check": 151, "pick": 200, "open": 197}},
		{"the tail is changed", func() { log.entries[198].Body = []byte("7") }, map[string]uint64{"check": 0, "pick": 0, "open": 199}},
	} {
		log.entries = slices.Clone(whole)
		c.change()
		_, open := ledger.OpenAt(t.Context(), log, heads[196], nil)
		for what, err := range map[string]error{
			"open": open, "check": ledger.Check(t.Context(), log, heads[196], rest),
			"pick": ledger.Pick(t.Context(), log, []uint64{1, 2, 40, 150, 200}, func(ledger.Entry) error { return nil }),
		} {
			var broken *ledger.BrokenError
			if errors.As(err, &broken); (err == nil) != (c.broken[what] == 0) || broken != nil && broken.Seq != c.broken[what] {
				t.Errorf("%s: %s says %v, want entry %d", c.name, what, err, c.broken[what])
			}
		}
	}
}
