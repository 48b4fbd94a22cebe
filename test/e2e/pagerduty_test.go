package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/notify"
	"github.com/sparewatch/sparewatch/pkg/notify/pagerduty"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/test/e2e"
)

const routingKey = "0123456789abcdef0123456789abcdef"

func startPagerDuty(t *testing.T) (*e2e.PagerDuty, *pagerduty.Notifier) {
	t.Helper()
	p := e2e.NewPagerDuty(routingKey, "other")
	t.Cleanup(p.Close)
	n, err := pagerduty.New(pagerduty.Options{RoutingKey: secret.New(routingKey), URL: p.URL()})
	if err != nil {
		t.Fatal(err)
	}
	return p, n
}

func notification(id incident.ID, action notify.Action) notify.Notification {
	root := finding.Finding{Key: "redundancy-lost:s1/group/psu", Rule: finding.RedundancyLost, Subject: "s1/group/psu", Severity: finding.Error, Summary: "s1 has no spare supply"}
	return notify.Notification{Incident: id, Action: action, Severity: root.Severity, Title: root.Summary, Site: "ams1", Subject: root.Subject, Root: root}
}

// effects waits until n events have had theirs and returns them as words.
func effects(t *testing.T, p *e2e.PagerDuty, n int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := p.Wait(ctx, func([]e2e.Alert) bool { return len(p.Events()) >= n }); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range p.Events() {
		out = append(out, fmt.Sprintf("%s %s %s", e.Action, e.Key, e.Effect))
	}
	return strings.Join(out, ", ")
}

func TestPagerDutyHasTheEffectsOfItsEvents(t *testing.T) {
	p, n := startPagerDuty(t)
	for _, x := range []notify.Notification{
		notification("i1", notify.Resolve), notification("i1", notify.Trigger), notification("i1", notify.Trigger),
		notification("i1", notify.Resolve), notification("i1", notify.Resolve), notification("i1", notify.Trigger),
	} {
		if err := n.Send(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	want := "resolve i1 dropped, trigger i1 opened, trigger i1 updated, resolve i1 resolved, resolve i1 dropped, trigger i1 opened"
	if got := effects(t, p, 6); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	alerts := p.Alerts()
	if len(alerts) != 2 || alerts[0].Triggers != 2 || alerts[0].Resolved.IsZero() || !alerts[1].Resolved.IsZero() || alerts[0].Summary != "s1 has no spare supply" || alerts[0].Severity != "error" {
		t.Errorf("alerts %+v", alerts)
	}
}

func TestPagerDutyFailsAsItIsTold(t *testing.T) {
	p, n := startPagerDuty(t)
	temporary := func(want time.Duration) {
		t.Helper()
		err := n.Send(t.Context(), notification("i1", notify.Trigger))
		if e, ok := errors.AsType[*notify.TemporaryError](err); !ok || e.After != want {
			t.Errorf("%v, want it temporary after %v", err, want)
		}
	}
	p.Down(true)
	temporary(0)
	p.Down(false)
	p.Fail(http.StatusTooManyRequests, 30*time.Second)
	p.Fail(http.StatusInternalServerError, 0)
	temporary(30 * time.Second)
	temporary(0)
	if got := p.Events(); len(got) > 0 {
		t.Errorf("what failed had effects: %+v", got)
	}
	p.Lose(1)
	temporary(0)
	if err := n.Send(t.Context(), notification("i1", notify.Trigger)); err != nil {
		t.Fatal(err)
	}
	if got := effects(t, p, 2); got != "trigger i1 opened, trigger i1 updated" {
		t.Error(got)
	}
}

func TestPagerDutyTakesOnlySoMuch(t *testing.T) {
	p, n := startPagerDuty(t)
	for i := range 120 {
		if err := n.Send(t.Context(), notification(incident.ID(fmt.Sprint(i)), notify.Trigger)); err != nil {
			t.Fatal(err)
		}
	}
	err := n.Send(t.Context(), notification("one more", notify.Trigger))
	if _, ok := errors.AsType[*notify.TemporaryError](err); !ok {
		t.Errorf("the event after 120: %v", err)
	}
	effects(t, p, 120)
}

func TestPagerDutyChecksEvents(t *testing.T) {
	p, _ := startPagerDuty(t)
	payload := `"payload":{"summary":"s","source":"x","severity":"error"}`
	for _, c := range []struct{ event, want string }{
		{`{"routing_key":"other","event_action":"trigger",` + payload + `}`, ""},
		{`{`, "not JSON"},
		{`{"routing_key":"wrong","event_action":"trigger",` + payload + `}`, "'routing_key'"},
		{`{"routing_key":"other","event_action":"open",` + payload + `}`, "'event_action'"},
		{`{"routing_key":"other","event_action":"resolve"}`, "'dedup_key' is missing"},
		{`{"routing_key":"other","event_action":"trigger","dedup_key":"` + strings.Repeat("x", 256) + `",` + payload + `}`, "'dedup_key' is longer"},
		{`{"routing_key":"other","event_action":"trigger"}`, "'payload' is missing"},
		{`{"routing_key":"other","event_action":"trigger","payload":{"summary":"` + strings.Repeat("é", 1025) + `","source":"x","severity":"error"}}`, "'payload.summary' is longer"},
		{`{"routing_key":"other","event_action":"trigger","payload":{"severity":"bad","timestamp":"now"}}`, "'payload.timestamp'"},
		{`{"routing_key":"other","event_action":"trigger",` + payload + strings.Repeat(" ", 600<<10) + `}`, "longer than 512 KB"},
	} {
		status, text := post(t, p.URL(), c.event)
		if c.want == "" && status != 202 || c.want != "" && (status != 400 || !strings.Contains(text, c.want)) {
			t.Errorf("%.100s: %d %s, want %q", c.event, status, text, c.want)
		}
	}
	if got := effects(t, p, 1); got != "trigger made-1 opened" {
		t.Error(got)
	}
	// A dedup key that is open under another routing key.
	for _, key := range []string{routingKey, "other"} {
		post(t, p.URL(), fmt.Sprintf(`{"routing_key":%q,"event_action":"trigger","dedup_key":"k",%s}`, key, payload))
	}
	if got := effects(t, p, 3); !strings.HasSuffix(got, "trigger k opened, trigger k dropped") {
		t.Error(got)
	}
}

func post(t *testing.T, url, event string) (int, string) {
	t.Helper()
	r, err := http.Post(url+"/v2/enqueue", "application/json", strings.NewReader(event))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || !json.Valid(b) {
		t.Errorf("the answer is %q, %v", b, err)
	}
	return r.StatusCode, string(b)
}

func TestWaitingForAlertsEndsWithTheContext(t *testing.T) {
	p, _ := startPagerDuty(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Wait(ctx, func([]e2e.Alert) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
