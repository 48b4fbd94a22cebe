package capture

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// profiles are those that come with the program, loaded once.
var profiles = sync.OnceValues(func() (*mibs.Set, error) {
	return mibs.Load(nil, mibs.Source{Name: "mibs/profiles", FS: mibs.Embedded()})
})

// teach tells the scrubber what the profiles know of vendors' columns: which hold a model, a version or a state in words,
// and must stay, and which hold a serial number or the machine's name.
func teach(s *recording.Scrubber) error {
	set, err := profiles()
	if err != nil {
		return fmt.Errorf("load profiles: %w", err)
	}
	for _, p := range set.Profiles {
		c := columns{p}
		for _, d := range p.Devices {
			s.Model(c.of(d.Table, d.Vendor, d.Model, d.Firmware)...)
			s.Private(c.of(d.Table, d.Serial, d.UUID, d.Hostname)...)
		}
		for _, rule := range p.Components {
			s.Model(c.of(rule.Table, rule.Condition, rule.Where, rule.HotSwap, rule.Kind)...)
			for _, rd := range rule.Readings {
				if rd.Value.Extract != nil {
					s.Model(c.of(rule.Table, rd.Value.Of)...) // a number within a text
				}
			}
			for _, a := range rule.Attributes {
				switch a.Key {
				case component.Model, component.Firmware, "vendor", component.RAIDLevel:
					s.Model(c.of(rule.Table, a.Text)...)
				case component.Serial:
					s.Private(c.of(rule.Table, a.Text)...)
				}
			}
		}
		for _, g := range p.Groups {
			s.Model(c.of(g.Table, g.State, g.Where, g.RAID)...)
			for _, t := range g.Members {
				s.Model(c.lists(g.Table, t)...)
			}
		}
	}
	return nil
}

type columns struct{ *mibs.Profile }

// of lists the columns and scalars that rules refer to, whatever is around the references.
func (c columns) of(table int, rules ...any) (out []recording.OID) {
	for _, rule := range rules {
		refs(reflect.ValueOf(rule), func(r mibs.Ref) {
			if oid, err := recording.ParseOID(c.oid(table, r)); err == nil {
				out = append(out, oid)
			}
		})
	}
	return out
}

// lists are the columns that name several members by what is printed at their bays.
func (c columns) lists(table int, t mibs.Target) (out []recording.OID) {
	if t.ID == nil {
		return nil
	}
	for _, p := range t.ID.Parts {
		if p.Many() {
			out = append(out, c.of(table, p.Ref)...)
		}
	}
	return out
}

// oid is where a reference's value comes from; "" where that is no object of the profile.
func (c columns) oid(table int, r mibs.Ref) string {
	switch r.From {
	case mibs.FromScalar:
		if r.Item < len(c.Scalars) {
			return c.Scalars[r.Item].OID
		}
	case mibs.FromColumn:
		for _, join := range r.Path {
			if table < 0 || join >= len(c.Tables[table].Joins) {
				return ""
			}
			table = c.Tables[table].Joins[join].Table
		}
		if table >= 0 && r.Item < len(c.Tables[table].Columns) {
			return c.Tables[table].Columns[r.Item].OID
		}
	}
	return ""
}

// refs calls found for every Ref in v.
func refs(v reflect.Value, found func(mibs.Ref)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			refs(v.Elem(), found)
		}
	case reflect.Struct:
		if r, ok := v.Interface().(mibs.Ref); ok {
			found(r)
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				refs(v.Field(i), found)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			refs(v.Index(i), found)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			refs(it.Value(), found)
		}
	}
}
