package bus_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/bus"
)

// TestKilledWhileMaking: a stream whose folder was made and nothing more, because the program was killed at its first
// start, is no damage.
func TestKilledWhileMaking(t *testing.T) {
	for name, files := range map[string][]string{"an empty folder": nil, "no checksum yet": {"meta.inf"}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			stream := filepath.Join(dir, "jetstream", "$G", "streams", "KV_sparewatch_seen")
			if err := os.MkdirAll(filepath.Join(stream, "msgs"), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if err := os.WriteFile(filepath.Join(stream, f), []byte("{"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			b, err := bus.Open(context.Background(), bus.Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
		})
	}
}
