package redfish

import (
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// network reads adapters with their ports, and the interfaces that a system lists without saying which adapter they are of.
func (b *builder) network() {
	macs := map[string]*part{}
	for _, c := range b.chassis {
		for _, at := range b.t.members(c.body.get("NetworkAdapters").link()) {
			b.adapter(c, at, macs)
		}
	}
	for _, s := range b.systems {
		b.baseAdapters(s, macs)
		for _, at := range b.t.members(s.body.get("EthernetInterfaces").link()) {
			b.ethernet(s, at, macs)
		}
	}
	b.teams()
}

func (b *builder) adapter(c *chassis, at string, macs map[string]*part) {
	body := b.t.at(at)
	nic := b.newPart(component.NIC, at, body)
	nic.named(c.path, b.prefix(c.path), adapterLabel(body, b.label(body)), lastSegment(at))
	if strings.HasPrefix(strings.ToLower(nic.Name), "network adapter") || nic.Name == "Adapter" || nic.Name == "NetworkAdapter" || nic.Name == "" {
		nic.Name = shorten(body.first("Model", "Id").str(), 200)
	}
	w := status(body.get("Status"))
	nic.Status, nic.Why = judge(w)
	b.freshen(nic, at)
	ports := 0
	for _, name := range []string{"Ports", "NetworkPorts"} {
		for _, p := range b.t.members(body.get(name).link()) {
			b.port(nic, p, macs)
			ports++
		}
	}
}

// adapterLabel is what says where an adapter sits: its slot, or the words of an embedded one.
func adapterLabel(body value, label string) string {
	for _, c := range body.get("Controllers").items() {
		if s := c.at("Location", "PartLocation", "ServiceLabel").str(); s != "" && label == "" {
			return s
		}
	}
	return label
}

// port reads one port of an adapter or a switch.
func (b *builder) port(owner *part, at string, macs map[string]*part) *part {
	if p := b.byPath[at]; p != nil {
		return p
	}
	body := b.t.at(at)
	p := b.newPart(component.Port, at, body)
	number := body.first("PhysicalPortNumber", "PortId").str()
	id := lastSegment(at)
	if n := printed(id); n != "" && number == "" {
		number = n
	}
	// A port's number starts anew on each adapter, so the adapter's name stands before it.
	p.onto(owner, number, id)
	if p.Name == "" || strings.HasPrefix(strings.ToLower(p.Name), "network port") || p.Name == "Port" {
		p.Name = id
	}
	b.judgePort(p, body)
	b.freshen(p, at)
	b.links = append(b.links, edge{owner, p, component.Carries})
	for _, field := range []value{body.get("AssociatedNetworkAddresses"), body.at("Ethernet", "AssociatedMACAddresses")} {
		for _, m := range field.items() {
			if mac := normalMAC(m.str()); mac != "" && macs != nil {
				macs[mac] = p
				p.alias(mac)
			}
		}
	}
	return p
}

// onto names a port by its owner, whose own name is settled first: "3/1" is port 1 of the adapter in slot 3.
func (p *part) onto(owner *part, number, id string) {
	p.owner, p.scope = owner, owner.paths[0]
	p.names = appendNew(nil, safe(number), safe(id))
	if len(p.names) == 0 {
		p.names = []string{"unnamed"}
	}
}

// judgePort decides a port's condition. A port without a link is well and gets nothing: as a supply without its feed.
func (b *builder) judgePort(p *part, body value) {
	w := status(body.get("Status"))
	st, why := judge(w)
	link := strings.ToLower(body.get("LinkStatus").str())
	if link == "" {
		link = strings.ToLower(body.at("Ethernet", "LinkStatus").str())
	}
	enabled := body.get("LinkState").str()
	switch link {
	case "linkup", "up":
		p.set("link", "up")
		if st.Condition == component.Unknown && w.presence() != off {
			st, why = component.Status{Condition: component.OK}, ""
		}
	case "linkdown", "down", "nolink":
		p.set("link", "down")
		if st.Condition == component.Unknown || w.presence() == off || w.presence() == cut || w.own() != healthCritical {
			st.Condition = component.OK // what else the service says of it (Warning, UnavailableOffline) comes of the missing link
		}
		if w.presence() == gone {
			st.Condition = component.Absent
		}
		if st.Condition != component.Absent && st.Condition != component.Failed {
			st.InputLost = true
		}
		if strings.EqualFold(enabled, "disabled") || w.presence() == off {
			why = "it has no link: it is switched off"
			p.set("admin", "down")
		} else {
			why = join("it has no link", why)
		}
	case "starting", "training":
		st, why = component.Status{}, "its link is coming up"
	default:
		if st.Condition == component.OK && w.presence() == off {
			st, why = component.Status{}, "it is switched off"
		}
	}
	p.Status, p.Why = st, why
	speed := num(body.get("CurrentSpeedGbps")).sane(100_000)
	if mbps := num(body.first("CurrentLinkSpeedMbps", "SpeedMbps")); !speed.ok && mbps.ok {
		speed = value64{mbps.v / 1000, true}.sane(100_000)
	}
	p.read("speed", "Gbit/s", "", speed.v, speed.ok && speed.v > 0)
}

func normalMAC(s string) string {
	s = strings.ToLower(strings.NewReplacer("-", ":", ".", ":").Replace(strings.TrimSpace(s)))
	if len(s) != 17 || strings.Trim(s, "0123456789abcdef:") != "" || strings.Trim(s, "0:") == "" || s == "ff:ff:ff:ff:ff:ff" {
		return ""
	}
	return s
}

// ethernet reads an interface of a system: a port that an adapter shows too, known by its address, or one of its own.
func (b *builder) ethernet(s *system, at string, macs map[string]*part) {
	body := b.t.at(at)
	mac := normalMAC(body.first("PermanentMACAddress", "MACAddress").str())
	if mac == "" {
		mac = normalMAC(body.get("MACAddress").str())
	}
	if p := macs[mac]; mac != "" && p != nil {
		b.cite(p, at, body)
		return
	}
	for _, l := range body.at("Links", "Ports").items() {
		if p := b.byPath[normal(l.link())]; p != nil {
			b.cite(p, at, body)
			return
		}
	}
	link := body.get("LinkStatus").str()
	if w := status(body.get("Status")); link == "" && mac == "" && w.own() == healthUnknown {
		return // a name without an address, a link or a health: nothing to say of it
	}
	p := b.newPart(component.Port, at, body)
	p.scope = s.path
	id := safe(lastSegment(at))
	if len(b.systems) > 1 {
		id = safe(lastSegment(s.path)) + "/" + id
	}
	p.names = []string{id, safe(lastSegment(s.path)) + "/" + id}
	p.alias(mac)
	if mac != "" {
		macs[mac] = p
	}
	b.judgePort(p, body)
	if is, known := body.get("InterfaceEnabled").boolean(); known && !is {
		p.set("admin", "down")
	}
	b.freshen(p, at)
}

// baseAdapters reads the adapters that some BMCs list below the system, with their ports inside.
func (b *builder) baseAdapters(s *system, macs map[string]*part) {
	for _, l := range vendorLinks(s.body) {
		if l.role == rBaseAdapter {
			for _, at := range b.t.members(l.link) {
				if b.byPath[at+"#PhysicalPorts/0"] == nil {
					b.baseAdapter(at, macs)
				}
			}
		}
	}
}

func (b *builder) baseAdapter(at string, macs map[string]*part) {
	body := b.t.at(at)
	var owner *part
	for i, port := range body.get("PhysicalPorts").items() {
		link := at + "#/PhysicalPorts/" + itoa(i)
		mac := normalMAC(port.first("MacAddress", "MACAddress").str())
		p := macs[mac]
		if mac == "" || p == nil {
			if owner == nil {
				owner = b.newPart(component.NIC, at, body)
				owner.named(at[:strings.LastIndexByte(at, '/')], "", b.label(body), lastSegment(at))
				owner.Status, owner.Why = judge(status(body.get("Status")))
				b.freshen(owner, at)
			}
			p = b.newPart(component.Port, link, value{})
			p.onto(owner, itoa(i+1), "")
			p.Name = port.get("Name").str()
			p.alias(mac)
			if mac != "" {
				macs[mac] = p
			}
			b.judgePort(p, port)
			b.freshen(p, at)
			b.links = append(b.links, edge{owner, p, component.Carries})
		}
		if t := portTeam(port); t != "" {
			p.set("team", t)
		}
	}
}

// teams makes claims of the ports that the host has put into one team: each can carry what the team carries.
func (b *builder) teams() {
	by := map[string][]*part{}
	var order []string
	for _, p := range b.parts {
		if t := p.Attributes["team"]; p.Kind == component.Port && t != "" {
			if by[t] == nil {
				order = append(order, t)
			}
			by[t] = append(by[t], p)
		}
	}
	for _, t := range order {
		if len(by[t]) < 2 {
			continue
		}
		b.claims = append(b.claims, &claim{
			kind: component.Port, form: "team", link: t, local: "port-" + safe(t), members: by[t], needed: 1, designed: len(by[t]),
			raw: map[string]string{"team": t}, why: "the host has put these ports into the team " + t,
		})
	}
}

// fabrics reads the switches of every fabric, their ports, and what they say of their redundancy.
func (b *builder) fabrics() {
	for _, f := range b.t.members(b.t.at(rootPath).get("Fabrics").link()) {
		for _, at := range b.t.members(b.t.at(f).get("Switches").link()) {
			body := b.t.at(at)
			p := b.newPart(component.Switch, at, body)
			p.named(f, "", lastSegment(at), b.label(body), body.get("Name").str())
			p.set("type", body.get("SwitchType").str())
			p.Status, p.Why = judge(status(body.get("Status")))
			b.freshen(p, at)
			for _, port := range b.t.members(body.get("Ports").link()) {
				b.port(p, port, nil)
			}
			for _, l := range body.at("Links", "Chassis").items() {
				if c := b.byChass[normal(l.link())]; c != nil && c.part != nil {
					b.links = append(b.links, edge{c.part, p, component.Contains})
				}
			}
			if b.main == nil {
				b.main = p
			}
		}
		for _, at := range b.t.members(b.t.at(f).get("Switches").link()) {
			list := b.redundancies(component.Switch, "Switch", at, b.t.at(at).get("Redundancy"), b.nothing)
			for _, c := range list {
				c.local = "switch-" + safe(lastSegment(f))
				if b.unread(at) == "" {
					b.claims = append(b.claims, c)
				}
			}
		}
	}
}
