package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/app"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/term"
)

// daemonFlags find the daemon.
type daemonFlags struct {
	URL string `help:"Address of the daemon." env:"SPAREWATCH_URL" default:"http://127.0.0.1:9620"`
}

func (f *daemonFlags) client() api.Client { return api.Client{URL: f.URL} }

// unanswered adds to an error of the daemon what to do next.
func unanswered(err error) error {
	var gone *api.UnreachableError
	if errors.As(err, &gone) {
		return hinted(err, "start it with sparewatch run --config FILE, or say where it is with --url or SPAREWATCH_URL")
	}
	return err
}

type statusCmd struct {
	JSON bool `help:"Print one JSON object."`
	All  bool `help:"List everything, also what is fine."`
	daemonFlags
}

// Run prints how it stands.
func (c *statusCmd) Run(ctx context.Context) error {
	s, err := c.client().Status(ctx)
	if err != nil {
		return unanswered(err)
	}
	if err := show(s, c.JSON, c.All, func(p *term.Printer) { p.Status(s) }); err != nil {
		return err
	}
	return answered(term.Exit(s))
}

// named are the ids that a question is about, given with --fail or without.
func named(fail, ids []string, command string) ([]string, error) {
	all := slices.Concat(fail, ids)
	if len(all) == 0 {
		return nil, hinted(errors.New("nothing is named"), "write sparewatch "+command+" ID, as feed-a, srv-101 or srv-101/psu/1")
	}
	return all, nil
}

type simulateCmd struct {
	IDs    []string `arg:"" optional:"" name:"id" help:"What fails: ids, devices, or names of what is declared."`
	Fail   []string `help:"The same, as a flag; may be repeated." placeholder:"ID" sep:"none"`
	Config string   `help:"Ask the topology declared in this configuration instead of the daemon." type:"path" placeholder:"FILE"`
	JSON   bool     `help:"Print one JSON object."`
	All    bool     `help:"List everything that would stop working."`
	daemonFlags
}

// Run prints what would be lost.
func (c *simulateCmd) Run(ctx context.Context) error {
	s, err := c.ask(ctx)
	if err != nil {
		return unanswered(err)
	}
	if err := show(s, c.JSON, c.All, func(p *term.Printer) { p.Simulation(s) }); err != nil {
		return err
	}
	for _, change := range s.Services {
		if change.Lost {
			return answered(api.BadNews)
		}
	}
	return nil
}

// ask asks the daemon, or the declared topology.
func (c *simulateCmd) ask(ctx context.Context) (*engine.Simulation, error) {
	fail, err := named(c.Fail, c.IDs, "simulate")
	if err != nil {
		return nil, err
	}
	if c.Config == "" {
		return c.client().Simulate(ctx, fail)
	}
	cfg, err := loadConfig(c.Config)
	if err != nil {
		return nil, err
	}
	return app.SimulateDesign(ctx, cfg, fail, time.Now())
}

type gateCmd struct {
	IDs    []string `arg:"" optional:"" name:"id" help:"What is taken down: ids, devices, or names of what is declared."`
	Fail   []string `help:"The same, as a flag; may be repeated." placeholder:"ID" sep:"none"`
	Strict bool     `help:"Presume nothing."`
	Config string   `help:"Ask the topology declared in this configuration, with nothing failed, instead of the daemon." type:"path" placeholder:"FILE"`
	JSON   bool     `help:"Print one JSON object."`
	All    bool     `help:"List everything."`
	daemonFlags
}

// Run prints the answer; it is the exit code too.
func (c *gateCmd) Run(ctx context.Context) error {
	g, err := c.ask(ctx)
	if err != nil {
		return unanswered(err)
	}
	if err := show(g, c.JSON, c.All, func(p *term.Printer) { p.Gate(g) }); err != nil {
		return err
	}
	return answered(g.Verdict)
}

// ask asks the daemon, or the declared topology.
func (c *gateCmd) ask(ctx context.Context) (*engine.Gate, error) {
	fail, err := named(c.Fail, c.IDs, "gate")
	if err != nil {
		return nil, err
	}
	if c.Config == "" {
		return c.client().Gate(ctx, fail, c.Strict)
	}
	cfg, err := loadConfig(c.Config)
	if err != nil {
		return nil, err
	}
	return app.GateDesign(ctx, cfg, fail, c.Strict, time.Now())
}
