package redfish_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/conformance"
	"github.com/sparewatch/sparewatch/collectors/redfish"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// server is a duo that misbehaves.
func server(name string, want conformance.Want, timeout time.Duration, change func(*collectors.Target), faults ...lab.HTTPFault) conformance.Server {
	return conformance.Server{Name: name, Want: want, Start: func(t testing.TB) collectors.Target {
		_, target := serve(t, duo(true), faults...)
		target.Timeout = timeout
		if change != nil {
			change(&target)
		}
		return target
	}}
}

func TestConformance(t *testing.T) {
	const power = "/redfish/v1/Chassis/1/Power"
	healthy := conformance.Want{Reachable: true, Components: 10, Steady: true}
	partly := conformance.Want{Reachable: true, Components: 5, Errors: true}
	changed := conformance.Want{Class: snapshot.ClassPinChanged}
	long, short := 10*time.Second, conformance.Timeout
	conformance.Run(t, redfish.Collector{},
		conformance.Nobody("redfish"),
		conformance.SilentTCP("redfish"),
		conformance.GarbageTCP("redfish"),
		conformance.GarbageTCP("redfish+http"),
		server("a healthy server", healthy, long, nil),
		server("a wrong password", conformance.Denied, long, func(t *collectors.Target) { t.Credentials.Password = secret.New("wrong-horse") }),
		server("no login", conformance.Denied, long, func(t *collectors.Target) { t.Credentials.User = "" }),
		server("a certificate that nobody vouches for", conformance.Untrusted, long, func(t *collectors.Target) { t.Credentials.TLS.Fingerprint = "" }),
		server("another certificate than the pinned", changed, long, func(t *collectors.Target) { t.Credentials.TLS.Fingerprint = strings.Repeat("ab", 32) }),
		server("half a JSON", partly, long, nil, lab.HTTPFault{Path: power, Half: true}),
		server("a web page where JSON was meant", partly, long, nil, lab.HTTPFault{Path: power, Garbage: true}),
		server("a web page everywhere", conformance.Garbage, long, nil, lab.HTTPFault{Garbage: true}),
		server("a part that takes for ever", partly, short, nil, lab.HTTPFault{Path: power, Hang: true}),
		server("a connection that ends in the middle", partly, long, nil, lab.HTTPFault{Path: power, Cut: true}),
		server("a part without end", partly, long, nil, lab.HTTPFault{Path: power, Endless: true}),
		server("a part with a fault of its own", partly, long, nil, lab.HTTPFault{Path: power, Status: 500}),
		server("a part that is busy for long", partly, long, nil, lab.HTTPFault{Path: power, Status: 503, RetryAfter: 600}),
		server("a part that redirects to itself", partly, long, nil, lab.HTTPFault{Path: power, Redirect: "self"}),
		server("a part that redirects elsewhere", partly, long, nil, lab.HTTPFault{Path: power, Redirect: "https://192.0.2.1/redfish/v1"}),
		server("$expand that breaks", healthy, long, nil, lab.HTTPFault{Query: "expand", Status: 500}),
	)
}
