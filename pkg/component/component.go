// Package component gives the words for what can fail by itself: kinds, identities, conditions and readings.
//
// It knows nothing of devices' protocols, of time, or of redundancy. A component is named by its ID
// ("device/kind/local-id"); what is known of it is a Status whose zero value is unknown, so that a field which
// somebody forgot never reads as good.
package component

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// ID names one component: "device/kind/local-id", split at the first two slashes. A device name holds no slash; a
// local id may. Declared components are "site/kind/name". Groups have the kind "group", services the kind "service".
type ID string

// NewID joins the three parts. The caller has normalised local (see Slot).
func NewID(device string, kind Kind, local string) ID {
	return ID(device + "/" + string(kind) + "/" + local)
}

// ParseID checks that s has three non-empty parts.
func ParseID(s string) (ID, error) {
	parts := strings.SplitN(s, "/", 3)
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return "", fmt.Errorf("%q is no component id: write device/kind/local-id", s)
	}
	return ID(s), nil
}

// split cuts the id at its first two slashes; what is missing is empty.
func (id ID) split() (device, kind, local string) {
	device, rest, _ := strings.Cut(string(id), "/")
	kind, local, _ = strings.Cut(rest, "/")
	return device, kind, local
}

// Device is the part before the first slash: the device's name, or the site's for a declared component.
func (id ID) Device() string { device, _, _ := id.split(); return device }

// Kind is the part between the first two slashes.
func (id ID) Kind() Kind { _, kind, _ := id.split(); return Kind(kind) }

// Local is what follows the second slash; it may hold slashes itself.
func (id ID) Local() string { _, _, local := id.split(); return local }

// Condition says how a component is. The zero value is Unknown.
type Condition uint8

// The conditions, see docs/design.md, 2.
const (
	Unknown  Condition = iota
	OK                 // works as it should
	Impaired           // works, but not as it should
	Failed             // does not work
	Absent             // is not there
)

var conditionNames = [...]string{"unknown", "ok", "impaired", "failed", "absent"}

// Conditions lists all of them in order, for state sets.
func Conditions() []Condition { return []Condition{Unknown, OK, Impaired, Failed, Absent} }

func (c Condition) String() string {
	if int(c) < len(conditionNames) {
		return conditionNames[c]
	}
	return "unknown"
}

// MarshalText writes the condition's name.
func (c Condition) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a condition's name and refuses any other word.
func (c *Condition) UnmarshalText(b []byte) error {
	for i, n := range conditionNames {
		if n == string(b) {
			*c = Condition(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no condition", b)
}

// Status is what is known of a component at one moment.
type Status struct {
	Condition  Condition `json:"condition"`
	Predicted  bool      `json:"predicted"`  // says that it will fail
	Standby    bool      `json:"standby"`    // healthy, carries nothing now
	InputLost  bool      `json:"input_lost"` // the part is fine, its feed is gone
	Rebuilding bool      `json:"rebuilding"` // does not hold its data yet
}

// Available reports whether the component counts for its group. known is false where the condition is unknown and
// no flag settles the question; available is then false too.
func (s Status) Available() (available, known bool) {
	switch {
	case s.Condition == Failed, s.Condition == Absent, s.InputLost, s.Rebuilding:
		return false, true
	case s.Condition == OK, s.Condition == Impaired:
		return true, true
	}
	return false, false
}

// Worse orders conditions for merging the words of several sources: known bad before impaired before ok before
// unknown. Absent ranks between impaired and failed.
func Worse(a, b Condition) Condition {
	if rank(a) >= rank(b) {
		return a
	}
	return b
}

func rank(c Condition) int { return [...]int{Unknown: 0, OK: 1, Impaired: 2, Absent: 3, Failed: 4}[c] }

// Value is a number that may be unknown (NaN). It marshals as null when unknown, never as 0.
type Value float64

// NoValue is the unknown number.
func NoValue() Value { return Value(math.NaN()) }

// Known reports whether v is a number; infinities count as unknown.
func (v Value) Known() bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }

// MarshalJSON writes null for an unknown number.
func (v Value) MarshalJSON() ([]byte, error) {
	if !v.Known() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(v))
}

// UnmarshalJSON reads a number or null.
func (v *Value) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*v = NoValue()
		return nil
	}
	return json.Unmarshal(b, (*float64)(v))
}

// Reading is one measured quantity in the SI base unit of its name ("input_power" in W, "current" in A, "voltage" in
// V, "temperature" in Cel, "fan_speed" in rpm or %, "charge" and "load" in %, "runtime" in s).
type Reading struct {
	Name  string `json:"name"`
	Unit  string `json:"unit"`
	Phase string `json:"phase,omitempty"` // "L1", "L1-L2", "N"; empty where there is one or it is a total
	Value Value  `json:"value"`
}

// Rating is what a component may carry. A zero field is not known.
type Rating struct {
	Watts  float64 `json:"watts,omitempty"`
	VA     float64 `json:"va,omitempty"`
	Amps   float64 `json:"amps,omitempty"`
	Volts  float64 `json:"volts,omitempty"`
	Phases int     `json:"phases,omitempty"`
	Bits   float64 `json:"bits_per_second,omitempty"` // of a port, circuit or upstream, in one direction
}

// Component is one part as one poll saw it.
type Component struct {
	ID      ID       `json:"id"`
	Kind    Kind     `json:"kind"`
	Name    string   `json:"name"`    // as the device calls it
	Aliases []string `json:"aliases"` // every source's own id, accepted wherever an id is
	Status
	HotSwap    *bool             `json:"hot_swap"` // nil: not known
	Why        string            `json:"why"`      // what the device said that made it so; with the raw value when it is unknown
	Attributes map[string]string `json:"attributes"`
	Rating     *Rating           `json:"rating,omitempty"`
	Readings   []Reading         `json:"readings"`
}

// Reading returns the component's reading of that name without a phase, or NoValue.
func (c *Component) Reading(name string) Value {
	for _, r := range c.Readings {
		if r.Name == name && r.Phase == "" {
			return r.Value
		}
	}
	return NoValue()
}

// Attribute keys that more than one room reads. Others are free.
const (
	Serial    = "serial"
	Model     = "model"
	Firmware  = "firmware"
	OnBattery = "on_battery" // "true" on a ups that carries its load from the battery: works now, will not for long
	Bypass    = "bypass"     // "true" on a ups whose load is fed unprotected
	RAIDLevel = "raid"       // "RAID5"; on a volume
	Inputs    = "inputs"     // number of inputs of a psu, where more than one
	Location  = "location"
	Role      = "role" // RoleController on a psu that supplies a device's own electronics alone
	EventLog  = "log"  // the last that the device's own log tells of a part, newest first, a line each: evidence, no condition
	// EnclosureSerial, on a host: the serial number of the chassis that it shares with others.
	EnclosureSerial = "enclosure_serial"
	// NeighbourName, NeighbourPort and NeighbourChassis, on a port: who is at the other end of the cable, as it says of itself
	// (LLDP). Several are listed with ListSeparator.
	NeighbourName    = "neighbour"
	NeighbourPort    = "neighbour_port"
	NeighbourChassis = "neighbour_chassis"
	// ListedFor on a port that is listed for nothing but its neighbour ("neighbour"): it goes with it, and isn't missed.
	ListedFor = "listed_for"
	LastSeen  = "source" // the URL that reported this component, where several reach the device
)

// ListSeparator stands between the values of an attribute that has several.
const ListSeparator = "; "

// RoleController is the role of a supply that feeds a device's own electronics and not what hangs on it: a PDU's
// controller. Its loss costs the monitoring, not the power.
const RoleController = "controller"
