package collectors

import (
	"regexp"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
)

var (
	// A last number behind words: "PSU.Slot.1", "Power Supply 2", "PS-3", "Bay1", "Fan 4A".
	lastNumber = regexp.MustCompile(`^[A-Za-z][A-Za-z .:_#-]*?[ .:_#-]*0*([0-9]+[A-Za-z]?)$`)
	bareNumber = regexp.MustCompile(`^0*([0-9]+)$`)
	unsafe     = regexp.MustCompile(`[^A-Za-z0-9._:+@()=,/-]+`)
)

func slot(_ component.Kind, name string) string {
	name = strings.TrimSpace(name)
	if m := bareNumber.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	if m := lastNumber.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	if s := strings.Trim(unsafe.ReplaceAllString(name, "-"), "-"); s != "" {
		return s
	}
	return "unnamed"
}
