package trap

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
)

// Entry is what is known of one device by which a trap of it may be told.
type Entry struct {
	Device string
	Addrs  []netip.AddrPort // where it is polled
	Others []netip.Addr     // from where it sends traps besides, as configured
	Engine string           // its SNMP engine id, raw octets
	UUID   string           // its system's, in any usual form
}

// Book says which devices a trap may be about. It is made anew when what is known changes, and not changed.
type Book struct {
	ports   map[netip.AddrPort][]string
	addrs   map[netip.Addr][]string
	others  map[netip.Addr][]string
	engines map[string][]string
	uuids   map[string][]string
}

// mostShared is how many devices may share an address before a trap from there is nobody's: behind a NAT or on
// loopback all have one.
const mostShared = 8

// NewBook makes a book of these devices.
func NewBook(entries []Entry) *Book {
	b := &Book{ports: map[netip.AddrPort][]string{}, addrs: map[netip.Addr][]string{}, others: map[netip.Addr][]string{}, engines: map[string][]string{}, uuids: map[string][]string{}}
	for _, e := range entries {
		for _, a := range e.Addrs {
			at := plain(a.Addr())
			add(b.ports, netip.AddrPortFrom(at, a.Port()), e.Device)
			add(b.addrs, at, e.Device)
		}
		for _, a := range e.Others {
			add(b.others, plain(a), e.Device)
		}
		if e.Engine != "" {
			add(b.engines, e.Engine, e.Device)
		}
		if id := bareUUID(e.UUID); id != "" {
			add(b.uuids, id, e.Device)
		}
	}
	return b
}

func add[K comparable](m map[K][]string, key K, device string) {
	if !slices.Contains(m[key], device) {
		m[key] = append(m[key], device)
	}
}

// plain is an address without its zone, and of version 4 where it is one.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// Find lists the devices that the trap may be about: first those that it names itself (by a BMC's GUID, by the engine's
// id, by the address that a relay passes on), then those at the address that it came from. At worst one too many is
// asked. shared says that too many have that address.
func (b *Book) Find(t *Trap) (devices []string, shared bool) {
	take := func(found []string) {
		if len(found) > mostShared {
			shared = true
			return
		}
		for _, d := range found {
			if !slices.Contains(devices, d) {
				devices = append(devices, d)
			}
		}
	}
	if p, ok := DecodePET(t); ok {
		for _, id := range p.UUIDs() {
			take(b.uuids[id])
		}
	}
	if t.Engine != "" {
		take(b.engines[t.Engine])
		if a, ok := engineAddr(t.Engine); ok {
			take(b.addrs[plain(a)])
		}
	}
	if t.Agent.IsValid() && !t.Agent.IsLoopback() {
		take(b.at(plain(t.Agent)))
	}
	from := plain(t.From.Addr())
	if exact := b.ports[netip.AddrPortFrom(from, t.From.Port())]; len(exact) > 0 {
		take(exact)
	} else if here := b.at(from); len(devices) == 0 || len(here) == 1 {
		take(here)
	}
	if len(devices) > 0 {
		shared = false
	}
	return devices, shared
}

// at lists who is at an address, or sends from there.
func (b *Book) at(a netip.Addr) []string {
	if d := b.others[a]; len(d) > 0 {
		return d
	}
	return b.addrs[a]
}

// engineAddr is the address that an engine's id is made of, where it is (RFC 3411 section 5, formats 1 and 2).
func engineAddr(engine string) (netip.Addr, bool) {
	if len(engine) < 5 || engine[0]&0x80 == 0 {
		return netip.Addr{}, false
	}
	switch rest := []byte(engine[5:]); {
	case engine[4] == 1 && len(rest) == 4, engine[4] == 2 && len(rest) == 16:
		return netip.AddrFromSlice(rest)
	}
	return netip.Addr{}, false
}

// bareUUID is a UUID's 32 hexadecimal digits in small letters; "" for what is none, and for those that say nothing.
func bareUUID(s string) string {
	s = strings.ToLower(strings.NewReplacer("-", "", "{", "", "}", "", "urn:uuid:", "", " ", "", ":", "").Replace(s))
	if b, err := hex.DecodeString(s); err != nil || len(b) != 16 || strings.Count(s, s[:1]) == len(s) {
		return ""
	}
	return s
}
