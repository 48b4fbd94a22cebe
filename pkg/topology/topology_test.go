package topology

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

func links(lines ...string) []component.Link {
	var ls []component.Link
	for _, line := range lines {
		f := strings.Fields(line)
		ls = append(ls, component.Link{From: component.ID(f[0]), To: component.ID(f[2]), Kind: component.LinkKind(f[1])})
	}
	return ls
}

func declared(lines ...string) []Link {
	var ls []Link
	for _, l := range links(lines...) {
		ls = append(ls, Link{Link: l})
	}
	return ls
}

func found(ids ...string) []FoundComponent {
	var cs []FoundComponent
	for _, id := range ids {
		name, alias, _ := strings.Cut(id, "=")
		c := FoundComponent{ID: component.ID(name)}
		if alias != "" {
			c.Aliases = []string{alias}
		}
		cs = append(cs, c)
	}
	return cs
}

// TestRequirements says for each rule what still works when something fails.
func TestRequirements(t *testing.T) {
	tests := []struct {
		name  string
		model Model
		found Found
		top   component.ID
		fail  string // ids that are down
		works bool
	}{
		{"one live provider feeds", Model{Links: declared("s/feed/a feeds d/psu/1", "s/feed/b feeds d/psu/1")}, Found{}, "d/psu/1", "s/feed/a", true},
		{"no provider left", Model{Links: declared("s/feed/a feeds d/psu/1", "s/feed/b feeds d/psu/1")}, Found{}, "d/psu/1", "s/feed/a s/feed/b", false},
		{"conduits of one circuit stand in", Model{Links: declared("s/conduit/n carries s/circuit/1", "s/conduit/s carries s/circuit/1")}, Found{}, "s/circuit/1", "s/conduit/n", true},
		{"different kinds are all needed", Model{Links: declared("r/port/1 carries r/bgp_session/x", "s/circuit/1 carries r/bgp_session/x")}, Found{}, "r/bgp_session/x", "s/circuit/1", false},
		{"every container is needed", Model{Links: declared("e/enclosure/1 contains b/blade/1", "s/cooling/1 cools b/blade/1")}, Found{}, "b/blade/1", "e/enclosure/1", false},
		{"a single cooler is needed", Model{Links: declared("s/cooling/1 cools b/host/1")}, Found{}, "b/host/1", "s/cooling/1", false},
		{"of several coolers nobody knows", Model{Links: declared("s/cooling/1 cools b/host/1", "s/cooling/2 cools b/host/1")}, Found{}, "b/host/1", "s/cooling/1 s/cooling/2", true},
		{"neighbours mean nothing", Model{Links: declared("a/port/1 neighbour b/port/1")}, Found{}, "b/port/1", "a/port/1", true},
		{"a group carries", Model{}, Found{Groups: []Group{{ID: "d/group/psu", Members: []component.ID{"d/psu/1", "d/psu/2"}, Needed: 1, Carries: "d/host/1"}}}, "d/host/1", "d/psu/1", true},
		{"a group carries no more", Model{}, Found{Groups: []Group{{ID: "d/group/psu", Members: []component.ID{"d/psu/1", "d/psu/2"}, Needed: 1, Carries: "d/host/1"}}}, "d/host/1", "d/psu/1 d/psu/2", false},
		{"a group's members are no alternatives besides", Model{
			Groups: []Group{{ID: "s/group/ups", Members: []component.ID{"s/ups/1", "s/ups/2", "s/ups/3"}, Needed: 2}},
			Links:  declared("s/group/ups feeds s/feed/a", "s/ups/1 feeds s/feed/a"),
		}, Found{}, "s/feed/a", "s/ups/2 s/ups/3", false},
		{"a pdu hands on what its inlet gets", Model{Links: declared("s/feed/a feeds p/inlet/1", "p/outlet/1 feeds d/psu/1")}, Found{Components: found("p/pdu/1", "p/inlet/1", "p/outlet/1")}, "d/psu/1", "s/feed/a", false},
		{"a pdu's outlets need the pdu", Model{Links: declared("p/outlet/1 feeds d/psu/1")}, Found{Components: found("p/pdu/1", "p/outlet/1")}, "d/psu/1", "p/pdu/1", false},
		{"an outlet that is not listed needs its pdu", Model{Links: declared("p/outlet/9 feeds d/psu/1")}, Found{Components: found("p/pdu/1")}, "d/psu/1", "p/pdu/1", false},
		{"a pdu that was not read yet", Model{Links: declared("s/feed/a feeds p/inlet/1", "p/outlet/1 feeds d/psu/1")}, Found{}, "d/psu/1", "s/feed/a", false},
		{"the pdu beside a bank is no alternative to it", Model{Links: declared("p/outlet/1 feeds d/psu/1")}, Found{Components: found("p/pdu/1", "p/bank/1", "p/outlet/1"), Links: links("p/pdu/1 feeds p/outlet/1", "p/bank/1 feeds p/outlet/1")}, "d/psu/1", "p/bank/1", false},
		{"an outlet between two phases needs both", Model{}, Found{Components: found("p/pdu/1", "p/phase/L1", "p/phase/L2", "p/outlet/1"), Links: links("p/phase/L1 feeds p/outlet/1", "p/phase/L2 feeds p/outlet/1")}, "p/outlet/1", "p/phase/L2", false},
		{"a feed behind a ups and its external bypass", Model{Links: declared("s/ups/u feeds s/feed/f", "s/panel/bypass feeds s/feed/f")}, Found{}, "s/feed/f", "s/ups/u", true},
		{"a breaker behind two transfer switches", Model{Links: declared("s/ats/1 feeds s/breaker/f", "s/ats/2 feeds s/breaker/f")}, Found{}, "s/breaker/f", "s/ats/1", true},
		{"a transfer switch needs one source", Model{Links: declared("s/feed/a feeds x/inlet/1", "s/feed/b feeds x/inlet/2")}, Found{Components: found("x/ats/1", "x/inlet/1", "x/inlet/2", "x/outlet/1")}, "x/outlet/1", "s/feed/a", true},
		{"a transfer switch is one thing", Model{}, Found{Components: found("x/ats/1", "x/inlet/1", "x/inlet/2", "x/outlet/1")}, "x/outlet/1", "x/ats/1", false},
		{"a service of services", Model{Services: []Service{
			{ID: "s/service/in", Name: "in", Needs: Need{ID: "a/host/1"}},
			{ID: "s/service/out", Name: "out", Needs: Need{AtLeast: 1, Of: []Need{{ID: "s/service/in"}, {Of: []Need{{ID: "b/host/1"}, {ID: "c/host/1"}}}}}},
		}}, Found{}, "s/service/out", "a/host/1 c/host/1", false},
		{"a member that nobody can name", Model{}, Found{Groups: []Group{{ID: "d/group/drive", Members: []component.ID{"d/drive/1", "d/drive/2"}, Missing: 1, Needed: 2}}}, "d/group/drive", "d/drive/1", false},
		{"a link left out", Model{Links: declared("s/feed/a feeds d/psu/1")}, Found{Without: links("s/feed/a feeds d/psu/1")}, "d/psu/1", "s/feed/a", true},
		{"a guessed kind is corrected", Model{Links: declared("u/pdu/1 feeds s/feed/a")}, Found{Components: found("u/ups/1")}, "s/feed/a", "u/ups/1", false},
		{"an alias is the component", Model{Links: declared("s/feed/a feeds d/psu/PSU.Slot.1")}, Found{Components: found("d/host/1", "d/psu/1=PSU.Slot.1")}, "d/psu/1", "s/feed/a", false},
		{"a device's name is its main component", Model{Observed: []string{"d"}, Links: declared("d carries s/volume/x")}, Found{Components: found("d/host/1")}, "s/volume/x", "d/host/1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.model.Site = "s"
			g, err := Compile(&tt.model, tt.found)
			if err != nil {
				t.Fatal(err)
			}
			live := redundancy.NewLive(g.Structure)
			for _, n := range append(slices.Clone(g.Holds()), g.Missing()...) {
				live.SetFailed(n, true)
			}
			for _, id := range strings.Fields(tt.fail) {
				n, ok := g.Node(component.ID(id))
				if !ok {
					t.Fatalf("no node %s", id)
				}
				live.SetFailed(n, true)
			}
			n, ok := g.Node(tt.top)
			if !ok {
				t.Fatalf("no node %s", tt.top)
			}
			if got := live.Works(n); got != tt.works {
				t.Errorf("without %s %s works: %v, want %v", tt.fail, tt.top, got, tt.works)
			}
		})
	}
}

func TestHold(t *testing.T) {
	g, err := Compile(&Model{Site: "s", Links: declared("s/utility/grid feeds u/ups/1")}, Found{})
	if err != nil {
		t.Fatal(err)
	}
	ups, _ := g.Node("u/ups/1")
	grid, _ := g.Node("s/utility/grid")
	hold, ok := g.Hold(ups)
	if !ok {
		t.Fatal("a ups with a provider holds nothing")
	}
	live := redundancy.NewLive(g.Structure)
	live.SetFailed(hold, true)
	live.SetFailed(grid, true)
	if live.Works(ups) {
		t.Error("works without input and battery")
	}
	live.SetFailed(hold, false)
	if !live.Works(ups) {
		t.Error("does not hold")
	}
}

func TestMistakes(t *testing.T) {
	_, err := Compile(&Model{Site: "s", Links: declared("s/feed/a feeds p/pdu/1", "p/pdu/1 feeds u/ups/1", "u/ups/1 feeds s/feed/a")}, Found{})
	loop := (*LoopError)(nil)
	if !errors.As(err, &loop) || len(loop.IDs) != 3 {
		t.Fatalf("a loop: %v", err)
	}
	for _, id := range []component.ID{"s/feed/a", "p/pdu/1", "u/ups/1"} {
		if !strings.Contains(err.Error(), string(id)) {
			t.Errorf("the loop does not name %s: %v", id, err)
		}
	}
	for name, m := range map[string]Model{
		"k > n in a group":   {Groups: []Group{{ID: "s/group/x", Members: []component.ID{"a/host/1"}, Needed: 2, At: "f.yaml:7"}}},
		"k > n in a service": {Services: []Service{{ID: "s/service/x", Name: "x", At: "f.yaml:7", Needs: Need{AtLeast: 3, Of: []Need{{ID: "a/host/1"}}}}}},
		"a need of nothing":  {Services: []Service{{ID: "s/service/x", Name: "x", At: "f.yaml:7", Needs: Need{ID: "typo"}}}},
	} {
		m.Site = "s"
		if _, err := Compile(&m, Found{}); err == nil || !strings.HasPrefix(err.Error(), "f.yaml:7: ") {
			t.Errorf("%s: %v, want an error with the place", name, err)
		}
	}
}

func TestResolve(t *testing.T) {
	m := Model{
		Site: "ams1", Observed: []string{"srv-1", "srv-2", "pdu-a"},
		Links:    declared("ams1/feed/feed-a feeds pdu-a/inlet/1", "pdu-a/outlet/1 feeds srv-1/psu/1"),
		Services: []Service{{ID: "ams1/service/web", Name: "web", Needs: Need{ID: "srv-1"}}},
	}
	g, err := Compile(&m, Found{Components: found("srv-1/host/1", "srv-1/psu/1=PSU.Slot.1", "srv-1/psu/2=PSU.Slot.2", "srv-2/host/1", "srv-2/psu/1=PSU.Slot.1", "pdu-a/pdu/1", "pdu-a/inlet/1", "pdu-a/outlet/1")})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]component.ID{
		"srv-1/psu/1":          "srv-1/psu/1",
		"srv-1":                "srv-1/host/1",
		"pdu-a":                "pdu-a/pdu/1",
		"srv-1/psu/PSU.Slot.1": "srv-1/psu/1",
		"srv-1/PSU.Slot.2":     "srv-1/psu/2",
		"PSU.Slot.2":           "srv-1/psu/2",
		"feed-a":               "ams1/feed/feed-a",
		"web":                  "ams1/service/web",
		"inlet/1":              "pdu-a/inlet/1",
	} {
		if got, err := g.Resolve(name); got != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
	_, err = g.Resolve("PSU.Slot.1")
	unknown := (*UnknownNameError)(nil)
	if !errors.As(err, &unknown) || !slices.Equal(unknown.Candidates, []component.ID{"srv-1/psu/1", "srv-2/psu/1"}) {
		t.Errorf("a name of two: %v", err)
	}
	if _, err := g.Resolve("nowhere"); !errors.As(err, &unknown) || len(unknown.Candidates) != 0 {
		t.Errorf("a name of nothing: %v", err)
	}
	for name, near := range map[string]string{"fed-a": "feed-a", "wbe": "web", "srv-11": "srv-1", "PDU-B": "pdu-a", "ams1/feed/b": ""} {
		if _, err := g.Resolve(name); !errors.As(err, &unknown) || unknown.Near != near {
			t.Errorf("%s: %v; want near %q", name, err, near)
		}
	}
}

func TestBrief(t *testing.T) {
	m := Model{
		Site: "ams1", Observed: []string{"srv-1", "feed-b"},
		Links:    declared("ams1/feed/feed-a feeds srv-1/psu/1", "ams1/feed/feed-b feeds srv-1/psu/2", "ams1/generator/north feeds ams1/feed/feed-a"),
		Services: []Service{{ID: "ams1/service/web", Name: "web", Needs: Need{ID: "srv-1"}}},
	}
	g, err := Compile(&m, Found{Components: found("srv-1/host/1", "srv-1/psu/1", "srv-1/psu/2", "feed-b/feed/1")})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"ams1/feed/feed-a is gone (see ams1/feed/feed-a).": "feed-a is gone (see feed-a).",
		"by ams1/feed/feed-a, ams1/service/web":            "by feed-a, web",
		"ams1/generator/north.":                            "generator/north.",
		"ams1/feed/feed-ab, srv-1/psu/1":                   "ams1/feed/feed-ab, srv-1/psu/1",
		"http://ams1/feed/feed-a/x and xams1/feed/feed-a":  "http://ams1/feed/feed-a/x and xams1/feed/feed-a",
		"ams1": "ams1",
		"":     "",
	} {
		if got := g.Brief(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if name := g.Brief("ams1/feed/feed-b"); name != "feed-b" && name != "feed/feed-b" {
		t.Errorf("what a device is called, too: %q", name)
	} else if id, err := g.Resolve(name); err != nil || id != "ams1/feed/feed-b" {
		t.Errorf("%q is %v, %v", name, id, err)
	}
}

func TestPath(t *testing.T) {
	m := Model{Site: "s", Links: declared("s/feed/a feeds p/inlet/1", "p/outlet/1 feeds d/psu/1")}
	g, err := Compile(&m, Found{Components: found("p/pdu/1", "p/inlet/1", "p/outlet/1")})
	if err != nil {
		t.Fatal(err)
	}
	from, _ := g.Node("d/psu/1")
	to, _ := g.Node("s/feed/a")
	want := []component.ID{"d/psu/1", "p/outlet/1", "p/pdu/1", "p/inlet/1", "s/feed/a"}
	if got := g.Path(from, to); !slices.Equal(got, want) {
		t.Errorf("path %v, want %v", got, want)
	}
	if got := g.Path(to, from); got != nil {
		t.Errorf("a way down: %v", got)
	}
}

func TestDeepAndWide(t *testing.T) {
	const n = 100_000
	m := Model{Site: "s"}
	id := func(i int) component.ID { return component.NewID("s", component.Feed, strconv.Itoa(i)) }
	for i := range n {
		m.Links = append(m.Links, Link{Link: component.Link{From: id(i), To: id(i + 1), Kind: component.Feeds}})
		m.Links = append(m.Links, Link{Link: component.Link{From: id(i), To: "s/host/all", Kind: component.Feeds}})
	}
	g, err := Compile(&m, Found{})
	if err != nil {
		t.Fatal(err)
	}
	first, _ := g.Node(id(0))
	last, _ := g.Node(id(n))
	if got := len(g.Path(last, first)); got != n+1 {
		t.Errorf("the path is %d long", got)
	}
	m.Links = append(m.Links, Link{Link: component.Link{From: id(n), To: id(0), Kind: component.Feeds}})
	_, err = Compile(&m, Found{})
	if loop := (*LoopError)(nil); !errors.As(err, &loop) || len(err.Error()) > 1000 {
		t.Errorf("a loop of %d: %.200v", n, err)
	}
}
