// Package incident gives what people are told: findings with one root cause, under an id that stays.
package incident

import (
	"time"

	"github.com/sparewatch/sparewatch/pkg/finding"
)

// ID of an incident, made at opening; a receiver's dedup key. It never changes.
type ID string

// Incident is findings with one root cause.
type Incident struct {
	ID       ID               `json:"id"`
	Root     finding.Key      `json:"root"` // moves when the cause is found higher up
	Findings []finding.Key    `json:"findings"`
	Severity finding.Severity `json:"severity"`
	Title    string           `json:"title"`
	Opened   time.Time        `json:"opened"`
	Resolved time.Time        `json:"resolved,omitzero"`
	PartOf   ID               `json:"part_of,omitempty"` // merged into an older one
}
