package trap

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/sparewatch/sparewatch/pkg/ber"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// PDUs that are of interest here (RFC 1157 section 4.1.6, RFC 3416 section 3).
const (
	getRequest = 0xa0
	response   = 0xa2
	trapV1     = 0xa4
	inform     = 0xa6
	trapV2     = 0xa7
	report     = 0xa8
)

// What is kept of a trap at most.
const (
	mostBinds = 64
	mostValue = 512 // octets of one value
)

var (
	sysUpTime      = recording.OID{1, 3, 6, 1, 2, 1, 1, 3, 0}
	snmpTrapOID    = recording.OID{1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0}
	snmpTraps      = recording.OID{1, 3, 6, 1, 6, 3, 1, 1, 5}         // coldStart 1 and its sisters (RFC 3418)
	trapEnterprise = recording.OID{1, 3, 6, 1, 6, 3, 1, 1, 4, 3, 0}   // snmpTrapEnterprise
	trapAddress    = recording.OID{1, 3, 6, 1, 6, 3, 18, 1, 3, 0}     // snmpTrapAddress (RFC 3584)
	trapCommunity  = recording.OID{1, 3, 6, 1, 6, 3, 18, 1, 4, 0}     // snmpTrapCommunity (RFC 3584): a secret
	errUnsupported = errors.New("it is neither a trap nor an inform") // a message that is well otherwise
)

// pdu is what a message carries, before anything is made of it.
type pdu struct {
	tag   byte
	id    int32  // of a request; 0 in a trap of version 1
	binds []byte // the content of the list of varbinds
	trap  Trap   // of it: what the PDU says
}

// readPDU reads one PDU.
func readPDU(r *reader) (*pdu, error) {
	tag, body := r.element()
	if r.err != nil {
		return nil, r.err
	}
	p := &pdu{tag: tag}
	in := &reader{b: body}
	switch tag {
	case trapV1:
		return p, p.readV1(in)
	case trapV2, inform:
		p.id = in.int32()
		in.int32() // error-status and error-index mean nothing here
		in.int32()
		if in.err != nil {
			return nil, in.err
		}
		p.trap.Inform = tag == inform
		if err := p.readBinds(in); err != nil {
			return nil, err
		}
		return p, p.nameV2()
	}
	if tag >= getRequest && tag <= report {
		p.id = in.int32()
		return p, errUnsupported
	}
	return nil, errBER
}

// readV1 reads a Trap-PDU (RFC 1157 section 4.1.6) and names it as RFC 3584 section 3.1 has it.
func (p *pdu) readV1(in *reader) error {
	t := &p.trap
	enterprise := in.oid()
	agent := in.take(byte(recording.IPAddress))
	t.Generic = in.int32()
	t.Specific = in.int32()
	in.take(byte(recording.TimeTicks))
	if in.err != nil {
		return in.err
	}
	if addr, ok := netip.AddrFromSlice(agent); ok && len(agent) == 4 && !addr.IsUnspecified() {
		t.Agent = addr
	}
	t.Enterprise = enterprise
	if t.Generic >= 0 && t.Generic < 6 {
		t.OID = append(slices.Clone(snmpTraps), uint32(t.Generic)+1)
	} else {
		t.OID = append(slices.Clone(enterprise), 0, uint32(t.Specific))
	}
	return p.readBinds(in)
}

// readBinds reads the varbinds. Those beyond mostBinds are counted only.
func (p *pdu) readBinds(in *reader) error {
	p.binds = in.take(sequence)
	list := &reader{b: p.binds, err: in.err}
	for list.err == nil && len(list.b) > 0 {
		bind := list.in(sequence)
		name := bind.oid()
		tag, body := bind.element()
		if bind.err != nil {
			return bind.err
		}
		if len(p.trap.Binds) == mostBinds {
			p.trap.More++
			continue
		}
		if len(body) > mostValue {
			body = body[:mostValue]
		}
		p.trap.Binds = append(p.trap.Binds, recording.Object{OID: name, Value: decodeValue(tag, body)})
	}
	return list.err
}

// nameV2 finds what a trap of version 2 says of itself among its varbinds (RFC 3416 section 4.2.6, RFC 3584 section 3.1).
// Agents that leave out sysUpTime.0 or put snmpTrapOID.0 elsewhere are understood.
func (p *pdu) nameV2() error {
	t := &p.trap
	rest := t.Binds[:0]
	for _, b := range t.Binds {
		switch {
		case b.OID.Compare(sysUpTime) == 0 && len(rest) == 0:
			continue
		case b.OID.Compare(snmpTrapOID) == 0 && b.Type == recording.ObjectID && t.OID == nil:
			t.OID = b.Value.OID
			continue
		case b.OID.Compare(trapEnterprise) == 0 && b.Type == recording.ObjectID:
			t.Enterprise = b.Value.OID
			continue
		case b.OID.Compare(trapAddress) == 0 && b.Type == recording.IPAddress:
			if addr, ok := netip.AddrFromSlice(b.Bytes); ok && !addr.IsUnspecified() {
				t.Agent = addr
			}
			continue
		case b.OID.Compare(trapCommunity) == 0:
			continue // it is a secret of whoever sent the trap to the relay, and says nothing of the device
		}
		rest = append(rest, b)
	}
	t.Binds = rest
	if t.OID == nil {
		return fmt.Errorf("%w: it has no snmpTrapOID", errBER)
	}
	return nil
}

// community is a message of version 1 or 2c.
type community struct {
	version   int32
	community []byte
	pdu       *pdu
}

// version tells of which version a message says to be, and reads on behind that.
func version(datagram []byte) (int32, *reader, error) {
	outer := &reader{b: datagram}
	r := outer.in(sequence)
	v := r.int32()
	return v, r, r.err
}

func readCommunity(v int32, r *reader) (*community, error) {
	m := &community{version: v, community: r.octets()}
	if r.err != nil {
		return nil, r.err
	}
	var err error
	m.pdu, err = readPDU(r)
	if err == nil && (v == 0) != (m.pdu.tag == trapV1) {
		err = fmt.Errorf("%w of its version", errUnsupported)
	}
	return m, err
}

// answered is the response to an inform: its own varbinds come back (RFC 3416 section 4.2.7).
func (p *pdu) answered() []byte {
	body := ber.AppendSigned(nil, byte(recording.Integer), int64(p.id))
	body = ber.AppendSigned(body, byte(recording.Integer), 0)
	body = ber.AppendSigned(body, byte(recording.Integer), 0)
	body = ber.AppendTLV(body, sequence, p.binds)
	return ber.AppendTLV(nil, response, body)
}

// answer is the whole datagram of the response.
func (m *community) answer() []byte {
	body := ber.AppendSigned(nil, byte(recording.Integer), int64(m.version))
	body = appendOctets(body, m.community)
	return ber.AppendTLV(nil, sequence, append(body, m.pdu.answered()...))
}
