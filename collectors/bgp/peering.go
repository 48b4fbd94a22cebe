package bgp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/paths"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// The codes of notifications that are ours to choose (RFC 4271 section 4.5, RFC 4486, RFC 6608).
const (
	codeHeader = 1
	codeOpen   = 2
	codeUpdate = 3
	codeHold   = 4
	codeFSM    = 5
	codeCease  = 6

	ceasePrefixes     = 1
	ceaseDown         = 2
	ceaseDeconfigured = 3
	ceaseRejected     = 5
	ceaseCollision    = 7
)

// peering is the session with one neighbour, for as long as the neighbour is configured. Fields below n belong to the
// speaker's mu.
type peering struct {
	speaker *speaker
	n       Neighbour

	conn        net.Conn      // nil: there is none
	ended       chan struct{} // closed when the last connection's end was dealt with
	established bool
	since       time.Time    // when it was established the last time
	why         paths.Reason // why the session is down
	shut        time.Time    // until when nobody is let in
	gone        bool         // it was taken out of the configuration
}

// serve speaks BGP over a connection until its end (RFC 4271 section 8, with all that makes no difference to one who only
// hears left out), and tells of that.
func (p *peering) serve(ctx context.Context, c net.Conn) {
	s := p.speaker
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	t := &talk{peering: p, c: c, within: p.hold()}
	t.r = bgp.NewReader(t)
	err := t.run()
	var fault *bgp.Fault
	if errors.As(err, &fault) {
		t.write(notification(fault.Code, fault.Subcode, fault.Data))
	}
	_ = c.Close()
	s.mu.Lock()
	if p.conn == c {
		p.conn = nil
	}
	if t.opened {
		p.established = false
	}
	s.count.note(err)
	over := p.gone || s.closed || errors.Is(err, errReplaced)
	if fault != nil && fault.Code == codeCease {
		p.shut = s.hub.now().Add(shutFor)
	}
	s.mu.Unlock()
	switch why := reasonOf(err); {
	case over:
	case t.opened:
		p.down(why)
	default:
		s.fail(p, why)
	}
}

// errReplaced ends a connection that the neighbour has given up for another.
var errReplaced = errors.New("the neighbour connected anew")

// note counts why a connection ended.
func (c *Counts) note(err error) {
	var fault *bgp.Fault
	var closed closedBy
	switch {
	case errors.As(err, &fault):
		switch {
		case fault.Code == codeOpen && fault.Subcode == 1:
			c.Versions++
		case fault.Code == codeOpen:
			c.Opens++
		case fault.Code == codeUpdate:
			c.Malformed++
		case fault.Code == codeHold:
			c.Stalled++
		case fault.Code == codeCease:
			c.Excesses++
		default:
			c.Garbage++
		}
	case errors.As(err, &closed):
		c.Closed++
	case errors.Is(err, io.ErrUnexpectedEOF):
		c.Halves++
	}
}

// reasonOf says for people why a connection ended.
func reasonOf(err error) paths.Reason {
	var fault *bgp.Fault
	var closed closedBy
	switch {
	case errors.As(err, &fault) && fault.Code == codeUpdate:
		return paths.Reason{Text: "the neighbour sent a malformed UPDATE, and we closed it: " + fault.What}
	case errors.As(err, &fault) && (fault.Code == codeHeader || fault.Code == codeFSM):
		return paths.Reason{Text: "what the neighbour sends is no BGP, and we closed it: " + fault.What}
	case errors.As(err, &closed):
		return paths.Reason{Text: closed.Error(), Admin: closed.n.Admin()}
	case errors.Is(err, io.EOF):
		return paths.Reason{Text: "the neighbour closed the connection without a word"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return paths.Reason{Text: "the connection ended inside a message"}
	case errors.As(err, new(*net.OpError)):
		return paths.Reason{Text: "the connection broke: " + opError(err)}
	}
	return paths.Reason{Text: err.Error()}
}

func (p *peering) hold() time.Duration {
	if p.n.Hold > 0 {
		return p.n.Hold
	}
	return 90 * time.Second
}

// localAS is our AS towards the neighbour.
func (p *peering) localAS() bgp.ASN { return p.speaker.info(p.n).LocalAS }

// up notes that the session is established over this connection, unless there is another by now.
func (p *peering) up(c net.Conn, i paths.Info) error {
	s := p.speaker
	s.mu.Lock()
	if p.conn != c {
		s.mu.Unlock()
		return errReplaced
	}
	p.established, p.why, p.since = true, paths.Reason{}, s.hub.now()
	s.mu.Unlock()
	s.hub.feed(func(t *paths.Table, now time.Time) { t.Up(s.key(p.n), i, now) })
	s.hub.said.once(slog.LevelInfo, p.subject()+" up", "a neighbour's BGP session is established", "device", p.n.Device, "neighbour", p.n.Address)
	s.hub.up(p.n.Device)
	s.hub.amiss(p.n.Device, "", "")
	return nil
}

// down notes that the session was established and is no more.
func (p *peering) down(why paths.Reason) {
	s := p.speaker
	s.mu.Lock()
	p.why = why
	steady := s.hub.now().Sub(p.since) >= steadyFor
	s.mu.Unlock()
	s.hub.feed(func(t *paths.Table, now time.Time) { t.Down(s.key(p.n), why, now) })
	if steady {
		s.hub.said.over(p.subject())
		s.hub.said.over(p.subject() + " up")
	}
	p.log(why)
	text, hint := s.whyDown(p)
	if p.n.Upstream { // that it is down is what there is to know of it
		s.hub.mark(p.n.Device)
		return
	}
	s.hub.down(p.n.Device, text, hint, snapshot.ClassUnreachable)
}

// steadyFor is how long a session lasts that is well: of one that ends sooner the same is not logged again.
const steadyFor = 10 * time.Minute

func (p *peering) subject() string { return "speaker " + p.n.Address.String() }

// log says why there is no session.
func (p *peering) log(why paths.Reason) {
	p.speaker.hub.said.once(slog.LevelWarn, p.subject(), "a neighbour's BGP session is down: "+why.Text, "device", p.n.Device, "neighbour", p.n.Address)
}

// talk is one connection with a neighbour.
type talk struct {
	*peering
	c net.Conn
	r *bgp.Reader
	d bgp.Decoder
	o bgp.Options // how the neighbour writes
	// last is when the last whole message had come and was dealt with; within the hold time of it the next one has to.
	last, deadline time.Time
	within         time.Duration
	opened         bool // the session was established over it
}

// Read implements io.Reader: it gives the neighbour until its hold time is over.
func (t *talk) Read(b []byte) (int, error) {
	if t.within > 0 {
		if until := t.last.Add(t.within); until != t.deadline {
			t.deadline = until
			if err := t.c.SetReadDeadline(until); err != nil {
				return 0, err
			}
		}
	}
	n, err := t.c.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = &bgp.Fault{Code: codeHold, What: "nothing came from the neighbour any more: the hold timer expired"}
	}
	return n, err
}

// write sends what is not worth waiting for: who does not read it is gone before long.
func (t *talk) write(b []byte) {
	_ = t.c.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if _, err := t.c.Write(b); err != nil {
		_ = t.c.Close() // the reader learns of it
	}
}

// run opens the session and hears it until its end, which is never without an error.
func (t *talk) run() error {
	t.last = time.Now()
	if least := t.n.leastTTL(); least > 0 {
		if err := t.onLink(least); err != nil {
			return fmt.Errorf("the kernel cannot see to it that the neighbour is where it may be (ttl_security): %w", err)
		}
	}
	ours := bgp.Open{AS: t.localAS(), ID: t.speaker.id, Hold: uint16(t.within / time.Second), Families: []bgp.Family{bgp.IPv4Unicast, bgp.IPv6Unicast},
		FourOctet: true, Restart: true, AddPath: map[bgp.Family]uint8{bgp.IPv4Unicast: 1, bgp.IPv6Unicast: 1}}
	t.write(open(ours))
	body, err := t.expect(bgp.TypeOpen, 1)
	if err != nil {
		return err
	}
	theirs, err := t.agree(body, ours)
	if err != nil {
		return err
	}
	t.o = bgp.Negotiated(theirs, ours)
	t.within = min(t.within, time.Duration(theirs.Hold)*time.Second)
	if t.within == 0 {
		_ = t.c.SetReadDeadline(time.Time{})
	}
	t.write(keepalive())
	if _, err := t.expect(bgp.TypeKeepalive, 2); err != nil {
		return err
	}
	if err := t.up(t.c, t.settled(theirs)); err != nil {
		return err
	}
	t.opened = true
	if t.within > 0 {
		done := make(chan struct{})
		defer close(done)
		go t.keepAlive(done)
	}
	return t.hear()
}

// onLink drops what has crossed more routers than may stand between.
func (t *talk) onLink(least int) error {
	c, ok := t.c.(*net.TCPConn)
	if !ok {
		return errors.ErrUnsupported
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return control(raw, func(fd uintptr) error { return setLeastTTL(fd, t.n.Address.Is6(), least) })
}

// expect reads one message, which has to be of this type; state is RFC 6608's subcode for where we are.
func (t *talk) expect(kind bgp.MessageType, state uint8) ([]byte, error) {
	got, body, err := t.r.Next()
	if err != nil {
		return nil, err
	}
	t.last = time.Now()
	switch got {
	case kind:
		return body, nil
	case bgp.TypeNotification:
		return nil, notified(body)
	}
	return nil, &bgp.Fault{Code: codeFSM, Subcode: state, Data: []byte{byte(got)}, What: fmt.Sprintf("a message of type %d came where type %d belongs", got, kind)}
}

// agree checks a neighbour's OPEN (RFC 4271 section 6.2).
func (t *talk) agree(body []byte, ours bgp.Open) (bgp.Open, error) {
	o, err := bgp.ParseOpen(body)
	var fault *bgp.Fault
	switch {
	case errors.As(err, &fault):
		return o, fault
	case err != nil:
		return o, &bgp.Fault{Code: codeOpen, What: "its OPEN makes no sense: " + err.Error()}
	case o.AS != bgp.ASN(t.n.AS):
		return o, &bgp.Fault{Code: codeOpen, Subcode: 2, What: fmt.Sprintf("the neighbour's AS is another one than configured: it says %s, the configuration %s", o.AS, bgp.ASN(t.n.AS))}
	case o.ID.IsUnspecified(), o.AS == ours.AS && o.ID == ours.ID:
		return o, &bgp.Fault{Code: codeOpen, Subcode: 3, What: fmt.Sprintf("its BGP identifier is %s, ours %s", o.ID, ours.ID)}
	case o.Hold == 1 || o.Hold == 2:
		return o, &bgp.Fault{Code: codeOpen, Subcode: 6, What: fmt.Sprintf("it wants a hold time of %d s", o.Hold)}
	}
	return o, nil
}

// settled is what is known of the session once it is established.
func (t *talk) settled(theirs bgp.Open) paths.Info {
	i := t.speaker.info(t.n)
	i.PeerID, i.Hold = theirs.ID, t.within
	if a, err := netip.ParseAddrPort(t.c.LocalAddr().String()); err == nil {
		i.Local = a.Addr().Unmap().WithZone("")
	}
	if theirs.Families == nil { // it has no word for others (RFC 4760)
		theirs.Families = []bgp.Family{bgp.IPv4Unicast}
	}
	var both []bgp.Family
	for _, f := range i.Families {
		for _, g := range theirs.Families {
			if f == g {
				both = append(both, f)
			}
		}
	}
	i.Families = both
	return i
}

// keepAlive says that we are there, three times in a hold time.
func (t *talk) keepAlive(done <-chan struct{}) {
	tick := time.NewTicker(max(t.within/3, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			t.write(keepalive())
		}
	}
}

// hear takes in what comes until the session ends. Nothing is read ahead of what the table has taken in but one buffer of
// 64 KiB: a neighbour that is faster is held up by TCP.
func (t *talk) hear() error {
	s := t.speaker
	key := s.key(t.n)
	most := int(t.n.MaxPrefixes)
	if most == 0 {
		most = mostPrefixes
	}
	for {
		kind, body, err := t.r.Next()
		if err != nil {
			return err
		}
		var c Counts
		var end error
		waited := time.Now()
		s.hub.feed(func(table *paths.Table, now time.Time) {
			for i := range turn {
				c.Messages++
				c.Octets += uint64(19 + len(body))
				if end = t.take(table, key, kind, body, &c, now); end != nil || i == turn-1 || !t.r.Buffered() {
					break
				}
				if kind, body, end = t.r.Next(); end != nil {
					break
				}
			}
			if got := table.Paths(key, paths.AdjInPre); got > most && end == nil {
				end = &bgp.Fault{Code: codeCease, Subcode: ceasePrefixes, What: fmt.Sprintf("it sent more than the %d prefixes that it may (max_prefixes): shut for %s", most, shutFor)}
			}
		})
		t.last = time.Now()
		if t.r.Buffered() {
			c.Behind = t.last.Sub(waited)
		}
		s.mu.Lock()
		s.count.add(&c)
		s.mu.Unlock()
		if end != nil {
			return end
		}
	}
}

// take gives the table one message.
func (t *talk) take(table *paths.Table, key paths.Key, kind bgp.MessageType, body []byte, c *Counts, now time.Time) error {
	switch kind {
	case bgp.TypeKeepalive, bgp.TypeRefresh: // we have nothing to tell again
		return nil
	case bgp.TypeNotification:
		return notified(body)
	case bgp.TypeUpdate:
		u, err := t.d.Update(body, t.o)
		if err != nil {
			return err
		}
		if n := len(u.Problems); n > 0 {
			c.Problems += uint64(n)
			t.speaker.hub.said.once(slog.LevelWarn, t.subject()+" attributes", "a neighbour's UPDATE has a malformed attribute, and is dealt with as RFC 7606 says",
				"device", t.n.Device, "neighbour", t.n.Address, "attribute", u.Problems[0].Attribute, "error", u.Problems[0].What)
		}
		t.strip(&u.Attrs)
		table.Update(key, paths.AdjInPre, u, now)
		return nil
	}
	return &bgp.Fault{Code: codeFSM, Subcode: 3, Data: []byte{byte(kind)}, What: "an OPEN came in an established session"}
}

// strip takes off what only neighbours of our own AS, or of our confederation, may say (RFC 7606 sections 7.5, 7.9, 7.10).
func (t *talk) strip(a *bgp.Attributes) {
	if bgp.ASN(t.n.AS) == t.localAS() || len(a.ASPath) > 0 && (a.ASPath[0].Type == bgp.ConfedSequence || a.ASPath[0].Type == bgp.ConfedSet) {
		return
	}
	a.LocalPref, a.HasLocalPref, a.OriginatorID, a.Clusters = 0, false, netip.Addr{}, 0
}

// closedBy is a neighbour's NOTIFICATION.
type closedBy struct{ n bgp.Notification }

func (c closedBy) Error() string {
	text := "the neighbour closed it: " + c.n.String()
	if c.n.Code == codeOpen && c.n.Subcode == 2 {
		text += ": see which AS it expects of us"
	}
	return text
}

func notified(body []byte) error {
	n, err := bgp.ParseNotification(body)
	if err != nil {
		return &bgp.Fault{Code: 1, Subcode: 2, What: "its NOTIFICATION is cut short"}
	}
	return closedBy{n}
}
