//go:build linux

package fleet

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// serveRedfish starts BMCs over TLS, each with a machine of its own behind it: two supplies, six fans, a mirror of two drives.
// When the simulator ends, a session that is still open is an error.
func serveRedfish(n int) (int, string, error) {
	cert, err := lab.SelfSigned("fleet")
	if err != nil {
		return 0, "", err
	}
	base := machine()
	var servers []*lab.RedfishServer
	var config strings.Builder
	for i := range n {
		r := lab.NewResources(base)
		if err := ownNumbers(r, i); err != nil {
			return 0, "", err
		}
		s, err := lab.ServeRedfish("127.0.0.1:0", &lab.BMC{Resources: r, User: "fleet", Password: "fleet-secret"}, &cert)
		if err != nil {
			return 0, "", err
		}
		if i == 0 {
			fmt.Fprintf(&config, "credentials:\n  fleet: {user: fleet, password: fleet-secret, tls: {fingerprint: %s}}\ndevices:\n", s.Fingerprint())
		}
		servers = append(servers, s)
		fmt.Fprintf(&config, "  - {name: bmc-%05d, kind: host, url: %q, credentials: fleet}\n", i, s.URL())
	}
	atEnd = append(atEnd, func() error {
		open, opened, requests := 0, 0, 0
		for _, s := range servers {
			o, all := s.Sessions()
			open, opened, requests = open+o, opened+all, requests+s.Requests()
		}
		fmt.Printf("%d BMCs: %d requests, %d sessions opened, %d left open\n", len(servers), requests, opened, open)
		if open > 0 {
			return fmt.Errorf("%d sessions are left at %d BMCs", open, len(servers))
		}
		return nil
	})
	return n, config.String(), nil
}

const system = "/redfish/v1/Systems/1"

// machine is the tree that all BMCs share.
func machine() recording.Tree {
	type j = map[string]any
	tree := recording.Tree{}
	link := func(at string) j { return j{"@odata.id": at} }
	put := func(at, kind string, body j) {
		body["@odata.id"], body["@odata.type"] = at, "#"+kind+".v1_0_0."+kind
		text, err := json.Marshal(body)
		if err != nil {
			panic(err) // written here
		}
		tree[at] = text
	}
	list := func(at string, members ...string) {
		var links []j
		for _, m := range members {
			links = append(links, link(m))
		}
		put(at, "Collection", j{"Members": links})
	}
	fine := j{"State": "Enabled", "Health": "OK"}
	const r, c, st = "/redfish/v1", "/redfish/v1/Chassis/1", system + "/Storage/R1"
	put(r, "ServiceRoot", j{"Systems": link(r + "/Systems"), "Chassis": link(r + "/Chassis"), "Managers": link(r + "/Managers"), "Links": j{"Sessions": link(r + "/SessionService/Sessions")},
		"ProtocolFeaturesSupported": j{"ExpandQuery": j{"ExpandAll": true, "Levels": true, "NoLinks": true, "MaxLevels": 3}}})
	list(r+"/Systems", system)
	list(r+"/Chassis", c)
	list(r+"/Managers", r+"/Managers/1")
	put(r+"/Managers/1", "Manager", j{"ManagerType": "BMC", "FirmwareVersion": "2.1"})
	put(system, "ComputerSystem", j{"Manufacturer": "Lab", "Model": "F1", "PowerState": "On", "Status": fine, "Storage": link(system + "/Storage"), "Links": j{"Chassis": []j{link(c)}}})
	put(c, "Chassis", j{"ChassisType": "RackMount", "Status": fine, "Power": link(c + "/Power"), "Thermal": link(c + "/Thermal"), "Links": j{"ComputerSystems": []j{link(system)}}})
	var supplies, set, fans, drives []j
	for i := range 2 {
		at := fmt.Sprintf("%s/Power#/PowerSupplies/%d", c, i)
		set = append(set, link(at))
		supplies = append(supplies, j{"@odata.id": at, "Name": fmt.Sprint("PSU", i+1), "SerialNumber": fmt.Sprint("P471", i), "LineInputVoltage": 230, "PowerCapacityWatts": 800, "LastPowerOutputWatts": 150, "Status": fine})
		at = fmt.Sprintf("%s/Drives/%d", st, i+1)
		drives = append(drives, link(at))
		put(at, "Drive", j{"Id": fmt.Sprint(i + 1), "Name": fmt.Sprint("Drive ", i+1), "SerialNumber": fmt.Sprint("D471", i), "Status": fine})
	}
	for i := range 6 {
		fans = append(fans, j{"@odata.id": fmt.Sprintf("%s/Thermal#/Fans/%d", c, i), "Name": fmt.Sprint("Fan ", i+1), "Reading": 7200, "ReadingUnits": "RPM", "Status": fine})
	}
	put(c+"/Power", "Power", j{"PowerSupplies": supplies, "Redundancy": []j{{"Name": "PSU Redundancy", "Mode": "N+m", "MinNumNeeded": 1, "MaxNumSupported": 2, "RedundancySet": set, "Status": fine}}})
	put(c+"/Thermal", "Thermal", j{"Fans": fans})
	list(system+"/Storage", st)
	put(st, "Storage", j{"Id": "R1", "Status": fine, "Drives": drives, "Volumes": link(st + "/Volumes")})
	list(st+"/Volumes", st+"/Volumes/1")
	put(st+"/Volumes/1", "Volume", j{"Id": "1", "RAIDType": "RAID1", "Status": fine, "Links": j{"Drives": drives}})
	return tree
}
