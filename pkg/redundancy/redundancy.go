// Package redundancy gives the sums: monotone structure functions, their evaluation, spares and minimal cut sets.
//
// It knows nothing of devices, names or time: nodes are numbers. A node works when it works itself and each of its
// requirements holds; a requirement is "k of these nodes". Everything here is exact unless the answer says what it is
// exact up to.
package redundancy

// Node is one component, group or service of a Structure, numbered from 0 in the order of Builder.Add.
type Node int32

// Requirement holds when at least Need of Of work.
type Requirement struct {
	Need int
	Of   []Node
}
