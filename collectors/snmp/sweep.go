package snmp

import (
	"errors"
	"slices"

	"github.com/gosnmp/gosnmp"

	"github.com/sparewatch/sparewatch/mibs"
)

// sweep is how a device that was read once is read again: by GETNEXT requests, each for as many objects as an answer
// holds, that ask for what follows each OID and expect what followed it last time. Tables and scalars go together, and
// what follows the last row of one table is mostly the first row of the next: nothing is asked for twice, and a row or an
// object that was not there before cannot hide. Whatever is answered otherwise ends the sweep, and the device is walked.
type sweep struct {
	octets  []byte   // of all OIDs
	ends    []uint32 // where in octets each ends
	steps   []step
	columns []string
	scalars []string
	cells   []cell // scalars that are cells of columns
}

// cell is where a scalar stands in a column.
type cell struct {
	scalar      string
	column, row int32
}

// step asks for what follows an OID. OIDs are numbers in the sweep's list.
type step struct {
	ask uint32
	// want is what must follow; of a check, the last of the objects and subtrees that must not.
	want   uint32
	column int32 // number in columns; aScalar; aCheck
	row    int32 // number in the column, or in scalars
}

const (
	aScalar int32 = -1
	aCheck  int32 = -2
)

// How much is asked for at once, in octets of the answer: what an Ethernet frame holds to begin with, half of that after
// each answer that does not come whole. With less than the least, it is not worth the while.
const (
	firstAnswer = 1380
	leastAnswer = 300
)

func (w *sweep) oid(n uint32) arcs {
	start := uint32(0)
	if n > 0 {
		start = w.ends[n-1]
	}
	return w.octets[start:w.ends[n]:w.ends[n]]
}

// errOther is a device that has other objects than before.
var errOther = errors.New("the device has other objects than before")

// run reads what the sweep names into data, where all of it must be already. changed reports whether any value is another. After an
// error, data holds some new values and some old.
func (w *sweep) run(c *client, data *Data) (changed bool, err error) {
	columns := make([][]Cell, len(w.columns))
	for i, name := range w.columns {
		columns[i] = data.Columns[name]
	}
	for at := 0; at < len(w.steps); {
		asked, size, n := c.buffers.asked[:0], 0, at
		for ; n < len(w.steps); n++ {
			s := &w.steps[n]
			if size += w.expected(s, columns, data); size > c.tuning.answer && n > at {
				break
			}
			asked = append(asked, w.oid(s.ask))
		}
		c.buffers.asked = asked
		vars, err := c.getNext(asked)
		var status *statusError
		if errors.As(err, &status) && c.version == gosnmp.Version1 && status.status == gosnmp.NoSuchName && status.index == len(asked) && w.steps[n-1].column == aCheck {
			// Version 1 says so at the end of the MIB: nothing is behind it.
			if n--; n == at {
				at++
				continue
			}
			vars, err = c.getNext(asked[:n-at])
			if err == nil {
				n++
				vars = append(vars, bind{tag: byte(gosnmp.EndOfMibView)})
			}
		}
		if err == nil && len(vars) != n-at {
			err = errOther
		}
		if err != nil {
			if c.answered && len(asked) > 1 {
				c.tuning.answer /= 2
			}
			return changed, err
		}
		for i := range vars {
			another, err := w.take(&w.steps[at+i], &vars[i], columns, data)
			if err != nil {
				return changed, err
			}
			changed = changed || another
		}
		at = n
	}
	for _, x := range w.cells {
		data.Scalars[x.scalar] = columns[x.column][x.row].Value
	}
	return changed, nil
}

// expected is the size of a step's variable in the answer, about.
func (w *sweep) expected(s *step, columns [][]Cell, data *Data) int {
	const around = 14 // lengths, tags, a number
	switch s.column {
	case aCheck:
		return len(w.oid(s.ask)) + 2*around
	case aScalar:
		return len(w.oid(s.want)) + around + len(data.Scalars[w.scalars[s.row]].Text)
	}
	return len(w.oid(s.want)) + around + len(columns[s.column][s.row].Value.Text)
}

// take takes in one variable.
func (w *sweep) take(s *step, v *bind, columns [][]Cell, data *Data) (changed bool, err error) {
	want := w.oid(s.want)
	if s.column == aCheck {
		if !v.ends() && (compareArcs(v.oid, want) <= 0 || v.oid.under(want)) {
			return false, errOther
		}
		return false, nil
	}
	if v.ends() || string(v.oid) != string(want) {
		return false, errOther
	}
	var before Value
	if s.column == aScalar {
		before = data.Scalars[w.scalars[s.row]]
	} else {
		before = columns[s.column][s.row].Value
	}
	val := v.read(before)
	switch {
	case val == before:
		return false, nil
	case !val.Known():
		return false, errOther
	case s.column == aScalar:
		data.Scalars[w.scalars[s.row]] = val
	default:
		columns[s.column][s.row].Value = val
	}
	return true, nil
}

// item is a scalar or a column that a sweep is to read.
type item struct {
	name   string
	oid    arcs
	column bool
	there  bool // the device has it
	// whole has the sweep look for rows behind the last.
	whole bool
}

// wants lists what profiles name: all of it, or of what the device has only what can change between inventories.
func wants(profiles []*mibs.Profile, data *Data, fast bool) []item {
	var out []item
	seen := map[string]bool{}
	add := func(o mibs.Object, column, whole bool) {
		i := item{name: o.OID, oid: parseArcs(o.OID), column: column, whole: whole}
		if column {
			i.there = len(data.Columns[o.OID]) > 0
		} else {
			i.there = data.Scalars[o.OID].Known()
		}
		if !seen[o.OID] && (!fast || o.Fast && i.there) {
			seen[o.OID] = true
			out = append(out, i)
		}
	}
	for _, p := range profiles {
		for _, o := range p.Scalars {
			add(o, false, false)
		}
		for _, t := range p.Tables {
			look := watched(t, data)
			for n, o := range t.Columns {
				add(o, true, !fast || n == look)
			}
		}
	}
	slices.SortFunc(out, func(a, b item) int { return compareArcs(a.oid, b.oid) })
	return out
}

// watched is the column by which between inventories new rows are noticed: one that can change and makes rows.
func watched(t mibs.Table, data *Data) int {
	found := -1
	for n, o := range t.Columns {
		if !o.Fast || len(data.Columns[o.OID]) == 0 {
			continue
		}
		if found < 0 {
			found = n
		}
		if len(t.Rows) == 0 || slices.Contains(t.Rows, n) {
			return n
		}
	}
	return found
}

// lookBehind finds out what follows the scalars that are not there: a profile may name many that most devices do not have,
// and what follows the first is mostly behind them all. It is false where the agent answers otherwise than a sweep needs.
func (c *client) lookBehind(items []item, beyond map[string]arcs) bool {
	if c.version == gosnmp.Version1 {
		return true // it may answer only by noSuchName
	}
	const atOnce = 30
	var names []string
	var asked []arcs
	for n, i := range items {
		if i.column || i.there || i.oid == nil {
			continue
		}
		names, asked = append(names, i.name), append(asked, before(i.oid))
		if len(asked) < atOnce && slices.ContainsFunc(items[n+1:], func(i item) bool { return !i.column && !i.there }) {
			continue
		}
		vars, err := c.getNext(asked)
		if err != nil || len(vars) != len(asked) {
			return false
		}
		for k, v := range vars {
			switch at := parseArcs(names[k]); {
			case v.ends():
				beyond[names[k]] = nil
			case compareArcs(v.oid, at) <= 0 || v.oid.under(at):
				return false
			default:
				beyond[names[k]] = slices.Clone(v.oid)
			}
		}
		names, asked = names[:0], asked[:0]
	}
	return true
}

// newSweep lays out how to read the items again. beyond says what stands behind columns that were walked; nil for the end
// of everything. It is nil where the items get into each other's way.
func newSweep(items []item, data *Data, beyond map[string]arcs) *sweep {
	w := &sweep{}
	var open *gap
	flush := func() {
		if open != nil {
			w.steps = append(w.steps, step{ask: w.number(open.ask), want: w.number(open.until), column: aCheck})
		}
		open = nil
	}
	// value adds the step to an object. Where it stands behind a gap, the way to it is the check of the gap.
	value := func(ask, oid arcs, column, row int32) {
		if open != nil && open.known && string(open.beyond) == string(oid) {
			ask, open = open.ask, nil
		}
		flush()
		w.steps = append(w.steps, step{ask: w.number(ask), want: w.number(oid), column: column, row: row})
	}
	var in *item // the column that is or was under way
	for n := range items {
		i := &items[n]
		switch {
		case i.oid == nil || in != nil && i.column && i.oid.under(in.oid):
			return nil
		case in != nil && i.oid.under(in.oid):
			w.sameCell(i, in, data)
			continue
		case i.column:
			in = i
		}
		behind, known := beyond[i.name]
		known = known || i.column
		switch {
		case i.there && !i.column:
			w.scalars = append(w.scalars, i.name)
			value(before(i.oid), i.oid, aScalar, int32(len(w.scalars)-1))
		case i.there:
			w.columns = append(w.columns, i.name)
			last := i.oid
			for row, c := range data.Columns[i.name] {
				oid := appendIndex(i.oid, c.Index)
				value(last, oid, int32(len(w.columns)-1), int32(row))
				last = oid
			}
			if i.whole {
				open = &gap{ask: last, until: i.oid, beyond: behind, known: known}
			}
		case open != nil && open.covers(i.oid):
			open.until = i.oid
		default:
			flush()
			open = &gap{ask: i.oid, until: i.oid, beyond: behind, known: known}
			if !i.column {
				open.ask = before(i.oid)
			}
		}
	}
	flush()
	w.octets, w.ends, w.steps, w.columns, w.scalars = slices.Clip(w.octets), slices.Clip(w.ends), slices.Clip(w.steps), slices.Clip(w.columns), slices.Clip(w.scalars)
	return w
}

// sameCell notes a scalar that is a cell of the last column.
func (w *sweep) sameCell(scalar, column *item, data *Data) {
	if !scalar.there {
		return
	}
	for row, c := range data.Columns[column.name] {
		if string(appendIndex(column.oid, c.Index)) == string(scalar.oid) {
			w.cells = append(w.cells, cell{scalar.name, int32(len(w.columns) - 1), int32(row)})
		}
	}
}

// gap is a stretch in which nothing must be that is asked for.
type gap struct {
	ask    arcs
	until  arcs // the last that must not be there
	beyond arcs // the first object behind it; nil: the end of everything
	known  bool // beyond is known
}

// covers reports whether what is known to be empty reaches over the whole of a subtree.
func (g *gap) covers(oid arcs) bool {
	return g.known && (g.beyond == nil || compareArcs(g.beyond, oid) > 0 && !g.beyond.under(oid))
}

// number puts an OID into the list, once where it was the last or the last but one.
func (w *sweep) number(oid arcs) uint32 {
	for n := len(w.ends) - 1; n >= 0 && n >= len(w.ends)-2; n-- {
		if string(w.oid(uint32(n))) == string(oid) {
			return uint32(n)
		}
	}
	w.octets = append(w.octets, oid...)
	w.ends = append(w.ends, uint32(len(w.octets)))
	return uint32(len(w.ends) - 1)
}

// before is an OID from which the next is the given one: its parent, or the instance that would come before it.
func before(oid arcs) arcs {
	last := len(oid) - 1
	for last > 0 && oid[last-1]&0x80 != 0 {
		last--
	}
	if n := arcAt(oid, last); n > 0 {
		return appendArc(slices.Clone(oid[:last]), n-1)
	}
	return oid[:last:last]
}

// appendIndex makes the OID of a column's row.
func appendIndex(column arcs, index string) arcs {
	out := make(arcs, len(column), len(column)+len(index))
	copy(out, column)
	n := uint64(0)
	for i := 0; i <= len(index); i++ {
		if i < len(index) && index[i] != '.' {
			n = n*10 + uint64(index[i]-'0')
			continue
		}
		out = appendArc(out, n)
		n = 0
	}
	return out
}
