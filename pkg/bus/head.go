package bus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sparewatch/sparewatch/pkg/ledger"
)

// headFile notes beside an embedded JetStream how far the ledger had come. A server that finds a block damaged cuts the
// stream off there, or leaves the block out, and says nothing; the chain of what is left verifies. The note is not
// synced, so after a loss of power it may be older than the ledger, never newer: the ledger holds at least its entry.
type headFile struct{ f *os.File }

const headFormat = "%020d %64s\n"

func openHead(dir string) (*headFile, error) {
	f, err := os.OpenFile(filepath.Join(dir, "ledger.head"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return &headFile{f: f}, nil
}

// read returns the note; none, or half of one, is the empty head.
func (h *headFile) read() ledger.Head {
	buf := make([]byte, len(fmt.Sprintf(headFormat, 0, "")))
	if _, err := h.f.ReadAt(buf, 0); err != nil {
		return ledger.Head{}
	}
	var head ledger.Head
	if _, err := fmt.Sscanf(string(buf), "%d %s\n", &head.Seq, &head.Hash); err != nil {
		return ledger.Head{}
	}
	return head
}

func (h *headFile) write(head ledger.Head) error {
	_, err := h.f.WriteAt(fmt.Appendf(nil, headFormat, head.Seq, head.Hash), 0)
	return err
}

func (h *headFile) close() error { return h.f.Close() }

var errFound = errors.New("found")

// check says what is wrong with the log by what was noted; nothing: empty.
func (h *headFile) check(ctx context.Context, log ledger.Log) (wrong []string, err error) {
	noted := h.read()
	if noted.Seq == 0 {
		return nil, nil
	}
	var there ledger.Entry
	err = log.Read(ctx, noted.Seq, func(e ledger.Entry) error {
		there = e
		return errFound
	})
	var broken *ledger.BrokenError
	switch {
	case errors.As(err, &broken):
		return []string{broken.Error()}, nil
	case err != nil && !errors.Is(err, errFound):
		return nil, err
	case there.Seq == 0:
		return []string{fmt.Sprintf("the ledger had %d entries and has fewer", noted.Seq)}, nil
	case there.Hash != noted.Hash:
		return []string{fmt.Sprintf("ledger entry %d is not the one that was written", noted.Seq)}, nil
	}
	return nil, nil
}
