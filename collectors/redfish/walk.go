package redfish

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// Bounds of one walk.
const (
	maxLevels = 24  // links away from the root; the deepest that the rules of plan.go reach is 9
	maxPages  = 64  // of one collection
	maxPath   = 512 // bytes
	maxErrors = 50
	round     = 16 // Fast polls in which a resource has had its turn
	patience  = 20 // readings for which a list that is empty all at once is not believed

	rootPath = "/redfish/v1"
)

// walk reads a service from its root along the rules of plan.go.
type walk struct {
	client *client
	tree   *tree
	scope  collectors.Scope
	poll   int             // this poll's number, from 1
	spare  bool            // what has had its turn of late is not read again, though the poll is Full
	about  map[string]bool // resources that events spoke of
	kinds  map[role]bool   // kinds of resources that they spoke of

	reached  bool // something was read
	inside   bool // something was read that is behind the login
	complete bool // the walk came to its end
	ended    bool // no more requests in this poll
	denied   bool // a resource was refused
	news     bool // something is not as it was at the end of the last poll
	turn     map[string]bool
	changed  map[string]bool // chassis whose older form of power or thermal changed in this poll

	mu     sync.Mutex
	errors []snapshot.Error
}

// item is one resource to visit. hot: what led here has changed, so it is read whatever its pace is.
type item struct {
	ref
	path    string
	chassis string // that the way led through, for the two forms of power and thermal
	hot     bool
}

func (w *walk) run(ctx context.Context) {
	w.changed = map[string]bool{}
	if w.scope == collectors.Fast {
		w.turn = w.tree.oldest(w.poll)
		known := len(w.about) > 0
		for p := range w.about {
			known = w.tree.near(p, w.turn) && known
		}
		if !known {
			w.tree.alike(w.kinds, w.turn)
		}
	}
	if w.scope == collectors.Fast {
		w.fetch(ctx, w.certain())
	}
	seen := map[string]bool{rootPath: true}
	level := []item{{ref: ref{link: rootPath, role: rRoot}, path: rootPath}}
	for depth := 0; len(level) > 0 && depth < maxLevels; depth++ {
		level = w.visit(ctx, level, seen)
	}
	w.complete = w.reached && !w.ended
	if w.scope == collectors.Full && w.complete && w.tree.forget(seen) {
		w.news = true
	}
	if w.scope == collectors.Full {
		w.tree.full = w.poll
	}
	if !w.reached && len(w.errors) == 0 && !w.ended { // nothing was due: is it there at all?
		w.read(ctx, item{ref: ref{link: rootPath, role: rRoot}, path: rootPath})
	}
	if w.denied && !w.inside {
		w.reached = false // the root is open to everybody; nothing behind the login was read
	}
}

// certain lists what a Fast poll reads whatever it finds, so that it can be asked for without waiting for the way there.
func (w *walk) certain() []item {
	var out []item
	for _, p := range slices.Sorted(maps.Keys(w.tree.entries)) {
		e := w.tree.entries[p]
		if e.link == "" || e.pace() == slowly && !e.stale {
			continue
		}
		if it := (item{ref: ref{link: e.link, role: e.role, many: e.many}, path: p, chassis: e.chassis}); w.due(it) {
			out = append(out, it)
		}
	}
	return out
}

// hadTurn reports whether a resource, or the collection that it comes with, has had its turn in a Fast poll since the last Full
// one, and not long ago: then a Full poll would only read it once more.
func (w *walk) hadTurn(e *entry) bool {
	if with := w.tree.entries[e.inside]; with != nil && with.query != "" {
		e = with
	}
	polls, is := w.tree.taking(e)
	return is && w.spare && e.poll > w.tree.full && w.poll-e.poll < polls
}

// visit reads one level of resources, two at once, and returns the next. Where a chassis has power or thermal in both
// forms, the newer waits for the next level: whether it is read depends on what the older brings.
func (w *walk) visit(ctx context.Context, level []item, seen map[string]bool) []item {
	var now, next []item
	older := map[string]bool{}
	for _, it := range level {
		if it.role == rPower || it.role == rThermal {
			older[it.chassis+olderOf[it.role]] = true
		}
	}
	for _, it := range level {
		if (it.role == rPowerSub || it.role == rThermalSub) && older[it.chassis+olderOf[it.role]] {
			next = append(next, it)
		} else {
			now = append(now, it)
		}
	}
	w.fetch(ctx, now)
	for _, it := range now {
		e := w.tree.entries[it.path]
		if e == nil || e.gone && !guessable(e) {
			continue
		}
		for _, r := range w.onward(e) {
			p := normal(r.link)
			if p == "" || seen[p] || refusesReading(w.tree, p) {
				continue
			}
			seen[p] = true
			chassis := it.chassis
			if r.role == rChassis && !r.many {
				chassis = p
			}
			next = append(next, item{ref: r, path: p, chassis: chassis, hot: it.hot || w.changed[it.path]})
		}
	}
	return next
}

// olderOf pairs the two forms of the same facts.
var olderOf = map[role]string{rPower: " power", rPowerSub: " power", rThermal: " thermal", rThermalSub: " thermal"}

// usual are the members that services with one machine have, by the name of the collection that should list them.
var usual = map[string][]string{
	rootPath + "/Systems":  {"1", "Self", "System.Embedded.1", "system"},
	rootPath + "/Chassis":  {"1", "Self", "System.Embedded.1", "chassis"},
	rootPath + "/Managers": {"1", "Self", "iDRAC.Embedded.1", "bmc"},
}

// guessable reports whether e is a collection that the service links to, and that it answers with 404, but whose members
// can be guessed (recordings lenovo-sr850 and huawei-2288h-v5 were taken so).
func guessable(e *entry) bool { return e.many && e.gone && usual[e.path] != nil }

func (w *walk) onward(e *entry) []ref {
	if guessable(e) {
		var out []ref
		for _, id := range usual[e.path] {
			out = append(out, ref{link: e.path + "/" + id, role: e.role})
		}
		return out
	}
	if !e.many {
		return follow(w.tree, e.role, e.path, e.body)
	}
	var out []ref
	for _, m := range e.body.get("Members").items() {
		if p := m.link(); p != "" && !strings.Contains(p, "#") && (wanted(e.role, m) || w.tree.entries[normal(p)] != nil) {
			out = append(out, ref{link: p, role: e.role})
		}
	}
	if e.role == rStorage && len(out) == 0 && strings.HasSuffix(e.path, "/Storage") {
		// The system said nothing of drives but an empty collection: what SimpleStorage says is better than nothing.
		if p := w.tree.at(path.Dir(e.path)).get("SimpleStorage").link(); p != "" {
			out = append(out, ref{link: p, role: rSimpleStorage, many: true})
		}
	}
	return out
}

// due reports whether an item is read in this poll.
func (w *walk) due(it item) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.tree.entries[it.path]
	switch {
	case e == nil:
		return true
	case e.poll == w.poll: // came with its collection
		return false
	case e.stale, it.hot:
		return true
	case w.scope == collectors.Full:
		return !w.hadTurn(e)
	case e.gone && e.body.kind == missing: // it never was there
		return false
	case e.many && e.query == "": // a collection that does not bring its members: they are read by themselves
		return false
	case e.inside != "" && w.tree.entries[e.inside] != nil && w.tree.entries[e.inside].query != "":
		return false // comes with its collection when that is due
	}
	switch e.pace() {
	case always:
		return true
	case inTurn:
		return w.turn[it.path]
	case doubled:
		if hollow(it.role, e.body) {
			return false
		}
		return w.turn[it.path] || w.tree.differ[it.chassis] || w.changed[it.chassis+olderOf[it.role]] || !w.tree.hasOlder(it.chassis, it.role)
	}
	return false
}

// keep notes that a resource is as it was.
func (w *walk) keep(it item) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.tree.entries[it.path]
	w.news = w.news || e.stale
	e.poll, e.stale, e.why, e.emptied = w.poll, false, "", 0
	w.inside = w.inside || it.role != rRoot
	for _, m := range w.tree.entries {
		if m.inside == it.path {
			w.news = w.news || m.stale
			m.poll, m.stale, m.why = w.poll, false, ""
		}
	}
	w.reached = true
}

// store takes in a resource, and those that came inside it.
func (w *walk) store(it item, body value, sum uint64, etag, query string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reached, w.news = true, true
	if it.role == rRoot {
		w.client.learn(body)
	} else {
		w.inside = true
	}
	old := w.tree.entries[it.path]
	if n := emptied(it, old, body); n > 0 {
		old.emptied++
		if old.emptied <= patience {
			old.stale, old.poll = true, w.poll
			old.why = fmt.Sprintf("it lists nothing, where it listed %d before; a BMC that is starting does so", n)
			w.problem(it.path, failed(snapshot.ClassPartial, old.why))
			return
		}
	}
	if old != nil && states(old.body) != states(body) {
		switch it.role {
		case rPower, rThermal:
			w.changed[it.chassis+olderOf[it.role]] = true
		default:
			w.changed[it.path] = true
		}
	}
	whole := body
	body = lean(thin(it.role, body))
	w.tree.entries[it.path] = &entry{
		path: it.path, role: it.role, many: it.many, body: body, sum: sum, etag: etag, query: query, poll: w.poll, link: it.link, chassis: it.chassis,
	}
	if !it.many {
		return
	}
	brought := 0
	for _, m := range whole.get("Members").items() {
		if wanted(it.role, m) && w.embedded(m, it) {
			brought++
		}
	}
	w.tree.entries[it.path].body = onlyLinks(body)
	if query != "" && brought == 0 && len(body.get("Members").items()) > 0 {
		w.tree.plain[it.path] = true
		w.tree.entries[it.path].query = ""
	}
}

// embedded stores a resource that came inside another with the role that the plan gives it, and what came inside it.
// It reports whether v is a whole resource and not only a link to one.
func (w *walk) embedded(v value, from item) bool {
	link := strings.Clone(v.link()) // and not the text that it stood in
	p := normal(link)
	if p == "" || strings.Contains(link, "#") || len(v.names()) < 3 || !v.get("@odata.type").present() && !v.get("Id").present() {
		return false
	}
	if refusesReading(w.tree, p) {
		return true
	}
	if old := w.tree.entries[p]; old != nil && states(old.body) != states(v) {
		w.changed[p] = true
	}
	w.tree.entries[p] = &entry{path: p, role: from.role, body: lean(thin(from.role, v)), inside: from.path, poll: w.poll, link: link, chassis: from.chassis}
	for _, s := range steps[from.role] {
		inner := v.at(s.names...)
		list := []value{inner}
		if inner.kind == array {
			list = inner.each()
		}
		for _, l := range list {
			if s.many {
				w.embeddedCollection(l, item{ref: ref{role: s.role}, path: from.path, chassis: from.chassis})
			} else {
				w.embedded(l, item{ref: ref{role: s.role}, path: from.path, chassis: from.chassis})
			}
		}
	}
	return true
}

// embeddedCollection stores a collection that came inside another resource, if it came with its members: one that came
// empty-handed is read by itself.
func (w *walk) embeddedCollection(v value, from item) {
	p := normal(strings.Clone(v.link()))
	members := v.get("Members").items()
	if p == "" || !v.get("Members").present() {
		return
	}
	whole := true
	for _, m := range members {
		whole = w.embedded(m, from) && whole
	}
	if whole && nextPage(v) == "" {
		w.tree.entries[p] = &entry{path: p, role: from.role, many: true, body: onlyLinks(lean(v)), inside: from.path, poll: w.poll}
	}
}
