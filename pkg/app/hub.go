package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/sparewatch/sparewatch/collectors"
	edge "github.com/sparewatch/sparewatch/collectors/bgp"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/export/prom"
)

// polled reports whether somebody has to ask the target: routers tell the hub by themselves.
func polled(t collectors.Target) bool {
	u, err := url.Parse(t.URL)
	return err != nil || !hears(u.Scheme)
}

func hears(scheme string) bool { return slices.Contains(edge.Schemes(), scheme) }

// newHub makes what hears the routers' BGP, where the configuration asks for it.
func (a *App) newHub(c *config.Config) (*edge.Hub, error) {
	if c.BGP == nil {
		return nil, nil
	}
	return edge.New(a.hubOptions(c))
}

func (a *App) hubOptions(c *config.Config) edge.Options {
	o := *c.BGP
	o.Out, o.Keep, o.Log, o.Now = a.judge.hand, a.keeper.putPaths, a.log, a.now
	mains := map[string]component.ID{}
	for _, d := range c.Devices {
		if slices.ContainsFunc(d.Targets, polled) { // that collector knows what the device is
			mains[d.Name] = component.NewID(d.Name, cmp.Or(d.Kind, component.Router), "1")
		}
	}
	o.Main = func(router string) component.ID { return mains[router] }
	return o
}

// hubStats is how routers' BGP is heard; nil where it is not, or not yet.
func (a *App) hubStats() *prom.BGP {
	if a.hub == nil || !a.hearing.Load() {
		return nil
	}
	size := a.hub.Size()
	b := &prom.BGP{Sessions: size.Sessions, Paths: size.Paths, Bytes: size.Bytes}
	add := func(over string, l edge.Load, ok bool) {
		if ok {
			b.Edges = append(b.Edges, prom.BGPEdge{Over: over, Configured: l.Configured, Connected: l.Connected, Connections: l.Counts.Connections,
				Messages: l.Counts.Messages, Octets: l.Counts.Octets, Wrong: l.Counts.Wrong(), Behind: l.Counts.Behind})
		}
	}
	station, ok := a.hub.Station()
	add("bmp", station, ok)
	speaker, ok := a.hub.Speaker()
	add("bgp", speaker, ok)
	return b
}

// openHub gives the hub what was known before the start, and begins to hear.
func (a *App) openHub(ctx context.Context) error {
	if a.hub == nil {
		return nil
	}
	a.hub.Restore(a.judge.remembered)
	a.judge.remembered = nil
	if err := a.hub.Start(ctx); err != nil {
		return err
	}
	a.undo = append(a.undo, func(ctx context.Context) error {
		if err := a.hub.Stop(ctx); err != nil {
			return fmt.Errorf("stop hearing BGP: %w", err)
		}
		return nil
	})
	a.hearing.Store(true)
	return nil
}

// hubAccepts reports whether a reload's configuration can be taken.
func (a *App) hubAccepts(c *config.Config) error {
	switch {
	case (a.hub == nil) != (c.BGP == nil):
		return errors.New("the section bgp cannot come or go while the daemon runs: restart it")
	case a.hub == nil:
		return nil
	}
	return a.hub.Accepts(a.hubOptions(c))
}

// reloadHub gives the hub what a new configuration asks for; hubAccepts was asked before.
func (a *App) reloadHub(ctx context.Context, c *config.Config) {
	if a.hub == nil {
		return
	}
	if err := a.hub.Reconfigure(ctx, a.hubOptions(c)); err != nil {
		a.log.Error("not everything of the section bgp could be taken in", "error", err)
	}
}
