package api

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/engine"
)

// TestDocumented holds docs/api.md against the objects: every key that is printed stands on it.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range []any{Status{}, engine.Simulation{}, engine.Gate{}, engine.CutSets{}, engine.CapacityReport{}, Inspection{}, engine.Comparison{}, Problem{}} {
		keys := map[string]bool{}
		keysOf(reflect.TypeOf(object), map[reflect.Type]bool{}, keys)
		if len(keys) < 2 {
			t.Fatalf("%T has no keys: the test looks at the wrong thing", object)
		}
		for key := range keys {
			if !strings.Contains(string(page), "`"+key+"`") && !strings.Contains(string(page), `"`+key+`"`) {
				t.Errorf("docs/api.md says nothing of %q of %T", key, object)
			}
		}
	}
}

// keysOf collects the JSON keys of a type and of all within it.
func keysOf(of reflect.Type, seen map[reflect.Type]bool, into map[string]bool) {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		keysOf(of.Elem(), seen, into)
	case reflect.Struct:
		if seen[of] {
			return
		}
		seen[of] = true
		for i := range of.NumField() {
			f := of.Field(i)
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if key == "-" || !f.IsExported() {
				continue
			}
			if key != "" {
				into[key] = true
			}
			keysOf(f.Type, seen, into)
		}
	}
}
