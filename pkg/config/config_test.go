package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// write puts files into a new folder and returns it.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var environment = map[string]string{"HOME": "/home/op", "BMC_PASSWORD": "hunter2", "EMPTY": ""}

func getenv(name string) string { return environment[name] }

// load loads one file's text; the folder is cut from what is said.
func load(t testing.TB, text string) (*Config, string) {
	t.Helper()
	dir := write(t, map[string]string{"c.yaml": text, "pw": "hunter2\n", "short": "abc\n", "none": "\n", "two": "a\nb\n"})
	c, err := LoadWith(filepath.Join(dir, "c.yaml"), Options{Getenv: getenv})
	if err != nil {
		return nil, strings.ReplaceAll(err.Error(), dir+"/", "")
	}
	for i := range c.Warnings {
		c.Warnings[i] = strings.ReplaceAll(c.Warnings[i], dir+"/", "")
	}
	return c, ""
}

func good(t testing.TB, text string) *Config {
	t.Helper()
	c, wrong := load(t, text)
	if wrong != "" {
		t.Fatalf("refused:\n%s", wrong)
	}
	return c
}

func TestURLsAndOneCredentialAreEnough(t *testing.T) {
	c := good(t, `
credentials: {bmc: {user: monitor, password_file: pw}}
devices: ["redfish://10.0.0.[101-103]", snmp://10.0.0.101, "snmp://10.0.9.1:1161"]
`)
	var got []string
	for _, d := range c.Devices {
		s := d.Name + " " + string(d.Kind)
		for _, tg := range d.Targets {
			s += " " + tg.URL + " " + tg.Credentials.User + ":" + tg.Credentials.Password.Reveal()
		}
		got = append(got, s)
	}
	want := []string{
		"10.0.0.101 host redfish://10.0.0.101 monitor:hunter2 snmp://10.0.0.101 monitor:hunter2",
		"10.0.0.102 host redfish://10.0.0.102 monitor:hunter2",
		"10.0.0.103 host redfish://10.0.0.103 monitor:hunter2",
		"10.0.9.1:1161  snmp://10.0.9.1:1161 monitor:hunter2",
	}
	if !slices.Equal(got, want) {
		t.Errorf("devices are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if c.Site != "site" || c.Web.Listen != "127.0.0.1:9620" || c.Web.URL != "http://127.0.0.1:9620" || len(c.Warnings) != 0 {
		t.Errorf("site %q, web %+v, warnings %q", c.Site, c.Web, c.Warnings)
	}
	if d := c.Devices[0]; d.States != 15*time.Second || d.Inventory != 10*time.Minute || d.Targets[0].Timeout != 10*time.Second || d.Targets[0].Device != d.Name {
		t.Errorf("the device is %+v", d)
	}
	if !slices.Equal(c.Model.Observed, []string{"10.0.0.101", "10.0.0.102", "10.0.0.103", "10.0.9.1:1161"}) {
		t.Errorf("observed are %v", c.Model.Observed)
	}
}

const rack = `
site: ams1
devices:
  - {name: "srv-[101-112]", urls: ["redfish://10.0.0.[101-112]"], credentials: bmc}
  - {name: pdu-r12-a, urls: [snmp://10.0.9.1], credentials: pdu}
  - {name: pdu-r12-b, urls: [snmp://10.0.9.2], credentials: pdu}
  - {name: power-a, urls: [snmp://10.0.8.1], credentials: pdu}
credentials:
  bmc: {user: monitor, password_env: BMC_PASSWORD}
  pdu: {community_file: pw}
topology:
  ups: [ups-b]
  feeds:   [{id: feed-a, fed_by: power-a, breaker: {amps: 32, volts: 230, phases: 3}}, {id: feed-b, fed_by: ups-b}]
  cables:
    - "pdu-r12-a/inlet/1 <- feed-a"
    - "pdu-r12-b/inlet/1 <- feed-b"
    - "srv-[101-112]/psu/1 <- pdu-r12-a/outlet/[1-12]"
    - "srv-[101-112]/psu/2 <- pdu-r12-b/outlet/[1-12]"
services:
  - {name: payments, tier: 0, needs: {at_least: 2, of: [srv-101, srv-102, srv-103]}, rto: 15m}
`

func TestARack(t *testing.T) {
	c := good(t, rack)
	if len(c.Devices) != 15 || c.Devices[3].Name != "srv-101" || c.Devices[3].Targets[0].URL != "redfish://10.0.0.101" {
		t.Errorf("%d devices, the fourth is %+v", len(c.Devices), c.Devices[3])
	}
	var links []string
	for _, l := range c.Model.Links {
		links = append(links, fmt.Sprintf("%s %s %s", l.From, l.Kind, l.To))
	}
	for _, want := range []string{
		"power-a/ups/1 feeds ams1/feed/feed-a", // what a device is that feeds a feed is guessed, until it was read
		"ams1/ups/ups-b feeds ams1/feed/feed-b",
		"ams1/feed/feed-a feeds pdu-r12-a/inlet/1",
		"pdu-r12-a/outlet/12 feeds srv-112/psu/1",
		"pdu-r12-b/outlet/1 feeds srv-101/psu/2",
	} {
		if !slices.Contains(links, want) {
			t.Errorf("the link %q is missing in\n%s", want, strings.Join(links, "\n"))
		}
	}
	if len(links) != 28 {
		t.Errorf("%d links", len(links))
	}
	var feed topology.Component
	for _, comp := range c.Model.Components {
		if comp.ID == "ams1/feed/feed-a" {
			feed = comp
		}
	}
	if feed.Rating == nil || *feed.Rating != (component.Rating{Amps: 32, Volts: 230, Phases: 3}) || !strings.HasSuffix(string(feed.At), "c.yaml:13") {
		t.Errorf("the feed is %+v", feed)
	}
	s := c.Model.Services[0]
	if s.ID != "ams1/service/payments" || s.Tier != 0 || s.RTO != 15*time.Minute || s.Needs.AtLeast != 2 || s.Needs.Of[2].ID != "srv-103/host/1" {
		t.Errorf("the service is %+v", s)
	}
}

func TestNeeds(t *testing.T) {
	const head = "devices: [{name: a, kind: host}, {name: b, kind: host}, {name: \"c[1-3]\", kind: host}]\nservices:\n"
	show := func(n topology.Need) string { return "" }
	show = func(n topology.Need) string {
		if n.ID != "" {
			return n.ID.Device()
		}
		var of []string
		for _, o := range n.Of {
			of = append(of, show(o))
		}
		return fmt.Sprintf("%d(%s)", n.AtLeast, strings.Join(of, " "))
	}
	for needs, want := range map[string]string{
		`a`:                                   "a",
		`[a, b]`:                              "0(a b)",
		`"c[1-3]"`:                            "0(c1 c2 c3)",
		`{any_of: ["c[1-3]"]}`:                "1(c1 c2 c3)",
		`{any_of: "c[1-3]"}`:                  "1(c1 c2 c3)",
		`{all_of: [a, b]}`:                    "0(a b)",
		`{at_least: 2, of: [a, b, "c[1-3]"]}`: "2(a b c1 c2 c3)",
		`[a, {any_of: [b, {at_least: 2, of: ["c[1-3]"]}]}]`: "0(a 1(b 2(c1 c2 c3)))",
		`[a, [b, c1]]`: "0(a 0(b c1))",
	} {
		c := good(t, head+"  - {name: s, needs: "+needs+"}\n")
		if got := show(c.Model.Services[0].Needs); got != want {
			t.Errorf("%s reads %s, want %s", needs, got, want)
		}
	}
	c := good(t, head+"  - {name: s, needs: a}\n  - {name: r, tier: 0, needs: [s, service/s2]}\n  - {name: s2, needs: site/service/s}\n")
	if got := c.Model.Services[1].Needs.Of; got[0].ID != "site/service/s" || got[1].ID != "site/service/s2" {
		t.Errorf("services in needs are %+v", got)
	}
	if c.Model.Services[0].Tier != 1 {
		t.Errorf("a service without tier has tier %d", c.Model.Services[0].Tier)
	}
}

func TestReferences(t *testing.T) {
	c := good(t, `
site: x
devices:
  - {name: dev, kind: host}
  - {name: ups-1, url: snmp://10.0.0.1}
  - {name: p1, url: snmp://10.0.0.2}
  - {name: sw, url: snmp://10.0.0.3}
topology:
  ups: [{id: ups-1, name: in the cellar, rating: {va: 1000}}]
  pdus: [strip]
  feeds: [{id: twin, fed_by: ups-1}]
  breakers: [{id: twin, fed_by: feed/twin}]
  components:
    - {id: p1/outlet/3, rating: {amps: 10}}
    - {id: r1, kind: rectifier, fed_by: breaker/twin}
  groups:
    - {id: g, members: [feed/twin, breaker/twin], policy: n+1, carries: [strip, dev]}
  cables:
    - "strip/inlet/1 <- g"
    - "dev/psu/1 <- strip/outlet/4"
    - "dev/psu/2 <- p1/outlet/3, x/rectifier/r1"
    - "dev/nic/1 <- sw/port/Ethernet1/1"
  links: ["x/breaker/twin contains r1", "sw neighbour dev"]
services: [{name: s, needs: [dev, g]}]
`)
	var got []string
	for _, l := range c.Model.Links {
		got = append(got, fmt.Sprintf("%s %s %s", l.From, l.Kind, l.To))
	}
	for _, want := range []string{
		"ups-1/ups/1 feeds x/feed/twin",
		"x/feed/twin feeds x/breaker/twin",
		"x/breaker/twin feeds x/rectifier/r1",
		"x/group/g feeds strip/inlet/1",
		"strip/inlet/1 feeds x/pdu/strip", // a declared pdu's parts belong to it
		"x/pdu/strip contains strip/outlet/4",
		"strip/outlet/4 feeds dev/psu/1",
		"p1/outlet/3 feeds dev/psu/2",
		"x/rectifier/r1 feeds dev/psu/2",
		"sw/port/Ethernet1/1 carries dev/nic/1", // a port gives traffic, no power
		"x/breaker/twin contains x/rectifier/r1",
		"sw/switch/1 neighbour dev/host/1",
		"x/group/g carries dev/host/1",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("the link %q is missing in\n%s", want, strings.Join(got, "\n"))
		}
	}
	g := c.Model.Groups[0]
	if g.ID != "x/group/g" || g.Needed != 1 || g.Designed != 2 || g.Carries != "x/pdu/strip" || g.Kind != "" {
		t.Errorf("the group is %+v", g)
	}
	var ids []string
	for _, comp := range c.Model.Components {
		ids = append(ids, string(comp.ID))
	}
	want := []string{"ups-1/ups/1", "x/breaker/twin", "x/feed/twin", "x/pdu/strip", "p1/outlet/3", "x/rectifier/r1", "dev/host/1"}
	slices.Sort(want)
	slices.Sort(ids)
	if !slices.Equal(ids, want) {
		t.Errorf("components are %v, want %v", ids, want)
	}
}

func TestGroupsOfManyDevices(t *testing.T) {
	c := good(t, `
devices: [{name: "s[1-3]", kind: host}]
topology:
  groups:
    - {id: "s[1-3]/group/psu", members: "s[1-3]/psu/[1-4]", policy: 2n}
`)
	g := c.Model.Groups[1]
	if g.ID != "s2/group/psu" || len(g.Members) != 4 || g.Members[3] != "s2/psu/4" || g.Needed != 2 || g.Kind != component.PSU {
		t.Errorf("the second group is %+v", g)
	}
}

func TestPolicies(t *testing.T) {
	for _, c := range []struct {
		policy  string
		members int
		needed  int
	}{
		{"n", 3, 3}, {"n+1", 3, 2}, {"n+2", 3, 1}, {"n+3", 3, 0}, {"2n", 4, 2}, {"2n", 3, 0}, {"2n+1", 5, 2}, {"2n+1", 4, 0},
		{"active/standby", 2, 1}, {"n+0", 2, 0}, {"m", 2, 0},
	} {
		needed, why := policyNeeds(c.policy, c.members)
		if needed != c.needed || (why == "") != (needed > 0) {
			t.Errorf("%s of %d needs %d (%s), want %d", c.policy, c.members, needed, why, c.needed)
		}
	}
}

func TestIntervals(t *testing.T) {
	c := good(t, `
poll: {states: 20s, inventory: 5m, timeout: 3s, limit: 1m, workers: 7, kinds: {pdu: {states: 1m}, ups: {timeout: 7s}}}
devices:
  - {name: pdu-1, url: snmp://10.0.0.1}
  - {name: pdu-2, url: snmp://10.0.0.2, poll: {inventory: 1d}}
  - {name: ups-1, url: snmp://10.0.0.3}
`)
	got := ""
	for _, d := range c.Devices {
		got += fmt.Sprintf("%s %s %s %s\n", d.Name, d.States, d.Inventory, d.Targets[0].Timeout)
	}
	if want := "pdu-1 1m0s 5m0s 3s\npdu-2 1m0s 24h0m0s 3s\nups-1 20s 5m0s 7s\n"; got != want {
		t.Errorf("intervals are\n%swant\n%s", got, want)
	}
	if c.Poll != (Poll{20 * time.Second, 5 * time.Minute, 3 * time.Second, time.Minute, 7}) {
		t.Errorf("poll is %+v", c.Poll)
	}
}

func TestCredentials(t *testing.T) {
	c := good(t, `
credentials:
  old: {version: "1", community_file: pw}
devices: [snmp://10.0.0.1]
`)
	if cr := c.Devices[0].Targets[0].Credentials; cr.Version != "1" || cr.Community.Reveal() != "hunter2" || cr.Name != "old" {
		t.Errorf("credentials are %+v", cr)
	}
	dir := write(t, map[string]string{"key": "12345678\r\n", "c.yaml": `
credentials:
  v3: {v3: {user: u, auth: sha256, auth_key_file: key, priv: aes128, priv_key_credential: priv, context: c}}
devices: [snmp://10.0.0.1]
`})
	env := func(name string) string { return map[string]string{"CREDENTIALS_DIRECTORY": dir, "HOME": "/h"}[name] }
	if err := os.WriteFile(filepath.Join(dir, "priv"), []byte("abcdefgh"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := LoadWith(dir, Options{Getenv: env})
	if err != nil {
		t.Fatal(err)
	}
	want := collectors.V3{User: "u", AuthProtocol: "SHA-256", PrivProtocol: "AES", Context: "c"}
	cr := c.Devices[0].Targets[0].Credentials
	if cr.V3.AuthKey.Reveal() != "12345678" || cr.V3.PrivKey.Reveal() != "abcdefgh" || cr.Version != "3" {
		t.Errorf("keys are %q and %q, version %q", cr.V3.AuthKey.Reveal(), cr.V3.PrivKey.Reveal(), cr.Version)
	}
	cr.V3.AuthKey, cr.V3.PrivKey = want.AuthKey, want.PrivKey
	if cr.V3 != want {
		t.Errorf("v3 is %+v", cr.V3)
	}
}

func TestOutlets(t *testing.T) {
	c := good(t, `
devices: [snmp://10.0.0.1]
notify:
  - {name: p, kind: pagerduty, routing_key_file: pw, min_severity: critical}
  - {name: w, kind: webhook, url: http://h/x, secret_env: BMC_PASSWORD}
`)
	p, w := c.Notify[0], c.Notify[1]
	if p.Kind != PagerDuty || p.Key.Reveal() != "hunter2" || p.URL.Set() || p.MinSeverity != finding.Critical {
		t.Errorf("the first is %+v", p)
	}
	if w.Kind != Webhook || w.URL.Reveal() != "http://h/x" || w.Key.Reveal() != "hunter2" || w.MinSeverity != finding.Warning {
		t.Errorf("the second is %+v", w)
	}
}

func TestWarnings(t *testing.T) {
	c := good(t, `
credentials:
  lax: {user: u, password_file: pw, tls: {insecure: true, allow_tls10: true}}
  spare: {community: public}
  weak: {v3: {user: u}}
devices:
  - {name: "a[1-2]", urls: ["redfish://10.0.0.[1-2]"], credentials: lax}
  - {name: b, urls: [redfish+http://10.0.0.3], credentials: lax}
  - {name: c, urls: ["snmp://private@10.0.0.4"]}
  - {name: d, urls: ["snmp://10.0.0.5"], credentials: weak}
  - {name: e, urls: ["snmp://10.0.0.6"]}
topology:
  cables: ["a1/psu/1 <- c/outlet/1", "a2/psu/1 <- c/outlet/1"]
`)
	want := []string{
		`c.yaml:3: insecure: the certificates of 2 targets are not verified; anybody in between can read the password; pin them: sparewatch check --pin`,
		`c.yaml:3: allow_tls10: the connections to 2 targets may be weak; update the devices where that helps`,
		`c.yaml:4: nothing uses the credentials spare; take them out, or name them at a device`,
		`c.yaml:5: v3 of weak does not authenticate: anybody can answer for the device; write auth and auth_key_file`,
		`c.yaml:8: the password of b travels unencrypted; use redfish:// where the device has TLS`,
		`c.yaml:9: the URL of c holds its community; write it under credentials as community_file`,
		`c.yaml:11: e names no credentials, so its community is public; write credentials: lax, spare or weak`,
		`c.yaml:13: c/outlet/1 is taken twice: by a2/psu/1 and, at c.yaml:13, by a1/psu/1; check which of the two hangs there`,
	}
	if !slices.Equal(c.Warnings, want) {
		t.Errorf("warnings are\n%s\nwant\n%s", strings.Join(c.Warnings, "\n"), strings.Join(want, "\n"))
	}
	if tg := c.Devices[3].Targets[0]; tg.URL != "snmp://10.0.0.4" || tg.Credentials.Community.Reveal() != "private" {
		t.Errorf("the target with a community is %+v", tg)
	}
}

// TestRoutingKey: a key that cannot be one is told of before the first incident is.
func TestRoutingKey(t *testing.T) {
	const site = "devices: [snmp://10.0.0.1]\nnotify: [{name: p, kind: pagerduty, routing_key: %s}]\n"
	if w := good(t, fmt.Sprintf(site, "abc")).Warnings; len(w) != 1 || !strings.Contains(w[0], "c.yaml:2: the routing_key of p has 3 characters, those of PagerDuty have 32; copy it from the integration") {
		t.Errorf("%q", w)
	}
	if w := good(t, fmt.Sprintf(site, strings.Repeat("a", 32))).Warnings; len(w) != 0 {
		t.Errorf("%q", w)
	}
}

func TestReadableSecrets(t *testing.T) {
	dir := write(t, map[string]string{"pw": "x", "c.yaml": `
credentials:
  a: {user: u, password_file: pw}
  b: {community: zzz}
  c: {community: yyy}
devices: [{url: redfish://10.0.0.1, credentials: a}, {url: snmp://10.0.0.2, credentials: b}, {url: snmp://10.0.0.3, credentials: c}]
`})
	for _, f := range []string{"pw", "c.yaml"} {
		if err := os.Chmod(filepath.Join(dir, f), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := LoadWith(dir, Options{Getenv: getenv})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		dir + "/c.yaml:3: " + dir + "/pw holds a secret and may be read by everybody on this host; chmod o-r " + dir + "/pw",
		dir + "/c.yaml:4: it holds secrets, as this community, and may be read by everybody on this host; chmod o-r " + dir + "/c.yaml",
	}
	if !slices.Equal(c.Warnings, want) {
		t.Errorf("warnings are\n%s", strings.Join(c.Warnings, "\n"))
	}
}

func TestAFolderIsOneConfiguration(t *testing.T) {
	dir := write(t, map[string]string{
		"10-site.yaml":     "site: x\ntopology: {feeds: [f1]}\n",
		"20-devices.yml":   "devices: [{name: a, kind: host}]\n---\ndevices: [{name: b, kind: host}]\n",
		"30-topology.yaml": "topology: {feeds: [f2], cables: [\"a/psu/1 <- f1\", \"b/psu/1 <- f2\"]}\n",
		"40-empty.yaml":    "# nothing yet\n",
		"notes.txt":        "}{",
		".hidden.yaml":     "}{",
	})
	c, err := LoadWith(dir, Options{Getenv: getenv})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Devices) != 2 || len(c.Model.Links) != 2 || len(c.Files) != 4 {
		t.Errorf("%d devices, %d links, files %v", len(c.Devices), len(c.Model.Links), c.Files)
	}
	if err := os.WriteFile(filepath.Join(dir, "50.yaml"), []byte("site: y\ndevices: [{name: a, kind: pdu}]\nzzz: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = LoadWith(dir, Options{Getenv: getenv})
	want := `50.yaml:1: site is said twice: also at 10-site.yaml:1; take one of them out
50.yaml:2: there are two devices called a: also at 20-devices.yml:1; give one of them another name, or write all its urls in one place
50.yaml:3: the configuration has no key "zzz"; write ` + oneOf(documentKeys)
	if got := strings.ReplaceAll(fmt.Sprint(err), dir+"/", ""); got != want {
		t.Errorf("said\n%s\nwant\n%s", got, want)
	}
}

func TestAliasesAndMerges(t *testing.T) {
	c := good(t, `
poll: {kinds: {pdu: &slow {states: 1m, timeout: 20s}, ups: {<<: *slow, states: 2m}}}
devices: [{name: ups-1, url: snmp://10.0.0.1}, {name: pdu-1, url: snmp://10.0.0.2}]
`)
	if u, p := c.Devices[1], c.Devices[0]; u.States != 2*time.Minute || u.Targets[0].Timeout != 20*time.Second || p.States != time.Minute {
		t.Errorf("%+v %+v", u, p)
	}
}

func TestStateDir(t *testing.T) {
	for _, c := range []struct{ env, want string }{
		{"STATE_DIRECTORY=/var/lib/private/sparewatch:/x", "/var/lib/private/sparewatch"},
		{"XDG_STATE_HOME=/s", "/s/sparewatch"},
		{"HOME=/home/op", "/home/op/.local/state/sparewatch"},
		{"XDG_STATE_HOME=relative", "/var/lib/sparewatch"},
	} {
		name, value, _ := strings.Cut(c.env, "=")
		if os.Geteuid() == 0 && name != "STATE_DIRECTORY" {
			c.want = "/var/lib/sparewatch"
		}
		l := newLoader(Options{Getenv: func(n string) string {
			if n == name {
				return value
			}
			return ""
		}}, "c.yaml", []string{"c.yaml"})
		if got := l.stateDir(); got != c.want {
			t.Errorf("with %s it is %s, want %s", c.env, got, c.want)
		}
	}
}

func TestSchemesOfThisVersion(t *testing.T) {
	dir := write(t, map[string]string{"c.yaml": "devices: [ipmi://10.0.0.1, snmp://10.0.0.2]\n"})
	_, err := LoadWith(dir, Options{Getenv: getenv, Schemes: []string{"redfish", "snmp"}})
	if want := "c.yaml:1: this version does not read ipmi://; write redfish:// or snmp://"; err == nil || strings.ReplaceAll(err.Error(), dir+"/", "") != want {
		t.Errorf("said %v, want %s", err, want)
	}
}

func TestPins(t *testing.T) {
	dir := write(t, map[string]string{"c.yaml": `
credentials: {bmc: {user: u, password_env: BMC_PASSWORD, tls: {insecure: true}}}
devices: ["redfish://10.0.0.[1-2]", {name: own, url: redfish://10.0.0.3, tls: {fingerprint: "` + strings.Repeat("cd", 32) + `"}}]
`})
	file := filepath.Join(dir, "sparewatch.pins")
	loud := "SHA256:" + strings.TrimSuffix(strings.Repeat("AB:", 32), ":")
	if err := WritePins(file, map[string]string{"redfish://10.0.0.1": loud, "redfish://10.0.0.3": loud, "redfish://gone": loud}); err != nil {
		t.Fatal(err)
	}
	c, err := LoadWith(dir, Options{Getenv: getenv})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, d := range c.Devices {
		tls := d.Targets[0].Credentials.TLS
		got += fmt.Sprintf("%s %.4s %v\n", d.Name, tls.Fingerprint, tls.Insecure)
	}
	if want := "10.0.0.1 abab false\n10.0.0.2  true\nown cdcd false\n"; got != want {
		t.Errorf("pinned are\n%s", got)
	}
	if c.Pins.File != file || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "of 1 target ") {
		t.Errorf("pins in %s, warnings %q", c.Pins.File, c.Warnings)
	}
	// Another certificate takes the place of the first; the rest stays.
	if err := WritePins(file, map[string]string{"redfish://10.0.0.1": strings.Repeat("ef", 32)}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := pinsHead + "redfish://10.0.0.1 sha256:" + strings.Repeat("ef", 32) + "\nredfish://10.0.0.3 sha256:" + strings.Repeat("ab", 32) +
		"\nredfish://gone sha256:" + strings.Repeat("ab", 32) + "\n"
	if string(data) != want {
		t.Errorf("the file is\n%s", data)
	}
	if err := WritePins(file, map[string]string{"redfish://10.0.0.1": "abc"}); err == nil {
		t.Error("a short fingerprint was pinned")
	}
	if err := os.WriteFile(file, []byte("redfish://10.0.0.1\nredfish://10.0.0.1 sha256:zz\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = LoadWith(dir, Options{Getenv: getenv})
	wantErr := `sparewatch.pins:1: the line is no pin; write redfish://HOST sha256:FINGERPRINT
sparewatch.pins:2: the fingerprint of redfish://10.0.0.1 is no SHA-256; write sha256: and 64 hexadecimal digits`
	if got := strings.ReplaceAll(fmt.Sprint(err), dir+"/", ""); got != wantErr {
		t.Errorf("said\n%s", got)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.tmp"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestTLSAddress(t *testing.T) {
	for target, want := range map[string]string{
		"redfish://10.0.0.1": "10.0.0.1:443", "redfish://[fd00::1]:8443": "[fd00::1]:8443", "snmp://10.0.0.1": "", "redfish+http://10.0.0.1": "",
	} {
		if got, ok := TLSAddress(target); got != want || ok != (want != "") {
			t.Errorf("the certificate of %s is at %q, want %q", target, got, want)
		}
	}
}

func TestExpand(t *testing.T) {
	for pattern, want := range map[string]string{
		"a":                           "a",
		"srv-[1-3]":                   "srv-1 srv-2 srv-3",
		"srv-[08-11]":                 "srv-08 srv-09 srv-10 srv-11",
		"x[9-11]":                     "x9 x10 x11",
		"pdu-[a,b]":                   "pdu-a pdu-b",
		"[a-c]":                       "a b c",
		"r[1-2]-[a,b]":                "r1-a r1-b r2-a r2-b",
		"[1-2,7,x, 9-10]":             "1 2 7 x 9 10",
		"[a,b-[1-2]]":                 "a b-1 b-2",
		"[a-team,b-team]":             "a-team b-team",
		"redfish://[fd00::1]":         "redfish://[fd00::1]",
		"redfish://[fd00::[1-2]]:444": "redfish://[fd00::1]:444 redfish://[fd00::2]:444",
		"redfish://10.0.0.[1-2]":      "redfish://10.0.0.1 redfish://10.0.0.2",
		"redfish://[a,b].example":     "redfish://a.example redfish://b.example",
		"snmp://c@[fd00::1]":          "snmp://c@[fd00::1]",
		"[5-5]":                       "5",
	} {
		got, err := expand(pattern)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s stands for %v (%v), want %s", pattern, got, err, want)
		}
	}
	for pattern, want := range map[string]string{
		"a[1-2":               `"a[1-2" has a [ without ]`,
		"a1-2]":               `"a1-2]" has a ] without [`,
		"a[]":                 `"a[]" has an empty place in its brackets`,
		"a[1,,2]":             `"a[1,,2]" has an empty place in its brackets`,
		"a[12-1]":             `"a[12-1]" has [12-1], which counts backwards: write [1-12]`,
		"a[c-a]":              `"a[c-a]" has [c-a], which counts backwards: write [a-c]`,
		"a[a-C]":              `"a[a-C]" has [a-C], which mixes capital and small letters`,
		"a[01-112]":           `"a[01-112]" has [01-112], whose ends are padded to different widths: write both with as many digits`,
		"a[1-x]":              `"a[1-x]" has "1-x", which is no range: write [1-12], [01-12], [a-c] or [a,b]`,
		"a[1-99999999]":       `"a[1-99999999]" stands for more than 100000 names`,
		"[1-1000][1-1000]":    `"[1-1000][1-1000]" stands for more than 100000 names`,
		"[[[[[[[[[a]]]]]]]]]": `"[[[[[[[[[a]]]]]]]]]" nests more than 8 brackets`,
	} {
		if _, err := expand(pattern); err == nil || err.Error() != want {
			t.Errorf("%s: said %v, want %s", pattern, err, want)
		}
	}
}
