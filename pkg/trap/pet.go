package trap

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

// PET is a platform event trap, as a BMC sends it for an entry of its event log (IPMI Platform Event Trap Format
// Specification v1.0; IPMI 2.0 section 17.17).
type PET struct {
	SensorType byte // IPMI 2.0 table 42-3
	EventType  byte // table 42-1: 01h threshold, 02h to 0Ch generic, 6Fh sensor-specific
	Offset     byte // of the event, 0 to 15
	Deasserted bool // what is said is over

	// What follows is zero where Whole is false: the trap brought no or a short record.
	Whole     bool
	GUID      [16]byte // the system's, in the order of its octets
	Sequence  uint16
	At        time.Time // by the BMC's clock; zero: not said
	Source    byte      // trap source type: 20h IPMI
	Severity  byte
	Device    byte // the sensor's device
	Sensor    byte // its number; 0: not said
	Entity    byte // IPMI 2.0 table 43-13
	Instance  byte
	EventData [8]byte
}

var (
	petEnterprise = recording.OID{1, 3, 6, 1, 4, 1, 3183, 1, 1}
	petRecord     = recording.OID{1, 3, 6, 1, 4, 1, 3183, 1, 1, 1}
)

// epoch is what a trap's timestamp counts from.
var epoch = time.Date(1998, 1, 1, 0, 0, 0, 0, time.UTC)

// petLength are the octets of a record up to its OEM's own.
const petLength = 46

// DecodePET reads a platform event trap out of a trap, where it is one: the specific trap's number says what happened,
// the first varbind where.
func DecodePET(t *Trap) (*PET, bool) {
	n := len(petEnterprise)
	if !t.OID.HasPrefix(petEnterprise) || len(t.OID) < n+1 || len(t.OID) > n+2 {
		return nil, false
	}
	specific := t.OID[len(t.OID)-1]
	p := &PET{SensorType: byte(specific >> 16), EventType: byte(specific >> 8), Offset: byte(specific) & 0x0f, Deasserted: specific&0x80 != 0}
	for _, b := range t.Binds {
		// Some BMCs put a zero behind the object's name.
		if b.Type == recording.OctetString && b.OID.HasPrefix(petRecord) && len(b.Bytes) >= petLength {
			p.record(b.Bytes)
			break
		}
	}
	return p, true
}

// record reads the varbind's octets. Numbers of several octets begin with the highest.
func (p *PET) record(b []byte) {
	p.Whole = true
	copy(p.GUID[:], b)
	p.Sequence = binary.BigEndian.Uint16(b[16:])
	if seconds := binary.BigEndian.Uint32(b[18:]); seconds != 0 {
		p.At = epoch.Add(time.Duration(seconds) * time.Second)
		// Local time, so many minutes from UTC.
		if offset := int16(binary.BigEndian.Uint16(b[22:])); offset >= -720 && offset <= 840 && offset != -1 {
			p.At = p.At.Add(-time.Duration(offset) * time.Minute)
		}
	}
	p.Source, p.Severity = b[24], b[26]
	p.Device, p.Sensor, p.Entity, p.Instance = b[27], b[28], b[29], b[30]
	copy(p.EventData[:], b[31:39])
}

// UUIDs are the ways to read the GUID as a UUID, as 32 hexadecimal digits: BMCs send it as SMBIOS has it (the first
// three fields with their lowest octet first), as RFC 9562 writes it, or backwards as IPMI's Get System GUID gives it.
func (p *PET) UUIDs() []string {
	if !p.Whole {
		return nil
	}
	g := p.GUID
	smbios := g
	swap := func(b []byte) {
		for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
	}
	swap(smbios[0:4])
	swap(smbios[4:6])
	swap(smbios[6:8])
	back := g
	swap(back[:])
	var out []string
	for _, id := range [][16]byte{smbios, g, back} {
		if text := bareUUID(hex.EncodeToString(id[:])); text != "" {
			out = append(out, text)
		}
	}
	return out
}

// sensorTypes are the words of IPMI 2.0 table 42-3.
var sensorTypes = map[byte]string{
	0x01: "temperature", 0x02: "voltage", 0x03: "current", 0x04: "fan", 0x05: "chassis intrusion", 0x06: "platform security", 0x07: "processor",
	0x08: "power supply", 0x09: "power unit", 0x0a: "cooling device", 0x0b: "other units", 0x0c: "memory", 0x0d: "drive slot", 0x0f: "system firmware",
	0x10: "event log", 0x11: "watchdog", 0x12: "system event", 0x13: "critical interrupt", 0x14: "button", 0x15: "module or board", 0x19: "chip set",
	0x1b: "cable", 0x1d: "system boot", 0x1e: "boot error", 0x1f: "operating system boot", 0x20: "operating system stop", 0x21: "slot or connector",
	0x22: "ACPI power state", 0x23: "watchdog 2", 0x24: "platform alert", 0x25: "entity presence", 0x27: "LAN", 0x28: "management subsystem",
	0x29: "battery", 0x2a: "session audit", 0x2b: "version change", 0x2c: "FRU state",
}

// generic are the events of event types 01h to 0Ch (IPMI 2.0 table 42-2), by offset.
var generic = map[byte][]string{
	0x01: {"below the lower non-critical threshold", "above the lower non-critical threshold again", "below the lower critical threshold", "above the lower critical threshold again",
		"below the lower non-recoverable threshold", "above the lower non-recoverable threshold again", "below the upper non-critical threshold again", "above the upper non-critical threshold",
		"below the upper critical threshold again", "above the upper critical threshold", "below the upper non-recoverable threshold again", "above the upper non-recoverable threshold"},
	0x02: {"idle", "active", "busy"},
	0x03: {"state deasserted", "state asserted"},
	0x04: {"failure no longer predicted", "failure predicted"},
	0x05: {"limit not exceeded", "limit exceeded"},
	0x06: {"performance met", "performance lags"},
	0x07: {"ok", "non-critical from ok", "critical from less severe", "non-recoverable from less severe", "non-critical from more severe", "critical from non-recoverable", "non-recoverable", "monitor", "informational"},
	0x08: {"removed", "inserted"},
	0x09: {"disabled", "enabled"},
	0x0a: {"running", "in test", "powered off", "on line", "off line", "off duty", "degraded", "power save", "install error"},
	0x0b: {"fully redundant", "redundancy lost", "redundancy degraded", "non-redundant, sufficient from redundant", "non-redundant, sufficient from insufficient",
		"non-redundant, insufficient resources", "redundancy degraded from full", "redundancy degraded from none"},
	0x0c: {"D0", "D1", "D2", "D3"},
}

// specific are the sensor-specific events (event type 6Fh) of the sensors that redundancy is about (table 42-3).
var specific = map[byte][]string{
	0x05: {"general chassis intrusion", "drive bay open", "I/O card area open", "processor area open", "LAN leash lost", "unauthorised dock", "fan area open"},
	0x07: {"internal error", "thermal trip", "self-test failed", "hang in POST", "did not start", "configuration error", "uncorrectable error", "present", "disabled", "terminator present", "throttled", "machine check"},
	0x08: {"present", "failed", "failure predicted", "input lost", "input lost or out of range", "input out of range, but present", "configuration error", "inactive, in standby"},
	0x09: {"powered off", "power cycled", "240 VA power down", "interlock power down", "AC lost", "soft power control failed", "failed", "failure predicted"},
	0x0c: {"correctable error", "uncorrectable error", "parity error", "scrub failed", "disabled", "correctable error limit", "present", "configuration error", "spare", "throttled", "critical overtemperature"},
	0x0d: {"present", "fault", "failure predicted", "hot spare", "consistency check", "in a critical array", "in a failed array", "rebuild", "rebuild aborted"},
	0x25: {"present", "absent", "disabled"},
	0x29: {"low", "failed", "present"},
}

// entities are those of IPMI 2.0 table 43-13 that are of interest.
var entities = map[byte]string{
	0x03: "processor", 0x04: "disk", 0x06: "system management", 0x07: "system board", 0x08: "memory module", 0x0a: "power supply", 0x0c: "front panel", 0x0f: "drive backplane",
	0x10: "expansion board", 0x13: "power unit", 0x14: "power module", 0x15: "power management", 0x17: "system chassis", 0x1a: "disk bay", 0x1d: "fan", 0x1e: "cooling unit",
	0x20: "memory device", 0x28: "battery",
}

// severities are the words of the PET specification; the bits do not combine.
var severities = map[byte]string{0x01: "monitor", 0x02: "information", 0x04: "ok", 0x08: "non-critical", 0x10: "critical", 0x20: "non-recoverable"}

// Event says what happened.
func (p *PET) Event() string {
	list := generic[p.EventType]
	if p.EventType == 0x6f {
		list = specific[p.SensorType]
	}
	event := fmt.Sprintf("event %02Xh/%02Xh offset %d", p.SensorType, p.EventType, p.Offset)
	if int(p.Offset) < len(list) {
		event = list[p.Offset]
	}
	if p.Deasserted {
		return "no longer: " + event
	}
	return event
}

// Line says in one line what the BMC says.
func (p *PET) Line() string {
	kind := sensorTypes[p.SensorType]
	if kind == "" {
		kind = fmt.Sprintf("sensor type %02Xh", p.SensorType)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "platform event: %s", kind)
	if p.Whole && p.Entity != 0 {
		if name := entities[p.Entity]; name == "" {
			fmt.Fprintf(&b, ", entity %d", p.Entity)
		} else if name != kind {
			fmt.Fprintf(&b, ", %s", name)
		}
		if p.Instance != 0 {
			fmt.Fprintf(&b, " %d", p.Instance&0x7f)
		}
	}
	fmt.Fprintf(&b, ": %s", p.Event())
	if !p.Whole {
		return b.String()
	}
	if s := severities[p.Severity]; s != "" {
		fmt.Fprintf(&b, " (%s)", s)
	}
	if p.Sensor != 0 && p.Sensor != 0xff {
		fmt.Fprintf(&b, ", sensor %02Xh", p.Sensor)
	}
	return b.String()
}
