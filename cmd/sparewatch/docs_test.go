package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documented are the commands in a page: whole ones, on lines of their own, and names of commands in sentences, where what
// they need may be left out.
func documented(page string) (whole, named []string) {
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "sparewatch ") || strings.HasPrefix(line, "bin/sparewatch ") {
			whole = append(whole, strings.TrimPrefix(line, "bin/"))
		}
	}
	for _, m := range regexp.MustCompile("`(?:bin/)?(sparewatch [^`\n]+)`").FindAllStringSubmatch(page, -1) {
		named = append(named, m[1])
	}
	return whole, named
}

// words splits a command as a shell would, and leaves out what explains it: a comment, or text after several blanks.
func words(command string) (all []string) {
	for _, end := range []string{" #", "    ", " >", " | ", " && ", " ..."} {
		command, _, _ = strings.Cut(command, end)
	}
	for i, part := range strings.Split(command, `"`) {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all[1:]
}

// TestDocumentedCommands: every command that the documentation shows is one that the program takes.
func TestDocumentedCommands(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	found := 0
	for _, pattern := range []string{"README.md", "docs/*.md", "mibs/*.md", "configs/*.yaml", "dashboards/*.md", "dashboards/runbooks/*.md"} {
		pages, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			whole, named := documented(strings.NewReplacer("\n#     ", "\n").Replace(string(text)))
			for i, command := range slices.Concat(whole, named) {
				args := words(command)
				if len(args) == 0 || !regexp.MustCompile(`^[a-z-]`).MatchString(args[0]) {
					continue // a sentence about it
				}
				found++
				present(t, args)
				_, err := model(t).Parse(args)
				if err != nil && i >= len(whole) && regexp.MustCompile(`^missing flags|^expected "<`).MatchString(err.Error()) {
					continue
				}
				if err != nil {
					t.Errorf("%s: %s: %v", filepath.Base(page), command, err)
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d commands were found", found)
	}
}

// present makes the files that a command reads.
func present(t *testing.T, args []string) {
	t.Helper()
	for _, a := range args {
		if strings.Contains(a, ".") && !strings.ContainsAny(a, ":/-") {
			if err := os.WriteFile(a, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
