package config

import (
	"net/netip"
	"testing"
)

func TestTraps(t *testing.T) {
	c := good(t, `
credentials:
  pdu: {community: rack}
  pet: {community: events}
  ops: {v3: {user: ops, auth: SHA-256, auth_key: authpass123}}
devices: [{name: pdu, url: snmp://10.0.0.1, credentials: pdu}, {name: srv, url: snmp://10.0.0.2, credentials: ops}]
traps: {listen: "127.0.0.1:1162", credentials: [pet], senders: {10.9.9.9: srv, "fd00::1": pdu}, engine_id: "80:00:7e:d9:05:01"}
`)
	tr := c.Traps
	if len(tr.Listen) != 1 || tr.Listen[0] != "127.0.0.1:1162" || len(tr.Credentials) != 1 || tr.Credentials[0].Community.Reveal() != "events" || len(tr.Engine) != 6 {
		t.Errorf("got %+v", tr)
	}
	if len(tr.Senders) != 2 || tr.Senders[netip.MustParseAddr("10.9.9.9")] != "srv" || tr.Senders[netip.MustParseAddr("fd00::1")] != "pdu" {
		t.Errorf("senders %v", tr.Senders)
	}
	for _, w := range c.Warnings {
		t.Errorf("warned: %s", w)
	}
	if c := good(t, devs); len(c.Traps.Listen) > 0 {
		t.Error("traps are heard though nobody said so")
	}
}

func TestMistakesInTraps(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"traps: {}\n", `c.yaml:2: traps does not say where they are heard; write listen: ["0.0.0.0:162"]`},
		{"traps: {lisen: 'x:1'}\n", "c.yaml:2: traps has no key \"lisen\"; did you mean listen?\nc.yaml:2: traps does not say where they are heard; write listen: [\"0.0.0.0:162\"]"},
		{"traps: {listen: '162'}\n", `c.yaml:2: listen is "162", which has no port; write ADDRESS:PORT, as "0.0.0.0:162"`},
		{"traps: {listen: ['0.0.0.0:70000']}\n", `c.yaml:2: listen is "0.0.0.0:70000", which has no port from 0 to 65535; write ADDRESS:PORT, as "0.0.0.0:162"`},
		{"traps: {listen: ['monitor.example.net:162']}\n", `c.yaml:2: listen is "monitor.example.net:162", which is no address of this host; write ADDRESS:PORT, as "0.0.0.0:162"`},
		{"traps: {listen: ['127.0.0.1:162', '127.0.0.1:162']}\n", `c.yaml:2: traps are heard on 127.0.0.1:162 twice; take one of them out`},
		{"traps: {listen: ['127.0.0.1:162'], credentials: [pet]}\n", `c.yaml:2: there are no credentials pet; write it under credentials`},
		{"traps: {listen: ['127.0.0.1:162'], senders: {here: s1}}\n", `c.yaml:2: the sender "here" is no address; write ADDRESS: DEVICE, as 10.0.0.9: srv-101`},
		{"traps: {listen: ['127.0.0.1:162'], senders: {10.0.0.9: s4}}\n", `c.yaml:2: there is no device s4; did you mean s1?`},
		{"traps: {listen: ['127.0.0.1:162'], engine_id: 8000}\n", `c.yaml:2: engine_id is "8000", which is no SNMP engine's id; write 5 to 32 octets as hexadecimal digits, as 80007ed904616d7331, in quotes`},
		{"traps: {listen: ['127.0.0.1:162'], credentials: [bmc]}\ncredentials: {bmc: {user: u, password: hunter2}}\n", `c.yaml:2: the credentials bmc have neither a community nor an SNMPv3 user, by which a trap could be told; give them community_file or v3`},
	} {
		_, got := load(t, devs+c.text)
		if got != c.want {
			t.Errorf("%q\nsaid %s\nwant %s", c.text, got, c.want)
		}
	}
}
