// Package bgp hears what routers say of their BGP sessions and paths, and tells it on as snapshots.
//
// Three edges feed one table (package paths): a BMP station (station.go) to which routers connect; a speaker that peers
// with them, takes every path and announces nothing whatever happens (speaker.go, peering.go); and gobgpd's
// gRPC API (api.go). Other than the collectors that are polled, a Hub is told: it hands out a snapshot of a router the
// moment that something changes, and all of them once an interval.
//
//	hub, err := bgp.New(bgp.Options{Station: ..., Speaker: ..., Out: judge})
//	err = hub.Start(ctx)
//	...
//	err = hub.Stop(ctx)
//
// Collector (inspect.go) is the same for one router and one look, for `sparewatch inspect`.
package bgp

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/paths"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// DefaultDevice is the device that the watched sets belong to: its groups are "bgp/group/NAME".
const DefaultDevice = "bgp"

// WatchURL is the target of the device that the watched sets belong to: nothing is dialled there.
const WatchURL = "bgp://watch"

// Options say who is heard, and who is told.
type Options struct {
	Paths   paths.Options
	Station *StationOptions // nil: no BMP
	Speaker *SpeakerOptions // nil: no BGP sessions of our own
	APIs    []API           // gobgpd
	// Main gives the id of a router's main component where another collector reports it; "" or nil: <router>/router/1.
	Main func(router string) component.ID
	// Out receives snapshots, one after the other. A slow Out holds up what is heard.
	Out func(*snapshot.Snapshot)
	// Keep is given what must not be forgotten when the program ends, for Restore: each piece when it changed, an empty one
	// when it is no longer needed, soon after, and once more while the hub stops. It must not wait. nil: nothing is kept.
	Keep func(paths.Memory)
	// Interval is how often every router's snapshot is handed out though nothing changed. 0: 15 s.
	Interval time.Duration
	Log      *slog.Logger     // nil: silent
	Now      func() time.Time // nil: time.Now
}

// Hub owns the table of sessions and paths, and the edges that feed it. Start and Stop are called once each.
type Hub struct {
	log *slog.Logger
	now func() time.Time

	wake chan struct{} // something changed; holds one
	said *said

	mu      sync.Mutex
	o       Options
	table   *paths.Table
	gone    []paths.Memory   // pieces to forget
	changed map[string]bool  // devices whose snapshots are to be handed out soon
	edges   map[string]*edge // by device
	station *station
	speaker *speaker
	clients map[string]*client // gobgpd, by device

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// edge is how one router is heard. Fields belong to Hub.mu.
type edge struct {
	device, url string
	collector   string // "bmp", "bgp", "gobgp"
	heard       bool   // since the start
	alive       bool   // it is connected, or answers
	why         string // why it is not
	hint        string
	class       snapshot.Class
	since       time.Time // of alive
	wrong       []snapshot.Error
}

// New makes a hub that is not started. Its error is the options'.
func New(o Options) (*Hub, error) {
	o = o.withDefaults()
	h := &Hub{log: o.Log, now: o.Now, o: o, wake: make(chan struct{}, 1), said: newSaid(o.Log), changed: map[string]bool{}, edges: map[string]*edge{}, clients: map[string]*client{}}
	if err := o.check(); err != nil {
		return nil, err
	}
	h.table = paths.New(o.Paths)
	h.layEdges()
	return h, nil
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Interval <= 0 {
		o.Interval = 15 * time.Second
	}
	if o.Paths.Device == "" {
		o.Paths.Device = DefaultDevice
	}
	return o
}

func (o Options) check() error {
	var errs []error
	if o.Speaker != nil {
		errs = append(errs, o.Speaker.check())
	}
	return errors.Join(errs...)
}

// Target is one router that a hub hears, as the state's store wants to know it.
type Target struct{ Device, URL string }

// Targets are all that snapshots come from, the device of the watched sets first.
func (o Options) Targets() []Target {
	o = o.withDefaults()
	list := []Target{{o.Paths.Device, WatchURL}}
	if o.Station != nil {
		for _, r := range o.Station.Routers {
			list = append(list, Target{r.Device, r.URL()})
		}
	}
	if o.Speaker != nil {
		for _, n := range o.Speaker.Neighbours {
			list = append(list, Target{n.Device, n.URL()})
		}
	}
	for _, a := range o.APIs {
		list = append(list, Target{a.Device, a.URL})
	}
	return list
}

// layEdges makes an edge for each router that is configured, and drops those that no longer are.
func (h *Hub) layEdges() {
	old := h.edges
	h.edges = map[string]*edge{}
	for _, t := range h.o.Targets()[1:] {
		if e := old[t.Device]; e != nil && e.url == t.URL {
			h.edges[t.Device] = e
			continue
		}
		e := &edge{device: t.Device, url: t.URL, class: snapshot.ClassUnreachable}
		switch {
		case h.o.Station != nil && h.o.Station.byDevice(t.Device) != nil:
			e.collector, e.why = "bmp", "it has not connected to the BMP station yet"
			e.hint = "let the router send BMP to " + h.o.Station.Listen
		case h.o.Speaker != nil && h.o.Speaker.byDevice(t.Device) != nil:
			e.collector, e.why = "bgp", "the BGP session was not established yet"
			e.hint = "let the router peer with " + h.o.Speaker.Listen
		default:
			e.collector, e.why, e.hint = "gobgp", "it was not asked yet", ""
		}
		h.edges[t.Device] = e
	}
	for device := range old {
		if h.edges[device] == nil {
			h.table.Forget(device)
		}
	}
}

// Restore takes in what an earlier hub gave to Keep. Call it before Start.
func (h *Hub) Restore(pieces []paths.Memory) {
	var still []paths.Memory
	for _, m := range pieces {
		if len(m.Sessions) > 0 && h.edges[m.Sessions[0].Router] == nil && (h.o.Station == nil || !h.o.Station.Strangers) {
			h.gone = append(h.gone, paths.Memory{ID: m.ID}) // its router is no longer configured
			continue
		}
		still = append(still, m)
	}
	h.table.Restore(still)
}

// Start opens the listeners and begins to hear.
func (h *Hub) Start(ctx context.Context) (err error) {
	ctx, h.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			_ = h.Stop(context.WithoutCancel(ctx))
		}
	}()
	if h.o.Station != nil {
		if h.station, err = h.openStation(*h.o.Station); err != nil {
			return err
		}
	}
	if h.o.Speaker != nil {
		if h.speaker, err = h.openSpeaker(ctx, *h.o.Speaker); err != nil {
			return err
		}
	}
	h.mu.Lock()
	h.openClients(ctx)
	h.mu.Unlock()
	h.done.Go(func() { h.run(ctx) })
	return nil
}

// Stop ends everything and waits for it.
func (h *Hub) Stop(ctx context.Context) error {
	if h.cancel != nil {
		h.cancel()
	}
	if h.station != nil {
		h.station.close()
	}
	if h.speaker != nil {
		h.speaker.close()
	}
	h.mu.Lock()
	for _, c := range h.clients {
		c.stop()
	}
	h.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		h.done.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		h.keep()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Reconfigure puts other routers, neighbours and sets in the place of the present ones. Addresses to listen on and the
// speaker's own AS cannot change; what is connected and still configured stays.
func (h *Hub) Reconfigure(ctx context.Context, o Options) error {
	o = o.withDefaults()
	if err := h.Accepts(o); err != nil {
		return err
	}
	h.mu.Lock()
	was := h.o
	o.Out, o.Keep = was.Out, was.Keep
	h.o = o
	h.table.Reconfigure(o.Paths)
	h.layEdges()
	h.openClients(ctx)
	h.mu.Unlock()
	if h.station != nil {
		h.station.reconfigure(*o.Station)
	}
	var err error
	if h.speaker != nil {
		err = h.speaker.reconfigure(ctx, *o.Speaker)
	}
	h.mark(slices.Collect(maps.Keys(h.edges))...)
	return err
}

// Accepts reports whether Reconfigure would take these options.
func (h *Hub) Accepts(o Options) error {
	if err := o.withDefaults().check(); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	fixed := func(what string) error {
		return errors.New("bgp: " + what + " cannot change while the daemon runs: restart it")
	}
	was := h.o
	if (was.Station == nil) != (o.Station == nil) || was.Station != nil && was.Station.Listen != o.Station.Listen {
		return fixed("the address of the BMP station")
	}
	if (was.Speaker == nil) != (o.Speaker == nil) || was.Speaker != nil && !was.Speaker.sameServer(o.Speaker) {
		return fixed("the speaker's AS, router id and address")
	}
	return nil
}

const (
	// look is how long changes are gathered before snapshots are made of them.
	look = 50 * time.Millisecond
	// keepEvery is how long what is to be kept may wait.
	keepEvery = 5 * time.Second
)

// run hands out snapshots: of what changed, soon; of everything, once an interval.
func (h *Hub) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var last, kept time.Time
	for {
		all := false
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
			select {
			case <-ctx.Done():
				return
			case <-time.After(look):
			}
		case <-tick.C:
			h.mu.Lock()
			h.table.Tick(h.now())
			h.gather()
			h.mu.Unlock()
			all = time.Since(last) >= h.o.Interval
			if time.Since(kept) >= keepEvery {
				kept = time.Now()
				h.keep()
			}
		}
		if all {
			last = time.Now()
			if h.speaker != nil {
				h.speaker.refreshAll()
			}
		}
		for _, sn := range h.snapshots(all) {
			if ctx.Err() != nil {
				return
			}
			h.o.Out(sn)
		}
		h.renew()
	}
}

// renew has the routers tell everything anew of which the table asks that.
func (h *Hub) renew() {
	h.mu.Lock()
	routers := h.table.Anew()
	h.mu.Unlock()
	if h.station == nil {
		return
	}
	for _, device := range routers {
		h.station.renew(device)
	}
}

// keep hands on what must not be forgotten and changed.
func (h *Hub) keep() {
	h.mu.Lock()
	give := h.o.Keep
	if give == nil {
		h.mu.Unlock()
		return
	}
	pieces := append(h.gone, h.table.Remember(h.now())...)
	h.gone = nil
	h.mu.Unlock()
	for _, m := range pieces {
		give(m)
	}
}

// mark has the snapshots of these devices handed out soon.
func (h *Hub) mark(devices ...string) {
	h.mu.Lock()
	for _, d := range devices {
		h.changed[d] = true
	}
	h.mu.Unlock()
	h.poke()
}

func (h *Hub) poke() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// gather takes from the table what changed. The caller holds mu, and pokes where it returns true.
func (h *Hub) gather() bool {
	events := h.table.Changed()
	for _, e := range events {
		switch e.Kind {
		case paths.SetChanged:
			h.changed[h.o.Paths.Device] = true
		default:
			h.changed[e.Key.Router] = true
			h.changed[h.o.Paths.Device] = true
		}
	}
	return len(events) > 0
}

// feed gives the table something, and tells on what changed by that.
func (h *Hub) feed(do func(t *paths.Table, now time.Time)) {
	h.mu.Lock()
	do(h.table, h.now())
	changed := h.gather()
	h.mu.Unlock()
	if changed {
		h.poke()
	}
}

// snapshots are those of the devices that changed, or of all.
func (h *Hub) snapshots(all bool) []*snapshot.Snapshot {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !all && len(h.changed) == 0 {
		return nil
	}
	now := h.now()
	wanted := h.changed
	h.changed = map[string]bool{}
	made := map[string]*snapshot.Snapshot{}
	view := h.table.View(now)
	view.Main = h.o.Main
	for _, sn := range view.Snapshots(h.url) {
		made[sn.Device.Name] = sn
	}
	var list []*snapshot.Snapshot
	if sn := made[h.o.Paths.Device]; sn != nil && (all || wanted[h.o.Paths.Device]) {
		list = append(list, sn)
	}
	for _, device := range slices.Sorted(maps.Keys(h.edges)) {
		if all || wanted[device] {
			list = append(list, h.edges[device].snapshot(made[device], now))
		}
	}
	return list
}

// url is the target of a router; the device of the watched sets is "".
func (h *Hub) url(router string) string {
	if router == "" {
		return WatchURL
	}
	if e := h.edges[router]; e != nil {
		return e.url
	}
	return "bmp://" + router
}

// snapshot is what the table says of the router, with how it is heard: a router that is not connected answers not.
func (e *edge) snapshot(sn *snapshot.Snapshot, now time.Time) *snapshot.Snapshot {
	if sn == nil {
		sn = &snapshot.Snapshot{Device: snapshot.Device{Name: e.device}}
	}
	sn.Target, sn.Collector, sn.At = e.url, e.collector, now
	sn.Reachable = e.alive
	if !e.alive {
		sn.Components, sn.Claims, sn.Links = nil, nil, nil
		sn.Errors = []snapshot.Error{{At: e.url, Error: e.why, Hint: e.hint, Class: e.class}}
	}
	sn.Errors = append(sn.Errors, e.wrong...)
	return sn
}

// up notes that a router is heard now.
func (h *Hub) up(device string) {
	h.mu.Lock()
	if e := h.edges[device]; e != nil && !e.alive {
		e.alive, e.heard, e.since, e.why, e.wrong = true, true, h.now(), "", nil
		h.changed[device] = true
	}
	h.mu.Unlock()
	h.poke()
}

// amiss notes what keeps the session of a device that is an upstream from coming up; "": nothing does.
func (h *Hub) amiss(device, what, hint string) {
	h.mu.Lock()
	if e := h.edges[device]; e != nil {
		e.wrong = nil
		if what != "" {
			e.wrong = []snapshot.Error{{At: e.url, Error: what, Hint: hint, Class: snapshot.ClassPartial}}
		}
		h.changed[device] = true
	}
	h.mu.Unlock()
	h.poke()
}

// down notes that a router is heard no more: what it said is unknown from now on, not bad.
func (h *Hub) down(device, why, hint string, class snapshot.Class) {
	h.mu.Lock()
	if e := h.edges[device]; e != nil {
		e.alive, e.since, e.why, e.hint, e.class = false, h.now(), why, hint, class
		h.changed[device] = true
	}
	h.table.Silence(device, h.now())
	h.gather()
	h.mu.Unlock()
	h.poke()
}

// said remembers what was logged, so that the same is logged once.
type said struct {
	mu  sync.Mutex
	log *slog.Logger
	was map[string]string // by subject: the last text
}

// mostSaid bounds the subjects that are remembered: strangers may have any address.
const mostSaid = 10_000

func newSaid(log *slog.Logger) *said { return &said{log: log, was: map[string]string{}} }

// once logs a text about a subject unless it is the last that was logged of it.
func (s *said) once(level slog.Level, subject, text string, args ...any) {
	s.mu.Lock()
	again := s.was[subject] == text
	if !again {
		if len(s.was) >= mostSaid {
			clear(s.was)
		}
		s.was[subject] = text
	}
	s.mu.Unlock()
	if !again {
		s.log.Log(context.Background(), level, text, args...)
	}
}

// over forgets what was said of a subject: all is well again.
func (s *said) over(subject string) {
	s.mu.Lock()
	delete(s.was, subject)
	s.mu.Unlock()
}

// Size is what the table holds.
func (h *Hub) Size() paths.Size {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.table.Size()
}
