package snmp_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/snmp"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// columns are those of a recording's interface tables, by their OID and the last number of their index, read without any profile.
func columns(objects []recording.Object) map[string]map[string]recording.Value {
	found := map[string]map[string]recording.Value{}
	for _, o := range objects {
		if len(o.OID) < 7 || len(o.OID) > 13 || !slices.Equal(o.OID[:6], []uint32{1, 3, 6, 1, 2, 1}) {
			continue
		}
		oid := o.OID.String()
		at := strings.LastIndexByte(oid, '.')
		if found[oid[:at]] == nil {
			found[oid[:at]] = map[string]recording.Value{}
		}
		found[oid[:at]][oid[at+1:]] = o.Value
	}
	return found
}

// number of a recorded integer, counter or gauge.
func number(v recording.Value) float64 { return float64(v.Int) + float64(v.Uint) }

// TestNamedPortsOfRecordings names every interface of every recorded device in turn, and compares what is read of it with what stands in
// the recording. No other program's words on interfaces are recorded; the other reader is the test's own.
func TestNamedPortsOfRecordings(t *testing.T) {
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings: set SPAREWATCH_RECORDINGS to their folder")
	}
	set := builtin(t)
	files, err := filepath.Glob(filepath.Join(dir, "snmp", "network", "*.snmprec"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	conditions := map[float64]component.Condition{1: component.OK, 2: component.Failed, 3: component.Impaired, 4: component.Unknown, 5: component.OK, 6: component.Absent, 7: component.Failed}
	devices, ports, values := 0, 0, 0
	for _, file := range files {
		rec, err := recording.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		all := columns(rec.SNMP)
		status := all["1.3.6.1.2.1.2.2.1.8"]
		if len(status) == 0 {
			continue
		}
		admin, descr, name, speed := all["1.3.6.1.2.1.2.2.1.7"], all["1.3.6.1.2.1.2.2.1.2"], all["1.3.6.1.2.1.31.1.1.1.1"], all["1.3.6.1.2.1.31.1.1.1.15"]
		in, in32, errors, fcs := all["1.3.6.1.2.1.31.1.1.1.6"], all["1.3.6.1.2.1.2.2.1.10"], all["1.3.6.1.2.1.2.2.1.14"], all["1.3.6.1.2.1.10.7.2.1.3"]
		ucast, ucast32, nucast := all["1.3.6.1.2.1.31.1.1.1.7"], all["1.3.6.1.2.1.2.2.1.11"], all["1.3.6.1.2.1.2.2.1.12"]
		multicast, broadcast := all["1.3.6.1.2.1.31.1.1.1.8"], all["1.3.6.1.2.1.31.1.1.1.9"]
		devices++
		vars := snmp.Sort(snmp.Varbinds(rec.SNMP))
		sys := snmp.SystemOf(vars, set)
		profiles := set.Match(sys)
		data := snmp.FromVarbinds(vars, profiles)
		byName := map[string]string{} // the first interface of each name
		var named []component.ID
		for _, index := range slices.SortedFunc(keys(status), snmp.CompareOIDs) {
			local := string(name[index].Bytes)
			if local == "" {
				local = string(descr[index].Bytes)
			}
			if local = strings.TrimRight(strings.TrimSpace(local), "\x00"); local != "" && byName[strings.ToLower(local)] == "" {
				byName[strings.ToLower(local)] = index
				named = append(named, component.NewID("d", component.Port, local))
			}
		}
		parsed := snmp.Parse("d", profiles, sys, data, snmp.Options{Named: named})
		read := map[string]*component.Component{}
		for _, called := range []func(*component.Component) string{ // a name that two have is the first's
			func(c *component.Component) string { return c.Name }, func(c *component.Component) string { return c.ID.Local() },
		} {
			for i := range parsed.Components {
				if c := &parsed.Components[i]; c.Kind == component.Port && read[strings.ToLower(called(c))] == nil {
					read[strings.ToLower(called(c))] = c
				}
			}
		}
		for local, index := range byName {
			c := read[local]
			if c == nil {
				t.Errorf("%s: nothing is read of interface %q (%s)", filepath.Base(file), local, index)
				continue
			}
			ports++
			want := conditions[number(status[index])]
			if number(admin[index]) == 2 {
				want = component.Absent
			}
			if c.Condition != want && c.Attributes["bundle"]+c.Attributes["role"]+c.Attributes[component.NeighbourName]+c.Attributes[component.NeighbourChassis] == "" && !c.Predicted {
				t.Errorf("%s: %s is %s, want %s (%s)", filepath.Base(file), local, c.Condition, want, c.Why)
			}
			if bits := number(speed[index]) * 1e6; bits > 0 && (c.Rating == nil || c.Rating.Bits != bits) {
				t.Errorf("%s: %s is rated %+v, want %g bit/s", filepath.Base(file), local, c.Rating, bits)
			}
			for _, x := range []struct {
				reading string
				columns []map[string]recording.Value // the first has to be there, the others are added
				but     map[string]recording.Value   // where this has it
			}{
				{"receive_octets", []map[string]recording.Value{in}, nil}, {"receive_octets_32", []map[string]recording.Value{in32}, in},
				{"receive_errors", []map[string]recording.Value{errors}, nil}, {"fcs_errors", []map[string]recording.Value{fcs}, all["1.3.6.1.2.1.10.7.11.1.2"]},
				{"receive_packets", []map[string]recording.Value{ucast, multicast, broadcast}, nil},
				{"receive_packets", []map[string]recording.Value{ucast32, nucast}, ucast},
			} {
				v, there := x.columns[0][index]
				_, other := x.but[index]
				if _, counts := errors[index]; !there || other || x.reading == "receive_packets" && !counts {
					continue
				}
				sum := number(v)
				for _, more := range x.columns[1:] {
					sum += number(more[index])
				}
				values++
				if got := c.Reading(x.reading); float64(got) != sum {
					t.Errorf("%s: %s of %s is %v, want %v", filepath.Base(file), x.reading, local, got, sum)
				}
			}
		}
	}
	t.Logf("%d devices, %d interfaces, %d values, all as recorded", devices, ports, values)
	if devices < 20 || ports < 1000 || values < 2000 {
		t.Error("too few to say anything")
	}
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// switchAgent is an agent with three interfaces: one that counts in 64 bits, one that counts in 32 alone, and one that is down.
func switchAgent() *lab.Agent {
	o := lab.NewObjects(nil)
	text := func(oid, s string) { o.Set(mustOID(oid), recording.StringValue(s)) }
	set := func(oid string, n int64) { o.Set(mustOID(oid), recording.IntValue(n)) }
	text("1.3.6.1.2.1.1.1.0", "Cisco IOS Software, C3750 Software")
	o.Set(mustOID("1.3.6.1.2.1.1.2.0"), recording.OIDValue(mustOID("1.3.6.1.4.1.9.1.516")))
	text("1.3.6.1.2.1.1.5.0", "sw-1")
	for i, descr := range []string{"TenGigabitEthernet1/0/1", "GigabitEthernet1/0/2", "GigabitEthernet1/0/3"} {
		index := fmt.Sprint(101 + i)
		text("1.3.6.1.2.1.2.2.1.2."+index, descr)
		set("1.3.6.1.2.1.2.2.1.5."+index, 1_000_000_000)
		set("1.3.6.1.2.1.2.2.1.7."+index, 1)
		set("1.3.6.1.2.1.2.2.1.8."+index, int64(1+i/2))
		for column, n := range map[int]int64{10: 5000, 11: 1000, 12: 10, 13: 3, 14: 2, 16: 6000, 17: 900, 18: 9, 19: 0, 20: 1} {
			set(fmt.Sprintf("1.3.6.1.2.1.2.2.1.%d.%s", column, index), n)
		}
	}
	text("1.3.6.1.2.1.31.1.1.1.1.101", "Te1/0/1")
	text("1.3.6.1.2.1.31.1.1.1.18.101", "uplink west")
	for column, n := range map[int]int64{6: 1 << 40, 7: 1 << 34, 8: 20, 9: 30, 10: 1 << 41, 11: 1 << 33, 12: 1, 13: 2, 15: 10_000, 19: 4711} {
		set(fmt.Sprintf("1.3.6.1.2.1.31.1.1.1.%d.101", column), n)
	}
	set("1.3.6.1.2.1.10.7.2.1.3.102", 77)
	return &lab.Agent{Objects: o}
}

func TestNamedPorts(t *testing.T) {
	a := switchAgent()
	url := serve(t, a)
	look := func(names ...string) *snapshot.Snapshot {
		t.Helper()
		var named []component.ID
		for _, name := range names {
			named = append(named, component.NewID("sw", component.Port, name))
		}
		s, err := snmp.Collector{Profiles: builtin(t)}.Open(collectors.Target{URL: url, Device: "sw", Named: named})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close(t.Context()) })
		sn := poll(t, s, collectors.Full)
		// What changes between inventories, and what comes with them alone.
		a.Objects.Set(mustOID("1.3.6.1.2.1.31.1.1.1.6.101"), recording.IntValue(1<<40+1000))
		a.Objects.Set(mustOID("1.3.6.1.2.1.2.2.1.14.101"), recording.IntValue(12))
		fast := poll(t, s, collectors.Fast)
		if c := local(fast, "port/Te1/0/1"); c != nil && (c.Reading("receive_octets") != 1<<40+1000 || c.Reading("receive_errors") != 2) {
			t.Errorf("between inventories: %v octets, %v errors", c.Reading("receive_octets"), c.Reading("receive_errors"))
		}
		if c := local(poll(t, s, collectors.Full), "port/Te1/0/1"); c != nil && c.Reading("receive_errors") != 12 {
			t.Errorf("with the inventory: %v errors", c.Reading("receive_errors"))
		}
		a.Objects.Set(mustOID("1.3.6.1.2.1.31.1.1.1.6.101"), recording.IntValue(1<<40))
		a.Objects.Set(mustOID("1.3.6.1.2.1.2.2.1.14.101"), recording.IntValue(2))
		return sn
	}
	show := func(sn *snapshot.Snapshot) []string {
		got := []string{}
		for _, c := range sn.Components {
			if c.Kind != component.Port {
				continue
			}
			line := fmt.Sprintf("%s %s", c.ID.Local(), c.Condition)
			if c.Rating != nil {
				line += fmt.Sprintf(" %g", c.Rating.Bits)
			}
			for _, r := range c.Readings {
				line += fmt.Sprintf(" %s=%.0f", r.Name, float64(r.Value))
			}
			got = append(got, line)
		}
		return got
	}
	const (
		te = "Te1/0/1 ok 1e+10 receive_octets=1099511627776 transmit_octets=2199023255552 receive_packets=17179869234 transmit_packets=8589934595 receive_errors=2 transmit_errors=1 receive_discards=3 transmit_discards=0"
		g2 = "GigabitEthernet1/0/2 ok 1e+09 receive_octets_32=5000 transmit_octets_32=6000 receive_packets=1010 transmit_packets=909 receive_errors=2 transmit_errors=1 receive_discards=3 transmit_discards=0 fcs_errors=77"
		g3 = "GigabitEthernet1/0/3 failed 1e+09 receive_octets_32=5000 transmit_octets_32=6000 receive_packets=1010 transmit_packets=909 receive_errors=2 transmit_errors=1 receive_discards=3 transmit_discards=0"
	)
	for name, x := range map[string]struct{ names, want []string }{
		"by name":            {[]string{"Te1/0/1"}, []string{te}},
		"by description":     {[]string{"TenGigabitEthernet1/0/1", "GigabitEthernet1/0/2"}, []string{te, g2}},
		"by alias":           {[]string{"uplink west"}, []string{te}},
		"by ifIndex":         {[]string{"103", "102"}, []string{g2, g3}},
		"in another case":    {[]string{"te1/0/1"}, []string{te}},
		"one that isn't":     {[]string{"Te1/0/9"}, []string{}},
		"none":               {nil, []string{}},
		"by a part of it":    {[]string{"Te1/0"}, []string{}},
		"the same one twice": {[]string{"Te1/0/1", "uplink west"}, []string{te}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := show(look(x.names...)); !slices.Equal(got, x.want) {
				t.Errorf("read:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(x.want, "\n"))
			}
		})
	}
	before := a.Requests()
	look()
	unnamed := a.Requests() - before
	look("Te1/0/1")
	if named := a.Requests() - before - unnamed; unnamed >= named {
		t.Errorf("%d requests where no interface is named, %d where one is", unnamed, named)
	}
}
