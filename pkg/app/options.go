package app

import (
	"cmp"
	"time"

	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
)

// engineOptions are what a configuration says of how the engine judges.
func engineOptions(c *config.Config, settle time.Duration) engine.Options {
	o := engine.Options{
		Settle:   settle,
		Errors:   c.Links.Errors,
		Recover:  cmp.Or(c.Findings.Recover, max(30*time.Second, 2*c.Poll.States)),
		Hold:     map[finding.Rule]time.Duration{},
		Severity: map[finding.Rule]map[int]finding.Severity{},
		Capacity: engine.CapacityOptions{Derate: c.Capacity.Derate, Kinds: c.Capacity.Kinds, Window: c.Capacity.Window},
	}
	for name, r := range c.Findings.Rules {
		o.Hold[name], o.Severity[name] = r.Hold, r.Severity
	}
	return o
}

// hold is how long an incident whose findings are gone waits for them to come back.
func (a *App) hold(c *config.Config) time.Duration {
	return cmp.Or(a.o.Hold, c.Findings.Resolve, 2*c.Poll.States)
}

// offlineOptions are those for the declared topology alone.
func offlineOptions(c *config.Config) engine.Options {
	o := engineOptions(c, 0)
	o.Offline = true
	return o
}
