package dashboards

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/sparewatch/sparewatch/pkg/finding"
)

// rule is one alerting or recording rule.
type rule struct {
	Record, Alert, Expr, For string
	Labels, Annotations      map[string]string
}

func rules(t *testing.T) (all []rule) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "prometheus", "rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []rule
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

func alerts(t *testing.T) (names []string) {
	for _, r := range rules(t) {
		if r.Alert != "" {
			names = append(names, r.Alert)
		}
	}
	return names
}

// alertOf is the alert of a rule of the engine's.
func alertOf(r finding.Rule) string {
	name := "Sparewatch"
	for w := range strings.SplitSeq(string(r), "-") {
		name += strings.ToUpper(w[:1]) + w[1:]
	}
	return name
}

func TestEveryRuleHasItsAlertAndEveryAlertItsRunbook(t *testing.T) {
	all := alerts(t)
	for _, r := range finding.Rules() {
		if !slices.Contains(all, alertOf(r)) {
			t.Errorf("rule %s has no alert %s", r, alertOf(r))
		}
	}
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		if r.Annotations["summary"] == "" {
			t.Errorf("%s says nothing", r.Alert)
		}
		_, book, _ := strings.Cut(r.Annotations["runbook_url"], "/dashboards/runbooks/")
		if _, err := os.Stat(filepath.Join(root, "runbooks", book)); book == "" || err != nil {
			t.Errorf("%s has no runbook: %q", r.Alert, r.Annotations["runbook_url"])
		}
	}
}

// healthy is what a daemon shows on which nothing is wrong.
var healthy = map[string]string{
	`up{job="sparewatch",instance="a"}`:                                                                                           "1x60",
	`sparewatch_report_timestamp_seconds{instance="a"}`:                                                                           "0+60x60",
	`sparewatch_service_spares{instance="a",service="shop",domain="overall"}`:                                                     "1x60",
	`sparewatch_service_predicted_spares{instance="a",service="shop",domain="overall"}`:                                           "1x60",
	`sparewatch_service_redundancy_state{instance="a",service="shop",sparewatch_service_redundancy_state="lost"}`:                 "0x60",
	`sparewatch_service_redundancy_state{instance="a",service="shop",sparewatch_service_redundancy_state="full"}`:                 "1x60",
	`sparewatch_group_redundancy_state{instance="a",group="srv-1/group/psu",kind="psu",sparewatch_group_redundancy_state="full"}`: "1x60",
	`sparewatch_target_up{instance="a",device="srv-1",target="redfish://srv-1"}`:                                                  "1x60",
	`sparewatch_polls_total{instance="a"}`:                                                                                        "0+100x60",
	`sparewatch_polls_late_total{instance="a"}`:                                                                                   "0x60",
	`sparewatch_notification_failures_in_a_row{instance="a",receiver="on-call"}`:                                                  "0x60",
	`sparewatch_config_last_load_successful{instance="a"}`:                                                                        "1x60",
}

// story is what differs from a healthy daemon, and the alerts that fire then: these, and no other.
type story struct {
	name string
	with map[string]string
	fire []string
}

func stories() []story {
	all := []story{
		{name: "nothing is wrong"},
		{"a service is down", map[string]string{`sparewatch_service_spares{instance="a",service="shop",domain="overall"}`: "-1x60", `sparewatch_service_predicted_spares{instance="a",service="shop",domain="overall"}`: "-1x60"}, []string{"SparewatchServiceDown"}},
		{"a service is down in one domain's view only", map[string]string{`sparewatch_service_spares{instance="a",service="shop",domain="power"}`: "-1x60"}, nil},
		{"a spare is lost", map[string]string{`sparewatch_service_redundancy_state{instance="a",service="shop",sparewatch_service_redundancy_state="lost"}`: "1x60"}, []string{"SparewatchServiceWithoutSpare"}},
		{"a spare will be lost", map[string]string{`sparewatch_service_predicted_spares{instance="a",service="shop",domain="overall"}`: "0x60"}, []string{"SparewatchServicePredicted"}},
		{"a service is gone", map[string]string{`sparewatch_service_spares{instance="a",service="shop",domain="overall"}`: "", `sparewatch_service_predicted_spares{instance="a",service="shop",domain="overall"}`: ""}, nil},
		{"the daemon is down", map[string]string{`up{job="sparewatch",instance="a"}`: "0x60"}, []string{"SparewatchDown"}},
		{"nobody scrapes the daemon", map[string]string{`up{job="sparewatch",instance="a"}`: ""}, []string{"SparewatchDown"}},
		{"the engine stands still", map[string]string{`sparewatch_report_timestamp_seconds{instance="a"}`: "0x60"}, []string{"SparewatchNotJudging"}},
		{"a third of the targets is gone", map[string]string{`sparewatch_target_up{instance="a",device="b",target="x"}`: "1x60", `sparewatch_target_up{instance="a",device="c",target="y"}`: "0x60"}, []string{"SparewatchTargetsUnreachable"}},
		{"polls are late", map[string]string{`sparewatch_polls_late_total{instance="a"}`: "0+50x60"}, []string{"SparewatchPollsLate"}},
		{"PagerDuty takes nothing", map[string]string{`sparewatch_notification_failures_in_a_row{instance="a",receiver="on-call"}`: "0+1x60"}, []string{"SparewatchNotificationsStuck"}},
		{"a bad configuration", map[string]string{`sparewatch_config_last_load_successful{instance="a"}`: "0x60"}, []string{"SparewatchConfigNotLoaded"}},
		{"InfluxDB is away", map[string]string{`sparewatch_export_spool_oldest_timestamp_seconds{instance="a",export="influx"}`: "60x60"}, []string{"SparewatchExportBehind"}},
		{"a neighbour sends garbage again and again", map[string]string{`sparewatch_bgp_bad_input_total{instance="a",over="bgp",what="garbage"}`: "0+1x60"}, []string{"SparewatchBGPBadInput"}},
		{"a neighbour sent garbage once", map[string]string{`sparewatch_bgp_bad_input_total{instance="a",over="bgp",what="garbage"}`: "0x29 1x30"}, nil},
		{"a neighbour is shut on purpose", map[string]string{`sparewatch_bgp_bad_input_total{instance="a",over="bgp",what="closed"}`: "0+1x60"}, nil},
		{"a router floods the station", map[string]string{`sparewatch_bgp_behind_seconds_total{instance="a",over="bmp"}`: "0+55x60"}, []string{"SparewatchBGPFlooded"}},
	}
	for _, r := range finding.Rules() {
		all = append(all, story{
			"finding " + string(r), map[string]string{fmt.Sprintf(`sparewatch_finding_open{instance="a",rule=%q,severity="warning",subject="srv-1/psu/1"}`, r): "1x60"}, []string{alertOf(r)},
		})
	}
	return all
}

// TestAlerts has promtool try every alert in every story.
func TestAlerts(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("promtool is missing: in CI scripts/deps installs Debian's package prometheus")
		}
		t.Skip("skipped: promtool is not installed (Debian package prometheus; make deps)")
	}
	names := alerts(t)
	fired := map[string]bool{}
	for _, s := range stories() {
		t.Run(s.name, func(t *testing.T) {
			for _, a := range s.fire {
				fired[a] = true
			}
			file := filepath.Join(t.TempDir(), "test.yml")
			if err := os.WriteFile(file, []byte(s.promtool(t, names)), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(promtool, "test", "rules", file).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	for _, a := range names {
		if !fired[a] {
			t.Errorf("%s fires in no story", a)
		}
	}
}

// promtool writes the story as a unit test: at the end of an hour exactly its alerts fire. An alert that fires is told by
// a query, because its labels and words are not the point here.
func (s story) promtool(t *testing.T, names []string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, "prometheus", "rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "rule_files: [%q]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n", path)
	series := map[string]string{}
	for k, v := range healthy {
		series[k] = v
	}
	for k, v := range s.with {
		series[k] = v
	}
	for k, v := range series {
		if v != "" {
			fmt.Fprintf(&b, "      - {series: '%s', values: '%s'}\n", k, v)
		}
	}
	fmt.Fprint(&b, "    promql_expr_test:\n")
	for _, name := range names {
		want := "[]"
		if slices.Contains(s.fire, name) {
			want = "[{labels: '{}', value: 1}]"
		}
		fmt.Fprintf(&b, "      - {expr: 'count(ALERTS{alertname=%q,alertstate=\"firing\"})', eval_time: 59m, exp_samples: %s}\n", name, want)
	}
	return b.String()
}
