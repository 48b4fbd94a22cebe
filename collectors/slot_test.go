package collectors

import (
	"regexp"
	"strings"
	"testing"
)

func TestSlot(t *testing.T) {
	for name, want := range map[string]string{
		"PSU.Slot.1": "1", "Power Supply Bay 1": "1", "Fan 4A": "4A", "007": "7", "0": "0", "00": "0", "PS-03": "3", "": "unnamed", "  ": "unnamed", "1/2": "1/2",
		"Disk.Bay.0:Enclosure.Internal.0-1": "Disk.Bay.0:Enclosure.Internal.0-1", "PSU 1 (left)": "PSU-1-(left)", "4A": "4A", "Ähre 3": "hre-3", "№": "unnamed",
		"Bay1": "1", "A": "A", " #1": "1", ".1": ".1", "PSU 0x1": "PSU-0x1", "PSU 12 3": "PSU-12-3",
	} {
		if got := slot("", name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

// FuzzSlot: letter by letter or by expressions, it is the same.
func FuzzSlot(f *testing.F) {
	number := regexp.MustCompile(`^[A-Za-z][A-Za-z .:_#-]*?[ .:_#-]*0*([0-9]+[A-Za-z]?)$`)
	bare := regexp.MustCompile(`^0*([0-9]+)$`)
	unsafe := regexp.MustCompile(`[^A-Za-z0-9._:+@()=,/-]+`)
	for _, s := range []string{"PSU.Slot.1", "Fan 4A", "007", "000A", "Bay 00", "x\xff1", "PSU\t2", "Ü1", "Slot 1\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		trimmed := strings.TrimSpace(name)
		want := strings.Trim(unsafe.ReplaceAllString(trimmed, "-"), "-")
		if want == "" {
			want = "unnamed"
		}
		if m := number.FindStringSubmatch(trimmed); m != nil {
			want = m[1]
		}
		if m := bare.FindStringSubmatch(trimmed); m != nil {
			want = m[1]
		}
		if got := slot("", name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	})
}
