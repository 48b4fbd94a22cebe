package term

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// Inspection prints what one poll of one device saw: what it is and whether anything is unknown, its groups, what is
// wrong, then its parts.
func (p *Printer) Inspection(in *api.Inspection) {
	p.Line("%s", p.paint(strong, identity(in)+" "+verdict(in)))
	p.Line("%s", p.paint(dim, fmt.Sprintf("%s, %s in %d ms", in.Target, Count(in.Requests, "request"), in.Took)))
	p.content(in)
}

// content is what an inspection says below its first lines.
func (p *Printer) content(in *api.Inspection) {
	if len(in.Groups) > 0 {
		p.Heading("Redundancy")
		p.groups(in)
	} else if in.Reachable {
		p.Line("\n%s", p.paint(unsure, "Nothing in it is known to be redundant."))
	}
	wrong, fine := sortParts(in.Components)
	if len(wrong) > 0 {
		p.Heading("Not ok")
		p.wrong(wrong)
	}
	if len(fine) > 0 {
		p.Heading("Parts")
		p.parts(fine)
	}
	if len(in.Errors) > 0 {
		p.Heading("Could not be read")
		p.errors(in.Errors)
	}
}

// identity is "srv-101: Dell PowerEdge R750, serial ABC, firmware 6.0."
func identity(in *api.Inspection) string {
	d := in.Device
	words := []string{}
	what := strings.TrimSpace(clean(d.Vendor + " " + d.Model))
	if strings.HasPrefix(strings.ToLower(d.Model), strings.ToLower(d.Vendor)) {
		what = clean(d.Model)
	}
	if what != "" {
		words = append(words, what)
	}
	if d.Serial != "" {
		words = append(words, "serial "+clean(d.Serial))
	}
	if d.Firmware != "" {
		words = append(words, "firmware "+clean(d.Firmware))
	}
	if d.Powered == "off" {
		words = append(words, "powered off")
	}
	switch {
	case len(words) == 0 && !in.Reachable:
		return d.Name
	case len(words) == 0:
		words = append(words, "it does not say what it is")
	}
	return d.Name + ": " + strings.Join(words, ", ") + "."
}

// verdict is the rest of the first line.
func verdict(in *api.Inspection) string {
	if !in.Reachable {
		return "was not reached."
	}
	parts, groups := in.Unknown()
	switch {
	case parts == 0 && groups == 0 && in.Exit() == api.NoWord:
		return "Nothing of it could be judged."
	case parts == 0 && groups == 0 && len(in.Errors) > 0:
		return "Nothing is unknown of what could be read; " + Count(len(in.Errors), "thing") + " could not."
	case parts == 0 && groups == 0:
		return "Nothing is unknown."
	}
	var words []string
	if groups > 0 {
		words = append(words, fmt.Sprintf("%d of %s", groups, Count(len(in.Groups), "group")))
	}
	if parts > 0 {
		words = append(words, fmt.Sprintf("%d of %s", parts, Count(len(in.Components), "part")))
	}
	return "Unknown: " + strings.Join(words, ", ") + "."
}

func (p *Printer) groups(in *api.Inspection) {
	sorted := slices.Clone(in.Groups)
	slices.SortStableFunc(sorted, func(a, b api.Group) int { return gravity(b.State) - gravity(a.State) })
	var rows [][]cell
	for i := range sorted {
		g := &sorted[i]
		rows = append(rows, []cell{stateCell(g.State), {g.ID.Local(), normal}, spares(&g.Group), needs(&g.Group), {clean(strings.ReplaceAll(g.Why, in.Device.Name+"/", "")), normal}})
	}
	p.rows(rows)
}

// gravity orders states for reading: the worst first, unknown before what is fine.
func gravity(s engine.State) int {
	return slices.Index([]engine.State{engine.Full, engine.None, engine.StateUnknown, engine.Degraded, engine.Lost, engine.Insufficient}, s)
}

func spares(g *engine.Group) cell {
	if g.Spares == nil {
		return cell{"spares unknown", unsure}
	}
	if *g.Spares < 0 {
		return cell{"too few work", bad}
	}
	words := "no spare"
	if *g.Spares > 0 {
		words = Count(*g.Spares, "spare")
	}
	if g.SparesFull != nil && *g.SparesFull != *g.Spares {
		words = fmt.Sprintf("%d of %s", *g.Spares, Count(*g.SparesFull, "spare"))
	}
	if g.SparesWorst != nil && *g.SparesWorst != *g.Spares {
		words += ", at worst " + engine.Count(g.SparesWorst)
	}
	return text("%s", words)
}

func needs(g *engine.Group) cell {
	if g.Needed <= 0 {
		return cell{"needs not known", unsure}
	}
	words := fmt.Sprintf("needs %d of %d", g.Needed, g.Designed)
	if g.Basis != "" {
		words += " (" + string(g.Basis) + ")"
	}
	return cell{words, dim}
}

// sortParts splits the parts into those that are not ok, the gravest first, and the others, by kind.
func sortParts(all []component.Component) (wrong, fine []component.Component) {
	for i := range all {
		c := all[i]
		if c.Condition == component.OK && !c.InputLost && !c.Rebuilding && !c.Predicted {
			fine = append(fine, c)
		} else {
			wrong = append(wrong, c)
		}
	}
	slices.SortStableFunc(wrong, func(a, b component.Component) int { return int(partCell(&b).tone) - int(partCell(&a).tone) })
	slices.SortStableFunc(fine, func(a, b component.Component) int {
		return cmp.Or(kindOrder(a.Kind)-kindOrder(b.Kind), natural(a.ID.Local(), b.ID.Local()))
	})
	return wrong, fine
}

// natural orders local ids as people count: 2 before 10.
func natural(a, b string) int {
	if x, err := strconv.Atoi(a); err == nil {
		if y, err := strconv.Atoi(b); err == nil {
			return x - y
		}
	}
	return 0
}

// partCell is a part's condition. A port that nothing is plugged into has no link, which is no fault.
func partCell(c *component.Component) cell {
	if c.Kind == component.Port && c.InputLost && c.Condition == component.OK {
		return cell{"- no link", normal}
	}
	return statusCell(c.Status)
}

// kindOrder is the order in which parts are read: what fails most often and matters most first.
func kindOrder(k component.Kind) int {
	order := []component.Kind{component.Host, component.Enclosure, component.Blade, component.PDU, component.UPS, component.ATS, component.Switch, component.Router,
		component.PSU, component.Rectifier, component.Fan, component.Volume, component.Drive, component.Controller, component.Battery, component.Inlet, component.Bank, component.Phase, component.Breaker, component.Outlet}
	if i := slices.Index(order, k); i >= 0 {
		return i
	}
	return len(order)
}

// fold is how many parts of one kind are not ok before they are summed up by what they say.
const fold = 6

// wrong prints the parts that are not ok. Many of one kind that say the same are one line.
func (p *Printer) wrong(parts []component.Component) {
	type sort struct {
		kind   component.Kind
		status component.Status
		why    string
	}
	same := map[sort][]component.Component{}
	var order []sort
	for _, c := range parts {
		k := sort{c.Kind, c.Status, c.Why}
		if same[k] == nil {
			order = append(order, k)
		}
		same[k] = append(same[k], c)
	}
	var rows [][]cell
	for _, k := range order {
		if list := same[k]; len(list) > fold && !p.o.All {
			rows = append(rows, []cell{partCell(&list[0]), {string(k.kind) + "/" + locals(list), normal}, {k.kind.Count(len(list)), dim}, {clean(k.why), normal}})
			continue
		}
		for _, c := range same[k] {
			rows = append(rows, []cell{partCell(&c), {local(c.ID), normal}, {clean(c.Name), dim}, {clean(c.Why), normal}})
		}
	}
	p.rows(rows)
}

// parts prints the parts that are ok: one line each, and one for many of a kind.
func (p *Printer) parts(parts []component.Component) {
	var rows [][]cell
	for len(parts) > 0 {
		n := 1
		for n < len(parts) && parts[n].Kind == parts[0].Kind {
			n++
		}
		of := parts[:n]
		parts = parts[n:]
		if n > 2*fold && !p.o.All {
			rows = append(rows, []cell{{"✓ ok", good}, {string(of[0].Kind) + "/" + locals(of), normal}, {of[0].Kind.Count(n), dim}, {span(of), normal}})
			continue
		}
		for _, c := range of {
			rows = append(rows, []cell{partCell(&c), {local(c.ID), normal}, {clean(c.Name), dim}, {readings(c.Readings), normal}})
		}
	}
	p.rows(rows)
}

// local is the id without its device, which the first line names.
func local(id component.ID) string { return string(id.Kind()) + "/" + id.Local() }

// locals sums up local ids: "1-24", or the first and the last.
func locals(parts []component.Component) string {
	first, last := parts[0].ID.Local(), parts[len(parts)-1].ID.Local()
	a, errA := strconv.Atoi(first)
	b, errB := strconv.Atoi(last)
	if errA == nil && errB == nil && b-a == len(parts)-1 {
		return first + "-" + last
	}
	return first + " ... " + last
}

func readings(all []component.Reading) string {
	const shown = 4
	var words []string
	for _, r := range all {
		if !r.Value.Known() || len(words) == shown {
			continue
		}
		name := strings.ReplaceAll(clean(r.Name), "_", " ")
		if r.Phase != "" {
			name += " " + clean(r.Phase)
		}
		words = append(words, name+" "+component.Quantity(float64(r.Value), r.Unit))
	}
	return strings.Join(words, ", ")
}

// span is the range of the readings that most of many parts share.
func span(parts []component.Component) string {
	type key struct{ name, unit string }
	low, high, seen := map[key]float64{}, map[key]float64{}, map[key]int{}
	var order []key
	for _, c := range parts {
		for _, r := range c.Readings {
			if !r.Value.Known() || r.Phase != "" {
				continue
			}
			k := key{r.Name, r.Unit}
			v := float64(r.Value)
			if seen[k] == 0 {
				order, low[k], high[k] = append(order, k), v, v
			}
			seen[k]++
			low[k], high[k] = min(low[k], v), max(high[k], v)
		}
	}
	var words []string
	for _, k := range order {
		if 2*seen[k] < len(parts) || len(words) == 2 {
			continue
		}
		name := strings.ReplaceAll(clean(k.name), "_", " ")
		if low[k] == high[k] {
			words = append(words, name+" "+component.Quantity(low[k], k.unit))
			continue
		}
		words = append(words, name+" "+component.Quantity(low[k], "")+" to "+component.Quantity(high[k], k.unit))
	}
	return strings.Join(words, ", ")
}

func (p *Printer) errors(all []snapshot.Error) {
	const shown = 10
	for i, e := range all {
		if i == shown && !p.o.All {
			p.Line("  and %d more (--all)", len(all)-shown)
			return
		}
		line := clean(e.Error)
		if e.At != "" {
			line = clean(e.At) + ": " + line
		}
		if e.Hint != "" {
			line += p.paint(dim, " ("+clean(e.Hint)+")")
		}
		p.Line("  %s", line)
	}
}
