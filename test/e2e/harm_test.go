package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/test/e2e"
)

// logged is what a process writes, to be looked at while it runs.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// logs waits until the daemon has logged a line that matches, and returns how many there are.
func (d *daemon) logs(pattern string) int {
	d.t.Helper()
	re := regexp.MustCompile(pattern)
	var n int
	d.until("a line "+pattern, func() bool { n = len(re.FindAllString(d.log.String(), -1)); return n > 0 })
	return n
}

// TestHarmToTheState: the disk fills while a fault happens, the configuration gets a mistake while incidents are open,
// and the daemon is killed. Each is said in one clear line, and what is known is not lost.
func TestHarmToTheState(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and starts daemons")
	}
	dc, err := lab.Start(context.Background(), lab.Options{})
	must(t, err)
	defer dc.Close()
	duty := e2e.NewPagerDuty(routingKey)
	defer duty.Close()
	disk := smallDisk(t)
	d := &daemon{t: t, binary: build(t), configs: t.TempDir(), listen: freeAddress(t)}
	d.write("lab.yaml", dc.Config())
	d.write("daemon.yaml", fmt.Sprintf("web: {listen: %q}\nstate: {dir: %q}\nnotify:\n  - {name: duty, kind: pagerduty, url: %q, routing_key: %q}\n", d.listen, filepath.Join(disk, "state"), duty.URL(), routingKey))
	d.start()
	defer d.kill()
	defer func() {
		if t.Failed() || testing.Verbose() {
			t.Logf("the daemon's log:\n%s", &d.log)
		}
	}()
	d.says("sparewatch_settled 1")
	must(t, dc.PullSupply("srv-103", 2))
	first := alert(t, duty, "srv-103", open)

	t.Log("a mistake in the configuration changes nothing of what is open")
	d.write("more.yaml", "services: [{name: mail, needs: srv-1O3}]\n")
	must(t, d.cmd.Process.Signal(syscall.SIGHUP))
	if n := d.logs(`the configuration was not loaded; the one before stays.*more.yaml:1: .*srv-1O3`); n != 1 {
		t.Errorf("the mistake is logged %d times", n)
	}
	d.says(`sparewatch_incidents_open{severity="critical"} 1`)
	must(t, os.Remove(filepath.Join(d.configs, "more.yaml")))

	t.Log("the disk is full when a supply dies")
	free := fillUp(t, disk)
	must(t, dc.PullSupply("srv-110", 1))
	if n := d.logs(`the ledger cannot be written; nobody is told anything until it can`); n != 1 {
		t.Errorf("the full disk is logged %d times", n)
	}
	d.until("an ill health", func() bool {
		code, text := d.health()
		return code == 503 && strings.Contains(text, "the ledger cannot be written")
	})
	d.says(`sparewatch_group_redundancy_state{group="srv-110/group/psu",kind="psu",sparewatch_group_redundancy_state="lost"} 1`)
	must(t, os.Remove(free))
	second := alert(t, duty, "srv-110", open)
	// Where a write failed within a stream, that refuses all others until it is started anew, which the daemon does by itself.
	if strings.Contains(d.log.String(), "Critical write error") {
		d.logs(`the daemon starts anew by itself`)
	}
	d.until("health again", func() bool { code, _ := d.health(); return code == 200 })
	if n := strings.Count(d.log.String(), "level=ERROR"); n > 7 { // the embedded JetStream says it for each of its streams
		t.Errorf("a full disk is worth %d errors in the log:\n%s", n, &d.log)
	}

	t.Log("it is killed; then its folder cannot be written at all, and then again it can")
	d.kill()
	must(t, dc.InsertSupply("srv-103", 2))
	must(t, syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	out, err := exec.Command(d.binary, "run", "--config", d.configs).CombinedOutput()
	if err == nil || strings.Count(strings.TrimSpace(string(out)), "\n") > 0 || !strings.Contains(string(out), "read-only file system") {
		t.Errorf("on a read-only folder it says %q, %v", out, err)
	}
	must(t, syscall.Mount("", disk, "", syscall.MS_REMOUNT, ""))
	d.start()
	alert(t, duty, "srv-103", resolved)
	must(t, dc.InsertSupply("srv-110", 1))
	alert(t, duty, "srv-110", resolved)
	if alerts := duty.Alerts(); len(alerts) != 2 || alerts[0].Key != first.Key || alerts[1].Key != second.Key {
		t.Errorf("people were told of %+v", alerts)
	}
	d.stop()
}

func (d *daemon) health() (int, string) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + d.listen + "/healthz")
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	b := make([]byte, 1000)
	n, _ := res.Body.Read(b)
	return res.StatusCode, string(b[:n])
}

// smallDisk is a file system of its own that can be filled and made read-only.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("no small disk can be had: %v (it takes root)", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, 0)) })
	return dir
}

// fillUp leaves no byte free, and returns the file to remove.
func fillUp(t *testing.T, disk string) string {
	t.Helper()
	name := filepath.Join(disk, "filler")
	f, err := os.Create(name)
	must(t, err)
	block := make([]byte, 1<<20)
	for size := len(block); size > 0; {
		if _, err := f.Write(block[:size]); err != nil {
			size /= 2
		}
	}
	must(t, f.Close())
	return name
}
