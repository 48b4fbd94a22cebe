// Package trap hears what devices send by themselves: SNMP traps and informs of versions 1, 2c and 3 (RFC 1157,
// RFC 3416, RFC 3414), and in them platform event traps of BMCs.
//
// Nothing that a trap says is taken for a fact: whoever can send a datagram could say it. A trap is a reason to ask the
// device now, and a line of evidence. So a Receiver checks community or keys, answers informs, and gives each Trap to
// whoever uses it; a Book says which devices it may be about; a Fold turns a storm into a few polls. The receiver has
// sockets; the rest decides on values.
//
//	r, err := trap.New(trap.Options{Communities: c, Users: u, Use: use})
//	conn, err := trap.Listen("127.0.0.1:1162")
//	err = r.Run(ctx, conn)
//
// It is beside the collectors and does not know them: it neither polls nor reads profiles.
package trap

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

// Trap is one trap or inform whose community or keys were right. It is a value.
type Trap struct {
	At      time.Time
	From    netip.AddrPort // who sent the datagram: the device, a relay, or somebody who says so
	Version string         // "1", "2c", "3"
	// Agent is whom the trap says to be of, where a relay sent it: agent-addr of version 1, snmpTrapAddress later. The
	// zero Addr: nothing is said.
	Agent  netip.Addr
	Engine string // version 3: the sender's engine id, raw octets; "" where it is not known
	User   string // version 3
	Inform bool
	OID    recording.OID // snmpTrapOID; of version 1 as RFC 3584 section 3.1 makes it
	// Enterprise, and for version 1 Generic and Specific, are what else names the trap.
	Enterprise        recording.OID
	Generic, Specific int32
	Binds             []recording.Object // the first 64, without those that name the trap; values are cut at 512 octets
	More              int                // how many there were beyond
}

// Result is what became of a datagram.
type Result string

// The results. The first three are those of a good trap.
const (
	Accepted      Result = "accepted" // and given to Use, which says what became of it: one of the next
	Polled        Result = "polled"   // its device is asked at once
	Folded        Result = "folded"   // its device was asked a moment ago and will be again
	Ignored       Result = "ignored"  // it is of no interest to a poll
	UnknownSender Result = "unknown_sender"

	WrongCommunity Result = "wrong_community"
	UnknownUser    Result = "unknown_user"
	LowLevel       Result = "low_level" // without the authentication or encryption that its user has
	WrongKey       Result = "wrong_key"
	NotDecrypted   Result = "not_decrypted"
	OutOfWindow    Result = "out_of_window"
	Discovery      Result = "discovery"   // a sender of informs asks for our engine
	Unsupported    Result = "unsupported" // well-formed, and neither trap nor inform
	Malformed      Result = "malformed"
)

// Results lists all results that a datagram may end with.
func Results() []Result {
	return []Result{Polled, Folded, Ignored, UnknownSender, WrongCommunity, UnknownUser, LowLevel, WrongKey, NotDecrypted, OutOfWindow, Discovery, Unsupported, Malformed}
}

// Idle reports whether the trap is nothing to poll for: authenticationFailure, by which an agent complains of whoever
// asked it last. Were it us, each poll would ask for the next.
func (t *Trap) Idle() bool {
	return len(t.OID) == len(snmpTraps)+1 && t.OID.HasPrefix(snmpTraps) && t.OID[len(snmpTraps)] == 5
}

// names of traps that stand in standard MIBs: SNMPv2-MIB, UPS-MIB (RFC 1628), BGP4-MIB (RFC 4273), ENTITY-MIB (RFC 6933).
var names = map[string]string{
	"1.3.6.1.6.3.1.1.5.1": "coldStart", "1.3.6.1.6.3.1.1.5.2": "warmStart", "1.3.6.1.6.3.1.1.5.3": "linkDown", "1.3.6.1.6.3.1.1.5.4": "linkUp",
	"1.3.6.1.6.3.1.1.5.5": "authenticationFailure", "1.3.6.1.6.3.1.1.5.6": "egpNeighborLoss",
	"1.3.6.1.2.1.33.2.1": "upsTrapOnBattery", "1.3.6.1.2.1.33.2.2": "upsTrapTestCompleted",
	"1.3.6.1.2.1.33.2.3": "upsTrapAlarmEntryAdded", "1.3.6.1.2.1.33.2.4": "upsTrapAlarmEntryRemoved",
	"1.3.6.1.2.1.15.0.1": "bgpEstablishedNotification", "1.3.6.1.2.1.15.0.2": "bgpBackwardTransNotification",
	"1.3.6.1.2.1.15.7.1": "bgpEstablished", "1.3.6.1.2.1.15.7.2": "bgpBackwardTransition",
	"1.3.6.1.2.1.47.2.0.1": "entConfigChange",
}

// Name is the trap's name where a standard has one, else its OID.
func (t *Trap) Name() string {
	oid := t.OID
	name, ok := names[oid.String()]
	if n := len(oid); !ok && n > 2 && oid[n-2] == 0 { // the OID of the second version's form may stand with a zero, or without
		name, ok = names[append(slices.Clone(oid[:n-2]), oid[n-1]).String()]
	}
	if ok {
		return name
	}
	return oid.String()
}

// Bounds of what is shown of a trap.
const (
	longestLine  = 400
	longestValue = 80
)

// Line says in one readable line what the trap says: bounded, and without anything that a terminal or a log would act
// upon.
func (t *Trap) Line() string {
	if p, ok := DecodePET(t); ok {
		return p.Line()
	}
	var b strings.Builder
	b.WriteString(t.Name())
	for i, o := range t.Binds {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		more := sep + o.OID.String() + " = " + show(o.Value)
		if b.Len()+len(more) > longestLine {
			b.WriteString(fmt.Sprintf(" and %d more", len(t.Binds)-i+t.More))
			return clip(b.String(), longestLine+20)
		}
		b.WriteString(more)
	}
	return clip(b.String(), longestLine)
}

func show(v recording.Value) string {
	switch v.Type {
	case recording.Integer:
		if v.Bytes == nil {
			return strconv.FormatInt(v.Int, 10)
		}
	case recording.Counter32, recording.Gauge32, recording.TimeTicks, recording.Counter64:
		if v.Bytes == nil {
			return strconv.FormatUint(v.Uint, 10)
		}
	case recording.ObjectID:
		if v.OID != nil {
			return clip(v.OID.String(), longestValue)
		}
	case recording.IPAddress:
		if a, ok := netip.AddrFromSlice(v.Bytes); ok {
			return a.String()
		}
	case recording.Null:
		return "null"
	}
	return quoted(v.Bytes)
}

// quoted shows octets as text where they are, else as hexadecimal digits.
func quoted(b []byte) string {
	text := strings.TrimRight(string(b), "\x00")
	for _, r := range text {
		if r == '�' || r < 0x20 && r != '\n' && r != '\r' && r != '\t' || r == 0x7f {
			return clip(fmt.Sprintf("0x%x", b[:min(len(b), longestValue)]), longestValue)
		}
	}
	return strconv.QuoteToASCII(clip(text, longestValue))
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n] + "..."
}
