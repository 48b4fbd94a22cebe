// Package engine judges: from the declared model and what devices report it says what each redundancy group and service
// has left, why, since when, and what to do (docs/design.md, 5).
//
// It is pure. It knows no clock, no protocol and no outlet: views of devices (pkg/state) and the time go in, a Report and
// Questions come out. One goroutine owns an Engine.
//
// The way of a change through the files:
//
//	form.go      a device's claims, declarations and supplies make groups; needed.go: how many are needed and designed, and
//	             on what basis
//	compiled.go  groups, links and declared things are compiled into a structure (pkg/topology); verdicts on what did
//	             not change stand (reuse.go)
//	cell.go      each part's word becomes what is believed of its node: works, fails, silent, presumed; what is seen
//	             working proves that what it cannot do without works too
//	blame.go     inputs that are lost: is it the feed or the part, and whom to ask; aftermath.go: what comes back bit by bit
//	cabling.go   cords that are not where the model says; neighbours.go: network cables, by LLDP
//	sessions.go  BGP sessions that only a router's tables tell of; lines.go: ports whose frames are broken
//	planned.go   announced work
//	judge.go     states and spares of the groups and services above what changed, best and worst case (quick.go and
//	             outlook.go: single points of failure and smallest cut sets, kept up to date change by change)
//	load.go      where power goes, by conductor; sources.go, measure.go: what draws it, and what measures that; traffic.go: the
//	             same of links; peaks.go: the highest of a window; failover.go: what a failure does to it
//	rules.go     findings on groups; rules_device.go: on parts, targets and providers; rules_sessions.go
//	standing.go  what stands: held back, since when, under which root, how bad, and the Report
//
// And what is asked of it:
//
//	whatif.go    the same structure asked "what if": Simulate, Gate; together.go: snapshots without a model
//	cuts.go      minimal cut sets; loadcuts.go, pairs.go: failures that overload what is left; availability.go: by rates
//	compare.go   a model beside an older one
//
// Three cases are kept up to date side by side: best presumes that what is silent works, worst that it doesn't, predicted
// is the best with everything gone that says it will fail. Where best and worst agree that is the verdict.
package engine
