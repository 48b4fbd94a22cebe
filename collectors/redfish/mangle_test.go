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
	"github.com/sparewatch/sparewatch/pkg/recording"
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
				t.Fatalf("%s, seed %d: %s", filepath.Base(f), seed, strings.Join(faults, "\n"))
			}
			second := parse(tr, "srv-1")
			second.Target, second.Reachable, second.At = first.Target, true, epoch
			if show(first) != show(second) {
				t.Fatalf("%s, seed %d: the same tree gives another snapshot the second time", filepath.Base(f), seed)
			}
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
