package recording

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// parseSNMPWalk reads what net-snmp's snmpwalk prints: OID = TYPE: value, in the forms of its options -On, -Ob, -Oe,
// -OU, -OT, -Ox, -Oa, -Ot and -OQ. Values over several lines, lines without a type and answers that hold no
// object ("No Such Instance ...") are understood.
func parseSNMPWalk(in *lines, found func(Object), bad func(error)) error {
	var untyped []Object // numbers without a type, settled when it is known how the file was printed
	typed := false
	for {
		line, ok := in.next()
		if !ok {
			break
		}
		in.at = in.n
		if t := strings.TrimSpace(line); t == "" || t[0] == '#' {
			continue
		}
		name, value, ok := walkLine(line)
		if !ok {
			bad(fmt.Errorf("%q is not OID = TYPE: value", clip(line)))
			continue
		}
		value = in.continued(value)
		oid, err := symbolicOID(name)
		if err != nil {
			bad(err)
			continue
		}
		v, kind, err := walkValue(value)
		switch {
		case err != nil:
			bad(fmt.Errorf("%s: %w", oid, err))
		case kind == walkNothing:
		case kind == walkUntyped:
			untyped = append(untyped, Object{OID: oid, Value: v})
		default:
			typed = typed || kind == walkTyped
			found(Object{OID: oid, Value: v})
		}
	}
	for _, o := range untyped {
		// Among lines with types a bare number is what -Ot makes of a Timeticks. Where no line has a type (-OQ) it
		// may be anything; INTEGER is what most are.
		if typed && o.Int >= 0 && o.Int <= math.MaxUint32 {
			o.Value = UintValue(TimeTicks, uint64(o.Int))
		}
		found(o)
	}
	return nil
}

// walkStart is how a line begins that holds an object: a numeric OID, one below iso, or MODULE::name.
var walkStart = regexp.MustCompile(`^\s*(\.?(?:\d+|iso|ccitt|joint-iso-ccitt)\.\S*|[A-Za-z][\w-]*::\S+|[a-z][\w-]*\.\S+)\s+=(?:\s+(.*))?$`)

// walkLine splits a line that begins an object.
func walkLine(line string) (name, value string, ok bool) {
	m := walkStart.FindStringSubmatch(line)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// continued adds the lines that belong to a value: to a quoted string up to its closing quote, to other strings up to
// the next line that begins an object. A quote that is never closed ends there too.
func (l *lines) continued(value string) string {
	name, body, _ := cutType(value)
	quoted := strings.HasPrefix(body, `"`)
	if !quoted && walkTypes[name] != OctetString && name != "Opaque" && name != "OPAQUE" {
		return value
	}
	for !quoted || !closed(body) {
		line, ok := l.next()
		if !ok {
			return value
		}
		if _, _, starts := walkLine(line); starts || !quoted && strings.TrimSpace(line) == "" {
			l.unread(line)
			return value
		}
		value += "\n" + line
		body += "\n" + line
	}
	return value
}

// closed reports whether a quoted string has its closing quote.
func closed(s string) bool {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return strings.TrimSpace(s[i+1:]) == ""
		}
	}
	return false
}

var walkTypes = map[string]Type{
	"INTEGER": Integer, "Integer32": Integer, "INTEGER32": Integer,
	"STRING": OctetString, "Hex-STRING": OctetString, "BITS": OctetString, "OCTET STRING": OctetString,
	"Timeticks": TimeTicks, "TimeTicks": TimeTicks,
	"OID": ObjectID, "OBJECT IDENTIFIER": ObjectID,
	"IpAddress": IPAddress, "IPADDRESS": IPAddress, "Network Address": IPAddress, "IpAddr": IPAddress,
	"Counter32": Counter32, "Counter": Counter32, "COUNTER": Counter32,
	"Gauge32": Gauge32, "Gauge": Gauge32, "GAUGE": Gauge32, "Unsigned32": Gauge32, "UInteger32": Gauge32, "UINTEGER": Gauge32,
	"Counter64": Counter64, "COUNTER64": Counter64,
	"Opaque": Opaque, "OPAQUE": Opaque, "NULL": Null,
}

// cutType splits "TYPE: value" where TYPE is one that net-snmp prints.
func cutType(s string) (name, value string, ok bool) {
	i := strings.IndexByte(s, ':')
	if i < 0 {
		return "", s, false
	}
	if _, known := walkTypes[s[:i]]; !known {
		return "", s, false
	}
	return s[:i], strings.TrimPrefix(s[i+1:], " "), true
}

type walkKind uint8

const (
	walkTyped walkKind = iota
	walkPlain          // a string or OID that needs no type
	walkUntyped
	walkNothing // an answer without an object
)

var wrongType = regexp.MustCompile(`^Wrong Type \(should be [^)]*\): `)

func walkValue(s string) (Value, walkKind, error) {
	s = wrongType.ReplaceAllString(s, "")
	if strings.HasPrefix(s, "No Such ") || strings.HasPrefix(s, "No more variables ") {
		return Value{}, walkNothing, nil
	}
	name, body, ok := cutType(s)
	if !ok {
		return untypedValue(strings.TrimSpace(s))
	}
	v, err := typedValue(name, body)
	return v, walkTyped, err
}

func untypedValue(s string) (Value, walkKind, error) {
	switch {
	case s == "NULL":
		return Value{Type: Null}, walkTyped, nil
	case s == "" || s[0] == '"':
		b, err := unquote(s)
		return Value{Type: OctetString, Bytes: b}, walkPlain, err
	}
	if v, err := enumerated(s); err == nil {
		return v, walkUntyped, nil
	}
	if v, err := ticks(s); err == nil {
		return v, walkPlain, nil
	}
	return StringValue(s), walkPlain, nil
}

func typedValue(name, body string) (Value, error) {
	t := walkTypes[name]
	trimmed := strings.TrimSpace(body)
	switch {
	case name == "Hex-STRING", name == "BITS":
		b, err := spacedHex(trimmed, name == "BITS")
		return Value{Type: OctetString, Bytes: b}, err
	case t == OctetString:
		b, err := unquote(body)
		return Value{Type: OctetString, Bytes: b}, err
	case t == Integer:
		return enumerated(trimmed)
	case t == TimeTicks:
		return ticks(trimmed)
	case t == ObjectID:
		oid, err := symbolicOID(trimmed)
		return OIDValue(oid), err
	case t == Opaque:
		return opaque(trimmed)
	case t == IPAddress && strings.Count(trimmed, ":") == 3: // Network Address: 0A:01:02:03
		b, err := hex.DecodeString(strings.ReplaceAll(trimmed, ":", ""))
		if err != nil || len(b) != 4 {
			return Value{}, fmt.Errorf("%q is no IPv4 address", clip(trimmed))
		}
		return Value{Type: IPAddress, Bytes: b}, nil
	case t == IPAddress:
		return makeValue(t, []byte(trimmed), false)
	}
	number, _, _ := strings.Cut(trimmed, " ") // a unit may follow
	v, err := makeValue(t, []byte(number), false)
	if err != nil {
		if n, derr := decimal(number); derr == nil && n >= 0 {
			return makeValue(t, strconv.AppendInt(nil, n, 10), false)
		}
	}
	return v, err
}

var enumValue = regexp.MustCompile(`^[^\s(]*\((-?\d+)\)$`)

// enumerated reads 5, up(1), "5 seconds" (a unit) and 12.3 (a DISPLAY-HINT's decimal point: the number is 123).
func enumerated(s string) (Value, error) {
	if m := enumValue.FindStringSubmatch(s); m != nil {
		s = m[1]
	}
	number, _, _ := strings.Cut(s, " ")
	n, err := decimal(number)
	if err != nil {
		return Value{}, fmt.Errorf("%q is no INTEGER", clip(s))
	}
	return IntValue(n), nil
}

func decimal(s string) (int64, error) {
	whole, fraction, ok := strings.Cut(s, ".")
	if ok && (fraction == "" || strings.Trim(fraction, "0123456789") != "") {
		return 0, fmt.Errorf("%q is no number", clip(s))
	}
	return strconv.ParseInt(whole+fraction, 10, 64)
}

var ticksLong = regexp.MustCompile(`^(?:(\d+) days?, |(\d+):)?(\d+):(\d\d):(\d\d)\.(\d\d)$`)

// ticks reads (4711) 0:00:47.11, 4711, and 1 day, 0:00:47.11; the result is in 1/100 s.
func ticks(s string) (Value, error) {
	if rest, ok := strings.CutPrefix(s, "("); ok {
		s, _, _ = strings.Cut(rest, ")")
	}
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		return UintValue(TimeTicks, n), nil
	}
	m := ticksLong.FindStringSubmatch(s)
	if m == nil {
		return Value{}, fmt.Errorf("%q is no Timeticks", clip(s))
	}
	total := uint64(0)
	for i, scale := range []uint64{24 * 360000, 24 * 360000, 360000, 6000, 100, 1} {
		if m[i+1] == "" {
			continue
		}
		n, err := strconv.ParseUint(m[i+1], 10, 32)
		if err != nil {
			return Value{}, fmt.Errorf("%q is no Timeticks", clip(s))
		}
		total += n * scale
	}
	return UintValue(TimeTicks, total&math.MaxUint32), nil
}

// spacedHex reads "00 0C 15", also over several lines. After BITS the names of the bits follow the hex.
func spacedHex(s string, bits bool) ([]byte, error) {
	out := []byte{}
	for _, field := range strings.Fields(s) {
		b, err := hex.DecodeString(field)
		if err != nil || len(field) != 2 && bits {
			if bits {
				return out, nil
			}
			if strings.HasPrefix(field, "[") || strings.HasSuffix(field, "]") {
				continue // -OT writes the text beside the hex
			}
			return nil, fmt.Errorf("%q is no Hex-STRING", clip(s))
		}
		out = append(out, b...)
	}
	return out, nil
}

// unquote takes the quotes off a string; \" and \\ are the only escapes that net-snmp writes.
func unquote(s string) ([]byte, error) {
	trimmed := strings.TrimSpace(s)
	if !strings.HasPrefix(trimmed, `"`) {
		return []byte(s), nil
	}
	if !closed(trimmed) {
		return nil, fmt.Errorf("%q: the quote is not closed", clip(trimmed))
	}
	trimmed = trimmed[1 : len(trimmed)-1]
	out := make([]byte, 0, len(trimmed))
	for i := 0; i < len(trimmed); i++ {
		if trimmed[i] == '\\' && i+1 < len(trimmed) && (trimmed[i+1] == '"' || trimmed[i+1] == '\\') {
			i++
		}
		out = append(out, trimmed[i])
	}
	return out, nil
}

// opaque reads Float: 0.5, Double:, Int64:, UInt64: (net-snmp's opaque specials, tags 0x78 to 0x7b under 0x9f) and hex.
func opaque(s string) (Value, error) {
	name, body, _ := strings.Cut(s, ": ")
	special := func(tag byte, body []byte) (Value, error) {
		return Value{Type: Opaque, Bytes: append([]byte{0x9f, tag, byte(len(body))}, body...)}, nil
	}
	switch name {
	case "Float":
		f, err := strconv.ParseFloat(body, 32)
		if err != nil {
			return Value{}, fmt.Errorf("%q is no Float", clip(body))
		}
		return special(0x78, binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(f))))
	case "Double":
		f, err := strconv.ParseFloat(body, 64)
		if err != nil {
			return Value{}, fmt.Errorf("%q is no Double", clip(body))
		}
		return special(0x79, binary.BigEndian.AppendUint64(nil, math.Float64bits(f)))
	}
	b, err := spacedHex(s, false)
	if err != nil {
		return Value{}, fmt.Errorf("%q is no Opaque", clip(s))
	}
	return Value{Type: Opaque, Bytes: b}, nil
}

// The names that net-snmp writes without any MIB but its own core ones: the arcs of the tree above the vendors', and
// the system group.
var roots = map[string]string{
	"iso": "1", "ccitt": "0", "joint-iso-ccitt": "2", "zeroDotZero": "0.0",
	"org": "1.3", "dod": "1.3.6", "internet": "1.3.6.1", "directory": "1.3.6.1.1", "mgmt": "1.3.6.1.2",
	"mib-2": "1.3.6.1.2.1", "transmission": "1.3.6.1.2.1.10", "experimental": "1.3.6.1.3", "private": "1.3.6.1.4",
	"enterprises": "1.3.6.1.4.1", "security": "1.3.6.1.5", "snmpV2": "1.3.6.1.6", "snmpDomains": "1.3.6.1.6.1",
	"snmpProxys": "1.3.6.1.6.2", "snmpModules": "1.3.6.1.6.3",
	"system": "1.3.6.1.2.1.1", "interfaces": "1.3.6.1.2.1.2",
	"sysDescr": "1.3.6.1.2.1.1.1", "sysObjectID": "1.3.6.1.2.1.1.2", "sysUpTime": "1.3.6.1.2.1.1.3",
	"sysUpTimeInstance": "1.3.6.1.2.1.1.3.0", "sysContact": "1.3.6.1.2.1.1.4", "sysName": "1.3.6.1.2.1.1.5",
	"sysLocation": "1.3.6.1.2.1.1.6", "sysServices": "1.3.6.1.2.1.1.7", "sysORLastChange": "1.3.6.1.2.1.1.8",
	"sysORID": "1.3.6.1.2.1.1.9.1.2", "sysORDescr": "1.3.6.1.2.1.1.9.1.3", "sysORUpTime": "1.3.6.1.2.1.1.9.1.4",
}

// symbolicOID reads a numeric OID, one below a known name (iso.3.6.1, SNMPv2-SMI::enterprises.318,
// .iso.org.dod.internet.mgmt), and refuses others: their numbers are in a MIB that is not here.
func symbolicOID(s string) (OID, error) {
	s = strings.TrimPrefix(s, ".")
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return ParseOID(s)
	}
	if _, name, ok := strings.Cut(s, "::"); ok {
		s = name
	}
	number, arcs := "", strings.Split(s, ".")
	for i, arc := range arcs {
		if root, ok := roots[arc]; ok {
			number = root
			continue
		}
		if arc == "" || arc[0] < '0' || arc[0] > '9' || number == "" {
			return nil, fmt.Errorf("the number of %q is not known here: record with snmpwalk -On", clip(s))
		}
		number += "." + strings.Join(arcs[i:], ".")
		break
	}
	return ParseOID(number)
}
