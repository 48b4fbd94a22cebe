package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/lab"
)

// TestEvents: while no poll is due for ten minutes, a fault in a server is known the moment its BMC tells of it: pushed to
// the daemon, or streamed. The time from the fault to the condition is printed. When the daemon has ended, no BMC holds
// anything for it.
func TestEvents(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and starts daemons")
	}
	binary := build(t)
	for _, c := range []struct {
		name   string
		config string
		heard  func(dc *lab.Datacenter) bool
	}{
		{"pushed", "events: {listen: \"127.0.0.1:0\"}\n", func(dc *lab.Datacenter) bool {
			for _, name := range dc.Devices() {
				if b := dc.BMC(name); b != nil && len(b.Subscriptions()) != 1 {
					return false
				}
			}
			return true
		}},
		{"streamed", "", func(dc *lab.Datacenter) bool {
			for _, name := range dc.Devices() {
				if b := dc.BMC(name); b != nil && b.Streams() != 1 {
					return false
				}
			}
			return true
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dc, err := lab.Start(context.Background(), lab.Options{Events: true})
			must(t, err)
			defer dc.Close()
			d := &daemon{t: t, binary: binary, configs: t.TempDir(), listen: freeAddress(t)}
			slow := strings.Replace(dc.Config(), "states: 1s, inventory: 10s", "states: 10m, inventory: 1h", 1)
			if slow == dc.Config() {
				t.Fatal("the lab's configuration has other intervals than this test thinks")
			}
			d.write("lab.yaml", slow)
			d.write("daemon.yaml", fmt.Sprintf("web: {listen: %q}\nstate: {dir: %q}\n%s", d.listen, filepath.Join(t.TempDir(), "state"), c.config))
			d.start()
			defer d.kill()
			d.says("sparewatch_settled 1")
			d.until("every BMC has somebody to tell", func() bool { return c.heard(dc) })

			for _, f := range []struct {
				what, device, says string
				do                 func() error
			}{
				{"a supply breaks", "srv-101", `component="srv-101/psu/2",kind="psu",sparewatch_component_condition="failed"`, func() error { return dc.FailSupply("srv-101", 2) }},
				{"a supply is pulled", "srv-102", `component="srv-102/psu/1",kind="psu",sparewatch_component_condition="absent"`, func() error { return dc.PullSupply("srv-102", 1) }},
				{"a cord is pulled", "srv-103", `component="srv-103/psu/1",kind="psu",flag="input_lost"`, func() error { return dc.UnplugCord("srv-103", 1) }},
				{"a fan stops", "srv-108", `component="srv-108/fan/3",kind="fan",sparewatch_component_condition="failed"`, func() error { return dc.FailFan("srv-108", 3) }},
				{"a drive fails", "srv-106", `component="srv-106/drive/0",kind="drive",sparewatch_component_condition="failed"`, func() error { return dc.FailDrive("srv-106", 1) }},
			} {
				begun := time.Now()
				must(t, f.do())
				d.until(f.what+" is seen", func() bool {
					for _, line := range strings.Split(d.probe(f.device), "\n") {
						if strings.Contains(line, f.says) && strings.HasSuffix(line, " 1") {
							return true
						}
					}
					return false
				})
				took := time.Since(begun)
				t.Logf("%s: known after %s, with polls ten minutes apart", f.what, took.Round(time.Millisecond))
				if took > 20*time.Second {
					t.Errorf("%s: known only after %s", f.what, took)
				}
			}
			if c.name == "pushed" {
				if text := d.metrics(); !strings.Contains(text, "\nsparewatch_redfish_subscriptions 12\n") || strings.Contains(text, "\nsparewatch_redfish_events_total{result=\"taken\"} 0\n") {
					t.Errorf("the metrics do not tell of it:\n%s", text)
				}
			}
			d.stop()
			for _, name := range dc.Devices() {
				if b := dc.BMC(name); b != nil {
					if open, _ := b.Sessions(); open != 0 || len(b.Subscriptions()) != 0 || b.Streams() != 0 {
						t.Errorf("%s holds %d sessions, %d subscriptions and %d streams", name, open, len(b.Subscriptions()), b.Streams())
					}
				}
			}
		})
	}
}

// until waits for what comes by itself.
func (d *daemon) until(what string, is func() bool) {
	d.t.Helper()
	end := time.Now().Add(routeLimit)
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	for !is() {
		if time.Now().After(end) {
			d.t.Fatalf("it does not come to pass that %s", what)
		}
		<-every.C
	}
}

// probe is what the daemon says of one device.
func (d *daemon) probe(device string) string {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + d.listen + "/probe?target=" + device)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
