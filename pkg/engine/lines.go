package engine

import (
	"fmt"
	"maps"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/traffic"
)

// Readings that tell how well a port's line does: frames since CountersSince. FCSErrors is a part of ReceiveErrors on most devices
// (RFC 3635 section 3.2.6), and beside it on others. Discards tell of a queue that was full, not of the line.
const (
	ReceivePackets  = "receive_packets"
	TransmitPackets = "transmit_packets"
	ReceiveErrors   = "receive_errors"
	TransmitErrors  = "transmit_errors"
	FCSErrors       = "fcs_errors"
)

// assumedErrors is ten thousand times what a line at the worst bit error rate that Ethernet allows shows (10^-12, frames of 1500
// octets), and a tenth of what TCP notices at once.
const assumedErrors = 0.0001

// badLine is the cause of a finding on a port with too many broken frames.
const badLine = "too many of its frames are broken"

// lines are the ports that count errors.
type lines map[component.ID]*line

// line is what a port has counted.
type line struct {
	ways [directions]traffic.Errors
	said string // what is wrong with it; "" where nothing is
}

// noteLines reads the counters of a device's ports, and reports whether more or fewer of them are well than before.
func (e *Engine) noteLines(view *state.Device) (changed bool) {
	for i := range view.Parts {
		if p := &view.Parts[i]; (p.Kind == component.Port || p.Kind == component.NIC) && !p.Silent && !p.Kept {
			changed = e.noteLine(p) || changed
		}
	}
	return changed
}

func (e *Engine) noteLine(p *state.Part) (changed bool) {
	bad := [directions]component.Value{received: broken(p), sent: p.Reading(TransmitErrors)}
	good := [directions]component.Value{received: p.Reading(ReceivePackets), sent: p.Reading(TransmitPackets)}
	l := e.lines[p.ID]
	for d := range directions {
		if !bad[d].Known() || !good[d].Known() {
			continue
		}
		if l == nil {
			l = e.newLine(p.ID)
		}
		l.ways[d].Read(traffic.Tally{Good: float64(good[d]), Bad: float64(bad[d]), At: p.At, Since: p.Attributes[CountersSince]}, e.opt.Errors)
	}
	if l == nil {
		return false
	}
	was := l.said
	l.tell(e.opt.Errors)
	return (was == "") != (l.said == "")
}

// broken are the frames that were received broken, in whichever counter the device counts them.
func broken(p *state.Part) component.Value {
	errors, fcs := p.Reading(ReceiveErrors), p.Reading(FCSErrors)
	if fcs.Known() && !(errors >= fcs) {
		return fcs
	}
	return errors
}

// newLine begins to follow a port. One that was found bad before a restart is bad until it was seen well.
func (e *Engine) newLine(id component.ID) *line {
	l := &line{}
	if f, open := e.resumed[finding.KeyOf(finding.ComponentPredicted, id)]; open && len(f.Causes) > 0 && f.Causes[0].Why == badLine {
		l.ways[received].Resume()
		l.said = strings.TrimPrefix(f.Summary, name(id)+": ")
	}
	e.lines[id] = l
	return l
}

// tell puts into words what is wrong with a line. The figures are those of when it was found; that it is well again ends them.
func (l *line) tell(limit float64) {
	var said []string
	for d, verb := range [directions]string{"received", "sent"} {
		w := &l.ways[d]
		if !w.Many() {
			continue
		}
		x := w.Extent()
		if l.said != "" || x.Bads == 0 {
			return
		}
		said = append(said, fmt.Sprintf("%s of the frames %s are broken, %.0f of %.0f, in %d of %d stretches of the last %.0f min; %s may be",
			share(x.Bad/x.All), verb, x.Bad, x.All, x.Bads, x.Of, x.Over.Minutes(), share(limit)))
	}
	l.said = strings.Join(said, "; ")
}

// share is a small part of a whole, for people: "0.012 %".
func share(part float64) string { return fmt.Sprintf("%.2g %%", 100*part) }

// fading reports whether a port's line is about to fail.
func (l lines) fading(id component.ID) bool { return l[id] != nil && l[id].said != "" }

func (l lines) forget(device string) {
	maps.DeleteFunc(l, func(id component.ID, _ *line) bool { return id.Device() == device })
}

// predictedFinding is the finding on a part that says that it will fail, or on a port whose line is fading; ok is false where
// neither is so.
func (e *Engine) predictedFinding(p *state.Part) (stand, bool) {
	fading := e.lines.fading(p.ID)
	predicts := p.Predicted && p.Attributes[component.OnBattery] != "true"
	if !fading && !predicts {
		return stand{}, false
	}
	f := finding.Finding{Key: finding.KeyOf(finding.ComponentPredicted, p.ID), Rule: finding.ComponentPredicted, Subject: p.ID,
		Evidence: append([]string{says(p)}, logged(p)...)}
	if predicts {
		f.Summary = fmt.Sprintf("%s says that it will fail", name(p.ID))
		f.Causes = []finding.Cause{{ID: p.ID, Why: "predicts its failure"}}
		f.Remedy = fmt.Sprintf("Order a replacement for %s and swap it before it fails.", name(p.ID))
		if fading {
			f.Evidence = append(f.Evidence, e.lines[p.ID].said)
		}
	} else {
		f.Summary = fmt.Sprintf("%s: %s", name(p.ID), e.lines[p.ID].said)
		f.Causes = []finding.Cause{{ID: p.ID, Why: badLine}}
		f.Remedy = fmt.Sprintf("Look at the line of %s: clean its connectors, look at the light levels at both ends, try another cable, then another optic; see that both ends have the same duplex.", name(p.ID))
		f.Evidence = append(f.Evidence, tallied(p)...)
	}
	return stand{f: f}, true
}

// tallied are a port's counters of errors, as evidence.
func tallied(p *state.Part) []string {
	var out []string
	for _, r := range p.Readings {
		switch r.Name {
		case ReceiveErrors, TransmitErrors, FCSErrors, "receive_discards", "transmit_discards":
			if r.Value.Known() {
				out = append(out, fmt.Sprintf("%s: %.0f", r.Name, float64(r.Value)))
			}
		}
	}
	return out
}
