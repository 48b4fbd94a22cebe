package peers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/trap"
)

// TestTraps has Debian's snmptrap and snmpinform send to our receiver, in every version and with several pairs of protocols.
// snmpinform waits for its answer, and finds out who we are before it asks with version 3.
func TestTraps(t *testing.T) {
	send := map[string]string{"trap": daemon(t, "snmptrap", "snmp"), "inform": daemon(t, "snmpinform", "snmp")}
	secrets := trap.Secrets{Communities: []secret.Text{secret.New("public")}}
	pairs := [][2]string{{"SHA", "AES"}, {"SHA-256", "AES"}, {"SHA-512", "AES"}, {"SHA-256", "DES"}, {"MD5", "DES"}, {"SHA-256", ""}}
	for _, p := range pairs {
		u := collectors.V3{User: "u" + p[0] + p[1], AuthProtocol: p[0], AuthKey: secret.New(authKey), PrivProtocol: p[1]}
		if p[1] != "" {
			u.PrivKey = secret.New(privKey)
		}
		secrets.Users = append(secrets.Users, u)
	}
	heard := make(chan *trap.Trap, 100)
	r, err := trap.New(trap.Options{Secrets: secrets, Engine: []byte("\x80\x00\x7e\xd9\x05peer"), Use: func(tr *trap.Trap) trap.Result { heard <- tr; return trap.Polled }})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := trap.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- r.Run(ctx, conn) }()
	defer func() { cancel(); <-done }()
	at := conn.LocalAddr().(*net.UDPAddr).String()
	run := func(how string, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, send[how], args...)
		cmd.Env = append(os.Environ(), "MIBS=", "SNMP_PERSISTENT_DIR="+t.TempDir())
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	ups := []string{"", "1.3.6.1.2.1.33.2.1", "1.3.6.1.2.1.33.1.2.3.0", "i", "12"}
	hear := func(what string, inform bool, how string, args ...string) *trap.Trap {
		t.Helper()
		out, err := run(how, args...)
		if err != nil {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
		select {
		case tr := <-heard:
			t.Logf("%s: %s", what, tr.Line())
			if tr.Inform != inform {
				t.Errorf("%s: inform %v", what, tr.Inform)
			}
			return tr
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: nothing is heard; %+v\n%s", what, r.Stats(), out)
		}
		return nil
	}
	tr := hear("v1", false, "trap", "-v1", "-c", "public", at, "1.3.6.1.4.1.3183.1.1", "192.0.2.9", "6", "552707", "55", "1.3.6.1.4.1.3183.1.1.1", "x", strings.Repeat("5b", 46))
	if tr.Agent.String() != "192.0.2.9" || !strings.HasPrefix(tr.Line(), "platform event: power supply, ") || !strings.Contains(tr.Line(), "input lost") {
		t.Errorf("%+v: %s", tr, tr.Line())
	}
	for _, how := range []string{"trap", "inform"} {
		base := func(args ...string) []string { return append(append(args, "-r", "1", "-t", "3", at), ups...) }
		good := func(what string, tr *trap.Trap) {
			if tr.Name() != "upsTrapOnBattery" || len(tr.Binds) != 1 || tr.Binds[0].Int != 12 {
				t.Errorf("%s: %+v", what, tr)
			}
		}
		good("v2c "+how, hear("v2c "+how, how == "inform", how, base("-v2c", "-c", "public")...))
		for i, p := range pairs {
			args := []string{"-v3", "-u", "u" + p[0] + p[1], "-l", "authNoPriv", "-a", p[0], "-A", authKey}
			if p[1] != "" {
				args = append(args, "-l", "authPriv", "-x", p[1], "-X", privKey)
			}
			what := fmt.Sprintf("v3 %s %s %s", p[0], p[1], how)
			engine := fmt.Sprintf("80000000%02x", i+1) + "0102"
			if how == "trap" {
				args = append(args, "-e", "0x"+engine)
			}
			tr := hear(what, how == "inform", how, base(args...)...)
			good(what, tr)
			if how == "trap" && fmt.Sprintf("%x", tr.Engine) != engine {
				t.Errorf("%s: of engine %x", what, tr.Engine)
			}
		}
	}
	// What is wrong is answered as the standard says: snmpinform knows the words.
	for _, c := range []struct {
		what, words string
		want        trap.Result
		args        []string
	}{
		{"a wrong community", "Timeout", trap.WrongCommunity, []string{"-v2c", "-c", "guessed"}},
		{"an unknown user", "Unknown user name", trap.UnknownUser, []string{"-v3", "-u", "stranger", "-l", "authPriv", "-a", "SHA-256", "-A", authKey, "-x", "AES", "-X", privKey}},
		{"a wrong authentication key", "Authentication failure", trap.WrongKey, []string{"-v3", "-u", "uSHA-256AES", "-l", "authPriv", "-a", "SHA-256", "-A", "not-the-key-1", "-x", "AES", "-X", privKey}},
		{"a wrong privacy key", "Decryption error", trap.NotDecrypted, []string{"-v3", "-u", "uSHA-256AES", "-l", "authPriv", "-a", "SHA-256", "-A", authKey, "-x", "AES", "-X", "not-the-key-1"}},
		{"no encryption", "Unsupported security level", trap.LowLevel, []string{"-v3", "-u", "uSHA-256AES", "-l", "authNoPriv", "-a", "SHA-256", "-A", authKey}},
	} {
		before := r.Stats().Results[c.want]
		out, err := run("inform", append(append(c.args, "-r", "0", "-t", "1", at), ups...)...)
		t.Logf("%s: snmpinform says %s", c.what, strings.TrimSpace(out))
		if !strings.Contains(out, c.words) || r.Stats().Results[c.want] == before {
			t.Errorf("%s: it says %q (%v), want %q; %+v", c.what, out, err, c.words, r.Stats())
		}
	}
	select {
	case tr := <-heard:
		t.Errorf("and heard %s", tr.Line())
	default:
	}
}
