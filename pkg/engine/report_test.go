package engine

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestGroupJSON(t *testing.T) {
	b, err := json.Marshal(Report{Groups: []*Group{{ID: "a/group/psu"}, {ID: "b/group/psu", Needed: 1, Designed: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"id":"a/group/psu"`, `"needed":null,"designed":null`, `"needed":1,"designed":2`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s lacks %s", b, want)
		}
	}
	var back Report
	if err := json.Unmarshal(b, &back); err != nil || back.Groups[0].Needed != 0 || back.Groups[1].Designed != 2 {
		t.Errorf("%v, %+v", err, back.Groups)
	}
}
