package peers

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/ipmi"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// lanConf is the configuration of OpenIPMI's ipmi_sim: one BMC on the LAN port, a console beside it.
const lanConf = `name "bmc1"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 %d
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid "sparewatchtest01"
  endlan
  user 2 true "ipmiusr" "test" admin 10 none md2 md5 straight
console 127.0.0.1 %d
`

// bmc is a running ipmi_sim.
type bmc struct{ port, console int }

// startBMC runs Debian's ipmi_sim with a recorded machine and stops it at the test's end.
func startBMC(t *testing.T, emu string) bmc {
	t.Helper()
	bin := daemon(t, "ipmi_sim", "openipmi")
	dir := t.TempDir()
	b := bmc{port: freeUDP(t), console: freeTCP(t)}
	conf := filepath.Join(dir, "lan.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, lanConf, b.port, b.console), 0o600); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "state", "ipmi_sim", "bmc1")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-c", conf, "-f", emu, "-s", filepath.Join(dir, "state"), "-n")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return b
}

func freeUDP(t *testing.T) int {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

func freeTCP(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// openIPMI opens a session to the simulator and waits until it answers.
func openIPMI(t *testing.T, b bmc, password string) collectors.Session {
	t.Helper()
	s, err := ipmi.Collector{}.Open(collectors.Target{
		Device: "bmc", URL: fmt.Sprintf("ipmi://127.0.0.1:%d", b.port), Timeout: time.Second,
		Credentials: collectors.Credentials{User: "ipmiusr", Password: secret.New(password)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

func pollIPMI(t *testing.T, s collectors.Session) *snapshot.Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var sn *snapshot.Snapshot
	tick := time.NewTicker(50 * time.Millisecond) // the simulator needs a moment to load its sensors
	defer tick.Stop()
	for {
		if sn = s.Poll(ctx, collectors.Full); sn.Reachable && len(sn.Components) > 1 {
			return sn
		}
		select {
		case <-ctx.Done():
			return sn
		case <-tick.C:
		}
	}
}

// TestIPMIMachines reads every recorded machine through ipmi_sim. What is expected was read from it by ipmitool and
// FreeIPMI; sensors whose scanning was disabled when it was captured are not hidden by the simulator.
func TestIPMIMachines(t *testing.T) {
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings: 7 machines not read (set SPAREWATCH_RECORDINGS)")
	}
	type want struct {
		psu   map[string]component.Status
		claim snapshot.ClaimState
	}
	okay, lost := component.Status{Condition: component.OK}, component.Status{Condition: component.OK, InputLost: true}
	for machine, w := range map[string]want{
		"quanta_d51": {map[string]component.Status{"1": okay, "2": lost}, snapshot.ClaimLost},
		"s2600kp":    {map[string]component.Status{"1": lost, "2": okay}, snapshot.ClaimLost},
		"dell_r730":  {map[string]component.Status{"2": lost}, snapshot.ClaimLost},
		"dell_r630":  {map[string]component.Status{"1": {}, "2": {}}, snapshot.ClaimNone},
		"s2600wtt":   {map[string]component.Status{"1": {}, "2": {}}, snapshot.ClaimNone},
		"dell_r640":  {nil, snapshot.ClaimNone},
		"dell_c6320": {map[string]component.Status{"1": okay, "2": okay}, snapshot.ClaimNone},
	} {
		t.Run(machine, func(t *testing.T) {
			b := startBMC(t, filepath.Join(dir, "ipmi", "infrasim-"+machine, machine+".emu"))
			sn := pollIPMI(t, openIPMI(t, b, "test"))
			if !sn.Reachable {
				t.Fatalf("not reachable: %v", sn.Errors)
			}
			for _, c := range sn.Components {
				t.Logf("%-18s %-9v %+v %s", c.ID, c.Condition, c.Status, c.Why)
			}
			for _, c := range sn.Claims {
				t.Logf("claim %s %q %v", c.Group, c.State, c.Raw)
			}
			t.Logf("%d requests, %v, errors %v, device %+v", sn.Requests, sn.Took, sn.Errors, sn.Device)
			for local, status := range w.psu {
				if c := find(sn, component.NewID("bmc", component.PSU, local)); c == nil || c.Status != status {
					t.Errorf("supply %s: got %+v, want %+v", local, c, status)
				}
			}
			for _, c := range sn.Claims {
				if c.Kind == component.PSU && c.State != w.claim {
					t.Errorf("claim on supplies: got %q, want %q", c.State, w.claim)
				}
			}
		})
	}
}

func find(sn *snapshot.Snapshot, id component.ID) *component.Component {
	for i := range sn.Components {
		if sn.Components[i].ID == id {
			return &sn.Components[i]
		}
	}
	return nil
}

func TestIPMIWrongPassword(t *testing.T) {
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings (set SPAREWATCH_RECORDINGS)")
	}
	b := startBMC(t, filepath.Join(dir, "ipmi", "infrasim-quanta_d51", "quanta_d51.emu"))
	pollIPMI(t, openIPMI(t, b, "test"))
	sn := openIPMI(t, b, "wrong").Poll(context.Background(), collectors.Full)
	if sn.Reachable || len(sn.Errors) != 1 || sn.Errors[0].Class != snapshot.ClassAuth {
		t.Fatalf("got reachable %v, errors %+v; want one of class auth", sn.Reachable, sn.Errors)
	}
}

// command sends one line to the simulator's console.
func (b bmc) command(t *testing.T, line string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", b.console), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte(line + "\r")); err != nil {
		t.Fatal(err)
	}
	// It echoes the line, does it, and prompts again.
	seen := make([]byte, 0, 512)
	for buffer := make([]byte, 256); bytes.Count(seen, []byte(">")) < 2; {
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatalf("console after %q: %v", seen, err)
		}
		seen = append(seen, buffer[:n]...)
	}
}

// TestIPMIFollowsTheConsole: a sensor is changed while the simulator runs, and the condition follows within one poll.
func TestIPMIFollowsTheConsole(t *testing.T) {
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings (set SPAREWATCH_RECORDINGS)")
	}
	b := startBMC(t, filepath.Join(dir, "ipmi", "infrasim-quanta_d51", "quanta_d51.emu"))
	s := openIPMI(t, b, "test")
	second := component.NewID("bmc", component.PSU, "2")
	look := func(sn *snapshot.Snapshot) (component.Status, snapshot.ClaimState) {
		t.Helper()
		c := find(sn, second)
		if c == nil || len(sn.Claims) == 0 {
			t.Fatalf("no %s or no claim: %+v", second, sn.Errors)
		}
		return c.Status, sn.Claims[0].State
	}
	if status, claim := look(pollIPMI(t, s)); !status.InputLost || claim != snapshot.ClaimLost {
		t.Fatalf("as recorded: %+v, %s", status, claim)
	}
	b.command(t, "sensor_set_bit 0x20 0 0xe1 3 0 1")          // PSU2: AC lost goes
	b.command(t, "sensor_set_bit_clr_rest 0x20 0 0xe4 0 1 1") // PSU Redundancy: Fully Redundant
	if status, claim := look(s.Poll(context.Background(), collectors.Fast)); status != (component.Status{Condition: component.OK}) || claim != snapshot.ClaimFull {
		t.Fatalf("after AC came back: %+v, %s", status, claim)
	}
	b.command(t, "sensor_set_bit 0x20 0 0xe1 1 1 1") // PSU2: failure detected
	if status, _ := look(s.Poll(context.Background(), collectors.Fast)); status.Condition != component.Failed {
		t.Fatalf("after it failed: %+v", status)
	}
}
