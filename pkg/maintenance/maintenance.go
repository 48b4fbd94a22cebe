// Package maintenance reads announcements of work from iCalendar files (RFC 5545), as carriers send them.
//
// Carriers name their circuits by the properties of the maintenance-notification convention
// (X-MAINTNOTE-OBJECT-ID, X-MAINTNOTE-STATUS; https://github.com/jda/maintnote-std); others write them somewhere in the
// summary, the location or the description. What an announcement is about is for the reader to find out: an Event has
// the words.
package maintenance

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	ical "github.com/emersion/go-ical"
)

// Event is one announced piece of work.
type Event struct {
	From, To time.Time
	Summary  string   // one line, at most maxSummary bytes
	Objects  []string // the things that it names as its objects, in its own words
	Words    []string // every word of its texts that could be a name
}

// Bounds of what is read.
const (
	maxSummary = 200
	maxEvents  = 10_000
	maxSize    = 16 << 20
	maxTimes   = 500 // of an event that recurs
	maxSteps   = 100_000
)

// ErrTooMuch is a calendar with more than is read.
var ErrTooMuch = errors.New("the calendar is larger than 16 MB or holds more than 10,000 events")

// Read reads calendars and returns the events that end after from and begin before to, sorted by their begin. Cancelled
// and completed ones are left out. Times without a time zone are in loc.
func Read(r io.Reader, from, to time.Time, loc *time.Location) (events []Event, err error) {
	defer func() { // the library's parsers are not ours
		if p := recover(); p != nil {
			events, err = nil, fmt.Errorf("it cannot be read: %v", p)
		}
	}()
	limited := &io.LimitedReader{R: r, N: maxSize + 1}
	dec := ical.NewDecoder(limited)
	for n, calendars := 0, 0; ; calendars++ {
		cal, err := dec.Decode()
		if limited.N <= 0 {
			return nil, ErrTooMuch
		}
		if errors.Is(err, io.EOF) && calendars > 0 {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("it is no iCalendar file: %w", err)
		}
		for _, e := range cal.Events() {
			if n++; n > maxEvents {
				return nil, ErrTooMuch
			}
			some, err := read(&e, from, to, loc)
			if err != nil {
				return nil, err
			}
			events = append(events, some...)
		}
	}
	slices.SortStableFunc(events, func(a, b Event) int { return a.From.Compare(b.From) })
	return events, nil
}

// read returns the times of one event that matter.
func read(e *ical.Event, from, to time.Time, loc *time.Location) ([]Event, error) {
	if off(e) {
		return nil, nil
	}
	begin, err := e.DateTimeStart(loc)
	if err != nil {
		return nil, fmt.Errorf("the event %q: DTSTART: %w", text(e, ical.PropSummary), err)
	}
	end, err := e.DateTimeEnd(loc)
	if err != nil {
		return nil, fmt.Errorf("the event %q: DTEND: %w", text(e, ical.PropSummary), err)
	}
	if begin.IsZero() || !end.After(begin) {
		return nil, nil // it takes no time
	}
	one := Event{Summary: clip(text(e, ical.PropSummary)), Objects: objects(e)}
	for _, prop := range []string{ical.PropSummary, ical.PropLocation, ical.PropDescription} {
		one.Words = append(one.Words, words(text(e, prop))...)
	}
	set, err := e.RecurrenceSet(loc)
	if err != nil {
		return nil, fmt.Errorf("the event %q: %w", one.Summary, err)
	}
	starts := []time.Time{begin}
	lasts := end.Sub(begin)
	if set != nil {
		starts = between(set.Iterator(), from.Add(-lasts), to)
	}
	var out []Event
	for _, s := range starts {
		one.From, one.To = s.UTC(), s.Add(lasts).UTC()
		if one.To.After(from) && one.From.Before(to) {
			out = append(out, one)
		}
	}
	return out, nil
}

// between takes the first maxTimes times of a recurrence from a time to another; one that recurs so often that maxSteps do
// not reach that far is read no further.
func between(next func() (time.Time, bool), from, to time.Time) (times []time.Time) {
	for range maxSteps {
		t, ok := next()
		if !ok || t.After(to) || len(times) == maxTimes {
			break
		}
		if !t.Before(from) {
			times = append(times, t)
		}
	}
	return times
}

// off reports whether the work will not be, or is over.
func off(e *ical.Event) bool {
	status := strings.ToUpper(text(e, ical.PropStatus))
	note := strings.ToUpper(text(e, "X-MAINTNOTE-STATUS"))
	return status == "CANCELLED" || note == "CANCELLED" || note == "COMPLETED"
}

func objects(e *ical.Event) (ids []string) {
	for _, p := range e.Props.Values("X-MAINTNOTE-OBJECT-ID") {
		if id := clip(strings.TrimSpace(p.Value)); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

func text(e *ical.Event, prop string) string {
	p := e.Props.Get(prop)
	if p == nil {
		return ""
	}
	s, err := p.Text()
	if err != nil {
		return p.Value
	}
	return s
}

// words cuts a text where no name goes on.
func words(s string) []string {
	return strings.FieldsFunc(s, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("-_./:+", c)
	})
}

func clip(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "�")), " ")
	if len(s) > maxSummary {
		s = strings.ToValidUTF8(s[:maxSummary], "")
	}
	return s
}

// Names reports whether the event is about something by one of its names. Case is ignored, as is punctuation at a word's
// end.
func (e *Event) Names(names ...string) bool {
	for _, name := range names {
		same := func(w string) bool { return strings.EqualFold(strings.TrimRight(w, ".:"), name) }
		if name != "" && (slices.ContainsFunc(e.Objects, same) || slices.ContainsFunc(e.Words, same)) {
			return true
		}
	}
	return false
}
