package lab

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

func tree(t *testing.T, pairs ...string) recording.Tree {
	t.Helper()
	out := recording.Tree{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = json.RawMessage(pairs[i+1])
	}
	return out
}

func serveBMC(t *testing.T, b *BMC) (*RedfishServer, func(method, path string, edit ...func(*http.Request)) (*http.Response, string, error)) {
	t.Helper()
	s, err := ServeRedfish("", b, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	trust := collectors.TLS{Fingerprint: s.Fingerprint()}
	tr := &http.Transport{TLSClientConfig: trust.Config("127.0.0.1")}
	t.Cleanup(tr.CloseIdleConnections)
	c := &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s, func(method, path string, edit ...func(*http.Request)) (*http.Response, string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, method, "https://"+s.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range edit {
			e(r)
		}
		res, err := c.Do(r)
		if err != nil {
			return nil, "", err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		return res, string(body), err
	}
}

func header(key, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(key, value) }
}

func body(s string) func(*http.Request) {
	return func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(s)); r.ContentLength = int64(len(s)) }
}

func TestBMCAnswersWhatIsThere(t *testing.T) {
	b := &BMC{Resources: NewResources(tree(t, "/redfish/v1", `{"Id":"Root"}`, "/redfish/v1/Chassis?$skip=50", `{"page":2}`, "/redfish/v1/Chassis", `{"page":1}`))}
	_, do := serveBMC(t, b)
	for _, c := range []struct {
		path   string
		status int
		body   string
	}{
		{"/redfish", 200, `{"v1":"/redfish/v1/"}`},
		{"/redfish/v1/", 200, `{"Id":"Root"}`},
		{"/redfish/v1", 200, `{"Id":"Root"}`},
		{"/redfish/v1/Chassis?$skip=50", 200, `{"page":2}`},
		{"/redfish/v1/Chassis?%24skip=50", 200, `{"page":2}`},
		{"/redfish/v1/Chassis/?unknown=1", 200, `{"page":1}`},
		{"/redfish/v1/Nothing", 404, `Base.1.18.ResourceMissingAtURI`},
	} {
		res, got, err := do("GET", c.path)
		if err != nil || res.StatusCode != c.status || !strings.Contains(got, c.body) || !json.Valid([]byte(got)) {
			t.Errorf("%s: %v %s; want %d %s", c.path, err, got, c.status, c.body)
		}
	}
	if res, _, err := do("PATCH", "/redfish/v1/Chassis"); err != nil || res.StatusCode != 405 {
		t.Errorf("PATCH: %v %v", res, err)
	}
	res, _, err := do("GET", "/redfish/v1")
	if err != nil {
		t.Fatal(err)
	}
	if res, _, err = do("GET", "/redfish/v1", header("If-None-Match", res.Header.Get("ETag"))); err != nil || res.StatusCode != 304 {
		t.Errorf("the same again: %v %v", res, err)
	}
	if err := b.Resources.Set("/redfish/v1/", "/Status/Health", "Critical"); err != nil {
		t.Fatal(err)
	}
	if res, got, err := do("GET", "/redfish/v1", header("If-None-Match", res.Header.Get("ETag"))); err != nil || res.StatusCode != 200 || got != `{"Id":"Root","Status":{"Health":"Critical"}}` {
		t.Errorf("changed: %v %s", err, got)
	}
}

func TestResourcesSet(t *testing.T) {
	base := tree(t, "/p", `{"a":[{"b":1.50},2],"c/d":{"~":1}}`)
	r := NewResources(base)
	for _, c := range []struct {
		pointer string
		value   any
		want    string
	}{
		{"/a/0/b", 2, `{"a":[{"b":2},2],"c/d":{"~":1}}`},
		{"/a/-", nil, `{"a":[{"b":2},2,null],"c/d":{"~":1}}`},
		{"/c~1d/~0", "x", `{"a":[{"b":2},2,null],"c/d":{"~":"x"}}`},
		{"/new/deep", true, `{"a":[{"b":2},2,null],"c/d":{"~":"x"},"new":{"deep":true}}`},
	} {
		if err := r.Set("/p", c.pointer, c.value); err != nil {
			t.Errorf("%s: %v", c.pointer, err)
		}
		if got, _ := r.Get("/p/"); string(got) != c.want {
			t.Errorf("%s: %s, want %s", c.pointer, got, c.want)
		}
	}
	for _, pointer := range []string{"a", "/a/9", "/a/x", "/a/1/x"} {
		if err := r.Set("/p", pointer, 1); err == nil {
			t.Errorf("%s was set", pointer)
		}
	}
	if err := r.Set("/q", "", 1); err == nil {
		t.Error("set what is not there")
	}
	if string(base["/p"]) != `{"a":[{"b":1.50},2],"c/d":{"~":1}}` {
		t.Errorf("the base changed: %s", base["/p"])
	}
}

func TestBMCSessions(t *testing.T) {
	b := &BMC{Resources: NewResources(tree(t, "/redfish/v1", `{"Links":{"Sessions":{"@odata.id":"/redfish/v1/Sessions/"}}}`, "/redfish/v1/Chassis", `{}`)),
		User: "monitor", Password: "secret", MaxSessions: 2}
	_, do := serveBMC(t, b)
	get := func(edit ...func(*http.Request)) int {
		res, _, err := do("GET", "/redfish/v1/Chassis", edit...)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode
	}
	login := func(password string) (*http.Response, int) {
		res, _, err := do("POST", "/redfish/v1/Sessions", body(`{"UserName":"monitor","Password":"`+password+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		open, _ := b.Sessions()
		return res, open
	}
	if res, _, _ := do("GET", "/redfish/v1/"); res.StatusCode != 200 {
		t.Error("the root needs a login")
	}
	basic := func(password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth("monitor", password) }
	}
	if get() != 401 || get(basic("wrong")) != 401 || get(basic("secret")) != 200 || get(header("X-Auth-Token", "x")) != 401 {
		t.Error("who may read is not who should")
	}
	if res, open := login("wrong"); res.StatusCode != 401 || open != 0 {
		t.Errorf("a wrong password: %d, %d open", res.StatusCode, open)
	}
	res, open := login("secret")
	token, at := res.Header.Get("X-Auth-Token"), res.Header.Get("Location")
	if res.StatusCode != 201 || open != 1 || token == "" || at != "/redfish/v1/Sessions/1" || get(header("X-Auth-Token", token)) != 200 {
		t.Errorf("login: %d, %d open, at %s", res.StatusCode, open, at)
	}
	login("secret")
	if res, open := login("secret"); res.StatusCode != 503 || open != 2 {
		t.Errorf("one session too many: %d, %d open", res.StatusCode, open)
	}
	if res, _, _ := do("DELETE", at); res.StatusCode != 401 {
		t.Error("a session was closed without a login")
	}
	if res, _, _ := do("DELETE", at, header("X-Auth-Token", token)); res.StatusCode != 204 || get(header("X-Auth-Token", token)) != 401 {
		t.Error("the session is not closed")
	}
	b.DropSessions()
	if open, opened := b.Sessions(); open != 0 || opened != 2 {
		t.Errorf("%d open of %d", open, opened)
	}
}

func TestBMCExpands(t *testing.T) {
	b := &BMC{Expand: true, Resources: NewResources(tree(t, "/redfish/v1", `{}`,
		"/c", `{"@odata.id":"/c","Members":[{"@odata.id":"/c/1"},{"@odata.id":"/c/gone"}],"Links":{"Up":{"@odata.id":"/c/1"}}}`,
		"/c/1", `{"@odata.id":"/c/1","Id":"1","In":{"@odata.id":"/c"}}`))}
	_, do := serveBMC(t, b)
	for query, want := range map[string]string{
		"$expand=.":                  `{"@odata.id":"/c","Links":{"Up":{"@odata.id":"/c/1"}},"Members":[{"@odata.id":"/c/1","Id":"1","In":{"@odata.id":"/c"}},{"@odata.id":"/c/gone"}]}`,
		"$expand=*($levels=1)":       `{"@odata.id":"/c","Links":{"Up":{"@odata.id":"/c/1","Id":"1","In":{"@odata.id":"/c"}}},"Members":[{"@odata.id":"/c/1","Id":"1","In":{"@odata.id":"/c"}},{"@odata.id":"/c/gone"}]}`,
		"%24expand=.(%24levels%3D2)": `{"@odata.id":"/c","Links":{"Up":{"@odata.id":"/c/1"}},"Members":[{"@odata.id":"/c/1","Id":"1","In":{"@odata.id":"/c","Links":{"Up":{"@odata.id":"/c/1"}},"Members":[{"@odata.id":"/c/1"},{"@odata.id":"/c/gone"}]}},{"@odata.id":"/c/gone"}]}`,
	} {
		if _, got, err := do("GET", "/c?"+query); err != nil || got != want {
			t.Errorf("%s: %v\n%s\n%s", query, err, got, want)
		}
	}
}

func TestBMCFaults(t *testing.T) {
	b := &BMC{Resources: NewResources(tree(t, "/redfish/v1", `{"Id":"Root"}`, "/redfish/v1/Chassis/1", `{"Id":"1"}`))}
	_, do := serveBMC(t, b)
	b.Inject(HTTPFault{Path: "/redfish/v1/Chassis", Status: 503, RetryAfter: 7, Times: 1})
	if res, _, err := do("GET", "/redfish/v1"); err != nil || res.StatusCode != 200 {
		t.Errorf("beside the fault: %v", err)
	}
	if res, got, err := do("GET", "/redfish/v1/Chassis/1"); err != nil || res.StatusCode != 503 || res.Header.Get("Retry-After") != "7" || !json.Valid([]byte(got)) {
		t.Errorf("at the fault: %v %s", err, got)
	}
	if res, _, err := do("GET", "/redfish/v1/Chassis/1"); err != nil || res.StatusCode != 200 {
		t.Errorf("healed: %v", err)
	}
	for _, c := range []struct {
		fault HTTPFault
		good  func(res *http.Response, body string, err error) bool
	}{
		{HTTPFault{Hang: true}, func(_ *http.Response, _ string, err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		{HTTPFault{Delay: time.Minute}, func(_ *http.Response, _ string, err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		{HTTPFault{Close: true}, func(_ *http.Response, _ string, err error) bool { return err != nil }},
		{HTTPFault{Cut: true}, func(res *http.Response, body string, err error) bool {
			return res != nil && body == `{"Id":` && errors.Is(err, io.ErrUnexpectedEOF)
		}},
		{HTTPFault{Half: true}, func(_ *http.Response, body string, err error) bool { return err == nil && body == `{"Id":` }},
		{HTTPFault{Garbage: true}, func(_ *http.Response, body string, err error) bool { return err == nil && body[0] == '<' }},
		{HTTPFault{Body: "[]"}, func(_ *http.Response, body string, err error) bool { return body == "[]" }},
		{HTTPFault{Endless: true}, func(_ *http.Response, body string, err error) bool { return len(body) == 1<<20 || err != nil }},
		{HTTPFault{Redirect: "self"}, func(res *http.Response, _ string, err error) bool {
			return err == nil && res.StatusCode == 302 && res.Header.Get("Location") == "/redfish/v1"
		}},
		{HTTPFault{}, func(res *http.Response, body string, err error) bool { return err == nil && body == `{"Id":"Root"}` }},
	} {
		b.Inject(c.fault)
		if res, got, err := do("GET", "/redfish/v1"); !c.good(res, got, err) {
			t.Errorf("%+v: %v %.100q %v", c.fault, res, got, err)
		}
	}
}

func TestRenewedCertificateIsAnother(t *testing.T) {
	s, do := serveBMC(t, &BMC{Resources: NewResources(tree(t, "/redfish/v1", `{}`))})
	before := s.Fingerprint()
	if err := s.Renew(); err != nil {
		t.Fatal(err)
	}
	_, _, err := do("GET", "/redfish/v1")
	var wrong *collectors.CertificateError
	if !errors.As(err, &wrong) || wrong.Pinned != before || wrong.Fingerprint != s.Fingerprint() {
		t.Errorf("%v", err)
	}
}

func TestPlainService(t *testing.T) {
	s, err := ServeRedfish("127.0.0.1:0", &BMC{Resources: NewResources(tree(t, "/redfish/v1", `{}`))}, Plain)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	res, err := http.Get(strings.Replace(s.URL(), "redfish+http", "http", 1) + "/redfish/v1")
	if err != nil || res.StatusCode != 200 || s.Fingerprint() != "" {
		t.Fatalf("%v %v", res, err)
	}
	res.Body.Close()
}

// Every Redfish recording, replayed, can be walked from its root to each of its resources.
func TestReplayLeadsToEverything(t *testing.T) {
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings: set SPAREWATCH_RECORDINGS; 1 test skipped")
	}
	for _, name := range []string{"cisco-ucs-cimc-power.json", "dell-r640-telegraf.json", "nvidia-dgx-powersubsystem.json", "hpe-dl360-gen10-telegraf.json", "supermicro-x10.json"} {
		r, err := Replay(filepath.Join(dir, "redfish", name), "")
		if err != nil {
			t.Fatal(err)
		}
		if want := "sparewatch inspect " + r.URL + " --fingerprint " + r.Redfish.Fingerprint(); r.Command != want {
			t.Errorf("%s: %s", name, r.Command)
		}
		rec, err := recording.Load(filepath.Join(dir, "redfish", name))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		links(r.Redfish.Resources, "/redfish/v1", seen)
		unlinked := 0
		for path := range rec.Redfish {
			if !seen[path] {
				unlinked++
			}
		}
		if _, rooted := rec.Redfish.Get("/redfish/v1"); !rooted && unlinked > 0 {
			t.Errorf("%s: %d of %d resources cannot be reached", name, unlinked, len(rec.Redfish))
		}
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func links(r *Resources, at string, seen map[string]bool) {
	at = recording.CleanPath(at)
	body, ok := r.Get(at)
	if !ok || seen[at] {
		return
	}
	seen[at] = true
	v, _ := decode(body)
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, inner := range v {
				if id, ok := inner.(string); ok && strings.HasSuffix(k, "@odata.id") || k == "@odata.id" && ok {
					links(r, id, seen)
				}
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(v)
}

func TestReplayRefusesWhatItCannotServe(t *testing.T) {
	for file, want := range map[string]string{"nowhere.snmprec": "no such file", "agent.go": "no recording"} {
		if _, err := Replay(file, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings: set SPAREWATCH_RECORDINGS; half a test skipped")
	}
	if _, err := Replay(filepath.Join(dir, "redfish/supermicro-x10.json"), "127.0.0.1:99999"); err == nil || !strings.Contains(err.Error(), "listen on 127.0.0.1:99999") {
		t.Errorf("%v", err)
	}
}
