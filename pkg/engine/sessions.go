package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/traffic"
)

// Readings that tell how a BGP session does, where its collector draws no conclusion of its own (component.Trouble): how often it came
// up since it is counted, and by address family ("prefixes_accepted_ipv6") how many prefixes it brings, and how many its router takes.
const (
	Transitions      = "transitions"
	PrefixesAccepted = "prefixes_accepted_"
	PrefixesReceived = "prefixes_received_"
	PrefixesLimit    = "prefixes_limit_"
)

// What is told of sessions, as docs/paths.md has it.
const (
	sessionFills = 2 * time.Minute // after it came up
	flapsWithin  = 10 * time.Minute
	flapsMany    = 3
	limitNear    = 0.9
)

// peerings are the BGP sessions that are only counted.
type peerings map[component.ID]*peering

// peering is what was seen of one session.
type peering struct {
	up       time.Time // since when it is seen established; zero: it isn't
	counted  float64   // its transitions; negative: not known
	flaps    []time.Time
	families map[string]*traffic.Usual
	trouble  string // as component.Trouble
	why      string
}

// troubleOf is what is wrong with an established session, as its collector or the counts of it say.
func (e *Engine) troubleOf(p *state.Part) (trouble, why string) {
	if t := p.Attributes[component.Trouble]; t != "" {
		return t, p.Why
	}
	if s := e.peerings[p.ID]; s != nil && p.Condition != component.Failed && p.Condition != component.Absent {
		return s.trouble, s.why
	}
	return "", ""
}

// notePeerings reads the counts of a device's sessions, and reports whether something else is wrong with them than before.
func (e *Engine) notePeerings(view *state.Device) (changed bool) {
	for i := range view.Parts {
		p := &view.Parts[i]
		if p.Kind != component.BGPSession || p.Silent || p.Kept || p.Attributes[component.Trouble] != "" || !counts(p) {
			continue
		}
		s := e.peerings[p.ID]
		if s == nil {
			s = e.newPeering(p.ID, view.Prefixes[p.ID])
		}
		was := s.trouble
		if s.note(p) {
			e.brought[p.ID] = s.known()
		}
		changed = changed || was != s.trouble
	}
	return changed
}

func counts(p *state.Part) bool {
	return slices.ContainsFunc(p.Readings, func(r component.Reading) bool {
		return r.Name == Transitions || strings.HasPrefix(r.Name, PrefixesAccepted) || strings.HasPrefix(r.Name, PrefixesReceived)
	})
}

// newPeering begins to follow a session of which it is known what it usually brought. One that brought nothing, or little,
// before a restart does so until it is seen to bring more.
func (e *Engine) newPeering(id component.ID, usual map[string]state.Usual) *peering {
	s := &peering{counted: -1, families: map[string]*traffic.Usual{}}
	for family, u := range usual {
		known := traffic.UsualOf(u.Median, u.Spread, u.Samples)
		s.families[family] = &known
	}
	for trouble, rule := range map[string]finding.Rule{component.TroubleSilent: finding.SessionSilent, component.TroubleLow: finding.PrefixesLow} {
		if f, open := e.resumed[finding.KeyOf(rule, id)]; open && len(f.Causes) > 0 {
			s.trouble, s.why = trouble, f.Causes[0].Why
		}
	}
	e.peerings[id] = s
	return s
}

// known is what there is to remember of what the session usually brings.
func (s *peering) known() map[string]state.Usual {
	known := make(map[string]state.Usual, len(s.families))
	for family, counts := range s.families {
		if u := toRemember(counts); u.Median > 0 {
			known[family] = u
		}
	}
	return known
}

// note takes in what is counted now, and reports whether something else is usual than before.
func (s *peering) note(p *state.Part) (news bool) {
	s.noteFlaps(p)
	if p.Condition != component.OK && p.Condition != component.Impaired {
		s.up = time.Time{}
		return false
	}
	if s.up.IsZero() {
		s.up = p.At
		if u := p.Reading("uptime"); u.Known() {
			s.up = p.At.Add(-time.Duration(float64(u)) * time.Second)
		}
	}
	return s.judge(p)
}

// noteFlaps counts how often the session came up since the last look. It comes up for the first time, too.
func (s *peering) noteFlaps(p *state.Part) {
	if t := p.Reading(Transitions); t.Known() {
		if s.counted >= 0 {
			for range min(int(max(0, float64(t)-s.counted)), flapsMany) {
				s.flaps = append(s.flaps, p.At)
				s.up = time.Time{}
			}
		}
		s.counted = float64(t)
	}
	s.flaps = slices.DeleteFunc(s.flaps, func(at time.Time) bool { return p.At.Sub(at) > flapsWithin })
}

// judge says what is wrong with an established session, the worst first, and reports whether something else is usual than before.
func (s *peering) judge(p *state.Part) (news bool) {
	was := s.trouble
	s.trouble = ""
	full := p.At.Sub(s.up) >= sessionFills
	empty, brought := []string{}, false
	var low, near string
	for _, family := range families(p) {
		n := int(p.Reading(family.reading))
		u := s.families[family.name]
		if u == nil {
			u = &traffic.Usual{}
			s.families[family.name] = u
		}
		brought = brought || n > 0
		switch {
		case n == 0 && u.Count() > 0:
			empty = append(empty, fmt.Sprintf("no %s prefix; it usually has %d", family.name, u.Count()))
		case u.Low(n):
			low = fmt.Sprintf("established with %d %s prefixes; it usually has %d", n, family.name, u.Count())
		}
		if limit := float64(p.Reading(PrefixesLimit + family.name)); limit > 0 && float64(n) >= limitNear*limit {
			near = fmt.Sprintf("%d %s prefixes of %.0f that the router takes: beyond that it closes the session", n, family.name, limit)
		}
		before := toRemember(u)
		u.Learn(n)
		u.Sample(n, p.At, full)
		news = news || before != toRemember(u)
	}
	switch {
	case !full && was != "" && was != component.TroubleFlapping && !brought:
		s.trouble = was // it fills, or it doesn't
	case !full && was == component.TroubleLow && low != "":
		s.trouble, s.why = was, low
	case full && !brought && len(empty) > 0:
		s.trouble, s.why = component.TroubleSilent, "established with "+strings.Join(empty, ", ")
	case was == component.TroubleSilent && !brought:
		s.trouble = was // since before a restart
	case full && len(empty) > 0:
		s.trouble, s.why = component.TroubleLow, "established with "+strings.Join(empty, ", ")
	case full && low != "":
		s.trouble, s.why = component.TroubleLow, low
	case len(s.flaps) >= flapsMany:
		s.trouble, s.why = component.TroubleFlapping, fmt.Sprintf("flaps: %d times in the last %.0f minutes", len(s.flaps), flapsWithin.Minutes())
	case near != "":
		s.trouble, s.why = component.TroubleLimit, near
	}
	return news
}

func toRemember(u *traffic.Usual) state.Usual {
	median, spread, samples := u.Known()
	return state.Usual{Median: median, Spread: spread, Samples: samples}
}

// PrefixLearning is how many prefixes a session usually brings, by address family, to be remembered over restarts.
type PrefixLearning struct {
	Session component.ID
	Usual   map[string]state.Usual
}

// LearnedPrefixes returns what sessions usually bring where that is other than at the last call; see
// state.Store.LearnPrefixes.
func (e *Engine) LearnedPrefixes() []PrefixLearning {
	all := make([]PrefixLearning, 0, len(e.brought))
	for _, id := range slices.Sorted(maps.Keys(e.brought)) {
		all = append(all, PrefixLearning{Session: id, Usual: e.brought[id]})
	}
	clear(e.brought)
	return all
}

// family is an address family of a session, with the reading that counts what it brings.
type family struct{ name, reading string }

// families are those of a session: what its router accepts where that is told, else what it receives.
func families(p *state.Part) []family {
	by := map[string]string{}
	for _, r := range p.Readings {
		if name, ok := strings.CutPrefix(r.Name, PrefixesAccepted); ok && r.Value.Known() {
			by[name] = r.Name
		} else if name, ok := strings.CutPrefix(r.Name, PrefixesReceived); ok && r.Value.Known() {
			by[name] = cmp.Or(by[name], r.Name)
		}
	}
	var all []family
	for _, name := range slices.Sorted(maps.Keys(by)) {
		all = append(all, family{name, by[name]})
	}
	return all
}

// weigh takes into a session's cell what its counts say: one that brings nothing carries nothing.
func (s peerings) weigh(id component.ID, c *cell) {
	p := s[id]
	if p == nil || c.belief != works {
		return
	}
	switch p.trouble {
	case component.TroubleSilent:
		c.belief, c.proves = fails, false
	case component.TroubleFlapping, component.TroubleLimit:
		c.predicted = true
	}
}

func (s peerings) forget(device string) {
	maps.DeleteFunc(s, func(id component.ID, _ *peering) bool { return id.Device() == device })
}
