package prom

import (
	"maps"
	"slices"
	"time"
)

// BGP are the numbers of what hears routers' BGP.
type BGP struct {
	Edges           []BGPEdge
	Sessions, Paths int
	Bytes           int64 // of the tables that hold them
}

// BGPEdge is one of the ways by which routers tell: "bmp", the station; "bgp", the speaker.
type BGPEdge struct {
	Over                          string
	Configured, Connected         int
	Connections, Messages, Octets uint64
	Wrong                         map[string]uint64 // by what was wrong
	Behind                        time.Duration
}

var (
	bgpRouters     = desc("bgp_routers", "Routers that are configured to tell of their BGP.", "over")
	bgpConnected   = desc("bgp_routers_connected", "Routers that send BMP now; neighbours whose BGP session is established.", "over")
	bgpConnections = desc("bgp_connections_total", "Connections to the BMP station or the BGP speaker.", "over")
	bgpMessages    = desc("bgp_messages_total", "Messages taken in.", "over")
	bgpOctets      = desc("bgp_received_bytes_total", "Octets of messages taken in.", "over")
	bgpWrong       = desc("bgp_bad_input_total", "What was wrong with what came, by what became of it.", "over", "what")
	bgpBehind      = desc("bgp_behind_seconds_total", "Time that routers with more to say were held up, because the tables take it in more slowly.", "over")
	bgpSessions    = desc("bgp_sessions", "BGP sessions that are known of.")
	bgpPaths       = desc("bgp_paths", "Paths that are held.")
	bgpBytes       = desc("bgp_table_bytes", "Memory of the tables that hold them.")
)

// bgp writes how routers' BGP is heard; nothing where it is not.
func (s sink) bgp(b *BGP) {
	if b == nil {
		return
	}
	for _, e := range b.Edges {
		s.gauge(bgpRouters, float64(e.Configured), e.Over)
		s.gauge(bgpConnected, float64(e.Connected), e.Over)
		s.counter(bgpConnections, float64(e.Connections), e.Over)
		s.counter(bgpMessages, float64(e.Messages), e.Over)
		s.counter(bgpOctets, float64(e.Octets), e.Over)
		for _, what := range slices.Sorted(maps.Keys(e.Wrong)) {
			s.counter(bgpWrong, float64(e.Wrong[what]), e.Over, what)
		}
		s.counter(bgpBehind, e.Behind.Seconds(), e.Over)
	}
	s.gauge(bgpSessions, float64(b.Sessions))
	s.gauge(bgpPaths, float64(b.Paths))
	s.gauge(bgpBytes, float64(b.Bytes))
}
