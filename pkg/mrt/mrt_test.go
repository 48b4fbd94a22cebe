package mrt_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/mrt"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// record is one record with its header.
func record(kind, sub uint16, body ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, 1_770_000_000)
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, sub)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	return append(b, body...)
}

var (
	attrs4 = []byte{0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfb, 0xfe, 0x40, 3, 4, 192, 0, 2, 1}
	attrs2 = []byte{0x40, 1, 1, 0, 0x40, 2, 4, 2, 1, 0xfb, 0xfe, 0x40, 3, 4, 192, 0, 2, 1}
	index  = record(13, 1, 192, 0, 2, 9, 0, 0, 0, 1, 2, 192, 0, 2, 1, 192, 0, 2, 1, 0, 0, 0xfb, 0xfe)
)

func entries(sub uint16, prefix []byte, all ...[]byte) []byte {
	b := append([]byte{0, 0, 0, 1}, prefix...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(all)))
	return record(13, sub, append(b, slices.Concat(all...)...)...)
}

func entry(peer uint16, id []byte, attrs []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, peer)
	b = append(b, 0x69, 0, 0, 0)
	b = append(b, id...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(attrs)))
	return append(b, attrs...)
}

func update(wide bool, body []byte) []byte {
	m := slices.Repeat([]byte{0xff}, 16)
	m = binary.BigEndian.AppendUint16(m, uint16(19+len(body)))
	m = append(append(m, 2), body...)
	head := []byte{0xfb, 0xfe, 0xfb, 0xf4}
	if wide {
		head = []byte{0, 0, 0xfb, 0xfe, 0, 0, 0xfb, 0xf4}
	}
	head = append(head, 0, 0, 0, 1, 192, 0, 2, 1, 192, 0, 2, 2)
	return append(head, m...)
}

func announce(attrs []byte, id ...byte) []byte {
	b := append([]byte{0, 0, 0, byte(len(attrs))}, attrs...)
	return append(append(b, id...), 24, 198, 51, 100)
}

func all(t *testing.T, file []byte) (records []mrt.Record, updates []bgp.NLRI, counted map[string]uint64) {
	t.Helper()
	r, err := mrt.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return records, updates, r.Counted()
		}
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, *rec)
		if rec.Update != nil {
			if got := rec.Update.Attrs.ASPath.String(); got != "64510" {
				t.Errorf("path %q", got)
			}
			updates = append(updates, rec.Update.Announced...)
		}
	}
}

func TestRecords(t *testing.T) {
	prefix := []byte{24, 198, 51, 100}
	for _, c := range []struct {
		name string
		file []byte
		id   uint32
	}{
		{"TABLE_DUMP", record(12, 1, append([]byte{0, 0, 0, 1, 198, 51, 100, 0, 24, 1, 0x69, 0, 0, 0, 192, 0, 2, 1, 0xfb, 0xfe, 0, byte(len(attrs2))}, attrs2...)...), 0},
		{"TABLE_DUMP_V2", slices.Concat(index, entries(2, prefix, entry(0, nil, attrs4))), 0},
		{"TABLE_DUMP_V2 with path ids", slices.Concat(index, entries(8, prefix, entry(0, []byte{0, 0, 0, 7}, attrs4))), 7},
		{"TABLE_DUMP_V2 generic", slices.Concat(index, entries(6, append([]byte{0, 1, 1}, prefix...), entry(0, nil, attrs4))), 0},
		{"BGP4MP_ENTRY", record(16, 2, append([]byte{0xfb, 0xf4, 0xfb, 0xfe, 0, 0, 0, 1, 192, 0, 2, 2, 192, 0, 2, 1, 0, 0, 0, 1, 0x69, 0, 0, 0, 0, 1, 1, 4, 192, 0, 2, 1, 24, 198, 51, 100, 0, byte(len(attrs2))}, attrs2...)...), 0},
		{"BGP4MP", record(16, 1, update(false, announce(attrs2))...), 0},
		{"BGP4MP with four octets", record(16, 4, update(true, announce(attrs4))...), 0},
		{"BGP4MP with path ids", record(16, 9, update(true, announce(attrs4, 0, 0, 0, 7))...), 7},
		{"BGP4MP_ET", record(17, 4, append([]byte{0, 0, 0, 9}, update(true, announce(attrs4))...)...), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			records, updates, counted := all(t, c.file)
			if len(records) != 1 || len(updates) != 1 || updates[0].Prefix != netip.MustParsePrefix("198.51.100.0/24") || updates[0].PathID != c.id || len(counted) != 0 {
				t.Fatalf("%+v %+v %v", records, updates, counted)
			}
			if p := records[0].Peer; p.AS != 64510 || p.Address != netip.MustParseAddr("192.0.2.1") {
				t.Errorf("%+v", p)
			}
			var z bytes.Buffer
			w := gzip.NewWriter(&z)
			if _, err := w.Write(c.file); err != nil || w.Close() != nil {
				t.Fatal(err)
			}
			if records, _, _ := all(t, z.Bytes()); len(records) != 1 {
				t.Errorf("packed: %+v", records)
			}
		})
	}
}

func TestState(t *testing.T) {
	records, _, _ := all(t, record(16, 5, 0, 0, 0xfb, 0xfe, 0, 0, 0xfb, 0xf4, 0, 0, 0, 1, 192, 0, 2, 1, 192, 0, 2, 2, 0, 6, 0, 1))
	if len(records) != 1 || *records[0].State != (mrt.State{Old: 6, New: 1}) {
		t.Errorf("%+v", records)
	}
}

// TestPassedOver: what cannot be read is counted, and what follows is read.
func TestPassedOver(t *testing.T) {
	good := record(16, 4, update(true, announce(attrs4))...)
	for name, bad := range map[string][]byte{
		"an unknown type":           record(99, 0, 1, 2, 3),
		"an unknown subtype":        record(16, 77, 1, 2, 3),
		"a short record":            record(16, 5, 0, 0),
		"a path of an unknown peer": entries(2, []byte{24, 198, 51, 100}, entry(5, nil, attrs4)),
		"a prefix too long":         entries(2, []byte{33, 198, 51, 100, 1, 2}, entry(0, nil, attrs4)),
		"no BGP message":            record(16, 4, append(update(true, nil)[:20], 1, 2, 3)...),
	} {
		records, _, counted := all(t, slices.Concat(bad, good))
		if len(records) != 1 || len(counted) != 1 {
			t.Errorf("%s: %+v %v", name, records, counted)
		}
	}
	r, err := mrt.NewReader(bytes.NewReader(good[:len(good)-3]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut: %v", err)
	}
	r, _ = mrt.NewReader(bytes.NewReader([]byte("this is no MRT file at all")))
	if _, err := r.Next(); err == nil {
		t.Error("text was read")
	}
}

// TestDamaged: what stands before the place where a file cannot be read on is read, and the place is said.
func TestDamaged(t *testing.T) {
	one := record(16, 4, update(true, announce(attrs4))...)
	whole := slices.Concat(one, one, one)
	read := func(file []byte) (records int, err error) {
		r, err := mrt.NewReader(bytes.NewReader(file))
		for err == nil {
			if _, err = r.Next(); err == nil {
				records++
			}
		}
		return records, err
	}
	for n := range len(whole) + 1 {
		records, err := read(whole[:n])
		var d *bgp.Damaged
		switch complete := n / len(one); {
		case records != complete:
			t.Fatalf("of %d octets %d records were read, want %d", n, records, complete)
		case n%len(one) == 0 && !errors.Is(err, io.EOF):
			t.Fatalf("at the end after %d octets: %v", n, err)
		case n%len(one) != 0 && (!errors.As(err, &d) || !d.Cut() || d.At != int64(complete*len(one))):
			t.Fatalf("cut after %d octets: %v", n, err)
		}
	}
	for name, bad := range map[string][]byte{
		"a length that cannot be": append(slices.Clone(one[:8]), 0xff, 0, 0, 0),
		"no record at all":        bytes.Repeat([]byte{0xab}, 40),
		"zeros":                   make([]byte, 40),
	} {
		records, err := read(slices.Concat(one, one, bad))
		var d *bgp.Damaged
		if records != 2 || !errors.As(err, &d) || d.Cut() || d.At != int64(2*len(one)) {
			t.Errorf("%s: %d records, %v", name, records, err)
		}
	}
}

// TestRecordings: every recorded file is read to its end.
func TestRecordings(t *testing.T) {
	root, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings: set SPAREWATCH_RECORDINGS")
	}
	files, _ := filepath.Glob(filepath.Join(root, "bgp", "mrt", "*"))
	read := 0
	for _, file := range files {
		if matched, _ := filepath.Match("*.expected.*", filepath.Base(file)); matched {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := mrt.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", filepath.Base(file), err)
		}
		n := 0
		for {
			if _, err = r.Next(); err != nil {
				break
			}
			n++
		}
		if n == 0 || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %d records, %v", filepath.Base(file), n, err)
		}
		t.Logf("%s: %d records, %d values, passed over: %v", filepath.Base(file), r.Records(), n, r.Counted())
		read++
	}
	t.Logf("%d files", read)
}

func FuzzReader(f *testing.F) {
	f.Add(slices.Concat(index, entries(2, []byte{24, 198, 51, 100}, entry(0, nil, attrs4))))
	f.Add(slices.Concat(index, entries(8, []byte{24, 198, 51, 100}, entry(0, []byte{0, 0, 0, 7}, attrs4))))
	f.Add(record(16, 1, update(false, announce(attrs2))...))
	f.Add(record(17, 4, append([]byte{0, 0, 0, 9}, update(true, announce(attrs4))...)...))
	f.Add(record(12, 2, 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := mrt.NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		for {
			rec, err := r.Next()
			if err != nil {
				return
			}
			if rec.Update == nil && rec.State == nil && rec.Open == nil && rec.Notify == nil {
				t.Fatal("a record without anything in it")
			}
		}
	})
}
