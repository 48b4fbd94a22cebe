package recording

import (
	"encoding/hex"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// Addresses and identifiers that are told by their form.

var (
	uuidForm  = regexp.MustCompile(`\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b`)
	pairsForm = regexp.MustCompile(`\b[0-9a-fA-F]{2}(?:(?::[0-9a-fA-F]{2}){5,19}|(?:-[0-9a-fA-F]{2}){5,19})\b`)
	dotsForm  = regexp.MustCompile(`\b[0-9a-fA-F]{4}\.[0-9a-fA-F]{4}\.[0-9a-fA-F]{4}\b`)
	nqnForm   = regexp.MustCompile(`\b(?:nqn|iqn)\.\d{4}-\d\d\.[^\s"]+`)
	mailForm  = regexp.MustCompile(`[\w.+-]+@[\w-]+(?:\.[\w-]+)+`)
	urlForm   = regexp.MustCompile(`\b([A-Za-z][A-Za-z0-9+.-]*://)((?:[^\s/@"'<>]+@)?)([^\s/:"'<>]+)`)
	ipv4Form  = regexp.MustCompile(`\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b`)
	ipv6Form  = regexp.MustCompile(`[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?:%\w+)?`)
)

// publicHosts are the ends of host names that are nobody's secret.
var publicHosts = []string{"dmtf.org", "hpe.com", "hp.com", "dell.com", "lenovo.com", "ibm.com", "apc.com", "schneider-electric.com", "supermicro.com",
	"cisco.com", "huawei.com", "intel.com", "nvidia.com", "odata.org", "openbmc.org", "ami.com", "snia.org", "oasis-open.org", "w3.org", "swordfish.org"}

// form is the pseudonym of a value that has one of the forms as a whole.
func (s *Scrubber) form(v string) (string, bool) {
	for _, f := range []struct {
		re *regexp.Regexp
		f  func(string) string
	}{{uuidForm, s.hexWord}, {pairsForm, s.hexWord}, {dotsForm, s.hexWord}, {ipv4Form, s.ipv4}, {ipv6Form, s.ipv6}} {
		if at := f.re.FindStringIndex(v); at != nil && at[0] == 0 && at[1] == len(v) {
			return f.f(v), true
		}
	}
	return "", false
}

// forms replaces what has a form of its own, and gives what stands between to rest.
func (s *Scrubber) forms(v string, rest func(string) string) string {
	if !strings.ContainsAny(v, ".:-@") {
		return rest(v)
	}
	return replaceForm(v, ipv4Form, s.ipv4, func(between string) string { return s.formsBut4(between, rest) })
}

// formsBut4 is forms for a text in which four numbers with dots are a version.
func (s *Scrubber) formsBut4(v string, rest func(string) string) string {
	if !strings.ContainsAny(v, ".:-@") {
		return rest(v)
	}
	return replaceForm(v, urlForm, s.url, func(v string) string {
		return replaceForm(v, mailForm, s.words, func(v string) string {
			return replaceForm(v, nqnForm, s.nqn, func(v string) string {
				return replaceForm(v, uuidForm, s.hexWord, func(v string) string {
					return replaceForm(v, pairsForm, s.hexWord, func(v string) string {
						return replaceForm(v, dotsForm, s.hexWord, func(v string) string {
							return replaceForm(v, ipv6Form, s.ipv6, rest)
						})
					})
				})
			})
		})
	})
}

func replaceForm(v string, re *regexp.Regexp, f, rest func(string) string) string {
	found := re.FindAllStringIndex(v, -1)
	if found == nil {
		return rest(v)
	}
	var b strings.Builder
	at := 0
	for _, m := range found {
		b.WriteString(rest(v[at:m[0]]))
		b.WriteString(f(v[m[0]:m[1]]))
		at = m[1]
	}
	b.WriteString(rest(v[at:]))
	return b.String()
}

func (s *Scrubber) words(v string) string { return wordRun.ReplaceAllStringFunc(v, s.word) }

func (s *Scrubber) url(v string) string {
	m := urlForm.FindStringSubmatch(v)
	host := strings.ToLower(m[3])
	for _, public := range publicHosts {
		if host == public || strings.HasSuffix(host, "."+public) {
			return v
		}
	}
	return m[1] + s.words(m[2]) + s.pseudonym(m[3])
}

// nqn keeps the naming authority of an NVMe or iSCSI name, which is a vendor's, and replaces what follows its colon.
func (s *Scrubber) nqn(v string) string {
	authority, name, ok := strings.Cut(v, ":")
	if !ok {
		return s.words(v)
	}
	if uuid, is := s.form(strings.TrimPrefix(name, "uuid:")); is {
		return authority + ":" + strings.TrimSuffix(name, strings.TrimPrefix(name, "uuid:")) + uuid
	}
	return authority + ":" + wordRun.ReplaceAllStringFunc(name, func(w string) string {
		if c := strings.ToLower(w); vocabulary[c] || len(c) < 4 {
			return w
		}
		return s.word(w)
	})
}

// hexWord replaces hex digits by hex digits, the same for every way of writing the same ones.
func (s *Scrubber) hexWord(v string) string {
	c := strings.ToLower(strings.Map(func(r rune) rune {
		if r == ':' || r == '-' || r == '.' {
			return -1
		}
		return r
	}, v))
	if strings.Trim(c, "0") == "" || strings.Trim(c, "f") == "" {
		return v
	}
	p, ok := s.pseud["hex "+c]
	if !ok {
		p = s.invent("hex", c, hexLetter)
		s.pseud["hex "+c] = p
	}
	var b strings.Builder
	i := 0
	for _, r := range v {
		switch {
		case r == ':' || r == '-' || r == '.':
			b.WriteRune(r)
			continue
		case r >= 'A' && r <= 'F':
			b.WriteString(strings.ToUpper(p[i : i+1]))
		default:
			b.WriteByte(p[i])
		}
		i++
	}
	return b.String()
}

// octets replaces binary bytes (a MAC address) as hexWord replaces their text.
func (s *Scrubber) octets(b []byte) []byte {
	out, err := hex.DecodeString(s.hexWord(hex.EncodeToString(b)))
	if err != nil {
		return make([]byte, len(b)) // it was hex, and of the same form
	}
	return out
}

// IPv4 addresses keep their networks: two of one /24 stay in one /24. Each octet keeps its number of digits.

func (s *Scrubber) ipv4(v string) string {
	parts := strings.Split(v, ".")
	var a [4]byte
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil || len(p) > 1 && p[0] == '0' {
			return v // 6.00.30.00 is a version
		}
		a[i] = byte(n)
	}
	out := s.addr4(a)
	return netip.AddrFrom4(out).String()
}

// see notes the addresses in a text, so that no network of theirs becomes another's pseudonym.
func (s *Scrubber) see(v string) {
	for _, m := range ipv4Form.FindAllString(v, -1) {
		if a, err := netip.ParseAddr(m); err == nil {
			s.seeAddr(a.As4())
		}
	}
}

func (s *Scrubber) seeAddr(a [4]byte) { s.hosts[a], s.seen[[3]byte(a[:3])] = true, true }

// special are addresses that say nothing of anybody: masks, loopback, multicast, broadcast, "any".
func special(a [4]byte) bool {
	switch {
	case a[0] == 0, a[0] == 127, a[0] >= 224 && a[0] < 255, a == [4]byte{255, 255, 255, 255}:
		return true
	}
	bits := uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
	return a[0] >= 128 && ^bits&(^bits+1) == 0 || a[0] == 255 // a mask: ones, then zeros
}

func (s *Scrubber) addr4(a [4]byte) [4]byte {
	if special(a) {
		return a
	}
	if out, ok := s.addrs[a]; ok {
		return out
	}
	net := s.net24([3]byte(a[:3]))
	out := [4]byte{net[0], net[1], net[2], s.last(net, a[3])}
	s.addrs[a] = out
	return out
}

// net24 is the pseudonym of a /24: the private ranges stay what they are, the rest is drawn anew.
func (s *Scrubber) net24(n [3]byte) [3]byte {
	if out, ok := s.nets[n]; ok {
		return out
	}
	keep := 0
	switch {
	case n[0] == 10:
		keep = 1
	case n[0] == 192 && n[1] == 168, n[0] == 169 && n[1] == 254, n[0] == 172 && n[1] >= 16 && n[1] < 32:
		keep = 2
	}
	for try := uint32(0); ; try++ {
		stream := s.stream("net", string(n[:]), try)
		out := n
		for i := keep; i < 3; i++ {
			out[i] = sameDigits(n[i], stream(), i == 0)
			if try > 100 {
				out[i] = byte(1 + stream()%223) // the network's form is all in use
			}
		}
		used := false
		for _, o := range s.nets {
			used = used || o == out
		}
		if !used && !s.seen[out] && out != n && !special([4]byte{out[0], out[1], out[2], 1}) {
			s.nets[n] = out
			return out
		}
	}
}

// sameDigits draws an octet with as many digits as n.
func sameDigits(n byte, r uint16, first bool) byte {
	switch {
	case n < 10 && first:
		return byte(1 + r%9)
	case n < 10:
		return byte(r % 10)
	case n < 100:
		return byte(10 + r%90)
	case first:
		return byte(100 + r%124) // below multicast
	}
	return byte(100 + r%156)
}

// last maps the last octet inside its network: a walk through the octets of as many digits, so that no two meet.
func (s *Scrubber) last(net [3]byte, n byte) byte {
	low, size := 0, 10
	switch {
	case n >= 100:
		low, size = 100, 156
	case n >= 10:
		low, size = 10, 90
	}
	step := 1 + int(s.stream("last", string(net[:]), uint32(size))())%(size-1)
	return byte(low + (int(n)-low+step)%size)
}

// ipv6 replaces each group after a well-known beginning, equal groups in equal places by equal ones.
func (s *Scrubber) ipv6(v string) string {
	text, zone, zoned := strings.Cut(v, "%")
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is6() || a.IsLoopback() || a.IsUnspecified() || a.IsMulticast() {
		return v
	}
	if a.Is4In6() {
		return v
	}
	full := a.As16()
	groups := strings.Split(text, ":")
	// Which of the eight groups each written one is.
	places, place := make([]int, len(groups)), 0
	for i, g := range groups {
		if g == "" && i > 0 && i < len(groups)-1 {
			place = 8 - (len(groups) - 1 - i)
			places[i] = -1
			continue
		}
		places[i] = place
		place++
	}
	for i, g := range groups {
		if g == "" || places[i] < 0 || strings.Trim(g, "0") == "" {
			continue
		}
		wellKnown := places[i] == 0 && (full[0] == 0xfe || full[0]&0xfe == 0xfc || full[0] == 0x20)
		if wellKnown {
			continue
		}
		c := strings.TrimLeft(strings.ToLower(g), "0")
		key := "group " + strconv.Itoa(places[i]) + " " + c
		p, ok := s.pseud[key]
		if !ok {
			p = s.invent(key, c, hexLetter)
			s.pseud[key] = p
		}
		zeros := g[:len(g)-len(c)]
		groups[i] = zeros + recase(g[len(zeros):], p)
	}
	out := strings.Join(groups, ":")
	if zoned {
		out += "%" + zone
	}
	return out
}
