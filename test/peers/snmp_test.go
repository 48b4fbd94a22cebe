package peers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/snmp"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

const (
	authKey = "authentic-key-1"
	privKey = "private-key-1"
)

// rPDU2 is the tree of APC's rack PDUs of the second generation (PowerNet-MIB).
const rPDU2 = ".1.3.6.1.4.1.318.1.1.26"

// bankLoad is rPDU2BankStatusLoadState, outletState rPDU2OutletSwitchedStatusState; their rows are numbered from 1.
const (
	bankLoad    = rPDU2 + ".8.3.1.4"
	outletState = rPDU2 + ".9.2.3.1.5"
)

// column is one column of a table: its OID, snmpd's word for its type, and the value in each row.
type column struct {
	oid, kind string
	value     func(row int) any
	rows      int
}

func col(oid, kind string, value func(int) any) column {
	return column{oid: oid, kind: kind, value: value}
}

func same(v any) func(int) any     { return func(int) any { return v } }
func plus(n int) func(int) any     { return func(row int) any { return row + n } }
func named(s string) func(int) any { return func(row int) any { return fmt.Sprintf("%s %d", s, row) } }
func bankOf(row int) any           { return (row-1)/12 + 1 }

// pdu are the columns of an invented AP8853: one phase, two banks, twenty-four switched outlets.
func pdu() []column {
	var all []column
	table := func(rows int, columns ...column) {
		for _, c := range columns {
			c.oid, c.rows = rPDU2+c.oid, rows
			all = append(all, c)
		}
	}
	table(1,
		col(".2.1.6", "octet_str", same("v6.8.0")), col(".2.1.8", "octet_str", same("AP8853")), col(".2.1.9", "octet_str", same("5A1234E56789")),
		col(".4.2.1.7", "integer", same(1)), col(".4.2.1.9", "integer", same(32)),
		col(".4.3.1.2", "integer", same(1)), col(".4.3.1.3", "octet_str", same("rack-12-a")), col(".4.3.1.4", "integer", same(2)),
		col(".4.3.1.5", "integer", same(187)), col(".4.3.1.12", "integer", same(1)), col(".4.3.1.13", "integer", same(1)),
		col(".4.3.1.14", "integer", same(3)),
		col(".6.3.1.2", "integer", same(1)), col(".6.3.1.3", "integer", same(1)), col(".6.3.1.4", "integer", same(2)),
		col(".6.3.1.5", "integer", same(81)), col(".6.3.1.6", "integer", same(231)))
	table(2,
		col(".8.2.1.4", "integer", same(1)), col(".8.2.1.5", "integer", same(16)), col(".8.3.1.2", "integer", same(1)),
		col(".8.3.1.3", "integer", plus(0)), col(".8.3.1.4", "integer", same(2)), col(".8.3.1.5", "integer", plus(40)))
	table(24,
		col(".9.2.2.1.5", "integer", same(1)), col(".9.2.2.1.6", "integer", bankOf), col(".9.2.3.1.2", "integer", same(1)),
		col(".9.2.3.1.3", "octet_str", named("Outlet")), col(".9.2.3.1.4", "integer", plus(0)), col(".9.2.3.1.5", "integer", same(2)))
	return all
}

// overrides are the lines of snmpd.conf that make columns.
func overrides(columns []column) string {
	var b strings.Builder
	for _, c := range columns {
		for row := 1; row <= c.rows; row++ {
			fmt.Fprintf(&b, "override -rw %s.%d %s %q\n", c.oid, row, c.kind, fmt.Sprint(c.value(row)))
		}
	}
	return b.String()
}

// agent is a running snmpd.
type agent struct {
	port int
	pid  int
}

// startAgent runs Debian's snmpd with the objects of a PDU and stops it at the test's end. It listens on loopback only:
// without "-I -smux" it would open port 199 everywhere.
func startAgent(t *testing.T) agent {
	t.Helper()
	bin := daemon(t, "snmpd", "snmpd")
	dir := t.TempDir()
	a := agent{port: freeUDP(t)}
	conf := fmt.Sprintf(`agentAddress udp:127.0.0.1:%d
sysDescr APC Web/SNMP Management Card
sysObjectID .1.3.6.1.4.1.318.1.3.4.6
sysName rack-12-a
rocommunity readable 127.0.0.1
rwcommunity writable 127.0.0.1
createUser watcher SHA-256 "%s" AES "%s"
rouser watcher authpriv
`, a.port, authKey, privKey) + overrides(pdu())
	file := filepath.Join(dir, "snmpd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log")
	cmd := exec.Command(bin, "-f", "-Lf", log, "-I", "-smux", "-C", "-c", file)
	cmd.Env = append(os.Environ(), "SNMP_PERSISTENT_DIR="+dir, "MIBS=")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a.pid = cmd.Process.Pid
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if said, err := os.ReadFile(log); err == nil && t.Failed() {
			t.Logf("snmpd said:\n%s", said)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s := openSNMP(t, a, collectors.Credentials{Community: secret.New("readable"), Version: "2c"})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !s.Poll(ctx, collectors.Full).Reachable {
		select {
		case <-ctx.Done():
			t.Fatal("snmpd does not come up")
		case <-tick.C:
		}
	}
	return a
}

// set changes one object of the agent while it runs.
func (a agent) set(t *testing.T, oid string, value int) {
	t.Helper()
	cmd := exec.Command(daemon(t, "snmpset", "snmp"), "-v2c", "-c", "writable", fmt.Sprintf("127.0.0.1:%d", a.port), oid, "i", fmt.Sprint(value))
	cmd.Env = append(os.Environ(), "MIBS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("snmpset %s: %v\n%s", oid, err, out)
	}
}

func openSNMP(t *testing.T, a agent, c collectors.Credentials) collectors.Session {
	t.Helper()
	profiles, err := snmp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	c.Name = "pdu"
	s, err := snmp.Collector{Profiles: profiles}.Open(collectors.Target{
		Device: "pdu-a", URL: fmt.Sprintf("snmp://127.0.0.1:%d", a.port), Timeout: 500 * time.Millisecond, Credentials: c,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// user are the credentials of an SNMPv3 user, authPriv with SHA-256 and AES.
func user(name, auth, priv string) collectors.Credentials {
	return collectors.Credentials{Version: "3", V3: collectors.V3{User: name, AuthProtocol: "SHA-256", AuthKey: secret.New(auth), PrivProtocol: "AES", PrivKey: secret.New(priv)}}
}

// TestSNMPAgent reads a PDU of snmpd's, by v2c and by v3, and follows what is changed in it.
func TestSNMPAgent(t *testing.T) {
	a := startAgent(t)
	for name, c := range map[string]collectors.Credentials{
		"v1":          {Version: "1", Community: secret.New("readable")},
		"v2c":         {Version: "2c", Community: secret.New("readable")},
		"v3 authPriv": user("watcher", authKey, privKey),
	} {
		t.Run(name, func(t *testing.T) {
			s := openSNMP(t, a, c)
			sn := s.Poll(context.Background(), collectors.Full)
			if !sn.Reachable || len(sn.Errors) > 0 {
				t.Fatalf("reachable %v, errors %+v", sn.Reachable, sn.Errors)
			}
			if d := sn.Device; d.Vendor != "APC" || d.Model != "AP8853" || d.Serial != "5A1234E56789" {
				t.Errorf("identity: %+v", d)
			}
			kinds := map[component.Kind]int{}
			for _, c := range sn.Components {
				kinds[c.Kind]++
			}
			for kind, want := range map[component.Kind]int{component.PDU: 1, component.Inlet: 1, component.Bank: 2, component.Outlet: 24} {
				if kinds[kind] != want {
					t.Errorf("%d of %s, want %d", kinds[kind], kind, want)
				}
			}
			bank, outlet := component.NewID("pdu-a", component.Bank, "2"), component.NewID("pdu-a", component.Outlet, "17")
			look := func(sn *snapshot.Snapshot, ofBank component.Condition, standby bool) {
				t.Helper()
				if c := find(sn, bank); c == nil || c.Condition != ofBank {
					t.Errorf("%s: got %+v, want %s", bank, c, ofBank)
				}
				if c := find(sn, outlet); c == nil || c.Condition != component.OK || c.Standby != standby {
					t.Errorf("%s: got %+v, want standby %v", outlet, c, standby)
				}
			}
			look(sn, component.OK, false)
			a.set(t, bankLoad+".2", 4)     // overload
			a.set(t, outletState+".17", 1) // off
			look(s.Poll(context.Background(), collectors.Fast), component.Impaired, true)
			a.set(t, bankLoad+".2", 9) // no value of the MIB
			a.set(t, outletState+".17", 2)
			sn = s.Poll(context.Background(), collectors.Fast)
			look(sn, component.Unknown, false)
			if c := find(sn, bank); c != nil && !strings.Contains(c.Why, "9") {
				t.Errorf("why is %q, which does not name the value 9", c.Why)
			}
			a.set(t, bankLoad+".2", 2)
			sn = s.Poll(context.Background(), collectors.Fast)
			look(sn, component.OK, false)
			t.Logf("%d components; the last poll took %d requests", len(sn.Components), sn.Requests)
		})
	}
}

// TestSNMPRefusals: each reason why an agent does not let us in has a sentence of its own.
func TestSNMPRefusals(t *testing.T) {
	a := startAgent(t)
	for name, c := range map[string]struct {
		with  collectors.Credentials
		class snapshot.Class
		words string
	}{
		"wrong community":          {collectors.Credentials{Version: "2c", Community: secret.New("guessed")}, snapshot.ClassUnreachable, "the community is wrong"},
		"unknown user":             {user("stranger", authKey, privKey), snapshot.ClassAuth, "does not know the user"},
		"wrong authentication key": {user("watcher", "not-the-key-1", privKey), snapshot.ClassAuth, "the authentication key or its protocol is wrong"},
		"wrong privacy key":        {user("watcher", authKey, "not-the-key-1"), snapshot.ClassAuth, "the privacy key or its protocol is wrong"},
		"no privacy": {collectors.Credentials{Version: "3", V3: collectors.V3{User: "watcher", AuthProtocol: "SHA-256", AuthKey: secret.New(authKey)}},
			snapshot.ClassAuth, "view for us is too narrow"},
	} {
		t.Run(name, func(t *testing.T) {
			sn := openSNMP(t, a, c.with).Poll(context.Background(), collectors.Full)
			if sn.Reachable || len(sn.Errors) != 1 || len(sn.Components) > 0 {
				t.Fatalf("reachable %v, %d components, errors %+v; want one error and nothing else", sn.Reachable, len(sn.Components), sn.Errors)
			}
			e := sn.Errors[0]
			t.Logf("%s: %s; %s", e.Class, e.Error, e.Hint)
			if e.Class != c.class || !strings.Contains(e.Error, c.words) {
				t.Errorf("got %+v, want class %s with %q", e, c.class, c.words)
			}
			for _, key := range []string{"guessed", authKey, privKey, "not-the-key-1"} {
				if strings.Contains(e.Error+e.Hint, key) {
					t.Errorf("%q shows a secret", e.Error+e.Hint)
				}
			}
		})
	}
}
