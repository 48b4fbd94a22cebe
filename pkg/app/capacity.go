package app

import (
	"time"

	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/engine"
)

// engineOptions are what a configuration says of how the engine judges.
func engineOptions(c *config.Config, settle time.Duration) engine.Options {
	return engine.Options{Settle: settle, Errors: c.Links.Errors, Capacity: engine.CapacityOptions{Derate: c.Capacity.Derate, Kinds: c.Capacity.Kinds, Window: c.Capacity.Window}}
}

// offlineOptions are those for the declared topology alone.
func offlineOptions(c *config.Config) engine.Options {
	o := engineOptions(c, 0)
	o.Offline = true
	return o
}
