package redfish

import (
	"os"
	"strings"
	"testing"
)

// recorded reads what a person expects of the recordings, by the name of the file. testdata/recorded.txt says how it is written.
func recorded(t testing.TB) map[string]expected {
	t.Helper()
	text, err := os.ReadFile("testdata/recorded.txt")
	if err != nil {
		t.Fatal(err)
	}
	all, name := map[string]expected{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, " \n")
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		e := all[name]
		switch {
		case line == "" || line[0] == '#':
			continue
		case line[0] != ' ':
			name, e = line, expected{}
		case key == "device":
			e.device = value
		case key == "kinds":
			e.kinds = value
		case key == "other":
			e.other = value
		case key == "claims":
			e.claims = value
		case key == "groups": // the engine's
		default:
			t.Fatalf("%s has no %q", name, key)
		}
		all[name] = e
	}
	return all
}
