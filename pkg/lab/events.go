package lab

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"sync"
	"time"
)

// The event service of a BMC (DSP0266, Event service): subscriptions to which it posts, and a stream of server-sent
// events.

const (
	eventService  = "/redfish/v1/EventService"
	subscriptions = eventService + "/Subscriptions"
	eventStream   = eventService + "/SSE"
)

// EventOffer says what a BMC's event service is like; the zero value is a modern one that only pushes.
type EventOffer struct {
	Stream bool // it streams too (ServerSentEventUri)
	NoPush bool // it has no subscriptions
	// Knows are the properties that it takes in a subscription, beside Destination and Protocol; any other is answered with
	// 400. nil: Context, SubscriptionType, EventFormatType, DeliveryRetryPolicy, RegistryPrefixes, ResourceTypes, HttpHeaders.
	Knows []string
	Needs []string // without one of these it answers 400
	Types []string // EventTypesForSubscription; nil: it says none, and says which formats it has instead
	Most  int      // subscriptions at once; 0: 8
}

// Subscription is one that a BMC holds.
type Subscription struct {
	ID, Destination, Context string
	Body                     map[string]any // as it was asked for
}

// Event is what a BMC tells.
type Event struct {
	MessageID, Message, Severity string
	Origin                       string // the resource that it is about; "" where it doesn't say
}

// events is the state of a BMC's event service.
type events struct {
	offer EventOffer
	http  *http.Client
	ctx   context.Context // of what is posted
	stop  context.CancelFunc
	posts sync.WaitGroup

	mu        sync.Mutex
	list      []Subscription
	made      int
	told      int
	delivered int
	streams   map[chan []byte]bool
}

// OfferEvents gives the BMC an event service. It is called before the BMC serves.
func (b *BMC) OfferEvents(o EventOffer) {
	if o.Most == 0 {
		o.Most = 8
	}
	if o.Knows == nil {
		o.Knows = []string{"Context", "SubscriptionType", "EventFormatType", "DeliveryRetryPolicy", "RegistryPrefixes", "ResourceTypes", "HttpHeaders"}
	}
	e := &events{offer: o, streams: map[chan []byte]bool{}}
	e.ctx, e.stop = context.WithCancel(context.Background())
	// As BMCs do, it does not ask whose certificate it is.
	e.http = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConns: 2, IdleConnTimeout: 5 * time.Second}} //nolint:gosec // as said
	b.events = e
}

// Event tells it to everybody who has asked: it posts it to each subscription, and writes it to each stream. It does
// not wait; EventsDelivered says what has arrived.
func (b *BMC) Event(ev Event) {
	e := b.events
	if e == nil || !b.alive() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told++
	for s := range e.streams {
		select {
		case s <- encode(e.body(ev, "")):
		default: // a stream that is not read loses events
		}
	}
	for _, s := range e.list {
		body := encode(e.body(ev, s.Context))
		e.posts.Go(func() { e.post(s.Destination, body) })
	}
}

func (e *events) body(ev Event, told string) map[string]any {
	one := map[string]any{"EventType": "Alert", "EventId": strconv.Itoa(e.told), "MemberId": "0", "EventTimestamp": time.Now().UTC().Format(time.RFC3339),
		"Severity": ev.Severity, "MessageSeverity": ev.Severity, "Message": ev.Message, "MessageId": ev.MessageID}
	if ev.Origin != "" {
		one["OriginOfCondition"] = ref(ev.Origin)
	}
	body := map[string]any{"@odata.type": "#Event.v1_7_0.Event", "Id": strconv.Itoa(e.told), "Name": "Event Array", "Events": []any{one}}
	if told != "" {
		body["Context"] = told
	}
	return body
}

func (e *events) post(to string, body []byte) {
	req, err := http.NewRequestWithContext(e.ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := e.http.Do(req)
	if err != nil {
		return // nobody is there: this BMC tries no second time
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	_ = resp.Body.Close()
	if resp.StatusCode < 300 {
		e.mu.Lock()
		e.delivered++
		e.mu.Unlock()
	}
}

// Subscriptions lists what is subscribed.
func (b *BMC) Subscriptions() []Subscription {
	if b.events == nil {
		return nil
	}
	b.events.mu.Lock()
	defer b.events.mu.Unlock()
	return slices.Clone(b.events.list)
}

// ForgetSubscriptions drops them all, as some BMCs do when they restart.
func (b *BMC) ForgetSubscriptions() {
	b.events.mu.Lock()
	defer b.events.mu.Unlock()
	b.events.list = nil
}

// EventsDelivered is how many posts were taken.
func (b *BMC) EventsDelivered() int {
	b.events.mu.Lock()
	defer b.events.mu.Unlock()
	return b.events.delivered
}

// end stops what is under way.
func (e *events) end() {
	if e != nil {
		e.stop()
		e.posts.Wait()
		e.http.CloseIdleConnections()
	}
}

// serve answers what is asked of the event service; at is a path below it.
func (e *events) serve(w http.ResponseWriter, r *http.Request, at string) {
	switch {
	case at == eventService && r.Method == http.MethodGet:
		e.write(w, http.StatusOK, e.self())
	case at == eventStream && r.Method == http.MethodGet && e.offer.Stream:
		e.stream(w, r)
	case at == subscriptions && !e.offer.NoPush && r.Method == http.MethodGet:
		e.write(w, http.StatusOK, e.collection())
	case at == subscriptions && !e.offer.NoPush && r.Method == http.MethodPost:
		e.subscribe(w, r)
	case path.Dir(at) == subscriptions && (r.Method == http.MethodGet || r.Method == http.MethodDelete):
		e.one(w, r, path.Base(at))
	default:
		refuse(w, http.StatusMethodNotAllowed, "OperationNotAllowed", "The event service does not do that.")
	}
}

func (e *events) write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(encode(body))
}

func (e *events) self() map[string]any {
	body := map[string]any{"@odata.id": eventService, "@odata.type": "#EventService.v1_10_0.EventService", "Id": "EventService", "Name": "Event Service",
		"ServiceEnabled": true, "DeliveryRetryAttempts": 3, "DeliveryRetryIntervalSeconds": 30, "Status": status("OK", "Enabled")}
	if !e.offer.NoPush {
		body["Subscriptions"] = ref(subscriptions)
	}
	if e.offer.Stream {
		body["ServerSentEventUri"] = eventStream
	}
	if e.offer.Types != nil {
		body["EventTypesForSubscription"] = e.offer.Types
	} else {
		body["EventFormatTypes"] = []string{"Event", "MetricReport"}
		body["RegistryPrefixes"] = []string{"Base", "OpenBMC", "ResourceEvent"}
	}
	return body
}

func (e *events) collection() map[string]any {
	e.mu.Lock()
	defer e.mu.Unlock()
	var members []string
	for _, s := range e.list {
		members = append(members, subscriptions+"/"+s.ID)
	}
	return collection(subscriptions, "Event Subscriptions Collection", members...)
}

func (e *events) subscribe(w http.ResponseWriter, r *http.Request) {
	body := map[string]any{}
	if err := json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&body); err != nil {
		refuse(w, http.StatusBadRequest, "MalformedJSON", "The request body is no JSON.")
		return
	}
	for k := range body {
		if k != "Destination" && k != "Protocol" && !slices.Contains(e.offer.Knows, k) {
			refuse(w, http.StatusBadRequest, "PropertyUnknown", fmt.Sprintf("The property %s is not in the list of valid properties for the resource.", k))
			return
		}
	}
	for _, k := range append([]string{"Destination", "Protocol"}, e.offer.Needs...) {
		if body[k] == nil {
			refuse(w, http.StatusBadRequest, "PropertyMissing", fmt.Sprintf("The property %s is a required property and must be included in the request.", k))
			return
		}
	}
	to, _ := body["Destination"].(string)
	if u, err := url.Parse(to); err != nil || u.Host == "" || body["Protocol"] != "Redfish" {
		refuse(w, http.StatusBadRequest, "PropertyValueFormatError", "The value of Destination or Protocol is not one that can be used.")
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.list) >= e.offer.Most {
		refuse(w, http.StatusServiceUnavailable, "EventSubscriptionLimitExceeded", "The event subscription failed due to the number of simultaneous subscriptions exceeding the limit of the implementation.")
		return
	}
	e.made++
	told, _ := body["Context"].(string)
	s := Subscription{ID: strconv.Itoa(e.made), Destination: to, Context: told, Body: body}
	e.list = append(e.list, s)
	w.Header().Set("Location", subscriptions+"/"+s.ID)
	e.write(w, http.StatusCreated, s.resource())
}

func (s Subscription) resource() map[string]any {
	body := map[string]any{"@odata.id": subscriptions + "/" + s.ID, "@odata.type": "#EventDestination.v1_13_0.EventDestination", "Id": s.ID, "Name": "Event Subscription " + s.ID,
		"Status": status("OK", "Enabled")}
	for k, v := range s.Body {
		if k != "HttpHeaders" { // never shown again
			body[k] = v
		}
	}
	return body
}

func (e *events) one(w http.ResponseWriter, r *http.Request, id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.IndexFunc(e.list, func(s Subscription) bool { return s.ID == id })
	switch {
	case i < 0:
		refuse(w, http.StatusNotFound, "ResourceMissingAtURI", "There is no such subscription.")
	case r.Method == http.MethodDelete:
		e.list = slices.Delete(e.list, i, i+1)
		w.WriteHeader(http.StatusNoContent)
	default:
		e.write(w, http.StatusOK, e.list[i].resource())
	}
}

func (e *events) stream(w http.ResponseWriter, r *http.Request) {
	mine := make(chan []byte, 64)
	e.mu.Lock()
	e.streams[mine] = true
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.streams, mine)
		e.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	for n := 1; ; n++ {
		select {
		case <-r.Context().Done():
			return
		case <-e.ctx.Done():
			return
		case body := <-mine:
			if _, err := fmt.Fprintf(w, "id: %d\ndata: %s\n\n", n, body); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// withEvents adds the link to the event service to a root that has none.
func withEvents(root json.RawMessage) json.RawMessage {
	v, ok := decode(root)
	body, is := v.(map[string]any)
	if !ok || !is {
		return root
	}
	body["EventService"] = ref(eventService)
	return encode(body)
}

// Streams is how many streams of events are open.
func (b *BMC) Streams() int {
	if b.events == nil {
		return 0
	}
	b.events.mu.Lock()
	defer b.events.mu.Unlock()
	return len(b.events.streams)
}
