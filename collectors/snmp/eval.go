package snmp

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/mibs"
)

// reading is one profile laid over one device's data.
type reading struct {
	p      *mibs.Profile
	sys    mibs.System
	data   *Data
	tables []table
	lookup map[lookupKey]map[string]*row
	note   func(Use) // nil: nobody listens
}

type table struct {
	rows    []*row
	byIndex map[string]*row
}

type row struct {
	table  int
	number int // from 1
	index  string
	values []Value
	made   []int // components, by their number in the builder
}

type lookupKey struct{ table, column int }

func newReading(p *mibs.Profile, sys mibs.System, data *Data) *reading {
	e := &reading{p: p, sys: sys, data: data, lookup: map[lookupKey]map[string]*row{}}
	e.tables = make([]table, len(p.Tables))
	for i := range p.Tables {
		e.tables[i] = newTable(i, &p.Tables[i], data)
	}
	return e
}

func newTable(number int, t *mibs.Table, data *Data) table {
	most := 0
	for _, col := range t.Columns {
		most = max(most, len(data.Columns[col.OID]))
	}
	if most == 0 {
		return table{}
	}
	// Mostly all columns have the same rows, and one piece of memory holds them.
	out := table{byIndex: make(map[string]*row, most), rows: make([]*row, 0, most)}
	rows, values := make([]row, most), make([]Value, most*len(t.Columns))
	for c, col := range t.Columns {
		if len(t.Rows) > 0 && !slices.Contains(t.Rows, c) {
			continue
		}
		for _, cell := range data.Columns[col.OID] {
			if out.byIndex[cell.Index] != nil {
				continue
			}
			if len(rows) == 0 {
				rows, values = make([]row, most), make([]Value, most*len(t.Columns))
			}
			r := &rows[0]
			*r = row{table: number, index: cell.Index, values: values[:len(t.Columns):len(t.Columns)]}
			rows, values = rows[1:], values[len(t.Columns):]
			out.byIndex[cell.Index] = r
			out.rows = append(out.rows, r)
		}
	}
	for c, col := range t.Columns {
		for n, cell := range data.Columns[col.OID] {
			var r *row
			if n < len(out.rows) && out.rows[n].index == cell.Index {
				r = out.rows[n]
			} else {
				r = out.byIndex[cell.Index]
			}
			if r != nil {
				r.values[c] = cell.Value
			}
		}
	}
	slices.SortFunc(out.rows, func(a, b *row) int { return CompareOIDs(a.index, b.index) })
	for i, r := range out.rows {
		r.number = i + 1
	}
	return out
}

// follow walks joins from a row; nil where one leads nowhere.
func (e *reading) follow(path []int, r *row) *row {
	for _, j := range path {
		if r == nil {
			return nil
		}
		r = e.join(&e.p.Tables[r.table].Joins[j], r)
	}
	return r
}

func (e *reading) join(j *mibs.Join, r *row) *row {
	there := e.tables[j.Table]
	var found *row
	switch {
	case j.Up != nil:
		for cur, i := r, 0; cur != nil && i < 32; i++ {
			parent, _ := e.value(*j.Up, cur)
			if cur = there.byIndex[parent.Words()]; cur != nil && e.holds(j.Where, cur) {
				return cur
			}
		}
		return nil
	case j.Down != nil:
		for _, cand := range there.rows {
			if v, ok := e.value(*j.Down, cand); ok && v.Words() == r.index && e.holds(j.Where, cand) {
				return cand
			}
		}
		return nil
	case j.Pointer != nil:
		if v, ok := e.value(*j.Pointer, r); ok {
			found = e.pointed(j.Table, v.Words())
		}
	case j.Column >= 0:
		if want := e.text(j.Value, r); want != "" {
			found = e.by(j.Table, j.Column)[want]
		}
	case j.Index != nil:
		if index := e.fill(j.Index, r); index != "" {
			found = there.byIndex[index]
		}
	}
	if found != nil && !e.holds(j.Where, found) {
		return nil
	}
	return found
}

// pointed finds the row that an OID of one of the table's columns names.
func (e *reading) pointed(t int, oid string) *row {
	for _, c := range e.p.Tables[t].Columns {
		if mibs.Under(oid, c.OID) && len(oid) > len(c.OID) {
			return e.tables[t].byIndex[oid[len(c.OID)+1:]]
		}
	}
	// A pointer may name a column that the profile does not read: the entry and one more number, then the index.
	for _, c := range e.p.Tables[t].Columns {
		entry := c.OID[:strings.LastIndexByte(c.OID, '.')]
		if mibs.Under(oid, entry) && len(oid) > len(entry) {
			if _, index, ok := strings.Cut(oid[len(entry)+1:], "."); ok {
				return e.tables[t].byIndex[index]
			}
		}
	}
	return nil
}

func (e *reading) by(t, column int) map[string]*row {
	key := lookupKey{t, column}
	if m, ok := e.lookup[key]; ok {
		return m
	}
	m := map[string]*row{}
	for _, r := range e.tables[t].rows {
		if v := r.values[column]; v.Known() && m[v.Words()] == nil {
			m[v.Words()] = r
		}
	}
	e.lookup[key] = m
	return m
}

// value of a reference; ok is false where the device has none.
func (e *reading) value(ref mibs.Ref, r *row) (Value, bool) {
	switch ref.From {
	case mibs.FromSystem:
		return StringValue([...]string{e.sys.ObjectID, e.sys.Descr, e.sys.Name}[ref.Item]), true
	case mibs.FromScalar:
		v := e.data.Scalars[e.p.Scalars[ref.Item].OID]
		return v, v.Known()
	}
	if r = e.follow(ref.Path, r); r == nil {
		return Value{}, false
	}
	switch ref.From {
	case mibs.FromRow:
		return IntegerValue(int64(r.number)), true
	case mibs.FromIndexText:
		return StringValue(indexText(r.index)), true
	case mibs.FromIndex:
		return indexPart(r.index, ref.Part)
	}
	v := r.values[ref.Item]
	return v, v.Known()
}

// oid of the object that a reference names, "" for one that is no object.
func (e *reading) oid(ref mibs.Ref, r *row) string {
	switch ref.From {
	case mibs.FromScalar:
		return e.p.Scalars[ref.Item].OID
	case mibs.FromColumn:
		if r = e.follow(ref.Path, r); r != nil {
			return e.p.Tables[r.table].Columns[ref.Item].OID + "." + r.index
		}
	}
	return ""
}

func indexPart(index string, part int) (Value, bool) {
	if part != 0 {
		nums := strings.Split(index, ".")
		if part < 0 {
			part += len(nums) + 1
		}
		if part < 1 || part > len(nums) {
			return Value{}, false
		}
		index = nums[part-1]
	}
	if n, err := strconv.ParseInt(index, 10, 64); err == nil {
		return IntegerValue(n), true
	}
	return StringValue(index), true
}

// indexText reads an index as a string's octets, behind their count or (IMPLIED) without one.
func indexText(index string) string {
	nums := strings.Split(index, ".")
	if n, err := strconv.Atoi(nums[0]); err == nil && n == len(nums)-1 {
		nums = nums[1:]
	}
	var b strings.Builder
	for _, s := range nums {
		n, err := strconv.ParseUint(s, 10, 8)
		if err != nil {
			return index
		}
		b.WriteByte(byte(n))
	}
	return b.String()
}

// fill a template; "" where a value that it needs is missing.
func (e *reading) fill(t *mibs.Template, r *row) string {
	if t == nil {
		return ""
	}
	if len(t.Parts) == 1 && t.Parts[0].Ref == nil {
		return t.Parts[0].Literal
	}
	var b strings.Builder
	for _, p := range t.Parts {
		if p.Ref == nil {
			b.WriteString(p.Literal)
			continue
		}
		v, ok := e.value(*p.Ref, r)
		s := ""
		if ok {
			s = filtered(v, p.Filters)
		}
		if s == "" && !p.Optional {
			return ""
		}
		b.WriteString(s)
	}
	return strings.TrimSpace(b.String())
}

// fills is fill for a template that may name several: a value behind the filter octets or each yields one text for each
// of its numbers or words.
func (e *reading) fills(t *mibs.Template, r *row) []string {
	if t == nil {
		return nil
	}
	for i, p := range t.Parts {
		if !p.Many() {
			continue
		}
		v, ok := e.value(*p.Ref, r)
		if !ok {
			return nil
		}
		var out []string
		for _, word := range strings.Split(filtered(v, p.Filters), "\n") {
			one := mibs.Template{Parts: slices.Clone(t.Parts)}
			one.Parts[i] = mibs.Part{Literal: word}
			if word == "" {
				continue
			}
			if s := e.fill(&one, r); s != "" && !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
		return out
	}
	if s := e.fill(t, r); s != "" {
		return []string{s}
	}
	return nil
}

func filtered(v Value, filters []mibs.Filter) string {
	s := v.Words()
	for _, f := range filters {
		switch f.Op {
		case "slot":
			s = collectors.Slot("", s)
		case "number":
			s = lastNumber(s)
		case "lower":
			s = strings.ToLower(s)
		case "upper":
			s = strings.ToUpper(s)
		case "trim":
			s = strings.TrimSpace(s)
		case "hex":
			s = v.Hex()
		case "inet":
			s = inet(s, v.Text)
		case "text":
			s = printable(s)
		case "octets":
			s = octets(v.Text)
		case "each":
			s = each(s)
		case "add":
			n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
			if err != nil {
				return ""
			}
			s = strconv.FormatInt(n+f.N, 10)
		case "re":
			if s = matched(f.Re, s); s == "" {
				return ""
			}
		}
	}
	return s
}

// matched is the first group of the match in s that has something, of an expression without groups all of it; "" without
// a match.
func matched(re *regexp.Regexp, s string) string {
	m := re.FindStringSubmatch(s)
	if len(m) < 2 {
		return strings.Join(m, "")
	}
	for _, g := range m[1:] {
		if g != "" {
			return g
		}
	}
	return ""
}

// octets writes each octet in decimal, one a line.
func octets(s string) string {
	words := make([]string, len(s))
	for i := range len(s) {
		words[i] = strconv.Itoa(int(s[i]))
	}
	return strings.Join(words, "\n")
}

// each writes what stands between commas or semicolons, or else between blanks, one a line.
func each(s string) string {
	words := strings.Fields(s)
	if strings.ContainsAny(s, ",;") {
		words = strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' })
	}
	for i := range words {
		words[i] = strings.TrimSpace(words[i])
	}
	return strings.Join(words, "\n")
}

func lastNumber(s string) string {
	end := strings.LastIndexAny(s, "0123456789") + 1
	start := end
	for start > 0 && s[start-1] >= '0' && s[start-1] <= '9' {
		start--
	}
	n := strings.TrimLeft(s[start:end], "0")
	if n == "" && end > start {
		return "0"
	}
	return n
}

func (e *reading) text(t mibs.Text, r *row) string {
	for _, item := range t {
		if !e.holds(item.When, r) {
			continue
		}
		s := e.fill(item.Template, r)
		if item.Map != nil && s != "" {
			if mapped, ok := item.Map[s]; ok {
				s = mapped
			} else {
				s = item.Default
			}
		} else if s == "" {
			s = item.Default
		}
		if s != "" {
			return clip(s, maxText)
		}
	}
	return ""
}

func (e *reading) holds(p mibs.Pred, r *row) bool {
	for i := range p.Tests {
		if !e.test(&p.Tests[i], r) {
			return false
		}
	}
	for _, n := range p.Not {
		if e.holds(n, r) {
			return false
		}
	}
	for _, a := range p.Any {
		if e.holds(a, r) {
			return true
		}
	}
	return len(p.Any) == 0
}

func (e *reading) test(t *mibs.Test, r *row) bool {
	v, ok := e.value(t.Ref, r)
	switch t.Op {
	case "exists":
		return ok && v.Words() != ""
	case "missing":
		return !ok || v.Words() == ""
	}
	if !ok {
		return false
	}
	words, number := t.Words, t.Number
	if t.Other != nil {
		o, ok := e.value(*t.Other, r)
		if !ok {
			return false
		}
		words = []string{o.Words()}
		if number, ok = o.Float64(); !ok {
			number = math.NaN()
		}
	}
	switch t.Op {
	case "is", "in":
		return slices.Contains(words, v.Words())
	case "!=":
		return !slices.Contains(words, v.Words())
	case "re":
		return t.Re.MatchString(v.Words())
	case "bit":
		return bitSet(v, int(number))
	}
	f, ok := v.Float64()
	if !ok {
		return false
	}
	if t.DBm != 0 {
		f = math.Pow(10, f*t.DBm/10)
	}
	if t.Scale != 0 {
		f *= t.Scale
	}
	switch t.Op {
	case ">":
		return f > number
	case "<":
		return f < number
	case ">=":
		return f >= number
	case "<=":
		return f <= number
	case "&":
		return int64(f)&int64(number) != 0
	}
	return false
}

// number of a rule; NaN where there is none.
func (e *reading) number(n *mibs.Number, r *row) float64 {
	if n == nil || !e.holds(n.Where, r) {
		return math.NaN()
	}
	if n.Of == nil {
		if n.Const != nil {
			return *n.Const
		}
		return math.NaN()
	}
	v, ok := e.value(*n.Of, r)
	if !ok {
		return math.NaN()
	}
	f, ok := v.Float64()
	if n.Extract != nil {
		f, ok = leadingNumber(matched(n.Extract, v.Words()))
	}
	if !ok || slices.Contains(n.None, f) {
		return math.NaN()
	}
	for _, ref := range n.Plus {
		if v, ok := e.value(ref, r); ok {
			if x, ok := v.Float64(); ok {
				f += x
			}
		}
	}
	if n.Scale != 0 {
		f *= n.Scale
	}
	if n.ScaleBy != nil {
		sv, ok := e.value(n.ScaleBy.Of, r)
		if !ok {
			return math.NaN()
		}
		factor := math.NaN()
		if n.ScaleBy.Map == nil {
			if x, ok := sv.Float64(); ok {
				factor = x
			}
		} else if x, ok := n.ScaleBy.Map[sv.Words()]; ok {
			factor = x
		}
		f *= factor
	}
	if n.Digits != nil {
		dv, ok := e.value(*n.Digits, r)
		digits, isNumber := dv.Float64()
		if !ok || !isNumber || math.Abs(digits) > 30 {
			return math.NaN()
		}
		f /= math.Pow(10, digits)
	}
	f += n.Offset
	if n.Min != nil && f < *n.Min || n.Max != nil && f > *n.Max {
		return math.NaN()
	}
	// Tenths and hundredths are decimal fractions: 0.1*28 is meant to be 2.8.
	if r := math.Round(f*1e6) / 1e6; math.Abs(f) < 1e9 && !math.IsInf(r, 0) {
		f = r
	}
	return f
}
