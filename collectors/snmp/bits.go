package snmp

import (
	"regexp"
	"strconv"
	"strings"
)

// bitsText is how net-snmp prints BITS, and some agents send them: the octets in hexadecimal, then the positions.
var bitsText = regexp.MustCompile(`^[0-9A-Fa-f]{2}(?: [0-9A-Fa-f]{2})*(?: [0-9]{1,3})*$`)

// bitSet reports whether bit n is set: of BITS, position n as the MIB counts them, from the highest bit of the first octet
// (RFC 2578 section 7.1.4); of a number, the bit of the value 2^n.
func bitSet(v Value, n int) bool {
	if n < 0 || n > 512 {
		return false
	}
	octets := v.Text
	switch v.Type {
	case Integer, Unsigned:
		return n < 64 && uint64(v.Int)>>n&1 == 1
	case String:
		if words := strings.TrimSpace(octets); bitsText.MatchString(words) {
			octets = printedOctets(words)
		}
	default:
		return false
	}
	return n/8 < len(octets) && octets[n/8]>>(7-n%8)&1 == 1
}

// bitOctets are the octets of BITS, also where an agent sends them printed. One word alone is taken as it stands.
func bitOctets(octets string) string {
	if words := strings.TrimSpace(octets); strings.Contains(words, " ") && bitsText.MatchString(words) {
		return printedOctets(words)
	}
	return octets
}

// printedOctets are the octets of printed BITS. A position has one digit less than an octet, or isn't there.
func printedOctets(words string) string {
	var octets []byte
	for _, w := range strings.Fields(words) {
		b, err := strconv.ParseUint(w, 16, 8)
		if err != nil || len(w) != 2 {
			break
		}
		octets = append(octets, byte(b))
	}
	return string(octets)
}
