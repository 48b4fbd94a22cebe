package trap

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/usm"
)

// Options are what a Receiver needs. Use is required.
type Options struct {
	Secrets Secrets
	// Use is given each good trap, in turn, and says what became of it: Polled, Folded, Ignored or UnknownSender. It must
	// not block.
	Use func(*Trap) Result
	// Engine is our engine's id, octets, by which senders of informs of version 3 know us; it should stay the same
	// over restarts. At least five.
	Engine []byte
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: silent
}

// Secrets are what senders may use.
type Secrets struct {
	Communities []secret.Text // of versions 1 and 2c
	Users       []collectors.V3
}

// Stats are counters since the receiver was made.
type Stats struct {
	Results map[Result]uint64 // of datagrams
	Informs uint64            // answered
	Reports uint64            // sent to senders of informs
	Unknown int               // different senders that were named in the log, and are not known
}

// Receiver hears traps. Its methods may be called from any goroutine.
type Receiver struct {
	o Options

	mu          sync.Mutex
	communities [][]byte
	security    security
	noted       map[note]bool
	silenced    bool // mostNotes was reached, and said
	reports     float64
	reportedAt  time.Time
	stats       Stats
}

// note is what the log has said already.
type note struct {
	result Result
	from   netip.Addr
}

// Bounds of what unknown senders may cost.
const (
	mostNotes   = 1000  // lines in the log of senders that nobody knows or whose keys are wrong
	reportBurst = 200.0 // reports at once, and per second: a report is longer than what may ask for it
)

// founding is what the count of restarts counts from, in minutes: it only ever grows, and nothing has to be written down
// for that (RFC 3414 section 2.2.2).
var founding = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// New makes a receiver. Its error is that of a user's protocols or keys.
func New(o Options) (*Receiver, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if len(o.Engine) < 5 || len(o.Engine) > 32 {
		return nil, fmt.Errorf("an engine's id has 5 to 32 octets (RFC 3411 section 5), not %d", len(o.Engine))
	}
	now := o.Now()
	r := &Receiver{o: o, stats: Stats{Results: map[Result]uint64{}}, noted: map[note]bool{}, reports: reportBurst, reportedAt: now}
	r.security = security{engine: o.Engine, boots: int32(now.Sub(founding) / time.Minute), started: now, clocks: map[string]*clock{}}
	return r, r.Set(o.Secrets)
}

// Set replaces what senders may use. What was said of senders may be said again.
func (r *Receiver) Set(s Secrets) error {
	users := map[string][]*user{}
	seen := map[usm.User]bool{}
	for _, v := range s.Users {
		u := usm.User{Name: v.User, AuthProtocol: v.AuthProtocol, AuthKey: v.AuthKey.Reveal(), PrivProtocol: v.PrivProtocol, PrivKey: v.PrivKey.Reveal()}
		if seen[u] {
			continue
		}
		seen[u] = true
		m, err := u.Master()
		if err != nil {
			return fmt.Errorf("SNMPv3 user %s: %w", u.Name, err)
		}
		users[u.Name] = append(users[u.Name], &user{master: m, local: map[string]*usm.Keys{}})
	}
	var communities [][]byte
	for _, c := range s.Communities {
		communities = append(communities, []byte(c.Reveal()))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.communities, r.security.users = communities, users
	clear(r.noted)
	r.silenced = false
	return nil
}

// Engine is our engine's id.
func (r *Receiver) Engine() []byte { return r.o.Engine }

// Stats tells what has come in.
func (r *Receiver) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Results = maps.Clone(s.Results)
	return s
}

// buffer is what the kernel may hold for us while a storm comes in, in octets.
const buffer = 4 << 20

// Listen opens a UDP socket for Run.
func Listen(addr string) (*net.UDPConn, error) {
	at, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for traps on %s: %w", addr, err)
	}
	conn, err := net.ListenUDP("udp", at)
	if err != nil {
		err = fmt.Errorf("listen for traps on %s: %w", addr, err)
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w; ports below 1024 take CAP_NET_BIND_SERVICE, see docs/install.md", err)
		}
		return nil, err
	}
	_ = conn.SetReadBuffer(buffer) // less will do
	return conn, nil
}

// Run takes in what comes to a socket until ctx is done, and closes it.
func (r *Receiver) Run(ctx context.Context, conn *net.UDPConn) error {
	release := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer release()
	defer func() { _ = conn.Close() }()
	buf := make([]byte, largest+1)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			continue // an ICMP error of an earlier answer
		}
		if reply := r.Take(buf[:n:n], from); reply != nil {
			_, _ = conn.WriteToUDPAddrPort(reply, from) // one that gets lost is asked for again
		}
	}
}

// Take takes in one datagram, which it does not keep, and returns the answer where there is one: to an inform, or to
// who looks for our engine.
func (r *Receiver) Take(datagram []byte, from netip.AddrPort) (reply []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.o.Now()
	t, result, reply := r.read(datagram[:len(datagram):len(datagram)], now)
	if result == Accepted {
		t.At, t.From = now, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		result = Ignored
		if !t.Idle() {
			result = r.o.Use(t)
		}
	}
	r.stats.Results[result]++
	r.note(result, from.Addr().Unmap().WithZone(""), t)
	return reply
}

// read makes a trap of a datagram, and the answer.
func (r *Receiver) read(datagram []byte, now time.Time) (*Trap, Result, []byte) {
	v, rest, err := version(datagram)
	switch {
	case err != nil:
		return nil, Malformed, nil
	case v == 3:
		return r.read3(datagram, rest, now)
	case v != 0 && v != 1:
		return nil, Malformed, nil
	}
	m, err := readCommunity(v, rest)
	switch {
	case m == nil:
		return nil, Malformed, nil
	case !r.allowed(m.community): // before what it says: it is nobody's business
		return nil, WrongCommunity, nil
	case errors.Is(err, errUnsupported):
		return nil, Unsupported, nil
	case err != nil:
		return nil, Malformed, nil
	}
	t := &m.pdu.trap
	t.Version = "2c"
	if v == 0 {
		t.Version = "1"
	}
	if !t.Inform {
		return t, Accepted, nil
	}
	r.stats.Informs++
	return t, Accepted, m.answer()
}

func (r *Receiver) allowed(community []byte) bool {
	for _, c := range r.communities {
		if subtle.ConstantTimeCompare(c, community) == 1 {
			return true
		}
	}
	return false
}

func (r *Receiver) read3(datagram []byte, rest *reader, now time.Time) (*Trap, Result, []byte) {
	m, err := readMessage3(rest)
	if err != nil {
		return nil, Malformed, nil
	}
	o := r.security.open(m, datagram, now)
	if o.result != Accepted {
		if o.stat == 0 || m.flags&reportable == 0 || !r.mayReport(now) {
			return nil, o.result, nil
		}
		r.stats.Reports++
		return nil, o.result, r.security.report(m, o, now)
	}
	t := &o.pdu.trap
	t.Version, t.User, t.Engine = "3", string(m.user), o.engine
	if !t.Inform {
		return t, Accepted, nil
	}
	r.stats.Informs++
	return t, Accepted, r.security.answer(m, o, now)
}

// mayReport draws on a bucket: nobody shall use us to send datagrams to others.
func (r *Receiver) mayReport(now time.Time) bool {
	r.reports = min(reportBurst, r.reports+now.Sub(r.reportedAt).Seconds()*reportBurst)
	r.reportedAt = now
	if r.reports < 1 {
		return false
	}
	r.reports--
	return true
}

// words say what is wrong with a sender, and what to do about it.
var words = map[Result][2]string{
	UnknownSender:  {"a trap comes from an address that no device has", "add the device, or name the address under traps: senders; such traps are counted and nothing else"},
	WrongCommunity: {"a trap's community is wrong", "give the one that the device sends, as a credential named under traps: credentials"},
	UnknownUser:    {"a trap's SNMPv3 user is not known", "give the user that the device sends as, as a credential named under traps: credentials"},
	LowLevel:       {"a trap's SNMPv3 security level is not that of its user", "have the device authenticate and encrypt as the credential says"},
	WrongKey:       {"a trap's authentication key or its protocol is wrong", "compare user, protocol and key with those of the device"},
	NotDecrypted:   {"a trap's privacy key or its protocol is wrong", "compare protocol and key with those of the device"},
	OutOfWindow:    {"a trap is older than what its sender said last, or its clock is out of the window", "see whether the device's clock or count of restarts was set back; or somebody repeats old traps"},
	Malformed:      {"a datagram is no SNMP message", "see what sends it to the port of traps"},
	Unsupported:    {"an SNMP message is neither a trap nor an inform", "see what asks here: this is no agent"},
}

// note says in the log what is wrong with a sender, once each.
func (r *Receiver) note(result Result, from netip.Addr, t *Trap) {
	w, bad := words[result]
	n := note{result, from}
	if !bad || r.noted[n] || r.silenced {
		return
	}
	if len(r.noted) >= mostNotes {
		r.silenced = true
		r.o.Log.Warn("too many senders of traps are unknown or wrong to name more of them; they are counted only", "named", mostNotes)
		return
	}
	r.noted[n] = true
	if result == UnknownSender {
		r.stats.Unknown++
	}
	args := []any{"from", from, "hint", w[1]}
	if t != nil {
		args = append(args, "trap", t.Line())
		if t.Agent.IsValid() {
			args = append(args, "agent", t.Agent)
		}
	}
	r.o.Log.Warn(w[0], args...)
}
