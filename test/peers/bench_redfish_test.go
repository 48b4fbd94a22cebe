package peers

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/redfish"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// What a current exporter of Redfish metrics (idrac_exporter 2.6.1, collectors system, sensors, power and storage) needed for
// one scrape of a server with two supplies, six fans and eight drives, as it was measured once; no such exporter is in Debian.
const (
	exporterRequests = 19
	exporterWall     = 342 * time.Millisecond // at a BMC that answers in 20 ms
	bmcDelay         = 20 * time.Millisecond
)

// TestBenchRedfish prints what a poll of the same server costs at a BMC that takes 20 ms for each answer, beside the exporter's
// recorded figures: with and without $expand, for a poll of the states, one of the inventory, and their mean at the usual
// intervals.
func TestBenchRedfish(t *testing.T) {
	if os.Getenv("BENCH_PEERS") == "" {
		t.Skip("a measurement, not a test: make bench-peers")
	}
	t.Logf("%-42s %9s %9s   %s", "at a BMC that answers in 20 ms", "requests", "wall", "shares of the exporter's")
	t.Logf("%-42s %9d %9s", "idrac_exporter 2.6.1, as recorded", exporterRequests, exporterWall)
	for _, expand := range []bool{true, false} {
		name := map[bool]string{true: "sparewatch, with $expand", false: "sparewatch, without $expand"}[expand]
		full, fast, mean := benchRedfish(t, expand)
		for _, line := range []struct {
			what string
			redfishCost
		}{{name + ", states", fast}, {name + ", inventory", full}, {name + ", mean", mean}} {
			t.Logf("%-42s %9.2f %9s   %.2f  %.2f", line.what, line.requests, line.wall.Round(time.Millisecond), line.requests/exporterRequests, float64(line.wall)/float64(exporterWall))
		}
		if expand && (mean.requests > exporterRequests/4.0 || mean.wall > exporterWall/4) {
			t.Errorf("%.2f requests and %s are more than a quarter of %d and %s", mean.requests, mean.wall, exporterRequests, exporterWall)
		}
	}
}

type redfishCost struct {
	requests float64
	wall     time.Duration
}

// benchRedfish measures polls of the inventory, of the states between them, and the mean of all, at the default intervals: states
// every 15 s, inventory every 10 min.
func benchRedfish(t *testing.T, expand bool) (full, fast, mean redfishCost) {
	b := &lab.BMC{Resources: lab.NewResources(acme(expand)), User: "reader", Password: "a-secret"}
	s, err := lab.ServeRedfish("127.0.0.1:0", b, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	session, err := redfish.Collector{}.Open(collectors.Target{Device: "srv-1", URL: s.URL(), Timeout: 10 * time.Second,
		Credentials: collectors.Credentials{User: "reader", Password: secret.New("a-secret"), TLS: collectors.TLS{Fingerprint: s.Fingerprint()}}})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close(context.Background())
	first := session.Poll(context.Background(), collectors.Full)
	if len(first.Errors) > 0 || len(first.Components) < 20 {
		t.Fatalf("%d components, %+v", len(first.Components), first.Errors)
	}
	s.Inject(lab.HTTPFault{Delay: bmcDelay})
	const cycles, between = 2, 39
	for range cycles {
		fast.add(measureRedfish(t, session, collectors.Fast, between))
		full.add(measureRedfish(t, session, collectors.Full, 1))
	}
	mean.add(full)
	mean.add(fast)
	return full.over(cycles), fast.over(cycles * between), mean.over(cycles * (between + 1))
}

func (c *redfishCost) add(o redfishCost) { c.requests, c.wall = c.requests+o.requests, c.wall+o.wall }

func (c redfishCost) over(polls int) redfishCost {
	return redfishCost{c.requests / float64(polls), c.wall / time.Duration(polls)}
}

// measureRedfish is what so many polls cost together.
func measureRedfish(t *testing.T, s collectors.Session, scope collectors.Scope, polls int) (cost redfishCost) {
	for range polls {
		begun := time.Now()
		snap := s.Poll(context.Background(), scope)
		cost.add(redfishCost{float64(snap.Requests), time.Since(begun)})
		if len(snap.Errors) > 0 {
			t.Fatal(snap.Errors)
		}
	}
	return cost
}

// acme is a server as current BMCs show one: power and thermal in both forms, a RAID 6 of eight drives, four ports.
func acme(expand bool) recording.Tree {
	type j = map[string]any
	tree := recording.Tree{}
	fine := j{"State": "Enabled", "Health": "OK"}
	link := func(at string) j { return j{"@odata.id": at} }
	put := func(at, kind string, body j) {
		body["@odata.id"], body["@odata.type"] = at, "#"+kind+"."+kind
		b, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		tree[at] = b
	}
	collection := func(at string, members []string) {
		list := []j{}
		for _, m := range members {
			list = append(list, link(m))
		}
		put(at, "Collection", j{"Members": list, "Members@odata.count": len(list)})
	}
	const r, s, c = "/redfish/v1", "/redfish/v1/Systems/1", "/redfish/v1/Chassis/1"
	const st = s + "/Storage/RAID1"
	root := j{"RedfishVersion": "1.17.0", "Systems": link(r + "/Systems"), "Chassis": link(r + "/Chassis"), "Managers": link(r + "/Managers"), "Links": j{"Sessions": link(r + "/SessionService/Sessions")}}
	if expand {
		root["ProtocolFeaturesSupported"] = j{"ExpandQuery": j{"ExpandAll": true, "Levels": true, "Links": true, "NoLinks": true, "MaxLevels": 3}}
	}
	put(r, "ServiceRoot", root)
	collection(r+"/Systems", []string{s})
	collection(r+"/Chassis", []string{c})
	collection(r+"/Managers", []string{r + "/Managers/1"})
	put(r+"/Managers/1", "Manager", j{"Id": "1", "ManagerType": "BMC", "FirmwareVersion": "2.1"})
	put(s, "ComputerSystem", j{"Id": "1", "Manufacturer": "ACME", "Model": "X1", "SerialNumber": "SN4711", "PowerState": "On", "Status": fine, "Storage": link(s + "/Storage"), "EthernetInterfaces": link(s + "/EthernetInterfaces"),
		"Links": j{"Chassis": []j{link(c)}}})
	var members []string
	for i := 1; i <= 4; i++ {
		at := fmt.Sprintf("%s/EthernetInterfaces/NIC%d", s, i)
		members = append(members, at)
		put(at, "EthernetInterface", j{"Id": fmt.Sprint("NIC", i), "MACAddress": fmt.Sprintf("00:11:22:33:44:%02x", i), "SpeedMbps": 25000, "LinkStatus": "LinkUp", "Status": fine})
	}
	collection(s+"/EthernetInterfaces", members)
	collection(s+"/Storage", []string{st})
	var drives []j
	for i := 1; i <= 8; i++ {
		at := fmt.Sprintf("%s/Drives/%d", st, i)
		drives = append(drives, link(at))
		put(at, "Drive", j{"Id": fmt.Sprint(i), "Name": fmt.Sprint("Drive ", i), "SerialNumber": fmt.Sprint("D471", i), "PredictedMediaLifeLeftPercent": 97, "FailurePredicted": false, "Status": fine, "Links": j{"Volumes": []j{link(st + "/Volumes/1")}}})
	}
	put(st, "Storage", j{"Id": "RAID1", "Status": fine, "Drives": drives, "Volumes": link(st + "/Volumes"), "Controllers": link(st + "/Controllers"),
		"StorageControllers": []j{{"@odata.id": st + "#/StorageControllers/0", "MemberId": "0", "Name": "ctl", "Status": fine}}})
	collection(st+"/Controllers", []string{st + "/Controllers/1"})
	put(st+"/Controllers/1", "StorageController", j{"Id": "1", "Name": "ctl", "Status": fine})
	collection(st+"/Volumes", []string{st + "/Volumes/1"})
	put(st+"/Volumes/1", "Volume", j{"Id": "1", "RAIDType": "RAID6", "Status": fine, "Links": j{"Drives": drives}})
	put(c, "Chassis", j{"Id": "1", "ChassisType": "RackMount", "Status": fine, "Power": link(c + "/Power"), "Thermal": link(c + "/Thermal"), "PowerSubsystem": link(c + "/PowerSubsystem"), "ThermalSubsystem": link(c + "/ThermalSubsystem"),
		"Links": j{"ComputerSystems": []j{link(s)}}})
	var older, set, newer []j
	members = nil
	for i := 1; i <= 2; i++ {
		at := fmt.Sprintf("%s/PowerSubsystem/PowerSupplies/PSU%d", c, i)
		members, newer = append(members, at), append(newer, link(at))
		set = append(set, link(fmt.Sprintf("%s/Power#/PowerSupplies/%d", c, i-1)))
		put(at, "PowerSupply", j{"Id": fmt.Sprint("PSU", i), "Name": fmt.Sprint("PSU", i), "SerialNumber": fmt.Sprint("P471", i), "PowerCapacityWatts": 1400, "LineInputStatus": "Normal", "Status": fine, "Metrics": link(at + "/Metrics")})
		put(at+"/Metrics", "PowerSupplyMetrics", j{"InputVoltage": j{"Reading": 230.2}, "InputPowerWatts": j{"Reading": 253}, "OutputPowerWatts": j{"Reading": 238}})
		older = append(older, j{"@odata.id": fmt.Sprintf("%s/Power#/PowerSupplies/%d", c, i-1), "MemberId": fmt.Sprint(i - 1), "Name": fmt.Sprint("PSU", i), "SerialNumber": fmt.Sprint("P471", i), "LineInputVoltage": 230, "PowerCapacityWatts": 1400, "LastPowerOutputWatts": 238, "Status": fine})
	}
	collection(c+"/PowerSubsystem/PowerSupplies", members)
	put(c+"/PowerSubsystem", "PowerSubsystem", j{"Status": fine, "PowerSupplies": link(c + "/PowerSubsystem/PowerSupplies"), "PowerSupplyRedundancy": []j{{"RedundancyType": "NPlusM", "MaxSupportedInGroup": 2, "MinNeededInGroup": 1, "RedundancyGroup": newer, "Status": fine}}})
	put(c+"/Power", "Power", j{"PowerControl": []j{{"MemberId": "0", "PowerConsumedWatts": 506}}, "PowerSupplies": older, "Redundancy": []j{{"Name": "PSU Redundancy", "Mode": "N+m", "MinNumNeeded": 1, "MaxNumSupported": 2, "RedundancySet": set, "Status": fine}}})
	var fans []j
	members = nil
	for i := 1; i <= 6; i++ {
		at := fmt.Sprintf("%s/ThermalSubsystem/Fans/F%d", c, i)
		members = append(members, at)
		put(at, "Fan", j{"Id": fmt.Sprint("F", i), "Name": fmt.Sprint("Fan ", i), "SpeedPercent": j{"Reading": 42, "SpeedRPM": 7200}, "Status": fine})
		fans = append(fans, j{"@odata.id": fmt.Sprintf("%s/Thermal#/Fans/%d", c, i-1), "MemberId": fmt.Sprint(i - 1), "Name": fmt.Sprint("Fan ", i), "Reading": 7200, "ReadingUnits": "RPM", "Status": fine})
	}
	collection(c+"/ThermalSubsystem/Fans", members)
	put(c+"/ThermalSubsystem", "ThermalSubsystem", j{"Status": fine, "Fans": link(c + "/ThermalSubsystem/Fans")})
	put(c+"/Thermal", "Thermal", j{"Fans": fans, "Temperatures": []j{{"Name": "Inlet", "PhysicalContext": "Intake", "ReadingCelsius": 24, "Status": fine}}})
	return tree
}
