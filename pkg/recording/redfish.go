package recording

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Tree is a Redfish service as it was recorded: body by path. Paths have no trailing slash ("/redfish/v1") and may
// carry a query ("...?$skip=50"), as the service's links do. Bodies are the bytes that the service sent.
type Tree map[string]json.RawMessage

// CleanPath is the form in which Tree keeps a path: no fragment, no doubled or trailing slash; a query stays.
func CleanPath(p string) string {
	p, _, _ = strings.Cut(p, "#")
	p, query, ok := strings.Cut(p, "?")
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	if p = strings.TrimRight(p, "/"); p == "" {
		p = "/"
	}
	if ok {
		p += "?" + query
	}
	return p
}

// Get returns the body at a path in any of its forms.
func (t Tree) Get(path string) (json.RawMessage, bool) {
	b, ok := t[CleanPath(path)]
	return b, ok
}

// Paths lists the paths in order.
func (t Tree) Paths() []string { return slices.Sorted(maps.Keys(t)) }

// ReadRedfish reads a bundle. Of a path that stands there twice the last body counts.
func ReadRedfish(r io.Reader) (Tree, error) {
	in := &lineCounter{r: r}
	dec := json.NewDecoder(in)
	fail := func(err error) error {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return fmt.Errorf("line %d: not JSON: %w (%w)", in.line(dec.InputOffset()), err, ErrNotRecording)
		}
		return fmt.Errorf("line %d: %w", in.line(dec.InputOffset()), err)
	}
	if tok, err := dec.Token(); err != nil {
		return nil, fail(err)
	} else if tok != json.Delim('{') {
		return nil, fmt.Errorf("line 1: a bundle is one JSON object, path to body (%w)", ErrNotRecording)
	}
	tree := Tree{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, fail(err)
		}
		path, ok := key.(string)
		if !ok || !strings.HasPrefix(path, "/") {
			return nil, fail(fmt.Errorf("%q is no path: a bundle is {\"/redfish/v1\": body, ...} (%w)", clip(fmt.Sprint(key)), ErrNotRecording))
		}
		var body json.RawMessage
		if err := dec.Decode(&body); err != nil {
			return nil, fail(err)
		}
		tree[CleanPath(path)] = body
	}
	if _, err := dec.Token(); err != nil {
		return nil, fail(err)
	}
	if len(tree) == 0 {
		return nil, fmt.Errorf("the bundle holds no resource (%w)", ErrNotRecording)
	}
	return tree, nil
}

// WriteRedfish writes a bundle, one resource a line, in the order of the paths. The bodies must be JSON.
func WriteRedfish(w io.Writer, tree Tree) error {
	out := bufio.NewWriter(w)
	out.WriteString("{\n")
	for i, path := range tree.Paths() {
		var body bytes.Buffer
		if err := json.Compact(&body, tree[path]); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		if i > 0 {
			out.WriteString(",\n")
		}
		out.Write(quote(path))
		out.WriteString(": ")
		out.Write(body.Bytes())
	}
	out.WriteString("\n}\n")
	return out.Flush()
}

// quote writes a JSON string without escaping what HTML would want escaped: links hold & and <.
func quote(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return bytes.TrimRight(b.Bytes(), "\n")
}

// lineCounter remembers where the lines of what it has read end, to say where an offset lies.
type lineCounter struct {
	r    io.Reader
	n    int64
	ends []int64
}

func (c *lineCounter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			c.ends = append(c.ends, c.n+int64(i))
		}
	}
	c.n += int64(n)
	return n, err
}

func (c *lineCounter) line(offset int64) int {
	i, _ := slices.BinarySearch(c.ends, offset)
	return i + 1
}
