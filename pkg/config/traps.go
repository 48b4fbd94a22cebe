package config

import (
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/collectors"
)

// Traps is where SNMP traps and informs are heard. Without an address to listen on there is nothing of it.
type Traps struct {
	Listen []string // host:port, UDP
	// Credentials are what senders may use beside the devices' own, by the names that the configuration gives.
	Credentials []collectors.Credentials
	Senders     map[netip.Addr]string // devices by addresses that they send from besides
	Engine      []byte                // our SNMP engine id for informs of version 3; nil: one made of the site and the host
}

// rawTraps is what is said of traps, as read.
type rawTraps struct {
	*section
	credentials []located
	senders     *section
}

func (l *loader) takeTraps(n node) {
	s := l.mapping(n, "traps", "listen", "credentials", "senders", "engine_id")
	r := &rawTraps{section: s, credentials: s.texts("credentials"), senders: l.freeMapping(s.keys["senders"], "senders")}
	l.traps = r
	t := &l.cfg.Traps
	for _, at := range s.texts("listen") {
		host, port, err := net.SplitHostPort(at.text)
		switch why := badListen(at.text); {
		case why != "":
			l.wrong(at.at, `write ADDRESS:PORT, as "0.0.0.0:162"`, "listen is %q, which %s", at.text, why)
		case err == nil && host != "" && !isAddress(host):
			l.wrong(at.at, `write ADDRESS:PORT, as "0.0.0.0:162"`, "listen is %q, which is no address of this host", at.text)
		case slices.Contains(t.Listen, at.text) && port != "0":
			l.wrong(at.at, "take one of them out", "traps are heard on %s twice", at.text)
		default:
			t.Listen = append(t.Listen, at.text)
		}
	}
	if !s.has("listen") {
		l.wrong(s.at(), `write listen: ["0.0.0.0:162"]`, "traps does not say where they are heard")
	}
	if id := s.text("engine_id"); id != "" {
		b, err := hex.DecodeString(strings.TrimPrefix(strings.ReplaceAll(id, ":", ""), "0x"))
		if err != nil || len(b) < 5 || len(b) > 32 {
			l.wrong(s.where("engine_id"), "write 5 to 32 octets as hexadecimal digits, as 80007ed904616d7331, in quotes", "engine_id is %q, which is no SNMP engine's id", id)
		}
		t.Engine = b
	}
}

// isAddress reports whether a host is an address; a name might mean another host's.
func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost"
}

// buildTraps looks up what the traps' section refers to.
func (l *loader) buildTraps() {
	if l.traps == nil {
		return
	}
	t := &l.cfg.Traps
	for _, name := range l.traps.credentials {
		c := l.credentials[name.text]
		switch {
		case c == nil:
			l.wrong(name.at, didYouMean(name.text, sortedKeys(l.credentials), "write it under credentials"), "there are no credentials %s", name.text)
			continue
		case c.V3.User == "" && !c.Community.Set():
			l.wrong(name.at, "give them community_file or v3", "the credentials %s have neither a community nor an SNMPv3 user, by which a trap could be told", name.text)
		}
		c.used = true
		t.Credentials = append(t.Credentials, c.Credentials)
	}
	for _, text := range l.traps.senders.names() {
		at := place{l.traps.senders.file, l.traps.senders.lines[text]}
		addr, err := netip.ParseAddr(text)
		if err != nil {
			l.wrong(at, "write ADDRESS: DEVICE, as 10.0.0.9: srv-101", "the sender %q is no address", text)
			continue
		}
		device := l.text(l.traps.senders.keys[text], text)
		if d := l.byName[device]; d == nil {
			l.wrong(at, didYouMean(device, sortedKeys(l.byName), "write the name of a device"), "there is no device %s", device)
			continue
		}
		if t.Senders == nil {
			t.Senders = map[netip.Addr]string{}
		}
		t.Senders[addr.Unmap().WithZone("")] = device
	}
}
