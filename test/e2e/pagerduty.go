// Package e2e tries the house from the wire to the page: the built daemon, simulated devices before it, and behind it
// receivers that have the effects of the real ones.
package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"time"
)

// PagerDuty is a receiver with the semantics of the Events API v2, as far as an event source can see them:
//
//   - an event is checked and answered with 202 before it has any effect; what is not valid gets 400 and has none;
//   - a trigger opens an alert under its dedup key, or is added to the open one; without a key it always opens one;
//   - a resolve closes the open alert; where none is open it is dropped, and so is an event whose dedup key is open
//     under another routing key;
//   - after a resolve the same key opens a new alert;
//   - more than 120 events a minute for one routing key get 429.
//
// It may be used from any goroutine.
type PagerDuty struct {
	server *httptest.Server
	keys   []string
	queue  chan Event
	worked sync.WaitGroup

	mu      sync.Mutex
	events  []Event
	alerts  []Alert
	recent  map[string][]time.Time // events by routing key, of the last minute
	changed chan struct{}          // closed and replaced with each effect
	down    bool
	lose    int
	fail    []failure
}

// Event is one event that was accepted, and what came of it.
type Event struct {
	At         time.Time
	Key        string // dedup key
	RoutingKey string
	Action     string
	Summary    string
	Severity   string
	Source     string
	Details    map[string]any
	Effect     Effect
}

// Effect of an event.
type Effect string

// The effects.
const (
	Opened       Effect = "opened"
	Updated      Effect = "updated"
	Acknowledged Effect = "acknowledged"
	Resolved     Effect = "resolved"
	Dropped      Effect = "dropped"
)

// Alert is what the person on duty sees.
type Alert struct {
	Key          string // dedup key
	RoutingKey   string
	Summary      string // of its first trigger; later ones do not change it
	Severity     string // of its last trigger
	Triggers     int
	Acknowledged bool
	Opened       time.Time
	Resolved     time.Time // zero: it is open
}

type failure struct {
	status     int
	retryAfter time.Duration
}

// NewPagerDuty starts a receiver on loopback that knows the routing keys.
func NewPagerDuty(routingKeys ...string) *PagerDuty {
	p := &PagerDuty{keys: routingKeys, queue: make(chan Event, 10_000), recent: map[string][]time.Time{}, changed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2/enqueue", p.enqueue)
	p.server = httptest.NewServer(mux)
	p.worked.Go(func() {
		for e := range p.queue {
			p.apply(e)
		}
	})
	return p
}

// URL is what an event source is configured with.
func (p *PagerDuty) URL() string { return p.server.URL }

// Close ends the receiver; events that were accepted have had their effect.
func (p *PagerDuty) Close() {
	p.server.Close()
	close(p.queue)
	p.worked.Wait()
}

// Down has every connection cut without an answer and without effect, or ends that.
func (p *PagerDuty) Down(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// Lose accepts the next n events and cuts the connection before the answer: the source cannot know that they arrived.
func (p *PagerDuty) Lose(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose = n
}

// Fail answers the next event with the status, without effect; retryAfter 0: no such header.
func (p *PagerDuty) Fail(status int, retryAfter time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = append(p.fail, failure{status, retryAfter})
}

// Events are those accepted so far, in the order of their effects.
func (p *PagerDuty) Events() []Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events)
}

// Alerts are those that ever opened, in that order.
func (p *PagerDuty) Alerts() []Alert {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.alerts)
}

// Wait returns the alerts as soon as they are as wanted.
func (p *PagerDuty) Wait(ctx context.Context, wanted func([]Alert) bool) ([]Alert, error) {
	for {
		p.mu.Lock()
		alerts, changed := slices.Clone(p.alerts), p.changed
		p.mu.Unlock()
		if wanted(alerts) {
			return alerts, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return alerts, fmt.Errorf("the alerts are not as wanted: %+v: %w", alerts, ctx.Err())
		}
	}
}

// enqueue is POST /v2/enqueue.
func (p *PagerDuty) enqueue(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxEvent+1))
	if err != nil {
		return // the source is gone
	}
	f, cut, lose := p.fate()
	if cut {
		panic(http.ErrAbortHandler)
	}
	if f.status != 0 {
		if f.retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.retryAfter.Seconds())))
		}
		answer(w, f.status, map[string]any{"status": "error", "message": http.StatusText(f.status)})
		return
	}
	e, wrong := p.check(body)
	if len(wrong) > 0 {
		answer(w, http.StatusBadRequest, map[string]any{"status": "invalid event", "message": "Event object is invalid", "errors": wrong})
		return
	}
	if !p.within(e.RoutingKey, time.Now()) {
		answer(w, http.StatusTooManyRequests, map[string]any{"status": "throttle exceeded", "message": "Requests for this integration are arriving too quickly"})
		return
	}
	p.queue <- e
	if lose {
		panic(http.ErrAbortHandler)
	}
	answer(w, http.StatusAccepted, map[string]any{"status": "success", "message": "Event processed", "dedup_key": e.Key})
}

// fate is what was asked for to go wrong with this request.
func (p *PagerDuty) fate() (f failure, cut, lose bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.down:
		return failure{}, true, false
	case len(p.fail) > 0:
		f, p.fail = p.fail[0], p.fail[1:]
	case p.lose > 0:
		p.lose--
		lose = true
	}
	return f, false, lose
}

// Limits of the Events API v2.
const (
	maxEvent   = 512 << 10 // bytes
	maxSummary = 1024      // characters
	maxKey     = 255
	perMinute  = 120 // and routing key
)

// check decodes an event and says what is wrong with it.
func (p *PagerDuty) check(body []byte) (Event, []string) {
	var in struct {
		RoutingKey string `json:"routing_key"`
		Action     string `json:"event_action"`
		Key        string `json:"dedup_key"`
		Payload    *struct {
			Summary   string         `json:"summary"`
			Source    string         `json:"source"`
			Severity  string         `json:"severity"`
			Timestamp string         `json:"timestamp"`
			Details   map[string]any `json:"custom_details"`
		} `json:"payload"`
	}
	if len(body) > maxEvent {
		return Event{}, []string{"the event is longer than 512 KB"}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return Event{}, []string{"the event is not JSON of the right shape: " + err.Error()}
	}
	var wrong []string
	must := func(is bool, what string) {
		if !is {
			wrong = append(wrong, what)
		}
	}
	e := Event{At: time.Now(), Key: in.Key, RoutingKey: in.RoutingKey, Action: in.Action}
	must(slices.Contains(p.keys, in.RoutingKey), "'routing_key' is not one of an integration")
	must(slices.Contains([]string{"trigger", "acknowledge", "resolve"}, in.Action), "'event_action' is invalid")
	must(len(in.Key) <= maxKey, "'dedup_key' is longer than 255 characters")
	must(in.Key != "" || in.Action == "trigger", "'dedup_key' is missing")
	if in.Action != "trigger" {
		return e, wrong
	}
	if in.Payload == nil {
		return e, append(wrong, "'payload' is missing")
	}
	must(in.Payload.Summary != "", "'payload.summary' is missing")
	must(len([]rune(in.Payload.Summary)) <= maxSummary, "'payload.summary' is longer than 1024 characters")
	must(in.Payload.Source != "", "'payload.source' is missing")
	must(slices.Contains([]string{"critical", "error", "warning", "info"}, in.Payload.Severity), "'payload.severity' is invalid")
	if in.Payload.Timestamp != "" {
		_, err := time.Parse(time.RFC3339, in.Payload.Timestamp)
		must(err == nil, "'payload.timestamp' is invalid")
	}
	e.Summary, e.Source, e.Severity, e.Details = in.Payload.Summary, in.Payload.Source, in.Payload.Severity, in.Payload.Details
	return e, wrong
}

// within counts an event against its routing key's limit.
func (p *PagerDuty) within(key string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	recent := slices.DeleteFunc(p.recent[key], func(at time.Time) bool { return now.Sub(at) >= time.Minute })
	if len(recent) >= perMinute {
		return false
	}
	p.recent[key] = append(recent, now)
	return true
}

// apply gives an accepted event its effect.
func (p *PagerDuty) apply(e Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Key == "" {
		e.Key = fmt.Sprintf("made-%d", len(p.events)+1)
	}
	open := slices.IndexFunc(p.alerts, func(a Alert) bool { return a.Key == e.Key && a.Resolved.IsZero() })
	switch {
	case open >= 0 && p.alerts[open].RoutingKey != e.RoutingKey:
		e.Effect = Dropped
	case open < 0 && e.Action == "trigger":
		e.Effect = Opened
		p.alerts = append(p.alerts, Alert{Key: e.Key, RoutingKey: e.RoutingKey, Summary: e.Summary, Severity: e.Severity, Triggers: 1, Opened: e.At})
	case open < 0:
		e.Effect = Dropped
	case e.Action == "trigger":
		e.Effect = Updated
		p.alerts[open].Triggers++
		p.alerts[open].Severity = e.Severity
	case e.Action == "acknowledge":
		e.Effect = Acknowledged
		p.alerts[open].Acknowledged = true
	default:
		e.Effect = Resolved
		p.alerts[open].Resolved = e.At
	}
	p.events = append(p.events, e)
	close(p.changed)
	p.changed = make(chan struct{})
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the source may be gone
}
