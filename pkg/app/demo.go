package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/term"
)

// Demo is a simulated datacenter on loopback with a daemon that watches it, while a script of faults runs.
type Demo struct {
	Out     *term.Printer
	Listen  string  // of the page; where it is taken, any free port of loopback
	Speed   float64 // how many times faster than written the script runs; 0: 1
	Once    bool    // end with the script
	Version string
	Program string // as it was called, for the commands that it shows; empty: sparewatch
	Log     *slog.Logger

	dc    *lab.Datacenter
	app   *App
	shown *api.Status // the last that was printed
	seen  int         // expectations that came true
	of    int
}

// ErrUnseen says that the daemon did not find something that the script did.
var ErrUnseen = errors.New("the daemon did not see everything that happened")

// Times of the demo, as it is written in the script.
const (
	demoPatience = 30 * time.Second        // for a fault to be seen; it comes within a poll, or with ten seconds of asking
	demoRebuild  = 20 * time.Second        // until a mirror has filled a new drive
	demoQuiet    = 1500 * time.Millisecond // what is shown has stood this long: more than a poll's interval
	demoLook     = 50 * time.Millisecond
)

// Run plays the demo until ctx is done, or to the end of the script. Its error is ErrUnseen where, with Once, the
// daemon missed something.
func (d *Demo) Run(ctx context.Context) (err error) {
	folder, err := os.MkdirTemp("", "sparewatch-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	whole := context.WithoutCancel(ctx) // what was started is stopped in order
	if d.Speed <= 0 {
		d.Speed = 1
	}
	if d.dc, err = lab.Start(whole, lab.Options{Rebuild: time.Duration(float64(demoRebuild) / d.Speed), Routers: true}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.dc.Close()) }()
	if err := d.start(whole, folder); err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(whole, closeTimeout+demoPatience)
		defer cancel()
		err = errors.Join(err, d.app.Stop(end))
	}()
	d.welcome(folder)
	err = d.play(ctx)
	if err == nil && !d.Once {
		d.Out.Line("\nThe datacenter and the daemon run on; Ctrl-C ends them.")
		<-ctx.Done()
	}
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	d.farewell()
	return err
}

// start writes the configuration and starts the daemon.
func (d *Demo) start(ctx context.Context, folder string) error {
	listen := d.Listen
	if l, err := net.Listen("tcp", listen); err != nil {
		listen = "127.0.0.1:0"
	} else if err := l.Close(); err != nil {
		return err
	}
	state := filepath.Join(folder, "state")
	configs := filepath.Join(folder, "config")
	if err := os.Mkdir(configs, 0o700); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"lab.yaml":    d.dc.Config(),
		"daemon.yaml": fmt.Sprintf("web: {listen: %q}\nstate: {dir: %q}\ntraps: {listen: \"127.0.0.1:0\"}\n", listen, state),
	} {
		if err := os.WriteFile(filepath.Join(configs, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	all, err := Collectors()
	if err != nil {
		return err
	}
	cfg, err := config.LoadWith(configs, config.Options{Schemes: Schemes(all)})
	if err != nil {
		return err
	}
	d.app, err = New(Options{Config: cfg, Collectors: all, Version: d.Version, Log: d.Log})
	if err != nil {
		return err
	}
	if err := d.app.Start(ctx); err != nil {
		return err
	}
	d.dc.TrapsTo(d.app.TrapAddrs()[0])
	return nil
}

func (d *Demo) welcome(folder string) {
	program := cmp.Or(d.Program, "sparewatch")
	d.Out.Line("A simulated datacenter: %s on loopback, and the daemon that watches them.", d.speakers())
	d.Out.Line("  page           %s/", d.app.URL())
	d.Out.Line("  metrics        %s/metrics", d.app.URL())
	d.Out.Line("  status         %s status --url %s", program, d.app.URL())
	d.Out.Line("  what if        %s simulate --url %s feed-a", program, d.app.URL())
	d.Out.Line("  one device     %s inspect %s", program, d.dc.URL("pdu-r12-a"))
	d.Out.Line("  traps          heard on %s: what breaks is found when its device says so, and not at its next turn", d.app.TrapAddrs()[0])
	d.Out.Line("  configuration  %s", filepath.Join(folder, "config"))
}

// speakers says who is there, and what they speak.
func (d *Demo) speakers() string {
	text := fmt.Sprintf("%d devices that speak Redfish and SNMP", len(d.dc.Devices()))
	if n := d.dc.Routers(); n > 0 {
		text += fmt.Sprintf(" and %d routers that send BMP", n)
	}
	return text
}

// farewell says where to look next.
func (d *Demo) farewell() {
	program := cmp.Or(d.Program, "sparewatch")
	d.Out.Line("\nNext: `%s inspect redfish://HOST` or `snmp://HOST` on a device of yours; then a configuration of your own:", program)
	d.Out.Line("configs/sparewatch.yaml shows every key, `%[1]s check --config FILE` finds its mistakes, `%[1]s run --config FILE` watches.", program)
}

// play runs the script.
func (d *Demo) play(ctx context.Context) error {
	steps := d.dc.Script()
	began := time.Now()
	first := d.wait(ctx, func(s *api.Status) bool { return s.Settled && len(s.Groups) > 0 })
	if first == nil {
		return cmp.Or(ctx.Err(), errors.New("the devices were not read"))
	}
	d.Out.Heading("Services: how many more failures each survives")
	d.Out.Services(first.Services)
	d.shown = first
	for i, step := range steps {
		if step.Do == nil && i == 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(began.Add(time.Duration(float64(step.At) / d.Speed)))):
		}
		d.meanwhile()
		if err := d.step(ctx, step, fault(steps, i)); err != nil {
			return err
		}
	}
	if d.Once && d.seen < d.of {
		d.Out.Line("\n%d of %d faults and repairs were seen.", d.seen, d.of)
		return ErrUnseen
	}
	d.Out.Line("\nAll %d faults and repairs were seen.", d.of)
	return nil
}

// what a step does to what it is about.
type what uint8

const (
	nothing what = iota // that could be seen
	breaks
	repairs
)

// fault says what step i does: the script breaks a thing, and undoes that in the next step about it.
func fault(steps []lab.Step, i int) what {
	if steps[i].About == "" {
		return nothing
	}
	before, after := false, false
	for k, s := range steps {
		if s.About == steps[i].About && k < i {
			before = !before
		} else if s.About == steps[i].About && k > i {
			after = true
		}
	}
	switch {
	case before:
		return repairs
	case after:
		return breaks
	}
	return nothing
}

// meanwhile shows what the daemon has found since something was last shown: what follows only when other devices were read.
func (d *Demo) meanwhile() {
	now := d.app.Status()
	if !same(now, d.shown) {
		d.Out.Line("  and since then:")
		d.show(d.shown, now)
	}
}

// show prints what has changed, once.
func (d *Demo) show(before, after *api.Status) {
	if !d.Out.Change(before, after) {
		d.Out.Line("  no service and no group has more or fewer spares for it")
	}
	d.shown = after
}

// step does what the script says and shows what the daemon makes of it.
func (d *Demo) step(ctx context.Context, s lab.Step, w what) error {
	d.Out.Heading(s.Words)
	before := d.shown
	began := time.Now()
	if s.Do != nil {
		if err := s.Do(); err != nil {
			return err
		}
	}
	about := component.ID(s.About)
	done := func(st *api.Status) bool { return !same(st, before) }
	switch w {
	case breaks:
		d.of++
		done = func(st *api.Status) bool { return broken(st, about) }
	case repairs:
		d.of++
		done = func(st *api.Status) bool { return well(st, about) }
	case nothing:
		d.show(before, d.settle(ctx))
		return cmp.Or(ctx.Err(), d.Out.Err())
	}
	// What is seen first, and then what follows when those who know more have answered.
	shown := before
	if d.wait(ctx, func(st *api.Status) bool { return !same(st, before) }) != nil {
		d.Out.Line("  seen after %.2f s:", time.Since(began).Seconds())
		shown = d.settle(ctx)
		d.show(before, shown)
	}
	switch {
	case done(shown):
		d.seen++
	case d.wait(ctx, done) != nil:
		d.seen++
		d.Out.Line("  and after %.1f s:", time.Since(began).Seconds())
		d.show(shown, d.settle(ctx))
	case ctx.Err() == nil:
		d.Out.Line("  The daemon should have seen more: %s.", s.Expect)
	}
	return cmp.Or(ctx.Err(), d.Out.Err())
}

// wait looks again and again until ok; nil when it does not come.
func (d *Demo) wait(ctx context.Context, ok func(*api.Status) bool) *api.Status {
	end := time.Now().Add(demoPatience)
	every := time.NewTicker(demoLook)
	defer every.Stop()
	for time.Now().Before(end) {
		if s := d.app.Status(); ok(s) {
			return s
		}
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
	}
	return nil
}

// settle waits until nothing has changed for a while, so that what belongs together is shown together.
func (d *Demo) settle(ctx context.Context) *api.Status {
	last, since := d.app.Status(), time.Now()
	d.wait(ctx, func(s *api.Status) bool {
		if !same(s, last) {
			last, since = s, time.Now()
		}
		return time.Since(since) > demoQuiet
	})
	return last
}

// same reports whether two pictures say the same of groups and findings.
func same(a, b *api.Status) bool {
	return slices.EqualFunc(a.Groups, b.Groups, func(x, y *engine.Group) bool { return x.ID == y.ID && x.State == y.State }) &&
		slices.EqualFunc(a.Findings, b.Findings, func(x, y finding.Finding) bool { return x.Key == y.Key && x.Under == y.Under }) &&
		len(a.Incidents) == len(b.Incidents)
}

// broken reports whether the daemon has found that the component is: its group lost a spare, or a finding names it.
func broken(s *api.Status, about component.ID) bool {
	for _, g := range s.Groups {
		if slices.Contains(g.Members, about) {
			return g.State != engine.Full && g.State != engine.StateUnknown && opened(s)
		}
	}
	return slices.ContainsFunc(s.Findings, func(f finding.Finding) bool { return concerns(f, about) }) && opened(s)
}

// well reports whether nothing says any more that the component is broken.
func well(s *api.Status, about component.ID) bool {
	for _, g := range s.Groups {
		if slices.Contains(g.Members, about) && g.State != engine.Full {
			return false
		}
	}
	return !slices.ContainsFunc(s.Findings, func(f finding.Finding) bool { return concerns(f, about) }) &&
		!slices.ContainsFunc(s.Incidents, func(i incident.Incident) bool { return names(i.Root, about) })
}

// names reports whether the finding's key is about the component or the group that it is a member of.
func names(k finding.Key, about component.ID) bool {
	_, subject, _ := strings.Cut(string(k), ":")
	id := component.ID(subject)
	return id == about || id.Kind() == component.Group && id.Device() == about.Device() && strings.HasPrefix(id.Local(), string(about.Kind()))
}

func opened(s *api.Status) bool { return len(s.Incidents) > 0 }

// concerns reports whether the finding says of the component that it is broken. That nobody observes it is no news.
func concerns(f finding.Finding, about component.ID) bool {
	return f.Subject == about && f.Rule != finding.BlindSpot && f.Rule != finding.FalseRedundancy
}
