package app

import (
	"context"
	"errors"
	"time"

	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/engine"
)

// Capacity says what every single failure would do to what carries load as things stand, and with order 2 which pairs
// overload something that neither of the two does; at most limit of these are listed.
func (a *App) Capacity(ctx context.Context, order, limit int) (*engine.CapacityReport, error) {
	report := a.picture.Load().report
	if report == nil {
		return nil, errors.New("nothing was judged yet")
	}
	c := &engine.CapacityReport{Loads: report.Capacity}
	if order < 2 {
		return c, nil
	}
	q, err := ask(ctx, a.judge, func(j *judge) (*engine.PairsQuestion, error) { return j.engine.AskPairs(limit), nil })
	if err != nil {
		return nil, err
	}
	c.Pairs, err = answer(ctx, a.desk, q.Answer)
	return c, err
}

// CapacityDesign is Capacity of the declared topology; pairs as far as they are followed within a time (0: without end).
func CapacityDesign(ctx context.Context, c *config.Config, order, limit int, now time.Time, within time.Duration) (*engine.CapacityReport, error) {
	e, err := offline(c, now)
	if err != nil {
		return nil, err
	}
	found := &engine.CapacityReport{Loads: e.Report().Capacity}
	if order > 1 {
		found.Pairs = timed(ctx, within, e.AskPairs(limit).Answer)
	}
	return found, nil
}
