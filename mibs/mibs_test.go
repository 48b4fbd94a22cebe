package mibs

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func TestEmbeddedProfilesLoad(t *testing.T) {
	set, err := Load(nil, Source{"profiles", Embedded()})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range set.Profiles {
		if p.Source == "" || p.Title == "" {
			t.Errorf("%s:%d: %s lacks its title or its source", p.File, p.Line, p.Name)
		}
	}
}

// example is the profile in README.md.
func example(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(b), "    profile: acme-pdu")
	if !found {
		t.Fatal("README.md has lost its example")
	}
	var lines []string
	for _, line := range strings.Split("    profile: acme-pdu"+text, "\n") {
		if line != "" && !strings.HasPrefix(line, "    ") {
			break
		}
		lines = append(lines, strings.TrimPrefix(line, "    "))
	}
	return strings.Join(lines, "\n")
}

func load(text string) (*Set, error) {
	return Load([]string{"pdu", "psu", "outlet", "inlet", "volume", "drive"}, Source{"my", fstest.MapFS{"x.yaml": {Data: []byte(text)}}})
}

func TestTheExampleInTheReadmeLoads(t *testing.T) {
	set, err := load(example(t))
	if err != nil {
		t.Fatal(err)
	}
	p := set.Profiles[0]
	if p.Name != "acme-pdu" || len(p.Components) != 3 || len(p.Tables) != 2 {
		t.Errorf("%s: %d components, %d tables", p.Name, len(p.Components), len(p.Tables))
	}
	fast := map[string]bool{}
	for _, o := range append(p.Scalars, append(p.Tables[0].Columns, p.Tables[1].Columns...)...) {
		fast[o.Name] = o.Fast
	}
	for name, want := range map[string]bool{"acmeFault": true, "acmeModel": false, "acmeInputLoadState": true, "acmeInputName": false, "acmeInputRating": false, "acmeOutletState": true, "acmeOutletAmps": true} {
		if fast[name] != want {
			t.Errorf("%s: fast is %v", name, fast[name])
		}
	}
}

func TestEveryMistakeIsReportedWithItsLine(t *testing.T) {
	const head = "profile: p\nclass: pdu\nmatch: {present: 1.3.6.1.4.1.1}\n"
	for _, c := range []struct{ name, text, want string }{
		{"no yaml", "a: [", "my/x.yaml:1: "},
		{"no name", "title: x", `my/x.yaml:1: begin with "profile: name"`},
		{"unknown key", head + "colour: red", `my/x.yaml:4: a profile has no "colour"`},
		{"twice", head + "title: a\ntitle: b", `my/x.yaml:5: `},
		{"class", "profile: p\nclass: car\nmatch: {present: 1.3.6}", "my/x.yaml:1: class must be one of pdu"},
		{"no match", "profile: p\nclass: pdu", `a profile needs "match"`},
		{"oid", head + "scalars: {a: 1.3.x}", `my/x.yaml:4: "1.3.x" is no OID`},
		{"large oid", head + "scalars: {a: 1.3.99999999999}", "is too large"},
		{"several in a name", head + "tables: {t: {entry: 1.3.1, columns: {x: 1}}}\ncomponents:\n  - {kind: pdu, table: t, name: \"{x|octets}\", condition: ok}", "my/x.yaml:6: name: octets and each name several things"},
		{"kind", head + "components:\n  - {kind: car}", `my/x.yaml:5: "car" is no kind`},
		{"table", head + "components:\n  - {kind: pdu, table: t}", `my/x.yaml:5: there is no table "t"`},
		{"column", head + "tables: {t: {entry: 1.3.6, columns: {c: 1}}}\ncomponents:\n  - {kind: pdu, table: t, condition: {of: d, map: {1: ok}}}", `my/x.yaml:6: "d" is no column`},
		{"state", head + "scalars: {a: 1.3.6}\ncomponents:\n  - {kind: pdu, condition: {of: a, map: {1: good}}}", `my/x.yaml:6: "good" is not a condition; write one of ok`},
		{"flag", head + "scalars: {a: 1.3.6}\ncomponents:\n  - {kind: pdu, condition: {of: a, map: {1: ok+shiny}}}", `"shiny" is no flag`},
		{"no meaning", head + "scalars: {a: 1.3.6}\ncomponents:\n  - {kind: pdu, condition: {of: a}}", "say what the value means"},
		{"enum", head + "scalars: {a: 1.3.6}\ncomponents:\n  - {kind: pdu, condition: {of: a, map: e}}", `there is no enum "e"`},
		{"brace", head + "components:\n  - {kind: pdu, name: '{a'}", "a { without its }"},
		{"filter", head + "components:\n  - {kind: pdu, name: '{sysDescr|shout}'}", `"shout" is no filter`},
		{"regexp", head + "components:\n  - {kind: pdu, name: '{sysDescr|/(/}'}", "missing closing )"},
		{"extract", head + "scalars: {a: 1.3.6}\ncomponents:\n  - {kind: pdu, condition: ok, readings: [{name: x, of: a, extract: '('}]}", "missing closing )"},
		{"target", head + "components:\n  - {kind: pdu, fed_by: inlet}", "names no component"},
		{"include", head + "include: [f]", `my/x.yaml:4: there is no fragment "f"`},
		{"alias", head + "components: &a []\ngroups: *a", "my/x.yaml:5: aliases"},
		{"replaces", head + "replaces: [q]", `replaces "q", which is no profile`},
		{"itself", "fragment: f\ninclude: [f]", "f includes itself"},
		{"two profiles", "profile: p\nclass: pdu\nmatch: {present: 1.3}\n---\nprofile: p\nclass: pdu\nmatch: {present: 1.3}", "p is defined in my/x.yaml already"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			var one *Error
			if !errors.As(err, &one) {
				t.Errorf("%T is no *Error", err)
			}
		})
	}
}

func TestSeveralMistakesComeTogether(t *testing.T) {
	_, err := load("profile: p\nclass: car\nmatch: {present: 1.x}\nscalars: {a: b}\n")
	if err == nil || strings.Count(err.Error(), "\n") < 2 {
		t.Errorf("got %v", err)
	}
}

func TestALaterSourceTakesThePlaceOfAProfile(t *testing.T) {
	file := func(title string) fstest.MapFS {
		return fstest.MapFS{"a.yaml": {Data: []byte("profile: p\nclass: pdu\ntitle: " + title + "\nmatch: {present: 1.3.6}\n")}}
	}
	set, err := Load(nil, Source{"built-in", file("theirs")}, Source{"mine", file("mine")})
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Profiles) != 1 || set.Profiles[0].Title != "mine" {
		t.Errorf("got %d profiles, the first %q", len(set.Profiles), set.Profiles[0].Title)
	}
}

func TestUnder(t *testing.T) {
	for _, c := range []struct {
		oid, prefix string
		want        bool
	}{{"1.3.6", "1.3.6", true}, {"1.3.6.1", "1.3.6", true}, {"1.3.61", "1.3.6", false}, {"1.3", "1.3.6", false}} {
		if got := Under(c.oid, c.prefix); got != c.want {
			t.Errorf("Under(%s, %s) = %v", c.oid, c.prefix, got)
		}
	}
}
