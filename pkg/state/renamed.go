package state

import (
	"slices"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// words are the targets whose words are the device's: its own, and those of the devices that were found to be it, in its
// name.
func (d *device) words() []*target {
	targets := d.targets
	for _, a := range d.absorbed {
		for _, t := range a.targets {
			targets = append(slices.Clip(targets), t.renamed(func(id component.ID) component.ID {
				if id.Device() == a.name {
					return component.NewID(d.name, id.Kind(), id.Local())
				}
				return id
			}))
		}
	}
	return targets
}

// renamed is a target with the ids of its words, claims and links as to says; a part whose id it makes "" is left out.
// The old ids become names of the parts.
func (t *target) renamed(to func(component.ID) component.ID) *target {
	c := *t
	c.words = make(map[component.ID]word, len(t.words))
	for id, w := range t.words {
		now := to(id)
		if now == "" {
			continue
		}
		if now != id {
			w.ID = now
			w.Aliases = append(slices.Clone(w.Aliases), string(id))
		}
		c.words[now] = w
	}
	c.links = nil
	for _, l := range t.links {
		l.From, l.To = to(l.From), to(l.To)
		if l.From != "" && l.To != "" {
			c.links = append(c.links, l)
		}
	}
	c.claims = nil
	for _, cl := range t.claims {
		if cl, ok := renamedClaim(cl, to); ok {
			c.claims = append(c.claims, cl)
		}
	}
	return &c
}

// renamedClaim is a claim with other ids. One that is left with no member is none; its group goes where its members are.
func renamedClaim(c snapshot.Claim, to func(component.ID) component.ID) (snapshot.Claim, bool) {
	had := len(c.Members)
	var members []component.ID
	for _, id := range c.Members {
		if now := to(id); now != "" {
			members = append(members, now)
		}
	}
	c.Members = members
	if c.Carries != "" {
		c.Carries = to(c.Carries)
	}
	if had == 0 {
		c.Group = to(c.Group)
		return c, c.Group != ""
	}
	if len(members) > 0 && members[0].Device() != c.Group.Device() {
		c.Group = component.NewID(members[0].Device(), c.Group.Kind(), c.Group.Local())
	}
	return c, len(members) > 0
}

// own is a device's target without what is another's.
func (d *device) own(t *target) *target {
	if len(d.moved) == 0 {
		return t
	}
	return t.renamed(func(id component.ID) component.ID {
		if _, gone := d.moved[id]; gone {
			return ""
		}
		return id
	})
}

// lent is what a machine tells of the parts that are its enclosure's, in the enclosure's names.
func (d *device) lent(t *target) *target {
	c := t.renamed(func(id component.ID) component.ID { return d.moved[id] })
	c.identity = snapshot.Device{}
	return c
}
