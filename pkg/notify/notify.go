// Package notify is the contract of the outlets that tell people: notify/pagerduty, notify/webhook and others; and of
// notify/outbox, which calls them and keeps account in the ledger.
package notify

import (
	"context"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
)

// Action is what a notification does at its receiver.
type Action string

// The actions.
const (
	Trigger Action = "trigger" // open, or update what is open
	Resolve Action = "resolve"
)

// Notification is one message about one incident. The receiver's dedup key is Incident.
type Notification struct {
	Incident incident.ID       `json:"incident"`
	Action   Action            `json:"action"`
	Why      string            `json:"why"` // what happened: "opened", "severity raised from warning to critical", ...
	Severity finding.Severity  `json:"severity"`
	Title    string            `json:"title"`
	Site     string            `json:"site"`
	Subject  component.ID      `json:"subject"`
	Root     finding.Finding   `json:"root"`
	Findings []finding.Finding `json:"findings"`       // root first, consequences after; at most incident.MaxTold
	More     int               `json:"more,omitempty"` // findings left out
	Opened   time.Time         `json:"opened"`
	Resolved time.Time         `json:"resolved,omitzero"`
	PartOf   incident.ID       `json:"part_of,omitempty"` // resolved because it is part of this one
	At       time.Time         `json:"at"`
	Link     string            `json:"link,omitempty"` // to the status page
}

// From makes the notification of a notice.
func From(n incident.Notice, site, link string) Notification {
	action := Trigger
	if !n.Incident.Resolved.IsZero() {
		action = Resolve
	}
	return Notification{
		Incident: n.Incident.ID,
		Action:   action,
		Why:      n.Why,
		Severity: n.Incident.Severity,
		Title:    n.Incident.Title,
		Site:     site,
		Subject:  n.Root.Subject,
		Root:     n.Root,
		Findings: n.Findings,
		More:     n.More,
		Opened:   n.Incident.Opened,
		Resolved: n.Incident.Resolved,
		PartOf:   n.Incident.PartOf,
		At:       n.At,
		Link:     link,
	}
}

// Notifier sends one notification. Send is called by one goroutine of the outbox, again and again until it returns nil
// or an error that is not temporary; sending the same notification twice must have the effect of once.
type Notifier interface {
	Send(ctx context.Context, n Notification) error
}

// Paced is what a notifier is too when its receiver takes only so many notifications; the outbox sends no more than
// that.
type Paced interface {
	PerMinute() int
}

// TemporaryError is a failure after which the same notification is to be sent again, not before After.
type TemporaryError struct {
	After time.Duration // 0: the outbox chooses
	Err   error
}

func (e *TemporaryError) Error() string { return e.Err.Error() }
func (e *TemporaryError) Unwrap() error { return e.Err }

// Intent is the body of a ledger entry of the kind intent: the notification is about to be sent to each receiver.
type Intent struct {
	Receivers    []string     `json:"receivers"`
	Notification Notification `json:"notification"`
}

// Outcome is the body of a ledger entry of the kind outcome: what came of one intent at one receiver. It settles the
// earlier intents of the same incident at that receiver too: the newer one made them needless.
type Outcome struct {
	Intent   uint64      `json:"intent"` // sequence of its ledger entry
	Incident incident.ID `json:"incident"`
	Receiver string      `json:"receiver"`
	Result   Result      `json:"result"`
	Attempts int         `json:"attempts"` // since the daemon's start
	Error    string      `json:"error,omitempty"`
}

// Result of a notification at one receiver.
type Result string

// The results.
const (
	Delivered Result = "delivered" // the receiver has taken it
	Refused   Result = "refused"   // it never will; Error says why
	Dropped   Result = "dropped"   // it was given up; Error says why
)
