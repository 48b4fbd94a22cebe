package traffic

import (
	"testing"
	"time"
)

func TestErrors(t *testing.T) {
	const million = 1e6
	// Each step is ten minutes: so many frames, and so many of them broken.
	type step struct {
		good, bad float64
		times     int
		many      bool // after it
	}
	for name, steps := range map[string][]step{
		"few":                            {{million, 50, 20, false}},
		"many":                           {{million, 200, 2, false}, {million, 200, 1, true}},
		"a burst":                        {{million, 0, 3, false}, {million, 90_000, 1, false}, {million, 0, 20, false}},
		"in the busy hour of some":       {{million, 200, 1, false}, {million, 0, 3, false}, {million, 200, 1, false}, {million, 0, 3, false}, {million, 200, 1, true}},
		"mended":                         {{million, 200, 3, true}, {million, 0, 5, true}, {million, 0, 1, false}, {million, 0, 20, false}},
		"not mended by silence":          {{million, 200, 3, true}, {0, 0, 20, true}},
		"a few of very few":              {{100, 5, 20, false}},
		"nothing but broken ones":        {{0, 500, 2, false}, {0, 500, 1, true}},
		"one in a hundred, now and then": {{100_000, 1000, 1, false}, {100_000, 0, 12, false}, {100_000, 1000, 1, false}},
	} {
		t.Run(name, func(t *testing.T) {
			var e Errors
			at, good, bad := time.Unix(0, 0), 0.0, 0.0
			e.Read(Tally{At: at}, 0.0001)
			for i, s := range steps {
				for range s.times {
					at, good, bad = at.Add(10*time.Minute), good+s.good, bad+s.bad
					e.Read(Tally{Good: good, Bad: bad, At: at}, 0.0001)
				}
				if e.Many() != s.many {
					t.Errorf("after step %d: many is %v", i, e.Many())
				}
			}
		})
	}
}

func TestErrorsOfCountersThatBeginAnew(t *testing.T) {
	for name, change := range map[string]func(*Tally){
		"restart":       func(t *Tally) { t.Good, t.Bad = 10, 0 },
		"errors alone":  func(t *Tally) { t.Bad = 0 },
		"marked":        func(t *Tally) { t.Since, t.Bad = "4711", 1e9 },
		"not for long":  func(t *Tally) { t.At, t.Bad = t.At.Add(2*time.Hour), 1e9 },
		"another order": func(t *Tally) { t.At, t.Bad = t.At.Add(-15*time.Minute), 1e9 },
	} {
		t.Run(name, func(t *testing.T) {
			var e Errors
			now := Tally{At: time.Unix(0, 0), Good: 5e9, Bad: 4e9}
			e.Read(now, 0.0001)
			for i := range 40 {
				now.At = now.At.Add(10 * time.Minute)
				now.Good += 1e6
				if i%4 == 3 {
					last := now
					change(&now)
					e.Read(now, 0.0001)
					if now.At.Before(last.At) {
						now = last
					}
					continue
				}
				e.Read(now, 0.0001)
			}
			if x := e.Extent(); e.Many() || x.Bads != 0 || x.Of == 0 {
				t.Errorf("many: %v, %+v", e.Many(), x)
			}
		})
	}
}

func TestErrorsOverARestart(t *testing.T) {
	var e Errors
	e.Resume()
	at := time.Unix(0, 0)
	e.Read(Tally{At: at}, 0.0001)
	for i := range 6 {
		if !e.Many() {
			t.Fatalf("forgotten after %d good spans", i)
		}
		at = at.Add(5 * time.Minute)
		e.Read(Tally{At: at, Good: float64(i+1) * 1e6}, 0.0001)
	}
	if e.Many() {
		t.Error("remembered for ever")
	}
}
