//go:build linux

package fleet

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/lab"
)

// ipmiSensors are those of a server with two supplies, a redundancy sensor over them, six fans and the power meter.
func ipmiSensors() []lab.IPMISensor {
	sensors := []lab.IPMISensor{
		{Number: 1, Entity: 10, Instance: 1, Name: "PS1 Status", Type: 0x08, Event: 0x6f},
		{Number: 2, Entity: 10, Instance: 2, Name: "PS2 Status", Type: 0x08, Event: 0x6f},
		{Number: 3, Entity: 21, Instance: 1, Name: "Pwr Unit Redund", Type: 0x09, Event: 0x0b},
		{Number: 4, Entity: 10, Instance: 1, Name: "PS1 Power In", Type: 0x0b, Event: 1, Unit: 6, Scale: 4},
		{Number: 5, Entity: 10, Instance: 2, Name: "PS2 Power In", Type: 0x0b, Event: 1, Unit: 6, Scale: 4},
	}
	for i := range 6 {
		sensors = append(sensors, lab.IPMISensor{Number: byte(16 + i), Entity: 29, Instance: byte(1 + i), Name: fmt.Sprintf("System Fan %d", i+1), Type: 0x04, Event: 1, Unit: 18, Scale: 60})
	}
	return sensors
}

// serveIPMI starts BMCs that speak RMCP+, each with a machine of its own behind it. When the simulator ends, a session that
// is still open is an error.
func serveIPMI(n int) (int, string, error) {
	var config strings.Builder
	config.WriteString("credentials:\n  fleet: {user: fleet, password: fleet-secret}\ndevices:\n")
	var bmcs []*lab.IPMI
	for i := range n {
		o := lab.IPMIOptions{User: "fleet", Password: "fleet-secret", Sensors: ipmiSensors(),
			Records: [][]byte{lab.IPMILocator(1, 10, 1, "PS1 FRU"), lab.IPMILocator(2, 10, 2, "PS2 FRU")},
			FRUs: map[byte][]byte{
				0: lab.IPMIProduct("Lab", "Fleet server", fmt.Sprintf("IFLEET%06d", i), 0),
				1: lab.IPMIProduct("Lab", "PS800", fmt.Sprintf("IA%06d", i), 800), 2: lab.IPMIProduct("Lab", "PS800", fmt.Sprintf("IB%06d", i), 800),
			},
			GUID: [16]byte{0x00, 0xe7, 0x1e, 0x6f, 0, 0, 0x00, 0x40, 0x80}}
		binary.BigEndian.PutUint32(o.GUID[12:], uint32(i))
		b, err := lab.StartIPMI(o)
		if err != nil {
			return 0, "", err
		}
		for number := byte(1); number <= 3; number++ {
			b.States(number, 1)
		}
		b.Value(4, 40, 0)
		b.Value(5, 40, 0)
		for fan := range 6 {
			b.Value(byte(16+fan), 100, 0)
		}
		bmcs = append(bmcs, b)
		fmt.Fprintf(&config, "  - {name: ipmi-%05d, kind: host, url: %q, credentials: fleet}\n", i, b.URL())
	}
	atEnd = append(atEnd, func() error {
		open, requests := 0, 0
		for _, b := range bmcs {
			open, requests = open+b.Sessions(), requests+b.Requests()
		}
		fmt.Printf("%d BMCs: %d commands in sessions, %d sessions left open\n", len(bmcs), requests, open)
		if open > 0 {
			return fmt.Errorf("%d sessions are left at %d BMCs", open, len(bmcs))
		}
		return nil
	})
	return n, config.String(), nil
}

// serveBMCs starts n BMCs of each kind, Redfish and IPMI, for one daemon.
func serveBMCs(n int) (int, string, error) {
	redfish, config, err := serveRedfish(n)
	if err != nil {
		return 0, "", err
	}
	ipmi, more, err := serveIPMI(n)
	_, devices, _ := strings.Cut(more, "devices:\n") // the credentials are the same
	return redfish + ipmi, config + devices, err
}
