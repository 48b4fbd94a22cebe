package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// twoFeeds is a model of three servers on two feeds, of which two are needed.
func twoFeeds(t *testing.T) *Engine {
	m := &topology.Model{Site: "s", Observed: []string{"srv-1", "srv-2", "srv-3"}}
	need := topology.Need{AtLeast: 2}
	for _, host := range []string{"srv-1/host/1", "srv-2/host/1", "srv-3/host/1"} {
		for i, feed := range []string{"s/feed/feed-a", "s/feed/feed-b"} {
			m.Links = append(m.Links, topology.Link{Link: component.Link{From: component.ID(feed), To: component.ID(psuOf(host, i)), Kind: component.Feeds}})
		}
		need.Of = append(need.Of, topology.Need{ID: component.ID(host)})
	}
	m.Services = []topology.Service{{ID: "s/service/web", Name: "web", Needs: need}}
	e, err := New(m, Options{Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	e.Evaluate(time.Unix(1, 0))
	return e
}

// What people name: ids, devices, groups, services, the same twice, nothing, and what is not there.
func TestWhatIsNamed(t *testing.T) {
	for _, c := range []struct {
		name    string
		fail    []component.ID
		down    []component.ID // already
		want    []component.ID // what fails, each once
		verdict int
		lost    bool
		unknown string
	}{
		{name: "an id", fail: []component.ID{"s/feed/feed-a"}, want: []component.ID{"s/feed/feed-a"}},
		{name: "a bare name", fail: []component.ID{"feed-a"}, want: []component.ID{"s/feed/feed-a"}},
		{name: "the same twice", fail: []component.ID{"feed-a", "s/feed/feed-a", "feed-a"}, want: []component.ID{"s/feed/feed-a"}},
		{name: "a device", fail: []component.ID{"srv-1"}, want: []component.ID{"srv-1/host/1"}},
		{name: "two devices", fail: []component.ID{"srv-1", "srv-2"}, want: []component.ID{"srv-1/host/1", "srv-2/host/1"}, verdict: 1, lost: true},
		{name: "a group", fail: []component.ID{"srv-1/group/psu"}, want: []component.ID{"srv-1/group/psu"}},
		{name: "two groups", fail: []component.ID{"srv-1/group/psu", "srv-2/group/psu"}, want: []component.ID{"srv-1/group/psu", "srv-2/group/psu"}, verdict: 1, lost: true},
		{name: "a service", fail: []component.ID{"web"}, want: []component.ID{"s/service/web"}, verdict: 1, lost: true},
		{name: "both feeds", fail: []component.ID{"feed-a", "feed-b"}, want: []component.ID{"s/feed/feed-a", "s/feed/feed-b"}, verdict: 1, lost: true},
		{name: "what is down already", fail: []component.ID{"feed-a"}, down: []component.ID{"s/feed/feed-a"}, want: []component.ID{"s/feed/feed-a"}},
		{name: "and the other one", fail: []component.ID{"feed-a", "feed-b"}, down: []component.ID{"s/feed/feed-a"}, want: []component.ID{"s/feed/feed-a", "s/feed/feed-b"}, verdict: 1, lost: true},
		{name: "nothing", unknown: "nothing to fail"},
		{name: "what is not there", fail: []component.ID{"feed-a", "nobody"}, unknown: `nothing is called "nobody"`},
		{name: "half a name", fail: []component.ID{"psu/1"}, unknown: "may mean srv-1/psu/1, srv-2/psu/1, srv-3/psu/1"},
		{name: "an empty name", fail: []component.ID{""}, unknown: `""`},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := twoFeeds(t)
			for _, id := range c.down {
				n, _ := e.graph.Node(id)
				e.setBest(n, true)
				e.worst.SetFailed(n, true)
			}
			before := slices.Clone(e.best.SPOFs(nil, e.tops[0].node))
			g, err := e.Gate(c.fail, false)
			if c.unknown != "" {
				if err == nil || !strings.Contains(err.Error(), c.unknown) {
					t.Fatalf("%v, want %s", err, c.unknown)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(g.Fail, c.want) || !slices.Equal(g.Effect.DownAlready, append([]component.ID{}, c.down...)) {
				t.Errorf("fails %v, down already %v", g.Fail, g.Effect.DownAlready)
			}
			lost := slices.ContainsFunc(g.Effect.Services, func(c Change) bool { return c.Lost })
			if g.Verdict != c.verdict || lost != c.lost || len(g.Reasons) == 0 {
				t.Errorf("verdict %d, lost %v, %v", g.Verdict, lost, g.Reasons)
			}
			if len(c.down) > 0 && !slices.Contains(g.Reasons, string(c.down[0])+" is down already") {
				t.Errorf("reasons %v", g.Reasons)
			}
			if !slices.EqualFunc(before, e.best.SPOFs(nil, e.tops[0].node), slices.Equal) {
				t.Error("the engine is another one")
			}
		})
	}
}

// Who does not wait for an answer gets none, and the engine is as it was.
func TestWhatIfNobodyWaits(t *testing.T) {
	e := twoFeeds(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.SimulateContext(ctx, []component.ID{"feed-a"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := e.GateContext(ctx, []component.ID{"feed-a"}, false); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n, _ := e.graph.Node("s/feed/feed-a"); !e.best.Works(n) || !e.worst.Works(n) {
		t.Error("it was not put back")
	}
}

// Where the time is over before all spares are found the verdict is the same, and the effect says what is missing in it.
func TestWhatIfTimeIsOver(t *testing.T) {
	e := twoFeeds(t)
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	for _, c := range []struct {
		fail    []component.ID
		strict  bool
		verdict int
		lost    int
		reason  string
	}{
		{[]component.ID{"feed-a"}, false, 0, 0, "no service goes down"},
		{[]component.ID{"feed-a"}, true, 2, 0, "service web is safe only if what nobody observes works"},
		{[]component.ID{"feed-a", "feed-b"}, false, 1, 1, "service web would go down"},
	} {
		g, err := e.GateContext(ctx, c.fail, c.strict)
		if err != nil {
			t.Fatal(err)
		}
		if g.Verdict != c.verdict || !slices.Contains(g.Reasons, c.reason) || len(g.Effect.Services) != c.lost {
			t.Errorf("%v: %+v", c.fail, g)
		}
		if !slices.ContainsFunc(g.Effect.NotGiven, func(s string) bool { return strings.Contains(s, "what 4 of 4 services and groups have left") }) {
			t.Errorf("%v: not given: %v", c.fail, g.Effect.NotGiven)
		}
		in, err := e.Gate(c.fail, c.strict)
		if err != nil || in.Verdict != g.Verdict {
			t.Errorf("%v: in time: %+v, %v", c.fail, in, err)
		}
	}
}

// A single point of failure is found, however hard the rest of the model is.
func TestSparesOfTheHardest(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	const hosts = 33_000 // of which half are needed: the families are given up
	m := &topology.Model{Site: "s"}
	half := topology.Need{AtLeast: hosts / 2}
	for i := range hosts {
		host := component.ID(fmt.Sprintf("h%d/host/1", i))
		m.Links = append(m.Links, topology.Link{Link: component.Link{From: "s/feed/a", To: component.ID(psuOf(string(host), 0)), Kind: component.Feeds}})
		half.Of = append(half.Of, topology.Need{ID: host})
	}
	m.Services = []topology.Service{{ID: "s/service/x", Name: "x", Needs: half}}
	e, err := New(m, Options{Offline: true, Budget: 2})
	if err != nil {
		t.Fatal(err)
	}
	n, _ := e.graph.Node("s/service/x")
	for _, c := range []struct {
		d    component.Domain
		want redundancy.Spares
	}{{component.NoDomain, redundancy.Spares{}}, {component.Power, redundancy.Spares{}}} {
		if got := e.spares(n, e.byDesign(), c.d, 16); got != c.want {
			t.Errorf("%q: %+v, want %+v", c.d, got, c.want)
		}
	}
	if s := e.spares(n, e.byDesign(), component.Compute, 16); s.Down() || s.Known() && s.N != hosts/2 || s.AtLeast && s.N < 1 {
		t.Errorf("compute: %+v", s)
	}
}
