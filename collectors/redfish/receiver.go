package redfish

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Receiver takes in the events that services push (DSP0266, Event service). It is the http.Handler of the address to
// which they post; sessions of a Collector that has it subscribe to it. It may be used from any goroutine.
//
// Each subscription posts to an address of its own, which nobody else can guess: /redfish/events/ and 32 hexadecimal
// digits, from the receiver's key and the target. What comes to any other address is counted and dropped, unread.
type Receiver struct {
	site string
	key  []byte

	mu    sync.Mutex
	base  string
	by    map[string]*subscription // by the last part of the address
	stats ReceiverStats

	hand chan struct{} // posts in hand
}

// ReceiverStats are counts since the start, and the subscriptions of now.
type ReceiverStats struct {
	Events    uint64 // that may be about the hardware
	Ignored   uint64 // events about other things: logins, tasks, tests
	Strangers uint64 // posts to an address that is no subscription's, or with another's context
	Garbage   uint64 // posts that cannot be read
	Lost      uint64 // subscriptions that a service had forgotten, and that were renewed
	Refused   uint64 // subscriptions that a service did not take
	Standing  int    // subscriptions that stand now
}

// Bounds of what is taken in.
const (
	eventPath   = "/redfish/events/"
	maxPush     = 1 << 20 // bytes of one post
	postsAtOnce = 256
)

// NewReceiver makes a receiver for a site's daemon. key keeps the addresses of its subscriptions the same over restarts;
// empty: they are made anew, and the old ones replaced.
func NewReceiver(site, key string) *Receiver {
	if key == "" {
		key = rand.Text()
	}
	return &Receiver{site: site, key: []byte(key), by: map[string]*subscription{}, hand: make(chan struct{}, postsAtOnce)}
}

// SetURL says by which URL services reach the receiver: https://host:port. It is called before any session subscribes.
func (r *Receiver) SetURL(base string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.base = strings.TrimRight(base, "/")
}

// Stats returns the counts.
func (r *Receiver) Stats() ReceiverStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	for _, sub := range r.by {
		if sub.stands {
			s.Standing++
		}
	}
	return s
}

// subscription is what one session has asked one service for.
type subscription struct {
	token       string // the secret part of the address
	destination string
	context     string // by which it is known again, also after a restart
	hear        func(event value) (about bool)
	stands      bool // the service is known to hold it
}

// open makes room for a target's subscription. hear is called for each event, possibly at once with itself.
func (r *Receiver) open(device, url string, hear func(value) bool) *subscription {
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(device + "\x00" + url))
	id := sha256.Sum256([]byte(r.site + "\x00" + device + "\x00" + url))
	s := &subscription{token: hex.EncodeToString(mac.Sum(nil)[:16]), context: "sparewatch/" + hex.EncodeToString(id[:8]), hear: hear}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.destination = r.base + eventPath + s.token
	r.by[s.token] = s
	return s
}

// close forgets a subscription: what still comes for it is a stranger's.
func (r *Receiver) close(s *subscription) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by[s.token] == s {
		delete(r.by, s.token)
	}
}

// stand notes whether a service holds a subscription; lost: it had forgotten one.
func (r *Receiver) stand(s *subscription, stands, lost, refused bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.stands = stands
	if lost {
		r.stats.Lost++
	}
	if refused {
		r.stats.Refused++
	}
}

func (r *Receiver) count(n *uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*n++
}

// ServeHTTP takes in one post.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	token, ours := strings.CutPrefix(req.URL.Path, eventPath)
	r.mu.Lock()
	s := r.by[token]
	r.mu.Unlock()
	switch {
	case !ours || s == nil:
		r.count(&r.stats.Strangers)
		http.NotFound(w, req)
		return
	case req.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost) // some services try the address with GET or HEAD first
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	select {
	case r.hand <- struct{}{}:
		defer func() { <-r.hand }()
	default:
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, maxPush+1))
	if err != nil || len(body) > maxPush {
		r.count(&r.stats.Garbage)
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	r.take(w, s, body)
}

// take hands the events of one post to who has subscribed.
func (r *Receiver) take(w http.ResponseWriter, s *subscription, body []byte) {
	v, err := parseJSON(body)
	if err != nil || v.kind != object {
		r.count(&r.stats.Garbage)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if told := v.get("Context").str(); told != "" && told != s.context {
		r.count(&r.stats.Strangers)
		w.WriteHeader(http.StatusForbidden)
		return
	}
	for _, e := range v.get("Events").items() {
		if s.hear(e) {
			r.count(&r.stats.Events)
		} else {
			r.count(&r.stats.Ignored)
		}
	}
	w.WriteHeader(http.StatusNoContent)
}
