package config

import (
	"slices"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// namedPorts are the ports that the model names, by their devices.
func namedPorts(m *topology.Model) map[string][]component.ID {
	found := map[string][]component.ID{}
	note := func(ids ...component.ID) {
		for _, id := range ids {
			if (id.Kind() == component.Port || id.Kind() == component.NIC) && slices.Contains(m.Observed, id.Device()) {
				found[id.Device()] = append(found[id.Device()], id)
			}
		}
	}
	for _, c := range m.Components {
		note(c.ID)
	}
	for _, l := range m.Links {
		note(l.From, l.To)
	}
	for _, g := range m.Groups {
		note(g.Members...)
	}
	var need func(topology.Need)
	need = func(n topology.Need) {
		note(n.ID)
		for _, part := range n.Of {
			need(part)
		}
	}
	for _, s := range m.Services {
		need(s.Needs)
	}
	for name, ids := range found {
		slices.Sort(ids)
		found[name] = slices.Compact(ids)
	}
	return found
}
