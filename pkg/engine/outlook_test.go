package engine

import (
	"slices"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// What keeps a ups on its battery up is nothing that may fail by itself: it is no link of what hangs on it, let alone the
// weakest.
func TestBatteryIsNoWeakestLink(t *testing.T) {
	feeds := func(from, to component.ID) topology.Link {
		return topology.Link{Link: component.Link{From: from, To: to, Kind: component.Feeds}}
	}
	m := topology.Model{Site: "s", Observed: []string{"u"},
		Links:    []topology.Link{feeds("s/utility/grid", "u/ups/1"), feeds("u/ups/1", "h/psu/1")},
		Services: []topology.Service{{ID: "s/service/x", Name: "x", Needs: topology.Need{ID: "h/host/1"}}},
	}
	e, err := New(&m, Options{Settle: 1})
	if err != nil {
		t.Fatal(err)
	}
	store := state.New([]state.Target{{URL: "x://u", Device: "u"}})
	store.Apply(&snapshot.Snapshot{Target: "x://u", Device: snapshot.Device{Name: "u"}, At: start, Reachable: true, Components: []component.Component{
		{ID: "u/ups/1", Kind: component.UPS, Status: component.Status{Condition: component.Impaired}, Attributes: map[string]string{component.OnBattery: "true"}},
	}})
	e.Update(store.Device("u"))
	e.Evaluate(start.Add(time.Minute))
	grid, _ := e.graph.Node("s/utility/grid")
	e.setCell(grid, cell{belief: fails})
	r, _ := e.Evaluate(start.Add(2 * time.Minute))
	s := r.Services[0]
	if s.Spares == nil || *s.Spares != 0 || len(s.Weakest) == 0 || slices.ContainsFunc(s.Weakest, func(set []component.ID) bool { return slices.Contains(set, "") }) {
		t.Errorf("%+v", s)
	}
}
