// Package usm gives the sums of SNMPv3's user-based security model: keys from passwords, digests, encryption (RFC 3414;
// SHA-2 by RFC 7860, AES by RFC 3826, the longer AES keys as in draft-blumenthal-aes-usm-04).
//
// It knows no messages, no clocks and no users' permissions: whoever reads or writes messages keeps those.
//
//	m, err := usm.User{Name: "ops", AuthProtocol: "SHA-256", AuthKey: "..."}.Master()
//	keys := m.Localize(engine)
//	keys.Sign(message, at)
package usm

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
)

// User is a user with passwords. An empty protocol means without.
type User struct {
	Name         string
	AuthProtocol string // "", MD5, SHA, SHA-224, SHA-256, SHA-384, SHA-512
	AuthKey      string
	PrivProtocol string // "", DES, AES, AES-192, AES-256
	PrivKey      string
}

// Security levels, as the flags of a message's header have them (RFC 3412 section 6.4).
const (
	Authenticated byte = 1
	Encrypted     byte = 2
)

// Window is how many seconds two notions of an engine's time may lie apart (RFC 3414 section 2.2.3).
const Window = 150

var hashes = map[string]struct {
	hash func() hash.Hash
	size int // octets of a digest in a message
}{
	"MD5": {md5.New, 12}, "SHA": {sha1.New, 12}, "SHA-224": {sha256.New224, 16}, "SHA-256": {sha256.New, 24},
	"SHA-384": {sha512.New384, 32}, "SHA-512": {sha512.New, 48},
}

var keySizes = map[string]int{"DES": 16, "AES": 16, "AES-192": 24, "AES-256": 32}

// Master are a user's passwords, stretched: what is slow is done once, here.
type Master struct {
	hash func() hash.Hash // nil: no authentication
	size int
	auth []byte
	priv []byte
	key  int // octets of the privacy key; 0: no privacy
	des  bool
}

// Master checks the protocols and the passwords' lengths. It takes a millisecond or two.
func (u User) Master() (*Master, error) {
	m := &Master{}
	if u.AuthProtocol == "" {
		if u.PrivProtocol != "" {
			return nil, errors.New("privacy needs authentication")
		}
		return m, nil
	}
	h, ok := hashes[u.AuthProtocol]
	if !ok {
		return nil, fmt.Errorf("no such authentication protocol: %s", u.AuthProtocol)
	}
	if len(u.AuthKey) < 8 || u.PrivProtocol != "" && len(u.PrivKey) < 8 {
		return nil, errors.New("keys have 8 letters at least (RFC 3414 section 11.2)")
	}
	m.hash, m.size = h.hash, h.size
	m.auth = stretched(h.hash, u.AuthKey)
	if u.PrivProtocol == "" {
		return m, nil
	}
	if m.key, ok = keySizes[u.PrivProtocol]; !ok {
		return nil, fmt.Errorf("no such privacy protocol: %s", u.PrivProtocol)
	}
	m.des = u.PrivProtocol == "DES"
	m.priv = stretched(h.hash, u.PrivKey)
	return m, nil
}

// stretched turns a password into a key (RFC 3414 section 2.6 and appendix A.2): the digest of a megabyte of it.
func stretched(newHash func() hash.Hash, password string) []byte {
	h := newHash()
	repeated := bytes.Repeat([]byte(password), 1<<20/max(len(password), 1)+1)
	h.Write(repeated[:1<<20])
	return h.Sum(nil)
}

// Localize makes the user's keys for one engine. It is cheap.
func (m *Master) Localize(engine []byte) *Keys {
	k := &Keys{hash: m.hash, size: m.size, des: m.des}
	if m.hash == nil {
		return k
	}
	k.auth = localized(m.hash, m.auth, engine)
	if m.key == 0 {
		return k
	}
	k.priv = localized(m.hash, m.priv, engine)
	for len(k.priv) < m.key {
		more := m.hash()
		more.Write(k.priv)
		k.priv = more.Sum(k.priv)
	}
	k.priv = k.priv[:m.key]
	return k
}

func localized(newHash func() hash.Hash, key, engine []byte) []byte {
	h := newHash()
	h.Write(key)
	h.Write(engine)
	h.Write(key)
	return h.Sum(nil)
}

// Keys are a user's keys for one engine. They may be used from any goroutine.
type Keys struct {
	hash func() hash.Hash // nil: no authentication
	size int
	auth []byte
	priv []byte
	des  bool
}

// Level is the security level that the user has keys for.
func (k *Keys) Level() byte {
	level := byte(0)
	if k.hash != nil {
		level |= Authenticated
	}
	if k.priv != nil {
		level |= Encrypted
	}
	return level
}

// DigestSize is how many octets a digest has in a message; 0 without authentication.
func (k *Keys) DigestSize() int { return k.size }

// Digest is the digest of a whole message whose own digest, DigestSize octets at at, counts as zeros.
func (k *Keys) Digest(message []byte, at int) []byte {
	mac := hmac.New(k.hash, k.auth)
	mac.Write(message[:at])
	var zeros [48]byte
	mac.Write(zeros[:k.size])
	mac.Write(message[at+k.size:])
	return mac.Sum(nil)[:k.size]
}

// Verify reports whether the digest that stands at at in the message is right.
func (k *Keys) Verify(message []byte, at, size int) bool {
	return k.hash != nil && size == k.size && at >= 0 && at+size <= len(message) && hmac.Equal(message[at:at+size], k.Digest(message, at))
}

// Salt makes the eight octets that a message's encryption begins with.
func Salt() []byte {
	salt := make([]byte, 8)
	_, _ = rand.Read(salt)
	return salt
}

// Encrypt encrypts a scoped PDU for an engine's boots and time.
func (k *Keys) Encrypt(boots, seconds int32, salt, plain []byte) ([]byte, bool) {
	return k.crypt(boots, seconds, salt, plain, true)
}

// Decrypt is the other way. What a wrong key makes of it is garbage, and no error.
func (k *Keys) Decrypt(boots, seconds int32, salt, sealed []byte) ([]byte, bool) {
	return k.crypt(boots, seconds, salt, sealed, false)
}

func (k *Keys) crypt(boots, seconds int32, salt, in []byte, encrypt bool) ([]byte, bool) {
	if len(salt) != 8 || len(in) == 0 || k.priv == nil {
		return nil, false
	}
	if k.des {
		return k.cryptDES(salt, in, encrypt)
	}
	block, err := aes.NewCipher(k.priv)
	if err != nil {
		return nil, false
	}
	iv := binary.BigEndian.AppendUint32(nil, uint32(boots))
	iv = binary.BigEndian.AppendUint32(iv, uint32(seconds))
	return cfb(block, append(iv, salt...), in, encrypt), true
}

func (k *Keys) cryptDES(salt, in []byte, encrypt bool) ([]byte, bool) {
	block, err := des.NewCipher(k.priv[:8])
	if err != nil {
		return nil, false
	}
	iv := make([]byte, 8)
	for i := range iv {
		iv[i] = k.priv[8+i] ^ salt[i]
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
