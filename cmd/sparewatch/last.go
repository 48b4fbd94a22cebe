package main

import (
	"context"
	"errors"
	"time"

	"github.com/sparewatch/sparewatch/pkg/app"
	"github.com/sparewatch/sparewatch/pkg/bus"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/term"
)

// last holds the topology against what the devices showed last: out of the state folder, or as the daemon says that uses
// it. It reports whether the topology names what is not there.
func (c *checkCmd) last(ctx context.Context, cfg *config.Config, p *term.Printer) (bad bool, err error) {
	p.Heading("Held against what the devices showed last")
	found, err := app.Last(ctx, cfg, time.Now())
	var busy *bus.BusyError
	switch {
	case errors.As(err, &busy):
		status, err := c.client().Status(ctx)
		if err != nil {
			return false, unanswered(err)
		}
		found = &app.LastWord{}
		for i := range status.Findings {
			if status.Findings[i].Rule == finding.ModelMistake {
				found.Mistakes = append(found.Mistakes, status.Findings[i])
			}
		}
		p.Line("  as the daemon at %s says, of the configuration that it has loaded", c.URL)
	case err != nil:
		return false, err
	default:
		p.Line("  %s, of which the one was read that is oldest at %s", term.Count(found.Devices, "device"), found.Oldest.Format(time.RFC3339))
	}
	for i := range found.Mistakes {
		p.Line("  %s", found.Mistakes[i].Summary)
		p.Line("    %s", found.Mistakes[i].Remedy)
	}
	if len(found.Mistakes) == 0 {
		p.Line("  the topology names nothing that is not there")
	}
	return len(found.Mistakes) > 0, nil
}
