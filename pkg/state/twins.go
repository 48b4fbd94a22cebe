package state

import (
	"maps"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// Twin is a value that should be one machine's own and that several devices give: they may be one machine that is
// declared twice.
type Twin struct {
	Devices []string // sorted
	By      string   // "uuid" or "serial"
	Value   string
}

// Twins are devices that look like one machine reached under two names: with the same system UUID, or the same serial
// number at one vendor. Values that makers leave in place and values shared by three or more (a chassis's serial on its
// blades) don't count.
func (s *Store) Twins() []Twin {
	devices := make([]*Device, 0, len(s.devices))
	for _, name := range s.Devices() {
		devices = append(devices, s.Device(name))
	}
	return TwinsOf(devices)
}

// TwinsOf is Twins for these devices.
func TwinsOf(devices []*Device) []Twin {
	by := map[[2]string][]*Device{}
	for _, d := range devices {
		if genuine(d.Identity.UUID) {
			k := [2]string{"uuid", strings.ToLower(d.Identity.UUID)}
			by[k] = append(by[k], d)
		}
		if genuine(d.Identity.Serial) {
			k := [2]string{"serial", d.Identity.Serial}
			by[k] = append(by[k], d)
		}
	}
	var twins []Twin
	said := map[[2]string]bool{}
	for _, k := range slices.SortedFunc(maps.Keys(by), func(a, b [2]string) int { return strings.Compare(b[0]+b[1], a[0]+a[1]) }) {
		same := by[k]
		if len(same) != 2 || k[0] == "serial" && !oneMaker(same[0].Identity, same[1].Identity) {
			continue
		}
		names := []string{same[0].Name, same[1].Name}
		slices.Sort(names)
		pair := [2]string{names[0], names[1]}
		if names[0] == names[1] || said[pair] {
			continue
		}
		said[pair] = true
		twins = append(twins, Twin{Devices: names, By: k[0], Value: k[1]})
	}
	return twins
}

func oneMaker(a, b snapshot.Device) bool {
	agree := func(x, y string) bool { return x == "" || y == "" || strings.EqualFold(x, y) }
	return agree(a.Model, b.Model) || agree(a.Vendor, b.Vendor) && (a.Model == "" || b.Model == "")
}

// dummies are what makers leave where a serial number or UUID should stand, in lower case.
var dummies = []string{
	"none", "n/a", "na", "null", "unknown", "not specified", "not available", "not provided", "default string", "to be filled by o.e.m.",
	"system serial number", "chassis serial number", "serial number", "o.e.m.", "oem", "invalid", "empty", "no asset tag",
	"0123456789", "1234567890", "123456789", "12345678",
	"03000200-0400-0500-0006-000700080009", "00020003-0004-0005-0006-000700080009", "12345678-1234-5678-90ab-cddeefaabbcc",
	"00112233-4455-6677-8899-aabbccddeeff",
}

// genuine reports whether a serial number or UUID is a machine's own: not empty, no known dummy, not one character again
// and again.
func genuine(value string) bool {
	v := strings.ToLower(strings.TrimSpace(value))
	if len(v) < 4 || slices.Contains(dummies, v) {
		return false
	}
	bare := strings.Map(func(r rune) rune {
		if strings.ContainsRune("-. _:", r) {
			return -1
		}
		return r
	}, v)
	return bare != "" && strings.Trim(bare, bare[:1]) != ""
}
