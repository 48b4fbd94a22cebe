package mibs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// reader walks the nodes of one file and collects every mistake in it.
type reader struct {
	file string
	errs *problems
}

// problems is the list of mistakes of all files, each once.
type problems struct {
	list []error
	seen map[string]bool
}

func (p *problems) add(err error) {
	if p.seen == nil {
		p.seen = map[string]bool{}
	}
	if !p.seen[err.Error()] {
		p.seen[err.Error()] = true
		p.list = append(p.list, err)
	}
}

func (r reader) errorf(n *yaml.Node, format string, args ...any) {
	line := 0
	if n != nil {
		line = n.Line
	}
	r.errs.add(&Error{File: r.file, Line: line, Text: fmt.Sprintf(format, args...)})
}

// fields is a mapping of which every key must be taken.
type fields struct {
	r     reader
	node  *yaml.Node
	what  string
	taken []string
}

func (r reader) fields(n *yaml.Node, what string) *fields {
	n = deref(n)
	if n != nil && n.Kind != yaml.MappingNode {
		r.errorf(n, "%s must be a mapping, this is %s", what, shape(n))
		n = nil
	}
	f := &fields{r: r, node: n, what: what}
	if n != nil {
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if k := n.Content[i].Value; seen[k] {
				r.errorf(n.Content[i], "%s has %q twice", what, k)
			} else {
				seen[k] = true
			}
		}
	}
	return f
}

// take returns the value of a key, or nil.
func (f *fields) take(key string) *yaml.Node {
	f.taken = append(f.taken, key)
	if f.node == nil {
		return nil
	}
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		if f.node.Content[i].Value == key {
			return deref(f.node.Content[i+1])
		}
	}
	return nil
}

// done complains of keys that nobody took.
func (f *fields) done() {
	if f.node == nil {
		return
	}
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		if k := f.node.Content[i]; !slices.Contains(f.taken, k.Value) {
			f.r.errorf(k, "%s has no %q; it has %s", f.what, k.Value, strings.Join(f.taken, ", "))
		}
	}
}

func deref(n *yaml.Node) *yaml.Node {
	for i := 0; n != nil && n.Kind == yaml.AliasNode && i < 10; i++ {
		n = n.Alias
	}
	return n
}

func shape(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		return strconv.Quote(n.Value)
	}
	return "nothing"
}

func (r reader) str(n *yaml.Node, what string) string {
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode {
		r.errorf(n, "%s must be text, this is %s", what, shape(n))
		return ""
	}
	return n.Value
}

func (r reader) boolean(n *yaml.Node, what string) bool {
	switch v := r.str(n, what); v {
	case "", "false":
		return false
	case "true":
		return true
	default:
		r.errorf(n, "%s must be true or false, not %q", what, v)
		return false
	}
}

func (r reader) integer(n *yaml.Node, what string) int {
	if n == nil {
		return 0
	}
	v, err := strconv.Atoi(r.str(n, what))
	if err != nil {
		r.errorf(n, "%s must be a whole number, not %s", what, shape(n))
	}
	return v
}

func (r reader) float(n *yaml.Node, what string) (float64, bool) {
	if n == nil {
		return 0, false
	}
	v, err := strconv.ParseFloat(r.str(n, what), 64)
	if err != nil {
		r.errorf(n, "%s must be a number, not %s", what, shape(n))
		return 0, false
	}
	return v, true
}

// list returns the items of a list; a single value is a list of one.
func (r reader) list(n *yaml.Node) []*yaml.Node {
	n = deref(n)
	if n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return []*yaml.Node{n}
	}
	items := make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		items[i] = deref(c)
	}
	return items
}

// pairs returns the keys and values of a mapping in the order of the file.
func (r reader) pairs(n *yaml.Node, what string) [][2]*yaml.Node {
	n = deref(n)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		r.errorf(n, "%s must be a mapping, this is %s", what, shape(n))
		return nil
	}
	var out [][2]*yaml.Node
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if seen[k.Value] {
			r.errorf(k, "%s has %q twice", what, k.Value)
			continue
		}
		seen[k.Value] = true
		out = append(out, [2]*yaml.Node{k, deref(n.Content[i+1])})
	}
	return out
}
