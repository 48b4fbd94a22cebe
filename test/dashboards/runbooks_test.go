package dashboards

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/finding"
)

func TestEveryRuleHasItsRunbook(t *testing.T) {
	dir := filepath.Join("..", "..", "dashboards", "runbooks")
	known := map[string]bool{}
	for _, r := range finding.Rules() {
		known[string(r)+".md"] = true
		text, err := os.ReadFile(filepath.Join(dir, string(r)+".md"))
		if err != nil {
			t.Errorf("rule %s has no runbook: %v", r, err)
			continue
		}
		for _, want := range []string{"`" + string(r) + "`", "## Look first", "## Do", "## It clears when"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("the runbook of %s lacks %q", r, want)
			}
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules(t) {
		known[filepath.Base(r.Annotations["runbook_url"])] = true
	}
	for _, f := range files {
		if !known[f.Name()] {
			t.Errorf("%s belongs to no rule and no alert", f.Name())
		}
	}
}
