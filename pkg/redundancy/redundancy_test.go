package redundancy

import (
	"errors"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestMinCutsAgainstExhaustion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		s := m.build(t, m.identity())
		v := NewSolver(s)
		for range 3 { // one solver, several questions
			top := Node(rapid.IntRange(0, len(m.gate)-1).Draw(t, "top"))
			failed := m.drawFailed(t)
			mayFail := m.drawMayFail(t) &^ failed
			order := rapid.IntRange(0, 4).Draw(t, "order")
			want := m.cuts(top, failed, mayFail)
			spares, exact := wantSpares(want, order), wantSpares(want, 0)
			if order > 0 {
				want = slices.DeleteFunc(want, func(c uint64) bool { return bits.OnesCount64(c) > order })
			}
			q := Question{Top: top, Failed: in(failed), MayFail: in(mayFail), Order: order}
			checkCuts(t, v.MinCuts(q), want, order)
			if got := v.search(q); got != exact && got != spares {
				t.Fatalf("searched: spares %+v, want %+v", got, exact)
			}
			if got := v.Spares(q); got != exact && got != spares {
				t.Fatalf("spares %+v, want %+v", got, exact)
			}
		}
	})
}

func wantSpares(cuts []uint64, order int) Spares {
	if len(cuts) == 0 {
		return Spares{None: true}
	}
	smallest := bits.OnesCount64(cuts[0])
	if order > 0 && smallest > order {
		return Spares{N: order, AtLeast: true}
	}
	return Spares{N: smallest - 1}
}

func checkCuts(t *rapid.T, got *Cuts, want []uint64, order int) {
	t.Helper()
	if !got.Exact || got.ExactUpTo < order {
		t.Fatalf("exact %v up to %d", got.Exact, got.ExactUpTo)
	}
	var sets []uint64
	byOrder := map[int]int64{}
	for cut := range got.All() {
		set := uint64(0)
		for _, n := range cut {
			set |= 1 << n
		}
		sets = append(sets, set)
		byOrder[len(cut)]++
	}
	if !slices.IsSortedFunc(sets, func(a, b uint64) int { return bits.OnesCount64(a) - bits.OnesCount64(b) }) {
		t.Fatalf("not sorted by order: %b", sets)
	}
	slices.Sort(sets)
	want = slices.Clone(want)
	slices.Sort(want)
	if !slices.Equal(sets, want) {
		t.Fatalf("cuts %b, want %b", sets, want)
	}
	for k, n := range got.ByOrder() {
		if n.Cmp(big.NewInt(byOrder[k])) != 0 {
			t.Fatalf("%d cuts of order %d, counted %v", byOrder[k], k, n)
		}
	}
	if got.Count().Cmp(big.NewInt(int64(len(want)))) != 0 {
		t.Fatalf("count %v of %d", got.Count(), len(want))
	}
	if down := len(want) == 1 && want[0] == 0; got.Down() != down {
		t.Fatalf("down %v", got.Down())
	}
}

func TestSPOFsAgainstExhaustion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		l := NewLive(m.build(t, m.identity()))
		failed := m.drawFailed(t)
		mayFail := m.drawMayFail(t)
		for _, n := range elements(failed) {
			l.SetFailed(n, true)
		}
		tops := rapid.SliceOfDistinct(rapid.IntRange(0, len(m.gate)-1), rapid.ID).Draw(t, "tops")
		nodes := make([]Node, len(tops))
		for i, top := range tops {
			nodes[i] = Node(top)
		}
		for i, got := range l.SPOFs(in(mayFail), nodes...) {
			var want []Node
			if m.works(nodes[i], failed) {
				for _, e := range elements(mayFail) {
					if !m.works(nodes[i], failed|1<<e) {
						want = append(want, e)
					}
				}
			}
			got = slices.Clone(got)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("node %d: SPOFs %v, want %v", nodes[i], got, want)
			}
		}
	})
}

func TestLiveAgainstDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		l := NewLive(m.build(t, m.identity()))
		failed := uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "changes") {
			n := Node(rapid.IntRange(0, len(m.gate)-1).Draw(t, "node"))
			before := failed
			failed ^= 1 << n
			changed := slices.Clone(l.SetFailed(n, failed>>n&1 == 1))
			if again := l.SetFailed(n, failed>>n&1 == 1); len(again) > 0 {
				t.Fatalf("said twice, changed %v", again)
			}
			for i := range m.gate {
				i := Node(i)
				if l.Works(i) != m.works(i, failed) {
					t.Fatalf("failed %b: node %d works: %v", failed, i, l.Works(i))
				}
				if (m.works(i, before) != m.works(i, failed)) != slices.Contains(changed, i) {
					t.Fatalf("failed %b to %b: changed %v", before, failed, changed)
				}
			}
			slices.Sort(changed)
			if len(slices.Compact(changed)) != len(changed) {
				t.Fatalf("changed %v", changed)
			}
		}
	})
}

// A thousand random changes to a larger model leave what building anew gives; undoing them leaves the first state.
func TestLiveThousandChanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		s := randomStructure(rng, 300)
		l := NewLive(s)
		virgin := NewLive(s)
		for range 1000 {
			n := Node(rng.IntN(s.Len()))
			l.SetFailed(n, !l.Failed(n))
		}
		fresh := NewLive(s)
		for n := range Node(s.Len()) {
			fresh.SetFailed(n, l.Failed(n))
		}
		sameState(t, l, fresh)
		for n := range Node(s.Len()) {
			l.SetFailed(n, false)
		}
		sameState(t, l, virgin)
	}
}

func sameState(t *testing.T, a, b *Live) {
	t.Helper()
	if !reflect.DeepEqual(a.works, b.works) || !reflect.DeepEqual(a.up, b.up) || !reflect.DeepEqual(a.broken, b.broken) {
		t.Fatal("state differs")
	}
}

func randomStructure(rng *rand.Rand, nodes int) *Structure {
	var b Builder
	for n := range nodes {
		if rng.IntN(3) == 0 {
			b.AddGate()
		} else {
			b.Add()
		}
		for range rng.IntN(3) {
			if n == 0 {
				break
			}
			of := make([]Node, 1+rng.IntN(4))
			for i := range of {
				of[i] = Node(rng.IntN(n))
			}
			b.Require(Node(n), 1+rng.IntN(len(of)), of...)
		}
	}
	s, err := b.Build()
	if err != nil {
		panic(err)
	}
	return s
}

func TestFailureNeverRaisesSpares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		v := NewSolver(m.build(t, m.identity()))
		top := Node(rapid.IntRange(0, len(m.gate)-1).Draw(t, "top"))
		failed := m.drawFailed(t)
		mayFail := m.drawMayFail(t)
		more := failed | m.drawFailed(t)
		q := Question{Top: top, Failed: in(failed), MayFail: in(mayFail)}
		before := v.Spares(q)
		q.Failed = in(more)
		after := v.Spares(q)
		// None is more than any number, as long as what fails further is what may fail.
		if !before.None && (after.None || after.N > before.N) {
			t.Fatalf("failed %b: %+v; failed %b: %+v", failed, before, more, after)
		}
		q.Failed = in(failed)
		if again := v.Spares(q); again != before {
			t.Fatalf("repaired: %+v, before %+v", again, before)
		}
	})
}

func TestRenumberingChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		number := rapid.Permutation(m.identity()).Draw(t, "number")
		top := Node(rapid.IntRange(0, len(m.gate)-1).Draw(t, "top"))
		failed := m.drawFailed(t)
		q := Question{Top: top, Failed: in(failed)}
		a := NewSolver(m.build(t, m.identity())).MinCuts(q)
		back := make([]Node, len(number))
		for n, to := range number {
			back[to] = Node(n)
		}
		q = Question{Top: number[top], Failed: func(n Node) bool { return in(failed)(back[n]) }}
		b := NewSolver(m.build(t, number)).MinCuts(q)
		var inA, inB [][]Node
		for cut := range a.All() {
			inA = append(inA, cut)
		}
		for cut := range b.All() {
			for i := range cut {
				cut[i] = back[cut[i]]
			}
			slices.Sort(cut)
			inB = append(inB, cut)
		}
		slices.SortFunc(inA, slices.Compare)
		slices.SortFunc(inB, slices.Compare)
		if !reflect.DeepEqual(inA, inB) {
			t.Fatalf("%v, renumbered %v", inA, inB)
		}
	})
}

func TestBuildMistakes(t *testing.T) {
	var b Builder
	x, y := b.Add(), b.AddGate()
	b.Require(y, 2, x)
	b.Require(y, 0, x)
	b.Require(y, 1, 7)
	b.Require(9, 1, x)
	_, err := b.Build()
	var need *NeedError
	var unknown *UnknownError
	if !errors.As(err, &need) || need.Node != y || need.Need != 2 {
		t.Errorf("need: %v", err)
	}
	if !errors.As(err, &unknown) || unknown.Node != 7 || unknown.By != y {
		t.Errorf("unknown: %v", err)
	}
	if got := len(err.(interface{ Unwrap() []error }).Unwrap()); got != 4 {
		t.Errorf("%d mistakes: %v", got, err)
	}
}

func TestLoopIsNamedInOrder(t *testing.T) {
	var b Builder
	ups, feed, panel, lamp, top := b.Add(), b.Add(), b.Add(), b.Add(), b.AddGate()
	b.Require(lamp, 1, panel)
	b.Require(panel, 1, lamp, feed)
	b.Require(top, 1, lamp)
	s, err := b.Build()
	var loop *LoopError
	if !errors.As(err, &loop) || s != nil {
		t.Fatal("no loop found", err)
	}
	for i, n := range loop.Nodes {
		next := loop.Nodes[(i+1)%len(loop.Nodes)]
		if n != lamp && n != panel || next == n {
			t.Errorf("loop %v", loop.Nodes)
		}
	}
	if len(loop.Nodes) != 2 {
		t.Errorf("loop %v", loop.Nodes)
	}
	_ = ups

	var self Builder
	n := self.Add()
	self.Require(n, 1, n)
	if _, err := self.Build(); err == nil || err.Error() != "loop: 0 needs 0" {
		t.Errorf("self: %v", err)
	}
}

// A server with two supplies on two feeds of one utility.
func TestSharedParent(t *testing.T) {
	var b Builder
	utility, feedA, feedB, psu1, psu2, server := b.Add(), b.Add(), b.Add(), b.Add(), b.Add(), b.Add()
	b.Require(feedA, 1, utility)
	b.Require(feedB, 1, utility)
	b.Require(psu1, 1, feedA)
	b.Require(psu2, 1, feedB)
	b.Require(server, 1, psu1, psu2)
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	v := NewSolver(s)
	cuts := v.MinCuts(Question{Top: server})
	var got [][]Node
	for cut := range cuts.All() {
		got = append(got, cut)
	}
	slices.SortFunc(got, slices.Compare)
	want := [][]Node{{utility}, {feedA, feedB}, {feedA, psu2}, {feedB, psu1}, {psu1, psu2}, {server}}
	slices.SortFunc(want, slices.Compare)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("cuts %v, want %v", got, want)
	}
	train := func(n Node) bool { return n != utility && n != server }
	if got := v.Spares(Question{Top: server, MayFail: train}); got != (Spares{N: 1}) {
		t.Errorf("spares in the trains: %+v", got)
	}
	lost := func(n Node) bool { return n == feedA }
	if got := v.Spares(Question{Top: server, MayFail: train, Failed: lost}); got != (Spares{N: 0}) {
		t.Errorf("spares with a feed lost: %+v", got)
	}
	only := func(n Node) bool { return n == psu1 }
	if got := v.Spares(Question{Top: server, MayFail: only}); got != (Spares{None: true}) {
		t.Errorf("spares where one supply may fail: %+v", got)
	}
	if got := s.Dependants(feedA); !slices.Equal(got, []Node{feedA, psu1, server}) {
		t.Errorf("dependants of feed A: %v", got)
	}
	if got := s.Cone(psu1); !slices.Equal(got, []Node{utility, feedA, psu1}) {
		t.Errorf("cone of supply 1: %v", got)
	}
}

func TestManyCuts(t *testing.T) {
	// Twelve trains of twelve parts each: 12^12 minimal cut sets, all of order 12.
	var b Builder
	var trains []Node
	for range 12 {
		train := b.AddGate()
		for range 12 {
			b.Require(train, 1, b.Add())
		}
		trains = append(trains, train)
	}
	top := b.AddGate()
	b.Require(top, 1, trains...)
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	v := NewSolver(s)
	all := v.MinCuts(Question{Top: top})
	if want := new(big.Int).Exp(big.NewInt(12), big.NewInt(12), nil); !all.Exact || all.Count().Cmp(want) != 0 {
		t.Errorf("%v cuts, exact %v", all.Count(), all.Exact)
	}
}

func TestBudgetEndsHonestly(t *testing.T) {
	// Of twenty members in a ring eleven are needed; each leans on two of twenty components, its own and the next one's.
	var b Builder
	var components, members []Node
	for range 20 {
		components = append(components, b.Add())
	}
	for i := range components {
		members = append(members, b.AddGate())
		b.RequireAll(members[i], components[i], components[(i+1)%20])
	}
	top := b.AddGate()
	b.Require(top, 11, members...)
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	v := NewSolver(s)
	all := v.MinCuts(Question{Top: top})
	if spares := v.Spares(Question{Top: top}); !all.Exact || spares != (Spares{N: 4}) || len(all.Smallest(1)[0]) != 5 {
		t.Errorf("spares %+v, exact %v", spares, all.Exact)
	}
	honest := 0
	for budget := 4; budget < 1<<14; budget += budget / 3 {
		v := NewSolver(s)
		few := v.MinCuts(Question{Top: top, Budget: budget})
		if few.ExactUpTo < AnyOrder {
			honest++
		}
		for order, want := range all.ByOrder() {
			got := new(big.Int)
			if counts := few.ByOrder(); order < len(counts) {
				got = counts[order]
			}
			if order <= few.ExactUpTo && got.Cmp(want) != 0 || order > few.ExactUpTo && got.Sign() != 0 {
				t.Errorf("budget %d: %v of order %d, want %v, exact up to %d", budget, got, order, want, few.ExactUpTo)
			}
		}
		if few.Exact != (few.ExactUpTo == AnyOrder) {
			t.Errorf("budget %d: exact %v up to %d", budget, few.Exact, few.ExactUpTo)
		}
		spares := v.Spares(Question{Top: top, Budget: budget})
		if spares.N > 4 || spares.N < 4 && !spares.AtLeast {
			t.Errorf("budget %d: spares %+v", budget, spares)
		}
	}
	if honest < 5 {
		t.Errorf("the budget was too small %d times only", honest)
	}
}
