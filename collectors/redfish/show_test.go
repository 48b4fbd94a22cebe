package redfish

import (
	"fmt"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// show writes a snapshot for people, one part a line.
func show(s *snapshot.Snapshot) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v, %d requests, reachable %v\n", s.Device, s.Requests, s.Reachable)
	for _, c := range s.Components {
		fmt.Fprintf(&b, "  %s %s | %s | %s | %v | %v | %v\n", c.ID, how(c), c.Name, c.Why, c.Readings, c.Attributes, c.Aliases)
	}
	for _, c := range s.Claims {
		fmt.Fprintf(&b, "  claim %+v\n", c)
	}
	for _, l := range s.Links {
		fmt.Fprintf(&b, "  %s %s %s\n", l.From, l.Kind, l.To)
	}
	for _, e := range s.Errors {
		fmt.Fprintf(&b, "  error %+v\n", e)
	}
	return b.String()
}
