// Package webhook posts notifications as plain JSON; docs/webhook.md is written for who receives them.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/notify"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// Headers of a request beside Content-Type.
const (
	// IdempotencyKey is the same for every attempt to send one notification, and differs between notifications.
	IdempotencyKey = "Idempotency-Key"
	// Signature is "sha256=" and the hex HMAC-SHA256 of the body under the secret; only where there is one.
	Signature = "X-Sparewatch-Signature"
)

// Options of a notifier.
type Options struct {
	URL    string         // http or https; no error shows more of it than the host
	Secret secret.Text    // signs the body where set
	TLS    collectors.TLS // how the receiver's certificate is verified
}

// Notifier posts to one URL.
type Notifier struct {
	url    string
	host   string
	secret secret.Text
	client *http.Client
}

// New checks the options.
func New(o Options) (*Notifier, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("a webhook's URL is http://host/path or https://host/path")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = o.TLS.Config(u.Hostname())
	transport.DisableKeepAlives = true // notifications are rare, and a connection that idles for days is a broken one
	return &Notifier{
		url: o.URL, host: u.Host, secret: o.Secret,
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// Send posts n.
func (w *Notifier) Send(ctx context.Context, n notify.Notification) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("webhook %s: the URL cannot be used", w.host)
	}
	sum := sha256.Sum256(body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "sparewatch")
	r.Header.Set(IdempotencyKey, hex.EncodeToString(sum[:16]))
	if w.secret.Set() {
		r.Header.Set(Signature, Sign(w.secret, body))
	}
	answer, err := w.client.Do(r)
	if err != nil {
		return wrap(w.host, notify.Unanswered(err))
	}
	defer answer.Body.Close()
	return wrap(w.host, notify.Answer(answer, time.Now()))
}

// Sign returns the value of the header Signature.
func Sign(key secret.Text, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// wrap names the receiver in an error.
func wrap(host string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("webhook %s: %w", host, err)
}
