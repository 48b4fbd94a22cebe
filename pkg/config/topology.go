package config

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// rawComponent is a declared component, its range expanded.
type rawComponent struct {
	ref    string // as written: a bare name, a device's name, or device/kind/local
	kind   component.Kind
	name   string
	rating *component.Rating
	derate float64
	phase  string
	draws  *component.Rating
	rate   topology.Rate
	at     place
}

// rawEdge is one dependant and what it leans on, as written.
type rawEdge struct {
	to string
	// toKind is the kind of the declared thing that to is, where the edge was written at its declaration.
	toKind component.Kind
	from   []string
	kind   component.LinkKind // "" of a cable: what the provider is tells it
	// cable: the dependant may have only one of these.
	cable bool
	at    place
}

// lists are topology's lists of components, in the order in which power and traffic flow.
var lists = []struct {
	key  string
	kind component.Kind
}{
	{"utilities", component.Utility}, {"generators", component.Generator}, {"ats", component.ATS}, {"ups", component.UPS},
	{"panels", component.Panel}, {"breakers", component.Breaker}, {"feeds", component.Feed}, {"pdus", component.PDU},
	{"cooling", component.Cooling}, {"conduits", component.Conduit}, {"circuits", component.Circuit}, {"upstreams", component.Upstream},
	{"routers", component.Router}, {"switches", component.Switch}, {"components", ""},
}

func (l *loader) takeTopology(n node) {
	if n.null() {
		return
	}
	known := []string{"cables", "groups", "links", "rates"}
	for _, list := range lists {
		known = append(known, list.key)
	}
	s := l.mapping(n, "topology", known...)
	for _, list := range lists {
		for _, item := range s.items(list.key) {
			l.takeComponent(item, list.key, list.kind)
		}
	}
	l.takeRates(s.keys["rates"])
	for _, c := range s.texts("cables") {
		l.takeCable(c)
	}
	for _, c := range s.texts("links") {
		l.takeLink(c)
	}
	for _, g := range s.items("groups") {
		l.takeGroup(g)
	}
}

// takeComponent reads one entry of a list: a name, or keys.
func (l *loader) takeComponent(n node, list string, kind component.Kind) {
	if n.is(0) || n.null() || !strings.Contains(n.what(), "keys") {
		ref := l.text(n, "an entry of "+list)
		if n.null() {
			l.wrong(n.at(), "write {id: NAME}", "%s holds an empty entry", list)
		}
		if refs, ok := l.expand(located{ref, n.at()}); ok && ref != "" {
			for _, ref := range refs {
				l.declared = append(l.declared, &rawComponent{ref: ref, kind: kind, at: n.at()})
			}
		}
		return
	}
	title := "an entry of " + list
	keys := []string{"id", "name", "rating", "breaker", "derate", "phase", "draws", "mtbf", "mttr", "fed_by", "cooled_by", "carried_by", "through"}
	if kind == "" {
		keys = append(keys, "kind")
	}
	s := l.mapping(n, title, keys...)
	refs, ok := l.expand(located{s.text("id"), s.where("id")})
	if !ok {
		return
	}
	if refs[0] == "" {
		l.wrong(s.at(), "write id: NAME", "%s has no id", title)
		return
	}
	own, ok := l.anyKind(s)
	if !ok {
		return
	}
	c := rawComponent{kind: cmp.Or(kind, own), rating: l.rating(s), derate: l.derate(s), phase: l.phase(s), draws: l.draws(s), rate: l.rate(s), at: s.at()}
	names := l.zip(located{s.text("name"), s.where("name")}, len(refs), many(len(refs), "id"))
	for i, ref := range refs {
		c := c
		c.ref = ref
		if names != nil {
			c.name = names[i]
		}
		l.declared = append(l.declared, &c)
	}
	for _, e := range []struct {
		key   string
		kind  component.LinkKind
		cable bool
	}{{"fed_by", component.Feeds, true}, {"cooled_by", component.Cools, false}, {"carried_by", component.Carries, false}, {"through", component.Contains, false}} {
		if s.has(e.key) {
			l.edgesOf(refs, s.texts(e.key), rawEdge{toKind: c.kind, kind: e.kind, cable: e.cable, at: s.where(e.key)})
		}
	}
}

func (l *loader) anyKind(s *section) (component.Kind, bool) {
	k := component.Kind(s.text("kind"))
	if k != "" && !slices.Contains(component.Kinds(), k) {
		l.wrong(s.where("kind"), didYouMean(string(k), words(component.Kinds()), "write one of "+strings.Join(words(component.Kinds()), ", ")), "%q is no kind of component", k)
		return "", false
	}
	return k, true
}

// rating reads "rating", or "breaker", which says the same of a feed.
func (l *loader) rating(s *section) *component.Rating {
	key := "rating"
	if s.has("breaker") {
		if key = "breaker"; s.has("rating") {
			l.wrong(s.where("breaker"), "take one of them out", "%s has both a rating and a breaker", s.title)
		}
	}
	if !s.has(key) {
		return nil
	}
	r := l.mapping(s.keys[key], key, "watts", "va", "amps", "volts", "phases", "bits")
	rating := component.Rating{
		Watts: r.amount("watts", "W"), VA: r.amount("va", "VA"), Amps: r.amount("amps", "A"), Volts: r.amount("volts", "V"),
		Phases: r.number("phases", 1, 3, 0), Bits: r.amount("bits", "bit/s"),
	}
	switch {
	case rating.Phases == 2:
		l.wrong(r.where("phases"), "write 1 or 3", "%s has 2 phases", key)
	case !r.has("watts") && !r.has("va") && !r.has("amps") && !r.has("bits"):
		l.wrong(r.at(), "write {amps: 32, volts: 230, phases: 3}, {va: 10000}, {watts: 750} or {bits: 10e9}", "%s does not say how much it carries", key)
	}
	return &rating
}

func (l *loader) derate(s *section) float64 {
	v := s.amount("derate", "parts of 1")
	if v > 1 {
		l.wrong(s.where("derate"), "write 0.8 for 80 %", "derate is %v, more than all of it", v)
		return 0
	}
	return v
}

// zip expands a text to n words: as many as it stands for, or the same for all.
func (l *loader) zip(t located, n int, of string) []string {
	if t.text == "" {
		return nil
	}
	out, ok := l.expand(t)
	switch {
	case !ok:
		return nil
	case len(out) == n:
		return out
	case len(out) == 1:
		return slices.Repeat(out, n)
	}
	verb := "are"
	if n == 1 {
		verb = "is"
	}
	l.wrong(t.at, "make the two ranges equally long", "%q stands for %d names, but there %s %s", t.text, len(out), verb, of)
	return nil
}

// edgesOf lets each of the dependants lean on the providers.
func (l *loader) edgesOf(to []string, providers []located, like rawEdge) {
	edges := make([]rawEdge, len(to))
	for i, ref := range to {
		edges[i] = like
		edges[i].to = ref
	}
	for _, p := range providers {
		for _, word := range splitList(p.text) {
			if word == "" {
				l.wrong(p.at, "write NAME, or NAME, NAME", "%q has an empty place between its commas", p.text)
				return
			}
			from := l.zip(located{word, p.at}, len(to), many(len(to), "dependant")+" left of it")
			if from == nil {
				return
			}
			for i := range edges {
				if slices.Contains(edges[i].from, from[i]) {
					l.wrong(p.at, "take one of them out", "%q is named twice for %q", from[i], edges[i].to)
					return
				}
				edges[i].from = append(edges[i].from, from[i])
			}
		}
	}
	for i := range edges {
		l.edges = append(l.edges, &edges[i])
	}
}

const cableForm = `write "DEPENDANT <- PROVIDER", as "srv-101/psu/1 <- pdu-a/outlet/1"`

// takeCable reads "dependant <- provider, provider".
func (l *loader) takeCable(c located) {
	left, right, ok := strings.Cut(c.text, "<-")
	left, right = strings.TrimSpace(left), strings.TrimSpace(right)
	switch {
	case !ok && strings.Contains(c.text, "->"):
		l.wrong(c.at, cableForm, "%q points the wrong way", c.text)
	case !ok, left == "", right == "", strings.Contains(right, "<-"):
		l.wrong(c.at, cableForm, "%q is no cable", c.text)
	case len(splitList(left)) > 1:
		l.wrong(c.at, "write a cable for each, or a range", "%q has several dependants", c.text)
	default:
		if to, ok := l.expand(located{left, c.at}); ok {
			l.edgesOf(to, []located{{right, c.at}}, rawEdge{cable: true, at: c.at})
		}
	}
}

var linkVerbs = []string{string(component.Feeds), string(component.Cools), string(component.Carries), string(component.Contains), string(component.Neighbour)}

// takeLink reads "provider carries dependant".
func (l *loader) takeLink(c located) {
	words := strings.Fields(c.text)
	if len(words) != 3 || !slices.Contains(linkVerbs, words[1]) {
		l.wrong(c.at, `write "PROVIDER VERB DEPENDANT" with `+oneOf(linkVerbs)+`, as "crac-1 cools srv-[101-112]"`, "%q is no link", c.text)
		return
	}
	if to, ok := l.expand(located{words[2], c.at}); ok {
		l.edgesOf(to, []located{{words[0], c.at}}, rawEdge{kind: component.LinkKind(words[1]), at: c.at})
	}
}
