package bus

import (
	"regexp"
	"testing"
)

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"srv-101", "snmp://10.0.0.1:161", "=41", "..", "é\x00\n *>"} {
		f.Add(s)
	}
	allowed := regexp.MustCompile(`^[-/_=a-zA-Z0-9]*$`)
	f.Fuzz(func(t *testing.T, key string) {
		s := escape(key)
		if !allowed.MatchString(s) {
			t.Fatalf("escape(%q) = %q, which NATS does not take", key, s)
		}
		if back, err := unescape(s); err != nil || back != key {
			t.Fatalf("%q -> %q -> %q, %v", key, s, back, err)
		}
	})
}

func FuzzUnescape(f *testing.F) {
	f.Add("=4")
	f.Add("=zz")
	f.Fuzz(func(_ *testing.T, s string) { _, _ = unescape(s) })
}
