package redfish

import (
	"path"
	"strings"
)

// role says what a resource is for: which of its links are followed, and how often it is read.
type role uint8

const (
	rRoot role = iota
	rSystem
	rChassis
	rManager
	rPower    // Chassis.Power, deprecated by the DMTF in 2020.4 and still what most BMCs fill best
	rThermal  // Chassis.Thermal, likewise
	rPowerSub // Chassis.PowerSubsystem
	rSupply
	rSupplyMetrics
	rSensor
	rThermalSub
	rFan
	rThermalMetrics
	rBattery
	rBatteryMetrics
	rStorage
	rController
	rDrive
	rVolume
	rPool
	rSimpleStorage
	rAdapter
	rPort
	rEthernet
	rFabric
	rSwitch
	rEquipment
	rBlock        // ResourceBlock: what can be composed into systems
	rDistribution // PowerDistribution: rack and floor PDUs, transfer switches, power shelves, switchgear, buses
	rDistributionMetrics
	rCircuit
	rOutlet
	rCoolingEquipment
	rCoolingUnit // CoolingUnit and CoolingLoop
	rPump
	rReservoir
	rLeakDetection
	rLeakDetector
	// Below are resources of vendors' own, see quirks.go.
	rArrays
	rArray
	rArrayDrive
	rArrayVolume
	rArrayVolumeDrive
	rArrayEnclosure
	rBaseAdapter
)

// pace is how often a resource is read.
type pace uint8

const (
	slowly  pace = iota // in Full polls: it changes when somebody works at the device
	inTurn              // in Full polls, and a few of them in each Fast one, the oldest first
	always              // in every poll
	doubled             // as inTurn while it agrees with the older form of the same facts, else always
)

var paces = map[role]pace{
	rSystem: always, rPower: always, rThermal: always, rStorage: always, rEquipment: slowly, rDistribution: always,
	rPowerSub: doubled, rSupply: doubled, rSupplyMetrics: inTurn, rSensor: inTurn, rThermalSub: doubled, rFan: doubled,
	rBattery: inTurn, rController: inTurn, rDrive: inTurn, rVolume: inTurn, rPool: inTurn, rSimpleStorage: inTurn,
	rPort: inTurn, rEthernet: inTurn, rSwitch: inTurn, rCircuit: always, rOutlet: inTurn, rDistributionMetrics: inTurn,
	rCoolingUnit: always, rPump: inTurn, rReservoir: inTurn, rLeakDetection: inTurn, rLeakDetector: inTurn,
	rArray: always, rArrayDrive: inTurn, rArrayVolume: inTurn, rBaseAdapter: inTurn,
}

// pace is how often a resource that is known is read. A manager is read in turn only where it may be one of several.
func (e *entry) pace() pace {
	if e.role == rManager && !e.many && standsBy(e.body) {
		return inTurn
	}
	return paces[e.role]
}

// expands says which members are worth asking for in one request with their collection, and how many levels deep.
var expands = map[role]int{
	rSupply: 2, rFan: 1, rStorage: 3, rController: 1, rDrive: 1, rVolume: 1, rPool: 1, rPort: 1, rEthernet: 1, rBattery: 2,
	rSwitch: 1, rCircuit: 1, rOutlet: 1, rAdapter: 1, rSimpleStorage: 1, rLeakDetector: 1, rPump: 1,
}

// ref is a link that is followed. many: it leads to a collection, whose members have the role.
type ref struct {
	link string
	role role
	many bool
}

// step is one link of a resource, by the names that lead to it. A link to several resources is an array in it.
type step struct {
	names []string
	role  role
	many  bool
}

func one(r role, names ...string) step  { return step{names: names, role: r} }
func many(r role, names ...string) step { return step{names: names, role: r, many: true} }

// steps are the links that are followed from each role's resources. What is not here is never asked for: no actions,
// no logs, no accounts, no firmware.
var steps = map[role][]step{
	rRoot: {
		many(rSystem, "Systems"), many(rChassis, "Chassis"), many(rManager, "Managers"), many(rFabric, "Fabrics"),
		one(rEquipment, "PowerEquipment"), one(rCoolingEquipment, "ThermalEquipment"),
		many(rStorage, "Storage"), many(rSystem, "StorageSystems"), many(rBlock, "ResourceBlocks"),
	},
	rBlock: {one(rStorage, "Storage"), one(rDrive, "Drives")},
	rSystem: {
		many(rStorage, "Storage"), many(rStorage, "Storages"), many(rEthernet, "EthernetInterfaces"),
		one(rChassis, "Links", "Chassis"),
	},
	rChassis: {
		one(rPower, "Power"), one(rThermal, "Thermal"), one(rPowerSub, "PowerSubsystem"), one(rThermalSub, "ThermalSubsystem"),
		many(rAdapter, "NetworkAdapters"), many(rDrive, "Drives"), one(rDrive, "Links", "Drives"), one(rStorage, "Links", "Storage"),
		one(rLeakDetection, "LeakDetection"),
	},
	rManager:       {one(rSystem, "Links", "ManagerForServers"), one(rChassis, "Links", "ManagerForChassis")},
	rPowerSub:      {many(rSupply, "PowerSupplies"), many(rBattery, "Batteries")},
	rSupply:        {one(rSupplyMetrics, "Metrics")},
	rBattery:       {one(rBatteryMetrics, "Metrics")},
	rThermalSub:    {many(rFan, "Fans"), one(rThermalMetrics, "ThermalMetrics"), one(rLeakDetection, "LeakDetection"), many(rPump, "Pumps")},
	rLeakDetection: {many(rLeakDetector, "LeakDetectors")},
	rStorage: {
		many(rController, "Controllers"), many(rVolume, "Volumes"), one(rDrive, "Drives"), many(rPool, "StoragePools"),
	},
	rController: {many(rPort, "Ports")},
	rDrive:      {one(rVolume, "Links", "Volumes")}, // for services whose collection of volumes does not answer
	rVolume:     {one(rDrive, "Links", "Drives"), one(rDrive, "Links", "DedicatedSpareDrives")},
	rAdapter:    {many(rPort, "Ports"), many(rPort, "NetworkPorts")},
	rFabric:     {many(rSwitch, "Switches")},
	rSwitch:     {many(rPort, "Ports")},
	rEquipment: {
		many(rDistribution, "RackPDUs"), many(rDistribution, "TransferSwitches"), many(rDistribution, "PowerShelves"),
		many(rDistribution, "FloorPDUs"), many(rDistribution, "Switchgear"), many(rDistribution, "ElectricalBuses"),
	},
	rDistribution: {
		many(rCircuit, "Mains"), many(rCircuit, "Branches"), many(rCircuit, "Feeders"), many(rCircuit, "Subfeeds"), many(rOutlet, "Outlets"),
		many(rSupply, "PowerSupplies"), one(rDistributionMetrics, "Metrics"),
	},
	rCoolingEquipment: {
		many(rCoolingUnit, "CDUs"), many(rCoolingUnit, "HeatExchangers"), many(rCoolingUnit, "ImmersionUnits"), many(rCoolingUnit, "CoolingLoops"),
	},
	rCoolingUnit: {many(rPump, "Pumps"), many(rFan, "Fans"), many(rSupply, "PowerSupplies"), one(rLeakDetection, "LeakDetection"), many(rReservoir, "Reservoirs")},
	rArrays:      {many(rArray, "Links", "ArrayControllers"), many(rArray, "links", "ArrayControllers")},
	rArray: {
		many(rArrayDrive, "Links", "PhysicalDrives"), many(rArrayVolume, "Links", "LogicalDrives"),
		many(rArrayDrive, "links", "PhysicalDrives"), many(rArrayVolume, "links", "LogicalDrives"),
	},
	rArrayVolume: {many(rArrayVolumeDrive, "Links", "DataDrives"), many(rArrayVolumeDrive, "links", "DataDrives")},
}

// follow returns the links to go on with from one resource that has the role.
func follow(t *tree, r role, at string, body value) []ref {
	var out []ref
	for _, s := range steps[r] {
		v := body.at(s.names...)
		links := []value{v}
		if v.kind == array {
			links = v.each()
		}
		for _, l := range links {
			if p := l.link(); p != "" && !strings.Contains(p, "#") {
				out = append(out, ref{link: p, role: s.role, many: s.many})
			}
		}
	}
	if r == rSystem {
		out = append(out, vendorLinks(body)...)
	}
	for list, role := range onlyLinked[r] {
		for _, e := range body.get(list).items() {
			if p := e.link(); len(e.names()) <= 1 && normal(p) != "" && !strings.Contains(p, "#") && !strings.Contains(p, "%23") {
				out = append(out, ref{link: p, role: role})
			}
		}
	}
	for list, role := range groupLists[r] {
		for _, p := range groupMembers(body.get(list)) {
			out = append(out, ref{link: p, role: role})
		}
	}
	out = append(out, measuring(t, r, at, body)...)
	if r == rChassis {
		for name, role := range chassisParts {
			if p := conventional(t, at, body, name); p != "" {
				out = append(out, ref{link: p, role: role})
			}
		}
	}
	if r == rSystem && !hasStorage(t, body) {
		if p := body.get("SimpleStorage").link(); p != "" {
			out = append(out, ref{link: p, role: rSimpleStorage, many: true})
		}
	}
	return out
}

// onlyLinked are the lists inside a resource that hold their things themselves, mostly; where they hold only links (iDRAC 8 with
// firmware of 2017), those are followed.
var onlyLinked = map[role]map[string]role{rPower: {"PowerSupplies": rSupply}, rThermal: {"Fans": rFan}}

// groupLists are the redundancy groups whose members may be known to nobody else (recording dmtf-public-power-shelf: its
// collection leaves out one of six bays).
var groupLists = map[role]map[string]role{
	rPowerSub:   {"PowerSupplyRedundancy": rSupply},
	rThermalSub: {"FanRedundancy": rFan},
}

// groupMembers returns the resources that a list of redundancy groups names.
func groupMembers(list value) []string {
	var out []string
	for _, g := range list.items() {
		for _, m := range either(g, redundancyNames.set).items() {
			if p := normal(m.link()); p != "" && !strings.Contains(m.link(), "#") && !strings.Contains(m.link(), "%23") {
				out = appendNew(out, p)
			}
		}
	}
	return out
}

// measuring returns the sensors that say of supplies what they do not say themselves: those that a supply links to, and the
// collection of a server's chassis that lists no supplies.
func measuring(t *tree, r role, at string, body value) []ref {
	var out []ref
	switch r {
	case rSupply:
		for _, p := range supplySensors(body) {
			out = append(out, ref{link: p, role: rSensor})
		}
	case rPower:
		chassis := t.at(path.Dir(at))
		if len(body.get("PowerSupplies").items()) == 0 && !chassis.get("PowerSubsystem").present() && holdsSystem(chassis) {
			out = append(out, ref{link: chassis.get("Sensors").link(), role: rSensor, many: true})
		}
	case rChassis:
		if !body.get("Power").present() && !body.get("PowerSubsystem").present() && holdsSystem(body) {
			out = append(out, ref{link: body.get("Sensors").link(), role: rSensor, many: true})
		}
	}
	return out
}

func holdsSystem(chassis value) bool { return len(chassis.at("Links", "ComputerSystems").items()) > 0 }

// chassisParts are the resources below a chassis that have a conventional name.
var chassisParts = map[string]role{"Power": rPower, "Thermal": rThermal, "PowerSubsystem": rPowerSub, "ThermalSubsystem": rThermalSub}

// conventional returns the place where a chassis's part usually is, if the chassis links to something else in its name
// (recording dmtf-public-power-shelf: PowerSubsystem links to Sensors); "" where the link is as it should be.
func conventional(t *tree, chassis string, body value, name string) string {
	link := normal(body.get(name).link())
	if link == "" || strings.EqualFold(lastSegment(link), name) || strings.Contains(t.at(link).get("@odata.type").str(), "#"+name+".") {
		return ""
	}
	return chassis + "/" + name
}

// partOf returns the link to a chassis's part.
func (t *tree) partOf(c *chassis, name string) string {
	if p := conventional(t, c.path, c.body, name); p != "" && t.at(p).kind == object {
		return p
	}
	return c.body.get(name).link()
}

// hasStorage reports whether the system's Storage collection is known to have members, so that SimpleStorage would only
// say less of the same.
func hasStorage(t *tree, system value) bool {
	for _, name := range []string{"Storage", "Storages"} {
		if link := system.get(name).link(); link != "" {
			e := t.entries[normal(link)]
			if e == nil || len(e.body.get("Members").items()) > 0 {
				return true
			}
		}
	}
	return false
}
