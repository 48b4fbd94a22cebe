package snmp

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// TestEachBadInputHasItsLine: what keeps a device from being read is one error in one line, with what to do.
func TestEachBadInputHasItsLine(t *testing.T) {
	set, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	user := lab.SNMPUser{Name: "watcher", AuthProtocol: "SHA-256", AuthKey: "authpass123", PrivProtocol: "AES", PrivKey: "privpass123"}
	agent := &lab.Agent{Community: "rack", Objects: lab.NewObjects([]recording.Object{
		{OID: recording.OID{1, 3, 6, 1, 2, 1, 1, 1, 0}, Value: recording.StringValue("Acme\x1b[31m Widget\r\n9000")},
		{OID: recording.OID{1, 3, 6, 1, 2, 1, 1, 2, 0}, Value: recording.OIDValue(recording.OID{1, 3, 6, 1, 4, 1, 99999, 7})},
	})}
	if err := agent.Users(user); err != nil {
		t.Fatal(err)
	}
	s, err := lab.ServeSNMP("127.0.0.1:0", agent)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	nobody, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}) // takes everything and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nobody.Close() })
	good := collectors.V3{User: "watcher", AuthProtocol: "SHA-256", AuthKey: secret.New(user.AuthKey), PrivProtocol: "AES", PrivKey: secret.New(user.PrivKey)}
	v3 := func(change func(*collectors.V3)) collectors.Credentials {
		v := good
		change(&v)
		return collectors.Credentials{Name: "pdu", Version: "3", V3: v}
	}
	for _, c := range []struct {
		what       string
		url        string // "": the agent's
		with       collectors.Credentials
		fault      lab.SNMPFaults
		class      snapshot.Class
		line, hint string
		reachable  bool
	}{
		{what: "no answer", url: "snmp://" + nobody.LocalAddr().String(), with: collectors.Credentials{Version: "2c", Community: secret.New("rack")}, class: snapshot.ClassUnreachable, line: "no answer from 127.0.0.1:", hint: "check address, firewall"},
		{what: "wrong community", with: collectors.Credentials{Version: "2c", Community: secret.New("guessed")}, class: snapshot.ClassUnreachable, line: "or the community is wrong", hint: "the community"},
		{what: "unknown user", with: v3(func(v *collectors.V3) { v.User = "stranger" }), class: snapshot.ClassAuth, line: "the agent does not know the user", hint: `credential "pdu"`},
		{what: "wrong authentication key", with: v3(func(v *collectors.V3) { v.AuthKey = secret.New("not-the-key-1") }), class: snapshot.ClassAuth, line: "the authentication key or its protocol is wrong", hint: `credential "pdu"`},
		{what: "wrong authentication protocol", with: v3(func(v *collectors.V3) { v.AuthProtocol = "SHA" }), class: snapshot.ClassAuth, line: "the authentication key or its protocol is wrong", hint: `credential "pdu"`},
		{what: "wrong privacy key", with: v3(func(v *collectors.V3) { v.PrivKey = secret.New("not-the-key-1") }), class: snapshot.ClassAuth, line: "the privacy key or its protocol is wrong", hint: `credential "pdu"`},
		{what: "no encryption where it is wanted", with: v3(func(v *collectors.V3) { v.PrivProtocol, v.PrivKey = "", secret.Text{} }), class: snapshot.ClassAuth, line: "the agent does not offer this security level", hint: `credential "pdu"`},
		{what: "clock out of window", with: v3(func(*collectors.V3) {}), fault: lab.SNMPFaults{NotInTime: true}, class: snapshot.ClassAuth, line: "outside its window", hint: "restarts again and again"},
		{what: "no SNMP", with: collectors.Credentials{Version: "2c", Community: secret.New("rack")}, fault: lab.SNMPFaults{Garbage: true}, class: snapshot.ClassGarbage, line: "no SNMP answer", hint: "is this an SNMP agent?"},
		{what: "no profile", with: collectors.Credentials{Version: "2c", Community: secret.New("rack")}, class: snapshot.ClassPartial, reachable: true,
			line: `no profile knows this device (sysObjectID 1.3.6.1.4.1.99999.7, sysDescr "Acme`, hint: "write a profile for it (mibs/README.md)"},
	} {
		t.Run(c.what, func(t *testing.T) {
			agent.Inject(c.fault)
			if c.url == "" {
				c.url = s.URL()
			}
			session, err := Collector{Profiles: set}.Open(collectors.Target{Device: "d", URL: c.url, Timeout: 200 * time.Millisecond, Limits: collectors.DefaultLimits(), Credentials: c.with})
			if err != nil {
				t.Fatal(err)
			}
			sn := session.Poll(context.Background(), collectors.Full)
			if sn.Reachable != c.reachable || len(sn.Errors) != 1 || !c.reachable && len(sn.Components) > 0 {
				t.Fatalf("reachable %v, %d components, errors %+v; want one error", sn.Reachable, len(sn.Components), sn.Errors)
			}
			e := sn.Errors[0]
			t.Logf("%s: %s; %s", e.Class, e.Error, e.Hint)
			if e.Class != c.class || !strings.Contains(e.Error, c.line) || !strings.Contains(e.Hint, c.hint) {
				t.Errorf("class %s, want %s, %q and %q", e.Class, c.class, c.line, c.hint)
			}
			for _, text := range []string{e.Error, e.Hint} {
				if strings.ContainsAny(text, "\n\r\x1b") {
					t.Errorf("%q is not one plain line", text)
				}
				for _, key := range []string{"guessed", "not-the-key-1", user.AuthKey, user.PrivKey} {
					if strings.Contains(text, key) {
						t.Errorf("%q shows a secret", text)
					}
				}
			}
		})
	}
}
