package poll

import (
	"context"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// A device that comes back and says so is read at once, however long the last attempt to reach it took.
func TestWhoComesBackIsReadAtOnce(t *testing.T) {
	gone := true
	d := &device{poll: func(_ context.Context, tg collectors.Target, _ collectors.Scope) *snapshot.Snapshot {
		if gone {
			time.Sleep(10 * time.Second)
			return bad(tg, snapshot.ClassUnreachable)
		}
		return good(tg)
	}}
	story(t, d, Options{}, func(r *rig) {
		a := target("a")
		a.States = time.Hour
		r.set(a)
		r.p.Start()
		r.wait(10*time.Second + 500*time.Millisecond) // half a second after the first attempt
		gone = false
		before := len(d.times("a"))
		r.p.Ask("a", "trap: coldStart")
		r.wait(50 * time.Millisecond)
		if n := len(d.times("a")) - before; n != 1 {
			t.Errorf("%d polls in the moment after it came back, of %v", n, d.times("a"))
		}
	})
}

// Soon after a poll of a device that answers, it is left alone for a moment only.
func TestTheGapAfterAPollIsShort(t *testing.T) {
	d := &device{}
	story(t, d, Options{}, func(r *rig) {
		a := target("a")
		a.States = time.Hour
		r.set(a)
		r.p.Start()
		r.wait(time.Hour)
		before := len(d.times("a"))
		r.p.Ask("a", "trap")
		r.wait(50 * time.Millisecond)
		r.p.Ask("a", "another")
		r.wait(250 * time.Millisecond)
		if n := len(d.times("a")) - before; n != 2 {
			t.Errorf("%d polls within 300 ms of two traps, want 2: %v", n, d.times("a"))
		}
	})
}
