package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/engine"
)

// long answers when ctx is done, or when it is let go.
func long(ctx context.Context, free <-chan struct{}) *engine.CutSets {
	select {
	case <-ctx.Done():
		return &engine.CutSets{Stopped: true}
	case <-free:
		return &engine.CutSets{Whole: true}
	}
}

// A few questions are answered at once, some wait, and the others are told to ask again; who goes away makes room.
func TestDeskIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{within: 20 * time.Second, slots: make(chan struct{}, 2), queue: make(chan struct{}, 4)}
		free := make(chan struct{})
		type reply struct {
			is  *engine.CutSets
			err error
		}
		replies := make(chan reply, 8)
		running := make(chan struct{}, 8)
		put := func(ctx context.Context) {
			go func() {
				is, err := answer(ctx, d, func(ctx context.Context) *engine.CutSets {
					running <- struct{}{}
					return long(ctx, free)
				})
				replies <- reply{is, err}
			}()
			synctest.Wait()
		}
		first, leave := context.WithCancel(t.Context())
		put(first)
		put(t.Context())
		waiting, give := context.WithTimeout(t.Context(), time.Second)
		defer give()
		put(waiting)
		put(t.Context())
		if len(running) != 2 {
			t.Fatalf("%d are answered at once", len(running))
		}
		put(t.Context())
		if r := <-replies; !errors.Is(r.err, api.ErrBusy) {
			t.Fatalf("the fifth: %+v", r)
		}
		time.Sleep(2 * time.Second)
		if r := <-replies; !errors.Is(r.err, context.DeadlineExceeded) {
			t.Fatalf("the one that would not wait longer: %+v", r)
		}
		leave()
		synctest.Wait()
		if r := <-replies; !r.is.Stopped || r.is.StoppedAfter != 2 || len(running) != 3 {
			t.Fatalf("the one that went away: %+v, %d begun", r.is, len(running))
		}
		time.Sleep(19 * time.Second) // the second one's time is over
		if r := <-replies; !r.is.Stopped || r.is.StoppedAfter != 20 {
			t.Fatalf("the one that took too long: %+v", r.is)
		}
		close(free)
		if r := <-replies; !r.is.Whole || r.is.StoppedAfter != 0 {
			t.Fatalf("the last one: %+v", r.is)
		}
	})
}

// wide is a daemon that watches nothing and knows a service on many hosts, of which one is enough, and one that needs half of them.
func wide(t *testing.T, hosts int) *App {
	folder := t.TempDir()
	text := fmt.Sprintf(`
site: s
web: {listen: "127.0.0.1:0"}
state: {dir: %q}
devices: [{name: "srv-[1-%d]", kind: host}]
services:
  - {name: any, needs: {at_least: 1, of: ["srv-[1-%d]"]}}
  - {name: half, needs: {at_least: %d, of: ["srv-[1-%d]"]}}
`, filepath.Join(folder, "state"), hosts, hosts, hosts/2, hosts)
	file := filepath.Join(folder, "wide.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Options{Config: cfg, Version: "test", Log: slog.New(slog.DiscardHandler), Settle: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	a.desk.within = 2 * time.Second
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return a
}

// One of ten thousand over HTTP is answered exactly; of how many half may be is said exactly too, or how far the answer goes.
// Meanwhile the daemon judges and answers others.
func TestCutsOfManyOverHTTP(t *testing.T) {
	hosts := 10_000
	if testing.Short() {
		hosts = 2000
	}
	a := wide(t, hosts)
	until(t, a, "a report", func(s *api.Status) bool { return len(s.Services) == 2 })
	ask := func(ctx context.Context, of string) (*engine.CutSets, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL()+"/api/v1/cuts?limit=1&of="+of, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close() //nolint:errcheck // nothing is lost
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s %w", res.Status, body, err)
		}
		var c engine.CutSets
		return &c, json.Unmarshal(body, &c)
	}
	hard := make(chan *engine.CutSets, 1)
	go func() {
		c, err := ask(t.Context(), "half")
		if err != nil {
			t.Error(err)
		}
		hard <- c
	}()
	gone, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := ask(gone, "half")
		left <- err
	}()
	leave()
	if err := <-left; err == nil {
		t.Log("it was answered before it went away")
	}
	c, err := ask(t.Context(), "any")
	if err != nil || !c.Whole || c.Count.Int64() != 1 || len(c.Sets) != 1 || len(c.Sets[0]) != hosts {
		t.Errorf("any: %v", err)
	}
	g, err := a.Gate(t.Context(), []string{"srv-7"}, false)
	if err != nil || g.Verdict == 1 || g.Effect.Fail[0] != "srv-7/host/1" {
		t.Errorf("a gate meanwhile: %+v %v", g, err)
	}
	if c = <-hard; c == nil || c.Whole == (c.ExactUpTo != nil) || c.Count.Sign() == 0 && c.Whole {
		t.Errorf("half: %+v", c)
	}
	if err := a.Healthy(); err != nil {
		t.Error(err)
	}
}
