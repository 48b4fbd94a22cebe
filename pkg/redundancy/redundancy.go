// Package redundancy gives the sums: monotone structure functions, their evaluation, spares and minimal cut sets.
//
// It knows nothing of devices, names or time: nodes are numbers. A node works when it works itself and each of its
// requirements holds; a requirement is "k of these nodes". Everything here is exact unless the answer says what it is
// exact up to.
//
// A [Builder] collects nodes and requirements and builds a [Structure], which never changes. On a Structure stand
//
//   - [Live]: which nodes work, kept up to date while single nodes fail and are repaired; [Singles] and [Live.SPOFs]: the
//     single points of failure of every node.
//   - [Solver]: answers to a [Question]: how many more failures something survives ([Solver.Spares]) and by which sets
//     of failures it goes down ([Solver.MinCuts]).
//   - [Forest] and [Gauge]: the spares of thousands of services at once, and the probabilities of their being down, kept
//     up to date change by change. [Function]: those of one, and what its components matter to it.
//
// Underneath is the [Tree], a fault tree as the nuclear field knows it; it may be built directly, with negations, and
// compiled ([Compiled]) or asked for its minimal cut sets.
//
// Structures, Functions, Forests, Compileds and Cuts never change and may be shared between goroutines; the others
// belong to one.
//
// # How
//
// A question's cone becomes a Tree. That is simplified, split into modules (parts that share nothing with the rest), and
// each module becomes a binary decision diagram, in the best of several variable orders that are raced; from it follow the
// minimal cut sets as a zero-suppressed diagram, their number however many they are, probabilities in one sweep, and
// spares as the shortest path for whatever has failed. Where sets of few failures only are asked for they are built
// directly. Finding a smallest cut set is NP-hard, so there is a budget, and an answer says what it is exact up to.
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
