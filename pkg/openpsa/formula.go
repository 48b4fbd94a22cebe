package openpsa

import (
	"strconv"

	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// building turns gates into formulas, each after those that it refers to.
type building struct {
	*definitions
	tree   *redundancy.Tree
	model  *Model
	values *values
	done   map[*definition]redundancy.Ref
	used   map[*definition]bool // gates that gates refer to
	events map[string]redundancy.Ref
	causes bool // common cause groups are applied
}

func (d *definitions) model(root *element, o Options) (*Model, error) {
	m := &Model{Tree: &redundancy.Tree{}, Ignored: d.ignored, CommonCauses: d.groupNames()}
	m.Name, _ = root.attr("name")
	if m.Name == "" && len(d.trees) == 1 {
		m.Name = d.trees[0]
	}
	b := &building{
		definitions: d,
		causes:      o.CommonCauses,
		tree:        m.Tree,
		model:       m,
		values:      newValues(d, o),
		done:        map[*definition]redundancy.Ref{},
		used:        map[*definition]bool{},
		events:      map[string]redundancy.Ref{},
	}
	for _, g := range d.gates {
		if err := b.gate(g); err != nil {
			return nil, err
		}
	}
	for _, g := range d.gates {
		gate := Gate{Name: g.name, Ref: b.done[g]}
		m.Gates = append(m.Gates, gate)
		if !b.used[g] {
			m.Tops = append(m.Tops, gate)
		}
	}
	return m, nil
}

// gate builds g and what it refers to, without recursion: gates may be chained deeper than any stack.
func (b *building) gate(g *definition) error {
	type frame struct {
		g    *definition
		refs []*definition // gates it refers to, not yet looked at
	}
	if _, ok := b.done[g]; ok {
		return nil
	}
	open := map[*definition]int{} // place in stack
	var stack []frame
	enter := func(g *definition) error {
		refs, err := b.references(g)
		if err != nil {
			return err
		}
		open[g] = len(stack)
		stack = append(stack, frame{g, refs})
		return nil
	}
	if err := enter(g); err != nil {
		return err
	}
	for len(stack) > 0 {
		f := &stack[len(stack)-1]
		if len(f.refs) == 0 {
			ref, err := b.formula(f.g, b.formulaOf(f.g))
			if err != nil {
				return err
			}
			b.done[f.g] = ref
			delete(open, f.g)
			stack = stack[:len(stack)-1]
			continue
		}
		next := f.refs[0]
		f.refs = f.refs[1:]
		if _, ok := b.done[next]; ok {
			continue
		}
		if at, ok := open[next]; ok {
			loop := &LoopError{}
			for _, f := range stack[at:] {
				loop.Gates = append(loop.Gates, f.g.name)
			}
			return loop
		}
		if err := enter(next); err != nil {
			return err
		}
	}
	return nil
}

func (b *building) formulaOf(g *definition) *element { return g.e.parts()[0] }

// references are the gates that g's formula names.
func (b *building) references(g *definition) ([]*definition, error) {
	if parts := g.e.parts(); len(parts) != 1 {
		return nil, mistake(g.e, "gate %s has %d formulas, not one", g.name, len(parts))
	}
	var refs []*definition
	var walk func(*element) error
	walk = func(e *element) error { // no deeper than MaxDepth
		kind, def, err := b.resolve(g, e)
		if err != nil {
			return err
		}
		if kind == "gate" {
			b.used[def] = true
			refs = append(refs, def)
			return nil
		}
		for _, c := range e.children {
			if err := walk(c); err != nil {
				return err
			}
		}
		return nil
	}
	return refs, walk(b.formulaOf(g))
}

// resolve finds what a reference in g's formula names. The kind is empty if e is no reference; the definition is nil for
// a basic event that is nowhere defined.
func (b *building) resolve(g *definition, e *element) (kind string, def *definition, err error) {
	kind = e.name
	switch kind {
	case "gate", "basic-event", "house-event":
	case "event":
		kind, _ = e.attr("type")
	default:
		return "", nil, nil
	}
	name, err := nameOf(e)
	if err != nil {
		return "", nil, err
	}
	switch kind {
	case "":
		for _, kind := range []string{"gate", "basic-event", "house-event"} {
			if def := b.find(kind, name, g.path); def != nil {
				return kind, def, nil
			}
		}
		return "", nil, mistake(e, "event %s is not defined", name)
	case "basic-event":
		return kind, b.find(kind, name, g.path), nil
	case "gate", "house-event":
		if def := b.find(kind, name, g.path); def != nil {
			return kind, def, nil
		}
		return "", nil, mistake(e, "%s %s is not defined", kind, name)
	}
	return "", nil, mistake(e, "event type %s is unknown", kind)
}

// formula builds e, which is g's or part of it; the gates that it names are done.
func (b *building) formula(g *definition, e *element) (redundancy.Ref, error) {
	kind, def, err := b.resolve(g, e)
	switch {
	case err != nil:
		return 0, err
	case kind == "gate":
		return b.done[def], nil
	case kind == "house-event":
		return b.houseEvent(def)
	case kind == "basic-event":
		return b.basicEvent(e, def)
	case e.name == "constant":
		return constant(e)
	}
	of := make([]redundancy.Ref, len(e.children))
	for i, c := range e.children {
		if of[i], err = b.formula(g, c); err != nil {
			return 0, err
		}
	}
	return b.connective(e, of)
}

func (b *building) connective(e *element, of []redundancy.Ref) (redundancy.Ref, error) {
	if len(of) == 0 {
		return 0, mistake(e, "%s of nothing", e.name)
	}
	switch e.name {
	case "not":
		if len(of) != 1 {
			return 0, mistake(e, "not of %d formulas", len(of))
		}
		return of[0].Not(), nil
	case "imply":
		if len(of) != 2 {
			return 0, mistake(e, "imply of %d formulas", len(of))
		}
		return b.tree.Or(of[0].Not(), of[1]), nil
	case "or":
		return b.tree.Or(of...), nil
	case "and":
		return b.tree.And(of...), nil
	case "nor":
		return b.tree.Or(of...).Not(), nil
	case "nand":
		return b.tree.And(of...).Not(), nil
	case "xor":
		return b.tree.Xor(of...), nil
	case "iff":
		// true when an even number of the operands is false, as for two of them
		r := b.tree.Xor(of...)
		if len(of)%2 == 0 {
			r = r.Not()
		}
		return r, nil
	case "atleast":
		k, err := number(e, "min")
		if err != nil {
			return 0, err
		}
		if k > len(of) {
			return 0, mistake(e, "at least %d of %d", k, len(of))
		}
		return b.tree.AtLeast(k, of...), nil
	case "cardinality":
		least, err := number(e, "min")
		if err != nil {
			return 0, err
		}
		most, err := number(e, "max")
		if err != nil {
			return 0, err
		}
		if least > most || most > len(of) {
			return 0, mistake(e, "between %d and %d of %d", least, most, len(of))
		}
		return b.tree.And(b.tree.AtLeast(least, of...), b.tree.AtLeast(most+1, of...).Not()), nil
	}
	return 0, mistake(e, "unknown formula %s", e.name)
}

func number(e *element, attr string) (int, error) {
	text, _ := e.attr(attr)
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, mistake(e, "%s: %s %q is not a number", e.name, attr, text)
	}
	return int(n), nil
}

func constant(e *element) (redundancy.Ref, error) {
	switch value, _ := e.attr("value"); value {
	case "true", "1":
		return redundancy.True, nil
	case "false", "0":
		return redundancy.False, nil
	default:
		return 0, mistake(e, "constant %q is neither true nor false", value)
	}
}

// houseEvent is a constant; without a value it is false.
func (b *building) houseEvent(def *definition) (redundancy.Ref, error) {
	parts := def.e.parts()
	switch {
	case len(parts) == 0:
		return redundancy.False, nil
	case len(parts) == 1 && parts[0].name == "constant":
		return constant(parts[0])
	}
	return 0, mistake(def.e, "house event %s is no constant", def.name)
}

func (b *building) basicEvent(e *element, def *definition) (redundancy.Ref, error) {
	event := Event{Unknown: "not defined"}
	switch {
	case def == nil:
		event.Name, _ = e.attr("name")
	case def.group != nil && b.causes:
		return b.commonCause(def), nil
	default:
		if r, ok := b.events[def.name]; ok {
			return r, nil
		}
		event = b.values.event(def)
	}
	return b.event(event), nil
}

// event is the basic event of that name, made once.
func (b *building) event(event Event) redundancy.Ref {
	if r, ok := b.events[event.Name]; ok {
		return r
	}
	r := b.tree.Event()
	b.events[event.Name] = r
	b.model.Events = append(b.model.Events, event)
	return r
}
