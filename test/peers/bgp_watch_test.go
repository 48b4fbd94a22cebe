package peers

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/app"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
)

// watcher is the whole daemon with a configuration of the test's.
type watcher struct {
	*app.App
	t *testing.T
}

func watch(t *testing.T, text string) *watcher {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	text += fmt.Sprintf("\nweb: {listen: '127.0.0.1:0'}\nstate: {dir: %s}\npoll: {states: 1s, inventory: 1m}\n", filepath.Join(dir, "state"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	level := slog.LevelWarn
	if testing.Verbose() {
		level = slog.LevelInfo
	}
	a, err := app.New(app.Options{Config: c, Version: "test", Log: slog.New(slog.NewTextHandler(lines{t}, &slog.HandlerOptions{Level: level}))})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return &watcher{a, t}
}

// lines gives a log to a test.
type lines struct{ t *testing.T }

func (l lines) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// until waits for something to be so, and returns how long that took.
func (w *watcher) until(what string, most time.Duration, is func(*api.Status) bool) time.Duration {
	w.t.Helper()
	began := time.Now()
	for {
		s := w.Status()
		if is(s) {
			return time.Since(began)
		}
		if time.Since(began) > most {
			w.t.Fatalf("not within %s: %s\n%s", most, what, describe(s))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// describe is what the daemon says, for a test that failed.
func describe(s *api.Status) string {
	var b strings.Builder
	for _, g := range s.Groups {
		fmt.Fprintf(&b, "group %s %s: %s\n  members %v\n", g.ID, g.State, g.Why, g.Members)
	}
	for _, v := range s.Services {
		fmt.Fprintf(&b, "service %s %s: %s\n", v.Name, v.State, v.Left())
	}
	for _, f := range s.Findings {
		fmt.Fprintf(&b, "finding %s %s under %q pages %t: %s\n", f.Key, f.Severity, f.Under, f.Pages, f.Summary)
		for _, e := range f.Evidence {
			fmt.Fprintf(&b, "  seen: %s\n", e)
		}
	}
	return b.String()
}

func has(s *api.Status, key finding.Key) *finding.Finding {
	if i := slices.IndexFunc(s.Findings, func(f finding.Finding) bool { return f.Key == key }); i >= 0 {
		return &s.Findings[i]
	}
	return nil
}

func groupState(s *api.Status, id component.ID) (engine.State, int) {
	for _, g := range s.Groups {
		if g.ID == id && g.Spares != nil {
			return g.State, *g.Spares
		}
	}
	return engine.StateUnknown, -9
}
