package snmp

import "testing"

func TestInet(t *testing.T) {
	for _, c := range []struct{ what, words, octets, want string }{
		{"IpAddress", "192.0.2.7", "192.0.2.7", "192.0.2.7"},
		{"four octets", "\xc0\x00\x02\x07", "\xc0\x00\x02\x07", "192.0.2.7"},
		{"sixteen octets", "x", "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", "2001:db8::1"},
		{"index with type and count", "1.4.192.0.2.7", "1.4.192.0.2.7", "192.0.2.7"},
		{"behind an instance", "9.1.4.10.0.0.1", "9.1.4.10.0.0.1", "10.0.0.1"},
		{"IPv6", "1.2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.1", "", "2001:db8::1"},
		{"an IPv6 address that ends like an IPv4 one", "2.16.32.1.13.184.0.0.0.0.0.0.1.4.10.0.0.1", "", "2001:db8::104:a00:1"},
		{"link-local with its zone", "4.20.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.3", "", "fe80::1%3"},
		{"two addresses without counts", "0.1.192.0.2.1.1.192.0.2.2", "", "192.0.2.2"},
		{"two IPv6 addresses without counts", "0.2.253.0.0.0.0.0.0.0.0.0.0.0.0.0.0.4.2.253.0.0.0.0.0.0.0.0.0.0.0.0.0.0.5", "", "fd00::5"},
		{"no address", "1.2.3", "1.2.3", ""},
		{"not octets", "1.4.192.0.2.700", "", ""},
		{"a word", "peer", "peer!", ""},
		{"nothing", "", "", ""},
	} {
		if got := inet(c.words, c.octets); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}
