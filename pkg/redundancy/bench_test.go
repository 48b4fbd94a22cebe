package redundancy

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// rooms is a model of power: rooms of racks of servers; a server requires one of two supplies, each with its outlet,
// PDU and feed, and two feeds for each room. It returns servers and their left supplies.
func rooms(t testing.TB, components int) (s *Structure, servers, supplies []Node) {
	var b Builder
	for b.Len() < components {
		feeds := [2]Node{b.Add(), b.Add()}
		for range 20 {
			pdus := [2]Node{b.Add(), b.Add()}
			for side, pdu := range pdus {
				b.Require(pdu, 1, feeds[side])
			}
			for range 20 {
				var psus [2]Node
				for side := range psus {
					outlet := b.Add()
					b.Require(outlet, 1, pdus[side])
					psus[side] = b.Add()
					b.Require(psus[side], 1, outlet)
				}
				server := b.Add()
				b.Require(server, 1, psus[:]...)
				servers = append(servers, server)
				supplies = append(supplies, psus[0])
			}
		}
	}
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return s, servers, supplies
}

// One supply fails or is repaired: the cost must not follow the size of the model.
func BenchmarkOneChange(b *testing.B) {
	for _, components := range []int{1_000, 10_000, 100_000, 1_000_000} {
		s, servers, supplies := rooms(b, components)
		rng := rand.New(rand.NewPCG(1, 2))
		b.Run(fmt.Sprintf("state/components=%d", components), func(b *testing.B) {
			l := NewLive(s)
			for b.Loop() {
				n := supplies[rng.IntN(len(supplies))]
				l.SetFailed(n, !l.Failed(n))
			}
		})
		b.Run(fmt.Sprintf("spares/components=%d", components), func(b *testing.B) {
			l, v := NewLive(s), NewSolver(s)
			for b.Loop() {
				i := rng.IntN(len(supplies))
				l.SetFailed(supplies[i], !l.Failed(supplies[i]))
				v.Spares(Question{Top: servers[i], Failed: l.Failed, Order: 3})
			}
		})
	}
}
