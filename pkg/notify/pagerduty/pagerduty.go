// Package pagerduty sends notifications to PagerDuty's Events API v2.
package pagerduty

import (
	"context"
	"errors"

	"github.com/sparewatch/sparewatch/pkg/notify"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// Options of a notifier.
type Options struct {
	RoutingKey secret.Text // the integration key of the PagerDuty service
	URL        string      // empty: https://events.pagerduty.com; the EU's is https://events.eu.pagerduty.com
}

// Notifier sends to one PagerDuty service.
type Notifier struct {
	o Options
}

// New checks the options.
func New(o Options) (*Notifier, error) { return &Notifier{o: o}, nil }

// Send sends n as an Events v2 event under the incident's id.
func (p *Notifier) Send(ctx context.Context, n notify.Notification) error {
	return errors.New("not built yet")
}

// PerMinute is PagerDuty's limit for one integration key.
func (p *Notifier) PerMinute() int { return 120 }
