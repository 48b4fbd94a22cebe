package snmp

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sparewatch/sparewatch/mibs"
)

// Data is what was read of one device: the values of the scalars and columns that its profiles name.
type Data struct {
	Scalars map[string]Value  // by OID of the instance
	Columns map[string][]Cell // by OID of the column, in order of the index
	// Unread holds the reasons for which a scalar or a column could not be read to its end. What is in Columns of
	// such a column stands; what is not there is not known to be absent.
	Unread map[string]error
}

// Cell is one row's value in a column.
type Cell struct {
	Index string // dotted
	Value Value
}

// NewData is empty.
func NewData() *Data {
	return &Data{Scalars: map[string]Value{}, Columns: map[string][]Cell{}, Unread: map[string]error{}}
}

// compact puts all cells into one piece of memory, and forgets the columns that the device does not have: the data is kept
// for as long as the device is polled.
func (d *Data) compact() {
	n, columns := 0, 0
	for _, cells := range d.Columns {
		if n += len(cells); len(cells) > 0 {
			columns++
		}
	}
	all, kept := make([]Cell, 0, n), make(map[string][]Cell, columns)
	for oid, cells := range d.Columns {
		if len(cells) > 0 {
			start := len(all)
			all = append(all, cells...)
			kept[oid] = all[start:len(all):len(all)]
		}
	}
	d.Columns = kept
}

// Varbind is one object of a recording or an answer.
type Varbind struct {
	OID   string // no leading dot
	Value Value
}

// FromVarbinds takes out of a recording what the profiles name, as if its device had been asked. vars need no order.
func FromVarbinds(vars []Varbind, profiles []*mibs.Profile) *Data {
	sorted := Sort(vars)
	d := NewData()
	for _, p := range profiles {
		for _, o := range p.Scalars {
			if i, ok := find(sorted, o.OID); ok {
				d.Scalars[o.OID] = sorted[i].Value
			}
		}
		for _, t := range p.Tables {
			for _, c := range t.Columns {
				if _, done := d.Columns[c.OID]; !done {
					d.Columns[c.OID] = cells(sorted, c.OID)
				}
			}
		}
	}
	return d
}

// SystemOf finds what detection asks for in sorted varbinds.
func SystemOf(sorted []Varbind, set *mibs.Set) mibs.System {
	words := func(oid string) string {
		if i, ok := find(sorted, oid); ok {
			return sorted[i].Value.Words()
		}
		return ""
	}
	sys := mibs.System{ObjectID: words(sysObjectID), Descr: words(sysDescr), Name: words(sysName), Present: map[string]bool{}}
	for _, o := range set.Presence() {
		i, _ := find(sorted, o)
		sys.Present[o] = i < len(sorted) && mibs.Under(sorted[i].OID, o)
	}
	return sys
}

// Sort orders varbinds by OID and keeps the first of those with the same one.
func Sort(vars []Varbind) []Varbind {
	sorted := slices.Clone(vars)
	slices.SortStableFunc(sorted, func(a, b Varbind) int { return CompareOIDs(a.OID, b.OID) })
	return slices.CompactFunc(sorted, func(a, b Varbind) bool { return a.OID == b.OID })
}

func find(sorted []Varbind, oid string) (int, bool) {
	return slices.BinarySearchFunc(sorted, oid, func(v Varbind, o string) int { return CompareOIDs(v.OID, o) })
}

func cells(sorted []Varbind, column string) []Cell {
	i, _ := find(sorted, column)
	var out []Cell
	for ; i < len(sorted) && mibs.Under(sorted[i].OID, column); i++ {
		if index := strings.TrimPrefix(sorted[i].OID[len(column):], "."); index != "" && sorted[i].Value.Known() {
			out = append(out, Cell{index, sorted[i].Value})
		}
	}
	return out
}

// CompareOIDs orders dotted OIDs by their numbers.
func CompareOIDs(a, b string) int {
	for a != "" && b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		if x == y {
			continue
		}
		if len(x) != len(y) {
			n, err1 := strconv.ParseUint(x, 10, 64)
			m, err2 := strconv.ParseUint(y, 10, 64)
			if err1 == nil && err2 == nil {
				if n < m {
					return -1
				}
				if n > m {
					return 1
				}
				continue
			}
			return len(x) - len(y)
		}
		return strings.Compare(x, y)
	}
	return len(a) - len(b)
}
