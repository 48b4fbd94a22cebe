// Package ipmi reads BMCs over IPMI 2.0 (RMCP+) and, where a BMC has nothing newer, IPMI 1.5 over LAN.
//
// It asks and never sets anything but its own session's privilege level. The session layer is ours, over the codecs and
// the cryptography of go-ipmi: every answer is verified before it is believed, one request is in flight, and no
// goroutine outlives a call. Sensors that speak of one part are tied together by their entity, since names repeat;
// redundancy sensors (event type 0Bh) become claims.
package ipmi

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/bougou/go-ipmi/pkg/types"
	"github.com/sparewatch/sparewatch/collectors"
)

// Collector opens sessions to ipmi://host[:port].
type Collector struct{}

const (
	defaultPort    = "623"
	defaultTimeout = 5 * time.Second // for one request
	tries          = 3               // in that time
)

// Open checks the target: its URL, and that user name and password have the lengths that IPMI allows.
func (Collector) Open(t collectors.Target) (collectors.Session, error) {
	u, err := url.Parse(t.URL)
	if err != nil || u.Scheme != "ipmi" || u.Hostname() == "" {
		return nil, fmt.Errorf("%q is no IPMI target: write ipmi://host or ipmi://host:port", t.URL)
	}
	if n := len(t.Credentials.User); n > 16 {
		return nil, fmt.Errorf("the user name has %d bytes: IPMI allows 16", n)
	}
	if n := len(t.Credentials.Password.Reveal()); n > 20 {
		return nil, fmt.Errorf("the password has %d bytes: IPMI allows 20", n)
	}
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	timeout := t.Timeout / tries
	if timeout <= 0 {
		timeout = defaultTimeout / tries
	}
	limits, usual := t.Limits, collectors.DefaultLimits()
	limits.Requests = cmp.Or(limits.Requests, usual.Requests)
	limits.Bytes = cmp.Or(limits.Bytes, usual.Bytes)
	limits.Components = cmp.Or(limits.Components, usual.Components)
	return &conversation{
		target: t, address: net.JoinHostPort(u.Hostname(), port), timeout: timeout, limits: limits,
		suites: defaultSuites,
	}, nil
}

var defaultSuites = []types.CipherSuiteID{types.CipherSuiteID17, types.CipherSuiteID3}
