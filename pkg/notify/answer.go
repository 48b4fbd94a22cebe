package notify

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Answer judges a receiver's answer over HTTP: a 2xx is delivered (nil), 408, 429 and 5xx are temporary and not to be
// repeated before what Retry-After says (RFC 9110, section 10.2.3), and anything else is final. It reads a little of the
// body for the error's text; the caller closes it.
func Answer(r *http.Response, now time.Time) error {
	if r.StatusCode >= 200 && r.StatusCode < 300 {
		return nil
	}
	err := fmt.Errorf("it answered %s%s", status(r), excerpt(r.Body))
	switch {
	case r.StatusCode == http.StatusRequestTimeout, r.StatusCode == http.StatusTooManyRequests, r.StatusCode >= 500:
		return &TemporaryError{After: retryAfter(r.Header.Get("Retry-After"), now), Err: err}
	case r.StatusCode >= 300 && r.StatusCode < 400:
		return fmt.Errorf("%w: it redirects, which is not followed; configure the address that it redirects to", err)
	}
	return err
}

// Unanswered makes the error of a request that got no answer: temporary, and without the URL, which may hold a secret.
func Unanswered(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return &TemporaryError{Err: err}
}

func status(r *http.Response) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", r.StatusCode, http.StatusText(r.StatusCode)))
}

// excerpt is the beginning of the body, on one line.
func excerpt(body io.Reader) string {
	b, err := io.ReadAll(io.LimitReader(body, 300))
	words := strings.Join(strings.Fields(strings.ToValidUTF8(string(b), "")), " ")
	if err != nil || words == "" {
		return ""
	}
	return ": " + words
}

// retryAfter reads the header's value, seconds or a date; 0: it says nothing.
func retryAfter(value string, now time.Time) time.Duration {
	if s, err := strconv.Atoi(value); err == nil && s > 0 && s < 1<<31 {
		return time.Duration(s) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
