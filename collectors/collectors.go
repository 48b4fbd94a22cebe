// Package collectors is the contract of the family that reads devices: collectors/redfish, collectors/snmp and others.
//
// A collector states facts in the device's terms and draws no conclusion about redundancy. It is chosen by the scheme
// of a target's URL in one map literal in pkg/app.
package collectors

import (
	"context"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// Collector opens sessions to targets of one protocol. It holds no state of its own and may be used from any goroutine.
type Collector interface {
	// Open checks the target and prepares a session. It does no input or output: a wrong URL is its only error.
	Open(Target) (Session, error)
}

// Session is the conversation with one target. Its owner calls Poll and Close in turn, never at once.
type Session interface {
	// Poll reads the target and returns a whole snapshot, never nil: also where the device answers in part (what it
	// gave, and an entry in Errors) or not at all (Reachable false). It returns soon after ctx is done. The session
	// remembers what it may (logins, links, inventory) from poll to poll; with Fast it reads only what can change
	// and fills in the rest from the last Full poll, so the snapshot is whole either way. The first poll is always Full.
	Poll(ctx context.Context, scope Scope) *snapshot.Snapshot

	// Close ends the conversation and gives back what the device holds for us (a Redfish session, an IPMI session).
	Close(ctx context.Context) error
}

// Listener is what a session is too when its device can push. Events runs until ctx is done and calls poke for each
// hint that something changed; the poller answers with a poll. poke does not block.
type Listener interface {
	Events(ctx context.Context, poke func(why string)) error
}

// Scope says how much a poll reads.
type Scope uint8

// The scopes.
const (
	Full Scope = iota // inventory and states
	Fast              // only what can change from minute to minute
)

// Target is one URL by which a device is reached.
type Target struct {
	Device      string // configured name; stands first in every id; holds no slash
	URL         string // redfish://host[:port], redfish+http://..., snmp://host[:port], ...; no secrets
	Credentials Credentials
	Timeout     time.Duration // for one request; 0: the collector's default
	Limits      Limits
	// Named are the ports and interfaces of the device that the configuration names: of the many that a switch has a
	// collector reads these also where nothing else makes them of interest.
	Named []component.ID
}

// Limits bound what one sick device may cost. Zero fields mean the defaults of DefaultLimits.
type Limits struct {
	Requests   int   // per poll
	Bytes      int64 // received per poll
	Components int   // in one snapshot
}

// DefaultLimits are wide enough for the largest recorded device (a GPU tray with 813 resources) five times over.
func DefaultLimits() Limits { return Limits{Requests: 4000, Bytes: 64 << 20, Components: 20000} }

// Credentials are what a target may ask for. Collectors use the fields of their protocol and ignore the others.
type Credentials struct {
	Name     string // of the credential in the configuration, for error texts
	User     string
	Password secret.Text
	// AllowClearPassword lets an IPMI 1.5 BMC have the password in the clear where it takes it in no other way.
	AllowClearPassword bool
	Community          secret.Text // SNMP v1 and v2c; empty: "public"
	Version            string      // SNMP: "1", "2c" (default), "3"
	V3                 V3
	TLS                TLS
}

// V3 are SNMPv3's user-based security parameters (RFC 3414, RFC 7860).
type V3 struct {
	User         string
	AuthProtocol string // "", MD5, SHA, SHA-224, SHA-256, SHA-384, SHA-512
	AuthKey      secret.Text
	PrivProtocol string // "", DES, AES, AES-192, AES-256
	PrivKey      secret.Text
	Context      string
}

// Slot normalises a local id to what is printed on the chassis: "PSU.Slot.1" and "Power Supply Bay 1" become "1".
// It is for words around one number; a name with more structure comes back with only its unsafe characters replaced.
func Slot(kind component.Kind, name string) string { return slot(kind, name) }
