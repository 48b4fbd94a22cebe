package redundancy

import (
	"maps"
	"math"
	"math/rand/v2"
	"os"
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
	groups                          []Node // of cores
	services                        []Node
}

// newDataCentre: ports/2 groups of ports/2 core switches; in each of ports pods ports/2 aggregation switches, each
// with its core group, and ports/2 top-of-rack switches with ports/2 hosts each.
func newDataCentre(t testing.TB, ports, services int) dataCentre {
	var d dataCentre
	var b Builder
	m := ports / 2
	groups := make([]Node, m)
	d.groups = groups
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

// After any of 100,000 changes everything is what is found from scratch, compared at 100 random points: states, single
// points of failure, spares, spares with what says that it will fail gone, smallest cut sets, and probabilities, of groups
// and services. With BENCH_ENGINE set it is in 30,528 components with 5,000 services, which takes some minutes.
func TestHundredThousandChanges(t *testing.T) {
	ports, services := 16, 200
	if os.Getenv("BENCH_ENGINE") != "" {
		ports, services = 48, 5000
	} else if testing.Short() {
		t.Skip("long")
	}
	const changes, points = 100_000, 100
	d := newDataCentre(t, ports, services)
	tops := slices.Concat(d.groups, d.services)
	forest := NewForest(d.s, tops, 0)
	p := func(n Node) float64 { return 1e-4 * float64(1+n%5) }
	best, predicted := newBooks(forest, p), newBooks(forest, p)
	all := d.components()
	rng := rand.New(rand.NewPCG(11, 12))
	failed, omens := map[Node]bool{}, map[Node]bool{}
	toggle := func(in map[Node]bool) (n Node) {
		n = all[rng.IntN(len(all))]
		if len(in) > 0 && rng.IntN(2) == 0 { // about as many repairs as failures
			n = slices.Sorted(maps.Keys(in))[rng.IntN(len(in))]
		}
		if in[n] = !in[n]; !in[n] {
			delete(in, n)
		}
		return n
	}
	look := map[int]bool{}
	for len(look) < points {
		look[1+rng.IntN(changes)] = true
	}
	for i := 1; i <= changes; i++ {
		if rng.IntN(10) == 0 {
			n := toggle(omens)
			predicted.set(n, failed[n] || omens[n])
		} else {
			n := toggle(failed)
			best.set(n, failed[n])
			predicted.set(n, failed[n] || omens[n])
		}
		if look[i] {
			best.check(t, tops, rng)
			predicted.check(t, tops, rng)
		}
	}
	t.Logf("%d components, %d services: equal at %d points of %d changes", len(all), len(d.services), points, changes)
}

// books are all that is kept up to date of one case.
type books struct {
	l       *Live
	singles *Singles
	weakest *Weakest
	forest  *Forest
	gauge   *Gauge
	p       func(Node) float64
}

func newBooks(f *Forest, p func(Node) float64) *books {
	l := NewLive(f.s)
	return &books{l: l, singles: NewSingles(l, nil), weakest: NewWeakest(l, nil), forest: f, gauge: f.NewGauge(l, nil, p), p: p}
}

func (b *books) set(n Node, failed bool) {
	if b.l.Failed(n) == failed {
		return
	}
	changed := b.l.SetFailed(n, failed)
	b.singles.Update(changed)
	b.weakest.Update(changed)
	b.gauge.Update(n)
}

// check compares with books that are made anew, and a few tops with what a Solver finds with what has failed taken out.
func (b *books) check(t *testing.T, tops []Node, rng *rand.Rand) {
	t.Helper()
	fresh := newBooks(b.forest, b.p)
	for n := range Node(b.l.s.Len()) {
		if b.l.Failed(n) {
			fresh.l.SetFailed(n, true)
		}
	}
	sameState(t, b.l, fresh.l)
	fresh.gauge = b.forest.NewGauge(fresh.l, nil, b.p)
	spofs := fresh.l.SPOFs(nil, tops...)
	for i, top := range tops {
		got, want := slices.Sorted(slices.Values(b.singles.Of(top))), slices.Sorted(slices.Values(spofs[i]))
		if !slices.Equal(got, want) {
			t.Fatalf("SPOFs %v, from scratch %v", got, want)
		}
		spares := b.gauge.Spares(top)
		if want := fresh.gauge.Spares(top); spares != want {
			t.Fatalf("spares %+v, from scratch %+v", spares, want)
		}
		p, _ := b.gauge.Probability(top)
		if want, _ := fresh.gauge.Probability(top); p != want {
			t.Fatalf("probability %v, from scratch %v", p, want)
		}
		few, known := b.weakest.Spares(top)
		if !known || few != spares && (!few.AtLeast || spares.N < few.N) {
			t.Fatalf("spares by cut sets %+v (%v), by diagrams %+v", few, known, spares)
		}
		sets, count, _ := b.weakest.Smallest(top, 16)
		wantSets, wantCount, _ := fresh.weakest.Smallest(top, 16)
		if count != wantCount || !slices.EqualFunc(sets, wantSets, slices.Equal) {
			t.Fatalf("%d cut sets %v, from scratch %d: %v", count, sets, wantCount, wantSets)
		}
	}
	v := NewSolver(b.l.s)
	for range 3 {
		top := tops[rng.IntN(len(tops))]
		q := Question{Top: top, Failed: b.l.Failed}
		if got, want := b.gauge.Spares(top), v.search(q); got != want {
			t.Fatalf("spares %+v, with what has failed taken out %+v", got, want)
		}
		c := v.cone(q)
		compiled, err := c.tree.Compile(c.top, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := b.gauge.Probability(top)
		if want := compiled.Probability(func(e int) float64 { return b.p(c.events[e]) }); math.Abs(got-want) > 1e-9*want {
			t.Fatalf("probability %v, with what has failed taken out %v", got, want)
		}
	}
}
