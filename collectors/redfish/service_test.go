package redfish_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

type j = map[string]any

func link(at string) j { return j{"@odata.id": at} }

func links(at ...string) []j {
	var out []j
	for _, a := range at {
		out = append(out, link(a))
	}
	return out
}

var fine = j{"State": "Enabled", "Health": "OK"}

// duo is a server with two supplies, three fans and a mirror of two drives: the smallest with everything in it.
// expand says that its service expands collections.
func duo(expand bool) recording.Tree {
	const r, c, s, st = "/redfish/v1", "/redfish/v1/Chassis/1", "/redfish/v1/Systems/1", "/redfish/v1/Systems/1/Storage/R1"
	t := recording.Tree{}
	put := func(at string, body j) {
		body["@odata.id"] = at
		b, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		t[at] = b
	}
	collection := func(at string, members ...string) {
		put(at, j{"@odata.type": "#Collection", "Name": "Collection", "Members": links(members...), "Members@odata.count": len(members)})
	}
	root := j{"@odata.type": "#ServiceRoot.v1_15_0.ServiceRoot", "Id": "RootService", "Name": "Root", "RedfishVersion": "1.17.0", "UUID": "92384634-2938-2342-8820-489239905423",
		"Systems": link(r + "/Systems"), "Chassis": link(r + "/Chassis"), "Managers": link(r + "/Managers"),
		"SessionService": link(r + "/SessionService"), "Links": j{"Sessions": link(r + "/SessionService/Sessions")}}
	if expand {
		root["ProtocolFeaturesSupported"] = j{"ExpandQuery": j{"ExpandAll": true, "Levels": true, "Links": true, "NoLinks": true, "MaxLevels": 3}}
	}
	put(r, root)
	collection(r+"/Systems", s)
	collection(r+"/Chassis", c)
	collection(r+"/Managers", r+"/Managers/1")
	put(r+"/Managers/1", j{"@odata.type": "#Manager.v1_19_0.Manager", "Id": "1", "Name": "BMC", "ManagerType": "BMC", "FirmwareVersion": "2.1"})
	put(s, j{"@odata.type": "#ComputerSystem.v1_20_0.ComputerSystem", "Id": "1", "Name": "Server", "SystemType": "Physical", "Manufacturer": "Contoso", "Model": "X1",
		"SerialNumber": "SN4711", "UUID": "4c4c4544-0035-3410-8050-c6c04f314733", "HostName": "h1", "PowerState": "On", "Status": fine,
		"Storage": link(s + "/Storage"), "Links": j{"Chassis": links(c)}})
	put(c, j{"@odata.type": "#Chassis.v1_23_0.Chassis", "Id": "1", "Name": "Chassis", "ChassisType": "RackMount", "Manufacturer": "Contoso", "Model": "X1", "SerialNumber": "C4711", "PowerState": "On",
		"Status": fine, "Power": link(c + "/Power"), "Thermal": link(c + "/Thermal"), "Links": j{"ComputerSystems": links(s)}})
	var supplies, set []j
	for i := 1; i <= 2; i++ {
		at := fmt.Sprintf("%s/Power#/PowerSupplies/%d", c, i-1)
		set = append(set, link(at))
		supplies = append(supplies, j{"@odata.id": at, "MemberId": fmt.Sprint(i - 1), "Name": fmt.Sprintf("PSU%d", i), "PowerSupplyType": "AC", "LineInputVoltage": 230,
			"PowerCapacityWatts": 800, "LastPowerOutputWatts": 150, "PowerInputWatts": 170, "SerialNumber": fmt.Sprintf("P471%d", i), "Model": "PS800", "Status": fine})
	}
	put(c+"/Power", j{"@odata.type": "#Power.v1_7_1.Power", "Id": "Power", "Name": "Power", "PowerSupplies": supplies,
		"PowerControl": []j{{"MemberId": "0", "PowerConsumedWatts": 340}},
		"Redundancy":   []j{{"@odata.id": c + "/Power#/Redundancy/0", "MemberId": "0", "Name": "PSU Redundancy", "Mode": "N+m", "MinNumNeeded": 1, "MaxNumSupported": 2, "RedundancySet": set, "Status": fine}}})
	var fans []j
	for i := 1; i <= 3; i++ {
		fans = append(fans, j{"@odata.id": fmt.Sprintf("%s/Thermal#/Fans/%d", c, i-1), "MemberId": fmt.Sprint(i - 1), "Name": fmt.Sprintf("Fan %d", i), "Reading": 7200, "ReadingUnits": "RPM", "Status": fine})
	}
	put(c+"/Thermal", j{"@odata.type": "#Thermal.v1_7_1.Thermal", "Id": "Thermal", "Name": "Thermal", "Fans": fans, "Temperatures": []j{{"Name": "Inlet", "PhysicalContext": "Intake", "ReadingCelsius": 22, "Status": fine}}})
	collection(s+"/Storage", st)
	put(st, j{"@odata.type": "#Storage.v1_15_0.Storage", "Id": "R1", "Name": "RAID", "Status": fine, "Drives": links(st+"/Drives/1", st+"/Drives/2"), "Volumes": link(st + "/Volumes"),
		"StorageControllers": []j{{"@odata.id": st + "#/StorageControllers/0", "MemberId": "0", "Name": "RAID controller", "Status": fine}}})
	for i := 1; i <= 2; i++ {
		put(fmt.Sprintf("%s/Drives/%d", st, i), j{"@odata.type": "#Drive.v1_17_0.Drive", "Id": fmt.Sprint(i), "Name": fmt.Sprintf("Drive %d", i), "SerialNumber": fmt.Sprintf("D471%d", i), "Model": "SSD", "Status": fine,
			"CapacityBytes": 960197124096, "HotspareType": "None", "PhysicalLocation": j{"PartLocation": j{"ServiceLabel": fmt.Sprintf("Bay %d", i)}}, "Links": j{"Volumes": links(st + "/Volumes/1")}})
	}
	collection(st+"/Volumes", st+"/Volumes/1")
	put(st+"/Volumes/1", j{"@odata.type": "#Volume.v1_9_0.Volume", "Id": "1", "Name": "vd0", "RAIDType": "RAID1", "Status": fine, "Links": j{"Drives": links(st+"/Drives/1", st+"/Drives/2")}})
	return t
}

const user, password = "reader", "correct-horse"

var labCertificate = func() *tls.Certificate {
	c, err := lab.SelfSigned("lab")
	if err != nil {
		panic(err)
	}
	return &c
}()

// serve brings a service up for the length of a test, with a login.
func serve(t testing.TB, tree recording.Tree, faults ...lab.HTTPFault) (*lab.RedfishServer, collectors.Target) {
	t.Helper()
	s, target := serveBMC(t, &lab.BMC{Resources: lab.NewResources(tree), User: user, Password: password})
	s.Inject(faults...)
	return s, target
}

func serveBMC(t testing.TB, b *lab.BMC) (*lab.RedfishServer, collectors.Target) {
	t.Helper()
	s, err := lab.ServeRedfish("127.0.0.1:0", b, labCertificate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, collectors.Target{
		Device: "srv-1", URL: s.URL(), Timeout: 10 * time.Second,
		Credentials: collectors.Credentials{User: user, Password: secret.New(password), TLS: collectors.TLS{Fingerprint: s.Fingerprint()}},
	}
}
