package app

import (
	"context"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/notify"
)

type heard []string

func (h *heard) Send(_ context.Context, n notify.Notification) error {
	*h = append(*h, string(n.Action)+" "+string(n.Incident)+" "+n.Severity.String())
	return nil
}

func TestAtLeast(t *testing.T) {
	var h heard
	a := &atLeast{next: &h, least: finding.Error, untold: map[incident.ID]bool{}}
	for _, n := range []notify.Notification{
		{Incident: "a", Action: notify.Trigger, Severity: finding.Warning},
		{Incident: "b", Action: notify.Trigger, Severity: finding.Critical},
		{Incident: "a", Action: notify.Resolve, Severity: finding.Warning},
		{Incident: "b", Action: notify.Resolve, Severity: finding.Warning}, // it had become less
		{Incident: "c", Action: notify.Trigger, Severity: finding.Warning},
		{Incident: "c", Action: notify.Trigger, Severity: finding.Error},
		{Incident: "c", Action: notify.Resolve, Severity: finding.Error},
	} {
		if err := a.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	want := "trigger b critical, resolve b warning, trigger c error, resolve c error"
	if got := strings.Join(h, ", "); got != want {
		t.Errorf("the receiver heard %s, want %s", got, want)
	}
}
