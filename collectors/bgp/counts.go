package bgp

import "time"

// Counts are what the station, or the speaker, has met with since its start.
type Counts struct {
	Connections, Messages, Octets uint64

	Refused   uint64 // strangers, connections beyond the most, and those of neighbours that are shut or have a session
	Replaced  uint64 // a router connected again before its old connection was gone
	Versions  uint64 // an unknown version of BMP or BGP
	Opens     uint64 // an OPEN with another AS than configured, or that otherwise no session can come of
	Closed    uint64 // sessions that the neighbour ended, or did not let come to be, with a NOTIFICATION
	Garbage   uint64 // what was not BMP or BGP, or not any more
	Halves    uint64 // connections that ended inside a message
	Stalled   uint64 // what did not come in time: the rest of a message, or anything within the hold time
	Malformed uint64 // messages that made no sense: the station passes over them, the speaker has to end the session
	Problems  uint64 // parts of messages that were passed over
	Excesses  uint64 // sessions that were shut because of more prefixes than they may have
	// Behind is how long connections that had more to give had to wait for the table: the router is held up by TCP then.
	Behind time.Duration
}

// Wrong are the counts of what was wrong, by what it was.
func (c *Counts) Wrong() map[string]uint64 {
	return map[string]uint64{
		"refused": c.Refused, "replaced": c.Replaced, "version": c.Versions, "open": c.Opens, "closed": c.Closed, "garbage": c.Garbage,
		"half": c.Halves, "stalled": c.Stalled, "malformed": c.Malformed, "attribute": c.Problems, "excess": c.Excesses,
	}
}

func (c *Counts) add(n *Counts) {
	c.Messages += n.Messages
	c.Octets += n.Octets
	c.Malformed += n.Malformed
	c.Problems += n.Problems
	c.Behind += n.Behind
}

// Load is how an edge does: who is connected of those that should be, and what it has met with.
type Load struct {
	Configured, Connected int
	Counts                Counts
}

// Station is how the station does; ok is false where there is none.
func (h *Hub) Station() (l Load, ok bool) {
	s := h.station
	if s == nil {
		return Load{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return Load{Configured: len(s.o.Routers), Connected: len(s.conns), Counts: s.count}, true
}

// Speaker is how the speaker does; ok is false where there is none. Connected counts established sessions.
func (h *Hub) Speaker() (l Load, ok bool) {
	s := h.speaker
	if s == nil {
		return Load{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l = Load{Configured: len(s.peerings), Counts: s.count}
	for _, p := range s.peerings {
		if p.established {
			l.Connected++
		}
	}
	return l, true
}
