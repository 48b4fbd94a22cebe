package app

import (
	"time"

	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/engine"
)

// Against compares the declared topology with an older one: what gains or loses spares, and what only looks redundant.
func Against(before, after *config.Config, now time.Time) (*engine.Comparison, error) {
	a, err := offline(before, now)
	if err != nil {
		return nil, err
	}
	b, err := offline(after, now)
	if err != nil {
		return nil, err
	}
	return engine.Compare(a, b), nil
}
