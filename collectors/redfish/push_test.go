package redfish_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/redfish"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/lab"
)

// pushing is a duo with an event service, a receiver for what it pushes, and a session that has polled it once.
type pushing struct {
	*lab.RedfishServer
	receiver *redfish.Receiver
	listens  *httptest.Server
	target   collectors.Target
}

func push(t testing.TB, offer lab.EventOffer, key string) *pushing {
	t.Helper()
	b := &lab.BMC{Resources: lab.NewResources(duo(true)), User: user, Password: password}
	b.OfferEvents(offer)
	s, target := serveBMC(t, b)
	p := &pushing{RedfishServer: s, target: target}
	p.start(t, key)
	return p
}

// start begins a daemon's life: a receiver with a key.
func (p *pushing) start(t testing.TB, key string) {
	t.Helper()
	p.receiver = redfish.NewReceiver("lab", key)
	p.listens = httptest.NewTLSServer(p.receiver)
	t.Cleanup(p.listens.Close)
	p.receiver.SetURL(p.listens.URL)
}

// life is one session that listens.
type life struct {
	t       testing.TB
	session collectors.Session
	pokes   chan string
	done    chan error
	cancel  context.CancelFunc
}

func (p *pushing) listen(t testing.TB) *life {
	t.Helper()
	s, err := redfish.Collector{Push: p.receiver}.Open(p.target)
	if err != nil {
		t.Fatal(err)
	}
	noErrors(t, poll(t, s, collectors.Full))
	ctx, cancel := context.WithCancel(context.Background())
	l := &life{t: t, session: s, pokes: make(chan string, 100), done: make(chan error, 1), cancel: cancel}
	go func() { l.done <- s.(collectors.Listener).Events(ctx, func(why string) { l.pokes <- why }) }()
	return l
}

func (l *life) heard() string {
	l.t.Helper()
	select {
	case why := <-l.pokes:
		return why
	case err := <-l.done:
		l.t.Fatalf("nobody listens any more: %v", err)
	case <-time.After(10 * time.Second):
		l.t.Fatal("nothing was heard")
	}
	return ""
}

// end stops to listen and closes the session, as the poller does.
func (l *life) end() {
	l.t.Helper()
	l.cancel()
	if err := <-l.done; err != nil {
		l.t.Errorf("it ends with %v", err)
	}
	if err := l.session.Close(context.Background()); err != nil {
		l.t.Error(err)
	}
}

// until waits for something that comes soon by itself.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for begun := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatalf("it does not come to pass that %s", what)
		}
	}
}

const lostInput = "Power.1.0.PowerSupplyInputLost"

// TestPush: a supply loses its input, the BMC posts an event, and the poll that it brings sees it; whatever words the BMC
// wants to be asked in. At the end nothing is left at the BMC.
func TestPush(t *testing.T) {
	for _, c := range []struct {
		name  string
		offer lab.EventOffer
		words string // that the subscription was taken with
	}{
		{"DSP0268 of today", lab.EventOffer{}, "DeliveryRetryPolicy"},
		{"bmcweb: no word that it does not know", lab.EventOffer{Knows: []string{"Context", "SubscriptionType", "EventFormatType"}}, "EventFormatType"},
		{"iLO 5, iDRAC 8, iBMC: types of events", lab.EventOffer{Knows: []string{"Context", "EventTypes"}, Needs: []string{"EventTypes"}, Types: []string{"StatusChange", "Alert", "MetricReport"}}, "EventTypes"},
		{"types of events, and nothing says so", lab.EventOffer{Knows: []string{"Context", "EventTypes"}, Needs: []string{"EventTypes"}}, "EventTypes"},
		{"nothing but a destination", lab.EventOffer{Knows: []string{"Context"}}, "Context"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := push(t, c.offer, "")
			l := p.listen(t)
			until(t, "there is a subscription", func() bool { return p.receiver.Stats().Standing == 1 })
			subs := p.Subscriptions()
			if len(subs) != 1 || subs[0].Body[c.words] == nil || !strings.HasPrefix(subs[0].Destination, p.listens.URL+"/redfish/events/") {
				t.Fatalf("%+v", subs)
			}
			if types, is := subs[0].Body["EventTypes"].([]any); is && len(types) == 3 {
				t.Errorf("it asks for metric reports too: %v", types)
			}
			if err := p.Resources.Set("/redfish/v1/Chassis/1/Power", "/PowerSupplies/0/Status", j{"State": "UnavailableOffline", "Health": "Critical"}); err != nil {
				t.Fatal(err)
			}
			if err := p.Resources.Set("/redfish/v1/Chassis/1/Power", "/PowerSupplies/0/LineInputVoltage", 0); err != nil {
				t.Fatal(err)
			}
			p.Event(lab.Event{MessageID: "Base.1.0.SessionLoggedIn", Message: "somebody came", Origin: "/redfish/v1/SessionService/Sessions/3"})
			until(t, "what is not about the hardware is left out", func() bool { return p.receiver.Stats().Ignored == 1 })
			begun := time.Now()
			p.Event(lab.Event{MessageID: lostInput, Message: "supply 1 lost its input", Origin: "/redfish/v1/Chassis/1/Power#/PowerSupplies/0"})
			if why := l.heard(); why != "supply 1 lost its input" {
				t.Errorf("heard %q", why)
			}
			if c := condition(t, poll(t, l.session, collectors.Fast), "psu/1"); !c.InputLost {
				t.Errorf("psu/1 is %s (%s)", c.Condition, c.Why)
			}
			t.Logf("from the event to the condition: %s", time.Since(begun).Round(time.Microsecond))
			l.end()
			if left := p.Subscriptions(); len(left) != 0 {
				t.Errorf("left at the BMC: %+v", left)
			}
			if open, _ := p.Sessions(); open != 0 {
				t.Errorf("%d sessions are left", open)
			}
		})
	}
}

// TestAnEventThatNamesNothing: what it is about stands only in its words, as with iDRAC's.
func TestAnEventThatNamesNothing(t *testing.T) {
	p := push(t, lab.EventOffer{}, "")
	l := p.listen(t)
	defer l.end()
	until(t, "there is a subscription", func() bool { return p.receiver.Stats().Standing == 1 })
	if err := p.Resources.Set("/redfish/v1/Systems/1/Storage/R1/Drives/2", "/Status/Health", "Critical"); err != nil {
		t.Fatal(err)
	}
	p.Event(lab.Event{MessageID: "IDRAC.2.8.PDR1001", Message: "Fault detected on drive 2 in disk drive bay 1.", Origin: "/redfish/v1/Systems/1"})
	l.heard()
	if c := condition(t, poll(t, l.session, collectors.Fast), "drive/2"); c.Condition != component.Failed {
		t.Errorf("drive/2 is %s (%s)", c.Condition, c.Why)
	}
}

// TestForgottenSubscriptionIsRenewed on the next reading of the inventory; so is one that the BMC has suspended.
func TestForgottenSubscriptionIsRenewed(t *testing.T) {
	p := push(t, lab.EventOffer{}, "")
	l := p.listen(t)
	defer l.end()
	until(t, "there is a subscription", func() bool { return p.receiver.Stats().Standing == 1 })
	p.ForgetSubscriptions()
	noErrors(t, poll(t, l.session, collectors.Full))
	if why := l.heard(); !strings.Contains(why, "forgotten") {
		t.Errorf("heard %q", why)
	}
	if n := len(p.Subscriptions()); n != 1 || p.receiver.Stats().Lost != 1 {
		t.Errorf("%d subscriptions, %+v", n, p.receiver.Stats())
	}
	p.Event(lab.Event{MessageID: lostInput, Message: "it works again"})
	if why := l.heard(); why != "it works again" {
		t.Errorf("heard %q", why)
	}
}

// TestOneSubscriptionOverRestarts: a daemon that was killed finds what it left, and keeps it where its key is the same; with
// another key it replaces it.
func TestOneSubscriptionOverRestarts(t *testing.T) {
	p := push(t, lab.EventOffer{}, "a key that stays")
	first := p.listen(t)
	until(t, "there is a subscription", func() bool { return p.receiver.Stats().Standing == 1 })
	before := p.Subscriptions()[0]
	first.cancel() // killed: nothing is deleted
	<-first.done

	base := p.listens.URL
	p.receiver = redfish.NewReceiver("lab", "a key that stays")
	p.receiver.SetURL(base)
	second := p.listen(t)
	until(t, "it is found again", func() bool { return p.receiver.Stats().Standing == 1 })
	if subs := p.Subscriptions(); len(subs) != 1 || subs[0].ID != before.ID {
		t.Errorf("%+v, there was %+v", subs, before)
	}
	second.cancel()
	<-second.done

	p.start(t, "")
	third := p.listen(t)
	until(t, "it is replaced", func() bool { return p.receiver.Stats().Standing == 1 })
	if subs := p.Subscriptions(); len(subs) != 1 || subs[0].Destination == before.Destination || subs[0].Context != before.Context {
		t.Errorf("%+v, there was %+v", subs, before)
	}
	third.end()
	for _, l := range []*life{first, second} {
		_ = l.session.Close(context.Background())
	}
}

// TestStrangersAreIgnored: whoever does not know the address brings nothing about.
func TestStrangersAreIgnored(t *testing.T) {
	p := push(t, lab.EventOffer{}, "")
	l := p.listen(t)
	defer l.end()
	until(t, "there is a subscription", func() bool { return p.receiver.Stats().Standing == 1 })
	to := p.Subscriptions()[0].Destination
	event := `{"Events":[{"MessageId":"` + lostInput + `","Message":"believe me"}]}`
	for _, c := range []struct {
		name, method, to, body string
		status                 int
	}{
		{"another address", http.MethodPost, p.listens.URL + "/redfish/events/00112233445566778899aabbccddeeff", event, http.StatusNotFound},
		{"no address", http.MethodPost, p.listens.URL + "/", event, http.StatusNotFound},
		{"another's context", http.MethodPost, to, `{"Context":"mine",` + event[1:], http.StatusForbidden},
		{"a look", http.MethodGet, to, "", http.StatusMethodNotAllowed},
		{"no JSON", http.MethodPost, to, "<html>", http.StatusBadRequest},
		{"half a JSON", http.MethodPost, to, event[:20], http.StatusBadRequest},
		{"too much", http.MethodPost, to, `{"Events":"` + strings.Repeat("x", 2<<20) + `"}`, http.StatusRequestEntityTooLarge},
		{"no events", http.MethodPost, to, `{"Events":null}`, http.StatusNoContent},
		{"events that are none", http.MethodPost, to, `{"Events":[1,"two",[]]}`, http.StatusNoContent},
	} {
		req, err := http.NewRequest(c.method, c.to, bytes.NewReader([]byte(c.body)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := p.listens.Client().Do(req)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s: answered %d, want %d", c.name, resp.StatusCode, c.status)
		}
	}
	if s := p.receiver.Stats(); s.Strangers != 3 || s.Garbage != 3 {
		t.Errorf("%+v", s)
	}
	for len(l.pokes) > 0 {
		if why := <-l.pokes; strings.Contains(why, "believe me") {
			t.Errorf("a stranger was believed: %q", why)
		}
	}
}

// TestWithoutPush: where a BMC takes no subscription its stream is listened to; where it refuses one it is said, with what to
// do, and not tried on.
func TestWithoutPush(t *testing.T) {
	for _, c := range []struct {
		name  string
		offer lab.EventOffer
		fault lab.HTTPFault
		says  string
	}{
		{"it only streams", lab.EventOffer{Stream: true, NoPush: true}, lab.HTTPFault{}, ""},
		{"it may not be asked", lab.EventOffer{Stream: true, Needs: []string{"Oem"}}, lab.HTTPFault{}, "Oem is a required property"},
		{"it holds as many as it can", lab.EventOffer{Stream: true, Most: -1}, lab.HTTPFault{}, "take out those that nobody needs"},
		{"we have no right to", lab.EventOffer{Stream: true}, lab.HTTPFault{Path: "/redfish/v1/EventService/Subscriptions", Method: http.MethodPost, Status: 403}, "ConfigureManager"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := push(t, c.offer, "")
			if c.fault.Status != 0 {
				p.Inject(c.fault)
			}
			l := p.listen(t)
			if c.says != "" {
				err := <-l.done
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("it says %v", err)
				}
				if s := p.receiver.Stats(); s.Refused != 1 || s.Standing != 0 {
					t.Errorf("%+v", s)
				}
				ctx, cancel := context.WithCancel(context.Background())
				l.cancel = cancel
				go func() { // as the poller does, a while later
					l.done <- l.session.(collectors.Listener).Events(ctx, func(why string) { l.pokes <- why })
				}()
			}
			until(t, "the stream brings it", func() bool {
				p.Event(lab.Event{MessageID: lostInput, Message: "streamed"})
				return len(l.pokes) > 0
			})
			l.end()
		})
	}
}

// TestBusyIsNoRefusal: a BMC that cannot answer for its events now is asked again soon.
func TestBusyIsNoRefusal(t *testing.T) {
	p := push(t, lab.EventOffer{}, "")
	p.Inject(lab.HTTPFault{Path: "/redfish/v1/EventService", Status: 500})
	l := p.listen(t)
	if err := <-l.done; err == nil || !strings.Contains(err.Error(), "500") {
		t.Fatalf("it says %v", err)
	}
	p.Inject()
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	go func() { l.done <- l.session.(collectors.Listener).Events(ctx, func(why string) { l.pokes <- why }) }()
	until(t, "there is a subscription", func() bool { return p.receiver.Stats().Standing == 1 })
	l.end()
}

// BenchmarkEvent is what one pushed event costs, up to the poke, the BMC's post included.
func BenchmarkEvent(b *testing.B) {
	p := push(b, lab.EventOffer{}, "")
	l := p.listen(b)
	until(b, "there is a subscription", func() bool { return p.receiver.Stats().Standing == 1 })
	for b.Loop() {
		p.Event(lab.Event{MessageID: lostInput, Message: "supply 1 lost its input", Origin: "/redfish/v1/Chassis/1/Power"})
		<-l.pokes
	}
	l.end()
}
