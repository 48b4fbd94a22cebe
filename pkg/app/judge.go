package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bus"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/ledger"
	"github.com/sparewatch/sparewatch/pkg/notify/outbox"
	"github.com/sparewatch/sparewatch/pkg/paths"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
)

// judge is the one goroutine that owns what is believed: the state of all targets, the engine, and which incidents are
// open. Nothing else touches them; whoever wants an answer from the engine has it asked by do.
type judge struct {
	app *App
	log *slog.Logger

	snapshots chan *snapshot.Snapshot
	questions chan func()
	ended     chan struct{} // closed when run is over

	config  *config.Config
	store   *state.Store
	engine  *engine.Engine
	fold    *incident.Fold
	last    map[target]*snapshot.Snapshot // the last answer of each target
	reached map[target]bool               // whether the last poll was answered; for the log
	report  *engine.Report

	remembered []paths.Memory // of sessions and ways, from before the start; until the hub has it

	ledger  *marker
	writer  *ledger.Writer
	outbox  *outbox.Outbox
	stopBox func(context.Context) error
	head    uint64                // the last entry that the fold has
	marked  ledger.Head           // up to which the start passed over the ledger; what stands before is checked later
	broken  error                 // why the ledger could not be written, until it was read again
	failing error                 // the same, until it was written again
	again   time.Time             // when to try the ledger again
	doubt   atomic.Pointer[error] // why the outbox could not write it

	polls, failed uint64
	lastFailed    string    // the target of the last poll that failed
	lastFailedAt  time.Time // and when
	late          uint64    // as the poller counted at lateAt
	lateAt        time.Time // when it was asked last
	evaluations   uint64
	evaluating    time.Duration
	loadedAt      time.Time
	loaded        atomic.Bool
}

type target struct{ device, url string }

func newJudge(a *App) *judge {
	return &judge{
		app:       a,
		log:       a.log,
		snapshots: make(chan *snapshot.Snapshot, 1024),
		questions: make(chan func()),
		ended:     make(chan struct{}),
		last:      map[target]*snapshot.Snapshot{},
		reached:   map[target]bool{},
	}
}

// build makes store and engine for a configuration.
func (j *judge) build(c *config.Config) error {
	e, err := engine.New(&c.Model, engineOptions(c, j.app.o.Settle))
	if err != nil {
		return err
	}
	j.config, j.engine, j.store = c, e, newStore(c)
	j.loadedAt = j.app.now()
	j.loaded.Store(true)
	return nil
}

func newStore(c *config.Config) *state.Store {
	var list []state.Target
	named := engine.Named(&c.Model)
	for _, d := range c.Devices {
		for _, t := range d.Targets {
			list = append(list, state.Target{URL: t.URL, Device: d.Name, Interval: d.States, Named: named[d.Name]})
		}
	}
	return state.New(list)
}

// restore takes in what was known before the start: what was seen, the last snapshots, and the ledger with its open
// findings, incidents and unsent notifications. It writes that the daemon started.
func (j *judge) restore(ctx context.Context, b *bus.Bus) error {
	seen := map[string]state.Seen{}
	err := b.Seen().All(ctx, func(device string, value []byte) error {
		if strings.HasPrefix(device, pathsKey) {
			return j.rememberPaths(device, value)
		}
		var s state.Seen
		if err := json.Unmarshal(value, &s); err != nil {
			return fmt.Errorf("what was remembered of %s: %w", device, err)
		}
		seen[device] = s
		return nil
	})
	if err != nil {
		return err
	}
	j.store.Restore(seen)
	err = b.Last().All(ctx, func(key string, value []byte) error {
		var sn snapshot.Snapshot
		if err := json.Unmarshal(value, &sn); err != nil {
			j.log.Warn("a last snapshot is unreadable and left out", "target", key, "error", err)
			return nil // it is disposable
		}
		j.store.RestoreLast(&sn)
		return nil
	})
	if err != nil {
		return err
	}
	j.ledger = newMarker(b.Ledger(), b.Marks(), j.log)
	return j.restoreLedger(ctx)
}

// rememberPaths takes in a piece of what was known of sessions and ways.
func (j *judge) rememberPaths(key string, value []byte) error {
	var m paths.Memory
	if err := json.Unmarshal(value, &m); err != nil {
		return fmt.Errorf("what was remembered of %s: %w", key, err)
	}
	j.remembered = append(j.remembered, m)
	return nil
}

func (j *judge) restoreLedger(ctx context.Context) error {
	open, err := j.readLedger(ctx)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	var findings []finding.Finding
	for _, f := range open {
		if f.Rule != finding.ExportLoss { // not the engine's
			findings = append(findings, f)
		}
	}
	j.engine.Resume(findings)
	for _, name := range j.store.Devices() {
		j.engine.Update(j.store.Device(name))
	}
	start := ledger.Record{Kind: ledger.Start, Body: map[string]any{"version": j.app.o.Version, "site": j.config.Site, "configuration": j.config.Files}}
	entries, err := j.writer.Append(ctx, j.app.now(), start)
	if err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	j.written(entries)
	j.openOutbox(ctx)
	if n := len(j.fold.Open()); n > 0 {
		j.log.Info("incidents from before the start are still open", "incidents", n, "findings", len(findings))
	}
	return nil
}

// readLedger reads what the mark of an earlier run names and what came after it, or the whole ledger, and returns the
// findings that are open.
func (j *judge) readLedger(ctx context.Context) (open map[finding.Key]finding.Finding, err error) {
	if k, ok := j.ledger.load(ctx); ok {
		open, err := j.begin(ctx, k)
		if err == nil || ctx.Err() != nil {
			return open, err
		}
		j.log.Warn("the ledger is not as the last run left it; the whole of it is read", "error", err)
	}
	return j.begin(ctx, mark{})
}

// begin builds from the ledger what is open, going on from a mark; from an empty one the whole is read.
func (j *judge) begin(ctx context.Context, k mark) (map[finding.Key]finding.Finding, error) {
	open := map[finding.Key]finding.Finding{}
	box, err := j.newOutbox(j.config)
	if err != nil {
		return nil, err
	}
	j.outbox = box
	j.fold = incident.NewFold(incident.Options{Hold: j.app.hold(j.config), Closed: k.Closed, NewID: incident.IDs(j.config.Site)})
	take := func(e ledger.Entry) error { return errors.Join(remember(open, e), j.replay(e)) }
	if err := j.ledger.resume(ctx, k, take); err != nil {
		return nil, err
	}
	j.marked = k.Head
	if k.Head.Seq == 0 {
		j.writer, err = ledger.Open(ctx, j.ledger, take)
		return open, err
	}
	j.head = k.Head.Seq
	j.writer, err = ledger.OpenAt(ctx, j.ledger, k.Head, take)
	return open, err
}

// remember keeps the findings that a ledger leaves open.
func remember(open map[finding.Key]finding.Finding, e ledger.Entry) error {
	if e.Kind != ledger.Transition {
		return nil
	}
	var t incident.Transition
	if err := json.Unmarshal(e.Body, &t); err != nil {
		return err
	}
	if t.Finding == nil {
		delete(open, t.Key)
		return nil
	}
	open[t.Key] = *t.Finding
	return nil
}

// replay takes in one entry of the ledger that was not made from the present fold.
func (j *judge) replay(e ledger.Entry) error {
	j.head = e.Seq
	return errors.Join(j.ledger.take(e), j.fold.Replay(e), j.outbox.Apply(e))
}

// run is the judge's task. Snapshots are judged at once while a look costs little; one that costs more is followed by
// a pause of nineteen times as long, at most a second, so that a large site leaves most of its time to the polls.
func (j *judge) run(ctx context.Context) error {
	defer close(j.ended)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	rest := time.NewTimer(0) // ends with the pause after the last look
	defer rest.Stop()
	resting, waiting := true, true
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case f := <-j.questions:
			f()
			continue
		case sn := <-j.snapshots:
			j.take(sn)
			j.drain()
			waiting = true
		case <-tick.C:
			for _, name := range j.store.Tick(j.app.now()) {
				j.engine.Update(j.store.Device(name))
			}
			waiting = true
		case <-rest.C:
			resting = false
		}
		if resting || !waiting {
			continue
		}
		began := time.Now()
		j.look(ctx)
		rest.Reset(min(pauses*time.Since(began), longestPause))
		resting, waiting = true, false
	}
}

// After a look the judge rests so many times as long as the look took, and no longer than this.
const (
	pauses       = 19
	longestPause = time.Second
)

// drain takes the snapshots that wait, so that a burst is judged once; not for ever, so that the page moves on.
func (j *judge) drain() {
	for range cap(j.snapshots) {
		select {
		case sn := <-j.snapshots:
			j.take(sn)
		default:
			return
		}
	}
}

// take gives one snapshot to the store, and to the keeper what of it must be remembered.
func (j *judge) take(sn *snapshot.Snapshot) {
	j.polls++
	if !sn.Reachable {
		j.failed++
		j.lastFailed, j.lastFailedAt = sn.Target, sn.At
	}
	device, changed := j.store.Apply(sn)
	if device == "" {
		return // of a target that is no longer configured
	}
	key := target{sn.Device.Name, sn.Target}
	j.say(key, sn)
	if sn.Reachable {
		j.last[key] = sn
		if changed {
			j.app.keeper.putLast(sn)
		}
	}
	j.engine.Update(j.store.Device(device))
	j.touched()
}

// touched gives the engine the views that changed with those of other devices, and takes those from it that are gone.
func (j *judge) touched() {
	for _, name := range j.store.Touched() {
		if view := j.store.Device(name); view != nil {
			j.engine.Update(view)
		} else {
			j.engine.Forget(name)
		}
	}
}

// say logs that a target no longer answers, or does so again.
func (j *judge) say(key target, sn *snapshot.Snapshot) {
	was, known := j.reached[key]
	j.reached[key] = sn.Reachable
	switch {
	case sn.Reachable && known && !was:
		j.log.Info("a target answers again", "device", key.device, "target", key.url)
	case !sn.Reachable && (was || !known):
		var why snapshot.Error
		if len(sn.Errors) > 0 {
			why = sn.Errors[0]
		}
		j.log.Warn("a target does not answer", "device", key.device, "target", key.url, "error", why.Error, "hint", why.Hint)
	}
}

// look judges, writes down what changed, and shows the new picture.
func (j *judge) look(ctx context.Context) {
	now := j.app.now()
	began := time.Now()
	report, questions := j.engine.Evaluate(now)
	j.evaluating += time.Since(began)
	j.evaluations++
	j.report = j.app.withLosses(report, now)
	for _, l := range j.engine.Learned() {
		j.store.Learn(l.Group, l.Best, l.Peak)
	}
	for _, l := range j.engine.LearnedLoads() {
		j.store.LearnLoad(l.Device, l.Key, l.Peaks)
	}
	for _, l := range j.engine.LearnedPrefixes() {
		j.store.LearnPrefixes(l.Session, l.Usual)
	}
	for _, q := range questions {
		j.log.Debug("a device is asked now", "device", q.Device, "why", q.Why)
		j.app.poller.Ask(q.Device, q.Why)
		for _, name := range j.store.Asked(q.Device) {
			j.app.poller.Ask(name, q.Why)
		}
	}
	j.tell(ctx, now)
	for _, name := range j.store.Dirty() {
		j.app.keeper.putSeen(name, j.store.Seen(name))
	}
	j.show(now)
}

// tell takes the findings to the incidents, and what people are to know to the ledger, from which the outbox has it. An
// incident is believed when it is written.
func (j *judge) tell(ctx context.Context, now time.Time) {
	if err := j.doubt.Swap(nil); err != nil && j.broken == nil {
		j.unwritten(ctx, *err)
	}
	if j.broken != nil && !j.repair(ctx, now) {
		return
	}
	next, step := j.fold.Step(now, j.report.Findings, j.unsure)
	records := append(step.Records(j.outbox.Intent), j.app.traps.takeHeard()...)
	if len(records) == 0 {
		j.fold = next
		j.recovered() // it was read again, and nothing waits to be written
		return
	}
	entries, err := j.writer.Append(ctx, now, records...)
	if err != nil {
		j.again = now
		j.unwritten(ctx, err)
		for _, e := range entries { // those that were written
			_ = j.replay(e) // it was made here a moment ago
		}
		return
	}
	j.fold = next
	j.recovered()
	j.written(entries)
	for _, c := range step.Changes {
		j.log.Log(ctx, level(c), "incident "+string(c.What), "incident", c.ID, "severity", c.Severity, "title", c.Title, "part_of", c.PartOf)
	}
}

// level is low for what nobody is told of: one more consequence of a known cause.
func level(c incident.Change) slog.Level {
	switch {
	case c.Notice == nil:
		return slog.LevelDebug
	case c.What == incident.Opened && c.Severity >= finding.Error:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// written hands entries that the present fold has already to the outbox.
func (j *judge) written(entries []ledger.Entry) {
	for _, e := range entries {
		j.head = e.Seq
		if err := j.outbox.Apply(e); err != nil {
			j.log.Error("an entry of the ledger cannot be sent", "entry", e.Seq, "error", err)
		}
	}
}

// repairEvery is how often a ledger that could not be written is tried again.
const repairEvery = 5 * time.Second

// repair reads from the ledger what is really there and goes on from that.
func (j *judge) repair(ctx context.Context, now time.Time) bool {
	if now.Before(j.again) {
		return false
	}
	j.again = now.Add(repairEvery)
	if err := j.writer.Resume(ctx, j.replay); err != nil {
		j.broken = err
		return false
	}
	j.broken = nil
	return true
}

// unwritten notes that the ledger could not be written. It says so once, until it can be again.
func (j *judge) unwritten(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case j.failing == nil:
		j.log.Error("the ledger cannot be written; nobody is told anything until it can", "error", err)
	case j.app.isStuck():
		j.app.giveUp(ctx, err)
	}
	j.broken, j.failing = err, err
}

// recovered notes that nothing is in the way of the ledger any more.
func (j *judge) recovered() {
	if j.failing != nil {
		j.log.Info("the ledger can be written again")
	}
	j.failing = nil
}

// unsure reports whether nothing can be said now of a finding that is not there: its device was not read since the
// start, or not everything was.
func (j *judge) unsure(k finding.Key) bool {
	if !j.report.Settled {
		return true
	}
	_, subject, _ := strings.Cut(string(k), ":")
	d := j.store.Device(component.ID(subject).Device())
	return d != nil && !d.Read
}

// do has f called by the judge, between two looks, and waits for it.
func (j *judge) do(ctx context.Context, f func(*judge) error) error {
	_, err := ask(ctx, j, func(j *judge) (struct{}, error) { return struct{}{}, f(j) })
	return err
}

// ask has a question answered by the judge, between two looks, and waits for the answer while ctx lasts.
func ask[T any](ctx context.Context, j *judge, f func(*judge) (T, error)) (none T, err error) {
	type reply struct {
		is  T
		err error
	}
	replied := make(chan reply, 1)
	question := func() {
		if ctx.Err() == nil {
			is, err := f(j)
			replied <- reply{is, err}
		}
	}
	select {
	case j.questions <- question:
	case <-ctx.Done():
		return none, ctx.Err()
	case <-j.ended:
		return none, errors.New("the daemon is stopping")
	}
	select {
	case r := <-replied:
		return r.is, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// hand gives the judge a snapshot; it is what the poller calls. It waits where the judge is behind.
func (j *judge) hand(sn *snapshot.Snapshot) {
	select {
	case j.snapshots <- sn:
	case <-j.ended:
	}
}

// resolve finds what people mean by names.
func (j *judge) resolve(names []string) ([]component.ID, error) {
	ids := make([]component.ID, 0, len(names))
	for _, n := range names {
		id, err := j.engine.Resolve(n)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// record appends the outbox's records to the ledger. It is called by the outbox's goroutines; what went wrong is repaired
// by the judge.
func (j *judge) record(ctx context.Context, records ...ledger.Record) error {
	_, err := j.writer.Append(ctx, j.app.now(), records...)
	if err != nil && ctx.Err() == nil {
		j.doubt.Store(&err)
	}
	return err
}

// newOutbox makes an outbox for the receivers of a configuration.
func (j *judge) newOutbox(c *config.Config) (*outbox.Outbox, error) {
	list, err := receivers(c)
	if err != nil {
		return nil, err
	}
	return outbox.New(outbox.Options{
		Site:      c.Site,
		Link:      func(id incident.ID) string { return j.app.URL() + "/#incident-" + string(id) },
		Receivers: list,
		Ledger:    j.ledger,
		Record:    j.record,
		Log:       j.log,
	}), nil
}

// openOutbox begins to send.
func (j *judge) openOutbox(ctx context.Context) {
	j.stopBox = j.app.tasks.start(ctx, "outbox", j.outbox.Run)
}

// closeOutbox ends sending. What was not sent stands in the ledger.
func (j *judge) closeOutbox(ctx context.Context) error {
	if j.stopBox == nil {
		return nil
	}
	stop := j.stopBox
	j.stopBox = nil
	return stop(ctx)
}
