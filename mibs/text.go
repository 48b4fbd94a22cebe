package mibs

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// scope is what names mean at one place of a profile.
type scope struct {
	p     *Profile
	names *names
	table int  // -1 where there is no row
	fast  bool // what is named here can change from minute to minute
}

// names are a profile's scalars, tables, enums and OID prefixes.
type names struct {
	oids    map[string]string
	scalars map[string]int
	tables  map[string]int
	columns []map[string]int
	enums   map[string]*yaml.Node
	enumAt  map[string]reader
	kinds   map[string]bool
}

// System values by their number in Ref.Item.
var systemNames = []string{"sysObjectID", "sysDescr", "sysName"}

var indexPart = regexp.MustCompile(`^index\.(-?[0-9]+)$`)

// ref resolves a name as written in a profile.
func (s scope) ref(name string) (Ref, error) {
	r := Ref{Name: name}
	table, rest := s.table, name
	for {
		head, tail, more := strings.Cut(rest, ".")
		if table < 0 || !more {
			break
		}
		j := s.join(table, head)
		if j < 0 {
			break
		}
		s.markJoin(table, j)
		r.Path = append(r.Path, j)
		table, rest = s.p.Tables[table].Joins[j].Table, tail
	}
	if table >= 0 {
		switch m := indexPart.FindStringSubmatch(rest); {
		case rest == "index":
			r.From = FromIndex
			return r, nil
		case rest == "index.text":
			r.From = FromIndexText
			return r, nil
		case rest == "row":
			r.From = FromRow
			return r, nil
		case m != nil:
			r.From = FromIndex
			r.Part, _ = strconv.Atoi(m[1])
			if r.Part == 0 {
				return r, fmt.Errorf("%q: the parts of an index are counted from 1, or from -1 backwards", name)
			}
			return r, nil
		}
		if c, ok := s.names.columns[table][rest]; ok {
			r.Item = c
			if s.fast {
				s.p.Tables[table].Columns[c].Fast = true
			}
			return r, nil
		}
	}
	if len(r.Path) == 0 {
		for i, n := range systemNames {
			if rest == n {
				r.From, r.Item = FromSystem, i
				return r, nil
			}
		}
		if i, ok := s.names.scalars[rest]; ok {
			r.From, r.Item = FromScalar, i
			if s.fast {
				s.p.Scalars[i].Fast = true
			}
			return r, nil
		}
	}
	if table >= 0 {
		return r, fmt.Errorf("%q is no column or join of table %s, no scalar, and not index or row", name, s.p.Tables[table].Name)
	}
	return r, fmt.Errorf("%q is no scalar (a column can be named only where there is a table)", name)
}

func (s scope) join(table int, name string) int {
	for i, j := range s.p.Tables[table].Joins {
		if j.Name == name {
			return i
		}
	}
	return -1
}

// markJoin is a place to note that a join is used; its columns stay what they are, because a poll of the fast columns
// finds the others in memory.
func (scope) markJoin(int, int) {}

// template parses "text {name|filter|...} text". "{{" is a brace.
func (s scope) template(text string) (*Template, error) {
	t := &Template{}
	lit := ""
	flush := func() {
		if lit != "" {
			t.Parts = append(t.Parts, Part{Literal: lit})
			lit = ""
		}
	}
	for text != "" {
		i := strings.IndexAny(text, "{}")
		if i < 0 {
			lit += text
			break
		}
		lit += text[:i]
		if strings.HasPrefix(text[i:], "{{") || strings.HasPrefix(text[i:], "}}") {
			lit += text[i : i+1]
			text = text[i+2:]
			continue
		}
		if text[i] == '}' {
			return nil, fmt.Errorf("a } without a { in %q; write }} for the character", text)
		}
		pieces, rest, err := hole(text[i+1:])
		if err != nil {
			return nil, err
		}
		flush()
		p := Part{}
		name := strings.TrimSpace(pieces[0])
		name, p.Optional = strings.CutSuffix(name, "?")
		r, err := s.ref(name)
		if err != nil {
			return nil, err
		}
		p.Ref = &r
		for _, f := range pieces[1:] {
			filter, err := parseFilter(strings.TrimSpace(f))
			if err != nil {
				return nil, err
			}
			p.Filters = append(p.Filters, filter)
		}
		t.Parts = append(t.Parts, p)
		text = rest
	}
	flush()
	return t, nil
}

// hole cuts "name|filter|/re/} rest" at its bars and its brace; what stands between slashes is left alone.
func hole(s string) (pieces []string, rest string, err error) {
	start, inRE := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && inRE:
			i++
		case c == '/' && (inRE || strings.TrimSpace(s[start:i]) == "" && len(pieces) > 0):
			inRE = !inRE
		case inRE:
		case c == '|':
			pieces = append(pieces, s[start:i])
			start = i + 1
		case c == '}':
			return append(pieces, s[start:i]), s[i+1:], nil
		}
	}
	return nil, "", fmt.Errorf("a { without its } in %q", "{"+s)
}

func parseFilter(f string) (Filter, error) {
	switch f {
	case "slot", "number", "lower", "upper", "trim", "hex", "inet", "text", "octets", "each":
		return Filter{Op: f}, nil
	}
	if len(f) >= 2 && f[0] == '/' && f[len(f)-1] == '/' {
		re, err := regexp.Compile(strings.ReplaceAll(f[1:len(f)-1], `\/`, "/"))
		if err != nil {
			return Filter{}, fmt.Errorf("%s: %w", f, err)
		}
		return Filter{Op: "re", Re: re}, nil
	}
	if len(f) > 1 && (f[0] == '+' || f[0] == '-') {
		if n, err := strconv.ParseInt(f, 10, 64); err == nil {
			return Filter{Op: "add", N: n}, nil
		}
	}
	return Filter{}, fmt.Errorf("%q is no filter; there are slot, number, lower, upper, trim, hex, inet, text, octets, each, /regexp/, +n and -n", f)
}

// text reads a template, a list of alternatives, or {of: name or text: template, map:, extract:, default:, when:}.
func (r reader) text(s scope, n *yaml.Node, what string) Text {
	var out Text
	for _, item := range r.list(n) {
		if item.Kind == yaml.ScalarNode {
			t, err := s.template(item.Value)
			if err != nil {
				r.errorf(item, "%s: %v", what, err)
				continue
			}
			if slices.ContainsFunc(t.Parts, Part.Many) {
				r.errorf(item, "%s: octets and each name several things: they are for links and members", what)
			}
			out = append(out, TextItem{Template: t})
			continue
		}
		f := r.fields(item, what)
		var ti TextItem
		of, literal := f.take("of"), f.take("text")
		switch {
		case of == nil && literal == nil:
			r.errorf(item, "%s: say with \"of\" which value is meant, or with \"text\" which text", what)
		case of != nil:
			ref, err := s.ref(r.str(of, what))
			if err != nil {
				r.errorf(of, "%s: %v", what, err)
				break
			}
			ti.Template = &Template{Parts: []Part{{Ref: &ref}}}
		default:
			t, err := s.template(r.str(literal, what))
			if err != nil {
				r.errorf(literal, "%s: %v", what, err)
			}
			ti.Template = t
		}
		if x := f.take("extract"); x != nil {
			re, err := regexp.Compile(r.str(x, what))
			if err != nil {
				r.errorf(x, "%s: %v", what, err)
			} else if ti.Template != nil && len(ti.Template.Parts) == 1 {
				p := &ti.Template.Parts[0]
				p.Filters = append(p.Filters, Filter{Op: "re", Re: re})
			} else {
				r.errorf(x, "%s: extract wants a single value in \"of\"", what)
			}
		}
		if m := f.take("map"); m != nil {
			ti.Map = map[string]string{}
			for _, kv := range r.pairs(r.enum(s, m), what+" map") {
				ti.Map[kv[0].Value] = r.str(kv[1], what)
			}
		}
		ti.Default = r.str(f.take("default"), what)
		if w := f.take("when"); w != nil {
			ti.When = r.pred(s, w)
		}
		f.done()
		if ti.Template != nil {
			out = append(out, ti)
		}
	}
	return out
}

// enum follows the name of a shared map.
func (r reader) enum(s scope, n *yaml.Node) *yaml.Node {
	if n == nil || n.Kind != yaml.ScalarNode {
		return n
	}
	if e, ok := s.names.enums[n.Value]; ok {
		return e
	}
	r.errorf(n, "there is no enum %q", n.Value)
	return nil
}

// pred reads {name: test, not: ..., any: [...]}.
func (r reader) pred(s scope, n *yaml.Node) Pred {
	var p Pred
	if n == nil {
		return p
	}
	for _, kv := range r.pairs(n, "a condition") {
		k, v := kv[0], kv[1]
		switch k.Value {
		case "not":
			for _, item := range r.list(v) {
				p.Not = append(p.Not, r.pred(s, item))
			}
			continue
		case "any":
			for _, item := range r.list(v) {
				p.Any = append(p.Any, r.pred(s, item))
			}
			continue
		}
		ref, err := s.ref(k.Value)
		if err != nil {
			r.errorf(k, "%v", err)
			continue
		}
		if t, ok := r.test(s, ref, v); ok {
			p.Tests = append(p.Tests, t)
		}
	}
	return p
}

var comparison = regexp.MustCompile(`^(!=|>=|<=|>|<|&|bit(?: ))\s*(.+)$`)

func (r reader) test(s scope, ref Ref, v *yaml.Node) (Test, bool) {
	t := Test{Ref: ref}
	if v.Kind == yaml.SequenceNode {
		t.Op = "in"
		for _, item := range r.list(v) {
			t.Words = append(t.Words, r.str(item, "a value"))
		}
		return t, true
	}
	text := r.str(v, "a test")
	switch {
	case text == "exists" || text == "missing":
		t.Op = text
	case len(text) >= 2 && text[0] == '/' && text[len(text)-1] == '/':
		re, err := regexp.Compile(strings.ReplaceAll(text[1:len(text)-1], `\/`, "/"))
		if err != nil {
			r.errorf(v, "%v", err)
			return t, false
		}
		t.Op, t.Re = "re", re
	default:
		m := comparison.FindStringSubmatch(text)
		if m == nil {
			t.Op, t.Words = "is", []string{text}
			return t, true
		}
		t.Op = strings.TrimSpace(m[1])
		if f, err := strconv.ParseFloat(m[2], 64); err == nil {
			t.Number = f
			t.Words = []string{m[2]}
			return t, true
		}
		if o, err := s.ref(m[2]); err == nil {
			t.Other = &o
			return t, true
		}
		if t.Op != "!=" {
			r.errorf(v, "%q is neither a number nor the name of a value", m[2])
			return t, false
		}
		t.Words = []string{m[2]}
	}
	return t, true
}

// number reads a number, a name, or a mapping with a scale.
func (r reader) number(s scope, n *yaml.Node, what string) *Number {
	if n == nil {
		return nil
	}
	out := &Number{Scale: 1}
	if n.Kind == yaml.ScalarNode {
		if v, err := strconv.ParseFloat(n.Value, 64); err == nil {
			out.Const = &v
			return out
		}
		ref, err := s.ref(n.Value)
		if err != nil {
			r.errorf(n, "%s: %v", what, err)
			return nil
		}
		out.Of = &ref
		return out
	}
	f := r.fields(n, what)
	r.numberFields(s, f, out)
	f.done()
	if out.Of == nil && out.Const == nil {
		return nil
	}
	return out
}

func (r reader) numberFields(s scope, f *fields, out *Number) {
	if out.Scale == 0 {
		out.Scale = 1
	}
	if n := f.take("of"); n == nil {
		r.errorf(f.node, "%s: say with \"of\" which value is meant", f.what)
	} else if v, err := strconv.ParseFloat(n.Value, 64); err == nil {
		out.Const = &v
	} else if ref, err := s.ref(r.str(n, f.what)); err != nil {
		r.errorf(n, "%s: %v", f.what, err)
	} else {
		out.Of = &ref
	}
	if n := f.take("extract"); n != nil {
		re, err := regexp.Compile(r.str(n, f.what))
		if err != nil {
			r.errorf(n, "%s: %v", f.what, err)
		}
		out.Extract = re
	}
	for _, item := range r.list(f.take("plus")) {
		if ref, err := s.ref(r.str(item, "plus")); err != nil {
			r.errorf(item, "plus: %v", err)
		} else {
			out.Plus = append(out.Plus, ref)
		}
	}
	if n := f.take("scale"); n != nil {
		if v, err := strconv.ParseFloat(n.Value, 64); n.Kind == yaml.ScalarNode && err == nil {
			out.Scale = v
		} else {
			out.ScaleBy = r.scaleMap(s, n)
		}
	}
	if n := f.take("divide"); n != nil {
		if v, ok := r.float(n, "divide"); ok && v != 0 {
			out.Scale /= v
		}
	}
	if n := f.take("scale_by"); n != nil {
		out.ScaleBy = r.scaleMap(s, n)
	}
	if n := f.take("digits"); n != nil {
		if ref, err := s.ref(r.str(n, "digits")); err != nil {
			r.errorf(n, "digits: %v", err)
		} else {
			out.Digits = &ref
		}
	}
	if v, ok := r.float(f.take("offset"), "offset"); ok {
		out.Offset = v
	}
	for _, item := range r.list(f.take("none")) {
		if v, ok := r.float(item, "none"); ok {
			out.None = append(out.None, v)
		}
	}
	if v, ok := r.float(f.take("min"), "min"); ok {
		out.Min = &v
	}
	if v, ok := r.float(f.take("max"), "max"); ok {
		out.Max = &v
	}
	if n := f.take("where"); n != nil {
		out.Where = r.pred(s, n)
	}
}

func (r reader) scaleMap(s scope, n *yaml.Node) *ScaleMap {
	if n.Kind == yaml.ScalarNode {
		ref, err := s.ref(n.Value)
		if err != nil {
			r.errorf(n, "scale: %v", err)
			return nil
		}
		return &ScaleMap{Of: ref}
	}
	f := r.fields(n, "scale")
	defer f.done()
	of := f.take("of")
	ref, err := s.ref(r.str(of, "scale"))
	if err != nil {
		r.errorf(n, "scale: %v", err)
		return nil
	}
	m := &ScaleMap{Of: ref}
	if mn := f.take("map"); mn != nil {
		m.Map = map[string]float64{}
		for _, kv := range r.pairs(r.enum(s, mn), "scale map") {
			if v, ok := r.float(kv[1], "a scale"); ok {
				m.Map[kv[0].Value] = v
			}
		}
	}
	return m
}
