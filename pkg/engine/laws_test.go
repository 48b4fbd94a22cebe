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

// loadedHall is a small hall whose servers draw power and whose feeds are rated, with servers of one supply behind a transfer
// switch, and work announced on a pdu; rename writes every name.
func loadedHall(rename func(string) string) *hall {
	h := newHall(450)
	h.addSwitched()
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
		s.Needs.Of = slices.Clone(s.Needs.Of)
		for i := range s.Needs.Of {
			s.Needs.Of[i].ID = id(s.Needs.Of[i].ID)
		}
		out.model.Services = append(out.model.Services, s)
	}
	out.model.Work = []topology.Work{{What: []component.ID{id("pdu-1-b/pdu/1")}, From: start.Add(8 * time.Minute), To: start.Add(12 * time.Minute)}}
	out.model.Lead = time.Minute
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

// addSwitched adds a transfer switch on both feeds, and servers with one supply that hang on it.
func (h *hall) addSwitched() {
	h.device("ats-0", "ats/1", "inlet/1", "inlet/2", "outlet/1", "outlet/2")
	h.link("s/feed/0-a", "ats-0/inlet/1")
	h.link("s/feed/0-b", "ats-0/inlet/2")
	for i := 1; i <= 2; i++ {
		name := fmt.Sprintf("lone-%d", i)
		h.device(name, "host/1", "psu/1")
		h.link(fmt.Sprintf("ats-0/outlet/%d", i), name+"/psu/1")
		svc := component.ID("s/service/" + name)
		h.model.Services = append(h.model.Services, topology.Service{ID: svc, Name: svc.Local(), Needs: topology.Need{AtLeast: 1, Of: []topology.Need{
			{ID: component.ID(name + "/host/1")}, {ID: component.ID(fmt.Sprintf("srv-0-%d/host/1", i))}}}})
	}
}

func same(s string) string { return s }

// unlike is how a part is otherwise than it should be.
type unlike uint8

const (
	fallen unlike = iota + 1
	omen          // says that it will fail
	gone          // is not listed
	unlikes
)

// viewOf is a device with some of its parts otherwise than they should be.
func (h *hall) viewOf(name string, parts map[component.ID]unlike) *state.Device {
	sn := *h.devices[name]
	sn.Components = slices.Clone(sn.Components)
	for i := range sn.Components {
		switch c := &sn.Components[i]; parts[c.ID] {
		case fallen:
			c.Condition = component.Failed
		case omen:
			c.Predicted = true
		}
	}
	sn.Components = slices.DeleteFunc(sn.Components, func(c component.Component) bool { return parts[c.ID] == gone })
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

// After a thousand changes (parts that fail, that say they will, that are no longer listed; work that begins and ends; the
// configuration loaded anew now and then) verdicts and loads are those of an engine that hears only the last word; and when
// all is repaired the report is the first one, byte for byte.
func TestThousandChangesAndBack(t *testing.T) {
	h := loadedHall(same)
	e := h.engine(t)
	now := start.Add(2 * time.Minute)
	services := h.model.Services
	first, _ := e.Evaluate(now)
	before := said(t, first)
	rng := rand.New(rand.NewPCG(6, 28))
	failed := map[component.ID]unlike{}
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
		if failed[id] != 0 || rng.IntN(3) > 0 && len(failed) > 30 {
			for back := range failed {
				id = back
				break
			}
			delete(failed, id)
			name = id.Device()
		} else {
			failed[id] = 1 + unlike(rng.IntN(int(unlikes)-1))
		}
		e.Update(h.viewOf(name, failed))
		now = now.Add(time.Second)
		e.Step(now)
		if i%333 == 332 { // with one service more, then without it, and so on
			h.model.Services = services[:len(services)-(i/333+1)%2]
			e = h.reload(t, e, now, failed)
		}
		if i%250 == 249 {
			check()
		}
	}
	for id := range failed {
		delete(failed, id)
		e.Update(h.viewOf(id.Device(), failed))
	}
	now = now.Add(time.Minute)
	h.model.Services = services
	e = h.reload(t, e, now, failed)
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

// Whatever fails, nothing has more spares after it, in no domain, nor would it with all gone that says it will fail.
func TestFailureRaisesNoSpares(t *testing.T) {
	h := loadedHall(same)
	rng := rand.New(rand.NewPCG(9, 1))
	for range 3 {
		e, down, now := h.engine(t), map[component.ID]unlike{}, start.Add(time.Hour)
		before, _ := e.Evaluate(now)
		for range 40 {
			name := h.model.Observed[rng.IntN(len(h.model.Observed))]
			parts := h.devices[name].Components
			down[parts[rng.IntN(len(parts))].ID] = fallen
			e.Update(h.viewOf(name, down))
			now = now.Add(time.Minute)
			after, _ := e.Evaluate(now)
			was, is := sparesOf(before), sparesOf(after)
			for what, n := range is {
				if n > was[what] {
					t.Fatalf("%s has %d spares, and had %d before %s failed", what, n, was[what], name)
				}
			}
			before = after
		}
	}
}

// sparesOf are all numbers of spares, now and predicted; where there is no number they are many.
func sparesOf(r *Report) map[string]int {
	all := map[string]int{}
	note := func(what string, p *int) {
		if all[what] = 1 << 20; p != nil {
			all[what] = *p
		}
	}
	for _, g := range r.Groups {
		note(string(g.ID), g.Spares)
		note(string(g.ID)+" predicted", g.Predicted)
	}
	for _, s := range r.Services {
		note(string(s.ID), s.Spares)
		note(string(s.ID)+" predicted", s.Predicted)
		for d, by := range s.By {
			note(string(s.ID)+" "+string(d), by.Spares)
			note(string(s.ID)+" "+string(d)+" predicted", by.Predicted)
		}
	}
	return all
}

// reload makes a new engine of the same model, as a reload does.
func (h *hall) reload(t *testing.T, old *Engine, now time.Time, parts map[component.ID]unlike) *Engine {
	e := h.engine(t)
	for _, name := range h.model.Observed {
		e.Update(h.viewOf(name, parts))
	}
	report, _ := old.Evaluate(now)
	e.Resume(report.Findings)
	e.Step(now)
	return e
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
	there := strings.NewReplacer("lone-", "z-", "ats-", "b-", "srv-", "machine-", "pdu-", "a-strip-", "s/feed/0-a", "s/feed/x", "s/feed/0-b", "s/feed/y")
	back := strings.NewReplacer("z-", "lone-", "b-", "ats-", "machine-", "srv-", "a-strip-", "pdu-", "s/feed/x", "s/feed/0-a", "s/feed/y", "s/feed/0-b")
	lines := func(h *hall, failed map[component.ID]unlike, rename func(string) string) []string {
		e := h.engine(t)
		for _, name := range h.model.Observed {
			e.Update(h.viewOf(name, failed))
		}
		r, _ := e.Evaluate(start.Add(time.Hour))
		var all []string
		for i := range r.Services {
			s := r.Services[i]
			if s.Cuts > len(s.Weakest) {
				s.Weakest = nil // of equal ones some are named
			}
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
	for _, down := range [][]component.ID{nil, {"pdu-0-a/pdu/1"}, {"srv-0-3/psu/1", "srv-1-4/psu/2", "srv-0-7/drive/1"}, {"srv-0-3/host/1"}, {"ats-0/inlet/1", "lone-2/host/1"}, {"ats-0/ats/1"}} {
		inA, inB := map[component.ID]unlike{}, map[component.ID]unlike{}
		for _, id := range down {
			inA[id], inB[component.ID(there.Replace(string(id)))] = fallen, fallen
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
