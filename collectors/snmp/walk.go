package snmp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unique"

	"github.com/gosnmp/gosnmp"

	"github.com/sparewatch/sparewatch/pkg/ber"
)

// tuning is how one agent likes to be asked; it is learned and remembered.
type tuning struct {
	repetitions int             // of a GETBULK; 0: not settled
	columns     int             // in one GETBULK or GETNEXT
	scalars     int             // in one GET
	noBulk      map[string]bool // columns that only GETNEXT reads right
	missing     map[string]bool // scalars that the agent does not have (v1)
	answer      int             // octets of an answer in a sweep
	broken      int             // sweeps in a row that did not come to their end
	walks       bool            // sweeps do not work with this agent
	swept       time.Time       // since when sweeps are tried
}

// What an agent is asked for at first, and at most.
const (
	firstRepetitions = 25
	firstColumns     = 12
	firstScalars     = 40
	maxRows          = 20000 // of one column
)

func (t *tuning) settle() {
	if t.repetitions == 0 {
		t.repetitions, t.columns, t.scalars, t.noBulk, t.missing = firstRepetitions, firstColumns, firstScalars, map[string]bool{}, map[string]bool{}
	}
}

// read asks for what the session's profiles name. With fast it asks only for what can change and was there last time.
// It returns what stands around the values. The error is one after which nothing more can be had at all.
func (s *session) read(c *client, data *Data, fast bool) (*surroundings, error) {
	s.tuning.settle()
	var scalars []string
	for _, p := range s.profiles {
		for _, o := range p.Scalars {
			if !slices.Contains(scalars, o.OID) && (!fast || o.Fast && s.data.Scalars[o.OID].Known()) {
				scalars = append(scalars, o.OID)
			}
		}
	}
	r := &reader{c: c, data: data, t: &s.tuning, around: &surroundings{map[string]arcs{}, map[string][]arcs{}}, indexes: map[string]string{}}
	r.scalars(scalars)
	seen := map[string]bool{}
	for _, p := range s.profiles {
		for _, t := range p.Tables {
			var columns []string
			for _, o := range t.Columns {
				if !seen[o.OID] && (!fast || o.Fast && (len(s.data.Columns[o.OID]) > 0 || s.data.Unread[o.OID] != nil)) {
					seen[o.OID] = true
					columns = append(columns, o.OID)
				}
			}
			r.table(columns)
		}
	}
	if r.fatal != nil && (!c.answered || errors.Is(r.fatal, errAuth)) {
		return nil, r.fatal
	}
	return r.around, nil
}

// reader reads scalars and tables into data. After a fatal error it marks everything else as unread.
type reader struct {
	c       *client
	data    *Data
	t       *tuning
	fatal   error
	around  *surroundings
	indexes map[string]string // by the octets: dotted
}

// ends reports whether nothing more can be had after err.
func ends(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errLimit) ||
		errors.Is(err, errRefused) || errors.Is(err, errAuth)
}

func (r *reader) unread(oids []string, err error) {
	for _, o := range oids {
		r.data.Unread[o] = err
	}
	if ends(err) {
		r.fatal = err
	}
}

func (r *reader) scalars(oids []string) {
	oids = slices.DeleteFunc(oids, func(o string) bool { return r.t.missing[o] })
	for len(oids) > 0 {
		if r.fatal != nil {
			r.unread(oids, r.fatal)
			return
		}
		n := min(len(oids), r.t.scalars)
		r.some(oids[:n])
		oids = oids[n:]
	}
}

// some reads a few scalars by one GET, or by smaller ones where the agent cannot.
func (r *reader) some(oids []string) {
	asked := make([]arcs, len(oids))
	for i, o := range oids {
		asked[i] = parseArcs(o)
	}
	vars, err := r.c.get(asked)
	if err == nil && len(vars) == len(oids) {
		for i, v := range vars {
			if string(v.oid) != string(asked[i]) {
				r.data.Unread[oids[i]] = fmt.Errorf("the agent answers %s instead", v.oid)
			} else if val := v.read(r.data.Scalars[oids[i]]); val.Known() {
				r.data.Scalars[oids[i]] = val
			} else {
				delete(r.data.Scalars, oids[i])
			}
		}
		return
	}
	if err == nil {
		err = fmt.Errorf("%w: %d values for %d questions", errGarbage, len(vars), len(oids))
	}
	var status *statusError
	isStatus := errors.As(err, &status)
	switch {
	case ends(err):
		r.unread(oids, err)
	case isStatus && status.status == gosnmp.NoSuchName && len(oids) == 1:
		r.t.missing[oids[0]] = true // v1's word for "no such object"
		delete(r.data.Scalars, oids[0])
	case isStatus && status.status == gosnmp.NoSuchName && status.index >= 1 && status.index <= len(oids):
		r.t.missing[oids[status.index-1]] = true
		delete(r.data.Scalars, oids[status.index-1])
		r.some(slices.Delete(slices.Clone(oids), status.index-1, status.index))
	case len(oids) == 1:
		r.unread(oids, err)
	default:
		if errors.Is(err, errNoAnswer) && !r.alive() {
			r.unread(oids, r.fatal)
			return
		}
		if isStatus && status.status == gosnmp.TooBig || errors.Is(err, errNoAnswer) {
			r.t.scalars = max(1, len(oids)/2)
		}
		half := len(oids) / 2
		r.some(oids[:half])
		if r.fatal != nil {
			r.unread(oids[half:], r.fatal)
			return
		}
		r.some(oids[half:])
	}
}

// column is one column while it is walked.
type column struct {
	name   string
	oid    arcs
	last   arcs // the last OID that the agent gave
	beyond arcs // the first OID behind the column, where the agent gave one
	cells  []Cell
	voids  []arcs // cells without a value
	done   bool
	err    error
}

// alive asks the least that can be asked, to tell an agent that has stopped from one that was asked too much.
func (r *reader) alive() bool {
	err := r.c.there()
	if err == nil {
		return true
	}
	r.fatal = err
	if errors.Is(err, errNoAnswer) {
		r.fatal = errStopped
	}
	return false
}

// errStopped is an agent that answered and then did not.
var errStopped = fmt.Errorf("the agent stopped answering in the middle: %w", errNoAnswer)

// table walks columns that share an index, several in one request.
func (r *reader) table(oids []string) {
	for len(oids) > 0 {
		if r.fatal != nil {
			r.unread(oids, r.fatal)
			return
		}
		n := min(len(oids), r.t.columns)
		r.walk(oids[:n])
		oids = oids[n:]
	}
}

func (r *reader) walk(oids []string) {
	var bulk, single []string
	for _, o := range oids {
		if r.t.noBulk[o] || r.c.version == gosnmp.Version1 {
			single = append(single, o)
		} else {
			bulk = append(bulk, o)
		}
	}
	for _, o := range r.bulk(bulk) {
		// GETBULK gave nothing to rely on: the slow way, and if that works, from now on.
		if r.fatal != nil {
			r.unread([]string{o}, r.fatal)
			continue
		}
		if r.store(r.single([]string{o})) {
			r.t.noBulk[o] = true
		}
	}
	if len(single) > 0 {
		if r.fatal != nil {
			r.unread(single, r.fatal)
			return
		}
		r.store(r.single(single))
	}
}

// store keeps what was walked; ok is false where something could not be read to its end.
func (r *reader) store(columns []*column) (ok bool) {
	ok = true
	for _, c := range columns {
		r.data.Columns[c.name] = c.cells
		if c.beyond != nil {
			r.around.beyond[c.name] = c.beyond
		}
		if c.voids != nil {
			r.around.voids[c.name] = c.voids
		}
		if c.err != nil {
			ok = false
			r.unread([]string{c.name}, c.err)
		}
	}
	return ok
}

func begin(oids []string) []*column {
	out := make([]*column, len(oids))
	for i, o := range oids {
		at := parseArcs(o)
		out[i] = &column{name: o, oid: at, last: at}
	}
	return out
}

func active(columns []*column) (open []*column, asked []arcs) {
	for _, c := range columns {
		if !c.done && c.err == nil {
			open, asked = append(open, c), append(asked, c.last)
		}
	}
	return open, asked
}

// bulk walks by GETBULK and returns the columns that want another way.
func (r *reader) bulk(oids []string) (again []string) {
	columns := begin(oids)
	repetitions := r.t.repetitions
	for {
		open, asked := active(columns)
		if len(open) == 0 {
			break
		}
		vars, err := r.c.getBulk(asked, repetitions)
		var status *statusError
		switch {
		case err == nil && len(vars) > 0:
			r.take(open, vars)
			continue
		case err == nil:
			err = fmt.Errorf("%w: an answer without values", errGarbage)
		case ends(err):
			fail(open, err)
			continue
		case errors.As(err, &status) && status.status == gosnmp.TooBig, errors.Is(err, errNoAnswer):
			if errors.Is(err, errNoAnswer) && !r.alive() {
				fail(open, r.fatal)
				continue
			}
			if repetitions > 1 {
				repetitions /= 2
				r.t.repetitions = repetitions
				continue
			}
			if len(open) > 1 {
				r.t.columns = max(1, len(open)/2)
				for _, c := range open {
					c.done = true
					again = append(again, c.name)
				}
				continue
			}
		}
		for _, c := range open {
			c.err = err
			again = append(again, c.name)
		}
	}
	var finished []*column
	for _, c := range columns {
		switch {
		case slices.Contains(again, c.name):
		case errors.Is(c.err, errOrder):
			again = append(again, c.name)
		default:
			finished = append(finished, c)
		}
	}
	r.store(finished)
	return again
}

// errOrder is an agent whose OIDs do not grow from one to the next: it loops, repeats itself, or keeps no order.
var errOrder = errors.New("the agent's OIDs do not grow")

func fail(columns []*column, err error) {
	for _, c := range columns {
		c.err = err
	}
}

// take sorts the values of an answer into the columns that were asked for, one row after another.
func (r *reader) take(open []*column, vars []bind) {
	progress := false
	for i, v := range vars {
		c := open[i%len(open)]
		if c.done || c.err != nil {
			continue
		}
		if r.add(c, v, true) {
			progress = true
		}
	}
	for _, c := range open {
		progress = progress || c.done || c.err != nil
		c.last = slices.Clone(c.last) // the next answer comes into the same buffer
	}
	if !progress {
		fail(open, errOrder)
	}
}

// add takes one value; ok is false where it ends the column. With ordered, an OID that is not greater than the last is an
// error.
func (r *reader) add(c *column, v bind, ordered bool) (ok bool) {
	switch {
	case v.ends():
		c.done = true
		return false
	case ordered && compareArcs(v.oid, c.last) <= 0:
		c.err = errOrder
		return false
	case !v.oid.under(c.oid) || len(v.oid) == len(c.oid):
		c.done = true
		c.beyond = slices.Clone(v.oid)
		return false
	case len(c.cells) >= maxRows:
		c.err = fmt.Errorf("the column has more than %d rows; %w", maxRows, errLimit)
		return false
	}
	c.last = v.oid
	if val := v.read(Value{}); val.Known() {
		c.cells = append(c.cells, Cell{r.index(v.oid[len(c.oid):]), val})
	} else {
		c.voids = append(c.voids, slices.Clone(v.oid))
	}
	return true
}

// index writes an index, which every column of a table has, once.
func (r *reader) index(a arcs) string {
	if s, ok := r.indexes[string(a)]; ok {
		return s
	}
	var b [ber.MaxArcs * 5]byte
	s := unique.Make(string(a[:min(len(a), ber.MaxArcs)].appendDotted(b[:0], false))).Value()
	r.indexes[string(a)] = s
	return s
}

// single walks by GETNEXT. An agent that keeps no order but never repeats itself is read too.
func (r *reader) single(oids []string) []*column {
	columns := begin(oids)
	seen := map[string]bool{}
	for {
		open, asked := active(columns)
		if len(open) == 0 {
			break
		}
		vars, err := r.c.getNext(asked)
		var status *statusError
		switch {
		case err == nil && len(vars) == len(open):
			for i, c := range open {
				before := c.last
				if !r.add(c, vars[i], false) {
					continue
				}
				c.last = slices.Clone(c.last)
				if seen[string(c.last)] || string(c.last) == string(before) {
					c.err = fmt.Errorf("%w: %s comes twice", errOrder, c.last)
					if n := len(c.cells); n > 0 {
						c.cells = c.cells[:n-1]
					}
				}
				seen[string(c.last)] = true
			}
		case err == nil:
			fail(open, fmt.Errorf("%w: %d values for %d questions", errGarbage, len(vars), len(open)))
		case errors.As(err, &status) && status.status == gosnmp.NoSuchName && status.index >= 1 && status.index <= len(open):
			open[status.index-1].done = true // v1: the end of the MIB
		case errors.As(err, &status) && status.status == gosnmp.NoSuchName && len(open) == 1:
			open[0].done = true
		case len(open) > 1 && !ends(err):
			// Each by itself.
			for _, c := range open {
				one := r.single([]string{c.name})[0]
				*c = *one
				if r.fatal != nil {
					break
				}
				c.done = c.err == nil
			}
			if r.fatal != nil {
				rest, _ := active(columns)
				fail(rest, r.fatal)
			}
		default:
			fail(open, err)
			if ends(err) {
				r.fatal = err
			} else if errors.Is(err, errNoAnswer) && !r.alive() {
				fail(open, r.fatal)
			}
		}
	}
	for _, c := range columns {
		slices.SortFunc(c.cells, func(a, b Cell) int { return CompareOIDs(a.Index, b.Index) })
	}
	return columns
}
