package ipmi

import (
	"context"
	"encoding/binary"
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

	session  *session
	repo     *repository
	identity *identity
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
	if err != nil && !fresh && !sn.Reachable && ctx.Err() == nil {
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

	data, err := s.do(ctx, request{netFn: netFnChassis, cmd: cmdGetChassisStatus})
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
	}
	if err := c.inventory(ctx, scope, sn); err != nil {
		return err
	}
	m.sensors, m.units = c.repo.sensors, c.repo.units
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
	sn.Components, sn.Claims = parse(m)
	c.bound(sn)
	return nil
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

// login opens a session: RMCP+ with the suites in order, IPMI 1.5 where there is nothing newer.
func (c *conversation) login(ctx context.Context) error {
	u := user{name: c.target.Credentials.User, password: []byte(c.target.Credentials.Password.Reveal()), privilege: types.PrivilegeLevelUser}
	s, err := connect(ctx, c.address, c.timeout, tries)
	if err != nil {
		return err
	}
	s.budget, s.room = c.limits.Requests, c.limits.Bytes
	can, err := s.capabilities(ctx, u.privilege)
	if err != nil {
		_ = s.close(ctx)
		return fmt.Errorf("get channel authentication capabilities: %w", err)
	}
	if !can.plus {
		if !can.md5 {
			_ = s.close(ctx)
			return errors.New("the BMC has neither RMCP+ nor IPMI 1.5 with MD5")
		}
		if err := s.open15(ctx, u); err != nil {
			_ = s.close(ctx)
			return err
		}
		c.session = s
		return nil
	}
	for i, suite := range c.suites {
		err = s.open20(ctx, suite, u)
		if err == nil {
			c.session, c.suites = s, []types.CipherSuiteID{suite}
			return nil
		}
		if !errors.Is(err, errNoSuite) || i == len(c.suites)-1 {
			break
		}
	}
	_ = s.close(ctx)
	return err
}

// identify reads Get Device ID and FRU device 0. What of it could be read comes back even with an error.
func (s *session) identify(ctx context.Context) (*identity, error) {
	data, err := s.do(ctx, request{netFn: netFnApp, cmd: cmdGetDeviceID})
	if err != nil {
		return nil, fmt.Errorf("get device id: %w", err)
	}
	if len(data) < 11 {
		return nil, fmt.Errorf("get device id: %w: %d bytes", errMalformed, len(data))
	}
	id := &identity{
		firmware: fmt.Sprintf("%d.%02x", data[2]&0x7f, data[3]), // minor is BCD
		vendor:   vendors[uint32(data[6])|uint32(data[7])<<8|uint32(data[8]&0x0f)<<16],
	}
	fru, err := s.fru(ctx, 0)
	if err != nil {
		return id, fmt.Errorf("FRU 0: %w", err)
	}
	vendor, model, serial, err := parseFRU(fru)
	if vendor != "" {
		id.vendor = vendor
	}
	id.model, id.serial = model, serial
	return id, err
}

const maxFRU = 4096

// fru reads a FRU device's area (section 34), bounded.
func (s *session) fru(ctx context.Context, device byte) ([]byte, error) {
	data, err := s.do(ctx, request{netFn: netFnStorage, cmd: cmdGetFRUAreaInfo, data: []byte{device}})
	if err != nil {
		return nil, err
	}
	if len(data) < 3 {
		return nil, errMalformed
	}
	size := min(int(binary.LittleEndian.Uint16(data)), maxFRU)
	words := data[2]&1 == 1 // accessed by words: offsets and counts are in words
	out := make([]byte, 0, size)
	chunk := 32
	for len(out) < size {
		n, offset := min(chunk, size-len(out)), len(out)
		if words {
			n, offset = max(1, n/2), offset/2
		}
		data, err := s.do(ctx, request{netFn: netFnStorage, cmd: cmdReadFRU, data: []byte{device, byte(offset), byte(offset >> 8), byte(n)}})
		if hasCode(err, 0xc7, 0xc8, 0xca) && chunk > 8 {
			chunk /= 2
			continue
		}
		if err != nil {
			return out, err
		}
		if len(data) < 2 {
			break
		}
		out = append(out, data[1:]...)
	}
	return out, nil
}

// parseFRU takes maker, name and serial from the product area, else from the board area (FRU specification, 8 to 12).
func parseFRU(b []byte) (vendor, model, serial string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: FRU: %v", errMalformed, r)
		}
	}()
	if len(b) < 8 {
		return "", "", "", fmt.Errorf("%w: FRU of %d bytes", errMalformed, len(b))
	}
	if at := int(b[4]) * 8; at != 0 && at < len(b) {
		var p types.FRUProductInfoArea
		if p.Unpack(b[at:]) == nil {
			vendor, model, serial = idString(p.ManufacturerTypeLength, p.Manufacturer), idString(p.NameTypeLength, p.Name), idString(p.SerialNumberTypeLength, p.SerialNumber)
		}
	}
	if at := int(b[3]) * 8; at != 0 && at < len(b) && (vendor == "" || model == "") {
		var p types.FRUBoardInfoArea
		if p.Unpack(b[at:]) == nil {
			if vendor == "" {
				vendor = idString(p.ManufacturerTypeLength, p.Manufacturer)
			}
			if model == "" {
				model = idString(p.ProductNameTypeLength, p.ProductName)
			}
			if serial == "" {
				serial = idString(p.SerialNumberTypeLength, p.SerialNumber)
			}
		}
	}
	return vendor, model, serial, nil
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
	switch {
	case errors.Is(err, errAuth):
		e.Class = snapshot.ClassAuth
		e.Hint = fmt.Sprintf("check user %q, its password (case, 20 bytes at most) and that it may log in over LAN", c.target.Credentials.User)
	case errors.Is(err, errNoSuite):
		e.Class = snapshot.ClassAuth
		e.Hint = "allow cipher suite 17 or 3 for this user's privilege level on the BMC"
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
