package pagerduty_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/notify"
	"github.com/sparewatch/sparewatch/pkg/notify/pagerduty"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const key = "0123456789abcdef0123456789abcdef"

// listen starts a receiver that keeps the last body and answers as it is told.
func listen(t *testing.T, answer http.HandlerFunc) (*pagerduty.Notifier, *[]byte) {
	t.Helper()
	var body []byte
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			t.Error(err)
		}
		if r.Method != http.MethodPost || r.URL.Path != "/v2/enqueue" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s, Content-Type %q", r.Method, r.URL, r.Header.Get("Content-Type"))
		}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	p, err := pagerduty.New(pagerduty.Options{RoutingKey: secret.New(key), URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	return p, &body
}

func accept(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"success","message":"Event processed","dedup_key":"x"}`)
}

func lost() notify.Notification {
	one, down := 1, -1
	root := finding.Finding{
		Key: "redundancy-lost:s1/group/psu", Rule: finding.RedundancyLost, Subject: "s1/group/psu", Severity: finding.Error,
		Summary: "s1 runs on its last power supply", Since: time.Date(2026, 11, 22, 3, 15, 2, 0, time.UTC),
		Causes:   []finding.Cause{{ID: "s1/psu/1", Why: "AC input lost"}, {ID: "p1/outlet/3"}},
		Evidence: []string{"PowerSupplies/0: Status.State UnavailableOffline"}, Remedy: "Check the cord at outlet 3 of p1.",
		Impacts: []finding.Impact{
			{Service: "ams1/service/payments", Tier: 0, Spares: &one, By: map[component.Domain]int{component.Power: 1, component.Network: 2}},
			{Service: "ams1/service/web", Tier: 2, Spares: &down}, {Service: "ams1/service/mail", Tier: 3},
		},
		Pages: true,
	}
	return notify.Notification{
		Incident: "ams1-20261122T031502Z-17", Action: notify.Trigger, Why: "opened", Severity: finding.Error, Title: root.Summary, Site: "ams1",
		Subject: root.Subject, Root: root, Findings: []finding.Finding{root, {Summary: "s1/psu/1 has no input"}}, More: 3,
		Opened: root.Since, At: root.Since, Link: "http://watch/",
	}
}

func TestATriggerSaysWhatATiredPersonNeeds(t *testing.T) {
	p, body := listen(t, accept)
	if err := p.Send(t.Context(), lost()); err != nil {
		t.Fatal(err)
	}
	const want = `{
	"routing_key": "0123456789abcdef0123456789abcdef",
	"event_action": "trigger",
	"dedup_key": "ams1-20261122T031502Z-17",
	"links": [{"href": "http://watch/", "text": "Sparewatch"}],
	"client": "Sparewatch",
	"client_url": "http://watch/",
	"payload": {
		"summary": "s1 runs on its last power supply",
		"source": "s1",
		"severity": "error",
		"timestamp": "2026-11-22T03:15:02Z",
		"component": "s1/group/psu",
		"group": "ams1",
		"class": "redundancy-lost",
		"custom_details": {
			"what": "s1 runs on its last power supply",
			"why": ["s1/psu/1: AC input lost", "p1/outlet/3"],
			"services": ["payments (tier 0): 1 left; network 2, power 1", "web (tier 2): down", "mail (tier 3): spares not known"],
			"remedy": "Check the cord at outlet 3 of p1.",
			"evidence": ["PowerSupplies/0: Status.State UnavailableOffline"],
			"consequences": ["s1/psu/1 has no input", "and 3 more"],
			"told_because": "opened",
			"rule": "redundancy-lost",
			"since": "2026-11-22T03:15:02Z"
		}
	}
}`
	same(t, *body, want)
}

func TestAResolveClosesWhatItsTriggerOpened(t *testing.T) {
	p, body := listen(t, accept)
	n := lost()
	n.Action = notify.Resolve
	if err := p.Send(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	same(t, *body, `{"routing_key": "0123456789abcdef0123456789abcdef", "event_action": "resolve", "dedup_key": "ams1-20261122T031502Z-17", "client": "Sparewatch", "client_url": "http://watch/"}`)
}

func same(t *testing.T, got []byte, want string) {
	t.Helper()
	var g, w any
	if err := errors.Join(json.Unmarshal(got, &g), json.Unmarshal([]byte(want), &w)); err != nil {
		t.Fatal(err)
	}
	a, errA := json.MarshalIndent(g, "", "\t")
	b, errB := json.MarshalIndent(w, "", "\t")
	if err := errors.Join(errA, errB); err != nil || string(a) != string(b) {
		t.Errorf("sent was\n%s\nwant\n%s", a, b)
	}
}

func TestEventsKeepWithinTheLimits(t *testing.T) {
	p, body := listen(t, accept)
	many := func(n, size int) (s []string) {
		for range n {
			s = append(s, strings.Repeat("é<", size/3))
		}
		return s
	}
	for name, change := range map[string]func(*notify.Notification){
		"a long title":   func(n *notify.Notification) { n.Title = strings.Repeat("é", 3000) },
		"a long id":      func(n *notify.Notification) { n.Incident = incident.ID(strings.Repeat("a", 300) + "1") },
		"much evidence":  func(n *notify.Notification) { n.Root.Evidence = many(1000, 1000) },
		"a long remedy":  func(n *notify.Notification) { n.Root.Remedy = many(1, 1_000_000)[0] },
		"a long summary": func(n *notify.Notification) { n.Root.Summary = many(1, 1_000_000)[0] },
		"much of all":    func(n *notify.Notification) { n.Root.Evidence, n.Root.Summary = many(1000, 1000), many(1, 900_000)[0] },
		"many consequences": func(n *notify.Notification) {
			n.Findings = make([]finding.Finding, 50)
			n.Findings[7].Summary = many(1, 900_000)[0]
		},
		"nothing": func(n *notify.Notification) { *n = notify.Notification{Action: notify.Trigger} },
	} {
		t.Run(name, func(t *testing.T) {
			n := lost()
			change(&n)
			if err := p.Send(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			var e struct {
				Dedup   string `json:"dedup_key"`
				Payload struct {
					Summary, Source, Severity string
					Details                   map[string]any `json:"custom_details"`
				}
			}
			if err := json.Unmarshal(*body, &e); err != nil {
				t.Fatal(err)
			}
			if len(*body) > 512<<10 || utf8.RuneCountInString(e.Payload.Summary) > 1024 || len(e.Dedup) > 255 {
				t.Errorf("%d bytes, a summary of %d characters, a dedup key of %d", len(*body), utf8.RuneCountInString(e.Payload.Summary), len(e.Dedup))
			}
			if name != "nothing" && (e.Payload.Summary == "" || e.Payload.Details["rule"] != "redundancy-lost") || e.Payload.Source == "" || e.Payload.Severity == "" {
				t.Errorf("the payload is %+v", e.Payload)
			}
		})
	}
	a, b := lost(), lost()
	a.Incident, b.Incident = incident.ID(strings.Repeat("a", 300)+"1"), incident.ID(strings.Repeat("a", 300)+"2")
	var keys []string
	for _, n := range []notify.Notification{a, b} {
		if err := p.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, strings.Split(string(*body), `"dedup_key":"`)[1][:255])
	}
	if keys[0] == keys[1] {
		t.Error("two long ids have one dedup key")
	}
}

func TestWhatTheAnswerMeans(t *testing.T) {
	for _, c := range []struct {
		name      string
		answer    http.HandlerFunc
		want      string // empty: delivered
		temporary bool
		after     time.Duration
	}{
		{"accepted", accept, "", false, 0},
		{"accepted without a body", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) }, "", false, 0},
		{"accepted with garbage", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202); _, _ = io.WriteString(w, "<html>") }, "", false, 0},
		{"invalid", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"status":"invalid event","message":"Event object is invalid","errors":["'routing_key' `+key+` is unknown"]}`)
		}, `it answered 400 Bad Request: {"status":"invalid event","message":"Event object is invalid","errors":["'routing_key' <secret> is unknown"]}`, false, 0},
		{"too many", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "30"); w.WriteHeader(429) }, "it answered 429 Too Many Requests", true, 30 * time.Second},
		{"too many, and it repeats the key", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(429)
			_, _ = io.WriteString(w, key)
		}, "it answered 429 Too Many Requests: <secret>", true, 30 * time.Second},
		{"broken", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "bad  gateway", http.StatusBadGateway) }, "it answered 502 Bad Gateway: bad gateway", true, 0},
		{"moved", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(302)
		}, "it redirects", false, 0},
		{"gone in the middle", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF", true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _ := listen(t, c.answer)
			err := p.Send(t.Context(), lost())
			temporary, is := errors.AsType[*notify.TemporaryError](err)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %q", err, c.want)
			case is != c.temporary || is && temporary.After != c.after:
				t.Errorf("%v: temporary %t, want %t after %v", err, is, c.temporary, c.after)
			case err != nil && (strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "PagerDuty 127.0.0.1")):
				t.Errorf("%v shows the routing key or not the receiver", err)
			}
		})
	}
}

func TestANotifierThatIsStoppedReturns(t *testing.T) {
	arrived := make(chan struct{})
	p, _ := listen(t, func(_ http.ResponseWriter, r *http.Request) { close(arrived); <-r.Context().Done() })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if err := p.Send(ctx, lost()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTheCertificateIsVerified(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(accept))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it would complain of the client that refuses it
	s.StartTLS()
	defer s.Close()
	for _, c := range []struct {
		tls  collectors.TLS
		fine bool
	}{{collectors.TLS{}, false}, {collectors.TLS{Fingerprint: collectors.Fingerprint(s.Certificate())}, true}} {
		p, err := pagerduty.New(pagerduty.Options{RoutingKey: secret.New(key), URL: s.URL + "/v2/enqueue", TLS: c.tls})
		if err != nil {
			t.Fatal(err)
		}
		err = p.Send(t.Context(), lost())
		if _, is := errors.AsType[*notify.TemporaryError](err); c.fine != (err == nil) || is == c.fine {
			t.Errorf("%+v: %v", c.tls, err)
		}
		if _, is := errors.AsType[*collectors.CertificateError](err); is == c.fine {
			t.Errorf("%+v: %v, want a CertificateError", c.tls, err)
		}
	}
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		o    pagerduty.Options
		want string
	}{
		{pagerduty.Options{}, "needs a routing key"},
		{pagerduty.Options{RoutingKey: secret.New(key), URL: "events.pagerduty.com"}, "PagerDuty's URL is"},
		{pagerduty.Options{RoutingKey: secret.New(key), URL: "ftp://events.pagerduty.com"}, "PagerDuty's URL is"},
		{pagerduty.Options{RoutingKey: secret.New(key), URL: "https://%zz"}, "PagerDuty's URL is"},
	} {
		if _, err := pagerduty.New(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
	p, err := pagerduty.New(pagerduty.Options{RoutingKey: secret.New(key)})
	if err != nil || p.PerMinute() != 120 {
		t.Errorf("%v", err)
	}
}
