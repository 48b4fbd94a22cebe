package component

// Kind says what a component is. The words are the field's own.
type Kind string

// The kinds.
const (
	Utility    Kind = "utility"
	Generator  Kind = "generator"
	ATS        Kind = "ats"
	UPS        Kind = "ups"
	Feed       Kind = "feed"
	Panel      Kind = "panel"
	Breaker    Kind = "breaker"
	PDU        Kind = "pdu"
	Bank       Kind = "bank"
	Phase      Kind = "phase"
	Inlet      Kind = "inlet"
	Outlet     Kind = "outlet"
	PSU        Kind = "psu"
	Rectifier  Kind = "rectifier"
	Fan        Kind = "fan"
	Cooling    Kind = "cooling"
	Sensor     Kind = "sensor"
	Drive      Kind = "drive"
	Volume     Kind = "volume"
	Controller Kind = "controller"
	Battery    Kind = "battery"
	Host       Kind = "host"
	Blade      Kind = "blade"
	Enclosure  Kind = "enclosure"
	NIC        Kind = "nic"
	Port       Kind = "port"
	Switch     Kind = "switch"
	Router     Kind = "router"
	BGPSession Kind = "bgp_session"
	Upstream   Kind = "upstream" // an autonomous system that paths go through
	Path       Kind = "path"     // a way out to watched prefixes: one session's paths to them
	Route      Kind = "route"    // a set of watched prefixes, as one thing to be reached
	Circuit    Kind = "circuit"
	Conduit    Kind = "conduit"
	Module     Kind = "module" // a supervisor, line card or power module of a chassis
	Memory     Kind = "memory"
	CPU        Kind = "cpu"
	// Group and ServiceKind are not components: they stand in ids of redundancy groups and services.
	Group       Kind = "group"
	ServiceKind Kind = "service"
)

// Domain says what sort of failure is asked about.
type Domain string

// The domains.
const (
	Power      Domain = "power"
	CoolingDom Domain = "cooling"
	Network    Domain = "network"
	Storage    Domain = "storage"
	Compute    Domain = "compute"
	NoDomain   Domain = ""
)

// Domains lists them in the order in which people are shown them.
func Domains() []Domain { return []Domain{Power, CoolingDom, Network, Storage, Compute} }

var domains = map[Kind]Domain{
	Utility: Power, Generator: Power, ATS: Power, UPS: Power, Feed: Power, Panel: Power, Breaker: Power, PDU: Power,
	Bank: Power, Phase: Power, Inlet: Power, Outlet: Power, PSU: Power, Rectifier: Power,
	Fan: CoolingDom, Cooling: CoolingDom,
	Drive: Storage, Volume: Storage, Controller: Storage, Battery: Storage,
	NIC: Network, Port: Network, Switch: Network, Router: Network, BGPSession: Network, Upstream: Network, Path: Network, Route: Network,
	Circuit: Network, Conduit: Network,
	Host: Compute, Blade: Compute, Enclosure: Compute, Module: Compute, Memory: Compute, CPU: Compute,
}

// Domain of the kind; NoDomain for sensors and for kinds that are not known here. A battery belongs to the storage
// domain (a controller's cache); a UPS's battery is part of its UPS and is never in a dependency graph by itself.
func (k Kind) Domain() Domain { return domains[k] }

// Kinds lists every kind of component that a declared component may have, sorted.
func Kinds() []Kind {
	return []Kind{ATS, Bank, Battery, BGPSession, Blade, Breaker, Circuit, Conduit, Controller, Cooling, CPU, Drive, Enclosure,
		Fan, Feed, Generator, Host, Inlet, Memory, Module, NIC, Outlet, Panel, Path, PDU, Phase, Port, PSU, Rectifier, Route, Router,
		Sensor, Switch, UPS, Upstream, Utility, Volume}
}

// Plug reports whether power passes through this kind of component, so that it may hang on a feed.
func (k Kind) Plug() bool { return k.Domain() == Power }
