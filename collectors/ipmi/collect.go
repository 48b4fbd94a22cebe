package ipmi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bougou/go-ipmi/pkg/types"
	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// conversation is the collectors.Session: it keeps the IPMI session, the SDR repository and the identity from poll to
// poll.
type conversation struct {
	target  collectors.Target
	address string
	timeout time.Duration
	limits  collectors.Limits
	suites  []types.CipherSuiteID // what to try; the one that worked alone, once it did

	plus     bool // it spoke RMCP+ once
	session  *session
	repo     *repository
	identity *identity
	frus     map[byte]fru // of supplies, by FRU device
	log      eventLog
	was      map[component.ID]component.Status // at the last poll
}

// Poll reads the chassis status and the sensors that matter; a full poll also looks whether the SDR repository changed.
func (c *conversation) Poll(ctx context.Context, scope collectors.Scope) *snapshot.Snapshot {
	start := time.Now()
	sn := &snapshot.Snapshot{Target: c.target.URL, Collector: "ipmi", Device: snapshot.Device{Name: c.target.Device},
		Components: []component.Component{}, Claims: []snapshot.Claim{}, Links: []component.Link{}, Errors: []snapshot.Error{}}
	c.poll(ctx, scope, sn)
	sn.At = time.Now()
	sn.Took = sn.At.Sub(start)
	return sn
}

func (c *conversation) poll(ctx context.Context, scope collectors.Scope, sn *snapshot.Snapshot) {
	before := 0
	if c.session != nil {
		before = c.session.requests
	}
	fresh := c.session == nil
	err := c.read(ctx, scope, sn)
	if err != nil && !fresh && !sn.Reachable && (ctx.Err() == nil || errors.Is(err, errForgotten)) {
		// The BMC forgot the session (it restarted, or timed it out): one new one, then it is down.
		before = 0
		c.drop()
		err = c.read(ctx, scope, sn)
	}
	if c.session != nil {
		sn.Requests = c.session.requests - before
	}
	if err != nil {
		sn.Errors = append(sn.Errors, c.explain(err))
		c.drop()
	}
}

// read does one poll. It returns an error only where nothing more can be had; what was had is in sn.
func (c *conversation) read(ctx context.Context, scope collectors.Scope, sn *snapshot.Snapshot) error {
	if c.session == nil {
		if err := c.login(ctx); err != nil {
			return err
		}
	}
	s := c.session
	s.budget, s.room = s.requests+c.limits.Requests, s.bytes+c.limits.Bytes
	m := machine{device: c.target.Device}

	data, err := s.first(ctx, request{netFn: netFnChassis, cmd: cmdGetChassisStatus})
	if err == nil {
		m.chassis, err = decodeChassis(data)
	}
	if err != nil && !isAnswer(err) {
		return fmt.Errorf("get chassis status: %w", err)
	}
	sn.Reachable = true
	if err != nil {
		sn.Errors = append(sn.Errors, partial("chassis status", err))
	}
	if m.chassis != nil {
		sn.Device.Powered = map[bool]string{true: "on", false: "off"}[m.chassis.on]
	}
	if c.identity == nil || scope == collectors.Full {
		id, err := s.identify(ctx)
		if err != nil {
			sn.Errors = append(sn.Errors, partial("identity", err))
		}
		if id != nil {
			c.identity = id
		}
	}
	if c.identity != nil {
		m.identity = *c.identity
		sn.Device.Vendor, sn.Device.Model, sn.Device.Serial, sn.Device.Firmware = m.identity.vendor, m.identity.model, m.identity.serial, m.identity.firmware
		sn.Device.UUID = m.identity.uuid
	}
	if err := c.inventory(ctx, scope, sn); err != nil {
		return err
	}
	if scope == collectors.Full || c.frus == nil {
		if err := c.supplyFRUs(ctx); err != nil {
			return err
		}
	}
	m.sensors, m.locators, m.frus, m.contains = c.repo.sensors, c.repo.locators, c.frus, c.repo.contains
	m.readings = make([]reading, len(m.sensors))
	for i, x := range m.sensors {
		if !relevant(x) {
			continue
		}
		if m.readings[i], err = s.reading(ctx, x.number, x.lun); err != nil {
			if !isAnswer(err) {
				sn.Errors = append(sn.Errors, partial(fmt.Sprintf("sensor %02xh %s", x.number, x.name), err))
				m.readings[i] = reading{why: err.Error()}
				for j := i + 1; j < len(m.readings); j++ {
					m.readings[j] = reading{why: "not read: the poll ended before"}
				}
				break
			}
			m.readings[i] = reading{why: err.Error()}
			sn.Errors = append(sn.Errors, partial(fmt.Sprintf("sensor %02xh %s", x.number, x.name), err))
		}
	}
	parsed := parse(m)
	sn.Components, sn.Claims = parsed.components, parsed.claims
	if scope == collectors.Full || c.changed(sn.Components) {
		if err := c.log.read(ctx, s, scope == collectors.Full, time.Now()); err != nil {
			sn.Errors = append(sn.Errors, partial("system event log", err))
		}
	}
	c.log.annotate(sn.Components, parsed.speaks)
	s.describe(&sn.Components[0])
	c.bound(sn)
	return nil
}

// changed reports whether some part is other than at the last poll: its log may tell why.
func (c *conversation) changed(components []component.Component) bool {
	now := make(map[component.ID]component.Status, len(components))
	changed := false
	for i := range components {
		x := &components[i]
		now[x.ID] = x.Status
		if was, known := c.was[x.ID]; !known || was != x.Status {
			changed = true
		}
	}
	c.was = now
	return changed
}

// describe notes on the host how the session is protected, where that is less than usual.
func (s *session) describe(host *component.Component) {
	if s.plus {
		return
	}
	host.Attributes["ipmi_session"] = "IPMI 1.5, " + names15[s.authType]
	if s.unsigned {
		host.Attributes["ipmi_session"] += ", answers not signed"
	}
}

// bound keeps the snapshot within the target's limit on components; claims name only what is left.
func (c *conversation) bound(sn *snapshot.Snapshot) {
	most := c.limits.Components
	if most <= 0 || len(sn.Components) <= most {
		return
	}
	sn.Errors = append(sn.Errors, snapshot.Error{At: c.target.URL, Class: snapshot.ClassLimit,
		Error: fmt.Sprintf("%d components, the limit is %d: the rest was left out", len(sn.Components), most)})
	sn.Components, sn.Claims = sn.Components[:most], sn.Claims[:0]
}

// inventory keeps the SDR repository: it is read once, and again when its stamp moved.
func (c *conversation) inventory(ctx context.Context, scope collectors.Scope, sn *snapshot.Snapshot) error {
	if c.repo != nil && scope == collectors.Fast {
		return nil
	}
	stamp, _, err := c.session.stamp(ctx)
	if err != nil && !isAnswer(err) {
		return err
	}
	if c.repo != nil && err == nil && stamp == c.repo.stamp {
		return nil
	}
	repo, err := c.session.repository(ctx, stamp)
	if repo.broken > 0 {
		sn.Errors = append(sn.Errors, snapshot.Error{At: "SDR repository", Class: snapshot.ClassPartial,
			Error: fmt.Sprintf("%d records could not be read and were left out", repo.broken)})
	}
	if err != nil {
		sn.Errors = append(sn.Errors, partial("SDR repository", err))
		if c.repo != nil {
			return nil // the old one still says what the sensors are
		}
		if len(repo.sensors) == 0 {
			return fmt.Errorf("read SDR repository: %w", err)
		}
		repo.stamp = [8]byte{} // not whole: read it again next time
	}
	c.repo = repo
	return nil
}

// login opens a session: RMCP+ with the suites in order, IPMI 1.5 where there is nothing newer. A BMC that spoke RMCP+
// once is not spoken to in any weaker way afterwards: what it offers is not signed.
func (c *conversation) login(ctx context.Context) error {
	u := user{name: c.target.Credentials.User, password: []byte(c.target.Credentials.Password.Reveal()), privilege: types.PrivilegeLevelUser}
	s, err := connect(ctx, c.address, c.timeout, tries)
	if err != nil {
		return err
	}
	s.budget, s.room = c.limits.Requests, c.limits.Bytes
	if err = c.open(ctx, s, u); err != nil {
		_ = s.close(ctx)
		return err
	}
	c.session = s
	return nil
}

func (c *conversation) open(ctx context.Context, s *session, u user) error {
	can, err := s.capabilities(ctx, u.privilege)
	if err != nil {
		return fmt.Errorf("get channel authentication capabilities: %w", err)
	}
	if !can.plus && !c.plus {
		authType, err := choose15(can, c.target.Credentials.AllowClearPassword)
		if err != nil {
			return err
		}
		return s.open15(ctx, can, authType, u)
	}
	for i, suite := range c.suites {
		err = s.open20(ctx, suite, u)
		if err == nil {
			c.plus, c.suites = true, []types.CipherSuiteID{suite}
			return nil
		}
		if !errors.Is(err, errNoSuite) || i == len(c.suites)-1 {
			break
		}
	}
	if errors.Is(err, errNoSuite) { // other firmware may want another suite than the one that worked
		c.suites = defaultSuites
	}
	return err
}

// Close ends the session at the BMC.
func (c *conversation) Close(ctx context.Context) error {
	if c.session == nil {
		return nil
	}
	err := c.session.close(ctx)
	c.session = nil
	return err
}

// drop forgets the session without telling the BMC, which no longer knows it.
func (c *conversation) drop() {
	if c.session != nil {
		_ = c.session.conn.Close()
		c.session = nil
	}
}

// isAnswer reports whether the BMC did answer: it refused, or said something that makes no sense.
func isAnswer(err error) bool {
	var code *completionError
	return errors.As(err, &code) || errors.Is(err, errMalformed) && !errors.Is(err, errNoAnswer)
}

func partial(at string, err error) snapshot.Error {
	return snapshot.Error{At: at, Error: err.Error(), Class: snapshot.ClassPartial}
}

// explain turns the error that ended a poll into one line and what to do.
func (c *conversation) explain(err error) snapshot.Error {
	e := snapshot.Error{At: c.target.URL, Error: err.Error(), Class: snapshot.ClassUnreachable,
		Hint: "is the BMC reachable over UDP, and IPMI over LAN switched on there?"}
	var refused *refusedError
	switch {
	case errors.As(err, &refused):
		e.Error, e.Hint = refused.Error(), "the port is closed: is IPMI over LAN switched on, and is it this port?"
	case errors.Is(err, errAuth):
		e.Class = snapshot.ClassAuth
		e.Hint = fmt.Sprintf("check user %q, its password (case, 20 bytes at most) and that it may log in over LAN", c.target.Credentials.User)
	case errors.Is(err, errUser):
		e.Class = snapshot.ClassAuth
		e.Hint = fmt.Sprintf("make the user %q on the BMC and let it log in over LAN, or name another one in the credentials", c.target.Credentials.User)
	case errors.Is(err, errPrivilege):
		e.Class = snapshot.ClassAuth
		e.Hint = fmt.Sprintf("give %q the privilege level User for the LAN channel; no more is needed", c.target.Credentials.User)
	case errors.Is(err, errNoSuite):
		e.Class = snapshot.ClassAuth
		e.Hint = "allow cipher suite 17 or 3 for this user's privilege level on the BMC"
	case errors.Is(err, errClear):
		e.Class = snapshot.ClassAuth
		e.Hint = "switch MD5 on there, or write allow_clear_password: true in the credentials: anybody on the way can then read the password"
	case errors.Is(err, errSlots):
		e.Hint = "somebody holds all its sessions: close those that nobody needs, or wait until the BMC ends the idle ones (a minute on most)"
	case errors.Is(err, errMalformed) && !errors.Is(err, errNoAnswer):
		e.Class = snapshot.ClassGarbage
		e.Hint = "it answers, but not IPMI: is the port right?"
	case errors.Is(err, errBudget):
		e.Class = snapshot.ClassLimit
		e.Hint = "the BMC needs more requests than one poll may send"
	case errors.Is(err, context.DeadlineExceeded):
		e.Hint = "the BMC answers too slowly for the poll's time limit"
	}
	return e
}
