package paths

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/bmp"
)

// Stream is one direction of one TCP connection in a capture.
type Stream struct {
	From, To netip.AddrPort
	Data     []byte
	// marks are the offsets at which packets began, with their times.
	marks []mark
}

type mark struct {
	offset int
	at     time.Time
}

// At is when the octet at an offset was captured.
func (s *Stream) At(offset int) time.Time {
	i, found := slices.BinarySearchFunc(s.marks, offset, func(m mark, o int) int { return cmp.Compare(m.offset, o) })
	if !found {
		i--
	}
	if i < 0 {
		return time.Time{}
	}
	return s.marks[i].at
}

// captureMax bounds what is read of a capture, in octets.
const captureMax = 1 << 30

// IsCapture reports whether a file that begins with these four octets is a capture that ReadCapture reads.
func IsCapture(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	_, _, ok := captureOrder(b)
	return ok || binary.BigEndian.Uint32(b) == sectionHeader
}

// captureOrder tells the byte order and the unit of the fractions of a second.
func captureOrder(b []byte) (order binary.ByteOrder, unit time.Duration, ok bool) {
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch o.Uint32(b) {
		case 0xa1b2c3d4:
			return o, time.Microsecond, true
		case 0xa1b23c4d:
			return o, time.Nanosecond, true
		}
	}
	return nil, 0, false
}

// ReadCapture reads a capture in libpcap's or the pcapng format and puts its TCP connections together. Connections of
// which the beginning is missing start with what was captured first; a hole ends a stream. With a *bgp.Damaged what was
// read before it is returned too.
func ReadCapture(r io.Reader) ([]Stream, error) {
	counted := &counter{r: io.LimitReader(r, captureMax)}
	b := bufio.NewReaderSize(counted, 256<<10)
	at := func() int64 { return counted.n - int64(b.Buffered()) }
	if magic, _ := b.Peek(4); len(magic) == 4 && binary.BigEndian.Uint32(magic) == sectionHeader {
		return readNextGeneration(b, at)
	}
	var head [24]byte
	if _, err := io.ReadFull(b, head[:]); err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	order, unit, ok := captureOrder(head[:])
	if !ok {
		return nil, errors.New("no capture in libpcap's format")
	}
	link := order.Uint32(head[20:]) & 0xffff
	a := assembler{streams: map[[2]netip.AddrPort]*assembly{}}
	for {
		began := at()
		var h [16]byte
		if _, err := io.ReadFull(b, h[:]); err != nil {
			return a.done(), damaged(began, err)
		}
		n := order.Uint32(h[8:])
		if n > 1<<20 {
			return a.done(), damaged(began, fmt.Errorf("a packet of %d octets", n))
		}
		packet := make([]byte, n)
		if _, err := io.ReadFull(b, packet); err != nil {
			return a.done(), damaged(began, unfinished(err)) // cut short while it was written
		}
		a.packet(link, packet, time.Unix(int64(order.Uint32(h[:])), int64(order.Uint32(h[4:]))*int64(unit)).UTC())
	}
}

// counter counts what was read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// damaged says where a file cannot be read on; nil at its end.
func damaged(at int64, err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return &bgp.Damaged{At: at, Err: err}
}

// unfinished is the end of a file inside something.
func unfinished(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// The blocks of the pcapng format (draft-ietf-opsawg-pcapng) that are read.
const (
	sectionHeader  = 0x0a0d0d0a
	interfaceBlock = 1
	simplePacket   = 3
	enhancedPacket = 6
)

// captured is one interface of a capture in the pcapng format.
type captured struct {
	link uint32
	unit float64 // seconds
}

// readNextGeneration reads a capture in the pcapng format.
func readNextGeneration(r io.Reader, at func() int64) ([]Stream, error) {
	a := assembler{streams: map[[2]netip.AddrPort]*assembly{}}
	var order binary.ByteOrder = binary.LittleEndian
	var interfaces []captured
	for {
		began := at()
		var head [12]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return a.done(), damaged(began, err)
		}
		if binary.BigEndian.Uint32(head[:]) == sectionHeader {
			order, interfaces = binary.LittleEndian, nil
			if binary.BigEndian.Uint32(head[8:]) == 0x1a2b3c4d {
				order = binary.BigEndian
			}
		}
		n := order.Uint32(head[4:])
		if n < 12 || n > 1<<20 {
			return a.done(), damaged(began, fmt.Errorf("a block of %d octets", n))
		}
		body := make([]byte, n-8) // with the length that stands behind it
		copy(body, head[8:])
		if _, err := io.ReadFull(r, body[4:]); err != nil {
			return a.done(), damaged(began, unfinished(err))
		}
		body = body[:len(body)-4]
		switch kind := order.Uint32(head[:]); {
		case kind == interfaceBlock && len(body) >= 8:
			interfaces = append(interfaces, captured{link: uint32(order.Uint16(body)), unit: timeUnit(order, body[8:])})
		case kind == enhancedPacket && len(body) >= 20:
			i, size := order.Uint32(body), int(order.Uint32(body[12:]))
			if int(i) < len(interfaces) && size <= len(body)-20 {
				ticks := uint64(order.Uint32(body[4:]))<<32 | uint64(order.Uint32(body[8:]))
				seconds := float64(ticks) * interfaces[i].unit
				a.packet(interfaces[i].link, body[20:20+size], time.Unix(0, int64(seconds*1e9)).UTC())
			}
		case kind == simplePacket && len(body) >= 4 && len(interfaces) > 0:
			a.packet(interfaces[0].link, body[4:4+min(int(order.Uint32(body)), len(body)-4)], time.Time{})
		}
	}
}

// timeUnit reads the option if_tsresol: by default microseconds.
func timeUnit(order binary.ByteOrder, options []byte) float64 {
	for len(options) >= 4 {
		code, n := order.Uint16(options), int(order.Uint16(options[2:]))
		options = options[4:]
		if n > len(options) {
			break
		}
		if code == 9 && n == 1 {
			if v := options[0]; v&0x80 != 0 {
				return math.Pow(2, -float64(v&0x7f))
			}
			return math.Pow(10, -float64(options[0]))
		}
		options = options[min((n+3)/4*4, len(options)):]
	}
	return 1e-6
}

type assembler struct {
	streams map[[2]netip.AddrPort]*assembly
	order   []*assembly
}

// assembly is a stream that is being put together.
type assembly struct {
	s     Stream
	next  uint32 // sequence number
	begun bool
	// withData: only the SYN was seen so far, and it had data.
	withData bool
	later    []segment
}

type segment struct {
	seq  uint32
	data []byte
	at   time.Time
}

// packet takes the link layer off: Ethernet with VLAN tags, Linux's cooked headers, or none.
func (a *assembler) packet(link uint32, b []byte, at time.Time) {
	kind := uint16(0)
	switch {
	case link == 1 && len(b) >= 14:
		kind, b = binary.BigEndian.Uint16(b[12:]), b[14:]
		for (kind == 0x8100 || kind == 0x88a8) && len(b) >= 4 {
			kind, b = binary.BigEndian.Uint16(b[2:]), b[4:]
		}
	case link == 113 && len(b) >= 16:
		kind, b = binary.BigEndian.Uint16(b[14:]), b[16:]
	case link == 276 && len(b) >= 20:
		kind, b = binary.BigEndian.Uint16(b), b[20:]
	case (link == 0 || link == 108) && len(b) >= 4:
		b = b[4:]
	case link == 101 || link == 228 || link == 229 || link == 12 || link == 14:
	default:
		return
	}
	if kind != 0 && kind != 0x0800 && kind != 0x86dd || len(b) == 0 {
		return
	}
	a.ip(b, at)
}

func (a *assembler) ip(b []byte, at time.Time) {
	switch {
	case b[0]>>4 == 4 && len(b) >= 20:
		head, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
		if total == 0 {
			total = len(b)
		}
		fragment := binary.BigEndian.Uint16(b[6:]) & 0x3fff
		if b[9] != 6 || head < 20 || total < head || total > len(b) || fragment != 0 {
			return
		}
		a.tcp(netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[head:total], at)
	case b[0]>>4 == 6 && len(b) >= 40:
		total := 40 + int(binary.BigEndian.Uint16(b[4:]))
		if b[6] != 6 || total > len(b) {
			return
		}
		a.tcp(netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])), b[40:total], at)
	}
}

// streamsKept and laterKept bound what a capture may cost.
const (
	streamsKept = 10_000
	laterKept   = 1_000
)

func (a *assembler) tcp(from, to netip.Addr, b []byte, at time.Time) {
	if len(b) < 20 || int(b[12]>>4)*4 > len(b) || b[12]>>4 < 5 {
		return
	}
	seq, flags := binary.BigEndian.Uint32(b[4:]), b[13]
	data := b[int(b[12]>>4)*4:]
	id := [2]netip.AddrPort{netip.AddrPortFrom(from, binary.BigEndian.Uint16(b)), netip.AddrPortFrom(to, binary.BigEndian.Uint16(b[2:]))}
	s := a.streams[id]
	syn := flags&2 != 0
	if s == nil || syn && s.begun && len(s.s.Data) > 0 && seq+1 != s.next {
		if len(a.order) >= streamsKept {
			return
		}
		s = &assembly{s: Stream{From: id[0], To: id[1]}}
		a.streams[id] = s
		a.order = append(a.order, s)
	}
	if syn {
		if !s.begun {
			s.begun, s.next = true, seq+1
		}
		seq++ // data may come with it (RFC 7413)
		s.withData = len(data) > 0
	} else if s.withData && len(data) > 0 {
		// Tools that write captures anew forget that a SYN takes a number.
		if seq == s.next-1 {
			s.next--
		}
		s.withData = false
	}
	if len(data) == 0 {
		return
	}
	if !s.begun {
		s.begun, s.next = true, seq
	}
	if len(s.later) < laterKept {
		s.later = append(s.later, segment{seq: seq, data: data, at: at})
	}
	s.settle()
}

// settle appends what follows without a hole.
func (s *assembly) settle() {
	for moved := true; moved; {
		moved = false
		for i := 0; i < len(s.later); i++ {
			g := s.later[i]
			ahead := int32(g.seq - s.next)
			if ahead > 0 {
				continue
			}
			if known := int(-ahead); known < len(g.data) {
				s.s.marks = append(s.s.marks, mark{len(s.s.Data), g.at})
				s.s.Data = append(s.s.Data, g.data[known:]...)
				s.next += uint32(len(g.data) - known)
			}
			s.later = slices.Delete(s.later, i, i+1)
			moved = true
			break
		}
	}
}

func (a *assembler) done() []Stream {
	var all []Stream
	for _, s := range a.order {
		if len(s.s.Data) > 0 {
			all = append(all, s.s)
		}
	}
	return all
}

// IsBMP and IsBGP tell what a stream carries, by its first octets.
func (s *Stream) IsBMP() bool {
	b := s.Data
	return len(b) >= 6 && (b[0] == 3 || b[0] == 4) && b[5] <= 6 && binary.BigEndian.Uint32(b[1:]) >= 6 && binary.BigEndian.Uint32(b[1:]) < 1<<20
}

// IsBGP reports whether the stream begins with a BGP message.
func (s *Stream) IsBGP() bool {
	return len(s.Data) >= 19 && bytes.Count(s.Data[:16], []byte{0xff}) == 16
}

// TakeCapture takes in what a capture's connections carry: BMP of routers, and BGP between two of them, as the receiving
// side of each saw it. It returns how many messages were read.
func (t *Table) TakeCapture(streams []Stream) int {
	messages := 0
	for i := range streams {
		s := &streams[i]
		switch {
		case s.IsBMP():
			read, err := t.takeBMP(s.From.Addr().String(), s)
			messages += read
			if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // it may go on after the capture
				t.Note("BMP stream " + err.Error())
			}
		case s.IsBGP():
			messages += t.takeBGPStream(s, streams)
		}
	}
	return messages
}

// TakeBMPStream takes in a BMP stream as a router sent it, without anything around it; router names it. It returns how
// many messages were read, and a *bgp.Damaged where the stream could not be read to its end.
func (t *Table) TakeBMPStream(router string, data []byte, at time.Time) (int, error) {
	return t.takeBMP(router, &Stream{Data: data, marks: []mark{{0, at}}})
}

func (t *Table) takeBMP(router string, s *Stream) (int, error) {
	r, d := bmp.NewReader(bytes.NewReader(s.Data)), bmp.NewDecoder()
	messages, offset := 0, 0
	for {
		b, err := r.Next()
		if err != nil {
			return messages, damaged(int64(offset), err)
		}
		at := s.At(offset)
		offset += len(b)
		messages++
		m, err := d.Message(b)
		if err != nil {
			t.Note("BMP: " + err.Error())
			continue
		}
		t.TakeBMP(router, m, at)
	}
}

// takeBGPStream reads what one side of a session sent: its paths are those that the other side, the router, received.
func (t *Table) takeBGPStream(s *Stream, all []Stream) int {
	k := Key{Router: s.To.Addr().String(), Peer: s.From.Addr()}
	o := bgp.Options{FourOctet: true}
	info := Info{Local: s.To.Addr()}
	if mine, ok := firstOpen(s.Data); ok {
		info.PeerAS, info.PeerID = mine.AS, mine.ID
		for i := range all {
			other := &all[i]
			if other.From != s.To || other.To != s.From {
				continue
			}
			if theirs, ok := firstOpen(other.Data); ok {
				info.LocalAS, o, info.Families = theirs.AS, bgp.Negotiated(mine, theirs), agreed(&mine, &theirs)
			}
		}
	}
	var d bgp.Decoder
	messages := 0
	t.Up(k, info, s.At(0))
	for rest := s.Data; len(rest) > 0; {
		at := s.At(len(s.Data) - len(rest))
		kind, body, after, err := bgp.Cut(rest)
		if err != nil {
			return messages
		}
		rest = after
		messages++
		switch kind {
		case bgp.TypeUpdate:
			u, err := d.Update(body, o)
			if err != nil {
				t.Note("UPDATE: " + err.Error())
				continue
			}
			t.Update(k, AdjInPre, u, at)
		case bgp.TypeNotification:
			if n, err := bgp.ParseNotification(body); err == nil {
				t.Down(k, Reason{Admin: n.Admin(), Text: n.String()}, at)
			}
		}
	}
	return messages
}

func firstOpen(b []byte) (bgp.Open, bool) {
	kind, body, _, err := bgp.Cut(b)
	if err != nil || kind != bgp.TypeOpen {
		return bgp.Open{}, false
	}
	o, err := bgp.ParseOpen(body)
	return o, err == nil
}
