package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// fabric is a hall with a network: two switches in each rack, eight above each pod of so many racks, and above each of
// those its own plane of cores, all with two supplies; in place of a service for each server there are services that need
// some of a few servers in different pods.
type fabric struct {
	*hall
	hosts                    []component.ID
	tors, aggregation, cores []component.ID
}

const (
	racksOfPod   = 24
	planes       = 8
	coresOfPlane = 8
)

func newFabric(components, services int) *fabric {
	f := &fabric{hall: newHall(components)}
	f.model.Services = nil
	racks := 0
	for f.devices[fmt.Sprintf("srv-%d-0", racks)] != nil {
		racks++
	}
	for plane := range planes {
		for i := range coresOfPlane {
			f.cores = append(f.cores, f.addSwitch(fmt.Sprintf("core-%d-%d", plane, i), (plane*coresOfPlane+i)%racks))
		}
	}
	for rack := range racks {
		pod := rack / racksOfPod
		if rack%racksOfPod == 0 {
			for plane := range planes {
				agg := f.addSwitch(fmt.Sprintf("agg-%d-%d", pod, plane), min(rack+plane, racks-1))
				f.aggregation = append(f.aggregation, agg)
				for i := range coresOfPlane {
					f.carry(f.cores[plane*coresOfPlane+i], agg)
				}
			}
		}
		for _, side := range []string{"a", "b"} {
			tor := f.addSwitch(fmt.Sprintf("tor-%d-%s", rack, side), rack)
			f.tors = append(f.tors, tor)
			for plane := range planes {
				f.carry(f.aggregation[pod*planes+plane], tor)
			}
			for i := range serversOfRack {
				host := component.ID(fmt.Sprintf("srv-%d-%d/host/1", rack, i))
				f.carry(tor, host)
				if side == "a" {
					f.hosts = append(f.hosts, host)
				}
			}
		}
	}
	rng := rand.New(rand.NewPCG(5, 6))
	perPod := racksOfPod * serversOfRack
	pods := (len(f.hosts) + perPod - 1) / perPod
	for i := range services {
		need := topology.Need{AtLeast: 1 + i%3/2}
		for j := range 2 + i%2 {
			pod := (i + j*(1+rng.IntN(max(1, pods/3)))) % pods
			need.Of = append(need.Of, topology.Need{ID: f.hosts[min(pod*perPod+rng.IntN(perPod), len(f.hosts)-1)]})
		}
		id := component.ID(fmt.Sprintf("s/service/%d", i))
		f.model.Services = append(f.model.Services, topology.Service{ID: id, Name: id.Local(), Tier: i % 4, Needs: need})
	}
	return f
}

func (f *fabric) carry(from, to component.ID) {
	f.model.Links = append(f.model.Links, topology.Link{Link: component.Link{From: from, To: to, Kind: component.Carries}})
}

// addSwitch adds a switch with its supplies on both pdus of a rack.
func (f *fabric) addSwitch(name string, rack int) component.ID {
	f.device(name, "switch/1", "psu/1", "psu/2")
	for i, side := range []string{"a", "b"} {
		f.link(fmt.Sprintf("pdu-%d-%s/pdu/1", rack, side), fmt.Sprintf("%s/psu/%d", name, i+1))
	}
	return component.ID(name + "/switch/1")
}

// BenchmarkRoom is a whole data centre with its network: compiling it from the model and what devices report, judging all
// of it, one change after the other (a Step: states, groups, spares in each domain, predicted ones, weakest links and
// findings of all that is reached), a report, and memory. The model and what devices say are made before.
func BenchmarkRoom(b *testing.B) {
	for _, size := range []struct{ components, services int }{{30_528, 5_000}, {1_000_000, 10_000}} {
		b.Run(fmt.Sprintf("components=%d", size.components), func(b *testing.B) {
			f := newFabric(size.components, size.services)
			views := f.views()
			b.ResetTimer()
			b.ReportMetric(0, "ns/op")
			for b.Loop() {
				f.measureRoom(b, views)
			}
		})
	}
}

// views are what all devices say, in the order of their names.
func (h *hall) views() []*state.Device {
	var views []*state.Device
	for _, name := range slices.Sorted(maps.Keys(h.devices)) {
		views = append(views, h.view(name, "", component.OK))
	}
	return views
}

// processor is the time that the processors have spent on this process.
func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (f *fabric) measureRoom(b *testing.B, views []*state.Device) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began, spent := time.Now(), processor()
	lap := func(what string) {
		b.ReportMetric(time.Since(began).Seconds()*1e3, what+"-ms")
		b.ReportMetric((processor()-spent).Seconds()*1e3, what+"-cpu-ms")
		began, spent = time.Now(), processor()
	}
	e, err := New(&f.model, Options{Settle: 1})
	if err != nil {
		b.Fatal(err)
	}
	lap("model")
	for _, v := range views {
		e.Update(v)
	}
	lap("take-in")
	now := start.Add(time.Minute)
	e.Step(now)
	lap("compile+judge")
	e.Report()
	lap("first-report")
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MB")
	b.ReportMetric(float64(e.graph.Len()), "nodes")
	b.ReportMetric(float64(len(e.groups)), "groups")
	b.ReportMetric(float64(len(e.services)), "services")
	began, spent = time.Now(), processor()
	e.stale = true
	now = now.Add(time.Hour)
	e.Step(now)
	lap("recompile")
	f.measureChanges(b, e, now)
	runtime.KeepAlive(e)
}

// measureChanges lets components fail and come back: any, and those of each kind.
func (f *fabric) measureChanges(b *testing.B, e *Engine, now time.Time) {
	var any []component.ID
	for _, name := range slices.Sorted(maps.Keys(f.devices)) {
		for i := range f.devices[name].Components {
			any = append(any, f.devices[name].Components[i].ID)
		}
	}
	rng := rand.New(rand.NewPCG(7, 8))
	for _, draw := range []struct {
		what string
		from []component.ID
		n    int
	}{{"any", any, 1000}, {"host", f.hosts, 200}, {"tor", f.tors, 100}, {"aggregation", f.aggregation, 20}, {"core", f.cores, 5}} {
		var steps, reports []time.Duration
		reached, all := 0, time.Duration(0)
		for range draw.n {
			id := draw.from[rng.IntN(len(draw.from))]
			n, _ := e.graph.Node(id)
			e.above(n, func(i int32) {
				if e.tops[i].service != nil {
					reached++
				}
			})
			for _, c := range []component.Condition{component.Failed, component.OK} {
				view := f.view(id.Device(), id, c)
				now = now.Add(time.Second)
				began := time.Now()
				e.Update(view)
				e.Step(now)
				steps = append(steps, time.Since(began))
				all += steps[len(steps)-1]
				began = time.Now()
				e.Report()
				reports = append(reports, time.Since(began))
			}
		}
		slices.Sort(steps)
		slices.Sort(reports)
		b.ReportMetric(float64(steps[len(steps)/2].Nanoseconds())/1e3, draw.what+"-p50-µs")
		b.ReportMetric(float64(steps[len(steps)*99/100].Nanoseconds())/1e3, draw.what+"-p99-µs")
		b.ReportMetric(float64(reports[len(reports)/2].Nanoseconds())/1e3, draw.what+"-report-p50-µs")
		b.ReportMetric(float64(reached)/float64(draw.n), draw.what+"-services")
		b.ReportMetric(float64(all.Nanoseconds())/1e3/float64(max(1, 2*reached)), draw.what+"-µs/service")
	}
}
