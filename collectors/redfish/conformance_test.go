package redfish_test

import (
	"testing"

	"github.com/sparewatch/sparewatch/collectors/conformance"
	"github.com/sparewatch/sparewatch/collectors/redfish"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, redfish.Collector{},
		conformance.Nobody("redfish"),
		conformance.SilentTCP("redfish"),
		conformance.GarbageTCP("redfish"),
		conformance.GarbageTCP("redfish+http"),
	)
}
