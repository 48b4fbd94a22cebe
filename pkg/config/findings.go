package config

import (
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sparewatch/sparewatch/pkg/finding"
)

// Findings is how findings are weighed, and how patient the daemon is with them. Zero fields mean the defaults.
type Findings struct {
	Rules   map[finding.Rule]Rule
	Recover time.Duration // how long what hung under a cause stays under it after the cause is over
	Resolve time.Duration // how long an incident's findings must be gone before it is over
}

// Rule is what a configuration says of one rule.
type Rule struct {
	// Severity by tier 0, 1, 2 and 3 (which stands for all from 3 on) of the most important service that leans on the
	// subject; NoService where none does. A tier that is missing keeps its default.
	Severity map[int]finding.Severity
	Hold     time.Duration // how long its condition must stand before it is told
}

// NoService stands in the place of a tier where no service leans on the subject.
const NoService = -1

// tiers are the names of the columns of severities.
var tiers = map[string]int{"0": 0, "1": 1, "2": 2, "3": 3, "none": NoService}

const mostHold = 24 * time.Hour

func (l *loader) findings(n node) {
	s := l.mapping(n, "findings", "recover", "resolve", "rules")
	f := &l.cfg.Findings
	f.Recover = s.duration("recover", time.Second, mostHold, 0)
	f.Resolve = s.duration("resolve", time.Second, mostHold, 0)
	rules := l.freeMapping(s.keys["rules"], "findings: rules")
	for _, name := range rules.names() {
		rule := finding.Rule(name)
		if !slices.Contains(finding.Rules(), rule) {
			l.wrong(place{rules.file, rules.lines[name]}, didYouMean(name, words(finding.Rules()), "write "+oneOf(words(finding.Rules()))), "%q is no rule", name)
			continue
		}
		if f.Rules == nil {
			f.Rules = map[finding.Rule]Rule{}
		}
		f.Rules[rule] = l.rule(rule, rules.keys[name])
	}
}

func (l *loader) rule(name finding.Rule, n node) (r Rule) {
	s := l.mapping(n, "the rule "+string(name), "severity", "hold")
	r.Hold = s.duration("hold", 0, mostHold, 0)
	if r.Hold > 0 && name == finding.ExportLoss {
		l.wrong(s.where("hold"), "take it out", "the rule %s tells of what is lost already, and waits for nothing", name)
	}
	switch v := s.keys["severity"]; {
	case v.null():
		if !s.has("hold") {
			l.wrong(n.at(), "write {severity: warning} or {hold: 5m}", "the rule %s says nothing", name)
		}
	case v.is(yaml.ScalarNode):
		if severity, ok := l.severity(s, "severity"); ok {
			r.Severity = map[int]finding.Severity{}
			for _, tier := range tiers {
				r.Severity[tier] = severity
			}
		}
	default:
		r.Severity = l.severities(v, "the severity of "+string(name))
	}
	return r
}

// severities reads severities by tier.
func (l *loader) severities(n node, title string) map[int]finding.Severity {
	s := l.freeMapping(n, title)
	found := map[int]finding.Severity{}
	for _, name := range s.names() {
		tier, ok := tiers[name]
		if !ok {
			instead := "write 0, 1, 2, 3 (which stands for all from 3 on), or none"
			if t, err := strconv.Atoi(name); err == nil && t > 3 {
				instead = "write 3, which stands for all from 3 on"
			}
			l.wrong(place{s.file, s.lines[name]}, instead, "%s has no tier %q", title, name)
			continue
		}
		if severity, ok := l.severity(s, name); ok {
			found[tier] = severity
		}
	}
	return found
}

// severity reads the name of a severity; false where it is missing or wrong.
func (l *loader) severity(s *section, key string) (v finding.Severity, ok bool) {
	text := s.text(key)
	if text == "" {
		return 0, false
	}
	if err := v.UnmarshalText([]byte(text)); err != nil {
		l.wrong(s.where(key), didYouMean(text, severities, "write "+oneOf(severities)), "%q is no severity", text)
		return 0, false
	}
	return v, true
}

var severities = []string{finding.Info.String(), finding.Warning.String(), finding.Error.String(), finding.Critical.String()}
