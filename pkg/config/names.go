package config

import (
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// mainKinds are what a device may be: the kinds of its main component.
var mainKinds = []component.Kind{component.Host, component.Switch, component.Router, component.PDU, component.UPS, component.ATS,
	component.Enclosure, component.Generator, component.Cooling}

// names knows everything that may be referred to.
type names struct {
	book     *book
	site     string
	devices  map[string]*rawDevice
	kinds    map[string]component.Kind // of devices, as declared or as everything points to
	declared map[string][]component.ID // declared things, groups and services by bare name
	ids      map[component.ID]place    // the same by id
	uses     map[string]*uses
}

// uses are the ways in which a device is spoken of.
type uses struct {
	parts    map[component.Kind]bool // device/kind/...
	provider bool                    // its bare name stands for something that feeds
	needed   bool                    // its bare name stands for something that a service needs
}

func (l *loader) newNames() *names {
	return &names{
		book: l.book, site: l.cfg.Site, devices: l.byName, kinds: map[string]component.Kind{}, declared: map[string][]component.ID{},
		ids: map[component.ID]place{}, uses: map[string]*uses{},
	}
}

func (n *names) declare(bare string, id component.ID, at place) (before place, twice bool) {
	if before, twice = n.ids[id]; twice {
		return before, true
	}
	n.ids[id] = at
	if bare != "" {
		n.declared[bare] = append(n.declared[bare], id)
	}
	return place{}, false
}

// use notes that a reference speaks of a device.
func (n *names) use(ref string, provider, needed bool) {
	name, rest, parted := strings.Cut(ref, "/")
	if n.devices[name] == nil {
		return
	}
	u := n.uses[name]
	if u == nil {
		u = &uses{parts: map[component.Kind]bool{}}
		n.uses[name] = u
	}
	if !parted {
		u.provider = u.provider || provider
		u.needed = u.needed || needed
		return
	}
	kind, _, _ := strings.Cut(rest, "/")
	u.parts[component.Kind(kind)] = true
}

// guess settles what each device is. A wrong guess does no harm: the engine takes the device's own word once it was read.
func (n *names) guess() {
	for name, d := range n.devices {
		switch {
		case d.kind != "":
			n.kinds[name] = d.kind
		case n.kinds[name] == "":
			n.kinds[name] = guessKind(d, n.uses[name])
		}
	}
}

var namePrefixes = []struct {
	prefix string
	kind   component.Kind
}{
	{"ups", component.UPS}, {"usv", component.UPS}, {"ats", component.ATS}, {"sts", component.ATS}, {"pdu", component.PDU}, {"rpdu", component.PDU},
	{"sw", component.Switch}, {"tor", component.Switch}, {"leaf", component.Switch}, {"spine", component.Switch},
	{"rtr", component.Router}, {"router", component.Router}, {"gw", component.Router},
	{"crac", component.Cooling}, {"crah", component.Cooling}, {"srv", component.Host}, {"host", component.Host},
}

// guessKind tells what a device is by what it is said to have, how it is reached, what it is called and what it is used for, in
// this order.
func guessKind(d *rawDevice, u *uses) component.Kind {
	if u == nil {
		u = &uses{}
	}
	byName := component.Kind("")
	for _, p := range namePrefixes {
		if strings.HasPrefix(strings.ToLower(d.name), p.prefix) {
			byName = p.kind
			break
		}
	}
	reached := func(schemes ...string) bool {
		return slices.ContainsFunc(d.urls, func(r rawURL) bool { return slices.Contains(schemes, r.scheme) })
	}
	switch {
	case u.parts[component.Outlet] && (byName == component.UPS || byName == component.ATS):
		return byName
	case u.parts[component.Outlet]:
		return component.PDU
	case reached("redfish", "redfish+http", "ipmi"):
		return component.Host
	case reached("bgp", "bmp", "gobgp", "gobgp+tls"):
		return component.Router
	case byName != "":
		return byName
	case u.provider:
		return component.UPS
	case u.parts[component.Port]:
		return component.Switch
	case u.needed, u.parts[component.PSU]:
		return component.Host
	}
	return ""
}

func (n *names) kindOf(device string) component.Kind { return n.kinds[device] }

// main is the id of a device's main component.
func (n *names) main(device string) component.ID {
	kind := n.kinds[device]
	if kind == "" {
		kind = component.Host
	}
	return component.NewID(device, kind, "1")
}

// resolve finds what a reference means; why and instead say what is wrong with it.
func (n *names) resolve(ref string) (id component.ID, why, instead string) {
	if strings.ContainsAny(ref, " \t\"'<>{}") {
		return "", quoted(ref) + " cannot be a name", "write a name, or DEVICE/KIND/NUMBER as srv-101/psu/1"
	}
	first, rest, parted := strings.Cut(ref, "/")
	if !parted {
		return n.bare(ref)
	}
	kind, local, whole := strings.Cut(rest, "/")
	switch {
	case n.devices[first] != nil:
		return n.part(ref, first, component.Kind(kind), local, whole)
	case first == n.site && whole:
		return n.ofSite(component.ID(ref), component.Kind(kind), local)
	case !whole && isKind(component.Kind(first)):
		return n.ofSite(component.NewID(n.site, component.Kind(first), rest), component.Kind(first), rest)
	case len(n.declared[first]) > 0:
		return n.declaredPart(ref, first, component.Kind(kind), local, whole)
	}
	return "", "there is no device " + quoted(first), n.didYouMean(first, "declare it under devices")
}

func isKind(k component.Kind) bool {
	return slices.Contains(component.Kinds(), k) || k == component.Group || k == component.ServiceKind
}

func (n *names) bare(name string) (id component.ID, why, instead string) {
	ids := n.declared[name]
	if n.devices[name] != nil {
		if main := n.main(name); !slices.Contains(ids, main) {
			ids = append(slices.Clip(ids), main)
		}
	}
	switch len(ids) {
	case 1:
		return ids[0], "", ""
	case 0:
		return "", "nothing is called " + quoted(name), n.didYouMean(name, "declare it under devices, or under topology as a feed, ups, pdu or whatever it is")
	}
	short := make([]string, len(ids))
	for i, id := range ids {
		if short[i] = string(id); id.Device() == n.site {
			short[i] = string(id.Kind()) + "/" + id.Local()
		}
	}
	return "", quoted(name) + " may mean " + oneOf(short), "write one of them"
}

func (n *names) ofSite(id component.ID, kind component.Kind, local string) (component.ID, string, string) {
	if _, ok := n.ids[id]; ok {
		return id, "", ""
	}
	return "", "no " + string(kind) + " is called " + quoted(local), n.didYouMean(local, "declare it under topology")
}

// part is a part of a device. Whether it is there, the device itself will say.
func (n *names) part(ref, device string, kind component.Kind, local string, whole bool) (component.ID, string, string) {
	switch {
	case !whole && isKind(kind):
		return "", quoted(ref) + " does not say which " + string(kind), "write " + ref + "/1"
	case !whole && digits(string(kind)):
		return "", quoted(ref) + " does not say of what kind it is", "write " + device + "/outlet/" + string(kind) + ", or psu, inlet, port"
	case !isKind(kind) || kind == component.ServiceKind:
		return "", quoted(string(kind)) + " in " + quoted(ref) + " is no kind of component", didYouMean(string(kind), words(component.Kinds()), "write one as psu, outlet, inlet, port, fan or drive")
	case local == "":
		return "", quoted(ref) + " ends after its kind", "write " + device + "/" + string(kind) + "/1"
	}
	return component.ID(ref), "", ""
}

// declaredPart is a part of something that is declared without being a device: an outlet of a pdu that nobody can ask.
func (n *names) declaredPart(ref, first string, kind component.Kind, local string, whole bool) (component.ID, string, string) {
	id, why, instead := n.part(ref, first, kind, local, whole)
	if why != "" {
		return "", why, instead
	}
	if _, ok := n.owner(id); !ok {
		return "", quoted(first) + " is no device, so that " + quoted(ref) + " cannot be judged", "write {name: " + first + ", kind: ...} under devices; a device need not have urls"
	}
	return id, "", ""
}

// owner is what a part that nobody reports belongs to: the outlet of a declared pdu, the breaker of a panel.
func (n *names) owner(part component.ID) (component.ID, bool) {
	if n.devices[part.Device()] != nil {
		return "", false
	}
	for _, id := range n.declared[part.Device()] {
		switch id.Kind() {
		case component.PDU, component.UPS, component.ATS, component.Panel:
			switch part.Kind() {
			case component.Outlet, component.Bank, component.Phase, component.Breaker, component.Inlet:
				return id, true
			}
		}
	}
	return "", false
}

// didYouMean looks among all names, while there are few mistakes: it takes time.
func (n *names) didYouMean(word, otherwise string) string {
	if len(n.book.mistakes) > maxMistakes {
		return otherwise
	}
	return didYouMean(word, append(sortedKeys(n.devices), sortedKeys(n.declared)...), otherwise)
}

func quoted(s string) string {
	if len(s) > 120 {
		s = s[:100] + "..."
	}
	return `"` + s + `"`
}
