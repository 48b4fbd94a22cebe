package redundancy

import (
	"fmt"
	"slices"
)

// Tree is a fault tree: formulas over basic events, true for failure. It is built from the bottom, so that it has no
// loops, and may share formulas anywhere. Unlike a Structure it may hold negations and exclusive ors; such a tree is not
// coherent: a repair may do harm. The zero Tree is ready.
//
// Formulas are simplified as they are made, constants among them; the Ref that comes back may be that of an operand.
type Tree struct {
	nodes []formula // nodes[i] is Ref i+1's
	// events counts the basic events; they are numbered from 0 in the order in which they were made.
	events int
}

// Ref is a formula of a Tree: a basic event, a gate, a constant, or the negation of one of them. False is the zero Ref.
type Ref int32

// The constants.
const (
	False Ref = 0
	True  Ref = 1
)

// Not is the negation of r; it costs nothing.
func (r Ref) Not() Ref { return r ^ 1 }

func (r Ref) negated() bool  { return r&1 == 1 }
func (r Ref) constant() bool { return r <= True }
func (r Ref) node() int      { return int(r>>1) - 1 }
func refTo(node int) Ref     { return Ref(node+1) << 1 }

type kind uint8

const (
	event   kind = iota // of is empty, k is its number
	or                  // two operands or more
	atLeast             // k of them, 1 < k < len(of); an operand may occur more than once and counts so often
	xor                 // two operands, none negated
)

// formula is one node. Operands come before what uses them.
type formula struct {
	kind kind
	k    int32
	of   []Ref
}

func (t *Tree) add(f formula) Ref {
	t.nodes = append(t.nodes, f)
	return refTo(len(t.nodes) - 1)
}

// Event makes a basic event. The first one is number 0.
func (t *Tree) Event() Ref {
	t.events++
	return t.add(formula{kind: event, k: int32(t.events - 1)})
}

// Events is how many basic events were made.
func (t *Tree) Events() int { return t.events }

// EventNumber is the number of the basic event r, and whether r is one.
func (t *Tree) EventNumber(r Ref) (int, bool) {
	if r.constant() || r.negated() || t.nodes[r.node()].kind != event {
		return 0, false
	}
	return int(t.nodes[r.node()].k), true
}

// EventsBelow are the numbers of the basic events that r is written with, sorted.
func (t *Tree) EventsBelow(r Ref) []int {
	if r.constant() {
		return nil
	}
	below := make([]bool, len(t.nodes))
	below[r.node()] = true
	var events []int
	for n := r.node(); n >= 0; n-- { // operands come before what uses them
		if !below[n] {
			continue
		}
		if t.nodes[n].kind == event {
			events = append(events, int(t.nodes[n].k))
		}
		for _, o := range t.nodes[n].of {
			below[o.node()] = true
		}
	}
	slices.Sort(events)
	return events
}

// Or is true when one of the operands is.
func (t *Tree) Or(of ...Ref) Ref {
	operands := make([]Ref, 0, len(of))
	for _, r := range of {
		switch r {
		case True:
			return True
		case False:
		default:
			operands = append(operands, r)
		}
	}
	return t.or(operands)
}

// or owns of, which holds no constants.
func (t *Tree) or(of []Ref) Ref {
	if !isSorted(of) {
		slices.Sort(of)
	}
	of = slices.Compact(of)
	for i := 1; i < len(of); i++ {
		if of[i] == of[i-1].Not() {
			return True
		}
	}
	switch len(of) {
	case 0:
		return False
	case 1:
		return of[0]
	}
	return t.add(formula{kind: or, k: 1, of: of})
}

func isSorted(of []Ref) bool {
	for i := 1; i < len(of); i++ {
		if of[i] < of[i-1] {
			return false
		}
	}
	return true
}

// And is true when all of the operands are.
func (t *Tree) And(of ...Ref) Ref {
	operands := make([]Ref, len(of))
	for i, r := range of {
		operands[i] = r.Not()
	}
	return t.Or(operands...).Not()
}

// AtLeast is true when k or more of the operands are. An operand that is named twice counts twice.
func (t *Tree) AtLeast(k int, of ...Ref) Ref {
	operands := make([]Ref, 0, len(of))
	for _, r := range of {
		switch r {
		case True:
			k--
		case False:
		default:
			operands = append(operands, r)
		}
	}
	switch {
	case k <= 0:
		return True
	case k > len(operands):
		return False
	case k == 1:
		return t.Or(operands...)
	case k == len(operands):
		return t.And(operands...)
	}
	return t.add(formula{kind: atLeast, k: int32(k), of: operands})
}

// Xor is true when an odd number of the operands is.
func (t *Tree) Xor(of ...Ref) Ref {
	sum := False
	for _, r := range of {
		sum = t.xor(sum, r)
	}
	return sum
}

func (t *Tree) xor(a, b Ref) Ref {
	sign := (a ^ b) & 1
	a &^= 1
	b &^= 1
	switch {
	case a == b:
		return False ^ sign
	case a == False:
		return b ^ sign
	case b == False:
		return a ^ sign
	}
	return t.add(formula{kind: xor, k: 1, of: []Ref{min(a, b), max(a, b)}}) ^ sign
}

// String is the number of nodes and events.
func (t *Tree) String() string {
	return fmt.Sprintf("tree of %d events and %d gates", t.events, len(t.nodes)-t.events)
}

// evaluate gives the value of every node.
func (t *Tree) evaluate(happened func(event int) bool) []bool {
	value := make([]bool, len(t.nodes))
	for n, f := range t.nodes {
		if f.kind == event {
			value[n] = happened(int(f.k))
			continue
		}
		count := int32(0)
		for _, r := range f.of {
			if value[r.node()] != r.negated() {
				count++
			}
		}
		if f.kind == xor {
			value[n] = count == 1
		} else {
			value[n] = count >= f.k
		}
	}
	return value
}

// Coherent says whether top can be written without negations: repairs never harm, as in every Structure. It looks at
// how top is written, not at what it means.
func (t *Tree) Coherent(top Ref) bool {
	const plain, negated = 1, 2
	seen := make([]uint8, len(t.nodes))
	mark := func(r Ref, sign bool) {
		if r.negated() != sign {
			seen[r.node()] |= negated
		} else {
			seen[r.node()] |= plain
		}
	}
	if !top.constant() {
		mark(top, false)
	}
	for n := len(t.nodes) - 1; n >= 0; n-- {
		f := t.nodes[n]
		if seen[n] != 0 && f.kind == xor || f.kind == event && seen[n]&negated != 0 {
			return false
		}
		for _, r := range f.of {
			if seen[n]&plain != 0 {
				mark(r, false)
			}
			if seen[n]&negated != 0 {
				mark(r, true)
			}
		}
	}
	return true
}
