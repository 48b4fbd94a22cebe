package paths

import (
	"net/netip"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/bmp"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// Table keeps sessions and paths. One goroutine owns it.
type Table struct{}

// New makes an empty table.
func New(o Options) *Table { panic("not built yet") }

// Reconfigure takes new sets and own ASes, and keeps every path.
func (t *Table) Reconfigure(o Options) { panic("not built yet") }

// Up notes that a session is established. What its RIBs held before is dropped unless it was up already (a second Peer
// Up without a Down is a flap that was missed).
func (t *Table) Up(k Key, i Info, at time.Time) { panic("not built yet") }

// Down notes that a session ended, and drops its paths.
func (t *Table) Down(k Key, r Reason, at time.Time) { panic("not built yet") }

// Configured notes a session that should be there, whether or not it ever came up: a neighbour of the speaker, or one
// that gobgpd lists. Admin says that it is shut down on purpose.
func (t *Table) Configured(k Key, i Info, admin bool, at time.Time) { panic("not built yet") }

// Update takes in an UPDATE of one of the session's RIBs. It keeps nothing of u.
func (t *Table) Update(k Key, r RIB, u *bgp.Update, at time.Time) { panic("not built yet") }

// Count takes in what the router says of a session in numbers.
func (t *Table) Count(k Key, c Counters, at time.Time) { panic("not built yet") }

// Silence notes that who told of these sessions of a router is gone (the station's connection closed, the API does not
// answer): their states and paths are unknown from now on, not bad. Paths are kept until the router speaks again.
func (t *Table) Silence(router string, at time.Time) { panic("not built yet") }

// Forget drops a router with all its sessions: it was taken out of the configuration.
func (t *Table) Forget(router string) { panic("not built yet") }

// TakeBMP takes in one message of a router's BMP stream. The router is silent until its first message.
func (t *Table) TakeBMP(router string, m *bmp.Message, at time.Time) { panic("not built yet") }

// Changed hands out and forgets what changed for sessions and watched sets since the last call, oldest first; several
// changes of one set are one.
func (t *Table) Changed() []Event { panic("not built yet") }

// Tick does what time alone brings about (a session that stays empty after its start, a flap that is over) and returns
// when it wants to be called next; zero: when something changes.
func (t *Table) Tick(now time.Time) time.Time { panic("not built yet") }

// Lookup returns the best match of an address, or the paths of a prefix, in one RIB of one session.
func (t *Table) Lookup(k Key, r RIB, p netip.Prefix) []Route { panic("not built yet") }

// Route is one path as a lookup finds it.
type Route struct {
	Prefix netip.Prefix
	PathID uint32
	Attrs  bgp.Attributes
}

// Size says what the table holds.
func (t *Table) Size() Size { panic("not built yet") }

// Size of a Table.
type Size struct {
	Routers, Sessions, Paths, Attributes int
	Bytes                                int64 // of the tables and attributes
}

// View is what the table says now: a value that stays as it is.
func (t *Table) View(now time.Time) *View { panic("not built yet") }

// View is what is known of sessions and watched sets at one moment.
type View struct {
	At       time.Time         `json:"at"`
	Device   string            `json:"device"`
	Routers  []RouterView      `json:"routers"`
	Sessions []SessionView     `json:"sessions"`
	Sets     []SetView         `json:"sets"`
	Counted  map[string]uint64 `json:"counted"` // what was wrong or passed over in the input, by what it was
}

// RouterView is one router that told of sessions.
type RouterView struct {
	Name     string `json:"name"`
	SysName  string `json:"sys_name,omitempty"`
	SysDescr string `json:"sys_descr,omitempty"`
	Silent   bool   `json:"silent"`
}

// SessionView is one session with its counts.
type SessionView struct{}

// SetView is the verdict on one watched set.
type SetView struct{}

// Snapshots are the view in the words of the house: one snapshot for each router (its sessions, each carried by the
// router), and one for the device that Options.Device names (upstreams, the ways of each watched set, and a claim for
// each set, in order that the engine forms the group). target gives the URL of each; "" is the diversity device.
func (v *View) Snapshots(target func(router string) string) []*snapshot.Snapshot {
	panic("not built yet")
}
