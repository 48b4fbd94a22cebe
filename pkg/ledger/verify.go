package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxLine bounds one exported entry, in bytes; a message of the log is smaller (8 MiB).
const maxLine = 16 << 20

// Verify reads a chain exported as JSON lines, one entry each as encoding/json writes it, from its first entry on, and
// returns its end. Any byte that is not what was written is found: a *BrokenError names the first entry that is wrong.
// Whether entries are missing at the end only a Head that was kept elsewhere can tell.
func Verify(r io.Reader) (Head, error) {
	var h Head
	lines := bufio.NewReader(r)
	for {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			return h, nil
		}
		if err != nil {
			return h, &BrokenError{Seq: h.Seq + 1, Why: err.Error()}
		}
		e, err := Decode(line)
		if err != nil {
			return h, &BrokenError{Seq: h.Seq + 1, Why: err.Error()}
		}
		if h, err = h.Next(e); err != nil {
			return h, err
		}
	}
}

// Decode reads one entry and refuses any spelling other than the one that json.Marshal gives it.
func Decode(line []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return e, fmt.Errorf("it is no entry: %w", err)
	}
	again, err := json.Marshal(e)
	if err != nil {
		return e, fmt.Errorf("it is no entry: %w", err)
	}
	if !bytes.Equal(again, line) {
		return e, errors.New("it is not spelled as it was written")
	}
	return e, nil
}

// readLine returns the next line without its end; every line must have one.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case errors.Is(err, bufio.ErrBufferFull) && len(line) <= maxLine:
			continue
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("it is longer than %d bytes", maxLine)
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, errors.New("it ends in the middle")
		}
		return nil, err
	}
}
