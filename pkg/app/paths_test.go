package app

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/term"
)

// mrtUpdate is a BGP4MP record with an UPDATE of a neighbour that announces a prefix by way of its own AS alone.
func mrtUpdate(peer byte, as uint32, prefix netip.Prefix) []byte {
	attrs := binary.BigEndian.AppendUint32([]byte{0x40, 1, 1, 0, 0x40, 2, 6, 2, 1}, as)
	attrs = append(attrs, 0x40, 3, 4, 192, 0, 2, peer)
	body := append(binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(len(attrs))), attrs...)
	body = append(body, byte(prefix.Bits()))
	body = append(body, prefix.Addr().AsSlice()[:(prefix.Bits()+7)/8]...)
	m := binary.BigEndian.AppendUint16(bytes.Repeat([]byte{0xff}, 16), uint16(19+len(body)))
	m = append(append(m, 2), body...)
	head := binary.BigEndian.AppendUint32(nil, as)
	head = binary.BigEndian.AppendUint32(head, 65010)
	head = append(head, 0, 0, 0, 1, 192, 0, 2, peer, 192, 0, 2, 254)
	b := binary.BigEndian.AppendUint32(nil, 1_770_000_000)
	b = append(b, 0, 16, 0, 4)
	b = binary.BigEndian.AppendUint32(b, uint32(len(head)+len(m)))
	return slices.Concat(b, head, m)
}

// TestIncompleteFiles: of a file that cannot be read to its end what could be read is shown, and the first line says so.
func TestIncompleteFiles(t *testing.T) {
	var whole []byte
	for _, peer := range []byte{1, 2} {
		whole = append(whole, mrtUpdate(peer, 64500+uint32(peer), netip.MustParsePrefix("0.0.0.0/0"))...)
	}
	first := len(whole)
	for i := range 400 {
		whole = append(whole, mrtUpdate(1, 64501, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24))...)
	}
	size := (len(whole) - first) / 400
	garbled := slices.Clone(whole)
	copy(garbled[first+100*size+8:], []byte{0xff, 0xff, 0xff, 0xff})
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(whole)
	_ = w.Close()
	flipped := slices.Clone(z.Bytes())
	flipped[len(flipped)*3/4] ^= 0x55
	files := map[string][]byte{
		"whole.mrt": whole, "cut.mrt": whole[:first+200*size+7], "garbled.mrt": garbled, "overwritten.mrt": append(slices.Clone(whole[:first+50*size]), bytes.Repeat([]byte("x"), 5000)...),
		"whole.gz": z.Bytes(), "cut.gz": z.Bytes()[:z.Len()/2], "flipped.gz": flipped,
	}
	if bzip2, err := exec.LookPath("bzip2"); err == nil {
		cmd := exec.Command(bzip2, "-1", "-c")
		cmd.Stdin = bytes.NewReader(bytes.Repeat(whole, 8)) // more than one block
		packed, err := cmd.Output()
		must(t, err)
		files["cut.bz2"] = packed[:len(packed)*2/3]
	} else {
		t.Log("bzip2 is not installed: no file of its kind is tried")
	}
	dir := t.TempDir()
	for name, data := range files {
		file := filepath.Join(dir, name)
		must(t, os.WriteFile(file, data, 0o600))
		found, err := Paths(PathsAsked{Files: []string{file}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var out strings.Builder
		term.New(&out, term.Options{}).Paths(found)
		line, _, _ := strings.Cut(out.String(), "\n")
		t.Logf("%s: %s", name, line)
		f := found.Files[0]
		if strings.HasPrefix(name, "whole") {
			if f.Damaged != nil || found.Paths != 402 || strings.Contains(line, "incomplete") {
				t.Errorf("%s: %s", name, line)
			}
			continue
		}
		if f.Damaged == nil || f.Damaged.At <= 0 || !strings.HasPrefix(line, "incomplete: "+name+" ") || !strings.Contains(line, fmt.Sprintf("at byte %d", f.Damaged.At)) {
			t.Errorf("%s: %s %+v", name, line, f)
		}
		if found.Paths < 2 || found.BadNews() {
			t.Errorf("%s: %d paths were read: %s", name, found.Paths, line)
		}
	}
	if _, err := Paths(PathsAsked{Files: []string{writeTemp(t, whole[:5])}}); err == nil {
		t.Error("a file of which nothing could be read is no answer")
	}
}

func writeTemp(t *testing.T, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.mrt")
	must(t, os.WriteFile(file, data, 0o600))
	return file
}
