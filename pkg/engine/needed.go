package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// numbers settles what is needed and designed; ok is false where that is not known, and the group not judged.
func (f *former) numbers(p *proto) (g form, ok bool) {
	g = form{id: p.id, kind: p.kind, claims: p.claims, carries: f.carried(p)}
	var why []string
	learned := f.count(p, &g, &why)
	g.present, _, _ = f.present(p)
	if len(g.members)+g.missing == 0 {
		return g, false
	}
	ok = f.need(p, &g, &why)
	if !ok {
		return g, false
	}
	if learned && g.basis != Declared {
		g.basis = Learned
	}
	if p.declared != nil && p.declared.Designed > 0 && g.basis == Assumed {
		g.basis = Declared
	}
	f.raise(&g, &why)
	g.why = strings.Join(why, "; ")
	return g, true
}

// count settles which members count and how many there should be. learned is true where memory made them more.
func (f *former) count(p *proto, g *form, why *[]string) (learned bool) {
	notWhole, claimed := wholeness(p.claims)
	present, there, works := f.present(p)
	room := 0 // empty bays that count because the device says that the group is not whole
	switch {
	case notWhole && claimed > 0:
		room = claimed - present - there
	case notWhole && there == 0 && works == present:
		room = len(p.members)
	}
	for _, id := range p.members {
		part := f.parts[id]
		counts := part == nil || part.Condition != component.Absent || part.WasThere || f.named(id)
		if !counts && room > 0 {
			room--
			present++
			counts = true
		}
		if part != nil && part.Condition == component.Absent && !part.WasThere && f.named(id) || part == nil {
			present++ // declared: it should be there
		}
		if counts {
			g.members = append(g.members, id)
		} else {
			g.empty = append(g.empty, id)
		}
	}
	g.designed = present + there
	if best := f.best[p.id]; best > 0 {
		g.designed = max(present, best)
	}
	if learned = g.designed > present; learned {
		*why = append(*why, fmt.Sprintf("%d were seen together", g.designed))
	}
	if notWhole && claimed > g.designed {
		g.designed = claimed
		*why = append(*why, fmt.Sprintf("the device says that %d belong to it and that it is not whole", claimed))
	}
	if d := p.declared; d != nil && (d.Designed > 0 || len(d.Members) > 0) {
		g.designed, learned = len(g.members), false
		if d.Designed > 0 {
			g.designed = d.Designed
		}
	}
	if len(g.empty) > 0 {
		*why = append(*why, "never seen filled: "+locals(g.empty))
	}
	g.missing = max(0, g.designed-len(g.members))
	return learned
}

// wholeness reports whether a device says that a group lacks something, and how many it says belong to it.
func wholeness(cs []snapshot.Claim) (notWhole bool, designed int) {
	for _, c := range cs {
		notWhole = notWhole || c.State == snapshot.ClaimDegraded || c.State == snapshot.ClaimLost || c.State == snapshot.ClaimInsuff
		designed = max(designed, c.Designed)
	}
	return notWhole, designed
}

// present counts the members that are in place, those that were and are gone, and those that work.
func (f *former) present(p *proto) (present, gone, work int) {
	for _, id := range p.members {
		part := f.parts[id]
		switch {
		case part == nil:
		case part.Condition != component.Absent:
			present++
			if ok, _ := part.Available(); ok {
				work++
			}
		case part.WasThere:
			gone++
		}
	}
	return present, gone, work
}

// named reports whether the model names the part.
func (f *former) named(id component.ID) bool {
	return f.declared != nil && slices.Contains(f.resolved(f.declared.parts), id)
}

// need settles how many are needed, before capacity.
func (f *former) need(p *proto, g *form, why *[]string) bool {
	g.basis = Claimed
	switch claimed := claimedNeed(p.claims, g.designed); {
	case p.declared != nil && p.declared.Needed > 0:
		g.needed, g.basis = p.declared.Needed, Declared
	case claimed > 0:
		g.needed = claimed
		if says := claimedNeed(p.claims, claimed+len(p.members)); says > g.designed {
			*why = append(*why, fmt.Sprintf("the device says that %d are needed, and has only %d in place", says, g.designed))
		}
	case claims(p.claims, snapshot.ClaimNotRedun):
		g.needed = g.designed
		*why = append(*why, "the device says that it is configured without redundancy")
	case isSupply(p.kind) || p.declared != nil || saysState(p.claims):
		g.needed, g.basis = f.assume(p, g), Assumed
	default:
		return false
	}
	g.needed = min(max(g.needed, 1), max(g.designed, 1))
	g.assumed = g.basis == Assumed && g.designed > 1
	return true
}

func claimedNeed(cs []snapshot.Claim, designed int) int {
	need := 0
	for _, c := range cs {
		need = max(need, min(c.Needed, max(designed, 1)))
	}
	return need
}

func claims(cs []snapshot.Claim, s snapshot.ClaimState) bool {
	return slices.ContainsFunc(cs, func(c snapshot.Claim) bool { return c.State == s })
}

func saysState(cs []snapshot.Claim) bool {
	return slices.ContainsFunc(cs, func(c snapshot.Claim) bool { return c.State != snapshot.ClaimNone })
}

// assume is what is needed where nobody says: all but one, or fewer where the device's own verdict shows that.
func (f *former) assume(p *proto, g *form) int {
	available := 0
	for _, id := range g.members {
		if part := f.parts[id]; part != nil {
			if ok, _ := part.Available(); ok {
				available++
			}
		}
	}
	need := g.designed - 1
	switch {
	case claims(p.claims, snapshot.ClaimInsuff):
		return available + 1
	case claims(p.claims, snapshot.ClaimLost):
		return min(need, available)
	case claims(p.claims, snapshot.ClaimDegraded):
		return min(need, available-1)
	}
	return need
}

// raise applies capacity, which only raises what is needed: to the smallest number of members that carries the highest
// load known, whichever they are.
func (f *former) raise(g *form, why *[]string) {
	if !isSupply(g.kind) || f.view == nil || g.missing > 0 {
		return
	}
	var ratings []float64
	for _, id := range g.members {
		w := f.rating(id)
		if w <= 0 {
			return
		}
		ratings = append(ratings, w)
	}
	slices.Sort(ratings)
	g.load = max(f.load(g, ratings), f.view.Peaks[g.id])
	sum, carries := 0.0, len(ratings)
	for i, w := range ratings {
		if sum += w; sum >= g.load {
			carries = i + 1
			break
		}
	}
	if carries = min(carries, g.designed); carries > g.needed {
		g.raised, g.needed, g.basis = g.needed, carries, Capacity
		*why = append(*why, fmt.Sprintf("the highest load seen, %.0f W, needs %d of them (%s W each)", g.load, carries, watts(ratings)))
	}
}

func watts(ratings []float64) string {
	if ratings[0] == ratings[len(ratings)-1] {
		return fmt.Sprintf("%.0f", ratings[0])
	}
	return fmt.Sprintf("%.0f to %.0f", ratings[0], ratings[len(ratings)-1])
}

func (f *former) rating(id component.ID) float64 {
	if p := f.parts[id]; p != nil && p.Rating != nil && p.Rating.Watts > 0 {
		return p.Rating.Watts
	}
	return f.view.Ratings[id].Watts
}

// implausible is how far above its rating a supply's reading may be before it is taken for something else: some devices
// give the rated input as input power.
const implausible = 1.15

// load is what the group carries now in W: the sum of its members' outputs, or of their inputs where no output is given.
func (f *former) load(g *form, ratings []float64) float64 {
	sum := 0.0
	for _, id := range g.members {
		p := f.parts[id]
		if p == nil || p.Condition == component.Absent {
			continue
		}
		v := p.Reading("output_power")
		if !v.Known() {
			v = p.Reading("input_power")
		}
		if v.Known() && float64(v) > 0 && float64(v) <= implausible*f.rating(id) {
			sum += float64(v)
		}
	}
	return sum
}

// carried is what leans on the group: as declared, as claimed, else the device.
func (f *former) carried(p *proto) []component.ID {
	if p.declared != nil && p.declared.Carries != "" {
		return []component.ID{p.declared.Carries}
	}
	var all []component.ID
	for _, c := range p.claims { // several volumes may lie on the same drives
		if c.Carries != "" && !slices.Contains(all, c.Carries) {
			all = append(all, c.Carries)
		}
	}
	if len(all) > 0 {
		return all
	}
	switch {
	case p.box != "":
		return []component.ID{p.box}
	case f.site:
		return nil
	case p.kind.Domain() == component.Network: // a gateway, a pair of switches, stack ports: the device works without them
		return nil
	}
	if f.view != nil && f.view.Made { // nobody's but that of the machines in it
		return slices.Clone(f.view.Carries)
	}
	if f.view != nil && len(f.view.Carries) > 0 {
		return union(f.mains(), f.view.Carries)
	}
	return f.mains()
}

// mains are the main components of the device: its enclosure, or each of its hosts.
func (f *former) mains() []component.ID {
	var ids []component.ID
	if f.view != nil {
		for i := range f.view.Parts {
			ids = append(ids, f.view.Parts[i].ID)
		}
	}
	main := topology.Main(ids)
	switch {
	case main == "" && f.declared != nil && len(f.declared.mains) > 0:
		return f.declared.mains
	case main == "":
		return []component.ID{component.NewID(f.name, component.Host, "1")}
	case main.Kind() != component.Host:
		return []component.ID{main}
	}
	return slices.DeleteFunc(ids, func(id component.ID) bool { return id.Kind() != component.Host })
}
