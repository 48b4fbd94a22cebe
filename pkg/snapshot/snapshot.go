// Package snapshot gives what one poll of one target saw: the device's identity, its components, its claims about its
// own redundancy, the links inside it, and what could not be read.
//
// A snapshot holds facts in the device's terms and no judgement of redundancy. It is a value: whoever receives one
// must not change it. Bound and Clean keep a sick device from costing more than its share.
package snapshot

import (
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// Snapshot is one poll of one target. A device that could not be reached yields a snapshot too, with Reachable false
// and the reason in Errors.
type Snapshot struct {
	Target     string                `json:"target"`    // URL without secrets
	Collector  string                `json:"collector"` // "redfish", "ipmi", "snmp", "bgp"
	Device     Device                `json:"device"`
	At         time.Time             `json:"at"` // when the poll ended
	Reachable  bool                  `json:"reachable"`
	Took       time.Duration         `json:"-"`
	Requests   int                   `json:"requests"` // requests sent, retries included
	Components []component.Component `json:"components"`
	Claims     []Claim               `json:"claims"`
	Links      []component.Link      `json:"links"`
	Errors     []Error               `json:"errors"`
}

// Device is the identity that the target gives for itself. Name is the configured name and stands first in every id;
// what the device calls itself is Hostname.
type Device struct {
	Name     string `json:"name"`
	Hostname string `json:"hostname,omitempty"`
	Vendor   string `json:"vendor"`
	Model    string `json:"model"`
	Serial   string `json:"serial"`
	Firmware string `json:"firmware"`
	UUID     string `json:"uuid,omitempty"`
	// Engine is the id of its SNMP engine, as hexadecimal digits, by which traps of version 3 tell it.
	Engine string `json:"engine,omitempty"`
	// Powered is "on", "off", or "" where not known. A server that is off says little of its parts: they are unknown.
	Powered string `json:"powered,omitempty"`
}

// Claim is what a device says of its own redundancy: evidence, compared with our verdict, never believed alone.
type Claim struct {
	// Group is the id of the group that the claim speaks of: device/group/<local>. Two claims of two sources about
	// the same members may name two groups; the engine joins groups of equal kind and equal members.
	Group   component.ID   `json:"group"`
	Kind    component.Kind `json:"kind"` // of its members
	Members []component.ID `json:"members"`
	State   ClaimState     `json:"state"`
	// Needed is how many members must work, as the vendor means it (HPE's "minimum 2 of 2" is 1). 0: not said.
	Needed int `json:"needed,omitempty"`
	// Designed is how many members the device says belong to the group when whole. 0: not said.
	Designed int `json:"designed,omitempty"`
	// Carries is the component that this group carries, where it is not the device's host: a volume for its drives.
	Carries component.ID      `json:"carries,omitempty"`
	Raw     map[string]string `json:"raw"` // the device's own words and numbers
	Why     string            `json:"why,omitempty"`
}

// ClaimState is the device's own verdict, in the words of IPMI 2.0 table 42-2, event type 0Bh. The zero value means
// that the device names the group but says nothing of its state.
type ClaimState string

// The claims' states.
const (
	ClaimNone     ClaimState = ""              // not said
	ClaimFull     ClaimState = "full"          // fully redundant
	ClaimDegraded ClaimState = "degraded"      // some redundancy left
	ClaimLost     ClaimState = "lost"          // redundancy lost, sufficient resources
	ClaimInsuff   ClaimState = "insufficient"  // insufficient resources
	ClaimNotRedun ClaimState = "not-redundant" // configured without redundancy
)

// Error is one thing that could not be read, or the reason why nothing could.
type Error struct {
	At    string `json:"at"` // path, OID or sensor; the URL where nothing could be read
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"` // what to do about it
	Class Class  `json:"class,omitempty"`
}

// Class sorts errors by what has to be done about them.
type Class string

// The classes of errors.
const (
	ClassUnreachable Class = "unreachable" // no answer, refused, no route
	ClassAuth        Class = "auth"        // the device refuses our credentials: back off long, accounts get locked
	ClassCertificate Class = "certificate" // the certificate does not verify; Hint holds the fingerprint and what pins it
	ClassPinChanged  Class = "pin-changed" // the certificate is not the pinned one: a finding of its own
	ClassGarbage     Class = "garbage"     // it answers, but not what the protocol says
	ClassPartial     Class = "partial"     // one part could not be read; the rest stands
	ClassLimit       Class = "limit"       // the device said more than it may; the rest was dropped
)
