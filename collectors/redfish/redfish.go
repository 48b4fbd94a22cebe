// Package redfish reads Redfish services (DMTF DSP0266): BMCs of servers and blades, enclosures, power shelves,
// rack PDUs and storage arrays. It gives snapshots of everything redundant that such a service shows.
//
//	session, err := redfish.Collector{}.Open(collectors.Target{Device: "srv-101", URL: "redfish://10.0.0.101"})
//	snap := session.Poll(ctx, collectors.Full)
//	session.Close(ctx)
//
// collect.go, walk.go, client.go, events.go, subscribe.go and receiver.go talk; plan.go says which links are followed and how often what is read;
// parse*.go turn a tree of resources into a snapshot and are pure; quirks.go holds what single vendors do otherwise. The
// package knows nothing of topology and judges no redundancy.
//
// A session is a collectors.Listener too: where the service pushes events to our Receiver, or streams them (server-sent
// events), they bring a poll at once.
package redfish

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/sparewatch/sparewatch/collectors"
)

// Name is the collector's name in snapshots.
const Name = "redfish"

// Schemes are the URL schemes that this collector reads: HTTPS, and plain HTTP where somebody insists.
func Schemes() []string { return []string{"redfish", "redfish+http"} }

// Collector opens sessions to Redfish services. The zero value is ready.
type Collector struct {
	// Push is where services push their events to; nil: nowhere, so that only those are heard that stream them.
	Push *Receiver
}

// Open checks the target's URL. Nothing is sent before the first Poll.
func (c Collector) Open(t collectors.Target) (collectors.Session, error) {
	if t.Device == "" || strings.Contains(t.Device, "/") {
		return nil, fmt.Errorf("%q is no device name: it must not be empty or hold a slash", t.Device)
	}
	endpoint, host, err := endpoint(t.URL)
	if err != nil {
		return nil, err
	}
	if err := t.Credentials.TLS.Check(); err != nil {
		return nil, err
	}
	s := newSession(t, endpoint, host)
	if c.Push != nil {
		s.pushed = &pushed{receiver: c.Push, look: make(chan struct{}, 1)}
	}
	return s, nil
}

// endpoint turns a target's URL into the service's HTTP URL and the host whose certificate is verified.
func endpoint(target string) (endpoint, host string, err error) {
	u, err := url.Parse(target)
	if err != nil {
		return "", "", fmt.Errorf("%q is no URL: write redfish://host[:port]", target)
	}
	scheme := map[string]string{"redfish": "https", "redfish+http": "http"}[u.Scheme]
	switch {
	case scheme == "":
		return "", "", fmt.Errorf("%q is no Redfish URL: write redfish://host[:port], or redfish+http:// for plain HTTP", u.Redacted())
	case u.Hostname() == "":
		return "", "", fmt.Errorf("%q names no host: write redfish://host[:port]", u.Redacted())
	case u.User != nil:
		return "", "", fmt.Errorf("%q holds a login: give it with --user and --password-file, or as credentials in the configuration", u.Redacted())
	case strings.Trim(u.Path, "/") != "" && strings.Trim(u.Path, "/") != "redfish/v1", u.RawQuery != "", u.Fragment != "":
		return "", "", fmt.Errorf("%q holds a path: write only redfish://host[:port]", u.Redacted())
	}
	if p := u.Port(); p != "" {
		return scheme + "://" + net.JoinHostPort(u.Hostname(), p), u.Hostname(), nil
	}
	if strings.Contains(u.Hostname(), ":") {
		return scheme + "://[" + u.Hostname() + "]", u.Hostname(), nil
	}
	return scheme + "://" + u.Hostname(), u.Hostname(), nil
}
