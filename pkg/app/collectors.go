package app

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/ipmi"
	"github.com/sparewatch/sparewatch/collectors/redfish"
	"github.com/sparewatch/sparewatch/collectors/snmp"
)

// Collectors are the program's collectors by URL scheme. A new one is a new line.
func Collectors() (map[string]collectors.Collector, error) {
	profiles, err := snmp.Builtin()
	if err != nil {
		return nil, fmt.Errorf("load the SNMP profiles: %w", err)
	}
	return map[string]collectors.Collector{
		"ipmi":         ipmi.Collector{},
		"redfish":      redfish.Collector{},
		"redfish+http": redfish.Collector{},
		"snmp":         snmp.Collector{Profiles: profiles},
	}, nil
}

// Schemes are the URL schemes that the program reads, sorted.
func Schemes(c map[string]collectors.Collector) []string { return slices.Sorted(maps.Keys(c)) }
