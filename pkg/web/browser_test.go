package web

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/engine"
)

// browse loads a page in a browser, lets it live for 18 s of the browser's own time, and returns what it shows then.
func browse(t *testing.T, h http.Handler) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("skipped: chromium is not here")
	}
	server := httptest.NewServer(h)
	defer server.Close()
	out, err := exec.CommandContext(t.Context(), "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=18000",
		"--user-data-dir="+t.TempDir(), "--dump-dom", server.URL).Output()
	if err != nil {
		t.Skipf("skipped: chromium does not work here: %v", err)
	}
	return string(out)
}

func between(t *testing.T, text, from, to string) string {
	t.Helper()
	_, text, found := strings.Cut(text, from)
	text, _, ended := strings.Cut(text, to)
	if !found || !ended {
		t.Fatalf("there is no %s in the page", from)
	}
	return text
}

// TestPageRefreshes: a page that was turned into another by the script, part by part, is that other page.
func TestPageRefreshes(t *testing.T) {
	long := night()
	r := *long.Report
	for i := range 2 * few {
		s := *r.Services[i%5]
		s.Name = time.Duration(i).String()
		s.State = engine.Full
		r.Services = append(r.Services, &s)
	}
	long.Report = &r
	seen := []View{night(), fine(), {Site: "ams1", Now: now}, long}
	var asked atomic.Int32
	changing := Handler(func() View { return seen[min(int(asked.Add(1)), len(seen))-1] })
	want := between(t, browse(t, Handler(func() View { return long })), "<main>", "</main>")
	got := between(t, browse(t, changing), "<main>", "</main>")
	if n := int(asked.Load()); n < len(seen) {
		t.Fatalf("it asked %d times", n)
	}
	if got != want {
		t.Errorf("it became\n%s\nwant\n%s", got, want)
	}
}

// TestPageOfAStoppedDaemon says so.
func TestPageOfAStoppedDaemon(t *testing.T) {
	page := Handler(night)
	var asked atomic.Int32
	text := browse(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && asked.Add(1) > 2 {
			panic(http.ErrAbortHandler)
		}
		page.ServeHTTP(w, r)
	}))
	for _, want := range []string{"This page is old: the daemon has not answered since", `<body class="stale">`, "<title>(old) (1) ams1"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
}
