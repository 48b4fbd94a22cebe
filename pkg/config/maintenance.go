package config

import (
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/maintenance"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// rawWork is announced work as it is written.
type rawWork struct {
	what     []string
	from, to time.Time
	note     string
	at       place
}

// horizon is how far ahead calendars are read; a reload reads on.
const horizon = 90 * 24 * time.Hour

// maintenance takes in the announced work.
func (l *loader) takeMaintenance(n node) {
	s := l.mapping(n, "maintenance", "lead", "windows", "calendars")
	if d := s.duration("lead", time.Minute, 30*24*time.Hour, 0); d > 0 {
		l.cfg.Model.Lead = d
	}
	for _, n := range s.items("windows") {
		l.takeWindow(n)
	}
	for _, c := range s.texts("calendars") {
		l.takeCalendar(c.at, l.path(c.text, s.file))
	}
}

func (l *loader) takeWindow(n node) {
	s := l.mapping(n, "a window of maintenance", "what", "from", "to", "note")
	w := rawWork{from: l.moment(s, "from"), to: l.moment(s, "to"), note: s.text("note"), at: s.at()}
	for _, what := range s.texts("what") {
		if names, ok := l.expand(what); ok {
			w.what = append(w.what, names...)
		}
	}
	switch {
	case len(w.what) == 0:
		l.wrong(s.at(), "write what: NAME, or a list of names", "a window of maintenance does not say what it is about")
	case w.from.IsZero() || w.to.IsZero():
	case !w.from.Before(w.to):
		l.wrong(s.where("to"), "write a later time", "it ends before it begins")
	default:
		l.work = append(l.work, w)
	}
}

// moment reads a time with its zone.
func (l *loader) moment(s *section, key string) time.Time {
	text := s.text(key)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04 Z07:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	l.wrong(s.where(key), "write a time with its zone, as 2026-11-30T22:00+01:00 or 2026-11-30T21:00Z", "%s of %s is %q", key, s.title, text)
	return time.Time{}
}

func (l *loader) takeCalendar(at place, file string) {
	f, err := os.Open(file)
	if err != nil {
		l.wrong(at, "put it there, or make it readable for the user that runs sparewatch", "calendar %s: %s", file, plain(err))
		return
	}
	defer f.Close()
	now := time.Now()
	events, err := maintenance.Read(f, now, now.Add(horizon), time.Local)
	if err != nil {
		l.wrong(at, "give an iCalendar file (.ics)", "calendar %s: %v", file, err)
		return
	}
	for _, e := range events {
		l.events = append(l.events, announced{e, at})
	}
}

// announced is an event of a calendar that stands at a place of the configuration.
type announced struct {
	maintenance.Event
	at place
}

// buildWork finds what announced work is about. Of calendars, events count that name a declared thing or a device, by its
// name or by what people call it; the others are somebody else's.
func (l *loader) buildWork() {
	m := &l.cfg.Model
	for _, w := range l.work {
		out := topology.Work{From: w.from, To: w.to, Note: w.note, At: w.at.position()}
		for _, ref := range w.what {
			if id, ok := l.refer(located{ref, w.at}); ok && !slices.Contains(out.What, id) {
				out.What = append(out.What, id)
			}
		}
		if len(out.What) > 0 {
			m.Work = append(m.Work, out)
		}
	}
	names := l.spokenNames()
	for _, e := range l.events {
		out := topology.Work{From: e.From, To: e.To, Note: e.Summary, At: e.at.position()}
		for id, called := range names {
			if e.Names(called...) {
				out.What = append(out.What, id)
			}
		}
		if slices.Sort(out.What); len(out.What) > 0 {
			m.Work = append(m.Work, out)
		}
	}
	slices.SortStableFunc(m.Work, func(a, b topology.Work) int { return a.From.Compare(b.From) })
}

// spokenNames are the names by which a calendar may speak of components.
func (l *loader) spokenNames() map[component.ID][]string {
	if len(l.events) == 0 {
		return nil
	}
	names := map[component.ID][]string{}
	for _, c := range l.cfg.Model.Components {
		local := c.ID.Local()
		if c.ID.Device() != l.cfg.Site || strings.Contains(local, "/") {
			local = ""
		}
		names[c.ID] = []string{string(c.ID), local, c.Name}
	}
	for _, d := range l.devices {
		if id, ok := l.refer(located{d.name, d.at}); ok {
			names[id] = append(names[id], d.name)
		}
	}
	return names
}
