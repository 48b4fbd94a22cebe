// Package notify is the contract of the outlets that tell people: notify/pagerduty, notify/webhook and others.
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
	Severity finding.Severity  `json:"severity"`
	Title    string            `json:"title"`
	Site     string            `json:"site"`
	Subject  component.ID      `json:"subject"`
	Root     finding.Finding   `json:"root"`
	Findings []finding.Finding `json:"findings"` // root first, consequences after
	Opened   time.Time         `json:"opened"`
	At       time.Time         `json:"at"`
	Link     string            `json:"link,omitempty"` // to the status page
}

// Notifier sends one notification. Send is called by one goroutine of the outbox, again and again until it returns nil
// or an error that is not temporary; sending the same notification twice must have the effect of once.
type Notifier interface {
	Send(ctx context.Context, n Notification) error
}

// TemporaryError is a failure after which the same notification is to be sent again, not before After.
type TemporaryError struct {
	After time.Duration // 0: the outbox chooses
	Err   error
}

func (e *TemporaryError) Error() string { return e.Err.Error() }
func (e *TemporaryError) Unwrap() error { return e.Err }
