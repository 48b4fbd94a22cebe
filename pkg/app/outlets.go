package app

import (
	"fmt"

	"github.com/sparewatch/sparewatch/pkg/config"
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
