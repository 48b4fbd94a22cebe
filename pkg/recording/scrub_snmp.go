package recording

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// SNMP returns the objects with pseudonyms in the place of what is private, sorted. Tables that hold nothing but who
// talks to whom, who may read what and what runs are left out (see leftOut). Addresses that stand in an index are
// replaced there too; all other OIDs stay. The objects that are given stay as they are.
func (s *Scrubber) SNMP(objects []Object) []Object {
	for _, o := range objects {
		s.studyObject(o)
	}
	s.settle()
	out := make([]Object, 0, len(objects))
	for _, o := range objects {
		if under(leftOut, o.OID) {
			continue
		}
		o.Value = s.value(o)
		o.OID = s.index(o.OID)
		out = append(out, o)
	}
	out, _, _ = Sort(out)
	return out
}

func oids(list ...string) []OID {
	out := make([]OID, len(list))
	for i, s := range list {
		o, err := ParseOID(s)
		if err != nil {
			panic("recording: " + err.Error()) // a constant of this file
		}
		out[i] = o
	}
	slices.SortFunc(out, OID.Compare)
	return out
}

// under reports whether an OID lies at or under one of the sorted prefixes.
func under(prefixes []OID, o OID) bool {
	i, exact := slices.BinarySearchFunc(prefixes, o, OID.Compare)
	if exact {
		return true
	}
	// Prefixes do not lie under each other, so that only the one before o can hold it.
	return i > 0 && o.HasPrefix(prefixes[i-1])
}

var (
	leftOut = oids(
		"1.3.6.1.2.1.3",           // atTable
		"1.3.6.1.2.1.4.21",        // ipRouteTable
		"1.3.6.1.2.1.4.22",        // ipNetToMediaTable
		"1.3.6.1.2.1.4.24",        // ipForward
		"1.3.6.1.2.1.4.35",        // ipNetToPhysicalTable
		"1.3.6.1.2.1.6.13",        // tcpConnTable
		"1.3.6.1.2.1.6.19",        // tcpConnectionTable
		"1.3.6.1.2.1.6.20",        // tcpListenerTable
		"1.3.6.1.2.1.7.5",         // udpTable
		"1.3.6.1.2.1.7.7",         // udpEndpointTable
		"1.3.6.1.2.1.17.4.3",      // dot1dTpFdbTable
		"1.3.6.1.2.1.17.7.1.2",    // dot1qTp
		"1.3.6.1.2.1.25.4",        // hrSWRun
		"1.3.6.1.2.1.25.5",        // hrSWRunPerf
		"1.3.6.1.2.1.25.6",        // hrSWInstalled
		"1.3.6.1.2.1.55",          // the old IPv6 MIB
		"1.3.6.1.2.1.92",          // notification log
		"1.3.6.1.4.1.8072.1.3",    // nsExtend: commands and what they print
		"1.3.6.1.4.1.8072.1.2",    // nsMibRegistry
		"1.3.6.1.4.1.8072.1.9",    // nsVacm
		"1.3.6.1.4.1.2021.2",      // prTable
		"1.3.6.1.4.1.2021.8",      // extTable
		"1.3.6.1.4.1.318.2.1.2.1", // PowerNet trap receivers: addresses and communities
		"1.3.6.1.6.3.12",          // SNMP-TARGET-MIB
		"1.3.6.1.6.3.13",          // SNMP-NOTIFICATION-MIB
		"1.3.6.1.6.3.14",          // SNMP-PROXY-MIB
		"1.3.6.1.6.3.15",          // SNMP-USER-BASED-SM-MIB
		"1.3.6.1.6.3.16",          // SNMP-VIEW-BASED-ACM-MIB
		"1.3.6.1.6.3.18",          // SNMP-COMMUNITY-MIB
	)

	// privateColumns hold what is private as a whole.
	privateColumns = oids(
		"1.3.6.1.2.1.1.4",                 // sysContact
		"1.3.6.1.2.1.1.5",                 // sysName
		"1.3.6.1.2.1.1.6",                 // sysLocation
		"1.3.6.1.2.1.31.1.1.1.18",         // ifAlias
		"1.3.6.1.2.1.47.1.1.1.1.11",       // entPhysicalSerialNum
		"1.3.6.1.2.1.47.1.1.1.1.14",       // entPhysicalAlias
		"1.3.6.1.2.1.47.1.1.1.1.15",       // entPhysicalAssetID
		"1.3.6.1.2.1.47.1.1.1.1.18",       // entPhysicalUris
		"1.3.6.1.2.1.33.1.1.5",            // upsIdentName
		"1.3.6.1.2.1.33.1.1.6",            // upsIdentAttachedDevices
		"1.0.8802.1.1.2.1.3.3",            // lldpLocSysName
		"1.0.8802.1.1.2.1.4.1.1.9",        // lldpRemSysName
		"1.3.6.1.4.1.9.9.23.1.2.1.1.6",    // cdpCacheDeviceId
		"1.3.6.1.4.1.9.3.6.3",             // chassisId
		"1.3.6.1.4.1.318.1.1.1.1.1.2",     // upsBasicIdentName
		"1.3.6.1.4.1.318.1.1.1.1.2.3",     // upsAdvIdentSerialNumber
		"1.3.6.1.4.1.318.1.1.4.1.5",       // sPDUIdentSerialNumber
		"1.3.6.1.4.1.318.1.1.4.3.3",       // sPDUMasterConfigPDUName
		"1.3.6.1.4.1.318.1.1.8.1.6",       // atsIdentSerialNumber
		"1.3.6.1.4.1.318.1.1.12.1.1",      // rPDUIdentName
		"1.3.6.1.4.1.318.1.1.12.1.6",      // rPDUIdentSerialNumber
		"1.3.6.1.4.1.318.1.1.26.2.1.3",    // rPDU2IdentName
		"1.3.6.1.4.1.318.1.1.26.2.1.4",    // rPDU2IdentLocation
		"1.3.6.1.4.1.318.1.1.26.2.1.9",    // rPDU2IdentSerialNumber
		"1.3.6.1.4.1.318.1.1.26.2.1.10",   // rPDU2IdentContact
		"1.3.6.1.4.1.318.1.1.26.2.1.13",   // rPDU2IdentNMCSerialNumber
		"1.3.6.1.4.1.318.1.1.26.4.1.1.3",  // rPDU2DeviceConfigName
		"1.3.6.1.4.1.318.1.1.26.4.1.1.4",  // rPDU2DeviceConfigLocation
		"1.3.6.1.4.1.318.1.1.26.4.1.1.14", // rPDU2DeviceConfigContact
		"1.3.6.1.4.1.318.1.1.26.4.2.1.3",  // rPDU2DevicePropertiesName
		"1.3.6.1.4.1.318.1.1.26.4.3.1.3",  // rPDU2DeviceStatusName
		"1.3.6.1.4.1.318.1.1.26.4.4.1.3",  // rPDU2DeviceControlName
		"1.3.6.1.4.1.232.2.2.2.1",         // cpqSiSysSerialNum
		"1.3.6.1.4.1.232.2.2.4",           // cpqSiAsset
		"1.3.6.1.4.1.674.10892.5.1.3.2",   // systemServiceTag
		"1.3.6.1.4.1.674.10892.5.1.3.3",   // systemExpressServiceCode
		"1.3.6.1.4.1.674.10892.5.1.3.1",   // systemFQDN
		"1.3.6.1.4.1.13742.6.3.2.1.1.4",   // pduSerialNumber
		"1.3.6.1.4.1.13742.6.3.2.2.1.13",  // pduName
		"1.3.6.1.4.1.3808.1.1.3.1.6",      // ePDUIdentSerialNumber
		"1.3.6.1.4.1.3808.1.1.1.1.2.3",    // upsAdvanceIdentSerialNumber
		"1.3.6.1.4.1.534.1.1.5",           // xupsIdentSerialNumber of newer cards
	)

	// nameColumns are those of them that hold a name, which may be the model's where nobody gave another.
	nameColumns = oids(
		"1.3.6.1.2.1.1.5",                // sysName
		"1.3.6.1.2.1.33.1.1.5",           // upsIdentName
		"1.3.6.1.4.1.318.1.1.1.1.1.2",    // upsBasicIdentName
		"1.3.6.1.4.1.318.1.1.12.1.1",     // rPDUIdentName
		"1.3.6.1.4.1.318.1.1.26.2.1.3",   // rPDU2IdentName
		"1.3.6.1.4.1.13742.6.3.2.2.1.13", // pduName
	)

	// modelColumns hold vendors, models and versions; their words are safe elsewhere too.
	modelColumns = oids(
		"1.3.6.1.2.1.1.1",                // sysDescr
		"1.3.6.1.2.1.1.9",                // sysORTable
		"1.3.6.1.2.1.33.1.1.1",           // upsIdentManufacturer
		"1.3.6.1.2.1.33.1.1.2",           // upsIdentModel
		"1.3.6.1.2.1.33.1.1.3",           // upsIdentUPSSoftwareVersion
		"1.3.6.1.2.1.33.1.1.4",           // upsIdentAgentSoftwareVersion
		"1.3.6.1.2.1.47.1.1.1.1.2",       // entPhysicalDescr
		"1.3.6.1.2.1.47.1.1.1.1.7",       // entPhysicalName
		"1.3.6.1.2.1.47.1.1.1.1.8",       // entPhysicalHardwareRev
		"1.3.6.1.2.1.47.1.1.1.1.9",       // entPhysicalFirmwareRev
		"1.3.6.1.2.1.47.1.1.1.1.10",      // entPhysicalSoftwareRev
		"1.3.6.1.2.1.47.1.1.1.1.12",      // entPhysicalMfgName
		"1.3.6.1.2.1.47.1.1.1.1.13",      // entPhysicalModelName
		"1.0.8802.1.1.2.1.3.4",           // lldpLocSysDesc
		"1.0.8802.1.1.2.1.4.1.1.10",      // lldpRemSysDesc
		"1.3.6.1.4.1.9.9.23.1.2.1.1.8",   // cdpCachePlatform
		"1.3.6.1.4.1.318.1.1.1.1.1.1",    // upsBasicIdentModel
		"1.3.6.1.4.1.318.1.1.1.1.2.1",    // upsAdvIdentFirmwareRevision
		"1.3.6.1.4.1.318.1.1.4.1.2",      // sPDUIdentFirmwareRev
		"1.3.6.1.4.1.318.1.1.4.1.4",      // sPDUIdentModelNumber
		"1.3.6.1.4.1.318.1.1.8.1.5",      // atsIdentModelNumber
		"1.3.6.1.4.1.318.1.1.12.1.3",     // rPDUIdentFirmwareRev
		"1.3.6.1.4.1.318.1.1.12.1.5",     // rPDUIdentModelNumber
		"1.3.6.1.4.1.318.1.1.26.2.1.5",   // rPDU2IdentHardwareRev
		"1.3.6.1.4.1.318.1.1.26.2.1.6",   // rPDU2IdentFirmwareRev
		"1.3.6.1.4.1.318.1.1.26.2.1.8",   // rPDU2IdentModelNumber
		"1.3.6.1.4.1.318.1.1.26.2.1.11",  // rPDU2IdentAPCFirmware
		"1.3.6.1.4.1.232.2.2.4.2",        // cpqSiProductName
		"1.3.6.1.4.1.3808.1.1.1.1.1.1",   // upsBaseIdentModel
		"1.3.6.1.4.1.3808.1.1.3.1.5",     // ePDUIdentModelNumber
		"1.3.6.1.4.1.534.1.1.1",          // xupsIdentManufacturer
		"1.3.6.1.4.1.534.1.1.2",          // xupsIdentModel
		"1.3.6.1.4.1.534.1.1.3",          // xupsIdentSoftwareVersion
		"1.3.6.1.4.1.674.10892.5.1.3.12", // systemModelName
		"1.3.6.1.4.1.13742.6.3.2.1.1.2",  // pduManufacturer
		"1.3.6.1.4.1.13742.6.3.2.1.1.3",  // pduModel
	)

	// macColumns hold hardware addresses in binary.
	macColumns = oids(
		"1.3.6.1.2.1.2.2.1.6",       // ifPhysAddress
		"1.3.6.1.2.1.17.1.1",        // dot1dBaseBridgeAddress
		"1.0.8802.1.1.2.1.3.2",      // lldpLocChassisId
		"1.0.8802.1.1.2.1.3.7.1.3",  // lldpLocPortId
		"1.0.8802.1.1.2.1.4.1.1.5",  // lldpRemChassisId
		"1.0.8802.1.1.2.1.4.1.1.7",  // lldpRemPortId
		"1.3.6.1.2.1.47.1.1.1.1.19", // entPhysicalUUID
		"1.3.6.1.6.3.10.2.1.1",      // snmpEngineID
	)

	// address4Columns are indexed by an IPv4 address, which stands behind the column.
	address4Columns = oids(
		"1.3.6.1.2.1.4.20.1",          // ipAddrEntry
		"1.3.6.1.2.1.14.10.1",         // ospfNbrEntry
		"1.3.6.1.2.1.15.3.1",          // bgpPeerEntry
		"1.3.6.1.2.1.15.6.1",          // bgp4PathAttrTable
		"1.3.6.1.4.1.9.9.187.1.2.1.1", // cbgpPeerEntry
		"1.3.6.1.4.1.9.9.187.1.2.4.1", // cbgpPeerAddrFamilyPrefixEntry
	)
)

// unixDescr is a sysDescr that is the output of uname, whose second word is the machine's name.
var unixDescr = regexp.MustCompile(`^(Linux|FreeBSD|OpenBSD|NetBSD|DragonFly|Darwin|SunOS|HP-UX|AIX|QNX|Unix) \S+ `)

// text reports whether an OCTET STRING is text: printable UTF-8, perhaps with a NUL at its end.
func isText(b []byte) bool {
	b = bytes.TrimRight(b, "\x00")
	if len(b) == 0 || !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f {
			return false
		}
	}
	return true
}

// columnPrivacy says what a column holds: as the caller knows, as is known here, else a name that somebody may have given.
func (s *Scrubber) columnPrivacy(oid OID) privacy {
	if len(s.taught) > 0 {
		for at := oid.String(); at != ""; at = at[:max(strings.LastIndexByte(at, '.'), 0)] {
			if p, ok := s.taught[at]; ok {
				return p
			}
		}
	}
	switch {
	case under(modelColumns, oid):
		return model
	case under(privateColumns, oid):
		return private
	}
	return named
}

func (s *Scrubber) studyObject(o Object) {
	switch {
	case o.Type == IPAddress && len(o.Bytes) == 4:
		s.seeAddr([4]byte(o.Bytes))
	case o.Type != OctetString:
	case !isText(o.Bytes):
		if under(macColumns, o.OID) {
			s.learnBytes(o.Bytes)
		}
	default:
		s.see(string(o.Bytes))
		s.studyText(o.OID, o.Bytes)
	}
}

func (s *Scrubber) studyText(oid OID, text []byte) {
	switch s.columnPrivacy(oid) {
	case private:
		if under(nameColumns, oid) {
			s.learnName(string(text))
		} else {
			s.learn(string(text))
		}
	case model:
		if !unixDescr.Match(text) {
			s.trust(string(text))
		}
	}
}

// learnBytes remembers a binary hardware address, or the one inside an LLDP id (a subtype, then the address).
func (s *Scrubber) learnBytes(b []byte) {
	if len(b) >= 6 && len(b) <= 32 && len(bytes.Trim(b, "\x00")) > 0 && len(bytes.Trim(b, "\xff")) > 0 {
		s.bytes[string(b)] = string(s.octets(b))
	}
}

func (s *Scrubber) value(o Object) Value {
	v := o.Value
	switch {
	case v.Type == IPAddress && len(v.Bytes) == 4:
		a := s.addr4([4]byte(v.Bytes))
		v.Bytes = a[:]
	case v.Type == OctetString && isText(v.Bytes):
		v.Bytes = []byte(s.column(o.OID, string(v.Bytes)))
	case v.Type == OctetString:
		v.Bytes = s.binary(v.Bytes)
	}
	return v
}

// column replaces in the text of a column what its kind asks for. Vendors' columns that are not known are guarded word
// by word; so are names of ports and parts.
func (s *Scrubber) column(oid OID, v string) string {
	switch s.columnPrivacy(oid) {
	case model:
		return s.text(v, false)
	case private:
		return s.pseudonym(v)
	}
	return s.guarded(v)
}

// binary replaces in binary octets the hardware addresses and the words that were learned.
func (s *Scrubber) binary(b []byte) []byte {
	if out, ok := s.bytes[string(b)]; ok {
		return []byte(out)
	}
	if len(b) == 6 && s.sameMaker(b) {
		return s.octets(b)
	}
	out := string(b)
	for i := 0; i+4 <= len(b) && len(b) <= 16; i++ { // an InetAddress, perhaps behind its type
		if a := [4]byte(b[i : i+4]); s.hosts[a] && !special(a) {
			to := s.addr4(a)
			out = out[:i] + string(to[:]) + out[i+4:]
		}
	}
	for _, from := range s.addresses() {
		out = strings.ReplaceAll(out, from, s.bytes[from])
	}
	for _, w := range s.longWords() {
		for _, form := range []string{w, strings.ToUpper(w)} {
			if strings.Contains(out, form) {
				out = strings.ReplaceAll(out, form, s.word(form))
			}
		}
	}
	return []byte(out)
}

// addresses are the learned hardware addresses, the longest first.
func (s *Scrubber) addresses() []string { return slices.SortedFunc(maps.Keys(s.bytes), longestFirst) }

// sameMaker reports whether six octets begin like a hardware address that was learned.
func (s *Scrubber) sameMaker(b []byte) bool {
	for known := range s.bytes {
		if len(known) == 6 && known[:3] == string(b[:3]) {
			return true
		}
	}
	return false
}

// index replaces what is private in the index part of an OID: addresses behind the columns that are known for them,
// addresses behind their length (InetAddress: 1.4.a.b.c.d), hardware addresses that were learned, and learned words.
func (s *Scrubber) index(oid OID) OID {
	const columns = 9 // no index begins before
	if len(oid) <= columns {
		return oid
	}
	out := slices.Clone(oid)
	for _, entry := range address4Columns {
		if oid.HasPrefix(entry) && len(oid) >= len(entry)+5 {
			s.index4(out[len(entry)+1:])
		}
	}
	for i := columns; i+6 <= len(out); i++ {
		if (out[i] == 1 || out[i] == 3) && out[i+1] == 4 && s.isSeen(out[i+2:i+6]) {
			s.index4(out[i+2:])
		}
	}
	if !octetRun(out[columns:]) {
		return out
	}
	for _, from := range s.addresses() {
		replaceArcs(out[columns:], from, func(from string) string { return s.bytes[from] })
	}
	for _, w := range s.allWords() {
		for _, form := range []string{w, strings.ToUpper(w)} {
			replaceArcs(out[columns:], form, s.word)
		}
	}
	return out
}

// octetRun reports whether four arcs in a row could be octets that spell something.
func octetRun(arcs OID) bool {
	run := 0
	for _, a := range arcs {
		if run++; a > 255 {
			run = 0
		}
		if run == 4 {
			return true
		}
	}
	return false
}

func (s *Scrubber) isSeen(arcs OID) bool {
	for _, a := range arcs {
		if a > 255 {
			return false
		}
	}
	return s.seen[[3]byte{byte(arcs[0]), byte(arcs[1]), byte(arcs[2])}]
}

func (s *Scrubber) index4(arcs OID) {
	var a [4]byte
	for i := range a {
		if arcs[i] > 255 {
			return
		}
		a[i] = byte(arcs[i])
	}
	for i, b := range s.addr4(a) {
		arcs[i] = uint32(b)
	}
}

// replaceArcs replaces a run of arcs that spells from, one arc an octet, by what it becomes.
func replaceArcs(arcs OID, from string, becomes func(string) string) {
	for i := 0; len(from) >= 4 && i+len(from) <= len(arcs); i++ {
		if arcs[i] != uint32(from[0]) || !spells(arcs[i:], from) {
			continue
		}
		to := becomes(from)
		for j := 0; j < len(to) && j < len(from); j++ {
			arcs[i+j] = uint32(to[j])
		}
		i += len(from) - 1
	}
}

func spells(arcs OID, s string) bool {
	for j := range len(s) {
		if arcs[j] != uint32(s[j]) {
			return false
		}
	}
	return true
}
