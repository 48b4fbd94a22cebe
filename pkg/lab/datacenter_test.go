package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gosnmp/gosnmp"

	"github.com/sparewatch/sparewatch/collectors"
)

// handClock is a time that only the test moves.
type handClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *handClock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }
func (c *handClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type reader struct {
	t *testing.T
	d *Datacenter
	*handClock
	http *http.Client
}

func start(t *testing.T) *reader {
	t.Helper()
	c := &handClock{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	d, err := Start(context.Background(), Options{Now: c.now, Password: "pw"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	tr := &http.Transport{TLSClientConfig: collectors.TLS{Fingerprint: d.Fingerprint()}.Config("127.0.0.1"), DisableKeepAlives: true}
	return &reader{t, d, c, &http.Client{Transport: tr, Timeout: 2 * time.Second}}
}

// redfish reads one value of a BMC: a path, and the keys and indices that lead to the value. "" where it isn't there.
func (r *reader) redfish(server, path string, keys ...any) string {
	r.t.Helper()
	req, err := http.NewRequest("GET", strings.Replace(r.d.URL(server), "redfish", "https", 1)+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.SetBasicAuth("monitor", "pw")
	res, err := r.http.Do(req)
	if err != nil {
		return "no answer"
	}
	defer res.Body.Close()
	var v any
	if raw, err := io.ReadAll(res.Body); err != nil || json.Unmarshal(raw, &v) != nil {
		r.t.Fatalf("%s%s: %s %v", server, path, raw, err)
	}
	for _, k := range keys {
		switch k := k.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[k]
		case int:
			l, _ := v.([]any)
			if k >= len(l) {
				return ""
			}
			v = l[k]
		}
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// snmp reads one number of an agent.
func (r *reader) snmp(device, oid string) string {
	r.t.Helper()
	c := client(r.t, r.d.Agent(device), gosnmp.Version2c)
	c.Timeout = 150 * time.Millisecond
	p, err := c.Get([]string{oid})
	switch {
	case err != nil:
		return "no answer"
	case p.Variables[0].Type >= gosnmp.NoSuchObject:
		return ""
	}
	return fmt.Sprint(p.Variables[0].Value)
}

// supply is what a server says of one of its supplies: State, Health, input voltage.
func (r *reader) supply(server string, slot int) string {
	r.t.Helper()
	switch r.d.plant.servers[server].make {
	case hpeLike:
		const at = "/redfish/v1/Chassis/1/Power"
		return strings.TrimSpace(r.redfish(server, at, "PowerSupplies", slot-1, "Status", "State") + " " + r.redfish(server, at, "PowerSupplies", slot-1, "Status", "Health") +
			" " + r.redfish(server, at, "PowerSupplies", slot-1, "LineInputVoltage"))
	case dellLike:
		at := dellChassis + "/Power"
		return strings.TrimSpace(r.redfish(server, at, "PowerSupplies", slot-1, "Status", "State") + " " + r.redfish(server, at, "PowerSupplies", slot-1, "Status", "Health") +
			" " + r.redfish(server, at, "PowerSupplies", slot-1, "LineInputVoltage"))
	}
	at := fmt.Sprintf("%s/PowerSupplies/powersupply%d", openPower, slot)
	return strings.TrimSpace(r.redfish(server, at, "Status", "State") + " " + r.redfish(server, at, "Status", "Health") + " " + r.redfish(server, at+"/Metrics", "InputVoltage", "Reading"))
}

func (r *reader) expect(what, got, want string) {
	r.t.Helper()
	if got != want {
		r.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

const (
	pduPower   = "1.3.6.1.4.1.318.1.1.26.4.3.1.5.1"
	outlet5    = "1.3.6.1.4.1.318.1.1.26.9.2.3.1.5.5"
	outlet5W   = "1.3.6.1.4.1.318.1.1.26.9.4.3.1.7.5"
	outlet17W  = "1.3.6.1.4.1.318.1.1.26.9.4.3.1.7.17"
	bank1Tenth = "1.3.6.1.4.1.318.1.1.26.8.3.1.5.1"
	upsSource  = "1.3.6.1.2.1.33.1.4.1.0"
	upsCharge  = "1.3.6.1.2.1.33.1.2.4.0"
	upsAlarm   = "1.3.6.1.2.1.33.1.6.2.1.2.1"
	upsLoad    = "1.3.6.1.2.1.33.1.4.4.1.5.1"
)

func TestEachMakeTellsAPulledABrokenAndAnUnpluggedSupplyApart(t *testing.T) {
	r := start(t)
	for _, c := range []struct{ server, well, pulled, broken, unplugged string }{
		{"srv-101", "Enabled OK 230", "Absent", "Enabled Critical 230", "UnavailableOffline Critical 0"},
		{"srv-102", "Enabled OK 230", "Absent Critical", "Enabled Critical 230", "UnavailableOffline Critical 0"},
		{"srv-103", "Enabled OK 230", "Absent Critical", "Enabled Critical 230", "UnavailableOffline Critical 0"},
	} {
		p := r.d.plant.servers[c.server].supplies[1]
		try := func(what string, err error, want string) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			r.expect(c.server+" "+what, r.supply(c.server, 2), want)
			r.expect(c.server+" first "+what, r.supply(c.server, 1), c.well)
		}
		try("well", nil, c.well)
		try("pulled", r.d.PullSupply(c.server, 2), strings.TrimSpace(c.pulled))
		try("inserted", r.d.InsertSupply(c.server, 2), c.well)
		try("broken", r.d.FailSupply(c.server, 2), c.broken)
		try("replaced", r.d.InsertSupply(c.server, 2), c.well)
		try("unplugged", r.d.UnplugCord(c.server, 2), c.unplugged)
		try("plugged", r.d.MoveCord(c.server, 2, p.pdu, p.outlet), c.well)
	}
}

func TestTheLoadMovesToTheSupplyThatIsLeft(t *testing.T) {
	r := start(t)
	watts := func() (string, string) {
		return r.redfish("srv-102", dellChassis+"/Power", "PowerSupplies", 0, "PowerOutputWatts"), r.redfish("srv-102", dellChassis+"/Power", "PowerSupplies", 1, "PowerOutputWatts")
	}
	one, two := watts()
	if one != two || one == "0" {
		t.Errorf("shared as %s and %s", one, two)
	}
	before := r.snmp("pdu-r12-a", pduPower)
	if err := r.d.FailSupply("srv-102", 2); err != nil {
		t.Fatal(err)
	}
	if left, gone := watts(); gone != "0" || left <= one {
		t.Errorf("one supply: %s and %s", left, gone)
	}
	if after := r.snmp("pdu-r12-a", pduPower); after <= before {
		t.Errorf("the PDU of the supply that is left carries %s, before %s", after, before)
	}
	if err := r.d.SetLoad("srv-102", 900); err != nil {
		t.Fatal(err)
	}
	if r.d.Runs("srv-102") {
		t.Error("900 W run on one supply of 800 W")
	}
	r.expect("power state", r.redfish("srv-102", dellSystem, "PowerState"), "Off")
}

func TestFeedAIsLost(t *testing.T) {
	r := start(t)
	if err := r.d.LoseFeed("feed-a"); err != nil {
		t.Fatal(err)
	}
	r.expect("pdu-r12-a", r.snmp("pdu-r12-a", pduPower), "no answer")
	r.expect("pdu-r13-a", r.snmp("pdu-r13-a", pduPower), "no answer")
	r.expect("ups-a", r.snmp("ups-a", upsSource)+" "+r.snmp("ups-a", upsLoad), "3 0")
	r.expect("srv-101 supply 1", r.supply("srv-101", 1), "UnavailableOffline Critical 0")
	r.expect("srv-101 supply 2", r.supply("srv-101", 2), "Enabled OK 230")
	// Three cords of srv-105 hang on feed A, one of them against its declaration; the fourth supply carries it.
	for slot, want := range []string{"UnavailableOffline Critical 0", "UnavailableOffline Critical 0", "UnavailableOffline Critical 0", "Enabled OK 230"} {
		r.expect(fmt.Sprintf("srv-105 supply %d", slot+1), r.supply("srv-105", slot+1), want)
	}
	// A server that has only cords on feed A is dark, and so is its BMC.
	if err := r.d.MoveCord("srv-106", 2, "pdu-r12-a", 18); err != nil {
		t.Fatal(err)
	}
	r.expect("srv-106", r.redfish("srv-106", "/redfish/v1", "Vendor"), "no answer")
	if r.d.Runs("srv-106") || !r.d.Runs("srv-105") {
		t.Error("srv-106 runs, or srv-105 doesn't")
	}
	if err := r.d.RestoreFeed("feed-a"); err != nil {
		t.Fatal(err)
	}
	r.expect("srv-106", r.redfish("srv-106", "/redfish/v1", "Vendor"), "OpenBMC")
	r.expect("srv-101 supply 1", r.supply("srv-101", 1), "Enabled OK 230")
}

func TestTheWrongCord(t *testing.T) {
	r := start(t)
	r.expect("the declared outlet", r.snmp("pdu-r12-b", outlet5)+" "+r.snmp("pdu-r12-b", outlet5W), "2 0")
	if r.snmp("pdu-r12-a", outlet17W) == "0" {
		t.Error("nothing hangs on the outlet where the cord really is")
	}
	if err := r.d.LoseFeed("feed-b"); err != nil {
		t.Fatal(err)
	}
	for i := 101; i <= 112; i++ {
		server := fmt.Sprintf("srv-%d", i)
		want := "UnavailableOffline Critical 0"
		if i == 105 {
			want = "Enabled OK 230"
		}
		r.expect(server+" supply 2", r.supply(server, 2), want)
	}
	if err := r.d.MoveCord("srv-105", 2, "pdu-r12-b", 5); err != nil {
		t.Fatal(err)
	}
	r.expect("srv-105 supply 2 where it belongs", r.supply("srv-105", 2), "UnavailableOffline Critical 0")
}

func TestUPSRunsOnBatteryUntilItIsEmpty(t *testing.T) {
	r := start(t)
	r.expect("before", r.snmp("ups-b", upsSource)+" "+r.snmp("ups-b", upsCharge)+" "+r.snmp("ups-b", upsAlarm), "3 100 ")
	if err := r.d.LoseUtility("utility-b"); err != nil {
		t.Fatal(err)
	}
	r.pass(5 * time.Minute)
	r.expect("on battery", r.snmp("ups-b", upsSource)+" "+r.snmp("ups-b", upsAlarm), "5 .1.3.6.1.2.1.33.1.6.3.2")
	if c := r.snmp("ups-b", upsCharge); c == "100" || c == "0" {
		t.Errorf("charge %s", c)
	}
	r.expect("srv-101 supply 2", r.supply("srv-101", 2), "Enabled OK 230")
	r.pass(5 * time.Hour)
	r.expect("empty", r.snmp("ups-b", upsSource), "no answer")
	r.expect("srv-101 supply 2", r.supply("srv-101", 2), "UnavailableOffline Critical 0")
	if err := r.d.RestoreUtility("utility-b"); err != nil {
		t.Fatal(err)
	}
	r.expect("back", r.snmp("ups-b", upsSource)+" "+r.supply("srv-101", 2), "3 Enabled OK 230")
	if err := r.d.Bypass("ups-b", true); err != nil {
		t.Fatal(err)
	}
	r.expect("bypass", r.snmp("ups-b", upsSource), "4")
	if err := r.d.FailUPS("ups-b"); err != nil {
		t.Fatal(err)
	}
	r.expect("failed", r.snmp("ups-b", upsSource), "2")
}

func TestBankBreakerAndOutlet(t *testing.T) {
	r := start(t)
	if err := r.d.TripBreaker("pdu-r12-b", 1); err != nil {
		t.Fatal(err)
	}
	r.expect("bank", r.snmp("pdu-r12-b", bank1Tenth)+" "+r.snmp("pdu-r12-b", outlet5), "0 2")
	r.expect("srv-101 supply 2", r.supply("srv-101", 2), "UnavailableOffline Critical 0")
	if err := r.d.ResetBreaker("pdu-r12-b", 1); err != nil {
		t.Fatal(err)
	}
	if err := r.d.SwitchOutlet("pdu-r12-b", 1, false); err != nil {
		t.Fatal(err)
	}
	r.expect("outlet 5", r.snmp("pdu-r12-b", outlet5), "2")
	r.expect("outlet 1", r.snmp("pdu-r12-b", strings.TrimSuffix(outlet5, ".5")+".1"), "1")
	r.expect("srv-101 supply 2", r.supply("srv-101", 2), "UnavailableOffline Critical 0")
	r.expect("srv-102 supply 2", r.supply("srv-102", 2), "Enabled OK 230")
}

func TestDriveFailsAndIsRebuilt(t *testing.T) {
	r := start(t)
	const unit = "/redfish/v1/Systems/1/Storage/DE00B000"
	state := func() string {
		return r.redfish("srv-104", unit+"/Drives/0", "Status", "Health") + " " + r.redfish("srv-104", unit+"/Drives/0", "StatusIndicator") + " " +
			r.redfish("srv-104", unit+"/Volumes/1", "Status", "Health") + " " + r.redfish("srv-104", unit+"/Volumes/1", "Operations", 0, "PercentageComplete")
	}
	r.expect("well", state(), "OK OK OK ")
	if err := r.d.FailDrive("srv-104", 1); err != nil {
		t.Fatal(err)
	}
	r.expect("failed", state(), "Critical Fail Warning ")
	if err := r.d.ReplaceDrive("srv-104", 1); err != nil {
		t.Fatal(err)
	}
	r.pass(10 * time.Second)
	r.expect("half", state(), "OK Rebuild Warning 50")
	r.pass(10 * time.Second)
	r.expect("whole", state(), "OK OK OK ")
	if err := r.d.FailFan("srv-104", 2); err != nil {
		t.Fatal(err)
	}
	r.expect("fan", r.redfish("srv-104", "/redfish/v1/Chassis/1/Thermal", "Fans", 1, "Status", "Health"), "Critical")
}

func TestThereIsNoSuchThing(t *testing.T) {
	r := start(t)
	for what, err := range map[string]error{
		"supply 3 in srv-101": r.d.PullSupply("srv-101", 3), "supply 1 in srv-999": r.d.FailSupply("srv-999", 1), "feed feed-c": r.d.LoseFeed("feed-c"),
		"outlet 99 on pdu-r12-a": r.d.MoveCord("srv-101", 1, "pdu-r12-a", 99), "utility street": r.d.LoseUtility("street"), "UPS ups-c": r.d.FailUPS("ups-c"),
		"part 3 of PDU pdu-r12-a": r.d.TripBreaker("pdu-r12-a", 3), "fan 9 in srv-101": r.d.FailFan("srv-101", 9), "drive 0 in srv-101": r.d.FailDrive("srv-101", 0),
	} {
		if err == nil || err.Error() != "there is no "+what {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Every page of every make is JSON whose links lead somewhere, but for those that a fault took away.
func TestLinksOfEachMakeLeadSomewhere(t *testing.T) {
	p := newPlant(time.Now())
	for _, name := range []string{"srv-101", "srv-102", "srv-103"} {
		s := p.servers[name]
		res := NewResources(nil)
		for path, page := range s.make.pages() {
			res.Put(path, page(p.view(s, time.Now())))
		}
		res.Put("/redfish/v1/SessionService/Sessions", map[string]any{})
		seen := map[string]bool{}
		links(res, "/redfish/v1", seen)
		for path := range s.make.pages() {
			if !seen[path] {
				t.Errorf("%s: nothing leads to %s", name, path)
			}
			body, _ := res.Get(path)
			for _, to := range refs(body) {
				if _, ok := res.Get(to); !ok {
					t.Errorf("%s: %s leads to %s, which isn't there", name, path, to)
				}
			}
		}
	}
}

func refs(body json.RawMessage) (out []string) {
	v, _ := decode(body)
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if id, ok := v["@odata.id"].(string); ok {
				out = append(out, id)
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(v)
	return out
}

func TestScriptCanBePlayed(t *testing.T) {
	r := start(t)
	at := time.Duration(-1)
	for _, s := range r.d.Script() {
		if s.At <= at || s.Words == "" || s.Expect == "" || strings.Contains(s.Words+s.Expect, "\n") {
			t.Errorf("%+v", s)
		}
		if at >= 0 {
			r.pass(s.At - at)
		}
		at = s.At
		if s.Do == nil {
			continue
		}
		if err := s.Do(); err != nil {
			t.Errorf("%s: %v", s.Words, err)
		}
		for i := 101; i <= 112; i++ {
			if server := fmt.Sprintf("srv-%d", i); !r.d.Runs(server) {
				t.Errorf("%s: %s does not run", s.Words, server)
			}
		}
	}
	for i := 101; i <= 112; i++ {
		for slot := 1; slot <= 2; slot++ {
			r.expect(fmt.Sprintf("srv-%d supply %d at the end", i, slot), r.supply(fmt.Sprintf("srv-%d", i), slot), "Enabled OK 230")
		}
	}
}
