package snmp_test

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/collectors/snmp"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// TestForeignObjectID gives every recorded device a sysObjectID that nobody has listed, as a newer model or one sold under
// another name has: what stands in MIBs that we know is read all the same.
func TestForeignObjectID(t *testing.T) {
	t.Parallel()
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings: set SPAREWATCH_RECORDINGS to their folder")
	}
	set, err := snmp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := recording.ParseOID("1.3.6.1.4.1.99999.1.1")
	if err != nil {
		t.Fatal(err)
	}
	// The MIB of these has the product's number in all of its OIDs, and the number's meaning only the sysObjectID tells.
	except := []string{"gude-epc_8031.snmprec"}
	physical := []component.Kind{component.PSU, component.Fan, component.UPS, component.PDU, component.ATS, component.Inlet, component.Outlet, component.Drive, component.Controller, component.Battery}
	parts := func(rec []recording.Object) int {
		tried, err := snmp.Try("d", set, rec, "")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, c := range tried.Parsed.Components {
			if slices.Contains(physical, c.Kind) {
				n++
			}
		}
		return n
	}
	devices := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(strings.TrimSuffix(path, ".bz2"), ".snmprec") || slices.Contains(except, d.Name()) {
			return err
		}
		rec, err := recording.Load(path)
		if err != nil {
			return err
		}
		want := parts(rec.SNMP)
		objects := slices.Clone(rec.SNMP)
		for i, o := range objects {
			if o.OID.String() == "1.3.6.1.2.1.1.2.0" {
				objects[i].Value = recording.OIDValue(foreign)
			}
		}
		if got := parts(objects); got < want {
			t.Errorf("%s: %d parts with a foreign sysObjectID, %d with its own", d.Name(), got, want)
		}
		devices++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if devices == 0 {
		t.Error("no device was tried")
	}
	t.Logf("%d devices", devices)
}
