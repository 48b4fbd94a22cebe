package component_test

import (
	"testing"

	"github.com/sparewatch/sparewatch/pkg/component"
)

func TestCounts(t *testing.T) {
	for _, c := range []struct {
		kind component.Kind
		n    int
		want string
	}{
		{component.PSU, 1, "1 supply"}, {component.PSU, 0, "0 supplies"}, {component.Memory, 92, "92 memory modules"}, {component.BGPSession, 1, "1 session"},
		{component.Fan, 1, "1 fan"}, {component.Fan, 2, "2 fans"}, {"power_shelf", 1, "1 power shelf"}, {component.ATS, 2, "2 transfer switches"},
	} {
		if got := c.kind.Count(c.n); got != c.want {
			t.Errorf("%d of %s: %q, want %q", c.n, c.kind, got, c.want)
		}
	}
}

func TestQuantities(t *testing.T) {
	for _, c := range []struct {
		v          float64
		unit, want string
	}{
		{228, "V", "228 V"}, {0.25, "A", "0.25 A"}, {22, "Cel", "22 °C"}, {7, "", "7"}, {7, "1", "7"}, {38, "%", "38 %"},
		{21360, "s", "5 h 56 min"}, {2580, "s", "43 min"}, {119, "s", "119 s"}, {0, "s", "0 s"}, {1e6, "s", "11 days"}, {-5, "s", "-5 s"}, {1e300, "s", ""},
	} {
		if got := component.Quantity(c.v, c.unit); got != c.want && c.want != "" {
			t.Errorf("%g %s is %q, want %q", c.v, c.unit, got, c.want)
		}
	}
}
