// Package paths keeps what routers say of their BGP sessions and paths, and says of watched prefixes how many ways out
// there are and what they share.
//
// A Table takes in sessions, updates and counters, from whatever edge hears them: a BMP station (TakeBMP), a speaker
// that peers with the routers, gobgpd's API, or an MRT file (TakeMRT). It keeps each RIB apart, in little memory: equal
// attributes once, prefixes in flat tables. It tells what changed for the watched prefixes (Changed), and makes a View:
// sessions with their counts, and for each watched set its ways out. View.Snapshots turns that into what the rest of
// the house knows: components, claims and links, so that the one engine judges diversity as it judges power. Of paths
// nothing leaves this room but through a View.
//
// The package has no socket, no clock and no lock: times come in as arguments, and one goroutine owns a Table.
package paths

import (
	"net/netip"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
)

// RIB says at which point of a router's work a path was seen. They are kept apart: a router may withdraw a prefix from
// one that stands in another.
type RIB uint8

// The RIBs, after RFC 7854, 8671 and 9069.
const (
	AdjInPre   RIB = iota // received, before the import policy
	AdjInPost             // received, as the policy left it
	LocRIB                // chosen
	AdjOutPre             // to be sent, before the export policy
	AdjOutPost            // sent
	ribs       = 5
)

var ribNames = [...]string{"adj-in-pre", "adj-in-post", "loc-rib", "adj-out-pre", "adj-out-post"}

func (r RIB) String() string {
	if int(r) < len(ribNames) {
		return ribNames[r]
	}
	return "unknown"
}

// MarshalText writes the RIB's name.
func (r RIB) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Key names one session, for good: it stays the same when the session goes down and comes back.
type Key struct {
	Router string     // the device that has the session: a configured name, its sysName, or its address
	Peer   netip.Addr // the neighbour; not valid for a Loc-RIB or a peer without address
	RD     uint64     // route distinguisher of the VRF it is in; 0: the default one
}

// Info is what is known of a session besides its key. A zero field is not known; Up keeps what an earlier Up knew.
type Info struct {
	PeerAS, LocalAS bgp.ASN
	PeerID, LocalID netip.Addr // BGP identifiers
	Local           netip.Addr
	VRF             string
	Hold            time.Duration // as negotiated
	// Relay is true where the neighbour tells us what it chose and the session carries no traffic of its own: our
	// speaker's sessions, a Loc-RIB, a route collector's peers. The ways out are then what its paths' first AS and next
	// hop say.
	Relay    bool
	Families []bgp.Family
	// PrefixLimit is the most prefixes that the router takes from the neighbour.
	PrefixLimit int
}

// State is a session's state. The zero value is Unheard.
type State uint8

// The states.
const (
	Unheard State = iota // nobody says, or who said is gone
	Up
	Down
	AdminDown // down on purpose
)

var stateNames = [...]string{"unheard", "up", "down", "admin-down"}

func (s State) String() string { return stateNames[s] }

// MarshalText writes the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reason says why a session went down.
type Reason struct {
	// Admin: somebody wanted it (administrative shutdown, de-configured).
	Admin bool
	// Text is for people: "hold timer expired", "the neighbour closed it: administrative shutdown: \"moving to rack 12\"".
	Text string
}

// Counters are what a router says of a session in numbers, where it does. A nil one was not said.
type Counters struct {
	Received, Accepted, Advertised *uint64 // prefixes now
	Rejected                       *uint64 // by policy, since the start
	LimitHits                      *uint64
	// BFD is "up" or "down" where seen.
	BFD string
}

// Set is a set of watched prefixes.
type Set struct {
	Name  string // as in ids: no slash
	Items []Item
	// In is true for own prefixes, as the world or the upstreams see them: the ways are then ways in, by the AS that
	// stands before our own in the path.
	In bool
	// Needed is how many ways must work; 0: one.
	Needed int
	// VRF is the name or the route distinguisher of the VRF that the set is looked for in; "": the default one.
	VRF string
}

// Item is one watched destination. A route covers it by longest match, as a router would forward; the default route
// stands for itself alone.
type Item struct {
	Prefix netip.Prefix
	// Longer: every prefix seen inside Prefix is an own destination; the item is as good as the worst of them.
	Longer bool
}

// Options are what a Table is made with.
type Options struct {
	Own  []bgp.ASN // our AS numbers; those that sessions show as local are added
	Sets []Set
	// RouteServers are ASes that are transparent and stay in the path all the same; those that leave themselves out
	// (RFC 7947) are found by themselves.
	RouteServers []bgp.ASN
	// Device is the name of the device that the diversity groups belong to; "" means "bgp".
	Device string
	// Sync is how long after a session's start its paths may still be missing without an End-of-RIB; 0 means 2 minutes.
	Sync time.Duration
	// Limits bound what routers may cost; zero fields mean the defaults.
	Limits Limits
}

// Limits bound a Table.
type Limits struct {
	Sessions int // 10,000
	Paths    int // 50,000,000
}

// Event is one thing that changed and that somebody should hear of soon.
type Event struct {
	At   time.Time
	Kind EventKind
	Key  Key    // of a session event; the session whose update changed a set
	Set  string // of a set event
	What string // for people
}

// EventKind says what an Event is about.
type EventKind uint8

// The kinds of events.
const (
	SessionChanged EventKind = iota // up, down, silent loss
	SetChanged                      // a watched set's ways may have changed
)
