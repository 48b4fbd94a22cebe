package redfish

import (
	"sort"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// This file finds out what stands in what: computer systems, chassis, enclosures and blades; which chassis is the main
// one; and what the groups of each chassis carry.

type chassis struct {
	path    string
	body    value
	up      string // the chassis that contains it
	same    string // the first chassis that shows the same serial number and model: itself, mostly
	systems []string
	part    *part // where the chassis is a component of its own: an enclosure or a blade
}

type system struct {
	path string
	body value
	part *part
}

// all returns the members of the named collections of the root, and the resources of that role that the way led to
// besides, in the order of their names: some services list them in another order each time.
func (b *builder) all(r role, collections ...string) []string {
	var out []string
	seen := map[string]bool{}
	for _, name := range collections {
		for _, p := range b.t.members(b.t.at(rootPath).get(name).link()) {
			if b.readable(p) && !seen[p] {
				seen[p] = true
				out = append(out, p)
			}
		}
	}
	for p, e := range b.t.entries {
		if e.role == r && !e.many && !seen[p] && b.readable(p) {
			out = append(out, p)
		}
	}
	sort.Slice(out, func(i, j int) bool { return natural(out[i], out[j]) })
	return out
}

// natural orders names as people do: "Node2" before "Node10".
func natural(a, b string) bool {
	for a != "" && b != "" {
		if isDigit(a[0]) && isDigit(b[0]) {
			na, ra := number10(a)
			nb, rb := number10(b)
			if na != nb {
				return len(na) < len(nb) || len(na) == len(nb) && na < nb
			}
			a, b = ra, rb
			continue
		}
		if a[0] != b[0] {
			return a[0] < b[0]
		}
		a, b = a[1:], b[1:]
	}
	return len(a) < len(b)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// number10 splits the digits at the head of s off, without leading zeros.
func number10(s string) (digits, rest string) {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return strings.TrimLeft(s[:i], "0"), s[i:]
}

// findSystems lists the computer systems, the main one first: the one that has what a host has.
func (b *builder) findSystems() {
	for _, p := range b.all(rSystem, "Systems", "StorageSystems") {
		if body := b.t.at(p); !strings.EqualFold(body.get("SystemType").str(), "Virtual") {
			b.systems = append(b.systems, &system{path: p, body: body})
		}
	}
	best, most := 0, -1
	for i, s := range b.systems {
		score := 0
		for _, l := range []string{"Bios", "Storage", "EthernetInterfaces", "SecureBoot", "HostName", "SimpleStorage"} {
			if s.body.get(l).present() {
				score++
			}
		}
		if score > most+1 { // a clear lead, so that equals keep the service's order
			best, most = i, score
		} else if most < 0 {
			most = score
		}
	}
	if best > 0 {
		m := b.systems[best]
		copy(b.systems[1:best+1], b.systems[:best])
		b.systems[0] = m
	}
}

func (b *builder) findChassis() {
	for _, p := range b.all(rChassis, "Chassis") {
		body := b.t.at(p)
		c := &chassis{path: p, body: body}
		for _, up := range body.at("Links", "ContainedBy").items() {
			if u := normal(up.link()); u != "" && u != p {
				c.up = u
			}
		}
		for _, s := range body.at("Links", "ComputerSystems").items() {
			c.systems = appendNew(c.systems, normal(s.link()))
		}
		b.chassis = append(b.chassis, c)
		b.byChass[p] = c
	}
	for _, c := range b.chassis { // what a chassis says that it contains, where the other end is silent
		for _, down := range c.body.at("Links", "Contains").items() {
			if d := b.byChass[normal(down.link())]; d != nil && d.up == "" && d != c {
				d.up = c.path
			}
		}
	}
	for _, s := range b.systems { // likewise for systems
		for _, l := range s.body.at("Links", "Chassis").items() {
			if c := b.byChass[normal(l.link())]; c != nil && len(c.systems) == 0 {
				c.systems = []string{s.path}
			}
		}
	}
	b.linkByName()
	b.cutLoops()
	first := map[string]string{}
	for _, c := range b.chassis {
		c.same = c.path
		if serial := realSerial(c.body.get("SerialNumber").str()); serial != "" {
			key := serial + "|" + c.body.get("Model").str() + "|" + c.body.get("ChassisType").str()
			if first[key] == "" {
				first[key] = c.path
			}
			c.same = first[key]
		} else if o := b.renamed(c); o != nil {
			c.same = o.same
		}
	}
	b.mainPath = b.same(b.mainChassis())
}

// renamed finds an earlier chassis that this one shows again under nearly its own name, where no serial number tells:
// "PowerShelf_0" and "powershelf", of one type, model and part number (Lite-On power shelf PF-1333, LambdaLabs
// redfish_exporter testdata/powershelf_liteon). Two that are both counted are two.
func (b *builder) renamed(c *chassis) *chassis {
	for _, o := range b.chassis {
		if o == c {
			return nil
		}
		alike := len(o.systems)+len(c.systems) == 0 && o.body.get("Model").str() != ""
		for _, f := range []string{"ChassisType", "Manufacturer", "Model", "PartNumber", "SerialNumber"} {
			alike = alike && o.body.get(f).raw() == c.body.get(f).raw()
		}
		mine, its := plainName(lastSegment(c.path)), plainName(lastSegment(o.path))
		counted := func(s string) string { return strings.TrimRight(s, "0123456789") }
		if alike && (mine == its || counted(mine) == its || mine == counted(its)) {
			return o
		}
	}
	return nil
}

// plainName is a name's letters and digits in lower case.
func plainName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

// linkByName joins systems and chassis of one name where neither says what it belongs to (recording hpe-cray-ex4252).
func (b *builder) linkByName() {
	for _, c := range b.chassis {
		if len(c.systems) > 0 {
			return
		}
	}
	for _, c := range b.chassis {
		for _, s := range b.systems {
			if lastSegment(s.path) == lastSegment(c.path) {
				c.systems = []string{s.path}
			}
		}
	}
}

// cutLoops makes the containment a forest, whatever the service says.
func (b *builder) cutLoops() {
	for _, c := range b.chassis {
		steps := 0
		for at := c; at != nil && at.up != ""; at = b.byChass[at.up] {
			if steps++; steps > len(b.chassis) {
				c.up = ""
				break
			}
		}
	}
}

// mainChassis is the one whose parts have plain ids: that of the only system, else the enclosure around all, else the
// first that has supplies or fans.
func (b *builder) mainChassis() string {
	if len(b.systems) == 1 {
		own := b.systems[0].path
		for _, c := range b.chassis {
			if len(c.systems) == 1 && c.systems[0] == own && (c.body.get("Power").present() || c.body.get("PowerSubsystem").present()) {
				return c.path
			}
		}
	}
	contains := map[string]int{}
	for _, c := range b.chassis {
		for at := c; at != nil && at.up != ""; at = b.byChass[at.up] {
			contains[at.up]++
		}
	}
	for _, holds := range []bool{true, false} { // one that is built to hold others, before one that only does
		best, most := "", 0
		for _, c := range b.chassis {
			if c.up == "" && contains[c.path] > most && (!holds || isEnclosure(c.body)) {
				best, most = c.path, contains[c.path]
			}
		}
		if best != "" {
			return best
		}
	}
	for _, kind := range []string{"Enclosure", "Shelf", "RackMount", "StandAlone", "Tower", ""} {
		for _, c := range b.chassis {
			if t := c.body.get("ChassisType").str(); kind == "" || strings.EqualFold(t, kind) {
				if c.body.get("Power").present() || c.body.get("PowerSubsystem").present() || c.body.get("Thermal").present() || kind != "" {
					return c.path
				}
			}
		}
	}
	if len(b.chassis) > 0 {
		return b.chassis[0].path
	}
	return ""
}

func isEnclosure(body value) bool {
	switch strings.ToLower(body.get("ChassisType").str()) {
	case "enclosure", "shelf", "rack", "rackgroup", "rackmount", "storageenclosure":
		return true
	}
	return false
}

// prefix is what stands before the ids of a chassis's parts.
func (b *builder) prefix(chassisPath string) string {
	if chassisPath == b.mainPath || chassisPath == "" {
		return ""
	}
	if s := safe(lastSegment(chassisPath)); s != "" {
		return s + "/"
	}
	return ""
}

// mainParts makes the components that everything else belongs to: hosts, and enclosures and blades where there are any.
func (b *builder) mainParts() {
	if len(b.systems) == 1 {
		b.off = isOff(b.systems[0].body)
	}
	for i, s := range b.systems {
		s.part = b.newPart(component.Host, s.path, s.body)
		b.judgeHost(s)
		if len(b.systems) == 1 {
			s.part.named(s.path, "", "1")
		} else {
			s.part.named(s.path, "", itoa(i+1))
		}
	}
	if len(b.systems) != 1 {
		b.enclosures()
	}
	if len(b.systems) > 0 && b.main == nil {
		b.main = b.systems[0].part
	}
}

func (b *builder) judgeHost(s *system) {
	p := s.part
	w := status(s.body.get("Status"))
	st, why := judge(w)
	power := s.body.get("PowerState").str()
	p.set("power", strings.ToLower(power))
	switch {
	case isOff(s.body):
		st, why = component.Status{}, "it is powered off (PowerState "+power+")"
	case st.Condition == component.Failed && w.presence() != gone && w.presence() != cut && w.presence() != broken:
		// A system's health sums up its parts; while it is powered on, it works.
		st.Condition = component.Impaired
	}
	p.Status, p.Why = st, why
	p.set("hostname", s.body.get("HostName").str())
	p.set("uuid", realUUID(s.body.get("UUID").str()))
	b.freshen(p, s.path)
}

// isOff reports whether the resource says that it is powered off.
func isOff(body value) bool {
	switch strings.ToLower(body.get("PowerState").str()) {
	case "off", "poweringon":
		return true
	}
	return false
}

// enclosures makes components of the chassis that hold systems or supplies, where the service is not that of one host.
func (b *builder) enclosures() {
	n := 1
	for _, c := range b.chassis {
		if c.path == b.mainPath && !b.bare(c) {
			c.part = b.newPart(component.Enclosure, c.path, c.body)
			c.part.named(c.path, "", "1")
			b.main = c.part
		} else if !isBlade(c.body) && c.up == "" && b.hasPower(c) && len(c.systems) != 1 && c.same == c.path {
			c.part = b.newPart(component.Enclosure, c.path, c.body)
			n++
			c.part.named(c.path, "", itoa(n))
		} else if isBlade(c.body) {
			c.part = b.newPart(component.Blade, c.path, c.body)
			c.part.named(c.path, "", b.label(c.body), lastSegment(c.path))
		} else {
			continue
		}
		st, why := judge(status(c.body.get("Status")))
		if st.Condition == component.Failed && c.part.Kind == component.Enclosure {
			st.Condition = component.Impaired // as a system's: it sums up its parts
		}
		c.part.Status, c.part.Why = st, why
		b.freshen(c.part, c.path)
	}
	for _, c := range b.chassis {
		b.contain(c)
	}
	b.containRest()
}

// containRest puts the systems that nothing says where they are into the main enclosure: what feeds it feeds them.
func (b *builder) containRest() {
	if b.main == nil || b.main.Kind != component.Enclosure {
		return
	}
	inside := map[*part]bool{}
	for _, l := range b.links {
		inside[l.to] = inside[l.to] || l.kind == component.Contains
	}
	for _, s := range b.systems {
		if !inside[s.part] {
			b.links = append(b.links, edge{b.main, s.part, component.Contains})
		}
	}
}

// bare reports whether a chassis is only the case of equipment that shows itself elsewhere (recording dmtf-public-pdu).
func (b *builder) bare(c *chassis) bool {
	root := b.t.at(rootPath)
	if !root.get("PowerEquipment").present() && !root.get("ThermalEquipment").present() && !root.get("Fabrics").present() || b.hasPower(c) {
		return false
	}
	for _, o := range b.chassis {
		if o.up == c.path {
			return false
		}
	}
	return !c.body.get("Thermal").present() && !c.body.get("ThermalSubsystem").present()
}

func (b *builder) hasPower(c *chassis) bool {
	return len(b.t.at(b.t.partOf(c, "Power")).get("PowerSupplies").items()) > 0 ||
		len(b.t.members(b.t.at(b.t.partOf(c, "PowerSubsystem")).get("PowerSupplies").link())) > 0
}

func isBlade(body value) bool {
	switch strings.ToLower(body.get("ChassisType").str()) {
	case "blade", "sled", "node":
		return true
	}
	return false
}

// contain links an enclosure to its blades and to the systems that sit in it.
func (b *builder) contain(c *chassis) {
	var holder *part
	for at := b.byChass[c.up]; at != nil && holder == nil; at = b.byChass[at.up] {
		holder = at.part
	}
	if holder == nil && c.part != nil && c.part.Kind == component.Blade && b.main != nil && b.main.Kind == component.Enclosure {
		holder = b.main // blades of a service that does not say where they are
	}
	if holder != nil && c.part != nil && holder != c.part {
		b.links = append(b.links, edge{holder, c.part, component.Contains})
	}
	if c.part != nil && c.part.Kind == component.Blade || c.part != nil && c.part.Kind == component.Enclosure && len(c.systems) > 0 {
		for _, s := range b.systems {
			for _, p := range c.systems {
				if p == s.path {
					b.links = append(b.links, edge{c.part, s.part, component.Contains})
				}
			}
		}
	}
}

// holder is the component that a chassis's groups carry: nil where that is the device's only host.
func (b *builder) holder(chassisPath string) *part {
	c := b.byChass[chassisPath]
	if c == nil || len(b.systems) == 1 {
		return nil
	}
	if len(c.systems) == 1 {
		for _, s := range b.systems {
			if s.path == c.systems[0] {
				return s.part
			}
		}
	}
	for at := c; at != nil; at = b.byChass[at.up] {
		if at.part != nil {
			return at.part
		}
	}
	return nil
}

// related reports whether two chassis can hold the same part: one contains the other, both are in the same enclosure,
// or they show the same system.
func (b *builder) related(p, q string) bool {
	if p == q {
		return true
	}
	a, c := b.byChass[p], b.byChass[q]
	if a == nil || c == nil {
		return true
	}
	top := func(c *chassis) *chassis {
		for c.up != "" && b.byChass[c.up] != nil {
			c = b.byChass[c.up]
		}
		return c
	}
	if ta, tc := top(a), top(c); ta == tc || ta.up != "" && ta.up == tc.up {
		return true
	}
	for _, x := range a.systems {
		for _, y := range c.systems {
			if x == y {
				return true
			}
		}
	}
	return isBlade(a.body) || isBlade(c.body)
}

// standsIn is the serial number of the enclosure that a chassis is: by it and by their slots its supplies are known for the
// same as other BMCs show them. "" for a machine's own chassis, and for a rack, where two machines have each a supply 1.
func (b *builder) standsIn(path string) string {
	c := b.byChass[path]
	if c == nil || isBlade(c.body) || isRack(c.body) || len(c.systems) == 1 {
		return ""
	}
	holds := len(b.systems) == 0
	for _, o := range b.chassis {
		holds = holds || o.up == c.path
	}
	if !holds {
		return ""
	}
	return realSerial(c.body.get("SerialNumber").str())
}

// sharedChassis is the serial number of the enclosure around a system, "" where it stands alone.
func (b *builder) sharedChassis(system string) string {
	for _, c := range b.chassis {
		for _, s := range c.systems {
			if s != system {
				continue
			}
			for up := b.byChass[c.up]; up != nil; up = b.byChass[up.up] {
				if serial := realSerial(up.body.get("SerialNumber").str()); serial != "" && !isRack(up.body) {
					return serial
				}
			}
		}
	}
	return ""
}

// isRack reports whether a chassis is only where machines stand.
func isRack(body value) bool {
	switch strings.ToLower(body.get("ChassisType").str()) {
	case "rack", "rackgroup", "row", "pod", "zone", "room":
		return true
	}
	return false
}

// same is the chassis that this one shows again under another name (recording dmtf-public-telemetry: three trays that
// are all the one server); itself where there is none.
func (b *builder) same(path string) string {
	if c := b.byChass[path]; c != nil {
		return c.same
	}
	return path
}
