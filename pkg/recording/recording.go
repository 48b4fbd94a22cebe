// Package recording gives the formats in which a device is kept in a file, and takes out of them what is private.
//
// Two families are known: SNMP (snmpsim's .snmprec and net-snmp's .snmpwalk, either of them also bzip2-packed) and
// Redfish (one JSON object, path -> body, one resource a line). Read finds out which it is:
//
//	rec, err := recording.Load(filepath.Join(dir, "snmp/ups/apc_smt1500.snmprec"))
//	for _, o := range rec.SNMP { ... }
//
// The package knows the formats and no device, no network and no MIB beyond the columns that its Scrubber must know
// to be private. A recording says what a device said: nothing is repaired, and what cannot be read is listed in
// Problems with its line.
package recording

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Format is the form of a recording.
type Format string

// The formats. A bzip2-packed file has the format of what is in it.
const (
	SNMPRec  Format = "snmprec"  // snmpsim: OID|tag|value
	SNMPWalk Format = "snmpwalk" // net-snmp: OID = TYPE: value
	Redfish  Format = "redfish"  // {"path": body, ...}
)

// MaxSize bounds what is read of one recording, unpacked, in bytes. The largest known is under 20 MB.
const MaxSize = 512 << 20

// Recording is one device as it was recorded.
type Recording struct {
	Format  Format
	SNMP    []Object // of an SNMP recording: sorted by OID, each OID once
	Redfish Tree     // of a Redfish recording
	// Problems are the lines that could not be read and were left out. A file of which most lines cannot be read is
	// no recording: Read refuses it.
	Problems []Problem
	// Unsorted and Repeated tell what Read put in order: whether the file was out of order, and how many OIDs it
	// held more than once. Of a repeated OID the last value stands, as snmpsim's index answers a GET.
	Unsorted bool
	Repeated int
}

// Problem is one line that could not be read.
type Problem struct {
	Line int // 1 is the first
	Err  error
}

func (p Problem) Error() string { return fmt.Sprintf("line %d: %v", p.Line, p.Err) }

func (p Problem) Unwrap() error { return p.Err }

// ErrNotRecording is returned for a file that is no recording of a known format.
var ErrNotRecording = errors.New("no recording: neither OID|tag|value (.snmprec) nor OID = TYPE: value (.snmpwalk) nor a Redfish bundle {\"path\": body}")

// Read reads a recording. The name's extension settles the format; where it settles nothing, the content does.
func Read(name string, r io.Reader) (*Recording, error) {
	br := bufio.NewReaderSize(io.LimitReader(r, MaxSize+1), 64<<10)
	name = strings.ToLower(path.Base(name))
	if head, _ := br.Peek(4); strings.HasSuffix(name, ".bz2") || bytes.HasPrefix(head, []byte("BZh")) {
		name = strings.TrimSuffix(name, ".bz2")
		br = bufio.NewReaderSize(io.LimitReader(bzip2.NewReader(br), MaxSize+1), 64<<10)
	}
	head, err := br.Peek(64 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	format, err := Detect(name, head)
	if err != nil {
		return nil, err
	}
	c := &counting{r: br}
	rec, err := readAs(format, c)
	if c.n > MaxSize {
		return nil, fmt.Errorf("read %s: larger than %d MiB", name, MaxSize>>20)
	}
	return rec, err
}

func readAs(format Format, r io.Reader) (*Recording, error) {
	switch format {
	case SNMPRec:
		return readSNMP(format, r, parseSNMPRec)
	case SNMPWalk:
		return readSNMP(format, r, parseSNMPWalk)
	}
	tree, err := ReadRedfish(r)
	if err != nil {
		return nil, err
	}
	return &Recording{Format: Redfish, Redfish: tree}, nil
}

// Detect tells the format from a file's name and its first bytes.
func Detect(name string, head []byte) (Format, error) {
	name = strings.TrimSuffix(strings.ToLower(path.Base(name)), ".bz2")
	switch {
	case strings.HasSuffix(name, ".snmprec"):
		return SNMPRec, nil
	case strings.HasSuffix(name, ".snmpwalk"), strings.HasSuffix(name, ".walk"):
		return SNMPWalk, nil
	case strings.HasSuffix(name, ".json"):
		return Redfish, nil
	}
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	for line := range bytes.Lines(head) {
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0 || line[0] == '#':
			continue
		case line[0] == '{':
			return Redfish, nil
		case bytes.Count(line, []byte("|")) >= 2 && bytes.IndexByte(line, '|') < 1000:
			return SNMPRec, nil
		case bytes.Contains(line, []byte(" = ")), bytes.HasSuffix(line, []byte(" =")):
			return SNMPWalk, nil
		}
		break
	}
	return "", ErrNotRecording
}

type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
