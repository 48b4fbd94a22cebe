package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

func TestStateOf(t *testing.T) {
	tests := []struct {
		designed, full, spares int
		want                   State
	}{
		{0, 0, 0, None},          // never meant to have one
		{0, 0, -1, Insufficient}, // and has too few
		{1, 1, 1, Full},
		{1, 1, 0, Lost},
		{1, 1, -1, Insufficient},
		{1, 0, 0, None}, // meant, and never there: false redundancy
		{2, 2, 1, Degraded},
		{2, 1, 1, Full}, // as full as it can be
		{2, 1, 0, Lost},
		{1, 3, 3, Full}, // more than was meant
		{-1, -1, -1, Insufficient},
	}
	for _, tt := range tests {
		if got := stateOf(tt.designed, tt.full, tt.spares); got != tt.want {
			t.Errorf("D %d, S0 %d, S %d: %s, want %s", tt.designed, tt.full, tt.spares, got, tt.want)
		}
	}
}

func TestBothWays(t *testing.T) {
	tests := []struct {
		best, worst, want State
		differ            bool
	}{
		{Full, Full, Full, false},
		{Full, Lost, StateUnknown, true},
		{None, Insufficient, StateUnknown, true},
		{Degraded, Lost, Degraded, true},
		{Lost, Insufficient, Lost, true},
		{Insufficient, Insufficient, Insufficient, false},
	}
	for _, tt := range tests {
		if got, differ := bothWays(tt.best, tt.worst); got != tt.want || differ != tt.differ {
			t.Errorf("best %s, worst %s: %s %v, want %s %v", tt.best, tt.worst, got, differ, tt.want, tt.differ)
		}
	}
}

// device reads a device from lines: "psu/1 ok", "psu/2 absent", and claims: "claim psu full N/M psu/1 psu/2".
func deviceOf(t *testing.T, lines string) *snapshot.Snapshot {
	t.Helper()
	sn := &snapshot.Snapshot{Target: "x://d", Device: snapshot.Device{Name: "d"}, At: start, Reachable: true}
	for _, line := range strings.Split(lines, ";") {
		f := strings.Fields(line)
		if f[0] == "claim" {
			c := snapshot.Claim{Group: component.ID("d/group/" + f[1]), State: snapshot.ClaimState(strings.Trim(f[2], "-"))}
			kind, _, _ := strings.Cut(f[1], "-")
			c.Kind = component.Kind(kind)
			fmt.Sscanf(f[3], "%d/%d", &c.Needed, &c.Designed)
			for _, m := range f[4:] {
				if m, ok := strings.CutPrefix(m, "->"); ok {
					c.Carries = component.ID("d/" + m)
					continue
				}
				c.Members = append(c.Members, component.ID("d/"+m))
			}
			sn.Claims = append(sn.Claims, c)
			continue
		}
		id := component.ID("d/" + f[0])
		c := component.Component{ID: id, Kind: id.Kind()}
		if err := c.Condition.UnmarshalText([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
		for _, word := range f[2:] {
			c.Rebuilding = c.Rebuilding || word == "rebuilding"
			c.InputLost = c.InputLost || word == "no-input"
			c.Standby = c.Standby || word == "standby"
		}
		sn.Components = append(sn.Components, c)
	}
	return sn
}

// TestJudge: what one poll of one device says of its groups. A group is written "id state spares needed/designed basis".
func TestJudge(t *testing.T) {
	tests := []struct {
		name, device, want string
	}{
		{"two supplies, no word of redundancy", "psu/1 ok; psu/2 ok", "psu full 1 1/2 assumed"},
		{"one has failed", "psu/1 ok; psu/2 failed", "psu lost 0 1/2 assumed"},
		{"both have", "psu/1 failed; psu/2 failed", "psu insufficient -1 1/2 assumed"},
		{"one has no input", "psu/1 ok; psu/2 ok no-input", "psu lost 0 1/2 assumed"},
		{"one in standby", "psu/1 ok; psu/2 ok standby", "psu full 1 1/2 assumed"},
		{"impaired works", "psu/1 ok; psu/2 impaired", "psu full 1 1/2 assumed"},
		{"one says nothing", "psu/1 ok; psu/2 unknown", "psu unknown - 1/2 assumed"},
		{"neither says anything", "psu/1 unknown; psu/2 unknown", "psu unknown - 1/2 assumed"},
		{"an empty bay never counted", "psu/1 ok; psu/2 absent", "psu none 0 1/1 assumed"},
		{"empty, and the device misses it", "psu/1 ok; psu/2 absent; claim psu lost 1/2 psu/1 psu/2", "psu lost 0 1/2 claimed"},
		{"empty, missed, and no number said", "psu/1 ok; psu/2 absent; claim psu lost 0/0 psu/1 psu/2", "psu lost 0 1/2 assumed"},
		{"four bays, two filled, whole", "psu/1 ok; psu/2 ok; psu/3 absent; psu/4 absent; claim psu full 1/4 psu/1 psu/2 psu/3 psu/4", "psu full 1 1/2 claimed"},
		{"four bays, two filled, one failed: that is what is missing", "psu/1 ok; psu/2 failed; psu/3 absent; psu/4 absent; claim psu lost 1/0 psu/1 psu/2 psu/3 psu/4", "psu lost 0 1/2 claimed"},
		{"configured without redundancy", "psu/1 ok; psu/2 ok; claim psu not-redundant 0/0 psu/1 psu/2", "psu none 0 2/2 claimed"},
		{"two and two", "psu/1 ok; psu/2 ok; psu/3 ok; psu/4 failed; claim psu degraded 2/4 psu/1 psu/2 psu/3 psu/4", "psu degraded 1 2/4 claimed"},
		{"degraded, and no number said: some spare must be left", "psu/1 ok; psu/2 ok; psu/3 ok; psu/4 failed; claim psu degraded 0/0 psu/1 psu/2 psu/3 psu/4", "psu degraded 1 2/4 assumed"},
		{"two domains of two", "psu/1 ok; psu/2 ok; psu/3 ok; psu/4 failed; claim psu-system full 1/2 psu/1 psu/2; claim psu-gpu lost 1/2 psu/3 psu/4", "psu-gpu lost 0 1/2 claimed; psu-system full 1 1/2 claimed"},
		{"one claim of two sources", "psu/1 ok; psu/2 ok; claim psu full 1/2 psu/1 psu/2; claim psu-x full 1/2 psu/2 psu/1", "psu full 1 1/2 claimed"},
		{"a supply that the claim leaves out", "psu/1 ok; psu/2 ok; claim psu full 1/2 psu/1", "psu full 1 1/2 claimed"},
		{"a claim of parts that are not there", "psu/1 ok; claim psu full 1/2 psu/8 psu/9", ""},
		{"a claim without members", "claim psu full 1/4", ""},
		{"fans without a word", "fan/1 ok; fan/2 ok; fan/3 ok", ""},
		{"fans with a claim without state or number", "fan/1 ok; fan/2 ok; claim fan - 0/0 fan/1 fan/2", ""},
		{"fans with a number", "fan/1 ok; fan/2 ok; fan/3 failed; claim fan lost 2/3 fan/1 fan/2 fan/3", "fan lost 0 2/3 claimed"},
		{"a stripe set has no spare", "drive/0 ok; drive/1 ok; volume/0 ok; claim drive-0 full 2/2 drive/0 drive/1 ->volume/0", "drive-0 none 0 2/2 claimed"},
		{"a double parity array less one", "drive/0 ok; drive/1 ok; drive/2 ok; drive/3 failed; volume/0 impaired; claim drive-0 degraded 2/4 drive/0 drive/1 drive/2 drive/3 ->volume/0", "drive-0 degraded 1 2/4 claimed"},
		{"a drive of the array is not listed any more", "drive/0 ok; drive/1 ok; volume/0 impaired; claim drive-0 lost 2/3 drive/0 drive/1 ->volume/0", "drive-0 lost 0 2/3 claimed"},
		{"a rebuilding drive does not count", "drive/0 ok; drive/1 ok rebuilding; volume/0 impaired; claim drive-0 lost 1/2 drive/0 drive/1 ->volume/0", "drive-0 lost 0 1/2 claimed"},
		{"rectifiers are supplies", "rectifier/1 ok; rectifier/2 ok; rectifier/3 ok", "rectifier full 1 2/3 assumed"},
		{"a claim that asks for more than there are", "psu/1 ok; psu/2 ok; claim psu full 4/4 psu/1 psu/2", "psu none 0 2/2 claimed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, g := range Judge(deviceOf(t, tt.device)) {
				spares := "-"
				if g.Spares != nil {
					spares = fmt.Sprint(*g.Spares)
				}
				got = append(got, fmt.Sprintf("%s %s %s %d/%d %s", g.ID.Local(), g.State, spares, g.Needed, g.Designed, g.Basis))
			}
			if s := strings.Join(got, "; "); s != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.device, s, tt.want)
			}
		})
	}
}

// TestDeepAndWide: neither a chain of 100,000 providers nor a fan-in of everything overflows a stack or takes for ever.
func TestDeepAndWide(t *testing.T) {
	const n = 100_000
	id := func(i int) component.ID { return component.ID(fmt.Sprintf("s/feed/%d", i)) }
	m := topology.Model{Site: "s", Services: []topology.Service{{ID: "s/service/deep", Name: "deep", Needs: topology.Need{ID: "h/host/1"}}}}
	for i := range n {
		m.Links = append(m.Links, topology.Link{Link: component.Link{From: id(i), To: id(i + 1), Kind: component.Feeds}})
	}
	m.Links = append(m.Links, topology.Link{Link: component.Link{From: id(n), To: "h/psu/1", Kind: component.Feeds}})
	all := topology.Need{AtLeast: 1}
	for i := range n / 10 {
		all.Of = append(all.Of, topology.Need{ID: id(i)})
	}
	m.Services = append(m.Services, topology.Service{ID: "s/service/wide", Name: "wide", Needs: all})
	e, err := New(&m, Options{Settle: 1})
	if err != nil {
		t.Fatal(err)
	}
	store := state.New([]state.Target{{URL: "x://h", Device: "h"}})
	store.Apply(&snapshot.Snapshot{Target: "x://h", Device: snapshot.Device{Name: "h"}, Reachable: true, At: start,
		Components: []component.Component{{ID: "h/psu/1", Kind: component.PSU, Status: component.Status{Condition: component.OK, InputLost: true}}}})
	e.Update(store.Device("h"))
	e.Evaluate(start)
	r, _ := e.Evaluate(start.Add(time.Minute))
	if s := r.Services[0]; s.State != Insufficient || s.Name != "deep" {
		t.Errorf("%s is %s", s.Name, s.State)
	}
	if f := r.Findings[0]; f.Rule != finding.InputLost {
		t.Errorf("first finding: %s", f.Key)
	}
}

// TestDeviceLoops: what a device says of its inside closes a loop; its word is left out, and the others are judged.
func TestDeviceLoops(t *testing.T) {
	e, err := New(&topology.Model{Site: "s", Observed: []string{"d"}}, Options{Settle: 1})
	if err != nil {
		t.Fatal(err)
	}
	sn := deviceOf(t, "psu/1 ok; psu/2 ok; bank/1 ok; bank/2 ok")
	sn.Links = []component.Link{{From: "d/bank/1", To: "d/bank/2", Kind: component.Feeds}, {From: "d/bank/2", To: "d/bank/1", Kind: component.Feeds}}
	store := state.New([]state.Target{{URL: "x://d", Device: "d"}})
	store.Apply(sn)
	e.Update(store.Device("d"))
	r, _ := e.Evaluate(start)
	if len(r.Groups) != 1 || r.Groups[0].State != Full {
		t.Errorf("groups %+v", r.Groups)
	}
	if len(r.Findings) == 0 || r.Findings[0].Rule != finding.ModelMistake || !strings.Contains(r.Findings[0].Summary, "loop") {
		t.Errorf("findings %+v", r.Findings)
	}
}

// TestHoldTime: a rule with a hold time is told of when its condition stood that long.
func TestHoldTime(t *testing.T) {
	e, err := New(&topology.Model{Observed: []string{"d"}}, Options{Settle: 1, Hold: map[finding.Rule]time.Duration{finding.RedundancyLost: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	store := state.New([]state.Target{{URL: "x://d", Device: "d"}})
	store.Apply(deviceOf(t, "psu/1 ok; psu/2 failed"))
	e.Update(store.Device("d"))
	for _, at := range []time.Duration{0, 30 * time.Second} {
		r, _ := e.Evaluate(start.Add(at))
		if len(r.Findings) != 0 || r.Waiting == 0 || r.Groups[0].State != Lost {
			t.Errorf("after %v: %d findings, %d waiting, %s", at, len(r.Findings), r.Waiting, r.Groups[0].State)
		}
	}
	if r, _ := e.Evaluate(start.Add(61 * time.Second)); len(r.Findings) != 1 || r.Waiting != 0 {
		t.Errorf("after the hold time: %+v", r.Findings)
	}
}
