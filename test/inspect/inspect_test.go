// Package inspect tries the whole way of `sparewatch inspect` on recorded devices: each is served over its own protocol,
// polled once, and judged; what comes out is what its manifest says.
package inspect

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/app"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// said are the statements that must stand in what inspect says of a recording, written as said() writes them.
var said = map[string][]string{
	// 2 supplies of 1100 W in two bays, healthy.
	"redfish/dell-r750-idrac-6.00.30.json": {"device Dell Inc. PowerEdge R750", "group psu full 1 of 2 spares 1", "psu/1 ok", "psu/2 ok", "exit 0"},
	// HPE's "minimum 2 of 2" is 1+1; two ports of the two adapters lost their link.
	"redfish/hpe-dl325-gen10plus-ilo5-2.46.json": {"device HPE ProLiant DL325 Gen10 Plus", "group psu full 1 of 2 spares 1", "psu/1 ok", "psu/2 ok", "nic/1 impaired", "nic/2 impaired", "exit 0"},
	// Drive 3 has failed; six bays, two of them empty; the RAID 0 volume never had a spare.
	"redfish/hpe-xl675d-gen10plus-ilo5-2.70-failed-drive.json": {"device HPE ProLiant XL675d Gen10 Plus", "drive/3 failed", "psu/1 ok", "psu/2 ok", "psu/3 ok", "psu/4 ok", "psu/5 absent", "psu/6 absent", "exit 1"},
	// Storage with a volume and a drive, and nothing that is redundant.
	"redfish/lenovo-sr850-xcc-2.10.json": {"device Lenovo", "no group", "exit 0"},
	// The DMTF's own example of lost redundancy: one supply of two absent, the other warns.
	"redfish/dmtf-public-rackmount1.json": {"device Contoso 3500", "group psu lost 1 of 2 spares 0", "psu/1 impaired", "psu/2 absent", "claim psu lost", "exit 1"},
	// An empty set with "OK" is not full.
	"redfish/supermicro-x10.json": {"device Supermicro", "no group", "exit 0"},

	"snmp/pdu/apc_ap7900b.snmprec":           {"device APC AP7900B", "pdu/1 ok", "phase/1 ok", "outlet/1 ok", "outlet/8 ok", "no group", "exit 0"},
	"snmp/pdu/apc_ap8853.snmprec":            {"device APC AP8853", "pdu/1 ok", "phase/1 ok", "bank/1 ok", "bank/2 ok", "psu/1 ok", "psu/2 absent", "no group", "exit 0"},
	"snmp/pdu/apc_ap8959eu3.snmprec":         {"device APC AP8959EU3", "pdu/1 ok", "phase/1 ok", "psu/1 ok", "no group", "exit 0"},
	"snmp/pdu/snmpsimdata-apc-7902b.snmprec": {"device APC", "pdu/1 ok", "phase/1 ok", "bank/1 ok", "bank/2 ok", "no group", "exit 0"},
	"snmp/pdu/snmpsimdata-apc-8932.snmprec":  {"device APC", "pdu/1 ok", "phase/1 ok", "bank/1 ok", "bank/2 ok", "no group", "exit 0"},
	"snmp/ups/apc_smart1500.snmprec":         {"device APC", "ups/1 ok", "battery/1 ok", "inlet/1 ok", "exit 0"},
	"snmp/ups/apc_surt3000xl.snmprec":        {"device APC", "ups/1 ok", "battery/1 ok", "inlet/1 ok", "exit 0"},
	"snmp/ups/apc_symmetralx.snmprec":        {"device APC", "ups/1 ok", "battery/1 ok", "inlet/1 ok", "exit 0"},
}

func TestRecordedDevices(t *testing.T) {
	dir, ok := recording.Dir()
	if !ok {
		t.Skipf("skipped: no recordings, %d devices not inspected (set SPAREWATCH_RECORDINGS)", len(said))
	}
	all, err := app.Collectors()
	if err != nil {
		t.Fatal(err)
	}
	for file, statements := range said {
		t.Run(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), func(t *testing.T) {
			served, err := lab.Replay(filepath.Join(dir, filepath.FromSlash(file)), "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = served.Stop() }()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			in, err := app.Inspect(ctx, all, collectors.Target{Device: "dev", URL: served.URL, Credentials: collectors.Credentials{TLS: collectors.TLS{Insecure: true}}})
			if err != nil {
				t.Fatal(err)
			}
			got := statementsOf(in)
			for _, want := range statements {
				if !slices.ContainsFunc(got, func(s string) bool {
					return s == want || strings.HasPrefix(want, "device ") && strings.HasPrefix(s, want)
				}) {
					t.Errorf("it does not say %q; it says\n\t%s", want, strings.Join(got, "\n\t"))
				}
			}
		})
	}
}

// statementsOf puts an inspection into short statements.
func statementsOf(in *api.Inspection) []string {
	out := []string{fmt.Sprintf("device %s %s", in.Device.Vendor, in.Device.Model), fmt.Sprintf("exit %d", in.Exit())}
	for _, c := range in.Components {
		out = append(out, fmt.Sprintf("%s/%s %s", c.Kind, c.ID.Local(), c.Condition))
	}
	for _, g := range in.Groups {
		out = append(out, fmt.Sprintf("group %s %s %s of %s spares %s", g.ID.Local(), g.State, number(g.Needed), number(g.Designed), number(g.Spares)))
	}
	for _, c := range in.Claims {
		out = append(out, fmt.Sprintf("claim %s %s", c.Group.Local(), c.State))
	}
	if len(in.Groups) == 0 {
		out = append(out, "no group")
	}
	return out
}

func number(n *int) string {
	if n == nil {
		return "unknown"
	}
	return fmt.Sprint(*n)
}
