package redfish

import (
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// managers reads the managers that stand in for each other: those that Manager.Redundancy names (recording
// dmtf-public-sasfabric), and the modules of an enclosure that has two. A BMC that is alone is no part of any redundancy:
// it is only how everything else is known. The group carries nothing: blades run on without their enclosure's managers.
func (b *builder) managers() {
	var listed, shown, modules []string
	for _, at := range b.all(rManager, "Managers") {
		body := b.t.at(at)
		if named := groupMembers(body.get("Redundancy")); len(named) > 0 {
			listed = append(listed, at)
			shown = appendNew(appendNew(shown, at), named...)
		}
		if isModule(body) {
			modules = append(modules, at)
		}
	}
	if len(modules) > 1 {
		shown = appendNew(shown, modules...)
	}
	for _, at := range shown {
		if b.byPath[at] == nil && b.readable(at) {
			b.manager(at, b.t.at(at))
		}
	}
	for _, at := range listed {
		for _, c := range b.redundancies(component.Module, "Manager", at, b.t.at(at).get("Redundancy"), b.nothing) {
			if why := b.unread(at); why != "" {
				c.state, c.why = snapshot.ClaimNone, why
			}
			b.claims = append(b.claims, c)
		}
	}
}

func (b *builder) manager(at string, body value) {
	p := b.newPart(component.Module, at, body)
	p.named("/Managers", "manager-", b.label(body), lastSegment(at))
	p.set("type", "manager")
	p.Status, p.Why = judge(status(body.get("Status")))
	b.freshen(p, at)
}

// standsBy reports whether a manager may be one of several that stand in for each other, so that it is read more often
// than one that is alone.
func standsBy(manager value) bool {
	return len(groupMembers(manager.get("Redundancy"))) > 0 || isModule(manager)
}

// isModule reports whether a manager is a part of its own in an enclosure or a rack (ManagerType, DSP8010 Manager).
func isModule(manager value) bool {
	switch strings.ToLower(manager.get("ManagerType").str()) {
	case "enclosuremanager", "rackmanager":
		return true
	}
	return false
}
