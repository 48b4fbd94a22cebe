package app

import (
	"testing"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/lab"
)

// TestFault: a script breaks things and repairs them; what is touched once cannot be told apart from doing nothing.
func TestFault(t *testing.T) {
	steps := []lab.Step{{}, {About: "a"}, {About: "a"}, {About: "b"}, {About: "c"}, {About: "a"}, {About: "c"}, {About: "a"}, {}}
	want := []what{nothing, breaks, repairs, nothing, breaks, breaks, repairs, repairs, nothing}
	for i := range steps {
		if got := fault(steps, i); got != want[i] {
			t.Errorf("step %d: %d, want %d", i, got, want[i])
		}
	}
}

func TestBrokenAndWell(t *testing.T) {
	const psu, feed = "srv/psu/2", "lab/feed/feed-a"
	status := func(st engine.State, keys ...finding.Key) *api.Status {
		s := &api.Status{}
		s.Groups = []*engine.Group{{ID: "srv/group/psu", Members: []component.ID{"srv/psu/1", psu}, State: st}}
		for _, k := range keys {
			s.Incidents = append(s.Incidents, incident.Incident{Root: k})
			s.Findings = append(s.Findings, finding.Finding{Key: k, Rule: finding.ProviderLost, Subject: feed})
		}
		return s
	}
	const lostGroup, lostFeed = "redundancy-lost:srv/group/psu", "provider-lost:lab/feed/feed-a"
	for _, c := range []struct {
		name         string
		s            *api.Status
		about        component.ID
		broken, well bool
	}{
		{"a lost spare of which people are told", status(engine.Lost, lostGroup), psu, true, false},
		{"a lost spare of which nobody is told yet", status(engine.Lost), psu, false, false},
		{"not known", status(engine.StateUnknown, lostGroup), psu, false, false},
		{"the spare is back, the incident not over", status(engine.Full, lostGroup), psu, false, false},
		{"all over", status(engine.Full), psu, false, true},
		{"another thing is still wrong", status(engine.Full, "wrong-cabling:srv-9/psu/2"), psu, false, true},
		{"a feed is gone", status(engine.Lost, lostFeed), feed, true, false},
		{"a feed is back", status(engine.Full), feed, false, true},
	} {
		if got := broken(c.s, c.about); got != c.broken {
			t.Errorf("%s: broken %v", c.name, got)
		}
		if got := well(c.s, c.about); got != c.well {
			t.Errorf("%s: well %v", c.name, got)
		}
	}
}
