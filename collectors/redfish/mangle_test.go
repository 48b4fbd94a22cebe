package redfish

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/conformance"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// TestMangled reads recorded services in which values were put in each other's place, left out, doubled or made of
// another type. Whatever comes out is a snapshot as every snapshot must be, and the same twice.
func TestMangled(t *testing.T) {
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings here: set SPAREWATCH_RECORDINGS")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "redfish", "*.json"))
	for _, f := range files {
		rec, err := recording.Load(f)
		if err != nil {
			t.Fatal(err)
		}
		whole := newTree()
		for at, raw := range rec.Redfish {
			v, err := parseJSON(raw)
			if err != nil {
				t.Fatal(err)
			}
			whole.entries[normal(at)] = &entry{path: normal(at), body: v}
		}
		rounds := 25
		if len(whole.entries) > 150 {
			rounds = 3
		}
		mangled(t, filepath.Base(f), whole, rounds, nil)
	}
}

// TestMangledForms does the same to forms of which there is no recording: supplies that are only measured, sensors that supplies
// link to, a vendor's own section of them, managers that stand in for each other. What nobody judged never comes out good.
func TestMangledForms(t *testing.T) {
	const (
		box, sub, sensors = "/redfish/v1/Chassis/1", "/redfish/v1/Chassis/1/PowerSubsystem", "/redfish/v1/Chassis/1/Sensors"
		managers          = "/redfish/v1/Managers"
		fine              = `"Status":{"State":"Enabled","Health":"OK"}}`
	)
	measured := map[string]string{powerAt: rails(
		`{"Name":"PSU1_VIN","ReadingVolts":230,`+fine, `{"Name":"PSU1_VOUT","ReadingVolts":12,`+fine, `{"Name":"PSU2_VIN","ReadingVolts":0,`+fine,
		`{"Name":"PSU2_VOUT","ReadingVolts":0,"Status":{"State":"Enabled","Health":"Critical"}}`, `{"Name":"PSU3_VIN","ReadingVolts":null,"Status":{"State":"Absent"}}`)}
	collection := map[string]string{
		box: `{"@odata.id":"` + box + `","Links":{"ComputerSystems":[{"@odata.id":"/redfish/v1/Systems/1"}]},"Sensors":{"@odata.id":"` + sensors + `"}}`, sensors: `{"Members":[{"@odata.id":"` + sensors + `/1"},{"@odata.id":"` + sensors + `/PSU2_VIN"}]}`,
		sensors + "/1": `{"@odata.id":"` + sensors + `/1","Name":"PSU1 Input Voltage","Reading":230,"ReadingUnits":"V",` + fine, sensors + "/PSU2_VIN": `{"@odata.id":"` + sensors + `/PSU2_VIN","Name":"x","Reading":0,` + fine,
	}
	linked := map[string]string{
		sub: `{"PowerSupplies":{"@odata.id":"` + sub + `/PowerSupplies"}}`, sub + "/PowerSupplies": `{"Members":[{"@odata.id":"` + sub + `/PowerSupplies/0"}]}`,
		sub + "/PowerSupplies/0": `{"@odata.id":"` + sub + `/PowerSupplies/0","Id":"0","Sensors":[{"@odata.id":"` + sensors + `/p0_pin"},{"@odata.id":"` + sensors + `/p0_vin"}],` + fine,
		sensors + "/p0_pin":      `{"Reading":700}`, sensors + "/p0_vin": `{"Reading":240}`,
		powerAt: `{"Oem":{"ts_fujitsu":{"ChassisPowerConsumption":{"CurrentPowerConsumptionW":150},"ChassisPowerSensors":[{"Designation":"PSU1 Power","CurrentPowerConsumptionW":80,"LegacyStatus":"OK"},{"Designation":"Total Power","CurrentPowerConsumptionW":150}]}}}`,
	}
	pair := map[string]string{
		"/redfish/v1": `{"@odata.id":"/redfish/v1/","Systems":{"@odata.id":"/redfish/v1/Systems"},"Chassis":{"@odata.id":"/redfish/v1/Chassis"},"Managers":{"@odata.id":"` + managers + `"}}`,
		managers:      `{"Members":[{"@odata.id":"` + managers + `/1"},{"@odata.id":"` + managers + `/2"}]}`,
		managers + "/1": `{"@odata.id":"` + managers + `/1","Id":"1","ManagerType":"EnclosureManager","Redundancy":[{"@odata.id":"` + managers + `/1#/Redundancy/0","Mode":"Failover","MinNumNeeded":1,"MaxNumSupported":2,
			"RedundancySet":[{"@odata.id":"` + managers + `/1"},{"@odata.id":"` + managers + `/2"}],"Status":{"State":"Enabled","Health":"OK"}}],` + fine,
		managers + "/2": `{"@odata.id":"` + managers + `/2","Id":"2","ManagerType":"EnclosureManager","Status":{"State":"StandbySpare","Health":"OK"}}`,
	}
	unjudged := func(s *snapshot.Snapshot) string {
		for _, c := range s.Components {
			if c.Kind == component.PSU && c.Condition == component.OK && !c.InputLost {
				return fmt.Sprintf("%s is ok (%s), and nobody said so", c.ID, c.Why)
			}
		}
		return ""
	}
	mangled(t, "measured", grow(t, measured), 400, unjudged)
	mangled(t, "collection", grow(t, collection), 400, unjudged)
	mangled(t, "linked", grow(t, linked), 400, nil)
	mangled(t, "pair", grow(t, pair), 400, nil)
}

// mangled reads a tree many times, each time mangled in another way; wrong says what may not come out of it.
func mangled(t *testing.T, name string, whole *tree, rounds int, wrong func(*snapshot.Snapshot) string) {
	t.Helper()
	for seed := range rounds {
		m := mangler{rand.New(rand.NewPCG(uint64(seed), 7)), nil}
		tr := newTree()
		paths := slices.Sorted(maps.Keys(whole.entries))
		for _, p := range paths {
			m.collect(whole.entries[p].body)
		}
		for _, p := range paths {
			e := whole.entries[p]
			if m.Float64() < 0.03 {
				continue
			}
			tr.entries[p] = &entry{path: p, body: m.mangle(e.body), stale: m.Float64() < 0.05, why: "no answer", gone: m.Float64() < 0.02}
		}
		first := parse(tr, "srv-1")
		first.Target, first.Reachable, first.At = "redfish://srv-1", true, epoch
		if faults := conformance.Faults(collectors.Target{Device: "srv-1"}, first); len(faults) > 0 {
			t.Fatalf("%s, seed %d: %s", name, seed, strings.Join(faults, "\n"))
		}
		second := parse(tr, "srv-1")
		second.Target, second.Reachable, second.At = first.Target, true, epoch
		if show(first) != show(second) {
			t.Fatalf("%s, seed %d: the same tree gives another snapshot the second time", name, seed)
		}
		if wrong == nil {
			continue
		}
		if w := wrong(first); w != "" {
			t.Fatalf("%s, seed %d: %s", name, seed, w)
		}
	}
}

type mangler struct {
	*rand.Rand
	pool []value
}

func (m *mangler) collect(v value) {
	if len(m.pool) < 2000 {
		m.pool = append(m.pool, v.each()...)
	}
}

// mangle changes about one value in thirty.
func (m *mangler) mangle(v value) value {
	switch n := m.Float64(); {
	case n < 0.004:
		return value{}
	case n < 0.008:
		return value{kind: null}
	case n < 0.012:
		return value{kind: number, text: fmt.Sprint(m.IntN(70000) - 100)}
	case n < 0.016:
		return value{kind: text, text: []string{"N/A", "", "/redfish/v1", "Absent", "Critical", strings.Repeat("ä/", 900), "a/b c"}[m.IntN(7)]}
	case n < 0.020:
		return arrayOf([]value{v, v})
	case n < 0.024:
		return objectOf([]string{"@odata.id"}, []value{v})
	case n < 0.030 && len(m.pool) > 0:
		return m.pool[m.IntN(len(m.pool))]
	}
	if len(v.each()) == 0 {
		return v
	}
	out := v
	out.in = &inside{keys: v.names(), list: make([]value, len(v.each()))}
	for i, e := range v.each() {
		out.in.list[i] = m.mangle(e)
	}
	return out
}
