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
	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/app"
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
	score(t, "IPMI machines, by ipmi_sim", "ipmi/infrasim-*/*.emu", "ipmi", func(ctx context.Context, all map[string]collectors.Collector, file string) (*api.Inspection, error) {
		b := startBMC(t, hideDisabled(t, file))
		pollIPMI(t, openIPMI(t, b, "test")) // until it has loaded its sensors
		return app.Inspect(ctx, all, collectors.Target{Device: "dev", URL: fmt.Sprintf("ipmi://127.0.0.1:%d", b.port), Timeout: time.Second,
			Credentials: collectors.Credentials{User: "ipmiusr", Password: secret.New("test")}})
	})
}
