package paths_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

func TestTmp(t *testing.T) {
	root, _ := recording.Dir()
	files, _ := filepath.Glob(filepath.Join(root, "bgp", "bmp", "*", "*.pcap"))
	for _, f := range files {
		js, _ := filepath.Glob(filepath.Join(filepath.Dir(f), "*.json"))
		for _, j := range js {
			if strings.Contains(j, "pmacct") {
				continue
			}
			got, want := ours(t, f), netgauze(t, j)
			same, more, less := agree(got, want)
			t.Logf("%s: %d of %d, got %d", filepath.Base(filepath.Dir(f)), same, len(want), len(got))
			for i := range min(2, len(more)) {
				t.Logf("more:\n%s", more[i])
			}
			for i := range min(12, len(less)) {
				t.Logf("less:\n%s", less[i])
			}
		}
	}
}
