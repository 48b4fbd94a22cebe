package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// TestDeepAndWideLoads: load that hangs 100,000 components below its source, or 30,000 loads on one, neither overflow a
// stack nor take for ever; what is not followed so far is said.
func TestDeepAndWideLoads(t *testing.T) {
	const n, width = 100_000, 30_000
	deep := topology.Model{Site: "s"}
	id := func(i int) component.ID { return component.ID(fmt.Sprintf("s/feed/%d", i)) }
	for i := range n {
		deep.Links = append(deep.Links, topology.Link{Link: component.Link{From: id(i), To: id(i + 1), Kind: component.Feeds}})
	}
	deep.Links = append(deep.Links, topology.Link{Link: component.Link{From: id(n), To: "h/psu/1", Kind: component.Feeds}})
	deep.Components = []topology.Component{{ID: "h/host/1", Draws: &component.Rating{VA: 500}}, {ID: id(n), Rating: &component.Rating{VA: 1000}}, {ID: id(0), Rating: &component.Rating{VA: 100}}}
	r := loadsOf(t, &deep)
	if len(r.Capacity.Elements) != 1 || r.Capacity.Elements[0].ID != id(n) {
		t.Errorf("%+v", r.Capacity.Elements)
	}
	if !slices.ContainsFunc(r.Capacity.NotGiven, func(s string) bool { return strings.Contains(s, "not followed that far") }) {
		t.Errorf("not given: %v", r.Capacity.NotGiven)
	}
	wide := topology.Model{Site: "s", Components: []topology.Component{{ID: "s/feed/a", Rating: &component.Rating{VA: 1e9}}, {ID: "s/feed/b", Rating: &component.Rating{VA: width * 80}}}}
	for i := range width {
		host := fmt.Sprintf("h%d", i)
		wide.Components = append(wide.Components, topology.Component{ID: component.ID(host + "/host/1"), Draws: &component.Rating{VA: 100}})
		for j, feed := range []component.ID{"s/feed/a", "s/feed/b"} {
			wide.Links = append(wide.Links, topology.Link{Link: component.Link{From: feed, To: component.ID(fmt.Sprintf("%s/psu/%d", host, j+1)), Kind: component.Feeds}})
		}
	}
	r = loadsOf(t, &wide)
	for _, v := range r.Capacity.Elements {
		if v.ID == "s/feed/b" && (!v.Trips || v.Lost != "s/feed/a") {
			t.Errorf("%+v", v)
		}
	}
}

func loadsOf(t *testing.T, m *topology.Model) *Report {
	t.Helper()
	e, err := New(m, Options{Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := e.Evaluate(time.Unix(1, 0))
	return r
}

// TestDeepAndWideEngine: a model of 100,000 floors, in turn of either of two and of both of two, and one in which
// everything hangs on one feed and a service needs half of it, are compiled, judged, changed and reported by the whole
// engine; neither overflows a stack nor takes for ever.
func TestDeepAndWideEngine(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	const floors, hosts = 100_000, 30_000
	var deep, wide topology.Model
	link := func(m *topology.Model, from, to component.ID, kind component.LinkKind) {
		m.Site = "s"
		m.Links = append(m.Links, topology.Link{Link: component.Link{From: from, To: to, Kind: kind}})
	}
	floor := func(i int) component.ID { return component.ID(fmt.Sprintf("s/feed/%d", i)) }
	for i := range floors {
		link(&deep, floor(i), floor(i+1), component.Feeds)
		if beside := component.ID(fmt.Sprintf("s/panel/%d", i)); i%2 == 0 {
			link(&deep, beside, floor(i+1), component.Feeds)
		} else {
			link(&deep, beside, floor(i+1), component.Contains)
		}
	}
	link(&deep, floor(floors), "h/psu/1", component.Feeds)
	deep.Observed = []string{"h"}
	deep.Services = []topology.Service{{ID: "s/service/x", Name: "x", Needs: topology.Need{ID: "h/host/1"}}}
	supply := func(condition component.Condition, lost bool) *state.Device {
		store := state.New([]state.Target{{URL: "x://h", Device: "h"}})
		store.Apply(&snapshot.Snapshot{Target: "x://h", Device: snapshot.Device{Name: "h"}, At: start, Reachable: true, Components: []component.Component{
			{ID: "h/host/1", Kind: component.Host, Status: component.Status{Condition: component.OK}},
			{ID: "h/psu/1", Kind: component.PSU, Status: component.Status{Condition: condition, InputLost: lost}},
		}})
		return store.Device("h")
	}
	e, err := New(&deep, Options{Settle: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i, view := range []*state.Device{supply(component.OK, false), supply(component.Failed, false), supply(component.OK, true), supply(component.OK, false)} {
		e.Update(view)
		r, _ := e.Evaluate(start.Add(time.Duration(i+1) * time.Minute))
		if s := r.Services[0]; s.Spares == nil || *s.Spares != []int{0, -1, -1, 0}[i] || i%3 == 0 && s.Cuts != 5 {
			t.Errorf("after %d changes: %d single points of failure (the last feed and what it stands in, the supply, the host ...), %+v", i, s.Cuts, s.State)
		}
	}
	if g, err := e.Gate([]component.ID{floor(0)}, false); err != nil || g.Verdict == 1 {
		t.Errorf("the first of two feeds: %+v, %v", g, err)
	}
	if g, err := e.Gate([]component.ID{floor(floors)}, false); err != nil || g.Verdict != 1 {
		t.Errorf("the last feed: %+v, %v", g, err)
	}

	half := topology.Need{AtLeast: hosts / 2}
	for i := range hosts {
		host := component.ID(fmt.Sprintf("h%d/host/1", i))
		link(&wide, "s/feed/a", component.NewID(host.Device(), component.PSU, "1"), component.Feeds)
		half.Of = append(half.Of, topology.Need{ID: host})
	}
	wide.Services = []topology.Service{{ID: "s/service/x", Name: "x", Needs: half}}
	r := loadsOf(t, &wide)
	if s := r.Services[0]; s.Spares == nil || *s.Spares != 0 || len(s.Weakest) != 1 || s.Weakest[0][0] != "s/feed/a" {
		t.Errorf("%+v", s)
	}
}
