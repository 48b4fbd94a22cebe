package app

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/api"
)

// Inspect polls one device once and judges what it says. Its error is a target that cannot be opened; a device that
// does not answer is an inspection that says so.
func Inspect(ctx context.Context, all map[string]collectors.Collector, t collectors.Target) (*api.Inspection, error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return nil, fmt.Errorf("the URL of %s cannot be read: write redfish://HOST, snmp://HOST or ipmi://HOST", t.Device)
	}
	c := all[u.Scheme]
	if c == nil {
		return nil, fmt.Errorf("nothing reads %s://: write one of %v", u.Scheme, Schemes(all))
	}
	session, err := c.Open(t)
	if err != nil {
		return nil, err
	}
	defer func() {
		// The device's session is given back also when the poll was cancelled; what it answers changes nothing.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_ = session.Close(ctx)
	}()
	return api.Inspect(session.Poll(ctx, collectors.Full)), nil
}

// closeTimeout bounds how long a device may take to end a session.
const closeTimeout = 5 * time.Second
