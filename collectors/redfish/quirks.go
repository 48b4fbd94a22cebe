package redfish

import (
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// This file holds what single vendors do otherwise than the standard, each with what proves it: a recording (its name
// without .json) or a public reference. Vendors' names stand nowhere else in this package but in proofs.

// vendor is who built the service, where something here depends on it.
type vendor string

const (
	dell  vendor = "dell"
	hpe   vendor = "hpe"
	other vendor = "" // or it does not matter
)

// vendorOf tells who built the service, from what every one of its trees shows: the vendor's name, the names of Oem
// sections, and, for a Dell, the names of its embedded resources (recording dell-r640-telegraf has no service root).
func vendorOf(t *tree) vendor {
	root := t.at(rootPath)
	words := strings.ToLower(root.get("Vendor").str() + " " + root.get("Product").str())
	oem := root.get("Oem")
	switch {
	case strings.Contains(words, "dell"), oem.get("Dell").present():
		return dell
	case strings.HasPrefix(words, "hpe"), oem.get("Hpe").present(), oem.get("Hp").present():
		return hpe
	}
	for _, name := range []string{"Chassis", "Systems", "Managers"} {
		for _, p := range t.members(rootPath + "/" + name) {
			if strings.HasSuffix(p, "/System.Embedded.1") || strings.HasSuffix(p, "/System.Modular.1") || strings.HasSuffix(p, "/iDRAC.Embedded.1") {
				return dell
			}
			body := t.at(p)
			switch maker := strings.ToLower(body.get("Manufacturer").str()); {
			case strings.HasPrefix(maker, "dell"):
				return dell
			case (maker == "hpe" || maker == "hp") && body.at("Oem", "Hpe").present(),
				strings.Contains(strings.ToLower(body.get("Model").str()), "proliant"):
				return hpe
			}
		}
	}
	return other
}

// refusesReading reports whether reading the resource does harm.
//
// Dell iDRAC: reading a member of Chassis with "RAID" or "Enclosure" in its name restarts the BMC (bb-Ricardo
// check_redfish, cr_module/classes/redfish.py:724; recording dell-r640-telegraf shows such a member,
// Enclosure.Internal.0-1:RAID.Integrated.1-1). The drives behind it are read below their system.
func refusesReading(t *tree, path string) bool {
	rest, ok := strings.CutPrefix(path, "/redfish/v1/Chassis/")
	if !ok || !strings.Contains(rest, "RAID") && !strings.Contains(rest, "Enclosure") {
		return false
	}
	return vendorOf(t) == dell
}

// vendorLinks are the links that a system has in its Oem section to what the standard has no place for. HPE (recordings
// hpe-dl325, hpe-xl675d): array controllers (SmartStorage) and adapters (BaseNetworkAdapters); iLO 4 writes "Hp" and
// "links".
func vendorLinks(system value) []ref {
	var out []ref
	for _, name := range []string{"Hpe", "Hp"} {
		links := system.at("Oem", name).first("Links", "links")
		if p := links.get("SmartStorage").link(); p != "" {
			out = append(out, ref{link: p, role: rArrays})
		}
		if p := links.get("NetworkAdapters").link(); p != "" {
			out = append(out, ref{link: p, role: rBaseAdapter, many: true})
		}
	}
	return out
}

// oemTemperature reads a drive's temperature where vendors keep it (recordings huawei-2288h-v5, lenovo-sr670v2).
func oemTemperature(drive value) value64 {
	var t value64
	for _, o := range drive.get("Oem").each() {
		t = t.or(num(o.first("TemperatureCelsius", "Temperature")))
	}
	return t
}

// numbers are what a redundancy object counts.
type numbers struct {
	min, max, members int
	mode              string
	full              bool // the object says that all is well
	exact             bool // it has MinNumNeededForFaultTolerance beside, so that min is to be read literally (Redundancy v1.7.0)
	vendor            vendor
}

// meantNeeded is how many members must work, as the vendor means its MinNumNeeded; 0 where that cannot be told.
//
// HPE: "2 of 2" on a healthy 1+1 pair: it counts what is needed to be redundant (recordings hpe-dl325, hpe-dl360-gen10,
// hpe-dl380a; check_redfish issue 178). The DMTF's mockups and sushy's samples count what is needed to run (dmtf-public-tower:
// 1 of 2). Where a group says that it is redundant and well, and needs all its members, it cannot mean the latter (Dell
// R720, telegraf issue 9575: 2 of 2, N+m): of two members it needs one; of more nobody can tell.
func meantNeeded(n numbers) int {
	switch {
	case n.min <= 0 || n.members == 0:
		return 0
	case n.exact:
		return min(n.min, max(n.members, n.max))
	case n.vendor == hpe:
		return max(1, n.min-1)
	case n.min < n.members:
		return n.min
	case n.full || n.vendor == dell || spares(n.mode):
		if n.members <= 2 {
			return 1
		}
		return 0
	}
	return min(n.min, max(n.members, n.max))
}

// spares reports whether a group's mode says that it has members to spare: one that does cannot need them all, nor need
// more when one of them has failed.
func spares(mode string) bool {
	switch strings.ToLower(strings.NewReplacer(" ", "", "-", "", "_", "").Replace(mode)) {
	case "n+m", "nplusm", "n+1", "failover", "sparing", "sharing":
		return true
	}
	return false
}

// meantDesigned is how many members the group has when whole. A group that is not whole may have dropped some from its
// list; then MaxNumSupported counts, but not a Dell's, which is a constant (R720, telegraf issue 9575: 4 in a server
// with two bays).
func meantDesigned(most, members int, state snapshot.ClaimState, m vendor) int {
	switch state {
	case snapshot.ClaimDegraded, snapshot.ClaimLost, snapshot.ClaimInsuff:
		if m != dell && most > members && most <= 2*max(members, 1) {
			return most
		}
	}
	return members
}

// bayNumber finds a supply's or a drive's bay where vendors keep it: HPE in Oem.Hpe.BayNumber (hpe-dl325), Lenovo in
// Oem.Lenovo.Location.Info (lenovo-sr670v2), others in SlotNumber.
func bayNumber(body value) string {
	oem := body.get("Oem")
	for _, v := range oem.each() {
		for _, name := range []string{"BayNumber", "SlotNumber"} {
			if n, ok := v.get(name).num(); ok && n >= 0 && n < 1000 {
				return v.get(name).str()
			}
		}
		if s := v.at("Location", "Info").str(); s != "" {
			return s
		}
	}
	return ""
}

// emptyBay reports whether a supply's entry is that of an empty bay: iLO 4 lists one with the firmware version "0.00" and
// a status that says nothing (idrac_exporter issue 116).
func (b *builder) emptyBay(v view) bool {
	return b.vendor == hpe && v.body.get("FirmwareVersion").raw() == "0.00" && v.serial == "" && num(v.body.get("LastPowerOutputWatts")).v == 0
}

// supplyQuirks notes what vendors say of a supply beside the standard's properties.
func supplyQuirks(p *part, s *supply) {
	for _, v := range s.views {
		oem := v.body.get("Oem")
		for _, name := range []string{"Hpe", "Hp"} { // recording hpe-dl325
			o := oem.get(name)
			if is, known := o.get("HotplugCapable").boolean(); known && p.HotSwap == nil {
				p.HotSwap = &is
			}
			if is, _ := o.get("Mismatched").boolean(); is {
				p.set("mismatched", "true")
			}
			p.set("domain", o.get("Domain").str()) // hpe-dl380a: two groups of two, "System" and "GPU"
		}
		p.alias(oem.at("Dell", "DellPowerSupply", "Id").str()) // dell-r750: "PSU.Slot.1" beside a MemberId of 0
	}
}

// oemPower reads a supply's numbers where vendors keep them (Huawei: Oem.Huawei.PowerInputWatts; idrac_exporter issues 121, 173).
func oemPower(body value) (input, output value64) {
	for _, o := range body.get("Oem").each() {
		input = input.or(num(o.get("PowerInputWatts")))
		output = output.or(num(o.get("PowerOutputWatts")))
	}
	return input, output
}

// vendorTotal is what a machine draws in W where vendors keep it beside an empty PowerControl: Inspur (idrac_exporter issue 173:
// Oem.Public.TotalPower), Fujitsu iRMC (issue 121: Oem.ts_fujitsu.ChassisPowerConsumption).
func vendorTotal(power value) value64 {
	return num(vendorSays(power, "TotalPower")).or(num(vendorSays(power, "ChassisPowerConsumption").get("CurrentPowerConsumptionW")))
}

// vendorGauges are what vendors measure of supplies outside of them: Fujitsu iRMC in Oem.ts_fujitsu.ChassisPowerSensors, by
// the supply's name ("PSU1 Power"; idrac_exporter issue 121).
func vendorGauges(power value) []gauge {
	var out []gauge
	for _, s := range vendorSays(power, "ChassisPowerSensors").items() {
		name := s.get("Designation").str()
		if m := supplySensor.FindStringSubmatch(name); m != nil && strings.EqualFold(m[2], "power") {
			out = append(out, gauge{supply: m[1], name: name, unit: "W", in: true, value: num(s.get("CurrentPowerConsumptionW")), words: status(s.get("LegacyStatus"))})
		}
	}
	return out
}

// oemSupply reads the vendors' own words for a supply's state.
func oemSupply(body value) (component.Status, string) {
	oem := body.get("Oem")
	for _, word := range []value{
		oem.at("Hpe", "PowerSupplyStatus", "State"), oem.at("Hp", "PowerSupplyStatus", "State"), // hpe-dl325: "Ok"
		oem.at("Dell", "DellPowerSupplyView", "DetailedState"), // dell-r750: "Presence Detected"
		vendorSays(body, "ActiveStandby"),                      // Huawei: "Active", "Standby"
	} {
		if st, ok := supplyWord(word.str()); ok {
			return st, "the vendor's own state is " + word.str()
		}
	}
	return component.Status{Condition: component.OK}, ""
}

// supplyWord sorts a vendor's word for a supply's state. ok is false where it says nothing that changes the picture. The
// words are those of HPE's PowerSupplyStatus (CPQHLTH-MIB cpqHeFltTolPowerSupplyStatus has the same: noPowerInput, brownOut,
// giveupOnStartup ...) and of Dell's DetailedState, which joins IPMI's (table 42-3, sensor type 08h).
func supplyWord(word string) (st component.Status, ok bool) {
	w := strings.NewReplacer(" ", "", "-", "", "_", "", "/", "").Replace(strings.ToLower(word))
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(w, p) {
				return true
			}
		}
		return false
	}
	switch {
	case w == "", w == "ok", has("unknown"), w == "noerror", w == "active":
		return st, false
	case has("nopowerinput", "inputlost", "aclost", "dclost", "lossofinput", "lostinput", "noinput", "powersupplylost"):
		return component.Status{Condition: component.OK, InputLost: true}, true
	case has("predict"):
		return component.Status{Condition: component.Impaired, Predicted: true}, true
	case has("brownout", "outofrange", "mismatch", "configurationerror", "degraded", "warning"):
		return component.Status{Condition: component.Impaired}, true
	case has("fail", "fault", "giveup", "invalid"):
		return component.Status{Condition: component.Failed}, true
	case has("standby", "inactive", "sleep"):
		return component.Status{Condition: component.OK, Standby: true}, true
	}
	return st, false
}

// groupByName finds the members of a Dell's group that lists none: "System Board Fan Redundancy" is of those whose name
// begins with "System Board Fan" (recordings dell-r640-telegraf, dell-r750).
func (b *builder) groupByName(kind component.Kind, scope, name string) []*part {
	stem, ok := strings.CutSuffix(strings.ToLower(name), " redundancy")
	if b.vendor != dell || !ok || stem == "" {
		return nil
	}
	var out []*part
	for _, p := range b.parts {
		if p.Kind != kind || p.scope != scope {
			continue
		}
		for _, n := range append([]string{p.Name, p.Attributes[component.Location]}, p.Aliases...) {
			if strings.HasPrefix(strings.ToLower(n), stem) {
				out = append(out, p)
				break
			}
		}
	}
	return out
}

// oemClaims reads what vendors say of redundancy outside the standard's objects.
func (b *builder) oemClaims() {
	b.dellSupplies()
	b.hpeAggregate()
}

// dellSupplies reads the group that each of a Dell's supplies says it is in (DellPowerSupplyView: RedMinNumberNeeded,
// RedTypeOfSet, RedundancyStatus), where Redfish's own list is empty (recording dell-r750).
func (b *builder) dellSupplies() {
	if b.vendor != dell || b.claims.has(component.PSU) {
		return
	}
	var c *claim
	for _, p := range b.parts {
		if p.Kind != component.PSU {
			continue
		}
		for _, at := range p.paths {
			path, inner, _ := strings.Cut(at, "#")
			body := b.t.at(path)
			if i := strings.LastIndexByte(inner, '/'); inner != "" && i >= 0 {
				body = body.get(inner[:i]).index(inner[i+1:])
			}
			o := body.at("Oem", "Dell", "DellPowerSupplyView")
			if !o.get("RedTypeOfSet").present() || b.unread(path) != "" {
				continue
			}
			if c == nil {
				needed, _ := o.get("RedMinNumberNeeded").num()
				c = &claim{kind: component.PSU, form: "DellPowerSupplyView", link: at, needed: whole(needed), raw: map[string]string{
					"source": at, "RedTypeOfSet": o.get("RedTypeOfSet").rawOrList(),
					"RedMinNumberNeeded": o.get("RedMinNumberNeeded").raw(), "RedundancyStatus": o.get("RedundancyStatus").raw(),
				}}
				c.state = wordClaim(o.get("RedundancyStatus").str())
				if c.state == snapshot.ClaimNone {
					c.why = "each supply says which group it is in, and nothing of the group's state"
				}
			}
			c.add(p)
		}
	}
	if c == nil || len(c.members) < 2 || c.needed >= len(c.members) {
		return
	}
	c.designed = len(c.members)
	b.claims = append(b.claims, c)
}

// hpeAggregate reads AggregateHealthStatus.PowerSupplyRedundancy and FanRedundancy of an HPE system (recordings hpe-dl325,
// hpe-dl380a, hpe-xl675d), where no standard object speaks of the same parts.
func (b *builder) hpeAggregate() {
	if len(b.systems) != 1 {
		return
	}
	sys := b.systems[0]
	for _, name := range []string{"Hpe", "Hp"} {
		o := sys.body.at("Oem", name, "AggregateHealthStatus")
		for _, of := range []struct {
			kind  component.Kind
			field string
		}{{component.PSU, "PowerSupplyRedundancy"}, {component.Fan, "FanRedundancy"}} {
			kind, field := of.kind, of.field
			word := o.get(field).str()
			if word == "" || b.claims.has(kind) || b.unread(sys.path) != "" {
				continue
			}
			c := &claim{kind: kind, form: "AggregateHealthStatus", link: sys.path, state: wordClaim(word), raw: map[string]string{"source": sys.path, field: word}}
			for _, p := range b.parts {
				if p.Kind == kind && p.Condition != component.Absent && p.scope == b.mainPath {
					c.add(p)
				}
			}
			if len(c.members) < 2 {
				continue
			}
			c.designed = len(c.members)
			if c.state == snapshot.ClaimNone {
				c.why = "says " + word
			}
			b.claims = append(b.claims, c)
		}
	}
}

// wordClaim sorts the vendors' words for a group's state.
func wordClaim(word string) snapshot.ClaimState {
	w := strings.ReplaceAll(strings.ToLower(word), " ", "")
	switch {
	case w == "", strings.Contains(w, "unknown"), strings.Contains(w, "notapplicable"):
		return snapshot.ClaimNone
	case strings.Contains(w, "nonredundant"), strings.Contains(w, "notredundant"), w == "none", w == "disabled":
		return snapshot.ClaimNotRedun
	case strings.Contains(w, "lost"), strings.Contains(w, "fail"), w == "offline":
		return snapshot.ClaimLost
	case strings.Contains(w, "degraded"):
		return snapshot.ClaimDegraded
	case strings.Contains(w, "insufficient"):
		return snapshot.ClaimInsuff
	case strings.Contains(w, "redundant"), w == "full", w == "ok":
		return snapshot.ClaimFull
	}
	return snapshot.ClaimNone
}

// cacheBatteries reads what holds up the write caches of RAID controllers where vendors keep it: HPE on the chassis
// (recording hpe-dl380a: SmartStorageBattery).
func (b *builder) cacheBatteries(c *chassis) {
	for _, name := range []string{"Hpe", "Hp"} {
		for _, body := range b.t.at(c.path).at("Oem", name, "SmartStorageBattery").items() {
			n := body.get("Index").str()
			p := b.newPart(component.Battery, c.path+"#/Oem/"+name+"/SmartStorageBattery/"+n, body)
			p.named(c.path, b.prefix(c.path)+"cache-", n)
			p.Name = body.get("ProductName").str()
			p.set("role", "holds the write cache up")
			p.Status, p.Why = judge(status(body.get("Status")))
			charge := num(body.get("ChargeLevelPercent")).sane(100)
			p.read("charge", "%", "", charge.v, charge.ok)
			b.freshen(p, c.path)
		}
	}
}

// controllerBattery reads the battery that a controller's own resource tells of: Dell in the Storage resource
// (Oem.Dell.DellControllerBattery: PrimaryStatus, RAIDState), Huawei in the controller (CapacitanceStatus, recording
// huawei-2288h-v5), HPE's array controllers as BackupPowerSourceStatus (hpe-xl675d: "NotPresent").
func (b *builder) controllerBattery(controller *part, storage, body value, at string) {
	if o := storage.at("Oem", "Dell", "DellControllerBattery"); o.kind == object {
		b.cacheBattery(controller, at, o.get("Name").str(), words{
			health: strings.ToLower(o.get("PrimaryStatus").str()), state: strings.ToLower(o.get("RAIDState").str()),
			said: "PrimaryStatus " + o.get("PrimaryStatus").raw() + ", RAIDState " + o.get("RAIDState").raw(), spoke: true,
		})
	}
	if o := vendorSays(body, "CapacitanceStatus"); o.kind == object {
		b.cacheBattery(controller, at, vendorSays(body, "CapacitanceName").str(), status(o))
	}
	if w := body.get("BackupPowerSourceStatus").str(); w != "" {
		b.cacheBattery(controller, at, "", backupPower(w))
	}
}

func backupPower(w string) words {
	said := words{said: "BackupPowerSourceStatus " + w, spoke: true}
	switch strings.ToLower(w) {
	case "notpresent":
		said.state = "absent"
	case "present", "presentandcharged":
		said.state, said.health = "enabled", "ok"
	case "presentandcharging":
		said.state, said.health = "enabled", "warning"
	default:
		said.state = strings.ToLower(w)
	}
	return said
}

func (b *builder) cacheBattery(controller *part, at, name string, w words) {
	p := b.newPart(component.Battery, at+"#/CacheBattery", value{})
	p.scope = controller.scope
	for _, n := range controller.names {
		p.names = append(p.names, "cache-"+n)
	}
	p.Name = name
	if name == "" {
		p.Name = "cache battery of " + controller.Name
	}
	p.set("role", "holds the write cache up")
	p.Status, p.Why = judge(w)
	b.freshen(p, at)
}

// driveQuirks reads what vendors say of a drive beside the standard's properties. It returns the joined state.
func driveQuirks(body value, st component.Status, why string) (component.Status, string) {
	// Huawei (recording huawei-2288h-v5): RebuildState.
	if s := strings.ToLower(vendorSays(body, "RebuildState").str()); s != "" && s != "doneornotrebuilt" {
		st.Rebuilding, why = true, join(why, "RebuildState "+vendorSays(body, "RebuildState").str())
	}
	// Dell (Oem.Dell.DellPhysicalDisk, since iDRAC 9 7.x DellDrive, or DellPCIeSSD): PredictiveFailureState.
	if s := vendorSays(body, "PredictiveFailureState"); strings.Contains(strings.ToLower(s.str()), "smartalertpresent") {
		st.Predicted, why = true, join(why, "PredictiveFailureState "+s.str())
	}
	// The RAID firmware's word: Huawei's FirmwareStatus, Dell's RaidStatus, Cisco's DriveState, Lenovo's DriveStatus.
	for _, o := range sections(body) {
		st, why = firmwareState(o.first("FirmwareStatus", "RaidStatus", "DriveState", "DriveStatus").str(), st, why)
	}
	// HPE (recording hpe-xl675d: DiskDriveUse "Data", DiskDriveStatusReasons ["NonAuthenticDrive"]).
	if use := body.get("DiskDriveUse").str(); strings.Contains(strings.ToLower(use), "spare") && st.Condition == component.OK {
		st.Standby, why = true, join(why, "DiskDriveUse "+use)
	}
	for _, r := range body.get("DiskDriveStatusReasons").items() {
		switch w := strings.ToLower(r.str()); {
		case strings.Contains(w, "predict"), strings.Contains(w, "wearout"):
			st.Predicted, why = true, join(why, "DiskDriveStatusReasons "+r.str())
		case strings.Contains(w, "rebuild"), strings.Contains(w, "recover"):
			st.Rebuilding, why = true, join(why, "DiskDriveStatusReasons "+r.str())
		case w != "" && st.Condition != component.OK:
			why = join(why, "DiskDriveStatusReasons "+r.str())
		}
	}
	return st, why
}

// spareUse is the kind of hot spare that a drive is, where the vendor has a word of its own for it.
func spareUse(drive value) string {
	use := strings.ToLower(drive.get("DiskDriveUse").str() + " " + vendorSays(drive, "FirmwareStatus", "DriveState", "DriveStatus").str())
	switch {
	case !strings.Contains(use, "spare"):
		return ""
	case strings.Contains(use, "dedicated"), len(vendorSays(drive, "SpareforLogicalDrives").items()) > 0:
		return "dedicated"
	}
	return "global"
}

// rebuildProgress is how far a drive's rebuild has come in %, where the vendor keeps it (recording huawei-2288h-v5: RebuildProgress).
func rebuildProgress(drive value) value64 {
	return num(vendorSays(drive, "RebuildProgress")).sane(100)
}

// firmwareState sorts the words of RAID firmware for a drive's state.
func firmwareState(word string, st component.Status, why string) (component.Status, string) {
	switch strings.ToLower(strings.ReplaceAll(word, " ", "")) {
	case "rebuild", "rebuilding", "copyback":
		st.Rebuilding, why = true, join(why, "the controller says "+word)
	case "failed", "unconfiguredbad", "offline", "missing":
		st.Condition, why = component.Worse(st.Condition, component.Failed), join(why, "the controller says "+word)
	case "hotspare", "spare", "globalspare", "dedicatedspare", "globalhotspare", "dedicatedhotspare":
		st.Standby, why = true, join(why, "the controller says "+word)
	case "predictivefailure", "predictedfailure":
		st.Predicted, why = true, join(why, "the controller says "+word)
	case "foreign":
		why = join(why, "the controller says Foreign: it holds another array's data")
	}
	return st, why
}

// volumeLevel finds the RAID level where vendors keep it: Huawei in Oem.Huawei.VolumeRaidLevel (huawei-2288h-v5); Cisco
// and others in Oem.*.RaidLevel.
func volumeLevel(body value) string {
	return vendorSays(body, "VolumeRaidLevel", "RaidLevel", "RAIDLevel").str()
}

// sections are the objects of a resource's Oem section: each vendor's, and those within it (Dell: Oem.Dell.DellDrive). A
// name that one vendor has coined is read in all of them: firmware is sold on under other names (Huawei's iBMC as xFusion's,
// AMI's with sections of its customers).
func sections(body value) []value {
	var out []value
	for _, vendor := range body.get("Oem").each() {
		if vendor.kind != object {
			continue
		}
		out = append(out, vendor)
		for _, inner := range vendor.each() {
			if inner.kind == object {
				out = append(out, inner)
			}
		}
	}
	return out
}

// vendorSays is the first of the named fields in any of the Oem sections.
func vendorSays(body value, names ...string) value {
	for _, o := range sections(body) {
		if v := o.first(names...); v.present() {
			return v
		}
	}
	return value{}
}

// spanDrives are the drives of a volume where vendors list them by span: Huawei in Oem (recording huawei-2288h-v5: Spans,
// Drives), Cisco's CIMC 4.1 in Links.Oem (UCS C240 M5: Spans, DrivesList, and no Links.Drives).
func spanDrives(body value) []string {
	var out []string
	for _, from := range []value{body, body.get("Links")} {
		for _, o := range sections(from) {
			for _, span := range o.get("Spans").items() {
				for _, l := range span.first("Drives", "DrivesList").items() {
					out = appendNew(out, normal(l.link()))
				}
			}
		}
	}
	return out
}

// volumeQuirks reads what vendors say of a volume: how many drives may still fail (Dell), its state where there is no
// Status (Cisco: Oem.*.VolumeState "Optimal"; check_redfish).
func volumeQuirks(body value) (remaining int, known bool, st words) {
	for _, o := range sections(body) { // Dell: DellVirtualDisk, since iDRAC 9 7.x DellVolume
		if n, ok := o.get("RemainingRedundancy").num(); ok && n >= 0 && n < 10 {
			remaining, known = int(n), true
		}
		if s := o.first("VolumeState", "RaidStatus").str(); s != "" {
			st = words{health: strings.ToLower(s), said: s, spoke: true}
		}
	}
	return remaining, known, st
}

// portTeam is the team that a port is in, as HPE's agents on the host tell it (recording hpe-dl325: Oem.Hpe.Team "bond0").
func portTeam(body value) string {
	for _, name := range []string{"Hpe", "Hp"} {
		if s := body.at("Oem", name, "Team").str(); s != "" {
			return s
		}
	}
	return ""
}
