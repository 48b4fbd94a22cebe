package lab

import "fmt"

// In the manner of OpenBMC's bmcweb: PowerSubsystem and ThermalSubsystem with a resource for each supply and fan, and no
// word about the supplies' redundancy. The subsystem's own status is always well, whatever happens below it.

const (
	openChassis = "/redfish/v1/Chassis/chassis"
	openSystem  = "/redfish/v1/Systems/system"
	openManager = "/redfish/v1/Managers/bmc"
	openPower   = openChassis + "/PowerSubsystem"
	openThermal = openChassis + "/ThermalSubsystem"
)

func openBMCPages() map[string]page {
	pages := map[string]page{
		"/redfish/v1": root("OpenBMC", "", map[string]any{
			"ProtocolFeaturesSupported": map[string]any{"ExpandQuery": map[string]any{"ExpandAll": true, "Levels": true, "Links": true, "MaxLevels": 6, "NoLinks": true}}}),
		"/redfish/v1/SessionService": sessionService,
		"/redfish/v1/Chassis":        fixed(collection("/redfish/v1/Chassis", "Chassis Collection", openChassis)),
		"/redfish/v1/Systems":        fixed(collection("/redfish/v1/Systems", "Computer System Collection", openSystem)),
		"/redfish/v1/Managers":       fixed(collection("/redfish/v1/Managers", "Manager Collection", openManager)),
		openChassis: func(v serverView) map[string]any {
			return map[string]any{"@odata.id": openChassis, "@odata.type": "#Chassis.v1_22_0.Chassis", "Id": "chassis", "Name": "chassis", "ChassisType": "RackMount",
				"Manufacturer": "Lab", "Model": "OCP Olympus", "SerialNumber": v.serial, "PowerState": powerState(v.on), "Status": status("OK", "Enabled"),
				"PowerSubsystem": ref(openPower), "ThermalSubsystem": ref(openThermal),
				"Links": map[string]any{"ComputerSystems": []any{ref(openSystem)}, "ManagedBy": []any{ref(openManager)}}}
		},
		openSystem: func(v serverView) map[string]any {
			return map[string]any{"@odata.id": openSystem, "@odata.type": "#ComputerSystem.v1_22_0.ComputerSystem", "Id": "system", "Name": "system", "SystemType": "Physical",
				"Manufacturer": "Lab", "Model": "OCP Olympus", "SerialNumber": v.serial, "UUID": v.uuid, "HostName": v.name, "PowerState": powerState(v.on),
				"Status": map[string]any{"Health": v.health(), "HealthRollup": v.health(), "State": "Enabled"}, "Storage": ref(openSystem + "/Storage"),
				"Links": map[string]any{"Chassis": []any{ref(openChassis)}, "ManagedBy": []any{ref(openManager)}}}
		},
		openManager: fixed(map[string]any{"@odata.id": openManager, "@odata.type": "#Manager.v1_14_0.Manager", "Id": "bmc", "Name": "OpenBmc Manager",
			"ManagerType": "BMC", "Model": "OpenBmc", "FirmwareVersion": "2.14.0", "Status": status("OK", "Enabled")}),
		openPower: fixed(map[string]any{"@odata.id": openPower, "@odata.type": "#PowerSubsystem.v1_1_0.PowerSubsystem", "Id": "PowerSubsystem", "Name": "Power Subsystem",
			"Status": status("OK", "Enabled"), "PowerSupplies": ref(openPower + "/PowerSupplies")}),
		openPower + "/PowerSupplies": fixed(collection(openPower+"/PowerSupplies", "Power Supply Collection",
			openPower+"/PowerSupplies/powersupply1", openPower+"/PowerSupplies/powersupply2")),
		openThermal: func(v serverView) map[string]any {
			members, health := []any{}, "OK"
			for _, f := range v.fans {
				members = append(members, ref(fmt.Sprintf("%s/Fans/fan%d", openThermal, f.n)))
				if f.failed {
					health = "Warning"
				}
			}
			return map[string]any{"@odata.id": openThermal, "@odata.type": "#ThermalSubsystem.v1_0_0.ThermalSubsystem", "Id": "ThermalSubsystem", "Name": "Thermal Subsystem",
				"Status": status("OK", "Enabled"), "Fans": ref(openThermal + "/Fans"),
				"FanRedundancy": []any{map[string]any{"RedundancyType": "NPlusM", "MinNeededInGroup": len(v.fans) - 1, "MaxSupportedInGroup": len(v.fans), "RedundancyGroup": members, "Status": status(health, "Enabled")}}}
		},
	}
	for slot := 1; slot <= 2; slot++ {
		at := fmt.Sprintf("%s/PowerSupplies/powersupply%d", openPower, slot)
		pages[at] = func(v serverView) map[string]any { return openSupply(at, v.supplies[slot-1]) }
		pages[at+"/Metrics"] = func(v serverView) map[string]any { return openMetrics(at+"/Metrics", v.supplies[slot-1]) }
	}
	var fans []string
	for n := 1; n <= 6; n++ {
		at := fmt.Sprintf("%s/Fans/fan%d", openThermal, n)
		fans = append(fans, at)
		pages[at] = func(v serverView) map[string]any {
			f := v.fans[n-1]
			s := status("OK", "Enabled")
			if f.failed {
				s = status("Critical", "Enabled")
			}
			return map[string]any{"@odata.id": at, "@odata.type": "#Fan.v1_3_0.Fan", "Id": fmt.Sprintf("fan%d", n), "Name": fmt.Sprintf("fan%d", n), "HotPluggable": true,
				"SpeedPercent": map[string]any{"Reading": f.speed, "SpeedRPM": f.rpm}, "Status": s,
				"Location": map[string]any{"PartLocation": map[string]any{"ServiceLabel": title("Fan", n)}}}
		}
	}
	pages[openThermal+"/Fans"] = fixed(collection(openThermal+"/Fans", "Fan Collection", fans...))
	openStorage(pages)
	return pages
}

func openSupply(at string, s supplyView) map[string]any {
	id := fmt.Sprintf("powersupply%d", s.slot)
	body := map[string]any{"@odata.id": at, "@odata.type": "#PowerSupply.v1_5_0.PowerSupply", "Id": id, "Name": id, "HotPluggable": true,
		"Location": map[string]any{"PartLocation": map[string]any{"ServiceLabel": title("PSU", s.slot), "LocationType": "Slot", "LocationOrdinalValue": s.slot}},
		"Status":   status("OK", "Enabled")}
	if !s.present {
		body["Status"] = status("Critical", "Absent")
		return body
	}
	body["Manufacturer"], body["Model"], body["SerialNumber"], body["FirmwareVersion"] = "Lab", "LPS-800", s.serial, "0102"
	body["PowerCapacityWatts"], body["PowerSupplyType"], body["LineInputStatus"] = s.rated, "AC", "Normal"
	body["Metrics"] = ref(at + "/Metrics")
	switch {
	case s.failed:
		body["Status"] = status("Critical", "Enabled")
	case !s.input:
		body["Status"], body["LineInputStatus"] = status("Critical", "UnavailableOffline"), "LossOfInput"
	}
	return body
}

func openMetrics(at string, s supplyView) map[string]any {
	if !s.present {
		return nil
	}
	return map[string]any{"@odata.id": at, "@odata.type": "#PowerSupplyMetrics.v1_0_1.PowerSupplyMetrics", "Id": "Metrics", "Name": "Power Supply Metrics",
		"InputVoltage": map[string]any{"Reading": s.volts}, "InputPowerWatts": map[string]any{"Reading": s.inWatts}, "OutputPowerWatts": map[string]any{"Reading": s.watts}}
}

func openStorage(pages map[string]page) {
	const at = openSystem + "/Storage"
	const unit = at + "/1"
	drive := func(i int) string { return fmt.Sprintf("%s/Drives/drive%d", unit, i) }
	pages[at] = fixed(collection(at, "Storage Collection", unit))
	pages[unit] = func(v serverView) map[string]any {
		drives := []any{}
		for i, d := range v.drives {
			if !d.pulled {
				drives = append(drives, ref(drive(i)))
			}
		}
		return map[string]any{"@odata.id": unit, "@odata.type": "#Storage.v1_13_0.Storage", "Id": "1", "Name": "Storage", "Status": status("OK", "Enabled"),
			"Drives": drives, "Drives@odata.count": len(drives), "Volumes": ref(unit + "/Volumes")}
	}
	pages[unit+"/Volumes"] = fixed(collection(unit+"/Volumes", "Volume Collection", unit+"/Volumes/md0"))
	pages[unit+"/Volumes/md0"] = volumePage(unit+"/Volumes/md0", "md0", "md0", drive(0), drive(1))
	for i := range 2 {
		pages[drive(i)] = func(v serverView) map[string]any {
			d := v.drives[i]
			if d.pulled {
				return nil
			}
			return map[string]any{"@odata.id": drive(i), "@odata.type": "#Drive.v1_17_0.Drive", "Id": fmt.Sprintf("drive%d", i), "Name": fmt.Sprintf("drive%d", i),
				"Manufacturer": "Lab", "Model": "LSSD-960", "SerialNumber": d.serial, "MediaType": "SSD", "Protocol": "NVMe", "CapacityBytes": int64(driveBytes), "Status": d.status(),
				"PhysicalLocation": map[string]any{"PartLocation": map[string]any{"LocationType": "Bay", "ServiceLabel": fmt.Sprintf("Bay %d", i), "LocationOrdinalValue": i}}}
		}
	}
}
