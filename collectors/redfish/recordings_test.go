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
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// bundle reads a recorded service into a tree, as a walk that reached everything would have left it.
func bundle(t testing.TB, name string) *tree {
	t.Helper()
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings here: set SPAREWATCH_RECORDINGS")
	}
	rec, err := recording.Load(filepath.Join(dir, "redfish", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	tr := newTree()
	for at, raw := range rec.Redfish {
		v, err := parseJSON(raw)
		if err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		if _, said := errorBody(v); said == "" {
			tr.entries[normal(at)] = &entry{path: normal(at), body: v}
		}
	}
	return tr
}

func show(s *snapshot.Snapshot) string {
	var b strings.Builder
	fmt.Fprintf(&b, "device %+v requests %d reachable %v\n", s.Device, s.Requests, s.Reachable)
	for _, c := range s.Components {
		flags := ""
		for n, f := range map[string]bool{"predicted": c.Predicted, "standby": c.Standby, "input_lost": c.InputLost, "rebuilding": c.Rebuilding} {
			if f {
				flags += " " + n
			}
		}
		var at []string
		for k, v := range c.Attributes {
			at = append(at, k+"="+v)
		}
		sort.Strings(at)
		var rd []string
		for _, r := range c.Readings {
			rd = append(rd, fmt.Sprintf("%s%s=%g%s", r.Name, r.Phase, r.Value, r.Unit))
		}
		rating := ""
		if c.Rating != nil {
			rating = fmt.Sprintf("%+v", *c.Rating)
		}
		hs := "?"
		if c.HotSwap != nil {
			hs = fmt.Sprint(*c.HotSwap)
		}
		fmt.Fprintf(&b, "  %-28s %-8s%s | %s | %s | hs=%s %s %s | %s | %s\n", c.ID, c.Condition, flags, c.Name, c.Why, hs, rating, strings.Join(rd, " "), strings.Join(at, " "), strings.Join(c.Aliases, " "))
	}
	for _, c := range s.Claims {
		fmt.Fprintf(&b, "  CLAIM %s %s state=%q needed=%d designed=%d carries=%s members=%v why=%s raw=%v\n", c.Group, c.Kind, c.State, c.Needed, c.Designed, c.Carries, c.Members, c.Why, c.Raw)
	}
	for _, l := range s.Links {
		fmt.Fprintf(&b, "  LINK %s %s %s\n", l.From, l.Kind, l.To)
	}
	for _, e := range s.Errors {
		fmt.Fprintf(&b, "  ERROR %+v\n", e)
	}
	return b.String()
}

func TestDump(t *testing.T) {
	name := os.Getenv("DUMP")
	if name == "" {
		t.Skip()
	}
	s, differ := parseTree(bundle(t, name), "dev")
	fmt.Print(show(s), differ, "\n")
}

// poll replays a recorded service over TLS and reads it once.
func poll(t testing.TB, name string) (*snapshot.Snapshot, *session, *lab.Replaying) {
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
		Device: "dev", URL: r.URL,
		Credentials: collectors.Credentials{User: "reader", Password: secret.New("a-secret"), TLS: collectors.TLS{Fingerprint: r.Redfish.Fingerprint()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s.Poll(context.Background(), collectors.Full), s.(*session), r
}

func TestDumpPoll(t *testing.T) {
	name := os.Getenv("DUMP")
	if name == "" {
		t.Skip()
	}
	snap, s, r := poll(t, name)
	fmt.Print(show(snap))
	for i := range 4 {
		before := r.Redfish.Requests()
		snap = s.Poll(context.Background(), collectors.Fast)
		fmt.Println("fast", i, "requests", r.Redfish.Requests()-before, "components", len(snap.Components), snap.Errors)
	}
}
