package capacity

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// room is a dual-feed room as the slow version sees it: by names, with maps. It shares no code with the package.
type room struct {
	feeds   []string
	rating  map[string]float64 // VA
	above   map[string]string  // what feeds a pdu, or a feed
	servers map[string][]string
	draws   map[string]float64
	shares  map[string][]float64
}

// drawRoom makes one to three pairs of feeds on two upses, racks on a pair, and servers with two or three cords, some of
// them on one side only.
func drawRoom(rng *rand.Rand) *room {
	r := &room{rating: map[string]float64{}, above: map[string]string{}, servers: map[string][]string{}, draws: map[string]float64{}, shares: map[string][]float64{}}
	rate := func(id string, most int) {
		if rng.IntN(4) > 0 {
			r.rating[id] = float64(100 * (1 + rng.IntN(most)))
		}
	}
	for _, u := range []string{"ups-a", "ups-b"} {
		rate(u, 40)
	}
	n := 0
	for pair := range 1 + rng.IntN(2) {
		for _, side := range []string{"a", "b"} {
			feed := fmt.Sprintf("feed-%d%s", pair, side)
			r.feeds = append(r.feeds, feed)
			r.above[feed] = "ups-" + side
			rate(feed, 20)
			for rack := range 1 + pair%2 {
				pdu := fmt.Sprintf("pdu-%d-%d%s", pair, rack, side)
				r.above[pdu] = feed
				rate(pdu, 12)
			}
		}
		for rack := range 1 + pair%2 {
			for range 1 + rng.IntN(3) {
				n++
				s := fmt.Sprintf("srv-%d", n)
				for cord := range 1 + rng.IntN(3) {
					side := []string{"a", "b"}[cord%2]
					r.servers[s] = append(r.servers[s], fmt.Sprintf("pdu-%d-%d%s", pair, rack, side))
					r.shares[s] = append(r.shares[s], float64(rng.IntN(4)))
				}
				r.draws[s] = float64(100 * (1 + rng.IntN(8)))
			}
		}
	}
	return r
}

func (r *room) alive(id string, down map[string]bool) bool {
	for ; id != ""; id = r.above[id] {
		if down[id] {
			return false
		}
	}
	return true
}

// loads are what every component carries with some down.
func (r *room) loads(down map[string]bool) map[string]float64 {
	on := map[string]float64{}
	for s, cords := range r.servers {
		sum, live := 0.0, 0.0
		for i, p := range cords {
			if psu := fmt.Sprintf("%s/psu/%d", s, i); r.alive(p, down) && !down[psu] {
				live++
				sum += r.shares[s][i]
			}
		}
		for i, p := range cords {
			psu := fmt.Sprintf("%s/psu/%d", s, i)
			if !r.alive(p, down) || down[psu] {
				continue
			}
			part := r.draws[s] / live
			if sum > 0 {
				part = r.draws[s] * r.shares[s][i] / sum
			}
			on[psu] += part
			for id := p; id != ""; id = r.above[id] {
				on[id] += part
			}
		}
	}
	return on
}

// cascade fails some and lets open what is over its rating, all of one round at once.
func (r *room) cascade(fail []string) (down map[string]bool, rounds [][]string) {
	down = map[string]bool{}
	for _, id := range fail {
		down[id] = true
	}
	first := r.loads(map[string]bool{})
	for {
		var over []string
		for id, load := range r.loads(down) {
			if most := r.rating[id]; most > 0 && load > most+1e-6 && load > first[id]+1e-6 && !down[id] {
				over = append(over, id)
			}
		}
		if len(over) == 0 {
			return down, rounds
		}
		slices.Sort(over)
		rounds = append(rounds, over)
		for _, id := range over {
			down[id] = true
		}
	}
}

// lost are the servers without a live cord.
func (r *room) lost(down map[string]bool) (lost []string) {
	for s, cords := range r.servers {
		any := false
		for i, p := range cords {
			any = any || r.alive(p, down) && !down[fmt.Sprintf("%s/psu/%d", s, i)]
		}
		if !any {
			lost = append(lost, s)
		}
	}
	slices.Sort(lost)
	return lost
}

// built is the same room as a network.
type built struct {
	ids   []string
	node  map[string]redundancy.Node
	net   *Network
	live  *redundancy.Live
	flow  *Flow
	power []redundancy.Node
}

func (r *room) build(t *testing.T) *built {
	b := &built{node: map[string]redundancy.Node{}}
	var s redundancy.Builder
	var elements []Element
	add := func(id string, in bool) redundancy.Node {
		n := s.Add()
		b.ids, b.node[id] = append(b.ids, id), n
		elements = append(elements, Element{In: in, Rating: component.Rating{VA: r.rating[id]}, Derate: 0.8, Trips: true, Weight: -1})
		if in {
			b.power = append(b.power, n)
		}
		return n
	}
	for _, id := range []string{"ups-a", "ups-b"} {
		add(id, true)
	}
	for _, id := range r.feeds {
		s.RequireAll(add(id, true), b.node[r.above[id]])
	}
	for _, id := range sorted(r.above) {
		if _, is := b.node[id]; !is {
			s.RequireAll(add(id, true), b.node[r.above[id]])
		}
	}
	var sources []Source
	for _, id := range sorted(r.servers) {
		var psus []redundancy.Node
		src := Source{Load: Of(Any, r.draws[id], r.draws[id])}
		for i, pdu := range r.servers[id] {
			psu := add(fmt.Sprintf("%s/psu/%d", id, i), true)
			s.RequireAll(psu, b.node[pdu])
			psus = append(psus, psu)
			src.Taps = append(src.Taps, Tap{psu, r.shares[id][i]})
		}
		s.Require(add(id, false), 1, psus...)
		sources = append(sources, src)
	}
	built, err := s.Build()
	if err != nil {
		t.Fatal(err)
	}
	b.net = New(built, elements)
	b.live = redundancy.NewLive(built)
	b.flow = b.net.Flow(b.live, sources)
	return b
}

func sorted[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Every single failure, pair and some triples of random dual-feed rooms: loads, what trips in which round, and which
// servers are lost are those of the slow version; and everything is put back.
func TestCascadeAgainstBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 14))
	trips := 0
	for range 60 {
		r := drawRoom(rng)
		b := r.build(t)
		before := r.loads(map[string]bool{})
		for _, n := range b.power {
			l := b.flow.Load(n)
			if math.Abs(l.Total()-before[b.ids[n]]) > 1e-6 {
				t.Fatalf("%s carries %g, want %g", b.ids[n], l.Total(), before[b.ids[n]])
			}
		}
		for i, x := range b.power {
			check(t, r, b, &trips, x)
			for _, y := range b.power[i+1:] {
				check(t, r, b, &trips, x, y)
			}
		}
		for range 20 {
			check(t, r, b, &trips, b.power[rng.IntN(len(b.power))], b.power[rng.IntN(len(b.power))], b.power[rng.IntN(len(b.power))])
		}
		for n := range redundancy.Node(len(b.ids)) {
			if b.live.Failed(n) || !b.live.Works(n) {
				t.Fatalf("%s was not put back", b.ids[n])
			}
		}
	}
	if trips < 500 {
		t.Errorf("only %d cascades: the rooms are too strong", trips)
	}
}

func check(t *testing.T, r *room, b *built, trips *int, fail ...redundancy.Node) {
	t.Helper()
	var names []string
	for _, n := range fail {
		names = append(names, b.ids[n])
	}
	down, rounds := r.cascade(names)
	var lost []string
	o := b.flow.Try(fail, true, func(*Outcome) {
		for id := range r.servers {
			if !b.live.Works(b.node[id]) {
				lost = append(lost, id)
			}
		}
	})
	slices.Sort(lost)
	if want := r.lost(down); !slices.Equal(lost, want) {
		t.Fatalf("%v: lost %v, want %v", names, lost, want)
	}
	var got [][]string
	for _, round := range o.Trips {
		var ids []string
		for _, n := range round {
			ids = append(ids, b.ids[n])
		}
		slices.Sort(ids)
		got = append(got, ids)
	}
	if !slices.EqualFunc(got, rounds, slices.Equal) {
		t.Fatalf("%v: trips %v, want %v", names, got, rounds)
	}
	*trips += len(rounds)
	before, after := r.loads(map[string]bool{}), r.loads(down)
	for n, l := range o.Loads {
		if id := b.ids[n]; !down[id] && math.Abs(l.Total()-after[id]) > 1e-6 {
			t.Fatalf("%v: %s carries %g, want %g", names, id, l.Total(), after[id])
		}
	}
	for id, va := range after {
		n := b.node[id]
		if r.rating[id] > 0 && va > before[id]+1e-6 && !down[id] {
			if _, told := o.Loads[n]; !told {
				t.Fatalf("%v: %s rises from %g to %g unsaid", names, id, before[id], va)
			}
		}
	}
}
