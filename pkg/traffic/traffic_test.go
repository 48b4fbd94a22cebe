package traffic

import (
	"math"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestCounter(t *testing.T) {
	const none = -1
	type step struct {
		seconds int
		octets  float64
		want    float64
	}
	for name, c := range map[string]struct {
		base  Reading
		marks map[int]string // by step
		steps []step
	}{
		"rates":                      {Reading{Bits: 64}, nil, []step{{0, 1000, none}, {10, 2000, 800}, {30, 2000, 0}}},
		"the same moment again":      {Reading{Bits: 64}, nil, []step{{0, 0, none}, {10, 1000, 800}, {10, 9000, 800}}},
		"restart":                    {Reading{Bits: 64}, nil, []step{{0, 1e9, none}, {10, 500, none}, {20, 1500, 800}}},
		"mark moved":                 {Reading{Bits: 64}, map[int]string{1: "77", 2: "77"}, []step{{0, 0, none}, {10, 1000, none}, {20, 2000, 800}}},
		"silent for long":            {Reading{Bits: 64}, nil, []step{{0, 0, none}, {4000, 1e6, none}, {4010, 1e6 + 1000, 800}}},
		"32 bits come round":         {Reading{Bits: 32, Speed: 100e6}, nil, []step{{0, 1<<32 - 500, none}, {10, 500, 800}}},
		"32 bits of unknown speed":   {Reading{Bits: 32}, nil, []step{{0, 1<<32 - 500, none}, {10, 500, none}}},
		"32 bits and a restart":      {Reading{Bits: 32, Speed: 100e6}, nil, []step{{0, 1e6, none}, {10, 500, none}}},
		"faster than the interface":  {Reading{Bits: 64, Speed: 1e6}, nil, []step{{0, 0, none}, {10, 1e9, none}, {20, 1e9 + 1000, 800}}},
		"64 bits that really go far": {Reading{Bits: 64, Speed: 400e9}, nil, []step{{0, 1e18, none}, {10, 1e18 + 250e9, 200e9}}},
	} {
		t.Run(name, func(t *testing.T) {
			var counter Counter
			for i, s := range c.steps {
				r := c.base
				r.At, r.Octets, r.Since = noon.Add(time.Duration(s.seconds)*time.Second), s.octets, c.marks[i]
				got, known := counter.Read(r)
				if !known {
					got = none
				}
				if math.Abs(got-s.want) > 1e-6*math.Abs(s.want) {
					t.Errorf("step %d: %g, want %g", i, got, s.want)
				}
			}
		})
	}
}

func TestWindow(t *testing.T) {
	var w Window
	if _, known := w.Percentile(0.95); known {
		t.Error("knows what nobody said")
	}
	w.Add(7, noon)
	if got, _ := w.Percentile(0.95); got != 7 {
		t.Errorf("before the first slot is over: %g", got)
	}
	// A hundred slots of 1 to 100: a poll every 15 s, and a burst of 2.5 minutes within a slot counts as its mean.
	w = Window{}
	for i := range 100 * 20 {
		w.Add(float64(i/20+1), noon.Add(time.Duration(i)*15*time.Second))
	}
	w.Add(0, noon.Add(100*Slot))
	if got, _ := w.Percentile(0.95); got != 95 {
		t.Errorf("95th percentile of 1 to 100: %g", got)
	}
	w = Window{}
	w.Add(10, noon)
	w.Add(20, noon.Add(Slot/2))
	w.Add(0, noon.Add(Slot))
	if got, _ := w.Percentile(0.95); got != 15 {
		t.Errorf("mean of a slot: %g", got)
	}
	// Nothing said for hours is no slot; a value that holds fills the slots between.
	w.Add(5, noon.Add(5*time.Hour))
	w.Add(5, noon.Add(5*time.Hour+4*Slot))
	if got := len(w.means); got != 5 {
		t.Errorf("%d slots, want 5: %v", got, w.means)
	}
	for i := range 10 * Day {
		w.Add(1, noon.Add(10*time.Hour+time.Duration(i)*Slot))
	}
	if len(w.means) > Day {
		t.Errorf("%d slots are kept", len(w.means))
	}
}
