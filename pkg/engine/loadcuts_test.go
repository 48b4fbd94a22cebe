package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// plainRoom is a dual-feed room as the slow version sees it: names and maps, and no code of the engine's.
type plainRoom struct {
	rating map[string]float64  // VA, of feeds
	cords  map[string][]string // by server
	draws  map[string]float64
	need   int
}

func drawPlainRoom(rng *rand.Rand) *plainRoom {
	r := &plainRoom{rating: map[string]float64{}, cords: map[string][]string{}, draws: map[string]float64{}}
	var feeds []string
	for i := range 2 + rng.IntN(3) {
		feed := fmt.Sprintf("s/feed/f%d", i)
		feeds = append(feeds, feed)
		if rng.IntN(5) > 0 {
			r.rating[feed] = float64(100 * (4 + rng.IntN(16)))
		} else {
			r.rating[feed] = 0
		}
	}
	for i := range 2 + rng.IntN(3) {
		host := fmt.Sprintf("srv-%d/host/1", i)
		first := rng.IntN(len(feeds))
		r.cords[host] = []string{feeds[first], feeds[(first+1+rng.IntN(len(feeds)-1))%len(feeds)]}
		r.draws[host] = float64(100 * (1 + rng.IntN(8)))
	}
	r.need = 1 + rng.IntN(len(r.cords)-1)
	return r
}

func psuOf(host string, i int) string {
	return fmt.Sprintf("%s/psu/%d", strings.TrimSuffix(host, "/host/1"), i+1)
}

// down fails some, lets open what is over its rating round by round, and says whether the service is down then; first
// says whether it was so before anything opened.
func (r *plainRoom) down(fail []string, cascade bool) bool {
	gone := map[string]bool{}
	for _, id := range fail {
		gone[id] = true
	}
	for {
		load := map[string]float64{}
		up := 0
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
			if len(live) > 0 && !gone[host] {
				up++
			}
		}
		more := false
		for feed, most := range r.rating {
			if cascade && most > 0 && !gone[feed] && load[feed] > most+1e-6 && load[feed] > r.normal(feed)+1e-6 {
				gone[feed], more = true, true
			}
		}
		if !more {
			return up < r.need
		}
	}
}

func (r *plainRoom) normal(feed string) (va float64) {
	for host, cords := range r.cords {
		for _, f := range cords {
			if f == feed {
				va += r.draws[host] / 2
			}
		}
	}
	return va
}

// overCuts are the smallest sets of one or two that take the service down by load, and not by structure.
func (r *plainRoom) overCuts() []string {
	var all []string
	for feed := range r.rating {
		all = append(all, feed)
	}
	for host := range r.cords {
		all = append(all, host, psuOf(host, 0), psuOf(host, 1))
	}
	slices.Sort(all)
	var cuts []string
	cut := func(ids ...string) bool { return r.down(ids, true) || r.down(ids, false) }
	for i, a := range all {
		if cut(a) {
			if !r.down([]string{a}, false) {
				cuts = append(cuts, a)
			}
			continue
		}
		for _, b := range all[i+1:] {
			if !cut(b) && cut(a, b) && !r.down([]string{a, b}, false) {
				cuts = append(cuts, a+" + "+b)
			}
		}
	}
	slices.Sort(cuts)
	return cuts
}

func (r *plainRoom) engine(t *testing.T) *Engine {
	m := topology.Model{Site: "s"}
	need := topology.Need{AtLeast: r.need}
	for feed, va := range r.rating {
		c := topology.Component{ID: component.ID(feed)}
		if va > 0 {
			c.Rating = &component.Rating{VA: va}
		}
		m.Components = append(m.Components, c)
	}
	for host, cords := range r.cords {
		m.Components = append(m.Components, topology.Component{ID: component.ID(host), Draws: &component.Rating{VA: r.draws[host]}})
		need.Of = append(need.Of, topology.Need{ID: component.ID(host)})
		for i, feed := range cords {
			m.Links = append(m.Links, topology.Link{Link: component.Link{From: component.ID(feed), To: component.ID(psuOf(host, i)), Kind: component.Feeds}})
		}
	}
	m.Services = []topology.Service{{ID: "s/service/x", Name: "x", Needs: need}}
	e, err := New(&m, Options{Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	e.Evaluate(time.Unix(1, 0))
	return e
}

// What the structure survives and the load does not, of one and two failures, is what trying every set finds.
func TestOverloadCutsAgainstBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 71))
	some := 0
	for range 150 {
		r := drawPlainRoom(rng)
		e := r.engine(t)
		c, err := e.Cuts("x", 2, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range c.Overload {
			got = append(got, strings.Join(o.Fail, " + "))
		}
		slices.Sort(got)
		want := r.overCuts()
		if e.load.power == nil { // nothing is rated
			continue
		}
		if e.downNow("x") {
			continue
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v:\ngot  %v\nwant %v", r, got, want)
		}
		some += len(want)
	}
	if some < 200 {
		t.Errorf("only %d cuts by overload: the rooms are too strong", some)
	}
}

func (e *Engine) downNow(name string) bool {
	id, _ := e.Resolve(name)
	n, _ := e.graph.Node(id)
	return !e.best.Works(n)
}
