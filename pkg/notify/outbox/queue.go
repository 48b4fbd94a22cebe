package outbox

import (
	"cmp"
	"time"

	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/notify"
)

// Pauses after failed attempts. A receiver that is back is to be used soon, so even a long dead one is tried twice a
// minute; one that says when to come again is believed up to an hour.
const (
	firstPause = time.Second
	mostPause  = 30 * time.Second
	mostAfter  = time.Hour
)

// queue is what one receiver has still to be told. It decides; it knows no clock and sends nothing.
type queue struct {
	lines map[incident.ID]*line
	pace  pace

	paused   time.Time // nothing is sent before
	failures int       // in a row
	streak   int       // how many attempts have succeeded; it marks what failed since the last one
}

// line is what is to be said of one incident, in order: at most one trigger that is on its way or answered, a newer
// one, and a resolve. A newer trigger takes the place of one that has not been sent. Nothing is sent before the outcome
// of what was sent before it is in the ledger: a trigger that is sent again after a resolve would open the incident
// anew at most receivers.
type line struct {
	items []*item
}

// item is one notification. What it says stays in the ledger until it is sent.
type item struct {
	intent   uint64 // sequence in the ledger
	incident incident.ID
	action   notify.Action
	severity finding.Severity

	sending  bool
	answered bool // by the receiver; its line waits until that is in the ledger
	attempts int
	failed   int // the streak in which it failed last
	blamed   int // times that it failed and another notification then succeeded
}

func newQueue(perMinute int) *queue {
	return &queue{lines: map[incident.ID]*line{}, pace: newPace(perMinute), streak: 1}
}

// add puts an intent in its incident's line.
func (q *queue) add(it *item) {
	l := q.lines[it.incident]
	if l == nil {
		l = &line{}
		q.lines[it.incident] = l
	}
	if n := len(l.items); n > 0 && l.items[n-1].waits() && l.items[n-1].action == it.action {
		l.items[n-1] = it.after(l.items[n-1])
		return
	}
	l.items = append(l.items, it)
}

// waits reports whether the item has not been sent.
func (it *item) waits() bool { return !it.sending && !it.answered }

// after makes it take the place of an older one.
func (it *item) after(older *item) *item {
	it.failed, it.blamed = older.failed, older.blamed
	return it
}

// settle takes out the incident's intents up to that one.
func (q *queue) settle(id incident.ID, intent uint64) {
	l := q.lines[id]
	if l == nil {
		return
	}
	for len(l.items) > 0 && l.items[0].intent <= intent {
		l.items = l.items[1:]
	}
	if len(l.items) == 0 {
		delete(q.lines, id)
	}
}

// pending counts the notifications that wait.
func (q *queue) pending() (n int) {
	for _, l := range q.lines {
		n += len(l.items)
	}
	return n
}

// next returns what is to be sent now, and marks it; or, where that is nil, when to ask again (zero: when something is
// added).
func (q *queue) next(now time.Time) (*item, time.Time) {
	if len(q.lines) == 0 {
		return nil, time.Time{}
	}
	if now.Before(q.paused) {
		return nil, q.paused
	}
	if at := q.pace.next(now); now.Before(at) {
		return nil, at
	}
	var best *item
	var bestOver bool
	for _, l := range q.lines {
		it, over := l.items[0], l.items[len(l.items)-1].action == notify.Resolve
		if !it.waits() {
			continue
		}
		if best == nil || q.before(it, over, best, bestOver) {
			best, bestOver = it, over
		}
	}
	if best == nil {
		return nil, time.Time{}
	}
	q.pace.take()
	best.sending = true
	best.attempts++
	return best, time.Time{}
}

// before orders what is to be sent: what has not failed since the last success first, and what has failed alone more
// than once last, so that one notification that the receiver cannot digest does not stand in the way of the others; then
// what is still open; the severest; the oldest.
func (q *queue) before(a *item, aOver bool, b *item, bOver bool) bool {
	return cmp.Or(
		boolCompare(a.failed == q.streak, b.failed == q.streak),
		cmp.Compare(max(a.blamed, 1), max(b.blamed, 1)),
		boolCompare(aOver, bOver),
		cmp.Compare(b.severity, a.severity),
		cmp.Compare(a.intent, b.intent),
	) < 0
}

// boolCompare orders false before true.
func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// answer notes that the receiver has taken or refused the item.
func (q *queue) answer(it *item) {
	it.sending, it.answered = false, true
	q.failures, q.paused = 0, time.Time{}
	for _, l := range q.lines {
		if l.items[0].failed == q.streak {
			l.items[0].blamed++
		}
	}
	q.streak++
}

// retry notes that the item has to be sent again, not before after.
func (q *queue) retry(it *item, now time.Time, after time.Duration) {
	it.sending = false
	it.failed = q.streak
	pause := min(firstPause<<min(q.failures, 10), mostPause)
	q.failures++
	q.paused = now.Add(max(pause, min(after, mostAfter)))
	if l := q.lines[it.incident]; l != nil && len(l.items) > 1 && l.items[0] == it && l.items[1].action == it.action {
		l.items[1].after(it) // a newer one came while it was on its way
		l.items = l.items[1:]
	}
	for _, l := range q.lines {
		if l.items[0].failed != q.streak {
			return
		}
	}
	q.streak++ // all have failed: the next round begins with the most important again
}

// shed gives up the oldest incident that is over, where more than limit wait; nil: none.
func (q *queue) shed(limit int) *item {
	if len(q.lines) <= limit {
		return nil
	}
	var oldest *item
	for _, l := range q.lines {
		last := l.items[len(l.items)-1]
		if last.action == notify.Resolve && l.items[0].waits() && (oldest == nil || last.intent < oldest.intent) {
			oldest = last
		}
	}
	if oldest != nil {
		q.settle(oldest.incident, oldest.intent)
	}
	return oldest
}

// pace keeps the sending under a number per minute, with a burst of a quarter of it: in no minute are there more.
type pace struct {
	burst  float64
	rate   float64 // per second; 0: no limit
	tokens float64
	at     time.Time // when there were so many tokens
}

func newPace(perMinute int) pace {
	if perMinute <= 0 {
		return pace{}
	}
	burst := max(float64(perMinute)/4, 1)
	return pace{burst: burst, tokens: burst, rate: max(float64(perMinute)-burst, 1) / 60}
}

// fill adds the tokens that have come until now.
func (p *pace) fill(now time.Time) {
	if !p.at.IsZero() {
		p.tokens = min(p.burst, p.tokens+now.Sub(p.at).Seconds()*p.rate)
	}
	p.at = now
}

// next returns when one may be sent.
func (p *pace) next(now time.Time) time.Time {
	if p.rate == 0 {
		return now
	}
	p.fill(now)
	if p.tokens >= 1 {
		return now
	}
	return now.Add(time.Duration((1-p.tokens)/p.rate*float64(time.Second)) + time.Millisecond)
}

func (p *pace) take() { p.tokens-- }
