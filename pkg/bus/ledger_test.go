package bus_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bus"
	"github.com/sparewatch/sparewatch/pkg/ledger"
)

const timeout = 10 * time.Second

var at = time.Date(2026, 11, 22, 3, 15, 2, 123456789, time.UTC)

// item is one record of a batch in these tests.
type item struct {
	Batch int `json:"batch"`
	I     int `json:"i"`
	Of    int `json:"of"`
}

func batch(n, size int) []ledger.Record {
	records := make([]ledger.Record, size)
	for i := range records {
		records[i] = ledger.Record{Kind: ledger.Action, Body: item{Batch: n, I: i, Of: size}}
	}
	return records
}

func openWriter(t testing.TB, log ledger.Log) (*ledger.Writer, []ledger.Entry) {
	t.Helper()
	var all []ledger.Entry
	w, err := ledger.Open(t.Context(), log, func(e ledger.Entry) error {
		all = append(all, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return w, all
}

func TestTheLedgerKeepsItsEntriesOverARestart(t *testing.T) {
	dir := t.TempDir()
	b, err := bus.Open(t.Context(), bus.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	w, _ := openWriter(t, b.Ledger())
	var written []ledger.Entry
	for n, size := range []int{1, 2, 1000, 1, 1001} {
		entries, err := w.Append(t.Context(), at.Add(time.Duration(n)*time.Second), batch(n, size)...)
		if err != nil {
			t.Fatal(err)
		}
		written = append(written, entries...)
	}
	closeBus(t, b)

	_, read := openWriter(t, open(t, dir).Ledger())
	same := func(a, b ledger.Entry) bool { return a.Hash == b.Hash && a.Sum() == b.Hash && a.At.Equal(b.At) }
	if !slices.EqualFunc(written, read, same) {
		t.Errorf("%d entries were written, %d other ones read", len(written), len(read))
	}
}

func TestReadBeginsWhereItIsTold(t *testing.T) {
	b := open(t, t.TempDir())
	w, _ := openWriter(t, b.Ledger())
	if _, err := w.Append(t.Context(), at, batch(0, 10)...); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from uint64
		want string
	}{{0, "1 2 3 4 5 6 7 8 9 10"}, {1, "1 2 3 4 5 6 7 8 9 10"}, {8, "8 9 10"}, {10, "10"}, {11, ""}, {99, ""}} {
		var got []string
		err := b.Ledger().Read(t.Context(), c.from, func(e ledger.Entry) error {
			got = append(got, fmt.Sprint(e.Seq))
			return nil
		})
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("Read from %d: %v, %v; want %s", c.from, got, err, c.want)
		}
	}
	for _, stopAt := range []uint64{1, 4} {
		stop := errors.New("stop")
		var last uint64
		err := b.Ledger().Read(t.Context(), 1, func(e ledger.Entry) error {
			if last = e.Seq; last == stopAt {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) || last != stopAt {
			t.Errorf("Read that is told to stop at %d: %v at %d", stopAt, err, last)
		}
	}
}

func TestAnOldLeaderCannotWrite(t *testing.T) {
	b := open(t, t.TempDir())
	old, _ := openWriter(t, b.Ledger())
	leader, _ := openWriter(t, b.Ledger())
	for _, size := range []int{1, 5} {
		if _, err := leader.Append(t.Context(), at, batch(0, size)...); err != nil {
			t.Fatal(err)
		}
		if _, err := old.Append(t.Context(), at, batch(1, size)...); !errors.Is(err, ledger.ErrMoved) {
			t.Fatalf("a batch of %d by the old leader: %v, want ErrMoved", size, err)
		}
		if err := old.Resume(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, all := openWriter(t, b.Ledger()); len(all) != 6 {
		t.Errorf("the ledger has %d entries, want 6", len(all))
	}
}

func TestAnEntryThatIsTooBigWritesNothingOfItsBatch(t *testing.T) {
	b := open(t, t.TempDir())
	w, _ := openWriter(t, b.Ledger())
	records := batch(0, 3)
	records[1].Body = strings.Repeat("x", 2<<20)
	if _, err := w.Append(t.Context(), at, records...); err == nil {
		t.Fatal("an entry of 2 MiB is taken")
	}
	if err := w.Resume(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Append(t.Context(), at, batch(1, 3)...); err != nil {
		t.Fatal(err)
	}
	if _, all := openWriter(t, b.Ledger()); len(all) != 3 {
		t.Errorf("the ledger has %d entries, want 3", len(all))
	}
}

// A server that finds its files damaged goes on with what it can read. The ledger must say so.
func TestADamagedFolderIsNotTaken(t *testing.T) {
	sound := t.TempDir()
	b, err := bus.Open(t.Context(), bus.Options{Dir: sound})
	if err != nil {
		t.Fatal(err)
	}
	w, _ := openWriter(t, b.Ledger())
	for n := range 200 {
		if _, err := w.Append(t.Context(), at, batch(n, 1)...); err != nil {
			t.Fatal(err)
		}
	}
	closeBus(t, b)

	stream := filepath.Join("jetstream", "$G", "streams", "sparewatch_ledger")
	block := filepath.Join(stream, "msgs", "1.blk")
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
	}{
		{"garbage in the middle of the block", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, block), func(b []byte) []byte { copy(b[len(b)/2:], strings.Repeat("?", 100)); return b })
		}},
		{"half of the block", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, block), func(b []byte) []byte { return b[:len(b)/2] })
		}},
		{"half of the block and no index", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, block), func(b []byte) []byte { return b[:len(b)/2] })
			remove(t, filepath.Join(dir, stream, "msgs", "index.db"))
		}},
		{"no block", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, block)) }},
		{"no messages at all", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, stream, "msgs")) }},
		{"no stream", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, stream)) }},
		{"garbage for the stream's configuration", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, stream, "meta.inf"), func([]byte) []byte { return []byte("?") })
		}},
		{"no stream's configuration", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, stream, "meta.inf")) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(sound)); err != nil {
				t.Fatal(err)
			}
			c.damage(t, dir)
			b, err := bus.Open(t.Context(), bus.Options{Dir: dir})
			if err == nil {
				_, err = ledger.Open(t.Context(), b.Ledger(), nil)
				closeBus(t, b)
			}
			_, damaged := errors.AsType[*bus.DamagedError](err)
			_, broken := errors.AsType[*ledger.BrokenError](err)
			if !damaged && !broken {
				t.Errorf("%v, want a DamagedError or a BrokenError", err)
			}
			t.Log(err)
		})
	}

	t.Run("an index that is gone is made again", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(sound)); err != nil {
			t.Fatal(err)
		}
		remove(t, filepath.Join(dir, stream, "msgs", "index.db"))
		if _, all := openWriter(t, open(t, dir).Ledger()); len(all) != 200 {
			t.Errorf("%d entries, want 200", len(all))
		}
	})
}

func edit(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, f(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// appenderDir is set in a child process of TestAKilledProcessLosesNothing: the folder to which it appends.
const appenderDir = "SPAREWATCH_TEST_APPENDER_DIR"

// appendForEver appends batches and says the last sequence of each that was acknowledged, after it was put into both
// buckets too.
func appendForEver(dir string) {
	ctx := context.Background()
	b, err := bus.Open(ctx, bus.Options{Dir: dir})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	w, err := ledger.Open(ctx, b.Ledger(), nil)
	for n := 0; err == nil; n++ {
		var entries []ledger.Entry
		if entries, err = w.Append(ctx, at, batch(n, []int{1, 3, 40, 1}[n%4])...); err != nil {
			break
		}
		seq := fmt.Sprint(entries[len(entries)-1].Seq)
		if err = errors.Join(b.Last().Put(ctx, "seq", []byte(seq)), b.Seen().Put(ctx, "seq", []byte(seq))); err == nil {
			fmt.Println(seq)
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

func TestAKilledProcessLosesNothing(t *testing.T) {
	dir := t.TempDir()
	for round := range 6 {
		acked := runAndKill(t, dir, 5+rand.IntN(40))
		b, err := bus.Open(t.Context(), bus.Options{Dir: dir})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		_, all := openWriter(t, b.Ledger()) // verifies the chain
		v, err := b.Seen().Get(t.Context(), "seq")
		if seen, wrong := strconv.ParseUint(string(v), 10, 64); err != nil || wrong != nil || seen < acked {
			t.Errorf("round %d: %d was acknowledged, the bucket has %q, %v", round, acked, v, err)
		}
		closeBus(t, b)
		if n := uint64(len(all)); n < acked {
			t.Fatalf("round %d: %d entries were acknowledged, %d are there", round, acked, n)
		}
		wholeBatches(t, all)
	}
}

// runAndKill starts an appender, kills it after some acknowledged batches, and returns the last sequence it said.
func runAndKill(t *testing.T, dir string, batches int) (acked uint64) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), appenderDir+"="+dir)
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		if _, err := fmt.Sscan(lines.Text(), &acked); err != nil {
			t.Errorf("the appender says %q", lines.Text())
		}
		if n == batches {
			if err := child.Process.Kill(); err != nil { // SIGKILL; what it said before is still read
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // it was killed
	return acked
}

// wholeBatches checks that each batch is there with all of its entries.
func wholeBatches(t *testing.T, all []ledger.Entry) {
	t.Helper()
	for len(all) > 0 {
		var first item
		if err := json.Unmarshal(all[0].Body, &first); err != nil {
			t.Fatal(err)
		}
		if len(all) < first.Of {
			t.Fatalf("of the last batch of %d only %d entries are there", first.Of, len(all))
		}
		for i, e := range all[:first.Of] {
			var it item
			if err := json.Unmarshal(e.Body, &it); err != nil {
				t.Fatal(err)
			}
			if want := (item{Batch: first.Batch, I: i, Of: first.Of}); it != want {
				t.Fatalf("entry %d is %+v, want %+v", e.Seq, it, want)
			}
		}
		all = all[first.Of:]
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("batch of %d", size), func(b *testing.B) {
			w, _ := openWriter(b, open(b, b.TempDir()).Ledger())
			records := batch(0, size)
			for b.Loop() {
				if _, err := w.Append(b.Context(), at, records...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size*b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	log := open(b, b.TempDir()).Ledger()
	w, _ := openWriter(b, log)
	const entries = 20_000
	if _, err := w.Append(b.Context(), at, batch(0, entries)...); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := ledger.Open(b.Context(), log, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(entries*b.N)/b.Elapsed().Seconds(), "entries/s")
}
