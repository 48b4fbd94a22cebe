package mibs

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// A profile of a maker's whole family takes milliseconds to load, ten times that under the fuzzer's instruments, and
// most changes to its bytes only make it no YAML. So what is fuzzed is small, and changed where it means something.

// fuzzed is the largest text that is loaded, in octets.
const fuzzed = 3000

// smallProfiles are those that come with the program and are short enough, and the README's example.
func smallProfiles(f *testing.F) (texts []string) {
	entries, err := os.ReadDir("profiles")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile("profiles/" + e.Name())
		if err != nil {
			f.Fatal(err)
		}
		if len(b) <= fuzzed {
			texts = append(texts, string(b))
		}
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		f.Fatal(err)
	}
	for part := range strings.SplitSeq(string(readme), "```") {
		if text, ok := strings.CutPrefix(part, "yaml\n"); ok && len(text) <= fuzzed {
			texts = append(texts, text)
		}
	}
	if len(texts) < 10 {
		f.Fatalf("only %d small profiles", len(texts))
	}
	return texts
}

// loads checks what Load promises: a set or mistakes, and each mistake with its file.
func loads(t *testing.T, text string) {
	set, err := load(text)
	if (set == nil) == (err == nil) {
		t.Fatalf("set %v, err %v", set, err)
	}
	var one *Error
	if err != nil && (!errors.As(err, &one) || one.File == "" || one.Line < 0 || one.Line > len(text)+2) {
		t.Fatalf("%v (%+v)", err, one)
	}
	if set == nil {
		return
	}
	for _, p := range set.Profiles {
		if p.Name == "" {
			t.Error("a profile without a name is taken")
		}
	}
	set.Match(System{ObjectID: "1.3.6.1.4.1.318.1", Descr: text, Present: map[string]bool{"1.3.6.1.4.1.318": true}})
	set.Presence()
}

// FuzzLoad loads texts of any sort.
func FuzzLoad(f *testing.F) {
	for _, text := range []string{
		"", "profile: p\nclass: pdu\nmatch: {present: 1.3.6}\n", "profile: [a]\n", "a: &x {b: *x}\n", "- 1\n--- \n- 2\n",
		"profile: p\nclass: ups\nmatch: {sysObjectID: 1.3.6.1.4.1.1}\nscalars:\n  a: 1.3.6.1.4.1.1.1.0\ncomponents:\n  - {kind: psu, id: 1, condition: {of: a, map: {1: ok, 2: failed}}}\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > fuzzed {
			t.Skip("too long to be loaded often")
		}
		loads(t, text)
	})
}

// FuzzChange takes a profile that is right and puts something else in the place of one value, key or line: most of that is
// YAML still, and goes on to the checks.
func FuzzChange(f *testing.F) {
	texts := smallProfiles(f)
	for i := range texts {
		f.Add(uint8(i), uint16(3*i), "1.3.6.1.4.1.99", uint8(i%4))
	}
	f.Add(uint8(0), uint16(4), "", uint8(0))
	f.Add(uint8(1), uint16(9), "{map: {1: ok, x: 2}}", uint8(1))
	f.Add(uint8(2), uint16(12), "$a / 0", uint8(1))
	f.Add(uint8(3), uint16(15), "(?P<n>", uint8(1))
	f.Fuzz(func(t *testing.T, pick uint8, line uint16, with string, how uint8) {
		if len(with) > 200 {
			t.Skip("a value is shorter")
		}
		lines := strings.Split(texts[int(pick)%len(texts)], "\n")
		at := int(line) % len(lines)
		key, value, _ := strings.Cut(lines[at], ": ")
		switch how % 4 {
		case 0:
			lines[at] = key[:len(key)-len(strings.TrimLeft(key, " "))] + with
		case 1:
			lines[at] = key + ": " + with
		case 2:
			lines[at] = key + with + ": " + value
		case 3:
			lines = slices.Insert(lines, at, lines[at])
		}
		loads(t, strings.Join(lines, "\n"))
	})
}
