package lab

import "fmt"

// In the manner of iLO 5: one chassis with Power and Thermal, fans in per cent, storage at the system with a controller
// resource of its own. A bay without a supply stays listed as Absent. The redundancy says that two of two are needed,
// by which it means a 1+1 pair.

func hpePages() map[string]page {
	pages := map[string]page{
		"/redfish/v1": root("HPE", "ProLiant DL365 Gen10 Plus", map[string]any{"Oem": map[string]any{"Hpe": map[string]any{
			"Manager": []any{map[string]any{"ManagerType": "iLO 5", "ManagerFirmwareVersion": "2.98", "Status": map[string]any{"Health": "OK"}}}}}}),
		"/redfish/v1/SessionService": sessionService,
		"/redfish/v1/Chassis":        fixed(collection("/redfish/v1/Chassis", "Computer System Chassis", "/redfish/v1/Chassis/1")),
		"/redfish/v1/Systems":        fixed(collection("/redfish/v1/Systems", "Computer Systems", "/redfish/v1/Systems/1")),
		"/redfish/v1/Managers":       fixed(collection("/redfish/v1/Managers", "Managers", "/redfish/v1/Managers/1")),
		"/redfish/v1/Chassis/1": func(v serverView) map[string]any {
			return map[string]any{"@odata.id": "/redfish/v1/Chassis/1", "@odata.type": "#Chassis.v1_10_2.Chassis", "Id": "1",
				"Name": "Computer System Chassis", "ChassisType": "RackMount", "Manufacturer": "HPE", "Model": "ProLiant DL365 Gen10 Plus",
				"SerialNumber": v.serial, "PowerState": powerState(v.on), "Status": status(v.health(), "Enabled"),
				"Power": ref("/redfish/v1/Chassis/1/Power"), "Thermal": ref("/redfish/v1/Chassis/1/Thermal"),
				"Links": map[string]any{"ComputerSystems": []any{ref("/redfish/v1/Systems/1")}, "ManagedBy": []any{ref("/redfish/v1/Managers/1")}}}
		},
		"/redfish/v1/Systems/1": func(v serverView) map[string]any {
			return map[string]any{"@odata.id": "/redfish/v1/Systems/1", "@odata.type": "#ComputerSystem.v1_10_0.ComputerSystem", "Id": "1",
				"Name": "Computer System", "SystemType": "Physical", "Manufacturer": "HPE", "Model": "ProLiant DL365 Gen10 Plus",
				"SerialNumber": v.serial, "UUID": v.uuid, "HostName": v.name, "PowerState": powerState(v.on), "BiosVersion": "A42 v2.84 (08/17/2023)",
				"Status": map[string]any{"Health": v.health(), "HealthRollup": v.health(), "State": "Enabled"}, "Storage": ref("/redfish/v1/Systems/1/Storage"),
				"Links": map[string]any{"Chassis": []any{ref("/redfish/v1/Chassis/1")}, "ManagedBy": []any{ref("/redfish/v1/Managers/1")}}}
		},
		"/redfish/v1/Managers/1": func(v serverView) map[string]any {
			return map[string]any{"@odata.id": "/redfish/v1/Managers/1", "@odata.type": "#Manager.v1_5_1.Manager", "Id": "1", "Name": "Manager",
				"ManagerType": "BMC", "Model": "iLO 5", "FirmwareVersion": "iLO 5 v2.98", "Status": status("OK", "Enabled")}
		},
		"/redfish/v1/Chassis/1/Power":   hpePower,
		"/redfish/v1/Chassis/1/Thermal": hpeThermal,
	}
	hpeStorage(pages)
	return pages
}

// fixed is a page that never changes.
func fixed(body map[string]any) page { return func(serverView) map[string]any { return body } }

func hpePower(v serverView) map[string]any {
	const at = "/redfish/v1/Chassis/1/Power"
	supplies, members := []any{}, []any{}
	redundancy, capacity := "OK", 0.0
	for i, s := range v.supplies {
		id := fmt.Sprintf("%s#PowerSupplies/%d", at, i)
		members = append(members, ref(id))
		supplies = append(supplies, hpeSupply(id, i, s))
		if !s.present || s.failed || !s.input {
			redundancy = "Critical"
			continue
		}
		capacity += s.rated
	}
	return map[string]any{"@odata.id": at, "@odata.type": "#Power.v1_3_0.Power", "Id": "Power", "Name": "PowerMetrics",
		"PowerControl":  []any{map[string]any{"@odata.id": at + "#PowerControl/0", "MemberId": "0", "PowerCapacityWatts": round(capacity), "PowerConsumedWatts": round(v.watts)}},
		"PowerSupplies": supplies,
		"Redundancy": []any{map[string]any{"@odata.id": at + "#Redundancy/0", "MemberId": "0", "Name": "PowerSupply Redundancy Group 1",
			"MinNumNeeded": 2, "MaxNumSupported": 2, "Mode": "Failover", "RedundancySet": members, "Status": status(redundancy, "Enabled")}}}
}

func hpeSupply(id string, i int, s supplyView) map[string]any {
	oem := map[string]any{"BayNumber": s.slot, "HotplugCapable": true, "PowerSupplyStatus": map[string]any{"State": "Ok"}}
	body := map[string]any{"@odata.id": id, "MemberId": fmt.Sprint(i), "Name": "HpeServerPowerSupply", "Oem": map[string]any{"Hpe": oem},
		"Status": status("OK", "Enabled")}
	if !s.present {
		body["Status"] = map[string]any{"State": "Absent"}
		oem["PowerSupplyStatus"] = map[string]any{"State": "Unknown"}
		return body
	}
	body["Manufacturer"], body["Model"], body["SerialNumber"], body["FirmwareVersion"] = "LTEON", "865414-B21", s.serial, "1.00"
	body["PowerCapacityWatts"], body["PowerSupplyType"] = round(s.rated), "AC"
	body["LastPowerOutputWatts"], body["LineInputVoltage"], body["LineInputVoltageType"] = round(s.watts), round(s.volts), "ACHighLine"
	switch {
	case s.failed:
		body["Status"] = status("Critical", "Enabled")
		oem["PowerSupplyStatus"] = map[string]any{"State": "Failed"}
	case !s.input:
		body["Status"] = status("Critical", "UnavailableOffline")
		body["LineInputVoltageType"] = "Unknown"
		oem["PowerSupplyStatus"] = map[string]any{"State": "NoPowerInput"} // the word of CPQHLTH-MIB's cpqHeFltTolPowerSupplyStatus 17
	}
	return body
}

func hpeThermal(v serverView) map[string]any {
	const at = "/redfish/v1/Chassis/1/Thermal"
	fans := []any{}
	for i, f := range v.fans {
		s := status("OK", "Enabled")
		if f.failed {
			s = status("Critical", "Enabled")
		}
		fans = append(fans, map[string]any{"@odata.id": fmt.Sprintf("%s#Fans/%d", at, i), "MemberId": fmt.Sprint(i), "Name": title("Fan", f.n),
			"Reading": round(f.speed), "ReadingUnits": "Percent", "Status": s,
			"Oem": map[string]any{"Hpe": map[string]any{"HotPluggable": true, "Location": "System", "Redundant": true}}})
	}
	return map[string]any{"@odata.id": at, "@odata.type": "#Thermal.v1_6_2.Thermal", "Id": "Thermal", "Name": "Thermal", "Fans": fans,
		"Temperatures": []any{map[string]any{"@odata.id": at + "#Temperatures/0", "MemberId": "0", "Name": "01-Inlet Ambient", "SensorNumber": 1,
			"PhysicalContext": "Intake", "ReadingCelsius": 22, "UpperThresholdCritical": 42, "Status": status("OK", "Enabled")}}}
}

func hpeStorage(pages map[string]page) {
	const at = "/redfish/v1/Systems/1/Storage"
	const unit = at + "/DE00B000"
	pages[at] = fixed(collection(at, "Storage", unit))
	pages[unit] = func(v serverView) map[string]any {
		drives := []any{}
		for i := range v.drives {
			drives = append(drives, ref(fmt.Sprintf("%s/Drives/%d", unit, i)))
		}
		rollup := "OK"
		if v.volume.held < len(v.drives) {
			rollup = "Warning"
		}
		return map[string]any{"@odata.id": unit, "@odata.type": "#Storage.v1_10_1.Storage", "Id": "DE00B000", "Name": "HPE Smart Array E208i-a SR Gen10",
			"Status": map[string]any{"Health": "OK", "HealthRollup": rollup, "State": "Enabled"}, "Controllers": ref(unit + "/Controllers"),
			"Drives": drives, "Drives@odata.count": len(drives), "Volumes": ref(unit + "/Volumes")}
	}
	pages[unit+"/Controllers"] = fixed(collection(unit+"/Controllers", "Storage Controller Collection", unit+"/Controllers/0"))
	pages[unit+"/Controllers/0"] = fixed(map[string]any{"@odata.id": unit + "/Controllers/0", "@odata.type": "#StorageController.v1_2_0.StorageController",
		"Id": "0", "Name": "HPE Smart Array E208i-a SR Gen10", "FirmwareVersion": "5.61", "Manufacturer": "HPE", "Model": "HPE Smart Array E208i-a SR Gen10",
		"Location": map[string]any{"PartLocation": map[string]any{"LocationType": "Slot", "ServiceLabel": "Slot=0", "LocationOrdinalValue": 0}}, "Status": status("OK", "Enabled")})
	pages[unit+"/Volumes"] = fixed(collection(unit+"/Volumes", "Volume Collection", unit+"/Volumes/1"))
	pages[unit+"/Volumes/1"] = volumePage(unit+"/Volumes/1", "1", "Logical Drive 1", unit+"/Drives/0", unit+"/Drives/1")
	for i := range 2 {
		pages[fmt.Sprintf("%s/Drives/%d", unit, i)] = func(v serverView) map[string]any {
			d := v.drives[i]
			if d.pulled {
				return nil
			}
			indicator := map[bool]string{true: "Fail", false: "OK"}[d.failed]
			if d.rebuilt < 1 && !d.failed {
				indicator = "Rebuild"
			}
			return map[string]any{"@odata.id": fmt.Sprintf("%s/Drives/%d", unit, i), "@odata.type": "#Drive.v1_12_1.Drive", "Id": fmt.Sprint(i),
				"Name": "960GB 6G SATA SSD", "Model": "VK000960GXAWL", "SerialNumber": d.serial, "Revision": "HPG1", "Protocol": "SATA", "MediaType": "SSD",
				"CapacityBytes": int64(driveBytes), "FailurePredicted": false, "PredictedMediaLifeLeftPercent": 97, "StatusIndicator": indicator, "Status": d.status(),
				"PhysicalLocation": map[string]any{"PartLocation": map[string]any{"LocationType": "Bay", "LocationOrdinalValue": i + 1,
					"ServiceLabel": fmt.Sprintf("Slot=0:Port=1I:Box=1:Bay=%d", i+1)}}}
		}
	}
}

// volumePage is a RAID 1 over two drives.
func volumePage(at, id, name string, drives ...string) page {
	return func(v serverView) map[string]any {
		links := []any{}
		for i, d := range drives {
			if !v.drives[i].pulled {
				links = append(links, ref(d))
			}
		}
		operations := []any{}
		if v.volume.rebuilding {
			operations = append(operations, map[string]any{"OperationName": "Rebuilding", "PercentageComplete": int(v.volume.percent)})
		}
		return map[string]any{"@odata.id": at, "@odata.type": "#Volume.v1_6_2.Volume", "Id": id, "Name": name, "DisplayName": name, "RAIDType": "RAID1",
			"CapacityBytes": int64(volumeBytes), "Status": v.volume.status(), "Operations": operations,
			"Links": map[string]any{"Drives": links, "Drives@odata.count": len(links)}}
	}
}
