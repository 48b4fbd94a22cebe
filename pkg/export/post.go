package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Poster posts bodies to one URL, and says of each answer what it means for the batch.
type Poster struct {
	Client *http.Client
	URL    string // no error shows more of it than the host
	Header http.Header
}

// ParseURL reads the address of a receiver; false where it is none of http or https.
func ParseURL(at string) (*url.URL, bool) {
	u, err := url.Parse(at)
	return u, err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// NewPoster returns a poster with the headers that a receiver wants and those of the protocol, which win; false where at is no
// address.
func NewPoster(client *http.Client, at string, header, protocol http.Header) (*Poster, bool) {
	if _, ok := ParseURL(at); !ok {
		return nil, false
	}
	h := http.Header{}
	maps.Copy(h, header)
	maps.Copy(h, protocol)
	return &Poster{Client: client, URL: at, Header: h}, true
}

// maxAnswer is how many bytes of an answer are looked at.
const maxAnswer = 64 << 10

// Post sends one body and returns what was answered, at most 64 KiB of it. Its errors are those of Writer: a body that
// the receiver cannot take (400, 413, 422) is refused for good, as a whole; everything else is worth another attempt.
func (p *Poster) Post(ctx context.Context, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the URL cannot be used")
	}
	for k, v := range p.Header {
		r.Header[k] = v
	}
	r.Header.Set("User-Agent", "sparewatch")
	answer, err := p.Client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.URL.Host, plainError(err))
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer)) // the status says enough
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20))
	return said, verdict(r.URL.Host, answer, said)
}

// plainError takes the URL, which may hold a secret, out of an error of net/http.
func plainError(err error) error {
	for u := errors.Unwrap(err); u != nil; u = errors.Unwrap(u) {
		return u
	}
	return err
}

func verdict(host string, answer *http.Response, body []byte) error {
	said := Line(strings.TrimSpace(string(body[:min(len(body), 4<<10)])))
	switch status := answer.StatusCode; {
	case status < 300:
		return nil
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge, status == http.StatusUnprocessableEntity:
		return &RefusedError{Points: math.MaxInt, Why: fmt.Sprintf("%s answers %d: %s", host, status, said)}
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Errorf("%s refuses our user, password or token (%d %s): check them", host, status, said)
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		return fmt.Errorf("%s takes nothing at this path (%d %s): correct the url, or have the receiver take it", host, status, said)
	case status < 400:
		return fmt.Errorf("%s sends us elsewhere (%d): write the url that it points to", host, status)
	}
	err := fmt.Errorf("%s answers %d: %s", host, answer.StatusCode, said)
	if d := retryAfter(answer.Header.Get("Retry-After")); d > 0 {
		return &BusyError{After: d, Err: err}
	}
	return err
}

// retryAfter reads the header's seconds (RFC 9110, section 10.2.3); a date counts as no wish.
func retryAfter(s string) time.Duration {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
