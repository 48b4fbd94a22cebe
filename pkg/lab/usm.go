package lab

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" // RFC 3414 section 8
	"crypto/hmac"
	"crypto/md5" // RFC 3414 section 6
	"crypto/rand"
	"crypto/sha1" // RFC 3414 section 7
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

// SNMPv3 with the user-based security model (RFC 3412, RFC 3414; SHA-2 by RFC 7860, AES by RFC 3826, the longer AES
// keys as in draft-blumenthal-aes-usm-04), as an agent needs it.

// SNMPUser is one user of an agent. Protocols and keys are written as in collectors.V3; an empty protocol means without.
type SNMPUser struct {
	Name         string
	AuthProtocol string
	AuthKey      string
	PrivProtocol string
	PrivKey      string
}

// usm is an agent's engine: who it is, and its users' keys, localized to it.
type usm struct {
	engine  []byte
	boots   int32
	started time.Time
	now     func() time.Time
	users   map[string]*usmUser
}

type usmUser struct {
	hash func() hash.Hash // nil: no authentication
	size int              // octets of its digests
	auth []byte
	priv []byte
	des  bool
}

var authHashes = map[string]struct {
	hash func() hash.Hash
	size int
}{
	"MD5": {md5.New, 12}, "SHA": {sha1.New, 12}, "SHA-224": {sha256.New224, 16}, "SHA-256": {sha256.New, 24},
	"SHA-384": {sha512.New384, 32}, "SHA-512": {sha512.New, 48},
}

var privSizes = map[string]int{"DES": 16, "AES": 16, "AES-192": 24, "AES-256": 32}

// Users makes the agent speak version 3 to these users, beside what Community allows. Each call is a restart of the
// agent's engine: the same engine, booted once more.
func (a *Agent) Users(users ...SNMPUser) error {
	u := &usm{engine: make([]byte, 12), boots: 1, started: time.Now(), now: time.Now, users: map[string]*usmUser{}}
	copy(u.engine, []byte{0x80, 0, 0x1f, 0x88, 5}) // RFC 3411 section 5: an enterprise, then octets of its choice
	_, _ = rand.Read(u.engine[5:])
	if old := a.usm.Load(); old != nil {
		u.engine, u.boots = old.engine, old.boots+1
	}
	for _, user := range users {
		made, err := u.user(user)
		if err != nil {
			return fmt.Errorf("user %s: %w", user.Name, err)
		}
		u.users[user.Name] = made
	}
	a.usm.Store(u)
	return nil
}

func (u *usm) user(s SNMPUser) (*usmUser, error) {
	out := &usmUser{}
	if s.AuthProtocol == "" {
		if s.PrivProtocol != "" {
			return nil, errors.New("privacy needs authentication")
		}
		return out, nil
	}
	h, ok := authHashes[s.AuthProtocol]
	if !ok {
		return nil, fmt.Errorf("no such authentication protocol: %s", s.AuthProtocol)
	}
	if len(s.AuthKey) < 8 || s.PrivProtocol != "" && len(s.PrivKey) < 8 {
		return nil, errors.New("keys have 8 letters at least (RFC 3414 section 11.2)")
	}
	out.hash, out.size = h.hash, h.size
	out.auth = localized(h.hash, s.AuthKey, u.engine)
	if s.PrivProtocol == "" {
		return out, nil
	}
	size, ok := privSizes[s.PrivProtocol]
	if !ok {
		return nil, fmt.Errorf("no such privacy protocol: %s", s.PrivProtocol)
	}
	out.des = s.PrivProtocol == "DES"
	out.priv = localized(h.hash, s.PrivKey, u.engine)
	for len(out.priv) < size {
		more := h.hash()
		more.Write(out.priv)
		out.priv = more.Sum(out.priv)
	}
	out.priv = out.priv[:size]
	return out, nil
}

// localized turns a password into the key for one engine (RFC 3414 section 2.6 and appendix A.2).
func localized(newHash func() hash.Hash, password string, engine []byte) []byte {
	h := newHash()
	repeated := bytes.Repeat([]byte(password), 1<<20/max(len(password), 1)+1)
	h.Write(repeated[:1<<20])
	key := h.Sum(nil)
	h.Reset()
	h.Write(key)
	h.Write(engine)
	h.Write(key)
	return h.Sum(nil)
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
func (a *Agent) answer3(datagram []byte, u *usm) []byte {
	m, err := decode3(datagram)
	if err != nil {
		return nil
	}
	user, failure := u.check(m, datagram)
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
func (u *usm) check(m *message3, datagram []byte) (*usmUser, int) {
	if !bytes.Equal(m.engine, u.engine) {
		return nil, unknownEngine
	}
	user := u.users[m.user]
	if user == nil {
		return nil, unknownUser
	}
	level := byte(0)
	if user.hash != nil {
		level |= 1
	}
	if user.priv != nil {
		level |= 2
	}
	if m.flags&3 != level {
		return nil, unsupportedLevel
	}
	if level&1 == 0 {
		return user, 0
	}
	if len(m.digest) != user.size || !hmac.Equal(m.digest, user.sign(datagram, m.digest)) {
		return nil, wrongDigest
	}
	if late := int64(m.time) - u.seconds(); m.boots != u.boots || late > 150 || late < -150 {
		return user, notInTime
	}
	return user, 0
}

func (u *usm) seconds() int64 { return int64(u.now().Sub(u.started) / time.Second) }

// sign makes the digest of a datagram whose own digest, a part of it, counts as zeros.
func (u *usmUser) sign(datagram, digest []byte) []byte {
	at := cap(datagram) - cap(digest) // both end where the datagram's memory ends
	blank := bytes.Clone(datagram)
	clear(blank[at : at+u.size])
	mac := hmac.New(u.hash, u.auth)
	mac.Write(blank)
	return mac.Sum(nil)[:u.size]
}

// open gives the scoped PDU's PDU.
func (m *message3) open(u *usm, user *usmUser) (pdu []byte, ok bool) {
	scoped := m.scoped
	if m.flags&2 != 0 {
		plain, ok := user.crypt(m.boots, m.time, m.salt, m.scoped, false)
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

// crypt encrypts or decrypts; the salt is 8 octets.
func (u *usmUser) crypt(boots, seconds int32, salt, in []byte, encrypt bool) ([]byte, bool) {
	if len(salt) != 8 || len(in) == 0 {
		return nil, false
	}
	if u.des {
		return u.cryptDES(salt, in, encrypt)
	}
	block, err := aes.NewCipher(u.priv)
	if err != nil {
		return nil, false
	}
	iv := binary.BigEndian.AppendUint32(nil, uint32(boots))
	iv = binary.BigEndian.AppendUint32(iv, uint32(seconds))
	return cfb(block, append(iv, salt...), in, encrypt), true
}

func (u *usmUser) cryptDES(salt, in []byte, encrypt bool) ([]byte, bool) {
	block, err := des.NewCipher(u.priv[:8])
	if err != nil {
		return nil, false
	}
	iv := make([]byte, 8)
	for i := range iv {
		iv[i] = u.priv[8+i] ^ salt[i]
	}
	if encrypt {
		in = append(bytes.Clone(in), make([]byte, (8-len(in)%8)%8)...)
	}
	if len(in)%8 != 0 {
		return nil, false
	}
	out := make([]byte, len(in))
	if encrypt {
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, in)
	} else {
		cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, in)
	}
	return out, true
}

// cfb is the cipher feedback mode with whole blocks (NIST SP 800-38A section 6.3), which the standard library advises
// against and RFC 3826 section 3.1.3 asks for.
func cfb(block cipher.Block, iv, in []byte, encrypt bool) []byte {
	out, feedback := make([]byte, len(in)), bytes.Clone(iv)
	for i := 0; i < len(in); i += len(feedback) {
		block.Encrypt(feedback, feedback)
		n := min(len(feedback), len(in)-i)
		for j := range n {
			out[i+j] = in[i+j] ^ feedback[j]
		}
		if encrypt {
			copy(feedback, out[i:i+n])
		} else {
			copy(feedback, in[i:i+n])
		}
	}
	return out
}

// report tells the sender what is wrong, and, on the way, who we are and what time it is.
func (u *usm) report(m *message3, user *usmUser, failure int) []byte {
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
func (u *usm) seal(m *message3, user *usmUser, level byte, pdu []byte) []byte {
	boots, seconds := u.boots, int32(u.seconds())
	scoped := appendTLV(nil, byte(recording.OctetString), u.engine)
	scoped = appendTLV(scoped, byte(recording.OctetString), m.context)
	scoped = appendTLV(nil, 0x30, append(scoped, pdu...))
	var digest, salt []byte
	if level&2 != 0 {
		salt = make([]byte, 8)
		_, _ = rand.Read(salt)
		sealed, _ := user.crypt(boots, seconds, salt, scoped, true) // the salt is 8 octets, and there is something in it
		scoped = appendTLV(nil, byte(recording.OctetString), sealed)
	}
	if level&1 != 0 {
		digest = make([]byte, user.size)
	}
	params := appendTLV(nil, byte(recording.OctetString), u.engine)
	params = appendSigned(params, byte(recording.Integer), int64(boots))
	params = appendSigned(params, byte(recording.Integer), int64(seconds))
	params = appendTLV(params, byte(recording.OctetString), []byte(m.user))
	params = appendTLV(params, byte(recording.OctetString), digest)
	behind := appendTLV(nil, byte(recording.OctetString), salt)
	params = appendTLV(nil, 0x30, append(params, behind...))
	head := appendSigned(nil, byte(recording.Integer), int64(m.id))
	head = appendSigned(head, byte(recording.Integer), 65507)
	head = appendTLV(head, byte(recording.OctetString), []byte{level})
	head = appendSigned(head, byte(recording.Integer), 3)
	body := append([]byte{byte(recording.Integer), 1, 3}, appendTLV(nil, 0x30, head)...)
	body = appendTLV(body, byte(recording.OctetString), params)
	body = append(body, scoped...)
	out := appendTLV(nil, 0x30, body)
	if level&1 != 0 {
		at := len(out) - len(scoped) - len(behind) - len(digest)
		mac := hmac.New(user.hash, user.auth)
		mac.Write(out)
		copy(out[at:], mac.Sum(nil)[:user.size])
	}
	return out
}
