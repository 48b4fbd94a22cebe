package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

var update = flag.Bool("update", false, "accept what is printed now")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sparewatch": main})
}

// TestGoldenScripts runs the commands as testdata/script says. Scripts with [recordings] skip where there are none.
func TestGoldenScripts(t *testing.T) {
	recordings, found := recording.Dir()
	if !found {
		t.Log("skipped: the scripts that need ../shared/recordings (SPAREWATCH_RECORDINGS says where else they are)")
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("RECORDINGS", recordings)
			e.Setenv("NO_COLOR", "1")
			configs, err := filepath.Abs(filepath.Join("..", "..", "configs"))
			e.Setenv("CONFIGS", configs)
			return err
		},
		Condition: func(name string) (bool, error) { return name == "recordings" && found, nil },
		Cmds:      map[string]func(*testscript.TestScript, bool, []string){"replay": replay, "expand": expand},
	})
}

// replay serves a recording until the script ends: replay FILE sets URL, PORT and, over TLS,
// FINGERPRINT.
func replay(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: replay FILE")
	}
	r, err := lab.Replay(ts.MkAbs(args[0]), "")
	ts.Check(err)
	ts.Defer(func() { _ = r.Stop() })
	ts.Setenv("URL", r.URL)
	ts.Setenv("PORT", r.URL[strings.LastIndex(r.URL, ":")+1:])
	if r.Redfish != nil {
		ts.Setenv("FINGERPRINT", r.Redfish.Fingerprint())
	}
}

// expand FILE puts the environment's values in the place of $NAME in a file.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}
