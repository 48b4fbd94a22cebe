// Package app wires the rooms into the daemon: targets are polled, what they say is kept and judged, what is to be told
// is written to the ledger and sent, and what is known is served.
//
//	a, err := app.New(app.Options{Config: cfg})
//	err = a.Start(ctx)
//	...
//	err = a.Stop(ctx)
//
// The route (docs/design.md, 3) is one chain of tasks: the poller hands snapshots to the judge, one goroutine that owns
// state, engine and incidents; the judge appends to the ledger and shows a new picture; the outbox sends what the ledger
// says; the keeper writes down what must survive a restart. Whoever asks (page, metrics, API) reads the last picture.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/bgp"
	"github.com/sparewatch/sparewatch/collectors/redfish"
	"github.com/sparewatch/sparewatch/pkg/bus"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/poll"
)

// Options are what an App is made of. Config is required.
type Options struct {
	Config     *config.Config
	Collectors map[string]collectors.Collector // by URL scheme; nil: those of the program, with the profiles of Config
	Version    string
	Log        *slog.Logger     // nil: silent
	Now        func() time.Time // nil: time.Now
	// Hold is how long an incident whose findings are gone waits for them to come back. 0: as Config says, or two intervals
	// of states.
	Hold time.Duration
	// Settle is how long the engine waits for devices that were not read yet. 0: its default.
	Settle time.Duration
}

// App is the daemon. New, Start and Stop are called once each, in turn.
type App struct {
	o       Options
	log     *slog.Logger
	now     func() time.Time
	config  atomic.Pointer[config.Config] // the present one
	picture atomic.Pointer[picture]
	exports atomic.Pointer[[]*exporter]
	traps   *traps // nil: none are heard

	listener  net.Listener
	pushed    *redfish.Receiver // of events that Redfish services push; nil where the configuration has no events
	bus       *bus.Bus
	keeper    *keeper
	poller    *poll.Poller
	judge     *judge
	desk      *desk
	hub       *bgp.Hub    // nil: the configuration hears no BGP
	hearing   atomic.Bool // the hub was started
	exporters []*exporter // of the configuration that New was given
	encrypted bool        // the page is served over TLS
	tasks     tasks
	undo      []func(context.Context) error // what Start did, in order
	reload    sync.Mutex                    // one at a time
}

// New builds everything that a configuration asks for, without starting anything: its errors are the configuration's.
func New(o Options) (*App, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Collectors == nil {
		all, err := Collectors(o.Config.Profiles)
		if err != nil {
			return nil, err
		}
		o.Collectors = all
	}
	a := &App{o: o, log: o.Log, now: o.Now, tasks: tasks{log: o.Log, failed: make(chan error, 1)}}
	a.config.Store(o.Config)
	a.keeper = newKeeper(o.Log)
	a.keeper.stuck, a.keeper.giveUp = a.isStuck, a.giveUp
	a.judge, a.desk = newJudge(a), newDesk()
	a.poller = poll.New(poll.Options{
		Collectors: a.withPush(o.Collectors),
		Out:        a.judge.hand,
		Workers:    o.Config.Poll.Workers,
		Limit:      o.Config.Poll.Limit,
		Log:        o.Log,
	})
	if err := a.poller.Set(targets(o.Config)); err != nil {
		return nil, err
	}
	if err := a.judge.build(o.Config); err != nil {
		return nil, err
	}
	var err error
	if a.encrypted, err = checkWeb(o.Config.Web.TLSConfig); err != nil {
		return nil, err
	}
	if a.exporters, err = a.newExporters(o.Config); err != nil {
		return nil, err
	}
	if a.traps, err = newTraps(a, o.Config); err != nil {
		return nil, err
	}
	if a.hub, err = a.newHub(o.Config); err != nil {
		return nil, err
	}
	a.picture.Store(&picture{site: o.Config.Site, version: o.Version, at: o.Now()})
	return a, nil
}

// targets are what the configuration has polled.
func targets(c *config.Config) []poll.Target {
	var list []poll.Target
	for _, d := range c.Devices {
		for _, t := range d.Targets {
			if polled(t) {
				list = append(list, poll.Target{Target: t, States: d.States, Inventory: d.Inventory})
			}
		}
	}
	return list
}

// Start opens the state, remembers what was known, and begins to work. Where it fails it has undone what it did.
func (a *App) Start(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
		}
	}()
	if err := a.listen(); err != nil {
		return err
	}
	if err := a.openState(ctx); err != nil {
		return err
	}
	a.start(ctx, "keeper", a.keeper.run)
	a.start(ctx, "judge", a.judge.run)
	if err := a.openExporters(ctx, a.exporters); err != nil {
		return err
	}
	a.undo = append(a.undo, a.closeExporters)
	a.start(ctx, "server", a.serve)
	if err := a.openEvents(ctx); err != nil {
		return err
	}
	a.poller.Start()
	a.undo = append(a.undo, a.poller.Stop)
	if err := a.startTraps(ctx); err != nil {
		return err
	}
	if err := a.openHub(ctx); err != nil {
		return err
	}
	a.log.Info("sparewatch watches", "site", a.o.Config.Site, "devices", len(a.o.Config.Devices), "page", a.URL(), "state", a.o.Config.State.Dir)
	return nil
}

// openState opens the bus and gives the judge what is in it.
func (a *App) openState(ctx context.Context) error {
	b, err := bus.Open(ctx, bus.Options{Dir: a.o.Config.State.Dir, Log: a.log})
	if err != nil {
		return err
	}
	a.bus = b
	a.undo = append(a.undo, b.Close)
	a.keeper.seen, a.keeper.last = b.Seen(), b.Last()
	if err := a.judge.restore(ctx, b); err != nil {
		return err
	}
	a.start(ctx, "marker", a.judge.ledger.run)
	a.undo = append(a.undo, a.judge.closeOutbox)
	if h := a.judge.marked; h.Seq > 0 {
		a.start(ctx, "check of the ledger", func(ctx context.Context) error { return a.judge.ledger.check(ctx, h) })
	}
	return nil
}

// start runs a task and notes to end it.
func (a *App) start(ctx context.Context, name string, run func(context.Context) error) {
	a.undo = append(a.undo, a.tasks.start(ctx, name, run))
}

// Stop undoes what Start did, in reverse: first nobody is asked any more, last the state is closed. It goes on where
// one step fails, and returns all errors.
func (a *App) Stop(ctx context.Context) error {
	var errs []error
	for i := len(a.undo) - 1; i >= 0; i-- {
		errs = append(errs, a.undo[i](ctx))
	}
	a.undo = nil
	return errors.Join(errs...)
}

// Failed gives the error of a task that ended by itself: the daemon cannot go on.
func (a *App) Failed() <-chan error { return a.tasks.failed }

// URL is where the status page is.
func (a *App) URL() string {
	w := a.config.Load().Web
	if w.URL != "" && !strings.HasSuffix(w.URL, "://"+w.Listen) {
		return strings.TrimRight(w.URL, "/")
	}
	scheme := "http"
	if a.encrypted {
		scheme = "https"
	}
	return scheme + "://" + a.listener.Addr().String() // the port may have been any free one
}

// ReloadFailed notes that a configuration could not be loaded, so that the metrics say it. The present one stays.
func (a *App) ReloadFailed() { a.judge.loaded.Store(false) }

// Reload puts another configuration in the place of the present one. Everything new is built first; where that fails
// nothing has changed. What the daemon knows, and what is open, stays.
func (a *App) Reload(ctx context.Context, c *config.Config) error {
	a.reload.Lock()
	defer a.reload.Unlock()
	now := a.config.Load()
	switch {
	case c.Site != now.Site:
		return fmt.Errorf("the site's name cannot change from %s to %s while the daemon runs: restart it", now.Site, c.Site)
	case c.State.Dir != now.State.Dir:
		return errors.New("the folder of the state cannot change while the daemon runs: restart it")
	case c.Profiles != now.Profiles:
		return errors.New("the folder of the profiles cannot change while the daemon runs: restart it")
	case c.Web.Listen != now.Web.Listen || c.Web.TLSConfig != now.Web.TLSConfig:
		return errors.New("the address of the page cannot change while the daemon runs: restart it")
	case !sameEvents(c.Events, now.Events):
		return errors.New("where events are heard cannot change while the daemon runs: restart it")
	case !slices.Equal(c.Traps.Listen, now.Traps.Listen) || !slices.Equal(c.Traps.Engine, now.Traps.Engine):
		return errors.New("where traps are heard, and the engine's id, cannot change while the daemon runs: restart it")
	}
	if err := a.hubAccepts(c); err != nil {
		return err
	}
	exporters, err := a.newExporters(c)
	if err != nil {
		return err
	}
	if err := a.judge.do(ctx, func(j *judge) error { return j.rebuild(ctx, c) }); err != nil {
		return err
	}
	a.config.Store(c)
	if err := a.reloadTraps(c); err != nil {
		return err
	}
	a.reloadHub(ctx, c)
	err = errors.Join(a.closeExporters(ctx), a.openExporters(ctx, exporters))
	if err != nil {
		a.log.Error("some numbers are no longer exported: restart the daemon", "error", err)
	}
	a.log.Info("the configuration was loaded anew", "devices", len(c.Devices), "services", len(c.Model.Services))
	return nil
}
