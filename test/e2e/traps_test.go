package e2e_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/test/e2e"
)

// freeUDP is a UDP address of loopback on which nobody listens.
func freeUDP(t *testing.T) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	must(t, err)
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// TestTraps: while no poll is due for ten minutes, a fault is on somebody's pager the moment its device sends a trap: a
// UPS by SNMPv3, a PDU by v2c, BMCs by platform event traps. The time from the fault to the page is printed. A storm of
// traps costs a handful of polls, and does not hide the fault that comes with it.
func TestTraps(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and starts daemons")
	}
	dc, err := lab.Start(context.Background(), lab.Options{})
	must(t, err)
	defer dc.Close()
	duty := e2e.NewPagerDuty(routingKey)
	defer duty.Close()
	at := freeUDP(t)
	d := &daemon{t: t, binary: build(t), configs: t.TempDir(), listen: freeAddress(t)}
	slow := strings.Replace(dc.Config(), "states: 1s, inventory: 10s", "states: 10m, inventory: 1h", 1)
	if slow == dc.Config() {
		t.Fatal("the lab's configuration has other intervals than this test thinks")
	}
	d.write("lab.yaml", slow)
	d.write("daemon.yaml", fmt.Sprintf("web: {listen: %q}\nstate: {dir: %q}\ntraps: {listen: %q}\nnotify:\n  - {name: duty, kind: pagerduty, url: %q, routing_key: %q}\n",
		d.listen, filepath.Join(t.TempDir(), "state"), at, duty.URL(), routingKey))
	d.start()
	defer d.kill()
	d.says("sparewatch_settled 1")
	dc.TrapsTo(at)

	paged := func(what, about string, do func() error) {
		t.Helper()
		begun := time.Now()
		must(t, do())
		a := alert(t, duty, about, open)
		took := time.Since(begun)
		t.Logf("%s: paged after %s, with polls ten minutes apart: %s", what, took.Round(time.Millisecond), a.Summary)
		if took > 20*time.Second {
			t.Errorf("%s: paged only after %s", what, took)
		}
	}
	paged("the street's power fails (trap of version 3 from the UPS)", "ups-b", func() error { return dc.LoseUtility("utility-b") })
	paged("a supply breaks (platform event trap from the BMC)", "srv-103", func() error { return dc.FailSupply("srv-103", 2) })
	paged("a cord is pulled (platform event trap)", "srv-108", func() error { return dc.UnplugCord("srv-108", 1) })

	ups := dc.Agent("ups-a")
	storm := recording.OID{1, 3, 6, 1, 2, 1, 33, 2, 3}
	before := d.number(`sparewatch_trap_polls_total`)
	for range 5000 {
		must(t, ups.Trap(at, storm))
	}
	paged("the street's power fails within a storm of 5000 traps", "ups-a", func() error { return dc.LoseUtility("utility-a") })
	polls := d.number(`sparewatch_trap_polls_total`) - before
	t.Logf("the storm asked for %v polls", polls)
	if polls > 20 {
		t.Errorf("the storm asked for %v polls", polls)
	}

	// Strangers are counted, and cost nothing.
	stranger, err := lab.ServeSNMP("", &lab.Agent{Objects: lab.NewObjects(nil), Community: "guessed"})
	must(t, err)
	defer stranger.Close()
	must(t, stranger.Trap(at, storm))
	d.until("a wrong community is counted", func() bool { return d.number(`sparewatch_traps_total{result="wrong_community"}`) == 1 })
	d.stop()
}

// number is one sample of the daemon's metrics; -1 where there is none.
func (d *daemon) number(series string) float64 {
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(d.metrics())
	if m == nil {
		return -1
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return -1
	}
	return n
}
