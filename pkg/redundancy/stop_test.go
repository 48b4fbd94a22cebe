package redundancy

import (
	"context"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// thicket is a tree of gates that name gates and events near them again and again, with no module to speak of: hard for
// decision diagrams, as the larger trees of the Aralia set are.
func thicket(rng *rand.Rand, events, gates int) (*Tree, Ref) {
	t := &Tree{}
	refs := make([]Ref, 0, events+gates)
	for range events {
		refs = append(refs, t.Event())
	}
	var last Ref
	for g := range gates {
		near := events * g / gates
		var of []Ref
		if g > 0 {
			of = append(of, last)
		}
		for len(of) < 2+rng.IntN(4) {
			if g > 4 && rng.IntN(2) == 0 {
				of = append(of, refs[len(refs)-1-rng.IntN(min(g, gates/4+2))])
			} else {
				of = append(of, refs[(near+rng.IntN(events/4+1))%events])
			}
		}
		switch rng.IntN(8) {
		case 0, 1, 2, 3:
			last = t.Or(of...)
		case 4:
			last = t.AtLeast(1+rng.IntN(len(of)), of...)
		default:
			last = t.And(of...)
		}
		refs = append(refs, last)
	}
	return t, last
}

// What a thicket's answer says it is exact up to, it is: the same as what is found when no more was asked for.
func TestThicketsAreExactAsFarAsTheySay(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 1))
	some := 0
	for range 40 {
		tree, top := thicket(rng, 100, 130)
		cuts := tree.MinCuts(top, 0, 400)
		if !cuts.Exact {
			some++
		}
		all := tree.MinCuts(top, 0, 0)
		if !all.Exact {
			continue
		}
		by := all.ByOrder()
		got := cuts.ByOrder()
		if cuts.ExactUpTo < AnyOrder {
			by = by[:min(len(by), cuts.ExactUpTo+1)]
			for len(by) > 0 && by[len(by)-1].Sign() == 0 {
				by = by[:len(by)-1]
			}
		}
		if !slices.EqualFunc(got, by, func(a, b *big.Int) bool { return a.Cmp(b) == 0 }) {
			t.Errorf("exact up to %d: %v, want %v", cuts.ExactUpTo, got, by)
		}
	}
	if some == 0 {
		t.Error("no thicket was too hard")
	}
}

// Once nobody waits, the work ends, and says so; what is there by then is exact.
func TestNobodyWaits(t *testing.T) {
	tree, top := thicket(rand.New(rand.NewPCG(6, 3)), 1200, 1500)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cuts := tree.MinCutsContext(ctx, top, 0, 1<<30) // without an end in sight
	if cuts.Exact || !cuts.Stopped || cuts.ExactUpTo != 0 || cuts.Count().Sign() != 0 {
		t.Errorf("exact %v, stopped %v, up to %d, %v", cuts.Exact, cuts.Stopped, cuts.ExactUpTo, cuts.Count())
	}
	if _, err := tree.CompileContext(ctx, top, 1<<30); err == nil {
		t.Error("compiled though nobody waits")
	}
}

// Sets of 1 or 3 in each of many modules: orders at which there is nothing cost nothing.
func TestOrdersWithoutSets(t *testing.T) {
	tree := &Tree{}
	var all []Ref
	for range 40 {
		all = append(all, tree.Or(tree.Event(), tree.And(tree.Event(), tree.Event(), tree.Event(), tree.Event())))
	}
	big := make([]Ref, 50)
	for i := range big {
		big[i] = tree.Event()
	}
	top := tree.Or(tree.And(all...), tree.And(big...))
	n := 0
	for set := range tree.MinCuts(top, 0, 0).All() {
		if (len(set)-40)%3 != 0 && len(set) != 50 {
			t.Fatalf("a set of %d", len(set))
		}
		if n++; n == 12_000 {
			break
		}
	}
	if n != 12_000 {
		t.Errorf("%d sets", n)
	}
}

func TestByOrderWithin(t *testing.T) {
	tree := &Tree{}
	last := tree.Event()
	for i := range 2000 { // cut sets of every order up to a thousand
		if i%2 == 0 {
			last = tree.Or(last, tree.Event())
		} else {
			last = tree.And(last, tree.Event())
		}
	}
	cuts := tree.MinCuts(last, 0, 0)
	all := cuts.ByOrder()
	if by, upTo := cuts.ByOrderWithin(1 << 30); upTo != AnyOrder || len(by) != len(all) {
		t.Errorf("%d orders, up to %d", len(by), upTo)
	}
	by, upTo := cuts.ByOrderWithin(200_000)
	if upTo < 2 || upTo >= len(all) || len(by) != upTo+1 {
		t.Fatalf("%d orders, up to %d", len(by), upTo)
	}
	for i := range by {
		if by[i].Cmp(all[i]) != 0 {
			t.Errorf("order %d: %v, want %v", i, by[i], all[i])
		}
	}
}
