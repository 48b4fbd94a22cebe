// Package floors holds the plan of the house (docs/design.md, 4) as a test: which room stands on which floor, and by
// which door each foreign library enters. It parses the imports itself, in process: a test that shells out to the go
// command is answered from the test cache.
package floors

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sparewatch/sparewatch/"

// floors is the plan. A name that ends in /* stands for every room in that folder. A room imports only from lower
// floors; rooms on one floor do not open into each other.
var floors = []struct {
	floor int
	rooms []string
}{
	{7, []string{"cmd/sparewatch"}},
	{6, []string{"pkg/app"}},
	{5, []string{"pkg/config", "pkg/term"}},
	{4, []string{"collectors/*", "pkg/notify/*", "pkg/export/*", "pkg/api", "pkg/web", "pkg/poll", "pkg/trap", "pkg/lab", "pkg/capture"}},
	{3, []string{"collectors", "pkg/notify", "pkg/engine", "pkg/baseline", "pkg/bus"}},
	{2, []string{"pkg/export", "pkg/state", "pkg/incident", "pkg/paths"}},
	{1, []string{"pkg/snapshot", "pkg/finding", "pkg/topology", "pkg/ledger", "pkg/capacity", "pkg/openpsa", "pkg/bmp", "pkg/mrt", "mibs"}},
	{0, []string{"pkg/ber", "pkg/maintenance", "pkg/traffic", "pkg/component", "pkg/redundancy", "pkg/recording", "pkg/spelling", "pkg/secret", "pkg/usm", "pkg/bgp"}},
}

// doors says which rooms a library may enter by. A library that is not listed has no business here.
var doors = map[string][]string{
	"github.com/stmcginnis/gofish":                {"collectors/redfish"},
	"github.com/gosnmp/gosnmp":                    {"collectors/snmp", "pkg/lab", "pkg/capture"},
	"github.com/bougou/go-ipmi":                   {"collectors/ipmi", "pkg/lab"},
	"github.com/osrg/gobgp/v3":                    {"collectors/bgp"},
	"google.golang.org/grpc":                      {"collectors/bgp"},
	"github.com/nats-io/nats-server/v2":           {"pkg/bus"},
	"github.com/nats-io/nats.go":                  {"pkg/bus"},
	"github.com/prometheus/client_golang":         {"pkg/export/prom"},
	"github.com/prometheus/client_model":          {"pkg/export/prom"},
	"github.com/prometheus/common":                {"pkg/export/prom"},
	"github.com/prometheus/exporter-toolkit":      {"pkg/app"},
	"github.com/influxdata/influxdb-client-go/v2": {"pkg/export/influx"},
	"github.com/influxdata/line-protocol/v2":      {"pkg/export/influx"},
	"github.com/klauspost/compress":               {"pkg/export/remotewrite"},
	"google.golang.org/protobuf":                  {"pkg/export/remotewrite", "pkg/export/otlp", "collectors/bgp"},
	"go.opentelemetry.io/proto/otlp":              {"pkg/export/otlp"},
	"github.com/emersion/go-ical":                 {"pkg/maintenance"},
	"github.com/PagerDuty/go-pagerduty":           {"pkg/notify/pagerduty"},
	"github.com/alecthomas/kong":                  {"cmd/sparewatch"},
	"go.yaml.in/yaml/v3":                          {"pkg/config", "mibs"},
	"golang.org/x/term":                           {"cmd/sparewatch"},
}

// testOnly may be imported by any test and by the rooms under test/, never by the program.
var testOnly = []string{
	"pgregory.net/rapid", "go.uber.org/goleak", "github.com/rogpeppe/go-internal",
	"github.com/prometheus/client_golang", "github.com/prometheus/common", "github.com/prometheus/client_model",
	"github.com/gosnmp/gosnmp", "github.com/bougou/go-ipmi", "github.com/osrg/gobgp/v3", "google.golang.org/grpc", "google.golang.org/protobuf",
}

// testRooms exist for tests only: any test may import them, the program may not.
var testRooms = []string{"collectors/conformance", "test/"}

func TestHouse(t *testing.T) {
	root := moduleRoot(t)
	rooms := 0
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && p != root || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rooms++
		for _, mistake := range inspect(t, p, filepath.ToSlash(rel)) {
			t.Error(mistake)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if rooms == 0 {
		t.Fatal("no Go file found: the test looks in the wrong place")
	}
}

// inspect returns what is wrong with the imports of one file.
func inspect(t *testing.T, file, rel string) (mistakes []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	room := path.Dir(rel)
	isTest := strings.HasSuffix(rel, "_test.go") || isTestRoom(room)
	here, known := floorOf(room)
	if !known && !isTestRoom(room) {
		if room == "." {
			return nil
		}
		return []string{fmt.Sprintf("%s: the room %s has no floor: give it one in test/floors and in the README's map", rel, room)}
	}
	for _, spec := range f.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := strings.CutPrefix(imp, module); ok {
			mistakes = append(mistakes, inside(rel, room, other, here, isTest)...)
			continue
		}
		if !strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
			continue // the standard library
		}
		if m := foreign(rel, room, imp, isTest); m != "" {
			mistakes = append(mistakes, m)
		}
	}
	return mistakes
}

// inside judges an import of another room of ours. Tests may look sideways and at test rooms, but not upwards.
func inside(rel, room, other string, here int, isTest bool) []string {
	if isTestRoom(other) {
		if isTest {
			return nil
		}
		return []string{fmt.Sprintf("%s imports %s, which exists for tests only", rel, other)}
	}
	there, known := floorOf(other)
	switch {
	case !known:
		return []string{fmt.Sprintf("%s imports %s, which has no floor", rel, other)}
	case isTestRoom(room), other == room, there < here, isTest && there <= here:
		return nil
	}
	return []string{fmt.Sprintf("%s: %s (floor %d) imports %s (floor %d): a room imports only from lower floors", rel, room, here, other, there)}
}

// foreign judges an import of a library.
func foreign(rel, room, imp string, isTest bool) string {
	if isTest {
		for _, lib := range testOnly {
			if within(imp, lib) {
				return ""
			}
		}
	}
	for lib, rooms := range doors {
		if !within(imp, lib) {
			continue
		}
		for _, r := range rooms {
			if r == room || isTest && isTestRoom(room) {
				return ""
			}
		}
		return fmt.Sprintf("%s: %s enters by %s only", rel, lib, strings.Join(rooms, " or "))
	}
	return fmt.Sprintf("%s: %s has no door: say in the commit what it saves and what it weighs, and add it to test/floors", rel, imp)
}

func within(imp, lib string) bool { return imp == lib || strings.HasPrefix(imp, lib+"/") }

func isTestRoom(room string) bool {
	for _, r := range testRooms {
		if room == strings.TrimSuffix(r, "/") || strings.HasPrefix(room, r) && strings.HasSuffix(r, "/") {
			return true
		}
	}
	return false
}

func floorOf(room string) (int, bool) {
	for _, f := range floors {
		for _, r := range f.rooms {
			if dir, ok := strings.CutSuffix(r, "/*"); r == room || ok && path.Dir(room) == dir {
				return f.floor, true
			}
		}
	}
	return 0, false
}

// TestPlan checks the plan itself: no room stands twice, and the exact rooms exist or are still to come.
func TestPlan(t *testing.T) {
	var all []string
	for _, f := range floors {
		all = append(all, f.rooms...)
	}
	sort.Strings(all)
	for i := 1; i < len(all); i++ {
		if all[i] == all[i-1] {
			t.Errorf("%s stands on two floors", all[i])
		}
	}
}

// TestRefuses shows that the plan is able to fail.
func TestRefuses(t *testing.T) {
	upward := inside("x.go", "pkg/state", "pkg/engine", 2, false)
	sideways := inside("x.go", "pkg/api", "pkg/web", 4, false)
	door := foreign("x.go", "pkg/web", "github.com/nats-io/nats.go/jetstream", false)
	stranger := foreign("x.go", "pkg/web", "example.org/some/library", false)
	if len(upward) != 1 || len(sideways) != 1 || door == "" || stranger == "" {
		t.Fatalf("let pass: upward %v, sideways %v, wrong door %q, unknown library %q", upward, sideways, door, stranger)
	}
}

func moduleRoot(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		t.Fatal("no go.mod above the working directory")
	}
}
