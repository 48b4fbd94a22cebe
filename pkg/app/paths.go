package app

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/mrt"
	"github.com/sparewatch/sparewatch/pkg/paths"
	"github.com/sparewatch/sparewatch/pkg/term"
)

// PathsAsked is what `sparewatch paths` is asked.
type PathsAsked struct {
	Files        []string
	Prefixes     []netip.Prefix
	Own          []bgp.ASN
	RouteServers []bgp.ASN
}

// ownPrefixes bounds how many prefixes of one's own are judged.
const ownPrefixes = 1000

// Paths reads files of BGP data, in their order, and judges the prefixes that were asked for: those of one's own as the
// files' peers see them, others as they are reached through those peers; without any, the default route.
func Paths(asked PathsAsked) (*term.Paths, error) {
	o := paths.Options{Own: asked.Own, RouteServers: asked.RouteServers}
	// All that can be judged must be in the sets from the start: what was withdrawn in the meantime is then known.
	for _, p := range asked.Prefixes {
		o.Sets = append(o.Sets, paths.Set{Name: setName(p), Items: []paths.Item{{Prefix: p.Masked()}}})
	}
	t := paths.New(o)
	found := &term.Paths{}
	var now time.Time
	r := pathsReader{table: t, relay: len(asked.Own) > 0}
	for _, name := range asked.Files {
		f, err := r.read(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		found.Files = append(found.Files, *f)
		if f.Last.After(now) {
			now = f.Last
		}
	}
	if now.IsZero() {
		now = time.Now().UTC() // what routers print has no date
	}
	if err := r.takeShown(now); err != nil {
		return nil, err
	}
	t.Reconfigure(withSets(t, o, asked))
	now = now.Add(time.Hour) // the files are whole: what they do not show is not there
	t.Tick(now)
	found.View = t.View(now)
	found.Written = !slices.ContainsFunc(found.Files, func(f term.PathsFile) bool { return f.Format != "mrt" })
	size := t.Size()
	found.Paths, found.Attributes = size.Paths, size.Attributes
	found.Survey = t.Survey()
	report, err := JudgePaths(found.View)
	if err != nil {
		return nil, err
	}
	found.Groups, found.Findings = report.Groups, report.Findings
	return found, nil
}

func setName(p netip.Prefix) string {
	if p.Bits() == 0 {
		return "default" + map[bool]string{true: "6"}[p.Addr().Is6()]
	}
	return p.Masked().String()
}

// withSets adds what is judged without being asked for: one's own prefixes, and the default route.
func withSets(t *paths.Table, o paths.Options, asked PathsAsked) paths.Options {
	own := map[bgp.ASN]bool{}
	for _, as := range asked.Own {
		own[as] = true
	}
	if len(own) > 0 {
		ours := t.Originated(own, ownPrefixes)
		for i := range o.Sets {
			o.Sets[i].In = slices.Contains(ours, o.Sets[i].Items[0].Prefix)
		}
		if len(asked.Prefixes) == 0 {
			for _, p := range ours {
				o.Sets = append(o.Sets, paths.Set{Name: setName(p), In: true, Items: []paths.Item{{Prefix: p}}})
			}
		}
	}
	if len(o.Sets) == 0 {
		for _, p := range []string{"0.0.0.0/0", "::/0"} {
			p := netip.MustParsePrefix(p)
			o.Sets = append(o.Sets, paths.Set{Name: setName(p), Items: []paths.Item{{Prefix: p}}})
		}
	}
	return o
}

// pathsReader reads files into a table.
type pathsReader struct {
	table *paths.Table
	relay bool // the files' peers are viewers
	shown []paths.Shown
}

// shownMax bounds a page that a router printed, in bytes.
const shownMax = 256 << 20

// bmpMax bounds a file that holds a router's BMP stream, in bytes.
const bmpMax = 1 << 30

// takeShown takes in the pages that routers printed, together: one neighbour may stand in several.
func (r *pathsReader) takeShown(at time.Time) error {
	if len(r.shown) == 0 {
		return nil
	}
	_, err := r.table.TakeShown("router", at, r.shown...)
	return err
}

// read reads one file.
func (r *pathsReader) read(name string) (*term.PathsFile, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	defer file.Close()
	b, err := unpacked(file)
	if err != nil {
		return nil, err
	}
	head, _ := b.Peek(4096)
	f := &term.PathsFile{Name: filepath.Base(name)}
	if paths.IsCapture(head) {
		f.Format = "pcap"
		streams, err := paths.ReadCapture(b)
		if err := f.EndsAt(err); err != nil {
			return nil, err
		}
		for i := range streams {
			span(f, streams[i].At(0))
			span(f, streams[i].At(len(streams[i].Data)))
		}
		if f.Records = r.table.TakeCapture(streams); f.Records == 0 {
			return nil, errors.New("no BMP and no BGP in this capture")
		}
		return f, nil
	}
	if raw := (&paths.Stream{Data: head}); raw.IsBMP() {
		f.Format = "bmp"
		data, err := io.ReadAll(io.LimitReader(b, bmpMax)) // where it breaks off the stream does
		if err != nil && len(data) == 0 {
			return nil, err
		}
		f.Records, err = r.table.TakeBMPStream("router", data, time.Time{})
		return f, f.EndsAt(err)
	}
	if paths.IsShown(head) {
		f.Format = "shown"
		page, err := io.ReadAll(io.LimitReader(b, shownMax))
		if err != nil {
			return nil, err
		}
		// Read once by itself, so that the file at fault is named.
		if f.Records, err = paths.New(paths.Options{}).TakeShown("router", time.Time{}, paths.Shown{Text: page}); err != nil {
			return nil, err
		}
		r.shown = append(r.shown, paths.Shown{Text: page})
		return f, nil
	}
	f.Format = "mrt"
	return f, readMRT(f, r.table, b, r.relay)
}

func unpacked(r io.Reader) (*bufio.Reader, error) {
	b := bufio.NewReaderSize(r, 256<<10)
	head, _ := b.Peek(3)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, err
		}
		return bufio.NewReaderSize(z, 256<<10), nil
	case string(head) == "BZh":
		return bufio.NewReaderSize(bzip2.NewReader(b), 256<<10), nil
	}
	return b, nil
}

func span(f *term.PathsFile, at time.Time) {
	if f.First.IsZero() || at.Before(f.First) {
		f.First = at
	}
	if at.After(f.Last) {
		f.Last = at
	}
}

func readMRT(f *term.PathsFile, t *paths.Table, b *bufio.Reader, relay bool) error {
	r, err := mrt.NewReader(b)
	if err != nil {
		return err
	}
	// A file names its collector only in tables; all files of one run are taken for one collector's.
	const collector = "collector"
	taken := 0
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if err = f.EndsAt(err); err != nil {
				return err
			}
			break
		}
		span(f, rec.At)
		taken++
		t.TakeMRT(collector, rec, relay)
	}
	f.Records, f.Passed = r.Records(), r.Counted()
	if f.Records == 0 || taken == 0 && len(f.Passed) > 0 && !strings.HasPrefix(onlyKey(f.Passed), "TABLE") {
		return errors.New("this is no MRT file, and no capture: nothing in it could be read")
	}
	return nil
}

func onlyKey(m map[string]uint64) string {
	for k := range m {
		return k
	}
	return ""
}

// JudgePaths has the engine judge what a view shows.
func JudgePaths(v *paths.View) (*engine.Report, error) {
	return engine.InspectAll(v.Snapshots(func(router string) string { return "bgp://" + router }))
}
