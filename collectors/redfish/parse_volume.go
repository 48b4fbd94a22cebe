package redfish

import (
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

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
