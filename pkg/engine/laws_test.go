package engine

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// loadedHall is a small hall whose servers draw power and whose feeds are rated; rename writes every name.
func loadedHall(rename func(string) string) *hall {
	h := newHall(450)
	out := &hall{model: topology.Model{Site: "s"}, devices: map[string]*snapshot.Snapshot{}}
	id := func(i component.ID) component.ID { return component.ID(rename(string(i))) }
	for _, l := range h.model.Links {
		out.model.Links = append(out.model.Links, topology.Link{Link: component.Link{From: id(l.From), To: id(l.To), Kind: l.Kind}})
	}
	for _, side := range []string{"a", "b"} {
		out.model.Components = append(out.model.Components, topology.Component{ID: id(component.ID("s/feed/0-" + side)), Rating: &component.Rating{VA: 13_000}})
	}
	for _, s := range h.model.Services {
		s.ID, s.Name, s.Needs.ID = id(s.ID), rename(s.Name), id(s.Needs.ID)
		out.model.Services = append(out.model.Services, s)
	}
	for _, name := range h.model.Observed {
		sn := *h.devices[name]
		sn.Device.Name = rename(name)
		sn.Target = "x://" + sn.Device.Name
		sn.Components = slices.Clone(sn.Components)
		for i := range sn.Components {
			c := &sn.Components[i]
			if c.ID = id(c.ID); c.Kind == component.PSU {
				c.Readings = []component.Reading{{Name: "apparent_power", Unit: "VA", Value: 200}, {Name: "input_power", Unit: "W", Value: 190}}
			}
		}
		sn.Claims = slices.Clone(sn.Claims)
		for i := range sn.Claims {
			c := &sn.Claims[i]
			c.Group, c.Carries = id(c.Group), id(c.Carries)
			c.Members = slices.Clone(c.Members)
			for j := range c.Members {
				c.Members[j] = id(c.Members[j])
			}
		}
		out.devices[sn.Device.Name] = &sn
		out.model.Observed = append(out.model.Observed, sn.Device.Name)
	}
	return out
}

func same(s string) string { return s }

// viewOf is a device with some of its parts failed.
func (h *hall) viewOf(name string, failed map[component.ID]bool) *state.Device {
	sn := *h.devices[name]
	sn.Components = slices.Clone(sn.Components)
	for i := range sn.Components {
		if failed[sn.Components[i].ID] {
			sn.Components[i].Condition = component.Failed
		}
	}
	store := state.New([]state.Target{{URL: sn.Target, Device: name}})
	store.Apply(&sn)
	return store.Device(name)
}

// said is all of a report but when it was made, with the loads.
func said(t *testing.T, r *Report) string {
	t.Helper()
	quiet := *r
	quiet.At = time.Time{}
	b, err := json.Marshal(quiet)
	if err != nil {
		t.Fatal(err)
	}
	return since.ReplaceAllString(string(b), "") // a finding that came back is a new one
}

var since = regexp.MustCompile(`"since":"[^"]*",`)

// After a thousand changes verdicts and loads are those of an engine that hears only the last word; and when all is
// repaired the report is the first one, byte for byte.
func TestThousandChangesAndBack(t *testing.T) {
	h := loadedHall(same)
	e := h.engine(t)
	now := start.Add(2 * time.Minute)
	first, _ := e.Evaluate(now)
	before := said(t, first)
	rng := rand.New(rand.NewPCG(6, 28))
	failed := map[component.ID]bool{}
	names := slices.Clone(h.model.Observed)
	check := func() {
		t.Helper()
		got, _ := e.Evaluate(now)
		fresh := h.engine(t)
		for _, name := range names {
			fresh.Update(h.viewOf(name, failed))
		}
		want, _ := fresh.Evaluate(now)
		if a, b := verdicts(got), verdicts(want); a != b {
			t.Fatalf("after changes:\n%s\nfrom scratch:\n%s", a, b)
		}
		if a, b := fmt.Sprint(loads(got)), fmt.Sprint(loads(want)); a != b {
			t.Fatalf("after changes:\n%s\nfrom scratch:\n%s", a, b)
		}
	}
	for i := range 1000 {
		name := names[rng.IntN(len(names))]
		parts := h.devices[name].Components
		id := parts[rng.IntN(len(parts))].ID
		if failed[id] || rng.IntN(3) > 0 && len(failed) > 30 {
			for back := range failed {
				id = back
				break
			}
			delete(failed, id)
			name = id.Device()
		} else {
			failed[id] = true
		}
		e.Update(h.viewOf(name, failed))
		now = now.Add(time.Second)
		e.Step(now)
		if i%250 == 249 {
			check()
		}
	}
	for id := range failed {
		delete(failed, id)
		e.Update(h.viewOf(id.Device(), failed))
	}
	now = now.Add(time.Minute)
	e.Evaluate(now)
	last, _ := e.Evaluate(now.Add(time.Minute))
	if after := said(t, last); after != before {
		i := 0
		for i < min(len(after), len(before)) && after[i] == before[i] {
			i++
		}
		t.Errorf("repaired: ...%.300s\nbefore: ...%.300s", after[max(0, i-100):], before[max(0, i-100):])
	}
}

// loads are what is said of the loads, rounded.
func loads(r *Report) []string {
	var list []string
	for _, v := range r.Capacity.Elements {
		list = append(list, fmt.Sprintf("%s now %.6f after %.6f without %s trips %v", v.ID, v.Now.Ratio, v.After.Ratio, v.Lost, v.Trips))
	}
	for _, h := range r.Capacity.Headroom {
		on := slices.Clone(h.On)
		slices.Sort(on)
		list = append(list, fmt.Sprintf("room %.3f on %d", h.VA, len(on)))
	}
	return list
}

// Names mean nothing: with others everything is the same, and in another order.
func TestRenamingChangesNothing(t *testing.T) {
	there := strings.NewReplacer("srv-", "machine-", "pdu-", "a-strip-", "s/feed/0-a", "s/feed/x", "s/feed/0-b", "s/feed/y")
	back := strings.NewReplacer("machine-", "srv-", "a-strip-", "pdu-", "s/feed/x", "s/feed/0-a", "s/feed/y", "s/feed/0-b")
	lines := func(h *hall, failed map[component.ID]bool, rename func(string) string) []string {
		e := h.engine(t)
		for _, name := range h.model.Observed {
			e.Update(h.viewOf(name, failed))
		}
		r, _ := e.Evaluate(start.Add(time.Hour))
		var all []string
		for i := range r.Services {
			s := r.Services[i]
			for j := range s.Weakest {
				for k := range s.Weakest[j] {
					s.Weakest[j][k] = component.ID(rename(string(s.Weakest[j][k])))
				}
				slices.Sort(s.Weakest[j])
			}
			slices.SortFunc(s.Weakest, slices.Compare)
		}
		for line := range strings.Lines(verdicts(r)) {
			all = append(all, rename(line))
		}
		for _, line := range loads(r) {
			all = append(all, rename(strings.Split(line, " without ")[0])) // of equal causes one is named
		}
		slices.Sort(all)
		return all
	}
	a, b := loadedHall(same), loadedHall(there.Replace)
	for _, down := range [][]component.ID{nil, {"pdu-0-a/pdu/1"}, {"srv-0-3/psu/1", "srv-1-4/psu/2", "srv-0-7/drive/1"}, {"srv-0-3/host/1"}} {
		inA, inB := map[component.ID]bool{}, map[component.ID]bool{}
		for _, id := range down {
			inA[id], inB[component.ID(there.Replace(string(id)))] = true, true
		}
		x, y := lines(a, inA, same), lines(b, inB, back.Replace)
		for i := range min(len(x), len(y)) {
			if x[i] != y[i] {
				t.Fatalf("%v: %q, renamed %q", down, x[i], y[i])
			}
		}
		if len(x) != len(y) {
			t.Fatalf("%v: %d lines, renamed %d", down, len(x), len(y))
		}
	}
}
