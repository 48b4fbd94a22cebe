package trap

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gosnmp/gosnmp"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/ber"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/usm"
)

var ourEngine = []byte{0x80, 0, 0x7e, 0xd9, 4, 'h', 'e', 'r', 'e'}

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rig is a receiver with a clock and what it gave away.
type rig struct {
	*Receiver
	now   time.Time
	got   []*Trap
	known func(*Trap) Result
	log   bytes.Buffer
}

func newRig(t testing.TB, s Secrets) *rig {
	t.Helper()
	g := &rig{now: begin}
	r, err := New(Options{Secrets: s, Engine: ourEngine, Now: func() time.Time { return g.now }, Log: slog.New(slog.NewTextHandler(&g.log, nil)), Use: func(tr *Trap) Result {
		g.got = append(g.got, tr)
		if g.known != nil {
			return g.known(tr)
		}
		return Polled
	}})
	if err != nil {
		t.Fatal(err)
	}
	g.Receiver = r
	return g
}

var someone = netip.MustParseAddrPort("192.0.2.7:40000")

// counted checks how often each result came.
func (g *rig) counted(t *testing.T, want map[Result]uint64) {
	t.Helper()
	if got := g.Stats().Results; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("results %v, want %v", got, want)
	}
}

// sender is a device that sends traps of version 3.
type sender struct {
	security
	user string
	keys *usm.Keys
}

func newSender(t testing.TB, engine string, u usm.User) *sender {
	t.Helper()
	m, err := u.Master()
	if err != nil {
		t.Fatal(err)
	}
	return &sender{security: security{engine: []byte(engine), boots: 5, started: begin}, user: u.Name, keys: m.Localize([]byte(engine))}
}

func (s *sender) trap(now time.Time) []byte {
	o := opened{keys: s.keys, level: s.keys.Level()}
	return s.seal(&message3{id: 9, user: []byte(s.user)}, o, o.level, trapPDU(trapV2, upsTrap, recording.Object{OID: recording.OID{1, 3, 6, 1, 2, 1, 33, 1, 2, 3, 0}, Value: recording.IntValue(12)}), now)
}

var upsTrap = recording.OID{1, 3, 6, 1, 2, 1, 33, 2, 1}

func trapPDU(tag byte, oid recording.OID, binds ...recording.Object) []byte {
	all := append([]recording.Object{{OID: sysUpTime, Value: recording.UintValue(recording.TimeTicks, 100)}, {OID: snmpTrapOID, Value: recording.OIDValue(oid)}}, binds...)
	var list []byte
	for _, o := range all {
		bind := appendOID(nil, o.OID)
		switch o.Type {
		case recording.Integer:
			bind = ber.AppendSigned(bind, byte(o.Type), o.Int)
		case recording.ObjectID:
			bind = appendOID(bind, o.Value.OID)
		case recording.TimeTicks:
			bind = ber.AppendSigned(bind, byte(o.Type), int64(o.Uint))
		default:
			bind = ber.AppendTLV(bind, byte(o.Type), o.Bytes)
		}
		list = ber.AppendTLV(list, sequence, bind)
	}
	body := ber.AppendSigned(nil, 2, 77)
	body = ber.AppendSigned(ber.AppendSigned(body, 2, 0), 2, 0)
	return ber.AppendTLV(nil, tag, ber.AppendTLV(body, sequence, list))
}

func appendOID(b []byte, oid recording.OID) []byte {
	content := []byte{byte(oid[0]*40 + oid[1])}
	for _, arc := range oid[2:] {
		for shift := 28; shift > 0; shift -= 7 {
			if arc>>shift != 0 {
				content = append(content, 0x80|byte(arc>>shift))
			}
		}
		content = append(content, byte(arc&0x7f))
	}
	return ber.AppendTLV(b, byte(recording.ObjectID), content)
}

func v2c(community string, pdu []byte) []byte {
	return ber.AppendTLV(nil, sequence, append(appendOctets(ber.AppendSigned(nil, 2, 1), []byte(community)), pdu...))
}

func TestCommunities(t *testing.T) {
	g := newRig(t, Secrets{Communities: []secret.Text{secret.New("public"), secret.New("rack")}})
	g.Take(v2c("rack", trapPDU(trapV2, upsTrap)), someone)
	if len(g.got) != 1 || g.got[0].Name() != "upsTrapOnBattery" || g.got[0].Version != "2c" || g.got[0].From != someone || !g.got[0].At.Equal(begin) {
		t.Fatalf("got %+v", g.got)
	}
	for range 3 {
		g.Take(v2c("guessed", trapPDU(trapV2, upsTrap)), someone)
	}
	if len(g.got) != 1 {
		t.Error("a wrong community is taken")
	}
	if n := strings.Count(g.log.String(), "community is wrong"); n != 1 {
		t.Errorf("it is said %d times:\n%s", n, g.log.String())
	}
	if strings.Contains(g.log.String(), "guessed") {
		t.Error("the log shows what may be a secret")
	}
	if err := g.Set(Secrets{Communities: []secret.Text{secret.New("guessed")}}); err != nil {
		t.Fatal(err)
	}
	g.Take(v2c("guessed", trapPDU(trapV2, upsTrap)), someone)
	g.Take(v2c("rack", trapPDU(trapV2, upsTrap)), someone)
	g.counted(t, map[Result]uint64{Polled: 2, WrongCommunity: 4})
}

func TestInformsAreAnswered(t *testing.T) {
	g := newRig(t, Secrets{Communities: []secret.Text{secret.New("public")}})
	in := v2c("public", trapPDU(inform, upsTrap))
	reply := g.Take(in, someone)
	want := bytes.Clone(in)
	want[bytes.IndexByte(want, inform)] = response // all else comes back as it was
	if !bytes.Equal(reply, want) {
		t.Errorf("answer %x\nwant   %x", reply, want)
	}
	if !g.got[0].Inform || g.Stats().Informs != 1 {
		t.Errorf("got %+v, %+v", g.got[0], g.Stats())
	}
	if reply := g.Take(v2c("public", trapPDU(trapV2, upsTrap)), someone); reply != nil {
		t.Errorf("a trap is answered with %x", reply)
	}
}

func TestWhatIsNoTrap(t *testing.T) {
	g := newRig(t, Secrets{Communities: []secret.Text{secret.New("public")}})
	get := v2c("public", trapPDU(getRequest, upsTrap))
	for _, in := range [][]byte{get, {}, {0x30}, []byte("GET / HTTP/1.1\r\n\r\n"), get[:len(get)/2], bytes.Repeat([]byte{0xff}, 100)} {
		if reply := g.Take(in, someone); reply != nil {
			t.Errorf("%x is answered", in)
		}
	}
	g.counted(t, map[Result]uint64{Unsupported: 1, Malformed: 5})
	if len(g.got) > 0 {
		t.Errorf("got %+v", g.got[0])
	}
}

// authenticationFailure may be an answer to our own poll.
func TestAComplaintOfAStrangerIsNoReasonToPoll(t *testing.T) {
	g := newRig(t, Secrets{Communities: []secret.Text{secret.New("public")}})
	g.Take(v2c("public", trapPDU(trapV2, recording.OID{1, 3, 6, 1, 6, 3, 1, 1, 5, 5})), someone)
	g.counted(t, map[Result]uint64{Ignored: 1})
	if len(g.got) > 0 {
		t.Error("it is used")
	}
}

var watcher = collectors.V3{User: "watcher", AuthProtocol: "SHA-256", AuthKey: secret.New("authpass123"), PrivProtocol: "AES", PrivKey: secret.New("privpass123")}

func userOf(v collectors.V3) usm.User {
	return usm.User{Name: v.User, AuthProtocol: v.AuthProtocol, AuthKey: v.AuthKey.Reveal(), PrivProtocol: v.PrivProtocol, PrivKey: v.PrivKey.Reveal()}
}

// Of a trap the sender's engine is the authoritative one: each sender has its keys, its restarts and its clock.
func TestTrapsOfVersion3(t *testing.T) {
	other := watcher
	other.AuthKey = secret.New("another-key-1")
	g := newRig(t, Secrets{Users: []collectors.V3{watcher, other}}) // one name, two devices with different keys
	first, second := newSender(t, "\x80\x00\x01\x02\x05one", userOf(watcher)), newSender(t, "\x80\x00\x01\x02\x05two", userOf(other))
	for i, s := range []*sender{first, second} {
		g.Take(s.trap(g.now), someone)
		if len(g.got) != i+1 || g.got[i].Version != "3" || g.got[i].Engine != string(s.engine) || g.got[i].User != "watcher" || len(g.got[i].Binds) != 1 || g.got[i].Binds[0].Int != 12 {
			t.Fatalf("%d: got %+v\n%s", i, g.got, g.log.String())
		}
	}
	old := first.trap(g.now)
	g.now = g.now.Add(usm.Window * time.Second)
	g.Take(first.trap(g.now), someone)
	g.Take(old, someone) // just within
	g.now = g.now.Add(time.Second)
	g.Take(first.trap(g.now), someone)
	g.Take(old, someone) // too old now
	first.boots++
	first.started = g.now
	g.Take(first.trap(g.now), someone) // restarted
	first.boots--
	g.Take(first.trap(g.now.Add(time.Hour)), someone) // and what it said before that is worth nothing
	first.boots = math.MaxInt32
	g.Take(first.trap(g.now), someone)
	g.counted(t, map[Result]uint64{Polled: 6, OutOfWindow: 3})
}

func TestRefusalsOfVersion3(t *testing.T) {
	wrongAuth, wrongPriv, stranger, plain := watcher, watcher, watcher, watcher
	wrongAuth.AuthKey = secret.New("not-the-key-1")
	wrongPriv.PrivKey = secret.New("not-the-key-1")
	stranger.User = "stranger"
	plain.PrivProtocol = ""
	for _, c := range []struct {
		with collectors.V3
		want Result
		word string
	}{
		{wrongAuth, WrongKey, "authentication key or its protocol is wrong"},
		{wrongPriv, NotDecrypted, "privacy key or its protocol is wrong"},
		{stranger, UnknownUser, "user is not known"},
		{plain, LowLevel, "security level is not that of its user"},
	} {
		g := newRig(t, Secrets{Users: []collectors.V3{watcher}})
		s := newSender(t, "\x80\x00\x01\x02\x05one", userOf(c.with))
		for range 2 {
			if reply := g.Take(s.trap(g.now), someone); reply != nil {
				t.Errorf("%s: a trap is answered", c.want)
			}
		}
		g.counted(t, map[Result]uint64{c.want: 2})
		if n := strings.Count(g.log.String(), c.word); n != 1 {
			t.Errorf("%s: %d lines with %q:\n%s", c.want, n, c.word, g.log.String())
		}
		for _, key := range []string{"authpass123", "privpass123", "not-the-key-1"} {
			if strings.Contains(g.log.String(), key) {
				t.Errorf("%s: the log shows a key", c.want)
			}
		}
	}
}

// A storm of strangers costs no more memory than a bounded number of notes.
func TestStrangersAreBounded(t *testing.T) {
	g := newRig(t, Secrets{Communities: []secret.Text{secret.New("public")}})
	g.known = func(*Trap) Result { return UnknownSender }
	in := v2c("public", trapPDU(trapV2, upsTrap))
	for i := range 5000 {
		g.Take(in, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1))
	}
	g.counted(t, map[Result]uint64{UnknownSender: 5000})
	if n := strings.Count(g.log.String(), "\n"); n != mostNotes+1 || len(g.noted) != mostNotes || g.Stats().Unknown != mostNotes {
		t.Errorf("%d lines, %d notes, %d unknown", n, len(g.noted), g.Stats().Unknown)
	}
}

// TestClientLibrary lets an independent implementation send, over a real socket, in every version and with every pair of protocols.
func TestClientLibrary(t *testing.T) {
	auths := map[string]gosnmp.SnmpV3AuthProtocol{"MD5": gosnmp.MD5, "SHA": gosnmp.SHA, "SHA-224": gosnmp.SHA224, "SHA-256": gosnmp.SHA256, "SHA-384": gosnmp.SHA384, "SHA-512": gosnmp.SHA512}
	privs := map[string]gosnmp.SnmpV3PrivProtocol{"": gosnmp.NoPriv, "DES": gosnmp.DES, "AES": gosnmp.AES, "AES-192": gosnmp.AES192, "AES-256": gosnmp.AES256}
	secrets := Secrets{Communities: []secret.Text{secret.New("public")}}
	type from struct{ name, auth, priv string }
	var all []from
	for auth := range auths {
		for priv := range privs {
			f := from{"u" + auth + priv, auth, priv}
			all = append(all, f)
			u := collectors.V3{User: f.name, AuthProtocol: auth, AuthKey: secret.New("authpass123"), PrivProtocol: priv}
			if priv != "" {
				u.PrivKey = secret.New("privpass123")
			}
			secrets.Users = append(secrets.Users, u)
		}
	}
	heard := make(chan *Trap, 10)
	r, err := New(Options{Secrets: secrets, Engine: ourEngine, Use: func(tr *Trap) Result { heard <- tr; return Polled }})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- r.Run(ctx, conn) }()
	defer func() { cancel(); <-done }()
	port := netip.MustParseAddrPort(conn.LocalAddr().String()).Port()
	send := func(what string, g *gosnmp.GoSNMP, tr gosnmp.SnmpTrap) *Trap {
		t.Helper()
		g.Target, g.Port, g.Timeout, g.Retries = "127.0.0.1", port, 2*time.Second, 1
		if err := g.Connect(); err != nil {
			t.Fatal(err)
		}
		defer g.Conn.Close()
		if tr.Enterprise == "" {
			tr.Variables = []gosnmp.SnmpPDU{{Name: ".1.3.6.1.6.3.1.1.4.1.0", Type: gosnmp.ObjectIdentifier, Value: ".1.3.6.1.2.1.33.2.1"}, {Name: ".1.3.6.1.2.1.33.1.2.3.0", Type: gosnmp.Integer, Value: 12}}
		}
		_, err := g.SendTrap(tr)
		select {
		case tr := <-heard:
			if err != nil {
				t.Errorf("%s: heard, but %v", what, err)
			}
			return tr
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: nothing is heard (%v); %+v", what, err, r.Stats())
		}
		return nil
	}
	ups := func(what string, tr *Trap, inform bool) {
		t.Helper()
		if tr.Name() != "upsTrapOnBattery" || len(tr.Binds) != 1 || tr.Binds[0].Int != 12 || tr.Inform != inform {
			t.Errorf("%s: %+v", what, tr)
		}
	}
	ups("v2c", send("v2c", &gosnmp.GoSNMP{Version: gosnmp.Version2c, Community: "public"}, gosnmp.SnmpTrap{}), false)
	ups("v2c inform", send("v2c inform", &gosnmp.GoSNMP{Version: gosnmp.Version2c, Community: "public"}, gosnmp.SnmpTrap{IsInform: true}), true)
	tr := send("v1", &gosnmp.GoSNMP{Version: gosnmp.Version1, Community: "public"}, gosnmp.SnmpTrap{Enterprise: ".1.3.6.1.4.1.3183.1.1", AgentAddress: "192.0.2.9", GenericTrap: 6, SpecificTrap: 0x086f03,
		Variables: []gosnmp.SnmpPDU{{Name: ".1.3.6.1.4.1.3183.1.1.1", Type: gosnmp.OctetString, Value: "short"}}})
	if tr.Agent != netip.MustParseAddr("192.0.2.9") || tr.Specific != 0x086f03 || tr.Line() != "platform event: power supply: input lost" {
		t.Errorf("v1: %+v: %s", tr, tr.Line())
	}
	for _, f := range all {
		for _, inform := range []bool{false, true} {
			what := fmt.Sprintf("v3 %s %s inform %v", f.auth, f.priv, inform)
			sp := &gosnmp.UsmSecurityParameters{UserName: f.name, AuthenticationProtocol: auths[f.auth], AuthenticationPassphrase: "authpass123", PrivacyProtocol: privs[f.priv], AuthoritativeEngineID: "\x80\x00\x01\x02\x05" + f.name, AuthoritativeEngineBoots: 3, AuthoritativeEngineTime: 100}
			g := &gosnmp.GoSNMP{Version: gosnmp.Version3, SecurityModel: gosnmp.UserSecurityModel, MsgFlags: gosnmp.AuthNoPriv, SecurityParameters: sp}
			if f.priv != "" {
				g.MsgFlags, sp.PrivacyPassphrase = gosnmp.AuthPriv, "privpass123"
			}
			if inform { // it does not know us: it has to ask first
				sp.AuthoritativeEngineID, sp.AuthoritativeEngineBoots, sp.AuthoritativeEngineTime = "", 0, 0
			}
			ups(what, send(what, g, gosnmp.SnmpTrap{IsInform: inform}), inform)
		}
	}
	t.Logf("%d pairs of protocols, as traps and as informs: %+v", len(all), r.Stats())
}

func FuzzTake(f *testing.F) {
	g := newRig(f, Secrets{Communities: []secret.Text{secret.New("public")}, Users: []collectors.V3{watcher, {User: "open"}}})
	g.security.boots = 5
	s := newSender(f, string(ourEngine), userOf(watcher))
	f.Add(s.trap(begin))
	f.Add(newSender(f, "\x80\x00\x01\x02\x05one", usm.User{Name: "open"}).trap(begin))
	f.Add(v2c("public", trapPDU(trapV2, upsTrap)))
	f.Add(v2c("public", trapPDU(inform, slices.Concat(petEnterprise, recording.OID{0, 356096}), recording.Object{OID: petRecord, Value: recording.Value{Type: 4, Bytes: dell()}})))
	f.Add(v2c("public", ber.AppendTLV(nil, trapV1, append(append(ber.AppendTLV(appendOID(nil, petEnterprise), 64, []byte{1, 2, 3, 4}), ber.AppendSigned(ber.AppendSigned(ber.AppendSigned(nil, 2, 6), 2, 356096), 67, 5)...), 0x30, 0))))
	f.Fuzz(func(t *testing.T, in []byte) {
		g.got = nil
		reply := g.Take(in, someone)
		if len(reply) > 2*len(in)+200 {
			t.Errorf("%d octets are answered with %d", len(in), len(reply))
		}
		for _, tr := range g.got {
			if line := tr.Line(); len(line) > longestLine+30 || strings.ContainsAny(line, "\n\r\x1b\x00") || line == "" {
				t.Errorf("%q", line)
			}
			if len(tr.Binds) > mostBinds {
				t.Errorf("%d varbinds", len(tr.Binds))
			}
			NewBook([]Entry{{Device: "a", UUID: "4c4c4544-004b-4a10-804b-c3c04f4d4c31", Addrs: []netip.AddrPort{someone}}}).Find(tr)
		}
	})
}
