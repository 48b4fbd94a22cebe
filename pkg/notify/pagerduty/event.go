package pagerduty

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/PagerDuty/go-pagerduty"

	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/notify"
)

// Limits of the Events API v2.
const (
	maxSummary = 1024    // characters
	maxDedup   = 255     // characters
	maxEvent   = 512_000 // bytes; "512 KB"
)

// details is what a person reads in PagerDuty below the summary.
type details struct {
	What         string   `json:"what"`
	Why          []string `json:"why,omitempty"`
	Services     []string `json:"services,omitempty"`
	Do           string   `json:"remedy,omitempty"`
	Evidence     []string `json:"evidence,omitempty"`
	Consequences []string `json:"consequences,omitempty"`
	Told         string   `json:"told_because,omitempty"`
	Rule         string   `json:"rule"`
	Since        string   `json:"since"`
}

// event makes the event of a notification, without the routing key, within the limits.
func event(n notify.Notification) (pagerduty.V2Event, error) {
	e := pagerduty.V2Event{Action: string(n.Action), DedupKey: dedup(string(n.Incident)), Client: "Sparewatch", ClientURL: n.Link}
	if n.Action != notify.Trigger {
		return e, nil // a resolve's payload is not looked at
	}
	if n.Link != "" {
		e.Links = []any{map[string]string{"href": n.Link, "text": "Sparewatch"}}
	}
	d := describe(n)
	e.Payload = &pagerduty.V2Payload{
		Summary:   cut(summary(n), maxSummary),
		Source:    source(n),
		Severity:  n.Severity.String(), // the same four words
		Timestamp: n.Opened.UTC().Format(time.RFC3339),
		Component: string(n.Subject),
		Group:     n.Site,
		Class:     string(n.Root.Rule),
		Details:   d,
	}
	for _, drop := range []func(){
		func() { d.Consequences = []string{fmt.Sprintf("%d, too many to list", len(n.Findings)-1+n.More)} },
		func() { d.Evidence, d.Services = nil, nil },
		func() {
			d = &details{What: cut(d.What, maxSummary), Rule: d.Rule, Since: d.Since}
			e.Payload.Details = d
		},
	} {
		size, err := json.Marshal(e)
		if err != nil {
			return e, err
		}
		if len(size) <= maxEvent {
			break
		}
		drop()
	}
	return e, nil
}

func summary(n notify.Notification) string {
	if n.Title != "" {
		return n.Title
	}
	return string(n.Root.Key)
}

// source is where the fault is; the API insists on one.
func source(n notify.Notification) string {
	for _, s := range []string{n.Subject.Device(), n.Site, "sparewatch"} {
		if s != "" {
			return s
		}
	}
	return ""
}

func describe(n notify.Notification) *details {
	d := &details{What: n.Root.Summary, Do: n.Root.Remedy, Evidence: n.Root.Evidence, Told: n.Why, Rule: string(n.Root.Rule), Since: n.Root.Since.UTC().Format(time.RFC3339)}
	for _, c := range n.Root.Causes {
		d.Why = append(d.Why, strings.TrimSuffix(fmt.Sprintf("%s: %s", c.ID, c.Why), ": "))
	}
	for _, i := range n.Root.Impacts {
		d.Services = append(d.Services, impact(i))
	}
	for i, f := range n.Findings {
		if i > 0 { // the first is the root
			d.Consequences = append(d.Consequences, f.Summary)
		}
	}
	if n.More > 0 {
		d.Consequences = append(d.Consequences, fmt.Sprintf("and %d more", n.More))
	}
	return d
}

// impact says what a service has left: "payments (tier 0): no spare left; network 1, power 0".
func impact(i finding.Impact) string {
	s := fmt.Sprintf("%s (tier %d): ", i.Service.Local(), i.Tier)
	switch {
	case i.Spares == nil:
		s += "spares not known"
	case *i.Spares < 0:
		s += "down"
	case *i.Spares == 0:
		s += "no spare left"
	default:
		s += fmt.Sprintf("%d left", *i.Spares)
	}
	var by []string
	for domain, spares := range i.By {
		by = append(by, fmt.Sprintf("%s %d", domain, spares))
	}
	slices.Sort(by)
	if len(by) > 0 {
		s += "; " + strings.Join(by, ", ")
	}
	return s
}

// dedup is the incident's id; a longer one than the API takes keeps its beginning and is told apart by its hash.
func dedup(id string) string {
	if len(id) <= maxDedup {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	tail := "-" + hex.EncodeToString(sum[:])
	return strings.ToValidUTF8(id[:maxDedup-len(tail)], "") + tail
}

// cut shortens s to n characters.
func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
