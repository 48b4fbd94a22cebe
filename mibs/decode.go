package mibs

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is one profile or fragment before its names are resolved.
type document struct {
	r        reader
	root     *yaml.Node
	name     string
	fragment bool
	include  []*yaml.Node
	used     bool
	line     int
}

// profile resolves a document with all that it includes.
func (l *loader) profile(doc *document) *Profile {
	p := &Profile{Name: doc.name, File: doc.r.file, Line: doc.line}
	s := scope{p: p, table: -1, names: &names{
		oids: map[string]string{}, scalars: map[string]int{}, tables: map[string]int{}, enums: map[string]*yaml.Node{},
		enumAt: map[string]reader{}, kinds: l.kinds,
	}}
	docs := l.closure(doc, nil, nil)
	parts := make([]parts, len(docs))
	for i, d := range docs {
		parts[i] = d.parts(p, d == doc)
	}
	for i, d := range docs {
		d.r.oids(s, parts[i].oids)
		for _, kv := range d.r.pairs(parts[i].enums, "enums") {
			s.names.enums[kv[0].Value], s.names.enumAt[kv[0].Value] = kv[1], d.r
		}
	}
	for i, d := range docs {
		d.r.scalars(s, parts[i].scalars)
		d.r.tables(s, parts[i].tables)
	}
	for i, d := range docs {
		d.r.joins(s, parts[i].tables)
	}
	for i := len(docs) - 1; i >= 0; i-- { // its own words before those of what it includes
		docs[i].r.device(s, parts[i].device)
	}
	for i, d := range docs {
		if d == doc {
			d.r.matches(s, parts[i].match)
		}
		for _, n := range d.r.list(parts[i].components) {
			d.r.component(s, n)
		}
		for _, n := range d.r.list(parts[i].groups) {
			d.r.group(s, n)
		}
	}
	return p
}

// closure adds to out the document and what it includes, the included first, each once. path is how it was reached.
func (l *loader) closure(doc *document, path, out []*document) []*document {
	if slices.Contains(path, doc) {
		doc.r.errorf(doc.root, "%s includes itself", doc.name)
		return out
	}
	if slices.Contains(out, doc) {
		return out
	}
	for _, n := range doc.include {
		other := l.fragments[n.Value]
		if other == nil {
			doc.r.errorf(n, "there is no fragment %q to include", n.Value)
			continue
		}
		other.used = true
		out = l.closure(other, append(slices.Clone(path), doc), out)
	}
	return append(out, doc)
}

// parts are a document's sections.
type parts struct {
	oids, enums, match, device, scalars, tables, components, groups *yaml.Node
}

func (d *document) parts(p *Profile, own bool) parts {
	f := d.r.fields(d.root, "a profile")
	defer f.done()
	if d.fragment {
		f.what = "a fragment"
		f.take("fragment")
	} else {
		f.take("profile")
	}
	f.take("include")
	title, source := f.take("title"), f.take("source")
	if own {
		p.Title, p.Source = d.r.str(title, "title"), d.r.str(source, "source")
	}
	var out parts
	if !d.fragment {
		p.Class = d.r.str(f.take("class"), "class")
		if !slices.Contains(Classes(), p.Class) {
			d.r.errorf(d.root, "class must be one of %s", strings.Join(Classes(), ", "))
		}
		p.Priority = d.r.integer(f.take("priority"), "priority")
		p.Standard = d.r.boolean(f.take("standard"), "standard")
		for _, n := range d.r.list(f.take("replaces")) {
			p.Replaces = append(p.Replaces, d.r.str(n, "replaces"))
		}
		out.match = f.take("match")
		if out.match == nil {
			d.r.errorf(d.root, "a profile needs \"match\": how such a device is known")
		}
	}
	out.oids, out.enums, out.device = f.take("oids"), f.take("enums"), f.take("device")
	out.scalars, out.tables = f.take("scalars"), f.take("tables")
	out.components, out.groups = f.take("components"), f.take("groups")
	return out
}

var dotted = regexp.MustCompile(`^[0-2](\.[0-9]+){1,127}$`)

// oid reads a dotted OID, perhaps behind the name of a prefix.
func (s scope) oid(text string) (string, error) {
	text = strings.TrimPrefix(text, ".")
	if head, tail, more := strings.Cut(text, "."); s.names.oids[head] != "" {
		text = s.names.oids[head]
		if more {
			text += "." + tail
		}
	}
	if !dotted.MatchString(text) {
		return "", fmt.Errorf("%q is no OID: write numbers with dots, or a name of \"oids\" and then numbers", text)
	}
	for _, n := range strings.Split(text, ".") {
		if _, err := strconv.ParseUint(n, 10, 32); err != nil {
			return "", fmt.Errorf("%q is no OID: %s is too large", text, n)
		}
	}
	return text, nil
}

func (r reader) oids(s scope, n *yaml.Node) {
	for _, kv := range r.pairs(n, "oids") {
		oid, err := s.oid(r.str(kv[1], "an OID"))
		if err != nil {
			r.errorf(kv[1], "%v", err)
			continue
		}
		s.names.oids[kv[0].Value] = oid
	}
}

func (r reader) oidOf(s scope, n *yaml.Node) string {
	oid, err := s.oid(r.str(n, "an OID"))
	if err != nil {
		r.errorf(n, "%v", err)
	}
	return oid
}

var plainName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

func (r reader) name(n *yaml.Node) string {
	if !plainName.MatchString(n.Value) || slices.Contains(systemNames, n.Value) || n.Value == "index" || n.Value == "row" {
		r.errorf(n, "%q is no name: write letters, digits, - and _, and none of index, row, %s", n.Value, strings.Join(systemNames, ", "))
	}
	return n.Value
}

func (r reader) scalars(s scope, n *yaml.Node) {
	for _, kv := range r.pairs(n, "scalars") {
		name, oid := r.name(kv[0]), r.oidOf(s, kv[1])
		if i, ok := s.names.scalars[name]; ok {
			if s.p.Scalars[i].OID != oid {
				r.errorf(kv[0], "scalar %s stands for %s already", name, s.p.Scalars[i].OID)
			}
			continue
		}
		s.names.scalars[name] = len(s.p.Scalars)
		s.p.Scalars = append(s.p.Scalars, Object{Name: name, OID: oid})
	}
}

func (r reader) tables(s scope, n *yaml.Node) {
	for _, kv := range r.pairs(n, "tables") {
		name := r.name(kv[0])
		if _, ok := s.names.tables[name]; ok {
			r.errorf(kv[0], "there is a table %s already", name)
			continue
		}
		t := Table{Name: name}
		f := r.fields(kv[1], "a table")
		entry := ""
		if e := f.take("entry"); e != nil {
			entry = r.oidOf(s, e)
		}
		columns := map[string]int{}
		for _, c := range r.pairs(f.take("columns"), "columns") {
			oid := ""
			if num, err := strconv.ParseUint(c[1].Value, 10, 32); err == nil && c[1].Kind == yaml.ScalarNode {
				if entry == "" {
					r.errorf(c[1], "column %s has only its number %d: the table needs \"entry\"", c[0].Value, num)
					continue
				}
				oid = entry + "." + c[1].Value
			} else {
				oid = r.oidOf(s, c[1])
			}
			columns[r.name(c[0])] = len(t.Columns)
			t.Columns = append(t.Columns, Object{Name: c[0].Value, OID: oid})
		}
		if len(t.Columns) == 0 {
			r.errorf(kv[0], "table %s has no columns", name)
		}
		for _, c := range r.list(f.take("rows")) {
			if i, ok := columns[c.Value]; ok {
				t.Rows = append(t.Rows, i)
			} else {
				r.errorf(c, "rows: table %s has no column %q", name, c.Value)
			}
		}
		f.take("join")
		f.done()
		s.names.tables[name] = len(s.p.Tables)
		s.names.columns = append(s.names.columns, columns)
		s.p.Tables = append(s.p.Tables, t)
	}
}

// joins are read when all tables are known; a join can use those before it.
func (r reader) joins(s scope, n *yaml.Node) {
	// The names first, so that a condition may look through a join of a table further down.
	for _, kv := range r.pairs(n, "tables") {
		at, ok := s.names.tables[kv[0].Value]
		if !ok || kv[1].Kind != yaml.MappingNode {
			continue
		}
		f := fields{r: r, node: kv[1], what: "a table"}
		s.table = at
		for _, j := range r.pairs(f.take("join"), "join") {
			if s.join(at, j[0].Value) >= 0 {
				r.errorf(j[0], "there is a join %s already", j[0].Value)
				continue
			}
			r.join(s, j[0], j[1])
		}
	}
}

func (r reader) join(s scope, name, n *yaml.Node) {
	j := Join{Name: r.name(name), Column: -1}
	f := r.fields(n, "a join")
	defer f.done()
	j.Table = r.table(s, f.take("table"), n)
	if j.Table < 0 {
		j.Table = s.table
	}
	there := s
	there.table = j.Table
	ways := 0
	if v := f.take("index"); v != nil {
		ways++
		t, err := s.template(r.str(v, "index"))
		if err != nil {
			r.errorf(v, "index: %v", err)
		}
		j.Index = t
	}
	if v := f.take("on"); v != nil {
		ways++
		pairs := r.pairs(v, "on")
		if len(pairs) != 1 {
			r.errorf(v, "on: name one column of the other table, and the value that it must have")
		}
		for _, kv := range pairs {
			if c, ok := s.names.columns[j.Table][kv[0].Value]; ok {
				j.Column = c
			} else {
				r.errorf(kv[0], "on: table %s has no column %q", s.p.Tables[j.Table].Name, kv[0].Value)
			}
			j.Value = r.text(s, kv[1], "on")
		}
	}
	for _, w := range []struct {
		key string
		to  **Ref
		s   scope
	}{{"pointer", &j.Pointer, s}, {"up", &j.Up, s}, {"down", &j.Down, there}} {
		v := f.take(w.key)
		if v == nil {
			continue
		}
		ways++
		ref, err := w.s.ref(r.str(v, w.key))
		if err != nil {
			r.errorf(v, "%s: %v", w.key, err)
			continue
		}
		*w.to = &ref
	}
	if v := f.take("where"); v != nil {
		j.Where = r.pred(there, v)
	}
	if ways == 0 {
		t, _ := s.template("{index}")
		j.Index = t
	}
	if j.Up != nil && j.Table != s.table {
		r.errorf(n, "a join with \"up\" stays in its table")
	}
	if ways > 1 {
		r.errorf(n, "a join has one of index, on, pointer, up and down")
	}
	s.p.Tables[s.table].Joins = append(s.p.Tables[s.table].Joins, j)
}

// table finds a table by name; -1 where none is named.
func (r reader) table(s scope, n, at *yaml.Node) int {
	if n == nil {
		return -1
	}
	i, ok := s.names.tables[r.str(n, "table")]
	if !ok {
		r.errorf(n, "there is no table %q", n.Value)
		return -1
	}
	return i
}

func (r reader) matches(s scope, n *yaml.Node) {
	for _, item := range r.list(n) {
		var m Match
		f := r.fields(item, "match")
		for _, o := range r.list(f.take("sys_object_id")) {
			m.SysObjectID = append(m.SysObjectID, r.oidOf(s, o))
		}
		if v := f.take("sys_descr"); v != nil {
			re, err := regexp.Compile(r.str(v, "sys_descr"))
			if err != nil {
				r.errorf(v, "sys_descr: %v", err)
			}
			m.SysDescr = re
		}
		for _, o := range r.list(f.take("present")) {
			m.Present = append(m.Present, r.oidOf(s, o))
		}
		for _, o := range r.list(f.take("absent")) {
			m.Absent = append(m.Absent, r.oidOf(s, o))
		}
		if f.take("always") == nil && m.SysObjectID == nil && m.SysDescr == nil && m.Present == nil {
			r.errorf(item, "match wants sys_object_id, sys_descr or present")
		}
		f.done()
		s.p.Matches = append(s.p.Matches, m)
	}
}

// device reads one identity, or a list of them: the first that gives a field gives it.
func (r reader) device(s scope, n *yaml.Node) {
	for _, item := range r.list(n) {
		f := r.fields(item, "device")
		d := Device{Table: r.table(s, f.take("table"), item)}
		in := s
		in.table = d.Table
		if v := f.take("where"); v != nil {
			d.Where = r.pred(in, v)
		}
		for _, x := range []struct {
			key string
			to  *Text
		}{{"vendor", &d.Vendor}, {"model", &d.Model}, {"serial", &d.Serial}, {"firmware", &d.Firmware}, {"hostname", &d.Hostname}, {"uuid", &d.UUID}} {
			*x.to = r.text(in, f.take(x.key), x.key)
		}
		f.done()
		s.p.Devices = append(s.p.Devices, d)
	}
}

func (r reader) component(s scope, n *yaml.Node) {
	c := Component{File: r.file, Line: n.Line, Rating: map[string]Number{}}
	f := r.fields(n, "a component")
	defer f.done()
	c.Table = r.table(s, f.take("table"), n)
	s.table = c.Table
	fast := s
	fast.fast = true
	if v := f.take("where"); v != nil {
		c.Where = r.pred(fast, v)
	}
	c.Otherwise = r.boolean(f.take("otherwise"), "otherwise")
	c.Kind = r.kind(s, f.take("kind"), n)
	c.Unless = r.targets(s, f.take("unless"))
	c.Extends = r.targets(s, f.take("extends"))
	c.Merge = r.boolean(f.take("merge"), "merge")
	c.Listed = r.boolean(f.take("listed"), "listed")
	c.Named = r.boolean(f.take("named"), "named")
	c.Exact = r.boolean(f.take("exact"), "exact")
	if v := f.take("id"); v != nil {
		c.ID = r.text(s, v, "id")
	} else if c.Table >= 0 {
		t, _ := s.template("{index}")
		c.ID = Text{{Template: t}}
	} else if c.Extends == nil {
		c.ID = Text{{Template: &Template{Parts: []Part{{Literal: "1"}}}}}
	}
	c.Name = r.text(s, f.take("name"), "name")
	for _, v := range r.list(f.take("aliases")) {
		c.Aliases = append(c.Aliases, r.text(s, v, "aliases"))
	}
	c.Condition = r.rule(fast, f.take("condition"), conditionWords, 0)
	c.HotSwap = r.rule(s, f.take("hot_swap"), answerWords, 0)
	for _, kv := range r.pairs(f.take("rating"), "rating") {
		if !slices.Contains([]string{"watts", "va", "amps", "volts", "phases", "bits"}, kv[0].Value) {
			r.errorf(kv[0], "a rating has watts, va, amps, volts, phases and bits, not %q", kv[0].Value)
		} else if num := r.number(s, kv[1], "rating"); num != nil {
			c.Rating[kv[0].Value] = *num
		}
	}
	for _, v := range r.list(f.take("readings")) {
		c.Readings = append(c.Readings, r.reading(s, v))
	}
	for _, kv := range r.pairs(f.take("attributes"), "attributes") {
		c.Attributes = append(c.Attributes, Attribute{kv[0].Value, r.text(s, kv[1], kv[0].Value)})
	}
	for _, x := range []struct {
		key string
		to  *[]Relation
	}{{"fed_by", &c.FedBy}, {"feeds", &c.Feeds}, {"carried_by", &c.CarriedBy}, {"carries", &c.Carries}, {"cooled_by", &c.CooledBy}, {"in", &c.In}} {
		*x.to = r.relations(s, f.take(x.key))
	}
	for _, v := range r.list(f.take("groups")) {
		c.Groups = append(c.Groups, r.text(s, v, "groups"))
	}
	s.p.Components = append(s.p.Components, c)
}

// kind reads the kind of a component and checks each that it can be.
func (r reader) kind(s scope, n, at *yaml.Node) Text {
	if n == nil {
		r.errorf(at, "a component needs its kind")
		return nil
	}
	t := r.text(s, n, "kind")
	check := func(k string) {
		if s.names.kinds != nil && !s.names.kinds[k] {
			r.errorf(n, "%q is no kind of component", k)
		}
	}
	c := Component{Kind: t}
	for _, k := range c.Kinds() {
		check(k)
	}
	return t
}

func (r reader) reading(s scope, n *yaml.Node) Reading {
	f := r.fields(n, "a reading")
	defer f.done()
	rd := Reading{Slow: r.boolean(f.take("slow"), "slow")}
	s.fast = !rd.Slow
	names := f.take("name")
	if names == nil {
		r.errorf(n, "a reading needs a name")
	}
	rd.Name = r.text(s, names, "name")
	if rd.Unit = r.text(s, f.take("unit"), "unit"); rd.Unit == nil {
		rd.Unit = Text{{Template: &Template{Parts: []Part{{Literal: "1"}}}}} // UCUM's dimensionless unit
	}
	rd.Phase = r.text(s, f.take("phase"), "phase")
	r.numberFields(s, f, &rd.Value)
	return rd
}

// relations reads one relation (a target, a list of which the first that exists is taken, {all: targets},
// {to: targets, when: ...}) or several under {each: [...]}.
func (r reader) relations(s scope, n *yaml.Node) []Relation {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return []Relation{{Targets: r.targets(s, n)}}
	}
	f := r.fields(n, "a relation")
	defer f.done()
	var out []Relation
	var when Pred
	if v := f.take("when"); v != nil {
		when = r.pred(s, v)
	}
	if v := f.take("to"); v != nil {
		out = append(out, Relation{Targets: r.targets(s, v), When: when})
	}
	for _, item := range r.list(f.take("each")) {
		for _, rel := range r.relations(s, item) {
			if when.Tests != nil || when.Not != nil || when.Any != nil {
				rel.When = when
			}
			out = append(out, rel)
		}
	}
	return out
}

func (r reader) targets(s scope, n *yaml.Node) []Target {
	var out []Target
	for _, item := range r.list(n) {
		if t, err := s.target(r.str(item, "a component")); err != nil {
			r.errorf(item, "%v", err)
		} else {
			out = append(out, t)
		}
	}
	return out
}

// rowForm is a target that names a component by its row: "table.{index}".
var rowForm = regexp.MustCompile(`^[A-Za-z]\w*\.\{`)

var targetForm = regexp.MustCompile(`^([a-z_]+)/(.+)$`)

// target reads "kind/id template", "kind/*", "kind/*[attribute=value]" or "@join".
func (s scope) target(text string) (Target, error) {
	if path, ok := strings.CutPrefix(text, "@"); ok {
		if s.table < 0 {
			return Target{}, fmt.Errorf("%q: there is no row to join from", text)
		}
		if path == "" {
			return Target{Path: []int{}}, nil
		}
		ref, err := s.ref(path + ".index")
		if err != nil || len(ref.Path) == 0 {
			return Target{}, fmt.Errorf("%q: there is no such join", text)
		}
		return Target{Path: ref.Path}, nil
	}
	m := targetForm.FindStringSubmatch(text)
	if m == nil {
		return Target{}, fmt.Errorf("%q names no component: write kind/id, kind/*, or @join", text)
	}
	t := Target{Kind: m[1], Row: rowForm.MatchString(m[2])}
	if s.names.kinds != nil && !s.names.kinds[t.Kind] {
		return t, fmt.Errorf("%q is no kind of component", t.Kind)
	}
	if id := m[2]; id == "*" {
		t.All = true
		return t, nil
	} else if strings.HasPrefix(id, "*[") && strings.HasSuffix(id, "]") && strings.Contains(id, "=") {
		t.All = true
		t.Where = id[2 : len(id)-1]
		return t, nil
	}
	tmpl, err := s.template(m[2])
	t.ID = tmpl
	return t, err
}

func (r reader) group(s scope, n *yaml.Node) {
	g := Group{File: r.file, Line: n.Line}
	f := r.fields(n, "a group")
	defer f.done()
	g.Table = r.table(s, f.take("table"), n)
	s.table = g.Table
	fast := s
	fast.fast = true
	if v := f.take("where"); v != nil {
		g.Where = r.pred(fast, v)
	}
	g.Unless = r.targets(s, f.take("unless"))
	kind := f.take("kind")
	g.Kind = r.str(kind, "kind")
	if s.names.kinds != nil && !s.names.kinds[g.Kind] {
		r.errorf(n, "a group needs the kind of its members; %q is none", g.Kind)
	}
	g.ID = r.text(s, f.take("id"), "id")
	if g.ID == nil {
		g.ID = Text{{Template: &Template{Parts: []Part{{Literal: g.Kind}}}}}
	}
	g.Members = r.targets(s, f.take("members"))
	g.Overlap = r.boolean(f.take("join_overlapping"), "join_overlapping")
	g.State = r.rule(fast, f.take("state"), claimWords, 0)
	g.Needed = r.number(fast, f.take("needed"), "needed")
	g.Designed = r.number(fast, f.take("designed"), "designed")
	g.Spares = r.number(fast, f.take("spares"), "spares")
	g.RAID = r.text(s, f.take("raid"), "raid")
	g.Carries = r.targets(s, f.take("carries"))
	for _, v := range r.list(f.take("raw")) {
		if ref, err := fast.ref(r.str(v, "raw")); err != nil {
			r.errorf(v, "raw: %v", err)
		} else {
			g.Raw = append(g.Raw, ref)
		}
	}
	g.Why = r.text(fast, f.take("why"), "why")
	s.p.Groups = append(s.p.Groups, g)
}
