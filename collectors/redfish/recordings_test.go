package redfish

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/conformance"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// expected says what a recorded service shows, after its line in the manifest of the recordings.
type expected struct {
	device string // vendor, model
	kinds  string // how many components of which kind
	other  string // components that are not plainly ok, and how they are
	claims string // group: kind of members, state, needed of designed
}

// Components of these kinds are only counted below: there are many, and what they show is not about power, cooling or storage.
var countedOnly = map[component.Kind]bool{component.Port: true, component.NIC: true, component.Outlet: true, component.Sensor: true}

func summary(s *snapshot.Snapshot) expected {
	e := expected{device: strings.TrimSpace(s.Device.Vendor + ", " + s.Device.Model)}
	count := map[component.Kind]int{}
	var order []component.Kind
	var other []string
	for _, c := range s.Components {
		if count[c.Kind]++; count[c.Kind] == 1 {
			order = append(order, c.Kind)
		}
		if how := how(c); how != "ok" && !countedOnly[c.Kind] {
			other = append(other, fmt.Sprintf("%s/%s %s", c.Kind, c.ID.Local(), how))
		}
	}
	sort.Slice(order, func(i, j int) bool { return order[i] < order[j] })
	var kinds []string
	for _, k := range order {
		kinds = append(kinds, fmt.Sprintf("%d %s", count[k], k))
	}
	e.kinds, e.other = strings.Join(kinds, ", "), strings.Join(other, ", ")
	var claims []string
	for _, c := range s.Claims {
		state := string(c.State)
		if state == "" {
			state = "says nothing"
		}
		claims = append(claims, fmt.Sprintf("%s: %s, %d of %d", c.Group.Local(), state, c.Needed, c.Designed))
	}
	e.claims = strings.Join(claims, "; ")
	return e
}

func how(c component.Component) string {
	s := c.Condition.String()
	for _, f := range []struct {
		is   bool
		name string
	}{{c.Predicted, "predicted"}, {c.Standby, "standby"}, {c.InputLost, "input_lost"}, {c.Rebuilding, "rebuilding"}} {
		if f.is {
			s += "+" + f.name
		}
	}
	return s
}

// replayed serves a recorded service over TLS and opens a session to it.
func replayed(t testing.TB, name string) (*session, *lab.Replaying) {
	t.Helper()
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings here: set SPAREWATCH_RECORDINGS")
	}
	r, err := lab.Replay(filepath.Join(dir, "redfish", name+".json"), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Stop() })
	s, err := Collector{}.Open(collectors.Target{
		Device: "srv-1", URL: r.URL,
		Credentials: collectors.Credentials{User: "reader", Password: secret.New("a-secret"), TLS: collectors.TLS{Fingerprint: r.Redfish.Fingerprint()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if open, _ := r.Redfish.Sessions(); open != 0 {
			t.Errorf("%d sessions are left at the service", open)
		}
	})
	return s.(*session), r
}

// TestRecordings reads every recorded service over the wire, and compares what it shows with what a person expects.
func TestRecordings(t *testing.T) {
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings here: set SPAREWATCH_RECORDINGS")
	}
	files, err := filepath.Glob(filepath.Join(dir, "redfish", "*.json"))
	if err != nil || len(files) == 0 {
		t.Skipf("no recordings of Redfish services in %s", dir)
	}
	read, persons := 0, recorded(t)
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		t.Run(name, func(t *testing.T) {
			want, known := persons[name]
			s, r := replayed(t, name)
			snap := s.Poll(context.Background(), collectors.Full)
			conformance.Check(t, s.target, snap)
			if os.Getenv("SHOW") != "" {
				fmt.Printf("%s\n  device: %s\n  kinds: %s\n  other: %s\n  claims: %s\n", name, summary(snap).device, summary(snap).kinds, summary(snap).other, summary(snap).claims)
			}
			if !known {
				t.Skip("nobody has written down what this recording shows")
			}
			read++
			if got := summary(snap); got != want {
				t.Errorf("device\n got %s\nwant %s\nkinds\n got %s\nwant %s\nother\n got %s\nwant %s\nclaims\n got %s\nwant %s",
					got.device, want.device, got.kinds, want.kinds, got.other, want.other, got.claims, want.claims)
			}
			full := snap.Requests
			fast := s.Poll(context.Background(), collectors.Fast)
			conformance.Check(t, s.target, fast)
			if summary(fast) != summary(snap) {
				t.Errorf("a Fast poll shows something else: %+v", summary(fast))
			}
			if fast.Requests > full {
				t.Errorf("a Fast poll needs %d requests, a Full one %d", fast.Requests, full)
			}
			if n := r.Redfish.MostAtOnce(); n > inFlight {
				t.Errorf("%d requests were under way at once", n)
			}
		})
	}
	if read == 0 {
		t.Log("no recording was compared")
	}
}
