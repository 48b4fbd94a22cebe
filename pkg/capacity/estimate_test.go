package capacity

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// After any readings an Estimator says what one says that was told the last of them only.
func TestEstimatorAgainstScratch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, works, sources, metered := drawMetered(t)
		e := n.NewEstimator(works, sources, metered)
		taps, loads := map[[2]int]Draw{}, map[redundancy.Node]Load{}
		for range rapid.IntRange(1, 12).Draw(t, "rounds") {
			before := drawsOf(e, sources)
			for range rapid.IntRange(0, 4).Draw(t, "readings") {
				if rapid.Bool().Draw(t, "of a tap") {
					i := rapid.IntRange(0, len(sources)-1).Draw(t, "source")
					j := rapid.IntRange(0, len(sources[i].Taps)-1).Draw(t, "tap")
					d := NotTold()
					if rapid.Bool().Draw(t, "told") {
						d = Draw{VA: rapid.Float64Range(0, 500).Draw(t, "VA"), W: rapid.Float64Range(0, 500).Draw(t, "W"), Told: true}
					}
					taps[[2]int{i, j}] = d
					e.Tap(i, j, d)
				} else if len(metered) > 0 {
					m := rapid.SampledFrom(metered).Draw(t, "meter")
					loads[m] = Of(rapid.SampledFrom([]Slot{Any, L1, L2, L31, Even}).Draw(t, "slot"), rapid.Float64Range(0, 2000).Draw(t, "VA"), rapid.Float64Range(0, 2000).Draw(t, "W"))
					e.Meter(m, loads[m])
				}
			}
			changed := map[int32]bool{}
			for _, i := range e.Settle() {
				changed[i] = true
			}
			fresh := n.NewEstimator(works, sources, metered)
			for at, d := range taps {
				fresh.Tap(at[0], at[1], d)
			}
			for m, l := range loads {
				fresh.Meter(m, l)
			}
			fresh.Settle()
			now, want := drawsOf(e, sources), drawsOf(fresh, sources)
			for i := range now {
				if now[i] != want[i] {
					t.Fatalf("source %d: %s, from scratch %s", i, now[i], want[i])
				}
				if now[i] != before[i] && !changed[int32(i)] {
					t.Fatalf("source %d changed from %s to %s unsaid", i, before[i], now[i])
				}
			}
			if got, want := fmt.Sprint(e.Rest()), fmt.Sprint(fresh.Rest()); got != want {
				t.Fatalf("rest %s, from scratch %s", got, want)
			}
		}
	})
}

// drawMetered is a random network of three floors: feeds, strips on one or two of them, sources on one or two strips.
func drawMetered(t *rapid.T) (n *Network, works func(redundancy.Node) bool, sources []Source, metered []redundancy.Node) {
	var b redundancy.Builder
	var down []bool
	meter := func(at redundancy.Node) {
		if rapid.IntRange(0, 2).Draw(t, "metered") > 0 {
			metered = append(metered, at)
		}
	}
	add := func() redundancy.Node {
		down = append(down, rapid.IntRange(0, 9).Draw(t, "down") == 0)
		return b.Add()
	}
	floor := func(count int, on []redundancy.Node) (all []redundancy.Node) {
		for range count {
			at := add()
			all = append(all, at)
			meter(at)
			if len(on) > 0 {
				b.Require(at, 1, rapid.SliceOfNDistinct(rapid.SampledFrom(on), 1, min(2, len(on)), rapid.ID).Draw(t, "on")...)
			}
		}
		return all
	}
	feeds := floor(rapid.IntRange(1, 3).Draw(t, "feeds"), nil)
	strips := floor(rapid.IntRange(1, 4).Draw(t, "strips"), feeds)
	for range rapid.IntRange(1, 6).Draw(t, "sources") {
		var s Source
		for range rapid.IntRange(1, 2).Draw(t, "taps") {
			tap := add()
			b.Require(tap, 1, rapid.SampledFrom(strips).Draw(t, "strip"))
			s.Taps = append(s.Taps, Tap{Node: tap})
		}
		sources = append(sources, s)
	}
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	live := redundancy.NewLive(s)
	for at, d := range down {
		if d {
			live.SetFailed(redundancy.Node(at), true)
		}
	}
	elements := make([]Element, s.Len())
	for i := range elements {
		elements[i] = Element{In: true, Weight: rapid.SampledFrom([]float64{-1, 0, 1, 3}).Draw(t, "weight")}
	}
	return New(s, elements), live.Works, sources, metered
}

func drawsOf(e *Estimator, sources []Source) []string {
	all := make([]string, len(sources))
	for i := range sources {
		for _, d := range e.Draws(i) {
			if math.IsNaN(d.VA) {
				all[i] += " ?"
			} else {
				all[i] += fmt.Sprint(" ", d)
			}
		}
	}
	return all
}

// What a meter shows and what hangs on it says is the sum: what is left is shared by those that say nothing, and where all
// say something it is something that nobody knows of.
func TestEstimate(t *testing.T) {
	var b redundancy.Builder
	feed, strip := b.Add(), b.Add()
	b.Require(strip, 1, feed)
	var s Source
	for range 3 {
		tap := b.Add()
		b.Require(tap, 1, strip)
		s.Taps = append(s.Taps, Tap{Node: tap})
	}
	structure, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	elements := make([]Element, structure.Len())
	for i := range elements {
		elements[i] = Element{In: true, Weight: -1}
	}
	e := New(structure, elements).NewEstimator(redundancy.NewLive(structure).Works, []Source{s}, []redundancy.Node{feed, strip})
	e.Tap(0, 0, Draw{VA: 100, W: 90, Told: true})
	e.Meter(strip, Of(Any, 300, 270))
	e.Meter(feed, Of(Any, 500, 450))
	e.Settle()
	if d := e.Draws(0); d[1] != (Draw{VA: 100, W: 90}) || d[2] != d[1] {
		t.Errorf("%v", d)
	}
	if r := e.Rest(); len(r) != 1 || r[0].Taps[0].Node != feed || r[0].Load != Of(Any, 200, 180) {
		t.Errorf("%v", r)
	}
	e.Meter(strip, Of(Any, 500, 450))
	if changed := e.Settle(); len(changed) != 1 || e.Draws(0)[1].VA != 200 || len(e.Rest()) != 0 {
		t.Errorf("changed %v, %v, rest %v", changed, e.Draws(0), e.Rest())
	}
}
