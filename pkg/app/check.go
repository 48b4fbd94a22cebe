package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/engine"
)

// Design is what the declared topology says by itself, with everything working: where it has a single point of failure,
// and what only looks redundant.
func Design(c *config.Config, now time.Time) (*engine.Report, error) {
	e, err := offline(c, now)
	if err != nil {
		return nil, err
	}
	report, _ := e.Evaluate(now)
	return report, nil
}

// offline is an engine that knows the declared topology alone.
func offline(c *config.Config, now time.Time) (*engine.Engine, error) {
	e, err := engine.New(&c.Model, offlineOptions(c))
	if err != nil {
		return nil, err
	}
	e.Evaluate(now)
	return e, nil
}

// SimulateDesign says what would be lost in the declared topology if these failed.
func SimulateDesign(ctx context.Context, c *config.Config, fail []string, now time.Time) (*engine.Simulation, error) {
	e, ids, err := offlineWith(c, fail, now)
	if err != nil {
		return nil, err
	}
	return e.SimulateContext(ctx, ids)
}

// GateDesign says whether these might be taken down in the declared topology, with nothing else failed.
func GateDesign(ctx context.Context, c *config.Config, fail []string, strict bool, now time.Time) (*engine.Gate, error) {
	e, ids, err := offlineWith(c, fail, now)
	if err != nil {
		return nil, err
	}
	return e.GateContext(ctx, ids, strict)
}

// offlineWith is an engine that knows the declared topology alone, and what people mean by names in it.
func offlineWith(c *config.Config, names []string, now time.Time) (*engine.Engine, []component.ID, error) {
	e, err := offline(c, now)
	if err != nil {
		return nil, nil, err
	}
	ids := make([]component.ID, 0, len(names))
	for _, name := range names {
		id, err := e.Resolve(name)
		if err != nil {
			return nil, nil, err
		}
		ids = append(ids, id)
	}
	return e, ids, nil
}

// Pin is what became of one target's certificate.
type Pin struct {
	Device, URL string
	Fingerprint string // that it shows; empty where it was not reached
	State       PinState
	Err         error // why it was not reached
}

// PinState says how a target's certificate stands.
type PinState string

// The states.
const (
	Verified    PinState = "verifies" // by an authority, or because it is not to be verified
	Pinned      PinState = "pinned"   // and the same as shown
	Unpinned    PinState = "not trusted yet"
	PinChanged  PinState = "changed" // another one is pinned
	Unreachable PinState = "not reached"
)

// Pins looks at the certificates of all targets that have one, several at once.
func Pins(ctx context.Context, c *config.Config) []Pin {
	var list []Pin
	var todo []collectors.Target
	for _, d := range c.Devices {
		for _, t := range d.Targets {
			if strings.HasPrefix(t.URL, "redfish://") {
				list = append(list, Pin{Device: d.Name, URL: t.URL})
				todo = append(todo, t)
			}
		}
	}
	const atOnce = 32
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i := range list {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			look(ctx, todo[i], &list[i])
		})
	}
	all.Wait()
	return list
}

// pinTimeout bounds the handshake with one target.
const pinTimeout = 10 * time.Second

// look shakes hands with a target and notes how its certificate stands.
func look(ctx context.Context, t collectors.Target, p *Pin) {
	u, err := url.Parse(t.URL)
	if err != nil {
		p.State, p.Err = Unreachable, errors.New("the URL cannot be read")
		return
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	trust := t.Credentials.TLS
	cfg := trust.Config(u.Hostname())
	verify := cfg.VerifyConnection
	var verdict error
	cfg.VerifyConnection = func(s tls.ConnectionState) error { // the handshake goes on; only the verdict is wanted
		if len(s.PeerCertificates) > 0 {
			p.Fingerprint = collectors.Fingerprint(s.PeerCertificates[0])
		}
		verdict = verify(s)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, pinTimeout)
	defer cancel()
	conn, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		p.State, p.Err = Unreachable, fmt.Errorf("%s: %w", t.URL, err)
		return
	}
	_ = conn.Close() // nothing was sent
	var wrong *collectors.CertificateError
	switch {
	case errors.As(verdict, &wrong) && wrong.Pinned != "":
		p.State = PinChanged
	case verdict != nil:
		p.State = Unpinned
	case trust.Fingerprint != "":
		p.State = Pinned
	default:
		p.State = Verified
	}
}
