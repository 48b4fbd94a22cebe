package snmp

import (
	"fmt"
	"math"
	"net/netip"
	"slices"

	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// Kinds are the kinds of component that a profile may name, for mibs.Load.
func Kinds() []string {
	kinds := component.Kinds()
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = string(k)
	}
	return out
}

// Varbinds turns a recording's objects into what Parse reads.
func Varbinds(objects []recording.Object) []Varbind {
	out := make([]Varbind, 0, len(objects))
	for _, o := range objects {
		out = append(out, Varbind{o.OID.String(), recorded(o.Value)})
	}
	return out
}

func recorded(v recording.Value) Value {
	switch v.Type {
	case recording.Integer:
		return IntegerValue(v.Int)
	case recording.Counter32, recording.Gauge32, recording.TimeTicks, recording.Counter64:
		return UnsignedValue(v.Uint)
	case recording.OctetString:
		return StringValue(string(v.Bytes))
	case recording.ObjectID:
		return OIDValue(v.OID.String())
	case recording.IPAddress:
		if a, ok := netip.AddrFromSlice(v.Bytes); ok {
			return AddressValue(a.String())
		}
	case recording.Opaque:
		return opaque(v.Bytes)
	}
	return Value{}
}

// opaque reads net-snmp's floats in an Opaque: tag 9f 78 with four octets, 9f 79 with eight (IEEE 754, high first).
func opaque(b []byte) Value {
	switch {
	case len(b) == 7 && b[0] == 0x9f && b[1] == 0x78 && b[2] == 4:
		return FloatValue(float64(math.Float32frombits(uint32(b[3])<<24 | uint32(b[4])<<16 | uint32(b[5])<<8 | uint32(b[6]))))
	case len(b) == 11 && b[0] == 0x9f && b[1] == 0x79 && b[2] == 8:
		var bits uint64
		for _, o := range b[3:] {
			bits = bits<<8 | uint64(o)
		}
		return FloatValue(math.Float64frombits(bits))
	}
	return StringValue(string(b))
}

// Trial is what profiles make of a recording.
type Trial struct {
	System   mibs.System
	Profiles []*mibs.Profile // that matched, in the order in which they were read
	Parsed   *Parsed
	Snapshot *snapshot.Snapshot
}

// Try reads a recording by the profiles of a set that match it; only narrows them to one by its name ("" for all). It
// is what "sparewatch profile test" shows.
func Try(device string, set *mibs.Set, objects []recording.Object, only string) (*Trial, error) {
	vars := Sort(Varbinds(objects))
	t := &Trial{System: SystemOf(vars, set)}
	t.Profiles = set.Match(t.System)
	if only != "" {
		i := slices.IndexFunc(set.Profiles, func(p *mibs.Profile) bool { return p.Name == only })
		if i < 0 {
			return nil, fmt.Errorf("there is no profile %q", only)
		}
		if !slices.Contains(t.Profiles, set.Profiles[i]) {
			return nil, fmt.Errorf("profile %q does not match: sysObjectID is %s, sysDescr %q", only, t.System.ObjectID, t.System.Descr)
		}
		t.Profiles = set.Profiles[i : i+1]
	}
	t.Parsed = Parse(device, t.Profiles, t.System, FromVarbinds(vars, t.Profiles), Options{Uses: true})
	t.Snapshot = t.Parsed.Snapshot()
	t.Snapshot.Reachable = true
	return t, nil
}
