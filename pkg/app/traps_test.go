package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/ledger"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// trapSite is a datacenter whose devices are polled so rarely that only their traps can tell in time.
func trapSite(t *testing.T, more string) *site {
	s := newSite(t, "traps: {listen: [\"127.0.0.1:0\"]}\n"+more)
	s.write("lab.yaml", strings.Replace(s.dc.Config(), "poll: {states: 1s, inventory: 10s", "poll: {states: 10m, inventory: 1h", 1))
	return s
}

func finds(key finding.Key) func(*api.Status) bool {
	return func(st *api.Status) bool {
		for _, f := range st.Findings {
			if f.Key == key {
				return true
			}
		}
		return false
	}
}

// TestTrapsAreAskedAtOnce: what breaks is found when its device says so, ten minutes before its turn.
func TestTrapsAreAskedAtOnce(t *testing.T) {
	s := trapSite(t, "")
	a, _ := s.daemon()
	until(t, a, "everything was read", func(st *api.Status) bool { return st.Settled && len(st.Groups) > 0 })
	s.dc.TrapsTo(a.TrapAddrs()[0])
	for _, c := range []struct {
		what    string
		do      func() error
		finding finding.Key
	}{
		{"a UPS, by SNMPv3", func() error { return s.dc.LoseUtility("utility-b") }, "on-battery:ups-b/ups/1"},
		{"a BMC, by a platform event", func() error { return s.dc.FailSupply("srv-103", 2) }, "redundancy-lost:srv-103/group/psu"},
		{"a PDU, by SNMPv2c", func() error { return s.dc.TripBreaker("pdu-r12-a", 1) }, "redundancy-lost:srv-104/group/psu"},
	} {
		began := time.Now()
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		until(t, a, c.what, finds(c.finding))
		t.Logf("%s: found after %s", c.what, time.Since(began).Round(time.Millisecond))
	}
	_, metrics := get(t, a.URL()+"/metrics")
	for _, want := range []string{`sparewatch_traps_total{result="polled"} [1-9]`, `sparewatch_traps_total{result="unknown_sender"} 0`, `sparewatch_trap_polls_total [1-9]`} {
		if !regexp.MustCompile(want).MatchString(metrics) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	var lines []string
	err := a.bus.Ledger().Read(t.Context(), 1, func(e ledger.Entry) error {
		if e.Kind != ledger.Heard {
			return nil
		}
		var b spoken
		if err := json.Unmarshal(e.Body, &b); err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s", b.Device, b.Version, b.Says))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Join(lines, "\n")
	t.Logf("the ledger has:\n%s", said)
	for _, want := range []string{"ups-b 3: upsTrapOnBattery: ", "srv-103 1: platform event: power supply 2: failed (critical)", "pdu-r12-a 2c: 1.3.6.1.4.1.318.0.276: "} {
		if !strings.Contains(said, want) {
			t.Errorf("the ledger does not say %q", want)
		}
	}
}

// TestTrapsAreReloaded: another community counts after a reload; another address does not, and nothing has changed then.
func TestTrapsAreReloaded(t *testing.T) {
	s := trapSite(t, "")
	a, _ := s.daemon()
	until(t, a, "everything was read", func(st *api.Status) bool { return st.Settled && len(st.Groups) > 0 })
	to := a.TrapAddrs()[0]
	stranger, err := lab.ServeSNMP("", &lab.Agent{Objects: lab.NewObjects(nil), Community: "events"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stranger.Close() })
	send := func(result string) {
		t.Helper()
		series := regexp.MustCompile(`sparewatch_traps_total\{result="` + result + `"\} [1-9]`)
		if err := stranger.Trap(to, recording.OID{1, 3, 6, 1, 6, 3, 1, 1, 5, 3}); err != nil {
			t.Fatal(err)
		}
		until(t, a, result+" is counted", func(*api.Status) bool { _, m := get(t, a.URL()+"/metrics"); return series.MatchString(m) })
	}
	send("wrong_community")
	daemon := s.read("daemon.yaml")
	s.write("more.yaml", "credentials: {pet: {community: events}}\n")
	s.write("daemon.yaml", strings.Replace(daemon, `traps: {listen: ["127.0.0.1:0"]}`, `traps: {listen: ["127.0.0.1:0"], credentials: [pet], senders: {127.0.0.1: pdu-r12-a}}`, 1))
	if err := a.Reload(t.Context(), s.load()); err != nil {
		t.Fatal(err)
	}
	send("polled")
	s.write("daemon.yaml", strings.Replace(daemon, "127.0.0.1:0\"]}", "127.0.0.2:0\"]}", 1))
	if err := a.Reload(t.Context(), s.load()); err == nil || !strings.Contains(err.Error(), "where traps are heard") {
		t.Errorf("another address is taken while the daemon runs: %v", err)
	}
	send("polled")
}

// TestTrapsWantTheirPort: a port that is taken is told of at the start.
func TestTrapsWantTheirPort(t *testing.T) {
	taken, err := lab.ServeSNMP("", &lab.Agent{Objects: lab.NewObjects(nil)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	s := newSite(t, fmt.Sprintf("traps: {listen: %q}\n", taken.Addr()))
	a, err := New(Options{Config: s.load()})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "listen for traps on "+taken.Addr().String()) {
		t.Errorf("started: %v", err)
	}
}

func (s *site) read(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.folder, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}
