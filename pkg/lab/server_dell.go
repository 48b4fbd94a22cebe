package lab

import (
	"fmt"
)

// In the manner of iDRAC 9: resources are called System.Embedded.1, supplies "PS1 Status", fans give rpm, drives and
// volumes carry the controller's own words beside the standard ones. The supplies' redundancy names all four that the
// platform can take.

const (
	dellChassis = "/redfish/v1/Chassis/System.Embedded.1"
	dellSystem  = "/redfish/v1/Systems/System.Embedded.1"
	dellManager = "/redfish/v1/Managers/iDRAC.Embedded.1"
	dellRAID    = dellSystem + "/Storage/RAID.SL.3-1"
)

func dellPages() map[string]page {
	pages := map[string]page{
		"/redfish/v1": func(v serverView) map[string]any {
			return root("Dell", "Integrated Dell Remote Access Controller", map[string]any{
				"ProtocolFeaturesSupported": map[string]any{"ExpandQuery": map[string]any{"ExpandAll": true, "Levels": true, "Links": true, "MaxLevels": 1, "NoLinks": true}},
				"Oem":                       map[string]any{"Dell": map[string]any{"ServiceTag": v.serial}}})(v)
		},
		"/redfish/v1/SessionService": sessionService,
		"/redfish/v1/Chassis":        fixed(collection("/redfish/v1/Chassis", "Chassis Collection", dellChassis)),
		"/redfish/v1/Systems":        fixed(collection("/redfish/v1/Systems", "Computer System Collection", dellSystem)),
		"/redfish/v1/Managers":       fixed(collection("/redfish/v1/Managers", "Manager", dellManager)),
		dellChassis: func(v serverView) map[string]any {
			return map[string]any{"@odata.id": dellChassis, "@odata.type": "#Chassis.v1_16_0.Chassis", "Id": "System.Embedded.1", "Name": "Computer System Chassis",
				"ChassisType": "RackMount", "Manufacturer": "Dell Inc.", "Model": "PowerEdge R650", "SerialNumber": v.serial, "SKU": v.serial, "PowerState": powerState(v.on),
				"Status": map[string]any{"Health": v.health(), "HealthRollup": v.health(), "State": "Enabled"},
				"Power":  ref(dellChassis + "/Power"), "Thermal": ref(dellChassis + "/Thermal"),
				"Links": map[string]any{"ComputerSystems": []any{ref(dellSystem)}, "ManagedBy": []any{ref(dellManager)}}}
		},
		dellSystem: func(v serverView) map[string]any {
			return map[string]any{"@odata.id": dellSystem, "@odata.type": "#ComputerSystem.v1_16_0.ComputerSystem", "Id": "System.Embedded.1", "Name": "System",
				"SystemType": "Physical", "Manufacturer": "Dell Inc.", "Model": "PowerEdge R650", "SerialNumber": v.serial, "SKU": v.serial, "UUID": v.uuid, "HostName": v.name,
				"PowerState": powerState(v.on), "BiosVersion": "1.12.1", "Storage": ref(dellSystem + "/Storage"),
				"Status": map[string]any{"Health": v.health(), "HealthRollup": v.health(), "State": "Enabled"},
				"Links":  map[string]any{"Chassis": []any{ref(dellChassis)}, "ManagedBy": []any{ref(dellManager)}}}
		},
		dellManager: fixed(map[string]any{"@odata.id": dellManager, "@odata.type": "#Manager.v1_13_0.Manager", "Id": "iDRAC.Embedded.1", "Name": "Manager",
			"ManagerType": "BMC", "Model": "15G Monolithic", "FirmwareVersion": "6.10.80.00", "Status": status("OK", "Enabled")}),
		dellChassis + "/Power":   dellPower,
		dellChassis + "/Thermal": dellThermal,
	}
	dellStorage(pages)
	return pages
}

func dellPower(v serverView) map[string]any {
	const at = dellChassis + "/Power"
	supplies, members := []any{}, []any{}
	health := "OK"
	for i, s := range v.supplies {
		id := fmt.Sprintf("%s#/PowerSupplies/%d", at, i)
		members = append(members, ref(id))
		supplies = append(supplies, dellSupply(id, s))
		if !s.present || s.failed || !s.input {
			health = "Critical"
		}
	}
	return map[string]any{"@odata.id": at, "@odata.type": "#Power.v1_7_1.Power", "Id": "Power", "Name": "Power",
		"PowerControl":  []any{map[string]any{"@odata.id": at + "#/PowerControl/0", "MemberId": "0", "Name": "System Power Control", "PowerConsumedWatts": round(v.watts)}},
		"PowerSupplies": supplies, "PowerSupplies@odata.count": len(supplies),
		"Redundancy": []any{map[string]any{"@odata.id": at + "#/Redundancy/0", "MemberId": "System Board PS Redundancy", "Name": "System Board PS Redundancy",
			"MinNumNeeded": len(members) / 2, "MaxNumSupported": 4, "Mode": "N+m", "RedundancySet": members, "RedundancySet@odata.count": len(members), "Status": status(health, "Enabled")}}}
}

func dellSupply(id string, s supplyView) map[string]any {
	body := map[string]any{"@odata.id": id, "MemberId": fmt.Sprint(s.slot - 1), "Name": fmt.Sprintf("PS%d Status", s.slot), "HotPluggable": true,
		"Status": status("OK", "Enabled"),
		"Oem":    map[string]any{"Dell": map[string]any{"DellPowerSupply": map[string]any{"FQDD": fmt.Sprintf("PSU.Slot.%d", s.slot)}}}}
	if !s.present {
		body["Status"] = status("Critical", "Absent")
		body["Model"], body["SerialNumber"], body["PowerCapacityWatts"], body["LineInputVoltage"], body["PowerInputWatts"] = nil, nil, nil, nil, nil
		return body
	}
	body["Manufacturer"], body["Model"], body["SerialNumber"], body["FirmwareVersion"] = "DELL", "PWR SPLY,800W,RDNT,LTON", s.serial, "00.17.28"
	body["PowerCapacityWatts"], body["PowerSupplyType"], body["LineInputVoltageType"] = s.rated, "AC", "AC240V"
	body["PowerInputWatts"], body["PowerOutputWatts"], body["LastPowerOutputWatts"] = round(s.inWatts), round(s.watts), round(s.watts)
	body["LineInputVoltage"] = round(s.volts)
	switch {
	case s.failed:
		body["Status"] = status("Critical", "Enabled")
	case !s.input:
		body["Status"] = status("Critical", "UnavailableOffline")
	}
	return body
}

func dellThermal(v serverView) map[string]any {
	const at = dellChassis + "/Thermal"
	fans, members := []any{}, []any{}
	health := "OK"
	for i, f := range v.fans {
		id := fmt.Sprintf("%s#/Fans/%d", at, i)
		members = append(members, ref(id))
		s := status("OK", "Enabled")
		if f.failed {
			s, health = status("Critical", "Enabled"), "Critical"
		}
		fans = append(fans, map[string]any{"@odata.id": id, "MemberId": fmt.Sprintf("0x17||Fan.Embedded.%d", f.n), "Name": fmt.Sprintf("System Board Fan%d", f.n),
			"HotPluggable": true, "Reading": round(f.rpm), "ReadingUnits": "RPM", "LowerThresholdCritical": 600, "Status": s})
	}
	return map[string]any{"@odata.id": at, "@odata.type": "#Thermal.v1_7_1.Thermal", "Id": "Thermal", "Name": "Thermal", "Fans": fans,
		"Redundancy": []any{map[string]any{"@odata.id": at + "#/Redundancy/0", "MemberId": "System Board Fan Redundancy", "Name": "System Board Fan Redundancy",
			"MinNumNeeded": nil, "MaxNumSupported": nil, "Mode": "N+m", "RedundancySet": members, "Status": status(health, "Enabled")}},
		"Temperatures": []any{map[string]any{"@odata.id": at + "#/Temperatures/0", "MemberId": "iDRAC.Embedded.1#SystemBoardInletTemp", "Name": "System Board Inlet Temp",
			"PhysicalContext": "SystemBoard", "ReadingCelsius": 22, "UpperThresholdCritical": 47, "Status": status("OK", "Enabled")}}}
}

func dellStorage(pages map[string]page) {
	const at = dellSystem + "/Storage"
	drive := func(i int) string {
		return fmt.Sprintf("%s/Drives/Disk.Bay.%d:Enclosure.Internal.0-1:RAID.SL.3-1", dellRAID, i)
	}
	const vol = dellRAID + "/Volumes/Disk.Virtual.239:RAID.SL.3-1"
	pages[at] = fixed(collection(at, "Storage Collection", dellRAID))
	pages[dellRAID] = func(v serverView) map[string]any {
		drives := []any{}
		for i, d := range v.drives {
			if !d.pulled {
				drives = append(drives, ref(drive(i)))
			}
		}
		rollup := "OK"
		if v.volume.held < len(v.drives) {
			rollup = "Warning"
		}
		return map[string]any{"@odata.id": dellRAID, "@odata.type": "#Storage.v1_11_0.Storage", "Id": "RAID.SL.3-1", "Name": "PERC H755 Front",
			"Status": map[string]any{"Health": "OK", "HealthRollup": rollup, "State": "Enabled"}, "Controllers": ref(dellRAID + "/Controllers"),
			"Drives": drives, "Drives@odata.count": len(drives), "Volumes": ref(dellRAID + "/Volumes")}
	}
	const controller = dellRAID + "/Controllers/RAID.SL.3-1"
	pages[dellRAID+"/Controllers"] = fixed(collection(dellRAID+"/Controllers", "Storage Controller Collection", controller))
	pages[controller] = fixed(map[string]any{"@odata.id": controller, "@odata.type": "#StorageController.v1_0_0.StorageController", "Id": "RAID.SL.3-1",
		"Name": "PERC H755 Front", "Manufacturer": "DELL", "Model": "PERC H755 Front", "FirmwareVersion": "52.21.0-4606", "Status": status("OK", "Enabled")})
	pages[dellRAID+"/Volumes"] = fixed(collection(dellRAID+"/Volumes", "Volume Collection", vol))
	standard := volumePage(vol, "Disk.Virtual.239:RAID.SL.3-1", "system", drive(0), drive(1))
	pages[vol] = func(v serverView) map[string]any {
		word := "Online"
		switch {
		case v.volume.held == 0:
			word = "Failed"
		case v.volume.held < len(v.drives):
			word = "Degraded"
		}
		body := standard(v)
		body["Oem"] = map[string]any{"Dell": map[string]any{"DellVolume": map[string]any{"RaidStatus": word}}}
		return body
	}
	for i := range 2 {
		pages[drive(i)] = func(v serverView) map[string]any { return dellDrive(drive(i), i, v) }
	}
}

func dellDrive(at string, i int, v serverView) map[string]any {
	d := v.drives[i]
	if d.pulled {
		return nil
	}
	word, operations := "Online", []any{}
	st := status("OK", "Enabled")
	switch {
	case d.failed:
		word, st = "Failed", status("Critical", "Enabled")
	case d.rebuilt < 1:
		word = "Rebuilding"
		operations = append(operations, map[string]any{"OperationName": "Rebuild", "PercentageComplete": int(100 * d.rebuilt)})
	}
	return map[string]any{"@odata.id": at, "@odata.type": "#Drive.v1_14_0.Drive", "Id": fmt.Sprintf("Disk.Bay.%d:Enclosure.Internal.0-1:RAID.SL.3-1", i),
		"Name": fmt.Sprintf("Physical Disk 0:1:%d", i), "Manufacturer": "INTEL", "Model": "SSDSC2KG960G8R", "SerialNumber": d.serial, "Revision": "XCV1DL67",
		"MediaType": "SSD", "Protocol": "SATA", "CapacityBytes": int64(driveBytes), "FailurePredicted": false, "PredictedMediaLifeLeftPercent": 98, "HotspareType": "None",
		"Status": st, "Operations": operations,
		"PhysicalLocation": map[string]any{"PartLocation": map[string]any{"LocationType": "Slot", "LocationOrdinalValue": i}},
		"Oem":              map[string]any{"Dell": map[string]any{"DellPhysicalDisk": map[string]any{"RaidStatus": word, "Slot": i}}}}
}
