package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func picture() *Status {
	one := 1
	return &Status{
		Site: "ams1", Version: "test", Now: noon,
		Report: engine.Report{
			At:       noon,
			Services: []*engine.Service{{ID: "ams1/service/web", Name: "web", State: engine.Full, Spares: &one, By: map[component.Domain]engine.Spares{component.Power: {Spares: &one, State: engine.Full}}}},
			Groups:   []*engine.Group{{ID: "srv/group/psu", Kind: component.PSU, Members: []component.ID{"srv/psu/1"}}},
			Findings: []finding.Finding{{Key: "blind-spot:x", Severity: finding.Warning}},
			Settled:  true,
		},
		Incidents: []incident.Incident{{ID: "ams1-1", Severity: finding.Critical, Opened: noon}},
		Targets: Targets([]*state.Device{{Name: "srv", Targets: []state.Target{
			{URL: "redfish://a", Interval: 15 * time.Second, LastTry: noon, LastGood: noon, Took: 1500 * time.Microsecond},
			{URL: "ipmi://a", Silent: true, Missed: 4, Errors: []snapshot.Error{{At: "ipmi://a", Error: "no answer"}}},
		}}}),
	}
}

func daemon() Daemon {
	return Daemon{
		Status: picture,
		Simulate: func(_ context.Context, fail []string) (*engine.Simulation, error) {
			switch fail[0] {
			case "nobody":
				return nil, &topology.UnknownNameError{Name: fail[0]}
			case "slow":
				return nil, context.DeadlineExceeded
			}
			return &engine.Simulation{Fail: []component.ID{component.ID(fail[0])}}, nil
		},
		Gate: func(_ context.Context, fail []string, strict bool) (*engine.Gate, error) {
			g := &engine.Gate{Verdict: len(fail)}
			if strict {
				g.Reasons = []string{"strict"}
			}
			return g, nil
		},
		Healthy: func() error { return nil },
		Ready:   func() error { return errors.New("2 of 3 targets were not read yet") },
	}
}

func TestClientReadsWhatTheHandlerSays(t *testing.T) {
	srv := httptest.NewServer(Handler(daemon()))
	defer srv.Close()
	c := Client{URL: srv.URL + "/", HTTP: srv.Client()}
	got, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := picture(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	s, err := c.Simulate(t.Context(), []string{"srv/psu/Power Supply & more"})
	if err != nil || s.Fail[0] != "srv/psu/Power Supply & more" {
		t.Errorf("simulate: %v, %v", s, err)
	}
	g, err := c.Gate(t.Context(), []string{"a", "b"}, true)
	if err != nil || g.Verdict != 2 || len(g.Reasons) != 1 {
		t.Errorf("gate: %v, %v", g, err)
	}
}

func TestWhatIsNotKnownIsNull(t *testing.T) {
	b, err := json.Marshal(picture())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"last_good":null`, `"spares":null`, `"settled":true`, `"state":"unknown"`, `"errors":[]`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is missing in %s", want, b)
		}
	}
}

func TestRefusals(t *testing.T) {
	h := Handler(daemon())
	for _, c := range []struct {
		method, path string
		code         int
		says         string
	}{
		{"GET", "/api/v1/simulate", 400, "nothing is named"},
		{"GET", "/api/v1/simulate?fail=", 400, "nothing is named"},
		{"GET", "/api/v1/simulate?fail=nobody", 404, `nothing is called \"nobody\"`},
		{"GET", "/api/v1/simulate?fail=slow", 503, "did not answer in time"},
		{"POST", "/api/v1/status", 404, "is not served"},
		{"GET", "/api/v2/status", 404, "is not served"},
		{"GET", "/readyz", 503, "2 of 3 targets"},
		{"GET", "/healthz", 200, "ok"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s %s: %d %s", c.method, c.path, w.Code, w.Body)
		}
	}
}

func TestClientErrors(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "gate") {
			http.Error(w, "nginx", http.StatusBadGateway)
			return
		}
		_, _ = w.Write([]byte("<html>"))
	}))
	_, err := Client{URL: stranger.URL}.Status(t.Context())
	if err == nil || !strings.Contains(err.Error(), "is no sparewatch daemon") {
		t.Error(err)
	}
	_, err = Client{URL: stranger.URL}.Gate(t.Context(), []string{"a"}, false)
	if err == nil || !strings.Contains(err.Error(), "502") {
		t.Error(err)
	}
	stranger.Close()
	_, err = Client{URL: stranger.URL}.Status(t.Context())
	var gone *UnreachableError
	if !errors.As(err, &gone) || strings.Contains(err.Error(), "Get \"") {
		t.Error(err)
	}
	_, err = Client{URL: "127.0.0.1:9620"}.Status(t.Context())
	if err == nil || !strings.Contains(err.Error(), "write http://host:port") {
		t.Error(err)
	}
}
