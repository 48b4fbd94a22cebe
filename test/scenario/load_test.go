package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// thing declares facts about components: "thing feed-[a-b] rated 16A 230V 3ph derate 0.9 phase L1 draws 400W mtbf 1000h".
func (w *world) thing(s string) error {
	f := words(s, "rated", "derate", "phase", "draws", "mtbf", "mttr")
	for _, name := range expand(strings.Fields(f[""])...) {
		c := topology.Component{ID: w.id(name), Phase: f["phase"]}
		var err error
		if c.Rating, err = quantities(f["rated"]); err != nil {
			return err
		}
		if c.Draws, err = quantities(f["draws"]); err != nil {
			return err
		}
		if f["derate"] != "" {
			c.Derate, err = strconv.ParseFloat(f["derate"], 64)
		}
		if f["mtbf"] != "" {
			c.Rate.MTBF, err = time.ParseDuration(f["mtbf"])
			c.Rate.MTTR = 24 * time.Hour
		}
		if f["mttr"] != "" {
			c.Rate.MTTR, err = time.ParseDuration(f["mttr"])
		}
		if err != nil {
			return err
		}
		w.model.Components = append(w.model.Components, c)
	}
	return nil
}

// quantities reads "16A 230V 3ph", "10kVA", "750W".
func quantities(s string) (*component.Rating, error) {
	if s == "" {
		return nil, nil //nolint:nilnil // nothing is said
	}
	var r component.Rating
	for _, word := range strings.Fields(s) {
		if n, ok := strings.CutSuffix(word, "ph"); ok {
			r.Phases = number(n)
			continue
		}
		v, unit, err := quantity(word)
		if err != nil {
			return nil, err
		}
		switch unit {
		case "A":
			r.Amps = v
		case "V":
			r.Volts = v
		case "VA":
			r.VA = v
		case "W":
			r.Watts = v
		case "bit":
			r.Bits = v
		default:
			return nil, fmt.Errorf("no such unit: %s", word)
		}
	}
	return &r, nil
}

func quantity(word string) (v float64, unit string, err error) {
	i := strings.IndexFunc(word, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if i < 0 {
		i = len(word) // a number alone
	}
	if i == 0 {
		return 0, "", fmt.Errorf("%q is no quantity", word)
	}
	v, err = strconv.ParseFloat(word[:i], 64)
	unit = word[i:]
	for prefix, by := range map[string]float64{"k": 1e3, "M": 1e6, "G": 1e9} {
		if rest, ok := strings.CutPrefix(unit, prefix); ok {
			return v * by, rest, err
		}
	}
	return v, unit, err
}

// reading is one measured value in a part's words: "power=300W", "current@L1=5A".
func reading(word string) (component.Reading, bool) {
	name, value, ok := strings.Cut(word, "=")
	if !ok {
		return component.Reading{}, false
	}
	v, unit, err := quantity(value)
	if err != nil {
		return component.Reading{}, false
	}
	name, phase, _ := strings.Cut(name, "@")
	return component.Reading{Name: name, Unit: unit, Phase: phase, Value: component.Value(v)}, true
}

// expectLoad compares what every single failure would make of an element: "expect load feed-b 109% without feed-a trips now 55%".
func (w *world) expectLoad(s string) error {
	f := words(s, "without", "now", "headroom", "on")
	name, rest, _ := strings.Cut(f[""], " ")
	id := w.id(name)
	i := slices.IndexFunc(w.report.Capacity.Elements, func(v engine.Failover) bool { return v.ID == id })
	if i < 0 {
		if rest == "unknown" {
			return nil
		}
		return fmt.Errorf("nothing is known of the load of %s; not given: %s", id, strings.Join(w.report.Capacity.NotGiven, "; "))
	}
	v := w.report.Capacity.Elements[i]
	got := percent(v.After.Ratio)
	if float64(v.After.Most) > float64(v.After.Ratio)*1.005 {
		got += "-" + percent(v.After.Most)
	}
	without, trips := strings.CutSuffix(f["without"], " trips")
	f["without"] = without
	if _, asked := f["without"]; asked && without != "" {
		f["without"] = string(w.id(without))
	}
	if strings.TrimSpace(rest) != got {
		return fmt.Errorf("%s would be %s full, want %s (%s; without %s)", id, got, rest, v.After.Words(), v.Lost)
	}
	if trips != v.Trips {
		return fmt.Errorf("%s trips: %v", id, v.Trips)
	}
	return firstError(check("without", f, string(v.Lost)), check("now", f, percent(v.Now.Ratio)), check("on", f, v.After.Leg),
		check("headroom", f, fmt.Sprintf("%.0fVA", *v.HeadroomVA)))
}

func percent(v component.Value) string {
	if !v.Known() {
		return "unknown"
	}
	return fmt.Sprintf("%.0f%%", 100*float64(v))
}

// expectRoom compares how much more may be installed: "expect room pdu-a, pdu-b: 1200VA by feed-b".
func (w *world) expectRoom(s string) error {
	on, want, _ := strings.Cut(s, ":")
	var ids []string
	for _, name := range list(on) {
		ids = append(ids, string(w.id(name)))
	}
	for _, h := range w.report.Capacity.Headroom {
		if join(h.On) != strings.Join(ids, ", ") {
			continue
		}
		va, by, _ := strings.Cut(strings.TrimSpace(want), " by ")
		if got := fmt.Sprintf("%.0fVA", h.VA); got != va || by != "" && w.id(by) != h.By {
			return fmt.Errorf("on %s there is room for %s, limited by %s, want %s", on, got, h.By, want)
		}
		return nil
	}
	return fmt.Errorf("nothing is said of the room on %s: %+v", on, w.report.Capacity.Headroom)
}

// expectNotGiven wants a text among the answers that are not given.
func (w *world) expectNotGiven(s string) error {
	all := strings.Join(w.report.Capacity.NotGiven, "\n\t\t")
	for _, t := range quoted.FindAllStringSubmatch(s, -1) {
		if !strings.Contains(all, t[1]) {
			return fmt.Errorf("it is not said that %q is not given; said is\n\t\t%s", t[1], all)
		}
	}
	return nil
}

// overload tries what would carry too much: "overload A, B: feed-b trips, pdu-b/inlet/1 109%" or "overload A: nothing".
func (w *world) overload(s string) error {
	what, want, _ := strings.Cut(s, ":")
	sim, err := w.engine.Simulate(w.ids(what))
	if err != nil {
		return err
	}
	var got, lost []string
	for _, o := range sim.Overloaded {
		how := percent(o.After.Ratio)
		if o.Trips {
			how = "trips"
		} else if o.MayTrip {
			how = "may trip"
		}
		got = append(got, string(o.ID)+" "+how)
	}
	want, down, _ := strings.Cut(want, "; down")
	for _, c := range sim.Services {
		if c.ByOverload {
			lost = append(lost, c.Name)
		}
	}
	var wanted []string
	for _, part := range list(strings.TrimSpace(want)) {
		if part == "nothing" {
			continue
		}
		name, how, _ := strings.Cut(part, " ")
		wanted = append(wanted, string(w.id(name))+" "+how)
	}
	return firstError(same("overloaded", wanted, got), same("down by overload", list(strings.TrimSpace(down)), lost))
}

// cuts compares what the structure survives and the load does not: "overcuts shop: feed-a; feed-b + srv-1/psu/1".
func (w *world) overcuts(s string) error {
	of, want, _ := strings.Cut(s, ":")
	c, err := w.engine.Cuts(component.ID(strings.TrimSpace(of)), 2, 1000)
	if err != nil {
		return err
	}
	var got, wanted []string
	for _, o := range c.Overload {
		got = append(got, strings.Join(o.Fail, " + "))
	}
	for _, set := range strings.Split(want, ";") {
		var ids []string
		for _, name := range strings.Split(set, " + ") {
			if name = strings.TrimSpace(name); name != "" && name != "nothing" {
				ids = append(ids, string(w.id(name)))
			}
		}
		slices.Sort(ids)
		if len(ids) > 0 {
			wanted = append(wanted, strings.Join(ids, " + "))
		}
	}
	return same("cut by overload", wanted, got)
}
