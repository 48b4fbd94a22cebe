package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gosnmp/gosnmp"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

func client3(t *testing.T, s *SNMPServer, u SNMPUser) *gosnmp.GoSNMP {
	t.Helper()
	auth := map[string]gosnmp.SnmpV3AuthProtocol{"": gosnmp.NoAuth, "MD5": gosnmp.MD5, "SHA": gosnmp.SHA, "SHA-224": gosnmp.SHA224, "SHA-256": gosnmp.SHA256, "SHA-384": gosnmp.SHA384, "SHA-512": gosnmp.SHA512}
	priv := map[string]gosnmp.SnmpV3PrivProtocol{"": gosnmp.NoPriv, "DES": gosnmp.DES, "AES": gosnmp.AES, "AES-192": gosnmp.AES192, "AES-256": gosnmp.AES256}
	c := &gosnmp.GoSNMP{Target: "127.0.0.1", Port: s.Addr().Port(), Version: gosnmp.Version3, Timeout: 500 * time.Millisecond, SecurityModel: gosnmp.UserSecurityModel,
		MsgFlags: gosnmp.NoAuthNoPriv, MaxRepetitions: 10,
		SecurityParameters: &gosnmp.UsmSecurityParameters{UserName: u.Name, AuthenticationProtocol: auth[u.AuthProtocol], AuthenticationPassphrase: u.AuthKey,
			PrivacyProtocol: priv[u.PrivProtocol], PrivacyPassphrase: u.PrivKey}}
	if u.AuthProtocol != "" {
		c.MsgFlags = gosnmp.AuthNoPriv
	}
	if u.PrivProtocol != "" {
		c.MsgFlags = gosnmp.AuthPriv
	}
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Conn.Close() })
	return c
}

func TestAgentSpeaksVersion3AsTheClientLibraryDoes(t *testing.T) {
	a := &Agent{Objects: objects("1.3.6.1.2.1.1.1.0|4|text", "1.3.6.1.2.1.1.5.0|4|"+strings.Repeat("x", 300), "1.3.6.1.2.1.1.7.0|70|7")}
	var users []SNMPUser
	for _, auth := range []string{"", "MD5", "SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512"} {
		for _, priv := range []string{"", "DES", "AES", "AES-192", "AES-256"} {
			if auth == "" && priv != "" {
				continue
			}
			u := SNMPUser{Name: "u" + auth + priv, AuthProtocol: auth, PrivProtocol: priv}
			if auth != "" {
				u.AuthKey = "authpass123"
			}
			if priv != "" {
				u.PrivKey = "privpass123"
			}
			users = append(users, u)
		}
	}
	if err := a.Users(users...); err != nil {
		t.Fatal(err)
	}
	s := serve(t, a)
	for _, u := range users {
		c := client3(t, s, u)
		p, err := c.GetBulk([]string{"1.3.6.1.2.1"}, 0, 10)
		if err != nil || len(p.Variables) != 4 || string(p.Variables[0].Value.([]byte)) != "text" || p.Variables[2].Value != uint64(7) || p.Variables[3].Type != gosnmp.EndOfMibView {
			t.Errorf("%s: %.200v %v", u.Name, p, err)
		}
	}
}

func TestAgentRefusesWhoIsNotAUser(t *testing.T) {
	a := &Agent{Objects: objects("1.3.6.1.2.1.1.1.0|4|text")}
	good := SNMPUser{Name: "good", AuthProtocol: "SHA-256", AuthKey: "authpass123", PrivProtocol: "AES", PrivKey: "privpass123"}
	if err := a.Users(good); err != nil {
		t.Fatal(err)
	}
	s := serve(t, a)
	for what, u := range map[string]SNMPUser{
		"another user":         {Name: "bad", AuthProtocol: "SHA-256", AuthKey: "authpass123"},
		"a wrong password":     {Name: "good", AuthProtocol: "SHA-256", AuthKey: "authpass124", PrivProtocol: "AES", PrivKey: "privpass123"},
		"a wrong privacy key":  {Name: "good", AuthProtocol: "SHA-256", AuthKey: "authpass123", PrivProtocol: "AES", PrivKey: "privpass124"},
		"without encryption":   {Name: "good", AuthProtocol: "SHA-256", AuthKey: "authpass123"},
		"without authenticity": {Name: "good"},
	} {
		if p, err := client3(t, s, u).Get([]string{"1.3.6.1.2.1.1.1.0"}); err == nil && p.PDUType != gosnmp.Report {
			t.Errorf("%s: answered %+v", what, p)
		}
	}
	c := client3(t, s, good)
	if _, err := c.Get([]string{"1.3.6.1.2.1.1.1.0"}); err != nil {
		t.Error(err)
	}
	// An agent that was restarted has another time; the client finds that out.
	if err := a.Users(good); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get([]string{"1.3.6.1.2.1.1.1.0"}); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	for _, u := range []SNMPUser{{PrivProtocol: "AES"}, {AuthProtocol: "ROT13", AuthKey: "authpass123"}, {AuthProtocol: "SHA", AuthKey: "short"}, {AuthProtocol: "SHA", AuthKey: "authpass123", PrivProtocol: "ROT13", PrivKey: "privpass123"}} {
		if err := a.Users(u); err == nil {
			t.Errorf("%+v is allowed", u)
		}
	}
}

// A replay takes any user who neither signs nor encrypts, or the users that are named and no others.
func TestReplaySpeaksVersion3(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.snmprec")
	if err := os.WriteFile(file, []byte("1.3.6.1.2.1.1.1.0|4|text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(r *Replaying, u SNMPUser) error {
		_, err := client3(t, r.SNMP, u).Get([]string{"1.3.6.1.2.1.1.1.0"})
		return err
	}
	ops := SNMPUser{Name: "ops", AuthProtocol: "SHA-256", AuthKey: "authpass123", PrivProtocol: "AES", PrivKey: "privpass123"}
	open, err := Replay(file, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = open.Stop() }()
	if err := ask(open, SNMPUser{Name: "anybody"}); err != nil {
		t.Errorf("anybody: %v", err)
	}
	if ask(open, ops) == nil {
		t.Error("somebody with a key that nobody was told is let in")
	}
	closed, err := Replay(file, "", ops)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = closed.Stop() }()
	if err := ask(closed, ops); err != nil {
		t.Errorf("its user: %v", err)
	}
	if ask(closed, SNMPUser{Name: "anybody"}) == nil {
		t.Error("anybody is let in beside the user")
	}
	if _, err := Replay(file, "", SNMPUser{Name: "ops", AuthProtocol: "SHA", AuthKey: "short"}); err == nil {
		t.Error("a short key is taken")
	}
}

func FuzzAgentVersion3(f *testing.F) {
	a := &Agent{Objects: objects("1.3.6.1.1.1|2|1")}
	if err := a.Users(SNMPUser{Name: "u"}, SNMPUser{Name: "p", AuthProtocol: "MD5", AuthKey: "authpass123", PrivProtocol: "DES", PrivKey: "privpass123"}); err != nil {
		f.Fatal(err)
	}
	u := a.engine.Load()
	pdu := (&message{pdu: getRequest, id: 1}).encodePDU(appendBind(nil, recording.Object{OID: recording.OID{1, 3, 6, 1, 1, 1}, Value: recording.Value{Type: recording.Null}}))
	f.Add(u.seal(&message3{id: 1, user: "u"}, u.users["u"], 0, pdu))
	f.Add(u.seal(&message3{id: 1, user: "p"}, u.users["p"], 3, pdu))
	f.Fuzz(func(_ *testing.T, in []byte) { a.Answer(in) })
}
