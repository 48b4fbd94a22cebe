package web

import (
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/state"
)

type target struct {
	Device, URL string
	Tone        tone
	Glyph, Says string
	Age         string
	Took        string
	Errors      []problem
	More        int
}

type problem struct{ At, Error, Hint string }

func (p *page) addTargets(devices []*state.Device, now time.Time) {
	for _, d := range devices {
		for i := range d.Targets {
			t := targetRow(&d.Targets[i], now)
			switch {
			case t.Tone == good && len(p.Answering) < most:
				p.Answering = append(p.Answering, t)
			case t.Tone == good:
				p.AnsweringMore++
			case len(p.Quiet) < most:
				p.Quiet = append(p.Quiet, t)
			default:
				p.QuietMore++
			}
		}
	}
	slices.SortStableFunc(p.Quiet, func(a, b target) int { return weight(b.Tone) - weight(a.Tone) })
}

func targetRow(t *state.Target, now time.Time) target {
	const shown = 5
	row := target{Device: t.Device, URL: t.URL, Took: took(t.Took), Age: ago(now, t.LastGood)}
	switch {
	case t.LastTry.IsZero():
		row.Tone, row.Glyph, row.Says, row.Age, row.Took = unsure, "?", "not read yet", "", ""
	case t.Silent:
		row.Tone, row.Glyph, row.Says = warning, "?", "silent"
	case t.Missed > 0:
		row.Tone, row.Glyph, row.Says = unsure, "?", "missed "+count(t.Missed, "poll")
	case len(t.Errors) > 0:
		row.Tone, row.Glyph, row.Says = good, "✓", "answers in part"
	default:
		row.Tone, row.Glyph, row.Says = good, "✓", "answers"
	}
	if t.LastGood.IsZero() {
		row.Age = ""
	}
	for i, e := range t.Errors {
		if i == shown {
			row.More = len(t.Errors) - shown
			break
		}
		at := e.At
		if at == t.URL {
			at = ""
		}
		row.Errors = append(row.Errors, problem{at, e.Error, e.Hint})
	}
	return row
}
