package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// aftermath keeps what hung under a cause under it for a while after the cause is over (Options.Recover): devices are
// read one after the other, a management controller's sensors lag, a session takes its time to come up. What has not
// come back by then is told of by itself. What breaks anew meanwhile has never hung there and is told of at once.
type aftermath struct {
	cause finding.Finding // as it was told last
	over  time.Time
	until time.Time
}

// sessionPatience is how much longer than other things a BGP session takes to come back: its neighbour may wait two
// minutes before it tries again (RFC 4271, section 10: ConnectRetryTime).
const sessionPatience = 4

// noteAftermath finds the lost inputs whose root is over, and has them read again.
func (e *Engine) noteAftermath(c *climb) []Question {
	b := &e.blame
	var questions []Question
	for _, n := range slices.Sorted(maps.Keys(b.root)) {
		id, r := e.graph.ID(n), b.root[n]
		was, hung := b.causes[id]
		if r == n {
			delete(b.causes, id)
		} else {
			b.causes[id] = e.graph.ID(r)
		}
		if !hung || was == e.graph.ID(r) {
			continue
		}
		p, known := e.graph.Node(was)
		if !known || e.isGone(p) || c.isAbove(r, p) {
			delete(b.after, id)
			continue
		}
		if f, told := e.told(finding.KeyOf(finding.ProviderLost, was)); told {
			b.after[id] = aftermath{cause: f, over: e.now, until: e.now.Add(e.opt.Recover)}
		}
		b.inquiries[id] = &inquiry{since: e.now, until: e.now.Add(e.opt.Ask), devices: []string{id.Device()}}
		questions = append(questions, e.ask(id.Device(), e.now, fmt.Sprintf("has %s its input back?", id))...)
	}
	return questions
}

// isGone reports whether a provider is blamed, says itself that it has failed, or has no input.
func (e *Engine) isGone(p redundancy.Node) bool {
	return e.blame.blamed[p] || e.blame.lost[p] || e.cells[p].belief == fails
}

// endAftermaths forgets those whose time is over.
func (e *Engine) endAftermaths() {
	for id, a := range e.blame.after {
		if e.now.Before(a.until) {
			continue
		}
		delete(e.blame.after, id)
		if n, ok := e.graph.Node(id); ok {
			e.markTops(n)
		}
		e.reported = false
	}
}

// recovering reports whether all that is lost under a root hung under a cause that is over, and the root does not say
// itself that it has failed.
func (e *Engine) recovering(r redundancy.Node) bool {
	says := e.cells[r].belief == fails && !e.blame.lost[r]
	return !says && !slices.ContainsFunc(e.blame.under[r], func(n redundancy.Node) bool {
		_, is := e.blame.after[e.graph.ID(n)]
		return !is
	})
}

// lateRules are the rules whose findings may outlast their cause for a while. What a group lost hangs under these, or
// under a lost input.
var lateRules = map[finding.Rule]bool{
	finding.SessionDown: true, finding.ProviderLost: true, finding.TargetSilent: true, finding.ComponentFailed: true,
}

// keepUnder hangs findings whose cause is over under it, while they may still come back.
func (e *Engine) keepUnder(found map[finding.Key]stand) {
	s := &e.standing
	for _, key := range slices.Sorted(maps.Keys(found)) {
		st := found[key]
		if !lateRules[st.f.Rule] {
			continue
		}
		if st.f.Under != "" && !found[st.f.Under].over {
			delete(s.after, key)
			continue
		}
		a, known := s.after[key]
		if !known {
			cause, told := e.told(s.open[key].Under)
			if st, stands := found[cause.Key]; !told || stands && !st.over {
				continue
			}
			a = aftermath{cause: cause, over: e.now, until: e.now.Add(e.patience(st.f.Rule))}
			s.after[key] = a
		}
		st.f.Under = ""
		if e.now.Before(a.until) {
			st.f.Under = a.cause.Key
			s.waiting++
		}
		found[key] = st
	}
	s.waiting += len(e.blame.after)
	e.addOver(found)
}

// patience is how long the findings of a rule may outlast their cause.
func (e *Engine) patience(r finding.Rule) time.Duration {
	if r == finding.SessionDown {
		return sessionPatience * e.opt.Recover
	}
	return e.opt.Recover
}

// told is the finding on a cause as it was told while it stood.
func (e *Engine) told(k finding.Key) (finding.Finding, bool) {
	if f, over := e.standing.over[k]; over {
		return f, true
	}
	f, stands := e.standing.open[k]
	return f, stands
}

// addOver adds the causes that are over and under which something still hangs.
func (e *Engine) addOver(found map[finding.Key]stand) {
	left := map[finding.Key][]component.ID{}
	last := map[finding.Key]aftermath{}
	note := func(id component.ID, a aftermath) {
		key := a.cause.Key
		left[key] = append(left[key], id)
		if a.until.After(last[key].until) {
			last[key] = a
		}
	}
	for id, a := range e.blame.after {
		note(id, a)
	}
	for key, a := range e.standing.after {
		if _, stands := found[key]; !stands {
			delete(e.standing.after, key)
			continue
		}
		if e.now.Before(a.until) {
			_, subject := key.Parts()
			note(subject, a)
		}
	}
	clear(e.standing.over)
	for key, a := range last {
		if st, stands := found[key]; !stands || st.over {
			slices.Sort(left[key])
			found[key] = stand{over: true, f: over(a, left[key])}
			e.standing.over[key] = a.cause
		}
	}
}

// over is the finding on a cause that is over, while what hung under it comes back.
func over(a aftermath, left []component.ID) finding.Finding {
	f := a.cause
	what, are := "what", "is"
	if len(left) > 1 {
		what, are = fmt.Sprintf("%d that", len(left)), "are"
	}
	f.Summary = fmt.Sprintf("%s is back since %s; %s hung on it %s not yet: %s", f.Subject, clock(a.over), what, are, names(left, 4))
	f.Causes = []finding.Cause{{ID: f.Subject, Why: "was gone until " + clock(a.over)}}
	f.Evidence = []string{cmp.Or(a.cause.Summary, string(f.Key))}
	f.Remedy = fmt.Sprintf("Wait until %s: what is not back by then is told of by itself.", clock(a.until))
	f.Under = ""
	return f
}

// clock is a time of day for people.
func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }
