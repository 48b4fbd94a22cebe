// Package api serves what the daemon knows as JSON over HTTP, has the client that asks for it, and gives the JSON of
// `inspect`.
//
//	GET /api/v1/status                          Status: services, groups, findings, incidents, targets
//	GET /api/v1/simulate?fail=ID&fail=ID        engine.Simulation: what would be lost
//	GET /api/v1/gate?fail=ID&fail=ID&strict=1   engine.Gate: may these be taken down now
//	GET /api/v1/cuts?of=ID&order=2              engine.CutSets: the smallest sets of failures that take it down
//	GET /api/v1/capacity?order=2                engine.CapacityReport: what single failures, or pairs, overload
//	GET /healthz                                200 while the daemon judges
//	GET /readyz                                 200 once it has read its targets
//
// docs/api.md describes the objects. Everything only reads. Status comes from a picture in memory and waits for nothing;
// simulate and gate ask the engine, which answers between two looks at the devices. Errors are {"error": "...", "hint": "..."}.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// Status is the answer of /api/v1/status. What is not known is null.
type Status struct {
	Site    string    `json:"site"`
	Version string    `json:"version"`
	Now     time.Time `json:"now"` // when this was answered
	engine.Report
	Incidents []incident.Incident `json:"incidents"` // open, oldest first
	Targets   []Target            `json:"targets"`   // sorted by device
}

// Target is how one target does.
type Target struct {
	Device   string           `json:"device"`
	URL      string           `json:"url"`
	Interval float64          `json:"interval_s"`
	LastTry  *time.Time       `json:"last_try"`
	LastGood *time.Time       `json:"last_good"`
	Took     float64          `json:"took_ms"` // the last poll
	Missed   int              `json:"missed"`
	Silent   bool             `json:"silent"`
	Errors   []snapshot.Error `json:"errors"`
}

// Targets lists the targets of all devices in their order.
func Targets(devices []*state.Device) []Target {
	list := []Target{}
	for _, d := range devices {
		for i := range d.Targets {
			t := &d.Targets[i]
			list = append(list, Target{
				Device:   d.Name,
				URL:      t.URL,
				Interval: t.Interval.Seconds(),
				LastTry:  known(t.LastTry),
				LastGood: known(t.LastGood),
				Took:     float64(t.Took.Microseconds()) / 1000,
				Missed:   t.Missed,
				Silent:   t.Silent,
				Errors:   append([]snapshot.Error{}, t.Errors...),
			})
		}
	}
	return list
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Daemon is what the handlers ask. All of it may be called from any goroutine.
type Daemon struct {
	Status   func() *Status // does not block
	Simulate func(ctx context.Context, fail []string) (*engine.Simulation, error)
	Gate     func(ctx context.Context, fail []string, strict bool) (*engine.Gate, error)
	Cuts     func(ctx context.Context, of string, order, limit int) (*engine.CutSets, error)
	Capacity func(ctx context.Context, order, limit int) (*engine.CapacityReport, error)
	Healthy  func() error // why the daemon does not do its work; nil when it does
	Ready    func() error // why it cannot answer for everything yet
}

// ErrBusy is the error of a Daemon that answers too many questions already.
var ErrBusy = errors.New("too many questions are being answered")

// questionTimeout bounds how long a request waits for the engine.
const questionTimeout = 30 * time.Second

// mostFailing bounds how many names one question may hold.
const mostFailing = 10000

// Handler serves the API.
func Handler(d Daemon) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/status", func(w http.ResponseWriter, _ *http.Request) { answer(w, d.Status()) })
	mux.HandleFunc("GET /api/v1/simulate", func(w http.ResponseWriter, r *http.Request) {
		question(w, r, func(ctx context.Context, fail []string) (any, error) { return d.Simulate(ctx, fail) })
	})
	mux.HandleFunc("GET /api/v1/gate", func(w http.ResponseWriter, r *http.Request) {
		strict := slices.Contains([]string{"1", "true", "yes"}, r.URL.Query().Get("strict"))
		question(w, r, func(ctx context.Context, fail []string) (any, error) { return d.Gate(ctx, fail, strict) })
	})
	mux.HandleFunc("GET /api/v1/cuts", func(w http.ResponseWriter, r *http.Request) { cuts(w, r, d) })
	mux.HandleFunc("GET /api/v1/capacity", func(w http.ResponseWriter, r *http.Request) { loads(w, r, d) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { probe(w, d.Healthy()) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { probe(w, d.Ready()) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, r.Method+" "+r.URL.Path+" is not served", "GET /api/v1/status, /api/v1/simulate?fail=ID, /api/v1/gate?fail=ID, /api/v1/cuts?of=ID or /api/v1/capacity?order=2")
	})
	return mux
}

// question reads what is to fail, asks, and answers.
func question(w http.ResponseWriter, r *http.Request, ask func(context.Context, []string) (any, error)) {
	fail := r.URL.Query()["fail"]
	switch {
	case len(fail) == 0 || slices.Contains(fail, ""):
		refuse(w, http.StatusBadRequest, "nothing is named that fails", "name one or more: ?fail=srv-101/psu/1&fail=feed-a")
		return
	case len(fail) > mostFailing:
		refuse(w, http.StatusBadRequest, "too many things are named that fail", "name at most 10000")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), questionTimeout)
	defer cancel()
	v, err := ask(ctx, fail)
	reply(w, v, err)
}

// mostCuts bounds how many cut sets one answer lists.
const mostCuts = 10000

// cuts reads whose cut sets are asked for, asks, and answers.
func cuts(w http.ResponseWriter, r *http.Request, d Daemon) {
	q := r.URL.Query()
	order, limit, ok := bounds(w, r)
	if !ok {
		return
	}
	if q.Get("of") == "" {
		refuse(w, http.StatusBadRequest, "no service is named", "name one: ?of=payments&order=3")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), questionTimeout)
	defer cancel()
	v, err := d.Cuts(ctx, q.Get("of"), order, min(limit, mostCuts))
	reply(w, v, err)
}

// loads asks what failures do to what carries load, and answers.
func loads(w http.ResponseWriter, r *http.Request, d Daemon) {
	order, limit, ok := bounds(w, r)
	if !ok {
		return
	}
	if order > 2 {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("order=%d: loads are followed for single failures and pairs", order), "write order=1 or order=2; any set that you name is followed by /api/v1/simulate?fail=ID&fail=ID&fail=ID")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), questionTimeout)
	defer cancel()
	v, err := d.Capacity(ctx, order, min(limit, mostCuts))
	reply(w, v, err)
}

// bounds reads how many failures at once are asked for (0: any number) and how much is listed; not ok where it refused.
func bounds(w http.ResponseWriter, r *http.Request) (order, limit int, ok bool) {
	limit = 100
	for name, into := range map[string]*int{"order": &order, "limit": &limit} {
		if s := r.URL.Query().Get(name); s != "" {
			n, err := strconv.Atoi(s)
			if err != nil || n < 0 {
				refuse(w, http.StatusBadRequest, fmt.Sprintf("%s=%q is no number", name, s), "write a number from 0 up")
				return 0, 0, false
			}
			*into = n
		}
	}
	return order, limit, true
}

// reply answers with what the engine said.
func reply(w http.ResponseWriter, v any, err error) {
	var unknown *topology.UnknownNameError
	switch {
	case err == nil:
		answer(w, v)
	case errors.As(err, &unknown):
		refuse(w, http.StatusNotFound, err.Error(), "/api/v1/status lists groups and services")
	case errors.Is(err, ErrBusy):
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, err.Error(), "ask again in some seconds")
	case errors.Is(err, context.DeadlineExceeded):
		refuse(w, http.StatusServiceUnavailable, "the engine did not answer in time", "ask again; /healthz says whether it works")
	default:
		refuse(w, http.StatusServiceUnavailable, err.Error(), "")
	}
}

func probe(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n")) // the client has gone away
}

// Problem is the body of an answer that is none.
type Problem struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

func refuse(w http.ResponseWriter, code int, why, hint string) {
	head(w, code)
	_ = json.NewEncoder(w).Encode(Problem{Error: why, Hint: hint}) // the client has gone away
}

func answer(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error(), "")
		return
	}
	head(w, http.StatusOK)
	_, _ = w.Write(append(body, '\n')) // the client has gone away
}

func head(w http.ResponseWriter, code int) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
}
