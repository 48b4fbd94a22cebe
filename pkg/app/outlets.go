package app

import (
	"context"
	"fmt"

	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/notify"
	"github.com/sparewatch/sparewatch/pkg/notify/outbox"
	"github.com/sparewatch/sparewatch/pkg/notify/pagerduty"
	"github.com/sparewatch/sparewatch/pkg/notify/webhook"
)

// receivers makes the outlets of a configuration.
func receivers(c *config.Config) ([]outbox.Receiver, error) {
	var list []outbox.Receiver
	for _, o := range c.Notify {
		n, err := notifier(o)
		if err != nil {
			return nil, fmt.Errorf("the outlet %s: %w", o.Name, err)
		}
		if o.MinSeverity > finding.Info {
			n = &atLeast{next: n, least: o.MinSeverity, untold: map[incident.ID]bool{}}
		}
		list = append(list, outbox.Receiver{Name: o.Name, Notifier: n})
	}
	return list, nil
}

func notifier(o config.Outlet) (notify.Notifier, error) {
	switch o.Kind {
	case config.PagerDuty:
		return pagerduty.New(pagerduty.Options{RoutingKey: o.Key, URL: o.URL.Reveal()})
	case config.Webhook:
		return webhook.New(webhook.Options{URL: o.URL.Reveal(), Secret: o.Key, TLS: o.TLS})
	}
	return nil, fmt.Errorf("there is no kind %q", o.Kind)
}

// atLeast keeps from a receiver what is less severe than it wants to hear of, and the end of that. After a restart the
// end of an incident may be told whose opening was not; receivers drop that.
type atLeast struct {
	next   notify.Notifier
	least  finding.Severity
	untold map[incident.ID]bool
}

// Send passes on what is severe enough. It is called by one goroutine.
func (a *atLeast) Send(ctx context.Context, n notify.Notification) error {
	switch {
	case n.Action == notify.Resolve && a.untold[n.Incident]:
		delete(a.untold, n.Incident)
		return nil
	case n.Action == notify.Trigger && n.Severity < a.least:
		a.untold[n.Incident] = true
		return nil
	}
	if err := a.next.Send(ctx, n); err != nil {
		return err
	}
	delete(a.untold, n.Incident)
	return nil
}

// PerMinute is the receiver's own limit; 0: none.
func (a *atLeast) PerMinute() int {
	if p, ok := a.next.(notify.Paced); ok {
		return p.PerMinute()
	}
	return 0
}
