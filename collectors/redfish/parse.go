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
	b.managers()
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
	if is, known := body.get("ReadyToRemove").boolean(); known { // Drive, Assembly and others since 2021: it may be pulled now
		p.set("ready_to_remove", map[bool]string{true: "true", false: "false"}[is])
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
			if s := l.get("ServiceLabel").str(); s != "" {
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

// freshen makes a part unknown whose resource could not be read in this poll: what was once said of it is not known now.
func (b *builder) freshen(p *part, link string) bool {
	why := b.unread(link)
	if why == "" {
		return true
	}
	p.Status, p.Why = component.Status{}, why
	return false
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
	s := &snapshot.Snapshot{Collector: Name, Components: []component.Component{}, Claims: []snapshot.Claim{}, Links: []component.Link{}}
	b.uniqueAliases()
	b.inOrder()
	for _, p := range b.parts {
		switch p.Kind {
		case component.PSU, component.Fan:
			p.set(component.EnclosureSerial, b.standsIn(p.scope))
		case component.Host:
			p.set(component.EnclosureSerial, b.sharedChassis(p.scope))
		}
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
