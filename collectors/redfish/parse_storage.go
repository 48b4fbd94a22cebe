package redfish

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// subsystem is one Storage resource, or one array controller of a vendor's own tree, with what belongs to it.
type subsystem struct {
	path        string
	body        value
	host        *part
	prefix      string // of its parts' ids, where the service has several systems
	controllers []*part
	parts       []*part // controllers, drives and volumes
}

// storage reads controllers, drives and volumes of every system, of the service itself, and the drives that only a
// chassis lists.
func (b *builder) storage() {
	done := map[string]bool{}
	visit := func(host *part, prefix string, links ...string) {
		for _, at := range links {
			if at = normal(at); at != "" && !done[at] {
				done[at] = true
				b.subsystem(host, prefix, at)
			}
		}
	}
	for _, s := range b.systems {
		had, prefix := len(b.parts), b.systemPrefix(s)
		visit(s.part, prefix, b.t.members(s.body.get("Storage").link())...)
		visit(s.part, prefix, b.t.members(s.body.get("Storages").link())...) // Huawei iBMC, Inspur: recording huawei-2288h-v5
		b.arrays(s)
		if !b.anyDrive(had) {
			b.simpleStorage(s, prefix)
		}
	}
	visit(b.main, "", b.t.members(b.t.at(rootPath).get("Storage").link())...)
	for _, c := range b.chassis {
		for _, l := range c.body.at("Links", "Storage").items() {
			if b.readable(normal(l.link())) {
				visit(b.holderOrMain(c), "", l.link())
			}
		}
	}
	for _, block := range b.t.members(b.t.at(rootPath).get("ResourceBlocks").link()) {
		body := b.t.at(block)
		for _, l := range body.get("Storage").items() {
			visit(b.main, "", l.link())
		}
		for _, l := range body.get("Drives").items() {
			if at := normal(l.link()); at != "" {
				b.drive(&subsystem{path: block}, at)
			}
		}
	}
	for _, c := range b.chassis {
		b.chassisDrives(c)
	}
}

// systemPrefix stands before the ids of what belongs to one of several systems.
func (b *builder) systemPrefix(s *system) string {
	if len(b.systems) < 2 {
		return ""
	}
	return safe(lastSegment(s.path)) + "/"
}

func (b *builder) holderOrMain(c *chassis) *part {
	if p := b.holder(c.path); p != nil {
		return p
	}
	return b.main
}

func (b *builder) anyDrive(from int) bool {
	for _, p := range b.parts[from:] {
		if p.Kind == component.Drive {
			return true
		}
	}
	return false
}

func (b *builder) subsystem(host *part, prefix, at string) {
	s := &subsystem{path: at, body: b.t.at(at), host: host, prefix: prefix}
	if why := b.unread(at); why != "" && s.body.kind != object {
		return
	}
	b.controllersOf(s)
	listed := s.body.get("Drives").items()
	if l := s.body.get("Drives").link(); l != "" && len(b.t.members(l)) > 0 { // a collection where an array was meant
		listed = b.t.at(l).get("Members").items()
	}
	seen := map[string]bool{}
	for _, d := range listed {
		if p := normal(d.link()); p != "" && !seen[p] {
			seen[p] = true
			b.drive(s, p)
		}
	}
	volumes := b.t.members(s.body.get("Volumes").link())
	for _, d := range listed {
		for _, l := range b.t.at(d.link()).at("Links", "Volumes").items() {
			if v := normal(l.link()); v != "" && belongsTo(v, at) && b.readable(v) {
				volumes = appendNew(volumes, v)
			}
		}
	}
	b.pools(s, volumes)
	for _, v := range volumes {
		if owner, _, ok := strings.Cut(v, "/Volumes/"); ok && owner != at && b.readable(owner) {
			continue // a link to another subsystem's volumes (recording dmtf-public-tower)
		}
		b.volume(s, v)
	}
	b.rolledUp(s)
	for _, c := range b.redundancies(component.Controller, "Storage", at, s.body.get("Redundancy"), func(int, value, int) []*part { return s.controllers }) {
		c.carries, c.local = nil, "controller-"+safe(lastSegment(at))
		if why := b.unread(at); why != "" {
			c.state, c.why = snapshot.ClaimNone, why
		}
		if len(c.members) > 1 {
			b.claims = append(b.claims, c)
		}
	}
}

// rolledUp believes a subsystem that says it is not well where none of its parts says why: then it is the controller
// (Dell BOSS: every part OK, HealthRollup Warning; sapcc redfish-exporter pull request 5).
func (b *builder) rolledUp(s *subsystem) {
	w := status(s.body.get("Status"))
	worst := max(healthOf(w.health), healthOf(w.rollup))
	if worst < healthWarning || len(s.controllers) == 0 || b.unread(s.path) != "" {
		return
	}
	for _, p := range append(s.parts, s.controllers...) {
		if p.Condition != component.OK || p.Predicted {
			return
		}
	}
	c := s.controllers[0]
	c.Condition, c.Why = component.Impaired, join(c.Why, "its subsystem "+w.saidAll()+", and no part of it says why")
}

// controllersOf reads a subsystem's controllers: resources of their own, and the older list inside Storage. They are
// the same ones told twice where their names or their number agree.
func (b *builder) controllersOf(s *subsystem) {
	for _, at := range b.t.members(s.body.get("Controllers").link()) {
		body := b.t.at(at)
		p := b.newPart(component.Controller, at, body)
		p.scope, p.names = s.path, controllerNames(s, at, body, b.label(body))
		p.Status, p.Why = judge(status(body.get("Status")))
		b.controllerBattery(p, s.body, body, at)
		b.cache(p, body)
		b.freshen(p, at)
		s.controllers = append(s.controllers, p)
	}
	inside := s.body.get("StorageControllers").items()
	newer := s.controllers
	for i, body := range inside {
		if len(body.names()) <= 1 {
			continue // only a link
		}
		at := body.link()
		if at == "" {
			at = s.path + "#/StorageControllers/" + itoa(i)
		}
		st, why := judge(status(body.get("Status")))
		if len(newer) == len(inside) {
			p := newer[i]
			b.cite(p, at, body)
			if b.unread(s.path) == "" && p.Condition != component.Unknown {
				p.Status, p.Why = worse(p.Status, st), join(p.Why, why)
			}
			continue
		}
		p := b.newPart(component.Controller, at, body)
		p.scope, p.names = s.path, controllerNames(s, at, body, b.label(body))
		p.Status, p.Why = st, why
		b.controllerBattery(p, s.body, body, at)
		b.cache(p, body)
		b.freshen(p, s.path)
		s.controllers = append(s.controllers, p)
	}
	for _, c := range s.controllers {
		if m := c.Attributes[component.Model]; m != "" && (c.Name == "" || bare.MatchString(c.Name)) {
			c.Name = m
		}
	}
}

// controllerNames are the names by which people know a controller: its slot where a label says one, else the
// subsystem's id ("RAID.Integrated.1-1"), since a controller's own number starts anew in each.
func controllerNames(s *subsystem, at string, body value, label string) []string {
	sub := s.prefix + safe(lastSegment(s.path))
	own := safe(lastSegmentInner(at))
	var names []string
	if n := printed(strings.ReplaceAll(label, "=", " ")); n != "" {
		names = append(names, s.prefix+n)
	}
	if s.prefix+own == sub {
		return appendNew(names, sub)
	}
	names = appendNew(names, sub, sub+"/"+own)
	if id := safe(body.get("MemberId").str()); id != "" {
		names = appendNew(names, sub+"/"+id)
	}
	return names
}

// cache notes the state of a controller's cache.
func (b *builder) cache(p *part, body value) {
	w := status(body.at("CacheSummary", "Status"))
	if !w.spoke || w.presence() == gone || w.presence() == off {
		return
	}
	p.set("cache", w.said)
	if st, why := judge(w); p.Condition == component.OK && (st.Condition == component.Failed || st.Condition == component.Impaired) {
		p.Condition, p.Why = component.Impaired, "its cache "+why
	}
}

// drive reads one drive, which other resources may have shown already.
func (b *builder) drive(s *subsystem, at string) *part {
	if p := b.byPath[at]; p != nil {
		if p.Kind == component.Drive {
			b.own(s, p)
		}
		return p
	}
	body := b.t.at(at)
	serial := realSerial(body.get("SerialNumber").str())
	if serial != "" {
		for _, p := range b.parts {
			if p.Kind == component.Drive && p.serial == serial && p.Attributes[component.Model] == shorten(body.get("Model").str(), 200) {
				b.joinDrive(p, at, body)
				b.own(s, p)
				return p
			}
		}
	}
	p := b.newPart(component.Drive, at, body)
	scope := s.path
	if scope == "" {
		scope = at[:strings.LastIndexByte(at, '/')]
	}
	p.named(scope, s.prefix, bayNumber(body), b.label(body), lastSegment(at), body.get("Name").str())
	p.Status, p.Why = b.judgeDrive(body)
	if !b.freshen(p, at) && p.Name == "" {
		p.Name = lastSegment(at)
	}
	b.readDrive(p, body)
	b.own(s, p)
	return p
}

func (b *builder) own(s *subsystem, p *part) {
	s.parts = append(s.parts, p)
	for _, c := range s.controllers {
		b.links = append(b.links, edge{c, p, component.Carries})
	}
}

// joinDrive adds what a second resource says of a drive.
func (b *builder) joinDrive(p *part, at string, body value) {
	b.cite(p, at, body)
	if b.unread(at) != "" {
		return
	}
	st, why := b.judgeDrive(body)
	p.Status, p.Why = worse(p.Status, st), join(p.Why, why)
	b.readDrive(p, body)
}

// judgeDrive decides a drive's condition from its Status, its StatusIndicator (SES-2), its prediction and its spare's role.
func (b *builder) judgeDrive(body value) (component.Status, string) {
	st, why := judge(status(body.get("Status")))
	if st.Condition == component.Absent {
		return st, why
	}
	switch indicator := strings.ToLower(body.get("StatusIndicator").str()); indicator {
	case "fail":
		st.Condition, why = component.Worse(st.Condition, component.Failed), join(why, "StatusIndicator Fail")
	case "rebuild":
		st.Rebuilding, why = true, join(why, "StatusIndicator Rebuild")
	case "predictivefailureanalysis":
		st.Predicted, why = true, join(why, "StatusIndicator PredictiveFailureAnalysis")
	case "hotspare":
		st.Standby, why = true, join(why, "StatusIndicator Hotspare")
	}
	if is, _ := body.get("FailurePredicted").boolean(); is {
		st.Predicted, why = true, join(why, "FailurePredicted")
	}
	switch strings.ToLower(body.get("HotspareType").raw()) {
	case "global", "chassis", "dedicated":
		// A spare that has stepped in says Enabled and belongs to a volume.
		if len(body.at("Links", "Volumes").items()) == 0 && st.Condition == component.OK {
			st.Standby, why = true, join(why, "hot spare, "+body.get("HotspareType").raw())
		}
	}
	for _, op := range body.get("Operations").items() {
		if strings.Contains(strings.ToLower(op.first("OperationName", "Operation").str()), "rebuild") {
			st.Rebuilding, why = true, join(why, operation(op))
		}
	}
	return driveQuirks(body, st, why)
}

func operation(op value) string {
	name := op.first("OperationName", "Operation").str()
	if n, ok := op.get("PercentageComplete").num(); ok {
		return fmt.Sprintf("%s is at %g %%", name, n)
	}
	return name + " is under way"
}

func (b *builder) readDrive(p *part, body value) {
	if p.Condition == component.Absent {
		return
	}
	if t := body.get("HotspareType").raw(); t != "" && !strings.EqualFold(t, "none") {
		p.set("hot_spare", strings.ToLower(t))
	}
	p.set("hot_spare", spareUse(body))
	for _, op := range body.get("Operations").items() {
		if n, ok := op.get("PercentageComplete").num(); ok && strings.Contains(strings.ToLower(op.first("OperationName", "Operation").str()), "rebuild") {
			p.read("rebuild_progress", "%", "", n, n >= 0 && n <= 100)
		}
	}
	progress := rebuildProgress(body)
	p.read("rebuild_progress", "%", "", progress.v, progress.ok && p.Rebuilding)
	p.set("media", body.get("MediaType").str())
	p.set("protocol", body.first("Protocol", "InterfaceType").str())
	if n, ok := body.get("CapacityBytes").num(); ok && n > 0 {
		p.set("capacity_bytes", strconv.FormatFloat(n, 'f', 0, 64))
	} else if n, ok := body.get("CapacityMiB").num(); ok && n > 0 {
		p.set("capacity_bytes", strconv.FormatFloat(n*1048576, 'f', 0, 64))
	}
	life := num(body.get("PredictedMediaLifeLeftPercent")).sane(100)
	p.read("life_left", "%", "", life.v, life.ok)
	used := num(body.get("SSDEnduranceUtilizationPercentage")).sane(100)
	p.read("life_left", "%", "", 100-used.v, used.ok)
	temp := num(body.get("CurrentTemperatureCelsius")).or(oemTemperature(body)).sane(150)
	p.read("temperature", "Cel", "", temp.v, temp.ok && temp.v > 0)
}

// raid levels, as DSP0268 names them (Volume.RAIDType), by how many drives may go of n, whichever they are. Of nested
// levels only what is sure whatever their layout.
func tolerance(level string, drives int) (lost int, known bool) {
	switch level {
	case "RAID0", "RAID00", "NONE", "JBOD":
		return 0, true
	case "RAID1", "RAID1TRIPLE":
		return max(0, drives-1), true
	case "RAID1E", "RAID10", "RAID01", "RAID10E", "RAID3", "RAID4", "RAID5", "RAID50":
		return 1, true
	case "RAID6", "RAID60", "RAID10TRIPLE":
		return 2, true
	case "RAID6TP":
		return 3, true
	}
	return 0, false
}

// level brings a volume's RAID level into the schema's form: "RAID5".
func level(body value) string {
	s := body.get("RAIDType").raw()
	if s == "" {
		s = volumeLevel(body)
	}
	if all := body.get("SupportedRAIDTypes").items(); s == "" && len(all) == 1 { // of a storage pool
		s = all[0].raw()
	}
	if s == "" {
		s = body.get("Raid").raw() // array controllers before Redfish: "5"
	}
	s = strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "_", "", "+", "").Replace(s))
	if s != "" && s[0] >= '0' && s[0] <= '9' {
		s = "RAID" + s
	}
	if s == "" && strings.EqualFold(body.get("VolumeType").str(), "RawDevice") {
		return "NONE"
	}
	if s == "" {
		switch body.get("VolumeType").str() { // deprecated in favour of RAIDType; one level each
		case "NonRedundant":
			return "RAID0"
		case "Mirrored":
			return "RAID1"
		}
	}
	return s
}

func (b *builder) volume(s *subsystem, at string) {
	if b.byPath[at] != nil { // another subsystem has shown it (recording dmtf-public-tower: two link to one collection)
		return
	}
	body := b.t.at(at)
	p := b.newPart(component.Volume, at, body)
	s.parts = append(s.parts, p)
	p.named(s.path, s.prefix, lastSegment(at), body.first("DisplayName", "Name").str())
	if d := body.get("DisplayName").str(); d != "" {
		p.Name = shorten(d, 200)
	}
	remaining, says, oem := volumeQuirks(body)
	w := status(body.get("Status"))
	if !w.spoke {
		w = oem
	}
	p.Status, p.Why = judge(w)
	members := b.volumeDrives(s, at, body)
	if len(members) == 0 {
		b.fromPools(s, p, body)
	}
	b.finishVolume(s, p, at, body, members, w)
	if says {
		p.read("drives_that_may_fail", "1", "", float64(remaining), true)
	}
}

// volumeDrives are the drives that make a volume: those that it names; else those that its vendor names in a place of
// its own; else those that name it. Its dedicated spares are noted on the way.
func (b *builder) volumeDrives(s *subsystem, at string, body value) []*part {
	var named []string
	for _, l := range body.at("Links", "Drives").items() {
		named = appendNew(named, normal(l.link()))
	}
	if len(named) == 0 {
		named = spanDrives(body)
	}
	if len(named) == 0 {
		named = b.namedBy(s, at)
	}
	var out []*part
	for _, d := range named {
		if p := b.drive(s, d); p != nil && p.Kind == component.Drive {
			out = append(out, p)
		}
	}
	for _, l := range body.at("Links", "DedicatedSpareDrives").items() {
		if d := normal(l.link()); d != "" {
			if p := b.drive(s, d); p != nil && p.Kind == component.Drive {
				p.set("hot_spare", "dedicated")
				if p.Condition == component.OK && !isIn(out, p) {
					p.Standby, p.Why = true, join(p.Why, "hot spare, dedicated to a volume")
				}
			}
		}
	}
	spareConsumed(out)
	return out
}

// pools reads the storage pools of a subsystem whose drives stand behind its volumes without being named by them (SNIA
// Swordfish; Seagate Exos X and Dell PowerVault ME: a disk group is a pool that lists its drives, and its one RAID level). A
// pool is a volume here: what drives make. Where the volumes name the same drives themselves, pools say nothing new.
func (b *builder) pools(s *subsystem, volumes []string) {
	named := map[*part]bool{}
	for _, v := range volumes {
		body := b.t.at(v)
		for _, l := range body.at("Links", "Drives").items() {
			named[b.byPath[normal(l.link())]] = true
		}
		for _, d := range spanDrives(body) {
			named[b.byPath[d]] = true
		}
	}
	for _, at := range b.t.members(s.body.get("StoragePools").link()) {
		body := b.t.at(at)
		var members []*part
		for _, source := range body.get("CapacitySources").items() {
			for _, l := range listed(source.get("ProvidingDrives")) {
				if p := b.poolDrive(s, l); p != nil {
					members = append(members, p)
				}
			}
		}
		news := false
		for _, m := range members {
			news = news || !named[m]
		}
		if !news || b.byPath[at] != nil {
			continue
		}
		p := b.newPart(component.Volume, at, body)
		p.scope, p.names = s.path, []string{s.prefix + "pool-" + safe(lastSegment(at)), s.prefix + safe(lastSegment(s.path)) + "/pool-" + safe(lastSegment(at))}
		p.set("type", "storage pool")
		w := status(body.get("Status"))
		p.Status, p.Why = judge(w)
		s.parts = append(s.parts, p)
		b.finishVolume(s, p, at, body, members, w)
	}
}

// listed are the links of an array, or of a collection that stands in place of a link to one.
func listed(v value) []value {
	if m := v.get("Members"); m.kind == array {
		return m.each()
	}
	return v.items()
}

// poolDrive finds the drive that a pool names: by its path, or, where that leads nowhere, by its last part among the
// subsystem's drives (Seagate: ".../controller_a/0.0" for ".../controller_a/Drives/0.0").
func (b *builder) poolDrive(s *subsystem, link value) *part {
	at := normal(link.link())
	if p := b.byPath[at]; at != "" && p != nil {
		return p
	}
	var hit *part
	for _, p := range s.parts {
		if p.Kind == component.Drive && lastSegment(p.paths[0]) == lastSegment(at) && at != "" {
			hit = p
		}
	}
	return hit
}

// fromPools links a volume to the pools that it lies in.
func (b *builder) fromPools(s *subsystem, p *part, body value) {
	for _, source := range body.get("CapacitySources").items() {
		for _, l := range listed(source.get("ProvidingPools")) {
			if pool := b.byPath[normal(l.link())]; pool != nil {
				b.links = append(b.links, edge{pool, p, component.Carries})
			}
		}
	}
}

// namedBy are the subsystem's drives that say that they are the volume's.
func (b *builder) namedBy(s *subsystem, at string) []string {
	var out []string
	for _, p := range s.parts {
		if p.Kind != component.Drive {
			continue
		}
		for _, path := range p.paths {
			for _, l := range b.t.at(path).at("Links", "Volumes").items() {
				if normal(l.link()) == at {
					out = appendNew(out, path)
				}
			}
		}
	}
	return out
}

func isIn(list []*part, p *part) bool {
	for _, q := range list {
		if p == q {
			return true
		}
	}
	return false
}

// spareConsumed notes hot spares among the drives that make a volume: they have stepped in for one that failed.
func spareConsumed(members []*part) {
	for _, p := range members {
		switch p.Attributes["hot_spare"] {
		case "global", "chassis", "dedicated":
			p.Standby = false
			p.set("hot_spare_in_use", "true")
			p.Why = join(p.Why, "a hot spare that has stepped in: the volume has used it up")
		}
	}
}

// finishVolume adds the level, what is under way, and the claim of the drives that make the volume.
func (b *builder) finishVolume(s *subsystem, p *part, at string, body value, members []*part, w words) {
	lvl := level(body)
	if lvl != "" && lvl != "NONE" {
		p.set(component.RAIDLevel, lvl)
	} else if lvl == "NONE" {
		p.set(component.RAIDLevel, "none")
	}
	for _, op := range body.get("Operations").items() {
		name := strings.ToLower(op.first("OperationName", "Operation").str())
		if name == "" {
			continue
		}
		p.Why = join(p.Why, operation(op))
		if n, ok := op.get("PercentageComplete").num(); ok && strings.Contains(name, "rebuild") {
			p.read("rebuild_progress", "%", "", n, n >= 0 && n <= 100)
		}
		if strings.Contains(name, "rebuild") && p.Condition == component.OK {
			p.Condition = component.Impaired
		}
	}
	readable := b.freshen(p, at)
	for _, c := range s.controllers {
		b.links = append(b.links, edge{c, p, component.Carries})
	}
	if len(members) == 0 {
		return
	}
	if len(members) == 1 && (lvl == "" || lvl == "NONE") { // a drive of its own, not an array of one
		b.links = append(b.links, edge{members[0], p, component.Carries})
		return
	}
	c := &claim{
		kind: component.Drive, form: "Volume", link: at, members: nil, carries: p,
		raw: map[string]string{"source": at, "RAIDType": body.get("RAIDType").raw(), "State": body.at("Status", "State").raw(), "Health": body.at("Status", "Health").raw()},
	}
	if c.raw["RAIDType"] == "" {
		delete(c.raw, "RAIDType")
		if lvl != "" {
			c.raw["level"] = lvl
		}
	}
	for _, m := range members {
		c.add(m)
	}
	c.designed = len(c.members)
	lost, known := tolerance(lvl, len(c.members))
	if known {
		c.needed = max(1, len(c.members)-lost)
	} else {
		c.why = "the service does not say the volume's RAID level"
	}
	c.state = volumeState(p.Status, w, lost, known)
	if !readable {
		c.state, c.why = snapshot.ClaimNone, p.Why
	}
	c.localOf = p
	b.claims = append(b.claims, c)
}

// volumeState puts a volume's state into a claim's words: what is left of the redundancy that its level has.
func volumeState(st component.Status, w words, lost int, known bool) snapshot.ClaimState {
	switch {
	case st.Condition == component.Failed:
		return snapshot.ClaimInsuff
	case known && lost == 0:
		return snapshot.ClaimNotRedun
	case st.Condition == component.OK && known:
		return snapshot.ClaimFull
	case st.Condition == component.Impaired && w.own() != healthOK:
		if known && lost > 1 {
			return snapshot.ClaimDegraded
		}
		if known {
			return snapshot.ClaimLost
		}
		return snapshot.ClaimDegraded
	case st.Condition == component.Impaired && known: // rebuilding, and not called degraded
		return snapshot.ClaimDegraded
	}
	return snapshot.ClaimNone
}

// simpleStorage reads the drives of a system that shows no other (SimpleStorage.Devices have no resources of their own).
func (b *builder) simpleStorage(s *system, prefix string) {
	for _, at := range b.t.members(s.body.get("SimpleStorage").link()) {
		for i, d := range b.t.at(at).get("Devices").items() {
			link := at + "#/Devices/" + itoa(i)
			p := b.newPart(component.Drive, link, d)
			p.named(at, prefix, d.get("Name").str(), itoa(i))
			p.Status, p.Why = judge(status(d.get("Status")))
			b.freshen(p, at)
			b.readDrive(p, d)
		}
	}
}

// chassisDrives reads the drives that only a chassis lists: backplanes, JBODs.
func (b *builder) chassisDrives(c *chassis) {
	var listed []string
	listed = append(listed, b.t.members(c.body.get("Drives").link())...)
	for _, l := range c.body.at("Links", "Drives").items() {
		listed = appendNew(listed, normal(l.link()))
	}
	for _, at := range listed {
		if at == "" || b.byPath[at] != nil {
			continue
		}
		if b.sameDrive(c, at) {
			continue
		}
		b.drive(&subsystem{path: c.path}, at)
	}
}

// sameDrive joins a chassis's drive with the same one below a storage subsystem, where neither has a serial number but
// both have the same id and the same label (recording supermicro-gb300-nvl).
func (b *builder) sameDrive(c *chassis, at string) bool {
	body := b.t.at(at)
	id, label := lastSegment(at), b.label(body)
	var hit *part
	for _, p := range b.parts {
		if p.Kind != component.Drive || p.serial != "" && realSerial(body.get("SerialNumber").str()) != "" {
			continue
		}
		for _, path := range p.paths {
			if lastSegment(path) == id && p.Attributes[component.Location] == label && (label != "" || b.readable(at)) && !strings.HasPrefix(path, c.path+"/") {
				if hit != nil && hit != p {
					return false
				}
				hit = p
			}
		}
	}
	if hit == nil || label == "" {
		return false
	}
	b.joinDrive(hit, at, body)
	return true
}

// arrays reads the tree of array controllers that some BMCs keep beside Storage: the same controllers, drives and
// volumes, known by serial number and by number, with a state of their own.
func (b *builder) arrays(s *system) {
	for _, l := range vendorLinks(s.body) {
		if l.role == rArrays {
			links := b.t.at(l.link).first("Links", "links")
			for _, at := range b.t.members(links.get("ArrayControllers").link()) {
				if b.byPath[at] == nil {
					b.array(s, at)
				}
			}
		}
	}
}

func (b *builder) array(host *system, at string) {
	body := b.t.at(at)
	if body.kind != object {
		return
	}
	sub := &subsystem{path: at, body: body, host: host.part, prefix: b.systemPrefix(host)}
	p := b.twinController(body)
	if p != nil {
		b.cite(p, at, body)
		st, why := judge(status(body.get("Status")))
		if b.unread(at) == "" {
			p.Status, p.Why = worse(p.Status, st), join(p.Why, why)
		}
	} else {
		p = b.newPart(component.Controller, at, body)
		p.named(at, sub.prefix, body.get("Location").str(), lastSegment(at))
		p.Status, p.Why = judge(status(body.get("Status")))
		b.freshen(p, at)
	}
	if m := body.get("Model").str(); m != "" {
		p.Name = shorten(m, 200)
	}
	b.controllerBattery(p, value{}, body, at)
	sub.controllers = []*part{p}
	links := body.first("Links", "links")
	for _, d := range b.t.members(links.get("PhysicalDrives").link()) {
		b.drive(sub, d)
	}
	for _, v := range b.t.members(links.get("LogicalDrives").link()) {
		b.arrayVolume(sub, v)
	}
}

// twinController finds the controller of the Storage tree that an array controller is.
func (b *builder) twinController(body value) *part {
	serial := realSerial(body.get("SerialNumber").str())
	slot := printed(body.get("Location").str())
	for _, p := range b.parts {
		if p.Kind != component.Controller {
			continue
		}
		if serial != "" && p.serial == serial {
			return p
		}
		if serial == "" && slot != "" && len(p.names) > 0 && p.names[0] == slot && p.Attributes[component.Model] == body.get("Model").str() {
			return p
		}
	}
	return nil
}

func (b *builder) arrayVolume(s *subsystem, at string) {
	body := b.t.at(at)
	var members []*part
	for _, d := range b.t.members(body.first("Links", "links").get("DataDrives").link()) {
		if p := b.drive(s, d); p != nil {
			members = append(members, p)
		}
	}
	w := status(body.get("Status"))
	st, why := judge(w)
	if twin := b.twinVolume(s, body, members); twin != nil {
		b.cite(twin, at, body)
		if b.unread(at) == "" {
			twin.Status, twin.Why = worse(twin.Status, st), join(twin.Why, why)
			for _, c := range b.claims {
				if c.localOf == twin {
					lost, known := tolerance(level(body), len(c.members))
					c.state = volumeState(twin.Status, w, lost, known)
				}
			}
		}
		return
	}
	p := b.newPart(component.Volume, at, body)
	p.named(s.path, s.prefix, body.get("LogicalDriveNumber").str(), lastSegment(at), body.get("LogicalDriveName").str())
	if n := body.get("LogicalDriveName").str(); n != "" {
		p.Name = shorten(n, 200)
	}
	p.Status, p.Why = st, why
	for _, r := range body.get("LogicalDriveStatusReasons").items() {
		if s := r.str(); s != "" && !strings.EqualFold(s, "ok") {
			p.Why = join(p.Why, "LogicalDriveStatusReasons "+s)
		}
	}
	if n, ok := body.get("RebuildCompletionPercentage").num(); ok {
		p.read("rebuild_progress", "%", "", n, n >= 0 && n <= 100)
	}
	b.finishVolume(s, p, at, body, members, w)
}

// twinVolume finds the volume that consists of the same drives, or, without drives, has the same number and controller.
func (b *builder) twinVolume(s *subsystem, body value, members []*part) *part {
	for _, p := range b.parts {
		if p.Kind != component.Volume || len(p.names) == 0 || p.names[0] != body.get("LogicalDriveNumber").str() && p.names[0] != body.get("Id").str() {
			continue
		}
		for _, l := range b.links {
			if l.to != p || l.kind != component.Carries {
				continue
			}
			if len(s.controllers) > 0 && l.from == s.controllers[0] || len(members) == 1 && l.from == members[0] {
				return p
			}
		}
	}
	return nil
}
