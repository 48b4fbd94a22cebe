package lab

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/ber"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// Trap sends a trap to a receiver, from the port where the agent answers: of version 3 as Agent.TrapUser where that is a
// user, else of version 2c.
func (s *SNMPServer) Trap(to netip.AddrPort, oid recording.OID, binds ...recording.Object) error {
	out, err := s.trap(oid, binds)
	if err == nil {
		_, err = s.conn.WriteToUDPAddrPort(out, to)
	}
	return err
}

func (a *Agent) trap(oid recording.OID, binds []recording.Object) ([]byte, error) {
	up, _ := a.Objects.Get(system(3))
	if up.Type != recording.TimeTicks {
		up = recording.UintValue(recording.TimeTicks, 0)
	}
	list := appendBind(nil, recording.Object{OID: system(3), Value: up})
	list = appendBind(list, recording.Object{OID: recording.OID{1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0}, Value: recording.OIDValue(oid)})
	for _, o := range binds {
		list = appendBind(list, o)
	}
	m := &message{version: version2c, community: a.Community, pdu: trapPDU, id: int32(a.traps.Add(1))}
	if a.TrapUser == "" {
		return m.encode(list), nil
	}
	e := a.engine.Load()
	if e == nil || e.users[a.TrapUser] == nil {
		return nil, errors.New("there is no user " + a.TrapUser)
	}
	keys := e.users[a.TrapUser]
	return e.seal(&message3{id: m.id, user: a.TrapUser}, keys, keys.Level(), m.encodePDU(list)), nil
}

const trapPDU pduType = 0xa7

// TrapsTo has all devices send traps to a receiver from now on, when something of theirs breaks or is mended: the PDUs of version 2c,
// the UPSes of version 3, the servers' BMCs platform event traps of version 1.
func (d *Datacenter) TrapsTo(receiver netip.AddrPort) { d.receiver.Store(&receiver) }

// sign is something that a device would send a trap of.
type sign struct {
	device string
	what   fault
	n      int // which of them, from 1
}

// fault is what a trap tells of, and is sent again when it is over.
type fault uint8

const (
	onBattery fault = iota
	onBypass
	outputOff
	dark // without input: it cannot say so, but that it is back
	tripped
	switchedOff
	supplyFailed
	supplyGone
	supplyInput
	fanFailed
	driveFailed
	driveGone
)

// signs are what is wrong, as far as somebody tells of it.
func (p *plant) signs() map[sign]bool {
	out := map[sign]bool{}
	put := func(wrong bool, device string, what fault, n int) {
		if wrong {
			out[sign{device, what, n}] = true
		}
	}
	for name, u := range p.ups {
		put(u.onBattery(p), name, onBattery, 1)
		put(u.bypass, name, onBypass, 1)
		put(!p.upsLive(name), name, outputOff, 1)
	}
	for name, u := range p.pdus {
		put(!p.pduLive(name), name, dark, 1)
		for i := range u.trip {
			put(u.trip[i], name, tripped, i+1)
		}
		for i := range u.off {
			put(u.off[i], name, switchedOff, i+1)
		}
	}
	for name, s := range p.servers {
		for i, u := range s.supplies {
			put(u.pulled, name, supplyGone, i+1)
			put(u.failed && !u.pulled, name, supplyFailed, i+1)
			put(!p.input(u) && !u.pulled, name, supplyInput, i+1)
		}
		for i := range s.fans {
			put(s.fans[i], name, fanFailed, i+1)
		}
		for i, u := range s.drives {
			put(u.pulled, name, driveGone, i+1)
			put(u.failed && !u.pulled, name, driveFailed, i+1)
		}
	}
	return out
}

// talks reports whether a device has the power to send anything.
func (p *plant) talks(device string) bool {
	switch {
	case p.ups[device] != nil:
		return p.ups[device].agentLive(p)
	case p.pdus[device] != nil:
		return p.pduLive(device)
	}
	return p.servers[device] != nil && p.standby(p.servers[device])
}

// told are the traps that a change from these signs to the present ones brings, in the order of devices.
func (p *plant) told(before map[sign]bool) (list []news) {
	now := p.signs()
	for s := range now {
		if !before[s] && p.talks(s.device) {
			list = append(list, news{s, false})
		}
	}
	for s := range before {
		if !now[s] && p.talks(s.device) {
			list = append(list, news{s, true})
		}
	}
	slices.SortFunc(list, func(a, b news) int {
		if a.device != b.device {
			return strings.Compare(a.device, b.device)
		}
		return int(a.what)*100 + a.n - int(b.what)*100 - b.n
	})
	return list
}

// news is a sign that came, or that is over.
type news struct {
	sign
	over bool
}

// send sends the traps of what has changed. One that gets lost is lost, as with any device.
func (d *Datacenter) send(list []news) {
	to := d.receiver.Load()
	if to == nil {
		return
	}
	for _, s := range list {
		if a := d.agents[s.device]; a != nil {
			if oid, binds := s.trap(); oid != nil {
				_ = a.Trap(*to, oid, binds...)
			}
			continue
		}
		if specific, ok := s.platformEvent(); ok {
			d.sendPET(*to, s, specific)
		}
	}
}

// trap is what an agent sends: UPSes the traps of RFC 1628, PDUs those of PowerNet-MIB.
func (s news) trap() (recording.OID, []recording.Object) {
	alarm := func(n uint32) (recording.OID, []recording.Object) {
		what := []recording.Object{
			{OID: under(upsMIB, 6, 2, 1, 1, 1), Value: recording.IntValue(1)},
			{OID: under(upsMIB, 6, 2, 1, 2, 1), Value: recording.OIDValue(under(upsMIB, 6, 3, n))},
		}
		return recording.OID{1, 3, 6, 1, 2, 1, 33, 2, 3 + uint32(number(s.over))}, what // upsTrapAlarmEntryAdded, ...Removed
	}
	powerNet := func(came, over uint32, text string) (recording.OID, []recording.Object) {
		n := came
		if s.over {
			n = over
		}
		return recording.OID{1, 3, 6, 1, 4, 1, 318, 0, n}, []recording.Object{
			{OID: recording.OID{1, 3, 6, 1, 4, 1, 318, 2, 3, 3, 0}, Value: recording.StringValue(text)}} // mtrapargsString
	}
	switch s.what {
	case onBattery:
		if s.over {
			return alarm(2)
		}
		return recording.OID{1, 3, 6, 1, 2, 1, 33, 2, 1}, []recording.Object{ // upsTrapOnBattery
			{OID: under(upsMIB, 2, 3, 0), Value: recording.IntValue(9)}, {OID: under(upsMIB, 2, 2, 0), Value: recording.IntValue(0)}}
	case onBypass:
		return alarm(9)
	case outputOff:
		return alarm(14)
	case dark:
		if s.over {
			return recording.OID{1, 3, 6, 1, 6, 3, 1, 1, 5, 1}, nil // coldStart
		}
	case tripped:
		return powerNet(276, 275, title("Bank", s.n)) // rPDUOverload, rPDUNearOverloadCleared
	case switchedOff:
		return powerNet(269, 268, title("Outlet", s.n)) // rPDUOutletOff, rPDUOutletOn
	}
	return nil, nil
}

// Of a platform event: sensor type, event type and offset, as the specific trap has them (IPMI 2.0 table 42-3).
var platformEvents = map[fault]struct {
	specific uint32
	inverted bool // the event is that the part is there
	entity   byte
	severity byte
}{
	supplyFailed: {0x086f01, false, 0x0a, 0x10},
	supplyGone:   {0x086f00, true, 0x0a, 0x08},
	supplyInput:  {0x086f03, false, 0x0a, 0x10},
	fanFailed:    {0x040102, false, 0x1d, 0x10},
	driveFailed:  {0x0d6f01, false, 0x04, 0x10},
	driveGone:    {0x0d6f00, true, 0x04, 0x08},
}

func (s news) platformEvent() (uint32, bool) {
	e, ok := platformEvents[s.what]
	if s.over != e.inverted {
		e.specific |= 0x80
	}
	return e.specific, ok
}

var petEnterprise = recording.OID{1, 3, 6, 1, 4, 1, 3183, 1, 1}

// sendPET sends a platform event trap (IPMI Platform Event Trap Format Specification v1.0), of version 1, from a port
// of its own, as a BMC does.
func (d *Datacenter) sendPET(to netip.AddrPort, s news, specific uint32) {
	server := d.plant.servers[s.device]
	now := d.now()
	e := platformEvents[s.what]
	severity := e.severity
	if s.over {
		severity = 0x04
	}
	record := smbiosUUID(server.uuid)
	record = binary.BigEndian.AppendUint16(record, uint16(d.pets.Add(1)))
	record = binary.BigEndian.AppendUint32(record, uint32(now.Sub(time.Date(1998, 1, 1, 0, 0, 0, 0, time.UTC))/time.Second))
	record = append(record, 0, 0, 0x20, 0x20, severity, 0x20, byte(0x30+16*int(s.what)+s.n), e.entity, byte(s.n))
	record = append(record, byte(specific)&0x0f, 0xff, 0xff, 0, 0, 0, 0, 0, 0x19, 0, 0, 0, 0, 0, 0, 0xc1)
	body := appendOID(nil, petEnterprise)
	body = ber.AppendTLV(body, byte(recording.IPAddress), []byte{127, 0, 0, 1})
	body = ber.AppendSigned(body, byte(recording.Integer), 6)
	body = ber.AppendSigned(body, byte(recording.Integer), int64(specific))
	body = appendUnsigned(body, byte(recording.TimeTicks), uint64(now.Sub(d.started)/(10*time.Millisecond)))
	body = ber.AppendTLV(body, 0x30, appendBind(nil, recording.Object{OID: under(petEnterprise, 1), Value: recording.Value{Type: recording.OctetString, Bytes: record}}))
	whole := ber.AppendSigned(nil, byte(recording.Integer), version1)
	whole = ber.AppendTLV(whole, byte(recording.OctetString), []byte(d.opt.Community))
	whole = ber.AppendTLV(nil, 0x30, append(whole, ber.AppendTLV(nil, 0xa4, body)...))
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = conn.Write(whole)
}

// smbiosUUID are the octets of a UUID as SMBIOS has them (DSP0134 section 7.2.1): the first three fields with their
// lowest octet first.
func smbiosUUID(text string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != 16 {
		return make([]byte, 16)
	}
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return b
}
