package redfish

import (
	"net/url"
	"sort"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// part is a component that is being put together, perhaps from several resources. Its id comes last, when all parts
// are known.
type part struct {
	component.Component
	scope string   // parts of one scope are told apart together
	names []string // candidates for its local id, best first
	local string
	owner *part // whose local id stands before its own, with a slash
	// paths are the resources that speak of it; serial tells it apart where a service gives one.
	paths  []string
	serial string
}

// alias notes another name under which the part is known.
func (p *part) alias(names ...string) {
	for _, n := range names {
		if n = strings.TrimSpace(n); n != "" && bare.FindString(n) == "" && len(n) <= 512 {
			p.Aliases = appendNew(p.Aliases, n)
		}
	}
}

// set notes an attribute, if there is anything to note.
func (p *part) set(key, val string) {
	val = shorten(strings.TrimSpace(val), 200)
	if val == "" {
		return
	}
	if p.Attributes == nil {
		p.Attributes = map[string]string{}
	}
	if _, there := p.Attributes[key]; !there {
		p.Attributes[key] = val
	}
}

// read notes a reading, if the value is a number and no reading of that name is there yet.
func (p *part) read(name, unit, phase string, v float64, ok bool) {
	if !ok {
		return
	}
	for _, r := range p.Readings {
		if r.Name == name && r.Phase == phase {
			return
		}
	}
	p.Readings = append(p.Readings, component.Reading{Name: name, Unit: unit, Phase: phase, Value: component.Value(v)})
}

// builder puts a snapshot together from a tree.
type builder struct {
	t      *tree
	device string
	vendor vendor
	off    bool // the host is powered off

	parts  []*part
	byPath map[string]*part // by source, as source() writes it
	links  []edge
	claims claimList
	errors []snapshot.Error

	chassis  []*chassis
	byChass  map[string]*chassis
	systems  []*system
	main     *part
	mainPath string // of the main chassis
	differ   map[string]bool
}

type edge struct {
	from, to *part
	kind     component.LinkKind
}

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

// parse turns a tree of resources into a snapshot. It is pure.
func parse(t *tree, device string) *snapshot.Snapshot {
	s, _ := parseTree(t, device)
	return s
}

// parseTree also returns the chassis whose older and newer forms of the same facts do not agree.
func parseTree(t *tree, device string) (*snapshot.Snapshot, map[string]bool) {
	b := &builder{t: t, device: device, vendor: vendorOf(t), byPath: map[string]*part{}, byChass: map[string]*chassis{}, differ: map[string]bool{}}
	b.findSystems()
	b.findChassis()
	b.mainParts()
	b.power()
	b.thermal()
	b.storage()
	b.network()
	b.fabrics()
	b.equipment()
	b.cooling()
	b.oemClaims()
	settle(device, b.parts)
	s := b.snapshot()
	b.identity(&s.Device)
	return s, b.differ
}

// source writes a link so that all the forms in which services write one fall together: "/a/b#/Fans/0", "/a/b/#Fans/0"
// and "/a/b%23Fans/0" are one.
func source(link string) string {
	link = strings.ReplaceAll(link, "%23", "#")
	at, inner, cut := strings.Cut(link, "#")
	at = normal(at)
	if at == "" || !cut {
		return at
	}
	return at + "#" + strings.Trim(inner, "/")
}

// newPart adds a part whose resource is at link; body is what it says of itself.
func (b *builder) newPart(kind component.Kind, link string, body value) *part {
	p := &part{Component: component.Component{Kind: kind}}
	b.parts = append(b.parts, p)
	b.cite(p, link, body)
	return p
}

// cite adds a resource that speaks of a part.
func (b *builder) cite(p *part, link string, body value) {
	if at := source(link); at != "" {
		p.paths = appendNew(p.paths, at)
		p.alias(at)
		if b.byPath[at] == nil {
			b.byPath[at] = p
		}
	}
	name := body.first("Name", "FanName").str()
	if p.Name == "" {
		p.Name = shorten(name, 200)
	}
	p.alias(body.get("MemberId").str(), body.get("Id").str(), shorten(name, 200))
	if s := realSerial(body.get("SerialNumber").str()); s != "" {
		if p.serial == "" {
			p.serial = s
		}
		p.set(component.Serial, s)
	}
	p.set(component.Model, body.get("Model").str())
	p.set(component.Firmware, body.first("FirmwareVersion", "Revision").str())
	p.set("manufacturer", body.get("Manufacturer").str())
	p.set("part_number", body.get("PartNumber").str())
	if is, known := body.get("HotPluggable").boolean(); known && p.HotSwap == nil {
		p.HotSwap = &is
	}
	if is, known := body.get("LocationIndicatorActive").boolean(); known {
		p.set("locate", map[bool]string{true: "on", false: "off"}[is])
	} else if led := body.get("IndicatorLED").str(); led != "" {
		p.set("locate", map[bool]string{true: "on", false: "off"}[strings.EqualFold(led, "Blinking")])
	}
	p.set(component.Location, b.label(body))
}

// label is the text on the chassis beside a part.
func (b *builder) label(body value) string {
	for _, at := range []string{"Location", "PhysicalLocation"} {
		for _, l := range body.get(at).items() {
			if s := l.at("PartLocation", "ServiceLabel").str(); s != "" {
				return s
			}
			if s := l.get("Info").str(); s != "" { // Drive.Location before 2018.2
				return s
			}
		}
	}
	if v := body.get("Location"); v.kind == text {
		return v.str()
	}
	return ""
}

// ordinal is the number of a part's place, which services fill with less care than its label.
func (b *builder) ordinal(body value) string {
	for _, at := range []string{"Location", "PhysicalLocation"} {
		for _, l := range body.get(at).items() {
			if n := l.at("PartLocation", "LocationOrdinalValue"); n.present() {
				return n.str()
			}
		}
	}
	return ""
}

// dummies are serial numbers that many machines share.
var dummies = map[string]bool{
	"0": true, "00000000": true, "123456789": true, "1234567890": true, "0123456789": true, "na": true, "n/a": true, "none": true, "unknown": true,
	"redacted": true, "default string": true, "system serial number": true, "chassis serial number": true, "not specified": true,
	"to be filled by o.e.m.": true, "to be filled by oem": true, "notavailable": true, "not available": true, "serialnumber": true, "xxxxxxxx": true,
}

// realSerial returns a serial number that can tell one part from another, or "".
func realSerial(s string) string {
	s = strings.TrimSpace(s)
	plain := strings.TrimPrefix(strings.ToLower(s), "0x")
	if len(s) < 4 || dummies[strings.ToLower(s)] || strings.Trim(plain, "0fx- ") == "" {
		return ""
	}
	return s
}

// realUUID returns a UUID that can tell one machine from another, or "".
func realUUID(s string) string {
	if strings.Trim(strings.ToLower(s), "0f-") == "" || len(s) < 32 || dummies[strings.ToLower(s)] {
		return ""
	}
	return s
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

// readable reports whether a resource was read at some time.
func (b *builder) readable(path string) bool {
	e := b.t.entries[path]
	return e != nil && e.body.kind == object
}

// unread puts it into words that a resource could not be read, now or ever; "" where it could.
func (b *builder) unread(link string) string {
	e := b.t.entries[normal(link)]
	switch {
	case e == nil:
		return "its resource was not read"
	case e.gone:
		return "the service lists it, but " + e.why
	case e.stale:
		return "it could not be read: " + e.why
	case e.body.kind != object:
		return "its resource was not read"
	}
	return ""
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
		}
	}
	b.mainPath = b.mainChassis()
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

// freshen makes a part unknown whose resource could not be read in this poll: what was once said of it is not known now.
func (b *builder) freshen(p *part, link string) bool {
	why := b.unread(link)
	if why == "" {
		return true
	}
	p.Status, p.Why = component.Status{}, why
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
		} else if !isBlade(c.body) && c.up == "" && b.hasPower(c) && len(c.systems) != 1 {
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

// same is the chassis that this one shows again under another name (recording dmtf-public-telemetry: three trays that
// are all the one server); itself where there is none.
func (b *builder) same(path string) string {
	if c := b.byChass[path]; c != nil {
		return c.same
	}
	return path
}

func (b *builder) identity(d *snapshot.Device) {
	d.Name = b.device
	root := b.t.at(rootPath)
	main := value{}
	if len(b.systems) > 0 {
		main = b.systems[0].body
	}
	body := main
	if c := b.byChass[b.mainPath]; c != nil && (len(b.systems) == 0 || b.main != nil && b.main.Kind == component.Enclosure) {
		body = c.body
	}
	for _, from := range []value{body, main, b.firstDistribution()} {
		fill(&d.Vendor, from.get("Manufacturer").str())
		fill(&d.Model, from.get("Model").str())
		fill(&d.Serial, realSerial(from.get("SerialNumber").str()))
		fill(&d.UUID, realUUID(from.get("UUID").str()))
	}
	for _, c := range b.chassis {
		if len(b.systems) <= 1 {
			fill(&d.Vendor, c.body.get("Manufacturer").str())
			fill(&d.Model, c.body.get("Model").str())
		}
	}
	fill(&d.Vendor, root.get("Vendor").str())
	fill(&d.Model, root.get("Product").str())
	fill(&d.Hostname, main.get("HostName").str())
	for _, p := range b.t.members(root.get("Managers").link()) {
		m := b.t.at(p)
		switch strings.ToLower(m.get("ManagerType").str()) {
		case "bmc", "managementcontroller", "enclosuremanager", "rackmanager", "":
			fill(&d.Firmware, m.get("FirmwareVersion").str())
			fill(&d.Hostname, m.get("HostName").str())
		}
	}
	fill(&d.Firmware, b.firstDistribution().get("FirmwareVersion").str())
	if len(b.systems) == 1 && !isStale(b.t, b.systems[0].path) {
		switch strings.ToLower(main.get("PowerState").str()) {
		case "on", "poweringoff":
			d.Powered = "on"
		case "off", "poweringon":
			d.Powered = "off"
		}
	}
}

func isStale(t *tree, path string) bool {
	e := t.entries[path]
	return e == nil || e.stale || e.gone
}

func fill(to *string, s string) {
	if *to == "" {
		*to = shorten(s, 200)
	}
}

// snapshot writes down what was put together.
func (b *builder) snapshot() *snapshot.Snapshot {
	s := &snapshot.Snapshot{Collector: Name, Components: []component.Component{}, Claims: []snapshot.Claim{}, Links: []component.Link{}, Errors: b.errors}
	b.uniqueAliases()
	b.inOrder()
	for _, p := range b.parts {
		if p.Name == "" {
			p.Name = string(p.Kind) + " " + p.local
		}
		p.Status = tidy(p.Status)
		if p.Condition != component.OK && p.Why == "" {
			p.Why = "the service gives no reason"
		}
		p.Why = shorten(p.Why, 600)
		p.fillIn()
		s.Components = append(s.Components, p.Component)
	}
	seen := map[component.Link]bool{}
	for _, e := range b.links {
		l := component.Link{From: e.from.ID, To: e.to.ID, Kind: e.kind}
		if l.From != l.To && !seen[l] {
			seen[l] = true
			s.Links = append(s.Links, l)
		}
	}
	s.Claims = b.writeClaims()
	return s
}

// fillIn makes what is empty empty and not missing, so that it is written so.
func (p *part) fillIn() {
	if p.Aliases == nil {
		p.Aliases = []string{}
	}
	if p.Attributes == nil {
		p.Attributes = map[string]string{}
	}
	if p.Readings == nil {
		p.Readings = []component.Reading{}
	}
}

// inOrder sorts the parts as people look for them: by kind, as the kinds first came up, and by number.
func (b *builder) inOrder() {
	rank := map[component.Kind]int{}
	for _, p := range b.parts {
		if _, known := rank[p.Kind]; !known {
			rank[p.Kind] = len(rank)
		}
	}
	sort.SliceStable(b.parts, func(i, j int) bool {
		p, q := b.parts[i], b.parts[j]
		if p.Kind != q.Kind {
			return rank[p.Kind] < rank[q.Kind]
		}
		return natural(p.local, q.local)
	})
}

// uniqueAliases drops the names that two parts of one kind share: they tell nobody which is meant.
func (b *builder) uniqueAliases() {
	type held struct {
		kind component.Kind
		name string
	}
	holders := map[held]int{}
	for _, p := range b.parts {
		for _, a := range p.Aliases {
			holders[held{p.Kind, a}]++
		}
	}
	for _, p := range b.parts {
		kept := p.Aliases[:0]
		for _, a := range p.Aliases {
			if holders[held{p.Kind, a}] == 1 && a != p.local {
				kept = append(kept, a)
			}
		}
		p.Aliases = kept
	}
}

// foreignLink is a link to a resource of another service: "https://pdu/redfish/v1/...".
func foreignLink(v value) string {
	s := v.get("@odata.id").str()
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return ""
	}
	u.User = nil
	return u.String()
}
