package web

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
)

type card struct {
	ID          string // of the incident; empty: a standing finding
	Anchor      string
	Tone        tone
	Severity    string
	Title       string
	Rule        string
	Subject     string
	Since       string // "4 min"
	At          string // absolute
	Causes      []finding.Cause
	Evidence    []string
	Remedy      string
	Impacts     []impact
	ImpactsMore int
	Under       []consequence
	More        int
	Gone        bool // the finding at the root is not there now
}

// mostImpacts bounds the services that are named under a finding; the most important come first.
const mostImpacts = 8

type impact struct{ Name, Tier, Left string }

type consequence struct{ Severity, Summary, Subject string }

func incidentCard(inc incident.Incident, byKey map[finding.Key]*finding.Finding, now time.Time) card {
	c := card{ID: string(inc.ID), Anchor: "incident-" + string(inc.ID), Title: inc.Title}
	if root := byKey[inc.Root]; root != nil {
		c.fill(root, now)
	} else {
		rule, subject, _ := strings.Cut(string(inc.Root), ":")
		c.Rule, c.Subject, c.Gone = rule, subject, true
	}
	if inc.Title != "" {
		c.Title = inc.Title
	}
	c.Severity, c.Tone = inc.Severity.String(), severityTone(inc.Severity)
	c.Since, c.At = ago(now, inc.Opened), component.Stamp(inc.Opened)
	for _, k := range inc.Findings {
		f := byKey[k]
		if k == inc.Root || f == nil {
			continue
		}
		if len(c.Under) == most {
			c.More++
			continue
		}
		c.Under = append(c.Under, consequence{f.Severity.String(), f.Summary, string(f.Subject)})
	}
	return c
}

func (c *card) fill(f *finding.Finding, now time.Time) {
	c.Tone, c.Severity = severityTone(f.Severity), f.Severity.String()
	c.Title, c.Rule, c.Subject = f.Summary, string(f.Rule), string(f.Subject)
	c.Since, c.At = ago(now, f.Since), component.Stamp(f.Since)
	c.Causes, c.Evidence, c.Remedy = f.Causes, f.Evidence, f.Remedy
	for n, i := range f.Impacts {
		if n == mostImpacts {
			c.ImpactsMore = len(f.Impacts) - n
			break
		}
		c.Impacts = append(c.Impacts, impact{Name: i.Service.Local(), Tier: strconv.Itoa(i.Tier), Left: engine.Left(i)})
	}
}

// addStanding adds what is open and belongs to no incident. What hangs under another finding is shown with that one.
func (p *page) addStanding(all []finding.Finding, told map[finding.Key]bool, now time.Time) {
	at := map[finding.Key]int{}
	for i := range all {
		f := &all[i]
		if told[f.Key] || f.Rule == finding.BlindSpot || f.Under != "" || len(p.Standing) == most {
			continue
		}
		var c card
		c.fill(f, now)
		c.Anchor = "finding-" + string(f.Key)
		at[f.Key] = len(p.Standing)
		p.Standing = append(p.Standing, c)
	}
	for i := range all {
		f := &all[i]
		if n, ok := at[f.Under]; ok && !told[f.Key] {
			p.Standing[n].Under = append(p.Standing[n].Under, consequence{f.Severity.String(), f.Summary, string(f.Subject)})
		}
	}
	slices.SortStableFunc(p.Standing, func(a, b card) int { return weight(b.Tone) - weight(a.Tone) })
	notes := slices.IndexFunc(p.Standing, func(c card) bool { return c.Tone == plain })
	if notes >= 0 {
		p.Standing, p.Remarks = p.Standing[:notes], p.Standing[notes:]
	}
}
