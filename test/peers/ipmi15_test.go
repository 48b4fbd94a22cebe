package peers

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/ipmi"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// older stands before a BMC and makes it an IPMI 1.5 one that offers these kinds of login (bit i: authentication type i):
// it rewrites what Get Channel Authentication Capabilities tells and passes on everything else.
func older(t *testing.T, port int, types byte) string {
	t.Helper()
	front, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	back, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	t.Cleanup(func() {
		_ = front.Close()
		_ = back.Close()
		wait.Wait()
	})
	var mu sync.Mutex
	var console net.Addr
	wait.Go(func() {
		for b := make([]byte, 2048); ; {
			n, from, err := front.ReadFrom(b)
			if err != nil {
				return
			}
			mu.Lock()
			console = from
			mu.Unlock()
			_, _ = back.Write(b[:n])
		}
	})
	wait.Go(func() {
		for b := make([]byte, 2048); ; {
			n, err := back.Read(b)
			if err != nil {
				return
			}
			const message = 14 // behind the headers of RMCP and of a session without authentication
			if m := b[message:n]; n > message+12 && b[4] == 0 && m[1] == 7<<2 && m[5] == 0x38 {
				m[8], m[10] = types, 0
				m[len(m)-1] = 0
				for _, x := range m[3 : len(m)-1] {
					m[len(m)-1] -= x
				}
			}
			mu.Lock()
			to := console
			mu.Unlock()
			_, _ = front.WriteTo(b[:n], to)
		}
	})
	return "ipmi://" + front.LocalAddr().String()
}

// TestIPMI15 logs in to OpenIPMI's BMC in every way of IPMI 1.5.
func TestIPMI15(t *testing.T) {
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings (set SPAREWATCH_RECORDINGS)")
	}
	b := startBMC(t, filepath.Join(dir, "ipmi", "infrasim-quanta_d51", "quanta_d51.emu"))
	if host := find(pollIPMI(t, openIPMI(t, b, "test")), "bmc/host/1"); host == nil || host.Attributes["ipmi_session"] != "" {
		t.Fatalf("over IPMI 2.0 the host is %+v", host)
	}
	for _, c := range []struct {
		name    string
		offers  byte
		clear   bool
		session string // "" where the login is refused
		says    string
	}{
		{name: "all", offers: 0x17, session: "IPMI 1.5, MD5"},
		{name: "MD2", offers: 0x03, session: "IPMI 1.5, MD2"},
		{name: "password", offers: 0x10, clear: true, session: "IPMI 1.5, straight password"},
		{name: "password, not allowed", offers: 0x10, says: "takes the password only in the clear"},
		{name: "password not allowed, none", offers: 0x11, session: "IPMI 1.5, no authentication"},
		{name: "nothing known", offers: 0x20, says: "neither RMCP+"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := ipmi.Collector{}.Open(collectors.Target{Device: "bmc", URL: older(t, b.port, c.offers), Timeout: time.Second,
				Credentials: collectors.Credentials{User: "ipmiusr", Password: secret.New("test"), AllowClearPassword: c.clear}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close(context.Background()) }()
			sn := s.Poll(context.Background(), collectors.Full)
			if c.session == "" {
				if sn.Reachable || len(sn.Errors) != 1 || sn.Errors[0].Class != snapshot.ClassAuth || !strings.Contains(sn.Errors[0].Error, c.says) {
					t.Fatalf("reachable %v, errors %+v", sn.Reachable, sn.Errors)
				}
				return
			}
			if !sn.Reachable {
				t.Fatal(sn.Errors)
			}
			if got := find(sn, "bmc/host/1").Attributes["ipmi_session"]; !strings.HasPrefix(got, c.session) {
				t.Errorf("the session is %q", got)
			}
			if p := find(sn, component.NewID("bmc", component.PSU, "2")); p == nil || !p.InputLost {
				t.Errorf("psu/2 is %+v", p)
			}
			if sn = s.Poll(context.Background(), collectors.Fast); len(sn.Errors) > 0 {
				t.Errorf("the next poll: %v", sn.Errors)
			}
		})
	}
	t.Run("wrong password", func(t *testing.T) {
		s, err := ipmi.Collector{}.Open(collectors.Target{Device: "bmc", URL: older(t, b.port, 0x04), Timeout: 300 * time.Millisecond,
			Credentials: collectors.Credentials{User: "ipmiusr", Password: secret.New("wrong")}})
		if err != nil {
			t.Fatal(err)
		}
		if sn := s.Poll(context.Background(), collectors.Full); sn.Reachable || sn.Errors[0].Class != snapshot.ClassAuth {
			t.Errorf("reachable %v, %+v", sn.Reachable, sn.Errors)
		}
	})
}
