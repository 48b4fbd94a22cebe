package usm

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// The examples of RFC 3414 appendix A.3: "maplesyrup" for the engine 00..02.
func TestKeysOfTheStandard(t *testing.T) {
	engine, _ := hex.DecodeString("000000000000000000000002")
	for protocol, want := range map[string]string{
		"MD5": "526f5eed9fcce26f8964c2930787d82b",
		"SHA": "6695febc9288e36282235fc7151f128497b38f3f",
	} {
		m, err := User{Name: "u", AuthProtocol: protocol, AuthKey: "maplesyrup"}.Master()
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(m.Localize(engine).auth); got != want {
			t.Errorf("%s: got %s, want %s", protocol, got, want)
		}
	}
}

func TestWhatIsEncryptedComesBack(t *testing.T) {
	plain := []byte("a scoped PDU of no particular length")
	for _, auth := range []string{"MD5", "SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512"} {
		for _, priv := range []string{"DES", "AES", "AES-192", "AES-256"} {
			m, err := User{Name: "u", AuthProtocol: auth, AuthKey: "authpass123", PrivProtocol: priv, PrivKey: "privpass123"}.Master()
			if err != nil {
				t.Fatal(err)
			}
			k := m.Localize([]byte("engine"))
			if k.Level() != Authenticated|Encrypted {
				t.Errorf("%s/%s: level %d", auth, priv, k.Level())
			}
			salt := Salt()
			sealed, ok := k.Encrypt(7, 1000, salt, plain)
			if !ok || bytes.Contains(sealed, plain[:8]) {
				t.Fatalf("%s/%s: not encrypted", auth, priv)
			}
			if back, ok := k.Decrypt(7, 1000, salt, sealed); !ok || !bytes.HasPrefix(back, plain) {
				t.Errorf("%s/%s: %q comes back", auth, priv, back)
			}
			message := append(make([]byte, 10+k.DigestSize()), plain...)
			copy(message[10:], k.Digest(message, 10))
			if !k.Verify(message, 10, k.DigestSize()) {
				t.Errorf("%s: its own digest is wrong", auth)
			}
			message[len(message)-1] ^= 1
			if k.Verify(message, 10, k.DigestSize()) {
				t.Errorf("%s: a changed message verifies", auth)
			}
		}
	}
}

func TestRefusedUsers(t *testing.T) {
	for _, u := range []User{
		{AuthProtocol: "CRC"}, {AuthProtocol: "SHA", AuthKey: "short"}, {PrivProtocol: "AES", PrivKey: "privpass123"},
		{AuthProtocol: "SHA", AuthKey: "authpass123", PrivProtocol: "ROT13", PrivKey: "privpass123"},
		{AuthProtocol: "SHA", AuthKey: "authpass123", PrivProtocol: "AES", PrivKey: "short"},
	} {
		if m, err := u.Master(); err == nil || m != nil {
			t.Errorf("%+v is taken", u)
		}
	}
}
