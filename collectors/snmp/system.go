package snmp

// The objects by which a device is known (SNMPv2-MIB, RFC 3418), as instances.
const (
	sysDescr    = "1.3.6.1.2.1.1.1.0"
	sysObjectID = "1.3.6.1.2.1.1.2.0"
	sysName     = "1.3.6.1.2.1.1.5.0"
)
