package notify_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/notify"
)

func TestAnswer(t *testing.T) {
	now := time.Date(2026, 11, 22, 3, 15, 2, 0, time.UTC)
	for _, c := range []struct {
		status     int
		retryAfter string
		body       string
		want       string // empty: delivered
		after      time.Duration
		temporary  bool
	}{
		{status: 200},
		{status: 202, body: "x"},
		{status: 204},
		{status: 301, want: "it answered 301 Moved Permanently: it redirects, which is not followed; configure the address that it redirects to"},
		{status: 400, body: "{\"message\":\n\t\"bad\xff\"}", want: `it answered 400 Bad Request: {"message": "bad"}`},
		{status: 404, want: "it answered 404 Not Found"},
		{status: 408, want: "it answered 408 Request Timeout", temporary: true},
		{status: 429, retryAfter: "17", want: "it answered 429 Too Many Requests", temporary: true, after: 17 * time.Second},
		{status: 429, retryAfter: "-3", want: "it answered 429 Too Many Requests", temporary: true},
		{status: 429, retryAfter: "99999999999999999999", want: "it answered 429 Too Many Requests", temporary: true},
		{status: 500, want: "it answered 500 Internal Server Error", temporary: true},
		{status: 503, retryAfter: "Sun, 22 Nov 2026 03:16:02 GMT", want: "it answered 503 Service Unavailable", temporary: true, after: time.Minute},
		{status: 503, retryAfter: "Sun, 22 Nov 2026 03:14:02 GMT", want: "it answered 503 Service Unavailable", temporary: true},
		{status: 503, retryAfter: "soon", body: strings.Repeat("x", 5000), want: "it answered 503 Service Unavailable: " + strings.Repeat("x", 300), temporary: true},
		{status: 799, want: "it answered 799", temporary: true},
	} {
		r := &http.Response{StatusCode: c.status, Header: http.Header{"Retry-After": {c.retryAfter}}, Body: io.NopCloser(strings.NewReader(c.body))}
		err := notify.Answer(r, now)
		if c.want == "" {
			if err != nil {
				t.Errorf("%d: %v", c.status, err)
			}
			continue
		}
		temporary, is := errors.AsType[*notify.TemporaryError](err)
		if err == nil || err.Error() != c.want || is != c.temporary || is && temporary.After != c.after {
			t.Errorf("%d %s: %v (temporary %t), want %q (temporary %t, after %v)", c.status, c.retryAfter, err, is, c.want, c.temporary, c.after)
		}
	}
}

func TestUnansweredHidesTheURL(t *testing.T) {
	inner := errors.New("connection refused")
	err := notify.Unanswered(&url.Error{Op: "Post", URL: "https://hook/secret-token", Err: inner})
	if _, ok := errors.AsType[*notify.TemporaryError](err); !ok || err.Error() != "connection refused" || !errors.Is(err, inner) {
		t.Errorf("%v", err)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(429, "17", []byte("slow down"))
	f.Fuzz(func(t *testing.T, status int, retryAfter string, body []byte) {
		err := notify.Answer(&http.Response{StatusCode: status, Header: http.Header{"Retry-After": {retryAfter}}, Body: io.NopCloser(strings.NewReader(string(body)))}, time.Unix(0, 0))
		if e, ok := errors.AsType[*notify.TemporaryError](err); ok && e.After < 0 {
			t.Errorf("after %v", e.After)
		}
	})
}
