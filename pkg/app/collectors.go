package app

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/bgp"
	"github.com/sparewatch/sparewatch/collectors/ipmi"
	"github.com/sparewatch/sparewatch/collectors/redfish"
	"github.com/sparewatch/sparewatch/collectors/snmp"
	"github.com/sparewatch/sparewatch/mibs"
)

// Collectors are the program's collectors by URL scheme. A new one is a new line. folders hold SNMP profiles beside
// those that come with the program; "" is none. Mistakes in them are *mibs.Error, joined.
func Collectors(folders ...string) (map[string]collectors.Collector, error) {
	var own []mibs.Source
	for _, dir := range folders {
		if dir == "" {
			continue
		}
		if info, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("read the SNMP profiles: %w", err)
		} else if !info.IsDir() {
			return nil, fmt.Errorf("read the SNMP profiles: %s is no folder", dir)
		}
		own = append(own, mibs.Source{Name: filepath.ToSlash(dir), FS: os.DirFS(dir)})
	}
	profiles, err := snmp.Builtin(own...)
	if err != nil {
		return nil, err
	}
	return map[string]collectors.Collector{
		"bgp":          bgp.Collector{},
		"bmp":          bgp.Collector{},
		"gobgp":        bgp.Collector{},
		"gobgp+tls":    bgp.Collector{},
		"ipmi":         ipmi.Collector{},
		"redfish":      redfish.Collector{},
		"redfish+http": redfish.Collector{},
		"snmp":         snmp.Collector{Profiles: profiles},
	}, nil
}

// Schemes are the URL schemes that the program reads, sorted.
func Schemes(c map[string]collectors.Collector) []string { return slices.Sorted(maps.Keys(c)) }
