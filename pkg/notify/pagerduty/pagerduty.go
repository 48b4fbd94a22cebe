// Package pagerduty sends notifications to PagerDuty's Events API v2
// (https://developer.pagerduty.com/docs/events-api-v2-overview).
//
// The dedup key is the incident's id: what is sent twice has the effect of once, and a resolve closes what its trigger
// opened. PagerDuty answers 202 before it has looked at the event; a resolve of what is not open is dropped there.
package pagerduty

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/PagerDuty/go-pagerduty"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/notify"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// defaultURL is the service region of the US.
const defaultURL = "https://events.pagerduty.com"

// Options of a notifier.
type Options struct {
	RoutingKey secret.Text    // the integration key of an Events API v2 integration
	URL        string         // empty: https://events.pagerduty.com; the EU's is https://events.eu.pagerduty.com
	TLS        collectors.TLS // how its certificate is verified
}

// Notifier sends to one PagerDuty service.
type Notifier struct {
	key    secret.Text
	url    string
	host   string
	client *http.Client
}

// New checks the options.
func New(o Options) (*Notifier, error) {
	if !o.RoutingKey.Set() {
		return nil, errors.New("PagerDuty needs a routing key: the integration key of an Events API v2 integration")
	}
	if o.URL == "" {
		o.URL = defaultURL
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("PagerDuty's URL is https://events.pagerduty.com or https://events.eu.pagerduty.com")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = o.TLS.Config(u.Hostname())
	transport.DisableKeepAlives = true // notifications are rare, and a connection that idles for days is a broken one
	return &Notifier{
		key: o.RoutingKey, host: u.Host,
		url:    strings.TrimSuffix(strings.TrimSuffix(o.URL, "/"), "/v2/enqueue"),
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// PerMinute is PagerDuty's limit for one integration key.
func (p *Notifier) PerMinute() int { return 120 }

// Send sends n as an event.
func (p *Notifier) Send(ctx context.Context, n notify.Notification) error {
	e, err := event(n)
	if err != nil {
		return fmt.Errorf("PagerDuty: %w", err)
	}
	e.RoutingKey = p.key.Reveal()
	h := &heard{client: p.client}
	c := pagerduty.NewClient("", pagerduty.WithV2EventsAPIEndpoint(p.url))
	c.HTTPClient = h
	_, err = c.ManageEventWithContext(ctx, &e)
	if h.heard { // the library's own error knows neither Retry-After nor the body of an Events v2 answer
		err = h.err
	}
	if err != nil {
		return fmt.Errorf("PagerDuty %s: %w", p.host, p.hide(err))
	}
	return nil
}

// hide takes the routing key out of an error's text: a receiver may well repeat what it does not like.
func (p *Notifier) hide(err error) error {
	if !strings.Contains(err.Error(), p.key.Reveal()) {
		return err
	}
	clean := errors.New(strings.ReplaceAll(err.Error(), p.key.Reveal(), p.key.String()))
	if t, ok := errors.AsType[*notify.TemporaryError](err); ok {
		return &notify.TemporaryError{After: t.After, Err: clean}
	}
	return clean
}

// heard is the library's HTTP client for one request: it keeps what the answer says to do.
type heard struct {
	client *http.Client
	heard  bool
	err    error
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 10

// Do implements pagerduty.HTTPClient.
func (h *heard) Do(r *http.Request) (*http.Response, error) {
	h.heard = true
	answer, err := h.client.Do(r)
	if err != nil {
		h.err = notify.Unanswered(err)
		return nil, err
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer)) // half a body is as good: the status says what to do
	answer.Body = io.NopCloser(bytes.NewReader(body))
	h.err = notify.Answer(answer, time.Now())
	answer.Body = io.NopCloser(bytes.NewReader(body)) // the library reads it too
	return answer, nil
}
