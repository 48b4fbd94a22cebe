// Package finding gives the standing statements that the engine makes of groups, services and components.
package finding

import (
	"fmt"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// Rule names what a finding says. Each rule has its runbook in dashboards/runbooks/<rule>.md.
type Rule string

// The built-in rules.
const (
	RedundancyLost     Rule = "redundancy-lost"     // a group has no spare left: the next failure is an outage
	RedundancyDegraded Rule = "redundancy-degraded" // a group lost some of its spares
	Insufficient       Rule = "insufficient"        // a group has fewer than it needs
	FalseRedundancy    Rule = "false-redundancy"    // members share what can take them together
	ProviderLost       Rule = "provider-lost"       // a feed, PDU, UPS or other provider is gone under its dependants
	InputLost          Rule = "input-lost"          // one supply without input: its cord, or the supply
	ComponentFailed    Rule = "component-failed"    // a part has failed
	ComponentPredicted Rule = "component-predicted" // a part says that it will fail
	OnBattery          Rule = "on-battery"          // a UPS carries its load from the battery or unprotected
	ClaimMismatch      Rule = "claim-mismatch"      // the device's own word disagrees with what is seen
	SourceMismatch     Rule = "source-mismatch"     // two ways to one device say different things of a part
	WrongCabling       Rule = "wrong-cabling"       // what is observed contradicts the declared cables
	BlindSpot          Rule = "blind-spot"          // the model leans on it and nobody observes it
	TargetSilent       Rule = "target-silent"       // a target does not answer
	CertificateChanged Rule = "certificate-changed" // a pinned certificate is another one now
	ModelMistake       Rule = "model-mistake"       // the declared topology names what its device does not have
	ReducedCapacity    Rule = "reduced-capacity"    // fewer can carry the load than it seems: capacity raised what is needed
	PlannedWork        Rule = "planned-work"        // work is announced on something that services lean on
	ExportLoss         Rule = "export-loss"         // numbers for another system were dropped or refused
	FailoverOverload   Rule = "failover-overload"   // what survives a failure would carry more than it may
	// Of BGP sessions, see package paths.
	SessionDown     Rule = "session-down"     // a session is not established, and nobody meant it to be so
	SessionSilent   Rule = "session-silent"   // established, and no prefix comes any more
	SessionFlapping Rule = "session-flapping" // down and up again and again
	PrefixesLow     Rule = "prefixes-low"     // far fewer prefixes than usual
	PrefixLimit     Rule = "prefix-limit"     // near the most that the router takes
)

// Rules lists all built-in rules in the order above.
func Rules() []Rule {
	return []Rule{RedundancyLost, RedundancyDegraded, Insufficient, FalseRedundancy, ProviderLost, InputLost, ComponentFailed,
		ComponentPredicted, OnBattery, ClaimMismatch, SourceMismatch, WrongCabling, BlindSpot, TargetSilent, CertificateChanged, ModelMistake, ReducedCapacity, FailoverOverload, PlannedWork, ExportLoss,
		SessionDown, SessionSilent, SessionFlapping, PrefixesLow, PrefixLimit}
}

// Severity in PagerDuty's words. The zero value is Info: it never pages.
type Severity uint8

// The severities, rising.
const (
	Info Severity = iota
	Warning
	Error
	Critical
)

var severityNames = [...]string{"info", "warning", "error", "critical"}

func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// MarshalText writes the severity's name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a severity's name and refuses any other word.
func (s *Severity) UnmarshalText(b []byte) error {
	for i, n := range severityNames {
		if n == string(b) {
			*s = Severity(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no severity: write info, warning, error or critical", b)
}

// Key is "rule:subject-id" and nothing else; it does not change when the wording does.
type Key string

// KeyOf joins a rule and its subject.
func KeyOf(r Rule, subject component.ID) Key { return Key(string(r) + ":" + string(subject)) }

// Parts are the key's rule and subject.
func (k Key) Parts() (Rule, component.ID) {
	rule, subject, _ := strings.Cut(string(k), ":")
	return Rule(rule), component.ID(subject)
}

// Finding is one standing statement. It is a value; the engine makes a new one when anything in it changes.
type Finding struct {
	Key      Key          `json:"key"`
	Rule     Rule         `json:"rule"`
	Subject  component.ID `json:"subject"`
	Severity Severity     `json:"severity"`
	Summary  string       `json:"summary"` // one line: what is thin and why
	Since    time.Time    `json:"since"`
	Causes   []Cause      `json:"causes"`   // nearest first
	Evidence []string     `json:"evidence"` // what was seen, in the devices' terms
	Remedy   string       `json:"remedy"`   // what to look at first and what to do
	Impacts  []Impact     `json:"impacts"`  // the services that lean on the subject
	// Under is the key of the finding on the cause of this one; this one is then quiet. Empty at a root.
	Under Key `json:"under,omitempty"`
	// Pages is true where a person is to be told at once. Standing design findings (false redundancy, blind spots) and
	// consequences do not page.
	Pages bool `json:"pages"`
}

// Cause is one step of the explanation.
type Cause struct {
	ID  component.ID `json:"id"`
	Why string       `json:"why"`
}

// Impact says what one service has left.
type Impact struct {
	Service component.ID             `json:"service"`
	Tier    int                      `json:"tier"`
	Spares  *int                     `json:"spares"` // overall; null: not known; -1: the service is down
	By      map[component.Domain]int `json:"by_domain"`
}
