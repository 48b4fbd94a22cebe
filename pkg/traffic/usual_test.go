package traffic

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestUsualNeedsASample: the most that was seen in the first moments says that there is something, not what is usual.
func TestUsualNeedsASample(t *testing.T) {
	var u Usual
	now := time.Unix(1_700_000_000, 0)
	u.Learn(3)
	if u.Count() != 3 || u.Low(1) {
		t.Errorf("count %d, low %t", u.Count(), u.Low(1))
	}
	u.Sample(3, now, true)
	if !u.Low(1) {
		t.Error("far fewer than the sample is not low")
	}
}

// TestUsualIsRemembered: what was usual is so again after a restart, and takes as long to become something else.
func TestUsualIsRemembered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var u Usual
		now := time.Unix(1_700_000_000, 0)
		for _, n := range rapid.SliceOfN(rapid.IntRange(1, 1_000_000), 0, 90).Draw(t, "counts") {
			u.Learn(n)
			u.Sample(n, now, true)
			now = now.Add(sampleEvery)
		}
		again := UsualOf(u.Known())
		count := rapid.IntRange(0, 1_000_000).Draw(t, "count")
		if again.Count() != u.Count() || again.Low(count) != u.Low(count) {
			t.Fatalf("usual %d, low at %d: %t; then %d, %t", u.Count(), count, u.Low(count), again.Count(), again.Low(count))
		}
		steady := UsualOf(1000, 10, 60)
		for i := range 20 {
			steady.Sample(500, now.Add(time.Duration(i)*sampleEvery), true)
		}
		if steady.Count() < 990 {
			t.Fatalf("a third of the samples made %d of 1000", steady.Count())
		}
	})
}
