// Package openpsa reads fault trees in the Open-PSA Model Exchange Format (open-psa.github.io/mef, version 2.0d), the
// nuclear field's common format, into a [redundancy.Tree].
//
// It reads the fault tree layer (fault trees, components, gates, house and basic events) and, of the stochastic layer,
// what a basic event's mean probability takes, with common cause groups. Event trees and substitutions are not read; which
// were there says [Model.Ignored]. Nothing outside the file is read: a file with an include is refused, since what it
// says would not be the whole.
//
//	model, err := openpsa.Read(file, openpsa.Options{})
//	cuts := model.Tree.MinCuts(model.Tops[0].Ref, 4, 0)
package openpsa

import (
	"fmt"
	"io"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// Model is what a file says.
type Model struct {
	// Name of the model, else of its only fault tree; empty where there is neither.
	Name string
	// Tree holds all gates; its basic events have the numbers of Events.
	Tree *redundancy.Tree
	// Events are the basic events that gates refer to, in the order in which the gates that were defined first name them.
	Events []Event
	// Gates in the order of definition.
	Gates []Gate
	// Tops are the gates that no other gate refers to, in the order of definition.
	Tops []Gate
	// Ignored are the elements that were not read though they bear on an analysis, each once: define-event-tree ...
	Ignored []string
	// CommonCauses are the common cause groups: "pumps (MGL of 3)".
	CommonCauses []string
}

// Gate is a gate's name, with the path of what it is private to if it is, and its formula.
type Gate struct {
	Name string
	Ref  redundancy.Ref
}

// Event is a basic event.
type Event struct {
	Name string
	// Probability is the mean of the event's expression, between 0 and 1; meaningless if Unknown says why it isn't known.
	Probability float64
	Unknown     string
}

// Options say what a file does not.
type Options struct {
	// MissionTime is the value of system-mission-time, in the unit that the file uses (hours, commonly); 0: unknown, and
	// so is every probability that takes it.
	MissionTime float64
	// CommonCauses has common cause groups applied: a member fails by itself or by a cause that takes others with it, and
	// these causes are the basic events. Otherwise members are basic events that fail independently.
	CommonCauses bool
}

// Limits on what is read, so that no file takes the reader down.
const (
	MaxBytes    = 256 << 20
	MaxElements = 8 << 20
	MaxDepth    = 1000 // of nested elements
)

// Error is a mistake in a file, with the line it is on; 0 where it is on no line.
type Error struct {
	Line int
	Text string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Text
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Text)
}

func mistake(e *element, format string, args ...any) error {
	return &Error{Line: e.line, Text: fmt.Sprintf(format, args...)}
}

// LoopError names gates that refer to themselves through each other: each refers to the next, the last to the first.
type LoopError struct{ Gates []string }

func (e *LoopError) Error() string {
	const shown = 8
	names := e.Gates
	if len(names) > shown {
		return fmt.Sprintf("loop: %s -> ... (%d gates in all) -> %s", strings.Join(names[:shown], " -> "), len(names), names[0])
	}
	return "loop: " + strings.Join(names, " -> ") + " -> " + names[0]
}

// Read reads a model. The text may be UTF-8, UTF-16 of either byte order, US-ASCII or ISO 8859-1.
func Read(r io.Reader, o Options) (*Model, error) {
	root, err := readElements(r)
	if err != nil {
		return nil, err
	}
	if root.name != "opsa-mef" {
		return nil, mistake(root, "the root element is %s, not opsa-mef", root.name)
	}
	d, err := define(root)
	if err != nil {
		return nil, err
	}
	return d.model(root, o)
}

// Gate finds a gate by name.
func (m *Model) Gate(name string) (Gate, bool) {
	for _, g := range m.Gates {
		if g.Name == name {
			return g, true
		}
	}
	return Gate{}, false
}
