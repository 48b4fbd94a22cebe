package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// overloaded are the feeds that carry too much after some failures, or trip (3), by the slow version.
func (r *plainRoom) overloaded(fail ...string) map[string]int {
	gone, bad := map[string]bool{}, map[string]int{}
	for _, id := range fail {
		gone[id] = true
	}
	for {
		load := r.loads(gone)
		var over []string
		for feed, most := range r.rating {
			if most > 0 && !gone[feed] && load[feed] > most+1e-6 && load[feed] > r.normal(feed)+1e-6 {
				over = append(over, feed)
			}
		}
		if len(over) == 0 {
			for feed, most := range r.rating {
				if most > 0 && !gone[feed] && load[feed] > 0.8*most+1e-6 && load[feed] > r.normal(feed)+1e-6 {
					bad[feed] = 1
				}
			}
			return bad
		}
		for _, feed := range over {
			gone[feed], bad[feed] = true, 3
		}
	}
}

// loads are what the feeds carry with some gone.
func (r *plainRoom) loads(gone map[string]bool) map[string]float64 {
	load := map[string]float64{}
	for host, cords := range r.cords {
		var live []string
		for i, feed := range cords {
			if !gone[feed] && !gone[psuOf(host, i)] {
				live = append(live, feed)
			}
		}
		for _, feed := range live {
			load[feed] += r.draws[host] / float64(len(live))
		}
	}
	return load
}

// badPairs are the pairs that do to a feed what neither of the two does.
func (r *plainRoom) badPairs() []string {
	var all, list []string
	for feed := range r.rating {
		all = append(all, feed)
	}
	for host := range r.cords {
		all = append(all, psuOf(host, 0), psuOf(host, 1))
	}
	slices.Sort(all)
	for i, a := range all {
		x := r.overloaded(a)
		for _, b := range all[i+1:] {
			y := r.overloaded(b)
			for feed, g := range r.overloaded(a, b) {
				if g > x[feed] && g > y[feed] && (g == 3 || r.normal(feed) <= 0.8*r.rating[feed]+1e-6) {
					list = append(list, fmt.Sprintf("%s + %s: %s %v", a, b, feed, g == 3))
				}
			}
		}
	}
	slices.Sort(list)
	return list
}

func TestPairsAgainstBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 4))
	some := 0
	for range 300 {
		r := drawPlainRoom(rng)
		e := r.engine(t)
		if e.load.power == nil { // nothing is rated
			continue
		}
		p := e.AskPairs(100_000).Answer(t.Context())
		var got []string
		for _, pair := range p.Pairs {
			for _, o := range pair.Overloaded {
				got = append(got, fmt.Sprintf("%s + %s: %s %v", pair.Fail[0], pair.Fail[1], o.ID, o.Trips))
			}
			for _, id := range pair.Services {
				if fail := []string{string(pair.Fail[0]), string(pair.Fail[1])}; id != "s/service/x" || !r.down(fail, true) || r.down(fail, false) {
					t.Errorf("%v: takes %s down", pair.Fail, id)
				}
			}
		}
		slices.Sort(got)
		want := r.badPairs()
		if !p.Whole || p.Found != len(p.Pairs) || !slices.Equal(got, want) {
			t.Fatalf("%+v:\ngot  %v\nwant %v", r, got, want)
		}
		some += len(want)
	}
	if some < 200 {
		t.Errorf("only %d: the rooms are too strong", some)
	}
}

// ratedHall is a hall of rows with two feeds and racks with two pdus, on two upses, in which each side may carry so many
// times what all servers draw.
func ratedHall(racks int, side float64) *topology.Model {
	const draw, serversOfRack, racksOfRow = 400, 20, 10
	m := &topology.Model{Site: "s"}
	add := func(id string, va float64) {
		c := topology.Component{ID: component.ID(id)}
		if va > 0 {
			c.Rating = &component.Rating{VA: va / 0.8}
		}
		m.Components = append(m.Components, c)
	}
	link := func(from, to string) {
		m.Links = append(m.Links, topology.Link{Link: component.Link{From: component.ID(from), To: component.ID(to), Kind: component.Feeds}})
	}
	for _, s := range []string{"a", "b"} {
		add("s/ups/"+s, side*float64(racks*serversOfRack*draw))
		for row := range (racks + racksOfRow - 1) / racksOfRow {
			feed := fmt.Sprintf("s/feed/%d-%s", row, s)
			add(feed, side*racksOfRow*serversOfRack*draw)
			link("s/ups/"+s, feed)
		}
	}
	need := topology.Need{AtLeast: 1}
	for rack := range racks {
		for _, s := range []string{"a", "b"} {
			pdu := fmt.Sprintf("pdu-%d-%s/pdu/1", rack, s)
			add(pdu, side*serversOfRack*draw)
			link(fmt.Sprintf("s/feed/%d-%s", rack/racksOfRow, s), pdu)
		}
		for i := range serversOfRack {
			host := component.ID(fmt.Sprintf("srv-%d-%d/host/1", rack, i))
			m.Components = append(m.Components, topology.Component{ID: host, Draws: &component.Rating{VA: draw}})
			for j, s := range []string{"a", "b"} {
				link(fmt.Sprintf("pdu-%d-%s/pdu/1", rack, s), psuOf(string(host), j))
			}
			need.Of = append(need.Of, topology.Need{ID: host})
		}
	}
	m.Services = []topology.Service{{ID: "s/service/x", Name: "x", Needs: need}}
	return m
}

// In a hall in which each side carries everything nothing has to be followed; where it doesn't quite, only what may matter.
func TestPairsAreRuledOut(t *testing.T) {
	for _, c := range []struct {
		side float64
		some bool
	}{{1.05, false}, {0.93, true}} {
		e, err := New(ratedHall(20, c.side), Options{Offline: true})
		if err != nil {
			t.Fatal(err)
		}
		e.Evaluate(time.Unix(1, 0))
		p := e.AskPairs(10).Answer(t.Context())
		if !p.Whole || p.Considered != p.Components*(p.Components-1)/2 || p.Components < 800 || p.Found > 0 != c.some {
			t.Errorf("%g: %+v", c.side, p)
		}
		if !c.some && p.Followed > 0 || c.some && (p.Followed == 0 || p.Followed > p.Considered/4) {
			t.Errorf("%g: %d of %d pairs followed", c.side, p.Followed, p.Considered)
		}
		if len(p.Pairs) > 10 || c.some && !strings.Contains(string(p.Pairs[0].Overloaded[0].ID), "s/") {
			t.Errorf("%g: %+v", c.side, p.Pairs)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e, err := New(ratedHall(5, 0.9), Options{Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	e.Evaluate(time.Unix(1, 0))
	p := e.AskPairs(10).Answer(ctx)
	if p.EndedAfter(3 * time.Second); p.Whole || p.StoppedAfter != 3 {
		t.Errorf("though nobody waits: %+v", p)
	}
}

func BenchmarkPairs(b *testing.B) {
	for _, racks := range []int{50, 200} {
		for _, side := range []float64{1.05, 0.98, 0.7} {
			m := ratedHall(racks, side)
			e, err := New(m, Options{Offline: true})
			if err != nil {
				b.Fatal(err)
			}
			e.Evaluate(time.Unix(1, 0))
			b.Run(fmt.Sprintf("racks=%d/side=%g", racks, side), func(b *testing.B) {
				var p *LoadPairs
				for b.Loop() {
					p = e.AskPairs(100).Answer(b.Context())
				}
				b.ReportMetric(float64(p.Components), "components")
				b.ReportMetric(float64(p.Considered), "pairs")
				b.ReportMetric(float64(p.Followed), "followed")
				b.ReportMetric(float64(p.Found), "found")
				if !p.Whole {
					b.Log("not whole")
				}
			})
		}
	}
}
