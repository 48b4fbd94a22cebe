package redfish

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"
)

// Bounds of a stream of events.
const (
	streamLife  = time.Hour // then it is opened anew: a service may have forgotten it without closing the connection
	offerAgain  = time.Hour // before a service that offers no stream is asked again
	maxEvent    = 1 << 20   // bytes of one event
	mostOrigins = 64        // resources that the next poll reads for events' sake
)

// Events has the service push its events, where there is a Receiver, or else listens to its stream of server-sent events
// (DSP0266, Server-sent events), and calls poke for each event that may be about the hardware; the next poll reads what
// it is about. It runs until ctx is done; a stream that breaks, or a subscription that is refused, is its error. At a
// service that offers neither it waits, and asks again now and then.
func (s *session) Events(ctx context.Context, poke func(why string)) error {
	for {
		if s.pushed != nil {
			if offered, err := s.push(ctx, poke); offered || ctx.Err() != nil {
				return err
			}
		}
		at, f := s.client.stream(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case f != nil:
			return fmt.Errorf("ask for the event service of %s: %w", s.client.host, f)
		case at != "":
			err := s.listen(ctx, at, poke)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return fmt.Errorf("event stream of %s: %w", s.client.host, err)
			}
			continue // its life was over
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(offerAgain):
		}
	}
}

// stream asks the event service where its stream is; "" where it offers none.
func (c *client) stream(ctx context.Context) (string, *failure) {
	body, f := c.eventService(ctx)
	if f != nil {
		return "", f
	}
	at := body.get("ServerSentEventUri").raw()
	if at == "" || normal(at) == "" {
		return "", nil // none, or one at another host
	}
	return at, nil
}

// listen reads one stream until it ends, ctx is done or its life is over (nil).
func (s *session) listen(ctx context.Context, at string, poke func(string)) error {
	life, cancel := context.WithTimeout(ctx, streamLife)
	defer cancel()
	req, err := http.NewRequestWithContext(life, http.MethodGet, s.client.endpoint+at, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("OData-Version", "4.0")
	req.Header.Set("User-Agent", "sparewatch")
	maps.Copy(req.Header, s.client.proof(false))
	// A connection of its own: polls must not wait for the stream's to be free, nor the stream end with their timeout.
	transport := s.client.transportOf()
	transport.ResponseHeaderTimeout = s.client.target.Timeout
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, CheckRedirect: s.client.redirect}).Do(req)
	if err != nil {
		return s.client.streamError(life, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return s.client.refusal(resp.StatusCode, nil)
	}
	if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		return fmt.Errorf("it answers %q where a stream of events was meant", shorten(clean(kind), 80))
	}
	err = readEvents(bufio.NewReaderSize(resp.Body, 64<<10), func(data string) { s.hear(data, poke) })
	if life.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}

func (c *client) streamError(ctx context.Context, err error) error {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return c.wordsFor(ctx, err)
}

// readEvents takes a stream of server-sent events apart (WHATWG HTML, section 9.2): lines of "data:" up to an empty one
// are one event.
func readEvents(r *bufio.Reader, event func(data string)) error {
	var data strings.Builder
	for {
		line, err := readLine(r, maxEvent)
		if err != nil {
			return err
		}
		field, val, _ := strings.Cut(line, ":")
		switch {
		case line == "":
			if data.Len() > 0 {
				event(data.String())
			}
			data.Reset()
		case field == "data":
			if data.Len()+len(val) > maxEvent {
				return fmt.Errorf("an event is larger than %d bytes", maxEvent)
			}
			if data.Len() > 0 {
				data.WriteByte('\n')
			}
			data.WriteString(strings.TrimPrefix(val, " "))
		}
	}
}

func readLine(r *bufio.Reader, most int) (string, error) {
	var line []byte
	for {
		part, more, err := r.ReadLine()
		if err != nil {
			return "", fmt.Errorf("the stream ended: %w", err)
		}
		if line = append(line, part...); len(line) > most {
			return "", fmt.Errorf("a line is longer than %d bytes", most)
		}
		if !more {
			return string(line), nil
		}
	}
}

// hear looks at one event and pokes, if it may be about the hardware.
func (s *session) hear(data string, poke func(string)) {
	body, err := parseJSON([]byte(data))
	if err != nil {
		poke("an event that cannot be read")
		return
	}
	for _, e := range body.get("Events").items() {
		s.hearOne(e, poke)
	}
}

// hearOne takes in one event of a post or a stream, and reports whether it may be about the hardware.
func (s *session) hearOne(e value, poke func(string)) bool {
	why, origin, about := aboutHardware(e)
	if !about {
		return false
	}
	s.concern(origin, aboutWords(why+" "+e.get("MessageId").str()+" "+origin))
	poke(why)
	return true
}

// aboutHardware sorts out what events a poll can answer: not logins (our own would poke us for ever), tasks, metric
// reports and the like.
func aboutHardware(e value) (why, origin string, about bool) {
	id := e.get("MessageId").str()
	if strings.EqualFold(e.get("EventType").str(), "MetricReport") {
		return "", "", false
	}
	for _, w := range []string{"session", "login", "logout", "loggedin", "loggedout", "audit", "taskevent", "metricreport", "testmessage"} {
		if strings.Contains(strings.ToLower(id), w) {
			return "", "", false
		}
	}
	origin = normal(e.get("OriginOfCondition").link())
	for _, other := range []string{"/SessionService", "/AccountService", "/EventService", "/TaskService", "/UpdateService", "/JobService", "/TelemetryService", "/CertificateService"} {
		if strings.HasPrefix(origin, rootPath+other) {
			return "", "", false
		}
	}
	why = e.get("Message").str()
	if why == "" {
		why = id
	}
	if why == "" {
		why = "an event of type " + e.get("EventType").str()
	}
	return shorten(why, 200), origin, true
}

// concern notes a resource for the next poll to read, and kinds of resources.
func (s *session) concern(path string, kinds []role) {
	s.hot.Lock()
	defer s.hot.Unlock()
	if s.origins == nil {
		s.origins, s.kinds = map[string]bool{}, map[role]bool{}
	}
	if len(s.origins) < mostOrigins && path != "" {
		s.origins[path] = true
	}
	for _, k := range kinds {
		s.kinds[k] = true
	}
}

func (s *session) concerns() (paths map[string]bool, kinds map[role]bool) {
	s.hot.Lock()
	defer s.hot.Unlock()
	paths, kinds = s.origins, s.kinds
	s.origins, s.kinds = nil, nil
	return paths, kinds
}

// alike marks all resources of the kinds that an event may be about, where it named none that is read.
func (t *tree) alike(kinds map[role]bool, turn map[string]bool) {
	for p, e := range t.entries {
		if !kinds[e.role] || e.gone {
			continue
		}
		if e.inside != "" {
			turn[e.inside] = true
		}
		turn[p] = true
	}
}

// near marks the resources that an event at path is about: itself, what is above and below it; and the collection that
// brings them. It reports whether path is one that is read.
func (t *tree) near(path string, turn map[string]bool) (known bool) {
	for p, e := range t.entries {
		if p != path && !strings.HasPrefix(p, path+"/") && !strings.HasPrefix(path, p+"/") {
			continue
		}
		if e.inside != "" {
			turn[e.inside] = true
		}
		turn[p] = true
		known = known || p == path && e.role != rSystem && e.role != rChassis && e.role != rManager
	}
	return known
}

// transportOf makes a transport as the polls use.
func (c *client) transportOf() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true) // HTTP/2 costs half as much again at a BMC and buys nothing for two requests at once
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: c.target.Timeout}).DialContext,
		TLSClientConfig:     c.target.Credentials.TLS.Config(c.host),
		TLSHandshakeTimeout: c.target.Timeout,
		MaxConnsPerHost:     inFlight,
		MaxIdleConnsPerHost: inFlight,
		IdleConnTimeout:     2 * time.Minute,
		DisableCompression:  true,
		Protocols:           &protocols,
	}
}
