package engine

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// form is one redundancy group as its declaration, its device's claims and its members make it (docs/design.md, 5.2).
type form struct {
	id       component.ID
	kind     component.Kind
	members  []component.ID // that count, sorted
	missing  int            // members that the group should have and that nobody names
	needed   int
	designed int
	basis    Basis
	assumed  bool // needed is, whatever designed rests on
	carries  []component.ID
	claims   []snapshot.Claim // that speak of it
	why      string           // where the numbers come from
	empty    []component.ID   // bays that were never seen filled; they don't count
	// raised is what needed was before capacity raised it; 0: it did not. load is the highest known, in W.
	raised int
	load   float64
	// present is how many members are in their places now, working or not: what is learned.
	present int
}

// declaration is what the model says of one device.
type declaration struct {
	groups []topology.Group
	parts  []component.ID // that cables and groups name, sorted
	mains  []component.ID
}

// declarations sorts the model by device.
func declarations(m *topology.Model) map[string]*declaration {
	by := map[string]*declaration{}
	of := func(id component.ID) *declaration {
		d := by[id.Device()]
		if d == nil {
			d = &declaration{}
			by[id.Device()] = d
		}
		return d
	}
	name := func(id component.ID) {
		if id.Local() == "" || id.Device() == m.Site || id.Kind() == component.Group || id.Kind() == component.ServiceKind {
			return
		}
		of(id).parts = append(of(id).parts, id)
	}
	for i := range m.Components {
		name(m.Components[i].ID)
	}
	for _, l := range m.Links {
		name(l.From)
		name(l.To)
	}
	for _, g := range m.Groups {
		of(g.ID).groups = append(of(g.ID).groups, g)
		for _, id := range g.Members {
			name(id)
		}
		name(g.Carries)
	}
	for _, s := range m.Services {
		eachLeaf(s.Needs, name)
	}
	for _, d := range by {
		slices.Sort(d.parts)
		d.parts = slices.Compact(d.parts)
		if main := topology.Main(d.parts); main != "" {
			d.mains = []component.ID{main}
		}
	}
	return by
}

// Named are the devices that a model speaks of.
func Named(m *topology.Model) map[string]bool {
	named := map[string]bool{}
	for name, d := range declarations(m) {
		if len(d.parts)+len(d.groups) > 0 {
			named[name] = true
		}
	}
	return named
}

func eachLeaf(n topology.Need, f func(component.ID)) {
	if n.ID != "" {
		f(n.ID)
	}
	for _, part := range n.Of {
		eachLeaf(part, f)
	}
}

// former forms the groups of one device. view is nil while nothing was heard of it, declared while the model says
// nothing of it.
type former struct {
	name     string
	site     bool // not a device: the site, with groups whose members are anywhere
	view     *state.Device
	declared *declaration
	was      map[component.ID]component.ID // group of each member, as formed before
	best     map[component.ID]int

	parts  map[component.ID]*state.Part // nil for one that is declared and not listed
	protos []*proto
}

// proto is a group before its numbers.
type proto struct {
	id       component.ID
	kind     component.Kind
	members  []component.ID
	claims   []snapshot.Claim
	declared *topology.Group
	box      component.ID // what contains the members, where the device has several such boxes
}

// groupID is the id of the engine's own group of one kind in a device.
func groupID(device, local string) component.ID {
	return component.NewID(device, component.Group, local)
}

func (f *former) groups() []form {
	f.gatherParts()
	f.fromClaims()
	f.fromDeclarations()
	f.fromSupplies()
	var formed []form
	for _, p := range f.protos {
		if g, ok := f.numbers(p); ok {
			formed = append(formed, g)
		}
	}
	slices.SortFunc(formed, func(a, b form) int { return strings.Compare(string(a.id), string(b.id)) })
	return formed
}

// gatherParts lists the device's parts, and those that are declared and that it does not list.
func (f *former) gatherParts() {
	f.parts = map[component.ID]*state.Part{}
	if f.view != nil {
		for i := range f.view.Parts {
			f.parts[f.view.Parts[i].ID] = &f.view.Parts[i]
		}
	}
	if f.declared == nil {
		return
	}
	for _, id := range unlisted(f.view, f.declared) {
		if !mistaken(f.view, f.declared, id) {
			f.parts[id] = nil
		}
	}
}

// unlisted are the declared parts that the device does not list, under their ids or any other name.
func unlisted(view *state.Device, d *declaration) []component.ID {
	var ids []component.ID
	for _, id := range d.parts {
		if findPart(view, id) == nil && !elsewhere(view, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// elsewhere reports whether a part that the model names here is another device's: its enclosure's, or all of the device
// is another one.
func elsewhere(view *state.Device, id component.ID) bool {
	return view != nil && (view.Moved[id] != "" || view.Into != "")
}

// findPart finds a part by its id or by an alias of its kind.
func findPart(view *state.Device, id component.ID) *state.Part {
	if view == nil {
		return nil
	}
	if p := view.Part(id); p != nil {
		return p
	}
	local := id.Local()
	for i := range view.Parts {
		p := &view.Parts[i]
		if p.Kind == id.Kind() && slices.ContainsFunc(p.Aliases, func(a string) bool { return strings.EqualFold(a, local) }) {
			return p
		}
	}
	return nil
}

// mistaken reports whether a part that is declared and not listed must be a mistake in the model: the device, heard in
// full, lists others of the kind, and not only ones that are declared too. Where it lists a subset of the declared ones
// the part was taken out.
func mistaken(view *state.Device, d *declaration, id component.ID) bool {
	if view == nil || !heard(view) {
		return false
	}
	listed := 0
	for i := range view.Parts {
		p := &view.Parts[i]
		if p.Kind != id.Kind() || p.Condition == component.Absent && !p.WasThere {
			continue
		}
		listed++
		if !isSupply(id.Kind()) || !declares(d, p) {
			return true
		}
	}
	return listed > 0 && !isSupply(id.Kind())
}

func declares(d *declaration, p *state.Part) bool {
	return slices.ContainsFunc(d.parts, func(id component.ID) bool {
		return id == p.ID || id.Kind() == p.Kind && slices.ContainsFunc(p.Aliases, func(a string) bool { return strings.EqualFold(a, id.Local()) })
	})
}

// heard reports whether all targets of the device answered, and in full.
func heard(view *state.Device) bool {
	if !view.Read {
		return false
	}
	return !slices.ContainsFunc(view.Targets, func(t state.Target) bool { return t.LastGood.IsZero() || len(t.Errors) > 0 })
}

func isSupply(k component.Kind) bool { return k == component.PSU || k == component.Rectifier }

// fromClaims makes a group of each claim with members; claims of equal kind and equal members are one.
func (f *former) fromClaims() {
	if f.view == nil {
		return
	}
	for _, c := range f.view.Claims {
		members := f.known(c.Members, c)
		if len(members) == 0 {
			continue
		}
		same := func(p *proto) bool { return p.kind == c.Kind && (p.id == c.Group || slices.Equal(p.members, members)) }
		if i := slices.IndexFunc(f.protos, same); i >= 0 {
			p := f.protos[i]
			p.members = union(p.members, members)
			p.claims = append(p.claims, c)
			continue
		}
		f.protos = append(f.protos, &proto{id: c.Group, kind: c.Kind, members: members, claims: []snapshot.Claim{c}})
	}
	for id, group := range f.was {
		if p := f.proto(group); p != nil && f.parts[id] != nil && f.parts[id].WasThere && !f.covered(id) {
			p.members = union(p.members, []component.ID{id})
		}
	}
}

// known are the members of a claim that the device lists, sorted, under the ids they are listed by.
func (f *former) known(ids []component.ID, c snapshot.Claim) []component.ID {
	var known []component.ID
	for _, id := range ids {
		if p := findPart(f.view, id); p != nil && p.Kind == c.Kind {
			known = append(known, p.ID)
		}
	}
	slices.Sort(known)
	return slices.Compact(known)
}

func (f *former) proto(id component.ID) *proto {
	for _, p := range f.protos {
		if p.id == id {
			return p
		}
	}
	return nil
}

func (f *former) covered(id component.ID) bool {
	return slices.ContainsFunc(f.protos, func(p *proto) bool { return slices.Contains(p.members, id) })
}

// fromDeclarations joins the declared groups with what the device claims of the same members.
func (f *former) fromDeclarations() {
	if f.declared == nil {
		return
	}
	for i := range f.declared.groups {
		g := &f.declared.groups[i]
		members := f.resolved(g.Members)
		p := f.claimed(g, members)
		if p == nil {
			p = &proto{kind: g.Kind}
			f.protos = append(f.protos, p)
		}
		p.id, p.declared = g.ID, g
		p.members = union(p.members, members)
	}
}

// resolved are declared ids as the device lists them.
func (f *former) resolved(ids []component.ID) []component.ID {
	real := make([]component.ID, len(ids))
	for i, id := range ids {
		real[i] = id
		if p := findPart(f.view, id); p != nil {
			real[i] = p.ID
		} else if f.view != nil && f.view.Moved[id] != "" {
			real[i] = f.view.Moved[id]
		}
	}
	slices.Sort(real)
	return slices.Compact(real)
}

// claimed finds the claims' group that a declaration speaks of: of the same id, or of the same kind with a member in
// common, or with the same kind where the declaration names no members.
func (f *former) claimed(g *topology.Group, members []component.ID) *proto {
	if p := f.proto(g.ID); p != nil {
		return p
	}
	for _, p := range f.protos {
		if p.kind == g.Kind && p.declared == nil && (len(members) == 0 || slices.ContainsFunc(members, func(id component.ID) bool { return slices.Contains(p.members, id) })) {
			return p
		}
	}
	return nil
}

// fromSupplies makes groups of the supplies that no claim and no declaration covers. Where there is one group of
// supplies already, what was seen in the device before belongs to it, and so does a single one beside it.
func (f *former) fromSupplies() {
	for _, kind := range []component.Kind{component.PSU, component.Rectifier} {
		var left []component.ID
		for id, p := range f.parts {
			if p != nil && p.Attributes[component.Role] == component.RoleController {
				continue
			}
			if id.Kind() == kind && !f.covered(id) && (p != nil || f.expects(id)) {
				left = append(left, id)
			}
		}
		slices.Sort(left)
		var own []*proto
		for _, p := range f.protos {
			if p.kind == kind {
				own = append(own, p)
			}
		}
		if len(own) == 1 {
			left = f.joinOthers(own[0], left)
		}
		if len(left) < 2 {
			continue
		}
		local := string(kind)
		if len(own) > 0 {
			local += "-other"
		}
		boxes := f.boxes(left)
		if len(boxes) < 2 {
			f.protos = append(f.protos, &proto{id: groupID(f.name, local), kind: kind, members: left})
			continue
		}
		for _, box := range slices.Sorted(maps.Keys(boxes)) {
			if len(boxes[box]) < 2 {
				continue
			}
			p := &proto{id: groupID(f.name, local), kind: kind, members: boxes[box]}
			if box != "" {
				p.id, p.box = groupID(f.name, local+"-"+box.Local()), box
			}
			f.protos = append(f.protos, p)
		}
	}
}

// boxes sorts supplies by what contains them, as the device says: the supplies of one member of a stack are no spares
// for those of another.
func (f *former) boxes(supplies []component.ID) map[component.ID][]component.ID {
	in := map[component.ID]component.ID{}
	if f.view != nil {
		for _, l := range f.view.Links {
			if l.Kind == component.Contains {
				in[l.To] = l.From
			}
		}
	}
	boxes := map[component.ID][]component.ID{}
	for _, id := range supplies {
		boxes[in[id]] = append(boxes[in[id]], id)
	}
	return boxes
}

// expects reports whether a declared supply that is not listed counts: cords go to it.
func (f *former) expects(id component.ID) bool { return isSupply(id.Kind()) }

func (f *former) joinOthers(p *proto, left []component.ID) (rest []component.ID) {
	var present []component.ID
	for _, id := range left {
		part := f.parts[id]
		switch {
		case part == nil, part.Condition == component.Absent && part.WasThere:
			p.members = union(p.members, []component.ID{id})
		case part.Condition != component.Absent:
			present = append(present, id)
		}
	}
	if len(present) == 1 {
		p.members = union(p.members, present)
		return nil
	}
	return present
}

func union(a, b []component.ID) []component.ID {
	u := append(slices.Clone(a), b...)
	slices.Sort(u)
	return slices.Compact(u)
}

// links are the links that follow from what the device is: volumes and a lone supply hold up its main components.
func (f *former) links(formed []form) []component.Link {
	grouped := map[component.ID]bool{}
	for i := range formed {
		for _, id := range formed[i].members {
			grouped[id] = true
		}
	}
	var links []component.Link
	for _, id := range slices.Sorted(maps.Keys(f.parts)) {
		p := f.parts[id]
		lone := isSupply(id.Kind()) && !grouped[id] && (p == nil && f.expects(id) || p != nil && (p.Condition != component.Absent || p.WasThere))
		if id.Kind() != component.Volume && !lone {
			continue
		}
		for _, main := range f.carried(&proto{}) {
			links = append(links, component.Link{From: id, To: main, Kind: component.Contains})
		}
	}
	return links
}

// locals names ids of one device for people: "2, 3".
func locals(ids []component.ID) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = id.Local()
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
	return strings.Join(words, ", ")
}
