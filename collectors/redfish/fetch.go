package redfish

import (
	"context"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

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
