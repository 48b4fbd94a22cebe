package openpsa

import (
	"strings"
)

// definition is a define-gate, define-basic-event, define-house-event or define-parameter.
type definition struct {
	e    *element
	name string
	path string // of what contains it; empty in model-data
	// group is the common cause group that a basic event is a member of.
	group *ccfGroup
}

// definitions are all that a file defines, by kind ("gate", "basic-event", "house-event", "parameter") and by name: the
// bare name of what is public, and the full path of everything that is in a fault tree.
type definitions struct {
	byName  map[string]map[string]*definition
	gates   []*definition
	ignored []string
	trees   []string

	ccfGroups []*ccfGroup
	waiting   []ccfMember
}

// define collects definitions.
func define(root *element) (*definitions, error) {
	d := &definitions{byName: map[string]map[string]*definition{
		"gate": {}, "basic-event": {}, "house-event": {}, "parameter": {},
	}}
	for _, e := range root.parts() {
		var err error
		switch e.name {
		case "define-fault-tree", "model-data":
			err = d.container(e, "", false)
		case "include":
			err = mistake(e, "includes another file, which is not read")
		case "define-CCF-group":
			err = d.ccf(e, "")
		default:
			err = d.other(e)
		}
		if err != nil {
			return nil, err
		}
	}
	return d, d.joinGroups()
}

// container collects what is in a fault tree, a component or the model data.
func (d *definitions) container(e *element, path string, private bool) error {
	if e.name != "model-data" {
		name, err := nameOf(e)
		if err != nil {
			return err
		}
		if e.name == "define-fault-tree" {
			d.trees = append(d.trees, name)
		}
		path = join(path, name)
		private = private || isPrivate(e)
	}
	for _, child := range e.parts() {
		var err error
		switch child.name {
		case "define-gate", "define-basic-event", "define-house-event", "define-parameter":
			err = d.add(child, path, private)
		case "define-component":
			err = d.container(child, path, private)
		case "define-CCF-group":
			err = d.ccf(child, path)
		case "include":
			err = mistake(child, "includes another file, which is not read")
		default:
			err = d.other(child)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// other notes what is part of the format but not read, and refuses the rest.
func (d *definitions) other(e *element) error {
	switch e.name {
	case "define-event-tree", "define-alignment", "define-consequence", "define-consequence-group", "define-rule",
		"define-initiating-event", "define-initiating-event-group", "define-substitution",
		"define-extern-library", "define-extern-function":
	default:
		return mistake(e, "unknown element %s", e.name)
	}
	for _, known := range d.ignored {
		if known == e.name {
			return nil
		}
	}
	d.ignored = append(d.ignored, e.name)
	return nil
}

func (d *definitions) add(e *element, path string, private bool) error {
	name, err := nameOf(e)
	if err != nil {
		return err
	}
	kind := strings.TrimPrefix(e.name, "define-")
	def := &definition{e: e, name: name, path: path}
	names := []string{name}
	if path != "" {
		names = []string{join(path, name)}
		if private || isPrivate(e) {
			def.name = join(path, name)
		} else {
			names = append(names, name)
		}
	}
	for _, n := range names {
		if old := d.byName[kind][n]; old != nil {
			return mistake(e, "%s %s was defined before, on line %d", kind, n, old.e.line)
		}
		d.byName[kind][n] = def
	}
	if kind == "gate" {
		d.gates = append(d.gates, def)
	}
	return nil
}

// find resolves a reference from within path: what is nearest first, what is public last.
func (d *definitions) find(kind, name, path string) *definition {
	for {
		if def := d.byName[kind][join(path, name)]; def != nil || path == "" {
			return def
		}
		path = path[:max(0, strings.LastIndexByte(path, '.'))]
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func isPrivate(e *element) bool {
	role, _ := e.attr("role")
	return role == "private"
}

func nameOf(e *element) (string, error) {
	name, ok := e.attr("name")
	if !ok || name == "" {
		return "", mistake(e, "%s without a name", e.name)
	}
	return name, nil
}
