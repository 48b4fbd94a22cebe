package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/export/prom"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/web"
)

// picture is what is known at one moment. It is not changed once it is shown.
type picture struct {
	site, version string
	at            time.Time
	report        *engine.Report // nil: nothing was judged yet
	incidents     []incident.Incident
	devices       []*state.Device
	daemon        prom.Daemon
	broken        error // why the ledger cannot be written
}

// statsEvery is how often the poller is asked how it does: it looks at every target for that.
const statsEvery = 10 * time.Second

// show makes the picture of now the one that everybody sees.
func (j *judge) show(now time.Time) {
	p := &picture{site: j.config.Site, version: j.app.o.Version, at: now, report: j.report, incidents: j.fold.Open(), devices: j.store.Views(), broken: j.failing}
	if now.Sub(j.lateAt) >= statsEvery {
		j.late, j.lateAt = j.app.poller.Stats().Late, now
	}
	p.daemon = prom.Daemon{
		Version: j.app.o.Version, Polls: j.polls, PollsFailed: j.failed, LastFailed: j.lastFailed, LastFailedAt: j.lastFailedAt, PollsLate: j.late,
		Evaluations: j.evaluations, Evaluating: j.evaluating, LedgerEntries: j.head,
		Pushed: j.app.pushStats(), BGP: j.app.hubStats(), Incidents: map[finding.Severity]int{}, Loaded: j.loadedAt, LoadedOK: j.loaded.Load(),
	}
	for _, i := range p.incidents {
		p.daemon.Incidents[i.Severity]++
	}
	for _, s := range j.outbox.Status() {
		p.daemon.Receivers = append(p.daemon.Receivers, prom.Receiver{Name: s.Receiver, Pending: s.Pending, Delivered: s.Delivered, Refused: s.Refused, Failures: s.Failures})
	}
	p.daemon.Traps = j.app.traps.numbers()
	p.daemon.Exports = j.app.exportStatus()
	j.app.picture.Store(p)
}

// Status is the picture for the API.
func (a *App) Status() *api.Status {
	p := a.picture.Load()
	s := &api.Status{Site: p.site, Version: p.version, Now: a.now(), Incidents: append([]incident.Incident{}, p.incidents...), Targets: api.Targets(p.devices)}
	if p.report != nil {
		s.Report = *p.report
	}
	return s
}

func (a *App) page() web.View {
	p := a.picture.Load()
	return web.View{Site: p.site, Version: p.version, Now: a.now(), Report: p.report, Incidents: p.incidents, Devices: p.devices}
}

func (a *App) metrics() prom.View {
	p := a.picture.Load()
	return prom.View{Report: p.report, Devices: p.devices, Daemon: p.daemon}
}

// stuck is how old a picture may be before the daemon counts as ill: the judge makes one each second.
const stuck = 30 * time.Second

// ErrStuck says that the judge has not judged for so long that it may never again.
var ErrStuck = errors.New("nothing was judged")

// Healthy says why the daemon does not do its work; nil when it does. Where it wraps ErrStuck, only a restart may help.
func (a *App) Healthy() error {
	p := a.picture.Load()
	if age := a.now().Sub(p.at); age > stuck {
		return fmt.Errorf("%w for %s", ErrStuck, age.Round(time.Second))
	}
	if p.broken != nil {
		return fmt.Errorf("the ledger cannot be written: %w", p.broken)
	}
	if err := a.judge.ledger.damage(); err != nil {
		return fmt.Errorf("the ledger is not what was written: %w", err)
	}
	return nil
}

func (a *App) ready() error {
	p := a.picture.Load()
	read := 0
	for _, d := range p.devices {
		if d.Read {
			read++
		}
	}
	if p.report == nil || !p.report.Settled {
		return fmt.Errorf("%d of %d devices were read since the start", read, len(p.devices))
	}
	return nil
}

// judgeTime is how long one question may hold up the judge.
const judgeTime = 5 * time.Second

// Simulate asks the engine what would be lost if these failed now.
func (a *App) Simulate(ctx context.Context, fail []string) (*engine.Simulation, error) {
	return ask(ctx, a.judge, func(j *judge) (*engine.Simulation, error) {
		ids, err := j.resolve(fail)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, judgeTime)
		defer cancel()
		return j.engine.SimulateContext(ctx, ids)
	})
}

// Gate asks the engine whether these may be taken down now.
func (a *App) Gate(ctx context.Context, fail []string, strict bool) (*engine.Gate, error) {
	if p := a.picture.Load(); p.report == nil {
		return nil, errors.New("nothing was judged yet")
	}
	return ask(ctx, a.judge, func(j *judge) (*engine.Gate, error) {
		ids, err := j.resolve(fail)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, judgeTime)
		defer cancel()
		return j.engine.GateContext(ctx, ids, strict)
	})
}
