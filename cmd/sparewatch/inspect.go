package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sparewatch/sparewatch/pkg/app"
	"github.com/sparewatch/sparewatch/pkg/config"
)

type inspectCmd struct {
	URL      string        `arg:"" help:"redfish://HOST[:PORT], redfish+http://..., snmp://HOST[:PORT], ipmi://HOST[:PORT], gobgp://HOST[:PORT], bmp://ADDRESS:PORT (listens), bgp://ROUTER?as=OURS."`
	JSON     bool          `help:"Print one JSON object."`
	All      bool          `help:"Sum nothing up."`
	Profiles string        `help:"Folder of SNMP profiles of your own." placeholder:"DIR"`
	Timeout  time.Duration `help:"Give up after this long." default:"2m"`
	loginFlags
}

// Run polls the device and prints what it said.
func (c *inspectCmd) Run(ctx context.Context) error {
	all, err := app.Collectors(c.Profiles)
	if err != nil {
		return err
	}
	target, err := c.target(c.URL, config.Options{Schemes: app.Schemes(all)})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	defer waiting(target.URL, c.Timeout)()
	in, err := app.Inspect(ctx, all, target)
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		err = printJSON(in)
	case in.Reachable || len(in.Errors) == 0: // else the error says it all
		p := stdout(c.All)
		p.Inspection(in)
		err = p.Err()
	}
	if err != nil {
		return err
	}
	if !in.Reachable && len(in.Errors) > 0 {
		why := in.Errors[0]
		err := fmt.Errorf("%s: %s", target.URL, why.Error)
		if why.Hint != "" {
			err = hinted(err, why.Hint)
		}
		return err
	}
	return answered(in.Exit())
}
