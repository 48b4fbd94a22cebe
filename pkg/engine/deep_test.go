package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
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
