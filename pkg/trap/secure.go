package trap

import (
	"bytes"
	"math"
	"time"

	"github.com/sparewatch/sparewatch/pkg/ber"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/usm"
)

// Messages of SNMPv3 with the user-based security model (RFC 3412, RFC 3414). Of a trap the sender's engine is the
// authoritative one: its id localizes the keys, its boots and time are what the message is measured by. Of an inform
// it is ours, and a sender that does not know it yet is told.

const reportable = 4 // a message's flag: a report may be sent back

// message3 is one message.
type message3 struct {
	id      int32
	flags   byte
	engine  []byte
	boots   int32
	seconds int32
	user    []byte
	digest  []byte // a part of the datagram, up to whose end its memory reaches
	salt    []byte
	scoped  []byte // the scoped PDU's content, or what it is encrypted to
}

func readMessage3(r *reader) (*message3, error) {
	m := &message3{}
	head := r.in(sequence)
	m.id = head.int32()
	head.int32() // the sender's largest message
	flags := head.octets()
	model := head.int32()
	if head.err != nil {
		return nil, head.err
	}
	if len(flags) != 1 || model != 3 {
		return nil, errBER
	}
	m.flags = flags[0]
	outer := &reader{b: r.octets(), err: r.err}
	security := outer.in(sequence)
	m.engine = security.octets()
	m.boots, m.seconds = security.int32(), security.int32()
	m.user = security.octets()
	m.digest, m.salt = security.octets(), security.octets()
	if security.err != nil {
		return nil, security.err
	}
	if len(m.engine) > 32 || len(m.user) > 32 {
		return nil, errBER
	}
	if m.flags&usm.Encrypted != 0 {
		m.scoped = r.octets()
	} else {
		m.scoped = r.take(sequence)
	}
	return m, r.err
}

// inner takes the PDU out of a scoped PDU's content, and the engine that it speaks of.
func inner(scoped []byte) (context []byte, name []byte, p *pdu, err error) {
	r := &reader{b: scoped}
	context, name = r.octets(), r.octets()
	if r.err != nil {
		return nil, nil, nil, r.err
	}
	p, err = readPDU(r)
	return context, name, p, err
}

// security is what the receiver knows of users and engines. It is owned by one goroutine at a time.
type security struct {
	engine  []byte // ours
	boots   int32
	started time.Time
	users   map[string][]*user // by name: devices may have users of one name with different keys
	clocks  map[string]*clock  // of authenticated senders, by their engine's id
}

// user is one set of keys under a name.
type user struct {
	master *usm.Master
	local  map[string]*usm.Keys // by engine id
}

// clock is what is known of an authoritative engine's time (RFC 3414 section 2.3).
type clock struct {
	boots  int32
	newest int32 // latestReceivedEngineTime
	at     time.Time
}

// Bounds of what is remembered of engines; beyond them the oldest sender, or all of a user's keys, are forgotten: they
// come back with the next trap.
const (
	mostClocks = 20_000
	mostLocal  = 20_000
)

// keys localizes a user's keys to an engine. Only what has a user's name costs anything, and little: the slow part was
// done when the user was made.
func (u *user) keys(engine []byte) *usm.Keys {
	if k := u.local[string(engine)]; k != nil {
		return k
	}
	return u.master.Localize(engine)
}

// keep remembers keys of an engine that has proved to be one.
func (u *user) keep(engine []byte, k *usm.Keys) {
	if len(u.local) >= mostLocal {
		clear(u.local)
	}
	u.local[string(engine)] = k
}

// The counters by whose names a report says what is wrong (RFC 3414 section 5, usmStats).
const (
	statUnsupportedLevel = 1
	statNotInTime        = 2
	statUnknownUser      = 3
	statUnknownEngine    = 4
	statWrongDigest      = 5
	statNotDecrypted     = 6
)

// opened is what comes of a message of version 3.
type opened struct {
	result Result
	keys   *usm.Keys // whose the message is; nil where it was not accepted
	level  byte
	pdu    *pdu
	engine string // whom it is about: the sender's engine
	context,
	name []byte // of the scoped PDU
	stat int // what a report says; 0: none
}

// open checks a message and takes out its PDU (RFC 3414 section 3.2).
func (s *security) open(m *message3, datagram []byte, now time.Time) opened {
	ours := bytes.Equal(m.engine, s.engine)
	if len(m.engine) == 0 { // a sender of informs that looks for us
		return opened{result: Discovery, stat: statUnknownEngine}
	}
	candidates := s.users[string(m.user)]
	if len(candidates) == 0 {
		return s.refuse(ours, opened{result: UnknownUser, stat: statUnknownUser})
	}
	out := opened{result: LowLevel, stat: statUnsupportedLevel}
	for _, u := range candidates {
		k := u.keys(m.engine)
		level := k.Level()
		switch {
		case m.flags&(usm.Authenticated|usm.Encrypted) != level:
			continue
		case level&usm.Authenticated != 0 && !k.Verify(datagram, cap(datagram)-cap(m.digest), len(m.digest)):
			out = opened{result: WrongKey, stat: statWrongDigest}
			continue
		}
		return s.openWith(u, k, m, ours, now)
	}
	return s.refuse(ours, out)
}

// refuse turns what is wrong with a message for another engine than ours into that: its sender has to learn of ours
// first.
func (s *security) refuse(ours bool, o opened) opened {
	if !ours {
		o.stat = statUnknownEngine
	}
	return o
}

// openWith goes on with the keys that fit.
func (s *security) openWith(u *user, k *usm.Keys, m *message3, ours bool, now time.Time) opened {
	out := opened{keys: k, level: k.Level()}
	if out.level&usm.Authenticated != 0 && !s.inTime(m, ours, now) {
		out.result, out.stat, out.level = OutOfWindow, statNotInTime, usm.Authenticated
		return out
	}
	scoped := m.scoped
	if out.level&usm.Encrypted != 0 {
		plain, ok := k.Decrypt(m.boots, m.seconds, m.salt, m.scoped)
		r := &reader{b: plain}
		if scoped = r.take(sequence); !ok || r.err != nil {
			return s.refuse(ours, opened{result: NotDecrypted, stat: statNotDecrypted})
		}
	}
	var err error
	out.context, out.name, out.pdu, err = inner(scoped)
	switch {
	case err != nil && out.level&usm.Encrypted != 0 && out.pdu == nil:
		return s.refuse(ours, opened{result: NotDecrypted, stat: statNotDecrypted})
	case err != nil && out.pdu == nil:
		return opened{result: Malformed}
	case err != nil || out.pdu.tag == trapV1:
		return opened{result: Unsupported}
	case out.pdu.tag == inform && !ours:
		// For another engine: it does not know us, or took us for somebody else before our restart.
		return opened{result: Discovery, stat: statUnknownEngine}
	}
	out.result = Accepted
	if out.engine = string(m.engine); ours {
		out.engine = ""
		if len(out.context) > 0 && !bytes.Equal(out.context, s.engine) {
			out.engine = string(out.context)
		}
	}
	if out.level&usm.Authenticated != 0 {
		u.keep(m.engine, k)
	}
	return out
}

// inTime applies the time window: our own clock to what is for us, else what the sender's engine said last.
func (s *security) inTime(m *message3, ours bool, now time.Time) bool {
	if m.boots < 0 || m.boots == math.MaxInt32 || m.seconds < 0 {
		return false
	}
	if ours {
		late := int64(m.seconds) - s.seconds(now)
		return m.boots == s.boots && late <= usm.Window && late >= -usm.Window
	}
	c := s.clocks[string(m.engine)]
	switch {
	case c == nil:
		s.forgetOldest()
		c = &clock{boots: m.boots}
		s.clocks[string(m.engine)] = c
	case m.boots < c.boots:
		return false
	case m.boots == c.boots && int64(m.seconds) < int64(c.newest)-usm.Window:
		return false
	}
	if m.boots > c.boots || m.seconds > c.newest {
		c.boots, c.newest = m.boots, m.seconds
	}
	c.at = now
	return true
}

// forgetOldest makes room for one more clock.
func (s *security) forgetOldest() {
	if len(s.clocks) < mostClocks {
		return
	}
	oldest, when := "", time.Time{}
	for id, c := range s.clocks {
		if oldest == "" || c.at.Before(when) {
			oldest, when = id, c.at
		}
	}
	delete(s.clocks, oldest)
}

func (s *security) seconds(now time.Time) int64 { return int64(now.Sub(s.started) / time.Second) }

// report tells the sender of an inform what is wrong and, on the way, who we are and what time it is.
func (s *security) report(m *message3, o opened, now time.Time) []byte {
	counter := ber.AppendTLV(nil, byte(recording.ObjectID), []byte{0x2b, 6, 1, 6, 3, 15, 1, 1, byte(o.stat), 0})
	counter = ber.AppendSigned(counter, byte(recording.Counter32), 1)
	body := ber.AppendSigned(nil, byte(recording.Integer), 0)
	body = ber.AppendSigned(body, byte(recording.Integer), 0)
	body = ber.AppendSigned(body, byte(recording.Integer), 0)
	body = ber.AppendTLV(body, sequence, ber.AppendTLV(nil, sequence, counter))
	level := byte(0)
	if o.stat == statNotInTime {
		level = o.level
	}
	return s.seal(m, o, level, ber.AppendTLV(nil, report, body), now)
}

// answer is the response to an inform.
func (s *security) answer(m *message3, o opened, now time.Time) []byte {
	return s.seal(m, o, o.level, o.pdu.answered(), now)
}

// seal makes the message around a PDU. Our engine is the authoritative one.
func (s *security) seal(m *message3, o opened, level byte, pdu []byte, now time.Time) []byte {
	seconds := int32(s.seconds(now))
	context := o.context
	if len(context) == 0 {
		context = s.engine
	}
	scoped := appendOctets(nil, context)
	scoped = appendOctets(scoped, o.name)
	scoped = ber.AppendTLV(nil, sequence, append(scoped, pdu...))
	var digest, salt []byte
	if level&usm.Encrypted != 0 {
		salt = usm.Salt()
		sealed, _ := o.keys.Encrypt(s.boots, seconds, salt, scoped) // there is something in it
		scoped = appendOctets(nil, sealed)
	}
	if level&usm.Authenticated != 0 {
		digest = make([]byte, o.keys.DigestSize())
	}
	params := appendOctets(nil, s.engine)
	params = ber.AppendSigned(params, byte(recording.Integer), int64(s.boots))
	params = ber.AppendSigned(params, byte(recording.Integer), int64(seconds))
	params = appendOctets(params, m.user)
	params = appendOctets(params, digest)
	behind := appendOctets(nil, salt)
	params = ber.AppendTLV(nil, sequence, append(params, behind...))
	head := ber.AppendSigned(nil, byte(recording.Integer), int64(m.id))
	head = ber.AppendSigned(head, byte(recording.Integer), largest)
	head = appendOctets(head, []byte{level})
	head = ber.AppendSigned(head, byte(recording.Integer), 3)
	body := ber.AppendSigned(nil, byte(recording.Integer), 3)
	body = ber.AppendTLV(body, sequence, head)
	body = appendOctets(body, params)
	body = append(body, scoped...)
	out := ber.AppendTLV(nil, sequence, body)
	if level&usm.Authenticated != 0 {
		at := len(out) - len(scoped) - len(behind) - len(digest)
		copy(out[at:], o.keys.Digest(out, at))
	}
	return out
}

// largest is the largest message that is taken, in octets: a UDP datagram.
const largest = 65507
