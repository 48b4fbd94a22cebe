package lab

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/sparewatch/sparewatch/pkg/ber"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/usm"
)

// SNMPv3 with the user-based security model (RFC 3412, RFC 3414), as an agent needs it.

// SNMPUser is one user of an agent. Protocols and keys are written as in collectors.V3; an empty protocol means without.
type SNMPUser = usm.User

// engine3 is an agent's engine: who it is, and its users' keys, localized to it.
type engine3 struct {
	id      []byte
	boots   int32
	started time.Time
	now     func() time.Time
	users   map[string]*usm.Keys
}

// Users makes the agent speak version 3 to these users, beside what Community allows. Each call is a restart of the
// agent's engine: the same engine, booted once more.
func (a *Agent) Users(users ...SNMPUser) error {
	e := &engine3{id: make([]byte, 12), boots: 1, started: time.Now(), now: time.Now, users: map[string]*usm.Keys{}}
	copy(e.id, []byte{0x80, 0, 0x1f, 0x88, 5}) // RFC 3411 section 5: an enterprise, then octets of its choice
	_, _ = rand.Read(e.id[5:])
	if old := a.engine.Load(); old != nil {
		e.id, e.boots = old.id, old.boots+1
	}
	for _, user := range users {
		m, err := user.Master()
		if err != nil {
			return fmt.Errorf("user %s: %w", user.Name, err)
		}
		e.users[user.Name] = m.Localize(e.id)
	}
	a.engine.Store(e)
	return nil
}

// message3 is one SNMPv3 message.
type message3 struct {
	id      int32
	flags   byte // 1 authenticated, 2 encrypted, 4 to be answered with a report
	engine  []byte
	boots   int32
	time    int32
	user    string
	digest  []byte // where it stands in the datagram
	salt    []byte
	scoped  []byte // the scoped PDU's content, or what it is encrypted to
	context []byte
}

// isVersion3 reports whether the datagram is an SNMPv3 message, as far as its first octets tell.
func isVersion3(datagram []byte) bool {
	b, _, err := want(0x30, datagram)
	if err != nil {
		return false
	}
	version, _, err := wantInt(b)
	return err == nil && version == 3
}

func decode3(datagram []byte) (*message3, error) {
	b, _, err := want(0x30, datagram)
	if err != nil {
		return nil, err
	}
	version, b, err := wantInt(b)
	if err != nil || version != 3 {
		return nil, errBER
	}
	head, b, err := want(0x30, b)
	if err != nil {
		return nil, err
	}
	m := &message3{}
	if m.id, head, err = wantInt32(head); err != nil {
		return nil, err
	}
	if _, head, err = wantInt32(head); err != nil { // the sender's largest message
		return nil, err
	}
	flags, head, err := want(byte(recording.OctetString), head)
	if err != nil || len(flags) != 1 {
		return nil, errBER
	}
	m.flags = flags[0]
	if model, _, err := wantInt(head); err != nil || model != 3 {
		return nil, errBER
	}
	params, b, err := want(byte(recording.OctetString), b)
	if err != nil {
		return nil, err
	}
	if err := m.security(params); err != nil {
		return nil, err
	}
	tag := byte(0x30)
	if m.flags&2 != 0 {
		tag = byte(recording.OctetString)
	}
	m.scoped, _, err = want(tag, b)
	return m, err
}

func (m *message3) security(params []byte) error {
	b, _, err := want(0x30, params)
	if err != nil {
		return err
	}
	text := func() (out []byte) {
		if err == nil {
			out, b, err = want(byte(recording.OctetString), b)
		}
		return out
	}
	m.engine = text()
	for _, n := range []*int32{&m.boots, &m.time} {
		if err == nil {
			*n, b, err = wantInt32(b)
		}
	}
	m.user = string(text())
	m.digest, m.salt = text(), text()
	return err
}

// Errors of the model, by the counters that name them in a report (RFC 3414 section 5, usmStats).
const (
	unsupportedLevel = 1
	notInTime        = 2
	unknownUser      = 3
	unknownEngine    = 4
	wrongDigest      = 5
	notDecrypted     = 6
)

// answer3 answers a version 3 message: nil where there is nothing to say.
func (a *Agent) answer3(datagram []byte, u *engine3) []byte {
	m, err := decode3(datagram)
	if err != nil {
		return nil
	}
	user, failure := u.check(m, datagram, a.AnyUser)
	if f := a.faults.Load(); f != nil && f.NotInTime && failure == 0 && m.flags&usm.Authenticated != 0 {
		failure = notInTime
	}
	if failure != 0 {
		return u.report(m, user, failure)
	}
	pdu, ok := m.open(u, user)
	if !ok {
		return u.report(m, user, notDecrypted)
	}
	request, err := decodePDU(pdu)
	if err != nil {
		return nil
	}
	request.version = version2c // its PDUs are those of version 2
	request.around = 240 + len(m.user)
	return a.answer(request, func(r *message, binds []byte) []byte {
		return u.seal(m, user, m.flags&3, r.encodePDU(binds))
	})
}

// check applies RFC 3414 section 3.2 to an incoming message.
func (u *engine3) check(m *message3, datagram []byte, any bool) (*usm.Keys, int) {
	if !bytes.Equal(m.engine, u.id) {
		return nil, unknownEngine
	}
	user := u.users[m.user]
	if user == nil && any && m.flags&3 == 0 {
		return &usm.Keys{}, 0
	}
	if user == nil {
		return nil, unknownUser
	}
	level := user.Level()
	if m.flags&3 != level {
		return nil, unsupportedLevel
	}
	if level&1 == 0 {
		return user, 0
	}
	// The digest ends where the datagram's memory ends.
	if !user.Verify(datagram, cap(datagram)-cap(m.digest), len(m.digest)) {
		return nil, wrongDigest
	}
	if late := int64(m.time) - u.seconds(); m.boots != u.boots || late > 150 || late < -150 {
		return user, notInTime
	}
	return user, 0
}

func (u *engine3) seconds() int64 { return int64(u.now().Sub(u.started) / time.Second) }

// open gives the scoped PDU's PDU.
func (m *message3) open(u *engine3, user *usm.Keys) (pdu []byte, ok bool) {
	scoped := m.scoped
	if m.flags&2 != 0 {
		plain, ok := user.Decrypt(m.boots, m.time, m.salt, m.scoped)
		if !ok {
			return nil, false
		}
		var err error
		if scoped, _, err = want(0x30, plain); err != nil {
			return nil, false
		}
	}
	var err error
	if _, scoped, err = want(byte(recording.OctetString), scoped); err != nil { // the context's engine
		return nil, false
	}
	m.context, scoped, err = want(byte(recording.OctetString), scoped)
	return scoped, err == nil
}

// report tells the sender what is wrong, and, on the way, who we are and what time it is.
func (u *engine3) report(m *message3, user *usm.Keys, failure int) []byte {
	if m.flags&4 == 0 {
		return nil
	}
	r := message{pdu: 0xa8} // Report-PDU
	counter := recording.Object{OID: recording.OID{1, 3, 6, 1, 6, 3, 15, 1, 1, uint32(failure), 0}, Value: recording.UintValue(recording.Counter32, 1)}
	level := byte(0)
	if failure == notInTime && user != nil {
		level = 1
	}
	return u.seal(m, user, level, r.encodePDU(appendBind(nil, counter)))
}

// seal makes the message around a PDU.
func (u *engine3) seal(m *message3, user *usm.Keys, level byte, pdu []byte) []byte {
	boots, seconds := u.boots, int32(u.seconds())
	scoped := ber.AppendTLV(nil, byte(recording.OctetString), u.id)
	scoped = ber.AppendTLV(scoped, byte(recording.OctetString), m.context)
	scoped = ber.AppendTLV(nil, 0x30, append(scoped, pdu...))
	var digest, salt []byte
	if level&2 != 0 {
		salt = usm.Salt()
		sealed, _ := user.Encrypt(boots, seconds, salt, scoped) // the salt is 8 octets, and there is something in it
		scoped = ber.AppendTLV(nil, byte(recording.OctetString), sealed)
	}
	if level&1 != 0 {
		digest = make([]byte, user.DigestSize())
	}
	params := ber.AppendTLV(nil, byte(recording.OctetString), u.id)
	params = ber.AppendSigned(params, byte(recording.Integer), int64(boots))
	params = ber.AppendSigned(params, byte(recording.Integer), int64(seconds))
	params = ber.AppendTLV(params, byte(recording.OctetString), []byte(m.user))
	params = ber.AppendTLV(params, byte(recording.OctetString), digest)
	behind := ber.AppendTLV(nil, byte(recording.OctetString), salt)
	params = ber.AppendTLV(nil, 0x30, append(params, behind...))
	head := ber.AppendSigned(nil, byte(recording.Integer), int64(m.id))
	head = ber.AppendSigned(head, byte(recording.Integer), 65507)
	head = ber.AppendTLV(head, byte(recording.OctetString), []byte{level})
	head = ber.AppendSigned(head, byte(recording.Integer), 3)
	body := append([]byte{byte(recording.Integer), 1, 3}, ber.AppendTLV(nil, 0x30, head)...)
	body = ber.AppendTLV(body, byte(recording.OctetString), params)
	body = append(body, scoped...)
	out := ber.AppendTLV(nil, 0x30, body)
	if level&1 != 0 {
		at := len(out) - len(scoped) - len(behind) - len(digest)
		copy(out[at:], user.Digest(out, at))
	}
	return out
}
