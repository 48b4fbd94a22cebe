package paths_test

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/mrt"
)

// mrtFacts and expectedFacts are lines as bgpdump -m writes them, with addresses in one form.
func mrtFacts(t *testing.T, file string) []facts { return each(lines(t, file)) }

func expectedFacts(t *testing.T, file string) []facts { return each(expected(t, file)) }

func each(lines []string) []facts {
	all := make([]facts, len(lines))
	for i, l := range lines {
		all[i] = facts{oneForm(l)}
	}
	return all
}

// oneForm writes IPv6 addresses as RFC 5952 does (bgpdump shortens a single zero too), and no next hop where bgpdump
// writes 255.255.255.255.
func oneForm(line string) string {
	fields := strings.Split(line, "|")
	for i, f := range fields {
		switch a, err := netip.ParseAddr(f); {
		case err == nil && f == "255.255.255.255":
			fields[i] = "none"
		case err == nil:
			fields[i] = a.String()
		case f == "invalid IP":
			fields[i] = "none"
		}
		if p, err := netip.ParsePrefix(f); err == nil {
			fields[i] = p.String()
		}
	}
	return strings.Join(fields, "|")
}

// lines are a file's paths, updates and changes of state as bgpdump -m writes them.
func lines(t testing.TB, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := mrt.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%s: %v", filepath.Base(file), err)
		}
		out = append(out, bgpdump(rec)...)
	}
}

func bgpdump(rec *mrt.Record) []string {
	var out []string
	peer := fmt.Sprintf("%s|%d", rec.Peer.Address, uint32(rec.Peer.AS))
	switch {
	case rec.Entry != nil:
		kind := "TABLE_DUMP2"
		if rec.Entry.Version == 1 {
			kind = "TABLE_DUMP"
		}
		n := rec.Update.Announced[0]
		prefix := n.Prefix.String()
		if rec.Entry.AddPath {
			kind += "_AP"
			prefix += fmt.Sprintf("|%d", n.PathID)
		}
		hop := rec.Update.Attrs.NextHop
		if n.Prefix.Addr().Is6() {
			hop = rec.Update.MPNextHop
		}
		out = append(out, fmt.Sprintf("%s|%d|B|%s|%s|%s", kind, rec.At.Unix(), peer, prefix, attributes(rec.Update, hop.String())))
	case rec.State != nil:
		out = append(out, fmt.Sprintf("BGP4MP|%d|STATE|%s|%d|%d", rec.At.Unix(), peer, rec.State.Old, rec.State.New))
	case rec.Update != nil:
		for _, n := range rec.Update.Withdrawn {
			out = append(out, fmt.Sprintf("BGP4MP|%d|W|%s|%s", rec.At.Unix(), peer, n.Prefix))
		}
		for i, n := range rec.Update.Announced {
			hop := rec.Update.Attrs.NextHop
			if i >= rec.Update.Classic {
				hop = rec.Update.MPNextHop
			}
			out = append(out, fmt.Sprintf("BGP4MP|%d|A|%s|%s|%s", rec.At.Unix(), peer, n.Prefix, attributes(rec.Update, hop.String())))
		}
	}
	return out
}

func attributes(u *bgp.Update, hop string) string {
	a := &u.Attrs
	var words []string
	for _, c := range a.Communities {
		switch c {
		case 0xffffff01:
			words = append(words, "no-export")
		case 0xffffff02:
			words = append(words, "no-advertise")
		case 0xffffff03:
			words = append(words, "local-AS")
		default:
			words = append(words, fmt.Sprintf("%d:%d", c>>16, c&0xffff))
		}
	}
	atomic, aggregator := "NAG", ""
	if a.Atomic {
		atomic = "AG"
	}
	if a.AggregatorIP.IsValid() {
		aggregator = fmt.Sprintf("%d %s", uint32(a.Aggregator), a.AggregatorIP)
	}
	return fmt.Sprintf("%s|%s|%s|%d|%d|%s|%s|%s|", a.ASPath, strings.ToUpper(a.Origin.String()), hop, a.LocalPref, a.MED, strings.Join(words, " "), atomic, aggregator)
}

func expected(t testing.TB, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for s := bufio.NewScanner(z); s.Scan(); {
		out = append(out, s.Text())
	}
	return out
}
