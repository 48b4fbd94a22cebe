package redundancy

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The exact probability lies between the bounds, however early the work was ended; and where a tree has one cut set, or
// cut sets of which one is by far the likeliest, they are narrow.
func TestBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 9))
	some := 0
	for range 60 {
		tree, top := thicket(rng, 40, 60)
		chance := make([]float64, tree.Events())
		for e := range chance {
			chance[e] = math.Pow(10, -3*rng.Float64())
		}
		p := func(e int) float64 { return chance[e] }
		exact, err := tree.Compile(top, 0)
		if err != nil {
			t.Fatal(err)
		}
		want := exact.Probability(p)
		for _, order := range []int{0, 1, 2, 3} {
			low, high := tree.MinCuts(top, order, 0).Bounds(p, tree.EventsBelow(top), tree.Coherent(top))
			if low > want*(1+1e-9) || high < want*(1-1e-9) || low < 0 || high > 1 {
				t.Fatalf("order %d: %v is not between %v and %v", order, want, low, high)
			}
			if high < 1 && low > 0 {
				some++
			}
		}
	}
	if some < 40 {
		t.Errorf("only %d bounds say anything", some)
	}
	tree := &Tree{}
	top := tree.Or(tree.Event(), tree.And(tree.Event(), tree.Event()))
	low, high := tree.MinCuts(top, 1, 0).Bounds(func(int) float64 { return 1e-4 }, tree.EventsBelow(top), true)
	if low != 1e-4 || high < 1e-4+1e-8 || high > 1e-4+3.1e-8 {
		t.Errorf("%v to %v", low, high)
	}
}
