package webhook_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/notify"
	"github.com/sparewatch/sparewatch/pkg/notify/webhook"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// request is what a receiver got.
type request struct {
	header http.Header
	body   []byte
}

func listen(t *testing.T, o webhook.Options, answer http.HandlerFunc) (*webhook.Notifier, *[]request) {
	t.Helper()
	var got []request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/hook/secret-token" {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		got = append(got, request{r.Header, body})
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	o.URL = s.URL + "/hook/secret-token"
	w, err := webhook.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return w, &got
}

func accept(http.ResponseWriter, *http.Request) {}

// example is the notification that docs/webhook.md shows.
func example() notify.Notification {
	one := 1
	root := finding.Finding{
		Key: "redundancy-lost:srv-101/group/psu", Rule: finding.RedundancyLost, Subject: "srv-101/group/psu", Severity: finding.Error,
		Summary: "srv-101 runs on its last power supply", Since: time.Date(2026, 11, 22, 3, 14, 47, 0, time.UTC),
		Causes: []finding.Cause{{ID: "srv-101/psu/1", Why: "no input"}}, Evidence: []string{"PowerSupplies/0: Status.State UnavailableOffline"},
		Remedy:  "Check the cord of supply 1 at outlet 3 of pdu-r12-a.",
		Impacts: []finding.Impact{{Service: "ams1/service/payments", Spares: &one, By: map[component.Domain]int{component.Power: 1}}},
		Pages:   true,
	}
	at := time.Date(2026, 11, 22, 3, 15, 2, 0, time.UTC)
	return notify.Notification{
		Incident: "ams1-20261122T031502Z-17", Action: notify.Trigger, Why: "opened", Severity: finding.Error, Title: root.Summary, Site: "ams1", Subject: root.Subject,
		Root: root, Findings: []finding.Finding{root}, Opened: at, At: at, Link: "http://127.0.0.1:9940/",
	}
}

func TestTheBodyIsTheOneThatIsDocumented(t *testing.T) {
	w, got := listen(t, webhook.Options{}, accept)
	if err := w.Send(t.Context(), example()); err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../../docs/webhook.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "```json\n")
	want, _, _ := strings.Cut(rest, "```")
	var indented bytes.Buffer
	if err := json.Indent(&indented, (*got)[0].body, "", "  "); err != nil {
		t.Fatal(err)
	}
	if a, b := strings.TrimSpace(indented.String()), strings.TrimSpace(want); a != b {
		t.Errorf("sent is\n%s\ndocumented is\n%s", a, b)
	}
}

func TestTheDocumentNamesEveryField(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/webhook.md")
	if err != nil {
		t.Fatal(err)
	}
	n := example()
	n.More, n.Resolved, n.PartOf = 1, n.At, "x"
	b, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "| field | meaning |")
	for f := range fields {
		if !strings.Contains(table, "`"+f+"`") {
			t.Errorf("docs/webhook.md does not say what %s means", f)
		}
	}
}

func TestEveryAttemptHasTheSameKeyAndAnotherNotificationAnotherOne(t *testing.T) {
	w, got := listen(t, webhook.Options{}, accept)
	n := example()
	for range 2 {
		if err := w.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	n.At = n.At.Add(time.Second)
	if err := w.Send(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, r := range *got {
		keys = append(keys, r.header.Get(webhook.IdempotencyKey))
		if r.header.Get("Content-Type") != "application/json" || r.header.Get(webhook.Signature) != "" {
			t.Errorf("header %v", r.header)
		}
	}
	if len(keys) != 3 || len(keys[0]) != 32 || keys[0] != keys[1] || keys[0] == keys[2] {
		t.Errorf("keys %q", keys)
	}
}

func TestTheBodyIsSigned(t *testing.T) {
	w, got := listen(t, webhook.Options{Secret: secret.New("It's a Secret to Everybody")}, accept)
	if err := w.Send(t.Context(), example()); err != nil {
		t.Fatal(err)
	}
	if r := (*got)[0]; r.header.Get(webhook.Signature) != webhook.Sign(secret.New("It's a Secret to Everybody"), r.body) {
		t.Errorf("signature %q", r.header.Get(webhook.Signature))
	}
	// A published pair of text and HMAC, from GitHub's documentation of its webhooks.
	const want = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	if s := webhook.Sign(secret.New("It's a Secret to Everybody"), []byte("Hello, World!")); s != want {
		t.Errorf("Sign: %s, want %s", s, want)
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
		{"no content", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "", false, 0},
		{"not found", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such hook", 404) }, "it answered 404 Not Found: no such hook", false, 0},
		{"too many", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "7"); w.WriteHeader(429) }, "it answered 429", true, 7 * time.Second},
		{"broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "it answered 500", true, 0},
		{"moved", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(307)
		}, "it redirects, which is not followed", false, 0},
		{"gone in the middle", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF", true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, _ := listen(t, webhook.Options{}, c.answer)
			err := w.Send(t.Context(), example())
			temporary, is := errors.AsType[*notify.TemporaryError](err)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "webhook 127.0.0.1:")):
				t.Errorf("%v, want %q", err, c.want)
			case is != c.temporary || is && temporary.After != c.after:
				t.Errorf("%v: temporary %t, want %t after %v", err, is, c.temporary, c.after)
			case err != nil && strings.Contains(err.Error(), "secret-token"):
				t.Errorf("%v shows the URL", err)
			}
		})
	}
}

func TestAReceiverThatIsNotThereIsTriedAgain(t *testing.T) {
	w, err := webhook.New(webhook.Options{URL: "http://user:password@127.0.0.1:1/hook/secret-token"})
	if err != nil {
		t.Fatal(err)
	}
	err = w.Send(t.Context(), example())
	if _, is := errors.AsType[*notify.TemporaryError](err); !is || strings.Contains(err.Error(), "secret-token") || strings.Contains(err.Error(), "password") {
		t.Error(err)
	}
}

func TestANotifierThatIsStoppedReturns(t *testing.T) {
	arrived := make(chan struct{})
	w, _ := listen(t, webhook.Options{}, func(_ http.ResponseWriter, r *http.Request) { close(arrived); <-r.Context().Done() })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if err := w.Send(ctx, example()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTheCertificateIsVerifiedAsConfigured(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(accept))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it would complain of the clients that refuse it
	s.StartTLS()
	defer s.Close()
	own := x509.NewCertPool()
	own.AddCert(s.Certificate())
	for _, c := range []struct {
		name string
		tls  collectors.TLS
		fine bool
	}{
		{"by the system", collectors.TLS{}, false},
		{"own authority", collectors.TLS{CA: own}, true},
		{"pinned", collectors.TLS{Fingerprint: collectors.Fingerprint(s.Certificate())}, true},
		{"another one pinned", collectors.TLS{Fingerprint: strings.Repeat("00", 32)}, false},
		{"not at all", collectors.TLS{Insecure: true}, true},
	} {
		w, err := webhook.New(webhook.Options{URL: s.URL, TLS: c.tls})
		if err != nil {
			t.Fatal(err)
		}
		err = w.Send(t.Context(), example())
		_, certificate := errors.AsType[*collectors.CertificateError](err)
		_, temporary := errors.AsType[*notify.TemporaryError](err)
		if c.fine != (err == nil) || certificate == c.fine || temporary == c.fine {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestNewRefusesWhatIsNoURL(t *testing.T) {
	for _, u := range []string{"", "hook", "ftp://host/secret-token", "https://", "http://%zz/secret-token", "://secret-token"} {
		if _, err := webhook.New(webhook.Options{URL: u}); err == nil || strings.Contains(err.Error(), "secret-token") {
			t.Errorf("%s: %v", u, err)
		}
	}
}
