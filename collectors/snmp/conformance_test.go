package snmp_test

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/conformance"
	"github.com/sparewatch/sparewatch/collectors/snmp"
	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

func builtin(t testing.TB) *mibs.Set {
	t.Helper()
	set, err := snmp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// recorded loads a recording, or skips.
func recorded(t testing.TB, name string) []recording.Object {
	t.Helper()
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings: set SPAREWATCH_RECORDINGS to their folder")
	}
	rec, err := recording.Load(filepath.Join(dir, "snmp", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return rec.SNMP
}

func serve(t testing.TB, a *lab.Agent) string {
	t.Helper()
	s, err := lab.ServeSNMP("127.0.0.1:0", a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.URL()
}

func agent(t testing.TB, name string, faults lab.SNMPFaults) *lab.Agent {
	a := &lab.Agent{Objects: lab.NewObjects(recorded(t, name)), Community: "public"}
	a.Inject(faults)
	return a
}

func TestConformance(t *testing.T) {
	pdu := func(f lab.SNMPFaults) func(testing.TB) collectors.Target {
		return func(t testing.TB) collectors.Target {
			return collectors.Target{URL: serve(t, agent(t, "pdu/snmpsimdata-apc-8932.snmprec", f))}
		}
	}
	below := recording.OID{1, 3, 6, 1, 4, 1, 318, 1, 1, 26, 6}
	conformance.Run(t, snmp.Collector{Profiles: builtin(t)},
		conformance.Server{Name: "PDU", Start: pdu(lab.SNMPFaults{}), Want: conformance.Healthy},
		conformance.Server{Name: "PDU by v1", Start: func(t testing.TB) collectors.Target {
			target := pdu(lab.SNMPFaults{})(t)
			target.Credentials.Version = "1"
			return target
		}, Want: conformance.Healthy},
		// It starts over where a column ends: all of it was read by then.
		conformance.Server{Name: "loop", Start: pdu(lab.SNMPFaults{Loop: true, Below: below}), Want: conformance.Healthy},
		conformance.Server{Name: "stuck", Start: pdu(lab.SNMPFaults{Stuck: true, Below: below}), Want: conformance.Partly},
		conformance.Server{Name: "genErr", Start: pdu(lab.SNMPFaults{Status: 5, Below: below}), Want: conformance.Partly},
		conformance.Server{Name: "garbage", Start: pdu(lab.SNMPFaults{Garbage: true}), Want: conformance.Garbage},
		conformance.Server{Name: "half an answer", Start: pdu(lab.SNMPFaults{Half: true}), Want: conformance.Garbage},
		conformance.Server{Name: "silent", Start: pdu(lab.SNMPFaults{Silent: true}), Want: conformance.Unreachable},
		conformance.Server{Name: "another request-id", Start: pdu(lab.SNMPFaults{WrongID: true}), Want: conformance.Unreachable},
		conformance.Server{Name: "wrong community", Start: func(t testing.TB) collectors.Target {
			target := pdu(lab.SNMPFaults{})(t)
			target.Credentials.Community = secret.New("guess")
			return target
		}, Want: conformance.Unreachable},
		conformance.Server{Name: "nobody", Start: func(t testing.TB) collectors.Target {
			c, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			return collectors.Target{URL: "snmp://" + c.LocalAddr().String()}
		}, Want: conformance.Unreachable},
	)
}
