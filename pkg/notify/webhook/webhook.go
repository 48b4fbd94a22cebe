// Package webhook posts notifications as plain JSON.
package webhook

import (
	"context"
	"errors"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/notify"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// Options of a notifier.
type Options struct {
	URL    string      // http or https; what is secret in it is not shown in errors
	Secret secret.Text // signs the body where set
	TLS    collectors.TLS
}

// Notifier posts to one URL.
type Notifier struct {
	o Options
}

// New checks the options.
func New(o Options) (*Notifier, error) { return &Notifier{o: o}, nil }

// Send posts n.
func (w *Notifier) Send(ctx context.Context, n notify.Notification) error {
	return errors.New("not built yet")
}
