package prom

import (
	"maps"
	"slices"
)

// Traps are the numbers of the receiver of SNMP traps.
type Traps struct {
	Results map[string]uint64 // of datagrams
	Informs uint64            // answered
	Reports uint64            // sent to senders of informs
	Polls   uint64            // that traps asked for
	Unknown int               // different senders that nobody knows
}

var (
	traps        = desc("traps_total", "Datagrams that came to where traps are heard, by what became of them.", "result")
	trapPolls    = desc("trap_polls_total", "Times that a device was asked because of its traps.")
	trapInforms  = desc("trap_informs_answered_total", "Informs that were answered.")
	trapReports  = desc("trap_reports_total", "Reports to senders of SNMPv3 informs: who we are, what time it is, or what is wrong.")
	trapStranger = desc("trap_unknown_senders", "Different senders of good traps that no device is known by; at most 1000 are told apart.")
)

// traps sends nothing where no traps are heard.
func (s sink) traps(t *Traps) {
	if t == nil {
		return
	}
	for _, r := range slices.Sorted(maps.Keys(t.Results)) {
		s.counter(traps, float64(t.Results[r]), r)
	}
	s.counter(trapPolls, float64(t.Polls))
	s.counter(trapInforms, float64(t.Informs))
	s.counter(trapReports, float64(t.Reports))
	s.gauge(trapStranger, float64(t.Unknown))
}
