package topology

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/spelling"
)

// mainKinds are the kinds of a device's own main component, the most telling first: a switch in an enclosure is listed
// under its enclosure.
var mainKinds = []component.Kind{component.Enclosure, component.Host, component.Switch, component.Router, component.UPS, component.ATS, component.PDU}

// Main picks the main component of a device among the ids of its components: of the most telling kind the one with the
// lowest local id. It is "" where none of them is a main component.
func Main(ids []component.ID) component.ID {
	best, rank := component.ID(""), len(mainKinds)
	for _, id := range ids {
		r := slices.Index(mainKinds, id.Kind())
		if r < 0 || r > rank || (r == rank && !natural(id.Local(), best.Local())) {
			continue
		}
		best, rank = id, r
	}
	return best
}

// natural orders local ids: shorter numbers first.
func natural(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

// names finds what a person means by a name.
type names struct {
	site         string
	found        map[component.ID]bool
	main         map[string]component.ID // by device
	distributors map[string][]component.ID
	declared     map[string][]component.ID // by bare name
	observed     map[string]bool
	aliases      []FoundComponent
	byAlias      map[string][]component.ID // made when first wanted
}

func newNames(m *Model, f Found) *names {
	n := &names{
		site:         m.Site,
		found:        make(map[component.ID]bool, len(f.Components)),
		main:         map[string]component.ID{},
		distributors: map[string][]component.ID{},
		declared:     map[string][]component.ID{},
		observed:     make(map[string]bool, len(m.Observed)),
		aliases:      f.Components,
	}
	for _, d := range m.Observed {
		n.observed[d] = true
	}
	for i := range f.Components {
		id := f.Components[i].ID
		n.found[id] = true
		n.noteMain(id)
	}
	n.noteDeclared(m)
	return n
}

func (n *names) noteMain(id component.ID) {
	if !slices.Contains(mainKinds, id.Kind()) {
		return
	}
	device := id.Device()
	n.main[device] = Main([]component.ID{n.main[device], id})
	if distributes(id.Kind()) {
		n.distributors[device] = append(n.distributors[device], id)
	}
}

// noteDeclared notes the declared things by their bare names, and the main components that devices which reported
// nothing yet are said to have.
func (n *names) noteDeclared(m *Model) {
	bare := func(id component.ID) {
		if local := id.Local(); id.Device() == n.site && local != "" && !slices.Contains(n.declared[local], id) {
			n.declared[local] = append(n.declared[local], id)
		}
	}
	for i := range m.Components {
		bare(m.Components[i].ID)
	}
	for i := range m.Groups {
		bare(m.Groups[i].ID)
	}
	for i := range m.Services {
		bare(m.Services[i].ID)
	}
	reported := map[string]bool{}
	for id := range n.found {
		reported[id.Device()] = true
	}
	guess := func(id component.ID) {
		if id.Device() != n.site && !reported[id.Device()] && id.Local() == "1" {
			n.noteGuess(id)
		}
	}
	for i := range m.Components {
		guess(m.Components[i].ID)
	}
	for i := range m.Links {
		guess(m.Links[i].From)
		guess(m.Links[i].To)
		bare(m.Links[i].From)
		bare(m.Links[i].To)
	}
	for i := range m.Links {
		n.guessByOutlet(m.Links[i].From, reported)
	}
}

func (n *names) noteGuess(id component.ID) {
	if slices.Contains(n.distributors[id.Device()], id) {
		return
	}
	n.noteMain(id)
}

// guessByOutlet takes a device with outlets that was not read yet, and that nothing else tells of, for a pdu.
func (n *names) guessByOutlet(id component.ID, reported map[string]bool) {
	device := id.Device()
	if id.Kind() == component.Outlet && !reported[device] && n.main[device] == "" {
		n.noteMain(component.NewID(device, component.PDU, "1"))
	}
}

// distributor is the one main component of a device that hands power on.
func (n *names) distributor(device string) (component.ID, bool) {
	if ids := n.distributors[device]; len(ids) == 1 {
		return ids[0], true
	}
	return "", false
}

// Distributes returns the device that hands on power through its parts where id is the one main component of a pdu, ups
// or ats: who takes that down takes its outlets down, whatever feeds them inside.
func (g *Graph) Distributes(id component.ID) (device string, ok bool) {
	main, ok := g.names.distributor(id.Device())
	return id.Device(), ok && main == id
}

// canonical is the id that an id in the model stands for.
func (n *names) canonical(id component.ID) component.ID {
	if n.found[id] {
		return id
	}
	if !strings.Contains(string(id), "/") {
		return n.bare(string(id), id)
	}
	if k := id.Kind(); k == component.Group || k == component.ServiceKind || id.Device() == n.site {
		return id
	}
	if main := n.main[id.Device()]; main != "" && id.Local() == "1" && slices.Contains(mainKinds, id.Kind()) {
		return main
	}
	if !n.reports(id.Device()) {
		return id
	}
	if ids := n.alias(string(id)); len(ids) == 1 {
		return ids[0]
	}
	return id
}

func (n *names) reports(device string) bool { return n.main[device] != "" || n.observed[device] }

func (n *names) bare(name string, otherwise component.ID) component.ID {
	if main := n.main[name]; main != "" {
		return main
	}
	if n.observed[name] {
		return component.NewID(name, component.Host, "1")
	}
	if ids := n.declared[name]; len(ids) == 1 {
		return ids[0]
	}
	return otherwise
}

func (n *names) knows(name component.ID) bool { return n.bare(string(name), "") != "" }

// alias finds components by another name of theirs: "device/alias", "device/kind/alias", or the alias alone.
func (n *names) alias(name string) []component.ID {
	if n.byAlias == nil {
		n.indexAliases()
	}
	return n.byAlias[strings.ToLower(name)]
}

func (n *names) indexAliases() {
	n.byAlias = make(map[string][]component.ID, len(n.aliases))
	add := func(name string, id component.ID) {
		name = strings.ToLower(name)
		if !slices.Contains(n.byAlias[name], id) {
			n.byAlias[name] = append(n.byAlias[name], id)
		}
	}
	for i := range n.aliases {
		c := &n.aliases[i]
		for _, a := range c.Aliases {
			add(a, c.ID)
			add(c.ID.Device()+"/"+a, c.ID)
			add(c.ID.Device()+"/"+string(c.ID.Kind())+"/"+a, c.ID)
		}
	}
}

// UnknownNameError is a name that means nothing, or more than one thing.
type UnknownNameError struct {
	Name       string
	Candidates []component.ID // what it may mean, sorted; empty: nothing
	Near       string         // what is nearly called so; empty: nothing is
}

func (e *UnknownNameError) Error() string {
	if len(e.Candidates) == 0 && e.Near != "" {
		return fmt.Sprintf("nothing is called %q: did you mean %s?", e.Name, e.Near)
	}
	if len(e.Candidates) == 0 {
		return fmt.Sprintf("nothing is called %q: write an id as device/kind/local-id, a device's name or a service's", e.Name)
	}
	const shown = 8
	words := make([]string, 0, shown)
	for i, id := range e.Candidates {
		if i == shown {
			words = append(words, fmt.Sprintf("or %d more", len(e.Candidates)-shown))
			break
		}
		words = append(words, string(id))
	}
	return fmt.Sprintf("%q may mean %s: write one of them", e.Name, strings.Join(words, ", "))
}

// Resolve finds the component, group or service that a person means by an id, an alias, a device's name (its main
// component) or a bare name that is unique. Its error is an *UnknownNameError.
func (g *Graph) Resolve(name string) (component.ID, error) {
	if _, ok := g.nodes[component.ID(name)]; ok {
		return component.ID(name), nil
	}
	if id := g.names.canonical(component.ID(name)); id != component.ID(name) {
		if _, ok := g.nodes[id]; ok {
			return id, nil
		}
	}
	candidates := g.candidates(name)
	if len(candidates) == 1 {
		return candidates[0], nil
	}
	unknown := &UnknownNameError{Name: name, Candidates: candidates}
	if len(candidates) == 0 {
		unknown.Near = g.near(name)
	}
	return "", unknown
}

// near is the device, or what is declared, whose name differs from a given one by a letter or two.
func (g *Graph) near(name string) string {
	known := slices.AppendSeq(slices.Collect(maps.Keys(g.names.main)), maps.Keys(g.names.declared))
	for id := range g.nodes {
		if id.Kind() == component.ServiceKind {
			known = append(known, id.Local())
		}
	}
	slices.Sort(known)
	return spelling.Nearest(name, known)
}

func (g *Graph) candidates(name string) []component.ID {
	ids := slices.Clone(g.names.declared[name])
	ids = append(ids, g.names.alias(name)...)
	if len(ids) == 0 {
		for id := range g.nodes {
			// "feed/feed-a" without its site, "psu/1" without its device.
			if strings.HasSuffix(string(id), "/"+name) || id.Local() == name {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
