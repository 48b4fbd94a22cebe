package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/lab"
)

// TestReloadBySignal: SIGHUP takes in a changed configuration; one with a mistake changes nothing, and the metrics say it.
func TestReloadBySignal(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and starts a daemon")
	}
	dc, err := lab.Start(context.Background(), lab.Options{})
	must(t, err)
	defer dc.Close()
	d := &daemon{t: t, binary: build(t), configs: t.TempDir(), listen: freeAddress(t)}
	d.write("lab.yaml", dc.Config())
	d.write("daemon.yaml", fmt.Sprintf("web: {listen: %q}\nstate: {dir: %q}\n", d.listen, filepath.Join(t.TempDir(), "state")))
	d.start()
	defer d.kill()
	d.says(`sparewatch_service_spares{service="wiki",domain="overall"} 0`)
	d.says("sparewatch_settled 1")

	d.write("more.yaml", "services: [{name: mail, needs: nobody}]\n")
	must(t, d.cmd.Process.Signal(syscall.SIGHUP))
	d.says("sparewatch_config_last_load_successful 0")
	d.says(`sparewatch_service_spares{service="wiki",domain="overall"} 0`)

	d.write("more.yaml", "services: [{name: mail, needs: srv-112}]\n")
	must(t, d.cmd.Process.Signal(syscall.SIGHUP))
	d.says("sparewatch_config_last_load_successful 1")
	d.says(`sparewatch_service_spares{service="mail",domain="overall"} 0`)
	d.says(`sparewatch_service_spares{service="wiki",domain="overall"} 0`)
	d.stop()
}

// says waits until the daemon's metrics have a line.
func (d *daemon) says(line string) {
	d.t.Helper()
	end := time.Now().Add(routeLimit)
	every := time.NewTicker(100 * time.Millisecond)
	defer every.Stop()
	var text string
	for time.Now().Before(end) {
		if text = d.metrics(); strings.Contains(text, "\n"+line+"\n") {
			return
		}
		<-every.C
	}
	d.t.Fatalf("the metrics do not have %s:\n%s", line, text)
}

func (d *daemon) metrics() string {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + d.listen + "/metrics")
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
