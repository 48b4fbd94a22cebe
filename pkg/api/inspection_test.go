package api

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

func part(c component.Condition) component.Component {
	return component.Component{ID: "srv/psu/1", Kind: component.PSU, Status: component.Status{Condition: c}}
}

func TestInspectionExit(t *testing.T) {
	for _, c := range []struct {
		name string
		in   Inspection
		want int
	}{
		{"not reached", Inspection{}, NoWord},
		{"reached, and nothing to see", Inspection{Reachable: true}, NoWord},
		{"reached, and of no known kind", Inspection{Reachable: true, Components: []component.Component{part(component.Unknown)}}, NoWord},
		{"nothing redundant, nothing bad", Inspection{Reachable: true, Components: []component.Component{part(component.OK)}}, Fine},
		{"unknown without bad news", Inspection{Reachable: true, Groups: []Group{{}}, Components: []component.Component{part(component.Unknown)}}, Fine},
		{"an absent part is no failed one", Inspection{Reachable: true, Components: []component.Component{part(component.Absent)}}, Fine},
		{"a failed part", Inspection{Reachable: true, Components: []component.Component{part(component.Failed)}}, BadNews},
		{"a lost group", Inspection{Reachable: true, Groups: []Group{{Group: engine.Group{State: engine.Lost}}}}, BadNews},
		{"a degraded group", Inspection{Reachable: true, Groups: []Group{{Group: engine.Group{State: engine.Degraded}}}}, BadNews},
		{"no spare by design", Inspection{Reachable: true, Groups: []Group{{Group: engine.Group{State: engine.None}}}}, Fine},
	} {
		if got := c.in.Exit(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// TestInspectionJSON: what the contract names is there, lists are lists, unknown is null.
func TestInspectionJSON(t *testing.T) {
	sn := &snapshot.Snapshot{Target: "snmp://a", Components: []component.Component{part(component.Unknown)}, Claims: []snapshot.Claim{{Group: "a/group/psu"}}}
	in := Inspect(sn)
	in.Groups = []Group{{Group: engine.Group{ID: "a/group/psu", Members: []component.ID{}, Unverified: []component.ID{}}}}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, want := range []string{
		`"device":{"name":"","vendor":"","model":"","serial":"","firmware":""}`, `"reachable":false`, `"took_ms":0`, `"requests":0`,
		`"condition":"unknown"`, `"hot_swap":null`, `"aliases":[]`, `"attributes":{}`, `"readings":[]`,
		`"needed":null`, `"designed":null`, `"spares":null`, `"spares_worst":null`, `"state":"unknown"`,
		`"raw":{}`, `"links":[]`, `"errors":[]`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in %s", want, text)
		}
	}
	if strings.Count(text, `"needed":null`) != 1 || sn.Components[0].Aliases != nil {
		t.Error("a number stands twice, or the snapshot was changed")
	}
}
