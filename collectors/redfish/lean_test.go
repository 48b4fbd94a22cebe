package redfish

import (
	"context"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// TestEveryFieldThatIsReadIsKept looks at the source: a name that a parser asks for and that lean takes away would read
// as a field that no device has.
func TestEveryFieldThatIsReadIsKept(t *testing.T) {
	field := regexp.MustCompile(`^(@[A-Za-z.]+|[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*(@odata\.nextLink)?|href|links)$`)
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	seen := 0
	for _, name := range files {
		if !strings.HasPrefix(name, "parse") && name != "quirks.go" && name != "plan.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := goparser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			s, _ := strconv.Unquote(lit.Value)
			if field.MatchString(s) && s != "Cel" {
				seen++
				if kept[strings.ToLower(s)] == "" {
					t.Errorf("%s reads %q, which is not in readNames", name, s)
				}
			}
			return true
		})
	}
	if seen < 200 {
		t.Errorf("only %d names were found in the source: the test looks in the wrong place", seen)
	}
}

// TestLeanLosesNothing: what is kept of a recorded service gives the same snapshot as the whole of it.
func TestLeanLosesNothing(t *testing.T) {
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings here: set SPAREWATCH_RECORDINGS")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "redfish", "*.json"))
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		s, _ := replayed(t, name)
		s.tree.noExpand = true // what comes inside another resource has lost its own text
		s.Poll(context.Background(), collectors.Full)
		rec, err := recording.Load(f)
		if err != nil {
			t.Fatal(err)
		}
		whole := newTree()
		for p, e := range s.tree.entries {
			fat := *e
			if raw, ok := rec.Redfish.Get(p); ok && e.body.kind == object && !e.many {
				fat.body = mustParse(t, string(raw))
			}
			whole.entries[p] = &fat
		}
		lean, fat := strings.Split(show(parse(s.tree, "srv-1")), "\n"), strings.Split(show(parse(whole, "srv-1")), "\n")
		for i := range min(len(lean), len(fat)) {
			if lean[i] != fat[i] {
				t.Errorf("%s: of what is kept\n%s\nof the whole\n%s", name, lean[i], fat[i])
				break
			}
		}
		if len(lean) != len(fat) {
			t.Errorf("%s: %d lines of what is kept, %d of the whole", name, len(lean), len(fat))
		}
	}
}
