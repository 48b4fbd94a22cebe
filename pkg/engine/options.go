package engine

import (
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
)

// Options adjust the engine; zero fields mean the defaults.
type Options struct {
	// Settle is how long after the first Evaluate the engine waits for devices that were not read yet. Default 2 min.
	Settle time.Duration
	// Ask is how long a finding waits for the devices that were asked. Default 10 s.
	Ask time.Duration
	// Recover is how long what hung under a cause stays under it after the cause is over, while it comes back. Default
	// 30 s, two polls; BGP sessions have four times as long.
	Recover time.Duration
	// Hold is how long a rule's condition must stand before its finding opens, with what hangs under it; that a group
	// has fewer than it needs is never held by its cause. Default: 0 for all.
	Hold map[finding.Rule]time.Duration
	// Severity overrides the severity of a rule by the tier of the most important service that leans on the subject: 0 to
	// 3, which stands for all from 3 on; NoTier stands for "no service".
	Severity map[finding.Rule]map[int]finding.Severity
	// Offline judges the declared model alone: nobody is waited for, everything is presumed to work.
	Offline bool
	// MaxSpares is how far a service's spares are counted; beyond it the answer is "at least". Default 16.
	MaxSpares int
	// Budget bounds the work on one service or group; see redundancy.Question. Default 200,000.
	Budget int
	// Errors is the part of the frames of a port that may be broken before it is taken to be about to fail. Default 0.0001.
	Errors float64
	// Capacity is how the load of what survives is judged.
	Capacity CapacityOptions
}

// CapacityOptions adjust how loads are judged; zero fields mean the defaults.
type CapacityOptions struct {
	// Derate is the part of a rating that may be used for long. Default 0.8; supplies and links of the network may be used
	// in full.
	Derate float64
	// Kinds are the same for components of some kinds.
	Kinds map[component.Kind]float64
	// Window is over how long the highest loads count. Default 7 days.
	Window time.Duration
}

// NoTier is the tier of what no service leans on.
const NoTier = -1

func (o Options) withDefaults() Options {
	if o.Settle == 0 {
		o.Settle = 2 * time.Minute
	}
	if o.Ask == 0 {
		o.Ask = 10 * time.Second
	}
	if o.Recover == 0 {
		o.Recover = 30 * time.Second
	}
	if o.MaxSpares == 0 {
		o.MaxSpares = 16
	}
	if o.Budget == 0 {
		o.Budget = 200_000
	}
	if o.Errors == 0 {
		o.Errors = assumedErrors
	}
	if o.Capacity.Window == 0 {
		o.Capacity.Window = 7 * 24 * time.Hour
	}
	return o
}

// defaultSeverity is by tier 0, 1, 2, 3 and more, and no service. Rules that are not listed get their severity from
// what hangs under them, and are a warning where nothing does.
var defaultSeverity = map[finding.Rule][5]finding.Severity{
	finding.Insufficient:       {finding.Critical, finding.Critical, finding.Error, finding.Warning, finding.Critical},
	finding.RedundancyLost:     {finding.Critical, finding.Error, finding.Warning, finding.Warning, finding.Error},
	finding.RedundancyDegraded: {finding.Error, finding.Warning, finding.Info, finding.Info, finding.Warning},
	finding.ComponentFailed:    {finding.Error, finding.Error, finding.Warning, finding.Warning, finding.Warning},
	finding.FalseRedundancy:    {finding.Error, finding.Warning, finding.Warning, finding.Info, finding.Warning},
	finding.ReducedCapacity:    {finding.Warning, finding.Warning, finding.Info, finding.Info, finding.Warning},
	finding.FailoverOverload:   {finding.Error, finding.Warning, finding.Warning, finding.Info, finding.Warning},
	finding.OnBattery:          {finding.Error, finding.Error, finding.Warning, finding.Warning, finding.Error},
	finding.WrongCabling:       {finding.Error, finding.Warning, finding.Warning, finding.Warning, finding.Warning},
	finding.ClaimMismatch:      {finding.Warning, finding.Warning, finding.Info, finding.Info, finding.Warning},
	finding.SourceMismatch:     {finding.Warning, finding.Warning, finding.Info, finding.Info, finding.Warning},
	finding.SessionDown:        {finding.Error, finding.Error, finding.Warning, finding.Warning, finding.Warning},
	finding.SessionSilent:      {finding.Error, finding.Error, finding.Warning, finding.Warning, finding.Warning},
	finding.SessionFlapping:    {finding.Warning, finding.Warning, finding.Warning, finding.Info, finding.Warning},
	finding.PrefixesLow:        {finding.Warning, finding.Warning, finding.Warning, finding.Info, finding.Warning},
	finding.PrefixLimit:        {finding.Warning, finding.Warning, finding.Info, finding.Info, finding.Info},
	finding.PlannedWork:        {finding.Warning, finding.Warning, finding.Info, finding.Info, finding.Info},
	finding.BlindSpot:          {finding.Info, finding.Info, finding.Info, finding.Info, finding.Info},
}

// SeverityOf is the severity of a rule's finding whose subject services of that tier, at most, lean on.
func (o Options) SeverityOf(rule finding.Rule, tier int) finding.Severity {
	tier = min(tier, 3)
	if s, ok := o.Severity[rule][tier]; ok {
		return s
	}
	column := tier
	if tier == NoTier {
		column = 4
	}
	if row, ok := defaultSeverity[rule]; ok {
		return row[column]
	}
	return finding.Warning
}

// pages are the rules whose findings tell a person at once. The others are standing statements of the design, or are
// told of by what follows from them.
var pages = map[finding.Rule]bool{
	finding.RedundancyLost: true, finding.RedundancyDegraded: true, finding.Insufficient: true, finding.ProviderLost: true,
	finding.InputLost: true, finding.ComponentFailed: true, finding.ComponentPredicted: true, finding.OnBattery: true,
	finding.CertificateChanged: true, finding.WrongCabling: true,
	finding.SessionDown: true, finding.SessionSilent: true, finding.SessionFlapping: true, finding.PrefixesLow: true, finding.PrefixLimit: true,
	finding.PlannedWork: true,
}
