package peers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/app"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// The score: what `inspect` makes of every recorded machine beside what a person has written down for it. One line a machine;
// in each column how many of the expected statements it makes, and how many it makes that nobody expects.
//
//	go test ./test/peers -run Score -v

// scored are a machine's statements by column, expected and made.
type scored struct {
	machine    string
	want, made map[string][]string
}

var columns = []string{"components", "conditions", "claims", "groups"}

// printScore prints the table and its sum, and fails where anything is missing or too much.
func printScore(t *testing.T, kind string, machines []scored) {
	t.Helper()
	sort.Slice(machines, func(i, j int) bool { return machines[i].machine < machines[j].machine })
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-48s", kind)
	for _, c := range columns {
		fmt.Fprintf(&b, "%12s", c)
	}
	b.WriteByte('\n')
	right, expected, extra := 0, 0, 0
	for _, m := range machines {
		fmt.Fprintf(&b, "%-48s", m.machine)
		for _, c := range columns {
			hits := 0
			for _, w := range m.want[c] {
				if slices.Contains(m.made[c], w) {
					hits++
				} else {
					t.Errorf("%s: it does not say %q", m.machine, w)
				}
			}
			cell := fmt.Sprintf("%d/%d", hits, len(m.want[c]))
			for _, s := range m.made[c] {
				if !slices.Contains(m.want[c], s) {
					extra++
					cell += "+"
					t.Errorf("%s: nobody expects it to say %q", m.machine, s)
				}
			}
			right, expected = right+hits, expected+len(m.want[c])
			fmt.Fprintf(&b, "%12s", cell)
		}
		b.WriteByte('\n')
	}
	share := 100.0
	if expected > 0 {
		share = 100 * float64(right) / float64(expected)
	}
	fmt.Fprintf(&b, "%d machines: %d of %d statements (%.1f %%), %d too many", len(machines), right, expected, share, extra)
	t.Log(b.String())
}

// statements puts an inspection into the words of the expectations.
func statements(in *api.Inspection) map[string][]string {
	made := map[string][]string{}
	count := map[component.Kind]int{}
	for _, c := range in.Components {
		count[c.Kind]++
		switch c.Kind {
		case component.Port, component.NIC, component.Outlet, component.Sensor:
			continue // many, and not about power, cooling or storage
		}
		how := c.Condition.String()
		for _, f := range []struct {
			is   bool
			name string
		}{{c.Predicted, "predicted"}, {c.Standby, "standby"}, {c.InputLost, "input_lost"}, {c.Rebuilding, "rebuilding"}} {
			if f.is {
				how += "+" + f.name
			}
		}
		if how != "ok" {
			made["conditions"] = append(made["conditions"], fmt.Sprintf("%s/%s %s", c.Kind, c.ID.Local(), how))
		}
	}
	for kind, n := range count {
		made["components"] = append(made["components"], fmt.Sprintf("%d %s", n, kind))
	}
	for _, c := range in.Claims {
		state := string(c.State)
		if state == "" {
			state = "says nothing"
		}
		made["claims"] = append(made["claims"], fmt.Sprintf("%s: %s, %d of %d", c.Group.Local(), state, c.Needed, c.Designed))
	}
	for _, g := range in.Groups {
		made["groups"] = append(made["groups"], fmt.Sprintf("%s %s %s of %s", g.ID.Local(), g.State, known(g.Needed), known(g.Designed)))
	}
	return made
}

func known(n *int) string {
	if n == nil {
		return "?"
	}
	return fmt.Sprint(*n)
}

// TestScoreRedfish scores every recorded Redfish service, served over TLS.
func TestScoreRedfish(t *testing.T) {
	score(t, "Redfish services", "redfish/*.json", "redfish", func(ctx context.Context, all map[string]collectors.Collector, file string) (*api.Inspection, error) {
		served, err := lab.Replay(file, "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = served.Stop() }()
		return app.Inspect(ctx, all, collectors.Target{Device: "dev", URL: served.URL, Credentials: collectors.Credentials{TLS: collectors.TLS{Insecure: true}}})
	})
}

// score inspects every recorded machine of a kind, and holds it against what a person has written down of it, in
// testdata/recorded.txt of the kind's collector.
func score(t *testing.T, title, pattern, collector string, inspect func(ctx context.Context, all map[string]collectors.Collector, file string) (*api.Inspection, error)) {
	t.Helper()
	dir, ok := recording.Dir()
	if !ok {
		t.Skipf("skipped: no recordings of %s (set SPAREWATCH_RECORDINGS)", title)
	}
	persons := expectations(t, filepath.Join("..", "..", "collectors", collector, "testdata", "recorded.txt"))
	all, err := app.Collectors()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
	if err != nil || len(files) == 0 {
		t.Skipf("skipped: no recordings of %s in %s", title, dir)
	}
	var machines []scored
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), filepath.Ext(f))
		want, known := persons[name]
		if !known {
			t.Logf("nobody has written down what %s shows", name)
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		in, err := inspect(ctx, all, f)
		cancel()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		machines = append(machines, scored{machine: name, want: want, made: statements(in)})
	}
	if len(machines) == 0 {
		t.Skip("skipped: none of the recordings is known")
	}
	printScore(t, title, machines)
}

// expectations reads what a person expects of recordings: testdata/recorded.txt of a collector says how it is written.
func expectations(t *testing.T, file string) map[string]map[string][]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]struct{ name, between string }{"kinds": {"components", ", "}, "other": {"conditions", ", "}, "claims": {"claims", "; "}, "groups": {"groups", "; "}}
	all, name := map[string]map[string][]string{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, " \n")
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] != ' ' {
			name = line
			all[name] = map[string][]string{}
			continue
		}
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if c, is := column[key]; is && strings.TrimSpace(value) != "" {
			all[name][c.name] = strings.Split(strings.TrimSpace(value), c.between)
		}
	}
	return all
}
