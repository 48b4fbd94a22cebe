package redfish

import (
	"slices"
	"strings"
)

// A service's resources are kept from poll to poll, for ten thousand services: so of each only what somebody reads is
// kept. lean takes the rest away, and lets go of the text that it stood in.

// readNames are the fields that this package reads. A test collects them from the source and fails when one is missing.
const readNames = `
@Message.ExtendedInfo @odata.id @odata.nextLink @odata.type A1 AC AC1 Accept Active ActiveMainsId ActiveStandby Adapter AggregateHealthStatus
ApparentVA ArrayControllers AssociatedMACAddresses AssociatedNetworkAddresses AutoTransferEnabled BackupPowerSourceStatus Batteries BayNumber Bios
Blinking BranchCircuit Branches BreakerState CDUs CacheSummary CapacitanceName CapacitanceStatus CapacityBytes CapacityMiB CapacitySources
CapacityWatts ChargeLevelPercent ChargePercent Chassis ChassisPowerConsumption ChassisPowerSensors ChassisType ComputerSystems Conditions ContainedBy
Contains Controllers CoolingLoopType CoolingLoops CoolingUnit CurrentAmps CurrentLinkSpeedMbps CurrentPowerConsumptionW CurrentReading
CurrentSpeedGbps CurrentTemperatureCelsius DC DataDrives DataSourceUri DedicatedSpareDrives Dell DellControllerBattery DellDrive DellPCIeSSD
DellPhysicalDisk DellPowerSupply DellPowerSupplyView DellVirtualDisk DellVolume Designation DetailedState DetectorState Detectors DeviceName Devices
DiskDriveStatusReasons DiskDriveUse DisplayName Domain DriveState DriveStatus Drives DrivesList ElectricalBuses Enclosure EquipmentType Ethernet
EthernetInterfaces EventType Events ExpandAll ExpandQuery Fabrics FailurePredicted FanName FanRedundancy Fans Feeders FirmwareStatus FirmwareVersion
FloorPDUs FluidLevelPercent FluidLevelStatus GPU GroupName Health HealthRollup HeatExchangers HostName HotPluggable HotplugCapable HotspareType Hp Hpe
Huawei I1 Id ImmersionUnits Index IndicatorLED Infinity Info InputCurrentAmps InputNominalVoltageType InputPowerWatts InputRanges InputType
InputVoltage InterfaceEnabled InterfaceType LastPowerOutputWatts LeakDetection LeakDetectorGroups LeakDetectors LegacyStatus Levels Line1 Line1ToLine2
Line1ToNeutral Line2 Line2ToLine3 Line2ToNeutral Line3 Line3ToLine1 Line3ToNeutral LineInputStatus LineInputVoltage LineInputVoltageType LinkState
LinkStatus Links LoadPercent Location LocationIndicatorActive LocationOrdinalValue LogicalDriveName LogicalDriveNumber LogicalDriveStatusReasons
LogicalDrives MACAddress MacAddress Mains MainsRedundancy Manager ManagerForChassis ManagerForServers ManagerType Managers Manufacturer
MaxConsumedWatts MaxLevels MaxNumSupported MaxSupportedInGroup MediaType Member MemberID MemberId Members Members@odata.nextLink Message MessageId
MetricReport Metrics MinNeededForFaultTolerance MinNeededInGroup MinNumNeeded MinNumNeededForFaultTolerance Mirrored Mismatched Mode Model Name
NetworkAdapter NetworkAdapters NetworkPorts Neutral NoLinks Node10 Node2 NominalVoltage NominalVoltageType NonRedundant None NotPresent Oem Off Ok
OnePhase Operation OperationName Operations Optimal OriginOfCondition Outlet Outlets OutputPowerWatts OutputWattage PartLocation PartNumber Percent
PercentageComplete PermanentMACAddress PhaseWiringType PhysicalContext PhysicalDrives PhysicalLocation PhysicalPortNumber PhysicalPorts
PolyPhaseCurrentAmps PolyPhasePowerWatts PolyPhaseVoltage Port PortId Ports Power PowerCapacityVA PowerCapacityWatts PowerConsumedWatts PowerControl
PowerDistribution PowerEquipment PowerInputWatts PowerMetric PowerMetrics PowerOutputWatts PowerShelf PowerShelves PowerState PowerSubsystem
PowerSupplies PowerSupply PowerSupplyRedundancy PowerSupplyStatus PowerSupplyType PowerWatts PoweredBy PredictedMediaLifeLeftPercent
PredictiveFailureState PreferredMainsId PrimaryStatus Product ProductName Protocol ProtocolFeaturesSupported ProvidingDrives ProvidingPools
PumpRedundancy PumpSpeedPercent Pumps RAID01 RAID1 RAID10 RAID10E RAID10TRIPLE RAID1E RAID1TRIPLE RAID3 RAID4 RAID5 RAID50 RAID6 RAID60 RAID6TP
RAIDLevel RAIDState RAIDType RackMount RackPDUs Raid RaidLevel RaidStatus RatedCurrentAmps RawDevice Reading ReadingCelsius ReadingUnits ReadingVolts
ReadyToRemove RebuildCompletionPercentage RebuildProgress RebuildState RedMinNumberNeeded RedTypeOfSet Redundancy RedundancyEnabled RedundancyGroup
RedundancySet RedundancyStatus RedundancyType RemainingRedundancy Reservoirs ResourceBlocks ResourceMissing ResourceNotFound Revision
SSDEnduranceUtilizationPercentage SecureBoot Self Sensors SerialNumber ServerSentEventUri ServiceEnabled ServiceLabel Shelf SimpleStorage SlotNumber
SmartStorage SmartStorageBattery SourceCircuit Spans SpareforLogicalDrives SpeedMbps SpeedPercent SpeedRPM StandAlone Standby State
StateOfHealthPercent Status StatusIndicator Storage StorageControllers StoragePools StorageSystems Storages Subfeeds SupportedRAIDTypes Switch
SwitchType Switches Switchgear System SystemType Systems Team Temperature TemperatureCelsius Temperatures Thermal ThermalEquipment ThermalMetrics
ThermalSubsystem ThreePhase TotalPower Tower TransferConfiguration TransferSwitches TwoPhase UNKNOWN UUID Units UserLabel Vendor Virtual Voltage
VoltageType Voltages Volume VolumeRaidLevel VolumeState VolumeType Volumes code error href links message
`

// kept is readNames by its lower-case form; the value is the form in which the name is written most.
var kept = func() map[string]string {
	m := map[string]string{}
	for _, n := range strings.Fields(readNames) {
		m[strings.ToLower(n)] = n
	}
	return m
}()

// common are the texts that stand in every second resource.
var common = func() map[string]string {
	m := map[string]string{}
	for _, s := range []string{"Enabled", "OK", "Warning", "Critical", "Absent", "Disabled", "StandbyOffline", "UnavailableOffline", "On", "Off", "None", "AC", "RPM", "Percent", "0", "1", "2", "true", "false"} {
		m[s] = s
	}
	return m
}()

const maxKept = 2048 // bytes of one text

func lean(v value) value { return leaner(v, "") }

// thin leaves only the links to the resources that came inside another and are kept by themselves.
func thin(r role, v value) value {
	if v.kind != object || len(steps[r]) == 0 {
		return v
	}
	out := objectOf(v.names(), slices.Clone(v.each()))
	for _, s := range steps[r] {
		for i, k := range v.names() {
			if len(s.names) == 1 && k == s.names[0] {
				out.in.list[i] = linksOf(v.each()[i])
			}
		}
	}
	return out
}

func linksOf(v value) value {
	if v.kind == array {
		var links []value
		for _, e := range v.each() {
			links = append(links, linksOf(e))
		}
		return arrayOf(links)
	}
	if l := v.link(); v.kind == object && l != "" && !strings.Contains(l, "#") {
		return objectOf([]string{"@odata.id"}, []value{{kind: text, text: l}})
	}
	return v
}

// leaner takes away what nobody reads below a field of that name. The names directly below Oem are the vendors', and
// all stay.
func leaner(v value, field string) value {
	out := value{kind: v.kind}
	if v.text != "" {
		if s, is := common[v.text]; is {
			out.text = s
		} else {
			out.text = strings.Clone(shorten(v.text, maxKept))
		}
	}
	switch v.kind {
	case array:
		out.in = &inside{}
		for _, e := range v.each() {
			if worth(field, e) {
				out.in.list = append(out.in.list, leaner(e, field))
			}
		}
		out.in.list = slices.Clip(out.in.list)
	case object:
		out.in = leanFields(v, field)
	}
	return out
}

func leanFields(v value, field string) *inside {
	n := 0
	for i, k := range v.names() {
		if v.each()[i].present() && (field == "Oem" || kept[strings.ToLower(k)] != "") {
			n++
		}
	}
	out := &inside{keys: make([]string, 0, n), list: make([]value, 0, n)}
	for i, k := range v.names() {
		name := kept[strings.ToLower(k)]
		switch {
		case !v.each()[i].present():
			continue
		case name == k:
			k = name // the one that all share
		case name != "" || field == "Oem":
			k = strings.Clone(k)
		default:
			continue
		}
		out.keys = append(out.keys, k)
		out.list = append(out.list, leaner(v.each()[i], k))
	}
	return out
}

// worth reports whether an element of the list of that name is read: of temperatures that of the air that comes in, of
// voltages those of supplies.
func worth(list string, e value) bool {
	switch list {
	case "Temperatures":
		return isIntake(e)
	case "Voltages":
		_, is := gaugeOf(supplySensor, e.get("Name").str())
		return is
	}
	return true
}

// isIntake reports whether a temperature is that of the air that comes in.
func isIntake(t value) bool {
	name := strings.ToLower(t.get("Name").str())
	return strings.EqualFold(t.get("PhysicalContext").str(), "Intake") || strings.Contains(name, "inlet") || strings.Contains(name, "ambient")
}
