package snmp

import (
	"net/netip"
	"strconv"
	"strings"
)

// inet writes an InetAddress (RFC 4001) as text: the octets of a column, or the numbers at the end of an index, where
// the type (1 ipv4, 2 ipv6, 3 ipv4z, 4 ipv6z) and the count of octets stand before them; some agents leave out the
// count. "" when it is no address.
func inet(words, octets string) string {
	if a, err := netip.ParseAddr(words); err == nil {
		return a.Unmap().String()
	}
	if a := inetOctets([]byte(octets)); a != "" && !dotted(words) {
		return a
	}
	if !dotted(words) {
		return ""
	}
	parts := strings.Split(words, ".")
	nums := make([]int64, len(parts))
	for i, p := range parts {
		nums[i], _ = strconv.ParseInt(p, 10, 64)
	}
	// The longest form first: what stands before an IPv4 address is too short to look like an IPv6 address.
	for _, f := range []struct{ kind, size int }{{4, 20}, {2, 16}, {3, 8}, {1, 4}} {
		if n := len(nums) - f.size; n >= 2 && nums[n-1] == int64(f.size) && nums[n-2] == int64(f.kind) {
			return inetOctets(bytesOf(nums[n:]))
		}
	}
	for _, f := range []struct{ kind, size int }{{2, 16}, {1, 4}} {
		if n := len(nums) - f.size; n >= 1 && nums[n-1] == int64(f.kind) {
			return inetOctets(bytesOf(nums[n:]))
		}
	}
	return inetOctets(bytesOf(nums))
}

// inetOctets takes 4 or 16 octets, or 8 or 20 with the zone behind the address.
func inetOctets(b []byte) string {
	zone := ""
	if len(b) == 8 || len(b) == 20 {
		n := len(b) - 4
		index := uint64(b[n])<<24 | uint64(b[n+1])<<16 | uint64(b[n+2])<<8 | uint64(b[n+3])
		b = b[:n]
		if index != 0 {
			zone = "%" + strconv.FormatUint(index, 10)
		}
	}
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return ""
	}
	return a.Unmap().String() + zone
}

// bytesOf is nil when one of the numbers is no octet.
func bytesOf(nums []int64) []byte {
	out := make([]byte, len(nums))
	for i, n := range nums {
		if n < 0 || n > 255 {
			return nil
		}
		out[i] = byte(n)
	}
	return out
}

// dotted reports whether s is the text of an index: numbers and dots.
func dotted(s string) bool {
	return strings.Contains(s, ".") && strings.Trim(s, "0123456789.") == ""
}
