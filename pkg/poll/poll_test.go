package poll

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// device is a collector, and every session that it opens: what a poll does is a function.
type device struct {
	poll   func(ctx context.Context, t collectors.Target, s collectors.Scope) *snapshot.Snapshot
	events func(ctx context.Context, t collectors.Target, poke func(string)) error

	mu     sync.Mutex
	opened int
	closed int
	busy   map[string]int // conversations by address, and by device
	twice  bool           // somebody talked to one that was talked to
	now    int            // conversations
	most   int            // of them at once
	polls  []polled
}

type polled struct {
	device string
	at     time.Duration // since the test began
	scope  collectors.Scope
}

type session struct {
	d *device
	t collectors.Target
}

type listening struct{ session }

func (d *device) Open(t collectors.Target) (collectors.Session, error) {
	if strings.Contains(t.URL, "wrong") {
		return nil, fmt.Errorf("%q is no URL", t.URL)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened++
	if d.events != nil {
		return &listening{session{d, t}}, nil
	}
	return &session{d, t}, nil
}

var begin time.Time

func (s *session) Poll(ctx context.Context, scope collectors.Scope) *snapshot.Snapshot {
	d := s.d
	host := address(s.t.URL)
	d.mu.Lock()
	if d.busy == nil {
		d.busy = map[string]int{}
	}
	d.busy[host]++
	d.busy["device "+s.t.Device]++
	d.twice = d.twice || d.busy[host] > 1 || d.busy["device "+s.t.Device] > 1
	d.now++
	d.most = max(d.most, d.now)
	d.polls = append(d.polls, polled{s.t.Device, time.Since(begin), scope})
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.busy[host]--
		d.busy["device "+s.t.Device]--
		d.now--
		d.mu.Unlock()
	}()
	if d.poll == nil {
		return good(s.t)
	}
	return d.poll(ctx, s.t, scope)
}

func (s *session) Close(context.Context) error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.d.closed++
	return nil
}

func (l *listening) Events(ctx context.Context, poke func(string)) error {
	return l.d.events(ctx, l.t, poke)
}

func good(t collectors.Target) *snapshot.Snapshot {
	return &snapshot.Snapshot{
		Target: t.URL, Collector: "fake", Device: snapshot.Device{Name: t.Device}, Reachable: true,
		Components: []component.Component{{ID: component.NewID(t.Device, component.Host, "1"), Kind: component.Host}},
	}
}

func bad(t collectors.Target, c snapshot.Class) *snapshot.Snapshot {
	return &snapshot.Snapshot{Target: t.URL, Device: snapshot.Device{Name: t.Device}, Errors: []snapshot.Error{{At: t.URL, Error: "no", Class: c}}}
}

// times are when a device was polled, in whole tenths of seconds.
func (d *device) times(name string) (out []time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.polls {
		if p.device == name {
			out = append(out, p.at.Round(100*time.Millisecond))
		}
	}
	return out
}

func (d *device) scopes(name string) (out []collectors.Scope) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.polls {
		if p.device == name {
			out = append(out, p.scope)
		}
	}
	return out
}

// rig is a poller in a bubble of synctest, with what came out of it.
type rig struct {
	t   *testing.T
	dev *device
	p   *Poller
	mu  sync.Mutex
	out []*snapshot.Snapshot
}

// story runs a test in a bubble. At its end the poller is stopped and nothing may be left.
func story(t *testing.T, d *device, o Options, tell func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		begin = time.Now()
		r := &rig{t: t, dev: d}
		o.Collectors = map[string]collectors.Collector{"fake": d}
		o.Out = func(s *snapshot.Snapshot) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.out = append(r.out, s)
		}
		if o.Jitter == nil {
			o.Jitter = func() float64 { return 0 }
		}
		r.p = New(o)
		tell(r)
		if err := r.p.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.opened != d.closed {
			t.Errorf("%d sessions were opened and %d closed", d.opened, d.closed)
		}
		if d.twice {
			t.Error("somebody talked to an address that was talked to")
		}
		if len(r.p.tokens) != 0 {
			t.Errorf("%d tokens were left", len(r.p.tokens))
		}
	})
}

func (r *rig) set(targets ...Target) {
	r.t.Helper()
	if err := r.p.Set(targets); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) wait(d time.Duration) {
	time.Sleep(d) // the bubble's time: it passes at once
	synctest.Wait()
}

func (r *rig) snapshots() []*snapshot.Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.out)
}

func target(name string) Target {
	return Target{Target: collectors.Target{Device: name, URL: "fake://" + name}}
}

func many(n int) (out []Target) {
	for i := range n {
		out = append(out, target(fmt.Sprintf("d%04d", i)))
	}
	return out
}

func TestTargetsAreSpreadOverTheirInterval(t *testing.T) {
	d := &device{}
	story(t, d, Options{}, func(r *rig) {
		r.set(many(3000)...)
		r.p.Start()
		r.wait(60 * time.Second)
		perSecond := map[int]int{}
		for _, p := range d.polls {
			perSecond[int(p.at/time.Second)]++
		}
		for s := range 60 {
			if s < 30 && s >= 15 {
				continue // the first polls and the regular ones meet
			}
			if n := perSecond[s]; n < 140 || n > 260 {
				t.Errorf("in second %d there were %d polls, want about 200", s, n)
			}
		}
		for _, name := range []string{"d0000", "d1234", "d2999"} {
			at := d.times(name)
			if len(at) < 4 || len(at) > 5 {
				t.Errorf("%s was polled at %v, want every 15 s", name, at)
			}
			for i := 2; i < len(at); i++ {
				if at[i]-at[i-1] != 15*time.Second {
					t.Errorf("%s was polled at %v, want every 15 s", name, at)
				}
			}
		}
		if s := r.p.Stats(); s.Late != 0 || s.Failed != 0 || s.Polls != uint64(len(d.polls)) || !s.Targets[0].Up {
			t.Errorf("stats are %+v", s.Targets[0])
		}
	})
}

func TestAFewTargetsAreReadAtOnce(t *testing.T) {
	d := &device{}
	story(t, d, Options{}, func(r *rig) {
		r.set(many(12)...)
		r.p.Start()
		r.wait(250 * time.Millisecond)
		if len(d.polls) != 12 {
			t.Errorf("%d of 12 targets were polled in the first quarter of a second", len(d.polls))
		}
	})
}

func TestJitterMovesPollsByATenthAtMost(t *testing.T) {
	d := &device{}
	n := 0.0
	jitter := func() float64 { n += 0.37; return n - float64(int(n)) }
	story(t, d, Options{Jitter: jitter}, func(r *rig) {
		r.set(target("a"))
		r.p.Start()
		r.wait(10 * time.Minute)
		at := d.times("a")
		moved := false
		for i := 2; i < len(at); i++ {
			gap := at[i] - at[i-1]
			if gap < 13*time.Second || gap > 17*time.Second {
				t.Errorf("two polls are %s apart", gap)
			}
			moved = moved || gap != 15*time.Second
		}
		if !moved || len(at) < 39 || len(at) > 42 {
			t.Errorf("%d polls, moved: %v", len(at), moved)
		}
	})
}

func TestOneConversationWithOneAddress(t *testing.T) {
	d := &device{poll: func(ctx context.Context, t collectors.Target, _ collectors.Scope) *snapshot.Snapshot {
		time.Sleep(2 * time.Second)
		return good(t)
	}}
	story(t, d, Options{}, func(r *rig) {
		r.set(
			Target{Target: collectors.Target{Device: "a", URL: "fake://bmc.example:443"}},
			Target{Target: collectors.Target{Device: "a", URL: "fake://BMC.example:623"}},
			Target{Target: collectors.Target{Device: "b", URL: "fake://bmc.example"}},
			Target{Target: collectors.Target{Device: "b", URL: "fake://[fd00::1]"}},
		)
		r.p.Start()
		r.wait(2 * time.Minute)
		// At most one with bmc.example, beside one with b's other address.
		if d.most > 2 {
			t.Errorf("%d conversations at once", d.most)
		}
		if len(d.polls) < 20 {
			t.Errorf("only %d polls", len(d.polls))
		}
	})
}

func TestLoopbackIsManyDevices(t *testing.T) {
	d := &device{poll: func(ctx context.Context, t collectors.Target, _ collectors.Scope) *snapshot.Snapshot {
		time.Sleep(5 * time.Second)
		return good(t)
	}}
	story(t, d, Options{}, func(r *rig) {
		r.set(
			Target{Target: collectors.Target{Device: "a", URL: "fake://127.0.0.1:8001"}},
			Target{Target: collectors.Target{Device: "b", URL: "fake://127.0.0.1:8002"}},
		)
		r.p.Start()
		r.wait(time.Minute)
		if d.most != 2 {
			t.Errorf("%d conversations at once, want 2", d.most)
		}
	})
}

func TestDeadTargetsDoNotHoldUpTheOthers(t *testing.T) {
	d := &device{poll: func(ctx context.Context, tg collectors.Target, _ collectors.Scope) *snapshot.Snapshot {
		if tg.Device < "d0100" {
			<-ctx.Done()
			return bad(tg, snapshot.ClassUnreachable)
		}
		time.Sleep(100 * time.Millisecond)
		return good(tg)
	}}
	story(t, d, Options{Workers: 8, Limit: 10 * time.Second}, func(r *rig) {
		r.set(many(200)...)
		r.p.Start()
		r.wait(5 * time.Minute)
		r.wait(5 * time.Minute)
		if d.most > 8 {
			t.Errorf("%d polls at once with 8 workers", d.most)
		}
		at := d.times("d0150")
		for i := len(at) - 10; i < len(at); i++ {
			if gap := at[i] - at[i-1]; gap > 20*time.Second {
				t.Errorf("a healthy target was polled %s after the last time", gap)
			}
		}
	})
}

func TestRefusedLoginIsLeftAloneForLong(t *testing.T) {
	refuse := true
	d := &device{}
	d.poll = func(_ context.Context, tg collectors.Target, _ collectors.Scope) *snapshot.Snapshot {
		if refuse {
			return bad(tg, snapshot.ClassAuth)
		}
		return good(tg)
	}
	story(t, d, Options{}, func(r *rig) {
		tg := target("a")
		r.set(tg)
		r.p.Start()
		r.wait(time.Second)
		first := r.snapshots()[0].Errors[0]
		if !strings.Contains(first.Hint, "tried again in 5m0s") || !strings.Contains(first.Hint, "lock the account") {
			t.Errorf("the hint is %q", first.Hint)
		}
		for range 50 {
			r.p.Ask("a", "an engine's question must not lock the account")
		}
		r.wait(2 * time.Hour)
		want := []time.Duration{0, 5 * time.Minute, 15 * time.Minute, 35 * time.Minute, 75 * time.Minute}
		if at := d.times("a"); !slices.Equal(at, want) {
			t.Errorf("polled at %v, want %v", at, want)
		}
		if s := r.p.Stats().Targets[0]; s.Up || !strings.Contains(s.BackOff, "refused") {
			t.Errorf("stats are %+v", s)
		}
		// The password was changed at the device; a reload tries at once.
		refuse = false
		r.set(tg)
		r.wait(time.Second)
		if n := len(d.times("a")); n != 6 {
			t.Errorf("%d polls, want one more after the reload", n)
		}
		if s := r.p.Stats().Targets[0]; !s.Up || s.BackOff != "" {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestPartOfADeviceThatRefusesUsIsNoBackOff(t *testing.T) {
	d := &device{poll: func(_ context.Context, tg collectors.Target, _ collectors.Scope) *snapshot.Snapshot {
		s := good(tg)
		s.Errors = []snapshot.Error{{At: "/redfish/v1/Systems/1/LogServices", Class: snapshot.ClassAuth}}
		return s
	}}
	story(t, d, Options{}, func(r *rig) {
		r.set(target("a"))
		r.p.Start()
		r.wait(time.Minute)
		if n := len(d.polls); n < 4 {
			t.Errorf("%d polls in a minute", n)
		}
	})
}

func TestUnreachableIsTriedLessOftenAfterThreeTimes(t *testing.T) {
	d := &device{poll: func(_ context.Context, tg collectors.Target, _ collectors.Scope) *snapshot.Snapshot {
		return bad(tg, snapshot.ClassUnreachable)
	}}
	story(t, d, Options{}, func(r *rig) {
		r.set(target("a"))
		r.p.Start()
		r.wait(30 * time.Minute)
		at := d.times("a")
		var gaps []time.Duration
		for i := 2; i < len(at); i++ {
			gaps = append(gaps, at[i]-at[i-1])
		}
		want := []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 2 * time.Minute}
		if !slices.Equal(gaps[:5], want) {
			t.Errorf("the gaps are %v, want %v", gaps, want)
		}
		before := len(at)
		r.p.Ask("a", "the engine wants to know")
		r.wait(100 * time.Millisecond)
		if len(d.times("a")) != before+1 {
			t.Error("an unreachable target was not asked though the engine wanted to know")
		}
	})
}

func TestAPanicOfACollectorIsASnapshot(t *testing.T) {
	d := &device{poll: func(_ context.Context, tg collectors.Target, _ collectors.Scope) *snapshot.Snapshot {
		if tg.Device == "sick" {
			panic("index out of range")
		}
		return good(tg)
	}}
	story(t, d, Options{}, func(r *rig) {
		r.set(target("sick"), target("well"))
		r.p.Start()
		r.wait(time.Minute)
		n := 0
		for _, s := range r.snapshots() {
			if s.Device.Name == "sick" {
				n++
				if s.Reachable || len(s.Errors) != 1 || s.Errors[0].Class != snapshot.ClassGarbage || !strings.Contains(s.Errors[0].Error, "index out of range") {
					t.Errorf("the snapshot is %+v", s)
				}
			}
		}
		if n < 3 || r.p.Stats().Panics != uint64(n) {
			t.Errorf("%d snapshots, %d panics", n, r.p.Stats().Panics)
		}
		if len(d.times("well")) < 4 {
			t.Error("the other device was disturbed")
		}
	})
}

func TestNothingIsGarbageToo(t *testing.T) {
	d := &device{poll: func(context.Context, collectors.Target, collectors.Scope) *snapshot.Snapshot { return nil }}
	story(t, d, Options{}, func(r *rig) {
		r.set(target("a"))
		r.p.Start()
		r.wait(time.Second)
		if s := r.snapshots()[0]; s.Reachable || s.Errors[0].Class != snapshot.ClassGarbage || s.Target != "fake://a" {
			t.Errorf("the snapshot is %+v", s)
		}
	})
}

func TestAPollEndsAtItsLimit(t *testing.T) {
	d := &device{poll: func(ctx context.Context, tg collectors.Target, _ collectors.Scope) *snapshot.Snapshot {
		<-ctx.Done()
		s := good(tg)
		s.Components = nil
		return s
	}}
	story(t, d, Options{Limit: 30 * time.Second}, func(r *rig) {
		r.set(target("a"))
		r.p.Start()
		r.wait(5 * time.Minute)
		s := r.snapshots()[0]
		if s.Took != 30*time.Second || len(s.Errors) != 1 || s.Errors[0].Class != snapshot.ClassLimit {
			t.Errorf("the snapshot is %+v", s)
		}
		// It rests as long as it took.
		at := d.times("a")
		for i := 1; i < len(at); i++ {
			if gap := at[i] - at[i-1]; gap < 60*time.Second {
				t.Errorf("two polls of 30 s began %s apart", gap)
			}
		}
		if r.p.Stats().Late == 0 {
			t.Error("no poll was late")
		}
	})
}

func TestAPollThatNeverReturnsLosesItsWorker(t *testing.T) {
	stuck := make(chan struct{}, 1)
	var hang chan struct{}
	d := &device{}
	d.poll = func(_ context.Context, tg collectors.Target, _ collectors.Scope) *snapshot.Snapshot {
		if tg.Device == "stuck" {
			stuck <- struct{}{}
			<-hang
			<-stuck
		}
		return good(tg)
	}
	story(t, d, Options{Workers: 1, Limit: 20 * time.Second}, func(r *rig) {
		hang = make(chan struct{})
		stuck = make(chan struct{}, 1)
		r.set(target("stuck"), target("well"))
		r.p.Start()
		r.wait(3 * time.Minute)
		s := r.p.Stats()
		if s.Stuck != 1 || len(d.times("stuck")) != 1 {
			t.Errorf("%d stuck, polled at %v", s.Stuck, d.times("stuck"))
		}
		if n := len(d.times("well")); n < 8 {
			t.Errorf("the other target was polled %d times", n)
		}
		told := 0
		for _, s := range r.snapshots() {
			if s.Device.Name == "stuck" {
				told++
				if s.Reachable || s.Errors[0].Class != snapshot.ClassUnreachable {
					t.Errorf("the snapshot is %+v", s)
				}
			}
		}
		if told != 1 {
			t.Errorf("it was told %d times", told)
		}
		close(hang)
		r.wait(time.Minute)
		if n := len(d.times("stuck")); n < 2 {
			t.Errorf("it was polled %d times; it should be again once it has returned", n)
		}
	})
}

func TestStopDoesNotWaitForEverForAStuckPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin = time.Now()
		hang := make(chan struct{})
		d := &device{poll: func(_ context.Context, tg collectors.Target, _ collectors.Scope) *snapshot.Snapshot {
			<-hang
			return good(tg)
		}}
		p := New(Options{Collectors: map[string]collectors.Collector{"fake": d}, Out: func(*snapshot.Snapshot) { t.Error("a poll that was broken off was told of") }})
		if err := p.Set([]Target{target("a"), target("b")}); err != nil {
			t.Fatal(err)
		}
		p.Start()
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := p.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop said %v", err)
		}
		close(hang)
		synctest.Wait()
		if d.closed != 2 {
			t.Errorf("%d sessions were closed in the end", d.closed)
		}
	})
}

func TestInventoryIsReadSeldom(t *testing.T) {
	d := &device{}
	story(t, d, Options{}, func(r *rig) {
		r.set(target("a"))
		r.p.Start()
		r.wait(time.Hour)
		scopes := d.scopes("a")
		full := 0
		for _, s := range scopes {
			if s == collectors.Full {
				full++
			}
		}
		if scopes[0] != collectors.Full || scopes[1] != collectors.Fast || full < 6 || full > 7 {
			t.Errorf("%d of %d polls were full; the first were %v", full, len(scopes), scopes[:3])
		}
	})
}

func TestAnInventoryThatFailedIsReadAgain(t *testing.T) {
	n := 0
	d := &device{poll: func(_ context.Context, tg collectors.Target, _ collectors.Scope) *snapshot.Snapshot {
		if n++; n == 1 {
			return bad(tg, snapshot.ClassUnreachable)
		}
		return good(tg)
	}}
	story(t, d, Options{}, func(r *rig) {
		r.set(target("a"))
		r.p.Start()
		r.wait(time.Minute)
		if s := d.scopes("a"); s[0] != collectors.Full || s[1] != collectors.Full || s[2] != collectors.Fast {
			t.Errorf("the scopes are %v", s)
		}
	})
}

func TestAskPollsAtOnce(t *testing.T) {
	d := &device{}
	story(t, d, Options{}, func(r *rig) {
		a := target("a")
		a.States = time.Hour
		r.set(a)
		r.p.Start()
		r.wait(10 * time.Minute)
		before := d.times("a")
		r.p.Ask("a", "why not")
		r.p.Ask("nobody", "there is no such device")
		r.wait(100 * time.Millisecond)
		at := d.times("a")
		if len(at) != len(before)+1 || at[len(at)-1] != 10*time.Minute {
			t.Errorf("polled at %v", at)
		}
	})
}

func TestAStormIsFolded(t *testing.T) {
	d := &device{poll: func(_ context.Context, tg collectors.Target, _ collectors.Scope) *snapshot.Snapshot {
		time.Sleep(100 * time.Millisecond)
		return good(tg)
	}}
	story(t, d, Options{}, func(r *rig) {
		a := target("a")
		a.States = time.Hour
		r.set(a)
		r.p.Start()
		r.wait(10 * time.Minute)
		before := len(d.times("a"))
		for range 60 * 100 {
			r.p.Ask("a", "trap")
			r.wait(10 * time.Millisecond)
		}
		if n := len(d.times("a")) - before; n < 12 || n > 18 {
			t.Errorf("6000 pokes in a minute made %d polls, want the burst of 5 and one in five seconds", n)
		}
	})
}

func TestAnEventIsAnsweredWithAPoll(t *testing.T) {
	var push chan string
	ended := 0
	d := &device{}
	d.events = func(ctx context.Context, tg collectors.Target, poke func(string)) error {
		for {
			select {
			case <-ctx.Done():
				ended++
				return nil
			case why := <-push:
				if why == "" {
					return errors.New("the device forgot us")
				}
				poke(why)
			}
		}
	}
	story(t, d, Options{}, func(r *rig) {
		push = make(chan string)
		a := target("a")
		a.States = time.Hour
		r.set(a)
		r.p.Start()
		r.wait(10 * time.Minute)
		before := len(d.times("a"))
		push <- "a supply was pulled"
		r.wait(100 * time.Millisecond)
		if n := len(d.times("a")); n != before+1 {
			t.Errorf("%d polls, want one more", n)
		}
		// A subscription that broke is begun again.
		push <- ""
		r.wait(time.Minute)
		push <- "it is back"
		r.wait(2 * time.Second)
		if n := len(d.times("a")); n != before+2 {
			t.Errorf("%d polls, want two more", n)
		}
		if s := r.p.Stats(); s.Events != 2 {
			t.Errorf("%d events", s.Events)
		}
	})
	if ended != 1 {
		t.Errorf("Events ended %d times with its context", ended)
	}
}

func TestSetKeepsWhatDidNotChange(t *testing.T) {
	d := &device{}
	story(t, d, Options{}, func(r *rig) {
		a, b, c := target("a"), target("b"), target("c")
		r.set(a, b)
		r.p.Start()
		r.wait(time.Minute)
		b.Credentials.Password = secret.New("another")
		a.States = 5 * time.Second
		r.set(a, b, c)
		r.wait(time.Minute)
		if d.opened != 4 || d.closed != 1 {
			t.Errorf("opened %d, closed %d; want b closed and opened again, c opened", d.opened, d.closed)
		}
		if n := len(d.times("a")); n < 14 || n > 18 {
			t.Errorf("a was polled %d times; its interval was shortened", n)
		}
		if s := d.scopes("b"); s[len(s)-1] != collectors.Fast || len(slices.DeleteFunc(s, func(s collectors.Scope) bool { return s == collectors.Fast })) != 2 {
			t.Errorf("a new session begins with a full poll: %v", s)
		}
		r.set(c)
		r.wait(time.Minute)
		if d.closed != 3 || len(r.p.Stats().Targets) != 1 {
			t.Errorf("closed %d", d.closed)
		}
	})
}

func TestSetChangesNothingWhereATargetIsWrong(t *testing.T) {
	d := &device{}
	story(t, d, Options{}, func(r *rig) {
		r.set(target("a"))
		r.p.Start()
		r.wait(time.Second)
		err := r.p.Set([]Target{target("b"), target("wrong"), {Target: collectors.Target{Device: "c", URL: "gopher://c"}}})
		want := "wrong: \"fake://wrong\" is no URL\nc: no collector reads gopher://"
		if err == nil || err.Error() != want {
			t.Errorf("Set said %v, want %s", err, want)
		}
		r.wait(time.Minute)
		if len(d.times("a")) < 4 || len(d.times("b")) != 0 {
			t.Error("something was changed")
		}
		d.mu.Lock()
		d.closed++ // b was opened, which does no input or output, and dropped
		d.mu.Unlock()
	})
}

func TestATargetThatIsRemovedWhileItIsPolledIsNotToldOf(t *testing.T) {
	d := &device{poll: func(ctx context.Context, tg collectors.Target, _ collectors.Scope) *snapshot.Snapshot {
		select {
		case <-ctx.Done():
			return bad(tg, snapshot.ClassUnreachable)
		case <-time.After(5 * time.Second):
			return good(tg)
		}
	}}
	story(t, d, Options{}, func(r *rig) {
		r.set(target("a"))
		r.p.Start()
		r.wait(2 * time.Second)
		changed := target("a")
		changed.Credentials.User = "other"
		r.set(changed)
		r.wait(10 * time.Second)
		for _, s := range r.snapshots() {
			if !s.Reachable {
				t.Errorf("the poll that was broken off was told of: %+v", s.Errors)
			}
		}
		if len(d.times("a")) != 2 {
			t.Errorf("polled at %v", d.times("a"))
		}
	})
}

func TestStopBeforeStart(t *testing.T) {
	d := &device{}
	story(t, d, Options{}, func(r *rig) { r.set(many(10)...) })
	if d.closed != 10 {
		t.Errorf("%d sessions were closed", d.closed)
	}
}

// TestManyReloads: whatever is asked of the poller while devices answer, hang, refuse and break, nobody is talked to twice and every
// session is closed.
func TestManyReloads(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	d := &device{poll: func(ctx context.Context, tg collectors.Target, _ collectors.Scope) *snapshot.Snapshot {
		switch tg.Device[len(tg.Device)-1] {
		case '1':
			<-ctx.Done()
			return bad(tg, snapshot.ClassUnreachable)
		case '2':
			return bad(tg, snapshot.ClassAuth)
		case '3':
			panic("broken")
		case '4':
			time.Sleep(45 * time.Second) // deaf to its context
		default:
			time.Sleep(300 * time.Millisecond)
		}
		return good(tg)
	}}
	d.events = func(ctx context.Context, tg collectors.Target, poke func(string)) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(7 * time.Second):
				poke("something changed")
			}
			if tg.Device[len(tg.Device)-1] == '7' {
				panic("broken too")
			}
		}
	}
	story(t, d, Options{Workers: 5, Limit: 20 * time.Second, Jitter: rand.New(rand.NewPCG(3, 4)).Float64}, func(r *rig) {
		r.p.Start()
		for range 100 {
			var targets []Target
			for i := range 40 {
				if rnd.IntN(3) > 0 {
					tg := target(fmt.Sprintf("d%02d", i))
					tg.Credentials.User = fmt.Sprint(rnd.IntN(8) / 7)
					tg.States = time.Duration(5+rnd.IntN(2)) * time.Second
					if i%4 == 0 {
						tg.URL = fmt.Sprintf("fake://shared-%d:%d", i/8, 1000+i)
					}
					targets = append(targets, tg)
				}
			}
			r.set(targets...)
			for range 20 {
				r.p.Ask(fmt.Sprintf("d%02d", rnd.IntN(40)), "why not")
				r.wait(time.Duration(rnd.IntN(1000)) * time.Millisecond)
			}
			s := r.p.Stats()
			if len(s.Targets) != len(targets) || s.InFlight > 5 {
				t.Errorf("%d targets of %d, %d polls at once", len(s.Targets), len(targets), s.InFlight)
			}
		}
		if s := r.p.Stats(); s.Polls < 1000 || s.Panics == 0 || s.Stuck == 0 || s.Events == 0 {
			t.Errorf("the test tests too little: %+v", r.p.Totals())
		}
	})
}

func TestBoundCutsWhatASickDeviceSays(t *testing.T) {
	id := func(i int) component.ID { return component.NewID("d", component.PSU, fmt.Sprint(i)) }
	var s snapshot.Snapshot
	for i := range 100 {
		s.Components = append(s.Components, component.Component{ID: id(i)})
		s.Errors = append(s.Errors, snapshot.Error{}, snapshot.Error{}, snapshot.Error{})
	}
	s.Links = []component.Link{{From: id(1), To: id(2)}, {From: id(1), To: id(50)}}
	s.Claims = []snapshot.Claim{{Members: []component.ID{id(1), id(2)}}, {Members: []component.ID{id(1), id(99)}}}
	before := s
	bound(&s, 10)
	if len(s.Components) != 10 || len(s.Links) != 1 || len(s.Claims) != 1 || len(s.Errors) != mostErrors+2 {
		t.Errorf("%d components, %d links, %d claims, %d errors", len(s.Components), len(s.Links), len(s.Claims), len(s.Errors))
	}
	if len(before.Links) != 2 || before.Links[1].To != id(50) || before.Claims[1].Members[1] != id(99) {
		t.Error("the collector's own lists were changed")
	}
}

func TestBackOff(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		interval         time.Duration
		failures, denied int
		want             time.Duration
	}{
		{15 * s, 0, 0, 0}, {15 * s, 2, 0, 0}, {15 * s, 3, 0, 30 * s}, {15 * s, 4, 0, 60 * s}, {15 * s, 5, 0, 120 * s}, {15 * s, 1000, 0, 120 * s},
		{10 * time.Minute, 3, 0, 10 * time.Minute},
		{15 * s, 1, 1, 5 * time.Minute}, {15 * s, 2, 2, 10 * time.Minute}, {15 * s, 9, 9, time.Hour}, {2 * time.Hour, 1, 1, 2 * time.Hour},
	} {
		if got, why := backOff(c.interval, c.failures, c.denied); got != c.want || (why == "") != (got == 0) {
			t.Errorf("backOff(%s, %d, %d) = %s %q, want %s", c.interval, c.failures, c.denied, got, why, c.want)
		}
	}
}

func TestSlot(t *testing.T) {
	epoch := time.Unix(1_000_000, 0)
	for _, c := range []struct{ after, want time.Duration }{
		{-time.Hour, 5 * time.Second}, {0, 5 * time.Second}, {5 * time.Second, 20 * time.Second}, {6 * time.Second, 20 * time.Second}, {34 * time.Second, 35 * time.Second},
	} {
		if got := slot(epoch, epoch.Add(c.after), 15*time.Second, 1.0/3, 0).Sub(epoch); got.Round(time.Millisecond) != c.want {
			t.Errorf("the slot after %s is %s, want %s", c.after, got, c.want)
		}
	}
}

// BenchmarkPolls is what one poll of one of ten thousand targets costs the poller itself: time and allocations.
func BenchmarkPolls(b *testing.B) {
	d := &blank{}
	left := make(chan struct{})
	n := 0
	var mu sync.Mutex
	p := New(Options{
		Collectors: map[string]collectors.Collector{"fake": d}, Workers: 64,
		Out: func(*snapshot.Snapshot) {
			mu.Lock()
			defer mu.Unlock()
			if n++; n == b.N {
				close(left)
			}
		},
	})
	targets := many(10_000)
	for i := range targets {
		targets[i].States = time.Millisecond
	}
	if err := p.Set(targets); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	p.Start()
	<-left
	b.StopTimer()
	if err := p.Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// blank answers at once with the same snapshot.
type blank struct{}

var nothing = &snapshot.Snapshot{Reachable: true}

func (*blank) Open(collectors.Target) (collectors.Session, error)        { return &blank{}, nil }
func (*blank) Poll(context.Context, collectors.Scope) *snapshot.Snapshot { return nothing }
func (*blank) Close(context.Context) error                               { return nil }
