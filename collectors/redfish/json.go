package redfish

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// value is one JSON value, read as devices write it and not as RFC 8259 has it: a reader asks for what it wants and
// gets it, or learns that it isn't there. A field of the wrong type costs that field and nothing else. The zero value
// is a missing one; every method works on it.
//
// Tolerated, each because a device does it: raw control characters in strings, a byte order mark, trailing commas,
// repeated keys (the last one counts), invalid UTF-8, NaN and Infinity (null). Refused: a text that ends too early,
// since half a list of supplies would read as supplies that are gone.
type value struct {
	kind kind
	text string  // of a string or a number
	in   *inside // of an array or an object
}

// inside is what an array or an object holds: the elements of an array; of an object the values, beside their keys.
type inside struct {
	keys []string
	list []value
}

// names are an object's keys, in its order.
func (v value) names() []string {
	if v.in == nil {
		return nil
	}
	return v.in.keys
}

// each are an array's elements, or an object's values in the order of its keys.
func (v value) each() []value {
	if v.in == nil {
		return nil
	}
	return v.in.list
}

func arrayOf(list []value) value { return value{kind: array, in: &inside{list: list}} }

func objectOf(keys []string, list []value) value {
	return value{kind: object, in: &inside{keys: keys, list: list}}
}

type kind uint8

const (
	missing kind = iota
	null
	boolean
	number
	text
	array
	object
)

// Bounds of what is read: deeper or wider than any service is.
const (
	maxDepth  = 48
	maxValues = 2_000_000
)

var (
	errTruncated = errors.New("the JSON ends in the middle")
	errDeep      = errors.New("the JSON is nested too deep")
	errWide      = errors.New("the JSON holds too many values")
	errSyntax    = errors.New("it is no JSON")
)

// parseJSON reads one JSON text.
func parseJSON(b []byte) (value, error) {
	p := parser{s: strings.TrimPrefix(string(b), "\ufeff")}
	p.space()
	if p.i == len(p.s) {
		return value{}, errTruncated
	}
	v, err := p.value(0)
	if err != nil {
		return value{}, err
	}
	p.space()
	if p.i != len(p.s) && strings.Trim(p.s[p.i:], "\x00") != "" {
		return value{}, errSyntax
	}
	return v, nil
}

type parser struct {
	s     string
	i     int
	count int
}

func (p *parser) space() {
	for p.i < len(p.s) && p.s[p.i] <= ' ' {
		p.i++
	}
}

func (p *parser) value(depth int) (value, error) {
	p.count++
	switch {
	case depth > maxDepth:
		return value{}, errDeep
	case p.count > maxValues:
		return value{}, errWide
	case p.i >= len(p.s):
		return value{}, errTruncated
	}
	switch c := p.s[p.i]; {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		s, err := p.string()
		return value{kind: text, text: s}, err
	case c == '-' || c == '+' || c == '.' || c >= '0' && c <= '9':
		return p.number()
	}
	return p.word()
}

func (p *parser) word() (value, error) {
	start := p.i
	for p.i < len(p.s) && (p.s[p.i] >= 'a' && p.s[p.i] <= 'z' || p.s[p.i] >= 'A' && p.s[p.i] <= 'Z') {
		p.i++
	}
	switch w := p.s[start:p.i]; strings.ToLower(w) {
	case "true", "false":
		return value{kind: boolean, text: strings.ToLower(w)}, nil
	case "null", "nan", "infinity", "none", "undefined":
		return value{kind: null}, nil
	default:
		if p.i == len(p.s) && w != "" {
			return value{}, errTruncated
		}
		return value{}, errSyntax
	}
}

func (p *parser) number() (value, error) {
	start := p.i
	for p.i < len(p.s) && strings.IndexByte("+-.0123456789eE", p.s[p.i]) >= 0 {
		p.i++
	}
	w := p.s[start:p.i]
	if _, err := strconv.ParseFloat(w, 64); err != nil && !errors.Is(err, strconv.ErrRange) {
		if w == "-" && strings.HasPrefix(p.s[p.i:], "Infinity") {
			p.i += len("Infinity")
			return value{kind: null}, nil
		}
		if p.i == len(p.s) {
			return value{}, errTruncated
		}
		return value{}, errSyntax
	}
	return value{kind: number, text: w}, nil
}

func (p *parser) array(depth int) (value, error) {
	p.i++
	v := arrayOf(nil)
	for {
		p.space()
		if p.i >= len(p.s) {
			return value{}, errTruncated
		}
		if p.s[p.i] == ']' {
			p.i++
			return v, nil
		}
		if p.s[p.i] == ',' {
			p.i++
			continue
		}
		e, err := p.value(depth + 1)
		if err != nil {
			return value{}, err
		}
		v.in.list = append(v.in.list, e)
	}
}

func (p *parser) object(depth int) (value, error) {
	p.i++
	v := objectOf(nil, nil)
	for {
		p.space()
		switch {
		case p.i >= len(p.s):
			return value{}, errTruncated
		case p.s[p.i] == '}':
			p.i++
			return v, nil
		case p.s[p.i] == ',':
			p.i++
			continue
		case p.s[p.i] != '"':
			return value{}, errSyntax
		}
		key, err := p.string()
		if err != nil {
			return value{}, err
		}
		p.space()
		if p.i >= len(p.s) {
			return value{}, errTruncated
		}
		if p.s[p.i] != ':' {
			return value{}, errSyntax
		}
		p.i++
		p.space()
		e, err := p.value(depth + 1)
		if err != nil {
			return value{}, err
		}
		v.in.keys = append(v.in.keys, key)
		v.in.list = append(v.in.list, e)
	}
}

func (p *parser) string() (string, error) {
	p.i++
	start := p.i
	for p.i < len(p.s) && p.s[p.i] != '"' && p.s[p.i] != '\\' {
		p.i++
	}
	if p.i >= len(p.s) {
		return "", errTruncated
	}
	if p.s[p.i] == '"' {
		p.i++
		return clean(p.s[start : p.i-1]), nil
	}
	var b strings.Builder
	b.WriteString(p.s[start:p.i])
	for p.i < len(p.s) {
		switch c := p.s[p.i]; c {
		case '"':
			p.i++
			return clean(b.String()), nil
		case '\\':
			p.i++
			if p.i >= len(p.s) {
				return "", errTruncated
			}
			p.escape(&b)
		default:
			b.WriteByte(c)
			p.i++
		}
	}
	return "", errTruncated
}

func (p *parser) escape(b *strings.Builder) {
	c := p.s[p.i]
	p.i++
	switch c {
	case 'n', 'r', 't', 'b', 'f':
		b.WriteByte(' ')
	case 'u':
		r, ok := p.hex4()
		if !ok {
			b.WriteRune(utf8.RuneError)
			return
		}
		if utf16.IsSurrogate(r) && strings.HasPrefix(p.s[p.i:], `\u`) {
			at := p.i
			p.i += 2
			if r2, ok := p.hex4(); ok {
				if d := utf16.DecodeRune(r, r2); d != utf8.RuneError {
					b.WriteRune(d)
					return
				}
			}
			p.i = at
		}
		b.WriteRune(r)
	default:
		b.WriteByte(c)
	}
}

func (p *parser) hex4() (rune, bool) {
	if p.i+4 > len(p.s) {
		return 0, false
	}
	n, err := strconv.ParseUint(p.s[p.i:p.i+4], 16, 32)
	if err != nil {
		return 0, false
	}
	p.i += 4
	return rune(n), true
}

// clean makes a device's string fit to be shown: control characters become spaces, invalid UTF-8 is replaced.
func clean(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= 0x7f {
			return strings.Map(func(r rune) rune {
				if r < ' ' || r == 0x7f {
					return ' '
				}
				return r
			}, strings.ToValidUTF8(s, "\uFFFD"))
		}
	}
	return s
}

// get returns the field of that name: as written, else in another case. A repeated key counts by its last value.
func (v value) get(name string) value {
	if v.kind != object {
		return value{}
	}
	keys := v.names()
	for i := len(keys) - 1; i >= 0; i-- {
		if keys[i] == name {
			return v.in.list[i]
		}
	}
	for i := len(keys) - 1; i >= 0; i-- {
		if len(keys[i]) == len(name) && strings.EqualFold(keys[i], name) {
			return v.in.list[i]
		}
	}
	return value{}
}

// at descends through the named fields.
func (v value) at(names ...string) value {
	for _, n := range names {
		v = v.get(n)
	}
	return v
}

// first returns the first of the named fields that is there and not null.
func (v value) first(names ...string) value {
	for _, n := range names {
		if f := v.get(n); f.present() {
			return f
		}
	}
	return value{}
}

func (v value) present() bool { return v.kind != missing && v.kind != null }

// str returns the text of a string, number or boolean, trimmed, and "" for what means nothing: null, "N/A", "nil".
func (v value) str() string {
	switch v.kind {
	case text:
		s := strings.TrimSpace(v.text)
		if noWord(s) {
			return ""
		}
		return s
	case number, boolean:
		return v.text
	}
	return ""
}

// noWord reports whether s is one of the ways in which devices write that they know nothing.
func noWord(s string) bool {
	switch strings.ToLower(s) {
	case "", "n/a", "na", "nil", "null", "none", "(null)", "not available", "notavailable", "undefined", "-", "--":
		return true
	}
	return false
}

// num returns a number, also one that the device wrote as a string, with or without a unit behind it.
func (v value) num() (float64, bool) {
	s := v.text
	switch v.kind {
	case number:
	case text:
		s = strings.TrimSpace(s)
		if i := strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("+-.0123456789eE", r) }); i > 0 {
			s = s[:i]
		}
	case object: // a sensor excerpt where a number was meant
		if r := v.get("Reading"); r.kind == number || r.kind == text {
			return r.num()
		}
		return 0, false
	default:
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return 0, false
	}
	return f, true
}

// boolean returns the truth value and whether there is one.
func (v value) boolean() (is, known bool) {
	switch strings.ToLower(strings.TrimSpace(v.text)) {
	case "true", "yes", "1":
		return true, v.kind == boolean || v.kind == text || v.kind == number
	case "false", "no", "0":
		return false, v.kind == boolean || v.kind == text || v.kind == number
	}
	return false, false
}

// items returns the elements of an array. A single object or string where an array was meant is an array of one.
func (v value) items() []value {
	switch v.kind {
	case array:
		return v.each()
	case object:
		if len(v.names()) == 0 {
			return nil
		}
		return []value{v}
	case text:
		return []value{v}
	}
	return nil
}

// link returns the path that v points to: of a reference object, of an embedded resource, of a plain string.
func (v value) link() string {
	switch v.kind {
	case object:
		if s := v.get("@odata.id"); s.kind == text {
			return strings.TrimSpace(s.text)
		}
		if s := v.get("href"); s.kind == text { // before Redfish 1.0
			return strings.TrimSpace(s.text)
		}
	case text:
		if strings.HasPrefix(v.text, "/") {
			return strings.TrimSpace(v.text)
		}
	}
	return ""
}

// raw returns the text as str does, with nothing taken for unknown ("None" is a RAID level and a hot spare's type).
func (v value) raw() string {
	switch v.kind {
	case text, number, boolean:
		return strings.TrimSpace(v.text)
	}
	return ""
}

// index returns the element of an array at a position written in digits.
func (v value) index(n string) value {
	i, err := strconv.Atoi(n)
	if l := v.items(); err == nil && i >= 0 && i < len(l) {
		return l[i]
	}
	return value{}
}
