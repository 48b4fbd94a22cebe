package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { tellStory(t, file) })
	}
}

func tellStory(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	for i, line := range strings.Split(string(text), "\n") {
		step := strings.TrimSpace(line)
		if step == "" || line[0] != ' ' && line[0] != '\t' {
			continue
		}
		if err := w.do(step); err != nil {
			t.Errorf("%s:%d: %s\n\t%v", file, i+1, step, err)
			if !strings.HasPrefix(step, "expect") {
				return
			}
		}
	}
}
