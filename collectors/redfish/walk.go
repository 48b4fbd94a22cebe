package redfish

import (
	"context"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// entry is one resource as it was last read.
type entry struct {
	path string
	role role
	body value
	etag string
	// stale: this poll wanted to read it and could not, so body is of an earlier time; why says what happened.
	// gone: the service has had it and now answers that there is no such thing.
	stale, gone bool
	why         string
	poll        int // the poll that read it last
}

// tree is what is known of a service: its resources by their normalised path.
type tree struct {
	entries map[string]*entry
}

func newTree() *tree { return &tree{entries: map[string]*entry{}} }

// at returns the body of the resource at path; the zero value where there is none.
func (t *tree) at(path string) value {
	if e := t.entries[normal(path)]; e != nil {
		return e.body
	}
	return value{}
}

// normal brings a link into the form under which resources are kept: no host, no query, no fragment, no slash at the
// end, single slashes. A link that is no path of this service becomes "".
func normal(link string) string {
	link, _, _ = strings.Cut(link, "#")
	link, _, _ = strings.Cut(link, "?")
	if i := strings.Index(link, "%23"); i >= 0 { // an encoded '#': a part of the resource before it
		link = link[:i]
	}
	if !strings.HasPrefix(link, "/") {
		u, err := url.Parse(link)
		if err != nil || u.Host == "" {
			return ""
		}
		link = u.EscapedPath()
	}
	if p := path.Clean(link); strings.HasPrefix(p, "/redfish/") || strings.HasPrefix(p, "/rest/") {
		return p
	}
	return ""
}

// Bounds of one walk.
const (
	maxLevels = 24 // links away from the root; the deepest that is followed by the rules is 9
	maxPages  = 64 // of one collection
)

// walk reads a service from its root along the rules of plan.go.
type walk struct {
	client *client
	tree   *tree
	scope  collectors.Scope

	reached  bool // something was read that needs a login, or needed none
	complete bool // the walk came to its end
	mu       sync.Mutex
	errors   []snapshot.Error
}

func (w *walk) fail(at string, f *failure) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.errors = append(w.errors, snapshot.Error{At: at, Error: f.said, Hint: f.hint, Class: f.class})
}

const rootPath = "/redfish/v1"

func (w *walk) run(ctx context.Context) {
	a, f := w.client.do(ctx, "GET", rootPath+"/", "", nil)
	if f != nil {
		w.fail(w.client.target.URL, f)
		return
	}
	body, err := parseJSON(a.body)
	if err != nil {
		w.fail(w.client.target.URL, failed(snapshot.ClassGarbage, err.Error()))
		return
	}
	w.tree.entries[rootPath] = &entry{path: rootPath, body: body}
	w.reached = true
	w.complete = true
}
