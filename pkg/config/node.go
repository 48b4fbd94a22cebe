package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// node is a YAML node with the file that it stands in.
type node struct {
	*yaml.Node
	file string
}

func (n node) at() place { return place{n.file, n.Line} }

func (n node) is(k yaml.Kind) bool { return n.Node != nil && n.Kind == k }

// null reports whether nothing was written: no node at all, or "key:" without a value.
func (n node) null() bool {
	return n.Node == nil || (n.Kind == yaml.ScalarNode && n.Tag == "!!null")
}

// what it is, in a person's words.
func (n node) what() string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys with values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return "nothing"
		}
		return "a single value"
	}
	return "an alias"
}

// maxNodes bounds what a file may stand for when its aliases are written out.
const maxNodes = 2_000_000

// reader reads nodes and takes down what is wrong with them.
type reader struct {
	*book
	visited int  // nodes handed out, aliases written out
	tired   bool // maxNodes was passed: everything else reads as empty
}

// child wraps a node, following aliases. It yields an empty node once a file stands for too much.
func (r *reader) child(n *yaml.Node, file string) node {
	for hops := 0; n != nil && n.Kind == yaml.AliasNode; hops++ {
		if hops > 16 {
			return node{}
		}
		n = n.Alias
	}
	if r.visited++; r.visited > maxNodes {
		if !r.tired {
			r.tired = true
			r.wrong(place{file, n.Line}, "write it out with fewer aliases (*name)", "the aliases stand for more than %d values", maxNodes)
		}
		return node{}
	}
	return node{n, file}
}

// section is a mapping whose keys are known.
type section struct {
	node
	r     *reader
	title string // "a device"
	keys  map[string]node
	lines map[string]int
}

// mapping reads a mapping that may have only these keys. It never is nil; what is no mapping has no keys.
func (r *reader) mapping(n node, title string, known ...string) *section {
	s := r.freeMapping(n, title)
	for _, key := range s.names() {
		if !slices.Contains(known, key) {
			r.wrong(place{n.file, s.lines[key]}, didYouMean(key, known, "write "+oneOf(known)), "%s has no key %q", title, key)
			delete(s.keys, key)
		}
	}
	return s
}

// freeMapping reads a mapping whose keys are names that people chose.
func (r *reader) freeMapping(n node, title string) *section {
	s := &section{node: n, r: r, title: title, keys: map[string]node{}, lines: map[string]int{}}
	if n.null() {
		return s
	}
	if !n.is(yaml.MappingNode) {
		r.wrong(n.at(), "write key: value", "%s is %s here, not keys with values", title, n.what())
		return s
	}
	r.takeKeys(s, n, 0)
	return s
}

// takeKeys fills s from a mapping; what "<<" merges yields to what is written.
func (r *reader) takeKeys(s *section, n node, depth int) {
	var merged []node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := r.child(n.Content[i], n.file)
		v := r.child(n.Content[i+1], n.file)
		switch {
		case k.Node == nil || v.Node == nil:
			return
		case k.Tag == "!!merge":
			merged = append(merged, v)
		case k.Kind != yaml.ScalarNode:
			r.wrong(k.at(), "write key: value, and put names with [ ] or { } in quotes", "a key is %s", k.what())
		case depth == 0 && s.lines[k.Value] != 0:
			r.wrong(k.at(), "take one of them out", "%s has the key %q twice: also at line %d", s.title, k.Value, s.lines[k.Value])
		case s.lines[k.Value] == 0:
			s.keys[k.Value], s.lines[k.Value] = v, k.Line
		}
	}
	if depth > 8 {
		return
	}
	for _, m := range merged {
		of := []node{m}
		if m.is(yaml.SequenceNode) {
			of = r.items(m, "a merge (<<)")
		}
		for _, m := range of {
			if m.is(yaml.MappingNode) {
				r.takeKeys(s, m, depth+1)
			} else {
				r.wrong(m.at(), "write <<: *name", "a merge (<<) is %s, not an alias of keys with values", m.what())
			}
		}
	}
}

// names are the keys in the order of lines.
func (s *section) names() []string {
	names := make([]string, 0, len(s.keys))
	for k := range s.keys {
		names = append(names, k)
	}
	slices.SortFunc(names, func(a, b string) int {
		if s.lines[a] != s.lines[b] {
			return s.lines[a] - s.lines[b]
		}
		return strings.Compare(a, b)
	})
	return names
}

func (s *section) has(key string) bool { return !s.keys[key].null() }

// where a key stands, or the section where it doesn't.
func (s *section) where(key string) place {
	if line := s.lines[key]; line > 0 {
		return place{s.file, line}
	}
	return s.at()
}

// text is the key's value as text, "" where it is missing.
func (s *section) text(key string) string { return s.r.text(s.keys[key], key) }

func (r *reader) text(n node, name string) string {
	if n.null() {
		return ""
	}
	if !n.is(yaml.ScalarNode) {
		r.wrong(n.at(), "write one value (in quotes where it holds [ ] or { })", "%s is %s, not a single value", name, n.what())
		return ""
	}
	return strings.TrimSpace(n.Value)
}

// texts is one text or a list of them.
func (s *section) texts(key string) []located { return s.r.texts(s.keys[key], key) }

// located is a text and where it stands.
type located struct {
	text string
	at   place
}

func (r *reader) texts(n node, name string) []located {
	if n.null() {
		return nil
	}
	if !n.is(yaml.SequenceNode) {
		if t := r.text(n, name); t != "" {
			return []located{{t, n.at()}}
		}
		return nil
	}
	var out []located
	for _, item := range r.items(n, name) {
		if t := r.text(item, name); t != "" {
			out = append(out, located{t, item.at()})
		} else if item.null() {
			r.wrong(item.at(), "take it out", "%s holds an empty entry", name)
		}
	}
	return out
}

// items are the entries of a list; of what is no list there are none.
func (s *section) items(key string) []node { return s.r.items(s.keys[key], key) }

func (r *reader) items(n node, name string) []node {
	if n.null() {
		return nil
	}
	if !n.is(yaml.SequenceNode) {
		r.wrong(n.at(), "write - before each entry, or [ ] around them", "%s is %s, not a list", name, n.what())
		return nil
	}
	out := make([]node, 0, len(n.Content))
	for _, c := range n.Content {
		if item := r.child(c, n.file); item.Node != nil {
			out = append(out, item)
		}
	}
	return out
}

// number is the key's value, least <= value <= most, or otherwise where it is missing or wrong.
func (s *section) number(key string, least, most, otherwise int) int {
	t := s.text(key)
	if t == "" {
		return otherwise
	}
	v, err := strconv.Atoi(t)
	if err != nil || v < least || v > most {
		upTo := fmt.Sprintf("write a whole number from %d to %d", least, most)
		if most == math.MaxInt32 {
			upTo = fmt.Sprintf("write a whole number, %d or more", least)
		}
		s.r.wrong(s.where(key), upTo, "%s is %q", key, t)
		return otherwise
	}
	return v
}

// amount is a quantity greater than zero; 0 where it is missing or wrong.
func (s *section) amount(key, unit string) float64 {
	t := s.text(key)
	if t == "" {
		return 0
	}
	v, err := strconv.ParseFloat(t, 64)
	if err != nil || !(v > 0) || math.IsInf(v, 0) {
		s.r.wrong(s.where(key), "write a number greater than 0, in "+unit+", without the unit", "%s is %q", key, t)
		return 0
	}
	return v
}

// yes is true where the key is true.
func (s *section) yes(key string) bool {
	switch t := s.text(key); t {
	case "", "false":
		return false
	case "true":
		return true
	default:
		s.r.wrong(s.where(key), "write true or false", "%s is %q", key, t)
		return false
	}
}

// duration is the key's value, least <= value <= most; otherwise where it is missing or wrong.
func (s *section) duration(key string, least, most, otherwise time.Duration) time.Duration {
	t := s.text(key)
	if t == "" {
		return otherwise
	}
	d, err := parseDuration(t)
	switch {
	case err != nil && digits(t):
		s.r.wrong(s.where(key), fmt.Sprintf("write the unit too: %ss or %sm", t, t), "%s is %q", key, t)
	case err != nil:
		s.r.wrong(s.where(key), "write a duration as 15s, 10m, 1h30m or 2d", "%s is %q", key, t)
	case d < least:
		s.r.wrong(s.where(key), fmt.Sprintf("write %s or more", short(least)), "%s is %s, too short", key, t)
	case d > most:
		s.r.wrong(s.where(key), fmt.Sprintf("write %s or less", short(most)), "%s is %s, too long", key, t)
	default:
		return d
	}
	return otherwise
}

// parseDuration reads Go's durations, and whole days.
func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok && digits(days) && len(days) < 6 {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(s)
}

// short writes a duration without its zero units: 10m, not 10m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
