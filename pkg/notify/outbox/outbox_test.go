package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/ledger"
	"github.com/sparewatch/sparewatch/pkg/notify"
	"github.com/sparewatch/sparewatch/pkg/notify/outbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a ledger's log that outlives the program in these tests.
type memory struct {
	mu      sync.Mutex
	entries []ledger.Entry
	unread  bool // nothing can be read
}

func (m *memory) Append(_ context.Context, expect uint64, batch []ledger.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if uint64(len(m.entries)) != expect {
		return ledger.ErrMoved
	}
	m.entries = append(m.entries, batch...)
	return nil
}

func (m *memory) Read(_ context.Context, from uint64, f func(ledger.Entry) error) error {
	m.mu.Lock()
	entries, unread := slices.Clone(m.entries), m.unread
	m.mu.Unlock()
	if unread {
		return errors.New("the disk is gone")
	}
	for _, e := range entries[min(int(max(from, 1))-1, len(entries)):] {
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) setUnread(unread bool) {
	m.mu.Lock()
	m.unread = unread
	m.mu.Unlock()
}

// outcomes are those in the ledger, as words.
func (m *memory) outcomes(t *testing.T) []string {
	t.Helper()
	var out []string
	err := m.Read(t.Context(), 1, func(e ledger.Entry) error {
		if e.Kind != ledger.Outcome {
			return nil
		}
		var o notify.Outcome
		if err := json.Unmarshal(e.Body, &o); err != nil {
			return err
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%d %s %s %s", o.Intent, o.Receiver, o.Result, o.Error)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// receiver takes down what it is sent. answer, where set, says what comes of it.
type receiver struct {
	answer func(n notify.Notification) error

	mu  sync.Mutex
	got []string // "+1s trigger i1 warning" since the test's beginning
}

func (r *receiver) Send(ctx context.Context, n notify.Notification) error {
	r.mu.Lock()
	r.got = append(r.got, fmt.Sprintf("%v %s %s %s", time.Since(began()), n.Action, n.Incident, n.Severity))
	answer := r.answer
	r.mu.Unlock()
	if answer != nil {
		return answer(n)
	}
	return ctx.Err()
}

// recover makes it take everything from now on.
func (r *receiver) recover() {
	r.mu.Lock()
	r.answer = nil
	r.mu.Unlock()
}

// began is when every bubble of synctest begins.
func began() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

func (r *receiver) check(t *testing.T, want ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if a, b := strings.Join(r.got, "\n"), strings.Join(want, "\n"); a != b {
		t.Errorf("the receiver got\n%s\nwant\n%s", a, b)
	}
	r.got = nil
}

// program is one run of the program over a ledger: a writer, an outbox, and the loop that appends intents.
type program struct {
	t      *testing.T
	log    *memory
	writer *ledger.Writer
	box    *outbox.Outbox
	broken func() error // what Record returns; nil: it records
	cancel context.CancelFunc
	ended  chan struct{}
}

func start(t *testing.T, log *memory, receivers ...outbox.Receiver) *program {
	t.Helper()
	p := load(t, log, receivers...)
	p.run()
	return p
}

// load reads the ledger, and sends nothing yet.
func load(t *testing.T, log *memory, receivers ...outbox.Receiver) *program {
	t.Helper()
	p := &program{t: t, log: log, ended: make(chan struct{})}
	p.box = outbox.New(outbox.Options{Site: "ams1", Ledger: log, Record: p.record, Receivers: receivers, Waiting: 300,
		Link: func(id incident.ID) string { return "http://watch/" + string(id) }})
	var err error
	if p.writer, err = ledger.Open(t.Context(), log, p.box.Apply); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *program) run() {
	ctx, cancel := context.WithCancel(p.t.Context())
	p.cancel = cancel
	go func() {
		defer close(p.ended)
		if err := p.box.Run(ctx); !errors.Is(err, context.Canceled) {
			p.t.Errorf("Run: %v", err)
		}
	}()
}

func (p *program) record(ctx context.Context, records ...ledger.Record) error {
	if p.broken != nil {
		if err := p.broken(); err != nil {
			return err
		}
	}
	_, err := p.writer.Append(ctx, time.Now(), records...)
	return err
}

func (p *program) stop() {
	p.cancel()
	<-p.ended
}

// tell appends the intents to tell of the incidents: "i1" opens or updates it, "i1!" as critical, "-i1" resolves it.
func (p *program) tell(words ...string) {
	p.t.Helper()
	var records []ledger.Record
	for _, w := range words {
		n := incident.Notice{At: time.Now(), Why: "opened", Root: finding.Finding{Subject: "s1/psu/1"}}
		if w[0] == '-' {
			n.Incident.Resolved = time.Now()
		}
		if strings.HasSuffix(w, "!") {
			n.Incident.Severity = finding.Critical
		}
		n.Incident.ID = incident.ID(strings.Trim(w, "-!"))
		records = append(records, p.box.Intent(n))
	}
	entries, err := p.writer.Append(p.t.Context(), time.Now(), records...)
	if err != nil {
		p.t.Fatal(err)
	}
	for range 2 { // what is seen twice counts once
		for _, e := range entries {
			if err := p.box.Apply(e); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}

func down(notify.Notification) error {
	return &notify.TemporaryError{Err: errors.New("connection refused")}
}

func TestWhatIsIntendedIsSentOnceAndRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, log := &receiver{}, &receiver{}, &memory{}
		p := load(t, log, outbox.Receiver{Name: "a", Notifier: a}, outbox.Receiver{Name: "b", Notifier: b})
		p.tell("i1", "i2!")
		p.run()
		synctest.Wait()
		time.Sleep(time.Hour)
		p.tell("-i1")
		synctest.Wait()
		for _, r := range []*receiver{a, b} {
			r.check(t, "0s trigger i2 critical", "0s trigger i1 info", "1h0m0s resolve i1 info")
		}
		p.stop()
		if got := log.outcomes(t); len(got) != 6 || !slices.Contains(got, "1 a delivered") || !slices.Contains(got, "2 b delivered") {
			t.Errorf("outcomes %q", got)
		}
		if st := p.box.Status()[0]; st.Pending != 0 || st.Delivered != 3 || !st.LastGood.Equal(began().Add(time.Hour)) {
			t.Errorf("status %+v", st)
		}
		// A restart has nothing to send.
		p = start(t, log, outbox.Receiver{Name: "a", Notifier: a}, outbox.Receiver{Name: "b", Notifier: b})
		time.Sleep(time.Hour)
		a.check(t)
		b.check(t)
		p.stop()
	})
}

func TestTheNotificationIsReadBackFromTheLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got notify.Notification
		r := &receiver{answer: func(n notify.Notification) error { got = n; return nil }}
		p := start(t, &memory{}, outbox.Receiver{Name: "a", Notifier: r})
		p.tell("i1!")
		synctest.Wait()
		p.stop()
		if got.Incident != "i1" || got.Site != "ams1" || got.Link != "http://watch/i1" || got.Subject != "s1/psu/1" || got.Why != "opened" || !got.At.Equal(began()) {
			t.Errorf("sent was %+v", got)
		}
	})
}

func TestAReceiverThatIsDownIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memory{}
		r := &receiver{answer: down}
		p := start(t, log, outbox.Receiver{Name: "a", Notifier: r})
		p.tell("i1")
		time.Sleep(2 * time.Minute)
		r.check(t, "0s trigger i1 info", "1s trigger i1 info", "3s trigger i1 info", "7s trigger i1 info", "15s trigger i1 info", "31s trigger i1 info", "1m1s trigger i1 info", "1m31s trigger i1 info")
		if st := p.box.Status()[0]; st.Pending != 1 || st.Failures != 8 || st.LastError != "connection refused" {
			t.Errorf("status %+v", st)
		}
		r.recover()
		time.Sleep(time.Minute)
		r.check(t, "2m1s trigger i1 info")
		p.stop()
		if got := log.outcomes(t); !slices.Equal(got, []string{"1 a delivered"}) {
			t.Errorf("outcomes %q", got)
		}
	})
}

func TestAReceiverThatSaysWhenToComeAgainIsBelieved(t *testing.T) {
	for _, c := range []struct{ after, want time.Duration }{{90 * time.Second, 90 * time.Second}, {time.Millisecond, time.Second}, {100 * 24 * time.Hour, time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			r := &receiver{answer: func(notify.Notification) error {
				return &notify.TemporaryError{After: c.after, Err: errors.New("too many requests")}
			}}
			p := start(t, &memory{}, outbox.Receiver{Name: "a", Notifier: r})
			p.tell("i1")
			synctest.Wait()
			r.recover()
			p.tell("i2") // the pause is the receiver's
			time.Sleep(c.want)
			synctest.Wait()
			r.check(t, "0s trigger i1 info", c.want.String()+" trigger i1 info", c.want.String()+" trigger i2 info")
			p.stop()
		})
	}
}

func TestADeadReceiverDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := &receiver{}
		p := start(t, &memory{},
			outbox.Receiver{Name: "hangs", Notifier: hanging{}},
			outbox.Receiver{Name: "down", Notifier: &receiver{answer: down}},
			outbox.Receiver{Name: "good", Notifier: good})
		p.tell("i1", "-i1")
		synctest.Wait()
		good.check(t, "0s trigger i1 info", "0s resolve i1 info")
		time.Sleep(time.Hour)
		if st := p.box.Status(); st[0].Failures == 0 || st[0].Pending != 2 || st[1].Pending != 2 || st[2].Pending != 0 {
			t.Errorf("status %+v", st)
		}
		p.stop() // and hangs does not keep it
	})
}

// hanging never answers.
type hanging struct{}

func (hanging) Send(ctx context.Context, _ notify.Notification) error {
	<-ctx.Done()
	return &notify.TemporaryError{Err: ctx.Err()}
}

func TestAResolveDoesNotOvertakeItsTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: down}
		p := load(t, &memory{}, outbox.Receiver{Name: "a", Notifier: r})
		p.tell("i1", "-i1", "i2!", "i2", "i2!", "i3")
		p.run()
		synctest.Wait()
		r.check(t, "0s trigger i2 critical")
		r.recover()
		time.Sleep(time.Second)
		synctest.Wait()
		// What is open comes first; of i2 only what it is now; of i1 both.
		r.check(t, "1s trigger i3 info", "1s trigger i2 critical", "1s trigger i1 info", "1s resolve i1 info")
		p.stop()
	})
}

func TestANewerTriggerTakesThePlaceOfOneThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memory{}
		p := (*program)(nil)
		r := &receiver{}
		r.answer = func(n notify.Notification) error {
			if n.Severity == finding.Info {
				p.tell("i1!") // while it is on its way
			}
			return down(n)
		}
		p = start(t, log, outbox.Receiver{Name: "a", Notifier: r})
		p.tell("i1")
		time.Sleep(time.Second)
		synctest.Wait()
		r.check(t, "0s trigger i1 info", "1s trigger i1 critical")
		r.recover()
		time.Sleep(time.Minute)
		r.check(t, "3s trigger i1 critical")
		p.stop()
		// The newer one's outcome settles both.
		p = start(t, log, outbox.Receiver{Name: "a", Notifier: r})
		time.Sleep(time.Minute)
		r.check(t)
		p.stop()
	})
}

func TestWhatTheReceiverCannotDigestDoesNotBlockTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: func(n notify.Notification) error {
			if n.Incident == "poison" {
				return down(n)
			}
			return nil
		}}
		p := load(t, &memory{}, outbox.Receiver{Name: "a", Notifier: r})
		p.tell("poison!", "i1", "i2", "i3")
		p.run()
		time.Sleep(time.Second)
		synctest.Wait()
		r.check(t, "0s trigger poison critical", "1s trigger i1 info", "1s trigger poison critical")
		time.Sleep(time.Second)
		synctest.Wait()
		r.check(t, "2s trigger i2 info", "2s trigger i3 info", "2s trigger poison critical")
		p.stop()
	})
}

func TestWhatIsRefusedIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memory{}
		r := &receiver{answer: func(notify.Notification) error {
			return errors.New("400: invalid routing key " + strings.Repeat("x", 5000))
		}}
		p := start(t, log, outbox.Receiver{Name: "a", Notifier: r})
		p.tell("i1", "-i1")
		time.Sleep(time.Hour)
		r.check(t, "0s trigger i1 info", "0s resolve i1 info")
		p.stop()
		got := log.outcomes(t)
		if len(got) != 2 || !strings.HasPrefix(got[0], "1 a refused 400: invalid routing key") || len(got[0]) > 600 {
			t.Errorf("outcomes %q", got)
		}
		if st := p.box.Status()[0]; st.Refused != 2 || st.Failures != 0 || !strings.HasPrefix(st.LastError, "400") {
			t.Errorf("status %+v", st)
		}
	})
}

// paced is a receiver that takes so many per minute.
type paced struct {
	*receiver
	perMinute int
}

func (p paced) PerMinute() int { return p.perMinute }

func TestAPacedReceiverIsNotSentMoreThanItTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		r := &receiver{answer: func(notify.Notification) error { at = append(at, time.Now()); return nil }}
		p := load(t, &memory{}, outbox.Receiver{Name: "a", Notifier: paced{r, 120}})
		var words []string
		for n := range 300 {
			words = append(words, fmt.Sprintf("i%d", n))
		}
		p.tell(words...)
		p.run()
		time.Sleep(5 * time.Minute)
		p.stop()
		if len(at) != 300 || at[29].After(at[0]) || at[299].Sub(at[0]) > 4*time.Minute {
			t.Fatalf("%d were sent", len(at))
		}
		for i := range at[:len(at)-120] {
			if at[i+120].Sub(at[i]) < time.Minute {
				t.Fatalf("121 within %v", at[i+120].Sub(at[i]))
			}
		}
	})
}

func TestReceiversThatAreNotConfiguredAnyMoreAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memory{}
		p := start(t, log, outbox.Receiver{Name: "old", Notifier: &receiver{answer: down}})
		p.tell("i1", "-i1", "i2")
		synctest.Wait()
		p.stop()
		for range 2 {
			r := &receiver{}
			p = start(t, log, outbox.Receiver{Name: "new", Notifier: r})
			time.Sleep(time.Minute)
			r.check(t)
			p.stop()
			got := log.outcomes(t)
			slices.Sort(got)
			if want := []string{"2 old dropped the receiver is not configured any more", "3 old dropped the receiver is not configured any more"}; !slices.Equal(got, want) {
				t.Errorf("outcomes %q, want %q", got, want)
			}
		}
	})
}

func TestOutcomesThatCannotBeRecordedAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memory{}
		r := &receiver{}
		p := load(t, log, outbox.Receiver{Name: "a", Notifier: r})
		var full atomic.Bool
		full.Store(true)
		p.broken = func() error {
			if full.Load() {
				return errors.New("disk full")
			}
			return nil
		}
		p.tell("i1", "-i1", "i2!")
		p.run()
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		// A resolve waits for its trigger's outcome to be on record; others do not.
		r.check(t, "0s trigger i2 critical", "0s trigger i1 info")
		full.Store(false)
		time.Sleep(10 * time.Second)
		r.check(t, "1h0m5s resolve i1 info")
		p.stop()
		if got := log.outcomes(t); len(got) != 3 {
			t.Errorf("outcomes %q", got)
		}
	})
}

func TestALedgerThatCannotBeReadIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memory{}
		r := &receiver{}
		p := start(t, log, outbox.Receiver{Name: "a", Notifier: r})
		log.setUnread(true)
		p.tell("i1")
		time.Sleep(500 * time.Millisecond)
		log.setUnread(false)
		time.Sleep(time.Minute)
		r.check(t, "1s trigger i1 info")
		p.stop()
	})
}

func TestTooMuchThatWaitsIsGivenUpWhereItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memory{}
		r := &receiver{answer: down}
		p := load(t, log, outbox.Receiver{Name: "a", Notifier: r})
		var words []string
		for n := range 301 {
			words = append(words, fmt.Sprintf("i%d", n))
		}
		p.tell(words...)
		p.tell("-i7", "-i8")
		p.run()
		time.Sleep(time.Hour)
		p.stop()
		if got := log.outcomes(t); len(got) != 1 || !strings.HasPrefix(got[0], "302 a dropped more than 300 incidents waited") {
			t.Errorf("outcomes %q", got)
		}
		if st := p.box.Status()[0]; st.Pending != 301 {
			t.Errorf("%d wait, want the 300 open ones and one resolve", st.Pending)
		}
	})
}

func TestApplyRefusesWhatIsNoIntent(t *testing.T) {
	box := outbox.New(outbox.Options{})
	for _, k := range []ledger.Kind{ledger.Intent, ledger.Outcome} {
		if err := box.Apply(ledger.Entry{Seq: 1, Kind: k, Body: json.RawMessage(`[]`)}); err == nil {
			t.Errorf("a list is taken for an %s", k)
		}
	}
	if err := box.Apply(ledger.Entry{Seq: 1, Kind: ledger.Start, Body: json.RawMessage(`[]`)}); err != nil {
		t.Error(err)
	}
}

// fate decides what goes wrong in TestKilledAnywhere. It may be asked from any goroutine.
type fate struct {
	mu   sync.Mutex
	rand *rand.Rand
	dead bool
	kill func()
}

func (f *fate) intN(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rand.IntN(n)
}

// crash kills the program now and then, and reports whether it is dead.
func (f *fate) crash() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.dead && f.rand.IntN(12) == 0 {
		f.dead = true
		f.kill()
	}
	return f.dead
}

// pager has the effects of PagerDuty: a trigger opens what is not open, a resolve closes what is open, all else has
// none.
type pager struct {
	*fate
	open           map[incident.ID]bool
	opened, closed map[incident.ID]int
}

func (g *pager) Send(ctx context.Context, n notify.Notification) error {
	if g.crash() {
		return ctx.Err()
	}
	lost := &notify.TemporaryError{Err: errors.New("connection reset")}
	switch g.intN(4) {
	case 0: // it does not arrive
		return lost
	case 1: // it arrives and the answer gets lost
		g.effect(n)
		return lost
	}
	g.effect(n)
	g.crash()
	return ctx.Err()
}

func (g *pager) effect(n notify.Notification) {
	switch {
	case n.Action == notify.Trigger && !g.open[n.Incident]:
		g.open[n.Incident] = true
		g.opened[n.Incident]++
	case n.Action == notify.Resolve && g.open[n.Incident]:
		delete(g.open, n.Incident)
		g.closed[n.Incident]++
	}
}

// TestKilledAnywhereNothingIsLostAndNothingDoubled kills the program at random moments: before a send, after it, before
// its outcome is recorded and after; and the ledger fails now and then. In the end each incident has opened once and
// closed once at the receiver.
func TestKilledAnywhereNothingIsLostAndNothingDoubled(t *testing.T) {
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) { killAnywhere(t, seed) })
	}
}

func killAnywhere(t *testing.T, seed uint64) {
	log := &memory{}
	var p *program
	f := &fate{rand: rand.New(rand.NewPCG(seed, 1)), kill: func() { p.cancel() }}
	g := &pager{fate: f, open: map[incident.ID]bool{}, opened: map[incident.ID]int{}, closed: map[incident.ID]int{}}
	begin := func() {
		f.dead = false
		p = load(t, log, outbox.Receiver{Name: "pager", Notifier: g})
		p.broken = func() error {
			if f.crash() || f.intN(4) == 0 {
				return errors.New("the ledger does not answer")
			}
			return nil
		}
		p.run()
	}
	begin()
	pass := func(d time.Duration) {
		time.Sleep(d)
		synctest.Wait()
		if f.dead || f.intN(5) == 0 {
			p.stop()
			begin()
		}
	}
	const incidents = 5
	for n := range incidents {
		id := fmt.Sprintf("i%d", n)
		for _, w := range []string{id, id + "!", "-" + id} {
			pass(time.Duration(f.intN(3)) * time.Second)
			p.tell(w)
		}
	}
	for p.box.Status()[0].Pending > 0 {
		pass(10 * time.Second)
	}
	p.stop()
	for n := range incidents {
		id := incident.ID(fmt.Sprintf("i%d", n))
		if g.opened[id] != 1 || g.closed[id] != 1 {
			t.Errorf("seed %d: %s was opened %d times and closed %d times", seed, id, g.opened[id], g.closed[id])
		}
	}
}
