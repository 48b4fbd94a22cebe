package redfish_test

import (
	"context"
	"testing"

	"github.com/sparewatch/sparewatch/collectors"
)

// BenchmarkPoll prints what one poll of a small server costs here, the simulated service included, and how many
// requests it takes.
func BenchmarkPoll(b *testing.B) {
	for name, scope := range map[string]collectors.Scope{"full": collectors.Full, "fast": collectors.Fast} {
		b.Run(name, func(b *testing.B) {
			bmc, target := serve(b, duo(true))
			s := open(b, target)
			s.Poll(context.Background(), collectors.Full)
			before := bmc.Requests()
			for b.Loop() {
				if snap := s.Poll(context.Background(), scope); !snap.Reachable {
					b.Fatal(snap.Errors)
				}
			}
			b.ReportMetric(float64(bmc.Requests()-before)/float64(b.N), "requests/op")
		})
	}
}
