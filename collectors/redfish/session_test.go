package redfish_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/conformance"
	"github.com/sparewatch/sparewatch/collectors/redfish"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

func open(t testing.TB, target collectors.Target) collectors.Session {
	t.Helper()
	s, err := redfish.Collector{}.Open(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// poll reads and checks that the snapshot is as every snapshot must be.
func poll(t testing.TB, s collectors.Session, scope collectors.Scope) *snapshot.Snapshot {
	t.Helper()
	snap := s.Poll(context.Background(), scope)
	conformance.Check(t, collectors.Target{Device: "srv-1", Credentials: collectors.Credentials{Password: secret.New(password)}}, snap)
	return snap
}

func condition(t testing.TB, snap *snapshot.Snapshot, id string) component.Component {
	t.Helper()
	for _, c := range snap.Components {
		if c.ID == component.ID("srv-1/"+id) {
			return c
		}
	}
	t.Fatalf("there is no %s; errors %v", id, snap.Errors)
	return component.Component{}
}

func noErrors(t testing.TB, snap *snapshot.Snapshot) {
	t.Helper()
	if !snap.Reachable || len(snap.Errors) > 0 {
		t.Fatalf("reachable %v, errors %+v", snap.Reachable, snap.Errors)
	}
}

func TestOneSessionForAllPolls(t *testing.T) {
	bmc, target := serve(t, duo(false))
	s := open(t, target)
	for i := range 5 {
		noErrors(t, poll(t, s, []collectors.Scope{collectors.Full, collectors.Fast}[i%2]))
	}
	if open, opened := bmc.Sessions(); open != 1 || opened != 1 {
		t.Errorf("%d sessions were opened, %d are open", opened, open)
	}
	for range 2 {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	if open, _ := bmc.Sessions(); open != 0 {
		t.Errorf("%d sessions are left", open)
	}
	if n := bmc.MostAtOnce(); n > 2 {
		t.Errorf("%d requests were under way at once", n)
	}
}

func TestForgottenSessionIsMadeAnew(t *testing.T) {
	bmc, target := serve(t, duo(false))
	s := open(t, target)
	noErrors(t, poll(t, s, collectors.Full))
	bmc.DropSessions()
	noErrors(t, poll(t, s, collectors.Fast))
	if open, opened := bmc.Sessions(); open != 1 || opened != 2 {
		t.Errorf("%d sessions were opened, %d are open", opened, open)
	}
}

func TestNoSessionLeft(t *testing.T) {
	b := &lab.BMC{Resources: lab.NewResources(duo(false)), User: user, Password: password, MaxSessions: 1}
	bmc, err := lab.ServeRedfish("127.0.0.1:0", b, labCertificate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bmc.Close() })
	target := collectors.Target{Device: "srv-1", URL: bmc.URL(), Credentials: collectors.Credentials{User: user, Password: secret.New(password), TLS: collectors.TLS{Fingerprint: bmc.Fingerprint()}}}
	first, second := open(t, target), open(t, target)
	noErrors(t, poll(t, first, collectors.Full))
	noErrors(t, poll(t, second, collectors.Full)) // by basic authentication
	if open, opened := bmc.Sessions(); open != 1 || opened != 1 {
		t.Errorf("%d sessions were opened, %d are open", opened, open)
	}
	before := bmc.Requests()
	noErrors(t, poll(t, second, collectors.Fast))
	if fast := bmc.Requests() - before; fast > 8 {
		t.Errorf("%d requests: it asks for a session in every poll", fast)
	}
	if err := second.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if open, _ := bmc.Sessions(); open != 1 {
		t.Error("it took away somebody else's session")
	}
}

func TestServiceWithoutSessions(t *testing.T) {
	for _, status := range []int{404, 405, 501} {
		bmc, target := serve(t, duo(false), lab.HTTPFault{Path: "/redfish/v1/SessionService/Sessions", Status: status})
		s := open(t, target)
		noErrors(t, poll(t, s, collectors.Full))
		noErrors(t, poll(t, s, collectors.Fast))
		if _, opened := bmc.Sessions(); opened != 0 {
			t.Errorf("%d: %d sessions", status, opened)
		}
	}
}

// TestRefusedLoginIsNotTriedOn: each wrong try may be the one that locks the account.
func TestRefusedLoginIsNotTriedOn(t *testing.T) {
	bmc, target := serve(t, duo(false))
	target.Credentials.Password = secret.New("wrong-horse")
	s := open(t, target)
	check := func(snap *snapshot.Snapshot) {
		t.Helper()
		if snap.Reachable || len(snap.Errors) != 1 || snap.Errors[0].Class != snapshot.ClassAuth || !strings.Contains(snap.Errors[0].Hint, `"reader"`) {
			t.Fatalf("%+v", snap)
		}
	}
	check(poll(t, s, collectors.Full))
	tries := bmc.Requests()
	for range 5 {
		check(poll(t, s, collectors.Full))
	}
	if n := bmc.Requests() - tries; n != 5 { // the root alone, which needs no login
		t.Errorf("%d more requests in 5 polls", n)
	}

	// The same where only basic authentication is left.
	bmc, target = serve(t, duo(false), lab.HTTPFault{Path: "/redfish/v1/SessionService/Sessions", Status: 405})
	target.Credentials.Password = secret.New("wrong-horse")
	s = open(t, target)
	check(poll(t, s, collectors.Full))
	tries = bmc.Requests()
	if tries > 7 {
		t.Errorf("%d requests before it gave up", tries)
	}
	for range 5 {
		check(poll(t, s, collectors.Full))
	}
	if n := bmc.Requests() - tries; n != 5 {
		t.Errorf("%d more requests in 5 polls", n)
	}
}

func TestCertificateErrorHoldsTheWholeCommand(t *testing.T) {
	bmc, target := serve(t, duo(false))
	target.Credentials.TLS.Fingerprint = ""
	snap := poll(t, open(t, target), collectors.Full)
	if len(snap.Errors) != 1 || snap.Errors[0].Class != snapshot.ClassCertificate {
		t.Fatalf("%+v", snap.Errors)
	}
	want := "sparewatch inspect " + target.URL + " --fingerprint " + bmc.Fingerprint()
	if got := snap.Errors[0].Hint; !strings.Contains(strings.ToLower(got), strings.ToLower(want)) {
		t.Errorf("the hint is %q, want in it %q", got, want)
	} else if want := "sparewatch check --config FILE --pin"; !strings.Contains(got, want) {
		t.Errorf("the hint is %q, want in it %q: inspect pins nothing for the daemon", got, want)
	}
	if bmc.Requests() != 0 {
		t.Error("something was sent to a service whose certificate does not verify")
	}
}

func TestFewRequests(t *testing.T) {
	for _, c := range []struct {
		expand     bool
		full, fast int
	}{{true, 12, 5}, {false, 16, 6}} {
		bmc, target := serve(t, duo(c.expand))
		s := open(t, target)
		noErrors(t, poll(t, s, collectors.Full))
		if n := bmc.Requests(); n > c.full {
			t.Errorf("expand %v: the first poll took %d requests", c.expand, n)
		}
		before := bmc.Requests()
		const polls = 24
		for range polls {
			noErrors(t, poll(t, s, collectors.Fast))
		}
		if n := bmc.Requests() - before; n > polls*c.fast {
			t.Errorf("expand %v: %d fast polls took %d requests", c.expand, polls, n)
		}
	}
}

// TestFastPollSeesWhatChanges: states change between two inventories, and the next poll says so.
func TestFastPollSeesWhatChanges(t *testing.T) {
	const power, st = "/redfish/v1/Chassis/1/Power", "/redfish/v1/Systems/1/Storage/R1"
	for _, expand := range []bool{true, false} {
		bmc, target := serve(t, duo(expand))
		s := open(t, target)
		noErrors(t, poll(t, s, collectors.Full))
		set := func(path, pointer string, v any) {
			t.Helper()
			if err := bmc.Resources.Set(path, pointer, v); err != nil {
				t.Fatal(err)
			}
		}
		want := func(id string, want component.Condition) component.Component {
			t.Helper()
			c := condition(t, poll(t, s, collectors.Fast), id)
			if c.Condition != want {
				t.Errorf("expand %v: %s is %s (%s), want %s", expand, id, c.Condition, c.Why, want)
			}
			return c
		}
		set(power, "/PowerSupplies/1/Status/Health", "Critical")
		want("psu/2", component.Failed)
		set(power, "/PowerSupplies/1/Status/Health", "OK")
		want("psu/2", component.OK)
		set("/redfish/v1/Chassis/1/Thermal", "/Fans/0/Status/Health", "Critical")
		want("fan/1", component.Failed)
		set(st+"/Drives/2", "/Status/Health", "Critical")
		set(st+"/Volumes/1", "/Status/Health", "Warning")
		set(st, "/Status/Health", "Warning") // what makes the others be read at once, where each is read by itself
		snap := poll(t, s, collectors.Fast)
		if d, v := condition(t, snap, "drive/2"), condition(t, snap, "volume/1"); d.Condition != component.Failed || v.Condition != component.Impaired {
			t.Errorf("expand %v: drive/2 %s, volume/1 %s", expand, d.Condition, v.Condition)
		}
		set(st+"/Drives/1", "/FailurePredicted", true) // nothing sums this up: it is seen when its turn comes
		for i := range 18 {
			if condition(t, poll(t, s, collectors.Fast), "drive/1").Predicted {
				break
			} else if i == 17 {
				t.Errorf("expand %v: a drive that fails soon was not seen in 18 polls", expand)
			}
		}
		set("/redfish/v1/Systems/1", "/PowerState", "Off")
		if snap := poll(t, s, collectors.Fast); snap.Device.Powered != "off" {
			t.Errorf("powered %q", snap.Device.Powered)
		}
	}
}

func TestPulledDrive(t *testing.T) {
	const st = "/redfish/v1/Systems/1/Storage/R1"
	bmc, target := serve(t, duo(false))
	s := open(t, target)
	noErrors(t, poll(t, s, collectors.Full))
	bmc.Resources.Delete(st + "/Drives/2") // the storage still lists it
	var c component.Component
	for range 18 {
		c = condition(t, poll(t, s, collectors.Fast), "drive/2")
	}
	if c.Condition != component.Unknown || !strings.Contains(c.Why, "404") {
		t.Errorf("a drive that is listed and does not answer is %s (%s)", c.Condition, c.Why)
	}
	if err := bmc.Resources.Set(st, "/Drives", links(st+"/Drives/1")); err != nil {
		t.Fatal(err)
	}
	for _, c := range poll(t, s, collectors.Full).Components {
		if c.ID == "srv-1/drive/2" && c.Condition != component.Unknown {
			t.Errorf("drive/2 is %s", c.Condition)
		}
	}
}

func TestBusyServiceIsAskedAgain(t *testing.T) {
	_, target := serve(t, duo(false), lab.HTTPFault{Path: "/redfish/v1/Chassis/1/Power", Status: 503, RetryAfter: 1, Times: 1})
	noErrors(t, poll(t, open(t, target), collectors.Full))
}

// TestDeviceThatStopsInTheMiddle: what was read stays, what was not is unknown, and it comes back.
func TestDeviceThatStopsInTheMiddle(t *testing.T) {
	bmc, target := serve(t, duo(false))
	s := open(t, target)
	noErrors(t, poll(t, s, collectors.Full))
	bmc.Inject(lab.HTTPFault{Path: "/redfish/v1/Systems/1/Storage", Close: true}, lab.HTTPFault{Path: "/redfish/v1/Chassis/1/Power", Close: true})
	snap := poll(t, s, collectors.Full)
	if !snap.Reachable || len(snap.Errors) == 0 {
		t.Fatalf("%+v", snap)
	}
	for id, want := range map[string]component.Condition{"psu/1": component.Unknown, "drive/1": component.Unknown, "host/1": component.OK} {
		if c := condition(t, snap, id); c.Condition != want {
			t.Errorf("%s is %s (%s), want %s", id, c.Condition, c.Why, want)
		}
	}
	bmc.Inject(lab.HTTPFault{Close: true})
	snap = poll(t, s, collectors.Fast)
	if snap.Reachable || snap.Errors[0].Class != snapshot.ClassUnreachable {
		t.Fatalf("%+v", snap)
	}
	if snap.Requests > 8 {
		t.Errorf("%d requests at a device that is gone", snap.Requests)
	}
	bmc.Inject()
	snap = poll(t, s, collectors.Fast)
	noErrors(t, snap)
	for _, id := range []string{"psu/1", "drive/1", "volume/1", "fan/1"} {
		if c := condition(t, snap, id); c.Condition != component.OK {
			t.Errorf("%s is %s (%s) after it came back", id, c.Condition, c.Why)
		}
	}
}

// logging wraps a service and keeps what it was asked.
type logging struct {
	http.Handler
	mu    sync.Mutex
	asked []string
}

func (l *logging) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.asked = append(l.asked, r.Method+" "+r.URL.RequestURI())
	l.mu.Unlock()
	l.Handler.ServeHTTP(w, r)
}

func watched(t testing.TB, h http.Handler) (*logging, collectors.Target) {
	t.Helper()
	l := &logging{Handler: h}
	srv := httptest.NewServer(l)
	t.Cleanup(srv.Close)
	return l, collectors.Target{Device: "srv-1", URL: "redfish+http://" + strings.TrimPrefix(srv.URL, "http://"), Timeout: 10 * time.Second,
		Credentials: collectors.Credentials{User: user, Password: secret.New(password)}}
}

// raw makes a tree of bodies as they are.
func raw(bodies map[string]any) recording.Tree {
	t := recording.Tree{}
	for p, b := range bodies {
		text, err := json.Marshal(b)
		if err != nil {
			panic(err)
		}
		t[p] = text
	}
	return t
}

// TestNothingThatDoesHarm: reading some members of an iDRAC's Chassis restarts it; and nobody is ever asked to do
// anything but to answer.
func TestNothingThatDoesHarm(t *testing.T) {
	const c = "/redfish/v1/Chassis"
	for _, root := range []j{
		{"Vendor": "Dell"},
		{"Oem": j{"Dell": j{}}},
		{}, // known by the names of its resources alone
	} {
		body := j{"@odata.id": "/redfish/v1", "Chassis": link(c), "Systems": link("/redfish/v1/Systems")}
		for k, v := range root {
			body[k] = v
		}
		harmful := []string{c + "/Enclosure.Internal.0-1:RAID.Integrated.1-1", c + "/RAID.Integrated.1-1", c + "/Enclosure.External.0-1"}
		tree := raw(map[string]any{
			"/redfish/v1":                           body,
			"/redfish/v1/Systems":                   j{"Members": links("/redfish/v1/Systems/System.Embedded.1")},
			"/redfish/v1/Systems/System.Embedded.1": j{"PowerState": "On", "Status": fine, "Links": j{"Chassis": links(harmful[0])}},
			c:                                       j{"Members": links(append(harmful, c+"/System.Embedded.1")...)},
			c + "/System.Embedded.1":                j{"ChassisType": "RackMount", "Status": fine, "Links": j{"Contains": links(harmful...)}, "Drives": link(c + "/Enclosure.Internal.0-1:RAID.Integrated.1-1/Drives")},
		})
		l, target := watched(t, &lab.BMC{Resources: lab.NewResources(tree)})
		s := open(t, target)
		noErrors(t, poll(t, s, collectors.Full))
		noErrors(t, poll(t, s, collectors.Full))
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		for _, a := range l.asked {
			if strings.Contains(a, "Enclosure") || strings.Contains(a, "RAID") {
				t.Errorf("root %v: it asked %s", root, a)
			}
			method, path, _ := strings.Cut(a, " ")
			if method != "GET" && !strings.Contains(path, "/Sessions") {
				t.Errorf("it asked %s", a)
			}
		}
	}
}

// TestLoopsEnd: collections that hold themselves, chassis that contain each other, pages that lead back, links ten deep.
func TestLoopsEnd(t *testing.T) {
	const c = "/redfish/v1/Chassis"
	bodies := map[string]any{
		"/redfish/v1":         j{"Chassis": link(c), "Systems": link("/redfish/v1/Systems"), "Managers": link("/redfish/v1")},
		"/redfish/v1/Systems": j{"Members": links("/redfish/v1/Systems", "/redfish/v1/Systems/", "/redfish/v1")},
		c:                     j{"Members": links(c+"/A", c+"/B", c), "Members@odata.nextLink": c + "?page=2"},
	}
	for i, name := range []string{"A", "B"} {
		bodies[c+"/"+name] = j{"ChassisType": "Enclosure", "Status": fine, "Links": j{"ContainedBy": link(c + "/" + []string{"B", "A"}[i]), "Contains": links(c+"/A", c+"/B")},
			"Power": link(c + "/A/Power"), "Thermal": link(c + "/" + name)}
	}
	deep := c + "/A/Power"
	bodies[deep] = j{"PowerSupplies": []j{{"@odata.id": deep + "#/PowerSupplies/0", "Name": "PSU 1", "Status": fine}}}
	l, target := watched(t, &lab.BMC{Resources: lab.NewResources(raw(bodies))})
	s := open(t, target)
	for range 2 {
		snap := poll(t, s, collectors.Full)
		if !snap.Reachable {
			t.Fatalf("%+v", snap.Errors)
		}
	}
	if len(l.asked) > 60 {
		t.Errorf("%d requests:\n%s", len(l.asked), strings.Join(l.asked, "\n"))
	}
}

// TestPages: a collection in pages is whole, and one whose pages never end is refused.
func TestPages(t *testing.T) {
	const sup = "/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies"
	page := func(endless bool) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var body any
			n := 0
			_, _ = fmt.Sscanf(r.URL.Query().Get("skip"), "%d", &n)
			switch p := strings.TrimSuffix(r.URL.Path, "/"); {
			case p == "/redfish/v1":
				body = j{"Chassis": link("/redfish/v1/Chassis")}
			case p == "/redfish/v1/Chassis":
				body = j{"Members": links("/redfish/v1/Chassis/1")}
			case p == "/redfish/v1/Chassis/1":
				body = j{"Status": fine, "ChassisType": "Shelf", "PowerSubsystem": link("/redfish/v1/Chassis/1/PowerSubsystem")}
			case p == "/redfish/v1/Chassis/1/PowerSubsystem":
				body = j{"PowerSupplies": link(sup)}
			case p == sup:
				b := j{"Members": links(fmt.Sprintf("%s/%d", sup, n+1)), "Members@odata.count": 7}
				if endless || n < 4 {
					b["Members@odata.nextLink"] = fmt.Sprintf("%s?skip=%d", sup, n+1)
				}
				body = b
			case strings.HasPrefix(p, sup+"/"):
				body = j{"@odata.id": p, "Id": p[len(sup)+1:], "Name": "PSU " + p[len(sup)+1:], "Status": fine}
			default:
				w.WriteHeader(404)
				return
			}
			_ = json.NewEncoder(w).Encode(body)
		})
	}
	_, target := watched(t, page(false))
	target.Credentials = collectors.Credentials{}
	snap := poll(t, open(t, target), collectors.Full)
	noErrors(t, snap)
	for i := 1; i <= 5; i++ {
		condition(t, snap, fmt.Sprintf("psu/%d", i))
	}
	l, target := watched(t, page(true))
	target.Credentials = collectors.Credentials{}
	snap = poll(t, open(t, target), collectors.Full)
	if len(snap.Errors) == 0 || snap.Errors[0].Class != snapshot.ClassLimit || len(l.asked) > 100 {
		t.Errorf("%d requests, errors %+v", len(l.asked), snap.Errors)
	}
}

// TestListsOfLinks: a Power and a Thermal that only link to their supplies and fans (iDRAC 8 of 2017).
func TestListsOfLinks(t *testing.T) {
	const c = "/redfish/v1/Chassis/1"
	tree := duo(false)
	more := raw(map[string]any{
		c + "/Power":                             j{"@odata.id": c + "/Power", "PowerSupplies": links(c+"/Power/PowerSupplies/PSU.Slot.1", c+"/Power/PowerSupplies/PSU.Slot.2")},
		c + "/Power/PowerSupplies/PSU.Slot.1":    j{"@odata.id": c + "/Power/PowerSupplies/PSU.Slot.1", "MemberId": "PSU.Slot.1", "Name": "PS1 Status", "LineInputVoltage": 230, "Status": fine},
		c + "/Power/PowerSupplies/PSU.Slot.2":    j{"@odata.id": c + "/Power/PowerSupplies/PSU.Slot.2", "MemberId": "PSU.Slot.2", "Name": "PS2 Status", "LineInputVoltage": 0, "Status": j{"State": "Enabled", "Health": "Critical"}},
		c + "/Thermal":                           j{"@odata.id": c + "/Thermal", "Fans": links(c + "/Sensors/Fans/0x17||Fan.Embedded.1")},
		c + "/Sensors/Fans/0x17||Fan.Embedded.1": j{"@odata.id": c + "/Sensors/Fans/0x17||Fan.Embedded.1", "FanName": "System Board Fan1", "Reading": 5880, "ReadingUnits": "RPM", "Status": fine},
	})
	for at, body := range more {
		tree[at] = body
	}
	bmc, target := serve(t, tree)
	s := open(t, target)
	snap := poll(t, s, collectors.Full)
	noErrors(t, snap)
	if p := condition(t, snap, "psu/2"); !p.InputLost {
		t.Errorf("psu/2 is %s (%s)", p.Condition, p.Why)
	}
	condition(t, snap, "psu/1")
	condition(t, snap, "fan/1")
	if err := bmc.Resources.Set(c+"/Power/PowerSupplies/PSU.Slot.1", "/Status/Health", "Critical"); err != nil {
		t.Fatal(err)
	}
	snap = poll(t, s, collectors.Fast)
	if p := condition(t, snap, "psu/1"); p.Condition != component.Failed {
		t.Errorf("psu/1 is %s (%s)", p.Condition, p.Why)
	}
}

// TestMembersAsTheyCome: plain strings (Inspur), and collections that come with their members unasked.
func TestMembersAsTheyCome(t *testing.T) {
	const c = "/redfish/v1/Chassis/1"
	_, target := watched(t, &lab.BMC{Resources: lab.NewResources(raw(map[string]any{
		"/redfish/v1":         j{"Chassis": link("/redfish/v1/Chassis")},
		"/redfish/v1/Chassis": j{"Members": []string{c}},
		c:                     j{"ChassisType": "Shelf", "Status": fine, "PowerSubsystem": link(c + "/PowerSubsystem")},
		c + "/PowerSubsystem": j{"PowerSupplies": link(c + "/PowerSubsystem/PowerSupplies")},
		c + "/PowerSubsystem/PowerSupplies": j{"Members": []j{
			{"@odata.id": c + "/PowerSubsystem/PowerSupplies/1", "@odata.type": "#PowerSupply.v1_5_0.PowerSupply", "Id": "1", "Name": "PSU 1", "Status": fine},
			{"@odata.id": c + "/PowerSubsystem/PowerSupplies/2", "@odata.type": "#PowerSupply.v1_5_0.PowerSupply", "Id": "2", "Name": "PSU 2", "Status": j{"State": "Sleep", "Health": "OK"}},
		}},
	}))})
	snap := poll(t, open(t, target), collectors.Full)
	noErrors(t, snap)
	if c := condition(t, snap, "psu/2"); !c.Standby || c.Condition != component.OK {
		t.Errorf("psu/2 is %s, standby %v", c.Condition, c.Standby)
	}
}

// TestPackedAnswers: some services compress what nobody asked them to.
func TestPackedAnswers(t *testing.T) {
	inner := &lab.BMC{Resources: lab.NewResources(duo(false))}
	_, target := watched(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		inner.ServeHTTP(rec, r)
		if rec.Code != http.StatusOK {
			w.WriteHeader(rec.Code)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(rec.Body.Bytes())
		_ = z.Close()
	}))
	target.Credentials = collectors.Credentials{}
	snap := poll(t, open(t, target), collectors.Full)
	noErrors(t, snap)
	condition(t, snap, "psu/2")
}

// TestAllGoneAtOnceIsNotBelieved: a BMC that has just been started lists nothing for a while. That is no supply pulled.
func TestAllGoneAtOnceIsNotBelieved(t *testing.T) {
	const power = "/redfish/v1/Chassis/1/Power"
	bmc, target := serve(t, duo(false))
	s := open(t, target)
	noErrors(t, poll(t, s, collectors.Full))
	if err := bmc.Resources.Set(power, "/PowerSupplies", []j{}); err != nil {
		t.Fatal(err)
	}
	if err := bmc.Resources.Set("/redfish/v1/Systems/1/Storage", "/Members", []j{}); err != nil {
		t.Fatal(err)
	}
	for _, scope := range []collectors.Scope{collectors.Fast, collectors.Full, collectors.Fast} {
		snap := poll(t, s, scope)
		if c := condition(t, snap, "psu/1"); c.Condition != component.Unknown || !strings.Contains(c.Why, "starting") {
			t.Errorf("psu/1 is %s (%s)", c.Condition, c.Why)
		}
		if c := condition(t, snap, "drive/1"); c.Condition != component.OK { // it still answers
			t.Errorf("drive/1 is %s (%s)", c.Condition, c.Why)
		}
	}
	for range 25 {
		poll(t, s, collectors.Full)
	}
	for _, c := range poll(t, s, collectors.Full).Components {
		if c.Kind == component.PSU || c.Kind == component.Drive {
			t.Errorf("%s is still there", c.ID)
		}
	}
}
