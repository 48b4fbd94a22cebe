package paths_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	gobgp "github.com/osrg/gobgp/v3/pkg/packet/bgp"
	gobmp "github.com/osrg/gobgp/v3/pkg/packet/bmp"

	"github.com/sparewatch/sparewatch/pkg/bmp"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/mrt"
	"github.com/sparewatch/sparewatch/pkg/paths"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// take reads a BMP stream into the table.
func take(t testing.TB, table *paths.Table, router string, data []byte, at time.Time) int {
	t.Helper()
	r, d := bmp.NewReader(bytes.NewReader(data)), bmp.NewDecoder()
	for n := 0; ; n++ {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		m, err := d.Message(b)
		if err != nil {
			t.Fatal(err)
		}
		table.TakeBMP(router, m, at)
	}
}

// judge has the engine judge a view.
func judge(v *paths.View) (*engine.Report, error) {
	return engine.InspectAll(v.Snapshots(func(router string) string { return "bgp://" + router }))
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

var clock = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestFullTable takes in full tables of two upstreams over BMP, and times one withdrawal until its finding. It is small
// in the normal run; `make bench-paths` takes a million routes of each upstream and prints the figures.
func TestFullTable(t *testing.T) {
	full := os.Getenv("BENCH_PATHS") != ""
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			routes := 20_000
			if full {
				routes = 1_000_000
			}
			a, b := newFeed(1, "203.0.113.1", 3356, s), newFeed(2, "203.0.113.5", 1299, s)
			prefixes := s.prefixes(routes)
			a.table(prefixes)
			b.table(prefixes)
			took := takeFull(t, routes, a, b)
			if full && s == shapes[0] {
				gobgpReceiver(t, a.buf, b.buf, took)
			}
		})
	}
}

func takeFull(t *testing.T, routes int, a, b *feed) time.Duration {
	t.Helper()
	watched := a.shape.watchedPrefix() // both upstreams have it
	o := paths.Options{Sets: []paths.Set{{Name: "dest", Items: []paths.Item{{Prefix: watched}}}}}
	before := heap()
	table := paths.New(o)
	start := time.Now()
	messages := take(t, table, "r1", a.buf, clock) + take(t, table, "r2", b.buf, clock)
	took := time.Since(start)
	size := table.Size()
	if size.Paths != 2*routes {
		t.Fatalf("%d paths of %d", size.Paths, 2*routes)
	}
	used := float64(heap()-before) / float64(size.Paths)
	own := float64(size.Bytes) / float64(size.Paths)
	if used > 300 {
		t.Errorf("%.0f bytes of heap a path: 300 may be", used)
	}
	if !a.shape.unique && own > 100 {
		t.Errorf("%.0f bytes a path in our own tables: 100 may be", own)
	}
	t.Logf("over BMP, %s: %d routes of each of 2 upstreams, %d messages, %.1f MB: %.2f s, %.0f paths/s, %.0f messages/s; %d sets of attributes",
		a.shape.name, routes, messages, float64(len(a.buf)+len(b.buf))/1e6, took.Seconds(), float64(size.Paths)/took.Seconds(), float64(messages)/took.Seconds(), size.Attributes)
	t.Logf("over BMP, %s: %.1f bytes of heap a path (limit 300), %.1f of them in the tables", a.shape.name, used, own)
	kept := b.buf
	withdrawal(t, table, b, watched)
	b.buf = kept
	return took
}

// withdrawal withdraws the watched destination from one upstream, and judges.
func withdrawal(t *testing.T, table *paths.Table, f *feed, watched netip.Prefix) {
	t.Helper()
	if r, err := judge(table.View(clock.Add(time.Second))); err != nil || slices.ContainsFunc(r.Findings, func(f finding.Finding) bool { return f.Rule == finding.RedundancyLost }) {
		t.Fatalf("before: %v, %v", err, r.Findings)
	}
	// As the daemon: what was seen before is known, so the group knows how many belong to it.
	cut := table.Lookup(paths.Key{Router: "r2", Peer: f.peer}, paths.AdjInPre, watched)
	if len(cut) != 1 {
		t.Fatalf("the watched destination has %d paths", len(cut))
	}
	table.Changed()
	f.buf = nil
	f.withdraw(watched)
	start := time.Now()
	take(t, table, "r2", f.buf, clock.Add(2*time.Second))
	events := table.Changed()
	told := time.Since(start)
	r, err := judge(table.View(clock.Add(2 * time.Second)))
	judged := time.Since(start)
	if err != nil || len(events) == 0 {
		t.Fatalf("%v, events %v", err, events)
	}
	i := slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.Rule == finding.RedundancyLost })
	if i < 0 {
		t.Fatalf("no finding: %+v", r.Findings)
	}
	t.Logf("over BMP, %s: one withdrawal: the set is known to have changed after %v, the finding stands after %v: %s", f.shape.name, told, judged, r.Findings[i].Summary)
}

// gobgpReceiver takes in the same streams with gobgp's BMP and BGP parsers and the plainest table there is.
func gobgpReceiver(t *testing.T, a, b []byte, took time.Duration) {
	t.Helper()
	type key struct{ router, prefix string }
	runtime.GC()
	before := heap()
	start := time.Now()
	table := map[key][]gobgp.PathAttributeInterface{}
	for router, data := range map[string][]byte{"r1": a, "r2": b} {
		r := bmp.NewReader(bytes.NewReader(data))
		for {
			raw, err := r.Next()
			if err != nil {
				break
			}
			m, err := gobmp.ParseBMPMessage(slices.Clone(raw))
			if err != nil {
				t.Fatal(err)
			}
			rm, ok := m.Body.(*gobmp.BMPRouteMonitoring)
			if !ok {
				continue
			}
			u := rm.BGPUpdate.Body.(*gobgp.BGPUpdate)
			for _, n := range u.NLRI {
				table[key{router, n.String()}] = u.PathAttributes
			}
		}
	}
	theirs := time.Since(start)
	used := float64(heap()-before) / float64(len(table))
	t.Logf("gobgp v3.37 parser with a map of its paths, same streams: %.2f s, %.0f paths/s, %.0f bytes of heap a path; ours takes %.2f of its time",
		theirs.Seconds(), float64(len(table))/theirs.Seconds(), used, took.Seconds()/theirs.Seconds())
	runtime.KeepAlive(table)
}

// TestLargestMRT takes in the largest MRT file recorded.
func TestLargestMRT(t *testing.T) {
	root, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings: set SPAREWATCH_RECORDINGS")
	}
	files, _ := filepath.Glob(filepath.Join(root, "bgp", "mrt", "*"))
	var largest string
	var most []byte
	for _, f := range files {
		if b := plainBytes(f); len(b) > len(most) && !bytes.Contains([]byte(f), []byte(".expected.")) {
			largest, most = f, b
		}
	}
	if largest == "" {
		t.Skip("no MRT file recorded")
	}
	start := time.Now()
	table := paths.New(paths.Options{})
	r, err := mrt.NewReader(bytes.NewReader(most))
	if err != nil {
		t.Fatal(err)
	}
	changes := 0
	for {
		rec, err := r.Next()
		if err != nil {
			break
		}
		if rec.Update != nil {
			changes += len(rec.Update.Announced) + len(rec.Update.Withdrawn)
		}
		table.TakeMRT("collector", rec, true)
	}
	took := time.Since(start)
	size := table.Size()
	if size.Paths == 0 {
		t.Fatal("no path in it")
	}
	t.Logf("%s: %d records, %d announcements and withdrawals in %v (%.0f/s), %d paths of %d sessions, %.1f bytes a path in our tables",
		filepath.Base(largest), r.Records(), changes, took, float64(changes)/took.Seconds(), size.Paths, size.Sessions, float64(size.Bytes)/float64(size.Paths))
}

func plainBytes(file string) []byte {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	if z, err := gzip.NewReader(bytes.NewReader(b)); err == nil {
		if p, err := io.ReadAll(z); err == nil {
			return p
		}
	}
	return b
}
