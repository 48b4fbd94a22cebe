package peers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/app"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// hideDisabled writes a machine anew without the sensors whose scanning was disabled when it was captured: its BMC answered
// for them with "scanning disabled", which ipmi_sim cannot, and gives what their values happened to be.
func hideDisabled(t *testing.T, emu string) string {
	t.Helper()
	list, err := os.ReadFile(filepath.Join(filepath.Dir(emu), "expected", "scanning-disabled.tsv"))
	if err != nil {
		return emu
	}
	hidden := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		if number, _, ok := strings.Cut(line, "\t"); ok && strings.HasPrefix(number, "0x") {
			hidden[number] = true
		}
	}
	text, err := os.ReadFile(emu)
	if err != nil {
		t.Fatal(err)
	}
	// Commands are separated by empty lines where they continue over several: a sensor is one such block.
	var kept []string
	for _, block := range strings.Split(string(text), "\n\n") {
		command := block
		for strings.HasPrefix(command, "#") {
			_, command, _ = strings.Cut(command, "\n")
		}
		f := strings.Fields(command)
		if len(f) > 3 && f[0] == "sensor_add" && hidden[f[3]] {
			continue
		}
		kept = append(kept, block)
	}
	path := filepath.Join(t.TempDir(), filepath.Base(emu))
	if err := os.WriteFile(path, []byte(strings.Join(kept, "\n\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestScoreIPMI scores every recorded machine, served by OpenIPMI's ipmi_sim.
func TestScoreIPMI(t *testing.T) {
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("skipped: no recordings of IPMI machines (set SPAREWATCH_RECORDINGS)")
	}
	persons := expectations(t, filepath.Join("..", "..", "collectors", "ipmi", "testdata", "recorded.txt"))
	all, err := app.Collectors()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "ipmi", "infrasim-*", "*.emu"))
	if err != nil || len(files) == 0 {
		t.Skipf("skipped: no recordings of IPMI machines in %s", dir)
	}
	var machines []scored
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".emu")
		want, known := persons[name]
		if !known {
			t.Logf("nobody has written down what %s shows", name)
			continue
		}
		b := startBMC(t, hideDisabled(t, f))
		pollIPMI(t, openIPMI(t, b, "test")) // until it has loaded its sensors
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		in, err := app.Inspect(ctx, all, collectors.Target{Device: "dev", URL: fmt.Sprintf("ipmi://127.0.0.1:%d", b.port), Timeout: time.Second,
			Credentials: collectors.Credentials{User: "ipmiusr", Password: secret.New("test")}})
		cancel()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		machines = append(machines, scored{machine: name, want: want, made: statements(in)})
	}
	if len(machines) == 0 {
		t.Skip("skipped: none of the recordings is known")
	}
	printScore(t, "IPMI machines, by ipmi_sim", machines)
}
