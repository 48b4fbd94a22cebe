package ipmi

import (
	"bytes"
	"testing"

	"github.com/bougou/go-ipmi/pkg/types"
)

func TestWindowTakesEachNumberOnce(t *testing.T) {
	var w window
	for _, step := range []struct {
		n    uint32
		want bool
		why  string
	}{
		{0, false, "0 is outside of any session"},
		{1, true, "the first"},
		{1, false, "a replay"},
		{5, true, "a gap upwards"},
		{3, true, "late, inside the window"},
		{3, false, "late and a replay"},
		{100, true, "far ahead"},
		{69, true, "31 behind"},
		{68, false, "32 behind: too old"},
		{5, false, "long past"},
	} {
		if got := w.take(step.n); got != step.want {
			t.Errorf("take(%d), %s: got %v", step.n, step.why, got)
		}
	}
}

func TestMessageRoundTrip(t *testing.T) {
	r := request{netFn: netFnSensor, lun: 1, cmd: cmdGetSensorReading, data: []byte{0x31}}
	m := encodeMessage(r, 9)
	if checksum(m[:2]) != m[2] || checksum(m[3:len(m)-1]) != m[len(m)-1] {
		t.Fatalf("checksums of % x", m)
	}
	answer := []byte{consoleAddress, (netFnSensor | 1) << 2, 0, bmcAddress, 9 << 2, cmdGetSensorReading, 0, 0x40, 0xc0}
	answer[2] = checksum(answer[:2])
	answer = append(answer, checksum(answer[3:]))
	a, err := decodeMessage(answer)
	if err != nil || !a.answers(r, 9) || a.answers(r, 8) || !bytes.Equal(a.data, []byte{0x40, 0xc0}) {
		t.Fatalf("got %+v, %v", a, err)
	}
	answer[7] ^= 1
	if _, err := decodeMessage(answer); err == nil {
		t.Fatal("a wrong checksum was believed")
	}
}

// sealed returns a session and a packet to it that verifies.
func sealed(t testing.TB) (*session, []byte) {
	t.Helper()
	s := &session{plus: true, auth: types.AuthAlg_HMAC_SHA256, integ: types.IntegrityAlg_HMAC_SHA256_128, crypt: types.CryptAlg_AES_CBC_128,
		codeLen: 16, k1: bytes.Repeat([]byte{1}, 32), k2: bytes.Repeat([]byte{2}, 32), localID: 7, remoteID: 7}
	b, err := s.seal([]byte("a message of ipmi"))
	if err != nil {
		t.Fatal(err)
	}
	return s, b
}

func TestUnsealBelievesOnlyWhatVerifies(t *testing.T) {
	s, b := sealed(t)
	for i := range b {
		forged := append([]byte(nil), b...)
		forged[i] ^= 0x20
		if m, err := s.unseal(forged); err == nil && !bytes.Equal(m, []byte("a message of ipmi")) {
			t.Fatalf("byte %d changed: believed %q", i, m)
		} else if err == nil && i >= 4 {
			t.Fatalf("byte %d changed: believed", i)
		}
	}
	for n := range b {
		if _, err := s.unseal(b[:n]); err == nil {
			t.Fatalf("cut to %d bytes: believed", n)
		}
	}
	if m, err := s.unseal(b); err != nil || string(m) != "a message of ipmi" {
		t.Fatalf("the true one: %q, %v", m, err)
	}
	if _, err := s.unseal(b); err == nil {
		t.Fatal("a replay was believed")
	}
}

func FuzzUnseal(f *testing.F) {
	_, b := sealed(f)
	f.Add(b)
	f.Add([]byte{6, 0, 0xff, 7, 6, 0xc0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, _ := sealed(t)
		_, _ = s.unseal(b)
		s.integ, s.crypt, s.codeLen = types.IntegrityAlg_None, types.CryptAlg_AES_CBC_128, 0
		_, _ = s.unseal(b) // garbage that got as far as the decryption
		s.plus = false
		_, _ = s.unseal(b)
		_, _ = decodeMessage(b)
	})
}

func FuzzRecords(f *testing.F) {
	f.Add([]byte{0, 0, 0x51, 1, 0x2b, 0x20, 0, 1, 10, 1, 0x7f, 0x68, 8, 0x6f})
	f.Add([]byte{0, 0, 0x51, 2, 0x20, 0x20, 0, 1, 10, 1})
	f.Add([]byte{0, 0, 0x51, 0x11, 0x10})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := repository{contains: map[entity][]entity{}}
		r.add(b)
		_, _ = parseFRU(b)
		_, _ = decodeChassis(b)
		m := machine{device: "m", sensors: r.sensors, readings: make([]reading, len(r.sensors))}
		for i := range m.readings {
			m.readings[i] = decodeReading(b)
		}
		components := parse(m).components
		seen := map[string]bool{}
		for _, c := range components {
			if seen[string(c.ID)] {
				t.Fatalf("%s twice", c.ID)
			}
			seen[string(c.ID)] = true
		}
	})
}
