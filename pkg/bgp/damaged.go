package bgp

import (
	"errors"
	"fmt"
	"io"
)

// Damaged is where a file or a stream of BGP data cannot be read on. What came before it was read. It is
// io.ErrUnexpectedEOF where it ends inside a record.
type Damaged struct {
	At  int64 // octets before it; of a compressed file those that it unpacks to
	Err error
}

func (d *Damaged) Error() string {
	if d.Cut() {
		return fmt.Sprintf("ends inside a record that begins at byte %d", d.At)
	}
	return fmt.Sprintf("is damaged at byte %d: %v", d.At, d.Err)
}

func (d *Damaged) Unwrap() error { return d.Err }

// Cut reports whether it ends there, inside a record.
func (d *Damaged) Cut() bool { return errors.Is(d.Err, io.ErrUnexpectedEOF) }
