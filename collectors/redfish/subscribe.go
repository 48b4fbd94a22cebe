package redfish

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// A session that has a Receiver subscribes to its service's events (DSP0266, Event service; EventDestination.v1): once, known
// again by its Context after a restart, looked after on the inventory interval, and taken back at the end.

const (
	mostMembers  = 64        // subscriptions of a service that are looked through for our own
	refusedPause = time.Hour // before a service that refused a subscription is asked again
)

// pushed is what a session knows of its subscription.
type pushed struct {
	receiver *Receiver
	sub      *subscription
	at       string        // its resource at the service; "" where there is none
	look     chan struct{} // the inventory was read: is it still there?
	refused  time.Time     // not before then is it asked for again
}

// push subscribes and hears until ctx is done. offered is false where the service takes no subscriptions, or has refused one.
func (s *session) push(ctx context.Context, poke func(string)) (offered bool, err error) {
	p := s.pushed
	if s.now().Before(p.refused) {
		return false, nil
	}
	if p.sub == nil {
		p.sub = p.receiver.open(s.target.Device, s.target.URL, func(e value) bool { return s.hearOne(e, poke) })
	}
	for first := true; ; first = false {
		select {
		case <-p.look: // what was read before now does not tell of this one
		default:
		}
		made, f := s.subscribe(ctx)
		switch {
		case over(ctx):
			return true, nil
		case f != nil && !f.final:
			return true, fmt.Errorf("subscribe to the events of %s: %w", s.client.host, f)
		case f != nil:
			p.refused = s.now().Add(refusedPause)
			p.receiver.stand(p.sub, false, false, true)
			return true, fmt.Errorf("subscribe to the events of %s: %w%s", s.client.host, f, hintOf(f))
		case p.at == "":
			return false, nil
		}
		p.receiver.stand(p.sub, true, made && !first, false)
		if made && !first {
			poke("the service had forgotten our subscription to its events: some may be missed")
		}
		for lost := false; !lost; {
			select {
			case <-ctx.Done():
				return true, nil
			case <-p.look:
			}
			if lost, f = s.lost(ctx); f != nil && ctx.Err() == nil {
				p.receiver.stand(p.sub, false, false, false)
				return true, fmt.Errorf("look for our subscription to the events of %s: %w", s.client.host, f)
			}
		}
	}
}

// over reports whether nobody wants to hear any more.
func over(ctx context.Context) bool { return ctx.Err() != nil }

func hintOf(f *failure) string {
	if f.hint == "" {
		return ""
	}
	return " (" + f.hint + ")"
}

// lost reports whether the service holds our subscription no more, or not as we made it.
func (s *session) lost(ctx context.Context) (bool, *failure) {
	body, f := s.client.resource(ctx, s.pushed.at)
	if f != nil {
		if f.status == http.StatusNotFound || f.status == http.StatusGone {
			return true, nil
		}
		return false, f
	}
	return !s.pushed.sub.good(body), nil
}

// good reports whether a subscription at a service is ours and posts to where we listen.
func (sub *subscription) good(body value) bool {
	switch status(body.get("Status")).presence() {
	case off, cut, gone, broken: // suspended after posts that failed
		return false
	}
	return body.get("Destination").raw() == sub.destination
}

// ours reports whether a subscription at a service was made by this daemon, or by an earlier life of it.
func (sub *subscription) ours(body value) bool {
	return body.get("Context").raw() == sub.context || body.get("Destination").raw() == sub.destination
}

// subscribe finds our subscription at the service, or makes one. made: it was made now. Where the service takes none the
// session's at is empty. A failure is final where the service refuses, and not where it only could not be read.
func (s *session) subscribe(ctx context.Context) (made bool, f *failure) {
	p := s.pushed
	p.at = ""
	service, f := s.client.eventService(ctx)
	if f != nil || service.kind != object {
		return false, s.mayNot(f)
	}
	list := normal(service.get("Subscriptions").link())
	if list == "" {
		return false, nil
	}
	members, f := s.client.resource(ctx, service.get("Subscriptions").link())
	if f != nil {
		return false, s.mayNot(notOffered(f))
	}
	for i, m := range members.get("Members").items() {
		if normal(m.link()) == "" || i >= mostMembers {
			continue
		}
		body := m
		if len(m.names()) < 3 {
			if body, f = s.client.resource(ctx, m.link()); f != nil {
				continue
			}
		}
		switch {
		case !p.sub.ours(body):
		case p.at == "" && p.sub.good(body):
			p.at = localPath(m.link())
		default: // of an earlier life, or one too many
			_, _ = s.client.do(ctx, http.MethodDelete, localPath(m.link()), "", nil)
		}
	}
	if p.at != "" {
		return false, nil
	}
	p.at, f = s.client.makeSubscription(ctx, service.get("Subscriptions").link(), p.sub.dialects(service))
	if f != nil && f.status != 0 {
		f.final = true
		if f.status == http.StatusServiceUnavailable || f.status == http.StatusConflict {
			f.hint = "the BMC may hold as many subscriptions as it can: take out those that nobody needs"
		}
	}
	return f == nil, s.mayNot(f)
}

// notOffered turns what a service answers that has no such thing into no failure at all.
func notOffered(f *failure) *failure {
	switch f.status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return nil
	}
	return f
}

// mayNot says what to do where our user has not the right to subscribe.
func (s *session) mayNot(f *failure) *failure {
	if f == nil {
		return nil
	}
	g := *f // it may be one that the client keeps
	g.final = f.final && f.status != 0
	switch g.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		g.final = true
		g.hint = fmt.Sprintf("user %q may not subscribe: give it a role with ConfigureManager (Operator, mostly), or leave this BMC to its polls", s.target.Credentials.User)
	}
	return &g
}

// dialects are the ways in which services want to be asked for a subscription, the likeliest first. DSP0268 has deprecated
// EventTypes in EventDestination.v1_5 for RegistryPrefixes and ResourceTypes; older services (iLO 4 and 5, iDRAC 8, Huawei's
// iBMC, Supermicro's) insist on it, and bmcweb refuses it as it refuses every name that it does not know.
func (sub *subscription) dialects(service value) []map[string]any {
	plain := map[string]any{"Destination": sub.destination, "Protocol": "Redfish", "Context": sub.context}
	with := func(more map[string]any) map[string]any {
		out := map[string]any{}
		for _, m := range []map[string]any{plain, more} {
			for k, v := range m {
				out[k] = v
			}
		}
		return out
	}
	modern := map[string]any{"SubscriptionType": "RedfishEvent", "EventFormatType": "Event"}
	patient := map[string]any{"SubscriptionType": "RedfishEvent", "EventFormatType": "Event", "DeliveryRetryPolicy": "RetryForever"}
	typed := map[string]any{"EventTypes": eventTypes(service)}
	if len(service.get("EventTypesForSubscription").items()) > 0 && len(service.get("EventFormatTypes").items()) == 0 {
		return []map[string]any{with(typed), with(modern), plain}
	}
	return []map[string]any{with(patient), with(modern), with(typed), plain}
}

// eventTypes are those of the service's event types that can be about the hardware.
func eventTypes(service value) []string {
	var out []string
	for _, t := range service.get("EventTypesForSubscription").items() {
		switch word := t.str(); word {
		case "StatusChange", "ResourceUpdated", "ResourceAdded", "ResourceRemoved", "Alert":
			out = append(out, word)
		}
	}
	if len(out) == 0 {
		return []string{"Alert"}
	}
	return out
}

// unsubscribe takes the subscription back.
func (s *session) unsubscribe(ctx context.Context) error {
	p := s.pushed
	if p == nil || p.sub == nil {
		return nil
	}
	p.receiver.close(p.sub)
	if p.at == "" {
		return nil
	}
	_, f := s.client.do(ctx, http.MethodDelete, p.at, "", nil)
	p.at = ""
	if f != nil && f.status != http.StatusNotFound && f.status != http.StatusUnauthorized {
		return fmt.Errorf("delete our subscription to the events of %s: %w", s.client.host, f)
	}
	return nil
}

// eventService reads the event service; a value that is no object where the service has none, or it is off.
func (c *client) eventService(ctx context.Context) (value, *failure) {
	c.login.Lock()
	at := c.events
	c.login.Unlock()
	if at == "" {
		return value{}, nil
	}
	body, f := c.resource(ctx, at)
	if f != nil {
		return value{}, notOffered(f)
	}
	if on, known := body.get("ServiceEnabled").boolean(); known && !on {
		return value{}, nil
	}
	return body, nil
}

// resource reads one resource beside the polls.
func (c *client) resource(ctx context.Context, at string) (value, *failure) {
	a, f := c.get(ctx, localPath(at), "")
	if f != nil {
		return value{}, f
	}
	body, err := parseJSON(a.body)
	if err != nil {
		return value{}, failed(snapshot.ClassGarbage, err.Error())
	}
	return body, nil
}

// makeSubscription asks for a subscription in one dialect after the other, until one is taken. It returns where it is.
func (c *client) makeSubscription(ctx context.Context, list string, dialects []map[string]any) (string, *failure) {
	var last *failure
	for _, ask := range dialects {
		body, err := json.Marshal(ask)
		if err != nil {
			return "", failed(snapshot.ClassGarbage, err.Error())
		}
		a, h, f := c.post(ctx, localPath(list), body)
		if f == nil {
			return c.whereIs(ctx, list, ask, h.Get("Location"), a.body)
		}
		if last = f; !dislikes(f.status) {
			break
		}
	}
	return "", last
}

// dislikes reports whether a service that answers so may take the same in other words.
func dislikes(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusInternalServerError, http.StatusNotImplemented, http.StatusUnprocessableEntity, http.StatusUnsupportedMediaType:
		return true
	}
	return false
}

// whereIs finds the resource of a subscription that was just made: by the answer's header, by its body, or by our context
// in the list.
func (c *client) whereIs(ctx context.Context, list string, asked map[string]any, location string, body []byte) (string, *failure) {
	if at := localPath(location); normal(at) != "" {
		return at, nil
	}
	if v, err := parseJSON(body); err == nil && normal(v.link()) != "" {
		return localPath(v.link()), nil
	}
	members, f := c.resource(ctx, list)
	if f != nil {
		return "", f
	}
	for i, m := range members.get("Members").items() {
		if i >= mostMembers {
			break
		}
		if one, f := c.resource(ctx, m.link()); f == nil && one.get("Destination").raw() == asked["Destination"] {
			return localPath(m.link()), nil
		}
	}
	return "", failed(snapshot.ClassGarbage, "it took the subscription, and does not list it")
}

// post sends a body, logged in.
func (c *client) post(ctx context.Context, path string, body []byte) (answer, http.Header, *failure) {
	if f := c.authenticate(ctx); f != nil {
		return answer{}, nil, f
	}
	used := c.currentToken()
	a, h, f := c.send(ctx, http.MethodPost, path, "", body, c.proof(false))
	if f != nil && f.status == http.StatusUnauthorized && used != "" && c.renew(used) {
		if f := c.authenticate(ctx); f != nil {
			return answer{}, nil, f
		}
		a, h, f = c.send(ctx, http.MethodPost, path, "", bytes.Clone(body), c.proof(false))
	}
	return a, h, f
}

// aboutWords are the resources that an event may mean which names none that is known: by words in its message and id.
func aboutWords(text string) []role {
	text = strings.ToLower(text)
	var out []role
	for _, w := range []struct {
		words []string
		roles []role
	}{
		{[]string{"drive", "disk", "storage", "volume", "raid", "array", "pdr", "vdr", "hdd", "ssd", "bbu", "rebuild"}, []role{rDrive, rVolume, rController, rArrayDrive, rArrayVolume, rSimpleStorage}},
		{[]string{"power", "psu", "supply", "input", "voltage", "redundan"}, []role{rPowerSub, rSupply, rOutlet, rCircuit}},
		{[]string{"fan", "cool", "thermal", "pump", "leak"}, []role{rThermalSub, rFan, rPump, rLeakDetector}},
		{[]string{"link", "port", "nic", "network", "ethernet"}, []role{rPort, rEthernet, rBaseAdapter, rSwitch}},
		{[]string{"battery"}, []role{rBattery, rController}},
	} {
		for _, word := range w.words {
			if strings.Contains(text, word) {
				out = append(out, w.roles...)
				break
			}
		}
	}
	return out
}
