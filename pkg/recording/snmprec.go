package recording

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// maxLine bounds one line of a recording.
const maxLine = 4 << 20

// readSNMP runs a line parser over r and puts what it finds in order.
func readSNMP(format Format, r io.Reader, parse func(*lines, func(Object), func(error)) error) (*Recording, error) {
	rec := &Recording{Format: format}
	in := &lines{s: bufio.NewScanner(r)}
	in.s.Buffer(make([]byte, 0, 64<<10), maxLine)
	bad := 0
	err := parse(in, func(o Object) { rec.SNMP = append(rec.SNMP, o) }, func(err error) {
		if bad++; len(rec.Problems) < 1000 {
			rec.Problems = append(rec.Problems, Problem{in.at, err})
		}
	})
	if err == nil {
		err = in.s.Err()
	}
	if errors.Is(err, bufio.ErrTooLong) {
		return nil, Problem{in.n + 1, fmt.Errorf("longer than %d MiB", maxLine>>20)}
	}
	if err != nil {
		return nil, fmt.Errorf("read recording: %w", err)
	}
	if bad > 0 && bad >= len(rec.SNMP) {
		return nil, fmt.Errorf("%w (%w)", rec.Problems[0], ErrNotRecording)
	}
	if len(rec.SNMP) == 0 {
		return nil, fmt.Errorf("the recording holds no object (%w)", ErrNotRecording)
	}
	rec.SNMP, rec.Unsorted, rec.Repeated = Sort(rec.SNMP)
	return rec, nil
}

// lines hands out lines without their ends, and knows where it is.
type lines struct {
	s    *bufio.Scanner
	n    int // lines handed out
	at   int // the line at which the object in hand began
	held *string
}

func (l *lines) next() (string, bool) {
	if l.held != nil {
		s := *l.held
		l.held = nil
		l.n++
		return s, true
	}
	if !l.s.Scan() {
		return "", false
	}
	s := strings.TrimSuffix(l.s.Text(), "\r")
	if l.n == 0 {
		s = strings.TrimPrefix(s, "\ufeff")
	}
	l.n++
	return s, true
}

// unread puts the last line back.
func (l *lines) unread(s string) {
	l.held = &s
	l.n--
}

func parseSNMPRec(in *lines, found func(Object), bad func(error)) error {
	for {
		line, ok := in.next()
		if !ok {
			return nil
		}
		in.at = in.n
		if t := strings.TrimSpace(line); t == "" || t[0] == '#' {
			continue
		}
		o, err := snmprecLine(line)
		if err != nil {
			bad(err)
			continue
		}
		found(o)
	}
}

func snmprecLine(line string) (Object, error) {
	left, rest, ok := strings.Cut(line, "|")
	tag, value, ok2 := strings.Cut(rest, "|")
	if !ok || !ok2 {
		return Object{}, fmt.Errorf("%q is not OID|tag|value", clip(line))
	}
	oid, err := ParseOID(strings.TrimSpace(left))
	if err != nil {
		return Object{}, err
	}
	v, err := snmprecValue(strings.TrimSpace(tag), value)
	if err != nil {
		return Object{}, fmt.Errorf("%s: %w", oid, err)
	}
	return Object{OID: oid, Value: v}, nil
}

// snmprecValue reads a value under its tag: a BER tag number, then x (hex) or e (escapes as in a Python string), then
// perhaps ":module", one of snmpsim's variation modules, whose options hold the value.
func snmprecValue(tag, text string) (Value, error) {
	tag, module, varied := strings.Cut(tag, ":")
	number := strings.TrimRight(tag, "xe")
	form := tag[len(number):]
	n, err := strconv.ParseUint(number, 10, 8)
	if err != nil || len(form) > 1 {
		return Value{}, fmt.Errorf("%q is no tag", clip(tag))
	}
	if varied {
		if text, form, err = variedValue(module, text, form); err != nil {
			return Value{}, err
		}
	}
	raw := []byte(text)
	switch form {
	case "x":
		if raw, err = hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(text), " ", "")); err != nil {
			return Value{}, fmt.Errorf("%q is not hex", clip(text))
		}
	case "e":
		if raw, err = unescape(text); err != nil {
			return Value{}, err
		}
	}
	return makeValue(Type(n), raw, form != "")
}

// variedValue takes the value out of a variation module's options: value= (or hexvalue=) of most of them, initial=
// (or min=) of "numeric", which starts there.
func variedValue(module, options, form string) (value, newForm string, err error) {
	// The value comes last in what snmpsim's own recorder writes, and may hold commas itself.
	if i := strings.Index(options, "hexvalue="); i == 0 || i > 0 && options[i-1] == ',' {
		return options[i+len("hexvalue="):], "x", nil
	}
	if i := strings.Index(options, "value="); i == 0 || i > 0 && options[i-1] == ',' {
		return options[i+len("value="):], form, nil
	}
	given := map[string]string{}
	for o := range strings.SplitSeq(options, ",") {
		k, v, _ := strings.Cut(o, "=")
		given[strings.TrimSpace(k)] = strings.TrimSpace(v)
	}
	for _, key := range []string{"initial", "min"} {
		if v, ok := given[key]; ok && module == "numeric" {
			if f, err := strconv.ParseFloat(v, 64); err == nil {
				return strconv.FormatInt(int64(f), 10), form, nil
			}
		}
	}
	return "", "", fmt.Errorf("variation module %q: no value= in %q", module, clip(options))
}

// unescape reads the escapes of a Python string literal.
func unescape(s string) ([]byte, error) {
	simple := map[byte]byte{'\\': '\\', '\'': '\'', '"': '"', 'a': 7, 'b': 8, 'f': 12, 'n': 10, 'r': 13, 't': 9, 'v': 11, '0': 0}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		if i++; i == len(s) {
			return nil, errors.New("a backslash ends the value")
		}
		if s[i] == 'x' {
			if i+2 >= len(s) {
				return nil, errors.New(`\x wants two hex digits`)
			}
			b, err := hex.DecodeString(s[i+1 : i+3])
			if err != nil {
				return nil, fmt.Errorf(`\x%s: not hex`, s[i+1:i+3])
			}
			out = append(out, b[0])
			i += 2
			continue
		}
		c, ok := simple[s[i]]
		if !ok {
			return nil, fmt.Errorf(`unknown escape \%c`, s[i])
		}
		out = append(out, c)
	}
	return out, nil
}

// makeValue makes a value of the type from its text, or from its bytes where raw.
func makeValue(t Type, text []byte, raw bool) (Value, error) {
	v := Value{Type: t}
	trimmed := strings.TrimSpace(string(text))
	var err error
	switch t {
	case OctetString, Opaque:
		v.Bytes = bytes.Clone(text)
	case Null:
	case IPAddress:
		if raw {
			v.Bytes = bytes.Clone(text)
		} else {
			v.Bytes = dotted(trimmed)
		}
		if len(v.Bytes) != 4 {
			return Value{}, fmt.Errorf("%q is no IPv4 address", clip(trimmed))
		}
	case ObjectID:
		v.OID, err = ParseOID(trimmed)
	case Integer:
		v.Int, err = strconv.ParseInt(trimmed, 10, 64)
	case Counter32, Gauge32, TimeTicks, 71: // 71: UInteger32 of SNMPv2 historic
		if v.Type == 71 {
			v.Type = Gauge32
		}
		v.Uint, err = strconv.ParseUint(trimmed, 10, 64)
		if n, nerr := strconv.ParseInt(trimmed, 10, 32); err != nil && nerr == nil {
			v.Uint, err = uint64(uint32(n)), nil // written by a recorder that took it for signed
		}
		if err == nil && v.Uint > math.MaxUint32 {
			err = errors.New("more than 32 bits")
		}
	case Counter64:
		v.Uint, err = strconv.ParseUint(trimmed, 10, 64)
	default:
		return Value{}, fmt.Errorf("unknown tag %d", uint8(t))
	}
	if err != nil {
		return Value{}, fmt.Errorf("%q is no %s", clip(trimmed), t)
	}
	return v, nil
}

// dotted reads four numbers with dots between; leading zeros, which net/netip refuses, are decimal here. nil where s is
// no IPv4 address.
func dotted(s string) []byte {
	out := make([]byte, 0, 4)
	for part := range strings.SplitSeq(s, ".") {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || len(out) == 4 {
			return nil
		}
		out = append(out, byte(n))
	}
	return out
}

// WriteSNMPRec writes objects as snmpsim reads them, in the order given. Strings that are not plain printable text
// are written as hex.
func WriteSNMPRec(w io.Writer, objects []Object) error {
	out := bufio.NewWriter(w)
	for _, o := range objects {
		fmt.Fprintf(out, "%s|%s\n", o.OID, tagged(o.Value))
	}
	return out.Flush()
}

func tagged(v Value) string {
	tag := strconv.Itoa(int(v.Type))
	switch v.Type {
	case Integer:
		return tag + "|" + strconv.FormatInt(v.Int, 10)
	case ObjectID:
		return tag + "|" + v.OID.String()
	case Null:
		return tag + "|"
	case IPAddress:
		if len(v.Bytes) == 4 {
			return tag + "|" + netip.AddrFrom4([4]byte(v.Bytes)).String()
		}
		return tag + "x|" + hex.EncodeToString(v.Bytes)
	case OctetString:
		if plain(v.Bytes) {
			return tag + "|" + string(v.Bytes)
		}
		return tag + "x|" + hex.EncodeToString(v.Bytes)
	case Opaque:
		return tag + "x|" + hex.EncodeToString(v.Bytes)
	}
	return tag + "|" + strconv.FormatUint(v.Uint, 10)
}

// plain reports whether b may stand in a line as it is: printable ASCII without a space at either end (snmpsim strips
// those).
func plain(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return len(b) == 0 || b[0] != ' ' && b[len(b)-1] != ' '
}
