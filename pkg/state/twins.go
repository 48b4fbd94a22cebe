package state

import (
	"encoding/hex"
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
		if u := oneUUID(d.Identity.UUID); u != "" {
			k := [2]string{"uuid", u}
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
		value := k[1]
		if k[0] == "uuid" {
			value = same[0].Identity.UUID
		}
		twins = append(twins, Twin{Devices: names, By: k[0], Value: value})
	}
	return twins
}

// oneUUID is a UUID in a form that is the same whichever way its bytes were put: SMBIOS has the first three fields with
// the low byte first, IPMI sends all bytes last to first, and BMCs mix the two up. "" where it is no machine's own.
func oneUUID(value string) string {
	if !genuine(value) {
		return ""
	}
	b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(value), "-", ""))
	if err != nil || len(b) != 16 {
		return strings.ToLower(value)
	}
	fields := func(b []byte) []byte {
		return append([]byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6]}, b[8:]...)
	}
	back := func(b []byte) []byte {
		c := slices.Clone(b)
		slices.Reverse(c)
		return c
	}
	least := hex.EncodeToString(b)
	for _, c := range [][]byte{fields(b), back(b), fields(back(b)), back(fields(b)), fields(back(fields(b))), back(fields(back(b))), fields(back(fields(back(b))))} {
		least = min(least, hex.EncodeToString(c))
	}
	return least
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
// and again, not somebody counting.
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
	counting := strings.HasPrefix(bare, "01234") || strings.HasPrefix(bare, "12345") // "0123456789AB": the maker's own hand
	return bare != "" && strings.Trim(bare, bare[:1]) != "" && (!counting || len(bare) == 32)
}
