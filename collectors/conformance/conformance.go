// Package conformance gives the suite that every collector passes: what a session must do when its device answers,
// answers in part, answers nonsense, refuses, or does not answer at all.
//
//	conformance.Run(t, redfish.Collector{},
//		conformance.Server{Name: "two supplies", Start: startGood, Want: conformance.Healthy},
//		conformance.Server{Name: "wrong password", Start: startDenied, Want: conformance.Denied},
//		conformance.Nobody("redfish"),
//		conformance.SilentTCP("redfish"),
//		conformance.GarbageTCP("redfish"),
//	)
//
// Check looks at one snapshot alone; collectors' own tests call it on every snapshot they make.
package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sort"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// Server is one device, good or bad, that the collector is tried against.
type Server struct {
	Name string
	// Start brings the device up for the length of the test and returns how it is reached. Device and Timeout are
	// filled in where they are empty.
	Start func(t testing.TB) collectors.Target
	Want  Want
}

// Want is what must come of a poll.
type Want struct {
	// Reachable is the snapshot's; where it is false there must be no components and at least one error.
	Reachable bool
	// Class is the class that one of the errors must have; empty: any.
	Class snapshot.Class
	// Components is how many there must be at least.
	Components int
	// Errors: there must be at least one error, though the device is reachable.
	Errors bool
	// Steady: the device does not change, so that every poll must give the same ids.
	Steady bool
}

// What a server may want.
var (
	Healthy     = Want{Reachable: true, Components: 1, Steady: true}
	Partly      = Want{Reachable: true, Components: 1, Errors: true}
	Unreachable = Want{Class: snapshot.ClassUnreachable}
	Denied      = Want{Class: snapshot.ClassAuth}
	Untrusted   = Want{Class: snapshot.ClassCertificate}
	Garbage     = Want{Class: snapshot.ClassGarbage}
)

// Timeout is the time given to one request; Patience is that given to one poll of a device that does not answer.
const (
	Timeout  = 300 * time.Millisecond
	Patience = 20 * time.Second
	soon     = 2 * time.Second // "soon after ctx is done", on a busy machine
)

// Run tries the collector against each server, each in a subtest.
func Run(t *testing.T, c collectors.Collector, servers ...Server) {
	t.Helper()
	t.Run("wrong URLs", func(t *testing.T) { wrongURLs(t, c) })
	for _, s := range servers {
		t.Run(s.Name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			t.Run("polls", func(t *testing.T) { polls(t, c, s) })
			t.Run("cancelled", func(t *testing.T) { cancelled(t, c, s) })
			t.Run("limits", func(t *testing.T) { limits(t, c, s) })
			t.Run("closes", func(t *testing.T) { closes(t, c, s) })
			t.Run("listens", func(t *testing.T) { listens(t, c, s) })
			goleak.VerifyNone(t, before)
		})
	}
}

func open(t *testing.T, c collectors.Collector, s Server, change func(*collectors.Target)) (collectors.Session, collectors.Target) {
	t.Helper()
	target := s.Start(t)
	if target.Device == "" {
		target.Device = "dev-1"
	}
	if target.Timeout == 0 {
		target.Timeout = Timeout
	}
	if change != nil {
		change(&target)
	}
	session, err := c.Open(target)
	if err != nil {
		t.Fatalf("Open(%s): %v", target.URL, err)
	}
	return session, target
}

func wrongURLs(t *testing.T, c collectors.Collector) {
	for _, url := range []string{"", "host", "://", "no-such-scheme://host", "http://", "redfish://", "snmp://", "ipmi://", "bgp://", "%zz"} {
		if _, err := c.Open(collectors.Target{Device: "dev-1", URL: url}); err == nil {
			t.Errorf("Open(%q): no error", url)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("Open(%q): the error has more than one line: %q", url, err)
		}
	}
}

func polls(t *testing.T, c collectors.Collector, s Server) {
	session, target := open(t, c, s, nil)
	defer closeSession(t, session)
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	var first []string
	// The first poll is a Full one whatever is asked for.
	for i, scope := range []collectors.Scope{collectors.Fast, collectors.Fast, collectors.Full, collectors.Fast} {
		snap := session.Poll(ctx, scope)
		if ctx.Err() != nil {
			t.Fatalf("poll %d took more than %s", i+1, Patience)
		}
		Check(t, target, snap)
		check(t, s.Want, snap)
		ids := identities(snap)
		if i == 0 {
			first = ids
		} else if s.Want.Steady && strings.Join(first, " ") != strings.Join(ids, " ") {
			t.Errorf("poll %d gives other ids than the first:\n%v\n%v", i+1, first, ids)
		}
		if t.Failed() {
			return
		}
	}
}

func check(t *testing.T, w Want, snap *snapshot.Snapshot) {
	t.Helper()
	if snap == nil {
		return
	}
	if snap.Reachable != w.Reachable {
		t.Errorf("reachable: %v, errors %v", snap.Reachable, snap.Errors)
	}
	if len(snap.Components) < w.Components {
		t.Errorf("%d components, want at least %d; errors %v", len(snap.Components), w.Components, snap.Errors)
	}
	if (w.Errors || !w.Reachable) && len(snap.Errors) == 0 {
		t.Error("no errors")
	}
	if w.Class == "" {
		return
	}
	for _, e := range snap.Errors {
		if e.Class == w.Class {
			return
		}
	}
	t.Errorf("no error of class %q: %+v", w.Class, snap.Errors)
}

// cancelled polls with a context that is done before, and with one that is done in the middle.
func cancelled(t *testing.T, c collectors.Collector, s Server) {
	session, target := open(t, c, s, func(t *collectors.Target) { t.Timeout = Patience })
	defer closeSession(t, session)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	start := time.Now()
	snap := session.Poll(ctx, collectors.Full)
	if took := time.Since(start); took > soon {
		t.Errorf("a poll whose context was done took %s", took)
	}
	Check(t, target, snap)
	if snap != nil && snap.Reachable && len(snap.Errors) == 0 {
		t.Error("a poll whose context was done says that all went well")
	}

	ctx, cancel = context.WithTimeout(context.Background(), Timeout/3)
	defer cancel()
	start = time.Now()
	snap = session.Poll(ctx, collectors.Full)
	if took := time.Since(start); took > Timeout/3+soon {
		t.Errorf("a poll with %s of time took %s", Timeout/3, took)
	}
	Check(t, target, snap)
}

// limits polls with the narrowest limits.
func limits(t *testing.T, c collectors.Collector, s Server) {
	for name, narrow := range map[string]collectors.Limits{
		"one component": {Components: 1},
		"two requests":  {Requests: 2},
		"few bytes":     {Bytes: 100},
	} {
		session, target := open(t, c, s, func(t *collectors.Target) { t.Limits = narrow })
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		snap := session.Poll(ctx, collectors.Full)
		cancel()
		Check(t, target, snap)
		switch {
		case snap == nil:
		case narrow.Components > 0 && len(snap.Components) > narrow.Components:
			t.Errorf("%s: %d components", name, len(snap.Components))
		case narrow.Requests > 0 && snap.Requests > narrow.Requests+2: // a login is not counted against the limit
			t.Errorf("%s: %d requests", name, snap.Requests)
		case s.Want.Reachable && s.Want.Components > 1 && len(snap.Errors) == 0:
			t.Errorf("%s: nothing says that something was left out", name)
		}
		closeSession(t, session)
	}
}

// closes closes twice, before and after a poll.
func closes(t *testing.T, c collectors.Collector, s Server) {
	session, _ := open(t, c, s, nil)
	closeSession(t, session)
	closeSession(t, session)
	session, _ = open(t, c, s, nil)
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	session.Poll(ctx, collectors.Full)
	closeSession(t, session)
	closeSession(t, session)
}

// listens hears a session's events, where it has any, while it polls, and stops.
func listens(t *testing.T, c collectors.Collector, s Server) {
	session, target := open(t, c, s, nil)
	defer closeSession(t, session)
	source, ok := session.(collectors.Listener)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	session.Poll(ctx, collectors.Full)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = source.Events(ctx, func(string) {}) // a broken stream is its error
	}()
	Check(t, target, session.Poll(ctx, collectors.Fast))
	cancel()
	select {
	case <-done:
	case <-time.After(soon):
		t.Errorf("Events did not end within %s after its context was done", soon)
	}
}

// closeSession closes and accepts an error: a device that is gone cannot take back what it holds.
func closeSession(t *testing.T, s collectors.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	start := time.Now()
	_ = s.Close(ctx)
	if took := time.Since(start); took > 2*soon {
		t.Errorf("Close took %s", took)
	}
}

func identities(s *snapshot.Snapshot) []string {
	var ids []string
	for _, c := range s.Components {
		ids = append(ids, string(c.ID))
	}
	for _, c := range s.Claims {
		ids = append(ids, string(c.Group))
	}
	sort.Strings(ids)
	return ids
}

// Bounds of one text in a snapshot: what a person can read and a store can keep.
const (
	MaxText = 1024
	MaxID   = 256
)

// Check looks at one snapshot: that it is whole, that its ids are valid and unique, that nothing in it refers to
// nothing, that what is not known does not read as good, and that no secret is in it.
func Check(t testing.TB, target collectors.Target, s *snapshot.Snapshot) {
	t.Helper()
	if s == nil {
		t.Error("the snapshot is nil")
		return
	}
	for _, fault := range Faults(target, s) {
		t.Error(fault)
	}
}

// Faults is Check without a test: one sentence for each thing wrong.
func Faults(target collectors.Target, s *snapshot.Snapshot) []string {
	f := &faults{known: map[component.ID]bool{}}
	f.header(target, s)
	for i := range s.Components {
		f.component(target.Device, &s.Components[i])
	}
	for i := range s.Claims {
		f.claim(target.Device, &s.Claims[i])
	}
	for _, l := range s.Links {
		f.link(l)
	}
	for _, e := range s.Errors {
		f.text("an error", e.Error)
		f.add(e.Error == "" || e.At == "" || e.Class == "", "an error without at, words or class: %+v", e)
		f.add(strings.ContainsAny(e.Error+e.Hint, "\n\r"), "an error of more than one line: %q", e.Error)
	}
	f.json(target, s)
	return f.list
}

type faults struct {
	list  []string
	known map[component.ID]bool
}

func (f *faults) add(wrong bool, format string, args ...any) {
	if wrong && len(f.list) < 50 {
		f.list = append(f.list, fmt.Sprintf(format, args...))
	}
}

func (f *faults) text(what, s string) {
	f.add(!utf8.ValidString(s), "%s is not UTF-8: %q", what, s)
	f.add(len(s) > MaxText, "%s has %d bytes", what, len(s))
	f.add(strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }), "%s holds control characters: %q", what, s)
}

func (f *faults) header(target collectors.Target, s *snapshot.Snapshot) {
	f.add(s.Device.Name != target.Device, "the device is called %q, not %q", s.Device.Name, target.Device)
	f.add(s.Collector == "", "the collector has no name")
	f.add(s.Target == "", "the target is empty")
	f.add(s.At.IsZero(), "the snapshot has no time")
	f.add(s.Took < 0, "the poll took %s", s.Took)
	f.add(!s.Reachable && len(s.Components)+len(s.Claims)+len(s.Links) > 0, "unreachable, and yet there are components, claims or links")
	f.add(!s.Reachable && len(s.Errors) == 0, "unreachable, and no error says why")
	f.add(len(s.Errors) > 1000, "%d errors", len(s.Errors))
	for _, w := range []string{s.Device.Vendor, s.Device.Model, s.Device.Serial, s.Device.Firmware, s.Device.UUID, s.Device.Hostname} {
		f.text("an identity", w)
	}
	f.add(s.Device.Powered != "" && s.Device.Powered != "on" && s.Device.Powered != "off", "powered is %q", s.Device.Powered)
}

func (f *faults) component(device string, c *component.Component) {
	id := c.ID
	_, err := component.ParseID(string(id))
	f.add(err != nil, "id: %v", err)
	f.add(id.Device() != device, "%s is not of device %s", id, device)
	f.add(id.Kind() != c.Kind, "%s has the kind %q", id, c.Kind)
	f.add(!kinds[c.Kind], "%s: no such kind", id)
	f.add(f.known[id], "%s is there twice", id)
	f.known[id] = true
	f.add(len(id) > MaxID, "%s has %d bytes", id, len(id))
	f.add(strings.ContainsFunc(string(id), func(r rune) bool { return r <= ' ' || r == 0x7f || r == utf8.RuneError }), "%q holds what no id may hold", id)
	f.text(string(id)+": name", c.Name)
	f.text(string(id)+": why", c.Why)
	f.add(c.Condition != component.OK && c.Why == "", "%s is %s and nothing says why", id, c.Condition)
	available, known := c.Available()
	f.add(available && !known, "%s is available and not known", id)
	f.add(c.Condition == component.Unknown && available, "%s is unknown and yet available", id)
	f.add(c.Condition == component.Absent && (c.Standby || c.Predicted || c.Rebuilding), "%s is absent and yet does something", id)
	seen := map[string]bool{}
	for _, a := range c.Aliases {
		f.text(string(id)+": an alias", a)
		f.add(a == "", "%s has an empty alias", id)
		f.add(seen[a], "%s has the alias %q twice", id, a)
		seen[a] = true
	}
	for k, v := range c.Attributes {
		f.add(k == "" || v == "", "%s has an empty attribute: %q=%q", id, k, v)
		f.text(string(id)+": attribute "+k, v)
	}
	read := map[string]bool{}
	for _, r := range c.Readings {
		f.add(r.Name == "" || r.Unit == "", "%s has a reading without name or unit: %+v", id, r)
		f.add(read[r.Name+"\x00"+r.Phase], "%s has the reading %s twice", id, r.Name)
		read[r.Name+"\x00"+r.Phase] = true
	}
}

func (f *faults) claim(device string, c *snapshot.Claim) {
	_, err := component.ParseID(string(c.Group))
	f.add(err != nil || c.Group.Kind() != component.Group || c.Group.Device() != device, "claim: %q is no group of %s", c.Group, device)
	f.add(!kinds[c.Kind], "claim %s: no such kind %q", c.Group, c.Kind)
	seen := map[component.ID]bool{}
	for _, m := range c.Members {
		f.add(!f.known[m], "claim %s: member %s is no component", c.Group, m)
		f.add(seen[m], "claim %s: member %s is there twice", c.Group, m)
		f.add(m.Kind() != c.Kind, "claim %s of kind %s: member %s", c.Group, c.Kind, m)
		seen[m] = true
	}
	f.add(c.Carries != "" && !f.known[c.Carries], "claim %s carries %s, which is no component", c.Group, c.Carries)
	f.add(c.Needed < 0 || c.Designed < 0 || len(c.Members) > 0 && c.Needed > max(c.Designed, len(c.Members)), "claim %s: needs %d of %d", c.Group, c.Needed, c.Designed)
	f.add(len(c.Members) == 0 && c.State == snapshot.ClaimFull, "claim %s: nothing is in it, and yet it is full", c.Group)
	f.text(string(c.Group)+": why", c.Why)
}

func (f *faults) link(l component.Link) {
	f.add(!f.known[l.From], "link from %s, which is no component", l.From)
	f.add(!f.known[l.To], "link to %s, which is no component", l.To)
	f.add(l.From == l.To, "link from %s to itself", l.From)
	switch l.Kind {
	case component.Feeds, component.Cools, component.Carries, component.Contains, component.Neighbour:
	default:
		f.add(true, "link %s to %s: no such kind %q", l.From, l.To, l.Kind)
	}
}

func (f *faults) json(target collectors.Target, s *snapshot.Snapshot) {
	b, err := json.Marshal(s)
	f.add(err != nil, "it cannot be written as JSON: %v", err)
	for _, secret := range []string{target.Credentials.Password.Reveal(), target.Credentials.V3.AuthKey.Reveal(), target.Credentials.V3.PrivKey.Reveal()} {
		f.add(len(secret) > 3 && strings.Contains(string(b), secret), "a secret is in it")
	}
}

var kinds = func() map[component.Kind]bool {
	m := map[component.Kind]bool{}
	for _, k := range component.Kinds() {
		m[k] = true
	}
	return m
}()

// Nobody is a URL at which nothing listens: unreachable at once over TCP, after the timeout over UDP.
func Nobody(scheme string) Server {
	return Server{Name: "nobody listens", Want: Unreachable, Start: func(t testing.TB) collectors.Target {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return collectors.Target{URL: scheme + "://" + l.Addr().String()}
	}}
}

// SilentTCP takes connections and never says a word.
func SilentTCP(scheme string) Server {
	return Server{Name: "takes connections and says nothing", Want: Unreachable, Start: func(t testing.TB) collectors.Target {
		return collectors.Target{URL: scheme + "://" + listenTCP(t, nil)}
	}}
}

// GarbageTCP answers every connection with bytes of no protocol and closes.
func GarbageTCP(scheme string) Server {
	return Server{Name: "answers garbage", Want: Want{}, Start: func(t testing.TB) collectors.Target {
		return collectors.Target{URL: scheme + "://" + listenTCP(t, []byte("\x00\xff\x80 220 smtp ready\r\n\r\n{{{"))}
	}}
}

// SilentUDP takes datagrams and never answers.
func SilentUDP(scheme string) Server {
	return Server{Name: "takes datagrams and says nothing", Want: Unreachable, Start: func(t testing.TB) collectors.Target {
		return collectors.Target{URL: scheme + "://" + listenUDP(t, nil)}
	}}
}

// GarbageUDP answers every datagram with one of no protocol.
func GarbageUDP(scheme string) Server {
	return Server{Name: "answers garbage", Want: Want{}, Start: func(t testing.TB) collectors.Target {
		return collectors.Target{URL: scheme + "://" + listenUDP(t, []byte("\x30\x82\xff\xff\x02\x01\x01garbage"))}
	}}
}

func listenTCP(t testing.TB, say []byte) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var conns []net.Conn
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if say != nil {
				_, _ = c.Write(say)
				_ = c.Close()
				continue
			}
			conns = append(conns, c)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
		for _, c := range conns {
			_ = c.Close()
		}
	})
	return l.Addr().String()
}

func listenUDP(t testing.TB, say []byte) string {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 65536)
		for {
			_, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			if say != nil {
				_, _ = c.WriteTo(say, from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = c.Close()
		<-done
	})
	return c.LocalAddr().String()
}
