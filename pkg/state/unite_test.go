package state

import (
	"fmt"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// node is a machine with two supplies whose serial numbers are given.
func node(name string, serials ...string) *snapshot.Snapshot {
	sn := &snapshot.Snapshot{Target: "redfish://" + name, Device: snapshot.Device{Name: name, Serial: "SN-" + name}, At: noon, Reachable: true,
		Components: []component.Component{{ID: component.NewID(name, component.Host, "1"), Kind: component.Host, Status: component.Status{Condition: component.OK}}}}
	for i, serial := range serials {
		sn.Components = append(sn.Components, component.Component{ID: component.NewID(name, component.PSU, fmt.Sprint(i+1)), Kind: component.PSU,
			Status: component.Status{Condition: component.OK}, Attributes: map[string]string{component.Serial: serial}})
	}
	return sn
}

func nodes(n int) *Store {
	var targets []Target
	for i := range n {
		name := fmt.Sprintf("node-%04d", i)
		targets = append(targets, Target{URL: "redfish://" + name, Device: name, Interval: 15 * time.Second})
	}
	return New(targets)
}

func TestEnclosureOverReloadAndRestart(t *testing.T) {
	old := nodes(2)
	for i := range 2 {
		old.Apply(node(fmt.Sprintf("node-%04d", i), "D4711", "D4712"))
	}
	const enclosure = "enclosure-of-node-0000"
	check := func(s *Store, when string) {
		t.Helper()
		d := s.Device(enclosure)
		if d == nil || len(d.Parts) != 2 || !d.Made || len(d.Carries) != 2 || !d.Read {
			t.Fatalf("%s: the enclosure is %+v", when, d)
		}
		for i := range 2 {
			if n := s.Device(fmt.Sprintf("node-%04d", i)); len(n.Parts) != 1 || len(n.Moved) != 2 {
				t.Errorf("%s: %s has %+v, moved %v", when, n.Name, n.Parts, n.Moved)
			}
		}
	}
	check(old, "at first")
	if old.Seen(enclosure).Working == nil {
		t.Error("nothing is remembered of the enclosure's supplies")
	}
	reloaded := nodes(2)
	reloaded.Adopt(old)
	check(reloaded, "after a reload")
	restarted := nodes(2)
	restarted.Restore(map[string]Seen{enclosure: old.Seen(enclosure)})
	for i := range 2 {
		restarted.RestoreLast(node(fmt.Sprintf("node-%04d", i), "D4711", "D4712"))
		restarted.Apply(node(fmt.Sprintf("node-%04d", i), "D4711", "D4712"))
	}
	check(restarted, "after a restart")
	if p := restarted.Device(enclosure).Part(enclosure + "/psu/1"); p == nil || p.Worked.IsZero() {
		t.Errorf("after a restart: %+v", p)
	}
	// A machine goes into another enclosure: what is left is a machine with supplies of its own.
	restarted.Apply(node("node-0001", "X4711", "X4712"))
	if restarted.Device(enclosure) != nil || len(restarted.Device("node-0000").Parts) != 3 {
		t.Errorf("after a machine left: %+v", restarted.Device("node-0000").Parts)
	}
}

// TestTooManyShare: a serial number that very many give is a dummy, and nothing is shared by it.
func TestTooManyShare(t *testing.T) {
	const n = mostShared + 10
	s := nodes(n)
	for i := range n {
		s.Apply(node(fmt.Sprintf("node-%04d", i), "D4711", "D4712"))
	}
	for _, name := range s.Devices() {
		if d := s.Device(name); d.Made || len(d.Parts) != 3 {
			t.Fatalf("%s: %d parts, moved %v", name, len(d.Parts), d.Moved)
		}
	}
}

// BenchmarkApply is one poll of one of 10,000 machines: of such that share nothing, and of such that share their supplies by
// fours.
func BenchmarkApply(b *testing.B) {
	for _, by := range []int{1, 4} {
		b.Run(fmt.Sprintf("shared by %d", by), func(b *testing.B) {
			const n = 10_000
			s := nodes(n)
			var polls []*snapshot.Snapshot
			for i := range n {
				polls = append(polls, node(fmt.Sprintf("node-%04d", i), fmt.Sprintf("D%d-1", i/by), fmt.Sprintf("D%d-2", i/by)))
				s.Apply(polls[i])
			}
			s.Touched()
			i := 0
			for b.Loop() {
				s.Apply(polls[i%n])
				s.Touched()
				i++
			}
		})
	}
}
