package paths

import (
	"net/netip"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/mrt"
)

// TakeMRT takes in one record of a file that the named collector wrote: its peers are sessions that only tell of paths.
// Where the file is a router's own, relay is false and its peers are the ways.
func (t *Table) TakeMRT(collector string, rec *mrt.Record, relay bool) {
	k := Key{Router: collector, Peer: rec.Peer.Address.Unmap()}
	i := Info{PeerAS: rec.Peer.AS, LocalAS: rec.Peer.LocalAS, Relay: relay || unspecified(rec.Peer.Address)}
	if rec.Peer.ID.IsValid() && !rec.Peer.ID.IsUnspecified() {
		i.PeerID = rec.Peer.ID
	}
	if rec.Peer.Local.IsValid() && !rec.Peer.Local.IsUnspecified() {
		i.Local = rec.Peer.Local
	}
	t.speaks(collector, rec.At)
	s := t.session(k)
	if s == nil {
		return
	}
	switch {
	case rec.State != nil:
		s.info.merge(i)
		switch {
		case rec.State.New == mrt.Established:
			t.Up(k, i, rec.At)
		case rec.State.Old == mrt.Established || s.state == Unheard:
			t.down(s, Reason{Text: "went from state " + stateName(rec.State.Old) + " to " + stateName(rec.State.New)}, rec.At)
		}
	case rec.Notify != nil:
		s.info.merge(i)
		t.down(s, Reason{Admin: rec.Notify.Admin(), Text: rec.Notify.String()}, rec.At)
	case rec.Update != nil:
		s.info.merge(i)
		t.learnOwn(s)
		t.update(s, AdjInPre, rec.Update, nil, rec.At)
		if rec.Entry != nil { // a table says everything
			for _, f := range []bgp.Family{bgp.IPv4Unicast, bgp.IPv6Unicast} {
				t.end(s, AdjInPre, f, rec.At)
			}
		}
	}
}

func unspecified(a netip.Addr) bool { return !a.IsValid() || a.IsUnspecified() }

func stateName(n uint16) string {
	names := [...]string{"unknown", "idle", "connect", "active", "opensent", "openconfirm", "established", "clearing", "deleted"}
	if int(n) < len(names) {
		return names[n]
	}
	return "unknown"
}
