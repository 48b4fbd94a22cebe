// Package redundancy gives the sums: monotone structure functions, their evaluation, spares and minimal cut sets.
//
// It knows nothing of devices, names or time: nodes are numbers. A node works when it works itself and each of its
// requirements holds; a requirement is "k of these nodes". Everything here is exact unless the answer says what it is
// exact up to.
//
// A [Builder] collects nodes and requirements and builds a [Structure], which never changes. On a Structure stand
//
//   - [Live]: which nodes work, kept up to date while single nodes fail and are repaired, and every single point of
//     failure of many nodes at once;
//   - [Solver]: answers to a [Question]: how many more failures something survives ([Solver.Spares]) and by which
//     sets of failures it goes down ([Solver.MinCuts]).
//
// Neither is safe for concurrent use; a Structure is, and any number of both may stand on it.
//
// # Modelling
//
// Failures are the only events. What is to be held up although its provider is gone (a UPS on its battery) is modelled
// by one more component among its providers, one that is failed unless it holds and that never MayFail:
//
//	b.Require(ups, 1, feed, hold)
//
// What fails together (a firmware version, a conduit) is a component that all of them require.
package redundancy

// Node is one component, group or service of a Structure, numbered from 0 in the order of Builder.Add.
type Node int32

// Requirement holds when at least Need of Of work. A node that is named twice in Of counts twice.
type Requirement struct {
	Need int
	Of   []Node
}
