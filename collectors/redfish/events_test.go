package redfish_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

const eventsAt = "/redfish/v1/EventService"

// streaming is a service that pushes what it is given.
type streaming struct {
	*lab.BMC
	say chan string
}

func (s *streaming) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != eventsAt+"/SSE" {
		s.BMC.ServeHTTP(w, r)
		return
	}
	if r.Header.Get("X-Auth-Token") == "" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case line, ok := <-s.say:
			if !ok {
				return
			}
			_, _ = fmt.Fprint(w, line)
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// eventful is a duo that offers a stream of events.
func eventful(t testing.TB) (*streaming, collectors.Target) {
	t.Helper()
	tree := duo(true)
	more := raw(map[string]any{eventsAt: j{"@odata.id": eventsAt, "ServiceEnabled": true, "ServerSentEventUri": eventsAt + "/SSE"}})
	tree[eventsAt] = more[eventsAt]
	root := string(tree["/redfish/v1"])
	tree["/redfish/v1"] = []byte(strings.TrimSuffix(root, "}") + `,"EventService":{"@odata.id":"` + eventsAt + `"}}`)
	s := &streaming{BMC: &lab.BMC{Resources: lab.NewResources(recording.Tree(tree)), User: user, Password: password}, say: make(chan string)}
	_, target := watched(t, s)
	return s, target
}

func event(id, origin, message string) string {
	return "id: 7\ndata: {\"@odata.type\":\"#Event.v1_7_0.Event\",\ndata: \"Events\":[{\"EventType\":\"Alert\",\"MessageId\":\"" + id + "\",\"Message\":\"" + message +
		"\",\"OriginOfCondition\":{\"@odata.id\":\"" + origin + "\"}}]}\n\n"
}

// TestEventBringsAPoll: a supply dies, the service says so, and the poll that follows sees it; so does a drive that no
// poll would have looked at for minutes.
func TestEventBringsAPoll(t *testing.T) {
	svc, target := eventful(t)
	s := open(t, target)
	noErrors(t, poll(t, s, collectors.Full))
	ctx, cancel := context.WithCancel(context.Background())
	pokes, done := make(chan string, 10), make(chan error, 1)
	go func() { done <- s.(collectors.Listener).Events(ctx, func(why string) { pokes <- why }) }()

	heard := func() string {
		t.Helper()
		select {
		case why := <-pokes:
			return why
		case err := <-done:
			t.Fatalf("the stream ended: %v", err)
		case <-time.After(10 * time.Second):
			t.Fatal("nothing was heard")
		}
		return ""
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(svc.Resources.Set("/redfish/v1/Chassis/1/Power", "/PowerSupplies/0/Status", j{"State": "UnavailableOffline", "Health": "Critical"}))
	must(svc.Resources.Set("/redfish/v1/Chassis/1/Power", "/PowerSupplies/0/LineInputVoltage", 0))
	svc.say <- event("Base.1.0.SessionLoggedIn", "/redfish/v1/SessionService/Sessions/3", "somebody came") // not worth a poll
	svc.say <- ": still here\n\n"
	svc.say <- event("Power.1.0.PowerSupplyInputLost", "/redfish/v1/Chassis/1/Power", "supply 1 lost its input")
	if why := heard(); why != "supply 1 lost its input" {
		t.Errorf("heard %q", why)
	}
	if c := condition(t, poll(t, s, collectors.Fast), "psu/1"); !c.InputLost {
		t.Errorf("psu/1 is %s (%s)", c.Condition, c.Why)
	}
	const drive = "/redfish/v1/Systems/1/Storage/R1/Drives/2"
	must(svc.Resources.Set(drive, "/Status/Health", "Critical"))
	svc.say <- event("StorageDevice.1.1.DriveFailed", drive, "drive 2 failed")
	heard()
	if c := condition(t, poll(t, s, collectors.Fast), "drive/2"); c.Condition != component.Failed {
		t.Errorf("drive/2 is %s (%s)", c.Condition, c.Why)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("a cancelled stream ends with %v", err)
	}
	if len(pokes) != 0 {
		t.Errorf("%d pokes too many", len(pokes))
	}
}

// TestBrokenStreamIsAnError, so that whoever listens begins anew; a service without a stream just stays silent.
func TestBrokenStreamIsAnError(t *testing.T) {
	svc, target := eventful(t)
	s := open(t, target)
	noErrors(t, poll(t, s, collectors.Full))
	go close(svc.say)
	if err := s.(collectors.Listener).Events(context.Background(), func(string) {}); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("%v", err)
	}

	_, target = serve(t, duo(true))
	s = open(t, target)
	noErrors(t, poll(t, s, collectors.Full))
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := s.(collectors.Listener).Events(ctx, func(why string) { t.Errorf("poked: %s", why) }); err != nil {
		t.Errorf("%v", err)
	}
}
