package paths

import (
	"cmp"
	"fmt"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/bmp"
)

// TakeBMP takes in one message of a router's BMP stream. When the stream ends its reader calls Silence.
func (t *Table) TakeBMP(router string, m *bmp.Message, at time.Time) {
	r := t.speaks(router, at)
	r.lists = true
	for _, p := range m.Problems {
		t.Note("BMP: " + p)
	}
	switch {
	case m.Info != nil:
		r.sysName, r.sysDescr = cmp.Or(m.Info.SysName, r.sysName), cmp.Or(m.Info.SysDescr, r.sysDescr)
		return
	case m.Type == bmp.Initiation || m.Type == bmp.Termination || m.Type > bmp.RouteMirroring:
		return
	}
	s := t.session(peerKey(router, &m.Peer))
	if s == nil {
		return
	}
	rib := ribOf(&m.Peer)
	switch {
	case m.Up != nil:
		t.peerUp(s, rib, m, at)
	case m.Down != nil:
		t.down(s, downReason(m.Down), at)
	case m.Update != nil:
		s.info.merge(Info{PeerAS: m.Peer.AS, PeerID: m.Peer.ID, Relay: m.Peer.Type == bmp.LocRIBPeer}) // its Peer Up may have been missed
		t.update(s, rib, m.Update, marksOf(m), at)
	case m.Type == bmp.StatisticsReport:
		t.Count(s.key, t.statistics(m.Stats), at)
	}
}

func peerKey(router string, p *bmp.Peer) Key {
	k := Key{Router: router, RD: p.Distinguisher}
	if p.Type != bmp.LocRIBPeer {
		k.Peer = p.Address.Unmap()
	}
	return k
}

func ribOf(p *bmp.Peer) RIB {
	switch {
	case p.Type == bmp.LocRIBPeer:
		return LocRIB
	case p.AdjOut && p.PostPolicy:
		return AdjOutPost
	case p.AdjOut:
		return AdjOutPre
	case p.PostPolicy:
		return AdjInPost
	}
	return AdjInPre
}

// peerUp takes in a Peer Up. Routers send one for each RIB that they monitor; a second one for the same RIB means that
// the session went down in between.
func (t *Table) peerUp(s *session, rib RIB, m *bmp.Message, at time.Time) {
	u := m.Up
	i := Info{PeerAS: m.Peer.AS, LocalAS: u.Sent.AS, PeerID: m.Peer.ID, LocalID: u.Sent.ID, VRF: u.Table, Relay: m.Peer.Type == bmp.LocRIBPeer || m.Peer.Address.IsUnspecified()}
	if i.VRF == "global" || i.VRF == "default" {
		i.VRF = ""
	}
	if u.Local.IsValid() && !u.Local.IsUnspecified() {
		i.Local = u.Local
	}
	if u.Sent.Hold != 0 && u.Received.Hold != 0 {
		i.Hold = time.Duration(min(u.Sent.Hold, u.Received.Hold)) * time.Second
	}
	i.Families = agreed(&u.Sent, &u.Received)
	bit := uint8(1) << rib
	switch {
	case s.state == Up && s.views&bit == 0:
		s.info.merge(i)
		t.learnOwn(s)
	case s.state == Up:
		t.flap(s, at)
		t.empty(s)
		t.up(s, i, at)
	default:
		t.up(s, i, at)
	}
	s.views |= bit
}

// agreed are the families that both sides speak.
func agreed(a, b *bgp.Open) []bgp.Family {
	if len(a.Families) == 0 && len(b.Families) == 0 {
		return []bgp.Family{bgp.IPv4Unicast} // RFC 4760 section 8: what is spoken without the capability
	}
	var both []bgp.Family
	for _, f := range a.Families {
		for _, g := range b.Families {
			if f == g {
				both = append(both, f)
			}
		}
	}
	return both
}

// downReason puts a Peer Down in words (RFC 7854 section 4.9).
func downReason(d *bmp.Down) Reason {
	switch d.Reason {
	case bmp.DownLocalNotification:
		return Reason{Admin: d.Notification.Admin(), Text: "the router closed it: " + d.Notification.String()}
	case bmp.DownRemoteNotification:
		return Reason{Admin: d.Notification.Admin(), Text: "the neighbour closed it: " + d.Notification.String()}
	case bmp.DownLocal:
		if d.FSMEvent == 0 { // FRR says so whatever it was, also where it sent a notification
			return Reason{Text: "the router closed it without saying why"}
		}
		return Reason{Text: fmt.Sprintf("the router closed it without a notification (state machine event %d%s)", d.FSMEvent, fsmEvent(d.FSMEvent))}
	case bmp.DownRemote:
		return Reason{Text: "the neighbour closed the connection without a notification"}
	case bmp.DownDeconfigured:
		return Reason{Admin: true, Text: "the router tells of it no more"}
	case bmp.DownTLV:
		return Reason{Text: "the router closed it"}
	}
	return Reason{Text: fmt.Sprintf("reason %d", d.Reason)}
}

// fsmEvent names the events of BGP's state machine that take a session down (RFC 4271 section 8.1).
func fsmEvent(n uint16) string {
	name, ok := map[uint16]string{2: "stopped by hand", 8: "stopped by itself", 10: "hold timer expired", 11: "keepalive timer expired",
		18: "connection failed", 24: "bad OPEN", 28: "bad message header"}[n]
	if !ok {
		return ""
	}
	return ": " + name
}

// The statistics that are read (RFC 7854 section 4.8, RFC 8671 section 6.2).
const (
	statRejected   = 0
	statAdjIn      = 7
	statAdjInBy    = 9
	statAdjOutPre  = 14
	statAdjOutPost = 15
)

func (t *Table) statistics(stats []bmp.Stat) Counters {
	var c Counters
	by := uint64(0)
	hasBy := false
	for _, s := range stats {
		v := s.Value
		switch s.Type {
		case statRejected:
			c.Rejected = &v
		case statAdjIn:
			c.Received = &v
		case statAdjInBy:
			by, hasBy = by+v, true
		case statAdjOutPost:
			c.Advertised = &v
		case statAdjOutPre:
			if c.Advertised == nil {
				c.Advertised = &v
			}
		}
	}
	if c.Received == nil && hasBy {
		c.Received = &by
	}
	return c
}
