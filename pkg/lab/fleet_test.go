package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

// What a fleet costs: SPAREWATCH_FLEET=1 go test -run Fleet -v ./pkg/lab. It needs more file descriptors than many
// machines allow by default, and is no test of anything else.
func TestFleetIsCheap(t *testing.T) {
	if os.Getenv("SPAREWATCH_FLEET") == "" {
		t.Skip("set SPAREWATCH_FLEET=1 to measure 10,000 agents and 1,000 BMCs")
	}
	var lines []string
	for i := range 172 {
		lines = append(lines, fmt.Sprintf("1.3.6.1.4.1.318.1.1.26.9.2.3.1.%d.1|4|outlet %d", i, i))
	}
	base := objects(lines...).base
	tree := recording.Tree{"/redfish/v1": json.RawMessage(`{}`)}
	before := memory()
	for range 10_000 {
		serve(t, &Agent{Objects: NewObjects(base)})
	}
	agents := memory()
	cert, err := SelfSigned("fleet")
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		s, err := ServeRedfish("", &BMC{Resources: NewResources(tree)}, &cert)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
	}
	bmcs := memory()
	t.Logf("%.1f KB an agent, %.1f KB a BMC", float64(agents-before)/10_000/1024, float64(bmcs-agents)/1000/1024)
}

// memory is what the process holds of the system, in octets.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapReleased
}
