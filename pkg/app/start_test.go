package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/notify"
)

// duty is a webhook that keeps whole notifications.
type duty struct {
	*httptest.Server
	mu   sync.Mutex
	told []notify.Notification
}

func newDuty(t *testing.T) *duty {
	d := &duty{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		var n notify.Notification
		if err := json.NewDecoder(req.Body).Decode(&n); err != nil {
			t.Error(err)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.told = append(d.told, n)
	}))
	t.Cleanup(d.Close)
	return d
}

// take returns what was told since it was last asked.
func (d *duty) take() []notify.Notification {
	d.mu.Lock()
	defer d.mu.Unlock()
	told := d.told
	d.told = nil
	return told
}

// TestAStartTellsOnceAndWhole: what is broken when the daemon starts for the first time is told of once, when it is known
// what the services have left; a restart tells nobody again and ends nothing. SPAREWATCH_STARTS plays it more often.
func TestAStartTellsOnceAndWhole(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a datacenter")
	}
	starts, _ := strconv.Atoi(os.Getenv("SPAREWATCH_STARTS"))
	hook := newDuty(t)
	s := newSite(t, "")
	if err := s.dc.FailSupply("srv-103", 2); err != nil {
		t.Fatal(err)
	}
	for range max(starts, 1) {
		s.write("daemon.yaml", fmt.Sprintf("web: {listen: \"127.0.0.1:0\"}\nstate: {dir: %q}\nnotify:\n  - {name: hook, kind: webhook, url: %q}\n",
			filepath.Join(t.TempDir(), "state"), hook.URL))
		a, stop := s.daemon()
		until(t, a, "the incident", func(st *api.Status) bool { return st.Settled && st.Waiting == 0 && len(st.Incidents) > 0 })
		var told []notify.Notification
		until(t, a, "the notification", func(*api.Status) bool { told = append(told, hook.take()...); return len(told) > 0 })
		if n := told[0]; len(told) != 1 || n.Subject != "srv-103/group/psu" || n.Action != notify.Trigger {
			t.Fatalf("at the start people are told %d times: %+v", len(told), told)
		}
		early := told[0].At.Sub(told[0].Root.Since) < 9*time.Second // after ten the daemon waits no longer
		for _, i := range told[0].Root.Impacts {
			if i.Spares == nil && early {
				t.Errorf("people are told of %s before anybody knows what it has left", i.Service)
			}
		}
		id := told[0].Incident
		for range 2 {
			stop()
			a, stop = s.daemon()
			if st := a.Status(); len(st.Incidents) > 0 && st.Incidents[0].ID != id {
				t.Errorf("right after a restart: %+v", st.Incidents)
			}
			st := until(t, a, "the second first look", func(st *api.Status) bool { return st.Settled && st.Waiting == 0 })
			if len(st.Incidents) != 1 || st.Incidents[0].ID != id {
				t.Errorf("after a restart: %+v", st.Incidents)
			}
			if _, page := get(t, a.URL()+"/"); strings.Contains(page, "cannot be judged now") {
				t.Error("after a restart, with all devices read, something cannot be judged")
			}
		}
		stop()
		if again := hook.take(); len(again) > 0 {
			t.Errorf("a restart tells again: %+v", again)
		}
	}
}
