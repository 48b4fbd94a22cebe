// Package config turns files into checked values: past Load nothing can be wrong.
//
// Load reads one YAML file or a folder of them and reports every mistake in one go, each with its file and line and
// what to write instead. It does no network input or output; it reads the files that the configuration names (secrets,
// authorities, pins). What the files look like stays inside; configs/sparewatch.yaml shows every key.
package config

import (
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/bgp"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// Config is a checked configuration. It is a value: whoever receives one must not change it.
type Config struct {
	Site     string
	Devices  []Device // sorted by name
	Model    topology.Model
	Poll     Poll
	Notify   []Outlet // in the order of the files
	Exports  []Export // by kind, in the order of the files
	Traps    Traps
	Web      Web
	Capacity Capacity
	Links    Links
	Findings Findings
	State    State
	Pins     Pins
	Events   Events
	Profiles string       // absolute: a folder of SNMP profiles beside those that come with the program; "" for none
	Warnings []string     // "file:line: ...": allowed, but worth a look
	Files    []string     // the configuration files that were read, in order
	BGP      *bgp.Options // nil: nobody is heard; without Out, Log and Now
}

// Device is what stands in the rack, with the URLs by which it is reached.
type Device struct {
	Name string
	// Kind of its main component ("host", "pdu", ...), which has the id Name/Kind/1: as declared, else what its use in
	// the topology, its URLs and its name tell. Empty where nothing tells it before the first poll; the model then calls
	// it Name/host/1. A guess stands until the device was read (see package topology).
	Kind    component.Kind
	Targets []collectors.Target // in the order of its urls; may be empty for a device that is only declared
	// States and Inventory are the intervals at which its targets are read, Fast and Full.
	States    time.Duration
	Inventory time.Duration
	At        topology.Position
}

// Poll holds what is true of all targets.
type Poll struct {
	States    time.Duration // default interval of Fast polls
	Inventory time.Duration // default interval of Full polls
	Timeout   time.Duration // of one request; stands in every target already
	Limit     time.Duration // wall time of one poll
	Workers   int           // polls at once
}

// Outlet is one receiver of notifications.
type Outlet struct {
	Name        string
	Kind        OutletKind
	URL         secret.Text      // where to send; pagerduty: empty for PagerDuty's own address
	Key         secret.Text      // pagerduty's routing key; what signs a webhook's requests, where set
	MinSeverity finding.Severity // the least that is sent
	TLS         collectors.TLS
}

// OutletKind says how an outlet is spoken to.
type OutletKind string

// The kinds of outlets.
const (
	PagerDuty OutletKind = "pagerduty" // Events API v2
	Webhook   OutletKind = "webhook"   // one JSON object a notification
)

// Web is the status page, /metrics and the API.
type Web struct {
	Listen string // host:port; default 127.0.0.1:9620
	URL    string // how people reach the page, for links in notifications; "" where not said: http://Listen
	// TLSConfig is a web configuration file of Prometheus' exporter toolkit (TLS, basic authentication); "" for plain HTTP.
	TLSConfig string
}

// State is where the daemon keeps what it knows.
type State struct {
	Dir string // absolute
}

// Pins says where certificate pins are kept.
type Pins struct {
	File string // absolute; it need not exist
}
