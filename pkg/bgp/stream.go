package bgp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxLen is how long a message may be (RFC 4271 section 4.1); longer ones have to be agreed upon (RFC 8654).
const maxLen = 4096

// Fault is something in a neighbour's messages that ends the session, with the notification that the neighbour is to
// be sent of it (RFC 4271 section 6).
type Fault struct {
	Code, Subcode uint8
	Data          []byte
	What          string
}

func (f *Fault) Error() string { return f.What }

// Reader cuts a session's octets into messages.
type Reader struct{ r *bufio.Reader }

// NewReader reads from r, in pieces of 64 KiB at most.
func NewReader(r io.Reader) *Reader { return &Reader{bufio.NewReaderSize(r, 64<<10)} }

// Next returns the next message: its type and what follows its header, which is valid until the next call. io.EOF: the
// session ended between two messages; io.ErrUnexpectedEOF: inside one; a Fault: it is no BGP, or not any more. Any error
// is for good.
func (r *Reader) Next() (t MessageType, body []byte, err error) {
	head, err := r.peek(headerLen)
	if err != nil {
		return 0, nil, err
	}
	for _, c := range head[:16] {
		if c != 0xff {
			return 0, nil, &Fault{Code: 1, Subcode: 1, What: "the marker is not all ones"}
		}
	}
	size := head[16:18]
	n := int(binary.BigEndian.Uint16(size))
	t = MessageType(head[18])
	switch least, known := leastLen[t]; {
	case !known:
		return 0, nil, &Fault{Code: 1, Subcode: 3, Data: []byte{byte(t)}, What: fmt.Sprintf("a message of the unknown type %d", t)}
	case n < least || n > maxLen || t == TypeKeepalive && n != least:
		return 0, nil, &Fault{Code: 1, Subcode: 2, Data: []byte{size[0], size[1]}, What: fmt.Sprintf("a message of type %d with %d octets", t, n)}
	}
	whole, err := r.peek(n)
	if err != nil {
		return 0, nil, err
	}
	_, err = r.r.Discard(n) // they are there
	return t, whole[headerLen:], err
}

// leastLen is how short a message of each known type may be, its header included (RFC 4271 section 6.1, RFC 2918).
var leastLen = map[MessageType]int{TypeOpen: headerLen + 10, TypeUpdate: headerLen + 4, TypeNotification: headerLen + 2, TypeKeepalive: headerLen, TypeRefresh: headerLen + 4}

func (r *Reader) peek(n int) ([]byte, error) {
	b, err := r.r.Peek(n)
	if errors.Is(err, io.EOF) && len(b) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// Buffered reports whether a whole message was read already, so that Next would not wait. A header that makes no sense
// counts as one.
func (r *Reader) Buffered() bool {
	have := r.r.Buffered()
	if have < headerLen {
		return false
	}
	head, _ := r.r.Peek(headerLen)
	n := int(binary.BigEndian.Uint16(head[16:]))
	return have >= n || n > maxLen
}
