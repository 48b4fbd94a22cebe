package prom

import (
	"math"
	"runtime"
	"time"

	"github.com/sparewatch/sparewatch/pkg/export"
	"github.com/sparewatch/sparewatch/pkg/finding"
)

// Daemon are the numbers that the daemon tells of itself. Counters count since its start.
type Daemon struct {
	Version string

	Polls, PollsFailed, PollsLate uint64
	LastFailed                    string        // the target of the last poll that failed
	LastFailedAt                  time.Time     // and when
	Evaluations                   uint64        // by the engine
	Evaluating                    time.Duration // spent in them
	LedgerEntries                 uint64        // in the ledger; 0: not known
	Incidents                     map[finding.Severity]int
	Receivers                     []Receiver
	Exports                       []export.Status
	Traps                         *Traps // nil: none are heard

	Pushed *Pushed // nil: no service is asked to push its events
	BGP    *BGP    // nil: no router's BGP is heard

	Loaded   time.Time // when the configuration in use was loaded
	LoadedOK bool      // whether the last attempt to load it succeeded
}

// Pushed are the events that Redfish services push, and the subscriptions to them.
type Pushed struct {
	Events, Ignored, Strangers, Garbage uint64
	Lost, Refused                       uint64 // subscriptions that were renewed, and that were not taken
	Standing                            int    // subscriptions
}

// Receiver is how one receiver of notifications does.
type Receiver struct {
	Name               string
	Pending            int
	Delivered, Refused int
	Failures           int // failed attempts in a row
}

var (
	buildInfo   = desc("build_info", "1; what is running.", "version", "goversion")
	reportTime  = desc("report_timestamp_seconds", "When the engine last judged.")
	settled     = desc("settled", "1 if every target was read once or the settle time is over.")
	waiting     = desc("findings_waiting", "Findings held back until the providers that were asked have answered.")
	polls       = desc("polls_total", "Polls of all targets.")
	pollsFailed = desc("polls_failed_total", "Polls that were not answered.")
	pollsLate   = desc("polls_late_total", "Polls that began later than their turn.")
	evaluations = desc("engine_evaluations_total", "Times that the engine judged.")
	evaluating  = desc("engine_evaluation_seconds_total", "Time that the engine spent judging.")
	entries     = desc("ledger_entries", "Entries of the ledger.")
	incidents   = desc("incidents_open", "Open incidents.", "severity")
	pending     = desc("notifications_pending", "Notifications that wait to be sent.", "receiver")
	notified    = desc("notifications_total", "Notifications whose fate is known.", "receiver", "result")
	failures    = desc("notification_failures_in_a_row", "Attempts to send that failed since the last that succeeded.", "receiver")
	exported    = desc("export_points_total", "Points for another system whose fate is known.", "export", "result")
	exportWaits = desc("export_spool_bytes", "Bytes that wait on disk to be written.", "export")
	exportAge   = desc("export_spool_oldest_timestamp_seconds", "When the oldest of what waits was put there; NaN: nothing waits.", "export")
	exportFails = desc("export_failures_in_a_row", "Attempts to write that failed since the last that succeeded.", "export")
	loaded      = desc("config_loaded_timestamp_seconds", "When the configuration in use was loaded.")
	pushes      = desc("redfish_events_total", "Events that Redfish services have pushed.", "result")
	subscribed  = desc("redfish_subscriptions", "Subscriptions to events that Redfish services hold.")
	renewed     = desc("redfish_subscriptions_renewed_total", "Subscriptions that a Redfish service had forgotten.")
	notTaken    = desc("redfish_subscriptions_refused_total", "Subscriptions that a Redfish service did not take.")
	loadedOK    = desc("config_last_load_successful", "1 if the last attempt to load the configuration succeeded.")
)

func (s sink) daemon(v View) {
	d := v.Daemon
	s.gauge(buildInfo, 1, d.Version, runtime.Version())
	s.counter(polls, float64(d.Polls))
	s.counterWith(pollsFailed, float64(d.PollsFailed), export.Exemplar{Label: "target", Text: d.LastFailed, At: d.LastFailedAt})
	s.counter(pollsLate, float64(d.PollsLate))
	s.counter(evaluations, float64(d.Evaluations))
	s.counter(evaluating, d.Evaluating.Seconds())
	s.gauge(entries, positive(int(d.LedgerEntries)))
	for sev := finding.Info; sev <= finding.Critical; sev++ {
		s.gauge(incidents, float64(d.Incidents[sev]), sev.String())
	}
	for _, r := range d.Receivers {
		s.gauge(pending, float64(r.Pending), r.Name)
		s.counter(notified, float64(r.Delivered), r.Name, "delivered")
		s.counter(notified, float64(r.Refused), r.Name, "refused")
		s.gauge(failures, float64(r.Failures), r.Name)
	}
	for _, e := range d.Exports {
		s.counter(exported, float64(e.Written), e.Name, "written")
		s.counter(exported, float64(e.Refused), e.Name, "refused")
		s.counter(exported, float64(e.Dropped), e.Name, "dropped")
		s.gauge(exportWaits, float64(e.Waiting.Bytes), e.Name)
		s.gauge(exportAge, seconds(e.Waiting.Oldest), e.Name)
		s.gauge(exportFails, float64(e.Failures), e.Name)
	}
	s.traps(d.Traps)
	s.gauge(loaded, seconds(d.Loaded))
	s.gauge(loadedOK, truth(d.LoadedOK))
	s.pushed(d.Pushed)
	s.bgp(d.BGP)
	if v.Report == nil {
		s.gauge(reportTime, math.NaN())
		s.gauge(settled, 0)
		s.gauge(waiting, math.NaN())
		return
	}
	s.gauge(reportTime, seconds(v.Report.At))
	s.gauge(settled, truth(v.Report.Settled))
	s.gauge(waiting, float64(v.Report.Waiting))
}
