package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func model(t *testing.T) *kong.Kong {
	t.Helper()
	parser, err := newParser(new(cli), func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	return parser
}

// shown are the examples in a command's --help: the commands alone, without what follows them on the line.
func shown(n *kong.Node) [][]string {
	var all [][]string
	for line := range strings.Lines(n.Detail) {
		line, found := strings.CutPrefix(line, "    sparewatch ")
		if !found {
			continue
		}
		for _, end := range []string{" | ", " && ", " >", "   "} {
			line, _, _ = strings.Cut(line, end)
		}
		all = append(all, strings.Fields(line))
	}
	return all
}

// TestHelpsExamplesParse: each command shows examples, they are of it, and they are accepted.
func TestHelpsExamplesParse(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, n := range model(t).Model.Leaves(true) {
		examples := shown(n)
		if len(examples) == 0 && n.Name != "version" {
			t.Errorf("%s --help shows no example", n.FullPath())
		}
		for _, args := range examples {
			present(t, args)
			command, err := model(t).Parse(args)
			if err != nil {
				t.Errorf("sparewatch %s: %v", strings.Join(args, " "), err)
			} else if command.Selected().FullPath() != n.FullPath() {
				t.Errorf("%s --help shows an example of %s", n.FullPath(), command.Selected().FullPath())
			}
		}
	}
}

// TestHelpSaysTheExitCodes: of each command whose answer may be bad news.
func TestHelpSaysTheExitCodes(t *testing.T) {
	for _, n := range model(t).Model.Leaves(true) {
		switch n.Name {
		case "version", "completion", "replay":
		default:
			if !strings.Contains(n.Detail, "Exit codes: 0 ") {
				t.Errorf("%s --help does not say what its exit codes mean", n.FullPath())
			}
		}
	}
}

// TestCompletions: each shell that is here reads its script, and each script knows every command and flag.
func TestCompletions(t *testing.T) {
	all := commands(model(t).Model.Node)
	for shell, write := range completions {
		var script bytes.Buffer
		write(&script, all)
		for _, n := range all {
			for _, f := range flags(n) {
				if !strings.Contains(script.String(), f.Name) {
					t.Errorf("%s: no --%s", shell, f.Name)
				}
			}
			if !strings.Contains(script.String(), n.Name) {
				t.Errorf("%s: no %s", shell, n.Name)
			}
		}
		if _, err := exec.LookPath(shell); err != nil {
			t.Logf("%s is not here: its script was not read", shell)
			continue
		}
		cmd := exec.Command(shell, "-n", "/dev/stdin")
		cmd.Stdin = &script
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", shell, err, out)
		}
	}
}

// TestBashCompletes: what a person gets who presses tab.
func TestBashCompletes(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not here")
	}
	var script bytes.Buffer
	bashCompletion(&script, commands(model(t).Model.Node))
	for typed, want := range map[string]string{
		"sparewatch insp":                  "inspect",
		"sparewatch inspect --pass":        "--password-file",
		"sparewatch gate --strict srv --c": "--config",
		"sparewatch profile te":            "test",
		"sparewatch inspect snmp":          "", // readline offers files
	} {
		words := strings.Fields(typed)
		line := script.String() + "\nCOMP_WORDS=(" + typed + ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_sparewatch\necho \"${COMPREPLY[*]}\"\n"
		out, err := exec.Command("bash", "-c", line).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%v: %q, want %q (%v)", words, got, want, err)
		}
	}
}

// TestManual: the manual page has every command and flag, and no line that troff would take for a request of its own.
func TestManual(t *testing.T) {
	root := model(t).Model.Node
	var page bytes.Buffer
	manual(&page, root)
	for _, n := range root.Leaves(true) {
		if !strings.Contains(page.String(), "\n.SS "+roff(strings.TrimPrefix(n.Path(), "sparewatch "))) {
			t.Errorf("%s is missing", n.FullPath())
		}
		for _, f := range flags(n) {
			if !strings.Contains(page.String(), roff("--"+f.Name)) {
				t.Errorf("%s: no --%s", n.FullPath(), f.Name)
			}
		}
	}
	known := map[string]bool{"TH": true, "SH": true, "SS": true, "TP": true, "PP": true, "B": true, "I": true, "RI": true, "nf": true, "fi": true, "RS": true, "RE": true}
	for line := range strings.Lines(page.String()) {
		if macro, found := strings.CutPrefix(strings.TrimSpace(line), "."); found && !known[strings.Fields(macro)[0]] {
			t.Errorf("troff reads %q as a request", line)
		}
	}
}
