package engine

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// hall is a data hall: rows of 50 racks on their own pair of feeds; in a rack two pdus and 20 servers with two supplies
// and two mirrored drives each; a service on every server.
type hall struct {
	model   topology.Model
	devices map[string]*snapshot.Snapshot
}

const (
	racksOfRow    = 50
	serversOfRack = 20
)

func newHall(components int) *hall {
	h := &hall{model: topology.Model{Site: "s"}, devices: map[string]*snapshot.Snapshot{}}
	const perRack = 2*(2+serversOfRack) + serversOfRack*6
	for rack := range max(1, components/perRack) {
		h.addRack(rack)
	}
	return h
}

func (h *hall) link(from, to string) {
	h.model.Links = append(h.model.Links, topology.Link{Link: component.Link{From: component.ID(from), To: component.ID(to), Kind: component.Feeds}})
}

func (h *hall) device(name string, parts ...string) *snapshot.Snapshot {
	sn := &snapshot.Snapshot{Target: "x://" + name, Device: snapshot.Device{Name: name}, At: start, Reachable: true}
	for _, p := range parts {
		id := component.ID(name + "/" + p)
		sn.Components = append(sn.Components, component.Component{ID: id, Kind: id.Kind(), Status: component.Status{Condition: component.OK}})
	}
	h.devices[name] = sn
	h.model.Observed = append(h.model.Observed, name)
	return sn
}

func (h *hall) addRack(rack int) {
	row := rack / racksOfRow
	for _, side := range []string{"a", "b"} {
		pdu := fmt.Sprintf("pdu-%d-%s", rack, side)
		parts := []string{"pdu/1", "inlet/1"}
		for i := range serversOfRack {
			parts = append(parts, fmt.Sprintf("outlet/%d", i))
		}
		h.device(pdu, parts...)
		h.link(fmt.Sprintf("s/feed/%d-%s", row, side), pdu+"/inlet/1")
	}
	for i := range serversOfRack {
		name := fmt.Sprintf("srv-%d-%d", rack, i)
		sn := h.device(name, "host/1", "psu/1", "psu/2", "drive/1", "drive/2", "volume/0")
		id := func(s string) component.ID { return component.ID(name + "/" + s) }
		sn.Claims = []snapshot.Claim{
			{Group: id("group/psu"), Kind: component.PSU, Needed: 1, State: snapshot.ClaimFull, Members: []component.ID{id("psu/1"), id("psu/2")}},
			{Group: id("group/drive-0"), Kind: component.Drive, Needed: 1, State: snapshot.ClaimFull, Members: []component.ID{id("drive/1"), id("drive/2")}, Carries: id("volume/0")},
		}
		h.link(fmt.Sprintf("pdu-%d-a/outlet/%d", rack, i), name+"/psu/1")
		h.link(fmt.Sprintf("pdu-%d-b/outlet/%d", rack, i), name+"/psu/2")
		svc := component.ID(fmt.Sprintf("s/service/%d-%d", rack, i))
		h.model.Services = append(h.model.Services, topology.Service{ID: svc, Name: svc.Local(), Tier: i % 4, Needs: topology.Need{ID: component.ID(name + "/host/1")}})
	}
}

// view is the device with one part in another condition.
func (h *hall) view(name string, part component.ID, c component.Condition) *state.Device {
	sn := *h.devices[name]
	sn.Components = append([]component.Component(nil), sn.Components...)
	for i := range sn.Components {
		if sn.Components[i].ID == part {
			sn.Components[i].Condition = c
		}
	}
	store := state.New([]state.Target{{URL: sn.Target, Device: name}})
	store.Apply(&sn)
	return store.Device(name)
}

func (h *hall) engine(tb testing.TB) *Engine {
	e, err := New(&h.model, Options{Settle: 1})
	if err != nil {
		tb.Fatal(err)
	}
	for name := range h.devices {
		e.Update(h.view(name, "", component.OK))
	}
	e.Evaluate(start.Add(time.Minute))
	return e
}

// BenchmarkChange is the cost of one component's change, by the size of the model and by how many services lean on the
// component. It follows the second and not the first. "report" is what copying the whole report adds: that follows the
// first.
func BenchmarkChange(b *testing.B) {
	for _, size := range []int{10_000, 100_000, 300_000} {
		h := newHall(size)
		e := h.engine(b)
		for _, change := range []struct {
			what   string
			device string
			part   component.ID
		}{
			{"drive", "srv-0-0", "srv-0-0/drive/1"},
			{"supply", "srv-0-0", "srv-0-0/psu/1"},
			{"pdu", "pdu-0-a", "pdu-0-a/pdu/1"},
			{"feed", "", "s/feed/0-a"},
		} {
			b.Run(fmt.Sprintf("components=%d/%s", e.graph.Len()-len(e.tops), change.what), func(b *testing.B) {
				h.benchmark(b, e, change.device, change.part)
			})
		}
	}
}

func (h *hall) benchmark(b *testing.B, e *Engine, device string, part component.ID) {
	n, _ := e.graph.Node(part)
	reached := 0
	e.above(n, func(i int32) {
		if e.tops[i].service != nil {
			reached++
		}
	})
	var bad, good *state.Device
	if device != "" {
		bad, good = h.view(device, part, component.Failed), h.view(device, part, component.OK)
	}
	now := start.Add(time.Hour)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now = now.Add(time.Second)
		switch {
		case device == "":
			c := e.cells[n]
			c.belief = []belief{fails, presumed}[i%2]
			e.setCell(n, c)
		case i%2 == 0:
			e.Update(bad)
		default:
			e.Update(good)
		}
		e.Step(now)
	}
	b.StopTimer()
	per := float64(b.Elapsed().Microseconds()) / float64(b.N)
	b.ReportMetric(float64(reached), "services")
	b.ReportMetric(per/float64(max(reached, 1)), "µs/service")
	begin := time.Now()
	e.reported = false
	e.Report()
	b.ReportMetric(float64(time.Since(begin).Microseconds()), "µs-report")
}

// BenchmarkUniform is the cost of a whole Step for a change of a component drawn uniformly, those apart that reach at most
// 20 services: states, groups, spares in each domain, weakest links and findings of all that is reached.
func BenchmarkUniform(b *testing.B) {
	h := newHall(30_528)
	e := h.engine(b)
	type part struct {
		device string
		id     component.ID
	}
	var parts []part
	for name, sn := range h.devices {
		for i := range sn.Components {
			if _, ok := e.graph.Node(sn.Components[i].ID); ok {
				parts = append(parts, part{name, sn.Components[i].ID})
			}
		}
	}
	slices.SortFunc(parts, func(x, y part) int { return compareIDs(x.id, y.id) })
	rng := rand.New(rand.NewPCG(4, 2))
	now := start.Add(time.Hour)
	var all, few []time.Duration
	step := func(v *state.Device, reached int) {
		now = now.Add(time.Second)
		began := time.Now()
		e.Update(v)
		e.Step(now)
		took := time.Since(began)
		if all = append(all, took); reached <= 20 {
			few = append(few, took)
		}
	}
	for b.Loop() {
		p := parts[rng.IntN(len(parts))]
		n, _ := e.graph.Node(p.id)
		reached := 0
		e.above(n, func(i int32) {
			if e.tops[i].service != nil {
				reached++
			}
		})
		bad, good := h.view(p.device, p.id, component.Failed), h.view(p.device, p.id, component.OK)
		step(bad, reached)
		step(good, reached)
	}
	for name, d := range map[string][]time.Duration{"all": all, "few": few} {
		slices.Sort(d)
		b.ReportMetric(float64(d[len(d)/2].Nanoseconds())/1e3, name+"-p50-µs")
		b.ReportMetric(float64(d[len(d)*99/100].Nanoseconds())/1e3, name+"-p99-µs")
	}
	b.ReportMetric(float64(len(parts)), "components")
	b.ReportMetric(float64(len(e.services)), "services")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkGate is how long the answer takes whether something may be taken down, its load and what trips included.
func BenchmarkGate(b *testing.B) {
	for _, size := range []int{10_000, 100_000} {
		h := newHall(size)
		h.measure()
		e := h.engine(b)
		for _, what := range []component.ID{"srv-0-0/psu/1", "pdu-0-a/pdu/1", "s/feed/0-a"} {
			b.Run(fmt.Sprintf("components=%d/%s", size, what), func(b *testing.B) {
				for b.Loop() {
					if _, err := e.Gate([]component.ID{what}, false); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// measure has the servers and PDUs of a hall say what passes through them.
func (h *hall) measure() {
	for _, sn := range h.devices {
		for i := range sn.Components {
			switch c := &sn.Components[i]; c.Kind {
			case component.PSU:
				c.Rating = &component.Rating{Watts: 750}
				c.Readings = []component.Reading{{Name: "input_power", Unit: "W", Value: 150}}
			case component.Inlet:
				c.Rating = &component.Rating{Amps: 32, Volts: 230, Phases: 1}
				c.Readings = []component.Reading{{Name: "apparent_power", Unit: "VA", Value: 3200}}
			}
		}
	}
}

// BenchmarkLoads is the cost of following the load of a hall whose servers, PDUs and feeds are measured: finding the flows
// and trying every single failure on them, and a poll after which nothing is otherwise.
func BenchmarkLoads(b *testing.B) {
	for _, size := range []int{10_000, 100_000} {
		h := newHall(size)
		h.measure()
		e := h.engine(b)
		b.Run(fmt.Sprintf("components=%d/all failures", size), func(b *testing.B) {
			for b.Loop() {
				e.load.moved, e.load.due = true, time.Time{}
				e.load.swept = false
				e.settleLoad()
			}
			b.ReportMetric(float64(len(e.load.power.sources)), "chassis")
		})
		b.Run(fmt.Sprintf("components=%d/a poll", size), func(b *testing.B) {
			for b.Loop() {
				e.load.touched["srv-0-0"], e.load.touched["pdu-0-a"], e.load.due = true, true, time.Time{}
				e.settleLoad()
			}
		})
	}
}

// BenchmarkCompile is the cost of compiling and judging a whole model: what a changed inventory costs.
func BenchmarkCompile(b *testing.B) {
	for _, size := range []int{10_000, 100_000, 300_000} {
		b.Run(fmt.Sprintf("components=%d", size), func(b *testing.B) {
			e := newHall(size).engine(b)
			now := start.Add(time.Hour)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for b.Loop() {
				e.stale = true
				e.Step(now)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc)/float64(e.graph.Len()), "bytes/node")
		})
	}
}
