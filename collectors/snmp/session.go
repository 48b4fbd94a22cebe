// Package snmp reads devices over SNMP (v1, v2c, v3) by the profiles of package mibs.
//
// collect.go and its neighbours talk: client.go asks and checks answers, walk.go reads columns. parse.go is pure: what
// was read and profiles in, a snapshot's content out. Try does the same with a recording.
//
// A device is asked once, by one GETNEXT, what it is and which trees it has; then only for what the profiles that match
// name, and between inventories only for what changes. What could not be read is an error and its parts are unknown;
// they never look absent.
package snmp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// Collector opens sessions to SNMP agents.
type Collector struct {
	Profiles *mibs.Set // what is known of devices; see Builtin
}

// Builtin loads the profiles that come with the program, and then those in each folder of extra.
func Builtin(extra ...mibs.Source) (*mibs.Set, error) {
	return mibs.Load(Kinds(), append([]mibs.Source{{Name: "mibs/profiles", FS: mibs.Embedded()}}, extra...)...)
}

const defaultTimeout = 4 * time.Second // for one request, sent twice

// Open checks the URL and the credentials' protocols.
func (c Collector) Open(t collectors.Target) (collectors.Session, error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return nil, fmt.Errorf("the URL of %s cannot be read: write snmp://host[:port]", t.Device) // its text may hold a community
	}
	s := &session{set: c.Profiles, target: t, host: u.Hostname(), port: 161}
	switch {
	case u.Scheme != "snmp":
		return nil, fmt.Errorf("%s: an SNMP device is written snmp://host[:port]", u.Redacted())
	case s.host == "":
		return nil, fmt.Errorf("%s names no host: write snmp://host[:port]", u.Redacted())
	case c.Profiles == nil:
		return nil, errors.New("snmp: no profiles are loaded")
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("snmp://%s: %s is no port", u.Host, p)
		}
		s.port = uint16(n)
	}
	s.url = "snmp://" + u.Host
	if a, err := netip.ParseAddr(s.host); err == nil {
		s.addr = netip.AddrPortFrom(a, s.port)
	}
	s.community = t.Credentials.Community.Reveal()
	if u.User != nil {
		s.community = u.User.Username()
	}
	if s.community == "" {
		s.community = "public"
	}
	if s.version, s.usm, err = security(t.Credentials); err != nil {
		return nil, fmt.Errorf("%s: %w", s.url, err)
	}
	if s.target.Timeout == 0 {
		s.target.Timeout = defaultTimeout
	}
	def := collectors.DefaultLimits()
	l := &s.target.Limits
	if l.Requests == 0 {
		l.Requests = def.Requests
	}
	if l.Bytes == 0 {
		l.Bytes = def.Bytes
	}
	if l.Components == 0 {
		l.Components = def.Components
	}
	return s, nil
}

// session remembers of a device what it is, what it said last, and how it likes to be asked.
type session struct {
	set       *mibs.Set
	target    collectors.Target
	url       string // without secrets
	host      string
	port      uint16
	addr      netip.AddrPort // where the host is an address; else it is looked up at each poll
	community string
	version   version
	usm       *usm
	tuning    tuning

	known    bool // sys and profiles are valid
	detected time.Time
	sys      mibs.System // without Present
	profiles []*mibs.Profile
	data     *Data // of the last poll; nil before the first full one
	parsed   *Parsed
	doubt    bool // the last sweep had no answer
	// all and states read everything, and what can change between inventories, of a device that has what it had; nil
	// where it has to be walked.
	all, states *sweep
}

// detectEvery is how often a device that says that it is the same is asked all the same which trees it has.
const detectEvery = time.Hour

// mostBroken is how many sweeps in a row may meet something else than was expected before none is tried any more.
const mostBroken = 8

// Poll reads the device. The first poll is full, and so is one that finds rows come or gone.
func (s *session) Poll(ctx context.Context, scope collectors.Scope) *snapshot.Snapshot {
	start := time.Now()
	snap := &snapshot.Snapshot{
		Target: s.url, Collector: "snmp", Device: snapshot.Device{Name: s.target.Device},
		Components: []component.Component{}, Claims: []snapshot.Claim{}, Links: []component.Link{}, Errors: []snapshot.Error{},
	}
	c, err := s.dial(ctx)
	if err == nil {
		err = s.poll(c, scope, snap)
		c.close()
		snap.Requests = c.requests
	}
	if err != nil {
		snap.Reachable = false
		snap.Components, snap.Claims, snap.Links = []component.Component{}, []snapshot.Claim{}, []component.Link{}
		snap.Errors = append(snap.Errors, s.explain(err))
	}
	snap.At = time.Now()
	snap.Took = snap.At.Sub(start)
	return snap
}

func (s *session) poll(c *client, scope collectors.Scope, snap *snapshot.Snapshot) error {
	full := scope == collectors.Full || !s.known || s.data == nil
	all, states, lost := s.all, s.states, false
	if w := s.sweepFor(full); w != nil {
		if s.doubt { // no answer the last time: is it dead, or was it asked for too much?
			if err := c.there(); err != nil {
				return err
			}
		}
		changed, err := w.run(c, s.data)
		lost = err != nil && !errors.Is(err, errOther)
		s.doubt = err != nil && !c.answered
		switch {
		case err == nil && s.same():
			c.tuning.broken = 0
			s.finish(c, s.data, changed, snap)
			return nil
		case err == nil:
			full = true // another device
		case !c.answered:
			return err
		default:
			c.tuning.broken++
		}
		c.tuning.walks = c.tuning.answer < leastAnswer || c.tuning.broken > mostBroken
		s.all, s.states = nil, nil
	}
	if full {
		return s.full(c, snap)
	}
	data := &Data{Scalars: maps.Clone(s.data.Scalars), Columns: maps.Clone(s.data.Columns), Unread: map[string]error{}}
	if _, err := s.read(c, data, true); err != nil {
		return err
	}
	if !c.answered { // nothing of it can change: is it there?
		if err := c.there(); err != nil {
			return err
		}
	}
	if changedRows(s.data, data) {
		return s.full(c, snap)
	}
	if lost && len(data.Unread) == 0 && !s.tuning.walks {
		s.all, s.states = all, states // an answer was lost; the device is as it was
	}
	s.finish(c, data, true, snap)
	return nil
}

// sweepFor is the sweep by which this poll may read; nil where the device has to be walked.
func (s *session) sweepFor(full bool) *sweep {
	switch {
	case !s.known || s.data == nil || len(s.data.Unread) > 0:
		return nil
	case !full:
		return s.states
	case time.Since(s.detected) >= detectEvery:
		return nil
	}
	return s.all
}

// same reports whether the device is still the one that was detected.
func (s *session) same() bool {
	words := func(oid string) string { return s.data.Scalars[oid].Words() }
	if s.sys.Descr != "" && words(sysDescr) != s.sys.Descr || s.sys.ObjectID != "" && words(sysObjectID) != s.sys.ObjectID {
		return false
	}
	if s.sys.Name != "" {
		s.sys.Name = words(sysName)
	}
	return true
}

func (s *session) full(c *client, snap *snapshot.Snapshot) error {
	sys, err := c.identify(s.set.Presence())
	if err != nil {
		return err
	}
	now := time.Now()
	if now.Sub(s.tuning.swept) >= detectEvery {
		// What went wrong until now may have been the network.
		s.tuning.answer, s.tuning.walks, s.tuning.broken, s.tuning.swept = firstAnswer, false, 0, now
	}
	s.profiles, s.known, s.detected = concerning(s.set.Match(sys), s.target.Named), true, now
	sys.Present = nil
	s.sys = sys
	data := NewData()
	around, err := s.read(c, data, false)
	if err != nil {
		return err
	}
	s.finish(c, data, true, snap)
	s.learn(c, data, around)
	return nil
}

// concerning leaves out the profiles that only speak of what the configuration names, where it names nothing, and then those that only
// extend what nobody lists.
func concerning(profiles []*mibs.Profile, named []component.ID) []*mibs.Profile {
	every := func(p *mibs.Profile, is func(mibs.Component) bool) bool {
		return len(p.Components) > 0 && len(p.Groups) == 0 && !slices.ContainsFunc(p.Components, func(c mibs.Component) bool { return !is(c) })
	}
	extends := func(c mibs.Component) bool { return c.Extends != nil }
	if len(named) == 0 {
		profiles = slices.DeleteFunc(profiles, func(p *mibs.Profile) bool {
			return every(p, func(c mibs.Component) bool { return c.Named || extends(c) }) && !every(p, extends)
		})
	}
	made := map[string]bool{}
	for _, p := range profiles {
		for _, c := range p.Components {
			for _, kind := range c.Kinds() {
				made[kind] = made[kind] || !extends(c)
			}
		}
	}
	return slices.DeleteFunc(profiles, func(p *mibs.Profile) bool {
		return every(p, func(c mibs.Component) bool {
			return extends(c) && !slices.ContainsFunc(c.Extends, func(t mibs.Target) bool { return made[t.Kind] })
		})
	})
}

// learn lays out how the device is read from now on, where nothing of what was walked is in doubt.
func (s *session) learn(c *client, data *Data, around *surroundings) {
	s.all, s.states = nil, nil
	data.compact()
	if len(data.Unread) > 0 || s.tuning.walks || len(s.tuning.noBulk) > 0 {
		return
	}
	// By these a device is known again: by one of them at every poll.
	var group mibs.Profile
	for _, x := range []struct{ oid, said string }{{sysDescr, s.sys.Descr}, {sysObjectID, s.sys.ObjectID}, {sysName, s.sys.Name}} {
		if x.said != "" {
			group.Scalars = append(group.Scalars, mibs.Object{OID: x.oid, Fast: x.oid == sysObjectID})
			if !data.Scalars[x.oid].Known() {
				data.Scalars[x.oid] = StringValue(x.said)
			}
		}
	}
	known := append([]*mibs.Profile{&group}, s.profiles...)
	if s.states = newSweep(wants(known, data, true), data, around); s.states != nil && s.states.steps == "" {
		s.states = nil
	}
	items := wants(known, data, false)
	if c.lookBehind(items, around) {
		s.all = newSweep(items, data, around)
	}
}

// finish turns what was read into the snapshot; where no value changed, it says the same as before. Parts of columns
// that could not be read keep their place, unknown.
func (s *session) finish(c *client, data *Data, changed bool, snap *snapshot.Snapshot) {
	p := s.parsed
	if changed || p == nil {
		p = Parse(s.target.Device, s.profiles, s.sys, data, Options{Limit: s.target.Limits.Components, Named: s.target.Named})
		p.keepUnread(s.parsed, data)
		if c.spent != nil {
			p.Errors = append(p.Errors, snapshot.Error{At: s.url, Error: c.spent.Error(), Class: snapshot.ClassLimit})
		}
		p.nameUnknown(s.sys, s.profiles)
	}
	snap.Reachable, snap.Device = true, p.Device
	snap.Device.Engine = s.engineID()
	// Nobody changes a snapshot: two may share what they say.
	snap.Components, snap.Claims, snap.Links, snap.Errors = orEmpty(p.Components), orEmpty(p.Claims), orEmpty(p.Links), orEmpty(p.Errors)
	for oid := range data.Unread {
		if last := s.data; last != nil && data.Columns[oid] == nil && len(last.Columns[oid]) > 0 {
			// The rows that were there are known for the next comparison, not for this snapshot.
			data.Columns[oid] = []Cell{}
		}
	}
	s.data, s.parsed = data, p
}

// orEmpty is the list, full to its end, so that whoever appends to it gets one of his own; never nil.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return slices.Clip(list)
}

// changedRows reports whether any column that both polls read to its end has other rows.
func changedRows(before, now *Data) bool {
	for oid, cells := range now.Columns {
		if now.Unread[oid] != nil || before.Unread[oid] != nil {
			continue
		}
		if !slices.EqualFunc(cells, before.Columns[oid], func(a, b Cell) bool { return a.Index == b.Index }) {
			return true
		}
	}
	return false
}

// keepUnread brings back, as unknown, parts that the last poll knew and whose columns this one could not read.
func (p *Parsed) keepUnread(last *Parsed, data *Data) {
	if last == nil || len(data.Unread) == 0 {
		return
	}
	here := map[component.ID]bool{}
	for _, c := range p.Components {
		here[c.ID] = true
	}
	for _, c := range last.Components {
		reason := firstUnread(last.Sources[c.ID], data)
		if here[c.ID] || reason == nil {
			continue
		}
		c.Status = component.Status{}
		c.Why = "not read: " + reason.Error()
		c.Readings = nil
		p.Components = append(p.Components, c)
		p.Sources[c.ID] = last.Sources[c.ID]
		here[c.ID] = true
	}
	for _, l := range last.Links {
		if here[l.From] && here[l.To] && !slices.Contains(p.Links, l) {
			p.Links = append(p.Links, l)
		}
	}
	for i := range p.Claims {
		for _, old := range last.Claims {
			if old.Group != p.Claims[i].Group {
				continue
			}
			for _, m := range old.Members {
				if here[m] {
					p.Claims[i].Members = appendNew(p.Claims[i].Members, m)
				}
			}
		}
	}
}

// firstUnread is why a column of a table could not be read; nil where all were, or where there is no table.
func firstUnread(t *mibs.Table, data *Data) error {
	if t == nil {
		return nil
	}
	for _, c := range t.Columns {
		if err := data.Unread[c.OID]; err != nil {
			return err
		}
	}
	return nil
}

// nameUnknown says what a device is that no profile speaks of.
func (p *Parsed) nameUnknown(sys mibs.System, profiles []*mibs.Profile) {
	if slices.ContainsFunc(profiles, func(p *mibs.Profile) bool { return !p.Standard || p.Class != "standard" }) {
		return
	}
	descr := clip(printable(sys.Descr), 200)
	if p.Device.Model == "" {
		p.Device.Model = descr
	}
	var standard []string
	for _, pr := range profiles {
		standard = append(standard, pr.Title)
	}
	read := "and it answers none of the standard MIBs"
	if standard != nil {
		read = "read by " + strings.Join(standard, ", ")
	}
	object := sys.ObjectID
	if object == "" {
		object = "none"
	}
	p.Errors = append(p.Errors, snapshot.Error{
		At: "sysObjectID", Error: fmt.Sprintf("no profile knows this device (sysObjectID %s, sysDescr %q), %s", object, descr, read),
		Hint: "write a profile for it (mibs/README.md); try it with: sparewatch profile test FILE --against RECORDING", Class: snapshot.ClassPartial,
	})
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

// Close forgets what the session remembers; an agent holds nothing for us.
func (s *session) Close(context.Context) error {
	s.known, s.data, s.parsed, s.all, s.states = false, nil, nil, nil, nil
	return nil
}

// explain turns the reason why nothing could be read into words with what to do.
func (s *session) explain(err error) snapshot.Error {
	e := snapshot.Error{At: s.url, Error: oneLine(err.Error()), Class: snapshot.ClassUnreachable}
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		e.Hint = "check the host's name"
	case errors.Is(err, errRefused):
		e.Hint = "the port is closed: is SNMP switched on, and is it this port?"
	case errors.Is(err, context.Canceled):
		e.Error = "the poll was cancelled"
	case errors.Is(err, errNoAnswer), errors.Is(err, context.DeadlineExceeded):
		e.Error, e.Hint = s.silence()
	case errors.Is(err, errWindow):
		e.Class = snapshot.ClassAuth
		e.Hint = "see whether the device restarts again and again, or two devices share its address or engine id; restart its agent"
	case errors.Is(err, errAuth):
		e.Class = snapshot.ClassAuth
		e.Hint = "check user, protocols and keys of credential " + strconv.Quote(s.target.Credentials.Name)
	case errors.Is(err, errGarbage):
		e.Class = snapshot.ClassGarbage
		e.Hint = "is this an SNMP agent?"
	case errors.Is(err, errLimit):
		e.Class = snapshot.ClassLimit
	case errors.As(err, &op):
		e.Hint = "check the address and the route to it"
	}
	return e
}

// silence says what an agent that does not answer may mean: without SNMPv3, a wrong community looks the same.
func (s *session) silence() (words, hint string) {
	waited := s.target.Timeout
	at := net.JoinHostPort(s.host, strconv.Itoa(int(s.port)))
	if s.version == v3 {
		return fmt.Sprintf("no answer from %s within %s: nothing is there, something drops the packets, or the agent does not talk SNMPv3", at, waited),
			"check address, firewall and that SNMPv3 is on; some agents are silent to a wrong privacy key too"
	}
	return fmt.Sprintf("no answer from %s within %s: nothing is there, something drops the packets, or the community is wrong (an agent is silent to a wrong one)", at, waited),
		"check address, firewall, the agent's list of allowed managers, and the community"
}

func oneLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return clip(printable(s), 300)
}
