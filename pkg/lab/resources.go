package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

// Resources is what a Redfish service serves: a base, which many services may share and none changes, and over it
// what is this service's own. Paths may end in a slash or not. It may be used from any goroutine.
type Resources struct {
	base recording.Tree

	mu  sync.RWMutex
	own map[string]resource // by clean path
}

// resource is a body of one service: bytes, a body made when it is asked for, or a hole in the base.
type resource struct {
	body json.RawMessage
	live func() any
	gone bool
}

// NewResources serves base, which must not be changed any more. nil is an empty service.
func NewResources(base recording.Tree) *Resources { return &Resources{base: base} }

// Get returns the body at a path.
func (r *Resources) Get(path string) (json.RawMessage, bool) {
	path = recording.CleanPath(path)
	r.mu.RLock()
	o, mine := r.own[path]
	r.mu.RUnlock()
	switch {
	case !mine:
		body, ok := r.base[path]
		return body, ok
	case o.gone:
		return nil, false
	case o.live == nil:
		return o.body, true
	}
	v := o.live()
	if v == nil {
		return nil, false
	}
	return encode(v), true
}

// Put gives a path a body: anything that encoding/json writes.
func (r *Resources) Put(path string, body any) { r.put(path, resource{body: encode(body)}) }

// Live gives a path a body that is made each time it is read; nil is answered with 404. f is called
// without a lock held.
func (r *Resources) Live(path string, f func() any) { r.put(path, resource{live: f}) }

// Delete takes a resource away.
func (r *Resources) Delete(path string) { r.put(path, resource{gone: true}) }

func (r *Resources) put(path string, o resource) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.own == nil {
		r.own = map[string]resource{}
	}
	r.own[recording.CleanPath(path)] = o
}

// Set changes one property of a resource, found by a JSON pointer (RFC 6901): Set("/redfish/v1/Chassis/1/Power",
// "/PowerSupplies/1/Status/Health", "Critical"). Objects on the way are made where they are missing; "-" appends to an
// array. A resource made by Live cannot be set.
func (r *Resources) Set(path, pointer string, value any) error {
	path = recording.CleanPath(path)
	r.mu.Lock()
	defer r.mu.Unlock()
	old, mine := r.own[path]
	if !mine {
		old.body, mine = r.base[path]
	}
	if !mine || old.gone || old.live != nil {
		return fmt.Errorf("set %s: there is no such resource to change", path)
	}
	var body any
	dec := json.NewDecoder(bytes.NewReader(old.body))
	dec.UseNumber()
	if err := dec.Decode(&body); err != nil {
		return fmt.Errorf("set %s: %w", path, err)
	}
	changed, err := setAt(body, pointer, value)
	if err != nil {
		return fmt.Errorf("set %s%s: %w", path, pointer, err)
	}
	if r.own == nil {
		r.own = map[string]resource{}
	}
	r.own[path] = resource{body: encode(changed)}
	return nil
}

// setAt returns body with the value put at the pointer.
func setAt(body any, pointer string, value any) (any, error) {
	if pointer == "" {
		return value, nil
	}
	if pointer[0] != '/' {
		return nil, errors.New("a JSON pointer begins with a slash")
	}
	name, rest := pointer[1:], ""
	if i := strings.IndexByte(name, '/'); i >= 0 {
		name, rest = name[:i], name[i:]
	}
	name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
	switch at := body.(type) {
	case nil:
		inner, err := setAt(nil, rest, value)
		return map[string]any{name: inner}, err
	case map[string]any:
		inner, err := setAt(at[name], rest, value)
		at[name] = inner
		return at, err
	case []any:
		if name == "-" {
			inner, err := setAt(nil, rest, value)
			return append(at, inner), err
		}
		i, err := strconv.Atoi(name)
		if err != nil || i < 0 || i >= len(at) {
			return nil, fmt.Errorf("no element %q in an array of %d", name, len(at))
		}
		at[i], err = setAt(at[i], rest, value)
		return at, err
	}
	return nil, fmt.Errorf("%q is neither in an object nor in an array", name)
}

// encode writes JSON as a device would: without HTML escapes. A value that cannot be written is the caller's mistake.
func encode(v any) json.RawMessage {
	if raw, ok := v.(json.RawMessage); ok {
		return raw
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("lab: a body that is no JSON: %v", err))
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
