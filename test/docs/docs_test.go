// Package docs checks what the documentation points to: files, headings, targets of make, tests.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// pages are the Markdown files of the tree, by their paths from its root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && strings.HasPrefix(d.Name(), "."), d.Name() == "testdata":
			return fs.SkipDir
		case filepath.Ext(path) == ".md":
			text, err := os.ReadFile(filepath.Join(root, path))
			all[path] = string(text)
			return err
		}
		return nil
	})
	if err != nil || len(all) < 10 {
		t.Fatalf("%d pages were found: %v", len(all), err)
	}
	return all
}

func exists(path string) bool {
	_, err := os.Stat(filepath.Join(root, path))
	return err == nil
}

// anchors are the names of a page's headings, as they are made where Markdown is shown.
func anchors(page string) map[string]bool {
	all := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all[strings.ReplaceAll(name, " ", "-")] = true
	}
	return all
}

// TestLinks: each link within the tree leads to a file, and to a heading where it names one.
func TestLinks(t *testing.T) {
	all := pages(t)
	for from, text := range all {
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(text, -1) {
			link := m[1]
			if strings.Contains(link, "://") {
				continue
			}
			file, heading, _ := strings.Cut(link, "#")
			to := from
			if file != "" {
				to = filepath.Join(filepath.Dir(from), file)
			}
			if !exists(to) {
				t.Errorf("%s: %s is not there", from, link)
			} else if heading != "" && !anchors(all[to])[heading] {
				t.Errorf("%s: %s has no such heading", from, link)
			}
		}
	}
}

// TestNamedFiles: what the pages call by a path of the tree is there.
func TestNamedFiles(t *testing.T) {
	path := regexp.MustCompile("`((?:cmd|collectors|configs|dashboards|docs|mibs|packaging|pkg|scripts|test)/[A-Za-z0-9_./-]+)`")
	for from, text := range pages(t) {
		for _, m := range path.FindAllStringSubmatch(text, -1) {
			if !exists(m[1]) && !exists(filepath.Join(filepath.Dir(from), m[1])) {
				t.Errorf("%s: %s is not there", from, m[1])
			}
		}
	}
}

// TestNamedTargets: make knows what the pages tell it to make.
func TestNamedTargets(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for from, text := range pages(t) {
		for _, m := range regexp.MustCompile("(?m)(?:^ {4}|`)(?:[A-Z]+=\\S+ )*make ([a-z][a-z-]*)").FindAllStringSubmatch(text, -1) {
			if !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("%s: make knows no %s", from, m[1])
			}
		}
	}
}

// TestNamedTests: each `go test PACKAGE -run NAME` of the pages runs something.
func TestNamedTests(t *testing.T) {
	for from, text := range pages(t) {
		for _, m := range regexp.MustCompile(`go test \./([a-z0-9_/]+) -(?:run|bench) ([A-Za-z0-9_/|]+)`).FindAllStringSubmatch(text, -1) {
			files, err := filepath.Glob(filepath.Join(root, m[1], "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			var tests strings.Builder
			for _, f := range files {
				source, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				tests.Write(source)
			}
			top, _, _ := strings.Cut(m[2], "/")
			if !regexp.MustCompile(`func (?:Test|Benchmark|Fuzz)\w*(?:`+top+`)`).MatchString(tests.String()) &&
				!regexp.MustCompile(`func (?:`+top+`)`).MatchString(tests.String()) {
				t.Errorf("%s: go test ./%s -run %s runs nothing", from, m[1], m[2])
			}
		}
	}
}
