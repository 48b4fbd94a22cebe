package ipmi

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// claims are the redundancy sensors: event type 0Bh on a power supply, a power unit, or fans.
func (b *builder) claims(m machine, components []component.Component) []snapshot.Claim {
	claims := []snapshot.Claim{}
	taken := map[component.ID]bool{}
	for i, x := range m.sensors {
		r := m.readings[i]
		kind, ok := redundancyOf(x)
		if !ok || !r.valid {
			continue
		}
		group := component.NewID(m.device, component.Group, string(kind))
		if taken[group] {
			group = component.NewID(m.device, component.Group, string(kind)+"-"+collectors.Slot(component.Group, x.name))
		}
		taken[group] = true
		members := b.members(entity{x.entity, x.instance}, kind, m.contains)
		for k := 0; len(members) == 0 && k < len(components); k++ { // nobody says which: all of the kind
			if components[k].Kind == kind {
				for _, c := range components {
					if c.Kind == kind {
						members = append(members, c.ID)
					}
				}
			}
		}
		claims = append(claims, snapshot.Claim{
			Group: group, Kind: kind, Members: members, State: claimState(r),
			Raw: map[string]string{"sensor": x.name, "entity": fmt.Sprintf("%d.%d", x.entity, x.instance), "states": r.words(redundancyStates)},
			Why: x.name + ": " + r.words(redundancyStates),
		})
	}
	return claims
}

// members are the parts of a kind that an entity association puts into a container (section 43.4), two or more.
func (b *builder) members(container entity, kind component.Kind, contains map[entity][]entity) []component.ID {
	var found []component.ID
	for _, e := range contains[container] {
		if id := b.at[e]; id != "" && id.Kind() == kind && !slices.Contains(found, id) {
			found = append(found, id)
		}
	}
	if len(found) < 2 {
		return nil
	}
	slices.Sort(found)
	return found
}

// otherRedundancy names what stands in for each other and is no supply, though it counts as a power unit.
var otherRedundancy = regexp.MustCompile(`(?i)vrm|vrd|\bvr\b|regulator|dimm|mem|cpu|proc|battery`)

// redundancyOf tells what a redundancy sensor speaks of; not ok for memory, I/O and what nothing identifies.
func redundancyOf(x sensor) (component.Kind, bool) {
	if x.event != eventRedundancy || x.owner != bmcAddress {
		return "", false
	}
	switch {
	case otherRedundancy.MatchString(x.name), x.entity == entityPowerModule && x.kind != typePowerSupply:
		return "", false
	case x.kind == typePowerSupply, x.kind == typePowerUnit, x.entity == entityPowerSupply, x.entity == entityPowerUnit, x.entity == entityPowerManagement:
		return component.PSU, true
	case x.kind == typeFan, x.kind == typeCooling, x.entity == entityFan, x.entity == entityCoolingUnit:
		return component.Fan, true
	}
	return "", false
}

// claimState reads the bits of table 42-2, event type 0Bh, worst first: several may be set at once.
func claimState(r reading) snapshot.ClaimState {
	switch {
	case r.has(5):
		return snapshot.ClaimInsuff
	case r.has(1), r.has(3), r.has(4):
		return snapshot.ClaimLost
	case r.has(2), r.has(6), r.has(7):
		return snapshot.ClaimDegraded
	case r.has(0):
		return snapshot.ClaimFull
	}
	return snapshot.ClaimNone
}
