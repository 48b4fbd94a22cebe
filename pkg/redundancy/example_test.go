package redundancy_test

import (
	"fmt"

	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// A server with two supplies on two feeds, which come from one utility. One supply has failed.
func Example() {
	var b redundancy.Builder
	utility := b.Add()
	feedA, feedB := b.Add(), b.Add()
	b.Require(feedA, 1, utility)
	b.Require(feedB, 1, utility)
	supply1, supply2 := b.Add(), b.Add()
	b.Require(supply1, 1, feedA)
	b.Require(supply2, 1, feedB)
	server := b.AddGate()
	b.Require(server, 1, supply1, supply2)
	s, err := b.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	names := map[redundancy.Node]string{
		utility: "utility", feedA: "feed A", feedB: "feed B", supply1: "supply 1", supply2: "supply 2",
	}

	live, solver := redundancy.NewLive(s), redundancy.NewSolver(s)
	fmt.Println("spares with the utility:", solver.Spares(redundancy.Question{Top: server}).N)
	ours := func(n redundancy.Node) bool { return n != utility }
	q := redundancy.Question{Top: server, MayFail: ours, Failed: live.Failed}
	fmt.Println("spares without:", solver.Spares(q).N)

	live.SetFailed(supply1, true)
	fmt.Println("supply 1 fails; the server works:", live.Works(server))
	fmt.Println("spares left:", solver.Spares(q).N)
	for cut := range solver.MinCuts(q).All() {
		for _, n := range cut {
			fmt.Println("the next to fail would be the one:", names[n])
		}
	}
	// Output:
	// spares with the utility: 0
	// spares without: 1
	// supply 1 fails; the server works: true
	// spares left: 0
	// the next to fail would be the one: feed B
	// the next to fail would be the one: supply 2
}
