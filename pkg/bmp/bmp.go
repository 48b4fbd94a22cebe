// Package bmp reads the BGP Monitoring Protocol: RFC 7854, Adj-RIB-Out (RFC 8671), Loc-RIB (RFC 9069) and the path
// status TLVs of version 4 (draft-ietf-grow-bmp-tlv, draft-ietf-grow-bmp-path-marking-tlv).
//
// A Reader cuts a stream into messages; a Decoder turns one message into a value and remembers of each peer how it
// writes its UPDATEs, as the peer's OPENs said. There is no socket in it. An unknown version ends the stream
// (*VersionError); unknown types, TLVs and attributes are counted and passed over.
package bmp

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
)

// Type is a message's type.
type Type uint8

// The types.
const (
	RouteMonitoring  Type = 0
	StatisticsReport Type = 1
	PeerDown         Type = 2
	PeerUp           Type = 3
	Initiation       Type = 4
	Termination      Type = 5
	RouteMirroring   Type = 6
)

// PeerType is the kind of peer in a per-peer header.
type PeerType uint8

// The peer types of RFC 7854 section 4.2 and RFC 9069.
const (
	GlobalPeer PeerType = 0
	RDPeer     PeerType = 1
	LocalPeer  PeerType = 2
	LocRIBPeer PeerType = 3
)

// Peer is the per-peer header.
type Peer struct {
	Type          PeerType
	Distinguisher uint64     // route distinguisher of the VRF, or an instance's own number; 0: the default one
	Address       netip.Addr // not valid for a Loc-RIB
	AS            bgp.ASN
	ID            netip.Addr
	At            time.Time // zero where the router has no clock for it
	PostPolicy    bool
	AdjOut        bool
	TwoOctet      bool // the A flag: AS_PATHs are in the old two-octet form
	Filtered      bool // a Loc-RIB of which only a part is sent
}

// Message is one BMP message. Of the pointers only those of its type are set. It is valid until its Decoder's next call.
type Message struct {
	Version uint8
	Type    Type
	Peer    Peer        // all but Initiation and Termination
	Update  *bgp.Update // RouteMonitoring
	Status  []PathStatus
	Up      *Up
	Down    *Down
	Stats   []Stat
	Info    *Info // Initiation, Termination
	// Problems are what was passed over, in words, for counting.
	Problems []string
}

// Up is a Peer Up notification.
type Up struct {
	Local                 netip.Addr
	LocalPort, RemotePort uint16
	Sent, Received        bgp.Open
	Table                 string // VRF or table name (RFC 9069)
	Text                  []string
}

// Down is a Peer Down notification.
type Down struct {
	Reason       uint8 // RFC 7854 section 4.9; 6: RFC 9069
	Notification *bgp.Notification
	FSMEvent     uint16
}

// Stat is one counter or gauge of a statistics report. Family is set for per-family ones.
type Stat struct {
	Type   uint16
	Family bgp.Family
	Value  uint64
}

// PathStatus is what a version 4 TLV says of the paths in a message: bits of draft-ietf-grow-bmp-path-marking-tlv.
type PathStatus struct {
	Status uint32
	Reason uint16
	// Index of the NLRI it speaks of, from 1; 0: all of them. Of a group its number.
	Index uint16
	// Members are the indices of the group's NLRIs; nil: it speaks of one or of all.
	Members []uint16
}

// StatusOf is the status of the path to an announced prefix, counted from 0; false: none was given. What is said of one
// prefix goes before what is said of all.
func (m *Message) StatusOf(announced int) (status uint32, told bool) {
	index := uint16(announced + 1)
	for _, s := range m.Status {
		switch {
		case s.Members == nil && s.Index == index, slices.Contains(s.Members, index):
			return s.Status, true
		case s.Members == nil && s.Index == 0 && !told:
			status, told = s.Status, true
		}
	}
	return status, told
}

// Info is what an Initiation or Termination message says.
type Info struct {
	SysName, SysDescr string
	Text              []string
	Reason            uint16 // Termination
	HasReason         bool
}

// The path statuses of draft-ietf-grow-bmp-path-marking-tlv section 2.1.
const (
	StatusInvalid          = 0x0001
	StatusBest             = 0x0002
	StatusNonSelected      = 0x0004
	StatusPrimary          = 0x0008
	StatusBackup           = 0x0010
	StatusNonInstalled     = 0x0020
	StatusBestExternal     = 0x0040
	StatusAddPath          = 0x0080
	StatusFilteredInbound  = 0x0100
	StatusFilteredOutbound = 0x0200
	StatusInvalidROV       = 0x0400
	StatusStale            = 0x0800
	StatusSuppressed       = 0x1000
	statusNames            = "INVALID BEST NON_SELECTED PRIMARY BACKUP NON_INSTALLED BEST_EXTERNAL ADD_PATH FILTERED_IN_INBOUND_POLICY FILTERED_IN_OUTBOUND_POLICY INVALID_ROV STALE SUPPRESSED"
)

// StatusWords are the names of the bits that are set, with bars between.
func StatusWords(status uint32) string {
	var words []string
	for i, name := range strings.Fields(statusNames) {
		if status&(1<<i) != 0 {
			words = append(words, name)
		}
	}
	return strings.Join(words, " | ")
}
