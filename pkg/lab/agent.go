package lab

import (
	"bytes"
	"sync/atomic"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

// Agent is an SNMP agent for versions 1 and 2c, and for version 3 where it has users. It decides what to answer and does no input or output; ServeSNMP
// gives it a socket. Its fields are set before it serves.
type Agent struct {
	Objects *Objects
	// Community is what requests of versions 1 and 2c must carry; others get no answer, as RFC 1157 section 4.1 has it. Empty: any.
	Community string
	// MaxSize is the largest response in octets; 0 is 1472, one Ethernet frame. RFC 3417 asks for 484 at least.
	MaxSize int
	// MaxRepetitions bounds what one GETBULK yields however much it asks for; 0 is 100.
	MaxRepetitions int
	// AnyUser lets any user of version 3 in who neither signs nor encrypts, as Community "" does any community. There has to
	// be an engine: see Users.
	AnyUser bool
	// TrapUser is as whom traps of version 3 are sent; empty: they are of version 2c.
	TrapUser string
	// Alive, where given, is asked before each answer: a device without power gives none.
	Alive func() bool

	engine   atomic.Pointer[engine3] // nil: no version 3, see Users
	faults   atomic.Pointer[SNMPFaults]
	requests atomic.Int64
	traps    atomic.Int32
	answered atomic.Int64
}

// SNMPFaults are ways to misbehave; several work together. The zero value is a good agent.
type SNMPFaults struct {
	DropEvery  int           // every n-th request gets no answer; 1: none gets one
	AnswerOnly int           // stops in the middle: after so many answers there are no more
	Below      recording.OID // the faults below this line strike only requests that reach at or under it; empty: all

	Silent    bool // no answer
	Garbage   bool // the answer is not BER
	Half      bool // the answer is cut in the middle
	Loop      bool // GETNEXT and GETBULK start over from the first object at the end of what they should yield
	Stuck     bool // GETNEXT and GETBULK answer with the OID that was asked for
	NotInTime bool // version 3: whatever is signed is out of the window of the agent's clock
	WrongID   bool // the answer carries another request-id
	WrongType bool // every value is an OCTET STRING that says so
	Status    int  // the answer's error status: TooBig, GenErr, AuthorizationError, ...
}

// Inject makes the agent misbehave from now on; the zero value heals it.
func (a *Agent) Inject(f SNMPFaults) {
	a.answered.Store(0)
	a.faults.Store(&f)
}

// Requests is how many well-formed requests have come in.
func (a *Agent) Requests() int { return int(a.requests.Load()) }

// Answer returns the answer to one datagram, nil where there is none: to what is no request, to a wrong community,
// and where a fault wants silence.
func (a *Agent) Answer(datagram []byte) []byte {
	if a.Alive != nil && !a.Alive() {
		return nil
	}
	if u := a.engine.Load(); u != nil && isVersion3(datagram) {
		return a.answer3(datagram, u)
	}
	m, err := decodeRequest(datagram)
	if err != nil || a.Community != "" && m.community != a.Community {
		return nil
	}
	return a.answer(m, (*message).encode)
}

// answer answers a request that may be answered; seal makes a datagram of the response.
func (a *Agent) answer(m *message, seal func(*message, []byte) []byte) []byte {
	n := a.requests.Add(1)
	f := a.faults.Load()
	if f == nil {
		f = &SNMPFaults{}
	}
	if f.DropEvery > 0 && n%int64(f.DropEvery) == 0 || f.AnswerOnly > 0 && a.answered.Load() >= int64(f.AnswerOnly) {
		return nil
	}
	if !f.strikes(m) {
		f = &SNMPFaults{}
	}
	if f.Silent {
		return nil
	}
	out := a.respond(m, f, seal)
	if out != nil {
		a.answered.Add(1)
	}
	switch {
	case f.Garbage:
		return bytes.Repeat([]byte{0x30, 0x82, 0xff}, 20)
	case f.Half:
		return out[:len(out)/2]
	}
	return out
}

func (f *SNMPFaults) strikes(m *message) bool {
	if len(f.Below) == 0 {
		return true
	}
	for _, name := range m.names {
		if name.HasPrefix(f.Below) || f.Below.HasPrefix(name) && m.pdu != getRequest {
			return true
		}
	}
	return false
}

func (a *Agent) respond(m *message, f *SNMPFaults, seal func(*message, []byte) []byte) []byte {
	r := &reply{agent: a, message: *m, faults: f, limit: a.MaxSize, seal: seal}
	if r.limit == 0 {
		r.limit = 1472
	}
	r.limit -= m.around
	r.pdu, r.status, r.index = getResponse, 0, 0
	if f.WrongID {
		r.id++
	}
	switch {
	case f.Status != 0:
		return r.fail(f.Status, 1)
	case m.pdu == getRequest:
		return r.each(r.get)
	case m.pdu == getNextRequest:
		return r.each(r.next)
	case m.pdu == getBulkRequest && m.version == version2c:
		return r.bulk(int(m.status), int(m.index))
	case m.pdu == setRequest && m.version == version1:
		return r.fail(NoSuchName, 1)
	case m.pdu == setRequest:
		return r.fail(NotWritable, 1)
	}
	return nil // no request that this version knows
}

// reply is one response in the making.
type reply struct {
	message
	agent  *Agent
	faults *SNMPFaults
	limit  int // for the varbinds, in octets
	binds  []byte
	seal   func(*message, []byte) []byte
}

// done makes the datagram.
func (r *reply) done() []byte { return r.seal(&r.message, r.binds) }

// fail answers with an error status and the names as they came, as far as they may be sent.
func (r *reply) fail(status, index int) []byte {
	r.status, r.index = int32(status), int32(index)
	if status == TooBig {
		r.index = 0
	}
	r.binds = nil
	if status != TooBig || r.version == version1 {
		for _, name := range r.names {
			r.binds = appendBind(r.binds, recording.Object{OID: name, Value: recording.Value{Type: recording.Null}})
		}
	}
	return r.done()
}

// add puts a varbind into the response and reports whether there was room for it.
func (r *reply) add(o recording.Object) bool {
	if r.faults.WrongType && o.Type < noSuchObject {
		o.Value = recording.StringValue("wrong type")
	}
	before := len(r.binds)
	if r.binds = appendBind(r.binds, o); len(r.binds) > r.limit {
		r.binds = r.binds[:before]
		return false
	}
	return true
}

// each answers one varbind a name.
func (r *reply) each(look func(recording.OID) (recording.Object, bool)) []byte {
	for i, name := range r.names {
		o, ok := look(name)
		if !ok && r.version == version1 {
			return r.fail(NoSuchName, i+1)
		}
		if !r.add(o) {
			return r.fail(TooBig, 0)
		}
	}
	return r.done()
}

// get finds exactly this object. What is not there is named as RFC 3416 section 4.2.1 has it: noSuchInstance where
// the object has other instances.
func (r *reply) get(name recording.OID) (recording.Object, bool) {
	v, ok := r.agent.Objects.Get(name)
	if ok && !(r.version == version1 && v.Type == recording.Counter64) {
		return recording.Object{OID: name, Value: v}, true
	}
	missing := noSuchObject
	if column := name[:max(len(name)-1, 0)]; len(column) > 1 {
		if next, ok := r.agent.Objects.Next(column); ok && next.OID.HasPrefix(column) {
			missing = noSuchInstance
		}
	}
	return recording.Object{OID: name, Value: recording.Value{Type: missing}}, false
}

// next finds the object after name. Version 1 cannot carry a Counter64 and steps over it (RFC 3584 section 4.2.2.1).
func (r *reply) next(name recording.OID) (recording.Object, bool) {
	if r.faults.Stuck {
		if v, ok := r.agent.Objects.Get(name); ok {
			return recording.Object{OID: name, Value: v}, true
		}
	}
	o, ok := r.agent.Objects.Next(name)
	for ok && r.version == version1 && o.Type == recording.Counter64 {
		o, ok = r.agent.Objects.Next(o.OID)
	}
	if !ok && r.faults.Loop {
		o, ok = r.agent.Objects.Next(nil)
	}
	if !ok {
		return recording.Object{OID: name, Value: recording.Value{Type: endOfMibView}}, false
	}
	return o, true
}

// bulk answers a GETBULK (RFC 3416 section 4.2.3): as many varbinds as there is room for, tooBig where there is room
// for none.
func (r *reply) bulk(nonRepeaters, repetitions int) []byte {
	most := r.agent.MaxRepetitions
	if most == 0 {
		most = 100
	}
	nonRepeaters = min(max(nonRepeaters, 0), len(r.names))
	repetitions = min(max(repetitions, 0), most)
	for _, name := range r.names[:nonRepeaters] {
		if o, _ := r.next(name); !r.add(o) {
			return r.full()
		}
	}
	at := append([]recording.OID(nil), r.names[nonRepeaters:]...)
	for range repetitions {
		more := false
		for i, name := range at {
			o, ok := r.next(name)
			if !r.add(o) {
				return r.full()
			}
			at[i], more = o.OID, more || ok
		}
		if !more {
			break
		}
	}
	return r.done()
}

func (r *reply) full() []byte {
	if len(r.binds) == 0 {
		return r.fail(TooBig, 0)
	}
	return r.done()
}
