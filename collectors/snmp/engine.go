package snmp

import "encoding/hex"

// engineID is the agent's SNMP engine id, as hexadecimal digits, where SNMPv3 has told it: traps of version 3 bear it.
func (s *session) engineID() string {
	if s.usm == nil || s.usm.parameters == nil {
		return ""
	}
	return hex.EncodeToString([]byte(s.usm.parameters.AuthoritativeEngineID))
}
