package snmp

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// engineID is the agent's SNMP engine id, as hexadecimal digits, where SNMPv3 has told it: traps of version 3 bear it.
func (s *session) engineID() string {
	if s.usm == nil || s.usm.parameters == nil {
		return ""
	}
	return hex.EncodeToString([]byte(s.usm.parameters.AuthoritativeEngineID))
}

// anotherEngine reports whether an agent has answered that it isn't the engine that it was at the last poll: another
// device stands in its place, or it was set up anew. The engine is forgotten, so that the next request looks for it. The
// report that says so cannot be signed; whoever forges one makes us ask once more.
func (c *client) anotherEngine() bool {
	if c.g == nil || !c.knew || c.answered || !c.g.Conn.(*countingConn).reported(unknownEngine) {
		return false
	}
	p := c.session.usm.parameters
	p.AuthoritativeEngineID, p.AuthoritativeEngineBoots, p.AuthoritativeEngineTime = "", 0, 0
	p.SecretKey, p.PrivacyKey = nil, nil
	c.g.ContextEngineID = ""
	c.knew = false
	return true
}

// Counters of usmStats (RFC 3414 section 5).
const (
	notInTime     = 2
	unknownEngine = 4
)

// errWindow: the agent's clock or its count of restarts moves, so that no message is ever in time (RFC 3414 section 3.2).
var errWindow = fmt.Errorf("%w: our notion of the agent's time is outside its window, though it told us its time (usmStatsNotInTimeWindows)", errAuth)

// reported reports whether the last datagram is a report of this counter of usmStats.
func (c *countingConn) reported(counter byte) bool {
	_, after, found := strings.Cut(string(c.last), usmStats)
	return found && after != "" && after[0] == counter
}
