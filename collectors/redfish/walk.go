package redfish

import (
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// entry is one resource as it was last read.
type entry struct {
	path string
	role role
	many bool // a collection
	body value
	etag string
	// inside is the collection whose answer brought this resource too; "" where it is read by itself.
	inside  string
	link    string // as the service wrote it
	chassis string // that the way led through
	sum     uint64 // of the answer's bytes
	query   string // with which it was read ("?$expand=...")
	// stale: this poll wanted to read it and could not, so body is of an earlier time; why says what happened.
	// gone: the service has had it, or lists it, and answers that there is no such thing.
	stale, gone bool
	why         string
	poll        int // the poll that read it last
	emptied     int // so many times in a row it listed nothing, where it had listed something
}

// tree is what is known of a service: its resources by their normalised path.
type tree struct {
	entries map[string]*entry
	// differ holds the chassis whose older and newer forms of the same facts do not agree; both are read in every poll.
	differ map[string]bool
	// noExpand: the service says that it expands collections, and does not.
	noExpand bool
	// full is the number of the last Full poll.
	full int
	// turns is what the Fast polls have saved up of resources to read in turn.
	turns float64
	// rescan: a resource that was there is not any more, so the collections are asked what is.
	rescan bool
	// plain holds collections that came unexpanded though asked for otherwise.
	plain map[string]bool
}

func newTree() *tree {
	return &tree{entries: map[string]*entry{}, differ: map[string]bool{}, plain: map[string]bool{}}
}

// at returns the body of the resource at path; the zero value where there is none.
func (t *tree) at(path string) value {
	if e := t.entries[normal(path)]; e != nil {
		return e.body
	}
	return value{}
}

// members returns the paths of a collection's members, each once, in the service's order.
func (t *tree) members(link string) []string {
	var out []string
	seen := map[string]bool{}
	for _, m := range t.at(link).get("Members").items() {
		if p := normal(m.link()); p != "" && !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}

// normal brings a link into the form under which resources are kept: no host, no query, no fragment, no slash at the
// end, single slashes. A link that is no path of a Redfish service becomes "".
func normal(link string) string {
	link, _, _ = strings.Cut(link, "#")
	link, _, _ = strings.Cut(link, "?")
	if i := strings.Index(link, "%23"); i >= 0 { // an encoded '#': a part of the resource before it
		link = link[:i]
	}
	if !strings.HasPrefix(link, "/") {
		return ""
	}
	if strings.Contains(link, "//") || strings.Contains(link, "/.") || strings.HasSuffix(link, "/") {
		link = path.Clean(link)
	}
	if (strings.HasPrefix(link, "/redfish/") || strings.HasPrefix(link, "/rest/")) && len(link) <= maxPath {
		return link
	}
	return ""
}

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

// taking reports whether the resource has its turn in Fast polls, and within how many of them. A newer form of facts that an
// older one says too, in every poll, is read half as often as the rest.
func (t *tree) taking(e *entry) (polls int, is bool) {
	if e.inside != "" || e.gone || e.many && e.query == "" || hollow(e.role, e.body) {
		return 0, false // comes with another, is not there, says only what else is there, or has nothing in it
	}
	switch e.pace() {
	case inTurn:
		if e.role == rSupplyMetrics && t.hasOlder(e.chassis, rSupply) {
			return 2 * round, true
		}
		return round, true
	case doubled:
		return 2 * round, true
	}
	return 0, false
}

// oldest picks the resources whose turn it is in a Fast poll: those that are nearest to the end of their time, or past it.
func (t *tree) oldest(poll int) map[string]bool {
	type waiting struct {
		path string
		part float64 // of its time that is over
	}
	var in []waiting
	share := 0.0
	for _, e := range t.entries {
		if polls, is := t.taking(e); is {
			in = append(in, waiting{e.path, float64(poll-e.poll) / float64(polls)})
			share += 1 / float64(polls)
		}
	}
	sort.Slice(in, func(i, j int) bool {
		if in[i].part != in[j].part {
			return in[i].part > in[j].part
		}
		return in[i].path < in[j].path
	})
	t.turns = min(t.turns, float64(len(in))) + share
	out := map[string]bool{}
	for i := 0; i < len(in) && t.turns >= 1; i++ {
		out[in[i].path] = true
		t.turns--
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

// forget drops what a whole walk has not come across any more.
func (t *tree) forget(seen map[string]bool) (any bool) {
	for p := range t.entries {
		if !seen[p] {
			delete(t.entries, p)
			any = true
		}
	}
	return any
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

// fetch reads those of the items that are due, with at most two requests under way.
func (w *walk) fetch(ctx context.Context, items []item) {
	work := make(chan item)
	var readers sync.WaitGroup
	for range inFlight {
		readers.Go(func() {
			for it := range work {
				w.read(ctx, it)
			}
		})
	}
	for _, it := range items {
		if w.due(it) {
			work <- it
		}
	}
	close(work)
	readers.Wait()
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

// hollow reports whether a subsystem has nothing in it: many chassis of a large machine each show one (recording
// supermicro-gb300-nvl), and none of them changes until somebody works at it.
func hollow(r role, body value) bool {
	switch r {
	case rPowerSub:
		return len(body.get("PowerSupplyRedundancy").items()) == 0
	case rThermalSub:
		return len(body.get("FanRedundancy").items()) == 0
	}
	return false
}

// hasOlder reports whether the chassis shows the older form of what the role is of, with what it lists in it: some services
// keep a Power without supplies beside the newer form, and some list only links to them.
func (t *tree) hasOlder(chassis string, r role) bool {
	older, name := rPower, "Power"
	if r == rThermalSub || r == rFan {
		older, name = rThermal, "Thermal"
	}
	e := t.entries[normal(t.at(chassis).get(name).link())]
	if e == nil || e.gone {
		return false
	}
	for _, listed := range e.body.get(listIn[older]).items() {
		if len(listed.names()) > 1 {
			return true
		}
	}
	return false
}

// read reads one resource, all pages of it, and what came inside it.
func (w *walk) read(ctx context.Context, it item) {
	w.mu.Lock()
	ended := w.ended
	e := w.tree.entries[it.path]
	query := w.query(it)
	etag := ""
	if e != nil && e.query == query && !e.gone {
		etag = e.etag
	}
	w.mu.Unlock()
	if ended {
		w.miss(it, failed(snapshot.ClassPartial, "it was not read: the poll had ended"), true)
		return
	}
	get := w.client.get
	if it.role == rRoot {
		get = w.client.root
	}
	a, f := get(ctx, address(it, query), etag)
	if f != nil && query != "" && f.status >= 400 && f.status != http.StatusUnauthorized && f.status != http.StatusNotFound {
		w.mu.Lock()
		w.tree.noExpand = true // it said that it could
		w.mu.Unlock()
		query = ""
		a, f = w.client.get(ctx, address(it, ""), "")
	}
	if f != nil {
		w.miss(it, f, false)
		return
	}
	if a.notModified {
		w.keep(it)
		return
	}
	sum := maphash.Bytes(seed, a.body)
	if e != nil && e.sum == sum && e.query == query && !e.gone && !e.many {
		w.keep(it) // word for word as it was
		return
	}
	body, err := parseJSON(a.body)
	if err != nil {
		w.miss(it, failed(snapshot.ClassGarbage, err.Error()), false)
		return
	}
	if body.kind != object {
		w.miss(it, failed(snapshot.ClassGarbage, "it answers JSON that is no resource"), false)
		return
	}
	if missing, said := errorBody(body); said != "" {
		f := failed(snapshot.ClassPartial, "it answers an error: "+said)
		if missing {
			f.status = http.StatusNotFound
		}
		w.miss(it, f, false)
		return
	}
	if it.many {
		if body, f = w.pages(ctx, it, body); f != nil {
			w.miss(it, f, false)
			return
		}
	}
	w.store(it, body, sum, a.etag, query)
}

var seed = maphash.MakeSeed()

// address is where an item is read: as the service wrote it, since some insist on the slash at the end.
func address(it item, query string) string {
	at, _, _ := strings.Cut(it.link, "#")
	if !strings.HasPrefix(at, "/") || strings.Contains(at, "%23") {
		at = it.path
	}
	if it.path == rootPath {
		at = rootPath + "/" // the form that DSP0266 demands; some answer the other with a redirect
	}
	if query != "" {
		at, _, _ = strings.Cut(at, "?")
	}
	return at + query
}

// query returns how to ask for a collection with its members, "" where that is not known to work. Called locked.
func (w *walk) query(it item) string {
	levels := expands[it.role]
	if !it.many || levels == 0 || w.tree.noExpand || w.tree.plain[it.path] {
		return ""
	}
	q := w.tree.at(rootPath).at("ProtocolFeaturesSupported", "ExpandQuery")
	form := ""
	if yes, _ := q.get("NoLinks").boolean(); yes {
		form = "."
	} else if yes, _ := q.get("ExpandAll").boolean(); yes {
		form = "*"
	}
	if form == "" {
		return ""
	}
	if yes, _ := q.get("Levels").boolean(); yes {
		if n, ok := q.get("MaxLevels").num(); ok && n >= 1 {
			levels = min(levels, int(n))
		} else {
			levels = 1
		}
		return fmt.Sprintf("?$expand=%s($levels=%d)", form, levels)
	}
	return "?$expand=" + form
}

// pages appends the further pages of a collection (DSP0266, Members@odata.nextLink).
func (w *walk) pages(ctx context.Context, it item, body value) (value, *failure) {
	all := body.get("Members").items()
	asked := map[string]bool{}
	for page := 1; ; page++ {
		next := nextPage(body)
		if next == "" || asked[next] {
			break
		}
		if page > maxPages {
			return value{}, failed(snapshot.ClassLimit, fmt.Sprintf("the collection has more than %d pages", maxPages))
		}
		asked[next] = true
		a, f := w.client.get(ctx, next, "")
		if f != nil {
			return value{}, f
		}
		var err error
		if body, err = parseJSON(a.body); err != nil {
			return value{}, failed(snapshot.ClassGarbage, err.Error())
		}
		all = append(all, body.get("Members").items()...)
	}
	if len(asked) == 0 {
		return body, nil
	}
	return objectOf([]string{"Members"}, []value{arrayOf(all)}), nil
}

func nextPage(body value) string {
	v := body.first("Members@odata.nextLink", "@odata.nextLink")
	if v.kind == object {
		return localPath(v.link())
	}
	u, err := url.Parse(v.raw())
	if v.raw() == "" || err != nil || u.Host != "" || normal(u.Path) == "" {
		return ""
	}
	return u.RequestURI()
}

// errorBody finds an error where a resource was asked for: some services answer one with status 200.
func errorBody(v value) (missing bool, said string) {
	e := v.get("error")
	if e.kind != object || v.get("@odata.id").present() {
		return false, ""
	}
	said = e.get("message").str()
	for _, x := range e.get("@Message.ExtendedInfo").items() {
		id := x.get("MessageId").str()
		missing = missing || strings.Contains(id, "ResourceMissing") || strings.Contains(id, "ResourceNotFound")
		if m := x.get("Message").str(); m != "" {
			said = m
		}
	}
	if said == "" {
		said = e.get("code").str()
	}
	if said == "" {
		said = "one without words"
	}
	return missing, shorten(said, 200)
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

// onlyLinks keeps of a collection where its members are: what came with them is stored by itself.
func onlyLinks(collection value) value {
	links := []value{}
	for _, m := range collection.get("Members").items() {
		if l := m.link(); l != "" {
			links = append(links, value{kind: text, text: l})
		}
	}
	return objectOf([]string{"Members"}, []value{arrayOf(links)})
}

// listIn names the list inside a resource that is not a collection.
var listIn = map[role]string{rPower: "PowerSupplies", rThermal: "Fans", rStorage: "Drives"}

// emptied returns how many things a resource listed before, if it lists none now.
func emptied(it item, old *entry, body value) int {
	name := listIn[it.role]
	if it.many {
		name = "Members"
	}
	if old == nil || old.many != it.many || name == "" || len(body.get(name).items()) > 0 {
		return 0
	}
	return len(old.body.get(name).items())
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

// miss notes that a resource could not be read. What was known of it stays, marked stale.
func (w *walk) miss(it item, f *failure, quiet bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.tree.entries[it.path]
	if f.status == http.StatusNotFound || f.status == http.StatusGone {
		if it.role == rRoot {
			w.problem(it.path, &failure{class: snapshot.ClassGarbage, said: "there is no Redfish service here: " + f.said, hint: "check the URL, and that Redfish is enabled on the BMC"})
			return
		}
		if e == nil && it.many && usual[it.path] != nil {
			w.problem(it.path, &failure{class: snapshot.ClassPartial, said: "the root links to this collection, but " + f.said, hint: "only members with usual names can be found; if the BMC has just been started, wait"})
		}
		// A link that ends in nothing, or a part that was pulled: an answer, not an error.
		if e == nil {
			e = &entry{path: it.path, role: it.role, many: it.many, link: it.link, chassis: it.chassis}
			w.tree.entries[it.path] = e
		}
		if !e.gone && e.body.kind == object {
			w.tree.rescan = true
		}
		w.news = w.news || !e.gone
		e.gone, e.stale, e.why, e.poll = true, false, f.said, w.poll
		return
	}
	if e != nil {
		w.news = true
		e.stale, e.why = true, f.said
	}
	if f.final || w.client.hopeless() {
		w.ended = true
	}
	w.denied = w.denied || f.class == snapshot.ClassAuth
	if !quiet {
		w.problem(it.path, f)
	}
}

// problem adds an error, each sentence once for the resource it is of. Called locked.
func (w *walk) problem(at string, f *failure) {
	class := f.class
	if at == rootPath && class == snapshot.ClassGarbage && f.hint == "" {
		f.hint = "check that the URL is that of a Redfish service"
	}
	if at == rootPath && class == snapshot.ClassPartial && !w.reached {
		class = snapshot.ClassUnreachable
	}
	if at == rootPath || class == snapshot.ClassAuth || class == snapshot.ClassCertificate || class == snapshot.ClassPinChanged || class == snapshot.ClassLimit {
		for _, e := range w.errors {
			if e.Error == f.said {
				return
			}
		}
		at = w.client.target.URL
	} else if class == snapshot.ClassUnreachable && w.reached {
		class = snapshot.ClassPartial
	}
	if len(w.errors) < maxErrors {
		w.errors = append(w.errors, snapshot.Error{At: at, Error: f.said, Hint: f.hint, Class: class})
	}
}

// states is a digest of the words of state in a resource: that which, when it changes, makes its relatives be read.
func states(v value) string {
	var b strings.Builder
	var add func(v value, depth int)
	add = func(v value, depth int) {
		if depth > 6 {
			return
		}
		switch v.kind {
		case object:
			for i, k := range v.names() {
				switch k {
				case "State", "Health", "HealthRollup", "PowerState", "LinkStatus", "LineInputStatus":
					b.WriteString(v.each()[i].raw())
					b.WriteByte('/')
				default:
					if k2 := v.each()[i].kind; k2 == object || k2 == array {
						add(v.each()[i], depth+1)
					}
				}
			}
		case array:
			for _, e := range v.each() {
				add(e, depth+1)
			}
		}
	}
	add(v, 0)
	return b.String()
}
