package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/lab"
)

// patience is how long a test waits for what should come in a second or two.
const patience = 60 * time.Second

// site is a simulated datacenter with a configuration for a daemon that watches it.
type site struct {
	t      *testing.T
	dc     *lab.Datacenter
	folder string
}

func newSite(t *testing.T, more string) *site {
	t.Helper()
	dc, err := lab.Start(context.Background(), lab.Options{Rebuild: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dc.Close() })
	s := &site{t: t, dc: dc, folder: t.TempDir()}
	s.write("lab.yaml", dc.Config())
	s.write("daemon.yaml", fmt.Sprintf("web: {listen: \"127.0.0.1:0\"}\nstate: {dir: %q}\n%s", filepath.Join(t.TempDir(), "state"), more))
	return s
}

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.folder, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) load() *config.Config {
	s.t.Helper()
	cfg, err := config.Load(s.folder)
	if err != nil {
		s.t.Fatal(err)
	}
	return cfg
}

// daemon starts one; stop ends it, and is called at the end of the test too.
func (s *site) daemon() (a *App, stop func()) {
	s.t.Helper()
	a, err := New(Options{Config: s.load(), Version: "test", Log: slog.New(slog.NewTextHandler(testWriter{s.t}, nil)), Settle: 20 * time.Second})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := a.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := a.Stop(ctx); err != nil {
				s.t.Error(err)
			}
		})
	}
	s.t.Cleanup(stop)
	return a, stop
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// until waits for what ok says of the status.
func until(t *testing.T, a *App, what string, ok func(*api.Status) bool) *api.Status {
	t.Helper()
	end := time.Now().Add(patience)
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for {
		s := a.Status()
		if ok(s) {
			return s
		}
		if time.Now().After(end) {
			b, _ := json.MarshalIndent(s.Findings, "", " ")
			t.Fatalf("%s does not come; %d incidents, settled %v, findings:\n%s", what, len(s.Incidents), s.Settled, b)
		}
		<-every.C
	}
}

func group(s *api.Status, id string) engine.Group {
	for _, g := range s.Groups {
		if string(g.ID) == id {
			return *g
		}
	}
	return engine.Group{}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// receiver is a webhook that keeps what it is told.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	told []string // action and incident
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		var n struct{ Action, Incident string }
		if err := json.NewDecoder(req.Body).Decode(&n); err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.told = append(r.told, n.Action+" "+n.Incident)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.told...)
}

// TestDaemon follows a supply that fails from the wire to the page, over a restart, and back.
func TestDaemon(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a datacenter")
	}
	hook := newReceiver(t)
	s := newSite(t, fmt.Sprintf("notify:\n  - {name: hook, kind: webhook, url: %q}\n", hook.URL))
	a, stop := s.daemon()
	until(t, a, "a first look", func(st *api.Status) bool { return st.Settled && len(st.Groups) > 0 })
	if st := a.Status(); len(st.Incidents) != 0 {
		t.Errorf("there are incidents before anything happened: %+v", st.Incidents)
	}
	if code, body := get(t, a.URL()+"/readyz"); code != 200 {
		t.Errorf("/readyz: %d %s", code, body)
	}

	if err := s.dc.FailSupply("srv-103", 2); err != nil {
		t.Fatal(err)
	}
	const supplies = "srv-103/group/psu"
	st := until(t, a, "the lost spare", func(st *api.Status) bool { return group(st, supplies).State == engine.Lost && len(st.Incidents) == 1 })
	opened := st.Incidents[0].ID
	until(t, a, "the notification", func(*api.Status) bool { return len(hook.all()) == 1 })
	if _, page := get(t, a.URL()+"/"); !strings.Contains(page, "srv-103") || !strings.Contains(page, string(opened)) {
		t.Error("the page does not show the incident")
	}
	if _, text := get(t, a.URL()+"/metrics"); !strings.Contains(text, `sparewatch_group_redundancy_state{group="srv-103/group/psu",kind="psu",sparewatch_group_redundancy_state="lost"} 1`) {
		t.Error("the metrics do not show the lost spare")
	}

	stop()
	a, stop = s.daemon()
	st = until(t, a, "the second first look", func(st *api.Status) bool { return st.Settled })
	if len(st.Incidents) != 1 || st.Incidents[0].ID != opened {
		t.Errorf("after a restart the open incidents are %+v, want %s", st.Incidents, opened)
	}

	if err := s.dc.InsertSupply("srv-103", 2); err != nil {
		t.Fatal(err)
	}
	until(t, a, "the supply's return", func(st *api.Status) bool { return group(st, supplies).State == engine.Full && len(st.Incidents) == 0 })
	until(t, a, "the all-clear", func(*api.Status) bool { return len(hook.all()) >= 2 })
	stop()
	if got, want := hook.all(), []string{"trigger " + string(opened), "resolve " + string(opened)}; strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("people were told %v, want %v", got, want)
	}
}

// TestReload: another configuration takes the place of the present one; what is known and open stays, and nobody is
// told again.
func TestReload(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a datacenter")
	}
	hook := newReceiver(t)
	s := newSite(t, fmt.Sprintf("notify:\n  - {name: hook, kind: webhook, url: %q}\n", hook.URL))
	a, stop := s.daemon()
	until(t, a, "a first look", func(st *api.Status) bool { return st.Settled && len(st.Groups) > 0 })
	if err := s.dc.PullSupply("srv-103", 2); err != nil {
		t.Fatal(err)
	}
	opened := until(t, a, "the incident", func(st *api.Status) bool { return len(st.Incidents) == 1 }).Incidents[0].ID
	until(t, a, "the notification", func(*api.Status) bool { return len(hook.all()) == 1 })

	was := s.dc.Config()
	moved := strings.Replace(was, "site: lab", "site: other", 1)
	s.write("lab.yaml", moved)
	if err := a.Reload(t.Context(), s.load()); err == nil || !strings.Contains(err.Error(), "restart") {
		t.Errorf("a new site's name: %v", err)
	}
	before := len(a.Status().Services)
	s.write("lab.yaml", was+"  - {name: mail, tier: 1, needs: srv-103}\n")
	if err := a.Reload(t.Context(), s.load()); err != nil {
		t.Fatal(err)
	}
	st := a.Status()
	if len(st.Incidents) != 1 || st.Incidents[0].ID != opened || group(st, "srv-103/group/psu").State != engine.Lost {
		t.Errorf("right after the reload: incidents %+v, group %+v", st.Incidents, group(st, "srv-103/group/psu"))
	}
	st = until(t, a, "the new service", func(st *api.Status) bool { return st.Settled && len(st.Services) == before+1 })
	if len(st.Incidents) != 1 || st.Incidents[0].ID != opened {
		t.Errorf("after the reload: %+v", st.Incidents)
	}
	if err := s.dc.InsertSupply("srv-103", 2); err != nil {
		t.Fatal(err)
	}
	until(t, a, "the end", func(st *api.Status) bool { return len(st.Incidents) == 0 })
	until(t, a, "the all-clear", func(*api.Status) bool {
		return strings.HasPrefix(strings.Join(hook.all(), ","), "trigger") && strings.Contains(strings.Join(hook.all(), ","), "resolve")
	})
	stop()
	for _, told := range hook.all() {
		if !strings.HasSuffix(told, string(opened)) {
			t.Errorf("people were told of another incident: %v", hook.all())
		}
	}
}

// TestStartErrors: what is in the way of a start is said, and nothing stays behind.
func TestStartErrors(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a datacenter")
	}
	s := newSite(t, "")
	a, _ := s.daemon()
	second, err := New(Options{Config: s.load()})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "uses the folder") {
		t.Errorf("a second daemon on the same state: %v", err)
	}
	cfg := *s.load()
	cfg.Web.Listen = strings.TrimPrefix(a.URL(), "http://")
	third, err := New(Options{Config: &cfg})
	if err != nil {
		t.Fatal(err)
	}
	if err := third.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "choose another address") {
		t.Errorf("a second daemon on the same address: %v", err)
	}
}

// TestQuestions: simulate and gate are answered by the engine that is running, and a wrong name is said to be one.
func TestQuestions(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a datacenter")
	}
	s := newSite(t, "")
	a, stop := s.daemon()
	until(t, a, "a first look", func(st *api.Status) bool { return st.Settled && len(st.Groups) > 0 })
	c := api.Client{URL: a.URL()}
	sim, err := c.Simulate(t.Context(), []string{"feed-a"})
	if err != nil || len(sim.Groups) < 11 {
		t.Errorf("simulate: %+v, %v", sim, err)
	}
	host := "" // of the service that runs on one host
	for _, sv := range a.Status().Services {
		if sv.Name == "wiki" {
			host = sv.Weakest[0][0].Device()
		}
	}
	gate, err := c.Gate(t.Context(), []string{host}, false)
	if err != nil || gate.Verdict != 1 {
		t.Errorf("gate: %+v, %v", gate, err)
	}
	if _, err := c.Simulate(t.Context(), []string{"nobody"}); err == nil || !strings.Contains(err.Error(), `nothing is called "nobody"`) {
		t.Error(err)
	}
	if code, text := get(t, a.URL()+"/probe?target=srv-101"); code != 200 || !strings.Contains(text, "sparewatch_component_condition") {
		t.Errorf("/probe: %d %s", code, text)
	}
	if code, _ := get(t, a.URL()+"/healthz"); code != 200 {
		t.Errorf("/healthz: %d", code)
	}
	stop()
	if _, err := a.Simulate(t.Context(), []string{"feed-a"}); err == nil {
		t.Error("a stopped daemon answers")
	}
}

// TestLogin: the page asks for a login where the web configuration says so, and nothing is served without.
func TestLogin(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"a.yaml": "devices: [\"redfish+http://127.0.0.1:9\"]\nweb: {listen: \"127.0.0.1:0\", tls_config: web.yml}\nstate: {dir: state}\n",
		// The hash is bcrypt's of "page-test".
		"web.yml": "basic_auth_users:\n  duty: $2a$04$10cjW0m9u/yncuEEFsdVROUo66/.DZo.o5ChF7XAUcx1Jmse6h/2G\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(filepath.Join(dir, "a.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Options{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	for _, path := range []string{"/", "/metrics", "/api/v1/status", "/healthz"} {
		if code, _ := get(t, a.URL()+path); code != http.StatusUnauthorized {
			t.Errorf("%s is answered with %d to nobody in particular", path, code)
		}
	}
	c := api.Client{URL: strings.Replace(a.URL(), "://", "://duty:page-test@", 1)}
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
	cfg.Web.TLSConfig = filepath.Join(dir, "a.yaml")
	if _, err := New(Options{Config: cfg}); err == nil || !strings.Contains(err.Error(), "exporter toolkit") {
		t.Errorf("a wrong web configuration: %v", err)
	}
}
