package snmp

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
	"strings"
	"unique"

	"github.com/gosnmp/gosnmp"

	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/ber"
)

// sweep is how a device that was read once is read again: by GETNEXT requests, each for as many objects as an answer
// holds, that ask for what follows each OID and expect what followed it last time. Tables and scalars go together, and
// what follows the last row of one table is mostly the first row of the next: nothing is asked for twice, and a row or an
// object that was not there before cannot hide. Whatever is answered otherwise ends the sweep, and the device is walked.
//
// Devices of one make share theirs: it is text, and kept once.
type sweep struct {
	shared unique.Handle[script]
	script
}

// script is a sweep's content, each a list in little-endian words of four octets or in lines.
type script struct {
	octets  string // of all OIDs
	ends    string // where in octets each ends
	steps   string // ask, want, column, row
	columns string
	scalars string
	cells   string // scalars that are cells of columns: number, column, row
}

// step asks for what follows an OID. OIDs are numbers in the sweep's list.
type step struct {
	ask uint32
	// want is what must follow; of a check, the last of the objects and subtrees that must not.
	want   uint32
	column uint32 // number in columns; aScalar; aCheck; aVoid
	row    uint32 // number in the column, or in scalars
}

const (
	aScalar uint32 = 1<<32 - 1
	aCheck  uint32 = 1<<32 - 2
	aVoid   uint32 = 1<<32 - 3 // an object without a value
)

// How much is asked for at once, in octets of the answer: what an Ethernet frame holds to begin with, half of that after
// each answer that does not come whole. With less than the least, it is not worth the while.
const (
	firstAnswer = 1380
	leastAnswer = 300
)

// word is number n of a list.
func word(list string, n uint32) uint32 {
	s := list[4*n : 4*n+4]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func (w *script) step(n int) step {
	at := uint32(n) * 4
	return step{word(w.steps, at), word(w.steps, at+1), word(w.steps, at+2), word(w.steps, at+3)}
}

func (w *script) oid(n uint32) string {
	start := uint32(0)
	if n > 0 {
		start = word(w.ends, n-1)
	}
	return w.octets[start:word(w.ends, n)]
}

// errOther is a device that has other objects than before.
var errOther = errors.New("the device has other objects than before")

// laid is a sweep laid over a device's data.
type laid struct {
	*script
	data    *Data
	columns [][]Cell
	scalars []string
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// run reads what the sweep names into data, where all of it must be already. changed reports whether any value is
// another. After an error, data holds some new values and some old.
func (w *sweep) run(c *client, data *Data) (changed bool, err error) {
	l := laid{script: &w.script, data: data, scalars: lines(w.scalars)}
	for _, name := range lines(w.columns) {
		l.columns = append(l.columns, data.Columns[name])
	}
	steps := len(w.steps) / 16
	for at := 0; at < steps; {
		b, size, n := c.buffers, 0, at
		b.asked, b.octets = b.asked[:0], b.octets[:0]
		for ; n < steps; n++ {
			s := w.step(n)
			if size += l.expected(s); size > c.tuning.answer && n > at {
				break
			}
			start := len(b.octets)
			b.octets = append(b.octets, w.oid(s.ask)...)
			b.asked = append(b.asked, b.octets[start:])
		}
		vars, err := c.getNext(b.asked)
		var status *statusError
		if errors.As(err, &status) && c.version == gosnmp.Version1 && status.status == gosnmp.NoSuchName && status.index == len(b.asked) && w.step(n-1).column == aCheck {
			// Version 1 says so at the end of the MIB: nothing is behind it.
			if n--; n == at {
				at++
				continue
			}
			if vars, err = c.getNext(b.asked[:n-at]); err == nil {
				n++
				vars = append(vars, bind{tag: byte(gosnmp.EndOfMibView)})
			}
		}
		if err == nil && len(vars) != n-at {
			err = errOther
		}
		if err != nil {
			if c.answered && len(b.asked) > 1 {
				c.tuning.answer /= 2
			}
			return changed, err
		}
		for i := range vars {
			another, err := l.take(w.step(at+i), &vars[i])
			if err != nil {
				return changed, err
			}
			changed = changed || another
		}
		at = n
	}
	for n := uint32(0); n < uint32(len(w.cells)/4); n += 3 {
		data.Scalars[l.scalars[word(w.cells, n)]] = l.columns[word(w.cells, n+1)][word(w.cells, n+2)].Value
	}
	return changed, nil
}

// expected is the size of a step's variable in the answer, about.
func (l *laid) expected(s step) int {
	const around = 6 // tags and lengths
	switch s.column {
	case aCheck:
		return len(l.oid(s.ask)) + 4*around
	case aVoid:
		return len(l.oid(s.want)) + around
	case aScalar:
		return len(l.oid(s.want)) + around + l.data.Scalars[l.scalars[s.row]].octets()
	}
	return len(l.oid(s.want)) + around + l.columns[s.column][s.row].Value.octets()
}

// octets is about what a value takes in a message.
func (v Value) octets() int {
	if v.Type == Integer {
		return (bits.Len64(uint64(max(v.Int, ^v.Int))) + 8) / 8
	}
	return len(v.Text) + 8
}

// take takes in one variable.
func (l *laid) take(s step, v *bind) (changed bool, err error) {
	want := l.oid(s.want)
	if s.column == aCheck {
		if last := arcs(want); !v.ends() && (compareArcs(v.oid, last) <= 0 || v.oid.under(last)) {
			return false, errOther
		}
		return false, nil
	}
	if v.ends() || string(v.oid) != want {
		return false, errOther
	}
	if s.column == aVoid {
		if v.read(Value{}).Known() {
			return false, errOther
		}
		return false, nil
	}
	var before Value
	if s.column == aScalar {
		before = l.data.Scalars[l.scalars[s.row]]
	} else {
		before = l.columns[s.column][s.row].Value
	}
	val := v.read(before)
	switch {
	case val == before:
		return false, nil
	case !val.Known():
		return false, errOther
	case s.column == aScalar:
		l.data.Scalars[l.scalars[s.row]] = val
	default:
		l.columns[s.column][s.row].Value = val
	}
	return true, nil
}

// item is a scalar or a column that a sweep is to read.
type item struct {
	name   string
	oid    arcs
	column bool
	there  bool // the device has it
	void   bool // the device has it, without a value
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
func (c *client) lookBehind(items []item, around *surroundings) bool {
	if c.version == gosnmp.Version1 {
		return true // it may answer only by noSuchName
	}
	const atOnce = 30
	var missing []*item
	var asked []arcs
	for n := range items {
		i := &items[n]
		if i.column || i.there || i.oid == nil {
			continue
		}
		missing, asked = append(missing, i), append(asked, before(i.oid))
		if len(asked) < atOnce && slices.ContainsFunc(items[n+1:], func(i item) bool { return !i.column && !i.there }) {
			continue
		}
		vars, err := c.getNext(asked)
		if err != nil || len(vars) != len(asked) {
			return false
		}
		for k, v := range vars {
			switch i := missing[k]; {
			case v.ends():
				around.beyond[i.name] = nil
			case string(v.oid) == string(i.oid) && !v.read(Value{}).Known():
				i.void = true
			case compareArcs(v.oid, i.oid) <= 0 || v.oid.under(i.oid):
				return false
			default:
				around.beyond[i.name] = slices.Clone(v.oid)
			}
		}
		missing, asked = missing[:0], asked[:0]
	}
	return true
}

// surroundings are what an agent gave beside values.
type surroundings struct {
	beyond map[string]arcs   // by column or scalar: what stands behind it; nil: the end of everything
	voids  map[string][]arcs // by column: objects without a value, in order
}

// newSweep lays out how to read the items again. It is nil where they get into each other's way.
func newSweep(items []item, data *Data, around *surroundings) *sweep {
	w := &layout{}
	var open *gap
	flush := func() {
		if open != nil {
			w.add(open.ask, open.until, aCheck, 0)
		}
		open = nil
	}
	// value adds the step to an object. Where it stands behind a gap, the way to it is the check of the gap.
	value := func(ask, oid arcs, column, row int) {
		if open != nil && open.known && string(open.beyond) == string(oid) {
			ask, open = open.ask, nil
		}
		flush()
		w.add(ask, oid, uint32(column), uint32(row))
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
		behind, known := around.beyond[i.name]
		known = known || i.column
		voids := around.voids[i.name]
		switch {
		case i.there && !i.column:
			w.scalars = append(w.scalars, i.name)
			value(before(i.oid), i.oid, int(aScalar), len(w.scalars)-1)
		case i.void:
			value(before(i.oid), i.oid, int(aVoid), 0)
		case i.there || len(voids) > 0:
			w.columns = append(w.columns, i.name)
			last := i.oid
			through := func(next arcs) { // the objects without a value before the next
				for len(voids) > 0 && (next == nil || compareArcs(voids[0], next) < 0) {
					value(last, voids[0], int(aVoid), 0)
					last, voids = voids[0], voids[1:]
				}
			}
			for row, c := range data.Columns[i.name] {
				oid := appendIndex(i.oid, c.Index)
				through(oid)
				value(last, oid, len(w.columns)-1, row)
				last = oid
			}
			through(nil)
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
	shared := unique.Make(script{
		octets: string(w.octets), ends: string(w.ends), steps: string(w.steps), cells: string(w.cells),
		columns: strings.Join(w.columns, "\n"), scalars: strings.Join(w.scalars, "\n"),
	})
	return &sweep{shared, shared.Value()}
}

// layout is a sweep in the making.
type layout struct {
	octets, ends, steps, cells []byte
	columns, scalars           []string
	last                       [2]arcs // the OIDs that were listed last
}

func (w *layout) add(ask, want arcs, column, row uint32) {
	for _, n := range [...]uint32{w.number(ask), w.number(want), column, row} {
		w.steps = binary.LittleEndian.AppendUint32(w.steps, n)
	}
}

// number puts an OID into the list, once where it was the last or the last but one.
func (w *layout) number(oid arcs) uint32 {
	next := uint32(len(w.ends) / 4)
	for i, known := range w.last {
		if known != nil && string(known) == string(oid) {
			return next - 1 - uint32(i)
		}
	}
	w.last[0], w.last[1] = oid, w.last[0]
	w.octets = append(w.octets, oid...)
	w.ends = binary.LittleEndian.AppendUint32(w.ends, uint32(len(w.octets)))
	return next
}

// sameCell notes a scalar that is a cell of the last column.
func (w *layout) sameCell(scalar, column *item, data *Data) {
	if !scalar.there {
		return
	}
	for row, c := range data.Columns[column.name] {
		if string(appendIndex(column.oid, c.Index)) == string(scalar.oid) {
			w.scalars = append(w.scalars, scalar.name)
			for _, n := range [...]int{len(w.scalars) - 1, len(w.columns) - 1, row} {
				w.cells = binary.LittleEndian.AppendUint32(w.cells, uint32(n))
			}
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

// before is an OID from which the next is the given one: its parent, or the instance that would come before it.
func before(oid arcs) arcs {
	last := len(oid) - 1
	for last > 0 && oid[last-1]&0x80 != 0 {
		last--
	}
	if n := arcAt(oid, last); n > 0 {
		return ber.AppendArc(slices.Clone(oid[:last]), n-1)
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
		out = ber.AppendArc(out, n)
		n = 0
	}
	return out
}
