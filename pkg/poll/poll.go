// Package poll reads targets again and again: it spreads them over their interval, holds one conversation at a time with
// one address, backs off from what fails, and bounds what one sick device may cost.
//
//	p := poll.New(poll.Options{Collectors: collectors, Out: publish})
//	err := p.Set(targets)   // again at every reload
//	p.Start()
//	p.Ask("pdu-r12-a", "srv-101 lost an input")
//	err = p.Stop(ctx)
//
// It knows nothing of what a snapshot says beyond whether the target answered and what kept it from answering. Each
// poll's snapshot goes to Options.Out.
//
// How a target is scheduled: its polls stand at fixed moments of the interval that its URL decides, moved by a little
// jitter, so that ten thousand targets come evenly and always in the same order. A target that is due waits until nobody
// else talks to its device or its address, then until a worker is free. Targets that failed last time have at most half of the workers:
// a dead rack does not hold up the others. A device rests at least as long as its last poll took.
package poll

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// Target is what is polled, and how often. It is known by its Device and URL.
type Target struct {
	collectors.Target
	States    time.Duration // interval of Fast polls; 0: 15 s
	Inventory time.Duration // interval of Full polls; 0: 10 min
}

// Options are what a Poller needs. Collectors and Out are required; zero fields have defaults.
type Options struct {
	Collectors map[string]collectors.Collector // by URL scheme
	// Out receives every poll's snapshot, never nil: for one target in turn, for several at once. A slow Out holds up
	// polls. It is not called for a poll that Stop or Set broke off.
	Out     func(*snapshot.Snapshot)
	Workers int            // polls at once; 0: 128
	Limit   time.Duration  // wall time of one poll; 0: 2 min
	Jitter  func() float64 // in [0,1), called in turn; nil: math/rand/v2
	Log     *slog.Logger   // nil: silent
}

// Poller polls a set of targets. Its methods may be called from any goroutine.
type Poller struct {
	o      Options
	ctx    context.Context // of everything that runs; ends with Stop
	cancel context.CancelFunc
	wake   chan struct{}  // tells the scheduler that something is due earlier than it thinks; holds one
	wg     sync.WaitGroup // scheduler, polls, listeners

	mu       sync.Mutex
	epoch    time.Time // Start
	stopped  bool
	entries  map[key]*entry
	byDevice map[string][]*entry
	due      dueHeap
	tokens   map[string]*token
	ready    [2][]*entry // well, sick: have their tokens, wait for a worker
	running  int         // workers that are busy
	sick     int         // of running: with targets that failed last time
	waiting  int         // ready, or waiting for tokens
	count    Stats
}

type key struct{ device, url string }

// New makes a Poller without targets that is not started.
func New(o Options) *Poller {
	if o.Workers <= 0 {
		o.Workers = 128
	}
	if o.Limit <= 0 {
		o.Limit = 2 * time.Minute
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Poller{o: o, wake: make(chan struct{}, 1), entries: map[key]*entry{}, byDevice: map[string][]*entry{}, tokens: map[string]*token{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Set replaces the targets. Sessions of targets that did not change are kept; a target whose login was refused is tried again at
// once. Where a target cannot be opened (a wrong URL, a scheme without collector) Set returns all such errors and
// changes nothing. It waits for nothing: what is no longer polled ends in the background.
func (p *Poller) Set(targets []Target) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return errors.New("the poller is stopped")
	}
	fresh, kept, err := p.open(targets)
	if err != nil {
		return err
	}
	now := time.Now()
	next := make(map[key]*entry, len(targets))
	for k, e := range kept {
		next[k] = e
	}
	for k, e := range p.entries {
		if kept[k] != e {
			p.remove(e)
		}
	}
	for k, e := range fresh {
		e.tokens = p.tokensFor(e.target)
		next[k] = e
	}
	p.entries = next
	p.byDevice = make(map[string][]*entry, len(next))
	for _, e := range next {
		p.byDevice[e.target.Device] = append(p.byDevice[e.target.Device], e)
	}
	for _, t := range targets {
		k := key{t.Device, t.URL}
		if e := kept[k]; e != nil {
			t = withDefaults(t)
			e.target.States, e.target.Inventory = t.States, t.Inventory
			p.retry(e, now)
		}
	}
	if !p.epoch.IsZero() {
		p.begin(fresh, now)
	}
	p.dispatch()
	return nil
}

// open opens sessions for the targets that are new or changed, and finds the entries that may stay. Nothing live is
// touched.
func (p *Poller) open(targets []Target) (fresh, kept map[key]*entry, err error) {
	fresh, kept = map[key]*entry{}, map[key]*entry{}
	var errs []error
	for _, t := range targets {
		t = withDefaults(t)
		k := key{t.Device, t.URL}
		if fresh[k] != nil || kept[k] != nil {
			errs = append(errs, fmt.Errorf("%s: the URL %s is there twice", t.Device, t.URL))
			continue
		}
		if e := p.entries[k]; e != nil && sameTarget(e.target.Target, t.Target) {
			kept[k] = e
			continue
		}
		e, err := p.newEntry(t)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", t.Device, err))
			continue
		}
		fresh[k] = e
	}
	return fresh, kept, errors.Join(errs...)
}

func withDefaults(t Target) Target {
	if t.States <= 0 {
		t.States = 15 * time.Second
	}
	if t.Inventory <= 0 {
		t.Inventory = 10 * time.Minute
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
	return t
}

func sameTarget(a, b collectors.Target) bool {
	ca, cb := a.Credentials.TLS.CA, b.Credentials.TLS.CA
	a.Credentials.TLS.CA, b.Credentials.TLS.CA = nil, nil
	return reflect.DeepEqual(a, b) && ca.Equal(cb)
}

func (p *Poller) newEntry(t Target) (*entry, error) {
	scheme, _, _ := strings.Cut(t.URL, "://")
	c := p.o.Collectors[scheme]
	if c == nil {
		return nil, fmt.Errorf("no collector reads %s://", scheme)
	}
	session, err := openSession(c, t.Target)
	if err != nil {
		return nil, err
	}
	e := &entry{target: t, collector: c, scheme: scheme, session: session, phase: phase(t.URL, t.Device), fullPhase: phase(t.Device, t.URL), index: -1}
	e.ctx, e.cancel = context.WithCancel(p.ctx)
	return e, nil
}

// phase is where in an interval the target stands: 0 <= phase < 1, the same in every run.
func phase(a, b string) float64 {
	h := fnv.New64a()
	h.Write([]byte(a))
	h.Write([]byte{0})
	h.Write([]byte(b))
	// FNV's high bits are poor for short texts that differ at the end: mix them (splitmix64's finaliser).
	x := h.Sum64()
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	x ^= x >> 31
	return float64(x>>11) / (1 << 53)
}

// tokensFor are what a target must have for itself while it is talked to: its device, and its address. On loopback, where
// one address stands for many simulated devices, the port belongs to the address.
func (p *Poller) tokensFor(t Target) [2]*token {
	var out [2]*token
	for i, name := range []string{"device " + t.Device, "address " + address(t.URL)} {
		tk := p.tokens[name]
		if tk == nil {
			tk = &token{name: name}
			p.tokens[name] = tk
		}
		tk.users++
		out[i] = tk
	}
	return out
}

func address(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return target
	}
	host := strings.ToLower(u.Hostname())
	if host == "localhost" || strings.HasPrefix(host, "127.") || host == "::1" {
		return strings.ToLower(u.Host)
	}
	return host
}

// Start begins to poll. Set may be called before and after.
func (p *Poller) Start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped || !p.epoch.IsZero() {
		return
	}
	p.epoch = time.Now()
	p.begin(p.entries, p.epoch)
	p.wg.Go(p.schedule)
}

// firstSpread is how far apart the first polls stand: a few targets are read at once, many within their interval.
const firstSpread = 20 * time.Millisecond

func (p *Poller) begin(fresh map[key]*entry, now time.Time) {
	window := time.Duration(len(fresh)) * firstSpread
	for _, e := range fresh {
		e.due = now.Add(time.Duration(e.phase * float64(min(window, e.target.States))))
		heap.Push(&p.due, e)
	}
	p.poke()
}

// poke makes the scheduler look again.
func (p *Poller) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// schedule moves targets that are due to their lanes until the poller is stopped.
func (p *Poller) schedule() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(p.takeDue(time.Now()))
		select {
		case <-p.ctx.Done():
			return
		case <-timer.C:
		case <-p.wake:
		}
	}
}

// takeDue starts what is due and returns how long nothing else will be.
func (p *Poller) takeDue(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.due) > 0 && !p.due[0].due.After(now) {
		p.enqueue(heap.Pop(&p.due).(*entry))
	}
	p.dispatch()
	if len(p.due) == 0 {
		return time.Hour
	}
	return p.due[0].due.Sub(now)
}

// enqueue puts a target that is due in line: for its tokens, then for a worker.
func (p *Poller) enqueue(e *entry) {
	p.waiting++
	e.queued = true
	if e.acquire() {
		p.makeReady(e)
	}
}

func (p *Poller) makeReady(e *entry) {
	q := &p.ready[e.queue()]
	*q = append(*q, e)
}

// dispatch gives workers to what is ready. Those that failed last time have at most half of them.
func (p *Poller) dispatch() {
	for p.running < p.o.Workers {
		q := 0
		if len(p.ready[0]) == 0 {
			q = 1
			if len(p.ready[1]) == 0 || p.sick >= max(1, p.o.Workers/2) {
				return
			}
		}
		e := p.ready[q][0]
		p.ready[q][0] = nil
		p.ready[q] = p.ready[q][1:]
		p.waiting--
		p.running++
		p.sick += q
		e.queued, e.sick = false, q == 1
		p.wg.Go(func() { p.converse(e) })
	}
}

// release gives the tokens of an ended conversation to the next in line.
func (p *Poller) release(e *entry) {
	e.giveBack(p.makeReady)
	p.dispatch()
}

// freeWorker gives a worker back.
func (p *Poller) freeWorker(e *entry) {
	p.running--
	if e.sick {
		p.sick--
	}
	e.sick = false
}

// Stop ends all polls and listeners, waits for them and closes the sessions; where ctx is done first it returns ctx's
// error and leaves the rest to end by itself.
func (p *Poller) Stop(ctx context.Context) error {
	p.mu.Lock()
	p.stopped = true
	p.cancel()
	for _, e := range p.entries {
		p.remove(e)
	}
	p.entries, p.byDevice = map[key]*entry{}, nil
	p.dispatch()
	p.mu.Unlock()
	done := make(chan struct{})
	go func() {
		p.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop polling: %w", ctx.Err())
	}
}
