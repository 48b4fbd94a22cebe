package snmp

import (
	"context"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// Another device in the place of the old one, with the same user, has another engine: it is found anew.
func TestAnotherEngineAtTheSameAddress(t *testing.T) {
	user := lab.SNMPUser{Name: "watcher", AuthProtocol: "SHA-256", AuthKey: "authpass123", PrivProtocol: "AES", PrivKey: "privpass123"}
	serve := func(at string) *lab.SNMPServer {
		t.Helper()
		a := &lab.Agent{Objects: lab.NewObjects([]recording.Object{{OID: recording.OID{1, 3, 6, 1, 2, 1, 1, 1, 0}, Value: recording.StringValue("a switch")}})}
		if err := a.Users(user); err != nil {
			t.Fatal(err)
		}
		s, err := lab.ServeSNMP(at, a)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	first := serve("127.0.0.1:0")
	set, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	s, err := Collector{Profiles: set}.Open(collectors.Target{Device: "d", URL: first.URL(), Timeout: 300 * time.Millisecond, Limits: collectors.DefaultLimits(),
		Credentials: collectors.Credentials{Version: "3", V3: collectors.V3{User: user.Name, AuthProtocol: user.AuthProtocol, AuthKey: secret.New(user.AuthKey), PrivProtocol: user.PrivProtocol, PrivKey: secret.New(user.PrivKey)}}})
	if err != nil {
		t.Fatal(err)
	}
	sn := s.Poll(context.Background(), collectors.Full)
	before := sn.Device.Engine
	if !sn.Reachable || before == "" {
		t.Fatalf("reachable %v, engine %q, %+v", sn.Reachable, before, sn.Errors)
	}
	at := first.Addr().String()
	_ = first.Close()
	second := serve(at)
	sn = s.Poll(context.Background(), collectors.Fast)
	if !sn.Reachable || sn.Device.Engine == before || sn.Device.Engine == "" {
		t.Errorf("reachable %v, engine %q, was %q, %+v", sn.Reachable, sn.Device.Engine, before, sn.Errors)
	}
	// The same engine, booted once more: what was kept of its clock is out of its window.
	if err := second.Users(user); err != nil {
		t.Fatal(err)
	}
	if sn = s.Poll(context.Background(), collectors.Fast); !sn.Reachable {
		t.Errorf("not reached after a restart: %+v", sn.Errors)
	}
	// What has gone is not reachable, though a device that no profile knows has nothing that changes from minute to minute.
	_ = second.Close()
	if sn = s.Poll(context.Background(), collectors.Fast); sn.Reachable || len(sn.Errors) != 1 {
		t.Errorf("reachable %v, %+v", sn.Reachable, sn.Errors)
	}
}
