package redfish

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stmcginnis/gofish/schemas"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

const (
	defaultTimeout = 15 * time.Second // for one request; iLOs take up to 8 s for a storage tree
	inFlight       = 2                // requests at one BMC at once
	maxBody        = 16 << 20         // of one answer; the largest recorded one has 200 kB
	maxRedirects   = 3
	maxRetryAfter  = 5 * time.Second // a longer Retry-After ends the request instead
	maxBusy        = 5 * time.Minute // and the path is left alone so long, but no longer
	sessionPath    = "/redfish/v1/SessionService/Sessions"
	oldSessionPath = "/redfish/v1/Sessions" // iDRAC 8 answers 405 at the other (idrac_exporter issues 125, 132)

	deniedPause      = 5 * time.Minute // after a refused login: accounts get locked by trying on
	sessionlessPolls = 20              // before asking for a session again where there was none left
)

// client sends requests to one service: at most two at once, over connections that stay open, within the poll's budget.
// It logs in once and keeps the session; it is used by one poll at a time.
type client struct {
	target   collectors.Target
	endpoint string
	host     string
	http     *http.Client
	slots    chan struct{}

	login    sync.Mutex // guards what follows
	sessions string     // where the root says that sessions are made
	events   string     // the event service, as the root says
	token    string     // of the session
	made     string     // the session's own path, to delete it
	basic    bool       // credentials go with every request
	full     int        // the service had no session left: so many polls go on with basic authentication
	again    bool       // this poll has logged in anew already

	busy map[string]busyness // paths that the service does not want to be asked for now

	denied      *failure // the login was refused
	deniedUntil time.Time

	requests atomic.Int64
	bytes    atomic.Int64
	strikes  atomic.Int64 // transport failures in a row
}

func newClient(t collectors.Target, endpoint, host string) *client {
	if t.Timeout <= 0 {
		t.Timeout = defaultTimeout
	}
	d := collectors.DefaultLimits()
	if t.Limits.Requests <= 0 {
		t.Limits.Requests = d.Requests
	}
	if t.Limits.Bytes <= 0 {
		t.Limits.Bytes = d.Bytes
	}
	if t.Limits.Components <= 0 {
		t.Limits.Components = d.Components
	}
	c := &client{target: t, endpoint: endpoint, host: host, slots: make(chan struct{}, inFlight)}
	c.http = &http.Client{
		Timeout:       t.Timeout,
		Transport:     c.transportOf(),
		CheckRedirect: c.redirect,
	}
	return c
}

// redirect follows only to the same host: a login must not go elsewhere.
func (c *client) redirect(req *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return errors.New("it redirects for ever")
	case req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme:
		return &elsewhere{scheme: req.URL.Scheme, host: req.URL.Host}
	}
	return nil
}

// elsewhere is a redirection that is not followed.
type elsewhere struct{ scheme, host string }

func (e *elsewhere) Error() string {
	return fmt.Sprintf("it redirects to %s://%s, which is not followed", shorten(clean(e.scheme), 20), shorten(clean(e.host), 200))
}

// hint says which URL leads there, if it is the device's.
func (e *elsewhere) hint() string {
	if e.scheme == "https" {
		return "if that is the device, write redfish://" + shorten(clean(e.host), 200)
	}
	return "check that the URL is that of a Redfish service"
}

// begin opens the budget of a new poll.
func (c *client) begin() {
	c.requests.Store(0)
	c.bytes.Store(0)
	c.strikes.Store(0)
	c.login.Lock()
	c.again = false
	c.full = max(0, c.full-1)
	c.login.Unlock()
}

// failure is why one request brought nothing.
type failure struct {
	class  snapshot.Class
	status int // HTTP, where there was an answer
	said   string
	hint   string
	final  bool // the rest of this poll would fail too
}

func (f *failure) Error() string { return f.said }

func failed(class snapshot.Class, said string) *failure { return &failure{class: class, said: said} }

// answer is what a GET brought. notModified: the body of the last time still holds.
type answer struct {
	body        []byte
	etag        string
	notModified bool
}

// learn notes what the root says of sessions and events.
func (c *client) learn(root value) {
	c.login.Lock()
	defer c.login.Unlock()
	if path := localPath(root.at("Links", "Sessions").link()); normal(path) != "" {
		c.sessions = path
	}
	c.events = normal(root.get("EventService").link())
}

// get reads one path (with query), logged in.
func (c *client) get(ctx context.Context, path, etag string) (answer, *failure) {
	if f := c.leftAlone(path); f != nil {
		return answer{}, f
	}
	if f := c.authenticate(ctx); f != nil {
		return answer{}, f
	}
	used := c.currentToken()
	a, f := c.do(ctx, http.MethodGet, path, etag, nil)
	if f == nil || f.status != http.StatusUnauthorized || c.target.Credentials.User == "" {
		return a, f
	}
	if used != "" && c.renew(used) {
		if f := c.authenticate(ctx); f != nil {
			return answer{}, f
		}
		if a, f = c.do(ctx, http.MethodGet, path, etag, nil); f == nil || f.status != http.StatusUnauthorized {
			return a, f
		}
	}
	return answer{}, c.deny(f)
}

// root reads the service root, which needs no login (DSP0266, Security); where one asks for it all the same, it gets it.
func (c *client) root(ctx context.Context, path, etag string) (answer, *failure) {
	if f := c.leftAlone(path); f != nil {
		return answer{}, f
	}
	a, f := c.do(ctx, http.MethodGet, path, etag, nil)
	if f != nil && f.status == http.StatusUnauthorized && c.target.Credentials.User != "" {
		return c.get(ctx, path, etag)
	}
	return a, f
}

// deny ends the poll, and keeps the next ones from trying the login on: accounts get locked.
func (c *client) deny(f *failure) *failure {
	f.class, f.final, f.hint = snapshot.ClassAuth, true, c.loginHint(http.StatusUnauthorized)
	c.login.Lock()
	defer c.login.Unlock()
	c.denied, c.deniedUntil = f, time.Now().Add(deniedPause)
	return f
}

func (c *client) currentToken() string {
	c.login.Lock()
	defer c.login.Unlock()
	return c.token
}

// renew forgets a session that the service no longer knows, once in a poll, so that the next request logs in anew.
func (c *client) renew(used string) bool {
	c.login.Lock()
	defer c.login.Unlock()
	if c.token != used { // another request was quicker
		return true
	}
	if c.again {
		return false
	}
	c.again, c.token, c.made = true, "", ""
	return true
}

// authenticate logs in where that has not happened yet: by a session, else by basic authentication where the service
// has no sessions or none left. A refused login is never tried a second way: accounts get locked.
func (c *client) authenticate(ctx context.Context) *failure {
	c.login.Lock()
	defer c.login.Unlock()
	if c.denied != nil && time.Now().Before(c.deniedUntil) {
		return c.denied
	}
	c.denied = nil
	if c.token != "" || c.basic || c.full > 0 || c.target.Credentials.User == "" {
		return nil
	}
	for _, path := range appendNew(nil, c.sessions, sessionPath, oldSessionPath) {
		auth, err := schemas.CreateSession(poster{c: c, ctx: ctx}, path, c.target.Credentials.User, c.target.Credentials.Password.Reveal())
		if err == nil && auth.Token != "" {
			c.token, c.made = auth.Token, localPath(auth.Session)
			return nil
		}
		var f *failure
		if err == nil {
			f = &failure{status: http.StatusNotImplemented} // it took the login and gave no token
		} else if !errors.As(err, &f) {
			f = failed(snapshot.ClassGarbage, err.Error())
		}
		switch f.status {
		case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented, http.StatusGone:
			continue
		case 0:
			return f
		}
		if path == oldSessionPath && c.sessions != oldSessionPath && f.status == http.StatusUnauthorized {
			continue // a service without that path may ask for a login before it says so
		}
		if !exhausted(f.said) && refused(f) {
			f.class, f.final, f.hint = snapshot.ClassAuth, true, c.loginHint(http.StatusUnauthorized)
			c.denied, c.deniedUntil = f, time.Now().Add(deniedPause)
			return f
		}
		// No session left (RAC0218, Base.SessionLimitExceeded), or not able to make one now.
		c.full = sessionlessPolls
		return nil
	}
	c.basic = true
	return nil
}

// refused reports whether a service that answered a login so has refused the login itself. iLO says so with 400.
func refused(f *failure) bool {
	switch f.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return true
	case http.StatusBadRequest:
		for _, w := range []string{"unauthorized", "invalid user", "password", "credential", "authentication"} {
			if strings.Contains(strings.ToLower(f.said), w) {
				return true
			}
		}
	}
	return false
}

// exhausted reports whether the service has no session left for us.
func exhausted(said string) bool {
	for _, w := range []string{"RAC0218", "SessionLimitExceeded", "maximum number of user sessions", "CreateLimitReached"} {
		if strings.Contains(strings.ToLower(said), strings.ToLower(w)) {
			return true
		}
	}
	return false
}

// logout gives the session back.
func (c *client) logout(ctx context.Context) error {
	c.login.Lock()
	made := c.made
	c.login.Unlock()
	defer c.http.CloseIdleConnections()
	if made == "" {
		return nil
	}
	_, f := c.do(ctx, http.MethodDelete, made, "", nil)
	c.login.Lock()
	c.token, c.made = "", ""
	c.login.Unlock()
	if f != nil && f.status != http.StatusNotFound && f.status != http.StatusUnauthorized {
		return fmt.Errorf("delete the session at %s: %w", c.host, f)
	}
	return nil
}

// do sends one request and reads the whole answer. It waits and tries once more on 503 with a short Retry-After.
func (c *client) do(ctx context.Context, method, path, etag string, body []byte) (answer, *failure) {
	a, _, f := c.exchange(ctx, method, path, etag, body)
	return a, f
}

func (c *client) exchange(ctx context.Context, method, path, etag string, body []byte) (answer, http.Header, *failure) {
	return c.send(ctx, method, path, etag, body, c.proof(body != nil))
}

// send sends one request with the proof of who we are, which was asked for before waiting for a slot: a login under way holds
// the lock and waits for one too.
func (c *client) send(ctx context.Context, method, path, etag string, body []byte, proof http.Header) (answer, http.Header, *failure) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return answer{}, nil, c.transport(ctx, ctx.Err())
	}
	for try := 0; ; try++ {
		a, h, f := c.once(ctx, method, path, etag, body, proof)
		busy := f != nil && (f.status == http.StatusServiceUnavailable || f.status == http.StatusTooManyRequests)
		if !busy || method != http.MethodGet {
			return a, h, f
		}
		wait, ok := retryAfter(h)
		if ok && wait > maxRetryAfter {
			return a, h, c.leaveAlone(path, f, wait)
		}
		if !ok || try > 0 {
			return a, h, f
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return a, h, f
		}
	}
}

// retryAfter reads the header in both of its forms (RFC 9110 section 10.2.3): seconds, or a date.
func retryAfter(h http.Header) (time.Duration, bool) {
	said := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.Atoi(said); err == nil && n >= 0 {
		return min(time.Duration(n)*time.Second, maxBusy), true
	}
	if at, err := http.ParseTime(said); err == nil {
		return min(max(0, time.Until(at)), maxBusy), true
	}
	return 0, false
}

// leaveAlone notes that a path is not to be asked for before its time, as its service wishes.
func (c *client) leaveAlone(path string, f *failure, wait time.Duration) *failure {
	f.hint = fmt.Sprintf("it wishes to be asked again in %s, and is left alone so long", wait)
	c.login.Lock()
	defer c.login.Unlock()
	if c.busy == nil {
		c.busy = map[string]busyness{}
	}
	if len(c.busy) < maxErrors {
		c.busy[path] = busyness{f, time.Now().Add(wait)}
	}
	return f
}

// busyness is what a service that is busy has said of a path, and until when.
type busyness struct {
	said  *failure
	until time.Time
}

// leftAlone is what was said of a path that is not asked for now; nil where it may be.
func (c *client) leftAlone(path string) *failure {
	c.login.Lock()
	defer c.login.Unlock()
	b, ok := c.busy[path]
	if !ok {
		return nil
	}
	if time.Now().After(b.until) {
		delete(c.busy, path)
		return nil
	}
	return b.said
}

func (c *client) once(ctx context.Context, method, path, etag string, body []byte, proof http.Header) (answer, http.Header, *failure) {
	if n := c.requests.Add(1); n > int64(c.target.Limits.Requests) && method == http.MethodGet {
		c.requests.Add(-1)
		f := failed(snapshot.ClassLimit, fmt.Sprintf("a poll may send %d requests; the rest was not read", c.target.Limits.Requests))
		f.final = true
		return answer{}, nil, f
	}
	req, err := http.NewRequestWithContext(ctx, method, c.endpoint+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, nil, failed(snapshot.ClassGarbage, "it names a path that is none: "+strconv.Quote(path))
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("OData-Version", "4.0")
	req.Header.Set("User-Agent", "sparewatch")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	maps.Copy(req.Header, proof)
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, nil, c.transport(ctx, err)
	}
	defer resp.Body.Close()
	limit := min(maxBody, c.target.Limits.Bytes-c.bytes.Load())
	if limit <= 0 {
		f := failed(snapshot.ClassLimit, fmt.Sprintf("a poll may receive %d bytes; the rest was not read", c.target.Limits.Bytes))
		f.final = true
		return answer{}, resp.Header, f
	}
	got, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	c.bytes.Add(int64(len(got)))
	switch {
	case err != nil && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)):
		c.strikes.Add(1)
		return answer{}, resp.Header, failed(snapshot.ClassGarbage, "the answer ends in the middle")
	case err != nil:
		return answer{}, resp.Header, c.transport(ctx, err)
	case int64(len(got)) > limit:
		return answer{}, resp.Header, failed(snapshot.ClassLimit, fmt.Sprintf("its answer is larger than %d bytes", limit))
	}
	c.strikes.Store(0)
	if got, err = unpack(got, limit); err != nil {
		return answer{}, resp.Header, failed(snapshot.ClassGarbage, "its answer is packed, and cannot be unpacked: "+err.Error())
	}
	switch {
	case resp.StatusCode == http.StatusNotModified && etag != "":
		return answer{notModified: true, etag: etag}, resp.Header, nil
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return answer{}, resp.Header, c.refusal(resp.StatusCode, got)
	}
	return answer{body: got, etag: resp.Header.Get("ETag")}, resp.Header, nil
}

// unpack undoes the compression that some services use though nobody asked for it.
func unpack(b []byte, most int64) ([]byte, error) {
	if !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		return b, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(z, most+1))
	if err == nil && int64(len(out)) > most {
		err = fmt.Errorf("it is larger than %d bytes", most)
	}
	return out, err
}

// proof is what proves who we are. A login itself carries nothing.
func (c *client) proof(isLogin bool) http.Header {
	if isLogin {
		return nil
	}
	c.login.Lock()
	defer c.login.Unlock()
	switch {
	case c.token != "":
		return http.Header{"X-Auth-Token": {c.token}}
	case c.basic || c.full > 0:
		pair := c.target.Credentials.User + ":" + c.target.Credentials.Password.Reveal()
		return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(pair))}}
	}
	return nil
}

// refusal puts an HTTP status into words.
func (c *client) refusal(status int, body []byte) *failure {
	said := fmt.Sprintf("it answers %d %s", status, http.StatusText(status))
	if words := errorWords(body); words != "" && status != http.StatusNotFound {
		said += ": " + words
	}
	f := failed(snapshot.ClassPartial, said)
	f.status = status
	if status == http.StatusBadRequest && strings.HasPrefix(c.endpoint, "http://") && (bytes.Contains(body, []byte("HTTPS")) || bytes.Contains(body, []byte("SSL"))) {
		return c.tlsHere()
	}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		f.class = snapshot.ClassAuth
		f.hint = c.loginHint(status)
	case status >= 500:
		f.hint = "the service has a fault of its own; if it stays, look at the BMC's log or restart the BMC"
	}
	return f
}

func (c *client) loginHint(status int) string {
	cr := c.target.Credentials
	switch {
	case cr.User == "":
		return "give a login: --user NAME --password-file FILE, or credentials in the configuration"
	case status == http.StatusForbidden:
		return fmt.Sprintf("user %q may log in but not read this: give it the role ReadOnly", cr.User)
	case cr.Name != "":
		return fmt.Sprintf("check user %q and its password in credential %q; too many tries may lock the account", cr.User, cr.Name)
	}
	return fmt.Sprintf("check user %q and its password; too many tries may lock the account", cr.User)
}

// errorWords takes the sentence out of a Redfish error body (DSP0266, error responses).
func errorWords(body []byte) string {
	var e *schemas.Error
	if !errors.As(schemas.ConstructError(0, body), &e) || !bytes.Contains(body, []byte(`"error"`)) {
		return ""
	}
	words := e.Message
	for _, x := range e.ExtendedInfos {
		if x.Message != "" {
			words = x.Message
			if x.MessageID != "" {
				words += " (" + x.MessageID + ")"
			}
			break
		}
	}
	return shorten(clean(words), 200)
}

// transport counts a failed exchange and puts it into words.
func (c *client) transport(ctx context.Context, err error) *failure {
	c.strikes.Add(1)
	return c.wordsFor(ctx, err)
}

// wordsFor puts a failed exchange into words.
func (c *client) wordsFor(ctx context.Context, err error) *failure {
	f := failed(snapshot.ClassUnreachable, "")
	var (
		cert   *collectors.CertificateError
		netErr net.Error
		dns    *net.DNSError
		record tls.RecordHeaderError
		urlErr *url.Error
		other  *elsewhere
	)
	inner := err
	if errors.As(err, &urlErr) {
		inner = urlErr.Err
	}
	said := inner.Error()
	switch {
	case errors.As(err, &cert):
		f.class, f.final = snapshot.ClassCertificate, true
		if cert.Pinned != "" {
			f.class = snapshot.ClassPinChanged
		}
		f.said = cert.Error()
		f.hint = c.certificateHint(cert)
		return f
	case errors.As(err, &record), strings.Contains(said, "server gave HTTP response to HTTPS client"):
		f.class, f.final = snapshot.ClassGarbage, true
		f.said = "it speaks no TLS on this port"
		f.hint = "check the port; if the service is plain HTTP, write redfish+http://"
		return f
	case strings.Contains(said, "protocol version"):
		f.class, f.final = snapshot.ClassCertificate, true
		f.said = "it offers no TLS 1.2 or newer: " + said
		f.hint = "update the BMC's firmware, or allow it for this BMC: --tls10, or tls: {allow_tls10: true} in its credentials"
		return f
	case strings.Contains(said, "handshake failure"):
		f.class, f.final = snapshot.ClassCertificate, true
		f.said = "it knows no cipher that is safe: " + said
		f.hint = "update the BMC's firmware, or allow old ones for this BMC: --tls10, or tls: {allow_tls10: true} in its credentials"
		return f
	case errors.As(err, &dns):
		f.final = true
		f.said = "its name is not known: " + dns.Name
		f.hint = "check the host in the URL, and the name service"
		return f
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		f.said, f.final = "the poll was cancelled", true
		return f
	case ctx.Err() != nil:
		f.said, f.final = "the poll's time was over", true
		f.hint = "the device answers too slowly; look at its load, or give the poll more time"
		return f
	case errors.As(err, &netErr) && netErr.Timeout():
		f.said = fmt.Sprintf("no answer within %s", c.target.Timeout)
		f.hint = "check that the BMC is up and that its port can be reached from here"
	case strings.Contains(said, "refused"):
		f.said, f.final = "the connection is refused", true
		f.hint = "check the host and the port in the URL, and that Redfish is enabled on the BMC"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(said, "connection reset"):
		f.said = "it closed the connection in the middle"
		f.hint = "the BMC may be restarting; if it stays, restart it"
	case errors.As(err, &other):
		f.class, f.said, f.hint = snapshot.ClassGarbage, other.Error(), other.hint()
	case strings.Contains(said, `malformed HTTP response "\x15\x03`): // a TLS alert
		return c.tlsHere()
	case strings.Contains(said, "malformed HTTP"), strings.Contains(said, "readLoopPeekFailLocked"): // the latter where it spoke first
		f.class, f.final = snapshot.ClassGarbage, true
		f.said = "what it answers is no HTTP"
		f.hint = "check the port in the URL: something else than a Redfish service listens there"
	case strings.Contains(said, "redirects"):
		f.class = snapshot.ClassGarbage
		f.said = shorten(clean(said), 200)
		f.hint = "check that the URL is that of a Redfish service"
	default:
		f.said = shorten(clean(said), 200)
		f.hint = "check that the BMC is up and that its port can be reached from here"
	}
	return f
}

// certificateHint says what to do about a certificate that does not verify.
func (c *client) certificateHint(cert *collectors.CertificateError) string {
	pin := fmt.Sprintf("sparewatch inspect %s --fingerprint %s; for the daemon: sparewatch check --config FILE --pin", c.target.URL, cert.Fingerprint)
	if cert.Pinned != "" {
		return "somebody may be in between: nothing was sent to it. If the device was replaced or has got a new certificate, see there that this is its own, and pin it: " + pin
	}
	return "if that is the device's own certificate, pin it: " + pin
}

// tlsHere is what is said where plain HTTP meets TLS.
func (c *client) tlsHere() *failure {
	f := failed(snapshot.ClassGarbage, "it speaks TLS on this port, and was asked without")
	f.final, f.hint = true, "write "+strings.Replace(c.target.URL, "redfish+http://", "redfish://", 1)
	return f
}

// hopeless reports whether the device has failed so often in a row that the poll had better end.
func (c *client) hopeless() bool { return c.strikes.Load() >= 3 }

// localPath returns the path and query of a URL at this service; "" for anything else.
func localPath(link string) string {
	u, err := url.Parse(link)
	if err != nil || !strings.HasPrefix(u.Path, "/") {
		return ""
	}
	return u.RequestURI()
}

// shorten cuts s to at most n bytes, at a rune.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}

// poster gives gofish the two requests of a session's life over our own transport.
type poster struct {
	schemas.Client // the rest of the interface is never asked for
	c              *client
	ctx            context.Context
}

func (p poster) Post(path string, payload any) (*http.Response, error) {
	body, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	a, h, f := p.c.exchange(p.ctx, http.MethodPost, path, "", body)
	if f != nil {
		return nil, f
	}
	return &http.Response{StatusCode: http.StatusCreated, Header: h, Body: io.NopCloser(bytes.NewReader(a.body))}, nil
}
