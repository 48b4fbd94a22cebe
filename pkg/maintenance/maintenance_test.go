package maintenance

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func calendar(events ...string) string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//EN\n")
	for _, e := range events {
		b.WriteString("BEGIN:VEVENT\nUID:1\nDTSTAMP:20261101T000000Z\n" + e + "\nEND:VEVENT\n")
	}
	b.WriteString("END:VCALENDAR\n")
	return strings.ReplaceAll(b.String(), "\n", "\r\n")
}

func TestRead(t *testing.T) {
	amsterdam, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		t.Skip("skipped: this host has no time zones:", err)
	}
	for name, c := range map[string]struct {
		event string
		want  string // begin of each, and its names
	}{
		"in UTC":         {"DTSTART:20261123T220000Z\nDTEND:20261124T040000Z\nSUMMARY:Work on circuit-1.", "11-23 22:00 circuit-1"},
		"by duration":    {"DTSTART:20261123T220000Z\nDURATION:PT2H\nSUMMARY:circuit-1", "11-23 22:00 circuit-1"},
		"time zone":      {"DTSTART;TZID=Europe/Amsterdam:20261123T220000\nDTEND;TZID=Europe/Amsterdam:20261124T000000\nSUMMARY:circuit-1", "11-23 21:00 circuit-1"},
		"floating":       {"DTSTART:20261123T220000\nDTEND:20261124T000000\nSUMMARY:circuit-1", "11-23 21:00 circuit-1"},
		"maintnote":      {"DTSTART:20261123T220000Z\nDTEND:20261124T040000Z\nSUMMARY:PW-1\nX-MAINTNOTE-OBJECT-ID:AMS/LON/0042\nX-MAINTNOTE-STATUS:CONFIRMED", "11-23 22:00 AMS/LON/0042"},
		"in the text":    {"DTSTART:20261123T220000Z\nDTEND:20261124T040000Z\nSUMMARY:PW\nDESCRIPTION:affected: circuit-1\\, other", "11-23 22:00 circuit-1"},
		"cancelled":      {"DTSTART:20261123T220000Z\nDTEND:20261124T040000Z\nSUMMARY:circuit-1\nSTATUS:CANCELLED", ""},
		"completed":      {"DTSTART:20261123T220000Z\nDTEND:20261124T040000Z\nSUMMARY:circuit-1\nX-MAINTNOTE-STATUS:COMPLETED", ""},
		"over":           {"DTSTART:20261120T220000Z\nDTEND:20261121T040000Z\nSUMMARY:circuit-1", ""},
		"far away":       {"DTSTART:20271120T220000Z\nDTEND:20271121T040000Z\nSUMMARY:circuit-1", ""},
		"each week":      {"DTSTART:20261101T220000Z\nDTEND:20261102T000000Z\nRRULE:FREQ=WEEKLY\nSUMMARY:circuit-1", "11-22 22:00 circuit-1, 11-29 22:00 circuit-1"},
		"without an end": {"DTSTART:20261123T220000Z\nSUMMARY:circuit-1", ""},
	} {
		events, err := Read(strings.NewReader(calendar(c.event)), now, now.AddDate(0, 0, 10), amsterdam)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, e := range events {
			for _, id := range []string{"circuit-1", "AMS/LON/0042", "circuit"} {
				if e.Names(id) {
					got = append(got, e.From.Format("01-02 15:04")+" "+id)
				}
			}
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %q, want %q", name, s, c.want)
		}
	}
}

func TestBadCalendars(t *testing.T) {
	for name, c := range map[string]string{
		"no calendar": "hello", "half of one": calendar("DTSTART:20261123T220000Z\nDURATION:PT2H")[:60], "a bad time": calendar("DTSTART:yesterday\nDTEND:today"), "a bad rule": calendar("DTSTART:20261123T220000Z\nDURATION:PT2H\nRRULE:FREQ=NEVER"),
	} {
		if events, err := Read(strings.NewReader(c), now, now.AddDate(0, 0, 10), time.UTC); err == nil {
			t.Errorf("%s: %v", name, events)
		}
	}
	if _, err := Read(strings.NewReader(calendar(strings.Repeat("DESCRIPTION:"+strings.Repeat("x", 1<<20)+"\n", 17))), now, now.AddDate(0, 0, 10), time.UTC); !errors.Is(err, ErrTooMuch) {
		t.Errorf("17 MB: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(calendar("DTSTART:20261123T220000Z\nDURATION:PT2H\nSUMMARY:x\nRRULE:FREQ=DAILY;COUNT=3"))
	f.Fuzz(func(t *testing.T, s string) {
		events, err := Read(strings.NewReader(s), now, now.AddDate(0, 0, 10), time.UTC)
		for _, e := range events {
			if err != nil || !e.To.After(now) || len(e.Summary) > maxSummary {
				t.Fatalf("%+v, %v", e, err)
			}
		}
	})
}
