package redfish

import (
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
