package peers

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/snmp"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// snmprec is the invented PDU as a recording in snmpsim's format. What may be changed by snmpset keeps what is written to
// it (variation module writecache).
func snmprec(writable ...string) string {
	var lines []recording.Object
	tags := map[string]string{}
	put := func(oid string, v recording.Value) {
		o, err := recording.ParseOID(oid)
		if err != nil {
			panic(err)
		}
		lines = append(lines, recording.Object{OID: o, Value: v})
	}
	put("1.3.6.1.2.1.1.1.0", recording.StringValue("APC Web/SNMP Management Card"))
	put("1.3.6.1.2.1.1.2.0", recording.OIDValue(recording.OID{1, 3, 6, 1, 4, 1, 318, 1, 3, 4, 6}))
	put("1.3.6.1.2.1.1.5.0", recording.StringValue("rack-12-a"))
	for _, c := range pdu() {
		for row := 1; row <= c.rows; row++ {
			oid := fmt.Sprintf("%s.%d", c.oid, row)
			if n, ok := c.value(row).(int); ok {
				put(oid, recording.IntValue(int64(n)))
			} else {
				put(oid, recording.StringValue(fmt.Sprint(c.value(row))))
			}
			if slices.Contains(writable, oid) {
				tags[strings.TrimPrefix(oid, ".")] = ":writecache"
			}
		}
	}
	lines, _, _ = recording.Sort(lines)
	var b strings.Builder
	for _, o := range lines {
		tag := tags[o.OID.String()]
		switch o.Type {
		case recording.Integer:
			value := fmt.Sprint(o.Int)
			if tag != "" {
				value = "value=" + value
			}
			fmt.Fprintf(&b, "%s|2%s|%s\n", o.OID, tag, value)
		case recording.ObjectID:
			fmt.Fprintf(&b, "%s|6|%s\n", o.OID, o.Value.OID)
		default:
			fmt.Fprintf(&b, "%s|4|%s\n", o.OID, o.Bytes)
		}
	}
	return b.String()
}

// startSnmpsim runs Debian's snmpsimd with the recordings of a folder until the test's end, on loopback.
func startSnmpsim(t *testing.T, data string) agent {
	t.Helper()
	bin := daemon(t, "snmpsimd", "snmpsim")
	dir := t.TempDir()
	a := agent{port: freeUDP(t)}
	log := filepath.Join(dir, "log")
	args := []string{"--cache-dir=" + dir, "--data-dir=" + data, "--variation-modules-dir=/usr/share/snmpsim/variation", "--logging-method=file:" + log,
		fmt.Sprintf("--agent-udpv4-endpoint=127.0.0.1:%d", a.port),
		"--v3-user=watcher", "--v3-auth-key=" + authKey, "--v3-auth-proto=SHA256", "--v3-priv-key=" + privKey, "--v3-priv-proto=AES"}
	if os.Geteuid() == 0 { // it gives root up, and has to read and write all the same
		args = append(args, "--process-user=nobody", "--process-group=nogroup")
		for at := dir; len(at) > len(os.TempDir()); at = filepath.Dir(at) {
			if err := os.Chmod(at, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		for at := data; len(at) > len(os.TempDir()); at = filepath.Dir(at) {
			if err := os.Chmod(at, 0o777); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd := exec.Command(bin, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a.pid = cmd.Process.Pid
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if said, err := os.ReadFile(log); err == nil && t.Failed() {
			t.Logf("snmpsimd said last:\n%s", said[max(0, len(said)-1000):])
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s := openSNMP(t, a, collectors.Credentials{Community: secret.New("pdu"), Version: "2c"})
	for !s.Poll(ctx, collectors.Full).Reachable {
		select {
		case <-ctx.Done():
			t.Fatal("snmpsimd does not come up")
		case <-ended:
			t.Fatal("snmpsimd has ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
	return a
}

// TestSnmpsim reads recordings through snmpsim, by v2c and by v3 authPriv: the same comes of it as of reading their
// files. What is changed in it by snmpset is followed at the next poll.
func TestSnmpsim(t *testing.T) {
	data := t.TempDir()
	bank, outlet := bankLoad+".2", outletState+".17"
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(data, name+".snmprec"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("pdu", snmprec())
	write("live", snmprec(bank, outlet))
	names := append([]string{"pdu"}, someRecordings(t, write)...)
	a := startSnmpsim(t, data)
	profiles, err := snmp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		rec, err := recording.Load(filepath.Join(data, name+".snmprec"))
		if err != nil {
			t.Fatal(err)
		}
		trial, err := snmp.Try("pdu-a", profiles, rec.SNMP, "")
		if err != nil {
			t.Fatal(err)
		}
		want := facts(t, trial.Snapshot)
		v3 := user("watcher", authKey, privKey)
		v3.V3.Context = name
		for how, c := range map[string]collectors.Credentials{"v2c": {Version: "2c", Community: secret.New(name)}, "v3": v3} {
			sn := openSNMP(t, a, c).Poll(context.Background(), collectors.Full)
			if got := facts(t, sn); !sn.Reachable || got != want {
				t.Errorf("%s by %s: reachable %v, errors %+v\nread  %s\nfile  %s", name, how, sn.Reachable, sn.Errors, got, want)
				continue
			}
			t.Logf("%s by %s: %d components, as in the file; %d requests", name, how, len(sn.Components), sn.Requests)
		}
	}
	for how, c := range map[string]collectors.Credentials{"v2c": {Version: "2c", Community: secret.New("live")}, "v3": user("watcher", authKey, privKey)} {
		if how == "v3" {
			c.V3.Context = "live"
		}
		s := openSNMP(t, a, c)
		s.Poll(context.Background(), collectors.Full)
		look := func(load, state int, condition component.Condition, standby bool) {
			t.Helper()
			for oid, n := range map[string]int{bank: load, outlet: state} {
				cmd := exec.Command(daemon(t, "snmpset", "snmp"), "-v2c", "-c", "live", fmt.Sprintf("127.0.0.1:%d", a.port), oid, "i", fmt.Sprint(n))
				cmd.Env = append(os.Environ(), "MIBS=")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("snmpset %s: %v\n%s", oid, err, out)
				}
			}
			sn := s.Poll(context.Background(), collectors.Fast)
			b, o := find(sn, component.NewID("pdu-a", component.Bank, "2")), find(sn, component.NewID("pdu-a", component.Outlet, "17"))
			if b == nil || b.Condition != condition || o == nil || o.Standby != standby {
				t.Errorf("%s: bank %+v, outlet %+v; want %s, standby %v; errors %+v", how, b, o, condition, standby, sn.Errors)
			}
		}
		look(4, 1, component.Impaired, true)
		look(2, 2, component.OK, false)
	}
}

// mostSimulated bounds what is read through the simulator, which is slow.
const mostSimulated = 8

// someRecordings puts a few recorded devices into the simulator's folder: the smallest of each class.
func someRecordings(t *testing.T, write func(name, text string)) (names []string) {
	dir, ok := recording.Dir()
	if !ok {
		t.Log("there are no recordings: only an invented device is read")
		return nil
	}
	for _, class := range []string{"pdu", "ups", "ats", "network", "server", "storage", "dc-power"} {
		files, err := filepath.Glob(filepath.Join(dir, "snmp", class, "*.snmprec"))
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(files, func(a, b string) int { return int(size(a) - size(b)) })
		for _, f := range files[:min(len(files), 2)] {
			rec, err := recording.Load(f)
			if err != nil || len(rec.Problems) > 0 || len(names) == mostSimulated {
				continue
			}
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			name := class + "-" + strings.TrimSuffix(filepath.Base(f), ".snmprec")
			write(name, string(text))
			names = append(names, name)
		}
	}
	return names
}

func size(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return info.Size()
}

// facts are what a snapshot says of the device, without what differs from poll to poll.
func facts(t *testing.T, sn *snapshot.Snapshot) string {
	t.Helper()
	parts := slices.Clone(sn.Components)
	slices.SortFunc(parts, func(a, b component.Component) int { return strings.Compare(string(a.ID), string(b.ID)) })
	d := sn.Device
	d.Engine = "" // SNMPv3 alone tells it
	b, err := json.Marshal([]any{d, parts, append([]snapshot.Claim{}, sn.Claims...), len(sn.Links)})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
