package ipmi

import (
	"bytes"
	"testing"

	"github.com/bougou/go-ipmi/pkg/types"
	"github.com/sparewatch/sparewatch/pkg/component"
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

// FuzzRecords reads records, readings, FRU areas and log entries that no sane BMC sends. The first half of the input is cut
// into records, the rest are the readings of their sensors.
func FuzzRecords(f *testing.F) {
	compact := []byte{0, 0, 0x51, 2, 0x2b, 0x20, 0, 1, 10, 1, 0x7f, 0x68, 8, 0x6f, 0, 0, 0, 0, 0xff, 0x7f, 0xc0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0xc6, 'P', 'S', '1', ' ', 'O', 'K'}
	compact[4] = byte(len(compact) - 5)
	full := append(append([]byte{0, 0, 0x51, 1, 0, 0x20, 0, 4, 29, 1, 0x7f, 0x68, 4, 1}, make([]byte, 33)...), 0xc4, 'F', 'a', 'n', '1')
	full[4] = byte(len(full) - 5)
	for _, seed := range [][]byte{compact, full,
		{0, 0, 0x51, 0x08, 11, 19, 1, 0x20, 10, 1, 10, 2, 0, 0, 0, 0}, {0, 0, 0x51, 0x08, 11, 19, 1, 0x80, 10, 1, 10, 255, 29, 0, 29, 255},
		{0, 0, 0x51, 0x11, 12, 0x20, 1, 0x80, 0, 0, 0x10, 0, 10, 1, 0, 0xc1, 'P'}, {0, 0, 0x51, 0x03, 0}, {0, 0, 0x51, 0xc0, 3, 1, 2, 3},
	} {
		f.Add(append(append([]byte(nil), seed...), bytes.Repeat([]byte{0x05, 0xc0, 0x09, 0x80}, (len(seed)+3)/4)...))
	}
	f.Add(append(append(append([]byte(nil), compact...), full...), bytes.Repeat([]byte{0x64, 0xc0, 0x02, 0x80}, 24)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := repository{contains: map[entity][]entity{}}
		records, readings := b[:len(b)/2], b[len(b)/2:]
		for len(records) >= 5 {
			n := min(len(records), 5+int(records[4]))
			r.add(records[:n])
			records = records[n:]
		}
		m := machine{device: "m", locators: r.locators, contains: r.contains, sensors: r.sensors, readings: make([]reading, len(r.sensors)), frus: map[byte]fru{}}
		for i := range m.readings {
			if at := 4 * i; at < len(readings) {
				m.readings[i] = decodeReading(readings[at:min(at+4, len(readings))])
			}
		}
		for _, l := range r.locators {
			m.frus[l.device], _ = parseFRU(b)
		}
		m.chassis, _ = decodeChassis(readings)
		all := parse(m)
		seen := map[component.ID]bool{}
		for _, c := range all.components {
			if seen[c.ID] {
				t.Fatalf("%s twice", c.ID)
			}
			seen[c.ID] = true
			if _, err := component.ParseID(string(c.ID)); err != nil {
				t.Fatal(err)
			}
			if c.Kind == component.PSU && c.Condition == component.OK && !anyStates(m) {
				t.Fatalf("%s is ok (%s), and no sensor has any state set", c.ID, c.Why)
			}
		}
		for _, c := range all.claims {
			for _, id := range c.Members {
				if !seen[id] {
					t.Fatalf("a claim names %s, which is not listed", id)
				}
			}
		}
		l := eventLog{}
		for at := 0; at+16 <= len(b); at += 16 {
			e, ok := decodeEvent(b[at : at+16])
			_ = e.words()
			l.take(e, ok, uint16(at))
		}
		l.annotate(all.components, all.speaks)
	})
}

func anyStates(m machine) bool {
	for _, r := range m.readings {
		if r.valid && r.states != 0 {
			return true
		}
	}
	return false
}

func FuzzFRU(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 1, 0, 0, 0xfe, 1, 3, 0x19, 0xc4, 'A', 'c', 'm', 'e', 0xc2, 'P', '1', 0xc0, 0xc0, 0xc3, '4', '7', '1', 0xc1, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{1, 1, 1, 1, 1, 1, 0, 0, 1, 1})
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = parseFRU(b)
		if len(b) >= headerSize {
			if end := fruEnd(b, maxFRU); end < 0 || end > maxFRU {
				panic(end)
			}
		}
	})
}
