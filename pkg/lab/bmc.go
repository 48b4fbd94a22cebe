package lab

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

// BMC is a Redfish service (DSP0266): it answers GET from its resources, opens and closes sessions, takes subscriptions
// to its events where OfferEvents was called, and changes nothing else. ServeRedfish gives it a socket. Its fields are set before it serves.
type BMC struct {
	Resources *Resources
	// User and Password are the one login. Without a User any login is accepted, and none is needed.
	User, Password string
	// MaxSessions bounds the sessions that are open at once; 0 is 16. One more is answered with 503.
	MaxSessions int
	// Expand makes the service answer $expand although its root doesn't offer it.
	Expand bool
	// Alive, where given, is asked before each answer and connection: a device without power closes both, and forgets
	// its sessions.
	Alive func() bool

	requests atomic.Int64
	flying   atomic.Int64
	most     atomic.Int64
	mu       sync.Mutex
	sessions map[string]string // id by token
	opened   int
	faults   []HTTPFault
	events   *events // nil: it has no event service
}

// HTTPFault is a way to misbehave. A service may have several; the first that strikes a request wins.
type HTTPFault struct {
	Path   string // strikes this path and what is under it; empty: all
	Query  string // strikes only requests whose query holds this
	Method string // strikes only requests with this method; empty: all
	Times  int    // heals after so many strikes; 0: never

	Delay      time.Duration // before anything else; the request then goes on, if nothing more is asked for
	Status     int           // answered with an error body
	RetryAfter int           // seconds, with Status
	Half       bool          // 200, and half the JSON
	Garbage    bool          // 200, and what is no JSON
	Body       string        // 200, and this
	Hang       bool          // no answer until the client gives up
	Cut        bool          // the connection is closed in the middle of the body
	Close      bool          // the connection is closed before anything is said
	Endless    bool          // a body that never ends
	Redirect   string        // 302 to this; "self": to the same path
}

// Inject makes the service misbehave from now on; without faults it heals.
func (b *BMC) Inject(faults ...HTTPFault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append([]HTTPFault(nil), faults...)
}

// Requests is how many requests have come in; MostAtOnce is the largest number that were in hand together.
func (b *BMC) Requests() int { return int(b.requests.Load()) }

// MostAtOnce is the largest number of requests that were in hand together.
func (b *BMC) MostAtOnce() int { return int(b.most.Load()) }

// Sessions is how many sessions are open; opened is how many ever were.
func (b *BMC) Sessions() (open, opened int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.sessions), b.opened
}

// DropSessions forgets every session, as a BMC that restarts does.
func (b *BMC) DropSessions() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sessions = nil
}

// ServeHTTP answers one request.
func (b *BMC) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !b.alive() {
		panic(http.ErrAbortHandler)
	}
	b.requests.Add(1)
	now := b.flying.Add(1)
	defer b.flying.Add(-1)
	for most := b.most.Load(); now > most && !b.most.CompareAndSwap(most, now); most = b.most.Load() {
	}
	w.Header().Set("OData-Version", "4.0")
	w.Header().Set("Cache-Control", "no-cache")
	if f, ok := b.strike(r); ok && b.misbehave(w, r, f) {
		return
	}
	at := recording.CleanPath(r.URL.Path)
	switch {
	case r.Method == http.MethodPost && b.isSessions(at):
		b.open(w, r, at)
	case !b.mayRead(r, at):
		w.Header().Set("WWW-Authenticate", `Basic realm="lab"`)
		refuse(w, http.StatusUnauthorized, "NoValidSession", "There is no valid session established with the implementation.")
	case b.events != nil && (at == eventService || strings.HasPrefix(at, eventService+"/")):
		b.events.serve(w, r, at)
	case r.Method == http.MethodDelete && b.isSessions(path.Dir(at)):
		b.close(w, path.Base(at))
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		b.get(w, r, at)
	default:
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "OperationNotAllowed", "This service only answers what it is asked.")
	}
}

func (b *BMC) alive() bool {
	if b.Alive == nil || b.Alive() {
		return true
	}
	b.DropSessions()
	return false
}

func (b *BMC) get(w http.ResponseWriter, r *http.Request, at string) {
	body, ok := b.find(r, at)
	if !ok {
		refuse(w, http.StatusNotFound, "ResourceMissingAtURI", fmt.Sprintf("The resource at the URI %s was not found.", at))
		return
	}
	if levels, links, asked := expandOf(r.URL.Query()); asked && b.expands() {
		body = b.expanded(body, levels, links)
	}
	h := fnv.New64a()
	h.Write(body)
	tag := fmt.Sprintf(`W/"%016x"`, h.Sum64())
	w.Header().Set("ETag", tag)
	if match := r.Header.Get("If-None-Match"); match == "*" || match != "" && strings.Contains(match, strings.TrimPrefix(tag, "W/")) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // a client that has gone needs no answer
}

// find looks a resource up, first with its query (recorded pages carry one), and makes up the little that every
// service has and a recording may lack.
func (b *BMC) find(r *http.Request, at string) (json.RawMessage, bool) {
	if q := r.URL.RawQuery; q != "" {
		if body, ok := b.Resources.Get(at + "?" + q); ok {
			return body, true
		}
		if plain, err := url.QueryUnescape(q); err == nil {
			if body, ok := b.Resources.Get(at + "?" + plain); ok {
				return body, true
			}
		}
	}
	if body, ok := b.Resources.Get(at); ok {
		if at == "/redfish/v1" && b.events != nil {
			body = withEvents(body)
		}
		return body, true
	}
	switch {
	case at == "/redfish":
		return json.RawMessage(`{"v1":"/redfish/v1/"}`), true
	case b.isSessions(at):
		return b.listSessions(at), true
	}
	return nil, false
}

// Sessions (DSP0266 section 13.3).

// sessionsAt is where the root says that sessions are made.
func (b *BMC) sessionsAt() string {
	var root struct {
		Links struct {
			Sessions struct {
				ID string `json:"@odata.id"`
			}
		}
	}
	if body, ok := b.Resources.Get("/redfish/v1"); ok && json.Unmarshal(body, &root) == nil && root.Links.Sessions.ID != "" {
		return recording.CleanPath(root.Links.Sessions.ID)
	}
	return "/redfish/v1/SessionService/Sessions"
}

func (b *BMC) isSessions(at string) bool {
	at = strings.TrimSuffix(at, "/Members")
	return at == "/redfish/v1/SessionService/Sessions" || at == b.sessionsAt()
}

func (b *BMC) open(w http.ResponseWriter, r *http.Request, at string) {
	var login struct{ UserName, Password string }
	if err := json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&login); err != nil {
		refuse(w, http.StatusBadRequest, "MalformedJSON", "The request body is no JSON.")
		return
	}
	if b.User != "" && (login.UserName != b.User || login.Password != b.Password) {
		refuse(w, http.StatusUnauthorized, "ResourceAtUriUnauthorized", "The user name or password is wrong.")
		return
	}
	token := rand.Text()
	b.mu.Lock()
	most := b.MaxSessions
	if most == 0 {
		most = 16
	}
	if len(b.sessions) >= most {
		b.mu.Unlock()
		refuse(w, http.StatusServiceUnavailable, "SessionLimitExceeded", "The session establishment failed due to the number of simultaneous sessions exceeding the limit of the implementation.")
		return
	}
	if b.sessions == nil {
		b.sessions = map[string]string{}
	}
	b.opened++
	id := strconv.Itoa(b.opened)
	b.sessions[token] = id
	b.mu.Unlock()
	at = strings.TrimSuffix(at, "/Members") + "/" + id
	w.Header().Set("X-Auth-Token", token)
	w.Header().Set("Location", at)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(encode(map[string]any{"@odata.id": at, "@odata.type": "#Session.v1_3_0.Session", "Id": id, "Name": "User Session", "UserName": login.UserName}))
}

func (b *BMC) close(w http.ResponseWriter, id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for token, open := range b.sessions {
		if open == id {
			delete(b.sessions, token)
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	refuse(w, http.StatusNotFound, "ResourceMissingAtURI", "There is no such session.")
}

func (b *BMC) listSessions(at string) json.RawMessage {
	b.mu.Lock()
	defer b.mu.Unlock()
	members := []any{}
	for _, id := range b.sessions {
		members = append(members, ref(at+"/"+id))
	}
	return encode(map[string]any{"@odata.id": at, "@odata.type": "#SessionCollection.SessionCollection", "Name": "Session Collection",
		"Members@odata.count": len(members), "Members": members})
}

// mayRead reports whether the request carries a login, or asks for what needs none (DSP0266 section 13.3.1).
func (b *BMC) mayRead(r *http.Request, at string) bool {
	switch at {
	case "/redfish", "/redfish/v1", "/redfish/v1/odata", "/redfish/v1/$metadata":
		return true
	}
	if b.User == "" {
		return true
	}
	if token := r.Header.Get("X-Auth-Token"); token != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		_, ok := b.sessions[token]
		return ok
	}
	user, password, ok := r.BasicAuth()
	return ok && user == b.User && password == b.Password
}

// $expand (DSP0266 section 7.3.1.1).

// maxExpanded bounds an expanded body in octets.
const maxExpanded = 32 << 20

// expandOf reads $expand: how deep, and whether the links under Links are followed too.
func expandOf(q url.Values) (levels int, links, asked bool) {
	e := q.Get("$expand")
	if e == "" {
		return 0, false, false
	}
	levels = 1
	if _, after, ok := strings.Cut(e, "$levels="); ok {
		if n, err := strconv.Atoi(strings.TrimRight(after, ")")); err == nil {
			levels = min(max(n, 1), 6)
		}
	}
	return levels, e[0] == '*', true
}

func (b *BMC) expands() bool {
	var root struct {
		ProtocolFeaturesSupported struct {
			ExpandQuery struct{ ExpandAll, Links, NoLinks bool }
		}
	}
	body, _ := b.Resources.Get("/redfish/v1")
	_ = json.Unmarshal(body, &root) // a root that says nothing offers nothing
	e := root.ProtocolFeaturesSupported.ExpandQuery
	return b.Expand || e.ExpandAll || e.NoLinks || e.Links
}

func (b *BMC) expanded(body json.RawMessage, levels int, links bool) json.RawMessage {
	left := maxExpanded
	v, ok := decode(body)
	if !ok {
		return body
	}
	return encode(b.expand(v, levels, links, &left, true))
}

// expand puts bodies in the place of links, levels deep.
func (b *BMC) expand(v any, levels int, links bool, left *int, top bool) any {
	switch at := v.(type) {
	case map[string]any:
		if id, ok := at["@odata.id"].(string); ok && len(at) == 1 && !top {
			body, found := b.Resources.Get(id)
			if !found || levels == 0 || strings.Contains(id, "#") || *left < len(body) {
				return at
			}
			*left -= len(body)
			inner, ok := decode(body)
			if !ok {
				return at
			}
			return b.expand(inner, levels-1, links, left, true)
		}
		for k, inner := range at {
			if k != "Links" || links {
				at[k] = b.expand(inner, levels, links, left, false)
			}
		}
	case []any:
		for i := range at {
			at[i] = b.expand(at[i], levels, links, left, false)
		}
	}
	return v
}

func decode(body json.RawMessage) (v any, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	return v, dec.Decode(&v) == nil
}

func ref(id string) map[string]any { return map[string]any{"@odata.id": id} }

// refuse answers with an error body (DSP0266 section 8.6).
func refuse(w http.ResponseWriter, status int, message, text string) {
	id := "Base.1.18." + message
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(encode(map[string]any{"error": map[string]any{"code": id, "message": text,
		"@Message.ExtendedInfo": []any{map[string]any{"MessageId": id, "Message": text, "Severity": "Critical"}}}}))
}

// Faults.

func (b *BMC) strike(r *http.Request) (HTTPFault, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := recording.CleanPath(r.URL.Path)
	for i, f := range b.faults {
		under := f.Path == "" || at == recording.CleanPath(f.Path) || strings.HasPrefix(at, recording.CleanPath(f.Path)+"/")
		if !under || !strings.Contains(r.URL.RawQuery, f.Query) || f.Method != "" && f.Method != r.Method || f.Times < 0 {
			continue
		}
		if f.Times > 0 {
			if b.faults[i].Times--; b.faults[i].Times == 0 {
				b.faults[i].Times = -1 // healed
			}
		}
		return f, true
	}
	return HTTPFault{}, false
}

// misbehave does what the fault says and reports whether that was all.
func (b *BMC) misbehave(w http.ResponseWriter, r *http.Request, f HTTPFault) bool {
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
			panic(http.ErrAbortHandler) // see Hang
		}
	}
	body, _ := b.find(r, recording.CleanPath(r.URL.Path))
	if !f.Garbage {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	switch {
	case f.Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // an answer may reach a client that is just giving up
	case f.Close:
		panic(http.ErrAbortHandler)
	case f.Cut:
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+2))
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case f.Endless:
		endless(w, r)
	case f.Redirect != "":
		if f.Redirect == "self" {
			f.Redirect = r.URL.String()
		}
		w.Header().Set("Location", f.Redirect)
		w.WriteHeader(http.StatusFound)
	case f.Half:
		_, _ = w.Write(body[:len(body)/2])
	case f.Garbage:
		_, _ = io.WriteString(w, "<html><body>Loading the web interface...</body></html>")
	case f.Body != "":
		_, _ = io.WriteString(w, f.Body)
	case f.Status != 0:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		refuse(w, f.Status, "GeneralError", "A fault that was asked for.")
	default:
		w.Header().Del("Content-Type")
		return false
	}
	return true
}

func endless(w http.ResponseWriter, r *http.Request) {
	chunk := bytes.Repeat([]byte(`{"a":0},`), 4096)
	_, _ = io.WriteString(w, `{"Members":[`)
	for r.Context().Err() == nil {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}
