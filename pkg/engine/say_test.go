package engine

import (
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/state"
)

func TestLeft(t *testing.T) {
	n := func(i int) *int { return &i }
	for _, c := range []struct {
		s    Service
		want string
	}{
		{Service{}, "unknown overall"},
		{Service{Spares: n(-1), By: map[component.Domain]Spares{component.Power: {Spares: n(-1)}}}, "down"},
		{Service{Spares: n(0), By: map[component.Domain]Spares{component.Storage: {Spares: n(2)}, component.Power: {Spares: n(1)}}}, "0 overall; power 1, storage 2"},
		{Service{Spares: n(1), By: map[component.Domain]Spares{component.Power: {Full: n(1)}, component.Network: {}}}, "1 overall; power unknown"},
		{Service{AtLeast: n(16), State: Full, By: map[component.Domain]Spares{component.Network: {AtLeast: n(16)}}}, "at least 16 overall; network at least 16"},
		{Service{State: Full}, "nothing in the model takes it down"},
	} {
		if got := c.s.Left(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if got := Left(finding.Impact{Spares: n(0), By: map[component.Domain]int{component.Power: 0, component.Compute: 1}}); got != "0 overall; power 0, compute 1" {
		t.Errorf("got %q", got)
	}
}

func TestWeakestLink(t *testing.T) {
	down := -1
	for _, c := range []struct {
		s    Service
		want string
	}{
		{Service{}, ""},
		{Service{Spares: &down, Weakest: [][]component.ID{{}}}, ""},
		{Service{Weakest: [][]component.ID{{"a"}}, Cuts: 1}, "a alone"},
		{Service{Weakest: [][]component.ID{{"a"}, {"b"}}, Cuts: 2}, "a alone, or one other component"},
		{Service{Weakest: [][]component.ID{{"a", "b"}}, Cuts: 13}, "a and b together, or one of 12 other pairs"},
		{Service{Weakest: [][]component.ID{{"a", "b", "c"}}, Cuts: 3}, "a, b and c together, or one of 2 other sets of 3"},
	} {
		if got := c.s.WeakestLink(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// TestRepair: nobody can pull or replace a way out.
func TestRepair(t *testing.T) {
	for condition, want := range map[component.Condition]string{component.Failed: "ask the neighbour", component.Absent: "who shut down"} {
		way := &state.Part{}
		way.ID, way.Kind, way.Condition = "bgp/path/internet/edge-1/192.0.2.1", component.Path, condition
		if got := repair(way); !strings.Contains(got, want) || !strings.Contains(got, "the way internet/edge-1/192.0.2.1") {
			t.Errorf("%s: %s", condition, got)
		}
	}
}
