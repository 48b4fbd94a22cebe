package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sparewatch/sparewatch/pkg/app"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/term"
)

type cutsCmd struct {
	Service string        `arg:"" optional:"" help:"A service, group or component."`
	Order   int           `help:"Most failures at once; 0: any number." default:"0"`
	Limit   int           `help:"How many to list." default:"100"`
	Count   bool          `help:"Only the numbers."`
	Config  string        `help:"Ask the topology declared in this configuration instead of the daemon." type:"path" placeholder:"FILE"`
	OpenPSA string        `name:"open-psa" help:"Read a fault tree in the Open-PSA exchange format instead." type:"path" placeholder:"FILE"`
	Gate    string        `help:"The gate of the fault tree; default: its only top."`
	Prob    bool          `name:"probability" help:"Add the top's probability and what each event of the fault tree matters to it."`
	Mission float64       `name:"mission-time" help:"The fault tree's system-mission-time, in the unit that the file uses." placeholder:"HOURS"`
	CCF     bool          `name:"ccf" help:"Apply the fault tree's common cause groups: what fails together is a basic event of its own."`
	Within  time.Duration `help:"How long to try; what is found by then is exact up to some order, and says so. The daemon has a bound of its own." default:"2m"`
	Budget  int           `help:"How hard to try on a fault tree: decision diagram nodes for one module, at some 60 bytes each." default:"16777216"`
	JSON    bool          `help:"Print one JSON object."`
	All     bool          `help:"List everything."`
	daemonFlags
}

// Run prints the minimal cut sets.
func (c *cutsCmd) Run(ctx context.Context) error {
	limit := c.Limit
	if c.Count {
		limit = 0
	}
	s, err := c.ask(ctx, limit)
	if err != nil {
		return unanswered(err)
	}
	return show(s, c.JSON, c.All, func(p *term.Printer) { p.Cuts(s, c.Count) })
}

// ask reads the fault tree, or asks the declared topology or the daemon.
func (c *cutsCmd) ask(ctx context.Context, limit int) (*engine.CutSets, error) {
	switch {
	case c.OpenPSA != "":
		f, err := os.Open(c.OpenPSA)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		s, err := reckon(ctx, func() (*engine.CutSets, error) { return app.CutsOfTree(ctx, f, c.question(limit)) })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.OpenPSA, err)
		}
		return s, nil
	case c.Service == "":
		return nil, hinted(errors.New("no service is named"), "see sparewatch cuts --help")
	case c.Config != "":
		cfg, err := loadConfig(c.Config)
		if err != nil {
			return nil, err
		}
		return reckon(ctx, func() (*engine.CutSets, error) {
			return app.CutsDesign(ctx, cfg, c.Service, c.Order, limit, time.Now(), c.Within)
		})
	}
	return c.client().Cuts(ctx, c.Service, c.Order, limit)
}

func (c *cutsCmd) question(limit int) app.TreeQuestion {
	return app.TreeQuestion{Gate: c.Gate, Order: c.Order, Limit: limit, Probabilities: c.Prob, MissionTime: c.Mission, CommonCauses: c.CCF, Budget: c.Budget, Within: c.Within}
}
