package poll

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
)

// entry is one target with its session. All fields but those said otherwise belong to Poller.mu.
type entry struct {
	target    Target
	collector collectors.Collector
	scheme    string
	phase     float64 // where its polls stand in the interval, 0 to 1
	fullPhase float64 // the same of Full polls
	tokens    [2]*token
	ctx       context.Context // ends when the target is removed or the poller stops
	cancel    context.CancelFunc

	// Owned by the conversation: only converse touches them.
	session  collectors.Session
	listener *listener

	out sync.Mutex // keeps the snapshots of one target in turn

	due     time.Time
	index   int  // in the heap of what is due; -1: not there
	queued  bool // in line for its tokens or for a worker
	talking bool // converse runs
	sick    bool // has a worker of those for targets that failed last time
	stuck   bool // its poll did not return in time; the worker was taken from it
	asked   bool // its next poll was asked for
	again   bool // somebody asked while it was polled
	removed bool // to be closed, not polled

	lastFull time.Time // begin of the last Full poll that reached it
	nextFull time.Time
	begun    time.Time // of the last poll
	ended    time.Time
	took     time.Duration
	success  time.Time
	failures int // in a row
	denied   int // of them: refused logins in a row
	backOff  string
	late     uint64

	pokes  float64 // tokens left of a bucket that fills again
	poured time.Time
}

// queue is which of the ready queues the entry waits in: 0 well, 1 sick.
func (e *entry) queue() int {
	if e.failures > 0 && !e.removed {
		return 1
	}
	return 0
}

// token is what at most one conversation may have at a time.
type token struct {
	name    string
	users   int // entries that may want it
	busy    bool
	waiting []*entry
}

// acquire takes all tokens, or puts the entry in line for the first that is busy.
func (e *entry) acquire() bool {
	for _, t := range e.tokens {
		if t.busy {
			t.waiting = append(t.waiting, e)
			return false
		}
	}
	for _, t := range e.tokens {
		t.busy = true
	}
	return true
}

// giveBack frees the tokens; ready is called for each entry that has got all of its tokens by that.
func (e *entry) giveBack(ready func(*entry)) {
	for _, t := range e.tokens {
		t.busy = false
	}
	for _, t := range e.tokens {
		for !t.busy && len(t.waiting) > 0 {
			next := t.waiting[0]
			t.waiting[0] = nil
			t.waiting = t.waiting[1:]
			if next.acquire() {
				ready(next)
			}
		}
	}
}

// dueHeap orders entries by when they are due.
type dueHeap []*entry

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is heap.Interface's.
func (h *dueHeap) Push(x any) {
	e := x.(*entry)
	e.index = len(*h)
	*h = append(*h, e)
}

// Pop is heap.Interface's.
func (h *dueHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.index = -1
	return e
}

// setDue moves an entry that waits for its time. It does nothing to one that is in line or talked to.
func (p *Poller) setDue(e *entry, due time.Time) {
	if e.index < 0 {
		return
	}
	e.due = due
	heap.Fix(&p.due, e.index)
	if e.index == 0 {
		p.poke()
	}
}

// remove has the entry closed as soon as nobody talks to it.
func (p *Poller) remove(e *entry) {
	e.removed = true
	e.cancel()
	if e.index >= 0 {
		heap.Remove(&p.due, e.index)
	}
	if !e.queued && !e.talking {
		p.enqueue(e)
	}
}

// forget lets go of the tokens that nobody else may want.
func (p *Poller) forget(e *entry) {
	for _, t := range e.tokens {
		if t.users--; t.users == 0 {
			delete(p.tokens, t.name)
		}
	}
}
