package redundancy

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
)

// dataCentre is a fat tree of switches with ports ports, services of two or three replicas in different pods, and some
// that need two of three.
type dataCentre struct {
	s                               *Structure
	cores, aggregation, tors, hosts []Node
	services                        []Node
}

// newDataCentre: ports/2 groups of ports/2 core switches; in each of ports pods ports/2 aggregation switches, each
// with its core group, and ports/2 top-of-rack switches with ports/2 hosts each.
func newDataCentre(t testing.TB, ports, services int) dataCentre {
	var d dataCentre
	var b Builder
	m := ports / 2
	groups := make([]Node, m)
	for j := range groups {
		first := len(d.cores)
		for range m {
			d.cores = append(d.cores, b.Add())
		}
		groups[j] = b.AddGate()
		b.Require(groups[j], 1, d.cores[first:]...)
	}
	for range ports {
		uplinks := make([]Node, m)
		for j := range uplinks {
			uplinks[j] = b.Add()
			b.Require(uplinks[j], 1, groups[j])
		}
		d.aggregation = append(d.aggregation, uplinks...)
		for range m {
			tor := b.Add()
			b.Require(tor, 1, uplinks...)
			d.tors = append(d.tors, tor)
			for range m {
				host := b.Add()
				b.Require(host, 1, tor)
				d.hosts = append(d.hosts, host)
			}
		}
	}
	rng := rand.New(rand.NewPCG(5, 6))
	perPod := m * m
	for i := range services {
		pods := rng.Perm(ports)[:2+i%2]
		var replicas []Node
		for _, pod := range pods {
			replicas = append(replicas, d.hosts[pod*perPod+rng.IntN(perPod)])
		}
		service := b.AddGate()
		b.Require(service, 1+i%3/2*(len(pods)-2), replicas...)
		d.services = append(d.services, service)
	}
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	d.s = s
	return d
}

func (d *dataCentre) components() []Node {
	return slices.Concat(d.cores, d.aggregation, d.tors, d.hosts)
}

// Every single point of failure of 65,536 hosts over 70,656 components.
func BenchmarkSPOFs65536(b *testing.B) {
	d := newDataCentre(b, 64, 0)
	l := NewLive(d.s)
	pairs := 0
	for b.Loop() {
		pairs = 0
		for _, set := range l.SPOFs(nil, d.hosts...) {
			pairs += len(set)
		}
	}
	if pairs != 2*len(d.hosts) {
		b.Fatalf("%d pairs", pairs)
	}
	b.ReportMetric(float64(len(d.components())), "components")
}

// 30,528 components, 5,000 services: one change of a component drawn uniformly. The first time is states and single
// points of failure; the second is spares and probability of every service that the change reaches, those of changes
// that reach at most 20 services apart.
func BenchmarkChange30528(b *testing.B) {
	d := newDataCentre(b, 48, 5000)
	l := NewLive(d.s)
	singles := NewSingles(l, nil)
	began := time.Now()
	forest := NewForest(d.s, d.services, 0)
	modules, nodes := forest.Size()
	b.Logf("compiled in %v: %d modules of %d nodes", time.Since(began), modules, nodes)
	began = time.Now()
	gauge := forest.NewGauge(l, nil, func(Node) float64 { return 1e-4 })
	b.Logf("evaluated in %v", time.Since(began))
	reaches := make([]int, d.s.Len())
	for _, n := range d.services {
		for _, m := range d.s.Cone(n) {
			reaches[m]++
		}
	}
	for _, draw := range []struct {
		name string
		from []Node
	}{
		{"any", d.components()}, {"core", d.cores}, {"aggregation", d.aggregation}, {"tor", d.tors}, {"host", d.hosts},
	} {
		b.Run(draw.name, func(b *testing.B) {
			rng := rand.New(rand.NewPCG(7, 8))
			var states, spares, few []time.Duration
			reached := 0
			var down []Node
			for b.Loop() {
				n := draw.from[rng.IntN(len(draw.from))]
				if len(down) > 100 { // repairs keep some hundred failed
					n = down[0]
					down = down[1:]
				} else if l.Failed(n) {
					continue
				} else {
					down = append(down, n)
				}
				start := time.Now()
				singles.Update(l.SetFailed(n, !l.Failed(n)))
				states = append(states, time.Since(start))
				start = time.Now()
				gauge.Update(n)
				spares = append(spares, time.Since(start))
				reached += reaches[n]
				if reaches[n] <= 20 {
					few = append(few, spares[len(spares)-1])
				}
			}
			for _, n := range down {
				singles.Update(l.SetFailed(n, false))
				gauge.Update(n)
			}
			b.ReportMetric(quantile(states, 0.5), "states-p50-µs")
			b.ReportMetric(quantile(states, 0.99), "states-p99-µs")
			b.ReportMetric(quantile(spares, 0.5), "spares-p50-µs")
			b.ReportMetric(quantile(spares, 0.99), "spares-p99-µs")
			if len(few) > 0 {
				b.ReportMetric(quantile(few, 0.99), "few-spares-p99-µs")
			}
			b.ReportMetric(float64(reached)/float64(len(states)), "services/op")
			if reached > 0 {
				b.ReportMetric(float64(sum(spares).Nanoseconds())/1e3/float64(reached), "µs/service")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func sum(d []time.Duration) (all time.Duration) {
	for _, x := range d {
		all += x
	}
	return all
}

func quantile(d []time.Duration, q float64) float64 {
	slices.Sort(d)
	return float64(d[int(q*float64(len(d)-1))].Nanoseconds()) / 1e3
}

// 1,000,000 components and 10,000 services: building, and evaluating everything.
func BenchmarkMillion(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	d := newDataCentre(b, 158, 10_000)
	built := time.Since(began)
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.Logf("%d components, %d services: built in %v, %d MB", len(d.components()), len(d.services), built,
		(after.HeapAlloc-before.HeapAlloc)>>20)
	b.Run("states", func(b *testing.B) {
		for b.Loop() {
			NewLive(d.s)
		}
	})
	l := NewLive(d.s)
	b.Run("SPOFs of services", func(b *testing.B) {
		for b.Loop() {
			l.SPOFs(nil, d.services...)
		}
	})
	b.Run("SPOFs of everything", func(b *testing.B) {
		for b.Loop() {
			NewSingles(l, nil)
		}
	})
	singles := NewSingles(l, nil)
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.Logf("with states and SPOFs of everything: %d MB", (after.HeapAlloc-before.HeapAlloc)>>20)
	began = time.Now()
	forest := NewForest(d.s, d.services, 0)
	modules, nodes := forest.Size()
	compiled := time.Since(began)
	began = time.Now()
	forest.NewGauge(l, nil, func(Node) float64 { return 1e-4 })
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.Logf("spares and probabilities: compiled in %v, evaluated in %v, %d modules, %d nodes; with them: %d MB",
		compiled, time.Since(began), modules, nodes, (after.HeapAlloc-before.HeapAlloc)>>20)
	all := d.components()
	b.Run("one change", func(b *testing.B) {
		rng := rand.New(rand.NewPCG(9, 10))
		for b.Loop() {
			n := all[rng.IntN(len(all))]
			singles.Update(l.SetFailed(n, true))
			singles.Update(l.SetFailed(n, false))
		}
	})
}

// 30,528 components and 5,000 services after 100,000 changes: at 100 points everything is what is found from scratch.
func TestHundredThousandChanges(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	d := newDataCentre(t, 48, 5000)
	l := NewLive(d.s)
	singles := NewSingles(l, nil)
	rng := rand.New(rand.NewPCG(11, 12))
	all := d.components()
	var down []Node
	for i := range 100_000 {
		n := all[rng.IntN(len(all))]
		if rng.IntN(2) == 0 && len(down) > 0 { // about as many repairs as failures
			n = down[rng.IntN(len(down))]
			down = slices.DeleteFunc(down, func(m Node) bool { return m == n })
		} else if !l.Failed(n) {
			down = append(down, n)
		} else {
			continue
		}
		singles.Update(l.SetFailed(n, !l.Failed(n)))
		if i%1000 != 0 {
			continue
		}
		fresh := NewLive(d.s)
		for _, n := range down {
			fresh.SetFailed(n, true)
		}
		sameState(t, l, fresh)
		for j, want := range fresh.SPOFs(nil, d.services...) {
			got := slices.Clone(singles.Of(d.services[j]))
			want = slices.Clone(want)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("service %d after %d changes: SPOFs %v, from scratch %v", j, i, got, want)
			}
		}
	}
}
