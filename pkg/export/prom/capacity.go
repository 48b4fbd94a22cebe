package prom

import (
	"math"

	"github.com/sparewatch/sparewatch/pkg/engine"
)

var (
	failoverRatio = fleeting(desc("failover_load_ratio", "Load of the component after the single failure (lost) that loads it most, as a part of what may be used of its rating; over 1 it is too much. lost is empty where it is fullest as things are.", "component", "kind", "lost"))
	headroomVA    = desc("failover_headroom_volt_amperes", "How much more the component may carry before that failure overloads it; negative: so much too much.", "component", "kind")
)

// capacity sends what every single failure would do to what carries load: two series a rated component.
func (s sink) capacity(c *engine.Loads) {
	for i := range c.Elements {
		v := &c.Elements[i]
		ratio := math.NaN()
		if v.After.Ratio.Known() {
			ratio = float64(v.After.Ratio)
		}
		s.gauge(failoverRatio, ratio, string(v.ID), string(v.Kind), string(v.Lost))
		if v.HeadroomVA != nil && v.After.Unit != "bit/s" {
			s.gauge(headroomVA, *v.HeadroomVA, string(v.ID), string(v.Kind))
		}
	}
}
