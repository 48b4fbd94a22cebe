package main

import (
	"context"
	"time"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/app"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/term"
)

type capacityCmd struct {
	Order  int           `help:"1: every single failure; 2: also all pairs that overload something that neither of the two does." default:"1" enum:"1,2"`
	Limit  int           `help:"How many pairs to list." default:"100"`
	Config string        `help:"Ask the topology declared in this configuration instead of the daemon." type:"path" placeholder:"FILE"`
	Within time.Duration `help:"With --config: how long to try." default:"2m"`
	JSON   bool          `help:"Print one JSON object."`
	All    bool          `help:"List everything, also what is fine."`
	daemonFlags
}

// Run prints what failures do to what carries load. What overloads something is bad news.
func (c *capacityCmd) Run(ctx context.Context) error {
	answer, err := c.ask(ctx)
	if err != nil {
		return unanswered(err)
	}
	err = show(answer, c.JSON, c.All, func(p *term.Printer) {
		p.Capacity(&answer.Loads)
		if answer.Pairs != nil {
			p.LoadPairs(answer.Pairs)
		}
	})
	if err == nil && answer.Bad() {
		return answered(api.BadNews)
	}
	return err
}

// ask asks the daemon, or the declared topology.
func (c *capacityCmd) ask(ctx context.Context) (*engine.CapacityReport, error) {
	if c.Config == "" {
		return c.client().Capacity(ctx, c.Order, c.Limit)
	}
	cfg, err := loadConfig(c.Config)
	if err != nil {
		return nil, err
	}
	return app.CapacityDesign(ctx, cfg, c.Order, c.Limit, time.Now(), c.Within)
}
