package openpsa

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// ccfGroup is a common cause group: basic events that fail each by itself, and several at once (section on common cause
// groups of the format's stochastic layer).
type ccfGroup struct {
	*definition
	model   string
	members []*definition
	total   *element         // the distribution of each member, its failures together with others among them
	factors map[int]*element // by level
	events  []redundancy.Ref // by member: once it was asked for, its failing by itself or with others
}

// mostCauses bounds the common causes of one group.
const mostCauses = 1 << 14

// ccfModels are the format's, with the level of their first factor; 0: only that of all members.
var ccfModels = map[string]int{"beta-factor": 0, "MGL": 2, "alpha-factor": 1, "phi-factor": 1}

// ccf reads a group. Members that are nowhere defined are basic events by it; those without an expression have its
// distribution.
func (d *definitions) ccf(e *element, path string) error {
	name, err := nameOf(e)
	if err != nil {
		return err
	}
	g := &ccfGroup{definition: &definition{e: e, name: name, path: path}, factors: map[int]*element{}}
	g.model, _ = e.attr("model")
	if _, ok := ccfModels[g.model]; !ok {
		return mistake(e, "common cause group %s: model %q is none of beta-factor, MGL, alpha-factor, phi-factor", name, g.model)
	}
	for _, part := range e.parts() {
		switch part.name {
		case "members":
			for _, m := range part.parts() {
				d.waiting = append(d.waiting, ccfMember{g, m})
			}
		case "distribution":
			g.total = part
		case "factors":
			for _, f := range part.parts() {
				if err := g.factor(f); err != nil {
					return err
				}
			}
		case "factor":
			if err := g.factor(part); err != nil {
				return err
			}
		default:
			return mistake(part, "unknown element %s", part.name)
		}
	}
	if g.total == nil || len(g.total.parts()) != 1 {
		return mistake(e, "common cause group %s without a distribution", name)
	}
	d.ccfGroups = append(d.ccfGroups, g)
	return nil
}

type ccfMember struct {
	group *ccfGroup
	e     *element
}

func (g *ccfGroup) factor(f *element) error {
	if f.name != "factor" || len(f.parts()) != 1 {
		return mistake(f, "common cause group %s: %s is no factor with one expression", g.name, f.name)
	}
	level := 0
	if _, ok := f.attr("level"); ok || g.model != "beta-factor" {
		var err error
		if level, err = number(f, "level"); err != nil {
			return err
		}
	}
	if g.factors[level] != nil {
		return mistake(f, "common cause group %s: two factors of level %d", g.name, level)
	}
	g.factors[level] = f.parts()[0]
	return nil
}

// joinGroups gives groups their members, once everything is defined.
func (d *definitions) joinGroups() error {
	for _, m := range d.waiting {
		name, err := nameOf(m.e)
		if err != nil {
			return err
		}
		def := d.find("basic-event", name, m.group.path)
		switch {
		case def == nil:
			def = &definition{e: &element{name: "define-basic-event", line: m.e.line}, name: name}
			d.byName["basic-event"][name] = def
		case def.group != nil:
			return mistake(m.e, "basic event %s is in the common cause groups %s and %s", name, def.group.name, m.group.name)
		}
		def.group = m.group
		if len(def.e.parts()) == 0 {
			def.e = &element{name: def.e.name, attrs: def.e.attrs, line: def.e.line, children: m.group.total.parts()}
			def.path = m.group.path
		}
		m.group.members = append(m.group.members, def)
	}
	for _, g := range d.ccfGroups {
		if err := g.check(); err != nil {
			return err
		}
	}
	return nil
}

// check finds whether the levels of the factors are those that the model wants.
func (g *ccfGroup) check() error {
	n, first := len(g.members), ccfModels[g.model]
	if n < 2 {
		return mistake(g.e, "common cause group %s has %d members, not two or more", g.name, n)
	}
	if first == 0 {
		if g.factors[0] == nil && g.factors[n] == nil || len(g.factors) != 1 {
			return mistake(g.e, "common cause group %s: a beta-factor group of %d has one factor, of level %d", g.name, n, n)
		}
		return nil
	}
	for level := first; level < first+len(g.factors); level++ {
		if g.factors[level] == nil || level > n {
			return mistake(g.e, "common cause group %s: the factors of %d members are not those of levels %d to %d or less", g.name, n, first, n)
		}
	}
	causes := 0
	for k := 1; k <= g.levels(); k++ {
		if causes += int(binomial(n, k)); causes > mostCauses {
			return mistake(g.e, "common cause group %s has more than %d causes", g.name, mostCauses)
		}
	}
	return nil
}

// levels is how many members fail together at most.
func (g *ccfGroup) levels() int {
	switch {
	case g.model == "beta-factor":
		return len(g.members)
	case len(g.factors) == 0:
		return 1
	}
	return ccfModels[g.model] + len(g.factors) - 1
}

// chance is the probability that so many given members fail by one cause, and no others do by it.
func (g *ccfGroup) chance(v *values, k int) (float64, error) {
	n := len(g.members)
	v.visited = 0
	q, err := v.of(g.definition, g.total.parts()[0], 0)
	if err != nil {
		return 0, err
	}
	factor := make(map[int]float64, len(g.factors))
	for level, e := range g.factors {
		if factor[level], err = v.of(g.definition, e, 0); err != nil {
			return 0, err
		}
	}
	p := q
	switch g.model {
	case "beta-factor":
		beta := factor[0] + factor[n] // there is one of them
		if p = (1 - beta) * q; k == n {
			p = beta * q
		}
	case "MGL":
		p = q / binomial(n-1, k-1)
		for level := 2; level <= k; level++ {
			p *= factor[level]
		}
		if k < g.levels() {
			p *= 1 - factor[k+1]
		}
	case "alpha-factor":
		sum := 0.0
		for level, alpha := range factor {
			sum += float64(level) * alpha
		}
		p = float64(k) / binomial(n-1, k-1) * factor[k] / sum * q
	case "phi-factor":
		p = factor[k] * q
	}
	if math.IsNaN(p) || p < 0 || p > 1 {
		return 0, mistake(g.e, "%v is no probability", p)
	}
	return p, nil
}

// binomial is n choose k.
func binomial(n, k int) float64 {
	product := 1.0
	for i := range k {
		product = product * float64(n-i) / float64(i+1)
	}
	return math.Round(product)
}

// commonCause is the failure of a member, by itself or with others of its group: an or of the group's causes, of which each
// is a basic event called after those that it takes.
func (b *building) commonCause(def *definition) redundancy.Ref {
	g := def.group
	if g.events == nil {
		by := make([][]redundancy.Ref, len(g.members))
		for k := 1; k <= g.levels(); k++ {
			if g.model == "beta-factor" && k > 1 && k < len(g.members) {
				continue
			}
			p, err := g.chance(b.values, k)
			eachChoice(len(g.members), k, func(chosen []int) {
				names := make([]string, k)
				for i, m := range chosen {
					names[i] = g.members[m].name
				}
				event := Event{Name: "[" + strings.Join(names, " ") + "]", Probability: p}
				if err != nil {
					event.Unknown = err.Error()
				}
				ref := b.event(event)
				for _, m := range chosen {
					by[m] = append(by[m], ref)
				}
			})
		}
		for _, of := range by {
			g.events = append(g.events, b.tree.Or(of...))
		}
	}
	return g.events[slices.Index(g.members, def)]
}

// eachChoice yields every choice of k numbers below n, in order. The slice is reused.
func eachChoice(n, k int, yield func([]int)) {
	chosen := make([]int, k)
	for i := range chosen {
		chosen[i] = i
	}
	for {
		yield(chosen)
		i := k - 1
		for i >= 0 && chosen[i] == n-k+i {
			i--
		}
		if i < 0 {
			return
		}
		chosen[i]++
		for j := i + 1; j < k; j++ {
			chosen[j] = chosen[j-1] + 1
		}
	}
}

// groupNames lists the groups, for what is said of them.
func (d *definitions) groupNames() []string {
	names := make([]string, len(d.ccfGroups))
	for i, g := range d.ccfGroups {
		names[i] = fmt.Sprintf("%s (%s of %d)", g.name, g.model, len(g.members))
	}
	return names
}
