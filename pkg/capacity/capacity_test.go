package capacity

import (
	"math"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/component"
)

func TestParseSlot(t *testing.T) {
	for text, want := range map[string]Slot{"L1": L1, "2": L2, "C": L3, "L1-L2": L12, "AB": L12, "L2L3": L23, "L3-L1": L31, "CA": L31, "L1-L2-L3": Even, "L1-N": L1, "123": Even} {
		if got, ok := ParseSlot(text); !ok || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "4", "L1-L1", "phase", "N"} {
		if got, ok := ParseSlot(text); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// A balanced load between conductors draws its total over the root of 3 from each; one between two draws all of it from
// both; between a conductor and neutral it stays there.
func TestLegs(t *testing.T) {
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 0.01 {
			t.Errorf("%s: %.3f, want %.3f", what, got, want)
		}
	}
	delta := Load{VA: [Slots]float64{L12: 2080, L23: 2080, L31: 2080}}
	legs, _ := delta.Legs(120)
	for _, a := range legs {
		near("balanced delta", a, 3*2080/(math.Sqrt(3)*120*math.Sqrt(3)))
	}
	one := Load{VA: [Slots]float64{L12: 2080}}
	legs, _ = one.Legs(120)
	near("L1-L2 on L1", legs[0], 2080/(120*math.Sqrt(3)))
	near("L1-L2 on L2", legs[1], 2080/(120*math.Sqrt(3)))
	near("L1-L2 on L3", legs[2], 0)
	star := Load{VA: [Slots]float64{L1: 2300, L2: 1150, Any: 690}}
	legs, loose := star.Legs(230)
	near("L1", legs[0], 10)
	near("L2", legs[1], 5)
	near("loose", loose, 3)
	least, most := fullest(legs, loose)
	near("least", least, 10)
	near("most", most, 13)
	least, _ = fullest([3]float64{10, 10, 10}, 3)
	near("evenly", least, 11)
}

// It fits by its sum, and not by its fullest conductor.
func TestFitsBySumAndNotByPhase(t *testing.T) {
	e := Element{In: true, Rating: component.Rating{Amps: 32, Volts: 230, Phases: 3}, Derate: 0.8, Volts: 230, Three: true}
	l := Load{VA: [Slots]float64{L1: 30 * 230, L2: 5 * 230, L3: 5 * 230}}
	u, ok := e.Use(&l)
	if !ok || u.Least < 1.17 || u.Least > 1.18 || u.Leg != L1 || u.By != Amperes {
		t.Errorf("%+v", u)
	}
	e.Rating = component.Rating{VA: 3 * 32 * 230}
	if u, _ := e.Use(&l); u.Least > 0.6 {
		t.Errorf("by its sum it is %.2f full", u.Least)
	}
	e = Element{In: true, Rating: component.Rating{Amps: 16}, Derate: 0.8}
	if _, ok := e.Use(&l); ok {
		t.Error("a rating in A is compared without a voltage")
	}
}

func TestLineToNeutral(t *testing.T) {
	for volts, want := range map[float64]float64{230: 230, 400: 230.9, 208: 120.1, 480: 277.1, 277: 277, 120: 120, 415: 239.6} {
		if got := LineToNeutral(volts); math.Abs(got-want) > 0.1 {
			t.Errorf("%g V: %g, want %g", volts, got, want)
		}
	}
}
